//! What becomes of two contacts that turn out to be one: ids, sets, names, tombstones and redirects; and of mappings that
//! contradict each other.

use std::sync::Arc;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::{
    book::Changed,
    domain::{
        CardPatch, Change, ChatId, Contact, Error, Mapping, Moment, NamePart, Outcome, Patch, Register, RegisterAct,
        SavedPatch, Sighting, Source, Stamp, VendorId,
    },
};

const PHONE: &str = "4917012345";
const LID: &str = "100000000000001@lid";

fn desk() -> (TempDir, Desk) {
    let folder = TempDir::new().unwrap();
    Book::create(folder.path()).unwrap().close().unwrap();
    let desk = Desk::open(folder.path(), Quota::default()).unwrap();
    (folder, desk)
}

fn chat(who: &str) -> ChatId {
    who.parse().unwrap()
}

fn saved(who: &str, first: &str, at: i64) -> Edit {
    patched(who, Patch { saved: SavedPatch::Whole(NamePart::parse(first, "name").unwrap()), ..Patch::default() }, at)
}

fn patched(who: &str, patch: Patch, at: i64) -> Edit {
    Edit::save(chat(who), patch, Moment::from_millis(at), Source::known("test"))
}

fn mapped(lid: &str, phone: &str, at: i64) -> Edit {
    Edit::learn(*chat(lid).digits(), *chat(phone).digits(), Moment::from_millis(at), Source::known("phone"))
}

fn pushed(who: &str, name: &str, at: i64) -> Edit {
    let (at, push) = (Moment::from_millis(at), NamePart::parse(name, "push").unwrap());
    let source = Source::known("phone");
    let sighting = Sighting { push, business: None, last_message_at: None, at, source: source.clone() };
    Edit::new(chat(who), Act::See(sighting), at, source)
}

fn one(desk: &mut Desk, edit: Edit) -> Outcome {
    let settled = desk.work_now(&mut [Bundle { edits: vec![edit], whole: false }]).unwrap().remove(0);
    settled.outcomes.into_iter().next().unwrap().unwrap()
}

fn found(desk: &Desk, who: impl Into<Who>) -> Option<Contact> {
    desk.book.load(&[who.into()]).unwrap().remove(0)
}

fn assert_sound(folder: &TempDir) {
    assert_eq!(crate::book::check(folder.path()).unwrap(), Vec::<String>::new());
}

/// Whatever two phones tell for one time: it ends alike if that they are one person is learned before or after.
#[test]
fn of_what_is_told_for_one_time_the_greater_stays_at_a_merger_as_well() {
    let blocked = |who: &str| patched(who, Patch { blocked: Some(true), ..Patch::default() }, 5).as_given();
    for (by_phone, by_lid) in [("Ann", "Bob"), ("Bob", "Ann")] {
        let told = [saved(PHONE, by_phone, 5).as_given(), saved(LID, by_lid, 5).as_given(), blocked(LID)];
        for mapped_at in 0..=3 {
            let (_folder, mut desk) = desk();
            let mut all = told.to_vec();
            all.insert(mapped_at, mapped(LID, PHONE, 9));
            for edit in all {
                one(&mut desk, edit);
            }
            let contact = found(&desk, chat(PHONE)).unwrap();
            assert_eq!((contact.names.saved.full().as_deref(), contact.blocked), (Some("Bob"), true), "{mapped_at}");
        }
    }
}

#[test]
fn two_contacts_become_one_with_all_that_both_had() {
    let (folder, mut desk) = desk();
    let group = |name: &str| RegisterEdit {
        register: Register::Groups,
        act: RegisterAct::Add { name: NamePart::parse(name, "name").unwrap().unwrap(), color: None },
        at: Moment::from_millis(1),
    };
    let groups = ["Friends", "Work"].map(|name| desk.edit_register(&group(name)).unwrap().id);
    let with = |tag: &str, param: &str, group: i64| Patch {
        card: CardPatch {
            tags: Field::Set(vec!["both".into(), tag.into()]),
            params: Field::Set([("same".into(), format!("\"{param}\"").into()), (param.into(), "1".into())].into()),
            ..CardPatch::default()
        },
        join: vec![group],
        ..Patch::default()
    };
    let by_phone = one(&mut desk, patched(PHONE, with("vip", "old", groups[0]), 10)).contact;
    let by_lid = one(&mut desk, patched(LID, with("new", "new", groups[1]), 20)).contact;
    one(&mut desk, saved(LID, "Alice", 30));
    one(&mut desk, saved(PHONE, "Alice Accounting", 40));
    one(&mut desk, pushed(LID, "ali", 50));

    let merged = one(&mut desk, mapped(LID, PHONE, 60));
    assert_eq!(merged.change, Change::Merged);
    let alice = &merged.contact;
    assert_eq!((alice.id, alice.uuid), (by_phone.id, by_phone.uuid), "the contact with the phone goes on");
    assert_eq!(alice.names.saved.full().unwrap(), "Alice Accounting");
    assert_eq!(alice.names.push.as_ref().unwrap().text(), "ali");
    let tags: Vec<_> = alice.card.tags.iter().flatten().map(|tag| &**tag).collect();
    assert_eq!(tags, ["both", "new", "vip"]);
    let params: Vec<_> = alice.card.params.iter().flatten().map(|(key, value)| format!("{key}={value}")).collect();
    assert_eq!(params, ["new=1", "old=1", "same=\"new\""]);
    assert_eq!(alice.card.groups.as_deref(), Some(groups.as_slice()));

    let everywhere = [
        Who::Chat(chat(PHONE)),
        Who::Chat(chat(LID)),
        Who::Id(by_phone.id),
        Who::Id(by_lid.id),
        Who::Uuid(by_lid.uuid),
        Who::Vendor(VendorId::of(by_lid.uuid)),
    ];
    for who in everywhere {
        assert_eq!(found(&desk, who).as_ref(), Some(&**alice), "{who:?}");
    }
    assert_eq!(desk.book.head().contacts, 1);
    let changes = desk.book.reader().unwrap().changes(by_lid.revision, 10).unwrap().rows;
    let [Changed::Gone(gone), Changed::Contact(left)] = changes.as_slice() else { panic!("{changes:?}") };
    assert_eq!((gone.id, gone.merged_into.unwrap().id), (by_lid.id, by_phone.id));
    assert_eq!((&**left, gone.lid), (&**alice, alice.lid));
    let earlier: Vec<_> = desk.book.earlier_names(alice.id).unwrap().iter().map(|e| e.saved.full().unwrap()).collect();
    assert_eq!(earlier, ["Alice"], "what was saved under the LID is not lost");

    let again = one(&mut desk, mapped(LID, PHONE, 60));
    assert_eq!((again.change, again.revision), (Change::Unchanged, merged.revision), "a replay changes nothing");
    assert_sound(&folder);

    assert_eq!(
        one(&mut desk, Edit::new(Who::Id(by_lid.id), Act::Delete, Moment::from_millis(70), Source::known("test")))
            .change,
        Change::Deleted
    );
    for who in everywhere {
        assert_eq!(found(&desk, who), None, "{who:?}");
    }
    assert_sound(&folder);
}

#[test]
fn a_mapping_of_strangers_is_remembered_and_makes_no_contact() {
    let (folder, mut desk) = desk();
    let learned = one(&mut desk, mapped(LID, PHONE, 10));
    assert_eq!((learned.change, desk.book.head().contacts), (Change::Learned, 0));
    assert_eq!(one(&mut desk, mapped(LID, PHONE, 10)).change, Change::Unchanged);
    let made = one(&mut desk, saved(LID, "Alice", 20));
    assert_eq!(made.contact.chat_id(), chat(PHONE), "made by its LID, it has its phone at once");
    let deleted = Edit::new(chat(PHONE), Act::Delete, Moment::from_millis(30), Source::known("test"));
    assert_eq!(one(&mut desk, deleted).change, Change::Deleted);
    // The same said again later is no news, and a mapping brings nobody back.
    assert_eq!(one(&mut desk, mapped(LID, PHONE, 40)).change, Change::Unchanged);
    assert_eq!(one(&mut desk, pushed(LID, "old news", 25)).change, Change::Unchanged, "nor what was seen before");
    assert_eq!(desk.book.head().contacts, 0);
    assert_eq!(one(&mut desk, pushed(LID, "ali", 50)).contact.chat_id(), chat(PHONE));
    assert_sound(&folder);
}

#[test]
fn the_newer_of_two_contradicting_mappings_holds_and_what_is_saved_stays_with_the_phone() {
    let (folder, mut desk) = desk();
    one(&mut desk, saved(PHONE, "Alice", 10));
    one(&mut desk, saved("4917099999", "Bob", 11));
    one(&mut desk, mapped(LID, PHONE, 20));
    let moved = one(&mut desk, mapped(LID, "4917099999", 30));
    assert_eq!((moved.change, moved.contact.display()), (Change::Updated, "Bob".to_owned()));
    assert_eq!(found(&desk, chat(LID)).unwrap().display(), "Bob");
    assert_eq!(found(&desk, chat(PHONE)).unwrap().lid, None);
    let late = one(&mut desk, mapped(LID, PHONE, 25));
    assert_eq!(found(&desk, chat(LID)).unwrap().display(), "Bob", "an older sighting never wins");
    assert_eq!(late.contact.display(), "Bob");
    one(&mut desk, mapped("333@lid", PHONE, 40));
    assert_eq!(one(&mut desk, mapped(LID, PHONE, 25)).change, Change::Unchanged, "outdated on both sides, and no news");
    let history = desk.book.reader().unwrap().mapping_history(&chat(LID)).unwrap();
    let told: Vec<_> = history.iter().map(|(mapping, holds)| (mapping.phone.to_string(), *holds)).collect();
    assert_eq!(told, [("4917099999".to_owned(), true), (PHONE.to_owned(), false)]);
    assert_sound(&folder);
}

#[test]
fn a_cycle_of_mappings_ends_with_the_newest_pairs() {
    let (folder, mut desk) = desk();
    let (a, b, x, y) = ("111@lid", "222@lid", "491111", "492222");
    for (who, name) in [(x, "X"), (y, "Y"), (a, "A"), (b, "B")] {
        one(&mut desk, saved(who, name, 1));
    }
    let all =
        [mapped(a, x, 10), mapped(b, x, 11), mapped(b, y, 12), mapped(a, y, 13), mapped(a, x, 14), mapped(b, y, 15)];
    desk.work_now(&mut [Bundle { edits: all.to_vec(), whole: true }]).unwrap();
    assert_eq!(found(&desk, chat(a)).unwrap().chat_id(), chat(x));
    assert_eq!(found(&desk, chat(b)).unwrap().chat_id(), chat(y));
    assert_sound(&folder);
}

#[test]
fn a_whole_bundle_that_fails_takes_its_merges_back() {
    let (folder, mut desk) = desk();
    one(&mut desk, saved(PHONE, "Alice", 10));
    one(&mut desk, saved(LID, "Ali", 11));
    let nobody = Edit::new(chat("4912"), Act::Delete, Moment::from_millis(12), Source::known("test"));
    let settled = desk.work_now(&mut [Bundle { edits: vec![mapped(LID, PHONE, 12), nobody], whole: true }]).unwrap();
    assert!(!settled[0].stored);
    assert_eq!(found(&desk, chat(LID)).unwrap().display(), "Ali");
    assert_eq!(desk.book.newest_mapping(&chat(LID)).unwrap(), None);
    assert_sound(&folder);
}

#[test]
fn a_rename_is_undone_and_redone() {
    let (_folder, mut desk) = desk();
    let undo = || Edit::new(chat(PHONE), Act::UndoName, Moment::from_millis(99), Source::known("test"));
    for (name, at) in [("Bob", 1), ("Rob", 2), ("Robert", 3)] {
        one(&mut desk, saved(PHONE, name, at));
    }
    assert_eq!(one(&mut desk, undo()).contact.display(), "Rob");
    assert_eq!(one(&mut desk, undo()).contact.display(), "Robert");
    one(&mut desk, saved(PHONE, "", 4));
    assert_eq!(one(&mut desk, undo()).contact.display(), "Robert", "a name that was cleared comes back");
    let edits = vec![saved(PHONE, "In this batch", 5), undo()];
    let settled = desk.work_now(&mut [Bundle { edits, whole: false }]).unwrap().remove(0);
    assert_eq!(settled.outcomes[1].as_ref().unwrap().contact.display(), "Robert");
    one(&mut desk, saved("4912", "New", 6));
    let nothing = Edit::new(chat("4912"), Act::UndoName, Moment::from_millis(99), Source::known("test"));
    let settled = desk.work_now(&mut [Bundle { edits: vec![nothing], whole: false }]).unwrap().remove(0);
    assert!(matches!(settled.outcomes[0], Err(Error::NoEarlierName)));
    for at in 10..60 {
        one(&mut desk, saved(PHONE, &format!("Name {at}"), at));
    }
    let earlier = desk.book.earlier_names(found(&desk, chat(PHONE)).unwrap().id).unwrap();
    assert_eq!((earlier.len(), earlier[0].saved.full().unwrap()), (16, "Name 58".to_owned()), "the newest sixteen");
}

#[test]
fn a_contact_that_gets_another_phone_is_mapped_to_it() {
    let (folder, mut desk) = desk();
    one(&mut desk, saved(PHONE, "Alice", 10));
    one(&mut desk, mapped(LID, PHONE, 20));
    let phone = Some(*chat("4917099999").digits());
    one(&mut desk, patched(PHONE, Patch { phone, ..Patch::default() }, 5));
    assert_eq!(found(&desk, chat(LID)).unwrap().chat_id(), chat("4917099999"));
    assert_eq!(found(&desk, chat(PHONE)), None);
    assert_sound(&folder);
}

/// What is true of all that was ever seen, by the plain meaning: nothing newer about either side.
fn holding(all: &[Mapping]) -> Vec<(String, String)> {
    let beats = |other: &Mapping, one: &Mapping| {
        (other.lid == one.lid || other.phone == one.phone) && !other.is_of_same_pair(one) && other.is_newer_than(one)
    };
    let newest_of_pair = |one: &&Mapping| !all.iter().any(|o| o.is_of_same_pair(one) && o.by.at > one.by.at);
    let mut held: Vec<_> = all
        .iter()
        .filter(newest_of_pair)
        .filter(|one| !all.iter().any(|other| beats(other, one)))
        .map(|one| (one.lid.to_string(), one.phone.to_string()))
        .collect();
    held.sort();
    held.dedup();
    held
}

#[test]
fn contradicting_mappings_in_any_order_hold_as_the_newest_say_and_no_saved_name_is_lost() {
    let stage = std::cell::RefCell::new((desk(), 0u64));
    let mapping = (0u64..3, 0u64..3, 1i64..9);
    let story = proptest::collection::vec((mapping, any::<bool>()), 1..8);
    proptest!(ProptestConfig { cases: 1_500, ..ProptestConfig::default() }, |(story in story)| {
        let ((_, desk), world) = &mut *stage.borrow_mut();
        *world += 1;
        let phone = |n: u64| format!("49{:09}", *world * 10 + n);
        let lid = |n: u64| format!("{:012}@lid", *world * 10 + n);
        let mut batch: Vec<_> =
            (0..3).flat_map(|n| [saved(&lid(n), &format!("Lid {n}"), 10), saved(&phone(n), &format!("Phone {n}"), 20)]).collect();
        let mut all = Vec::new();
        for ((l, p, at), cut) in story {
            let by = Stamp { at: Moment::from_millis(at), source: Source::known("phone") };
            all.push(Mapping { lid: *chat(&lid(l)).digits(), phone: *chat(&phone(p)).digits(), by });
            batch.push(mapped(&lid(l), &phone(p), at));
            if cut {
                desk.work_now(&mut [Bundle { edits: std::mem::take(&mut batch), whole: false }]).unwrap();
            }
        }
        desk.work_now(&mut [Bundle { edits: batch, whole: false }]).unwrap();
        let holding = holding(&all);
        for n in 0..3 {
            let contact = found(desk, chat(&phone(n))).expect("who was saved by phone is found by phone");
            prop_assert_eq!(contact.display(), format!("Phone {n}"));
            let partner = contact.lid.map(|lid| (lid.to_string(), contact.phone.unwrap().to_string()));
            let expected = holding.iter().find(|(_, phone)| *phone == contact.phone.unwrap().to_string());
            prop_assert_eq!(partner.as_ref(), expected);
            let earlier = found(desk, chat(&lid(n))).map(Arc::new);
            let merged_once = all.iter().any(|mapping| mapping.lid == *chat(&lid(n)).digits());
            prop_assert!(earlier.is_some() || merged_once, "who was saved by LID is there or became one with somebody");
        }
    });
    let ((folder, _), _) = &*stage.borrow();
    assert_sound(folder);
}
