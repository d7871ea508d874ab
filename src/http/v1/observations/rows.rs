//! From observations to edits, all of them in one commit, and from what came of the edits to one result for each
//! observation.

use super::super::row::BatchRow;
use crate::{
    domain::{Change, ChatId, Edit, Error, Invalid, Observation, Outcome, Result},
    session::Session,
};

/// Observations as they were understood: the edits of all, and for each its chat id and how many of them are its own.
#[derive(Default)]
pub struct Rows {
    rows: Vec<Result<(ChatId, usize), Invalid>>,
    edits: Vec<Edit>,
}

impl Rows {
    pub fn add(&mut self, observation: Result<Observation, Invalid>) {
        let row = observation.map(|observation| {
            let (who, before) = (observation.who, self.edits.len());
            self.edits.extend(observation.edits());
            (who, self.edits.len() - before)
        });
        self.rows.push(row);
    }

    pub async fn settle(self, session: &Session) -> Result<Vec<BatchRow>> {
        let outcomes =
            if self.edits.is_empty() { Vec::new() } else { session.edit_many(self.edits, false).await?.outcomes };
        let mut outcomes = outcomes.into_iter();
        let results = self.rows.into_iter().enumerate().map(|(index, row)| match row {
            Ok((who, edits)) => {
                let own: Vec<_> = outcomes.by_ref().take(edits).collect();
                result(index, who, own)
            }
            Err(invalid) => BatchRow::failed(index, Error::Invalid(invalid)),
        });
        Ok(results.collect())
    }
}

/// The strongest of what came of a row's edits, and how the last of them left the contact.
fn result(index: usize, who: ChatId, outcomes: Vec<Result<Outcome>>) -> BatchRow {
    let (mut change, mut last) = (Change::Unchanged, None);
    for outcome in outcomes {
        match outcome {
            Ok(outcome) => {
                change = stronger(change, outcome.change);
                last = Some(outcome);
            }
            // That a stranger has no saved name and is not blocked needs no contact to be true.
            Err(Error::NoContact) => {}
            Err(error) => return BatchRow::failed(index, error),
        }
    }
    let who = last.as_ref().map_or(who, |outcome| outcome.contact.chat_id());
    BatchRow::observed(index, change, who, last.map(|outcome| outcome.revision))
}

fn stronger(one: Change, other: Change) -> Change {
    let rank = |change| match change {
        Change::Unchanged => 0,
        Change::Learned => 1,
        Change::Updated => 2,
        Change::Deleted => 3,
        Change::Created => 4,
        Change::Merged => 5,
    };
    if rank(other) > rank(one) { other } else { one }
}
