//! How Wawp says what went wrong. The vendor documents the statuses but no body; every client known reads `message`,
//! and the shape is that of WAHA, its ancestor.

use actix_web::HttpResponse;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::room::{Fault, Tongue};

/// For the API description: what any route may answer instead.
#[derive(utoipa::IntoResponses)]
#[expect(dead_code, reason = "describes what `tell` answers")]
pub enum Errors {
    /// Something about the request is wrong; `message` says what.
    #[response(status = 400)]
    BadRequest(#[to_schema] Refusal),
    /// The access token is missing or not valid for this instance.
    #[response(status = 401)]
    Unauthorized(#[to_schema] Refusal),
    /// The access token may not do this.
    #[response(status = 403)]
    Forbidden(#[to_schema] Refusal),
    /// The body is too large.
    #[response(status = 413)]
    TooLarge(#[to_schema] Refusal),
    /// The body is not JSON by its media type.
    #[response(status = 415)]
    MediaType(#[to_schema] Refusal),
    /// Too many requests; see Retry-After.
    #[response(status = 429)]
    Limited(#[to_schema] Refusal),
    /// Busy, or the outcome of a write is unknown; see Retry-After.
    #[response(status = 503)]
    Unavailable(#[to_schema] Refusal),
    /// The disk is full.
    #[response(status = 507)]
    Full(#[to_schema] Refusal),
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Refusal {
    #[schema(example = 400)]
    status_code: u16,
    #[schema(example = "Bad Request")]
    error: &'static str,
    message: String,
}

pub enum Wawp {}

impl Tongue for Wawp {
    fn tell(fault: &Fault) -> HttpResponse {
        let status = fault.status();
        fault.respond(status).json(Refusal {
            status_code: status.as_u16(),
            error: status.canonical_reason().unwrap_or_default(),
            message: fault.sentence(),
        })
    }
}
