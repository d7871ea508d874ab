//! Floor 1, the files in which an address book comes and goes: CSV, vCard and NDJSON. A `Reader` is fed bytes as they
//! arrive and yields rows with their line numbers, within bounded memory; the writers turn contacts into bytes. Leaves
//! out what a row does to the book (http), where the bytes come from, and what each value must be to be taken.

mod cells;
pub mod columns;
pub mod csv;
#[cfg(test)]
mod csv_tests;
mod lines;
pub mod ndjson;
#[cfg(test)]
mod ndjson_tests;
mod number;
mod row;
mod values;
pub mod vcard;
pub mod vcard_out;
#[cfg(test)]
mod vcard_tests;

use std::str::FromStr;

use crate::domain::Invalid;

pub use row::{Draft, Empty, Listed, Row};
pub use values::Values;

/// What a single row, card or line may measure. A larger one is refused by itself; the rest of the file is read on.
pub const ROW_MOST: usize = 1 << 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Csv,
    Vcard,
    Ndjson,
}

/// The name of each format, its media types (the first is the one we say), and the endings of its files.
const FORMATS: [(Format, &str, &[&str], &[&str]); 3] = [
    (Format::Csv, "csv", &["text/csv", "application/csv", "application/vnd.ms-excel"], &["csv", "tsv"]),
    (Format::Vcard, "vcf", &["text/vcard", "text/x-vcard", "text/directory"], &["vcf", "vcard"]),
    (
        Format::Ndjson,
        "ndjson",
        &["application/x-ndjson", "application/ndjson", "application/jsonl"],
        &["ndjson", "jsonl"],
    ),
];

impl Format {
    pub fn word(self) -> &'static str {
        self.known().1
    }

    /// As it is said of what we send.
    pub fn media_type(self) -> &'static str {
        self.known().2[0]
    }

    pub fn of_media_type(essence: &str) -> Option<Self> {
        FORMATS.iter().find(|(_, _, types, _)| types.contains(&essence)).map(|(format, ..)| *format)
    }

    /// By the ending of a file's name.
    pub fn of_ending(ending: &str) -> Option<Self> {
        let ending = ending.to_ascii_lowercase();
        FORMATS.iter().find(|(_, _, _, endings)| endings.contains(&&*ending)).map(|(format, ..)| *format)
    }

    fn known(self) -> &'static (Self, &'static str, &'static [&'static str], &'static [&'static str]) {
        FORMATS.iter().find(|(format, ..)| *format == self).expect("every format is listed")
    }
}

impl FromStr for Format {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let found = FORMATS.iter().find(|(_, word, ..)| word.eq_ignore_ascii_case(text)).map(|(format, ..)| *format);
        found.ok_or_else(|| Invalid::new("format", "must be csv, vcf or ndjson"))
    }
}

/// Reads a file as it arrives, in whatever pieces.
pub enum Reader {
    Csv(csv::Reader),
    Vcard(vcard::Reader),
    Ndjson(ndjson::Reader),
}

impl Reader {
    pub fn new(format: Format, empty: Empty) -> Self {
        match format {
            Format::Csv => Self::Csv(csv::Reader::new(empty)),
            Format::Vcard => Self::Vcard(vcard::Reader::new(empty)),
            Format::Ndjson => Self::Ndjson(ndjson::Reader::new(empty)),
        }
    }

    /// The rows that are whole now are put behind those that are there. An error is the file's, and its end.
    pub fn feed(&mut self, bytes: &[u8], rows: &mut Vec<Row>) -> Result<(), Invalid> {
        match self {
            Self::Csv(reader) => reader.feed(bytes, rows),
            Self::Vcard(reader) => {
                reader.feed(bytes, rows);
                Ok(())
            }
            Self::Ndjson(reader) => {
                reader.feed(bytes, rows);
                Ok(())
            }
        }
    }

    /// There is no more to come.
    pub fn end(&mut self, rows: &mut Vec<Row>) -> Result<(), Invalid> {
        match self {
            Self::Csv(reader) => reader.end(rows),
            Self::Vcard(reader) => {
                reader.end(rows);
                Ok(())
            }
            Self::Ndjson(reader) => {
                reader.end(rows);
                Ok(())
            }
        }
    }

    /// Columns, properties or keys that stood there and were not taken, each once.
    pub fn ignored(&self) -> &[String] {
        match self {
            Self::Csv(reader) => reader.ignored(),
            Self::Vcard(reader) => reader.ignored(),
            Self::Ndjson(reader) => reader.ignored(),
        }
    }
}
