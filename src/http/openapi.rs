//! The description of all faces (OpenAPI 3.1), put together from what each room says of its own handlers, and a page to
//! read and try it, which asks nothing of the outside.

use actix_web::{
    HttpResponse,
    http::Method,
    web::{self, Data},
};
use utoipa::{
    Modify, OpenApi,
    openapi::{
        OpenApi as Document,
        security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityRequirement, SecurityScheme},
    },
};
use utoipa_swagger_ui::{Config, SwaggerUi};

use super::{
    Door, Mounts, dialects, health,
    problem::Details,
    room::{on, place},
    schemas::{ChatIdText, LidText, LoosePhoneText, NameText, PhoneText},
    v1,
};

const PATH: &str = "/v1/openapi.json";

#[derive(OpenApi)]
#[openapi(
    info(
        title = "wabook",
        description = "A WhatsApp session gateway that emulates a virtual address book: several vendors' dialects and a \
                       native API, faces of one book for each instance.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    components(schemas(ChatIdText, PhoneText, LoosePhoneText, LidText, NameText)),
    modifiers(&Keys),
)]
struct Base;

/// How a request may say who it is.
struct Keys;

impl Modify for Keys {
    fn modify(&self, document: &mut Document) {
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("bearer", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
        let key = SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new("X-Api-Key")));
        components.add_security_scheme("api_key", key);
        let any = [SecurityRequirement::new("bearer", [""; 0]), SecurityRequirement::new("api_key", [""; 0])];
        document.security = Some(any.to_vec());
    }
}

/// The whole document, with each room where it is mounted first.
pub fn document(mounts: &Mounts) -> Document {
    let first = |prefixes: &[String]| prefixes.first().cloned();
    let rooms = [
        (Some(String::new()), health::Description::openapi()),
        (Some("/v1".to_owned()), v1::describe()),
        (first(&mounts.wawp), dialects::wawp::Description::openapi()),
        (first(&mounts.wacr), dialects::wacr::Description::openapi()),
        (first(&mounts.hypersender), dialects::hypersender::Description::openapi()),
        (first(&mounts.waha), dialects::waha::Description::openapi()),
        (first(&mounts.superwaba), dialects::superwaba::Description::openapi()),
    ];
    rooms.into_iter().fold(Base::openapi(), |document, (prefix, room)| match prefix.as_deref() {
        None => document,
        Some("") => document.merge_from(room),
        Some(prefix) => document.nest(prefix, room),
    })
}

pub fn mount(config: &mut web::ServiceConfig, mounts: &Mounts) {
    let document = serde_json::to_string(&document(mounts)).unwrap_or_default();
    let page = Config::new([PATH]).try_it_out_enabled(true).persist_authorization(true);
    config
        .app_data(Data::new(Rendered(document)))
        .service(place::<Details, _>(PATH, [on(Method::GET, serve)]))
        .service(web::redirect("/docs", "/docs/"))
        .service(SwaggerUi::new("/docs/{_:.*}").config(page));
}

struct Rendered(String);

async fn serve(document: Data<Rendered>, _: Data<Door>) -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(document.0.clone())
}
