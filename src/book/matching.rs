//! Which contacts a list is about: those that a text finds, those that filters let pass, or both. Each is asked for by
//! itself and kept, so that going on to the next page, or typing on, asks only for what is new. Leaves out how a search
//! finds (search) and what a filter says (filter).

use std::sync::Arc;

use rusqlite::{Connection, params_from_iter, types::Value};

use crate::{
    book::{
        Filter, Head, PageQuery,
        fault::meaning,
        ids::Ids,
        kept::{Bulky, Kept, Ways},
        query, rows,
        rows::columns,
        search,
    },
    domain::{Result, Revision},
};

pub(super) struct Matching {
    pub(super) head: Head,
    /// None where nothing was asked: all of them.
    pub(super) ids: Option<Arc<Ids>>,
}

/// One question to all contacts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ask {
    /// A needle of the search.
    Text(String),
    /// All of them must hold.
    Filters(Vec<Filter>),
}

impl Bulky for Ids {
    fn bytes(&self) -> usize {
        self.bytes()
    }
}

impl Matching {
    pub(super) fn of(connection: &Connection, kept: &Kept, query: &PageQuery) -> Result<Self> {
        let head = query::head(connection)?;
        let text = query.search.as_deref().and_then(search::needle).map(Ask::Text);
        let filters = (!query.filters.is_empty()).then(|| Ask::Filters(query.filters.clone()));
        let answer = |ask| answer(connection, kept, &head, ask);
        let ids = match (text, filters) {
            (None, None) => None,
            (Some(one), None) | (None, Some(one)) => Some(answer(one)?),
            (Some(text), Some(filters)) => {
                let found = answer(text)?;
                // A contact that is sought costs some twenty that are gone through.
                let are_few = found.len() * 20 <= head.contacts;
                Some(Arc::new(match filters {
                    Ask::Filters(filters) if are_few && !kept.found.has(&Ask::Filters(filters.clone())) => {
                        pass(connection, &filters, &Among::Ids(&found)).map_err(meaning)?
                    }
                    filters => found.and(&*answer(filters)?),
                }))
            }
        };
        Ok(Self { head, ids })
    }

    pub(super) fn total(&self) -> u64 {
        self.ids.as_ref().map_or(self.head.contacts, |ids| ids.len())
    }
}

fn answer(connection: &Connection, kept: &Kept, head: &Head, ask: Ask) -> Result<Arc<Ids>> {
    let asked = ask.clone();
    let ways = Ways {
        anew: || match &asked {
            Ask::Text(needle) => search::find(connection, needle),
            Ask::Filters(filters) => pass(connection, filters, &Among::All),
        },
        again: |before: &Ids, changed: &Ids, after: Revision| {
            let now = match &asked {
                Ask::Text(needle) => found_among_newer(connection, needle, after.number()),
                Ask::Filters(filters) => pass(connection, filters, &Among::Newer(after.number())),
            }?;
            Ok(before.without(changed).or(&now))
        },
        // A contact that is sought and read costs some hundreds of those that are gone through in their packs.
        most: 64 + head.contacts / 256,
    };
    kept.found.get(connection, head, ask, ways)
}

const NEWER: &str =
    concat!("SELECT ", columns!(), " FROM contact INDEXED BY contact_by_revision WHERE revision > ?1 ORDER BY id");

fn found_among_newer(connection: &Connection, needle: &str, after: u64) -> rusqlite::Result<Ids> {
    let mut statement = connection.prepare_cached(NEWER)?;
    let newer = statement.query_map([after], rows::contact)?;
    let found = newer.filter(|row| row.as_ref().map_or(true, |contact| search::finds(contact, needle)));
    found.map(|row| row.map(|contact| contact.id.0)).collect()
}

/// To whom filters are put.
enum Among<'a> {
    All,
    /// Whose revision is newer than this one.
    Newer(u64),
    Ids(&'a Ids),
}

fn pass(connection: &Connection, filters: &[Filter], among: &Among<'_>) -> rusqlite::Result<Ids> {
    let (mut conditions, mut params) = (Vec::new(), Vec::new());
    let index = match among {
        Among::All => "",
        Among::Newer(revision) => {
            conditions.push("c.revision > ?".to_owned());
            params.push(Value::Integer(i64::try_from(*revision).unwrap_or(i64::MAX)));
            "INDEXED BY contact_by_revision"
        }
        Among::Ids(ids) => {
            conditions.push("c.id IN (SELECT value FROM json_each(?))".to_owned());
            params.push(Value::Text(as_json(ids.iter())));
            ""
        }
    };
    for filter in filters {
        filter.write(&mut conditions, &mut params);
    }
    let sql = format!("SELECT c.id FROM contact c {index} WHERE {} ORDER BY c.id", conditions.join(" AND "));
    let mut statement = connection.prepare_cached(&sql)?;
    statement.query_map(params_from_iter(params), |row| row.get(0))?.collect()
}

/// Ids where SQL can ask for them: `json_each`.
pub(super) fn as_json(ids: impl Iterator<Item = i64>) -> String {
    serde_json::to_string(&ids.collect::<Vec<_>>()).expect("numbers serialise")
}
