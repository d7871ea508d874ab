//! Two contacts that turn out to be one person, and what a deletion leaves of a contact that was written after it. Each
//! field takes the newest value, sets unite; whatever the order in which things are learned, the end is the same.

use crate::domain::{
    Card, Contact, Moment, Saved, Seen,
    times::{BLOCKED, FIRST, KEPT, LAST, NEVER, Times, note, time_of},
};

/// The contact found by its phone goes on, and wins where both were written at the same time; of saved names and blocks,
/// which phones tell of as well, the greater wins then, as it does in `decide`.
pub fn unite(by_phone: &Contact, by_lid: &Contact) -> Contact {
    let (ours, theirs) = (by_phone, by_lid);
    let mut one = ours.clone();
    one.lid = ours.lid.or(theirs.lid);
    one.phone = ours.phone.or(theirs.phone);
    one.created_at = ours.created_at.min(theirs.created_at);
    one.updated_at = ours.updated_at.max(theirs.updated_at);
    one.first_revision = ours.first_revision.min(theirs.first_revision);
    one.last_message_at = ours.last_message_at.max(theirs.last_message_at);
    one.conversation_count = ours.conversation_count.saturating_add(theirs.conversation_count);
    one.times = Times::default();

    let made = |contact: &Contact| contact.times.get(KEPT).unwrap_or(contact.created_at).max(contact.created_at);
    let kept = made(ours).max(made(theirs));
    if kept != one.created_at {
        one.times.set(KEPT, kept);
    }
    let blocked = |contact: &Contact| time_of(&contact.times, contact.created_at, BLOCKED, contact.blocked);
    let newer = if (blocked(theirs), theirs.blocked) > (blocked(ours), ours.blocked) { theirs } else { ours };
    one.blocked = newer.blocked;
    note(&mut one.times, one.created_at, BLOCKED, one.blocked, blocked(newer));
    unite_saved(ours, theirs, &mut one);
    one.names.push = newer_name(ours.names.push.as_ref(), theirs.names.push.as_ref());
    one.names.business = newer_name(ours.names.business.as_ref(), theirs.names.business.as_ref());
    one.drop_names_that_say_nothing();
    Card::unite(ours, theirs, &mut one);
    one
}

fn unite_saved(ours: &Contact, theirs: &Contact, one: &mut Contact) {
    let (of_ours, of_theirs) = (&ours.names.saved, &theirs.names.saved);
    let theirs_wins_a_tie = of_theirs.rank() > of_ours.rank();
    let newer = |[our_time, their_time]: [Moment; 2]| {
        if their_time > our_time || their_time == our_time && theirs_wins_a_tie {
            (their_time, theirs)
        } else {
            (our_time, ours)
        }
    };
    let part = |field| newer([of_ours.part_at(&ours.times, field), of_theirs.part_at(&theirs.times, field)]);
    let (first, last) = (part(FIRST), part(LAST));
    let newest = first.0.max(last.0);
    let (_, writer) = newer([of_ours.written_at(), of_theirs.written_at()]);
    one.names.saved = Saved {
        first: first.1.names.saved.first.clone(),
        last: last.1.names.saved.last.clone(),
        by: writer.names.saved.by.clone(),
    };
    for (field, at) in [(FIRST, first.0), (LAST, last.0)] {
        if at != newest {
            one.times.set(field, at);
        }
    }
}

fn newer_name(ours: Option<&Seen>, theirs: Option<&Seen>) -> Option<Seen> {
    match (ours, theirs) {
        (Some(ours), Some(theirs)) => Some(if theirs.is_newer_than(ours) { theirs } else { ours }.clone()),
        (ours, theirs) => ours.or(theirs).cloned(),
    }
}

impl Contact {
    /// When it was last written or seen at all.
    pub fn newest(&self) -> Moment {
        let Contact { names, .. } = self;
        let seen = |seen: &Option<Seen>| seen.as_ref().map(|seen| seen.by.at);
        let saved = names.saved.by.as_ref().map(|by| by.at);
        let all = [saved, seen(&names.push), seen(&names.business), self.times.newest(), self.last_message_at];
        all.into_iter().flatten().fold(self.created_at, Moment::max)
    }

    /// What of it was written after this deletion; nothing, if nothing was.
    pub fn outlived(&self, deleted_at: Moment) -> Option<Contact> {
        if self.newest() <= deleted_at {
            return None;
        }
        let mut rest = self.clone();
        let saved = &mut rest.names.saved;
        for (part, field) in [(&mut saved.first, FIRST), (&mut saved.last, LAST)] {
            if self.names.saved.part_at(&self.times, field) <= deleted_at {
                *part = None;
                rest.times.remove(field);
            }
        }
        if saved.written_at() <= deleted_at {
            saved.by = None;
        } else {
            // The part that is gone may be written again by whatever comes after the deletion.
            for field in [FIRST, LAST] {
                if self.names.saved.part_at(&self.times, field) <= deleted_at {
                    rest.times.set(field, NEVER);
                }
            }
        }
        rest.names.push = rest.names.push.filter(|seen| seen.by.at > deleted_at);
        rest.names.business = rest.names.business.filter(|seen| seen.by.at > deleted_at);
        rest.last_message_at = rest.last_message_at.filter(|at| *at > deleted_at);
        if time_of(&self.times, self.created_at, BLOCKED, self.blocked) <= deleted_at {
            rest.blocked = false;
            rest.times.remove(BLOCKED);
        }
        rest.card.outlive(deleted_at, self.created_at, &mut rest.times);
        Some(rest)
    }
}
