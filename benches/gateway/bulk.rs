//! SuperWABA's bulk import of 10,000 rows, beside the same rows written by bare SQLite in one transaction of a file with
//! the same schema: what the address book costs over its own storage.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use rusqlite::{Connection, types::Value};

use crate::stage::{Key, Stage};

const ROWS: usize = 10_000;
const ROUNDS: usize = 3;

pub fn compare(stage: &Stage) -> anyhow::Result<()> {
    let (mut imported, mut bare) = (Vec::new(), Vec::new());
    for key in stage.spread.iter().take(ROUNDS) {
        let before = Instant::now();
        import(stage, key)?;
        imported.push(before.elapsed());
        let book = stage.folder().join(&key.instance).join("book.db");
        bare.push(write_again(&book, &stage.folder().join("bare.db"))?);
    }
    let per_second = |times: &[Duration]| {
        let best = times.iter().min().map_or(f64::NAN, Duration::as_secs_f64);
        ROWS as f64 / best
    };
    let (imported, bare) = (per_second(&imported), per_second(&bare));
    println!(
        "\nSuperWABA bulk, {ROWS} new rows in one request: {imported:.0} rows/s; the same rows in one transaction of bare \
         SQLite with the same schema: {bare:.0} rows/s; ratio {:.2} (aimed at: >= 0.40; best of {ROUNDS})",
        imported / bare
    );
    Ok(())
}

fn import(stage: &Stage, Key { instance, token }: &Key) -> anyhow::Result<()> {
    let rows: Vec<_> = (0..ROWS)
        .map(|n| format!(r#"{{"userNumber": "+4917{n:08}", "userName": "Person {n}", "email": "p{n}@example.com", "tags": ["imported"]}}"#))
        .collect();
    let body = format!(r#"{{"contacts": [{}]}}"#, rows.join(","));
    let mut connection = TcpStream::connect(stage.gateway)?;
    connection.set_read_timeout(Some(Duration::from_secs(60)))?;
    write!(
        connection,
        "POST /api/whatsapp/contacts/bulk HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {token}\r\nx-org-id: {instance}\r\n\
         content-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer)?;
    anyhow::ensure!(answer.contains(&format!("\"imported\":{ROWS}")), "not all rows were imported");
    Ok(())
}

/// All rows of this book's tables, written into a new file of the same schema; the time of the transaction alone.
fn write_again(book: &Path, path: &Path) -> anyhow::Result<Duration> {
    let book = Connection::open(book)?;
    let _ = std::fs::remove_file(path);
    let mut bare = Connection::open(path)?;
    bare.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL")?;
    let mut schema = book.prepare("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")?;
    for sql in schema.query_map([], |row| row.get::<_, String>(0))? {
        bare.execute_batch(&sql?)?;
    }
    let tables = ["contact", "identity"].map(|table| rows(&book, table).map(|rows| (table, rows)));
    let before = Instant::now();
    let transaction = bare.transaction()?;
    for table in tables {
        let (table, rows) = table?;
        let places = vec!["?"; rows.first().context("the book has rows")?.len()].join(", ");
        let mut insert = transaction.prepare(&format!("INSERT INTO {table} VALUES ({places})"))?;
        for row in rows {
            insert.execute(rusqlite::params_from_iter(row))?;
        }
    }
    transaction.commit()?;
    Ok(before.elapsed())
}

/// The newest rows of a table.
fn rows(book: &Connection, table: &str) -> anyhow::Result<Vec<Vec<Value>>> {
    let of = if table == "contact" { "id" } else { "contact_id" };
    let newest = format!("SELECT * FROM {table} WHERE {of} IN (SELECT id FROM contact ORDER BY id DESC LIMIT {ROWS})");
    let mut statement = book.prepare(&newest)?;
    let columns = statement.column_count();
    let rows = statement.query_map([], |row| (0..columns).map(|column| row.get(column)).collect())?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
