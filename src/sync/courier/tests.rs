//! The courier's promises, step by step, with a receiver that says what it was told to say: order, latest state, retries,
//! dead letters, replay, and nothing lost between two couriers.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard},
};

use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Handle;

use super::{super::carrier::Carrying, *};
use crate::{
    domain::{Act, ChatId, Edit, Field, NamePart, Patch, SavedPatch, Source},
    gateway::{EventTypes, Gateway, NewWebhook, Settings, WebhookPatch},
};

const T0: Moment = Moment::from_millis(1_800_000_000_000);

/// Answers 200 to everything for which it has no other answer.
#[derive(Default)]
struct Receiver {
    answers: Mutex<VecDeque<Result<Receipt, NoReceipt>>>,
    heard: Mutex<Vec<(String, Value)>>,
}

impl Carrier for Receiver {
    fn carry(&self, message: Message) -> Carrying<'_> {
        let id = message.headers.iter().find(|(name, _)| *name == "webhook-id").unwrap().1.clone();
        self.heard.lock().unwrap().push((id, serde_json::from_slice(&message.body).unwrap()));
        let answer = self.answers.lock().unwrap().pop_front();
        Box::pin(async move { answer.unwrap_or(Ok(Receipt { status: 200, retry_after: None })) })
    }
}

impl Receiver {
    fn will_say(&self, status: u16, times: usize) {
        self.answers().extend(std::iter::repeat_n(Ok(Receipt { status, retry_after: None }), times));
    }

    fn answers(&self) -> MutexGuard<'_, VecDeque<Result<Receipt, NoReceipt>>> {
        self.answers.lock().unwrap()
    }

    fn ids(&self) -> Vec<String> {
        self.heard.lock().unwrap().iter().map(|(id, _)| id.clone()).collect()
    }

    /// What was heard since the last time: the event's kind, and whom it is about.
    fn told(&self) -> Vec<String> {
        let heard = std::mem::take(&mut *self.heard.lock().unwrap());
        let story = |body: Value| {
            let contact = &body["data"]["contact"];
            let name = contact["display"].as_str().unwrap_or("nobody");
            format!("{} {} {name}", body["type"].as_str().unwrap(), contact["phone"].as_str().unwrap())
        };
        heard.into_iter().map(|(_, body)| story(body)).collect()
    }
}

struct Stage {
    folder: TempDir,
    gateway: Arc<Gateway>,
    webhooks: Webhooks,
    receiver: Arc<Receiver>,
    id: String,
}

fn open(folder: &TempDir) -> Arc<Gateway> {
    let settings = Settings {
        quota: Default::default(),
        sessions: folder.path().join("sessions"),
        admin_token: None,
        secret_key: None,
        open_books: 10,
        idle: Duration::from_secs(3600),
        mailbox: 256,
        tombstones: Duration::from_secs(3600),
        long_reads: 2,
        requests_per_minute: 0,
    };
    Gateway::open(settings, Handle::current()).unwrap()
}

fn webhooks(gateway: &Arc<Gateway>) -> Webhooks {
    let office = gateway.administer(Some(gateway.run_key().reveal())).unwrap();
    office.webhooks(&"demo".parse().unwrap()).unwrap()
}

impl Stage {
    async fn set_up(types: &[&str]) -> Self {
        let folder = TempDir::new().unwrap();
        let gateway = open(&folder);
        let office = gateway.administer(Some(gateway.run_key().reveal())).unwrap();
        office.create("demo".parse().unwrap()).await.unwrap();
        let webhooks = webhooks(&gateway);
        save(webhooks.session(), "100", "Before").await;
        let wish = NewWebhook {
            url: "https://example.com/".into(),
            types: EventTypes::parse(types.iter().copied()).unwrap_or(EventTypes::ALL),
            description: None,
            secret: Secret::random().bytes().to_vec(),
        };
        let id = webhooks.add(wish, 1).await.unwrap().id;
        Self { folder, gateway, webhooks, receiver: Arc::default(), id }
    }

    async fn courier(&self) -> Courier {
        let webhook = self.webhooks.find(&self.id).await.unwrap();
        Courier::new(&self.webhooks, webhook, Arc::<Receiver>::clone(&self.receiver), || 0.0).unwrap()
    }

    fn session(&self) -> &Session {
        self.webhooks.session()
    }

    async fn save(&self, who: &str, name: &str) {
        save(self.session(), who, name).await;
    }

    async fn delete(&self, who: &str) {
        let edit = Edit::new(who.parse::<ChatId>().unwrap(), Act::Delete, T0, Source::known("test"));
        self.session().edit(edit).await.unwrap();
    }

    async fn letters(&self) -> Vec<DeadLetter> {
        self.session().dead_letters(&self.id, false, 10).await.unwrap()
    }

    /// The same folder, opened anew, as after a crash.
    async fn reopen(self) -> Self {
        let Self { folder, gateway, receiver, id, webhooks: last } = self;
        drop(last);
        gateway.close().await;
        let gateway = open(&folder);
        let webhooks = webhooks(&gateway);
        Self { folder, gateway, webhooks, receiver, id }
    }
}

async fn save(session: &Session, who: &str, name: &str) {
    let first = Field::from(NamePart::parse(name, "name").unwrap());
    let saved = SavedPatch::Parts { first, last: Field::Keep };
    let who: ChatId = who.parse().unwrap();
    // Later than what came before, whatever the clock of the test.
    let at = Moment::from(std::time::SystemTime::now());
    session.edit(Edit::save(who, Patch { saved, ..Patch::default() }, at, Source::known("test"))).await.unwrap();
}

/// Steps until there is nothing to do now.
async fn walk(courier: &mut Courier, now: Moment) -> Next {
    for _ in 0..100 {
        let step = courier.step(now).await.unwrap();
        if step.next != Next::Now {
            return step.next;
        }
    }
    panic!("there is always something to do now");
}

fn after(seconds: u64) -> Moment {
    T0.plus(Duration::from_secs(seconds))
}

/// When the next try comes, in whole seconds from now: a step takes some milliseconds of its own.
fn seconds_until(next: Next, now: Moment) -> i64 {
    match next {
        Next::At(at) => (at.millis() - now.millis()) / 1000,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_after_the_registration_is_told_in_order_and_only_once() {
    let stage = Stage::set_up(&[]).await;
    let mut courier = stage.courier().await;
    assert_eq!(walk(&mut courier, T0).await, Next::OnChange);
    assert_eq!(stage.receiver.told(), [""; 0], "what was there before is no news");
    stage.save("111", "Ann").await;
    stage.save("222", "Bob").await;
    assert_eq!(walk(&mut courier, T0).await, Next::OnChange);
    assert_eq!(stage.receiver.told(), ["contact.created 111 Ann", "contact.created 222 Bob"]);
    stage.save("222", "Rob").await;
    stage.save("222", "Rob").await;
    stage.save("100", "Known").await;
    stage.delete("111").await;
    walk(&mut courier, T0).await;
    assert_eq!(
        stage.receiver.told(),
        ["contact.updated 222 Rob", "contact.updated 100 Known", "contact.deleted 111 nobody"]
    );
    walk(&mut courier, T0).await;
    assert_eq!(stage.receiver.told(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_on_one_contact_is_its_latest_state() {
    let stage = Stage::set_up(&[]).await;
    let mut courier = stage.courier().await;
    walk(&mut courier, T0).await;
    for n in 0..50 {
        stage.save("111", &format!("Ann {n}")).await;
    }
    walk(&mut courier, T0).await;
    assert_eq!(stage.receiver.told(), ["contact.created 111 Ann 49"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_creation_is_not_missed_when_the_contact_changes_before_it_is_told() {
    let stage = Stage::set_up(&["contact.created"]).await;
    let mut courier = stage.courier().await;
    walk(&mut courier, T0).await;
    // More than a page, whose first contact moves behind the others.
    for n in 0..=PAGE {
        stage.save(&format!("{}", 200 + n), "Ann").await;
    }
    stage.receiver.will_say(500, 1);
    seconds_until(walk(&mut courier, T0).await, T0);
    stage.save("200", "Moved").await;
    assert_eq!(walk(&mut courier, after(10)).await, Next::OnChange);
    let told = stage.receiver.told();
    assert_eq!(told.len(), 2 + PAGE as usize, "one was tried twice, all were told");
    assert_eq!(told.last().unwrap(), "contact.created 200 Moved");
    stage.save("201", "Again").await;
    walk(&mut courier, after(20)).await;
    assert_eq!(stage.receiver.told(), [""; 0], "nobody is created twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_types_that_were_wished_for_are_told() {
    let stage = Stage::set_up(&["contact.deleted"]).await;
    let mut courier = stage.courier().await;
    stage.save("111", "Ann").await;
    stage.save("222", "Bob").await;
    stage.delete("111").await;
    walk(&mut courier, T0).await;
    assert_eq!(stage.receiver.told(), ["contact.deleted 111 nobody"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_keeps_the_order_waits_longer_each_time_and_ends_as_a_dead_letter() {
    let stage = Stage::set_up(&[]).await;
    let mut courier = stage.courier().await;
    stage.save("111", "Ann").await;
    stage.save("222", "Bob").await;
    stage.receiver.will_say(500, 10);
    let mut now = T0;
    for (tries, wait) in retry::WAITS.iter().enumerate() {
        let next = walk(&mut courier, now).await;
        assert_eq!(seconds_until(next, now), wait.as_secs().cast_signed());
        assert_eq!(stage.receiver.told(), ["contact.created 111 Ann"], "Bob waits");
        let progress = stage.session().hook_progress(&stage.id).await.unwrap().unwrap();
        assert_eq!(progress.tries as usize, tries + 1);
        assert_eq!(progress.last.unwrap().error.unwrap(), "status_500");
        // Too early: nothing is sent, and nothing is asked of the book.
        assert_eq!(courier.step(now).await.unwrap().next, next);
        now = now.plus(*wait + Duration::from_secs(1));
    }
    assert_eq!(walk(&mut courier, now).await, Next::OnChange);
    assert_eq!(stage.receiver.told(), ["contact.created 111 Ann", "contact.created 222 Bob"], "the tenth, and on");
    let letters = stage.letters().await;
    assert_eq!((letters.len(), letters[0].tries, letters[0].again), (1, 10, false));
    assert_eq!((letters[0].error.as_str(), letters[0].kind.as_str()), ("status_500", "contact.created"));
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_are_told_again_as_they_are_now_and_only_if_nothing_newer_was() {
    let stage = Stage::set_up(&[]).await;
    let mut courier = stage.courier().await;
    for who in ["111", "222"] {
        stage.save(who, "Ann").await;
        stage.receiver.will_say(500, 10);
        let mut now = T0;
        for _ in 0..10 {
            walk(&mut courier, now).await;
            now = now.plus(Duration::from_secs(100_000));
        }
        assert_eq!(walk(&mut courier, now).await, Next::OnChange);
    }
    assert_eq!(stage.letters().await.len(), 2);
    stage.save("222", "Newer").await;
    walk(&mut courier, T0).await;
    courier.note().await.unwrap();
    let before = stage.receiver.ids();
    stage.receiver.told();
    stage.session().work_on_hook(HookWork::Revive { id: stage.id.clone() }).await.unwrap();
    let mut courier = stage.courier().await;
    assert_eq!(walk(&mut courier, T0).await, Next::OnChange);
    assert_eq!(stage.receiver.ids(), [before[0].clone()], "the same id as the first time");
    assert_eq!(stage.receiver.told(), ["contact.created 111 Ann"]);
    assert_eq!(stage.letters().await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revived_letter_that_fails_again_stays_and_tries_the_whole_schedule() {
    let stage = Stage::set_up(&[]).await;
    let mut courier = stage.courier().await;
    stage.save("111", "Ann").await;
    stage.receiver.will_say(500, 20);
    let mut now = T0;
    for _ in 0..10 {
        walk(&mut courier, now).await;
        now = now.plus(Duration::from_secs(100_000));
    }
    stage.session().work_on_hook(HookWork::Revive { id: stage.id.clone() }).await.unwrap();
    let mut courier = stage.courier().await;
    for tries in 1..=9 {
        assert!(matches!(walk(&mut courier, now).await, Next::At(_)), "{tries}");
        assert!(stage.letters().await[0].again);
        now = now.plus(Duration::from_secs(100_000));
    }
    assert_eq!(walk(&mut courier, now).await, Next::OnChange);
    let letters = stage.letters().await;
    assert_eq!((letters.len(), letters[0].again, letters[0].tries), (1, false, 10));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_receiver_may_ask_for_a_longer_wait_and_may_want_nothing_more() {
    let stage = Stage::set_up(&[]).await;
    let mut courier = stage.courier().await;
    stage.save("111", "Ann").await;
    let asked = Receipt { status: 429, retry_after: Some(Duration::from_secs(90)) };
    stage.receiver.answers().extend([Ok(asked), Err(NoReceipt::TimedOut)]);
    assert_eq!(seconds_until(walk(&mut courier, T0).await, T0), 90);
    assert_eq!(seconds_until(walk(&mut courier, after(91)).await, after(91)), 300);
    stage.receiver.will_say(410, 1);
    assert_eq!(walk(&mut courier, after(1000)).await, Next::Gone);
    assert_eq!(stage.letters().await, [], "it is not given up: whoever activates the webhook again is told");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_a_failure() {
    let stage = Stage::set_up(&[]).await;
    let mut courier = stage.courier().await;
    stage.save("111", "Ann").await;
    stage.receiver.will_say(307, 1);
    assert_eq!(seconds_until(walk(&mut courier, T0).await, T0), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_crash_nothing_is_lost_and_what_comes_twice_has_its_first_id() {
    let stage = Stage::set_up(&[]).await;
    let mut courier = stage.courier().await;
    for n in 0..5 {
        stage.save(&format!("{}", 200 + n), "Ann").await;
    }
    stage.receiver.answers().extend([200, 200].map(|status| Ok(Receipt { status, retry_after: None })));
    stage.receiver.will_say(503, 1);
    walk(&mut courier, T0).await;
    // Gone without a word, and with it what was not noted.
    drop(courier);
    let stage = stage.reopen().await;
    let mut courier = stage.courier().await;
    assert_eq!(walk(&mut courier, after(10)).await, Next::OnChange);
    let ids = stage.receiver.ids();
    let mut once = ids.clone();
    once.sort();
    once.dedup();
    assert_eq!(once.len(), 5, "all were told: {ids:?}");
    let head = stage.session().head().await.unwrap();
    assert_eq!(once[0], format!("demo-{}-2", head.epoch));
    courier.note().await.unwrap();
    let stage = stage.reopen().await;
    let mut courier = stage.courier().await;
    stage.receiver.told();
    walk(&mut courier, after(20)).await;
    assert_eq!(stage.receiver.told(), [""; 0], "what was noted is not told again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_tells_everything_after_a_revision_even_while_a_courier_is_on_its_way() {
    let stage = Stage::set_up(&[]).await;
    let mut courier = stage.courier().await;
    stage.save("111", "Ann").await;
    stage.save("222", "Bob").await;
    walk(&mut courier, T0).await;
    stage.receiver.told();
    let replay = HookWork::Replay { id: stage.id.clone(), since: Revision::default() };
    stage.session().work_on_hook(replay).await.unwrap();
    // The one on its way does not know, and must not write over it.
    stage.save("111", "Anna").await;
    walk(&mut courier, T0).await;
    courier.note().await.unwrap();
    walk(&mut courier, T0).await;
    let told = stage.receiver.told();
    let all = ["contact.created 100 Before", "contact.created 222 Bob", "contact.created 111 Anna"];
    assert!(all.iter().all(|event| told.iter().any(|heard| heard == event)), "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_whose_book_was_made_anew_is_told_all_of_it() {
    let stage = Stage::set_up(&[]).await;
    let mut webhook = stage.webhooks.change(&stage.id, WebhookPatch::default()).await.unwrap();
    webhook.epoch = crate::domain::Epoch(uuid::Uuid::now_v7());
    let receiver = Arc::<Receiver>::clone(&stage.receiver);
    let mut courier = Courier::new(&stage.webhooks, webhook, receiver, || 0.0).unwrap();
    walk(&mut courier, T0).await;
    assert_eq!(stage.receiver.told(), ["contact.created 100 Before"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn when_two_become_one_the_receiver_is_told_who_is_left() {
    let stage = Stage::set_up(&[]).await;
    let mut courier = stage.courier().await;
    stage.save("111", "Ann").await;
    stage.save("999888777@lid", "Ann").await;
    walk(&mut courier, T0).await;
    stage.receiver.heard.lock().unwrap().clear();
    let lid = *ChatId::lid("999888777").unwrap().digits();
    let phone = *ChatId::phone("111").unwrap().digits();
    stage.session().edit(Edit::learn(lid, phone, T0, Source::known("test"))).await.unwrap();
    walk(&mut courier, T0).await;
    let heard = std::mem::take(&mut *stage.receiver.heard.lock().unwrap());
    let merged = heard.iter().find(|(_, body)| body["type"] == "contact.merged").expect("it is told");
    let left = heard.iter().find(|(_, body)| body["type"] == "contact.updated").expect("so is the other");
    assert_eq!(merged.1["data"]["merged_into"]["uuid"], left.1["data"]["contact"]["uuid"]);
    assert_eq!(left.1["data"]["contact"]["lid"], "999888777@lid");
    assert_eq!(heard.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn deletions_that_were_forgotten_before_they_were_told_are_owned_up_to() {
    let stage = Stage::set_up(&[]).await;
    let mut courier = stage.courier().await;
    walk(&mut courier, T0).await;
    courier.note().await.unwrap();
    stage.save("111", "Ann").await;
    stage.delete("111").await;
    stage.save("222", "Bob").await;
    stage.session().prune(after(1), 100).await.unwrap();
    walk(&mut courier, T0).await;
    courier.note().await.unwrap();
    assert_eq!(stage.receiver.told(), ["contact.created 222 Bob"]);
    let progress = stage.session().hook_progress(&stage.id).await.unwrap().unwrap();
    assert_eq!(progress.missed, Some(stage.session().head().await.unwrap().pruned));
    assert!(progress.missed.is_some_and(|missed| missed > Revision::default()));
}
