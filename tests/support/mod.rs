//! What the whole-process tests share: a client that sees the bytes, the program as a child process, and the rows of the
//! 10,000 contacts. Leaves out the gateway within the test's own process (`api/support.rs`).

pub mod rows;
pub mod server;
pub mod wire;

use std::{sync::mpsc, thread, time::Duration};

/// Nothing in these tests may take longer than this.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The result of `work`, or a panic that says what did not end.
pub fn within<T: Send + 'static>(what: &str, work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, is_done) = mpsc::channel();
    thread::spawn(move || done.send(work()));
    is_done.recv_timeout(PATIENCE).unwrap_or_else(|error| panic!("{what}: {error}"))
}
