//! Webhooks in the native API: where each instance's changes are told, and how that goes. For the admin token, or a token of
//! the instance with the scope `instance:admin`. Leaves out the telling (sync).

mod shown;
mod wire;

use actix_web::{
    HttpResponse, Scope as Routes,
    http::{Method, StatusCode},
    web::Data,
};
use utoipa::OpenApi;

use super::{Answer, TAG};
use crate::{
    book::HookWork,
    domain::{Error, Invalid, Result},
    gateway::{Credentials, NewWebhook, Webhooks},
    http::{
        Door, json,
        problem::{Details, Errors},
        room::{Fault, Heard, on, place, tell_instance},
    },
    sync::Secret,
};
use shown::{CreatedWebhook, Deliveries, ShownWebhook, WebhookList};
use wire::{NewWebhookWish, ReplayWish, ReplayWishBody, WebhookChange, Wish};

/// Dead letters that are shown, the oldest.
const LETTERS: u32 = 1000;

#[derive(OpenApi)]
#[openapi(paths(
    list_webhooks,
    register_webhook,
    show_webhook,
    change_webhook,
    remove_webhook,
    replace_webhook_secret,
    webhook_deliveries,
    replay_webhook
))]
pub struct Description;

pub fn add(routes: Routes) -> Routes {
    use Method as M;
    routes
        .service(place::<Details, _>(
            "/instances/{i}/webhooks",
            [on(M::GET, list_webhooks), on(M::POST, register_webhook)],
        ))
        .service(place::<Details, _>(
            "/instances/{i}/webhooks/{w}",
            [on(M::GET, show_webhook), on(M::PATCH, change_webhook), on(M::DELETE, remove_webhook)],
        ))
        .service(place::<Details, _>("/instances/{i}/webhooks/{w}/secret", [on(M::POST, replace_webhook_secret)]))
        .service(place::<Details, _>("/instances/{i}/webhooks/{w}/deliveries", [on(M::GET, webhook_deliveries)]))
        .service(place::<Details, _>("/instances/{i}/webhooks/{w}/replay", [on(M::POST, replay_webhook)]))
}

/// All webhooks of the instance, without their secrets.
#[utoipa::path(get, path = "/instances/{i}/webhooks", tag = TAG, params(("i" = String, Path)),
    responses((status = 200, description = "done", body = WebhookList), Errors))]
async fn list_webhooks(heard: Heard, door: Data<Door>) -> Answer {
    let listed = webhooks(&heard, &door)?.list().await?;
    Ok(json(StatusCode::OK, &WebhookList { webhooks: listed.iter().map(ShownWebhook::from).collect() }))
}

/// Registers a webhook, which is told of everything that changes from now on. 201 with its `secret`, this once. The URL must
/// lead to a public address; 409 when there are as many as there may be.
#[utoipa::path(post, path = "/instances/{i}/webhooks", tag = TAG, params(("i" = String, Path)), request_body = NewWebhookWish,
    responses((status = 201, description = "registered", body = CreatedWebhook), Errors))]
async fn register_webhook(heard: Heard, door: Data<Door>) -> Answer {
    let webhooks = webhooks(&heard, &door)?;
    let wish = Wish::read(&heard.json()?)?;
    let url = wish.url.as_deref().ok_or_else(|| Invalid::new("url", "is required"))?;
    let url = door.outside.check(url).await?.url().to_string();
    let secret = Secret::random();
    let new = NewWebhook {
        url,
        types: wish.types_or_all(),
        description: wish.description.flatten(),
        secret: secret.bytes().to_vec(),
    };
    let webhook = webhooks.add(new, door.limits.webhooks).await?;
    Ok(json(StatusCode::CREATED, &CreatedWebhook::new(&webhook, &secret)))
}

/// One webhook, and whether it has missed something.
#[utoipa::path(get, path = "/instances/{i}/webhooks/{w}", tag = TAG, params(("i" = String, Path), ("w" = String, Path)),
    responses((status = 200, description = "done", body = ShownWebhook), Errors))]
async fn show_webhook(heard: Heard, door: Data<Door>) -> Answer {
    let webhooks = webhooks(&heard, &door)?;
    let webhook = webhooks.find(&heard.segment("w")).await?;
    let progress = webhooks.session().hook_progress(&webhook.id).await?;
    Ok(json(StatusCode::OK, &ShownWebhook::from(&webhook).with_progress(progress.as_ref())))
}

/// Changes what the body mentions. What is waiting for its next try is tried at once.
#[utoipa::path(patch, path = "/instances/{i}/webhooks/{w}", tag = TAG, params(("i" = String, Path), ("w" = String, Path)),
    request_body = WebhookChange,
    responses((status = 200, description = "done", body = ShownWebhook), Errors))]
async fn change_webhook(heard: Heard, door: Data<Door>) -> Answer {
    let webhooks = webhooks(&heard, &door)?;
    let id = webhooks.find(&heard.segment("w")).await?.id;
    let mut wish = Wish::read(&heard.json()?)?;
    if let Some(url) = &wish.url {
        wish.url = Some(door.outside.check(url).await?.url().to_string());
    }
    let webhook = webhooks.change(&id, wish.into_patch()).await?;
    Ok(json(StatusCode::OK, &ShownWebhook::from(&webhook)))
}

/// Removes a webhook with its dead letters. 204.
#[utoipa::path(delete, path = "/instances/{i}/webhooks/{w}", tag = TAG, params(("i" = String, Path), ("w" = String, Path)),
    responses((status = 204, description = "done"), Errors))]
async fn remove_webhook(heard: Heard, door: Data<Door>) -> Answer {
    let webhooks = webhooks(&heard, &door)?;
    let id = heard.segment("w").into_owned();
    webhooks.remove(&id).await?;
    webhooks.session().work_on_hook(HookWork::Forget { id }).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Replaces the secret: the new one is shown this once. For a day both sign.
#[utoipa::path(post, path = "/instances/{i}/webhooks/{w}/secret", tag = TAG, params(("i" = String, Path), ("w" = String, Path)),
    responses((status = 200, description = "replaced", body = CreatedWebhook), Errors))]
async fn replace_webhook_secret(heard: Heard, door: Data<Door>) -> Answer {
    let secret = Secret::random();
    let webhook = webhooks(&heard, &door)?.replace_secret(&heard.segment("w"), secret.bytes().to_vec()).await?;
    Ok(json(StatusCode::OK, &CreatedWebhook::new(&webhook, &secret)))
}

/// How far the webhook has come, what it is waiting for, how the last try went, and its dead letters.
#[utoipa::path(get, path = "/instances/{i}/webhooks/{w}/deliveries", tag = TAG, params(("i" = String, Path), ("w" = String, Path)),
    responses((status = 200, description = "done", body = Deliveries), Errors))]
async fn webhook_deliveries(heard: Heard, door: Data<Door>) -> Answer {
    let webhooks = webhooks(&heard, &door)?;
    let webhook = webhooks.find(&heard.segment("w")).await?;
    let session = webhooks.session();
    let (head, progress) = (session.head().await?, session.hook_progress(&webhook.id).await?);
    let letters = session.dead_letters(&webhook.id, false, LETTERS).await?;
    Ok(json(StatusCode::OK, &Deliveries::new(&webhook, head, progress.as_ref(), &letters)))
}

/// Tells again: everything after a revision (`since`), or the dead letters (`dead_letters`), each contact as it is now.
#[utoipa::path(post, path = "/instances/{i}/webhooks/{w}/replay", tag = TAG, params(("i" = String, Path), ("w" = String, Path)),
    request_body = ReplayWishBody,
    responses((status = 202, description = "under way", body = ShownWebhook), Errors))]
async fn replay_webhook(heard: Heard, door: Data<Door>) -> Answer {
    let webhooks = webhooks(&heard, &door)?;
    let wish = ReplayWish::read(&heard.json()?)?;
    let id = webhooks.find(&heard.segment("w")).await?.id;
    for work in wish.works(&id, webhooks.session().head().await?)? {
        webhooks.session().work_on_hook(work).await?;
    }
    let webhook = webhooks.touch(&id).await?;
    Ok(json(StatusCode::ACCEPTED, &ShownWebhook::from(&webhook)))
}

/// The webhooks of the instance in the path, for the admin or for the instance's own administrator.
fn webhooks(heard: &Heard, door: &Door) -> Result<Webhooks, Fault> {
    let (id, token) = (heard.segment("i"), heard.bearer());
    let webhooks = match door.gateway.administer(token) {
        Ok(office) => office.webhooks(&id.parse().map_err(|_| Error::NoInstance)?)?,
        Err(_) => door.gateway.webhooks(Credentials { instance: Some(&id), token })?,
    };
    tell_instance(webhooks.session().id());
    Ok(webhooks)
}
