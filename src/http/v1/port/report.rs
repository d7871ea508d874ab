//! What came of an import, row by row and in sum, as it is told at the end.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    domain::{Change, Error},
    http::room::Fault,
};

/// Refused rows that are named; more are counted.
const LISTED: usize = 1000;

#[derive(Debug, Default, Serialize, ToSchema)]
pub struct ImportReport {
    /// Nothing was stored: this is what would have come of it.
    dry_run: bool,
    /// Whether the file was read to its end.
    complete: bool,
    /// Rows, cards or lines of which something is told here.
    rows: u64,
    created: u64,
    updated: u64,
    unchanged: u64,
    /// Two contacts became one.
    merged: u64,
    failed: u64,
    /// The line at which the last of these rows begins.
    last_line: u64,
    /// Phone numbers beside the one that each contact has.
    further_phones: u64,
    /// Columns, properties or keys that were not taken.
    ignored: Vec<String>,
    /// The first 1000 rows that were refused.
    errors: Vec<RowError>,
    errors_not_listed: u64,
}

#[derive(Debug, Serialize, ToSchema)]
struct RowError {
    /// The first line of the row, from 1.
    line: u64,
    code: &'static str,
    detail: String,
}

/// What a problem tells of an import that did not reach the end of its file.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the extension that `import` adds to a problem")]
pub struct BrokenOff {
    import: ImportReport,
}

impl ImportReport {
    pub fn new(dry_run: bool) -> Self {
        Self { dry_run, ..Self::default() }
    }

    pub fn done(&mut self, line: u64, change: Change, further_phones: u64) {
        self.count(line);
        self.further_phones += further_phones;
        *match change {
            Change::Created => &mut self.created,
            Change::Merged => &mut self.merged,
            Change::Updated | Change::Deleted => &mut self.updated,
            Change::Unchanged | Change::Learned => &mut self.unchanged,
        } += 1;
    }

    pub fn failed(&mut self, line: u64, error: Error) {
        self.count(line);
        self.failed += 1;
        if self.errors.len() < LISTED {
            let code = error.word();
            self.errors.push(RowError { line, code, detail: Fault::from(error).sentence() });
        } else {
            self.errors_not_listed += 1;
        }
    }

    pub fn end(&mut self, complete: bool, ignored: &[String]) {
        (self.complete, self.ignored) = (complete, ignored.to_vec());
        // Rows are settled bundle by bundle, but refused as they are read.
        self.errors.sort_by_key(|error| error.line);
    }

    fn count(&mut self, line: u64) {
        self.rows += 1;
        self.last_line = self.last_line.max(line);
    }
}
