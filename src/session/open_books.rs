//! How many books are open, and which goes when one more is opened and there are as many as may be: whoever opens closes
//! another first, so that however fast books are opened, none is opened faster than others close. Idle books are closed
//! by the registry, which looks after the clock.

use std::{
    collections::VecDeque,
    sync::{
        Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicUsize, Ordering},
    },
};

use super::actor::Actor;

/// How many books an opener looks at before it closes one that was used lately.
const LOOKS: usize = 32;

pub struct OpenBooks {
    at_most: usize,
    count: AtomicUsize,
    /// All that are open, the longest not looked at first.
    queue: Mutex<VecDeque<Waiting>>,
}

struct Waiting {
    actor: Weak<Actor>,
    /// When it had last been used, when it was last looked at.
    used: u64,
}

impl Default for OpenBooks {
    fn default() -> Self {
        Self::at_most(usize::MAX)
    }
}

impl OpenBooks {
    /// A few more may be open for a moment: as many as there are threads that open, or when all are at work.
    pub fn at_most(books: usize) -> Self {
        Self { at_most: books, count: AtomicUsize::new(0), queue: Mutex::default() }
    }

    pub fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Before one more is opened.
    pub(super) fn make_room(&self) {
        for look in 0..2 * LOOKS {
            if self.count() < self.at_most {
                return;
            }
            let Some(Waiting { actor, used }) = self.queue().pop_front() else { return };
            let Some(there) = actor.upgrade().filter(|actor| actor.is_open()) else { continue };
            // One that was used since gets a second chance.
            let was_used = there.used() != used;
            if (was_used && look < LOOKS) || !there.rest_if_free() {
                self.queue().push_back(Waiting { used: there.used(), actor });
            }
        }
    }

    pub(super) fn opened(&self, actor: Weak<Actor>) {
        self.count.fetch_add(1, Ordering::Relaxed);
        let used = actor.upgrade().map_or(0, |actor| actor.used());
        self.queue().push_back(Waiting { actor, used });
    }

    pub(super) fn closed(&self, actor: &Weak<Actor>) {
        self.count.fetch_sub(1, Ordering::Relaxed);
        self.queue().retain(|waiting| !waiting.actor.ptr_eq(actor));
    }

    fn queue(&self) -> MutexGuard<'_, VecDeque<Waiting>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
