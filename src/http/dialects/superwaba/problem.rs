//! How SuperWABA says what went wrong. Its contacts page has the text under `error`, its overview under `message`: both
//! are sent. Where the vendor has a text of its own, it is that.

use std::borrow::Cow;

use actix_web::{HttpResponse, http::StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    domain::Error,
    http::room::{Fault, Tongue},
};

/// For the API description: what any route may answer instead.
#[derive(utoipa::IntoResponses)]
#[expect(dead_code, reason = "describes what `tell` answers")]
pub enum Errors {
    /// Something about the request is wrong; `error` says what.
    #[response(status = 400)]
    BadRequest(#[to_schema] Failure),
    /// The bearer token or `x-org-id` is missing or not valid.
    #[response(status = 401)]
    Unauthorized(#[to_schema] Failure),
    /// The access token may not do this.
    #[response(status = 403)]
    Forbidden(#[to_schema] Failure),
    /// There is no such contact.
    #[response(status = 404)]
    NotFound(#[to_schema] Failure),
    /// The phone number has a contact already.
    #[response(status = 409)]
    Conflict(#[to_schema] Failure),
    /// The body is too large, or has too many rows.
    #[response(status = 413)]
    TooLarge(#[to_schema] Failure),
    /// The body is of a type that is not taken.
    #[response(status = 415)]
    MediaType(#[to_schema] Failure),
    /// Too many requests; see Retry-After.
    #[response(status = 429)]
    Limited(#[to_schema] Failure),
    /// Busy, or the outcome of a write is unknown; see Retry-After.
    #[response(status = 503)]
    Unavailable(#[to_schema] Failure),
    /// The disk is full.
    #[response(status = 507)]
    Full(#[to_schema] Failure),
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SuperWabaFailure)]
pub struct Failure {
    #[schema(example = false)]
    success: bool,
    #[schema(example = "Contact not found")]
    error: Cow<'static, str>,
    /// The same text.
    message: Cow<'static, str>,
}

pub enum SuperWaba {}

impl Tongue for SuperWaba {
    fn tell(fault: &Fault) -> HttpResponse {
        let text = text(fault);
        fault.respond(status(fault)).json(Failure { success: false, error: text.clone(), message: text })
    }
}

fn status(fault: &Fault) -> StatusCode {
    match fault {
        // The only precondition whose failing is called stale here is that nobody has the number yet.
        Fault::Meaning(Error::Stale { .. }) => StatusCode::CONFLICT,
        fault => fault.status(),
    }
}

fn text(fault: &Fault) -> Cow<'static, str> {
    match fault {
        Fault::Meaning(Error::Refused) => "Unauthorized".into(),
        Fault::Meaning(Error::NoContact) => "Contact not found".into(),
        Fault::Meaning(Error::Stale { .. }) => "Contact with this phone number already exists".into(),
        Fault::Meaning(Error::Limited { .. }) => "Rate limit exceeded".into(),
        Fault::Meaning(Error::Internal(_)) => "Internal server error".into(),
        fault => fault.sentence().into(),
    }
}

/// What is wrong with one row of many; here the vendor's words are others.
pub fn of_row(error: Error) -> String {
    match error {
        Error::Stale { .. } => "Contact already exists".into(),
        error => text(&error.into()).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use actix_web::body::MessageBody as _;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn every_fault_has_the_vendors_shape_and_its_texts_where_it_has_one() {
        let limited = Error::Limited { wait: std::time::Duration::from_secs(3) };
        for (fault, status, text) in [
            (Error::Refused.into(), 401, "Unauthorized"),
            (Error::NoContact.into(), 404, "Contact not found"),
            (Error::Stale { now: None }.into(), 409, "Contact with this phone number already exists"),
            (limited.into(), 429, "Rate limit exceeded"),
            (Error::internal("a secret of the house").into(), 500, "Internal server error"),
            (Error::Busy.into(), 503, "Too busy at the moment; nothing was changed. Try again shortly."),
            (Error::Full.into(), 507, "The disk is full; nothing was changed."),
            (Fault::TooSlow, 408, "The body did not arrive in time."),
            (Fault::NoRoute, 404, "There is no such route."),
            (Fault::TooMany(7), 413, "Too many rows: at most 7 are taken at once."),
        ] {
            let answer = SuperWaba::tell(&fault);
            assert_eq!(answer.status().as_u16(), status, "{text}");
            let body = answer.into_body().try_into_bytes().unwrap();
            let body: Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(body, json!({"success": false, "error": text, "message": text}));
        }
        assert_eq!(of_row(Error::Stale { now: None }), "Contact already exists");
    }
}
