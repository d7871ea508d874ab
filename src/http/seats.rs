//! How many of one kind of long work (a stream of events, an import) an instance may have at a time. Each takes a seat for as
//! long as it lives; whoever comes when all are taken is told so at once. Memory is kept only for instances that have any.

use std::sync::Arc;

use dashmap::DashMap;

use crate::domain::InstanceId;

pub struct Seats {
    most: usize,
    gauge: &'static str,
    taken: Arc<DashMap<InstanceId, usize>>,
}

/// Free again when this is dropped.
pub struct Seat {
    instance: InstanceId,
    gauge: &'static str,
    taken: Arc<DashMap<InstanceId, usize>>,
}

impl Seats {
    /// At most so many for one instance; 0 is no limit. The gauge tells how many are taken by all.
    pub fn new(most: usize, gauge: &'static str) -> Self {
        Self { most, gauge, taken: Arc::default() }
    }

    /// `None` when all are taken.
    pub fn take(&self, instance: &InstanceId) -> Option<Seat> {
        let mut count = self.taken.entry(instance.clone()).or_default();
        if self.most > 0 && *count >= self.most {
            return None;
        }
        *count += 1;
        metrics::gauge!(self.gauge).increment(1.0);
        Some(Seat { instance: instance.clone(), gauge: self.gauge, taken: Arc::clone(&self.taken) })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(mut count) = self.taken.get_mut(&self.instance) {
            *count -= 1;
        }
        self.taken.remove_if(&self.instance, |_, count| *count == 0);
        metrics::gauge!(self.gauge).decrement(1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_instance_has_its_own_and_what_is_left_is_free_again() {
        let seats = Seats::new(2, "wabook_test_seats");
        let [one, other] = ["one", "other"].map(|id| id.parse::<InstanceId>().unwrap());
        let first = seats.take(&one).unwrap();
        let second = seats.take(&one).unwrap();
        assert!(seats.take(&one).is_none());
        let elsewhere = seats.take(&other).unwrap();
        drop(first);
        let third = seats.take(&one).unwrap();
        assert!(seats.take(&one).is_none());
        drop(elsewhere);
        assert_eq!(seats.taken.len(), 1);
        drop((second, third));
        assert!(seats.taken.is_empty());
    }

    #[test]
    fn none_is_refused_where_there_is_no_limit() {
        let (seats, one) = (Seats::new(0, "wabook_test_seats"), "one".parse().unwrap());
        let taken: Vec<_> = (0..10).filter_map(|_| seats.take(&one)).collect();
        assert_eq!(taken.len(), 10);
    }
}
