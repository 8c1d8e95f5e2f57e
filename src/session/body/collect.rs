//! Collects a body in memory, decoded, under the limits.

use std::time::Duration;

use super::{Allowance, Most, too_large};
use crate::connection::{Patience, Sink};
use crate::error::Error;
use crate::message::Buffers;
use crate::session::coding::Decoder;
use crate::wire::Limits;

/// Collects a body in memory.
pub(in crate::session) struct Collect<'a> {
    /// The first `filled` bytes are body, the rest is room. Where the body is read straight into
    /// it the room is zeroed once and not at every read.
    bytes: Vec<u8>,
    filled: usize,
    decoder: Option<Decoder>,
    limit: u64,
    allowance: Option<&'a dyn Allowance>,
    /// Of the body, what has been taken from the allowance.
    allowed: usize,
    /// Where the memory came from.
    buffers: Option<Buffers>,
}

impl<'a> Collect<'a> {
    /// `length` is what Content-Length announces. It is believed only so far: room for more is
    /// made as the bytes come.
    pub(in crate::session) fn new(
        decoder: Option<Decoder>,
        length: Option<u64>,
        limits: &Limits,
        allowance: Option<&'a dyn Allowance>,
    ) -> Result<Self, Error> {
        let limit = limits.body_bytes;
        Most::in_memory(limits).check(length, decoder.is_some())?;
        let room = match (&decoder, length) {
            (None, Some(length)) => {
                usize::try_from(length).unwrap_or(usize::MAX).min(TRUSTED_BYTES)
            }
            _ => 0,
        };
        let bytes = vec![0; room];
        Ok(Self { bytes, filled: 0, decoder, limit, allowance, allowed: 0, buffers: None })
    }

    /// Uses memory that was given back, if there is some that fits; before the first byte.
    ///
    /// It is not cleared: what an earlier body has left lies behind the bytes that are filled, and is
    /// cut off with the rest of the room.
    pub(in crate::session) fn reuse(&mut self, buffers: &Buffers, length: Option<u64>) {
        let length = length.filter(|_| self.decoder.is_none());
        let length = length.map(|length| usize::try_from(length).unwrap_or(usize::MAX));
        if let Some(mut bytes) = buffers.take(length) {
            bytes.truncate(usize::try_from(self.limit).unwrap_or(usize::MAX));
            self.bytes = bytes;
            self.buffers = Some(buffers.clone());
        }
    }

    /// The body is over. An error if it is not whole by that.
    pub(in crate::session) fn end(&self) -> Result<(), Error> {
        self.decoder.as_ref().map_or(Ok(()), Decoder::finish)
    }

    /// What there is of the body.
    pub(in crate::session) fn into_bytes(mut self) -> Vec<u8> {
        let len = self.filled.min(usize::try_from(self.limit).unwrap_or(usize::MAX));
        let capacity = self.bytes.capacity();
        // It may wait long for its reader, and what is held for it is counted by its length. Memory
        // that was used before is really there, all of it.
        if let Some(buffers) = self.buffers.filter(|_| capacity / 2 > len) {
            let body = self.bytes.get(..len).unwrap_or_default().to_vec();
            buffers.give_back(self.bytes);
            return body;
        }
        self.bytes.truncate(len);
        // The room of a large one was never written to, and so is no memory yet.
        if capacity <= ALLOWANCE_BYTES && capacity / 2 > len {
            self.bytes.shrink_to_fit();
        }
        self.bytes
    }

    /// The whole body.
    #[cfg(any(test, fuzzing, fetchpool_internals))]
    pub(in crate::session) fn finish(self) -> Result<Vec<u8>, Error> {
        self.end()?;
        Ok(self.into_bytes())
    }

    /// How many bytes may come at once. What has to be asked for comes no faster than that: one
    /// read may bring megabytes.
    fn most(&self) -> usize {
        match self.allowance {
            Some(_) => self.allowed.saturating_add(ALLOWANCE_BYTES).saturating_sub(self.filled),
            None => usize::MAX,
        }
    }

    /// Makes room for more bytes, at least one; but one more than the limit at most, which is how
    /// it shows that there are too many.
    fn make_room(&mut self, more: usize) {
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX).saturating_add(1);
        let end = self.filled.saturating_add(more).min(limit);
        self.reserve(end);
        if end > self.bytes.len() {
            self.bytes.resize(end, 0);
        }
    }

    /// Memory for so many bytes in all; for twice as many as there are if that is more, so that a
    /// long body is not moved for every piece of it, but for no more than may come. The system
    /// gives it only when it is written to.
    fn reserve(&mut self, end: usize) {
        let capacity = self.bytes.capacity();
        if end > capacity {
            let limit = usize::try_from(self.limit).unwrap_or(usize::MAX).saturating_add(1);
            let room = end.max(capacity.saturating_mul(2).min(limit));
            self.bytes.reserve_exact(room.saturating_sub(self.bytes.len()));
        }
    }

    fn decode(&mut self, bytes: &mut &[u8]) -> Result<bool, Error> {
        self.make_room(self.filled.clamp(SMALL_BYTES, ALLOWANCE_BYTES));
        let most = self.most();
        let Some(decoder) = &mut self.decoder else { return Ok(false) };
        let end = self.bytes.len().min(self.filled.saturating_add(most));
        let room = self.bytes.get_mut(self.filled..end).unwrap_or_default();
        let (made, more) = decoder.push(bytes, room)?;
        self.filled = self.filled.saturating_add(made);
        if u64::try_from(self.filled).is_ok_and(|filled| filled > self.limit) {
            return Err(too_large(self.limit));
        }
        Ok(more)
    }
}

#[cfg(all(test, feature = "gzip"))]
impl Collect<'_> {
    /// The bytes that are held for the body.
    pub(in crate::session) const fn memory(&self) -> usize {
        self.bytes.capacity()
    }
}

impl Sink for Collect<'_> {
    fn data(&mut self, bytes: &mut &[u8]) -> Result<bool, Error> {
        if self.decoder.is_some() {
            return self.decode(bytes);
        }
        let end = self.filled.saturating_add(bytes.len());
        if u64::try_from(end).is_ok_and(|end| end > self.limit) {
            return Err(too_large(self.limit));
        }
        match self.bytes.get_mut(self.filled..end) {
            Some(room) => room.copy_from_slice(bytes),
            None => {
                self.bytes.truncate(self.filled);
                self.reserve(end);
                self.bytes.extend_from_slice(bytes);
            }
        }
        self.filled = end;
        *bytes = &[];
        Ok(false)
    }

    fn space(&mut self, wanted: usize) -> Option<&mut [u8]> {
        if self.decoder.is_some() {
            return None;
        }
        if self.filled == self.bytes.len() {
            // At the limit the next bytes go through `data`, which says so.
            let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
            let step = self.filled.clamp(SMALL_BYTES, LARGE_BYTES).min(self.most());
            let end = self.filled.saturating_add(step.min(wanted)).min(limit.max(self.filled));
            self.reserve(end);
            self.bytes.resize(end, 0);
        }
        let most = self.most();
        let room = self.bytes.get_mut(self.filled..)?;
        let end = room.len().min(wanted).min(most);
        room.get_mut(..end).filter(|room| !room.is_empty())
    }

    fn pause(&mut self, patience: &Patience<'_>) -> Result<Duration, Error> {
        let Some(allowance) = self.allowance else { return Ok(Duration::ZERO) };
        let more = self.filled.saturating_sub(self.allowed);
        if more < ALLOWANCE_BYTES {
            return Ok(Duration::ZERO);
        }
        self.allowed = self.filled;
        allowance.take(u64::try_from(more).unwrap_or(u64::MAX), patience)
    }

    fn filled(&mut self, count: usize) -> Result<(), Error> {
        self.filled = self.filled.saturating_add(count).min(self.bytes.len());
        Ok(())
    }
}

/// Room made at once for an announced length. The system gives such memory only when it is
/// written to, so that a liar costs address space and not memory.
const TRUSTED_BYTES: usize = 16 << 20;
/// A body asks for memory in pieces of this size, so that most need not ask.
const ALLOWANCE_BYTES: usize = 64 << 10;
/// The least room made for a body of unknown length.
const SMALL_BYTES: usize = 16 << 10;
/// The most room made for one read of such a body: it is written to, and so really taken.
const LARGE_BYTES: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    struct Plenty;

    impl Allowance for Plenty {
        fn take(&self, _: u64, _: &Patience<'_>) -> Result<Duration, Error> {
            Ok(Duration::ZERO)
        }
    }

    /// A body of unknown length, in reads that are as large as they can be.
    fn collected(length: usize, limits: &Limits, allowance: Option<&dyn Allowance>) -> Vec<u8> {
        let mut sink = Collect::new(None, None, limits, allowance).unwrap();
        while sink.filled < length {
            let left = length - sink.filled;
            match sink.space(usize::MAX).map(|room| room.len()) {
                Some(room) => Sink::filled(&mut sink, room.min(left)).unwrap(),
                None => assert!(!sink.data(&mut vec![0; left.min(1 << 16)].as_slice()).unwrap()),
            }
            sink.allowed = sink.filled;
            let most = if allowance.is_some() { ALLOWANCE_BYTES } else { LARGE_BYTES };
            assert!(sink.bytes.len() <= sink.filled + most, "{} of {length}", sink.bytes.len());
            let limit = usize::try_from(limits.body_bytes).unwrap();
            assert!(sink.bytes.capacity() <= limit + 1, "{}", sink.bytes.capacity());
        }
        sink.finish().unwrap()
    }

    #[test]
    fn a_body_takes_little_more_memory_than_it_has_bytes() {
        let limits = Limits { body_bytes: 5 << 20, ..Limits::default() };
        for length in [0, 1, 1000, (16 << 10) + 1, (64 << 10) + 1, (2 << 20) + 5, 5 << 20] {
            for allowance in [None, Some(&Plenty as &dyn Allowance)] {
                let body = collected(length, &limits, allowance);
                assert_eq!(body.len(), length);
                assert!(body.capacity() / 2 <= length, "{} for {length}", body.capacity());
            }
        }
    }
}
