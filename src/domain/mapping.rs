//! That a LID and a phone belong to one person, as somebody saw it at some time. What is true now follows from all that
//! was ever seen: a mapping holds while nothing newer is known of its LID nor of its phone.

use crate::domain::{ChatId, Digits, Moment, Stamp};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    pub lid: Digits,
    pub phone: Digits,
    pub by: Stamp,
}

impl Mapping {
    pub fn is_of_same_pair(&self, other: &Self) -> bool {
        (self.lid, self.phone) == (other.lid, other.phone)
    }

    /// Later; of two at the same time, always the same one, whichever came first.
    pub fn is_newer_than(&self, other: &Self) -> bool {
        let rank = |mapping: &Self| -> (Moment, Digits, Digits) { (mapping.by.at, mapping.phone, mapping.lid) };
        rank(self) > rank(other)
    }

    /// The other side of it.
    pub fn partner(&self, id: &ChatId) -> ChatId {
        if id.is_phone() { ChatId::Lid(self.lid) } else { ChatId::Phone(self.phone) }
    }
}
