//! Times on the wire: RFC 3339 in UTC with milliseconds, as all dialects that show times have them; and the clock, which
//! is read at the door and nowhere below it.

use std::time::Duration;

use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp};

pub(crate) use crate::gateway::now;
pub use crate::sync::rfc3339;

use crate::domain::{Invalid, Moment};

/// To the second, with an offset instead of the `Z`, as PHP's ATOM has it.
pub fn rfc3339_seconds(at: Moment) -> String {
    let at = Timestamp::from_millisecond(at.millis()).unwrap_or(Timestamp::MAX);
    at.strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string()
}

pub fn parse_rfc3339(text: &str, field: &'static str) -> Result<Moment, Invalid> {
    let at: Timestamp = text.parse().map_err(|_| Invalid::new(field, "must be a time such as 2027-01-31T12:00:00Z"))?;
    Ok(Moment::from_millis(at.as_millisecond()))
}

/// `30d`, `12h`, `90s`: a day has 24 hours here.
pub fn parse_duration(text: &str, field: &'static str) -> Result<Duration, Invalid> {
    let span: Option<Span> = text.parse().ok();
    span.and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()).ok())
        .filter(|duration: &SignedDuration| duration.is_positive())
        .and_then(|duration| Duration::try_from(duration).ok())
        .ok_or_else(|| Invalid::new(field, "must be a duration such as 30d, 12h or 90s"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_print_with_milliseconds_and_parse_back() {
        let at = Moment::from_millis(1_767_323_045_000);
        assert_eq!(rfc3339(at), "2026-01-02T03:04:05.000Z");
        assert_eq!(rfc3339_seconds(at), "2026-01-02T03:04:05+00:00");
        assert_eq!(parse_rfc3339(&rfc3339(at), "t").unwrap(), at);
        assert_eq!(parse_rfc3339("2026-01-02T04:04:05+01:00", "t").unwrap(), at);
        assert!(parse_rfc3339("tomorrow", "t").is_err());
        rfc3339(Moment::from_millis(i64::MAX));
        rfc3339(Moment::from_millis(i64::MIN));
    }

    #[test]
    fn durations_are_positive() {
        assert_eq!(parse_duration("30d", "t").unwrap(), Duration::from_secs(30 * 86_400));
        assert_eq!(parse_duration("1h 30m", "t").unwrap(), Duration::from_secs(5_400));
        for text in ["", "0s", "-1h", "1", "soon"] {
            assert!(parse_duration(text, "t").is_err(), "{text}");
        }
    }
}
