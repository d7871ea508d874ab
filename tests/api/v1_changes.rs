//! `/v1/instances/{i}/changes`: pages of what changed, tokens that hold and that expire, waiting for more. What the tokens
//! are worth while everything moves is `convergence.rs`.

use std::time::{Duration, Instant};

use reqwest::{Method, Response};
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{Tenant, TestApp, problem, text, told};

async fn ask(app: &TestApp, tenant: &Tenant, query: &str) -> Response {
    app.v1(&tenant.token, Method::GET, &format!("/v1/instances/{}/changes?{query}", tenant.id), None).await
}

async fn page(app: &TestApp, tenant: &Tenant, query: &str) -> Value {
    told(ask(app, tenant, query).await, 200).await
}

async fn delete(app: &TestApp, tenant: &Tenant, who: &str) {
    let path = format!("/v1/instances/{}/contacts/{who}", tenant.id);
    told(app.v1(&tenant.token, Method::DELETE, &path, None).await, 200).await;
}

/// What changed, in short.
fn told_of(page: &Value) -> Vec<(u64, String, String)> {
    let in_short = |change: &Value| {
        let who = if change["change"] == "upserted" { &change["contact"] } else { change };
        (change["revision"].as_u64().unwrap(), text(&change["change"]), text(&who["chat_id"]))
    };
    page["changes"].as_array().unwrap().iter().map(in_short).collect()
}

fn entry(revision: u64, change: &str, who: &str) -> (u64, String, String) {
    (revision, change.to_owned(), format!("{who}@c.us"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_walk_shows_each_contact_once_as_it_stands_now() {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    let empty = page(&app, &tenant, "").await;
    assert_eq!((&empty["changes"], &empty["has_more"]), (&json!([]), &json!(false)));
    for (who, first) in [("111@c.us", "Ann"), ("222@c.us", "Bob"), ("333@c.us", "Cid"), ("111@c.us", "Anna")] {
        app.save(&tenant, who, first, "").await;
    }
    delete(&app, &tenant, "222").await;

    let first = page(&app, &tenant, "limit=2").await;
    assert_eq!(told_of(&first), [entry(3, "upserted", "333"), entry(4, "upserted", "111")]);
    assert_eq!(first["has_more"], true);
    let path = format!("/v1/instances/{}/contacts/111", tenant.id);
    let contact = told(app.v1(&tenant.token, Method::GET, &path, None).await, 200).await;
    assert_eq!(first["changes"][1], json!({"change": "upserted", "revision": 4, "contact": contact}));

    let last = page(&app, &tenant, &format!("limit=2&since={}", text(&first["next"]))).await;
    assert_eq!(told_of(&last), [entry(5, "deleted", "222")]);
    assert_eq!(last["has_more"], false);
    let gone = &last["changes"][0];
    assert!(gone["id"].is_i64() && gone["uuid"].is_string() && gone["deleted_at"].is_string(), "{gone}");
    assert!(!gone.to_string().contains("Bob"), "nothing private is left");

    let next = text(&last["next"]);
    assert!(next.ends_with(":5") && next.split(':').count() == 2, "{next}");
    app.save(&tenant, "333@c.us", "Cid", "").await;
    assert_eq!(told_of(&page(&app, &tenant, &format!("since={next}")).await), [], "nothing changed");
    assert_eq!(told_of(&page(&app, &tenant, &format!("since={}", text(&empty["next"]))).await).len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_waits_for_a_change_and_answers_when_it_comes() {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    let next = text(&page(&app, &tenant, "").await["next"]);
    let query = format!("since={next}&wait=50");
    let began = Instant::now();
    let (answer, ()) = tokio::join!(page(&app, &tenant, &query), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        app.save(&tenant, "111@c.us", "Ann", "").await;
    });
    assert_eq!(told_of(&answer), [entry(1, "upserted", "111")]);
    let again = page(&app, &tenant, &query).await;
    assert_eq!(again, answer, "what is there already is not waited for");
    assert!(began.elapsed() < Duration::from_secs(30));

    let began = Instant::now();
    let quiet = page(&app, &tenant, &format!("since={}&wait=1", text(&answer["next"]))).await;
    assert!(began.elapsed() >= Duration::from_secs(1));
    assert_eq!((&quiet["changes"], &quiet["next"]), (&json!([]), &answer["next"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_expires_when_a_deletion_after_it_is_forgotten() {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    for who in ["111@c.us", "222@c.us", "333@c.us"] {
        app.save(&tenant, who, "Somebody", "").await;
    }
    delete(&app, &tenant, "111").await;
    let beginning = text(&page(&app, &tenant, "limit=1").await["next"]);
    let from_a_token = text(&page(&app, &tenant, &format!("limit=1&since={}", up_to(&beginning, 1))).await["next"]);
    let all = text(&page(&app, &tenant, "").await["next"]);
    app.prune(&tenant).await;

    let expired = problem(ask(&app, &tenant, &format!("since={from_a_token}")).await, 410).await;
    assert_eq!(expired["code"], "EXPIRED_SYNC_TOKEN");
    let rest = page(&app, &tenant, &format!("since={beginning}")).await;
    assert_eq!(told_of(&rest), [entry(3, "upserted", "333")], "it holds nothing that was deleted before it began");
    assert_eq!(told_of(&page(&app, &tenant, &format!("since={all}")).await), []);
    assert_eq!(told_of(&page(&app, &tenant, "").await).len(), 2);

    delete(&app, &tenant, "222").await;
    app.prune(&tenant).await;
    for since in [beginning, all] {
        problem(ask(&app, &tenant, &format!("since={since}")).await, 410).await;
    }
}

/// The same book's token up to another revision.
fn up_to(token: &str, revision: u64) -> String {
    format!("{}:{revision}", token.split(':').next().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_another_book_or_of_a_later_state_has_expired() {
    let app = TestApp::start().await;
    let (tenant, other) = (app.instance().await, app.instance().await);
    let own = text(&page(&app, &tenant, "").await["next"]);
    let foreign = text(&page(&app, &other, "").await["next"]);
    for since in [foreign, up_to(&own, 7), format!("{own}:1")] {
        let expired = problem(ask(&app, &tenant, &format!("since={since}")).await, 410).await;
        assert_eq!(expired["code"], "EXPIRED_SYNC_TOKEN");
    }
    assert_eq!(told_of(&page(&app, &tenant, "since=").await), [], "a blank one is none");
}

#[rstest]
#[case::no_token("since=yesterday", "since")]
#[case::half_a_token("since=0192aabbccddeeff0192aabbccddeeff", "since")]
#[case::a_number_too_large("since=0192aabbccddeeff0192aabbccddeeff:18446744073709551615", "since")]
#[case::no_rows("limit=0", "limit")]
#[case::too_many_rows("limit=1001", "limit")]
#[case::a_wait_too_long("wait=61", "wait")]
#[case::a_wait_backwards("wait=-1", "wait")]
#[case::a_misspelt_token("sinse=0192aabbccddeeff0192aabbccddeeff:1", "query")]
#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_named(#[case] query: &str, #[case] field: &str) {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    let refused = problem(ask(&app, &tenant, query).await, 400).await;
    assert_eq!((&refused["code"], &refused["field"]), (&json!("invalid"), &json!(field)));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_may_read_contacts_reads_the_feed_and_outsiders_learn_nothing() {
    let app = TestApp::start().await;
    let (tenant, stranger) = (app.instance().await, app.instance().await);
    let writer = app.limited(&tenant, &["contacts:write"]).await;
    for rest in ["changes", "events"] {
        let path = format!("/v1/instances/{}/{rest}", tenant.id);
        problem(app.v1(&writer.token, Method::GET, &path, None).await, 403).await;
        let foreign = app.v1(&stranger.token, Method::GET, &path, None).await;
        let missing = app.v1(&stranger.token, Method::GET, &format!("/v1/instances/nobody/{rest}"), None).await;
        assert_eq!(problem(foreign, 401).await, problem(missing, 401).await);
    }
}
