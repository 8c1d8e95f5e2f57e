//! What stands in for the decoder where no feature decodes anything: nothing is ever decoded.

use crate::error::Error;
use crate::wire::{Limits, ResponseHead};

/// There is no value of it.
pub(crate) enum Decoder {}

impl Decoder {
    #[expect(clippy::unnecessary_wraps, reason = "the decoder it stands in for can fail")]
    pub(crate) const fn for_head(_: &ResponseHead, _: &Limits) -> Result<Option<Self>, Error> {
        Ok(None)
    }

    pub(crate) fn push(&mut self, _: &mut &[u8], _: &mut [u8]) -> Result<(usize, bool), Error> {
        match *self {}
    }

    pub(crate) fn finish(&self) -> Result<(), Error> {
        match *self {}
    }
}
