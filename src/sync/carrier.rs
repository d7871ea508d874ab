//! What the courier needs of the outside: to hand over one message and be told how that went. Leaves out HTTP itself
//! (`outside`), so that a test can play the receiver.

use std::{future::Future, pin::Pin, time::Duration};

/// One request, ready to go.
pub struct Message {
    pub url: String,
    pub headers: Vec<(&'static str, String)>,
    /// JSON.
    pub body: Vec<u8>,
}

/// What the receiver said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    pub status: u16,
    /// How long it wants to be left alone.
    pub retry_after: Option<Duration>,
}

/// Why there was no receiver to say anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoReceipt {
    /// The address is not one that may be connected to.
    Forbidden,
    TimedOut,
    Unresolved,
    Tls,
    Unreachable,
    /// The connection broke, or what came was not HTTP.
    Broken,
}

impl NoReceipt {
    /// One word for the log and for the hook's owner.
    pub fn word(self) -> &'static str {
        match self {
            Self::Forbidden => "address_not_allowed",
            Self::TimedOut => "timed_out",
            Self::Unresolved => "name_not_resolved",
            Self::Tls => "tls_failed",
            Self::Unreachable => "unreachable",
            Self::Broken => "connection_broken",
        }
    }
}

pub type Carrying<'a> = Pin<Box<dyn Future<Output = Result<Receipt, NoReceipt>> + Send + 'a>>;

pub trait Carrier: Send + Sync + 'static {
    fn carry(&self, message: Message) -> Carrying<'_>;
}
