//! CSV (RFC 4180) in both directions: columns by name in any order, a byte order mark, either line end, quoted cells with
//! line ends in them, short rows, commas, semicolons or tabs. Leaves out which columns there are (`columns`) and how a cell
//! is spelled (`cells`).

use std::borrow::Cow;

use csv_core::{ReadRecordResult, ReaderBuilder};
use serde_json::{Map, Value};

use super::{
    ROW_MOST, Values,
    cells::{flag, joined, numbers, unguarded, words, write_cell},
    columns::{self, Cell, Known, Means, WRITTEN},
    row::{Drafting, Empty, Ignored, Listed, Row, one_line, rank},
};
use crate::domain::{Contact, Invalid};

/// The header must be told before anything is read, and lies in one piece.
const HEADER_MOST: usize = 64 * 1024;
/// More than any of the known files has, Google's with all its numbered ones included.
const COLUMNS_MOST: usize = 500;

pub struct Reader {
    empty: Empty,
    state: State,
    ignored: Ignored,
}

enum State {
    /// What has come of the header.
    Header(Vec<u8>),
    Rows(Box<Rows>),
}

impl Reader {
    pub fn new(empty: Empty) -> Self {
        Self { empty, state: State::Header(Vec::new()), ignored: Ignored::default() }
    }

    pub fn ignored(&self) -> &[String] {
        self.ignored.names()
    }

    pub fn feed(&mut self, bytes: &[u8], rows: &mut Vec<Row>) -> Result<(), Invalid> {
        let held;
        let bytes = match &mut self.state {
            State::Rows(_) => bytes,
            State::Header(header) => {
                header.extend_from_slice(bytes);
                // Whether more has come already must make no difference.
                if !has_whole_line(&header[..header.len().min(HEADER_MOST)]) {
                    return if header.len() <= HEADER_MOST { Ok(()) } else { Err(too_large_header()) };
                }
                held = std::mem::take(header);
                self.state = State::Rows(Box::new(Rows::of(&held)?));
                &held
            }
        };
        let State::Rows(state) = &mut self.state else { unreachable!("the header is there") };
        state.feed(bytes, self.empty, &mut self.ignored, rows)
    }

    pub fn end(&mut self, rows: &mut Vec<Row>) -> Result<(), Invalid> {
        if let State::Header(header) = &mut self.state {
            let held = std::mem::take(header);
            let mut state = Box::new(Rows::of(&held)?);
            state.feed(&held, self.empty, &mut self.ignored, rows)?;
            self.state = State::Rows(state);
        }
        let State::Rows(state) = &mut self.state else { unreachable!("the header is there") };
        state.end(self.empty, &mut self.ignored, rows)
    }
}

fn too_large_header() -> Invalid {
    Invalid::new("file", "has a header that is too large")
}

fn has_whole_line(bytes: &[u8]) -> bool {
    let content = bytes.iter().position(|byte| !matches!(byte, b'\r' | b'\n'));
    content.is_some_and(|content| bytes[content..].contains(&b'\n') || bytes[content..].contains(&b'\r'))
}

/// Below the header's first byte.
struct Rows {
    reader: csv_core::Reader,
    /// Unknown until the header was read.
    columns: Option<Vec<Option<Known>>>,
    cells: Vec<u8>,
    filled: usize,
    ends: Vec<usize>,
    ended: usize,
    /// Of the file, from 1.
    line: u64,
    /// Where the record under way began; none between two.
    began: Option<u64>,
    quotes: usize,
    is_too_large: bool,
    is_first: bool,
}

impl Rows {
    fn of(header: &[u8]) -> Result<Self, Invalid> {
        if header.starts_with(b"\xff\xfe") || header.starts_with(b"\xfe\xff") {
            return Err(Invalid::new("file", "is UTF-16: save it as CSV in UTF-8"));
        }
        Ok(Self {
            reader: ReaderBuilder::new().delimiter(delimiter(header)).build(),
            columns: None,
            cells: vec![0; 4096],
            filled: 0,
            ends: vec![0; 64],
            ended: 0,
            line: 1,
            began: None,
            quotes: 0,
            is_too_large: false,
            is_first: true,
        })
    }

    fn feed(
        &mut self,
        mut bytes: &[u8],
        empty: Empty,
        ignored: &mut Ignored,
        rows: &mut Vec<Row>,
    ) -> Result<(), Invalid> {
        if std::mem::take(&mut self.is_first) {
            bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        }
        while !bytes.is_empty() {
            if self.began.is_none() {
                let content = bytes.iter().position(|byte| !matches!(byte, b'\r' | b'\n')).unwrap_or(bytes.len());
                self.count(&bytes[..content]);
                bytes = &bytes[content..];
                if bytes.is_empty() {
                    break;
                }
                self.began = Some(self.line);
            }
            let read = self.read(bytes);
            self.count(&bytes[..read.0]);
            bytes = &bytes[read.0..];
            if read.1 {
                self.record(empty, ignored, rows)?;
            }
        }
        Ok(())
    }

    fn end(&mut self, empty: Empty, ignored: &mut Ignored, rows: &mut Vec<Row>) -> Result<(), Invalid> {
        if let Some(line) = self.began {
            // Everything after a quotation mark that is never closed has become one cell.
            let is_unclosed = self.quotes % 2 == 1;
            while !self.read(&[]).1 {}
            if is_unclosed && self.columns.is_some() {
                let why = "has a quotation mark that is never closed: all that follows was taken for one cell";
                rows.push(Row { line, read: Err(Invalid::new("row", why)) });
            } else {
                self.record(empty, ignored, rows)?;
            }
        }
        if self.columns.is_none() { Err(Invalid::new("file", columns::needed())) } else { Ok(()) }
    }

    fn count(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.line += u64::from(*byte == b'\n');
            self.quotes += usize::from(*byte == b'"');
        }
    }

    /// How many bytes were taken, and whether a record is whole.
    fn read(&mut self, bytes: &[u8]) -> (usize, bool) {
        let mut taken = 0;
        loop {
            let (result, read, written, ended) =
                self.reader.read_record(&bytes[taken..], &mut self.cells[self.filled..], &mut self.ends[self.ended..]);
            taken += read;
            self.filled += written;
            self.ended += ended;
            match result {
                ReadRecordResult::InputEmpty => return (taken, false),
                ReadRecordResult::OutputFull if self.cells.len() < ROW_MOST => {
                    self.cells.resize(self.cells.len() * 2, 0);
                }
                ReadRecordResult::OutputEndsFull if self.ends.len() < COLUMNS_MOST * 2 => {
                    self.ends.resize(self.ends.len() * 2, 0);
                }
                // The rest of it is read over what was there: only where it ends still matters.
                ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => {
                    (self.is_too_large, self.filled, self.ended) = (true, 0, 0);
                }
                ReadRecordResult::Record => return (taken, true),
                ReadRecordResult::End => return (taken, true),
            }
        }
    }

    fn record(&mut self, empty: Empty, ignored: &mut Ignored, rows: &mut Vec<Row>) -> Result<(), Invalid> {
        let line = self.began.take().unwrap_or(self.line);
        let cells = Cells { text: &self.cells[..self.filled], ends: &self.ends[..self.ended] };
        let is_too_large = std::mem::take(&mut self.is_too_large);
        match &self.columns {
            None if is_too_large => return Err(too_large_header()),
            None => self.columns = Some(header(&cells, ignored)?),
            Some(_) if is_too_large => {
                let why = "is larger than 1 MiB; perhaps a quotation mark is never closed";
                rows.push(Row { line, read: Err(Invalid::new("row", why)) });
            }
            Some(columns) => rows.push(Row { line, read: row(columns, &cells, empty) }),
        }
        (self.filled, self.ended, self.quotes) = (0, 0, 0);
        // One large row must not keep its memory for the rest of the file.
        if self.cells.len() > 64 * 1024 {
            self.cells = vec![0; 4096];
        }
        Ok(())
    }
}

struct Cells<'c> {
    text: &'c [u8],
    ends: &'c [usize],
}

impl<'c> Cells<'c> {
    fn iter(&self) -> impl Iterator<Item = &'c [u8]> {
        let (text, ends) = (self.text, self.ends);
        (0..ends.len()).map(move |place| &text[if place == 0 { 0 } else { ends[place - 1] }..ends[place]])
    }
}

/// Spreadsheets of some countries write semicolons.
fn delimiter(header: &[u8]) -> u8 {
    let line = header.split(|byte| matches!(byte, b'\n' | b'\r')).find(|line| !line.is_empty()).unwrap_or_default();
    let count = |delimiter: u8| line.iter().filter(|byte| **byte == delimiter).count();
    [b',', b';', b'\t'].into_iter().rev().max_by_key(|delimiter| count(*delimiter)).unwrap_or(b',')
}

fn header(cells: &Cells<'_>, ignored: &mut Ignored) -> Result<Vec<Option<Known>>, Invalid> {
    if cells.ends.len() > COLUMNS_MOST {
        return Err(Invalid::new("file", "has too many columns"));
    }
    let mut columns = Vec::with_capacity(cells.ends.len());
    for cell in cells.iter() {
        let name =
            std::str::from_utf8(cell).map_err(|_| Invalid::new("file", "is not UTF-8: save it as CSV in UTF-8"))?;
        let column = columns::known(&unguarded(name));
        if column.is_none() && !name.trim().is_empty() {
            ignored.note(name.trim());
        }
        columns.push(column);
    }
    let names_somebody = |column: &Option<Known>| matches!(column, Some(Known::Column(Means::Number | Means::Lid, _)));
    if columns.iter().any(names_somebody) { Ok(columns) } else { Err(Invalid::new("file", columns::needed())) }
}

fn row(columns: &[Option<Known>], cells: &Cells<'_>, empty: Empty) -> Result<super::Draft, Invalid> {
    if cells.ends.len() > columns.len() {
        return Err(Invalid::new("row", "has more cells than the header"));
    }
    let text = std::str::from_utf8(cells.text).map_err(|_| Invalid::new("row", "is not UTF-8"))?;
    let mut start = 0;
    let mut texts = Vec::with_capacity(columns.len());
    for end in cells.ends {
        // Within UTF-8 as a whole, but a cell could still begin within a letter of the one before.
        texts.push(text.get(start..*end).ok_or_else(|| Invalid::new("row", "is not UTF-8"))?);
        start = *end;
    }
    let kind_of = |number: u8| {
        let place = columns.iter().position(|column| *column == Some(Known::Column(Means::NumberKind, number)));
        place.and_then(|place| texts.get(place)).copied().unwrap_or_default()
    };
    let mut drafting = Drafting::default();
    // Google gives the params column and its own, each with a part of the whole.
    let mut params: Option<Map<String, Value>> = None;
    for (column, cell) in columns.iter().zip(&texts) {
        let Some(column) = column else { continue };
        let cell = unguarded(cell);
        if cell.trim().is_empty() {
            if let (Empty::Clears, Known::Column(means, _)) = (empty, column) {
                clear(*means, &mut drafting.fields);
            }
            continue;
        }
        match column {
            Known::Param(key) => drop(params.get_or_insert_default().insert(key.clone(), (*cell).into())),
            Known::Column(Means::Number, number) => {
                let kind = if *number == 0 { "" } else { kind_of(*number) };
                let numbers = cell.split(":::").filter(|text| !text.trim().is_empty());
                drafting.phones.extend(numbers.map(|text| (rank(kind), Cow::Owned(text.to_owned()))));
            }
            Known::Column(Means::Params, _) => match serde_json::from_str(&cell) {
                Ok(Value::Object(object)) => params.get_or_insert_default().extend(object),
                _ => return Err(Invalid::new("params", "must be a JSON object")),
            },
            Known::Column(means, _) => fill(*means, &cell, &mut drafting),
        }
    }
    if let Some(params) = params {
        drafting.fields.set("params", params);
    }
    drafting.finish()
}

/// Of several columns of one meaning the first that is filled counts.
fn fill(means: Means, cell: &str, drafting: &mut Drafting<'_>) {
    let (field, value): (_, Value) = match means {
        Means::Lid => return drafting.lid = drafting.lid.take().or_else(|| Some(Cow::Owned(cell.to_owned()))),
        Means::Whole => return drafting.whole = drafting.whole.take().or_else(|| Some(cell.to_owned())),
        Means::Middle => return drafting.middle = drafting.middle.take().or_else(|| Some(cell.to_owned())),
        Means::Country => return drafting.country = drafting.country.take().or_else(|| Some(cell.to_owned())),
        Means::Line("email") => ("email", cell.split(":::").next().unwrap_or_default().trim().into()),
        Means::Line("address") => ("address", one_line(cell).into()),
        Means::Line(field) | Means::Text(field) => (field, cell.into()),
        Means::Words(field) => match words(cell) {
            // Google's own groups alone are none.
            words if words.is_empty() => return,
            words => (field, words.into()),
        },
        // What is no number stays a text, and is refused as one.
        Means::Whole64(field) => (field, cell.trim().parse::<i64>().map_or_else(|_| cell.into(), Value::from)),
        Means::Numbers(field) => (field, numbers(cell)),
        Means::Flag(field) => (field, flag(cell).map_or_else(|| cell.into(), Value::from)),
        Means::Unless(field) => (field, flag(cell).map_or_else(|| cell.into(), |flag| Value::from(!flag))),
        Means::Number | Means::NumberKind | Means::Params => return,
    };
    if drafting.fields.get(field).is_none_or(Value::is_null) {
        drafting.fields.set(field, value);
    }
}

fn clear(means: Means, fields: &mut Values) {
    let field = match means {
        Means::Whole => "name",
        Means::Country => "country_code",
        Means::Params => "params",
        Means::Line(field)
        | Means::Text(field)
        | Means::Words(field)
        | Means::Whole64(field)
        | Means::Numbers(field)
        | Means::Flag(field)
        | Means::Unless(field) => field,
        Means::Number | Means::NumberKind | Means::Lid | Means::Middle => return,
    };
    fields.set_if_new(field, Value::Null);
}

/// The header, with which a file begins.
pub fn write_header(out: &mut Vec<u8>) {
    let names: Vec<_> = WRITTEN.iter().map(|(header, _)| *header).collect();
    out.extend_from_slice(names.join(",").as_bytes());
    out.extend_from_slice(b"\r\n");
}

pub fn write(contact: &Contact, listed: &Listed, out: &mut Vec<u8>) {
    for (place, (_, cell)) in WRITTEN.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        match cell(contact, listed) {
            Cell::Empty => {}
            Cell::Text(text) => write_cell(text, out),
            Cell::Owned(text) => write_cell(&text, out),
            Cell::Words(words) if words.is_empty() => {}
            Cell::Words(words) => write_cell(&joined(&words), out),
        }
    }
    out.extend_from_slice(b"\r\n");
}
