//! How a companion is shown: its settings without the key, its health, and how contacts stand with it.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    domain::{ChatId, Moment, Sync, SyncState},
    gateway::CompanionSettings,
    http::time::rfc3339,
    sync::{Health, HealthState, Pulled},
};

/// Which companion there is and how it is doing.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Companion)]
pub struct CompanionState {
    /// `none` or `waha`.
    kind: &'static str,
    url: Option<String>,
    session: Option<String>,
    /// Whether a key is sent along; the key itself is not shown.
    has_api_key: bool,
    pace_per_minute: Option<u32>,
    /// In seconds.
    pull_every_seconds: Option<u64>,
    health: CompanionHealth,
    /// How many contacts are in which state: `local`, `pending`, `acked`, `confirmed`, `awaiting_phone`, `failed`.
    #[schema(value_type = Object)]
    contacts: BTreeMap<&'static str, u64>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct CompanionHealth {
    /// `none`, `starting`, `ok`, `unreachable`, `limited`, `refused` (the key) or `faulty`.
    state: &'static str,
    #[schema(format = DateTime)]
    last_contact_at: Option<String>,
    /// One word.
    last_error: Option<&'static str>,
    #[schema(format = DateTime)]
    last_error_at: Option<String>,
    /// When it will be spoken to again, after trouble.
    #[schema(format = DateTime)]
    resumes_at: Option<String>,
    #[schema(format = DateTime)]
    last_pull_at: Option<String>,
    last_pull: Option<PullReport>,
}

impl CompanionState {
    pub fn new(
        settings: Option<&CompanionSettings>,
        health: Option<&Health>,
        contacts: BTreeMap<&'static str, u64>,
    ) -> Self {
        let at = |at: fn(&Health) -> Option<Moment>| health.and_then(at).map(rfc3339);
        let starting = if settings.is_some() { HealthState::Starting.word() } else { "none" };
        Self {
            kind: if settings.is_some() { "waha" } else { "none" },
            url: settings.map(|settings| settings.url.clone()),
            session: settings.map(|settings| settings.session.clone()),
            has_api_key: settings.is_some_and(|settings| settings.api_key.is_some()),
            pace_per_minute: settings.map(|settings| settings.pace),
            pull_every_seconds: settings.map(|settings| settings.pull_every.as_secs()),
            health: CompanionHealth {
                state: health.map_or(starting, |health| health.state.word()),
                last_contact_at: at(|health| health.last_contact_at),
                last_error: health.and_then(|health| health.last_error),
                last_error_at: at(|health| health.last_error_at),
                resumes_at: at(|health| health.resumes_at),
                last_pull_at: at(|health| health.last_pull.map(|(at, _)| at)),
                last_pull: health.and_then(|health| health.last_pull).map(|(_, pulled)| pulled.into()),
            },
            contacts,
        }
    }
}

/// What a look at the companion's contacts brought.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CompanionPull)]
pub struct PullReport {
    /// Contacts that it listed.
    seen: u64,
    /// Changes here that came of it.
    changed: u64,
    /// In one word why it did not come to its end; null when it did.
    error: Option<&'static str>,
}

impl From<Pulled> for PullReport {
    fn from(Pulled { seen, changed, error }: Pulled) -> Self {
        Self { seen, changed, error }
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CompanionRetry)]
pub struct RetryReport {
    /// How many names wait to be told again.
    pub retried: usize,
}

/// How a contact stands with the companion.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CompanionContact)]
pub struct ContactState {
    #[schema(example = "15551234567@c.us")]
    chat_id: String,
    /// `local`, `pending`, `acked`, `confirmed`, `awaiting_phone` or `failed`.
    state: &'static str,
    /// What the companion is to do: `save`; or `remove`, when the contact is deleted here. Null when it is `local`.
    wish: Option<&'static str>,
    /// Why it was not taken, in one word.
    reason: Option<String>,
    attempts: u32,
    #[schema(format = DateTime)]
    next_attempt_at: Option<String>,
    #[schema(format = DateTime)]
    acked_at: Option<String>,
    #[schema(format = DateTime)]
    confirmed_at: Option<String>,
}

impl ContactState {
    pub fn local(chat_id: ChatId) -> Self {
        Self {
            chat_id: chat_id.to_string(),
            state: "local",
            wish: None,
            reason: None,
            attempts: 0,
            next_attempt_at: None,
            acked_at: None,
            confirmed_at: None,
        }
    }
}

impl From<&Sync> for ContactState {
    fn from(sync: &Sync) -> Self {
        let is_put_off = sync.state == SyncState::Pending && sync.next_at > Moment::default();
        Self {
            chat_id: sync.chat_id.to_string(),
            state: sync.state.word(),
            wish: Some(if sync.contact.is_some() { "save" } else { "remove" }),
            reason: sync.reason.as_deref().map(str::to_owned),
            attempts: sync.attempts,
            next_attempt_at: is_put_off.then(|| rfc3339(sync.next_at)),
            acked_at: sync.acked_at.map(rfc3339),
            confirmed_at: sync.confirmed_at.map(rfc3339),
        }
    }
}

#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = CompanionContacts)]
pub struct ContactStates {
    pub contacts: Vec<ContactState>,
    /// The `cursor` of the next page; null at the end.
    pub next: Option<String>,
}

impl ContactStates {
    /// Of one more than fits, if there are more.
    pub fn new(mut contacts: Vec<ContactState>, limit: u32) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let has_more = contacts.len() > limit;
        contacts.truncate(limit);
        let next = contacts.last().filter(|_| has_more).map(|last| last.chat_id.clone());
        Self { contacts, next }
    }
}
