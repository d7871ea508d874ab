//! Pages of contacts: sorted, searched, filtered, by number or after a cursor, with the count that matches. Every list is
//! in one total order: the sort, then the contact id. First it is found out which contacts stand on the page, from what is
//! narrow (an index, the packs of the search); only those are read whole. Leaves out how a search finds (search).

#[cfg(test)]
mod tests;

use std::sync::Arc;

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use rusqlite::{Connection, params_from_iter, types::Value};

use crate::{
    book::{Filter, Head, Reader, fault::meaning, query, rows, search},
    domain::{Contact, Result},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    ChatId,
    /// The shown name, folded.
    Name,
    FirstName,
    LastName,
    /// The order of creation, which is the order of contact ids.
    Created,
    Updated,
    LastMessage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Direction {
    #[default]
    Ascending,
    Descending,
}

/// The place after which a page begins: the sort value and id of the last contact shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Cursor {
    key: Value,
    id: i64,
}

impl Cursor {
    /// As text that a client can hand back; it says nothing of how the book is built.
    pub fn to_text(&self) -> String {
        let key = match &self.key {
            Value::Integer(number) => format!("i{number}"),
            Value::Text(text) => format!("t{text}"),
            _ => String::new(),
        };
        BASE64_URL_SAFE_NO_PAD.encode(format!("{}.{key}", self.id))
    }

    /// `None` for what is no cursor of ours.
    pub fn from_text(text: &str) -> Option<Self> {
        let plain = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        let (id, key) = plain.split_once('.')?;
        let key = match key.split_at_checked(1)? {
            ("i", number) => Value::Integer(number.parse().ok()?),
            ("t", text) => Value::Text(text.to_owned()),
            _ => return None,
        };
        Some(Self { key, id: id.parse().ok()? })
    }
}

#[derive(Debug, Clone, Default)]
pub struct PageQuery {
    /// The first sorts most; without any, by creation. The contact id settles ties, in the direction of the first.
    pub sort: Vec<(Sort, Direction)>,
    /// Found anywhere in a name, number, e-mail or company, whatever its case and accents.
    pub search: Option<String>,
    /// All must hold.
    pub filters: Vec<Filter>,
    pub limit: u32,
    pub offset: u64,
    /// Takes the place of `offset`, and costs the same at any depth. Only with a single sort.
    pub after: Option<Cursor>,
}

#[derive(Debug, Clone)]
pub struct Page {
    pub contacts: Vec<Contact>,
    /// Where the next page begins; none at the end.
    pub next: Option<Cursor>,
    /// How many match, on all pages; read in the same transaction.
    pub total: u64,
}

impl Sort {
    /// The SQL by which it sorts: never null, and the same value for the same row until the row changes.
    fn key(self) -> &'static str {
        match self {
            Self::ChatId => "i.chat_id",
            Self::Name => "c.sort_key",
            Self::FirstName => "coalesce(c.first, '') COLLATE NOCASE",
            Self::LastName => "coalesce(c.last, '') COLLATE NOCASE",
            Self::Created => "c.id",
            Self::Updated => "c.revision",
            Self::LastMessage => "coalesce(c.last_message_at, -9223372036854775808)",
        }
    }

    /// Whether no two contacts have the same value.
    fn is_unique(self) -> bool {
        matches!(self, Self::ChatId | Self::Created | Self::Updated)
    }

    /// Whether the file holds it in this order, so that it can be walked.
    fn is_kept(self) -> bool {
        !matches!(self, Self::FirstName | Self::LastName)
    }
}

impl Direction {
    pub(super) fn sql(self) -> &'static str {
        match self {
            Self::Ascending => "ASC",
            Self::Descending => "DESC",
        }
    }
}

impl Reader {
    pub fn page(&self, query: &PageQuery) -> Result<Page> {
        let snapshot = self.connection.unchecked_transaction().map_err(meaning)?;
        let matching = Matching::of(&snapshot, query)?;
        let total = matching.count(self, &snapshot)?;
        let listed = if total == 0 { Vec::new() } else { matching.list(self, &snapshot, query, total)? };
        // One more than asked was looked for, to know whether there is a next page.
        let limit = query.limit as usize;
        let next = (listed.len() > limit && query.sort.len() <= 1)
            .then(|| listed.get(limit.checked_sub(1)?))
            .flatten()
            .map(|place| Cursor { key: place.key.clone(), id: place.id });
        let mut statement = snapshot.prepare_cached(query::BY_ID).map_err(meaning)?;
        let contacts = listed.iter().take(limit).map(|place| statement.query_row([place.id], rows::contact));
        Ok(Page { contacts: contacts.collect::<rusqlite::Result<_>>().map_err(meaning)?, next, total })
    }
}

/// Where a contact stands in the list: the value that sorts it, and its id.
struct Place {
    id: i64,
    key: Value,
}

/// Which contacts a query is about.
struct Matching {
    head: Head,
    /// What the search found, ascending; none if nothing was searched for.
    found: Option<Arc<[i64]>>,
    /// The filters, as SQL and its parameters.
    conditions: Vec<String>,
    params: Vec<Value>,
}

impl Matching {
    fn of(connection: &Connection, query: &PageQuery) -> Result<Self> {
        let needle = query.search.as_deref().and_then(search::needle);
        let found = needle.map(|needle| search::find(connection, &needle)).transpose()?;
        let (mut conditions, mut params) = (Vec::new(), Vec::new());
        for filter in &query.filters {
            filter.write(&mut conditions, &mut params);
        }
        Ok(Self { head: query::head(connection)?, found, conditions, params })
    }

    fn count(&self, reader: &Reader, connection: &Connection) -> Result<u64> {
        match &self.found {
            Some(found) if self.conditions.is_empty() || found.is_empty() => Ok(found.len() as u64),
            None if self.conditions.is_empty() => Ok(self.head.contacts),
            _ => {
                let (conditions, params) = self.restricted(self.are_few_found());
                let sql = format!("SELECT count(*) FROM contact c WHERE {}", conditions.join(" AND "));
                self.while_held(reader, || {
                    connection.prepare_cached(&sql)?.query_row(params_from_iter(params), |row| row.get(0))
                })
            }
        }
    }

    /// The places on the page, and one more.
    fn list(&self, reader: &Reader, connection: &Connection, query: &PageQuery, total: u64) -> Result<Vec<Place>> {
        let by_creation = [(Sort::Created, Direction::Ascending)];
        let sorts = if query.sort.is_empty() { &by_creation } else { query.sort.as_slice() };
        let window = Window {
            after: query.after.as_ref().filter(|_| sorts.len() == 1),
            offset: if query.after.is_some() && sorts.len() == 1 { 0 } else { query.offset },
            limit: u64::from(query.limit) + 1,
        };
        match (sorts[0], &self.found) {
            ((Sort::Created, direction), Some(found)) if self.conditions.is_empty() => Ok(window.cut(found, direction)),
            ((Sort::Created, direction), None) if self.conditions.is_empty() && window.offset > 0 => {
                // The last one that is skipped is as good as a cursor.
                let Some(last) = search::at_place(connection, window.offset - 1, direction)? else {
                    return Ok(Vec::new());
                };
                let after = Cursor { key: Value::Integer(last.0), id: last.0 };
                let window = Window { after: Some(&after), offset: 0, ..window };
                self.walk(reader, connection, &sorts[..1], &window, total)
            }
            _ => self.walk(reader, connection, sorts, &window, total),
        }
    }

    fn walk(
        &self,
        reader: &Reader,
        connection: &Connection,
        sorts: &[(Sort, Direction)],
        window: &Window<'_>,
        total: u64,
    ) -> Result<Vec<Place>> {
        let gathers = self.gathers(sorts[0].0, window, total);
        let mut places = Vec::new();
        for part in Part::of(sorts[0].0, window) {
            let rest = Window { limit: window.limit - places.len() as u64, ..*window };
            let (sql, params) = self.select(sorts, &rest, *part, gathers);
            places.extend(self.while_held(reader, || {
                let mut statement = connection.prepare_cached(&sql)?;
                let places = statement
                    .query_map(params_from_iter(params), |row| Ok(Place { id: row.get(0)?, key: row.get(1)? }))?;
                places.collect::<rusqlite::Result<Vec<_>>>()
            })?);
            if places.len() as u64 >= window.limit {
                break;
            }
        }
        Ok(places)
    }

    /// Whether it is less work to gather all that match and sort them than to walk in order until the page is full. A
    /// row that is sought costs some twenty steps.
    fn gathers(&self, sort: Sort, window: &Window<'_>, total: u64) -> bool {
        let is_everything = self.found.is_none() && self.conditions.is_empty();
        let steps = window.offset.saturating_add(window.limit).saturating_mul(self.head.contacts) / total.max(1);
        !sort.is_kept() || !is_everything && total.saturating_mul(20) <= steps.min(self.head.contacts)
    }

    /// Few enough to be sought one by one rather than by going through all contacts.
    fn are_few_found(&self) -> bool {
        self.found.as_ref().is_some_and(|found| found.len() as u64 * 4 <= self.head.contacts)
    }

    /// The conditions with that of the search: a list of ids to begin from, or a question asked of each.
    fn restricted(&self, from_ids: bool) -> (Vec<String>, Vec<Value>) {
        let (mut conditions, mut params) = (self.conditions.clone(), self.params.clone());
        match &self.found {
            Some(found) if from_ids => {
                conditions.push("c.id IN (SELECT value FROM json_each(?))".to_owned());
                params.push(Value::Text(serde_json::to_string(&**found).expect("numbers serialise")));
            }
            Some(_) => conditions.push("found(c.id)".to_owned()),
            None => {}
        }
        (conditions, params)
    }

    fn select(
        &self,
        sorts: &[(Sort, Direction)],
        window: &Window<'_>,
        part: Part,
        gathers: bool,
    ) -> (String, Vec<Value>) {
        let (sort, direction) = sorts[0];
        let key = sort.key();
        let by_chat_id = sorts.iter().any(|(sort, _)| *sort == Sort::ChatId);
        // `identity` is ordered by chat id on disk, and all that a bare list by chat id needs.
        let (table, id) = match (by_chat_id, gathers) {
            (false, _) => ("contact c", "c.id"),
            (true, false) if self.found.is_none() && self.conditions.is_empty() && sorts.len() == 1 => {
                ("identity i", "i.contact_id")
            }
            (true, false) => ("identity i CROSS JOIN contact c ON c.id = i.contact_id", "i.contact_id"),
            (true, true) => ("contact c CROSS JOIN identity i ON i.contact_id = c.id", "c.id"),
        };
        let (mut conditions, mut params) = self.restricted(gathers && (sort.is_kept() || self.are_few_found()));
        if by_chat_id {
            conditions.push("i.shown = 1".to_owned());
        }
        if let Some(cursor) = window.after {
            let beyond = if direction == Direction::Ascending { ">" } else { "<" };
            params.push(cursor.key.clone());
            match part {
                Part::Tied => {
                    conditions.push(format!("{key} = ? AND {id} {beyond} ?"));
                    params.push(Value::Integer(cursor.id));
                }
                Part::Rest => conditions.push(format!("{key} {beyond} ?")),
            }
        }
        let condition = if conditions.is_empty() { "1".to_owned() } else { conditions.join(" AND ") };
        // The plus keeps the database from walking where gathering is less work.
        let plus = if gathers && sort.is_kept() { "+" } else { "" };
        let keys = if matches!(part, Part::Tied) { &[] } else { sorts };
        let mut order: Vec<_> =
            keys.iter().map(|(sort, direction)| format!("{plus}{} {}", sort.key(), direction.sql())).collect();
        order.push(format!("{id} {}", direction.sql()));
        params.extend(
            [window.limit, window.offset].map(|count| Value::Integer(i64::try_from(count).unwrap_or(i64::MAX))),
        );
        let order = order.join(", ");
        (format!("SELECT {id}, {key} FROM {table} WHERE {condition} ORDER BY {order} LIMIT ? OFFSET ?"), params)
    }

    /// Asks with `found(id)` knowing what was found.
    fn while_held<T>(&self, reader: &Reader, ask: impl FnOnce() -> rusqlite::Result<T>) -> Result<T> {
        let Some(found) = &self.found else { return ask().map_err(meaning) };
        reader.found.holding(found, ask).map_err(meaning)
    }
}

/// Which part of the list is asked for.
struct Window<'q> {
    after: Option<&'q Cursor>,
    offset: u64,
    limit: u64,
}

/// What stands after a cursor, in two: each is sought at once, however many have the same name or never wrote.
#[derive(Clone, Copy)]
enum Part {
    /// Sorted by the same value as the last one shown.
    Tied,
    Rest,
}

impl Part {
    fn of(sort: Sort, window: &Window<'_>) -> &'static [Self] {
        if window.after.is_some() && !sort.is_unique() { &[Self::Tied, Self::Rest] } else { &[Self::Rest] }
    }
}

impl Window<'_> {
    /// That part of ids that are in the order of the list, or turned round.
    fn cut(&self, ids: &[i64], direction: Direction) -> Vec<Place> {
        let part = match (self.after, direction) {
            (None, _) => ids,
            (Some(cursor), Direction::Ascending) => &ids[ids.partition_point(|id| *id <= cursor.id)..],
            (Some(cursor), Direction::Descending) => &ids[..ids.partition_point(|id| *id < cursor.id)],
        };
        let size = |count| usize::try_from(count).unwrap_or(usize::MAX);
        let (skip, take) = (size(self.offset), size(self.limit));
        let place = |id: &i64| Place { id: *id, key: Value::Integer(*id) };
        match direction {
            Direction::Ascending => part.iter().skip(skip).take(take).map(place).collect(),
            Direction::Descending => part.iter().rev().skip(skip).take(take).map(place).collect(),
        }
    }
}
