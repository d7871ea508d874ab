//! `cargo bench --bench gateway`: the gateway under load beside a server that does nothing, in one run, as ratios. This
//! file is the list of rows. A benchmark, never a test: it asserts no time, and only fails when an answer was not 200.

mod afternoon;
mod baseline;
mod bulk;
mod feed;
mod hooks;
mod list;
mod load;
mod mixed;
mod observe;
mod port;
mod process;
mod questions;
mod report;
mod scale;
mod stage;

use std::{net::SocketAddr, process::ExitCode, time::Duration};

use clap::Parser;

use load::{Load, Measured};
use process::Apart;
use questions::{Form, Questions};
use report::{Heading, Line};
use stage::{Key, PHONES, Stage, UUIDS};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The gateway under load, beside a server that does nothing.
#[derive(Parser)]
#[command(name = "gateway")]
struct Options {
    /// Two seconds for each row, 64 connections only, a smaller book, fewer instances, no long run
    #[arg(long)]
    quick: bool,
    /// Without log lines, also for the no-op
    #[arg(long)]
    no_log: bool,
    /// Only rows whose name contains this; the no-op is always measured
    #[arg(long, value_name = "TEXT", default_value = "")]
    only: String,
    /// Seconds that each row is measured in all [default: 8, with --quick 2]
    #[arg(long)]
    seconds: Option<u64>,
    /// Threads of the load generator [default: one for four cores]
    #[arg(long)]
    threads: Option<usize>,
    /// Given by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

/// A kind of request to measure. To add one, add it to `ROWS`.
struct Row {
    name: &'static str,
    server: fn(&Stage) -> SocketAddr,
    questions: fn(&Stage) -> Questions,
    connections: &'static [usize],
    target: Option<f64>,
}

const NO_OP: Row = Row {
    name: "no-op JSON POST",
    server: |stage| stage.gateway,
    questions: |stage| upserts(baseline::PATH, std::slice::from_ref(&stage.small), 1000),
    connections: &[64, 256],
    target: None,
};

const ROWS: [Row; 15] = [
    Row {
        name: "generator ceiling (fixed responder)",
        server: |stage| stage.responder,
        questions: NO_OP.questions,
        connections: &[64, 256],
        target: None,
    },
    Row {
        name: "no-op JSON POST, no middleware",
        server: |stage| stage.bare,
        questions: NO_OP.questions,
        connections: &[64, 256],
        target: None,
    },
    Row {
        name: "durable upsert, 1 instance",
        server: |stage| stage.gateway,
        questions: |stage| upserts(WAWP, std::slice::from_ref(&stage.small), 1000),
        connections: &[64, 256],
        target: Some(0.50),
    },
    Row {
        name: "durable upsert, 1 instance: afternoon",
        server: |stage| stage.afternoon,
        questions: |stage| upserts(WAWP, std::slice::from_ref(&stage.small), 1000),
        connections: &[64, 256],
        target: None,
    },
    Row {
        name: "durable upsert, 1,000 instances",
        server: |stage| stage.gateway,
        questions: |stage| upserts(WAWP, &stage.spread, 10),
        connections: &[64, 256],
        target: Some(0.20),
    },
    Row {
        name: "durable upsert, 1,000 instances: afternoon",
        server: |stage| stage.afternoon,
        questions: |stage| upserts(WAWP, &stage.spread, 10),
        connections: &[64, 256],
        target: None,
    },
    Row {
        name: "point read, large book",
        server: |stage| stage.gateway,
        questions: |stage| point_reads(&stage.large, stage.contacts),
        connections: &[64],
        target: Some(0.75),
    },
    Row {
        name: "rename, large book: Wawp",
        server: |stage| stage.gateway,
        questions: |stage| {
            let target = format!("/v2/contacts/{PHONES}#########@c.us");
            renames(stage, "PUT", &target, r#"{"firstName": "Bob", "lastName": "Smith ################"}"#)
        },
        connections: &[64],
        target: None,
    },
    Row {
        name: "rename, large book: Hypersender",
        server: |stage| stage.gateway,
        questions: |stage| {
            let body = format!(
                r#"{{"chat_id": "{PHONES}#########", "first_name": "Bob", "last_name": "Smith ################"}}"#
            );
            renames(stage, "POST", "/api/whatsapp/v2/{i}/contacts/upsert", &body)
        },
        connections: &[64],
        target: None,
    },
    Row {
        name: "rename, large book: SuperWABA",
        server: |stage| stage.gateway,
        questions: |stage| {
            let target = format!("/api/whatsapp/contacts/contact_{UUIDS}############");
            renames(stage, "PATCH", &target, r#"{"name": "Bob Smith ################"}"#)
        },
        connections: &[64],
        target: None,
    },
    Row {
        name: "rename, large book: WA.cr",
        server: |stage| stage.gateway,
        questions: |stage| {
            renames(stage, "PATCH", "/api/v2/contacts/1#########", r#"{"lastname": "Smith ################"}"#)
        },
        connections: &[64],
        target: None,
    },
    Row {
        name: "rename, large book: WAHA",
        server: |stage| stage.gateway,
        questions: |stage| {
            let target = format!("/api/{{i}}/contacts/{PHONES}#########@c.us");
            renames(stage, "PUT", &target, r#"{"firstName": "Bob", "lastName": "Smith ################"}"#)
        },
        connections: &[64],
        target: None,
    },
    Row {
        name: "rename, large book: v1",
        server: |stage| stage.gateway,
        questions: |stage| {
            let target = format!("/v1/instances/{{i}}/contacts/{PHONES}#########");
            renames(stage, "PATCH", &target, r#"{"first_name": "Bob", "last_name": "Smith ################"}"#)
        },
        connections: &[64],
        target: None,
    },
    Row {
        name: "list 15, two filters, include: WA.cr",
        server: |stage| stage.gateway,
        questions: |stage| list(stage, "/api/v2/contacts?filter[type]=lead&filter[source_id]=1&include=groups&page=1"),
        connections: FEW,
        target: None,
    },
    Row {
        name: "list 20, search: SuperWABA",
        server: |stage| stage.gateway,
        questions: |stage| list(stage, "/api/whatsapp/contacts?search=first%20#########"),
        connections: FEW,
        target: None,
    },
];

/// For heavy reads: as many as a person or two would keep busy.
const FEW: &[usize] = &[4];

/// Where Wawp's contacts are saved.
const WAWP: &str = "/v2/contacts/update";

/// Each name differs from the one before, so that every request truly writes.
fn upserts(path: &str, keys: &[Key], contacts: u64) -> Questions {
    let form = |Key { instance, token }: &Key| {
        let body = format!(
            r#"{{"instance_id": "{instance}", "access_token": "{token}", "chatId": "{PHONES}#########@c.us", "firstName": "Bob", "lastName": "Smith ################"}}"#
        );
        Form::post(path, &body)
    };
    Questions { forms: keys.iter().map(form).collect(), contacts }
}

fn point_reads(Key { instance, token }: &Key, contacts: u64) -> Questions {
    let query = format!("instance_id={instance}&access_token={token}&contactId={PHONES}#########@c.us");
    Questions { forms: vec![Form::get(&format!("/v2/contacts?{query}"), "")], contacts }
}

/// The same write to the large book in some tongue: renames a contact that is there. `{i}` in the target is the instance.
fn renames(stage: &Stage, method: &str, target: &str, body: &str) -> Questions {
    let Key { instance, .. } = &stage.large;
    let form = Form::send(method, &target.replace("{i}", instance), &credentials(&stage.large), body);
    Questions { forms: vec![form], contacts: stage.contacts }
}

fn list(stage: &Stage, target: &str) -> Questions {
    Questions { forms: vec![Form::get(target, &credentials(&stage.large))], contacts: stage.contacts }
}

/// Every tongue finds its own among these.
fn credentials(Key { instance, token }: &Key) -> String {
    format!(
        "authorization: Bearer {token}\r\nx-api-key: {token}\r\nx-org-id: {instance}\r\nx-instance-id: {instance}\r\n"
    )
}

/// How often all rows are gone through. The machine is noisy, and a noise shorter than a round hits all rows alike.
const ROUNDS: u32 = 4;

fn main() -> anyhow::Result<ExitCode> {
    let options = Options::parse();
    let _flush = (!options.no_log).then(stage::begin_to_log);
    let (threads, is_logging) = (options.threads(), !options.no_log);
    let (window, warm_up) = (options.window(), options.window() / 4);
    report::heading(&Heading { rounds: ROUNDS, window, warm_up, threads, is_logging });
    let mut failures = 0;
    // Those that have a process of their own need no stage.
    if !["scale", "mixed"].contains(&options.only.as_str()) {
        failures += on_stage(&options)?;
        report::legend();
    }
    let apart = Apart { is_quick: options.quick, is_logging };
    if "scale".contains(&options.only) {
        failures += scale::measure(apart, window * ROUNDS)?;
    }
    if "mixed".contains(&options.only) {
        failures += mixed::measure(apart)?;
    }
    Ok(if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Options {
    /// Of one round.
    fn window(&self) -> Duration {
        Duration::from_secs(self.seconds.unwrap_or(if self.quick { 2 } else { 8 })) / ROUNDS
    }

    fn threads(&self) -> usize {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        self.threads.unwrap_or(cores / 4).max(1)
    }
}

/// All that is measured in this process, beside the no-op. Returns how many requests were not answered 200.
fn on_stage(options: &Options) -> anyhow::Result<u64> {
    let (contacts, crowds) = if options.quick { (10_000, &[64][..]) } else { (100_000, &[64, 256][..]) };
    let (window, threads) = (options.window(), options.threads());
    let warm_up = window / 4;

    eprintln!("setting up the instances and a book of {contacts} contacts …");
    let lists = "list".contains(&options.only) || options.only.is_empty();
    let shelves = match (lists, options.quick) {
        (false, _) => &[][..],
        (true, true) => &list::QUICK_SIZES,
        (true, false) => &list::SIZES,
    };
    let stage = Stage::set_up(contacts, shelves)?;
    report::columns();
    let measure = |row: &Row, connections: usize| {
        let (address, questions) = ((row.server)(&stage), (row.questions)(&stage));
        Load { address, connections, threads, warm_up, window, questions: &questions, pace: None }.run()
    };
    let mut failures = 0;
    for &connections in crowds {
        let is_first = connections == crowds[0];
        let is_wanted = |row: &&Row| {
            // Rows with few connections of their own stand in the first table.
            let belongs = row.connections.contains(&connections) || (is_first && row.connections == FEW);
            row.name.contains(&options.only) && belongs
        };
        // What everything is compared with stands on both sides of it.
        let rows: Vec<&Row> = [&NO_OP].into_iter().chain(ROWS.iter().filter(is_wanted)).chain([&NO_OP]).collect();
        let mut measured: Vec<Vec<Measured>> = rows.iter().map(|_| Vec::new()).collect();
        for _ in 0..ROUNDS {
            for (row, rounds) in rows.iter().zip(&mut measured) {
                rounds.push(measure(row, if row.connections == FEW { FEW[0] } else { connections })?);
            }
        }
        let (before, after) = (&measured[0], &measured[rows.len() - 1]);
        let no_op: Vec<f64> =
            before.iter().zip(after).map(|(before, after)| (before.per_second() + after.per_second()) / 2.0).collect();
        for (row, rounds) in rows.iter().zip(&measured) {
            let connections = if row.connections == FEW { FEW[0] } else { connections };
            report::line(&Line { name: row.name, connections, rounds, no_op: &no_op, target: row.target });
            failures += rounds.iter().map(|round| round.failures).sum::<u64>();
        }
    }
    if "bulk".contains(&options.only) || options.only.is_empty() {
        bulk::compare(&stage)?;
    }
    if "feed".contains(&options.only) || options.only.is_empty() {
        feed::compare(&stage)?;
    }
    if "webhooks".contains(&options.only) || options.only.is_empty() {
        hooks::measure(&stage, window * ROUNDS)?;
    }
    if lists {
        list::measure(&stage, window)?;
    }
    if "observe".contains(&options.only) || options.only.is_empty() {
        observe::compare(&stage)?;
    }
    if "port".contains(&options.only) || options.only.is_empty() {
        port::compare(&stage, if options.quick { 100_000 } else { 1_000_000 })?;
    }
    stage.tear_down()?;
    Ok(failures)
}
