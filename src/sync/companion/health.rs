//! How a companion is doing, as it is shown to people: whether it answers, what went wrong last, what the last look at its
//! contacts brought.

use super::{Blame, Pulled, Trouble};
use crate::domain::Moment;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HealthState {
    /// It was not spoken to yet.
    #[default]
    Starting,
    Ok,
    /// Nobody is there, or nobody answers in time.
    Unreachable,
    /// It asked us to be slower.
    Limited,
    /// The key is not accepted.
    Refused,
    /// It answers, but not as it should.
    Faulty,
}

impl HealthState {
    pub fn word(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Ok => "ok",
            Self::Unreachable => "unreachable",
            Self::Limited => "limited",
            Self::Refused => "refused",
            Self::Faulty => "faulty",
        }
    }
}

#[derive(Debug, Clone, Default)]
pub struct Health {
    pub state: HealthState,
    /// When it last answered as it should.
    pub last_contact_at: Option<Moment>,
    pub last_error: Option<&'static str>,
    pub last_error_at: Option<Moment>,
    /// When it will be spoken to again, after trouble.
    pub resumes_at: Option<Moment>,
    /// The last whole look at its contacts.
    pub last_pull: Option<(Moment, Pulled)>,
}

impl Health {
    pub fn well(&mut self, now: Moment) {
        self.state = HealthState::Ok;
        self.last_contact_at = Some(now);
        self.resumes_at = None;
    }

    pub fn ill(&mut self, trouble: Trouble, now: Moment) {
        (self.last_error, self.last_error_at) = (Some(trouble.word), Some(now));
        self.state = match (trouble.word, trouble.blame) {
            // That one contact is refused says that the companion is well.
            (_, Blame::Contact) => HealthState::Ok,
            ("unreachable" | "timeout" | "unavailable", _) => HealthState::Unreachable,
            ("limited", _) => HealthState::Limited,
            ("unauthorized", _) => HealthState::Refused,
            _ => HealthState::Faulty,
        };
    }
}
