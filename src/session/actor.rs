//! The actor behind a `Session`: its two mailboxes, the desk it lends to one worker at a time, and what happens when a
//! batch fails or panics: every asker is answered, the book is dropped and opened anew for the next batch.

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use tokio::sync::{Semaphore, oneshot, watch};

use super::{
    Setting,
    askers::{Answer, Asker, Batch, tell},
    desk::{Bundle, Desk, Settled, Stored},
    keeping::Keeping,
    mailbox::{Mailbox, Posted},
    panics::unpanicked,
    readers::Readers,
};
use crate::{
    book::{Durable, HookWork, Reader, SyncAct},
    domain::{Contact, Edit, Entry, Error, InstanceId, Moment, Outcome, RegisterEdit, Result, Revision, Who},
};

/// Batches of one book that may be on their way to the disk when the next begins.
const MOST_UNDER_WAY: u64 = 1;
/// More edits than this are synced with their book: a busy one gets on faster without writing everything twice.
const MOST_RECORDED: usize = 2;
/// Point reads that may keep the writer waiting.
const AT_A_GLANCE: usize = 8;

/// What the writer can be asked.
pub(super) enum Letter {
    One(Edit, Answer<Outcome>),
    Many(Bundle, Answer<Settled>),
    Register(RegisterEdit, Answer<Entry>),
    Hook(HookWork, Answer<bool>),
    Sync(SyncAct, Answer<usize>),
    Prune { before: Moment, at_most: u32, answer: Answer<u64> },
}

pub(super) struct Actor {
    itself: Weak<Self>,
    pub(super) id: InstanceId,
    /// The same, as the journal takes it.
    name: Arc<str>,
    pub(super) folder: PathBuf,
    pub(super) setting: Setting,
    pub(super) long_reads: Arc<Semaphore>,
    edits: Mailbox<Letter>,
    asks: Mailbox<(Who, Answer<Option<Contact>>)>,
    /// Empty while the book is closed.
    desk: Mutex<Option<Desk>>,
    readers: Readers,
    keeping: Keeping,
    /// It was closed without being sure that all of it is on disk.
    is_in_doubt: AtomicBool,
    /// Made when the first watcher comes: most books have none.
    revision: OnceLock<watch::Sender<Revision>>,
    born: Instant,
    /// Milliseconds from `born`; 0 while the book is closed.
    used: AtomicU64,
    #[cfg(test)]
    pub(super) fault: Mutex<Option<fn()>>,
    #[cfg(test)]
    batches: AtomicU64,
}

impl Actor {
    pub(super) fn new(id: InstanceId, folder: PathBuf, setting: Setting) -> Arc<Self> {
        Arc::new_cyclic(|itself| Self {
            itself: Weak::clone(itself),
            name: id.as_str().into(),
            id,
            folder,
            long_reads: Arc::new(Semaphore::new(setting.long_reads)),
            edits: Mailbox::new(setting.mailbox),
            asks: Mailbox::new(setting.mailbox),
            desk: Mutex::new(None),
            readers: Readers::default(),
            keeping: Keeping::default(),
            is_in_doubt: AtomicBool::new(false),
            revision: OnceLock::new(),
            born: Instant::now(),
            used: AtomicU64::new(0),
            #[cfg(test)]
            fault: Mutex::new(None),
            #[cfg(test)]
            batches: AtomicU64::new(0),
            setting,
        })
    }

    pub(super) fn post(self: &Arc<Self>, letter: Letter) -> Result<()> {
        self.hand_in(letter).map_err(|_| Error::Busy)
    }

    /// A letter that is not taken comes back.
    #[expect(clippy::result_large_err, reason = "it is the letter, which is moved either way")]
    pub(super) fn hand_in(self: &Arc<Self>, letter: Letter) -> Result<(), Letter> {
        if self.edits.post(letter)? == Posted::Wake {
            let actor = Arc::clone(self);
            self.setting.runtime.spawn_blocking(move || actor.work());
        }
        Ok(())
    }

    pub(super) fn post_ask(self: &Arc<Self>, who: Who, answer: Answer<Option<Contact>>) -> Result<()> {
        if self.asks.post((who, answer)).map_err(|_| Error::Busy)? == Posted::Wake {
            let actor = Arc::clone(self);
            self.setting.runtime.spawn_blocking(move || actor.look_up());
        }
        Ok(())
    }

    /// Batches of edits until the mailbox is empty. The desk is held first, so that batches keep their order.
    fn work(self: &Arc<Self>) {
        let mut desk = self.desk();
        loop {
            // What comes while a batch is on its way to the disk makes one batch, which costs little more than each alone.
            let awaited = self.keeping.seen().saturating_sub(MOST_UNDER_WAY - 1);
            if !self.keeping.is_kept(awaited) && !self.edits.is_closed() {
                if self.edits.rest() {
                    return;
                }
                let actor = Arc::clone(self);
                self.keeping.when_kept(awaited, move |_| actor.go_on());
                return;
            }
            let Some(letters) = self.edits.take() else { return };
            self.let_readers_in(&mut desk);
            let mut batch = Batch::default();
            let (mut works, mut workers) = (Vec::new(), Vec::new());
            for letter in letters {
                match letter {
                    Letter::One(edit, answer) => {
                        batch.add(Bundle { edits: vec![edit], whole: false }, Asker::One(answer));
                    }
                    Letter::Many(bundle, answer) => batch.add(bundle, Asker::Many(answer)),
                    Letter::Register(edit, answer) => {
                        // Everybody sees things in the order in which they came.
                        self.carry_out(&mut desk, std::mem::take(&mut batch));
                        let _ = answer.send(self.durably(&mut desk, |desk| desk.edit_register(&edit)));
                    }
                    Letter::Sync(act, answer) => {
                        self.carry_out(&mut desk, std::mem::take(&mut batch));
                        let _ = answer.send(self.durably(&mut desk, |desk| desk.edit_sync(&act)));
                    }
                    Letter::Prune { before, at_most, answer } => {
                        self.carry_out(&mut desk, std::mem::take(&mut batch));
                        let _ = answer.send(self.durably(&mut desk, |desk| desk.prune(before, at_most)));
                    }
                    // Who is told of changes waits for the changes: a hundred webhooks share one commit after them.
                    Letter::Hook(work, answer) => {
                        works.push(work);
                        workers.push(answer);
                    }
                }
            }
            self.carry_out(&mut desk, batch);
            self.work_on_hooks(&mut desk, &works, workers);
        }
    }

    /// Before the writer is at work: who reads must not wait for it.
    fn let_readers_in(&self, desk: &mut Option<Desk>) {
        if self.readers.begin_to_write() {
            // What goes wrong here is met again by whoever works or asks.
            let _ = unpanicked(|| self.opened(desk)?.book().reader().map(|reader| self.readers.keep(reader)));
        }
    }

    fn go_on(self: Arc<Self>) {
        let runtime = self.setting.runtime.clone();
        runtime.spawn_blocking(move || self.work());
    }

    fn work_on_hooks(&self, desk: &mut Option<Desk>, works: &[HookWork], workers: Vec<Answer<bool>>) {
        if works.is_empty() {
            return;
        }
        let done = self.durably(desk, |desk| desk.work_on_hooks(works));
        for (place, answer) in workers.into_iter().enumerate() {
            let _ = answer.send(done.as_ref().map(|done| done[place]).map_err(Clone::clone));
        }
    }

    fn carry_out(self: &Arc<Self>, desk: &mut Option<Desk>, mut batch: Batch) {
        if batch.bundles.is_empty() {
            return;
        }
        let count: usize = batch.bundles.iter().map(|bundle| bundle.edits.len()).sum();
        metrics::histogram!("wabook_batch_edits").record(count as f64);
        let journal = self.setting.journal.as_ref().filter(|journal| count <= MOST_RECORDED && journal.is_usable());
        let durable = if journal.is_some() { Durable::Later } else { Durable::AtOnce };
        let number = self.keeping.begin();
        let done = self.at_desk(desk, |desk| {
            let (settled, stored) = desk.work(&mut batch.bundles, durable)?;
            Ok((settled, stored, desk.book().head().revision))
        });
        let actor = Arc::clone(self);
        match done {
            Ok((settled, Stored::Recorded(record), revision)) => {
                let journal = journal.expect("asked for above");
                let told = move |is_kept| actor.settle(number, is_kept, revision, batch.askers, settled);
                journal.write(&self.name, record, Box::new(told));
            }
            Ok((settled, Stored::Durably, revision)) => {
                self.keeping.settle(number, &Ok(()));
                self.tell_watchers(revision);
                tell(batch.askers, settled, &Ok(()));
            }
            // What nothing had to be done for may rest on what is on its way to the disk.
            Ok((settled, Stored::Nothing, _)) => self.keeping.when_kept(number - 1, move |kept| {
                actor.keeping.settle(number, &kept);
                tell(batch.askers, settled, &kept);
            }),
            Err(error) => {
                self.keeping.when_kept(number - 1, move |kept| actor.keeping.settle(number, &kept));
                batch.askers.into_iter().for_each(|asker| asker.tell(Err(error.clone())));
            }
        }
    }

    /// The journal has tried to keep a commit.
    fn settle(
        self: &Arc<Self>,
        number: u64,
        is_kept: bool,
        revision: Revision,
        askers: Vec<Asker>,
        settled: Vec<Settled>,
    ) {
        let actor = Arc::clone(self);
        let end = move |kept: Result<()>| {
            actor.keeping.settle(number, &kept);
            actor.tell_watchers(revision);
            tell(askers, settled, &kept);
        };
        if is_kept {
            return end(Ok(()));
        }
        // Then the book has to do without it.
        let actor = Arc::clone(self);
        self.setting.runtime.spawn_blocking(move || end(actor.sync_commit(number)));
    }

    /// Whoever puts a journal's file away syncs the book as well. If that failed, what follows says nothing of this commit:
    /// the system tells of an error once, and forgets what it could not write.
    fn sync_commit(&self, number: u64) -> Result<()> {
        let synced = self.sync();
        if self.keeping.is_doubted(number) { Err(Error::OutcomeUnknown) } else { synced }
    }

    /// Makes durable whatever was committed. A book that is closed was synced then.
    pub(super) fn sync(&self) -> Result<()> {
        let mut desk = self.desk();
        let synced = match &*desk {
            Some(open) => open.book().sync(),
            None if self.is_in_doubt.load(Ordering::SeqCst) => Err(Error::OutcomeUnknown),
            None => Ok(()),
        };
        if let Err(error) = &synced {
            self.keeping.doubt();
            self.recover(&mut desk, error);
        }
        synced
    }

    /// Nobody is told what a power cut might take back.
    pub(super) async fn all_kept(&self) -> Result<()> {
        let seen = self.keeping.seen();
        if self.keeping.is_kept(seen) {
            return Ok(());
        }
        let (answer, answered) = oneshot::channel();
        self.keeping.when_kept(seen, move |kept| drop(answer.send(kept)));
        answered.await.unwrap_or(Err(Error::OutcomeUnknown))
    }

    /// Work at the open desk, with what follows from its failing.
    fn at_desk<T>(&self, desk: &mut Option<Desk>, work: impl FnOnce(&mut Desk) -> Result<T>) -> Result<T> {
        let result = unpanicked(|| {
            #[cfg(test)]
            self.rehearse();
            work(self.opened(desk)?)
        });
        if let Err(error) = &result {
            self.recover(desk, error);
        }
        result
    }

    /// Work that is durable when it is done.
    fn durably<T>(&self, desk: &mut Option<Desk>, work: impl FnOnce(&mut Desk) -> Result<T>) -> Result<T> {
        let result = self.at_desk(desk, work);
        if let (Ok(_), Some(desk)) = (&result, desk) {
            self.tell_watchers(desk.book().head().revision);
        }
        result
    }

    pub(super) fn watch(&self) -> watch::Receiver<Revision> {
        self.revision.get_or_init(|| watch::Sender::new(Revision::default())).subscribe()
    }

    fn tell_watchers(&self, now: Revision) {
        if let Some(watchers) = self.revision.get() {
            watchers.send_if_modified(|seen| std::mem::replace(seen, now) != now);
        }
    }

    /// Point reads until that mailbox is empty; beside the desk.
    fn look_up(self: &Arc<Self>) {
        while let Some(letters) = self.asks.take() {
            let (whom, answers): (Vec<_>, Vec<_>) = letters.into_iter().unzip();
            let found = self.glance(&whom).map_or_else(|| self.read(|reader| reader.get_many(&whom)), Ok);
            match found {
                Ok(found) => self.keeping.when_kept(self.keeping.seen(), move |kept| {
                    for (answer, contact) in answers.into_iter().zip(found) {
                        let _ = answer.send(kept.clone().map(|()| contact));
                    }
                }),
                Err(error) => {
                    for answer in answers {
                        let _ = answer.send(Err(error.clone()));
                    }
                }
            }
        }
    }

    /// A point read on the thread of whoever asks, which saves the way to another one and back: where the book is open, a
    /// reader is free, and nobody has waited for the disk lately. `None`: it has to be posted. What goes wrong is met again
    /// there.
    pub(super) fn look_at_once(&self, who: &Who) -> Option<Option<Contact>> {
        if !self.is_open() || self.asks.is_closed() {
            return None;
        }
        self.touch();
        let whom = std::slice::from_ref(who);
        unpanicked(|| Ok(self.readers.ask_at_once(|reader| reader.get_many(whom)))).ok()??.pop()
    }

    /// For a book that is hardly read: through the writer's own door, if that is free.
    fn glance(&self, whom: &[Who]) -> Option<Vec<Option<Contact>>> {
        if whom.len() > AT_A_GLANCE || !self.readers.spare_one() {
            return None;
        }
        let mut desk = self.desk.try_lock().ok()?;
        // What goes wrong is met again by a reader, which knows what follows from it.
        unpanicked(|| self.opened(&mut desk)?.book().load(whom)).ok()
    }

    pub(super) fn read<T>(&self, question: impl FnOnce(&Reader) -> Result<T>) -> Result<T> {
        self.touch();
        // The writer opens first: it is the one that migrates and creates the log's files.
        let mut writer_kept_out = None;
        let open = || {
            let mut desk = self.desk();
            match self.opened(&mut desk) {
                Ok(open) => open.book().reader(),
                // A closed book that finds no room to open can be read as it lies there, as long as nobody opens it.
                Err(Error::Full) => {
                    writer_kept_out = Some(desk);
                    Reader::open_still(&self.folder)
                }
                Err(error) => Err(error),
            }
        };
        let answer = unpanicked(|| self.readers.ask(open, question));
        drop(writer_kept_out);
        if let Err(error) = &answer {
            self.recover(&mut self.desk(), error);
        }
        answer
    }

    pub(super) fn is_open(&self) -> bool {
        self.used.load(Ordering::Relaxed) != 0
    }

    pub(super) fn last_used(&self) -> Instant {
        self.born + Duration::from_millis(self.used.load(Ordering::Relaxed))
    }

    pub(super) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// Closes the files unless somebody is waiting.
    pub(super) fn rest(&self) {
        self.rest_at(&mut self.desk());
    }

    /// The same without waiting for whoever is at the desk; tells whether the files are closed.
    pub(super) fn rest_if_free(&self) -> bool {
        self.desk.try_lock().is_ok_and(|mut desk| {
            self.rest_at(&mut desk);
            desk.is_none()
        })
    }

    fn rest_at(&self, desk: &mut Option<Desk>) {
        if self.edits.is_empty() && self.asks.is_empty() {
            self.shut(desk);
        }
    }

    pub(super) fn refuse_letters(&self) {
        self.edits.close();
        self.asks.close();
        self.long_reads.close();
        // Whoever waits for a commit that will not come finds out now.
        if let Some(watchers) = self.revision.get() {
            watchers.send_modify(|_| ());
        }
    }

    pub(super) fn finish(self: &Arc<Self>) {
        self.work();
        self.look_up();
        self.shut(&mut self.desk());
    }

    fn opened<'desk>(&self, desk: &'desk mut Option<Desk>) -> Result<&'desk mut Desk> {
        self.touch();
        if desk.is_none() {
            self.setting.open_books.make_room();
            let opened = Desk::open(&self.folder, self.setting.quota)?;
            self.setting.open_books.opened(Weak::clone(&self.itself));
            tracing::debug!(instance = %self.id, "book opened");
            *desk = Some(opened);
        }
        Ok(desk.as_mut().expect("opened above"))
    }

    fn shut(&self, desk: &mut Option<Desk>) {
        self.used.store(0, Ordering::Relaxed);
        self.readers.close();
        if let Some(open) = desk.take() {
            self.setting.open_books.closed(&self.itself);
            match open.close() {
                Ok(()) => tracing::debug!(instance = %self.id, "book closed"),
                Err(Error::OutcomeUnknown) => {
                    self.is_in_doubt.store(true, Ordering::SeqCst);
                    if let Some(journal) = &self.setting.journal {
                        journal.keep_everything();
                    }
                }
                Err(error) => tracing::warn!(instance = %self.id, cause = %error.chain(), "book closed with an error"),
            }
        }
    }

    /// After an error that puts the handle in doubt the book is closed and read anew; a damaged one is set aside whole,
    /// for this instance alone.
    fn recover(&self, desk: &mut Option<Desk>, error: &Error) {
        match error {
            Error::OutcomeUnknown | Error::Internal(_) => {
                tracing::error!(instance = %self.id, cause = %error.chain(), "a batch failed, the book will be reopened");
                self.shut(desk);
            }
            Error::Quarantined => {
                self.shut(desk);
                self.set_aside();
            }
            _ => {}
        }
    }

    /// Sets the book aside, for what a check has found.
    pub(super) fn condemn(&self) {
        self.recover(&mut self.desk(), &Error::Quarantined);
    }

    /// A folder that is no longer there was set aside before, and comes back when somebody puts it back.
    fn set_aside(&self) {
        let now = Moment::from(SystemTime::now()).millis();
        let aside = self.folder.with_file_name(format!("{}.damaged-{now}", self.id));
        if !self.folder.exists() {
            return;
        }
        metrics::counter!("wabook_quarantined_total").increment(1);
        match std::fs::rename(&self.folder, &aside) {
            Ok(()) => tracing::error!(instance = %self.id, "book is damaged, its folder was set aside"),
            Err(error) => tracing::error!(instance = %self.id, %error, "book is damaged and cannot be set aside"),
        }
    }

    fn touch(&self) {
        let since_birth = u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.used.store(since_birth.max(1), Ordering::Relaxed);
    }

    fn desk(&self) -> MutexGuard<'_, Option<Desk>> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
impl Actor {
    /// Counts the batch, and fails as a test has planned.
    fn rehearse(&self) {
        self.batches.fetch_add(1, Ordering::Relaxed);
        let planned = self.fault.lock().unwrap().take();
        if let Some(fault) = planned {
            fault();
        }
    }

    pub(super) fn while_holding_the_desk(&self, act: impl FnOnce()) {
        let _desk = self.desk();
        act();
    }

    pub(super) fn batches(&self) -> u64 {
        self.batches.load(Ordering::Relaxed)
    }

    pub(super) fn readers(&self) -> usize {
        self.readers.count()
    }

    pub(super) fn letters(&self) -> usize {
        self.edits.len()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.edits.is_closed()
    }
}
