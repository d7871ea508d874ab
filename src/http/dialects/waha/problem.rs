//! How WAHA says what went wrong: the shape of Nest, on which it is built. Two answers have its own words: 401, which has
//! no `error`, and 422 for a LID that is none.

use actix_web::{
    HttpResponse,
    http::{StatusCode, header},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::wire::LID;
use crate::{
    domain::Error,
    http::room::{Fault, Tongue},
};

/// For the API description: what any route may answer instead.
#[derive(utoipa::IntoResponses)]
#[expect(dead_code, reason = "describes what `tell` answers")]
pub enum Errors {
    /// Something about the request is wrong; `message` says what.
    #[response(status = 400)]
    BadRequest(#[to_schema] Refusal),
    /// The key is missing or not valid for this session.
    #[response(status = 401)]
    Unauthorized(#[to_schema] Refusal),
    /// The key may not do this.
    #[response(status = 403)]
    Forbidden(#[to_schema] Refusal),
    /// The body is too large.
    #[response(status = 413)]
    TooLarge(#[to_schema] Refusal),
    /// The body is not JSON by its media type.
    #[response(status = 415)]
    MediaType(#[to_schema] Refusal),
    /// What should be a LID is none.
    #[response(status = 422)]
    Unprocessable(#[to_schema] Refusal),
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
#[schema(as = WahaRefusal)]
pub struct Refusal {
    #[schema(example = 400)]
    status_code: u16,
    message: String,
    /// Absent on 401.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "Bad Request")]
    error: Option<&'static str>,
}

pub enum Waha {}

impl Tongue for Waha {
    fn tell(fault: &Fault) -> HttpResponse {
        let (status, message) = match fault {
            Fault::Meaning(Error::Refused) => (fault.status(), "Unauthorized".to_owned()),
            Fault::Meaning(Error::Invalid(invalid)) if invalid.field == LID => {
                (StatusCode::UNPROCESSABLE_ENTITY, "Invalid LID - it must end with @lid".to_owned())
            }
            _ => (fault.status(), fault.sentence()),
        };
        let is_refused = status == StatusCode::UNAUTHORIZED;
        let error = status.canonical_reason().filter(|_| !is_refused);
        let mut response = fault.respond(status);
        if is_refused {
            // Here a key is asked for in another way than elsewhere.
            response.insert_header((header::WWW_AUTHENTICATE, "X-Api-Key"));
        }
        response.json(Refusal { status_code: status.as_u16(), message, error })
    }
}
