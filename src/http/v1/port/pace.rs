//! How fast an import goes: how many rows it hands over at once, how far it goes ahead, and how long it rests between two
//! bundles. Alone, it takes all there is; while others ask for something, it works in small steps, one after the other,
//! and leaves them as much time as they seem to need. Leaves out clocks and who the others are: it is told.

use std::time::Duration;

/// Rows in a bundle: as many as the session works through in about this time. Nobody waits much longer for their own small
/// write; while nobody is there, fewer commits count more.
const ALONE: Duration = Duration::from_millis(25);
const BESIDE_OTHERS: Duration = Duration::from_millis(1);
const LEAST: usize = 64;
const MOST: usize = 1000;

/// What is read of the body before it is looked at: a good deal, so that it is worth the way to another thread.
const PIECE: usize = 64 * 1024;
const SMALL_PIECE: usize = 16 * 1024;

/// What a request of somebody else is taken to need of a processor; and, so that the file ever comes to its end, how much
/// longer than its work a rest may be.
const REQUEST: Duration = Duration::from_micros(100);
const REST: u32 = 2;

/// Others who were here so shortly ago will be back.
const MEMORY: Duration = Duration::from_millis(250);

pub struct Pace {
    rows: usize,
    /// Since anybody else asked for anything.
    quiet: Duration,
}

impl Pace {
    pub fn new() -> Self {
        Self { rows: LEAST, quiet: Duration::ZERO }
    }

    /// In the next bundle.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Bundles under way at the same time: the session need not wait for the next one.
    pub fn ahead(&self) -> usize {
        if self.is_alone() { 2 } else { 1 }
    }

    /// Bytes that are read before they are looked at.
    pub fn piece(&self) -> usize {
        if self.is_alone() { PIECE } else { SMALL_PIECE }
    }

    /// A bundle of so many rows took so long, and so many requests of others came meanwhile. How long to rest now.
    pub fn learn(&mut self, rows: usize, took: Duration, others: u64) -> Duration {
        self.quiet = if others == 0 { self.quiet.saturating_add(took) } else { Duration::ZERO };
        let aim = if self.is_alone() { ALONE } else { BESIDE_OTHERS };
        let fitting = (rows as f64 * aim.as_secs_f64() / took.as_secs_f64().max(1e-6)) as usize;
        // Half way there: one slow commit is not yet a slow disk. But others are made room for at once.
        let wanted = if self.is_alone() { usize::midpoint(self.rows, fitting) } else { fitting.min(self.rows * 2) };
        self.rows = wanted.clamp(LEAST, MOST);
        let needed = REQUEST.saturating_mul(u32::try_from(others).unwrap_or(u32::MAX));
        needed.min(took.saturating_mul(REST))
    }

    fn is_alone(&self) -> bool {
        self.quiet >= MEMORY
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// A session that takes ten microseconds for a row and two hundred for a commit.
    fn step(pace: &mut Pace, others: u64) -> Duration {
        let rows = pace.rows();
        pace.learn(rows, Duration::from_micros(200 + 10 * rows as u64), others)
    }

    #[test]
    fn alone_bundles_grow_and_nobody_rests() {
        let mut pace = Pace::new();
        for _ in 0..300 {
            assert_eq!(step(&mut pace, 0), Duration::ZERO);
        }
        assert_eq!(pace.rows(), MOST);
        assert_eq!((pace.ahead(), pace.piece()), (2, PIECE));
    }

    #[test]
    fn others_are_made_room_for_at_once() {
        let mut pace = Pace::new();
        for _ in 0..300 {
            step(&mut pace, 0);
        }
        step(&mut pace, 1);
        assert!(pace.rows() < 150, "{}", pace.rows());
        assert_eq!((pace.ahead(), pace.piece()), (1, SMALL_PIECE));
    }

    #[test]
    fn the_rest_grows_with_their_number_but_not_without_end() {
        let mut pace = Pace::new();
        assert_eq!(pace.learn(100, ms(10), 3), REQUEST * 3);
        assert_eq!(pace.learn(100, ms(10), u64::MAX), ms(20));
    }

    #[test]
    fn a_slow_session_still_gets_something() {
        let mut pace = Pace::new();
        for _ in 0..20 {
            let rows = pace.rows();
            pace.learn(rows, ms(5000), 100);
        }
        assert_eq!(pace.rows(), LEAST);
    }
}
