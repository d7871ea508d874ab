//! SIGTERM under load: what is in the books afterwards is what was answered, neither more nor less; the process ends by
//! itself, with 0, within its grace; and it starts again without a hand.

use std::{
    sync::atomic::AtomicBool,
    time::{Duration, Instant},
};

use crate::{
    dice::Dice,
    shared::server::Home,
    town::{Town, pause},
    whole_or,
};

/// `http.grace`, as it is by default.
const GRACE: Duration = Duration::from_secs(20);

#[test]
fn it_ends_well_under_load() {
    let rounds = whole_or(10, 2);
    let mut dice = Dice::thrown("ending");
    let home = Home::new();
    let mut server = home.serve();
    let town = Town::found(home, &server, 16, 16, &mut dice);
    let mut longest = Duration::ZERO;
    for _ in 0..rounds {
        let began = town.bustle(&server, &AtomicBool::new(false), || {
            town.wait_for(whole_or(500, 200));
            pause(Duration::from_millis(dice.below(100) as u64));
            server.ask_to_stop();
            Instant::now()
        });
        let status = server.ended();
        assert_eq!(status.code(), Some(0));
        longest = longest.max(began.elapsed());
        server = town.home.serve();
        assert_eq!(town.settle_accounts(&server), 0, "nothing is carried out of which nobody was told");
    }
    println!("ending: {rounds} ends, {} answered writes, the longest end took {longest:?}", town.answered());
    assert!(longest < GRACE);
}
