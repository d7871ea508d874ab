//! Floor 4, what reaches out to other programs over HTTP: so far the client of a running gateway, for the command line.

mod remote;

pub use remote::{Download, Remote, RemoteError};
