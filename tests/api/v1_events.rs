//! `/v1/instances/{i}/events`: the feed as server-sent events, from now or from the last one seen, and what ends a stream.

use std::time::{Duration, Instant};

use reqwest::{Method, Response};
use rstest::rstest;
use serde_json::Value;

use crate::support::{Tenant, TestApp, problem, text, told};

/// A stream as a client reads it.
struct Events {
    response: Response,
    heard: String,
}

#[derive(Debug, PartialEq, Eq)]
struct Event {
    name: String,
    id: String,
    data: String,
}

impl Events {
    /// A stream that must begin.
    async fn open(app: &TestApp, tenant: &Tenant, query: &str, last: Option<&str>) -> Self {
        let response = ask(app, tenant, query, last).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-store");
        Self { response, heard: String::new() }
    }

    /// The next block of lines; `None` when the stream has ended in order.
    async fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.heard.split_once("\n\n") {
                let block = block.to_owned();
                self.heard = rest.to_owned();
                return Some(block);
            }
            let chunk = self.response.chunk().await.unwrap()?;
            self.heard += std::str::from_utf8(&chunk).unwrap();
        }
    }

    async fn next(&mut self) -> Option<Event> {
        loop {
            let block = self.block().await?;
            let of = |field: &str| {
                let value = block.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(": "));
                value.unwrap_or_default().to_owned()
            };
            if block.lines().any(|line| line.starts_with("data: ")) {
                return Some(Event { name: of("event"), id: of("id"), data: of("data") });
            }
        }
    }

    async fn expect(&mut self, name: &str) -> (String, Value) {
        let event = self.next().await.expect("the stream goes on");
        assert_eq!(event.name, name, "{event:?}");
        (event.id, serde_json::from_str(&event.data).unwrap())
    }

    /// Its end, without another event.
    async fn end(mut self) {
        assert_eq!(self.next().await, None);
    }
}

async fn ask(app: &TestApp, tenant: &Tenant, query: &str, last: Option<&str>) -> Response {
    let request = app.request(Method::GET, &format!("/v1/instances/{}/events{query}", tenant.id));
    let request = request.bearer_auth(&tenant.token);
    match last {
        Some(last) => request.header("Last-Event-ID", last),
        None => request,
    }
    .send()
    .await
    .unwrap()
}

async fn feed(app: &TestApp, tenant: &Tenant) -> Value {
    let path = format!("/v1/instances/{}/changes", tenant.id);
    told(app.v1(&tenant.token, Method::GET, &path, None).await, 200).await
}

async fn delete(app: &TestApp, tenant: &Tenant, who: &str) {
    let path = format!("/v1/instances/{}/contacts/{who}", tenant.id);
    told(app.v1(&tenant.token, Method::DELETE, &path, None).await, 200).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_begins_now_and_tells_what_the_feed_tells() {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    app.save(&tenant, "111@c.us", "Ann", "").await;
    let now = text(&feed(&app, &tenant).await["next"]);
    let mut events = Events::open(&app, &tenant, "", None).await;
    assert_eq!(events.block().await.unwrap(), format!("retry: 2000\nid: {now}"), "there is somewhere to come back to");

    app.save(&tenant, "222@c.us", "Bob\u{2028}", "").await;
    let (id, change) = events.expect("contact.upserted").await;
    let page = feed(&app, &tenant).await;
    assert_eq!((&change, id), (&page["changes"][1], text(&page["next"])));
    delete(&app, &tenant, "111").await;
    let (id, change) = events.expect("contact.deleted").await;
    let page = feed(&app, &tenant).await;
    assert_eq!((&change, id), (&page["changes"][1], text(&page["next"])));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_goes_on_after_the_last_event_that_was_seen() {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    let start = text(&feed(&app, &tenant).await["next"]);
    // More than a stream reads at once.
    for number in 1..=120 {
        app.save(&tenant, &format!("{}@c.us", 1000 + number), "Somebody", "").await;
    }
    let mut events = Events::open(&app, &tenant, "", Some(&start)).await;
    let mut middle = String::new();
    for revision in 1..=120 {
        let (id, change) = events.expect("contact.upserted").await;
        assert_eq!(change["revision"], revision);
        assert!(id.ends_with(&format!(":{revision}")), "{id}");
        if revision == 100 {
            middle = id;
        }
    }
    drop(events);
    let query = format!("?last_event_id={middle}");
    for mut events in
        [Events::open(&app, &tenant, "", Some(&middle)).await, Events::open(&app, &tenant, &query, None).await]
    {
        assert_eq!(events.expect("contact.upserted").await.1["revision"], 101);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_was_away_too_long_is_told_to_read_everything_and_the_stream_goes_on() {
    let app = TestApp::start().await;
    let (tenant, other) = (app.instance().await, app.instance().await);
    let foreign = text(&feed(&app, &other).await["next"]);
    let old = text(&feed(&app, &tenant).await["next"]);
    app.save(&tenant, "111@c.us", "Ann", "").await;
    delete(&app, &tenant, "111").await;
    app.prune(&tenant).await;
    let now = text(&feed(&app, &tenant).await["next"]);
    for (place, last) in [old, foreign].iter().enumerate() {
        let mut events = Events::open(&app, &tenant, "", Some(last)).await;
        let (id, data) = events.expect("resync").await;
        assert_eq!(data["code"], "EXPIRED_SYNC_TOKEN");
        if place == 0 {
            assert_eq!(id, now);
        }
        app.save(&tenant, "222@c.us", &format!("Bob {place}"), "").await;
        assert_eq!(events.expect("contact.upserted").await.1["contact"]["chat_id"], "222@c.us");
    }
}

#[rstest]
#[case::a_header_that_is_no_token("", Some("17"))]
#[case::a_parameter_that_is_no_token("?last_event_id=17", None)]
#[case::a_parameter_that_is_unknown("?since=17", None)]
#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_named(#[case] query: &str, #[case] last: Option<&str>) {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    assert_eq!(problem(ask(&app, &tenant, query, last).await, 400).await["code"], "invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_with_its_token_or_its_instance() {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    let guest = app.token(&tenant, serde_json::json!({"scopes": ["contacts:read"]})).await;
    let reader = Tenant { id: tenant.id.clone(), token: text(&guest["access_token"]) };
    let (of_guest, of_owner) =
        (Events::open(&app, &reader, "", None).await, Events::open(&app, &tenant, "", None).await);
    let path = format!("/v1/instances/{}/tokens/{}", tenant.id, text(&guest["token_id"]));
    assert_eq!(app.admin(Method::DELETE, &path, None).await.status(), 204);
    app.save(&tenant, "111@c.us", "Ann", "").await;
    of_guest.end().await;
    let mut of_owner = of_owner;
    of_owner.expect("contact.upserted").await;

    let since = text(&feed(&app, &tenant).await["next"]);
    let waiting = format!("/v1/instances/{}/changes?wait=50&since={since}", tenant.id);
    let (answer, ()) = tokio::join!(app.v1(&tenant.token, Method::GET, &waiting, None), async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let path = format!("/v1/instances/{}", tenant.id);
        assert_eq!(app.admin(Method::DELETE, &path, None).await.status(), 204);
    });
    problem(answer, 503).await;
    of_owner.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn open_streams_and_long_polls_do_not_keep_a_server_that_is_to_stop() {
    let folder = tempfile::TempDir::new().unwrap();
    let app = TestApp::start_with(folder, |config| config.http.grace = Duration::from_secs(40)).await;
    let tenant = app.instance().await;
    let mut events = Events::open(&app, &tenant, "", None).await;
    events.block().await.unwrap();
    let since = text(&feed(&app, &tenant).await["next"]);
    let path = format!("/v1/instances/{}/changes?wait=50&since={since}", tenant.id);
    let poll = tokio::spawn(app.request(Method::GET, &path).bearer_auth(&tenant.token).send());
    tokio::time::sleep(Duration::from_millis(300)).await;
    let began = Instant::now();
    app.stop().await;
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    assert_eq!(told(poll.await.unwrap().unwrap(), 200).await["next"], since, "an empty page, not a broken one");
    events.end().await;
}
