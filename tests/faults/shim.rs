//! How `shim.c` comes between the server and its disk: compiled once per run with the system's C compiler. Without one
//! the tests that need it are skipped aloud.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use tempfile::TempDir;

use crate::shared::server::{Home, Server};

static BUILT: OnceLock<Option<(TempDir, PathBuf)>> = OnceLock::new();

/// The compiled shim, or none with a word of why.
fn library() -> Option<&'static Path> {
    let built = BUILT.get_or_init(|| {
        let folder = TempDir::new().unwrap();
        let library = folder.path().join("shim.so");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/faults/shim.c");
        let flags = ["-O1", "-shared", "-fPIC", "-o"];
        let done = Command::new("cc").args(flags).arg(&library).args([source, "-ldl", "-lpthread"]).status();
        done.is_ok_and(|status| status.success()).then_some((folder, library))
    });
    built.as_ref().map(|(_, library)| library.as_path())
}

/// Serves with the shim in between; its diary and its order to fail lie beside the sessions.
pub fn serve(home: &Home, test: &str) -> Option<Server> {
    let Some(library) = library() else {
        println!("{test}: SKIPPED, there is no C compiler (cc) to build the shim with");
        return None;
    };
    let folder = std::fs::canonicalize(home.path("")).unwrap().join("sessions");
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    Some(home.serve_with(&[
        ("LD_PRELOAD", &text(library)),
        ("SHIM_FOLDER", &text(&folder)),
        ("SHIM_JOURNAL", &text(&diary(home))),
        ("SHIM_FAIL", &text(&order_to_fail(home))),
    ]))
}

pub fn diary(home: &Home) -> PathBuf {
    home.path("diary")
}

/// While it exists, the next sync of a path that contains one of its lines fails.
pub fn order_to_fail(home: &Home) -> PathBuf {
    home.path("fail")
}
