//! The book as its own change log: what changed after a revision, contacts and tombstones in one order. Leaves out how a
//! client says how far it has come (sync).

use rusqlite::{Row, params};
use uuid::Uuid;

use crate::{
    book::{
        Head, Reader,
        fault::meaning,
        query,
        rows::{self, columns},
    },
    domain::{ChatId, Contact, ContactId, Digits, Moment, Result, Revision},
};

/// What is left of a contact that is no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tombstone {
    pub revision: Revision,
    pub id: ContactId,
    pub uuid: Uuid,
    pub phone: Option<Digits>,
    pub lid: Option<Digits>,
    /// The contact with which it became one; else it was deleted.
    pub merged_into: Option<Survivor>,
    pub at: Moment,
}

/// Who is left of two contacts that became one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Survivor {
    pub id: ContactId,
    /// None when it has been deleted since.
    pub uuid: Option<Uuid>,
}

/// The latest state of one contact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changed {
    Contact(Box<Contact>),
    Gone(Tombstone),
}

impl Changed {
    pub fn revision(&self) -> Revision {
        match self {
            Self::Contact(contact) => contact.revision,
            Self::Gone(tombstone) => tombstone.revision,
        }
    }
}

/// Some changes in the order of their revisions, and where the book stood in the same snapshot.
#[derive(Debug, Clone)]
pub struct Changes {
    pub rows: Vec<Changed>,
    pub head: Head,
    /// More changes follow the last row.
    pub is_truncated: bool,
}

const CONTACTS: &str = concat!("SELECT ", columns!(), " FROM contact WHERE revision > ?1 ORDER BY revision LIMIT ?2");
const TOMBSTONES: &str = "
    SELECT t.revision, t.contact_id, t.uuid, t.phone, t.lid, coalesce(a.survivor, t.merged_into), c.uuid, t.deleted_at
    FROM tombstone t LEFT JOIN alias a ON t.merged_into IS NOT NULL AND a.contact_id = t.contact_id
        LEFT JOIN contact c ON c.id = coalesce(a.survivor, t.merged_into)
    WHERE t.revision > ?1 ORDER BY t.revision LIMIT ?2";

impl Reader {
    /// At most `limit` changes after this revision: each contact once, as it stands now. Whether the revision is still
    /// one to go on from (`head.pruned`) is for the caller to see.
    pub fn changes(&self, after: Revision, limit: u32) -> Result<Changes> {
        let snapshot = self.connection.unchecked_transaction().map_err(meaning)?;
        let head = query::head(&snapshot)?;
        let most = limit as usize;
        let range = params![after.number(), u64::from(limit) + 1];
        let mut contacts = snapshot.prepare_cached(CONTACTS).map_err(meaning)?;
        let mut tombstones = snapshot.prepare_cached(TOMBSTONES).map_err(meaning)?;
        let mut contacts = contacts.query_map(range, rows::contact).map_err(meaning)?.peekable();
        let mut tombstones = tombstones.query_map(range, tombstone).map_err(meaning)?.peekable();
        let mut rows = Vec::with_capacity(most.min(1024));
        // Two ordered lists become one; neither is read further than is needed.
        let is_truncated = loop {
            let next_contact = contacts.peek().map(|row| row.as_ref().map(|contact| contact.revision).ok());
            let next_tombstone = tombstones.peek().map(|row| row.as_ref().map(|tombstone| tombstone.revision).ok());
            if rows.len() == most {
                break next_contact.is_some() || next_tombstone.is_some();
            }
            let takes_contact = match (next_contact, next_tombstone) {
                (None, None) => break false,
                (contact, None) => contact.is_some(),
                (None, Some(_)) => false,
                (Some(contact), Some(tombstone)) => contact < tombstone,
            };
            rows.push(if takes_contact {
                Changed::Contact(Box::new(contacts.next().expect("peeked").map_err(meaning)?))
            } else {
                Changed::Gone(tombstones.next().expect("peeked").map_err(meaning)?)
            });
        };
        Ok(Changes { rows, head, is_truncated })
    }
}

fn tombstone(row: &Row<'_>) -> rusqlite::Result<Tombstone> {
    let survivor = row.get::<_, Option<i64>>(5)?.map(ContactId);
    let uuid = row.get(6)?;
    Ok(Tombstone {
        revision: Revision::new(row.get(0)?),
        id: ContactId(row.get(1)?),
        uuid: row.get(2)?,
        phone: rows::digits(row, 3, ChatId::phone)?,
        lid: rows::digits(row, 4, ChatId::lid)?,
        merged_into: survivor.map(|id| Survivor { id, uuid }),
        at: Moment::from_millis(row.get(7)?),
    })
}
