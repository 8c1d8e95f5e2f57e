//! No cookie goes where it does not belong.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fetchpool_fuzz::session_cookies(input));
