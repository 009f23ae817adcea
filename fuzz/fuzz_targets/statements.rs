//! Runs `targets/statements.rs` on whatever libFuzzer thinks of.

#![no_main]

#[path = "../targets/statements.rs"]
mod target;

libfuzzer_sys::fuzz_target!(|data: &[u8]| target::run(data));
