//! Reading a book: one contact, a page by number, the next page after a cursor, the counts that match them.
//! Every list is in one total order: the sort, then the contact id.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, params, types::Value};

use crate::{
    book::{Head, connection, fault, rows, rows::columns},
    domain::{ChatId, Contact, ContactId, Epoch, Error, Result, Revision, fold},
};

const HEAD: &str = "SELECT epoch, revision, contacts, last_id, pruned FROM book";
const GET: &str =
    concat!("SELECT ", columns!(), " FROM contact WHERE id = (SELECT contact_id FROM identity WHERE chat_id = ?1)");

pub(super) fn head(connection: &Connection) -> Result<Head> {
    let row = connection.prepare_cached(HEAD).and_then(|mut statement| {
        statement
            .query_row([], |row| {
                Ok(Head {
                    epoch: Epoch(row.get(0)?),
                    revision: Revision::new(row.get(1)?),
                    contacts: row.get(2)?,
                    last_id: ContactId(row.get(3)?),
                    pruned: Revision::new(row.get(4)?),
                })
            })
            .optional()
    });
    // A file without its head is the rest of a creation that was cut off, or damaged.
    row.map_err(fault::meaning)?.ok_or(Error::Quarantined)
}

pub(super) fn get(connection: &Connection, id: &ChatId) -> Result<Option<Contact>> {
    let mut statement = connection.prepare_cached(GET).map_err(fault::meaning)?;
    statement.query_row([id.to_string()], rows::contact).optional().map_err(fault::meaning)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    ChatId,
    /// The shown name, folded.
    Name,
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

#[derive(Debug, Clone, Default)]
pub struct PageQuery {
    pub sort: Option<Sort>,
    pub direction: Direction,
    /// Found anywhere in a name, number, e-mail or company, whatever its case and accents.
    pub search: Option<String>,
    pub limit: u32,
    pub offset: u64,
    /// Takes the place of `offset`, and costs the same at any depth.
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
            Self::Created => "c.id",
            Self::Updated => "c.revision",
            Self::LastMessage => "coalesce(c.last_message_at, -9223372036854775808)",
        }
    }

    fn table(self) -> &'static str {
        match self {
            // `identity` is ordered by chat id on disk.
            Self::ChatId => "identity i CROSS JOIN contact c ON c.id = i.contact_id AND i.shown = 1",
            _ => "contact c",
        }
    }
}

/// Reads a book beside its writer; sees what was committed when each question was asked.
pub struct Reader {
    pub(super) connection: Connection,
}

impl Reader {
    pub(super) fn open(path: &Path) -> Result<Self> {
        Ok(Self { connection: connection::open_for_reading(path)? })
    }

    pub fn head(&self) -> Result<Head> {
        head(&self.connection)
    }

    pub fn get(&self, id: &ChatId) -> Result<Option<Contact>> {
        get(&self.connection, id)
    }

    pub fn page(&self, query: &PageQuery) -> Result<Page> {
        let snapshot = self.connection.unchecked_transaction().map_err(fault::meaning)?;
        let needle = query.search.as_deref().and_then(needle);
        let total = match &needle {
            None => head(&snapshot)?.contacts,
            Some(needle) => snapshot
                .prepare_cached("SELECT count(*) FROM contact c WHERE instr(c.search_key, ?1) > 0")
                .and_then(|mut statement| statement.query_row([needle], |row| row.get(0)))
                .map_err(fault::meaning)?,
        };
        let sort = query.sort.unwrap_or(Sort::Created);
        let mut statement = snapshot.prepare_cached(&select(query, sort)).map_err(fault::meaning)?;
        let (key, id) = query.after.clone().map_or((Value::Null, 0), |cursor| (cursor.key, cursor.id));
        let offset = if query.after.is_some() { 0 } else { query.offset };
        // One row more than asked tells whether there is a next page.
        let one_more = u64::from(query.limit) + 1;
        let listed = statement
            .query_map(params![needle, key, id, one_more, i64::try_from(offset).unwrap_or(i64::MAX)], |row| {
                Ok((rows::contact(row)?, row.get::<_, Value>("sort_value")?))
            })
            .and_then(Iterator::collect::<rusqlite::Result<Vec<_>>>)
            .map_err(fault::meaning)?;
        let next = (listed.len() as u64 == one_more)
            .then(|| listed.iter().nth_back(1))
            .flatten()
            .map(|(contact, key)| Cursor { key: key.clone(), id: contact.id.0 });
        let contacts = listed.into_iter().take(query.limit as usize).map(|(contact, _)| contact).collect();
        Ok(Page { contacts, next, total })
    }

    /// What is wrong with the file or with its sums, a sentence each.
    pub fn check(&self) -> Result<Vec<String>> {
        let mut wrong: Vec<String> = self
            .connection
            .prepare("PRAGMA integrity_check(20)")
            .and_then(|mut statement| statement.query_map([], |row| row.get(0))?.collect())
            .map_err(fault::meaning)?;
        wrong.retain(|line| line != "ok");
        for (question, complaint) in CHECKS {
            let count: i64 = self.connection.query_row(question, [], |row| row.get(0)).map_err(fault::meaning)?;
            if count != 0 {
                wrong.push(format!("{complaint} ({count})"));
            }
        }
        Ok(wrong)
    }

    /// Writes a consistent copy of the book into a folder that has none, while it is being written to.
    pub fn copy_to(&self, folder: &Path) -> Result<()> {
        connection::copy(&self.connection, &folder.join(super::FILE))
    }
}

/// Sums that must come out at zero.
const CHECKS: [(&str, &str); 5] = [
    ("SELECT (SELECT count(*) FROM contact) - (SELECT contacts FROM book)", "the contact count is off"),
    ("SELECT count(*) FROM contact WHERE revision > (SELECT revision FROM book)", "contacts are ahead of the book"),
    ("SELECT count(*) FROM contact WHERE id > (SELECT last_id FROM book)", "contact ids are ahead of the book"),
    (
        "SELECT count(*) FROM contact c WHERE 1 <> (SELECT count(*) FROM identity i WHERE i.contact_id = c.id AND shown)",
        "contacts are not listed under exactly one chat id",
    ),
    ("SELECT count(*) FROM pragma_foreign_key_check()", "chat ids lead nowhere"),
];

/// The folded text to look for. Something that looks like a phone number is looked for by its digits.
fn needle(search: &str) -> Option<String> {
    let folded = fold(search.trim());
    let digits: String = folded.chars().filter(char::is_ascii_digit).collect();
    let is_number = !digits.is_empty() && folded.chars().all(|c| c.is_ascii_digit() || "+-.() ".contains(c));
    let needle = if is_number { digits } else { folded };
    (!needle.is_empty()).then_some(needle)
}

fn select(query: &PageQuery, sort: Sort) -> String {
    let (key, table) = (sort.key(), sort.table());
    let (order, beyond) = match query.direction {
        Direction::Ascending => ("ASC", ">"),
        Direction::Descending => ("DESC", "<"),
    };
    let columns = columns!().split(", ").map(|column| format!("c.{column}")).collect::<Vec<_>>().join(", ");
    let matches = match query.search.as_deref().and_then(needle) {
        Some(_) => "instr(c.search_key, ?1) > 0",
        None => "?1 IS NULL",
    };
    let position = match query.after {
        Some(_) => format!("({key}, c.id) {beyond} (?2, ?3)"),
        None => "?2 IS NULL AND ?3 = 0".to_owned(),
    };
    format!(
        "SELECT {columns}, {key} AS sort_value FROM {table} WHERE {matches} AND {position} \
         ORDER BY {key} {order}, c.id {order} LIMIT ?4 OFFSET ?5"
    )
}
