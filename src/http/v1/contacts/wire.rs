//! A contact as the native API spells it, and the conditions in a request's head.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use utoipa::{IntoParams, ToSchema};

use super::list;
use crate::{
    book::Page,
    domain::{
        Act, CardPatch, Change, Contact, Edit, Error, Field, IdempotencyKey, Invalid, Kind, NamePart, Outcome, Patch,
        Precondition, Require, Result, Revision, SavedPatch, Seen, Source, Stamp,
    },
    http::{
        email::email,
        fields::Fields,
        params::chat_id,
        room::{Fault, Heard},
        schemas::{ChatIdText, CountryText, FilledText, ShortEmailText, described, or_any_object},
        time::{now, rfc3339},
    },
    session::Session,
};

/// Edits in one batch.
const BATCH_MOST: usize = 1000;

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Contact)]
pub struct JsonContact {
    /// For life, within its book.
    id: i64,
    uuid: String,
    /// By which it is shown: its phone, else its LID.
    #[schema(example = "15551234567@c.us")]
    chat_id: String,
    phone: Option<String>,
    lid: Option<String>,
    /// What a chat list shows: the saved name, else the business name, else the pushname, else the number.
    display: String,
    names: JsonNames,
    email: Option<String>,
    company: Option<String>,
    description: Option<String>,
    city: Option<String>,
    state: Option<String>,
    zip: Option<String>,
    address: Option<String>,
    country_code: Option<String>,
    country_id: Option<i64>,
    assigned_id: Option<i64>,
    r#type: Option<&'static str>,
    source_id: Option<i64>,
    status_id: Option<i64>,
    groups: Vec<i64>,
    tags: Vec<String>,
    labels: Vec<String>,
    #[schema(value_type = Object)]
    params: BTreeMap<String, Value>,
    opted_in: Option<bool>,
    blocked: bool,
    last_message_at: Option<String>,
    conversation_count: u32,
    created_at: String,
    updated_at: String,
    revision: u64,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Names)]
pub struct JsonNames {
    saved: Option<JsonSaved>,
    push: Option<JsonSeen>,
    business: Option<JsonSeen>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SavedName)]
pub struct JsonSaved {
    first: Option<String>,
    last: Option<String>,
    full: Option<String>,
    at: String,
    source: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SeenName)]
pub struct JsonSeen {
    name: String,
    at: String,
    source: String,
}

impl From<&Contact> for JsonContact {
    fn from(contact: &Contact) -> Self {
        let Contact { card, names, .. } = contact;
        let text = |text: &Option<Box<str>>| text.as_deref().map(str::to_owned);
        let texts = |texts: &Option<Vec<Box<str>>>| texts.iter().flatten().map(ToString::to_string).collect();
        let params = card.params.iter().flatten();
        Self {
            id: contact.id.0,
            uuid: contact.uuid.to_string(),
            chat_id: contact.chat_id().to_string(),
            phone: contact.phone.map(|digits| digits.to_string()),
            lid: contact.lid.map(|digits| format!("{digits}@lid")),
            display: contact.display(),
            names: JsonNames {
                saved: names.saved.by.as_ref().map(|by| JsonSaved {
                    first: names.saved.first.as_ref().map(|name| name.as_str().to_owned()),
                    last: names.saved.last.as_ref().map(|name| name.as_str().to_owned()),
                    full: names.saved.full(),
                    at: rfc3339(by.at),
                    source: by.source.as_str().to_owned(),
                }),
                push: names.push.as_ref().map(JsonSeen::from),
                business: names.business.as_ref().map(JsonSeen::from),
            },
            email: text(&card.email),
            company: text(&card.company),
            description: text(&card.description),
            city: text(&card.city),
            state: text(&card.state),
            zip: text(&card.zip),
            address: text(&card.address),
            country_code: text(&card.country_code),
            country_id: card.country_id,
            assigned_id: card.assigned_id,
            r#type: card.kind.map(Kind::word),
            source_id: card.source_id,
            status_id: card.status_id,
            groups: card.groups.clone().unwrap_or_default(),
            tags: texts(&card.tags),
            labels: texts(&card.labels),
            params: params
                .map(|(key, value)| (key.to_string(), serde_json::from_str(value).unwrap_or_default()))
                .collect(),
            opted_in: card.opted_in,
            blocked: contact.blocked,
            last_message_at: contact.last_message_at.map(rfc3339),
            conversation_count: contact.conversation_count,
            created_at: rfc3339(contact.created_at),
            updated_at: rfc3339(contact.updated_at),
            revision: contact.revision.number(),
        }
    }
}

impl From<&Seen> for JsonSeen {
    fn from(seen: &Seen) -> Self {
        let Stamp { at, source } = &seen.by;
        Self { name: seen.name.as_str().to_owned(), at: rfc3339(*at), source: source.as_str().to_owned() }
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ContactPage)]
pub struct JsonPage {
    contacts: Vec<JsonContact>,
    /// The `cursor` of the next page; null at the end.
    next: Option<String>,
    /// How many match, on all pages.
    total: u64,
}

impl JsonPage {
    pub fn new(page: &Page, sort: &str) -> Self {
        Self {
            contacts: page.contacts.iter().map(JsonContact::from).collect(),
            next: page.next.as_ref().map(|cursor| list::cursor_text(cursor, sort)),
            total: page.total,
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Outcome)]
pub struct JsonOutcome {
    /// `created`, `updated`, `unchanged` or `deleted`.
    pub change: &'static str,
    /// The contact's revision after this.
    pub revision: u64,
    pub contact: JsonContact,
}

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

pub fn patch(fields: &Fields, missing: Missing) -> Result<Patch, Invalid> {
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

fn saved(fields: &Fields, missing: Missing) -> Result<SavedPatch, Invalid> {
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
fn words(fields: &Fields, name: &'static str) -> Result<Field<Vec<Box<str>>>, Invalid> {
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

fn params(fields: &Fields) -> Result<Field<Params>, Invalid> {
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
    #[param(rename = "Idempotency-Key", min_length = 1, max_length = 255, pattern = "^[!-~]+$")]
    idempotency_key: Option<String>,
}

/// A strong ETag: the revision.
pub fn etag(revision: Revision) -> String {
    format!("\"r{revision}\"")
}

/// At which no contact ever is.
const NEVER: Revision = Revision::new(0);

/// As RFC 9110 has it. A tag that is none of ours names nothing that there is: such an If-Match never holds, such an
/// If-None-Match always.
pub fn precondition(if_match: Option<&str>, if_none_match: Option<&str>) -> Result<Option<Precondition>, Invalid> {
    let if_match = if_match.map(if_match_condition).transpose()?;
    let if_none_match = if_none_match.map(if_none_match_condition).transpose()?.flatten();
    // Together, whatever the contact is, one of the two does not hold.
    Ok(if if_match.is_some() && if_none_match.is_some() {
        Some(Precondition::At(NEVER))
    } else {
        if_match.or(if_none_match)
    })
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
        [] => Ok(Precondition::At(NEVER)),
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

/// Many edits.
#[derive(Debug, Default, serde::Deserialize, ToSchema)]
pub struct BatchWish {
    /// At most 1000. Each has a `chat_id`, the fields to write, and `op`: `upsert` (default) or `delete`.
    #[serde(default)]
    #[schema(value_type = Vec<BatchEntry>, min_items = 1, max_items = 1000, required)]
    edits: Vec<Fields>,
    /// All or none.
    #[serde(default)]
    atomic: bool,
}

/// One edit of a batch.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "describes an entry of `edits`")]
pub struct BatchEdit {
    #[schema(value_type = ChatIdText)]
    chat_id: String,
    /// `upsert` or `delete`.
    #[schema(pattern = "^(upsert|delete)$")]
    op: Option<String>,
    #[serde(flatten)]
    fields: WritableContact,
}

described!(BatchEntry = "BatchEntry", BatchEdit, or_any_object);

/// A batch as it was understood: edits that make sense, and for each row either its edit or what is wrong with it.
pub struct Batch {
    rows: Vec<Result<Edit, Invalid>>,
    atomic: bool,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct BatchAnswer {
    /// False when an atomic batch was not carried out.
    stored: bool,
    results: Vec<BatchRow>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct BatchRow {
    index: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    change: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    chat_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<BatchError>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct BatchError {
    code: &'static str,
    detail: String,
}

pub fn batch(wish: &BatchWish, source: &Source) -> Result<Batch, Invalid> {
    if wish.edits.is_empty() || wish.edits.len() > BATCH_MOST {
        return Err(Invalid::new("edits", "must be an array of 1 to 1000 objects"));
    }
    let rows = wish.edits.iter().map(|fields| row(fields, source)).collect();
    Ok(Batch { rows, atomic: wish.atomic })
}

fn row(fields: &Fields, source: &Source) -> Result<Edit, Invalid> {
    let Field::Set(text) = fields.text("chat_id")? else { return Err(Invalid::new("chat_id", "is required")) };
    let who = chat_id(text, "chat_id")?;
    let act = match fields.text("op")? {
        Field::Keep | Field::Set("upsert") => Act::Save(Box::new(patch(fields, Missing::Keeps)?)),
        Field::Set("delete") => Act::Delete,
        _ => return Err(Invalid::new("op", "must be upsert or delete")),
    };
    Ok(Edit::new(who, act, now(), source.clone()).requiring(Require { references: true, ..Require::default() }))
}

impl Batch {
    pub fn deletes(&self) -> bool {
        self.rows.iter().flatten().any(|edit| edit.act == Act::Delete)
    }

    /// Carries the good rows out in one commit. In an atomic batch a bad row is enough to leave all undone.
    pub async fn settle(self, session: &Session) -> Result<BatchAnswer> {
        let is_hopeless = self.atomic && self.rows.iter().any(Result::is_err);
        let edits: Vec<_> = self.rows.iter().flatten().filter(|_| !is_hopeless).cloned().collect();
        let (mut outcomes, stored) = if edits.is_empty() {
            (Vec::new().into_iter(), false)
        } else {
            let settled = session.edit_many(edits, self.atomic).await?;
            (settled.outcomes.into_iter(), settled.stored)
        };
        let results = self.rows.into_iter().enumerate().map(|(index, row)| match row {
            Err(invalid) => BatchRow::failed(index, Error::Invalid(invalid)),
            Ok(_) => match outcomes.next() {
                Some(Ok(outcome)) if stored => BatchRow::done(index, &outcome),
                Some(Err(error)) => BatchRow::failed(index, error),
                _ => BatchRow::undone(index),
            },
        });
        Ok(BatchAnswer { stored, results: results.collect() })
    }
}

impl BatchRow {
    fn done(index: usize, outcome: &Outcome) -> Self {
        let Outcome { change, contact, revision, .. } = outcome;
        let chat_id = (*change != Change::Deleted).then(|| contact.chat_id().to_string());
        Self { index, change: Some(change.word()), revision: Some(revision.number()), chat_id, error: None }
    }

    fn failed(index: usize, error: Error) -> Self {
        let error = BatchError { code: error.word(), detail: Fault::from(error).sentence() };
        Self { index, change: None, revision: None, chat_id: None, error: Some(error) }
    }

    /// Nothing was wrong with it, but with another of an atomic batch.
    fn undone(index: usize) -> Self {
        let error = BatchError { code: "not_stored", detail: "Another edit of this atomic batch failed.".to_owned() };
        Self { index, change: None, revision: None, chat_id: None, error: Some(error) }
    }
}
