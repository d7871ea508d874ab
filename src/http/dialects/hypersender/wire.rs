//! Hypersender's spelling: snake_case, and every answer is a sentence with its data. Its types end at this room's door.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    book::{Page, PageQuery},
    domain::{ChatId, Contact, Edit, Field, Invalid, Patch, SavedPatch, Source},
    gateway::{Credentials, Scope},
    http::{
        Door,
        given::Given,
        naming,
        params::{self, Params},
        room::{Fault, Heard},
        schemas::{ChatIdText, FilledText, NameText},
        time::now,
    },
    session::Session,
};

const SOURCE: Source = Source::known("hypersender");
const LIMIT: u64 = 100;
const MOST: u64 = 1000;

pub struct Call<'h> {
    heard: &'h Heard,
    params: Params<'h>,
}

/// The body of an upsert; what else it holds is ignored.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = HypersenderUpsert)]
pub struct Upsert<'a> {
    /// `12132132130`, `12132132130@c.us` or `1234567890@lid`.
    #[serde(borrow, default)]
    #[schema(value_type = ChatIdText, required, example = "12132132130@c.us")]
    chat_id: Given<'a>,
    #[serde(borrow, default)]
    #[schema(value_type = FilledText, required, example = "John")]
    first_name: Given<'a>,
    #[serde(borrow, default)]
    #[schema(value_type = Option<NameText>, example = "Doe")]
    last_name: Given<'a>,
}

impl<'h> Call<'h> {
    pub fn hear(heard: &'h Heard) -> Self {
        Self { heard, params: heard.params() }
    }

    /// Who asks is looked at before what is asked: a stranger learns nothing of what would have been wrong with it.
    pub fn enter(&self, door: &Door, scope: Scope) -> Result<Session, Fault> {
        let instance = self.heard.segment("instance");
        door.enter(self.heard, Credentials { instance: Some(&instance), token: self.heard.bearer() }, scope)
    }

    /// The saved name becomes first + last; no last name given means none.
    pub fn upsert(&self) -> Result<Edit, Fault> {
        let body: Upsert<'_> = self.heard.json()?;
        let who = read_id(body.chat_id.text("chat_id")?.flatten())?;
        let first = match naming::part(body.first_name.text("first_name")?, "first_name")? {
            first @ Field::Set(_) => first,
            Field::Keep | Field::Clear => return Err(required("first_name").into()),
        };
        let last = match naming::part(body.last_name.text("last_name")?, "last_name")? {
            Field::Keep => Field::Clear,
            last => last,
        };
        let patch = Patch { saved: SavedPatch::Parts { first, last }, ..Patch::default() };
        Ok(Edit::save(who, patch, now(), SOURCE))
    }

    pub fn chat_id(&self) -> Result<ChatId, Invalid> {
        read_id(self.params.text("chat_id"))
    }

    pub fn page(&self) -> Result<PageQuery, Invalid> {
        let (limit, offset) = self.params.window(LIMIT, MOST)?;
        let order = self.params.order("sort_by", "sort_order")?;
        Ok(PageQuery { sort: vec![order], limit, offset, ..PageQuery::default() })
    }
}

/// Blank is missing, as the vendor's framework has it.
fn read_id(text: Option<&str>) -> Result<ChatId, Invalid> {
    let text = text.filter(|text| !text.trim().is_empty()).ok_or_else(|| required("chat_id"))?;
    params::chat_id(text, "chat_id")
}

fn required(field: &'static str) -> Invalid {
    Invalid::new(field, "is required")
}

/// The answer to every upsert that was carried out.
pub const UPSERTED: &str = r#"{"message":"Contact upserted successfully.","data":{"success":true}}"#;

/// `UPSERTED`
#[derive(Debug, ToSchema)]
#[schema(as = HypersenderUpserted)]
#[expect(dead_code, reason = "describes the constant answer")]
pub struct Upserted {
    #[schema(example = "Contact upserted successfully.")]
    message: String,
    data: Success,
}

#[derive(Debug, ToSchema)]
#[schema(as = HypersenderSuccess)]
#[expect(dead_code, reason = "describes the constant answer")]
struct Success {
    #[schema(example = true)]
    success: bool,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = HypersenderContact)]
struct ShortContact {
    #[schema(example = "100875997589545@lid")]
    id: String,
    /// The private name; null when nothing is saved.
    name: Option<String>,
    /// What the contact calls itself.
    pushname: Option<String>,
}

impl From<&Contact> for ShortContact {
    fn from(contact: &Contact) -> Self {
        let pushname = contact.names.push.as_ref().map(|seen| seen.name.as_str().to_owned());
        Self { id: contact.chat_id().to_string(), name: contact.names.saved.full(), pushname }
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = HypersenderFoundContact)]
pub struct FoundContact {
    #[schema(example = "Contact retrieved successfully.")]
    message: &'static str,
    data: ShortContact,
}

impl From<&Contact> for FoundContact {
    fn from(contact: &Contact) -> Self {
        Self { message: "Contact retrieved successfully.", data: contact.into() }
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = HypersenderFoundContacts)]
pub struct FoundContacts {
    #[schema(example = "Contacts retrieved successfully.")]
    message: &'static str,
    data: Vec<ShortContact>,
}

impl From<&Page> for FoundContacts {
    fn from(page: &Page) -> Self {
        let data = page.contacts.iter().map(ShortContact::from).collect();
        Self { message: "Contacts retrieved successfully.", data }
    }
}
