//! Holds the house to its own rules: a floor uses only floors below it, third parties stay in the rooms that own them,
//! every file opens by saying what it is for, and what we link has a licence that we can pass on.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The floors, as `src/lib.rs` tells them. A room not listed here fails the test: choose its floor.
const FLOORS: [(&str, u8); 12] = [
    ("domain", 0),
    ("book", 1),
    ("journal", 1),
    ("port", 1),
    ("session", 2),
    ("gateway", 3),
    ("sync", 4),
    ("http", 5),
    ("config", 6),
    ("app", 6),
    ("cli", 6),
    ("main", 6),
];

/// On the top floor there are siblings that may be used: what is chosen and wired is run from the command line.
const TOP_FLOOR_ARROWS: [(&str, &str); 4] = [("app", "config"), ("cli", "app"), ("cli", "config"), ("main", "cli")];

/// Who may speak to which crate.
const OWNERS: [(&str, &[&str]); 7] = [
    ("rusqlite", &["book", "gateway/store.rs", "gateway/store"]),
    ("actix_web", &["http", "app.rs", "app"]),
    ("reqwest", &["sync"]),
    ("rustls", &["sync", "app"]),
    ("figment", &["config.rs"]),
    ("calcard", &["port"]),
    ("indicatif", &["cli"]),
];

const PERMISSIVE: [&str; 14] = [
    "MIT",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
    "0BSD",
];

struct Source {
    /// Relative to `src`, with `/`.
    path: String,
    text: String,
}

impl Source {
    fn room(&self) -> &str {
        let first = self.path.split('/').next().unwrap_or_default();
        first.strip_suffix(".rs").unwrap_or(first)
    }

    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let code = self.text.lines().enumerate().map(|(number, line)| (number + 1, line.trim()));
        code.filter(|(_, line)| !line.starts_with("//"))
    }
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sources = Vec::new();
    for path in rust_files(&root) {
        let relative = path.strip_prefix(&root).unwrap().to_string_lossy().replace('\\', "/");
        sources.push(Source { path: relative, text: fs::read_to_string(&path).unwrap() });
    }
    assert!(sources.len() > 20, "the walk finds the house");
    sources
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            files.extend(rust_files(&entry));
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            files.push(entry);
        }
    }
    files
}

fn floor(room: &str) -> Option<u8> {
    FLOORS.iter().find(|(name, _)| *name == room).map(|(_, floor)| *floor)
}

/// The rooms that a file names through `crate::`, `wabook::` or, from a top-level file, `super::`.
fn rooms_used(source: &Source) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    let code: String = source.lines().map(|(_, line)| line.to_owned() + "\n").collect();
    for start in ["crate::", "wabook::"] {
        for (place, _) in code.match_indices(start) {
            let rest = &code[place + start.len()..];
            if let Some(group) = rest.strip_prefix('{') {
                used.extend(heads_of_group(group));
            } else {
                used.insert(word(rest));
            }
        }
    }
    used.retain(|room| floor(room).is_some());
    used
}

/// The first words of a `use` group's items, at the group's own depth.
fn heads_of_group(group: &str) -> Vec<String> {
    let (mut depth, mut heads, mut at_head) = (0, Vec::new(), true);
    for (place, letter) in group.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => at_head = true,
            letter if at_head && letter.is_alphabetic() => {
                heads.push(word(&group[place..]));
                at_head = false;
            }
            _ => {}
        }
    }
    heads
}

fn word(text: &str) -> String {
    text.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect()
}

#[test]
fn a_floor_uses_only_the_floors_below_it() {
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| source.path != "lib.rs") {
        let room = source.room();
        let own = floor(room).unwrap_or_else(|| panic!("src/{} stands on no floor: add it to FLOORS", source.path));
        for used in rooms_used(source) {
            let is_below = floor(&used).unwrap() < own;
            if used != room && !is_below && !TOP_FLOOR_ARROWS.contains(&(room, &used)) {
                wrong.push(format!("src/{} uses {used}, which is not below it", source.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_dialect_knows_another() {
    let dialects: BTreeSet<_> = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http/dialects"))
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    assert!(!dialects.is_empty());
    for source in sources() {
        let Some(own) = source.path.strip_prefix("http/dialects/").and_then(|path| path.split('/').next()) else {
            continue;
        };
        for other in dialects.iter().filter(|other| *other != own && own != "mod.rs") {
            for (number, line) in source.lines() {
                assert!(
                    !line.contains(&format!("dialects::{other}")) && !line.contains(&format!("super::{other}")),
                    "src/{}:{number} looks into the room {other}",
                    source.path
                );
            }
        }
    }
}

#[test]
fn third_parties_stay_in_the_rooms_that_own_them() {
    for source in sources() {
        // A unit test may look at a file behind its floor's back.
        if source.path.ends_with("tests.rs") {
            continue;
        }
        for (name, owners) in OWNERS {
            let is_owner =
                owners.iter().any(|owner| source.path == *owner || source.path.starts_with(&format!("{owner}/")));
            let found = source.lines().find(|(_, line)| line.contains(&format!("{name}::")));
            if let (false, Some((number, line))) = (is_owner, found) {
                panic!("src/{}:{number} speaks to {name}, which is for {owners:?} alone: {line}", source.path);
            }
        }
    }
}

#[test]
fn every_file_opens_by_saying_what_it_is_for() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for folder in ["src", "tests", "benches"] {
        for path in rust_files(&root.join(folder)) {
            let text = fs::read_to_string(&path).unwrap();
            let first = text.lines().next().unwrap_or_default();
            assert!(first.starts_with("//! ") && first.len() > 20, "{} does not say what it is for", path.display());
        }
    }
}

#[test]
fn folders_named_for_nothing_have_no_place() {
    for source in sources() {
        for word in ["util", "utils", "helpers", "services", "models", "handlers", "common", "misc"] {
            let is_there = source.path.split(['/', '.']).any(|part| part == word);
            assert!(!is_there, "src/{}: {word} says nothing", source.path);
        }
    }
}

#[test]
fn what_we_link_has_a_licence_that_we_can_pass_on() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    assert!(packages.len() > 50);
    for package in packages {
        let licence = package["license"].as_str().unwrap_or_default().replace('/', " OR ");
        assert!(is_permissive(&licence), "{} {}: {licence:?}", package["name"], package["version"]);
    }
}

/// An SPDX expression of which we can choose a part that is permissive throughout.
fn is_permissive(expression: &str) -> bool {
    let plain = expression.replace(['(', ')'], "");
    let is_listed = |licence: &str| PERMISSIVE.contains(&licence.trim());
    // `A OR B` needs one, `A AND B` needs all; nested mixtures are read as AND of ORs, which is the stricter reading.
    plain.split(" AND ").all(|all| all.split(" OR ").any(is_listed))
}

#[test]
fn the_licence_reading_can_say_no() {
    assert!(is_permissive("MIT OR GPL-3.0"));
    assert!(is_permissive("(MIT OR Apache-2.0) AND Unicode-3.0"));
    for no in ["", "GPL-3.0", "MIT AND GPL-3.0", "MPL-2.0"] {
        assert!(!is_permissive(no), "{no}");
    }
}
