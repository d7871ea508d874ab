//! The read-only doors of one book: a few are kept open between questions, all are dropped when the book closes. A book
//! that nobody writes to and that is hardly asked gets none: its writer's door will do.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::{book::Reader, domain::Result};

/// How many idle readers a hot book keeps: one for the point reads, one for a list.
const KEPT: usize = 2;
/// After so many questions that came one by one the second is closed: of a thousand books each would get one by and by.
const UNSHARED: u32 = 256;
/// So many questions go through the writer's door, as long as it does not write: a reader takes memory and open files, and
/// opening it takes longer than the question.
const SPARED: u32 = 4;

/// A question that takes longer had to wait for the disk, so that the next few are not asked at once.
const LONG: Duration = Duration::from_millis(2);
const WARY: u32 = 8;

pub(super) struct Readers {
    state: Mutex<State>,
    long: Duration,
}

impl Default for Readers {
    fn default() -> Self {
        // Tests run where anything may take long.
        Self { state: Mutex::default(), long: if cfg!(test) { Duration::MAX } else { LONG } }
    }
}

#[derive(Default)]
struct State {
    idle: Vec<Reader>,
    /// How often the book was closed. A reader from before that is not taken back.
    closings: u64,
    /// How many questions there were since the book was opened; beyond `SPARED` once it is written to.
    questions: u32,
    /// So many questions are still not to be asked at once.
    wary: u32,
    /// So many questions in a row needed one of the idle readers only.
    unshared: u32,
}

/// What there is for a question, and who is no longer needed: closed when nobody waits for the lock.
struct Taken {
    idle: Option<Reader>,
    _surplus: Vec<Reader>,
}

impl State {
    fn take(&mut self) -> Taken {
        let idle = self.idle.pop();
        self.unshared = if self.idle.is_empty() { 0 } else { self.unshared + 1 };
        let is_surplus = self.unshared > UNSHARED;
        Taken { idle, _surplus: if is_surplus { std::mem::take(&mut self.idle) } else { Vec::new() } }
    }
}

impl Readers {
    /// Asks a reader that is there, or one that `open` makes. After an error the reader is dropped.
    pub(super) fn ask<T>(
        &self,
        open: impl FnOnce() -> Result<Reader>,
        question: impl FnOnce(&Reader) -> Result<T>,
    ) -> Result<T> {
        let (Taken { idle, .. }, closings) = {
            let mut state = self.state();
            (state.take(), state.closings)
        };
        let reader = match idle {
            Some(reader) => reader,
            None => open()?,
        };
        reader.fit()?;
        let answer = question(&reader)?;
        self.take_back(reader, closings);
        Ok(answer)
    }

    /// The same for somebody who cannot wait: nothing is opened, and where the disk was slow lately nobody is asked. After
    /// an error the reader is dropped, and the question is to be asked as usual.
    pub(super) fn ask_at_once<T>(&self, question: impl FnOnce(&Reader) -> Result<T>) -> Option<T> {
        let (taken, closings) = {
            let mut state = self.state();
            if state.wary > 0 {
                state.wary -= 1;
                return None;
            }
            (state.take(), state.closings)
        };
        let reader = taken.idle?;
        let began = Instant::now();
        let answer = reader.fit().and_then(|()| question(&reader)).ok()?;
        if began.elapsed() > self.long {
            self.state().wary = WARY;
        }
        self.take_back(reader, closings);
        Some(answer)
    }

    fn take_back(&self, reader: Reader, closings: u64) {
        let mut state = self.state();
        if !reader.is_still() && state.closings == closings && state.idle.len() < KEPT {
            state.idle.push(reader);
        }
    }

    /// Whether the next question is worth no reader yet.
    pub(super) fn spare_one(&self) -> bool {
        let mut state = self.state();
        state.questions = state.questions.saturating_add(1);
        state.idle.is_empty() && state.questions <= SPARED
    }

    /// The writer's door is closed to questions from now on. Tells whether somebody asks who is to have a reader.
    pub(super) fn begin_to_write(&self) -> bool {
        let mut state = self.state();
        let asked = std::mem::replace(&mut state.questions, u32::MAX);
        state.idle.is_empty() && (1..=SPARED).contains(&asked)
    }

    pub(super) fn keep(&self, reader: Reader) {
        self.state().idle.push(reader);
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.state().idle.len()
    }

    pub(super) fn close(&self) {
        let mut state = self.state();
        state.closings += 1;
        state.questions = 0;
        state.idle.clear();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::book::{Book, Head};

    #[test]
    fn a_reader_is_asked_at_once_unless_the_disk_was_slow_and_closed_when_it_is_one_too_many() {
        let folder = TempDir::new().unwrap();
        Book::create(folder.path()).unwrap().close().unwrap();
        let book = Book::open(folder.path()).unwrap();
        let (mut readers, head) = (Readers::default(), Some(book.head()));
        fn ask(readers: &Readers) -> Option<Head> {
            readers.ask_at_once(Reader::head)
        }
        assert_eq!(ask(&readers), None, "nobody opens a reader in passing");
        readers.keep(book.reader().unwrap());
        assert_eq!(ask(&readers), head);
        readers.long = Duration::ZERO;
        assert_eq!(ask(&readers), head, "it took longer than that");
        readers.long = Duration::MAX;
        assert!((0..WARY).all(|_| ask(&readers).is_none()));
        assert_eq!(ask(&readers), head);
        readers.keep(book.reader().unwrap());
        assert!((1..UNSHARED).all(|_| ask(&readers) == head));
        assert!(readers.ask_at_once(|_| Ok(ask(&readers))).flatten() == head, "both at a time");
        assert!((0..UNSHARED).all(|_| ask(&readers) == head));
        assert_eq!((readers.count(), ask(&readers), readers.count()), (2, head, 1), "one is enough");
        assert_eq!(readers.ask_at_once(|_| Err::<(), _>(crate::domain::Error::Busy)), None);
        assert_eq!(readers.count(), 0, "a reader that failed is dropped");
    }
}
