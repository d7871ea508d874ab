//! Reading through SuperWABA's room: the list with its pages, sorts and search, one contact by each of its ids, and who
//! may read at all.

use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

use crate::{
    superwaba_story::{BASE, Story, assert_failure, assert_like, data, failure, failure_fixture, fixture},
    support::{Tenant, TestApp, text, told},
};

fn names(page: &Value) -> Vec<&str> {
    page["contacts"].as_array().unwrap().iter().map(|contact| contact["name"].as_str().unwrap_or("")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documented_list() {
    let story = Story::of_the_examples().await;
    let example = fixture("list.response");
    let mut found = told(story.request(Method::GET, "/contacts").send().await.unwrap(), 200).await;
    let listed = found["data"]["contacts"].as_array().unwrap().clone();
    assert_eq!(listed.len(), 20);
    assert_like(&listed[0], &example["data"]["contacts"][0], &[]);
    // The example's second id is no UUID.
    assert_like(&listed[1], &example["data"]["contacts"][1], &["id"]);
    found["data"]["contacts"] = example["data"]["contacts"].clone();
    assert_eq!(found, example);
    let last = story.list(&[("limit", "100"), ("page", "19")]).await;
    assert_eq!((last["contacts"].as_array().unwrap().len(), &last["hasNext"]), (42, &json!(false)));
    let beyond = story.list(&[("page", "4294967295")]).await;
    let empty = json!({"contacts": [], "total": 1842, "page": 4294967295_u64, "limit": 20, "hasNext": false});
    assert_eq!(beyond, empty);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documented_contact_by_each_of_its_ids() {
    let story = Story::of_the_examples().await;
    let example = fixture("get.response");
    let id = text(&example["data"]["id"]);
    let found = told(story.request(Method::GET, &format!("/contacts/{id}")).send().await.unwrap(), 200).await;
    assert_eq!(found["success"], true);
    assert_like(&found["data"], &example["data"], &["vendorContactId"]);
    let vendor = text(&found["data"]["vendorContactId"]);
    for id in [&*vendor, &vendor.to_uppercase(), &id[8..], &id[8..].to_uppercase()] {
        assert_eq!(story.show(id).await, found["data"], "{id}");
    }
}

#[rstest]
#[case::nobodys("contact_01890a5d-ac96-774b-bcce-b302099a8057")]
#[case::nobodys_uuid("01890a5d-ac96-774b-bcce-b302099a8057")]
#[case::nobodys_vendor_id("01890a5dac96774bbcceb302")]
#[case::a_short_one("contact_01890a5d")]
#[case::no_hyphens("01890a5dac96774bbcceb302099a8057")]
#[case::signs_for_digits("+1+1+1+1+1+1+1+1+1+1+1+1")]
#[case::a_phone("971501234567")]
#[case::a_chat_id("971501234567@c.us")]
#[case::the_documents_own_placeholder("contact_new12345-6789-01ab-cdef-abcdefabcdef")]
#[case::a_path("..%2F..%2Fetc%2Fpasswd")]
#[case::invalid_utf8("%FF%FE")]
#[case::a_nul("%00")]
#[case::an_integer("1")]
#[tokio::test(flavor = "multi_thread")]
async fn an_id_of_nobody_is_not_found(#[case] id: &str) {
    let story = Story::begin().await;
    story.create(json!({"userNumber": "+971501234567"})).await;
    for method in [Method::GET, Method::PATCH] {
        let request = story.request(method, &format!("/contacts/{id}")).json(&json!({"name": "Zebulon"}));
        assert_eq!(failure(request.send().await.unwrap(), 404).await, failure_fixture("not-found.response"));
    }
    assert_eq!(story.app.head(&story.tenant).await, (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contact_of_another_instance_is_not_found() {
    let story = Story::begin().await;
    let other = Story { tenant: story.app.instance().await, app: story.app };
    let theirs = other.create(json!({"userNumber": "971501234567", "userName": "Ahmed"})).await;
    let ours = other.app.instance().await;
    let before = other.app.head(&other.tenant).await;
    let story = Story { tenant: ours, app: other.app };
    for id in [text(&theirs["id"]), text(&theirs["vendorContactId"])] {
        let path = format!("/contacts/{id}");
        assert_eq!(failure(story.request(Method::GET, &path).send().await.unwrap(), 404).await, "Contact not found");
        let change = story.send(Method::PATCH, &path, &json!({"name": "Zebulon"})).await;
        assert_eq!(failure(change, 404).await, "Contact not found");
    }
    assert_eq!(story.app.head(&other.tenant).await, before);
    assert_eq!(story.list(&[]).await["total"], 0);
}

async fn five_contacts() -> Story {
    let story = Story::begin().await;
    for (number, name, email) in [
        ("4930111", "Émile", "zola@example.com"),
        ("4930222", "bob", "Bob@Example.org"),
        ("4930333", "Ann", "ann@example.com"),
        ("4930444", "李秀英", ""),
    ] {
        story.create(json!({"userNumber": number, "userName": name, "email": email})).await;
    }
    // Known by a LID alone, and by no name.
    told(story.app.update(&story.tenant, json!({"chatId": "999888777666@lid"})).await, 200).await;
    story
}

#[rstest]
#[case::newest_first(&[], &["", "李秀英", "Ann", "bob", "Émile"])]
#[case::oldest_first(&[("sortOrder", "asc")], &["Émile", "bob", "Ann", "李秀英", ""])]
#[case::by_name(&[("sortBy", "name"), ("sortOrder", "ASC")], &["", "Ann", "bob", "Émile", "李秀英"])]
#[case::by_name_backwards(&[("sortBy", "name")], &["李秀英", "Émile", "bob", "Ann", ""])]
#[case::by_last_message(&[("sortBy", "last_message_at"), ("sortOrder", "asc")], &["Émile", "bob", "Ann", "李秀英", ""])]
#[case::a_page(&[("page", "2"), ("limit", "2")], &["Ann", "bob"])]
#[case::by_a_name_without_accents(&[("search", "emile")], &["Émile"])]
#[case::by_a_part_of_a_name(&[("search", "秀")], &["李秀英"])]
#[case::by_digits(&[("search", "+49 30-222")], &["bob"])]
#[case::by_an_email(&[("search", "EXAMPLE.COM")], &["Ann", "Émile"])]
#[case::by_what_is_nowhere(&[("search", "%")], &[])]
#[case::by_blanks(&[("search", "  "), ("limit", "1")], &[""])]
#[tokio::test(flavor = "multi_thread")]
async fn a_list(#[case] query: &[(&str, &str)], #[case] expected: &[&str]) {
    let story = five_contacts().await;
    let page = story.list(query).await;
    assert_eq!(names(&page), expected);
    for listed in page["contacts"].as_array().unwrap() {
        let mut full = story.show(&text(&listed["id"])).await;
        let full = full.as_object_mut().unwrap();
        assert!(full.remove("vendorContactId").is_some() && full.remove("params").is_some());
        assert_eq!(listed.as_object().unwrap(), full);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_tell_whether_another_follows() {
    let story = five_contacts().await;
    let mut seen = Vec::new();
    for (page, has_next) in [("1", true), ("2", true), ("3", false), ("4", false)] {
        let found = story.list(&[("page", page), ("limit", "2"), ("sortBy", "name")]).await;
        assert_eq!((&found["total"], &found["limit"]), (&json!(5), &json!(2)));
        assert_eq!((found["page"].to_string(), &found["hasNext"]), (page.to_owned(), &json!(has_next)));
        seen.extend(names(&found).into_iter().map(str::to_owned));
    }
    assert_eq!(seen, ["李秀英", "Émile", "bob", "Ann", ""]);
    let found = story.list(&[("search", "example.com"), ("limit", "1")]).await;
    assert_eq!((&found["total"], &found["hasNext"]), (&json!(2), &json!(true)), "the total is of what matches");
}

#[rstest]
#[case("page", "0")]
#[case("page", "-1")]
#[case("page", "two")]
#[case("page", "99999999999999999999")]
#[case("limit", "0")]
#[case("limit", "101")]
#[case("limit", "1.5")]
#[case("sortBy", "phone")]
#[case("sortBy", "name; DROP TABLE contact")]
#[case("sortOrder", "up")]
#[tokio::test(flavor = "multi_thread")]
async fn a_list_cannot_be_asked_with(#[case] field: &str, #[case] value: &str) {
    let story = Story::begin().await;
    let response = story.request(Method::GET, "/contacts").query(&[(field, value)]).send().await.unwrap();
    let said = failure(response, 400).await;
    assert!(said.starts_with(&format!("{field} must be ")), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contact_known_by_a_lid_alone_has_no_phone_and_none_is_invented() {
    let story = five_contacts().await;
    let found = &story.list(&[("limit", "1")]).await["contacts"][0];
    assert_eq!((&found["phone"], &found["name"], &found["source"]), (&json!(""), &Value::Null, &Value::Null));
    let changed = story.update(&text(&found["id"]), json!({"name": "Lídia"})).await;
    assert_eq!((&changed["phone"], &changed["name"]), (&json!(""), &json!("Lídia")));
    assert_eq!(story.app.name(&story.tenant, "999888777666@lid").await, "Lídia");
}

/// An answer without its date, to be compared whole.
type Bytes = (u16, Vec<(String, String)>, Vec<u8>);

/// The answers to everything that a stranger could ask.
fn answers(app: &TestApp, headers: &[&str]) -> Vec<Bytes> {
    let bodies = [br#"{"userNumber": "971501234567"}"#.to_vec(), b"{".to_vec(), vec![b' '; 2_000_000]];
    let mut answers = Vec::new();
    for what in
        ["GET /contacts?limit=x", "GET /contacts/x", "POST /contacts", "PATCH /contacts/x", "POST /contacts/bulk"]
    {
        let (verb, path) = what.split_once(' ').unwrap();
        let what = format!("{verb} {BASE}{path}");
        let none = [Vec::new()];
        for body in if verb == "GET" { &none[..] } else { &bodies } {
            let headers = [headers, &["Content-Type: application/json"][..]].concat();
            answers.push(app.wire().ask(&what, &headers, body).unwrap().undated());
        }
    }
    answers
}

#[tokio::test(flavor = "multi_thread")]
async fn all_strangers_get_the_same_bytes() {
    let story = Story::begin().await;
    let [bearer, org] = story.headers();
    let other = story.app.instance().await;
    let (theirs, their_org) = (format!("Authorization: Bearer {}", other.token), format!("X-Org-Id: {}", other.id));
    let admin = format!("Authorization: Bearer {}", story.app.admin_token);
    let never = format!("Authorization: Bearer {}", wabook::gateway::AccessToken::random().reveal());
    let revoked = story.app.token(&story.tenant, json!({})).await;
    let path = format!("/v1/instances/{}/tokens/{}", story.tenant.id, text(&revoked["token_id"]));
    told(story.app.admin(Method::DELETE, &path, None).await, 204).await;
    let revoked = format!("Authorization: Bearer {}", text(&revoked["access_token"]));
    let basic = bearer.replace("Bearer", "Basic");
    let as_key = bearer.replace("Authorization: Bearer", "X-Api-Key:");
    let [bearer, org, theirs, their_org, admin, never, revoked, basic, as_key] =
        [&*bearer, &org, &theirs, &their_org, &admin, &never, &revoked, &basic, &as_key];

    let nothing = answers(&story.app, &[]);
    let (status, head, body) = nothing[0].clone();
    assert_eq!(status, 401);
    assert_eq!(assert_failure(&serde_json::from_slice(&body).unwrap()), "Unauthorized");
    assert!(head.iter().any(|(name, _)| name == "www-authenticate"));
    for headers in [
        &[][..],
        &[bearer],
        &[org],
        &[bearer, their_org],
        &[bearer, "X-Org-Id: nowhere"],
        &[bearer, "X-Org-Id:"],
        &[bearer, "X-Org-Id: .."],
        &[theirs, org],
        &[admin, org],
        &[never, org],
        &[revoked, org],
        &[basic, org],
        &[as_key, org],
        &["Authorization: Bearer", org],
        &["Authorization: Bearer garbage", org],
    ] {
        for answer in answers(&story.app, headers) {
            assert_eq!(answer, nothing[0], "{}", headers.len());
        }
    }
    assert_eq!((story.app.head(&story.tenant).await, story.app.head(&other).await), ((0, 0), (0, 0)));
    story.create(json!({"userNumber": "971501234567"})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_scope_is_named() {
    let story = Story::begin().await;
    let id = text(&story.create(json!({"userNumber": "971501234567"})).await["id"]);
    let (reader, writer) = (
        story.app.limited(&story.tenant, &["contacts:read"]).await,
        story.app.limited(&story.tenant, &["contacts:write"]).await,
    );
    let before = story.app.head(&story.tenant).await;
    let reader = Story { tenant: reader, ..story };
    assert_eq!(reader.list(&[]).await["total"], 1);
    assert_eq!(reader.show(&id).await["phone"], "+971501234567");
    // What is asked is not looked at.
    for (method, path) in
        [(Method::POST, "/contacts"), (Method::PATCH, &*format!("/contacts/{id}")), (Method::POST, "/contacts/bulk")]
    {
        let said = failure(reader.send(method, path, &json!([])).await, 403).await;
        assert!(said.contains("contacts:write"), "{said}");
    }
    let writer = Story { tenant: writer, ..reader };
    for path in ["/contacts?limit=x", &format!("/contacts/{id}")] {
        let said = failure(writer.request(Method::GET, path).send().await.unwrap(), 403).await;
        assert!(said.contains("contacts:read"), "{said}");
    }
    assert_eq!(writer.app.head(&writer.tenant).await, before);
    assert_eq!(writer.update(&id, json!({"name": "Ahmed"})).await["name"], "Ahmed");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rate_limit_comes_after_the_credentials_and_before_the_scope() {
    let folder = tempfile::TempDir::new().unwrap();
    let app = TestApp::start_with(folder, |config| config.limits.requests_per_minute = 2).await;
    let tenant = app.instance().await;
    let reader = app.limited(&tenant, &["contacts:read"]).await;
    let story = Story { app, tenant: reader };
    let nothing = json!({});
    let ask = || story.send(Method::POST, "/contacts", &nothing);
    failure(ask().await, 403).await;
    let second = ask().await;
    assert_eq!(second.headers()["x-ratelimit-remaining"], "0");
    failure(second, 403).await;
    let third = ask().await;
    let wait: u64 = third.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=30).contains(&wait), "{wait}");
    assert_eq!(failure(third, 429).await, "Rate limit exceeded");
    let stranger = Tenant { id: "nowhere".into(), ..story.tenant.clone() };
    let story = Story { tenant: stranger, ..story };
    let refused = story.send(Method::POST, "/contacts", &json!({})).await;
    assert!(!refused.headers().contains_key("x-ratelimit-limit"));
    assert_eq!(failure(refused, 401).await, "Unauthorized");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_book_is_an_empty_list() {
    let story = Story::begin().await;
    let all = data(story.request(Method::GET, "/contacts").send().await.unwrap(), 200).await;
    assert_eq!(all, json!({"contacts": [], "total": 0, "page": 1, "limit": 20, "hasNext": false}));
}
