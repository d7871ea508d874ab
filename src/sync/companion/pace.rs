//! How fast names are sent: at most so many in any minute. Reads no clock.

use std::{collections::VecDeque, time::Duration};

use crate::domain::Moment;

const MINUTE: Duration = Duration::from_secs(60);

pub struct Pace {
    per_minute: usize,
    /// When the last of them were sent, at most `per_minute`.
    sent: VecDeque<Moment>,
}

impl Pace {
    pub fn new(per_minute: u32) -> Self {
        Self { per_minute: usize::try_from(per_minute).unwrap_or(usize::MAX).max(1), sent: VecDeque::new() }
    }

    /// How many may be sent now.
    pub fn room(&mut self, now: Moment) -> usize {
        while self.sent.front().is_some_and(|at| at.plus(MINUTE) <= now || *at > now) {
            self.sent.pop_front();
        }
        self.per_minute - self.sent.len()
    }

    /// When there is room again.
    pub fn next_room(&self) -> Moment {
        self.sent.front().map_or(Moment::default(), |at| at.plus(MINUTE))
    }

    pub fn note(&mut self, now: Moment) {
        self.sent.push_back(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_no_minute_are_there_more_than_allowed() {
        let mut pace = Pace::new(3);
        let mut sent = Vec::new();
        for second in 0..200 {
            let now = Moment::from_millis(second * 1000);
            while pace.room(now) > 0 {
                pace.note(now);
                sent.push(second);
            }
        }
        assert_eq!(sent, [0, 0, 0, 60, 60, 60, 120, 120, 120, 180, 180, 180]);
    }

    #[test]
    fn a_clock_that_was_put_back_stops_nothing() {
        let mut pace = Pace::new(1);
        pace.note(Moment::from_millis(1_000_000));
        assert_eq!(pace.room(Moment::from_millis(0)), 1);
    }
}
