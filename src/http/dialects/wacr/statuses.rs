//! The routes of statuses; what they do stands in `registers`. A status in use cannot be deleted.

use actix_web::web::Data;

use super::{
    Answer, TAG,
    entry::EntryJson,
    envelope::{Envelope, Nothing},
    problem::{Errors, Statuses},
    registers::{self, ListParams, StatusFields},
};
use crate::http::{Door, room::Heard};

/// The statuses, by page; also `filter[created_at]` with the operators of contacts.
#[utoipa::path(get, path = "/statuses", operation_id = "wacr_list_statuses", tag = TAG, params(ListParams),
    responses((status = 200, description = "the statuses", body = Envelope<Vec<EntryJson>>), Errors))]
pub async fn list(heard: Heard, door: Data<Door>) -> Answer<Statuses> {
    registers::list(&heard, &door).await
}

/// A new status.
#[utoipa::path(post, path = "/statuses", operation_id = "wacr_create_status", tag = TAG, request_body = StatusFields,
    responses((status = 201, description = "created", body = Envelope<EntryJson>), Errors))]
pub async fn create(heard: Heard, door: Data<Door>) -> Answer<Statuses> {
    registers::create(&heard, &door).await
}

/// One status.
#[utoipa::path(get, path = "/statuses/{id}", operation_id = "wacr_get_status", tag = TAG, params(("id" = i64, Path)),
    responses((status = 200, description = "the status", body = Envelope<EntryJson>), Errors))]
pub async fn fetch(heard: Heard, door: Data<Door>) -> Answer<Statuses> {
    registers::fetch(&heard, &door).await
}

/// Change a status.
#[utoipa::path(patch, path = "/statuses/{id}", operation_id = "wacr_update_status", tag = TAG, params(("id" = i64, Path)), request_body = StatusFields,
    responses((status = 200, description = "updated", body = Envelope<EntryJson>), Errors))]
pub async fn update(heard: Heard, door: Data<Door>) -> Answer<Statuses> {
    registers::update(&heard, &door).await
}

/// Delete a status.
#[utoipa::path(delete, path = "/statuses/{id}", operation_id = "wacr_delete_status", tag = TAG, params(("id" = i64, Path)),
    responses((status = 200, description = "deleted", body = Envelope<Nothing>), Errors))]
pub async fn delete(heard: Heard, door: Data<Door>) -> Answer<Statuses> {
    registers::delete(&heard, &door).await
}
