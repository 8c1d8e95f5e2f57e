//! An accepted URL is stable, and its host is a host and no more.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fetchpool_fuzz::message_target(input));
