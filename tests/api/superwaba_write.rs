//! Making and changing contacts through SuperWABA's room: the vendor's examples, what a change keeps, what clears, and
//! that the other dialects see the same contact.

use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

use crate::{
    superwaba_story::{Story, assert_like, data, failure, failure_fixture, fixture},
    support::{text, told},
};

const DRAWN: [&str; 4] = ["id", "vendorContactId", "createdAt", "updatedAt"];

#[tokio::test(flavor = "multi_thread")]
async fn the_documented_creation() {
    let story = Story::begin().await;
    let made = told(story.send(Method::POST, "/contacts", &fixture("create.request")).await, 201).await;
    assert_eq!(made["success"], true);
    assert_like(&made["data"], &fixture("create.response")["data"], &DRAWN);
    assert_eq!(story.app.head(&story.tenant).await, (1, 1));
    assert_eq!(story.app.name(&story.tenant, "971501234567@c.us").await, "Ahmed Hassan");
    let mut shown = story.show(&text(&made["data"]["id"])).await;
    let shown = shown.as_object_mut().unwrap();
    let rest = ["labels", "lastMessageAt", "conversationCount"].map(|key| shown.remove(key).unwrap());
    assert_eq!(rest, [json!([]), Value::Null, json!(0)]);
    assert_eq!(&*shown, made["data"].as_object().unwrap(), "what is read is what was answered");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_has_a_contact_is_a_conflict_however_it_is_written() {
    let story = Story::begin().await;
    story.create(fixture("create.request")).await;
    for number in
        ["+971501234567", "971501234567", "+971 (50) 123-4567", "971501234567@c.us", "971501234567:3@s.whatsapp.net"]
    {
        let again = json!({"userNumber": number, "userName": "Zebulon"});
        let said = failure(story.send(Method::POST, "/contacts", &again).await, 409).await;
        assert_eq!(said, failure_fixture("create-duplicate.response"), "{number}");
    }
    story.app.save(&story.tenant, "4930111", "Bob", "").await;
    let before = story.app.head(&story.tenant).await;
    failure(story.send(Method::POST, "/contacts", &json!({"userNumber": "+4930111"})).await, 409).await;
    assert_eq!(story.app.head(&story.tenant).await, before);
    assert_eq!(story.app.name(&story.tenant, "971501234567").await, "Ahmed Hassan");
}

#[rstest]
#[case::nothing(json!({}))]
#[case::null(json!({"userNumber": null}))]
#[case::empty(json!({"userNumber": ""}))]
#[case::blank(json!({"userNumber": "  ", "userName": "Zebulon"}))]
#[case::by_another_name(json!({"phone": "+971501234567"}))]
#[tokio::test(flavor = "multi_thread")]
async fn a_creation_without_a_number(#[case] fields: Value) {
    let story = Story::begin().await;
    let said = failure(story.send(Method::POST, "/contacts", &fields).await, 400).await;
    assert_eq!(said, failure_fixture("create-without-phone.response"));
    let without = story.request(Method::POST, "/contacts").send().await.unwrap();
    assert_eq!(failure(without, 400).await, "Phone number (userNumber) is required");
    assert_eq!(story.app.head(&story.tenant).await, (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_what_is_null_empty_or_unknown_nothing_is_made() {
    let story = Story::begin().await;
    let made = story
        .create(json!({
            "userNumber": "4930111", "userName": null, "email": "", "countryCode": " ", "tags": null, "params": null,
            "labels": ["no"], "isBlocked": true, "optedIn": true, "source": "elsewhere", "id": 7,
        }))
        .await;
    let mut example = fixture("create.response")["data"].clone();
    for (key, value) in [
        ("phone", json!("+4930111")),
        ("name", Value::Null),
        ("email", Value::Null),
        ("countryCode", Value::Null),
        ("tags", json!([])),
        ("params", json!({})),
    ] {
        example[key] = value;
    }
    assert_like(&made, &example, &DRAWN);
    assert_eq!(story.show(&text(&made["id"])).await["labels"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn text_is_kept_as_it_was_typed() {
    let story = Story::begin().await;
    for (place, name) in ["Alice 🌸", "李秀英", "עברית \u{200f}", "e\u{301}", " Uma", "O'Brien \"Bob\" <b>", "🌸"]
        .into_iter()
        .enumerate()
    {
        let made = story
            .create(json!({
                "userNumber": format!("49301{place:02}"), "userName": name, "countryCode": "de", "email": "用户@例子.广告",
                "tags": [name, "vip", name, "", " vip"], "params": {name: {"a": [1, 2.5, null, name]}, "": true},
            }))
            .await;
        assert_eq!((&made["name"], &made["countryCode"]), (&json!(name.trim()), &json!("DE")));
        assert_eq!((&made["tags"], &made["email"]), (&json!([name, "vip", " vip"]), &json!("用户@例子.广告")));
        assert_eq!(made["params"], json!({name: {"a": [1, 2.5, null, name]}, "": true}));
        let shown = story.show(&text(&made["id"])).await;
        assert_eq!((&shown["name"], &shown["tags"], &shown["params"]), (&made["name"], &made["tags"], &made["params"]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_longest_that_is_taken() {
    let story = Story::begin().await;
    let tags: Vec<_> = (0..100).map(|tag| format!("{tag:03}{}", "🌸".repeat(252))).collect();
    let params: serde_json::Map<_, _> = (0..100).map(|key| (format!("{key:02}"), json!("x".repeat(500)))).collect();
    let fields = json!({"userNumber": "493011111111111", "userName": "🌸".repeat(255), "tags": tags, "params": params});
    let made = story.create(fields.clone()).await;
    for (ours, theirs) in [("name", "userName"), ("tags", "tags"), ("params", "params")] {
        assert_eq!(made[ours], fields[theirs]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documented_change() {
    let story = Story::of_the_examples().await;
    let id = text(&fixture("get.response")["data"]["id"]);
    let before = story.app.head(&story.tenant).await;
    let changed =
        told(story.send(Method::PATCH, &format!("/contacts/{id}"), &fixture("update.request")).await, 200).await;
    assert_eq!(changed["success"], true);
    assert_like(&changed["data"], &fixture("update.response")["data"], &["updated_at"]);
    assert_eq!(story.app.head(&story.tenant).await, (before.0, before.1 + 1));

    let mut expected = fixture("get.response")["data"].clone();
    for (key, value) in fixture("update.request").as_object().unwrap() {
        let key = if key == "opted_in" { "optedIn" } else { key };
        expected[key] = value.clone();
    }
    expected["updatedAt"] = changed["data"]["updated_at"].clone();
    assert_like(&story.show(&id).await, &expected, &["vendorContactId"]);

    let again = story.update(&id, fixture("update.request")).await;
    assert_eq!(again, changed["data"], "said again, nothing changes, not even the time");
    assert_eq!(story.app.head(&story.tenant).await, (before.0, before.1 + 1));
}

#[rstest]
#[case::nothing(json!({}))]
#[case::what_cannot_be_changed(json!({"phone": "+971500000000", "labels": ["x"], "id": "contact_x"}))]
#[case::the_words_of_a_creation(json!({"userName": "Zebulon", "countryCode": "US"}))]
#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_no_field(#[case] fields: Value) {
    let story = Story::begin().await;
    let id = text(&story.create(fixture("create.request")).await["id"]);
    for path in [format!("/contacts/{id}"), "/contacts/contact_01890a5d-ac96-774b-bcce-b302099a8057".into()] {
        let said = failure(story.send(Method::PATCH, &path, &fields).await, 400).await;
        assert_eq!(said, failure_fixture("update-without-fields.response"));
    }
    let without = story.request(Method::PATCH, &format!("/contacts/{id}")).send().await.unwrap();
    assert_eq!(failure(without, 400).await, "No valid fields to update");
    assert_eq!(story.app.head(&story.tenant).await, (1, 1));
}

/// A contact with something in every field that can be changed.
async fn full_contact() -> (Story, String, Value) {
    let story = Story::begin().await;
    let id = text(&story.create(fixture("create.request")).await["id"]);
    story.update(&id, json!({"is_blocked": true, "opted_in": true, "source": "Messe"})).await;
    let shown = story.show(&id).await;
    (story, id, shown)
}

#[rstest]
#[case("name", "name", json!("Zebulon"), Value::Null)]
#[case("email", "email", json!("z@example.com"), Value::Null)]
#[case("country_code", "countryCode", json!("US"), Value::Null)]
#[case("tags", "tags", json!(["b", "a"]), json!([]))]
#[case("params", "params", json!({"k": {"n": [1]}}), json!({}))]
#[case("is_blocked", "isBlocked", json!(false), json!(false))]
#[case("source", "source", json!("organic"), Value::Null)]
#[case("opted_in", "optedIn", json!(false), json!(false))]
#[tokio::test(flavor = "multi_thread")]
async fn a_change_keeps_what_it_does_not_mention(
    #[case] field: &str,
    #[case] shown_as: &str,
    #[case] value: Value,
    #[case] cleared: Value,
) {
    let (story, id, mut before) = full_contact().await;
    for (given, expected) in [(value.clone(), value), (Value::Null, cleared)] {
        story.update(&id, json!({field: given, "an_unknown_field": 7})).await;
        let mut after = story.show(&id).await;
        assert_eq!(after[shown_as], expected, "{field} = {given}");
        for contact in [&mut before, &mut after] {
            contact[shown_as] = Value::Null;
            contact["updatedAt"] = Value::Null;
        }
        assert_eq!(after, before, "{field} = {given}");
    }
}

#[rstest]
#[case(json!({"name": ""}))]
#[case(json!({"name": " \u{2003}"}))]
#[tokio::test(flavor = "multi_thread")]
async fn a_blank_name_is_none(#[case] fields: Value) {
    let (story, id, _) = full_contact().await;
    assert_eq!(story.update(&id, fields).await["name"], Value::Null);
    assert_eq!(story.app.name(&story.tenant, "971501234567").await, Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_display_name_that_is_said_back_keeps_its_parts() {
    let story = Story::begin().await;
    story.app.save(&story.tenant, "4930111", "Ana María", "García").await;
    let id = text(&story.list(&[]).await["contacts"][0]["id"]);
    let before = story.app.head(&story.tenant).await;
    assert_eq!(story.update(&id, json!({"name": "Ana María García"})).await["name"], "Ana María García");
    assert_eq!(story.app.head(&story.tenant).await, before);
    assert_eq!(story.app.contact(&story.tenant, "4930111").await["shortName"], "Ana María");
    story.update(&id, json!({"name": "Ana García"})).await;
    assert_eq!(
        story.app.contact(&story.tenant, "4930111").await["shortName"],
        "Ana García",
        "nothing is split by guess"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_is_seen_in_the_other_dialects() {
    let (story, id, _) = full_contact().await;
    assert_eq!(story.app.contact(&story.tenant, "971501234567").await["isBlocked"], true);
    story.update(&id, json!({"is_blocked": false})).await;
    assert_eq!(story.app.contact(&story.tenant, "971501234567").await["isBlocked"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_is_there_after_a_restart() {
    let (story, id, before) = full_contact().await;
    let story = Story { app: story.app.restart().await, ..story };
    assert_eq!(story.show(&id).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_make_the_same_contact_one_has_made_it() {
    let story = Story::begin().await;
    let requests = (0..16).map(|number| {
        let fields = json!({"userNumber": "4930111", "userName": format!("Bob {number}")});
        let request = story.request(Method::POST, "/contacts").json(&fields);
        tokio::spawn(async move { request.send().await.unwrap() })
    });
    let requests: Vec<_> = requests.collect();
    let (mut made, mut refused) = (Vec::new(), 0);
    for request in requests {
        let response = request.await.unwrap();
        match response.status().as_u16() {
            201 => made.push(data(response, 201).await),
            _ => {
                failure(response, 409).await;
                refused += 1;
            }
        }
    }
    assert_eq!((made.len(), refused), (1, 15));
    assert_eq!(story.app.name(&story.tenant, "4930111").await, made[0]["name"]);
    assert_eq!(story.app.head(&story.tenant).await, (1, 1));
}
