//! The description of all faces (OpenAPI 3.1), put together from what each room says of its own handlers, and a page to
//! read and try it, which asks nothing of the outside.

use actix_web::{
    HttpResponse,
    http::{Method, header},
    middleware::DefaultHeaders,
    web::{self, Data},
};
use serde_json::{Map, Value};
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
    schemas::{
        ChatIdText, CountryText, EmailText, FilledText, Flag, FlagText, LidText, LoosePhoneText, MomentText, NameText,
        PhoneText, ShortEmailText, SortByText, SortOrderText,
    },
    v1,
};

const PATH: &str = "/v1/openapi.json";

/// The page runs its own scripts, draws with its own styles, and asks this server: nobody else.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                           connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

#[derive(OpenApi)]
#[openapi(
    info(
        title = "wabook",
        description = "A WhatsApp session gateway that emulates a virtual address book: several vendors' dialects and a \
                       native API, faces of one book for each instance.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    components(schemas(
        ChatIdText, PhoneText, LoosePhoneText, LidText, NameText, FilledText, Flag, FlagText, EmailText, ShortEmailText, CountryText,
        MomentText, SortByText, SortOrderText
    )),
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

/// Each room's word, where it is mounted first, and what it says of itself.
fn rooms(mounts: &Mounts) -> [(&'static str, Option<String>, Document); 7] {
    let first = |prefixes: &[String]| prefixes.first().cloned();
    [
        ("health", Some(String::new()), health::Description::openapi()),
        ("v1", Some("/v1".to_owned()), v1::describe()),
        ("wawp", first(&mounts.wawp), dialects::wawp::Description::openapi()),
        ("wacr", first(&mounts.wacr), dialects::wacr::Description::openapi()),
        ("hypersender", first(&mounts.hypersender), dialects::hypersender::Description::openapi()),
        ("waha", first(&mounts.waha), dialects::waha::Description::openapi()),
        ("superwaba", first(&mounts.superwaba), dialects::superwaba::Description::openapi()),
    ]
}

/// The whole document.
pub fn document(mounts: &Mounts) -> Value {
    let whole = rooms(mounts).into_iter().fold(Base::openapi(), |document, (word, prefix, mut room)| {
        tell_apart(&mut room, word);
        match prefix.as_deref() {
            None => document,
            Some("") => document.merge_from(room),
            Some(prefix) => document.nest(prefix, room),
        }
    });
    let mut whole = serde_json::to_value(whole).unwrap_or_default();
    say_what_may_be_absent(&mut whole);
    whole
}

/// Each operation by its room's word and its own; by its verb too, where one handler has several.
fn tell_apart(room: &mut Document, word: &str) {
    for path in room.paths.paths.values_mut() {
        let operations = [
            ("", &mut path.get),
            ("", &mut path.post),
            ("", &mut path.patch),
            ("", &mut path.delete),
            ("_by_put", &mut path.put),
        ];
        let mut known = Vec::new();
        for (verb, operation) in operations {
            let Some(id) = operation.as_mut().and_then(|operation| operation.operation_id.as_mut()) else { continue };
            let own = id.strip_prefix(word).unwrap_or(id).trim_start_matches('_');
            let verb = if known.contains(&own.to_owned()) { verb } else { "" };
            known.push(own.to_owned());
            *id = format!("{word}_{own}{verb}");
        }
    }
}

/// What utoipa cannot say: a parameter that is not given is absent, never null; no body at all is read as an empty object,
/// so where that will do, none will.
fn say_what_may_be_absent(document: &mut Value) {
    let schemas = document["components"]["schemas"].clone();
    let paths = document["paths"].as_object_mut().into_iter().flat_map(Map::values_mut);
    for operation in paths.filter_map(Value::as_object_mut).flat_map(Map::values_mut) {
        for parameter in operation.get_mut("parameters").and_then(Value::as_array_mut).into_iter().flatten() {
            never_null(&mut parameter["schema"]);
        }
        if let Some(body) = operation.get_mut("requestBody") {
            // What is no JSON is a file, and not to be left out.
            let schema = body["content"].get("application/json").map(|json| &json["schema"]);
            let is_required = schema.is_none_or(|schema| requires_something(schema, &schemas));
            body["required"] = is_required.into();
        }
    }
}

fn never_null(schema: &mut Value) {
    let is_null = |schema: &Value| schema["type"] == "null";
    match schema.get_mut("type") {
        Some(Value::Array(types)) => {
            types.retain(|name| name != "null");
            if let [only] = types.as_slice() {
                schema["type"] = only.clone();
            }
        }
        _ => {
            let Some(Value::Array(choices)) = schema.get_mut("oneOf") else { return };
            choices.retain(|choice| !is_null(choice));
            if let [only] = choices.as_slice() {
                *schema = only.clone();
            }
        }
    }
}

/// Whether an empty object is not enough.
fn requires_something(schema: &Value, schemas: &Value) -> bool {
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.strip_prefix("#/components/schemas/")) {
        return requires_something(&schemas[name], schemas);
    }
    let of = |word: &str| schema[word].as_array().map(Vec::as_slice).unwrap_or_default();
    let part_does = |part: &Value| requires_something(part, schemas);
    !of("required").is_empty()
        || of("allOf").iter().any(part_does)
        || [of("anyOf"), of("oneOf")].into_iter().any(|parts| !parts.is_empty() && parts.iter().all(part_does))
}

pub fn mount(config: &mut web::ServiceConfig, mounts: &Mounts) {
    let document = document(mounts).to_string();
    let page = Config::new([PATH]).try_it_out_enabled(true).persist_authorization(true);
    config
        .app_data(Data::new(Rendered(document.into())))
        .service(place::<Details, _>(PATH, [on(Method::GET, serve)]))
        .service(web::redirect("/docs", "/docs/"))
        .service(
            web::scope("/docs")
                .wrap(DefaultHeaders::new().add((header::CONTENT_SECURITY_POLICY, PAGE_POLICY)))
                .service(SwaggerUi::new("/{_:.*}").config(page)),
        );
}

struct Rendered(web::Bytes);

async fn serve(document: Data<Rendered>, _: Data<Door>) -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(document.0.clone())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// In the whole document one would take the other's place, unnoticed.
    #[test]
    fn no_two_rooms_mean_different_things_by_one_name() {
        let mounts = Mounts { wawp: vec![], hypersender: vec![], superwaba: vec![], wacr: vec![], waha: vec![] };
        let mut known = BTreeMap::new();
        for (room, _, document) in rooms(&mounts) {
            for (name, schema) in document.components.into_iter().flat_map(|components| components.schemas) {
                let schema = serde_json::to_value(schema).unwrap();
                let (first, meant) = known.entry(name.clone()).or_insert_with(|| (room, schema.clone()));
                assert_eq!(*meant, schema, "{name} of {first} and {room}");
            }
        }
    }
}
