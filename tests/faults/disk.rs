//! A disk that fails once and a disk that is full: whoever is concerned is told, nobody else notices, and nothing needs a
//! restart.

use std::{
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::{
    shared::{
        rows::Entry,
        server::{Home, Server},
        wire::{Answer, Wire},
    },
    shim, shown,
    town::{pause, settle},
    whole_or,
};

/// Saves over the native API, under a key if one is given.
fn save(wire: &mut Wire, entry: &Entry, number: usize, name: &str, key: Option<&str>) -> Answer {
    let Entry { instance, token } = entry;
    let bearer = format!("Authorization: Bearer {token}");
    let key = key.map(|key| format!("Idempotency-Key: {key}"));
    let mut headers = vec![bearer.as_str(), "Content-Type: application/json"];
    headers.extend(key.as_deref());
    let body = json!({"first_name": name}).to_string();
    let what = format!("PUT /v1/instances/{instance}/contacts/{}@c.us", 1000 + number);
    wire.ask(&what, &headers, body.as_bytes()).unwrap()
}

fn read(wire: &mut Wire, entry: &Entry, number: usize) -> Answer {
    let bearer = format!("Authorization: Bearer {}", entry.token);
    let what = format!("GET /v1/instances/{}/contacts/{}@c.us", entry.instance, 1000 + number);
    wire.ask(&what, &[&bearer], b"").unwrap()
}

#[test]
fn a_failing_disk_is_told_and_not_hidden() {
    const INSTANCES: usize = 40;
    let rounds = whole_or(20, 5);
    let home = Home::new();
    let Some(server) = shim::serve(&home, "failing disk") else { return };
    let mut wire = server.wire();
    let entries: Vec<_> = (0..INSTANCES).map(|place| settle(&mut wire, &home, &format!("book-{place:02}"))).collect();
    for round in 0..rounds {
        let hurt = round * 7 % INSTANCES;
        save(&mut wire, &entries[hurt], 0, "before", None);
        // The journal alone can fail and nobody is told: the book is synced by itself.
        let mut save_in_journal = |name: &str| {
            // After an error it is tried once a second.
            pause(Duration::from_millis(1100));
            assert!(save(&mut wire, &entries[hurt], 0, name, None).status < 300);
        };
        save_in_journal(&format!("journaled {round}"));
        fs::write(shim::order_to_fail(&home), "gateway.journal-").unwrap();
        save_in_journal(&format!("unjournaled {round}"));
        assert!(!shim::order_to_fail(&home).exists(), "the disk did fail");
        save_in_journal(&format!("journaled again {round}"));
        let both = format!("gateway.journal-\n{}/book.db-wal", entries[hurt].instance);
        fs::write(shim::order_to_fail(&home), both).unwrap();
        let (name, key) = (format!("round {round}"), format!("key-{round}"));
        let told = save(&mut wire, &entries[hurt], round, &name, Some(&key));
        assert_eq!(told.status, 503, "{}", told.text());
        assert_eq!(told.json()["code"], "outcome_unknown", "{}", told.text());
        assert!(told.header("retry-after").is_some());
        assert!(!shim::order_to_fail(&home).exists(), "the disk did fail");
        for (place, entry) in entries.iter().enumerate().filter(|(place, _)| *place != hurt) {
            assert!(save(&mut wire, entry, place, &name, None).status < 300, "{}", entry.instance);
        }
        // The book is open again; the same key settles it, as often as it is asked.
        let revisions: Vec<_> = (0..2)
            .map(|_| {
                let settled = save(&mut wire, &entries[hurt], round, &name, Some(&key));
                assert!(settled.status < 300, "{}", settled.text());
                settled.json()["revision"].as_u64().unwrap()
            })
            .collect();
        assert_eq!(revisions[0], revisions[1], "carried out once");
        assert_eq!(read(&mut wire, &entries[hurt], round).json()["names"]["saved"]["full"], name.as_str());
    }
    for entry in &entries {
        shown::over_http(&mut wire, entry);
    }
    assert_eq!(home.json(&["check"])["sound"], true);
    println!("disk: {rounds} syncs failed, each told as 503 to one of {INSTANCES} and settled by its key");
}

/// 64 MiB of memory as a disk; gone when the test ends, however it ends.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(folder: &Path) -> Option<Self> {
        fs::create_dir_all(folder).unwrap();
        let done = Command::new("mount").args(["-t", "tmpfs", "-o", "size=64m", "tmpfs"]).arg(folder).output();
        match done {
            Ok(done) if done.status.success() => Some(Self(folder.to_owned())),
            _ => {
                println!("full disk: SKIPPED, mounting a tmpfs needs root");
                None
            }
        }
    }

    /// Takes all the space that is left.
    fn fill(&self, name: &str) -> PathBuf {
        let path = self.0.join(name);
        let mut file = File::create(&path).unwrap();
        for size in [1 << 20, 4096, 1] {
            while file.write_all(&vec![1; size]).is_ok() {}
        }
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// Files of books that the server holds open.
fn open_books(server: &Server) -> usize {
    let files = fs::read_dir(format!("/proc/{}/fd", server.id())).unwrap().flatten();
    let paths = files.filter_map(|file| fs::read_link(file.path()).ok());
    paths.filter(|path| path.file_name().is_some_and(|name| name == "book.db")).count()
}

#[test]
fn a_full_disk_is_survived() {
    const INSTANCES: usize = 10;
    let home = Home::new();
    let Some(disk) = SmallDisk::mount(&home.sessions()) else { return };
    let server = home.serve_with(&[("WABOOK_SESSIONS__IDLE", "1s")]);
    let mut wire = server.wire();
    let entries: Vec<_> = (0..INSTANCES).map(|place| settle(&mut wire, &home, &format!("book-{place}"))).collect();
    for entry in &entries {
        assert!(save(&mut wire, entry, 0, "before", None).status < 300);
    }
    for round in 0..whole_or(10, 3) {
        let ballast = disk.fill("ballast");
        let (mut refused, mut reads) = (0, 0);
        for number in 1..200 {
            for entry in &entries {
                let told = save(&mut wire, entry, number, &format!("round {round}"), None);
                // A log that was longer before has room within itself for a while.
                assert!(told.status < 300 || told.status == 507, "{}", told.text());
                refused += usize::from(told.status == 507);
                assert_eq!(read(&mut wire, entry, 0).status, 200);
                reads += 1;
            }
        }
        assert!(refused > 0);
        fs::remove_file(ballast).unwrap();
        let space = Instant::now();
        for entry in &entries {
            while save(&mut wire, entry, 500, &format!("round {round}"), None).status >= 300 {
                assert!(space.elapsed() < Duration::from_secs(1), "writes return within a second");
                pause(Duration::from_millis(10));
            }
        }
        println!(
            "disk: full, {refused} writes refused with 507, {reads} reads answered; all write again after {:?}",
            space.elapsed()
        );
    }
    // Books that are closed meanwhile can be read as well.
    let ballast = disk.fill("ballast");
    while open_books(&server) > 0 {
        pause(Duration::from_millis(200));
    }
    // Closing gave some space back.
    let more = disk.fill("more ballast");
    for entry in &entries {
        let told = read(&mut wire, entry, 0);
        assert_eq!(told.status, 200, "{}", told.text());
    }
    [ballast, more].iter().for_each(|path| fs::remove_file(path).unwrap());
    for entry in &entries {
        shown::over_http(&mut wire, entry);
    }
    assert_eq!(home.json(&["check"])["sound"], true);
    assert_eq!(server.stop().code(), Some(0));
}
