//! How fast a token may ask: a limit per minute, spread evenly with room for a burst (GCRA). Each token carries its own,
//! so that nothing has to be swept and no token slows another.

use std::{num::NonZeroU32, time::Duration};

use governor::{
    DefaultDirectRateLimiter, Quota, RateLimiter,
    clock::{Clock as _, DefaultClock},
    middleware::StateInformationMiddleware,
};

pub(super) struct Limit {
    limiter: DefaultDirectRateLimiter<StateInformationMiddleware>,
    clock: DefaultClock,
    per_minute: u32,
}

/// Where a token stands after this request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    pub per_minute: u32,
    pub remaining: u32,
    /// Until the burst is whole again.
    pub reset: Duration,
    /// Set when this request was one too many: until the next may come.
    pub wait: Option<Duration>,
}

impl Limit {
    /// `None` for 0: nothing is limited.
    pub(super) fn per_minute(per_minute: u32) -> Option<Self> {
        let quota = Quota::per_minute(NonZeroU32::new(per_minute)?);
        let limiter = RateLimiter::direct(quota).with_middleware();
        Some(Self { limiter, clock: DefaultClock::default(), per_minute })
    }

    pub(super) fn count(&self) -> Rate {
        let between = Duration::from_secs(60) / self.per_minute;
        match self.limiter.check() {
            Ok(state) => {
                let remaining = state.remaining_burst_capacity();
                let reset = between * self.per_minute.saturating_sub(remaining);
                Rate { per_minute: self.per_minute, remaining, reset, wait: None }
            }
            Err(not_yet) => {
                let wait = not_yet.wait_time_from(self.clock.now());
                Rate { per_minute: self.per_minute, remaining: 0, reset: Duration::from_secs(60), wait: Some(wait) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_taken_then_the_next_is_told_to_wait() {
        assert!(Limit::per_minute(0).is_none());
        let limit = Limit::per_minute(3).unwrap();
        let remaining: Vec<_> = (0..3).map(|_| limit.count().remaining).collect();
        assert_eq!(remaining, [2, 1, 0]);
        let wait = limit.count().wait.expect("the fourth is one too many");
        assert!(wait <= Duration::from_secs(20) && wait > Duration::from_secs(10), "{wait:?}");
    }
}
