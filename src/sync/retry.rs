//! When a delivery that failed is tried again. Pure.

use std::time::Duration;

const fn minutes(count: u64) -> Duration {
    Duration::from_secs(count * 60)
}

/// The waits between the tries of one event: ten tries in a little more than three days.
pub const WAITS: [Duration; 9] = [
    Duration::from_secs(5),
    minutes(5),
    minutes(30),
    minutes(2 * 60),
    minutes(5 * 60),
    minutes(10 * 60),
    minutes(14 * 60),
    minutes(20 * 60),
    minutes(24 * 60),
];

/// A number from 0 up to 1 that differs each time, so that many hooks of one receiver do not come back all at once.
pub type Jitter = fn() -> f64;

pub fn random() -> f64 {
    let mut bytes = [0u8; 4];
    // Without randomness all come at once, which is no reason not to come.
    let _ = getrandom::fill(&mut bytes);
    f64::from(u32::from_be_bytes(bytes)) / (f64::from(u32::MAX) + 1.0)
}

/// How long to wait after so many failures in a row (at least one): as the schedule has it and up to a tenth longer, but
/// never shorter than the receiver asks for.
pub fn wait(failures: u32, asked: Option<Duration>, jitter: Jitter) -> Duration {
    let place = usize::try_from(failures.saturating_sub(1)).unwrap_or(usize::MAX).min(WAITS.len() - 1);
    let wait = WAITS[place].mul_f64(1.0 + jitter().clamp(0.0, 1.0) / 10.0);
    wait.max(asked.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_jitter_adds_and_the_receiver_may_ask_for_more() {
        let seconds = |failures| wait(failures, None, || 0.0).as_secs();
        let schedule = [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400];
        assert_eq!((1..=9).map(seconds).collect::<Vec<_>>(), schedule);
        assert_eq!(seconds(100), 86_400);
        assert_eq!(wait(2, None, || 1.0).as_secs(), 330);
        assert_eq!(wait(1, Some(minutes(2)), || 0.0), minutes(2));
        assert_eq!(wait(3, Some(minutes(2)), || 0.0), minutes(30));
        assert!((0..1000).map(|_| random()).all(|number| (0.0..1.0).contains(&number)));
    }
}
