//! Who may do what: what an outsider can learn (nothing), scopes, expiry, revocation, rotation, and that all of it
//! outlives the process.

use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{Tenant, TestApp, assert_wawp_error, problem, text, told};

/// An answer without its date, to be compared whole.
type Bytes = (u16, Vec<(String, String)>, Vec<u8>);

fn update(app: &TestApp, tenant: &Tenant) -> Bytes {
    let fields = tenant.body(json!({"chatId": "123@c.us", "firstName": "Bob"}));
    app.wire().post("/v2/contacts/update", &fields).unwrap().undated()
}

fn read(app: &TestApp, tenant: &Tenant) -> Bytes {
    app.wire().get(&format!("/v2/contacts?contactId=123@c.us&{}", tenant.in_query())).unwrap().undated()
}

async fn revoke(app: &TestApp, tenant: &Tenant, token: &Value) {
    let path = format!("/v1/instances/{}/tokens/{}", tenant.id, text(&token["token_id"]));
    told(app.admin(Method::DELETE, &path, None).await, 204).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_strangers_get_the_same_bytes() {
    let app = TestApp::start().await;
    let (ours, theirs) = (app.instance().await, app.instance().await);
    let own = |token: &str| Tenant { id: ours.id.clone(), token: token.to_owned() };

    let revoked = app.token(&ours, json!({})).await;
    revoke(&app, &ours, &revoked).await;
    let rotated = app.token(&ours, json!({})).await;
    let path = format!("/v1/instances/{}/tokens/{}/rotate", ours.id, text(&rotated["token_id"]));
    told(app.admin(Method::POST, &path, None).await, 201).await;
    let mut typo = ours.token.clone();
    typo.replace_range(10..11, if &typo[10..11] == "A" { "B" } else { "A" });

    let strangers = [
        ("garbage", own("garbage")),
        ("an empty token", own("")),
        ("a mistyped token", own(&typo)),
        ("a longer token", own(&format!("{}A", ours.token))),
        ("a well-formed token that never was", own(wabook::gateway::AccessToken::random().reveal())),
        ("a revoked token", own(&text(&revoked["access_token"]))),
        ("a rotated token", own(&text(&rotated["access_token"]))),
        ("an expired token", app.expired(&ours).await),
        ("a foreign token", own(&theirs.token)),
        ("the admin token", own(&app.admin_token)),
        ("a good token, an unknown instance", Tenant { id: "nowhere".into(), token: ours.token.clone() }),
        ("a good token, an impossible instance", Tenant { id: "..".into(), token: ours.token.clone() }),
        ("a good token, an empty instance", Tenant { id: String::new(), token: ours.token.clone() }),
        ("nothing right at all", Tenant { id: "nowhere".into(), token: "garbage".into() }),
    ];
    let missing = app.wire().post("/v2/contacts/update", &json!({"chatId": "123@c.us"})).unwrap();
    assert_wawp_error(&missing.json(), 401);
    assert!(missing.header("www-authenticate").is_some());
    let expected = missing.undated();
    let nameless = app.wire().post("/v2/contacts/update", &json!({"chatId": "1", "instance_id": ours.id})).unwrap();
    assert_eq!(nameless.undated(), expected, "a stranger does not learn that the chat id was wrong");
    for (who, stranger) in &strangers {
        assert_eq!(update(&app, stranger), expected, "{who}");
        assert_eq!(read(&app, stranger), expected, "{who}");
    }
    for route in ["contacts/all", "contacts/123@c.us", "contacts/check-exists", "lids", "lids/count", "lids/pn/x"] {
        let answer = app.wire().get(&format!("/v2/{route}?{}", strangers[0].1.in_query())).unwrap();
        assert_eq!(answer.undated(), expected, "{route}");
    }
    assert_eq!((app.head(&ours).await, app.head(&theirs).await), ((0, 0), (0, 0)));
    assert_eq!(update(&app, &ours).0, 200);
}

#[rstest]
#[case::may_read(&["contacts:read"], [200, 403, 403])]
#[case::may_write(&["contacts:write"], [403, 200, 403])]
#[case::may_see_the_account(&["account:read"], [403, 403, 200])]
#[case::may_all_of_contacts(&["contacts:*"], [200, 200, 403])]
#[case::may_hand_out_tokens(&["instance:admin"], [403, 403, 403])]
#[case::may_everything(&["*"], [200, 200, 200])]
#[tokio::test(flavor = "multi_thread")]
async fn a_token_that(#[case] scopes: &[&str], #[case] expected: [u16; 3]) {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    let limited = app.limited(&tenant, scopes).await;
    let show = app.v1(&limited.token, Method::GET, &format!("/v1/instances/{}", tenant.id), None).await;
    let found = [read(&app, &limited).0, update(&app, &limited).0, show.status().as_u16()];
    assert_eq!(found, expected);
    assert_eq!(app.head(&tenant).await.0, u64::from(expected[1] == 200));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_scope_is_named() {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    let reader = app.limited(&tenant, &["contacts:read"]).await;
    let fields = json!({"chatId": "123@c.us", "firstName": "Bob"});
    let refused = told(app.update(&reader, fields).await, 403).await;
    assert_wawp_error(&refused, 403);
    assert!(text(&refused["message"]).contains("contacts:write"), "{refused}");
    for verb in ["block", "unblock"] {
        let request = app.request(Method::POST, &format!("/v2/contacts/{verb}")).query(&reader.query());
        told(request.query(&[("contactId", "123")]).send().await.unwrap(), 403).await;
    }
    let path = format!("/v1/instances/{}/tokens", tenant.id);
    let refused = problem(app.v1(&reader.token, Method::GET, &path, None).await, 403).await;
    assert!(text(&refused["detail"]).contains("instance:admin"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_expires_and_says_so_to_its_owner() {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    let lasting = app.token(&tenant, json!({"expires_in": "1h"})).await;
    let lasting = Tenant { id: tenant.id.clone(), token: text(&lasting["access_token"]) };
    app.expired(&tenant).await;
    assert_eq!(read(&app, &lasting).0, 200);
    let listed = told(app.admin(Method::GET, &format!("/v1/instances/{}/tokens", tenant.id), None).await, 200).await;
    let states: Vec<_> = listed["tokens"].as_array().unwrap().iter().map(|token| text(&token["state"])).collect();
    assert_eq!(states.iter().filter(|state| *state == "expired").count(), 1);
    assert_eq!(states.iter().filter(|state| *state == "active").count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_and_their_ends_outlive_the_process() {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    let revoked = app.token(&tenant, json!({})).await;
    revoke(&app, &tenant, &revoked).await;
    let revoked = Tenant { id: tenant.id.clone(), token: text(&revoked["access_token"]) };
    let expired = app.expired(&tenant).await;
    let reader = app.limited(&tenant, &["contacts:read"]).await;
    let old = app.token(&tenant, json!({})).await;
    let path = format!("/v1/instances/{}/tokens/{}/rotate", tenant.id, text(&old["token_id"]));
    let fresh = told(app.admin(Method::POST, &path, None).await, 201).await;
    let holder = |token: &Value| Tenant { id: tenant.id.clone(), token: text(&token["access_token"]) };
    let (old, fresh) = (holder(&old), holder(&fresh));
    let admin_token = app.admin_token.clone();

    let app = app.restart().await;
    assert_eq!(app.admin_token, admin_token);
    assert_eq!((update(&app, &tenant).0, update(&app, &fresh).0), (200, 200));
    assert_eq!((read(&app, &reader).0, update(&app, &reader).0), (200, 403));
    for gone in [&revoked, &expired, &old] {
        assert_eq!(read(&app, gone).0, 401);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instances_administrator_manages_its_own_tokens_and_no_others() {
    let app = TestApp::start().await;
    let (ours, theirs) = (app.instance().await, app.instance().await);
    let admin = app.limited(&ours, &["instance:admin"]).await;
    let own = format!("/v1/instances/{}/tokens", ours.id);
    let made = told(app.v1(&admin.token, Method::POST, &own, Some(json!({"scopes": ["contacts:*"]}))).await, 201).await;
    let guest = Tenant { id: ours.id.clone(), token: text(&made["access_token"]) };
    assert_eq!(update(&app, &guest).0, 200);
    let one = format!("{own}/{}", text(&made["token_id"]));
    told(app.v1(&admin.token, Method::GET, &own, None).await, 200).await;
    told(app.v1(&admin.token, Method::GET, &one, None).await, 200).await;
    told(app.v1(&admin.token, Method::DELETE, &one, None).await, 204).await;
    assert_eq!(update(&app, &guest).0, 401);

    let victim = app.token(&theirs, json!({})).await;
    let victim_id = text(&victim["token_id"]);
    for (method, path) in [
        (Method::GET, format!("/v1/instances/{}/tokens", theirs.id)),
        (Method::POST, format!("/v1/instances/{}/tokens", theirs.id)),
        (Method::GET, format!("/v1/instances/{}/tokens/{victim_id}", theirs.id)),
        (Method::DELETE, format!("/v1/instances/{}/tokens/{victim_id}", theirs.id)),
        (Method::POST, format!("/v1/instances/{}/tokens/{victim_id}/rotate", theirs.id)),
    ] {
        problem(app.v1(&admin.token, method, &path, None).await, 401).await;
    }
    // Nor through its own path.
    let through = format!("{own}/{victim_id}");
    problem(app.v1(&admin.token, Method::DELETE, &through, None).await, 404).await;
    problem(app.v1(&admin.token, Method::POST, &format!("{through}/rotate"), None).await, 404).await;
    let victim = Tenant { id: theirs.id.clone(), token: text(&victim["access_token"]) };
    assert_eq!(update(&app, &victim).0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn to_an_instances_token_a_foreign_instance_is_a_missing_one() {
    let app = TestApp::start().await;
    let (ours, theirs) = (app.instance().await, app.instance().await);
    let reader = app.limited(&ours, &["contacts:read"]).await;
    let token = text(&app.token(&theirs, json!({})).await["token_id"]);
    for holder in [&ours.token, &reader.token, "garbage"] {
        let bearer = format!("Authorization: Bearer {holder}");
        for (method, tail) in [
            ("GET", String::new()),
            ("DELETE", String::new()),
            ("POST", "/check".to_owned()),
            ("GET", "/tokens".to_owned()),
            ("POST", "/tokens".to_owned()),
            ("GET", format!("/tokens/{token}")),
            ("DELETE", format!("/tokens/{token}")),
            ("POST", format!("/tokens/{token}/rotate")),
        ] {
            let ask = |id: &str| {
                app.wire().ask(&format!("{method} /v1/instances/{id}{tail}"), &[&bearer], b"").unwrap().undated()
            };
            let foreign = ask(&theirs.id);
            assert_eq!(foreign.0, 401, "{method} {tail}");
            assert_eq!(foreign, ask("nowhere"), "{method} {tail}");
            assert_eq!(foreign, ask("a.b"), "{method} {tail}");
        }
    }
    assert_eq!(update(&app, &theirs).0, 200);
}

#[rstest]
#[case(Method::GET, "/v1/instances")]
#[case(Method::POST, "/v1/instances")]
#[case(Method::POST, "/v1/backup")]
#[tokio::test(flavor = "multi_thread")]
async fn only_the_admin_may(#[case] method: Method, #[case] path: &str) {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    for token in [tenant.token.as_str(), "garbage", ""] {
        problem(app.v1(token, method.clone(), path, Some(json!({"folder": "/nowhere"}))).await, 401).await;
    }
    problem(app.request(method, path).send().await.unwrap(), 401).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_instance_removes_itself() {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    let path = format!("/v1/instances/{}", tenant.id);
    problem(app.v1(&tenant.token, Method::DELETE, &path, None).await, 401).await;
    assert_eq!(update(&app, &tenant).0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_admin_of_the_network_cannot_make_the_server_write_files() {
    let app = TestApp::start().await;
    let folder = app.sessions().with_file_name("elsewhere");
    let wish = json!({"folder": folder.to_str().unwrap()});
    problem(app.admin(Method::POST, "/v1/backup", Some(wish)).await, 403).await;
    assert!(!folder.exists());
}
