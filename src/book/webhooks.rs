//! How far each webhook has come in this book, and its dead letters. The book's own change log is what is still to be told;
//! nothing is queued. Leaves out when and how anything is sent (sync).

use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior, params};

use crate::{
    book::{
        Book, Durable, Reader,
        fault::{at_commit, meaning},
    },
    domain::{ContactId, Epoch, Moment, Result, Revision},
};

/// Of each webhook so many of its dead letters are kept, the newest.
const DEAD_LETTERS: i64 = 1000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Moves when somebody else sets the progress back.
    pub generation: i64,
    /// The version of the webhook's settings with which it came so far.
    pub settings: i64,
    pub epoch: Epoch,
    /// Everything up to this revision was told, or given up.
    pub cursor: Revision,
    /// Whoever came into the book up to this revision was told of.
    pub settled: Revision,
    /// Deletions up to this revision were forgotten before they could be told.
    pub missed: Option<Revision>,
    /// The event that failed last, and how often it has.
    pub head: Option<Revision>,
    pub tries: u32,
    /// How often in a row anything has failed.
    pub failures: u32,
    pub next_at: Option<Moment>,
    pub last: Option<LastTry>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastTry {
    pub at: Moment,
    /// What the receiver answered, if it did.
    pub status: Option<u16>,
    /// None when it went well.
    pub error: Option<String>,
}

/// An event that was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    pub revision: Revision,
    pub event_id: String,
    pub kind: String,
    pub contact: ContactId,
    pub tries: u32,
    pub error: String,
    pub at: Moment,
    /// It is to be tried once more.
    pub again: bool,
}

/// A change of what is known of one webhook.
#[derive(Debug)]
pub enum HookWork {
    /// Where it stands, unless it was set back in the meantime. `dead` was given up now; `settled` are dead letters that
    /// are none any more.
    Save { id: String, progress: Box<Progress>, dead: Option<DeadLetter>, settled: Vec<Revision> },
    /// Everything after this revision is told again.
    Replay { id: String, since: Revision },
    /// Every dead letter is tried again.
    Revive { id: String },
    /// The webhook is no more.
    Forget { id: String },
}

const PROGRESS: &str = "
    SELECT generation, epoch, cursor, settled, missed, head, tries, failures, next_at, last_at, last_status, last_error,
        settings
    FROM webhook WHERE id = ?1";
const SAVE: &str = "
    INSERT INTO webhook (id, generation, epoch, cursor, settled, missed, head, tries, failures, next_at, last_at,
        last_status, last_error, settings)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)
    ON CONFLICT (id) DO UPDATE SET epoch = ?3, cursor = ?4, settled = ?5, missed = ?6, head = ?7, tries = ?8,
        failures = ?9, next_at = ?10, last_at = ?11, last_status = ?12, last_error = ?13, settings = ?14
        WHERE generation = ?2";
const REPLAY: &str = "
    INSERT INTO webhook (id, generation, settings, epoch, cursor, settled, tries, failures)
    SELECT ?1, 2, 0, epoch, min(?2, revision), min(?2, revision), 0, 0 FROM book WHERE true
    ON CONFLICT (id) DO UPDATE SET generation = generation + 1, epoch = excluded.epoch, cursor = excluded.cursor,
        settled = excluded.settled, missed = NULL, head = NULL, tries = 0, failures = 0, next_at = NULL";
const REVIVE: &str = "UPDATE dead_letter SET again = 1, tries = 0 WHERE webhook = ?1";
const BURY: &str = "
    INSERT OR REPLACE INTO dead_letter (webhook, revision, event_id, type, contact_id, tries, error, at, again)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
const MAKE_ROOM: &str = "
    DELETE FROM dead_letter WHERE webhook = ?1 AND revision <= (
        SELECT revision FROM dead_letter WHERE webhook = ?1 ORDER BY revision DESC LIMIT 1 OFFSET ?2)";
const UNBURY: &str = "DELETE FROM dead_letter WHERE webhook = ?1 AND revision = ?2";
const LETTERS: &str = "
    SELECT revision, event_id, type, contact_id, tries, error, at, again FROM dead_letter
    WHERE webhook = ?1 AND (again = 1 OR NOT ?2) ORDER BY revision LIMIT ?3";

impl Book {
    /// Carries out all of it in one commit. For each whether it was done: a `Save` that came too late is not.
    pub fn work_on_hooks(&mut self, works: &[HookWork]) -> Result<Vec<bool>> {
        self.set_durable(Durable::AtOnce)?;
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(meaning)?;
        let done = works.iter().map(|work| carry_out(&transaction, work)).collect::<rusqlite::Result<_>>();
        let done = done.map_err(meaning)?;
        transaction.commit().map_err(at_commit)?;
        Ok(done)
    }
}

fn carry_out(connection: &Connection, work: &HookWork) -> rusqlite::Result<bool> {
    match work {
        HookWork::Save { id, progress, dead, settled } => {
            if !save(connection, id, progress)? {
                return Ok(false);
            }
            for revision in settled {
                connection.prepare_cached(UNBURY)?.execute(params![id, revision.number()])?;
            }
            if let Some(letter) = dead {
                bury(connection, id, letter)?;
            }
        }
        HookWork::Replay { id, since } => {
            connection.prepare_cached(REPLAY)?.execute(params![id, since.number()])?;
        }
        HookWork::Revive { id } => {
            connection.prepare_cached(REVIVE)?.execute([id])?;
        }
        HookWork::Forget { id } => {
            connection.execute("DELETE FROM webhook WHERE id = ?1", [id])?;
            connection.execute("DELETE FROM dead_letter WHERE webhook = ?1", [id])?;
        }
    }
    Ok(true)
}

fn save(connection: &Connection, id: &str, progress: &Progress) -> rusqlite::Result<bool> {
    let Progress { last, .. } = progress;
    let saved = connection.prepare_cached(SAVE)?.execute(params![
        id,
        progress.generation,
        progress.epoch.0,
        progress.cursor.number(),
        progress.settled.number(),
        progress.missed.map(Revision::number),
        progress.head.map(Revision::number),
        progress.tries,
        progress.failures,
        progress.next_at.map(Moment::millis),
        last.as_ref().map(|last| last.at.millis()),
        last.as_ref().and_then(|last| last.status),
        last.as_ref().and_then(|last| last.error.as_deref()),
        progress.settings,
    ])?;
    Ok(saved > 0)
}

fn bury(connection: &Connection, id: &str, letter: &DeadLetter) -> rusqlite::Result<()> {
    connection.prepare_cached(BURY)?.execute(params![
        id,
        letter.revision.number(),
        letter.event_id,
        letter.kind,
        letter.contact.0,
        letter.tries,
        letter.error,
        letter.at.millis(),
        letter.again,
    ])?;
    connection.prepare_cached(MAKE_ROOM)?.execute(params![id, DEAD_LETTERS])?;
    Ok(())
}

impl Reader {
    /// `None` while nothing was ever noted of it.
    pub fn hook_progress(&self, id: &str) -> Result<Option<Progress>> {
        let mut statement = self.connection.prepare_cached(PROGRESS).map_err(meaning)?;
        statement.query_row([id], progress).optional().map_err(meaning)
    }

    /// The oldest dead letters; all, or those that are to be tried again.
    pub fn dead_letters(&self, id: &str, only_again: bool, limit: u32) -> Result<Vec<DeadLetter>> {
        let mut statement = self.connection.prepare_cached(LETTERS).map_err(meaning)?;
        let letters = statement.query_map(params![id, only_again, limit], dead_letter).map_err(meaning)?;
        letters.collect::<rusqlite::Result<_>>().map_err(meaning)
    }
}

fn progress(row: &Row<'_>) -> rusqlite::Result<Progress> {
    let revision = |place| row.get::<_, Option<u64>>(place).map(|number| number.map(Revision::new));
    let moment = |place| row.get::<_, Option<i64>>(place).map(|at| at.map(Moment::from_millis));
    let (status, error) = (row.get(10)?, row.get(11)?);
    Ok(Progress {
        generation: row.get(0)?,
        settings: row.get(12)?,
        epoch: Epoch(row.get(1)?),
        cursor: revision(2)?.unwrap_or_default(),
        settled: revision(3)?.unwrap_or_default(),
        missed: revision(4)?,
        head: revision(5)?,
        tries: row.get(6)?,
        failures: row.get(7)?,
        next_at: moment(8)?,
        last: moment(9)?.map(|at| LastTry { at, status, error }),
    })
}

fn dead_letter(row: &Row<'_>) -> rusqlite::Result<DeadLetter> {
    Ok(DeadLetter {
        revision: Revision::new(row.get(0)?),
        event_id: row.get(1)?,
        kind: row.get(2)?,
        contact: ContactId(row.get(3)?),
        tries: row.get(4)?,
        error: row.get(5)?,
        at: Moment::from_millis(row.get(6)?),
        again: row.get(7)?,
    })
}
