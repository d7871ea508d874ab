//! How a SQLite file of ours is made, opened and copied: permissions, durability and safety settings, the same for all.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::Path,
    time::Duration,
};

use rusqlite::{Connection, OpenFlags, backup, config::DbConfig};

use crate::{
    book::fault,
    domain::{Error, Result},
};

/// How long a statement waits for a lock. Only a backup or a second door of our own can hold one.
const LOCK_WAIT: Duration = Duration::from_secs(5);

/// An empty file that only its owner can read; SQLite gives the log beside it the same mode.
pub(crate) fn create_file(path: &Path) -> Result<()> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(Error::Duplicate { field: "book" }),
        Err(error) => Err(Error::internal(error)),
    }
}

/// What was made, renamed or removed in a folder is only sure to be there after a power cut when the folder is synced as
/// well: syncing a file says nothing of its name.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    match File::open(folder)?.sync_all() {
        // Some file systems know no such thing, and keep names in their own way.
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => Ok(()),
        synced => synced,
    }
}

pub(crate) fn open(path: &Path) -> Result<Connection> {
    let connection = with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    // FULL is the default for WAL here; it is what "durable" means, so it is said.
    connection.pragma_update(None, "journal_mode", "WAL").map_err(fault::meaning)?;
    connection.pragma_update(None, "synchronous", "FULL").map_err(fault::meaning)?;
    connection.pragma_update(None, "foreign_keys", true).map_err(fault::meaning)?;
    Ok(connection)
}

pub(crate) fn open_for_reading(path: &Path) -> Result<Connection> {
    let connection = with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.pragma_update(None, "query_only", true).map_err(fault::meaning)?;
    Ok(connection)
}

/// For a full disk: a book whose log is folded in can be read without the files that SQLite would make beside it. Nobody
/// may open it for writing meanwhile.
pub(crate) fn open_still(path: &Path) -> Result<Connection> {
    let log = path.with_extension("db-wal");
    if log.metadata().is_ok_and(|log| log.len() > 0) {
        return Err(Error::Full);
    }
    let Some(text) = path.to_str() else { return Err(Error::Full) };
    let text = text.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    let connection = Connection::open_with_flags(
        format!("file:{text}?immutable=1"),
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    );
    let connection = connection.map_err(fault::meaning)?;
    set_up(&connection)?;
    Ok(connection)
}

/// A consistent copy into a new file, while the original is being written to. `finish` may make it differ.
pub(crate) fn copy(
    from: &Connection,
    path: &Path,
    finish: impl FnOnce(&Connection) -> rusqlite::Result<()>,
) -> Result<()> {
    create_file(path)?;
    let mut copy = Connection::open(path).map_err(fault::meaning)?;
    // All pages in one step: one snapshot, and no writer can make the copy begin again.
    backup::Backup::new(from, &mut copy).and_then(|backup| backup.step(-1)).map_err(fault::meaning)?;
    finish(&copy).map_err(fault::meaning)?;
    copy.close().map_err(|(_, error)| fault::meaning(error))?;
    File::open(path).and_then(|file| file.sync_all()).map_err(Error::internal)?;
    path.parent().map_or(Ok(()), sync_folder).map_err(Error::internal)
}

fn with_flags(path: &Path, access: OpenFlags) -> Result<Connection> {
    if !path.exists() {
        return Err(Error::Quarantined);
    }
    // The caller is the only thread that uses the connection at a time, so SQLite's own mutexes are left out.
    let connection =
        Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(fault::meaning)?;
    set_up(&connection)?;
    Ok(connection)
}

fn set_up(connection: &Connection) -> Result<()> {
    connection.busy_timeout(LOCK_WAIT).map_err(fault::meaning)?;
    connection.set_prepared_statement_cache_capacity(64);
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true).map_err(fault::meaning)?;
    connection.pragma_update(None, "trusted_schema", false).map_err(fault::meaning)?;
    connection.pragma_update(None, "temp_store", "MEMORY").map_err(fault::meaning)
}
