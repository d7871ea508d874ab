//! Online backups under load: each copy opens, is sound, and is the state of every book at one moment of its feed. A
//! backup is itself a sessions folder, which is proved by serving from the last.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use crate::{
    dice::Dice,
    shared::server::Home,
    shown,
    town::{Town, pause},
    whole_or,
};

const INSTANCES: usize = 40;
const CLIENTS: usize = 8;

#[test]
fn backups_are_true() {
    let rounds = whole_or(6, 2);
    let mut dice = Dice::thrown("backup");
    let home = Home::new();
    let server = home.serve();
    let town = Town::found(home, &server, INSTANCES, CLIENTS, &mut dice);
    let (stop, mut copies) = (AtomicBool::new(false), Vec::new());
    town.bustle(&server, &stop, || {
        town.wait_for(200);
        for round in 0..rounds {
            let before = town.answers();
            let copy = town.home.path(&format!("copy-{round}"));
            let told = town.home.json(&["backup", copy.to_str().unwrap()]);
            assert_eq!(told["failed"], 0);
            let after = town.answers();
            copies.push((copy, before, after));
            if round + 1 < rounds {
                pause(Duration::from_secs(whole_or(10, 1)));
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    for (copy, before, after) in &copies {
        for (place, entry) in town.entries.iter().enumerate() {
            let shown = shown::in_folder(&copy.join(&entry.instance));
            town.assert_is_a_prefix(&shown, place, before, after);
        }
    }
    // The last one serves, with the same tokens.
    server.kill();
    let (copy, ..) = copies.last().unwrap();
    std::fs::remove_dir_all(town.home.sessions()).unwrap();
    std::fs::rename(copy, town.home.sessions()).unwrap();
    let server = town.home.serve();
    let served = shown::over_http(&mut server.wire(), &town.entries[0]);
    assert!(!served.state.is_empty());
    println!("backup: {rounds} copies under {} answered writes", town.answered());
}
