//! What phones saw: pushnames, business names, which LID is which phone, the saved name as a phone has it, who is blocked,
//! when a conversation last moved. Many at a time in our own spelling, one event at a time as a WAHA sends it to a
//! webhook. The rules of `domain` decide what comes of each; nothing here writes a name by itself.

mod key;
mod many;
mod rows;
mod shapes;
mod waha;

use actix_web::{
    HttpResponse, Scope as Routes,
    http::{Method, StatusCode},
    web::Data,
};
use utoipa::OpenApi;

use super::{Answer, TAG, instances::keyring};
use crate::{
    domain::{Error, Result},
    gateway::{Credentials, Scope, Signature},
    http::{
        Door, json,
        problem::{Details, Errors},
        room::{Fault, Heard, TakesMany, on, place, tell_outcome},
        time::now,
    },
    session::Session,
};
use key::{KeyState, KeyWish};
use many::ObservationReport;
use shapes::ManyObservations;
use waha::{WahaAnswer, WahaEvent};

#[derive(OpenApi)]
#[openapi(paths(observe, webhook, show_key, set_key, remove_key))]
struct Description;

/// For the API description.
pub fn describe() -> utoipa::openapi::OpenApi {
    Description::openapi()
}

pub fn add(routes: Routes) -> Routes {
    use Method as M;
    routes
        .service(place::<Details, _>("/instances/{i}/observations", [on(M::POST, observe)]).app_data(TakesMany))
        .service(place::<Details, _>(
            "/instances/{i}/observations/waha",
            [on(M::POST, webhook), on(M::GET, show_key), on(M::PUT, set_key), on(M::DELETE, remove_key)],
        ))
}

/// What phones saw, in one commit, with a result for each row. Sent again it changes nothing; an older sighting never wins
/// over a newer one; a row that is wrong keeps no other out. Which LID is which phone is learned from all rows first, so that
/// names told by a LID go to whoever has it after this batch.
#[utoipa::path(post, path = "/instances/{i}/observations", tag = TAG, params(("i" = String, Path)),
    request_body = ManyObservations,
    responses((status = 200, description = "a result for each", body = ObservationReport), Errors))]
async fn observe(heard: Heard, door: Data<Door>) -> Answer {
    let instance = heard.segment("i");
    let session =
        door.enter(&heard, Credentials { instance: Some(&instance), token: heard.bearer() }, Scope::ContactsWrite)?;
    heard.expect_json()?;
    let rows = many::read(heard.body()?, door.limits.bulk_rows).await?;
    tell_outcome("observed");
    Ok(HttpResponse::Ok().json(ObservationReport { results: rows.settle(&session).await? }))
}

/// One event as a WAHA sends it to a webhook. With a token (Bearer or X-Api-Key, as a custom header of WAHA's) or signed
/// under the instance's HMAC key; a signature that is there must be right. The instance is the one in the path: the
/// `session` in the body is WAHA's own name for it and is not compared. An event that says nothing about a contact is
/// answered 200 with the reason in `ignored`, since WAHA sends again whatever is not.
#[utoipa::path(post, path = "/instances/{i}/observations/waha", tag = TAG,
    params(("i" = String, Path),
           ("X-Webhook-Hmac" = Option<String>, Header, description = "HMAC-SHA512 of the raw body, in hexadecimal digits", pattern = "^[0-9a-f]{128}$"),
           ("X-Webhook-Hmac-Algorithm" = Option<String>, Header, description = "`sha512`", pattern = "^sha512$")),
    request_body = WahaEvent,
    responses((status = 200, description = "what came of it", body = WahaAnswer), Errors))]
async fn webhook(heard: Heard, door: Data<Door>) -> Answer {
    let session = enter_signed(&heard, &door)?;
    let (rows, ignored) = waha::read(&heard, now())?;
    let results = rows.settle(&session).await?;
    tell_outcome(if ignored.is_some() { "ignored" } else { "observed" });
    Ok(HttpResponse::Ok().json(WahaAnswer::new(results, ignored)))
}

/// Whether there is a key for signed webhooks, never which.
#[utoipa::path(get, path = "/instances/{i}/observations/waha", tag = TAG, params(("i" = String, Path)),
    responses((status = 200, description = "done", body = KeyState), Errors))]
async fn show_key(heard: Heard, door: Data<Door>) -> Answer {
    Ok(json(StatusCode::OK, &KeyState::new(keyring(&heard, &door)?.intake_key_set_at())))
}

/// Sets the key under which this instance's webhooks are signed (`hmac.key` in WAHA), in place of the one before.
#[utoipa::path(put, path = "/instances/{i}/observations/waha", tag = TAG, params(("i" = String, Path)),
    request_body = KeyWish,
    responses((status = 200, description = "done", body = KeyState), Errors))]
async fn set_key(heard: Heard, door: Data<Door>) -> Answer {
    let keyring = keyring(&heard, &door)?;
    let wish: KeyWish<'_> = heard.json()?;
    Ok(json(StatusCode::OK, &KeyState::new(Some(keyring.set_intake_key(wish.key()?).await?))))
}

/// Without a key nothing that is signed comes in. 204, also the second time.
#[utoipa::path(delete, path = "/instances/{i}/observations/waha", tag = TAG, params(("i" = String, Path)),
    responses((status = 204, description = "done"), Errors))]
async fn remove_key(heard: Heard, door: Data<Door>) -> Answer {
    keyring(&heard, &door)?.remove_intake_key().await?;
    Ok(HttpResponse::NoContent().finish())
}

/// `X-Webhook-Hmac` is the HMAC of the raw body, `X-Webhook-Hmac-Algorithm` says `sha512`
/// (https://waha.devlike.pro/docs/how-to/events/#hmac-authentication).
fn enter_signed(heard: &Heard, door: &Door) -> Result<Session, Fault> {
    let header = |name| heard.plain_header(name).map_err(|_| Error::Refused);
    let (hex, algorithm) = (header("X-Webhook-Hmac")?, header("X-Webhook-Hmac-Algorithm")?);
    if algorithm.is_some_and(|word| !word.trim().eq_ignore_ascii_case("sha512")) {
        return Err(Error::Refused.into());
    }
    let instance = heard.segment("i");
    let token = heard.bearer().or_else(|| heard.header("X-Api-Key"));
    let credentials = Credentials { instance: Some(&instance), token };
    let Some(hex) = hex else { return door.enter(heard, credentials, Scope::ContactsWrite) };
    let body = heard.body()?;
    let signature = Signature { hex: hex.trim(), body: &body };
    door.enter_signed(heard, credentials, Some(signature), Scope::ContactsWrite)
}
