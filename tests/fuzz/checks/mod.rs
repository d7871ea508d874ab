//! What the gateway is held to whatever comes in: plain functions over bytes that panic when something is wrong. libFuzzer
//! calls them with what it makes up (`../targets`), `tests/seeds.rs` with the seeds. Leaves out making bytes up.

mod answers;
mod doors;
mod files;
mod ids;
mod requests;
mod stage;
mod tokens;
#[path = "../../support/wire.rs"]
#[allow(dead_code, reason = "other tests say more over it")]
mod wire;
mod wishes;

use std::time::Duration;

pub use stage::Stage;

/// Of the wire: no answer takes longer.
const PATIENCE: Duration = Duration::from_secs(60);

type Check = fn(&mut Stage, &[u8]);

/// Each target by its name, which is also that of its folder of seeds.
pub const CHECKS: [(&str, Check); 13] = [
    // Pure functions: tens of thousands in a second.
    ("chat_id", |_, bytes| ids::chat_id(bytes)),
    ("csv", |_, bytes| files::in_pieces(wabook::port::Format::Csv, bytes)),
    ("vcard", |_, bytes| files::in_pieces(wabook::port::Format::Vcard, bytes)),
    ("ndjson", |_, bytes| files::in_pieces(wabook::port::Format::Ndjson, bytes)),
    // Over HTTP, through the real routes: some thousand in a second.
    ("tokens", tokens::tokens),
    ("queries", |stage, bytes| requests::request(stage, &doors::QUERIES, bytes)),
    ("wawp", |stage, bytes| requests::request(stage, &doors::WAWP, bytes)),
    ("hypersender", |stage, bytes| requests::request(stage, &doors::HYPERSENDER, bytes)),
    ("superwaba", |stage, bytes| requests::request(stage, &doors::SUPERWABA, bytes)),
    ("wacr", |stage, bytes| requests::request(stage, &doors::WACR, bytes)),
    ("waha", |stage, bytes| requests::request(stage, &doors::WAHA, bytes)),
    ("v1", |stage, bytes| requests::request(stage, &doors::V1, bytes)),
    ("import", files::there_and_back),
];

pub fn check(name: &str, stage: &mut Stage, bytes: &[u8]) {
    let (_, check) = CHECKS.iter().find(|(known, _)| *known == name).expect("a check has this name");
    check(stage, bytes);
}
