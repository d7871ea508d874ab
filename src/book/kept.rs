//! What lists have found out by going through a whole book, kept while the book is open, for all of its readers: who
//! matches, and orders that the file does not hold. It is never behind: whoever comes, changes or goes has a newer
//! revision than what is kept, so that before it is used it is made good for these alone. Leaves out what is kept
//! (matching, order).

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use rusqlite::{Connection, params};

use crate::{
    book::{Head, Sort, fault::meaning, ids::Ids, matching::Ask, order::Order},
    domain::{Result, Revision},
};

#[derive(Default)]
pub(super) struct Kept {
    pub(super) found: Drawer<Ask, Ids>,
    pub(super) orders: Drawer<Vec<Sort>, Order>,
}

/// So many things lie in a drawer.
const PLACES: usize = 16;

/// Bytes that a drawer may hold for each contact of the book, and for any book.
const ROOM_EACH: u64 = 8;
const ROOM_ALWAYS: u64 = 64 * 1024;

/// What was used last lies last.
pub(super) struct Drawer<K, V>(Mutex<VecDeque<Thing<K, V>>>);

struct Thing<K, V> {
    key: K,
    /// Of the book, when this was so.
    revision: Revision,
    value: Arc<V>,
}

pub(super) trait Bulky {
    fn bytes(&self) -> usize;
}

/// How something is found out anew, and how it is made good for those who changed.
pub(super) struct Ways<F, A> {
    pub(super) anew: F,
    /// Given what was, who changed since, and since when.
    pub(super) again: A,
    /// If more than this changed, it is less work to begin anew.
    pub(super) most: u64,
}

impl<K: PartialEq, V: Bulky> Drawer<K, V> {
    /// As it is at this head, which must be that of the connection's snapshot.
    pub(super) fn get<F, A>(&self, connection: &Connection, head: &Head, key: K, ways: Ways<F, A>) -> Result<Arc<V>>
    where
        F: FnOnce() -> rusqlite::Result<V>,
        A: FnOnce(&V, &Ids, Revision) -> rusqlite::Result<V>,
    {
        let before = self.take_out(&key);
        let value = match before {
            Some((revision, value)) if revision == head.revision => return Ok(value),
            Some((revision, value)) => match changed(connection, head, revision, ways.most).map_err(meaning)? {
                Some(changed) => (ways.again)(&value, &changed, revision),
                None => (ways.anew)(),
            },
            None => (ways.anew)(),
        };
        let value = Arc::new(value.map_err(meaning)?);
        self.put(key, head, Arc::clone(&value));
        Ok(value)
    }

    pub(super) fn has(&self, key: &K) -> bool {
        self.with(|things| things.iter().any(|thing| thing.key == *key))
    }

    fn take_out(&self, key: &K) -> Option<(Revision, Arc<V>)> {
        self.with(|things| {
            let place = things.iter().position(|thing| thing.key == *key)?;
            let thing = things.remove(place)?;
            let taken = (thing.revision, Arc::clone(&thing.value));
            things.push_back(thing);
            Some(taken)
        })
    }

    fn put(&self, key: K, head: &Head, value: Arc<V>) {
        let room = usize::try_from(ROOM_ALWAYS + head.contacts * ROOM_EACH).unwrap_or(usize::MAX);
        self.with(|things| {
            if let Some(place) = things.iter().position(|thing| thing.key == key) {
                // Another reader may have come to see a newer book meanwhile.
                if things[place].revision > head.revision {
                    return;
                }
                things.remove(place);
            }
            things.push_back(Thing { key, revision: head.revision, value });
            while things.len() > PLACES || things.iter().map(|thing| thing.value.bytes()).sum::<usize>() > room {
                things.pop_front();
            }
        });
    }

    fn with<T>(&self, act: impl FnOnce(&mut VecDeque<Thing<K, V>>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<K, V> Default for Drawer<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

const CHANGED: &str = "SELECT id FROM contact INDEXED BY contact_by_revision WHERE revision > ?1
    UNION ALL SELECT contact_id FROM tombstone WHERE revision > ?1 LIMIT ?2";

/// Who came, changed or went after this revision; none if they are more than that, or it cannot be told.
fn changed(connection: &Connection, head: &Head, after: Revision, most: u64) -> rusqlite::Result<Option<Ids>> {
    // A snapshot may be older than what another reader has put here, and who went may be forgotten.
    if after > head.revision || after < head.pruned {
        return Ok(None);
    }
    let mut statement = connection.prepare_cached(CHANGED)?;
    let changed = statement.query_map(params![after.number(), most + 1], |row| row.get(0))?;
    let mut changed = changed.collect::<rusqlite::Result<Vec<i64>>>()?;
    if changed.len() as u64 > most {
        return Ok(None);
    }
    changed.sort_unstable();
    Ok(Some(changed.into_iter().collect()))
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use tempfile::TempDir;

    use super::*;
    use crate::book::Book;

    struct Heavy(usize);

    impl Bulky for Heavy {
        fn bytes(&self) -> usize {
            self.0
        }
    }

    /// A book of nobody whose head and tombstones say whatever a test needs.
    struct Desk {
        connection: Connection,
        drawer: Drawer<u8, Heavy>,
        said: RefCell<Vec<String>>,
        _folder: TempDir,
    }

    impl Desk {
        fn new() -> Self {
            let folder = TempDir::new().unwrap();
            drop(Book::create(folder.path()).unwrap());
            let connection = Connection::open(folder.path().join(crate::book::FILE)).unwrap();
            Self { connection, drawer: Drawer::default(), said: RefCell::default(), _folder: folder }
        }

        fn bury(&self, contact: i64, revision: u64) {
            let sql = "INSERT INTO tombstone (revision, contact_id, uuid, deleted_at) VALUES (?1, ?2, x'00', 0)";
            self.connection.execute(sql, params![revision, contact]).unwrap();
        }

        fn ask(&self, key: u8, revision: u64, pruned: u64, bytes: usize) -> Vec<String> {
            let mut head = crate::book::query::head(&self.connection).unwrap();
            (head.revision, head.pruned) = (Revision::new(revision), Revision::new(pruned));
            let say = |what: String| self.said.borrow_mut().push(what);
            let ways = Ways {
                anew: || {
                    say("anew".into());
                    Ok(Heavy(bytes))
                },
                again: |_: &Heavy, changed: &Ids, after: Revision| {
                    say(format!("{:?} since {}", changed.iter().collect::<Vec<_>>(), after.number()));
                    Ok(Heavy(bytes))
                },
                most: 2,
            };
            self.drawer.get(&self.connection, &head, key, ways).unwrap();
            self.said.take()
        }
    }

    #[test]
    fn what_is_kept_is_made_good_for_those_who_changed() {
        let desk = Desk::new();
        assert_eq!(desk.ask(1, 4, 0, 9), ["anew"]);
        assert_eq!(desk.ask(1, 4, 0, 9), [""; 0], "nothing has changed");
        desk.bury(70, 5);
        desk.bury(7, 6);
        assert_eq!(desk.ask(1, 6, 4, 9), ["[7, 70] since 4"], "what is forgotten is older");
        assert_eq!(desk.ask(1, 6, 6, 9), [""; 0]);
    }

    #[test]
    fn it_is_found_out_anew_when_who_changed_is_not_known_or_too_many() {
        let desk = Desk::new();
        (5..9).for_each(|revision| desk.bury(1, revision));
        assert_eq!(desk.ask(1, 4, 0, 9), ["anew"]);
        assert_eq!(desk.ask(1, 8, 0, 9), ["anew"], "more than two");
        desk.bury(1, 9);
        assert_eq!(desk.ask(1, 10, 9, 9), ["anew"], "whoever went with 9 is forgotten");
        assert_eq!(desk.ask(1, 9, 0, 9), ["anew"], "a snapshot from before");
        assert_eq!(desk.ask(1, 10, 0, 9), [""; 0], "which does not take the place of what is newer");
    }

    #[test]
    fn a_drawer_holds_so_much_and_lets_go_of_what_was_not_used() {
        let desk = Desk::new();
        let half = ROOM_ALWAYS as usize / 2;
        for key in [1, 2] {
            assert_eq!(desk.ask(key, 1, 0, half), ["anew"]);
        }
        assert_eq!(desk.ask(1, 1, 0, half), [""; 0]);
        assert_eq!(desk.ask(3, 1, 0, half), ["anew"]);
        assert_eq!(desk.ask(1, 1, 0, half), [""; 0], "used after 2");
        assert_eq!(desk.ask(2, 1, 0, half), ["anew"]);
        assert_eq!(desk.ask(9, 1, 0, half * 3), ["anew"]);
        assert_eq!(desk.ask(9, 1, 0, half * 3), ["anew"], "larger than the drawer");
        (0..40).for_each(|key| drop(desk.ask(key, 1, 0, 1)));
        assert_eq!(desk.ask(39 - PLACES as u8, 1, 0, 1), ["anew"]);
    }
}
