//! The description of all faces: whole, sound, true to what is mounted, and not changed by accident.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
};

use reqwest::Method;
use serde_json::Value;

use crate::support::{TestApp, told};

/// Every route, where it is mounted first, with its verbs.
const ROUTES: [(&str, &str); 77] = [
    ("/healthz", "GET"),
    ("/readyz", "GET"),
    ("/metrics", "GET"),
    ("/v1/backup", "POST"),
    ("/v1/instances", "GET POST"),
    ("/v1/instances/{i}", "DELETE GET"),
    ("/v1/instances/{i}/changes", "GET"),
    ("/v1/instances/{i}/check", "POST"),
    ("/v1/instances/{i}/companion", "DELETE GET PUT"),
    ("/v1/instances/{i}/companion/contacts", "GET"),
    ("/v1/instances/{i}/companion/contacts/{chat_id}", "GET"),
    ("/v1/instances/{i}/companion/pull", "POST"),
    ("/v1/instances/{i}/companion/retry", "POST"),
    ("/v1/instances/{i}/contacts", "GET"),
    ("/v1/instances/{i}/contacts/batch", "POST"),
    ("/v1/instances/{i}/contacts/{chat_id}", "DELETE GET PATCH PUT"),
    ("/v1/instances/{i}/contacts/{chat_id}/names", "GET"),
    ("/v1/instances/{i}/contacts/{chat_id}/names/undo", "POST"),
    ("/v1/instances/{i}/events", "GET"),
    ("/v1/instances/{i}/observations", "POST"),
    ("/v1/instances/{i}/observations/waha", "DELETE GET POST PUT"),
    ("/v1/instances/{i}/export", "GET"),
    ("/v1/instances/{i}/import", "POST"),
    ("/v1/instances/{i}/tokens", "GET POST"),
    ("/v1/instances/{i}/tokens/{t}", "DELETE GET"),
    ("/v1/instances/{i}/tokens/{t}/rotate", "POST"),
    ("/v1/instances/{i}/webhooks", "GET POST"),
    ("/v1/instances/{i}/webhooks/{w}", "DELETE GET PATCH"),
    ("/v1/instances/{i}/webhooks/{w}/deliveries", "GET"),
    ("/v1/instances/{i}/webhooks/{w}/replay", "POST"),
    ("/v1/instances/{i}/webhooks/{w}/secret", "POST"),
    ("/v2/contacts", "GET"),
    ("/v2/contacts/about", "GET"),
    ("/v2/contacts/all", "GET"),
    ("/v2/contacts/block", "POST"),
    ("/v2/contacts/check-exists", "GET"),
    ("/v2/contacts/profile-picture", "GET"),
    ("/v2/contacts/unblock", "POST"),
    ("/v2/contacts/update", "POST PUT"),
    ("/v2/contacts/{chatId}", "GET PUT"),
    ("/v2/lids", "GET"),
    ("/v2/lids/count", "GET"),
    ("/v2/lids/pn/{number}", "GET"),
    ("/v2/lids/{lid}", "GET"),
    ("/api/v2/account", "GET"),
    ("/api/v2/account/limits", "GET"),
    ("/api/v2/account/usage", "GET"),
    ("/api/v2/contacts", "GET POST"),
    ("/api/v2/contacts/batch", "DELETE POST"),
    ("/api/v2/contacts/{id}", "DELETE GET PATCH"),
    ("/api/v2/groups", "GET POST"),
    ("/api/v2/groups/{id}", "DELETE GET PATCH"),
    ("/api/v2/groups/{id}/contacts", "DELETE POST"),
    ("/api/v2/sources", "GET POST"),
    ("/api/v2/sources/{id}", "DELETE GET PATCH"),
    ("/api/v2/statuses", "GET POST"),
    ("/api/v2/statuses/{id}", "DELETE GET PATCH"),
    ("/api/whatsapp/v2/{instance}/contacts/get", "GET"),
    ("/api/whatsapp/v2/{instance}/contacts/get-all", "GET"),
    ("/api/whatsapp/v2/{instance}/contacts/upsert", "POST"),
    ("/api/whatsapp/contacts", "GET POST"),
    ("/api/whatsapp/contacts/bulk", "POST"),
    ("/api/whatsapp/contacts/{contactId}", "GET PATCH"),
    ("/api/contacts", "GET"),
    ("/api/contacts/about", "GET"),
    ("/api/contacts/all", "GET"),
    ("/api/contacts/block", "POST"),
    ("/api/contacts/check-exists", "GET"),
    ("/api/contacts/profile-picture", "GET"),
    ("/api/contacts/unblock", "POST"),
    ("/api/sessions", "GET"),
    ("/api/sessions/{session}", "GET"),
    ("/api/{session}/contacts/{id}", "GET PUT"),
    ("/api/{session}/lids", "GET"),
    ("/api/{session}/lids/count", "GET"),
    ("/api/{session}/lids/pn/{phoneNumber}", "GET"),
    ("/api/{session}/lids/{lid}", "GET"),
];

const VERBS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

async fn document(app: &TestApp) -> Value {
    told(app.request(Method::GET, "/v1/openapi.json").send().await.unwrap(), 200).await
}

/// Path, verb and operation.
fn operations(document: &Value) -> impl Iterator<Item = (&str, &str, &Value)> {
    document["paths"].as_object().unwrap().iter().flat_map(|(path, verbs)| {
        verbs.as_object().unwrap().iter().map(move |(verb, operation)| (path.as_str(), verb.as_str(), operation))
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_is_described_and_every_description_has_its_route() {
    let app = TestApp::start().await;
    let document = document(&app).await;
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1."));
    let mut described = BTreeMap::<_, BTreeSet<_>>::new();
    for (path, verb, _) in operations(&document) {
        assert!(VERBS.contains(&verb), "{path} {verb}");
        described.entry(path).or_default().insert(verb.to_ascii_uppercase());
    }
    let listed: BTreeMap<_, BTreeSet<_>> =
        ROUTES.map(|(path, verbs)| (path, verbs.split(' ').map(str::to_owned).collect())).into();
    assert_eq!(described, listed);
    // A verb that no route takes is answered with those that it takes.
    let unheard_of = Method::from_bytes(b"PROPFIND").unwrap();
    for (path, verbs) in listed {
        let answer = app.request(unheard_of.clone(), &path.replace(['{', '}'], "")).send().await.unwrap();
        assert_eq!(answer.status(), 405, "{path}");
        let allowed = answer.headers()["allow"].to_str().unwrap().split(", ").map(str::to_owned).collect();
        assert_eq!(verbs, allowed, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn operations_are_told_apart_and_references_lead_somewhere() {
    let app = TestApp::start().await;
    let document = document(&app).await;
    let mut known = BTreeSet::new();
    for (path, verb, operation) in operations(&document) {
        let id = operation["operationId"].as_str().unwrap();
        assert!(known.insert(id), "{id} is twice there, at {verb} {path}");
        assert!(operation["responses"].as_object().unwrap().keys().any(|status| status.starts_with('2')), "{id}");
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            assert!(!parameter["schema"].to_string().contains("\"null\""), "{id}: a parameter is never null");
        }
    }
    let schemas = &document["components"]["schemas"];
    for reference in document.to_string().split("\"$ref\":\"").skip(1) {
        let reference = reference.split('"').next().unwrap();
        let name = reference.strip_prefix("#/components/schemas/").unwrap();
        assert!(schemas[name].is_object(), "{name} is described");
    }
    for (name, schema) in schemas.as_object().unwrap() {
        assert_ne!(schema["additionalProperties"], false, "{name}: unknown fields are ignored everywhere");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_description_is_the_one_that_was_agreed_upon() {
    let app = TestApp::start().await;
    let agreed = fs::read_to_string(snapshot()).unwrap_or_default();
    assert!(
        pretty(&document(&app).await) == agreed,
        "the description has changed; if that was the purpose, write it anew and read the difference:\n\
         cargo test --test api openapi::rewrite_the_snapshot -- --ignored && git diff docs/openapi.json"
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "writes docs/openapi.json"]
async fn rewrite_the_snapshot() {
    let app = TestApp::start().await;
    let snapshot = snapshot();
    fs::create_dir_all(snapshot.parent().unwrap()).unwrap();
    fs::write(snapshot, pretty(&document(&app).await)).unwrap();
}

fn snapshot() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/openapi.json")
}

/// With sorted keys, as serde_json keeps them.
fn pretty(document: &Value) -> String {
    serde_json::to_string_pretty(document).unwrap() + "\n"
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_to_read_it_asks_nothing_of_the_outside() {
    let app = TestApp::start().await;
    let page = |path: String| {
        let answer = app.request(Method::GET, &path).send();
        async move {
            let answer = answer.await.unwrap();
            assert_eq!(answer.status(), 200, "{path}");
            answer.text().await.unwrap()
        }
    };
    let html = page("/docs/".to_owned()).await;
    assert!(html.contains("swagger-ui"));
    let named = |word: &'static str| html.split(word).skip(1).map(|rest| rest.split('"').next().unwrap().to_owned());
    let loaded: Vec<_> = named("src=\"").chain(named("href=\"")).collect();
    assert!(loaded.iter().any(|path| path.ends_with(".js")) && loaded.iter().any(|path| path.ends_with(".css")));
    for path in loaded {
        assert!(!path.contains("//"), "{path} is loaded from outside");
        let file = page(format!("/docs/{}", path.trim_start_matches("./"))).await;
        for reaching in ["@import", "url(http", "importScripts(\"http"] {
            assert!(!path.ends_with(".css") || !file.contains(reaching), "{path}: {reaching}");
        }
    }
    let start = page("/docs/swagger-initializer.js".to_owned()).await;
    assert!(start.contains("/v1/openapi.json") && !start.contains("http://") && !start.contains("https://"));
}
