//! The walk through a book, page by page, as the bytes of a file: the next page is read while the one before it is put
//! into words and sent, and nothing is read before somebody takes it. If the walk fails midway, the connection breaks
//! off: half a book must not look like a whole one.

use std::sync::Arc;

use actix_web::{
    HttpResponse,
    http::header,
    web::{self, Bytes},
};
use futures_util::{future, stream};
use serde::Serialize;

use super::registers;
use crate::{
    book::{Cursor, Page, PageQuery},
    domain::{Contact, Error, Result},
    http::room::tell_outcome,
    port::{Format, Listed, csv, vcard_out, vcard_out::Version},
    session::Session,
    sync::JsonContact,
};

/// The first bytes shall come soon; the rest in larger pieces.
const FIRST: u32 = 100;
const PAGE: u32 = 1000;

#[derive(Clone)]
struct Export {
    session: Session,
    format: Format,
    version: Version,
    listed: Arc<Listed>,
}

/// How far the walk has come: a page that was read and not yet sent.
struct Read {
    page: Page,
    is_first: bool,
}

pub async fn answer(session: Session, format: Format, version: Version) -> Result<HttpResponse> {
    let mut listed = Listed::default();
    for (register, entry) in registers::entries(&session).await? {
        listed.add(register, entry.id, entry.name.as_str());
    }
    let name = format!("attachment; filename=\"wabook-{}.{}\"", session.id(), format.word());
    let export = Export { session, format, version, listed: Arc::new(listed) };
    // Read before anything is answered: what fails at once is told as a problem.
    let page = export.page(None).await?;
    tell_outcome("ok");
    let pieces = stream::try_unfold(Some(Read { page, is_first: true }), move |read| {
        let export = export.clone();
        async move {
            let Some(read) = read else { return Ok(None) };
            export.step(read).await.map(Some).inspect_err(|error| {
                tracing::warn!(outcome = error.word(), "an export broke off");
            })
        }
    });
    Ok(HttpResponse::Ok()
        .content_type(format!("{}; charset=utf-8", format.media_type()))
        .insert_header((header::CONTENT_DISPOSITION, name))
        .streaming(pieces))
}

impl Export {
    async fn page(&self, after: Option<Cursor>) -> Result<Page> {
        let limit = if after.is_none() { FIRST } else { PAGE };
        self.session.page(PageQuery { limit, after, ..PageQuery::default() }).await
    }

    /// The bytes of this page, and the next page.
    async fn step(&self, Read { page, is_first }: Read) -> Result<(Bytes, Option<Read>)> {
        let Page { contacts, next, .. } = page;
        let export = self.clone();
        let written = web::block(move || export.write(&contacts, is_first));
        let read = async {
            match next {
                Some(after) => self.page(Some(after)).await.map(Some),
                None => Ok(None),
            }
        };
        let (written, next) = future::join(written, read).await;
        let next = next?.map(|page| Read { page, is_first: false });
        Ok((written.map_err(Error::internal)?, next))
    }

    fn write(&self, contacts: &[Contact], is_first: bool) -> Bytes {
        let mut out = Vec::with_capacity(contacts.len() * 512);
        if is_first && self.format == Format::Csv {
            csv::write_header(&mut out);
        }
        for contact in contacts {
            match self.format {
                Format::Csv => csv::write(contact, &self.listed, &mut out),
                Format::Vcard => vcard_out::write(contact, &self.listed, self.version, &mut out),
                Format::Ndjson => self.write_json(contact, &mut out),
            }
        }
        out.into()
    }

    fn write_json(&self, contact: &Contact, out: &mut Vec<u8>) {
        let line = Line {
            contact: JsonContact::from(contact),
            source: self.listed.source(contact),
            status: self.listed.status(contact),
            group_names: self.listed.groups(contact),
        };
        serde_json::to_writer(&mut *out, &line).expect("contacts are JSON");
        out.push(b'\n');
    }
}

/// A contact as `GET` shows it, and the names of what it refers to by numbers.
#[derive(Serialize)]
struct Line<'c> {
    #[serde(flatten)]
    contact: JsonContact,
    source: Option<&'c str>,
    status: Option<&'c str>,
    group_names: Vec<&'c str>,
}
