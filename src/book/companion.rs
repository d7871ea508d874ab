//! The outbox to a companion: what it shall be told of saved names, noted in the transaction of the edit that makes it
//! necessary, one row for each chat id, so that ten changes of one name are told once. Without a companion nothing is
//! noted. Leaves out reading it (outbox), the telling and what follows from a pull (sync).

use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior, params};

use crate::{
    book::{Book, Durable, fault::meaning, rows},
    domain::{ChatId, Contact, ContactId, Mark, Moment, News, Print, Result, Revision, Saved, Source, Sync, SyncState},
};

/// What the companion itself wrote is not told to it again.
pub const COMPANION: Source = Source::known("companion");

/// A change of the outbox itself.
#[derive(Debug, Clone)]
pub enum SyncAct {
    /// A companion is linked: every saved name is to be told, unless it is the same one as before. `None`: none is linked.
    Link(Option<Print>),
    Mark(Vec<Mark>),
    /// What was refused is told again, and what is to be tried later is tried now.
    Retry,
}

macro_rules! columns {
    () => {
        "s.chat_id, s.contact_id, s.state, s.revision, s.wish, s.theirs, s.attempts, s.next_at, s.reason, s.acked_at, s.confirmed_at, \
         s.was_told"
    };
}
pub(super) use columns;

const LINKED: &str = "SELECT target FROM companion";
const ONE: &str = concat!("SELECT ", columns!(), " FROM sync s WHERE s.chat_id = ?1");
// Another wish than before; what the companion has is not touched by it.
const WISH: &str = "
    INSERT INTO sync (chat_id, contact_id, state, revision, wish) VALUES (?1, ?2, ?3, ?4, ?5)
    ON CONFLICT (chat_id) DO UPDATE SET contact_id = ?2, state = ?3, revision = ?4, wish = ?5, attempts = 0, next_at = 0,
        reason = NULL, acked_at = NULL, confirmed_at = NULL";
const CONFIRM: &str = "UPDATE sync SET state = 'confirmed', theirs = ?3, confirmed_at = ?4, was_told = ?3 IS NOT NULL,
    reason = NULL, attempts = 0
    WHERE chat_id = ?1 AND revision = ?2";
const DROP: &str = "DELETE FROM sync WHERE chat_id = ?1";
const DROP_CONTACT: &str = "DELETE FROM sync WHERE contact_id = ?1";
const OF_CONTACT: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM sync s INDEXED BY sync_by_contact WHERE s.contact_id = ?1 AND s.chat_id <> ?2"
);

pub(super) fn linked(connection: &Connection) -> Result<Option<Print>> {
    let mut statement = connection.prepare_cached(LINKED).map_err(meaning)?;
    statement.query_row([], |row| row.get(0).map(Print)).optional().map_err(meaning)
}

/// A contact was made or changed by `source`; `ids_moved` if other chat ids may lead to it than before.
pub(super) fn note(connection: &Connection, contact: &Contact, source: &Source, ids_moved: bool) -> Result<()> {
    let chat_id = contact.chat_id();
    if ids_moved {
        for old in others(connection, contact.id, &chat_id)? {
            leave_behind(connection, &old, contact.revision)?;
        }
        // With its phone a contact is no longer told of by its LID.
        if let (true, Some(lid)) = (chat_id.is_phone(), contact.lid) {
            run(connection, DROP, params![ChatId::Lid(lid).to_string()])?;
        }
    }
    let (saved, known) = (&contact.names.saved, one(connection, &chat_id)?);
    let wish = Print::of_parts(saved);
    let is_the_same = match &known {
        None => wish.is_none(),
        Some(sync) => sync.contact == Some(contact.id) && sync.wish == wish,
    };
    if is_the_same {
        return Ok(());
    }
    // Nothing is saved, and nobody was told of anything.
    if wish.is_none() && !known.is_some_and(|sync| sync.may_be_named_there()) {
        return run(connection, DROP, params![chat_id.to_string()]);
    }
    let wrote_it = |by: &crate::domain::Stamp| by.source == COMPANION;
    let comes_from_there = *source == COMPANION && saved.by.as_ref().is_some_and(wrote_it) && !ids_moved;
    let state = if chat_id.is_phone() { SyncState::Pending } else { SyncState::AwaitingPhone };
    make_wish(connection, &chat_id, Some(contact.id), state, contact.revision, wish)?;
    if comes_from_there {
        let (theirs, at) = (full_print(saved), saved.by.as_ref().map_or(contact.updated_at, |by| by.at));
        run(connection, CONFIRM, params![chat_id.to_string(), contact.revision.number(), bytes(theirs), at.millis()])?;
    }
    Ok(())
}

/// A contact was deleted. What remains says that its name shall go there too, and that a pull does not bring it back.
pub(super) fn note_deletion(connection: &Connection, contact: &Contact, revision: Revision) -> Result<()> {
    let chat_id = contact.chat_id();
    let known = one(connection, &chat_id)?;
    for id in contact.chat_ids().filter(|id| *id != chat_id) {
        run(connection, DROP, params![id.to_string()])?;
    }
    let sync = known.unwrap_or_else(|| Sync {
        chat_id,
        contact: Some(contact.id),
        state: SyncState::Confirmed,
        revision,
        wish: None,
        theirs: None,
        was_told: false,
        attempts: 0,
        next_at: Moment::default(),
        reason: None,
        acked_at: None,
        confirmed_at: None,
    });
    leave_behind(connection, &sync, revision)
}

/// Another contact took this one over, and is told of in its place.
pub(super) fn note_merger(connection: &Connection, loser: ContactId) -> Result<()> {
    run(connection, DROP_CONTACT, params![loser.0])
}

/// Nobody here has this chat id any more: the companion shall have no name for it.
fn leave_behind(connection: &Connection, sync: &Sync, revision: Revision) -> Result<()> {
    let state = match (sync.may_be_named_there(), sync.chat_id.is_phone()) {
        (false, _) => SyncState::Confirmed,
        (true, true) => SyncState::Pending,
        (true, false) => SyncState::AwaitingPhone,
    };
    make_wish(connection, &sync.chat_id, None, state, revision, None)
}

fn make_wish(
    connection: &Connection,
    chat_id: &ChatId,
    contact: Option<ContactId>,
    state: SyncState,
    revision: Revision,
    wish: Option<Print>,
) -> Result<()> {
    let contact = contact.map(|id| id.0);
    run(connection, WISH, params![chat_id.to_string(), contact, state.word(), revision.number(), bytes(wish)])
}

pub(super) fn one(connection: &Connection, chat_id: &ChatId) -> Result<Option<Sync>> {
    let mut statement = connection.prepare_cached(ONE).map_err(meaning)?;
    statement.query_row([chat_id.to_string()], sync).optional().map_err(meaning)
}

fn others(connection: &Connection, contact: ContactId, chat_id: &ChatId) -> Result<Vec<Sync>> {
    let mut statement = connection.prepare_cached(OF_CONTACT).map_err(meaning)?;
    let rows = statement.query_map(params![contact.0, chat_id.to_string()], sync).map_err(meaning)?;
    rows.collect::<rusqlite::Result<_>>().map_err(meaning)
}

fn run(connection: &Connection, sql: &str, params: &[&dyn rusqlite::ToSql]) -> Result<()> {
    connection.prepare_cached(sql).and_then(|mut statement| statement.execute(params)).map(drop).map_err(meaning)
}

fn bytes(print: Option<Print>) -> Option<[u8; 16]> {
    print.map(|print| print.0)
}

fn full_print(saved: &Saved) -> Option<Print> {
    saved.full().map(|full| Print::of(&full))
}

pub(super) fn sync(row: &Row<'_>) -> rusqlite::Result<Sync> {
    let damaged = |place, why: &str| {
        rusqlite::Error::FromSqlConversionFailure(place, rusqlite::types::Type::Text, why.to_owned().into())
    };
    let moment = |place| row.get::<_, Option<i64>>(place).map(|at| at.map(Moment::from_millis));
    Ok(Sync {
        chat_id: row.get_ref(0)?.as_str()?.parse().map_err(|_| damaged(0, "no chat id"))?,
        contact: row.get::<_, Option<i64>>(1)?.map(ContactId),
        state: SyncState::from_word(row.get_ref(2)?.as_str()?).ok_or_else(|| damaged(2, "no state"))?,
        revision: Revision::new(row.get(3)?),
        wish: row.get::<_, Option<_>>(4)?.map(Print),
        theirs: row.get::<_, Option<_>>(5)?.map(Print),
        attempts: row.get(6)?,
        next_at: moment(7)?.unwrap_or_default(),
        reason: row.get(8)?,
        acked_at: moment(9)?,
        confirmed_at: moment(10)?,
        was_told: row.get(11)?,
    })
}

const SEEN: &str = "UPDATE sync SET theirs = ?2 WHERE chat_id = ?1";
const ACKED: &str =
    "UPDATE sync SET state = 'acked', was_told = 1, acked_at = ?3, attempts = attempts + 1, reason = NULL
    WHERE chat_id = ?1 AND revision = ?2";
const LATER: &str = "UPDATE sync SET was_told = 1, attempts = attempts + 1, next_at = ?3, reason = ?4
    WHERE chat_id = ?1 AND revision = ?2 AND state = 'pending'";
const FAILED: &str = "UPDATE sync SET state = 'failed', attempts = attempts + 1, reason = ?3
    WHERE chat_id = ?1 AND revision = ?2";
const RETRY: &str = "UPDATE sync SET state = 'pending', attempts = 0, next_at = 0, reason = NULL
    WHERE state = 'failed' OR (state = 'pending' AND attempts > 0)";
const FORGET_ALL: &str = "DELETE FROM sync";
const UNLINK: &str = "DELETE FROM companion";
const LINK: &str = "INSERT INTO companion (only, target) VALUES (1, ?1)";
const NAMED: &str = "SELECT phone, lid, id, first, last FROM contact WHERE first IS NOT NULL OR last IS NOT NULL";

impl Book {
    /// Carries out a change of the outbox, durably; tells how many rows it concerned. The contacts and the revision stay.
    pub fn edit_sync(&mut self, act: &SyncAct) -> Result<usize> {
        self.set_durable(Durable::AtOnce)?;
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(meaning)?;
        let count = match act {
            SyncAct::Link(target) => link(&transaction, *target, self.head.revision)?,
            SyncAct::Retry => transaction.execute(RETRY, []).map_err(meaning)?,
            SyncAct::Mark(marks) => {
                marks.iter().try_for_each(|one| mark(&transaction, one))?;
                marks.len()
            }
        };
        transaction.commit().map_err(crate::book::fault::at_commit)?;
        if let SyncAct::Link(target) = act {
            self.is_linked = target.is_some();
        }
        Ok(count)
    }
}

fn link(connection: &Connection, target: Option<Print>, revision: Revision) -> Result<usize> {
    if linked(connection)? == target {
        return Ok(0);
    }
    // What is known of one companion says nothing of another.
    connection.execute(FORGET_ALL, []).and_then(|_| connection.execute(UNLINK, [])).map_err(meaning)?;
    let Some(target) = target else { return Ok(0) };
    connection.execute(LINK, [target.0]).map_err(meaning)?;
    let mut statement = connection.prepare(NAMED).map_err(meaning)?;
    let mut named = statement.query([]).map_err(meaning)?;
    let mut count = 0;
    while let Some(row) = named.next().map_err(meaning)? {
        let (chat_id, contact, saved) = named_row(row).map_err(meaning)?;
        let state = if chat_id.is_phone() { SyncState::Pending } else { SyncState::AwaitingPhone };
        make_wish(connection, &chat_id, Some(contact), state, revision, Print::of_parts(&saved))?;
        count += 1;
    }
    Ok(count)
}

fn named_row(row: &Row<'_>) -> rusqlite::Result<(ChatId, ContactId, Saved)> {
    let phone = rows::digits(row, 0, ChatId::phone)?.map(ChatId::Phone);
    let lid = rows::digits(row, 1, ChatId::lid)?.map(ChatId::Lid);
    let saved = Saved { first: rows::part(row, 3)?, last: rows::part(row, 4)?, by: None };
    let chat_id = phone.or(lid).ok_or(rusqlite::Error::InvalidQuery)?;
    Ok((chat_id, ContactId(row.get(2)?), saved))
}

fn mark(connection: &Connection, mark: &Mark) -> Result<()> {
    let (chat_id, revision) = (mark.chat_id.to_string(), mark.revision.number());
    match &mark.news {
        News::Seen { theirs } => run(connection, SEEN, params![chat_id, bytes(*theirs)]),
        News::Acked { at } => run(connection, ACKED, params![chat_id, revision, at.millis()]),
        News::Confirmed { theirs, at } => {
            run(connection, CONFIRM, params![chat_id, revision, bytes(*theirs), at.millis()])
        }
        News::Later { next_at, reason } => run(connection, LATER, params![chat_id, revision, next_at.millis(), reason]),
        News::Failed { reason } => run(connection, FAILED, params![chat_id, revision, reason]),
    }
}
