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

use crate::{
    domain::{ChatId, Edit, Invalid},
    gateway::Scope,
    http::{
        Door, json,
        room::{self, Heard, Problem, no_route, on, tell_outcome},
    },
};
use problem::Wawp;
use wire::{About, Call, Count, JsonContact, JsonMapping, LidOfPhone, NumberCheck, Picture};

type Answer = Result<HttpResponse, Problem<Wawp>>;

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

async fn update(heard: Heard, door: Data<Door>) -> Answer {
    let call = Call::hear(&heard)?;
    save(&door, &call, call.chat_id().and_then(|who| call.saved_names(who))).await
}

async fn update_in_path(heard: Heard, door: Data<Door>) -> Answer {
    let call = Call::hear(&heard)?;
    save(&door, &call, call.chat_id_in_path().and_then(|who| call.saved_names(who))).await
}

async fn block(heard: Heard, door: Data<Door>) -> Answer {
    let call = Call::hear(&heard)?;
    save(&door, &call, call.either_id().map(|who| wire::blocked(who, true))).await
}

async fn unblock(heard: Heard, door: Data<Door>) -> Answer {
    let call = Call::hear(&heard)?;
    save(&door, &call, call.either_id().map(|who| wire::blocked(who, false))).await
}

async fn contact(heard: Heard, door: Data<Door>) -> Answer {
    let call = Call::hear(&heard)?;
    show(&door, &call, call.contact_id()).await
}

async fn contact_in_path(heard: Heard, door: Data<Door>) -> Answer {
    let call = Call::hear(&heard)?;
    show(&door, &call, call.chat_id_in_path()).await
}

async fn all(heard: Heard, door: Data<Door>) -> Answer {
    let call = Call::hear(&heard)?;
    let session = door.enter(call.credentials()?, Scope::ContactsRead)?;
    let page = session.page(call.page()?).await?;
    ok(&page.contacts.iter().map(JsonContact::known).collect::<Vec<_>>())
}

async fn check_exists(heard: Heard, door: Data<Door>) -> Answer {
    let call = Call::hear(&heard)?;
    let session = door.enter(call.credentials()?, Scope::ContactsRead)?;
    let phone = call.plain_phone("phone")?;
    // Without a linked companion, what the book knows is all that can honestly be said.
    let known = session.get(phone).await?.is_some();
    ok(&NumberCheck::new(known, phone))
}

async fn about(heard: Heard, door: Data<Door>) -> Answer {
    nothing_known(&door, &Call::hear(&heard)?, &About { about: None })
}

async fn profile_picture(heard: Heard, door: Data<Door>) -> Answer {
    let call = Call::hear(&heard)?;
    call.flag("refresh")?;
    nothing_known(&door, &call, &Picture { profile_picture_url: None })
}

async fn lids(heard: Heard, door: Data<Door>) -> Answer {
    let call = Call::hear(&heard)?;
    let session = door.enter(call.credentials()?, Scope::ContactsRead)?;
    let (limit, offset) = call.window()?;
    let mappings = session.mappings(limit, offset).await?;
    ok(&mappings.iter().map(JsonMapping::from).collect::<Vec<_>>())
}

async fn lid_count(heard: Heard, door: Data<Door>) -> Answer {
    let call = Call::hear(&heard)?;
    let session = door.enter(call.credentials()?, Scope::ContactsRead)?;
    ok(&Count { count: session.mapping_count().await? })
}

async fn lid_of_phone(heard: Heard, door: Data<Door>) -> Answer {
    let call = Call::hear(&heard)?;
    let session = door.enter(call.credentials()?, Scope::ContactsRead)?;
    let phone = call.number_in_path()?;
    let mapping = session.mapping(phone).await?;
    ok(&LidOfPhone::new(mapping.map(|mapping| mapping.lid), Some(phone)))
}

async fn phone_of_lid(heard: Heard, door: Data<Door>) -> Answer {
    let call = Call::hear(&heard)?;
    let session = door.enter(call.credentials()?, Scope::ContactsRead)?;
    let lid = call.lid_in_path()?;
    let mapping = session.mapping(lid).await?;
    ok(&LidOfPhone::new(Some(lid), mapping.map(|mapping| mapping.phone)))
}

/// Who asks is looked at before what is asked: a stranger learns nothing of what would have been wrong with it.
async fn save(door: &Door, call: &Call<'_>, wish: Result<Edit, Invalid>) -> Answer {
    let session = door.enter(call.credentials()?, Scope::ContactsWrite)?;
    let outcome = session.edit(wish?).await?;
    tell_outcome(outcome.change.word());
    Ok(HttpResponse::Ok().content_type("application/json").body(OK))
}

async fn show(door: &Door, call: &Call<'_>, wish: Result<ChatId, Invalid>) -> Answer {
    let session = door.enter(call.credentials()?, Scope::ContactsRead)?;
    let who = wish?;
    let found = session.get(who).await?;
    ok(&found.as_ref().map_or_else(|| JsonContact::unknown(who), JsonContact::known))
}

/// What only a linked phone could tell. The call is checked like any other, the answer is null, never invented.
fn nothing_known(door: &Door, call: &Call<'_>, answer: &impl Serialize) -> Answer {
    door.enter(call.credentials()?, Scope::ContactsRead)?;
    call.contact_id()?;
    ok(answer)
}

fn ok(body: &impl Serialize) -> Answer {
    Ok(json(StatusCode::OK, body))
}

fn place<const N: usize>(path: &str, verbs: [(Method, actix_web::Route); N]) -> actix_web::Resource {
    room::place::<Wawp, N>(path, verbs)
}
