//! Hypersender, WhatsApp API v2 (app.hypersender.com): save a contact, read one, read all. A room that translates; it
//! follows the vendor's three pages on contacts. The instance stands in the path, its token in `Authorization: Bearer`.

mod problem;
mod wire;

use actix_web::{
    HttpResponse,
    http::{Method, StatusCode},
    web::{self, Data},
};
use serde::Serialize;
use utoipa::OpenApi;

use crate::{
    domain::Error,
    gateway::Scope,
    http::{
        Door, json,
        room::{Heard, Problem, no_route, on, place, tell_outcome},
        schemas::{ChatIdText, SortByText, SortOrderText},
    },
};
use problem::{Errors, Hypersender};
use wire::{Call, FoundContact, FoundContacts, Upsert, Upserted};

type Answer = Result<HttpResponse, Problem<Hypersender>>;

/// For the API description.
#[derive(OpenApi)]
#[openapi(paths(upsert, get, get_all))]
pub struct Description;

const TAG: &str = "Hypersender";

pub fn mount(config: &mut web::ServiceConfig, prefixes: &[String]) {
    use Method as M;
    for prefix in prefixes {
        let scope = web::scope(prefix)
            .service(place::<Hypersender, _>("/{instance}/contacts/upsert", [on(M::POST, upsert)]))
            .service(place::<Hypersender, _>("/{instance}/contacts/get", [on(M::GET, get)]))
            .service(place::<Hypersender, _>("/{instance}/contacts/get-all", [on(M::GET, get_all)]))
            .default_service(web::to(no_route::<Hypersender>));
        config.service(scope);
    }
}

/// Save a contact's private name; idempotent.
#[utoipa::path(post, path = "/{instance}/contacts/upsert", operation_id = "hypersender_upsert", tag = TAG,
    security(("bearer" = [])), params(("instance" = String, Path, description = "The instance")), request_body = Upsert,
    responses((status = 200, description = "contact saved", body = Upserted), Errors))]
async fn upsert(heard: Heard, door: Data<Door>) -> Answer {
    let call = Call::hear(&heard);
    let outcome = call.enter(&door, Scope::ContactsWrite)?.edit(call.upsert()?).await?;
    tell_outcome(outcome.change.word());
    Ok(HttpResponse::Ok().content_type("application/json").body(wire::UPSERTED))
}

/// One contact.
#[utoipa::path(get, path = "/{instance}/contacts/get", operation_id = "hypersender_get", tag = TAG,
    security(("bearer" = [])), params(("instance" = String, Path, description = "The instance"), ("chat_id" = ChatIdText, Query)),
    responses((status = 200, description = "the contact", body = FoundContact), Errors))]
async fn get(heard: Heard, door: Data<Door>) -> Answer {
    let call = Call::hear(&heard);
    let found = call.enter(&door, Scope::ContactsRead)?.get(call.chat_id()?).await?;
    ok(&FoundContact::from(&found.ok_or(Error::NoContact)?))
}

/// All contacts, by page.
#[utoipa::path(get, path = "/{instance}/contacts/get-all", operation_id = "hypersender_get_all", tag = TAG,
    security(("bearer" = [])), params(("instance" = String, Path, description = "The instance"),
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 1000, description = "100 if not given"), ("offset" = Option<i64>, Query, minimum = 0, maximum = 4_294_967_295_i64),
        ("sort_by" = Option<SortByText>, Query), ("sort_order" = Option<SortOrderText>, Query)),
    responses((status = 200, description = "the contacts", body = FoundContacts), Errors))]
async fn get_all(heard: Heard, door: Data<Door>) -> Answer {
    let call = Call::hear(&heard);
    let page = call.enter(&door, Scope::ContactsRead)?.page(call.page()?).await?;
    ok(&FoundContacts::from(&page))
}

fn ok(body: &impl Serialize) -> Answer {
    Ok(json(StatusCode::OK, body))
}
