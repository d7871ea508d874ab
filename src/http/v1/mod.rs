//! The native API, `/v1`: what no vendor offers. Instances and their tokens; contacts with preconditions, idempotency keys
//! and honest outcomes. Errors are problem details (RFC 9457).

mod contacts;
mod instances;
mod instances_wire;
mod port;

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
    let routes = port::add(contacts::add(instances::add(web::scope("/v1"))));
    config.service(routes.default_service(web::to(no_route::<Details>)));
}

/// For the API description.
pub fn describe() -> Document {
    let description = instances::Description::openapi().merge_from(contacts::Description::openapi());
    description.merge_from(port::Description::openapi())
}
