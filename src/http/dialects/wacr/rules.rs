//! WA.cr's rules for the fields of a body: what each may be. A body is read as JSON first and by these rules then, so that
//! all fields that are wrong are told at once; what is said of them stands in `wrongs`.

use std::str::FromStr;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::wrongs::{Wrong, Wrongs};
use crate::domain::{ChatId, Digits, Field, Kind, NamePart};

/// A JSON object. Fields that nobody asks for are dropped; said twice, the last one counts.
#[derive(Debug, Default, Deserialize)]
#[serde(transparent)]
pub struct Fields(Map<String, Value>);

/// `Err` is kept aside and the field left as it is: whoever reads on must look at the wrongs in the end.
pub struct Form<'f> {
    fields: &'f Fields,
    wrongs: Wrongs,
    /// On a create, what is required must be there; in a change it must only not be emptied.
    pub is_new: bool,
}

impl Fields {
    pub fn of(value: &Value) -> Option<Self> {
        value.as_object().cloned().map(Self)
    }

    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.0.remove(name);
        self
    }

    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }
}

impl<'f> Form<'f> {
    pub fn new(fields: &'f Fields, is_new: bool) -> Self {
        Self { fields, wrongs: Wrongs::default(), is_new }
    }

    pub fn finish<T>(self, read: T) -> Result<T, Wrongs> {
        if self.wrongs.is_empty() { Ok(read) } else { Err(self.wrongs) }
    }

    /// Text that cannot be taken away.
    pub fn required<T>(&mut self, name: &'static str, read: impl FnOnce(&Value) -> Result<T, Wrong>) -> Option<T> {
        let read = match self.fields.get(name) {
            None if !self.is_new => return None,
            None => Err(Wrong::Required),
            Some(value) if is_empty(value) => Err(Wrong::Required),
            Some(value) => read(value),
        };
        self.keep(name, read)
    }

    /// A field that null and the empty text clear.
    pub fn nullable<T>(&mut self, name: &'static str, read: impl FnOnce(&Value) -> Result<T, Wrong>) -> Field<T> {
        match self.fields.get(name) {
            None => Field::Keep,
            Some(value) if is_empty(value) => Field::Clear,
            Some(value) => self.keep(name, read(value)).map_or(Field::Keep, Field::Set),
        }
    }

    /// The contact's groups: null keeps them.
    pub fn groups(&mut self, name: &'static str) -> Field<Vec<i64>> {
        match self.fields.get(name) {
            None | Some(Value::Null) => Field::Keep,
            Some(value) => {
                let mut ids = self.ids(name, value).unwrap_or_default();
                ids.sort_unstable();
                ids.dedup();
                if ids.is_empty() { Field::Clear } else { Field::Set(ids) }
            }
        }
    }

    /// A list of at least one number, as sent.
    pub fn some_ids(&mut self, name: &'static str) -> Vec<i64> {
        match self.fields.get(name) {
            Some(value) if !is_empty(value) && value.as_array().is_none_or(|list| !list.is_empty()) => {
                self.ids(name, value).unwrap_or_default()
            }
            _ => {
                self.wrongs.add(name, Wrong::Required);
                Vec::new()
            }
        }
    }

    /// A list of numbers, which may be empty but must be there.
    pub fn any_ids(&mut self, name: &'static str) -> Vec<i64> {
        match self.fields.get(name) {
            Some(Value::Array(list)) if list.is_empty() => Vec::new(),
            _ => self.some_ids(name),
        }
    }

    fn ids(&mut self, name: &'static str, value: &Value) -> Option<Vec<i64>> {
        let Some(list) = value.as_array() else {
            self.wrongs.add(name, Wrong::NotList);
            return None;
        };
        for (place, _) in list.iter().enumerate().filter(|(_, value)| whole(value).is_err()).take(MOST_TOLD) {
            self.wrongs.add(format!("{name}.{place}"), Wrong::NotWhole);
        }
        list.iter().map(|value| whole(value).ok()).collect()
    }

    fn keep<T>(&mut self, name: &'static str, read: Result<T, Wrong>) -> Option<T> {
        read.map_err(|wrong| self.wrongs.add(name, wrong)).ok()
    }
}

/// Of a list whose items are wrong, so many are told.
const MOST_TOLD: usize = 20;

/// Null, and text of nothing but blanks, which the vendor's framework turns into null.
fn is_empty(value: &Value) -> bool {
    value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty())
}

pub fn text(most: usize) -> impl Fn(&Value) -> Result<Box<str>, Wrong> {
    move |value| {
        let text = value.as_str().ok_or(Wrong::NotText)?;
        if text.chars().nth(most).is_some() { Err(Wrong::TooLong(most)) } else { Ok(text.into()) }
    }
}

pub fn name(value: &Value) -> Result<NamePart, Wrong> {
    let text = text(NamePart::MOST)(value)?;
    // Neither too long nor blank, so this is all that is left to be wrong with it.
    NamePart::parse(&text, "name").ok().flatten().ok_or(Wrong::ControlCharacters)
}

pub fn phone(value: &Value) -> Result<Digits, Wrong> {
    match text(20)(value)?.parse() {
        Ok(ChatId::Phone(digits)) => Ok(digits),
        _ => Err(Wrong::NotPhone),
    }
}

/// One `@` with something on both sides and no blanks: whether mail arrives there is another question.
pub fn email(value: &Value) -> Result<Box<str>, Wrong> {
    let email = text(191)(value)?;
    let is_plain = |part: &str| !part.is_empty() && !part.chars().any(|c| c.is_whitespace() || c.is_control());
    match email.split_once('@') {
        Some((user, host)) if is_plain(user) && is_plain(host) && !host.contains('@') => Ok(email),
        _ => Err(Wrong::NotEmail),
    }
}

pub fn kind(value: &Value) -> Result<Kind, Wrong> {
    value.as_str().and_then(|word| Kind::from_str(word).ok()).ok_or(Wrong::NotChoice)
}

/// A whole number, which the vendor's framework also takes as text.
pub fn whole(value: &Value) -> Result<i64, Wrong> {
    let number = match value {
        Value::String(text) => text.trim().parse().ok(),
        number => crate::http::fields::whole(number),
    };
    number.ok_or(Wrong::NotWhole)
}

/// `#RRGGBB`
pub fn color(value: &Value) -> Result<Box<str>, Wrong> {
    let color = value.as_str().ok_or(Wrong::NotColor)?;
    let digits = color.strip_prefix('#').filter(|digits| digits.len() == 6);
    let is_hex = digits.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
    if is_hex { Ok(color.into()) } else { Err(Wrong::NotColor) }
}

pub fn flag(value: &Value) -> Result<bool, Wrong> {
    match value {
        Value::Bool(flag) => Ok(*flag),
        Value::Number(number) if number.as_i64() == Some(0) => Ok(false),
        Value::Number(number) if number.as_i64() == Some(1) => Ok(true),
        Value::String(text) if text == "0" => Ok(false),
        Value::String(text) if text == "1" => Ok(true),
        _ => Err(Wrong::NotFlag),
    }
}
