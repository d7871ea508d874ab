//! What a webhook can be told of, and sets of it. Leaves out what decides which of them a change is (sync).

use crate::domain::Invalid;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum EventType {
    Created,
    Updated,
    Deleted,
    Merged,
}

const TYPES: [(EventType, &str); 4] = [
    (EventType::Created, "contact.created"),
    (EventType::Updated, "contact.updated"),
    (EventType::Deleted, "contact.deleted"),
    (EventType::Merged, "contact.merged"),
];

impl EventType {
    pub fn parse(word: &str) -> Option<Self> {
        TYPES.iter().find(|(_, known)| *known == word).map(|(kind, _)| *kind)
    }

    pub fn word(self) -> &'static str {
        TYPES[self as usize].1
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventTypes(u8);

impl EventTypes {
    pub const ALL: Self = Self((1 << TYPES.len()) - 1);

    pub fn parse<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Self, Invalid> {
        let mut types = Self(0);
        for word in words {
            let found = TYPES.iter().find(|(_, known)| *known == word);
            let refused = || Invalid::new("types", format!("may be {}", TYPES.map(|(_, word)| word).join(", ")));
            types.0 |= 1 << found.ok_or_else(refused)?.0 as u8;
        }
        if types.0 == 0 {
            return Err(Invalid::new("types", "must name at least one type"));
        }
        Ok(types)
    }

    pub fn has(self, kind: EventType) -> bool {
        self.0 & (1 << kind as u8) != 0
    }

    pub fn words(self) -> Vec<&'static str> {
        TYPES.iter().filter(|(kind, _)| self.has(*kind)).map(|(_, word)| *word).collect()
    }

    /// As the store has them; bits of which nothing is known are dropped.
    pub(super) fn bits(self) -> u8 {
        self.0
    }

    pub(super) fn from_bits(bits: u8) -> Self {
        Self(bits & Self::ALL.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_bits_mean_the_same() {
        for (place, (kind, word)) in TYPES.iter().enumerate() {
            assert_eq!((*kind as usize, kind.word()), (place, *word));
            let one = EventTypes::parse([*word, *word]).unwrap();
            assert_eq!((one.words(), EventTypes::from_bits(one.bits())), (vec![*word], one));
        }
        assert_eq!(EventTypes::parse(EventTypes::ALL.words()).unwrap(), EventTypes::ALL);
        assert!(EventTypes::parse([]).is_err());
        assert!(EventTypes::parse(["contact.*"]).is_err());
    }
}
