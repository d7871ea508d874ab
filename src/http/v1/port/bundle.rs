//! From rows to edits, and from what came of the edits back to rows. A row that gives a phone and a LID is two edits: that
//! they are one person, then what is saved of them.

use serde_json::Value;

use super::{registers::Named, report::ImportReport};
use crate::{
    domain::{Act, Change, ChatId, Edit, Error, Invalid, Moment, NamePart, Outcome, Patch, Require, Result, Source},
    http::{
        fields::Fields,
        v1::contacts::written::{Missing, patch},
    },
    port::{Draft, Row, Values},
};

const SOURCE: Source = Source::known("import");

/// A row that makes sense by itself; or why it makes none.
pub struct Prepared {
    pub line: u64,
    pub read: Result<Wanted, Invalid>,
}

pub struct Wanted {
    who: ChatId,
    also: Option<ChatId>,
    further_phones: u64,
    pub patch: Box<Patch>,
    pub named: Named,
}

pub fn prepare(Row { line, read }: Row) -> Prepared {
    Prepared { line, read: read.and_then(wanted) }
}

fn wanted(Draft { who, also, further_phones, mut fields }: Draft) -> Result<Wanted, Invalid> {
    let named = Named {
        source: name(&mut fields, "source", "source_id")?,
        status: name(&mut fields, "status", "status_id")?,
        groups: names(&mut fields)?,
    };
    // In a box from here on: it goes from thread to thread, and is large.
    let patch = Box::new(patch(&Fields::of(fields), Missing::Keeps)?);
    Ok(Wanted { who, also, further_phones, patch, named })
}

/// Null clears, as it does for the number.
fn name(fields: &mut Values, key: &'static str, number: &'static str) -> Result<Option<NamePart>, Invalid> {
    match fields.remove(key) {
        None => Ok(None),
        Some(Value::Null) => {
            fields.set_if_new(number, Value::Null);
            Ok(None)
        }
        Some(Value::String(text)) => NamePart::parse(&text, key),
        Some(_) => Err(Invalid::new(key, "must be a string")),
    }
}

fn names(fields: &mut Values) -> Result<Vec<NamePart>, Invalid> {
    const KEY: &str = "group_names";
    let refused = || Invalid::new("groups", "must be names");
    match fields.remove(KEY) {
        None => Ok(Vec::new()),
        Some(Value::Null) => {
            fields.set_if_new("groups", Value::Null);
            Ok(Vec::new())
        }
        Some(Value::Array(names)) => names
            .iter()
            .map(|name| NamePart::parse(name.as_str().ok_or_else(refused)?, "groups")?.ok_or_else(refused))
            .collect(),
        Some(_) => Err(refused()),
    }
}

/// Rows that are carried out in one commit.
pub struct Bundle {
    edits: Vec<Edit>,
    rows: Vec<Waiting>,
}

/// A row that waits for what comes of its edits.
struct Waiting {
    line: u64,
    further_phones: u64,
    is_pair: bool,
}

impl Bundle {
    pub fn of(rows: usize) -> Self {
        Self { edits: Vec::with_capacity(rows), rows: Vec::with_capacity(rows) }
    }

    pub fn add(&mut self, line: u64, wanted: Wanted) {
        let Wanted { who, also, further_phones, patch, .. } = wanted;
        let at = Moment::from_millis(0);
        let pair = match (who, also) {
            (ChatId::Phone(phone), Some(ChatId::Lid(lid))) => Some(Edit::learn(lid, phone, at, SOURCE)),
            _ => None,
        };
        self.rows.push(Waiting { line, further_phones, is_pair: pair.is_some() });
        // First who it is: so a new contact has both from the beginning.
        self.edits.extend(pair);
        let require = Require { references: true, ..Require::default() };
        self.edits.push(Edit::new(who, Act::Save(patch), at, SOURCE).requiring(require));
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// All of it happens now.
    pub fn take_edits(&mut self, at: Moment) -> Vec<Edit> {
        self.edits.iter_mut().for_each(|edit| edit.at = at);
        std::mem::take(&mut self.edits)
    }

    /// The outcomes belong, in order, to the edits; what is behind them belongs to nobody.
    pub fn tell(self, outcomes: Vec<Result<Outcome>>, report: &mut ImportReport) {
        let mut outcomes = outcomes.into_iter();
        let mut next = || outcomes.next().unwrap_or(Err(Error::OutcomeUnknown)).map(|outcome| outcome.change);
        for Waiting { line, further_phones, is_pair } in self.rows {
            let learned = if is_pair { next() } else { Ok(Change::Unchanged) };
            match (learned, next()) {
                (Err(error), _) | (_, Err(error)) => report.failed(line, error),
                (Ok(learned), Ok(saved)) => report.done(line, both(learned, saved), further_phones),
            }
        }
    }
}

fn both(learned: Change, saved: Change) -> Change {
    match (learned, saved) {
        (Change::Merged, _) => Change::Merged,
        (_, Change::Created) => Change::Created,
        (Change::Updated, _) => Change::Updated,
        (_, saved) => saved,
    }
}
