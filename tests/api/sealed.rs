//! Tenants are sealed: on every described operation, sent in every way, a stranger gets byte for byte what he would get
//! of an instance that does not exist, and nothing that he sends reaches anybody's book. Scopes are `sealed_scopes`'
//! business, ids `sealed_ids`', what is left behind in logs `sealed_traces`'.

use std::collections::BTreeMap;

use serde_json::json;
use tempfile::TempDir;

use crate::{
    operations::{self, Asking, Body, Operation, Place},
    support::{Tenant, TestApp, text, told},
};

/// Open to everybody by design: a further one is a decision.
const PUBLIC: [&str; 3] = ["/healthz", "/metrics", "/readyz"];

/// What only the admin may ask for, among what a token with all scopes is refused.
const ADMINS: [&str; 5] = [
    "DELETE /v1/instances/{i}",
    "GET /v1/instances",
    "POST /v1/backup",
    "POST /v1/instances",
    "POST /v1/instances/{i}/check",
];

const NOWHERE: &str = "nowhere";
const NAME: &str = "Zebulon";

async fn stage() -> (TestApp, Tenant, Tenant) {
    let app = TestApp::start_with(TempDir::new().unwrap(), |config| config.http.body_limit = 4096).await;
    let (ours, theirs) = (app.instance().await, app.instance().await);
    app.save(&ours, "123@c.us", NAME, "Quagmire").await;
    (app, ours, theirs)
}

fn protected(app: &TestApp) -> Vec<Operation> {
    let (public, protected): (Vec<_>, Vec<_>) =
        operations::all(&mut app.wire()).into_iter().partition(|operation| operation.is_public);
    assert_eq!(public.iter().map(|public| &*public.route).collect::<Vec<_>>(), PUBLIC);
    protected
}

/// All that can be seen of an instance by its owner and by the admin.
async fn all_of(app: &TestApp, tenant: &Tenant) -> Vec<String> {
    let mut all = Vec::new();
    for part in ["", "/contacts", "/tokens", "/webhooks", "/companion", "/changes", "/observations/waha"] {
        let path = format!("/v1/instances/{}{part}", tenant.id);
        let mut shown = told(app.v1(&tenant.token, reqwest::Method::GET, &path, None).await, 200).await;
        // When a token was last used changes with every look.
        for token in shown["tokens"].as_array_mut().into_iter().flatten() {
            token["last_used_at"].take();
        }
        all.push(shown.to_string());
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn on_every_operation_a_stranger_learns_nothing() {
    let (app, ours, theirs) = stage().await;
    let revoked = app.token(&ours, json!({})).await;
    let path = format!("/v1/instances/{}/tokens/{}", ours.id, text(&revoked["token_id"]));
    told(app.admin(reqwest::Method::DELETE, &path, None).await, 204).await;
    let rotated = app.token(&ours, json!({})).await;
    let path = format!("/v1/instances/{}/tokens/{}/rotate", ours.id, text(&rotated["token_id"]));
    told(app.admin(reqwest::Method::POST, &path, None).await, 201).await;
    let gone = app.named_instance("gone").await;
    told(app.admin(reqwest::Method::DELETE, "/v1/instances/gone", None).await, 204).await;
    let unknown = wabook::gateway::AccessToken::random();
    let (revoked, rotated) = (text(&revoked["access_token"]), text(&rotated["access_token"]));
    let expired = app.expired(&ours).await;
    let strangers = [
        ("no token", None),
        ("an empty token", Some("")),
        ("a malformed token", Some("garbage")),
        ("a token that never was", Some(unknown.reveal())),
        ("a revoked token", Some(&revoked)),
        ("a rotated token", Some(&rotated)),
        ("an expired token", Some(&expired.token)),
        ("the token of an instance that is gone", Some(&gone.token)),
        ("a foreign token", Some(&theirs.token)),
        ("the admin token", Some(&app.admin_token)),
    ];
    let (before, theirs_before) = (all_of(&app, &ours).await, all_of(&app, &theirs).await);
    let mut asked = BTreeMap::<_, u32>::new();
    for operation in protected(&app) {
        let ask_amiss = |token| {
            let asking = Asking { body: Body::Broken, ..Asking::new(NOWHERE, Some(token)) };
            operation.bytes(&mut app.wire(), &asking)
        };
        let is_admins = ask_amiss(&app.admin_token) != ask_amiss("garbage");
        for body in [Body::Good, Body::None, Body::Broken, Body::OtherType, Body::TooLarge] {
            let ask =
                |instance, token| operation.bytes(&mut app.wire(), &Asking { body, ..Asking::new(instance, token) });
            let nothing = ask(NOWHERE, Some("garbage"));
            let name = operation.name();
            let is_told_of_its_body =
                matches!(body, Body::Broken | Body::OtherType | Body::TooLarge) && matches!(nothing.0, 400 | 413 | 415);
            assert!(nothing.0 == 401 || is_told_of_its_body, "{name}, {body:?}: {}", nothing.0);
            for (who, token) in strangers {
                // Where the admin may ask, he may know.
                if who == "the admin token" && is_admins {
                    continue;
                }
                // Where the token alone says which book, a foreign one opens its own.
                if who == "a foreign token" && !operation.means_instance() {
                    continue;
                }
                let told = ask(&ours.id, token);
                let why = String::from_utf8_lossy(&told.2).into_owned();
                assert_eq!(told, ask(NOWHERE, token), "{who}: {name}, {body:?}: {why}");
                // Whoever has a token, if only for elsewhere, may send more rows at once.
                if who != "a foreign token" || body != Body::TooLarge {
                    assert_eq!(told, nothing, "{who}: {name}, {body:?}: {why}");
                }
                *asked.entry(who).or_default() += 1;
            }
        }
    }
    println!(
        "sealed: {} refusals, each byte for byte that of an instance that does not exist",
        asked.values().sum::<u32>()
    );
    println!("{asked:#?}");
    assert!(asked.values().all(|asked| *asked > 100), "{asked:?}");
    assert_eq!(all_of(&app, &ours).await, before);
    assert_eq!(all_of(&app, &theirs).await, theirs_before);
}

/// Ids and tokens may stand in several places, and may contradict each other.
#[tokio::test(flavor = "multi_thread")]
async fn wherever_our_name_stands_a_foreign_token_reaches_nothing_of_ours() {
    let (app, ours, theirs) = stage().await;
    let before = all_of(&app, &ours).await;
    let mut asked = 0;
    for operation in protected(&app) {
        for place in [Place::Everywhere, Place::Query, Place::Body, Place::Headers] {
            let asking = Asking { place, ..Asking::new(&ours.id, Some(&theirs.token)) };
            let answer = operation.ask(&mut app.wire(), &asking);
            let told = answer.text();
            assert!(!told.contains(NAME) && !told.contains(&ours.id), "{}, {place:?}: {told}", operation.name());
            asked += 1;
        }
    }
    println!("sealed: {asked} requests in our name with a foreign token");
    assert_eq!(all_of(&app, &ours).await, before);
}

/// Objects of another instance, asked for through the own door, are objects that do not exist.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_anothers_does_not_exist() {
    let (app, ours, theirs) = stage().await;
    let webhook = json!({"url": "https://example.com/"});
    let path = format!("/v1/instances/{}/webhooks", ours.id);
    let webhook = told(app.v1(&ours.token, reqwest::Method::POST, &path, Some(webhook)).await, 201).await;
    let token = app.token(&ours, json!({})).await;
    let headers = [format!("Authorization: Bearer {}", ours.token), format!("x-org-id: {}", ours.id)];
    let listed = app.wire().ask("GET /api/whatsapp/contacts", &headers.each_ref().map(|h| &**h), b"").unwrap().json();
    let contact = text(&listed["data"]["contacts"][0]["id"]);
    let bearer = &headers[..];
    let detail = app.wire().ask(&format!("GET /api/whatsapp/contacts/{contact}"), &[&bearer[0], &bearer[1]], b"");
    let vendor = text(&detail.unwrap().json()["data"]["vendorContactId"]);
    let before = all_of(&app, &ours).await;
    let (webhook, token) = (text(&webhook["webhook_id"]), text(&token["token_id"]));
    let known = [
        ("{w}", vec![(webhook.as_str(), "whk_0000000000000000")]),
        ("{t}", vec![(token.as_str(), "tok_0000000000000000")]),
        (
            "{contactId}",
            vec![
                (contact.as_str(), "contact_0195d2f0-0000-7000-8000-000000000000"),
                (&vendor, "000000000000000000000000"),
            ],
        ),
    ];
    let mut asked = 0;
    for operation in protected(&app) {
        let pairs = known.iter().filter(|(part, _)| operation.objects().any(|named| named == *part));
        for (object, nobodys) in pairs.flat_map(|(_, pairs)| pairs) {
            let ask = |object| {
                let asking = Asking { object: Some(object), ..Asking::new(&theirs.id, Some(&theirs.token)) };
                operation.bytes(&mut app.wire(), &asking)
            };
            let told = ask(object);
            assert!(matches!(told.0, 400 | 404), "{}", operation.name());
            assert_eq!(told, ask(nobodys), "{}", operation.name());
            asked += 1;
        }
    }
    println!("sealed: {asked} objects of another's, each byte for byte one that does not exist");
    assert!(asked >= 12);
    assert_eq!(all_of(&app, &ours).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_the_admins_is_no_tenants() {
    let (app, ours, _) = stage().await;
    let mut refused = Vec::new();
    for operation in protected(&app) {
        // A stream that is open would be waited for at the end.
        if operation.route.ends_with("/events") {
            continue;
        }
        let own = operation.bytes(&mut app.wire(), &Asking::new(&ours.id, Some(&ours.token)));
        let nothing = operation.bytes(&mut app.wire(), &Asking::new(NOWHERE, Some("garbage")));
        if own == nothing {
            refused.push(operation.name());
        }
    }
    refused.sort();
    assert_eq!(refused, ADMINS);
}
