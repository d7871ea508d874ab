//! The desk works through one batch of edits, synchronously: load the contacts they name, decide each in order, store
//! what changed in one commit. Knows nothing of mailboxes, threads or who asked.

use std::{path::Path, sync::Arc};

use foldhash::{HashMap, HashMapExt as _, HashSet, HashSetExt as _};

use crate::{
    book::{Book, Done, Head, SyncAct, Touched, Write},
    domain::{
        Act, Change, ChatId, Contact, ContactId, Edit, Entry, Error, Field, IdempotencyKey, Outcome, Patch,
        Precondition, Register, RegisterEdit, Result, Verdict, Who, decide, fold,
    },
};

pub(super) struct Desk {
    book: Book,
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

impl Desk {
    pub(super) fn open(folder: &Path) -> Result<Self> {
        Ok(Self { book: Book::open(folder)? })
    }

    pub(super) fn book(&self) -> &Book {
        &self.book
    }

    pub(super) fn close(self) -> Result<()> {
        self.book.close()
    }

    /// Every outcome is durable. An error is the whole batch's: nothing of it was answered, and unless it is
    /// `OutcomeUnknown`, nothing of it was stored.
    pub(super) fn work(&mut self, bundles: &mut [Bundle]) -> Result<Vec<Settled>> {
        self.name_sources(bundles)?;
        let mut batch = Batch::lay_out(&self.book, bundles)?;
        let settled = bundles.iter().map(|bundle| batch.settle(bundle)).collect::<Result<_>>()?;
        let Batch { writes, head, .. } = batch;
        if !writes.is_empty() {
            self.book.write(&writes, head)?;
        }
        Ok(settled)
    }

    pub(super) fn edit_register(&mut self, edit: &RegisterEdit) -> Result<Entry> {
        self.book.edit_register(edit)
    }

    pub(super) fn edit_sync(&mut self, act: &SyncAct) -> Result<usize> {
        self.book.edit_sync(act)
    }

    /// Sources that are named rather than numbered get their number; a new name becomes a source first.
    fn name_sources(&mut self, bundles: &mut [Bundle]) -> Result<()> {
        let mut known = HashMap::new();
        for edit in bundles.iter_mut().flat_map(|bundle| &mut bundle.edits) {
            let Act::Save(patch) = &mut edit.act else { continue };
            let Some(name) = patch.source_named.take() else { continue };
            // Whoever is pointed at by a number that leads to nobody is not found: that must leave no source behind.
            if !matches!(edit.who, Who::Chat(_)) && self.book.load(&[edit.who])?.iter().all(Option::is_none) {
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

/// A contact as the batch sees it, and the write that will store it, if one is planned already.
#[derive(Clone, Default)]
struct Slot {
    contact: Option<Arc<Contact>>,
    planned: Option<usize>,
}

/// A batch under way: the contacts as they will be, and the writes that make them so.
struct Batch<'book> {
    book: &'book Book,
    head: Head,
    slots: Vec<Slot>,
    /// The slot to which each way of pointing at a contact leads.
    places: HashMap<Who, usize>,
    writes: Vec<Write>,
    /// Who has an e-mail now, of those that changed in this batch.
    emails: HashMap<String, Option<ContactId>>,
    keys: HashMap<Box<str>, ([u8; 32], Outcome)>,
    entries: HashMap<(Register, i64), bool>,
}

/// What a bundle that fails as a whole goes back to.
struct Savepoint {
    head: Head,
    slots: Vec<Slot>,
    places: HashMap<Who, usize>,
    emails: HashMap<String, Option<ContactId>>,
    keys: HashMap<Box<str>, ([u8; 32], Outcome)>,
}

impl<'book> Batch<'book> {
    /// One slot for each contact that the edits name.
    fn lay_out(book: &'book Book, bundles: &[Bundle]) -> Result<Self> {
        let edits = || bundles.iter().flat_map(|bundle| &bundle.edits);
        let count = edits().count();
        let mut seen = HashSet::with_capacity(count);
        let mut asked = Vec::with_capacity(count);
        let wanted_phone = |edit: &Edit| match &edit.act {
            Act::Save(patch) => patch.phone.map(|digits| Who::Chat(ChatId::Phone(digits))),
            _ => None,
        };
        for who in edits().flat_map(|edit| [Some(edit.who), wanted_phone(edit)]).flatten() {
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
                slots.push(Slot { contact: contact.map(Arc::new), planned: None });
            }
        }
        let (writes, emails, keys, entries) = Default::default();
        let mut batch = Self { book, head: book.head(), slots, places, writes, emails, keys, entries };
        // All of a loaded contact's chat ids lead to it, also those that nobody named.
        for (place, ids) in batch.chat_ids_of_slots() {
            for id in ids {
                batch.places.insert(Who::Chat(id), place);
            }
        }
        Ok(batch)
    }

    fn chat_ids_of_slots(&self) -> Vec<(usize, Vec<ChatId>)> {
        let slots = self.slots.iter().enumerate();
        slots.filter_map(|(place, slot)| Some((place, slot.contact.as_ref()?.chat_ids().collect()))).collect()
    }

    fn settle(&mut self, bundle: &Bundle) -> Result<Settled> {
        let savepoint = bundle.whole.then(|| self.savepoint());
        let first_write = self.writes.len();
        let mut outcomes = Vec::with_capacity(bundle.edits.len());
        for edit in &bundle.edits {
            // A bundle that may be taken back does not touch writes from before it.
            let may_revise_from = if bundle.whole { first_write } else { 0 };
            outcomes.push(match self.decide(edit, may_revise_from) {
                // What the book itself says is wrong is no answer to one edit.
                Err(error @ (Error::Internal(_) | Error::Quarantined | Error::Full)) => return Err(error),
                decided => decided,
            });
        }
        let stored = match savepoint {
            Some(savepoint) if outcomes.iter().any(Result::is_err) => {
                self.go_back_to(savepoint);
                self.writes.truncate(first_write);
                false
            }
            _ => true,
        };
        Ok(Settled { outcomes, stored })
    }

    fn decide(&mut self, edit: &Edit, may_revise_from: usize) -> Result<Outcome> {
        let place = self.places[&edit.who];
        if let Some(key) = &edit.key
            && let Some(outcome) = self.replay(key, edit, place)?
        {
            return Ok(outcome);
        }
        let present = self.slots[place].contact.as_ref();
        let is_left = present.is_some() && edit.require.contact == Some(Precondition::AbsentOrLeft);
        if let Act::Save(patch) = &edit.act
            && !is_left
        {
            self.check(edit, patch, present.map(|contact| contact.id))?;
        }
        let present = self.slots[place].contact.as_deref();
        let Verdict { change, mut contact } = decide(present, edit)?;
        if change != Change::Unchanged {
            self.head.revision = self.head.revision.next();
            contact.revision = self.head.revision;
        }
        if change == Change::Created {
            self.head.last_id = ContactId(self.head.last_id.0 + 1);
            contact.id = self.head.last_id;
            contact.uuid = uuid::Uuid::now_v7();
            contact.first_revision = contact.revision;
        }
        let outcome = Outcome { change, revision: contact.revision, contact: Arc::new(contact), replayed: false };
        self.plan(&outcome, edit, place, may_revise_from);
        if let Some(key) = &edit.key {
            let done = Done { change, contact: outcome.contact.id, revision: outcome.revision };
            self.writes.push(Write::Remember { key: key.clone(), done, at: edit.at });
            self.keys.insert(key.key.clone(), (key.fingerprint, outcome.clone()));
        }
        Ok(outcome)
    }

    /// What was answered to the first request under this key.
    fn replay(&self, key: &IdempotencyKey, edit: &Edit, place: usize) -> Result<Option<Outcome>> {
        let (fingerprint, outcome) = match self.keys.get(&key.key) {
            Some((fingerprint, outcome)) => (*fingerprint, outcome.clone()),
            None => {
                let Some((fingerprint, done)) = self.book.recall(&key.key, edit.at)? else { return Ok(None) };
                let contact = match (&self.slots[place].contact, edit.who) {
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
            let holder =
                self.places.get(&Who::Chat(ChatId::Phone(phone))).and_then(|place| self.slots[*place].contact.as_ref());
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
            let is_taken = match self.emails.get(&fold(email)) {
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

    /// Several changes of one contact become one write, until it is deleted: what comes after that is a new contact.
    fn plan(&mut self, outcome: &Outcome, edit: &Edit, place: usize, may_revise_from: usize) {
        let Outcome { change, contact, .. } = outcome;
        let before = self.slots[place].contact.as_ref();
        let email_before = before.and_then(|contact| contact.card.email.as_deref()).map(fold);
        let groups_before = before.and_then(|contact| contact.card.groups.clone());
        let ids_before: Vec<_> = before.map(|contact| contact.chat_ids().collect()).unwrap_or_default();
        let planned = self.slots[place].planned.filter(|write| *write >= may_revise_from);
        let source = edit.source.clone();
        match change {
            Change::Unchanged => return,
            Change::Created => {
                self.slots[place].planned = Some(self.writes.len());
                self.writes.push(Write::Insert { contact: Arc::clone(contact), source });
            }
            Change::Updated => {
                let mut now = Touched {
                    chat_ids: !contact.chat_ids().eq(ids_before.iter().copied()),
                    groups: contact.card.groups != groups_before,
                };
                match planned.map(|write| &mut self.writes[write]) {
                    Some(Write::Insert { contact: planned, .. }) => *planned = Arc::clone(contact),
                    Some(Write::Update { contact: planned, touched, .. }) => {
                        now.chat_ids |= touched.chat_ids;
                        now.groups |= touched.groups;
                        *planned = Arc::clone(contact);
                        *touched = now;
                    }
                    _ => {
                        self.slots[place].planned = Some(self.writes.len());
                        self.writes.push(Write::Update { contact: Arc::clone(contact), source, touched: now });
                    }
                }
            }
            Change::Deleted => {
                let (contact, revision) = (Arc::clone(contact), contact.revision);
                self.writes.push(Write::Bury { contact, revision, at: edit.at });
            }
        }
        let is_deleted = *change == Change::Deleted;
        if is_deleted || !contact.chat_ids().eq(ids_before.iter().copied()) {
            // Ids that no longer lead here lead to nobody, each for itself.
            for id in ids_before {
                self.places.insert(Who::Chat(id), self.slots.len());
                self.slots.push(Slot::default());
            }
        }
        let email_now = contact.card.email.as_deref().map(fold).filter(|_| !is_deleted);
        if email_before != email_now {
            email_before.map(|email| self.emails.insert(email, None));
            email_now.map(|email| self.emails.insert(email, Some(contact.id)));
        }
        if is_deleted {
            self.slots[place] = Slot::default();
        } else {
            for id in contact.chat_ids() {
                self.places.insert(Who::Chat(id), place);
            }
            self.slots[place].contact = Some(Arc::clone(contact));
        }
    }

    fn savepoint(&self) -> Savepoint {
        let Self { head, slots, places, emails, keys, .. } = self;
        Savepoint {
            head: *head,
            slots: slots.clone(),
            places: places.clone(),
            emails: emails.clone(),
            keys: keys.clone(),
        }
    }

    fn go_back_to(&mut self, savepoint: Savepoint) {
        let Savepoint { head, slots, places, emails, keys } = savepoint;
        (self.head, self.slots, self.places, self.emails, self.keys) = (head, slots, places, emails, keys);
    }
}

#[cfg(test)]
mod tests;
