//! Contacts in the native API: read, list, put, patch, delete and batch, with ETag, If-Match, If-None-Match (RFC 9110) and
//! `Idempotency-Key`. Every 2xx of a write is durable; the outcome says honestly what it changed.

mod batch;
mod conditions;
mod list;
mod names;
mod shown;
pub(super) mod written;

use actix_web::{
    HttpResponse, HttpResponseBuilder, Scope as Routes,
    http::{
        Method, StatusCode,
        header::{self, HeaderValue},
    },
    web::Data,
};
use utoipa::OpenApi;

use super::{Answer, TAG};
use crate::{
    domain::{Act, Change, ChatId, Edit, Error, Invalid, Precondition, Require, Result, Revision, Source},
    gateway::{Credentials, Scope},
    http::{
        Door,
        fields::Fields,
        params::chat_id,
        problem::{Details, Errors},
        room::{Fault, Heard, on, place, tell_outcome},
        schemas::ChatIdText,
        time::now,
    },
    session::Session,
};
use batch::{BatchAnswer, BatchWish};
use conditions::Conditions;
pub use shown::JsonContact;
use shown::{JsonOutcome, JsonPage};
use written::{Missing, WritableContact};

const SOURCE: Source = Source::known("v1");

#[derive(OpenApi)]
#[openapi(paths(index, get, put, patch, delete, batch))]
struct Description;

/// For the API description.
pub fn describe() -> utoipa::openapi::OpenApi {
    Description::openapi().merge_from(names::Description::openapi())
}

pub fn add(routes: Routes) -> Routes {
    use Method as M;
    routes
        .service(place::<Details, _>("/instances/{i}/contacts", [on(M::GET, index)]))
        .service(place::<Details, _>("/instances/{i}/contacts/batch", [on(M::POST, batch)]))
        .service(place::<Details, _>(
            "/instances/{i}/contacts/{chat_id}",
            [on(M::GET, get), on(M::PUT, put), on(M::PATCH, patch), on(M::DELETE, delete)],
        ))
        .service(place::<Details, _>("/instances/{i}/contacts/{chat_id}/names", [on(M::GET, names::names)]))
        .service(place::<Details, _>("/instances/{i}/contacts/{chat_id}/names/undo", [on(M::POST, names::undo)]))
}

/// The contacts of a book, a page at a time. `next` is the `cursor` of the next page; it costs the same at any depth.
#[utoipa::path(get, path = "/instances/{i}/contacts", tag = TAG, params(("i" = String, Path), list::Query),
    responses((status = 200, description = "a page", body = JsonPage), Errors))]
async fn index(heard: Heard, door: Data<Door>) -> Answer {
    let session = enter(&heard, &door, Scope::ContactsRead)?;
    let (query, sort) = list::query(&heard.params())?;
    let page = session.page(query).await?;
    Ok(ok().json(JsonPage::new(&page, &sort)))
}

/// One contact, by phone or LID. Its ETag is its revision.
#[utoipa::path(get, path = "/instances/{i}/contacts/{chat_id}", tag = TAG,
    params(("i" = String, Path), ("chat_id" = ChatIdText, Path),
           ("If-None-Match" = Option<String>, Header)),
    responses((status = 200, description = "the contact", body = JsonContact), (status = 304, description = "unchanged"), Errors))]
async fn get(heard: Heard, door: Data<Door>) -> Answer {
    let session = enter(&heard, &door, Scope::ContactsRead)?;
    let contact = session.get(who(&heard)?).await?.ok_or(Error::NoContact)?;
    if heard.header("if-none-match").is_some_and(|tags| tells(tags, contact.revision)) {
        return Ok(tagged(HttpResponse::NotModified(), contact.revision).finish());
    }
    Ok(tagged(ok(), contact.revision).json(JsonContact::from(&contact)))
}

/// Makes the contact what the body says: what it does not mention is cleared. 201 when it is new.
#[utoipa::path(put, path = "/instances/{i}/contacts/{chat_id}", tag = TAG,
    params(("i" = String, Path), ("chat_id" = ChatIdText, Path), Conditions),
    request_body = WritableContact,
    responses((status = 200, description = "updated or unchanged", body = JsonOutcome),
              (status = 201, description = "created", body = JsonOutcome), Errors))]
async fn put(heard: Heard, door: Data<Door>) -> Answer {
    let session = enter(&heard, &door, Scope::ContactsWrite)?;
    let act = Act::Save(Box::new(written::patch(&heard.json::<Fields>()?, Missing::Clears)?));
    settle(&session, edit(&heard, act, None)?).await
}

/// Changes what the body mentions (RFC 7396): null clears, what is missing stays. 404 when there is no such contact.
#[utoipa::path(patch, path = "/instances/{i}/contacts/{chat_id}", tag = TAG,
    params(("i" = String, Path), ("chat_id" = ChatIdText, Path), Conditions),
    request_body = WritableContact,
    responses((status = 200, description = "updated or unchanged", body = JsonOutcome), Errors))]
async fn patch(heard: Heard, door: Data<Door>) -> Answer {
    let session = enter(&heard, &door, Scope::ContactsWrite)?;
    let act = Act::Save(Box::new(written::patch(&heard.json::<Fields>()?, Missing::Keeps)?));
    settle(&session, edit(&heard, act, Some(Precondition::Present))?).await
}

/// Deletes the contact with all that is private. 404 when there is none.
#[utoipa::path(delete, path = "/instances/{i}/contacts/{chat_id}", tag = TAG,
    params(("i" = String, Path), ("chat_id" = ChatIdText, Path), Conditions),
    responses((status = 200, description = "deleted; the contact as it last stood", body = JsonOutcome), Errors))]
async fn delete(heard: Heard, door: Data<Door>) -> Answer {
    let session = enter(&heard, &door, Scope::ContactsDelete)?;
    settle(&session, edit(&heard, Act::Delete, None)?).await
}

/// Many edits in one commit, a result for each. With `atomic`, all or none.
#[utoipa::path(post, path = "/instances/{i}/contacts/batch", tag = TAG, params(("i" = String, Path)),
    request_body = BatchWish,
    responses((status = 200, description = "a result for each", body = BatchAnswer), Errors))]
async fn batch(heard: Heard, door: Data<Door>) -> Answer {
    let session = enter(&heard, &door, Scope::ContactsWrite)?;
    let wish = batch::read(&heard.json()?, &SOURCE)?;
    if wish.deletes() {
        enter(&heard, &door, Scope::ContactsDelete)?;
    }
    let answer = wish.settle(&session).await?;
    Ok(ok().json(answer))
}

fn enter(heard: &Heard, door: &Door, scope: Scope) -> Result<Session, Fault> {
    let instance = heard.segment("i");
    door.enter(heard, Credentials { instance: Some(&instance), token: heard.bearer() }, scope)
}

fn who(heard: &Heard) -> Result<ChatId, Invalid> {
    chat_id(&heard.segment("chat_id"), "chat_id")
}

/// The edit of one contact, with the conditions that stand in the request's head.
fn edit(heard: &Heard, act: Act, usual: Option<Precondition>) -> Result<Edit, Fault> {
    let asked = conditions::precondition(heard.plain_header("If-Match")?, heard.plain_header("If-None-Match")?)?;
    let contact = match (asked, usual) {
        // What changes only somebody who is there never makes anybody.
        (Some(Precondition::Absent), Some(Precondition::Present)) => Some(conditions::NEVER),
        (asked, usual) => asked.or(usual),
    };
    let mut edit = Edit::new(who(heard)?, act, now(), SOURCE).requiring(Require {
        contact,
        references: true,
        ..Require::default()
    });
    edit.key = conditions::idempotency_key(heard)?;
    Ok(edit)
}

async fn settle(session: &Session, edit: Edit) -> Answer {
    let outcome = session.edit(edit).await?;
    tell_outcome(outcome.change.word());
    let status = if outcome.change == Change::Created { StatusCode::CREATED } else { StatusCode::OK };
    let mut response = tagged(HttpResponse::build(status), outcome.revision);
    if outcome.replayed {
        response.insert_header(("Idempotent-Replayed", "true"));
    }
    Ok(response.json(JsonOutcome::from(&outcome)))
}

fn ok() -> HttpResponseBuilder {
    tell_outcome("ok");
    HttpResponse::Ok()
}

fn tagged(mut response: HttpResponseBuilder, revision: Revision) -> HttpResponseBuilder {
    if let Ok(tag) = HeaderValue::from_str(&conditions::etag(revision)) {
        response.insert_header((header::ETAG, tag));
    }
    response
}

/// Whether a list of ETags names this revision.
fn tells(tags: &str, revision: Revision) -> bool {
    let own = conditions::etag(revision);
    tags.split(',').map(str::trim).any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == own)
}
