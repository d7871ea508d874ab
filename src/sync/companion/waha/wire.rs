//! WAHA's spelling of contacts and LIDs, read leniently: its engines differ in what they tell, and one odd entry says
//! nothing of the others. Groups and channels are passed over.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    domain::{ChatId, NamePart, Saved},
    sync::companion::{Mapped, Met, Page, There, Trouble},
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Contact<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow, alias = "pushName")]
    pushname: Option<Cow<'a, str>>,
    #[serde(borrow)]
    short_name: Option<Cow<'a, str>>,
    is_my_contact: Option<bool>,
}

#[derive(Deserialize)]
struct Mapping<'a> {
    #[serde(borrow)]
    lid: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pn: Option<Cow<'a, str>>,
}

pub fn contact(body: &[u8]) -> Result<Met, Trouble> {
    let text = std::str::from_utf8(body).ok();
    text.and_then(read).ok_or(Trouble::unclear("garbage"))
}

pub fn contacts(body: &[u8]) -> Result<Page<Met>, Trouble> {
    page(body, read)
}

pub fn mappings(body: &[u8]) -> Result<Page<Mapped>, Trouble> {
    page(body, |text| {
        let Mapping { lid, pn } = serde_json::from_str(text).ok()?;
        match (lid?.parse().ok()?, pn?.parse().ok()?) {
            (ChatId::Lid(lid), ChatId::Phone(phone)) => Some(Mapped { lid, phone }),
            _ => None,
        }
    })
}

fn page<T>(body: &[u8], read: impl Fn(&str) -> Option<T>) -> Result<Page<T>, Trouble> {
    let entries: Vec<&RawValue> = serde_json::from_slice(body).map_err(|_| Trouble::unclear("garbage"))?;
    Ok(Page {
        rows: entries.iter().filter_map(|entry| read(entry.get())).collect(),
        listed: entries.len(),
        first: entries.first().map(|entry| entry.get().to_owned()),
    })
}

fn read(text: &str) -> Option<Met> {
    let Contact { id, name, pushname, short_name, is_my_contact } = serde_json::from_str(text).ok()?;
    let who: ChatId = id.parse().ok()?;
    let saved = match (is_my_contact, name.filter(|name| !name.trim().is_empty())) {
        // In some engines an unsaved contact is called by its pushname or its number.
        (Some(false), _) => There::Nothing,
        (_, None) => There::Unsaid,
        (None, Some(name)) if is_the_number(&name, who) => There::Unsaid,
        (_, Some(name)) => named(name.trim(), short_name.as_deref()),
    };
    let push = pushname.and_then(|name| NamePart::parse(&name, "pushname").ok().flatten());
    Some(Met { who, saved, push })
}

fn is_the_number(name: &str, who: ChatId) -> bool {
    name.parse::<ChatId>().is_ok_and(|named| named.digits() == who.digits())
}

/// WAHA tells the full name and, as the short one, mostly the first: where both fit together, the parts are known; else
/// the whole is taken as it is. Nothing is split by guess.
fn named(name: &str, short: Option<&str>) -> There {
    let part = |text: &str| NamePart::parse(text, "name").ok().flatten();
    let parts = |first: &str, last: &str| Saved { first: part(first), last: part(last), by: None };
    let cut = short.filter(|short| !short.trim().is_empty()).map(|short| {
        let last = name.strip_prefix(short.trim_start()).and_then(|rest| rest.strip_prefix(' '));
        parts(short, last.unwrap_or_default())
    });
    let fits = |saved: &Saved| saved.full().as_deref() == Some(name);
    cut.filter(fits).or_else(|| Some(parts(name, "")).filter(fits)).map_or(There::Unsaid, There::Named)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn said(text: &str) -> (There, Option<String>) {
        let met = contact(text.as_bytes()).unwrap();
        (met.saved, met.push.map(|name| name.as_str().to_owned()))
    }

    fn saved(first: &str, last: &str) -> There {
        let part = |text: &str| NamePart::parse(text, "name").unwrap();
        There::Named(Saved { first: part(first), last: part(last), by: None })
    }

    #[rstest]
    #[case::the_first_name_is_the_short_one(
        r#""name":"Mary Ann Smith","shortName":"Mary Ann","isMyContact":true"#,
        saved("Mary Ann", "Smith")
    )]
    #[case::only_a_first_name(r#""name":"Mary Ann","shortName":"Mary Ann","isMyContact":true"#, saved("Mary Ann", ""))]
    #[case::a_short_name_that_does_not_fit(
        r#""name":"Mary Ann","shortName":"MA","isMyContact":true"#,
        saved("Mary Ann", "")
    )]
    #[case::blanks_stay(r#""name":"Lucía  Gómez","shortName":"Lucía ""#, saved("Lucía ", "Gómez"))]
    #[case::a_small_shape(r#""name":"Bob","pushname":null"#, saved("Bob", ""))]
    #[case::not_mentioned(r#""pushname":null"#, There::Unsaid)]
    #[case::null_alone_proves_nothing(r#""name":null"#, There::Unsaid)]
    #[case::called_by_its_number(r#""name":"+1 555 123-4567""#, There::Unsaid)]
    #[case::expressly_not_saved(r#""name":null,"isMyContact":false"#, There::Nothing)]
    #[case::a_name_that_is_not_saved(r#""name":"Bobby","isMyContact":false"#, There::Nothing)]
    #[case::a_name_of_two_lines(r#""name":"a\nb","isMyContact":true"#, There::Unsaid)]
    fn a_saved_name(#[case] fields: &str, #[case] expected: There) {
        assert_eq!(said(&format!(r#"{{"id":"15551234567@c.us",{fields}}}"#)).0, expected);
    }

    #[test]
    fn the_longest_name_of_two_parts_comes_in_two_parts() {
        let (first, last) = ("🌸".repeat(255), "x".repeat(255));
        let text = format!(r#"{{"id":"123@c.us","name":"{first} {last}","shortName":"{first}"}}"#);
        assert_eq!(said(&text).0, saved(&first, &last));
        let whole = format!(r#"{{"id":"123@c.us","name":"{first} {last}"}}"#);
        assert_eq!(said(&whole).0, There::Unsaid, "too long for one part and not cut by guess");
    }

    #[test]
    fn an_odd_entry_says_nothing_of_the_others() {
        let body =
            r#"[{"id":"1203@g.us","name":"A group"},{"id":7},{"id":"123@c.us","pushName":"Al"},null,{"id":"999@lid"}]"#;
        let page = contacts(body.as_bytes()).unwrap();
        assert_eq!((page.listed, page.rows.len()), (5, 2));
        assert_eq!(page.rows[0].push.as_ref().unwrap().as_str(), "Al");
        for garbage in ["", "{}", "<html>", "[", "\u{1}"] {
            assert_eq!(contacts(garbage.as_bytes()).unwrap_err(), Trouble::unclear("garbage"), "{garbage}");
        }
    }

    #[test]
    fn only_whole_mappings_count() {
        let body = r#"[{"lid":"999@lid","pn":"15551234567@c.us"},{"lid":"998@lid","pn":null},{"lid":"1@c.us","pn":"2@lid"},{}]"#;
        let page = mappings(body.as_bytes()).unwrap();
        assert_eq!((page.listed, page.rows.len()), (4, 1));
        assert_eq!(page.rows[0].lid.as_str(), "999");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in any::<Vec<u8>>(), text in any::<String>(), short in any::<String>()) {
            let _ = (contact(&bytes), contacts(&bytes), mappings(&bytes));
            let entry = serde_json::json!({"id": "123@c.us", "name": text, "shortName": short, "pushname": text});
            let _ = contact(entry.to_string().as_bytes()).unwrap();
        }
    }
}
