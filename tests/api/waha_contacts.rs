//! Contacts through WAHA: saved, read, listed, blocked; which session is meant; and what the other dialects see of it.

use reqwest::{Method, Response};
use rstest::rstest;
use serde_json::{Value, json};
use tempfile::TempDir;
use wabook::{
    book::{Book, Write},
    domain::{Contact, ContactId, Moment, NamePart, Source},
};

use crate::support::{Tenant, TestApp, text, told, with_mappings};

impl TestApp {
    /// A request below `/api` with the key in its header.
    pub fn waha_request(&self, tenant: &Tenant, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.request(method, &format!("/api{path}")).header("X-Api-Key", &tenant.token)
    }

    pub async fn waha(&self, tenant: &Tenant, path: &str, query: &[(&str, &str)]) -> Response {
        self.waha_request(tenant, Method::GET, path).query(query).send().await.unwrap()
    }

    /// `PUT /api/{session}/contacts/{id}`, which must succeed.
    async fn put(&self, tenant: &Tenant, id: &str, names: &Value) {
        let request = self.waha_request(tenant, Method::PUT, &format!("/{}/contacts/{id}", tenant.id)).json(names);
        assert_eq!(told(request.send().await.unwrap(), 200).await, json!({"success": true}), "{id}: {names}");
    }

    async fn waha_contact(&self, tenant: &Tenant, id: &str) -> Value {
        told(self.waha(tenant, "/contacts", &[("contactId", id)]).await, 200).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_saved_contact_has_all_documented_fields() {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    app.put(&tenant, "11231231231@c.us", &json!({"firstName": "John", "lastName": "Doe"})).await;
    let expected = json!({
        "id": "11231231231@c.us", "number": "11231231231", "name": "John Doe", "pushname": null, "shortName": "John",
        "isMe": false, "isGroup": false, "isWAContact": true, "isMyContact": true, "isBlocked": false,
        "isBusiness": false, "isEnterprise": false,
    });
    for id in ["11231231231@c.us", "11231231231", "+11231231231", "11231231231@s.whatsapp.net"] {
        assert_eq!(app.waha_contact(&tenant, id).await, expected, "{id}");
    }
    let (mut wire, key) = (app.wire(), format!("X-Api-Key: {}", tenant.token));
    for segment in ["11231231231@c.us", "11231231231%40c.us", "11231231231", "%2B11231231231"] {
        for session in ["default", &tenant.id] {
            let answer = wire.ask(&format!("GET /api/{session}/contacts/{segment}"), &[&key], b"").unwrap();
            assert_eq!((answer.status, answer.json()), (200, expected.clone()), "{session} {segment}");
        }
    }
    assert_eq!(told(app.waha(&tenant, "/contacts/all", &[]).await, 200).await, json!([expected]));
}

#[rstest]
#[case("123456789@c.us", "123456789")]
#[case("123456789@lid", "")]
#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_reads_as_one_of_whom_nothing_is_known(#[case] id: &str, #[case] number: &str) {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    let contact = app.waha_contact(&tenant, id).await;
    assert_eq!((&contact["id"], &contact["number"]), (&json!(id), &json!(number)));
    assert_eq!(
        (&contact["name"], &contact["pushname"], &contact["shortName"]),
        (&json!(null), &json!(null), &json!(null))
    );
    assert_eq!((&contact["isMyContact"], &contact["isWAContact"]), (&json!(false), &json!(false)));
    let in_path = told(app.waha(&tenant, &format!("/default/contacts/{id}"), &[]).await, 200).await;
    assert_eq!(in_path, contact);
    assert_eq!(app.head(&tenant).await, (0, 0), "reading makes no contact");
}

#[rstest]
#[case::both(json!({"firstName": "Ann", "lastName": "Lee"}), json!("Ann Lee"))]
#[case::an_omitted_last_name_is_none_and_no_doe(json!({"firstName": "Rob"}), json!("Rob"))]
#[case::a_null_last_name_is_none(json!({"firstName": "Rob", "lastName": null}), json!("Rob"))]
#[case::an_empty_last_name_is_none(json!({"firstName": "Rob", "lastName": ""}), json!("Rob"))]
#[case::a_last_name_alone_keeps_the_first(json!({"lastName": "Jones"}), json!("Bob Jones"))]
#[case::an_empty_first_name_clears_it(json!({"firstName": "", "lastName": "Jones"}), json!("Jones"))]
#[case::both_empty_clear_all(json!({"firstName": "", "lastName": ""}), json!(null))]
#[case::neither_leaves_the_name_alone_and_is_no_john(json!({}), json!("Bob Smith"))]
#[case::unicode_stays(json!({"firstName": "李小龍 🌸", "lastName": "محمد"}), json!("李小龍 🌸 محمد"))]
#[case::the_longest(json!({"firstName": "🌸".repeat(255)}), json!("🌸".repeat(255)))]
#[case::an_unknown_field_is_ignored(json!({"firstName": "Rob", "first_name": "Ann", "x": {"y": []}}), json!("Rob"))]
#[tokio::test(flavor = "multi_thread")]
async fn a_put_of(#[case] names: Value, #[case] becomes: Value) {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    app.put(&tenant, "123", &json!({"firstName": "Bob", "lastName": "Smith"})).await;
    app.put(&tenant, "123@c.us", &names).await;
    let contact = app.waha_contact(&tenant, "123").await;
    assert_eq!((&contact["name"], &contact["isMyContact"]), (&becomes, &json!(!becomes.is_null())));
    let head = app.head(&tenant).await;
    app.put(&tenant, "+123", &names).await;
    assert_eq!(app.head(&tenant).await, head, "saying it again changes nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_put_without_a_body_makes_sure_of_the_contact() {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    told(app.waha_request(&tenant, Method::PUT, "/default/contacts/123").send().await.unwrap(), 200).await;
    assert_eq!(app.head(&tenant).await, (1, 1));
    assert_eq!(app.waha_contact(&tenant, "123").await["name"], Value::Null);
}

#[rstest]
#[case::by_name_unless_told_otherwise(&[], &["100@c.us", "200@c.us", "300@lid"])]
#[case::backwards(&[("sortBy", "name"), ("sortOrder", "desc")], &["300@lid", "200@c.us", "100@c.us"])]
#[case::in_any_case(&[("sortBy", "ID"), ("sortOrder", "DESC")], &["300@lid", "200@c.us", "100@c.us"])]
#[case::by_id(&[("sortBy", "id"), ("sortOrder", "asc")], &["100@c.us", "200@c.us", "300@lid"])]
#[case::a_first_page(&[("limit", "2"), ("offset", "0")], &["100@c.us", "200@c.us"])]
#[case::a_second_page(&[("limit", "2"), ("offset", "2")], &["300@lid"])]
#[case::a_page_larger_than_others_allow(&[("limit", "1000000")], &["100@c.us", "200@c.us", "300@lid"])]
#[case::beyond_the_end(&[("offset", "4294967295")], &[])]
#[case::by_the_sessions_own_name(&[("session", "own"), ("limit", "1")], &["100@c.us"])]
#[case::by_the_default_name(&[("session", "default"), ("limit", "1")], &["100@c.us"])]
#[tokio::test(flavor = "multi_thread")]
async fn all_contacts(#[case] query: &[(&str, &str)], #[case] expected: &[&str]) {
    let app = TestApp::start().await;
    let tenant = app.named_instance("own").await;
    for (id, name) in [("300@lid", "Cid"), ("100@c.us", "ann"), ("200@c.us", "Bob")] {
        app.put(&tenant, id, &json!({"firstName": name})).await;
    }
    let all = told(app.waha(&tenant, "/contacts/all", query).await, 200).await;
    let ids: Vec<_> = all.as_array().unwrap().iter().map(|contact| contact["id"].as_str().unwrap()).collect();
    assert_eq!(ids, expected);
    for contact in all.as_array().unwrap() {
        assert_eq!(*contact, app.waha_contact(&tenant, contact["id"].as_str().unwrap()).await);
    }
}

/// A book of so many contacts, laid into the folder before the gateway starts: 1000000 is "Client 1000000", and so on.
async fn with_many(count: i64) -> (TestApp, Tenant) {
    let folder = TempDir::new().unwrap();
    let own = folder.path().join("sessions").join("many");
    std::fs::create_dir_all(&own).unwrap();
    let mut book = Book::create(&own).unwrap();
    let mut head = book.head();
    let source = Source::known("import");
    let mut writes = Vec::new();
    for number in 1_000_000..1_000_000 + count {
        (head.revision, head.last_id) = (head.revision.next(), ContactId(head.last_id.0 + 1));
        let mut contact = Contact::unknown(number.to_string().parse().unwrap(), Moment::from_millis(1));
        (contact.id, contact.revision, contact.uuid) = (head.last_id, head.revision, uuid::Uuid::now_v7());
        contact.names.saved.first = NamePart::parse(&format!("Client {number}"), "first").unwrap();
        writes.push(Write::Insert { contact: contact.into(), source: source.clone() });
    }
    book.write(&writes, head).unwrap();
    book.close().unwrap();
    let app = TestApp::start_in(folder).await;
    let tenant = app.named_instance("many").await;
    (app, tenant)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_any_length_is_whole_and_in_order() {
    const COUNT: i64 = 20_500;
    let (app, tenant) = with_many(COUNT).await;
    let ids = async |query: &[(&str, &str)]| {
        let listed = told(app.waha(&tenant, "/contacts/all", query).await, 200).await;
        let id = |contact: &Value| contact["id"].as_str().unwrap()[..7].parse::<i64>().unwrap() - 1_000_000;
        listed.as_array().unwrap().iter().map(id).collect::<Vec<_>>()
    };
    assert!(ids(&[]).await == (0..COUNT).collect::<Vec<_>>());
    assert!(ids(&[("sortBy", "id"), ("sortOrder", "desc")]).await == (0..COUNT).rev().collect::<Vec<_>>());
    for (limit, offset) in [(9_999, 0), (10_000, 5), (10_001, 5), (20_000, 500), (20_001, 400), (30_000, 7_000)] {
        let query = [("limit", limit.to_string()), ("offset", offset.to_string())];
        let listed = ids(&query.each_ref().map(|(name, value)| (*name, value.as_str()))).await;
        assert!(listed == (offset..COUNT.min(offset + limit)).collect::<Vec<_>>(), "{limit} from {offset}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_exists_if_the_book_knows_it() {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    app.put(&tenant, "11231231231", &json!({"firstName": "John"})).await;
    for phone in ["11231231231", "+11231231231", "11231231231@c.us"] {
        let query = [("phone", phone), ("session", "default")];
        let known = told(app.waha(&tenant, "/contacts/check-exists", &query).await, 200).await;
        assert_eq!(known, json!({"numberExists": true, "chatId": "11231231231@c.us"}), "{phone}");
    }
    let unknown = told(app.waha(&tenant, "/contacts/check-exists", &[("phone", "456")]).await, 200).await;
    assert_eq!(unknown, json!({"numberExists": false}), "no chat id for whom nobody knows");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_a_phone_could_tell_is_null() {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    app.put(&tenant, "123", &json!({"firstName": "Bob"})).await;
    let about = told(app.waha(&tenant, "/contacts/about", &[("contactId", "123")]).await, 200).await;
    assert_eq!(about, json!({"about": null}));
    for refresh in ["True", "False", "true", "0", "1", "TRUE"] {
        let query = [("contactId", "123@c.us"), ("refresh", refresh)];
        let picture = told(app.waha(&tenant, "/contacts/profile-picture", &query).await, 200).await;
        assert_eq!(picture, json!({"profilePictureURL": null}), "{refresh}");
    }
}

#[rstest]
#[case::contact_id_in_the_body("contactId", false)]
#[case::chat_id_in_the_body("chatId", false)]
#[case::contact_id_in_the_query("contactId", true)]
#[case::chat_id_in_the_query("chatId", true)]
#[tokio::test(flavor = "multi_thread")]
async fn a_blocked_contact_is_unblocked_again(#[case] field: &str, #[case] is_in_query: bool) {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    app.put(&tenant, "123", &json!({"firstName": "Bob"})).await;
    for (verb, is_blocked) in [("block", true), ("block", true), ("unblock", false)] {
        for session in ["default", &tenant.id] {
            let request = app.waha_request(&tenant, Method::POST, &format!("/contacts/{verb}"));
            let request = match is_in_query {
                true => request.query(&[(field, "123@c.us"), ("session", session)]),
                false => request.json(&json!({field: "123@c.us", "session": session})),
            };
            let answer = request.send().await.unwrap();
            assert_eq!((answer.status().as_u16(), answer.bytes().await.unwrap().len()), (201, 0));
        }
        let contact = app.waha_contact(&tenant, "123").await;
        assert_eq!((&contact["isBlocked"], &contact["name"]), (&json!(is_blocked), &json!("Bob")));
    }
    assert_eq!(app.head(&tenant).await, (1, 3), "blocking twice is blocking once");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_saved_in_one_dialect_reads_back_in_the_others() {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    let hypersender = async |id: &str| {
        let body = told(app.hypersender(&tenant, "get", &[("chat_id", id)]).await, 200).await;
        text(&body["data"]["name"])
    };
    app.put(&tenant, "111", &json!({"firstName": "From", "lastName": "WAHA"})).await;
    app.save(&tenant, "222", "From", "Wawp").await;
    let fields = json!({"chat_id": "333@lid", "first_name": "From", "last_name": "Hypersender"});
    told(app.upsert(&tenant, &fields).await, 200).await;
    for (id, name) in [("111@c.us", "From WAHA"), ("222@c.us", "From Wawp"), ("333@lid", "From Hypersender")] {
        assert_eq!(app.waha_contact(&tenant, id).await["name"], name);
        assert_eq!(app.name(&tenant, id).await, name);
        assert_eq!(hypersender(id).await, name);
        assert_eq!(app.waha_contact(&tenant, id).await, app.contact(&tenant, id).await, "Wawp has WAHA's shape");
    }
    for id in ["111@c.us", "222@c.us", "333@lid"] {
        app.put(&tenant, id, &json!({"firstName": "Renamed"})).await;
        assert_eq!((app.name(&tenant, id).await, hypersender(id).await), (json!("Renamed"), "Renamed".to_owned()));
    }
    let other = app.instance().await;
    assert_eq!(app.waha_contact(&other, "111").await["name"], Value::Null, "books are apart");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_save_by_lid_renames_the_phones_contact_and_keeps_the_pushname() {
    let (app, tenant) = with_mappings().await;
    app.put(&tenant, "999888777@lid", &json!({"firstName": "Alice", "lastName": "Accounting"})).await;
    for id in ["15551234567", "999888777@lid"] {
        let contact = app.waha_contact(&tenant, id).await;
        assert_eq!(contact["id"], "15551234567@c.us", "{id}");
        assert_eq!((&contact["name"], &contact["pushname"]), (&json!("Alice Accounting"), &json!("Alice 🌸")));
    }
}
