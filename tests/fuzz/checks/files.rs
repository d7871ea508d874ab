//! Files: read in pieces they give the rows that they give whole; and what was imported can be exported and imported again
//! without anything changing.

use wabook::port::{Empty, Format, Reader, Row};

use super::{
    doors::Face,
    stage::{Request, Stage},
};

/// Stands for a text so long that three are more than a row may have, in files that begin with `L` or `M`: they are slow.
const LONG: u8 = 1;
const LONG_TEXT: usize = 400_000;

/// The first byte says how empty cells are meant, the second how large the pieces are.
pub fn in_pieces(format: Format, bytes: &[u8]) {
    let [how, size, file @ ..] = bytes else { return };
    let empty = if how & 1 == 0 { Empty::Keeps } else { Empty::Clears };
    let file = if matches!(how, b'L' | b'M') { stretched(file) } else { file.to_vec() };
    let whole = read(format, empty, [&*file]);
    let (size, least) = (usize::from(*size), file.len() / 2_000);
    assert_eq!(read(format, empty, file.chunks(1 + least + size % 7)), whole, "in pieces of one size");
    let (head, tail) = file.split_at(file.len() * size / 256);
    assert_eq!(read(format, empty, [head, b"", tail]), whole, "in two");
    let lines = 1 + file.iter().filter(|byte| matches!(byte, b'\n' | b'\r')).count() as u64;
    let mut before = 1;
    for Row { line, read } in &whole.rows {
        assert!((before..=lines).contains(line), "rows stand one after the other, within the file");
        before = *line;
        match read {
            Ok(draft) => assert_eq!(draft.who.to_string().parse(), Ok(draft.who)),
            Err(refusal) => assert!(!refusal.to_string().is_empty()),
        }
    }
    assert!(whole.ignored.len() <= 100 && whole.ignored.iter().all(|name| name.chars().count() <= 100));
}

#[derive(Debug, PartialEq)]
struct Read {
    rows: Vec<Row>,
    ended: Result<(), String>,
    ignored: Vec<String>,
}

fn read<'f>(format: Format, empty: Empty, pieces: impl IntoIterator<Item = &'f [u8]>) -> Read {
    let (mut reader, mut rows) = (Reader::new(format, empty), Vec::new());
    let ended = pieces.into_iter().try_for_each(|piece| reader.feed(piece, &mut rows));
    let ended = ended.and_then(|()| reader.end(&mut rows)).map_err(|refusal| refusal.to_string());
    Read { rows, ended, ignored: reader.ignored().to_vec() }
}

fn stretched(file: &[u8]) -> Vec<u8> {
    let mut stretched = Vec::with_capacity(file.len());
    let mut left = 4;
    for byte in file {
        if *byte == LONG && left > 0 {
            stretched.resize(stretched.len() + LONG_TEXT, b'x');
            left -= 1;
        } else {
            stretched.push(*byte);
        }
    }
    stretched
}

const FORMATS: [(&str, &str); 4] = [("csv", ""), ("vcf", "&version=3.0"), ("vcf", "&version=4.0"), ("ndjson", "")];

/// The first byte says in which format the file is read, the second how and in which format it is written.
pub fn there_and_back(stage: &mut Stage, bytes: &[u8]) {
    let [read, how, file @ ..] = bytes else { return };
    stage.freshen(60);
    let (format, _) = FORMATS[usize::from(read.wrapping_sub(b'0')) % FORMATS.len()];
    let how = how.wrapping_sub(b'0');
    let empty = if how & 4 == 0 { "keep" } else { "clear" };
    let rehearsal = import(stage, &format!("{format}&empty={empty}&create=true&dry_run=true"), file);
    let done = import(stage, &format!("{format}&empty={empty}&create=true"), file);
    assert_eq!(
        rehearsal.map(|report| report.rows),
        done.as_ref().map(|report| report.rows),
        "a rehearsal reads as much"
    );
    if done.is_none_or(|report| report.changed == 0) {
        return;
    }
    let (format, version) = FORMATS[usize::from(how & 3)];
    // A card cannot say everything: it may change what it tells once, never twice.
    let rounds = if format == "vcf" { 2 } else { 1 };
    for round in 1..=rounds {
        let exported = stage.ask(&Request::new("GET", &format!("/v1/instances/{{i}}/export?format={format}{version}")));
        assert_eq!(exported.status, 200);
        let report = import(stage, format, &exported.body).expect("what was exported can be imported");
        let file = exported.text();
        assert_eq!(report.failed, 0, "{file}\n{}", report.told);
        assert!(round < rounds || report.changed == 0, "{file}\n{}", report.told);
    }
}

struct Report {
    rows: u64,
    changed: u64,
    failed: u64,
    told: String,
}

/// What came of it; none for what is no file at all.
fn import(stage: &mut Stage, how: &str, file: &[u8]) -> Option<Report> {
    let path = format!("/v1/instances/{{i}}/import?format={how}");
    let answer = stage.ask(&Request { body: file, ..Request::new("POST", &path) });
    Face::Native.check(&answer);
    assert!(matches!(answer.status, 200 | 400), "{}", answer.status);
    let report = answer.json();
    let number = |name: &str| report[name].as_u64().expect("a report counts");
    (answer.status == 200).then(|| Report {
        rows: number("rows"),
        changed: number("created") + number("updated") + number("merged"),
        failed: number("failed"),
        told: report.to_string(),
    })
}
