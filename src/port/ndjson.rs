//! NDJSON, inward: one JSON object a line, with the fields of the native API's contact, as it shows it or as it takes it.
//! So a line that was exported imports again unchanged. Outward it is the native API's own (`http/v1/port`).

use serde_json::{Map, Value};

use super::{
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
    let object: Map<String, Value> = serde_json::from_slice(line).map_err(|error| {
        let why = if error.is_data() {
            "is not a JSON object".to_owned()
        } else {
            format!("is not JSON; see column {}", error.column())
        };
        Invalid::new("row", why)
    })?;
    let mut drafting = Drafting::default();
    for (key, value) in object {
        match (&*key, value) {
            ("phone" | "chat_id", Value::String(text)) => drafting.phones.push((PLAIN, text.into())),
            ("lid", Value::String(text)) => drafting.lid = Some(text.into()),
            ("phone" | "chat_id" | "lid", Value::Null) => {}
            ("phone", Value::Number(number)) => drafting.phones.push((PLAIN, number.to_string().into())),
            ("phone" | "chat_id" | "lid", _) => return Err(Invalid::new("phone", "must be a string")),
            ("names", names) => saved(names, empty, &mut drafting.fields),
            (key, value) if FIELDS.contains(&key) => {
                if !is_empty(&value) {
                    drafting.fields.insert(key.to_owned(), value);
                } else if empty == Empty::Clears {
                    drafting.fields.insert(key.to_owned(), Value::Null);
                }
            }
            (key, _) => ignored.note(key),
        }
    }
    say_once(&mut drafting);
    by_numbers_or_names(&mut drafting.fields);
    drafting.finish()
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
fn saved(names: Value, empty: Empty, fields: &mut Map<String, Value>) {
    let Value::Object(mut names) = names else { return };
    let mut saved = match names.remove("saved") {
        Some(Value::Object(saved)) => saved,
        _ => Map::new(),
    };
    for (part, field) in [("first", "first_name"), ("last", "last_name")] {
        match saved.remove(part).filter(|part| !is_empty(part)) {
            Some(part) => drop(fields.insert(field.to_owned(), part)),
            None if empty == Empty::Clears => drop(fields.insert(field.to_owned(), Value::Null)),
            None => {}
        }
    }
}

/// Of a source's number and its name, the name counts: numbers mean nothing in another book.
fn by_numbers_or_names(fields: &mut Map<String, Value>) {
    for (name, number) in [("source", "source_id"), ("status", "status_id"), ("group_names", "groups")] {
        if fields.get(name).is_some_and(|name| !name.is_null()) {
            fields.remove(number);
        } else if fields.contains_key(number) {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str, empty: Empty) -> (Vec<Row>, Vec<String>) {
        let (mut reader, mut rows) = (Reader::new(empty), Vec::new());
        reader.feed(text.as_bytes(), &mut rows);
        reader.end(&mut rows);
        (rows, reader.ignored().to_vec())
    }

    #[test]
    fn each_line_is_a_row_by_itself() {
        let text = "\u{feff}{\"phone\": \"+49 170 1\"}\r\n\n[1]\n{\"lid\": \"123@lid\", \"id\": 7}\n{\"phone\": 4917012, \"x\": 1}\n{\n{}";
        let (rows, ignored) = read(text, Empty::Keeps);
        let told: Vec<_> = rows
            .iter()
            .map(|row| match &row.read {
                Ok(draft) => (row.line, draft.who.to_string()),
                Err(invalid) => (row.line, invalid.to_string()),
            })
            .collect();
        assert_eq!(told[0], (1, "491701@c.us".into()));
        assert_eq!(told[1], (3, "row is not a JSON object".into()));
        assert_eq!(told[2], (4, "123@lid".into()));
        assert_eq!(told[3], (5, "4917012@c.us".into()));
        assert!(told[4].1.starts_with("row is not JSON"), "{told:?}");
        assert!(told[5].1.starts_with("phone is missing"), "{told:?}");
        assert_eq!(ignored, ["id", "x"]);
    }

    #[test]
    fn a_contact_as_it_is_shown_is_taken_by_its_names() {
        let shown = r#"{"chat_id": "4917012@c.us", "phone": "4917012", "lid": "777@lid", "display": "Bob",
            "names": {"saved": {"first": "Bob", "last": null, "full": "Bob"}, "push": {"name": "B"}},
            "source_id": 7, "source": "Web", "groups": [3], "group_names": [], "tags": [], "email": null}"#
            .replace('\n', " ");
        let (rows, _) = read(&shown, Empty::Keeps);
        let draft = rows[0].read.as_ref().unwrap();
        assert_eq!((draft.who.to_string(), draft.also.unwrap().to_string()), ("4917012@c.us".into(), "777@lid".into()));
        assert_eq!(draft.further_phones, 0);
        assert_eq!(
            Value::from(draft.fields.clone()),
            serde_json::json!({"first_name": "Bob", "source": "Web", "groups": [3]})
        );
        let (rows, _) = read(&shown, Empty::Clears);
        let fields = &rows[0].read.as_ref().unwrap().fields;
        assert_eq!(
            (&fields["last_name"], &fields["tags"], &fields["email"]),
            (&Value::Null, &Value::Null, &Value::Null)
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let (mut reader, mut rows) = (Reader::new(Empty::Clears), Vec::new());
            reader.feed(&bytes, &mut rows);
            reader.end(&mut rows);
        }
    }
}
