//! What the owner's CRM knows of a contact beside its names: the fields that the dialects show. One struct for the
//! state, one with the same fields for a change of it.

use std::collections::BTreeMap;

use crate::domain::{
    Contact, Field, Invalid, Moment,
    times::{Times, Writing, note, time_of},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    Lead,
    Customer,
    Guest,
}

impl Kind {
    pub fn word(self) -> &'static str {
        match self {
            Self::Lead => "lead",
            Self::Customer => "customer",
            Self::Guest => "guest",
        }
    }
}

impl std::str::FromStr for Kind {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        match text {
            "lead" => Ok(Self::Lead),
            "customer" => Ok(Self::Customer),
            "guest" => Ok(Self::Guest),
            _ => Err(Invalid::new("type", "must be either lead, customer, or guest")),
        }
    }
}

/// Declares the state and the change side by side, so that a new field cannot be in one and missing in the other.
macro_rules! card {
    ($($(#[$doc:meta])* $field:ident: $type:ty,)*) => {
        #[derive(Debug, Clone, PartialEq, Eq, Default)]
        pub struct Card { $($(#[$doc])* pub $field: Option<$type>,)* }

        /// A change of a card: every field kept, cleared or set.
        #[derive(Debug, Clone, PartialEq, Eq, Default)]
        pub struct CardPatch { $(pub $field: Field<$type>,)* }

        impl Card {
            pub(super) const FIELDS: &[&str] = &[$(stringify!($field),)*];

            /// Into `one`, whose time of creation is set already.
            pub(super) fn unite(ours: &Contact, theirs: &Contact, one: &mut Contact) {
                $({
                    const FIELD: &str = stringify!($field);
                    let at = |contact: &Contact| {
                        time_of(&contact.times, contact.created_at, FIELD, contact.card.$field.is_some())
                    };
                    let (newer, older) = if at(theirs) > at(ours) { (theirs, ours) } else { (ours, theirs) };
                    one.card.$field = newer.card.$field.clone();
                    if let (Some(set), Some(more)) = (&mut one.card.$field, &older.card.$field) {
                        set.take_in(more);
                    }
                    note(&mut one.times, one.created_at, FIELD, one.card.$field.is_some(), at(newer));
                })*
            }

            /// Takes away what was written before this.
            pub(super) fn outlive(&mut self, deleted_at: Moment, created_at: Moment, times: &mut Times) {
                $(if time_of(times, created_at, stringify!($field), self.$field.is_some()) <= deleted_at {
                    self.$field = None;
                    times.remove(stringify!($field));
                })*
            }
        }

        impl CardPatch {
            /// Whether anything changed. A field that was written later than this is left as it is.
            pub(super) fn apply(&self, card: &mut Card, writing: &mut Writing<'_>) -> bool {
                let mut changed = false;
                $(if self.$field != Field::Keep && writing.is_in_time(stringify!($field), card.$field.is_some()) {
                    changed |= self.$field.apply(&mut card.$field);
                    writing.done(stringify!($field), card.$field.is_some());
                })*
                changed
            }
        }
    };
}

card! {
    email: Box<str>,
    company: Box<str>,
    description: Box<str>,
    city: Box<str>,
    state: Box<str>,
    zip: Box<str>,
    address: Box<str>,
    /// ISO 3166-1 alpha-2.
    country_code: Box<str>,
    country_id: i64,
    assigned_id: i64,
    kind: Kind,
    tags: Vec<Box<str>>,
    labels: Vec<Box<str>>,
    /// Key to JSON text; the value is opaque here.
    params: BTreeMap<Box<str>, Box<str>>,
    opted_in: bool,
    source_id: i64,
    status_id: i64,
    /// Group ids, ascending.
    groups: Vec<i64>,
}

/// What becomes of two values of a field when two contacts become one: a set takes in the other, anything else stays.
trait Unite {
    fn take_in(&mut self, _older: &Self) {}
}

impl Unite for Box<str> {}
impl Unite for i64 {}
impl Unite for bool {}
impl Unite for Kind {}

impl Unite for Vec<Box<str>> {
    fn take_in(&mut self, older: &Self) {
        for word in older {
            if !self.contains(word) {
                self.push(word.clone());
            }
        }
    }
}

impl Unite for Vec<i64> {
    fn take_in(&mut self, older: &Self) {
        self.extend(older);
        self.sort_unstable();
        self.dedup();
    }
}

impl Unite for BTreeMap<Box<str>, Box<str>> {
    fn take_in(&mut self, older: &Self) {
        for (key, value) in older {
            self.entry(key.clone()).or_insert_with(|| value.clone());
        }
    }
}
