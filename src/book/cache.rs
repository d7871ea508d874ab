//! How much of its book a connection keeps in memory. All connections that are open share one sum: few books are kept
//! nearly whole, of thousands each keeps what it touches most, and the system's own cache has the rest.

use std::{
    cell::Cell,
    sync::atomic::{AtomicUsize, Ordering},
};

use rusqlite::Connection;

use crate::{book::fault, domain::Result};

/// All together, in KiB.
const SUM: usize = 512 << 10;
/// However many are open: the upper pages of each tree, and what a small change touches.
const LEAST: usize = 64;
/// Room for ten thousand new contacts in one commit, so that none is written twice.
pub(super) const MOST_OF_WRITER: usize = 16 << 10;
pub(super) const MOST_OF_READER: usize = 8 << 10;

static OPEN: AtomicUsize = AtomicUsize::new(0);

/// The share of one connection, as long as it is open.
pub(super) struct Cache {
    most: usize,
    now: Cell<usize>,
}

impl Cache {
    pub(super) fn new(most: usize) -> Self {
        OPEN.fetch_add(1, Ordering::Relaxed);
        Self { most, now: Cell::new(0) }
    }

    /// Takes or gives back what its share has become; `at_least` for what is about to be done, in KiB.
    pub(super) fn fit(&self, connection: &Connection, at_least: usize) -> Result<()> {
        let wanted = share(OPEN.load(Ordering::Relaxed)).max(at_least).min(self.most);
        let now = self.now.get();
        // Not at every book that opens or closes: only when much is to be had, or it has too much.
        if wanted < now || wanted >= 4 * now.max(1) {
            // Negative: KiB. It is taken as it is needed.
            connection.pragma_update(None, "cache_size", -(wanted as i64)).map_err(fault::meaning)?;
            self.now.set(wanted);
        }
        Ok(())
    }
}

/// In steps, for the same reason.
fn share(of: usize) -> usize {
    let share = (SUM / of.max(1)).max(LEAST);
    1 << share.ilog2()
}

impl Drop for Cache {
    fn drop(&mut self) {
        OPEN.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_keep_much_and_many_keep_little() {
        assert!(share(1) > MOST_OF_WRITER);
        assert_eq!(share(1_000), 512);
        assert_eq!(share(2_500), 128);
        assert_eq!(share(9_000), LEAST);
        assert_eq!(share(1_000_000), LEAST);
        (1..5_000).for_each(|open| assert!(open * share(open) <= SUM.max(open * LEAST), "{open}"));
    }

    #[test]
    fn a_connection_has_its_share_more_for_a_moment_and_gives_it_back() {
        let connection = Connection::open_in_memory().unwrap();
        let size = || connection.query_row("PRAGMA cache_size", [], |row| row.get::<_, i64>(0)).unwrap();
        let cache = Cache { most: 1 << 30, now: Cell::new(0) };
        OPEN.fetch_add(1 + 9_000, Ordering::Relaxed);
        cache.fit(&connection, 0).unwrap();
        assert_eq!(size(), -64);
        cache.fit(&connection, 20_000).unwrap();
        assert_eq!(size(), -20_000);
        cache.fit(&connection, 0).unwrap();
        assert_eq!(size(), -64);
        OPEN.fetch_sub(9_000, Ordering::Relaxed);
        // Other tests have theirs open as well, though never so many.
        cache.fit(&connection, 0).unwrap();
        assert!(size() < -64, "{}", size());
    }
}
