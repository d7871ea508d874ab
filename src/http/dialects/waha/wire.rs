//! WAHA's spelling: where its parameters stand, which session is meant, what a session looks like. Its types end at this
//! room's door.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    book::{Head, PageQuery},
    domain::{ChatId, Edit, Error, InstanceId, Invalid, Patch, Result as Meant, Source},
    gateway::{Credentials, Scope},
    http::{
        Door,
        given::Given,
        naming,
        params::{self, Params},
        room::{Fault, Heard},
        schemas::{ChatIdText, NameText},
        time::now,
    },
    session::Session,
};

const SOURCE: Source = Source::known("waha");
/// The session that is meant when none is named.
const DEFAULT: &str = "default";
/// The name of the parameter that must be a LID.
pub const LID: &str = "lid";
/// How many LIDs are listed when nobody says. WAHA sets no upper bound, and lists all contacts when nobody says.
const LIDS: u64 = 100;
const NO_BOUND: u64 = u32::MAX as u64;

/// A call: parameters are looked for in the query first, then in the JSON body.
pub struct Call<'h> {
    heard: &'h Heard,
    params: Params<'h>,
    /// Told only to those who may enter.
    body: Result<Body<'h>, Fault>,
}

/// All that any route takes; what else a body holds is ignored.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    #[serde(borrow, default)]
    session: Given<'a>,
    #[serde(borrow, default)]
    contact_id: Given<'a>,
    #[serde(borrow, default)]
    chat_id: Given<'a>,
    #[serde(borrow, default)]
    first_name: Given<'a>,
    #[serde(borrow, default)]
    last_name: Given<'a>,
}

impl<'h> Call<'h> {
    pub fn hear(heard: &'h Heard) -> Self {
        Self { heard, params: heard.params(), body: heard.json() }
    }

    pub fn enter(&self, door: &Door, scope: Scope) -> Result<Session, Fault> {
        self.enter_with_either(door, [scope, scope])
    }

    /// Who asks is looked at before what is asked: a stranger learns nothing of what would have been wrong with it.
    pub fn enter_with_either(&self, door: &Door, scopes: [Scope; 2]) -> Result<Session, Fault> {
        let in_path = self.heard.segment("session");
        let named = if in_path.is_empty() { self.session()? } else { Some(&*in_path) };
        let instance = named.filter(|session| *session != DEFAULT);
        let credentials = Credentials { instance, token: self.heard.header("x-api-key") };
        door.enter_with_either(self.heard, credentials, scopes)
    }

    fn session(&self) -> Result<Option<&str>, Invalid> {
        match &self.body {
            Ok(body) => Ok(self.params.text_or("session", &body.session)?.flatten()),
            Err(_) => Ok(self.params.text("session")),
        }
    }

    pub fn contact_id(&self) -> Result<ChatId, Invalid> {
        params::chat_id(self.required("contactId")?, "contactId")
    }

    pub fn contact_id_in_path(&self) -> Result<ChatId, Invalid> {
        params::chat_id(&self.heard.segment("id"), "id")
    }

    pub fn phone(&self) -> Result<ChatId, Invalid> {
        params::phone(self.required("phone")?, "phone")
    }

    /// A phone, or a LID that asks for itself.
    pub fn phone_number_in_path(&self) -> Result<ChatId, Invalid> {
        params::chat_id(&self.heard.segment("phoneNumber"), "phoneNumber")
    }

    pub fn lid_in_path(&self) -> Result<ChatId, Invalid> {
        params::lid(&self.heard.segment("lid"), LID)
    }

    /// Both names are required by WAHA's description, and neither is by its clients. Nobody is made a Doe.
    pub fn renamed(&self) -> Result<Edit, Fault> {
        let who = self.contact_id_in_path()?;
        let body = self.body()?;
        let first = naming::part(body.first_name.text("firstName")?, "firstName")?;
        let last = naming::part(body.last_name.text("lastName")?, "lastName")?;
        Ok(edit(who, naming::renamed(first, last)))
    }

    /// Clients in the wild block by either name.
    pub fn blocked(&self, blocked: bool) -> Result<Edit, Fault> {
        let body = self.body()?;
        let who = match self.params.chat_id_or("contactId", &body.contact_id)? {
            Some(id) => Some(id),
            None => self.params.chat_id_or("chatId", &body.chat_id)?,
        };
        let who = who.ok_or_else(|| Invalid::new("contactId", "is required"))?;
        Ok(edit(who, Patch { blocked: Some(blocked), ..Patch::default() }))
    }

    pub fn page(&self) -> Result<PageQuery, Invalid> {
        let (limit, offset) = self.params.window(NO_BOUND, NO_BOUND)?;
        let order = self.params.order("sortBy", "sortOrder")?;
        Ok(PageQuery { sort: vec![order], limit, offset, ..PageQuery::default() })
    }

    pub fn lid_window(&self) -> Result<(u32, u64), Invalid> {
        self.params.window(LIDS, NO_BOUND)
    }

    /// What only chooses among things that are not here (a picture's cache, stopped sessions): nonsense is refused.
    pub fn flag(&self, name: &'static str) -> Result<(), Invalid> {
        self.params.flag(name).map(drop)
    }

    fn required(&self, name: &'static str) -> Result<&str, Invalid> {
        self.params.text(name).ok_or_else(|| Invalid::new(name, "is required"))
    }

    fn body(&self) -> Result<&Body<'h>, Fault> {
        self.body.as_ref().map_err(Clone::clone)
    }
}

fn edit(who: ChatId, patch: Patch) -> Edit {
    Edit::save(who, patch, now(), SOURCE)
}

/// The body of a rename. An omitted last name is none; null and blank clear a part.
#[derive(Debug, ToSchema)]
#[schema(as = WahaContactUpdateBody, rename_all = "camelCase")]
#[expect(dead_code, reason = "describes what `Call` reads")]
pub struct ContactUpdateBody {
    #[schema(value_type = Option<NameText>, example = "John")]
    first_name: Option<String>,
    #[schema(value_type = Option<NameText>, example = "Doe")]
    last_name: Option<String>,
}

/// Whom to block or unblock.
#[derive(Debug, ToSchema)]
#[schema(as = WahaContactRequest, rename_all = "camelCase")]
#[expect(dead_code, reason = "describes what `Call` reads")]
pub struct ContactRequest {
    #[schema(value_type = ChatIdText, example = "11111111111@c.us")]
    contact_id: String,
    #[schema(example = "default")]
    session: Option<String>,
}

/// Which session is meant.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what `Call` reads")]
pub struct InQuery {
    /// The instance; without it, or with `default`, the key's own.
    session: Option<String>,
}

/// A part of a list.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what `Call` reads")]
pub struct Window {
    #[param(minimum = 1, maximum = 4_294_967_295_i64)]
    limit: Option<i64>,
    #[param(minimum = 0, maximum = 4_294_967_295_i64)]
    offset: Option<i64>,
}

/// `{"success":true}`
#[derive(Debug, ToSchema)]
#[schema(as = WahaResult)]
#[expect(dead_code, reason = "describes the constant answer")]
pub struct Success {
    #[schema(example = true)]
    success: bool,
}

/// A session as WAHA's clients look at it. Without a linked phone there is no `me` and no presence to tell of.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WahaSession)]
pub struct SessionInfo {
    /// The instance.
    name: String,
    /// `WORKING`, or `FAILED` when the book is damaged.
    #[schema(example = "WORKING")]
    status: &'static str,
    #[schema(value_type = Object)]
    config: Nothing,
    /// The linked account.
    #[schema(value_type = Option<Object>)]
    me: Option<Nothing>,
    #[schema(value_type = Object)]
    presence: Nothing,
    timestamps: Timestamps,
    engine: Engine,
}

/// `{}`
#[derive(Debug, Serialize)]
struct Nothing {}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WahaTimestamps)]
struct Timestamps {
    /// Milliseconds; asking is activity.
    activity: i64,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WahaEngine)]
struct Engine {
    #[schema(example = "WABOOK")]
    engine: &'static str,
}

impl SessionInfo {
    /// A damaged book is a state of the session, not an error of the question.
    pub fn new(id: &InstanceId, head: Meant<Head>) -> Meant<Self> {
        let status = match head {
            Ok(_) => "WORKING",
            Err(Error::Quarantined) => "FAILED",
            Err(error) => return Err(error),
        };
        Ok(Self {
            name: id.to_string(),
            status,
            config: Nothing {},
            me: None,
            presence: Nothing {},
            timestamps: Timestamps { activity: now().millis() },
            engine: Engine { engine: "WABOOK" },
        })
    }
}
