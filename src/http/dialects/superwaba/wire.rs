//! SuperWABA's spelling of what is asked: camelCase when a contact is made, snake_case when it is changed; one display
//! name, which is never split by guess; which JSON clears. Its types end at this room's door.

use std::borrow::Cow;

use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::{
    draft::{Draft, MOST_TAGS, PARAMS_BYTES, SOURCE, country, params, tags},
    shown::parse_id,
};
use crate::{
    book::{Direction, PageQuery, Sort},
    domain::{
        CardPatch, Edit, Error, Field, Invalid, NamePart, Patch, Precondition, Require, SavedPatch, VendorId, Who,
    },
    gateway::{Credentials, Scope},
    http::{
        Door,
        email::email,
        raw::RawField,
        room::{Fault, Heard},
        schemas::{CountryText, EmailText, NameText, PhoneText, any_of_these, described, or_anything},
        time::now,
    },
    session::Session,
};

const LIMIT: u64 = 20;
const MOST: u64 = 100;

pub struct Call<'h>(&'h Heard);

impl<'h> Call<'h> {
    pub fn of(heard: &'h Heard) -> Self {
        Self(heard)
    }

    /// The organisation must be named; whoever names none is refused like whoever names another's.
    pub fn enter(&self, door: &Door, scope: Scope) -> Result<Session, Fault> {
        let instance = Some(self.0.header("x-org-id").unwrap_or_default());
        door.enter(self.0, Credentials { instance, token: self.0.bearer() }, scope)
    }

    /// What is none of a contact's ids is the id of no contact.
    pub fn who(&self) -> Result<Who, Error> {
        let segment = self.0.segment("contactId");
        match parse_id(&segment) {
            Some(uuid) => Ok(Who::Uuid(uuid)),
            None => segment.parse::<VendorId>().map(Who::Vendor).map_err(|_| Error::NoContact),
        }
    }

    pub fn list_wish(&self) -> Result<ListWish, Invalid> {
        use {Direction as D, Sort as S};
        let params = self.0.params();
        Ok(ListWish {
            page: params.number("page", 1, 1, u64::from(u32::MAX))?,
            limit: u32::try_from(params.number("limit", LIMIT, 1, MOST)?).unwrap_or(u32::MAX),
            search: params.filled("search").map(str::to_owned),
            sort_by: params.word(
                "sortBy",
                &[("created_at", S::Created), ("name", S::Name), ("last_message_at", S::LastMessage)],
            )?,
            sort_order: params.word("sortOrder", &[("desc", D::Descending), ("asc", D::Ascending)])?,
        })
    }
}

/// A part of the list.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub struct ListWish {
    /// 1 if not given.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 4_294_967_295_i64)]
    pub page: u64,
    /// 20 if not given.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 100)]
    pub limit: u32,
    /// Found in a name, number or e-mail, whatever its case and accents.
    search: Option<String>,
    /// `created_at` (also when blank), `name` or `last_message_at`.
    #[param(value_type = Option<String>, pattern = "^(created_at|name|last_message_at)?$")]
    sort_by: Sort,
    /// `desc` (also when blank) or `asc`.
    #[param(value_type = Option<String>, pattern = "^(desc|asc)?$")]
    sort_order: Direction,
}

impl ListWish {
    pub fn query(&self) -> PageQuery {
        PageQuery {
            sort: vec![(self.sort_by, self.sort_order)],
            search: self.search.clone(),
            limit: self.limit,
            offset: (self.page - 1) * u64::from(self.limit),
            ..PageQuery::default()
        }
    }
}

/// A contact to be made. Unknown fields are ignored; null is as good as nothing.
#[derive(Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SuperWabaNewContact)]
pub struct NewContact<'a> {
    #[serde(borrow, default)]
    #[schema(value_type = PhoneText, required, example = "+971501234567")]
    user_number: RawField<'a>,
    #[serde(borrow, default)]
    #[schema(value_type = Option<NameText>, example = "Ahmed Hassan")]
    user_name: RawField<'a>,
    #[serde(borrow, default)]
    #[schema(value_type = Option<EmailText>)]
    email: RawField<'a>,
    #[serde(borrow, default)]
    #[schema(value_type = Option<CountryText>)]
    country_code: RawField<'a>,
    #[serde(borrow, default)]
    #[schema(value_type = Option<Vec<NameText>>, max_items = 100)]
    tags: RawField<'a>,
    #[serde(borrow, default)]
    #[schema(value_type = Option<Object>)]
    params: RawField<'a>,
}

/// For the API description: many of them.
#[derive(ToSchema)]
#[schema(as = SuperWabaManyContacts)]
#[expect(dead_code, reason = "describes what `bulk` reads row by row")]
pub struct ManyContacts {
    #[schema(value_type = Vec<Row>)]
    contacts: Vec<NewContact<'static>>,
}

described!(Row = "SuperWabaRow", NewContact<'static>, or_anything);

impl<'a> NewContact<'a> {
    pub fn edit(&self) -> Result<Edit, Invalid> {
        self.draft()?.edit(now())
    }

    pub fn draft(&self) -> Result<Draft<'a>, Invalid> {
        Ok(Draft {
            number: self.number()?,
            name: self.user_name.text("userName")?.flatten(),
            email: self.email.text("email")?.flatten(),
            country: self.country_code.text("countryCode")?.flatten(),
            tags: self.tags.texts("tags", MOST_TAGS)?.flatten().unwrap_or_default(),
            params: self.params.object("params", PARAMS_BYTES)?.flatten().unwrap_or_default(),
        })
    }

    pub fn number(&self) -> Result<Option<Cow<'a, str>>, Invalid> {
        Ok(self.user_number.text("userNumber")?.flatten())
    }
}

/// A change: what is not mentioned is kept, null clears. Unknown fields beside known ones are ignored.
#[derive(Default, Deserialize, ToSchema)]
#[schema(as = SuperWabaChange)]
pub struct Change<'a> {
    #[serde(borrow, default)]
    #[schema(value_type = Option<NameText>)]
    name: RawField<'a>,
    #[serde(borrow, default)]
    #[schema(value_type = Option<EmailText>)]
    email: RawField<'a>,
    #[serde(borrow, default)]
    #[schema(value_type = Option<CountryText>)]
    country_code: RawField<'a>,
    /// Replaces all tags.
    #[serde(borrow, default)]
    #[schema(value_type = Option<Vec<NameText>>, max_items = 100)]
    tags: RawField<'a>,
    /// Replaces all params.
    #[serde(borrow, default)]
    #[schema(value_type = Option<Object>)]
    params: RawField<'a>,
    #[serde(borrow, default)]
    #[schema(value_type = Option<bool>)]
    is_blocked: RawField<'a>,
    #[serde(borrow, default)]
    #[schema(value_type = Option<NameText>)]
    source: RawField<'a>,
    #[serde(borrow, default)]
    #[schema(value_type = Option<bool>)]
    opted_in: RawField<'a>,
}

described!(
    /// A change that changes something.
    ChangeWish = "SuperWabaChangeWish",
    Change<'static>,
    |change| any_of_these(change, CHANGEABLE)
);

const CHANGEABLE: [&str; 8] = ["name", "email", "country_code", "tags", "params", "is_blocked", "source", "opted_in"];

impl Change<'_> {
    pub fn patch(&self) -> Result<Patch, Fault> {
        let Self { name, email: mail, country_code, tags: tagged, params: keyed, is_blocked, source, opted_in } = *self;
        if ![name, mail, country_code, tagged, keyed, is_blocked, source, opted_in].into_iter().any(RawField::is_given)
        {
            return Err(Fault::Malformed("No valid fields to update".into()));
        }
        let named = changed(name.text("name")?, |text| NamePart::parse(&text, "name"))?;
        let source = changed(source.text("source")?, |text| NamePart::parse(&text, "source"))?;
        let card = CardPatch {
            email: changed(mail.text("email")?, |text| email(&text, "email"))?,
            country_code: changed(country_code.text("country_code")?, |text| country(&text, "country_code"))?,
            tags: changed(tagged.texts("tags", MOST_TAGS)?, |texts| tags(&texts))?,
            params: changed(keyed.object("params", PARAMS_BYTES)?, |object| params(&object))?,
            opted_in: changed(opted_in.flag("opted_in")?, |flag| Ok(Some(flag)))?,
            source_id: if source == Field::Clear { Field::Clear } else { Field::Keep },
            ..CardPatch::default()
        };
        Ok(Patch {
            saved: match named {
                Field::Keep => SavedPatch::default(),
                Field::Clear => SavedPatch::Whole(None),
                Field::Set(name) => SavedPatch::Whole(Some(name)),
            },
            card,
            blocked: is_blocked.flag("is_blocked")?.map(Option::unwrap_or_default),
            source_named: if let Field::Set(source) = source { Some(source) } else { None },
            ..Patch::default()
        })
    }
}

pub fn update(who: Who, patch: Patch) -> Edit {
    let require = Require { contact: Some(Precondition::Present), ..Require::default() };
    Edit::save(who, patch, now(), SOURCE).requiring(require)
}

fn changed<T, U>(
    told: Option<Option<T>>,
    read: impl FnOnce(T) -> Result<Option<U>, Invalid>,
) -> Result<Field<U>, Invalid> {
    Ok(match told {
        None => Field::Keep,
        Some(None) => Field::Clear,
        Some(Some(value)) => Field::from(read(value)?),
    })
}
