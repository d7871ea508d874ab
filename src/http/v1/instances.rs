//! The administration of instances and their access tokens, and the errands of the command line. `Authorization: Bearer`
//! with the admin token, or, for an instance's own tokens, with one of its tokens that has the scope `instance:admin`.

use actix_web::{
    HttpResponse, Scope as Routes,
    http::{Method, StatusCode},
    web::Data,
};
use utoipa::OpenApi;

use super::{
    Answer, TAG,
    instances_wire::{
        self as wire, BackupReport, BackupWish, CheckReport, CreatedInstance, CreatedToken, InstanceList,
        InstanceState, InstanceWish, ListedInstance, NewTokenWish, ShownToken, TokenList, TokenWish,
    },
};
use crate::{
    domain::{Error, InstanceId, Result},
    gateway::{Credentials, Keyring, NewToken, Office, Scope, Scopes},
    http::{
        Door, json,
        problem::{Details, Errors},
        room::{Heard, on, place, tell_instance},
    },
    session::Session,
};

/// For the API description.
#[derive(OpenApi)]
#[openapi(paths(list, create, show, remove, check, tokens, create_token, token, revoke_token, rotate_token, back_up))]
pub struct Description;

pub fn add(routes: Routes) -> Routes {
    use Method as M;
    routes
        .service(place::<Details, _>("/instances", [on(M::GET, list), on(M::POST, create)]))
        .service(place::<Details, _>("/instances/{i}", [on(M::GET, show), on(M::DELETE, remove)]))
        .service(place::<Details, _>("/instances/{i}/check", [on(M::POST, check)]))
        .service(place::<Details, _>("/instances/{i}/tokens", [on(M::GET, tokens), on(M::POST, create_token)]))
        .service(place::<Details, _>("/instances/{i}/tokens/{t}", [on(M::GET, token), on(M::DELETE, revoke_token)]))
        .service(place::<Details, _>("/instances/{i}/tokens/{t}/rotate", [on(M::POST, rotate_token)]))
        .service(place::<Details, _>("/backup", [on(M::POST, back_up)]))
}

/// `GET /v1/instances?limit&after`: the instances by id; `next` is the `after` of the next page.
#[utoipa::path(get, path = "/instances", tag = TAG, params(("limit" = Option<i64>, Query, minimum = 1, maximum = 1000), ("after" = Option<String>, Query, description = "the `next` of the page before")),
    responses((status = 200, description = "done", body = InstanceList), Errors))]
async fn list(heard: Heard, door: Data<Door>) -> Answer {
    let office = office(&heard, &door)?;
    let (limit, after) = wire::window(&heard)?;
    let mut page: Vec<_> =
        office.instances().await?.into_iter().filter(|i| i.id.as_str() > after.as_str()).take(limit + 1).collect();
    let next = (page.len() > limit).then(|| page.truncate(limit)).and(page.last().map(|i| i.id.to_string()));
    let instances = page.iter().map(ListedInstance::from).collect();
    Ok(json(StatusCode::OK, &InstanceList { instances, next }))
}

/// `POST /v1/instances {"instance_id"?}`: 201 with `instance_id` and, this once, an `access_token` with all scopes.
#[utoipa::path(post, path = "/instances", tag = TAG, request_body = InstanceWish,
    responses((status = 201, description = "done", body = CreatedInstance), Errors))]
async fn create(heard: Heard, door: Data<Door>) -> Answer {
    let office = office(&heard, &door)?;
    let wish: InstanceWish = heard.json()?;
    let instance = office.create(wish.id()?).await?;
    tell_instance(&instance.id);
    let everything = NewToken { label: Some("first".into()), scopes: Scopes::ALL, expires_at: None };
    let (token, secret) = office.keyring(&instance.id)?.create(everything).await?;
    door.gateway.welcomed().await?;
    Ok(json(StatusCode::CREATED, &CreatedInstance::new(&instance, &token, &secret)))
}

/// `GET /v1/instances/{i}`: how it stands. For the admin, or a token of the instance with `account:read`.
#[utoipa::path(get, path = "/instances/{i}", tag = TAG, params(("i" = String, Path, description = "The instance")),
    responses((status = 200, description = "done", body = InstanceState), Errors))]
async fn show(heard: Heard, door: Data<Door>) -> Answer {
    let (id, token) = (heard.segment("i"), heard.bearer());
    let created_at;
    let session = match door.gateway.administer(token) {
        Ok(office) => {
            let (instance, session) = existing(&office, &id).await?;
            created_at = Some(instance.created_at);
            session
        }
        Err(_) => {
            created_at = None;
            door.enter(&heard, Credentials { instance: Some(&id), token }, Scope::AccountRead)?
        }
    };
    tell_instance(session.id());
    let created_at = match created_at {
        Some(at) => at,
        None => door.gateway.created_at(session.id()).await?,
    };
    Ok(json(StatusCode::OK, &InstanceState::new(session.id(), created_at, session.head().await)?))
}

/// `DELETE /v1/instances/{i}`: the instance, its book and its tokens, for good. 204.
#[utoipa::path(delete, path = "/instances/{i}", tag = TAG, params(("i" = String, Path, description = "The instance")),
    responses((status = 204, description = "done"), Errors))]
async fn remove(heard: Heard, door: Data<Door>) -> Answer {
    let office = office(&heard, &door)?;
    let id = known_id(&heard.segment("i"))?;
    tell_instance(&id);
    office.remove(&id).await?;
    door.companions.forget(&id).await;
    Ok(HttpResponse::NoContent().finish())
}

/// `POST /v1/instances/{i}/check`: reads the whole book; `problems` is empty when it is sound.
#[utoipa::path(post, path = "/instances/{i}/check", tag = TAG, params(("i" = String, Path, description = "The instance")),
    responses((status = 200, description = "done", body = CheckReport), Errors))]
async fn check(heard: Heard, door: Data<Door>) -> Answer {
    let office = office(&heard, &door)?;
    let (_, session) = existing(&office, &heard.segment("i")).await?;
    tell_instance(session.id());
    let problems = session.check().await?;
    let contacts = session.head().await.ok().map(|head| head.contacts);
    Ok(json(StatusCode::OK, &CheckReport { instance_id: session.id().to_string(), contacts, problems }))
}

/// `GET /v1/instances/{i}/tokens`: all that were ever made, without their secrets.
#[utoipa::path(get, path = "/instances/{i}/tokens", tag = TAG, params(("i" = String, Path, description = "The instance")),
    responses((status = 200, description = "done", body = TokenList), Errors))]
async fn tokens(heard: Heard, door: Data<Door>) -> Answer {
    let tokens = keyring(&heard, &door)?.list().await?;
    Ok(json(StatusCode::OK, &TokenList { tokens: tokens.iter().map(ShownToken::from).collect() }))
}

/// `POST /v1/instances/{i}/tokens {"scopes"?, "expires_in"?|"expires_at"?, "label"?}`: 201 with `access_token`, this once.
#[utoipa::path(post, path = "/instances/{i}/tokens", tag = TAG, params(("i" = String, Path, description = "The instance")), request_body = NewTokenWish,
    responses((status = 201, description = "done", body = CreatedToken), Errors))]
async fn create_token(heard: Heard, door: Data<Door>) -> Answer {
    let keyring = keyring(&heard, &door)?;
    let wish: TokenWish = heard.json()?;
    let (token, secret) = keyring.create(wish.token()?).await?;
    Ok(json(StatusCode::CREATED, &CreatedToken::new(&token, &secret)))
}

/// `GET /v1/instances/{i}/tokens/{t}`: one of them.
#[utoipa::path(get, path = "/instances/{i}/tokens/{t}", tag = TAG, params(("i" = String, Path, description = "The instance"), ("t" = String, Path, description = "The token's id")),
    responses((status = 200, description = "done", body = ShownToken), Errors))]
async fn token(heard: Heard, door: Data<Door>) -> Answer {
    let token = keyring(&heard, &door)?.find(&heard.segment("t")).await?;
    Ok(json(StatusCode::OK, &ShownToken::from(&token)))
}

/// `DELETE /v1/instances/{i}/tokens/{t}`: revoked from now on. 204, also the second time.
#[utoipa::path(delete, path = "/instances/{i}/tokens/{t}", tag = TAG, params(("i" = String, Path, description = "The instance"), ("t" = String, Path, description = "The token's id")),
    responses((status = 204, description = "done"), Errors))]
async fn revoke_token(heard: Heard, door: Data<Door>) -> Answer {
    keyring(&heard, &door)?.revoke(&heard.segment("t")).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// `POST /v1/instances/{i}/tokens/{t}/rotate`: a new token like this one, which is revoked. 201.
#[utoipa::path(post, path = "/instances/{i}/tokens/{t}/rotate", tag = TAG, params(("i" = String, Path, description = "The instance"), ("t" = String, Path, description = "The token's id")),
    responses((status = 201, description = "done", body = CreatedToken), Errors))]
async fn rotate_token(heard: Heard, door: Data<Door>) -> Answer {
    let (token, secret) = keyring(&heard, &door)?.rotate(&heard.segment("t")).await?;
    Ok(json(StatusCode::CREATED, &CreatedToken::new(&token, &secret)))
}

/// `POST /v1/backup {"folder"}`: only with the run key, which commands on this machine have.
#[utoipa::path(post, path = "/backup", tag = TAG, request_body = BackupWish,
    responses((status = 200, description = "done", body = BackupReport), Errors))]
async fn back_up(heard: Heard, door: Data<Door>) -> Answer {
    let office = office(&heard, &door)?;
    let wish: BackupWish = heard.json()?;
    let backup = office.back_up(&wish.folder()?).await?;
    Ok(json(StatusCode::OK, &BackupReport::from(backup)))
}

fn office(heard: &Heard, door: &Door) -> Result<Office> {
    door.gateway.administer(heard.bearer())
}

/// The tokens of the instance in the path, for the admin or for the instance's own administrator.
pub(super) fn keyring(heard: &Heard, door: &Door) -> Result<Keyring> {
    let (id, token) = (heard.segment("i"), heard.bearer());
    let keyring = match door.gateway.administer(token) {
        Ok(office) => office.keyring(&known_id(&id)?)?,
        Err(_) => door.gateway.keyring(Credentials { instance: Some(&id), token })?,
    };
    tell_instance(keyring.instance());
    Ok(keyring)
}

async fn existing(office: &Office, id: &str) -> Result<(crate::gateway::Instance, Session)> {
    office.instance(&known_id(id)?).await
}

/// What cannot be an instance's id is no instance.
pub(super) fn known_id(text: &str) -> Result<InstanceId> {
    text.parse().map_err(|_| Error::NoInstance)
}
