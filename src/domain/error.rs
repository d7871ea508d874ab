//! What can go wrong, as meanings. Each room of `http` turns these into its own codes and bodies in one `match`;
//! no status code, vendor text or person's data stands here.

use std::{borrow::Cow, sync::Arc};

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An input that was refused: which field, and a sentence a person can act on. Never repeats the input itself,
/// which may be a number, a name or a token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} {why}")]
pub struct Invalid {
    pub field: &'static str,
    pub why: Cow<'static, str>,
}

impl Invalid {
    pub fn new(field: &'static str, why: impl Into<Cow<'static, str>>) -> Self {
        Self { field, why: why.into() }
    }

    /// The same refusal under the name by which the caller knows the field.
    #[must_use]
    pub fn in_field(mut self, field: &'static str) -> Self {
        self.field = field;
        self
    }
}

#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    #[error("no such instance")]
    NoInstance,
    #[error("no such access token")]
    NoToken,
    #[error("no such contact")]
    NoContact,
    /// No such group, source or status.
    #[error("no such entry")]
    NoEntry,
    #[error("no such webhook")]
    NoWebhook,
    /// The contact had no saved name before the present one.
    #[error("no earlier name")]
    NoEarlierName,
    /// The edit refers to a group, source or status that does not exist.
    #[error("{field} refers to something that does not exist")]
    Unknown { field: &'static str },
    /// A source or status that contacts still have.
    #[error("still in use by {by} contacts")]
    InUse { by: u64 },
    /// An idempotency key that was used for another request.
    #[error("this idempotency key was used for another request")]
    KeyReused,
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// A precondition did not hold; `now` is the contact's present revision, if it exists.
    #[error("the contact has changed in the meantime")]
    Stale { now: Option<crate::domain::Revision> },
    /// A sync token that can no longer be gone on from: begin the walk anew.
    #[error("the sync token has expired")]
    Expired,
    #[error("another entry already has this {field}")]
    Duplicate { field: &'static str },
    /// There may not be more of them.
    #[error("there are {most} already, which is as many as there may be")]
    Enough { most: usize },
    /// Credentials missing, unknown, expired, revoked or for another instance: deliberately one meaning.
    #[error("credentials were not accepted")]
    Refused,
    #[error("the access token lacks the scope {scope}")]
    Forbidden { scope: &'static str },
    /// This token asks too often; nothing was done.
    #[error("too many requests")]
    Limited { wait: std::time::Duration },
    /// Not accepted, nothing done: ask again shortly.
    #[error("too busy at the moment")]
    Busy,
    /// The write may or may not be on disk: repeating it settles the question.
    #[error("the outcome of the write is unknown")]
    OutcomeUnknown,
    /// The address book has as much as it may have; nothing was done.
    #[error("over the quota of {most} {of}")]
    OverQuota { of: &'static str, now: u64, most: u64 },
    #[error("the disk is full")]
    Full,
    #[error("this instance's address book is damaged and has been set aside")]
    Quarantined,
    #[error("too large: the limit is {limit} bytes")]
    TooLarge { limit: usize },
    #[error("internal error")]
    Internal(#[source] Arc<dyn std::error::Error + Send + Sync>),
}

impl Error {
    pub fn internal(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Internal(Arc::from(cause.into()))
    }

    /// The error and what caused it, for the log.
    pub fn chain(&self) -> String {
        let mut told = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            told = format!("{told}: {error}");
            cause = error.source();
        }
        told
    }

    /// One word for logs and metrics.
    pub fn word(&self) -> &'static str {
        match self {
            Self::NoInstance => "no_instance",
            Self::NoToken => "no_token",
            Self::NoContact => "no_contact",
            Self::NoEntry => "no_entry",
            Self::NoWebhook => "no_webhook",
            Self::Enough { .. } => "enough",
            Self::NoEarlierName => "no_earlier_name",
            Self::Unknown { .. } => "unknown_reference",
            Self::InUse { .. } => "in_use",
            Self::KeyReused => "key_reused",
            Self::Invalid(_) => "invalid",
            Self::Stale { .. } => "stale",
            Self::Expired => "expired_sync_token",
            Self::Duplicate { .. } => "duplicate",
            Self::Refused => "refused",
            Self::Forbidden { .. } => "forbidden",
            Self::Limited { .. } => "limited",
            Self::Busy => "busy",
            Self::OutcomeUnknown => "outcome_unknown",
            Self::OverQuota { .. } => "over_quota",
            Self::Full => "full",
            Self::Quarantined => "quarantined",
            Self::TooLarge { .. } => "too_large",
            Self::Internal(_) => "internal",
        }
    }
}
