//! The desk's rules, without threads: order and revisions, bundles that are whole, uniqueness, moves, references,
//! idempotency keys.

use std::sync::Arc;

use tempfile::TempDir;

use super::*;
use crate::{
    book::{Touched, Write},
    domain::{
        CardPatch, Change, ChatId, Contact, ContactId, Error, IdempotencyKey, Moment, NamePart, Patch, Precondition,
        Register, RegisterAct, Require, Revision, SavedPatch, Source,
    },
};

fn desk() -> (TempDir, Desk) {
    let folder = TempDir::new().unwrap();
    Book::create(folder.path()).unwrap().close().unwrap();
    let desk = Desk::open(folder.path(), Quota::default()).unwrap();
    (folder, desk)
}

fn chat(who: &str) -> ChatId {
    who.parse().unwrap()
}

fn edit(who: &str, act: Act) -> Edit {
    Edit::new(chat(who), act, Moment::from_millis(1), Source::known("test"))
}

fn patched(who: &str, patch: Patch) -> Edit {
    edit(who, Act::Save(Box::new(patch)))
}

fn named(who: &str, first: &str) -> Edit {
    let first = Field::from(NamePart::parse(first, "name").unwrap());
    patched(who, Patch { saved: SavedPatch::Parts { first, last: Field::Keep }, ..Patch::default() })
}

fn mailed(who: &str, email: &str) -> Edit {
    let card = CardPatch { email: Field::Set(email.into()), ..CardPatch::default() };
    patched(who, Patch { card, ..Patch::default() }).requiring(Require { unique_email: true, ..Require::default() })
}

fn work(desk: &mut Desk, edits: Vec<Edit>) -> Vec<(&'static str, u64)> {
    told(&desk.work_now(&mut [Bundle { edits, whole: false }]).unwrap()[0])
}

fn told(settled: &Settled) -> Vec<(&'static str, u64)> {
    let tell = |outcome: &Result<Outcome>| match outcome {
        Ok(outcome) => (outcome.change.word(), outcome.revision.number()),
        Err(error) => (error.word(), 0),
    };
    settled.outcomes.iter().map(tell).collect()
}

fn assert_sound(folder: &TempDir) {
    assert_eq!(crate::book::check(folder.path()).unwrap(), Vec::<String>::new());
}

#[test]
fn a_batch_is_decided_in_order_and_each_change_has_its_revision() {
    let (folder, mut desk) = desk();
    let absent = named("222", "Eve").requiring(Require { contact: Some(Precondition::Absent), ..Require::default() });
    let batch = vec![
        named("111", "Bob"),
        named("+111", "Bob"),
        named("111@c.us", "Rob"),
        absent.clone(),
        absent,
        edit("333", Act::Delete),
        edit("222", Act::Delete),
        named("222", "Eve again"),
    ];
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
    assert_eq!(work(&mut desk, batch), expected);
    assert_eq!((desk.book.head().contacts, desk.book.head().revision), (2, Revision::new(5)));
    let ids = ["111", "222"].map(|who| chat(who).into());
    let shown: Vec<_> = desk.book.load(&ids).unwrap().iter().flatten().map(Contact::display).collect();
    assert_eq!(shown, ["Rob", "Eve again"]);
    assert_sound(&folder);
}

#[test]
fn a_batch_that_changes_nothing_writes_nothing() {
    let (folder, mut desk) = desk();
    work(&mut desk, vec![named("111", "Bob")]);
    let log = || std::fs::metadata(folder.path().join("book.db-wal")).unwrap().len();
    let before = (log(), desk.book.head());
    assert_eq!(work(&mut desk, vec![named("111", "Bob"), named("111", "Bob")])[1].0, "unchanged");
    assert_eq!((log(), desk.book.head()), before);
}

#[test]
fn a_phone_and_a_lid_of_one_contact_are_one_slot() {
    let (folder, mut desk) = desk();
    work(&mut desk, vec![named("111", "Bob")]);
    let mut contact = desk.book.load(&[chat("111").into()]).unwrap().remove(0).unwrap();
    contact.lid = Some(*chat("999@lid").digits());
    let mut head = desk.book.head();
    head.revision = head.revision.next();
    contact.revision = head.revision;
    let write = Write::Update { contact: Arc::new(contact), source: Source::known("test"), touched: Touched::ALL };
    desk.book.write(&[write], head).unwrap();

    let outcomes = work(&mut desk, vec![named("999@lid", "Rob"), named("111", "Rob")]);
    assert_eq!(outcomes, [("updated", 3), ("unchanged", 3)]);
    assert_eq!(desk.book.head().contacts, 1);
    // Deleted by one id, the other leads nowhere either; made anew, they are two.
    let outcomes = work(&mut desk, vec![edit("111", Act::Delete), named("999@lid", "LID"), named("111", "Phone")]);
    assert_eq!(outcomes.iter().map(|(word, _)| *word).collect::<Vec<_>>(), ["deleted", "created", "created"]);
    assert_eq!(desk.book.head().contacts, 2);
    assert_sound(&folder);
}

#[test]
fn a_missing_book_is_not_made_anew() {
    let folder = TempDir::new().unwrap();
    assert!(matches!(Desk::open(folder.path(), Quota::default()), Err(Error::Quarantined)));
}

#[test]
fn a_bundle_that_must_be_whole_leaves_no_trace_when_one_fails() {
    let (folder, mut desk) = desk();
    work(&mut desk, vec![named("111", "Bob")]);
    let mut bundles = [
        Bundle { edits: vec![named("111", "Rob"), named("222", "Eve")], whole: false },
        Bundle {
            edits: vec![named("111", "Lost"), named("444", "Lost"), edit("222", Act::Delete), edit("999", Act::Delete)],
            whole: true,
        },
        Bundle { edits: vec![named("222", "Eva"), named("555", "Dan")], whole: true },
    ];
    let settled = desk.work_now(&mut bundles).unwrap();
    assert_eq!(settled.iter().map(|settled| settled.stored).collect::<Vec<_>>(), [true, false, true]);
    assert_eq!(told(&settled[1])[3].0, "no_contact");
    let ids = ["111", "222", "444", "555"].map(|who| chat(who).into());
    let shown: Vec<_> = desk.book.load(&ids).unwrap().iter().map(|c| c.as_ref().map(Contact::display)).collect();
    assert_eq!(shown, [Some("Rob".into()), Some("Eva".into()), None, Some("Dan".into())]);
    assert_eq!(desk.book.head().revision, Revision::new(5), "no revision was spent on what was taken back");
    assert_sound(&folder);
}

#[test]
fn an_email_belongs_to_one_contact_where_that_is_asked_for() {
    let (folder, mut desk) = desk();
    let outcomes = work(
        &mut desk,
        vec![
            mailed("111", "Bob@Example.com"),
            mailed("222", "bob@example.COM"),
            mailed("111", "bob@example.com"),
            mailed("111", "rob@example.com"),
            mailed("222", "bob@example.com"),
        ],
    );
    assert_eq!(
        outcomes.iter().map(|(word, _)| *word).collect::<Vec<_>>(),
        ["created", "duplicate", "updated", "updated", "created"]
    );
    assert_eq!(work(&mut desk, vec![mailed("333", "ROB@example.com")])[0].0, "duplicate");
    let outcomes = work(&mut desk, vec![edit("111", Act::Delete), mailed("333", "ROB@example.com")]);
    assert_eq!(outcomes[1].0, "created");
    assert_sound(&folder);
}

#[test]
fn who_is_there_is_left_alone_whatever_else_is_wrong_with_the_edit() {
    let (folder, mut desk) = desk();
    work(&mut desk, vec![mailed("111", "bob@example.com"), named("222", "Eve")]);
    let left = |mut edit: Edit| {
        edit.require.contact = Some(Precondition::AbsentOrLeft);
        edit
    };
    let edits = vec![
        left(named("111", "Rob")),
        left(mailed("222", "bob@example.com")),
        left(named("333", "Dan")),
        left(named("333", "Dan again")),
    ];
    let settled = &desk.work_now(&mut [Bundle { edits, whole: true }]).unwrap()[0];
    assert!(settled.stored);
    assert_eq!(told(settled), [("unchanged", 1), ("unchanged", 2), ("created", 3), ("unchanged", 3)]);
    assert_eq!(work(&mut desk, vec![left(mailed("444", "bob@example.com"))])[0].0, "duplicate");
    assert_sound(&folder);
}

#[test]
fn a_phone_moves_with_its_contact_and_is_not_taken_from_another() {
    let (folder, mut desk) = desk();
    let move_to =
        |who: &str, phone: &str| patched(who, Patch { phone: Some(*chat(phone).digits()), ..Patch::default() });
    let outcomes = work(
        &mut desk,
        vec![
            named("111", "Bob"),
            named("222", "Eve"),
            move_to("111", "222"),
            move_to("111", "333"),
            named("111", "Somebody new"),
            named("333", "Rob"),
        ],
    );
    assert_eq!(
        outcomes.iter().map(|(word, _)| *word).collect::<Vec<_>>(),
        ["created", "created", "duplicate", "updated", "created", "updated"]
    );
    assert_eq!(work(&mut desk, vec![move_to("333", "444")])[0].0, "updated");
    assert_eq!(desk.book.load(&[chat("333").into()]).unwrap(), [None]);
    assert_eq!(desk.book.head().contacts, 3);
    assert_sound(&folder);
}

#[test]
fn references_must_exist_and_a_group_that_goes_changes_its_members() {
    let (folder, mut desk) = desk();
    let at = Moment::from_millis(1);
    let add = |name: &str| RegisterEdit {
        register: Register::Groups,
        act: RegisterAct::Add { name: NamePart::parse(name, "name").unwrap().unwrap(), color: None },
        at,
    };
    let vip = desk.edit_register(&add("VIP")).unwrap().id;
    let new = desk.edit_register(&add("New")).unwrap().id;
    assert!(matches!(desk.edit_register(&add("vip")), Err(Error::Duplicate { field: "name" })));
    let join = |who: &str, groups: &[i64]| {
        patched(who, Patch { join: groups.to_vec(), ..Patch::default() })
            .requiring(Require { references: true, ..Require::default() })
    };
    let outcomes =
        work(&mut desk, vec![join("111", &[vip, new]), join("222", &[vip]), join("333", &[77]), join("222", &[vip])]);
    assert_eq!(
        outcomes.iter().map(|(word, _)| *word).collect::<Vec<_>>(),
        ["created", "created", "unknown_reference", "unchanged"]
    );
    let remove = RegisterEdit { register: Register::Groups, act: RegisterAct::Remove { id: vip }, at };
    desk.edit_register(&remove).unwrap();
    assert!(matches!(desk.edit_register(&remove), Err(Error::NoEntry)));
    let loaded = desk.book.load(&[chat("111").into(), chat("222").into()]).unwrap();
    let groups: Vec<_> = loaded.iter().flatten().map(|contact| contact.card.groups.clone()).collect();
    assert_eq!(groups, [Some(vec![new]), None]);
    assert_eq!(desk.book.head().revision, Revision::new(4), "both members have changed");
    assert_sound(&folder);
    assert_eq!(work(&mut desk, vec![named("111", "Bob")]), [("updated", 5)]);
}

#[test]
fn a_source_is_named_and_cannot_go_while_it_is_in_use() {
    let (folder, mut desk) = desk();
    let from = |who: &str, name: &str| {
        patched(who, Patch { source_named: NamePart::parse(name, "source").unwrap(), ..Patch::default() })
    };
    work(&mut desk, vec![from("111", "api"), from("222", "Campaign"), from("333", "campaign")]);
    let sources = desk.book.reader().unwrap().entries(Register::Sources).unwrap();
    assert_eq!(sources.iter().map(|entry| entry.name.as_str()).collect::<Vec<_>>(), ["api", "Campaign"]);
    let remove = RegisterEdit {
        register: Register::Sources,
        act: RegisterAct::Remove { id: sources[1].id },
        at: Moment::from_millis(1),
    };
    assert!(matches!(desk.edit_register(&remove), Err(Error::InUse { by: 2 })));
    work(&mut desk, vec![edit("222", Act::Delete), from("333", "api")]);
    desk.edit_register(&remove).unwrap();
    assert_sound(&folder);
}

#[test]
fn who_is_not_found_leaves_no_source_behind() {
    let (_folder, mut desk) = desk();
    let mut lost =
        patched("111", Patch { source_named: NamePart::parse("Fair", "source").unwrap(), ..Patch::default() });
    lost.who = Who::Uuid(uuid::Uuid::now_v7());
    let settled = desk.work_now(&mut [Bundle { edits: vec![lost], whole: false }]).unwrap();
    assert!(matches!(settled[0].outcomes[0], Err(Error::NoContact)));
    assert_eq!(desk.book.reader().unwrap().entries(Register::Sources).unwrap().len(), 1);
}

#[test]
fn a_repeated_key_is_answered_and_not_carried_out_again() {
    let (folder, mut desk) = desk();
    let keyed = |mut edit: Edit, fingerprint: u8| {
        edit.key = Some(IdempotencyKey { key: "k1".into(), fingerprint: [fingerprint; 32] });
        edit
    };
    let first = vec![keyed(named("111", "Bob"), 1), keyed(named("111", "Bob"), 1), keyed(named("111", "Rob"), 2)];
    assert_eq!(work(&mut desk, first), [("created", 1), ("created", 1), ("key_reused", 0)]);
    work(&mut desk, vec![named("111", "Renamed since")]);
    let again = desk.work_now(&mut [Bundle { edits: vec![keyed(named("111", "Bob"), 1)], whole: false }]).unwrap();
    let outcome = again[0].outcomes[0].as_ref().unwrap();
    assert!(outcome.replayed);
    assert_eq!((outcome.change, outcome.revision), (Change::Created, Revision::new(1)));
    assert_eq!(outcome.contact.display(), "Renamed since", "the contact is shown as it stands");
    let day = 24 * 3600 * 1000;
    let mut later = keyed(named("222", "Eve"), 9);
    later.key.as_mut().unwrap().key = "k2".into();
    later.at = Moment::from_millis(day + 2);
    work(&mut desk, vec![later]);
    assert_eq!(desk.book.recall("k1", Moment::from_millis(day + 2)).unwrap(), None, "a key is kept for a day");
    assert_sound(&folder);
}

#[test]
fn a_key_past_its_day_is_free_again_whether_it_was_swept_or_not() {
    let (folder, mut desk) = desk();
    let keyed = |who: &str, number: usize, at: i64| {
        let mut edit = named(who, "Bob");
        edit.key = Some(IdempotencyKey { key: format!("k{number:02}").into(), fingerprint: [1; 32] });
        edit.at = Moment::from_millis(at);
        edit
    };
    // More than one sweep takes, the last of them last.
    work(&mut desk, (0..40).map(|number| keyed(&format!("{}", 1000 + number), number, number as i64)).collect());
    let tomorrow = 24 * 3600 * 1000 + 1000;
    assert_eq!(work(&mut desk, vec![keyed("9999", 39, tomorrow)])[0].0, "created", "another request, the same key");
    assert_eq!(work(&mut desk, vec![keyed("9999", 39, tomorrow + 1)])[0], ("created", 41), "and now it is replayed");
    assert_sound(&folder);
}

#[test]
fn numbers_point_at_contacts_but_bring_none_into_being() {
    let (_folder, mut desk) = desk();
    work(&mut desk, vec![named("111", "Bob")]);
    let bob = desk.book.load(&[chat("111").into()]).unwrap().remove(0).unwrap();
    let by = |who: Who| {
        let mut edit = named("999", "Rob");
        edit.who = who;
        edit
    };
    let outcomes = work(
        &mut desk,
        vec![
            by(Who::Id(bob.id)),
            by(Who::Uuid(bob.uuid)),
            by(Who::Vendor(crate::domain::VendorId::of(bob.uuid))),
            by(Who::Id(ContactId(77))),
            by(Who::Uuid(uuid::Uuid::nil())),
        ],
    );
    assert_eq!(
        outcomes.iter().map(|(word, _)| *word).collect::<Vec<_>>(),
        ["updated", "unchanged", "unchanged", "no_contact", "no_contact"]
    );
}
