//! Which chat ids lead to which contact, and the mappings between LIDs and phones that follow from it.

use rusqlite::{CachedStatement, Connection, OptionalExtension, params};

use crate::{
    book::{Reader, fault},
    domain::{ChatId, Contact, ContactId, Result, Source},
};

// A chat id that is known already keeps the time and source at which it was learned.
const LEARN: &str = "
    INSERT INTO identity (chat_id, contact_id, kind, shown, learned_at, source) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
    ON CONFLICT (chat_id) DO UPDATE SET contact_id = excluded.contact_id, shown = excluded.shown
        WHERE contact_id <> excluded.contact_id OR shown <> excluded.shown";

/// The statement with which chat ids are learned; looked up once for many contacts.
pub(super) fn learner(connection: &Connection) -> Result<CachedStatement<'_>> {
    connection.prepare_cached(LEARN).map_err(fault::meaning)
}

pub(super) fn learn(learner: &mut CachedStatement<'_>, contact: &Contact, source: &Source) -> Result<()> {
    for (place, id) in contact.chat_ids().enumerate() {
        let kind = if id.is_phone() { "phone" } else { "lid" };
        let learned_at = contact.updated_at.millis();
        learner
            .execute(params![id.to_string(), contact.id.0, kind, place == 0, learned_at, source.as_str()])
            .map_err(fault::meaning)?;
    }
    Ok(())
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

/// A LID and the phone it is known to belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mapping {
    pub lid: ChatId,
    pub phone: ChatId,
}

const MAPPINGS: &str = "
    SELECT c.lid, c.phone FROM identity i JOIN contact c ON c.id = i.contact_id
    WHERE i.kind = 'lid' AND c.phone IS NOT NULL ORDER BY i.chat_id LIMIT ?1 OFFSET ?2";
const COUNT: &str = "
    SELECT count(*) FROM identity i JOIN contact c ON c.id = i.contact_id
    WHERE i.kind = 'lid' AND c.phone IS NOT NULL";
const MAPPING: &str = "
    SELECT c.lid, c.phone FROM identity i JOIN contact c ON c.id = i.contact_id
    WHERE i.chat_id = ?1 AND c.lid IS NOT NULL AND c.phone IS NOT NULL";

impl Reader {
    /// The known mappings, by LID.
    pub fn mappings(&self, limit: u32, offset: u64) -> Result<Vec<Mapping>> {
        let mut statement = self.connection.prepare_cached(MAPPINGS).map_err(fault::meaning)?;
        let rows = statement.query_map(params![limit, offset], mapping).map_err(fault::meaning)?;
        rows.collect::<Result<_, _>>().map_err(fault::meaning)
    }

    pub fn mapping_count(&self) -> Result<u64> {
        let mut statement = self.connection.prepare_cached(COUNT).map_err(fault::meaning)?;
        statement.query_row([], |row| row.get(0)).map_err(fault::meaning)
    }

    /// The mapping in which this LID or phone stands.
    pub fn mapping(&self, id: &ChatId) -> Result<Option<Mapping>> {
        let mut statement = self.connection.prepare_cached(MAPPING).map_err(fault::meaning)?;
        statement.query_row([id.to_string()], mapping).optional().map_err(fault::meaning)
    }
}

fn mapping(row: &rusqlite::Row<'_>) -> rusqlite::Result<Mapping> {
    let (lid, phone) = (super::rows::digits(row, 0, ChatId::lid)?, super::rows::digits(row, 1, ChatId::phone)?);
    let (Some(lid), Some(phone)) = (lid, phone) else { unreachable!("the statement asks for both") };
    Ok(Mapping { lid: ChatId::Lid(lid), phone: ChatId::Phone(phone) })
}
