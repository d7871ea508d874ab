//! Who may do what in WA.cr's dialect: strangers, scopes, the order of checks, the rate limit and how it is told; and the
//! account.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    shared::wire::Answer,
    support::{TestApp, text, told},
    wacr_stage::{Crm, assert_error, bad, good, is_time, new},
};

/// An answer without what is drawn anew for each.
fn undated(answer: Answer) -> (u16, Vec<(String, String)>, Value) {
    let mut body = answer.json();
    body["meta"] = Value::Null;
    let (status, head, _) = answer.undated();
    (status, head, body)
}

const ROUTES: [(&str, &str, &str); 27] = [
    ("GET", "/contacts", "contacts:read"),
    ("POST", "/contacts", "contacts:write"),
    ("GET", "/contacts/1", "contacts:read"),
    ("PATCH", "/contacts/1", "contacts:write"),
    ("DELETE", "/contacts/1", "contacts:delete"),
    ("POST", "/contacts/batch", "contacts:write"),
    ("DELETE", "/contacts/batch", "contacts:delete"),
    ("GET", "/groups", "groups:read"),
    ("POST", "/groups", "groups:write"),
    ("GET", "/groups/1", "groups:read"),
    ("PATCH", "/groups/1", "groups:write"),
    ("DELETE", "/groups/1", "groups:delete"),
    ("POST", "/groups/1/contacts", "groups:write"),
    ("DELETE", "/groups/1/contacts", "groups:write"),
    ("GET", "/sources", "sources:read"),
    ("POST", "/sources", "sources:write"),
    ("GET", "/sources/1", "sources:read"),
    ("PATCH", "/sources/1", "sources:write"),
    ("DELETE", "/sources/1", "sources:write"),
    ("GET", "/statuses", "statuses:read"),
    ("POST", "/statuses", "statuses:write"),
    ("GET", "/statuses/1", "statuses:read"),
    ("PATCH", "/statuses/1", "statuses:write"),
    ("DELETE", "/statuses/1", "statuses:write"),
    ("GET", "/account", "account:read"),
    ("GET", "/account/usage", "account:read"),
    ("GET", "/account/limits", "account:read"),
];

#[tokio::test(flavor = "multi_thread")]
async fn all_strangers_get_the_same_answer_everywhere() {
    let crm = Crm::begin().await;
    let token = crm.app.token(&crm.tenant, json!({})).await;
    let path = format!("/v1/instances/{}/tokens/{}", crm.tenant.id, text(&token["token_id"]));
    told(crm.app.admin(Method::DELETE, &path, None).await, 204).await;
    let unknown = wabook::gateway::AccessToken::random();
    let bearers = [
        "X-Nothing: at all".to_owned(),
        "Authorization: Bearer ".to_owned(),
        "Authorization: Bearer garbage".to_owned(),
        format!("Authorization: Bearer {}", unknown.reveal()),
        format!("Authorization: Bearer {}", text(&token["access_token"])),
        format!("Authorization: Bearer {}", crm.app.admin_token),
        format!("Authorization: Basic {}", crm.tenant.token),
        // This dialect knows no other place for it.
        format!("access-token: {}", crm.tenant.token),
    ];
    let mut wire = crm.app.wire();
    let first = wire.ask("GET /api/v2/contacts", &[], b"").unwrap();
    assert_error(&first.json(), "INVALID_TOKEN");
    assert_eq!(first.header("www-authenticate"), Some("Bearer"));
    assert_eq!(first.header("x-ratelimit-limit"), None);
    let expected = undated(first);
    assert_eq!(expected.0, 401);
    for (method, path, _) in ROUTES {
        for bearer in &bearers {
            for body in [&b""[..], br#"{"firstname": 7}"#, b"not JSON"] {
                let what = format!("{method} /api/v2{path}?access_token={}", crm.tenant.token);
                let answer = wire.ask(&what, &[bearer, "Content-Type: application/json"], body).unwrap();
                assert_eq!(undated(answer), expected, "{what} {bearer}");
            }
        }
    }
    assert_eq!(crm.app.head(&crm.tenant).await, (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_token_is_a_stranger_s() {
    let crm = Crm::begin().await;
    let at = jiff::Timestamp::now() + jiff::SignedDuration::from_millis(400);
    let token = text(&crm.app.token(&crm.tenant, json!({"expires_at": at.to_string()})).await["access_token"]);
    let missing = undated(crm.app.wire().ask("GET /contacts", &[], b"").unwrap());
    let bearer = format!("Authorization: Bearer {token}");
    for _ in 0..600 {
        let answer = crm.app.wire().ask("GET /contacts", &[&bearer], b"").unwrap();
        if answer.status == 401 {
            assert_eq!(undated(answer), missing);
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("the token does not expire");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_names_the_scope_it_lacks_before_anything_else() {
    let crm = Crm::begin().await;
    crm.entry("groups", "VIP").await;
    crm.contact("+15551234567", json!({})).await;
    let scopes: std::collections::BTreeSet<_> = ROUTES.iter().map(|(_, _, scope)| *scope).collect();
    let before = crm.app.head(&crm.tenant).await;
    for lacking in scopes.iter().copied() {
        let others: Vec<_> = scopes.iter().copied().filter(|scope| *scope != lacking).collect();
        let guest = crm.app.limited(&crm.tenant, &others).await;
        let mut wire = crm.app.wire();
        let headers = [&*format!("Authorization: Bearer {}", guest.token), "Content-Type: application/json"];
        for (method, path, scope) in ROUTES {
            // What takes nothing but its path would do it.
            let is_harmless = method != "DELETE" || path.ends_with("batch") || path.ends_with("/contacts");
            if scope != lacking && !is_harmless {
                continue;
            }
            // A body that is wrong everywhere: who lacks the scope does not learn that.
            let answer = wire.ask(&format!("{method} /api/v2{path}"), &headers, b"[]").unwrap();
            if scope != lacking {
                assert_ne!(answer.status, 403, "{method} {path} with all but {lacking}");
                continue;
            }
            assert_eq!(answer.status, 403, "{method} {path} without {lacking}: {}", answer.text());
            assert_error(&answer.json(), "INSUFFICIENT_SCOPE");
            let message = text(&answer.json()["error"]["message"]);
            let expected = "Your API token does not have the required permissions for this action. Required scope: ";
            assert_eq!(message, format!("{expected}{lacking}"));
        }
        assert_eq!(crm.app.head(&crm.tenant).await, before);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_of_another_instance_is_nobody_here() {
    let crm = Crm::begin().await;
    let (theirs, ours) = (crm.app.instance().await, crm.tenant);
    let other = Crm { tenant: theirs, app: crm.app };
    for number in 1..=3 {
        other.contact(&format!("+1000000000{number}"), json!({})).await;
    }
    let group = other.entry("groups", "VIP").await;
    let send = |method: Method, path: String, body: Value| {
        let (app, token) = (&other.app, ours.token.clone());
        async move { app.v1(&token, method, &path, Some(body)).await }
    };
    for method in [Method::GET, Method::PATCH, Method::DELETE] {
        bad(send(method.clone(), "/contacts/3".into(), json!({})).await, 404, "NOT_FOUND").await;
        bad(send(method, format!("/groups/{group}"), json!({"name": "x"})).await, 404, "NOT_FOUND").await;
    }
    let deleted = good(send(Method::DELETE, "/contacts/batch".into(), json!({"ids": [1, 2, 3]})).await, 200).await;
    assert_eq!(deleted["data"]["summary"]["deleted"], 0);
    assert_eq!((other.app.head(&ours).await, other.app.head(&other.tenant).await), ((0, 0), (3, 3)));
}

#[tokio::test(flavor = "multi_thread")]
async fn validation_comes_before_the_lookup() {
    let crm = Crm::begin().await;
    crm.contact("+15551234567", json!({"email": "john@example.com"})).await;
    for id in ["77", "1x", "-1", "0", "99999999999999999999", "%20"] {
        let path = format!("/contacts/{id}");
        for body in [json!({"firstname": ""}), json!({"phone": "+15551234567"}), json!({"status_id": 77})] {
            crm.refused(Method::PATCH, &path, Some(&body), 422, "VALIDATION_ERROR").await;
        }
        for method in [Method::GET, Method::PATCH, Method::DELETE] {
            crm.refused(method, &path, Some(&json!({})), 404, "NOT_FOUND").await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rate_limit_is_told_with_every_answer() {
    let app = TestApp::start_limited(tempfile::TempDir::new().unwrap(), 3).await;
    let tenant = app.instance().await;
    let mut wire = app.wire();
    let headers = [&*format!("Authorization: Bearer {}", tenant.token), "Content-Type: application/json"];
    let number = |answer: &Answer, name: &str| answer.header(name).and_then(|text| text.parse::<i64>().ok());
    let created = new("+15551234567", json!({})).to_string();
    for (what, body, status) in
        [("GET /account/limits", "", 200), ("GET /contacts/9", "", 404), ("POST /contacts", &*created, 201)]
    {
        let answer = wire.ask(what, &headers, body.as_bytes()).unwrap();
        assert_eq!(answer.status, status, "{}", answer.text());
        assert_eq!((number(&answer, "x-ratelimit-limit"), number(&answer, "x-ratelimit-window")), (Some(3), Some(60)));
        assert!(number(&answer, "x-ratelimit-remaining").unwrap() < 3);
        assert!(number(&answer, "x-ratelimit-reset").unwrap() > 1_700_000_000);
        if what == "GET /account/limits" {
            assert_eq!(answer.json()["data"]["limits"]["api_calls_per_minute"]["limit"], 3);
        }
    }
    // One too many comes within the next three, however slow this machine is: each takes a third of a minute.
    let sent = || wire.ask("POST /contacts", &headers, b"not JSON").unwrap();
    let refused = std::iter::repeat_with(sent).take(3).find(|answer| answer.status == 429).expect("a limit");
    assert_error(&refused.json(), "RATE_LIMIT_EXCEEDED");
    let wait = number(&refused, "retry-after").unwrap();
    assert!((1..=20).contains(&wait), "{wait}");
    assert_eq!(refused.json()["meta"]["retry_after"], wait);
    let message = format!("Too many requests. Please try again in {wait} seconds");
    assert_eq!(refused.json()["error"]["message"], message);
    assert_eq!((number(&refused, "x-ratelimit-limit"), number(&refused, "x-ratelimit-remaining")), (Some(3), Some(0)));
    assert!(number(&refused, "x-ratelimit-reset").is_some());
    assert_eq!(refused.header("x-ratelimit-window"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_account_shows_real_figures() {
    let crm = Crm::begin().await;
    let account = crm.get("/account").await;
    assert_eq!(account["message"], "Account information retrieved successfully");
    let shown = &account["data"];
    assert_eq!([&shown["id"], &shown["name"], &shown["subdomain"]], [&json!(crm.tenant.id); 3]);
    assert!(shown["status"] == "active" && is_time(&shown["created_at"]));
    assert_eq!(shown["subscription"]["expires_at"], Value::Null);
    crm.contact("+15551234567", json!({})).await;
    crm.app.save(&crm.tenant, "15557654321", "From", "Wawp").await;
    let usage = crm.get("/account/usage").await;
    let held = json!({"current": 2, "limit": -1, "remaining": -1, "percentage_used": 0.0, "is_unlimited": true});
    assert_eq!(usage["data"]["contacts"], held);
    assert_eq!(usage["data"]["staff"]["current"], 0);
    let limits = crm.get("/account/limits").await;
    let unlimited = |name: &str| json!({"limit": -1, "feature_name": name, "is_unlimited": true});
    assert_eq!(limits["data"]["limits"]["contacts"], unlimited("Total Contacts"));
    assert_eq!(limits["data"]["limits"]["api_calls_per_minute"], unlimited("API Calls per Minute"));
    assert_eq!(limits["data"]["features"]["api_access"], true);
}
