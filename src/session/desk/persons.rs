//! One person, one contact: what it does to the contacts when a LID and a phone turn out to be one person, or to be so no
//! longer. A mapping that holds makes two contacts one; a newer one that contradicts it takes the LID elsewhere, and the
//! phone keeps what was saved. Strangers are only remembered: a mapping makes no contact.

use std::sync::Arc;

use super::batch::{Batch, Hand, outcome};
use crate::{
    book::Write,
    domain::{Change, ChatId, Contact, Digits, Edit, Invalid, Mapping, Outcome, Result, Stamp, Who, unite},
};

impl Batch<'_> {
    pub(super) fn learn(&mut self, edit: &Edit, phone: Digits, hand: Hand<'_>) -> Result<Outcome> {
        let Who::Chat(ChatId::Lid(lid)) = edit.who else {
            return Err(Invalid::new("lid", "must be a LID, such as 123456789@lid").into());
        };
        let mapping = Mapping { lid, phone, by: Stamp { at: hand.at, source: hand.source.clone() } };
        let mut learned = self.state.known.learn(self.book, &mapping)?;
        // One that was outdated long ago is no news when it is told again.
        learned.is_news &= learned.holds() || !self.book.was_reported(&mapping)?;
        if learned.is_news {
            self.writes.push(Write::Learn(mapping));
            self.state.has_lids = true;
        }
        let (by_lid, by_phone) = (Who::Chat(ChatId::Lid(lid)), Who::Chat(ChatId::Phone(phone)));
        let mut parted = None;
        if learned.decides_lid {
            parted =
                self.part(self.place(&by_lid), |contact| contact.phone.is_some_and(|other| other != phone), hand)?;
        }
        if learned.decides_phone {
            let other = |contact: &Contact| contact.lid.is_some_and(|other| other != lid);
            parted = self.part(self.place(&by_phone), other, hand)?.or(parted);
        }
        let joined = if learned.holds() { self.join(lid, phone, hand)? } else { None };
        Ok(joined.or(parted).unwrap_or_else(|| {
            let change = if learned.is_news && !learned.is_said_again { Change::Learned } else { Change::Unchanged };
            let stranger = || {
                let mut stranger = Contact::unknown(ChatId::Lid(lid), hand.at);
                stranger.phone = learned.holds().then_some(phone);
                Arc::new(stranger)
            };
            outcome(change, self.state.slots[self.place(&by_lid)].contact.clone().unwrap_or_else(stranger))
        }))
    }

    /// Takes the LID away from a contact of which this is true. All that is saved stays with the phone.
    fn part(&mut self, place: usize, is_wrong: impl Fn(&Contact) -> bool, hand: Hand<'_>) -> Result<Option<Outcome>> {
        let Some(contact) = self.state.slots[place].contact.clone() else { return Ok(None) };
        if contact.lid.is_none() || !is_wrong(&contact) {
            return Ok(None);
        }
        let mut parted = Contact::clone(&contact);
        parted.lid = None;
        Ok(Some(self.update(place, parted, hand)))
    }

    /// Makes whoever has these ids one contact. `None` when nothing changes, or nobody has them.
    fn join(&mut self, lid: Digits, phone: Digits, hand: Hand<'_>) -> Result<Option<Outcome>> {
        let ids = [ChatId::Phone(phone), ChatId::Lid(lid)];
        let [by_phone, by_lid] = ids.map(|id| self.place(&Who::Chat(id)));
        if by_phone == by_lid {
            return Ok(None);
        }
        let contact = |place: usize| self.state.slots[place].contact.clone();
        let (place, mut one, change) = match (contact(by_phone), contact(by_lid)) {
            (None, None) => return Ok(None),
            (Some(ours), None) => (by_phone, Contact::clone(&ours), Change::Updated),
            (None, Some(theirs)) => (by_lid, Contact::clone(&theirs), Change::Updated),
            (Some(ours), Some(theirs)) => (by_phone, unite(&ours, &theirs), Change::Merged),
        };
        (one.phone, one.lid) = (Some(phone), Some(lid));
        // One of them may have been deleted as a person since the other was written.
        if let Some(deleted_at) = self.last_deletion(&ids)? {
            let Some(rest) = one.outlived(deleted_at) else {
                return self.bury_all(ids, Hand { at: deleted_at, ..hand });
            };
            one = rest;
        }
        if change == Change::Merged {
            self.give_way(by_lid, by_phone, &one, hand)?;
        }
        one.updated_at = one.updated_at.max(hand.at);
        let updated = self.update(place, one, hand);
        Ok(Some(Outcome { change, ..updated }))
    }

    /// Whoever has these ids was deleted after all that was written of them.
    fn bury_all(&mut self, ids: [ChatId; 2], hand: Hand<'_>) -> Result<Option<Outcome>> {
        let mut last = None;
        for id in ids {
            let place = self.place(&Who::Chat(id));
            if self.state.slots[place].contact.is_some() {
                last = Some(self.bury(place, hand)?);
            }
        }
        Ok(last)
    }

    /// The contact found by its LID goes; its numbers lead to the other from now on.
    fn give_way(&mut self, from: usize, to: usize, one: &Contact, hand: Hand<'_>) -> Result<()> {
        let Some(contact) = self.state.slots[from].contact.clone() else { return Ok(()) };
        self.state.head.revision = self.state.head.revision.next();
        let (revision, at) = (self.state.head.revision, hand.at);
        let saved = &contact.names.saved;
        if saved.full().is_some() && saved.full() != one.names.saved.full() {
            self.writes.push(Write::Outdate { contact: one.id, revision, saved: saved.clone() });
        }
        self.note_email(contact.card.email.as_deref(), None, contact.id);
        self.state.head.contacts -= 1;
        self.writes.push(Write::Bury { contact, revision, at, merged_into: Some(one.id) });
        self.clear(from, std::iter::empty());
        self.state.slots[from].moved_to = Some(to);
        Ok(())
    }
}
