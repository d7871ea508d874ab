//! wabook, a WhatsApp session gateway that emulates a virtual address book.
pub mod app;
pub mod book;
pub mod cli;
pub mod config;
#![warn(clippy::unwrap_used, clippy::print_stdout)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod domain;
pub mod gateway;
pub mod http;
pub mod session;
pub mod sync;
