//! Ten thousand rows as they come from a CRM, posted to the running program over eight connections: good ones are
//! saved, bad ones refused, and the book then holds exactly what the rows say.

use std::{collections::HashSet, process::Command, thread};

use serde_json::Value;

use crate::shared::{
    rows::{self, Entry, Row},
    server::{Home, Server},
    wire::Wire,
    within,
};

fn demo(server: &Server) -> Entry {
    Entry { instance: "demo".into(), token: server.token() }
}

/// Each connection's rows, at the same time.
fn on_all_connections<'rows>(server: &Server, rows: &'rows [Row], work: impl Fn(&mut Wire, &'rows Row) + Sync) {
    thread::scope(|scope| {
        for shard in rows::shards(rows) {
            let (mut wire, work) = (server.wire(), &work);
            scope.spawn(move || shard.into_iter().for_each(|row| work(&mut wire, row)));
        }
    });
}

fn ids_in_the_book(wire: &mut Wire, entry: &Entry) -> Vec<String> {
    let mut ids = Vec::new();
    loop {
        let Entry { instance, token } = entry;
        let window = format!("limit=1000&offset={}&sortBy=id&instance_id={instance}&access_token={token}", ids.len());
        let page = wire.get(&format!("/v2/contacts/all?{window}")).unwrap().json();
        let listed = page.as_array().unwrap();
        if listed.is_empty() {
            return ids;
        }
        ids.extend(listed.iter().map(|contact| contact["id"].as_str().unwrap().to_owned()));
    }
}

#[test]
fn ten_thousand_rows_are_saved_refused_and_read_back() {
    let (home, rows) = (Home::new(), rows::all());
    let server = home.serve();
    let entry = demo(&server);
    assert_eq!(rows.len(), 10_000);

    on_all_connections(&server, &rows, |wire, row| {
        let answer = row.post(wire, &entry).unwrap();
        if row.is_good() {
            assert_eq!((answer.status, answer.text()), (200, r#"{"ok": true}"#.to_owned()), "{row:?}");
        } else {
            assert_eq!(answer.status, 400, "{row:?}");
            assert!(!answer.json()["message"].as_str().unwrap().is_empty(), "{row:?}");
        }
    });

    let last = rows::last_of_each(&rows);
    let read_back = |wire: &mut Wire, row: &Row| {
        // Of each contact, once.
        let Some(contact) = row.contact.as_deref().filter(|contact| std::ptr::eq(last[contact], row)) else { return };
        assert_eq!(rows::saved_name(wire, &entry, contact), row.name(), "{row:?}");
    };
    on_all_connections(&server, &rows, read_back);

    let mut wire = server.wire();
    let ids = ids_in_the_book(&mut wire, &entry);
    assert_eq!(ids.len(), last.len());
    assert_eq!(ids.iter().map(String::as_str).collect::<HashSet<_>>(), last.keys().copied().collect());
    let before = rows::head(&mut wire, &entry);
    assert_eq!(before.0, last.len() as u64);

    on_all_connections(&server, &rows, |wire, row| {
        if row.contact.as_deref().is_some_and(|contact| std::ptr::eq(last[contact], row)) {
            assert_eq!(row.post(wire, &entry).unwrap().status, 200, "{row:?}");
        }
    });
    assert_eq!(rows::head(&mut wire, &entry), before, "saying the same again changes nothing");

    drop(wire);
    assert!(server.stop().success());
    let server = home.serve();
    on_all_connections(&server, &rows, read_back);
    let checked = home.json(&["check", "demo"]);
    assert_eq!((&checked["sound"], &checked["instances"][0]["contacts"]), (&true.into(), &Value::from(before.0)));
}

#[test]
fn the_example_script_finds_nothing_wrong() {
    if Command::new("python3").arg("--version").output().is_err() {
        eprintln!("not run: there is no python3");
        return;
    }
    let home = Home::new();
    let server = home.serve();
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/contacts-10k.ndjson");
    let some = std::fs::read_to_string(fixtures).unwrap().lines().take(1_000).collect::<Vec<_>>().join("\n");
    std::fs::write(home.path("some.ndjson"), some).unwrap();
    let mut script = Command::new("python3");
    script
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/post_contacts.py"))
        .args(["--base-url", &format!("http://{}", server.address), "--instance", "demo", "--token", &server.token()])
        .args(["--connections", "4", "--file"])
        .arg(home.path("some.ndjson"));
    let output = within("the script", move || script.output().unwrap());
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");

    // A row that says another name than it will be found with, and the script notices.
    let wrong = r#"{"chatId": "120363025246125486@g.us", "firstName": "A", "expect": "ok", "contact": "1@c.us"}"#;
    std::fs::write(home.path("wrong.ndjson"), wrong).unwrap();
    let mut script = Command::new("python3");
    script
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/post_contacts.py"))
        .args(["--base-url", &format!("http://{}", server.address), "--instance", "demo", "--token", &server.token()])
        .arg("--file")
        .arg(home.path("wrong.ndjson"));
    assert_eq!(within("the script", move || script.output().unwrap()).status.code(), Some(1));
}
