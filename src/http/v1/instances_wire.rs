//! The spelling of `/v1`: snake_case, RFC 3339 times, numbers as numbers.

use std::path::PathBuf;

use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::{
    book::Head,
    domain::{Error, InstanceId, Invalid, Moment, NamePart, Result},
    gateway::{AccessToken, Instance, NewToken, Scopes, Token},
    http::{
        given::Given,
        room::Heard,
        schemas::NameText,
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
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Given<'a>,
    #[serde(borrow, default)]
    #[schema(value_type = Option<NameText>)]
    label: Given<'a>,
}

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
    #[schema(value_type = String)]
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

pub fn listed_instance(instance: &Instance) -> Value {
    json!({"instance_id": instance.id.as_str(), "created_at": rfc3339(instance.created_at)})
}

pub fn created_instance(instance: &Instance, token: &Token, secret: &AccessToken) -> Value {
    json!({
        "instance_id": instance.id.as_str(),
        "access_token": secret.reveal(),
        "token_id": token.id,
        "created_at": rfc3339(instance.created_at),
    })
}

/// A damaged book is a state of the instance, not an error of the question.
pub fn instance(id: &InstanceId, created_at: Moment, head: Result<Head>) -> Result<Value> {
    let (state, head) = match head {
        Ok(head) => ("ready", Some(head)),
        Err(Error::Quarantined) => ("quarantined", None),
        Err(error) => return Err(error),
    };
    Ok(json!({
        "instance_id": id.as_str(),
        "state": state,
        "contacts": head.map(|head| head.contacts),
        "revision": head.map(|head| head.revision.number()),
        "epoch": head.map(|head| head.epoch.to_string()),
        "created_at": rfc3339(created_at),
    }))
}

pub fn token(token: &Token) -> Value {
    let state = match token {
        Token { revoked_at: Some(_), .. } => "revoked",
        Token { expires_at: Some(at), .. } if *at <= now() => "expired",
        _ => "active",
    };
    json!({
        "token_id": token.id,
        "state": state,
        "label": token.label,
        "scopes": token.scopes.words(),
        "created_at": rfc3339(token.created_at),
        "expires_at": token.expires_at.map(rfc3339),
        "revoked_at": token.revoked_at.map(rfc3339),
        "last_used_at": token.last_used_at.map(rfc3339),
    })
}

pub fn created_token(made: &Token, secret: &AccessToken) -> Value {
    let mut shown = token(made);
    shown["instance_id"] = made.instance.as_str().into();
    shown["access_token"] = secret.reveal().into();
    shown
}
