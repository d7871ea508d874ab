//! wabook, a WhatsApp session gateway that emulates a virtual address book.
//!
//! Each instance has a session: an actor that alone writes the instance's own SQLite address book. Private names (what
//! the owner saved) live apart from pushnames (what the contact calls itself). Several vendors' HTTP dialects are faces
//! of one book: a contact saved through one reads back in every other.
//!
//! # The floors
//!
//! A floor uses the floors below it, never one above, never a sibling room; `tests/tidy.rs` holds the code to that.
//!
//! | floor | room | what it is for |
//! |---|---|---|
//! | 6 | [`cli`], [`app`], [`config`] | choose, wire, run |
//! | 5 | [`http`] | the faces: a room for each dialect, which translates and does nothing else |
//! | 4 | [`sync`] | how other programs keep up with a book: the feed, webhooks, companions, and the one guarded way out over HTTP |
//! | 3 | [`gateway`] | instances, access tokens, the sessions: who may enter which book |
//! | 2 | [`session`] | one actor for each instance: the only writer of its book |
//! | 1 | [`book`] | the address book: all SQL of contacts lives here |
//! | 1 | [`journal`] | one file for the newest changes of all books, so that one sync to disk serves whoever waits |
//! | 1 | [`port`] | the files in which an address book comes and goes: CSV, vCard, NDJSON |
//! | 0 | [`domain`] | the words and their rules: no I/O, no JSON, no clock |
//!
//! # One request, from door to disk
//!
//! `POST /v2/contacts/update` → the room `http::dialects::wawp` reads its own wire type and makes an [`domain::Edit`] of
//! it → [`gateway::Gateway::enter`] gives a [`session::Session`] for the credentials → `session.edit(edit)` puts it into
//! the mailbox → the desk takes the whole mailbox as one batch: it loads the contacts it names, decides each with
//! [`domain::decide`], stores what changed, commits once → the commit's record goes into the [`journal`] with those of other
//! books and is synced → only now every asker is answered → the room says the
//! [`domain::Outcome`] in its own tongue. One trip down, one up: a precondition travels with the edit, the outcome brings
//! the contact back, and no face reads before it writes.
//!
//! # Promises, and where they are kept
//!
//! - *A success is on disk.* `session::actor` answers when the journal has the commit, or the book itself was synced;
//!   `journal` says why nothing is lost, `gateway::recovery` carries out what a book lacks; `tests/journal.rs` compares rows;
//!   whoever makes or renames a file syncs its folder (`book::connection::sync_folder`). `tests/faults` cuts the power.
//! - *No writer touches another's name.* `domain::edit` and `domain::observation`, with property tests beside them.
//! - *Digits are never rewritten, a LID is never guessed.* `domain::chat_id`.
//! - *One person is one contact, whatever the order in which things are learned.* Every field has its time
//!   (`domain::times`), two contacts unite by it (`domain::unite`), a mapping holds while nothing newer is known of its two
//!   sides (`domain::mapping`), and the desk does it in the commit that learns of it (`session::desk::persons`, with
//!   thousands of random orders in `orders`). The numbers of the one that gives way lead to the one that stays.
//! - *A file may be larger than memory, and may be sent again.* `port` reads it as it arrives, `http::v1::port` takes no more
//!   than the session has worked through, and a row that says what is known changes nothing.
//! - *An outsider cannot tell which instances exist.* `gateway::enter`: one refusal for everything.
//! - *A change is told at least once, in order, and nothing is queued.* `sync::courier` reads the book as its own outbox.
//! - *A URL that somebody gave leads only to the public internet.* `sync::outside` checks every address it connects to.
//! - *What is saved here reaches the companion, and what is changed there never overwrites what still waits to be told.*
//!   `book::companion` writes the outbox with the edit, `sync::companion::reconcile` compares three ways.
//! - *A sync job misses nothing.* `sync::feed` says which token is good; `tests/convergence.rs` holds clients to it.
//! - *Time decides what a phone saw, and number variants are only suggested.* `domain::{observed, unite, variants}`.
//! - *A search finds what a plain scan finds, and counts it exactly.* `book::search`, with a scan as its oracle; what it
//!   costs is in docs/search.md.
//! - *Nobody is waited for without an end.* `app::connection` cuts unfinished heads and unread answers, `http::room` bodies.
//! - *A full book refuses before it writes.* `session::desk::bounds`; deletions always go on.
//! - *One damaged book hurts one instance.* `session::actor` sets it aside whole, also when a check finds it.
//! - *A full disk can be read.* `session::actor` reads a closed book as it lies when there is no room to open it.
//! - *Nobody's number, name or token is logged.* `http::trace` is told route patterns; secrets have no `Debug`.
//!
//! # How to add a dialect
//!
//! A folder in `http/dialects` with `mod.rs` (routes and three-line handlers), `wire.rs` (its spelling) and `problem.rs`
//! (its errors), one line in `http::ROOMS` and one in `http/openapi.rs`, its prefixes in `config.toml`, its fixtures in
//! `tests/fixtures`, one entry in `tests/api/matrix.rs`.

#![warn(clippy::unwrap_used, clippy::print_stdout)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

// Ground floor first.
pub mod domain;

pub mod book;
pub mod journal;
pub mod port;

pub mod session;

pub mod gateway;

pub mod sync;

pub mod http;

pub mod app;
pub mod cli;
pub mod config;
