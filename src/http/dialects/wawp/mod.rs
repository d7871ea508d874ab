//! Wawp, API v2 (api.wawp.net): contacts and LIDs of one instance. A room that translates; it follows the vendor's
//! documentation pages ("Create/Update Contact" and its neighbours) and, where they are silent, WAHA, from which Wawp
//! descends. Credentials may stand in the query, the JSON body or headers, on every route. The vendor's older API v1 has
//! the same shapes, so it is the same room under another prefix.

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
    domain::{ChatId, Edit, Invalid},
    gateway::Scope,
    http::{
        Door,
        flat::{About, Count, FlatContact, FlatMapping, NumberCheck, Picture},
        json,
        room::{self, Heard, Problem, no_route, on, tell_outcome},
        schemas::{ChatIdText, Flag, LidText, LoosePhoneText, NameText, PhoneText},
    },
};
use problem::{Errors, Wawp};
use wire::{Call, LidOfPhone, NamesBody, Order, Saved, UpdateBody, WhomBody, Window};

type Answer = Result<HttpResponse, Problem<Wawp>>;

/// For the API description.
#[derive(OpenApi)]
#[openapi(paths(
    update,
    update_in_path,
    block,
    unblock,
    contact,
    contact_in_path,
    all,
    check_exists,
    about,
    profile_picture,
    lids,
    lid_count,
    lid_of_phone,
    phone_of_lid
))]
pub struct Description;

const TAG: &str = "Wawp";

/// As the documentation prints it.
const OK: &str = r#"{"ok": true}"#;

pub fn mount(config: &mut web::ServiceConfig, prefixes: &[String]) {
    use Method as M;
    for prefix in prefixes {
        // Words before parameters: `/contacts/all` is no chat id.
        let scope = web::scope(prefix)
            .service(place("/contacts/update", [on(M::POST, update), on(M::PUT, update)]))
            .service(place("/contacts/all", [on(M::GET, all)]))
            .service(place("/contacts/check-exists", [on(M::GET, check_exists)]))
            .service(place("/contacts/about", [on(M::GET, about)]))
            .service(place("/contacts/profile-picture", [on(M::GET, profile_picture)]))
            .service(place("/contacts/block", [on(M::POST, block)]))
            .service(place("/contacts/unblock", [on(M::POST, unblock)]))
            .service(place("/contacts", [on(M::GET, contact)]))
            .service(place("/contacts/{chatId}", [on(M::GET, contact_in_path), on(M::PUT, update_in_path)]))
            .service(place("/lids", [on(M::GET, lids)]))
            .service(place("/lids/count", [on(M::GET, lid_count)]))
            .service(place("/lids/pn/{number}", [on(M::GET, lid_of_phone)]))
            .service(place("/lids/{lid}", [on(M::GET, phone_of_lid)]))
            .default_service(web::to(no_route::<Wawp>));
        config.service(scope);
    }
}

/// Save a contact's private name. Idempotent; PUT answers the same.
#[utoipa::path(method(post, put), path = "/contacts/update", tag = TAG, request_body = UpdateBody,
    responses((status = 200, description = "contact saved", body = Saved), Errors))]
async fn update(heard: Heard, door: Data<Door>) -> Answer {
    let call = Call::hear(&heard)?;
    save(&door, &call, call.chat_id().and_then(|who| call.saved_names(who))).await
}

/// Save a contact's private name. Names and credentials in the body or in the query; `{chatId}` in the path may be left as it is with the id in the query.
#[utoipa::path(put, path = "/contacts/{chatId}", tag = TAG, params(("chatId" = ChatIdText, Path), ("firstName" = Option<NameText>, Query), ("lastName" = Option<NameText>, Query)),
    request_body = NamesBody,
    responses((status = 200, description = "contact saved", body = Saved), Errors))]
async fn update_in_path(heard: Heard, door: Data<Door>) -> Answer {
    let call = Call::hear(&heard)?;
    save(&door, &call, call.chat_id_in_path().and_then(|who| call.saved_names(who))).await
}

/// Mark a contact as blocked; made if it is new.
#[utoipa::path(post, path = "/contacts/block", tag = TAG, request_body = WhomBody,
    responses((status = 200, description = "blocked", body = Saved), Errors))]
async fn block(heard: Heard, door: Data<Door>) -> Answer {
    let call = Call::hear(&heard)?;
    save(&door, &call, call.either_id().map(|who| wire::blocked(who, true))).await
}

/// Take the mark away.
#[utoipa::path(post, path = "/contacts/unblock", tag = TAG, request_body = WhomBody,
    responses((status = 200, description = "unblocked", body = Saved), Errors))]
async fn unblock(heard: Heard, door: Data<Door>) -> Answer {
    let call = Call::hear(&heard)?;
    save(&door, &call, call.either_id().map(|who| wire::blocked(who, false))).await
}

/// One contact. A stranger is answered with null names.
#[utoipa::path(get, path = "/contacts", tag = TAG, params(("contactId" = ChatIdText, Query)),
    responses((status = 200, description = "the contact", body = FlatContact), Errors))]
async fn contact(heard: Heard, door: Data<Door>) -> Answer {
    let call = Call::hear(&heard)?;
    show(&door, &call, call.contact_id()).await
}

/// One contact.
#[utoipa::path(get, path = "/contacts/{chatId}", tag = TAG, params(("chatId" = ChatIdText, Path)),
    responses((status = 200, description = "the contact", body = FlatContact), Errors))]
async fn contact_in_path(heard: Heard, door: Data<Door>) -> Answer {
    let call = Call::hear(&heard)?;
    show(&door, &call, call.chat_id_in_path()).await
}

/// All contacts, by page.
#[utoipa::path(get, path = "/contacts/all", tag = TAG, params(Window, Order),
    responses((status = 200, description = "the contacts", body = Vec<FlatContact>), Errors))]
async fn all(heard: Heard, door: Data<Door>) -> Answer {
    let call = Call::hear(&heard)?;
    let session = call.enter(&door, Scope::ContactsRead)?;
    let page = session.page(call.page()?).await?;
    ok(&page.contacts.iter().map(FlatContact::from).collect::<Vec<_>>())
}

/// Whether the book knows this number (without a linked phone it cannot know more).
#[utoipa::path(get, path = "/contacts/check-exists", tag = TAG, params(("phone" = PhoneText, Query)),
    responses((status = 200, description = "known or not", body = NumberCheck), Errors))]
async fn check_exists(heard: Heard, door: Data<Door>) -> Answer {
    let call = Call::hear(&heard)?;
    let session = call.enter(&door, Scope::ContactsRead)?;
    let phone = call.phone()?;
    ok(&NumberCheck::new(phone, session.get(phone).await?.is_some()))
}

/// Null without a linked phone.
#[utoipa::path(get, path = "/contacts/about", tag = TAG, params(("contactId" = ChatIdText, Query)),
    responses((status = 200, description = "what is known", body = About), Errors))]
async fn about(heard: Heard, door: Data<Door>) -> Answer {
    nothing_known(&door, &Call::hear(&heard)?, &About::default())
}

/// Null without a linked phone.
#[utoipa::path(get, path = "/contacts/profile-picture", tag = TAG, params(("contactId" = ChatIdText, Query), ("refresh" = Option<Flag>, Query)),
    responses((status = 200, description = "what is known", body = Picture), Errors))]
async fn profile_picture(heard: Heard, door: Data<Door>) -> Answer {
    let call = Call::hear(&heard)?;
    call.refresh()?;
    nothing_known(&door, &call, &Picture::default())
}

/// The known mappings of LIDs to phones.
#[utoipa::path(get, path = "/lids", tag = TAG, params(Window),
    responses((status = 200, description = "the mappings", body = Vec<FlatMapping>), Errors))]
async fn lids(heard: Heard, door: Data<Door>) -> Answer {
    let call = Call::hear(&heard)?;
    let session = call.enter(&door, Scope::ContactsRead)?;
    let (limit, offset) = call.window()?;
    let mappings = session.mappings(limit, offset).await?;
    ok(&mappings.iter().map(FlatMapping::from).collect::<Vec<_>>())
}

/// How many mappings are known.
#[utoipa::path(get, path = "/lids/count", tag = TAG, 
    responses((status = 200, description = "the count", body = Count), Errors))]
async fn lid_count(heard: Heard, door: Data<Door>) -> Answer {
    let call = Call::hear(&heard)?;
    let session = call.enter(&door, Scope::ContactsRead)?;
    ok(&Count { count: session.mapping_count().await? })
}

/// The LID of a phone; null if it is not known.
#[utoipa::path(get, path = "/lids/pn/{number}", tag = TAG, params(("number" = LoosePhoneText, Path)),
    responses((status = 200, description = "the mapping", body = LidOfPhone), Errors))]
async fn lid_of_phone(heard: Heard, door: Data<Door>) -> Answer {
    let call = Call::hear(&heard)?;
    let session = call.enter(&door, Scope::ContactsRead)?;
    let phone = call.number_in_path()?;
    let mapping = session.mapping(phone).await?;
    ok(&LidOfPhone::new(mapping.map(|mapping| mapping.partner(&phone)), Some(phone)))
}

/// The phone of a LID; null if it is not known.
#[utoipa::path(get, path = "/lids/{lid}", tag = TAG, params(("lid" = LidText, Path)),
    responses((status = 200, description = "the mapping", body = LidOfPhone), Errors))]
async fn phone_of_lid(heard: Heard, door: Data<Door>) -> Answer {
    let call = Call::hear(&heard)?;
    let session = call.enter(&door, Scope::ContactsRead)?;
    let lid = call.lid_in_path()?;
    let mapping = session.mapping(lid).await?;
    ok(&LidOfPhone::new(Some(lid), mapping.map(|mapping| mapping.partner(&lid))))
}

async fn save(door: &Door, call: &Call<'_>, wish: Result<Edit, Invalid>) -> Answer {
    let session = call.enter(door, Scope::ContactsWrite)?;
    let outcome = session.edit(wish?).await?;
    tell_outcome(outcome.change.word());
    Ok(HttpResponse::Ok().content_type("application/json").body(OK))
}

async fn show(door: &Door, call: &Call<'_>, wish: Result<ChatId, Invalid>) -> Answer {
    let session = call.enter(door, Scope::ContactsRead)?;
    let who = wish?;
    let found = session.get(who).await?;
    ok(&FlatContact::of(who, found.as_ref()))
}

/// What only a linked phone could tell. The call is checked like any other, the answer is null, never invented.
fn nothing_known(door: &Door, call: &Call<'_>, answer: &impl Serialize) -> Answer {
    call.enter(door, Scope::ContactsRead)?;
    call.contact_id()?;
    ok(answer)
}

fn ok(body: &impl Serialize) -> Answer {
    Ok(json(StatusCode::OK, body))
}

fn place<const N: usize>(path: &str, verbs: [(Method, actix_web::Route); N]) -> actix_web::Resource {
    room::place::<Wawp, N>(path, verbs)
}
