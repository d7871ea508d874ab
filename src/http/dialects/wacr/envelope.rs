//! The envelope of every good answer, and the `meta` that every answer ends with.

use actix_web::{HttpResponse, http::StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

use super::paging::{Links, Pagination};
use crate::http::{
    json,
    time::{now, rfc3339_seconds},
};

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WacrMeta)]
pub struct Meta {
    #[schema(example = "5d0c2b1e-7f51-4b53-9b2f-0c1f6a1c8a10")]
    request_id: String,
    #[schema(example = "2026-01-02T03:04:05+00:00")]
    timestamp: String,
    /// Seconds; only with 429.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
    /// Only with lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pagination: Option<Pagination>,
}

impl Meta {
    pub fn now() -> Self {
        let mut drawn = [0; 16];
        // Without randomness the id is still an id, only not a unique one.
        let _ = getrandom::fill(&mut drawn);
        Self {
            request_id: uuid::Builder::from_random_bytes(drawn).into_uuid().to_string(),
            timestamp: rfc3339_seconds(now()),
            retry_after: None,
            pagination: None,
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WacrAnswer)]
pub struct Envelope<T> {
    #[schema(example = true)]
    success: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    meta: Meta,
    #[serde(skip_serializing_if = "Option::is_none")]
    links: Option<Links>,
}

impl<T: Serialize> Envelope<T> {
    fn of(data: Option<T>, message: Option<String>) -> Self {
        Self { success: true, data, message, meta: Meta::now(), links: None }
    }

    fn answer(&self, status: StatusCode) -> HttpResponse {
        json(status, self)
    }
}

pub fn shown(data: impl Serialize) -> HttpResponse {
    Envelope::of(Some(data), None).answer(StatusCode::OK)
}

pub fn listed<T: Serialize>(data: Vec<T>, (pagination, links): (Pagination, Links)) -> HttpResponse {
    let mut envelope = Envelope::of(Some(data), None);
    envelope.meta.pagination = Some(pagination);
    envelope.links = Some(links);
    envelope.answer(StatusCode::OK)
}

pub fn created(data: impl Serialize, message: impl Into<String>) -> HttpResponse {
    Envelope::of(Some(data), Some(message.into())).answer(StatusCode::CREATED)
}

pub fn done(data: impl Serialize, message: impl Into<String>) -> HttpResponse {
    Envelope::of(Some(data), Some(message.into())).answer(StatusCode::OK)
}

/// Of what is gone there is no data.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WacrNothing)]
pub enum Nothing {}

pub fn gone(message: impl Into<String>) -> HttpResponse {
    Envelope::<Nothing>::of(None, Some(message.into())).answer(StatusCode::OK)
}
