//! How the database goes about a page: what it seeks and walks, and that it sorts nothing where the file is in order.

use std::sync::Arc;

use tempfile::TempDir;

use super::*;
use crate::book::{Book, Head, ids::Ids};

const SORTS: [Sort; 5] = [Sort::Created, Sort::Name, Sort::Updated, Sort::ChatId, Sort::LastMessage];
const BOTH: [Direction; 2] = [Direction::Ascending, Direction::Descending];

/// As if the book had so many contacts, and so many of them were meant.
struct Plan {
    reader: Reader,
    contacts: u64,
    meant: Option<Arc<Ids>>,
    _folder: TempDir,
}

impl Plan {
    fn of(contacts: u64, meant: Option<i64>) -> Self {
        let folder = TempDir::new().unwrap();
        let reader = Book::create(folder.path()).unwrap().reader().unwrap();
        let meant = meant.map(|count| Arc::new((1..=count).collect()));
        Self { reader, contacts, meant, _folder: folder }
    }

    /// Of all parts, the last one first.
    fn steps(&self, sort: (Sort, Direction), window: &Window<'_>) -> Vec<String> {
        Part::of(sort.0, window).iter().rev().map(|part| self.steps_of(sort, window, *part)).collect()
    }

    fn steps_of(&self, sort: (Sort, Direction), window: &Window<'_>, part: Part) -> String {
        let connection = &self.reader.connection;
        let head = Head { contacts: self.contacts, ..query::head(connection).unwrap() };
        let list = List { connection, kept: &self.reader.kept, matching: Matching { head, ids: self.meant.clone() } };
        let (sql, params) = list.select(&[sort], window, part, list.gathers(sort.0, window));
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
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
        let plan = Plan::of(1_000_000, None);
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
    for sort in SORTS {
        let many = Plan::of(1_000_000, Some(500_000)).steps((sort, Direction::Ascending), &page(None)).concat();
        assert!(!many.contains("TEMP B-TREE"), "{sort:?}: {many}");
        let few = Plan::of(1_000_000, Some(50)).steps((sort, Direction::Ascending), &page(None)).concat();
        assert!(few.contains("TEMP B-TREE FOR ORDER BY"), "{sort:?}: {few}");
    }
}
