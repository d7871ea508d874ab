//! Floor 4, how other programs keep up with a book: the change feed with its tokens. And what reaches out to them over HTTP:
//! so far the client of a running gateway, for the command line.

pub mod feed;
pub mod follow;
mod remote;

pub use remote::{Remote, RemoteError};
