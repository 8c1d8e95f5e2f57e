//! What is chunked decodes to itself, at any cut.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fetchpool_fuzz::wire_chunked(input));
