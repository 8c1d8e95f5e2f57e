//! The crate and another client make the same of a response, or differ in a way that has a name.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fetchpool_fuzz::wire_differential(input));
