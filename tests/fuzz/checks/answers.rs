//! What each face promises of any answer, whatever was asked.

use serde_json::Value;

use super::{doors::Face, wire::Answer};

impl Face {
    /// Panics when an answer is none that this face gives.
    pub fn check(self, answer: &Answer) {
        let (status, media_type) = (answer.status, answer.header("content-type").unwrap_or_default());
        assert!((200..500).contains(&status), "{self:?} answers {status}: {}", answer.text());
        if matches!(status, 204 | 304) {
            assert!(answer.body.is_empty(), "{self:?} sends a body with {status}");
            return;
        }
        if self == Self::Waha && status == 201 && answer.body.is_empty() {
            return;
        }
        let essence = media_type.split(';').next().unwrap_or_default();
        if status < 300 && matches!(essence, "text/csv" | "text/vcard" | "application/x-ndjson") {
            return;
        }
        let expected =
            if self == Self::Native && status >= 400 { "application/problem+json" } else { "application/json" };
        assert_eq!(media_type, expected, "{self:?} {status}: {}", answer.text());
        let body: Value = serde_json::from_slice(&answer.body).expect("an answer is JSON");
        if status >= 400 {
            assert!(self.is_refusal(status, &body), "{self:?} refuses with {status} {body}");
        } else if matches!(self, Self::SuperWaba | Self::Wacr) {
            assert_eq!(body["success"], true, "{body}");
        }
    }

    fn is_refusal(self, status: u16, body: &Value) -> bool {
        let has_text =
            |names: &[&str]| names.iter().all(|name| body[*name].as_str().is_some_and(|text| !text.is_empty()));
        match self {
            Self::Wawp => body["statusCode"] == status && has_text(&["error", "message"]),
            Self::Waha => body["statusCode"] == status && has_text(&["message"]),
            Self::Hypersender => has_text(&["message"]),
            Self::SuperWaba => body["success"] == false && has_text(&["error", "message"]),
            Self::Wacr => {
                let error = |name: &str| body["error"][name].as_str().is_some_and(|text| !text.is_empty());
                body["success"] == false && error("code") && error("message") && body["meta"].is_object()
            }
            Self::Native => body["status"] == status && has_text(&["type", "title", "detail"]),
        }
    }
}
