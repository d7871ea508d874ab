//! What was seen of a contact from outside: the name it gives itself, its verified business name, that it wrote. A sighting
//! may fill and refresh those columns; nothing here can reach the saved name.

use crate::domain::{Contact, Moment, NamePart, Seen, Source, Stamp};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    pub push: Option<NamePart>,
    pub business: Option<NamePart>,
    pub last_message_at: Option<Moment>,
    pub at: Moment,
    pub source: Source,
}

impl Sighting {
    /// Whether anything changed. Empty names, `-`, the bare number and sightings older than what is known say nothing.
    pub fn apply(&self, contact: &mut Contact) -> bool {
        let says_something = |name: &&NamePart| contact.is_told_apart_by(name);
        let push = self.push.as_ref().filter(says_something).cloned();
        let business = self.business.as_ref().filter(says_something).cloned();
        let named = self.refresh(&mut contact.names.push, push);
        let verified = self.refresh(&mut contact.names.business, business);
        let wrote = self.last_message_at > contact.last_message_at;
        if wrote {
            contact.last_message_at = self.last_message_at;
        }
        named || verified || wrote
    }

    /// The same name seen again later is no change, but it is remembered when.
    fn refresh(&self, known: &mut Option<Seen>, name: Option<NamePart>) -> bool {
        let Some(name) = name else { return false };
        let seen = Seen { name, by: Stamp { at: self.at, source: self.source.clone() } };
        if known.as_ref().is_some_and(|known| !seen.is_newer_than(known)) {
            return false;
        }
        let changed = known.as_ref().is_none_or(|known| known.name != seen.name);
        *known = Some(seen);
        changed
    }
}

impl Contact {
    /// Seen names that say nothing, now that more is known of it, are let go.
    pub(super) fn drop_names_that_say_nothing(&mut self) {
        let (push, business) = (self.names.push.take(), self.names.business.take());
        self.names.push = push.filter(|seen| self.is_told_apart_by(&seen.name));
        self.names.business = business.filter(|seen| self.is_told_apart_by(&seen.name));
    }

    /// Not blank, not `-`, not just one of its own numbers.
    pub(super) fn is_told_apart_by(&self, name: &NamePart) -> bool {
        let text = name.as_str().trim();
        let is_number = |id: crate::domain::ChatId| {
            let is_its = |named: crate::domain::ChatId| named.digits() == id.digits();
            text == id.digits().as_str() || text.parse().is_ok_and(is_its)
        };
        !text.is_empty() && text != "-" && !self.chat_ids().any(is_number)
    }
}
