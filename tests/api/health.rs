//! `/healthz`, `/readyz`, `/metrics`: for whoever runs the gateway, without credentials and without anybody's data.

use reqwest::Method;
use rstest::rstest;
use serde_json::json;

use crate::support::{TestApp, problem, told};

#[tokio::test(flavor = "multi_thread")]
async fn a_started_gateway_is_alive_and_ready() {
    let app = TestApp::start().await;
    for (path, status) in [("/healthz", "ok"), ("/readyz", "ready")] {
        let response = app.request(Method::GET, path).send().await.unwrap();
        assert_eq!(response.headers()["cache-control"], "no-store");
        assert_eq!(told(response, 200).await, json!({"status": status}));
    }
}

#[rstest]
#[case("/healthz")]
#[case("/readyz")]
#[case("/metrics")]
#[tokio::test(flavor = "multi_thread")]
async fn these_are_only_read(#[case] path: &str) {
    let app = TestApp::start().await;
    let refused = app.request(Method::POST, path).send().await.unwrap();
    assert_eq!(refused.headers()["allow"], "GET");
    problem(refused, 405).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_count_by_route_and_name_nobody() {
    let app = TestApp::start().await;
    let tenant = app.named_instance("quiet-corner").await;
    app.save(&tenant, "15551234567", "Zebulon", "Quagmire").await;
    app.get(&tenant, "/v2/contacts/15551234567@c.us", &[]).await;
    app.get(&tenant, "/v2/15551234567", &[]).await;
    let response = app.request(Method::GET, "/metrics").send().await.unwrap();
    assert!(response.headers()["content-type"].to_str().unwrap().starts_with("text/plain; version=0.0.4"));
    let metrics = response.text().await.unwrap();
    assert!(metrics.contains(r#"wabook_http_requests_total{route="/v2/contacts/update",method="POST",status="2xx"}"#));
    assert!(metrics.contains("/v2/contacts/{chatId}"));
    for word in ["quiet-corner", "1555", "Zebulon", "Quagmire", "wab_", tenant.token.as_str()] {
        assert!(!metrics.contains(word), "{word}");
    }
}
