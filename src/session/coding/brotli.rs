//! The coding `br` (RFC 7932). Only this file names `brotli_decompressor`.
//!
//! The window of a stream is 16 MiB at most, and the memory for it grows with what comes out: the
//! larger windows that are no part of the RFC are refused.

use brotli_decompressor::{
    BrotliDecoderHasMoreOutput, BrotliDecompressStream, BrotliResult, BrotliState, StandardAlloc,
};

use super::stage::{Coding, bad};
use crate::error::Error;

/// One brotli stream; nothing follows it.
pub(super) struct Brotli {
    state: BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>,
    ended: bool,
}

impl Brotli {
    pub(super) fn new() -> Self {
        let alloc = StandardAlloc::default;
        // Strict is without large windows.
        Self { state: BrotliState::new_strict(alloc(), alloc(), alloc()), ended: false }
    }
}

impl Coding for Brotli {
    fn name(&self) -> &'static str {
        "br"
    }

    fn step(&mut self, input: &mut &[u8], room: &mut [u8]) -> Result<(usize, bool), Error> {
        if self.ended {
            return match input.is_empty() {
                true => Ok((0, false)),
                false => Err(bad("bytes behind the end of the br body")),
            };
        }
        let (mut left, mut used) = (input.len(), 0);
        let (mut free, mut made) = (room.len(), 0);
        let result = BrotliDecompressStream(
            &mut left,
            &mut used,
            input,
            &mut free,
            &mut made,
            room,
            &mut 0,
            &mut self.state,
        );
        *input = input.get(used..).unwrap_or_default();
        match result {
            BrotliResult::ResultSuccess => {
                self.ended = true;
                Ok((made, true))
            }
            BrotliResult::NeedsMoreOutput => Ok((made, true)),
            BrotliResult::NeedsMoreInput => Ok((made, BrotliDecoderHasMoreOutput(&self.state))),
            BrotliResult::ResultFailure => Err(bad("the br data is malformed")),
        }
    }

    fn is_complete(&self) -> bool {
        self.ended
    }

    /// A few bits are enough for the 16 MiB that a block may have.
    fn most_of_a_byte(&self) -> Option<u64> {
        None
    }
}
