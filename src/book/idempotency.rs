//! Idempotency keys: what a request under a key has brought about, kept for a day in the transaction that brought it
//! about, so that a repeated request is answered and not carried out.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};

use crate::{
    book::fault,
    domain::{Change, ContactId, IdempotencyKey, Moment, Result, Revision},
};

const KEPT: Duration = Duration::from_secs(24 * 3600);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Done {
    pub change: Change,
    pub contact: ContactId,
    pub revision: Revision,
}

// A key that has had its day may stand there still, until it is swept.
const REMEMBER: &str = "INSERT OR REPLACE INTO idempotency (key, fingerprint, change, contact_id, revision, used_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
// A few at a time, so that no request pays for many.
const FORGET: &str = "DELETE FROM idempotency WHERE key IN
    (SELECT key FROM idempotency WHERE used_at < ?1 ORDER BY used_at LIMIT 16)";
const RECALL: &str = "SELECT fingerprint, change, contact_id, revision FROM idempotency
    WHERE key = ?1 AND used_at >= ?2";

pub(super) fn remember(connection: &Connection, key: &IdempotencyKey, done: &Done, at: Moment) -> Result<()> {
    connection
        .prepare_cached(FORGET)
        .and_then(|mut statement| statement.execute([oldest(at)]))
        .and_then(|_| connection.prepare_cached(REMEMBER))
        .and_then(|mut statement| {
            statement.execute(params![
                key.key,
                key.fingerprint,
                done.change.word(),
                done.contact.0,
                done.revision.number(),
                at.millis()
            ])
        })
        .map_err(fault::meaning)?;
    Ok(())
}

pub(super) fn recall(connection: &Connection, key: &str, at: Moment) -> Result<Option<([u8; 32], Done)>> {
    connection
        .prepare_cached(RECALL)
        .and_then(|mut statement| {
            statement
                .query_row(params![key, oldest(at)], |row| {
                    let change = change(row.get_ref(1)?.as_str()?);
                    let done = Done { change, contact: ContactId(row.get(2)?), revision: Revision::new(row.get(3)?) };
                    Ok((row.get(0)?, done))
                })
                .optional()
        })
        .map_err(fault::meaning)
}

pub(super) fn change(word: &str) -> Change {
    match word {
        "created" => Change::Created,
        "updated" => Change::Updated,
        "deleted" => Change::Deleted,
        "merged" => Change::Merged,
        "learned" => Change::Learned,
        _ => Change::Unchanged,
    }
}

/// The first millisecond that still counts.
fn oldest(at: Moment) -> i64 {
    at.millis().saturating_sub(i64::try_from(KEPT.as_millis()).unwrap_or(i64::MAX))
}
