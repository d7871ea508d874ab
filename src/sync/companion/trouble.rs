//! What can go wrong with a companion, in one word for people and programs, and whose fault it is: that decides who waits.

use std::time::Duration;

/// Whom a trouble concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// This contact alone was refused: sending it again would be refused again.
    Contact,
    /// The companion as a whole cannot be talked to: nothing is sent for a while, and no contact is to blame.
    Companion,
    /// Either: the contact is sent again later, and several in a row are the companion's trouble.
    Unclear,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trouble {
    pub word: &'static str,
    pub blame: Blame,
    /// How long the companion asked us to wait.
    pub wait: Option<Duration>,
}

/// Nobody is made to wait longer than this, whatever is asked.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3600);

impl Trouble {
    pub const fn of_contact(word: &'static str) -> Self {
        Self { word, blame: Blame::Contact, wait: None }
    }

    pub const fn of_companion(word: &'static str) -> Self {
        Self { word, blame: Blame::Companion, wait: None }
    }

    pub const fn unclear(word: &'static str) -> Self {
        Self { word, blame: Blame::Unclear, wait: None }
    }

    #[must_use]
    pub fn with_wait(self, wait: Option<Duration>) -> Self {
        Self { wait: wait.map(|wait| wait.min(LONGEST_WAIT)), ..self }
    }
}

/// How long to wait after so many failures in a row: twice as long each time, up to a bound, and somewhat more or less by
/// chance, so that many who failed together do not come back together.
pub fn backoff(first: Duration, most: Duration, failures: u32, chance: u8) -> Duration {
    let doubled = first.saturating_mul(1 << failures.saturating_sub(1).min(20));
    // From four fifths to six fifths.
    doubled.min(most).mul_f64(0.8 + 0.4 * f64::from(chance) / 255.0)
}

/// A byte of chance.
pub fn chance() -> u8 {
    let mut byte = [128];
    // Without chance the middle will do.
    let _ = getrandom::fill(&mut byte);
    byte[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_bound_and_differ_by_a_fifth() {
        let second = Duration::from_secs(1);
        let wait = |failures, chance| backoff(second, 100 * second, failures, chance).as_secs_f64();
        assert!((wait(1, 128) - 1.0).abs() < 0.01);
        assert!((wait(4, 128) - 8.0).abs() < 0.1);
        assert!((wait(u32::MAX, 255) - 120.0).abs() < 0.1);
        assert!((wait(30, 0) - 80.0).abs() < 0.1);
        assert!(wait(0, 0) > 0.5, "never at once");
    }

    #[test]
    fn nobody_is_made_to_wait_for_ever() {
        let asked = Trouble::of_companion("limited").with_wait(Some(Duration::from_secs(u64::MAX)));
        assert_eq!(asked.wait, Some(Duration::from_secs(86_400)));
    }
}
