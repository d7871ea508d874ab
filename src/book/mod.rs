//! Floor 1, the address book of one instance: one SQLite file, and all SQL of contacts. `Book` is the one writer and
//! `Reader` reads beside it; no type of the database library shows in a signature. Leaves out who may write (gateway),
//! when (session) and what an edit means (domain).

mod cache;
mod companion;
pub(crate) mod connection;
mod earlier;
pub(crate) mod fault;
mod feed;
mod filter;
mod idempotency;
mod identity;
mod ids;
mod kept;
mod list;
mod mapping;
mod matching;
mod order;
mod outbox;
mod prune;
mod query;
mod record;
mod register;
mod rows;
pub(crate) mod schema;
mod seal;
mod search;
mod story;
mod turn;
mod webhooks;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use rusqlite::Connection;

use cache::{Cache, MOST_OF_WRITER};

pub use companion::{COMPANION, SyncAct};
pub use earlier::EarlierName;
pub use feed::{Changed, Changes, Survivor, Tombstone};
pub use filter::{Filter, FilterField, Test, Value};
pub use idempotency::Done;
pub use list::{Cursor, Direction, Page, PageQuery, Sort};
pub use outbox::{Errand, Known};
pub use query::Reader;
pub use record::replay;
pub use story::{Candidate, NameStory};
pub use turn::Turn;
pub use webhooks::{DeadLetter, HookWork, LastTry, Progress};

use crate::domain::{
    ChatId, Contact, ContactId, Entry, Epoch, Error, IdempotencyKey, Mapping, Moment, NamePart, Register, RegisterAct,
    RegisterEdit, Result, Revision, Saved, Source, Who,
};

/// The file name within an instance's folder.
pub const FILE: &str = "book.db";

/// Where the book stands. Moves in the transaction that moves the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Head {
    pub epoch: Epoch,
    pub revision: Revision,
    pub contacts: u64,
    pub last_id: ContactId,
    pub pruned: Revision,
    /// Drawn by lot with every change: no other state of any book has it.
    pub mark: i64,
}

/// A book that is new, or older than marks.
const UNMARKED: i64 = 0;

impl Head {
    fn draw_mark() -> i64 {
        // The lower half of a version 7 UUID is random but for two bits.
        uuid::Uuid::now_v7().as_u64_pair().1.cast_signed()
    }

    /// The head of another state.
    #[must_use]
    fn marked(self) -> Self {
        Self { mark: Self::draw_mark(), ..self }
    }
}

/// When a change survives a power cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durable {
    /// With its commit, and all before it.
    AtOnce,
    /// When somebody has seen to it: its record is in the journal, or the book was synced.
    Later,
}

/// One change of a batch. A contact that is new to the book carries the id `head.last_id + n`.
#[derive(Debug)]
pub enum Write {
    Insert {
        contact: Arc<Contact>,
        source: Source,
    },
    Update {
        contact: Arc<Contact>,
        source: Source,
        touched: Touched,
    },
    Bury {
        contact: Arc<Contact>,
        revision: Revision,
        at: Moment,
        /// It became one with this contact: its numbers lead there from now on.
        merged_into: Option<ContactId>,
    },
    /// That somebody was deleted at this time, also if the book did not hold them.
    Forget {
        chat_id: ChatId,
        at: Moment,
    },
    Learn(Mapping),
    /// A saved name that the contact had until this revision.
    Outdate {
        contact: ContactId,
        revision: Revision,
        saved: Saved,
    },
    /// What an idempotency key has brought about.
    Remember {
        key: IdempotencyKey,
        done: Done,
        at: Moment,
    },
}

/// What of an updated contact reaches beyond its own row. When in doubt: all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Touched {
    pub chat_ids: bool,
    /// Any of its names.
    pub names: bool,
    pub email: bool,
    pub groups: bool,
    pub last_message: bool,
}

impl Touched {
    pub const ALL: Self = Self { chat_ids: true, names: true, email: true, groups: true, last_message: true };
}

pub struct Book {
    connection: Connection,
    cache: Cache,
    path: PathBuf,
    head: Head,
    /// What the book has any of, so that others need not be asked for in vain.
    has: Has,
    /// How many changes wait for the packs of the search.
    late: u64,
    /// Whether a companion is to be told of saved names.
    is_linked: bool,
    durable: Durable,
    /// What its readers have found out for lists.
    kept: Arc<kept::Kept>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Has {
    lids: bool,
    mappings: bool,
    deletions: bool,
}

impl Book {
    /// Makes a new, empty book in an existing folder. Refuses a folder that has one. It gets its name when it is whole, so
    /// that being cut short leaves no book rather than half of one.
    pub fn create(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        if path.exists() {
            return Err(Error::Duplicate { field: "book" });
        }
        let unfinished = folder.join("unfinished.db");
        for leftover in ["unfinished.db", "unfinished.db-wal", "unfinished.db-shm"] {
            let _ = fs::remove_file(folder.join(leftover));
        }
        connection::create_file(&unfinished)?;
        let mut connection = connection::open(&unfinished)?;
        schema::BOOK.migrate(&mut connection)?;
        connection.execute(schema::FIRST_HEAD, [uuid::Uuid::now_v7()]).map_err(fault::meaning)?;
        connection.close().map_err(|(_, error)| fault::meaning(error))?;
        fs::rename(&unfinished, &path).and_then(|()| connection::sync_folder(folder)).map_err(Error::internal)?;
        Self::open(folder)
    }

    /// Opens the book of an instance. A missing file is an error, never a silent new book.
    pub fn open(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        let mut connection = connection::open(&path)?;
        if schema::BOOK.is_blank(&connection)? {
            // SQLite takes an emptied file for a new one; a book never begins here.
            return Err(Error::Quarantined);
        }
        schema::BOOK.migrate(&mut connection)?;
        earlier::teach(&connection)?;
        seal::teach(&connection)?;
        search::catch_up(&mut connection)?;
        let mut head = query::head(&connection)?;
        if head.mark == UNMARKED {
            head = head.marked();
            rows::move_head(&connection, &head)?;
        }
        let has = identity::has(&connection)?;
        let late = search::noted(&connection)?;
        let is_linked = companion::linked(&connection)?.is_some();
        let (durable, kept) = (Durable::AtOnce, Arc::default());
        let cache = Cache::new(MOST_OF_WRITER);
        Ok(Self { connection, cache, path, head, has, late, is_linked, durable, kept })
    }

    pub fn head(&self) -> Head {
        self.head
    }

    /// What its contents take. What deletions have freed is used again and does not count.
    pub fn bytes(&self) -> Result<u64> {
        query::bytes(&self.connection)
    }

    /// The contacts who are meant, in the order asked.
    pub fn load(&self, whom: &[Who]) -> Result<Vec<Option<Contact>>> {
        query::get_many(&self.connection, whom)
    }

    /// Who has this e-mail, whatever its case.
    pub fn with_email(&self, email: &str) -> Result<Vec<ContactId>> {
        query::with_email(&self.connection, email)
    }

    /// Whether it ever held a LID: only then can two contacts turn out to be one.
    pub fn has_lids(&self) -> bool {
        self.has.lids || self.has.mappings
    }

    /// The newest that was learned of this LID or phone, whether it still holds or not.
    pub fn newest_mapping(&self, id: &ChatId) -> Result<Option<Mapping>> {
        if self.has.mappings { mapping::newest(&self.connection, id) } else { Ok(None) }
    }

    /// Whether this very mapping was reported at its time or later, whether it holds or not.
    pub fn was_reported(&self, mapping: &Mapping) -> Result<bool> {
        if self.has.mappings { mapping::was_reported(&self.connection, mapping) } else { Ok(false) }
    }

    /// When this chat id was last deleted.
    pub fn deleted_at(&self, id: &ChatId) -> Result<Option<Moment>> {
        if self.has.deletions { identity::deleted_at(&self.connection, id) } else { Ok(None) }
    }

    /// The saved names that a contact had before, newest first.
    pub fn earlier_names(&self, contact: ContactId) -> Result<Vec<EarlierName>> {
        earlier::of(&self.connection, contact)
    }

    /// Whether a register has this entry.
    pub fn has_entry(&self, register: Register, id: i64) -> Result<bool> {
        register::has(&self.connection, register, id)
    }

    /// What an idempotency key brought about, if it was used within a day before `at`.
    pub fn recall(&self, key: &str, at: Moment) -> Result<Option<([u8; 32], Done)>> {
        idempotency::recall(&self.connection, key, at)
    }

    /// Carries out one change of a register, durably. Whoever was in a group that goes is changed by it.
    pub fn edit_register(&mut self, edit: &RegisterEdit) -> Result<Entry> {
        self.set_durable(Durable::AtOnce)?;
        let (entry, head) = register::edit(&mut self.connection, self.head, edit)?;
        self.head = head;
        Ok(entry)
    }

    /// The source of this name; made, durably, if there is none.
    pub fn source_named(&mut self, name: &NamePart, at: Moment) -> Result<i64> {
        if let Some(id) = register::named(&self.connection, Register::Sources, name)? {
            return Ok(id);
        }
        let act = RegisterAct::Add { name: name.clone(), color: None };
        Ok(self.edit_register(&RegisterEdit { register: Register::Sources, act, at })?.id)
    }

    /// Forgets what was deleted before this moment, in the order in which it was, at most so many; how many tombstones
    /// are gone. A feed token from before them is worth nothing from now on.
    pub fn prune(&mut self, before: Moment, at_most: u32) -> Result<u64> {
        self.set_durable(Durable::AtOnce)?;
        let (gone, head) = prune::prune(&mut self.connection, self.head, before, at_most)?;
        self.head = head;
        Ok(gone)
    }

    /// Begins to change the book. What is read until the turn ends stays as it is.
    pub fn begin(&mut self, durable: Durable) -> Result<Turn<'_>> {
        self.set_durable(durable)?;
        Turn::begin(self)
    }

    /// Stores all of these or none, in a turn of its own.
    pub fn write(&mut self, writes: &[Write], head: Head) -> Result<()> {
        self.begin(Durable::AtOnce)?.write(writes, head)
    }

    fn set_durable(&mut self, durable: Durable) -> Result<()> {
        if self.durable != durable {
            let word = if durable == Durable::AtOnce { "FULL" } else { "NORMAL" };
            self.connection.pragma_update(None, "synchronous", word).map_err(fault::meaning)?;
            self.durable = durable;
        }
        Ok(())
    }

    /// Makes durable whatever was committed.
    pub fn sync(&self) -> Result<()> {
        let log = self.path.with_extension("db-wal");
        // The log may be new in the folder, and nobody has seen to it that it is named there.
        let folder = self.path.parent().map_or(Ok(()), connection::sync_folder);
        match fs::File::open(log).and_then(|log| log.sync_data()).and(folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                tracing::error!(%error, "a book could not be synced, the outcome is unknown");
                Err(Error::OutcomeUnknown)
            }
            _ => Ok(()),
        }
    }

    /// A second, read-only door to the same book. It sees every write that was answered.
    pub fn reader(&self) -> Result<Reader> {
        Reader::open(&self.path, Arc::clone(&self.kept))
    }

    /// Closes the file; what is left of the write-ahead log is folded in. `OutcomeUnknown`: not all of it may be on disk.
    pub fn close(self) -> Result<()> {
        let synced = if self.durable == Durable::Later { self.sync() } else { Ok(()) };
        self.connection.close().map_err(|(_, error)| fault::meaning(error))?;
        synced
    }
}

/// Everything that is wrong with the book in this folder, a sentence each; empty when it is sound.
pub fn check(folder: &Path) -> Result<Vec<String>> {
    match Reader::open(&folder.join(FILE), Arc::default()).and_then(|reader| reader.check()) {
        Err(Error::Quarantined) => Ok(vec!["the file is missing or is not a readable book".to_owned()]),
        other => other,
    }
}
