//! What a client knows of its own contacts in one book: every step it took, which of them were answered, and so exactly
//! which states the book may show now. Each client writes one thing at a time and only its own numbers.

use std::{collections::BTreeMap, ops::RangeInclusive};

/// Phone → full name.
pub type State = BTreeMap<u64, String>;

/// Numbers of one client begin with it.
const NUMBERS_EACH: u64 = 10_000_000;

#[derive(Debug, Clone)]
pub struct Step {
    pub saved: Vec<u64>,
    pub name: String,
    pub deleted: Option<u64>,
}

/// One client's part of one book.
#[derive(Debug, Clone, Default)]
pub struct Account {
    steps: Vec<Step>,
    answered: usize,
    /// After all steps.
    pub state: State,
}

impl Step {
    /// Each changed contact takes one revision.
    fn revisions(&self) -> u64 {
        (self.saved.len() + usize::from(self.deleted.is_some())) as u64
    }

    fn carry_out(&self, state: &mut State) {
        for phone in &self.saved {
            state.insert(*phone, self.name.clone());
        }
        if let Some(phone) = self.deleted {
            state.remove(&phone);
        }
    }
}

impl Account {
    pub fn begin(&mut self, step: Step) {
        assert_eq!(self.answered, self.steps.len(), "one thing at a time");
        step.carry_out(&mut self.state);
        self.steps.push(step);
    }

    pub fn was_answered(&mut self) {
        self.answered = self.steps.len();
    }

    /// The last step was refused in so many words: it was not carried out.
    pub fn was_refused(&mut self) {
        self.go_back_to(self.answered);
    }

    pub fn steps(&self) -> usize {
        self.steps.len()
    }

    pub fn answered(&self) -> usize {
        self.answered
    }

    /// After how many steps the book shows just this, if within this range.
    pub fn place_of(&self, shown: &State, range: RangeInclusive<usize>) -> Option<usize> {
        let mut state = State::new();
        for place in 0..=*range.end() {
            if range.contains(&place) && state == *shown {
                return Some(place);
            }
            if let Some(step) = self.steps.get(place) {
                step.carry_out(&mut state);
            }
        }
        None
    }

    pub fn revisions(&self, steps: usize) -> u64 {
        self.steps[..steps].iter().map(Step::revisions).sum()
    }

    /// What was under way turned out so: from here on it is settled.
    pub fn go_back_to(&mut self, place: usize) {
        self.steps.truncate(place);
        self.answered = place;
        self.state.clear();
        for step in &self.steps {
            step.carry_out(&mut self.state);
        }
    }
}

/// A number of this client's.
pub fn phone(client: usize, number: usize) -> u64 {
    (client as u64 + 1) * NUMBERS_EACH + number as u64
}

/// What of a book belongs to this client.
pub fn part_of(client: usize, state: &State) -> State {
    let from = phone(client, 0);
    state.range(from..from + NUMBERS_EACH).map(|(phone, name)| (*phone, name.clone())).collect()
}
