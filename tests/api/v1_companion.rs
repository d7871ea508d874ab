//! `/v1/instances/{i}/companion`: set, shown, taken away; and two gateways end to end, the companion of one being the WAHA
//! face of the other: names, pushnames and mappings come together in both directions, nothing is lost, nothing goes round.

use std::{net::SocketAddr, time::Duration};

use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};
use tempfile::TempDir;
use wabook::config::Config;

use crate::{
    shared::PATIENCE,
    support::{Tenant, TestApp, problem, text, told, with_mappings},
};

fn of(tenant: &Tenant, tail: &str) -> String {
    format!("/v1/instances/{}/companion{tail}", tenant.id)
}

impl TestApp {
    async fn companion(&self, tenant: &Tenant) -> Value {
        told(self.v1(&tenant.token, Method::GET, &of(tenant, ""), None).await, 200).await
    }

    /// Makes another app's tenant the companion of one of ours.
    async fn link(&self, ours: &Tenant, there: SocketAddr, theirs: &Tenant) -> Value {
        let wish = json!({
            "kind": "waha", "url": format!("http://{there}"), "session": theirs.id, "api_key": theirs.token,
            "pace_per_minute": 6000, "pull_every": "1h",
        });
        told(self.v1(&ours.token, Method::PUT, &of(ours, ""), Some(wish)).await, 200).await
    }

    async fn pull(&self, tenant: &Tenant) -> Value {
        told(self.v1(&tenant.token, Method::POST, &of(tenant, "/pull"), None).await, 200).await
    }

    async fn sync_of(&self, tenant: &Tenant, id: &str) -> Value {
        told(self.v1(&tenant.token, Method::GET, &of(tenant, &format!("/contacts/{id}")), None).await, 200).await
    }

    /// Waits until no name is on its way any more.
    async fn settled(&self, tenant: &Tenant) {
        wait_until("all names have arrived", async || {
            let contacts = self.companion(tenant).await["contacts"].clone();
            contacts["pending"] == 0 && contacts["acked"] == 0
        })
        .await;
    }

    async fn v1_edit(&self, tenant: &Tenant, method: Method, id: &str, body: Option<Value>) -> Value {
        let path = format!("/v1/instances/{}/contacts/{id}", tenant.id);
        let answer = self.v1(&tenant.token, method, &path, body).await;
        assert!(answer.status().is_success(), "{}", answer.status());
        answer.json().await.unwrap()
    }
}

async fn wait_until(what: &str, is_so: impl AsyncFn() -> bool) {
    let begin = std::time::Instant::now();
    while !is_so().await {
        assert!(begin.elapsed() < PATIENCE, "{what}: not in time");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn near() -> TestApp {
    TestApp::start_near(TempDir::new().unwrap()).await
}

async fn start_at(folder: TempDir, address: SocketAddr) -> TestApp {
    let near = |config: &mut Config| {
        config.http.listen = address;
        config.outside.allow = vec!["127.0.0.1".into()];
    };
    TestApp::start_with(folder, near).await
}

/// Two gateways, and a tenant at each; the second one is the first one's companion.
async fn pair() -> (TestApp, Tenant, TestApp, Tenant) {
    let (here, there) = (near().await, near().await);
    let (ours, theirs) = (here.instance().await, there.instance().await);
    here.link(&ours, there.address(), &theirs).await;
    (here, ours, there, theirs)
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_companion_everything_is_local() {
    let app = near().await;
    let tenant = app.instance().await;
    for id in ["123@c.us", "124@c.us", "999888777@lid"] {
        app.save(&tenant, id, "Bob", "").await;
    }
    for _ in 0..2 {
        let shown = app.companion(&tenant).await;
        assert_eq!((&shown["kind"], &shown["health"]["state"]), (&json!("none"), &json!("none")));
        assert_eq!(shown["contacts"], json!({"local": 3}));
        assert_eq!(app.pull(&tenant).await, json!({"seen": 0, "changed": 0, "error": null}));
        assert_eq!(app.sync_of(&tenant, "123").await["state"], "local");
        let mut listed = Vec::new();
        let mut next = String::new();
        loop {
            let path = of(&tenant, &format!("/contacts?limit=2&cursor={next}"));
            let page = told(app.v1(&tenant.token, Method::GET, &path, None).await, 200).await;
            listed.extend(page["contacts"].as_array().unwrap().clone());
            match page["next"].as_str() {
                Some(cursor) => cursor.clone_into(&mut next),
                None => break,
            }
        }
        assert_eq!(listed.len(), 3);
        assert!(listed.iter().all(|contact| contact["state"] == "local" && contact["wish"].is_null()));
        let failed = app.v1(&tenant.token, Method::GET, &of(&tenant, "/contacts?state=failed"), None).await;
        assert_eq!(told(failed, 200).await, json!({"contacts": [], "next": null}));
        let retried = app.v1(&tenant.token, Method::POST, &of(&tenant, "/retry"), None).await;
        assert_eq!(told(retried, 200).await, json!({"retried": 0}));
        // And once more when it was said expressly.
        let set = app.v1(&tenant.token, Method::PUT, &of(&tenant, ""), Some(json!({"kind": "none", "url": 7}))).await;
        assert_eq!(told(set, 200).await["kind"], "none");
    }
    problem(app.v1(&tenant.token, Method::GET, &of(&tenant, "/contacts/555"), None).await, 404).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_saved_here_in_any_dialect_appear_there() {
    let (here, ours, there, theirs) = pair().await;
    here.save(&ours, "15551234567@c.us", "Bob", "Smith").await;
    let put = here.waha_request(&ours, Method::PUT, "/default/contacts/201234567890");
    told(put.json(&json!({"firstName": "Lucía ", "lastName": "Gómez"})).send().await.unwrap(), 200).await;
    here.v1_edit(&ours, Method::PUT, "4917012345", Some(json!({"name": "李小龍 🌸"}))).await;
    here.settled(&ours).await;
    assert_eq!(there.name(&theirs, "15551234567").await, "Bob Smith");
    assert_eq!(there.name(&theirs, "201234567890").await, "Lucía  Gómez");
    assert_eq!(there.name(&theirs, "4917012345").await, "李小龍 🌸");
    assert_eq!(here.companion(&ours).await["contacts"]["confirmed"], 3);
    let state = here.sync_of(&ours, "15551234567").await;
    assert_eq!(
        (&state["state"], &state["wish"], &state["reason"]),
        (&json!("confirmed"), &json!("save"), &json!(null))
    );
    assert!(state["acked_at"].is_string() && state["confirmed_at"].is_string(), "{state}");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_saved_there_in_any_dialect_appear_here_after_a_pull() {
    let (here, ours, there, theirs) = pair().await;
    there.save(&theirs, "15551234567@c.us", "Mary Ann", "Smith").await;
    there.v1_edit(&theirs, Method::PUT, "4917012345", Some(json!({"name": "Only one name"}))).await;
    let pulled = here.pull(&ours).await;
    assert_eq!((&pulled["seen"], &pulled["error"]), (&json!(2), &json!(null)));
    let saved = here.v1_edit(&ours, Method::GET, "15551234567", None).await["names"]["saved"].clone();
    assert_eq!(
        (&saved["first"], &saved["last"], &saved["source"]),
        (&json!("Mary Ann"), &json!("Smith"), &json!("companion"))
    );
    assert_eq!(here.name(&ours, "4917012345").await, "Only one name");
    // Renamed and cleared there.
    there.save(&theirs, "15551234567@c.us", "Mary", "Smith").await;
    told(there.update(&theirs, json!({"chatId": "4917012345@c.us", "firstName": null})).await, 200).await;
    here.pull(&ours).await;
    assert_eq!(here.name(&ours, "15551234567").await, "Mary Smith");
    assert_eq!(here.name(&ours, "4917012345").await, Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn both_sides_come_together_and_then_nothing_moves_any_more() {
    // What only a phone could have told is known there: pushnames and mappings.
    let (there, theirs) = with_mappings().await;
    let here = near().await;
    let ours = here.instance().await;
    here.save(&ours, "999888777@lid", "Alice", "known by her LID").await;
    here.save(&ours, "100000000000001@lid", "Kurt", "").await;
    here.save(&ours, "123@c.us", "Saved here", "").await;
    there.save(&theirs, "456@c.us", "Saved there", "").await;
    here.link(&ours, there.address(), &theirs).await;
    wait_until("the first look", async || here.companion(&ours).await["health"]["last_pull"].is_object()).await;
    here.settled(&ours).await;

    // A LID and its phone are one person here, too, and the phone was told of the name.
    for id in ["15551234567@c.us", "999888777@lid"] {
        let alice = here.contact(&ours, id).await;
        assert_eq!(
            (&alice["name"], &alice["pushname"]),
            (&json!("Alice known by her LID"), &json!("Alice 🌸")),
            "{id}"
        );
        assert_eq!(there.name(&theirs, id).await, "Alice known by her LID");
    }
    assert_eq!(there.name(&theirs, "4917012345").await, "Kurt");
    assert_eq!(
        (there.name(&theirs, "123").await, here.name(&ours, "456").await),
        (json!("Saved here"), json!("Saved there"))
    );
    let lids = told(here.waha(&ours, "/default/lids", &[]).await, 200).await;
    assert_eq!(lids, told(there.waha(&theirs, "/default/lids", &[]).await, 200).await);
    assert_eq!(here.companion(&ours).await["contacts"]["awaiting_phone"], 0);

    let before = (here.head(&ours).await, there.head(&theirs).await);
    for _ in 0..3 {
        assert_eq!(here.pull(&ours).await["changed"], 0);
        here.settled(&ours).await;
    }
    assert_eq!((here.head(&ours).await, there.head(&theirs).await), before, "no loop");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_that_are_each_others_companions_come_to_rest() {
    let (here, ours, there, theirs) = pair().await;
    there.link(&theirs, here.address(), &ours).await;
    here.save(&ours, "123@c.us", "From here", "").await;
    there.save(&theirs, "456@c.us", "From there", "").await;
    for _ in 0..3 {
        here.settled(&ours).await;
        there.settled(&theirs).await;
    }
    assert_eq!(there.name(&theirs, "123").await, "From here");
    assert_eq!(here.name(&ours, "456").await, "From there");
    let before = (here.head(&ours).await, there.head(&theirs).await);
    for _ in 0..2 {
        here.pull(&ours).await;
        there.pull(&theirs).await;
        here.settled(&ours).await;
        there.settled(&theirs).await;
    }
    assert_eq!((here.head(&ours).await, there.head(&theirs).await), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_other_is_down_nothing_is_lost() {
    let (here, ours, there, theirs) = pair().await;
    here.save(&ours, "123@c.us", "Bob", "").await;
    there.save(&theirs, "124@c.us", "Ann", "").await;
    here.pull(&ours).await;
    here.settled(&ours).await;

    let address = there.address();
    let folder = there.stop().await;
    here.save(&ours, "123@c.us", "Bobby", "").await;
    here.save(&ours, "125@c.us", "New", "while it was down").await;
    assert_eq!(here.pull(&ours).await["error"], "unreachable");
    let shown = here.companion(&ours).await;
    assert_eq!(
        (&shown["health"]["state"], &shown["health"]["last_error"]),
        (&json!("unreachable"), &json!("unreachable"))
    );
    assert!(shown["health"]["resumes_at"].is_string());
    assert_eq!(shown["contacts"]["pending"], 2, "{shown}");
    let waiting = here.sync_of(&ours, "125").await;
    assert_eq!((&waiting["state"], &waiting["attempts"]), (&json!("pending"), &json!(0)));

    // We go down and come back as well.
    let here = TestApp::start_near(here.stop().await).await;
    let there = start_at(folder, address).await;
    there.save(&theirs, "126@c.us", "Meanwhile", "").await;
    let pulled = here.pull(&ours).await;
    assert_eq!(pulled["error"], Value::Null, "{pulled}");
    here.settled(&ours).await;
    assert_eq!(there.name(&theirs, "123").await, "Bobby");
    assert_eq!(there.name(&theirs, "125").await, "New while it was down");
    assert_eq!(there.name(&theirs, "124").await, "Ann");
    assert_eq!(here.name(&ours, "126").await, "Meanwhile");
    assert_eq!(here.companion(&ours).await["health"]["state"], "ok");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_deleted_here_has_no_name_there_and_stays_away() {
    let (here, ours, there, theirs) = pair().await;
    here.save(&ours, "123@c.us", "Bob", "").await;
    here.settled(&ours).await;
    here.v1_edit(&ours, Method::DELETE, "123", None).await;
    wait_until("the name is gone there", async || there.name(&theirs, "123").await.is_null()).await;
    wait_until("and that was seen", async || here.sync_of(&ours, "123").await["state"] == "confirmed").await;
    let state = here.sync_of(&ours, "123").await;
    assert_eq!(state["wish"], "remove");
    here.pull(&ours).await;
    assert_eq!(here.head(&ours).await.0, 0, "it does not come back");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lid_waits_for_its_phone() {
    let (here, ours, _there, _) = pair().await;
    here.save(&ours, "999888777@lid", "Lin", "").await;
    assert_eq!(here.sync_of(&ours, "999888777@lid").await["state"], "awaiting_phone");
    let path = of(&ours, "/contacts?state=awaiting_phone");
    let listed = told(here.v1(&ours.token, Method::GET, &path, None).await, 200).await;
    assert_eq!((&listed["contacts"][0]["chat_id"], &listed["next"]), (&json!("999888777@lid"), &json!(null)));
    assert_eq!(here.companion(&ours).await["contacts"]["awaiting_phone"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_companion_that_is_taken_away_is_told_of_nothing_any_more() {
    let (here, ours, there, theirs) = pair().await;
    here.save(&ours, "123@c.us", "Bob", "").await;
    here.settled(&ours).await;
    for _ in 0..2 {
        let gone = here.v1(&ours.token, Method::DELETE, &of(&ours, ""), None).await;
        assert_eq!(gone.status(), 204);
    }
    here.save(&ours, "123@c.us", "Bobby", "").await;
    let shown = here.companion(&ours).await;
    assert_eq!((&shown["kind"], &shown["contacts"]), (&json!("none"), &json!({"local": 1})));
    assert_eq!(here.sync_of(&ours, "123").await["state"], "local");
    here.pull(&ours).await;
    assert_eq!(there.name(&theirs, "123").await, "Bob");
    // Linked anew, all is compared anew, and what was saved here since is told.
    here.link(&ours, there.address(), &theirs).await;
    wait_until("the name arrives", async || there.name(&theirs, "123").await == "Bobby").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_is_said_and_put_right_without_a_loss() {
    let (here, there) = (near().await, near().await);
    let (ours, theirs) = (here.instance().await, there.instance().await);
    let stranger = Tenant { id: theirs.id.clone(), token: ours.token.clone() };
    here.save(&ours, "123@c.us", "Bob", "").await;
    here.link(&ours, there.address(), &stranger).await;
    wait_until("it is refused", async || here.companion(&ours).await["health"]["state"] == "refused").await;
    let shown = here.companion(&ours).await;
    assert_eq!((&shown["health"]["last_error"], &shown["contacts"]["pending"]), (&json!("unauthorized"), &json!(1)));
    here.link(&ours, there.address(), &theirs).await;
    wait_until("the name arrives", async || there.name(&theirs, "123").await == "Bob").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn its_key_is_shown_nowhere_and_lies_nowhere_in_the_clear() {
    let (here, ours, _there, theirs) = pair().await;
    here.save(&ours, "123@c.us", "Bob", "").await;
    here.settled(&ours).await;
    let shown = here.companion(&ours).await;
    assert_eq!(shown["has_api_key"], true);
    assert!(!shown.to_string().contains(&theirs.token) && shown["api_key"].is_null());
    let secret = theirs.token.as_bytes();
    for entry in walk(&here.sessions()) {
        let bytes = std::fs::read(&entry).unwrap_or_default();
        assert!(!bytes.windows(secret.len()).any(|window| window == secret), "the key is in {}", entry.display());
    }
    let here = TestApp::start_near(here.stop().await).await;
    wait_until("it goes on", async || here.companion(&ours).await["health"]["state"] == "ok").await;
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn it_goes_with_its_instance() {
    let (here, ours, there, theirs) = pair().await;
    here.save(&ours, "123@c.us", "Bob", "").await;
    here.settled(&ours).await;
    here.admin(Method::DELETE, &format!("/v1/instances/{}", ours.id), None).await;
    let again = here.named_instance(&ours.id).await;
    assert_eq!(here.companion(&again).await["kind"], "none");
    here.save(&again, "123@c.us", "Somebody else", "").await;
    here.pull(&again).await;
    assert_eq!(there.name(&theirs, "123").await, "Bob");
}

#[rstest]
#[case::no_kind(json!({}), "kind")]
#[case::another_kind(json!({"kind": "phone"}), "kind")]
#[case::a_number_for_a_kind(json!({"kind": 1}), "kind")]
#[case::no_url(json!({"kind": "waha", "session": "a"}), "url")]
#[case::no_session(json!({"kind": "waha", "url": "http://a.example"}), "session")]
#[case::another_scheme(json!({"kind": "waha", "url": "file:///etc/passwd", "session": "a"}), "url")]
#[case::credentials(json!({"kind": "waha", "url": "http://a:b@a.example", "session": "a"}), "url")]
#[case::a_query(json!({"kind": "waha", "url": "http://a.example/?x", "session": "a"}), "url")]
#[case::a_long_url(json!({"kind": "waha", "url": format!("http://a.example/{}", "x".repeat(1000)), "session": "a"}), "url")]
#[case::a_path_for_a_session(json!({"kind": "waha", "url": "http://a.example", "session": "../a"}), "session")]
#[case::a_key_of_two_lines(json!({"kind": "waha", "url": "http://a.example", "session": "a", "api_key": "a\r\nb: c"}), "api_key")]
#[case::an_empty_key(json!({"kind": "waha", "url": "http://a.example", "session": "a", "api_key": ""}), "api_key")]
#[case::no_pace(json!({"kind": "waha", "url": "http://a.example", "session": "a", "pace_per_minute": 0}), "pace_per_minute")]
#[case::a_pace_too_fast(json!({"kind": "waha", "url": "http://a.example", "session": "a", "pace_per_minute": 6001}), "pace_per_minute")]
#[case::always_pulling(json!({"kind": "waha", "url": "http://a.example", "session": "a", "pull_every": "1s"}), "pull_every")]
#[case::never_pulling(json!({"kind": "waha", "url": "http://a.example", "session": "a", "pull_every": "8d"}), "pull_every")]
#[tokio::test(flavor = "multi_thread")]
async fn a_wish_that_cannot_be_granted(#[case] wish: Value, #[case] field: &str) {
    let app = near().await;
    let tenant = app.instance().await;
    let refused = problem(app.v1(&tenant.token, Method::PUT, &of(&tenant, ""), Some(wish)).await, 400).await;
    assert_eq!(refused["field"], field);
    assert_eq!(app.companion(&tenant).await["kind"], "none");
}

#[rstest]
#[case(Method::GET, "")]
#[case(Method::PUT, "")]
#[case(Method::DELETE, "")]
#[case(Method::POST, "/pull")]
#[case(Method::POST, "/retry")]
#[case(Method::GET, "/contacts")]
#[case(Method::GET, "/contacts/123")]
#[tokio::test(flavor = "multi_thread")]
async fn only_an_administrator_of_the_instance_may(#[case] method: Method, #[case] tail: &str) {
    let app = near().await;
    let (tenant, other) = (app.instance().await, app.instance().await);
    app.save(&tenant, "123@c.us", "Bob", "").await;
    let guest = app.limited(&tenant, &["contacts:*", "account:read"]).await;
    let body = (method == Method::PUT).then(|| json!({"kind": "none"}));
    let path = of(&tenant, tail);
    let ask = async |token: &str| app.v1(token, method.clone(), &path, body.clone()).await;
    problem(ask(&guest.token).await, 403).await;
    problem(ask(&other.token).await, 401).await;
    let keeper = app.limited(&tenant, &["instance:admin"]).await;
    assert!(ask(&keeper.token).await.status().is_success());
    assert!(ask(&app.admin_token).await.status().is_success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_states_is_walked_page_by_page() {
    let (here, ours, _there, _) = pair().await;
    for id in 100..107 {
        here.save(&ours, &format!("{id}@c.us"), "Name", &id.to_string()).await;
    }
    here.settled(&ours).await;
    let (mut ids, mut next) = (Vec::new(), String::new());
    loop {
        let path = of(&ours, &format!("/contacts?state=confirmed&limit=3&cursor={next}"));
        let page = told(here.v1(&ours.token, Method::GET, &path, None).await, 200).await;
        ids.extend(page["contacts"].as_array().unwrap().iter().map(|contact| text(&contact["chat_id"])));
        match page["next"].as_str() {
            Some(cursor) => cursor.clone_into(&mut next),
            None => break,
        }
    }
    assert_eq!(ids, (100..107).map(|id| format!("{id}@c.us")).collect::<Vec<_>>());
    for query in ["state=lost", "limit=0", "limit=x"] {
        let path = of(&ours, &format!("/contacts?{query}"));
        problem(here.v1(&ours.token, Method::GET, &path, None).await, 400).await;
    }
}
