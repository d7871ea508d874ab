//! Groups, sources and statuses: three lists of one kind, and what can be done with an entry of any. The three differ in
//! their words and scopes; a status has a color. Unlike with contacts, an entry is looked up before the body is looked at.

use std::cmp::Ordering;

use utoipa::ToSchema;

use super::{
    Answer, enter,
    entry::EntryJson,
    envelope::{created, done, gone, listed, shown},
    filters,
    paging::{LooseNumber, Window},
    problem::{Groups, Sources, Statuses, Subject},
    rules::{Fields, Form, color, name},
    wrongs::Wrongs,
};
use crate::{
    book::{Direction, Test, Value},
    domain::{Entry, Error, Field, Moment, NamePart, Register, RegisterAct, RegisterEdit, Result, fold},
    gateway::Scope,
    http::{
        Door,
        params::Params,
        room::Heard,
        schemas::FilledText,
        time::{now, rfc3339_seconds},
    },
    session::Session,
};

/// One of the three, with the scopes that its routes need.
pub trait Listed: Subject {
    const REGISTER: Register;
    const READ: Scope;
    const WRITE: Scope;
    const DELETE: Scope;
}

impl Listed for Groups {
    const REGISTER: Register = Register::Groups;
    const READ: Scope = Scope::GroupsRead;
    const WRITE: Scope = Scope::GroupsWrite;
    const DELETE: Scope = Scope::GroupsDelete;
}

impl Listed for Sources {
    const REGISTER: Register = Register::Sources;
    const READ: Scope = Scope::SourcesRead;
    const WRITE: Scope = Scope::SourcesWrite;
    // As documented: there is no sources:delete.
    const DELETE: Scope = Scope::SourcesWrite;
}

impl Listed for Statuses {
    const REGISTER: Register = Register::Statuses;
    const READ: Scope = Scope::StatusesRead;
    const WRITE: Scope = Scope::StatusesWrite;
    const DELETE: Scope = Scope::StatusesWrite;
}

pub async fn list<S: Listed>(heard: &Heard, door: &Door) -> Answer<S> {
    let session = enter(door, heard, S::READ)?;
    let (wish, window) = (Wish::read(&heard.params())?, Window::hear(heard));
    let entries = wish.carry_out(session.entries(S::REGISTER).await?);
    let page = entries.iter().skip(usize::try_from(window.offset()).unwrap_or(usize::MAX));
    let page: Vec<_> = page.take(window.limit() as usize).map(|entry| EntryJson::new(S::REGISTER, entry)).collect();
    let figures = window.figures(entries.len() as u64, page.len());
    Ok(listed(page, figures))
}

pub async fn create<S: Listed>(heard: &Heard, door: &Door) -> Answer<S> {
    let session = enter(door, heard, S::WRITE)?;
    let (name, color) = body::<S>(&heard.json()?)?;
    let entry = edit::<S>(&session, RegisterAct::Add { name, color }).await?;
    Ok(created(EntryJson::new(S::REGISTER, &entry), message::<S>("created")))
}

pub async fn fetch<S: Listed>(heard: &Heard, door: &Door) -> Answer<S> {
    let session = enter(door, heard, S::READ)?;
    let entry = find::<S>(&session, id(heard)).await?;
    Ok(shown(EntryJson::new(S::REGISTER, &entry)))
}

pub async fn update<S: Listed>(heard: &Heard, door: &Door) -> Answer<S> {
    let (session, id) = (enter(door, heard, S::WRITE)?, id(heard));
    let body = body::<S>(&heard.json()?);
    if body.is_err() {
        // Not there is told before what is wrong with the body.
        find::<S>(&session, id).await?;
    }
    let (name, color) = body?;
    let entry = edit::<S>(&session, RegisterAct::Rename { id, name, color }).await?;
    Ok(done(EntryJson::new(S::REGISTER, &entry), message::<S>("updated")))
}

pub async fn delete<S: Listed>(heard: &Heard, door: &Door) -> Answer<S> {
    let session = enter(door, heard, S::DELETE)?;
    edit::<S>(&session, RegisterAct::Remove { id: id(heard) }).await?;
    Ok(gone(message::<S>("deleted")))
}

/// The entry's number; what is no number is nobody's.
pub fn id(heard: &Heard) -> i64 {
    heard.segment("id").parse().unwrap_or(0)
}

pub async fn find<S: Listed>(session: &Session, id: i64) -> Result<Entry> {
    session.entries(S::REGISTER).await?.into_iter().find(|entry| entry.id == id).ok_or(Error::NoEntry)
}

async fn edit<S: Listed>(session: &Session, act: RegisterAct) -> Result<Entry> {
    session.edit_register(RegisterEdit { register: S::REGISTER, act, at: now() }).await
}

fn message<S: Listed>(done: &str) -> String {
    format!("{} {done} successfully", S::MANNER.noun_in_capitals())
}

/// A change says the whole entry: without a color a status has none.
fn body<S: Listed>(fields: &Fields) -> Result<(NamePart, Option<Box<str>>), Wrongs> {
    let mut form = Form::new(fields, true);
    let name = form.required("name", name);
    let color = match S::REGISTER {
        Register::Statuses => form.nullable("color", color),
        Register::Groups | Register::Sources => Field::Keep,
    };
    let color = if let Field::Set(color) = color { Some(color) } else { None };
    form.finish(name.map(|name| (name, color)))?.ok_or_else(Wrongs::default)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sort {
    Id,
    Name,
    Created,
    Updated,
}

const SORTS: [(&str, Sort); 4] =
    [("id", Sort::Id), ("name", Sort::Name), ("created_at", Sort::Created), ("updated_at", Sort::Updated)];

/// Which entries are asked for, and in which order.
struct Wish {
    needle: String,
    created: Vec<Test>,
    /// The number settles ties, in the direction of the first.
    sorts: Vec<(Sort, Direction)>,
}

impl Wish {
    fn read(params: &Params<'_>) -> Result<Self, crate::domain::Invalid> {
        let mut sorts = filters::sorts(params, &SORTS);
        sorts.push((Sort::Id, sorts.first().map_or(Direction::Ascending, |(_, direction)| *direction)));
        Ok(Self {
            needle: fold(filters::search(params).unwrap_or_default().trim()),
            created: filters::created_at(params)?,
            sorts,
        })
    }

    fn carry_out(&self, mut entries: Vec<Entry>) -> Vec<Entry> {
        entries.retain(|entry| {
            fold(entry.name.as_str()).contains(&self.needle)
                && self.created.iter().all(|test| holds(test, entry.created_at))
        });
        entries.sort_by(|one, other| {
            let by_each = self.sorts.iter().map(|(sort, direction)| match direction {
                Direction::Ascending => compare(*sort, one, other),
                Direction::Descending => compare(*sort, other, one),
            });
            by_each.fold(Ordering::Equal, Ordering::then)
        });
        entries
    }
}

fn compare(sort: Sort, one: &Entry, other: &Entry) -> Ordering {
    match sort {
        Sort::Id => one.id.cmp(&other.id),
        Sort::Name => fold(one.name.as_str()).cmp(&fold(other.name.as_str())),
        Sort::Created => one.created_at.cmp(&other.created_at),
        Sort::Updated => one.updated_at.cmp(&other.updated_at),
    }
}

/// As the book tests the seconds of contacts.
fn holds(test: &Test, at: Moment) -> bool {
    let second = at.millis().div_euclid(1000);
    let to = |value: &Value| match value {
        Value::Number(number) => second.cmp(number),
        Value::Text(_) => Ordering::Less,
    };
    match test {
        Test::Equals(value) => to(value).is_eq(),
        Test::Differs(value) => to(value).is_ne(),
        Test::AtLeast(value) => to(value).is_ge(),
        Test::AtMost(value) => to(value).is_le(),
        Test::MoreThan(value) => to(value).is_gt(),
        Test::LessThan(value) => to(value).is_lt(),
        Test::OneOf(values) => values.iter().any(|value| to(value).is_eq()),
        Test::NoneOf(values) => values.iter().all(|value| to(value).is_ne()),
        Test::Between(low, high) => to(low).is_ge() && to(high).is_le(),
        Test::Contains(text) => rfc3339_seconds(at).replace('T', " ").contains(text),
        Test::Empty(wanted) => !wanted,
    }
}

/// A group or source as it is sent.
#[derive(Debug, ToSchema)]
#[schema(as = WacrEntryFields)]
#[expect(dead_code, reason = "describes the fields that `body` reads")]
pub struct EntryFields {
    /// Unique, whatever its case.
    #[schema(value_type = FilledText)]
    name: String,
}

/// A status as it is sent.
#[derive(Debug, ToSchema)]
#[schema(as = WacrStatusFields)]
#[expect(dead_code, reason = "describes the fields that `body` reads")]
pub struct StatusFields {
    /// Unique, whatever its case.
    #[schema(value_type = FilledText)]
    name: String,
    /// Absent is null, also in a change.
    #[schema(pattern = "^(#[0-9A-Fa-f]{6})?$", example = "#FF5733")]
    color: Option<String>,
}

/// For the API description: the parameters of all three lists.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes the parameters that `Wish::read` and `Window::hear` read")]
pub struct ListParams {
    #[param(value_type = Option<LooseNumber>)]
    page: Option<u64>,
    /// 15 if not given, at most 100.
    #[param(value_type = Option<LooseNumber>)]
    per_page: Option<u64>,
    /// In the name; also `q`.
    search: Option<String>,
    /// `name`, `created_at` or `updated_at`; `-` before it turns it round.
    sort: Option<String>,
}
