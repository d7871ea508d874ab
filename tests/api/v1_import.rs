//! `POST /v1/instances/{i}/import`: files in, row by row: what is told of them, what is stored, and what happens when a
//! row, a file or a connection is not whole.

use reqwest::{Method, Response};
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{Tenant, TestApp, problem, told};

async fn send(app: &TestApp, tenant: &Tenant, query: &str, body: impl Into<reqwest::Body>) -> Response {
    let request = app.request(Method::POST, &format!("/v1/instances/{}/import?{query}", tenant.id));
    request.bearer_auth(&tenant.token).body(body).send().await.unwrap()
}

async fn import(app: &TestApp, tenant: &Tenant, query: &str, body: &str) -> Value {
    told(send(app, tenant, query, body.to_owned()).await, 200).await
}

async fn contact(app: &TestApp, tenant: &Tenant, id: &str) -> Value {
    let path = format!("/v1/instances/{}/contacts/{id}", tenant.id);
    told(app.v1(&tenant.token, Method::GET, &path, None).await, 200).await
}

fn counts(report: &Value) -> [u64; 6] {
    ["rows", "created", "updated", "unchanged", "merged", "failed"].map(|key| report[key].as_u64().unwrap())
}

const CSV: &str = "phone,lid,first_name,last_name,email,tags,params.tier,blocked,Shoe size\r\n\
    +49 170 1234567,777888999@lid,Bob,Smith,bob@example.com,vip; new,gold,yes,43\r\n\
    491711111111,,Ann,,,,,,\r\n";

#[rstest]
#[case::csv("csv", CSV)]
#[case::ndjson(
    "ndjson",
    "{\"phone\":\"+491701234567\",\"lid\":\"777888999@lid\",\"first_name\":\"Bob\",\"last_name\":\"Smith\",\
    \"email\":\"bob@example.com\",\"tags\":[\"vip\",\"new\"],\"params\":{\"tier\":\"gold\"},\"blocked\":true,\"shoe\":43}\n\
    {\"chat_id\":\"491711111111@c.us\",\"name\":\"Ann\"}"
)]
#[case::vcard(
    "vcf",
    "BEGIN:VCARD\nVERSION:4.0\nN:Smith;Bob;;;\nFN:Bob Smith\nTEL;VALUE=uri:tel:+49-170-1234567\n\
    X-WABOOK-LID:777888999\nEMAIL:bob@example.com\nCATEGORIES:vip,new\nX-WABOOK-PARAMS:{\"tier\":\"gold\"}\n\
    X-WABOOK-BLOCKED:true\nBDAY:1970\nEND:VCARD\nBEGIN:VCARD\nVERSION:3.0\nFN:Ann\nTEL:+491711111111\nEND:VCARD\n"
)]
#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_stored_and_the_same_file_again_changes_nothing(#[case] format: &str, #[case] file: &str) {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    let report = import(&app, &tenant, &format!("format={format}"), file).await;
    assert_eq!(counts(&report), [2, 2, 0, 0, 0, 0], "{report}");
    assert_eq!((&report["complete"], &report["dry_run"]), (&json!(true), &json!(false)));
    assert_eq!(report["ignored"].as_array().unwrap().len(), 1, "{report}");

    let bob = contact(&app, &tenant, "777888999@lid").await;
    assert_eq!(bob["chat_id"], "491701234567@c.us");
    let saved = &bob["names"]["saved"];
    assert_eq!((&saved["first"], &saved["last"], &saved["source"]), (&json!("Bob"), &json!("Smith"), &json!("import")));
    assert_eq!((&bob["tags"], &bob["params"]), (&json!(["vip", "new"]), &json!({"tier": "gold"})));
    assert_eq!((&bob["email"], &bob["blocked"]), (&json!("bob@example.com"), &json!(true)));

    let head = app.head(&tenant).await;
    assert_eq!(head.0, 2);
    let again = import(&app, &tenant, &format!("format={format}"), file).await;
    assert_eq!(counts(&again), [2, 0, 0, 2, 0, 0], "{again}");
    assert_eq!(app.head(&tenant).await, head, "no revision has moved");
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_rows_with_a_bad_one_among_them() {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    let row = |n: usize| match n {
        7777 => "0049,Nobody\n".to_owned(),
        n => format!("4917{n:08},Person {n}\n"),
    };
    let file = "phone,name\n".to_owned() + &(0..10_000).map(row).collect::<String>();
    let report = import(&app, &tenant, "format=csv", &file).await;
    assert_eq!(counts(&report), [10_000, 9_999, 0, 0, 0, 1]);
    let error = &report["errors"][0];
    assert_eq!((&error["line"], &error["code"]), (&json!(7779), &json!("invalid")), "{error}");
    assert!(error["detail"].as_str().unwrap().starts_with("phone begins with 00"), "{error}");
    assert_eq!(app.head(&tenant).await, (9_999, 9_999));
    let again = import(&app, &tenant, "format=csv", &file).await;
    assert_eq!(counts(&again), [10_000, 0, 0, 9_999, 0, 1]);
    assert_eq!(app.head(&tenant).await, (9_999, 9_999));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_tells_everything_and_stores_nothing() {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    import(&app, &tenant, "format=csv", "phone,name\n4917011,Ann\n4917012,Bob\n").await;
    let before = app.head(&tenant).await;
    let file = "phone,name,groups,email\n4917011,Ann,,\n4917012,Rob,,\n4917013,Eve,Friends,\n4917014,Dan,,nonsense\n";
    let report = import(&app, &tenant, "format=csv&dry_run=true&create=true", file).await;
    assert_eq!(counts(&report), [4, 1, 1, 1, 0, 1], "{report}");
    assert_eq!((&report["dry_run"], &report["errors"][0]["line"]), (&json!(true), &json!(5)));
    assert_eq!(app.head(&tenant).await, before);
    let report = import(&app, &tenant, "format=csv&create=true", file).await;
    assert_eq!(counts(&report), [4, 1, 1, 1, 0, 1], "what was foretold");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_of_groups_and_sources_lead_to_them_or_make_them() {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    let file = "phone,groups,source,status\n4917011,Friends; VIP,Fair,Hot\n4917012,friends,FAIR,hot\n";
    let refused = import(&app, &tenant, "format=csv", file).await;
    assert_eq!(counts(&refused), [2, 0, 0, 0, 0, 2]);
    assert!(refused["errors"][0]["detail"].as_str().unwrap().contains("create=true"), "{refused}");
    let report = import(&app, &tenant, "format=csv&create=true", file).await;
    assert_eq!(counts(&report), [2, 2, 0, 0, 0, 0], "{report}");
    let (one, two) = (contact(&app, &tenant, "4917011").await, contact(&app, &tenant, "4917012").await);
    assert_eq!((&one["source_id"], &one["status_id"]), (&two["source_id"], &two["status_id"]));
    assert_eq!(one["groups"].as_array().unwrap().len(), 2);
    assert_eq!(one["groups"][0], two["groups"][0]);
    // To make groups is more than to write contacts.
    let writer = app.limited(&tenant, &["contacts:write"]).await;
    assert_eq!(problem(send(&app, &writer, "format=csv&create=true", file).await, 403).await["code"], "forbidden");
    assert_eq!(counts(&import(&app, &writer, "format=csv", file).await), [2, 0, 0, 2, 0, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_with_both_ids_makes_two_contacts_one() {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    import(&app, &tenant, "format=csv", "phone,lid,first_name\n4917011,,Ann\n,555666777,Annie\n").await;
    assert_eq!(app.head(&tenant).await.0, 2);
    let report = import(&app, &tenant, "format=csv", "phone,lid,last_name\n4917011,555666777,Lee\n").await;
    assert_eq!(counts(&report), [1, 0, 0, 0, 1, 0], "{report}");
    assert_eq!(app.head(&tenant).await.0, 1);
    assert_eq!(contact(&app, &tenant, "555666777@lid").await["names"]["saved"]["last"], "Lee");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_cell_keeps_unless_it_is_to_clear() {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    import(&app, &tenant, "format=csv", "phone,name,email,company\n4917011,Ann,a@example.com,ACME\n").await;
    let file = "phone,name,email\n4917011,,\n";
    assert_eq!(counts(&import(&app, &tenant, "format=csv", file).await), [1, 0, 0, 1, 0, 0]);
    assert_eq!(counts(&import(&app, &tenant, "format=csv&empty=clear", file).await), [1, 0, 1, 0, 0, 0]);
    let ann = contact(&app, &tenant, "4917011").await;
    assert_eq!(
        (&ann["names"]["saved"]["full"], &ann["email"], &ann["company"]),
        (&Value::Null, &Value::Null, &json!("ACME"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_breaks_off_tells_how_far_it_came() {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    let file = "phone,name\n".to_owned() + &(0..2000).map(|n| format!("4917{n:08},Person {n}\n")).collect::<String>();
    let mut wire = app.wire();
    let head = format!(
        "POST /v1/instances/{}/import?format=csv HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\
         Content-Length: {}\r\n\r\n{file}4918",
        tenant.id,
        tenant.token,
        file.len() + 100
    );
    let answer = std::thread::spawn(move || {
        wire.send(head.as_bytes()).unwrap();
        wire.finish_sending().unwrap();
        wire.answer().unwrap()
    });
    let answer = tokio::task::spawn_blocking(move || answer.join().unwrap()).await.unwrap();
    assert_eq!(answer.status, 400, "{}", answer.text());
    let told = answer.json();
    assert_eq!((&told["code"], &told["import"]["complete"]), (&json!("malformed"), &json!(false)), "{told}");
    assert_eq!((&told["import"]["created"], &told["import"]["last_line"]), (&json!(2000), &json!(2001)), "{told}");
    assert_eq!(app.head(&tenant).await.0, 2000, "what was stored stays");
    let again = import(&app, &tenant, "format=csv", &file).await;
    assert_eq!(counts(&again), [2000, 0, 0, 2000, 0, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_may_be_larger_than_any_other_and_must_not_stand_still() {
    let folder = tempfile::TempDir::new().unwrap();
    let app = TestApp::start_with(folder, |config| {
        config.http.body_limit = 1024;
        config.limits.bulk_body = 1024;
        config.http.body_timeout = std::time::Duration::from_millis(300);
    })
    .await;
    let tenant = app.instance().await;
    let note = "x".repeat(1000);
    let file = "phone,notes\n".to_owned() + &(0..500).map(|n| format!("4917{n:08},{note}\n")).collect::<String>();
    assert_eq!(import(&app, &tenant, "format=csv", &file).await["created"], 500);

    let mut wire = app.wire();
    let head = format!(
        "POST /v1/instances/{}/import?format=csv HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Length: 900000\r\n\r\n\
         phone,name\n4918011,Ann\n49",
        tenant.id, tenant.token
    );
    let answer = tokio::task::spawn_blocking(move || {
        wire.send(head.as_bytes()).unwrap();
        wire.answer().unwrap()
    });
    let answer = answer.await.unwrap();
    assert_eq!((answer.status, &answer.json()["import"]["created"]), (408, &json!(1)), "{}", answer.text());
}

/// Each byte comes in time, and yet it would take days: a place among the few imports is not held like that.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_must_not_drip_either() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    let folder = tempfile::TempDir::new().unwrap();
    let timeout = std::time::Duration::from_millis(300);
    let app = TestApp::start_with(folder, |config| config.http.body_timeout = timeout).await;
    let tenant = app.instance().await;
    let (mut answers, mut drops) = tokio::net::TcpStream::connect(app.address()).await.unwrap().into_split();
    let head = format!(
        "POST /v1/instances/{}/import?format=csv HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Length: 900000\r\n\r\n",
        tenant.id, tenant.token
    );
    drops.write_all(head.as_bytes()).await.unwrap();
    let dripping = async {
        for _ in 0..600 {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            let _ = drops.write_all(b"4").await;
        }
    };
    let mut answer = [0; 12];
    tokio::select! {
        read = answers.read_exact(&mut answer) => assert_eq!((read.unwrap(), &answer), (12, b"HTTP/1.1 408")),
        () = dripping => panic!("it might drip for ever"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_a_file_is_refused_with_what_would_do() {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    for (query, body, status, says) in [
        ("format=csv", "name\nBob\n", 400, "usernumber"),
        ("format=csv", "", 400, "usernumber"),
        ("format=xls", "x", 400, "csv, vcf or ndjson"),
        ("", "phone\n1\n", 415, "text/vcard"),
        ("format=csv&dryrun=1", "phone\n4917011\n", 400, "dry_run"),
        ("format=csv&empty=maybe", "phone\n4917011\n", 400, "keep or clear"),
    ] {
        let refusal = problem(send(&app, &tenant, query, body).await, status).await;
        assert!(refusal["detail"].as_str().unwrap().contains(says), "{query}: {refusal}");
    }
    assert_eq!(app.head(&tenant).await, (0, 0));
    assert_eq!(counts(&import(&app, &tenant, "format=vcf", "").await), [0; 6]);
    let by_type = app.request(Method::POST, &format!("/v1/instances/{}/import", tenant.id)).bearer_auth(&tenant.token);
    let sent = by_type.header("content-type", "text/csv; charset=utf-8").body("phone\n4917011\n").send().await.unwrap();
    assert_eq!(told(sent, 200).await["created"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_is_refused_before_the_file_is_read() {
    let app = TestApp::start().await;
    let (tenant, other) = (app.instance().await, app.instance().await);
    let reader = app.limited(&tenant, &["contacts:read"]).await;
    let foreign = Tenant { id: tenant.id.clone(), token: other.token.clone() };
    for (guest, status) in [(&reader, 403), (&foreign, 401)] {
        problem(send(&app, guest, "format=csv", CSV).await, status).await;
    }
    let writer = app.limited(&tenant, &["contacts:write"]).await;
    assert_eq!(import(&app, &writer, "format=csv", CSV).await["created"], 2);
    let admin = Tenant { id: tenant.id.clone(), token: app.admin_token.clone() };
    assert_eq!(import(&app, &admin, "format=csv", CSV).await["unchanged"], 2, "who makes tokens may do it without one");
    let nowhere = Tenant { id: "nowhere".into(), token: app.admin_token.clone() };
    problem(send(&app, &nowhere, "format=csv", CSV).await, 404).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_third_file_at_the_same_time_is_asked_to_wait() {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    let head = format!(
        "POST /v1/instances/{}/import?format=csv HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Length: 11\r\n\r\n",
        tenant.id, tenant.token
    );
    // Whoever comes between two of these takes a turn from one: so more of them come until both turns are theirs.
    let mut waiting = Vec::new();
    for attempt in 0.. {
        let mut wire = app.wire();
        wire.send(head.as_bytes()).unwrap();
        waiting.push(wire);
        let status = send(&app, &tenant, "format=csv", "phone\n4917011\n").await.status();
        if status == 503 {
            break;
        }
        assert!(status == 200 && attempt < 100);
    }
    for mut wire in waiting {
        let answer = tokio::task::spawn_blocking(move || {
            wire.send(b"phone\n49170").unwrap();
            wire.answer().unwrap()
        });
        assert!([200, 503].contains(&answer.await.unwrap().status));
    }
    assert_eq!(import(&app, &tenant, "format=csv", "phone\n4917011\n").await["complete"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_imported_contact_reads_back_in_every_dialect() {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    let file = "First Name,Last Name,Labels,E-mail 1 - Value,Phone 1 - Label,Phone 1 - Value\n\
        Bob,Smith,* myContacts,bob@example.com,Mobile,+49 170 1234567\n";
    assert_eq!(import(&app, &tenant, "format=csv", file).await["created"], 1);
    assert_eq!(app.name(&tenant, "491701234567").await, "Bob Smith");
    for (path, name) in [
        (format!("/api/whatsapp/v2/{}/contacts/get?chat_id=491701234567", tenant.id), "/data/name"),
        (format!("/api/{}/contacts/491701234567@c.us", tenant.id), "/name"),
        ("/api/v2/contacts/1".to_owned(), "/data/firstname"),
        ("/api/whatsapp/contacts?search=491701234567".to_owned(), "/data/contacts/0/name"),
    ] {
        let request = app.request(Method::GET, &path).bearer_auth(&tenant.token);
        let request = request.header("x-api-key", &tenant.token).header("x-org-id", &tenant.id);
        let shown = told(request.send().await.unwrap(), 200).await;
        let name = shown.pointer(name).and_then(Value::as_str).unwrap_or_else(|| panic!("{path}: {shown}"));
        assert!(name == "Bob Smith" || name == "Bob", "{path}: {shown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_stored_while_the_rest_is_on_its_way_and_others_are_served() {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    let file = "phone,name\n".to_owned() + &(0..20_000).map(|n| format!("4917{n:08},Person {n}\n")).collect::<String>();
    let (most, rest) = file.split_at(file.len() - 1000);
    let head = format!(
        "POST /v1/instances/{}/import?format=csv HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Length: {}\r\n\r\n{most}",
        tenant.id,
        tenant.token,
        file.len()
    );
    let (mut wire, rest) = (app.wire(), rest.to_owned());
    let mut wire =
        tokio::task::spawn_blocking(move || wire.send(head.as_bytes()).map(|()| wire).unwrap()).await.unwrap();
    for attempt in 0.. {
        assert!(attempt < 600, "nothing is stored before the end");
        if app.head(&tenant).await.0 > 10_000 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    app.save(&tenant, "123@c.us", "Bob", "Smith").await;
    assert_eq!(app.name(&tenant, "491700000000").await, "Person 0");
    let answer = tokio::task::spawn_blocking(move || {
        wire.send(rest.as_bytes()).unwrap();
        wire.answer().unwrap()
    });
    assert_eq!(answer.await.unwrap().json()["created"], 20_000);
}
