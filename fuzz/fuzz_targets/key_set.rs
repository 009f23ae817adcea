//! Runs `targets/key_set.rs` on the inputs of libFuzzer.

#![no_main]

#[path = "../targets/key_set.rs"]
mod target;

libfuzzer_sys::fuzz_target!(|data: &[u8]| target::run(data));
