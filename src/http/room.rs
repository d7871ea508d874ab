//! What every room needs and no vendor decides: reading a body within its bounds, finding credentials in headers, what
//! went wrong as status and sentence, routes that know their verbs, and what the log is told of a request.

use std::{
    borrow::Cow,
    convert::Infallible,
    fmt,
    future::Future,
    marker::PhantomData,
    pin::{Pin, pin},
    time::{Duration, Instant},
};

use actix_web::{
    FromRequest, Handler, HttpMessage as _, HttpRequest, HttpResponse, HttpResponseBuilder, Resource, Responder,
    ResponseError, Route,
    dev::{Payload, ServiceResponse},
    http::{
        Method, StatusCode,
        header::{self, HeaderName, HeaderValue},
    },
    web::{self, Bytes, BytesMut, Data},
};
use futures_util::{FutureExt as _, StreamExt as _};
use tokio::time::timeout;

pub use super::trace::{tell_instance, tell_outcome};
use super::{Door, Limits, params::Params, time::now};
use crate::{
    domain::{Error, Invalid},
    gateway::{Credentials, Pass, Rate, Scope, Signature},
    session::Session,
};

/// Why a request got no good answer. Each room says it in its own shape.
#[derive(Debug, Clone)]
pub enum Fault {
    Meaning(Error),
    /// The body is not what its media type says; the sentence tells where.
    Malformed(String),
    /// The body is of a type that is not taken.
    MediaType,
    /// The same where more than JSON is taken: what is.
    NotTaken(&'static str),
    /// More rows at once than this are not taken.
    TooMany(usize),
    /// So many streams of events are open already.
    Crowded(usize),
    /// The body did not arrive in time.
    TooSlow,
    NoRoute,
    WrongVerb(String),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Meaning(error)
    }
}

impl From<Invalid> for Fault {
    fn from(invalid: Invalid) -> Self {
        Self::Meaning(Error::Invalid(invalid))
    }
}

impl Fault {
    /// The status by the book (RFC 9110, 6585); a vendor who documents another overrules it in its room.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Meaning(error) => match error {
                Error::Invalid(_) => StatusCode::BAD_REQUEST,
                Error::Refused => StatusCode::UNAUTHORIZED,
                Error::Forbidden { .. } => StatusCode::FORBIDDEN,
                Error::NoInstance
                | Error::NoToken
                | Error::NoContact
                | Error::NoEntry
                | Error::NoWebhook
                | Error::NoEarlierName => StatusCode::NOT_FOUND,
                Error::Duplicate { .. } | Error::InUse { .. } | Error::Enough { .. } => StatusCode::CONFLICT,
                Error::Unknown { .. } | Error::KeyReused => StatusCode::UNPROCESSABLE_ENTITY,
                Error::Stale { .. } => StatusCode::PRECONDITION_FAILED,
                Error::Expired => StatusCode::GONE,
                Error::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
                Error::Limited { .. } => StatusCode::TOO_MANY_REQUESTS,
                Error::Busy | Error::OutcomeUnknown | Error::Quarantined => StatusCode::SERVICE_UNAVAILABLE,
                Error::Full | Error::OverQuota { .. } => StatusCode::INSUFFICIENT_STORAGE,
                Error::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
            },
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::MediaType | Self::NotTaken(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooMany(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Crowded(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::NoRoute => StatusCode::NOT_FOUND,
            Self::WrongVerb(_) => StatusCode::METHOD_NOT_ALLOWED,
        }
    }

    /// What helps the caller. What helps us is in the log.
    pub fn sentence(&self) -> String {
        match self {
            Self::Meaning(error) => match error {
                Error::Invalid(invalid) => invalid.to_string(),
                Error::Refused => "The access token is missing or not valid for this instance.".into(),
                Error::Forbidden { scope } => format!("This access token may not do this: it lacks {scope}."),
                Error::NoInstance => "There is no such instance.".into(),
                Error::NoToken => "There is no such access token.".into(),
                Error::NoContact => "There is no such contact.".into(),
                Error::NoEntry => "There is no such entry.".into(),
                Error::NoWebhook => "There is no such webhook.".into(),
                Error::Enough { most } => format!("There are {most} already, which is as many as there may be."),
                Error::NoEarlierName => "There is no earlier saved name to go back to.".into(),
                Error::Unknown { field } => format!("{field} refers to something that does not exist."),
                Error::InUse { by } => format!("It is still in use by {by} contacts."),
                Error::KeyReused => "This idempotency key was used for another request.".into(),
                Error::Duplicate { field } => format!("This {field} exists already."),
                Error::Stale { .. } => "The contact has changed in the meantime. Read it again.".into(),
                Error::Expired => "This sync token has expired. Begin anew, without one.".into(),
                Error::TooLarge { limit } => format!("The body is too large: at most {limit} bytes are taken."),
                Error::Limited { wait } => {
                    format!("Too many requests. Try again in {} seconds.", whole_seconds(*wait))
                }
                Error::Busy => "Too busy at the moment; nothing was changed. Try again shortly.".into(),
                Error::OutcomeUnknown => "The change may or may not have been saved. Send it again to be sure.".into(),
                Error::OverQuota { of, most, .. } => format!(
                    "This address book may hold {most} {of}, and does; nothing was changed. Reading and deleting go on."
                ),
                Error::Full => "The disk is full; nothing was changed.".into(),
                Error::Quarantined => "This instance's address book is damaged and has been set aside.".into(),
                Error::Internal(_) => "Internal error. It has been logged.".into(),
            },
            Self::Malformed(why) => why.clone(),
            Self::MediaType => "The body must be JSON, with Content-Type: application/json.".into(),
            Self::NotTaken(taken) => format!("The body must be {taken}."),
            Self::TooMany(limit) => format!("Too many rows: at most {limit} are taken at once."),
            Self::Crowded(most) => {
                format!(
                    "There are {most} streams of events already, which is as many as there may be. Try again later."
                )
            }
            Self::TooSlow => "The body did not arrive in time.".into(),
            Self::NoRoute => "There is no such route.".into(),
            Self::WrongVerb(allowed) => format!("This route takes {allowed}."),
        }
    }

    /// One word for the log.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Meaning(error) => error.word(),
            Self::Malformed(_) => "malformed",
            Self::MediaType | Self::NotTaken(_) => "media_type",
            Self::TooMany(_) => "too_many",
            Self::Crowded(_) => "crowded",
            Self::TooSlow => "too_slow",
            Self::NoRoute => "no_route",
            Self::WrongVerb(_) => "wrong_verb",
        }
    }

    /// The answer with what goes into its head; the room adds the body. Tells the log, once.
    pub fn respond(&self, status: StatusCode) -> HttpResponseBuilder {
        tell_outcome(self.word());
        if let Self::Meaning(error @ Error::Internal(_)) = self {
            tracing::error!(cause = %error.chain(), "internal error");
        }
        let mut response = HttpResponse::build(status);
        match self {
            Self::Meaning(Error::Busy | Error::OutcomeUnknown) => {
                response.insert_header((header::RETRY_AFTER, "1"));
            }
            Self::Meaning(Error::Limited { wait }) => {
                response.insert_header((header::RETRY_AFTER, whole_seconds(*wait)));
            }
            Self::Crowded(_) => {
                response.insert_header((header::RETRY_AFTER, "30"));
            }
            Self::Meaning(Error::Refused) => {
                response.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
            }
            Self::WrongVerb(allowed) => {
                response.insert_header((header::ALLOW, allowed.as_str()));
            }
            // The rest of the body is not worth reading: it may never come.
            Self::TooSlow => {
                response.force_close();
            }
            _ => {}
        }
        response
    }
}

/// Rounded up: who waits this long is let in. Never nothing: some would take that for no wait at all, at once and again.
pub fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0)).max(1)
}

/// How a room says what went wrong.
pub trait Tongue: 'static {
    fn tell(fault: &Fault) -> HttpResponse;
}

/// A fault on its way out through a room of this tongue.
pub struct Problem<T>(Fault, PhantomData<T>);

impl<T, F: Into<Fault>> From<F> for Problem<T> {
    fn from(fault: F) -> Self {
        Self(fault.into(), PhantomData)
    }
}

impl<T> fmt::Debug for Problem<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.word())
    }
}

impl<T> fmt::Display for Problem<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.word())
    }
}

impl<T: Tongue> ResponseError for Problem<T> {
    fn status_code(&self) -> StatusCode {
        self.0.status()
    }

    fn error_response(&self) -> HttpResponse {
        T::tell(&self.0)
    }
}

/// Marks a route that takes many contacts at once, and so a larger body, from those whose token is known.
#[derive(Debug, Clone, Copy)]
pub struct TakesMany;

/// Marks an app that is spoken to over TLS only.
#[derive(Debug, Clone, Copy)]
pub struct Secure;

/// A request as it was heard: its head, and its body if it has one that could be read.
pub struct Heard {
    request: HttpRequest,
    body: Result<Bytes, Fault>,
}

impl FromRequest for Heard {
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Infallible>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let door = request.app_data::<Data<Door>>().expect("every room has a door").clone();
            let mut heard = Self { request, body: Ok(Bytes::new()) };
            if has_body(&heard.request) {
                let takes_many = heard.request.app_data::<TakesMany>().is_some();
                let is_known = || door.gateway.knows(heard.bearer());
                let limit = if takes_many && is_known() { door.limits.bulk_body } else { door.limits.body };
                heard.body = read_body(payload, limit, door.limits).await;
            }
            Ok(heard)
        })
    }
}

/// A request whose body is taken as it arrives, however large it is.
pub struct Arriving {
    pub heard: Heard,
    pub body: Pieces,
}

/// A body, piece by piece.
pub struct Pieces {
    payload: Payload,
    limits: Limits,
    is_over: bool,
    /// The bytes that have come, and how long they were waited for.
    come: u64,
    waited: Duration,
}

/// Bytes of such a body that must come in a second, on average over the time in which they are waited for.
const LEAST_PACE: u64 = 2048;

impl FromRequest for Arriving {
    type Error = Infallible;
    type Future = std::future::Ready<Result<Self, Infallible>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let limits = request.app_data::<Data<Door>>().expect("every room has a door").limits;
        let heard = Heard { request: request.clone(), body: Ok(Bytes::new()) };
        let (come, waited) = Default::default();
        let body = Pieces { payload: payload.take(), limits, is_over: false, come, waited };
        std::future::ready(Ok(Self { heard, body }))
    }
}

impl Pieces {
    /// The next piece; `None` at the end. A body may be large, but must neither stand still nor drip.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Fault> {
        if self.is_over {
            return Ok(None);
        }
        let next = match self.payload.next().now_or_never() {
            Some(next) => Ok(next),
            None => {
                let (began, patience) = (Instant::now(), self.limits.body_timeout);
                let earned = patience + Duration::from_secs(self.come / LEAST_PACE);
                let next = timeout(patience.min(earned.saturating_sub(self.waited)), self.payload.next()).await;
                self.waited += began.elapsed();
                next
            }
        };
        let piece = next.map(Option::transpose);
        self.is_over = !matches!(piece, Ok(Ok(Some(_))));
        match piece {
            Ok(Ok(piece)) => {
                self.come += piece.as_ref().map_or(0, |piece| piece.len() as u64);
                Ok(piece)
            }
            Ok(Err(_)) => Err(Fault::Malformed("The body broke off.".into())),
            Err(_) => Err(Fault::TooSlow),
        }
    }

    /// Reads on, within bounds, what nobody wants any more: on a connection that closes too early the answer may be lost.
    pub async fn let_go(&mut self) {
        let (mut left, patience) = (self.limits.body.saturating_mul(16), self.limits.body_timeout);
        let reading = async {
            while let Ok(Some(piece)) = self.next().await {
                left = left.saturating_sub(piece.len());
                if left == 0 {
                    break;
                }
            }
        };
        let _ = timeout(patience, reading).await;
    }
}

impl Heard {
    /// The body as a JSON object; no body at all is an empty one.
    pub fn json<'a, T: serde::Deserialize<'a> + Default>(&'a self) -> Result<T, Fault> {
        let body = self.body.as_deref().map_err(Clone::clone)?;
        if body.is_empty() {
            return Ok(T::default());
        }
        self.expect_json()?;
        parse_json(body)
    }

    pub fn method(&self) -> &str {
        self.request.method().as_str()
    }

    /// The body as it came.
    pub fn body(&self) -> Result<Bytes, Fault> {
        self.body.clone()
    }

    pub fn params(&self) -> Params<'_> {
        Params::parse(self.request.query_string())
    }

    /// The URL asked for, without its query, as the client knows this server.
    pub fn url(&self) -> String {
        let connection = self.request.connection_info();
        let is_secure = self.request.app_data::<Secure>().is_some();
        let scheme = if is_secure { "https" } else { connection.scheme() };
        format!("{scheme}://{}{}", connection.host(), self.request.path())
    }

    /// A segment of the path, decoded.
    pub fn segment(&self, name: &str) -> Cow<'_, str> {
        let segment = self.request.match_info().query(name);
        if !segment.contains('%') {
            return segment.into();
        }
        // actix decodes all but these three, so that a path stays one. The percent sign last: it is no code again.
        let decoded = segment.replace("%2B", "+").replace("%2b", "+").replace("%2F", "/").replace("%2f", "/");
        decoded.replace("%25", "%").into()
    }

    /// A header's value, if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.request.headers().get(name)?.to_str().ok()
    }

    /// A header that must not be overlooked: one that is there but no text is refused.
    pub fn plain_header(&self, name: &'static str) -> Result<Option<&str>, Invalid> {
        let Some(value) = self.request.headers().get(name) else { return Ok(None) };
        value.to_str().map(Some).map_err(|_| Invalid::new(name, "must be printable ASCII"))
    }

    /// The token of `Authorization: Bearer`.
    pub fn bearer(&self) -> Option<&str> {
        let (scheme, token) = self.header("authorization")?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    }

    /// A body without a media type is taken for JSON.
    pub fn expect_json(&self) -> Result<(), Fault> {
        let essence = self.media_type();
        let is_json =
            essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"));
        if is_json || essence.is_empty() { Ok(()) } else { Err(Fault::MediaType) }
    }

    /// The body's media type in lower case, without its parameters; empty if it has none.
    pub fn media_type(&self) -> String {
        let media_type = self.header("content-type").unwrap_or_default();
        media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }
}

impl Door {
    /// The session that these credentials open; the log is told which, and the answer will say how much of a rate limit
    /// is left.
    pub fn enter(&self, heard: &Heard, credentials: Credentials<'_>, scope: Scope) -> Result<Session, Fault> {
        self.enter_with_either(heard, credentials, [scope, scope])
    }

    /// Likewise, when either scope will do.
    pub fn enter_with_either(
        &self,
        heard: &Heard,
        credentials: Credentials<'_>,
        scopes: [Scope; 2],
    ) -> Result<Session, Fault> {
        let_in(heard, &self.gateway.admit(credentials)?, scopes)
    }

    /// Likewise, for who signs what it sends, beside a token or instead of one.
    pub fn enter_signed(
        &self,
        heard: &Heard,
        credentials: Credentials<'_>,
        signature: Option<Signature<'_>>,
        scope: Scope,
    ) -> Result<Session, Fault> {
        let_in(heard, &self.gateway.admit_signed(credentials, signature)?, [scope, scope])
    }
}

fn let_in(heard: &Heard, pass: &Pass, [scope, other]: [Scope; 2]) -> Result<Session, Fault> {
    if let Some(rate) = pass.rate {
        heard.request.extensions_mut().insert(rate);
    }
    tell_instance(pass.instance());
    Ok(pass.enter(other).or_else(|_| pass.enter(scope))?)
}

/// Puts what is left of a rate limit into the head of the answer, in WA.cr's documented words, which others read too.
pub fn tell_rate<B>(response: &mut ServiceResponse<B>) {
    let Some(rate) = response.request().extensions().get::<Rate>().copied() else { return };
    let reset = now().plus(rate.reset).millis() / 1000;
    let headers = response.headers_mut();
    let mut tell = |name, value: i64| headers.insert(HeaderName::from_static(name), HeaderValue::from(value));
    tell("x-ratelimit-limit", rate.per_minute.into());
    tell("x-ratelimit-remaining", rate.remaining.into());
    tell("x-ratelimit-reset", reset);
    if rate.wait.is_none() {
        tell("x-ratelimit-window", 60);
    }
}

fn has_body(request: &HttpRequest) -> bool {
    let length = request.headers().get(header::CONTENT_LENGTH);
    length.is_some_and(|length| length != "0") || request.headers().contains_key(header::TRANSFER_ENCODING)
}

/// The whole body. One that is too large is read to its end within bounds and thrown away, so that the connection stays
/// usable; beyond those bounds it closes.
async fn read_body(mut payload: Payload, limit: usize, limits: Limits) -> Result<Bytes, Fault> {
    let bounds = limit.saturating_add(limits.body.saturating_mul(15));
    let reading = async {
        let mut body = BytesMut::new();
        let mut length = 0usize;
        while let Some(chunk) = payload.next().await {
            let chunk = chunk.map_err(|_| Fault::Malformed("The body broke off.".into()))?;
            length += chunk.len();
            if length <= limit {
                body.extend_from_slice(&chunk);
            } else if length > bounds {
                break;
            }
        }
        if length > limit { Err(Error::TooLarge { limit }.into()) } else { Ok(body.freeze()) }
    };
    let mut reading = pin!(reading);
    // Most bodies have come with their head: no clock is set for those.
    if let Some(body) = reading.as_mut().now_or_never() {
        return body;
    }
    timeout(limits.body_timeout, reading).await.unwrap_or(Err(Fault::TooSlow))
}

/// A JSON object as one of our types.
pub fn parse_json<'a, T: serde::Deserialize<'a>>(body: &'a [u8]) -> Result<T, Fault> {
    // Without this an array would be read as the fields in the order in which our struct happens to have them.
    if body.trim_ascii_start().first() == Some(&b'[') {
        return Err(Fault::Malformed("The body must be a JSON object, not an array.".into()));
    }
    // All of it, also what nobody asks for: JSON is UTF-8 (RFC 8259).
    let text =
        std::str::from_utf8(body).map_err(|_| Fault::Malformed("The body is not JSON: it is not UTF-8.".into()))?;
    serde_json::from_str(text).map_err(|error| {
        // serde_json repeats values in what it says of types, not in what it says of syntax.
        let place = format!("line {}, column {}", error.line(), error.column());
        Fault::Malformed(match error.classify() {
            serde_json::error::Category::Data => format!("The body is not the JSON object expected; see {place}."),
            serde_json::error::Category::Eof => format!("The body is not JSON: it ends too early, at {place}."),
            _ => format!("The body is not JSON; see {place}."),
        })
    })
}

/// One verb of a place.
pub fn on<F, Args>(method: Method, handler: F) -> (Method, Route)
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    (method.clone(), web::method(method).to(handler))
}

/// A path with its verbs. Any other verb is answered in the room's tongue, with the verbs that are taken.
pub fn place<T: Tongue, const N: usize>(path: &str, verbs: [(Method, Route); N]) -> Resource {
    let allowed = verbs.each_ref().map(|(method, _)| method.as_str()).join(", ");
    let resource = verbs.into_iter().fold(web::resource(path), |resource, (_, route)| resource.route(route));
    // The body is heard, though nobody wants it: actix closes a connection on which one was left unread.
    resource.default_service(web::to(move |_: Heard| {
        let fault = Fault::WrongVerb(allowed.clone());
        async move { T::tell(&fault) }
    }))
}

/// For a scope's default service. The body is heard for the connection's sake.
pub async fn no_route<T: Tongue>(_: Heard) -> HttpResponse {
    T::tell(&Fault::NoRoute)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_told_to_wait_for_nothing() {
        let told = [0, 1, 999_999_999, 1_000_000_000, 1_000_000_001].map(Duration::from_nanos).map(whole_seconds);
        assert_eq!(told, [1, 1, 1, 1, 2]);
    }
}
