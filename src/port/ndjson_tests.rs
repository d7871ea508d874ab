//! What lines of JSON are read as.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Empty, Row, ndjson::Reader};

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
    assert_eq!(Value::from(draft.fields.clone()), json!({"first_name": "Bob", "source": "Web", "groups": [3]}));
    let (rows, _) = read(&shown, Empty::Clears);
    let fields = Value::from(rows[0].read.as_ref().unwrap().fields.clone());
    assert_eq!((&fields["last_name"], &fields["tags"], &fields["email"]), (&Value::Null, &Value::Null, &Value::Null));
}

#[test]
fn what_is_said_twice_counts_as_it_is_said_last_and_names_in_the_order_of_the_keys() {
    let line = r#"{"names": {"saved": {"first": "Bob"}}, "first_name": "Rob", "phone": "1", "phone": 4917012,
        "email": "a@b", "email": null, "city": "Bonn", "c\u0069ty": "Ulm", "x": [1, {"y": "\n"}]}"#
        .replace('\n', " ");
    let (rows, ignored) = read(&line, Empty::Keeps);
    let draft = rows[0].read.as_ref().unwrap();
    assert_eq!(draft.who.to_string(), "4917012@c.us");
    assert_eq!(Value::from(draft.fields.clone()), json!({"first_name": "Bob", "city": "Ulm"}));
    assert_eq!(ignored, ["x"]);
}

#[test]
fn what_is_no_json_is_refused_with_its_column() {
    let told = |text: &[u8]| {
        let (mut reader, mut rows) = (Reader::new(Empty::Keeps), Vec::new());
        reader.feed(text, &mut rows);
        reader.end(&mut rows);
        rows[0].read.as_ref().unwrap_err().to_string()
    };
    assert_eq!(told(b"{\"x\": \"\xff\"}"), "row is not JSON; see column 8");
    assert_eq!(told(b"{\"phone\": \"4917012\"} 1"), "row is not JSON; see column 22");
    assert_eq!(told(b"\"phone\""), "row is not a JSON object");
    for phone in ["{\"phone\": true}", "{\"chat_id\": 4917012}", "{\"lid\": 7}"] {
        assert_eq!(told(phone.as_bytes()), "phone must be a string");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let (mut reader, mut rows) = (Reader::new(Empty::Clears), Vec::new());
        reader.feed(&bytes, &mut rows);
        reader.end(&mut rows);
    }
}
