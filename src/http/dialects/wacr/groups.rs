//! The routes of groups; what they do stands in `registers`, who is in a group in `members`.

use actix_web::web::Data;

use super::{
    Answer, TAG,
    entry::EntryJson,
    envelope::{Envelope, Nothing},
    problem::{Errors, Groups},
    registers::{self, EntryFields, ListParams},
};
use crate::http::{Door, room::Heard};

/// The groups, by page; also `filter[created_at]` with the operators of contacts.
#[utoipa::path(get, path = "/groups", operation_id = "wacr_list_groups", tag = TAG, params(ListParams),
    responses((status = 200, description = "the groups", body = Envelope<Vec<EntryJson>>), Errors))]
pub async fn list(heard: Heard, door: Data<Door>) -> Answer<Groups> {
    registers::list(&heard, &door).await
}

/// A new group.
#[utoipa::path(post, path = "/groups", operation_id = "wacr_create_group", tag = TAG, request_body = EntryFields,
    responses((status = 201, description = "created", body = Envelope<EntryJson>), Errors))]
pub async fn create(heard: Heard, door: Data<Door>) -> Answer<Groups> {
    registers::create(&heard, &door).await
}

/// One group.
#[utoipa::path(get, path = "/groups/{id}", operation_id = "wacr_get_group", tag = TAG, params(("id" = i64, Path)),
    responses((status = 200, description = "the group", body = Envelope<EntryJson>), Errors))]
pub async fn fetch(heard: Heard, door: Data<Door>) -> Answer<Groups> {
    registers::fetch(&heard, &door).await
}

/// Change a group.
#[utoipa::path(patch, path = "/groups/{id}", operation_id = "wacr_update_group", tag = TAG, params(("id" = i64, Path)), request_body = EntryFields,
    responses((status = 200, description = "updated", body = Envelope<EntryJson>), Errors))]
pub async fn update(heard: Heard, door: Data<Door>) -> Answer<Groups> {
    registers::update(&heard, &door).await
}

/// Delete a group.
#[utoipa::path(delete, path = "/groups/{id}", operation_id = "wacr_delete_group", tag = TAG, params(("id" = i64, Path)),
    responses((status = 200, description = "deleted", body = Envelope<Nothing>), Errors))]
pub async fn delete(heard: Heard, door: Data<Door>) -> Answer<Groups> {
    registers::delete(&heard, &door).await
}
