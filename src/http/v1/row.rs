//! What is told of each row of many: what it changed and where that left the contact, or what is wrong with it.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    domain::{Change, ChatId, Error, Outcome, Revision},
    http::room::Fault,
};

#[derive(Debug, Serialize, ToSchema)]
pub struct BatchRow {
    index: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    change: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    chat_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<BatchError>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct BatchError {
    code: &'static str,
    detail: String,
}

impl BatchRow {
    pub fn done(index: usize, outcome: &Outcome) -> Self {
        let Outcome { change, contact, revision, .. } = outcome;
        let chat_id = (*change != Change::Deleted).then(|| contact.chat_id().to_string());
        Self { index, change: Some(change.word()), revision: Some(revision.number()), chat_id, error: None }
    }

    /// Of somebody whom the book does not hold there is no revision.
    pub fn observed(index: usize, change: Change, who: ChatId, revision: Option<Revision>) -> Self {
        let revision = revision.map(Revision::number).filter(|number| *number > 0);
        Self { index, change: Some(change.word()), revision, chat_id: Some(who.to_string()), error: None }
    }

    pub fn failed(index: usize, error: Error) -> Self {
        let error = BatchError { code: error.word(), detail: Fault::from(error).sentence() };
        Self { index, change: None, revision: None, chat_id: None, error: Some(error) }
    }

    /// Nothing was wrong with it, but with another of an atomic batch.
    pub fn undone(index: usize) -> Self {
        let error = BatchError { code: "not_stored", detail: "Another edit of this atomic batch failed.".to_owned() };
        Self { index, change: None, revision: None, chat_id: None, error: Some(error) }
    }

    pub fn is_done(&self) -> bool {
        self.error.is_none()
    }
}
