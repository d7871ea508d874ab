//! The text that search looks into, once for each contact, packed sixteen to a row in the order of contact ids: narrow
//! enough to be gone through whole at the speed of memory, so that any needle is found, in any script, from one letter
//! on, and counted exactly. Written in the transaction that writes the contact, so it never lags behind. Leaves out how
//! a page is cut from what was found (list). What this costs, and what was weighed against it: docs/search.md.

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use memchr::memmem::Finder;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, functions::FunctionFlags, params, types::Type};

use crate::{
    book::{Direction, fault::meaning, rows, rows::columns},
    domain::{Contact, ContactId, Digits, Result, fold},
};

/// Contact ids to a pack. A pack is read and written whole, and a few should fit into a page of the file.
const ROOM: i64 = 16;

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

/// What a transaction changes of the packs. Each is written once, at the end, however many of its contacts changed.
#[derive(Default)]
pub(super) struct Filing {
    keys: BTreeMap<i64, Option<String>>,
}

impl Filing {
    pub(super) fn file(&mut self, contact: &Contact) {
        self.keys.insert(contact.id.0, Some(key(contact)));
    }

    pub(super) fn take_out(&mut self, contact: ContactId) {
        self.keys.insert(contact.0, None);
    }

    pub(super) fn write(self, connection: &Connection) -> Result<()> {
        if self.keys.is_empty() {
            return Ok(());
        }
        let mut get = connection.prepare_cached(PACK).map_err(meaning)?;
        let mut put = connection.prepare_cached(PUT).map_err(meaning)?;
        let mut keys = self.keys.iter().peekable();
        while let Some((id, _)) = keys.peek() {
            let place = id.div_euclid(ROOM);
            let old: Option<Vec<u8>> = get.query_row([place], |row| row.get(0)).optional().map_err(meaning)?;
            let mut pack = old.as_deref().map_or(Ok(Pack::default()), Pack::read).map_err(meaning)?;
            while let Some((id, key)) = keys.next_if(|(id, _)| id.div_euclid(ROOM) == place) {
                pack.0[slot(*id)] = key.as_deref().map(str::as_bytes);
            }
            let bytes = pack.to_bytes();
            match pack.contacts() {
                0 => connection.prepare_cached(DROP).and_then(|mut drop| drop.execute([place])).map(|_| ()),
                _ if old.as_ref() == Some(&bytes) => Ok(()),
                contacts => put.execute(params![place, contacts, bytes]).map(|_| ()),
            }
            .map_err(meaning)?;
        }
        Ok(())
    }
}

/// The keys of up to sixteen contacts. As bytes: how many; for each, four bytes of its slot and its key's length; the
/// keys without anything between them.
#[derive(Default)]
struct Pack<'p>([Option<&'p [u8]>; ROOM as usize]);

const LENGTH: u32 = (1 << 28) - 1;

impl<'p> Pack<'p> {
    fn read(bytes: &'p [u8]) -> rusqlite::Result<Self> {
        let (directory, mut keys) = split(bytes).ok_or_else(damaged)?;
        let mut pack = Self::default();
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
            bytes.extend(((slot as u32) << 28 | key.len() as u32 & LENGTH).to_le_bytes());
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
    Some((entries.map(|entry| ((entry >> 28) as usize, (entry & LENGTH) as usize)), keys))
}

fn slot(id: i64) -> usize {
    id.rem_euclid(ROOM) as usize
}

fn damaged() -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(1, Type::Blob, "a search pack is malformed".into())
}

const PACKS: &str = "SELECT place, keys FROM search_pack ORDER BY place";

/// The ids of all contacts with this in their text, ascending.
pub(super) fn find(connection: &Connection, needle: &str) -> Result<Arc<[i64]>> {
    let finder = Finder::new(needle);
    let mut found = Vec::new();
    let mut go_through = || {
        let mut statement = connection.prepare_cached(PACKS)?;
        let mut packs = statement.query([])?;
        while let Some(row) = packs.next()? {
            let first = row.get::<_, i64>(0)? * ROOM;
            find_in(row.get_ref(1)?.as_blob()?, &finder, |slot| found.push(first + slot as i64)).ok_or_else(damaged)?;
        }
        Ok(())
    };
    go_through().map_err(meaning)?;
    Ok(found.into())
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

/// What a search has found, where SQL can ask for it: `found(id)`.
#[derive(Default)]
pub(super) struct Found(Arc<Mutex<Arc<[i64]>>>);

impl Found {
    pub(super) fn on(connection: &Connection) -> Result<Self> {
        let found = Self::default();
        let ids = Arc::clone(&found.0);
        let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DIRECTONLY;
        connection
            .create_scalar_function("found", 1, flags, move |context| {
                Ok(lock(&ids).binary_search(&context.get::<i64>(0)?).is_ok())
            })
            .map_err(meaning)?;
        Ok(found)
    }

    /// Asks with these ids, ascending, in hand.
    pub(super) fn holding<T>(&self, ids: &Arc<[i64]>, ask: impl FnOnce() -> T) -> T {
        *lock(&self.0) = Arc::clone(ids);
        let answer = ask();
        *lock(&self.0) = Arc::default();
        answer
    }
}

fn lock(ids: &Mutex<Arc<[i64]>>) -> MutexGuard<'_, Arc<[i64]>> {
    ids.lock().unwrap_or_else(PoisonError::into_inner)
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
        let contacts = statement.query_map([], rows::contact).map_err(meaning)?;
        let mut filing = Filing::default();
        for contact in contacts {
            filing.file(&contact.map_err(meaning)?);
            if filing.keys.len() >= 4096 {
                std::mem::take(&mut filing).write(&transaction)?;
            }
        }
        filing.write(&transaction)?;
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
