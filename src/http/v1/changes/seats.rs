//! How many streams of events an instance has open. Each takes a seat for as long as it lives; when all are taken, the
//! next is told to come back. Memory is kept only for instances that have any.

use std::sync::Arc;

use dashmap::DashMap;

use crate::{domain::InstanceId, http::room::Fault};

#[derive(Debug, Default)]
pub struct Seats(DashMap<InstanceId, usize>);

/// Free again when this is dropped.
pub struct Seat {
    seats: Arc<Seats>,
    instance: InstanceId,
}

impl Seats {
    /// At most so many for one instance; 0 is no limit.
    pub fn take(self: &Arc<Self>, instance: &InstanceId, most: usize) -> Result<Seat, Fault> {
        let mut taken = self.0.entry(instance.clone()).or_insert(0);
        if most > 0 && *taken >= most {
            return Err(Fault::Crowded(most));
        }
        *taken += 1;
        metrics::gauge!("wabook_event_streams").increment(1.0);
        Ok(Seat { seats: Arc::clone(self), instance: instance.clone() })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(mut taken) = self.seats.0.get_mut(&self.instance) {
            *taken -= 1;
        }
        self.seats.0.remove_if(&self.instance, |_, taken| *taken == 0);
        metrics::gauge!("wabook_event_streams").decrement(1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_instance_has_its_own_and_what_is_left_is_free_again() {
        let seats = Arc::new(Seats::default());
        let [one, other] = ["one", "other"].map(|id| id.parse::<InstanceId>().unwrap());
        let taken = [seats.take(&one, 2).unwrap(), seats.take(&one, 2).unwrap()];
        assert!(matches!(seats.take(&one, 2), Err(Fault::Crowded(2))));
        let elsewhere = seats.take(&other, 2).unwrap();
        drop(taken);
        let again = seats.take(&one, 2).unwrap();
        drop((again, elsewhere));
        assert!(seats.0.is_empty());
        let unlimited: Vec<_> = (0..10).map(|_| seats.take(&one, 0).unwrap()).collect();
        assert_eq!(unlimited.len(), 10);
    }
}
