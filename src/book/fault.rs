//! What the database says, as the domain means it. Everything not named here is an internal error with its chain.

use rusqlite::{Error as Sqlite, ErrorCode, ffi};

use crate::domain::Error;

pub(crate) fn meaning(error: Sqlite) -> Error {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => Error::Full,
        // The index of the log, which is made when a book opens, found no room.
        Some(ErrorCode::SystemIoFailure) if extended(&error) == Some(ffi::SQLITE_IOERR_SHMSIZE) => Error::Full,
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Error::Quarantined,
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Error::Busy,
        _ => Error::internal(error),
    }
}

/// An input/output error at COMMIT leaves open whether the commit is on disk: the rows are invisible now and may be
/// there after the next start.
pub(crate) fn at_commit(error: Sqlite) -> Error {
    match error.sqlite_error_code() {
        Some(ErrorCode::SystemIoFailure) => {
            tracing::error!(%error, "commit failed, its outcome is unknown");
            Error::OutcomeUnknown
        }
        _ => meaning(error),
    }
}

fn extended(error: &Sqlite) -> Option<i32> {
    error.sqlite_error().map(|error| error.extended_code)
}
