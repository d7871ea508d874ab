//! What phones saw, in batches of 100 on one connection, beside SuperWABA's bulk import in batches of the same size: new
//! people through both, and the same observations again. A row of observations is up to three edits.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    time::{Duration, Instant},
};

use anyhow::Context as _;

use crate::stage::{Key, Stage};

const BATCH: usize = 100;
const BATCHES: usize = 50;
const ROUNDS: usize = 3;

pub fn compare(stage: &Stage) -> anyhow::Result<()> {
    let (mut imported, mut observed, mut again) = (Vec::new(), Vec::new(), Vec::new());
    // From the end: the beginning is `bulk`'s.
    for keys in stage.spread.rchunks(2).take(ROUNDS) {
        let [one, other] = keys else { continue };
        imported.push(send(stage, one, "/api/whatsapp/contacts/bulk", bulk, "\"skipped\":0")?);
        let path = format!("/v1/instances/{}/observations", other.instance);
        observed.push(send(stage, other, &path, observations, "\"change\":\"created\"")?);
        again.push(send(stage, other, &path, observations, "\"change\":\"unchanged\"")?);
    }
    let per_second = |times: &[Duration]| {
        let best = times.iter().min().map_or(f64::NAN, Duration::as_secs_f64);
        (BATCH * BATCHES) as f64 / best
    };
    let [imported, observed, again] = [imported, observed, again].map(|times| per_second(&times));
    println!(
        "\nobservations in batches of {BATCH}: {observed:.0} rows/s, seen again {again:.0} rows/s; SuperWABA bulk in batches \
         of {BATCH}: {imported:.0} rows/s; ratio {:.2} (best of {ROUNDS})",
        observed / imported
    );
    Ok(())
}

fn bulk(first: usize) -> String {
    let rows = (first..first + BATCH).map(|n| format!(r#"{{"userNumber": "+4917{n:08}", "userName": "Person {n}"}}"#));
    format!(r#"{{"contacts": [{}]}}"#, rows.collect::<Vec<_>>().join(","))
}

fn observations(first: usize) -> String {
    let rows = (first..first + BATCH).map(|n| {
        format!(
            r#"{{"chat_id": "{}@lid", "phone": "4917{n:08}", "pushname": "Push {n}", "saved": {{"full": "Person {n}"}}, "at": "2026-01-01T00:00:00Z"}}"#,
            70_000_000_000 + n
        )
    });
    format!(r#"{{"observations": [{}]}}"#, rows.collect::<Vec<_>>().join(","))
}

/// All batches, one after the other; the time from the first request to the last answer.
fn send(
    stage: &Stage,
    Key { instance, token }: &Key,
    path: &str,
    body: impl Fn(usize) -> String,
    expected: &str,
) -> anyhow::Result<Duration> {
    let bodies: Vec<_> = (0..BATCHES).map(|batch| body(batch * BATCH)).collect();
    let mut connection = TcpStream::connect(stage.gateway)?;
    connection.set_nodelay(true)?;
    connection.set_read_timeout(Some(Duration::from_secs(60)))?;
    let mut answers = BufReader::new(connection.try_clone()?);
    let before = Instant::now();
    for body in bodies {
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {token}\r\nx-org-id: {instance}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        connection.write_all(request.as_bytes())?;
        let answer = read_answer(&mut answers)?;
        anyhow::ensure!(answer.contains(expected), "a batch to {path} was not taken");
    }
    Ok(before.elapsed())
}

fn read_answer(answers: &mut BufReader<TcpStream>) -> anyhow::Result<String> {
    let mut length = None;
    loop {
        let mut line = String::new();
        answers.read_line(&mut line)?;
        let line = line.trim_end().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(number) = line.strip_prefix("content-length:") {
            length = Some(number.trim().parse()?);
        }
    }
    let mut body = vec![0; length.context("an answer has a length")?];
    answers.read_exact(&mut body)?;
    Ok(String::from_utf8(body)?)
}
