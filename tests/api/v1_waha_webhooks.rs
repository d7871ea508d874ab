//! What a WAHA sends to a webhook: the messages of three engines, contacts and LIDs, what is none of our business, and the
//! signature, which must be right wherever it is.

use std::fmt::Write as _;

use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::{Method, RequestBuilder, Response};
use rstest::rstest;
use serde_json::{Value, json};
use sha2::Sha512;
use tempfile::TempDir;

use crate::support::{Tenant, TestApp, problem, told};

const KEY: &str = "my-secret-key";
/// 2026-01-01 and an hour.
const SECONDS: i64 = 1_767_229_200;

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

    fn path(&self) -> String {
        format!("/v1/instances/{}/observations/waha", self.tenant.id)
    }

    async fn set_key(&self, key: &str) -> Value {
        let body = Some(json!({"hmac_key": key}));
        told(self.app.v1(&self.tenant.token, Method::PUT, &self.path(), body).await, 200).await
    }

    fn unsigned(&self, body: &str) -> RequestBuilder {
        let request = self.app.request(Method::POST, &self.path());
        request.header("content-type", "application/json").body(body.to_owned())
    }

    fn signed(&self, body: &str, key: &str) -> RequestBuilder {
        self.unsigned(body).header("X-Webhook-Hmac", signature(body, key)).header("X-Webhook-Hmac-Algorithm", "sha512")
    }

    /// An event that must be taken, with the owner's token.
    async fn event(&self, event: &str, payload: Value) -> Value {
        let body = json!({"id": "evt_1", "event": event, "session": "default", "engine": "NOWEB", "payload": payload,
            "me": {"id": "71111111111@c.us", "lid": "71000000000001@lid", "pushName": "Me"},
            "environment": {"tier": "PLUS", "version": "2025.11.1"}});
        told(self.unsigned(&body.to_string()).header("X-Api-Key", &self.tenant.token).send().await.unwrap(), 200).await
    }

    async fn change(&self, event: &str, payload: Value) -> Value {
        let answer = self.event(event, payload).await;
        assert_eq!(answer["observed"], 1, "{answer}");
        answer["results"][0]["change"].clone()
    }

    async fn ignored(&self, event: &str, payload: Value) -> String {
        let before = self.app.head(&self.tenant).await;
        let answer = self.event(event, payload).await;
        assert_eq!((&answer["observed"], &answer["results"]), (&json!(0), &json!([])), "{answer}");
        assert_eq!(self.app.head(&self.tenant).await, before);
        answer["ignored"].as_str().unwrap().to_owned()
    }
}

fn signature(body: &str, key: &str) -> String {
    let mut mac = Hmac::<Sha512>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    mac.finalize().into_bytes().iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").unwrap();
        hex
    })
}

fn message() -> String {
    json!({"event": "message", "session": "default", "payload": {"id": "false_1_A", "timestamp": SECONDS,
        "from": "15551234567@c.us", "fromMe": false, "to": "71111111111@c.us", "body": "Hi", "_data": {"notifyName": "Ali"}}})
    .to_string()
}

/// What the three engines tell of one person who writes: by whom, under which name, and when.
#[rstest]
#[case::webjs(json!({"from": "15551234567@c.us", "fromMe": false, "to": "71111111111@c.us", "timestamp": SECONDS,
    "_data": {"id": {"fromMe": false, "remote": "15551234567@c.us"}, "notifyName": "Ali 🌸"}}), false)]
#[case::noweb(json!({"from": "999888777@lid", "fromMe": false, "timestamp": SECONDS, "participant": null,
    "_data": {"key": {"remoteJid": "999888777@lid", "remoteJidAlt": "15551234567@s.whatsapp.net"}, "pushName": "Ali 🌸"}}), true)]
#[case::older_noweb(json!({"from": "15551234567@c.us", "fromMe": false, "timestamp": SECONDS,
    "_data": {"key": {"remoteJid": "15551234567@s.whatsapp.net", "senderLid": "999888777@lid"}, "pushName": "Ali 🌸"}}), true)]
#[case::gows(json!({"from": "999888777@lid", "fromMe": false, "timestamp": SECONDS,
    "_data": {"Info": {"Chat": "999888777@lid", "Sender": "999888777:12@lid", "SenderAlt": "15551234567:12@s.whatsapp.net",
    "PushName": "Ali 🌸"}}}), true)]
#[tokio::test(flavor = "multi_thread")]
async fn a_message_tells_who_wrote_and_when(#[case] payload: Value, #[case] has_lid: bool) {
    let owner = Owner::start().await;
    assert_eq!(owner.change("message", payload.clone()).await, "created");
    let contact = owner.app.native(&owner.tenant, "15551234567").await;
    let push = json!({"name": "Ali 🌸", "at": "2026-01-01T01:00:00.000Z", "source": "waha-webhook"});
    assert_eq!(contact["names"], json!({"saved": null, "push": push, "business": null}));
    assert_eq!(contact["last_message_at"], "2026-01-01T01:00:00.000Z");
    assert_eq!(contact["lid"], if has_lid { json!("999888777@lid") } else { Value::Null });
    let before = owner.app.head(&owner.tenant).await;
    assert_eq!(before.0, 1);
    for event in ["message", "message.any"] {
        assert_eq!(owner.change(event, payload.clone()).await, "unchanged", "WAHA sends both, and again");
    }
    assert_eq!(owner.app.head(&owner.tenant).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_group_the_participant_is_seen_and_the_conversation_does_not_move() {
    let owner = Owner::start().await;
    let chats = ["120363025246125486@g.us", "status@broadcast"];
    for (place, chat) in chats.into_iter().enumerate() {
        let payload = json!({"from": chat, "fromMe": false, "timestamp": SECONDS, "participant": format!("555000{place}@lid"),
            "_data": {"key": {"participantPn": format!("1555000{place}@s.whatsapp.net")}, "pushName": "Eve",
            "verifiedBizName": "Eve & Co"}});
        assert_eq!(owner.change("message", payload).await, "created");
        let eve = owner.app.native(&owner.tenant, &format!("1555000{place}")).await;
        assert_eq!((&eve["names"]["push"]["name"], &eve["last_message_at"]), (&json!("Eve"), &Value::Null));
        assert_eq!((&eve["lid"], &eve["display"]), (&json!(format!("555000{place}@lid")), &json!("Eve & Co")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_own_message_says_only_when_the_conversation_moved() {
    let owner = Owner::start().await;
    // Of three engines: where `from` is the account, and where it is the chat.
    for (place, payload) in [
        json!({"from": "71111111111@c.us", "to": "1555100@c.us", "_data": {"id": {"remote": "1555100@c.us"}}}),
        json!({"from": "1555101@c.us", "to": "71111111111@c.us",
            "_data": {"key": {"remoteJid": "1555101@s.whatsapp.net", "fromMe": true}}}),
        json!({"from": "1555102@c.us", "to": null, "_data": {"Info": {"Chat": "1555102@s.whatsapp.net",
            "Sender": "71111111111:3@s.whatsapp.net", "SenderAlt": "71000000000001@lid", "PushName": "Me"}}}),
    ]
    .into_iter()
    .enumerate()
    {
        let mut payload = payload;
        (payload["fromMe"], payload["timestamp"]) = (json!(true), json!(SECONDS));
        (payload["_data"]["notifyName"], payload["_data"]["pushName"]) = (json!("Me"), json!("Me"));
        assert_eq!(owner.change("message.any", payload).await, "created");
        let contact = owner.app.native(&owner.tenant, &format!("155510{place}")).await;
        assert_eq!((&contact["names"]["push"], &contact["lid"]), (&Value::Null, &Value::Null), "{contact}");
        assert_eq!(contact["last_message_at"], "2026-01-01T01:00:00.000Z");
    }
    let to_group =
        json!({"fromMe": true, "from": "71111111111@c.us", "to": "1203@g.us", "participant": "71111111111@c.us"});
    assert_eq!(owner.ignored("message.any", to_group).await, "not a contact");
    let to_self = json!({"fromMe": true, "from": "71111111111@c.us", "to": "71111111111@c.us"});
    assert_eq!(owner.ignored("message.any", to_self).await, "the account's own");
}

#[tokio::test(flavor = "multi_thread")]
async fn contacts_and_lids_are_read_as_far_as_they_say_something() {
    let owner = Owner::start().await;
    let contact = json!({"id": "15551234567@c.us", "number": "15551234567", "name": "Alice Saved", "pushname": "Ali",
        "shortName": "Alice", "isMe": false, "isGroup": false, "isWAContact": true, "isMyContact": true, "isBlocked": true});
    assert_eq!(owner.change("contact.update", contact).await, "created");
    let alice = owner.app.native(&owner.tenant, "15551234567").await;
    assert_eq!((&alice["display"], &alice["blocked"]), (&json!("Alice Saved"), &json!(true)));
    assert_eq!(alice["names"]["push"]["name"], "Ali");
    // A later one without a name does not clear it.
    assert_eq!(
        owner.change("contacts.update", json!([{"id": "15551234567@c.us", "notify": "Ali 🌸"}])).await,
        "updated"
    );
    assert_eq!(owner.app.name(&owner.tenant, "15551234567").await, "Alice Saved");
    // LID and phone: WAHA's own shape, and within an event of the engine.
    assert_eq!(owner.change("lid", json!({"lid": "999888777@lid", "pn": "15551234567@c.us"})).await, "updated");
    let raw =
        json!({"event": "lid-mapping.update", "data": {"lid": "111222333@lid", "pn": "201000000001@s.whatsapp.net"}});
    assert_eq!(owner.change("engine.event", raw).await, "learned");
    let raw = json!({"raw": {"event": "contacts.upsert", "data": [
        {"id": "111222333@lid", "name": "Omar", "verifiedName": "Omar Ltd"}, {"id": "120363@g.us", "name": "Group"},
        {"id": "44444@lid", "phoneNumber": "4444@s.whatsapp.net", "notify": "Four"}]}});
    let answer = owner.event("engine.event", raw).await;
    assert_eq!(answer["observed"], 2, "{answer}");
    assert_eq!(owner.app.name(&owner.tenant, "201000000001").await, "Omar");
    assert_eq!(owner.app.native(&owner.tenant, "4444").await["lid"], "44444@lid");
    // Of a contact that is not the owner's, the name is not the owner's either.
    let stranger =
        json!({"id": "5555@c.us", "name": "What they call themselves", "pushname": "Five", "isMyContact": false});
    owner.change("contact.update", stranger).await;
    assert_eq!(owner.app.native(&owner.tenant, "5555").await["display"], "Five");
    for payload in [json!({"lid": "1234@lid", "pn": null}), json!({"id": "71111111111@c.us", "name": "Me"}), json!(7)] {
        assert_eq!(owner.ignored("lid.update", payload.clone()).await, "not a contact");
        assert_eq!(owner.ignored("contact.update", payload).await, "not a contact");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_none_of_our_business_is_answered_200_and_changes_nothing() {
    let owner = Owner::start().await;
    for event in ["session.status", "message.ack", "presence.update", "group.v2.join", "anything", ""] {
        assert_eq!(owner.ignored(event, json!({"status": "WORKING"})).await, "unknown event", "{event}");
    }
    assert_eq!(owner.ignored("engine.event", json!({"event": "message", "data": {}})).await, "unknown event");
    for payload in [
        json!(null),
        json!([]),
        json!("x"),
        json!({}),
        json!({"from": "120363144038483540@newsletter"}),
        json!({"from": "1203@g.us"}),
        json!({"from": "null@c.us", "fromMe": false}),
        json!({"from": {"x": 1}}),
    ] {
        assert_eq!(owner.ignored("message", payload).await, "not a contact");
    }
    assert_eq!(owner.ignored("message", json!({"from": "71111111111@c.us"})).await, "the account's own");
    let empty = owner.ignored("contacts.update", json!([])).await;
    assert_eq!(empty, "not a contact");

    // A name that cannot be kept keeps nothing else out.
    let payload = json!({"from": "1555@c.us", "timestamp": SECONDS, "_data": {"pushName": "a\nb".repeat(200)}});
    assert_eq!(owner.change("message", payload).await, "created");
    // Absurd times are told, and are no reason to send it again.
    for (timestamp, why) in
        [(json!(SECONDS * 1000), "in the future"), (json!(1), "before 2009"), (json!(1e300), "future")]
    {
        let payload = json!({"from": "1666@c.us", "timestamp": timestamp, "_data": {"pushName": "Six"}});
        let answer = owner.event("message", payload).await;
        assert_eq!((&answer["observed"], answer.get("ignored")), (&json!(0), None));
        let detail = answer["results"][0]["error"]["detail"].as_str().unwrap();
        assert!(detail.starts_with("payload.timestamp") && detail.contains(why), "{answer}");
    }
    assert_eq!(owner.app.head(&owner.tenant).await.0, 1);

    for body in ["{", "[]", "7", "{\"event\": 7}", "{}", "{\"event\": \"message\", \"payload\": \"\\ud83c\"}"] {
        let answer = owner.unsigned(body).bearer_auth(&owner.tenant.token).send().await.unwrap();
        problem(answer, 400).await;
    }
}

async fn refusal(response: Response) -> (u16, Vec<u8>) {
    (response.status().as_u16(), response.bytes().await.unwrap().to_vec())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signature_lets_in_and_one_that_is_wrong_never_does_with_or_without_a_token() {
    let owner = Owner::start().await;
    let body = message();
    let unset = refusal(owner.signed(&body, KEY).send().await.unwrap()).await;
    assert_eq!(unset.0, 401);
    let state = owner.set_key(KEY).await;
    assert_eq!((&state["is_set"], state.to_string().contains(KEY)), (&json!(true), false));
    assert!(state["set_at"].is_string());
    assert_eq!(told(owner.signed(&body, KEY).send().await.unwrap(), 200).await["observed"], 1);
    let token = &owner.tenant.token;
    assert_eq!(owner.signed(&body, KEY).bearer_auth(token).send().await.unwrap().status(), 200);
    assert_eq!(owner.unsigned(&body).header("X-Api-Key", token).send().await.unwrap().status(), 200);

    let stranger = owner.app.instance().await;
    let (nowhere, other) = ["nowhere", &stranger.id].map(|id| format!("/v1/instances/{id}/observations/waha")).into();
    let to = |path: &str| {
        let request = owner.app.request(Method::POST, path).header("X-Webhook-Hmac", signature(&body, KEY));
        request.header("content-type", "application/json").body(body.clone())
    };
    let changed = body.replace("Ali", "Eve");
    let by_another_algorithm = owner.unsigned(&body).header("X-Webhook-Hmac", signature(&body, KEY));
    let by_another_algorithm = by_another_algorithm.header("X-Webhook-Hmac-Algorithm", "md5").bearer_auth(token);
    for (what, request) in [
        ("nothing at all", owner.unsigned(&body)),
        ("another key", owner.signed(&body, "another key")),
        ("another key beside a token", owner.signed(&body, "another key").bearer_auth(token)),
        ("another body", owner.unsigned(&changed).header("X-Webhook-Hmac", signature(&body, KEY))),
        ("an empty signature", owner.unsigned(&body).header("X-Webhook-Hmac", "").bearer_auth(token)),
        ("half a signature", owner.unsigned(&body).header("X-Webhook-Hmac", &signature(&body, KEY)[..64])),
        ("no text", owner.unsigned(&body).header("X-Webhook-Hmac", "é").bearer_auth(token)),
        ("another algorithm", by_another_algorithm),
        ("a wrong token beside it", owner.signed(&body, KEY).bearer_auth("wab_x")),
        ("another instance's token beside it", owner.signed(&body, KEY).bearer_auth(&stranger.token)),
        ("no such instance", to(&nowhere)),
        ("an instance without a key", to(&other)),
        ("an instance without a key, and its token", to(&other).bearer_auth(&stranger.token)),
    ] {
        assert_eq!(refusal(request.send().await.unwrap()).await, unset, "{what}");
    }
    // A signature opens this route and no other.
    let list = format!("/v1/instances/{}/contacts", owner.tenant.id);
    let request = owner.app.request(Method::GET, &list).header("X-Webhook-Hmac", signature("", KEY));
    assert_eq!(request.send().await.unwrap().status(), 401);
    let many = format!("/v1/instances/{}/observations", owner.tenant.id);
    let request = owner.app.request(Method::POST, &many).header("X-Webhook-Hmac", signature("{}", KEY)).body("{}");
    assert_eq!(request.send().await.unwrap().status(), 401);
    assert_eq!(owner.app.head(&owner.tenant).await.0, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_is_set_shown_as_set_replaced_removed_and_survives_a_restart() {
    let owner = Owner::start().await;
    let body = message();
    let ask = async |app: &TestApp, token: &str, method: Method, body: Option<Value>| {
        app.v1(token, method, &owner.path(), body).await
    };
    let token = owner.tenant.token.as_str();
    assert_eq!(
        told(ask(&owner.app, token, Method::GET, None).await, 200).await,
        json!({"is_set": false, "set_at": null})
    );
    for wrong in [
        json!({}),
        json!({"hmac_key": null}),
        json!({"hmac_key": 7}),
        json!({"hmac_key": "short"}),
        json!({"hmac_key": "x".repeat(1025)}),
    ] {
        let refused = problem(ask(&owner.app, token, Method::PUT, Some(wrong)).await, 400).await;
        assert_eq!(refused["field"], "hmac_key");
    }
    let writer = owner.app.limited(&owner.tenant, &["contacts:*"]).await;
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        assert_eq!(ask(&owner.app, &writer.token, method, Some(json!({"hmac_key": KEY}))).await.status(), 403);
    }
    owner.set_key("the first key").await;
    owner.set_key(KEY).await;
    assert_eq!(owner.signed(&body, "the first key").send().await.unwrap().status(), 401);
    assert_eq!(owner.signed(&body, KEY).send().await.unwrap().status(), 200);
    let file = std::fs::read(owner.app.sessions().join("gateway.db")).unwrap();
    assert!(!file.windows(KEY.len()).any(|part| part == KEY.as_bytes()), "the key lies sealed");

    let owner = Owner { app: owner.app.restart().await, tenant: owner.tenant };
    assert_eq!(owner.signed(&body, KEY).send().await.unwrap().status(), 200);
    let admin = owner.app.admin(Method::GET, &owner.path(), None).await;
    assert_eq!(told(admin, 200).await["is_set"], true);
    for _ in 0..2 {
        assert_eq!(owner.app.admin(Method::DELETE, &owner.path(), None).await.status(), 204);
    }
    assert_eq!(owner.signed(&body, KEY).send().await.unwrap().status(), 401);

    // It goes with the instance: a new one of the same name has none.
    owner.set_key(KEY).await;
    let path = format!("/v1/instances/{}", owner.tenant.id);
    assert_eq!(owner.app.admin(Method::DELETE, &path, None).await.status(), 204);
    assert_eq!(owner.signed(&body, KEY).send().await.unwrap().status(), 401);
    owner.app.named_instance(&owner.tenant.id).await;
    assert_eq!(owner.signed(&body, KEY).send().await.unwrap().status(), 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_signs_is_paced_as_a_token_is_and_who_signs_wrongly_uses_up_nothing() {
    let app = TestApp::start_limited(TempDir::new().unwrap(), 4).await;
    let owner = Owner { tenant: app.instance().await, app };
    owner.set_key(KEY).await;
    let body = message();
    for _ in 0..10 {
        assert_eq!(owner.signed(&body, "another key").send().await.unwrap().status(), 401);
    }
    for remaining in ["3", "2", "1", "0"] {
        let answer = owner.signed(&body, KEY).send().await.unwrap();
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()["x-ratelimit-remaining"]),
            (200, &remaining.parse().unwrap())
        );
    }
    let limited = owner.signed(&body, KEY).send().await.unwrap();
    assert!(limited.headers().contains_key("retry-after"));
    assert_eq!(problem(limited, 429).await["code"], "limited");
}
