//! Floor 4, how other programs keep up with a book: the change feed with its tokens, webhooks with their couriers,
//! companions, to which saved names leave. And what reaches out over HTTP: the one guarded way to the outside, and the
//! client of a running gateway for the command line.

mod address;
mod carrier;
mod companion;
mod courier;
mod couriers;
mod destination;
mod event;
pub mod feed;
pub mod follow;
mod outside;
mod remote;
mod retry;
mod shown;
mod signature;
mod tls;

pub use carrier::{Carrier, Carrying, Message, NoReceipt, Receipt};
pub use companion::{Companions, Health, HealthState, Pulled, parse_url};
pub use couriers::Couriers;
pub use destination::{AllowList, Destination};
pub use outside::{Outside, Resolved, Resolver, SystemResolver};
pub use remote::{Download, Remote, RemoteError};
pub use shown::{JsonContact, JsonNames, rfc3339};
pub use signature::Secret;
pub use tls::install_tls;
