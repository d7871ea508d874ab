//! What changed in a book, in the native API: the feed by pages, which can wait for more, and the same as a stream of
//! server-sent events. Leaves out which token is good for what (sync).

mod events;
mod shown;

use std::time::Duration;

use actix_web::{
    HttpResponse, Scope as Routes,
    http::{Method, StatusCode, header},
    web::Data,
};
use utoipa::{IntoParams, OpenApi};

use super::{Answer, TAG};
use crate::{
    domain::Invalid,
    gateway::{Credentials, Scope},
    http::{
        Door, json,
        params::Params,
        problem::{Details, Errors, Shape},
        room::{Fault, Heard, on, place, tell_outcome},
    },
    session::Session,
    sync::{
        feed::{self, Token},
        follow::{self, Follower},
    },
};
use shown::JsonChanges;

const LIMIT: u64 = 100;
const MOST: u64 = 1000;
/// Seconds; proxies give up on what takes much longer.
const LONGEST_WAIT: u64 = 60;

#[derive(OpenApi)]
#[openapi(paths(changes, events))]
pub struct Description;

pub fn add(routes: Routes) -> Routes {
    routes
        .service(place::<Details, _>("/instances/{i}/changes", [on(Method::GET, changes)]))
        .service(place::<Details, _>("/instances/{i}/events", [on(Method::GET, events)]))
}

#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes the parameters that `changes` reads")]
struct ChangesQuery {
    /// The `next` of the page before; without it, from the very beginning.
    #[param(pattern = "^([0-9a-f]{32}(:[0-9]{1,18}){1,2})?$")]
    since: Option<String>,
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<i64>,
    /// So many seconds to wait for a change when there is none; the answer comes as soon as there is one.
    #[param(minimum = 0, maximum = 60)]
    wait: Option<i64>,
}

/// What changed since a token, each contact once, as it stands now. Send back `next` as `since`, at once while `has_more`,
/// and keep it when the page has been dealt with: whoever comes back with it misses nothing. 410 `EXPIRED_SYNC_TOKEN`: what
/// lies between is no longer known; forget everything and begin without `since`.
#[utoipa::path(get, path = "/instances/{i}/changes", tag = TAG, params(("i" = String, Path), ChangesQuery),
    responses((status = 200, description = "a page", body = JsonChanges),
              (status = 410, description = "the token has expired: begin anew", body = Shape,
               content_type = "application/problem+json"), Errors))]
async fn changes(heard: Heard, door: Data<Door>) -> Answer {
    let session = enter(&heard, &door)?;
    let params = heard.params();
    only(&params, &["since", "limit", "wait"])?;
    let since = params.text("since").filter(|text| !text.is_empty()).map(str::parse).transpose()?;
    let limit = u32::try_from(params.number("limit", LIMIT, 1, MOST)?).unwrap_or(u32::MAX);
    let wait = Duration::from_secs(params.number("wait", 0, 0, LONGEST_WAIT)?);
    let page = if wait.is_zero() {
        feed::page(&session, since, limit).await?
    } else {
        let patience = async {
            tokio::select! { () = tokio::time::sleep(wait) => {} () = door.closes() => {} }
        };
        follow::page_or_wait(&session, since, limit, patience).await?
    };
    Ok(json(StatusCode::OK, &JsonChanges::from(&page)))
}

#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes the parameters that `events` reads")]
struct EventsQuery {
    /// For clients that cannot send the header.
    #[param(pattern = "^([0-9a-f]{32}(:[0-9]{1,18}){1,2})?$")]
    last_event_id: Option<String>,
}

/// The feed as server-sent events, without an end. Events `contact.upserted`, `contact.deleted` and `contact.merged` have
/// for data one entry of the feed's `changes`, and for id a token: with it as `Last-Event-ID`, or as the feed's `since`,
/// one goes on from there. Without one, the stream begins now, and first tells the id of now. `resync`: something may have
/// been missed; read everything anew, the stream goes on.
#[utoipa::path(get, path = "/instances/{i}/events", tag = TAG,
    params(("i" = String, Path),
           ("Last-Event-ID" = Option<String>, Header, pattern = "^([0-9a-f]{32}(:[0-9]{1,18}){1,2})?$"), EventsQuery),
    responses((status = 200, description = "events", body = String, content_type = "text/event-stream"), Errors))]
async fn events(heard: Heard, door: Data<Door>) -> Answer {
    let session = enter(&heard, &door)?;
    let params = heard.params();
    only(&params, &["last_event_id"])?;
    let last = heard.plain_header("Last-Event-ID")?.or_else(|| params.text("last_event_id"));
    let last = last.filter(|text| !text.is_empty());
    let since = last.map(|text| text.parse::<Token>().map_err(|invalid| invalid.in_field("last_event_id")));
    let seat = door.streams.take(session.id()).ok_or(Fault::Crowded(door.limits.event_streams))?;
    let follower = Follower::new(session, since.transpose()?).await?;
    let token = heard.bearer().unwrap_or_default().to_owned();
    tell_outcome("ok");
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        // So that a proxy lets each event through as it comes (nginx).
        .insert_header((header::HeaderName::from_static("x-accel-buffering"), "no"))
        .streaming(events::stream(follower, door, token, seat)))
}

fn enter(heard: &Heard, door: &Door) -> Result<Session, Fault> {
    let instance = heard.segment("i");
    door.enter(heard, Credentials { instance: Some(&instance), token: heard.bearer() }, Scope::ContactsRead)
}

/// A misspelt `since` must not begin a walk anew.
fn only(params: &Params<'_>, known: &[&str]) -> Result<(), Invalid> {
    if params.all().any(|(name, _)| !known.contains(&name)) {
        return Err(Invalid::new(
            "query",
            format!("has a parameter that is not known here: there are {}", known.join(", ")),
        ));
    }
    Ok(())
}
