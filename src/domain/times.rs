//! When each field of a contact was last written, so that what arrives late takes its place in time and two contacts that
//! turn out to be one keep the newest of each field. The seen names carry their own time and are not here.

use crate::domain::{Card, Moment};

/// The saved name's parts, where they were not written together.
pub(super) const FIRST: &str = "first";
pub(super) const LAST: &str = "last";
pub(super) const BLOCKED: &str = "blocked";
/// When the contact was last saved without a word about any field.
pub(super) const KEPT: &str = "kept";

/// Before anything was ever written.
pub(super) const NEVER: Moment = Moment::from_millis(i64::MIN);

/// Field → time, by field. A field that is not here was written when the contact was made, if it has a value, and else never: so a
/// contact that was saved once carries none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Times(Vec<(&'static str, Moment)>);

impl Times {
    pub fn get(&self, field: &str) -> Option<Moment> {
        let place = self.0.binary_search_by_key(&field, |(name, _)| name).ok()?;
        Some(self.0[place].1)
    }

    pub fn set(&mut self, field: &'static str, at: Moment) {
        match self.0.binary_search_by_key(&field, |(name, _)| name) {
            Ok(place) => self.0[place].1 = at,
            Err(place) => self.0.insert(place, (field, at)),
        }
    }

    pub fn remove(&mut self, field: &str) {
        self.0.retain(|(name, _)| *name != field);
    }

    pub fn newest(&self) -> Option<Moment> {
        self.0.iter().map(|(_, at)| *at).max()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = (&'static str, Moment)> {
        self.0.iter().copied()
    }

    /// From how they were stored; words that this version does not know are let go.
    pub fn restored(stored: impl IntoIterator<Item = (String, i64)>) -> Self {
        let known = |word: &str| {
            let others = [FIRST, LAST, BLOCKED, KEPT];
            Card::FIELDS.iter().chain(&others).copied().find(|name| *name == word)
        };
        let mut times = Self::default();
        for (word, at) in stored {
            if let Some(field) = known(&word) {
                times.set(field, Moment::from_millis(at));
            }
        }
        times
    }
}

/// The time of one writing, against those of a contact.
pub(super) struct Writing<'c> {
    pub(super) times: &'c mut Times,
    pub(super) created_at: Moment,
    pub(super) at: Moment,
}

impl Writing<'_> {
    /// Whether a field is to be written: not if it was written later than this.
    pub(super) fn is_in_time(&self, field: &'static str, has_value: bool) -> bool {
        time_of(self.times, self.created_at, field, has_value) <= self.at
    }

    /// Whether it was written at this very time.
    pub(super) fn is_tied(&self, field: &'static str, has_value: bool) -> bool {
        time_of(self.times, self.created_at, field, has_value) == self.at
    }

    pub(super) fn done(&mut self, field: &'static str, has_value: bool) {
        note(self.times, self.created_at, field, has_value, self.at);
    }
}

pub(super) fn time_of(times: &Times, created_at: Moment, field: &str, has_value: bool) -> Moment {
    times.get(field).unwrap_or(if has_value { created_at } else { NEVER })
}

pub(super) fn note(times: &mut Times, created_at: Moment, field: &'static str, has_value: bool, at: Moment) {
    let is_understood = at == if has_value { created_at } else { NEVER };
    if is_understood {
        times.remove(field);
    } else {
        times.set(field, at);
    }
}
