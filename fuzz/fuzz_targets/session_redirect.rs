//! No `Location` makes two origins one.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fetchpool_fuzz::session_redirect(input));
