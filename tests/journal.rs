//! The journal brings a book that a power cut has set back to where it was: of random stories, told from any state on,
//! it makes the very same rows, once and not twice.

use std::{fs, path::Path, sync::Arc};

use proptest::prelude::*;
use rusqlite::types::Value;
use tempfile::TempDir;
use tokio::runtime::{Handle, Runtime};
use wabook::{
    book::{self, Book},
    domain::{
        Act, CardPatch, ChatId, Edit, Field, IdempotencyKey, Moment, NamePart, Patch, Precondition, Register,
        RegisterAct, RegisterEdit, Require, SavedPatch, Source,
    },
    journal::{Entry, Journal},
    session::{OpenBooks, Session, Setting},
};

const SOURCE: Source = Source::known("test");

/// One request: what is done to whom, and some text.
type Step = (u8, u64, u64);

fn edit(&(kind, who, what): &Step, clock: i64) -> Edit {
    let number = |n: u64| (100_000 + n % 12).to_string();
    let (phone, lid) = (ChatId::phone(&number(who)).unwrap(), ChatId::lid(&number(who / 3)).unwrap());
    let at = Moment::from_millis(clock);
    let who = if kind % 2 == 0 { phone } else { lid };
    let name = |n: u64| Field::from(NamePart::parse(&format!("Náme {n}"), "name").unwrap());
    let save = |patch| Edit::save(who, patch, at, SOURCE);
    match kind / 2 {
        0 => Edit::new(who, Act::Delete, at, SOURCE),
        1 => Edit::learn(*lid.digits(), *phone.digits(), at, SOURCE),
        2 => Edit::new(who, Act::UndoName, at, SOURCE),
        3 => {
            let card = CardPatch {
                email: Field::Set(format!("p{what}@example.com").into()),
                tags: Field::Set(vec!["a".into(), format!("t{what}").into()]),
                opted_in: Field::Set(what % 2 == 0),
                ..CardPatch::default()
            };
            save(Patch { card, ..Patch::default() })
        }
        4 => {
            let phone = Some(*ChatId::phone(&number(what)).unwrap().digits());
            let require = Require { contact: Some(Precondition::Present), ..Require::default() };
            save(Patch { phone, ..Patch::default() }).requiring(require)
        }
        5 => {
            let key = IdempotencyKey { key: format!("key {what}").into(), fingerprint: [7; 32] };
            let saved = SavedPatch::Parts { first: name(1), last: Field::Keep };
            Edit { key: Some(key), ..save(Patch { saved, ..Patch::default() }) }
        }
        kind => {
            let saved =
                SavedPatch::Parts { first: name(what), last: if kind == 6 { Field::Clear } else { Field::Keep } };
            save(Patch { saved, join: vec![1], ..Patch::default() })
        }
    }
}

struct Stage {
    folder: TempDir,
    journal: Arc<Journal>,
    session: Session,
}

impl Stage {
    fn begin() -> Self {
        let folder = TempDir::new().unwrap();
        let home = folder.path().join("model");
        fs::create_dir(&home).unwrap();
        Book::create(&home).unwrap().close().unwrap();
        let journal = Journal::begin(folder.path(), drop).unwrap();
        let setting = Setting {
            runtime: Handle::current(),
            mailbox: 256,
            long_reads: 2,
            open_books: Arc::new(OpenBooks::default()),
            quota: Default::default(),
            journal: Some(Arc::clone(&journal)),
        };
        let session = Session::new("model".parse().unwrap(), home, setting);
        Self { folder, journal, session }
    }

    /// As a power cut might leave the book now: nobody is at work, so the files agree.
    fn copy(&self) -> TempDir {
        let copy = TempDir::new().unwrap();
        for name in ["book.db", "book.db-wal"] {
            let from = self.session.folder().join(name);
            if from.exists() {
                fs::copy(from, copy.path().join(name)).unwrap();
            }
        }
        copy
    }

    async fn end(&self) -> Vec<Entry> {
        self.session.finish().await;
        self.journal.end();
        Journal::left_behind(self.folder.path()).unwrap()
    }
}

/// Every row of every table.
fn rows(folder: &Path) -> Vec<(String, Vec<Vec<Value>>)> {
    let book = rusqlite::Connection::open(folder.join("book.db")).unwrap();
    let mut tables = book.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").unwrap();
    let tables: Vec<String> = tables.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let read = |table: String| {
        let mut statement = book.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let width = statement.column_count();
        let row = |row: &rusqlite::Row<'_>| (0..width).map(|place| row.get(place)).collect();
        let rows = statement.query_map([], row).unwrap().map(Result::unwrap).collect();
        (table, rows)
    };
    tables.into_iter().map(read).collect()
}

fn records(entries: &[Entry]) -> Vec<&[u8]> {
    entries.iter().map(|entry| entry.record.as_slice()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn a_book_that_was_set_back_is_brought_to_where_it_was(
        steps in proptest::collection::vec(proptest::collection::vec((0_u8..18, 0_u64..40, 0_u64..5), 1..3), 1..40),
        register_at in 0_usize..40,
    ) {
        Runtime::new().unwrap().block_on(async {
            let stage = Stage::begin();
            let mut copies = Vec::new();
            for (place, step) in steps.iter().enumerate() {
                let clock = 1_000 + i64::try_from(place).unwrap();
                if place == register_at.min(steps.len() / 2) {
                    let name = NamePart::parse("Friends", "name").unwrap().unwrap();
                    let act = RegisterAct::Add { name, color: None };
                    let added = RegisterEdit { register: Register::Groups, act, at: Moment::from_millis(clock) };
                    stage.session.edit_register(added).await.unwrap();
                    // It is durable by itself, and with it all before: no cut sets the book back behind it.
                    copies.clear();
                    copies.push(stage.copy());
                }
                let edits = step.iter().map(|step| edit(step, clock)).collect();
                stage.session.edit_many(edits, place % 5 == 4).await.unwrap();
                copies.push(stage.copy());
            }
            let entries = stage.end().await;
            let records = records(&entries);
            let expected = rows(stage.session.folder());
            for (place, copy) in copies.iter().enumerate() {
                let half = records.len() / 2;
                book::replay(copy.path(), &records[..half]).unwrap();
                book::replay(copy.path(), &records).unwrap();
                assert_eq!(rows(copy.path()), expected, "from copy {place} of {}", copies.len());
                assert_eq!(book::check(copy.path()).unwrap(), Vec::<String>::new());
                assert_eq!(book::replay(copy.path(), &records).unwrap(), 0, "nothing is carried out twice");
            }
        });
    }
}

#[test]
fn a_record_changes_no_book_but_its_own() {
    Runtime::new().unwrap().block_on(async {
        let stage = Stage::begin();
        stage.session.edit(edit(&(14, 1, 1), 1_000)).await.unwrap();
        let before = stage.copy();
        stage.session.edit(edit(&(14, 1, 2), 1_001)).await.unwrap();
        let restored = TempDir::new().unwrap();
        stage.session.copy_to(restored.path().to_owned()).await.unwrap();
        let entries = stage.end().await;
        let records = records(&entries);
        assert_eq!(records.len(), 2);

        let anew = TempDir::new().unwrap();
        Book::create(anew.path()).unwrap().close().unwrap();
        for (folder, count) in [(&anew, 0), (&restored, 0), (&before, 1)] {
            assert_eq!(book::replay(folder.path(), &records).unwrap(), count);
        }
        // Whatever is wrong with a record, the book stays as it is.
        let set_back = stage.copy();
        let whole = rows(set_back.path());
        for length in 0..records[0].len() {
            let _ = book::replay(set_back.path(), &[&records[0][..length]]);
        }
        assert_eq!(rows(set_back.path()), whole);
    });
}
