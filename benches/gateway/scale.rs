//! Thousands of quiet instances: how soon a gateway with all of them answers, what they take when each is asked for, what is
//! left a minute later, and what the first read of a closed book costs. Aims at figures, asserts none.

use std::{net::SocketAddr, time::Duration};

use hdrhistogram::Histogram;

use crate::{
    load::{Load, Measured},
    process::{Apart, CONTACTS, Caller, Crowd, Process},
    questions::Dice,
    report,
    stage::Key,
};

const STARTS: usize = 5;
/// Callers that read cold books at the same time.
const CALLERS: usize = 4;
const CONNECTIONS: usize = 64;
/// One request in so many writes.
const WRITES: usize = 10;
/// A quick run closes idle books sooner and waits less.
const MINUTE: Duration = Duration::from_secs(60);
const QUICK_MINUTE: Duration = Duration::from_secs(30);

/// Returns how many requests were not answered 200.
pub fn measure(apart: Apart, window: Duration) -> anyhow::Result<u64> {
    let (instances, minute) = if apart.is_quick { (1000, QUICK_MINUTE) } else { (10_000, MINUTE) };
    eprintln!("making {instances} instances …");
    let crowd = Crowd::gather(instances, 0)?;
    println!(
        "\n{instances} instances, {CONTACTS} contacts each: books copied in {:.1?}, instances and tokens made in {:.1?} \
         (one after the other, each on disk)",
        crowd.written_in, crowd.admitted_in
    );
    let mut starts = Vec::new();
    for _ in 1..STARTS {
        let process = Process::start(&crowd, apart)?;
        starts.push(process.first_answer);
        process.stop()?;
    }
    let process = Process::start(&crowd, apart)?;
    starts.push(process.first_answer);
    starts.sort();
    let start = format!("{:.0?}, at worst {:.0?}", starts[STARTS / 2], starts[STARTS - 1]);
    report::fact("start to the first contact told", &start, "<= 1 s");
    let (bare, _) = process.memory()?;
    report::fact("memory after the start", &mebibytes(bare), "");

    let all = shuffled(&crowd.keys);
    report::fact("first reads of all, each cold", &quantiles(&cold_reads(process.address, &all)?), "p99 <= 20 ms");
    let watch = process.watch(Duration::from_millis(50));
    let busy = roam(&crowd, process.address, window)?;
    let files = watch.end()?.iter().map(|glance| glance.files).max().unwrap_or_default();
    let rate = format!("{:.0}/s, {}", busy.per_second(), quantiles(&busy.latency));
    report::fact("random access, one in ten writes", &rate, "");
    report::fact("memory at most", &mebibytes(process.memory()?.1), "<= 400 MiB");
    report::fact("open files at most", &files.to_string(), "");
    report::complain(&busy);

    rest(minute);
    let (idle, _) = process.memory()?;
    report::fact(&format!("memory idle {minute:.0?} later"), &mebibytes(idle), "<= 150 MiB");
    rest(minute / 2);
    let (closed, _) = process.memory()?;
    let left = format!("{}, {} open files", mebibytes(closed), process.open_files()?);
    report::fact("another half of that later", &left, "");
    let each = closed.saturating_sub(bare) as f64 / instances as f64 / 1024.0;
    report::fact("of that, what each touched session left", &format!("{each:.1} KiB"), "<= 64 KiB");
    let some = &all[..instances / 5];
    report::fact("reads of closed books", &quantiles(&cold_reads(process.address, some)?), "p99 <= 20 ms");
    process.stop()?;
    Ok(busy.failures)
}

/// Each once, by a few callers at the same time.
fn cold_reads(address: SocketAddr, keys: &[&Key]) -> anyhow::Result<Histogram<u64>> {
    let mut whole = Histogram::new_with_bounds(1_000, 60_000_000_000, 3)?;
    std::thread::scope(|scope| {
        let call = |share: &[&Key]| {
            let mut caller = Caller::connect(address)?;
            share.iter().map(|key| caller.read(key, 7)).collect::<anyhow::Result<Vec<_>>>()
        };
        let calls: Vec<_> =
            keys.chunks(keys.len().div_ceil(CALLERS)).map(|share| scope.spawn(move || call(share))).collect();
        for call in calls {
            for took in call.join().expect("the caller does not panic")? {
                whole.saturating_record(took.as_nanos() as u64);
            }
        }
        anyhow::Ok(())
    })?;
    Ok(whole)
}

fn roam(crowd: &Crowd, address: SocketAddr, window: Duration) -> anyhow::Result<Measured> {
    let questions = &crowd.questions(WRITES);
    Load { address, connections: CONNECTIONS, threads: 1, warm_up: window / 4, window, questions, pace: None }.run()
}

fn shuffled(keys: &[Key]) -> Vec<&Key> {
    let (mut dice, mut shuffled) = (Dice(0x5eed), keys.iter().collect::<Vec<_>>());
    for place in (1..shuffled.len()).rev() {
        shuffled.swap(place, dice.below(place as u64 + 1) as usize);
    }
    shuffled
}

pub fn quantiles(latency: &Histogram<u64>) -> String {
    let millis = |quantile| latency.value_at_quantile(quantile) as f64 / 1e6;
    format!("p50 {:.2} ms, p99 {:.2} ms, p99.9 {:.2} ms", millis(0.50), millis(0.99), millis(0.999))
}

pub fn mebibytes(bytes: u64) -> String {
    format!("{:.0} MiB", bytes as f64 / f64::from(1 << 20))
}

#[expect(clippy::disallowed_methods, reason = "how long a book has rested is what is measured")]
fn rest(time: Duration) {
    std::thread::sleep(time);
}
