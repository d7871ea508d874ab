//! What a client may say of a webhook, field by field, and how it asks for things to be told again.

use utoipa::ToSchema;

use crate::{
    book::{Head, HookWork},
    domain::{Field, Invalid, NamePart, Result, Revision},
    gateway::{EventTypes, WebhookPatch, WebhookState},
    http::{
        fields::Fields,
        schemas::{NameText, any_of_these, described},
    },
};

/// A URL by which the receiver is reached.
#[derive(ToSchema)]
#[schema(value_type = String, max_length = 2048, example = "https://example.com/hooks/wabook",
    pattern = "^https?://[^\\x00-\\x20\\x7f/?#@\\\\]+([/?#][^\\x00-\\x20\\x7f]*)?$")]
#[expect(dead_code, reason = "describes `url`")]
pub struct UrlText(String);

/// One of the things that happen to contacts.
#[derive(ToSchema)]
#[schema(value_type = String, pattern = "^contact\\.(created|updated|deleted|merged)$")]
#[expect(dead_code, reason = "describes an entry of `types`")]
pub struct EventTypeText(String);

/// A webhook as it is registered.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the body that `Wish::read` reads field by field")]
pub struct NewWebhookWish {
    /// `https://` or `http://` and a public host; a name or an address.
    #[schema(value_type = UrlText)]
    url: String,
    /// All, if not given.
    #[schema(value_type = Option<Vec<EventTypeText>>, min_items = 1)]
    types: Option<Vec<String>>,
    #[schema(value_type = Option<NameText>)]
    description: Option<String>,
}

/// What of a webhook can be changed; what is not mentioned stays.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the body that `Wish::read` reads field by field")]
pub struct WebhookChange {
    #[schema(value_type = UrlText, required = false)]
    url: String,
    #[schema(value_type = Option<Vec<EventTypeText>>, min_items = 1)]
    types: Option<Vec<String>>,
    #[schema(value_type = Option<NameText>)]
    description: Option<String>,
    /// `active` or `paused`.
    #[schema(value_type = String, pattern = "^(active|paused)$", required = false)]
    state: String,
}

/// What the owner of a webhook wants of it.
pub struct Wish {
    pub url: Option<String>,
    types: Option<EventTypes>,
    pub description: Option<Option<String>>,
    state: Option<WebhookState>,
}

impl Wish {
    pub fn read(fields: &Fields) -> Result<Self, Invalid> {
        let state = given(fields.text("state")?, "state")?.map(|word| match word {
            "active" => Ok(WebhookState::Active),
            "paused" => Ok(WebhookState::Paused),
            _ => Err(Invalid::new("state", "must be active or paused")),
        });
        let types = match fields.texts("types")? {
            // Of a new webhook null is as good as not given, and to a known one it says nothing either.
            Field::Keep | Field::Clear => None,
            Field::Set(words) => Some(EventTypes::parse(words)?),
        };
        let description = match fields.name("description")? {
            Field::Keep => None,
            Field::Clear => Some(None),
            Field::Set(text) => Some(Some(NamePart::into_text(text).into_string())),
        };
        let url = given(fields.text("url")?, "url")?.map(str::to_owned);
        Ok(Self { url, types, description, state: state.transpose()? })
    }

    pub fn types_or_all(&self) -> EventTypes {
        self.types.unwrap_or(EventTypes::ALL)
    }

    pub fn into_patch(self) -> WebhookPatch {
        let Self { url, types, description, state } = self;
        WebhookPatch { url, types, description, state }
    }
}

/// What can be changed but not taken away.
fn given<T>(field: Field<T>, name: &'static str) -> Result<Option<T>, Invalid> {
    match field {
        Field::Keep => Ok(None),
        Field::Set(value) => Ok(Some(value)),
        Field::Clear => Err(Invalid::new(name, "must not be null")),
    }
}

/// At least one of the two.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the body that `ReplayWish::read` reads field by field")]
pub struct Replay {
    /// The revision after which everything is told again; 0 for all.
    #[schema(value_type = u64, required = false, minimum = 0, example = 0)]
    since: u64,
    /// True: the dead letters are told again.
    #[schema(value_type = bool, required = false)]
    dead_letters: bool,
}

described!(
    /// What is to be told again.
    ReplayWishBody = "ReplayWish",
    Replay,
    |wish| any_of_these(wish, ["since", "dead_letters"])
);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplayWish {
    since: Option<u64>,
    dead_letters: bool,
}

impl ReplayWish {
    pub fn read(fields: &Fields) -> Result<Self, Invalid> {
        let since = given(fields.integer("since")?, "since")?.map(u64::try_from).transpose();
        let since = since.map_err(|_| Invalid::new("since", "must not be negative"))?;
        let letters = given(fields.flag("dead_letters")?, "dead_letters")?;
        if since.is_none() && letters.is_none() {
            return Err(Invalid::new("since", "is required, unless dead_letters is given"));
        }
        Ok(Self { since, dead_letters: letters == Some(true) })
    }

    /// What is to be noted, in this order.
    pub fn works(self, id: &str, head: Head) -> Result<Vec<HookWork>, Invalid> {
        if self.since.is_some_and(|since| since > head.revision.number()) {
            return Err(Invalid::new("since", "must not be beyond the book's revision"));
        }
        let replay = self.since.map(|since| HookWork::Replay { id: id.to_owned(), since: Revision::new(since) });
        let revive = self.dead_letters.then(|| HookWork::Revive { id: id.to_owned() });
        Ok(replay.into_iter().chain(revive).collect())
    }
}
