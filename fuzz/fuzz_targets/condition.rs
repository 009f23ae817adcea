//! Runs `targets/condition.rs` on the inputs of libFuzzer.

#![no_main]

#[path = "../targets/condition.rs"]
mod target;

libfuzzer_sys::fuzz_target!(|data: &[u8]| target::run(data));
