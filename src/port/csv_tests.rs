//! CSV as it comes from elsewhere: real headers, odd line ends, cells and quotes; and what we write, read back.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{
    Draft, Empty, Listed, ROW_MOST, Row,
    csv::{Reader, write, write_header},
};
use crate::domain::{ChatId, Contact, Invalid, Kind, Moment, NamePart, Register};

/// The older of Google Contacts' exports, as its header really stands.
const GOOGLE_OLD: &str = "Name,Given Name,Additional Name,Family Name,Yomi Name,Given Name Yomi,Additional Name Yomi,\
    Family Name Yomi,Name Prefix,Name Suffix,Initials,Nickname,Short Name,Maiden Name,Birthday,Gender,Location,\
    Billing Information,Directory Server,Mileage,Occupation,Hobby,Sensitivity,Priority,Subject,Notes,Language,Photo,\
    Group Membership,E-mail 1 - Type,E-mail 1 - Value,Phone 1 - Type,Phone 1 - Value,Phone 2 - Type,Phone 2 - Value,\
    Address 1 - Type,Address 1 - Formatted,Address 1 - Street,Address 1 - City,Address 1 - PO Box,Address 1 - Region,\
    Address 1 - Postal Code,Address 1 - Country,Address 1 - Extended Address,Organization 1 - Type,Organization 1 - Name,\
    Organization 1 - Yomi Name,Organization 1 - Title";

/// The newer one.
const GOOGLE_NEW: &str = "First Name,Middle Name,Last Name,Phonetic First Name,Phonetic Middle Name,Phonetic Last Name,\
    Name Prefix,Name Suffix,Nickname,File As,Organization Name,Organization Title,Organization Department,Birthday,Notes,\
    Photo,Labels,E-mail 1 - Label,E-mail 1 - Value,Phone 1 - Label,Phone 1 - Value,Phone 2 - Label,Phone 2 - Value,\
    Address 1 - Label,Address 1 - Country,Address 1 - Street,Address 1 - Extended Address,Address 1 - City,\
    Address 1 - Region,Address 1 - Postal Code,Address 1 - PO Box";

fn read_with(bytes: &[u8], empty: Empty) -> Result<(Vec<Row>, Vec<String>), Invalid> {
    let (mut reader, mut rows) = (Reader::new(empty), Vec::new());
    reader.feed(bytes, &mut rows)?;
    reader.end(&mut rows)?;
    Ok((rows, reader.ignored().to_vec()))
}

fn read(text: &str) -> Vec<Row> {
    read_with(text.as_bytes(), Empty::Keeps).unwrap().0
}

fn good(row: &Row) -> &Draft {
    row.read.as_ref().unwrap_or_else(|invalid| panic!("line {}: {invalid}", row.line))
}

/// A row of these cells under this header, by their names.
fn under(header: &str, cells: &[(&str, &str)]) -> String {
    let quoted = |name: &str| {
        let cell = cells.iter().find(|(known, _)| *known == name).map_or("", |(_, cell)| *cell);
        format!("\"{}\"", cell.replace('"', "\"\""))
    };
    format!("{header}\r\n{}\r\n", header.split(',').map(quoted).collect::<Vec<_>>().join(","))
}

#[test]
fn a_byte_order_mark_crlf_quoted_line_ends_and_short_rows() {
    let text = "\u{feff}phone,first_name,notes,email\r\n4917011,Bob,\"two\r\nlines, \"\"quoted\"\"\",b@x.de\r\n\r\n4917012,Ann\r\n4917013";
    let rows = read(text);
    assert_eq!(rows.iter().map(|row| row.line).collect::<Vec<_>>(), [2, 5, 6]);
    assert_eq!(
        Value::from(good(&rows[0]).fields.clone()),
        json!({"first_name": "Bob", "description": "two\r\nlines, \"quoted\"", "email": "b@x.de"})
    );
    assert_eq!(Value::from(good(&rows[1]).fields.clone()), json!({"first_name": "Ann"}));
    assert_eq!(good(&rows[2]).who.to_string(), "4917013@c.us");
}

#[test]
fn semicolons_and_tabs_part_cells_too() {
    for delimiter in [";", "\t"] {
        let text = ["phone", "name", "tags"].join(delimiter) + "\n" + &["4917011", "Bob", "a,b"].join(delimiter);
        assert_eq!(Value::from(good(&read(&text)[0]).fields.clone()), json!({"name": "Bob", "tags": ["a", "b"]}));
    }
}

#[test]
fn both_headers_of_google_contacts_are_known() {
    let old = under(
        GOOGLE_OLD,
        &[
            ("Name", "Dr. Anna Maria Müller"),
            ("Given Name", "Anna"),
            ("Additional Name", "Maria"),
            ("Family Name", "Müller"),
            ("Name Prefix", "Dr."),
            ("Notes", "line one\nline two"),
            ("Group Membership", "* myContacts ::: Friends ::: Work"),
            ("E-mail 1 - Value", "anna@example.com ::: a@example.org"),
            ("Phone 1 - Type", "Home Fax"),
            ("Phone 1 - Value", "+49 30 1234567"),
            ("Phone 2 - Type", "Mobile"),
            ("Phone 2 - Value", "+49 170 1234567 ::: +49 171 1"),
            ("Address 1 - Street", "Hauptstr. 1\nHinterhaus"),
            ("Address 1 - City", "Berlin"),
            ("Address 1 - Postal Code", "10115"),
            ("Address 1 - Country", "Germany"),
            ("Organization 1 - Name", "ACME, Inc."),
        ],
    );
    let (rows, ignored) = read_with(old.as_bytes(), Empty::Keeps).unwrap();
    let draft = good(&rows[0]);
    assert_eq!((draft.who.to_string(), draft.further_phones), ("491701234567@c.us".into(), 2));
    assert_eq!(
        Value::from(draft.fields.clone()),
        json!({"first_name": "Anna Maria", "last_name": "Müller", "description": "line one\nline two",
            "labels": ["Friends", "Work"], "email": "anna@example.com", "company": "ACME, Inc.", "city": "Berlin",
            "zip": "10115", "address": "Hauptstr. 1, Hinterhaus, Germany"})
    );
    assert!(["Name Prefix", "Birthday", "Photo"].iter().all(|name| ignored.iter().any(|known| known == name)));

    let new = under(
        GOOGLE_NEW,
        &[
            ("First Name", "Bob"),
            ("Last Name", "Smith"),
            ("Labels", "* myContacts"),
            ("E-mail 1 - Label", "Work"),
            ("E-mail 1 - Value", "bob@example.com"),
            ("Phone 1 - Label", "Work"),
            ("Phone 1 - Value", "+1 (555) 123-4567"),
            ("Address 1 - Country", "de"),
        ],
    );
    let (rows, ignored) = read_with(new.as_bytes(), Empty::Keeps).unwrap();
    assert_eq!(good(&rows[0]).who.to_string(), "15551234567@c.us");
    assert_eq!(
        Value::from(good(&rows[0]).fields.clone()),
        json!({"first_name": "Bob", "last_name": "Smith", "email": "bob@example.com", "country_code": "DE"})
    );
    assert!(ignored.contains(&"Organization Title".to_owned()) && !ignored.contains(&"Phone 1 - Label".to_owned()));
}

#[test]
fn columns_of_the_vendors_are_known() {
    let wacr =
        "id,firstname,lastname,type,phone,status_id,group_id,is_opted_out\n1,Ann,Lee,lead,+15551234567,2,\"[3,4]\",1\n";
    assert_eq!(
        Value::from(good(&read(wacr)[0]).fields.clone()),
        json!({"first_name": "Ann", "last_name": "Lee", "type": "lead", "status_id": 2, "groups": [3, 4], "opted_in": false})
    );
    let superwaba = "userNumber,userName,countryCode,tags,params.tier,params\n+971501234567,Ahmed Hassan,AE,vip; new,gold,\"{\"\"n\"\":1}\"\n";
    assert_eq!(
        Value::from(good(&read(superwaba)[0]).fields.clone()),
        json!({"name": "Ahmed Hassan", "country_code": "AE", "tags": ["vip", "new"], "params": {"tier": "gold", "n": 1}})
    );
}

#[test]
fn an_empty_cell_keeps_or_clears() {
    let text = b"phone,lid,name,first_name,email,tags,blocked\n4917011,,,,,,\n";
    assert!(good(&read_with(text, Empty::Keeps).unwrap().0[0]).fields.is_empty());
    let cleared = read_with(text, Empty::Clears).unwrap().0;
    assert_eq!(
        Value::from(good(&cleared[0]).fields.clone()),
        json!({"name": null, "first_name": null, "email": null, "tags": null, "blocked": null})
    );
}

#[test]
fn a_file_that_names_nobody_is_refused_with_what_would_do() {
    for text in ["", "\n\n", "name,email\nBob,b@x.de\n", "\u{feff}name"] {
        let refusal = read_with(text.as_bytes(), Empty::Keeps).unwrap_err().to_string();
        assert!(refusal.contains("phone, chatid, usernumber"), "{text:?}: {refusal}");
    }
    assert!(read_with(b"\xff\xfep\0h\0o\0n\0e\0", Empty::Keeps).unwrap_err().to_string().contains("UTF-16"));
    assert!(read_with(b"phone,na\xe9\n1,2\n", Empty::Keeps).unwrap_err().to_string().contains("UTF-8"));
}

#[test]
fn a_bad_row_keeps_no_other_out() {
    let long = "x".repeat(ROW_MOST * 2);
    let text = [
        b"phone,name\n4917011,B\xe9b\n4917012,a,b\n0170,c\n,d\n4917013,\"".as_slice(),
        long.as_bytes(),
        b"\"\n4917014,Ann\n4917015,\"never closed\n4917016,x\n",
    ]
    .concat();
    let (rows, _) = read_with(&text, Empty::Keeps).unwrap();
    let told: Vec<_> = rows
        .iter()
        .map(|row| (row.line, row.read.as_ref().err().map(ToString::to_string).unwrap_or_default()))
        .collect();
    assert_eq!(told[0], (2, "row is not UTF-8".into()));
    assert_eq!(told[1], (3, "row has more cells than the header".into()));
    assert!(told[2].1.contains("begins with 0"), "{told:?}");
    assert!(told[3].1.starts_with("phone is missing"), "{told:?}");
    assert!(told[4].0 == 6 && told[4].1.contains("larger than 1 MiB"), "{told:?}");
    assert_eq!(told[5], (7, String::new()));
    assert!(told[6].0 == 8 && told[6].1.contains("never closed"), "{told:?}");
    assert_eq!(told.len(), 7);
}

#[test]
fn what_a_spreadsheet_would_reckon_is_written_as_text_and_read_back() {
    for (text, written) in [
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
        ("+49", "'+49"),
        ("-1", "'-1"),
        ("@a", "'@a"),
        ("'=1", "''=1"),
        ("'quoted'", "'quoted'"),
        ("O'Neill", "O'Neill"),
    ] {
        let mut contact = contact("4917011");
        contact.names.saved.first = NamePart::parse(text, "name").unwrap();
        let csv = written_of(&contact, &Listed::default());
        assert!(csv.contains(&format!(",{written},")), "{csv}");
        assert_eq!(good(&read(&csv)[0]).fields.get("first_name").unwrap(), text);
    }
}

fn contact(phone: &str) -> Contact {
    Contact::unknown(ChatId::phone(phone).unwrap(), Moment::from_millis(1))
}

fn written_of(contact: &Contact, listed: &Listed) -> String {
    let mut out = Vec::new();
    write_header(&mut out);
    write(contact, listed, &mut out);
    String::from_utf8(out).unwrap()
}

/// Any line of text that a name may be.
fn line() -> impl Strategy<Value = Option<NamePart>> {
    let letters = "[ a-z'\"=+@;,:\\[\\]{}\\\\*äß漢🌸-]{0,12}";
    proptest::option::of(letters.prop_filter_map("blank", |text| NamePart::parse(&text, "name").unwrap()))
}

fn boxed(line: Option<&NamePart>) -> Option<Box<str>> {
    line.map(|line| line.as_str().into())
}

prop_compose! {
    pub(super) fn any_contact()(
        phone in "[1-9][0-9]{5,14}",
        lid in proptest::option::of("[0-9]{3,20}"),
        first in line(), last in line(), company in line(), city in line(), description in line(),
        tags in proptest::collection::btree_set("[a-z;,:* '=\\[-]{0,6}[a-z]", 0..4),
        param in line(),
        flags in any::<(bool, Option<bool>, bool)>(),
    ) -> Contact {
        let mut contact = contact(&phone);
        contact.lid = lid.map(|lid| *ChatId::lid(&lid).unwrap().digits());
        (contact.names.saved.first, contact.names.saved.last) = (first, last);
        contact.card.company = boxed(company.as_ref());
        contact.card.city = boxed(city.as_ref());
        contact.card.description = boxed(description.as_ref()).map(|text| format!("{text}\n{text}").into());
        contact.card.tags = (!tags.is_empty()).then(|| tags.iter().map(|tag| tag.as_str().into()).collect());
        contact.card.params = param.map(|text| {
            let value = Value::from(text.as_str()).to_string();
            BTreeMap::from([(Box::from(text.as_str()), Box::from(value)), ("n".into(), "[1.5,null]".into())])
        });
        (contact.blocked, contact.card.opted_in) = (flags.0, flags.1);
        contact.card.kind = flags.2.then_some(Kind::Guest);
        contact.card.source_id = flags.2.then_some(7);
        contact.card.groups = flags.0.then(|| vec![1, 2]);
        contact
    }
}

pub(super) fn listed() -> Listed {
    let mut listed = Listed::default();
    listed.add(Register::Sources, 7, "=Web; \"x\"");
    listed.add(Register::Groups, 1, "VIP, first");
    listed.add(Register::Groups, 2, "b");
    listed
}

/// Of a contact, what a file is to say.
pub(super) fn said(contact: &Contact) -> Value {
    let card = &contact.card;
    let mut fields = json!({
        "first_name": contact.names.saved.first.as_ref().map(NamePart::as_str),
        "last_name": contact.names.saved.last.as_ref().map(NamePart::as_str),
        "company": card.company, "city": card.city, "description": card.description, "tags": card.tags,
        "opted_in": card.opted_in, "type": card.kind.map(Kind::word),
        "source": card.source_id.map(|_| "=Web; \"x\""),
        "group_names": card.groups.as_ref().map(|_| ["VIP, first", "b"]),
        "params": card.params.as_ref().map(|params| params.iter()
            .map(|(key, value)| (key.to_string(), serde_json::from_str(value).unwrap()))
            .collect::<serde_json::Map<String, Value>>()),
        "blocked": contact.blocked,
    });
    fields.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    fields
}

proptest! {
    #[test]
    fn what_is_written_reads_back(contact in any_contact(), cut in 0..2000_usize) {
        let csv = written_of(&contact, &listed());
        let (one, two) = csv.as_bytes().split_at(cut.min(csv.len()));
        let (mut reader, mut rows) = (Reader::new(Empty::Keeps), Vec::new());
        reader.feed(one, &mut rows).unwrap();
        reader.feed(two, &mut rows).unwrap();
        reader.end(&mut rows).unwrap();
        let draft = good(&rows[0]);
        prop_assert_eq!(draft.who, contact.chat_id());
        prop_assert_eq!(draft.also, contact.lid.map(ChatId::Lid));
        prop_assert_eq!(Value::from(draft.fields.clone()), said(&contact));
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), near in "[\",;\\r\\na1']{0,80}") {
        let _ = read_with(&bytes, Empty::Clears);
        let _ = read_with(&[b"phone,name\n", &*bytes].concat(), Empty::Clears);
        let _ = read_with(format!("phone,name,params\n{near}").as_bytes(), Empty::Keeps);
    }
}
