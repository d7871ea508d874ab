//! What SuperWABA's room refuses: each answer has the vendor's shape and a sentence for a person, repeats nothing of the
//! input, writes nothing, and leaves the connection, the very same one, usable.

use rstest::rstest;
use serde_json::{Value, json};

use crate::{
    shared::wire::{Answer, Wire},
    superwaba_story::{BASE, Story, assert_failure},
    support::text,
};

const JSON: &str = "Content-Type: application/json";

/// An instance with one contact, and one connection on which good and bad requests take turns.
struct Table {
    story: Story,
    wire: Wire,
    id: String,
    headers: [String; 2],
    before: Value,
}

/// The routes that write, with a body that would be right there.
const WRITES: [(&str, &str); 3] = [
    ("POST", r#"{"userNumber": "201000000001", "userName": "Zebulon"}"#),
    ("PATCH", r#"{"name": "Zebulon"}"#),
    ("BULK", r#"{"contacts": [{"userNumber": "201000000001", "userName": "Zebulon"}]}"#),
];

impl Table {
    async fn lay() -> Self {
        let story = Story::begin().await;
        let made = story.create(json!({"userNumber": "4930111", "userName": "Bob Smith", "tags": ["vip"]})).await;
        let id = text(&made["id"]);
        let before = story.show(&id).await;
        Self { wire: story.app.wire(), headers: story.headers(), id, story, before }
    }

    fn what(&self, route: &str) -> String {
        match route {
            "POST" => format!("POST {BASE}/contacts"),
            "PATCH" => format!("PATCH {BASE}/contacts/{}", self.id),
            "BULK" => format!("POST {BASE}/contacts/bulk"),
            what => what.to_owned(),
        }
    }

    /// Sends what must be refused with this status, and looks at all that must be true then.
    async fn refused(&mut self, route: &str, headers: &[&str], body: &[u8], status: u16) -> Answer {
        let what = self.what(route);
        let mut all: Vec<_> = self.headers.iter().map(String::as_str).collect();
        all.extend(headers);
        let answer = self.wire.ask(&what, &all, body).unwrap();
        assert_eq!(answer.status, status, "{what}: {}", answer.text());
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_failure(&answer.json());
        for word in ["zebulon", "quagmire", "passwd", "201000000001", "\u{fffd}", &self.story.tenant.token] {
            assert!(!answer.text().to_lowercase().contains(&word.to_lowercase()), "{what}: {}", answer.text());
        }
        self.is_unharmed().await;
        answer
    }

    /// Nothing was written, and the same connection still reads.
    async fn is_unharmed(&mut self) {
        assert_eq!(self.story.app.head(&self.story.tenant).await, (1, 1));
        let headers: Vec<_> = self.headers.iter().map(String::as_str).collect();
        let read = self.wire.ask(&format!("GET {BASE}/contacts/{}", self.id), &headers, b"").unwrap();
        assert_eq!(read.json()["data"], self.before);
    }
}

fn nested(depth: usize, open: &str, middle: &str, close: &str) -> Vec<u8> {
    [open.repeat(depth).as_str(), middle, close.repeat(depth).as_str()].concat().into_bytes()
}

#[rstest]
#[case::words(b"Zebulon Quagmire")]
#[case::single_quotes(b"{'userNumber': '201000000001'}")]
#[case::a_trailing_comma(br#"{"userNumber": "201000000001", "name": "Zebulon", "contacts": [],}"#)]
#[case::cut_off(br#"{"userNumber": "201000000001", "name": "Zebu"#)]
#[case::two_objects(br#"{"userNumber": "201000000001"} {"name": "Zebulon"}"#)]
#[case::a_form(b"userNumber=201000000001&name=Zebulon")]
#[case::an_array(b"[]")]
#[case::an_array_of_the_fields_in_order(br#"["201000000001", "Zebulon", null, null, null, null, null, null]"#)]
#[case::an_array_of_objects(br#"[{"userNumber": "201000000001", "name": "Zebulon"}]"#)]
#[case::a_string(br#""201000000001""#)]
#[case::a_number(b"201000000001")]
#[case::null(b"null")]
#[case::blank(b"  \r\n ")]
#[case::each_key_twice(br#"{"userNumber": "201000000001", "name": "Zebulon", "contacts": [], "userNumber": "2", "name": "Q", "contacts": []}"#)]
#[case::invalid_utf8(b"{\"userNumber\": \"201000000001\", \"name\": \"Zebulon \xff\", \"contacts\": [\"\xff\"]}")]
#[case::invalid_utf8_in_a_key(
    b"{\"userNumber\": \"201000000001\", \"name\": \"Zebulon\", \"\xc3\x28\": 1, \"contacts\": []}"
)]
#[case::a_raw_newline(b"{\"userNumber\": \"201000000001\", \"name\": \"Zebulon\nQuagmire\", \"contacts\": [\"\n\"]}")]
#[case::utf16(b"{\0\"\0n\0a\0m\0e\0\"\0:\0\"\x001\0\"\0}\0")]
#[case::zeros(&[0; 64])]
#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_no_json_object(#[case] body: &[u8]) {
    let mut table = Table::lay().await;
    for (route, _) in WRITES {
        table.refused(route, &[JSON], body, 400).await;
    }
}

#[rstest]
#[case::a_number_for_a_number("userNumber", json!(201000000001_u64))]
#[case::a_bool_for_a_number("userNumber", json!(true))]
#[case::an_array_for_a_number("userNumber", json!(["201000000001"]))]
#[case::a_lid("userNumber", json!("201000000001@lid"))]
#[case::a_group("userNumber", json!("120363025246125486@g.us"))]
#[case::words("userNumber", json!("Zebulon"))]
#[case::too_short("userNumber", json!("12"))]
#[case::too_long("userNumber", json!("1234567890123456"))]
#[case::with_zeros_before("userNumber", json!("00201000000001"))]
#[case::a_path("userNumber", json!("../../etc/passwd"))]
#[case::other_digits("userNumber", json!("٢٠١٠٠٠٠٠٠٠٠١"))]
#[case::a_number_for_a_name("userName", json!(7))]
#[case::an_object_for_a_name("userName", json!({"first": "Zebulon"}))]
#[case::too_long_a_name("userName", json!("é".repeat(256)))]
#[case::a_newline_in_a_name("userName", json!("Zebulon\nQuagmire"))]
#[case::a_nul_in_a_name("userName", json!("\u{0}"))]
#[case::an_escape_in_a_name("userName", json!("\u{1b}[31mZebulon"))]
#[tokio::test(flavor = "multi_thread")]
async fn a_field_of_a_creation_that_is_wrong(#[case] field: &str, #[case] value: Value) {
    let mut table = Table::lay().await;
    let mut fields = json!({"userNumber": "201000000001"});
    fields[field] = value;
    let answer = table.refused("POST", &[JSON], fields.to_string().as_bytes(), 400).await;
    let said = assert_failure(&answer.json());
    assert!(said.starts_with(field), "{said}");
}

/// The fields that a creation and a change both have, under both names.
#[rstest]
#[case::a_number_for_an_email("email", "email", json!(7))]
#[case::no_email("email", "email", json!("zebulon"))]
#[case::two_emails("email", "email", json!("zebulon@example.com, q@example.com"))]
#[case::too_long_an_email("email", "email", json!(format!("z@{}", "quagmire.".repeat(32))))]
#[case::a_bool_for_a_country("countryCode", "country_code", json!(false))]
#[case::a_country_of_three_letters("countryCode", "country_code", json!("ZZZ"))]
#[case::a_country_of_digits("countryCode", "country_code", json!("49"))]
#[case::a_country_beyond_ascii("countryCode", "country_code", json!("é"))]
#[case::text_for_tags("tags", "tags", json!("zebulon"))]
#[case::an_object_for_tags("tags", "tags", json!({"zebulon": true}))]
#[case::a_number_among_tags("tags", "tags", json!(["zebulon", 7]))]
#[case::null_among_tags("tags", "tags", json!(["zebulon", null]))]
#[case::tags_in_tags("tags", "tags", json!([["zebulon"]]))]
#[case::too_long_a_tag("tags", "tags", json!(["🌸".repeat(256)]))]
#[case::a_newline_in_a_tag("tags", "tags", json!(["zebulon\nquagmire"]))]
#[case::too_many_tags("tags", "tags", json!(vec!["zebulon"; 101]))]
#[case::text_for_params("params", "params", json!("zebulon"))]
#[case::an_array_for_params("params", "params", json!(["zebulon"]))]
#[case::too_many_params("params", "params", (0..101).map(|key| (key.to_string(), json!(1))).collect::<serde_json::Map<_, _>>().into())]
#[case::too_large_params("params", "params", json!({"zebulon": "x".repeat(64 * 1024)}))]
#[tokio::test(flavor = "multi_thread")]
async fn a_field_of_both_that_is_wrong(#[case] made: &str, #[case] changed: &str, #[case] value: Value) {
    let mut table = Table::lay().await;
    for (route, field, mut fields) in
        [("POST", made, json!({"userNumber": "201000000001"})), ("PATCH", changed, json!({"name": "Zebulon"}))]
    {
        fields[field] = value.clone();
        let answer = table.refused(route, &[JSON], fields.to_string().as_bytes(), 400).await;
        let said = assert_failure(&answer.json());
        assert!(said.starts_with(field), "{said}");
    }
}

#[rstest]
#[case("name", json!(7))]
#[case("name", json!(["Zebulon"]))]
#[case("name", json!("🌸".repeat(256)))]
#[case("name", json!("Zebulon\tQuagmire"))]
#[case("is_blocked", json!("true"))]
#[case("is_blocked", json!(1))]
#[case("opted_in", json!("yes"))]
#[case("opted_in", json!({}))]
#[case("source", json!(1))]
#[case("source", json!("z".repeat(256)))]
#[case("source", json!("Zebulon\u{7f}"))]
#[tokio::test(flavor = "multi_thread")]
async fn a_field_of_a_change_that_is_wrong(#[case] field: &str, #[case] value: Value) {
    let mut table = Table::lay().await;
    let mut fields = json!({"tags": ["zebulon"]});
    fields[field] = value;
    let answer = table.refused("PATCH", &[JSON], fields.to_string().as_bytes(), 400).await;
    let said = assert_failure(&answer.json());
    assert!(said.starts_with(field), "{said}");
}

#[rstest]
#[case::nothing(json!({}), "is required")]
#[case::null(json!({"contacts": null}), "is required")]
#[case::text(json!({"contacts": "201000000001"}), "must be an array")]
#[case::one_contact(json!({"contacts": {"userNumber": "201000000001"}}), "must be an array")]
#[case::a_number(json!({"contacts": 1}), "must be an array")]
#[tokio::test(flavor = "multi_thread")]
async fn an_import_without_rows(#[case] fields: Value, #[case] why: &str) {
    let mut table = Table::lay().await;
    let answer = table.refused("BULK", &[JSON], fields.to_string().as_bytes(), 400).await;
    assert_eq!(assert_failure(&answer.json()), format!("contacts {why}"));
    table.refused("BULK", &[], b"", 400).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_surrogate_is_no_text() {
    let mut table = Table::lay().await;
    table.refused("POST", &[JSON], br#"{"userNumber": "201000000001", "userName": "\ud83c Zebulon"}"#, 400).await;
    table.refused("PATCH", &[JSON], br#"{"name": "Zebulon", "tags": ["\ud83c"]}"#, 400).await;
    table.refused("PATCH", &[JSON], br#"{"name": "Zebulon", "params": {"\ud83c": 1}}"#, 400).await;
}

#[rstest]
#[case::arrays(nested(10_000, "[", "", "]"))]
#[case::arrays_that_never_close(nested(10_000, "[", "", ""))]
#[case::objects_under_an_unknown_key(nested(10_000, r#"{"a":"#, "1", "}"))]
#[case::in_every_field([&br#"{"userNumber":"201000000001","params":"#[..], &nested(10_000, r#"{"a":"#, "1", "}"), br#","contacts":"#, &nested(10_000, r#"{"a":"#, "1", "}"), b"}"].concat())]
#[case::in_tags([&br#"{"userNumber":"201000000001","tags":"#[..], &nested(10_000, "[", "", "]"), b"}"].concat())]
#[tokio::test(flavor = "multi_thread")]
async fn a_body_nested_ten_thousand_deep(#[case] body: Vec<u8>) {
    let mut table = Table::lay().await;
    for (route, _) in WRITES {
        table.refused(route, &[JSON], &body, 400).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_beyond_the_limit() {
    let mut table = Table::lay().await;
    for (route, body) in &WRITES[..2] {
        for length in [(1 << 20) + 1, 10_000_000] {
            let mut body = body.as_bytes().to_vec();
            body.resize(length, b' ');
            let answer = table.refused(route, &[JSON], &body, 413).await;
            assert!(answer.text().contains("1048576"), "it says the limit");
        }
    }
    let mut body = br#"{"contacts": []}"#.to_vec();
    body.resize(10_000_000, b' ');
    let headers: Vec<_> = table.headers.iter().map(String::as_str).chain([JSON]).collect();
    let answer = table.wire.ask(&format!("POST {BASE}/contacts/bulk"), &headers, &body).unwrap();
    assert_eq!(answer.status, 200, "many contacts may be large");
    body.resize((16 << 20) + 1, b' ');
    let answer = table.refused("BULK", &[JSON], &body, 413).await;
    assert!(answer.text().contains("16777216"), "it says the limit");
}

#[rstest]
#[case::text("Content-Type: text/plain")]
#[case::a_form("Content-Type: application/x-www-form-urlencoded")]
#[case::xml("Content-Type: application/xml")]
#[case::a_spreadsheet("Content-Type: application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")]
#[case::json_as_text("Content-Type: text/json")]
#[tokio::test(flavor = "multi_thread")]
async fn a_media_type_that_is_not_taken(#[case] media_type: &str) {
    let mut table = Table::lay().await;
    for (route, body) in WRITES {
        let answer = table.refused(route, &[media_type], body.as_bytes(), 415).await;
        assert!(answer.text().contains("application/json"), "it says what is taken");
    }
    let answer = table.refused("POST", &["Content-Type: text/csv"], b"phone\n201000000001", 415).await;
    assert!(!answer.text().contains("text/csv"));
}

#[rstest]
#[case("DELETE", "/contacts", "GET, POST")]
#[case("PUT", "/contacts", "GET, POST")]
#[case("PATCH", "/contacts", "GET, POST")]
#[case("GET", "/contacts/bulk", "POST")]
#[case("PATCH", "/contacts/bulk", "POST")]
#[case("DELETE", "/contacts/{id}", "GET, PATCH")]
#[case("PUT", "/contacts/{id}", "GET, PATCH")]
#[case("POST", "/contacts/{id}", "GET, PATCH")]
#[case("BREW", "/contacts", "GET, POST")]
#[tokio::test(flavor = "multi_thread")]
async fn a_verb_that_is_not_taken(#[case] method: &str, #[case] path: &str, #[case] allowed: &str) {
    let mut table = Table::lay().await;
    let what = format!("{method} {BASE}{}", path.replace("{id}", &table.id));
    for body in [&b""[..], WRITES[0].1.as_bytes()] {
        let answer = table.refused(&what, &[JSON], body, 405).await;
        assert_eq!(answer.header("allow"), Some(allowed));
    }
}

#[rstest]
#[case("GET", "/nothing")]
#[case("POST", "")]
#[case("GET", "/contacts/x/labels")]
#[case("POST", "/contacts/bulk/x")]
#[tokio::test(flavor = "multi_thread")]
async fn a_route_that_is_none(#[case] method: &str, #[case] path: &str) {
    let mut table = Table::lay().await;
    table.refused(&format!("{method} {BASE}{path}"), &[JSON], WRITES[0].1.as_bytes(), 404).await;
    table.refused(&format!("{method} {BASE}{path}"), &[], b"", 404).await;
}
