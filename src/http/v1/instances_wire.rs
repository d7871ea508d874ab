//! The spelling of `/v1`: snake_case, RFC 3339 times, numbers as numbers.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    book::Head,
    domain::{Error, InstanceId, Invalid, Moment, NamePart, Result},
    gateway::{AccessToken, Backup, Instance, NewToken, Scopes, Token},
    http::{
        given::Given,
        room::Heard,
        schemas::{NameText, described, one_of_two},
        time::{now, parse_duration, parse_rfc3339, rfc3339},
    },
};

const LIMIT: u64 = 100;
const MOST: u64 = 1000;

#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct InstanceWish<'a> {
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, pattern = "^[A-Za-z0-9_-]{1,64}$", example = "shop")]
    instance_id: Given<'a>,
}

impl InstanceWish<'_> {
    /// Without a wish the id is drawn: twelve hexadecimal digits.
    pub fn id(&self) -> Result<InstanceId> {
        match self.instance_id.text("instance_id")? {
            Some(Some(text)) => Ok(text.parse::<InstanceId>()?),
            _ => {
                let mut bytes = [0u8; 8];
                getrandom::fill(&mut bytes[2..]).map_err(|_| Error::Busy)?;
                Ok(format!("{:012x}", u64::from_be_bytes(bytes)).parse::<InstanceId>()?)
            }
        }
    }
}

#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct TokenWish<'a> {
    /// Such as `contacts:read`, `groups:*`; everything if not given.
    #[serde(default)]
    #[schema(value_type = Option<Vec<ScopeWord>>, min_items = 1)]
    scopes: Value,
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, pattern = "^[1-9][0-9]{0,3}[dhms]$", example = "30d")]
    expires_in: Given<'a>,
    #[serde(borrow, default)]
    /// RFC 3339, in the future.
    #[schema(value_type = Option<String>, format = DateTime, pattern = "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z$", example = "2100-01-01T00:00:00Z")]
    expires_at: Given<'a>,
    #[serde(borrow, default)]
    #[schema(value_type = Option<NameText>)]
    label: Given<'a>,
}

described!(
    /// With one way at most to say when it ends.
    NewTokenWish = "NewToken",
    TokenWish<'static>,
    |wish| one_of_two(wish, ["expires_in", "expires_at"])
);

impl TokenWish<'_> {
    pub fn token(&self) -> Result<NewToken> {
        let at = self.expires_at.text("expires_at")?.flatten();
        let span = self.expires_in.text("expires_in")?.flatten();
        let expires_at = match (at, span) {
            (Some(_), Some(_)) => return Err(Invalid::new("expires_in", "and expires_at exclude each other").into()),
            (Some(at), None) => Some(parse_rfc3339(at, "expires_at")?),
            (None, Some(span)) => Some(now().plus(parse_duration(span, "expires_in")?)),
            (None, None) => None,
        };
        if expires_at.is_some_and(|at| at <= now()) {
            return Err(Invalid::new("expires_at", "must be in the future").into());
        }
        let label = self.label.text("label")?.flatten();
        let label = label.map(|text| NamePart::parse(text, "label")).transpose()?.flatten();
        let label = label.map(|label| label.as_str().to_owned());
        Ok(NewToken { label, scopes: self.scopes()?, expires_at })
    }

    fn scopes(&self) -> Result<Scopes, Invalid> {
        let refused = || Invalid::new("scopes", "must be an array of strings");
        match &self.scopes {
            Value::Null => Ok(Scopes::ALL),
            Value::Array(words) => {
                let words: Option<Vec<_>> = words.iter().map(Value::as_str).collect();
                Scopes::parse(words.ok_or_else(refused)?)
            }
            _ => Err(refused()),
        }
    }
}

/// A scope, a family of them, or everything.
#[derive(ToSchema)]
#[schema(value_type = String, pattern = "^((contacts|groups):(read|write|delete|\\*)|(sources|statuses):(read|write|\\*)|account:read|instance:admin|\\*)$")]
#[expect(dead_code, reason = "describes an entry of `scopes`")]
pub struct ScopeWord(String);

#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct BackupWish<'a> {
    #[serde(borrow, default)]
    #[schema(value_type = String, required)]
    folder: Given<'a>,
}

impl BackupWish<'_> {
    pub fn folder(&self) -> Result<PathBuf, Invalid> {
        let folder = self.folder.text("folder")?.flatten();
        folder.map(PathBuf::from).ok_or_else(|| Invalid::new("folder", "is required"))
    }
}

/// `limit` and `after` of a list.
pub fn window(heard: &Heard) -> Result<(usize, String), Invalid> {
    let params = heard.params();
    let limit = params.number("limit", LIMIT, 1, MOST)?;
    Ok((usize::try_from(limit).unwrap_or(usize::MAX), params.text("after").unwrap_or_default().to_owned()))
}

#[derive(Debug, Serialize, ToSchema)]
pub struct InstanceList {
    pub instances: Vec<ListedInstance>,
    /// The `after` of the next page; null at the end.
    pub next: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct ListedInstance {
    instance_id: String,
    #[schema(format = DateTime)]
    created_at: String,
}

impl From<&Instance> for ListedInstance {
    fn from(instance: &Instance) -> Self {
        Self { instance_id: instance.id.to_string(), created_at: rfc3339(instance.created_at) }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub struct CreatedInstance {
    instance_id: String,
    /// Shown this once.
    access_token: String,
    token_id: String,
    #[schema(format = DateTime)]
    created_at: String,
}

impl CreatedInstance {
    pub fn new(instance: &Instance, token: &Token, secret: &AccessToken) -> Self {
        Self {
            instance_id: instance.id.to_string(),
            access_token: secret.reveal().to_owned(),
            token_id: token.id.to_string(),
            created_at: rfc3339(instance.created_at),
        }
    }
}

/// How an instance stands.
#[derive(Debug, Serialize, ToSchema)]
pub struct InstanceState {
    instance_id: String,
    /// `ready`; or `quarantined`, when its book is damaged, and then nothing is known of the book.
    state: &'static str,
    contacts: Option<u64>,
    revision: Option<u64>,
    epoch: Option<String>,
    #[schema(format = DateTime)]
    created_at: String,
}

impl InstanceState {
    /// A damaged book is a state of the instance, not an error of the question.
    pub fn new(id: &InstanceId, created_at: Moment, head: Result<Head>) -> Result<Self> {
        let (state, head) = match head {
            Ok(head) => ("ready", Some(head)),
            Err(Error::Quarantined) => ("quarantined", None),
            Err(error) => return Err(error),
        };
        Ok(Self {
            instance_id: id.to_string(),
            state,
            contacts: head.map(|head| head.contacts),
            revision: head.map(|head| head.revision.number()),
            epoch: head.map(|head| head.epoch.to_string()),
            created_at: rfc3339(created_at),
        })
    }
}

/// What came of reading a whole book.
#[derive(Debug, Serialize, ToSchema)]
pub struct CheckReport {
    pub instance_id: String,
    /// Null when the book cannot be read.
    pub contacts: Option<u64>,
    /// Empty when it is sound.
    pub problems: Vec<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct TokenList {
    pub tokens: Vec<ShownToken>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Token)]
pub struct ShownToken {
    token_id: String,
    /// `active`, `expired` or `revoked`.
    state: &'static str,
    label: Option<String>,
    #[schema(value_type = Vec<ScopeWord>)]
    scopes: Vec<&'static str>,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    expires_at: Option<String>,
    #[schema(format = DateTime)]
    revoked_at: Option<String>,
    #[schema(format = DateTime)]
    last_used_at: Option<String>,
}

impl From<&Token> for ShownToken {
    fn from(token: &Token) -> Self {
        let state = match token {
            Token { revoked_at: Some(_), .. } => "revoked",
            Token { expires_at: Some(at), .. } if *at <= now() => "expired",
            _ => "active",
        };
        Self {
            token_id: token.id.to_string(),
            state,
            label: token.label.as_deref().map(str::to_owned),
            scopes: token.scopes.words(),
            created_at: rfc3339(token.created_at),
            expires_at: token.expires_at.map(rfc3339),
            revoked_at: token.revoked_at.map(rfc3339),
            last_used_at: token.last_used_at.map(rfc3339),
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub struct CreatedToken {
    #[serde(flatten)]
    token: ShownToken,
    instance_id: String,
    /// Shown this once.
    access_token: String,
}

impl CreatedToken {
    pub fn new(made: &Token, secret: &AccessToken) -> Self {
        Self { token: made.into(), instance_id: made.instance.to_string(), access_token: secret.reveal().to_owned() }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub struct BackupReport {
    instances: u64,
    bytes: u64,
    /// Instances whose book is damaged or missing and could not be copied.
    failed: u64,
}

impl From<Backup> for BackupReport {
    fn from(Backup { instances, bytes, failed }: Backup) -> Self {
        Self { instances, bytes, failed }
    }
}
