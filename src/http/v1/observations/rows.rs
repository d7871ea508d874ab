//! From observations to edits, all of them in one commit, and from what came of the edits to one result for each
//! observation.

use super::super::row::BatchRow;
use crate::{
    domain::{Change, ChatId, Edit, Error, Invalid, Observation, Outcome, Result, turn},
    session::Session,
};

/// Observations as they were understood: the chat id of each, and the edits of all, each with the row that it comes from.
#[derive(Default)]
pub struct Rows {
    rows: Vec<Result<ChatId, Invalid>>,
    edits: Vec<(usize, Edit)>,
}

impl Rows {
    pub fn add(&mut self, observation: Result<Observation, Invalid>) {
        let index = self.rows.len();
        self.rows.push(observation.map(|observation| {
            let who = observation.who;
            self.edits.extend(observation.edits().map(|edit| (index, edit)));
            who
        }));
    }

    pub async fn settle(mut self, session: &Session) -> Result<Vec<BatchRow>> {
        self.edits.sort_by_key(|(_, edit)| turn(edit));
        let (from, edits): (Vec<_>, Vec<_>) = self.edits.into_iter().unzip();
        let outcomes = if edits.is_empty() { Vec::new() } else { session.edit_many(edits, false).await?.outcomes };
        let mut own: Vec<_> = self.rows.iter().map(|_| Vec::new()).collect();
        for (index, outcome) in from.into_iter().zip(outcomes) {
            own[index].push(outcome);
        }
        let results = self.rows.into_iter().zip(own).enumerate().map(|(index, (row, own))| match row {
            Ok(who) => result(index, who, own),
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
