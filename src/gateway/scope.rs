//! What an access token may do. The words are those of WA.cr's documentation, where they are documented, and ours
//! (`instance:admin`, `*`) where not.

use crate::domain::Invalid;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Scope {
    ContactsRead,
    ContactsWrite,
    ContactsDelete,
    GroupsRead,
    GroupsWrite,
    GroupsDelete,
    SourcesRead,
    SourcesWrite,
    StatusesRead,
    StatusesWrite,
    AccountRead,
    InstanceAdmin,
}

const SCOPES: [(Scope, &str); 12] = [
    (Scope::ContactsRead, "contacts:read"),
    (Scope::ContactsWrite, "contacts:write"),
    (Scope::ContactsDelete, "contacts:delete"),
    (Scope::GroupsRead, "groups:read"),
    (Scope::GroupsWrite, "groups:write"),
    (Scope::GroupsDelete, "groups:delete"),
    (Scope::SourcesRead, "sources:read"),
    (Scope::SourcesWrite, "sources:write"),
    (Scope::StatusesRead, "statuses:read"),
    (Scope::StatusesWrite, "statuses:write"),
    (Scope::AccountRead, "account:read"),
    (Scope::InstanceAdmin, "instance:admin"),
];

impl Scope {
    pub fn word(self) -> &'static str {
        SCOPES[self as usize].1
    }
}

/// A set of scopes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scopes(u16);

impl Scopes {
    pub const ALL: Self = Self((1 << SCOPES.len()) - 1);

    pub fn only(scope: Scope) -> Self {
        Self(1 << scope as u8)
    }

    /// Words such as `contacts:read`, `groups:*` or `*`.
    pub fn parse<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Self, Invalid> {
        let mut scopes = Self(0);
        for word in words {
            let family = word.strip_suffix('*');
            let matches = |name: &str| name == word || family.is_some_and(|family| name.starts_with(family));
            let before = scopes;
            for (scope, _) in SCOPES.iter().filter(|(_, name)| matches(name)) {
                scopes.0 |= 1 << *scope as u8;
            }
            let is_known = word == "*" || word.ends_with(":*") || SCOPES.iter().any(|(_, name)| *name == word);
            if !is_known || (scopes == before && !SCOPES.iter().any(|(_, name)| matches(name))) {
                let known: Vec<_> = SCOPES.iter().map(|(_, name)| *name).collect();
                return Err(Invalid::new(
                    "scopes",
                    format!("may be {}, a family such as groups:*, or *", known.join(", ")),
                ));
            }
        }
        if scopes.0 == 0 {
            return Err(Invalid::new("scopes", "must name at least one scope"));
        }
        Ok(scopes)
    }

    pub fn allow(self, scope: Scope) -> bool {
        self.0 & (1 << scope as u8) != 0
    }

    pub fn words(self) -> Vec<&'static str> {
        if self == Self::ALL {
            return vec!["*"];
        }
        SCOPES.iter().filter(|(scope, _)| self.allow(*scope)).map(|(_, word)| *word).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_families_and_everything() {
        for (place, (scope, word)) in SCOPES.iter().enumerate() {
            assert_eq!(*scope as usize, place);
            let one = Scopes::parse([*word]).unwrap();
            assert!(one.allow(*scope));
            assert_eq!(one.words(), [*word]);
        }
        assert_eq!(Scopes::parse(["groups:*"]).unwrap().words(), ["groups:read", "groups:write", "groups:delete"]);
        assert_eq!(Scopes::parse(["*"]).unwrap(), Scopes::ALL);
        assert_eq!(Scopes::parse(["contacts:read", "contacts:read"]).unwrap().words(), ["contacts:read"]);
        for words in [&["contacts"][..], &["c*"], &["nobody:*"], &[""], &["contacts:read", "x"], &[]] {
            assert!(Scopes::parse(words.iter().copied()).is_err(), "{words:?}");
        }
    }
}
