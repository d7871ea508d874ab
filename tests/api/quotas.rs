//! What one instance may come to: contacts, bytes, streams of events. Each dialect refuses in its own words, and nothing
//! is half done.

use reqwest::{Method, Response};
use rstest::rstest;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Tenant, TestApp, problem, told};

async fn with_contacts(most: u64) -> (TestApp, Tenant) {
    let app = TestApp::start_with(TempDir::new().unwrap(), |config| config.limits.contacts = most).await;
    let tenant = app.instance().await;
    for number in 0..most {
        app.save(&tenant, &format!("1555000{number:04}"), "Somebody", "Known").await;
    }
    (app, tenant)
}

/// A request with every credential that a dialect may look for.
async fn ask(app: &TestApp, tenant: &Tenant, method: Method, path: &str, body: &Value) -> Response {
    let path = path.replace("{i}", &tenant.id);
    let request = app.request(method, &path).query(&tenant.query()).bearer_auth(&tenant.token);
    let request = request.header("x-api-key", &tenant.token).header("x-org-id", &tenant.id);
    request.json(body).send().await.unwrap()
}

const SENTENCE: &str =
    "This address book may hold 2 contacts, and does; nothing was changed. Reading and deleting go on.";

#[rstest]
#[case::wawp(Method::PUT, "/v2/contacts/15559999@c.us", json!({"firstName": "New"}), 507, "/message")]
#[case::hypersender(Method::POST, "/api/whatsapp/v2/{i}/contacts/upsert", json!({"chat_id": "15559999@c.us", "first_name": "New", "last_name": "One"}), 507, "/message")]
#[case::waha(Method::PUT, "/api/{i}/contacts/15559999@c.us", json!({"firstName": "New", "lastName": "One"}), 507, "/message")]
#[case::superwaba(Method::POST, "/api/whatsapp/contacts", json!({"userNumber": "+15559999", "userName": "New"}), 507, "/error")]
#[case::v1(Method::PUT, "/v1/instances/{i}/contacts/15559999", json!({"first_name": "New"}), 507, "/detail")]
#[tokio::test]
async fn one_contact_too_many(
    #[case] method: Method,
    #[case] path: &str,
    #[case] body: Value,
    #[case] status: u16,
    #[case] at: &str,
) {
    let (app, tenant) = with_contacts(2).await;
    let before = app.head(&tenant).await;
    let said = told(ask(&app, &tenant, method.clone(), path, &body).await, status).await;
    assert_eq!(said.pointer(at).unwrap(), SENTENCE, "{said}");
    assert_eq!(app.head(&tenant).await, before);
    // Whoever is there can still be changed.
    app.save(&tenant, "15550000000", "Another", "Name").await;
    assert_eq!(app.name(&tenant, "15550000000").await, "Another Name");
}

fn crm(phone: &str) -> Value {
    json!({"firstname": "New", "lastname": "One", "phone": phone, "type": "lead", "source_id": 1, "status_id": 1})
}

#[tokio::test]
async fn wacr_says_what_it_documents_and_shows_the_real_limit() {
    let (app, tenant) = with_contacts(2).await;
    let body = crm("+15559999");
    let said = told(ask(&app, &tenant, Method::POST, "/api/v2/contacts", &body).await, 403).await;
    assert_eq!(said["error"]["code"], "FEATURE_LIMIT_EXCEEDED");
    assert_eq!(said["error"]["message"], "Feature limit exceeded for contacts. Please upgrade your plan.");
    assert_eq!(said["error"]["details"], json!({"feature": "contacts", "current": 2, "maximum": 2}));

    app.v1(&tenant.token, Method::DELETE, &format!("/v1/instances/{}/contacts/15550000001", tenant.id), None).await;
    let show = async |path: &str| told(app.v1(&tenant.token, Method::GET, path, None).await, 200).await;
    let usage = show("/api/v2/account/usage").await;
    let held = json!({"current": 1, "limit": 2, "remaining": 1, "percentage_used": 50.0, "is_unlimited": false});
    assert_eq!(usage["data"]["contacts"], held);
    let limits = show("/api/v2/account/limits").await;
    let limit = json!({"limit": 2, "feature_name": "Total Contacts", "is_unlimited": false});
    assert_eq!(limits["data"]["limits"]["contacts"], limit);

    let batch = json!({"contacts": [crm("+15558881"), crm("+15558882")]});
    let report = told(ask(&app, &tenant, Method::POST, "/api/v2/contacts/batch", &batch).await, 200).await;
    assert_eq!((&report["data"]["summary"]["created"], &report["data"]["summary"]["failed"]), (&json!(1), &json!(1)));
    assert!(report.to_string().contains("Feature limit exceeded for contacts. Please upgrade your plan."), "{report}");

    let mut whole = json!({"contacts": [crm("+15558883")], "options": {"continue_on_error": false}});
    whole["contacts"].as_array_mut().unwrap().insert(0, crm("+15558884"));
    let before = app.head(&tenant).await;
    let said = told(ask(&app, &tenant, Method::POST, "/api/v2/contacts/batch", &whole).await, 422).await;
    assert_eq!(said["error"]["message"], "Batch operation failed");
    assert_eq!(app.head(&tenant).await, before);
}

#[tokio::test]
async fn a_bulk_tells_of_each_row_whether_it_found_room() {
    let (app, tenant) = with_contacts(2).await;
    let path = format!("/v1/instances/{}/contacts/15550000000", tenant.id);
    assert_eq!(app.v1(&tenant.token, Method::DELETE, &path, None).await.status().as_u16() / 100, 2);
    let rows = json!({"contacts": [{"userNumber": "+15558881", "userName": "A"}, {"userNumber": "+15558882", "userName": "B"}]});
    let report = ask(&app, &tenant, Method::POST, "/api/whatsapp/contacts/bulk", &rows).await;
    let report: Value = report.json().await.unwrap();
    assert_eq!((&report["data"]["imported"], &report["data"]["skipped"]), (&json!(1), &json!(1)), "{report}");
    assert!(report.to_string().contains(SENTENCE), "{report}");
}

#[tokio::test]
async fn a_book_of_too_many_bytes_is_read_and_deleted_from_but_not_written_to() {
    let app = TestApp::start_with(TempDir::new().unwrap(), |config| config.limits.book_bytes = 1).await;
    let tenant = app.instance().await;
    let path = "/v1/instances/{i}/contacts/15559999";
    let refused = ask(&app, &tenant, Method::PUT, path, &json!({"first_name": "New"})).await;
    let said = problem(refused, 507).await;
    assert_eq!(said["code"], "over_quota");
    assert!(said["detail"].as_str().unwrap().contains("may hold 1 bytes"));
    assert_eq!(app.head(&tenant).await, (0, 0));
    assert_eq!(ask(&app, &tenant, Method::DELETE, path, &json!({})).await.status(), 404);
}

#[tokio::test]
async fn one_stream_too_many_is_told_to_come_back() {
    let app = TestApp::start_with(TempDir::new().unwrap(), |config| config.limits.event_streams = 2).await;
    let (tenant, other) = (app.instance().await, app.instance().await);
    let open = async |tenant: &Tenant| {
        let path = format!("/v1/instances/{}/events", tenant.id);
        app.v1(&tenant.token, Method::GET, &path, None).await
    };
    let streams = [open(&tenant).await, open(&tenant).await];
    assert!(streams.iter().all(|stream| stream.status() == 200));
    let refused = open(&tenant).await;
    assert_eq!(refused.headers()["retry-after"], "30");
    assert_eq!(problem(refused, 429).await["code"], "crowded");
    let elsewhere = open(&other).await;
    assert_eq!(elsewhere.status(), 200, "another instance has its own");
    drop(streams);
    // The server notices at the latest when it next has something to say.
    app.save(&tenant, "15550000001", "Some", "Change").await;
    for number in 0.. {
        if open(&tenant).await.status() == 200 {
            break;
        }
        assert!(number < 600, "what was left is not free again");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    drop(elsewhere);
}
