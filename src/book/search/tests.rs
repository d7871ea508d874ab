//! Search against a plain scan as its oracle: the same contacts, order, pages and total, in any script, whatever was
//! written between two searches. And that the packs come with a copy, with an older book, and are missed when they are off.

use std::{collections::BTreeMap, sync::Arc};

use proptest::{prelude::*, sample::Index};
use tempfile::TempDir;

use super::*;
use crate::{
    book::{
        self, Book, Cursor, Filter, FilterField, Head, PageQuery, Sort, Test, Touched, Value, Write,
        schema::{BOOK, FIRST_HEAD, Schema},
    },
    domain::{ChatId, Kind, Moment, NamePart, Revision, Seen, Source, Stamp},
};

const SOURCE: Source = Source::known("test");

/// A book, and beside it what should be in it.
struct Shelf {
    folder: TempDir,
    book: Option<Book>,
    contacts: BTreeMap<i64, Contact>,
    drawn: u64,
}

impl Shelf {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let book = Some(Book::create(folder.path()).unwrap());
        Self { folder, book, contacts: BTreeMap::new(), drawn: 0 }
    }

    fn book(&mut self) -> &mut Book {
        self.book.as_mut().unwrap()
    }

    /// Contact ids with gaps, in any place of a pack.
    fn insert(&mut self, drafts: Vec<Draft>) {
        let mut head = self.book().head();
        let mut writes = Vec::new();
        for draft in drafts {
            self.drawn += 1;
            head.last_id = ContactId(head.last_id.0 + 1 + i64::from(draft.gap));
            head.revision = head.revision.next();
            let mut contact = Contact::unknown(draft.chat_id(self.drawn), Moment::from_millis(1));
            (contact.id, contact.uuid, contact.revision) = (head.last_id, uuid::Uuid::now_v7(), head.revision);
            draft.fill(&mut contact);
            self.contacts.insert(contact.id.0, contact.clone());
            writes.push(Write::Insert { contact: Arc::new(contact), source: SOURCE });
        }
        self.book().write(&writes, head).unwrap();
    }

    fn update(&mut self, whom: Index, draft: &Draft) {
        let Some(mut contact) = self.pick(whom) else { return };
        let head = self.moved();
        contact.revision = head.revision;
        draft.fill(&mut contact);
        self.contacts.insert(contact.id.0, contact.clone());
        let update = Write::Update { contact: Arc::new(contact), source: SOURCE, touched: Touched::ALL };
        self.book().write(&[update], head).unwrap();
    }

    fn bury(&mut self, whom: Option<Contact>, merged_into: Option<Index>) {
        let Some(contact) = whom else { return };
        self.contacts.remove(&contact.id.0);
        let merged_into = merged_into.and_then(|survivor| self.pick(survivor)).map(|survivor| survivor.id);
        let head = self.moved();
        let at = Moment::from_millis(9);
        let bury = Write::Bury { contact: Arc::new(contact), revision: head.revision, at, merged_into };
        self.book().write(&[bury], head).unwrap();
    }

    fn reopen(&mut self) {
        self.book.take().unwrap().close().unwrap();
        self.book = Some(Book::open(self.folder.path()).unwrap());
    }

    fn pick(&self, whom: Index) -> Option<Contact> {
        (!self.contacts.is_empty()).then(|| whom.get(&self.contacts.values().collect::<Vec<_>>()).to_owned().clone())
    }

    fn moved(&mut self) -> Head {
        let head = self.book().head();
        Head { revision: head.revision.next(), ..head }
    }

    /// By going through everybody.
    fn scan(&self, query: &PageQuery) -> Vec<i64> {
        let needle = query.search.as_deref().and_then(needle);
        let is_meant = |contact: &&Contact| {
            needle.as_ref().is_none_or(|needle| key(contact).contains(needle.as_str()))
                && (query.filters.is_empty() || contact.card.kind == Some(Kind::Lead))
        };
        let mut meant: Vec<_> = self.contacts.values().filter(is_meant).collect();
        let (sort, direction) = query.sort[0];
        meant.sort_by_cached_key(|contact| {
            let text = match sort {
                Sort::ChatId => contact.chat_ids().next().unwrap().to_string(),
                Sort::Name => fold(&contact.display()),
                Sort::FirstName => contact.names.saved.first.as_ref().map_or("", NamePart::as_str).to_ascii_lowercase(),
                Sort::LastName => contact.names.saved.last.as_ref().map_or("", NamePart::as_str).to_ascii_lowercase(),
                Sort::Created | Sort::Updated | Sort::LastMessage => String::new(),
            };
            let number = match sort {
                Sort::Updated => contact.revision.number() as i64,
                Sort::LastMessage => contact.last_message_at.map_or(i64::MIN, Moment::millis),
                _ => 0,
            };
            (text, number, contact.id.0)
        });
        if direction == Direction::Descending {
            meant.reverse();
        }
        meant.iter().map(|contact| contact.id.0).collect()
    }

    /// The whole list, page by page, both ways.
    fn agrees(&mut self, query: &PageQuery) {
        let expected = self.scan(query);
        let reader = self.book().reader().unwrap();
        let (mut by_cursor, mut by_number): (Vec<i64>, Vec<i64>) = (vec![], vec![]);
        let mut after: Option<Cursor> = None;
        loop {
            let numbered = reader.page(&PageQuery { offset: by_number.len() as u64, ..query.clone() }).unwrap();
            let walked = reader.page(&PageQuery { after: after.take(), ..query.clone() }).unwrap();
            assert_eq!((numbered.total, walked.total), (expected.len() as u64, expected.len() as u64), "{query:?}");
            by_number.extend(numbered.contacts.iter().map(|contact| contact.id.0));
            by_cursor.extend(walked.contacts.iter().map(|contact| contact.id.0));
            after = walked.next.map(|cursor| Cursor::from_text(&cursor.to_text()).unwrap());
            assert_eq!(after.is_some(), by_cursor.len() < expected.len(), "{query:?}");
            if after.is_none() {
                break;
            }
        }
        assert_eq!(by_cursor, expected, "by cursor, {query:?}");
        assert_eq!(by_number, expected, "by number, {query:?}");
        for beyond in [0, 1, 70] {
            let beyond = PageQuery { offset: expected.len() as u64 + beyond, ..query.clone() };
            assert_eq!(reader.page(&beyond).unwrap().contacts, [], "after the end, {query:?}");
        }
    }

    fn assert_sound(&self) {
        assert_eq!(book::check(self.folder.path()).unwrap(), Vec::<String>::new());
    }
}

/// What a contact is to be told by.
#[derive(Debug, Clone)]
struct Draft {
    gap: u8,
    is_lid: bool,
    first: String,
    last: String,
    push: String,
    email: Option<String>,
    company: Option<String>,
    is_lead: bool,
    message: Option<i64>,
}

impl Draft {
    fn chat_id(&self, number: u64) -> ChatId {
        let digits = 1_000_000 + number * 7919 % 900_000;
        if self.is_lid { format!("{digits}@lid") } else { digits.to_string() }.parse().unwrap()
    }

    fn fill(&self, contact: &mut Contact) {
        let name = |text: &str| NamePart::parse(text, "name").unwrap();
        let by = Stamp { at: Moment::from_millis(5), source: SOURCE };
        let saved = &mut contact.names.saved;
        (saved.first, saved.last) = (name(&self.first), name(&self.last));
        saved.by = (saved.first.is_some() || saved.last.is_some()).then(|| by.clone());
        contact.names.push = name(&self.push).map(|name| Seen { name, by });
        (contact.card.email, contact.card.company) =
            (self.email.as_deref().map(Into::into), self.company.as_deref().map(Into::into));
        contact.card.kind = self.is_lead.then_some(Kind::Lead);
        contact.last_message_at = self.message.map(Moment::from_millis);
    }
}

const WORDS: [&str; 40] = [
    "José",
    "Jose\u{301}",
    "NANDU",
    "Ñandú",
    "Straße",
    "Øystein",
    "Łukasz",
    "İstanbul",
    "Ёлка",
    "Иванов",
    "ΟΔΥΣΣΕΎΣ",
    "伊藤",
    "太郎",
    "김민수",
    "金",
    "が",
    "か\u{3099}",
    "مُحَمَّد",
    "محمد",
    "علي",
    "אַבְרָהָם",
    "אברהם",
    "कि",
    "🌸",
    "👨‍👩‍👧",
    "ﬁnn",
    "Ｆｕｌｌ",
    "ann",
    "anna",
    "Hannah",
    "a",
    "\"quoted\"",
    "50%",
    "*^:()",
    "-'",
    "under_score",
    "NEAR(a b)",
    "OR 1=1 --",
    "4915",
    "007",
];

fn words(most: usize) -> impl Strategy<Value = String> {
    proptest::collection::vec(proptest::sample::select(&WORDS[..]), 0..=most).prop_map(|words| words.join(" "))
}

prop_compose! {
    fn drafts()(
        gap in 0u8..40, is_lid in proptest::bool::weighted(0.2), first in words(2), last in words(1),
        push in prop_oneof![words(1), "\\PC{0,12}"],
        email in proptest::option::weighted(0.3, "[a-cA-C]{1,4}@[a-c.]{2,6}"),
        company in proptest::option::weighted(0.3, prop_oneof![words(3), words(1).prop_map(|word| word.repeat(90))]),
        is_lead in any::<bool>(), message in proptest::option::weighted(0.4, -3i64..3),
    ) -> Draft {
        Draft { gap, is_lid, first, last, push, email, company, is_lead, message }
    }
}

#[derive(Debug, Clone)]
enum Step {
    Insert(Vec<Draft>),
    Update(Index, Draft),
    Bury(Index),
    Merge(Index, Index),
    Reopen,
    /// Cuts a needle out of what somebody was saved as: whom, from where, how long.
    Cut(Index, Index, usize),
    Search(String),
    /// What was asked before, most likely of a book that has changed since.
    Again(&'static str),
}

fn steps() -> impl Strategy<Value = Step> {
    use proptest::collection::vec;
    let index = any::<Index>;
    prop_oneof![
        3 => vec(drafts(), 1..30).prop_map(Step::Insert),
        3 => (index(), drafts()).prop_map(|(whom, draft)| Step::Update(whom, draft)),
        2 => index().prop_map(Step::Bury),
        1 => (index(), index()).prop_map(|(whom, survivor)| Step::Merge(whom, survivor)),
        1 => Just(Step::Reopen),
        8 => (index(), index(), 1usize..7).prop_map(|(whom, from, long)| Step::Cut(whom, from, long)),
        2 => prop_oneof![words(2), "\\PC{1,3}", "[ \n]{0,2}", "[0-9 +()-]{1,5}", Just("no such one".to_owned())]
            .prop_map(Step::Search),
        6 => proptest::sample::select(&["", "an", "4"][..]).prop_map(Step::Again),
    ]
}

fn queries(search: &str, way: Index) -> PageQuery {
    use Direction::{Ascending, Descending};
    const SORTS: [Sort; 7] =
        [Sort::Created, Sort::Name, Sort::ChatId, Sort::Updated, Sort::LastMessage, Sort::FirstName, Sort::LastName];
    let way = way.index(SORTS.len() * 2 * 2 * 3);
    let lead = Filter { field: FilterField::Kind, test: Test::Equals(Value::Text("lead".into())) };
    PageQuery {
        sort: vec![(SORTS[way % 7], if (way / 7).is_multiple_of(2) { Ascending } else { Descending })],
        search: Some(search.to_owned()),
        filters: if (way / 14).is_multiple_of(2) { vec![] } else { vec![lead] },
        limit: [2, 7, 50][way / 28],
        ..PageQuery::default()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn search_finds_what_a_plain_scan_finds(
        steps in proptest::collection::vec((steps(), any::<Index>()), 1..25),
    ) {
        let mut shelf = Shelf::new();
        for (step, way) in steps {
            match step {
                Step::Insert(drafts) => shelf.insert(drafts),
                Step::Update(whom, draft) => shelf.update(whom, &draft),
                Step::Bury(whom) => shelf.bury(shelf.pick(whom), None),
                Step::Merge(whom, survivor) => shelf.bury(shelf.pick(whom), Some(survivor)),
                Step::Reopen => shelf.reopen(),
                Step::Cut(whom, from, long) => {
                    let Some(contact) = shelf.pick(whom) else { continue };
                    let text: Vec<char> = contact.display().chars().chain(key(&contact).chars()).collect();
                    let needle: String = text.iter().skip(from.index(text.len())).take(long).collect();
                    shelf.agrees(&queries(&needle, way));
                }
                Step::Search(needle) => shelf.agrees(&queries(&needle, way)),
                Step::Again(needle) => shelf.agrees(&queries(needle, way)),
            }
        }
        shelf.assert_sound();
    }

    #[test]
    fn a_pack_reads_back_as_it_was_written(
        keys in proptest::collection::vec(proptest::option::of(proptest::collection::vec(any::<u8>(), 0..40)), ROOM as usize),
        cut in any::<Index>(),
    ) {
        let pack = Pack(std::array::from_fn(|slot| keys[slot].as_deref()));
        let bytes = pack.to_bytes();
        prop_assert_eq!(Pack::read(&bytes).unwrap().0, pack.0);
        // What is cut off or anything at all is refused or read, but never a panic.
        let _ = Pack::read(&bytes[..cut.index(bytes.len())]);
        let _ = find_in(&bytes[..cut.index(bytes.len())], &Finder::new("a"), |_| {});
        let _ = find_in(&keys.iter().flatten().flatten().copied().collect::<Vec<_>>(), &Finder::new("a"), |_| {});
    }
}

fn anna() -> Draft {
    Draft {
        gap: 0,
        is_lid: false,
        first: "Anna".into(),
        last: "伊藤".into(),
        push: String::new(),
        email: None,
        company: None,
        is_lead: false,
        message: None,
    }
}

fn found(reader: &book::Reader, search: &str) -> u64 {
    reader.page(&PageQuery { search: Some(search.into()), limit: 10, ..PageQuery::default() }).unwrap().total
}

#[test]
fn two_names_sort_as_the_database_sorts_them() {
    let mut shelf = Shelf::new();
    let names = ["Ann", "anna", "ANN", "", "Annabelle X", "annabelle", "Zoë", "zoé"];
    let mut draft = |first: &str, last: &str| {
        let (first, last) = (first.into(), last.into());
        shelf.insert(vec![Draft { first, last, ..anna() }]);
    };
    names.iter().for_each(|first| names.iter().rev().for_each(|last| draft(first, last)));
    for round in 0..3 {
        let reader = shelf.book().reader().unwrap();
        for (direction, word) in [(Direction::Ascending, "ASC"), (Direction::Descending, "DESC")] {
            let sort = vec![(Sort::FirstName, direction), (Sort::LastName, direction)];
            let page = reader.page(&PageQuery { sort, limit: 50, offset: 5, ..PageQuery::default() }).unwrap();
            let sql = format!(
                "SELECT id FROM contact ORDER BY coalesce(first, '') COLLATE NOCASE {word},
                    coalesce(last, '') COLLATE NOCASE {word}, id {word} LIMIT 50 OFFSET 5"
            );
            let mut statement = reader.connection.prepare(&sql).unwrap();
            let expected: Vec<i64> =
                statement.query_map([], |row| row.get(0)).unwrap().collect::<rusqlite::Result<_>>().unwrap();
            assert_eq!(page.contacts.iter().map(|contact| contact.id.0).collect::<Vec<_>>(), expected, "{round}");
        }
        drop(reader);
        // The next round finds the order kept, and two contacts changed.
        let whom = shelf.contacts.values().nth(20 + round).cloned();
        shelf.bury(whom, None);
        let whom = shelf.contacts.values().nth(7 * round + 3).unwrap().id.0;
        let mut moved = shelf.contacts[&whom].clone();
        moved.names.saved.last = NamePart::parse("annab", "name").unwrap();
        let head = shelf.moved();
        moved.revision = head.revision;
        shelf.contacts.insert(whom, moved.clone());
        let update = Write::Update { contact: Arc::new(moved), source: SOURCE, touched: Touched::ALL };
        shelf.book().write(&[update], head).unwrap();
    }
}

#[test]
fn nothing_is_found_across_two_contacts() {
    let mut shelf = Shelf::new();
    shelf.insert(vec![Draft { company: Some("xy".into()), ..anna() }, Draft { first: "zanna".into(), ..anna() }]);
    for needle in ["xy\nza", "y\nz", "\nzanna"] {
        assert_eq!(find(&shelf.book().reader().unwrap().connection, needle).unwrap().len(), 0, "{needle:?}");
    }
    let found = find(&shelf.book().reader().unwrap().connection, "anna").unwrap();
    assert_eq!(found.iter().collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn a_place_in_the_order_of_creation_is_counted_in_packs() {
    let mut shelf = Shelf::new();
    shelf.insert((0..100).map(|n| Draft { gap: n % 7 * (n % 5), ..anna() }).collect());
    for gone in shelf.contacts.values().step_by(3).cloned().collect::<Vec<_>>() {
        shelf.bury(Some(gone), None);
    }
    let ids: Vec<_> = shelf.contacts.keys().copied().collect();
    let reader = shelf.book().reader().unwrap();
    for place in 0..=ids.len() {
        let at = |from| at_place(&reader.connection, place as u64, from).unwrap().map(|id| id.0);
        assert_eq!(at(Direction::Ascending), ids.get(place).copied());
        assert_eq!(at(Direction::Descending), ids.iter().rev().nth(place).copied());
    }
}

#[test]
fn a_copy_brings_its_packs_along() {
    let mut shelf = Shelf::new();
    shelf.insert(vec![anna(), anna()]);
    let elsewhere = TempDir::new().unwrap();
    shelf.book().reader().unwrap().copy_to(elsewhere.path()).unwrap();
    assert_eq!(book::check(elsewhere.path()).unwrap(), Vec::<String>::new());
    assert_eq!(found(&Book::open(elsewhere.path()).unwrap().reader().unwrap(), "藤"), 2);
}

#[test]
fn an_older_book_is_packed_when_it_is_opened() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join(book::FILE);
    let before = BOOK.migrations.iter().position(|sql| sql.contains("search_pack")).unwrap();
    let mut old = Connection::open(&path).unwrap();
    let schema = Schema { application_id: BOOK.application_id, migrations: &BOOK.migrations[..before] };
    schema.migrate(&mut old).unwrap();
    old.execute(FIRST_HEAD, [uuid::Uuid::now_v7()]).unwrap();
    old.execute_batch("BEGIN").unwrap();
    for id in 1..=5000 {
        old.execute(
            "INSERT INTO contact (id, uuid, phone, first, blocked, conversation_count, created_at, updated_at, revision,
                sort_key, search_key) VALUES (?1, ?2, ?3, 'Zoë', 0, 0, 0, 0, ?1, 'zoe', 'zoe')",
            params![id, uuid::Uuid::now_v7(), format!("49{id}")],
        )
        .unwrap();
        let identity = "INSERT INTO identity VALUES (?1 || '@c.us', ?2, 'phone', 1, 0, 'test')";
        old.execute(identity, params![format!("49{id}"), id]).unwrap();
    }
    old.execute("UPDATE book SET contacts = 5000, revision = 5000, last_id = 5000", []).unwrap();
    old.execute_batch("COMMIT").unwrap();
    drop(old);
    let book = Book::open(folder.path()).unwrap();
    assert_eq!(book.head().revision, Revision::new(5000));
    let reader = book.reader().unwrap();
    assert_eq!((found(&reader, "ZOE"), found(&reader, "494999"), found(&reader, "49")), (5000, 1, 5000));
    assert_eq!(book::check(folder.path()).unwrap(), Vec::<String>::new());
}

#[test]
fn check_misses_packs_that_are_off() {
    for damage in [
        "DELETE FROM search_pack WHERE place = 1",
        "UPDATE search_pack SET contacts = contacts + 1 WHERE place = 0",
        "UPDATE search_pack SET keys = substr(keys, 1, length(keys) - 3) WHERE place = 0",
        "UPDATE search_pack SET keys = x'ff' WHERE place = 0",
        "UPDATE search_pack SET place = 77 WHERE place = 2",
        "UPDATE search_pack SET keys = (SELECT keys FROM search_pack WHERE place = 1) WHERE place = 0",
    ] {
        let mut shelf = Shelf::new();
        shelf.insert(vec![anna(); 160]);
        shelf.assert_sound();
        let direct = Connection::open(shelf.folder.path().join(book::FILE)).unwrap();
        assert_eq!(direct.execute(damage, []).unwrap(), 1, "{damage}");
        let wrong = book::check(shelf.folder.path()).unwrap();
        assert!(wrong.iter().any(|line| line.starts_with("what search looks into is off")), "{damage}: {wrong:?}");
    }
}
