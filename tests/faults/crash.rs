//! kill -9 at random times under clients in every tongue: whatever was answered is there, batches are whole, revisions
//! have no gap, the feed folds to the list and every book is sound. (A killed process leaves the page cache to the
//! system: `power` cuts that as well.)

use std::{sync::atomic::AtomicBool, time::Duration};

use crate::{
    dice::Dice,
    shared::server::Home,
    town::{Town, pause},
    whole_or,
};

const INSTANCES: usize = 40;
const CLIENTS: usize = 8;

#[test]
fn nothing_answered_is_lost_to_a_crash() {
    let rounds = whole_or(25, 5);
    let mut dice = Dice::thrown("crash");
    let home = Home::new();
    let mut server = home.serve();
    let town = Town::found(home, &server, INSTANCES, CLIENTS, &mut dice);
    let mut carried_out = 0;
    for round in 1..=rounds {
        let (writes, moments) = (whole_or(300, 100), dice.below(400));
        let before = town.answered();
        town.bustle(&server, &AtomicBool::new(false), || {
            town.wait_for(writes);
            pause(Duration::from_millis(moments as u64));
            server.signal("KILL");
        });
        server.kill();
        // No hand is needed: it starts by itself, whatever it was in the midst of.
        server = town.home.serve();
        carried_out += town.settle_accounts(&server);
        let checked = town.home.json(&["check"]);
        assert_eq!(checked["sound"], true, "{checked}");
        println!("crash: round {round} of {rounds}, killed after {} answers", town.answered() - before);
        // Killed again without a word: what it repaired at its start must be as durable.
        if round % 2 == 0 {
            server.kill();
            server = town.home.serve();
        }
    }
    let answered = town.answered();
    println!("crash: {rounds} kills, {answered} answered writes, 0 lost, {carried_out} carried out but unanswered");
    assert!(answered >= whole_or(10_000, 500));
}
