//! Contacts in the native API: honest outcomes, preconditions, idempotency keys, lists by cursor, batches.

use reqwest::{Method, Response};
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{Tenant, TestApp, told};

const BOB: &str = "15551234567@c.us";

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

    fn path(&self, rest: &str) -> String {
        format!("/v1/instances/{}/contacts{rest}", self.tenant.id)
    }

    async fn ask(&self, method: Method, rest: &str, body: Option<Value>, headers: &[(&str, &str)]) -> Response {
        let mut request = self.app.request(method, &self.path(rest)).bearer_auth(&self.tenant.token);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        request.send().await.unwrap()
    }

    async fn put(&self, who: &str, body: Value) -> Value {
        let response = self.ask(Method::PUT, &format!("/{who}"), Some(body), &[]).await;
        assert!(response.status().is_success(), "{}", response.status());
        response.json().await.unwrap()
    }

    async fn get(&self, who: &str) -> Value {
        told(self.ask(Method::GET, &format!("/{who}"), None, &[]).await, 200).await
    }

    async fn list(&self, query: &str) -> Value {
        told(self.ask(Method::GET, &format!("?{query}"), None, &[]).await, 200).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn outcomes_are_honest_and_the_etag_is_the_revision() {
    let owner = Owner::start().await;
    let path = format!("/{BOB}");
    let created = owner.ask(Method::PUT, &path, Some(json!({"first_name": "Bob", "tags": ["vip"]})), &[]).await;
    assert_eq!(created.headers()["etag"], "\"r1\"");
    let created = told(created, 201).await;
    assert_eq!((&created["change"], &created["revision"]), (&json!("created"), &json!(1)));
    assert_eq!(created["contact"]["display"], "Bob");

    let again = owner.put("+15551234567", json!({"first_name": "Bob", "tags": ["vip", "vip"]})).await;
    assert_eq!((&again["change"], &again["revision"]), (&json!("unchanged"), &json!(1)));
    let patched = told(owner.ask(Method::PATCH, &path, Some(json!({"last_name": "Smith"})), &[]).await, 200).await;
    assert_eq!((&patched["change"], &patched["revision"]), (&json!("updated"), &json!(2)));
    assert_eq!(patched["contact"]["tags"], json!(["vip"]), "a patch keeps what it does not mention");
    let put = owner.put(BOB, json!({"name": "Bob Smith"})).await;
    assert_eq!(put["change"], "updated", "a put clears what it does not mention");
    assert_eq!(put["contact"]["tags"], json!([]));
    assert_eq!(put["contact"]["names"]["saved"]["last"], "Smith", "an equal whole name keeps its parts");

    let seen = owner.ask(Method::GET, &path, None, &[("If-None-Match", "\"r9\", W/\"r3\"")]).await;
    assert_eq!(seen.status(), 304);
    let deleted = told(owner.ask(Method::DELETE, &path, None, &[]).await, 200).await;
    assert_eq!((&deleted["change"], &deleted["revision"]), (&json!("deleted"), &json!(4)));
    for method in [Method::GET, Method::DELETE] {
        let gone = told(owner.ask(method, &path, None, &[]).await, 404).await;
        assert_eq!(gone["code"], "no_contact");
    }
    let patch = owner.ask(Method::PATCH, &path, Some(json!({"first_name": "Bob"})), &[]).await;
    assert_eq!(patch.status(), 404, "a patch brings nobody into being");
    assert_eq!(owner.app.head(&owner.tenant).await, (0, 4));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_field_that_is_written_reads_back() {
    let owner = Owner::start().await;
    let body = json!({
        "first_name": "Zoë", "last_name": "Ñandú 🌸", "email": "zoe@example.com", "company": "Z & Co",
        "description": "two\nlines", "city": "Málaga", "state": "AN", "zip": "29001", "address": "Calle 1",
        "country_code": "es", "country_id": 34, "assigned_id": 7, "type": "customer", "source_id": 1, "status_id": 1,
        "tags": ["b", "a"], "labels": ["premium"], "params": {"tier": "gold", "n": 1, "deep": {"x": [null]}},
        "opted_in": true, "blocked": true,
    });
    owner.put("999888777@lid", body.clone()).await;
    let read = owner.get("999888777@lid").await;
    for (key, value) in body.as_object().unwrap() {
        match key.as_str() {
            "first_name" => assert_eq!(read["names"]["saved"]["first"], *value),
            "last_name" => assert_eq!(read["names"]["saved"]["last"], *value),
            "country_code" => assert_eq!(read[key], "ES"),
            _ => assert_eq!(read[key], *value, "{key}"),
        }
    }
    assert_eq!((&read["phone"], &read["lid"]), (&Value::Null, &json!("999888777@lid")));
    assert_eq!(read["names"]["saved"]["source"], "v1");
    let nulls: Value = body.as_object().unwrap().keys().map(|key| (key.clone(), Value::Null)).collect();
    let cleared = told(owner.ask(Method::PATCH, "/999888777@lid", Some(nulls), &[]).await, 200).await;
    assert_eq!(cleared["contact"]["display"], "999888777");
    assert_eq!((&cleared["contact"]["email"], &cleared["contact"]["blocked"]), (&Value::Null, &json!(false)));
}

#[tokio::test(flavor = "multi_thread")]
async fn preconditions_are_checked_in_the_same_step_as_the_write() {
    let owner = Owner::start().await;
    let path = format!("/{BOB}");
    let name = |name: &str| Some(json!({"name": name}));
    let absent = &[("If-None-Match", "*")];
    assert_eq!(owner.ask(Method::PUT, &path, name("Bob"), absent).await.status(), 201);
    let stale = told(owner.ask(Method::PUT, &path, name("Rob"), absent).await, 412).await;
    assert_eq!((&stale["code"], &stale["revision"]), (&json!("stale"), &json!(1)));
    assert_eq!(owner.ask(Method::PATCH, &path, name("Rob"), &[("If-Match", "\"r1\"")]).await.status(), 200);
    assert_eq!(owner.ask(Method::PATCH, &path, name("Lost"), &[("If-Match", "\"r1\"")]).await.status(), 412);
    assert_eq!(owner.ask(Method::DELETE, &path, None, &[("If-Match", "\"r1\"")]).await.status(), 412);
    assert_eq!(owner.ask(Method::PUT, "/222", name("New"), &[("If-Match", "*")]).await.status(), 404);
    // A change of somebody makes nobody, whatever is asked of it.
    for id in ["/222", &path] {
        assert_eq!(owner.ask(Method::PATCH, id, name("New"), absent).await.status(), 412, "{id}");
    }
    assert_eq!(owner.ask(Method::GET, "/222", None, &[]).await.status(), 404);
    for headers in [
        [("If-Match", "7")].as_slice(),
        &[("If-Match", "\"r1\", \"r2\"")],
        &[("If-Match", "\"r1\" \"")],
        &[("If-Match", "")],
        &[("If-None-Match", "W/\"x\", W/\"r1\"")],
        &[("If-None-Match", "\"r1\"")],
        &[("If-Match", "x"), ("If-None-Match", "*")],
    ] {
        assert_eq!(owner.ask(Method::PUT, &path, name("Lost"), headers).await.status(), 400, "{headers:?}");
    }
    for headers in [
        [("If-Match", "\"x\"")].as_slice(),
        &[("If-Match", "W/\"r2\", \"a,b\"")],
        // Each makes sense; together they never hold.
        &[("If-Match", "*"), ("If-None-Match", "*")],
    ] {
        let stale = told(owner.ask(Method::PUT, &path, name("Lost"), headers).await, 412).await;
        assert_eq!(stale["revision"], 2, "{headers:?}");
    }
    let known = &[("If-Match", "\"x\", \"r2\""), ("If-None-Match", "\"x\"")];
    assert_eq!(told(owner.ask(Method::PUT, &path, name("Rob"), known).await, 200).await["change"], "unchanged");
    assert_eq!(owner.get(BOB).await["display"], "Rob");

    // Of many who saw the same revision, one wins.
    let racing = (0..20).map(|n| {
        let request = owner.app.request(Method::PATCH, &owner.path(&path)).bearer_auth(&owner.tenant.token);
        request.header("If-Match", "\"r2\"").json(&json!({"name": format!("Racer {n}")})).send()
    });
    let statuses: Vec<u16> =
        futures_util::future::join_all(racing).await.into_iter().map(|r| r.unwrap().status().as_u16()).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 412).count(), 19, "{statuses:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_key_has_one_effect_also_when_it_comes_at_once() {
    let owner = Owner::start().await;
    let path = format!("/{BOB}");
    let key = &[("Idempotency-Key", "order 17")];
    let first = owner.ask(Method::PUT, &path, Some(json!({"name": "Bob"})), key).await;
    assert_eq!((first.status().as_u16(), first.headers().get("idempotent-replayed")), (201, None));
    owner.put(BOB, json!({"name": "Renamed since"})).await;
    let again = owner.ask(Method::PUT, &path, Some(json!({"name": "Bob"})), key).await;
    assert_eq!(again.headers()["idempotent-replayed"], "true");
    let again = told(again, 201).await;
    assert_eq!((&again["change"], &again["revision"]), (&json!("created"), &json!(1)));
    assert_eq!(owner.get(BOB).await["display"], "Renamed since");
    for (method, who, body) in [
        (Method::PUT, BOB, json!({"name": "Other"})),
        (Method::PATCH, BOB, json!({"name": "Bob"})),
        (Method::PUT, "222", json!({"name": "Bob"})),
    ] {
        let reused = told(owner.ask(method, &format!("/{who}"), Some(body), key).await, 422).await;
        assert_eq!(reused["code"], "key_reused");
    }
    let delete = &[("Idempotency-Key", "gone")];
    for _ in 0..2 {
        assert_eq!(owner.ask(Method::DELETE, &path, None, delete).await.status(), 200);
    }
    for key in ["", "\u{e9}", &"x".repeat(256)] {
        let refused = owner.ask(Method::PUT, &path, Some(json!({})), &[("Idempotency-Key", key)]).await;
        assert_eq!(refused.status(), 400, "{key:?}");
    }

    let (_, before) = owner.app.head(&owner.tenant).await;
    let racing = (0..30).map(|_| {
        let request = owner.app.request(Method::PUT, &owner.path("/333")).bearer_auth(&owner.tenant.token);
        request.header("Idempotency-Key", "race").json(&json!({"name": "Eve"})).send()
    });
    for response in futures_util::future::join_all(racing).await {
        assert_eq!(response.unwrap().status(), 201);
    }
    assert_eq!(owner.app.head(&owner.tenant).await.1, before + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_survives_a_restart() {
    let mut owner = Owner::start().await;
    let key = &[("Idempotency-Key", "k")];
    owner.ask(Method::PUT, "/111", Some(json!({"name": "Bob"})), key).await;
    owner.app = owner.app.restart().await;
    let again = owner.ask(Method::PUT, "/111", Some(json!({"name": "Bob"})), key).await;
    assert_eq!(again.headers()["idempotent-replayed"], "true");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_walked_by_cursor_in_every_order() {
    let owner = Owner::start().await;
    for n in 0..23 {
        owner.put(&format!("1000{n}"), json!({"name": format!("Name {:02}", (n * 7) % 23)})).await;
    }
    for sort in ["created", "-created", "name", "-name", "chat_id", "-updated", "last_message"] {
        let whole = owner.list(&format!("sort={sort}&limit=1000")).await;
        let (mut walked, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = owner.list(&format!("sort={sort}&limit=5&cursor={cursor}")).await;
            assert_eq!(page["total"], 23);
            walked.extend(page["contacts"].as_array().unwrap().iter().cloned());
            match page["next"].as_str() {
                Some(next) => next.clone_into(&mut cursor),
                None => break,
            }
        }
        assert_eq!(json!(walked), whole["contacts"], "{sort}");
    }
    let names: Vec<_> = (0..23).map(|n| format!("Name {n:02}")).collect();
    let listed = owner.list("sort=name&limit=1000").await;
    let shown: Vec<_> =
        listed["contacts"].as_array().unwrap().iter().map(|c| c["display"].as_str().unwrap().to_owned()).collect();
    assert_eq!(shown, names);
    // A walk in the order of creation misses nobody who was there when it began, whatever is deleted meanwhile.
    let first = owner.list("limit=10").await;
    owner.ask(Method::DELETE, "/10003", None, &[]).await;
    let rest = owner.list(&format!("limit=1000&cursor={}", first["next"].as_str().unwrap())).await;
    assert_eq!(rest["contacts"].as_array().unwrap().len(), 13);
}

#[tokio::test(flavor = "multi_thread")]
async fn search_and_filters_narrow_a_list() {
    let owner = Owner::start().await;
    owner.put("111", json!({"name": "José", "type": "lead", "tags": ["vip", "es"], "source_id": 1})).await;
    owner.put("222", json!({"name": "Eve", "type": "customer", "tags": ["vip"], "blocked": true})).await;
    owner.put("333@lid", json!({"name": "Dan", "company": "Müller", "assigned_id": 9})).await;
    for (query, found) in [
        ("search=jose", vec!["José"]),
        ("search=MULLER", vec!["Dan"]),
        ("search=222", vec!["Eve"]),
        ("tag=vip", vec!["José", "Eve"]),
        ("tag=vi", vec![]),
        ("tag=vip&type=lead", vec!["José"]),
        ("blocked=true", vec!["Eve"]),
        ("blocked=false&tag=vip", vec!["José"]),
        ("source_id=1", vec!["José"]),
        ("assigned_id=9", vec!["Dan"]),
        ("created_since=2020-01-01T00:00:00Z", vec!["José", "Eve", "Dan"]),
        ("updated_since=2999-01-01T00:00:00Z", vec![]),
    ] {
        let page = owner.list(query).await;
        let shown: Vec<_> =
            page["contacts"].as_array().unwrap().iter().map(|c| c["display"].as_str().unwrap()).collect();
        assert_eq!(shown, found, "{query}");
        assert_eq!(page["total"], found.len(), "{query}");
    }
}

#[rstest]
#[case("limit=0", "limit")]
#[case("limit=1001", "limit")]
#[case("limit=x", "limit")]
#[case("sort=colour", "sort")]
#[case("cursor=nonsense", "cursor")]
#[case("cursor=name.MS50eA&sort=created", "cursor")]
#[case("source_id=x", "source_id")]
#[case("type=nobody", "type")]
#[case("blocked=maybe", "blocked")]
#[case("created_since=yesterday", "created_since")]
#[case("serach=bob", "query")]
#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_cannot_be_meant_is_refused(#[case] query: &str, #[case] field: &str) {
    let owner = Owner::start().await;
    let refused = told(owner.ask(Method::GET, &format!("?{query}"), None, &[]).await, 400).await;
    assert_eq!(refused["field"], field);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_has_a_result_for_each_and_can_be_all_or_nothing() {
    let owner = Owner::start().await;
    owner.put("111", json!({"name": "Bob"})).await;
    let rows = json!([
        {"chat_id": "111", "name": "Rob"},
        {"chat_id": "222", "name": "Eve"},
        {"chat_id": "nobody", "name": "x"},
        {"chat_id": "333", "op": "delete"},
        {"chat_id": "444", "source_id": 99},
        {"chat_id": "555", "op": "dance"},
        {"chat_id": "222", "name": "Eve"},
    ]);
    let atomic = json!({"edits": rows, "atomic": true});
    let answer = told(owner.ask(Method::POST, "/batch", Some(atomic), &[]).await, 200).await;
    assert_eq!(answer["stored"], false);
    assert_eq!(owner.app.head(&owner.tenant).await, (1, 1), "nothing was carried out");
    let atomic =
        json!({"edits": [{"chat_id": "222", "name": "Eve"}, {"chat_id": "333", "op": "delete"}], "atomic": true});
    let answer = told(owner.ask(Method::POST, "/batch", Some(atomic), &[]).await, 200).await;
    assert_eq!(answer["results"][0]["error"]["code"], "not_stored");
    assert_eq!(answer["results"][1]["error"]["code"], "no_contact");
    assert_eq!(owner.app.head(&owner.tenant).await, (1, 1));

    let answer = told(owner.ask(Method::POST, "/batch", Some(json!({"edits": rows})), &[]).await, 200).await;
    assert_eq!(answer["stored"], true);
    let words: Vec<_> = answer["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["change"].as_str().or(row["error"]["code"].as_str()).unwrap())
        .collect();
    assert_eq!(words, ["updated", "created", "invalid", "no_contact", "unknown_reference", "invalid", "unchanged"]);
    assert_eq!(owner.app.head(&owner.tenant).await, (2, 3));
    for edits in [json!([]), json!("x"), json!([1]), Value::Null] {
        let refused = owner.ask(Method::POST, "/batch", Some(json!({"edits": edits})), &[]).await;
        assert_eq!(refused.status(), 400, "{edits}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn scopes_tenants_and_the_admin_token() {
    let owner = Owner::start().await;
    owner.put("111", json!({"name": "Bob"})).await;
    let reader = owner.app.limited(&owner.tenant, &["contacts:read"]).await;
    let writer = owner.app.limited(&owner.tenant, &["contacts:read", "contacts:write"]).await;
    let one = owner.path("/111");
    let name = Some(json!({"name": "Rob"}));
    let v1 = |token: String, method: Method, path: String, body: Option<Value>| {
        let app = &owner.app;
        async move { app.v1(&token, method, &path, body).await.status().as_u16() }
    };
    assert_eq!(v1(reader.token.clone(), Method::GET, one.clone(), None).await, 200);
    assert_eq!(v1(reader.token.clone(), Method::PUT, one.clone(), name.clone()).await, 403);
    assert_eq!(v1(writer.token.clone(), Method::PUT, one.clone(), name.clone()).await, 200);
    assert_eq!(v1(writer.token.clone(), Method::DELETE, one.clone(), None).await, 403);
    let batch = Some(json!({"edits": [{"chat_id": "111", "op": "delete"}]}));
    assert_eq!(v1(writer.token.clone(), Method::POST, owner.path("/batch"), batch).await, 403);
    let other = owner.app.instance().await;
    let foreign = owner.app.v1(&other.token, Method::GET, &one, None).await;
    let missing = owner.app.v1(&other.token, Method::GET, "/v1/instances/nobody/contacts/111", None).await;
    assert_eq!((foreign.status(), missing.status()), (401.try_into().unwrap(), 401.try_into().unwrap()));
    assert_eq!(foreign.bytes().await.unwrap(), missing.bytes().await.unwrap());
    assert_eq!(v1(owner.app.admin_token.clone(), Method::GET, one.clone(), None).await, 401);
    assert_eq!(owner.app.head(&owner.tenant).await.0, 1);
}

#[rstest]
#[case(json!({"first_name": 7}), "first_name")]
#[case(json!({"first_name": "x".repeat(256)}), "first_name")]
#[case(json!({"first_name": "a\u{0}b"}), "first_name")]
#[case(json!({"name": "A", "last_name": "B"}), "name")]
#[case(json!({"email": "nobody"}), "email")]
#[case(json!({"email": format!("{}@x.org", "x".repeat(190))}), "email")]
#[case(json!({"country_code": "ESP"}), "country_code")]
#[case(json!({"country_code": "1!"}), "country_code")]
#[case(json!({"country_id": "34"}), "country_id")]
#[case(json!({"country_id": 1.5}), "country_id")]
#[case(json!({"type": "enemy"}), "type")]
#[case(json!({"groups": "1"}), "groups")]
#[case(json!({"groups": ["1"]}), "groups")]
#[case(json!({"tags": ["a", 1]}), "tags")]
#[case(json!({"tags": [" "]}), "tags")]
#[case(json!({"params": []}), "params")]
#[case(json!({"params": {"x": "y".repeat(70_000)}}), "params")]
#[case(json!({"opted_in": "yes"}), "opted_in")]
#[case(json!({"blocked": 1}), "blocked")]
#[case(json!({"description": "x".repeat(10_001)}), "description")]
#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_cannot_be_meant_is_refused_and_nothing_is_written(#[case] body: Value, #[case] field: &str) {
    let owner = Owner::start().await;
    for method in [Method::PUT, Method::PATCH] {
        let refused = told(owner.ask(method, &format!("/{BOB}"), Some(body.clone()), &[]).await, 400).await;
        assert_eq!(refused["field"], field, "{refused}");
    }
    for (field, value) in [("source_id", json!(99)), ("status_id", json!(99)), ("groups", json!([99]))] {
        let refused =
            told(owner.ask(Method::PUT, &format!("/{BOB}"), Some(json!({field: value})), &[]).await, 422).await;
        assert_eq!(refused["code"], "unknown_reference");
    }
    assert_eq!(owner.app.head(&owner.tenant).await, (0, 0));
}
