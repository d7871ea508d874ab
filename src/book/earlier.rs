//! Saved names that were replaced: the newest sixteen of each contact, so that a rename can be understood and undone. They
//! lie at the end of the contact's own row.

use rusqlite::{Connection, OptionalExtension, params};

use crate::{
    book::{Reader, fault::meaning},
    domain::{ContactId, Error, Moment, NamePart, Result, Revision, Saved, Source, Stamp},
};

/// A saved name that was replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EarlierName {
    pub saved: Saved,
    /// With which it was replaced.
    pub revision: Revision,
}

/// As it is stored: first, last, when it was saved, by whom, and the revision with which it was replaced.
type Stored = (Option<Box<str>>, Option<Box<str>>, i64, String, u64);

const OUTDATE: &str = "
    UPDATE contact SET earlier = (
        SELECT json_group_array(json(value) ORDER BY place) FROM (
            SELECT ?2 AS value, -1 AS place UNION ALL SELECT value, key FROM json_each(coalesce(earlier, '[]'))
            ORDER BY place LIMIT 16))
    WHERE id = ?1";
const HAND_OVER: &str = "
    UPDATE contact SET earlier = (
        SELECT json_group_array(json(value) ORDER BY revision DESC) FROM (
            SELECT value, json_extract(value, '$[4]') AS revision FROM json_each(coalesce(contact.earlier, '[]'))
            UNION ALL SELECT value, json_extract(value, '$[4]') FROM json_each(other.earlier)
            ORDER BY revision DESC LIMIT 16))
    FROM (SELECT earlier FROM contact WHERE id = ?1 AND earlier IS NOT NULL) AS other
    WHERE contact.id = ?2";
const OF: &str = "SELECT earlier FROM contact WHERE id = ?1";

pub(super) fn outdate(connection: &Connection, contact: ContactId, revision: Revision, saved: &Saved) -> Result<()> {
    let part = |part: &Option<NamePart>| part.as_ref().map(|name| name.as_str().into());
    let (at, source) = saved.by.as_ref().map_or((0, "unknown"), |by| (by.at.millis(), by.word()));
    let stored: Stored = (part(&saved.first), part(&saved.last), at, source.to_owned(), revision.number());
    let stored = serde_json::to_string(&stored).map_err(Error::internal)?;
    connection
        .prepare_cached(OUTDATE)
        .and_then(|mut statement| statement.execute(params![contact.0, stored]))
        .map_err(meaning)?;
    Ok(())
}

/// The names of two contacts that became one are one history.
pub(super) fn hand_over(connection: &Connection, from: ContactId, to: ContactId) -> Result<()> {
    connection
        .prepare_cached(HAND_OVER)
        .and_then(|mut statement| statement.execute([from.0, to.0]))
        .map_err(meaning)?;
    Ok(())
}

pub(super) fn of(connection: &Connection, contact: ContactId) -> Result<Vec<EarlierName>> {
    let stored: Option<Option<String>> = connection
        .prepare_cached(OF)
        .and_then(|mut statement| statement.query_row([contact.0], |row| row.get(0)).optional())
        .map_err(meaning)?;
    let Some(stored) = stored.flatten() else { return Ok(Vec::new()) };
    let stored: Vec<Stored> = serde_json::from_str(&stored).map_err(Error::internal)?;
    Ok(stored.into_iter().map(earlier_name).collect())
}

impl Reader {
    /// The saved names that a contact had before, newest first.
    pub fn earlier_names(&self, contact: ContactId) -> Result<Vec<EarlierName>> {
        of(&self.connection, contact)
    }
}

fn earlier_name((first, last, at, source, revision): Stored) -> EarlierName {
    let source = source.parse().unwrap_or(Source::known("unknown"));
    let by = Some(Stamp { at: Moment::from_millis(at), source });
    let part = |text: Option<Box<str>>| text.map(NamePart::trusted);
    EarlierName { saved: Saved { first: part(first), last: part(last), by }, revision: Revision::new(revision) }
}
