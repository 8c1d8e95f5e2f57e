//! Collects a body in memory, decoded, under the limits.

use std::time::Duration;

use super::{Allowance, Most, too_large};
use crate::connection::{Patience, Sink};
use crate::error::Error;
use crate::message::{Buffers, Collected, Lent};
use crate::session::coding::Decoder;
use crate::wire::Limits;

/// Collects a body in memory.
pub(in crate::session) struct Collect<'a> {
    /// Behind `start` the first `filled` bytes are body, the rest is room. Where the body is read
    /// straight into it the room is zeroed once and not at every read.
    bytes: Vec<u8>,
    start: usize,
    filled: usize,
    decoder: Option<Decoder>,
    limit: u64,
    allowance: Option<&'a dyn Allowance>,
    /// Of the body, what has been taken from the allowance.
    allowed: usize,
    /// What is set aside for the read that comes next.
    aside: usize,
    /// Where memory comes from that was used before, and where this one goes.
    buffers: Option<&'a Buffers>,
    /// Until half of memory that was used before is filled: all of that is memory, also what nothing
    /// was written to, and a body is counted by its length.
    lent: Option<Lent<'a>>,
}

impl<'a> Collect<'a> {
    /// `length` is what Content-Length announces. It is believed only so far: room for more is
    /// made as the bytes come.
    ///
    /// Memory that was used before is not cleared: what an earlier body has left lies behind the bytes
    /// that are filled, and is cut off with the rest of the room.
    pub(in crate::session) fn new(
        decoder: Option<Decoder>,
        length: Option<u64>,
        limits: &Limits,
        allowance: Option<&'a dyn Allowance>,
        buffers: Option<&'a Buffers>,
    ) -> Result<Self, Error> {
        let limit = limits.body_bytes;
        Most::in_memory(limits).check(length, decoder.is_some())?;
        let length = length.filter(|_| decoder.is_none());
        let length = length.map_or(0, |length| usize::try_from(length).unwrap_or(usize::MAX));
        let start = if length < PAGES_BYTES { 0 } else { PAGES_START };
        let used = buffers.and_then(|buffers| buffers.take(length.saturating_add(start)));
        let (bytes, lent) = match used {
            Some((mut bytes, lent)) => {
                bytes.resize(length.saturating_add(start), 0);
                (bytes, Some(lent))
            }
            None => (zeroed(length.min(TRUSTED_BYTES).saturating_add(start)), None),
        };
        let (filled, allowed, aside) = (0, 0, 0);
        Ok(Self { bytes, start, filled, decoder, limit, allowance, allowed, aside, buffers, lent })
    }

    /// The body is over. An error if it is not whole by that.
    pub(in crate::session) fn end(&self) -> Result<(), Error> {
        self.decoder.as_ref().map_or(Ok(()), Decoder::finish)
    }

    /// What there is of the body.
    pub(in crate::session) fn collected(mut self) -> Collected {
        let len = self.filled.min(usize::try_from(self.limit).unwrap_or(usize::MAX));
        let end = self.start.saturating_add(len);
        let capacity = self.bytes.capacity();
        // It may wait long for its reader, and what is held for it is counted by its length.
        let is_little = self.lent.is_some() || self.bytes.len() / 2 > end;
        if let Some(buffers) = self.buffers.filter(|_| is_little) {
            let body = self.bytes.get(self.start..end).unwrap_or_default().to_vec();
            self.lent = None;
            buffers.give_back(self.bytes);
            return Collected::new(body, 0, Some(buffers));
        }
        self.bytes.truncate(end);
        // The room of a large one was never written to, and so is no memory yet.
        if capacity <= SMALL_ROOM_BYTES && capacity / 2 > end {
            self.bytes.shrink_to_fit();
        }
        Collected::new(self.bytes, self.start, self.buffers)
    }

    /// The whole body.
    #[cfg(any(test, fuzzing, fetchpool_internals))]
    pub(in crate::session) fn finish(self) -> Result<Vec<u8>, Error> {
        self.end()?;
        Ok(self.collected().into_vec())
    }

    /// The most bytes that there may be, and that need memory.
    fn limit(&self) -> usize {
        usize::try_from(self.limit).unwrap_or(usize::MAX)
    }

    /// How many bytes may come at once. What has to be asked for comes no faster than that: one
    /// read may bring megabytes.
    fn most(&self) -> usize {
        match self.allowance {
            Some(_) => self.allowed.saturating_add(ALLOWANCE_BYTES).saturating_sub(self.filled),
            None => usize::MAX,
        }
    }

    /// Where the next byte of the body stands.
    const fn place(&self) -> usize {
        self.start.saturating_add(self.filled)
    }

    /// Makes room for more bytes, at least one; but one more than the limit at most, which is how
    /// it shows that there are too many.
    fn make_room(&mut self, more: usize) {
        let end = self.filled.saturating_add(more).min(self.limit().saturating_add(1));
        let end = self.start.saturating_add(end);
        self.reserve(end);
        if end > self.bytes.len() {
            self.bytes.resize(end, 0);
        }
    }

    /// Memory up to this place; for twice as many bytes as there are if that is more, so that a long
    /// body is not moved for every piece of it, but for no more than may come. The system gives it
    /// only when it is written to.
    fn reserve(&mut self, end: usize) {
        let capacity = self.bytes.capacity();
        if end <= capacity {
            return;
        }
        let place = self.place();
        let limit = self.limit().saturating_add(self.start).saturating_add(1);
        let room = end.max(capacity.saturating_mul(2).min(limit));
        if let Some(buffers) = self.buffers
            && let Some((mut used, lent)) = buffers.take_at_least(room)
        {
            if used.len() < place {
                used.resize(place, 0);
            }
            if let (Some(to), Some(from)) = (used.get_mut(..place), self.bytes.get(..place)) {
                to.copy_from_slice(from);
                let old = std::mem::replace(&mut self.bytes, used);
                self.lent = Some(lent);
                buffers.give_back(old);
                return;
            }
        }
        self.bytes.reserve_exact(room.saturating_sub(self.bytes.len()));
        self.lent = None;
    }

    /// Room for the next bytes, at most so many, to be read into; made if there is none.
    fn room(&mut self, most: usize) -> Option<&mut [u8]> {
        let left = self.limit().saturating_sub(self.filled);
        if self.place() >= self.bytes.len() {
            // At the limit the next bytes go through `data`, which says so.
            let step = self.filled.clamp(SMALL_BYTES, LARGE_BYTES).min(most).min(left);
            let end = self.place().saturating_add(step);
            self.reserve(end);
            if end > self.bytes.len() {
                self.bytes.resize(end, 0);
            }
        }
        // In memory that was used before there may be more than the limit.
        let place = self.place();
        let room = self.bytes.get_mut(place..)?;
        let end = room.len().min(most).min(left);
        room.get_mut(..end).filter(|room| !room.is_empty())
    }

    /// So many bytes of the body are there.
    fn fill(&mut self, filled: usize) {
        self.filled = filled;
        if self.lent.is_some() && self.place() >= self.bytes.capacity() / 2 {
            self.lent = None;
        }
    }

    fn decode(&mut self, bytes: &mut &[u8]) -> Result<bool, Error> {
        self.make_room(self.filled.clamp(SMALL_BYTES, ALLOWANCE_BYTES));
        let most = self.most().min(LARGE_BYTES);
        let place = self.place();
        // In memory that was used before there may be more than the limit.
        let most = most.min(self.limit().saturating_sub(self.filled).saturating_add(1));
        let end = self.bytes.len().min(place.saturating_add(most));
        let Some(decoder) = &mut self.decoder else { return Ok(false) };
        let room = self.bytes.get_mut(place..end).unwrap_or_default();
        let (made, more) = decoder.push(bytes, room)?;
        self.fill(self.filled.saturating_add(made));
        if u64::try_from(self.filled).is_ok_and(|filled| filled > self.limit) {
            return Err(too_large(self.limit));
        }
        Ok(more)
    }
}

/// New memory. What is large may come zeroed from the system; what is small the allocator has at hand, but
/// not for whoever asks for zeroed memory.
#[expect(clippy::slow_vector_initialization, reason = "it is the faster one for a few bytes")]
fn zeroed(length: usize) -> Vec<u8> {
    if length > SMALL_PIECE_BYTES {
        return vec![0; length];
    }
    let mut bytes = Vec::with_capacity(length);
    bytes.resize(length, 0);
    bytes
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
        let filled = self.filled.saturating_add(bytes.len());
        if u64::try_from(filled).is_ok_and(|filled| filled > self.limit) {
            return Err(too_large(self.limit));
        }
        let (place, end) = (self.place(), self.start.saturating_add(filled));
        self.reserve(end);
        match self.bytes.get_mut(place..end) {
            Some(room) => room.copy_from_slice(bytes),
            None => {
                self.bytes.truncate(place);
                self.bytes.extend_from_slice(bytes);
            }
        }
        self.fill(filled);
        *bytes = &[];
        Ok(false)
    }

    fn space(&mut self, wanted: usize) -> Option<&mut [u8]> {
        match self.decoder {
            Some(_) => None,
            None => self.room(wanted.min(self.most())),
        }
    }

    fn space_at_once(&mut self, wanted: usize) -> Option<&mut [u8]> {
        let allowance = self.allowance.filter(|_| self.decoder.is_none())?;
        // New room is written to before it is read into: much of it would be memory, also where little
        // comes, and nobody's.
        let room = self.bytes.len().saturating_sub(self.place());
        let left = self.limit().saturating_sub(self.filled);
        let most = room.min(LARGE_BYTES).min(left).min(wanted);
        if most <= ALLOWANCE_BYTES || !allowance.set_aside(as_u64(most)) {
            return None;
        }
        self.aside = most;
        self.room(most)
    }

    fn pause(&mut self, patience: &Patience<'_>) -> Result<Duration, Error> {
        let Some(allowance) = self.allowance else { return Ok(Duration::ZERO) };
        let more = self.filled.saturating_sub(self.allowed);
        if more < ALLOWANCE_BYTES {
            return Ok(Duration::ZERO);
        }
        self.allowed = self.filled;
        allowance.take(as_u64(more), patience)
    }

    fn filled(&mut self, count: usize) -> Result<(), Error> {
        let aside = std::mem::take(&mut self.aside);
        if let Some(allowance) = self.allowance.filter(|_| aside > 0) {
            allowance.settle(as_u64(aside), as_u64(count));
            self.allowed = self.allowed.saturating_add(count);
        }
        let room = self.bytes.len().saturating_sub(self.start);
        self.fill(self.filled.saturating_add(count).min(room));
        Ok(())
    }
}

fn as_u64(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

/// Room made at once for an announced length. The system gives such memory only when it is
/// written to, so that a liar costs address space and not memory.
const TRUSTED_BYTES: usize = 16 << 20;
/// A body asks for memory in pieces of at least this size, so that most need not ask.
const ALLOWANCE_BYTES: usize = 64 << 10;
/// Up to this size room that was not needed is memory all the same: it lies among other things.
const SMALL_ROOM_BYTES: usize = 64 << 10;
/// From about this size on allocators take pages of their own from the system, and give out what
/// stands 16 bytes behind the beginning of a page. Processors of AMD copy two to three times slower to
/// a place that lies, within its page, a few bytes behind the one that is copied from; and a file that
/// a server sends by `sendfile` lies at the beginning of pages. So a large body begins a little later,
/// and at the beginning of a line of the cache.
const PAGES_BYTES: usize = 128 << 10;
const PAGES_START: usize = 48;
/// What an allocator has at hand: up to here nothing is won by asking for memory that is zeroed.
const SMALL_PIECE_BYTES: usize = 4 << 10;
/// The least room made for a body of unknown length.
const SMALL_BYTES: usize = 16 << 10;
/// The most room made for one read of such a body: it is written to, and so really taken. And the most
/// that is asked for at once.
const LARGE_BYTES: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    struct Plenty;

    impl Allowance for Plenty {
        fn take(&self, _: u64, _: &Patience<'_>) -> Result<Duration, Error> {
            Ok(Duration::ZERO)
        }

        fn set_aside(&self, _: u64) -> bool {
            true
        }

        fn settle(&self, _: u64, _: u64) {}
    }

    /// A body of unknown length, in reads that are as large as they can be.
    fn collected(
        length: usize,
        limits: &Limits,
        allowance: Option<&dyn Allowance>,
        buffers: Option<&Buffers>,
    ) -> Vec<u8> {
        let mut sink = Collect::new(None, None, limits, allowance, buffers).unwrap();
        while sink.filled < length {
            let left = length - sink.filled;
            let used = sink.bytes.capacity();
            assert!(buffers.is_some() || sink.space_at_once(usize::MAX).is_none());
            match sink.space(usize::MAX).map(|room| room.len()) {
                Some(room) => Sink::filled(&mut sink, room.min(left)).unwrap(),
                None => assert!(!sink.data(&mut vec![0; left.min(1 << 16)].as_slice()).unwrap()),
            }
            let most = allowance.map_or(LARGE_BYTES, |_| ALLOWANCE_BYTES);
            sink.allowed = sink.filled;
            if buffers.is_none() {
                assert!(sink.bytes.len() <= sink.filled + most, "{} of {length}", sink.bytes.len());
                let limit = usize::try_from(limits.body_bytes).unwrap();
                assert!(sink.bytes.capacity() <= limit + 1, "{}", sink.bytes.capacity());
            }
            assert!(sink.bytes.capacity() >= used);
        }
        sink.finish().unwrap()
    }

    #[test]
    fn a_body_takes_little_more_memory_than_it_has_bytes() {
        let limits = Limits { body_bytes: 5 << 20, ..Limits::default() };
        for length in [0, 1, 1000, (16 << 10) + 1, (64 << 10) + 1, (2 << 20) + 5, 5 << 20] {
            for allowance in [None, Some(&Plenty as &dyn Allowance)] {
                let body = collected(length, &limits, allowance, None);
                assert_eq!(body.len(), length);
                assert!(body.capacity() / 2 <= length, "{} for {length}", body.capacity());
            }
        }
    }

    #[test]
    fn at_once_no_more_is_read_than_there_is_room_for_and_of_this_body() {
        let limits = Limits::default();
        let mut sink = Collect::new(None, Some(2 << 20), &limits, Some(&Plenty), None).unwrap();
        let mut room = |wanted| {
            let room = sink.space_at_once(wanted).map(|room| room.len());
            Sink::filled(&mut sink, 0).unwrap();
            room
        };
        assert_eq!(room(ALLOWANCE_BYTES), None, "that much is read anyway");
        assert_eq!(room(100_000), Some(100_000));
        assert_eq!(room(2 << 20), Some(LARGE_BYTES));
        Sink::filled(&mut sink, (2 << 20) - 90_000).unwrap();
        assert_eq!(sink.space_at_once(usize::MAX).map(|room| room.len()), Some(90_000));
        let mut alone = Collect::new(None, Some(2 << 20), &limits, None, None).unwrap();
        assert!(alone.space_at_once(2 << 20).is_none(), "without an allowance all is read so");
    }

    #[test]
    fn a_body_that_grows_is_moved_few_times_whatever_is_on_the_shelf() {
        let (limits, buffers) = (Limits::default(), Buffers::new());
        for count in 1..=60 {
            buffers.give_back(vec![0; count * (32 << 10)]);
        }
        let mut sink = Collect::new(None, None, &limits, None, Some(&buffers)).unwrap();
        let mut moves = 0;
        while sink.filled < 1_900_000 {
            let place = sink.bytes.as_ptr();
            while sink.data(&mut [0; 4096].as_slice()).unwrap() {}
            moves += u32::from(sink.bytes.as_ptr() != place);
        }
        assert!(moves <= 12, "{moves}");
    }
}
