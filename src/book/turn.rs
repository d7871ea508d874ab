//! A turn of the one writer: what it looks up and what it stores stand in one transaction, so that the file's locks are
//! taken once and nothing can move in between. Leaves out what is to be stored (the caller knows).

use std::ops::Deref;

use crate::{
    book::{
        Book, Head, Write, companion, earlier, earlier::Outdated, fault, idempotency, identity, mapping, record,
        register, rows, search,
    },
    domain::Result,
};

/// So many writes get along with whatever part of the cache there is.
const FEW: usize = 16;
/// KiB, of SQLite's pages and ours.
const PAGE: usize = 4;

/// A turn that is not ended by a write leaves everything as it was.
pub struct Turn<'b> {
    book: &'b mut Book,
    is_over: bool,
}

impl<'b> Turn<'b> {
    pub(super) fn begin(book: &'b mut Book) -> Result<Self> {
        book.cache.fit(&book.connection, 0)?;
        book.connection
            .prepare_cached("BEGIN IMMEDIATE")
            .and_then(|mut statement| statement.execute([]))
            .map_err(fault::meaning)?;
        Ok(Self { book, is_over: false })
    }

    /// Stores all of these or none, durably as the turn was begun. `head` is the head after them; the contact count is
    /// moved here, with the rows.
    pub fn write(self, writes: &[Write], head: Head) -> Result<()> {
        self.store(writes, head.marked())
    }

    /// The same, and what the journal needs to do it again.
    pub fn write_and_record(self, writes: &[Write], head: Head) -> Result<Vec<u8>> {
        let head = head.marked();
        let record = record::of(self.head.mark, writes, &head).map_err(fault::meaning)?;
        self.store(writes, head)?;
        Ok(record)
    }

    pub(super) fn store(mut self, writes: &[Write], head: Head) -> Result<()> {
        let Book { connection, cache, is_linked, .. } = &*self.book;
        // Each writes a page of its own if need be; what does not fit is written twice.
        cache.fit(connection, if writes.len() > FEW { writes.len() * PAGE } else { 0 })?;
        let (mut contacts, mut has) = (self.book.head.contacts, self.book.has);
        let mut rows = rows::Writer::new(connection);
        let mut learner = identity::Learner::new(connection);
        let mut filing = search::Filing::default();
        let mut outdated = Outdated::of(writes)?;
        for write in writes {
            match write {
                Write::Insert { contact, source } => {
                    rows.insert(contact)?;
                    filing.add(contact);
                    learner.learn(contact, source)?;
                    identity::note_lid(connection, contact, &mut has)?;
                    register::enrol(connection, contact)?;
                    if *is_linked {
                        companion::note(connection, contact, source, false)?;
                    }
                    contacts += 1;
                }
                Write::Update { contact, source, touched } => {
                    let names = if touched.names { outdated.take(contact.id) } else { None };
                    rows.update(contact, *touched, names.as_deref())?;
                    if touched.last_message {
                        rows.heard(contact)?;
                    }
                    filing.change(contact);
                    if touched.chat_ids {
                        learner.learn(contact, source)?;
                        identity::note_lid(connection, contact, &mut has)?;
                        identity::forget_others(connection, contact)?;
                    }
                    if touched.groups {
                        register::leave_all(connection, contact.id)?;
                        register::enrol(connection, contact)?;
                    }
                    if *is_linked {
                        companion::note(connection, contact, source, touched.chat_ids)?;
                    }
                }
                Write::Remember { key, done, at } => idempotency::remember(connection, key, done, *at)?,
                Write::Bury { contact, revision, at, merged_into } => {
                    identity::forget(connection, contact.id)?;
                    filing.take_out(contact.id);
                    register::leave_all(connection, contact.id)?;
                    match merged_into {
                        Some(survivor) => {
                            earlier::hand_over(connection, contact.id, *survivor)?;
                            identity::redirect(connection, contact, *survivor)?;
                        }
                        None => {
                            identity::forget_aliases(connection, contact.id)?;
                        }
                    }
                    rows::bury(connection, contact, *revision, *at, *merged_into)?;
                    match merged_into {
                        _ if !is_linked => {}
                        Some(_) => companion::note_merger(connection, contact.id)?,
                        None => companion::note_deletion(connection, contact, *revision)?,
                    }
                    contacts -= 1;
                }
                Write::Forget { chat_id, at } => {
                    identity::note_deletion(connection, chat_id, *at)?;
                    has.deletions = true;
                }
                Write::Learn(mapping) => {
                    mapping::learn(connection, mapping)?;
                    has.mappings = true;
                }
                // With the row of the contact, unless that stands there already.
                Write::Outdate { contact, .. } => {
                    if let Some(names) = outdated.take(*contact) {
                        earlier::outdate(connection, *contact, &names)?;
                    }
                }
            }
        }
        drop((rows, learner));
        let late = filing.write(connection, self.book.late)?;
        let head = Head { contacts, epoch: self.book.head.epoch, ..head };
        rows::move_head(connection, &head)?;
        connection.prepare_cached("COMMIT").and_then(|mut commit| commit.execute([])).map_err(fault::at_commit)?;
        self.is_over = true;
        (self.book.head, self.book.has, self.book.late) = (head, has, late);
        Ok(())
    }
}

impl Deref for Turn<'_> {
    type Target = Book;

    fn deref(&self) -> &Book {
        self.book
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        // Some errors end a transaction by themselves.
        if !self.is_over && !self.book.connection.is_autocommit() {
            let _ = self.book.connection.execute_batch("ROLLBACK");
        }
    }
}
