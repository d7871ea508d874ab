//! The outbox to a companion as it is read: what is to be told now, how contacts stand, how many in which state.

use std::collections::BTreeMap;

use rusqlite::params;

use crate::{
    book::{
        Reader,
        companion::{columns, linked, one, sync},
        fault::meaning,
        query, rows,
    },
    domain::{ChatId, Contact, Error, Moment, Result, Saved, Sync, SyncState, Who},
};

/// What is to be told: a wish as it stands, and the name, if it is to have one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Errand {
    pub sync: Sync,
    pub saved: Saved,
}

/// Whom a chat id leads to, and how it stands with the companion.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Known {
    pub contact: Option<Contact>,
    pub sync: Option<Sync>,
}

const ERRANDS: &str = concat!(
    "SELECT ",
    columns!(),
    ", c.first, c.last FROM sync s LEFT JOIN contact c ON c.id = s.contact_id
     WHERE s.state = 'pending' AND s.next_at <= ?1 ORDER BY s.next_at, s.revision LIMIT ?2"
);
const NEXT: &str = "SELECT min(next_at) FROM sync WHERE state = 'pending'";
const COUNTS: &str = "SELECT state, count(*) FROM sync WHERE contact_id IS NOT NULL GROUP BY state";
const PAGE: &str = concat!("SELECT ", columns!(), " FROM sync s WHERE s.chat_id > ?1 ORDER BY s.chat_id LIMIT ?2");
const PAGE_OF_STATE: &str =
    concat!("SELECT ", columns!(), " FROM sync s WHERE s.chat_id > ?1 AND s.state = ?3 ORDER BY s.chat_id LIMIT ?2");

impl Reader {
    /// Whether a companion is linked.
    pub fn is_linked(&self) -> Result<bool> {
        linked(&self.connection).map(|target| target.is_some())
    }

    /// What is to be told now, the longest waiting first.
    pub fn errands(&self, now: Moment, limit: u32) -> Result<Vec<Errand>> {
        let mut statement = self.connection.prepare_cached(ERRANDS).map_err(meaning)?;
        let rows = statement.query_map(params![now.millis(), limit], |row| {
            let saved = Saved { first: rows::part(row, 12)?, last: rows::part(row, 13)?, by: None };
            Ok(Errand { sync: sync(row)?, saved })
        });
        rows.and_then(Iterator::collect::<rusqlite::Result<_>>).map_err(meaning)
    }

    /// When something is to be told next.
    pub fn next_errand_at(&self) -> Result<Option<Moment>> {
        let mut statement = self.connection.prepare_cached(NEXT).map_err(meaning)?;
        let at: Option<i64> = statement.query_row([], |row| row.get(0)).map_err(meaning)?;
        Ok(at.map(Moment::from_millis))
    }

    /// Whom these chat ids lead to and how they stand with the companion, from one snapshot. A contact with a phone is
    /// told of by that, whichever of its chat ids was asked for.
    pub fn known(&self, ids: &[ChatId]) -> Result<Vec<Known>> {
        let snapshot = self.connection.unchecked_transaction().map_err(meaning)?;
        let whom: Vec<_> = ids.iter().copied().map(Who::Chat).collect();
        let contacts = whom.iter().map(|who| query::get(&snapshot, who)).collect::<Result<Vec<_>>>()?;
        let with_sync = |(id, contact): (&ChatId, Option<Contact>)| {
            let told_by = contact.as_ref().map_or(*id, Contact::chat_id);
            Ok(Known { sync: one(&snapshot, &told_by)?, contact })
        };
        ids.iter().zip(contacts).map(with_sync).collect()
    }

    /// How many contacts are in each state; those that are in none are only here.
    pub fn sync_counts(&self) -> Result<BTreeMap<&'static str, u64>> {
        let mut counts: BTreeMap<_, _> = SyncState::ALL.map(|state| (state.word(), 0)).into();
        let mut statement = self.connection.prepare_cached(COUNTS).map_err(meaning)?;
        let mut rows = statement.query([]).map_err(meaning)?;
        let mut told = 0;
        while let Some(row) = rows.next().map_err(meaning)? {
            let (word, count): (String, u64) = row.get(0).and_then(|word| Ok((word, row.get(1)?))).map_err(meaning)?;
            let state = SyncState::from_word(&word).ok_or(Error::Quarantined)?;
            counts.insert(state.word(), count);
            told += count;
        }
        counts.insert("local", query::head(&self.connection)?.contacts.saturating_sub(told));
        Ok(counts)
    }

    /// How chat ids stand with the companion, in the order of their text, after this one.
    pub fn syncs(&self, state: Option<SyncState>, after: &str, limit: u32) -> Result<Vec<Sync>> {
        let sql = if state.is_some() { PAGE_OF_STATE } else { PAGE };
        let mut statement = self.connection.prepare_cached(sql).map_err(meaning)?;
        let rows = match state {
            Some(state) => statement.query_map(params![after, limit, state.word()], sync),
            None => statement.query_map(params![after, limit], sync),
        };
        rows.and_then(Iterator::collect::<rusqlite::Result<_>>).map_err(meaning)
    }
}
