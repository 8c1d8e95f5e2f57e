//! A connection goes on only where no byte is left over.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fetchpool_fuzz::wire_exchanges(input));
