//! WA.cr's batches: many creates that go on past errors or are taken back whole, many deletions, and the rows of a CRM.

use std::collections::HashMap;

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    shared::rows,
    support::{text, told},
    wacr_stage::{Crm, new},
};

/// Good, wrong in itself, a number that is known, one of these very items, a reference to nothing, no object.
fn mixed() -> Value {
    json!([
        new("+10000000001", json!({"firstname": "Ann", "groups": [77], "shoe_size": 9})),
        {"phone": "+10000000002", "type": "friend", "email": "nowhere"},
        new("+10000000009", json!({"firstname": "Known"})),
        new("1 000 000 0001", json!({"firstname": "Ann again"})),
        new("+10000000003", json!({"firstname": "Bob", "source_id": 77})),
        "Cid",
        new("+10000000004", json!({"firstname": "Dan", "email": "dan@example.com"})),
        new("+10000000005", json!({"firstname": "Eve", "email": "DAN@example.com"})),
    ])
}

async fn begin() -> Crm {
    let crm = Crm::begin().await;
    crm.contact("+10000000009", json!({"firstname": "Zoe"})).await;
    crm
}

fn failures(result: &Value) -> Value {
    let listed = result["errors"].as_array().unwrap().iter();
    listed
        .map(|failed| (failed["index"].to_string(), failed["errors"].clone()))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn expected_failures() -> Value {
    json!({
        "1": {
            "firstname": ["The firstname field is required."],
            "lastname": ["The lastname field is required."],
            "type": ["The selected type is invalid."],
            "source_id": ["The source id field is required."],
            "status_id": ["The status id field is required."],
            "email": ["The email field must be a valid email address."],
        },
        "2": {"phone": ["The phone has already been taken."]},
        "3": {"phone": ["The phone has already been taken."]},
        "4": {"source_id": ["The selected source id is invalid."]},
        "5": {"contact": ["The contact field must be an array."]},
        "7": {"email": ["The email has already been taken."]},
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_goes_on_past_what_fails() {
    let crm = begin().await;
    for body in [json!({"contacts": mixed()}), json!({"contacts": mixed(), "options": {"continue_on_error": true}})] {
        let answer = crm.post("/contacts/batch", body).await;
        assert_eq!(answer["message"], "Batch operation completed");
        let result = &answer["data"];
        assert_eq!((&result["success"], &result["skipped"]), (&json!(true), &json!([])));
        if result["summary"]["created"] == 2 {
            assert_eq!(result["summary"], json!({"total": 8, "created": 2, "skipped": 0, "failed": 6}));
            assert_eq!(failures(result), expected_failures());
            assert_eq!(result["errors"][0]["data"], mixed()[1], "the item is shown as it was sent");
            let ids: Vec<_> = result["created"].as_array().unwrap().iter().map(|made| made["id"].clone()).collect();
            assert_eq!(json!(ids), json!([2, 3]));
            assert_eq!(crm.names("sort=id").await, ["Zoe", "Ann", "Dan"]);
            assert_eq!(crm.get("/contacts/2").await["data"]["group_id"], json!([]), "items have no groups");
        } else {
            assert_eq!(result["summary"], json!({"total": 8, "created": 0, "skipped": 0, "failed": 8}));
        }
    }
    assert_eq!(crm.app.head(&crm.tenant).await, (3, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_must_be_whole_is_taken_back() {
    let crm = begin().await;
    let whole = |contacts: Value| json!({"contacts": contacts, "options": {"continue_on_error": false}});
    // One that is wrong in itself, one that the book refuses.
    for contacts in [
        json!([new("+10000000001", json!({})), {"firstname": "Bob"}]),
        json!([new("+10000000001", json!({})), new("+10000000009", json!({}))]),
        json!([new("+10000000001", json!({})), new("+10000000001", json!({}))]),
        json!([new("+10000000001", json!({})), new("+10000000002", json!({"status_id": 77}))]),
    ] {
        let error = crm.refused(Method::POST, "/contacts/batch", Some(&whole(contacts)), 422, "VALIDATION_ERROR").await;
        assert_eq!(error["message"], "Batch operation failed");
        let result = &error["details"];
        assert_eq!((&result["success"], &result["created"]), (&json!(false), &json!([])));
        assert_eq!(result["summary"], json!({"total": 2, "created": 0, "skipped": 0, "failed": 1}));
        assert_eq!(result["errors"][0]["index"], 1);
    }
    let good = json!([new("+10000000001", json!({})), new("+10000000002", json!({}))]);
    assert_eq!(crm.post("/contacts/batch", whole(good)).await["data"]["summary"]["created"], 2);
    assert_eq!(crm.app.head(&crm.tenant).await, (3, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn known_numbers_are_skipped_if_asked_for() {
    let crm = begin().await;
    let known = new("+10000000009", json!({"firstname": "Known", "email": "zoe@example.com"}));
    let contacts = json!([known, new("+10000000001", json!({"firstname": "Ann"})), new("10000000001", json!({}))]);
    for goes_on in [false, true] {
        let options = json!({"skip_duplicates": true, "continue_on_error": goes_on});
        let answer = crm.post("/contacts/batch", json!({"contacts": contacts, "options": options})).await;
        let result = &answer["data"];
        let created = usize::from(!goes_on);
        assert_eq!(result["summary"], json!({"total": 3, "created": created, "skipped": 3 - created, "failed": 0}));
        assert_eq!(result["skipped"][0], json!({"index": 0, "reason": "Duplicate phone", "data": known}));
    }
    assert_eq!(crm.names("sort=id").await, ["Zoe", "Ann"], "who is known is left as they were");
    assert_eq!(crm.app.head(&crm.tenant).await, (2, 2));
    // What is no duplicate still takes a whole batch back.
    let contacts = json!([known, new("+10000000003", json!({})), new("+10000000004", json!({"source_id": 9}))]);
    let body = json!({"contacts": contacts, "options": {"skip_duplicates": true, "continue_on_error": false}});
    let error = crm.refused(Method::POST, "/contacts/batch", Some(&body), 422, "VALIDATION_ERROR").await;
    assert_eq!(error["details"]["summary"], json!({"total": 3, "created": 0, "skipped": 1, "failed": 1}));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_are_deleted_at_once() {
    let crm = begin().await;
    crm.contact("+10000000001", json!({})).await;
    crm.contact("+10000000002", json!({})).await;
    let deleted = crm.delete("/contacts/batch", Some(json!({"ids": [1, 3, 77, 3, -1]}))).await;
    assert_eq!(deleted["message"], "Contacts deleted successfully");
    assert_eq!(deleted["data"], json!({"success": true, "summary": {"total": 5, "deleted": 2, "failed": 3}}));
    let nobody = crm.delete("/contacts/batch", Some(json!({"ids": []}))).await;
    assert_eq!(nobody["data"]["summary"], json!({"total": 0, "deleted": 0, "failed": 0}));
    assert_eq!(crm.app.head(&crm.tenant).await.0, 1);
    let many: Vec<_> = (1..=2500).collect();
    let rest = crm.delete("/contacts/batch", Some(json!({"ids": many}))).await;
    assert_eq!(rest["data"]["summary"], json!({"total": 2500, "deleted": 1, "failed": 2499}));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rows_of_a_crm_arrive_in_batches() {
    let crm = Crm::begin().await;
    let is_name = |name: &Option<String>| name.as_ref().is_some_and(|name| !name.trim().is_empty());
    let all = rows::all();
    // Whom this dialect can save: a phone, and both names.
    let fits = |row: &&rows::Row| {
        let is_phone = row.contact.as_ref().is_some_and(|contact| contact.ends_with("@c.us"));
        row.is_good() && is_phone && is_name(&row.last_name) && is_name(&Some(row.first_name.clone()))
    };
    let rows: Vec<_> = all.iter().filter(fits).collect();
    let mut expected: HashMap<&str, String> = HashMap::new();
    for row in &rows {
        expected.entry(row.contact.as_deref().unwrap()).or_insert_with(|| row.name());
    }
    assert!(rows.len() > expected.len() && expected.len() > 2000, "{} rows, {} contacts", rows.len(), expected.len());

    let mut created = 0;
    for chunk in rows.chunks(500) {
        let contact = |row: &&rows::Row| {
            let digits = row.contact.as_deref().unwrap().trim_end_matches("@c.us");
            let phone = if row.chat_id.len() <= 20 { row.chat_id.clone() } else { format!("+{digits}") };
            new(&phone, json!({"firstname": row.first_name, "lastname": row.last_name}))
        };
        let contacts: Vec<_> = chunk.iter().map(contact).collect();
        let body = json!({"contacts": contacts, "options": {"skip_duplicates": true}});
        let summary = crm.post("/contacts/batch", body).await["data"]["summary"].clone();
        assert_eq!(summary["failed"], 0, "{summary}");
        created += summary["created"].as_u64().unwrap();
    }
    assert_eq!(created, expected.len() as u64);
    let mut found = HashMap::new();
    for offset in (0..expected.len()).step_by(1000) {
        let window = [("limit", "1000"), ("sortBy", "id"), ("offset", &offset.to_string())];
        let page = told(crm.app.get(&crm.tenant, "/v2/contacts/all", &window).await, 200).await;
        for contact in page.as_array().unwrap() {
            found.insert(text(&contact["id"]), text(&contact["name"]));
        }
    }
    assert_eq!(found.len(), expected.len());
    for (contact, name) in expected {
        assert_eq!(found[contact], name, "{contact}");
    }
}
