//! How an older file is brought to the present shape: numbered migrations, embedded, run in one
//! transaction, never edited once released. A file from a newer wabook is refused untouched.

use rusqlite::{Connection, TransactionBehavior};

use crate::{
    book::fault,
    domain::{Error, Result},
};

/// A kind of file of ours: the mark in its header and its migrations, in order.
pub(crate) struct Schema {
    pub(crate) application_id: i32,
    pub(crate) migrations: &'static [&'static str],
}

/// "wabk": tells books from other SQLite files.
pub(super) const BOOK: Schema = Schema {
    application_id: 0x7761_626b,
    migrations: &[
        include_str!("migrations/0001_book.sql"),
        include_str!("migrations/0002_crm.sql"),
        include_str!("migrations/0003_motion.sql"),
        include_str!("migrations/0004_webhooks.sql"),
        include_str!("migrations/0005_companion.sql"),
        include_str!("migrations/0006_mapping_order.sql"),
        include_str!("migrations/0007_search.sql"),
        include_str!("migrations/0008_mark.sql"),
        include_str!("migrations/0009_seal.sql"),
    ],
};

/// Of the newest book.
pub(super) const VERSION: i64 = BOOK.migrations.len() as i64;

pub(super) const FIRST_HEAD: &str =
    "INSERT INTO book (only, epoch, revision, contacts, last_id, pruned) VALUES (1, ?1, 0, 0, 0, 0)";

impl Schema {
    pub(crate) fn migrate(&self, connection: &mut Connection) -> Result<()> {
        let newest = self.migrations.len();
        let seen = self.migrations_seen_by(connection)?;
        if seen == newest {
            return Ok(());
        }
        let transaction =
            connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(fault::meaning)?;
        for migration in &self.migrations[seen..] {
            transaction.execute_batch(migration).map_err(fault::meaning)?;
        }
        transaction.pragma_update(None, "application_id", self.application_id).map_err(fault::meaning)?;
        transaction.pragma_update(None, "user_version", newest).map_err(fault::meaning)?;
        transaction.commit().map_err(fault::meaning)
    }

    /// Whether no migration was ever run here.
    pub(crate) fn is_blank(&self, connection: &Connection) -> Result<bool> {
        Ok(self.migrations_seen_by(connection)? == 0)
    }

    /// Whether there is nothing left to migrate.
    pub(crate) fn is_present(&self, connection: &Connection) -> Result<bool> {
        Ok(self.migrations_seen_by(connection)? == self.migrations.len())
    }

    fn migrations_seen_by(&self, connection: &Connection) -> Result<usize> {
        let number = |pragma| connection.pragma_query_value(None, pragma, |row| row.get(0)).map_err(fault::meaning);
        let (application_id, seen): (i32, i32) = (number("application_id")?, number("user_version")?);
        if (application_id, seen) != (0, 0) && application_id != self.application_id {
            return Err(Error::Quarantined);
        }
        let newest = self.migrations.len();
        match usize::try_from(seen) {
            Ok(seen) if seen <= newest => Ok(seen),
            _ => Err(Error::internal(format!(
                "this file was written by a newer wabook (schema {seen}, this one knows {newest})"
            ))),
        }
    }
}
