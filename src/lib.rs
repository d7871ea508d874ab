//! wabook
pub mod book;
pub mod domain;
pub mod session;
