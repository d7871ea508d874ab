//! The desk works through one batch of edits, synchronously: load the contacts they name, decide each in order, store
//! what changed in one commit. Knows nothing of mailboxes, threads or who asked.

use std::{collections::HashMap, path::Path};

use crate::{
    book::{Book, Write},
    domain::{Change, ChatId, Contact, ContactId, Edit, Outcome, Result, decide},
};

pub(super) struct Desk {
    book: Book,
}

/// A contact as the batch sees it, and the write that will store it, if one is planned already.
struct Slot {
    contact: Option<Contact>,
    planned: Option<usize>,
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

    /// An outcome for each edit, all of them durable. An error is the whole batch's: nothing of it was answered, and
    /// unless it is `OutcomeUnknown`, nothing of it was stored.
    pub(super) fn work(&mut self, edits: &[Edit]) -> Result<Vec<Result<Outcome>>> {
        let (mut slots, places) = self.lay_out(edits)?;
        let mut head = self.book.head();
        let mut writes = Vec::with_capacity(slots.len());
        let mut outcomes = Vec::with_capacity(edits.len());
        for edit in edits {
            let slot = &mut slots[places[&edit.who]];
            let decided = decide(slot.contact.as_ref(), edit);
            outcomes.push(decided.map(|mut verdict| {
                if verdict.change != Change::Unchanged {
                    head.revision = head.revision.next();
                    verdict.contact.revision = head.revision;
                }
                if verdict.change == Change::Created {
                    head.last_id = ContactId(head.last_id.0 + 1);
                    verdict.contact.id = head.last_id;
                    verdict.contact.uuid = uuid::Uuid::now_v7();
                }
                plan(&verdict, edit, slot, &mut writes);
                verdict
            }));
        }
        if !writes.is_empty() {
            self.book.write(&writes, head)?;
        }
        Ok(outcomes)
    }

    /// One slot for each contact that the edits name, and the slot to which each chat id leads.
    fn lay_out(&self, edits: &[Edit]) -> Result<(Vec<Slot>, HashMap<ChatId, usize>)> {
        let mut places = HashMap::with_capacity(edits.len());
        let mut asked = Vec::with_capacity(edits.len());
        for edit in edits {
            places.entry(edit.who).or_insert_with(|| {
                asked.push(edit.who);
                asked.len() - 1
            });
        }
        let loaded = self.book.load(&asked)?;
        let mut by_contact = HashMap::new();
        for (place, contact) in loaded.iter().enumerate() {
            // A phone and a LID of one contact share its slot.
            if let Some(contact) = contact {
                let first = *by_contact.entry(contact.id).or_insert(place);
                places.insert(asked[place], first);
            }
        }
        let slots = loaded.into_iter().map(|contact| Slot { contact, planned: None }).collect();
        Ok((slots, places))
    }
}

/// Several changes of one contact become one write, until it is deleted: what comes after that is a new contact.
fn plan(verdict: &Outcome, edit: &Edit, slot: &mut Slot, writes: &mut Vec<Write>) {
    let Outcome { change, contact } = verdict;
    match change {
        Change::Unchanged => {}
        Change::Created => {
            slot.planned = Some(writes.len());
            writes.push(Write::Insert { contact: contact.clone(), source: edit.source.clone() });
            slot.contact = Some(contact.clone());
        }
        Change::Updated => {
            match slot.planned.map(|place| &mut writes[place]) {
                Some(Write::Insert { contact: planned, .. } | Write::Update { contact: planned, .. }) => {
                    planned.clone_from(contact);
                }
                _ => {
                    slot.planned = Some(writes.len());
                    writes.push(Write::Update { contact: contact.clone(), source: edit.source.clone() });
                }
            }
            slot.contact = Some(contact.clone());
        }
        Change::Deleted => {
            writes.push(Write::Bury { contact: contact.clone(), revision: contact.revision, at: edit.at });
            *slot = Slot { contact: None, planned: None };
        }
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::domain::{Act, Error, Field, Moment, NamePart, Patch, Precondition, Revision, SavedPatch, Source};

    fn desk() -> (TempDir, Desk) {
        let folder = TempDir::new().unwrap();
        Book::create(folder.path()).unwrap().close().unwrap();
        let desk = Desk::open(folder.path()).unwrap();
        (folder, desk)
    }

    fn edit(who: &str, act: Act) -> Edit {
        let (at, source) = (Moment::from_millis(1), Source::known("test"));
        Edit { who: who.parse().unwrap(), act, require: None, at, source }
    }

    fn named(who: &str, first: &str) -> Edit {
        let first = Field::from(NamePart::parse(first, "name").unwrap());
        let saved = SavedPatch::Parts { first, last: Field::Keep };
        edit(who, Act::Save(Box::new(Patch { saved, ..Patch::default() })))
    }

    fn told(outcomes: Vec<Result<Outcome>>) -> Vec<(String, u64)> {
        let tell = |outcome: Result<Outcome>| match outcome {
            Ok(Outcome { change, contact }) => (change.word().to_owned(), contact.revision.number()),
            Err(error) => (error.word().to_owned(), 0),
        };
        outcomes.into_iter().map(tell).collect()
    }

    #[test]
    fn a_batch_is_decided_in_order_and_each_change_has_its_revision() {
        let (folder, mut desk) = desk();
        let mut absent = named("222", "Eve");
        absent.require = Some(Precondition::Absent);
        let batch = [
            named("111", "Bob"),
            named("+111", "Bob"),
            named("111@c.us", "Rob"),
            absent.clone(),
            absent,
            edit("333", Act::Delete),
            edit("222", Act::Delete),
            named("222", "Eve again"),
        ];
        let outcomes = told(desk.work(&batch).unwrap());
        let expected = [
            ("created", 1),
            ("unchanged", 1),
            ("updated", 2),
            ("created", 3),
            ("stale", 0),
            ("no_contact", 0),
            ("deleted", 4),
            ("created", 5),
        ];
        assert_eq!(outcomes, expected.map(|(word, revision)| (word.to_owned(), revision)));
        assert_eq!((desk.book.head().contacts, desk.book.head().revision), (2, Revision::new(5)));
        let ids = ["111", "222"].map(|who| who.parse().unwrap());
        let shown: Vec<_> = desk.book.load(&ids).unwrap().iter().flatten().map(Contact::display).collect();
        assert_eq!(shown, ["Rob", "Eve again"]);
        assert_eq!(crate::book::check(folder.path()).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn a_batch_that_changes_nothing_writes_nothing() {
        let (folder, mut desk) = desk();
        desk.work(&[named("111", "Bob")]).unwrap();
        let log = || std::fs::metadata(folder.path().join("book.db-wal")).unwrap().len();
        let before = (log(), desk.book.head());
        assert_eq!(told(desk.work(&[named("111", "Bob"), named("111", "Bob")]).unwrap())[1].0, "unchanged");
        assert_eq!((log(), desk.book.head()), before);
    }

    #[test]
    fn a_phone_and_a_lid_of_one_contact_are_one_slot() {
        let (folder, mut desk) = desk();
        let mut contact = desk.work(&[named("111", "Bob")]).unwrap().remove(0).unwrap().contact;
        contact.lid = Some(*"999@lid".parse::<ChatId>().unwrap().digits());
        let mut head = desk.book.head();
        head.revision = head.revision.next();
        contact.revision = head.revision;
        desk.book.write(&[Write::Update { contact, source: Source::known("test") }], head).unwrap();

        let outcomes = desk.work(&[named("999@lid", "Rob"), named("111", "Rob")]).unwrap();
        assert_eq!(told(outcomes), [("updated".to_owned(), 3), ("unchanged".to_owned(), 3)]);
        assert_eq!(desk.book.head().contacts, 1);
        assert_eq!(crate::book::check(folder.path()).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn a_missing_book_is_not_made_anew() {
        let folder = TempDir::new().unwrap();
        assert!(matches!(Desk::open(folder.path()), Err(Error::Quarantined)));
    }
}
