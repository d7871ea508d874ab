//! Floor 1, the journal: one file for the newest changes of all books, so that one sync to disk serves whoever waits,
//! whichever book they wrote to. Knows nothing of what a record says, nor of books beyond their names.
//!
//! # Why nothing is lost
//!
//! A small change is committed to its book without waiting for the disk (SQLite's `synchronous=NORMAL`: whatever happens,
//! the file is a book as it was after some commit, and none is missing before that one). Then its record is written here,
//! and answered once the journal is synced. So for everything that was answered one of two holds: the book's own file has
//! it for sure, or the journal has.
//!
//! - *The process dies.* The books' files have everything that was committed: the system keeps what was written.
//! - *The power fails.* Each book is as it was after some commit; the journal has every record that was answered. Before
//!   anybody is served, the records after that commit are carried out anew, in their order (`book::record`). A record
//!   knows the state it was made of and the state it made: both are drawn by lot and stand in the book (`Head::mark`), so
//!   nothing is carried out twice, or in a book that was restored or made anew meanwhile.
//! - *The power fails meanwhile.* The same again: what was carried out has moved the book's mark.
//! - *The journal cannot be written or synced.* It is no longer needed for what is in a book for sure: whoever waited syncs
//!   the book itself, as without a journal, and says "outcome unknown" if that fails too. The file is given up, since it
//!   may end in half a frame, and a new one begun; records in it that nobody was told of do no harm, as above.
//! - *A file is removed* only when each book that it names was synced, or closed in order, after its last record.
//!
//! Larger batches and whatever is rare sync their book themselves and leave no record: such a commit makes durable all that
//! was committed to that book before it, and its mark lets older records be passed over.

mod segment;
#[cfg(test)]
mod tests;

use std::{
    collections::HashSet,
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::Instant,
};

use segment::Segment;

/// What is done once it is known whether all before it is on disk.
pub type Told = Box<dyn FnOnce(bool) + Send>;

/// Somebody who waits, and is told even if the journal goes down.
struct Waiter(Option<Told>);

impl Waiter {
    fn tell(mut self, is_kept: bool) {
        if let Some(told) = self.0.take() {
            told(is_kept);
        }
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        if let Some(told) = self.0.take() {
            told(false);
        }
    }
}

/// A record of the book with this name.
#[derive(Debug, PartialEq, Eq)]
pub struct Entry {
    pub book: String,
    pub record: Vec<u8>,
}

/// A file that is no longer written to: superfluous once these books are synced.
#[derive(Debug)]
pub struct Full {
    path: PathBuf,
    pub books: HashSet<Arc<str>>,
}

impl Full {
    /// It is not needed any more: it waits to be used again.
    pub fn put_away(self) -> io::Result<()> {
        let folder = self.path.parent().unwrap_or(Path::new(""));
        fs::rename(&self.path, segment::spare(folder))
    }
}

/// Beyond this a new file is begun.
const FULL: u64 = if cfg!(test) { 4096 } else { 32 << 20 };
/// While it cannot be written it is tried this often, in milliseconds.
const TRIES: u64 = 1000;
/// So many bytes may wait; then whoever writes waits as well.
const MOST_WAITING: usize = 8 << 20;

pub struct Journal {
    state: Mutex<State>,
    /// Something to write.
    bell: Condvar,
    /// Room to wait in.
    room: Condvar,
    is_well: AtomicBool,
    /// When somebody last tried it while it was not well: milliseconds from `born`.
    tried: AtomicU64,
    born: Instant,
    keeps_everything: AtomicBool,
    folder: PathBuf,
    writer: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Default)]
struct State {
    records: Vec<(Arc<str>, Vec<u8>)>,
    bytes: usize,
    waiters: Vec<Waiter>,
    is_over: bool,
}

impl Journal {
    /// Begins to write into this folder; `full` is given each file that is no longer written to.
    pub fn begin(folder: &Path, full: impl Fn(Full) + Send + 'static) -> io::Result<Arc<Self>> {
        let journal = Arc::new(Self {
            state: Mutex::default(),
            bell: Condvar::new(),
            room: Condvar::new(),
            is_well: AtomicBool::new(true),
            tried: AtomicU64::new(0),
            born: Instant::now(),
            keeps_everything: AtomicBool::new(false),
            folder: folder.to_owned(),
            writer: Mutex::default(),
        });
        let first = segment::all(folder)?.last().map_or(1, |(number, _)| number + 1);
        let own = Arc::clone(&journal);
        let writer = std::thread::Builder::new().name("journal".to_owned()).spawn(move || own.work(first, &full))?;
        *held(&journal.writer) = Some(writer);
        Ok(journal)
    }

    /// What lies in the folder from before, in the order in which it was written.
    pub fn left_behind(folder: &Path) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for (number, path) in segment::all(folder)? {
            entries.extend(segment::read(number, &path)?);
        }
        Ok(entries)
    }

    /// Records of a book that nobody can carry out now, in a file of their own in its folder.
    pub fn set_aside(folder: &Path, book: &str, records: &[&[u8]]) -> io::Result<()> {
        let number = segment::all(folder)?.last().map_or(1, |(number, _)| number + 1);
        let mut frames = Vec::new();
        records.iter().for_each(|record| segment::frame(&mut frames, number, book, record));
        Segment::create(folder, number)?.write(&frames)
    }

    /// Removes it, once every book has what is in it.
    pub fn clear(folder: &Path) -> io::Result<()> {
        let _ = fs::remove_file(segment::spare(folder));
        segment::all(folder)?.into_iter().try_for_each(|(_, path)| fs::remove_file(path))
    }

    /// After an error: better to do without, but for somebody who tries it now and then.
    pub fn is_usable(&self) -> bool {
        if self.is_well.load(Ordering::Relaxed) {
            return true;
        }
        let (tried, now) = (self.tried.load(Ordering::Relaxed), self.since_birth());
        now >= tried + TRIES && self.tried.compare_exchange(tried, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    fn since_birth(&self) -> u64 {
        u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Some book may need it at the next start.
    pub fn keep_everything(&self) {
        self.keeps_everything.store(true, Ordering::SeqCst);
    }

    pub fn keeps_everything(&self) -> bool {
        self.keeps_everything.load(Ordering::SeqCst)
    }

    /// Records are told of in the order in which they were given.
    pub fn write(&self, book: &Arc<str>, record: Vec<u8>, told: Told) {
        let mut state = held(&self.state);
        while state.bytes > MOST_WAITING && !state.is_over {
            state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.is_over {
            drop(state);
            return told(false);
        }
        let was_idle = state.waiters.is_empty();
        state.bytes += record.len();
        state.records.push((Arc::clone(book), record));
        state.waiters.push(Waiter(Some(told)));
        drop(state);
        if was_idle {
            self.bell.notify_one();
        }
    }

    /// Writes what waits, and no more after it. The files stay; see `clear`.
    pub fn end(&self) {
        held(&self.state).is_over = true;
        self.bell.notify_one();
        self.room.notify_all();
        if let Some(writer) = held(&self.writer).take()
            && writer.join().is_err()
        {
            tracing::error!("the journal ended in a panic");
        }
    }

    fn work(&self, first: u64, full: &impl Fn(Full)) {
        let _end = End(self);
        let (mut segment, mut next) = (None, first);
        let mut books = HashSet::new();
        let mut frames = Vec::new();
        while let Some(State { records, waiters, .. }) = self.take() {
            frames.clear();
            let written = self.opened(&mut segment, &mut next).and_then(|segment| {
                for (book, record) in &records {
                    segment::frame(&mut frames, segment.number(), book, record);
                }
                segment.write(&frames)
            });
            books.extend(records.into_iter().map(|(book, _)| book));
            let is_kept = written.is_ok();
            if let Err(error) = written
                && self.is_well.swap(false, Ordering::Relaxed)
            {
                self.tried.store(self.since_birth(), Ordering::Relaxed);
                tracing::error!(%error, "the journal cannot be written, each book is synced by itself");
            }
            if is_kept && !self.is_well.swap(true, Ordering::Relaxed) {
                tracing::info!("the journal can be written again");
            }
            metrics::histogram!("wabook_journal_records").record(waiters.len() as f64);
            waiters.into_iter().for_each(|waiter| waiter.tell(is_kept));
            if let Some(Segment { path, .. }) = segment.take_if(|segment| !is_kept || segment.length() > FULL) {
                full(Full { path, books: std::mem::take(&mut books) });
            }
        }
    }

    fn opened<'s>(&self, segment: &'s mut Option<Segment>, next: &mut u64) -> io::Result<&'s mut Segment> {
        if segment.is_none() {
            let number = *next;
            // Also if it fails: a file of this number may be there then.
            *next += 1;
            *segment = Some(Segment::create(&self.folder, number)?);
        }
        Ok(segment.as_mut().expect("created above"))
    }

    /// All that waits; nothing once it is over.
    fn take(&self) -> Option<State> {
        let mut state = held(&self.state);
        while state.waiters.is_empty() && !state.is_over {
            state = self.bell.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.waiters.is_empty() {
            return None;
        }
        let is_over = state.is_over;
        let taken = std::mem::replace(&mut *state, State { is_over, ..State::default() });
        drop(state);
        self.room.notify_all();
        Some(taken)
    }
}

/// However the writer ends: whoever still waits, or comes later, does without it.
struct End<'j>(&'j Journal);

impl Drop for End<'_> {
    fn drop(&mut self) {
        let mut state = held(&self.0.state);
        let left = std::mem::replace(&mut *state, State { is_over: true, ..State::default() });
        drop(state);
        self.0.room.notify_all();
        drop(left);
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
