//! The target `waha`; what it checks is said in `../checks`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wabook_fuzz::check("waha", bytes));
