//! The end of a run: SIGTERM under load, what was answered is on disk, and no second process on the same folder.

use std::{
    io,
    net::TcpStream,
    sync::{Mutex, mpsc},
    thread,
};

use serde_json::{Value, json};

use crate::shared::{
    PATIENCE,
    rows::{self, Entry},
    server::{Home, Server},
    wire::{Wire, is_unanswered},
};

fn demo(server: &Server) -> Entry {
    Entry { instance: "demo".into(), token: server.token() }
}

/// Waits until the server takes no connections any more.
fn until_closed_to_newcomers(server: &Server) {
    let began = std::time::Instant::now();
    while TcpStream::connect(&server.address).is_ok() {
        assert!(began.elapsed() < PATIENCE, "the server still takes connections");
        thread::yield_now();
    }
}

fn save(wire: &mut Wire, entry: &Entry, number: usize) -> io::Result<u16> {
    let fields = json!({
        "instance_id": entry.instance, "access_token": entry.token,
        "chatId": format!("{number}@c.us"), "firstName": "Number", "lastName": number.to_string(),
    });
    wire.post("/v2/contacts/update", &fields).map(|answer| answer.status)
}

#[test]
fn under_load_every_answer_is_whole_and_on_disk() {
    const CLIENTS: usize = 16;
    let home = Home::new();
    let server = home.serve();
    let entry = demo(&server);
    let (answered, breaks) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    let (tick, ticks) = mpsc::channel();
    thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (mut wire, tick) = (server.wire(), tick.clone());
            let (entry, answered, breaks) = (&entry, &answered, &breaks);
            scope.spawn(move || {
                for number in (0..).map(|n| 1_000 + n * CLIENTS + client) {
                    match save(&mut wire, entry, number) {
                        Ok(200) => answered.lock().unwrap().push(number),
                        // Told in so many words that nothing was done.
                        Ok(status) => assert_eq!(status, 503),
                        Err(error) => return breaks.lock().unwrap().push((number, error)),
                    }
                    let _ = tick.send(());
                }
            });
        }
        for _ in 0..500 {
            ticks.recv_timeout(PATIENCE).unwrap();
        }
        server.ask_to_stop();
    });
    let status = server.ended();
    assert_eq!(status.code(), Some(0), "{}", home.log());
    // Each client ends with a connection that is closed between two answers, never within one.
    let breaks = breaks.into_inner().unwrap();
    assert_eq!(breaks.len(), CLIENTS);
    for (_, error) in &breaks {
        assert!(is_unanswered(error), "{error}");
    }

    let server = home.serve();
    let mut wire = server.wire();
    let answered = answered.into_inner().unwrap();
    assert!(answered.len() >= 400, "{}", answered.len());
    for number in answered {
        let name = rows::saved_name(&mut wire, &entry, &format!("{number}@c.us"));
        assert_eq!(name, format!("Number {number}"));
    }
    for (number, _) in breaks {
        let name = rows::saved_name(&mut wire, &entry, &format!("{number}@c.us"));
        assert_eq!(name, Value::Null, "what was carried out was answered");
    }
    assert_eq!(home.json(&["check"])["sound"], true);
}

#[test]
fn a_request_whose_head_was_accepted_is_answered() {
    let home = Home::new();
    let server = home.serve();
    let Entry { instance, token } = demo(&server);
    let body = json!({"chatId": "123@c.us", "firstName": "Bob", "lastName": "Smith"}).to_string();
    let head = format!(
        "POST /v2/contacts/update?instance_id={instance}&access_token={token} HTTP/1.1\r\nHost: x\r\n\
         Content-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let (mut wire, mut idle) = (server.wire(), server.wire());
    assert_eq!(idle.get("/healthz").unwrap().status, 200);
    wire.send(head.as_bytes()).unwrap();
    assert_eq!(wire.answer().unwrap().status, 100, "the head was accepted");

    server.ask_to_stop();
    until_closed_to_newcomers(&server);
    assert!(idle.is_closed(), "an idle connection does not keep the server");
    wire.send(body.as_bytes()).unwrap();
    let answer = wire.answer().unwrap();
    assert_eq!((answer.status, answer.text()), (200, r#"{"ok": true}"#.to_owned()));
    assert!(wire.is_closed());
    assert_eq!(server.ended().code(), Some(0));

    let server = home.serve();
    let entry = Entry { instance, token };
    assert_eq!(rows::saved_name(&mut server.wire(), &entry, "123@c.us"), "Bob Smith");
}

#[test]
fn a_client_that_stalls_keeps_the_server_no_longer_than_its_grace() {
    let home = Home::new();
    let server = home.serve_with(&[("WABOOK_HTTP__GRACE", "1s")]);
    let mut wire = server.wire();
    let head = "POST /v2/contacts/update HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n";
    wire.send(head.as_bytes()).unwrap();
    assert_eq!(wire.answer().unwrap().status, 100);
    assert_eq!(server.stop().code(), Some(0));
    assert_eq!(home.json(&["check"])["sound"], true);
}

#[test]
fn an_interrupt_ends_it_in_order_too() {
    let home = Home::new();
    let server = home.serve();
    server.signal("INT");
    assert_eq!(server.ended().code(), Some(0));
    assert!(!home.sessions().join("gateway.run").exists(), "no note of a server that is gone");
}

#[test]
fn a_second_process_on_the_folder_is_told_who_holds_it() {
    let home = Home::new();
    let server = home.serve();
    let complaint = home.complaint(&["serve", "--listen", "127.0.0.1:0"]);
    assert!(complaint.contains("in use") && complaint.contains(&format!("process {}", server.id())), "{complaint}");
    assert_eq!(complaint.lines().filter(|line| line.starts_with("wabook: ")).count(), 1, "{complaint}");
    let complaint = home.complaint(&["serve", "--listen", "127.0.0.1:0", "--json"]);
    let said: Value = serde_json::from_str(complaint.lines().last().unwrap()).unwrap();
    assert!(said["error"].as_str().unwrap().contains(&format!("process {}", server.id())), "{complaint}");
    assert_eq!(server.wire().get("/readyz").unwrap().status, 200, "the first is not disturbed");
    assert!(server.stop().success());
    assert!(home.serve().stop().success(), "now the folder is free");
}

#[test]
fn a_killed_server_leaves_the_folder_free() {
    let home = Home::new();
    let server = home.serve();
    let entry = demo(&server);
    assert_eq!(save(&mut server.wire(), &entry, 123).unwrap(), 200);
    server.kill();
    assert_eq!(
        home.json(&["instance", "show", "demo"])["contacts"],
        1,
        "an errand finds no server and opens the folder"
    );
    let server = home.serve();
    assert_eq!(rows::saved_name(&mut server.wire(), &entry, "123@c.us"), "Number 123");
}
