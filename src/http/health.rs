//! For whoever runs the gateway: is it alive, can it work, how is it doing. No instance, number or name shows here.

use actix_web::{
    HttpResponse,
    http::{Method, StatusCode},
    web,
};
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};

use super::{
    Door, Mounts, json,
    problem::Details,
    room::{on, place},
};

pub fn mount(config: &mut web::ServiceConfig, _: &Mounts) {
    config
        .service(place::<Details, _>("/healthz", [on(Method::GET, alive)]))
        .service(place::<Details, _>("/readyz", [on(Method::GET, ready)]))
        .service(place::<Details, _>("/metrics", [on(Method::GET, metrics)]));
}

#[derive(OpenApi)]
#[openapi(paths(alive, ready, metrics))]
pub struct Description;

const TAG: &str = "Health";

/// One word on how it stands.
#[derive(Serialize, ToSchema)]
struct Health {
    #[schema(example = "ok")]
    status: &'static str,
}

/// Whether the process answers.
#[utoipa::path(get, path = "/healthz", tag = TAG, security(()), responses((status = 200, description = "it does", body = Health)))]
async fn alive() -> HttpResponse {
    json(StatusCode::OK, &Health { status: "ok" })
}

/// Whether the gateway can do its work.
#[utoipa::path(get, path = "/readyz", tag = TAG, security(()), responses(
    (status = 200, description = "it can", body = Health), (status = 503, description = "it cannot", body = Health)
))]
async fn ready(door: web::Data<Door>) -> HttpResponse {
    if door.gateway.is_ready().await {
        json(StatusCode::OK, &Health { status: "ready" })
    } else {
        json(StatusCode::SERVICE_UNAVAILABLE, &Health { status: "not ready" })
    }
}

/// Prometheus text exposition format 0.0.4.
#[utoipa::path(get, path = "/metrics", tag = TAG, security(()), responses(
    (status = 200, description = "counters, gauges and histograms", body = String, content_type = "text/plain")
))]
async fn metrics(door: web::Data<Door>) -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body((door.metrics)())
}
