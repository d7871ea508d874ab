//! A whole address book in and out as a file: rows per second beside bare SQLite that writes or reads the same rows, how
//! much memory it takes above what there was, how soon the first byte comes, and what becomes of everybody else meanwhile.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    path::Path,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use rusqlite::{Connection, types::Value};
use rustix::time::ClockId;

use crate::{
    WAWP,
    load::{Load, Measured, cpu},
    point_reads,
    questions::Questions,
    stage::{Key, Stage},
    upserts,
};

/// What is read of a file at once, by the client that sends it.
const PIECE: usize = 64 * 1024;
/// Rows that the bare writer and reader hold at once: so many that fetching them is not what is measured.
const HELD: usize = 10_000;

struct Kind {
    format: &'static str,
    header: &'static str,
    row: fn(u64) -> String,
    /// The number of the first row.
    from: u64,
}

const KINDS: [Kind; 3] = [
    Kind {
        format: "csv",
        header: "phone,first_name,last_name,email,tags\r\n",
        row: |n| format!("4918{n:08},Person,Number {n},p{n}@example.com,imported\r\n"),
        from: 0,
    },
    Kind {
        format: "ndjson",
        header: "",
        row: |n| {
            format!(
                r#"{{"phone":"4918{n:08}","first_name":"Person","last_name":"Number {n}","email":"p{n}@example.com","tags":["imported"]}}"#
            ) + "\n"
        },
        from: 0,
    },
    Kind {
        format: "vcf",
        header: "",
        row: |n| {
            format!(
                "BEGIN:VCARD\r\nVERSION:3.0\r\nN:Number {n};Person;;;\r\nFN:Person Number {n}\r\nTEL;TYPE=CELL:+4918{n:08}\r\n\
                 EMAIL;TYPE=INTERNET:p{n}@example.com\r\nCATEGORIES:imported\r\nEND:VCARD\r\n"
            )
        },
        from: 0,
    },
];

pub fn compare(stage: &Stage, rows: u64) -> anyhow::Result<()> {
    println!("\nFiles of {rows} contacts. Memory: the most that this process held above what it held before.");
    // From the end: the rows of the table have written to the first ones, too.
    let mut keys = stage.spread.iter().rev();
    let mut next = || keys.next().context("there are instances left");
    // Processor time for each row of an import, the client's part included.
    let mut prices = Vec::new();
    for kind in &KINDS {
        let key = next()?;
        let before = cpu(ClockId::ProcessCPUTime);
        let ((_, took), memory) = watched(|| import(stage, key, kind, |n| n < rows))?;
        prices.push((cpu(ClockId::ProcessCPUTime) - before) / u32::try_from(rows)?);
        let (bare, bare_price) = write_again(&book(stage, key), &stage.folder().join("bare.db"))?;
        let bare_price = bare_price / u32::try_from(rows)?;
        println!(
            "import {:<7} {:>9.0} rows/s; bare SQLite, one transaction, same schema: {:>9.0}; ratio {:.2} (aimed at: >= 0.50); \
             memory {memory} MiB (<= 64); processor time for a row {:.1} µs, of bare SQLite {:.1}",
            kind.format,
            per_second(rows, took),
            per_second(rows, bare),
            bare.as_secs_f64() / took.as_secs_f64(),
            prices.last().map_or(0.0, |price| price.as_secs_f64() * 1e6),
            bare_price.as_secs_f64() * 1e6,
        );
        let bare = read_bare(&book(stage, key))?;
        let ((first, took), memory) = watched(|| export(stage, key, kind.format))?;
        println!(
            "export {:<7} {:>9.0} rows/s; bare SQLite reading them: {:>9.0}; ratio {:.2} (>= 0.50); first byte {:.1} ms (<= 50); \
             memory {memory} MiB",
            kind.format,
            per_second(rows, took),
            per_second(rows, bare),
            bare.as_secs_f64() / took.as_secs_f64(),
            first.as_secs_f64() * 1e3,
        );
    }
    beside(stage, [next()?, next()?, next()?], next()?, prices[0])
}

/// What others wait while a file comes in: at the same book, and at other ones. And, since client, load and gateway share
/// the processors, what they wait beside a thread that does nothing but burn as much processor time as the import took.
fn beside(stage: &Stage, keys: [&Key; 3], other: &Key, price: Duration) -> anyhow::Result<()> {
    let cases: [(&str, Questions); 3] = [
        ("point read, large book", point_reads(&stage.large, stage.contacts)),
        ("durable upsert, another book", upserts(WAWP, std::slice::from_ref(other), 1000)),
        ("durable upsert, the same book", upserts(WAWP, std::slice::from_ref(keys[2]), 1000)),
    ];
    // Each into a book of its own: rows that are there already would be another kind of work.
    for ((name, questions), key) in cases.iter().zip(keys) {
        let [mut alone, mut importing, mut burning] = [Vec::new(), Vec::new(), Vec::new()];
        let (mut first, mut speed, mut share) = (0, 0.0, 0.0);
        for _ in 0..BESIDE_ROUNDS {
            alone.push(measure(stage, questions)?);
            let going = |is_over: &AtomicBool| {
                import(stage, key, &Kind { from: first, ..KINDS[0] }, |_| !is_over.load(Ordering::Relaxed))
            };
            let (measured, (rows, took)) = meanwhile(going, || measure(stage, questions))?;
            importing.push(measured);
            first += rows;
            (speed, share) = (per_second(rows, took), (price * u32::try_from(rows)?).div_duration_f64(took));
            let burn = |is_over: &AtomicBool| burn(share, is_over);
            burning.push(meanwhile(burn, || measure(stage, questions))?.0);
        }
        let failures: u64 =
            [&alone, &importing, &burning].into_iter().flatten().map(|measured| measured.failures).sum();
        anyhow::ensure!(failures == 0, "not every answer was 200");
        let [before, during, control] = [alone, importing, burning].map(|rounds| p99(&rounds));
        println!(
            "beside an import, {name:<30} p99 {during:.2} ms, before {before:.2} ms; ratio {:.2} (<= 2.00); \
             {speed:.0} rows/s meanwhile; beside a busy thread ({share:.2} of a processor) {control:.2} ms, ratio {:.2}",
            during / before,
            control / before,
        );
    }
    Ok(())
}

/// How often each is gone through, one after the other: noise comes and goes.
const BESIDE_ROUNDS: usize = 3;

/// In milliseconds, of all rounds together.
fn p99(rounds: &[Measured]) -> f64 {
    let mut all = rounds[0].latency.clone();
    rounds[1..].iter().for_each(|round| all.add(&round.latency).expect("they are alike"));
    all.value_at_quantile(0.99) as f64 / 1e6
}

/// What is measured while something else goes on, until that is told that it is over; and what came of the other.
fn meanwhile<T: Send>(
    going: impl FnOnce(&AtomicBool) -> anyhow::Result<T> + Send,
    measuring: impl FnOnce() -> anyhow::Result<Measured>,
) -> anyhow::Result<(Measured, T)> {
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let going = scope.spawn(|| going(&is_over));
        let measured = measuring();
        is_over.store(true, Ordering::Relaxed);
        Ok((measured?, going.join().expect("it does not panic")?))
    })
}

/// Takes this share of a processor.
fn burn(share: f64, is_over: &AtomicBool) -> anyhow::Result<()> {
    const PERIOD: Duration = Duration::from_millis(10);
    let busy = PERIOD.mul_f64(share.min(1.0));
    while !is_over.load(Ordering::Relaxed) {
        let began = Instant::now();
        while began.elapsed() < busy {
            std::hint::spin_loop();
        }
        thread::park_timeout(PERIOD - busy);
    }
    Ok(())
}

/// A few clients who are always asking.
fn measure(stage: &Stage, questions: &Questions) -> anyhow::Result<Measured> {
    let (warm_up, window) = (Duration::from_millis(200), Duration::from_secs(2));
    Load { address: stage.gateway, connections: 4, threads: 1, warm_up, window, questions, pace: None }.run()
}

/// How many rows, and in what time.
fn import(
    stage: &Stage,
    Key { instance, token }: &Key,
    kind: &Kind,
    goes_on: impl Fn(u64) -> bool,
) -> anyhow::Result<(u64, Duration)> {
    let mut connection = connect(stage)?;
    let began = Instant::now();
    write!(
        connection,
        "POST /v1/instances/{instance}/import?format={} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {token}\r\n\
         connection: close\r\ntransfer-encoding: chunked\r\n\r\n",
        kind.format
    )?;
    let mut piece = kind.header.to_owned();
    let mut rows = 0;
    while goes_on(rows) {
        piece += &(kind.row)(kind.from + rows);
        rows += 1;
        if piece.len() >= PIECE {
            write!(connection, "{:x}\r\n{piece}\r\n", piece.len())?;
            piece.clear();
        }
    }
    if !piece.is_empty() {
        write!(connection, "{:x}\r\n{piece}\r\n", piece.len())?;
    }
    write!(connection, "0\r\n\r\n")?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer)?;
    let is_whole = answer.contains("\"complete\":true") && answer.contains("\"failed\":0");
    anyhow::ensure!(is_whole, "not all rows were imported: {}", answer.chars().take(400).collect::<String>());
    Ok((rows, began.elapsed()))
}

/// Until the first byte of the body, and until the last.
fn export(stage: &Stage, Key { instance, token }: &Key, format: &str) -> anyhow::Result<(Duration, Duration)> {
    let mut connection = connect(stage)?;
    let began = Instant::now();
    write!(
        connection,
        "GET /v1/instances/{instance}/export?format={format} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {token}\r\n\
         connection: close\r\n\r\n"
    )?;
    let (mut piece, mut head, mut first, mut end) = (vec![0; PIECE], Vec::new(), None, Vec::new());
    loop {
        let length = connection.read(&mut piece)?;
        if length == 0 {
            break;
        }
        if first.is_none() {
            head.extend_from_slice(&piece[..length]);
            let body = head.windows(4).position(|four| four == b"\r\n\r\n").map(|place| place + 4);
            first = body.filter(|body| head.len() > *body).map(|_| began.elapsed());
        }
        end = piece[length.saturating_sub(5)..length].to_vec();
    }
    anyhow::ensure!(head.starts_with(b"HTTP/1.1 200") && end.ends_with(b"0\r\n\r\n"), "the export broke off");
    Ok((first.context("nothing came")?, began.elapsed()))
}

fn connect(stage: &Stage) -> anyhow::Result<TcpStream> {
    let connection = TcpStream::connect(stage.gateway)?;
    connection.set_read_timeout(Some(Duration::from_secs(600)))?;
    Ok(connection)
}

fn per_second(rows: u64, took: Duration) -> f64 {
    rows as f64 / took.as_secs_f64()
}

fn book(stage: &Stage, key: &Key) -> std::path::PathBuf {
    stage.folder().join(&key.instance).join("book.db")
}

/// What came of it, and the most memory it took, in MiB.
fn watched<T>(work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<(T, u64)> {
    let (before, most, is_over) = (resident(), AtomicU64::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                most.fetch_max(resident(), Ordering::Relaxed);
                thread::park_timeout(Duration::from_millis(20));
            }
        });
        let done = work();
        is_over.store(true, Ordering::Relaxed);
        Ok((done?, most.load(Ordering::Relaxed).saturating_sub(before) / 1024))
    })
}

/// In KiB.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").trim().parse().ok()).unwrap_or(0)
}

/// All rows of this book, written into a new file of the same schema in one transaction. Only the writing counts:
/// the time, and this thread's processor time.
fn write_again(book: &Path, path: &Path) -> anyhow::Result<(Duration, Duration)> {
    let book = Connection::open(book)?;
    let _ = fs::remove_file(path);
    let mut bare = Connection::open(path)?;
    bare.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL")?;
    let mut schema = book.prepare("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")?;
    for sql in schema.query_map([], |row| row.get::<_, String>(0))? {
        bare.execute_batch(&sql?)?;
    }
    let transaction = bare.transaction()?;
    let (mut took, mut price) = (Duration::ZERO, Duration::ZERO);
    for table in ["contact", "identity"] {
        let mut select = book.prepare(&format!("SELECT * FROM {table}"))?;
        let columns = select.column_count();
        let places = vec!["?"; columns].join(", ");
        let mut insert = transaction.prepare(&format!("INSERT INTO {table} VALUES ({places})"))?;
        let mut rows = select.query([])?;
        loop {
            let held = hold(&mut rows, columns)?;
            let (began, before) = (Instant::now(), cpu(ClockId::ThreadCPUTime));
            for row in &held {
                insert.execute(rusqlite::params_from_iter(row))?;
            }
            took += began.elapsed();
            price += cpu(ClockId::ThreadCPUTime) - before;
            if held.len() < HELD {
                break;
            }
        }
    }
    let (began, before) = (Instant::now(), cpu(ClockId::ThreadCPUTime));
    transaction.commit()?;
    Ok((took + began.elapsed(), price + (cpu(ClockId::ThreadCPUTime) - before)))
}

/// All contacts of this book with all their columns, as values that can be kept.
fn read_bare(book: &Path) -> anyhow::Result<Duration> {
    let book = Connection::open(book)?;
    let began = Instant::now();
    let mut select = book.prepare("SELECT * FROM contact ORDER BY id")?;
    let columns = select.column_count();
    let mut rows = select.query([])?;
    while hold(&mut rows, columns)?.len() == HELD {}
    Ok(began.elapsed())
}

fn hold(rows: &mut rusqlite::Rows<'_>, columns: usize) -> anyhow::Result<Vec<Vec<Value>>> {
    let mut held = Vec::with_capacity(HELD);
    while held.len() < HELD {
        let Some(row) = rows.next()? else { break };
        held.push((0..columns).map(|column| row.get(column)).collect::<rusqlite::Result<_>>()?);
    }
    Ok(held)
}
