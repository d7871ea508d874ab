//! The spelling of one CSV cell, in both directions: lists, flags and numbers as people and programs write them, and what
//! a spreadsheet would take for a formula, which is written with an apostrophe before it that reading takes away again.

use std::borrow::Cow;

use serde_json::Value;

pub(super) fn flag(cell: &str) -> Option<bool> {
    match &*cell.trim().to_ascii_lowercase() {
        "true" | "1" | "yes" | "y" => Some(true),
        "false" | "0" | "no" | "n" => Some(false),
        _ => None,
    }
}

/// JSON, or words between semicolons, commas or Google's triple colons. Google's own groups begin with an asterisk.
pub(super) fn words(cell: &str) -> Vec<String> {
    if let Some(words) = cell.starts_with('[').then(|| serde_json::from_str(cell).ok()).flatten() {
        return words;
    }
    let parts: Vec<_> =
        if cell.contains(":::") { cell.split(":::").collect() } else { cell.split([';', ',']).collect() };
    let words = parts.into_iter().map(str::trim).filter(|word| !word.is_empty() && !word.starts_with("* "));
    words.map(str::to_owned).collect()
}

pub(super) fn numbers(cell: &str) -> Value {
    let parts = cell.trim_matches(['[', ']']).split([';', ',']).map(str::trim).filter(|part| !part.is_empty());
    parts.map(|part| part.parse::<i64>().map_or_else(|_| Value::from(part), Value::from)).collect()
}

/// With what a spreadsheet begins a formula, in half and full width.
fn is_formula(text: &str) -> bool {
    text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'])
}

/// An apostrophe before what would be a formula, and before what has such an apostrophe already: so that each is read back
/// as what it was.
fn guarded(text: &str) -> Cow<'_, str> {
    if is_formula(text.trim_start_matches('\'')) { Cow::Owned(format!("'{text}")) } else { Cow::Borrowed(text) }
}

pub(super) fn unguarded(cell: &str) -> Cow<'_, str> {
    let guarded = cell.strip_prefix('\'').filter(|_| is_formula(cell.trim_start_matches('\'')));
    Cow::Borrowed(guarded.unwrap_or(cell))
}

/// As people write it where that reads back, else as JSON.
pub(super) fn joined(given: &[&str]) -> String {
    let text = given.join("; ");
    if words(&text) == given { text } else { serde_json::to_string(given).expect("strings are JSON") }
}

pub(super) fn write_cell(text: &str, out: &mut Vec<u8>) {
    let text = guarded(text);
    if !text.contains([',', ';', '"', '\r', '\n', '\t']) {
        return out.extend_from_slice(text.as_bytes());
    }
    out.push(b'"');
    out.extend_from_slice(text.replace('"', "\"\"").as_bytes());
    out.push(b'"');
}
