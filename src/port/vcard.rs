//! vCard 2.1, 3.0 and 4.0, inward. Cards are told apart here, as bytes arrive: lines are unfolded, pictures and sounds are
//! left out before they cost memory, other encodings than UTF-8 are guessed at; a card as a whole is then `calcard`'s to
//! parse. Leaves out writing (`vcard_out`).

use std::{
    borrow::Cow,
    panic::{AssertUnwindSafe, catch_unwind},
};

use calcard::{
    Entry, Parser,
    vcard::{VCard, VCardEntry, VCardParameterName, VCardProperty, VCardValue},
};
use serde_json::Value;

use super::{
    ROW_MOST,
    lines::{Line, Lines},
    row::{Draft, Drafting, Empty, Ignored, Rank, Row, SURE, one_line, rank},
};
use crate::domain::Invalid;

/// Properties of ours, for what vCard has no word for.
pub(super) const LID: &str = "X-WABOOK-LID";
pub(super) const UNNAMED: &str = "X-WABOOK-UNNAMED";
pub(super) const PARAMS: &str = "X-WABOOK-PARAMS";

/// Of ours: the property, the field, and how its value is read.
pub(super) const OURS: [(&str, &str, Kind); 10] = [
    ("X-WABOOK-TYPE", "type", Kind::Text),
    ("X-WABOOK-COUNTRY-ID", "country_id", Kind::Json),
    ("X-WABOOK-ASSIGNED-ID", "assigned_id", Kind::Json),
    ("X-WABOOK-SOURCE", "source", Kind::Text),
    ("X-WABOOK-STATUS", "status", Kind::Text),
    ("X-WABOOK-GROUPS", "group_names", Kind::Json),
    ("X-WABOOK-LABELS", "labels", Kind::Json),
    (PARAMS, "params", Kind::Json),
    ("X-WABOOK-OPTED-IN", "opted_in", Kind::Json),
    ("X-WABOOK-BLOCKED", "blocked", Kind::Json),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Json,
}

/// Large, and nothing that a book keeps.
const LEFT_OUT: [&str; 4] = ["PHOTO", "LOGO", "SOUND", "KEY"];

pub struct Reader {
    empty: Empty,
    lines: Lines,
    cards: Cards,
    ignored: Ignored,
}

impl Reader {
    pub fn new(empty: Empty) -> Self {
        Self { empty, lines: Lines::default(), cards: Cards::default(), ignored: Ignored::default() }
    }

    pub fn ignored(&self) -> &[String] {
        self.ignored.names()
    }

    pub fn feed(&mut self, bytes: &[u8], rows: &mut Vec<Row>) {
        let Self { empty, lines, cards, ignored } = self;
        lines.feed(bytes, |number, line| cards.line(number, &line, *empty, ignored, rows));
    }

    pub fn end(&mut self, rows: &mut Vec<Row>) {
        let Self { empty, lines, cards, ignored } = self;
        lines.end(|number, line| cards.line(number, &line, *empty, ignored, rows));
        cards.unfolded(*empty, ignored, rows);
        cards.give_up(rows);
    }
}

/// The card under way.
#[derive(Default)]
struct Cards {
    /// The line under way, unfolded: a fold may stand within a letter.
    line: Vec<u8>,
    number: u64,
    is_left_out: bool,
    /// The card's text, and where it began.
    card: String,
    began: Option<u64>,
    is_too_large: bool,
}

impl Cards {
    fn line(&mut self, number: u64, line: &Line<'_>, empty: Empty, ignored: &mut Ignored, rows: &mut Vec<Row>) {
        let (line, is_too_long) = match line {
            Line::Whole(line) => (*line, false),
            Line::TooLong(beginning) => (*beginning, true),
        };
        if let Some((b' ' | b'\t', rest)) = line.split_first() {
            self.is_too_large |= !self.is_left_out && (is_too_long || self.line.len() + rest.len() > ROW_MOST);
            if !self.is_left_out && !self.is_too_large {
                self.line.extend_from_slice(rest);
            }
            return;
        }
        self.unfolded(empty, ignored, rows);
        self.number = number;
        let name = line.split(|byte| matches!(byte, b':' | b';')).next().unwrap_or_default();
        let name = name.rsplit(|byte| *byte == b'.').next().unwrap_or_default();
        let left_out = LEFT_OUT.iter().find(|known| name.eq_ignore_ascii_case(known.as_bytes()));
        self.is_left_out = left_out.is_some();
        match left_out {
            Some(name) => ignored.note(name),
            None => {
                self.is_too_large |= is_too_long;
                self.line.extend_from_slice(line);
            }
        }
    }

    /// The line under way is whole: another has begun.
    fn unfolded(&mut self, empty: Empty, ignored: &mut Ignored, rows: &mut Vec<Row>) {
        let mut line = std::mem::take(&mut self.line);
        self.whole(&line, empty, ignored, rows);
        line.clear();
        // One long line must not keep its memory for the rest of the file.
        line.shrink_to(64 * 1024);
        self.line = line;
    }

    fn whole(&mut self, line: &[u8], empty: Empty, ignored: &mut Ignored, rows: &mut Vec<Row>) {
        let is = |what: &[u8]| line.trim_ascii().eq_ignore_ascii_case(what);
        if is(b"BEGIN:VCARD") {
            self.give_up(rows);
            self.began = Some(self.number);
        }
        if self.began.is_none() {
            return;
        }
        let text = decoded(line);
        if self.card.len() + text.len() > ROW_MOST {
            self.is_too_large = true;
            self.card.clear();
        }
        if !self.is_too_large && !text.is_empty() {
            self.card.push_str(&text);
            self.card.push_str("\r\n");
        }
        if is(b"END:VCARD") {
            let mut card = std::mem::take(&mut self.card);
            let too_large = || Err(Invalid::new("card", "is larger than 1 MiB"));
            let read = if self.is_too_large {
                too_large()
            } else {
                parsed(&card).and_then(|card| draft(&card, empty, ignored))
            };
            rows.push(Row { line: self.began.take().unwrap_or(self.number), read });
            self.is_too_large = false;
            card.clear();
            card.shrink_to(64 * 1024);
            self.card = card;
        }
    }

    /// A card that began and did not end.
    fn give_up(&mut self, rows: &mut Vec<Row>) {
        self.card.clear();
        self.is_too_large = false;
        if let Some(line) = self.began.take() {
            rows.push(Row { line, read: Err(Invalid::new("card", "has no END:VCARD")) });
        }
    }
}

/// What is not UTF-8 comes from an old phone or a Windows program.
fn decoded(line: &[u8]) -> Cow<'_, str> {
    const WINDOWS: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}', '‘',
        '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
    ];
    match std::str::from_utf8(line) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => {
            let letter = |byte: &u8| match byte {
                0x80..=0x9f => WINDOWS[usize::from(byte - 0x80)],
                byte => char::from(*byte),
            };
            Cow::Owned(line.iter().map(letter).collect())
        }
    }
}

/// Another's parser reads what strangers wrote: should it ever panic, it is this card that is refused.
fn parsed(card: &str) -> Result<VCard, Invalid> {
    match catch_unwind(AssertUnwindSafe(|| Parser::new(card).entry())) {
        Ok(Entry::VCard(card)) => Ok(card),
        _ => Err(Invalid::new("card", "is not a vCard")),
    }
}

fn draft(card: &VCard, empty: Empty, ignored: &mut Ignored) -> Result<Draft, Invalid> {
    let mut drafting = Drafting::default();
    let mut is_unnamed = false;
    for entry in &card.entries {
        match &entry.name {
            VCardProperty::N => name(entry, &mut drafting),
            VCardProperty::Fn => drafting.whole = drafting.whole.take().or_else(|| part(entry, 0)),
            VCardProperty::Tel => phone(entry, &mut drafting),
            VCardProperty::Email => set("email", filled(text(entry).trim()), empty, &mut drafting),
            VCardProperty::Org => set("company", part(entry, 0), empty, &mut drafting),
            VCardProperty::Note => set("description", filled(&text(entry)), empty, &mut drafting),
            VCardProperty::Adr => address(entry, &mut drafting),
            VCardProperty::Categories => {
                let tags: Vec<_> = entry.values.iter().filter_map(VCardValue::as_text).filter_map(filled).collect();
                set("tags", Some(tags).filter(|tags| !tags.is_empty()), empty, &mut drafting);
            }
            VCardProperty::Other(name) if name.eq_ignore_ascii_case(LID) => {
                drafting.lid = filled(&text(entry)).map(Cow::Owned);
            }
            VCardProperty::Other(name) if name.eq_ignore_ascii_case(UNNAMED) => is_unnamed = true,
            VCardProperty::Other(name) => match OURS.iter().find(|(known, ..)| known.eq_ignore_ascii_case(name)) {
                Some((_, field, kind)) => {
                    set(field, filled(&text(entry)).map(|text| ours(*kind, text)), empty, &mut drafting);
                }
                None => ignored.note(name),
            },
            // What every card has, and says nothing of a person.
            VCardProperty::Begin
            | VCardProperty::End
            | VCardProperty::Version
            | VCardProperty::Prodid
            | VCardProperty::Rev
            | VCardProperty::Uid => {}
            other => ignored.note(other.as_str()),
        }
    }
    if is_unnamed {
        drafting.whole = None;
    }
    drafting.finish()
}

fn set<V: Into<Value>>(field: &'static str, value: Option<V>, empty: Empty, drafting: &mut Drafting<'_>) {
    let is_free = drafting.fields.get(field).is_none_or(Value::is_null);
    match value {
        Some(value) if is_free => drafting.fields.set(field, value),
        None if empty == Empty::Clears => drafting.fields.set_if_new(field, Value::Null),
        _ => {}
    }
}

/// What is no JSON stays a text, and is refused as one.
fn ours(kind: Kind, text: String) -> Value {
    match kind {
        Kind::Text => text.into(),
        Kind::Json => serde_json::from_str(&text).unwrap_or(Value::String(text)),
    }
}

/// Family; given; additional; prefixes; suffixes.
fn name(entry: &VCardEntry, drafting: &mut Drafting<'_>) {
    for (place, field) in [(1, "first_name"), (0, "last_name")] {
        if let Some(part) = part(entry, place) {
            drafting.fields.set(field, part);
        }
    }
    drafting.middle = part(entry, 2);
}

/// WhatsApp writes the number that it knows beside the one that the owner typed: the first is surer.
fn phone(entry: &VCardEntry, drafting: &mut Drafting<'_>) {
    let mut best: Rank = rank("");
    for parameter in &entry.params {
        match &parameter.name {
            VCardParameterName::Other(name) if name.eq_ignore_ascii_case("waid") => {
                if let Some(number) = parameter.value.as_text().and_then(filled) {
                    return drafting.phones.push((SURE, number.into()));
                }
            }
            // In 2.1 a type stands by itself.
            VCardParameterName::Type => best = better(best, rank(parameter.value.as_text().unwrap_or_default())),
            VCardParameterName::Other(name) => best = better(best, rank(name)),
            _ => {}
        }
    }
    if let Some(number) = filled(&text(entry)) {
        drafting.phones.push((best, number.into()));
    }
}

fn better(one: Rank, other: Rank) -> Rank {
    if other == rank("") { one } else { other }
}

/// Post box; extended; street; city; region; code; country.
fn address(entry: &VCardEntry, drafting: &mut Drafting<'_>) {
    let part = |place| part(entry, place);
    let streets: Vec<_> = [2, 1, 0].into_iter().filter_map(part).collect();
    let places = [("address", filled(&streets.join(", "))), ("city", part(3)), ("state", part(4)), ("zip", part(5))];
    if ["address", "city", "state", "zip"].iter().any(|field| drafting.fields.has(field)) {
        return;
    }
    for (field, value) in places {
        if let Some(value) = value {
            drafting.fields.set(field, value);
        }
    }
    drafting.country = part(6);
}

fn filled(text: &str) -> Option<String> {
    (!text.trim().is_empty()).then(|| text.to_owned())
}

fn text(entry: &VCardEntry) -> Cow<'_, str> {
    component(entry, 0)
}

/// On one line.
fn part(entry: &VCardEntry, place: usize) -> Option<String> {
    let text = component(entry, place);
    (!text.trim().is_empty()).then(|| one_line(text))
}

/// In vCard 2.1 a comma is a letter like any other.
fn component(entry: &VCardEntry, place: usize) -> Cow<'_, str> {
    match entry.values.get(place) {
        Some(VCardValue::Component(parts)) => parts.join(",").into(),
        Some(value) => value.as_text().unwrap_or_default().into(),
        None => Cow::Borrowed(""),
    }
}
