//! Problem details (RFC 9457): the tongue of `/v1` and of everything that belongs to no vendor.

use actix_web::HttpResponse;
use serde_json::{Value, json};

use super::room::{Fault, Tongue};
use crate::domain::{Error, Revision};

/// For the API description: what any route may answer instead.
#[derive(utoipa::IntoResponses)]
#[expect(dead_code, reason = "describes what `tell` answers")]
pub enum Errors {
    /// Something about the request is wrong; `detail` says what, `field` where.
    #[response(status = 400, content_type = "application/problem+json")]
    BadRequest(#[to_schema] Shape),
    /// The token is missing or not valid here.
    #[response(status = 401, content_type = "application/problem+json")]
    Unauthorized(#[to_schema] Shape),
    /// The token may not do this.
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(#[to_schema] Shape),
    /// There is no such thing.
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(#[to_schema] Shape),
    /// Something of that name exists already.
    #[response(status = 409, content_type = "application/problem+json")]
    Conflict(#[to_schema] Shape),
    /// A condition of the request does not hold.
    #[response(status = 412, content_type = "application/problem+json")]
    Stale(#[to_schema] Shape),
    /// The body is too large.
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(#[to_schema] Shape),
    /// The body is not JSON by its media type.
    #[response(status = 415, content_type = "application/problem+json")]
    MediaType(#[to_schema] Shape),
    /// It refers to something that does not exist, or the idempotency key was used for another request.
    #[response(status = 422, content_type = "application/problem+json")]
    Unprocessable(#[to_schema] Shape),
    /// Too many requests; see Retry-After.
    #[response(status = 429, content_type = "application/problem+json")]
    Limited(#[to_schema] Shape),
    /// Busy, or the outcome of a write is unknown; see Retry-After.
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(#[to_schema] Shape),
    /// The disk is full.
    #[response(status = 507, content_type = "application/problem+json")]
    Full(#[to_schema] Shape),
}

/// Problem details (RFC 9457).
#[derive(utoipa::ToSchema)]
#[schema(as = Problem)]
#[expect(dead_code, reason = "describes what `tell` answers")]
pub struct Shape {
    #[schema(rename = "type", example = "about:blank")]
    kind: String,
    title: String,
    status: u16,
    /// One word for programs.
    code: String,
    /// One sentence for people.
    detail: String,
}

pub enum Details {}

impl Tongue for Details {
    fn tell(fault: &Fault) -> HttpResponse {
        Self::tell_with(fault, None)
    }
}

impl Details {
    /// With one more thing that a program may want to know.
    pub fn tell_with(fault: &Fault, more: Option<(&str, Value)>) -> HttpResponse {
        let status = fault.status();
        let mut problem = json!({
            "type": "about:blank",
            "title": status.canonical_reason(),
            "status": status.as_u16(),
            "code": code(fault),
            "detail": fault.sentence(),
        });
        for (key, value) in extension(fault).into_iter().chain(more) {
            problem[key] = value;
        }
        fault.respond(status).content_type("application/problem+json").body(problem.to_string())
    }
}

/// The word of the log, but for one that sync clients know from elsewhere (Google's People API) and look for.
fn code(fault: &Fault) -> &'static str {
    match fault {
        Fault::Meaning(Error::Expired) => "EXPIRED_SYNC_TOKEN",
        _ => fault.word(),
    }
}

/// What a program may want to know beyond the code.
fn extension(fault: &Fault) -> Option<(&'static str, Value)> {
    match fault {
        Fault::Meaning(Error::Invalid(invalid)) => Some(("field", invalid.field.into())),
        Fault::Meaning(Error::Duplicate { field }) => Some(("field", (*field).into())),
        Fault::Meaning(Error::Stale { now }) => Some(("revision", now.map(Revision::number).into())),
        Fault::Meaning(Error::TooLarge { limit }) => Some(("limit", (*limit).into())),
        _ => None,
    }
}
