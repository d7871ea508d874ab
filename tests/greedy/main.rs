//! Slow and greedy clients: hundreds of connections that say nothing, stop in the middle or never read what they asked
//! for; and, next door, noisy neighbours. Each must be closed in time, and good clients are served all the while. Prints how long those had to wait and
//! what memory the server held; asserts neither. `--ignored` for thousands.

mod kinds;
mod neighbours;
#[path = "../support/mod.rs"]
#[expect(dead_code, reason = "the tests over HTTP use the rest")]
mod shared;
mod tongues;

use std::{
    io::{Read as _, Write as _},
    sync::{
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;
use serde_json::json;

use kinds::{Bad, KINDS, Stage};
use shared::{
    rows::Entry,
    server::{Home, Server},
};

/// No bad connection may live longer.
const MOST: Duration = Duration::from_secs(35);
const GOOD_CLIENTS: usize = 4;
/// Milliseconds between two reads of a slow one.
const SLOWLY: u64 = 70;
/// Enough for a stream of events to fill whatever the system takes for a reader who does not read.
const CONTACTS: usize = 10_000;

#[test]
fn bad_clients_are_closed_in_time_and_good_ones_are_served() {
    besiege(60, 50);
}

#[test]
#[ignore = "opens 3,400 connections"]
fn hundreds_of_each_kind_are_closed_in_time_and_good_ones_are_served() {
    besiege(400, 500);
}

#[test]
#[ignore = "opens 13,000 connections"]
fn thousands_of_bad_clients_are_closed_in_time_and_good_ones_are_served() {
    besiege(2_000, 500);
}

fn besiege(of_each_kind: usize, costly: usize) {
    rlimit::increase_nofile_limit(u64::MAX).unwrap();
    let home = Home::new();
    // What stops in the middle of a second head that came with the first is ended like an idle connection.
    let server = home.serve_with(&[("WABOOK_HTTP__KEEP_ALIVE", "25s")]);
    let stage = Stage { address: server.address.clone(), token: server.token(), epoch: fill(&server) };
    let entry = Entry { instance: "demo".into(), token: stage.token.clone() };
    let memory_before = memory(&server);
    let (siege, is_over) = (AtomicBool::new(false), AtomicBool::new(false));
    thread::scope(|scope| {
        let good: Vec<_> = (0..GOOD_CLIENTS)
            .map(|client| {
                scope.spawn({
                    let (server, entry, siege, is_over) = (&server, &entry, &siege, &is_over);
                    move || be_good(server, entry, client, siege, is_over)
                })
            })
            .collect();
        let patient = scope.spawn(|| be_slow(&server));
        wait(Duration::from_secs(2));
        siege.store(true, Ordering::Relaxed);
        let mut bad: Vec<Bad> = Vec::new();
        for kind in KINDS {
            let count = if kind.is_costly { costly } else { of_each_kind };
            bad.extend((0..count).map(|_| Bad::begin(kind, &stage)));
        }
        println!("{} bad connections are open", bad.len());
        let left = until_closed(&mut bad);
        siege.store(false, Ordering::Relaxed);
        is_over.store(true, Ordering::Relaxed);
        let (mut before, mut during) = (waits(), waits());
        for (calm, besieged) in good.into_iter().map(|client| client.join().unwrap()) {
            before.add(calm).unwrap();
            during.add(besieged).unwrap();
        }
        for (when, waits) in [("before", &before), ("during", &during)] {
            let (p50, p99) = (waits.value_at_quantile(0.5), waits.value_at_quantile(0.99));
            println!("good clients {when}: {} answers, p50 {p50} µs, p99 {p99} µs", waits.len());
        }
        patient.join().unwrap();
        println!("memory of the server: {memory_before:?} KiB before, {:?} KiB after", memory(&server));
        assert!(left.is_empty(), "still open after {MOST:?}: {left:?}");
        assert!(!during.is_empty());
    });
    assert!(server.stop().success());
}

/// How many of each kind are still open when the time is over, or nothing sooner.
fn until_closed(bad: &mut Vec<Bad>) -> Vec<(&'static str, usize)> {
    let mut longest = std::collections::BTreeMap::new();
    loop {
        bad.retain_mut(|bad| {
            let is_open = !bad.is_closed();
            if !is_open {
                let lived = bad.age();
                longest
                    .entry(bad.kind.name)
                    .and_modify(|most: &mut Duration| *most = lived.max(*most))
                    .or_insert(lived);
            }
            is_open
        });
        if bad.iter().all(|bad| bad.age() > MOST) {
            break;
        }
        wait(Duration::from_millis(100));
    }
    for (kind, lived) in longest {
        println!("{kind}: closed after {:.1} s at the latest", lived.as_secs_f64());
    }
    let of = |name| bad.iter().filter(|bad| bad.kind.name == name).count();
    KINDS.iter().map(|kind| (kind.name, of(kind.name))).filter(|(_, left)| *left > 0).collect()
}

/// Saves and reads, one after the other, each of which must be answered well; how long the answers took in calm and
/// under siege.
fn be_good(
    server: &Server,
    entry: &Entry,
    client: usize,
    siege: &AtomicBool,
    is_over: &AtomicBool,
) -> (Histogram<u64>, Histogram<u64>) {
    let (mut before, mut during) = (waits(), waits());
    let mut wire = server.wire();
    for number in 0usize.. {
        if is_over.load(Ordering::Relaxed) {
            break;
        }
        let chat_id = format!("{}@c.us", 9_000_000 + client);
        let began = Instant::now();
        let answer = if number.is_multiple_of(2) {
            let names = json!({
                "instance_id": entry.instance, "access_token": entry.token,
                "chatId": chat_id, "firstName": "Good", "lastName": number.to_string(),
            });
            wire.post("/v2/contacts/update", &names).unwrap()
        } else {
            let query = format!("instance_id={}&access_token={}&contactId={chat_id}", entry.instance, entry.token);
            wire.get(&format!("/v2/contacts?{query}")).unwrap()
        };
        assert_eq!(answer.status, 200);
        let took = u64::try_from(began.elapsed().as_micros()).unwrap();
        if siege.load(Ordering::Relaxed) {
            during.record(took).unwrap();
        } else {
            before.record(took).unwrap();
        }
        wait(Duration::from_millis(2));
    }
    (before, during)
}

/// Takes a large answer slowly but steadily, for longer than an unread one is waited for: that is nothing bad.
fn be_slow(server: &Server) {
    let mut stream = kinds::with_little_room(&server.address);
    stream.write_all(b"GET /v1/openapi.json HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n").unwrap();
    let (mut taken, began) = (0, Instant::now());
    let mut piece = [0; 2048];
    loop {
        match stream.read(&mut piece).unwrap() {
            0 => break,
            bytes => taken += bytes,
        }
        wait(Duration::from_millis(SLOWLY));
    }
    println!("a slow client took {taken} bytes in {:.1} s", began.elapsed().as_secs_f64());
    assert!(taken > 500_000, "{taken}");
}

/// A book with much to tell; its epoch.
fn fill(server: &Server) -> String {
    let contacts: Vec<_> = (0..CONTACTS)
        .map(|number| json!({"userNumber": format!("+4915{number:09}"), "userName": format!("Somebody with the number {number}")}))
        .collect();
    let body = json!({"contacts": contacts}).to_string();
    let bearer = format!("Authorization: Bearer {}", server.token());
    let headers = [bearer.as_str(), "x-org-id: demo", "Content-Type: application/json"];
    let mut wire = server.wire();
    let filled = wire.ask("POST /api/whatsapp/contacts/bulk", &headers, body.as_bytes()).unwrap();
    assert_eq!(filled.json()["data"]["imported"], CONTACTS, "{}", filled.text());
    let page = wire.ask("GET /v1/instances/demo/changes?limit=1", &headers[..1], b"").unwrap();
    assert_eq!(page.status, 200, "{}", page.text());
    page.json()["next"].as_str().unwrap().split(':').next().unwrap().to_owned()
}

fn waits() -> Histogram<u64> {
    Histogram::new(3).unwrap()
}

/// Resident memory in KiB, where the system tells.
fn memory(server: &Server) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.id())).ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.split_whitespace().next()?.parse().ok()
}

/// Lets time go by; nothing is waited for here but time itself.
fn wait(time: Duration) {
    let (_keep, never) = mpsc::channel::<()>();
    let _ = never.recv_timeout(time);
}
