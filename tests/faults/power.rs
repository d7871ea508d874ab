//! The power fails: of every write to the disk, from the first start on, only what was synced is sure to be there. At
//! random places of the disk's diary the folder is rebuilt, a gateway opens it, and all that had been answered must be in
//! it. The same without syncs of the log (`synchronous=NORMAL`) must lose answers, or this test could not tell.

use std::{fs, sync::atomic::AtomicBool, time::Duration};

use wabook::gateway::{Credentials, Gateway, Scope, Settings};

use crate::{
    diary::{self, Disk, Record, Witness},
    dice::Dice,
    shared::server::Home,
    shim, shown,
    town::Town,
    whole_or,
};

const INSTANCES: usize = 4;
const CLIENTS: usize = 4;

#[test]
fn nothing_answered_is_lost_to_a_power_cut() {
    let cuts = whole_or(200, 20);
    let mut dice = Dice::thrown("power");
    let home = Home::new();
    let Some(server) = shim::serve(&home, "power") else { return };
    let witness = Witness::of(&shim::diary(&home));
    let mut town = Town::found(home, &server, INSTANCES, CLIENTS, &mut dice);
    witness.was_answered("founded");
    town.witness = Some(witness);
    town.bustle(&server, &AtomicBool::new(false), || {
        town.wait_for(whole_or(4000, 1500));
        server.signal("KILL");
    });
    server.kill();

    let records = diary::read(&shim::diary(&town.home));
    let answers: Vec<_> = (0..records.len()).filter(|place| records[*place].answer().is_some()).collect();
    let mut cut = |disk: Disk| {
        // Right after an answer it is easiest to lose one.
        let place = match dice.below(2) {
            0 => answers[dice.below(answers.len())] + 1,
            _ => dice.below(records.len()),
        };
        what_is_lost(&town, &records[..place], disk, &mut dice)
    };
    for number in 1..=cuts {
        if let Err(loss) = cut(Disk::Honest) {
            panic!("cut {number}: {loss}");
        }
    }
    let lossy = (0..cuts).filter(|_| cut(Disk::WithoutLogSyncs).is_err()).count();
    println!(
        "power: {} answers, {} records, {cuts} cuts: 0 lost, 0 damaged; without syncs of the log {lossy} of {cuts} lose",
        answers.len(),
        records.len()
    );
    assert!(lossy > cuts / 4);
}

/// Rebuilds, opens, and holds every book against what had been answered.
fn what_is_lost(town: &Town, records: &[Record], disk: Disk, dice: &mut Dice) -> Result<(), String> {
    let root = fs::canonicalize(town.home.path("")).unwrap().join("sessions");
    let target = town.home.path("rebuilt");
    let _ = fs::remove_dir_all(&target);
    diary::rebuild(records, root.to_str().unwrap(), &target, disk, dice);

    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        // It must start, wherever the power failed.
        let gateway =
            Gateway::open(settings(&target), runtime.handle().clone()).map_err(|error| format!("{error:#}"))?;
        let answers: Vec<_> = records.iter().filter_map(Record::answer).collect();
        let is_founded = !answers.is_empty();
        for entry in town.entries.iter().filter(|_| is_founded) {
            let credentials = Credentials { instance: Some(&entry.instance), token: Some(&entry.token) };
            let session = gateway.enter(credentials, Scope::ContactsRead).map_err(|error| error.chain())?;
            let wrong = session.check().await.map_err(|error| error.chain())?;
            if !wrong.is_empty() {
                return Err(wrong.join("; "));
            }
        }
        gateway.close().await;
        for (place, entry) in town.entries.iter().enumerate().filter(|_| is_founded) {
            let shown = shown::in_folder(&target.join(&entry.instance));
            town.holds(&shown, place, &answered(&answers, place))?;
        }
        Ok(())
    })
}

/// How many steps of each client in this book had been answered.
fn answered(answers: &[&str], place: usize) -> [usize; CLIENTS] {
    let mut answered = [0; CLIENTS];
    for answer in answers.iter().filter(|answer| **answer != "founded") {
        let numbers: Vec<usize> = answer.split(' ').map(|number| number.parse().unwrap()).collect();
        if numbers[1] == place {
            answered[numbers[0]] = numbers[2];
        }
    }
    answered
}

fn settings(folder: &std::path::Path) -> Settings {
    Settings {
        quota: Default::default(),
        sessions: folder.to_owned(),
        admin_token: None,
        secret_key: None,
        open_books: 100,
        idle: Duration::from_secs(60),
        tombstones: Duration::from_secs(86_400),
        mailbox: 256,
        long_reads: 2,
        requests_per_minute: 0,
    }
}
