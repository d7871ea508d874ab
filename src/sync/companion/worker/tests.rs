//! A companion's worker, step by step with a clock of its own: the stage for its stories. The companion is a scripted one;
//! the book and its desk are real.

mod any_order;
mod pulled;
mod told;
mod trouble;

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
    sync::companion::{Answer, Page, There, Window},
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
            quota: Default::default(),
            journal: None,
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
