//! `import` and `export`: files on their way to and from a gateway, piece by piece, with a progress bar on a terminal.
//! Leaves out what the formats are; that is for the gateway, which also tells of every row.

use std::{
    fs::{File, OpenOptions},
    io::{self, IsTerminal as _, Read, Write, stderr, stdin, stdout},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use clap::Args;
use futures_util::{Stream, stream};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::errand::{Report, segment, shown};
use crate::{
    port::{
        Format,
        columns::{COLUMNS, PARAM},
    },
    sync::{Remote, RemoteError},
};

#[derive(Debug, Args)]
pub struct ImportWish {
    instance: String,
    /// The file; - for standard input
    file: PathBuf,
    /// What it is [default: by the ending of its name]
    #[arg(long, value_name = "csv|vcf|ndjson")]
    format: Option<Format>,
    /// Tell what would come of each row; store nothing
    #[arg(long)]
    dry_run: bool,
    /// Let an empty cell clear what the book holds, instead of keeping it
    #[arg(long)]
    clear_empty: bool,
    /// Make groups, sources and statuses that the file names and the book has not
    #[arg(long)]
    create: bool,
}

#[derive(Debug, Args)]
pub struct ExportWish {
    instance: String,
    /// [default: by the ending of the output's name, or csv]
    #[arg(long, value_name = "csv|vcf|ndjson")]
    format: Option<Format>,
    /// The file, which must not exist yet; - for standard output
    #[arg(long, short, value_name = "FILE", default_value = "-")]
    output: PathBuf,
    /// Of vCard
    #[arg(long, value_name = "3.0|4.0")]
    vcard_version: Option<String>,
}

/// What of a file is read at once.
const PIECE: usize = 64 * 1024;

/// The columns of CSV, out of the table by which they are read.
pub fn columns_help() -> String {
    let mut help =
        "Columns of CSV, by their headers, whatever the case, spaces, underscores and hyphens; # is any number:\n"
            .to_owned();
    for column in &COLUMNS {
        help += &format!("  {}\n", column.headers.join(", "));
    }
    help + &format!(
        "  {PARAM}<key>\n\nA phone or a LID is needed in each row. What else there is, is ignored, and said so."
    )
}

pub async fn import(remote: &Remote, wish: ImportWish, is_json: bool) -> anyhow::Result<Report> {
    let format = wish.format.or_else(|| of_ending(&wish.file));
    let format = format.context("what the file is does not show by its name: say --format csv, vcf or ndjson")?;
    let instance = format!("/v1/instances/{}", segment(&wish.instance));
    // Before a large file is sent to nowhere.
    remote.get(&instance).await?;
    let (source, length): (Box<dyn Read + Send>, _) = if is_dash(&wish.file) {
        (Box::new(stdin()), None)
    } else {
        let file = File::open(&wish.file).with_context(|| format!("{} cannot be read", wish.file.display()))?;
        let length = file.metadata().ok().map(|metadata| metadata.len());
        (Box::new(file), length)
    };
    let empty = if wish.clear_empty { "clear" } else { "keep" };
    let (dry_run, create) = (wish.dry_run, wish.create);
    let path = format!("{instance}/import?format={}&dry_run={dry_run}&create={create}&empty={empty}", format.word());
    let bar = bar(length, is_json);
    let told = remote.upload(&path, pieces(source, bar.clone())).await;
    bar.finish_and_clear();
    match told {
        Ok(report) => Ok(told_of(report)),
        Err(RemoteError::Problem { code, detail, import }) if import["rows"].as_u64().unwrap_or(0) > 0 => {
            name_refused(&import);
            let (rows, line) = (shown(&import["rows"]), shown(&import["last_line"]));
            anyhow::bail!(
                "{detail} {rows} rows were taken, to line {line}, and what was stored stays. Run it again when this is mended: \
                 what the book holds already does not change ({code})"
            )
        }
        Err(error) => Err(error.into()),
    }
}

fn told_of(report: Value) -> Report {
    name_refused(&report);
    let count = |key: &str| report[key].as_u64().unwrap_or(0);
    let would = if report["dry_run"] == true { "would be " } else { "" };
    let mut text = format!(
        "{} rows: {would}{} created, {} updated, {} merged, {} unchanged, {} refused",
        count("rows"),
        count("created"),
        count("updated"),
        count("merged"),
        count("unchanged"),
        count("failed"),
    );
    let ignored: Vec<_> = report["ignored"].as_array().into_iter().flatten().map(shown).collect();
    if !ignored.is_empty() {
        text += &format!("\nnot taken: {}", ignored.join(", "));
    }
    if count("further_phones") > 0 {
        text += &format!("\n{} further phone numbers were not taken: a contact has one", count("further_phones"));
    }
    Report { is_good: count("failed") == 0, json: report, text }
}

fn name_refused(report: &Value) {
    for error in report["errors"].as_array().into_iter().flatten() {
        eprintln!("line {}: {}", shown(&error["line"]), shown(&error["detail"]));
    }
    if let Some(more @ 1..) = report["errors_not_listed"].as_u64() {
        eprintln!("and {more} more");
    }
}

/// Read on a thread of its own: a slow disk or a pipe must not hold up what else goes on here.
fn pieces(
    mut source: Box<dyn Read + Send>,
    bar: ProgressBar,
) -> impl Stream<Item = io::Result<Vec<u8>>> + Send + 'static {
    let (sender, receiver) = mpsc::channel(4);
    std::thread::spawn(move || {
        loop {
            let mut piece = vec![0; PIECE];
            let read = match source.read(&mut piece) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Ok(0) => return,
                Ok(length) => {
                    piece.truncate(length);
                    bar.inc(length as u64);
                    Ok(piece)
                }
                Err(error) => Err(error),
            };
            let is_last = read.is_err();
            if sender.blocking_send(read).is_err() || is_last {
                return;
            }
        }
    });
    stream::unfold(receiver, |mut receiver| async move { receiver.recv().await.map(|piece| (piece, receiver)) })
}

pub async fn export(remote: &Remote, wish: ExportWish, is_json: bool) -> anyhow::Result<Report> {
    let format = wish.format.or_else(|| of_ending(&wish.output)).unwrap_or(Format::Csv);
    let mut path = format!("/v1/instances/{}/export?format={}", segment(&wish.instance), format.word());
    if let Some(version) = &wish.vcard_version {
        path += &format!("&version={}", segment(version));
    }
    let mut download = remote.download(&path).await?;
    if is_dash(&wish.output) {
        let mut out = stdout().lock();
        while let Some(piece) = download.next().await? {
            out.write_all(&piece)?;
        }
        out.flush()?;
        return Ok(Report { json: Value::Null, text: String::new(), is_good: true });
    }
    // Under its name only when it is whole; and nobody else's to read: it is people's data.
    let refused = || format!("{} cannot be written", wish.output.display());
    anyhow::ensure!(!wish.output.exists(), "{} exists already: name a new one", wish.output.display());
    let partial = PathBuf::from(format!("{}.partial", wish.output.display()));
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&partial).with_context(refused)?;
    let (bar, mut bytes) = (bar(None, is_json), 0);
    while let Some(piece) = download.next().await? {
        file.write_all(&piece).with_context(refused)?;
        bytes += piece.len() as u64;
        bar.inc(piece.len() as u64);
    }
    bar.finish_and_clear();
    file.sync_all().with_context(refused)?;
    std::fs::rename(&partial, &wish.output).with_context(refused)?;
    let text = format!("{} is written, {bytes} bytes.", wish.output.display());
    Ok(Report { json: json!({"file": wish.output, "format": format.word(), "bytes": bytes}), text, is_good: true })
}

fn of_ending(file: &Path) -> Option<Format> {
    file.extension().and_then(|ending| ending.to_str()).and_then(Format::of_ending)
}

fn is_dash(file: &Path) -> bool {
    file.as_os_str() == "-"
}

/// Only for people who look on.
fn bar(length: Option<u64>, is_json: bool) -> ProgressBar {
    if is_json || !stderr().is_terminal() {
        return ProgressBar::with_draw_target(length, ProgressDrawTarget::hidden());
    }
    let template = match length {
        Some(_) => "{bar:30} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} to go",
        None => "{spinner} {bytes}, {bytes_per_sec}",
    };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::with_draw_target(length, ProgressDrawTarget::stderr()).with_style(style)
}
