//! Every seed of the fuzz targets, and with them every input that once broke something, through the same checks on stable:
//! nobody needs nightly to be guarded. Leaves out making inputs up (`fuzz/run.sh`).

#[path = "fuzz/checks/mod.rs"]
mod checks;

use std::{
    fs,
    path::{Path, PathBuf},
};

use checks::{CHECKS, Stage, check};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz")
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn every_seed_passes_its_check() {
    let mut stage = Stage::new();
    for (target, _) in CHECKS {
        let seeds = folder().join("seeds").join(target);
        for name in names(&seeds) {
            println!("{target}/{name}");
            check(target, &mut stage, &fs::read(seeds.join(name)).unwrap());
        }
    }
}

/// Coverage-guided runs take the seeds by size. What one leaves behind, another must stand on.
#[test]
fn every_seed_passes_in_the_order_of_sizes() {
    for (target, _) in CHECKS {
        let mut stage = Stage::new();
        let seeds = folder().join("seeds").join(target);
        let mut texts: Vec<_> =
            names(&seeds).into_iter().map(|name| (fs::read(seeds.join(&name)).unwrap(), name)).collect();
        texts.sort_by_key(|(text, _)| text.len());
        for (text, name) in texts {
            println!("{target}/{name}");
            check(target, &mut stage, &text);
        }
    }
}

#[test]
fn every_check_is_a_target_with_seeds() {
    let mut checks: Vec<_> = CHECKS.iter().map(|(name, _)| (*name).to_owned()).collect();
    checks.sort();
    let targets: Vec<_> = names(&folder().join("targets")).iter().map(|name| name.replace(".rs", "")).collect();
    assert_eq!(targets, checks);
    assert_eq!(names(&folder().join("seeds")), checks);
    let manifest = fs::read_to_string(folder().join("Cargo.toml")).unwrap();
    for target in targets {
        assert!(manifest.contains(&format!("name = \"{target}\"\n")), "{target} is in fuzz/Cargo.toml");
        let text = fs::read_to_string(folder().join("targets").join(format!("{target}.rs"))).unwrap();
        assert!(text.contains(&format!("check(\"{target}\"")), "{target} runs its own check");
    }
}
