//! What is decoded keeps to the limit, and is the same at any cut.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fetchpool_fuzz::session_coding(input));
