//! What one book may come to, at the desk: refused before anything is written. Deleting goes on always: it is the way back.

use crate::{
    book::Book,
    domain::{Contact, Error, Result},
    session::Quota,
};

/// As they are when a batch begins.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    most_contacts: u64,
    /// 0 = as many as there are; so much is then not asked for.
    most_bytes: u64,
    bytes: u64,
}

/// What a contact takes beside its texts: its row, its way in, its place in the search.
const BARE: usize = 400;
const PAGE: usize = 4096;

impl Bounds {
    pub(super) fn of(book: &Book, quota: Quota) -> Result<Self> {
        let bytes = if quota.bytes > 0 { book.bytes()? } else { 0 };
        Ok(Self { most_contacts: quota.contacts, most_bytes: quota.bytes, bytes })
    }

    /// Whether anything may be written beside deletions, when so many bytes more are planned already.
    pub(super) fn let_more_in(self, planned: u64) -> Result<()> {
        let (now, most) = (self.bytes + planned, self.most_bytes);
        if most > 0 && now >= most { Err(Error::OverQuota { of: "bytes", now, most }) } else { Ok(()) }
    }

    /// Whether somebody new may come to so many contacts.
    pub(super) fn let_one_in(self, contacts: u64) -> Result<()> {
        let most = self.most_contacts;
        if most > 0 && contacts >= most {
            return Err(Error::OverQuota { of: "contacts", now: contacts, most });
        }
        Ok(())
    }

    /// How many bytes more a contact is going to take, rather too many than too few: the next batch sees how many it was.
    pub(super) fn growth(self, before: Option<&Contact>, after: &Contact) -> u64 {
        if self.most_bytes == 0 {
            return 0;
        }
        // An earlier name is kept beside the new one.
        let grown = text(after).saturating_sub(before.map_or(0, text)) + if before.is_none() { BARE } else { BARE / 2 };
        grown as u64
    }
}

/// What a contact's texts take. A page that is half full of one has no room for another.
fn text(contact: &Contact) -> usize {
    let text = letters(contact);
    text + text.min(PAGE)
}

/// Names count again for the search.
fn letters(contact: &Contact) -> usize {
    let card = &contact.card;
    let plain = [
        &card.email,
        &card.company,
        &card.description,
        &card.city,
        &card.state,
        &card.zip,
        &card.address,
        &card.country_code,
    ];
    let plain: usize = plain.into_iter().flatten().map(|text| text.len()).sum();
    let words: usize = [&card.tags, &card.labels].into_iter().flatten().flatten().map(|word| word.len() + 4).sum();
    let params: usize = card.params.iter().flatten().map(|(key, value)| key.len() + value.len() + 8).sum();
    let groups = card.groups.as_ref().map_or(0, Vec::len) * 32;
    let names = &contact.names;
    let saved = names.saved.full().map_or(0, |full| full.len());
    let seen: usize = [&names.push, &names.business].into_iter().flatten().map(|seen| seen.name.as_str().len()).sum();
    plain + words + params + groups + 3 * (saved + seen)
}
