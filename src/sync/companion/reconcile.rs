//! What follows from how a companion shows a contact: a comparison of three, of what it has now, what it had last and
//! what we have. Pure: it decides on one contact, and the desk checks that nothing has moved in the meantime.
//!
//! - The same on both sides: confirmed.
//! - Ours still waits to be told: ours stays, and is told.
//! - Changed there since we last looked: theirs is taken. That is written under the companion's own name, so that it is
//!   not told to it again.
//! - Not changed there: nothing. It may not have come to taking ours yet.
//!
//! A name that is merely not mentioned is not gone: some engines list contacts without names after a restart. It is gone
//! when the companion says that the contact is not among the saved ones.

use super::{Met, There};
use crate::{
    book::{COMPANION, Known},
    domain::{
        Act, Contact, Edit, Field, Mark, Moment, News, Patch, Precondition, Print, Require, Saved, SavedPatch,
        Sighting, Source, Sync, SyncState,
    },
};

/// Another word than the companion's own: what is taken under it is told.
const BY_LID: Source = Source::known("companion_lid");

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Ruling {
    pub edits: Vec<Edit>,
    pub mark: Option<Mark>,
}

pub fn rule(met: &Met, known: &Known, now: Moment) -> Ruling {
    let mut ruling = names(met, known, now);
    let is_deleted_here = known.contact.is_none() && known.sync.is_some();
    let comes_back = !ruling.edits.is_empty();
    if !is_deleted_here || comes_back {
        ruling.edits.extend(sighting(met, known.contact.as_ref(), now));
    }
    ruling
}

fn names(met: &Met, known: &Known, now: Moment) -> Ruling {
    // Companions list a person twice, by phone and by LID, and often with a name only once: the phone's entry counts.
    let speaks_of_the_name = known.contact.as_ref().is_none_or(|contact| contact.chat_id() == met.who);
    let there = match &met.saved {
        There::Nothing if speaks_of_the_name => None,
        There::Named(saved) if speaks_of_the_name => Some(saved),
        There::Named(saved) => return named_by_its_lid(met, saved, known, now),
        _ => return Ruling::default(),
    };
    let ours = known.contact.as_ref().and_then(|contact| contact.names.saved.full());
    let full = there.and_then(Saved::full);
    let theirs = full.as_deref().map(Print::of);
    let base = known.sync.as_ref().and_then(|sync| sync.theirs);
    let state = known.sync.as_ref().map(|sync| sync.state);
    let news = if ours == full {
        let is_known = state == Some(SyncState::Confirmed) && base == theirs;
        (!is_known).then_some(News::Confirmed { theirs, at: now })
    } else if state.is_some_and(SyncState::is_waiting) {
        (base != theirs).then_some(News::Seen { theirs })
    } else if base == theirs {
        None
    } else {
        return Ruling { edits: vec![take(met, known.contact.as_ref(), there, now)], mark: None };
    };
    Ruling { edits: Vec::new(), mark: news.zip(known.sync.as_ref()).map(|(news, sync)| about(sync, news)) }
}

/// A name that the companion has under the LID of a contact of whose phone it knows nothing. It becomes ours where there is
/// none, and as any name of ours is told to the companion, by the phone.
fn named_by_its_lid(met: &Met, there: &Saved, known: &Known, now: Moment) -> Ruling {
    let has_none = |contact: &&Contact| contact.names.saved.full().is_none() && known.sync.is_none();
    let edit = known
        .contact
        .as_ref()
        .filter(has_none)
        .map(|contact| Edit { source: BY_LID, ..take(met, Some(contact), Some(there), now) });
    Ruling { edits: edit.into_iter().collect(), mark: None }
}

/// What is heard right after the companion took ours: whether it shows it. If what it shows is our name as it spells names
/// (trimmed, cut off), that is how it will be shown from now on, and nobody's change.
pub fn after_telling(sync: &Sync, wish: &Saved, met: &Met, now: Moment) -> Option<Mark> {
    let there = match &met.saved {
        There::Unsaid => return None,
        There::Nothing => None,
        There::Named(saved) => saved.full(),
    };
    let (wish, theirs) = (wish.full(), there.as_deref().map(Print::of));
    if wish == there {
        return Some(about(sync, News::Confirmed { theirs, at: now }));
    }
    let is_its_spelling = wish.zip(there).is_some_and(|(wish, there)| spelled(&wish).starts_with(&spelled(&there)));
    (is_its_spelling && sync.theirs != theirs).then(|| about(sync, News::Seen { theirs }))
}

fn spelled(name: &str) -> String {
    crate::domain::fold(&name.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn about(sync: &Sync, news: News) -> Mark {
    Mark { chat_id: sync.chat_id, revision: sync.revision, news }
}

/// Theirs becomes ours, unless the contact has moved in the meantime: then the next look decides.
fn take(met: &Met, present: Option<&Contact>, there: Option<&Saved>, now: Moment) -> Edit {
    let part = |part: Option<&_>| Field::from(part.cloned());
    let saved = SavedPatch::Parts {
        first: part(there.and_then(|saved| saved.first.as_ref())),
        last: part(there.and_then(|saved| saved.last.as_ref())),
    };
    let unmoved = present.map_or(Precondition::Absent, |contact| Precondition::At(contact.revision));
    let require = Require { contact: Some(unmoved), ..Require::default() };
    Edit::save(met.who, Patch { saved, ..Patch::default() }, now, COMPANION).requiring(require)
}

/// A pushname, if it says something that is not known.
fn sighting(met: &Met, present: Option<&Contact>, now: Moment) -> Option<Edit> {
    let seen =
        Sighting { push: Some(met.push.clone()?), business: None, last_message_at: None, at: now, source: COMPANION };
    let mut trial = present.cloned().unwrap_or_else(|| Contact::unknown(met.who, now));
    let says_something = seen.apply(&mut trial);
    says_something.then(|| Edit::new(met.who, Act::See(seen), now, COMPANION))
}

#[cfg(test)]
mod tests;
