//! Keeping up with a book: waiting for a page that has something in it, and following the feed change by change. Neither
//! can miss a commit: the watch is there before the book is read. Leaves out when to give up (the caller's).

use std::pin::pin;

use tokio::sync::watch;

use super::feed::{self, Page, Token};
use crate::{
    domain::{Error, Result, Revision},
    session::Session,
};

/// As `feed::page`; when there is nothing yet, it waits for something until `patience` is over.
pub async fn page_or_wait(
    session: &Session,
    since: Option<Token>,
    limit: u32,
    patience: impl Future<Output = ()>,
) -> Result<Page> {
    let mut commits = session.watch();
    let mut patience = pin!(patience);
    loop {
        let page = feed::page(session, since, limit).await?;
        if !page.changes.is_empty() {
            return Ok(page);
        }
        tokio::select! {
            biased;
            () = &mut patience => return Ok(page),
            told = commits.changed() => if told.is_err() { return Ok(page) },
        }
    }
}

/// Somebody who wants every change as it comes. Holds no queue: it reads the book from where it stands, a page at a time,
/// so that a slow reader costs no memory and loses nothing, until it is further behind than tombstones are kept.
pub struct Follower {
    session: Session,
    commits: watch::Receiver<Revision>,
    since: Token,
}

/// What a follower is told.
#[derive(Debug)]
pub enum Step {
    Changes(Page),
    /// Something between may have been missed: begin anew, and go on from this token.
    Lost(Token),
}

impl Follower {
    /// From this token on; without one, from now on.
    pub async fn new(session: Session, since: Option<Token>) -> Result<Self> {
        let commits = session.watch();
        let since = match since {
            Some(since) => since,
            None => Token::head(&session.head().await?),
        };
        Ok(Self { session, commits, since })
    }

    /// How far it has come.
    pub fn token(&self) -> Token {
        self.since
    }

    /// What has changed, at most `limit` contacts; `None` when nothing has.
    pub async fn read(&mut self, limit: u32) -> Result<Option<Step>> {
        let page = match feed::page(&self.session, Some(self.since), limit).await {
            Err(Error::Expired) => {
                self.since = Token::head(&self.session.head().await?);
                return Ok(Some(Step::Lost(self.since)));
            }
            page => page?,
        };
        self.since = page.next;
        Ok((!page.changes.is_empty()).then_some(Step::Changes(page)))
    }

    /// Waits until `read` is worth asking again.
    pub async fn more(&mut self) {
        // The sender lives as long as the session, which is held here.
        let _ = self.commits.changed().await;
    }
}
