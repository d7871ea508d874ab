//! Saving through Wawp: `POST` and `PUT /v2/contacts/update`, `PUT /v2/contacts/{chatId}`, block and unblock; where
//! credentials may stand; what many at once leave behind.

use futures_util::future::join_all;
use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{Tenant, TestApp, assert_wawp_error, told};

const REQUEST: &str = include_str!("../fixtures/wawp/update.request.json");
const RESPONSE: &[u8] = include_bytes!("../fixtures/wawp/update.response.json");
const IN_QUERY: &str = include_str!("../fixtures/wawp/update-in-query.url");

/// The vendor's example with somebody's own credentials.
fn filled_in(example: &str, Tenant { id, token }: &Tenant) -> String {
    example.replace("YOUR_INSTANCE_ID", id).replace("YOUR_ACCESS_TOKEN", token)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documented_example_saves_bob_smith() {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    let body = filled_in(REQUEST, &tenant);
    let mut wire = app.wire();
    let answer = wire.ask("POST /v2/contacts/update", &["Content-Type: application/json"], body.as_bytes()).unwrap();
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    assert_eq!(answer.body, RESPONSE);
    assert_eq!(app.name(&tenant, "123@c.us").await, "Bob Smith");
}

#[rstest]
#[case::post(Method::POST)]
#[case::put(Method::PUT)]
#[tokio::test(flavor = "multi_thread")]
async fn a_contact_saved_by_either_verb_reads_back(#[case] method: Method) {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    let body = tenant.body(json!({"chatId": "15551234567@c.us", "firstName": "Alice", "lastName": "Accounting"}));
    let answer = app.request(method, "/v2/contacts/update").json(&body).send().await.unwrap();
    assert_eq!(told(answer, 200).await, json!({"ok": true}));
    assert_eq!(app.name(&tenant, "15551234567@c.us").await, "Alice Accounting");
}

#[rstest]
#[case::raw("{chatId}")]
#[case::encoded("%7BchatId%7D")]
#[tokio::test(flavor = "multi_thread")]
async fn the_documented_url_saves_with_everything_in_its_query(#[case] segment: &str) {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    let target = filled_in(IN_QUERY, &tenant).replace("{chatId}", segment);
    let answer = app.wire().ask(&format!("PUT {target}"), &[], b"").unwrap();
    assert_eq!((answer.status, &*answer.body), (200, RESPONSE));
    assert_eq!(app.name(&tenant, "123456789@c.us").await, "John Doe");
}

#[rstest]
#[case::raw_at("15551234567@c.us")]
#[case::encoded_at("15551234567%40c.us")]
#[case::digits("15551234567")]
#[case::other_server("15551234567@s.whatsapp.net")]
#[case::encoded_plus("%2B15551234567")]
#[tokio::test(flavor = "multi_thread")]
async fn a_contact_is_put_at_its_own_path(#[case] segment: &str) {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    let target = format!("PUT /v2/contacts/{segment}?{}", tenant.in_query());
    let names = br#"{"firstName": "Ada", "lastName": "Lovelace"}"#;
    let answer = app.wire().ask(&target, &["Content-Type: application/json"], names).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(app.name(&tenant, "15551234567@c.us").await, "Ada Lovelace");
    assert_eq!(app.head(&tenant).await, (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_older_version_takes_names_from_the_query_and_shares_the_book() {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    let target =
        format!("/wp-json/awp/v1/contacts/15551234567@c.us?{}&firstName=Old&lastName=Client", tenant.in_query());
    told(app.request(Method::PUT, &target).send().await.unwrap(), 200).await;
    assert_eq!(app.name(&tenant, "15551234567").await, "Old Client");
    for path in ["/wp-json/awp/v1/contacts", "/v2/contacts"] {
        let all = told(app.get(&tenant, &format!("{path}/all"), &[]).await, 200).await;
        assert_eq!(all[0]["name"], "Old Client", "{path}");
    }
}

#[rstest]
#[case::a_first_name_alone_is_the_whole_name(json!({"firstName": "Rob"}), json!("Rob"))]
#[case::a_last_name_alone_keeps_the_first(json!({"lastName": "Jones"}), json!("Bob Jones"))]
#[case::neither_leaves_the_name_alone(json!({}), json!("Bob Smith"))]
#[case::both_replace_both(json!({"firstName": "Ann", "lastName": "Lee"}), json!("Ann Lee"))]
#[case::an_empty_last_name_clears_it(json!({"lastName": ""}), json!("Bob"))]
#[case::a_null_last_name_clears_it(json!({"lastName": null}), json!("Bob"))]
#[case::an_empty_first_name_clears_it(json!({"firstName": "", "lastName": "Jones"}), json!("Jones"))]
#[case::a_null_first_name_clears_it(json!({"firstName": null, "lastName": "Jones"}), json!("Jones"))]
#[case::a_blank_name_is_no_name(json!({"firstName": "  ", "lastName": " "}), json!(null))]
#[case::both_null_clear_all(json!({"firstName": null, "lastName": null}), json!(null))]
#[case::an_empty_first_name_alone_clears_all(json!({"firstName": ""}), json!(null))]
#[tokio::test(flavor = "multi_thread")]
async fn an_update_of(#[case] names: Value, #[case] becomes: Value) {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    app.save(&tenant, "123@c.us", "Bob", "Smith").await;
    let mut fields = names;
    fields["chatId"] = "123@c.us".into();
    told(app.update(&tenant, fields).await, 200).await;
    let contact = app.contact(&tenant, "123@c.us").await;
    assert_eq!((&contact["name"], &contact["isMyContact"]), (&becomes, &json!(!becomes.is_null())));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contact_without_names_is_made_sure_of() {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    told(app.update(&tenant, json!({"chatId": "123@c.us"})).await, 200).await;
    assert_eq!(app.head(&tenant).await, (1, 1));
    assert_eq!(app.name(&tenant, "123@c.us").await, Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_kept_as_they_were_typed() {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    let longest = "🌸".repeat(255);
    for name in ["Zoë e\u{301}", "محمد علي", "李小龍", "🌸 [VIP]", "O'Brien \"\\/", "<b>&amp;", &longest] {
        app.save(&tenant, "123@c.us", name, "").await;
        assert_eq!(app.name(&tenant, "123@c.us").await, *name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_spelling_of_a_number_is_one_contact() {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    for spelling in [
        "15551234567@c.us",
        "15551234567",
        "+15551234567",
        "+1 (555) 123-4567",
        "15551234567@s.whatsapp.net",
        "15551234567:4@s.whatsapp.net",
    ] {
        app.save(&tenant, spelling, "Alice", "").await;
        assert_eq!(app.head(&tenant).await, (1, 1), "{spelling}");
    }
    app.save(&tenant, "15551234567@lid", "Not Alice", "").await;
    assert_eq!(app.head(&tenant).await, (2, 2), "a LID with the same digits is somebody else");
}

#[rstest]
#[case::query_and_body("query", "body")]
#[case::body_and_query("body", "query")]
#[case::headers("access-token", "x-instance-id")]
#[case::bearer("bearer", "x-instance-id")]
#[case::token_header_beside_ids_in_the_query("access-token", "query")]
#[case::bearer_beside_ids_in_the_body("bearer", "body")]
#[case::all_in_the_query("query", "query")]
#[case::all_in_the_body("body", "body")]
#[tokio::test(flavor = "multi_thread")]
async fn credentials_may_stand_in(#[case] token_place: &str, #[case] instance_place: &str) {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    for (method, path) in
        [(Method::POST, "/v2/contacts/update"), (Method::PUT, "/v2/contacts/123@c.us"), (Method::GET, "/v2/contacts")]
    {
        let mut body = json!({"chatId": "123@c.us", "contactId": "123@c.us", "firstName": "Bob"});
        let mut request = app.request(method.clone(), path);
        for (place, name, value) in
            [(token_place, "access_token", &tenant.token), (instance_place, "instance_id", &tenant.id)]
        {
            match place {
                "query" => request = request.query(&[(name, value)]),
                "body" => body[name] = value.as_str().into(),
                "bearer" => request = request.bearer_auth(value),
                header => request = request.header(header, value),
            }
        }
        told(request.json(&body).send().await.unwrap(), 200).await;
    }
    assert_eq!(app.name(&tenant, "123@c.us").await, "Bob");
}

#[rstest]
#[case::query_over_body(&["query"], &["body", "access-token", "bearer"], 200)]
#[case::body_over_headers(&["body"], &["access-token", "bearer"], 200)]
#[case::bad_query_over_good_body(&["body", "access-token", "bearer"], &["query"], 401)]
#[case::bad_body_over_good_headers(&["access-token", "bearer"], &["body"], 401)]
#[tokio::test(flavor = "multi_thread")]
async fn of_two_tokens_the_one_that_counts(#[case] good: &[&str], #[case] bad: &[&str], #[case] status: u16) {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    let mut body = json!({"chatId": "123@c.us", "firstName": "Bob", "instance_id": tenant.id});
    let mut request = app.request(Method::POST, "/v2/contacts/update");
    for (places, token) in [(good, tenant.token.as_str()), (bad, "nonsense")] {
        for place in places {
            match *place {
                "query" => request = request.query(&[("access_token", token)]),
                "body" => body["access_token"] = token.into(),
                "bearer" => request = request.bearer_auth(token),
                header => request = request.header(header, token),
            }
        }
    }
    told(request.json(&body).send().await.unwrap(), status).await;
    assert_eq!(app.head(&tenant).await.0, u64::from(status == 200));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_field_said_twice_the_query_counts() {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    let body = tenant.body(json!({"chatId": "456@c.us", "firstName": "Body"}));
    let request = app.request(Method::POST, "/v2/contacts/update?chatId=123@c.us&firstName=Query").json(&body);
    told(request.send().await.unwrap(), 200).await;
    assert_eq!(app.name(&tenant, "123@c.us").await, "Query");
    assert_eq!(app.name(&tenant, "456@c.us").await, Value::Null);
    assert_eq!(app.head(&tenant).await.0, 1);
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
    app.save(&tenant, "123@c.us", "Bob", "Smith").await;
    for (verb, is_blocked) in [("block", true), ("block", true), ("unblock", false)] {
        let request = app.request(Method::POST, &format!("/v2/contacts/{verb}")).query(&tenant.query());
        let request = match is_in_query {
            true => request.query(&[(field, "123@c.us")]),
            false => request.json(&json!({field: "123@c.us"})),
        };
        assert_eq!(told(request.send().await.unwrap(), 200).await, json!({"ok": true}));
        let contact = app.contact(&tenant, "123@c.us").await;
        assert_eq!((&contact["isBlocked"], &contact["name"]), (&json!(is_blocked), &json!("Bob Smith")));
    }
    assert_eq!(app.head(&tenant).await, (1, 3), "blocking twice is blocking once");
    for verb in ["block", "unblock"] {
        let response = app.request(Method::POST, &format!("/v2/contacts/{verb}")).query(&tenant.query()).send().await;
        assert_wawp_error(&told(response.unwrap(), 400).await, 400);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_is_seen_in_its_own_instance_alone() {
    let app = TestApp::start().await;
    let (ours, theirs) = (app.instance().await, app.instance().await);
    app.save(&ours, "123@c.us", "Bob", "Smith").await;
    assert_eq!(app.name(&theirs, "123@c.us").await, Value::Null);
    app.save(&theirs, "123@c.us", "Robert", "").await;
    assert_eq!(app.name(&ours, "123@c.us").await, "Bob Smith");
    assert_eq!((app.head(&ours).await, app.head(&theirs).await), ((1, 1), (1, 1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_update_twice_moves_the_revision_once() {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    for _ in 0..3 {
        app.save(&tenant, "123@c.us", "Bob", "Smith").await;
        assert_eq!(app.head(&tenant).await, (1, 1));
    }
    app.save(&tenant, "123@c.us", "Bob", "Jones").await;
    assert_eq!(app.head(&tenant).await, (1, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_sent_in_one_go_are_answered_in_their_order() {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    let line = |what: String| format!("{what} HTTP/1.1\r\nHost: x\r\n\r\n");
    let mut bytes = String::new();
    for name in ["Ann", "Bob"] {
        bytes += &line(format!("PUT /v2/contacts/123@c.us?{}&firstName={name}", tenant.in_query()));
        bytes += &line(format!("GET /v2/contacts/123@c.us?{}", tenant.in_query()));
    }
    let mut wire = app.wire();
    wire.send(bytes.as_bytes()).unwrap();
    for name in ["Ann", "Bob"] {
        assert_eq!(wire.answer().unwrap().body, RESPONSE);
        assert_eq!(wire.answer().unwrap().json()["name"], name, "what was answered is read by whoever asks next");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_updates_at_once_of_one_number_are_one_contact() {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    let names: Vec<_> = (0..200).map(|number| format!("Bob {number}")).collect();
    join_all(names.iter().map(|name| app.save(&tenant, "123@c.us", name, ""))).await;
    let (contacts, revision) = app.head(&tenant).await;
    assert_eq!((contacts, revision), (1, 200), "every name is another, so each is a change");
    let name = app.name(&tenant, "123@c.us").await;
    assert!(names.iter().any(|known| name == known.as_str()), "{name}");
    let all = told(app.get(&tenant, "/v2/contacts/all", &[]).await, 200).await;
    assert_eq!(all.as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_clients_lose_nothing() {
    const EACH: usize = 10;
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    let client = async |client: usize| {
        for number in 0..EACH {
            app.save(&tenant, &format!("{}@c.us", 1_000 + client * EACH + number), "Client", &client.to_string()).await;
        }
    };
    join_all((0..64).map(client)).await;
    assert_eq!(app.head(&tenant).await, (640, 640));
    let all = told(app.get(&tenant, "/v2/contacts/all", &[("limit", "1000"), ("sortBy", "id")]).await, 200).await;
    let ids: Vec<_> = all.as_array().unwrap().iter().map(|contact| contact["id"].as_str().unwrap()).collect();
    let expected: Vec<_> = (1_000..1_640).map(|number| format!("{number}@c.us")).collect();
    assert_eq!(ids, expected);
}
