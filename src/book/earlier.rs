//! Saved names that were replaced: the newest sixteen of each contact, so that a rename can be understood and undone.

use rusqlite::{Connection, Row, params};

use crate::{
    book::{Reader, fault::meaning},
    domain::{ContactId, Moment, NamePart, Result, Revision, Saved, Source, Stamp},
};

const KEPT: u32 = 16;

/// A saved name that was replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EarlierName {
    pub saved: Saved,
    /// With which it was replaced.
    pub revision: Revision,
}

const OUTDATE: &str = "INSERT OR REPLACE INTO earlier_name (contact_id, revision, first, last, saved_at, source)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
const TRIM: &str = "DELETE FROM earlier_name WHERE contact_id = ?1 AND revision <=
    (SELECT revision FROM earlier_name WHERE contact_id = ?1 ORDER BY revision DESC LIMIT 1 OFFSET ?2)";
const HAND_OVER: &str = "UPDATE OR REPLACE earlier_name SET contact_id = ?2 WHERE contact_id = ?1";
const FORGET: &str = "DELETE FROM earlier_name WHERE contact_id = ?1";
const OF: &str = "SELECT first, last, saved_at, source, revision FROM earlier_name
    WHERE contact_id = ?1 ORDER BY revision DESC LIMIT ?2";

pub(super) fn outdate(connection: &Connection, contact: ContactId, revision: Revision, saved: &Saved) -> Result<()> {
    let by = saved.by.as_ref();
    connection
        .prepare_cached(OUTDATE)
        .and_then(|mut statement| {
            statement.execute(params![
                contact.0,
                revision.number(),
                saved.first.as_ref().map(NamePart::as_str),
                saved.last.as_ref().map(NamePart::as_str),
                by.map_or(0, |by| by.at.millis()),
                by.map_or("unknown", Stamp::word)
            ])
        })
        .map_err(meaning)?;
    trim(connection, contact)
}

/// The names of two contacts that became one are one history.
pub(super) fn hand_over(connection: &Connection, from: ContactId, to: ContactId) -> Result<()> {
    let moved = connection
        .prepare_cached(HAND_OVER)
        .and_then(|mut statement| statement.execute([from.0, to.0]))
        .map_err(meaning)?;
    if moved > 0 { trim(connection, to) } else { Ok(()) }
}

pub(super) fn forget(connection: &Connection, contact: ContactId) -> Result<()> {
    connection.prepare_cached(FORGET).and_then(|mut statement| statement.execute([contact.0])).map_err(meaning)?;
    Ok(())
}

fn trim(connection: &Connection, contact: ContactId) -> Result<()> {
    connection.prepare_cached(TRIM).and_then(|mut s| s.execute(params![contact.0, KEPT])).map_err(meaning)?;
    Ok(())
}

pub(super) fn of(connection: &Connection, contact: ContactId) -> Result<Vec<EarlierName>> {
    let mut statement = connection.prepare_cached(OF).map_err(meaning)?;
    let names = statement.query_map(params![contact.0, KEPT], earlier_name).map_err(meaning)?;
    names.collect::<rusqlite::Result<_>>().map_err(meaning)
}

impl Reader {
    /// The saved names that a contact had before, newest first.
    pub fn earlier_names(&self, contact: ContactId) -> Result<Vec<EarlierName>> {
        of(&self.connection, contact)
    }
}

fn earlier_name(row: &Row<'_>) -> rusqlite::Result<EarlierName> {
    let part = |place| row.get::<_, Option<Box<str>>>(place).map(|text| text.map(NamePart::trusted));
    let source = row.get_ref(3)?.as_str()?.parse().unwrap_or(Source::known("unknown"));
    let by = Some(Stamp { at: Moment::from_millis(row.get(2)?), source });
    Ok(EarlierName { saved: Saved { first: part(0)?, last: part(1)?, by }, revision: Revision::new(row.get(4)?) })
}
