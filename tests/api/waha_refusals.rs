//! What WAHA's room refuses: Nest's shape, nothing written, nothing repeated of the input, and nothing told to strangers.

use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    shared::wire::Answer,
    support::{Tenant, TestApp, assert_wawp_error, text, told},
};

const JSON: &str = "Content-Type: application/json";

fn ask(app: &TestApp, tenant: &Tenant, what: &str, headers: &[&str], body: &[u8]) -> Answer {
    let key = format!("X-Api-Key: {}", tenant.token);
    app.wire().ask(what, &[&[key.as_str()], headers].concat(), body).unwrap()
}

/// The three routes that write, each with a body that it would take.
const WRITES: [(&str, &[u8]); 3] = [
    ("PUT /api/default/contacts/456", br#"{"firstName": "Zebulon"}"#),
    ("POST /api/contacts/block", br#"{"contactId": "456", "session": "default"}"#),
    ("POST /api/contacts/unblock", br#"{"contactId": "456"}"#),
];

fn deep() -> Vec<u8> {
    [b"[".repeat(10_000), b"]".repeat(10_000)].concat()
}

#[rstest]
#[case::words(&[JSON], b"Zebulon", 400)]
#[case::a_trailing_comma(&[JSON], br#"{"firstName": "Zebulon", "contactId": "456",}"#, 400)]
#[case::an_array(&[JSON], br#"["456", "Zebulon"]"#, 400)]
#[case::null(&[JSON], b"null", 400)]
#[case::invalid_utf8(&[JSON], b"{\"contactId\": \"456\", \"firstName\": \"Zebulon \xff\"}", 400)]
#[case::nested_ten_thousand_deep(&[JSON], [br#"{"contactId":"#.to_vec(), deep(), br#","firstName":"#.to_vec(), deep(), b"}".to_vec()].concat(), 400)]
#[case::ten_megabytes(&[JSON], b" ".repeat(10_000_000), 413)]
#[case::a_form(&["Content-Type: application/x-www-form-urlencoded"], b"contactId=456&firstName=Zebulon", 415)]
#[case::an_id_of_another_instance(&[JSON], br#"{"contactId": "456", "session": "theirs"}"#, 401)]
#[case::a_session_that_is_no_text(&[JSON], br#"{"contactId": "456", "session": 7}"#, 400)]
#[case::an_id_that_is_no_text(&[JSON], br#"{"contactId": 456}"#, 400)]
#[case::a_null_id(&[JSON], br#"{"contactId": null}"#, 400)]
#[case::an_empty_id(&[JSON], br#"{"contactId": ""}"#, 400)]
#[case::a_group(&[JSON], br#"{"contactId": "120363025246125486@g.us"}"#, 400)]
#[case::nothing(&[JSON], b"{}", 400)]
#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_wrong(#[case] headers: &[&str], #[case] body: impl AsRef<[u8]>, #[case] status: u16) {
    let app = TestApp::start().await;
    let (tenant, theirs) = (app.named_instance("ours").await, app.named_instance("theirs").await);
    for (what, _) in WRITES {
        // An id and a session have no place in the body of a rename, so nothing about them is wrong there.
        let is_about_block = String::from_utf8_lossy(body.as_ref()).contains("contactId") || body.as_ref() == b"{}";
        if what.starts_with("PUT") && is_about_block && !String::from_utf8_lossy(body.as_ref()).contains("firstName") {
            continue;
        }
        let answer = ask(&app, &tenant, what, headers, body.as_ref());
        assert_eq!(answer.status, status, "{what}: {}", answer.text());
        if status != 401 {
            assert_wawp_error(&answer.json(), status);
        }
        assert!(!answer.text().contains("Zebulon"), "{}", answer.text());
    }
    assert_eq!((app.head(&tenant).await, app.head(&theirs).await), ((0, 0), (0, 0)));
}

#[rstest]
#[case::a_number_for_a_first_name(json!({"firstName": 7}), "firstName")]
#[case::an_object_for_a_last_name(json!({"firstName": "Zebulon", "lastName": {"a": 1}}), "lastName")]
#[case::a_first_name_too_long(json!({"firstName": "é".repeat(256)}), "firstName")]
#[case::a_last_name_too_long(json!({"firstName": "Zebulon", "lastName": "🌸".repeat(256)}), "lastName")]
#[case::a_newline(json!({"firstName": "Zebulon\nQuagmire"}), "firstName")]
#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_wrong(#[case] names: Value, #[case] field: &str) {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    let answer = ask(&app, &tenant, "PUT /api/default/contacts/456", &[JSON], names.to_string().as_bytes());
    assert_wawp_error(&answer.json(), 400);
    assert!(text(&answer.json()["message"]).starts_with(field), "{}", answer.text());
    assert!(!answer.text().contains("Zebulon"), "{}", answer.text());
    assert_eq!(app.head(&tenant).await, (0, 0));
}

#[rstest]
#[case("GET /api/contacts", "contactId")]
#[case("GET /api/contacts?contactId=bob", "contactId")]
#[case("GET /api/contacts?contactId=120363025246125486@g.us", "contactId")]
#[case("GET /api/contacts/about", "contactId")]
#[case("GET /api/contacts/profile-picture?refresh=true", "contactId")]
#[case("GET /api/contacts/profile-picture?contactId=123&refresh=perhaps", "refresh")]
#[case("GET /api/contacts/check-exists", "phone")]
#[case("GET /api/contacts/check-exists?phone=123@lid", "phone")]
#[case("GET /api/contacts/check-exists?phone=0015551234567", "phone")]
#[case("GET /api/contacts/all?limit=0", "limit")]
#[case("GET /api/contacts/all?limit=ten", "limit")]
#[case("GET /api/contacts/all?offset=-1", "offset")]
#[case("GET /api/contacts/all?sortBy=phone", "sortBy")]
#[case("GET /api/contacts/all?sortOrder=up", "sortOrder")]
#[case("GET /api/default/contacts/bob", "id")]
#[case("PUT /api/default/contacts/bob", "id")]
#[case("GET /api/default/lids?limit=-1", "limit")]
#[case("GET /api/default/lids/pn/bob", "phoneNumber")]
#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_cannot_be(#[case] what: &str, #[case] field: &str) {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    let answer = ask(&app, &tenant, what, &[], b"");
    assert_eq!(answer.status, 400, "{}", answer.text());
    assert_wawp_error(&answer.json(), 400);
    assert!(text(&answer.json()["message"]).starts_with(field), "{}", answer.text());
    assert_eq!(app.head(&tenant).await, (0, 0));
}

/// Every route, with the session where it names one.
fn routes(session: &str) -> Vec<(String, Vec<u8>)> {
    let gets = [
        format!("contacts?contactId=456&session={session}"),
        format!("contacts/all?session={session}"),
        format!("contacts/all?session={session}&limit=x"),
        format!("contacts/check-exists?phone=456&session={session}"),
        format!("contacts/about?contactId=456&session={session}"),
        format!("contacts/profile-picture?contactId=bob&session={session}"),
        format!("sessions/{session}"),
        format!("{session}/contacts/456"),
        format!("{session}/contacts/bob"),
        format!("{session}/lids"),
        format!("{session}/lids/count"),
        format!("{session}/lids/pn/456"),
        format!("{session}/lids/bob"),
    ];
    let block = format!(r#"{{"contactId": "456", "session": "{session}"}}"#).into_bytes();
    let mut routes: Vec<_> = gets.iter().map(|path| (format!("GET /api/{path}"), Vec::new())).collect();
    routes.extend([
        (format!("PUT /api/{session}/contacts/456"), br#"{"firstName": "Zebulon"}"#.to_vec()),
        (format!("PUT /api/{session}/contacts/bob"), b"Zebulon".to_vec()),
        ("POST /api/contacts/block".to_owned(), block.clone()),
        ("POST /api/contacts/unblock".to_owned(), block),
        (format!("POST /api/contacts/block?session={session}"), b"Zebulon".to_vec()),
    ]);
    routes
}

#[tokio::test(flavor = "multi_thread")]
async fn all_strangers_get_the_same_bytes() {
    let app = TestApp::start().await;
    let (ours, theirs) = (app.named_instance("ours").await, app.named_instance("theirs").await);
    let own = |token: &str| Tenant { id: "ours".into(), token: token.to_owned() };
    let missing = app.wire().get("/api/sessions").unwrap();
    assert_eq!((missing.status, missing.json()), (401, json!({"message": "Unauthorized", "statusCode": 401})));
    assert!(missing.header("www-authenticate").is_some());
    let expected = missing.undated();

    for token in ["garbage".to_owned(), String::new(), app.expired(&ours).await.token, app.admin_token.clone()] {
        for session in ["ours", "default", "nowhere"] {
            for (what, body) in routes(session) {
                assert_eq!(ask(&app, &own(&token), &what, &[JSON], &body).undated(), expected, "{what}");
            }
        }
    }
    for session in ["theirs", "nowhere", "a.b", "sessions", "Default", "OURS"] {
        for (what, body) in routes(session) {
            assert_eq!(ask(&app, &ours, &what, &[JSON], &body).undated(), expected, "{what}");
        }
    }
    let bearer = format!("Authorization: Bearer {}", ours.token);
    let by_bearer = app.wire().ask("GET /api/contacts/all", &[&bearer], b"").unwrap();
    assert_eq!(by_bearer.undated(), expected, "the path chooses the dialect, not a header");
    assert_eq!((app.head(&ours).await, app.head(&theirs).await), ((0, 0), (0, 0)));
    for (what, body) in WRITES {
        assert!(ask(&app, &ours, what, &[JSON], body).status < 300, "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_scope_is_named() {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    let reader = app.limited(&tenant, &["contacts:read"]).await;
    let writer = app.limited(&tenant, &["contacts:write"]).await;
    for (what, body) in WRITES {
        let refused = ask(&app, &reader, what, &[JSON], body);
        assert_wawp_error(&refused.json(), 403);
        assert!(refused.text().contains("contacts:write"), "{what}");
        assert!(ask(&app, &writer, what, &[JSON], body).status < 300, "{what}");
    }
    for path in ["contacts/all", "contacts?contactId=456", "default/contacts/456", "default/lids", "default/lids/count"]
    {
        let refused = ask(&app, &writer, &format!("GET /api/{path}"), &[], b"");
        assert_wawp_error(&refused.json(), 403);
        assert!(refused.text().contains("contacts:read"), "{path}");
        assert_eq!(ask(&app, &reader, &format!("GET /api/{path}"), &[], b"").status, 200, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_requests() {
    let app = TestApp::start_limited(TempDir::new().unwrap(), 2).await;
    let tenant = app.instance().await;
    let answers: Vec<_> = (0..3).map(|_| ask(&app, &tenant, "GET /api/contacts/all", &[], b"")).collect();
    assert_eq!(answers[0].status, 200);
    let refused = answers.iter().find(|answer| answer.status == 429).expect("the third is one too many");
    assert_wawp_error(&refused.json(), 429);
    assert!(refused.header("retry-after").is_some());
}

#[rstest]
#[case(Method::POST, "contacts/all", 405, Some("GET"))]
#[case(Method::GET, "contacts/block", 405, Some("POST"))]
#[case(Method::POST, "contacts", 405, Some("GET"))]
#[case(Method::POST, "sessions", 405, Some("GET"))]
#[case(Method::DELETE, "sessions/default", 405, Some("GET"))]
#[case(Method::DELETE, "default/contacts/456", 405, Some("GET, PUT"))]
#[case(Method::PUT, "default/lids/count", 405, Some("GET"))]
#[case(Method::GET, "nothing", 404, None)]
#[case(Method::GET, "default/chats", 404, None)]
#[case(Method::GET, "", 404, None)]
#[tokio::test(flavor = "multi_thread")]
async fn a_place_or_verb_that_is_none(
    #[case] method: Method,
    #[case] path: &str,
    #[case] status: u16,
    #[case] allow: Option<&str>,
) {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    let answer = app.waha_request(&tenant, method, &format!("/{path}")).json(&json!({"contactId": "456"})).send().await;
    let answer = answer.unwrap();
    assert_eq!(answer.headers().get("allow").map(|allow| allow.to_str().unwrap()), allow);
    assert_wawp_error(&told(answer, status).await, status);
}
