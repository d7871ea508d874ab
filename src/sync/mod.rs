//! Floor 4, what reaches out to other programs over HTTP: companions, to which saved names leave; and the client of a
//! running gateway, for the command line.

mod companion;
mod remote;

pub use companion::{Companions, Health, HealthState, Pulled, parse_url};
pub use remote::{Remote, RemoteError};
