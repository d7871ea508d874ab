//! LIDs through WAHA: the known mappings, listed, counted, asked for from either side.

use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{TestApp, told, with_mappings};

#[tokio::test(flavor = "multi_thread")]
async fn lids_are_listed_and_counted() {
    let (app, tenant) = with_mappings().await;
    let mapping = |lid: &str, phone: &str| json!({"lid": format!("{lid}@lid"), "pn": format!("{phone}@c.us")});
    let all =
        [mapping("100000000000001", "4917012345"), mapping("555", "201234567890"), mapping("999888777", "15551234567")];
    for session in ["default", "mapped"] {
        assert_eq!(told(app.waha(&tenant, &format!("/{session}/lids"), &[]).await, 200).await, json!(all));
        let count = told(app.waha(&tenant, &format!("/{session}/lids/count"), &[]).await, 200).await;
        assert_eq!(count, json!({"count": 3}));
    }
    let page = told(app.waha(&tenant, "/default/lids", &[("limit", "1"), ("offset", "1")]).await, 200).await;
    assert_eq!(page, json!(all[1..2]));
    let other = app.instance().await;
    assert_eq!(
        told(app.waha(&other, "/default/lids", &[]).await, 200).await,
        json!([]),
        "mappings never cross instances"
    );
    assert_eq!(told(app.waha(&other, "/default/lids/count", &[]).await, 200).await, json!({"count": 0}));
}

#[rstest]
#[case::digits("pn/15551234567", json!({"lid": "999888777@lid", "pn": "15551234567@c.us"}))]
#[case::a_chat_id("pn/15551234567@c.us", json!({"lid": "999888777@lid", "pn": "15551234567@c.us"}))]
#[case::an_encoded_chat_id("pn/15551234567%40c.us", json!({"lid": "999888777@lid", "pn": "15551234567@c.us"}))]
#[case::an_encoded_plus("pn/%2B15551234567", json!({"lid": "999888777@lid", "pn": "15551234567@c.us"}))]
#[case::an_unknown_phone("pn/4930123456", json!({"lid": null, "pn": "4930123456@c.us"}))]
#[case::a_lid_for_a_phone("pn/999888777@lid", json!({"lid": "999888777@lid", "pn": null}))]
#[case::an_unknown_lid_for_a_phone("pn/777@lid", json!({"lid": "777@lid", "pn": null}))]
#[case::a_lid("999888777@lid", json!({"lid": "999888777@lid", "pn": "15551234567@c.us"}))]
#[case::an_encoded_lid("999888777%40lid", json!({"lid": "999888777@lid", "pn": "15551234567@c.us"}))]
#[case::bare_digits_are_a_lid_here("999888777", json!({"lid": "999888777@lid", "pn": "15551234567@c.us"}))]
#[case::an_unknown_lid("15551234567", json!({"lid": "15551234567@lid", "pn": null}))]
#[tokio::test(flavor = "multi_thread")]
async fn one_mapping(#[case] what: &str, #[case] expected: Value) {
    let (app, tenant) = with_mappings().await;
    let key = format!("X-Api-Key: {}", tenant.token);
    let answer = app.wire().ask(&format!("GET /api/default/lids/{what}"), &[&key], b"").unwrap();
    assert_eq!((answer.status, answer.json()), (200, expected), "{}", answer.text());
}

#[rstest]
#[case::a_phone("15551234567@c.us")]
#[case::a_group("120363025246125486@g.us")]
#[case::words("bob")]
#[case::too_short("12@lid")]
#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_lid(#[case] segment: &str) {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    let refused = told(app.waha(&tenant, &format!("/default/lids/{segment}"), &[]).await, 422).await;
    let message = "Invalid LID - it must end with @lid";
    assert_eq!(refused, json!({"statusCode": 422, "message": message, "error": "Unprocessable Entity"}));
}
