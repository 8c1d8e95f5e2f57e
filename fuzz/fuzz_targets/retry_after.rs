//! A `Retry-After` is digits or a date, and a date is what another reader takes it for.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fetchpool_fuzz::retry_after(input));
