//! Who is in a group. All who enter must exist, and enter together or not at all; who leaves need not have been there.

use actix_web::web::Data;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Answer, TAG, contact, enter,
    envelope::{Envelope, done},
    problem::{Errors, Groups},
    registers::{self, find},
    rules::{Fields, Form},
    wrongs::{Wrong, Wrongs},
};
use crate::{
    domain::{Change, Error, Patch, Result},
    gateway::Scope,
    http::{Door, room::Heard},
    session::Settled,
};

/// Put contacts into a group. `contacts_added` counts those who were not in it.
#[utoipa::path(post, path = "/groups/{id}/contacts", operation_id = "wacr_add_group_contacts", tag = TAG, params(("id" = i64, Path)), request_body = Members,
    responses((status = 200, description = "added", body = Envelope<Added>), Errors))]
pub async fn add(heard: Heard, door: Data<Door>) -> Answer<Groups> {
    let session = enter(&door, &heard, Scope::GroupsWrite)?;
    let group_id = find::<Groups>(&session, registers::id(&heard)).await?.id;
    let ids = some_ids(&heard.json()?, true)?;
    let join = |id: &i64| contact::membership(*id, Patch { join: vec![group_id], ..Patch::default() });
    let settled = session.edit_many(ids.iter().map(join).collect(), true).await?;
    let contacts_added = match changed(&settled) {
        Err(Error::NoContact) => return Err(Wrongs::one("contact_ids", Wrong::Unknown).into()),
        // The group has gone since it was looked up.
        Err(Error::Unknown { .. }) => return Err(Error::NoEntry.into()),
        changed => changed?,
    };
    Ok(done(Added { group_id, contacts_added }, "Contacts added to group successfully"))
}

/// Take contacts out of a group. Ids that are not there or not in it mean nothing.
#[utoipa::path(delete, path = "/groups/{id}/contacts", operation_id = "wacr_remove_group_contacts", tag = TAG, params(("id" = i64, Path)), request_body = Members,
    responses((status = 200, description = "removed", body = Envelope<Removed>), Errors))]
pub async fn remove(heard: Heard, door: Data<Door>) -> Answer<Groups> {
    let session = enter(&door, &heard, Scope::GroupsWrite)?;
    let group_id = find::<Groups>(&session, registers::id(&heard)).await?.id;
    let ids = some_ids(&heard.json()?, false)?;
    let leave = |id: &i64| contact::membership(*id, Patch { leave: vec![group_id], ..Patch::default() });
    let mut settled = session.edit_many(ids.iter().map(leave).collect(), false).await?;
    settled.outcomes.retain(|outcome| !matches!(outcome, Err(Error::NoContact)));
    Ok(done(Removed { group_id, contacts_removed: changed(&settled)? }, "Contacts removed from group successfully"))
}

fn some_ids(body: &Fields, each_once: bool) -> Result<Vec<i64>, Wrongs> {
    let mut form = Form::new(body, true);
    let sent = form.some_ids("contact_ids");
    let mut ids = sent.clone();
    ids.sort_unstable();
    ids.dedup();
    let ids = form.finish(ids)?;
    if each_once && ids.len() < sent.len() {
        return Err(Wrongs::one("contact_ids", Wrong::Repeated));
    }
    Ok(ids)
}

/// How many contacts an edit has changed; the first error, if there was one.
fn changed(settled: &Settled) -> Result<usize> {
    let outcomes = settled.outcomes.iter().map(|outcome| outcome.as_ref().map_err(Clone::clone));
    outcomes.map(|outcome| outcome.map(|outcome| usize::from(outcome.change == Change::Updated))).sum()
}

#[derive(Debug, ToSchema)]
#[schema(as = WacrMembers)]
#[expect(dead_code, reason = "describes what `some_ids` reads")]
struct Members {
    /// Each once.
    #[schema(min_items = 1)]
    contact_ids: Vec<i64>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WacrMembersAdded)]
struct Added {
    group_id: i64,
    contacts_added: usize,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WacrMembersRemoved)]
struct Removed {
    group_id: i64,
    contacts_removed: usize,
}
