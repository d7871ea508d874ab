//! Tenants are sealed: on every described route a stranger gets, byte for byte, what he would get of an instance that does
//! not exist; and no instance id leads out of its folder. Scopes are `tenants`' business.

use serde_json::json;

use crate::{
    shared::wire::Wire,
    support::{Tenant, TestApp, entries, text, told},
};

type Bytes = (u16, Vec<(String, String)>, Vec<u8>);

/// Open to everybody by design.
const PUBLIC: [&str; 3] = ["/healthz", "/metrics", "/readyz"];

/// A route of this tenant's, asked for with his token wherever a dialect looks for one.
fn ask(wire: &mut Wire, verb: &str, route: &str, who: &Tenant) -> Bytes {
    let mut path = String::new();
    for segment in route.split('/').skip(1) {
        path += "/";
        path += match segment {
            "{i}" | "{instance}" | "{session}" => &who.id,
            "{chat_id}" | "{chatId}" => "123@c.us",
            "{w}" | "{t}" => "nobody",
            other if other.starts_with('{') => "123",
            other => other,
        };
    }
    let joint = if path.contains('?') { '&' } else { '?' };
    let what = format!("{} {path}{joint}{}", verb.to_uppercase(), who.in_query());
    let headers = [
        &format!("Authorization: Bearer {}", who.token),
        &format!("X-Api-Key: {}", who.token),
        &format!("x-org-id: {}", who.id),
        "Content-Type: application/json",
    ];
    let body = if verb == "get" { Vec::new() } else { json!({"session": who.id}).to_string().into_bytes() };
    let (status, head, body) = wire.ask(&what, &headers, &body).unwrap().undated();
    (status, head, without_moment(&body))
}

/// WA.cr numbers and times every answer, at a place of its own.
fn without_moment(body: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(body);
    text.split_once(r#""meta":{"request_id":"#).map_or(&*text, |(before, _)| before).as_bytes().to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn on_every_route_a_stranger_learns_nothing() {
    let app = TestApp::start().await;
    let (ours, theirs) = (app.instance().await, app.instance().await);
    app.save(&ours, "123@c.us", "Bob", "Smith").await;
    let revoked = app.token(&ours, json!({})).await;
    let path = format!("/v1/instances/{}/tokens/{}", ours.id, text(&revoked["token_id"]));
    told(app.admin(reqwest::Method::DELETE, &path, None).await, 204).await;
    let own = |token: &str| Tenant { id: ours.id.clone(), token: token.to_owned() };
    let strangers = [
        ("garbage", own("garbage")),
        ("a token that never was", own(wabook::gateway::AccessToken::random().reveal())),
        ("a revoked token", own(&text(&revoked["access_token"]))),
        ("an expired token", app.expired(&ours).await),
        ("a foreign token", own(&theirs.token)),
    ];
    let nowhere = Tenant { id: "nowhere".into(), token: "garbage".into() };
    let description = told(app.request(reqwest::Method::GET, "/v1/openapi.json").send().await.unwrap(), 200).await;
    let mut asked = 0;
    for (route, verbs) in description["paths"].as_object().unwrap() {
        for verb in verbs.as_object().unwrap().keys().filter(|_| !PUBLIC.contains(&route.as_str())) {
            let nothing = ask(&mut app.wire(), verb, route, &nowhere);
            assert!(matches!(nothing.0, 401 | 403 | 404), "{verb} {route}: {}", nothing.0);
            for (who, stranger) in &strangers {
                // Where the token alone says which book, a foreign one opens its own.
                let names_instance = ["{i}", "{instance}", "{session}", "/v2/"].iter().any(|part| route.contains(part));
                if *who == "a foreign token" && (!names_instance || route.starts_with("/api/v2/")) {
                    continue;
                }
                let told = ask(&mut app.wire(), verb, route, stranger);
                let body = String::from_utf8_lossy(&told.2).into_owned();
                assert_eq!(told, nothing, "{who}: {verb} {route}: {body}");
                asked += 1;
            }
        }
    }
    println!("sealed: {asked} refusals, each byte for byte that of an instance that does not exist");
    assert!(asked > 400);
    assert_eq!(app.name(&ours, "123@c.us").await, "Bob Smith");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_instance_id_leads_out_of_its_folder() {
    let app = TestApp::start().await;
    let ours = app.instance().await;
    let before = entries(&app.sessions());
    let long = "a".repeat(65);
    let ids =
        ["..", ".", "%2e%2e", "..%2f..", "a%2fb", "a%00b", "%00", "~", "a%5cb", "con%2e", "%ff", &long, "gateway.db"];
    let nowhere = Tenant { id: "nowhere".into(), token: ours.token.clone() };
    let nothing = ask(&mut app.wire(), "get", "/v1/instances/{i}/contacts", &nowhere);
    for id in ids {
        let guest = Tenant { id: id.to_owned(), token: ours.token.clone() };
        let told = ask(&mut app.wire(), "get", "/v1/instances/{i}/contacts", &guest);
        assert!((400..500).contains(&told.0), "{id}: {}", told.0);
        if !id.chars().all(|letter| letter == '.') {
            assert_eq!(told, nothing, "{id}");
        }
    }
    for id in ["..", ".", "a/b", "a\0b", "", "gateway.db", "ä", long.as_str()] {
        let made = app.admin(reqwest::Method::POST, "/v1/instances", Some(json!({"instance_id": id}))).await;
        assert!((400..500).contains(&made.status().as_u16()), "{id}");
    }
    assert_eq!(entries(&app.sessions()), before, "nothing was made");
}
