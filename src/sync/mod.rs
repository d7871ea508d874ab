//! Floor 4, what reaches out to other programs over HTTP: webhooks, the one way to the outside, and the client of a running
//! gateway for the command line.

mod address;
mod carrier;
mod courier;
mod couriers;
mod destination;
mod event;
mod outside;
mod remote;
mod retry;
mod shown;
mod signature;
mod tls;

pub use carrier::{Carrier, Carrying, Message, NoReceipt, Receipt};
pub use couriers::Couriers;
pub use destination::{AllowList, Destination};
pub use outside::{Outside, Resolved, Resolver, SystemResolver};
pub use remote::{Remote, RemoteError};
pub use shown::{JsonContact, rfc3339};
pub use signature::Secret;
pub use tls::install_tls;
