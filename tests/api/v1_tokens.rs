//! `/v1/instances/{i}/tokens`: made with scopes, an end and a label; listed without their secrets; revoked, rotated.

use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{Tenant, TestApp, problem, text, told};

fn of(tenant: &Tenant) -> String {
    format!("/v1/instances/{}/tokens", tenant.id)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_as_it_was_wished_and_its_secret_is_shown_once() {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    let wish =
        json!({"scopes": ["contacts:read", "groups:*"], "label": "for the CRM", "expires_at": "2099-01-01T00:00:00Z"});
    let made = app.token(&tenant, wish).await;
    let secret = text(&made["access_token"]);
    assert_eq!((secret.len(), &secret[..4]), (52, "wab_"));
    assert_eq!(made["scopes"], json!(["contacts:read", "groups:read", "groups:write", "groups:delete"]));
    assert_eq!((&made["label"], &made["state"]), (&json!("for the CRM"), &json!("active")));
    assert_eq!((&made["expires_at"], &made["revoked_at"]), (&json!("2099-01-01T00:00:00.000Z"), &Value::Null));

    let list = app.admin(Method::GET, &of(&tenant), None).await.text().await.unwrap();
    assert!(!list.contains(&secret) && !list.contains("wab_") && !list.contains("access_token"));
    let listed: Value = serde_json::from_str(&list).unwrap();
    assert_eq!(listed["tokens"].as_array().unwrap().len(), 2, "the first token and this one");
    let one = format!("{}/{}", of(&tenant), text(&made["token_id"]));
    let shown = told(app.admin(Method::GET, &one, None).await, 200).await;
    assert_eq!(shown["access_token"], Value::Null);
    assert_eq!(listed["tokens"].as_array().unwrap().iter().filter(|token| **token == shown).count(), 1);
    for file in ["gateway.db", "gateway.db-wal"] {
        let bytes = std::fs::read(app.sessions().join(file)).unwrap_or_default();
        assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "the secret is in {file}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_without_a_wish_may_do_everything_for_ever() {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    let made = app.token(&tenant, json!({})).await;
    assert_eq!((&made["scopes"], &made["expires_at"]), (&json!(["*"]), &Value::Null));
}

#[rstest]
#[case::an_unknown_scope(json!({"scopes": ["contacts:red"]}), "scopes")]
#[case::no_scope(json!({"scopes": []}), "scopes")]
#[case::a_word_for_scopes(json!({"scopes": "contacts:read"}), "scopes")]
#[case::numbers_for_scopes(json!({"scopes": [1]}), "scopes")]
#[case::an_end_in_the_past(json!({"expires_at": "2001-01-01T00:00:00Z"}), "expires_at")]
#[case::an_end_that_is_no_time(json!({"expires_at": "tomorrow"}), "expires_at")]
#[case::a_span_that_is_none(json!({"expires_in": "soon"}), "expires_in")]
#[case::a_span_backwards(json!({"expires_in": "-1h"}), "expires_in")]
#[case::both_ends(json!({"expires_in": "1h", "expires_at": "2099-01-01T00:00:00Z"}), "expires_in")]
#[case::a_number_for_an_end(json!({"expires_at": 4_070_908_800_u64}), "expires_at")]
#[case::a_label_too_long(json!({"label": "x".repeat(256)}), "label")]
#[case::a_label_of_two_lines(json!({"label": "a\nb"}), "label")]
#[tokio::test(flavor = "multi_thread")]
async fn a_wish_that_cannot_be_granted(#[case] wish: Value, #[case] field: &str) {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    let refused = problem(app.admin(Method::POST, &of(&tenant), Some(wish)).await, 400).await;
    assert_eq!(refused["field"], field);
    let listed = told(app.admin(Method::GET, &of(&tenant), None).await, 200).await;
    assert_eq!(listed["tokens"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_token_opens_nothing_from_the_next_request_on() {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    let made = app.token(&tenant, json!({})).await;
    let guest = Tenant { id: tenant.id.clone(), token: text(&made["access_token"]) };
    app.save(&guest, "123@c.us", "Bob", "").await;
    let one = format!("{}/{}", of(&tenant), text(&made["token_id"]));
    for _ in 0..2 {
        told(app.admin(Method::DELETE, &one, None).await, 204).await;
        told(app.get(&guest, "/v2/contacts", &[("contactId", "123")]).await, 401).await;
    }
    let shown = told(app.admin(Method::GET, &one, None).await, 200).await;
    assert_eq!(shown["state"], "revoked");
    assert!(shown["revoked_at"].is_string());
    problem(app.admin(Method::POST, &format!("{one}/rotate"), None).await, 404).await;
    assert_eq!(app.name(&tenant, "123").await, "Bob", "other tokens are not touched");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotated_token_has_the_same_rights_and_another_secret() {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    let wish = json!({"scopes": ["contacts:write"], "label": "CRM", "expires_at": "2099-01-01T00:00:00Z"});
    let old = app.token(&tenant, wish).await;
    let path = format!("{}/{}/rotate", of(&tenant), text(&old["token_id"]));
    let fresh = told(app.admin(Method::POST, &path, None).await, 201).await;
    for key in ["scopes", "label", "expires_at", "instance_id"] {
        assert_eq!(fresh[key], old[key], "{key}");
    }
    assert_ne!(fresh["token_id"], old["token_id"]);
    let holder = |token: &Value| Tenant { id: tenant.id.clone(), token: text(&token["access_token"]) };
    app.save(&holder(&fresh), "123@c.us", "Bob", "").await;
    told(app.update(&holder(&old), json!({"chatId": "123@c.us"})).await, 401).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_used_token_tells_when_it_was_used_last() {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    let made = app.token(&tenant, json!({})).await;
    let one = format!("{}/{}", of(&tenant), text(&made["token_id"]));
    assert_eq!(told(app.admin(Method::GET, &one, None).await, 200).await["last_used_at"], Value::Null);
    let guest = Tenant { id: tenant.id.clone(), token: text(&made["access_token"]) };
    app.name(&guest, "123").await;
    let used = told(app.admin(Method::GET, &one, None).await, 200).await["last_used_at"].clone();
    assert!(used.is_string());
    let app = app.restart().await;
    assert_eq!(told(app.admin(Method::GET, &one, None).await, 200).await["last_used_at"], used);
}

#[rstest]
#[case(Method::GET, "")]
#[case(Method::DELETE, "")]
#[case(Method::POST, "/rotate")]
#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_never_was(#[case] method: Method, #[case] tail: &str) {
    let app = TestApp::start().await;
    let (tenant, other) = (app.instance().await, app.instance().await);
    let foreign = text(&app.token(&other, json!({})).await["token_id"]);
    for id in ["tok_0000000000000000", "x", &foreign] {
        let path = format!("{}/{id}{tail}", of(&tenant));
        assert_eq!(problem(app.admin(method.clone(), &path, None).await, 404).await["code"], "no_token");
    }
}
