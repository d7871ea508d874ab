//! What the log and the metrics are told of each request: method, route pattern, instance, outcome, status, time.
//! Never a path as it came, a query, a body or a header: those hold numbers, names and tokens. Of requests that were put
//! off there is a line a second, and the rest are counted.
//!
//! The span of a request carries what is known when it begins. What comes out later goes into the one line at its end
//! and not into the span: a span's fields are formatted anew with every one that is added.

use std::{
    cell::RefCell,
    sync::atomic::{AtomicI64, Ordering},
    time::{Duration, Instant},
};

use actix_web::{
    Error, HttpMessage as _,
    body::MessageBody,
    dev::{Service, ServiceRequest, ServiceResponse},
};
use tracing::Span;
use tracing_actix_web::{RequestId, RootSpanBuilder};

use super::{
    room::tell_rate,
    time::now,
    turn::{Answering, Turn},
};
use crate::domain::InstanceId;

pub struct RequestSpan;

impl RootSpanBuilder for RequestSpan {
    fn on_request_start(request: &ServiceRequest) -> Span {
        let id = request.extensions().get::<RequestId>().copied();
        let method = known_method(request.method().as_str());
        tracing::info_span!("request", id = id.map(tracing::field::display), method)
    }

    fn on_request_end<B: MessageBody>(_: Span, _: &Result<ServiceResponse<B>, Error>) {}
}

/// What the rooms tell of a request while it is under way.
#[derive(Default)]
struct Story {
    instance: Option<InstanceId>,
    outcome: Option<&'static str>,
}

tokio::task_local! {
    static STORY: RefCell<Story>;
}

/// On whose behalf this request runs.
pub fn tell_instance(instance: &InstanceId) {
    let _ = STORY.try_with(|story| story.borrow_mut().instance = Some(instance.clone()));
}

/// What came of it.
pub fn tell_outcome(word: &'static str) {
    let _ = STORY.try_with(|story| story.borrow_mut().outcome = Some(word));
}

/// Middleware: hears the story of a request to its end, and tells it.
pub fn observe<S, B>(
    request: ServiceRequest,
    service: &S,
) -> impl Future<Output = Result<ServiceResponse<Answering<B>>, Error>> + use<S, B>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
{
    let began = Instant::now();
    let turn = request.conn_data::<Turn>().map(Turn::take);
    let answering = service.call(request);
    STORY.scope(RefCell::default(), async move {
        let mut response = answering.await?;
        tell_rate(&mut response);
        let is_put_off = STORY.with(|story| tell(&response, &story.borrow(), began));
        if is_put_off {
            tokio::time::sleep(HELD_BACK).await;
        }
        Ok(response.map_body(|_, body| Answering::new(body, turn)))
    })
}

/// True when the request was put off.
fn tell<B>(response: &ServiceResponse<B>, story: &Story, began: Instant) -> bool {
    let request = response.request();
    let elapsed = began.elapsed();
    let route = request.match_pattern().unwrap_or_else(|| "none".to_owned());
    let method = known_method(request.method().as_str());
    let status = response.status().as_u16();
    let class = ["other", "1xx", "2xx", "3xx", "4xx", "5xx"].get(usize::from(status / 100)).unwrap_or(&"other");

    let labels = [("route", route.clone()), ("method", method.to_owned()), ("status", (*class).to_owned())];
    metrics::counter!("wabook_http_requests_total", &labels).increment(1);
    metrics::histogram!("wabook_http_request_seconds", &labels[..1]).record(elapsed.as_secs_f64());

    let micros = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
    let (instance, outcome) = (story.instance.as_ref().map(InstanceId::as_str), story.outcome);
    if let Some(why) = outcome.filter(|word| NOISE.contains(word)) {
        metrics::counter!("wabook_requests_put_off_total", "why" => why).increment(1);
        tracing::debug!(route, instance, outcome, status, micros, "answered");
        if is_a_new_second() {
            tracing::warn!(instance, why, "requests are put off; of others in this second there is only a count");
        }
        return true;
    }
    if status >= 500 {
        tracing::warn!(route, instance, outcome, status, micros, "answered");
    } else {
        tracing::info!(route, instance, outcome, status, micros, "answered");
    }
    false
}

/// What is told to whoever asks for too much. A line for each would make of one tenant's noise everybody's.
const NOISE: [&str; 3] = ["limited", "busy", "crowded"];
/// Whoever asks again at once, without the pause it is told, gets no answer faster than this. It costs a sleeping request
/// of a known tenant, where fifty connections would keep a core at nothing but refusals.
const HELD_BACK: Duration = Duration::from_millis(20);

/// True for the first who asks in each second.
fn is_a_new_second() -> bool {
    static LAST: AtomicI64 = AtomicI64::new(0);
    let second = now().millis() / 1000;
    LAST.swap(second, Ordering::Relaxed) != second
}

/// Neither a label nor the log takes whatever a client makes up.
fn known_method(method: &str) -> &'static str {
    const KNOWN: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
    KNOWN.into_iter().find(|known| *known == method).unwrap_or("other")
}
