//! Whose turn it is on a connection: what the socket cannot know, and the rooms can. A request that is being answered
//! makes it ours. Leaves out what follows from it (`app::connection`).

use std::{
    cell::Cell,
    pin::Pin,
    rc::Rc,
    sync::atomic::{AtomicU64, Ordering},
    task::{Context, Poll},
    time::Instant,
};

use actix_web::{
    body::{BodySize, MessageBody},
    web::Bytes,
};
use pin_project_lite::pin_project;

/// Requests that ever began, over whatever connection.
static BEGUN: AtomicU64 = AtomicU64::new(0);

/// So many requests ever began here: whoever has much to do sees by it whether others want something, too.
pub(super) fn begun_by_all() -> u64 {
    BEGUN.load(Ordering::Relaxed)
}

/// Shared by a connection and the requests that come over it, all on one thread.
#[derive(Debug, Clone, Default)]
pub struct Turn(Rc<Count>);

#[derive(Debug, Default)]
struct Count {
    begun: Cell<u64>,
    ended: Cell<u64>,
    /// When the last one ended.
    rested: Cell<Option<Instant>>,
}

/// As long as this lives, it is ours.
pub struct Ours(Turn);

impl Turn {
    pub(super) fn take(&self) -> Ours {
        self.0.begun.set(self.begun() + 1);
        BEGUN.fetch_add(1, Ordering::Relaxed);
        Ours(self.clone())
    }

    /// Requests whose head has come.
    pub fn begun(&self) -> u64 {
        self.0.begun.get()
    }

    pub fn is_ours(&self) -> bool {
        self.begun() > self.0.ended.get()
    }

    /// Since when nothing is being answered, if anything ever was.
    pub fn rested(&self) -> Option<Instant> {
        if self.is_ours() { None } else { self.0.rested.get() }
    }
}

impl Drop for Ours {
    fn drop(&mut self) {
        let Turn(count) = &self.0;
        count.ended.set(count.ended.get() + 1);
        count.rested.set(Some(Instant::now()));
    }
}

pin_project! {
    /// The body of an answer: it is ours until all of it is handed over.
    pub struct Answering<B> {
        #[pin]
        body: B,
        turn: Option<Ours>,
    }
}

impl<B> Answering<B> {
    pub(super) fn new(body: B, turn: Option<Ours>) -> Self {
        Self { body, turn }
    }
}

impl<B: MessageBody> MessageBody for Answering<B> {
    type Error = B::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, B::Error>>> {
        self.project().body.poll_next(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_ours_until_every_request_is_answered() {
        let turn = Turn::default();
        assert!(!turn.is_ours());
        let (one, other) = (turn.take(), turn.clone().take());
        drop(one);
        assert!(turn.is_ours());
        drop(other);
        assert!(!turn.is_ours() && turn.rested().is_some());
        assert_eq!(turn.begun(), 2);
        assert!(begun_by_all() >= 2);
        let answering = Answering::new("some body", Some(turn.take()));
        assert!(turn.is_ours() && turn.rested().is_none());
        drop(answering);
        assert!(!turn.is_ours());
    }
}
