//! The text that search looks into, once for each contact, packed sixty-four to a row in the order of contact ids: narrow
//! enough to be gone through whole at the speed of memory, so that any needle is found, in any script, from one letter
//! on, and counted exactly. What changes of contacts that are there is first noted beside the packs, one row for each
//! transaction, and goes into them later, many at once: a rename must not cost a page of the file. Both are written in the
//! transaction that writes the contact, so a search never lags behind. Leaves out how a page is cut from what was found
//! (list). What this costs, and what was weighed against it: docs/search.md.

#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, fmt::Write as _};

use memchr::memmem::Finder;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params, types::Type};

use crate::{
    book::{
        Direction,
        fault::meaning,
        ids::{Ids, ROOM},
        rows,
        rows::columns,
    },
    domain::{Contact, ContactId, Digits, Result, fold},
};

/// Everything that search looks into, folded, a line each.
fn key(contact: &Contact) -> String {
    let Contact { names, card, .. } = contact;
    let mut lines = String::new();
    let mut line = |text: Option<&str>| {
        if let Some(text) = text {
            let _ = writeln!(lines, "{text}");
        }
    };
    line(names.saved.full().as_deref());
    line(names.business.as_ref().map(|seen| seen.name.as_str()));
    line(names.push.as_ref().map(|seen| seen.name.as_str()));
    line(contact.phone.as_ref().map(Digits::as_str));
    line(contact.lid.as_ref().map(Digits::as_str));
    line(card.email.as_deref());
    line(card.company.as_deref());
    fold(&lines)
}

/// The folded text to look for. Something that looks like a phone number is looked for by its digits.
pub(super) fn needle(search: &str) -> Option<String> {
    let folded = fold(search.trim());
    let digits: String = folded.chars().filter(char::is_ascii_digit).collect();
    let is_number = !digits.is_empty() && folded.chars().all(|c| c.is_ascii_digit() || "+-.() ".contains(c));
    let needle = if is_number { digits } else { folded };
    (!needle.is_empty()).then_some(needle)
}

const PACK: &str = "SELECT keys FROM search_pack WHERE place = ?1";
const PUT: &str = "INSERT OR REPLACE INTO search_pack (place, contacts, keys) VALUES (?1, ?2, ?3)";
const DROP: &str = "DELETE FROM search_pack WHERE place = ?1";
const NOTE: &str = "INSERT INTO search_late (changes, keys) VALUES (?1, ?2)";
const NOTED: &str = "SELECT coalesce(sum(changes), 0) FROM search_late";
const NOTES: &str = "SELECT keys FROM search_late ORDER BY number";
const FORGET: &str = "DELETE FROM search_late";

/// So many changes may wait beside the packs: a search looks at each, and some write takes in all of them.
const MOST_LATE: u64 = if cfg!(test) { 8 } else { 8192 };

/// The newest text of contacts, none of those that are gone.
type Keys = BTreeMap<i64, Option<String>>;

/// What one transaction changes of all this.
#[derive(Default)]
pub(super) struct Filing {
    /// Who came or went: in the packs at once, so that they always tell who is in the book.
    packed: Keys,
    /// Who changed, or may have and is gone.
    late: Keys,
}

impl Filing {
    pub(super) fn add(&mut self, contact: &Contact) {
        self.packed.insert(contact.id.0, Some(key(contact)));
    }

    pub(super) fn change(&mut self, contact: &Contact) {
        let keys = if self.packed.contains_key(&contact.id.0) { &mut self.packed } else { &mut self.late };
        keys.insert(contact.id.0, Some(key(contact)));
    }

    pub(super) fn take_out(&mut self, contact: ContactId) {
        self.packed.insert(contact.0, None);
        self.late.insert(contact.0, None);
    }

    /// `noted` is how many changes wait beside the packs; answers how many do then.
    pub(super) fn write(mut self, connection: &Connection, noted: u64) -> Result<u64> {
        let now = noted + self.late.len() as u64;
        let mut write = || {
            if now >= MOST_LATE {
                let mut keys = late(connection)?;
                connection.execute(FORGET, [])?;
                keys.append(&mut self.late);
                keys.append(&mut self.packed);
                pack(connection, &keys)?;
                return Ok(0);
            }
            if !self.late.is_empty() {
                let changes = self.late.len();
                connection.prepare_cached(NOTE)?.execute(params![changes, note(&self.late)])?;
            }
            if !self.packed.is_empty() {
                pack(connection, &self.packed)?;
            }
            Ok(now)
        };
        write().map_err(meaning)
    }
}

/// How many changes wait beside the packs.
pub(super) fn noted(connection: &Connection) -> Result<u64> {
    connection.query_row(NOTED, [], |row| row.get(0)).map_err(meaning)
}

/// As bytes, for each: eight of the contact id, four of the key's length and one, or zero for none; the key.
fn note(keys: &Keys) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(keys.len() * 96);
    for (id, key) in keys {
        bytes.extend(id.to_le_bytes());
        bytes.extend(key.as_ref().map_or(0, |key| key.len() as u32 + 1).to_le_bytes());
        bytes.extend(key.as_deref().unwrap_or_default().as_bytes());
    }
    bytes
}

fn read_note(mut bytes: &[u8], keys: &mut Keys) -> Option<()> {
    while let Some((id, rest)) = bytes.split_first_chunk() {
        let (length, rest) = rest.split_first_chunk()?;
        let length = u32::from_le_bytes(*length) as usize;
        let (key, rest) = rest.split_at_checked(length.saturating_sub(1))?;
        let key = (length > 0).then(|| String::from_utf8(key.to_vec())).transpose().ok()?;
        keys.insert(i64::from_le_bytes(*id), key);
        bytes = rest;
    }
    bytes.is_empty().then_some(())
}

/// Everything that waits beside the packs, the newest of each.
fn late(connection: &Connection) -> rusqlite::Result<Keys> {
    let mut keys = Keys::new();
    let mut statement = connection.prepare_cached(NOTES)?;
    let mut notes = statement.query([])?;
    while let Some(row) = notes.next()? {
        read_note(row.get_ref(0)?.as_blob()?, &mut keys).ok_or_else(damaged)?;
    }
    Ok(keys)
}

/// Takes these into the packs, each of which is written once.
fn pack(connection: &Connection, keys: &Keys) -> rusqlite::Result<()> {
    let mut get = connection.prepare_cached(PACK)?;
    let mut put = connection.prepare_cached(PUT)?;
    let mut keys = keys.iter().peekable();
    while let Some((id, _)) = keys.peek() {
        let place = id.div_euclid(ROOM);
        let old: Option<Vec<u8>> = get.query_row([place], |row| row.get(0)).optional()?;
        let mut pack = old.as_deref().map_or(Ok(Pack::EMPTY), Pack::read)?;
        while let Some((id, key)) = keys.next_if(|(id, _)| id.div_euclid(ROOM) == place) {
            pack.0[slot(*id)] = key.as_deref().map(str::as_bytes);
        }
        match pack.contacts() {
            0 => connection.prepare_cached(DROP)?.execute([place])?,
            contacts => put.execute(params![place, contacts, pack.to_bytes()])?,
        };
    }
    Ok(())
}

/// The keys of up to sixty-four contacts. As bytes: how many; for each, four bytes of its slot and its key's length; the
/// keys without anything between them.
struct Pack<'p>([Option<&'p [u8]>; ROOM as usize]);

/// Of those four bytes, the bits of the length; those above them are the slot's.
const LENGTH_BITS: u32 = 26;
const LENGTH: u32 = (1 << LENGTH_BITS) - 1;

impl<'p> Pack<'p> {
    const EMPTY: Self = Self([None; ROOM as usize]);

    fn read(bytes: &'p [u8]) -> rusqlite::Result<Self> {
        let (directory, mut keys) = split(bytes).ok_or_else(damaged)?;
        let mut pack = Self::EMPTY;
        for (slot, length) in directory {
            let (key, rest) = keys.split_at_checked(length).ok_or_else(damaged)?;
            pack.0[slot] = Some(key);
            keys = rest;
        }
        Ok(pack)
    }

    fn contacts(&self) -> usize {
        self.0.iter().flatten().count()
    }

    fn to_bytes(&self) -> Vec<u8> {
        let present = || self.0.iter().enumerate().filter_map(|(slot, key)| Some((slot, (*key)?)));
        let mut bytes = vec![self.contacts() as u8];
        for (slot, key) in present() {
            // A key is a few short lines, far below the limit of the body it came in.
            bytes.extend(((slot as u32) << LENGTH_BITS | key.len() as u32 & LENGTH).to_le_bytes());
        }
        present().for_each(|(_, key)| bytes.extend(key));
        bytes
    }
}

/// The slots and lengths in a pack, and its keys.
fn split(bytes: &[u8]) -> Option<(impl Iterator<Item = (usize, usize)>, &[u8])> {
    let (contacts, rest) = bytes.split_first()?;
    let (directory, keys) = rest.split_at_checked(usize::from(*contacts) * 4)?;
    let (entries, _) = directory.as_chunks::<4>();
    let entries = entries.iter().map(|entry| u32::from_le_bytes(*entry));
    Some((entries.map(|entry| ((entry >> LENGTH_BITS) as usize, (entry & LENGTH) as usize)), keys))
}

fn slot(id: i64) -> usize {
    id.rem_euclid(ROOM) as usize
}

fn damaged() -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(1, Type::Blob, "a search pack is malformed".into())
}

const PACKS: &str = "SELECT place, keys FROM search_pack ORDER BY place";

/// All contacts with this in their text.
pub(super) fn find(connection: &Connection, needle: &str) -> rusqlite::Result<Ids> {
    let finder = Finder::new(needle);
    let mut found = Ids::default();
    let late = late(connection)?;
    let mut statement = connection.prepare_cached(PACKS)?;
    let mut packs = statement.query([])?;
    while let Some(row) = packs.next()? {
        let mut bits = 0;
        find_in(row.get_ref(1)?.as_blob()?, &finder, |slot| bits |= 1 << slot).ok_or_else(damaged)?;
        found.push(row.get(0)?, bits);
    }
    if late.is_empty() {
        return Ok(found);
    }
    let holds = |key: &Option<String>| key.as_ref().is_some_and(|key| finder.find(key.as_bytes()).is_some());
    let changed: Ids = late.keys().copied().collect();
    let among: Ids = late.iter().filter(|(_, key)| holds(key)).map(|(id, _)| *id).collect();
    Ok(found.without(&changed).or(&among))
}

/// Whether a search for this finds the contact.
pub(super) fn finds(contact: &Contact, needle: &str) -> bool {
    key(contact).contains(needle)
}

/// One search over all keys of the pack; only where something is found does it matter whose key it is.
fn find_in(pack: &[u8], finder: &Finder<'_>, mut tell: impl FnMut(usize)) -> Option<()> {
    let (mut directory, keys) = split(pack)?;
    let (mut at_slot, mut end, mut from) = (0, 0, 0);
    while let Some(place) = finder.find(keys.get(from..)?) {
        let begins = from + place;
        while begins >= end {
            let (slot, length) = directory.next()?;
            (at_slot, end) = (slot, end + length);
        }
        if begins + finder.needle().len() <= end {
            tell(at_slot);
            from = end;
        } else {
            // It reaches over into the next contact's.
            from = begins + 1;
        }
    }
    Some(())
}

/// The contact at this place in the order of creation, counted from that end. The packs are stepped over, not the rows.
pub(super) fn at_place(connection: &Connection, mut place: u64, from: Direction) -> Result<Option<ContactId>> {
    let sql = format!("SELECT place, contacts FROM search_pack ORDER BY place {}", from.sql());
    let mut seek = || {
        let mut statement = connection.prepare_cached(&sql)?;
        let mut packs = statement.query([])?;
        while let Some(row) = packs.next()? {
            let contacts: u64 = row.get(1)?;
            if place >= contacts {
                place -= contacts;
                continue;
            }
            let pack: i64 = row.get(0)?;
            let bytes: Vec<u8> = connection.prepare_cached(PACK)?.query_row([pack], |row| row.get(0))?;
            let slots: Vec<_> = split(&bytes).ok_or_else(damaged)?.0.map(|(slot, _)| slot as i64).collect();
            let place = usize::try_from(place).unwrap_or(usize::MAX);
            let slot = match from {
                Direction::Ascending => slots.get(place),
                Direction::Descending => slots.iter().rev().nth(place),
            };
            return Ok(Some(ContactId(pack * ROOM + slot.ok_or_else(damaged)?)));
        }
        Ok(None)
    };
    seek().map_err(meaning)
}

const IS_MISSING: &str = "SELECT EXISTS (SELECT 1 FROM contact) AND NOT EXISTS (SELECT 1 FROM search_pack)";
const CONTACTS: &str = concat!("SELECT ", columns!(), " FROM contact ORDER BY id");

/// Packs the contacts of a book that is older than the packs, all in one transaction.
pub(super) fn catch_up(connection: &mut Connection) -> Result<()> {
    if !connection.query_row(IS_MISSING, [], |row| row.get(0)).map_err(meaning)? {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(meaning)?;
    {
        let mut statement = transaction.prepare(CONTACTS).map_err(meaning)?;
        let mut contacts = statement.query_map([], rows::contact).map_err(meaning)?.peekable();
        while contacts.peek().is_some() {
            let keys = contacts.by_ref().take(4096).map(|contact| contact.map(|one| (one.id.0, Some(key(&one)))));
            let keys = keys.collect::<rusqlite::Result<_>>().map_err(meaning)?;
            pack(&transaction, &keys).map_err(meaning)?;
        }
    }
    transaction.commit().map_err(meaning)
}

/// How many contacts are not packed as they are, or packed and are no more.
pub(super) fn disagreements(connection: &Connection) -> Result<u64> {
    let compare = || {
        let mut statement = connection.prepare(CONTACTS)?;
        let mut contacts = statement.query_map([], rows::contact)?;
        let mut statement = connection.prepare("SELECT place, keys, contacts FROM search_pack ORDER BY place")?;
        let mut packs = statement.query([])?;
        let mut wrong = 0;
        let late = late(connection)?;
        let mut contact = contacts.next().transpose()?;
        while let Some(row) = packs.next()? {
            let first = row.get::<_, i64>(0)? * ROOM;
            let Ok(pack) = Pack::read(row.get_ref(1)?.as_blob()?) else {
                wrong += 1;
                continue;
            };
            wrong += u64::from(row.get::<_, usize>(2)? != pack.contacts());
            for (id, packed) in (first..).zip(pack.0) {
                while let Some(missed) = contact.take_if(|contact| contact.id.0 < id) {
                    drop(missed);
                    wrong += 1;
                    contact = contacts.next().transpose()?;
                }
                let own = contact.take_if(|contact| contact.id.0 == id);
                // Packed it must be, and if it has changed since, so it must stand beside.
                wrong += u64::from(packed.is_some() != own.is_some());
                let packed = late.get(&id).map_or(packed, |key| key.as_deref().map(str::as_bytes));
                let is_right = packed == own.as_ref().map(key).as_deref().map(str::as_bytes);
                wrong += u64::from(!is_right);
                if own.is_some() {
                    contact = contacts.next().transpose()?;
                }
            }
        }
        let unpacked = contact.iter().count() + contacts.count();
        Ok(wrong + unpacked as u64)
    };
    compare().map_err(meaning)
}
