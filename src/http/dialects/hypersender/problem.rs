//! How Hypersender says what went wrong: a `message`, and for a wrong field also `errors` by field, as Laravel, on which
//! the vendor builds, words them. The vendor's pages show only "Contact not found.".

use std::collections::BTreeMap;

use actix_web::{HttpResponse, http::StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    domain::{Error, Invalid},
    http::room::{Fault, Tongue},
};

/// For the API description: what any route may answer instead.
#[derive(utoipa::IntoResponses)]
#[expect(dead_code, reason = "describes what `tell` answers")]
pub enum Errors {
    /// The body is not JSON.
    #[response(status = 400)]
    BadRequest(#[to_schema] Refusal),
    /// The token is missing or not valid for this instance.
    #[response(status = 401)]
    Unauthorized(#[to_schema] Refusal),
    /// The token may not do this.
    #[response(status = 403)]
    Forbidden(#[to_schema] Refusal),
    /// There is no such contact.
    #[response(status = 404)]
    NotFound(#[to_schema] Refusal),
    /// The body is too large.
    #[response(status = 413)]
    TooLarge(#[to_schema] Refusal),
    /// The body is not JSON by its media type.
    #[response(status = 415)]
    MediaType(#[to_schema] Refusal),
    /// A field is missing or wrong.
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
#[schema(as = HypersenderRefusal)]
pub struct Refusal {
    #[schema(example = "The chat id field is required.")]
    message: String,
    /// Sentences by field, when a field is wrong.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(required = false)]
    errors: BTreeMap<&'static str, Vec<String>>,
}

pub enum Hypersender {}

impl Tongue for Hypersender {
    fn tell(fault: &Fault) -> HttpResponse {
        let (status, message) = match fault {
            Fault::Meaning(Error::Invalid(invalid)) => (StatusCode::UNPROCESSABLE_ENTITY, sentence(invalid)),
            Fault::Meaning(Error::Refused) => (fault.status(), "Unauthenticated.".to_owned()),
            Fault::Meaning(Error::NoContact) => (fault.status(), "Contact not found.".to_owned()),
            Fault::Meaning(Error::Limited { .. }) => (fault.status(), "Too Many Attempts.".to_owned()),
            _ => (fault.status(), fault.sentence()),
        };
        let errors = match fault {
            Fault::Meaning(Error::Invalid(invalid)) => BTreeMap::from([(invalid.field, vec![message.clone()])]),
            _ => BTreeMap::new(),
        };
        fault.respond(status).json(Refusal { message, errors })
    }
}

/// "The chat id field is required."
fn sentence(Invalid { field, why }: &Invalid) -> String {
    format!("The {} field {why}.", field.replace('_', " "))
}
