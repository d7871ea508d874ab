//! For whoever runs the gateway: is it alive, can it work, how is it doing. No instance, number or name shows here.

use actix_web::{
    HttpResponse,
    http::{Method, StatusCode},
    web,
};
use serde_json::json;

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

async fn alive() -> HttpResponse {
    json(StatusCode::OK, &json!({"status": "ok"}))
}

async fn ready(door: web::Data<Door>) -> HttpResponse {
    if door.gateway.is_ready().await {
        json(StatusCode::OK, &json!({"status": "ready"}))
    } else {
        json(StatusCode::SERVICE_UNAVAILABLE, &json!({"status": "not ready"}))
    }
}

/// Prometheus text exposition format 0.0.4.
async fn metrics(door: web::Data<Door>) -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body((door.metrics)())
}
