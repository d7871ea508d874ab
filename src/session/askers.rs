//! Who waits for what comes of a batch, and how each is told.

use tokio::sync::oneshot;

use super::desk::{Bundle, Settled};
use crate::domain::{Error, Outcome, Result};

pub(super) type Answer<T> = oneshot::Sender<Result<T>>;

/// Letters that become one commit, and who waits for each.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) bundles: Vec<Bundle>,
    pub(super) askers: Vec<Asker>,
}

pub(super) enum Asker {
    One(Answer<Outcome>),
    Many(Answer<Settled>),
}

impl Batch {
    pub(super) fn add(&mut self, bundle: Bundle, asker: Asker) {
        self.bundles.push(bundle);
        self.askers.push(asker);
    }
}

/// What came of each, if it is sure to last.
pub(super) fn tell(askers: Vec<Asker>, settled: Vec<Settled>, kept: &Result<()>) {
    for (asker, settled) in askers.into_iter().zip(settled) {
        asker.tell(kept.clone().map(|()| settled));
    }
}

impl Asker {
    /// Who has gone away is not told.
    pub(super) fn tell(self, result: Result<Settled>) {
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
