//! The desk works through one batch of edits, synchronously: load the contacts they name, decide each in order, store
//! what changed in one commit. Knows nothing of mailboxes, threads or who asked.

#[cfg(test)]
mod again;
mod batch;
mod bounds;
mod known;
#[cfg(test)]
mod orders;
mod persons;
#[cfg(test)]
mod persons_tests;
#[cfg(test)]
mod quota_tests;
#[cfg(test)]
mod tests;

use std::path::Path;

use foldhash::{HashMap, HashMapExt as _};

use crate::{
    book::{Book, Durable, HookWork, SyncAct},
    domain::{Act, Edit, Entry, Field, Moment, Outcome, RegisterAct, RegisterEdit, Result, Who},
};

use super::Quota;
use batch::Batch;
use bounds::Bounds;

pub(super) struct Desk {
    book: Book,
    quota: Quota,
}

/// Edits that came together.
#[derive(Debug)]
pub(super) struct Bundle {
    pub(super) edits: Vec<Edit>,
    /// If one of them fails, none is carried out.
    pub(super) whole: bool,
}

/// What came of a bundle.
#[derive(Debug)]
pub struct Settled {
    /// For each edit in order. Of a bundle that was not stored: what would have come of it.
    pub outcomes: Vec<Result<Outcome>>,
    pub stored: bool,
}

/// How a batch lies in the book.
#[derive(Debug)]
pub(super) enum Stored {
    /// It changed nothing.
    Nothing,
    Durably,
    /// It will survive a power cut once this record does, or the book is synced.
    Recorded(Vec<u8>),
}

impl Desk {
    pub(super) fn open(folder: &Path, quota: Quota) -> Result<Self> {
        Ok(Self { book: Book::open(folder)?, quota })
    }

    pub(super) fn book(&self) -> &Book {
        &self.book
    }

    pub(super) fn close(self) -> Result<()> {
        self.book.close()
    }

    /// An error is the whole batch's: nothing of it was answered, and unless it is `OutcomeUnknown`, nothing of it was
    /// stored.
    pub(super) fn work(&mut self, bundles: &mut [Bundle], durable: Durable) -> Result<(Vec<Settled>, Stored)> {
        let bounds = Bounds::of(&self.book, self.quota)?;
        if bounds.let_more_in(0).is_ok() {
            self.name_sources(bundles, bounds)?;
        }
        let turn = self.book.begin(durable)?;
        let mut batch = Batch::lay_out(&turn, bundles, bounds)?;
        let settled = bundles.iter().map(|bundle| batch.settle(bundle)).collect::<Result<_>>()?;
        let (writes, head) = batch.end();
        if writes.is_empty() {
            return Ok((settled, Stored::Nothing));
        }
        let stored = match durable {
            Durable::AtOnce => turn.write(&writes, head).map(|()| Stored::Durably)?,
            Durable::Later => Stored::Recorded(turn.write_and_record(&writes, head)?),
        };
        debug_assert_eq!(self.book.head().contacts, head.contacts, "the batch counts as the book does");
        Ok((settled, stored))
    }

    #[cfg(test)]
    fn work_now(&mut self, bundles: &mut [Bundle]) -> Result<Vec<Settled>> {
        Ok(self.work(bundles, Durable::AtOnce)?.0)
    }

    pub(super) fn edit_register(&mut self, edit: &RegisterEdit) -> Result<Entry> {
        if !matches!(edit.act, RegisterAct::Remove { .. }) {
            Bounds::of(&self.book, self.quota)?.let_more_in(0)?;
        }
        self.book.edit_register(edit)
    }

    pub(super) fn work_on_hooks(&mut self, works: &[HookWork]) -> Result<Vec<bool>> {
        self.book.work_on_hooks(works)
    }

    pub(super) fn edit_sync(&mut self, act: &SyncAct) -> Result<usize> {
        self.book.edit_sync(act)
    }

    pub(super) fn prune(&mut self, before: Moment, at_most: u32) -> Result<u64> {
        self.book.prune(before, at_most)
    }

    /// Sources that are named rather than numbered get their number; a new name becomes a source first.
    fn name_sources(&mut self, bundles: &mut [Bundle], bounds: Bounds) -> Result<()> {
        let makes_room = bundles.iter().flat_map(|bundle| &bundle.edits).any(|edit| edit.act == Act::Delete);
        let takes_nobody_new = !makes_room && bounds.let_one_in(self.book.head().contacts).is_err();
        let mut known = HashMap::new();
        for edit in bundles.iter_mut().flat_map(|bundle| &mut bundle.edits) {
            let Act::Save(patch) = &mut edit.act else { continue };
            let Some(name) = patch.source_named.take() else { continue };
            // Whoever is pointed at by a number that leads to nobody is not found, and nobody new fits in a book that is
            // full: that must leave no source behind.
            let must_be_known = takes_nobody_new || !matches!(edit.who, Who::Chat(_));
            if must_be_known && self.book.load(&[edit.who])?.iter().all(Option::is_none) {
                continue;
            }
            let id = match known.get(&name) {
                Some(id) => *id,
                None => self.book.source_named(&name, edit.at)?,
            };
            patch.card.source_id = Field::Set(id);
            known.insert(name, id);
        }
        Ok(())
    }
}
