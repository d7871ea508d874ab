//! The native API, `/v1`: what no vendor offers. Instances and their tokens; contacts with preconditions, idempotency keys
//! and honest outcomes; what phones saw; the feed of what changed, and the same as a stream; webhooks and companions.
//! Errors are problem details (RFC 9457).

mod changes;
mod companion;
mod contacts;
mod instances;
mod instances_wire;
mod observations;
mod port;
mod row;
mod webhooks;

use actix_web::{HttpResponse, web};
use utoipa::{OpenApi, openapi::OpenApi as Document};

use super::{
    Mounts,
    problem::Details,
    room::{Problem, no_route},
};

const TAG: &str = "wabook";

type Answer = Result<HttpResponse, Problem<Details>>;

pub fn mount(config: &mut web::ServiceConfig, _: &Mounts) {
    let routes = observations::add(contacts::add(instances::add(web::scope("/v1"))));
    let routes = port::add(companion::add(webhooks::add(changes::add(routes))));
    config.service(routes.default_service(web::to(no_route::<Details>)));
}

/// For the API description.
pub fn describe() -> Document {
    let rooms = [
        contacts::describe(),
        observations::describe(),
        changes::Description::openapi(),
        webhooks::Description::openapi(),
        companion::Description::openapi(),
        port::Description::openapi(),
    ];
    rooms.into_iter().fold(instances::Description::openapi(), Document::merge_from)
}
