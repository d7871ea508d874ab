//! The good ones of ten thousand rows, posted through Hypersender over eight connections, rows of one contact in order;
//! then WAHA reads the whole book, at once and by pages.

use std::{collections::HashMap, thread};

use serde_json::{Value, json};

use crate::shared::{
    rows,
    server::{Home, Server},
    wire::Wire,
};

fn upsert(wire: &mut Wire, server: &Server, row: &rows::Row) -> u16 {
    let mut body = json!({"chat_id": row.chat_id, "first_name": row.first_name});
    if let Some(last) = &row.last_name {
        body["last_name"] = last.as_str().into();
    }
    let bearer = format!("Authorization: Bearer {}", server.token());
    let headers = [bearer.as_str(), "Content-Type: application/json"];
    wire.ask("POST /api/whatsapp/v2/demo/contacts/upsert", &headers, body.to_string().as_bytes()).unwrap().status
}

fn all(wire: &mut Wire, server: &Server, query: &str) -> Vec<Value> {
    let key = format!("X-Api-Key: {}", server.token());
    let answer = wire.ask(&format!("GET /api/contacts/all?session=default{query}"), &[&key], b"").unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json().as_array().unwrap().clone()
}

#[test]
fn rows_posted_through_hypersender_read_back_through_waha() {
    let (home, rows) = (Home::new(), rows::all());
    let server = home.serve();
    thread::scope(|scope| {
        for shard in rows::shards(&rows) {
            let (mut wire, server) = (server.wire(), &server);
            scope.spawn(move || {
                for row in shard {
                    let expected = if row.is_good() { 200 } else { 422 };
                    assert_eq!(upsert(&mut wire, server, row), expected, "{row:?}");
                }
            });
        }
    });
    let taken = rows.iter().filter(|row| row.is_good());
    let last: HashMap<_, _> = taken.map(|row| (row.contact.clone().unwrap(), row.name())).collect();

    let mut wire = server.wire();
    let whole = all(&mut wire, &server, "");
    let read: HashMap<_, _> = whole
        .iter()
        .map(|contact| (contact["id"].as_str().unwrap().to_owned(), contact["name"].as_str().unwrap().to_owned()))
        .collect();
    assert_eq!(whole.len(), last.len());
    assert!(read == last, "every contact has its last name");

    let mut paged = Vec::new();
    while paged.len() < whole.len() {
        let page = all(&mut wire, &server, &format!("&limit=3000&offset={}", paged.len()));
        assert!(!page.is_empty());
        paged.extend(page);
    }
    assert!(paged == whole, "pages are cuts of the whole");
}
