//! A set of contact ids, sixty-four to a word, as the packs of the search hold them: a hundredth of what a list of them
//! takes, counted, united and cut at the speed of memory. Leaves out whose they are.

use std::iter;

use crate::book::Direction;

/// Contact ids to a word.
pub(super) const ROOM: i64 = 64;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Ids {
    /// In the order of their places; none is empty.
    words: Vec<Word>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Word {
    /// Contact id / 64.
    place: i64,
    /// The lowest is the first of the sixty-four.
    bits: u64,
}

impl Ids {
    /// Puts the ids of one place behind all others.
    pub(super) fn push(&mut self, place: i64, bits: u64) {
        debug_assert!(self.words.last().is_none_or(|last| last.place < place), "places ascend");
        if bits != 0 {
            self.words.push(Word { place, bits });
        }
    }

    pub(super) fn len(&self) -> u64 {
        self.words.iter().map(|word| u64::from(word.bits.count_ones())).sum()
    }

    /// What it takes in memory.
    pub(super) fn bytes(&self) -> usize {
        self.words.capacity() * size_of::<Word>()
    }

    pub(super) fn contains(&self, id: i64) -> bool {
        let place = id.div_euclid(ROOM);
        let Some(first) = self.words.first() else { return false };
        // Mostly there is no gap, and it stands where it would stand then.
        let guess = usize::try_from(place.wrapping_sub(first.place)).ok();
        let word = guess.and_then(|guess| self.words.get(guess)).filter(|word| word.place == place).or_else(|| {
            let found = self.words.binary_search_by_key(&place, |word| word.place);
            found.ok().map(|found| &self.words[found])
        });
        word.is_some_and(|word| word.bits & bit(id) != 0)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = i64> {
        self.words.iter().flat_map(|word| {
            let mut left = word.bits;
            iter::from_fn(move || {
                let slot = left.trailing_zeros();
                left &= left.wrapping_sub(1);
                (slot < u64::BITS).then(|| word.place * ROOM + i64::from(slot))
            })
        })
    }

    pub(super) fn and(&self, other: &Self) -> Self {
        self.with(other, |own, other| own & other)
    }

    pub(super) fn or(&self, other: &Self) -> Self {
        self.with(other, |own, other| own | other)
    }

    pub(super) fn without(&self, other: &Self) -> Self {
        self.with(other, |own, other| own & !other)
    }

    fn with(&self, other: &Self, operation: fn(u64, u64) -> u64) -> Self {
        let mut both = Self { words: Vec::with_capacity(self.words.len().max(other.words.len())) };
        let (mut own, mut others) = (self.words.iter().peekable(), other.words.iter().peekable());
        loop {
            let places = (own.peek().map(|word| word.place), others.peek().map(|word| word.place));
            let place = match places {
                (None, None) => break,
                (Some(one), Some(other)) => one.min(other),
                (Some(one), None) | (None, Some(one)) => one,
            };
            let bits = |words: &mut iter::Peekable<std::slice::Iter<'_, Word>>| {
                words.next_if(|word| word.place == place).map_or(0, |word| word.bits)
            };
            let (left, right) = (bits(&mut own), bits(&mut others));
            both.push(place, operation(left, right));
        }
        both.words.shrink_to_fit();
        both
    }

    /// Those in this window of the list in the order of ids, or turned round.
    pub(super) fn cut(&self, after: Option<i64>, direction: Direction, mut skip: u64, take: u64) -> Vec<i64> {
        let mut cut = Vec::new();
        let mut gather = |word: &Word| {
            let mut left = word.bits & after.map_or(u64::MAX, |after| beyond(after, word.place, direction));
            let here = u64::from(left.count_ones());
            if skip >= here {
                skip -= here;
                return true;
            }
            while left != 0 && (cut.len() as u64) < take {
                let slot = match direction {
                    Direction::Ascending => left.trailing_zeros(),
                    Direction::Descending => u64::BITS - 1 - left.leading_zeros(),
                };
                left &= !(1 << slot);
                match skip.checked_sub(1) {
                    Some(rest) => skip = rest,
                    None => cut.push(word.place * ROOM + i64::from(slot)),
                }
            }
            (cut.len() as u64) < take
        };
        let _ = match direction {
            Direction::Ascending => self.words.iter().all(&mut gather),
            Direction::Descending => self.words.iter().rev().all(&mut gather),
        };
        cut
    }
}

/// Ids that ascend.
impl FromIterator<i64> for Ids {
    fn from_iter<I: IntoIterator<Item = i64>>(ids: I) -> Self {
        let mut words: Vec<Word> = Vec::new();
        for id in ids {
            let place = id.div_euclid(ROOM);
            match words.last_mut() {
                Some(word) if word.place == place => word.bits |= bit(id),
                _ => {
                    debug_assert!(words.last().is_none_or(|last| last.place < place), "ids ascend");
                    words.push(Word { place, bits: bit(id) });
                }
            }
        }
        words.shrink_to_fit();
        Self { words }
    }
}

fn bit(id: i64) -> u64 {
    1 << id.rem_euclid(ROOM)
}

/// The bits of the ids at this place that come after that one.
fn beyond(after: i64, place: i64, direction: Direction) -> u64 {
    let own = after.div_euclid(ROOM);
    let (lower, own_bit) = (bit(after) - 1, bit(after));
    match direction {
        Direction::Ascending if place > own => u64::MAX,
        Direction::Descending if place < own => u64::MAX,
        _ if place != own => 0,
        Direction::Ascending => !(lower | own_bit),
        Direction::Descending => lower,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn some() -> impl Strategy<Value = BTreeSet<i64>> {
        prop_oneof![
            proptest::collection::btree_set(-200i64..500, 0..300),
            proptest::collection::btree_set(any::<i64>().prop_map(|id| id / 2), 0..20),
        ]
    }

    proptest! {
        #[test]
        fn it_is_a_set(one in some(), other in some(), id in -220i64..520) {
            let (a, b): (Ids, Ids) = (one.iter().copied().collect(), other.iter().copied().collect());
            let list = |ids: Ids| ids.iter().collect::<Vec<_>>();
            prop_assert_eq!(a.len(), one.len() as u64);
            prop_assert_eq!(a.contains(id), one.contains(&id));
            prop_assert!(one.iter().all(|id| a.contains(*id)));
            prop_assert_eq!(list(a.and(&b)), one.intersection(&other).copied().collect::<Vec<_>>());
            prop_assert_eq!(list(a.or(&b)), one.union(&other).copied().collect::<Vec<_>>());
            prop_assert_eq!(list(a.without(&b)), one.difference(&other).copied().collect::<Vec<_>>());
            prop_assert_eq!(list(a), one.into_iter().collect::<Vec<_>>());
        }

        #[test]
        fn a_cut_is_a_part_of_the_list(
            one in some(), after in proptest::option::of(-220i64..520), skip in 0u64..400, take in 0u64..120,
        ) {
            let ids: Ids = one.iter().copied().collect();
            let (part, size) = ((skip as usize, take as usize), |id: &&i64| **id);
            let up = one.iter().filter(|id| after.is_none_or(|after| size(id) > after));
            let down = one.iter().rev().filter(|id| after.is_none_or(|after| size(id) < after));
            let up: Vec<_> = up.skip(part.0).take(part.1).copied().collect();
            let down: Vec<_> = down.skip(part.0).take(part.1).copied().collect();
            prop_assert_eq!(ids.cut(after, Direction::Ascending, skip, take), up);
            prop_assert_eq!(ids.cut(after, Direction::Descending, skip, take), down);
        }
    }
}
