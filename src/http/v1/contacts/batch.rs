//! Many edits in one request: how each is spelled, and what is told of each.

use serde::Serialize;
use utoipa::ToSchema;

use super::written::{Missing, WritableContact, patch};
use crate::{
    domain::{Act, Edit, Error, Field, Invalid, Require, Result, Source},
    http::{
        fields::Fields,
        params::chat_id,
        schemas::{ChatIdText, described, or_any_object},
        time::now,
        v1::row::BatchRow,
    },
    session::Session,
};

/// Edits in one batch.
const BATCH_MOST: usize = 1000;

/// Many edits.
#[derive(Debug, Default, serde::Deserialize, ToSchema)]
pub struct BatchWish {
    /// At most 1000. Each has a `chat_id`, the fields to write, and `op`: `upsert` (default) or `delete`.
    #[serde(default)]
    #[schema(value_type = Vec<BatchEntry>, min_items = 1, max_items = 1000, required)]
    edits: Vec<Fields>,
    /// All or none.
    #[serde(default)]
    atomic: bool,
}

/// One edit of a batch.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "describes an entry of `edits`")]
pub struct BatchEdit {
    #[schema(value_type = ChatIdText)]
    chat_id: String,
    /// `upsert` or `delete`.
    #[schema(pattern = "^(upsert|delete)$")]
    op: Option<String>,
    #[serde(flatten)]
    fields: WritableContact,
}

described!(BatchEntry = "BatchEntry", BatchEdit, or_any_object);

/// A batch as it was understood: edits that make sense, and for each row either its edit or what is wrong with it.
pub struct Batch {
    rows: Vec<Result<Edit, Invalid>>,
    atomic: bool,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct BatchAnswer {
    /// False when an atomic batch was not carried out.
    stored: bool,
    results: Vec<BatchRow>,
}

pub fn read(wish: &BatchWish, source: &Source) -> Result<Batch, Invalid> {
    if wish.edits.is_empty() || wish.edits.len() > BATCH_MOST {
        return Err(Invalid::new("edits", "must be an array of 1 to 1000 objects"));
    }
    let rows = wish.edits.iter().map(|fields| row(fields, source)).collect();
    Ok(Batch { rows, atomic: wish.atomic })
}

fn row(fields: &Fields, source: &Source) -> Result<Edit, Invalid> {
    let Field::Set(text) = fields.text("chat_id")? else { return Err(Invalid::new("chat_id", "is required")) };
    let who = chat_id(text, "chat_id")?;
    let act = match fields.text("op")? {
        Field::Keep | Field::Set("upsert") => Act::Save(Box::new(patch(fields, Missing::Keeps)?)),
        Field::Set("delete") => Act::Delete,
        _ => return Err(Invalid::new("op", "must be upsert or delete")),
    };
    Ok(Edit::new(who, act, now(), source.clone()).requiring(Require { references: true, ..Require::default() }))
}

impl Batch {
    pub fn deletes(&self) -> bool {
        self.rows.iter().flatten().any(|edit| edit.act == Act::Delete)
    }

    /// Carries the good rows out in one commit. In an atomic batch a bad row is enough to leave all undone.
    pub async fn settle(self, session: &Session) -> Result<BatchAnswer> {
        let is_hopeless = self.atomic && self.rows.iter().any(Result::is_err);
        let edits: Vec<_> = self.rows.iter().flatten().filter(|_| !is_hopeless).cloned().collect();
        let (mut outcomes, stored) = if edits.is_empty() {
            (Vec::new().into_iter(), false)
        } else {
            let settled = session.edit_many(edits, self.atomic).await?;
            (settled.outcomes.into_iter(), settled.stored)
        };
        let results = self.rows.into_iter().enumerate().map(|(index, row)| match row {
            Err(invalid) => BatchRow::failed(index, Error::Invalid(invalid)),
            Ok(_) => match outcomes.next() {
                Some(Ok(outcome)) if stored => BatchRow::done(index, &outcome),
                Some(Err(error)) => BatchRow::failed(index, error),
                _ => BatchRow::undone(index),
            },
        });
        Ok(BatchAnswer { stored, results: results.collect() })
    }
}
