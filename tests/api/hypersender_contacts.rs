//! Saving and reading through Hypersender: the vendor's examples, names, pages; and what the other dialects see of it.

use reqwest::{Method, Response};
use rstest::rstest;
use serde_json::{Value, json};
use tempfile::TempDir;
use wabook::{
    book::{Book, Write},
    domain::{Contact, ContactId, Moment, NamePart, Seen, Source, Stamp},
};

use crate::support::{Tenant, TestApp, told, with_mappings};

const REQUEST: &str = include_str!("../fixtures/hypersender/upsert.request.json");
const UPSERTED: &str = include_str!("../fixtures/hypersender/upsert.response.json");
const RETRIEVED: &str = include_str!("../fixtures/hypersender/get.response.json");
const NOT_FOUND: &str = include_str!("../fixtures/hypersender/get.not-found.json");
const ALL_RETRIEVED: &str = include_str!("../fixtures/hypersender/get-all.response.json");

fn documented(example: &str) -> Value {
    serde_json::from_str(example).unwrap()
}

impl TestApp {
    /// `POST …/contacts/upsert`.
    pub async fn upsert(&self, tenant: &Tenant, fields: &Value) -> Response {
        let path = format!("/api/whatsapp/v2/{}/contacts/upsert", tenant.id);
        self.request(Method::POST, &path).bearer_auth(&tenant.token).json(fields).send().await.unwrap()
    }

    /// `GET …/contacts/{what}`.
    pub async fn hypersender(&self, tenant: &Tenant, what: &str, query: &[(&str, &str)]) -> Response {
        let path = format!("/api/whatsapp/v2/{}/contacts/{what}", tenant.id);
        self.request(Method::GET, &path).bearer_auth(&tenant.token).query(query).send().await.unwrap()
    }

    async fn upserted(&self, tenant: &Tenant, fields: &Value) {
        assert_eq!(told(self.upsert(tenant, fields).await, 200).await, documented(UPSERTED), "{fields}");
    }

    async fn retrieved(&self, tenant: &Tenant, id: &str) -> Value {
        told(self.hypersender(tenant, "get", &[("chat_id", id)]).await, 200).await["data"].clone()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documented_example_saves_john_doe() {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    let answer = app.upsert(&tenant, &documented(REQUEST)).await;
    assert_eq!(answer.headers()["content-type"], "application/json");
    assert_eq!(told(answer, 200).await, documented(UPSERTED));
    let expected = json!({"id": "12132132130@c.us", "name": "John Doe", "pushname": null});
    for id in ["12132132130@c.us", "12132132130", "+12132132130", "12132132130@s.whatsapp.net"] {
        assert_eq!(app.retrieved(&tenant, id).await, expected, "{id}");
    }
}

/// The vendor's example is a contact who has a pushname too, which only a phone can have told.
#[tokio::test(flavor = "multi_thread")]
async fn the_documented_contact_reads_as_documented() {
    let folder = TempDir::new().unwrap();
    let own = folder.path().join("sessions").join("maria");
    std::fs::create_dir_all(&own).unwrap();
    let mut book = Book::create(&own).unwrap();
    let mut head = book.head();
    let (at, source) = (Moment::from_millis(1), Source::known("phone"));
    let mut contact = Contact::unknown("100875997589545@lid".parse().unwrap(), at);
    (head.revision, head.last_id) = (head.revision.next(), ContactId(1));
    (contact.id, contact.revision, contact.uuid) = (head.last_id, head.revision, uuid::Uuid::now_v7());
    let name = NamePart::parse("Maria Doe", "push").unwrap().unwrap();
    contact.names.push = Some(Seen { name, by: Stamp { at, source: source.clone() } });
    book.write(&[Write::Insert { contact: contact.into(), source }], head).unwrap();
    book.close().unwrap();

    let app = TestApp::start_in(folder).await;
    let tenant = app.named_instance("maria").await;
    app.upserted(&tenant, &json!({"chat_id": "100875997589545@lid", "first_name": "Maria"})).await;
    let one = app.hypersender(&tenant, "get", &[("chat_id", "100875997589545@lid")]).await;
    assert_eq!(told(one, 200).await, documented(RETRIEVED));
    assert_eq!(told(app.hypersender(&tenant, "get-all", &[]).await, 200).await, documented(ALL_RETRIEVED));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_is_not_found() {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    for id in ["123@c.us", "123", "123@lid"] {
        let answer = app.hypersender(&tenant, "get", &[("chat_id", id)]).await;
        assert_eq!(told(answer, 404).await, documented(NOT_FOUND), "{id}");
    }
    assert_eq!(app.head(&tenant).await, (0, 0), "reading makes no contact");
    assert_eq!(told(app.hypersender(&tenant, "get-all", &[]).await, 200).await["data"], json!([]));
}

#[rstest]
#[case::both(json!({"first_name": "Ann", "last_name": "Lee"}), "Ann Lee")]
#[case::a_first_name_alone_is_the_whole_name(json!({"first_name": "Rob"}), "Rob")]
#[case::a_null_last_name_is_none(json!({"first_name": "Rob", "last_name": null}), "Rob")]
#[case::an_empty_last_name_is_none(json!({"first_name": "Rob", "last_name": ""}), "Rob")]
#[case::a_blank_last_name_is_none(json!({"first_name": "Rob", "last_name": "  "}), "Rob")]
#[case::the_outside_is_trimmed(json!({"first_name": " Uma "}), "Uma")]
#[case::unicode_stays(json!({"first_name": "Zoë e\u{301}", "last_name": "🌸 [VIP]"}), "Zoë e\u{301} 🌸 [VIP]")]
#[case::the_longest(json!({"first_name": "🌸".repeat(255)}), &"🌸".repeat(255))]
#[case::an_unknown_field_is_ignored(json!({"first_name": "Rob", "lastName": "Smith", "x": {"y": [1]}}), "Rob")]
#[tokio::test(flavor = "multi_thread")]
async fn an_upsert_of(#[case] names: Value, #[case] becomes: &str) {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    app.upserted(&tenant, &json!({"chat_id": "123@c.us", "first_name": "Bob", "last_name": "Smith"})).await;
    let mut fields = names;
    fields["chat_id"] = "123@c.us".into();
    app.upserted(&tenant, &fields).await;
    assert_eq!(app.retrieved(&tenant, "123").await["name"], becomes);
    let head = app.head(&tenant).await;
    app.upserted(&tenant, &fields).await;
    assert_eq!(app.head(&tenant).await, head, "saying it again changes nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_spelling_of_a_number_is_one_contact_and_a_lid_another() {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    for id in ["12132132130", "12132132130@c.us", "+1 (213) 213-2130", "12132132130:4@s.whatsapp.net"] {
        app.upserted(&tenant, &json!({"chat_id": id, "first_name": "John"})).await;
        assert_eq!(app.head(&tenant).await, (1, 1), "{id}");
    }
    app.upserted(&tenant, &json!({"chat_id": "12132132130@lid", "first_name": "Jane"})).await;
    assert_eq!(app.head(&tenant).await, (2, 2));
    assert_eq!(app.retrieved(&tenant, "12132132130@lid").await["name"], "Jane");
    assert_eq!(app.retrieved(&tenant, "12132132130").await["name"], "John");
}

#[rstest]
#[case::by_name_unless_told_otherwise(&[], &["100@c.us", "200@c.us", "300@lid"])]
#[case::by_name(&[("sort_by", "name"), ("sort_order", "asc")], &["100@c.us", "200@c.us", "300@lid"])]
#[case::backwards(&[("sort_order", "desc")], &["300@lid", "200@c.us", "100@c.us"])]
#[case::in_any_case(&[("sort_by", "Name"), ("sort_order", "DESC")], &["300@lid", "200@c.us", "100@c.us"])]
#[case::by_id(&[("sort_by", "id"), ("sort_order", "desc")], &["300@lid", "200@c.us", "100@c.us"])]
#[case::a_first_page(&[("limit", "2")], &["100@c.us", "200@c.us"])]
#[case::a_second_page(&[("limit", "2"), ("offset", "2")], &["300@lid"])]
#[case::the_largest_page(&[("limit", "1000"), ("offset", "1")], &["200@c.us", "300@lid"])]
#[case::beyond_the_end(&[("offset", "3")], &[])]
#[tokio::test(flavor = "multi_thread")]
async fn all_contacts(#[case] query: &[(&str, &str)], #[case] expected: &[&str]) {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    for (id, name) in [("300@lid", "Cid"), ("100@c.us", "ann"), ("200@c.us", "Bob")] {
        app.upserted(&tenant, &json!({"chat_id": id, "first_name": name})).await;
    }
    let all = told(app.hypersender(&tenant, "get-all", query).await, 200).await;
    assert_eq!(all["message"], "Contacts retrieved successfully.");
    let ids: Vec<_> = all["data"].as_array().unwrap().iter().map(|contact| contact["id"].as_str().unwrap()).collect();
    assert_eq!(ids, expected);
    for contact in all["data"].as_array().unwrap() {
        assert_eq!(*contact, app.retrieved(&tenant, contact["id"].as_str().unwrap()).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_hypersender_saves_reads_back_in_the_other_dialects() {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    app.upserted(&tenant, &documented(REQUEST)).await;
    assert_eq!(app.name(&tenant, "12132132130").await, "John Doe");
    let waha = told(app.waha(&tenant, "/contacts", &[("contactId", "12132132130")]).await, 200).await;
    assert_eq!(waha["name"], "John Doe");
    app.save(&tenant, "12132132130", "Ann", "Lee").await;
    assert_eq!(app.retrieved(&tenant, "12132132130").await["name"], "Ann Lee");
    let app = app.restart().await;
    assert_eq!(app.retrieved(&tenant, "12132132130").await["name"], "Ann Lee");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_save_by_lid_renames_the_phones_contact_and_keeps_the_pushname() {
    let (app, tenant) = with_mappings().await;
    app.upserted(&tenant, &json!({"chat_id": "999888777@lid", "first_name": "Alice"})).await;
    let expected = json!({"id": "15551234567@c.us", "name": "Alice", "pushname": "Alice 🌸"});
    for id in ["15551234567", "999888777@lid"] {
        assert_eq!(app.retrieved(&tenant, id).await, expected, "{id}");
    }
    let unnamed = json!({"id": "201234567890@c.us", "name": null, "pushname": null});
    assert_eq!(app.retrieved(&tenant, "555@lid").await, unnamed, "known, though nothing is saved");
}
