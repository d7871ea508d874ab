//! Faults on purpose: kill -9, power cuts, failing and full disks, damaged files, backups and the end under load. Each
//! module proves one promise of `docs/reliability.md` and prints what it did. Shortened by default; `WABOOK_FAULTS=full`
//! runs the whole. What a machine lacks (strace, a C compiler, root) is skipped aloud.

mod backup;
mod crash;
mod damage;
mod diary;
mod dice;
mod disk;
mod ending;
mod ledger;
mod order;
mod power;
#[path = "../support/mod.rs"]
#[expect(dead_code, reason = "the tests over HTTP use the rest")]
mod shared;
mod shim;
mod shown;
mod town;

/// Whether to run the whole rather than what fits into every CI run.
fn is_full() -> bool {
    std::env::var_os("WABOOK_FAULTS").is_some_and(|wish| wish == "full")
}

fn whole_or<T>(whole: T, shortened: T) -> T {
    if is_full() { whole } else { shortened }
}
