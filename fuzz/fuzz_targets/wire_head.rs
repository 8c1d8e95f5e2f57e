//! A head is what a plain reading, line by line, takes it for.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fetchpool_fuzz::wire_head(input));
