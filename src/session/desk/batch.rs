//! A batch under way: the contacts as they will be, and the writes that make them so. Edits of one contact are decided
//! here in their order; what makes two contacts one is next door (`persons`).

use std::sync::Arc;

use foldhash::{HashMap, HashMapExt as _, HashSet, HashSetExt as _};

use super::{Bundle, Settled, bounds::Bounds, known::Known};
use crate::{
    book::{Book, Done, Head, Touched, Write},
    domain::{
        Act, Change, ChatId, Contact, ContactId, Edit, Error, Field, IdempotencyKey, Mapping, Moment, Outcome, Patch,
        Precondition, Register, Result, SavedPatch, Source, Stamp, Timing, Verdict, Who, decide, fold,
    },
};

/// A contact as the batch sees it, and the write that will store it, if one is planned already.
#[derive(Clone, Default)]
pub(super) struct Slot {
    pub(super) contact: Option<Arc<Contact>>,
    planned: Option<usize>,
    /// It became one with the contact in this slot.
    pub(super) moved_to: Option<usize>,
}

pub(super) struct Batch<'book> {
    pub(super) book: &'book Book,
    pub(super) state: State,
    pub(super) writes: Vec<Write>,
    entries: HashMap<(Register, i64), bool>,
    /// Whether some edit asks who has an e-mail.
    minds_emails: bool,
    bounds: Bounds,
}

/// Bytes of a mapping or of an idempotency key, with their indexes.
const ROW: u64 = 300;

/// What a bundle that fails as a whole goes back to.
#[derive(Clone)]
pub(super) struct State {
    pub(super) head: Head,
    pub(super) slots: Vec<Slot>,
    /// The slot to which each way of pointing at a contact leads.
    pub(super) places: HashMap<Who, usize>,
    /// Who has an e-mail now, of those that changed in this batch.
    emails: HashMap<String, Option<ContactId>>,
    keys: HashMap<Box<str>, ([u8; 32], Outcome)>,
    pub(super) known: Known,
    pub(super) has_lids: bool,
    /// Bytes that the book is going to grow by.
    growth: u64,
}

/// Who wrote something and when, and the first write that may still be revised: a bundle that may be taken back does not
/// touch writes from before it.
#[derive(Clone, Copy)]
pub(super) struct Hand<'e> {
    pub(super) source: &'e Source,
    pub(super) at: Moment,
    pub(super) may_revise_from: usize,
}

impl<'book> Batch<'book> {
    /// One slot for each contact that the edits name.
    pub(super) fn lay_out(book: &'book Book, bundles: &[Bundle], bounds: Bounds) -> Result<Self> {
        let edits = || bundles.iter().flat_map(|bundle| &bundle.edits);
        let count = edits().count();
        let mut seen = HashSet::with_capacity(count);
        let mut asked = Vec::with_capacity(count);
        for who in edits().flat_map(|edit| [Some(edit.who), second_named(edit)]).flatten() {
            if seen.insert(who) {
                asked.push(who);
            }
        }
        let loaded = book.load(&asked)?;
        let mut places = HashMap::with_capacity(asked.len());
        let mut by_contact = HashMap::with_capacity(asked.len());
        let mut slots = Vec::with_capacity(asked.len());
        for (who, contact) in asked.into_iter().zip(loaded) {
            // A phone and a LID of one contact share its slot.
            let place = match contact.as_ref().and_then(|contact| by_contact.get(&contact.id)) {
                Some(place) => *place,
                None => slots.len(),
            };
            places.insert(who, place);
            if place == slots.len() {
                if let Some(contact) = &contact {
                    by_contact.insert(contact.id, place);
                }
                slots.push(Slot { contact: contact.map(Arc::new), ..Slot::default() });
            }
        }
        // All of a loaded contact's chat ids lead to it, also those that nobody named.
        for (place, slot) in slots.iter().enumerate() {
            for id in slot.contact.iter().flat_map(|contact| contact.chat_ids()) {
                places.insert(Who::Chat(id), place);
            }
        }
        let (emails, keys, known) = Default::default();
        let state =
            State { head: book.head(), slots, places, emails, keys, known, has_lids: book.has_lids(), growth: 0 };
        let minds_emails = edits().any(|edit| edit.require.unique_email);
        Ok(Self { book, state, writes: Vec::with_capacity(count), entries: HashMap::new(), minds_emails, bounds })
    }

    /// What is to be stored, and the head after it.
    pub(super) fn end(self) -> (Vec<Write>, Head) {
        (self.writes, self.state.head)
    }

    pub(super) fn settle(&mut self, bundle: &Bundle) -> Result<Settled> {
        let savepoint = bundle.whole.then(|| self.state.clone());
        let first_write = self.writes.len();
        let may_revise_from = if bundle.whole { first_write } else { 0 };
        let mut outcomes = Vec::with_capacity(bundle.edits.len());
        for edit in &bundle.edits {
            outcomes.push(match self.decide(edit, may_revise_from) {
                // What the book itself says is wrong is no answer to one edit.
                Err(error @ (Error::Internal(_) | Error::Quarantined | Error::Full)) => return Err(error),
                decided => decided,
            });
        }
        let stored = match savepoint {
            Some(savepoint) if outcomes.iter().any(Result::is_err) => {
                self.state = savepoint;
                self.writes.truncate(first_write);
                false
            }
            _ => true,
        };
        Ok(Settled { outcomes, stored })
    }

    fn decide(&mut self, edit: &Edit, may_revise_from: usize) -> Result<Outcome> {
        let place = self.place(&edit.who);
        if let Some(key) = &edit.key
            && let Some(outcome) = self.replay(key, edit, place)?
        {
            return Ok(outcome);
        }
        if edit.act != Act::Delete {
            self.bounds.let_more_in(self.state.growth)?;
        }
        let hand = Hand { source: &edit.source, at: edit.at, may_revise_from };
        let outcome = match &edit.act {
            Act::Learn { phone } => {
                self.state.growth += ROW;
                self.learn(edit, *phone, hand)?
            }
            Act::UndoName => self.decide_one(&self.undoing(edit, place)?, place, hand)?,
            _ => self.decide_one(edit, place, hand)?,
        };
        if let Some(key) = &edit.key {
            let done = Done { change: outcome.change, contact: outcome.contact.id, revision: outcome.revision };
            self.state.growth += ROW;
            self.writes.push(Write::Remember { key: key.clone(), done, at: edit.at });
            self.state.keys.insert(key.key.clone(), (key.fingerprint, outcome.clone()));
        }
        Ok(outcome)
    }

    /// An edit of one contact.
    fn decide_one(&mut self, edit: &Edit, place: usize, hand: Hand<'_>) -> Result<Outcome> {
        let present = self.state.slots[place].contact.clone();
        let is_left = present.is_some() && edit.require.contact == Some(Precondition::AbsentOrLeft);
        if let Act::Save(patch) = &edit.act
            && !is_left
        {
            self.check(edit, patch, present.as_ref().map(|contact| contact.id))?;
        }
        let deleted_at = self.deleted_at(edit, present.as_deref())?;
        let Verdict { change, contact, at } = decide(present.as_deref(), edit, deleted_at)?;
        let hand = Hand { at, ..hand };
        match change {
            Change::Created => self.create(place, contact, hand),
            Change::Updated => self.change(place, contact, edit, hand),
            Change::Deleted => self.bury(place, hand),
            _ => self.leave(place, contact, edit, hand),
        }
    }

    fn create(&mut self, place: usize, mut contact: Contact, hand: Hand<'_>) -> Result<Outcome> {
        self.bounds.let_one_in(self.state.head.contacts)?;
        // Whoever is known by another id too has both from the beginning.
        match self.state.known.partner(self.book, &contact.chat_id())? {
            Some(ChatId::Phone(digits)) => contact.phone = Some(digits),
            Some(ChatId::Lid(digits)) => contact.lid = Some(digits),
            None => {}
        }
        self.state.has_lids |= contact.lid.is_some();
        let head = &mut self.state.head;
        head.revision = head.revision.next();
        head.last_id = ContactId(head.last_id.0 + 1);
        head.contacts += 1;
        (contact.revision, contact.first_revision) = (head.revision, head.revision);
        (contact.id, contact.uuid) = (head.last_id, uuid::Uuid::now_v7());
        let contact = Arc::new(contact);
        self.state.growth += self.bounds.growth(None, &contact);
        self.state.slots[place].planned = Some(self.writes.len());
        self.writes.push(Write::Insert { contact: Arc::clone(&contact), source: hand.source.clone() });
        self.put(place, &contact);
        Ok(outcome(Change::Created, contact))
    }

    fn change(&mut self, place: usize, mut contact: Contact, edit: &Edit, hand: Hand<'_>) -> Result<Outcome> {
        if contact.phone != self.present(place).phone {
            self.follow_phone(&mut contact, hand)?;
        }
        if edit.act == Act::Delete {
            self.forget(contact.chat_ids(), hand.at)?;
        }
        Ok(self.update(place, contact, hand))
    }

    pub(super) fn update(&mut self, place: usize, mut contact: Contact, hand: Hand<'_>) -> Outcome {
        let before = self.present(place);
        self.state.head.revision = self.state.head.revision.next();
        contact.revision = self.state.head.revision;
        let contact = Arc::new(contact);
        self.plan_update(place, &contact, hand);
        let (saved, now) = (&before.names.saved, &contact.names.saved);
        if saved.full().is_some() && saved.full() != now.full() {
            let (id, revision, saved) = (contact.id, contact.revision, saved.clone());
            self.writes.push(Write::Outdate { contact: id, revision, saved });
        }
        self.put(place, &contact);
        outcome(Change::Updated, contact)
    }

    /// Who got another phone: whatever is known of that phone is known of them now, and the other way round.
    fn follow_phone(&mut self, contact: &mut Contact, hand: Hand<'_>) -> Result<()> {
        let Some(phone) = contact.phone else { return Ok(()) };
        let Some(lid) = contact.lid else {
            if let Some(ChatId::Lid(lid)) = self.state.known.partner(self.book, &ChatId::Phone(phone))? {
                contact.lid = Some(lid);
            }
            return Ok(());
        };
        let mut at = hand.at;
        for id in [ChatId::Phone(phone), ChatId::Lid(lid)] {
            let newest = self.state.known.newest_mapping(self.book, &id)?;
            at = newest.map_or(at, |newest| at.max(newest.by.at.plus(std::time::Duration::from_millis(1))));
        }
        let mapping = Mapping { lid, phone, by: Stamp { at, source: hand.source.clone() } };
        self.state.known.learn(self.book, &mapping)?;
        self.writes.push(Write::Learn(mapping));
        Ok(())
    }

    /// The contact goes, and what was seen of it until now does not bring it back.
    pub(super) fn bury(&mut self, place: usize, hand: Hand<'_>) -> Result<Outcome> {
        let mut contact = Contact::clone(&self.present(place));
        self.state.head.revision = self.state.head.revision.next();
        contact.revision = self.state.head.revision;
        let (contact, at) = (Arc::new(contact), hand.at);
        let revision = contact.revision;
        self.state.head.contacts -= 1;
        self.writes.push(Write::Bury { contact: Arc::clone(&contact), revision, at, merged_into: None });
        self.forget(contact.chat_ids(), at)?;
        self.clear(place, contact.chat_ids());
        self.note_email(contact.card.email.as_deref(), None, contact.id);
        Ok(outcome(Change::Deleted, contact))
    }

    /// Nothing changed. That a field was written again later matters only to whoever may still turn out to be somebody
    /// else's, or takes word of what happened earlier.
    fn leave(&mut self, place: usize, contact: Contact, edit: &Edit, hand: Hand<'_>) -> Result<Outcome> {
        let Some(present) = self.state.slots[place].contact.clone() else {
            if edit.act == Act::Delete {
                self.forget(contact.chat_ids(), hand.at)?;
            }
            return Ok(outcome(Change::Unchanged, Arc::new(contact)));
        };
        if edit.act == Act::Delete {
            self.forget(contact.chat_ids(), hand.at)?;
        }
        let may_merge = self.state.has_lids && (contact.phone.is_none() || contact.lid.is_none());
        let matters = may_merge || edit.timing == Timing::AsGiven || matches!(edit.act, Act::See(_));
        if !matters || contact == *present {
            return Ok(outcome(Change::Unchanged, present));
        }
        let contact = Arc::new(contact);
        self.plan_update(place, &contact, hand);
        self.put(place, &contact);
        Ok(outcome(Change::Unchanged, contact))
    }

    pub(super) fn forget(&mut self, ids: impl Iterator<Item = ChatId>, at: Moment) -> Result<()> {
        for chat_id in ids {
            self.state.known.deleted(self.book, chat_id, at)?;
            self.writes.push(Write::Forget { chat_id, at });
        }
        Ok(())
    }

    /// Several changes of one contact become one write.
    fn plan_update(&mut self, place: usize, contact: &Arc<Contact>, hand: Hand<'_>) {
        let before = self.present(place);
        let mut now = Touched {
            chat_ids: !contact.chat_ids().eq(before.chat_ids()),
            names: contact.names != before.names,
            email: contact.card.email != before.card.email,
            groups: contact.card.groups != before.card.groups,
            last_message: contact.last_message_at != before.last_message_at,
        };
        self.state.growth += self.bounds.growth(Some(&before), contact);
        let stored = Arc::clone(contact);
        // An id that somebody else had until now: what is planned for them comes first.
        let gains_id = contact.chat_ids().any(|id| !before.chat_ids().any(|had| had == id));
        let may_revise = |write: &usize| !gains_id && *write >= hand.may_revise_from;
        let planned = self.state.slots[place].planned.filter(may_revise);
        match planned.map(|write| &mut self.writes[write]) {
            Some(Write::Insert { contact: planned, .. }) => *planned = stored,
            Some(Write::Update { contact: planned, touched, .. }) => {
                now.chat_ids |= touched.chat_ids;
                now.names |= touched.names;
                now.email |= touched.email;
                now.groups |= touched.groups;
                now.last_message |= touched.last_message;
                (*planned, *touched) = (stored, now);
            }
            _ => {
                self.state.slots[place].planned = Some(self.writes.len());
                self.writes.push(Write::Update { contact: stored, source: hand.source.clone(), touched: now });
            }
        }
    }

    /// From now on this is what the slot holds, and its ids lead there.
    fn put(&mut self, place: usize, contact: &Arc<Contact>) {
        let before = self.state.slots[place].contact.replace(Arc::clone(contact));
        if let Some(before) = &before {
            let lost: Vec<_> = before.chat_ids().filter(|id| !contact.chat_ids().any(|kept| kept == *id)).collect();
            self.lead_nowhere(lost.into_iter());
        }
        let email = before.as_ref().and_then(|before| before.card.email.as_deref());
        self.note_email(email, contact.card.email.as_deref(), contact.id);
        for id in contact.chat_ids() {
            self.state.places.insert(Who::Chat(id), place);
        }
    }

    /// The slot is free: what comes after a deletion is a new contact.
    pub(super) fn clear(&mut self, place: usize, ids: impl Iterator<Item = ChatId>) {
        self.lead_nowhere(ids);
        self.state.slots[place] = Slot::default();
    }

    /// Ids that lead to nobody, each for itself.
    fn lead_nowhere(&mut self, ids: impl Iterator<Item = ChatId>) {
        for id in ids {
            self.state.places.insert(Who::Chat(id), self.state.slots.len());
            self.state.slots.push(Slot::default());
        }
    }

    pub(super) fn note_email(&mut self, before: Option<&str>, now: Option<&str>, whose: ContactId) {
        if !self.minds_emails {
            return;
        }
        let (before, now) = (before.map(fold), now.map(fold));
        if before != now {
            before.map(|email| self.state.emails.insert(email, None));
            now.map(|email| self.state.emails.insert(email, Some(whose)));
        }
    }

    pub(super) fn place(&self, who: &Who) -> usize {
        let mut place = self.state.places[who];
        while let Some(next) = self.state.slots[place].moved_to {
            place = next;
        }
        place
    }

    fn present(&self, place: usize) -> Arc<Contact> {
        Arc::clone(self.state.slots[place].contact.as_ref().expect("decided on a contact that is there"))
    }

    /// When whoever is meant was last deleted, where that can matter: to what is told of later, and to who is new.
    fn deleted_at(&mut self, edit: &Edit, present: Option<&Contact>) -> Result<Option<Moment>> {
        let is_told_later = edit.timing == Timing::AsGiven || matches!(edit.act, Act::See(_));
        if present.is_some() && !is_told_later {
            return Ok(None);
        }
        let mut ids: Vec<ChatId> = match (present, edit.who) {
            (Some(contact), _) => contact.chat_ids().collect(),
            (None, Who::Chat(id)) => vec![id],
            (None, _) => vec![],
        };
        if let (None, [id]) = (present, ids.as_slice())
            && let Some(partner) = self.state.known.partner(self.book, id)?
        {
            ids.push(partner);
        }
        self.last_deletion(&ids)
    }

    pub(super) fn last_deletion(&mut self, ids: &[ChatId]) -> Result<Option<Moment>> {
        let mut newest = None;
        for id in ids {
            newest = newest.max(self.state.known.deleted_at(self.book, id)?);
        }
        Ok(newest)
    }

    /// The saved name as it was before its last change, to be saved again.
    fn undoing(&self, edit: &Edit, place: usize) -> Result<Edit> {
        let contact = self.state.slots[place].contact.as_ref().ok_or(Error::NoContact)?;
        let own = |write: &Write| match write {
            Write::Outdate { contact: whose, saved, .. } if *whose == contact.id => Some(saved.clone()),
            _ => None,
        };
        let earlier = match self.writes.iter().rev().find_map(own) {
            Some(saved) => saved,
            None => self.book.earlier_names(contact.id)?.into_iter().next().ok_or(Error::NoEarlierName)?.saved,
        };
        let saved = SavedPatch::Parts { first: earlier.first.into(), last: earlier.last.into() };
        Ok(Edit { act: Act::Save(Box::new(Patch { saved, ..Patch::default() })), ..edit.clone() })
    }

    /// What was answered to the first request under this key.
    fn replay(&self, key: &IdempotencyKey, edit: &Edit, place: usize) -> Result<Option<Outcome>> {
        let (fingerprint, outcome) = match self.state.keys.get(&key.key) {
            Some((fingerprint, outcome)) => (*fingerprint, outcome.clone()),
            None => {
                let Some((fingerprint, done)) = self.book.recall(&key.key, edit.at)? else { return Ok(None) };
                let contact = match (&self.state.slots[place].contact, edit.who) {
                    (Some(contact), _) => Arc::clone(contact),
                    (None, Who::Chat(id)) => Arc::new(Contact::unknown(id, edit.at)),
                    (None, _) => return Err(Error::NoContact),
                };
                let Done { change, revision, .. } = done;
                (fingerprint, Outcome { change, contact, revision, replayed: true })
            }
        };
        if fingerprint != key.fingerprint {
            return Err(Error::KeyReused);
        }
        Ok(Some(Outcome { replayed: true, ..outcome }))
    }

    /// What an edit requires beyond the contact itself.
    fn check(&mut self, edit: &Edit, patch: &Patch, own: Option<ContactId>) -> Result<()> {
        if let Some(phone) = patch.phone {
            let holder = self.state.slots[self.place(&Who::Chat(ChatId::Phone(phone)))].contact.as_ref();
            if holder.is_some_and(|holder| Some(holder.id) != own) {
                return Err(Error::Duplicate { field: "phone" });
            }
        }
        if edit.require.references {
            let (source, status) = (&patch.card.source_id, &patch.card.status_id);
            for (field, register, id) in
                [("source_id", Register::Sources, source), ("status_id", Register::Statuses, status)]
            {
                if let Field::Set(id) = id
                    && !self.has_entry(register, *id)?
                {
                    return Err(Error::Unknown { field });
                }
            }
            let named = if let Field::Set(groups) = &patch.card.groups { groups.as_slice() } else { &[] };
            for group in named.iter().chain(&patch.join) {
                if !self.has_entry(Register::Groups, *group)? {
                    return Err(Error::Unknown { field: "groups" });
                }
            }
        }
        if let (true, Field::Set(email)) = (edit.require.unique_email, &patch.card.email) {
            let is_taken = match self.state.emails.get(&fold(email)) {
                Some(holder) => holder.is_some_and(|holder| Some(holder) != own),
                None => self.book.with_email(email)?.into_iter().any(|holder| Some(holder) != own),
            };
            if is_taken {
                return Err(Error::Duplicate { field: "email" });
            }
        }
        Ok(())
    }

    fn has_entry(&mut self, register: Register, id: i64) -> Result<bool> {
        if let Some(known) = self.entries.get(&(register, id)) {
            return Ok(*known);
        }
        let known = self.book.has_entry(register, id)?;
        self.entries.insert((register, id), known);
        Ok(known)
    }
}

pub(super) fn outcome(change: Change, contact: Arc<Contact>) -> Outcome {
    Outcome { change, revision: contact.revision, contact, replayed: false }
}

/// Whom an edit names beside the one whom it is about.
fn second_named(edit: &Edit) -> Option<Who> {
    let phone = match &edit.act {
        Act::Save(patch) => patch.phone?,
        Act::Learn { phone } => *phone,
        _ => return None,
    };
    Some(Who::Chat(ChatId::Phone(phone)))
}
