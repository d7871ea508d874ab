//! Nine reads and one write in ten, at a steady pace well below what the gateway could do, for long: whether its memory grows,
//! and what those see who come at their own time. Aims at figures, asserts none.

use std::time::Duration;

use crate::{
    load::{Load, Measured},
    process::{Apart, Crowd, Glance, Process},
    report,
    scale::{mebibytes, quantiles},
};

const INSTANCES: usize = 1000;
const CONNECTIONS: usize = 64;
/// One request in so many writes.
const WRITES: usize = 10;
/// Earlier names that a book keeps of each contact: it is as large as it becomes, so that what grows is not the data.
const HISTORY: u64 = 16;
/// How long the peak is looked for.
const SPRINT: Duration = Duration::from_secs(8);
const OF_PEAK: f64 = 0.6;

/// Returns how many requests were not answered 200.
pub fn measure(apart: Apart) -> anyhow::Result<u64> {
    let window = Duration::from_secs(if apart.is_quick { 60 } else { 600 });
    eprintln!("making {INSTANCES} instances …");
    let crowd = Crowd::gather(INSTANCES, HISTORY)?;
    let process = Process::start(&crowd, apart)?;
    let run = |window, pace| -> anyhow::Result<Measured> {
        let (questions, warm_up) = (&crowd.questions(WRITES), Duration::from_secs(2));
        let address = process.address;
        Load { address, connections: CONNECTIONS, threads: 1, warm_up, window, questions, pace }.run()
    };
    let peak = run(SPRINT, None)?;
    let pace = OF_PEAK * peak.per_second();
    println!(
        "\n{INSTANCES} instances, nine reads to a write, {CONNECTIONS} connections, {window:.0?} after a peak of {:.0}/s",
        peak.per_second()
    );
    let watch = process.watch(Duration::from_secs(1));
    let steady = run(window, Some(pace))?;
    let seen = watch.end()?;
    report::fact("fell due and answered", &format!("{pace:.0}/s, {:.0}/s", steady.per_second()), "60 % of the peak");
    report::fact("from when each fell due", &quantiles(&steady.latency), "p99.9 stated");
    let settled = &seen[seen.len() / 5..];
    let ends = [settled.first(), settled.last()].map(|glance| glance.map_or(0, |glance| glance.memory));
    let slope = format!("{:+.2} MiB/min, {} to {}", slope(settled), mebibytes(ends[0]), mebibytes(ends[1]));
    report::fact("memory over the last four fifths", &slope, "< 1 MiB/min");
    report::complain(&peak);
    report::complain(&steady);
    process.stop()?;
    Ok(peak.failures + steady.failures)
}

/// Least squares, in MiB a minute.
fn slope(seen: &[Glance]) -> f64 {
    let points =
        || seen.iter().map(|glance| (glance.at.as_secs_f64() / 60.0, glance.memory as f64 / f64::from(1 << 20)));
    let count = seen.len() as f64;
    let (x, y) = points().fold((0.0, 0.0), |(x, y), point| (x + point.0 / count, y + point.1 / count));
    let (over, under) = points()
        .fold((0.0, 0.0), |(over, under), point| (over + (point.0 - x) * (point.1 - y), under + (point.0 - x).powi(2)));
    over / under
}
