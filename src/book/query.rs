//! Reading a book: one contact, a page by number, the next page after a cursor, the counts that match them.
//! Every list is in one total order: the sort, then the contact id.

use std::path::Path;

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use rusqlite::{Connection, OptionalExtension, ToSql, params_from_iter, types::Value};

use crate::{
    book::{Filter, Head, connection, fault, rows, rows::columns, schema},
    domain::{Contact, ContactId, Epoch, Error, Result, Revision, Who, fold},
};

const HEAD: &str = "SELECT epoch, revision, contacts, last_id, pruned FROM book";
const BY_CHAT_ID: &str =
    concat!("SELECT ", columns!(), " FROM contact WHERE id = (SELECT contact_id FROM identity WHERE chat_id = ?1)");
const BY_ID: &str = concat!("SELECT ", columns!(), " FROM contact WHERE id = ?1");
const BY_UUID: &str = concat!("SELECT ", columns!(), " FROM contact WHERE uuid BETWEEN ?1 AND ?2 LIMIT 1");
const BY_OLD_ID: &str =
    concat!("SELECT ", columns!(), " FROM contact WHERE id = (SELECT survivor FROM alias WHERE contact_id = ?1)");
const BY_OLD_UUID: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM contact WHERE id = (SELECT survivor FROM alias WHERE uuid BETWEEN ?1 AND ?2 LIMIT 1)"
);
const BY_EMAIL: &str = "SELECT id FROM contact WHERE email_key = ?1";

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

pub(super) fn get(connection: &Connection, who: &Who) -> Result<Option<Contact>> {
    let one = |sql, params: &[&dyn ToSql]| {
        let mut statement = connection.prepare_cached(sql).map_err(fault::meaning)?;
        statement.query_row(params, rows::contact).optional().map_err(fault::meaning)
    };
    // A number whose contact became one with another leads to that one, to whoever asks and in every dialect: a client that
    // kept WA.cr's integer or SuperWABA's id goes on working, and is answered with the survivor's own numbers. It is no
    // redirect of HTTP and no 404: no vendor documents either for a contact, and the person is the same.
    let either = |sql, old_sql, params: &[&dyn ToSql]| match one(sql, params)? {
        Some(contact) => Ok(Some(contact)),
        None => one(old_sql, params),
    };
    match who {
        Who::Chat(id) => one(BY_CHAT_ID, &[&id.to_string()]),
        Who::Id(id) => either(BY_ID, BY_OLD_ID, &[&id.0]),
        Who::Uuid(uuid) => either(BY_UUID, BY_OLD_UUID, &[uuid, uuid]),
        Who::Vendor(id) => {
            let (first, last) = id.range();
            either(BY_UUID, BY_OLD_UUID, &[&first, &last])
        }
    }
}

/// As `get`, for many: the statement for chat ids is looked up once.
pub(super) fn get_many(connection: &Connection, whom: &[Who]) -> Result<Vec<Option<Contact>>> {
    // One snapshot for all: without it, every statement takes and gives back the file's locks by itself.
    let _snapshot = (whom.len() > 1).then(|| connection.unchecked_transaction()).transpose().map_err(fault::meaning)?;
    let mut by_chat_id = None;
    let mut found = Vec::with_capacity(whom.len());
    for who in whom {
        found.push(match who {
            Who::Chat(id) => {
                let statement = match &mut by_chat_id {
                    Some(statement) => statement,
                    None => by_chat_id.insert(connection.prepare_cached(BY_CHAT_ID).map_err(fault::meaning)?),
                };
                statement.query_row([id.to_string()], rows::contact).optional().map_err(fault::meaning)?
            }
            other => get(connection, other)?,
        });
    }
    Ok(found)
}

pub(super) fn with_email(connection: &Connection, email: &str) -> Result<Vec<ContactId>> {
    let mut statement = connection.prepare_cached(BY_EMAIL).map_err(fault::meaning)?;
    let ids = statement.query_map([fold(email)], |row| row.get(0).map(ContactId)).map_err(fault::meaning)?;
    ids.collect::<rusqlite::Result<_>>().map_err(fault::meaning)
}

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
    is_still: bool,
}

impl Reader {
    pub(super) fn open(path: &Path) -> Result<Self> {
        Ok(Self { connection: connection::open_for_reading(path)?, is_still: false })
    }

    /// Reads a book that nobody writes to as long as this lives, taking no space: `Full` if it cannot be read so.
    pub fn open_still(folder: &Path) -> Result<Self> {
        let reader = Self { connection: connection::open_still(&folder.join(super::FILE))?, is_still: true };
        // What it reads must be a book of this version: migrating needs space.
        if schema::BOOK.is_present(&reader.connection)? { Ok(reader) } else { Err(Error::Full) }
    }

    /// Whether the book must not be written to while this lives.
    pub fn is_still(&self) -> bool {
        self.is_still
    }

    pub fn head(&self) -> Result<Head> {
        head(&self.connection)
    }

    pub fn get(&self, who: &Who) -> Result<Option<Contact>> {
        get(&self.connection, who)
    }

    pub fn get_many(&self, whom: &[Who]) -> Result<Vec<Option<Contact>>> {
        get_many(&self.connection, whom)
    }

    pub fn page(&self, query: &PageQuery) -> Result<Page> {
        let snapshot = self.connection.unchecked_transaction().map_err(fault::meaning)?;
        let matching = Matching::of(query);
        let total = if matching.is_everything() { head(&snapshot)?.contacts } else { matching.count(&snapshot)? };
        let (sql, params) = matching.select(query);
        let listed = snapshot
            .prepare_cached(&sql)
            .and_then(|mut statement| {
                let rows = statement.query_map(params_from_iter(params), |row| {
                    Ok((rows::contact(row)?, row.get::<_, Value>("sort_value")?))
                })?;
                rows.collect::<rusqlite::Result<Vec<_>>>()
            })
            .map_err(fault::meaning)?;
        // One row more than asked was read, to know whether there is a next page.
        let limit = query.limit as usize;
        let next = (listed.len() > limit && query.sort.len() <= 1)
            .then(|| listed.get(limit.checked_sub(1)?))
            .flatten()
            .map(|(contact, key)| Cursor { key: key.clone(), id: contact.id.0 });
        let contacts = listed.into_iter().take(limit).map(|(contact, _)| contact).collect();
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

    /// Writes a consistent copy of the book into a folder that has none, while it is being written to. It has an epoch of
    /// its own: once it is written to, its revisions mean something else than the same numbers here.
    pub fn copy_to(&self, folder: &Path) -> Result<()> {
        connection::copy(&self.connection, &folder.join(super::FILE), |copy| {
            copy.execute("UPDATE book SET epoch = ?1", [uuid::Uuid::now_v7()]).map(drop)
        })
    }
}

/// Sums that must come out at zero.
const CHECKS: [(&str, &str); 9] = [
    (
        "SELECT (SELECT count(*) FROM membership) - (SELECT count(*) FROM contact c, json_each(c.groups))",
        "group memberships are off",
    ),
    ("SELECT (SELECT count(*) FROM contact) - (SELECT contacts FROM book)", "the contact count is off"),
    ("SELECT count(*) FROM contact WHERE revision > (SELECT revision FROM book)", "contacts are ahead of the book"),
    ("SELECT count(*) FROM contact WHERE id > (SELECT last_id FROM book)", "contact ids are ahead of the book"),
    (
        "SELECT count(*) FROM contact c WHERE 1 <> (SELECT count(*) FROM identity i WHERE i.contact_id = c.id AND shown)",
        "contacts are not listed under exactly one chat id",
    ),
    ("SELECT count(*) FROM pragma_foreign_key_check()", "chat ids lead nowhere"),
    (
        "SELECT count(*) FROM contact c WHERE (c.phone IS NULL) + (c.lid IS NULL)
            <> 2 - (SELECT count(*) FROM identity i WHERE i.contact_id = c.id)",
        "chat ids and contacts do not agree",
    ),
    (
        "SELECT count(*) FROM contact c WHERE c.phone IS NOT NULL AND c.lid IS NOT NULL
            AND NOT EXISTS (SELECT 1 FROM mapping m WHERE m.lid = c.lid AND m.phone = c.phone AND m.current = 1)",
        "contacts are one without a mapping",
    ),
    (
        "SELECT count(*) FROM mapping m JOIN identity p ON p.chat_id = m.phone || '@c.us'
            JOIN identity l ON l.chat_id = m.lid || '@lid' WHERE m.current = 1 AND p.contact_id <> l.contact_id",
        "one person is in the book twice",
    ),
];

/// The folded text to look for. Something that looks like a phone number is looked for by its digits.
fn needle(search: &str) -> Option<String> {
    let folded = fold(search.trim());
    let digits: String = folded.chars().filter(char::is_ascii_digit).collect();
    let is_number = !digits.is_empty() && folded.chars().all(|c| c.is_ascii_digit() || "+-.() ".contains(c));
    let needle = if is_number { digits } else { folded };
    (!needle.is_empty()).then_some(needle)
}

/// Which contacts a query is about, as SQL and its parameters.
struct Matching {
    conditions: Vec<String>,
    params: Vec<Value>,
}

impl Matching {
    fn of(query: &PageQuery) -> Self {
        let mut matching = Self { conditions: Vec::new(), params: Vec::new() };
        if let Some(needle) = query.search.as_deref().and_then(needle) {
            matching.conditions.push("instr(c.search_key, ?) > 0".to_owned());
            matching.params.push(Value::Text(needle));
        }
        for filter in &query.filters {
            filter.write(&mut matching.conditions, &mut matching.params);
        }
        matching
    }

    fn is_everything(&self) -> bool {
        self.conditions.is_empty()
    }

    fn count(&self, connection: &Connection) -> Result<u64> {
        let sql = format!("SELECT count(*) FROM contact c WHERE {}", self.conditions.join(" AND "));
        connection
            .prepare_cached(&sql)
            .and_then(|mut statement| statement.query_row(params_from_iter(&self.params), |row| row.get(0)))
            .map_err(fault::meaning)
    }

    fn select(&self, query: &PageQuery) -> (String, Vec<Value>) {
        let by_creation = [(Sort::Created, Direction::Ascending)];
        let sorts = if query.sort.is_empty() { &by_creation } else { query.sort.as_slice() };
        let (first, direction) = sorts[0];
        let key = first.key();
        let (mut conditions, mut params) = (self.conditions.clone(), self.params.clone());
        let mut offset = query.offset;
        if let (Some(cursor), [_]) = (&query.after, sorts) {
            let beyond = if direction == Direction::Ascending { ">" } else { "<" };
            conditions.push(format!("({key}, c.id) {beyond} (?, ?)"));
            params.extend([cursor.key.clone(), Value::Integer(cursor.id)]);
            offset = 0;
        }
        let table = if sorts.iter().any(|(sort, _)| *sort == Sort::ChatId) { Sort::ChatId } else { first }.table();
        let condition = if conditions.is_empty() { "1".to_owned() } else { conditions.join(" AND ") };
        let mut order: Vec<_> =
            sorts.iter().map(|(sort, direction)| format!("{} {}", sort.key(), direction.sql())).collect();
        order.push(format!("c.id {}", direction.sql()));
        params.extend([
            Value::Integer(i64::from(query.limit) + 1),
            Value::Integer(i64::try_from(offset).unwrap_or(i64::MAX)),
        ]);
        let columns = columns!().split(", ").map(|column| format!("c.{column}")).collect::<Vec<_>>().join(", ");
        let sql = format!(
            "SELECT {columns}, {key} AS sort_value FROM {table} WHERE {condition} ORDER BY {} LIMIT ? OFFSET ?",
            order.join(", ")
        );
        (sql, params)
    }
}

impl Direction {
    fn sql(self) -> &'static str {
        match self {
            Self::Ascending => "ASC",
            Self::Descending => "DESC",
        }
    }
}
