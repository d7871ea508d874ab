//! Saved names that were replaced: the newest sixteen of each contact, so that a rename can be understood and undone. They
//! lie at the end of the contact's own row.

use foldhash::{HashMap, HashMapExt as _};
use rusqlite::{
    Connection, OptionalExtension,
    functions::{Context, FunctionFlags},
    params,
};

use crate::{
    book::{Reader, Write, fault::meaning},
    domain::{ContactId, Error, Moment, NamePart, Result, Revision, Saved, Source, Stamp},
};

/// A saved name that was replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EarlierName {
    pub saved: Saved,
    /// With which it was replaced.
    pub revision: Revision,
}

/// As it is stored, a line each, newest first: first, last, when it was saved, by whom, and the revision with which it was
/// replaced.
type Stored = (Option<Box<str>>, Option<Box<str>>, i64, String, u64);

const KEPT: usize = 16;

const OF: &str = "SELECT earlier FROM contact WHERE id = ?1";
const SET: &str = "UPDATE contact SET earlier = ?2 WHERE id = ?1";

/// The names that a transaction outdates, as they will be stored.
pub(super) struct Outdated(HashMap<ContactId, String>);

impl Outdated {
    pub(super) fn of(writes: &[Write]) -> Result<Self> {
        let mut names: HashMap<ContactId, String> = HashMap::new();
        for write in writes {
            let Write::Outdate { contact, revision, saved } = write else { continue };
            let newer = line(*revision, saved)?;
            names.entry(*contact).and_modify(|older| *older = format!("{newer}\n{older}")).or_insert(newer);
        }
        Ok(Self(names))
    }

    pub(super) fn take(&mut self, contact: ContactId) -> Option<String> {
        self.0.remove(&contact)
    }
}

fn line(revision: Revision, saved: &Saved) -> Result<String> {
    let part = |part: &Option<NamePart>| part.as_ref().map(|name| name.as_str().into());
    let (at, source) = saved.by.as_ref().map_or((0, "unknown"), |by| (by.at.millis(), by.word()));
    let stored: Stored = (part(&saved.first), part(&saved.last), at, source.to_owned(), revision.number());
    serde_json::to_string(&stored).map_err(Error::internal)
}

/// The newest of these lines; they are moved on as they are, as a line of JSON has no line break in it.
fn newest(newer: &str, older: &str) -> String {
    let mut kept = String::with_capacity(newer.len() + older.len() + 1);
    for line in newer.lines().chain(older.lines()).take(KEPT) {
        if !kept.is_empty() {
            kept.push('\n');
        }
        kept.push_str(line);
    }
    kept
}

/// Lets the update of a row move its names on: `outdated(newer, older)`.
pub(super) fn teach(connection: &Connection) -> Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_DIRECTONLY;
    let outdated = |context: &Context<'_>| {
        let older = context.get_raw(1).as_str_or_null()?.unwrap_or_default();
        Ok(newest(context.get_raw(0).as_str()?, older))
    };
    connection.create_scalar_function("outdated", 2, flags, outdated).map_err(meaning)
}

pub(super) fn outdate(connection: &Connection, contact: ContactId, names: &str) -> Result<()> {
    set(connection, contact, &newest(names, &text_of(connection, contact)?))
}

/// The names of two contacts that became one are one history.
pub(super) fn hand_over(connection: &Connection, from: ContactId, to: ContactId) -> Result<()> {
    let (theirs, ours) = (text_of(connection, from)?, text_of(connection, to)?);
    if theirs.is_empty() {
        return Ok(());
    }
    let mut lines: Vec<_> =
        theirs.lines().chain(ours.lines()).map(|line| Ok((parse(line)?.4, line))).collect::<Result<_>>()?;
    lines.sort_by_key(|(revision, _)| std::cmp::Reverse(*revision));
    let lines: Vec<_> = lines.into_iter().take(KEPT).map(|(_, line)| line).collect();
    set(connection, to, &lines.join("\n"))
}

pub(super) fn of(connection: &Connection, contact: ContactId) -> Result<Vec<EarlierName>> {
    text_of(connection, contact)?.lines().map(|line| parse(line).map(earlier_name)).collect()
}

fn text_of(connection: &Connection, contact: ContactId) -> Result<String> {
    let text: Option<Option<String>> = connection
        .prepare_cached(OF)
        .and_then(|mut statement| statement.query_row([contact.0], |row| row.get(0)).optional())
        .map_err(meaning)?;
    Ok(text.flatten().unwrap_or_default())
}

fn set(connection: &Connection, contact: ContactId, lines: &str) -> Result<()> {
    connection.prepare_cached(SET).and_then(|mut s| s.execute(params![contact.0, lines])).map_err(meaning)?;
    Ok(())
}

fn parse(line: &str) -> Result<Stored> {
    serde_json::from_str(line).map_err(Error::internal)
}

impl Reader {
    /// The saved names that a contact had before, newest first.
    pub fn earlier_names(&self, contact: ContactId) -> Result<Vec<EarlierName>> {
        of(&self.connection, contact)
    }
}

fn earlier_name((first, last, at, source, revision): Stored) -> EarlierName {
    let source = source.parse().unwrap_or(Source::known("unknown"));
    let by = Some(Stamp { at: Moment::from_millis(at), source });
    let part = |text: Option<Box<str>>| text.map(NamePart::trusted);
    EarlierName { saved: Saved { first: part(first), last: part(last), by }, revision: Revision::new(revision) }
}
