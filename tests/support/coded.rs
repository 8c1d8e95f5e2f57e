//! Bodies in brotli and zstd, written by hand: what no compressor would write, and how long they
//! are is known to the byte.

/// A brotli stream that grows bit by bit (RFC 7932).
#[derive(Clone)]
pub(crate) struct Brotli {
    bytes: Vec<u8>,
    /// Bits of the last byte that are taken.
    taken: u32,
}

impl Brotli {
    /// With a window of 2^24 bytes, the largest that there is.
    pub(crate) fn new() -> Self {
        Self { bytes: Vec::new(), taken: 8 }.put(0b1111, 4)
    }

    /// With a window of 2^16 bytes.
    pub(crate) fn small() -> Self {
        Self { bytes: Vec::new(), taken: 8 }.put(0, 1)
    }

    /// Bits of a number, the lowest first.
    pub(crate) fn put(mut self, value: usize, count: u32) -> Self {
        for bit in 0..count {
            if self.taken == 8 {
                self.bytes.push(0);
                self.taken = 0;
            }
            let bit = u8::from(value >> bit & 1 == 1);
            *self.bytes.last_mut().unwrap() |= bit << self.taken;
            self.taken += 1;
        }
        self
    }

    fn raw(mut self, bytes: &[u8]) -> Self {
        self.bytes.extend_from_slice(bytes);
        self.taken = 8;
        self
    }

    /// A block of at most 64 KiB as they are.
    pub(crate) fn plain(self, bytes: &[u8]) -> Self {
        self.put(0, 1).put(0, 2).put(bytes.len() - 1, 16).put(1, 1).raw(bytes)
    }

    /// A block of which nothing comes out, of 256 to 65,536 bytes: four bytes more.
    pub(crate) fn nothing(self, length: usize) -> Self {
        assert!((257..=65_536).contains(&length));
        let start = self.put(0, 1).put(3, 2).put(0, 1).put(2, 2).put(length - 1, 16);
        start.raw(&vec![b'n'; length])
    }

    /// A block of 13 bytes or so that becomes so many, all the same: one code word for literals,
    /// one for lengths, and both are of no bits at all.
    pub(crate) fn run(self, byte: u8, length: usize) -> Self {
        assert!((22_594..=1 << 24).contains(&length));
        // The highest hexadecimal digit is none that could be left out.
        let digits = (length - 1).checked_ilog(16).unwrap_or(0).max(3) + 1;
        self.put(0, 1)
            .put(digits as usize - 4, 2)
            .put(length - 1, 4 * digits)
            .put(0, 1 + 3 + 6 + 2 + 2)
            .put(0b0001, 4)
            .put(usize::from(byte), 8)
            .put(0b0001, 4)
            .put(504, 10)
            .put(0b0001, 4)
            .put(0, 6)
            .put(length - 22_594, 24)
    }

    /// With its end.
    pub(crate) fn end(self) -> Vec<u8> {
        self.put(0b11, 2).bytes
    }

    /// Without it.
    pub(crate) fn cut(self) -> Vec<u8> {
        self.bytes
    }
}

/// A frame of zstd (RFC 8878), block by block.
#[derive(Clone)]
pub(crate) struct Frame(Vec<u8>);

impl Frame {
    /// With a window of 8 MiB, the largest that a body may have (RFC 9659).
    pub(crate) fn new() -> Self {
        Self::with_header(&[0, 0x68])
    }

    /// With a window of 1 KiB, and so blocks of no more.
    pub(crate) fn small() -> Self {
        Self::with_header(&[0, 0])
    }

    /// Behind the magic number.
    pub(crate) fn with_header(header: &[u8]) -> Self {
        Self([&[0x28, 0xb5, 0x2f, 0xfd], header].concat())
    }

    /// Any block, with its kind and the size that its header tells.
    pub(crate) fn block(mut self, kind: u32, size: usize, bytes: &[u8]) -> Self {
        let header = u32::try_from(size).unwrap() << 3 | kind << 1;
        self.0.extend_from_slice(&header.to_le_bytes()[..3]);
        self.0.extend_from_slice(bytes);
        self
    }

    pub(crate) fn plain(self, bytes: &[u8]) -> Self {
        self.block(0, bytes.len(), bytes)
    }

    /// At most 128 KiB of one byte, in four bytes.
    pub(crate) fn run(self, byte: u8, length: usize) -> Self {
        self.block(1, length, &[byte])
    }

    /// With its end, which is an empty block.
    pub(crate) fn end(mut self) -> Vec<u8> {
        self.0.extend_from_slice(&[1, 0, 0]);
        self.0
    }

    /// Without it.
    pub(crate) fn cut(self) -> Vec<u8> {
        self.0
    }
}

/// A frame of zstd of which nothing comes out: eight bytes more.
pub(crate) fn skipped(length: usize) -> Vec<u8> {
    let mut frame = vec![0x5a, 0x2a, 0x4d, 0x18];
    frame.extend(u32::try_from(length).unwrap().to_le_bytes());
    frame.resize(8 + length, b'n');
    frame
}
