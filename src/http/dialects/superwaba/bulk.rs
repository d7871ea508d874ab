//! Many contacts at once: from JSON, from a CSV body or from a file in a form, to one bundle of edits, and a report of
//! what came of each row. A row that is wrong is skipped and named; it does not keep the others out.

use std::{borrow::Cow, convert::Infallible};

use actix_web::web::{self, Bytes};
use csv::{ByteRecord, ReaderBuilder};
use futures_util::stream;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    problem,
    shown::{self, phone_of},
    wire::{self, Draft, NewContact},
};
use crate::{
    domain::{Edit, Error, Invalid, Moment},
    http::{
        fields::RawField,
        room::{Fault, Heard, parse_json},
        time::now,
    },
    session::Settled,
};

const TAKEN: &str = "JSON (application/json), CSV (text/csv), or a form with a file (multipart/form-data)";

/// More than any row could fill.
const MOST_COLUMNS: usize = 200;

/// What was sent, and how it is to be read.
pub enum Upload {
    Json(Bytes),
    Csv(Bytes),
}

/// For the API description.
#[derive(ToSchema)]
#[schema(as = SuperWabaFileForm)]
#[expect(dead_code, reason = "describes what `file_of_form` reads")]
pub struct FileForm {
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
}

impl Upload {
    pub async fn of(heard: &Heard) -> Result<Self, Fault> {
        let body = heard.body()?;
        match &*heard.media_type() {
            "text/csv" | "application/csv" => Ok(Self::Csv(body)),
            "multipart/form-data" => file_of_form(heard.header("content-type").unwrap_or_default(), body).await,
            _ => heard.expect_json().map(|()| Self::Json(body)).map_err(|_| Fault::NotTaken(TAKEN)),
        }
    }
}

/// The first part that is a file or says so by its name. Browsers call CSV by many types, JSON only by its own.
async fn file_of_form(content_type: &str, body: Bytes) -> Result<Upload, Fault> {
    let malformed = |_| Fault::Malformed("The form is not well formed multipart/form-data.".into());
    let boundary = multer::parse_boundary(content_type).map_err(malformed)?;
    let mut form = multer::Multipart::new(stream::iter([Ok::<_, Infallible>(body)]), boundary);
    while let Some(part) = form.next_field().await.map_err(malformed)? {
        if part.file_name().is_none() && part.name() != Some("file") {
            continue;
        }
        let is_json = part.content_type().is_some_and(|media_type| media_type.subtype() == "json");
        let file = part.bytes().await.map_err(malformed)?;
        return Ok(if is_json { Upload::Json(file) } else { Upload::Csv(file) });
    }
    Err(Invalid::new("file", "is required: the form has none").into())
}

/// The rows of an upload, without the edits that came of the good ones.
pub struct Import {
    rows: Vec<Row>,
}

struct Row {
    /// As it will be shown; for what is no number, as it was sent.
    phone: String,
    refused: Option<String>,
}

#[derive(Default, Deserialize)]
struct Body<'a> {
    #[serde(borrow, default)]
    contacts: RawField<'a>,
}

impl Import {
    /// Off the thread that speaks HTTP: a large upload must not hold up the requests beside it.
    pub async fn read(upload: Upload, most: usize) -> Result<(Self, Vec<Edit>), Fault> {
        let at = now();
        let read = web::block(move || match upload {
            Upload::Json(json) => rows_of_json(&json, most, at),
            Upload::Csv(csv) => rows_of_csv(&csv, most, at),
        });
        let read = read.await.map_err(Error::internal)??;
        let mut edits = Vec::with_capacity(read.len());
        let rows = read.into_iter().map(|(phone, edit)| {
            let refused = edit.map(|edit| edits.push(edit)).err();
            Row { phone, refused }
        });
        let rows = rows.collect();
        Ok((Self { rows }, edits))
    }

    /// The outcomes belong, in order, to the rows that were not refused.
    pub fn report(self, settled: Settled) -> Report {
        let mut outcomes = settled.outcomes.into_iter();
        let mut report = Report::default();
        for (index, Row { phone, refused }) in self.rows.into_iter().enumerate() {
            let error = match refused {
                Some(why) => why,
                None => match outcomes.next().unwrap_or(Err(Error::OutcomeUnknown)) {
                    Ok(outcome) => {
                        let id = shown::id(outcome.contact.uuid);
                        report.contacts.push(Imported { id, phone, status: outcome.change.word() });
                        continue;
                    }
                    Err(error) => problem::of_row(error),
                },
            };
            report.errors.push(Skipped { index, phone, error });
        }
        (report.imported, report.skipped) = (report.contacts.len(), report.errors.len());
        report
    }
}

/// A row's phone, and its edit or why it has none.
type Read = (String, Result<Edit, String>);

fn rows_of_json(json: &[u8], most: usize, at: Moment) -> Result<Vec<Read>, Fault> {
    let body: Body<'_> = if json.is_empty() { Body::default() } else { parse_json(json)? };
    let contacts = body.contacts.list("contacts", most)?.flatten();
    let contacts = contacts.ok_or_else(|| Invalid::new("contacts", "is required"))?;
    if contacts.len() > most {
        return Err(Fault::TooMany(most));
    }
    Ok(contacts.into_iter().map(|row| row_of_json(row, at)).collect())
}

fn row_of_json(row: RawField<'_>, at: Moment) -> Read {
    let Some(contact) = row.parse::<NewContact<'_>>() else {
        return (String::new(), Err("The row must be an object in which no field stands twice.".into()));
    };
    let phone = shown_phone(contact.number().ok().flatten().as_deref());
    (phone, contact.draft().and_then(|draft| draft.edit(at)).map_err(|refusal| refusal.to_string()))
}

fn shown_phone(text: Option<&str>) -> String {
    let as_sent = || text.unwrap_or_default().chars().take(64).collect();
    wire::number(text).map_or_else(|_| as_sent(), |id| phone_of(*id.digits()))
}

/// What a column of CSV holds, by its header.
enum Column {
    Number,
    Name,
    Email,
    Country,
    Tags,
    Param(String),
    /// It has no name.
    Nothing,
}

impl Column {
    fn of(header: &str) -> Self {
        let plain: String = header.chars().filter(|c| !" _-".contains(*c)).collect();
        match &*plain.to_ascii_lowercase() {
            "usernumber" | "phone" => Self::Number,
            "username" | "name" => Self::Name,
            "email" => Self::Email,
            "countrycode" => Self::Country,
            "tags" => Self::Tags,
            "" => Self::Nothing,
            _ => Self::Param(header.trim().to_owned()),
        }
    }

    /// Two columns of one meaning would have to be chosen between.
    fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Nothing, _) => false,
            (Self::Param(one), Self::Param(other)) => one == other,
            _ => std::mem::discriminant(self) == std::mem::discriminant(other),
        }
    }

    fn write<'c>(&self, cell: &'c str, draft: &mut Draft<'c>) {
        match self {
            _ if cell.trim().is_empty() => {}
            Self::Number => draft.number = Some(cell.into()),
            Self::Name => draft.name = Some(cell.into()),
            Self::Email => draft.email = Some(cell.into()),
            Self::Country => draft.country = Some(cell.into()),
            Self::Tags => draft.tags = cell.split([';', ',']).map(str::trim).map(Cow::from).collect(),
            Self::Param(key) => drop(draft.params.insert(key.clone(), cell.into())),
            Self::Nothing => {}
        }
    }
}

fn rows_of_csv(csv: &[u8], most: usize, at: Moment) -> Result<Vec<Read>, Fault> {
    let csv = csv.strip_prefix(b"\xef\xbb\xbf").unwrap_or(csv);
    let malformed = |why: &str| Fault::Malformed(format!("The CSV cannot be read: {why}."));
    // What follows a quote that is never closed would all become one cell.
    if csv.iter().filter(|byte| **byte == b'"').count() % 2 == 1 {
        return Err(malformed("it has a quotation mark without its counterpart"));
    }
    let mut reader = ReaderBuilder::new().flexible(true).delimiter(delimiter(csv)).from_reader(csv);
    let headers = reader.headers().map_err(|_| malformed("its header is not UTF-8"))?;
    if headers.len() > MOST_COLUMNS {
        return Err(malformed("it has too many columns"));
    }
    let columns: Vec<_> = headers.iter().map(Column::of).collect();
    for (place, column) in columns.iter().enumerate() {
        if columns[..place].iter().any(|before| column.is_like(before)) {
            return Err(malformed("two of its columns have the same meaning"));
        }
    }
    if !columns.iter().any(|column| matches!(column, Column::Number)) {
        wire::number(None)?;
    }
    let (mut rows, mut record) = (Vec::new(), ByteRecord::new());
    while reader.read_byte_record(&mut record).map_err(|_| malformed("it breaks off"))? {
        if rows.len() == most {
            return Err(Fault::TooMany(most));
        }
        rows.push(row_of_csv(&columns, &record, at));
    }
    Ok(rows)
}

/// Spreadsheets of some countries write semicolons.
fn delimiter(csv: &[u8]) -> u8 {
    let header = csv.split(|byte| matches!(byte, b'\n' | b'\r')).next().unwrap_or_default();
    if header.contains(&b';') && !header.contains(&b',') { b';' } else { b',' }
}

fn row_of_csv(columns: &[Column], record: &ByteRecord, at: Moment) -> Read {
    if record.len() > columns.len() {
        return (String::new(), Err("The row has more cells than the header.".into()));
    }
    let mut draft = Draft::default();
    for (column, cell) in columns.iter().zip(record) {
        let Ok(cell) = std::str::from_utf8(cell) else {
            return (String::new(), Err("The row is not UTF-8.".into()));
        };
        column.write(cell, &mut draft);
    }
    (shown_phone(draft.number.as_deref()), draft.edit(at).map_err(|refusal| refusal.to_string()))
}

/// What came of an upload.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = SuperWabaReport)]
pub struct Report {
    imported: usize,
    skipped: usize,
    errors: Vec<Skipped>,
    contacts: Vec<Imported>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SuperWabaSkipped)]
struct Skipped {
    /// From 0, the header of CSV not counted.
    index: usize,
    phone: String,
    #[schema(example = "Contact already exists")]
    error: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SuperWabaImported)]
struct Imported {
    id: String,
    phone: String,
    #[schema(example = "created")]
    status: &'static str,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const AT: Moment = Moment::from_millis(1);

    #[test]
    fn columns_are_known_by_several_names() {
        for (header, expected) in [
            ("userNumber", Column::Number),
            ("Phone", Column::Number),
            ("user name", Column::Name),
            ("E-Mail", Column::Email),
            ("country_code", Column::Country),
            ("TAGS", Column::Tags),
            ("tier", Column::Param("tier".into())),
        ] {
            assert!(Column::of(header).is_like(&expected), "{header}");
        }
        assert!(!Column::of(" ").is_like(&Column::Nothing), "nameless columns are none of them");
        assert!(!Column::of("Tier").is_like(&Column::of("tier")));
        let wide = format!("phone{}\n4930111\n", ",".repeat(MOST_COLUMNS));
        assert!(rows_of_csv(wide.as_bytes(), 10, AT).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = rows_of_json(&bytes, 10, AT);
            let _ = rows_of_csv(&bytes, 10, AT);
            let with_header = [b"phone,name,tags,k\n", &*bytes].concat();
            let _ = rows_of_csv(&with_header, 10, AT);
        }

        #[test]
        fn what_a_csv_writer_quotes_reads_back(cells in proptest::collection::vec("[^\u{0}]{0,20}", 1..4)) {
            let mut writer = csv::Writer::from_writer(Vec::new());
            for cell in &cells {
                writer.write_record(["4930111", cell]).unwrap();
            }
            let csv = [b"phone,note\n", &*writer.into_inner().unwrap()].concat();
            let rows = rows_of_csv(&csv, 10, AT).unwrap();
            prop_assert_eq!(rows.len(), cells.len());
            for ((phone, edit), cell) in rows.into_iter().zip(cells) {
                let expected = wire::Draft {
                    number: Some("4930111".into()),
                    params: if cell.trim().is_empty() {
                        serde_json::Map::new()
                    } else {
                        [("note".to_owned(), cell.into())].into_iter().collect()
                    },
                    ..Draft::default()
                };
                prop_assert_eq!(phone, "+4930111");
                prop_assert_eq!(edit.unwrap(), expected.edit(AT).unwrap());
            }
        }
    }
}
