//! Problem details (RFC 9457): the tongue of `/v1` and of everything that belongs to no vendor.

use actix_web::HttpResponse;
use serde_json::{Value, json};

use super::room::{Fault, Tongue};
use crate::domain::{Error, Revision};

pub enum Details {}

impl Tongue for Details {
    fn tell(fault: &Fault) -> HttpResponse {
        let status = fault.status();
        let mut problem = json!({
            "type": "about:blank",
            "title": status.canonical_reason(),
            "status": status.as_u16(),
            "code": fault.word(),
            "detail": fault.sentence(),
        });
        if let Some((key, value)) = extension(fault) {
            problem[key] = value;
        }
        fault.respond(status).content_type("application/problem+json").body(problem.to_string())
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
