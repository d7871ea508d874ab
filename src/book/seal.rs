//! A contact's seal: a checksum of its row, written with the row and compared when it is read. SQLite keeps none of its
//! pages, so that a bit that flips inside a text would be a letter like any other. It is a CRC-32 over the columns as they
//! are stored, each with its kind and length before it, so that nothing moves from one into the next unseen. Leaves out the
//! earlier names and what is derived from the rest (keys for sorting and finding).

use std::cell::RefCell;

use rusqlite::{
    Connection, Row,
    functions::{Context, FunctionFlags},
    types::ValueRef,
};

use crate::{
    book::{fault::meaning, rows::COLUMNS},
    domain::Result,
};

thread_local! {
    /// Where a row's columns are laid out: in one piece the sum is made at once.
    static ROOM: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Of the columns that `each` tells one after the other.
pub(super) fn of(each: impl FnOnce(&mut Seal<'_>) -> rusqlite::Result<()>) -> rusqlite::Result<i64> {
    ROOM.with_borrow_mut(|room| {
        room.clear();
        let mut seal = Seal { room };
        each(&mut seal)?;
        Ok(i64::from(crc32fast::hash(seal.room)))
    })
}

/// Of a row that was selected with all columns.
pub(super) fn of_row(row: &Row<'_>) -> rusqlite::Result<i64> {
    of(|seal| (0..COLUMNS).try_for_each(|place| row.get_ref(place).map(|value| seal.take(value))))
}

pub(super) struct Seal<'r> {
    room: &'r mut Vec<u8>,
}

impl Seal<'_> {
    pub(super) fn take(&mut self, value: ValueRef<'_>) {
        match value {
            ValueRef::Null => self.room.push(0),
            ValueRef::Integer(number) => self.put(1, &number.to_le_bytes()),
            ValueRef::Real(number) => self.put(2, &number.to_le_bytes()),
            ValueRef::Text(bytes) => self.put_sized(3, bytes),
            ValueRef::Blob(bytes) => self.put_sized(4, bytes),
        }
    }

    fn put(&mut self, kind: u8, bytes: &[u8]) {
        self.room.push(kind);
        self.room.extend_from_slice(bytes);
    }

    fn put_sized(&mut self, kind: u8, bytes: &[u8]) {
        self.put(kind, &(bytes.len() as u64).to_le_bytes());
        self.room.extend_from_slice(bytes);
    }
}

/// For changes that SQL makes alone: `sealed(all columns)`, whatever the last one, the seal, was.
pub(super) fn teach(connection: &Connection) -> Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_DIRECTONLY;
    let sealed = |context: &Context<'_>| {
        of(|seal| {
            (0..COLUMNS).for_each(|place| seal.take(context.get_raw(place)));
            Ok(())
        })
    };
    connection.create_scalar_function("sealed", COLUMNS as i32 + 1, flags, sealed).map_err(meaning)
}

/// As SQLite says it of what is damaged in the file's structure.
pub(super) fn broken() -> rusqlite::Error {
    let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
    rusqlite::Error::SqliteFailure(code, Some("a row is not what was written".to_owned()))
}
#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, fs, sync::Arc, time::Instant};

    use tempfile::TempDir;

    use crate::{
        book::{Book, FILE, Write, check},
        domain::{
            Contact, ContactId, Error, Moment, NamePart, Register, RegisterAct, RegisterEdit, Seen, Source, Stamp, Who,
        },
    };

    const WORD: &str = "Quagmire Holdings of Elsewhere";

    fn contact(number: i64) -> Contact {
        let mut contact = Contact::unknown(format!("1555{number:06}@c.us").parse().unwrap(), Moment::from_millis(1));
        (contact.id, contact.uuid) = (ContactId(number), uuid::Uuid::now_v7());
        let by = Stamp { at: Moment::from_millis(2), source: Source::known("test") };
        contact.names.push = Some(Seen { name: NamePart::parse("Ann 🌸", "push").unwrap().unwrap(), by });
        contact.card.company = Some(WORD.into());
        contact.card.tags = Some(vec!["a".into(), "friend".into()]);
        contact.card.params = Some(BTreeMap::from([("key".into(), "{\"b\": 1}".into())]));
        contact
    }

    fn book(contacts: i64) -> TempDir {
        let folder = TempDir::new().unwrap();
        let mut book = Book::create(folder.path()).unwrap();
        let mut head = book.head();
        let mut writes = Vec::new();
        for number in 1..=contacts {
            let mut contact = contact(number);
            (head.revision, head.last_id) = (head.revision.next(), contact.id);
            (contact.revision, contact.first_revision) = (head.revision, head.revision);
            writes.push(Write::Insert { contact: Arc::new(contact), source: Source::known("test") });
        }
        book.write(&writes, head).unwrap();
        book.close().unwrap();
        folder
    }

    /// Every bit of a text that nothing else in the book knows.
    #[test]
    fn a_letter_that_flips_is_found_by_reading_and_by_a_check() {
        let folder = book(1);
        let file = folder.path().join(FILE);
        let whole = fs::read(&file).unwrap();
        let place = whole.windows(WORD.len()).position(|part| part == WORD.as_bytes()).unwrap();
        assert_eq!(check(folder.path()).unwrap(), Vec::<String>::new());
        for bit in 0..WORD.len() * 8 {
            let mut flipped = whole.clone();
            flipped[place + bit / 8] ^= 1 << (bit % 8);
            fs::write(&file, flipped).unwrap();
            let book = Book::open(folder.path()).unwrap();
            let who = Who::Id(ContactId(1));
            let read = book.load(&[who]);
            assert!(matches!(read, Err(Error::Quarantined | Error::Internal(_))), "bit {bit}: {read:?}");
            drop(book);
            assert!(!check(folder.path()).unwrap().is_empty(), "bit {bit}");
        }
        fs::write(&file, whole).unwrap();
        assert_eq!(check(folder.path()).unwrap(), Vec::<String>::new());
    }

    /// What SQL changes alone is sealed anew, but never over a damage.
    #[test]
    fn a_dissolved_group_gives_no_damaged_row_a_good_seal() {
        let folder = book(2);
        let mut book = Book::open(folder.path()).unwrap();
        let at = Moment::from_millis(3);
        let add = RegisterAct::Add { name: NamePart::parse("Friends", "name").unwrap().unwrap(), color: None };
        let group = book.edit_register(&RegisterEdit { register: Register::Groups, act: add, at }).unwrap().id;
        book.connection
            .execute("INSERT INTO membership (group_id, contact_id) SELECT ?1, id FROM contact", [group])
            .unwrap();
        book.connection.execute("UPDATE contact SET company = 'Quagmire' WHERE id = 2", []).unwrap();
        let remove = RegisterEdit { register: Register::Groups, act: RegisterAct::Remove { id: group }, at };
        let refused = book.edit_register(&remove);
        assert!(matches!(refused, Err(Error::Quarantined)), "{refused:?}");
        book.connection.execute("UPDATE contact SET company = ?1 WHERE id = 2", [WORD]).unwrap();
        book.edit_register(&remove).unwrap();
        assert_eq!(book.load(&[1, 2].map(|id| Who::Id(ContactId(id)))).unwrap().into_iter().flatten().count(), 2);
        book.close().unwrap();
        assert_eq!(check(folder.path()).unwrap(), Vec::<String>::new());
    }

    #[test]
    #[ignore = "prints what a seal costs"]
    fn what_a_seal_costs() {
        let folder = book(10_000);
        let book = Book::open(folder.path()).unwrap();
        let everybody: Vec<_> = (1..=10_000).map(|number| Who::Id(ContactId(number))).collect();
        for seals in ["with", "with", "without", "without"] {
            if seals == "without" {
                book.connection.execute("UPDATE contact SET seal = NULL", []).unwrap();
            }
            let began = Instant::now();
            book.load(&everybody).unwrap();
            println!("10,000 point reads {seals} seals: {} ns each", began.elapsed().as_nanos() / 10_000);
        }
    }
}
