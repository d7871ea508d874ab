//! What SuperWABA shows of a contact: all of it when asked for one, less in lists, less in the answer to a creation, and
//! in snake_case in the answer to a change. What no field of the vendor's can say is left out, never invented.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::wire::ListWish;
use crate::{
    book::Page,
    domain::{Contact, Digits, NamePart, VendorId},
    http::time::rfc3339,
};

/// The names of the sources, by number.
pub type Sources = BTreeMap<i64, NamePart>;

/// What a contact made through this room has for its source.
pub const OWN_SOURCE: &str = "api";

/// A good answer.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SuperWabaAnswer)]
pub struct Good<T> {
    #[schema(example = true)]
    success: bool,
    data: T,
}

impl<T> Good<T> {
    pub fn new(data: T) -> Self {
        Self { success: true, data }
    }
}

/// What all but the answer to a change have in common.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SuperWabaBasics)]
struct Basics {
    #[schema(example = "contact_f1e2d3c4-5678-90ab-cdef-abcdefabcdef")]
    id: String,
    /// The saved name; null when nothing is saved, whatever the contact calls itself.
    name: Option<String>,
    /// Empty when only a LID is known.
    #[schema(example = "+971501234567")]
    phone: String,
    email: Option<Box<str>>,
    #[schema(example = "AE")]
    country_code: Option<Box<str>>,
    tags: Vec<Box<str>>,
    source: Option<String>,
    opted_in: bool,
    is_blocked: bool,
    #[schema(example = "2026-03-10T08:00:00.000Z")]
    created_at: String,
    updated_at: String,
}

impl Basics {
    fn new(contact: &Contact, source: Option<String>) -> Self {
        let card = &contact.card;
        Self {
            id: id(contact.uuid),
            name: contact.names.saved.full(),
            phone: phone(contact),
            email: card.email.clone(),
            country_code: card.country_code.clone(),
            tags: card.tags.clone().unwrap_or_default(),
            source,
            opted_in: card.opted_in.unwrap_or_default(),
            is_blocked: contact.blocked,
            created_at: rfc3339(contact.created_at),
            updated_at: rfc3339(contact.updated_at),
        }
    }
}

/// A contact in a list.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SuperWabaListedContact)]
pub struct ListedContact {
    #[serde(flatten)]
    basics: Basics,
    labels: Vec<Box<str>>,
    last_message_at: Option<String>,
    conversation_count: u32,
}

impl ListedContact {
    fn new(contact: &Contact, sources: &Sources) -> Self {
        let source = contact.card.source_id.and_then(|id| sources.get(&id)).map(|name| name.as_str().to_owned());
        Self {
            basics: Basics::new(contact, source),
            labels: contact.card.labels.clone().unwrap_or_default(),
            last_message_at: contact.last_message_at.map(rfc3339),
            conversation_count: contact.conversation_count,
        }
    }
}

/// A page of contacts.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SuperWabaContacts)]
pub struct ListedContacts {
    contacts: Vec<ListedContact>,
    /// How many match, on all pages.
    total: u64,
    page: u64,
    limit: u32,
    has_next: bool,
}

impl ListedContacts {
    pub fn new(wish: &ListWish, page: &Page, sources: &Sources) -> Self {
        Self {
            contacts: page.contacts.iter().map(|contact| ListedContact::new(contact, sources)).collect(),
            total: page.total,
            page: wish.page,
            limit: wish.limit,
            has_next: page.next.is_some(),
        }
    }
}

/// One contact, all of it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SuperWabaContact)]
pub struct FullContact {
    #[serde(flatten)]
    listed: ListedContact,
    #[schema(example = "6478a1b2c3d4e5f6a7b8c9d0")]
    vendor_contact_id: String,
    params: BTreeMap<Box<str>, Value>,
}

impl FullContact {
    pub fn new(contact: &Contact, sources: &Sources) -> Self {
        let listed = ListedContact::new(contact, sources);
        Self { listed, vendor_contact_id: vendor_id(contact), params: params(contact) }
    }
}

/// A contact that was just made.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SuperWabaCreatedContact)]
pub struct CreatedContact {
    #[serde(flatten)]
    basics: Basics,
    vendor_contact_id: String,
    params: BTreeMap<Box<str>, Value>,
}

/// The source needs no looking up: the same edit has named it, and what is saved is not called failed because a second
/// question went unanswered.
impl From<&Contact> for CreatedContact {
    fn from(contact: &Contact) -> Self {
        let basics = Basics::new(contact, Some(OWN_SOURCE.to_owned()));
        Self { basics, vendor_contact_id: vendor_id(contact), params: params(contact) }
    }
}

/// A contact that was just changed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SuperWabaPatchedContact)]
pub struct PatchedContact {
    id: String,
    name: Option<String>,
    phone: String,
    email: Option<Box<str>>,
    country_code: Option<Box<str>>,
    tags: Vec<Box<str>>,
    params: BTreeMap<Box<str>, Value>,
    is_blocked: bool,
    opted_in: bool,
    updated_at: String,
}

impl From<&Contact> for PatchedContact {
    fn from(contact: &Contact) -> Self {
        let Basics { id, name, phone, email, country_code, tags, is_blocked, opted_in, updated_at, .. } =
            Basics::new(contact, None);
        let params = params(contact);
        Self { id, name, phone, email, country_code, tags, params, is_blocked, opted_in, updated_at }
    }
}

const ID_BEGINS: &str = "contact_";

pub fn id(uuid: Uuid) -> String {
    format!("{ID_BEGINS}{uuid}")
}

/// An id as `id` makes it, or the UUID alone.
pub fn parse_id(text: &str) -> Option<Uuid> {
    let uuid = text.strip_prefix(ID_BEGINS).unwrap_or(text);
    // Only the spelling with hyphens is this long.
    Uuid::try_parse(uuid).ok().filter(|_| uuid.len() == 36)
}

pub fn phone_of(digits: Digits) -> String {
    format!("+{digits}")
}

fn phone(contact: &Contact) -> String {
    contact.phone.map(phone_of).unwrap_or_default()
}

fn vendor_id(contact: &Contact) -> String {
    VendorId::of(contact.uuid).to_string()
}

fn params(contact: &Contact) -> BTreeMap<Box<str>, Value> {
    let params = contact.card.params.iter().flatten();
    params.map(|(key, json)| (key.clone(), serde_json::from_str(json).unwrap_or_default())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_parses_back_and_only_in_its_spellings() {
        let uuid = Uuid::now_v7();
        assert_eq!(parse_id(&id(uuid)), Some(uuid));
        assert_eq!(parse_id(&uuid.to_string().to_uppercase()), Some(uuid));
        for text in [uuid.simple().to_string(), uuid.braced().to_string(), uuid.urn().to_string(), String::new()] {
            assert_eq!(parse_id(&text), None, "{text}");
        }
    }
}
