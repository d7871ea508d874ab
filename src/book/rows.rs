//! A contact as a row and back: the one place that knows both. The columns stand in one list, in the order in which
//! `bind` gives and `contact` takes them.

use std::collections::BTreeMap;

use rusqlite::{
    CachedStatement, Connection, Row, ToSql, params,
    types::{ToSqlOutput, Type, Value, ValueRef},
};
use uuid::Uuid;

use crate::{
    book::{Head, Touched, fault, seal},
    domain::{
        Card, ChatId, Contact, ContactId, Digits, Invalid, Kind, Moment, NamePart, Names, Result, Revision, Saved,
        Seen, Source, Stamp, Times, fold,
    },
};

macro_rules! columns {
    () => {
        "id, uuid, phone, lid, first, last, saved_at, saved_source, push, push_at, push_source, business, business_at, \
         business_source, email, company, description, city, state, zip, address, country_code, country_id, \
         assigned_id, kind, tags, labels, params, opted_in, blocked, last_message_at, conversation_count, created_at, \
         updated_at, revision, source_id, status_id, groups, first_revision, times, seal"
    };
}
pub(super) use columns;

const INSERT: &str = concat!(
    "INSERT INTO contact (",
    columns!(),
    ", sort_key, email_key) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, \
     ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30, ?31, ?32, ?33, ?34, ?35, ?36, ?37, ?38, ?39, ?40, ?41, ?42, ?43)"
);

// The numbers are for life; the time of creation too, until two contacts turn out to be one. An update that names a column
// writes its index anew, whatever the value: so what is indexed is only named when it may have moved.
macro_rules! update {
    ($indexed:literal) => {
        concat!(
            "UPDATE contact SET phone = ?3, lid = ?4, first = ?5, last = ?6, saved_at = ?7, saved_source = ?8, push = ?9, \
             push_at = ?10, push_source = ?11, business = ?12, business_at = ?13, business_source = ?14, email = ?15, \
             company = ?16, description = ?17, city = ?18, state = ?19, zip = ?20, address = ?21, country_code = ?22, \
             country_id = ?23, assigned_id = ?24, kind = ?25, tags = ?26, labels = ?27, params = ?28, opted_in = ?29, \
             blocked = ?30, conversation_count = ?32, created_at = ?33, updated_at = ?34, revision = ?35, source_id = ?36, \
             status_id = ?37, groups = ?38, first_revision = ?39, times = ?40, seal = ?41",
            $indexed,
            " WHERE id = ?1 AND uuid = ?2"
        )
    };
}
const UPDATE: [&str; 4] = [
    update!(""),
    update!(", sort_key = ?42, earlier = iif(?44 IS NULL, earlier, outdated(?44, earlier))"),
    update!(", email_key = ?43"),
    update!(", sort_key = ?42, email_key = ?43, earlier = iif(?44 IS NULL, earlier, outdated(?44, earlier))"),
];
/// The last parameter of each.
const LAST: [usize; 4] = [SEALED, SEALED + 3, SEALED + 2, SEALED + 3];

// Apart from the others: it moves with messages rather than edits.
const HEARD: &str = "UPDATE contact SET last_message_at = ?2, seal = ?3 WHERE id = ?1";

const BURY: &str = "INSERT INTO tombstone (revision, contact_id, uuid, phone, lid, deleted_at, merged_into) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
const REMOVE: &str = "DELETE FROM contact WHERE id = ?1";
const MOVE_HEAD: &str = "UPDATE book SET revision = ?1, contacts = ?2, last_id = ?3, pruned = ?4, mark = ?5";

/// Writes contacts one after another. The statements are looked up once for all of them: their texts are long.
pub(super) struct Writer<'c> {
    connection: &'c Connection,
    insert: Option<CachedStatement<'c>>,
    updates: [Option<CachedStatement<'c>>; 4],
    heard: Option<CachedStatement<'c>>,
}

impl<'c> Writer<'c> {
    pub(super) fn new(connection: &'c Connection) -> Self {
        Self { connection, insert: None, updates: [const { None }; 4], heard: None }
    }

    pub(super) fn insert(&mut self, contact: &Contact) -> Result<()> {
        bind(kept(self.connection, &mut self.insert, INSERT)?, contact, SEALED + 2, None).map_err(fault::meaning)
    }

    /// `outdated`: the saved names that it had until now, where that was touched.
    pub(super) fn update(&mut self, contact: &Contact, touched: Touched, outdated: Option<&str>) -> Result<()> {
        let kind = usize::from(touched.names || touched.chat_ids) + 2 * usize::from(touched.email);
        let statement = kept(self.connection, &mut self.updates[kind], UPDATE[kind])?;
        bind(statement, contact, LAST[kind], outdated).map_err(fault::meaning)
    }

    /// When the conversation last moved.
    pub(super) fn heard(&mut self, contact: &Contact) -> Result<()> {
        let heard = kept(self.connection, &mut self.heard, HEARD)?;
        let at = contact.last_message_at.map(Moment::millis);
        sealed(contact, &mut |_| Ok(()))
            .and_then(|seal| heard.execute(params![contact.id.0, at, seal]))
            .map_err(fault::meaning)?;
        Ok(())
    }
}

pub(super) fn kept<'c, 's>(
    connection: &'c Connection,
    kept: &'s mut Option<CachedStatement<'c>>,
    sql: &str,
) -> Result<&'s mut CachedStatement<'c>> {
    match kept {
        Some(statement) => Ok(statement),
        None => Ok(kept.insert(connection.prepare_cached(sql).map_err(fault::meaning)?)),
    }
}

/// The row goes with all that is private; the tombstone keeps the ids, so that a feed can tell of it.
pub(super) fn bury(
    connection: &Connection,
    contact: &Contact,
    revision: Revision,
    at: Moment,
    merged_into: Option<ContactId>,
) -> Result<()> {
    let text = |digits: Option<Digits>| digits.map(|digits| digits.to_string());
    connection
        .prepare_cached(BURY)
        .and_then(|mut statement| {
            statement.execute(params![
                revision.number(),
                contact.id.0,
                contact.uuid,
                text(contact.phone),
                text(contact.lid),
                at.millis(),
                merged_into.map(|survivor| survivor.0)
            ])
        })
        .and_then(|_| connection.prepare_cached(REMOVE))
        .and_then(|mut statement| statement.execute([contact.id.0]))
        .map_err(fault::meaning)?;
    Ok(())
}

pub(super) fn move_head(connection: &Connection, head: &Head) -> Result<()> {
    connection
        .prepare_cached(MOVE_HEAD)
        .and_then(|mut statement| {
            statement.execute(params![
                head.revision.number(),
                head.contacts,
                head.last_id.0,
                head.pruned.number(),
                head.mark
            ])
        })
        .map_err(fault::meaning)?;
    Ok(())
}

fn bind(
    statement: &mut CachedStatement<'_>,
    contact: &Contact,
    last: usize,
    outdated: Option<&str>,
) -> rusqlite::Result<()> {
    let mut place = 0;
    let mut next = |value: &dyn ToSql| {
        place += 1;
        statement.raw_bind_parameter(place, value)
    };
    let seal = sealed(contact, &mut next)?;
    next(&seal)?;
    if last > SEALED {
        next(&fold(&contact.display()))?;
        next(&contact.card.email.as_deref().map(fold))?;
    }
    if last > SEALED + 2 {
        next(&outdated)?;
    }
    match statement.raw_execute()? {
        1 => Ok(()),
        _ => Err(rusqlite::Error::StatementChangedRows(0)),
    }
}

/// The seal of its columns, each of which is shown on the way.
fn sealed(contact: &Contact, next: &mut dyn FnMut(&dyn ToSql) -> rusqlite::Result<()>) -> rusqlite::Result<i64> {
    seal::of(|seal| {
        each_column(contact, &mut |value| {
            seal.take(stored(&value.to_sql()?));
            next(value)
        })
    })
}

/// What a parameter is given as.
fn stored<'v>(value: &'v ToSqlOutput<'_>) -> ValueRef<'v> {
    match value {
        ToSqlOutput::Borrowed(value) => *value,
        ToSqlOutput::Owned(value) => value.into(),
        _ => unreachable!("a contact has numbers, texts and bytes"),
    }
}

/// How many `columns!()` are, but for the seal.
pub(super) const COLUMNS: usize = 40;
const SEALED: usize = COLUMNS + 1;

/// The values of `columns!()`, in their order, but for the seal.
pub(super) fn each_column(
    contact: &Contact,
    next: &mut dyn FnMut(&dyn ToSql) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let Contact { names, card, .. } = contact;
    let at = |by: Option<&Stamp>| by.map(|by| by.at.millis());
    let (saved_by, push_by) = (names.saved.by.as_ref(), names.push.as_ref().map(|seen| &seen.by));
    let business_by = names.business.as_ref().map(|seen| &seen.by);

    next(&contact.id.0)?;
    next(&contact.uuid)?;
    next(&contact.phone.as_ref().map(Digits::as_str))?;
    next(&contact.lid.as_ref().map(Digits::as_str))?;
    next(&names.saved.first.as_ref().map(NamePart::as_str))?;
    next(&names.saved.last.as_ref().map(NamePart::as_str))?;
    next(&at(saved_by))?;
    next(&saved_by.map(Stamp::word))?;
    next(&names.push.as_ref().map(Seen::text))?;
    next(&at(push_by))?;
    next(&push_by.map(Stamp::word))?;
    next(&names.business.as_ref().map(Seen::text))?;
    next(&at(business_by))?;
    next(&business_by.map(Stamp::word))?;
    next(&card.email)?;
    next(&card.company)?;
    next(&card.description)?;
    next(&card.city)?;
    next(&card.state)?;
    next(&card.zip)?;
    next(&card.address)?;
    next(&card.country_code)?;
    next(&card.country_id)?;
    next(&card.assigned_id)?;
    next(&card.kind.map(Kind::word))?;
    next(&json(card.tags.as_ref()))?;
    next(&json(card.labels.as_ref()))?;
    next(&json(card.params.as_ref()))?;
    next(&card.opted_in)?;
    next(&contact.blocked)?;
    next(&contact.last_message_at.map(Moment::millis))?;
    next(&contact.conversation_count)?;
    next(&contact.created_at.millis())?;
    next(&contact.updated_at.millis())?;
    next(&contact.revision.number())?;
    next(&card.source_id)?;
    next(&card.status_id)?;
    next(&json(card.groups.as_ref()))?;
    next(&contact.first_revision.number())?;
    next(&times(&contact.times))
}

/// A contact whose columns have these values, wherever they come from.
pub(super) fn from_values(connection: &Connection, values: &[Value]) -> rusqlite::Result<Contact> {
    let places: Vec<_> = (1..=values.len()).map(|place| format!("?{place}")).collect();
    let sql = format!("SELECT {}, NULL", places.join(", "));
    connection.prepare_cached(&sql)?.query_row(rusqlite::params_from_iter(values), contact)
}

/// Reads a row that was selected with `columns!()`.
pub(super) fn contact(row: &Row<'_>) -> rusqlite::Result<Contact> {
    let mut place = 0;
    let mut next = || {
        place += 1;
        place - 1
    };
    let mut contact = Contact {
        id: ContactId(row.get(next())?),
        uuid: row.get::<_, Uuid>(next())?,
        phone: digits(row, next(), ChatId::phone)?,
        lid: digits(row, next(), ChatId::lid)?,
        names: Names {
            saved: Saved { first: part(row, next())?, last: part(row, next())?, by: stamp(row, next(), next())? },
            push: seen(row, next(), next(), next())?,
            business: seen(row, next(), next(), next())?,
        },
        card: Card {
            email: row.get(next())?,
            company: row.get(next())?,
            description: row.get(next())?,
            city: row.get(next())?,
            state: row.get(next())?,
            zip: row.get(next())?,
            address: row.get(next())?,
            country_code: row.get(next())?,
            country_id: row.get(next())?,
            assigned_id: row.get(next())?,
            kind: parsed(row, next(), str::parse::<Kind>)?,
            tags: from_json(row, next())?,
            labels: from_json(row, next())?,
            params: from_json::<BTreeMap<_, _>>(row, next())?,
            opted_in: row.get(next())?,
            ..Card::default()
        },
        times: Times::default(),
        blocked: row.get(next())?,
        last_message_at: row.get::<_, Option<i64>>(next())?.map(Moment::from_millis),
        conversation_count: row.get(next())?,
        created_at: Moment::from_millis(row.get(next())?),
        updated_at: Moment::from_millis(row.get(next())?),
        revision: Revision::new(row.get(next())?),
        first_revision: Revision::default(),
    };
    contact.card.source_id = row.get(next())?;
    contact.card.status_id = row.get(next())?;
    contact.card.groups = from_json(row, next())?;
    contact.first_revision = Revision::new(row.get(next())?);
    let times: Option<BTreeMap<String, i64>> = from_json(row, next())?;
    contact.times = Times::restored(times.into_iter().flatten());
    // A row from before there were seals has none until it is written again.
    match row.get::<_, Option<i64>>(next())? {
        Some(sum) if sum != seal::of_row(row)? => Err(seal::broken()),
        _ => Ok(contact),
    }
}

pub(super) fn digits(
    row: &Row<'_>,
    place: usize,
    parse: fn(&str) -> Result<ChatId, Invalid>,
) -> rusqlite::Result<Option<Digits>> {
    Ok(parsed(row, place, parse)?.map(|id| *id.digits()))
}

/// A text column that was parsed once before it was stored: if it no longer parses, the row is damaged.
fn parsed<T>(row: &Row<'_>, place: usize, parse: fn(&str) -> Result<T, Invalid>) -> rusqlite::Result<Option<T>> {
    let text = row.get_ref(place)?.as_str_or_null()?;
    text.map(parse).transpose().map_err(|error| damaged(place, error))
}

pub(super) fn part(row: &Row<'_>, place: usize) -> rusqlite::Result<Option<NamePart>> {
    Ok(row.get::<_, Option<Box<str>>>(place)?.map(NamePart::trusted))
}

fn stamp(row: &Row<'_>, at: usize, source: usize) -> rusqlite::Result<Option<Stamp>> {
    let Some(at) = row.get::<_, Option<i64>>(at)? else { return Ok(None) };
    let source = parsed(row, source, str::parse::<Source>)?.unwrap_or(Source::known("unknown"));
    Ok(Some(Stamp { at: Moment::from_millis(at), source }))
}

fn seen(row: &Row<'_>, name: usize, at: usize, source: usize) -> rusqlite::Result<Option<Seen>> {
    Ok(part(row, name)?.zip(stamp(row, at, source)?).map(|(name, by)| Seen { name, by }))
}

fn json<T: serde::Serialize>(value: Option<&T>) -> Option<String> {
    value.map(|value| serde_json::to_string(value).expect("strings serialise"))
}

fn times(times: &Times) -> Option<String> {
    let stored = || times.iter().map(|(field, at)| (field, at.millis())).collect::<BTreeMap<_, _>>();
    json((!times.is_empty()).then(stored).as_ref())
}

fn from_json<T: serde::de::DeserializeOwned>(row: &Row<'_>, place: usize) -> rusqlite::Result<Option<T>> {
    let text = row.get_ref(place)?.as_str_or_null()?;
    text.map(serde_json::from_str).transpose().map_err(|error| damaged(place, error))
}

fn damaged(place: usize, error: impl std::error::Error + Send + Sync + 'static) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(place, Type::Text, Box::new(error))
}
