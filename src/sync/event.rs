//! What a webhook is told of one change: the kind of event, its id, its body. Leaves out signing and sending.

use std::collections::HashSet;

use serde::Serialize;

use super::shown::{JsonContact, rfc3339};
use crate::{
    book::{Changed, Tombstone},
    domain::{ChatId, ContactId, Epoch, InstanceId, Revision},
    gateway::EventType,
};

/// Who was told of. Bounded: of those beyond the bound it may be told once more that they were created.
pub struct Told {
    /// Everybody who came into the book up to this revision.
    settled: Revision,
    /// And these.
    besides: HashSet<ContactId>,
}

const MOST_BESIDES: usize = 4096;

impl Told {
    pub fn up_to(settled: Revision) -> Self {
        Self { settled, besides: HashSet::new() }
    }

    /// A contact that changes again before its creation was told moves on in the book, so that its revision alone does not
    /// say whether it is news: it is, unless it was told of.
    pub fn kind_of(&self, changed: &Changed) -> EventType {
        match changed {
            Changed::Gone(tombstone) if tombstone.merged_into.is_some() => EventType::Merged,
            Changed::Gone(_) => EventType::Deleted,
            Changed::Contact(contact)
                if contact.first_revision > self.settled && !self.besides.contains(&contact.id) =>
            {
                EventType::Created
            }
            Changed::Contact(_) => EventType::Updated,
        }
    }

    pub fn note(&mut self, changed: &Changed) {
        if let Changed::Contact(contact) = changed
            && contact.first_revision > self.settled
            && self.besides.len() < MOST_BESIDES
        {
            self.besides.insert(contact.id);
        }
    }
}

/// The same change has the same id, however often it is sent.
pub fn event_id(instance: &InstanceId, epoch: Epoch, revision: Revision) -> String {
    format!("{instance}-{epoch}-{revision}")
}

pub fn contact_of(changed: &Changed) -> ContactId {
    match changed {
        Changed::Contact(contact) => contact.id,
        Changed::Gone(tombstone) => tombstone.id,
    }
}

#[derive(Serialize)]
struct Body<'a> {
    r#type: &'static str,
    /// When it happened, not when it is told.
    timestamp: String,
    data: Data<'a>,
}

#[derive(Serialize)]
struct Data<'a> {
    instance_id: &'a str,
    revision: u64,
    contact: Shown,
    #[serde(skip_serializing_if = "Option::is_none")]
    merged_into: Option<Other>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Shown {
    Contact(Box<JsonContact>),
    Gone(Gone),
}

/// What may still be said of a contact that is no more.
#[derive(Serialize)]
struct Gone {
    id: i64,
    uuid: String,
    chat_id: Option<String>,
    phone: Option<String>,
    lid: Option<String>,
}

#[derive(Serialize)]
struct Other {
    id: i64,
    /// Null when it has been deleted since.
    uuid: Option<String>,
}

pub fn body(kind: EventType, instance: &InstanceId, changed: &Changed) -> Vec<u8> {
    let (at, contact, merged_into) = match changed {
        Changed::Contact(contact) => {
            (contact.updated_at, Shown::Contact(Box::new(JsonContact::from(&**contact))), None)
        }
        Changed::Gone(tombstone) => {
            let into = tombstone.merged_into.as_ref();
            let into = into.map(|other| Other { id: other.id.0, uuid: other.uuid.map(|uuid| uuid.to_string()) });
            (tombstone.at, Shown::Gone(Gone::from(tombstone)), into)
        }
    };
    let data = Data { instance_id: instance.as_str(), revision: changed.revision().number(), contact, merged_into };
    serde_json::to_vec(&Body { r#type: kind.word(), timestamp: rfc3339(at), data }).unwrap_or_default()
}

impl From<&Tombstone> for Gone {
    fn from(tombstone: &Tombstone) -> Self {
        let (phone, lid) = (tombstone.phone.map(ChatId::Phone), tombstone.lid.map(ChatId::Lid));
        Self {
            id: tombstone.id.0,
            uuid: tombstone.uuid.to_string(),
            chat_id: phone.or(lid).map(|id| id.to_string()),
            phone: tombstone.phone.map(|digits| digits.to_string()),
            lid: lid.map(|id| id.to_string()),
        }
    }
}
