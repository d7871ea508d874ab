//! How far a book has come: one counter per book, one step per changed contact, within an epoch.
//! An epoch is drawn when a book is made, so that a restored or recreated book is never taken for its predecessor.

use std::{fmt, str::FromStr};

use crate::domain::Invalid;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Revision(u64);

impl Revision {
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    pub const fn number(self) -> u64 {
        self.0
    }

    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Epoch(pub uuid::Uuid);

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.simple().fmt(f)
    }
}

impl FromStr for Epoch {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        // Only as it was written: a UUID has other spellings.
        let epoch = uuid::Uuid::try_parse(text).ok().map(Self).filter(|epoch| epoch.to_string() == text);
        epoch.ok_or_else(|| Invalid::new("epoch", "must be 32 hexadecimal digits, in small letters"))
    }
}
