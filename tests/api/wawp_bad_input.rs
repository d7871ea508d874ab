//! What Wawp's room refuses: each answer has the vendor's shape and a sentence for a person, repeats nothing of the
//! input, writes nothing, and leaves the connection, the very same one, usable.

use rstest::rstest;
use serde_json::json;

use crate::{
    shared::wire::{Answer, Wire},
    support::{Tenant, TestApp, assert_wawp_error},
};

const JSON: &str = "Content-Type: application/json";
/// As in config.toml.
const LIMIT: usize = 1 << 20;

/// An instance with one contact, and one connection on which good and bad requests take turns.
struct Story {
    app: TestApp,
    tenant: Tenant,
    wire: Wire,
}

impl Story {
    async fn begin() -> Self {
        let app = TestApp::start().await;
        let tenant = app.instance().await;
        app.save(&tenant, "123@c.us", "Bob", "Smith").await;
        let wire = app.wire();
        Self { app, tenant, wire }
    }

    fn target(&self) -> String {
        format!("POST /v2/contacts/update?{}", self.tenant.in_query())
    }

    /// Sends what must be refused with this status, and looks at all that must be true then.
    async fn refused(&mut self, what: &str, headers: &[&str], body: &[u8], status: u16) -> Answer {
        let answer = self.wire.ask(what, headers, body).unwrap();
        assert_eq!(answer.status, status, "{}", answer.text());
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_wawp_error(&answer.json(), status);
        for word in ["zebulon", "quagmire", "passwd", "201000000001", "0049170123456", "\u{fffd}", &self.tenant.token] {
            assert!(!answer.text().to_lowercase().contains(&word.to_lowercase()), "{}", answer.text());
        }
        self.is_unharmed().await;
        answer
    }

    /// Nothing was written, and the same connection still saves and reads.
    async fn is_unharmed(&mut self) {
        assert_eq!(self.app.head(&self.tenant).await, (1, 1));
        let target = format!("/v2/contacts/update?{}", self.tenant.in_query());
        let fields = json!({"chatId": "123@c.us", "firstName": "Bob", "lastName": "Smith"});
        let again = self.wire.post(&target, &fields).unwrap();
        assert_eq!((again.status, again.text()), (200, r#"{"ok": true}"#.to_owned()));
        let read = self.wire.get(&format!("/v2/contacts?{}&contactId=123@c.us", self.tenant.in_query())).unwrap();
        assert_eq!(read.json()["name"], "Bob Smith");
        assert_eq!(self.app.head(&self.tenant).await, (1, 1));
    }
}

fn nested(depth: usize, open: &str, middle: &str, close: &str) -> Vec<u8> {
    [open.repeat(depth).as_str(), middle, close.repeat(depth).as_str()].concat().into_bytes()
}

#[rstest]
#[case::words(b"Zebulon Quagmire")]
#[case::single_quotes(b"{'chatId': '201000000001@c.us'}")]
#[case::a_trailing_comma(br#"{"chatId": "201000000001@c.us",}"#)]
#[case::cut_off_in_a_value(br#"{"chatId": "201000000001@c.us", "firstName": "Zebu"#)]
#[case::cut_off_after_a_value(br#"{"chatId": "201000000001@c.us""#)]
#[case::two_objects(br#"{"chatId": "201000000001@c.us"} {"chatId": "201000000001@c.us"}"#)]
#[case::a_form(b"chatId=201000000001%40c.us&firstName=Zebulon")]
#[case::an_array(b"[]")]
#[case::an_array_of_the_fields_in_order(br#"[null, null, "201000000001@c.us", null, "Zebulon", "Quagmire"]"#)]
#[case::an_array_of_objects(br#"[{"chatId": "201000000001@c.us", "firstName": "Zebulon"}]"#)]
#[case::a_string(br#""201000000001@c.us""#)]
#[case::a_number(b"201000000001")]
#[case::null(b"null")]
#[case::blank(b"  \r\n ")]
#[case::a_key_twice(br#"{"chatId": "201000000001@c.us", "firstName": "Zebulon", "chatId": "456@c.us"}"#)]
#[case::invalid_utf8_in_a_name(b"{\"chatId\": \"201000000001@c.us\", \"firstName\": \"Zebulon \xff\"}")]
#[case::invalid_utf8_in_a_key(b"{\"chatId\": \"201000000001@c.us\", \"\xc3\x28\": \"Zebulon\"}")]
#[case::half_a_surrogate(br#"{"chatId": "201000000001@c.us", "firstName": "\ud83c Zebulon"}"#)]
#[case::utf16(b"\xff\xfe{\0\"\0c\0h\0a\0t\0I\0d\0\"\0:\0\"\0a\0\"\0}\0")]
#[case::a_raw_newline_in_a_name(b"{\"chatId\": \"201000000001@c.us\", \"firstName\": \"Zebulon\nQuagmire\"}")]
#[case::zeros(&[0; 64])]
#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_no_json_object(#[case] body: &[u8]) {
    let mut story = Story::begin().await;
    story.refused(&story.target(), &[JSON], body, 400).await;
}

#[rstest]
#[case::nobody(json!({"firstName": "Zebulon"}), "chatId")]
#[case::nobody_at_all(json!({}), "chatId")]
#[case::a_null_id(json!({"chatId": null, "firstName": "Zebulon"}), "chatId")]
#[case::a_number_for_an_id(json!({"chatId": 201000000001_u64}), "chatId")]
#[case::a_fraction_for_an_id(json!({"chatId": 1.5}), "chatId")]
#[case::a_bool_for_an_id(json!({"chatId": true}), "chatId")]
#[case::an_array_for_an_id(json!({"chatId": ["201000000001@c.us"]}), "chatId")]
#[case::an_object_for_an_id(json!({"chatId": {"_serialized": "201000000001@c.us"}}), "chatId")]
#[case::a_number_for_a_first_name(json!({"chatId": "456@c.us", "firstName": 7}), "firstName")]
#[case::a_number_for_a_last_name(json!({"chatId": "456@c.us", "firstName": "Zebulon", "lastName": 7}), "lastName")]
#[case::a_bool_for_a_name(json!({"chatId": "456@c.us", "firstName": false}), "firstName")]
#[case::an_object_for_a_name(json!({"chatId": "456@c.us", "lastName": {"first": "Zebulon"}}), "lastName")]
#[case::a_first_name_too_long(json!({"chatId": "456@c.us", "firstName": "é".repeat(256)}), "firstName")]
#[case::a_last_name_too_long(json!({"chatId": "456@c.us", "lastName": "🌸".repeat(256)}), "lastName")]
#[case::a_newline(json!({"chatId": "456@c.us", "firstName": "Zebulon\nQuagmire"}), "firstName")]
#[case::a_nul(json!({"chatId": "456@c.us", "lastName": "\u{0}"}), "lastName")]
#[case::an_escape(json!({"chatId": "456@c.us", "lastName": "\u{1b}[31mQuagmire"}), "lastName")]
#[case::a_delete(json!({"chatId": "456@c.us", "firstName": "\u{7f}"}), "firstName")]
#[case::a_c1_control(json!({"chatId": "456@c.us", "firstName": "\u{85}"}), "firstName")]
#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_is_wrong(#[case] fields: serde_json::Value, #[case] field: &str) {
    let mut story = Story::begin().await;
    let answer = story.refused(&story.target(), &[JSON], fields.to_string().as_bytes(), 400).await;
    let message = answer.json()["message"].as_str().unwrap().to_owned();
    assert!(message.starts_with(field), "{message}");
}

#[rstest]
#[case::number_for_instance("instance_id")]
#[case::number_for_token("access_token")]
#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_are_no_text(#[case] field: &str) {
    let mut story = Story::begin().await;
    let mut body = story.tenant.body(json!({"chatId": "456@c.us"}));
    body[field] = 7.into();
    story.refused("POST /v2/contacts/update", &[JSON], body.to_string().as_bytes(), 400).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_invalid_chat_id() {
    let mut story = Story::begin().await;
    for (id, why) in [
        ("", "empty"),
        ("   ", "empty"),
        ("+", "digits"),
        ("@c.us", "digits"),
        ("@lid", "digits"),
        ("null@c.us", "not a number"),
        ("undefined", "not a number"),
        ("12ab34", "not a number"),
        ("../../etc/passwd", "not a number"),
        ("12", "too short"),
        ("12@c.us", "too short"),
        ("12@lid", "too short"),
        ("1234567890123456", "too long"),
        ("1234567890123456@c.us", "too long"),
        ("123456789012345678901@lid", "too long"),
        ("0049170123456", "begins with 00"),
        ("0170123456@c.us", "begins with 0"),
        ("120363025246125486@g.us", "group"),
        ("status@broadcast", "broadcast"),
        ("120363144038483540@newsletter", "newsletter"),
        ("201000000001@example.com", "unknown server"),
        ("201000000001@C.US", "unknown server"),
        ("201000000001@", "unknown server"),
        ("1@2@c.us", "unknown server"),
        ("++201000000001", "not a number"),
        ("201000000001\n", "not a number"),
        ("201000000001\u{0}", "not a number"),
        ("201000000001:x@c.us", "not a number"),
        ("٢٠١٠٠٠٠٠٠٠٠١", "not a number"),
        ("201000000001'; DROP TABLE contact; --", "not a number"),
    ] {
        let fields = json!({"chatId": id, "firstName": "Zebulon", "lastName": "Quagmire"});
        let answer = story.refused(&story.target(), &[JSON], fields.to_string().as_bytes(), 400).await;
        let message = answer.json()["message"].as_str().unwrap().to_owned();
        assert!(message.starts_with("chatId ") && message.contains(why), "{id:?}: {message}");
        assert!(message.contains("accepted are"), "{id:?}: {message}");
    }
}

#[rstest]
#[case::a_group("120363025246125486%40g.us")]
#[case::a_path("..%2F..%2Fetc%2Fpasswd")]
#[case::invalid_utf8("%FF%FE")]
#[case::a_nul("123%00")]
#[case::a_placeholder_without_a_query("{chatId}")]
#[tokio::test(flavor = "multi_thread")]
async fn a_chat_id_in_the_path_that_is_none(#[case] segment: &str) {
    let mut story = Story::begin().await;
    let target = format!("/v2/contacts/{segment}?{}&firstName=Zebulon", story.tenant.in_query());
    story.refused(&format!("PUT {target}"), &[], b"", 400).await;
    story.refused(&format!("GET {target}"), &[], b"", 400).await;
}

#[rstest]
#[case::text("Content-Type: text/plain")]
#[case::text_in_utf8("Content-Type: text/plain;charset=UTF-8")]
#[case::a_form("Content-Type: application/x-www-form-urlencoded")]
#[case::parts("Content-Type: multipart/form-data; boundary=x")]
#[case::xml("Content-Type: application/xml")]
#[case::almost("Content-Type: application/jsonp")]
#[case::json_as_text("Content-Type: text/json")]
#[tokio::test(flavor = "multi_thread")]
async fn a_media_type_that_is_not_taken(#[case] media_type: &str) {
    let mut story = Story::begin().await;
    let body = br#"{"chatId": "201000000001@c.us", "firstName": "Zebulon"}"#;
    let answer = story.refused(&story.target(), &[media_type], body, 415).await;
    assert!(answer.text().contains("application/json"), "it says what is taken");
}

#[rstest]
#[case::none(&[])]
#[case::plain(&["Content-Type: application/json"])]
#[case::in_capitals(&["CONTENT-TYPE: Application/JSON"])]
#[case::with_a_charset(&["Content-Type: application/json; charset=utf-8"])]
#[case::a_json_of_some_kind(&["Content-Type: application/vnd.api+json"])]
#[tokio::test(flavor = "multi_thread")]
async fn a_media_type_that_is_taken_for_json(#[case] headers: &[&str]) {
    let mut story = Story::begin().await;
    let answer = story.wire.ask(&story.target(), headers, br#"{"chatId": "123", "firstName": "Rob"}"#).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(story.app.name(&story.tenant, "123").await, "Rob");
}

fn padded(length: usize) -> Vec<u8> {
    let mut body = br#"{"chatId": "123@c.us", "firstName": "Bob", "lastName": "Smith"}"#.to_vec();
    body.resize(length, b' ');
    body
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_up_to_the_limit_is_taken() {
    let mut story = Story::begin().await;
    let answer = story.wire.ask(&story.target(), &[JSON], &padded(LIMIT)).unwrap();
    assert_eq!(answer.status, 200);
}

#[rstest]
#[case::by_one_byte(LIMIT + 1)]
#[case::by_far(10_000_000)]
#[tokio::test(flavor = "multi_thread")]
async fn a_body_beyond_the_limit(#[case] length: usize) {
    let mut story = Story::begin().await;
    let answer = story.refused(&story.target(), &[JSON], &padded(length), 413).await;
    assert!(answer.text().contains("1048576"), "it says the limit");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_not_worth_reading_to_its_end_costs_the_connection_and_nothing_else() {
    let mut story = Story::begin().await;
    let (mut other, target) = (story.app.wire(), story.target());
    // The server closes while this is being sent, so the answer may be lost on the way; it is never another one.
    if let Ok(answer) = other.ask(&target, &[JSON], &padded(40_000_000)) {
        assert_wawp_error(&answer.json(), 413);
    }
    story.is_unharmed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chunked_body_is_read_and_bounded_like_any_other() {
    let mut story = Story::begin().await;
    let head = format!("{} HTTP/1.1\r\nHost: x\r\n{JSON}\r\nTransfer-Encoding: chunked\r\n\r\n", story.target());
    story.wire.send(head.as_bytes()).unwrap();
    story.wire.send(b"a\r\n{\"chatId\":\r\n19\r\n\"123@c.us\",\"lastName\":\"\"}\r\n0\r\n\r\n").unwrap();
    let answer = story.wire.answer().unwrap();
    assert_eq!((answer.status, story.app.name(&story.tenant, "123").await), (200, json!("Bob")));

    story.wire.send(head.as_bytes()).unwrap();
    let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
    for _ in 0..20 {
        story.wire.send(chunk.as_bytes()).unwrap();
    }
    story.wire.send(b"0\r\n\r\n").unwrap();
    let answer = story.wire.answer().unwrap();
    assert_wawp_error(&answer.json(), 413);
    assert_eq!(story.wire.get("/healthz").unwrap().status, 200);
}

#[rstest]
#[case::arrays(nested(10_000, "[", "", "]"))]
#[case::arrays_that_never_close(nested(10_000, "[", "", ""))]
#[case::objects(nested(10_000, r#"{"chatId":"#, "1", "}"))]
#[case::objects_under_an_unknown_key(nested(10_000, r#"{"a":"#, "1", "}"))]
#[case::an_id_of_arrays([br#"{"chatId":"#.to_vec(), nested(10_000, "[", "", "]"), b"}".to_vec()].concat())]
#[case::a_name_of_objects([br#"{"chatId":"456","firstName":"#.to_vec(), nested(10_000, r#"{"a":"#, "1", "}"), b"}".to_vec()].concat())]
#[tokio::test(flavor = "multi_thread")]
async fn a_body_nested_ten_thousand_deep(#[case] body: Vec<u8>) {
    let mut story = Story::begin().await;
    story.refused(&story.target(), &[JSON], &body, 400).await;
}

#[rstest]
#[case("GET", "/v2/nothing")]
#[case("POST", "/v2")]
#[case("GET", "/v2/contacts/123/names")]
#[case("GET", "/v2/contacts/")]
#[case("POST", "/wp-json/awp/v1/send")]
#[tokio::test(flavor = "multi_thread")]
async fn a_route_that_is_none(#[case] method: &str, #[case] path: &str) {
    let mut story = Story::begin().await;
    let what = format!("{method} {path}?{}", story.tenant.in_query());
    story.refused(&what, &[], b"", 404).await;
    story.refused(&what, &[JSON], br#"{"chatId": "201000000001@c.us"}"#, 404).await;
}

#[rstest]
#[case("DELETE", "/v2/contacts/update", "POST, PUT")]
#[case("GET", "/v2/contacts/update", "POST, PUT")]
#[case("PATCH", "/v2/contacts/update", "POST, PUT")]
#[case("DELETE", "/v2/contacts/123@c.us", "GET, PUT")]
#[case("POST", "/v2/contacts/all", "GET")]
#[case("POST", "/v2/contacts", "GET")]
#[case("GET", "/v2/contacts/block", "POST")]
#[case("PUT", "/v2/lids/count", "GET")]
#[case("BREW", "/v2/contacts", "GET")]
#[tokio::test(flavor = "multi_thread")]
async fn a_verb_that_is_not_taken(#[case] method: &str, #[case] path: &str, #[case] allowed: &str) {
    let mut story = Story::begin().await;
    let what = format!("{method} {path}?{}", story.tenant.in_query());
    let body = br#"{"chatId": "201000000001@c.us", "firstName": "Zebulon"}"#;
    for body in [&b""[..], body] {
        let answer = story.refused(&what, &[JSON], body, 405).await;
        assert_eq!(answer.header("allow"), Some(allowed));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_body_at_a_wrong_place_is_answered() {
    let mut story = Story::begin().await;
    for (what, status) in [("POST /v2/nothing", 404), ("DELETE /v2/contacts/update", 405)] {
        let answer = story.app.wire().ask(what, &[JSON], &padded(200_000)).unwrap();
        assert_wawp_error(&answer.json(), status);
    }
    story.is_unharmed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_no_http_hurts_nobody_else() {
    let mut story = Story::begin().await;
    for garbage in
        [&b"\x16\x03\x01\x02\x00\x01\x00\x01"[..], b"Zebulon Quagmire\r\n\r\n", b"GET /v2 HTTP/1.1\r\nA\0: b\r\n\r\n"]
    {
        let mut other = story.app.wire();
        other.send(garbage).unwrap();
        let answer = other.answer();
        assert!(answer.is_err() || answer.is_ok_and(|answer| answer.status == 400));
        story.is_unharmed().await;
    }
}
