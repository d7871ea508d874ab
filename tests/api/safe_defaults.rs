//! What nobody has to set: headers on every answer, files for their owner alone, no way in from the network before there
//! is an admin token of one's own.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, process::Stdio};

use reqwest::{Method, Response};
use serde_json::json;
use tempfile::TempDir;
use wabook::{
    app::App,
    config::{Config, Flags},
};

use crate::{
    shared::{server::Home, within},
    support::TestApp,
};

fn header<'r>(response: &'r Response, name: &str) -> &'r str {
    response.headers().get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
}

#[tokio::test]
async fn every_answer_says_that_it_is_private() {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    let with_credentials = format!("/v2/contacts?{}", tenant.in_query());
    let paths = [
        with_credentials.as_str(),
        "/v2/contacts?access_token=wab_wrong",
        "/healthz",
        "/metrics",
        "/v1/instances",
        "/v1/openapi.json",
        "/nowhere",
        "/docs/",
    ];
    for path in paths {
        let response = app.request(Method::GET, path).send().await.unwrap();
        assert_eq!(header(&response, "cache-control"), "no-store", "{path}");
        assert_eq!(header(&response, "x-content-type-options"), "nosniff", "{path}");
        assert_eq!(header(&response, "referrer-policy"), "no-referrer", "{path}");
        assert!(header(&response, "content-security-policy").contains("frame-ancestors 'none'"), "{path}");
        assert_eq!(header(&response, "strict-transport-security"), "", "no promise of TLS without it: {path}");
    }
}

#[tokio::test]
async fn the_docs_may_run_their_own_scripts_and_nobody_elses() {
    let app = TestApp::start().await;
    let page = app.request(Method::GET, "/docs/").send().await.unwrap();
    assert_eq!(page.status(), 200);
    assert!(header(&page, "content-security-policy").contains("script-src 'self';"));
    let page = page.text().await.unwrap();
    let mut scripts = 0;
    for tag in page.split("<script").skip(1) {
        let source = tag.split_once("src=\"").expect("no script stands in the page itself").1;
        let source = source.split_once('"').unwrap().0;
        assert!(source.starts_with("./"), "{source}");
        let script = app.request(Method::GET, &format!("/docs/{}", &source[2..])).send().await.unwrap();
        assert_eq!(script.status(), 200, "{source}");
        scripts += 1;
    }
    assert!(scripts > 1);
    let started = app.request(Method::GET, "/docs/swagger-initializer.js").send().await.unwrap().text().await.unwrap();
    assert!(started.contains("/v1/openapi.json"));
}

#[tokio::test]
async fn nobody_listens_to_a_network_without_an_admin_token_of_their_own() {
    let folder = TempDir::new().unwrap();
    let mut config = Config::load(&Flags::default()).unwrap();
    config.sessions.folder = folder.path().join("sessions");
    for network in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        config.http.listen = network.parse().unwrap();
        let refused = App::build(&config).err().expect("it was refused").to_string();
        assert!(refused.contains("WABOOK_GATEWAY__ADMIN_TOKEN") && refused.contains(network), "{refused}");
        assert!(!config.sessions.folder.exists(), "nothing was begun");
    }
    config.gateway.admin_token = "a token of my own choice".into();
    config.http.listen = "0.0.0.0:0".parse().unwrap();
    App::build(&config).unwrap().run(async {}).await.unwrap();
}

/// Every file and folder below, and what others may do with it.
fn open_to_others(folder: &Path, found: &mut Vec<String>, seen: &mut usize) {
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap()) {
        let (path, kind) = (entry.path(), entry.file_type().unwrap());
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        let meant = if kind.is_dir() { 0o700 } else { 0o600 };
        *seen += 1;
        if mode != meant {
            found.push(format!("{} {mode:o}", path.display()));
        }
        if kind.is_dir() {
            open_to_others(&path, found, seen);
        }
    }
}

#[test]
fn whatever_a_server_makes_is_for_its_owner_alone() {
    let home = Home::new();
    let check = |when: &str, at_least: usize| {
        let (mut found, mut seen) = (Vec::new(), 0);
        open_to_others(&home.sessions(), &mut found, &mut seen);
        assert!(found.is_empty(), "{when}: {found:?}");
        assert!(seen >= at_least, "{when}: {seen} files");
        assert_eq!(fs::metadata(home.sessions()).unwrap().permissions().mode() & 0o777, 0o700);
    };
    let server = home.serve_carelessly();
    let (token, mut wire) = (server.token(), server.wire());
    let bearer = format!("Authorization: Bearer {token}");
    let headers = [bearer.as_str(), "Content-Type: application/json"];
    let saved = json!({"instance_id": "demo", "access_token": token, "chatId": "123@c.us", "firstName": "Bob", "lastName": "S"});
    assert_eq!(wire.post("/v2/contacts/update", &saved).unwrap().status, 200);
    let hook = json!({"url": "https://example.com/hook"}).to_string();
    wire.ask("POST /v1/instances/demo/webhooks", &headers, hook.as_bytes()).unwrap();
    assert_eq!(wire.ask("GET /v1/instances/demo/contacts", &headers[..1], b"").unwrap().status, 200);
    // The lock, the note, the store and the book, each of the two with its log and its shared memory, the keys.
    check("while it runs", 9);

    let backup = home.path("backup");
    let mut command = home.command_carelessly(&["backup", backup.to_str().unwrap()]);
    assert!(within("the backup", move || command.stdout(Stdio::null()).status().unwrap()).success());
    let (mut found, mut seen) = (Vec::new(), 0);
    open_to_others(&backup, &mut found, &mut seen);
    assert!(found.is_empty() && seen >= 3, "{found:?} of {seen}");
    assert!(server.stop().success());
    check("afterwards", 5);
}
