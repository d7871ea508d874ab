//! A row as every format yields it: where it stood, and whom it names with what it says of them, in the field names of the
//! native API; or why it is none. And how it is put together from cells or properties. Leaves out whether a value is right.

use std::{borrow::Cow, collections::BTreeMap};

use serde_json::Value;

use super::{Values, number::chat_id};
use crate::domain::{ChatId, Contact, Digits, Invalid, Register};

#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The first of its lines in the file, from 1.
    pub line: u64,
    pub read: Result<Draft, Invalid>,
}

/// What an empty cell means, a null, an empty list: nothing, or that there shall be nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Empty {
    #[default]
    Keeps,
    Clears,
}

/// A contact as a file tells of it. `fields` are those of the native API, and `source`, `status` and `group_names`, which
/// are names.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    pub who: ChatId,
    /// Where both were given: they are one person.
    pub also: Option<ChatId>,
    /// Numbers beside the one that was taken.
    pub further_phones: u64,
    pub fields: Values,
}

/// How good a number is that a file gives: the lowest is taken.
pub(super) type Rank = u8;
pub(super) const SURE: Rank = 0;
pub(super) const MOBILE: Rank = 1;
pub(super) const PLAIN: Rank = 2;
pub(super) const UNLIKELY: Rank = 3;

/// By the label that a file has on a number.
pub(super) fn rank(label: &str) -> Rank {
    if label.is_empty() {
        return PLAIN;
    }
    let label = label.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| label.contains(word));
    if has(&["cell", "mobile", "iphone", "whatsapp", "handy", "mobil", "móvil"]) {
        MOBILE
    } else if has(&["fax", "pager"]) {
        UNLIKELY
    } else {
        PLAIN
    }
}

/// A row that is being put together.
#[derive(Default)]
pub(super) struct Drafting<'t> {
    pub(super) phones: Vec<(Rank, Cow<'t, str>)>,
    pub(super) lid: Option<Cow<'t, str>>,
    /// A name by its parts counts more than one written whole.
    pub(super) whole: Option<String>,
    pub(super) middle: Option<String>,
    /// A country as a word goes to the end of the address.
    pub(super) country: Option<String>,
    pub(super) fields: Values,
}

impl Drafting<'_> {
    pub(super) fn finish(mut self) -> Result<Draft, Invalid> {
        let (who, also, further_phones) = self.whose()?;
        self.name();
        if let Some(country) = self.country.take().filter(|country| !country.trim().is_empty()) {
            self.place(country.trim());
        }
        Ok(Draft { who, also, further_phones, fields: self.fields })
    }

    /// The best number that is one, and the LID.
    fn whose(&mut self) -> Result<(ChatId, Option<ChatId>, u64), Invalid> {
        self.phones.sort_by_key(|(rank, _)| *rank);
        let lid = match self.lid.as_deref().map(str::trim).filter(|text| !text.is_empty()) {
            Some(text) if text.contains('@') => Some(chat_id(text)?),
            Some(text) => Some(ChatId::lid(text)?),
            None => None,
        };
        let mut refusal = None;
        for (_, text) in &self.phones {
            match chat_id(text) {
                Ok(phone) => {
                    let also = lid.filter(|lid| phone.is_phone() && !lid.is_phone());
                    return Ok((phone, also, self.phones.len() as u64 - 1));
                }
                Err(invalid) => refusal = refusal.or(Some(invalid)),
            }
        }
        match (lid, refusal) {
            (Some(lid), None) => Ok((lid, None, 0)),
            (_, Some(refusal)) => Err(refusal),
            (None, None) => Err(Invalid::new("phone", "is missing, and there is no LID either")),
        }
    }

    fn name(&mut self) {
        if let Some(middle) = self.middle.take().filter(|middle| !middle.trim().is_empty()) {
            let first = self.fields.get("first_name").and_then(Value::as_str).unwrap_or_default();
            let first = format!("{first} {middle}").trim().to_owned();
            self.fields.set("first_name", first);
        }
        let has_part = ["first_name", "last_name"]
            .iter()
            .any(|part| self.fields.get(part).is_some_and(|part| part.as_str().is_some_and(|part| !part.is_empty())));
        if let Some(whole) = self.whole.take().filter(|_| !has_part) {
            self.fields.remove("first_name");
            self.fields.remove("last_name");
            self.fields.set("name", whole);
        } else if has_part {
            self.fields.remove("name");
        }
    }

    fn place(&mut self, country: &str) {
        if country.len() == 2 && country.bytes().all(|byte| byte.is_ascii_alphabetic()) {
            self.fields.set("country_code", country.to_ascii_uppercase());
            return;
        }
        let address = match self.fields.get("address").and_then(Value::as_str) {
            Some(address) => format!("{address}, {country}"),
            None => country.to_owned(),
        };
        self.fields.set("address", address);
    }
}

/// What a file says on several lines, on one.
pub(super) fn one_line<'t>(text: impl Into<Cow<'t, str>>) -> String {
    let text = text.into();
    if !text.contains(['\n', '\r']) {
        return text.into_owned();
    }
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join(", ")
}

/// The names of a book's groups, sources and statuses, by which files know them: numbers mean nothing in another book.
#[derive(Debug, Clone, Default)]
pub struct Listed {
    names: BTreeMap<(u8, i64), Box<str>>,
}

impl Listed {
    pub fn add(&mut self, register: Register, id: i64, name: &str) {
        self.names.insert((register as u8, id), name.into());
    }

    fn name(&self, register: Register, id: i64) -> Option<&str> {
        self.names.get(&(register as u8, id)).map(|name| &**name)
    }

    pub fn source(&self, contact: &Contact) -> Option<&str> {
        contact.card.source_id.and_then(|id| self.name(Register::Sources, id))
    }

    pub fn status(&self, contact: &Contact) -> Option<&str> {
        contact.card.status_id.and_then(|id| self.name(Register::Statuses, id))
    }

    pub fn groups(&self, contact: &Contact) -> Vec<&str> {
        contact.card.groups.iter().flatten().filter_map(|id| self.name(Register::Groups, *id)).collect()
    }
}

/// As it stands in a file's cell or property: without the `@lid`.
pub(super) fn digits(digits: Option<&Digits>) -> &str {
    digits.map(Digits::as_str).unwrap_or_default()
}

/// What was not taken, each once, and not more than could be told.
#[derive(Default)]
pub(super) struct Ignored(Vec<String>);

impl Ignored {
    const MOST: usize = 100;

    pub(super) fn note(&mut self, name: &str) {
        if self.0.len() < Self::MOST && !self.0.iter().any(|known| known == name) {
            self.0.push(name.chars().take(100).collect());
        }
    }

    pub(super) fn names(&self) -> &[String] {
        &self.0
    }
}
