//! What a turn stores, as bytes for the journal, and carried out anew when the book's own file does not have it. Leaves out
//! where the bytes lie (journal).
//!
//! A record: the version of the book's schema, the mark of the state that it was made of and that of the state it made, the
//! head after it; then for each write its kind and its values, as SQLite would store them, each with its type before it. A
//! contact is the columns of its row. All numbers are little-endian.

use std::{path::Path, sync::Arc};

use foldhash::HashMap;
use rusqlite::{
    ToSql,
    types::{ToSqlOutput, Value, ValueRef},
};

use crate::{
    book::{Book, Done, Durable, Head, Touched, Write, fault, idempotency, rows, schema},
    domain::{
        ChatId, Contact, ContactId, Digits, Error, IdempotencyKey, Mapping, Moment, NamePart, Result, Revision, Saved,
        Source, Stamp,
    },
};

const INSERT: i64 = 0;
const UPDATE: i64 = 1;
const BURY: i64 = 2;
const FORGET: i64 = 3;
const LEARN: i64 = 4;
const OUTDATE: i64 = 5;
const REMEMBER: i64 = 6;

pub(super) fn of(before: i64, writes: &[Write], head: &Head) -> rusqlite::Result<Vec<u8>> {
    let mut into = Pen(Vec::with_capacity(32 + writes.len() * 384));
    let head = [
        schema::VERSION,
        before,
        head.mark,
        head.revision.number() as i64,
        head.last_id.0,
        head.pruned.number() as i64,
    ];
    head.iter().try_for_each(|number| into.put(number))?;
    for write in writes {
        match write {
            Write::Insert { contact, source } => {
                into.put(&INSERT)?;
                into.put_contact(contact)?;
                into.put(&source.as_str())?;
            }
            Write::Update { contact, source, touched } => {
                into.put(&UPDATE)?;
                into.put_contact(contact)?;
                into.put(&source.as_str())?;
                into.put(&bits(*touched))?;
            }
            Write::Bury { contact, revision, at, merged_into } => {
                into.put(&BURY)?;
                into.put_contact(contact)?;
                into.put(&revision.number())?;
                into.put(&at.millis())?;
                into.put(&merged_into.map(|survivor| survivor.0))?;
            }
            Write::Forget { chat_id, at } => {
                into.put(&FORGET)?;
                into.put(&chat_id.to_string())?;
                into.put(&at.millis())?;
            }
            Write::Learn(mapping) => {
                into.put(&LEARN)?;
                into.put(&mapping.lid.as_str())?;
                into.put(&mapping.phone.as_str())?;
                into.put_stamp(Some(&mapping.by))?;
            }
            Write::Outdate { contact, revision, saved } => {
                into.put(&OUTDATE)?;
                into.put(&contact.0)?;
                into.put(&revision.number())?;
                into.put(&saved.first.as_ref().map(NamePart::as_str))?;
                into.put(&saved.last.as_ref().map(NamePart::as_str))?;
                into.put_stamp(saved.by.as_ref())?;
            }
            Write::Remember { key, done, at } => {
                into.put(&REMEMBER)?;
                into.put(&key.key)?;
                into.put(&key.fingerprint)?;
                into.put(&done.change.word())?;
                into.put(&done.contact.0)?;
                into.put(&done.revision.number())?;
                into.put(&at.millis())?;
            }
        }
    }
    Ok(into.0)
}

/// Carries out what the book does not have yet of these records, the oldest first. Tells how many those were.
pub fn replay(folder: &Path, records: &[&[u8]]) -> Result<usize> {
    let mut book = Book::open(folder)?;
    let read = |bytes: &&[u8]| Reading(bytes).front();
    let fronts = records.iter().map(read).collect::<Option<Vec<_>>>().ok_or_else(unreadable)?;
    let mut count = 0;
    // From where the book stands, one after the other. Of two that were made of the same state the later one counts: before
    // it the book was read anew, and the other one was not in it. What leads elsewhere is of a book that was restored or
    // made anew since.
    let made_of: HashMap<_, _> = fronts.iter().enumerate().map(|(place, front)| (front.before, place)).collect();
    while let Some(place) = made_of.get(&book.head.mark).copied() {
        let Front { version, head, .. } = fronts[place];
        if version != schema::VERSION {
            return Err(Error::internal(
                "the journal was left behind by another version of wabook: start and stop that one once",
            ));
        }
        let writes = Reading(records[place]).writes(&book)?;
        book.begin(Durable::AtOnce)?.store(&writes, head)?;
        count += 1;
    }
    book.close()?;
    Ok(count)
}

struct Front {
    version: i64,
    before: i64,
    head: Head,
}

fn bits(touched: Touched) -> i64 {
    let Touched { chat_ids, names, email, groups, last_message } = touched;
    [chat_ids, names, email, groups, last_message].iter().rev().fold(0, |bits, bit| bits << 1 | i64::from(*bit))
}

fn touched(bits: i64) -> Touched {
    let bit = |place: u32| bits >> place & 1 == 1;
    Touched { chat_ids: bit(0), names: bit(1), email: bit(2), groups: bit(3), last_message: bit(4) }
}

struct Pen(Vec<u8>);

impl Pen {
    fn put(&mut self, value: &dyn ToSql) -> rusqlite::Result<()> {
        match value.to_sql()? {
            ToSqlOutput::Borrowed(value) => self.put_value(value),
            ToSqlOutput::Owned(value) => self.put_value((&value).into()),
            _ => return Err(rusqlite::Error::InvalidQuery),
        }
        Ok(())
    }

    fn put_value(&mut self, value: ValueRef<'_>) {
        match value {
            ValueRef::Null => self.0.push(b'n'),
            ValueRef::Integer(number) => {
                self.0.push(b'i');
                self.0.extend(number.to_le_bytes());
            }
            ValueRef::Real(number) => {
                self.0.push(b'r');
                self.0.extend(number.to_le_bytes());
            }
            ValueRef::Text(bytes) => self.put_bytes(b't', bytes),
            ValueRef::Blob(bytes) => self.put_bytes(b'b', bytes),
        }
    }

    fn put_bytes(&mut self, kind: u8, bytes: &[u8]) {
        self.0.push(kind);
        self.0.extend(u32::try_from(bytes.len()).expect("a value is short").to_le_bytes());
        self.0.extend(bytes);
    }

    fn put_contact(&mut self, contact: &Contact) -> rusqlite::Result<()> {
        rows::each_column(contact, &mut |value| self.put(value))
    }

    fn put_stamp(&mut self, by: Option<&Stamp>) -> rusqlite::Result<()> {
        self.put(&by.map(|by| by.at.millis()))?;
        self.put(&by.map(Stamp::word))
    }
}

/// What is left to be read of a record.
struct Reading<'r>(&'r [u8]);

impl Reading<'_> {
    fn front(&mut self) -> Option<Front> {
        let [version, before, mark, revision, last_id, pruned] = [(); 6].map(|()| self.number());
        let head = Head {
            mark: mark?,
            revision: Revision::new(revision?.cast_unsigned()),
            last_id: ContactId(last_id?),
            pruned: Revision::new(pruned?.cast_unsigned()),
            ..Head::default()
        };
        Some(Front { version: version?, before: before?, head })
    }

    fn writes(mut self, book: &Book) -> Result<Vec<Write>> {
        self.front().ok_or_else(unreadable)?;
        let mut writes = Vec::new();
        while !self.0.is_empty() {
            writes.push(self.write(book)?.ok_or_else(unreadable)?);
        }
        Ok(writes)
    }

    fn write(&mut self, book: &Book) -> Result<Option<Write>> {
        let Some(kind) = self.number() else { return Ok(None) };
        if matches!(kind, INSERT | UPDATE | BURY) {
            let Some(values) = (0..rows::COLUMNS).map(|_| self.value()).collect::<Option<Vec<_>>>() else {
                return Ok(None);
            };
            let contact = Arc::new(rows::from_values(&book.connection, &values).map_err(fault::meaning)?);
            return Ok(self.write_of(kind, contact));
        }
        Ok(self.other_write(kind))
    }

    fn write_of(&mut self, kind: i64, contact: Arc<Contact>) -> Option<Write> {
        Some(match kind {
            INSERT => Write::Insert { contact, source: self.source()? },
            UPDATE => Write::Update { contact, source: self.source()?, touched: touched(self.number()?) },
            _ => {
                Write::Bury { contact, revision: self.revision()?, at: self.moment()?, merged_into: self.contact_id()? }
            }
        })
    }

    fn other_write(&mut self, kind: i64) -> Option<Write> {
        Some(match kind {
            FORGET => Write::Forget { chat_id: self.text()?.parse().ok()?, at: self.moment()? },
            LEARN => {
                let (lid, phone) = (self.digits(ChatId::lid)?, self.digits(ChatId::phone)?);
                Write::Learn(Mapping { lid, phone, by: self.stamp()?? })
            }
            OUTDATE => {
                let (contact, revision) = (self.contact_id()??, self.revision()?);
                let (first, last) = (self.part()?, self.part()?);
                Write::Outdate { contact, revision, saved: Saved { first, last, by: self.stamp()? } }
            }
            REMEMBER => {
                let (key, Value::Blob(fingerprint)) = (self.text()?.into(), self.value()?) else { return None };
                let key = IdempotencyKey { key, fingerprint: fingerprint.try_into().ok()? };
                let change = idempotency::change(&self.text()?);
                let done = Done { change, contact: self.contact_id()??, revision: self.revision()? };
                Write::Remember { key, done, at: self.moment()? }
            }
            _ => return None,
        })
    }

    fn value(&mut self) -> Option<Value> {
        let (kind, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(match kind {
            b'n' => Value::Null,
            b'i' => Value::Integer(i64::from_le_bytes(self.eight()?)),
            b'r' => Value::Real(f64::from_le_bytes(self.eight()?)),
            b't' => Value::Text(String::from_utf8(self.bytes()?).ok()?),
            b'b' => Value::Blob(self.bytes()?),
            _ => return None,
        })
    }

    fn eight(&mut self) -> Option<[u8; 8]> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*bytes)
    }

    fn bytes(&mut self) -> Option<Vec<u8>> {
        let (length, rest) = self.0.split_first_chunk()?;
        let (bytes, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        self.0 = rest;
        Some(bytes.to_vec())
    }

    fn number(&mut self) -> Option<i64> {
        if let Value::Integer(number) = self.value()? { Some(number) } else { None }
    }

    fn text(&mut self) -> Option<String> {
        if let Value::Text(text) = self.value()? { Some(text) } else { None }
    }

    fn moment(&mut self) -> Option<Moment> {
        self.number().map(Moment::from_millis)
    }

    fn revision(&mut self) -> Option<Revision> {
        self.number().map(|number| Revision::new(number.cast_unsigned()))
    }

    fn source(&mut self) -> Option<Source> {
        self.text()?.parse().ok()
    }

    fn digits(&mut self, parse: fn(&str) -> Result<ChatId, crate::domain::Invalid>) -> Option<Digits> {
        parse(&self.text()?).ok().map(|id| *id.digits())
    }

    fn contact_id(&mut self) -> Option<Option<ContactId>> {
        match self.value()? {
            Value::Null => Some(None),
            Value::Integer(id) => Some(Some(ContactId(id))),
            _ => None,
        }
    }

    fn part(&mut self) -> Option<Option<NamePart>> {
        match self.value()? {
            Value::Null => Some(None),
            Value::Text(text) => Some(Some(NamePart::trusted(text))),
            _ => None,
        }
    }

    fn stamp(&mut self) -> Option<Option<Stamp>> {
        match (self.value()?, self.value()?) {
            (Value::Integer(at), Value::Text(source)) => {
                Some(Some(Stamp { at: Moment::from_millis(at), source: source.parse().ok()? }))
            }
            (Value::Null, Value::Null) => Some(None),
            _ => None,
        }
    }
}

fn unreadable() -> Error {
    Error::internal("a record of the journal cannot be read")
}
