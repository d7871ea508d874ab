//! Which commits of one book are known to survive a power cut, and who waits to hear it: whoever made one, and whoever has
//! read what one made. Knows nothing of how they come to be durable.

use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use crate::domain::Result;

type Waiter = Box<dyn FnOnce(Result<()>) + Send>;

#[derive(Default)]
pub(super) struct Keeping {
    begun: AtomicU64,
    kept: AtomicU64,
    /// A sync has failed after this commit: whether it and those before it are on disk, no later sync can tell.
    doubted: AtomicU64,
    waiting: Mutex<Vec<(u64, Waiter)>>,
}

impl Keeping {
    /// Before a commit, under the desk's lock; its number.
    pub(super) fn begin(&self) -> u64 {
        self.begun.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// The newest commit of which somebody may have read until now.
    pub(super) fn seen(&self) -> u64 {
        self.begun.load(Ordering::SeqCst)
    }

    pub(super) fn is_kept(&self, number: u64) -> bool {
        self.kept.load(Ordering::SeqCst) >= number
    }

    /// A sync has failed, whoever asked for it.
    pub(super) fn doubt(&self) {
        self.doubted.fetch_max(self.seen(), Ordering::SeqCst);
    }

    pub(super) fn is_doubted(&self, number: u64) -> bool {
        self.doubted.load(Ordering::SeqCst) >= number
    }

    /// Calls at once if the commit with this number, and all before it, are durable already.
    pub(super) fn when_kept(&self, number: u64, waiter: impl FnOnce(Result<()>) + Send + 'static) {
        let mut waiting = self.waiting();
        if self.is_kept(number) {
            drop(waiting);
            waiter(Ok(()));
        } else {
            waiting.push((number, Box::new(waiter)));
        }
    }

    /// What has become of all commits up to this one.
    pub(super) fn settle(&self, number: u64, result: &Result<()>) {
        let mut waiting = self.waiting();
        self.kept.fetch_max(number, Ordering::SeqCst);
        let told: Vec<_> = waiting.extract_if(.., |(awaited, _)| *awaited <= number).collect();
        drop(waiting);
        told.into_iter().for_each(|(_, waiter)| waiter(result.clone()));
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<(u64, Waiter)>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::Error;

    #[test]
    fn a_sync_that_failed_casts_doubt_on_all_before_it_and_on_nothing_after() {
        let keeping = Keeping::default();
        let (first, second) = (keeping.begin(), keeping.begin());
        assert!(!keeping.is_doubted(first));
        keeping.doubt();
        let third = keeping.begin();
        assert_eq!([first, second, third].map(|number| keeping.is_doubted(number)), [true, true, false]);
    }

    #[test]
    fn whoever_waits_hears_of_the_commit_that_they_saw_and_not_before() {
        let (keeping, heard) = (Keeping::default(), Arc::new(Mutex::new(Vec::new())));
        let wait = |number| {
            let heard = Arc::clone(&heard);
            keeping.when_kept(number, move |result| heard.lock().unwrap().push((number, result.is_ok())));
        };
        assert!(keeping.is_kept(keeping.seen()));
        wait(keeping.seen());
        let (first, second) = (keeping.begin(), keeping.begin());
        wait(second);
        wait(first);
        assert_eq!(*heard.lock().unwrap(), [(0, true)]);
        keeping.settle(first, &Ok(()));
        assert_eq!(*heard.lock().unwrap(), [(0, true), (first, true)]);
        keeping.settle(second, &Err(Error::OutcomeUnknown));
        assert_eq!(*heard.lock().unwrap(), [(0, true), (first, true), (second, false)]);
        wait(second);
        assert_eq!(heard.lock().unwrap().len(), 4, "nobody waits for what is settled");
    }
}
