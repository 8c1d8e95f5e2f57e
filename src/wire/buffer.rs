//! The bytes that have come and not been read.

use alloc::vec::Vec;

use super::scan;

/// A receive buffer: bytes are written behind, read in front, and a search for the end of a head
/// goes on where it stopped, so that a head that comes a byte at a time costs linear time.
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    /// All of it is initialised; `start..end` is what has come and not been read.
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    /// How many of the unread bytes have been searched in vain.
    searched: usize,
    /// Where the first line feed among them stands.
    first_feed: Option<usize>,
}

impl Buffer {
    /// An empty buffer that holds no memory yet.
    pub(crate) const fn new() -> Self {
        Self { bytes: Vec::new(), start: 0, end: 0, searched: 0, first_feed: None }
    }

    /// What has come and not been read.
    pub(crate) fn filled(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or_default()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.filled().is_empty()
    }

    /// Room for at least `want` bytes behind what has come.
    pub(crate) fn space(&mut self, want: usize) -> &mut [u8] {
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
        }
        let room = self.bytes.len().saturating_sub(self.end);
        if room < want && self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            self.end = self.end.saturating_sub(self.start);
            self.start = 0;
        }
        let needed = self.end.saturating_add(want);
        if self.bytes.len() < needed {
            // Twice as large, so that many small pieces cost no more than one large one.
            self.bytes.resize(needed.max(self.bytes.len().saturating_mul(2).min(LARGE_BYTES)), 0);
        }
        self.bytes.get_mut(self.end..).unwrap_or_default()
    }

    /// The first `count` bytes of the room have come.
    pub(crate) fn advance(&mut self, count: usize) {
        self.end = self.end.saturating_add(count).min(self.bytes.len());
    }

    /// Reads the first `count` bytes.
    pub(crate) fn take(&mut self, count: usize) -> &[u8] {
        let start = self.start;
        self.start = self.start.saturating_add(count).min(self.end);
        self.searched = 0;
        self.first_feed = None;
        self.bytes.get(start..self.start).unwrap_or_default()
    }

    /// Where the first head ends: the length up to and with its empty line. `None` if the empty
    /// line has not come. Lines end in CRLF or, as RFC 9112 §2.2 grants, in LF alone.
    pub(super) fn head_len(&mut self) -> Option<usize> {
        let filled = self.bytes.get(self.start..self.end).unwrap_or_default();
        // The end of a line may lie before the point that the last search came to.
        let mut from = self.searched.saturating_sub(2);
        while let Some(rest) = filled.get(from..) {
            let Some(line) = scan::find(rest, b'\n') else { break };
            let feed = from.saturating_add(line);
            self.first_feed = self.first_feed.or(Some(feed));
            let after = feed.saturating_add(1);
            match filled.get(after..) {
                Some([b'\n', ..]) => return Some(after.saturating_add(1)),
                Some([b'\r', b'\n', ..]) => return Some(after.saturating_add(2)),
                _ => from = after,
            }
        }
        self.searched = filled.len();
        None
    }

    /// Whether the end of a head has been looked for among these bytes, in vain.
    pub(super) const fn has_searched(&self) -> bool {
        self.searched > 0
    }

    /// The length of the first line up to its line feed, as far as [`head_len`](Self::head_len) has
    /// found it, and else of all that has come.
    pub(super) fn first_line_len(&self) -> usize {
        self.first_feed.unwrap_or_else(|| self.filled().len())
    }

    /// Gives memory back that only a large head or body needed.
    pub(crate) fn shrink_if_large(&mut self) {
        if self.is_empty() && self.bytes.len() > KEPT_BYTES {
            *self = Self::new();
        }
    }
}

/// What a buffer keeps while its connection is idle.
const KEPT_BYTES: usize = 4 * 1024;
/// Where growing by doubling stops.
const LARGE_BYTES: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn put(buffer: &mut Buffer, bytes: &[u8]) {
        buffer.space(bytes.len())[..bytes.len()].copy_from_slice(bytes);
        buffer.advance(bytes.len());
    }

    #[test]
    fn bytes_come_out_in_the_order_in_which_they_came() {
        let mut buffer = Buffer::new();
        put(&mut buffer, b"abc");
        assert_eq!(buffer.take(2), b"ab");
        put(&mut buffer, &[b'x'; 5000]);
        assert_eq!(buffer.take(1), b"c");
        assert_eq!(buffer.filled(), [b'x'; 5000]);
        assert_eq!(buffer.take(usize::MAX).len(), 5000);
        assert!(buffer.is_empty());
        buffer.shrink_if_large();
        assert_eq!(buffer.bytes.capacity(), 0);
    }

    #[test]
    fn the_end_of_a_head_is_found_however_it_is_cut() {
        for head in ["A\r\nB\r\n\r\n", "A\nB\n\n", "A\r\nB\n\r\n", "A\nB\r\n\n"] {
            for cut in 0..=head.len() {
                let mut buffer = Buffer::new();
                put(&mut buffer, &head.as_bytes()[..cut]);
                let early = buffer.head_len();
                assert_eq!(early.is_some(), cut == head.len(), "{head:?} cut at {cut}");
                put(&mut buffer, &head.as_bytes()[cut..]);
                put(&mut buffer, b"rest\n\n");
                assert_eq!(buffer.head_len(), Some(head.len()), "{head:?} cut at {cut}");
            }
        }
    }

    /// Bytes that were searched are overwritten: what looked at them again would see it.
    #[test]
    fn a_head_that_comes_byte_by_byte_is_looked_at_once() {
        let mut buffer = Buffer::new();
        for sent in 1..=2_000 {
            put(&mut buffer, if sent == 100 { b"\n" } else { b"x" });
            assert_eq!(buffer.has_searched(), sent > 1, "at {sent}");
            assert_eq!(buffer.head_len(), None, "at {sent}");
            assert_eq!(buffer.first_line_len(), sent.min(99));
            // All but the two that may belong to the end of a head.
            let searched = sent.saturating_sub(2);
            buffer.bytes[..searched].fill(b'\n');
        }
        put(&mut buffer, b"\n\n");
        assert_eq!((buffer.head_len(), buffer.first_line_len()), (Some(2_002), 99));
        buffer.take(2_002);
        put(&mut buffer, b"next");
        assert!(!buffer.has_searched(), "it is another head");
        assert_eq!((buffer.head_len(), buffer.first_line_len()), (None, 4));
    }

    #[test]
    fn what_was_read_makes_room_before_memory_is_taken() {
        let mut buffer = Buffer::new();
        put(&mut buffer, &[b'x'; 1000]);
        assert_eq!(buffer.bytes.len(), 1000);
        assert!(buffer.space(0).is_empty());
        assert_eq!(buffer.bytes.len(), 1000, "there was no want of room");
        buffer.take(900);
        assert_eq!(buffer.space(900).len(), 900);
        assert_eq!((buffer.bytes.len(), buffer.filled()), (1000, &[b'x'; 100][..]));
        assert_eq!(buffer.space(901).len(), 1900, "twice as large, since what was needed is less");
        buffer.take(100);
        assert_eq!(buffer.space(2000).len(), 2000, "an empty buffer begins anew");
    }

    #[test]
    fn doubling_ends_at_64_kib_and_what_is_wanted_is_made_all_the_same() {
        let mut buffer = Buffer::new();
        put(&mut buffer, &[b'x'; 40_000]);
        buffer.space(1);
        assert_eq!(buffer.bytes.len(), 65_536);
        buffer.advance(25_536);
        buffer.space(1);
        assert_eq!(buffer.bytes.len(), 65_537);
    }

    #[test]
    fn an_idle_buffer_keeps_4_kib_and_one_with_bytes_in_it_keeps_them() {
        for (size, kept) in [(4096, 4096), (4097, 0)] {
            let mut buffer = Buffer::new();
            put(&mut buffer, &vec![b'x'; size]);
            buffer.shrink_if_large();
            assert_eq!(buffer.filled().len(), size);
            buffer.take(size);
            buffer.shrink_if_large();
            assert_eq!(buffer.bytes.len(), kept, "{size}");
        }
    }
}
