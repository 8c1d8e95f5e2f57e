//! An accepted request is one head, and reads back to itself.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fetchpool_fuzz::wire_encode(input));
