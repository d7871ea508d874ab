//! A change as the native API shows it, the same in the feed and in an event.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    book::{Changed, Survivor, Tombstone},
    http::{time::rfc3339, v1::contacts::JsonContact},
    sync::feed::Page,
};

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Changes)]
pub struct JsonChanges {
    /// In the order in which they came about.
    changes: Vec<JsonChange>,
    /// The `since` of the next page.
    #[schema(example = "0192aabbccddeeff0192aabbccddeeff:42")]
    next: String,
    /// Whether there is more already.
    has_more: bool,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Change)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum JsonChange {
    /// It is new, or not as it was.
    #[schema(title = "ChangeUpserted")]
    Upserted { revision: u64, contact: Box<JsonContact> },
    /// It is no more.
    #[schema(title = "ChangeDeleted")]
    Deleted(JsonTombstone),
    /// It became one with another, which is told of by itself.
    #[schema(title = "ChangeMerged")]
    Merged {
        #[serde(flatten)]
        tombstone: JsonTombstone,
        merged_into: JsonSurvivor,
    },
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Tombstone)]
pub struct JsonTombstone {
    revision: u64,
    id: i64,
    uuid: String,
    /// By which it was shown.
    #[schema(example = "15551234567@c.us")]
    chat_id: Option<String>,
    phone: Option<String>,
    lid: Option<String>,
    deleted_at: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Survivor)]
pub struct JsonSurvivor {
    id: i64,
    /// Null when it has been deleted since.
    uuid: Option<String>,
}

impl JsonChange {
    /// What happened, in one word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Upserted { .. } => "upserted",
            Self::Deleted(_) => "deleted",
            Self::Merged { .. } => "merged",
        }
    }
}

impl From<&Page> for JsonChanges {
    fn from(page: &Page) -> Self {
        let changes = page.changes.iter().map(JsonChange::from).collect();
        Self { changes, next: page.next.to_string(), has_more: page.has_more }
    }
}

impl From<&Changed> for JsonChange {
    fn from(change: &Changed) -> Self {
        match change {
            Changed::Contact(contact) => {
                Self::Upserted { revision: contact.revision.number(), contact: Box::new(JsonContact::from(&**contact)) }
            }
            Changed::Gone(gone) => match gone.merged_into {
                None => Self::Deleted(gone.into()),
                Some(Survivor { id, uuid }) => Self::Merged {
                    tombstone: gone.into(),
                    merged_into: JsonSurvivor { id: id.0, uuid: uuid.map(|uuid| uuid.to_string()) },
                },
            },
        }
    }
}

impl From<&Tombstone> for JsonTombstone {
    fn from(gone: &Tombstone) -> Self {
        let phone = gone.phone.map(|digits| digits.to_string());
        let lid = gone.lid.map(|digits| format!("{digits}@lid"));
        Self {
            revision: gone.revision.number(),
            id: gone.id.0,
            uuid: gone.uuid.to_string(),
            chat_id: phone.as_ref().map(|phone| format!("{phone}@c.us")).or_else(|| lid.clone()),
            phone,
            lid,
            deleted_at: rfc3339(gone.at),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::{ChatId, ContactId, Moment, Revision};

    #[test]
    fn a_tombstone_says_who_it_was_and_into_whom_it_went() {
        let mut gone = Tombstone {
            revision: Revision::new(9),
            id: ContactId(3),
            uuid: uuid::Uuid::nil(),
            phone: None,
            lid: Some(*ChatId::lid("999888777").unwrap().digits()),
            merged_into: None,
            at: Moment::from_millis(1_767_323_045_000),
        };
        let plain = json!({
            "change": "deleted", "revision": 9, "id": 3, "uuid": "00000000-0000-0000-0000-000000000000",
            "chat_id": "999888777@lid", "phone": null, "lid": "999888777@lid",
            "deleted_at": "2026-01-02T03:04:05.000Z",
        });
        let shown = |gone: &Tombstone| JsonChange::from(&Changed::Gone(gone.clone()));
        assert_eq!(serde_json::to_value(shown(&gone)).unwrap(), plain);
        gone.merged_into = Some(Survivor { id: ContactId(2), uuid: None });
        let mut merged = plain;
        merged["change"] = "merged".into();
        merged["merged_into"] = json!({"id": 2, "uuid": null});
        assert_eq!(serde_json::to_value(shown(&gone)).unwrap(), merged);
        assert_eq!(shown(&gone).word(), "merged");
    }
}
