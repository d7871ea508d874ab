//! Looking around through WAHA: a key sees its own instance, as a session, and no other.

use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{TestApp, told};

/// All but the time, which must be one.
fn timeless(mut session: Value) -> Value {
    assert!(session["timestamps"]["activity"].take().as_i64().unwrap() > 1_700_000_000_000);
    session
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_sees_its_own_session_alone() {
    let app = TestApp::start().await;
    let (ours, _theirs) = (app.named_instance("ours").await, app.instance().await);
    let expected = json!({
        "name": "ours", "status": "WORKING", "config": {}, "me": null, "presence": {},
        "timestamps": {"activity": null}, "engine": {"engine": "WABOOK"},
    });
    for query in [&[][..], &[("all", "true")], &[("all", "False")]] {
        let mut listed = told(app.waha(&ours, "/sessions", query).await, 200).await;
        let listed = listed.as_array_mut().unwrap();
        assert_eq!(listed.len(), 1);
        assert_eq!(timeless(listed.remove(0)), expected);
    }
    for name in ["ours", "default"] {
        let one = told(app.waha(&ours, &format!("/sessions/{name}"), &[]).await, 200).await;
        assert_eq!(timeless(one), expected, "{name}");
    }
    told(app.waha(&ours, "/sessions", &[("all", "perhaps")]).await, 400).await;
}

#[rstest]
#[case("contacts:read", 200)]
#[case("account:read", 200)]
#[case("contacts:write", 403)]
#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_shown_to(#[case] scope: &str, #[case] status: u16) {
    let app = TestApp::start().await;
    let guest = app.limited(&app.instance().await, &[scope]).await;
    told(app.waha(&guest, "/sessions", &[]).await, status).await;
    told(app.waha(&guest, "/sessions/default", &[]).await, status).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_book_is_a_session_that_failed() {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    let folder = app.stop().await;
    let own = folder.path().join("sessions").join(&tenant.id);
    for entry in std::fs::read_dir(&own).unwrap() {
        std::fs::write(entry.unwrap().path(), b"no book").unwrap();
    }
    let app = TestApp::start_in(folder).await;
    let shown = told(app.waha(&tenant, "/sessions/default", &[]).await, 200).await;
    assert_eq!((&shown["name"], &shown["status"]), (&json!(tenant.id), &json!("FAILED")));
    let read = told(app.waha(&tenant, "/contacts/all", &[]).await, 503).await;
    assert_eq!(read["statusCode"], 503);
}
