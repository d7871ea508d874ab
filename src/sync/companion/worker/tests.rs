//! A companion's worker, step by step with a clock of its own: what is told, how often, what comes of trouble, what a pull
//! brings. The companion is a scripted one; the book and its desk are real.

use std::{
    collections::{BTreeMap, VecDeque},
    path::PathBuf,
};

use tempfile::TempDir;
use tokio::runtime::Handle;

use super::*;
use crate::{
    book::{Book, Known},
    domain::{Act, ChatId, Digits, Field, NamePart, Patch, Saved, SavedPatch, Sighting, Source, SyncState},
    session::{OpenBooks, Setting},
    sync::companion::{Answer, There},
};

/// A phone that does what it is told, except when a trouble is planned.
#[derive(Default)]
struct Phone {
    names: BTreeMap<ChatId, Saved>,
    pushnames: BTreeMap<ChatId, NamePart>,
    mappings: Vec<Mapped>,
    /// For the next names told, one each.
    troubles: VecDeque<Trouble>,
    list_trouble: Option<Trouble>,
    /// What was put, in order.
    told: Vec<(ChatId, Option<String>)>,
    lists: usize,
    /// Takes names and shows the old ones.
    is_slow_to_show: bool,
    /// Says nothing of who is among the saved ones.
    is_silent: bool,
}

#[derive(Clone, Default)]
struct Script(Arc<Mutex<Phone>>);

impl Script {
    fn with<T>(&self, act: impl FnOnce(&mut Phone) -> T) -> T {
        act(&mut self.0.lock().unwrap())
    }

    fn put(&self, who: ChatId, name: Option<&Saved>) -> Result<(), Trouble> {
        self.with(|phone| {
            phone.told.push((who, name.and_then(Saved::full)));
            if let Some(trouble) = phone.troubles.pop_front() {
                return Err(trouble);
            }
            if !phone.is_slow_to_show {
                match name.filter(|name| name.full().is_some()) {
                    Some(name) => phone.names.insert(who, Saved { by: None, ..name.clone() }),
                    None => phone.names.remove(&who),
                };
            }
            Ok(())
        })
    }

    fn met(&self, who: ChatId) -> Met {
        self.with(|phone| {
            let nothing = if phone.is_silent { There::Unsaid } else { There::Nothing };
            let saved = phone.names.get(&who).map_or(nothing, |saved| There::Named(saved.clone()));
            Met { who, saved, push: phone.pushnames.get(&who).cloned() }
        })
    }
}

impl Companion for Script {
    fn save<'a>(&'a self, who: ChatId, name: &'a Saved) -> Answer<'a, ()> {
        Box::pin(async move { self.put(who, Some(name)) })
    }

    fn remove(&self, who: ChatId) -> Answer<'_, ()> {
        Box::pin(async move { self.put(who, None) })
    }

    fn lookup(&self, who: ChatId) -> Answer<'_, Met> {
        Box::pin(async move { Ok(self.met(who)) })
    }

    fn contacts(&self, window: Window) -> Answer<'_, Page<Met>> {
        Box::pin(async move {
            let ids: Vec<ChatId> = self.with(|phone| {
                phone.lists += 1;
                if let Some(trouble) = phone.list_trouble {
                    return Err(trouble);
                }
                let mut ids: Vec<_> = phone.names.keys().chain(phone.pushnames.keys()).copied().collect();
                ids.sort();
                ids.dedup();
                Ok(ids)
            })?;
            let rows: Vec<_> =
                ids.into_iter().skip(window.offset).take(window.limit).map(|who| self.met(who)).collect();
            let first = rows.first().map(|met| met.who.to_string());
            Ok(Page { listed: rows.len(), rows, first })
        })
    }

    fn mappings(&self, window: Window) -> Answer<'_, Page<Mapped>> {
        Box::pin(async move {
            let rows: Vec<_> = self.with(|phone| phone.mappings.iter().skip(window.offset).copied().collect());
            Ok(Page { listed: rows.len(), first: None, rows })
        })
    }
}

struct Stage {
    _folder: TempDir,
    home: PathBuf,
    session: Session,
    phone: Script,
    worker: Worker,
    now: Moment,
}

const MINUTE: Duration = Duration::from_secs(60);
const PULL_EVERY: Duration = Duration::from_secs(900);

impl Stage {
    async fn new(per_minute: u32) -> Self {
        let folder = TempDir::new().unwrap();
        let home = folder.path().join("demo");
        std::fs::create_dir(&home).unwrap();
        Book::create(&home).unwrap().close().unwrap();
        let setting = Setting {
            runtime: Handle::current(),
            mailbox: 64,
            long_reads: 2,
            open_books: Arc::new(OpenBooks::default()),
        };
        let session = Session::new("demo".parse().unwrap(), home.clone(), setting);
        let phone = Script::default();
        let link = Some(Print::of("phone"));
        let worker = Worker::new(session.clone(), link, Box::new(phone.clone()), per_minute, PULL_EVERY);
        let mut stage =
            Self { _folder: folder, home, session, phone, worker, now: Moment::from_millis(1_800_000_000_000) };
        stage.run().await;
        stage
    }

    /// Steps until there is nothing to do at this time.
    async fn run(&mut self) -> Moment {
        for _ in 0..1000 {
            let next = self.worker.step(self.now).await;
            if next > self.now {
                return next;
            }
        }
        panic!("it spins");
    }

    async fn run_after(&mut self, wait: Duration) -> Moment {
        self.now = self.now.plus(wait);
        self.run().await
    }

    async fn pull(&mut self) -> Pulled {
        self.worker.take_heart();
        self.worker.pull(self.now).await
    }

    async fn edit(&mut self, id: &str, act: Act) {
        self.now = self.now.plus(Duration::from_millis(1));
        self.session.edit(Edit::new(chat(id), act, self.now, Source::known("test"))).await.unwrap();
    }

    async fn save(&mut self, id: &str, first: &str, last: &str) {
        self.edit(id, saving(first, last)).await;
    }

    async fn name(&self, id: &str) -> Option<String> {
        self.session.get(chat(id)).await.unwrap()?.names.saved.full()
    }

    async fn sync(&self, id: &str) -> Option<crate::domain::Sync> {
        let known: Vec<Known> = self.session.known(vec![chat(id)]).await.unwrap();
        known.into_iter().next().unwrap().sync
    }

    /// State and reason.
    async fn state(&self, id: &str) -> (&'static str, Option<String>) {
        let sync = self.sync(id).await;
        sync.map_or(("local", None), |sync| (sync.state.word(), sync.reason.map(String::from)))
    }

    fn rename_there(&self, id: &str, name: &str) {
        let saved = Saved { first: part(name), last: None, by: None };
        self.phone.with(|phone| phone.names.insert(chat(id), saved));
    }

    fn told(&self) -> Vec<(String, Option<String>)> {
        self.phone.with(|phone| phone.told.drain(..).map(|(who, name)| (who.to_string(), name)).collect())
    }

    async fn revision(&self) -> u64 {
        self.session.head().await.unwrap().revision.number()
    }

    fn health(&self) -> Health {
        self.worker.health().lock().unwrap().clone()
    }
}

fn chat(text: &str) -> ChatId {
    text.parse().unwrap()
}

fn part(text: &str) -> Option<NamePart> {
    NamePart::parse(text, "name").unwrap()
}

fn saving(first: &str, last: &str) -> Act {
    let saved = SavedPatch::Parts { first: Field::from(part(first)), last: Field::from(part(last)) };
    Act::Save(Box::new(Patch { saved, ..Patch::default() }))
}

fn digits(text: &str) -> Digits {
    *chat(text).digits()
}

fn seen(push: &str, at: Moment) -> Act {
    let source = Source::known("test");
    Act::See(Sighting { push: part(push), business: None, last_message_at: None, at, source })
}

fn one(id: &str, name: &str) -> (String, Option<String>) {
    (chat(id).to_string(), Some(name.to_owned()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_saved_name_is_told_once_and_confirmed() {
    let mut stage = Stage::new(60).await;
    stage.save("123", "Bob", "Smith").await;
    assert_eq!(stage.state("123").await, ("pending", None));
    stage.run().await;
    assert_eq!(stage.told(), [one("123", "Bob Smith")]);
    assert_eq!(stage.state("123").await, ("confirmed", None));
    let revision = stage.revision().await;
    for _ in 0..3 {
        stage.run_after(PULL_EVERY).await;
    }
    assert_eq!(stage.told(), []);
    assert_eq!(stage.revision().await, revision, "looking changes nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_changes_while_nobody_listens_are_told_as_the_last_one() {
    let mut stage = Stage::new(60).await;
    for number in 0..10 {
        stage.save("123", "Bob", &format!("the {number}th")).await;
    }
    stage.run().await;
    assert_eq!(stage.told(), [one("123", "Bob the 9th")]);
    // What is not the saved name is none of the companion's business.
    let now = stage.now;
    stage.edit("123", seen("Bobby", now)).await;
    stage.run().await;
    assert_eq!(stage.told(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_names_of_a_book_that_had_some_already_all_wait_once() {
    let mut stage = Stage::new(60).await;
    stage.session.edit_sync(SyncAct::Link(None)).await.unwrap();
    stage.save("123", "Bob", "").await;
    stage.save("999888@lid", "Lin", "").await;
    stage.edit("125", saving("", "")).await;
    assert_eq!(stage.state("123").await.0, "local", "nobody is linked");
    let target = Some(Print::of("another phone"));
    assert_eq!(stage.session.edit_sync(SyncAct::Link(target)).await.unwrap(), 2);
    assert_eq!(stage.state("123").await.0, "pending");
    assert_eq!(stage.state("999888@lid").await.0, "awaiting_phone");
    assert_eq!(stage.state("125").await.0, "local", "there is nothing to tell");
    stage.run().await;
    assert_eq!(stage.told(), [one("123", "Bob")]);
    assert_eq!(stage.session.edit_sync(SyncAct::Link(target)).await.unwrap(), 0, "the same one again");
    assert_eq!(stage.state("123").await.0, "confirmed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_under_a_lid_waits_for_the_phone() {
    let mut stage = Stage::new(60).await;
    stage.save("999888@lid", "Lin", "").await;
    stage.run().await;
    assert_eq!((stage.state("999888@lid").await.0, stage.told()), ("awaiting_phone", vec![]));
    stage.phone.with(|phone| {
        phone.mappings.push(Mapped { lid: digits("999888@lid"), phone: digits("15551234567") });
    });
    let pulled = stage.pull().await;
    assert_eq!((pulled.changed, pulled.error), (1, None));
    stage.run().await;
    assert_eq!(stage.told(), [one("15551234567", "Lin")]);
    assert_eq!(stage.state("999888@lid").await.0, "confirmed", "both ids are one contact");
    assert_eq!(stage.pull().await.changed, 0, "what was reported is no news");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_contacts_that_turn_out_to_be_one_are_told_as_one() {
    let mut stage = Stage::new(60).await;
    stage.save("15551234567", "Lin", "").await;
    stage.run().await;
    stage.told();
    stage.save("999888@lid", "Lin the newer", "").await;
    let now = stage.now.plus(Duration::from_millis(5));
    let learned = Edit::learn(digits("999888@lid"), digits("15551234567"), now, Source::known("test"));
    stage.session.edit(learned).await.unwrap();
    stage.run().await;
    assert_eq!(stage.told(), [one("15551234567", "Lin the newer")]);
    assert_eq!(stage.session.syncs(None, String::new(), 10).await.unwrap().len(), 1, "nothing is left of the LID");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_changed_there_come_here_and_are_not_told_back() {
    let mut stage = Stage::new(60).await;
    stage.save("123", "Bob", "").await;
    stage.run().await;
    stage.told();
    stage.rename_there("123", "Bobby");
    stage.rename_there("124", "New there");
    stage.phone.with(|phone| phone.pushnames.insert(chat("125"), part("Pushy").unwrap()));
    let pulled = stage.pull().await;
    assert_eq!((pulled.seen, pulled.changed, pulled.error), (3, 3, None));
    assert_eq!(stage.name("123").await.as_deref(), Some("Bobby"));
    assert_eq!(stage.name("124").await.as_deref(), Some("New there"));
    let pushy = stage.session.get(chat("125")).await.unwrap().unwrap();
    assert_eq!(pushy.display(), "Pushy");
    for id in ["123", "124"] {
        assert_eq!(stage.state(id).await.0, "confirmed");
    }
    let revision = stage.revision().await;
    for _ in 0..3 {
        assert_eq!(stage.pull().await.changed, 0);
        stage.run_after(MINUTE).await;
    }
    assert_eq!((stage.told(), stage.revision().await), (vec![], revision), "no loop");
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_on_both_sides_ours_stays() {
    let mut stage = Stage::new(60).await;
    stage.save("123", "Bob", "").await;
    stage.run().await;
    stage.told();
    stage.rename_there("123", "Theirs");
    stage.save("123", "Ours", "").await;
    stage.pull().await;
    assert_eq!(stage.name("123").await.as_deref(), Some("Ours"));
    stage.run().await;
    assert_eq!(stage.told(), [one("123", "Ours")]);
    assert_eq!(stage.state("123").await.0, "confirmed");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_the_same_on_both_sides_at_the_first_meeting_need_not_be_told() {
    let mut stage = Stage::new(60).await;
    stage.save("123", "Bob", "").await;
    stage.save("124", "Ours", "").await;
    stage.rename_there("123", "Bob");
    stage.rename_there("124", "Theirs");
    stage.pull().await;
    assert_eq!(stage.state("123").await.0, "confirmed");
    stage.run().await;
    assert_eq!(stage.told(), [one("124", "Ours")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_companion_that_is_slow_to_show_is_not_taken_for_one_that_changed_it_back() {
    let mut stage = Stage::new(60).await;
    stage.rename_there("123", "Old");
    stage.pull().await;
    stage.save("123", "New", "").await;
    stage.phone.with(|phone| phone.is_slow_to_show = true);
    stage.run().await;
    assert_eq!(stage.state("123").await.0, "acked");
    stage.pull().await;
    assert_eq!((stage.name("123").await.as_deref(), stage.state("123").await.0), (Some("New"), "acked"));
    stage.rename_there("123", "New");
    stage.pull().await;
    assert_eq!(stage.state("123").await.0, "confirmed");
    stage.rename_there("123", "Newer there");
    stage.pull().await;
    assert_eq!(stage.name("123").await.as_deref(), Some("Newer there"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_not_mentioned_is_not_gone() {
    let mut stage = Stage::new(60).await;
    stage.save("123", "Bob", "").await;
    stage.run().await;
    stage.phone.with(|phone| {
        phone.pushnames.insert(chat("123"), part("Bobby").unwrap());
        phone.names.clear();
        phone.is_silent = true;
    });
    stage.pull().await;
    assert_eq!(stage.name("123").await.as_deref(), Some("Bob"), "it was merely not mentioned");
    stage.phone.with(|phone| phone.is_silent = false);
    stage.pull().await;
    assert_eq!(stage.name("123").await, None, "it was taken away there");
    stage.told();
    stage.run().await;
    assert_eq!(stage.told(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_deleted_here_loses_the_name_there_and_does_not_come_back() {
    let mut stage = Stage::new(60).await;
    stage.save("123", "Bob", "").await;
    stage.phone.with(|phone| phone.pushnames.insert(chat("123"), part("Bobby").unwrap()));
    stage.run().await;
    stage.told();
    stage.edit("123", Act::Delete).await;
    assert_eq!(stage.state("123").await.0, "pending");
    stage.pull().await;
    stage.run().await;
    assert_eq!(stage.told(), [(chat("123").to_string(), None)]);
    assert_eq!(stage.state("123").await.0, "confirmed");
    stage.pull().await;
    assert_eq!(stage.session.get(chat("123")).await.unwrap(), None, "its pushname does not bring it back");
    stage.rename_there("123", "Bob again");
    stage.pull().await;
    assert_eq!(stage.name("123").await.as_deref(), Some("Bob again"), "somebody saved it anew there");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_companion_that_removes_nothing_is_said_to() {
    let mut stage = Stage::new(60).await;
    stage.save("123", "Bob", "").await;
    stage.run().await;
    stage.told();
    stage.edit("123", Act::Delete).await;
    stage.phone.with(|phone| phone.troubles.push_back(Trouble::of_contact("rejected_400")));
    stage.run().await;
    assert_eq!(stage.state("123").await, ("failed", Some("not_supported_by_companion".to_owned())));
    for _ in 0..3 {
        stage.run_after(PULL_EVERY).await;
    }
    assert_eq!(stage.told().len(), 1, "it was tried once");
    assert_eq!(stage.session.get(chat("123")).await.unwrap(), None, "the name there does not bring it back");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contact_that_was_never_told_of_is_not_taken_away_either() {
    let mut stage = Stage::new(60).await;
    stage.save("123", "Bob", "").await;
    stage.edit("123", Act::Delete).await;
    stage.save("124", "Ann", "").await;
    stage.save("124", "", "").await;
    stage.run().await;
    assert_eq!(stage.told(), []);
    assert_eq!(stage.state("124").await.0, "local");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_number_takes_the_name_along() {
    let mut stage = Stage::new(60).await;
    stage.save("123", "Bob", "").await;
    stage.run().await;
    stage.told();
    let moved = Patch { phone: Some(digits("456")), ..Patch::default() };
    stage.edit("123", Act::Save(Box::new(moved))).await;
    stage.run().await;
    let mut told = stage.told();
    told.sort();
    assert_eq!(told, [(chat("123").to_string(), None), one("456", "Bob")]);
    stage.pull().await;
    assert_eq!(stage.session.head().await.unwrap().contacts, 1, "the old number does not come back");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_name_waits_for_a_change_or_for_somebody_to_say_so() {
    let mut stage = Stage::new(60).await;
    stage.phone.with(|phone| phone.troubles.push_back(Trouble::of_contact("rejected_400")));
    stage.save("123", "Bob", "").await;
    stage.save("124", "Ann", "").await;
    stage.run().await;
    assert_eq!(stage.state("123").await, ("failed", Some("rejected_400".to_owned())));
    assert_eq!(stage.state("124").await.0, "confirmed", "others are not held up");
    assert_eq!(stage.health().state.word(), "ok");
    stage.told();
    stage.run_after(PULL_EVERY).await;
    assert_eq!(stage.told(), []);
    assert_eq!(stage.session.edit_sync(SyncAct::Retry).await.unwrap(), 1);
    stage.phone.with(|phone| phone.troubles.push_back(Trouble::of_contact("rejected_400")));
    stage.run().await;
    assert_eq!(stage.state("123").await.0, "failed");
    stage.save("123", "Bobby", "").await;
    stage.run().await;
    assert_eq!(stage.state("123").await, ("confirmed", None));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_at_one_contact_is_tried_again_later_and_later() {
    let mut stage = Stage::new(6000).await;
    stage.save("123", "Bob", "").await;
    let mut waits = Vec::new();
    for attempt in 1..=8 {
        // In between the companion does well: it is this contact.
        stage.phone.with(|phone| phone.troubles.push_back(Trouble::unclear("server_error")));
        stage.run().await;
        let sync = stage.sync("123").await.unwrap();
        assert_eq!(
            (sync.attempts, sync.state, sync.reason.as_deref()),
            (attempt, SyncState::Pending, Some("server_error"))
        );
        waits.push((sync.next_at.millis() - stage.now.millis()) / 1000);
        stage.worker.take_heart();
        stage.now = sync.next_at;
    }
    assert!(waits.windows(2).all(|two| two[0] < two[1]), "{waits:?}");
    assert!((8..=12).contains(&waits[0]) && waits[7] > 1000, "{waits:?}");
    stage.run().await;
    assert_eq!(stage.state("123").await, ("confirmed", None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_companion_that_only_answers_errors_is_left_alone_and_nothing_is_lost() {
    let mut stage = Stage::new(6000).await;
    for id in 100..150 {
        stage.save(&id.to_string(), "Name", &id.to_string()).await;
    }
    stage.phone.with(|phone| phone.troubles.extend([Trouble::unclear("server_error"); 30]));
    let mut steps = 0;
    let begin = stage.now;
    while stage.phone.with(|phone| !phone.troubles.is_empty()) {
        let next = stage.run().await;
        assert!(next > stage.now);
        stage.now = next;
        steps += 1;
        assert!(steps < 200, "it spins");
    }
    assert_eq!(stage.health().last_error, Some("server_error"));
    let took = Duration::from_millis(u64::try_from(stage.now.millis() - begin.millis()).unwrap());
    assert!(took > Duration::from_secs(3600), "thirty errors take hours, not {took:?}");
    stage.run_after(Duration::from_secs(2 * 3600)).await;
    let confirmed = stage.session.sync_counts().await.unwrap()["confirmed"];
    assert_eq!(confirmed, 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_nobody_is_there_no_contact_is_blamed() {
    let mut stage = Stage::new(60).await;
    stage.save("123", "Bob", "").await;
    stage.phone.with(|phone| {
        phone.list_trouble = Some(Trouble::of_companion("unreachable"));
        phone.troubles.extend([Trouble::of_companion("unreachable"); 3]);
    });
    for _ in 0..3 {
        let resumes_at = stage.run().await;
        assert_eq!(stage.health().state.word(), "unreachable");
        assert_eq!(stage.health().resumes_at, Some(resumes_at));
        let sync = stage.sync("123").await.unwrap();
        assert_eq!((sync.attempts, sync.state), (0, SyncState::Pending));
        // Woken by every change of the book, it does nothing before its time.
        let asked = stage.phone.with(|phone| phone.told.len());
        stage.save("124", "Ann", &resumes_at.millis().to_string()).await;
        stage.worker.step(stage.now).await;
        assert_eq!(stage.phone.with(|phone| phone.told.len()), asked);
        stage.now = resumes_at;
    }
    stage.phone.with(|phone| {
        phone.list_trouble = None;
        phone.told.clear();
    });
    stage.run().await;
    assert_eq!(stage.told().len(), 2, "nothing is lost");
    assert_eq!(stage.health().state.word(), "ok");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_companion_may_say_how_long_to_wait() {
    let mut stage = Stage::new(60).await;
    stage.save("123", "Bob", "").await;
    let hour = Duration::from_secs(3600);
    stage.phone.with(|phone| phone.troubles.push_back(Trouble::of_companion("limited").with_wait(Some(hour))));
    let next = stage.run().await;
    assert!(next >= stage.now.plus(hour));
    assert_eq!(stage.health().state.word(), "limited");
    stage.run_after(hour).await;
    assert_eq!(stage.state("123").await.0, "confirmed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_key_fails_no_contact() {
    let mut stage = Stage::new(60).await;
    stage.save("123", "Bob", "").await;
    stage.phone.with(|phone| phone.troubles.push_back(Trouble::of_companion("unauthorized")));
    stage.run().await;
    assert_eq!((stage.state("123").await.0, stage.health().state.word()), ("pending", "refused"));
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_told_though_the_list_cannot_be_read() {
    let mut stage = Stage::new(60).await;
    for word in ["garbage", "too_large", "server_error"] {
        stage.phone.with(|phone| phone.list_trouble = Some(Trouble::unclear(word)));
        let lists = stage.phone.with(|phone| phone.lists);
        assert_eq!(stage.pull().await, Pulled { seen: 0, changed: 0, error: Some(word) });
        assert_eq!((stage.health().state.word(), stage.health().last_error), ("faulty", Some(word)));
        stage.save("123", "Bob", word).await;
        stage.run().await;
        assert_eq!(stage.state("123").await.0, "confirmed");
        assert_eq!(stage.phone.with(|phone| phone.lists), lists + 1, "the list is not asked for again at once");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_minute_no_more_is_told_than_allowed() {
    let mut stage = Stage::new(20).await;
    for id in 100..150 {
        stage.save(&id.to_string(), "Name", "").await;
    }
    let next = stage.run().await;
    assert_eq!(stage.told().len(), 20);
    assert_eq!(next, stage.now.plus(MINUTE));
    stage.run_after(MINUTE / 2).await;
    assert_eq!(stage.told().len(), 0);
    stage.run_after(MINUTE / 2).await;
    assert_eq!(stage.told().len(), 20);
    stage.run_after(MINUTE).await;
    assert_eq!(stage.told().len(), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_list_comes_page_by_page_and_an_endless_one_to_an_end() {
    struct Endless;
    impl Companion for Endless {
        fn save<'a>(&'a self, _: ChatId, _: &'a Saved) -> Answer<'a, ()> {
            Box::pin(async { Ok(()) })
        }
        fn remove(&self, _: ChatId) -> Answer<'_, ()> {
            Box::pin(async { Ok(()) })
        }
        fn lookup(&self, _: ChatId) -> Answer<'_, Met> {
            Box::pin(async { Err(Trouble::unclear("garbage")) })
        }
        fn contacts(&self, window: Window) -> Answer<'_, Page<Met>> {
            let first = Some("the same".to_owned());
            Box::pin(async move { Ok(Page { rows: Vec::new(), listed: window.limit, first }) })
        }
        fn mappings(&self, _: Window) -> Answer<'_, Page<Mapped>> {
            Box::pin(async { Err(Trouble::of_companion("not_found")) })
        }
    }
    let mut stage = Stage::new(60).await;
    for id in 1000..2234 {
        stage.rename_there(&id.to_string(), "Name");
    }
    let pulled = stage.pull().await;
    assert_eq!((pulled.seen, pulled.changed, pulled.error), (1234, 1234, None));
    assert_eq!(stage.pull().await.changed, 0);
    let mut worker = Worker::new(stage.session.clone(), None, Box::new(Endless), 60, PULL_EVERY);
    assert_eq!(worker.pull(stage.now).await.error, Some("endless_list"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_saved_while_it_is_pulled_is_not_overwritten() {
    let mut stage = Stage::new(60).await;
    stage.save("123", "Bob", "").await;
    stage.run().await;
    stage.rename_there("123", "Theirs");
    let met = stage.phone.met(chat("123"));
    let known = stage.session.known(vec![chat("123")]).await.unwrap().remove(0);
    let ruling = rule(&met, &known, stage.now);
    // Between the look and the edit.
    stage.save("123", "Ours", "").await;
    assert_eq!(stage.worker.carry_out(ruling.edits).await.unwrap(), 0);
    assert_eq!(stage.name("123").await.as_deref(), Some("Ours"));
    assert_eq!(stage.state("123").await.0, "pending");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_to_an_older_wish_says_nothing_of_the_newer() {
    let mut stage = Stage::new(60).await;
    stage.save("123", "Bob", "").await;
    let (errands, _) = stage.session.errands(stage.now, 10).await.unwrap();
    let marks = stage.worker.run(&errands[0], stage.now).await.unwrap_or_default();
    // While it was being told.
    stage.save("123", "Bobby", "").await;
    stage.worker.mark(marks).await.unwrap();
    assert_eq!(stage.state("123").await.0, "pending");
    stage.run().await;
    assert_eq!(stage.told(), [one("123", "Bob"), one("123", "Bobby")]);
    assert_eq!(stage.state("123").await.0, "confirmed");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_outbox_holds_no_names_and_survives_a_restart() {
    let mut stage = Stage::new(60).await;
    stage.phone.with(|phone| phone.troubles.push_back(Trouble::of_companion("unreachable")));
    stage.save("123", "Unmistakable", "Name").await;
    stage.run().await;
    stage.session.finish().await;
    let setting =
        Setting { runtime: Handle::current(), mailbox: 64, long_reads: 2, open_books: Arc::new(OpenBooks::default()) };
    let session = Session::new("demo".parse().unwrap(), stage.home.clone(), setting);
    let link = Some(Print::of("phone"));
    let mut worker = Worker::new(session.clone(), link, Box::new(stage.phone.clone()), 60, PULL_EVERY);
    worker.step(stage.now).await;
    stage.told();
    assert_eq!(session.sync_counts().await.unwrap()["confirmed"], 1);
    session.edit(Edit::new(chat("123"), Act::Delete, stage.now.plus(MINUTE), Source::known("test"))).await.unwrap();
    let syncs = session.syncs(None, String::new(), 10).await.unwrap();
    assert_eq!((syncs.len(), syncs[0].contact, syncs[0].wish), (1, None, None));
}
