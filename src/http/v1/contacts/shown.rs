//! Pages and outcomes as the native API shows them. A contact itself is shown as it leaves the house by any way (`sync`).

use serde::Serialize;
use utoipa::ToSchema;

use super::list;
pub use crate::sync::{JsonContact, JsonNames};
use crate::{book::Page, domain::Outcome};

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ContactPage)]
pub struct JsonPage {
    contacts: Vec<JsonContact>,
    /// The `cursor` of the next page; null at the end.
    next: Option<String>,
    /// How many match, on all pages.
    total: u64,
}

impl JsonPage {
    pub fn new(page: &Page, sort: &str) -> Self {
        Self {
            contacts: page.contacts.iter().map(JsonContact::from).collect(),
            next: page.next.as_ref().map(|cursor| list::cursor_text(cursor, sort)),
            total: page.total,
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Outcome)]
pub struct JsonOutcome {
    /// `created`, `updated`, `unchanged`, `deleted` or `merged`.
    pub change: &'static str,
    /// The contact's revision after this.
    pub revision: u64,
    pub contact: JsonContact,
}

impl From<&Outcome> for JsonOutcome {
    fn from(outcome: &Outcome) -> Self {
        Self {
            change: outcome.change.word(),
            revision: outcome.revision.number(),
            contact: JsonContact::from(&*outcome.contact),
        }
    }
}
