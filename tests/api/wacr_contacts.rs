//! WA.cr's contacts one by one: the vendor's own example, create, fetch, update, delete, what a body may say and what
//! comes of it, and where the room is mounted.

use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

use crate::{
    support::{text, told},
    wacr_stage::{Crm, bad, good, is_time, is_uuid, new},
};

const REQUEST: &[u8] = include_bytes!("../fixtures/wacr/update.request.json");
const RESPONSE: &str = include_str!("../fixtures/wacr/update.response.json");

/// The keys of an object in the order in which they stand in the text.
fn keys_in_order<'t>(text: &'t str, keys: &[&'t str]) -> Vec<&'t str> {
    let mut found: Vec<_> = keys.iter().map(|key| (text.find(&format!("\"{key}\":")).expect(key), *key)).collect();
    found.sort_unstable();
    found.into_iter().map(|(_, key)| key).collect()
}

/// Times and ids, which are drawn anew, in the words of the fixture.
fn worded(mut value: Value) -> Value {
    match &mut value {
        Value::Object(fields) => {
            for field in fields.values_mut() {
                *field = worded(field.take());
            }
        }
        Value::Array(items) => {
            for item in items {
                *item = worded(item.take());
            }
        }
        plain if is_time(plain) => return json!("<time>"),
        plain if is_uuid(plain) => return json!("<uuid>"),
        _ => {}
    }
    value
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documented_example_edits_contact_1() {
    let crm = Crm::begin().await;
    // The example means the status 288: there are so many.
    let mut wire = crm.app.wire();
    let bearer = format!("Authorization: Bearer {}", crm.tenant.token);
    let json = "Content-Type: application/json";
    for number in 2..=288 {
        let body = json!({"name": format!("Status {number}")}).to_string();
        assert_eq!(wire.ask("POST /api/v2/statuses", &[&bearer, json], body.as_bytes()).unwrap().status, 201);
    }
    crm.entry("groups", "VIP").await;
    let fields = json!({"firstname": "Test", "lastname": "Before", "groups": [1]});
    assert_eq!(crm.contact("+15550000001", fields).await, 1);

    for path in ["/contacts/1", "/api/v2/contacts/1"] {
        let answer = wire.ask(&format!("PATCH {path}"), &[&bearer, json], REQUEST).unwrap();
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
        assert_eq!(worded(answer.json()), serde_json::from_str::<Value>(RESPONSE).unwrap());
        let written = answer.text();
        let envelope = ["success", "data", "message", "meta"];
        assert_eq!(keys_in_order(&written, &envelope), envelope);
        let contact = [
            "id",
            "firstname",
            "lastname",
            "company",
            "type",
            "email",
            "phone",
            "status_id",
            "source_id",
            "description",
            "city",
            "state",
            "zip",
            "address",
            "country_id",
            "assigned_id",
            "group_id",
            "is_opted_out",
            "created_at",
            "updated_at",
            "groups",
        ];
        assert_eq!(keys_in_order(&written, &contact), contact);
    }
    assert_eq!(crm.app.name(&crm.tenant, "919587422369").await, "Test Edited Before");
    assert_eq!(crm.app.name(&crm.tenant, "15550000001").await, Value::Null, "the old number leads to nobody");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contact_is_created_fetched_and_deleted() {
    let crm = Crm::begin().await;
    let (vip, new_one) = (crm.entry("groups", "VIP").await, crm.entry("groups", "New").await);
    let all = json!({
        "firstname": "Zoë", "lastname": "Ñandú 🌸", "phone": "+1 (555) 123-4567", "type": "customer", "source_id": 1,
        "status_id": "1", "email": "Zoe@Example.com", "company": "Zoë Ltd", "description": "line one\nline two",
        "city": "Málaga", "state": "AN", "zip": "29001", "address": "Calle 1", "country_id": 34, "assigned_id": 7,
        "groups": [new_one, vip, vip], "nobody_knows": {"this": ["field"]},
    });
    let made = crm.post("/contacts", all).await;
    assert_eq!(made["message"], "Contact created successfully");
    let contact = &made["data"];
    let expected = json!({
        "id": 1, "firstname": "Zoë", "lastname": "Ñandú 🌸", "company": "Zoë Ltd", "type": "customer",
        "email": "Zoe@Example.com", "phone": "+15551234567", "status_id": 1, "source_id": 1,
        "description": "line one\nline two", "city": "Málaga", "state": "AN", "zip": "29001", "address": "Calle 1",
        "country_id": 34, "assigned_id": 7, "group_id": [vip, new_one], "is_opted_out": false,
        "created_at": contact["created_at"], "updated_at": contact["created_at"],
        "groups": [contact["groups"][0], contact["groups"][1]],
    });
    assert_eq!(*contact, expected);
    assert!(is_time(&contact["created_at"]));
    assert_eq!([&contact["groups"][0]["name"], &contact["groups"][1]["name"]], ["VIP", "New"]);
    assert_eq!(crm.app.name(&crm.tenant, "15551234567").await, "Zoë Ñandú 🌸");

    let plain = crm.get("/contacts/1").await;
    assert_eq!(plain["message"], Value::Null);
    for key in ["groups", "source", "status"] {
        assert!(plain["data"].get(key).is_none(), "{key} is not there unless asked for");
    }
    let with = crm.get("/contacts/1?include=groups,source,status,friends").await;
    assert_eq!(with["data"]["groups"], contact["groups"]);
    assert_eq!((&with["data"]["source"]["name"], with["data"]["source"].get("color")), (&json!("api"), None));
    assert_eq!((&with["data"]["status"]["name"], &with["data"]["status"]["color"]), (&json!("New"), &json!("#3B82F6")));

    let gone = crm.delete("/contacts/1", None).await;
    assert_eq!(gone["message"], "Contact deleted successfully");
    assert!(gone.get("data").is_none());
    for method in [Method::GET, Method::DELETE, Method::PATCH] {
        let error = crm.refused(method, "/contacts/1", Some(&json!({})), 404, "NOT_FOUND").await;
        assert_eq!(error, json!({"code": "NOT_FOUND", "message": "Contact not found"}));
    }
    assert_eq!(crm.contact("+15551234567", json!({})).await, 2, "an id is never given twice");
}

#[rstest]
#[case::one_name(json!({"firstname": "Rob"}), json!({"firstname": "Rob", "lastname": "Doe"}))]
#[case::the_other(json!({"lastname": "Roe"}), json!({"firstname": "John", "lastname": "Roe"}))]
#[case::cleared_by_null(json!({"email": null, "company": null, "zip": null}), json!({"email": null, "company": null, "zip": null}))]
#[case::cleared_by_nothing(json!({"email": "", "country_id": ""}), json!({"email": null, "country_id": null}))]
#[case::groups_take_the_place(json!({"groups": [2]}), json!({"group_id": [2]}))]
#[case::groups_go(json!({"groups": []}), json!({"group_id": []}))]
#[case::null_groups_stay(json!({"groups": null}), json!({"group_id": [1]}))]
#[case::its_own_phone_and_email(json!({"phone": "+15551234567", "email": "JOHN@example.com"}), json!({"phone": "+15551234567", "email": "JOHN@example.com"}))]
#[case::another_type(json!({"type": "guest"}), json!({"type": "guest", "group_id": [1]}))]
#[case::a_number_as_text(json!({"assigned_id": "12"}), json!({"assigned_id": 12}))]
#[case::the_longest(json!({"firstname": "🌸".repeat(255), "zip": "9".repeat(20)}), json!({"zip": "9".repeat(20)}))]
#[tokio::test(flavor = "multi_thread")]
async fn a_change_of(#[case] body: Value, #[case] becomes: Value) {
    let crm = Crm::begin().await;
    crm.entry("groups", "VIP").await;
    crm.entry("groups", "New").await;
    let fields = json!({"email": "john@example.com", "company": "ACME", "zip": "1", "country_id": 1, "groups": [1]});
    crm.contact("+15551234567", fields).await;
    let changed = crm.patch("/contacts/1", body).await;
    assert_eq!(changed["message"], "Contact updated successfully");
    for (field, value) in becomes.as_object().unwrap() {
        assert_eq!(changed["data"][field], *value, "{field}");
    }
    let ids: Vec<_> = changed["data"]["groups"].as_array().unwrap().iter().map(|group| group["id"].clone()).collect();
    assert_eq!(json!(ids), changed["data"]["group_id"]);
}

#[rstest]
#[case::nothing(json!({}))]
#[case::nothing_known(json!({"nickname": "Jo", "id": 77, "created_at": null}))]
#[case::the_same_again(json!({"firstname": "John", "phone": "+1 555 123 4567", "type": "lead", "status_id": 1}))]
#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_nothing_is_good_and_changes_nothing(#[case] body: Value) {
    let crm = Crm::begin().await;
    crm.contact("+15551234567", json!({})).await;
    let before = (crm.app.head(&crm.tenant).await, crm.get("/contacts/1").await["data"].clone());
    assert_eq!(crm.patch("/contacts/1", body).await["message"], "Contact updated successfully");
    good(crm.send(Method::PATCH, "/contacts/1", None).await, 200).await;
    assert_eq!((crm.app.head(&crm.tenant).await, crm.get("/contacts/1").await["data"].clone()), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_dialect_saved_shows_as_far_as_it_goes() {
    let crm = Crm::begin().await;
    crm.app.save(&crm.tenant, "100875997589545@lid", "Only First", "").await;
    crm.app.save(&crm.tenant, "15551234567@c.us", "", "").await;
    let shown = crm.get("/contacts/1?include=source,status,groups").await["data"].clone();
    assert_eq!(
        (&shown["firstname"], &shown["lastname"], &shown["phone"]),
        (&json!("Only First"), &json!(null), &json!(""))
    );
    for null in ["type", "status_id", "source_id", "source", "status", "email", "company"] {
        assert!(shown.as_object().unwrap().contains_key(null) && shown[null].is_null(), "{null}: {shown}");
    }
    assert_eq!((&shown["group_id"], &shown["groups"]), (&json!([]), &json!([])));
    assert_eq!(crm.get("/contacts/2").await["data"]["firstname"], Value::Null);
    // A LID gets a phone, and both lead to it.
    crm.patch("/contacts/1", json!({"phone": "+4917012345678", "lastname": "Known"})).await;
    for id in ["100875997589545@lid", "4917012345678"] {
        assert_eq!(crm.app.name(&crm.tenant, id).await, "Only First Known");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn phones_and_emails_belong_to_one_contact() {
    let crm = Crm::begin().await;
    crm.contact("+15551234567", json!({"email": "john@example.com"})).await;
    crm.contact("+15557654321", json!({"email": "jane@example.com"})).await;
    for spelling in ["15551234567", "+1 (555) 123-4567", "15551234567@c.us"] {
        let body = new(spelling, json!({}));
        assert_eq!(crm.wrong(Method::POST, "/contacts", &body, "phone").await, "This phone number already exists");
        let body = json!({"phone": spelling});
        assert_eq!(crm.wrong(Method::PATCH, "/contacts/2", &body, "phone").await, "This phone number already exists");
    }
    let body = new("+15550000000", json!({"email": "JOHN@example.com"}));
    assert_eq!(crm.wrong(Method::POST, "/contacts", &body, "email").await, "This email address already exists");
    let body = json!({"email": "John@Example.com"});
    assert_eq!(crm.wrong(Method::PATCH, "/contacts/2", &body, "email").await, "This email address already exists");
    // What was given up is free again.
    crm.patch("/contacts/1", json!({"phone": "+15550000009", "email": null})).await;
    crm.patch("/contacts/2", json!({"phone": "+15551234567", "email": "john@example.com"})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_creates_of_one_number_make_one_contact() {
    let crm = Crm::begin().await;
    let body = new("+15551234567", json!({}));
    let sent = (0..24).map(|_| crm.send(Method::POST, "/contacts", Some(&body)));
    let answers = futures_util::future::join_all(sent).await;
    let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status().as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!((statuses[0], statuses[1..].iter().all(|status| *status == 422)), (201, true), "{statuses:?}");
    assert_eq!(crm.app.head(&crm.tenant).await, (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn at_the_root_the_room_leaves_the_others_alone() {
    let crm = Crm::begin().await;
    crm.contact("+15551234567", json!({})).await;
    let at = |path: &'static str| crm.app.v1(&crm.tenant.token, Method::GET, path, None);
    for path in
        ["/contacts", "/contacts/1", "/groups", "/sources", "/statuses", "/statuses/1", "/account", "/account/usage"]
    {
        good(at(path).await, 200).await;
    }
    assert_eq!(told(at("/healthz").await, 200).await["status"], "ok");
    assert_eq!(at("/docs/").await.status(), 200);
    assert_eq!(crm.app.head(&crm.tenant).await.0, 1);
    assert_eq!(crm.app.name(&crm.tenant, "15551234567").await, "John Doe");
    for (method, path) in [
        (Method::GET, "/contacts/1/names"),
        (Method::GET, "/contacts/"),
        (Method::GET, "/groups/1/contacts/2"),
        (Method::POST, "/account/nothing"),
        (Method::GET, "/api/v2"),
        (Method::GET, "/api/v2/templates"),
    ] {
        bad(crm.app.v1(&crm.tenant.token, method, path, None).await, 404, "NOT_FOUND").await;
    }
    for path in ["/nothing", "/contactsx", "/v1/nothing"] {
        let problem = told(at(path).await, 404).await;
        assert_eq!(problem["type"], "about:blank", "{path}");
    }
    for (method, path, allowed) in [
        (Method::PUT, "/contacts/1", "GET, PATCH, DELETE"),
        (Method::PUT, "/api/v2/contacts", "GET, POST"),
        (Method::PATCH, "/contacts/batch", "POST, DELETE"),
        (Method::GET, "/groups/1/contacts", "POST, DELETE"),
        (Method::PUT, "/statuses/1", "GET, PATCH, DELETE"),
        (Method::DELETE, "/account/limits", "GET"),
    ] {
        let answer = crm.app.v1(&crm.tenant.token, method, path, Some(json!({}))).await;
        assert_eq!(text(&json!(answer.headers()["allow"].to_str().unwrap())), allowed);
        bad(answer, 405, "METHOD_NOT_ALLOWED").await;
    }
}
