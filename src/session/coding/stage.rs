//! One coding of a stack, what came out of it, and what waits for the next one.

use crate::error::{Error, ErrorKind, Phase};

/// Undoes a coding, whichever it is, a piece at a time.
pub(super) trait Coding: Send {
    /// What `Content-Encoding` calls it.
    fn name(&self) -> &'static str;

    /// Decodes into the room: how many bytes, and `false` when the input is used up and nothing
    /// more would come out.
    fn step(&mut self, input: &mut &[u8], room: &mut [u8]) -> Result<(usize, bool), Error>;

    /// Whether a body may end here.
    fn is_complete(&self) -> bool;

    /// How many bytes one byte can become at most, where that is no more than a ratio is about.
    fn most_of_a_byte(&self) -> Option<u64>;
}

/// A coding in its place.
pub(super) struct Stage {
    coding: Box<dyn Coding>,
    started: bool,
    /// Bytes that came out in all.
    made: u64,
    piece: Piece,
}

/// What came out of a stage and did not go into the next one yet.
#[derive(Default)]
struct Piece {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl Stage {
    pub(super) fn new(coding: Box<dyn Coding>) -> Self {
        Self { coding, started: false, made: 0, piece: Piece::default() }
    }

    pub(super) fn name(&self) -> &'static str {
        self.coding.name()
    }

    pub(super) fn most_of_a_byte(&self) -> Option<u64> {
        self.coding.most_of_a_byte()
    }

    pub(super) const fn made(&self) -> u64 {
        self.made
    }

    /// Whether an end here leaves something out. What never began is empty.
    pub(super) fn is_broken_off(&self) -> bool {
        self.started && !self.coding.is_complete()
    }

    /// What the next stage has to read.
    pub(super) fn piece(&self) -> &[u8] {
        self.piece.bytes.get(self.piece.start..self.piece.end).unwrap_or_default()
    }

    /// The next stage has read all but the last bytes of the piece.
    pub(super) fn keep(&mut self, left: usize) {
        self.piece.start = self.piece.end.saturating_sub(left);
    }

    /// Makes the next piece, for a stage behind this one.
    pub(super) fn refill(&mut self, input: &mut &[u8]) -> Result<bool, Error> {
        let mut bytes = std::mem::take(&mut self.piece.bytes);
        bytes.resize(PIECE_BYTES, 0);
        let (made, more) = self.step(input, &mut bytes)?;
        self.piece = Piece { bytes, start: 0, end: made };
        Ok(more)
    }

    /// As [`Coding::step`].
    pub(super) fn step(
        &mut self,
        input: &mut &[u8],
        room: &mut [u8],
    ) -> Result<(usize, bool), Error> {
        self.started |= !input.is_empty();
        let (made, more) = self.coding.step(input, room)?;
        self.made = self.made.saturating_add(u64::try_from(made).unwrap_or(u64::MAX));
        Ok((made, more))
    }
}

/// The error of a body that is not what its coding says.
pub(super) fn bad(detail: &'static str) -> Error {
    Error::new(ErrorKind::Decode, detail).during(Phase::Decoding)
}

/// How much comes out of a stage before the next one reads it.
const PIECE_BYTES: usize = 32 << 10;
