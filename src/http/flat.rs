//! WAHA's flat JSON shapes, which Wawp has inherited: the contact with its `id` as a string, LID mappings, and the small
//! answers of the checks that only a linked phone could really make. Shapes only; who asks for them is a room's business.

use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::{ChatId, Contact, Mapping, NamePart};

/// A contact in WAHA's flat shape.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FlatContact {
    /// `…@c.us`, or `…@lid` when no phone is known.
    #[schema(example = "15551234567@c.us")]
    id: String,
    /// Digits; empty for a LID whose phone is not known.
    #[schema(example = "15551234567")]
    number: String,
    /// The private name; null when nothing is saved.
    name: Option<String>,
    /// What the contact calls itself.
    pushname: Option<String>,
    short_name: Option<String>,
    is_me: bool,
    is_group: bool,
    #[serde(rename = "isWAContact")]
    is_wa_contact: bool,
    /// A private name is saved.
    is_my_contact: bool,
    is_blocked: bool,
    is_business: bool,
    is_enterprise: bool,
}

impl FlatContact {
    /// WAHA always answers with a contact; of a stranger nothing is known.
    pub fn of(who: ChatId, contact: Option<&Contact>) -> Self {
        contact.map_or_else(|| Self::stranger(who), Self::from)
    }

    fn stranger(who: ChatId) -> Self {
        let number = if who.is_phone() { who.digits().to_string() } else { String::new() };
        Self {
            id: who.to_string(),
            number,
            name: None,
            pushname: None,
            short_name: None,
            is_me: false,
            is_group: false,
            is_wa_contact: false,
            is_my_contact: false,
            is_blocked: false,
            is_business: false,
            is_enterprise: false,
        }
    }
}

impl From<&Contact> for FlatContact {
    fn from(contact: &Contact) -> Self {
        let names = &contact.names;
        let name = names.saved.full();
        Self {
            number: contact.phone.map(|digits| digits.to_string()).unwrap_or_default(),
            is_my_contact: name.is_some(),
            name,
            pushname: names.push.as_ref().map(|seen| seen.name.as_str().to_owned()),
            short_name: names.saved.first.as_ref().map(NamePart::as_str).map(str::to_owned),
            is_wa_contact: true,
            is_blocked: contact.blocked,
            is_business: names.business.is_some(),
            ..Self::stranger(contact.chat_id())
        }
    }
}

/// A LID and its phone.
#[derive(Debug, Serialize, ToSchema)]
pub struct FlatMapping {
    #[schema(example = "999888777@lid")]
    pub lid: Option<String>,
    #[schema(example = "15551234567@c.us")]
    pub pn: Option<String>,
}

impl FlatMapping {
    pub fn new(lid: Option<ChatId>, phone: Option<ChatId>) -> Self {
        Self { lid: lid.map(|lid| lid.to_string()), pn: phone.map(|phone| phone.to_string()) }
    }
}

impl From<&Mapping> for FlatMapping {
    fn from(mapping: &Mapping) -> Self {
        Self::new(Some(ChatId::Lid(mapping.lid)), Some(ChatId::Phone(mapping.phone)))
    }
}

/// Whether a number is known.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NumberCheck {
    number_exists: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    chat_id: Option<String>,
}

impl NumberCheck {
    /// Without a linked phone, what the book knows is all that can honestly be said.
    pub fn new(phone: ChatId, is_known: bool) -> Self {
        Self { number_exists: is_known, chat_id: is_known.then(|| phone.to_string()) }
    }
}

/// Null without a linked phone, never invented.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct About {
    about: Option<String>,
}

/// Null without a linked phone, never invented.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct Picture {
    #[serde(rename = "profilePictureURL")]
    profile_picture_url: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Count {
    pub count: u64,
}
