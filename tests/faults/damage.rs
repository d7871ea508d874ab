//! Damaged files: flipped bits, cut-off ends, emptied headers, logs of other books. Nothing panics; what is damaged is set
//! aside whole, for its own instance alone; what `check` calls sound answers as before; a backup brings the rest back.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde_json::json;
use tempfile::TempDir;
use tokio::runtime::Handle;
use wabook::{
    book::{self, Book, Changed},
    domain::{
        Act, CardPatch, ChatId, Edit, Error, Field, Moment, NamePart, Patch, Result, Revision, SavedPatch, Source,
    },
    session::{OpenBooks, Session, Setting},
};

use crate::{
    dice::Dice,
    shared::{
        rows::{self, Entry},
        server::Home,
        wire::Wire,
    },
    town::settle,
    whole_or,
};

const CONTACTS: u64 = 600;
const SOURCE: Source = Source::known("test");
const PAGE: usize = 4096;

fn session(folder: &Path) -> Session {
    let open_books = Arc::new(OpenBooks::default());
    let setting = Setting {
        runtime: Handle::current(),
        mailbox: 256,
        long_reads: 2,
        open_books,
        quota: Default::default(),
        journal: None,
    };
    Session::new("demo".parse().unwrap(), folder.to_owned(), setting)
}

fn save(number: u64, word: &str) -> Edit {
    let first = NamePart::parse(&format!("{word} {number}"), "first_name").unwrap().unwrap();
    let saved = SavedPatch::Parts { first: Field::Set(first), last: Field::Keep };
    // A text that nothing else in the book knows.
    let card =
        CardPatch { company: Field::Set(format!("{word} {number} of somewhere").into()), ..CardPatch::default() };
    let patch = Patch { saved, card, ..Patch::default() };
    let who = ChatId::phone(&(1_000_000 + number).to_string()).unwrap();
    Edit::new(who, Act::Save(Box::new(patch)), Moment::from_millis(1), SOURCE)
}

/// A book as bytes: its file, and its log as it was before it was folded in.
struct Original {
    file: Vec<u8>,
    log: Vec<u8>,
    state: State,
}

type State = BTreeMap<String, String>;

async fn state(session: &Session) -> Result<State> {
    let (mut state, mut after) = (State::new(), Revision::default());
    loop {
        let changes = session.changes(after, 1000).await?;
        for change in &changes.rows {
            after = change.revision();
            if let Changed::Contact(contact) = change {
                // Names do not show themselves in `Debug`.
                let shown = format!("{:?} {contact:?}", contact.names.saved.full());
                state.insert(contact.chat_id().to_string(), shown);
            }
        }
        if !changes.is_truncated {
            return Ok(state);
        }
    }
}

/// Some contacts in the file, some more in the log.
async fn original(word: &str) -> Original {
    let folder = TempDir::new().unwrap();
    Book::create(folder.path()).unwrap().close().unwrap();
    let session = session(folder.path());
    session.edit_many((0..CONTACTS / 2).map(|number| save(number, word)).collect(), true).await.unwrap();
    session.rest().await;
    session.edit_many((CONTACTS / 2..CONTACTS).map(|number| save(number, word)).collect(), true).await.unwrap();
    let original = Original {
        file: fs::read(folder.path().join(book::FILE)).unwrap(),
        log: fs::read(folder.path().join("book.db-wal")).unwrap(),
        state: state(&session).await.unwrap(),
    };
    session.finish().await;
    original
}

/// One way to damage a book.
#[derive(Debug, Clone, Copy)]
enum Harm {
    Flips,
    PageOfNoise,
    PageOfZeros,
    CutOff,
    Emptied,
    HeaderZeroed,
    LogFlipped,
    LogOfAnother,
}

const HARMS: [Harm; 8] = [
    Harm::Flips,
    Harm::PageOfNoise,
    Harm::PageOfZeros,
    Harm::CutOff,
    Harm::Emptied,
    Harm::HeaderZeroed,
    Harm::LogFlipped,
    Harm::LogOfAnother,
];

fn harm(folder: &Path, harm: Harm, original: &Original, other: &Original, dice: &mut Dice) {
    let (mut file, mut log) = (original.file.clone(), Some(original.log.clone()));
    let page = dice.below(file.len() / PAGE) * PAGE;
    match harm {
        Harm::Flips => (0..=dice.below(20)).for_each(|_| {
            let at = dice.below(file.len());
            file[at] ^= 1 << dice.below(8);
        }),
        Harm::PageOfNoise => file[page..page + PAGE].iter_mut().for_each(|byte| *byte = dice.bits().to_le_bytes()[0]),
        Harm::PageOfZeros => file[page..page + PAGE].fill(0),
        Harm::CutOff => file.truncate(1 + dice.below(file.len() - 1)),
        Harm::Emptied => (file, log) = (Vec::new(), None),
        Harm::HeaderZeroed => {
            file[..100].fill(0);
            log = None;
        }
        Harm::LogFlipped => {
            let log = log.as_mut().unwrap();
            let at = dice.below(log.len());
            log[at] ^= 1 << dice.below(8);
        }
        Harm::LogOfAnother => log = Some(other.log.clone()),
    }
    fs::write(folder.join(book::FILE), file).unwrap();
    if let Some(log) = log {
        fs::write(folder.join("book.db-wal"), log).unwrap();
    }
}

/// How it turned out.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    SetAside,
    FoundByCheck,
    AsBefore,
    /// The log lost its end: an earlier state of the same book.
    Earlier,
    Silent(String),
}

async fn meet(folder: &Path, original: &Original) -> End {
    let session = session(folder);
    let mut told = vec![session.head().await.map(drop), state(&session).await.map(drop)];
    told.push(session.edit(save(CONTACTS + 1, "after")).await.map(drop));
    for number in [0, CONTACTS / 2, CONTACTS - 1] {
        told.push(session.get(ChatId::phone(&(1_000_000 + number).to_string()).unwrap()).await.map(drop));
    }
    for error in told.iter().filter_map(|told| told.as_ref().err()) {
        assert!(!error.chain().contains("panic"), "{}", error.chain());
    }
    let checked = session.check().await.unwrap_or_else(|error| panic!("the check itself fails: {}", error.chain()));
    let is_aside = !folder.exists();
    let end = if is_aside {
        assert!(!checked.is_empty());
        assert!(matches!(session.head().await, Err(Error::Quarantined)), "nothing is answered from it any more");
        End::SetAside
    } else if !checked.is_empty() {
        End::FoundByCheck
    } else {
        let mut now = state(&session).await.unwrap_or_else(|error| panic!("sound, yet: {}", error.chain()));
        let _ = now.remove(&format!("{}@c.us", 1_000_000 + CONTACTS + 1));
        if now == original.state {
            End::AsBefore
        } else if now.iter().all(|(who, contact)| original.state.get(who) == Some(contact)) {
            End::Earlier
        } else {
            let (who, contact) = now.iter().find(|(who, contact)| original.state.get(*who) != Some(contact)).unwrap();
            End::Silent(format!("{who}: {contact} was {:?}", original.state.get(who)))
        }
    };
    session.finish().await;
    end
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_book_is_set_aside_or_found_or_answers_as_before() {
    let variants = whole_or(200, 80);
    let mut dice = Dice::thrown("damage");
    let (original, other) = (original("this").await, original("other").await);
    let mut ends: BTreeMap<String, usize> = BTreeMap::new();
    for variant in 0..variants {
        let kind = HARMS[variant % HARMS.len()];
        let home = TempDir::new().unwrap();
        let folder = home.path().join("demo");
        fs::create_dir(&folder).unwrap();
        harm(&folder, kind, &original, &other, &mut dice);
        let end = meet(&folder, &original).await;
        if end == End::SetAside {
            let aside: Vec<PathBuf> = fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
            assert_eq!(aside.len(), 1, "one folder, renamed");
            assert!(aside[0].join(book::FILE).exists());
        }
        if let End::Silent(what) = &end {
            panic!("{kind:?} changed a value and nobody can tell: {}", &what[..what.len().min(80)]);
        }
        *ends.entry(format!("{kind:?} {end:?}")).or_default() += 1;
    }
    println!("damage: {variants} files, 0 panics: {ends:#?}");
}

#[test]
fn one_damaged_file_hurts_one_tenant_until_the_backup_is_put_back() {
    let home = Home::new();
    let server = home.serve();
    let mut wire = server.wire();
    let entries = ["one", "two", "three"].map(|id| settle(&mut wire, &home, id));
    let write = |wire: &mut Wire, entry: &Entry| {
        let fields = json!({
            "instance_id": entry.instance, "access_token": entry.token, "chatId": "123@c.us", "firstName": "Bob",
        });
        wire.post("/v2/contacts/update", &fields).unwrap().status
    };
    entries.iter().for_each(|entry| assert_eq!(write(&mut wire, entry), 200));
    let copy = home.path("copy");
    home.json(&["backup", copy.to_str().unwrap()]);
    assert_eq!(server.stop().code(), Some(0));

    let folder = home.sessions().join("two");
    fs::write(folder.join("note"), "lies beside the book").unwrap();
    let mut file = fs::read(folder.join(book::FILE)).unwrap();
    file[..PAGE].fill(0);
    fs::write(folder.join(book::FILE), file).unwrap();
    let server = home.serve();
    let mut wire = server.wire();
    for entry in &entries {
        let expected = if entry.instance == "two" { 503 } else { 200 };
        assert_eq!(write(&mut wire, entry), expected, "{}", entry.instance);
    }
    let checked = home.run(&["check", "--json"]);
    assert!(!checked.status.success());
    assert!(String::from_utf8(checked.stdout).unwrap().contains("set aside"));
    let aside = fs::read_dir(home.sessions()).unwrap().map(|entry| entry.unwrap());
    let aside: Vec<_> = aside.filter(|entry| entry.file_name().to_string_lossy().starts_with("two.damaged-")).collect();
    assert_eq!(aside.len(), 1);
    assert!(aside[0].path().join(book::FILE).exists() && aside[0].path().join("note").exists(), "whole");

    // What the command's last line says: copy the folder back. No restart.
    fs::rename(copy.join("two"), &folder).unwrap();
    assert_eq!(rows::saved_name(&mut wire, &entries[1], "123@c.us"), "Bob");
    assert_eq!(write(&mut wire, &entries[1]), 200);
    assert_eq!(home.json(&["check"])["sound"], true);
    println!("damage: one of three books was set aside and came back from its backup, without a restart");
}
