//! What a server asks for is read in one way only.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fetchpool_fuzz::challenge(input));
