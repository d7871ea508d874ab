//! The target `chat_id`; what it checks is said in `../checks`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wabook_fuzz::check("chat_id", bytes));
