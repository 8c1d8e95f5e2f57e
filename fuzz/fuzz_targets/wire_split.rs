//! The same bytes are the same response, in whatever pieces they come.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fetchpool_fuzz::wire_split(input));
