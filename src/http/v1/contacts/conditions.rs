//! The conditions in a request's head: If-Match and If-None-Match as RFC 9110 reads them, with the revision as a strong
//! ETag, and the idempotency key with a fingerprint of the request.

use sha2::{Digest as _, Sha256};
use utoipa::IntoParams;

use crate::{
    domain::{IdempotencyKey, Invalid, Precondition, Result, Revision},
    http::room::{Fault, Heard},
};

/// The conditions that a write may carry. Two at once never hold.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Header, rename_all = "kebab-case")]
#[expect(dead_code, reason = "describes the headers that `precondition` and `idempotency_key` read")]
pub struct Conditions {
    /// Only if the contact is at this ETag; `*`: only if there is one.
    #[param(rename = "If-Match", example = "\"r7\"")]
    if_match: Option<String>,
    /// `*`: only if there is no such contact yet.
    #[param(rename = "If-None-Match", example = "*")]
    if_none_match: Option<String>,
    /// A repeated request under the same key is answered as the first one was, for a day.
    #[param(rename = "Idempotency-Key", min_length = 1, max_length = 255, pattern = "^[!-~]([ -~]*[!-~])?$")]
    idempotency_key: Option<String>,
}

/// A strong ETag: the revision.
pub fn etag(revision: Revision) -> String {
    format!("\"r{revision}\"")
}

/// At which no contact ever is.
pub const NEVER: Precondition = Precondition::At(Revision::new(0));

/// As RFC 9110 has it. A tag that is none of ours names nothing that there is: such an If-Match never holds, such an
/// If-None-Match always.
pub fn precondition(if_match: Option<&str>, if_none_match: Option<&str>) -> Result<Option<Precondition>, Invalid> {
    let if_match = if_match.map(if_match_condition).transpose()?;
    let if_none_match = if_none_match.map(if_none_match_condition).transpose()?.flatten();
    // Together, whatever the contact is, one of the two does not hold.
    Ok(if if_match.is_some() && if_none_match.is_some() { Some(NEVER) } else { if_match.or(if_none_match) })
}

fn if_match_condition(text: &str) -> Result<Precondition, Invalid> {
    if text.trim() == "*" {
        return Ok(Precondition::Present);
    }
    let refused = || Invalid::new("If-Match", "must be one ETag as this API gave it, such as \"r7\", or *");
    // Weak tags are never the same here.
    let ours: Vec<_> =
        entity_tags(text).ok_or_else(refused)?.filter(|tag| !tag.is_weak).filter_map(Tag::revision).collect();
    match ours.as_slice() {
        [] => Ok(NEVER),
        [revision] => Ok(Precondition::At(*revision)),
        _ => Err(refused()),
    }
}

fn if_none_match_condition(text: &str) -> Result<Option<Precondition>, Invalid> {
    if text.trim() == "*" {
        return Ok(Some(Precondition::Absent));
    }
    let refused = || Invalid::new("If-None-Match", "must be * for a write");
    let mut ours = entity_tags(text).ok_or_else(refused)?.filter_map(Tag::revision);
    ours.next().map_or(Ok(None), |_| Err(refused()))
}

struct Tag<'t> {
    is_weak: bool,
    opaque: &'t str,
}

impl Tag<'_> {
    /// If it is a tag that `etag` makes.
    fn revision(self) -> Option<Revision> {
        self.opaque.strip_prefix('r')?.parse().ok().map(Revision::new)
    }
}

/// A list of entity tags; `None` if it is not one.
fn entity_tags(list: &str) -> Option<impl Iterator<Item = Tag<'_>>> {
    let (mut tags, mut rest) = (Vec::new(), list.trim());
    loop {
        let strong = rest.strip_prefix("W/");
        let (opaque, after) = strong.unwrap_or(rest).strip_prefix('"')?.split_once('"')?;
        tags.push(Tag { is_weak: strong.is_some(), opaque });
        match after.trim_start().strip_prefix(',') {
            Some(more) => rest = more.trim_start(),
            None if after.trim().is_empty() => return Some(tags.into_iter()),
            None => return None,
        }
    }
}

/// The key, and a fingerprint of what it stands for: the verb, the contact and the body.
pub fn idempotency_key(heard: &Heard) -> Result<Option<IdempotencyKey>, Fault> {
    let Some(key) = heard.plain_header("Idempotency-Key")? else { return Ok(None) };
    let is_plain =
        !key.is_empty() && key.len() <= 255 && key.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
    if !is_plain {
        return Err(Invalid::new("Idempotency-Key", "must be 1 to 255 printable ASCII characters").into());
    }
    let mut fingerprint = Sha256::new();
    for part in [heard.method().as_bytes(), heard.segment("chat_id").as_bytes(), &heard.body()?] {
        fingerprint.update((part.len() as u64).to_be_bytes());
        fingerprint.update(part);
    }
    Ok(Some(IdempotencyKey { key: key.into(), fingerprint: fingerprint.finalize().into() }))
}
