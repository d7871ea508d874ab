//! The table, as plain text: where it was measured, a line for each row, and what must be known to read it. Decides
//! nothing and asserts nothing.

use std::{fs, path::Path, process::Command, time::Duration};

use crate::load::Measured;

/// A row as it was measured, a window each round, and what it is compared with.
pub struct Line<'a> {
    pub name: &'a str,
    pub connections: usize,
    pub rounds: &'a [Measured],
    /// Requests per second of the no-op with as many connections, in each round.
    pub no_op: &'a [f64],
    pub target: Option<f64>,
}

pub struct Heading {
    pub rounds: u32,
    pub window: Duration,
    pub warm_up: Duration,
    pub threads: usize,
    pub is_logging: bool,
}

pub fn heading(heading: &Heading) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let Heading { rounds, window, warm_up, threads, is_logging } = heading;
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let date = jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M UTC");
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let busy = load.split(' ').next().unwrap_or("unknown");
    println!("wabook, the gateway under load");
    println!("{date}, commit {}, {cores} cores, load average at the start {busy}", commit());
    println!(
        "{rounds} rounds through all rows, {window:?} each after {warm_up:?} of warm-up; log lines {}",
        if *is_logging { "formatted and thrown away" } else { "off" }
    );
    println!("address books on {}, generator threads: {threads}", file_system(folder));
    if is_memory(folder) {
        println!("WARNING: the address books lie in memory: a sync costs nothing here, and no write is durable");
    }
}

/// What stands above the lines.
pub fn columns() {
    println!();
    println!(
        "{:<42} {:>5} {:>10} {:>8} {:>8} {:>6} {:>10} {:>7} {:>9} {:>9}",
        "row", "conns", "requests/s", "p50 ms", "p99 ms", "ratio", "from-to", "target", "server us", "generator"
    );
}

pub fn line(Line { name, connections, rounds, no_op, target }: &Line<'_>) {
    let whole = rounds[1..].iter().fold(rounds[0].clone(), Measured::after);
    let millis = |quantile| whole.latency.value_at_quantile(quantile) as f64 / 1e6;
    let ratio = whole.per_second() * no_op.len() as f64 / no_op.iter().sum::<f64>();
    let ratios = || rounds.iter().zip(*no_op).map(|(round, no_op)| round.per_second() / no_op);
    let (least, most) = (ratios().fold(f64::MAX, f64::min), ratios().fold(0.0, f64::max));
    let target = target.map_or_else(String::new, |target| format!(">= {target:.2}"));
    let server = whole.process_cpu.saturating_sub(whole.generators_cpu);
    println!(
        "{name:<42} {connections:>5} {:>10.0} {:>8.3} {:>8.3} {ratio:>6.2} {least:>5.2}-{most:<4.2} {target:>7} {:>9.1} {:>7.0} %",
        whole.per_second(),
        millis(0.50),
        millis(0.99),
        server.as_secs_f64() * 1e6 / whole.answers as f64,
        100.0 * whole.generator_cpu.as_secs_f64() / whole.window.as_secs_f64(),
    );
    complain(&whole);
}

/// What went wrong, if anything did.
pub fn complain(measured: &Measured) {
    if measured.failures > 0 {
        let complaint = measured.complaint.as_deref().unwrap_or_default();
        println!("    {} TIMES NOT 200, the first time: {complaint}", measured.failures);
    }
}

/// A figure that is compared with nothing but what is aimed at.
pub fn fact(what: &str, measured: &str, aim: &str) {
    println!("{what:<40} {measured:<52} {aim}");
}

pub fn legend() {
    println!(
        "
ratio      requests/s over those of the no-op with middleware: the mean of before and after, as many connections
from-to    the same for the worst and the best round: how far the machine can be trusted
afternoon  the same writes to one SQLite file with a commit for each, which is what one would write first
target     what is aimed at; nothing is asserted
server us  processor time of all threads but the generator's for one request
generator  share of one core that the busiest generator thread used; near 100 % the row shows the generator"
    );
}

fn commit() -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    match git(&["rev-parse", "--short", "HEAD"]) {
        Some(commit) if git(&["status", "--porcelain"]).is_some_and(|changes| !changes.is_empty()) => {
            commit + " and changes"
        }
        Some(commit) => commit,
        None => "unknown".to_owned(),
    }
}

/// Magic numbers of statfs(2).
const KINDS: [(i64, &str); 7] = [
    (0x0102_1994, "tmpfs"),
    (0x8584_58f6, "ramfs"),
    (0xef53, "ext4"),
    (0x5846_5342, "xfs"),
    (0x9123_683e, "btrfs"),
    (0x2fc1_2fc1, "zfs"),
    (0x794c_7630, "overlayfs"),
];

fn file_system(folder: &Path) -> String {
    let Ok(found) = rustix::fs::statfs(folder) else { return "an unknown file system".to_owned() };
    KINDS
        .iter()
        .find(|(kind, _)| *kind == found.f_type)
        .map_or_else(|| format!("{:#x}", found.f_type), |(_, name)| (*name).to_owned())
}

fn is_memory(folder: &Path) -> bool {
    ["tmpfs", "ramfs"].contains(&file_system(folder).as_str())
}
