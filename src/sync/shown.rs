//! A contact as the native API shows it and webhooks carry it: all that the book knows, names with who wrote them and when.
//! Leaves out who may see it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::domain::{Contact, Kind, Moment, NamePart, Names, Seen};

/// Times as all of ours are written: RFC 3339 in UTC with milliseconds.
pub fn rfc3339(at: Moment) -> String {
    let at = Timestamp::from_millisecond(at.millis()).unwrap_or(Timestamp::MAX);
    format!("{at:.3}")
}

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
        // Of most contacts all times are one; to write a time is dear.
        let created_at = rfc3339(contact.created_at);
        let time = |at: Moment| if at == contact.created_at { created_at.clone() } else { rfc3339(at) };
        Self {
            id: contact.id.0,
            uuid: contact.uuid.to_string(),
            chat_id: contact.chat_id().to_string(),
            phone: contact.phone.map(|digits| digits.to_string()),
            lid: contact.lid.map(|digits| format!("{digits}@lid")),
            display: contact.display(),
            names: JsonNames::with(names, &time),
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
            last_message_at: contact.last_message_at.map(&time),
            conversation_count: contact.conversation_count,
            updated_at: time(contact.updated_at),
            created_at,
            revision: contact.revision.number(),
        }
    }
}

impl From<&Names> for JsonNames {
    fn from(names: &Names) -> Self {
        Self::with(names, &rfc3339)
    }
}

impl JsonNames {
    fn with(names: &Names, time: &impl Fn(Moment) -> String) -> Self {
        let saved = &names.saved;
        let part = |part: &Option<NamePart>| part.as_ref().map(|name| name.as_str().to_owned());
        let seen = |seen: &Seen| JsonSeen {
            name: seen.text().to_owned(),
            at: time(seen.by.at),
            source: seen.by.word().to_owned(),
        };
        Self {
            saved: saved.by.as_ref().map(|by| JsonSaved {
                first: part(&saved.first),
                last: part(&saved.last),
                full: saved.full(),
                at: time(by.at),
                source: by.word().to_owned(),
            }),
            push: names.push.as_ref().map(seen),
            business: names.business.as_ref().map(seen),
        }
    }
}
