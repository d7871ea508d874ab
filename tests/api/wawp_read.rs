//! Reading through Wawp: one contact, all of them, number checks, LIDs.

use futures_util::future::join_all;
use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{Tenant, TestApp, assert_wawp_error, text, told, with_mappings};

const LID_OF_PHONE: &str = include_str!("../fixtures/wawp/lids-pn.response.json");

#[tokio::test(flavor = "multi_thread")]
async fn a_saved_contact_has_all_documented_fields() {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    app.save(&tenant, "15551234567", "Alice", "Accounting").await;
    let expected = json!({
        "id": "15551234567@c.us", "number": "15551234567", "name": "Alice Accounting", "pushname": null,
        "shortName": "Alice", "isMe": false, "isGroup": false, "isWAContact": true, "isMyContact": true,
        "isBlocked": false, "isBusiness": false, "isEnterprise": false,
    });
    for id in ["15551234567@c.us", "15551234567", "+15551234567", "15551234567@s.whatsapp.net"] {
        assert_eq!(app.contact(&tenant, id).await, expected, "{id}");
    }
    for segment in ["15551234567@c.us", "15551234567%40c.us", "15551234567"] {
        let answer = app.wire().get(&format!("/v2/contacts/{segment}?{}", tenant.in_query())).unwrap();
        assert_eq!((answer.status, answer.json()), (200, expected.clone()), "{segment}");
    }
}

#[rstest]
#[case("123456789@c.us", "123456789")]
#[case("123456789@lid", "")]
#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_contact_reads_as_one_of_whom_nothing_is_known(#[case] id: &str, #[case] number: &str) {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    let contact = app.contact(&tenant, id).await;
    assert_eq!((&contact["id"], &contact["number"]), (&json!(id), &json!(number)));
    assert_eq!((&contact["name"], &contact["pushname"]), (&Value::Null, &Value::Null));
    assert_eq!((&contact["isMyContact"], &contact["isWAContact"]), (&json!(false), &json!(false)));
    let in_path = told(app.get(&tenant, &format!("/v2/contacts/{id}"), &[]).await, 200).await;
    assert_eq!(in_path, contact);
    assert_eq!(app.head(&tenant).await, (0, 0), "reading makes no contact");
}

#[rstest]
#[case::nobody(&[], "contactId")]
#[case::a_group(&[("contactId", "120363025246125486@g.us")], "contactId")]
#[case::words(&[("contactId", "bob")], "contactId")]
#[tokio::test(flavor = "multi_thread")]
async fn a_read_of(#[case] query: &[(&str, &str)], #[case] field: &str) {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    for path in ["/v2/contacts", "/v2/contacts/about", "/v2/contacts/profile-picture"] {
        let body = told(app.get(&tenant, path, query).await, 400).await;
        assert_wawp_error(&body, 400);
        assert!(text(&body["message"]).starts_with(field), "{path}: {body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_saved_is_there_after_a_restart() {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    app.save(&tenant, "123@c.us", "Bob", "Smith").await;
    let app = app.restart().await;
    assert_eq!(app.name(&tenant, "123@c.us").await, "Bob Smith");
    assert_eq!(app.head(&tenant).await, (1, 1));
}

/// Cid 300, ann 100, Bob 200, and a LID without a name.
async fn four_contacts() -> (TestApp, Tenant) {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    app.save(&tenant, "300@c.us", "Cid", "").await;
    app.save(&tenant, "100@c.us", "ann", "").await;
    app.save(&tenant, "200@c.us", "Bob", "").await;
    told(app.update(&tenant, json!({"chatId": "999@lid"})).await, 200).await;
    (app, tenant)
}

#[rstest]
#[case::by_name_unless_told_otherwise(&[], &["999@lid", "100@c.us", "200@c.us", "300@c.us"])]
#[case::by_name(&[("sortBy", "name")], &["999@lid", "100@c.us", "200@c.us", "300@c.us"])]
#[case::backwards(&[("sortBy", "name"), ("sortOrder", "DESC")], &["300@c.us", "200@c.us", "100@c.us", "999@lid"])]
#[case::in_lower_case(&[("sortBy", "Name"), ("sortOrder", "desc")], &["300@c.us", "200@c.us", "100@c.us", "999@lid"])]
#[case::by_id(&[("sortBy", "id"), ("sortOrder", "Asc")], &["100@c.us", "200@c.us", "300@c.us", "999@lid"])]
#[case::a_first_page(&[("limit", "2"), ("offset", "0")], &["999@lid", "100@c.us"])]
#[case::a_second_page(&[("limit", "2"), ("offset", "2")], &["200@c.us", "300@c.us"])]
#[case::a_last_page(&[("limit", "3"), ("offset", "3")], &["300@c.us"])]
#[case::beyond_the_end(&[("offset", "4")], &[])]
#[case::far_beyond_the_end(&[("offset", "4294967295")], &[])]
#[case::the_largest_page(&[("limit", "1000"), ("offset", "3")], &["300@c.us"])]
#[tokio::test(flavor = "multi_thread")]
async fn all_contacts(#[case] query: &[(&str, &str)], #[case] expected: &[&str]) {
    let (app, tenant) = four_contacts().await;
    let all = told(app.get(&tenant, "/v2/contacts/all", query).await, 200).await;
    let ids: Vec<_> = all.as_array().unwrap().iter().map(|contact| contact["id"].as_str().unwrap()).collect();
    assert_eq!(ids, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_shows_a_hundred_unless_told_otherwise() {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    let numbers: Vec<_> = (1_000..1_105).map(|number| number.to_string()).collect();
    join_all(numbers.iter().map(|number| app.save(&tenant, number, "Number", number))).await;
    for (query, expected) in [(&[][..], 100), (&[("offset", "100")], 5), (&[("limit", "1000")], 105)] {
        let all = told(app.get(&tenant, "/v2/contacts/all", query).await, 200).await;
        assert_eq!(all.as_array().unwrap().len(), expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listed_contact_is_the_contact() {
    let (app, tenant) = four_contacts().await;
    let all = told(app.get(&tenant, "/v2/contacts/all", &[]).await, 200).await;
    for listed in all.as_array().unwrap() {
        assert_eq!(*listed, app.contact(&tenant, listed["id"].as_str().unwrap()).await);
    }
}

#[rstest]
#[case("limit", "0")]
#[case("limit", "1001")]
#[case("limit", "-1")]
#[case("limit", "ten")]
#[case("limit", "1.5")]
#[case("offset", "-1")]
#[case("offset", "x")]
#[case("offset", "99999999999999999999")]
#[case("sortBy", "phone")]
#[case("sortBy", "name; DROP TABLE contact")]
#[case("sortOrder", "UP")]
#[tokio::test(flavor = "multi_thread")]
async fn a_list_cannot_be_asked_with(#[case] field: &str, #[case] value: &str) {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    let body = told(app.get(&tenant, "/v2/contacts/all", &[(field, value)]).await, 400).await;
    assert_wawp_error(&body, 400);
    assert!(text(&body["message"]).starts_with(field), "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_exists_if_the_book_knows_it() {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    app.save(&tenant, "15551234567", "Alice", "").await;
    let mut wire = app.wire();
    let mut check =
        |phone: &str| wire.get(&format!("/v2/contacts/check-exists?{}&phone={phone}", tenant.in_query())).unwrap();
    for phone in ["15551234567", "+15551234567", "%2B15551234567"] {
        let answer = check(phone);
        assert_eq!(answer.json(), json!({"numberExists": true, "chatId": "15551234567@c.us"}), "{phone}");
    }
    assert_eq!(check("201000000001").json(), json!({"numberExists": false}));
    for phone in [
        "0015551234567",
        "1-555-123-4567",
        "1%20555%20123",
        "(1)5551234567",
        "1.555.1234567",
        "15551234567@c.us",
        "",
        "abc",
    ] {
        let answer = check(phone);
        assert_eq!(answer.status, 400, "{phone}");
        assert_wawp_error(&answer.json(), 400);
    }
    let nobody = app.get(&tenant, "/v2/contacts/check-exists", &[]).await;
    assert_wawp_error(&told(nobody, 400).await, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_a_phone_could_tell_is_null() {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    app.save(&tenant, "123@c.us", "Bob", "").await;
    let about = told(app.get(&tenant, "/v2/contacts/about", &[("contactId", "123@c.us")]).await, 200).await;
    assert_eq!(about, json!({"about": null}));
    for refresh in ["True", "false", "1", "TRUE", ""] {
        let query = [("contactId", "123@c.us"), ("refresh", refresh)];
        let picture = told(app.get(&tenant, "/v2/contacts/profile-picture", &query).await, 200).await;
        assert_eq!(picture, json!({"profilePictureURL": null}), "{refresh}");
    }
    let query = [("contactId", "123@c.us"), ("refresh", "perhaps")];
    assert_wawp_error(&told(app.get(&tenant, "/v2/contacts/profile-picture", &query).await, 400).await, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documented_lid_of_a_phone() {
    let (app, tenant) = with_mappings().await;
    let expected: Value = serde_json::from_str(LID_OF_PHONE).unwrap();
    let (credentials, mut wire) = (tenant.in_query(), app.wire());
    for target in [
        format!("/v2/lids/pn/15551234567?{credentials}"),
        format!("/v2/lids/pn/%2B15551234567?{credentials}"),
        format!("/v2/lids/pn/15551234567@c.us?{credentials}"),
        format!("/v2/lids/pn/{{number}}?{credentials}&number=15551234567"),
        format!("/v2/lids/pn/%7Bnumber%7D?number=15551234567&{credentials}"),
    ] {
        let answer = wire.get(&target).unwrap();
        assert_eq!((answer.status, answer.json()), (200, expected.clone()));
    }
    let unknown = wire.get(&format!("/v2/lids/pn/4930123456?{credentials}")).unwrap();
    assert_eq!(unknown.json(), json!({"lid": null, "number": "4930123456"}));
    for target in ["/v2/lids/pn/{number}", "/v2/lids/pn/999888777@lid", "/v2/lids/pn/abc"] {
        let refused = wire.get(&format!("{target}?{credentials}")).unwrap();
        assert_eq!(refused.status, 400, "{target}");
        assert_wawp_error(&refused.json(), 400);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lids_are_listed_and_counted() {
    let (app, tenant) = with_mappings().await;
    let mapping = |lid: &str, phone: &str| json!({"lid": format!("{lid}@lid"), "pn": format!("{phone}@c.us")});
    let all =
        [mapping("100000000000001", "4917012345"), mapping("555", "201234567890"), mapping("999888777", "15551234567")];
    assert_eq!(told(app.get(&tenant, "/v2/lids", &[]).await, 200).await, json!(all));
    let page = told(app.get(&tenant, "/v2/lids", &[("limit", "1"), ("offset", "1")]).await, 200).await;
    assert_eq!(page, json!(all[1..2]));
    assert_eq!(told(app.get(&tenant, "/v2/lids/count", &[]).await, 200).await, json!({"count": 3}));
    assert_eq!(told(app.get(&tenant, "/wp-json/awp/v1/lids/count", &[]).await, 200).await, json!({"count": 3}));
    assert_wawp_error(&told(app.get(&tenant, "/v2/lids", &[("limit", "0")]).await, 400).await, 400);
    let other = app.instance().await;
    assert_eq!(told(app.get(&other, "/v2/lids", &[]).await, 200).await, json!([]), "mappings never cross instances");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_phone_of_a_lid() {
    let (app, tenant) = with_mappings().await;
    for segment in ["999888777@lid", "999888777%40lid", "999888777"] {
        let answer = app.wire().get(&format!("/v2/lids/{segment}?{}", tenant.in_query())).unwrap();
        assert_eq!(answer.json(), json!({"lid": "999888777@lid", "number": "15551234567"}), "{segment}");
    }
    let unknown = told(app.get(&tenant, "/v2/lids/777@lid", &[]).await, 200).await;
    assert_eq!(unknown, json!({"lid": "777@lid", "number": null}));
    for segment in ["15551234567@c.us", "bob", "pn"] {
        assert_wawp_error(&told(app.get(&tenant, &format!("/v2/lids/{segment}"), &[]).await, 400).await, 400);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_and_its_lid_are_one_contact_and_a_save_keeps_the_pushname() {
    let (app, tenant) = with_mappings().await;
    let before = app.head(&tenant).await;
    app.save(&tenant, "999888777@lid", "Alice", "from Accounting").await;
    for id in ["15551234567@c.us", "999888777@lid"] {
        let contact = app.contact(&tenant, id).await;
        assert_eq!(contact["id"], "15551234567@c.us", "{id}");
        assert_eq!((&contact["name"], &contact["pushname"]), (&json!("Alice from Accounting"), &json!("Alice 🌸")));
    }
    assert_eq!(app.head(&tenant).await, (before.0, before.1 + 1));
    told(app.update(&tenant, json!({"chatId": "15551234567", "firstName": null})).await, 200).await;
    let contact = app.contact(&tenant, "999888777@lid").await;
    assert_eq!((&contact["name"], &contact["pushname"]), (&Value::Null, &json!("Alice 🌸")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_request_has_no_body_and_the_connection_goes_on() {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    let mut wire = app.wire();
    let target = format!("/v2/contacts?{}&contactId=123@c.us", tenant.in_query());
    wire.ask(&format!("HEAD {target}"), &[], b"").unwrap();
    assert_eq!(wire.get(&target).unwrap().json()["id"], "123@c.us");
    let response = app.request(Method::HEAD, &target).send().await.unwrap();
    assert_eq!(response.bytes().await.unwrap(), "");
}
