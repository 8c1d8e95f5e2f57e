//! Hands a body on through a fixed buffer, decoded, under the limits.

use std::path::PathBuf;

use super::outlet::Outlet;
use super::{Most, most_coded};
use crate::connection::Sink;
use crate::error::Error;
use crate::session::coding::Decoder;

/// Hands a body on, piece by piece.
pub(in crate::session) struct Through<'a> {
    outlet: Outlet,
    /// Lent by the session, which keeps it for the next body. It is never cleared: of a read, only
    /// what it brought is handed on.
    buffer: &'a mut Vec<u8>,
    decoder: Option<Decoder>,
    most: Most,
    /// Bytes that were there before, and count for the limit as well.
    before: u64,
    /// Bytes that have been handed on.
    made: u64,
    /// Bytes that went into the decoder.
    coded: u64,
}

impl<'a> Through<'a> {
    /// `length` is what Content-Length announces.
    pub(in crate::session) fn new(
        outlet: Outlet,
        buffer: &'a mut Vec<u8>,
        decoder: Option<Decoder>,
        length: Option<u64>,
        most: Most,
    ) -> Result<Self, Error> {
        let before = outlet.before();
        let whole = length.map(|length| length.saturating_add(before));
        if let Err(error) = most.check(whole, decoder.is_some()) {
            outlet.give_up(&error);
            return Err(error);
        }
        let room = if decoder.is_some() { LARGE_BYTES } else { SMALL_BYTES };
        if buffer.len() < room {
            buffer.resize(room, 0);
        }
        Ok(Self { outlet, buffer, decoder, most, before, made: 0, coded: 0 })
    }

    /// How many bytes were handed on.
    pub(in crate::session) const fn made(&self) -> u64 {
        self.made
    }

    pub(in crate::session) const fn outlet(&self) -> &Outlet {
        &self.outlet
    }

    /// The body is over: the file that has it, if one does.
    pub(in crate::session) fn finish(self) -> Result<Option<PathBuf>, Error> {
        if let Some(Err(error)) = self.decoder.as_ref().map(Decoder::finish) {
            self.outlet.give_up(&error);
            return Err(error);
        }
        self.outlet.finish()
    }

    /// The body has broken off, because of this.
    pub(in crate::session) fn give_up(self, error: &Error) {
        self.outlet.give_up(error);
    }

    /// Counts some bytes, unless they are too many.
    fn count(&mut self, bytes: usize) -> Result<(), Error> {
        let made = self.made.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        if made.saturating_add(self.before) > self.most.bytes {
            return Err(self.most.too_large());
        }
        self.made = made;
        Ok(())
    }

    fn decode(&mut self, bytes: &mut &[u8]) -> Result<bool, Error> {
        let Some(decoder) = &mut self.decoder else { return Ok(false) };
        let left = most_coded(self.most.bytes).saturating_sub(self.coded);
        let now = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
        let (mut piece, rest) = bytes.split_at_checked(now).unwrap_or_default();
        let (made, more) = decoder.push(&mut piece, self.buffer)?;
        let used = now.saturating_sub(piece.len());
        self.coded = self.coded.saturating_add(u64::try_from(used).unwrap_or(u64::MAX));
        let is_over = piece.is_empty() && !more && !rest.is_empty();
        *bytes = bytes.get(used..).unwrap_or_default();
        if made > 0 {
            self.count(made)?;
            self.outlet.write(self.buffer.get(..made).unwrap_or_default())?;
        }
        if is_over {
            return Err(self.most.too_large());
        }
        Ok(more)
    }
}

impl Sink for Through<'_> {
    fn data(&mut self, bytes: &mut &[u8]) -> Result<bool, Error> {
        if self.decoder.is_some() {
            return self.decode(bytes);
        }
        self.count(bytes.len())?;
        self.outlet.write(bytes)?;
        *bytes = &[];
        Ok(false)
    }

    fn space(&mut self, wanted: usize) -> Option<&mut [u8]> {
        if self.decoder.is_some() {
            return None;
        }
        // At the limit the next bytes go through `data`, which says so.
        let made = self.made.saturating_add(self.before);
        let left = usize::try_from(self.most.bytes.saturating_sub(made)).unwrap_or(usize::MAX);
        let end = self.buffer.len().min(wanted).min(left);
        self.buffer.get_mut(..end).filter(|room| !room.is_empty())
    }

    fn filled(&mut self, count: usize) -> Result<(), Error> {
        self.count(count)?;
        self.outlet.write(self.buffer.get(..count).unwrap_or_default())?;
        // Who fills all of it has more to come.
        if count == self.buffer.len() && count < LARGE_BYTES {
            self.buffer.resize(LARGE_BYTES, 0);
        }
        Ok(())
    }
}

/// What a body is begun with.
const SMALL_BYTES: usize = 16 << 10;
/// What a large one is gone on with: more gains nothing, and no longer fits into the cache of a
/// core.
const LARGE_BYTES: usize = 128 << 10;
