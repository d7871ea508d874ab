//! The change feed: how a client says how far it has come in a book, and what it has not seen yet. Leaves out the rows
//! (book), how they are shown (http) and waiting for more (`follow`).
//!
//! A token is one of two claims, each `floor` being the revision up to which tombstones may be gone without harm:
//!
//! - `{epoch}:{revision}`: *whatever changed up to this revision is known to me.* Of what I hold, something may have been
//!   deleted at any later revision, so every later tombstone must still be there: the floor is the revision itself. This
//!   is the token of a client that has seen all, and as well of one in the midst of a walk from such a token: it knows
//!   all up to the last row shown, and nothing less will do. (Were its floor the head when the walk began, it would miss
//!   tombstones between the cursor and that head which are pruned while it walks.)
//! - `{epoch}:{floor}:{cursor}`: *I am in the midst of a walk from the very beginning.* The head was `floor` when it began,
//!   so all that I hold was alive then, and only tombstones after `floor` matter to me, although I have come no further
//!   than `cursor`. Without this, pruning could keep a client from ever getting through a large book.
//!
//! Either is good as long as the epoch is the book's, the floor is not beyond its head, and nothing after the floor has
//! been pruned. A page ends with the last row shown, never with the head: between the two lies what was not shown yet.
//! Only when nothing is left is the next token the head, as it was in the same snapshot. `tests/convergence.rs` holds
//! clients to all this, and shows what becomes of those who do otherwise.

use std::{fmt, str::FromStr};

use crate::{
    book::{Changed, Head},
    domain::{Epoch, Error, Invalid, Result, Revision},
    session::Session,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token {
    epoch: Epoch,
    /// Tombstones up to here may be gone.
    floor: Revision,
    /// The last revision that was shown.
    cursor: Revision,
}

impl Token {
    /// All up to this revision is known.
    pub fn up_to(epoch: Epoch, revision: Revision) -> Self {
        Self { epoch, floor: revision, cursor: revision }
    }

    /// The same book's, when all up to this revision is known.
    #[must_use]
    pub fn at(self, revision: Revision) -> Self {
        Self::up_to(self.epoch, revision)
    }

    pub fn head(head: &Head) -> Self {
        Self::up_to(head.epoch, head.revision)
    }

    /// In the midst of a walk. Beyond its floor, which is where it began unless it began at the beginning, all that counts
    /// is the cursor.
    fn walking(epoch: Epoch, floor: Revision, cursor: Revision) -> Self {
        Self { epoch, floor: floor.max(cursor), cursor }
    }

    fn is_good(&self, head: &Head) -> bool {
        let is_in_order = self.cursor <= self.floor && self.floor <= head.revision;
        is_in_order && self.epoch == head.epoch && self.floor >= head.pruned
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { epoch, floor, cursor } = self;
        if floor == cursor { write!(f, "{epoch}:{cursor}") } else { write!(f, "{epoch}:{floor}:{cursor}") }
    }
}

impl FromStr for Token {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        parse(text).ok_or_else(|| Invalid::new("since", "is not a token of this feed: send back `next` as it came"))
    }
}

fn parse(text: &str) -> Option<Token> {
    let mut parts = text.split(':');
    let epoch = parts.next()?.parse().ok()?;
    let floor = revision(parts.next()?)?;
    let cursor = parts.next().map_or(Some(floor), revision)?;
    parts.next().is_none().then_some(Token { epoch, floor, cursor })
}

fn revision(text: &str) -> Option<Revision> {
    // No book counts further, and a column of SQLite holds this.
    let is_number = text.len() <= 18 && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number).map(Revision::new)
}

/// What has changed since a token, each contact once as it stands now.
#[derive(Debug, Clone)]
pub struct Page {
    pub changes: Vec<Changed>,
    /// Where to go on from.
    pub next: Token,
    /// There is more already.
    pub has_more: bool,
}

/// At most `limit` changes since this token; without one, from the beginning. `Expired` when what lies between can no
/// longer be told: begin anew.
pub async fn page(session: &Session, since: Option<Token>, limit: u32) -> Result<Page> {
    let after = since.map_or(Revision::default(), |since| since.cursor);
    let found = session.changes(after, limit).await?;
    let head = found.head;
    if since.is_some_and(|since| !since.is_good(&head)) {
        return Err(Error::Expired);
    }
    let floor = since.map_or(head.revision, |since| since.floor);
    let next = match found.rows.last() {
        Some(last) if found.is_truncated => Token::walking(head.epoch, floor, last.revision()),
        _ => Token::head(&head),
    };
    Ok(Page { changes: found.rows, next, has_more: found.is_truncated })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    const EPOCH: &str = "0192aabbccddeeff0192aabbccddeeff";

    fn head(revision: u64, pruned: u64) -> Head {
        let (revision, pruned) = (Revision::new(revision), Revision::new(pruned));
        Head { epoch: EPOCH.parse().unwrap(), revision, pruned, contacts: 0, ..Head::default() }
    }

    #[test]
    fn a_token_is_good_while_nothing_after_its_floor_is_gone() {
        let good = |token: &str, revision, pruned| {
            let token: Token = format!("{EPOCH}:{token}").parse().unwrap();
            token.is_good(&head(revision, pruned))
        };
        assert!(good("10", 10, 10) && good("10", 99, 0));
        assert!(!good("10", 99, 11), "a tombstone that it has not seen is gone");
        assert!(!good("10", 9, 0), "from a book that had come further than this one");
        assert!(good("50:10", 99, 50), "all that it holds was alive at 50");
        assert!(!good("50:10", 99, 51) && !good("50:10", 49, 0) && !good("10:50", 99, 0));
        let foreign: Token = "0192aabbccddeeff0192aabbccddeef0:10".parse().unwrap();
        assert!(!foreign.is_good(&head(10, 0)));
    }

    #[test]
    fn what_is_no_token_is_refused() {
        let texts = ["", ":", "x:1", "1", EPOCH, &format!("{EPOCH}:"), &format!("{EPOCH}:-1"), &format!("{EPOCH}:+1")];
        let more = ["1:", "2:1:0", "1000000000000000000", "1 "].map(|rest| format!("{EPOCH}:{rest}"));
        let (dashed, loud) = (format!("{}:1", Uuid::nil()), format!("{}:1", EPOCH.to_uppercase()));
        for text in texts.into_iter().chain(more.iter().map(String::as_str)).chain([&*dashed, &*loud]) {
            assert!(text.parse::<Token>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn tokens_are_read_as_they_were_written(epoch: u128, floor in 0..10_u64.pow(18), back: u64) {
            let (floor, cursor) = (Revision::new(floor), Revision::new(floor.saturating_sub(back)));
            let token = Token::walking(Epoch(Uuid::from_u128(epoch)), floor, cursor);
            prop_assert_eq!(token.to_string().parse(), Ok(token));
            let token = token.at(cursor);
            prop_assert_eq!(token.to_string().parse(), Ok(token));
        }

        #[test]
        fn any_text_is_read_without_a_panic(text in any::<String>()) {
            let _ = text.parse::<Token>();
        }
    }
}
