//! A token that lacks a scope learns no more than that: on every operation, for every single scope, it is let in or
//! refused, and the refusal is the same bytes whether or not there is what it asked for. The admin token's and strangers'
//! refusals are `sealed`'s business.

use std::collections::BTreeMap;

use serde_json::json;

use crate::{
    operations::{self, Asking, Body},
    support::{Tenant, TestApp, text, told},
};

const SCOPES: [&str; 12] = [
    "contacts:read",
    "contacts:write",
    "contacts:delete",
    "groups:read",
    "groups:write",
    "groups:delete",
    "sources:read",
    "sources:write",
    "statuses:read",
    "statuses:write",
    "account:read",
    "instance:admin",
];

#[tokio::test(flavor = "multi_thread")]
async fn on_every_operation_a_token_without_the_scope_learns_only_that() {
    let app = TestApp::start().await;
    let (full, empty) = (app.instance().await, app.instance().await);
    app.save(&full, "123@c.us", "Bob", "Smith").await;
    let webhook = json!({"url": "https://example.com/"});
    let path = format!("/v1/instances/{}/webhooks", full.id);
    let webhook = told(app.v1(&full.token, reqwest::Method::POST, &path, Some(webhook)).await, 201).await;
    let webhook = text(&webhook["webhook_id"]);
    let mut holders = Vec::new();
    for scope in SCOPES {
        holders.push((scope, app.limited(&full, &[scope]).await, app.limited(&empty, &[scope]).await));
    }
    let operations: Vec<_> = operations::all(&mut app.wire()).into_iter().filter(|known| !known.is_public).collect();
    let mut opened_by = BTreeMap::<_, Vec<_>>::new();
    let mut refusals = 0;
    for operation in &operations {
        let object = |there| match operation.objects().next()? {
            "{w}" => Some(if there { &*webhook } else { "whk_0000000000000000" }),
            "{t}" => None,
            _ => Some(if there { "123" } else { "456" }),
        };
        for (scope, within, elsewhere) in &holders {
            let ask = |who: &Tenant, there, body| {
                let asking = Asking { object: object(there), body, ..Asking::new(&who.id, Some(&who.token)) };
                operation.bytes(&mut app.wire(), &asking)
            };
            let refusal = ask(elsewhere, false, Body::Good);
            // Answers to who is let in are other tests' business; here nothing is to be changed by them.
            if refusal.0 == 403 {
                let name = operation.name();
                for told in
                    [ask(within, true, Body::Good), ask(within, false, Body::Good), ask(within, true, Body::None)]
                {
                    assert_eq!(told, refusal, "{scope}: {name}: {}", String::from_utf8_lossy(&told.2));
                    refusals += 1;
                }
            } else if refusal.0 != 401 {
                opened_by.entry(operation.name()).or_default().push(*scope);
            }
        }
    }
    println!("sealed: {refusals} refusals for want of a scope");
    for (operation, scopes) in &opened_by {
        println!("{operation}: {}", scopes.join(" or "));
        assert!(scopes.len() <= 2, "{operation} is open to {scopes:?}");
        let is_of = |family: &str| scopes.iter().all(|scope| scope.starts_with(family));
        let word = |word: &str| operation.contains(word);
        // What is said of whom.
        if word("/tokens") || word("/webhooks") {
            assert!(is_of("instance:"), "{operation}: {scopes:?}");
        } else if operation.starts_with("GET") && word("/contacts") && !word("/companion") {
            assert_eq!(scopes, &["contacts:read"], "{operation}");
        }
    }
    let closed = operations.iter().filter(|operation| !opened_by.contains_key(&operation.name())).count();
    assert_eq!(closed, 5, "what is the admin's");
    assert_eq!(app.name(&full, "123@c.us").await, "Bob Smith");
}
