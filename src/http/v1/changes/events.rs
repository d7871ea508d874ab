//! The feed as server-sent events: what a follower is told, spelled as a stream. There is no queue to bound: each stream
//! reads the book from where it stands, a page at a time, when the client has taken what came before.

use std::{convert::Infallible, time::Duration};

use actix_web::web::{Bytes, Data};
use futures_util::{Stream, stream};
use serde_json::json;

use super::shown::JsonChange;
use crate::{
    book::Changed,
    domain::Error,
    http::{Door, seats::Seat},
    sync::{
        feed::{Page, Token},
        follow::{Follower, Step},
    },
};

/// What one stream holds in memory at the most.
const PAGE: u32 = 50;
/// Something must be said now and then: who is gone is noticed only so, and proxies cut what is silent.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// A client that lost us is to wait so long, so that not all come back at once after a restart.
const RETRY: Duration = Duration::from_secs(2);

struct Subscriber {
    follower: Follower,
    door: Data<Door>,
    /// Looked at again as long as the stream lasts: one that was revoked ends it.
    token: String,
    has_begun: bool,
    _seat: Seat,
}

/// Every chunk is some whole events. The stream ends when the server stops, the instance goes, or the token is not good any
/// more; the client will then come back by itself and be told why.
pub fn stream(
    follower: Follower,
    door: Data<Door>,
    token: String,
    seat: Seat,
) -> impl Stream<Item = Result<Bytes, Infallible>> {
    let subscriber = Subscriber { follower, door, token, has_begun: false, _seat: seat };
    stream::unfold(subscriber, async |mut subscriber| {
        let chunk = subscriber.next().await?;
        Some((Ok(Bytes::from(chunk)), subscriber))
    })
}

impl Subscriber {
    async fn next(&mut self) -> Option<String> {
        if !std::mem::replace(&mut self.has_begun, true) {
            return Some(beginning(self.follower.token()));
        }
        loop {
            if *self.door.stopping.borrow() || !self.door.gateway.knows(Some(&self.token)) {
                return None;
            }
            match self.follower.read(PAGE).await {
                Ok(Some(Step::Changes(page))) => return Some(changes(&page)),
                Ok(Some(Step::Lost(now))) => return Some(resync(now)),
                Ok(None) => {}
                Err(error) => {
                    let is_end = matches!(error, Error::Busy);
                    if !is_end {
                        tracing::warn!(outcome = error.word(), "a stream of events broke off");
                    }
                    return None;
                }
            }
            tokio::select! {
                () = self.follower.more() => {}
                () = self.door.closes() => return None,
                () = tokio::time::sleep(HEARTBEAT) => return Some(":\n\n".to_owned()),
            }
        }
    }
}

/// An id without data is no event, but the client remembers it: it can come back before anything has happened.
fn beginning(token: Token) -> String {
    format!("retry: {}\nid: {token}\n\n", RETRY.as_millis())
}

fn changes(page: &Page) -> String {
    let event = |changed: &Changed| {
        let change = JsonChange::from(changed);
        let data = serde_json::to_string(&change).expect("changes are JSON");
        event(&format!("contact.{}", change.word()), page.next.at(changed.revision()), &data)
    };
    page.changes.iter().map(event).collect()
}

fn resync(now: Token) -> String {
    let why = "what changed since your last event is no longer known: read everything anew";
    event("resync", now, &json!({"code": "EXPIRED_SYNC_TOKEN", "detail": why}).to_string())
}

/// `data` is one line.
fn event(name: &str, id: Token, data: &str) -> String {
    format!("event: {name}\nid: {id}\ndata: {data}\n\n")
}
