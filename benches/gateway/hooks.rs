//! 100 webhooks of one instance while it changes a thousand times a second: deliveries per second, how long the last takes
//! after the last change, and the process's resident memory before and after. Receivers are threads of this process that
//! answer at once; a contact that changes again before it was told is told once.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crate::stage::{Key, PHONES, Stage};

const WEBHOOKS: usize = 100;
const CHANGES_PER_SECOND: u32 = 1000;
const CONTACTS: u32 = 1000;
/// When nothing has come for so long, everything has.
const QUIET: Duration = Duration::from_secs(2);

pub fn measure(stage: &Stage, window: Duration) -> anyhow::Result<()> {
    let heard = Arc::new(AtomicU64::new(0));
    let receiver = listen(&heard)?;
    let key = &stage.spread[0];
    for _ in 0..WEBHOOKS {
        register(stage, key, receiver)?;
    }
    let before = resident();
    let start = Instant::now();
    let changes = change(stage, key, window)?;
    let (took, during) = (start.elapsed(), heard.load(Ordering::Relaxed));
    let (all, drained) = wait_until_quiet(&heard);
    let lag = drained.saturating_duration_since(start + took);
    println!(
        "\n{WEBHOOKS} webhooks of one instance, {changes} changes in {:.1} s: {:.0} deliveries/s while it changed, {all} in \
         all, the last {:.1} s after the last change; resident memory {} MB before, {} MB after",
        took.as_secs_f64(),
        during as f64 / took.as_secs_f64(),
        lag.as_secs_f64(),
        before / 1_000_000,
        resident() / 1_000_000,
    );
    Ok(())
}

/// Renames, evenly spread in time, one connection.
fn change(stage: &Stage, Key { instance, token }: &Key, window: Duration) -> anyhow::Result<u32> {
    let count = CHANGES_PER_SECOND * u32::try_from(window.as_secs().max(1))?;
    let mut connection = BufReader::new(TcpStream::connect(stage.gateway)?);
    connection.get_ref().set_nodelay(true)?;
    let start = Instant::now();
    for n in 0..count {
        let body = format!(
            r#"{{"instance_id": "{instance}", "access_token": "{token}", "chatId": "{PHONES}{:09}@c.us", "firstName": "Bob {n}"}}"#,
            n % CONTACTS
        );
        ask(&mut connection, "POST /v2/contacts/update", "", &body)?;
        let due = start + Duration::from_secs(1) * (n + 1) / CHANGES_PER_SECOND;
        while let Some(early) = due.checked_duration_since(Instant::now()).filter(|early| !early.is_zero()) {
            thread::park_timeout(early);
        }
    }
    Ok(count)
}

fn register(stage: &Stage, Key { instance, token }: &Key, receiver: SocketAddr) -> anyhow::Result<()> {
    let mut connection = BufReader::new(TcpStream::connect(stage.gateway)?);
    let body = format!(r#"{{"url": "http://{receiver}/"}}"#);
    let head = format!("authorization: Bearer {token}\r\n");
    ask(&mut connection, &format!("POST /v1/instances/{instance}/webhooks"), &head, &body)
}

/// A request that must succeed.
fn ask(connection: &mut BufReader<TcpStream>, what: &str, head: &str, body: &str) -> anyhow::Result<()> {
    let length = body.len();
    let request = format!(
        "{what} HTTP/1.1\r\nhost: bench\r\n{head}content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    connection.get_mut().write_all(request.as_bytes())?;
    let (line, _) = read_message(connection)?;
    anyhow::ensure!(line.starts_with("HTTP/1.1 20"), "{what} was answered {}", line.trim());
    Ok(())
}

/// Counts every delivery, and answers it.
fn listen(heard: &Arc<AtomicU64>) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let (address, heard) = (listener.local_addr()?, Arc::clone(heard));
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let heard = Arc::clone(&heard);
            thread::spawn(move || {
                let mut stream = BufReader::new(stream);
                while read_message(&mut stream).is_ok() {
                    heard.fetch_add(1, Ordering::Relaxed);
                    if stream.get_mut().write_all(b"HTTP/1.1 204 No Content\r\n\r\n").is_err() {
                        return;
                    }
                }
            });
        }
    });
    Ok(address)
}

/// The first line of a request or an answer, and its body.
fn read_message(stream: &mut BufReader<TcpStream>) -> anyhow::Result<(String, Vec<u8>)> {
    let (mut first, mut line, mut length) = (String::new(), String::new(), 0);
    anyhow::ensure!(stream.read_line(&mut first)? > 0, "the connection was closed");
    loop {
        line.clear();
        stream.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse()?;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok((first, body))
}

/// How many there were in the end, and when the last came.
fn wait_until_quiet(heard: &AtomicU64) -> (u64, Instant) {
    let (mut count, mut since) = (heard.load(Ordering::Relaxed), Instant::now());
    while since.elapsed() < QUIET {
        thread::park_timeout(Duration::from_millis(20));
        let now = heard.load(Ordering::Relaxed);
        if now != count {
            (count, since) = (now, Instant::now());
        }
    }
    (count, since)
}

/// In bytes.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().split(' ').next()?.parse::<u64>().ok()).unwrap_or(0) * 1024
}
