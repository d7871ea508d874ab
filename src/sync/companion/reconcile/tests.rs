//! The rule on one contact: what follows from what is there, what was there, and what is here. The stories with a real
//! book are the worker's.

use proptest::prelude::*;

use super::*;
use crate::domain::{ChatId, NamePart, Revision, Source, Stamp};

const NOW: Moment = Moment::from_millis(1000);

fn saved(name: &str) -> Saved {
    Saved { first: NamePart::parse(name, "name").unwrap(), last: None, by: None }
}

fn met(who: &str, name: Option<&str>) -> Met {
    let saved = name.map_or(There::Nothing, |name| There::Named(saved(name)));
    Met { who: who.parse().unwrap(), saved, push: None }
}

fn contact(who: &str, name: &str) -> Contact {
    let mut contact = Contact::unknown(who.parse().unwrap(), Moment::from_millis(1));
    contact.names.saved = saved(name);
    contact.names.saved.by = Some(Stamp { at: Moment::from_millis(1), source: Source::known("test") });
    contact.revision = Revision::new(7);
    contact
}

fn sync(chat_id: ChatId, state: SyncState, wish: &str, theirs: Option<&str>) -> Sync {
    Sync {
        chat_id,
        contact: Some(crate::domain::ContactId(1)),
        state,
        revision: Revision::new(5),
        wish: Print::of_parts(&saved(wish)),
        theirs: theirs.map(Print::of),
        was_told: false,
        attempts: 0,
        next_at: Moment::default(),
        reason: None,
        acked_at: None,
        confirmed_at: None,
    }
}

#[test]
fn of_a_contact_with_a_phone_the_entry_by_its_lid_says_nothing_of_the_name() {
    let mut bob = contact("15551234567", "Bob");
    bob.lid = Some(*"999@lid".parse::<ChatId>().unwrap().digits());
    let state = sync(bob.chat_id(), SyncState::Confirmed, "Bob", Some("Bob"));
    let known = Known { contact: Some(bob), sync: Some(state) };
    for name in [None, Some("Somebody")] {
        assert_eq!(rule(&met("999@lid", name), &known, NOW), Ruling::default());
    }
}

#[test]
fn a_companions_own_spelling_of_our_name_is_nobodys_change() {
    let bob = sync("123".parse().unwrap(), SyncState::Pending, "x", Some("Old"));
    let after = |ours: &str, shown: &str| after_telling(&bob, &saved(ours), &met("123", Some(shown)), NOW);
    let confirmed = News::Confirmed { theirs: Some(Print::of("Bob")), at: NOW };
    assert_eq!(after("Bob", "Bob").unwrap().news, confirmed);
    for (ours, shown) in [("Lucía  Gómez", "Lucía Gómez"), ("A very long name", "A very lo"), ("BOB", "Bob")] {
        assert_eq!(after(ours, shown).unwrap().news, News::Seen { theirs: Some(Print::of(shown)) });
    }
    assert_eq!(after("Bob", "Old"), None, "it is slow to show");
    assert_eq!(after("Bob", "Zoe"), None, "somebody was faster: a pull will tell");
}

proptest! {
    /// Whatever the three are: ours is never overwritten while it waits, nothing is taken that did not change there, and
    /// once both sides are the same there is nothing left to do.
    #[test]
    fn no_rule_loses_a_name(
        ours in "[ab]", theirs in proptest::option::of("[ab]"), base in proptest::option::of("[ab]"), state in 0_usize..5
    ) {
        let bob = contact("123", &ours);
        let state = SyncState::ALL[state];
        let before = sync(bob.chat_id(), state, &ours, base.as_deref());
        let known = Known { contact: Some(bob), sync: Some(before) };
        let ruling = rule(&met("123", theirs.as_deref()), &known, NOW);
        let takes = !ruling.edits.is_empty();
        prop_assert_eq!(takes, theirs.as_deref() != Some(&*ours) && theirs != base && !state.is_waiting());
        let confirms = matches!(&ruling.mark, Some(Mark { news: News::Confirmed { .. }, .. }));
        let is_known = state == SyncState::Confirmed && theirs == base;
        prop_assert_eq!(confirms, theirs.as_deref() == Some(&*ours) && !is_known);
        if takes {
            prop_assert_eq!(ruling.edits[0].require.contact, Some(Precondition::At(Revision::new(7))));
            prop_assert_eq!(&ruling.edits[0].source, &COMPANION);
        }
    }
}
