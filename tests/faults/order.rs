//! The answer comes after the disk, as the system sees it (strace): between two answers to one client there is a
//! finished fdatasync of the journal with a record from after the book's last write, or of the book's own log; and under many clients one fdatasync serves many answers.

use std::{
    fs,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::{
    shared::{
        PATIENCE,
        rows::Entry,
        server::{Home, Server},
        wire::Wire,
    },
    town::{pause, settle},
    whole_or,
};

const REQUESTS: usize = 200;
const CLIENTS: usize = 64;

struct Trace {
    child: Child,
    path: std::path::PathBuf,
}

impl Trace {
    /// Watches the server; none, with a word of why, where that cannot be done.
    fn begin(home: &Home, server: &Server, calls: &str) -> Option<Self> {
        let (path, said) = (home.path("trace"), home.path("strace"));
        let mut command = Command::new("strace");
        command.args(["-f", "-y", "-s", "16", "-e", &format!("trace={calls}"), "-o"]).arg(&path);
        command.args(["-p", &server.id().to_string()]).stderr(fs::File::create(&said).unwrap()).stdin(Stdio::null());
        let Ok(mut child) = command.spawn() else {
            println!("order: SKIPPED, strace is not installed");
            return None;
        };
        let began = Instant::now();
        loop {
            let said = fs::read_to_string(&said).unwrap();
            if said.contains("attached") {
                return Some(Self { child, path });
            }
            if child.try_wait().unwrap().is_some() || began.elapsed() > PATIENCE {
                println!("order: SKIPPED, strace may not attach: {said}");
                let _ = child.kill();
                return None;
            }
            pause(Duration::from_millis(20));
        }
    }

    /// What was seen, once the server has ended.
    fn lines(mut self) -> Vec<String> {
        self.child.wait().unwrap();
        joined(&fs::read_to_string(&self.path).unwrap())
    }
}

/// A call that another thread's interrupts is two lines; its result stands in the second, and only then has it happened.
fn joined(text: &str) -> Vec<String> {
    let (mut begun, mut lines) = (std::collections::HashMap::new(), Vec::new());
    for line in text.lines() {
        let (thread, call) = line.split_once(' ').unwrap_or((line, ""));
        let call = call.trim_start();
        if let Some(first) = call.strip_suffix("<unfinished ...>") {
            begun.insert(thread, first);
            // An answer leaves when its call begins.
            if first.contains("HTTP/1.1") {
                lines.push(first.to_owned());
            }
        } else if let Some((_, rest)) = call.split_once("resumed>") {
            let first = begun.remove(thread).unwrap_or_default();
            if !first.contains("HTTP/1.1") {
                lines.push(format!("{first}{rest}"));
            }
        } else {
            lines.push(call.to_owned());
        }
    }
    lines
}

fn save(wire: &mut Wire, entry: &Entry, number: usize) {
    let fields = json!({
        "instance_id": entry.instance, "access_token": entry.token,
        "chatId": format!("{}@c.us", 1000 + number), "firstName": format!("n{number}"),
    });
    let answer = wire.post("/v2/contacts/update", &fields).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[test]
fn the_answer_comes_after_the_disk() {
    let home = Home::new();
    let server = home.serve();
    let entry = settle(&mut server.wire(), &home, "traced");
    // Opens the book: what follows is writing and nothing else.
    save(&mut server.wire(), &entry, 0);
    let calls = "fdatasync,fsync,pwrite64,write,writev,sendto,sendmsg";
    let Some(trace) = Trace::begin(&home, &server, calls) else { return };
    let mut wire = server.wire();
    (1..=REQUESTS).for_each(|number| save(&mut wire, &entry, number));
    // In order: a kill would cut the trace off in the midst of a call.
    assert_eq!(server.stop().code(), Some(0));

    let (mut answers, mut is_recorded, mut is_synced, lines) = (0, false, false, trace.lines());
    for (place, line) in lines.iter().enumerate() {
        let (is_log, is_journal) = (line.contains("traced/book.db-wal>"), line.contains("gateway.journal-"));
        let is_sync = line.starts_with("fdatasync(") && line.ends_with("= 0");
        if is_log && line.starts_with("pwrite64(") {
            (is_recorded, is_synced) = (false, false);
        } else if is_journal && line.starts_with("pwrite64(") {
            (is_recorded, is_synced) = (true, false);
        } else if is_sync && (is_log || is_journal && is_recorded) {
            is_synced = true;
        } else if line.contains("HTTP/1.1 200") {
            assert!(is_synced, "answer {answers} left first: {:#?}", &lines[place.saturating_sub(8)..=place]);
            answers += 1;
            is_synced = false;
        }
    }
    println!("order: {answers} answers, each after the fdatasync that covers its write");
    assert_eq!(answers, REQUESTS);
}

#[test]
fn one_sync_serves_many_answers() {
    let writes = whole_or(20_000, 4_000);
    let home = Home::new();
    let server = home.serve();
    let entry = settle(&mut server.wire(), &home, "crowded");
    save(&mut server.wire(), &entry, 0);
    let Some(trace) = Trace::begin(&home, &server, "fdatasync") else { return };
    let next = AtomicUsize::new(1);
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            let mut wire = server.wire();
            let (entry, next) = (&entry, &next);
            scope.spawn(move || {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number > writes {
                        break;
                    }
                    save(&mut wire, entry, number);
                }
            });
        }
    });
    assert_eq!(server.stop().code(), Some(0));
    let lines = trace.lines();
    let covers = |line: &&String| line.contains("crowded/book.db") || line.contains("gateway.journal-");
    let syncs = lines.iter().filter(covers).filter(|line| line.contains("= 0")).count();
    println!("order: {writes} answers to {CLIENTS} clients with {syncs} fdatasyncs: {} each", writes / syncs.max(1));
    assert!(syncs > 0 && writes >= 8 * syncs);
}
