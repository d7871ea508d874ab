//! WA.cr, APP API v2 (app.wa.cr/api/v2): contacts with groups, sources and statuses, all numbered. A room that
//! translates; it follows the vendor's documentation pages and, where they are silent, how the product is known to
//! behave. `Authorization: Bearer` alone says who asks, and the token alone which instance is meant. What is asked of a
//! contact is checked in the vendor's order: token, rate limit, scope, fields, and only then whether it is there.

mod account;
mod batch;
mod contact;
mod contacts;
mod entry;
mod envelope;
mod filters;
mod groups;
mod members;
mod paging;
mod problem;
mod registers;
mod rules;
mod sources;
mod statuses;
mod wrongs;

use actix_web::{HttpResponse, Resource, Route, http::Method, web};
use utoipa::OpenApi;

use crate::{
    domain::ContactId,
    gateway::{Credentials, Scope},
    http::{
        Door,
        room::{self, Fault, Heard, no_route, on},
    },
    session::Session,
};
use problem::{Problem, Wacr};

type Answer<S> = Result<HttpResponse, Problem<S>>;

/// For the API description.
#[derive(OpenApi)]
#[openapi(
    components(schemas(paging::LooseNumber)),
    paths(
        contacts::list,
        contacts::create,
        contacts::fetch,
        contacts::update,
        contacts::delete,
        batch::create_many,
        batch::delete_many,
        groups::list,
        groups::create,
        groups::fetch,
        groups::update,
        groups::delete,
        members::add,
        members::remove,
        sources::list,
        sources::create,
        sources::fetch,
        sources::update,
        sources::delete,
        statuses::list,
        statuses::create,
        statuses::fetch,
        statuses::update,
        statuses::delete,
        account::info,
        account::usage,
        account::limits
    )
)]
pub struct Description;

const TAG: &str = "WA.cr";

/// The routes that groups, sources and statuses have in common.
macro_rules! entries {
    ($scope:expr, $room:ident) => {
        $scope.service(place("", [on(Method::GET, $room::list), on(Method::POST, $room::create)])).service(place(
            "/{id}",
            [on(Method::GET, $room::fetch), on(Method::PATCH, $room::update), on(Method::DELETE, $room::delete)],
        ))
    };
}

/// Each top-level word is a scope of its own, so that at the root none of another room's paths is swallowed.
pub fn mount(config: &mut web::ServiceConfig, prefixes: &[String]) {
    use Method as M;
    for prefix in prefixes {
        let word = |word| web::scope(&format!("{prefix}/{word}")).default_service(web::to(no_route::<Wacr>));
        config.service(
            word("contacts")
                .service(place("", [on(M::GET, contacts::list), on(M::POST, contacts::create)]))
                .service(place("/batch", [on(M::POST, batch::create_many), on(M::DELETE, batch::delete_many)]))
                .service(place(
                    "/{id}",
                    [on(M::GET, contacts::fetch), on(M::PATCH, contacts::update), on(M::DELETE, contacts::delete)],
                )),
        );
        config.service(
            entries!(word("groups"), groups)
                .service(place("/{id}/contacts", [on(M::POST, members::add), on(M::DELETE, members::remove)])),
        );
        config.service(entries!(word("sources"), sources));
        config.service(entries!(word("statuses"), statuses));
        config.service(
            word("account")
                .service(place("", [on(M::GET, account::info)]))
                .service(place("/usage", [on(M::GET, account::usage)]))
                .service(place("/limits", [on(M::GET, account::limits)])),
        );
        if !prefix.is_empty() {
            config.service(web::scope(prefix).default_service(web::to(no_route::<Wacr>)));
        }
    }
}

fn enter(door: &Door, heard: &Heard, scope: Scope) -> Result<Session, Fault> {
    door.enter(heard, Credentials { instance: None, token: heard.bearer() }, scope)
}

/// The contact's number; what is no number is nobody's.
fn contact_id(heard: &Heard) -> ContactId {
    ContactId(registers::id(heard))
}

fn place<const N: usize>(path: &str, verbs: [(Method, Route); N]) -> Resource {
    room::place::<Wacr, N>(path, verbs)
}
