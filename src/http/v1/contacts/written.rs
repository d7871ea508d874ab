//! What of a contact the native API writes, field by field, and what a field means that is not there.

use std::collections::BTreeMap;

use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    domain::{CardPatch, Field, Invalid, Kind, NamePart, Patch, Result, SavedPatch},
    http::{
        email::email,
        fields::{ByName, Fields},
        schemas::{CountryText, FilledText, ShortEmailText},
    },
};

/// What of a contact can be written. The name may also be given whole, as `name`, instead of its parts; equal to the
/// present one it changes nothing.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "describes the body that `patch` reads field by field")]
pub struct WritableContact {
    #[schema(max_length = 255, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*$", example = "Bob")]
    first_name: Option<String>,
    #[schema(max_length = 255, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*$", example = "Smith")]
    last_name: Option<String>,
    #[schema(value_type = Option<ShortEmailText>)]
    email: Option<String>,
    #[schema(max_length = 255, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*$")]
    company: Option<String>,
    #[schema(max_length = 10_000, pattern = "^[^\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f-\\x9f]*$")]
    description: Option<String>,
    #[schema(max_length = 255, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*$")]
    city: Option<String>,
    #[schema(max_length = 255, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*$")]
    state: Option<String>,
    #[schema(max_length = 20, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*$")]
    zip: Option<String>,
    #[schema(max_length = 500, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*$")]
    address: Option<String>,
    #[schema(value_type = Option<CountryText>)]
    country_code: Option<String>,
    country_id: Option<i64>,
    assigned_id: Option<i64>,
    /// `lead`, `customer` or `guest`.
    #[schema(pattern = "^(lead|customer|guest)$")]
    r#type: Option<String>,
    /// Must exist.
    source_id: Option<i64>,
    /// Must exist.
    status_id: Option<i64>,
    /// All must exist.
    groups: Option<Vec<i64>>,
    #[schema(value_type = Option<Vec<FilledText>>, max_items = 100)]
    tags: Option<Vec<String>>,
    #[schema(value_type = Option<Vec<FilledText>>, max_items = 100)]
    labels: Option<Vec<String>>,
    /// At most 100 keys and 64 KiB; the values are any JSON.
    #[schema(value_type = Option<Object>)]
    params: Option<BTreeMap<String, Value>>,
    opted_in: Option<bool>,
    blocked: Option<bool>,
}

/// What it means that a field is not in the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    Keeps,
    Clears,
}

pub fn patch<V: ByName>(fields: &Fields<V>, missing: Missing) -> Result<Patch, Invalid> {
    let text = |name, most| Ok::<_, Invalid>(or(missing, fields.line(name, most)?.map(NamePart::into_text)));
    let email = match fields.text("email")?.try_map(|text| email(text, "email"))? {
        Field::Set(Some(text)) if text.chars().nth(191).is_some() => {
            return Err(Invalid::new("email", "must not be longer than 191 characters"));
        }
        Field::Set(None) => Field::Clear,
        found => found.map(Option::unwrap_or_default),
    };
    let country_code = fields.line("country_code", 2)?.try_map(|code| {
        let is_code = code.as_str().len() == 2 && code.as_str().bytes().all(|byte| byte.is_ascii_alphabetic());
        let refused = || Invalid::new("country_code", "must be two letters (ISO 3166-1 alpha-2)");
        is_code.then(|| code.as_str().to_ascii_uppercase().into_boxed_str()).ok_or_else(refused)
    })?;
    let description = fields.text("description")?.try_map(|text| {
        let is_plain = text.chars().all(|letter| !letter.is_control() || "\n\r\t".contains(letter));
        let is_short = text.chars().nth(10_000).is_none();
        let refused = || Invalid::new("description", "must be at most 10000 characters, no control characters");
        (is_plain && is_short).then(|| text.into()).ok_or_else(refused)
    })?;
    let groups = fields.integers("groups")?.map(|mut groups| {
        groups.sort_unstable();
        groups.dedup();
        groups
    });
    let card = CardPatch {
        email: or(missing, email),
        company: text("company", 255)?,
        description: or(missing, description),
        city: text("city", 255)?,
        state: text("state", 255)?,
        zip: text("zip", 20)?,
        address: text("address", 500)?,
        country_code: or(missing, country_code),
        country_id: or(missing, fields.integer("country_id")?),
        assigned_id: or(missing, fields.integer("assigned_id")?),
        kind: or(missing, fields.text("type")?.try_map(str::parse::<Kind>)?),
        tags: or(missing, words(fields, "tags")?),
        labels: or(missing, words(fields, "labels")?),
        params: or(missing, params(fields)?),
        opted_in: or(missing, fields.flag("opted_in")?),
        source_id: or(missing, fields.integer("source_id")?),
        status_id: or(missing, fields.integer("status_id")?),
        groups: or(missing, none_if_empty(groups)),
    };
    let blocked = match or(missing, fields.flag("blocked")?) {
        Field::Keep => None,
        Field::Clear => Some(false),
        Field::Set(blocked) => Some(blocked),
    };
    Ok(Patch { saved: saved(fields, missing)?, card, blocked, ..Patch::default() })
}

fn saved<V: ByName>(fields: &Fields<V>, missing: Missing) -> Result<SavedPatch, Invalid> {
    let (first, last) = (fields.name("first_name")?, fields.name("last_name")?);
    match fields.name("name")? {
        Field::Keep => Ok(SavedPatch::Parts { first: or(missing, first), last: or(missing, last) }),
        _ if fields.has("first_name") || fields.has("last_name") => {
            Err(Invalid::new("name", "and first_name or last_name exclude each other"))
        }
        Field::Clear => Ok(SavedPatch::Whole(None)),
        Field::Set(name) => Ok(SavedPatch::Whole(Some(name))),
    }
}

fn or<T>(missing: Missing, field: Field<T>) -> Field<T> {
    match field {
        Field::Keep if missing == Missing::Clears => Field::Clear,
        field => field,
    }
}

/// Tags and labels: lines, in the order given, each once.
fn words<V: ByName>(fields: &Fields<V>, name: &'static str) -> Result<Field<Vec<Box<str>>>, Invalid> {
    let words = fields.texts(name)?.try_map(|texts| {
        let mut words: Vec<Box<str>> = Vec::new();
        for text in texts {
            let word = NamePart::parse(text, name)?.ok_or_else(|| Invalid::new(name, "must not hold blank strings"))?;
            if !words.iter().any(|known| **known == *word.as_str()) {
                words.push(word.into_text());
            }
        }
        if words.len() > 100 { Err(Invalid::new(name, "must not be more than 100")) } else { Ok(words) }
    })?;
    Ok(none_if_empty(words))
}

type Params = BTreeMap<Box<str>, Box<str>>;

fn params<V: ByName>(fields: &Fields<V>) -> Result<Field<Params>, Invalid> {
    fields.object("params")?.try_map(|object| {
        let params: Params =
            object.iter().map(|(key, value)| (key.as_str().into(), value.to_string().into())).collect();
        let size: usize = params.iter().map(|(key, value)| key.len() + value.len()).sum();
        if params.len() > 100 || size > 65_536 {
            return Err(Invalid::new("params", "must be at most 100 keys and 65536 bytes"));
        }
        Ok(params)
    })
}

/// An empty list is no list: stored one way only, so that saying it twice changes nothing.
fn none_if_empty<T>(field: Field<Vec<T>>) -> Field<Vec<T>> {
    match field {
        Field::Set(list) if list.is_empty() => Field::Clear,
        field => field,
    }
}
