//! What phones saw, told again, changes nothing: thousands of batches in which names, mappings that contradict each other
//! and what a phone does not have stand in any order, each upon what the batches before it left behind.

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::domain::{ChatId, Moment, NamePart, Observation, SavedPatch, Source, turn};

/// Few enough that they meet each other.
fn any_id() -> impl Strategy<Value = ChatId> {
    prop_oneof![phone(), lid()]
}

fn phone() -> impl Strategy<Value = ChatId> {
    (0..4).prop_map(|n| ChatId::phone(&format!("491709999{n}")).unwrap())
}

fn lid() -> impl Strategy<Value = ChatId> {
    (0..3).prop_map(|n| ChatId::lid(&format!("10087599758954{n}")).unwrap())
}

fn any_name() -> impl Strategy<Value = Option<NamePart>> {
    proptest::option::of("[A-C]".prop_map(|text| NamePart::parse(&text, "name").unwrap().unwrap()))
}

fn any_observation() -> impl Strategy<Value = Observation> {
    let saved = prop_oneof![
        3 => Just(SavedPatch::default()),
        1 => any_name().prop_map(SavedPatch::Whole),
        1 => (any_name(), any_name()).prop_map(|(first, last)| SavedPatch::Parts { first: first.into(), last: last.into() }),
    ];
    let mapped = proptest::option::weighted(0.3, (phone(), lid()));
    let blocked = proptest::option::weighted(0.2, any::<bool>());
    (any_id(), mapped, any_name(), any_name(), saved, blocked, 0..6_i64).prop_map(
        |(who, mapped, push, business, saved, blocked, at)| {
            let mut seen = Observation::new(who, Moment::from_millis(at), Source::known("phone"));
            seen.other = mapped.map(|(phone, lid)| if who.is_phone() { *lid.digits() } else { *phone.digits() });
            Observation { push, business, saved, blocked, ..seen }
        },
    )
}

fn bundle(batch: &[Observation]) -> Bundle {
    let mut edits: Vec<_> = batch.iter().cloned().flat_map(Observation::edits).collect();
    edits.sort_by_key(turn);
    Bundle { edits, whole: false }
}

#[test]
fn a_batch_of_what_phones_saw_changes_nothing_when_it_is_told_again() {
    let batches = proptest::collection::vec(proptest::collection::vec(any_observation(), 1..7), 1..4);
    proptest!(ProptestConfig { cases: 2_000, ..ProptestConfig::default() }, |(batches in batches)| {
        let folder = TempDir::new().unwrap();
        Book::create(folder.path()).unwrap().close().unwrap();
        let mut desk = Desk::open(folder.path(), Quota::default()).unwrap();
        for batch in batches {
            desk.work_now(&mut [bundle(&batch)]).unwrap();
            let before = desk.book.head();
            desk.work_now(&mut [bundle(&batch)]).unwrap();
            prop_assert_eq!(desk.book.head(), before, "told again: {:#?}", batch);
        }
        drop(desk);
        prop_assert_eq!(crate::book::check(folder.path()).unwrap(), Vec::<String>::new());
    });
}
