//! The read-only doors of one book: a few are kept open between questions, all are dropped when the book closes.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::{book::Reader, domain::Result};

/// How many idle readers a hot book keeps: one for the point reads, one for a list.
const KEPT: usize = 2;

#[derive(Default)]
pub(super) struct Readers {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    idle: Vec<Reader>,
    /// How often the book was closed. A reader from before that is not taken back.
    closings: u64,
}

impl Readers {
    /// Asks a reader that is there, or one that `open` makes. After an error the reader is dropped.
    pub(super) fn ask<T>(
        &self,
        open: impl FnOnce() -> Result<Reader>,
        question: impl FnOnce(&Reader) -> Result<T>,
    ) -> Result<T> {
        let (idle, closings) = {
            let mut state = self.state();
            (state.idle.pop(), state.closings)
        };
        let reader = match idle {
            Some(reader) => reader,
            None => open()?,
        };
        let answer = question(&reader)?;
        let mut state = self.state();
        if !reader.is_still() && state.closings == closings && state.idle.len() < KEPT {
            state.idle.push(reader);
        }
        Ok(answer)
    }

    pub(super) fn close(&self) {
        let mut state = self.state();
        state.closings += 1;
        state.idle.clear();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
