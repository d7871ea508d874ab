//! Floor 1, the address book of one instance: one SQLite file, and all SQL of contacts. `Book` is the one writer and
//! `Reader` reads beside it; no type of the database library shows in a signature. Leaves out who may write (gateway),
//! when (session) and what an edit means (domain).

pub(crate) mod connection;
pub(crate) mod fault;
mod identity;
mod query;
mod rows;
pub(crate) mod schema;

use std::path::{Path, PathBuf};

use rusqlite::{Connection, TransactionBehavior};

pub use identity::Mapping;
pub use query::{Cursor, Direction, Page, PageQuery, Reader, Sort};

use crate::domain::{ChatId, Contact, ContactId, Epoch, Error, Moment, Result, Revision, Source};

/// The file name within an instance's folder.
pub const FILE: &str = "book.db";

/// Where the book stands. Moves in the transaction that moves the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    pub epoch: Epoch,
    pub revision: Revision,
    pub contacts: u64,
    pub last_id: ContactId,
    pub pruned: Revision,
}

/// One change of a batch. A contact that is new to the book carries the id `head.last_id + n`.
#[derive(Debug)]
pub enum Write {
    Insert { contact: Contact, source: Source },
    Update { contact: Contact, source: Source },
    Bury { contact: Contact, revision: Revision, at: Moment },
}

pub struct Book {
    connection: Connection,
    path: PathBuf,
    head: Head,
}

impl Book {
    /// Makes a new, empty book in an existing folder. Refuses a folder that has one.
    pub fn create(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        connection::create_file(&path)?;
        let epoch = uuid::Uuid::now_v7();
        let mut connection = connection::open(&path)?;
        schema::BOOK.migrate(&mut connection)?;
        connection.execute(schema::FIRST_HEAD, [epoch]).map_err(fault::meaning)?;
        Self::open(folder)
    }

    /// Opens the book of an instance. A missing file is an error, never a silent new book.
    pub fn open(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        let mut connection = connection::open(&path)?;
        schema::BOOK.migrate(&mut connection)?;
        let head = query::head(&connection)?;
        Ok(Self { connection, path, head })
    }

    pub fn head(&self) -> Head {
        self.head
    }

    /// The contacts to which these chat ids lead, in the order asked.
    pub fn load(&self, ids: &[ChatId]) -> Result<Vec<Option<Contact>>> {
        ids.iter().map(|id| query::get(&self.connection, id)).collect()
    }

    /// Stores all of these or none, durably: when this returns `Ok`, they survive a power cut. `head` is the head
    /// after them; the contact count is moved here, with the rows.
    pub fn write(&mut self, writes: &[Write], head: Head) -> Result<()> {
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(fault::meaning)?;
        let mut contacts = self.head.contacts;
        for write in writes {
            match write {
                Write::Insert { contact, source } => {
                    rows::insert(&transaction, contact)?;
                    identity::learn(&transaction, contact, source)?;
                    contacts += 1;
                }
                Write::Update { contact, source } => {
                    rows::update(&transaction, contact)?;
                    identity::learn(&transaction, contact, source)?;
                }
                Write::Bury { contact, revision, at } => {
                    identity::forget(&transaction, contact.id)?;
                    rows::bury(&transaction, contact, *revision, *at)?;
                    contacts -= 1;
                }
            }
        }
        let head = Head { contacts, ..head };
        rows::move_head(&transaction, &head)?;
        transaction.commit().map_err(fault::at_commit)?;
        self.head = head;
        Ok(())
    }

    /// A second, read-only door to the same book. It sees every write that was answered.
    pub fn reader(&self) -> Result<Reader> {
        Reader::open(&self.path)
    }

    /// Closes the file; what is left of the write-ahead log is folded in.
    pub fn close(self) -> Result<()> {
        self.connection.close().map_err(|(_, error)| fault::meaning(error))
    }
}

/// Everything that is wrong with the book in this folder, a sentence each; empty when it is sound.
pub fn check(folder: &Path) -> Result<Vec<String>> {
    match Reader::open(&folder.join(FILE)).and_then(|reader| reader.check()) {
        Err(Error::Quarantined) => Ok(vec!["the file is missing or is not a readable book".to_owned()]),
        other => other,
    }
}
