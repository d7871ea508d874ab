//! How a companion is wished for, and how the list of states is asked for.

use std::time::Duration;

use utoipa::{IntoParams, ToSchema};

use crate::{
    book::Cursor,
    domain::{Field, Invalid, Result, SyncState},
    gateway::CompanionSettings,
    http::{fields::Fields, params::Params, time::parse_duration},
    sync::parse_url,
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
    let state = match params.text("state") {
        None => None,
        Some("local") => Some(None),
        Some(word) => Some(Some(SyncState::from_word(word).ok_or_else(|| {
            Invalid::new("state", "must be local, pending, acked, confirmed, awaiting_phone or failed")
        })?)),
    };
    if params.text("limit").is_some_and(|text| text.trim().is_empty()) {
        return Err(Invalid::new("limit", "must not be blank"));
    }
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
