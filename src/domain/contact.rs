//! A contact: one person, with its chat ids, its names, its card, and the revision at which it last changed.

use uuid::Uuid;

use crate::domain::{Card, ChatId, Digits, Moment, Names, Revision, ShownBy, Times};

/// A contact's number within its book: given once, never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ContactId(pub i64);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    pub id: ContactId,
    pub uuid: Uuid,
    /// At least one of the two is present.
    pub phone: Option<Digits>,
    pub lid: Option<Digits>,
    pub names: Names,
    pub card: Card,
    /// When its fields were last written, where that is not when it was made.
    pub times: Times,
    pub blocked: bool,
    pub last_message_at: Option<Moment>,
    pub conversation_count: u32,
    pub created_at: Moment,
    pub updated_at: Moment,
    /// With which it last changed.
    pub revision: Revision,
    /// With which it came into the book.
    pub first_revision: Revision,
}

impl Contact {
    /// A contact of which only the chat id is known. Its numbers are drawn by the book when it is stored.
    pub fn unknown(who: ChatId, at: Moment) -> Self {
        let (phone, lid) = match who {
            ChatId::Phone(digits) => (Some(digits), None),
            ChatId::Lid(digits) => (None, Some(digits)),
        };
        Self {
            id: ContactId(0),
            uuid: Uuid::nil(),
            phone,
            lid,
            names: Names::default(),
            card: Card::default(),
            times: Times::default(),
            blocked: false,
            last_message_at: None,
            conversation_count: 0,
            created_at: at,
            updated_at: at,
            revision: Revision::default(),
            first_revision: Revision::default(),
        }
    }

    /// The chat id by which the contact is shown: its phone, else its LID.
    pub fn chat_id(&self) -> ChatId {
        self.chat_ids().next().expect("a contact has a chat id")
    }

    pub fn chat_ids(&self) -> impl Iterator<Item = ChatId> {
        self.phone.map(ChatId::Phone).into_iter().chain(self.lid.map(ChatId::Lid))
    }

    pub fn display(&self) -> String {
        self.names.display(&self.chat_id())
    }

    /// The same with the reason for it.
    pub fn shown(&self) -> (String, ShownBy) {
        self.names.shown(&self.chat_id())
    }
}
