//! SuperWABA (app.superwaba.com): the contacts of one organisation, which here is an instance. A room that translates; it
//! follows the vendor's page "Contacts API". Credentials are a bearer token and, beside it, the instance id in
//! `x-org-id`. The vendor has no route that deletes, none that changes a phone, and none that writes labels.

mod bulk;
mod draft;
mod problem;
mod sheet;
mod shown;
mod wire;

use actix_web::{
    HttpResponse,
    http::{Method, StatusCode},
    web::{self, Data},
};
use serde::Serialize;
use utoipa::OpenApi;

use crate::{
    domain::{Contact, Error, Register, Result},
    gateway::Scope,
    http::{
        Door,
        room::{self, Heard, Problem, TakesMany, no_route, on, tell_outcome},
    },
    session::Session,
};
use bulk::{Import, Report, Upload};
use problem::{Errors, SuperWaba};
use shown::{CreatedContact, FullContact, Good, ListedContacts, PatchedContact, Sources};
use wire::{Call, Change, NewContact};

type Answer = Result<HttpResponse, Problem<SuperWaba>>;

/// For the API description.
#[derive(OpenApi)]
#[openapi(paths(list, show, create, update, import))]
pub struct Description;

const TAG: &str = "SuperWABA";

pub fn mount(config: &mut web::ServiceConfig, prefixes: &[String]) {
    use Method as M;
    for prefix in prefixes {
        // Words before parameters: `/contacts/bulk` is no contact id.
        let scope = web::scope(prefix)
            .service(place("/contacts", [on(M::GET, list), on(M::POST, create)]))
            .service(place("/contacts/bulk", [on(M::POST, import)]).app_data(TakesMany))
            .service(place("/contacts/{contactId}", [on(M::GET, show), on(M::PATCH, update)]))
            .default_service(web::to(no_route::<SuperWaba>));
        config.service(scope);
    }
}

/// Contacts, by page.
#[utoipa::path(get, path = "/contacts", tag = TAG, params(wire::ListWish, ("x-org-id" = String, Header, description = "The instance id")),
    responses((status = 200, description = "the contacts", body = Good<ListedContacts>), Errors))]
async fn list(heard: Heard, door: Data<Door>) -> Answer {
    let call = Call::of(&heard);
    let session = call.enter(&door, Scope::ContactsRead)?;
    let wish = call.list_wish()?;
    let page = session.page(wish.query()).await?;
    good(StatusCode::OK, "ok", ListedContacts::new(&wish, &page, &sources(&session, &page.contacts).await?))
}

/// One contact, by its id or vendor contact id.
#[utoipa::path(get, path = "/contacts/{contactId}", tag = TAG, params(("contactId" = String, Path, description = "`contact_<uuid>`, the UUID alone, or the vendor contact id"), ("x-org-id" = String, Header, description = "The instance id")),
    responses((status = 200, description = "the contact", body = Good<FullContact>), Errors))]
async fn show(heard: Heard, door: Data<Door>) -> Answer {
    let call = Call::of(&heard);
    let session = call.enter(&door, Scope::ContactsRead)?;
    let contact = session.get(call.who()?).await?.ok_or(Error::NoContact)?;
    good(StatusCode::OK, "ok", FullContact::new(&contact, &sources(&session, std::slice::from_ref(&contact)).await?))
}

/// Add a contact. One that exists already is left as it is.
#[utoipa::path(post, path = "/contacts", tag = TAG, params(("x-org-id" = String, Header, description = "The instance id")),
    request_body = NewContact,
    responses((status = 201, description = "the new contact", body = Good<CreatedContact>), Errors))]
async fn create(heard: Heard, door: Data<Door>) -> Answer {
    let session = Call::of(&heard).enter(&door, Scope::ContactsWrite)?;
    let outcome = session.edit(heard.json::<NewContact<'_>>()?.edit()?).await?;
    good(StatusCode::CREATED, outcome.change.word(), CreatedContact::from(&*outcome.contact))
}

/// Change what is mentioned. Null clears; an unknown field beside known ones is ignored.
#[utoipa::path(patch, path = "/contacts/{contactId}", tag = TAG, params(("contactId" = String, Path, description = "`contact_<uuid>`, the UUID alone, or the vendor contact id"), ("x-org-id" = String, Header, description = "The instance id")),
    request_body = wire::ChangeWish,
    responses((status = 200, description = "the contact as it now is", body = Good<PatchedContact>), Errors))]
async fn update(heard: Heard, door: Data<Door>) -> Answer {
    let call = Call::of(&heard);
    let session = call.enter(&door, Scope::ContactsWrite)?;
    let patch = heard.json::<Change<'_>>()?.patch()?;
    let outcome = session.edit(wire::update(call.who()?, patch)).await?;
    good(StatusCode::OK, outcome.change.word(), PatchedContact::from(&*outcome.contact))
}

/// Add many contacts at once: JSON, a CSV body, or a file in a form. Rows that cannot be added are skipped and listed.
#[utoipa::path(post, path = "/contacts/bulk", tag = TAG, params(("x-org-id" = String, Header, description = "The instance id")),
    request_body(description = "CSV: the header names `userNumber` (or `phone`), `userName` (or `name`), `email`, `countryCode`, `tags`; other columns become params.",
        content((wire::ManyContacts = "application/json"), (bulk::Sheet = "text/csv"), (bulk::FileForm = "multipart/form-data"))),
    responses((status = 200, description = "what came of each row", body = Good<Report>), Errors))]
async fn import(heard: Heard, door: Data<Door>) -> Answer {
    let session = Call::of(&heard).enter(&door, Scope::ContactsWrite)?;
    let (import, edits) = Import::read(Upload::of(&heard).await?, door.limits.bulk_rows).await?;
    let settled = session.edit_many(edits, false).await?;
    good(StatusCode::OK, "imported", import.report(settled))
}

/// The names of the sources, by number; not asked for if nobody has one.
async fn sources(session: &Session, contacts: &[Contact]) -> Result<Sources> {
    if contacts.iter().all(|contact| contact.card.source_id.is_none()) {
        return Ok(Sources::default());
    }
    let entries = session.entries(Register::Sources).await?;
    Ok(entries.into_iter().map(|entry| (entry.id, entry.name)).collect())
}

fn good(status: StatusCode, outcome: &'static str, data: impl Serialize) -> Answer {
    tell_outcome(outcome);
    Ok(HttpResponse::build(status).json(Good::new(data)))
}

fn place<const N: usize>(path: &str, verbs: [(Method, actix_web::Route); N]) -> actix_web::Resource {
    room::place::<SuperWaba, N>(path, verbs)
}
