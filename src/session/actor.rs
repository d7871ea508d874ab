//! The actor behind a `Session`: its two mailboxes, the desk it lends to one worker at a time, and what happens when a
//! batch fails or panics: every asker is answered, the book is dropped and opened anew for the next batch.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use tokio::sync::{Semaphore, oneshot, watch};

use super::{
    Setting,
    desk::{Bundle, Desk, Settled},
    mailbox::{Mailbox, Posted},
    readers::Readers,
};
use crate::{
    book::{HookWork, Reader, SyncAct},
    domain::{Contact, Edit, Entry, Error, InstanceId, Moment, Outcome, RegisterEdit, Result, Revision, Who},
};

type Answer<T> = oneshot::Sender<Result<T>>;

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
    pub(super) id: InstanceId,
    pub(super) folder: PathBuf,
    pub(super) setting: Setting,
    pub(super) long_reads: Arc<Semaphore>,
    edits: Mailbox<Letter>,
    asks: Mailbox<(Who, Answer<Option<Contact>>)>,
    /// Empty while the book is closed.
    desk: Mutex<Option<Desk>>,
    readers: Readers,
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
    pub(super) fn new(id: InstanceId, folder: PathBuf, setting: Setting) -> Self {
        Self {
            id,
            folder,
            long_reads: Arc::new(Semaphore::new(setting.long_reads)),
            edits: Mailbox::new(setting.mailbox),
            asks: Mailbox::new(setting.mailbox),
            desk: Mutex::new(None),
            readers: Readers::default(),
            revision: OnceLock::new(),
            born: Instant::now(),
            used: AtomicU64::new(0),
            #[cfg(test)]
            fault: Mutex::new(None),
            #[cfg(test)]
            batches: AtomicU64::new(0),
            setting,
        }
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
    fn work(&self) {
        let mut desk = self.desk();
        while let Some(letters) = self.edits.take() {
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
                        let _ = answer.send(self.at_desk(&mut desk, |desk| desk.edit_register(&edit)));
                    }
                    Letter::Sync(act, answer) => {
                        self.carry_out(&mut desk, std::mem::take(&mut batch));
                        let _ = answer.send(self.at_desk(&mut desk, |desk| desk.edit_sync(&act)));
                    }
                    Letter::Prune { before, at_most, answer } => {
                        self.carry_out(&mut desk, std::mem::take(&mut batch));
                        let _ = answer.send(self.at_desk(&mut desk, |desk| desk.prune(before, at_most)));
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

    fn work_on_hooks(&self, desk: &mut Option<Desk>, works: &[HookWork], workers: Vec<Answer<bool>>) {
        if works.is_empty() {
            return;
        }
        let done = self.at_desk(desk, |desk| desk.work_on_hooks(works));
        for (place, answer) in workers.into_iter().enumerate() {
            let _ = answer.send(done.as_ref().map(|done| done[place]).map_err(Clone::clone));
        }
    }

    fn carry_out(&self, desk: &mut Option<Desk>, mut batch: Batch) {
        if batch.bundles.is_empty() {
            return;
        }
        let count: usize = batch.bundles.iter().map(|bundle| bundle.edits.len()).sum();
        metrics::histogram!("wabook_batch_edits").record(count as f64);
        match self.at_desk(desk, |desk| desk.work(&mut batch.bundles)) {
            Ok(settled) => batch.askers.into_iter().zip(settled).for_each(|(asker, settled)| asker.tell(Ok(settled))),
            Err(error) => batch.askers.into_iter().for_each(|asker| asker.tell(Err(error.clone()))),
        }
    }

    /// Work at the open desk, with what follows from its failing.
    fn at_desk<T>(&self, desk: &mut Option<Desk>, work: impl FnOnce(&mut Desk) -> Result<T>) -> Result<T> {
        let result = unpanicked(|| {
            #[cfg(test)]
            self.rehearse();
            work(self.opened(desk)?)
        });
        match &result {
            Ok(_) => self.tell_watchers(desk.as_ref()),
            Err(error) => self.recover(desk, error),
        }
        result
    }

    pub(super) fn watch(&self) -> watch::Receiver<Revision> {
        self.revision.get_or_init(|| watch::Sender::new(Revision::default())).subscribe()
    }

    fn tell_watchers(&self, desk: Option<&Desk>) {
        let Some((watchers, desk)) = self.revision.get().zip(desk) else { return };
        let now = desk.book().head().revision;
        watchers.send_if_modified(|seen| std::mem::replace(seen, now) != now);
    }

    /// Point reads until that mailbox is empty; beside the desk.
    fn look_up(&self) {
        while let Some(letters) = self.asks.take() {
            let (whom, answers): (Vec<_>, Vec<_>) = letters.into_iter().unzip();
            let found = self.read(|reader| reader.get_many(&whom));
            match found {
                Ok(found) => {
                    for (answer, contact) in answers.into_iter().zip(found) {
                        let _ = answer.send(Ok(contact));
                    }
                }
                Err(error) => {
                    for answer in answers {
                        let _ = answer.send(Err(error.clone()));
                    }
                }
            }
        }
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

    /// Closes the files unless somebody is waiting.
    pub(super) fn rest(&self) {
        let mut desk = self.desk();
        if self.edits.is_empty() && self.asks.is_empty() {
            self.shut(&mut desk);
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

    pub(super) fn finish(&self) {
        self.work();
        self.look_up();
        self.shut(&mut self.desk());
    }

    fn opened<'desk>(&self, desk: &'desk mut Option<Desk>) -> Result<&'desk mut Desk> {
        self.touch();
        if desk.is_none() {
            let opened = Desk::open(&self.folder, self.setting.quota)?;
            self.setting.open_books.count.fetch_add(1, Ordering::Relaxed);
            self.setting.open_books.opened.notify_one();
            tracing::debug!(instance = %self.id, "book opened");
            *desk = Some(opened);
        }
        Ok(desk.as_mut().expect("opened above"))
    }

    fn shut(&self, desk: &mut Option<Desk>) {
        self.used.store(0, Ordering::Relaxed);
        self.readers.close();
        if let Some(open) = desk.take() {
            self.setting.open_books.count.fetch_sub(1, Ordering::Relaxed);
            match open.close() {
                Ok(()) => tracing::debug!(instance = %self.id, "book closed"),
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

    pub(super) fn letters(&self) -> usize {
        self.edits.len()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.edits.is_closed()
    }
}

/// Letters that become one commit, and who waits for each.
#[derive(Default)]
struct Batch {
    bundles: Vec<Bundle>,
    askers: Vec<Asker>,
}

enum Asker {
    One(Answer<Outcome>),
    Many(Answer<Settled>),
}

impl Batch {
    fn add(&mut self, bundle: Bundle, asker: Asker) {
        self.bundles.push(bundle);
        self.askers.push(asker);
    }
}

impl Asker {
    /// Who has gone away is not told.
    fn tell(self, result: Result<Settled>) {
        match self {
            Self::One(answer) => {
                let one = result.and_then(|mut settled| settled.outcomes.pop().unwrap_or(Err(Error::Busy)));
                let _ = answer.send(one);
            }
            Self::Many(answer) => {
                let _ = answer.send(result);
            }
        }
    }
}

/// A panic becomes an error like any other: whoever waits is answered.
fn unpanicked<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(Error::internal(said(&*panic))))
}

fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("panic: {}", text.unwrap_or("without a word"))
}
