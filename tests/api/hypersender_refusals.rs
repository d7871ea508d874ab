//! What Hypersender's room refuses: Laravel's shapes, nothing written, nothing repeated of the input, and nothing told to
//! strangers.

use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    shared::wire::Answer,
    support::{Tenant, TestApp, text, told},
};

const JSON: &str = "Content-Type: application/json";

fn upsert(app: &TestApp, tenant: &Tenant, headers: &[&str], body: &[u8]) -> Answer {
    let bearer = format!("Authorization: Bearer {}", tenant.token);
    let what = format!("POST /api/whatsapp/v2/{}/contacts/upsert", tenant.id);
    app.wire().ask(&what, &[&[bearer.as_str()], headers].concat(), body).unwrap()
}

fn read(app: &TestApp, tenant: &Tenant, what: &str) -> Answer {
    let bearer = format!("Authorization: Bearer {}", tenant.token);
    app.wire().ask(&format!("GET /api/whatsapp/v2/{}/contacts/{what}", tenant.id), &[&bearer], b"").unwrap()
}

/// A sentence, and nothing else.
fn assert_message(body: &Value) {
    assert_eq!(body.as_object().unwrap().keys().collect::<Vec<_>>(), ["message"], "{body}");
    assert!(text(&body["message"]).ends_with('.'), "{body}");
}

/// The sentence, and the same under the field.
fn assert_wrong_field(body: &Value, field: &str, message: Option<&str>) {
    let told = text(&body["message"]);
    assert!(told.starts_with(&format!("The {} field ", field.replace('_', " "))) && told.ends_with('.'), "{told}");
    if let Some(message) = message {
        assert_eq!(told, message);
    }
    assert_eq!(*body, json!({"message": told, "errors": {field: [told]}}));
}

#[rstest]
#[case::nobody(json!({"first_name": "Zebulon"}), "chat_id", Some("The chat id field is required."))]
#[case::a_null_id(json!({"chat_id": null, "first_name": "Zebulon"}), "chat_id", Some("The chat id field is required."))]
#[case::an_empty_id(json!({"chat_id": "", "first_name": "Zebulon"}), "chat_id", Some("The chat id field is required."))]
#[case::nothing(json!({}), "chat_id", Some("The chat id field is required."))]
#[case::a_number_for_an_id(json!({"chat_id": 201000000001_u64, "first_name": "Zebulon"}), "chat_id", Some("The chat id field must be a string."))]
#[case::an_array_for_an_id(json!({"chat_id": ["201000000001"], "first_name": "Zebulon"}), "chat_id", Some("The chat id field must be a string."))]
#[case::a_short_id(json!({"chat_id": "12", "first_name": "Zebulon"}), "chat_id", None)]
#[case::a_group(json!({"chat_id": "120363025246125486@g.us", "first_name": "Zebulon"}), "chat_id", None)]
#[case::words(json!({"chat_id": "zebulon", "first_name": "Zebulon"}), "chat_id", None)]
#[case::no_first_name(json!({"chat_id": "456"}), "first_name", Some("The first name field is required."))]
#[case::a_last_name_alone(json!({"chat_id": "456", "last_name": "Quagmire"}), "first_name", Some("The first name field is required."))]
#[case::a_null_first_name(json!({"chat_id": "456", "first_name": null}), "first_name", Some("The first name field is required."))]
#[case::an_empty_first_name(json!({"chat_id": "456", "first_name": ""}), "first_name", Some("The first name field is required."))]
#[case::a_blank_first_name(json!({"chat_id": "456", "first_name": " \u{a0}"}), "first_name", Some("The first name field is required."))]
#[case::a_number_for_a_name(json!({"chat_id": "456", "first_name": 7}), "first_name", Some("The first name field must be a string."))]
#[case::a_bool_for_a_last_name(json!({"chat_id": "456", "first_name": "Zebulon", "last_name": true}), "last_name", Some("The last name field must be a string."))]
#[case::a_first_name_too_long(json!({"chat_id": "456", "first_name": "é".repeat(256)}), "first_name", Some("The first name field must not be longer than 255 characters."))]
#[case::a_last_name_too_long(json!({"chat_id": "456", "first_name": "Zebulon", "last_name": "🌸".repeat(256)}), "last_name", Some("The last name field must not be longer than 255 characters."))]
#[case::a_newline(json!({"chat_id": "456", "first_name": "Zebulon\nQuagmire"}), "first_name", None)]
#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_is_wrong(#[case] fields: Value, #[case] field: &str, #[case] message: Option<&str>) {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    let answer = upsert(&app, &tenant, &[JSON], fields.to_string().as_bytes());
    assert_eq!(answer.status, 422, "{}", answer.text());
    assert_wrong_field(&answer.json(), field, message);
    let told = answer.text().to_lowercase();
    assert!(!told.contains("zebulon") && !told.contains("201000000001"), "{told}");
    assert_eq!(app.head(&tenant).await, (0, 0));
}

#[rstest]
#[case::words(&[JSON], b"Zebulon", 400)]
#[case::a_trailing_comma(&[JSON], br#"{"chat_id": "456",}"#, 400)]
#[case::an_array(&[JSON], br#"["456", "Zebulon", null]"#, 400)]
#[case::null(&[JSON], b"null", 400)]
#[case::invalid_utf8(&[JSON], b"{\"chat_id\": \"456\", \"first_name\": \"Zebulon \xff\"}", 400)]
#[case::nested_ten_thousand_deep(&[JSON], b"[".repeat(10_000), 400)]
#[case::ten_megabytes(&[JSON], b" ".repeat(10_000_000), 413)]
#[case::a_form(&["Content-Type: application/x-www-form-urlencoded"], b"chat_id=456&first_name=Zebulon", 415)]
#[case::text(&["Content-Type: text/plain"], br#"{"chat_id": "456", "first_name": "Zebulon"}"#, 415)]
#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_wrong(#[case] headers: &[&str], #[case] body: impl AsRef<[u8]>, #[case] status: u16) {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    let answer = upsert(&app, &tenant, headers, body.as_ref());
    assert_eq!(answer.status, status, "{}", answer.text());
    assert_message(&answer.json());
    assert_eq!(app.head(&tenant).await, (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_nested_ten_thousand_deep() {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    let body = |fields: &str, open: &str, close: &str| {
        format!("{{{fields}{}1{}}}", open.repeat(10_000), close.repeat(10_000)).into_bytes()
    };
    for (open, close) in [("[", "]"), (r#"{"chat_id":"#, "}")] {
        let answer = upsert(&app, &tenant, &[JSON], &body(r#""chat_id":"#, open, close));
        assert_eq!(answer.status, 422);
        assert_wrong_field(&answer.json(), "chat_id", Some("The chat id field must be a string."));
        let answer = upsert(&app, &tenant, &[JSON], &body(r#""chat_id":"456","first_name":"#, open, close));
        assert_eq!(answer.status, 422);
        assert_wrong_field(&answer.json(), "first_name", Some("The first name field must be a string."));
        assert_eq!(app.head(&tenant).await, (0, 0));
    }
    // Under a name that nobody knows it is passed over like anything else.
    let answer = upsert(&app, &tenant, &[JSON], &body(r#""chat_id":"456","first_name":"Ann","x":"#, "[", "]"));
    assert_eq!((answer.status, app.head(&tenant).await), (200, (1, 1)));
}

#[rstest]
#[case("get", "chat_id", Some("The chat id field is required."))]
#[case("get?chat_id=", "chat_id", Some("The chat id field is required."))]
#[case("get?chat_id=12", "chat_id", None)]
#[case("get?chat_id=120363025246125486@g.us", "chat_id", None)]
#[case("get-all?limit=0", "limit", None)]
#[case("get-all?limit=1001", "limit", Some("The limit field must be a whole number, from 1 to 1000."))]
#[case("get-all?limit=ten", "limit", None)]
#[case("get-all?offset=-1", "offset", None)]
#[case("get-all?sort_by=phone", "sort_by", Some("The sort by field must be name or id."))]
#[case("get-all?sort_order=up", "sort_order", Some("The sort order field must be asc or desc."))]
#[tokio::test(flavor = "multi_thread")]
async fn a_read_that_cannot_be(#[case] what: &str, #[case] field: &str, #[case] message: Option<&str>) {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    let answer = read(&app, &tenant, what);
    assert_eq!(answer.status, 422, "{}", answer.text());
    assert_wrong_field(&answer.json(), field, message);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_strangers_get_the_same_bytes() {
    let app = TestApp::start().await;
    let (ours, theirs) = (app.instance().await, app.instance().await);
    let own = |token: &str| Tenant { id: ours.id.clone(), token: token.to_owned() };
    let strangers = [
        ("garbage", own("garbage")),
        ("an empty token", own("")),
        ("an expired token", app.expired(&ours).await),
        ("a foreign token", own(&theirs.token)),
        ("the admin token", own(&app.admin_token)),
        ("a good token, a foreign instance", Tenant { id: theirs.id.clone(), token: ours.token.clone() }),
        ("a good token, an unknown instance", Tenant { id: "nowhere".into(), token: ours.token.clone() }),
        ("a good token, an impossible instance", Tenant { id: "a.b".into(), token: ours.token.clone() }),
        ("nothing right at all", Tenant { id: "nowhere".into(), token: "garbage".into() }),
    ];
    let path = format!("/api/whatsapp/v2/{}/contacts", ours.id);
    let missing = app.wire().get(&format!("{path}/get?chat_id=123")).unwrap();
    assert_eq!((missing.status, missing.text()), (401, r#"{"message":"Unauthenticated."}"#.to_owned()));
    assert_eq!(missing.header("www-authenticate"), Some("Bearer"));
    let expected = missing.undated();
    for (who, stranger) in &strangers {
        for body in [&br#"{"chat_id": "456", "first_name": "Zebulon"}"#[..], b"{}", b"Zebulon"] {
            assert_eq!(upsert(&app, stranger, &[JSON], body).undated(), expected, "{who}");
        }
        for what in ["get?chat_id=456", "get", "get-all", "get-all?limit=x"] {
            assert_eq!(read(&app, stranger, what).undated(), expected, "{who}: {what}");
        }
    }
    let key = format!("X-Api-Key: {}", ours.token);
    let by_key = app.wire().ask(&format!("GET {path}/get-all"), &[&key], b"").unwrap();
    assert_eq!(by_key.undated(), expected, "the path chooses the dialect, not a header");
    assert_eq!((app.head(&ours).await, app.head(&theirs).await), ((0, 0), (0, 0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_scope_is_named() {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    let reader = app.limited(&tenant, &["contacts:read"]).await;
    let writer = app.limited(&tenant, &["contacts:write"]).await;
    let body = br#"{"chat_id": "456", "first_name": "Ann"}"#;
    for (answer, scope) in [
        (upsert(&app, &reader, &[JSON], body), "contacts:write"),
        (read(&app, &writer, "get?chat_id=456"), "contacts:read"),
        (read(&app, &writer, "get-all"), "contacts:read"),
    ] {
        assert_eq!(answer.status, 403);
        assert_message(&answer.json());
        assert!(answer.text().contains(scope), "{}", answer.text());
    }
    assert_eq!(app.head(&tenant).await, (0, 0));
    assert_eq!(upsert(&app, &writer, &[JSON], body).status, 200);
    assert_eq!(read(&app, &reader, "get?chat_id=456").status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_attempts() {
    let app = TestApp::start_limited(TempDir::new().unwrap(), 2).await;
    let tenant = app.instance().await;
    let answers: Vec<_> = (0..3).map(|_| read(&app, &tenant, "get-all")).collect();
    assert_eq!(answers[0].status, 200);
    let refused = answers.iter().find(|answer| answer.status == 429).expect("the third is one too many");
    assert_eq!(refused.text(), r#"{"message":"Too Many Attempts."}"#);
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    assert_eq!(refused.header("x-ratelimit-remaining"), Some("0"));
}

#[rstest]
#[case(Method::GET, "upsert", 405, Some("POST"))]
#[case(Method::PUT, "upsert", 405, Some("POST"))]
#[case(Method::POST, "get", 405, Some("GET"))]
#[case(Method::DELETE, "get-all", 405, Some("GET"))]
#[case(Method::GET, "nothing", 404, None)]
#[case(Method::GET, "", 404, None)]
#[tokio::test(flavor = "multi_thread")]
async fn a_place_or_verb_that_is_none(
    #[case] method: Method,
    #[case] what: &str,
    #[case] status: u16,
    #[case] allow: Option<&str>,
) {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    let path = format!("/api/whatsapp/v2/{}/contacts/{what}", tenant.id);
    let answer = app.request(method, &path).bearer_auth(&tenant.token).json(&json!({"chat_id": "456"})).send().await;
    let answer = answer.unwrap();
    assert_eq!(answer.headers().get("allow").map(|allow| allow.to_str().unwrap()), allow);
    assert_message(&told(answer, status).await);
}
