//! A bounded mailbox that knows whether anybody is at work on it. Posting never waits: it says "wake somebody",
//! "somebody is awake", or gives the letter back because the mailbox is full. Knows nothing of threads or of what the letters say.

use std::sync::{Mutex, MutexGuard, PoisonError};

pub(super) struct Mailbox<L> {
    capacity: usize,
    state: Mutex<State<L>>,
}

struct State<L> {
    letters: Vec<L>,
    awake: bool,
    closed: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Posted {
    /// Nobody is at work: the poster has to call somebody.
    Wake,
    /// Whoever is at work will find the letter.
    Queued,
}

impl<L> Mailbox<L> {
    pub(super) fn new(capacity: usize) -> Self {
        let state = State { letters: Vec::new(), awake: false, closed: false };
        Self { capacity, state: Mutex::new(state) }
    }

    /// Full or closed: the letter comes back.
    pub(super) fn post(&self, letter: L) -> Result<Posted, L> {
        let mut state = self.state();
        if state.closed || state.letters.len() >= self.capacity {
            return Err(letter);
        }
        state.letters.push(letter);
        Ok(if std::mem::replace(&mut state.awake, true) { Posted::Queued } else { Posted::Wake })
    }

    /// Everything that has arrived. When there is nothing, the worker counts as gone from this moment on.
    pub(super) fn take(&self) -> Option<Vec<L>> {
        let mut state = self.state();
        if state.letters.is_empty() {
            state.awake = false;
            return None;
        }
        // A burst's memory is not kept: the next vector starts at the size of this one's content.
        let next = Vec::with_capacity(state.letters.len().min(64));
        Some(std::mem::replace(&mut state.letters, next))
    }

    /// The worker goes if there is nothing; whether it did.
    pub(super) fn rest(&self) -> bool {
        let mut state = self.state();
        state.awake = !state.letters.is_empty();
        !state.awake
    }

    pub(super) fn close(&self) {
        self.state().closed = true;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.state().letters.is_empty()
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.state().letters.len()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state().closed
    }

    fn state(&self) -> MutexGuard<'_, State<L>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_letter_wakes_somebody_until_the_box_is_found_empty() {
        let mailbox = Mailbox::new(10);
        assert_eq!(mailbox.post(1).unwrap(), Posted::Wake);
        assert_eq!(mailbox.post(2).unwrap(), Posted::Queued);
        assert_eq!(mailbox.take(), Some(vec![1, 2]));
        assert_eq!(mailbox.post(3).unwrap(), Posted::Queued, "the worker has not gone yet");
        assert_eq!(mailbox.take(), Some(vec![3]));
        assert_eq!(mailbox.take(), None);
        assert!(mailbox.is_empty());
        assert_eq!(mailbox.post(4).unwrap(), Posted::Wake);
    }

    #[test]
    fn a_full_or_closed_box_is_busy_and_keeps_what_it_has() {
        let mailbox = Mailbox::new(2);
        mailbox.post(1).unwrap();
        mailbox.post(2).unwrap();
        assert_eq!(mailbox.post(3), Err(3));
        mailbox.close();
        assert_eq!(mailbox.take(), Some(vec![1, 2]), "what was accepted is still worked through");
        assert_eq!(mailbox.post(4), Err(4));
    }
}
