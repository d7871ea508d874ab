//! Floor 5, the faces: one room for each dialect, which translates and does nothing else, and what every room needs.
//! A room turns its own wire types into domain words, asks a session, and answers in its own tongue. Rooms never look
//! into each other. To add a dialect: a folder in `dialects`, one line in `ROOMS`.

mod dialects;
mod email;
mod fields;
mod flat;
mod given;
mod health;
mod long_list;
mod naming;
mod openapi;
mod params;
mod problem;
mod raw;
mod room;
mod schemas;
mod seats;
mod time;
mod trace;
mod turn;
mod v1;

use std::{sync::Arc, time::Duration};

use actix_web::{HttpResponse, http::header, middleware::DefaultHeaders, web};

use tokio::sync::watch;

use crate::{
    gateway::Gateway,
    sync::{Companions, Outside},
};

pub use room::Secure;
pub use seats::Seats;
pub use trace::{RequestSpan, observe};
pub use turn::Turn;

/// What every room is handed.
pub struct Door {
    pub gateway: Arc<Gateway>,
    pub outside: Arc<Outside>,
    pub companions: Arc<Companions>,
    pub limits: Limits,
    pub metrics: Arc<dyn Fn() -> String + Send + Sync>,
    /// Of each instance, the files that are being imported.
    pub imports: Seats,
    /// And the streams of events that it has open.
    pub streams: Seats,
    /// Becomes true when the server is about to stop.
    pub stopping: watch::Receiver<bool>,
}

impl Door {
    /// The end of all waiting: streams and long polls end with it.
    async fn closes(&self) {
        // A sender that is gone has stopped too.
        let _ = self.stopping.clone().wait_for(|is_stopping| *is_stopping).await;
    }
}

#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub body: usize,
    pub body_timeout: Duration,
    /// For each token; 0 = off. Told, not kept, here.
    pub requests_per_minute: u32,
    /// The largest body, and the most rows in it, where many contacts come at once.
    pub bulk_body: usize,
    pub bulk_rows: usize,
    /// Of each instance.
    pub webhooks: usize,
    pub event_streams: usize,
    /// Of each instance; 0 = as many as there are. Told, not kept, here.
    pub contacts: u64,
}

/// Where each room is mounted.
#[derive(Debug, Clone)]
pub struct Mounts {
    pub wawp: Vec<String>,
    pub hypersender: Vec<String>,
    pub superwaba: Vec<String>,
    pub wacr: Vec<String>,
    pub waha: Vec<String>,
}

type Room = fn(&mut web::ServiceConfig, &Mounts);

/// Longer prefixes before those that they begin with: the first room that matches answers.
const ROOMS: [Room; 8] = [
    health::mount,
    openapi::mount,
    v1::mount,
    |config, mounts| dialects::wawp::mount(config, &mounts.wawp),
    |config, mounts| dialects::wacr::mount(config, &mounts.wacr),
    |config, mounts| dialects::hypersender::mount(config, &mounts.hypersender),
    |config, mounts| dialects::superwaba::mount(config, &mounts.superwaba),
    // Last: `/api` begins the prefixes of others.
    |config, mounts| dialects::waha::mount(config, &mounts.waha),
];

/// Mounts every room. What no room knows is answered as problem details.
pub fn mount(config: &mut web::ServiceConfig, mounts: &Mounts) {
    for room in ROOMS {
        room(config, mounts);
    }
    config.default_service(web::to(room::no_route::<problem::Details>));
}

/// On every answer: it is the owner's private data, it is JSON, whatever a browser may guess, and no page may show it in
/// a frame or be told the URL that led there. Who was spoken to securely once shall stay with it.
pub fn headers(is_secure: bool) -> DefaultHeaders {
    let headers = DefaultHeaders::new()
        .add((header::CACHE_CONTROL, "no-store"))
        .add((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .add((header::REFERRER_POLICY, "no-referrer"))
        .add((header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"));
    if is_secure { headers.add((header::STRICT_TRANSPORT_SECURITY, "max-age=31536000")) } else { headers }
}

/// A good answer.
fn json(status: actix_web::http::StatusCode, body: &impl serde::Serialize) -> HttpResponse {
    room::tell_outcome("ok");
    HttpResponse::build(status).json(body)
}
