//! The ten thousand rows through the tongues that have no bulk import of the vendor's: Hypersender's and WAHA's single
//! upsert over eight connections, rows of one contact in order, and the native batch; each read back through another.

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

fn put_through_waha(wire: &mut Wire, server: &Server, row: &rows::Row) -> u16 {
    let mut body = json!({"firstName": row.first_name});
    if let Some(last) = &row.last_name {
        body["lastName"] = last.as_str().into();
    }
    let key = format!("X-Api-Key: {}", server.token());
    let id: String = row.chat_id.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let target = format!("PUT /api/demo/contacts/{id}");
    wire.ask(&target, &[&key, "Content-Type: application/json"], body.to_string().as_bytes()).unwrap().status
}

/// All rows over eight connections; what the server says of the bad ones is `refused`.
fn post_all(server: &Server, rows: &[rows::Row], post: fn(&mut Wire, &Server, &rows::Row) -> u16, refused: &[u16]) {
    thread::scope(|scope| {
        for shard in rows::shards(rows) {
            let mut wire = server.wire();
            scope.spawn(move || {
                for row in shard {
                    let status = post(&mut wire, server, row);
                    assert!(if row.is_good() { status == 200 } else { refused.contains(&status) }, "{status} {row:?}");
                }
            });
        }
    });
}

/// The last name of every contact.
fn expected(rows: &[rows::Row]) -> HashMap<String, String> {
    let taken = rows.iter().filter(|row| row.is_good());
    taken.map(|row| (row.contact.clone().unwrap(), row.name())).collect()
}

fn names(contacts: &[Value]) -> HashMap<String, String> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    contacts.iter().map(|contact| (text(&contact["id"]), text(&contact["name"]))).collect()
}

#[test]
fn rows_posted_through_hypersender_read_back_through_waha() {
    let (home, rows) = (Home::new(), rows::all());
    let server = home.serve();
    post_all(&server, &rows, upsert, &[422]);

    let mut wire = server.wire();
    let whole = all(&mut wire, &server, "");
    assert_eq!(whole.len(), expected(&rows).len());
    assert!(names(&whole) == expected(&rows), "every contact has its last name");

    let mut paged = Vec::new();
    while paged.len() < whole.len() {
        let page = all(&mut wire, &server, &format!("&limit=3000&offset={}", paged.len()));
        assert!(!page.is_empty());
        paged.extend(page);
    }
    assert!(paged == whole, "pages are cuts of the whole");
}

#[test]
fn rows_put_through_waha_read_back_through_hypersender() {
    let (home, rows) = (Home::new(), rows::all());
    let server = home.serve();
    // A chat id that is empty, or a path of its own, is no route.
    post_all(&server, &rows, put_through_waha, &[400, 404, 405]);

    let (mut wire, bearer) = (server.wire(), format!("Authorization: Bearer {}", server.token()));
    let mut read = Vec::new();
    loop {
        let target = format!("GET /api/whatsapp/v2/demo/contacts/get-all?limit=1000&offset={}", read.len());
        let page = wire.ask(&target, &[&bearer], b"").unwrap().json()["data"].as_array().unwrap().clone();
        if page.is_empty() {
            break;
        }
        read.extend(page);
    }
    assert_eq!(read.len(), expected(&rows).len());
    assert!(names(&read) == expected(&rows), "every contact has its last name");
}

#[test]
fn rows_in_native_batches_read_back_through_waha() {
    let (home, rows) = (Home::new(), rows::all());
    let server = home.serve();
    let (mut wire, bearer) = (server.wire(), format!("Authorization: Bearer {}", server.token()));
    for chunk in rows.chunks(1000) {
        let edits: Vec<_> = chunk
            .iter()
            .map(|row| json!({"chat_id": row.chat_id, "first_name": row.first_name, "last_name": row.last_name}))
            .collect();
        let body = json!({"edits": edits}).to_string();
        let target = "POST /v1/instances/demo/contacts/batch";
        let answer = wire.ask(target, &[&bearer, "Content-Type: application/json"], body.as_bytes()).unwrap().json();
        for (row, result) in chunk.iter().zip(answer["results"].as_array().unwrap()) {
            assert_eq!(row.is_good(), result["change"].is_string(), "{row:?} {result}");
        }
    }
    let whole = all(&mut wire, &server, "");
    assert_eq!(whole.len(), expected(&rows).len());
    assert!(names(&whole) == expected(&rows), "every contact has its last name");
}
