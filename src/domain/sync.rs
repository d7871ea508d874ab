//! How a contact stands with the companion, the linked phone or gateway to which saved names leave: what it shall be told,
//! what it was last seen to have, and how far the telling has come. Leaves out who does the telling (sync).

use sha2::{Digest as _, Sha256};

use crate::domain::{ChatId, ContactId, Moment, Revision, Saved};

/// By which names are compared without being kept: of what was deleted here, nothing private stays in the outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Print(pub [u8; 16]);

impl Print {
    pub fn of(text: &str) -> Self {
        let digest = Sha256::digest(text.as_bytes());
        let mut print = [0; 16];
        print.copy_from_slice(&digest[..16]);
        Self(print)
    }

    /// Of a saved name by its parts: a name that is only cut otherwise is another one.
    pub fn of_parts(saved: &Saved) -> Option<Self> {
        let part = |part: &Option<crate::domain::NamePart>| part.as_ref().map_or("", |name| name.as_str()).to_owned();
        // No name has a control character, so the cut is where it is.
        saved.full().map(|_| Self::of(&format!("{}\n{}", part(&saved.first), part(&saved.last))))
    }
}

/// How far a saved name has come on its way to the companion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SyncState {
    /// Waits to be sent, for the first time or again.
    Pending,
    /// The companion has answered that it took it.
    Acked,
    /// The companion was seen to have it.
    Confirmed,
    /// Only a LID is known, and a phone saves numbers.
    AwaitingPhone,
    /// The companion has refused it; sent again when it changes or when somebody says so.
    Failed,
}

impl SyncState {
    pub const ALL: [Self; 5] = [Self::Pending, Self::Acked, Self::Confirmed, Self::AwaitingPhone, Self::Failed];

    pub fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Acked => "acked",
            Self::Confirmed => "confirmed",
            Self::AwaitingPhone => "awaiting_phone",
            Self::Failed => "failed",
        }
    }

    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }

    /// Whether the companion does not have our word yet.
    pub fn is_waiting(self) -> bool {
        matches!(self, Self::Pending | Self::AwaitingPhone | Self::Failed)
    }
}

/// How one chat id stands with the companion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sync {
    pub chat_id: ChatId,
    /// Whose saved name it shall have; `None`: no name any more, the contact is deleted or has another number.
    pub contact: Option<ContactId>,
    pub state: SyncState,
    /// With which this became the wish. What is heard of an older wish no longer counts.
    pub revision: Revision,
    /// Of the name, by its parts, that it shall have.
    pub wish: Option<Print>,
    /// Of the full name that it was last seen to have.
    pub theirs: Option<Print>,
    /// It may have a name from us that was not seen there yet.
    pub was_told: bool,
    pub attempts: u32,
    /// Not sent before this.
    pub next_at: Moment,
    /// Why it was not taken, in one word.
    pub reason: Option<Box<str>>,
    pub acked_at: Option<Moment>,
    pub confirmed_at: Option<Moment>,
}

impl Sync {
    /// Whether the companion may have any name for it.
    pub fn may_be_named_there(&self) -> bool {
        self.theirs.is_some() || self.was_told
    }
}

/// What was heard of one chat id's wish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    pub chat_id: ChatId,
    /// The wish that it is about.
    pub revision: Revision,
    pub news: News,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// What the companion has, which says nothing of our wish.
    Seen {
        theirs: Option<Print>,
    },
    Acked {
        at: Moment,
    },
    /// It has what we wished for.
    Confirmed {
        theirs: Option<Print>,
        at: Moment,
    },
    /// To be sent again, not before this.
    Later {
        next_at: Moment,
        reason: Box<str>,
    },
    Failed {
        reason: Box<str>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::NamePart;

    #[test]
    fn states_are_read_back_from_their_words() {
        for state in SyncState::ALL {
            assert_eq!(SyncState::from_word(state.word()), Some(state));
        }
        assert_eq!(SyncState::from_word("local"), None);
    }

    #[test]
    fn a_print_tells_names_and_their_parts_apart() {
        let saved = |first: &str, last: &str| {
            let part = |text: &str| NamePart::parse(text, "name").unwrap();
            Saved { first: part(first), last: part(last), by: None }
        };
        assert_eq!(Print::of_parts(&saved("", "")), None);
        assert_eq!(Print::of_parts(&saved("Bob", "Smith")), Print::of_parts(&saved("Bob", "Smith")));
        assert_ne!(Print::of_parts(&saved("Bob", "Smith")), Print::of_parts(&saved("Bob Smith", "")));
        assert_ne!(Print::of("Bob"), Print::of("Rob"));
    }
}
