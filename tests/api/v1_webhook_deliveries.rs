//! Webhooks as their receivers know them: signed, in order, again when it went wrong, none lost with a restart, and nobody
//! delayed by somebody else.

use std::{collections::BTreeSet, time::Duration};

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    ear::{Answer, Ear},
    support::{Tenant, TestApp, problem, text, told},
};

struct Owner {
    app: TestApp,
    tenant: Tenant,
}

impl Owner {
    async fn start() -> Self {
        let app = TestApp::start_near(TempDir::new().unwrap()).await;
        let tenant = app.instance().await;
        Self { app, tenant }
    }

    async fn ask(&self, method: Method, rest: &str, body: Option<Value>, status: u16) -> Value {
        let path = format!("/v1/instances/{}/webhooks{rest}", self.tenant.id);
        told(self.app.v1(&self.tenant.token, method, &path, body).await, status).await
    }

    /// A webhook to this ear: its id and its secret.
    async fn tell(&self, ear: &Ear) -> (String, String) {
        let made = self.ask(Method::POST, "", Some(json!({"url": ear.url})), 201).await;
        (text(&made["webhook_id"]), text(&made["secret"]))
    }

    async fn save(&self, who: &str, name: &str) {
        self.app.save(&self.tenant, who, name, "").await;
    }

    async fn delete(&self, who: &str) {
        let path = format!("/v1/instances/{}/contacts/{who}", self.tenant.id);
        told(self.app.v1(&self.tenant.token, Method::DELETE, &path, None).await, 200).await;
    }

    /// The deliveries of a webhook, once they are so.
    async fn until(&self, id: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..600 {
            let shown = self.ask(Method::GET, &format!("/{id}/deliveries"), None, 200).await;
            if is_so(&shown) {
                return shown;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("it never becomes so");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_arrive_signed_and_in_order() {
    let owner = Owner::start().await;
    let mut ear = Ear::open().await;
    owner.save("111", "Before").await;
    let (_, secret) = owner.tell(&ear).await;
    owner.save("222", "Ann").await;
    let first = ear.next().await;
    assert_eq!(first.story(), "contact.created 222@c.us Ann");
    assert!(first.is_signed_with(&secret), "the reference implementation takes it");
    assert!(!first.is_signed_with("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"));
    assert_eq!(
        (first.target.as_str(), first.head["content-type"].to_str().unwrap()),
        ("/hook?key=42", "application/json")
    );
    let (body, path) = (first.json(), format!("/v1/instances/{}", owner.tenant.id));
    let epoch = told(owner.app.admin(Method::GET, &path, None).await, 200).await["epoch"].clone();
    assert_eq!(first.id(), format!("{}-{}-2", owner.tenant.id, text(&epoch)));
    assert_eq!((&body["data"]["instance_id"], &body["data"]["revision"]), (&json!(owner.tenant.id), &json!(2)));
    assert_eq!(body["data"]["contact"]["names"]["saved"]["first"], "Ann");
    assert!(body["timestamp"].as_str().unwrap().ends_with('Z'));

    owner.save("222", "Anna").await;
    assert_eq!(ear.next_story().await, "contact.updated 222@c.us Anna");
    owner.save("222", "Anna").await;
    owner.delete("222").await;
    assert_eq!(ear.next_story().await, "contact.deleted 222@c.us nobody", "nothing is told of what changed nothing");
    owner.save("111", "After").await;
    assert_eq!(ear.next_story().await, "contact.updated 111@c.us After");
    assert!(ear.hears_nothing().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_who_hangs_delays_nobody_else() {
    let owner = Owner::start().await;
    let (mut hanging, mut quick) = (Ear::open().await, Ear::open().await);
    hanging.will_say([Answer::Silence]);
    owner.tell(&hanging).await;
    owner.tell(&quick).await;
    owner.save("111", "Ann").await;
    hanging.next().await;
    for n in 0..20 {
        owner.save("222", &format!("Bob {n}")).await;
    }
    while quick.next_story().await != "contact.updated 222@c.us Bob 19" {}
    assert!(hanging.hears_nothing().await, "it has its first one still");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_delivery_comes_again_with_its_id_and_those_behind_it_wait() {
    let owner = Owner::start().await;
    let mut ear = Ear::open().await;
    ear.will_say([Answer::Status(500)]);
    let (id, secret) = owner.tell(&ear).await;
    owner.save("111", "Ann").await;
    let first = ear.next().await;
    owner.save("222", "Bob").await;
    let shown = owner.until(&id, |shown| shown["pending"]["attempts"] == 1).await;
    assert_eq!((&shown["last"]["status"], &shown["last"]["error"]), (&json!(500), &json!("status_500")));
    assert!(ear.hears_nothing().await, "Bob waits for Ann, and she for five seconds");
    let again = ear.next().await;
    assert_eq!((again.id(), again.is_signed_with(&secret)), (first.id(), true));
    assert_eq!(ear.next_story().await, "contact.created 222@c.us Bob");
    let shown = owner.until(&id, |shown| shown["cursor"] == shown["revision"]).await;
    assert_eq!((&shown["pending"], &shown["dead_letters"]), (&Value::Null, &json!([])));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_may_ask_to_be_left_alone_and_the_owner_may_know_better() {
    let owner = Owner::start().await;
    let mut ear = Ear::open().await;
    ear.will_say([Answer::With(503, "retry-after: 3600")]);
    let (id, _) = owner.tell(&ear).await;
    owner.save("111", "Ann").await;
    ear.next().await;
    let shown = owner.until(&id, |shown| shown["pending"]["attempts"] == 1).await;
    let at: jiff::Timestamp = text(&shown["pending"]["next_at"]).parse().unwrap();
    let wait = at.duration_since(jiff::Timestamp::now());
    assert!((3000..=3600).contains(&wait.as_secs()), "{wait}");
    owner.ask(Method::PATCH, &format!("/{id}"), Some(json!({"state": "active"})), 200).await;
    assert_eq!(ear.next_story().await, "contact.created 111@c.us Ann");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_gone_is_left_alone_until_the_owner_says_otherwise() {
    let owner = Owner::start().await;
    let mut ear = Ear::open().await;
    ear.will_say([Answer::Status(410)]);
    let (id, _) = owner.tell(&ear).await;
    owner.save("111", "Ann").await;
    ear.next().await;
    owner.until(&id, |shown| shown["state"] == "disabled").await;
    let shown = owner.ask(Method::GET, &format!("/{id}"), None, 200).await;
    assert_eq!(shown["disabled_reason"], "the receiver answered 410 Gone");
    owner.save("222", "Bob").await;
    assert!(ear.hears_nothing().await);
    owner.ask(Method::PATCH, &format!("/{id}"), Some(json!({"state": "active"})), 200).await;
    assert_eq!(ear.next_story().await, "contact.created 111@c.us Ann", "nothing was lost");
    assert_eq!(ear.next_story().await, "contact.created 222@c.us Bob");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_secret_is_replaced_both_are_good() {
    let owner = Owner::start().await;
    let mut ear = Ear::open().await;
    let (id, old) = owner.tell(&ear).await;
    let replaced = owner.ask(Method::POST, &format!("/{id}/secret"), None, 200).await;
    let fresh = text(&replaced["secret"]);
    assert_ne!(fresh, old);
    assert!(replaced["previous_secret_until"].is_string());
    owner.save("111", "Ann").await;
    let heard = ear.next().await;
    assert!(heard.is_signed_with(&fresh) && heard.is_signed_with(&old));
    assert_eq!(heard.head["webhook-signature"].to_str().unwrap().split(' ').count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_told_can_be_told_again() {
    let owner = Owner::start().await;
    owner.save("100", "Old").await;
    let mut ear = Ear::open().await;
    let (id, _) = owner.tell(&ear).await;
    owner.save("111", "Ann").await;
    let first = ear.next().await.id();
    owner.ask(Method::POST, &format!("/{id}/replay"), Some(json!({"since": 1})), 202).await;
    assert_eq!(ear.next().await.id(), first, "the same change, the same id");
    owner.ask(Method::POST, &format!("/{id}/replay"), Some(json!({"since": 0})), 202).await;
    assert_eq!(ear.next_story().await, "contact.created 100@c.us Old");
    assert_eq!(ear.next_story().await, "contact.created 111@c.us Ann");
    owner.ask(Method::POST, &format!("/{id}/replay"), Some(json!({"dead_letters": true})), 202).await;
    assert!(ear.hears_nothing().await, "there are none");
    for wrong in
        [json!({"since": 99}), json!({"since": -1}), json!({}), json!({"since": null}), json!({"dead_letters": 1})]
    {
        let path = format!("/v1/instances/{}/webhooks/{id}/replay", owner.tenant.id);
        problem(owner.app.v1(&owner.tenant.token, Method::POST, &path, Some(wrong)).await, 400).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_webhook_catches_up_and_a_removed_one_is_silent() {
    let owner = Owner::start().await;
    let mut ear = Ear::open().await;
    let (id, _) = owner.tell(&ear).await;
    owner.ask(Method::PATCH, &format!("/{id}"), Some(json!({"state": "paused"})), 200).await;
    owner.save("111", "Ann").await;
    owner.save("111", "Anna").await;
    assert!(ear.hears_nothing().await);
    owner.ask(Method::PATCH, &format!("/{id}"), Some(json!({"state": "active"})), 200).await;
    assert_eq!(ear.next_story().await, "contact.created 111@c.us Anna", "once, as it is now");
    owner.ask(Method::DELETE, &format!("/{id}"), None, 204).await;
    owner.save("222", "Bob").await;
    assert!(ear.hears_nothing().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_in_the_middle_loses_none() {
    let owner = Owner::start().await;
    let mut ear = Ear::open().await;
    // The third is never answered: the gateway stops while it waits.
    ear.will_say([Answer::Status(204), Answer::Status(204), Answer::Silence]);
    owner.tell(&ear).await;
    let mut wanted = BTreeSet::new();
    for n in 0..20 {
        let who = format!("{}", 200 + n);
        owner.save(&who, "Ann").await;
        wanted.insert(format!("contact.created {who}@c.us Ann"));
    }
    let mut heard = BTreeSet::new();
    for _ in 0..3 {
        ear.next().await;
    }
    let Owner { app, tenant } = owner;
    let app = TestApp::start_near(app.stop().await).await;
    let (mut last, mut ids) = (0, BTreeSet::new());
    // The first two were noted; the third comes again, and all others after it, in order.
    while heard.len() < 18 {
        let delivery = ear.next().await;
        let revision = delivery.json()["data"]["revision"].as_u64().unwrap();
        assert!(revision > last, "in order");
        last = revision;
        assert!(ids.insert(delivery.id()));
        heard.insert(delivery.story());
    }
    assert!(heard.is_subset(&wanted) && heard.contains("contact.created 202@c.us Ann"));
    app.save(&tenant, "999", "Last", "").await;
    assert_eq!(ear.next_story().await, "contact.created 999@c.us Last");
}
