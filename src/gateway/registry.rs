//! The sessions of all instances. Books that have been idle are closed, so that ten thousand quiet instances take next to
//! nothing; that no more are open than may be is seen to where they open (session). Every book, open or not, has its turn
//! to forget what was deleted long ago.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use dashmap::DashMap;
use futures_util::{StreamExt as _, stream};

use super::held;
use crate::{
    domain::{InstanceId, Moment, Result},
    session::{OpenBooks, Session},
};

/// Tombstones that go in one commit.
const AT_ONCE: u32 = 1000;
/// Books that have their turn to forget at once; the others wait for the next tick.
const TURNS: usize = 8;
/// After a start there is more urgent work; and a command that opens the folder is over by then.
const FIRST_TURN: Duration = Duration::from_secs(60);
/// Books that close at the same time: each may have to wait for the disk, and whoever is asked for meanwhile needs threads
/// as well.
const CLOSING: usize = 8;

pub(super) struct Registry {
    sessions: DashMap<InstanceId, Session>,
    open_books: Arc<OpenBooks>,
    idle: Duration,
    /// Whose turn it is to forget, and when.
    turns: Mutex<BTreeSet<(Instant, InstanceId)>>,
}

impl Registry {
    pub(super) fn new(open_books: Arc<OpenBooks>, idle: Duration) -> Self {
        Self { sessions: DashMap::new(), open_books, idle, turns: Mutex::default() }
    }

    pub(super) fn add(&self, session: Session) {
        held(&self.turns).insert((Instant::now() + FIRST_TURN, session.id().clone()));
        self.sessions.insert(session.id().clone(), session);
    }

    pub(super) fn get(&self, id: &InstanceId) -> Option<Session> {
        self.sessions.get(id).map(|session| session.clone())
    }

    pub(super) fn remove(&self, id: &InstanceId) -> Option<Session> {
        held(&self.turns).retain(|(_, known)| known != id);
        self.sessions.remove(id).map(|(_, session)| session)
    }

    #[cfg(test)]
    pub(super) fn open_books(&self) -> usize {
        self.open_books.count()
    }

    pub(super) fn len(&self) -> usize {
        self.sessions.len()
    }

    pub(super) fn all(&self) -> Vec<Session> {
        self.sessions.iter().map(|session| session.clone()).collect()
    }

    /// Closes books that have been idle.
    pub(super) async fn tidy(&self, now: Instant) {
        metrics::gauge!("wabook_open_books").set(self.open_books.count() as f64);
        let is_idle = |session: &Session| {
            session.last_used().is_some_and(|used| now.saturating_duration_since(used) >= self.idle)
        };
        let idle = self.all().into_iter().filter(is_idle);
        let closing = idle.map(|session| async move { session.rest().await });
        stream::iter(closing).buffer_unordered(CLOSING).collect::<()>().await;
    }

    /// Forgets, in the few books whose turn it is, what was deleted before this moment. Their next turn is so much later.
    /// A book that was closed is closed again.
    pub(super) async fn prune(&self, before: Moment, now: Instant, again: Duration) {
        for session in self.whose_turn(now, again) {
            let was_open = session.last_used().is_some();
            match forget(&session, before).await {
                Ok(0) => {}
                Ok(gone) => tracing::info!(instance = %session.id(), gone, "tombstones pruned"),
                Err(error) => {
                    tracing::warn!(instance = %session.id(), outcome = error.word(), "tombstones were not pruned");
                }
            }
            if !was_open {
                session.rest().await;
            }
        }
    }

    fn whose_turn(&self, now: Instant, again: Duration) -> Vec<Session> {
        let mut turns = held(&self.turns);
        let due: Vec<_> = turns.iter().take(TURNS).take_while(|(at, _)| *at <= now).cloned().collect();
        for turn in &due {
            turns.remove(turn);
        }
        turns.extend(due.iter().map(|(_, id)| (now + again, id.clone())));
        due.iter().filter_map(|(_, id)| self.get(id)).collect()
    }

    /// Every accepted edit is answered, every book closed.
    pub(super) async fn finish(&self) {
        let sessions = self.all();
        // All refuse first, so that the last is not fed while the first closes.
        for chunk in sessions.chunks(64) {
            let finishing: Vec<_> =
                chunk.iter().cloned().map(|s| tokio::spawn(async move { s.finish().await })).collect();
            for session in finishing {
                let _ = session.await;
            }
        }
    }
}

/// A part at a time: writers wait for no more than that.
async fn forget(session: &Session, before: Moment) -> Result<u64> {
    let mut all = 0;
    loop {
        let gone = session.prune(before, AT_ONCE).await?;
        all += gone;
        if gone < u64::from(AT_ONCE) {
            return Ok(all);
        }
    }
}
