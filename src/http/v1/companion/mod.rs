//! The companion of an instance: the linked phone or other gateway to which its saved names leave and from which names
//! come. Set, looked at, pulled from; how each contact stands with it. For the admin, or a token with `instance:admin`.
//! Without one, every contact is `local`.

mod shown;
mod wish;

use actix_web::{
    HttpResponse, Scope as Routes,
    http::{Method, StatusCode},
    web::Data,
};
use utoipa::OpenApi;

use super::{Answer, TAG, instances::known_id};
use crate::{
    book::{Direction, PageQuery, Sort},
    domain::{Error, Result},
    gateway::{CompanionSettings, Credentials, Linkage},
    http::{
        Door, json,
        params::chat_id,
        problem::{Details, Errors},
        room::{Heard, on, place, tell_instance},
        schemas::ChatIdText,
    },
    sync::Pulled,
};
use shown::{CompanionState, ContactState, ContactStates, PullReport, RetryReport};
use wish::{CompanionWish, StatesQuery};

/// For the API description.
#[derive(OpenApi)]
#[openapi(paths(companion, set_companion, remove_companion, pull, retry, contact_states, contact_state))]
pub struct Description;

pub fn add(routes: Routes) -> Routes {
    use Method as M;
    routes
        .service(place::<Details, _>(
            "/instances/{i}/companion",
            [on(M::GET, companion), on(M::PUT, set_companion), on(M::DELETE, remove_companion)],
        ))
        .service(place::<Details, _>("/instances/{i}/companion/pull", [on(M::POST, pull)]))
        .service(place::<Details, _>("/instances/{i}/companion/retry", [on(M::POST, retry)]))
        .service(place::<Details, _>("/instances/{i}/companion/contacts", [on(M::GET, contact_states)]))
        .service(place::<Details, _>("/instances/{i}/companion/contacts/{chat_id}", [on(M::GET, contact_state)]))
}

/// Which companion there is, how it is doing and how many contacts are in which state. Its key is never shown.
#[utoipa::path(get, path = "/instances/{i}/companion", tag = TAG, params(("i" = String, Path, description = "The instance")),
    responses((status = 200, description = "done", body = CompanionState), Errors))]
async fn companion(heard: Heard, door: Data<Door>) -> Answer {
    let linkage = linkage(&heard, &door)?;
    show(&door, &linkage, linkage.settings().await?.as_ref()).await
}

/// Links a companion in place of the one that there was, with these settings and no others. Another `url` or `session` is
/// another companion: every saved name is then told to it.
#[utoipa::path(put, path = "/instances/{i}/companion", tag = TAG, params(("i" = String, Path, description = "The instance")),
    request_body = CompanionWish,
    responses((status = 200, description = "done", body = CompanionState), Errors))]
async fn set_companion(heard: Heard, door: Data<Door>) -> Answer {
    let linkage = linkage(&heard, &door)?;
    let settings = wish::settings(&heard.json()?)?;
    if let Some(settings) = &settings {
        door.outside.check(&settings.url).await?;
    }
    door.companions.settle(&linkage, settings.as_ref()).await?;
    show(&door, &linkage, settings.as_ref()).await
}

/// No companion any more: nothing leaves, every contact is `local`. 204, also the second time.
#[utoipa::path(delete, path = "/instances/{i}/companion", tag = TAG, params(("i" = String, Path, description = "The instance")),
    responses((status = 204, description = "done"), Errors))]
async fn remove_companion(heard: Heard, door: Data<Door>) -> Answer {
    door.companions.settle(&linkage(&heard, &door)?, None).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Looks through the companion's contacts and LIDs now, instead of when it would be due.
#[utoipa::path(post, path = "/instances/{i}/companion/pull", tag = TAG, params(("i" = String, Path, description = "The instance")),
    responses((status = 200, description = "what came; `error` tells why it did not come to its end", body = PullReport), Errors))]
async fn pull(heard: Heard, door: Data<Door>) -> Answer {
    let linkage = linkage(&heard, &door)?;
    let pulled = tokio::select! {
        pulled = door.companions.pull(linkage.session()) => pulled,
        () = door.closes() => Pulled { error: Some("stopped"), ..Pulled::default() },
    };
    Ok(json(StatusCode::OK, &PullReport::from(pulled)))
}

/// What the companion refused is told to it again, and nothing waits any longer after trouble.
#[utoipa::path(post, path = "/instances/{i}/companion/retry", tag = TAG, params(("i" = String, Path, description = "The instance")),
    responses((status = 200, description = "done", body = RetryReport), Errors))]
async fn retry(heard: Heard, door: Data<Door>) -> Answer {
    let linkage = linkage(&heard, &door)?;
    let retried = door.companions.retry(linkage.session()).await?;
    Ok(json(StatusCode::OK, &RetryReport { retried }))
}

/// How contacts stand with the companion, those that it is or was to be told of; without a companion all, as `local`.
#[utoipa::path(get, path = "/instances/{i}/companion/contacts", tag = TAG, params(("i" = String, Path, description = "The instance"), StatesQuery),
    responses((status = 200, description = "a page", body = ContactStates), Errors))]
async fn contact_states(heard: Heard, door: Data<Door>) -> Answer {
    let linkage = linkage(&heard, &door)?;
    let (session, query) = (linkage.session(), wish::query(&heard.params())?);
    let is_linked = linkage.settings().await?.is_some();
    let states = match query.state {
        None if !is_linked => local(&linkage, &query).await?,
        // Nobody is in any other state without one, and with one nobody is listed who has nothing to be told.
        Some(None) if is_linked => ContactStates::default(),
        Some(None) => local(&linkage, &query).await?,
        Some(Some(_)) if !is_linked => ContactStates::default(),
        state => {
            let syncs = session.syncs(state.flatten(), query.cursor.clone(), query.limit + 1).await?;
            ContactStates::new(syncs.iter().map(ContactState::from).collect(), query.limit)
        }
    };
    Ok(json(StatusCode::OK, &states))
}

/// How one contact stands with the companion.
#[utoipa::path(get, path = "/instances/{i}/companion/contacts/{chat_id}", tag = TAG,
    params(("i" = String, Path, description = "The instance"), ("chat_id" = ChatIdText, Path)),
    responses((status = 200, description = "done", body = ContactState), Errors))]
async fn contact_state(heard: Heard, door: Data<Door>) -> Answer {
    let linkage = linkage(&heard, &door)?;
    let who = chat_id(&heard.segment("chat_id"), "chat_id")?;
    let is_linked = linkage.settings().await?.is_some();
    let known = linkage.session().known(vec![who]).await?.pop().unwrap_or_default();
    let state = match (known.sync.filter(|_| is_linked), known.contact) {
        (Some(sync), _) => ContactState::from(&sync),
        (None, Some(contact)) => ContactState::local(contact.chat_id()),
        (None, None) => return Err(Error::NoContact.into()),
    };
    Ok(json(StatusCode::OK, &state))
}

async fn show(door: &Door, linkage: &Linkage, settings: Option<&CompanionSettings>) -> Answer {
    let session = linkage.session();
    let counts = match settings {
        Some(_) => session.sync_counts().await?,
        None => [("local", session.head().await?.contacts)].into(),
    };
    let health = door.companions.health(session.id());
    Ok(json(StatusCode::OK, &CompanionState::new(settings, health.as_ref(), counts)))
}

async fn local(linkage: &Linkage, query: &wish::Query) -> Result<ContactStates> {
    let after = wish::book_cursor(&query.cursor)?;
    let page = PageQuery {
        sort: vec![(Sort::ChatId, Direction::Ascending)],
        limit: query.limit,
        after,
        ..PageQuery::default()
    };
    let page = linkage.session().page(page).await?;
    let contacts = page.contacts.iter().map(|contact| ContactState::local(contact.chat_id())).collect();
    Ok(ContactStates { contacts, next: page.next.map(|cursor| cursor.to_text()) })
}

/// The companion of the instance in the path, for the admin or for the instance's own administrator.
fn linkage(heard: &Heard, door: &Door) -> Result<Linkage> {
    let (id, token) = (heard.segment("i"), heard.bearer());
    let linkage = match door.gateway.administer(token) {
        Ok(office) => office.linkage(&known_id(&id)?)?,
        Err(_) => door.gateway.linkage(Credentials { instance: Some(&id), token })?,
    };
    tell_instance(linkage.session().id());
    Ok(linkage)
}
