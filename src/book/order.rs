//! All contacts in the order of first or last names, which the file does not hold: an index would be paid by every rename.
//! It is made by sorting when somebody asks, and kept as ids alone; who changed since is put in its new place, by reading
//! the few names that it is compared with. Leaves out which orders the file holds (list).

use std::{ops::Range, sync::Arc};

use rusqlite::{Connection, OptionalExtension, types::Value};

use crate::{
    book::{
        Direction, Head, Sort,
        fault::meaning,
        ids::Ids,
        kept::{Bulky, Kept, Ways},
    },
    domain::Result,
};

/// Ids in the order of one or two names, then of the ids.
pub(super) struct Order {
    ids: Vec<i64>,
    names: Names,
}

impl Bulky for Order {
    fn bytes(&self) -> usize {
        self.ids.capacity() * size_of::<i64>()
    }
}

/// The names to sort by, as SQL.
#[derive(Clone)]
struct Names {
    /// Of everybody with their ids, in the order of these.
    all: String,
    /// Of one id.
    one: String,
}

/// Sorts that are names, in one direction throughout; none if they are anything else.
pub(super) fn names(sorts: &[(Sort, Direction)]) -> Option<Vec<Sort>> {
    let (_, direction) = sorts.first()?;
    let are_names = sorts.iter().all(|(sort, way)| way == direction && !sort.is_kept());
    are_names.then(|| sorts.iter().map(|(sort, _)| *sort).collect())
}

pub(super) fn of(connection: &Connection, kept: &Kept, head: &Head, sorts: Vec<Sort>) -> Result<Arc<Order>> {
    let names = Names::of(&sorts);
    let ways = Ways {
        anew: || Order::sorted(connection, &names),
        again: |before: &Order, changed: &Ids, _| before.with(connection, changed),
        // Each is compared with some twenty others.
        most: 64 + head.contacts / 1024,
    };
    kept.orders.get(connection, head, sorts, ways)
}

impl Names {
    fn of(sorts: &[Sort]) -> Self {
        // No name has a control character, so that the shorter of two that begin alike stands first.
        let name = sorts.iter().map(|sort| sort.key()).collect::<Vec<_>>().join(" || char(0) || ");
        Self {
            all: format!("SELECT c.id, {name} FROM contact c ORDER BY c.id"),
            one: format!("SELECT {name} FROM contact c WHERE c.id = ?1"),
        }
    }

    fn read(&self, connection: &Connection, id: i64) -> rusqlite::Result<Option<Box<[u8]>>> {
        let mut statement = connection.prepare_cached(&self.one)?;
        statement.query_row([id], |row| Ok(folded(row.get_ref(0)?.as_bytes()?))).optional()
    }
}

/// As the database compares with NOCASE: only the letters of ASCII are alike whatever their case.
pub(super) fn folded(name: &[u8]) -> Box<[u8]> {
    name.to_ascii_lowercase().into()
}

/// What is sorted: the beginning of the name, mostly enough to compare by, and where the rest of it lies.
struct Item {
    head: u64,
    rest: Range<usize>,
    id: i64,
}

impl Order {
    fn sorted(connection: &Connection, names: &Names) -> rusqlite::Result<Self> {
        let mut statement = connection.prepare_cached(&names.all)?;
        let mut rows = statement.query([])?;
        let (mut items, mut rests): (Vec<Item>, Vec<u8>) = (Vec::new(), Vec::new());
        while let Some(row) = rows.next()? {
            let name = row.get_ref(1)?.as_bytes()?;
            let (begin, rest) = name.split_at_checked(8).unwrap_or((name, &[]));
            let mut head = [0; 8];
            head[..begin.len()].copy_from_slice(begin);
            head.make_ascii_lowercase();
            let from = rests.len();
            rests.extend(rest.iter().map(u8::to_ascii_lowercase));
            items.push(Item { head: u64::from_be_bytes(head), rest: from..rests.len(), id: row.get(0)? });
        }
        let rest = |item: &Item| &rests[item.rest.clone()];
        // It is stable, and they come in the order of their ids.
        items.sort_by(|one, other| one.head.cmp(&other.head).then_with(|| rest(one).cmp(rest(other))));
        Ok(Self { ids: items.iter().map(|item| item.id).collect(), names: names.clone() })
    }

    /// The same with these in their places as they are now, or without them if they are no more.
    fn with(&self, connection: &Connection, changed: &Ids) -> rusqlite::Result<Self> {
        let mut new = Vec::new();
        for id in changed.iter() {
            new.extend(self.names.read(connection, id)?.map(|name| (name, id)));
        }
        new.sort_unstable();
        let others = self.ids.iter().copied().filter(|id| !changed.contains(*id)).collect();
        let others = Self { ids: others, names: self.names.clone() };
        let mut ids = Vec::with_capacity(others.ids.len() + new.len());
        let mut from = 0;
        for (name, id) in new {
            let place = others.place(connection, &name, id)?;
            ids.extend_from_slice(&others.ids[from..place]);
            ids.push(id);
            from = place;
        }
        ids.extend_from_slice(&others.ids[from..]);
        Ok(Self { ids, ..others })
    }

    /// How many stand before where this one stands or would stand.
    fn place(&self, connection: &Connection, name: &[u8], id: i64) -> rusqlite::Result<usize> {
        let (mut low, mut high) = (0, self.ids.len());
        while low < high {
            let middle = low + (high - low) / 2;
            let other = self.names.read(connection, self.ids[middle])?.unwrap_or_default();
            if (&*other, self.ids[middle]) < (name, id) { low = middle + 1 } else { high = middle }
        }
        Ok(low)
    }

    /// What sorts this one, as it is written.
    pub(super) fn name(&self, connection: &Connection, id: i64) -> rusqlite::Result<Value> {
        connection.prepare_cached(&self.names.one)?.query_row([id], |row| row.get(0))
    }

    /// Those in this window of the list who are meant.
    pub(super) fn cut(&self, connection: &Connection, wish: &Wish<'_>) -> Result<Vec<i64>> {
        let mut range = 0..self.ids.len();
        if let Some((name, id)) = &wish.after {
            let place = self.place(connection, name, *id).map_err(meaning)?;
            match wish.direction {
                Direction::Ascending if self.ids.get(place) == Some(id) => range.start = place + 1,
                Direction::Ascending => range.start = place,
                Direction::Descending => range.end = place,
            }
        }
        let size = |count| usize::try_from(count).unwrap_or(usize::MAX);
        let (skip, take) = (size(wish.skip), size(wish.take));
        let part = self.ids[range].iter().copied();
        let is_meant = |id: &i64| wish.meant.is_none_or(|meant| meant.contains(*id));
        Ok(match (wish.direction, wish.meant) {
            (Direction::Ascending, None) => part.skip(skip).take(take).collect(),
            (Direction::Descending, None) => part.rev().skip(skip).take(take).collect(),
            (Direction::Ascending, _) => part.filter(is_meant).skip(skip).take(take).collect(),
            (Direction::Descending, _) => part.rev().filter(is_meant).skip(skip).take(take).collect(),
        })
    }
}

/// Which part of an order is asked for, and of whom.
pub(super) struct Wish<'w> {
    /// The folded name and the id of who stands before.
    pub(super) after: Option<(Box<[u8]>, i64)>,
    pub(super) direction: Direction,
    pub(super) skip: u64,
    pub(super) take: u64,
    pub(super) meant: Option<&'w Ids>,
}
