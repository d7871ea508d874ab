//! kill -9 in the middle of many writes, again and again: whatever was answered before is there afterwards, and the book
//! is sound. (A killed process leaves the page cache to the system: this proves the order of answer and commit and the
//! recovery, not what a power cut would leave.)

#[path = "../support/mod.rs"]
#[expect(dead_code, reason = "the tests over HTTP use the rest")]
mod shared;

use std::{
    collections::HashMap,
    sync::{Mutex, mpsc},
    thread,
};

use shared::{
    PATIENCE,
    rows::{self, Entry, Row},
    server::{Home, Server},
    wire::is_unanswered,
};

const ROUNDS: usize = 3;

/// How far one connection has come with its rows: all before `answered` were, the one at it may have been carried out.
struct Progress<'rows> {
    rows: Vec<&'rows Row>,
    answered: usize,
    is_open: bool,
}

impl<'rows> Progress<'rows> {
    /// What each contact may be called now: by its last answered row, or by the one under way when the server died.
    fn names(&self) -> HashMap<&'rows str, Vec<String>> {
        let mut names: HashMap<&str, Vec<String>> = HashMap::new();
        for row in &self.rows[..self.answered] {
            if let Some(contact) = &row.contact {
                names.insert(contact, vec![row.name()]);
            }
        }
        let under_way = self.rows.get(self.answered).filter(|_| self.is_open);
        if let Some((row, contact)) = under_way.and_then(|row| Some((row, row.contact.as_deref()?)))
            && let Some(known) = names.get_mut(contact)
        {
            known.push(row.name());
        }
        names
    }
}

/// All connections post from where they stood; after so many answers the server is killed.
fn post_and_kill(server: Server, entry: &Entry, connections: &[Mutex<Progress<'_>>], answers: usize) {
    let (tick, ticks) = mpsc::channel();
    thread::scope(|scope| {
        for progress in connections {
            let (mut wire, tick) = (server.wire(), tick.clone());
            scope.spawn(move || {
                let progress = &mut *progress.lock().unwrap();
                while let Some(&row) = progress.rows.get(progress.answered) {
                    let status = if row.is_good() { 200 } else { 400 };
                    progress.is_open = true;
                    match row.post(&mut wire, entry) {
                        Ok(answer) => assert_eq!(answer.status, status, "{row:?}"),
                        Err(error) => return assert!(is_unanswered(&error), "{error}"),
                    }
                    progress.answered += 1;
                    progress.is_open = false;
                    let _ = tick.send(());
                }
            });
        }
        drop(tick);
        for _ in 0..answers {
            ticks.recv_timeout(PATIENCE).unwrap();
        }
        server.kill();
    });
}

/// A few bits that differ in every run. The same seed kills after the same number of answers.
fn seed() -> u64 {
    // To repeat a run: CRASH_SEED=… cargo test --test crash
    let given = std::env::var_os("CRASH_SEED").map(|seed| seed.to_str().unwrap().parse().unwrap());
    given.unwrap_or_else(|| getrandom::u64().unwrap())
}

#[test]
fn whatever_was_answered_survives_kill_9() {
    let mut seed = seed();
    println!("CRASH_SEED={seed}");
    let (home, rows) = (Home::new(), rows::all());
    let connections: Vec<_> = rows::shards(&rows)
        .into_iter()
        .map(|rows| Mutex::new(Progress { rows, answered: 0, is_open: false }))
        .collect();
    let mut entry = None;
    for round in 1..=ROUNDS {
        let server = home.serve();
        let entry = entry.get_or_insert_with(|| Entry { instance: "demo".into(), token: server.token() });
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let answers = 300 + usize::try_from(seed >> 33).unwrap() % 2_700;
        println!("round {round}: killed after {answers} answers");
        post_and_kill(server, entry, &connections, answers);

        let server = home.serve();
        let mut wire = server.wire();
        for progress in &connections {
            for (contact, names) in progress.lock().unwrap().names() {
                let name = rows::saved_name(&mut wire, entry, contact);
                assert!(names.iter().any(|known| name == known.as_str()), "round {round}: {contact} {name} {names:?}");
            }
        }
        let (contacts, revision) = rows::head(&mut wire, entry);
        assert!(contacts > 0 && contacts <= revision);
        let checked = home.json(&["check"]);
        assert_eq!(checked["sound"], true, "{checked}");
        // Killed as well, without a word: what it repaired at its start must be as durable.
        server.kill();
    }
    assert_eq!(home.json(&["check", "demo"])["sound"], true);
}
