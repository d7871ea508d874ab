//! Names explained: who wrote which name and when, why the shown one is shown, earlier saved names and the undoing of a
//! rename, and numbers that may be the same phone, which are suggestions and nothing more.

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::support::{Tenant, TestApp, problem, told};

const PHONE: &str = "15551234567@c.us";
const LID: &str = "999888777@lid";

struct Owner {
    app: TestApp,
    tenant: Tenant,
}

impl Owner {
    async fn start() -> Self {
        let app = TestApp::start().await;
        let tenant = app.instance().await;
        Self { app, tenant }
    }

    async fn ask(&self, method: Method, who: &str, rest: &str, headers: &[(&str, &str)]) -> Response {
        let path = format!("/v1/instances/{}/contacts/{who}{rest}", self.tenant.id);
        let request = self.app.request(method, &path).bearer_auth(&self.tenant.token);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        request.send().await.unwrap()
    }

    async fn names(&self, who: &str) -> Value {
        told(self.ask(Method::GET, who, "/names", &[]).await, 200).await
    }

    async fn undo(&self, who: &str, headers: &[(&str, &str)]) -> Response {
        self.ask(Method::POST, who, "/names/undo", headers).await
    }

    async fn see(&self, rows: Value) {
        for row in self.app.observe(&self.tenant, rows).await {
            assert!(row["change"].is_string(), "{row}");
        }
    }

    async fn earlier(&self, who: &str) -> Vec<String> {
        let names = self.names(who).await;
        names["earlier"].as_array().unwrap().iter().map(|name| name["full"].as_str().unwrap().to_owned()).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shown_name_comes_with_the_reason_for_it() {
    let owner = Owner::start().await;
    let shown = async |who: &str| {
        let shown = owner.names(who).await["shown"].clone();
        assert!(shown["sentence"].as_str().unwrap().ends_with('.'), "{shown}");
        (shown["name"].as_str().unwrap().to_owned(), shown["because"].as_str().unwrap().to_owned())
    };
    let expected = |name: &str, because: &str| (name.to_owned(), because.to_owned());
    owner.see(json!([{"chat_id": LID, "last_message_at": "2026-01-01T00:00:00Z"}])).await;
    assert_eq!(shown(LID).await, expected("999888777", "lid"));
    owner.see(json!([{"chat_id": LID, "phone": PHONE}])).await;
    assert_eq!(shown(LID).await, expected("+15551234567", "number"));
    owner.see(json!([{"chat_id": LID, "pushname": "Ali 🌸"}])).await;
    assert_eq!(shown(PHONE).await, expected("Ali 🌸", "push"));
    owner.see(json!([{"chat_id": PHONE, "business_name": "Ali & Co"}])).await;
    assert_eq!(shown(PHONE).await, expected("Ali & Co", "business"));
    owner.app.save(&owner.tenant, PHONE, "Alice", "Ñandú").await;
    assert_eq!(shown(PHONE).await, expected("Alice Ñandú", "saved"));

    let (names, contact) = (owner.names(LID).await, owner.app.native(&owner.tenant, PHONE).await);
    for name in ["saved", "push", "business"] {
        assert!(names[name]["at"].is_string() && names[name]["source"].is_string(), "{names}");
        assert_eq!(names[name], contact["names"][name]);
    }
    assert_eq!(
        (&names["chat_id"], &names["phone"], &names["lid"]),
        (&json!(PHONE), &json!("15551234567"), &json!(LID))
    );
    assert_eq!(names["shown"]["name"], contact["display"]);
    assert_eq!((&names["earlier"], &names["candidates"]), (&json!([]), &json!([])));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rename_is_taken_back_and_taking_back_twice_takes_back_the_first() {
    let owner = Owner::start().await;
    let app = &owner.app;
    app.save(&owner.tenant, PHONE, "Bob", "Smith").await;
    let none = problem(owner.undo(PHONE, &[]).await, 404).await;
    assert_eq!(none["code"], "no_earlier_name");
    assert!(none["detail"].as_str().unwrap().contains("no earlier saved name"), "{none}");
    app.save(&owner.tenant, PHONE, "Rob", "Smythe").await;
    let names = owner.names(PHONE).await;
    let earlier = &names["earlier"][0];
    assert_eq!(
        (&earlier["full"], &earlier["first"], &earlier["last"]),
        (&json!("Bob Smith"), &json!("Bob"), &json!("Smith"))
    );
    assert_eq!((&earlier["source"], &earlier["replaced_with_revision"]), (&json!("wawp"), &json!(2)));
    assert!(earlier["saved_at"].is_string());

    let undone = owner.undo(PHONE, &[("Idempotency-Key", "undo 1")]).await;
    assert_eq!(undone.headers()["etag"], "\"r3\"");
    let undone = told(undone, 200).await;
    assert_eq!((&undone["change"], &undone["contact"]["display"]), (&json!("updated"), &json!("Bob Smith")));
    let again = owner.undo(PHONE, &[("Idempotency-Key", "undo 1")]).await;
    assert_eq!(again.headers()["idempotent-replayed"], "true");
    assert_eq!(app.name(&owner.tenant, PHONE).await, "Bob Smith");
    assert_eq!(problem(owner.undo(PHONE, &[("If-Match", "\"r2\"")]).await, 412).await["revision"], 3);
    assert_eq!(owner.undo(PHONE, &[("If-Match", "\"r3\"")]).await.status(), 200);
    assert_eq!(app.name(&owner.tenant, PHONE).await, "Rob Smythe");

    // A name that was cleared, by a phone too, comes back.
    owner.see(json!([{"chat_id": PHONE, "saved": null}])).await;
    assert_eq!(app.name(&owner.tenant, PHONE).await, Value::Null);
    assert_eq!(owner.undo(PHONE, &[]).await.status(), 200);
    assert_eq!(app.name(&owner.tenant, PHONE).await, "Rob Smythe");

    assert_eq!(problem(owner.undo("222", &[]).await, 404).await["code"], "no_contact");
    assert_eq!(problem(owner.ask(Method::GET, "222", "/names", &[]).await, 404).await["code"], "no_contact");
    assert_eq!(problem(owner.ask(Method::GET, "1@g.us", "/names", &[]).await, 400).await["field"], "chat_id");
    let reader = app.limited(&owner.tenant, &["contacts:read"]).await;
    let path = format!("/v1/instances/{}/contacts/{PHONE}/names", owner.tenant.id);
    assert_eq!(app.v1(&reader.token, Method::GET, &path, None).await.status(), 200);
    assert_eq!(app.v1(&reader.token, Method::POST, &format!("{path}/undo"), None).await.status(), 403);
    let stranger = app.instance().await;
    assert_eq!(app.v1(&stranger.token, Method::GET, &path, None).await.status(), 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_history_is_bounded_survives_a_merge_and_goes_with_the_contact() {
    let owner = Owner::start().await;
    for n in 0..20 {
        owner.app.save(&owner.tenant, PHONE, &format!("Name {n}"), "").await;
    }
    let newest: Vec<_> = (3..19).rev().map(|n| format!("Name {n}")).collect();
    assert_eq!(owner.earlier(PHONE).await, newest);
    owner.app.save(&owner.tenant, LID, "By Lid", "").await;
    owner.see(json!([{"chat_id": LID, "phone": PHONE}])).await;
    let earlier = owner.earlier(LID).await;
    assert_eq!((earlier[0].as_str(), earlier.len()), ("Name 19", 16), "the name that lost is not lost");
    assert_eq!(owner.app.name(&owner.tenant, PHONE).await, "By Lid");
    assert_eq!(owner.undo(LID, &[]).await.status(), 200);
    assert_eq!(owner.app.name(&owner.tenant, PHONE).await, "Name 19");

    assert_eq!(owner.ask(Method::DELETE, PHONE, "", &[]).await.status(), 200);
    owner.app.save(&owner.tenant, PHONE, "New", "").await;
    assert_eq!(owner.earlier(PHONE).await, [""; 0], "who comes back is somebody new");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_mapping_that_was_reported_is_told_with_whether_it_holds() {
    let owner = Owner::start().await;
    owner.app.save(&owner.tenant, "111", "One", "").await;
    owner
        .see(json!([
            {"chat_id": LID, "phone": "111", "at": "2026-01-01T00:00:00Z", "source": "phone-1"},
            {"chat_id": LID, "phone": "222", "at": "2026-01-02T00:00:00Z", "source": "phone-2"},
            {"chat_id": "333444555@lid", "phone": "111", "at": "2026-01-03T00:00:00Z"},
        ]))
        .await;
    let mappings = owner.names("111").await["mappings"].clone();
    let told = |lid: &str, at: &str, source: &str, holds: bool| json!({"lid": lid, "phone": "111", "at": at, "source": source, "holds": holds});
    assert_eq!(
        mappings,
        json!([
            told("333444555@lid", "2026-01-03T00:00:00.000Z", "phone-1", true),
            told(LID, "2026-01-01T00:00:00.000Z", "phone-1", false),
        ])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn another_way_to_write_a_number_is_suggested_and_never_acted_upon() {
    let owner = Owner::start().await;
    let pairs =
        [("5511987654321", "551187654321"), ("5215512345678", "525512345678"), ("5491123456789", "541123456789")];
    for (with, without) in pairs {
        owner.app.save(&owner.tenant, with, "With", with).await;
        let alone = owner.names(with).await["candidates"].clone();
        assert_eq!((&alone[0]["phone"], &alone[0]["contact"]), (&json!(without), &Value::Null));
        assert!(alone[0]["why"].as_str().unwrap().contains("with and without"), "{alone}");
        owner.app.save(&owner.tenant, without, "Without", "").await;
        let found = owner.names(with).await["candidates"].clone();
        assert_eq!(found[0]["contact"], json!({"chat_id": format!("{without}@c.us"), "shown": "Without"}));
        let back = owner.names(without).await["candidates"].clone();
        assert_eq!((&back[0]["phone"], &back[0]["contact"]["shown"]), (&json!(with), &json!(format!("With {with}"))));
        // Seen, renamed and read under either number, they stay two.
        owner.see(json!([{"chat_id": with, "pushname": "Same"}, {"chat_id": without, "pushname": "Same"}])).await;
        assert_ne!(owner.app.name(&owner.tenant, with).await, owner.app.name(&owner.tenant, without).await);
    }
    assert_eq!(owner.app.head(&owner.tenant).await.0, 6, "nobody became one with anybody");
    owner.app.save(&owner.tenant, LID, "No phone", "").await;
    assert_eq!(owner.names(LID).await["candidates"], json!([]));
}
