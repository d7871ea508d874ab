//! Import and export: a whole address book as CSV, vCard or NDJSON, both as a stream, in memory that does not grow with
//! the file. The formats are `crate::port`'s; what a row does to the book is said here.

mod bundle;
mod export;
mod import;
mod pace;
mod registers;
mod report;

use actix_web::{HttpResponse, Scope as Routes, http::Method, web::Data};
use utoipa::{IntoParams, OpenApi, ToSchema};

use super::{Answer, TAG};
use crate::{
    domain::{Error, InstanceId, Invalid},
    gateway::{Credentials, Scope},
    http::{
        Door,
        params::Params,
        problem::{Details, Errors},
        room::{Arriving, Fault, Heard, on, place, tell_instance, tell_outcome},
        schemas::Flag,
        seats::Seat,
    },
    port::{Empty, Format, vcard_out::Version},
    session::Session,
};
use import::{Import, Wish};
use report::{BrokenOff, ImportReport};

const TAKEN: &str = "CSV (text/csv), vCard (text/vcard) or NDJSON (application/x-ndjson), by its Content-Type or by ?format=csv|vcf|ndjson";

#[derive(OpenApi)]
#[openapi(paths(import, export), components(schemas(BrokenOff)))]
pub struct Description;

pub fn add(routes: Routes) -> Routes {
    routes
        .service(place::<Details, _>("/instances/{i}/import", [on(Method::POST, import)]))
        .service(place::<Details, _>("/instances/{i}/export", [on(Method::GET, export)]))
}

/// For the API description: the least that a sheet has.
#[derive(ToSchema)]
#[schema(value_type = String, pattern = "^phone,name(\\r?\\n\\+?[1-9][0-9]{4,14},[A-Za-z ]{0,20})*\\r?\\n?$", example = "phone,first_name,last_name\n491701234567,Bob,Smith\n")]
#[expect(dead_code, reason = "describes what `port::csv` reads")]
struct ContactSheet(String);

#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes the parameters that `wish` reads")]
struct ImportQuery {
    /// `csv`, `vcf` or `ndjson`; counts more than the body's media type.
    #[param(pattern = "^(csv|vcf|ndjson)?$")]
    format: Option<String>,
    /// Tells what would come of each row; nothing is stored.
    #[param(value_type = Option<Flag>)]
    dry_run: Option<bool>,
    /// What an empty cell, a null or an empty list means: `keep` (default) or `clear`.
    #[param(pattern = "^(keep|clear)?$")]
    empty: Option<String>,
    /// Groups, sources and statuses that the file names and the book has not are made, instead of refusing the row. Needs
    /// `groups:write`, `sources:write` and `statuses:write`.
    #[param(value_type = Option<Flag>)]
    create: Option<bool>,
}

/// Many contacts out of a file, as large as it may be. 200 when the file was read to its end, also if rows were refused:
/// `errors` names them by their lines. Rows are stored in bundles, in the order of the file, each bundle in one commit. If
/// the upload breaks off, the problem's `import` tells how far it came; what is stored stays, and importing the file again
/// is safe: a row that says what the book holds already changes nothing.
#[utoipa::path(post, path = "/instances/{i}/import", tag = TAG, params(("i" = String, Path), ImportQuery),
    request_body(description = "CSV with a header, whose columns are known by name; vCards of 2.1, 3.0 or 4.0; or a JSON object a line, as `GET` shows a contact or `PUT` takes it",
        content((ContactSheet = "text/csv"), (String = "text/vcard"), (String = "application/x-ndjson"))),
    responses((status = 200, description = "the file was read to its end", body = ImportReport), Errors))]
async fn import(arriving: Arriving, door: Data<Door>) -> Answer {
    let Arriving { heard, mut body } = arriving;
    let began = begin(&heard, &door).await;
    let told = match began {
        Err(fault) => Err((fault, None)),
        Ok((import, _seat)) => import.run(&mut body).await.map_err(|(fault, report)| (fault, Some(report))),
    };
    match told {
        Ok(report) => {
            tell_outcome("imported");
            Ok(HttpResponse::Ok().json(report))
        }
        Err((fault, report)) => {
            body.let_go().await;
            let so_far = report.map(|report| ("import", serde_json::to_value(report).unwrap_or_default()));
            Ok(Details::tell_with(&fault, so_far))
        }
    }
}

async fn begin(heard: &Heard, door: &Door) -> Result<(Import, Seat), Fault> {
    let session = enter(heard, door, Scope::ContactsWrite).await?;
    let wish = wish(heard)?;
    if wish.creates {
        for scope in [Scope::GroupsWrite, Scope::SourcesWrite, Scope::StatusesWrite] {
            enter(heard, door, scope).await?;
        }
    }
    let seat = door.imports.take(session.id()).ok_or(Error::Busy)?;
    Ok((Import::begin(session, wish).await?, seat))
}

fn wish(heard: &Heard) -> Result<Wish, Fault> {
    let params = heard.params();
    only(&params, &["format", "dry_run", "empty", "create"])?;
    let format = match params.filled("format") {
        Some(word) => word.parse()?,
        None => Format::of_media_type(&heard.media_type()).ok_or(Fault::NotTaken(TAKEN))?,
    };
    Ok(Wish {
        format,
        empty: params.word("empty", &[("keep", Empty::Keeps), ("clear", Empty::Clears)])?,
        rehearses: params.flag("dry_run")?.unwrap_or(false),
        creates: params.flag("create")?.unwrap_or(false),
    })
}

#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes the parameters that `export` reads")]
struct ExportQuery {
    /// `csv`, `vcf` or `ndjson`.
    #[param(pattern = "^(csv|vcf|ndjson)$")]
    format: String,
    /// Of vCard: `3.0` (default) or `4.0`.
    #[param(pattern = "^(3\\.0|4\\.0)?$")]
    version: Option<String>,
}

/// The whole book as a file, in the order in which its contacts were made, sent as it is read: a contact that changes
/// meanwhile is told of as it stands when its turn comes. In CSV, a cell that a spreadsheet would take for a formula has
/// an apostrophe before it, which import takes away again.
#[utoipa::path(get, path = "/instances/{i}/export", tag = TAG, params(("i" = String, Path), ExportQuery),
    responses((status = 200, description = "the file", content((String = "text/csv"), (String = "text/vcard"), (String = "application/x-ndjson"))), Errors))]
async fn export(heard: Heard, door: Data<Door>) -> Answer {
    let session = enter(&heard, &door, Scope::ContactsRead).await?;
    let params = heard.params();
    only(&params, &["format", "version"])?;
    let format: Format =
        params.filled("format").ok_or_else(|| Invalid::new("format", "must be csv, vcf or ndjson"))?.parse()?;
    let version: Version = params.filled("version").map(str::parse).transpose()?.unwrap_or_default();
    Ok(export::answer(session, format, version).await?)
}

/// The command line on this machine holds the key of this run instead of a token; it opens every book.
async fn enter(heard: &Heard, door: &Door, scope: Scope) -> Result<Session, Fault> {
    let (instance, token) = (heard.segment("i"), heard.bearer());
    let Ok(office) = door.gateway.administer(token) else {
        return door.enter(heard, Credentials { instance: Some(&instance), token }, scope);
    };
    let id: InstanceId = instance.parse().map_err(|_| Error::NoInstance)?;
    let (_, session) = office.instance(&id).await?;
    tell_instance(session.id());
    Ok(session)
}

/// A parameter that is not known is refused: a misspelt `dry_run` must not store anything.
fn only(params: &Params<'_>, known: &'static [&'static str]) -> Result<(), Invalid> {
    match params.all().find(|(name, _)| !known.contains(name)) {
        None => Ok(()),
        Some(_) => {
            Err(Invalid::new("query", format!("has a parameter that is not known; there are {}", known.join(", "))))
        }
    }
}
