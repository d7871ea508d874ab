//! `GET /v1/instances/{i}/export`: the book as a file, and the file as a book again.

use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{Tenant, TestApp, problem, told};

async fn export(app: &TestApp, tenant: &Tenant, query: &str) -> (String, String, String) {
    let path = format!("/v1/instances/{}/export?{query}", tenant.id);
    let answer = app.v1(&tenant.token, Method::GET, &path, None).await;
    assert_eq!(answer.status(), 200);
    let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
    let (kind, disposition) = (header("content-type"), header("content-disposition"));
    (kind, disposition, answer.text().await.unwrap())
}

async fn import(app: &TestApp, tenant: &Tenant, query: &str, file: String) -> Value {
    let request = app.request(Method::POST, &format!("/v1/instances/{}/import?{query}", tenant.id));
    told(request.bearer_auth(&tenant.token).body(file).send().await.unwrap(), 200).await
}

/// Every contact of a book, without what is each book's own.
async fn contacts(app: &TestApp, tenant: &Tenant) -> Vec<Value> {
    let path = format!("/v1/instances/{}/contacts?limit=1000&sort=chat_id", tenant.id);
    let page = told(app.v1(&tenant.token, Method::GET, &path, None).await, 200).await;
    let mut contacts = page["contacts"].as_array().unwrap().clone();
    for contact in &mut contacts {
        let own = ["id", "uuid", "revision", "created_at", "updated_at", "groups", "source_id", "status_id"];
        let fields = contact.as_object_mut().unwrap();
        own.iter().for_each(|key| drop(fields.remove(*key)));
        for name in ["first", "last", "full"] {
            let text = fields["names"]["saved"][name].clone();
            fields.insert(name.into(), text);
        }
        fields.remove("names");
    }
    contacts
}

/// What makes files difficult.
async fn fill(app: &TestApp, tenant: &Tenant) {
    let edits = json!([
        {"chat_id": "491701234567", "first_name": "=1+1", "last_name": "O'Neill, \"Bob\"", "email": "bob@example.com",
         "company": "ACME; Söhne", "description": "one\ntwo, three; \\four", "tags": ["a;b", "c,d", "'e'"], "labels": ["x y"],
         "params": {"tier": "gold", "n": [1, null], "a.b": {"c": "=d"}}, "opted_in": false, "type": "lead", "city": "Köln",
         "country_code": "DE", "zip": "01234", "address": "Weg 1, Hof", "assigned_id": 7},
        {"chat_id": "555666777@lid", "last_name": "漢字 🌸", "blocked": true, "state": "-NRW"},
        {"chat_id": "123", "description": format!("{} ende", "lang ".repeat(60))},
    ]);
    let path = format!("/v1/instances/{}/contacts/batch", tenant.id);
    let done = told(app.v1(&tenant.token, Method::POST, &path, Some(json!({"edits": edits}))).await, 200).await;
    assert!(done["results"].as_array().unwrap().iter().all(|row| row["change"] == "created"), "{done}");
    let csv = "phone,lid,groups,source,status\n4917099,888999000,\"[\"\"VIP, first\"\",\"\"b\"\"]\",Fair,Hot\n";
    assert_eq!(import(app, tenant, "format=csv&create=true", csv.into()).await["created"], 1);
}

#[rstest]
#[case::csv("format=csv", "text/csv; charset=utf-8")]
#[case::vcard_3("format=vcf", "text/vcard; charset=utf-8")]
#[case::vcard_4("format=vcf&version=4.0", "text/vcard; charset=utf-8")]
#[case::ndjson("format=ndjson", "application/x-ndjson; charset=utf-8")]
#[tokio::test(flavor = "multi_thread")]
async fn a_book_that_was_exported_imports_as_the_same_book(#[case] query: &str, #[case] kind: &str) {
    let app = TestApp::start().await;
    let (from, to) = (app.instance().await, app.instance().await);
    fill(&app, &from).await;
    let (told_kind, disposition, file) = export(&app, &from, query).await;
    let format = &query[7..].split('&').next().unwrap();
    assert_eq!(told_kind, kind);
    assert_eq!(disposition, format!("attachment; filename=\"wabook-{}.{format}\"", from.id));

    let query = format!("format={format}&create=true");
    let report = import(&app, &to, &query, file.clone()).await;
    assert_eq!((&report["created"], &report["failed"]), (&json!(4), &json!(0)), "{report}\n{file}");
    assert_eq!(contacts(&app, &from).await, contacts(&app, &to).await);
    let head = app.head(&from).await;
    assert_eq!(import(&app, &from, &query, file).await["unchanged"], 4, "nor does it change its own book");
    assert_eq!(app.head(&from).await, head);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spreadsheet_finds_no_formula_in_csv() {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    fill(&app, &tenant).await;
    let (_, _, file) = export(&app, &tenant, "format=csv").await;
    assert!(file.starts_with("phone,lid,first_name,last_name,email,"), "{file}");
    assert!(file.contains("\r\n491701234567,,'=1+1,\"O'Neill, \"\"Bob\"\"\",bob@example.com,"), "{file}");
    assert!(file.contains(",'-NRW,") && file.ends_with("\r\n"), "{file}");
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_a_page_comes_whole_and_in_order() {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    let (_, _, empty) = export(&app, &tenant, "format=csv").await;
    assert_eq!(empty.lines().count(), 1, "the header alone");
    assert_eq!(export(&app, &tenant, "format=vcf").await.2, "");
    let file = "phone,name\n".to_owned() + &(0..3_210).map(|n| format!("4917{n:08},P{n}\n")).collect::<String>();
    assert_eq!(import(&app, &tenant, "format=csv", file).await["created"], 3_210);
    let (_, _, lines) = export(&app, &tenant, "format=ndjson").await;
    let phones = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["phone"].clone());
    assert!(phones.eq((0..3_210).map(|n| Value::from(format!("4917{n:08}")))));
    assert_eq!(export(&app, &tenant, "format=vcf").await.2.matches("END:VCARD").count(), 3_210);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_is_for_readers_and_knows_its_words() {
    let app = TestApp::start().await;
    let (tenant, other) = (app.instance().await, app.instance().await);
    let path = |query: &str| format!("/v1/instances/{}/export?{query}", tenant.id);
    let ask = async |token: &str, query: &str, status| {
        problem(app.v1(token, Method::GET, &path(query), None).await, status).await
    };
    let writer = app.limited(&tenant, &["contacts:write"]).await;
    ask(&writer.token, "format=csv", 403).await;
    ask(&other.token, "format=csv", 401).await;
    ask(&tenant.token, "", 400).await;
    ask(&tenant.token, "format=pdf", 400).await;
    ask(&tenant.token, "format=vcf&version=2.1", 400).await;
    ask(&tenant.token, "format=vcf&since=1", 400).await;
}
