//! What is done before anybody is served when the last run did not end in order: what books may lack is carried out from
//! the journal. Why that is enough stands at the journal.

use std::collections::BTreeMap;

use anyhow::Context as _;

use crate::{
    book,
    domain::{Error, InstanceId},
    gateway::Folder,
    journal::{Entry, Journal},
};

pub(super) fn recover(folder: &Folder) -> anyhow::Result<()> {
    let entries = Journal::left_behind(folder.path()).context("the journal cannot be read")?;
    let mut books: BTreeMap<&str, Vec<&[u8]>> = BTreeMap::new();
    for Entry { book, record } in &entries {
        books.entry(book).or_default().push(record);
    }
    let (mut late, mut changes) = (0, 0);
    for (name, records) in &books {
        let id: InstanceId = name.parse().context("the journal names no instance")?;
        let home = folder.of(&id);
        // Removed meanwhile, or set aside.
        if !home.exists() {
            continue;
        }
        match book::replay(&home, records) {
            Ok(0) => {}
            Ok(count) => (late, changes) = (late + 1, changes + count),
            // Its owner will be told when it is opened. Nothing that belongs to it gets lost.
            Err(Error::Quarantined) => {
                tracing::error!(instance = %id, "book is damaged, what the journal has of it was put into its folder");
                Journal::set_aside(&home, name, records)
                    .context("the journal of a damaged book cannot be set aside")?;
            }
            Err(error) => anyhow::bail!("the book of {id} cannot be brought up to date: {}", error.chain()),
        }
    }
    if !entries.is_empty() {
        tracing::info!(
            records = entries.len(),
            books = books.len(),
            late,
            changes,
            "the last run did not end in order"
        );
    }
    Journal::clear(folder.path()).context("the journal cannot be removed")
}
