//! Which chat ids and numbers lead to which contact, and which chat ids were deleted when.

use rusqlite::{CachedStatement, Connection, OptionalExtension, Row, params};

use crate::{
    book::{Has, fault, rows},
    domain::{ChatId, Contact, ContactId, Moment, Result, Source},
};

// Almost always nobody has it yet. Apart from the other, which may change a row that others refer to: for that SQLite keeps
// a journal of its own beside each statement, and copies every page into it that the statement touches.
const LEARN: &str = "
    INSERT OR IGNORE INTO identity (chat_id, contact_id, kind, shown, learned_at, source) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";

// A chat id that is known already keeps the time and source at which it was learned.
const LEAD: &str = "
    INSERT INTO identity (chat_id, contact_id, kind, shown, learned_at, source) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
    ON CONFLICT (chat_id) DO UPDATE SET contact_id = excluded.contact_id, shown = excluded.shown
        WHERE contact_id <> excluded.contact_id OR shown <> excluded.shown";

/// Notes which chat ids lead to whom. The statement is looked up once for many contacts, and only when there is one.
pub(super) struct Learner<'c> {
    connection: &'c Connection,
    statement: Option<CachedStatement<'c>>,
}

impl<'c> Learner<'c> {
    pub(super) fn new(connection: &'c Connection) -> Self {
        Self { connection, statement: None }
    }

    pub(super) fn learn(&mut self, contact: &Contact, source: &Source) -> Result<()> {
        let statement = rows::kept(self.connection, &mut self.statement, LEARN)?;
        for (place, id) in contact.chat_ids().enumerate() {
            let kind = if id.is_phone() { "phone" } else { "lid" };
            let id = id.to_string();
            let row = params![id, contact.id.0, kind, place == 0, contact.updated_at.millis(), source.as_str()];
            let is_new = statement.execute(row).map_err(fault::meaning)? == 1;
            if !is_new {
                self.connection.prepare_cached(LEAD).and_then(|mut lead| lead.execute(row)).map_err(fault::meaning)?;
            }
        }
        Ok(())
    }
}

const FORGET: &str = "DELETE FROM identity WHERE contact_id = ?1";

pub(super) fn forget(connection: &Connection, contact: ContactId) -> Result<()> {
    connection.prepare_cached(FORGET).and_then(|mut s| s.execute([contact.0])).map_err(fault::meaning)?;
    Ok(())
}

const FORGET_OTHERS: &str = "DELETE FROM identity WHERE contact_id = ?1 AND chat_id NOT IN (?2, ?3)";

/// After a contact got another phone: its old one no longer leads to it.
pub(super) fn forget_others(connection: &Connection, contact: &Contact) -> Result<()> {
    let mut ids = contact.chat_ids().map(|id| id.to_string());
    let (first, second) = (ids.next(), ids.next().unwrap_or_default());
    connection
        .prepare_cached(FORGET_OTHERS)
        .and_then(|mut statement| statement.execute(params![contact.id.0, first, second]))
        .map_err(fault::meaning)?;
    Ok(())
}

/// What the book has any of.
pub(super) fn has(connection: &Connection) -> Result<Has> {
    let sql = "SELECT has_lids, EXISTS (SELECT 1 FROM mapping), EXISTS (SELECT 1 FROM deletion) FROM book";
    let has = |row: &Row<'_>| Ok(Has { lids: row.get(0)?, mappings: row.get(1)?, deletions: row.get(2)? });
    connection.query_row(sql, [], has).map_err(fault::meaning)
}

/// The first LID of a book is noted, once.
pub(super) fn note_lid(connection: &Connection, contact: &Contact, has: &mut Has) -> Result<()> {
    if contact.lid.is_some() && !has.lids {
        connection.execute("UPDATE book SET has_lids = 1", []).map_err(fault::meaning)?;
        has.lids = true;
    }
    Ok(())
}

const REDIRECT: &str = "INSERT INTO alias (contact_id, uuid, survivor) VALUES (?1, ?2, ?3)";
// Who was led to the one that goes is led on.
const LEAD_ON: &str = "UPDATE alias SET survivor = ?2 WHERE survivor = ?1";
const FORGET_ALIASES: &str = "DELETE FROM alias WHERE survivor = ?1";

/// The numbers of a contact that became one with another lead there.
pub(super) fn redirect(connection: &Connection, gone: &Contact, survivor: ContactId) -> Result<()> {
    connection
        .prepare_cached(LEAD_ON)
        .and_then(|mut statement| statement.execute([gone.id.0, survivor.0]))
        .and_then(|_| connection.prepare_cached(REDIRECT))
        .and_then(|mut statement| statement.execute(params![gone.id.0, gone.uuid, survivor.0]))
        .map_err(fault::meaning)?;
    Ok(())
}

pub(super) fn forget_aliases(connection: &Connection, survivor: ContactId) -> Result<()> {
    connection.prepare_cached(FORGET_ALIASES).and_then(|mut s| s.execute([survivor.0])).map_err(fault::meaning)?;
    Ok(())
}

const NOTE_DELETION: &str = "INSERT INTO deletion (chat_id, deleted_at) VALUES (?1, ?2)
    ON CONFLICT (chat_id) DO UPDATE SET deleted_at = max(deleted_at, excluded.deleted_at)";
const DELETED_AT: &str = "SELECT deleted_at FROM deletion WHERE chat_id = ?1";

pub(super) fn note_deletion(connection: &Connection, id: &ChatId, at: Moment) -> Result<()> {
    connection
        .prepare_cached(NOTE_DELETION)
        .and_then(|mut statement| statement.execute(params![id.to_string(), at.millis()]))
        .map_err(fault::meaning)?;
    Ok(())
}

pub(super) fn deleted_at(connection: &Connection, id: &ChatId) -> Result<Option<Moment>> {
    connection
        .prepare_cached(DELETED_AT)
        .and_then(|mut statement| {
            statement.query_row([id.to_string()], |row| row.get(0).map(Moment::from_millis)).optional()
        })
        .map_err(fault::meaning)
}
