//! Many contacts at once: from JSON, from a CSV body or from a file in a form, to one bundle of edits, and a report of
//! what came of each row. A row that is wrong is skipped and named; it does not keep the others out.

use std::convert::Infallible;

use actix_web::web::{self, Bytes};
use futures_util::stream;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    draft, problem, sheet,
    shown::{self, phone_of},
    wire::NewContact,
};
use crate::{
    domain::{Edit, Error, Invalid, Moment},
    http::{
        raw::RawField,
        room::{Fault, Heard, parse_json},
        time::now,
    },
    session::Settled,
};

const TAKEN: &str = "JSON (application/json), CSV (text/csv), or a form with a file (multipart/form-data)";

/// What was sent, and how it is to be read.
pub enum Upload {
    Json(Bytes),
    Csv(Bytes),
}

/// For the API description: the least that a sheet has.
#[derive(ToSchema)]
#[schema(as = SuperWabaSheet, value_type = String, pattern = "^(userNumber|phone)(,(userName|name))?(\\r?\\n[^\"]*)?$", example = "phone,name\n+971501234567,Ahmed Hassan\n")]
#[expect(dead_code, reason = "describes what `sheet::rows` reads")]
pub struct Sheet(String);

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
            Upload::Csv(csv) => sheet::rows(&csv, most, at),
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
pub type Read = (String, Result<Edit, String>);

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

/// As it will be shown; what is no number as it was sent, within bounds.
pub fn shown_phone(text: Option<&str>) -> String {
    let as_sent = || text.unwrap_or_default().chars().take(64).collect();
    draft::number(text).map_or_else(|_| as_sent(), |id| phone_of(*id.digits()))
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

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = rows_of_json(&bytes, 10, Moment::from_millis(1));
        }
    }
}
