//! What WA.cr's room refuses: each answer has the vendor's shape, says which field is wrong, writes nothing, and leaves
//! the connection, the very same one, usable.

use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

use crate::{
    shared::wire::{Answer, Wire},
    wacr_stage::{Crm, assert_error, new},
};

const JSON: &str = "Content-Type: application/json";

/// Every route that takes a body.
const WRITES: [(&str, &str); 12] = [
    ("POST", "/contacts"),
    ("PATCH", "/contacts/1"),
    ("POST", "/contacts/batch"),
    ("DELETE", "/contacts/batch"),
    ("POST", "/groups"),
    ("PATCH", "/groups/1"),
    ("POST", "/groups/1/contacts"),
    ("DELETE", "/groups/1/contacts"),
    ("POST", "/sources"),
    ("PATCH", "/sources/1"),
    ("POST", "/statuses"),
    ("PATCH", "/statuses/1"),
];

/// An instance with something of everything, and one connection.
struct Story {
    crm: Crm,
    wire: Wire,
    bearer: String,
    before: Vec<Value>,
}

impl Story {
    async fn begin() -> Self {
        let crm = Crm::begin().await;
        crm.entry("groups", "VIP").await;
        crm.contact("+15551234567", json!({"email": "john@example.com", "groups": [1]})).await;
        let (wire, bearer) = (crm.app.wire(), format!("Authorization: Bearer {}", crm.tenant.token));
        let mut story = Self { crm, wire, bearer, before: Vec::new() };
        story.before = story.all();
        story
    }

    /// All that the instance holds, over the one connection.
    fn all(&mut self) -> Vec<Value> {
        let lists = ["contacts", "groups", "sources", "statuses"];
        lists.map(|list| self.ask(&format!("GET /api/v2/{list}"), &[], b"").json()["data"].clone()).to_vec()
    }

    fn ask(&mut self, what: &str, headers: &[&str], body: &[u8]) -> Answer {
        let headers: Vec<_> = headers.iter().copied().chain([&*self.bearer]).collect();
        self.wire.ask(what, &headers, body).unwrap()
    }

    /// Each route that takes a body refuses this one.
    async fn refused_everywhere(&mut self, headers: &[&str], body: &[u8], status: u16, code: &str) {
        for (method, path) in WRITES {
            for prefix in ["/api/v2", ""] {
                let what = format!("{method} {prefix}{path}");
                let answer = self.ask(&what, headers, body);
                assert_eq!(answer.status, status, "{what}: {}", answer.text());
                assert_eq!(answer.header("content-type"), Some("application/json"), "{what}");
                assert_error(&answer.json(), code);
                assert!(!answer.text().contains("Zebulon"), "{what}: {}", answer.text());
            }
        }
        assert_eq!(self.all(), self.before);
        assert_eq!(self.crm.app.head(&self.crm.tenant).await, (1, 1));
    }
}

fn nested(depth: usize, open: &str, middle: &str, close: &str) -> Vec<u8> {
    [open.repeat(depth).as_str(), middle, close.repeat(depth).as_str()].concat().into_bytes()
}

#[rstest]
#[case::words(b"Zebulon Quagmire")]
#[case::cut_off(br#"{"firstname": "Zebu"#)]
#[case::a_trailing_comma(br#"{"firstname": "Zebulon",}"#)]
#[case::two_objects(br#"{} {}"#)]
#[case::an_array(b"[]")]
#[case::an_array_of_objects(br#"[{"firstname": "Zebulon"}]"#)]
#[case::a_string(br#""Zebulon""#)]
#[case::a_number(b"1")]
#[case::null(b"null")]
#[case::a_number_beyond_all(br#"{"source_id": 1e999}"#)]
#[case::invalid_utf8(b"{\"firstname\": \"Zebulon \xff\"}")]
#[case::half_a_surrogate(br#"{"name": "\ud83c Zebulon"}"#)]
#[case::arrays(nested(10_000, "[", "", "]"))]
#[case::objects(nested(10_000, r#"{"a":"#, "1", "}"))]
#[case::a_name_of_arrays([br#"{"name":"#.to_vec(), nested(10_000, "[", "", "]"), b"}".to_vec()].concat())]
#[case::ids_of_objects([br#"{"ids":"#.to_vec(), nested(10_000, r#"{"a":"#, "1", "}"), b"}".to_vec()].concat())]
#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_no_json_object(#[case] body: impl AsRef<[u8]>) {
    Story::begin().await.refused_everywhere(&[JSON], body.as_ref(), 400, "INVALID_REQUEST").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_too_large() {
    let body = format!(r#"{{"firstname": "{}"}}"#, "Zebulon".repeat(10_000_000 / 7)).into_bytes();
    Story::begin().await.refused_everywhere(&[JSON], &body, 413, "PAYLOAD_TOO_LARGE").await;
}

#[rstest]
#[case("Content-Type: text/plain")]
#[case("Content-Type: application/x-www-form-urlencoded")]
#[case("Content-Type: multipart/form-data; boundary=x")]
#[tokio::test(flavor = "multi_thread")]
async fn a_media_type_that_is_not_taken(#[case] media_type: &str) {
    let body = br#"{"firstname": "Zebulon"}"#;
    Story::begin().await.refused_everywhere(&[media_type], body, 415, "UNSUPPORTED_MEDIA_TYPE").await;
}

/// A field, what stands in it, and what is said of it.
fn wrong_fields() -> Vec<(&'static str, Value, &'static str)> {
    let mut wrong = Vec::new();
    for (field, required) in [
        ("firstname", "First name is required"),
        ("lastname", "Last name is required"),
        ("phone", "Phone number is required"),
        ("type", "Type is required"),
        ("source_id", "Source is required"),
        ("status_id", "Status is required"),
    ] {
        wrong.extend([json!(null), json!(""), json!(" \t ")].map(|value| (field, value, required)));
    }
    let not_text = [
        ("firstname", "The firstname field must be a string"),
        ("lastname", "The lastname field must be a string"),
        ("phone", "The phone field must be a string"),
        ("email", "The email field must be a string"),
        ("company", "The company field must be a string"),
        ("description", "The description field must be a string"),
        ("city", "The city field must be a string"),
        ("state", "The state field must be a string"),
        ("zip", "The zip field must be a string"),
        ("address", "The address field must be a string"),
    ];
    for (field, message) in not_text {
        wrong.extend([json!(7), json!(true), json!(["x"]), json!({"a": 1})].map(|value| (field, value, message)));
    }
    let too_long = [
        ("firstname", 255, "The firstname field must not be greater than 255 characters"),
        ("lastname", 255, "The lastname field must not be greater than 255 characters"),
        ("phone", 20, "The phone field must not be greater than 20 characters"),
        ("email", 191, "The email field must not be greater than 191 characters"),
        ("company", 255, "The company field must not be greater than 255 characters"),
        ("city", 255, "The city field must not be greater than 255 characters"),
        ("state", 255, "The state field must not be greater than 255 characters"),
        ("zip", 20, "The zip field must not be greater than 20 characters"),
        ("address", 500, "The address field must not be greater than 500 characters"),
    ];
    wrong.extend(too_long.map(|(field, most, message)| (field, json!("é".repeat(most + 1)), message)));
    let phone = "The phone field must be a phone number with its country code, like +15551234567";
    for text in
        ["call me", "12", "0049170123456", "0170123456", "1234567890123456", "100875997589@lid", "120363@g.us", "١٢٣٤٥"]
    {
        wrong.push(("phone", json!(text), phone));
    }
    for text in ["john", "@example.com", "john@", "jo hn@example.com", "a@b@c", "john@exa\nmple.com"] {
        wrong.push(("email", json!(text), "The email field must be a valid email address"));
    }
    for value in [json!("friend"), json!("Lead"), json!(1), json!(["lead"])] {
        wrong.push(("type", value, "Type must be either lead, customer, or guest"));
    }
    for (field, message) in [
        ("source_id", "The source id field must be an integer"),
        ("status_id", "The status id field must be an integer"),
        ("country_id", "The country id field must be an integer"),
        ("assigned_id", "The assigned id field must be an integer"),
    ] {
        let values = [json!("x"), json!(1.5), json!(true), json!([1]), json!({}), json!(1e30)];
        wrong.extend(values.map(|value| (field, value, message)));
    }
    wrong.extend([
        ("firstname", json!("a\nb"), "The firstname field must not contain control characters"),
        ("lastname", json!("\u{0}"), "The lastname field must not contain control characters"),
        ("source_id", json!(77), "The selected source does not exist or does not belong to your account"),
        ("status_id", json!(-1), "The selected status does not exist or does not belong to your account"),
        ("groups", json!([1, 77]), "The selected group does not exist or does not belong to your account"),
        ("groups", json!("1"), "The groups field must be an array"),
        ("groups", json!({"0": 1}), "The groups field must be an array"),
        ("groups", json!(1), "The groups field must be an array"),
    ]);
    wrong
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_of_a_contact_that_is_wrong() {
    let story = Story::begin().await;
    for (field, value, message) in wrong_fields() {
        let mut body = new("+15557654321", json!({}));
        body[field] = value.clone();
        assert_eq!(story.crm.wrong(Method::POST, "/contacts", &body, field).await, message, "POST {field}: {value}");
        let body = json!({field: value});
        assert_eq!(story.crm.wrong(Method::PATCH, "/contacts/1", &body, field).await, message, "PATCH {body}");
    }
    let message = story.crm.wrong(Method::PATCH, "/contacts/1", &json!({"groups": [1, "x"]}), "groups.1").await;
    assert_eq!(message, "The groups.1 field must be an integer");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_fields_that_are_wrong_are_told_at_once() {
    let story = Story::begin().await;
    let expected = json!({
        "firstname": ["First name is required"], "lastname": ["Last name is required"],
        "phone": ["Phone number is required"], "type": ["Type is required"],
        "source_id": ["Source is required"], "status_id": ["Status is required"],
    });
    for body in [None, Some(&json!({})), Some(&json!({"first_name": "Zebulon", "id": 1}))] {
        let error = story.crm.refused(Method::POST, "/contacts", body, 422, "VALIDATION_ERROR").await;
        assert_eq!(error, json!({"code": "VALIDATION_ERROR", "message": "Validation failed", "details": expected}));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_is_wrong_as_a_whole() {
    let story = Story::begin().await;
    let item = new("+15557654321", json!({}));
    for (body, field) in [
        (json!({}), "contacts"),
        (json!({"contacts": null}), "contacts"),
        (json!({"contacts": []}), "contacts"),
        (json!({"contacts": "x"}), "contacts"),
        (json!({"contacts": item}), "contacts"),
        (json!({"contacts": [item], "options": true}), "options"),
        (json!({"contacts": [item], "options": {"continue_on_error": "maybe"}}), "continue_on_error"),
        (json!({"contacts": [item], "options": {"skip_duplicates": 2}}), "skip_duplicates"),
    ] {
        story.crm.wrong(Method::POST, "/contacts/batch", &body, field).await;
    }
    for (body, field) in [
        (json!({}), "ids"),
        (json!({"ids": null}), "ids"),
        (json!({"ids": 1}), "ids"),
        (json!({"ids": "1,2"}), "ids"),
        (json!({"ids": ["x"]}), "ids.0"),
        (json!({"ids": [1, [1]]}), "ids.1"),
    ] {
        story.crm.wrong(Method::DELETE, "/contacts/batch", &body, field).await;
    }
}
