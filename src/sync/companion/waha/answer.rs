//! What an answer's head says of how it went, as trouble in our own words. What WAHA documents of its errors stands here.

use std::time::Duration;

use jiff::{Timestamp, fmt::rfc2822};
use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde_json::Value;

use crate::sync::companion::Trouble;

pub fn broken_off(error: &reqwest::Error) -> Trouble {
    if error.is_timeout() {
        Trouble::of_companion("timeout")
    } else if error.is_connect() {
        Trouble::of_companion("unreachable")
    } else {
        Trouble::of_companion("no_answer")
    }
}

/// Whether it went well, by the status and, of a 422, the body.
pub fn judge(status: u16, body: &[u8]) -> Result<(), Trouble> {
    Err(match status {
        200..=299 => return Ok(()),
        300..=399 => Trouble::of_companion("redirected"),
        401 | 403 => Trouble::of_companion("unauthorized"),
        // No such session, or this is no WAHA at all: WAHA answers with a contact for any number.
        404 | 405 | 501 => Trouble::of_companion("not_found"),
        408 => Trouble::unclear("timeout"),
        // WAHA's way to say that the session is not at work (yet).
        422 if is_about_the_session(body) => Trouble::of_companion("not_ready"),
        429 => Trouble::of_companion("limited"),
        400 => Trouble::of_contact("rejected_400"),
        409 => Trouble::of_contact("rejected_409"),
        413 => Trouble::of_contact("rejected_413"),
        415 => Trouble::of_contact("rejected_415"),
        422 => Trouble::of_contact("rejected_422"),
        _ if (400..500).contains(&status) => Trouble::of_contact("rejected"),
        502..=504 => Trouble::of_companion("unavailable"),
        500..=599 => Trouble::unclear("server_error"),
        _ => Trouble::unclear("garbage"),
    })
}

fn is_about_the_session(body: &[u8]) -> bool {
    serde_json::from_slice::<Value>(body).is_ok_and(|said| said["expected"].is_array() && said["status"].is_string())
}

/// Seconds, or the time at which to come back (RFC 9110).
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = rfc2822::parse(text).ok()?.timestamp();
    at.duration_since(Timestamp::now()).try_into().ok()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::sync::companion::Blame;

    #[rstest]
    #[case(301, "redirected", Blame::Companion)]
    #[case(400, "rejected_400", Blame::Contact)]
    #[case(401, "unauthorized", Blame::Companion)]
    #[case(403, "unauthorized", Blame::Companion)]
    #[case(404, "not_found", Blame::Companion)]
    #[case(408, "timeout", Blame::Unclear)]
    #[case(422, "rejected_422", Blame::Contact)]
    #[case(418, "rejected", Blame::Contact)]
    #[case(429, "limited", Blame::Companion)]
    #[case(500, "server_error", Blame::Unclear)]
    #[case(503, "unavailable", Blame::Companion)]
    #[case(599, "server_error", Blame::Unclear)]
    #[case(101, "garbage", Blame::Unclear)]
    fn a_status_says_who_is_to_blame(#[case] status: u16, #[case] word: &str, #[case] blame: Blame) {
        let trouble = judge(status, b"").unwrap_err();
        assert_eq!((trouble.word, trouble.blame), (word, blame));
    }

    #[test]
    fn a_session_that_is_not_at_work_is_no_fault_of_the_contact() {
        let said =
            br#"{"error":"Session status is not as expected","session":"x","status":"STOPPED","expected":["WORKING"]}"#;
        assert_eq!(judge(422, said).unwrap_err(), Trouble::of_companion("not_ready"));
        assert!(judge(204, b"").is_ok());
    }

    #[test]
    fn a_wait_is_asked_for_in_seconds_or_as_a_time() {
        let asked = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, text.parse().unwrap());
            retry_after(&headers)
        };
        assert_eq!(asked("120"), Some(Duration::from_secs(120)));
        let in_an_hour = Timestamp::now() + jiff::SignedDuration::from_hours(1);
        let text = in_an_hour.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        let wait = asked(&text).unwrap().as_secs();
        assert!((3590..=3600).contains(&wait), "{wait}");
        for text in ["", "soon", "-5", "Wed, 21 Oct 2015 07:28:00 GMT"] {
            assert_eq!(asked(text), None, "{text}");
        }
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }
}
