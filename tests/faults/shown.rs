//! What a book shows: read whole over HTTP, once by folding the change feed and once as a list, which must agree; or from
//! a folder that no server holds.

use std::{collections::BTreeMap, path::Path};

use serde_json::Value;
use wabook::book::{self, Book, Changed};
use wabook::domain::Revision;

use crate::{
    ledger::State,
    shared::{rows::Entry, wire::Wire},
};

const PAGE: u32 = 1000;

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Shown {
    pub revision: u64,
    pub state: State,
}

/// The head, and the contacts as the feed tells of them from the very beginning and as the list has them.
pub fn over_http(wire: &mut Wire, entry: &Entry) -> Shown {
    let (mut state, mut since, mut last) = (BTreeMap::new(), String::new(), 0);
    loop {
        let page = get(wire, entry, &format!("/changes?limit={PAGE}&since={since}"));
        for change in page["changes"].as_array().unwrap() {
            let revision = change["revision"].as_u64().unwrap();
            assert!(revision > last, "revisions come in their order, each once");
            last = revision;
            match change["change"].as_str().unwrap() {
                "upserted" => {
                    let (phone, name) = contact(&change["contact"]);
                    state.insert(phone, name);
                }
                _ => {
                    state.remove(&number(&change["phone"]));
                }
            }
        }
        page["next"].as_str().unwrap().clone_into(&mut since);
        if page["has_more"] == false {
            break;
        }
    }
    let stands = get(wire, entry, "");
    let shown = Shown { revision: stands["revision"].as_u64().unwrap(), state };
    assert!(last <= shown.revision);
    assert_eq!(listed(wire, entry), shown.state, "the feed folds to the list");
    assert_eq!(stands["contacts"].as_u64().unwrap(), shown.state.len() as u64);
    shown
}

/// What the book in this folder holds; panics if it does not open or is not sound.
pub fn in_folder(folder: &Path) -> Shown {
    let book = Book::open(folder).unwrap_or_else(|error| panic!("{}: {}", folder.display(), error.chain()));
    let reader = book.reader().unwrap();
    assert_eq!(reader.check().unwrap(), Vec::<String>::new(), "{}", folder.display());
    let (mut shown, mut after) = (Shown::default(), Revision::default());
    loop {
        let changes = reader.changes(after, PAGE).unwrap();
        shown.revision = changes.head.revision.number();
        for change in &changes.rows {
            after = change.revision();
            if let Changed::Contact(contact) = change {
                let phone = contact.phone.unwrap().to_string().parse().unwrap();
                shown.state.insert(phone, contact.names.saved.full().unwrap_or_default().to_owned());
            }
        }
        if !changes.is_truncated {
            drop(reader);
            book.close().unwrap();
            assert!(folder.join(book::FILE).exists());
            return shown;
        }
    }
}

fn listed(wire: &mut Wire, entry: &Entry) -> State {
    let (mut state, mut cursor) = (State::new(), String::new());
    loop {
        let page = get(wire, entry, &format!("/contacts?limit={PAGE}{cursor}"));
        state.extend(page["contacts"].as_array().unwrap().iter().map(contact));
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return state,
        }
    }
}

fn get(wire: &mut Wire, entry: &Entry, rest: &str) -> Value {
    let bearer = format!("Authorization: Bearer {}", entry.token);
    let answer = wire.ask(&format!("GET /v1/instances/{}{rest}", entry.instance), &[&bearer], b"").unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

fn contact(shown: &Value) -> (u64, String) {
    (number(&shown["phone"]), shown["names"]["saved"]["full"].as_str().unwrap_or_default().to_owned())
}

fn number(digits: &Value) -> u64 {
    digits.as_str().and_then(|digits| digits.parse().ok()).unwrap_or_else(|| panic!("no phone: {digits}"))
}
