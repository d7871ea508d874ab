//! What becomes of an edit: the whole rule, without I/O. The desk calls it with the contact as it stands and stores the
//! verdict.

use crate::domain::{
    Act, Change, Contact, Edit, Error, Field, Moment, NamePart, Patch, Precondition, Result, Saved, SavedPatch, Stamp,
    Timing, Who,
    times::{BLOCKED, FIRST, KEPT, LAST, NEVER, Writing},
};

/// What the book shall hold, before numbers and revisions are drawn. Of an unchanged contact some times may be newer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    pub change: Change,
    pub contact: Contact,
    /// When it counts as having happened.
    pub at: Moment,
}

/// `deleted_at`: when whoever is meant was last deleted.
pub fn decide(present: Option<&Contact>, edit: &Edit, deleted_at: Option<Moment>) -> Result<Verdict> {
    let at = effective_time(present, edit, deleted_at);
    match (edit.require.contact, present) {
        (Some(Precondition::Absent), Some(contact)) => return Err(Error::Stale { now: Some(contact.revision) }),
        (Some(Precondition::AbsentOrLeft), Some(contact)) => {
            return Ok(Verdict { change: Change::Unchanged, contact: contact.clone(), at });
        }
        (Some(Precondition::Present), None) => return Err(Error::NoContact),
        (Some(Precondition::At(_)), None) => return Err(Error::Stale { now: None }),
        (Some(Precondition::At(revision)), Some(contact)) if revision != contact.revision => {
            return Err(Error::Stale { now: Some(contact.revision) });
        }
        _ => {}
    }
    let mut contact = match (present, edit.who) {
        (Some(contact), _) => contact.clone(),
        (None, Who::Chat(id)) => Contact::unknown(id, at),
        // A number that the book never gave, or gave to somebody who is gone.
        (None, _) => return Err(Error::NoContact),
    };
    if at <= deleted_at.unwrap_or(NEVER) && edit.act != Act::Delete {
        return Ok(Verdict { change: Change::Unchanged, contact, at });
    }
    let changed = match &edit.act {
        Act::Delete => return delete(present, contact, edit.timing, at),
        Act::See(sighting) => sighting.apply(&mut contact),
        Act::Save(patch) => save(patch, edit, at, &mut contact),
        // The desk knows the other contact, or the earlier name, and asks for something else instead.
        Act::Learn { .. } | Act::UndoName => false,
    };
    let change = match (present, changed) {
        (None, _) => Change::Created,
        (Some(_), true) => Change::Updated,
        (Some(_), false) => Change::Unchanged,
    };
    if change == Change::Updated {
        contact.updated_at = contact.updated_at.max(edit.at);
    }
    Ok(Verdict { change, contact, at })
}

fn effective_time(present: Option<&Contact>, edit: &Edit, deleted_at: Option<Moment>) -> Moment {
    let after = |past: Moment| past.plus(std::time::Duration::from_millis(1));
    match (&edit.act, edit.timing) {
        (Act::See(sighting), _) => sighting.at,
        (_, Timing::AsGiven) => edit.at,
        (_, Timing::OnArrival) => {
            let at = deleted_at.map_or(edit.at, |deleted_at| edit.at.max(after(deleted_at)));
            present.map_or(at, |contact| at.max(contact.newest()))
        }
    }
}

fn delete(present: Option<&Contact>, contact: Contact, timing: Timing, at: Moment) -> Result<Verdict> {
    let Some(present) = present else {
        return match timing {
            Timing::OnArrival => Err(Error::NoContact),
            Timing::AsGiven => Ok(Verdict { change: Change::Unchanged, contact, at }),
        };
    };
    Ok(match present.outlived(at) {
        None => Verdict { change: Change::Deleted, contact, at },
        Some(rest) if rest == *present => Verdict { change: Change::Unchanged, contact, at },
        Some(rest) => Verdict { change: Change::Updated, contact: rest, at },
    })
}

fn save(patch: &Patch, edit: &Edit, at: Moment, contact: &mut Contact) -> bool {
    let by = Stamp { at, source: edit.source.clone() };
    let named = patch.saved.apply(contact, &by, edit.timing);
    let Contact { card, times, created_at, .. } = contact;
    let mut writing = Writing { times, created_at: *created_at, at };
    let filed = patch.card.apply(card, &mut writing);
    let regrouped = regroup(patch, &mut card.groups, &mut writing);
    let blocked = match patch.blocked {
        Some(blocked)
            if writing.is_in_time(BLOCKED, contact.blocked)
                && (edit.timing == Timing::OnArrival
                    || blocked >= contact.blocked
                    || !writing.is_tied(BLOCKED, contact.blocked)) =>
        {
            writing.done(BLOCKED, blocked);
            std::mem::replace(&mut contact.blocked, blocked) != blocked
        }
        _ => false,
    };
    if *patch == Patch::default() && at > *created_at {
        let known = times.get(KEPT).unwrap_or(NEVER);
        times.set(KEPT, at.max(known));
    }
    let moved = patch.phone.is_some_and(|phone| contact.phone.replace(phone) != Some(phone));
    named || filed || regrouped || blocked || moved
}

impl SavedPatch {
    /// Whether anything changed. A part that was written later than this is left as it is.
    fn apply(&self, contact: &mut Contact, by: &Stamp, timing: Timing) -> bool {
        let Contact { names, times, .. } = contact;
        let saved = &mut names.saved;
        let (first, last) = match self {
            Self::Parts { first, last } => (first.clone(), last.clone()),
            Self::Whole(name) if name.as_ref().map(|name| name.as_str().trim()) == saved.full().as_deref() => {
                (saved.first.clone().into(), saved.last.clone().into())
            }
            Self::Whole(name) => (name.clone().into(), Field::Clear),
        };
        let mut part_at = [saved.part_at(times, FIRST), saved.part_at(times, LAST)];
        let wanted = [first, last];
        let is_tied = timing == Timing::AsGiven && part_at.contains(&by.at);
        let wins_a_tie = !is_tied || ranks_no_lower(saved, &wanted, part_at, by);
        let written_before = |at: Moment| at < by.at || at == by.at && wins_a_tie;
        let mut changed = false;
        for (place, (wanted, part)) in wanted.iter().zip([&mut saved.first, &mut saved.last]).enumerate() {
            if *wanted != Field::Keep && written_before(part_at[place]) {
                changed |= wanted.apply(part);
                part_at[place] = by.at;
            }
        }
        let newest = part_at[0].max(part_at[1]);
        if newest == NEVER {
            return false;
        }
        if newest == by.at && written_before(saved.written_at()) {
            saved.by = Some(by.clone());
        }
        for (field, at) in [FIRST, LAST].into_iter().zip(part_at) {
            if at == newest { times.remove(field) } else { times.set(field, at) }
        }
        changed
    }
}

/// Whether the name, with what this writes into parts that were written at the same time, is no lower than without. What it
/// writes into older parts it writes either way.
fn ranks_no_lower(saved: &Saved, wanted: &[Field<NamePart>; 2], part_at: [Moment; 2], by: &Stamp) -> bool {
    let written = |is_written: fn(&Moment, &Moment) -> bool| {
        let mut saved = saved.clone();
        for ((wanted, part), at) in wanted.iter().zip([&mut saved.first, &mut saved.last]).zip(part_at) {
            if is_written(&at, &by.at) {
                wanted.apply(part);
            }
        }
        saved
    };
    let (without, with) = (written(Moment::lt), written(Moment::le));
    Saved { by: Some(by.clone()), ..with }.rank() >= without.rank()
}

/// Groups are a set: ascending, no empty list.
fn regroup(patch: &Patch, groups: &mut Option<Vec<i64>>, writing: &mut Writing<'_>) -> bool {
    const GROUPS: &str = "groups";
    let is_mentioned = !(patch.join.is_empty() && patch.leave.is_empty());
    if !is_mentioned || !writing.is_in_time(GROUPS, groups.is_some()) {
        return false;
    }
    let before = groups.take().unwrap_or_default();
    let mut after: Vec<_> = before.iter().chain(&patch.join).copied().filter(|id| !patch.leave.contains(id)).collect();
    after.sort_unstable();
    after.dedup();
    let changed = after != before;
    *groups = (!after.is_empty()).then_some(after);
    writing.done(GROUPS, groups.is_some());
    changed
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::{CardPatch, ChatId, Revision, Sighting, Source};

    fn decided(present: Option<&Contact>, edit: &Edit) -> Result<Verdict> {
        decide(present, edit, None)
    }

    fn who() -> ChatId {
        "15551234567".parse().unwrap()
    }

    fn edit(act: Act, at: i64) -> Edit {
        Edit::new(who(), act, Moment::from_millis(at), Source::known("test"))
    }

    /// As it is, whenever it was last written.
    fn timeless(mut contact: Contact) -> Contact {
        contact.times = crate::domain::Times::default();
        contact.names.saved.by = None;
        contact
    }

    fn parts(first: Field<&str>, last: Field<&str>) -> Act {
        let part = |field: Field<&str>| match field {
            Field::Set(text) => Field::from(NamePart::parse(text, "name").unwrap()),
            Field::Clear => Field::Clear,
            Field::Keep => Field::Keep,
        };
        let saved = SavedPatch::Parts { first: part(first), last: part(last) };
        Act::Save(Box::new(Patch { saved, ..Patch::default() }))
    }

    fn whole(text: &str) -> Act {
        let saved = SavedPatch::Whole(NamePart::parse(text, "name").unwrap());
        Act::Save(Box::new(Patch { saved, ..Patch::default() }))
    }

    fn after(acts: &[Act]) -> Option<Contact> {
        acts.iter().zip(1..).fold(None, |contact, (act, at)| match decided(contact.as_ref(), &edit(act.clone(), at)) {
            Ok(verdict) if verdict.change == Change::Deleted => None,
            Ok(verdict) => Some(verdict.contact),
            Err(_) => contact,
        })
    }

    #[test]
    fn a_new_contact_is_created_then_renamed_then_left_alone() {
        let bob = decided(None, &edit(parts(Field::Set("Bob"), Field::Set("Smith")), 1)).unwrap();
        assert_eq!(bob.change, Change::Created);
        let vip = decided(Some(&bob.contact), &edit(parts(Field::Keep, Field::Set("[VIP]")), 2)).unwrap();
        assert_eq!(vip.change, Change::Updated);
        assert_eq!(vip.contact.names.saved.full().unwrap(), "Bob [VIP]");
        assert_eq!(vip.contact.updated_at, Moment::from_millis(2));
        let again = decided(Some(&vip.contact), &edit(parts(Field::Keep, Field::Set("[VIP]")), 3)).unwrap();
        assert_eq!(again.change, Change::Unchanged);
        assert_eq!(timeless(again.contact), timeless(vip.contact));
    }

    #[test]
    fn a_display_name_written_whole_keeps_equal_parts_and_replaces_others() {
        let contact = after(&[parts(Field::Set("Bob"), Field::Set("Smith")), whole("Bob Smith")]).unwrap();
        assert_eq!(contact.names.saved.last.as_ref().unwrap().as_str(), "Smith");
        let contact = after(&[parts(Field::Set("Bob"), Field::Set("Smith")), whole("Bob Jones")]).unwrap();
        assert_eq!(contact.names.saved.first.as_ref().unwrap().as_str(), "Bob Jones");
        assert_eq!(contact.names.saved.last, None);
    }

    #[test]
    fn preconditions_are_told_the_present_revision() {
        let mut bob = after(&[whole("Bob")]).unwrap();
        bob.revision = Revision::new(7);
        let mut absent = edit(whole("Rob"), 2);
        absent.require.contact = Some(Precondition::Absent);
        assert!(decided(None, &absent).is_ok());
        assert!(matches!(decided(Some(&bob), &absent), Err(Error::Stale { now: Some(r) }) if r.number() == 7));
        absent.require.contact = Some(Precondition::AbsentOrLeft);
        assert_eq!(decided(None, &absent).unwrap().change, Change::Created);
        let left = decided(Some(&bob), &absent).unwrap();
        assert_eq!((left.change, left.contact), (Change::Unchanged, bob.clone()));
        let mut at = edit(whole("Rob"), 2);
        at.require.contact = Some(Precondition::At(Revision::new(7)));
        assert!(decided(Some(&bob), &at).is_ok());
        assert!(matches!(decided(None, &at), Err(Error::Stale { now: None })));
        at.require.contact = Some(Precondition::At(Revision::new(6)));
        assert!(matches!(decided(Some(&bob), &at), Err(Error::Stale { .. })));
    }

    #[test]
    fn deleting_nobody_is_no_contact() {
        assert!(matches!(decided(None, &edit(Act::Delete, 1)), Err(Error::NoContact)));
    }

    #[test]
    fn sightings_that_say_nothing_change_nothing() {
        let seen = |text: &str, at| {
            let push = NamePart::parse(text, "push").unwrap();
            Act::See(Sighting {
                push,
                business: None,
                last_message_at: None,
                at: Moment::from_millis(at),
                source: Source::known("phone"),
            })
        };
        let contact = after(&[seen("Alice 🌸", 10)]).unwrap();
        for act in [seen("", 20), seen(" ", 20), seen("-", 20), seen("+1 555 123 4567", 20), seen("Older", 9)] {
            let verdict = decided(Some(&contact), &edit(act, 20)).unwrap();
            assert_eq!(verdict.change, Change::Unchanged);
        }
        let newer = decided(Some(&contact), &edit(seen("Alice", 11), 20)).unwrap();
        assert_eq!(newer.contact.names.push.unwrap().name.as_str(), "Alice");
    }

    fn any_field() -> impl Strategy<Value = Field<NamePart>> {
        prop_oneof![
            Just(Field::Keep),
            Just(Field::Clear),
            any::<String>()
                .prop_map(|text| NamePart::parse(&text, "name").ok().flatten().map_or(Field::Keep, Field::Set)),
        ]
    }

    prop_compose! {
        fn any_patch()(
            first in any_field(), last in any_field(), whole in proptest::option::of("[A-Z][a-z]{0,4}( [A-Z][a-z]{0,4})?"),
            join in proptest::collection::vec(1i64..4, 0..3), leave in proptest::collection::vec(1i64..4, 0..3),
            blocked in any::<Option<bool>>(), tags in proptest::option::of(proptest::collection::vec("[a-c]", 0..3)),
        ) -> Patch {
            let saved = match whole {
                Some(text) => SavedPatch::Whole(NamePart::parse(&text, "name").unwrap()),
                None => SavedPatch::Parts { first, last },
            };
            let tags = tags.map_or(Field::Keep, |tags| Field::Set(tags.into_iter().map(String::into_boxed_str).collect()));
            Patch { saved, card: CardPatch { tags, ..CardPatch::default() }, blocked, join, leave, ..Patch::default() }
        }
    }

    fn any_act() -> impl Strategy<Value = Act> {
        let sighting = (proptest::option::of("[a-z +0-9-]{0,6}"), proptest::option::of("[A-Z]{0,6}"), -5i64..50);
        prop_oneof![
            3 => any_patch().prop_map(|patch| Act::Save(Box::new(patch))),
            3 => sighting.prop_map(|(push, business, at)| {
                let name = |text: Option<String>| text.and_then(|text| NamePart::parse(&text, "name").unwrap());
                let at = Moment::from_millis(at);
                Act::See(Sighting { push: name(push), business: name(business), last_message_at: None, at, source: Source::known("phone") })
            }),
            1 => Just(Act::Delete),
        ]
    }

    prop_compose! {
        /// What a phone tells of a contact: its name in parts or as a whole, whether it is blocked.
        fn any_told()(
            first in "[ABab]{0,2}", last in "[ABab]{0,1}", whole in proptest::option::of("[ABab]{0,1} ?[ABab]{0,2}"), blocked in any::<Option<bool>>(),
        ) -> Act {
            let name = |text: &str| NamePart::parse(text, "name").unwrap();
            let saved = match whole {
                Some(text) => SavedPatch::Whole(name(&text)),
                None => SavedPatch::Parts { first: name(&first).into(), last: name(&last).into() },
            };
            Act::Save(Box::new(Patch { saved, blocked, ..Patch::default() }))
        }
    }

    proptest! {
        #[test]
        fn an_edit_applied_twice_is_unchanged(before in proptest::collection::vec(any_act(), 0..6), act in any_act()) {
            prop_assume!(act != Act::Delete);
            let once = decided(after(&before).as_ref(), &edit(act.clone(), 100)).unwrap().contact;
            let twice = decided(Some(&once), &edit(act, 101)).unwrap();
            prop_assert_eq!(twice.change, Change::Unchanged);
            prop_assert_eq!(timeless(twice.contact), timeless(once));
        }

        #[test]
        fn of_what_was_told_for_one_time_the_same_stays_in_any_order_and_however_often(
            before in "[ABab]{0,1} ?[ABab]{0,1}",
            told in proptest::collection::vec(any_told(), 1..5),
            made_at in prop_oneof![Just(5), Just(10), Just(20)],
        ) {
            let tell = |contact: Contact, acts: &[Act]| acts.iter().fold((contact, 0), |(contact, changes), act| {
                let verdict = decided(Some(&contact), &edit(act.clone(), 10).as_given()).unwrap();
                (verdict.contact, changes + u32::from(verdict.change != Change::Unchanged))
            });
            let (first, last) = before.split_once(' ').unwrap_or(("", &before));
            let made = decided(None, &edit(parts(Field::Set(first), Field::Set(last)), made_at)).unwrap().contact;
            let (once, _) = tell(made.clone(), &told);
            let (again, changes) = tell(once.clone(), &told);
            prop_assert_eq!((&again, changes), (&once, 0));
            let in_parts = |act: &Act| matches!(act, Act::Save(patch) if matches!(patch.saved, SavedPatch::Parts { .. }));
            let only_parts = told.iter().all(in_parts);
            let backwards: Vec<_> = told.into_iter().rev().collect();
            let (other, _) = tell(made, &backwards);
            prop_assert_eq!((other.names.saved.full(), other.blocked), (once.names.saved.full(), once.blocked));
            if only_parts {
                prop_assert_eq!(other.names.saved, once.names.saved);
            }
        }

        #[test]
        fn no_sighting_ever_changes_a_saved_name(before in proptest::collection::vec(any_act(), 0..8), seen in any_act()) {
            prop_assume!(matches!(seen, Act::See(_)));
            let contact = after(&before);
            let verdict = decided(contact.as_ref(), &edit(seen, 100)).unwrap();
            prop_assert_eq!(verdict.contact.names.saved, contact.map(|c| c.names.saved).unwrap_or_default());
        }

        #[test]
        fn no_save_ever_changes_a_seen_name(before in proptest::collection::vec(any_act(), 0..8), patch in any_patch()) {
            let contact = after(&before);
            let verdict = decided(contact.as_ref(), &edit(Act::Save(Box::new(patch)), 100)).unwrap();
            let seen = contact.map(|c| (c.names.push, c.names.business)).unwrap_or_default();
            prop_assert_eq!((verdict.contact.names.push, verdict.contact.names.business), seen);
        }
    }
}
