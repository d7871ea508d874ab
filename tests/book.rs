//! Conformance at the book's floor: whatever stores an address book must pass this, through its public verbs alone.

use std::{path::Path, sync::Arc};

use proptest::prelude::*;
use rstest::rstest;
use tempfile::TempDir;
use wabook::{
    book::{self, Book, Direction, Filter, FilterField, Head, PageQuery, Sort, Test, Touched, Value, Write},
    domain::{
        self, CardPatch, ChatId, Contact, ContactId, Edit, Error, Field, Mapping, Moment, NamePart, Patch, Revision,
        Seen, Source, Stamp, Who,
    },
};

const SOURCE: Source = Source::known("test");

struct Shelf {
    folder: TempDir,
    book: Book,
}

impl Shelf {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let book = Book::create(folder.path()).unwrap();
        Self { folder, book }
    }

    /// Inserts contacts in one write, drawing ids and revisions as a desk would.
    fn insert(&mut self, contacts: Vec<Contact>) -> Vec<Contact> {
        let mut head = self.book.head();
        let mut writes: Vec<_> = contacts
            .into_iter()
            .map(|mut contact| {
                head.last_id = ContactId(head.last_id.0 + 1);
                head.revision = head.revision.next();
                (contact.id, contact.revision) = (head.last_id, head.revision);
                contact.uuid = uuid::Uuid::now_v7();
                Write::Insert { contact: Arc::new(contact), source: SOURCE }
            })
            .collect();
        let by = Stamp { at: Moment::from_millis(1), source: SOURCE };
        let mapped = |write: &Write| match write {
            Write::Insert { contact, .. } => Some((contact.lid?, contact.phone?)),
            _ => None,
        };
        let mappings: Vec<_> = writes.iter().filter_map(mapped).collect();
        let learn = |(lid, phone)| Write::Learn(Mapping { lid, phone, by: by.clone() });
        writes.extend(mappings.into_iter().map(learn));
        self.book.write(&writes, head).unwrap();
        writes
            .into_iter()
            .filter_map(|write| match write {
                Write::Insert { contact, .. } => Some(Contact::clone(&contact)),
                _ => None,
            })
            .collect()
    }

    fn update(&mut self, mut contact: Contact) -> Contact {
        let head = Head { revision: self.book.head().revision.next(), ..self.book.head() };
        contact.revision = head.revision;
        self.book
            .write(&[Write::Update { contact: Arc::new(contact.clone()), source: SOURCE, touched: Touched::ALL }], head)
            .unwrap();
        contact
    }

    fn bury(&mut self, contact: Contact) {
        self.bury_at(contact, 9);
    }

    fn bury_at(&mut self, contact: Contact, at: i64) {
        let head = Head { revision: self.book.head().revision.next(), ..self.book.head() };
        let bury = Write::Bury {
            contact: Arc::new(contact),
            revision: head.revision,
            at: Moment::from_millis(at),
            merged_into: None,
        };
        self.book.write(&[bury], head).unwrap();
    }

    fn shown(&self, query: &PageQuery) -> Vec<String> {
        let page = self.book.reader().unwrap().page(query).unwrap();
        page.contacts.iter().map(Contact::display).collect()
    }

    fn assert_sound(&self) {
        assert_eq!(book::check(self.folder.path()).unwrap(), Vec::<String>::new());
    }
}

fn id(text: &str) -> ChatId {
    text.parse().unwrap()
}

fn who(text: &str) -> Who {
    Who::Chat(id(text))
}

fn name(text: &str) -> Option<NamePart> {
    NamePart::parse(text, "name").unwrap()
}

fn contact(who: &str, first: &str) -> Contact {
    let mut contact = Contact::unknown(id(who), Moment::from_millis(1_700_000_000_000));
    contact.names.saved.first = name(first);
    contact.names.saved.by = Some(Stamp { at: Moment::from_millis(5), source: SOURCE });
    contact
}

#[test]
fn every_field_reads_back_as_it_was_stored() {
    let mut shelf = Shelf::new();
    let mut full = contact("15551234567", "Zoë");
    full.lid = Some(*id("100875997589545@lid").digits());
    full.names.saved.last = name("Ñandú 🌸");
    let by = Stamp { at: Moment::from_millis(7), source: "phone-1".parse().unwrap() };
    full.names.push = Some(Seen { name: name("zoe").unwrap(), by: by.clone() });
    full.names.business = Some(Seen { name: name("Zoë Ltd").unwrap(), by });
    let text = |text: &str| Field::Set(text.into());
    let patch = CardPatch {
        email: text("zoe@example.com"),
        company: text("Zoë Ltd"),
        description: text("line one\nline two"),
        city: text("Málaga"),
        state: text("AN"),
        zip: text("29001"),
        address: text("Calle 1"),
        country_code: text("ES"),
        country_id: Field::Set(34),
        assigned_id: Field::Set(i64::MAX),
        kind: Field::Set(wabook::domain::Kind::Customer),
        tags: Field::Set(vec!["vip".into(), "\"quoted\"".into()]),
        labels: Field::Set(vec![]),
        params: Field::Set([("tier".into(), "\"gold\"".into())].into()),
        opted_in: Field::Set(false),
        source_id: Field::Set(1),
        status_id: Field::Set(1),
        groups: Field::Set(vec![3, 5]),
    };
    let patch = Patch { card: patch, ..Patch::default() };
    let edit = Edit::save(id("15551234567"), patch, Moment::from_millis(1_800_000_000_000), SOURCE);
    full = domain::decide(Some(&full), &edit, None).unwrap().contact;
    assert!(!full.times.is_empty(), "written after it was made");
    full.blocked = true;
    full.last_message_at = Some(Moment::from_millis(-1));
    full.conversation_count = 3;
    let stored = shelf.insert(vec![full]).remove(0);
    for spelling in ["15551234567", "100875997589545@lid"] {
        assert_eq!(shelf.book.load(&[who(spelling)]).unwrap(), [Some(stored.clone())]);
        assert_eq!(shelf.book.reader().unwrap().get(&who(spelling)).unwrap(), Some(stored.clone()));
    }
    let bare = shelf.insert(vec![Contact::unknown(id("777@lid"), Moment::from_millis(0))]).remove(0);
    let ids = [who("777@lid"), who("888"), who("15551234567")];
    assert_eq!(shelf.book.load(&ids).unwrap(), [Some(bare), None, Some(stored)]);
    shelf.assert_sound();
}

#[test]
fn the_head_moves_with_the_rows_and_survives_reopening() {
    let mut shelf = Shelf::new();
    let [bob, eve] = shelf.insert(vec![contact("111", "Bob"), contact("222", "Eve")]).try_into().unwrap();
    shelf.update(bob);
    shelf.bury(eve);
    let head = shelf.book.head();
    assert_eq!((head.revision.number(), head.contacts, head.last_id), (4, 1, ContactId(2)));
    shelf.book.close().unwrap();
    assert!(!shelf.folder.path().join("book.db-wal").exists(), "closing folds the log in");
    let reopened = Book::open(shelf.folder.path()).unwrap();
    assert_eq!(reopened.head(), head);
    assert_eq!(reopened.load(&[who("222")]).unwrap(), [None]);
}

#[test]
fn a_buried_contact_can_come_back_as_a_new_one() {
    let mut shelf = Shelf::new();
    let old = shelf.insert(vec![contact("111", "Bob")]).remove(0);
    shelf.bury(old.clone());
    let new = shelf.insert(vec![contact("111", "Bob again")]).remove(0);
    assert_ne!((old.id, old.uuid), (new.id, new.uuid));
    assert_eq!(shelf.book.load(&[who("111")]).unwrap(), [Some(new)]);
    shelf.assert_sound();
}

#[test]
fn tombstones_go_in_the_order_of_revisions_up_to_the_first_that_must_stay() {
    let mut shelf = Shelf::new();
    let people = shelf.insert((1..=5).map(|n| contact(&format!("{n}{n}{n}"), "Somebody")).collect());
    for (person, at) in people.into_iter().zip([10, 20, 90, 30, 95]) {
        shelf.bury_at(person, at);
    }
    let left = |shelf: &Shelf| -> Vec<_> {
        let changes = shelf.book.reader().unwrap().changes(Revision::default(), 100).unwrap();
        assert_eq!(changes.head, shelf.book.head());
        changes.rows.iter().map(|row| row.revision().number()).collect()
    };
    let before = |moment| Moment::from_millis(moment);
    assert_eq!(shelf.book.prune(before(10), 100).unwrap(), 0);
    assert_eq!(shelf.book.head().pruned, Revision::default());
    assert_eq!(shelf.book.prune(before(50), 1).unwrap(), 1, "no more than was asked for");
    assert_eq!(left(&shelf), [7, 8, 9, 10]);
    assert_eq!(shelf.book.prune(before(50), 100).unwrap(), 1, "the fourth is old, but the third is not");
    assert_eq!((left(&shelf), shelf.book.head().pruned.number()), (vec![8, 9, 10], 7));
    assert_eq!(shelf.book.prune(before(100), 100).unwrap(), 3);
    assert_eq!((left(&shelf), shelf.book.head().pruned.number()), (vec![], 10));
    shelf.insert(vec![contact("666", "Later")]);
    assert_eq!(Book::open(shelf.folder.path()).unwrap().head().pruned.number(), 10, "a write keeps it");
    shelf.assert_sound();
}

#[test]
fn a_write_is_whole_or_not_at_all() {
    let mut shelf = Shelf::new();
    let bob = shelf.insert(vec![contact("111", "Bob")]).remove(0);
    let before = shelf.book.head();
    let mut clash = contact("222", "Eve");
    (clash.id, clash.revision) = (bob.id, before.revision.next());
    let mut fine = bob.clone();
    fine.names.saved.first = name("Rob");
    fine.revision = before.revision.next();
    let head = Head { revision: before.revision.next().next(), ..before };
    let writes = [
        Write::Update { contact: Arc::new(fine), source: SOURCE, touched: Touched::ALL },
        Write::Insert { contact: Arc::new(clash), source: SOURCE },
    ];
    assert!(shelf.book.write(&writes, head).is_err());
    assert_eq!(shelf.book.head(), before);
    assert_eq!(shelf.book.load(&[who("111"), who("222")]).unwrap(), [Some(bob), None]);
    shelf.assert_sound();
}

#[rstest]
#[case(Sort::Created, Direction::Ascending, &["émile", "Zoë", "Bob", "+444", "anna"])]
#[case(Sort::Created, Direction::Descending, &["anna", "+444", "Bob", "Zoë", "émile"])]
#[case(Sort::Name, Direction::Ascending, &["+444", "anna", "Bob", "émile", "Zoë"])]
#[case(Sort::Name, Direction::Descending, &["Zoë", "émile", "Bob", "anna", "+444"])]
#[case(Sort::ChatId, Direction::Ascending, &["Zoë", "Bob", "+444", "émile", "anna"])]
#[case(Sort::LastMessage, Direction::Descending, &["Zoë", "anna", "+444", "Bob", "émile"])]
#[case(Sort::Updated, Direction::Descending, &["Bob", "anna", "+444", "Zoë", "émile"])]
fn lists_come_in_every_order_and_page_the_same_both_ways(
    #[case] sort: Sort,
    #[case] direction: Direction,
    #[case] expected: &[&str],
) {
    let mut shelf = Shelf::new();
    let mut contacts = vec![
        contact("555", "émile"),
        contact("222", "Zoë"),
        contact("333", "Bob"),
        contact("444", ""),
        contact("999@lid", "anna"),
    ];
    contacts[1].last_message_at = Some(Moment::from_millis(77));
    let bob = shelf.insert(contacts).remove(2);
    shelf.update(bob);
    let query = PageQuery { sort: vec![(sort, direction)], limit: 100, ..PageQuery::default() };
    assert_eq!(shelf.shown(&query), expected);
    for limit in 1..=6 {
        let reader = shelf.book.reader().unwrap();
        let (mut by_cursor, mut by_number) = (vec![], vec![]);
        let mut after = None;
        for page in 0.. {
            let query = PageQuery { sort: vec![(sort, direction)], limit, ..PageQuery::default() };
            let numbered = reader.page(&PageQuery { offset: page * u64::from(limit), ..query.clone() }).unwrap();
            by_number.extend(numbered.contacts.iter().map(Contact::display));
            let walked = reader.page(&PageQuery { after, ..query }).unwrap();
            by_cursor.extend(walked.contacts.iter().map(Contact::display));
            assert_eq!((walked.total, numbered.total), (5, 5));
            after = walked.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(by_cursor, expected, "cursor, {limit} a page");
        assert_eq!(by_number, expected, "offset, {limit} a page");
    }
}

#[test]
fn filters_and_sorts_by_parts_of_a_name() {
    let mut shelf = Shelf::new();
    let of = |who: &str, first: &str, last: &str, groups: &[i64], second: i64| {
        let mut contact = contact(who, first);
        contact.names.saved.last = name(last);
        contact.card.groups = (!groups.is_empty()).then(|| groups.to_vec());
        contact.created_at = Moment::from_millis(1_767_323_045_000 + second * 1000 + 999);
        contact
    };
    shelf.insert(vec![
        of("111", "bob", "Young", &[1], 0),
        of("222", "Ann", "Zed", &[1, 2], 1),
        of("333", "Bob", "Abe", &[2], 2),
        of("444", "", "Nobody", &[], 3),
    ]);
    let sorted = |sorts: &[(Sort, Direction)]| {
        shelf.shown(&PageQuery { sort: sorts.to_vec(), limit: 9, ..PageQuery::default() })
    };
    let (up, down) = (Direction::Ascending, Direction::Descending);
    assert_eq!(sorted(&[(Sort::FirstName, up)]), ["Nobody", "Ann Zed", "bob Young", "Bob Abe"]);
    assert_eq!(
        sorted(&[(Sort::FirstName, down), (Sort::LastName, up)]),
        ["Bob Abe", "bob Young", "Ann Zed", "Nobody"],
        "the second sort settles what the first leaves open"
    );
    let number = Value::Number;
    let second = |second: i64| number(1_767_323_045 + second);
    for (field, test, expected) in [
        (FilterField::GroupId, Test::Equals(number(1)), &["bob Young", "Ann Zed"][..]),
        (FilterField::GroupId, Test::OneOf(vec![number(1), number(2)]), &["bob Young", "Ann Zed", "Bob Abe"]),
        (FilterField::GroupId, Test::Differs(number(1)), &["Bob Abe", "Nobody"]),
        (FilterField::GroupId, Test::NoneOf(vec![number(1), number(2)]), &["Nobody"]),
        (FilterField::GroupId, Test::Empty(true), &["Nobody"]),
        (FilterField::CreatedSecond, Test::Equals(second(1)), &["Ann Zed"]),
        (FilterField::CreatedSecond, Test::AtMost(second(1)), &["bob Young", "Ann Zed"]),
        (FilterField::CreatedSecond, Test::MoreThan(second(1)), &["Bob Abe", "Nobody"]),
        (FilterField::CreatedSecond, Test::Between(second(1), second(2)), &["Ann Zed", "Bob Abe"]),
        (FilterField::CreatedSecond, Test::Contains("2026-01-02 03:04:06".into()), &["Ann Zed"]),
    ] {
        let filters = vec![Filter { field, test: test.clone() }];
        let query = PageQuery { filters, limit: 9, ..PageQuery::default() };
        assert_eq!(shelf.shown(&query), expected, "{test:?}");
        assert_eq!(shelf.book.reader().unwrap().page(&query).unwrap().total, expected.len() as u64, "{test:?}");
    }
    shelf.assert_sound();
}

#[test]
fn search_finds_names_numbers_and_companies_whatever_their_case_and_accents() {
    let mut shelf = Shelf::new();
    let mut jose = contact("5215551234567", "José Ñandú");
    jose.card.email = Some("JOSE@example.com".into());
    jose.card.company = Some("Müller & Söhne".into());
    shelf.insert(vec![jose, contact("8190", "伊藤"), contact("966", "مُحَمَّد"), contact("100", "x")]);
    for (search, found) in [
        ("jose", "José Ñandú"),
        ("NANDU", "José Ñandú"),
        ("é ñ", "José Ñandú"),
        ("+52 1 555", "José Ñandú"),
        ("jose@EXAMPLE", "José Ñandú"),
        ("muller & sohne", "José Ñandú"),
        ("藤", "伊藤"),
        ("محمد", "مُحَمَّد"),
    ] {
        let query = PageQuery { search: Some(search.into()), limit: 10, ..PageQuery::default() };
        assert_eq!(shelf.shown(&query), [found], "{search}");
        assert_eq!(shelf.book.reader().unwrap().page(&query).unwrap().total, 1);
    }
    for search in ["%", "_", "nobody", "jose\\", "' OR 1=1 --"] {
        let query = PageQuery { search: Some(search.into()), limit: 10, ..PageQuery::default() };
        assert_eq!(shelf.shown(&query), [""; 0], "{search}");
    }
    let blank = PageQuery { search: Some("  ".into()), limit: 10, ..PageQuery::default() };
    assert_eq!(shelf.shown(&blank).len(), 4, "a blank search is no search");
}

#[test]
fn mappings_are_listed_counted_and_found_from_both_sides() {
    let mut shelf = Shelf::new();
    let mut both = contact("222", "Both");
    both.lid = Some(*id("900@lid").digits());
    let mut other = contact("111", "Other");
    other.lid = Some(*id("800@lid").digits());
    shelf.insert(vec![both, other, contact("333", "Phone only"), contact("700@lid", "LID only")]);
    let reader = shelf.book.reader().unwrap();
    let listed: Vec<_> = reader.mappings(10, 0).unwrap().iter().map(|m| format!("{} {}", m.lid, m.phone)).collect();
    assert_eq!(listed, ["800 111", "900 222"]);
    assert_eq!(reader.mappings(1, 1).unwrap().len(), 1);
    assert_eq!(reader.mapping_count().unwrap(), 2);
    for who in ["900@lid", "222"] {
        assert_eq!(reader.mapping(&id(who)).unwrap().unwrap().phone, *id("222").digits());
    }
    for who in ["700@lid", "333", "444"] {
        assert_eq!(reader.mapping(&id(who)).unwrap(), None);
    }
}

#[test]
fn a_reader_sees_what_was_written_and_a_copy_holds_it() {
    let mut shelf = Shelf::new();
    let reader = shelf.book.reader().unwrap();
    let bob = shelf.insert(vec![contact("111", "Bob")]).remove(0);
    assert_eq!(reader.get(&who("111")).unwrap(), Some(bob.clone()));
    let elsewhere = TempDir::new().unwrap();
    reader.copy_to(elsewhere.path()).unwrap();
    let copy = Book::open(elsewhere.path()).unwrap();
    assert_eq!(copy.load(&[who("111")]).unwrap(), [Some(bob)]);
    let (head, original) = (copy.head(), shelf.book.head());
    assert_ne!((head.epoch, head.mark), (original.epoch, original.mark), "from here on they go different ways");
    assert_eq!(Head { epoch: original.epoch, mark: original.mark, ..head }, original);
    assert!(matches!(reader.copy_to(elsewhere.path()), Err(Error::Duplicate { .. })), "a copy overwrites nothing");
}

#[test]
fn a_missing_foreign_or_newer_file_is_refused_untouched() {
    let folder = TempDir::new().unwrap();
    assert!(matches!(Book::open(folder.path()), Err(Error::Quarantined)));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "opening makes no file");

    let path = folder.path().join(book::FILE);
    std::fs::write(&path, "this is not a database, not at all".repeat(100)).unwrap();
    assert!(matches!(Book::open(folder.path()), Err(Error::Quarantined)));

    std::fs::remove_file(&path).unwrap();
    let set = |path: &Path, pragma: &str, value: i32| {
        rusqlite::Connection::open(path).unwrap().pragma_update(None, pragma, value).unwrap();
    };
    set(&path, "application_id", 42);
    assert!(matches!(Book::open(folder.path()), Err(Error::Quarantined)));

    std::fs::remove_file(&path).unwrap();
    drop(Book::create(folder.path()).unwrap());
    assert!(matches!(Book::create(folder.path()), Err(Error::Duplicate { .. })));
    set(&path, "user_version", 4_000);
    let Err(Error::Internal(cause)) = Book::open(folder.path()) else { panic!("a newer book was opened") };
    assert!(cause.to_string().contains("newer"), "{cause}");
}

#[test]
fn check_tells_what_is_wrong() {
    let mut shelf = Shelf::new();
    shelf.insert(vec![contact("111", "Bob")]);
    shelf.assert_sound();
    let direct = rusqlite::Connection::open(shelf.folder.path().join(book::FILE)).unwrap();
    direct.execute_batch("UPDATE book SET contacts = 5; DELETE FROM identity").unwrap();
    let wrong = book::check(shelf.folder.path()).unwrap();
    assert_eq!(wrong.len(), 3, "{wrong:?}");
    assert!(!book::check(TempDir::new().unwrap().path()).unwrap().is_empty());
}

#[test]
fn files_are_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let mut shelf = Shelf::new();
    shelf.insert(vec![contact("111", "Bob")]);
    for entry in std::fs::read_dir(shelf.folder.path()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", entry.file_name());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// The book against a plain map: after any mix of writes both hold the same, and the counters agree.
    #[test]
    fn the_book_agrees_with_a_map(steps in proptest::collection::vec((0u8..3, 100u32..110, "[a-c é]{0,3}"), 1..40)) {
        let mut shelf = Shelf::new();
        let mut map = std::collections::BTreeMap::<ChatId, Contact>::new();
        let mut changes = 0;
        for (verb, who, text) in steps {
            let who = id(&who.to_string());
            match (verb, map.get(&who).cloned()) {
                (0 | 1, None) => {
                    map.insert(who, shelf.insert(vec![contact(&who.to_string(), &text)]).remove(0));
                }
                (0 | 1, Some(mut present)) => {
                    present.names.saved.first = name(&text);
                    map.insert(who, shelf.update(present));
                }
                (_, Some(present)) => {
                    shelf.bury(present);
                    map.remove(&who);
                }
                (_, None) => continue,
            }
            changes += 1;
        }
        let held: Vec<_> = map.into_values().collect();
        let query = PageQuery { sort: vec![(Sort::ChatId, Direction::Ascending)], limit: 100, ..PageQuery::default() };
        let page = shelf.book.reader().unwrap().page(&query).unwrap();
        prop_assert_eq!(page.contacts, held.clone());
        prop_assert_eq!(page.total, held.len() as u64);
        prop_assert_eq!(shelf.book.head().revision, Revision::new(changes));
        shelf.assert_sound();
    }
}
