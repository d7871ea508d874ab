//! What the owner's CRM knows of a contact beside its names: the fields that the dialects show. One struct for the
//! state, one with the same fields for a change of it.

use std::collections::BTreeMap;

use crate::domain::{Field, Invalid};

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

        impl CardPatch {
            /// Whether anything changed.
            pub fn apply(&self, card: &mut Card) -> bool {
                let mut changed = false;
                $(changed |= self.$field.apply(&mut card.$field);)*
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
