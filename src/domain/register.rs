//! The lists that a book keeps beside its contacts: groups, sources and statuses. An entry has a number and a name that
//! is unique in its list, whatever its case.

use crate::domain::{Moment, NamePart};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Register {
    Groups,
    Sources,
    Statuses,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub id: i64,
    pub name: NamePart,
    /// Statuses only: `#RRGGBB`.
    pub color: Option<Box<str>>,
    pub created_at: Moment,
    pub updated_at: Moment,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RegisterAct {
    Add {
        name: NamePart,
        color: Option<Box<str>>,
    },
    Rename {
        id: i64,
        name: NamePart,
        color: Option<Box<str>>,
    },
    /// A group loses its members with it; a source or status that is in use stays, and says so.
    Remove {
        id: i64,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisterEdit {
    pub register: Register,
    pub act: RegisterAct,
    pub at: Moment,
}
