//! A wish to change one contact, and what came of it. What becomes of a wish is decided in `decide`.

use std::sync::Arc;

use crate::domain::{CardPatch, ChatId, Contact, Digits, Moment, NamePart, Revision, Sighting, Source, Who};

/// One field of a change. Which JSON means "clear" and which "not mentioned" is each vendor's spelling.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Field<T> {
    #[default]
    Keep,
    Clear,
    Set(T),
}

impl<T: Clone + PartialEq> Field<T> {
    /// Whether anything changed.
    pub fn apply(&self, present: &mut Option<T>) -> bool {
        let wanted = match self {
            Self::Keep => return false,
            Self::Clear => None,
            Self::Set(value) => Some(value),
        };
        if present.as_ref() == wanted {
            return false;
        }
        *present = wanted.cloned();
        true
    }
}

impl<T> Field<T> {
    pub fn map<U>(self, with: impl FnOnce(T) -> U) -> Field<U> {
        match self {
            Self::Keep => Field::Keep,
            Self::Clear => Field::Clear,
            Self::Set(value) => Field::Set(with(value)),
        }
    }

    pub fn try_map<U, E>(self, with: impl FnOnce(T) -> std::result::Result<U, E>) -> std::result::Result<Field<U>, E> {
        Ok(match self {
            Self::Keep => Field::Keep,
            Self::Clear => Field::Clear,
            Self::Set(value) => Field::Set(with(value)?),
        })
    }

    pub fn set(&self) -> Option<&T> {
        match self {
            Self::Set(value) => Some(value),
            _ => None,
        }
    }
}

impl<T> From<Option<T>> for Field<T> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Clear, Self::Set)
    }
}

/// A change of the saved name: by its parts, or as one display name written whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SavedPatch {
    Parts { first: Field<NamePart>, last: Field<NamePart> },
    Whole(Option<NamePart>),
}

impl Default for SavedPatch {
    fn default() -> Self {
        Self::Parts { first: Field::Keep, last: Field::Keep }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Patch {
    pub saved: SavedPatch,
    pub card: CardPatch,
    pub blocked: Option<bool>,
    /// Another phone for the contact; its old one no longer leads to it.
    pub phone: Option<Digits>,
    /// The source by its name; made if there is none of that name.
    pub source_named: Option<NamePart>,
    /// Groups to enter and to leave, beside those that it is in.
    pub join: Vec<i64>,
    pub leave: Vec<i64>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Creates the contact if need be; an empty patch only makes sure that it exists.
    Save(Box<Patch>),
    /// What was seen from outside; creates the contact if need be.
    See(Sighting),
    /// That this LID and this phone are one person. Known contacts become one; strangers are only remembered.
    Learn {
        phone: Digits,
    },
    /// Takes back the last change of the saved name; doing it twice takes back the first.
    UndoName,
    Delete,
}

/// How an edit stands in time to what the book holds already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Timing {
    /// It happens as it arrives: it counts as no older than anything the contact has, whatever the clocks say.
    #[default]
    OnArrival,
    /// It is told of later: whatever was written after its time stays. Of two told for the same time always the same one
    /// stays, whichever came first and however often: the greater.
    AsGiven,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precondition {
    Absent,
    /// Only a new contact is saved; one that is there is left as it is, which is no error.
    AbsentOrLeft,
    Present,
    At(Revision),
}

/// What must hold for an edit to be carried out; checked in the same batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Require {
    pub contact: Option<Precondition>,
    /// No other contact has this e-mail, whatever its case.
    pub unique_email: bool,
    /// The groups, source and status named exist.
    pub references: bool,
}

/// A key by which a repeated request is known, and a fingerprint of the request, so that another one under the same key
/// is told from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    pub key: Box<str>,
    pub fingerprint: [u8; 32],
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    pub who: Who,
    pub act: Act,
    pub require: Require,
    pub at: Moment,
    pub timing: Timing,
    pub source: Source,
    pub key: Option<IdempotencyKey>,
}

impl Edit {
    pub fn new(who: impl Into<Who>, act: Act, at: Moment, source: Source) -> Self {
        Self { who: who.into(), act, require: Require::default(), at, timing: Timing::default(), source, key: None }
    }

    pub fn save(who: impl Into<Who>, patch: Patch, at: Moment, source: Source) -> Self {
        Self::new(who, Act::Save(Box::new(patch)), at, source)
    }

    /// A LID and a phone that were seen to be one person at this time.
    pub fn learn(lid: Digits, phone: Digits, at: Moment, source: Source) -> Self {
        Self::new(ChatId::Lid(lid), Act::Learn { phone }, at, source).as_given()
    }

    /// To take its place in time instead of happening now.
    #[must_use]
    pub fn as_given(mut self) -> Self {
        self.timing = Timing::AsGiven;
        self
    }

    #[must_use]
    pub fn requiring(mut self, require: Require) -> Self {
        self.require = require;
        self
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Change {
    Created,
    Updated,
    Unchanged,
    Deleted,
    /// Two contacts became one: this is who is left.
    Merged,
    /// Something was remembered of somebody whom the book does not hold.
    Learned,
}

impl Change {
    pub fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Unchanged => "unchanged",
            Self::Deleted => "deleted",
            Self::Merged => "merged",
            Self::Learned => "learned",
        }
    }
}

/// What came of an edit, with the contact as it now stands (for a deletion: as it last stood).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    pub change: Change,
    /// Shared with whatever else still holds this state of the contact.
    pub contact: Arc<Contact>,
    /// The contact's revision after this edit; for a repeated request, after the first one.
    pub revision: Revision,
    /// This request was known by its idempotency key and not carried out again.
    pub replayed: bool,
}
