//! Many contacts at once. Creating goes on past items that fail, unless it is told not to: then all are created or none.
//! Items are told off in the framework's words, not the vendor's, as upstream does; a number that is taken is an item's
//! error, or skips the item, and so are an e-mail that is taken and a source or status that is not there. After a
//! rollback `created` is empty: what it would have held is not in the book.

use std::collections::BTreeMap;

use actix_web::web::Data;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::{
    ToSchema,
    openapi::{ObjectBuilder, Schema, schema::SchemaType},
};

use super::{
    Answer, TAG,
    contact::{self, ContactJson, NewContactFields},
    enter,
    entry::Included,
    envelope::{Envelope, done},
    problem::{CreatingMany, DeletingMany, Errors, Problem},
    rules::{Fields, Form, flag},
    wrongs::{Manner, Wrong, Wrongs},
};
use crate::{
    domain::{Change, Edit, Error, Field, Outcome, Precondition, Result},
    gateway::Scope,
    http::{
        Door,
        room::Heard,
        schemas::{described, or_anything},
    },
};

/// Deletions that wait for one commit; others get their turn in between.
const AT_ONCE: usize = 1000;

/// Create many contacts.
#[utoipa::path(post, path = "/contacts/batch", operation_id = "wacr_create_contacts", tag = TAG, request_body = BatchFields,
    responses((status = 200, description = "done; see the summary", body = Envelope<Report>), Errors))]
pub async fn create_many(heard: Heard, door: Data<Door>) -> Answer<CreatingMany> {
    let session = enter(&door, &heard, Scope::ContactsWrite)?;
    let body = heard.json()?;
    let Batch { items, whole, on_duplicate } = Batch::read(&body)?;
    let (edits, mut failed) = read_items(items, on_duplicate);
    let mut outcomes = Vec::new();
    if !whole || failed.is_empty() {
        let (places, edits): (Vec<_>, Vec<_>) = edits.into_iter().unzip();
        let settled = session.edit_many(edits, whole).await?;
        outcomes = places.into_iter().zip(settled.outcomes).collect();
        for (place, outcome) in &outcomes {
            if let Err(error) = outcome {
                failed.insert(*place, Wrongs::of_item(error).ok_or_else(|| error.clone())?);
            }
        }
    }
    let is_undone = whole && !failed.is_empty();
    let report = Report::new(items, &outcomes, &failed, is_undone);
    if is_undone { Err(Problem::rolled_back(json!(report))) } else { Ok(done(report, "Batch operation completed")) }
}

/// Delete many contacts. Ids that are not there only count as failed.
#[utoipa::path(delete, path = "/contacts/batch", operation_id = "wacr_delete_contacts", tag = TAG, request_body = Ids,
    responses((status = 200, description = "done; see the summary", body = Envelope<Deleted>), Errors))]
pub async fn delete_many(heard: Heard, door: Data<Door>) -> Answer<DeletingMany> {
    let session = enter(&door, &heard, Scope::ContactsDelete)?;
    let ids = ids(&heard.json()?)?;
    let mut summary = DeletedSummary { total: ids.len(), ..DeletedSummary::default() };
    for ids in ids.chunks(AT_ONCE) {
        let settled = session.edit_many(ids.iter().map(|id| contact::deletion(*id)).collect(), false).await?;
        for outcome in settled.outcomes {
            match outcome {
                Ok(_) => summary.deleted += 1,
                Err(Error::NoContact) => summary.failed += 1,
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(done(Deleted { success: true, summary }, "Contacts deleted successfully"))
}

struct Batch<'b> {
    items: &'b [Value],
    whole: bool,
    on_duplicate: Precondition,
}

impl<'b> Batch<'b> {
    fn read(body: &'b Fields) -> Result<Self, Wrongs> {
        let items = match body.get("contacts") {
            Some(Value::Array(items)) if !items.is_empty() => items,
            None | Some(Value::Null | Value::Array(_)) => return Err(Wrongs::one("contacts", Wrong::Required)),
            Some(_) => return Err(Wrongs::one("contacts", Wrong::NotList)),
        };
        let options = match body.get("options") {
            None | Some(Value::Null) => Fields::default(),
            Some(options) => Fields::of(options).ok_or_else(|| Wrongs::one("options", Wrong::NotObject))?,
        };
        let mut form = Form::new(&options, false);
        let given = |field: Field<bool>, usual| if let Field::Set(flag) = field { flag } else { usual };
        let goes_on = given(form.nullable("continue_on_error", flag), true);
        let skips = given(form.nullable("skip_duplicates", flag), false);
        let on_duplicate = if skips { Precondition::AbsentOrLeft } else { Precondition::Absent };
        form.finish(Self { items, whole: !goes_on, on_duplicate })
    }
}

/// The items that can be asked for, each with its place, and those that are wrong in themselves.
fn read_items(items: &[Value], on_duplicate: Precondition) -> (Vec<(usize, Edit)>, BTreeMap<usize, Wrongs>) {
    let (mut edits, mut failed) = (Vec::with_capacity(items.len()), BTreeMap::new());
    for (place, item) in items.iter().enumerate() {
        // Documented for one contact, not for items: groups are dropped like any field that is not known.
        let fields = Fields::of(item).map(|fields| fields.without("groups"));
        let read = fields.ok_or_else(|| Wrongs::one("contact", Wrong::NotObject));
        match read.and_then(|fields| contact::creation(&fields, on_duplicate)) {
            Ok(edit) => edits.push((place, edit)),
            Err(wrongs) => {
                failed.insert(place, wrongs);
            }
        }
    }
    (edits, failed)
}

fn ids(body: &Fields) -> Result<Vec<i64>, Wrongs> {
    let mut form = Form::new(body, true);
    let ids = form.any_ids("ids");
    form.finish(ids)
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WacrBatchReport)]
struct Report<'b> {
    success: bool,
    summary: Summary,
    created: Vec<ContactJson<'b>>,
    skipped: Vec<Skipped<'b>>,
    errors: Vec<Failed<'b>>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WacrBatchSummary)]
struct Summary {
    total: usize,
    created: usize,
    skipped: usize,
    failed: usize,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WacrBatchSkipped)]
struct Skipped<'b> {
    index: usize,
    #[schema(example = "Duplicate phone")]
    reason: &'static str,
    #[schema(value_type = Value)]
    data: &'b Value,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WacrBatchError)]
struct Failed<'b> {
    index: usize,
    #[schema(value_type = Value)]
    data: &'b Value,
    errors: BTreeMap<&'b str, Vec<String>>,
}

impl<'b> Report<'b> {
    fn new(
        items: &'b [Value],
        outcomes: &'b [(usize, Result<Outcome>)],
        failed: &'b BTreeMap<usize, Wrongs>,
        is_undone: bool,
    ) -> Self {
        let good = || outcomes.iter().filter_map(|(place, outcome)| Some((*place, outcome.as_ref().ok()?)));
        let (skipped, created): (Vec<_>, Vec<_>) = good().partition(|(_, outcome)| outcome.change == Change::Unchanged);
        let created = created.into_iter().filter(|_| !is_undone);
        let created: Vec<_> =
            created.map(|(_, outcome)| ContactJson::new(&outcome.contact, &Included::default())).collect();
        let skip = |(index, _)| Skipped { index, reason: "Duplicate phone", data: &items[index] };
        let fail = |(index, wrongs): (&usize, &'b Wrongs)| Failed {
            index: *index,
            data: &items[*index],
            errors: wrongs.told(Manner::Item),
        };
        let summary =
            Summary { total: items.len(), created: created.len(), skipped: skipped.len(), failed: failed.len() };
        Self {
            success: !is_undone,
            summary,
            created,
            skipped: skipped.into_iter().map(skip).collect(),
            errors: failed.iter().map(fail).collect(),
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WacrBatchDeleted)]
struct Deleted {
    success: bool,
    summary: DeletedSummary,
}

#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = WacrBatchDeletedSummary)]
struct DeletedSummary {
    total: usize,
    deleted: usize,
    failed: usize,
}

#[derive(Debug, ToSchema)]
#[schema(as = WacrBatch)]
#[expect(dead_code, reason = "describes what `Batch::read` reads")]
struct BatchFields {
    #[schema(value_type = Vec<Item>, min_items = 1)]
    contacts: Vec<NewContactFields>,
    options: Option<BatchOptions>,
}

described!(Item = "WacrBatchItem", NewContactFields, or_anything);

#[derive(Debug, ToSchema)]
#[schema(as = WacrBatchOptions)]
#[expect(dead_code, reason = "describes what `Batch::read` reads")]
struct BatchOptions {
    /// False: all or none.
    #[schema(schema_with = flag_schema)]
    continue_on_error: Option<bool>,
    /// Contacts whose phone is known already are no errors.
    #[schema(schema_with = flag_schema)]
    skip_duplicates: Option<bool>,
}

/// What `flag` reads, and what counts as not given.
fn flag_schema() -> Schema {
    let words = [json!(true), json!(false), json!(1), json!(0), json!("1"), json!("0"), json!(""), Value::Null];
    ObjectBuilder::new().schema_type(SchemaType::AnyValue).enum_values(Some(words)).into()
}

#[derive(Debug, ToSchema)]
#[schema(as = WacrIds)]
#[expect(dead_code, reason = "describes what `ids` reads")]
struct Ids {
    ids: Vec<i64>,
}
