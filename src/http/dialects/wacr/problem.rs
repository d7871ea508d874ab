//! How WA.cr says what went wrong: an envelope with a code, a sentence, and for fields that are wrong their names with a
//! sentence each. The one `match` from meanings to the vendor's codes. Its documentation ends no message of one sentence
//! with a full stop, and so no message here does.

use std::{collections::BTreeMap, fmt, marker::PhantomData};

use actix_web::{HttpResponse, ResponseError, http::StatusCode};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::{
    envelope::Meta,
    wrongs::{Manner, Wrong, Wrongs},
};
use crate::{
    domain::{Error, Invalid},
    http::room::{Fault, Tongue, whole_seconds},
};

/// For the API description: what any route may answer instead.
#[derive(utoipa::IntoResponses)]
#[expect(dead_code, reason = "describes what `answer` answers")]
pub enum Errors {
    /// The body is not JSON, or a parameter of the query is not right.
    #[response(status = 400)]
    BadRequest(#[to_schema] Refusal),
    /// The token is missing or not valid.
    #[response(status = 401)]
    Unauthorized(#[to_schema] Refusal),
    /// The token lacks a scope, or the account has as much as it may have.
    #[response(status = 403)]
    Forbidden(#[to_schema] Refusal),
    /// There is no such contact, entry or route.
    #[response(status = 404)]
    NotFound(#[to_schema] Refusal),
    /// A source or status that is in use cannot be deleted.
    #[response(status = 409)]
    Conflict(#[to_schema] Refusal),
    /// The body is too large.
    #[response(status = 413)]
    TooLarge(#[to_schema] Refusal),
    /// The body is not JSON by its media type.
    #[response(status = 415)]
    MediaType(#[to_schema] Refusal),
    /// Fields are wrong; `details` names them.
    #[response(status = 422)]
    Validation(#[to_schema] Refusal),
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
#[schema(as = WacrError)]
pub struct Refusal {
    #[schema(example = false)]
    success: bool,
    #[schema(inline)]
    error: Told,
    meta: Meta,
}

#[derive(Debug, Serialize, ToSchema)]
struct Told {
    #[schema(example = "NOT_FOUND")]
    code: &'static str,
    #[schema(example = "Contact not found")]
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    details: Option<Value>,
}

/// What a handler is about, as far as its errors say so.
pub trait Subject: 'static {
    const MANNER: Manner;
    /// What is said of a failure within.
    const FAILED: &'static str;
}

macro_rules! subjects {
    ($($name:ident: $manner:expr, $failed:literal;)*) => {$(
        pub enum $name {}
        impl Subject for $name {
            const MANNER: Manner = $manner;
            const FAILED: &'static str = $failed;
        }
    )*};
}

subjects! {
    Listing: Manner::Contact, "Failed to fetch contacts";
    Creating: Manner::Contact, "Failed to create contact";
    Fetching: Manner::Contact, "Failed to fetch contact";
    Updating: Manner::Contact, "Failed to update contact";
    Deleting: Manner::Contact, "Failed to delete contact";
    CreatingMany: Manner::Contact, "Batch operation failed";
    DeletingMany: Manner::Contact, "Batch delete failed";
    Groups: Manner::Register("group"), "Failed to process group";
    Sources: Manner::Register("source"), "Failed to process source";
    Statuses: Manner::Register("status"), "Failed to process status";
    Account: Manner::Contact, "Failed to fetch account information";
}

/// Why a request got no good answer, on its way out.
pub struct Problem<S>(Cause, PhantomData<S>);

enum Cause {
    Fault(Fault),
    Wrongs(Wrongs),
    /// A batch that was rolled back, with all that is to be said of it.
    Batch(Value),
}

impl<S> Problem<S> {
    pub fn rolled_back(result: Value) -> Self {
        Self(Cause::Batch(result), PhantomData)
    }
}

impl<S> From<Fault> for Problem<S> {
    fn from(fault: Fault) -> Self {
        Self(Cause::Fault(fault), PhantomData)
    }
}

impl<S> From<Error> for Problem<S> {
    fn from(error: Error) -> Self {
        Fault::from(error).into()
    }
}

impl<S> From<Invalid> for Problem<S> {
    fn from(invalid: Invalid) -> Self {
        Fault::from(invalid).into()
    }
}

impl<S> From<Wrongs> for Problem<S> {
    fn from(wrongs: Wrongs) -> Self {
        Self(Cause::Wrongs(wrongs), PhantomData)
    }
}

impl<S> fmt::Debug for Problem<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.0 {
            Cause::Fault(fault) => fault.word(),
            Cause::Wrongs(_) | Cause::Batch(_) => "invalid",
        })
    }
}

impl<S> fmt::Display for Problem<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl<S: Subject> ResponseError for Problem<S> {
    fn error_response(&self) -> HttpResponse {
        match &self.0 {
            Cause::Fault(fault) => match field_at_fault(fault) {
                Some(wrongs) => invalid::<S>(&wrongs),
                None => answer::<S>(fault),
            },
            Cause::Wrongs(wrongs) => invalid::<S>(wrongs),
            Cause::Batch(result) => unprocessable("Batch operation failed".into(), result.clone()),
        }
    }
}

/// For routes that are none.
pub enum Wacr {}

impl Tongue for Wacr {
    fn tell(fault: &Fault) -> HttpResponse {
        answer::<Fetching>(fault)
    }
}

/// What the book says of one field is told like what the form says of it.
fn field_at_fault(fault: &Fault) -> Option<Wrongs> {
    match fault {
        Fault::Meaning(error) => Wrongs::of(error),
        _ => None,
    }
}

fn invalid<S: Subject>(wrongs: &Wrongs) -> HttpResponse {
    let details: BTreeMap<_, _> = wrongs.told(S::MANNER);
    unprocessable(S::MANNER.validation_failed().into(), json!(details))
}

fn unprocessable(message: String, details: Value) -> HttpResponse {
    let told = Told { code: "VALIDATION_ERROR", message, details: Some(details) };
    // For the log, and no more: nothing of this fault is said.
    let fault = Fault::Meaning(Error::Invalid(Invalid::new("body", "")));
    fault.respond(StatusCode::UNPROCESSABLE_ENTITY).json(Refusal { success: false, error: told, meta: Meta::now() })
}

fn answer<S: Subject>(fault: &Fault) -> HttpResponse {
    let (code, message) = code_and_message::<S>(fault);
    let mut meta = Meta::now();
    let mut details = None;
    match fault {
        Fault::Meaning(Error::Limited { wait }) => meta.retry_after = Some(whole_seconds(*wait)),
        Fault::Meaning(Error::Internal(_)) => details = Some(json!({"error": "Internal error; it has been logged"})),
        Fault::Meaning(Error::Invalid(invalid)) => details = Some(json!({invalid.field: [invalid.to_string()]})),
        Fault::Meaning(Error::OverQuota { of, now, most }) => {
            details = Some(json!({"feature": of, "current": now, "maximum": most}));
        }
        _ => {}
    }
    let message = match message.strip_suffix('.') {
        Some(one) if !one.contains(". ") => one.to_owned(),
        _ => message,
    };
    let told = Told { code, message, details };
    fault.respond(status(fault)).json(Refusal { success: false, error: told, meta })
}

fn status(fault: &Fault) -> StatusCode {
    match fault {
        // As documented.
        Fault::Meaning(Error::OverQuota { .. }) => StatusCode::FORBIDDEN,
        fault => fault.status(),
    }
}

fn code_and_message<S: Subject>(fault: &Fault) -> (&'static str, String) {
    let error = match fault {
        Fault::Meaning(error) => error,
        Fault::Malformed(why) => return ("INVALID_REQUEST", why.clone()),
        Fault::MediaType | Fault::NotTaken(_) => return ("UNSUPPORTED_MEDIA_TYPE", fault.sentence()),
        Fault::TooMany(_) => return ("PAYLOAD_TOO_LARGE", fault.sentence()),
        Fault::Crowded(_) => return ("RATE_LIMIT_EXCEEDED", fault.sentence()),
        Fault::TooSlow => return ("REQUEST_TIMEOUT", fault.sentence()),
        Fault::NoRoute => return ("NOT_FOUND", fault.sentence()),
        Fault::WrongVerb(_) => return ("METHOD_NOT_ALLOWED", fault.sentence()),
    };
    match error {
        Error::Invalid(invalid) => ("INVALID_PARAMETER", invalid.to_string()),
        Error::Refused => ("INVALID_TOKEN", "The provided API token is invalid".into()),
        Error::Forbidden { scope } => (
            "INSUFFICIENT_SCOPE",
            format!("Your API token does not have the required permissions for this action. Required scope: {scope}"),
        ),
        Error::NoContact | Error::NoInstance | Error::NoToken | Error::NoWebhook => {
            ("NOT_FOUND", "Contact not found".into())
        }
        Error::NoEntry => ("NOT_FOUND", format!("{} not found", S::MANNER.noun_in_capitals())),
        Error::NoEarlierName => ("NOT_FOUND", fault.sentence()),
        Error::InUse { by } => {
            ("RESOURCE_CONFLICT", format!("Cannot delete {}. It is being used by {by} contact(s)", S::MANNER.noun()))
        }
        Error::Stale { .. }
        | Error::KeyReused
        | Error::Duplicate { .. }
        | Error::Unknown { .. }
        | Error::Enough { .. } => ("RESOURCE_CONFLICT", fault.sentence()),
        // Only the native feed has sync tokens.
        Error::Expired => ("INVALID_REQUEST", fault.sentence()),
        Error::TooLarge { .. } => ("PAYLOAD_TOO_LARGE", fault.sentence()),
        Error::Limited { wait } => {
            ("RATE_LIMIT_EXCEEDED", format!("Too many requests. Please try again in {} seconds", whole_seconds(*wait)))
        }
        Error::OverQuota { of, .. } => {
            ("FEATURE_LIMIT_EXCEEDED", format!("Feature limit exceeded for {of}. Please upgrade your plan."))
        }
        Error::Busy | Error::OutcomeUnknown | Error::Full | Error::Quarantined => {
            ("SERVICE_UNAVAILABLE", fault.sentence())
        }
        Error::Internal(_) => ("INTERNAL_ERROR", S::FAILED.into()),
    }
}

impl Wrongs {
    /// What the book alone can say of a field. Of several such it tells the first that it met.
    pub fn of(error: &Error) -> Option<Self> {
        Some(match error {
            // The only condition that this room sets upon a create is that the number is new.
            Error::Stale { .. } => Self::one("phone", Wrong::Taken),
            Error::Duplicate { field } => Self::one(*field, Wrong::Taken),
            Error::Unknown { field } => Self::one(*field, Wrong::Unknown),
            _ => return None,
        })
    }

    /// Likewise of one among many. That there was no room for it is said of it alone: others have found some.
    pub fn of_item(error: &Error) -> Option<Self> {
        match error {
            Error::OverQuota { of, .. } => Some(Self::one("contact", Wrong::NoRoom(of))),
            error => Self::of(error),
        }
    }
}
