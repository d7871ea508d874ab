//! Floor 2, the session of one instance: an actor that is the only writer of its book. `Session` is the handle: it can
//! be cloned, and each verb is one method. Edits go through a bounded mailbox and are answered after their commit;
//! reads go beside the writer. Leaves out who may hold a handle (gateway).
//!
//! The actor has no task of its own. It is awake, on a thread of the blocking pool, only while its mailbox has letters:
//! whoever posts the first letter wakes it, it takes all that has arrived as one batch until nothing is left, and so
//! load turns into group commit by itself while a quiet session costs nothing but its few hundred bytes.

mod actor;
mod askers;
mod desk;
mod keeping;
mod mailbox;
mod open_books;
mod panics;
mod readers;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio::{
    runtime::Handle,
    sync::{oneshot, watch},
};

use crate::{
    book::{Changes, DeadLetter, Errand, Head, HookWork, Known, NameStory, Page, PageQuery, Progress, Reader, SyncAct},
    domain::{
        Act, ChatId, Contact, ContactId, Digits, Edit, Entry, Error, InstanceId, Mapping, Moment, Outcome, Register,
        RegisterEdit, Result, Revision, Source, Sync, SyncState, Who,
    },
    journal::Journal,
};
pub use desk::Settled;
pub use open_books::OpenBooks;

use actor::{Actor, Letter};
use desk::Bundle;

/// What all sessions share.
#[derive(Clone)]
pub struct Setting {
    /// The runtime whose blocking pool does the work; its thread limit bounds all of it.
    pub runtime: Handle,
    /// Edits, and separately point reads, that may wait; beyond that the answer is `Busy`.
    pub mailbox: usize,
    /// Lists, backups and other long reads of one book at the same time.
    pub long_reads: usize,
    pub open_books: Arc<OpenBooks>,
    pub quota: Quota,
    /// `None`: each book is synced by itself.
    pub journal: Option<Arc<Journal>>,
}

/// What one book may come to; 0 = whatever it does.
#[derive(Debug, Clone, Copy, Default)]
pub struct Quota {
    pub contacts: u64,
    pub bytes: u64,
}

#[derive(Clone)]
pub struct Session {
    actor: Arc<Actor>,
}

impl Session {
    /// A handle on the book in this folder. Nothing is opened until somebody asks.
    pub fn new(id: InstanceId, folder: PathBuf, setting: Setting) -> Self {
        Self { actor: Actor::new(id, folder, setting) }
    }

    pub fn id(&self) -> &InstanceId {
        &self.actor.id
    }

    pub fn folder(&self) -> &Path {
        &self.actor.folder
    }

    /// Answers when the edit is on disk. If the caller goes away, the edit is carried out all the same.
    pub async fn edit(&self, edit: Edit) -> Result<Outcome> {
        self.answer(|answer| self.actor.post(Letter::One(edit, answer))).await
    }

    /// Many edits in one commit, an outcome for each. `whole`: if one fails, none is carried out.
    pub async fn edit_many(&self, edits: Vec<Edit>, whole: bool) -> Result<Settled> {
        self.begin_many(edits, whole).map_err(|_| Error::Busy)?.await
    }

    /// The same, begun at once and waited for later, so that the caller goes on meanwhile; what is begun is carried out in
    /// that order. A session that takes nothing at the moment gives the edits back.
    pub fn begin_many(
        &self,
        edits: Vec<Edit>,
        whole: bool,
    ) -> Result<impl Future<Output = Result<Settled>> + use<>, Vec<Edit>> {
        let (answer, answered) = oneshot::channel();
        match self.actor.hand_in(Letter::Many(Bundle { edits, whole }, answer)) {
            Ok(()) => Ok(told(answered)),
            Err(Letter::Many(Bundle { edits, .. }, _)) => Err(edits),
            Err(_) => unreachable!("the letter that comes back is the one that was posted"),
        }
    }

    /// What would come of these edits, were they carried out in one commit; and behind it the outcome of one that must
    /// fail. Nothing is stored.
    pub fn begin_rehearsal(
        &self,
        mut edits: Vec<Edit>,
    ) -> Result<impl Future<Output = Result<Settled>> + use<>, Vec<Edit>> {
        // Nobody ever has this number: an edit that must fail takes the whole bundle back.
        let nobody = Edit::new(Who::Id(ContactId(-1)), Act::Delete, Moment::from_millis(0), Source::known("rehearsal"));
        edits.push(nobody);
        self.begin_many(edits, true).map_err(|mut edits| {
            edits.pop();
            edits
        })
    }

    /// One change of the groups, sources or statuses.
    pub async fn edit_register(&self, edit: RegisterEdit) -> Result<Entry> {
        self.answer(|answer| self.actor.post(Letter::Register(edit, answer))).await
    }

    pub async fn entries(&self, register: Register) -> Result<Vec<Entry>> {
        self.read(move |reader| reader.entries(register)).await
    }

    pub async fn get(&self, who: impl Into<Who>) -> Result<Option<Contact>> {
        let who = who.into();
        if let Some(found) = self.actor.look_at_once(&who) {
            self.actor.all_kept().await?;
            return Ok(found);
        }
        self.answer(|answer| self.actor.post_ask(who, answer)).await
    }

    pub async fn page(&self, query: PageQuery) -> Result<Page> {
        self.read(move |reader| reader.page(&query)).await
    }

    /// All that is known of how a contact is called.
    pub async fn name_story(&self, who: impl Into<Who>) -> Result<Option<NameStory>> {
        let who = who.into();
        self.read(move |reader| reader.name_story(&who)).await
    }

    pub async fn head(&self) -> Result<Head> {
        self.read(Reader::head).await
    }

    /// What changed after this revision, at most `limit` contacts.
    pub async fn changes(&self, after: Revision, limit: u32) -> Result<Changes> {
        self.read(move |reader| reader.changes(after, limit)).await
    }

    /// Forgets tombstones from before a moment, at most so many; how many it forgot.
    pub async fn prune(&self, before: Moment, at_most: u32) -> Result<u64> {
        self.answer(|answer| self.actor.post(Letter::Prune { before, at_most, answer })).await
    }

    /// Told the book's revision after every commit, and woken, without a new one, when the session takes no more letters. What it says at first may be older than the book.
    pub fn watch(&self) -> watch::Receiver<Revision> {
        self.actor.watch()
    }

    /// Notes how far a webhook has come, or sets it back. False when it was set back in the meantime.
    pub async fn work_on_hook(&self, work: HookWork) -> Result<bool> {
        self.answer(|answer| self.actor.post(Letter::Hook(work, answer))).await
    }

    pub async fn hook_progress(&self, id: &str) -> Result<Option<Progress>> {
        let id = id.to_owned();
        self.read(move |reader| reader.hook_progress(&id)).await
    }

    /// A webhook's dead letters, the oldest first; all, or those that are to be tried again.
    pub async fn dead_letters(&self, id: &str, only_again: bool, limit: u32) -> Result<Vec<DeadLetter>> {
        let id = id.to_owned();
        self.read(move |reader| reader.dead_letters(&id, only_again, limit)).await
    }

    pub async fn mappings(&self, limit: u32, offset: u64) -> Result<Vec<Mapping>> {
        self.read(move |reader| reader.mappings(limit, offset)).await
    }

    pub async fn mapping_count(&self) -> Result<u64> {
        self.read(Reader::mapping_count).await
    }

    /// Those pairs of a LID and a phone that nobody ever reported.
    pub async fn unheard_of(&self, pairs: Vec<(Digits, Digits)>) -> Result<Vec<(Digits, Digits)>> {
        self.read(move |reader| reader.unheard_of(&pairs)).await
    }

    pub async fn mapping(&self, id: ChatId) -> Result<Option<Mapping>> {
        self.read(move |reader| reader.mapping(&id)).await
    }

    /// A change of the outbox to the companion; tells how many rows it concerned.
    pub async fn edit_sync(&self, act: SyncAct) -> Result<usize> {
        self.answer(|answer| self.actor.post(Letter::Sync(act, answer))).await
    }

    /// What the companion is to be told now, the longest waiting first; and, if that is nothing, when there will be
    /// something.
    pub async fn errands(&self, now: Moment, limit: u32) -> Result<(Vec<Errand>, Option<Moment>)> {
        self.read(move |reader| {
            let errands = reader.errands(now, limit)?;
            let next = if errands.is_empty() { reader.next_errand_at()? } else { None };
            Ok((errands, next))
        })
        .await
    }

    /// Whom these chat ids lead to, and how they stand with the companion.
    pub async fn known(&self, ids: Vec<ChatId>) -> Result<Vec<Known>> {
        self.read(move |reader| reader.known(&ids)).await
    }

    /// How many contacts are in each state of their way to the companion.
    pub async fn sync_counts(&self) -> Result<BTreeMap<&'static str, u64>> {
        self.read(Reader::sync_counts).await
    }

    /// How chat ids stand with the companion, in the order of their text, after this one.
    pub async fn syncs(&self, state: Option<SyncState>, after: String, limit: u32) -> Result<Vec<Sync>> {
        self.read(move |reader| reader.syncs(state, &after, limit)).await
    }

    /// What is wrong with the book, a sentence each. A file that cannot be opened is one of those sentences. A damaged one
    /// is set aside: it might answer wrongly.
    pub async fn check(&self) -> Result<Vec<String>> {
        let set_aside = "the book is missing or damaged and has been set aside".to_owned();
        let damage = match self.read(Reader::damage).await {
            Err(Error::Quarantined) => return Ok(vec![set_aside]),
            damage => damage?,
        };
        if damage.is_empty() {
            return self.read(Reader::sums).await;
        }
        let actor = Arc::clone(&self.actor);
        let condemned = self.actor.setting.runtime.spawn_blocking(move || actor.condemn());
        condemned.await.map_err(Error::internal)?;
        Ok(damage.into_iter().chain([set_aside]).collect())
    }

    /// A consistent copy into an existing folder, while writes go on.
    pub async fn copy_to(&self, folder: PathBuf) -> Result<()> {
        self.read(move |reader| reader.copy_to(&folder)).await
    }

    /// When it was last asked for something, on a scale of the process; and whether its book is open.
    pub fn last_used(&self) -> Option<std::time::Instant> {
        self.actor.is_open().then(|| self.actor.last_used())
    }

    /// Closes the book's files unless somebody is waiting; the next verb opens them again.
    pub async fn rest(&self) {
        let actor = Arc::clone(&self.actor);
        let _ = self.actor.setting.runtime.spawn_blocking(move || actor.rest()).await;
    }

    /// Takes no more letters, works through those it has, closes the book.
    pub async fn finish(&self) {
        self.actor.refuse_letters();
        let actor = Arc::clone(&self.actor);
        let _ = self.actor.setting.runtime.spawn_blocking(move || actor.finish()).await;
    }

    /// Makes durable whatever was committed until now.
    pub async fn keep(&self) -> Result<()> {
        let actor = Arc::clone(&self.actor);
        self.actor.setting.runtime.spawn_blocking(move || actor.sync()).await.map_err(Error::internal)?
    }

    async fn answer<T>(&self, post: impl FnOnce(oneshot::Sender<Result<T>>) -> Result<()>) -> Result<T> {
        let (answer, answered) = oneshot::channel();
        post(answer)?;
        told(answered).await
    }

    async fn read<T: Send + 'static>(&self, question: impl FnOnce(&Reader) -> Result<T> + Send + 'static) -> Result<T> {
        let permit = Arc::clone(&self.actor.long_reads).acquire_owned().await.map_err(|_| Error::Busy)?;
        let actor = Arc::clone(&self.actor);
        let asked = self.actor.setting.runtime.spawn_blocking(move || {
            let _permit = permit;
            actor.read(question)
        });
        let answer = asked.await.map_err(Error::internal)??;
        self.actor.all_kept().await?;
        Ok(answer)
    }
}

/// The actor answers every letter it takes; a dropped answer means that the process is going down.
async fn told<T>(answered: oneshot::Receiver<Result<T>>) -> Result<T> {
    answered.await.unwrap_or(Err(Error::OutcomeUnknown))
}
