//! How companions are spelled: their settings as they are wished and shown, their health, and how contacts stand.

use std::{collections::BTreeMap, time::Duration};

use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use crate::{
    book::Cursor,
    domain::{ChatId, Field, Invalid, Moment, Result, Sync, SyncState},
    gateway::CompanionSettings,
    http::{
        fields::Fields,
        params::Params,
        time::{parse_duration, rfc3339},
    },
    sync::{Health, HealthState, Pulled, parse_url},
};

const PACE: u32 = 60;
const PULL_EVERY: Duration = Duration::from_secs(15 * 60);
const LIMIT: u64 = 100;
const MOST: u64 = 1000;

/// A companion as it is wished.
#[derive(Debug, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "describes the body that `settings` reads field by field")]
pub enum CompanionWish {
    None(NoCompanionWish),
    Waha(WahaCompanionWish),
}

/// None; nothing else is read.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "describes the body that `settings` reads field by field")]
pub struct NoCompanionWish {
    #[schema(pattern = "^none$", example = "none")]
    kind: String,
}

/// Another gateway that speaks WAHA.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "describes the body that `settings` reads field by field")]
pub struct WahaCompanionWish {
    #[schema(pattern = "^waha$", example = "waha")]
    kind: String,
    /// Where its `/api` is, without that.
    #[schema(
        max_length = 1000,
        pattern = "^https?://([a-z0-9]+\\.)*[a-z]+(:[1-9][0-9]{0,3})?(/[a-z0-9]+)*/?$",
        example = "http://waha.example.com:3000"
    )]
    url: String,
    /// How this instance is called there.
    #[schema(pattern = "^[A-Za-z0-9_-]{1,64}$", example = "default")]
    session: String,
    /// Kept sealed and never shown. Without it none is sent.
    #[schema(pattern = "^[!-~]{1,512}$")]
    api_key: Option<String>,
    /// Names sent in a minute, at most; 60 if not given.
    #[schema(minimum = 1, maximum = 6000)]
    pace_per_minute: Option<i64>,
    /// How often its contacts are looked through, from `10s` to `7d`; `15m` if not given.
    #[schema(pattern = "^([1-6]d|[1-9][0-9]?h|[1-9][0-9]?m|[1-9][0-9]s)$", example = "15m")]
    pull_every: Option<String>,
}

pub fn settings(fields: &Fields) -> Result<Option<CompanionSettings>, Invalid> {
    let kind = text(fields, "kind")?.ok_or_else(|| Invalid::new("kind", "is required"))?;
    match kind {
        "none" => return Ok(None),
        "waha" => {}
        _ => return Err(Invalid::new("kind", "must be none or waha")),
    }
    let required = |name: &'static str| text(fields, name)?.ok_or_else(|| Invalid::new(name, "is required for waha"));
    let url = parse_url(required("url")?)?;
    let session = required("session")?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    if !(1..=64).contains(&session.len()) || !session.bytes().all(is_plain) {
        return Err(Invalid::new("session", "must be 1 to 64 letters, digits, _ or -"));
    }
    let api_key = text(fields, "api_key")?;
    if api_key.is_some_and(|key| !(1..=512).contains(&key.len()) || !key.bytes().all(|byte| byte.is_ascii_graphic())) {
        return Err(Invalid::new("api_key", "must be 1 to 512 printable ASCII characters without blanks"));
    }
    let pace = match fields.integer("pace_per_minute")? {
        Field::Set(pace) => u32::try_from(pace)
            .ok()
            .filter(|pace| (1..=6000).contains(pace))
            .ok_or_else(|| Invalid::new("pace_per_minute", "must be a whole number, from 1 to 6000"))?,
        _ => PACE,
    };
    let pull_every = text(fields, "pull_every")?.map(|text| parse_duration(text, "pull_every")).transpose()?;
    let pull_every = pull_every.unwrap_or(PULL_EVERY);
    if !(Duration::from_secs(10)..=Duration::from_secs(7 * 86_400)).contains(&pull_every) {
        return Err(Invalid::new("pull_every", "must be from 10s to 7d"));
    }
    Ok(Some(CompanionSettings {
        url,
        session: session.to_owned(),
        api_key: api_key.map(str::to_owned),
        pace,
        pull_every,
    }))
}

/// Null is as good as not given.
fn text<'f>(fields: &'f Fields, name: &'static str) -> Result<Option<&'f str>, Invalid> {
    Ok(fields.text(name)?.set().copied())
}

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

#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes the parameters that `query` reads")]
pub struct StatesQuery {
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<i64>,
    /// The `next` of the page before, with the same state.
    cursor: Option<String>,
    /// `local`, `pending`, `acked`, `confirmed`, `awaiting_phone` or `failed`.
    #[param(pattern = "^(local|pending|acked|confirmed|awaiting_phone|failed)$")]
    state: Option<String>,
}

#[derive(Debug)]
pub struct Query {
    /// `Some(None)` is `local`.
    pub state: Option<Option<SyncState>>,
    pub cursor: String,
    pub limit: u32,
}

pub fn query(params: &Params<'_>) -> Result<Query, Invalid> {
    let state = match params.filled("state") {
        None => None,
        Some("local") => Some(None),
        Some(word) => Some(Some(SyncState::from_word(word).ok_or_else(|| {
            Invalid::new("state", "must be local, pending, acked, confirmed, awaiting_phone or failed")
        })?)),
    };
    let limit = params.number("limit", LIMIT, 1, MOST)?;
    Ok(Query {
        state,
        cursor: params.filled("cursor").unwrap_or_default().to_owned(),
        limit: u32::try_from(limit).unwrap_or(u32::MAX),
    })
}

pub fn book_cursor(text: &str) -> Result<Option<Cursor>, Invalid> {
    let refused = || Invalid::new("cursor", "is not one of ours");
    (!text.is_empty()).then(|| Cursor::from_text(text).ok_or_else(refused)).transpose()
}
