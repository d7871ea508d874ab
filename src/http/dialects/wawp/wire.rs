//! Wawp's spelling: where its parameters stand, which JSON clears a name, what a contact looks like. Its types end at
//! this room's door.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    book::PageQuery,
    domain::{ChatId, Edit, Field, Invalid, NamePart, Patch, Source},
    gateway::{Credentials, Scope},
    http::{
        Door,
        given::Given,
        naming,
        params::{self, Params},
        room::{Fault, Heard},
        schemas::{ChatIdText, NameText, SortByText, SortOrderText},
        time::now,
    },
    session::Session,
};

const SOURCE: Source = Source::known("wawp");
const LIMIT: u64 = 100;
const MOST: u64 = 1000;

/// A call: every parameter is looked for in the query first, then in the JSON body; credentials then in headers.
pub struct Call<'h> {
    heard: &'h Heard,
    params: Params<'h>,
    body: Body<'h>,
}

/// All that any route takes; what else a body holds is ignored. Credentials may also stand in the query or in headers.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    #[serde(borrow, default, rename = "instance_id")]
    instance_id: Given<'a>,
    #[serde(borrow, default, rename = "access_token")]
    access_token: Given<'a>,
    #[serde(borrow, default)]
    chat_id: Given<'a>,
    #[serde(borrow, default)]
    contact_id: Given<'a>,
    #[serde(borrow, default)]
    first_name: Given<'a>,
    #[serde(borrow, default)]
    last_name: Given<'a>,
}

impl<'h> Call<'h> {
    pub fn hear(heard: &'h Heard) -> Result<Self, Fault> {
        Ok(Self { heard, params: heard.params(), body: heard.json()? })
    }

    /// Who asks is looked at before what is asked: a stranger learns nothing of what would have been wrong with it.
    pub fn enter(&self, door: &Door, scope: Scope) -> Result<Session, Fault> {
        door.enter(self.heard, self.credentials()?, scope)
    }

    fn credentials(&self) -> Result<Credentials<'_>, Invalid> {
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
            segment => params::chat_id(segment, "chatId"),
        }
    }

    /// Likewise `{number}`.
    pub fn number_in_path(&self) -> Result<ChatId, Invalid> {
        let segment = self.heard.segment("number");
        let number = match &*segment {
            "{number}" => self.params.text("number").ok_or_else(|| Invalid::new("number", "is required"))?,
            number => number,
        };
        params::phone(number, "number")
    }

    pub fn lid_in_path(&self) -> Result<ChatId, Invalid> {
        params::lid(&self.heard.segment("lid"), "lid")
    }

    pub fn phone(&self) -> Result<ChatId, Invalid> {
        let text = self.params.text("phone").ok_or_else(|| Invalid::new("phone", "is required"))?;
        params::plain_phone(text, "phone")
    }

    /// `""` and null clear that part.
    pub fn saved_names(&self, who: ChatId) -> Result<Edit, Invalid> {
        let first = self.name("firstName", &self.body.first_name)?;
        let last = self.name("lastName", &self.body.last_name)?;
        Ok(edit(who, naming::renamed(first, last)))
    }

    pub fn page(&self) -> Result<PageQuery, Invalid> {
        let (limit, offset) = self.window()?;
        let order = self.params.order("sortBy", "sortOrder")?;
        Ok(PageQuery { sort: vec![order], limit, offset, ..PageQuery::default() })
    }

    pub fn window(&self) -> Result<(u32, u64), Invalid> {
        self.params.window(LIMIT, MOST)
    }

    /// The picture's cache may be passed by; there is none, but nonsense is refused.
    pub fn refresh(&self) -> Result<(), Invalid> {
        self.params.flag("refresh").map(drop)
    }

    fn id(&self, field: &'static str, body: &Given<'_>) -> Result<Option<ChatId>, Invalid> {
        self.params.chat_id_or(field, body)
    }

    /// The query counts; a name in the body must make sense nevertheless.
    fn name(&self, field: &'static str, body: &Given<'_>) -> Result<Field<NamePart>, Invalid> {
        let in_body = naming::part(body.text(field)?, field)?;
        self.params.text(field).map_or(Ok(in_body), |text| naming::part(Some(Some(text)), field))
    }

    /// Not given; given as null; given.
    fn text<'s>(&'s self, field: &'static str, body: &'s Given<'_>) -> Result<Option<Option<&'s str>>, Invalid> {
        self.params.text_or(field, body)
    }
}

pub fn blocked(who: ChatId, blocked: bool) -> Edit {
    edit(who, Patch { blocked: Some(blocked), ..Patch::default() })
}

fn edit(who: ChatId, patch: Patch) -> Edit {
    Edit::save(who, patch, now(), SOURCE)
}

/// `{"ok": true}`
#[derive(Debug, ToSchema)]
#[schema(as = WawpSaved)]
#[expect(dead_code, reason = "describes the constant answer")]
pub struct Saved {
    #[schema(example = true)]
    ok: bool,
}

/// Where credentials may stand, beside the query and the headers `access-token`, `Authorization` and `X-Instance-ID`.
#[derive(Debug, ToSchema)]
#[schema(as = WawpCredentials)]
#[expect(dead_code, reason = "describes a part of `Body`")]
pub struct CredentialsBody {
    instance_id: Option<String>,
    access_token: Option<String>,
}

#[derive(Debug, ToSchema)]
#[schema(as = WawpNames)]
#[expect(dead_code, reason = "describes a part of `Body`")]
pub struct NamesBody {
    /// `""` and null clear it.
    #[schema(value_type = Option<NameText>, example = "Bob")]
    #[serde(rename = "firstName")]
    first_name: Option<String>,
    #[schema(value_type = Option<NameText>, example = "Smith")]
    #[serde(rename = "lastName")]
    last_name: Option<String>,
    #[schema(inline)]
    #[serde(flatten)]
    credentials: CredentialsBody,
}

#[derive(Debug, ToSchema)]
#[schema(as = WawpUpdate)]
#[expect(dead_code, reason = "describes a part of `Body`")]
pub struct UpdateBody {
    #[schema(value_type = ChatIdText)]
    #[serde(rename = "chatId")]
    chat_id: String,
    #[schema(inline)]
    #[serde(flatten)]
    names: NamesBody,
}

#[derive(Debug, ToSchema)]
#[schema(as = WawpWhom)]
#[expect(dead_code, reason = "describes a part of `Body`")]
pub struct WhomBody {
    #[schema(value_type = ChatIdText)]
    #[serde(rename = "contactId")]
    contact_id: String,
    #[schema(inline)]
    #[serde(flatten)]
    credentials: CredentialsBody,
}

/// A part of a list.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes the parameters that `Call::window` reads")]
pub struct Window {
    /// 100 if not given.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<i64>,
    #[param(minimum = 0, maximum = 4_294_967_295_i64)]
    offset: Option<i64>,
}

/// The order of a list.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
#[expect(dead_code, reason = "describes the parameters that `Call::page` reads")]
pub struct Order {
    #[param(value_type = Option<SortByText>)]
    sort_by: Option<String>,
    #[param(value_type = Option<SortOrderText>)]
    sort_order: Option<String>,
}

/// `GET /v2/lids/pn/{number}` and its counterpart.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WawpMapping)]
pub struct LidOfPhone {
    #[schema(example = "999888777@lid")]
    lid: Option<String>,
    /// Digits, as documented.
    #[schema(example = "15551234567")]
    number: Option<String>,
}

impl LidOfPhone {
    pub fn new(lid: Option<ChatId>, phone: Option<ChatId>) -> Self {
        Self { lid: lid.map(|lid| lid.to_string()), number: phone.map(|phone| phone.digits().to_string()) }
    }
}
