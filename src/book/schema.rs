//! The shape of a book's file and how an older one is brought to it: numbered migrations, embedded, run in one
//! transaction, never edited once released. A file from a newer wabook is refused untouched.

use rusqlite::{Connection, TransactionBehavior};

use crate::{
    book::fault,
    domain::{Error, Result},
};

/// "wabk": tells our files from other SQLite files.
const APPLICATION_ID: i32 = 0x7761_626b;

const MIGRATIONS: [&str; 1] = [include_str!("migrations/0001_book.sql")];

pub(super) const FIRST_HEAD: &str =
    "INSERT INTO book (only, epoch, revision, contacts, last_id, pruned) VALUES (1, ?1, 0, 0, 0, 0)";

pub(super) fn migrate(connection: &mut Connection) -> Result<()> {
    let version = version(connection)?;
    if version == MIGRATIONS.len() {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(fault::meaning)?;
    for migration in &MIGRATIONS[version..] {
        transaction.execute_batch(migration).map_err(fault::meaning)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID).map_err(fault::meaning)?;
    transaction.pragma_update(None, "user_version", MIGRATIONS.len()).map_err(fault::meaning)?;
    transaction.commit().map_err(fault::meaning)
}

/// The number of migrations this file has seen.
fn version(connection: &Connection) -> Result<usize> {
    let number = |pragma| connection.pragma_query_value(None, pragma, |row| row.get(0)).map_err(fault::meaning);
    let (application_id, version): (i32, usize) = (number("application_id")?, number("user_version")? as usize);
    if (application_id, version) != (0, 0) && application_id != APPLICATION_ID {
        return Err(Error::Quarantined);
    }
    if version > MIGRATIONS.len() {
        return Err(Error::internal(format!(
            "this book was written by a newer wabook (schema {version}, this one knows {})",
            MIGRATIONS.len()
        )));
    }
    Ok(version)
}
