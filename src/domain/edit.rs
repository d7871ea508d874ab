//! A wish to change one contact, and what came of it. `decide` is the whole rule, without I/O: the desk calls it with
//! the contact as it stands and stores the verdict.

use std::sync::Arc;

use crate::domain::{
    CardPatch, ChatId, Contact, Digits, Error, Moment, NamePart, Result, Revision, Sighting, Source, Stamp, Who,
    times::{BLOCKED, FIRST, KEPT, LAST, NEVER, Writing},
};

/// One field of a change. Which JSON means "clear" and which "not mentioned" is each vendor's spelling.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Field<T> {
    #[default]
    Keep,
    Clear,
    Set(T),
}

impl<T: Clone + PartialEq> Field<T> {
    /// Whether anything changed.
    pub fn apply(&self, present: &mut Option<T>) -> bool {
        let wanted = match self {
            Self::Keep => return false,
            Self::Clear => None,
            Self::Set(value) => Some(value),
        };
        if present.as_ref() == wanted {
            return false;
        }
        *present = wanted.cloned();
        true
    }
}

impl<T> Field<T> {
    pub fn map<U>(self, with: impl FnOnce(T) -> U) -> Field<U> {
        match self {
            Self::Keep => Field::Keep,
            Self::Clear => Field::Clear,
            Self::Set(value) => Field::Set(with(value)),
        }
    }

    pub fn try_map<U, E>(self, with: impl FnOnce(T) -> std::result::Result<U, E>) -> std::result::Result<Field<U>, E> {
        Ok(match self {
            Self::Keep => Field::Keep,
            Self::Clear => Field::Clear,
            Self::Set(value) => Field::Set(with(value)?),
        })
    }

    pub fn set(&self) -> Option<&T> {
        match self {
            Self::Set(value) => Some(value),
            _ => None,
        }
    }
}

impl<T> From<Option<T>> for Field<T> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Clear, Self::Set)
    }
}

/// A change of the saved name: by its parts, or as one display name written whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SavedPatch {
    Parts { first: Field<NamePart>, last: Field<NamePart> },
    Whole(Option<NamePart>),
}

impl Default for SavedPatch {
    fn default() -> Self {
        Self::Parts { first: Field::Keep, last: Field::Keep }
    }
}

impl SavedPatch {
    /// Whether anything changed. A part that was written later than this is left as it is.
    fn apply(&self, contact: &mut Contact, by: &Stamp) -> bool {
        let Contact { names, times, .. } = contact;
        let saved = &mut names.saved;
        let (first, last) = match self {
            Self::Parts { first, last } => (first.clone(), last.clone()),
            Self::Whole(name) if name.as_ref().map(|name| name.as_str().trim()) == saved.full().as_deref() => {
                (saved.first.clone().into(), saved.last.clone().into())
            }
            Self::Whole(name) => (name.clone().into(), Field::Clear),
        };
        let mut changed = false;
        let mut part_at = [saved.part_at(times, FIRST), saved.part_at(times, LAST)];
        for (place, (wanted, part)) in [(first, &mut saved.first), (last, &mut saved.last)].into_iter().enumerate() {
            if wanted != Field::Keep && part_at[place] <= by.at {
                changed |= wanted.apply(part);
                part_at[place] = by.at;
            }
        }
        let newest = part_at[0].max(part_at[1]);
        if newest == NEVER {
            return false;
        }
        if newest == by.at {
            saved.by = Some(by.clone());
        }
        for (field, at) in [FIRST, LAST].into_iter().zip(part_at) {
            if at == newest { times.remove(field) } else { times.set(field, at) }
        }
        changed
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Patch {
    pub saved: SavedPatch,
    pub card: CardPatch,
    pub blocked: Option<bool>,
    /// Another phone for the contact; its old one no longer leads to it.
    pub phone: Option<Digits>,
    /// The source by its name; made if there is none of that name.
    pub source_named: Option<NamePart>,
    /// Groups to enter and to leave, beside those that it is in.
    pub join: Vec<i64>,
    pub leave: Vec<i64>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Creates the contact if need be; an empty patch only makes sure that it exists.
    Save(Box<Patch>),
    /// What was seen from outside; creates the contact if need be.
    See(Sighting),
    /// That this LID and this phone are one person. Known contacts become one; strangers are only remembered.
    Learn {
        phone: Digits,
    },
    /// Takes back the last change of the saved name; doing it twice takes back the first.
    UndoName,
    Delete,
}

/// How an edit stands in time to what the book holds already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Timing {
    /// It happens as it arrives: it counts as no older than anything the contact has, whatever the clocks say.
    #[default]
    OnArrival,
    /// It is told of later: whatever was written after its time stays.
    AsGiven,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precondition {
    Absent,
    /// Only a new contact is saved; one that is there is left as it is, which is no error.
    AbsentOrLeft,
    Present,
    At(Revision),
}

/// What must hold for an edit to be carried out; checked in the same batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Require {
    pub contact: Option<Precondition>,
    /// No other contact has this e-mail, whatever its case.
    pub unique_email: bool,
    /// The groups, source and status named exist.
    pub references: bool,
}

/// A key by which a repeated request is known, and a fingerprint of the request, so that another one under the same key
/// is told from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    pub key: Box<str>,
    pub fingerprint: [u8; 32],
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    pub who: Who,
    pub act: Act,
    pub require: Require,
    pub at: Moment,
    pub timing: Timing,
    pub source: Source,
    pub key: Option<IdempotencyKey>,
}

impl Edit {
    pub fn new(who: impl Into<Who>, act: Act, at: Moment, source: Source) -> Self {
        Self { who: who.into(), act, require: Require::default(), at, timing: Timing::default(), source, key: None }
    }

    pub fn save(who: impl Into<Who>, patch: Patch, at: Moment, source: Source) -> Self {
        Self::new(who, Act::Save(Box::new(patch)), at, source)
    }

    /// A LID and a phone that were seen to be one person at this time.
    pub fn learn(lid: Digits, phone: Digits, at: Moment, source: Source) -> Self {
        Self::new(ChatId::Lid(lid), Act::Learn { phone }, at, source).as_given()
    }

    /// To take its place in time instead of happening now.
    #[must_use]
    pub fn as_given(mut self) -> Self {
        self.timing = Timing::AsGiven;
        self
    }

    #[must_use]
    pub fn requiring(mut self, require: Require) -> Self {
        self.require = require;
        self
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Change {
    Created,
    Updated,
    Unchanged,
    Deleted,
    /// Two contacts became one: this is who is left.
    Merged,
    /// Something was remembered of somebody whom the book does not hold.
    Learned,
}

impl Change {
    pub fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Unchanged => "unchanged",
            Self::Deleted => "deleted",
            Self::Merged => "merged",
            Self::Learned => "learned",
        }
    }
}

/// What came of an edit, with the contact as it now stands (for a deletion: as it last stood).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    pub change: Change,
    /// Shared with whatever else still holds this state of the contact.
    pub contact: Arc<Contact>,
    /// The contact's revision after this edit; for a repeated request, after the first one.
    pub revision: Revision,
    /// This request was known by its idempotency key and not carried out again.
    pub replayed: bool,
}

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
        Act::Save(patch) => save(patch, &edit.source, at, &mut contact),
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

fn save(patch: &Patch, source: &Source, at: Moment, contact: &mut Contact) -> bool {
    let by = Stamp { at, source: source.clone() };
    let named = patch.saved.apply(contact, &by);
    let Contact { card, times, created_at, .. } = contact;
    let mut writing = Writing { times, created_at: *created_at, at };
    let filed = patch.card.apply(card, &mut writing);
    let regrouped = regroup(patch, &mut card.groups, &mut writing);
    let blocked = match patch.blocked {
        Some(blocked) if writing.is_in_time(BLOCKED, contact.blocked) => {
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
