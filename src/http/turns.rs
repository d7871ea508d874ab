//! How many of one kind of long work an instance may have at a time. Whoever comes when all turns are taken is told so at
//! once, and comes again; nobody is kept waiting here.

use std::sync::Arc;

use dashmap::DashMap;

use crate::domain::{Error, InstanceId, Result};

pub struct Turns {
    most: usize,
    taken: Arc<DashMap<InstanceId, usize>>,
}

/// Given back when it is dropped.
pub struct Turn {
    id: InstanceId,
    taken: Arc<DashMap<InstanceId, usize>>,
}

impl Turns {
    pub fn new(most: usize) -> Self {
        Self { most, taken: Arc::default() }
    }

    pub fn take(&self, id: &InstanceId) -> Result<Turn> {
        let mut count = self.taken.entry(id.clone()).or_default();
        if *count >= self.most {
            return Err(Error::Busy);
        }
        *count += 1;
        Ok(Turn { id: id.clone(), taken: Arc::clone(&self.taken) })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(mut count) = self.taken.get_mut(&self.id) {
            *count -= 1;
        }
        self.taken.remove_if(&self.id, |_, count| *count == 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_is_free_again_when_it_is_given_back() {
        let (turns, one, other) = (Turns::new(2), "one".parse().unwrap(), "other".parse().unwrap());
        let first = turns.take(&one).unwrap();
        let _second = turns.take(&one).unwrap();
        assert!(matches!(turns.take(&one), Err(Error::Busy)));
        let elsewhere = turns.take(&other).unwrap();
        drop(first);
        let _third = turns.take(&one).unwrap();
        drop(elsewhere);
        assert_eq!(turns.taken.len(), 1);
    }
}
