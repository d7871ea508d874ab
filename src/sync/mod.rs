//! Floor 4, how other programs keep up with a book: the change feed with its tokens. And what reaches out to them over HTTP:
//! companions, to which saved names leave, and the client of a running gateway, for the command line.

mod companion;
pub mod feed;
pub mod follow;
mod remote;

pub use companion::{Companions, Health, HealthState, Pulled, parse_url};
pub use remote::{Remote, RemoteError};
