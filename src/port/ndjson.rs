//! NDJSON, inward: one JSON object a line, with the fields of the native API's contact, as it shows it or as it takes it.
//! So a line that was exported imports again unchanged. Outward it is the native API's own (`http/v1/port`).

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::{Map, Value};

use super::{
    Values,
    lines::{Line, Lines},
    row::{Draft, Drafting, Empty, Ignored, PLAIN, Row},
};
use crate::domain::Invalid;

/// What of an object is taken as it stands.
const FIELDS: [&str; 25] = [
    "first_name",
    "last_name",
    "name",
    "email",
    "company",
    "description",
    "city",
    "state",
    "zip",
    "address",
    "country_code",
    "country_id",
    "assigned_id",
    "type",
    "source_id",
    "status_id",
    "groups",
    "source",
    "status",
    "group_names",
    "tags",
    "labels",
    "params",
    "opted_in",
    "blocked",
];

pub struct Reader {
    empty: Empty,
    lines: Lines,
    ignored: Ignored,
}

impl Reader {
    pub fn new(empty: Empty) -> Self {
        Self { empty, lines: Lines::default(), ignored: Ignored::default() }
    }

    pub fn ignored(&self) -> &[String] {
        self.ignored.names()
    }

    pub fn feed(&mut self, bytes: &[u8], rows: &mut Vec<Row>) {
        let Self { empty, lines, ignored } = self;
        lines.feed(bytes, |number, line| rows.extend(row(number, &line, *empty, ignored)));
    }

    pub fn end(&mut self, rows: &mut Vec<Row>) {
        let Self { empty, lines, ignored } = self;
        lines.end(|number, line| rows.extend(row(number, &line, *empty, ignored)));
    }
}

/// Blank lines are none.
fn row(number: u64, line: &Line<'_>, empty: Empty, ignored: &mut Ignored) -> Option<Row> {
    let read = match line {
        Line::TooLong(_) => Err(Invalid::new("row", "is larger than 1 MiB")),
        Line::Whole(line) if line.trim_ascii().is_empty() => return None,
        Line::Whole(line) => draft(line, empty, ignored),
    };
    Some(Row { line: number, read })
}

fn draft(line: &[u8], empty: Empty, ignored: &mut Ignored) -> Result<Draft, Invalid> {
    let not_json = |column| Invalid::new("row", format!("is not JSON; see column {column}"));
    let text = std::str::from_utf8(line).map_err(|error| not_json(error.valid_up_to() + 1))?;
    let mut said = Said::default();
    let mut json = serde_json::Deserializer::from_str(text);
    let read = Object { said: &mut said, empty, ignored }.deserialize(&mut json).and_then(|()| json.end());
    read.map_err(
        |error| {
            if error.is_data() { Invalid::new("row", "is not a JSON object") } else { not_json(error.column()) }
        },
    )?;
    let mut drafting = Drafting { fields: said.fields, ..Drafting::default() };
    let phone = match said.phone {
        Some(Value::Number(number)) => Some(number.to_string()),
        phone => string(phone)?,
    };
    let numbers = [string(said.chat_id)?, phone].into_iter().flatten();
    drafting.phones.extend(numbers.map(|text| (PLAIN, text.into())));
    drafting.lid = string(said.lid)?.map(Into::into);
    if let Some(names) = said.names {
        saved(names, empty, &mut drafting.fields);
    }
    say_once(&mut drafting);
    by_numbers_or_names(&mut drafting.fields);
    drafting.finish()
}

fn string(id: Option<Value>) -> Result<Option<String>, Invalid> {
    match id {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Invalid::new("phone", "must be a string")),
    }
}

/// The values of an object, each under its key. What is said twice counts as it is said last.
#[derive(Default)]
struct Said {
    chat_id: Option<Value>,
    phone: Option<Value>,
    lid: Option<Value>,
    names: Option<Value>,
    fields: Values,
}

/// Reads an object into `said`: a million maps of strings would be more work than all the rest.
struct Object<'o> {
    said: &'o mut Said,
    empty: Empty,
    ignored: &'o mut Ignored,
}

impl<'de> DeserializeSeed<'de> for Object<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Object<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        let Self { said, empty, ignored } = self;
        while let Some(key) = map.next_key_seed(KeyOf(&mut *ignored))? {
            match key {
                Key::ChatId => said.chat_id = Some(map.next_value()?),
                Key::Phone => said.phone = Some(map.next_value()?),
                Key::Lid => said.lid = Some(map.next_value()?),
                Key::Names => said.names = Some(map.next_value()?),
                Key::Field(field) => match map.next_value()? {
                    value if !is_empty(&value) => said.fields.set(field, value),
                    _ if empty == Empty::Clears => said.fields.set(field, Value::Null),
                    _ => drop(said.fields.remove(field)),
                },
                Key::Other => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

enum Key {
    ChatId,
    Phone,
    Lid,
    Names,
    Field(&'static str),
    Other,
}

struct KeyOf<'o>(&'o mut Ignored);

impl<'de> DeserializeSeed<'de> for KeyOf<'_> {
    type Value = Key;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Key, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for KeyOf<'_> {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Key, E> {
        Ok(match key {
            "chat_id" => Key::ChatId,
            "phone" => Key::Phone,
            "lid" => Key::Lid,
            "names" => Key::Names,
            key => match FIELDS.iter().find(|known| **known == key) {
                Some(field) => Key::Field(field),
                None => {
                    self.0.note(key);
                    Key::Other
                }
            },
        })
    }
}

/// The shown chat id and the phone are the same one, said twice.
fn say_once(drafting: &mut Drafting<'_>) {
    let plain = |text: &str| text.split('@').next().unwrap_or_default().trim_start_matches('+').to_owned();
    let mut seen: Vec<String> = Vec::new();
    let lid = drafting.lid.as_deref();
    if drafting.phones.len() > 1 {
        drafting.phones.retain(|(_, text)| {
            let (is_lid, plain) = (Some(&**text) == lid, plain(text));
            let is_new = !is_lid && !seen.contains(&plain);
            seen.push(plain);
            is_new
        });
    }
}

/// The name as the API shows it. What the contact calls itself is not the owner's to write.
fn saved(names: Value, empty: Empty, fields: &mut Values) {
    let Value::Object(mut names) = names else { return };
    let mut saved = match names.remove("saved") {
        Some(Value::Object(saved)) => saved,
        _ => Map::new(),
    };
    for (part, field) in [("first", "first_name"), ("last", "last_name")] {
        match saved.remove(part).filter(|part| !is_empty(part)) {
            Some(part) => fields.set(field, part),
            None if empty == Empty::Clears => fields.set(field, Value::Null),
            None => {}
        }
    }
}

/// Of a source's number and its name, the name counts: numbers mean nothing in another book.
fn by_numbers_or_names(fields: &mut Values) {
    for (name, number) in [("source", "source_id"), ("status", "status_id"), ("group_names", "groups")] {
        if fields.get(name).is_some_and(|name| !name.is_null()) {
            fields.remove(number);
        } else if fields.has(number) {
            fields.remove(name);
        }
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(object) => object.is_empty(),
        _ => false,
    }
}
