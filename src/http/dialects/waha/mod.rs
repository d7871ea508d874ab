//! WAHA (WhatsApp HTTP API): the contacts, LIDs and, to look around, sessions of one key. A room that translates; it
//! follows WAHA's OpenAPI description and pages. The key is an access token in `X-Api-Key`; a session is an instance, and
//! the key's own when none is named. WAHA itself is not behind it: sessions are neither made nor started here.

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
        json, long_list,
        room::{self, Fault, Heard, Problem, no_route, on, tell_outcome},
        schemas::{ChatIdText, Flag, LidText, LoosePhoneText, SortByText, SortOrderText},
    },
};
use problem::{Errors, Waha};
use wire::{Call, ContactRequest, ContactUpdateBody, InQuery, SessionInfo, Success, Window};

type Answer = Result<HttpResponse, Problem<Waha>>;

/// For the API description.
#[derive(OpenApi)]
#[openapi(paths(
    all,
    contact,
    check_exists,
    about,
    profile_picture,
    block,
    unblock,
    contact_in_path,
    rename,
    lids,
    lid_count,
    lid_of_phone,
    phone_of_lid,
    sessions,
    session
))]
pub struct Description;

const TAG: &str = "WAHA";

const SUCCESS: &str = r#"{"success":true}"#;

/// To look at a session is to look at the account or at its contacts.
const LOOK: [Scope; 2] = [Scope::ContactsRead, Scope::AccountRead];

pub fn mount(config: &mut web::ServiceConfig, prefixes: &[String]) {
    use Method as M;
    for prefix in prefixes {
        // Words before parameters: `/contacts/all` is no session, `/lids/count` no LID.
        let scope = web::scope(prefix)
            .service(place("/contacts/all", [on(M::GET, all)]))
            .service(place("/contacts/check-exists", [on(M::GET, check_exists)]))
            .service(place("/contacts/about", [on(M::GET, about)]))
            .service(place("/contacts/profile-picture", [on(M::GET, profile_picture)]))
            .service(place("/contacts/block", [on(M::POST, block)]))
            .service(place("/contacts/unblock", [on(M::POST, unblock)]))
            .service(place("/contacts", [on(M::GET, contact)]))
            .service(place("/sessions", [on(M::GET, sessions)]))
            .service(place("/sessions/{session}", [on(M::GET, session)]))
            .service(place("/{session}/contacts/{id}", [on(M::GET, contact_in_path), on(M::PUT, rename)]))
            .service(place("/{session}/lids", [on(M::GET, lids)]))
            .service(place("/{session}/lids/count", [on(M::GET, lid_count)]))
            .service(place("/{session}/lids/pn/{phoneNumber}", [on(M::GET, lid_of_phone)]))
            .service(place("/{session}/lids/{lid}", [on(M::GET, phone_of_lid)]))
            .default_service(web::to(no_route::<Waha>));
        config.service(scope);
    }
}

/// All contacts; without a limit really all.
#[utoipa::path(get, path = "/contacts/all", operation_id = "waha_contacts_all", tag = TAG, security(("api_key" = [])),
    params(InQuery, Window, ("sortBy" = Option<SortByText>, Query), ("sortOrder" = Option<SortOrderText>, Query)),
    responses((status = 200, description = "the contacts", body = Vec<FlatContact>), Errors))]
async fn all(heard: Heard, door: Data<Door>) -> Answer {
    let call = Call::hear(&heard);
    let (session, page) = (call.enter(&door, Scope::ContactsRead)?, call.page()?);
    Ok(long_list::answer::<FlatContact>(session, page).await?)
}

/// One contact. A stranger is answered with null names.
#[utoipa::path(get, path = "/contacts", operation_id = "waha_contact", tag = TAG, security(("api_key" = [])),
    params(("contactId" = ChatIdText, Query), InQuery),
    responses((status = 200, description = "the contact", body = FlatContact), Errors))]
async fn contact(heard: Heard, door: Data<Door>) -> Answer {
    let call = Call::hear(&heard);
    show(&door, &call, call.contact_id()).await
}

/// Whether the book knows this number (without a linked phone it cannot know more).
#[utoipa::path(get, path = "/contacts/check-exists", operation_id = "waha_check_exists", tag = TAG, security(("api_key" = [])),
    params(("phone" = LoosePhoneText, Query), InQuery),
    responses((status = 200, description = "known or not", body = NumberCheck), Errors))]
async fn check_exists(heard: Heard, door: Data<Door>) -> Answer {
    let call = Call::hear(&heard);
    let (session, phone) = (call.enter(&door, Scope::ContactsRead)?, call.phone()?);
    ok(&NumberCheck::new(phone, session.get(phone).await?.is_some()))
}

/// Null without a linked phone.
#[utoipa::path(get, path = "/contacts/about", operation_id = "waha_about", tag = TAG, security(("api_key" = [])),
    params(("contactId" = ChatIdText, Query), InQuery),
    responses((status = 200, description = "what is known", body = About), Errors))]
async fn about(heard: Heard, door: Data<Door>) -> Answer {
    let call = Call::hear(&heard);
    nothing_known(&door, &call, call.contact_id(), &About::default())
}

/// Null without a linked phone.
#[utoipa::path(get, path = "/contacts/profile-picture", operation_id = "waha_profile_picture", tag = TAG, security(("api_key" = [])),
    params(("contactId" = ChatIdText, Query), ("refresh" = Option<Flag>, Query), InQuery),
    responses((status = 200, description = "what is known", body = Picture), Errors))]
async fn profile_picture(heard: Heard, door: Data<Door>) -> Answer {
    let call = Call::hear(&heard);
    nothing_known(&door, &call, call.flag("refresh").and_then(|()| call.contact_id()), &Picture::default())
}

/// Mark a contact as blocked; made if it is new.
#[utoipa::path(post, path = "/contacts/block", operation_id = "waha_block", tag = TAG, security(("api_key" = [])),
    request_body = ContactRequest, responses((status = 201, description = "blocked"), Errors))]
async fn block(heard: Heard, door: Data<Door>) -> Answer {
    let call = Call::hear(&heard);
    save(&door, &call, call.blocked(true), HttpResponse::Created().finish()).await
}

/// Take the mark away.
#[utoipa::path(post, path = "/contacts/unblock", operation_id = "waha_unblock", tag = TAG, security(("api_key" = [])),
    request_body = ContactRequest, responses((status = 201, description = "unblocked"), Errors))]
async fn unblock(heard: Heard, door: Data<Door>) -> Answer {
    let call = Call::hear(&heard);
    save(&door, &call, call.blocked(false), HttpResponse::Created().finish()).await
}

/// One contact.
#[utoipa::path(get, path = "/{session}/contacts/{id}", operation_id = "waha_contact_in_path", tag = TAG, security(("api_key" = [])),
    params(("session" = String, Path, example = "default"), ("id" = ChatIdText, Path)),
    responses((status = 200, description = "the contact", body = FlatContact), Errors))]
async fn contact_in_path(heard: Heard, door: Data<Door>) -> Answer {
    let call = Call::hear(&heard);
    show(&door, &call, call.contact_id_in_path()).await
}

/// Save a contact's private name; idempotent.
#[utoipa::path(put, path = "/{session}/contacts/{id}", operation_id = "waha_rename", tag = TAG, security(("api_key" = [])),
    params(("session" = String, Path, example = "default"), ("id" = ChatIdText, Path)),
    request_body = ContactUpdateBody, responses((status = 200, description = "contact saved", body = Success), Errors))]
async fn rename(heard: Heard, door: Data<Door>) -> Answer {
    let call = Call::hear(&heard);
    save(&door, &call, call.renamed(), HttpResponse::Ok().content_type("application/json").body(SUCCESS)).await
}

/// The known mappings of LIDs to phones.
#[utoipa::path(get, path = "/{session}/lids", operation_id = "waha_lids", tag = TAG, security(("api_key" = [])),
    params(("session" = String, Path, example = "default"), Window),
    responses((status = 200, description = "the mappings", body = Vec<FlatMapping>), Errors))]
async fn lids(heard: Heard, door: Data<Door>) -> Answer {
    let call = Call::hear(&heard);
    let (session, (limit, offset)) = (call.enter(&door, Scope::ContactsRead)?, call.lid_window()?);
    ok(&session.mappings(limit, offset).await?.iter().map(FlatMapping::from).collect::<Vec<_>>())
}

/// How many mappings are known.
#[utoipa::path(get, path = "/{session}/lids/count", operation_id = "waha_lid_count", tag = TAG, security(("api_key" = [])),
    params(("session" = String, Path, example = "default")),
    responses((status = 200, description = "the count", body = Count), Errors))]
async fn lid_count(heard: Heard, door: Data<Door>) -> Answer {
    let session = Call::hear(&heard).enter(&door, Scope::ContactsRead)?;
    ok(&Count { count: session.mapping_count().await? })
}

/// The LID of a phone; null if it is not known. A LID is answered with itself.
#[utoipa::path(get, path = "/{session}/lids/pn/{phoneNumber}", operation_id = "waha_lid_of_phone", tag = TAG, security(("api_key" = [])),
    params(("session" = String, Path, example = "default"), ("phoneNumber" = ChatIdText, Path)),
    responses((status = 200, description = "the mapping", body = FlatMapping), Errors))]
async fn lid_of_phone(heard: Heard, door: Data<Door>) -> Answer {
    let call = Call::hear(&heard);
    let session = call.enter(&door, Scope::ContactsRead)?;
    ok(&match call.phone_number_in_path()? {
        lid @ ChatId::Lid(_) => FlatMapping::new(Some(lid), None),
        phone => FlatMapping::new(session.mapping(phone).await?.map(|mapping| mapping.partner(&phone)), Some(phone)),
    })
}

/// The phone of a LID; null if it is not known.
#[utoipa::path(get, path = "/{session}/lids/{lid}", operation_id = "waha_phone_of_lid", tag = TAG, security(("api_key" = [])),
    params(("session" = String, Path, example = "default"), ("lid" = LidText, Path)),
    responses((status = 200, description = "the mapping", body = FlatMapping), Errors))]
async fn phone_of_lid(heard: Heard, door: Data<Door>) -> Answer {
    let call = Call::hear(&heard);
    let (session, lid) = (call.enter(&door, Scope::ContactsRead)?, call.lid_in_path()?);
    ok(&FlatMapping::new(Some(lid), session.mapping(lid).await?.map(|mapping| mapping.partner(&lid))))
}

/// The sessions that the key opens: one.
#[utoipa::path(get, path = "/sessions", operation_id = "waha_sessions", tag = TAG, security(("api_key" = [])),
    params(("all" = Option<Flag>, Query)),
    responses((status = 200, description = "the session", body = Vec<SessionInfo>), Errors))]
async fn sessions(heard: Heard, door: Data<Door>) -> Answer {
    let call = Call::hear(&heard);
    let (session, ()) = (call.enter_with_either(&door, LOOK)?, call.flag("all")?);
    ok(&[SessionInfo::new(session.id(), session.head().await)?])
}

/// How a session stands.
#[utoipa::path(get, path = "/sessions/{session}", operation_id = "waha_session", tag = TAG, security(("api_key" = [])),
    params(("session" = String, Path, example = "default")),
    responses((status = 200, description = "the session", body = SessionInfo), Errors))]
async fn session(heard: Heard, door: Data<Door>) -> Answer {
    let session = Call::hear(&heard).enter_with_either(&door, LOOK)?;
    ok(&SessionInfo::new(session.id(), session.head().await)?)
}

async fn save(door: &Door, call: &Call<'_>, wish: Result<Edit, Fault>, done: HttpResponse) -> Answer {
    let session = call.enter(door, Scope::ContactsWrite)?;
    let outcome = session.edit(wish?).await?;
    tell_outcome(outcome.change.word());
    Ok(done)
}

async fn show(door: &Door, call: &Call<'_>, wish: Result<ChatId, Invalid>) -> Answer {
    let session = call.enter(door, Scope::ContactsRead)?;
    let who = wish?;
    ok(&FlatContact::of(who, session.get(who).await?.as_ref()))
}

/// What only a linked phone could tell. The call is checked like any other, the answer is null, never invented.
fn nothing_known(door: &Door, call: &Call<'_>, wish: Result<ChatId, Invalid>, answer: &impl Serialize) -> Answer {
    call.enter(door, Scope::ContactsRead)?;
    wish?;
    ok(answer)
}

fn ok(body: &impl Serialize) -> Answer {
    Ok(json(StatusCode::OK, body))
}

fn place<const N: usize>(path: &str, verbs: [(Method, actix_web::Route); N]) -> actix_web::Resource {
    room::place::<Waha, N>(path, verbs)
}
