//! What the log and the metrics are told of each request: method, route pattern, instance, outcome, status, time.
//! Never a path as it came, a query, a body or a header: those hold numbers, names and tokens.

use std::time::Instant;

use actix_web::{
    Error, HttpMessage as _,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
};
use tracing::{Span, field::Empty};
use tracing_actix_web::{RequestId, RootSpanBuilder};

pub struct RequestSpan;

#[derive(Clone, Copy)]
struct Began(Instant);

impl RootSpanBuilder for RequestSpan {
    fn on_request_start(request: &ServiceRequest) -> Span {
        request.extensions_mut().insert(Began(Instant::now()));
        let id = request.extensions().get::<RequestId>().copied();
        tracing::info_span!(
            "request",
            id = id.map(tracing::field::display),
            method = known_method(request.method().as_str()),
            route = Empty,
            instance = Empty,
            outcome = Empty,
            status = Empty,
            micros = Empty,
        )
    }

    fn on_request_end<B: MessageBody>(span: Span, outcome: &Result<ServiceResponse<B>, Error>) {
        let Ok(response) = outcome else { return };
        let request = response.request();
        let route = request.match_pattern().unwrap_or_else(|| "none".to_owned());
        let status = response.status();
        let began = request.extensions().get::<Began>().copied();
        let elapsed = began.map_or_else(Default::default, |Began(at)| at.elapsed());
        let method = known_method(request.method().as_str());
        let class =
            ["1xx", "2xx", "3xx", "4xx", "5xx"][usize::from(status.as_u16() / 100 % 6).saturating_sub(1).min(4)];

        metrics::counter!("wabook_http_requests_total", "route" => route.clone(), "method" => method, "status" => class)
            .increment(1);
        metrics::histogram!("wabook_http_request_seconds", "route" => route.clone()).record(elapsed.as_secs_f64());

        span.record("route", route);
        span.record("status", status.as_u16());
        span.record("micros", u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX));
        let _entered = span.enter();
        if status.is_server_error() { tracing::warn!("answered") } else { tracing::info!("answered") }
    }
}

/// Neither a label nor the log takes whatever a client makes up.
fn known_method(method: &str) -> &'static str {
    const KNOWN: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
    KNOWN.into_iter().find(|known| *known == method).unwrap_or("other")
}
