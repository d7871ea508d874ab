//! Reading a book: where it stands, one contact or many by what leads to them, and whether all is well with it. Leaves
//! out lists (list).

use std::{path::Path, sync::Arc};

use rusqlite::{Connection, OptionalExtension, ToSql, params};

use crate::{
    book::{
        Changed, Head,
        cache::{Cache, MOST_OF_READER},
        connection, fault,
        kept::Kept,
        rows,
        rows::columns,
        schema, search,
    },
    domain::{Contact, ContactId, Epoch, Error, Result, Revision, Who, fold},
};

const HEAD: &str = "SELECT epoch, revision, contacts, last_id, pruned, mark FROM book";
const BY_CHAT_ID: &str =
    concat!("SELECT ", columns!(), " FROM contact WHERE id = (SELECT contact_id FROM identity WHERE chat_id = ?1)");
pub(super) const BY_ID: &str = concat!("SELECT ", columns!(), " FROM contact WHERE id = ?1");
const BY_UUID: &str = concat!("SELECT ", columns!(), " FROM contact WHERE uuid BETWEEN ?1 AND ?2 LIMIT 1");
const BY_OLD_ID: &str =
    concat!("SELECT ", columns!(), " FROM contact WHERE id = (SELECT survivor FROM alias WHERE contact_id = ?1)");
const BY_OLD_UUID: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM contact WHERE id = (SELECT survivor FROM alias WHERE uuid BETWEEN ?1 AND ?2 LIMIT 1)"
);
const BY_EMAIL: &str = "SELECT id FROM contact WHERE email_key = ?1";

const BYTES: &str = "SELECT (page_count - freelist_count) * page_size
    FROM pragma_page_count, pragma_freelist_count, pragma_page_size";

/// What lies in the file and is not free to be used again.
pub(super) fn bytes(connection: &Connection) -> Result<u64> {
    let asked = connection.prepare_cached(BYTES).and_then(|mut statement| statement.query_row([], |row| row.get(0)));
    asked.map_err(fault::meaning)
}

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
                    mark: row.get(5)?,
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
    let is_alone = whom.len() > 1 && connection.is_autocommit();
    let _snapshot = is_alone.then(|| connection.unchecked_transaction()).transpose().map_err(fault::meaning)?;
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

/// Reads a book beside its writer; sees what was committed when each question was asked.
pub struct Reader {
    pub(super) connection: Connection,
    pub(super) kept: Arc<Kept>,
    cache: Cache,
    is_still: bool,
}

impl Reader {
    /// `kept` is what all readers of the book share.
    pub(super) fn open(path: &Path, kept: Arc<Kept>) -> Result<Self> {
        let connection = connection::open_for_reading(path)?;
        Ok(Self { connection, kept, cache: Cache::new(MOST_OF_READER), is_still: false })
    }

    /// Reads a book that nobody writes to as long as this lives, taking no space: `Full` if it cannot be read so.
    pub fn open_still(folder: &Path) -> Result<Self> {
        let connection = connection::open_still(&folder.join(super::FILE))?;
        // What it reads must be a book of this version: migrating needs space.
        if !schema::BOOK.is_present(&connection)? {
            return Err(Error::Full);
        }
        Ok(Self { connection, kept: Arc::default(), cache: Cache::new(MOST_OF_READER), is_still: true })
    }

    /// Before it is asked: of the memory that all share it has no more than its part.
    pub fn fit(&self) -> Result<()> {
        self.cache.fit(&self.connection, 0)
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

    /// What is wrong with the file or with its sums, a sentence each.
    pub fn check(&self) -> Result<Vec<String>> {
        let damage = self.damage()?;
        if damage.is_empty() { self.sums() } else { Ok(damage) }
    }

    /// Where the file is not what was written, a sentence each: its structure is broken, or rows cannot be read. Whatever
    /// it answers from then on may be wrong.
    pub fn damage(&self) -> Result<Vec<String>> {
        let mut wrong: Vec<String> = self
            .connection
            .prepare("PRAGMA integrity_check(20)")
            .and_then(|mut statement| statement.query_map([], |row| row.get(0))?.collect())
            .map_err(fault::meaning)?;
        wrong.retain(|line| line != "ok");
        if wrong.is_empty() {
            match self.read_everything() {
                Err(Error::Internal(error)) => {
                    tracing::error!(%error, "a row cannot be read");
                    wrong.push("rows cannot be read".to_owned());
                }
                read => read?,
            }
        }
        Ok(wrong)
    }

    fn read_everything(&self) -> Result<()> {
        let mut after = Revision::default();
        loop {
            let changes = self.changes(after, 1000)?;
            after = changes.rows.last().map_or(after, Changed::revision);
            if !changes.is_truncated {
                return Ok(());
            }
        }
    }

    /// What does not come out as it must although everything can be read, a sentence each.
    pub fn sums(&self) -> Result<Vec<String>> {
        let mut wrong = Vec::new();
        for (question, complaint) in CHECKS {
            let count: i64 = self.connection.query_row(question, [], |row| row.get(0)).map_err(fault::meaning)?;
            if count != 0 {
                wrong.push(format!("{complaint} ({count})"));
            }
        }
        match search::disagreements(&self.connection)? {
            0 => {}
            count => wrong.push(format!("what search looks into is off ({count})")),
        }
        Ok(wrong)
    }

    /// Writes a consistent copy of the book into a folder that has none, while it is being written to. It has an epoch of
    /// its own: once it is written to, its revisions mean something else than the same numbers here.
    pub fn copy_to(&self, folder: &Path) -> Result<()> {
        connection::copy(&self.connection, &folder.join(super::FILE), |copy| {
            copy.execute("UPDATE book SET epoch = ?1, mark = ?2", params![uuid::Uuid::now_v7(), Head::draw_mark()])
                .map(drop)
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
