//! How the database goes about a page: what it seeks and walks, and that it sorts nothing where the file is in order.

use tempfile::TempDir;

use super::*;
use crate::book::{Book, FilterField, Test, Value as Text};

const SORTS: [Sort; 5] = [Sort::Created, Sort::Name, Sort::Updated, Sort::ChatId, Sort::LastMessage];
const BOTH: [Direction; 2] = [Direction::Ascending, Direction::Descending];

/// As if the book had so many contacts, and so many of them were meant.
struct Plan {
    reader: Reader,
    matching: Matching,
    total: u64,
    _folder: TempDir,
}

impl Plan {
    fn of(query: &PageQuery, contacts: u64, total: u64) -> Self {
        let folder = TempDir::new().unwrap();
        let reader = Book::create(folder.path()).unwrap().reader().unwrap();
        let mut matching = Matching::of(&reader.connection, query).unwrap();
        matching.head.contacts = contacts;
        Self { reader, matching, total, _folder: folder }
    }

    /// Of all parts, the last one first.
    fn steps(&self, sort: (Sort, Direction), window: &Window<'_>) -> Vec<String> {
        Part::of(sort.0, window).iter().rev().map(|part| self.steps_of(sort, window, *part)).collect()
    }

    fn steps_of(&self, sort: (Sort, Direction), window: &Window<'_>, part: Part) -> String {
        let gathers = self.matching.gathers(sort.0, window, self.total);
        let (sql, params) = self.matching.select(&[sort], window, part, gathers);
        let mut statement = self.reader.connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let steps = statement.query_map(params_from_iter(params), |row| row.get::<_, String>("detail")).unwrap();
        steps.collect::<rusqlite::Result<Vec<_>>>().unwrap().join("; ")
    }
}

fn page(after: Option<&Cursor>) -> Window<'_> {
    Window { after, offset: 0, limit: 101 }
}

#[test]
fn a_page_after_a_cursor_seeks_and_sorts_nothing() {
    for (sort, direction) in SORTS.into_iter().flat_map(|sort| BOTH.map(|direction| (sort, direction))) {
        let key = if matches!(sort, Sort::Name | Sort::ChatId) { Value::Text("a".into()) } else { Value::Integer(5) };
        let cursor = Cursor { key, id: 5 };
        let plan = Plan::of(&PageQuery::default(), 1_000_000, 1_000_000);
        let parts = plan.steps((sort, direction), &page(Some(&cursor)));
        assert_eq!(parts.len(), if matches!(sort, Sort::Name | Sort::LastMessage) { 2 } else { 1 });
        for steps in &parts {
            assert!(steps.starts_with("SEARCH") && !steps.contains("TEMP B-TREE"), "{sort:?} {direction:?}: {steps}");
            assert!(steps.contains("COVERING") || steps.contains("PRIMARY KEY"), "{sort:?} {direction:?}: {steps}");
        }
        for tied in &parts[1..] {
            assert!(tied.contains("=? AND rowid"), "{sort:?} {direction:?}: {tied}");
        }
        let [steps] = plan.steps((sort, direction), &Window { offset: 1_000_000, ..page(None) }).try_into().unwrap();
        assert!(!steps.contains("TEMP B-TREE"), "by number, {sort:?} {direction:?}: {steps}");
    }
}

#[test]
fn what_many_match_is_walked_in_order_and_what_few_match_is_gathered() {
    let kind = Filter { field: FilterField::Kind, test: Test::Equals(Text::Text("lead".into())) };
    let filtered = PageQuery { filters: vec![kind], ..PageQuery::default() };
    let searched = PageQuery { search: Some("anna".into()), ..PageQuery::default() };
    for (query, sort) in [&filtered, &searched].into_iter().flat_map(|query| SORTS.map(|sort| (query, sort))) {
        let many = Plan::of(query, 1_000_000, 500_000).steps((sort, Direction::Ascending), &page(None)).concat();
        assert!(!many.contains("TEMP B-TREE"), "{sort:?}: {many}");
        let few = Plan::of(query, 1_000_000, 50).steps((sort, Direction::Ascending), &page(None)).concat();
        assert!(few.contains("TEMP B-TREE FOR ORDER BY"), "{sort:?}: {few}");
    }
}
