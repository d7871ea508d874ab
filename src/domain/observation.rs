//! What was seen of a contact from outside: the name it gives itself, its verified business name. A sighting may fill
//! and refresh those columns; nothing here can reach the saved name.

use crate::domain::{ChatId, Moment, NamePart, Names, Seen, Source, Stamp};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    pub push: Option<NamePart>,
    pub business: Option<NamePart>,
    pub at: Moment,
    pub source: Source,
}

impl Sighting {
    /// Whether anything changed. Empty names, `-`, the bare number and sightings older than what is known say nothing.
    pub fn apply(&self, who: &ChatId, names: &mut Names) -> bool {
        let push = self.refresh(who, &mut names.push, self.push.as_ref());
        let business = self.refresh(who, &mut names.business, self.business.as_ref());
        push || business
    }

    fn refresh(&self, who: &ChatId, known: &mut Option<Seen>, name: Option<&NamePart>) -> bool {
        let Some(name) = name.filter(|name| says_something(name, who)) else { return false };
        if known.as_ref().is_some_and(|known| known.by.at > self.at || known.name == *name) {
            return false;
        }
        *known = Some(Seen { name: name.clone(), by: Stamp { at: self.at, source: self.source.clone() } });
        true
    }
}

fn says_something(name: &NamePart, who: &ChatId) -> bool {
    let text = name.as_str().trim();
    let is_the_number = text.parse::<ChatId>().is_ok_and(|named| named.digits() == who.digits());
    !text.is_empty() && text != "-" && !is_the_number && text != who.digits().as_str()
}
