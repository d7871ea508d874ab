//! Pages of contacts: sorted, searched, filtered, by number or after a cursor, with the count that matches. Every list is
//! in one total order: the sort, then the contact id. First it is found out which contacts stand on the page, from what is
//! narrow (an index, a set of ids); only those are read whole. Leaves out who matches (matching) and the orders of names
//! (order).

#[cfg(test)]
mod tests;

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use rusqlite::{Connection, params_from_iter, types::Value};

use crate::{
    book::{
        Filter, Reader,
        fault::meaning,
        kept::Kept,
        matching::{self, Matching},
        order, query, rows, search,
    },
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
    pub(super) fn key(self) -> &'static str {
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
    pub(super) fn is_kept(self) -> bool {
        !matches!(self, Self::FirstName | Self::LastName)
    }
}

impl Direction {
    fn turned(self) -> Self {
        match self {
            Self::Ascending => Self::Descending,
            Self::Descending => Self::Ascending,
        }
    }

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
        let list =
            List { connection: &snapshot, kept: &self.kept, matching: Matching::of(&snapshot, &self.kept, query)? };
        let total = list.matching.total();
        let listed = if total == 0 { Vec::new() } else { list.places(query)? };
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

struct List<'l> {
    connection: &'l Connection,
    kept: &'l Kept,
    matching: Matching,
}

impl List<'_> {
    /// The places on the page, and one more.
    fn places(&self, query: &PageQuery) -> Result<Vec<Place>> {
        let by_creation = [(Sort::Created, Direction::Ascending)];
        let sorts = if query.sort.is_empty() { &by_creation } else { query.sort.as_slice() };
        let window = Window {
            after: query.after.as_ref().filter(|_| sorts.len() == 1),
            offset: if query.after.is_some() && sorts.len() == 1 { 0 } else { query.offset },
            limit: u64::from(query.limit) + 1,
        };
        let (sort, direction) = sorts[0];
        match &self.matching.ids {
            Some(ids) if sort == Sort::Created => {
                let cut = ids.cut(window.after.map(|after| after.id), direction, window.offset, window.limit);
                Ok(cut.into_iter().map(|id| Place { id, key: Value::Integer(id) }).collect())
            }
            None if sort == Sort::Created && window.offset > 0 => {
                // The last one that is skipped is as good as a cursor. It is sought from the nearer end.
                let Some(rest) = self.matching.head.contacts.checked_sub(window.offset) else {
                    return Ok(Vec::new());
                };
                let (place, from) =
                    if rest < window.offset { (rest, direction.turned()) } else { (window.offset - 1, direction) };
                let Some(last) = search::at_place(self.connection, place, from)? else {
                    return Ok(Vec::new());
                };
                let after = Cursor { key: Value::Integer(last.0), id: last.0 };
                self.walk(&sorts[..1], &Window { after: Some(&after), offset: 0, ..window })
            }
            _ => match order::names(sorts) {
                Some(names) if !self.are_few() => self.in_order(names, direction, &window),
                _ => self.walk(sorts, &window),
            },
        }
    }

    /// By names, of which the file holds no order.
    fn in_order(&self, names: Vec<Sort>, direction: Direction, window: &Window<'_>) -> Result<Vec<Place>> {
        let order = order::of(self.connection, self.kept, &self.matching.head, names)?;
        let after = window.after.map(|after| match &after.key {
            Value::Text(name) => (order::folded(name.as_bytes()), after.id),
            _ => (Box::default(), after.id),
        });
        let meant = self.matching.ids.as_deref();
        let wish = order::Wish { after, direction, skip: window.offset, take: window.limit, meant };
        let ids = order.cut(self.connection, &wish)?;
        let place = |id| Ok(Place { id, key: order.name(self.connection, id)? });
        ids.into_iter().map(place).collect::<rusqlite::Result<_>>().map_err(meaning)
    }

    fn walk(&self, sorts: &[(Sort, Direction)], window: &Window<'_>) -> Result<Vec<Place>> {
        let gathers = self.gathers(sorts[0].0, window);
        // Who is gathered is meant. Of those that are walked past, each is asked for here.
        let asked = self.matching.ids.as_deref().filter(|_| !gathers);
        let mut skip = if asked.is_some() { window.offset } else { 0 };
        let mut places = Vec::new();
        let mut go_through = |sql: &str, params: Vec<Value>| {
            let mut statement = self.connection.prepare_cached(sql)?;
            let mut rows = statement.query(params_from_iter(params))?;
            while (places.len() as u64) < window.limit
                && let Some(row) = rows.next()?
            {
                let id = row.get(0)?;
                if asked.is_some_and(|ids| !ids.contains(id)) {
                    continue;
                }
                match skip.checked_sub(1) {
                    Some(rest) => skip = rest,
                    None => places.push(Place { id, key: row.get(1)? }),
                }
            }
            Ok(())
        };
        for part in Part::of(sorts[0].0, window) {
            let (sql, params) = self.select(sorts, window, *part, gathers);
            go_through(&sql, params).map_err(meaning)?;
        }
        Ok(places)
    }

    /// Whether it is less work to gather all that match and sort them than to walk in order until the page is full. A
    /// row that is sought costs some twenty steps.
    fn gathers(&self, sort: Sort, window: &Window<'_>) -> bool {
        let (contacts, total) = (self.matching.head.contacts, self.matching.total());
        let steps = window.offset.saturating_add(window.limit).saturating_mul(contacts) / total.max(1);
        !sort.is_kept() || self.matching.ids.is_some() && total.saturating_mul(20) <= steps.min(contacts)
    }

    /// Few enough to be sought one by one rather than by going through all contacts.
    fn are_few(&self) -> bool {
        self.matching.ids.as_ref().is_some_and(|ids| ids.len() * 20 <= self.matching.head.contacts)
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
        let ids = self.matching.ids.as_deref();
        let by_chat_id = sorts.iter().any(|(sort, _)| *sort == Sort::ChatId);
        // `identity` is ordered by chat id on disk, and all that a list by chat id needs.
        let (table, id) = match (by_chat_id, gathers) {
            (false, _) => ("contact c", "c.id"),
            (true, false) if sorts.len() == 1 => ("identity i", "i.contact_id"),
            (true, false) => ("identity i CROSS JOIN contact c ON c.id = i.contact_id", "i.contact_id"),
            (true, true) => ("contact c CROSS JOIN identity i ON i.contact_id = c.id", "c.id"),
        };
        let (mut conditions, mut params) = (Vec::new(), Vec::new());
        if let Some(ids) = ids.filter(|_| gathers) {
            conditions.push("c.id IN (SELECT value FROM json_each(?))".to_owned());
            params.push(Value::Text(matching::as_json(ids.iter())));
        }
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
        let order = order.join(", ");
        let mut sql = format!("SELECT {id}, {key} FROM {table} WHERE {condition} ORDER BY {order}");
        // Where each is asked for, nobody knows beforehand how far to walk.
        if ids.is_none() || gathers {
            sql.push_str(" LIMIT ? OFFSET ?");
            params.extend(
                [window.limit, window.offset].map(|count| Value::Integer(i64::try_from(count).unwrap_or(i64::MAX))),
            );
        }
        (sql, params)
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
