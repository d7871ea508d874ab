//! How Wawp says what went wrong. The vendor documents the statuses but no body; every client known reads `message`,
//! and the shape is that of WAHA, its ancestor.

use actix_web::HttpResponse;
use serde_json::json;

use crate::http::room::{Fault, Tongue};

pub enum Wawp {}

impl Tongue for Wawp {
    fn tell(fault: &Fault) -> HttpResponse {
        let status = fault.status();
        fault.respond(status).json(json!({
            "statusCode": status.as_u16(),
            "error": status.canonical_reason(),
            "message": fault.sentence(),
        }))
    }
}
