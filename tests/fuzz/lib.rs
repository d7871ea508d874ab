//! The checks as libFuzzer calls them: one stage for the life of the process. The checks themselves are plain functions,
//! which `tests/seeds.rs` calls as well.

pub mod checks;

use std::sync::Mutex;

use checks::Stage;

static STAGE: Mutex<Stage> = Mutex::new(Stage::new());

pub fn check(name: &str, bytes: &[u8]) {
    // libFuzzer ends the process at the first panic.
    checks::check(name, &mut STAGE.lock().expect("no check panicked before"), bytes);
}
