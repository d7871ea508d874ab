//! What the book knows of the world beside its contacts, as a batch sees it while it goes on: which LID is which phone,
//! and who was deleted when. Asked of the book when it is needed, and remembered for the batch.

use foldhash::HashMap;

use crate::{
    book::Book,
    domain::{ChatId, Mapping, Moment, Result},
};

#[derive(Clone, Default)]
pub(super) struct Known {
    /// The newest that was ever learned of a chat id.
    mappings: HashMap<ChatId, Option<Mapping>>,
    deletions: HashMap<ChatId, Option<Moment>>,
}

/// What a mapping that was just learned brings about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Learned {
    /// Not known before, or not from so late.
    pub(super) is_news: bool,
    /// It is news, but only of when: the same was the newest that was known of both.
    pub(super) is_said_again: bool,
    /// Nothing newer is known of the LID: it belongs to no other phone.
    pub(super) decides_lid: bool,
    /// Nothing newer is known of the phone.
    pub(super) decides_phone: bool,
}

impl Learned {
    pub(super) fn holds(self) -> bool {
        self.decides_lid && self.decides_phone
    }
}

impl Known {
    pub(super) fn learn(&mut self, book: &Book, mapping: &Mapping) -> Result<Learned> {
        let mut learned = Learned { is_news: true, is_said_again: true, decides_lid: false, decides_phone: false };
        for id in [ChatId::Lid(mapping.lid), ChatId::Phone(mapping.phone)] {
            let newest = self.newest_mapping(book, &id)?;
            let is_known =
                newest.is_some_and(|newest| newest.is_of_same_pair(mapping) && newest.by.at >= mapping.by.at);
            let decides = is_known
                || newest.is_none_or(|newest| newest.is_of_same_pair(mapping) || mapping.is_newer_than(newest));
            learned.is_news &= !is_known;
            learned.is_said_again &= newest.is_some_and(|newest| newest.is_of_same_pair(mapping));
            *(if id.is_phone() { &mut learned.decides_phone } else { &mut learned.decides_lid }) = decides;
            if decides && !is_known {
                self.mappings.insert(id, Some(mapping.clone()));
            }
        }
        Ok(learned)
    }

    /// The other id of the same person, as far as is known.
    pub(super) fn partner(&mut self, book: &Book, id: &ChatId) -> Result<Option<ChatId>> {
        let Some(newest) = self.newest_mapping(book, id)?.cloned() else { return Ok(None) };
        let partner = newest.partner(id);
        let is_mutual = self.newest_mapping(book, &partner)?.is_some_and(|theirs| theirs.is_of_same_pair(&newest));
        Ok(is_mutual.then_some(partner))
    }

    /// When anything was last learned of this id.
    pub(super) fn newest_mapping(&mut self, book: &Book, id: &ChatId) -> Result<Option<&Mapping>> {
        if !self.mappings.contains_key(id) {
            self.mappings.insert(*id, book.newest_mapping(id)?);
        }
        Ok(self.mappings[id].as_ref())
    }

    pub(super) fn deleted(&mut self, book: &Book, id: ChatId, at: Moment) -> Result<()> {
        let known = self.deleted_at(book, &id)?;
        self.deletions.insert(id, known.max(Some(at)));
        Ok(())
    }

    pub(super) fn deleted_at(&mut self, book: &Book, id: &ChatId) -> Result<Option<Moment>> {
        if let Some(known) = self.deletions.get(id) {
            return Ok(*known);
        }
        let at = book.deleted_at(id)?;
        self.deletions.insert(*id, at);
        Ok(at)
    }
}
