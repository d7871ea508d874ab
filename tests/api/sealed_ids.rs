//! No id leads out of its folder, out of its book or into a panic: paths, encodings of paths, NUL, what is very long,
//! letters that look alike and names that the gateway uses itself, in the path, the query, headers and the body.

use serde_json::json;

use crate::{
    operations::{self, Asking, Body, Place},
    support::{TestApp, entries},
};

/// As they may stand in a URL.
const IDS: [&str; 34] = [
    "..",
    ".",
    "../demo",
    "..%2f..%2fetc%2fpasswd",
    "%2e%2e",
    "%2e%2e%2f%2e%2e",
    "%252e%252e%252f",
    "..%5c..",
    "..%c0%af..",
    "....%2f%2f",
    "/etc/passwd",
    "%2fetc%2fpasswd",
    "file:%2f%2f%2fetc%2fpasswd",
    "a%2fb",
    "a%5cb",
    "%00",
    "demo%00",
    "demo%00.db",
    "demo%0d%0aX-More:%20yes",
    "demo%20",
    "demo.",
    "demo%2f",
    "demo;x=1",
    "%ff%fe",
    "d%D0%B5mo",
    "%EF%BD%84emo",
    "demo%E2%80%8B",
    "DEMO",
    "gateway",
    "gateway.db",
    "admin.token",
    "demo.damaged-1",
    "demo.removed-1",
    "con",
];

#[tokio::test(flavor = "multi_thread")]
async fn no_id_of_an_instance_leads_anywhere() {
    let app = TestApp::start().await;
    let demo = app.named_instance("demo").await;
    app.save(&demo, "123@c.us", "Zebulon", "Quagmire").await;
    let before = entries(&app.sessions());
    let long = "a".repeat(5000);
    let mut asked = 0;
    for operation in operations::all(&mut app.wire()).iter().filter(|known| !known.is_public && known.means_instance())
    {
        for place in [Place::Query, Place::Headers, Place::Body] {
            let ask = |instance: &str| {
                let token = Some(&*demo.token);
                let mut asking = Asking { place, ..Asking::new(instance, token) };
                if operation.names_instance() {
                    asking.place = Place::Headers;
                }
                operation.bytes(&mut app.wire(), &asking)
            };
            let nothing = ask("nowhere");
            // No instance is looked for in this place.
            if nothing.0 != 401 {
                continue;
            }
            for id in IDS.into_iter().chain([&*long]) {
                let decoded = decoded(id);
                let told = ask(if place == Place::Body && !operation.names_instance() { &decoded } else { id });
                let name = operation.name();
                assert!((400..500).contains(&told.0), "{name}, {place:?}, {id}: {}", told.0);
                assert!(!String::from_utf8_lossy(&told.2).contains("Zebulon"), "{name}, {place:?}, {id}");
                // A path that is one no more is another path; so is what WAHA or HTTP give a meaning of their own.
                let stays =
                    !operation.names_instance() || !(id.starts_with('.') || id.starts_with('/') || id.contains(';'));
                if stays && told.0 != 404 {
                    assert_eq!(told, nothing, "{name}, {place:?}, {id}: {}", String::from_utf8_lossy(&told.2));
                }
                asked += 1;
            }
        }
    }
    println!("sealed: {asked} ids that lead nowhere");
    for id in IDS.into_iter().map(decoded).chain([long]) {
        // Two that are ids like any other.
        if ["gateway", "con", "DEMO"].contains(&&*id) {
            continue;
        }
        let made = app.admin(reqwest::Method::POST, "/v1/instances", Some(json!({"instance_id": id}))).await;
        assert_eq!(made.status(), 400, "{id}");
    }
    assert_eq!(entries(&app.sessions()), before, "nothing was made");
    assert_eq!(app.name(&demo, "123@c.us").await, "Zebulon Quagmire");
}

fn decoded(id: &str) -> String {
    let pair = form_urlencoded::parse(id.as_bytes()).next();
    pair.map(|(text, _)| text.into_owned()).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_id_within_an_instance_leads_anywhere() {
    let app = TestApp::start().await;
    let demo = app.named_instance("demo").await;
    let before = entries(&app.sessions());
    let long = "9".repeat(5000);
    for operation in operations::all(&mut app.wire()).iter().filter(|known| known.names_object()) {
        for id in IDS.into_iter().chain([&*long]) {
            for body in [Body::Good, Body::None] {
                let asking = Asking { object: Some(id), body, ..Asking::new(&demo.id, Some(&demo.token)) };
                let told = operation.ask(&mut app.wire(), &asking);
                let is_list_above = told.status == 200 && matches!(id, "." | ".." | "../demo" | "/etc/passwd");
                assert!(
                    (400..500).contains(&told.status) || is_list_above,
                    "{}, {id}: {}",
                    operation.name(),
                    told.status
                );
            }
        }
    }
    assert_eq!(entries(&app.sessions()), before);
    assert_eq!(app.head(&demo).await.0, 0, "nobody was made");
}
