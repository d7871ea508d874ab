//! The change feed: a whole book read through HTTP beside the same rows read by bare SQLite, how soon an event follows the
//! answer to a write, and what a thousand listeners cost.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::Path,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use hdrhistogram::Histogram;
use rusqlite::{Connection, types::Value};

use crate::stage::{Key, Stage};

const PAGE: usize = 500;
const ROUNDS: usize = 3;
const WRITES: u64 = 1000;
const LISTENERS: usize = 1000;

pub fn compare(stage: &Stage) -> anyhow::Result<()> {
    drain(stage)?;
    // An instance each that no other row has written to.
    let [.., listened, crowded] = stage.spread.as_slice() else { anyhow::bail!("there are instances") };
    delay(stage, listened)?;
    crowd(stage, crowded)
}

fn drain(stage: &Stage) -> anyhow::Result<()> {
    let book = stage.folder().join(&stage.large.instance).join("book.db");
    let (mut over_http, mut bare) = (Vec::new(), Vec::new());
    let mut rows = 0;
    for _ in 0..ROUNDS {
        let began = Instant::now();
        rows = drain_over_http(stage)?;
        over_http.push(began.elapsed());
        let began = Instant::now();
        anyhow::ensure!(read_bare(&book)? == rows, "both read the same rows");
        bare.push(began.elapsed());
    }
    let per_second = |times: &[Duration]| rows as f64 / times.iter().min().map_or(f64::NAN, Duration::as_secs_f64);
    let (over_http, bare) = (per_second(&over_http), per_second(&bare));
    println!(
        "\nfeed drain, {rows} changes in pages of {PAGE}, one connection: {over_http:.0} rows/s; the same pages by bare \
         SQLite: {bare:.0} rows/s; ratio {:.2} (aimed at: >= 0.40; best of {ROUNDS})",
        over_http / bare
    );
    Ok(())
}

fn drain_over_http(stage: &Stage) -> anyhow::Result<usize> {
    let mut caller = Caller::to(stage.gateway)?;
    let (mut since, mut rows) = (String::new(), 0);
    loop {
        let rest = format!("/changes?limit={PAGE}&since={since}");
        let page = caller.ask("GET", &stage.large, &rest, "")?;
        rows += page.matches("{\"change\":\"").count();
        let (_, next) = page.rsplit_once("\"next\":\"").context("a page has a next token")?;
        since = next.split('"').next().unwrap_or_default().to_owned();
        if page.ends_with("\"has_more\":false}") {
            return Ok(rows);
        }
    }
}

/// Every column of every row, in the feed's order and pages.
fn read_bare(book: &Path) -> anyhow::Result<usize> {
    let book = Connection::open(book)?;
    let mut page = book.prepare("SELECT revision, * FROM contact WHERE revision > ?1 ORDER BY revision LIMIT ?2")?;
    let columns = page.column_count();
    let (mut after, mut count) = (0, 0);
    loop {
        let read = page.query_map((after, PAGE as i64), |row| {
            (0..columns).map(|column| row.get(column)).collect::<rusqlite::Result<Vec<Value>>>()
        })?;
        let rows = read.collect::<rusqlite::Result<Vec<_>>>()?;
        count += rows.len();
        match rows.last().and_then(|row| row.first()) {
            Some(Value::Integer(revision)) if rows.len() == PAGE => after = *revision,
            _ => return Ok(count),
        }
    }
}

fn delay(stage: &Stage, key: &Key) -> anyhow::Result<()> {
    let mut listener = Listener::open(stage.gateway, key)?;
    let (heard, hears) = std::sync::mpsc::channel();
    let listening = std::thread::spawn(move || {
        for _ in 0..WRITES {
            listener.event()?;
            heard.send(Instant::now())?;
        }
        anyhow::Ok(())
    });
    let mut caller = Caller::to(stage.gateway)?;
    let (mut after_answer, mut after_request) = (delays()?, delays()?);
    for number in 0..WRITES {
        let began = Instant::now();
        caller.write(key, number)?;
        let answered = Instant::now();
        let event = hears.recv_timeout(Duration::from_secs(10))?;
        // Often the event is there before the answer.
        after_answer.saturating_record(nanos(event.saturating_duration_since(answered)));
        after_request.saturating_record(nanos(event - began));
    }
    listening.join().expect("the listener does not panic")?;
    println!(
        "from a write's answer to its event, {WRITES} writes one after another: p50 {:.2} ms, p99 {:.2} ms; from its \
         request: p50 {:.2} ms, p99 {:.2} ms",
        millis(&after_answer, 0.50),
        millis(&after_answer, 0.99),
        millis(&after_request, 0.50),
        millis(&after_request, 0.99)
    );
    Ok(())
}

fn crowd(stage: &Stage, key: &Key) -> anyhow::Result<()> {
    let before = resident()?;
    let mut listeners =
        (0..LISTENERS).map(|_| Listener::open(stage.gateway, key)).collect::<anyhow::Result<Vec<_>>>()?;
    let after = resident()?;
    let mut caller = Caller::to(stage.gateway)?;
    let began = Instant::now();
    caller.write(key, 0)?;
    let mut reached = delays()?;
    for listener in &mut listeners {
        listener.event()?;
        reached.saturating_record(nanos(began.elapsed()));
    }
    println!(
        "{LISTENERS} listeners of one instance: {:.1} KiB resident each, their own sockets included; one write reaches \
         them all in {:.0} ms, half of them in {:.0} ms",
        after.saturating_sub(before) as f64 / LISTENERS as f64,
        millis(&reached, 1.0),
        millis(&reached, 0.5)
    );
    Ok(())
}

/// A keep-alive connection that reads whole answers.
struct Caller {
    stream: BufReader<TcpStream>,
}

impl Caller {
    fn to(address: SocketAddr) -> anyhow::Result<Self> {
        Ok(Self { stream: BufReader::new(connect(address)?) })
    }

    fn ask(&mut self, verb: &str, key: &Key, rest: &str, body: &str) -> anyhow::Result<String> {
        send(self.stream.get_mut(), verb, key, rest, body)?;
        let head = head(&mut self.stream)?;
        anyhow::ensure!(head.starts_with("HTTP/1.1 20"), "not answered well: {head}");
        let length =
            head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
        let mut body = vec![0; length.context("the answer has a length")?];
        self.stream.read_exact(&mut body)?;
        Ok(String::from_utf8(body)?)
    }

    fn write(&mut self, key: &Key, number: u64) -> anyhow::Result<()> {
        self.ask("PUT", key, "/contacts/4915000000001", &format!(r#"{{"name": "Number {number}"}}"#)).map(drop)
    }
}

/// A stream of events that has begun.
struct Listener {
    stream: BufReader<TcpStream>,
}

impl Listener {
    fn open(address: SocketAddr, key: &Key) -> anyhow::Result<Self> {
        let mut stream = connect(address)?;
        send(&mut stream, "GET", key, "/events", "")?;
        // Small: what is measured is the server's memory.
        let mut stream = BufReader::with_capacity(512, stream);
        let head = head(&mut stream)?;
        anyhow::ensure!(head.starts_with("HTTP/1.1 200"), "no stream: {head}");
        let mut listener = Self { stream };
        listener.until("id: ")?;
        Ok(listener)
    }

    fn event(&mut self) -> anyhow::Result<()> {
        self.until("data: ")
    }

    /// To the end of the next line that begins so.
    fn until(&mut self, start: &str) -> anyhow::Result<()> {
        let mut line = String::new();
        while !line.starts_with(start) {
            line.clear();
            anyhow::ensure!(self.stream.read_line(&mut line)? > 0, "the stream has ended");
        }
        Ok(())
    }
}

fn connect(address: SocketAddr) -> anyhow::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    Ok(stream)
}

fn send(
    stream: &mut TcpStream,
    verb: &str,
    Key { instance, token }: &Key,
    rest: &str,
    body: &str,
) -> anyhow::Result<()> {
    let length = if body.is_empty() {
        String::new()
    } else {
        format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len())
    };
    let head = format!(
        "{verb} /v1/instances/{instance}{rest} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {token}\r\n{length}\r\n"
    );
    Ok(stream.write_all((head + body).as_bytes())?)
}

fn head(stream: &mut BufReader<TcpStream>) -> anyhow::Result<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        anyhow::ensure!(stream.read_line(&mut head)? > 0, "closed within a head");
    }
    Ok(head)
}

/// Of this process, in which the server runs; in KiB.
fn resident() -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("Linux tells it")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

/// Nanoseconds, up to a minute.
fn delays() -> anyhow::Result<Histogram<u64>> {
    Ok(Histogram::new_with_max(60_000_000_000, 3)?)
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

fn millis(histogram: &Histogram<u64>, quantile: f64) -> f64 {
    histogram.value_at_quantile(quantile) as f64 / 1e6
}
