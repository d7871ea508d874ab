//! Wawp's spelling: where its parameters stand, which JSON clears a name, what a contact looks like. Its types end at
//! this room's door.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::{
    book::{Direction, Mapping, PageQuery, Sort},
    domain::{Act, ChatId, Contact, Edit, Field, Invalid, NamePart, Patch, SavedPatch, Source},
    gateway::Credentials,
    http::{
        given::Given,
        room::{Fault, Heard},
        time::now,
    },
};

const SOURCE: Source = Source::known("wawp");
const LIMIT: u32 = 100;
const MOST: u32 = 1000;

/// A call: every parameter is looked for in the query first, then in the JSON body; credentials then in headers.
pub struct Call<'h> {
    heard: &'h Heard,
    query: Vec<(Cow<'h, str>, Cow<'h, str>)>,
    body: Body<'h>,
}

/// All that any route takes; what else a body holds is ignored.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Body<'a> {
    #[serde(borrow, rename = "instance_id")]
    instance_id: Given<'a>,
    #[serde(borrow, rename = "access_token")]
    access_token: Given<'a>,
    #[serde(borrow)]
    chat_id: Given<'a>,
    #[serde(borrow)]
    contact_id: Given<'a>,
    #[serde(borrow)]
    first_name: Given<'a>,
    #[serde(borrow)]
    last_name: Given<'a>,
}

impl<'h> Call<'h> {
    pub fn hear(heard: &'h Heard) -> Result<Self, Fault> {
        Ok(Self { heard, query: heard.query(), body: heard.json()? })
    }

    pub fn credentials(&self) -> Result<Credentials<'_>, Invalid> {
        let instance = self.text("instance_id", &self.body.instance_id)?.flatten();
        let token = self.text("access_token", &self.body.access_token)?.flatten();
        Ok(Credentials {
            instance: instance.or_else(|| self.heard.header("x-instance-id")),
            token: token.or_else(|| self.heard.header("access-token")).or_else(|| self.heard.bearer()),
        })
    }

    pub fn chat_id(&self) -> Result<ChatId, Invalid> {
        self.id("chatId", &self.body.chat_id)?.ok_or_else(|| Invalid::new("chatId", "is required"))
    }

    pub fn contact_id(&self) -> Result<ChatId, Invalid> {
        self.id("contactId", &self.body.contact_id)?.ok_or_else(|| Invalid::new("contactId", "is required"))
    }

    /// Clients in the wild block by either name.
    pub fn either_id(&self) -> Result<ChatId, Invalid> {
        match self.id("contactId", &self.body.contact_id)? {
            Some(id) => Ok(id),
            None => self.id("chatId", &self.body.chat_id)?.ok_or_else(|| Invalid::new("contactId", "is required")),
        }
    }

    /// The page header of the vendor's documentation leaves `{chatId}` in the path as it is and puts the id in the query.
    pub fn chat_id_in_path(&self) -> Result<ChatId, Invalid> {
        match &*self.heard.segment("chatId") {
            "{chatId}" => self.chat_id(),
            segment => parse_id(segment, "chatId"),
        }
    }

    /// Likewise `{number}`.
    pub fn number_in_path(&self) -> Result<ChatId, Invalid> {
        let segment = self.heard.segment("number");
        let number = match &*segment {
            "{number}" => self.in_query("number").ok_or_else(|| Invalid::new("number", "is required"))?,
            number => number,
        };
        match parse_id(number, "number")? {
            phone @ ChatId::Phone(_) => Ok(phone),
            ChatId::Lid(_) => Err(Invalid::new("number", "must be a phone number, not a LID")),
        }
    }

    /// With or without its `@lid`.
    pub fn lid_in_path(&self) -> Result<ChatId, Invalid> {
        let segment = self.heard.segment("lid");
        if !segment.contains('@') {
            return ChatId::lid(&segment).map_err(|invalid| invalid.in_field("lid"));
        }
        match parse_id(&segment, "lid")? {
            lid @ ChatId::Lid(_) => Ok(lid),
            ChatId::Phone(_) => Err(Invalid::new("lid", "must end with @lid")),
        }
    }

    /// Digits, a leading plus allowed; no punctuation, as documented. A plus that was not encoded arrives as a space.
    pub fn plain_phone(&self, field: &'static str) -> Result<ChatId, Invalid> {
        let text = self.in_query(field).ok_or_else(|| Invalid::new(field, "is required"))?;
        let digits = text.strip_prefix(['+', ' ']).unwrap_or(text);
        ChatId::phone(digits).map_err(|invalid| invalid.in_field(field))
    }

    /// `firstName` given: the name becomes first + last, no last name given means none. Only `lastName` given: the
    /// first name stays. Neither: the contact is made sure of, its name left alone. `""` and null clear that part.
    pub fn saved_names(&self, who: ChatId) -> Result<Edit, Invalid> {
        let first = self.name("firstName", &self.body.first_name)?;
        let last = match self.name("lastName", &self.body.last_name)? {
            Field::Keep if first != Field::Keep => Field::Clear,
            last => last,
        };
        Ok(edit(who, Patch { saved: SavedPatch::Parts { first, last }, ..Patch::default() }))
    }

    pub fn page(&self) -> Result<PageQuery, Invalid> {
        let (limit, offset) = self.window()?;
        let sort = match self.in_query("sortBy").map(str::to_ascii_lowercase).as_deref() {
            None | Some("" | "name") => Sort::Name,
            Some("id") => Sort::ChatId,
            Some(_) => return Err(Invalid::new("sortBy", "must be name or id")),
        };
        let direction = match self.in_query("sortOrder").map(str::to_ascii_lowercase).as_deref() {
            None | Some("" | "asc") => Direction::Ascending,
            Some("desc") => Direction::Descending,
            Some(_) => return Err(Invalid::new("sortOrder", "must be ASC or DESC")),
        };
        Ok(PageQuery { sort: Some(sort), direction, limit, offset, ..PageQuery::default() })
    }

    pub fn window(&self) -> Result<(u32, u64), Invalid> {
        let limit = match self.in_query("limit") {
            None | Some("") => LIMIT,
            Some(text) => text
                .parse()
                .ok()
                .filter(|limit| (1..=MOST).contains(limit))
                .ok_or_else(|| Invalid::new("limit", "must be a number from 1 to 1000"))?,
        };
        let offset = match self.in_query("offset") {
            None | Some("") => 0,
            Some(text) => {
                text.parse::<u32>().map_err(|_| Invalid::new("offset", "must be a number, 0 or more"))?.into()
            }
        };
        Ok((limit, offset))
    }

    /// Any case, as clients send `True`; `1` and `0` too.
    pub fn flag(&self, field: &'static str) -> Result<bool, Invalid> {
        match self.in_query(field).map(str::to_ascii_lowercase).as_deref() {
            None | Some("" | "false" | "0") => Ok(false),
            Some("true" | "1") => Ok(true),
            Some(_) => Err(Invalid::new(field, "must be true or false")),
        }
    }

    fn name(&self, field: &'static str, body: &Given<'_>) -> Result<Field<NamePart>, Invalid> {
        Ok(match self.text(field, body)? {
            None => Field::Keep,
            Some(text) => Field::from(text.map(|text| NamePart::parse(text, field)).transpose()?.flatten()),
        })
    }

    fn id(&self, field: &'static str, body: &Given<'_>) -> Result<Option<ChatId>, Invalid> {
        self.text(field, body)?.flatten().map(|text| parse_id(text, field)).transpose()
    }

    /// Not given; given as null; given.
    fn text<'s>(&'s self, field: &'static str, body: &'s Given<'_>) -> Result<Option<Option<&'s str>>, Invalid> {
        match self.in_query(field) {
            Some(text) => Ok(Some(Some(text))),
            None => body.text(field),
        }
    }

    /// Said twice, the last one counts, as in a JSON object read by most.
    fn in_query(&self, field: &str) -> Option<&str> {
        self.query.iter().rfind(|(name, _)| name == field).map(|(_, value)| &**value)
    }
}

pub fn blocked(who: ChatId, blocked: bool) -> Edit {
    edit(who, Patch { blocked: Some(blocked), ..Patch::default() })
}

fn edit(who: ChatId, patch: Patch) -> Edit {
    Edit { who, act: Act::Save(Box::new(patch)), require: None, at: now(), source: SOURCE }
}

fn parse_id(text: &str, field: &'static str) -> Result<ChatId, Invalid> {
    text.parse::<ChatId>().map_err(|invalid| invalid.in_field(field))
}

/// A contact in WAHA's flat shape, with `id` a string; the documentation names the fields but shows no object.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JsonContact<'c> {
    id: String,
    /// Empty for a LID whose phone is not known.
    number: String,
    name: Option<String>,
    pushname: Option<&'c str>,
    short_name: Option<&'c str>,
    is_me: bool,
    is_group: bool,
    #[serde(rename = "isWAContact")]
    is_wa_contact: bool,
    is_my_contact: bool,
    is_blocked: bool,
    is_business: bool,
    is_enterprise: bool,
}

impl<'c> JsonContact<'c> {
    pub fn known(contact: &'c Contact) -> Self {
        let names = &contact.names;
        let name = names.saved.full();
        Self {
            id: contact.chat_id().to_string(),
            number: contact.phone.map(|digits| digits.to_string()).unwrap_or_default(),
            is_my_contact: name.is_some(),
            name,
            pushname: names.push.as_ref().map(|seen| seen.name.as_str()),
            short_name: names.saved.first.as_ref().map(NamePart::as_str),
            is_me: false,
            is_group: false,
            is_wa_contact: true,
            is_blocked: contact.blocked,
            is_business: names.business.is_some(),
            is_enterprise: false,
        }
    }
}

impl JsonContact<'static> {
    /// WAHA always answers with a contact; of this one nothing is known.
    pub fn unknown(who: ChatId) -> Self {
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

#[derive(Debug, Serialize)]
pub struct JsonMapping {
    lid: String,
    pn: String,
}

impl From<&Mapping> for JsonMapping {
    fn from(mapping: &Mapping) -> Self {
        Self { lid: mapping.lid.to_string(), pn: mapping.phone.to_string() }
    }
}

#[derive(Debug, Serialize)]
pub struct LidOfPhone {
    lid: Option<String>,
    /// Digits, as documented.
    number: Option<String>,
}

impl LidOfPhone {
    pub fn new(lid: Option<ChatId>, phone: Option<ChatId>) -> Self {
        Self { lid: lid.map(|lid| lid.to_string()), number: phone.map(|phone| phone.digits().to_string()) }
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NumberCheck {
    number_exists: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    chat_id: Option<String>,
}

impl NumberCheck {
    pub fn new(exists: bool, phone: ChatId) -> Self {
        Self { number_exists: exists, chat_id: exists.then(|| phone.to_string()) }
    }
}

#[derive(Debug, Serialize)]
pub struct About {
    pub about: Option<String>,
}

#[derive(Debug, Serialize)]
pub struct Picture {
    #[serde(rename = "profilePictureURL")]
    pub profile_picture_url: Option<String>,
}

#[derive(Debug, Serialize)]
pub struct Count {
    pub count: u64,
}
