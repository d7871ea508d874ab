//! A group, source or status in WA.cr's JSON, alone or within a contact.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    domain::{Contact, Entry, Register, Result},
    http::{params::Params, time::rfc3339_seconds},
    session::Session,
};

#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = WacrEntry)]
pub struct EntryJson {
    id: i64,
    name: String,
    /// Statuses only: `#RRGGBB`, or null.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    color: Option<Option<String>>,
    created_at: String,
    updated_at: String,
}

impl EntryJson {
    pub fn new(register: Register, entry: &Entry) -> Self {
        Self {
            id: entry.id,
            name: entry.name.as_str().to_owned(),
            color: (register == Register::Statuses).then(|| entry.color.as_deref().map(str::to_owned)),
            created_at: rfc3339_seconds(entry.created_at),
            updated_at: rfc3339_seconds(entry.updated_at),
        }
    }
}

/// What is shown within contacts: all entries of the registers that were asked for, read once for all contacts.
#[derive(Default)]
pub struct Included {
    groups: Option<Vec<EntryJson>>,
    sources: Option<Vec<EntryJson>>,
    statuses: Option<Vec<EntryJson>>,
}

impl Included {
    pub async fn groups_of(session: &Session, contact: &Contact) -> Result<Self> {
        // Most are in no group, and then nobody has to be asked what it is called.
        let groups = match &contact.card.groups {
            Some(_) => read(session, Register::Groups).await?,
            None => Vec::default(),
        };
        Ok(Self { groups: Some(groups), ..Self::default() })
    }

    /// As `include` says: a comma list of `groups`, `source` and `status`. Other words mean nothing.
    pub async fn asked_for(session: &Session, params: &Params<'_>) -> Result<Self> {
        let mut included = Self::default();
        for word in params.text("include").unwrap_or_default().split(',').map(str::trim) {
            let (place, register) = match word {
                "groups" => (&mut included.groups, Register::Groups),
                "source" => (&mut included.sources, Register::Sources),
                "status" => (&mut included.statuses, Register::Statuses),
                _ => continue,
            };
            if place.is_none() {
                *place = Some(read(session, register).await?);
            }
        }
        Ok(included)
    }

    pub fn groups(&self, ids: &[i64]) -> Option<Vec<EntryJson>> {
        let known = self.groups.as_ref()?;
        Some(ids.iter().filter_map(|id| find(known, *id)).collect())
    }

    pub fn source(&self, id: Option<i64>) -> Option<Option<EntryJson>> {
        self.sources.as_ref().map(|known| id.and_then(|id| find(known, id)))
    }

    pub fn status(&self, id: Option<i64>) -> Option<Option<EntryJson>> {
        self.statuses.as_ref().map(|known| id.and_then(|id| find(known, id)))
    }
}

async fn read(session: &Session, register: Register) -> Result<Vec<EntryJson>> {
    let entries = session.entries(register).await?;
    Ok(entries.iter().map(|entry| EntryJson::new(register, entry)).collect())
}

/// Entries are in the order of their numbers.
fn find(entries: &[EntryJson], id: i64) -> Option<EntryJson> {
    entries.binary_search_by_key(&id, |entry| entry.id).ok().map(|place| entries[place].clone())
}
