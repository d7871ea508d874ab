//! vCards as phones and programs of several decades wrote them; and ours, read back.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{
    Draft, Empty, ROW_MOST, Row,
    csv_tests::{any_contact, listed, said},
    vcard::Reader,
    vcard_out::{Version, write},
};
use crate::domain::{ChatId, Contact, Moment};

fn read(bytes: &[u8]) -> (Vec<Row>, Vec<String>) {
    let (mut reader, mut rows) = (Reader::new(Empty::Keeps), Vec::new());
    reader.feed(bytes, &mut rows);
    reader.end(&mut rows);
    (rows, reader.ignored().to_vec())
}

fn good(row: &Row) -> &Draft {
    row.read.as_ref().unwrap_or_else(|invalid| panic!("line {}: {invalid}", row.line))
}

fn fields(text: &str) -> Value {
    Value::from(good(&read(text.as_bytes()).0[0]).fields.clone())
}

#[test]
fn a_card_of_whatsapp_gives_the_number_that_whatsapp_knows() {
    let card = "BEGIN:VCARD\r\nVERSION:3.0\r\nN:Smith;Bob;;;\r\nFN:Bob Smith\r\n\
        item1.TEL;waid=491701234567:0170 1234567\r\nitem1.X-ABLabel:Mobile\r\nPHOTO;BASE64:AAAA\r\n  BBBB\r\nEND:VCARD\r\n";
    let (rows, ignored) = read(card.as_bytes());
    assert_eq!(good(&rows[0]).who.to_string(), "491701234567@c.us");
    assert_eq!(Value::from(good(&rows[0]).fields.clone()), json!({"first_name": "Bob", "last_name": "Smith"}));
    assert_eq!(ignored, ["PHOTO", "X-ABLabel"]);
}

#[test]
fn an_old_phones_card_is_read_in_its_own_letters() {
    let card = b"BEGIN:VCARD\r\nVERSION:2.1\r\nN;CHARSET=ISO-8859-1;ENCODING=QUOTED-PRINTABLE:M=FCller;J=F6rg\r\n\
        TEL;FAX:+49301\r\nTEL;CELL;PREF:+49 170 1234567\r\nTEL;HOME:+49 30 1234567\r\n\
        NOTE;ENCODING=QUOTED-PRINTABLE;CHARSET=UTF-8:eins=0D=0Azw=C3=B6=\r\nlf\r\n\
        ORG;CHARSET=ISO-8859-1:Stra\xdfenbau\r\nADR;HOME:;;Weg 1;K\xf6ln;;50667;Germany\r\nEND:VCARD\r\n";
    let (rows, _) = read(card);
    let draft = good(&rows[0]);
    assert_eq!((draft.who.to_string(), draft.further_phones), ("491701234567@c.us".into(), 2));
    assert_eq!(
        Value::from(draft.fields.clone()),
        json!({"first_name": "Jörg", "last_name": "Müller", "description": "eins\r\nzwölf", "company": "Straßenbau",
            "address": "Weg 1, Germany", "city": "Köln", "zip": "50667"})
    );
}

#[test]
fn a_card_of_version_4_has_uris_folds_and_categories() {
    let card = "BEGIN:VCARD\nVERSION:4.0\nFN:Ann\\, the\n  Great\nTEL;VALUE=uri;TYPE=\"voice,cell\":tel:+1-555-123-4567;ext=5\n\
        CATEGORIES:a,b\\,c\nEMAIL;PREF=1:ann@example.com\nBDAY:19700101\nEND:VCARD";
    assert_eq!(fields(card), json!({"name": "Ann, the Great", "tags": ["a", "b,c"], "email": "ann@example.com"}));
    assert_eq!(good(&read(card.as_bytes()).0[0]).who.to_string(), "15551234567@c.us");
}

#[test]
fn a_fold_may_stand_within_a_letter() {
    let card = b"BEGIN:VCARD\r\nVERSION:3.0\r\nFN:J\xc3\r\n \xb6rg\r\nTEL:+4917011\r\nEND:VCARD\r\n";
    assert_eq!(good(&read(card).0[0]).fields.get("name").unwrap(), "Jörg");
}

#[test]
fn a_card_that_is_none_keeps_no_other_out() {
    let long = "x".repeat(ROW_MOST + 1);
    let picture = format!("PHOTO:{long}\r\n {long}\r\n");
    let card = |middle: &str| format!("BEGIN:VCARD\r\nVERSION:3.0\r\nFN:A\r\n{middle}END:VCARD\r\n");
    let good_one = card(&format!("{picture}TEL:+4917011\r\n"));
    let text = [
        "noise\r\n",
        &card(""),
        "BEGIN:VCARD\r\nFN:cut off\r\n",
        &card(&format!("NOTE:{long}\r\n")),
        &good_one,
        "BEGIN:VCARD",
    ]
    .concat();
    let (rows, ignored) = read(text.as_bytes());
    let told: Vec<_> = rows
        .iter()
        .map(|row| (row.line, row.read.as_ref().err().map(ToString::to_string).unwrap_or_default()))
        .collect();
    assert_eq!(told[0], (2, "phone is missing, and there is no LID either".into()));
    assert_eq!(told[1], (6, "card has no END:VCARD".into()));
    assert_eq!(told[2], (8, "card is larger than 1 MiB".into()));
    assert_eq!(told[3], (13, String::new()));
    assert_eq!(told[4].1, "card has no END:VCARD");
    assert_eq!(ignored, ["PHOTO"]);
}

#[test]
fn who_has_no_saved_name_gets_none_by_the_way() {
    let contact = Contact::unknown(ChatId::lid("123456").unwrap(), Moment::from_millis(1));
    for version in [Version::V3, Version::V4] {
        let mut out = Vec::new();
        write(&contact, &listed(), version, &mut out);
        let draft = good(&read(&out).0[0]).clone();
        assert_eq!((draft.who.to_string(), draft.fields.is_empty()), ("123456@lid".into(), true));
    }
}

/// Not in a card: several spaces in a row within a tag, which are read as one, and that somebody is not blocked.
fn sayable(contact: &Contact) -> Value {
    let mut fields = said(contact);
    if fields["blocked"] == false {
        fields.as_object_mut().unwrap().remove("blocked");
    }
    fields
}

proptest! {
    #[test]
    fn what_is_written_reads_back(mut contact in any_contact(), is_new in any::<bool>(), cut in 0..2000_usize) {
        if let Some(tags) = &mut contact.card.tags {
            tags.iter_mut().for_each(|tag| *tag = tag.split_whitespace().collect::<Vec<_>>().join(" ").into());
        }
        let mut out = Vec::new();
        write(&contact, &listed(), if is_new { Version::V4 } else { Version::V3 }, &mut out);
        for line in out.split(|byte| *byte == b'\n') {
            prop_assert!(line.len() <= 76, "75 octets and the carriage return");
        }
        let (one, two) = out.split_at(cut.min(out.len()));
        let (mut reader, mut rows) = (Reader::new(Empty::Keeps), Vec::new());
        reader.feed(one, &mut rows);
        reader.feed(two, &mut rows);
        reader.end(&mut rows);
        let draft = good(&rows[0]);
        prop_assert_eq!(draft.who, contact.chat_id());
        prop_assert_eq!(draft.also, contact.lid.map(ChatId::Lid));
        prop_assert_eq!(Value::from(draft.fields.clone()), sayable(&contact));
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
        near in "([A-Z.;=,:\\\\\"\r\n \t-]|TEL|N:|ENCODING=QUOTED-PRINTABLE|=\r\n|BASE64|é){0,60}",
    ) {
        let _ = read(&bytes);
        let _ = read(&[b"BEGIN:VCARD\r\n", &*bytes, b"\r\nEND:VCARD\r\n"].concat());
        let _ = read(format!("BEGIN:VCARD\r\nVERSION:2.1\r\n{near}\r\nEND:VCARD\r\n").as_bytes());
    }
}
