//! What phones saw, many at a time: each column has its own writer, time decides, a replay changes nothing, a row that is
//! wrong keeps no other out.

use std::time::Instant;

use reqwest::{Method, StatusCode};
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{Tenant, TestApp, problem, told};

const PHONE: &str = "15551234567@c.us";
const LID: &str = "999888777@lid";
const EARLY: &str = "2026-01-01T00:00:00Z";
const LATE: &str = "2026-02-01T00:00:00Z";

async fn begin() -> (TestApp, Tenant) {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    (app, tenant)
}

/// Of each row its change, or the code of what is wrong with it.
fn said(results: &[Value]) -> Vec<&str> {
    let said = |row: &'_ Value| row["change"].as_str().is_some();
    results
        .iter()
        .enumerate()
        .map(|(index, row)| {
            assert_eq!(row["index"], index, "{row}");
            assert_ne!(said(row), row["error"].is_object(), "{row}");
            row["change"].as_str().or(row["error"]["code"].as_str()).unwrap()
        })
        .collect()
}

fn detail(row: &Value) -> &str {
    row["error"]["detail"].as_str().unwrap_or_else(|| panic!("no error: {row}"))
}

async fn post(app: &TestApp, tenant: &Tenant, body: Value) -> reqwest::Response {
    app.v1(&tenant.token, Method::POST, &format!("/v1/instances/{}/observations", tenant.id), Some(body)).await
}

fn everything() -> Value {
    json!([
        {"chat_id": PHONE, "pushname": "Ali 🌸", "business_name": "Ali & Co", "at": EARLY, "source": "phone-2",
         "saved": {"first": "Alice", "last": "Ñandú"}, "blocked": true, "last_message_at": "2025-12-31T23:00:00Z"},
        {"chat_id": LID, "phone": "+1 555 123 4567", "at": EARLY},
        {"chat_id": "201234567890", "saved": {"full": "Omar Said"}, "at": 1_767_225_600_000_i64},
        {"chat_id": "5511987654321", "pushname": "João", "at": EARLY},
    ])
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_seen_is_kept_with_its_time_and_source_and_a_replay_changes_nothing() {
    let (app, tenant) = begin().await;
    let results = app.observe(&tenant, everything()).await;
    assert_eq!(said(&results), ["created", "learned", "created", "created"]);
    // Who is who is learned before anybody comes into the book.
    assert_eq!((&results[1]["chat_id"], &results[1]["revision"]), (&json!(PHONE), &json!(null)));
    let alice = app.native(&tenant, LID).await;
    let seen = |name: &str| json!({"name": name, "at": "2026-01-01T00:00:00.000Z", "source": "phone-2"});
    assert_eq!(alice["names"]["push"], seen("Ali 🌸"));
    assert_eq!(alice["names"]["business"], seen("Ali & Co"));
    let saved = json!({"first": "Alice", "last": "Ñandú", "full": "Alice Ñandú", "at": "2026-01-01T00:00:00.000Z",
        "source": "phone-2"});
    assert_eq!(alice["names"]["saved"], saved);
    assert_eq!((&alice["blocked"], &alice["last_message_at"]), (&json!(true), &json!("2025-12-31T23:00:00.000Z")));
    assert_eq!((&alice["phone"], &alice["lid"]), (&json!("15551234567"), &json!(LID)));
    let omar = app.native(&tenant, "201234567890").await;
    assert_eq!(omar["names"]["saved"]["source"], "phone-1");
    assert_eq!(omar["names"]["saved"]["at"], "2026-01-01T00:00:00.000Z");

    let before = app.head(&tenant).await;
    for _ in 0..2 {
        let again = app.observe(&tenant, everything()).await;
        assert_eq!(said(&again), ["unchanged"; 4]);
        assert_eq!(app.head(&tenant).await, before);
    }
    // Also without a time: what is seen now is what was seen before.
    let timeless =
        json!([{"chat_id": PHONE, "pushname": "Ali 🌸", "lid": "999888777"}, {"chat_id": LID, "blocked": true}]);
    assert_eq!(said(&app.observe(&tenant, timeless).await), ["unchanged"; 2]);
    assert_eq!(app.head(&tenant).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn time_decides_and_no_writer_touches_anothers_name() {
    let (app, tenant) = begin().await;
    app.save(&tenant, PHONE, "Saved", "Here").await;
    let row = |at: &str, push: &str| json!([{"chat_id": PHONE, "pushname": push, "at": at}]);
    assert_eq!(said(&app.observe(&tenant, row(LATE, "Late")).await), ["updated"]);
    assert_eq!(said(&app.observe(&tenant, row(EARLY, "Early")).await), ["unchanged"]);
    let contact = app.native(&tenant, PHONE).await;
    assert_eq!((&contact["names"]["push"]["name"], &contact["display"]), (&json!("Late"), &json!("Saved Here")));

    // What the phone had before the owner wrote here does not win over it; what it has since does.
    let saved =
        |at: &str, first: &str| json!([{"chat_id": PHONE, "saved": {"first": first}, "blocked": true, "at": at}]);
    let results = app.observe(&tenant, saved(EARLY, "Phone")).await;
    let contact = app.native(&tenant, PHONE).await;
    assert_eq!(contact["names"]["saved"]["full"], "Saved Here", "{results:?}");
    let now = json!([{"chat_id": PHONE, "saved": {"first": "Phone"}}]);
    assert_eq!(said(&app.observe(&tenant, now).await), ["updated"]);
    let contact = app.native(&tenant, PHONE).await;
    assert_eq!((&contact["display"], &contact["names"]["push"]["name"]), (&json!("Phone"), &json!("Late")));
    // The phone has no name any more: the saved one goes, the others stay.
    assert_eq!(said(&app.observe(&tenant, json!([{"chat_id": PHONE, "saved": null}])).await), ["updated"]);
    assert_eq!(app.native(&tenant, PHONE).await["display"], "Late");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_says_nothing_is_no_name_and_makes_nobody() {
    let (app, tenant) = begin().await;
    let rows = json!([
        {"chat_id": "111", "pushname": "-"}, {"chat_id": "222", "pushname": "  "}, {"chat_id": "333", "pushname": "+333"},
        {"chat_id": "444", "saved": null, "blocked": false}, {"chat_id": "555", "pushname": null},
        {"chat_id": "777777@lid", "phone": "666", "pushname": "666", "at": EARLY}, {"chat_id": "888", "saved": {"full": " "}},
    ]);
    let results = app.observe(&tenant, rows.clone()).await;
    let mut expected = ["unchanged"; 7];
    expected[5] = "learned";
    assert_eq!(said(&results), expected);
    assert_eq!(app.head(&tenant).await, (0, 0));
    assert_eq!(said(&app.observe(&tenant, rows).await), ["unchanged"; 7]);
    // Who was only learned of has both ids from the beginning.
    app.save(&tenant, "666", "Six", "").await;
    assert_eq!(app.native(&tenant, "777777@lid").await["display"], "Six");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mapping_makes_two_contacts_one_with_the_newest_of_each_field() {
    let (app, tenant) = begin().await;
    app.observe(
        &tenant,
        json!([
            {"chat_id": PHONE, "pushname": "Old", "saved": {"full": "By Phone"}, "at": EARLY},
            {"chat_id": LID, "pushname": "New", "blocked": true, "at": LATE},
        ]),
    )
    .await;
    assert_eq!(app.head(&tenant).await.0, 2);
    let merge = json!([{"chat_id": PHONE, "lid": LID, "pushname": "Newest"}]);
    let results = app.observe(&tenant, merge.clone()).await;
    assert_eq!(said(&results), ["merged"]);
    assert_eq!(app.head(&tenant).await.0, 1);
    let one = app.native(&tenant, LID).await;
    assert_eq!(one, app.native(&tenant, PHONE).await);
    assert_eq!((&one["names"]["push"]["name"], &one["display"]), (&json!("Newest"), &json!("By Phone")));
    assert_eq!((&one["blocked"], &results[0]["revision"]), (&json!(true), &one["revision"]));
    assert_eq!(said(&app.observe(&tenant, merge).await), ["unchanged"]);
}

/// Names told by a LID go to whoever has it once all that the batch says of it is known, in whichever order it says so.
#[tokio::test(flavor = "multi_thread")]
async fn a_batch_in_which_a_lid_moves_is_the_same_when_sent_again() {
    let (app, tenant) = begin().await;
    app.observe(&tenant, json!([{"chat_id": LID, "phone": "4917099994", "at": LATE}])).await;
    let batch = json!([
        {"chat_id": "4917099999", "pushname": "A", "at": EARLY},
        {"chat_id": LID, "pushname": "B", "saved": {"full": "C D"}, "at": "2026-01-01T00:00:00Z"},
        {"chat_id": LID, "phone": "4917099999", "at": LATE},
    ]);
    assert_eq!(said(&app.observe(&tenant, batch.clone()).await), ["created", "updated", "learned"]);
    let before = (app.head(&tenant).await, app.native(&tenant, LID).await);
    assert_eq!(before.1, app.native(&tenant, "4917099999").await);
    assert_eq!((&before.1["names"]["push"]["name"], &before.1["display"]), (&json!("B"), &json!("C D")));
    assert_eq!(said(&app.observe(&tenant, batch).await), ["unchanged"; 3]);
    assert_eq!(before, (app.head(&tenant).await, app.native(&tenant, LID).await));
}

/// That a phone has no name for somebody waits for whatever else the batch says of them.
#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_takes_a_name_away_before_it_is_given_is_the_same_when_sent_again() {
    let (app, tenant) = begin().await;
    let batch = json!([
        {"chat_id": PHONE, "saved": null, "blocked": false, "at": LATE},
        {"chat_id": PHONE, "pushname": "Ann", "saved": {"full": "Ann Lee"}, "blocked": true, "at": EARLY},
    ]);
    assert_eq!(said(&app.observe(&tenant, batch.clone()).await), ["updated", "created"]);
    let before = app.native(&tenant, PHONE).await;
    assert_eq!((&before["names"]["saved"]["full"], &before["blocked"]), (&json!(null), &json!(false)));
    assert_eq!(said(&app.observe(&tenant, batch).await), ["unchanged"; 2]);
    assert_eq!(before, app.native(&tenant, PHONE).await);
}

/// The newest of what contradicts itself holds; nothing spins, nobody is lost.
#[tokio::test(flavor = "multi_thread")]
async fn mappings_in_a_circle_end_where_the_newest_says() {
    let (app, tenant) = begin().await;
    for (phone, name) in [("111", "One"), ("222", "Two"), ("333", "Three")] {
        app.save(&tenant, phone, name, "").await;
    }
    let map = |lid: &str, phone: &str, second: u32| json!({"chat_id": format!("{lid}@lid"), "phone": phone, "at": format!("2026-01-01T00:00:{second:02}Z")});
    let circle = json!([
        map("7001", "111", 1),
        map("7002", "222", 2),
        map("7001", "222", 3),
        map("7002", "333", 4),
        map("7001", "111", 5),
        map("7003", "111", 6),
        map("7002", "222", 7),
        map("7001", "333", 8),
    ]);
    app.observe(&tenant, circle.clone()).await;
    let phone_of = async |lid: &str| app.native(&tenant, &format!("{lid}@lid")).await["phone"].clone();
    for (lid, phone) in [("7001", "333"), ("7002", "222"), ("7003", "111")] {
        assert_eq!(phone_of(lid).await, phone, "{lid}");
    }
    for (phone, name) in [("111", "One"), ("222", "Two"), ("333", "Three")] {
        assert_eq!(app.native(&tenant, phone).await["display"], name);
    }
    let before = app.head(&tenant).await;
    let mut backwards = circle.as_array().unwrap().clone();
    backwards.reverse();
    app.observe(&tenant, backwards.into()).await;
    assert_eq!(app.head(&tenant).await, before, "the same in any order");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_sighting_does_not_bring_a_deleted_contact_back() {
    let (app, tenant) = begin().await;
    app.observe(&tenant, everything()).await;
    let path = format!("/v1/instances/{}/contacts/{PHONE}", tenant.id);
    assert_eq!(app.v1(&tenant.token, Method::DELETE, &path, None).await.status(), 200);
    let before = app.head(&tenant).await;
    let results = app.observe(&tenant, everything()).await;
    assert_eq!(said(&results)[..2], ["unchanged"; 2], "{results:?}");
    assert_eq!(app.head(&tenant).await, before);
    for id in [PHONE, LID] {
        let path = format!("/v1/instances/{}/contacts/{id}", tenant.id);
        assert_eq!(app.v1(&tenant.token, Method::GET, &path, None).await.status(), 404, "{id}");
    }
    // What is seen from now on does.
    assert_eq!(said(&app.observe(&tenant, json!([{"chat_id": LID, "pushname": "Ali again"}])).await), ["created"]);
    let back = app.native(&tenant, PHONE).await;
    assert_eq!((&back["display"], &back["names"]["saved"]), (&json!("Ali again"), &Value::Null));
}

#[rstest]
#[case(json!({"pushname": "A"}), "chat_id is required")]
#[case(json!({"chat_id": 7, "pushname": "A"}), "chat_id must be a string")]
#[case(json!({"chat_id": "120363025246125486@g.us", "pushname": "A"}), "names a group")]
#[case(json!({"chat_id": "status@broadcast", "pushname": "A"}), "broadcast")]
#[case(json!({"chat_id": "1@newsletter", "pushname": "A"}), "newsletter")]
#[case(json!({"chat_id": "null@c.us", "pushname": "A"}), "not a number")]
#[case(json!({"chat_id": "123"}), "says nothing")]
#[case(json!({"chat_id": "123", "push_name": "misspelt", "phone": "123"}), "says nothing")]
#[case(json!({"chat_id": "123", "lid": "123@c.us"}), "lid")]
#[case(json!({"chat_id": "123@lid", "phone": "456@lid"}), "must be a phone number")]
#[case(json!({"chat_id": "123", "phone": "124", "pushname": "A"}), "another one than that of chat_id")]
#[case(json!({"chat_id": "123", "pushname": 7}), "pushname must be a string")]
#[case(json!({"chat_id": "123", "pushname": "a\nb"}), "control characters")]
#[case(json!({"chat_id": "123", "business_name": "x".repeat(256)}), "255")]
#[case(json!({"chat_id": "123", "saved": "Bob"}), "saved must be an object")]
#[case(json!({"chat_id": "123", "saved": {"first": 1}}), "saved.first must be a string")]
#[case(json!({"chat_id": "123", "blocked": "yes"}), "blocked must be true or false")]
#[case(json!({"chat_id": "123", "pushname": "A", "source": "Not A Word"}), "source must be")]
#[case(json!({"chat_id": "123", "pushname": "A", "at": "yesterday"}), "must be a time")]
#[case(json!({"chat_id": "123", "pushname": "A", "at": true}), "must be a time")]
#[case(json!({"chat_id": "123", "pushname": "A", "at": 1_767_225_600}), "looks like seconds")]
#[case(json!({"chat_id": "123", "pushname": "A", "at": 0}), "before 2009")]
#[case(json!({"chat_id": "123", "pushname": "A", "at": "2008-12-31T23:59:59Z"}), "before 2009")]
#[case(json!({"chat_id": "123", "pushname": "A", "at": "2999-01-01T00:00:00Z"}), "in the future")]
#[case(json!({"chat_id": "123", "pushname": "A", "at": i64::MAX}), "in the future")]
#[case(json!({"chat_id": "123", "last_message_at": "2999-01-01T00:00:00Z"}), "last_message_at lies in the future")]
#[case(json!("123"), "must be an object")]
#[case(json!(null), "must be an object")]
#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_is_wrong_is_told_why_and_keeps_no_other_out(#[case] row: Value, #[case] why: &str) {
    let (app, tenant) = begin().await;
    let good = json!({"chat_id": PHONE, "pushname": "Ali"});
    let results = app.observe(&tenant, json!([row, good])).await;
    assert_eq!(said(&results), ["invalid", "created"]);
    assert!(detail(&results[0]).contains(why), "{results:?}");
    assert_eq!(app.head(&tenant).await, (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_a_little_ahead_never_wins_over_what_is_written_later() {
    let (app, tenant) = begin().await;
    let ahead = jiff::Timestamp::now() + jiff::SignedDuration::from_mins(4);
    let row = json!([{"chat_id": PHONE, "pushname": "A", "saved": {"full": "Ahead"}, "at": ahead.to_string(),
        "last_message_at": ahead.as_millisecond()}]);
    assert_eq!(said(&app.observe(&tenant, row).await), ["created"]);
    let contact = app.native(&tenant, PHONE).await;
    for at in [&contact["names"]["push"]["at"], &contact["names"]["saved"]["at"], &contact["last_message_at"]] {
        let at: jiff::Timestamp = at.as_str().unwrap().parse().unwrap();
        assert!(at <= jiff::Timestamp::now(), "{contact}");
    }
    assert_eq!(said(&app.observe(&tenant, json!([{"chat_id": PHONE, "pushname": "B"}])).await), ["updated"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_wrong_as_a_whole_is_refused_as_a_whole() {
    let (app, tenant) = begin().await;
    assert_eq!(told(post(&app, &tenant, json!({"observations": []})).await, 200).await, json!({"results": []}));
    for (body, field) in [
        (json!({}), "observations"),
        (json!({"observations": null}), "observations"),
        (json!({"observations": {}}), "observations"),
        (json!({"observations": [], "source": "Ä"}), "source"),
    ] {
        assert_eq!(problem(post(&app, &tenant, body).await, 400).await["field"], field);
    }
    assert_eq!(problem(post(&app, &tenant, json!([])).await, 400).await["code"], "malformed");
    let many: Vec<_> = (0..10_001).map(|_| json!(0)).collect();
    assert_eq!(problem(post(&app, &tenant, json!({"observations": many})).await, 413).await["code"], "too_many");
    assert_eq!(app.head(&tenant).await, (0, 0));

    let reader = app.limited(&tenant, &["contacts:read"]).await;
    assert_eq!(post(&app, &reader, json!({"observations": []})).await.status(), StatusCode::FORBIDDEN);
    let stranger = app.instance().await;
    let foreign = Tenant { id: tenant.id.clone(), token: stranger.token.clone() };
    let nowhere = Tenant { id: "nowhere".into(), token: stranger.token };
    let [foreign, nowhere] = [foreign, nowhere].map(|tenant| async {
        let tenant = tenant;
        problem(post(&app, &tenant, json!({"observations": []})).await, 401).await
    });
    assert_eq!(foreign.await, nowhere.await);
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_rows_with_one_bad_are_one_commit_without_it() {
    let (app, tenant) = begin().await;
    let rows: Vec<_> = (0..10_000)
        .map(|n| match n {
            7_777 => json!({"chat_id": "status@broadcast", "pushname": "Nobody"}),
            _ => json!({"chat_id": format!("{}@lid", 700_000_000 + n), "phone": format!("4917{n:07}"), "at": EARLY,
                "pushname": format!("Push {n}"), "saved": {"first": format!("Saved {n}")}, "blocked": n % 2 == 0}),
        })
        .collect();
    let before = Instant::now();
    let results = app.observe(&tenant, json!(rows)).await;
    let first = before.elapsed();
    let wrong: Vec<_> = results.iter().filter(|row| row["error"].is_object()).collect();
    assert_eq!(wrong.len(), 1);
    assert_eq!((&wrong[0]["index"], results.len()), (&json!(7_777), 10_000));
    let (contacts, revision) = app.head(&tenant).await;
    assert_eq!(contacts, 9_999);
    let last = app.native(&tenant, "49170009999").await;
    assert_eq!((&last["lid"], &last["names"]["push"]["name"]), (&json!("700009999@lid"), &json!("Push 9999")));
    assert_eq!((&last["display"], &last["blocked"]), (&json!("Saved 9999"), &json!(false)));
    let before = Instant::now();
    let again = app.observe(&tenant, json!(rows)).await;
    eprintln!("ten thousand rows: {first:?}, again {:?}", before.elapsed());
    assert!(again.iter().all(|row| row["change"] == "unchanged" || row["error"].is_object()));
    assert_eq!(app.head(&tenant).await, (contacts, revision));
}

/// Whatever is claimed of one number, the time it takes grows with the claims and not with their square.
#[rstest]
#[case::one_phone_and_many_lids(|n: u64| json!({"chat_id": format!("{}@lid", 700_000_000 + n), "phone": "111"}))]
#[case::one_lid_and_many_phones(|n: u64| json!({"chat_id": "111222333@lid", "phone": (4_917_000_000_u64 + n).to_string()}))]
#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_claims_of_one_number_do_not_hold_the_book_up(#[case] claim: fn(u64) -> Value) {
    let (app, tenant) = begin().await;
    app.save(&tenant, "111", "One", "").await;
    app.save(&tenant, "111222333@lid", "Lid", "").await;
    let mut spent = Vec::new();
    for round in 0..4 {
        let rows: Vec<_> = (0..2500).map(|n| claim(round * 2500 + n)).collect();
        let before = Instant::now();
        let results = app.observe(&tenant, json!(rows)).await;
        assert!(results.iter().all(|row| row["change"].is_string()));
        spent.push(before.elapsed());
    }
    eprintln!("{spent:?}");
    assert_eq!(app.head(&tenant).await.0, 2);
}

/// The history of a LID is bounded, but not at the price of what it says about others.
#[tokio::test(flavor = "multi_thread")]
async fn a_claim_that_was_outdated_does_not_hold_again_because_history_is_bounded() {
    let (app, tenant) = begin().await;
    let map = |lid: &str, phone: &str, minute: u32| json!({"chat_id": format!("{lid}@lid"), "phone": phone, "at": format!("2026-01-01T00:{minute:02}:00Z")});
    let mut rows = vec![map("7001", "111", 10), map("7002", "111", 20)];
    rows.extend((0..20).map(|n| map("7002", &format!("49170{n:02}"), 30 + n)));
    // Something old about the first LID makes the book look at it again.
    rows.push(map("7001", "222", 5));
    app.observe(&tenant, rows.into()).await;
    let known = told(app.get(&tenant, "/v2/lids/pn/111", &[]).await, 200).await;
    assert_eq!(known["lid"], Value::Null, "{known}");
    let held = told(app.get(&tenant, "/v2/lids/7002@lid", &[]).await, 200).await;
    assert_eq!(held["number"], "4917019");
}
