//! A book that is full, at the desk: who is new is refused before anything is written, whoever is there is changed and
//! deleted as ever, and what is deleted makes room.

use tempfile::TempDir;

use super::*;
use crate::domain::{CardPatch, Change, ChatId, Error, NamePart, Patch, Register, SavedPatch, Source};

fn desk(contacts: u64, bytes: u64) -> (TempDir, Desk) {
    let folder = TempDir::new().unwrap();
    Book::create(folder.path()).unwrap().close().unwrap();
    let desk = Desk::open(folder.path(), Quota { contacts, bytes }).unwrap();
    (folder, desk)
}

fn edit(who: &str, act: Act) -> Edit {
    let who: ChatId = who.parse().unwrap();
    Edit::new(who, act, Moment::from_millis(1), Source::known("test"))
}

fn save(who: &str, patch: Patch) -> Edit {
    edit(who, Act::Save(Box::new(patch)))
}

fn named(who: &str, first: &str) -> Edit {
    let first = Field::from(NamePart::parse(first, "name").unwrap());
    save(who, Patch { saved: SavedPatch::Parts { first, last: Field::Keep }, ..Patch::default() })
}

fn described(who: &str, length: usize) -> Edit {
    let card = CardPatch { description: Field::Set("x".repeat(length).into()), ..CardPatch::default() };
    save(who, Patch { card, ..Patch::default() })
}

fn work(desk: &mut Desk, edits: Vec<Edit>, whole: bool) -> Vec<&'static str> {
    let settled = desk.work_now(&mut [Bundle { edits, whole }]).unwrap().remove(0);
    settled
        .outcomes
        .iter()
        .map(|outcome| outcome.as_ref().map_or_else(Error::word, |done| done.change.word()))
        .collect()
}

#[test]
fn a_full_book_takes_nobody_new_and_everything_else_goes_on() {
    let (_folder, mut desk) = desk(2, 0);
    let three = ["1555001@c.us", "1555002@c.us", "1555003@c.us"];
    let saved = work(&mut desk, three.map(|who| named(who, "A")).to_vec(), false);
    assert_eq!(saved, ["created", "created", "over_quota"]);
    assert_eq!(work(&mut desk, vec![named(three[0], "B"), named(three[0], "B")], false), ["updated", "unchanged"]);
    let before = desk.book().head();
    assert_eq!(work(&mut desk, vec![named(three[1], "C"), named(three[2], "C")], true), ["updated", "over_quota"]);
    assert_eq!(desk.book().head(), before, "a whole bundle fails whole");
    let made_room =
        work(&mut desk, vec![edit(three[0], Act::Delete), named(three[2], "C"), named(three[0], "D")], false);
    assert_eq!(made_room, ["deleted", "created", "over_quota"]);
    assert_eq!(desk.book().head().contacts, 2);
}

#[test]
fn two_who_turn_out_to_be_one_make_room_and_never_need_any() {
    let (_folder, mut desk) = desk(2, 0);
    assert_eq!(work(&mut desk, vec![named("1555001@c.us", "A"), named("777@lid", "B")], false), ["created", "created"]);
    let learn = Act::Learn { phone: *"1555001@c.us".parse::<ChatId>().unwrap().digits() };
    let done =
        desk.work_now(&mut [Bundle { edits: vec![edit("777@lid", learn), named("1555002@c.us", "C")], whole: true }]);
    let settled = done.unwrap().remove(0);
    assert!(settled.stored);
    assert_eq!(settled.outcomes[0].as_ref().unwrap().change, Change::Merged);
    assert_eq!(desk.book().head().contacts, 2);
}

#[test]
fn who_is_refused_leaves_no_source_behind() {
    let (_folder, mut desk) = desk(1, 0);
    let from = |who: &str, source: &str| {
        save(who, Patch { source_named: NamePart::parse(source, "source").unwrap(), ..Patch::default() })
    };
    let count = |desk: &Desk| desk.book().reader().unwrap().entries(Register::Sources).unwrap().len();
    assert_eq!(work(&mut desk, vec![from("1555001@c.us", "fair")], false), ["created"]);
    let before = count(&desk);
    assert_eq!(work(&mut desk, vec![from("1555002@c.us", "street")], false), ["over_quota"]);
    assert_eq!(count(&desk), before);
    assert_eq!(work(&mut desk, vec![from("1555001@c.us", "street")], false), ["updated"]);
    assert_eq!(count(&desk), before + 1);
}

#[test]
fn a_book_that_is_too_large_can_only_shrink() {
    let (_folder, mut desk) = desk(0, 600_000);
    let people: Vec<_> = (0..100).map(|number| format!("1555{number:03}@c.us")).collect();
    let mut taken = 0;
    while work(&mut desk, vec![described(&people[taken], 50_000)], false) == ["created"] {
        taken += 1;
    }
    assert!((5..15).contains(&taken), "{taken}");
    let before = desk.book().head();
    assert_eq!(work(&mut desk, vec![described(&people[0], 10), described(&people[99], 10)], false), ["over_quota"; 2]);
    let group = |act| RegisterEdit { register: Register::Groups, act, at: Moment::from_millis(2) };
    let name = NamePart::parse("Friends", "name").unwrap().unwrap();
    let add = group(RegisterAct::Add { name, color: None });
    assert!(matches!(desk.edit_register(&add), Err(Error::OverQuota { of: "bytes", .. })));
    assert_eq!(desk.book().head(), before);
    assert!(desk.book().reader().unwrap().get(&Who::Chat(people[0].parse().unwrap())).unwrap().is_some());

    let gone = people[..taken].iter().map(|who| edit(who, Act::Delete)).collect();
    assert_eq!(work(&mut desk, gone, false), vec!["deleted"; taken]);
    assert_eq!(work(&mut desk, vec![described(&people[99], 10)], false), ["created"], "what was freed is used again");
    let entry = desk.edit_register(&add).unwrap();
    desk.edit_register(&group(RegisterAct::Remove { id: entry.id })).unwrap();
}

/// However many come at once: what was measured before the first is no leave for the last.
#[test]
fn one_huge_batch_does_not_pass_the_bound_either() {
    for (length, whole) in [(0, false), (20, false), (2_000, false), (50_000, false), (2_000, true)] {
        let (_folder, mut desk) = desk(0, 1_000_000);
        let people = (0..20_000).map(|number| described(&format!("1555{number:05}@c.us"), length));
        let outcomes = work(&mut desk, people.collect(), whole);
        let taken = outcomes.iter().filter(|outcome| **outcome == "created").count();
        assert!(outcomes[taken..].iter().all(|outcome| *outcome == "over_quota"));
        let bytes = desk.book().bytes().unwrap();
        println!("{length} letters each: {taken} taken, {bytes} bytes");
        assert!(taken > 0 && bytes < 1_100_000, "{taken}: {bytes}");
        assert_eq!(desk.book().head().contacts, if whole { 0 } else { taken as u64 });
    }
}

/// Nor when those who are there grow.
#[test]
fn nor_does_a_batch_of_changes() {
    let (_folder, mut desk) = desk(0, 1_000_000);
    let people: Vec<_> = (0..500).map(|number| format!("1555{number:05}@c.us")).collect();
    let few = people.iter().map(|who| described(who, 10)).collect();
    assert_eq!(work(&mut desk, few, false), ["created"; 500]);
    let many = people.iter().chain(&people).map(|who| described(who, 50_000)).collect();
    let outcomes = work(&mut desk, many, false);
    assert!(outcomes.contains(&"updated") && outcomes.contains(&"over_quota"));
    assert!(desk.book().bytes().unwrap() < 1_150_000);
}
