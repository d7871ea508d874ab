//! A contact in WA.cr's JSON, and a body as a change of one. What another dialect has saved without a first name, last
//! name, type, source or status shows null there, though this dialect alone could never have saved it so: an empty text
//! would say that somebody typed one.

use serde::Serialize;
use utoipa::ToSchema;

use super::{
    entry::{EntryJson, Included},
    rules::{Fields, Form, email, kind, name, phone, text, whole},
    wrongs::Wrongs,
};
use crate::{
    domain::{
        CardPatch, ChatId, Contact, ContactId, Edit, Field, NamePart, Patch, Precondition, Require, SavedPatch, Source,
        Who,
    },
    http::{
        schemas::{FilledText, PhoneText},
        time::{now, rfc3339_seconds},
    },
};

const SOURCE: Source = Source::known("wacr");

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WacrContact)]
pub struct ContactJson<'a> {
    #[schema(example = 1)]
    id: i64,
    #[schema(example = "John")]
    firstname: Option<&'a str>,
    #[schema(example = "Doe")]
    lastname: Option<&'a str>,
    company: Option<&'a str>,
    #[serde(rename = "type")]
    #[schema(example = "lead")]
    kind: Option<&'static str>,
    email: Option<&'a str>,
    /// `+` and digits; empty for a LID whose phone is not known.
    #[schema(example = "+15551234567")]
    phone: String,
    status_id: Option<i64>,
    source_id: Option<i64>,
    description: Option<&'a str>,
    city: Option<&'a str>,
    state: Option<&'a str>,
    zip: Option<&'a str>,
    address: Option<&'a str>,
    country_id: Option<i64>,
    assigned_id: Option<i64>,
    group_id: &'a [i64],
    is_opted_out: bool,
    #[schema(example = "2026-01-02T03:04:05+00:00")]
    created_at: String,
    updated_at: String,
    /// Only if asked for, and in the answers to POST and PATCH.
    #[serde(skip_serializing_if = "Option::is_none")]
    groups: Option<Vec<EntryJson>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<Option<EntryJson>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Option<EntryJson>>,
}

impl<'a> ContactJson<'a> {
    pub fn new(contact: &'a Contact, included: &Included) -> Self {
        let Contact { names, card, .. } = contact;
        let part = |name: &'a Option<NamePart>| name.as_ref().map(NamePart::as_str);
        let group_id = card.groups.as_deref().unwrap_or_default();
        Self {
            id: contact.id.0,
            firstname: part(&names.saved.first),
            lastname: part(&names.saved.last),
            company: card.company.as_deref(),
            kind: card.kind.map(crate::domain::Kind::word),
            email: card.email.as_deref(),
            phone: contact.phone.map(|digits| format!("+{digits}")).unwrap_or_default(),
            status_id: card.status_id,
            source_id: card.source_id,
            description: card.description.as_deref(),
            city: card.city.as_deref(),
            state: card.state.as_deref(),
            zip: card.zip.as_deref(),
            address: card.address.as_deref(),
            country_id: card.country_id,
            assigned_id: card.assigned_id,
            group_id,
            is_opted_out: card.opted_in == Some(false),
            created_at: rfc3339_seconds(contact.created_at),
            updated_at: rfc3339_seconds(contact.updated_at),
            groups: included.groups(group_id),
            source: included.source(card.source_id),
            status: included.status(card.status_id),
        }
    }
}

/// A new contact. All fields are looked at before anything is asked of the book.
pub fn creation(fields: &Fields, contact: Precondition) -> Result<Edit, Wrongs> {
    let mut form = Form::new(fields, true);
    let (phone, patch) = (form.required("phone", phone), patch(&mut form));
    let edit = phone.map(|phone| edit(ChatId::Phone(phone).into(), patch, Some(contact)));
    // Without a phone the form is wrong, so the edit is there when it is not.
    form.finish(edit)?.ok_or_else(Wrongs::default)
}

/// A change of a contact that is there.
pub fn change(fields: &Fields, id: ContactId) -> Result<Edit, Wrongs> {
    let mut form = Form::new(fields, false);
    let phone = form.required("phone", phone);
    let patch = Patch { phone, ..patch(&mut form) };
    form.finish(edit(Who::Id(id), patch, None))
}

fn patch(form: &mut Form<'_>) -> Patch {
    let set = |part: Option<NamePart>| part.map_or(Field::Keep, Field::Set);
    let saved =
        SavedPatch::Parts { first: set(form.required("firstname", name)), last: set(form.required("lastname", name)) };
    let card = CardPatch {
        kind: form.required("type", kind).map_or(Field::Keep, Field::Set),
        source_id: form.required("source_id", whole).map_or(Field::Keep, Field::Set),
        status_id: form.required("status_id", whole).map_or(Field::Keep, Field::Set),
        email: form.nullable("email", email),
        company: form.nullable("company", text(255)),
        description: form.nullable("description", text(usize::MAX)),
        city: form.nullable("city", text(255)),
        state: form.nullable("state", text(255)),
        zip: form.nullable("zip", text(20)),
        address: form.nullable("address", text(500)),
        country_id: form.nullable("country_id", whole),
        assigned_id: form.nullable("assigned_id", whole),
        groups: form.groups("groups"),
        ..CardPatch::default()
    };
    Patch { saved, card, ..Patch::default() }
}

fn edit(who: Who, patch: Patch, contact: Option<Precondition>) -> Edit {
    Edit::save(who, patch, now(), SOURCE).requiring(Require { contact, unique_email: true, references: true })
}

/// Entering or leaving a group.
pub fn membership(id: i64, patch: Patch) -> Edit {
    let require = Require { contact: Some(Precondition::Present), references: true, ..Require::default() };
    Edit::save(Who::Id(ContactId(id)), patch, now(), SOURCE).requiring(require)
}

pub fn deletion(id: i64) -> Edit {
    Edit::new(Who::Id(ContactId(id)), crate::domain::Act::Delete, now(), SOURCE)
}

/// The fields of a new contact.
#[derive(Debug, ToSchema)]
#[schema(as = WacrNewContactFields)]
#[expect(dead_code, reason = "describes the fields that `creation` reads")]
pub struct NewContactFields {
    #[schema(value_type = FilledText, example = "John")]
    firstname: String,
    #[schema(value_type = FilledText, example = "Doe")]
    lastname: String,
    /// Unique, by its digits.
    #[schema(value_type = PhoneText, example = "+919587422369")]
    phone: String,
    /// `lead`, `customer` or `guest`.
    #[schema(rename = "type", pattern = "^(lead|customer|guest)$")]
    kind: String,
    source_id: i64,
    status_id: i64,
    #[schema(inline)]
    #[serde(flatten)]
    more: MoreFields,
}

/// The fields of a contact that are to be changed.
#[derive(Debug, ToSchema)]
#[schema(as = WacrContactFields)]
#[expect(dead_code, reason = "describes the fields that `change` reads")]
pub struct ContactFields {
    #[schema(value_type = Option<FilledText>, nullable = false, example = "John")]
    firstname: Option<String>,
    #[schema(value_type = Option<FilledText>, nullable = false, example = "Doe")]
    lastname: Option<String>,
    /// Unique, by its digits.
    #[schema(value_type = Option<PhoneText>, nullable = false, example = "+919587422369")]
    phone: Option<String>,
    /// `lead`, `customer` or `guest`.
    #[schema(rename = "type", nullable = false, pattern = "^(lead|customer|guest)$")]
    kind: Option<String>,
    #[schema(nullable = false)]
    source_id: Option<i64>,
    #[schema(nullable = false)]
    status_id: Option<i64>,
    #[schema(inline)]
    #[serde(flatten)]
    more: MoreFields,
}

/// The fields that are optional also in a new contact; null and blank clear.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "describes the fields that `patch` reads")]
pub struct MoreFields {
    /// Unique, whatever its case.
    #[schema(max_length = 191, pattern = "^([^\\s\\x00-\\x1f\\x7f-\\x9f@]+@[^\\s\\x00-\\x1f\\x7f-\\x9f@]+)?$")]
    email: Option<String>,
    #[schema(max_length = 255)]
    company: Option<String>,
    description: Option<String>,
    #[schema(max_length = 255)]
    city: Option<String>,
    #[schema(max_length = 255)]
    state: Option<String>,
    #[schema(max_length = 20)]
    zip: Option<String>,
    #[schema(max_length = 500)]
    address: Option<String>,
    country_id: Option<i64>,
    assigned_id: Option<i64>,
    /// Takes the place of the present groups; null or absent keeps them.
    groups: Option<Vec<i64>>,
}
