//! Webhooks as they are registered, shown, changed and removed: who may, what is refused, and what is never shown again.

use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Tenant, TestApp, problem, text, told};

const URL: &str = "https://8.8.8.8/hook";

fn of(tenant: &Tenant, rest: &str) -> String {
    format!("/v1/instances/{}/webhooks{rest}", tenant.id)
}

async fn register(app: &TestApp, tenant: &Tenant, wish: Value) -> Value {
    told(app.v1(&tenant.token, Method::POST, &of(tenant, ""), Some(wish)).await, 201).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_is_as_it_was_wished_and_its_secret_is_shown_once() {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    app.save(&tenant, "111", "Ann", "").await;
    let wish = json!({"url": URL, "types": ["contact.deleted", "contact.created"], "description": "the CRM"});
    let made = register(&app, &tenant, wish).await;
    let (id, secret) = (text(&made["webhook_id"]), text(&made["secret"]));
    assert!(id.starts_with("wh_") && secret.starts_with("whsec_"), "{made}");
    assert_eq!(made["types"], json!(["contact.created", "contact.deleted"]));
    assert_eq!((&made["state"], &made["since"], &made["url"]), (&json!("active"), &json!(1), &json!(URL)));

    let shown = told(app.v1(&tenant.token, Method::GET, &of(&tenant, &format!("/{id}")), None).await, 200).await;
    assert_eq!((&shown["description"], &shown["warning"]), (&json!("the CRM"), &Value::Null));
    let list = app.v1(&tenant.token, Method::GET, &of(&tenant, ""), None).await.text().await.unwrap();
    assert!(!list.contains("secret\":\"") && !list.contains("whsec_"), "{list}");
    for file in ["gateway.db", "gateway.db-wal"] {
        let bytes = std::fs::read(app.sessions().join(file)).unwrap_or_default();
        assert!(!bytes.windows(20).any(|part| part == &secret.as_bytes()[6..26]), "the secret is in {file}");
    }
    let app = app.restart().await;
    assert_eq!(told(app.v1(&tenant.token, Method::GET, &of(&tenant, &format!("/{id}")), None).await, 200).await, shown);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_wished_for_is_everything() {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    let made = register(&app, &tenant, json!({"url": URL})).await;
    assert_eq!(made["types"], json!(["contact.created", "contact.updated", "contact.deleted", "contact.merged"]));
    assert_eq!(made["description"], Value::Null);
}

#[rstest]
#[case::no_url(json!({}), "url")]
#[case::null(json!({"url": null}), "url")]
#[case::a_number(json!({"url": 1}), "url")]
#[case::no_absolute_url(json!({"url": "/hook"}), "url")]
#[case::another_scheme(json!({"url": "ftp://example.com/"}), "url")]
#[case::a_password(json!({"url": "https://a:b@example.com/"}), "url")]
#[case::this_machine(json!({"url": "http://localhost:8080/"}), "url")]
#[case::loopback(json!({"url": "http://127.0.0.1/"}), "url")]
#[case::loopback_as_a_number(json!({"url": "http://2130706433/"}), "url")]
#[case::loopback_in_six(json!({"url": "http://[::ffff:127.0.0.1]/"}), "url")]
#[case::a_private_network(json!({"url": "http://192.168.1.1/"}), "url")]
#[case::a_clouds_metadata(json!({"url": "http://169.254.169.254/latest/"}), "url")]
#[case::too_long(json!({"url": format!("https://8.8.8.8/{}", "x".repeat(2048))}), "url")]
#[case::an_unknown_type(json!({"url": URL, "types": ["contact.seen"]}), "types")]
#[case::no_type(json!({"url": URL, "types": []}), "types")]
#[case::a_word_for_types(json!({"url": URL, "types": "contact.created"}), "types")]
#[case::a_description_of_two_lines(json!({"url": URL, "description": "a\nb"}), "description")]
#[tokio::test(flavor = "multi_thread")]
async fn a_wish_that_cannot_be_granted(#[case] wish: Value, #[case] field: &str) {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    let refused = problem(app.v1(&tenant.token, Method::POST, &of(&tenant, ""), Some(wish)).await, 400).await;
    assert_eq!(refused["field"], field);
    assert!(!refused["detail"].as_str().unwrap().contains("127."), "what stood there is not repeated");
    let list = told(app.v1(&tenant.token, Method::GET, &of(&tenant, ""), None).await, 200).await;
    assert_eq!(list["webhooks"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_changes_what_it_mentions() {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    let made = register(&app, &tenant, json!({"url": URL, "description": "the CRM"})).await;
    let path = of(&tenant, &format!("/{}", text(&made["webhook_id"])));
    let patch =
        async |body: Value, status| told(app.v1(&tenant.token, Method::PATCH, &path, Some(body)).await, status).await;
    let changed = patch(json!({"state": "paused", "types": ["contact.merged"]}), 200).await;
    assert_eq!((&changed["state"], &changed["types"]), (&json!("paused"), &json!(["contact.merged"])));
    assert_eq!((&changed["url"], &changed["description"]), (&made["url"], &made["description"]));
    let changed = patch(json!({"description": null, "url": "https://1.1.1.1/x", "state": "active"}), 200).await;
    assert_eq!((&changed["url"], &changed["description"]), (&json!("https://1.1.1.1/x"), &Value::Null));
    for wrong in [json!({"url": "http://10.0.0.1/"}), json!({"state": "disabled"}), json!({"url": null})] {
        patch(wrong, 400).await;
    }
    assert_eq!(patch(json!({}), 200).await["url"], "https://1.1.1.1/x");
}

#[tokio::test(flavor = "multi_thread")]
async fn there_are_only_so_many() {
    let app = TestApp::start_with(TempDir::new().unwrap(), |config| config.limits.webhooks = 2).await;
    let (tenant, other) = (app.instance().await, app.instance().await);
    register(&app, &tenant, json!({"url": URL})).await;
    let second = text(&register(&app, &tenant, json!({"url": URL})).await["webhook_id"]);
    let third = app.v1(&tenant.token, Method::POST, &of(&tenant, ""), Some(json!({"url": URL}))).await;
    assert_eq!(problem(third, 409).await["code"], "enough");
    register(&app, &other, json!({"url": URL})).await;
    told(app.v1(&tenant.token, Method::DELETE, &of(&tenant, &format!("/{second}")), None).await, 204).await;
    register(&app, &tenant, json!({"url": URL})).await;
}

#[rstest]
#[case(Method::GET, "")]
#[case(Method::PATCH, "")]
#[case(Method::DELETE, "")]
#[case(Method::POST, "/secret")]
#[case(Method::GET, "/deliveries")]
#[case(Method::POST, "/replay")]
#[tokio::test(flavor = "multi_thread")]
async fn nobody_reaches_a_webhook_who_may_not(#[case] method: Method, #[case] tail: &str) {
    let app = TestApp::start().await;
    let (tenant, other) = (app.instance().await, app.instance().await);
    let id = text(&register(&app, &tenant, json!({"url": URL})).await["webhook_id"]);
    let body = (method != Method::GET).then(|| json!({"since": 0}));
    let ask = async |token: &str, owner: &Tenant, id: &str, status: u16| {
        let path = of(owner, &format!("/{id}{tail}"));
        problem(app.v1(token, method.clone(), &path, body.clone()).await, status).await["code"].clone()
    };
    let reader = app.limited(&tenant, &["contacts:read", "contacts:write"]).await;
    assert_eq!(ask(&reader.token, &tenant, &id, 403).await, "forbidden");
    assert_eq!(ask(&other.token, &tenant, &id, 401).await, "refused");
    assert_eq!(ask("wab_nothing", &tenant, &id, 401).await, "refused");
    assert_eq!(ask(&other.token, &other, &id, 404).await, "no_webhook", "somebody else's");
    assert_eq!(ask(&tenant.token, &tenant, "wh_0000000000000000", 404).await, "no_webhook");
    assert_eq!(ask(&app.admin_token, &tenant, "x", 404).await, "no_webhook");
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_go_with_their_instance() {
    let app = TestApp::start().await;
    let tenant = app.named_instance("shop").await;
    register(&app, &tenant, json!({"url": URL})).await;
    told(app.admin(Method::DELETE, "/v1/instances/shop", None).await, 204).await;
    let again = app.named_instance("shop").await;
    let list = told(app.v1(&again.token, Method::GET, &of(&again, ""), None).await, 200).await;
    assert_eq!(list["webhooks"], json!([]));
}
