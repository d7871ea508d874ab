//! The routes of sources; what they do stands in `registers`. A source in use cannot be deleted.

use actix_web::web::Data;

use super::{
    Answer, TAG,
    entry::EntryJson,
    envelope::{Envelope, Nothing},
    problem::{Errors, Sources},
    registers::{self, EntryFields, ListParams},
};
use crate::http::{Door, room::Heard};

/// The sources, by page; also `filter[created_at]` with the operators of contacts.
#[utoipa::path(get, path = "/sources", operation_id = "wacr_list_sources", tag = TAG, params(ListParams),
    responses((status = 200, description = "the sources", body = Envelope<Vec<EntryJson>>), Errors))]
pub async fn list(heard: Heard, door: Data<Door>) -> Answer<Sources> {
    registers::list(&heard, &door).await
}

/// A new source.
#[utoipa::path(post, path = "/sources", operation_id = "wacr_create_source", tag = TAG, request_body = EntryFields,
    responses((status = 201, description = "created", body = Envelope<EntryJson>), Errors))]
pub async fn create(heard: Heard, door: Data<Door>) -> Answer<Sources> {
    registers::create(&heard, &door).await
}

/// One source.
#[utoipa::path(get, path = "/sources/{id}", operation_id = "wacr_get_source", tag = TAG, params(("id" = i64, Path)),
    responses((status = 200, description = "the source", body = Envelope<EntryJson>), Errors))]
pub async fn fetch(heard: Heard, door: Data<Door>) -> Answer<Sources> {
    registers::fetch(&heard, &door).await
}

/// Change a source.
#[utoipa::path(patch, path = "/sources/{id}", operation_id = "wacr_update_source", tag = TAG, params(("id" = i64, Path)), request_body = EntryFields,
    responses((status = 200, description = "updated", body = Envelope<EntryJson>), Errors))]
pub async fn update(heard: Heard, door: Data<Door>) -> Answer<Sources> {
    registers::update(&heard, &door).await
}

/// Delete a source.
#[utoipa::path(delete, path = "/sources/{id}", operation_id = "wacr_delete_source", tag = TAG, params(("id" = i64, Path)),
    responses((status = 200, description = "deleted", body = Envelope<Nothing>), Errors))]
pub async fn delete(heard: Heard, door: Data<Door>) -> Answer<Sources> {
    registers::delete(&heard, &door).await
}
