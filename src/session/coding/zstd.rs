//! The coding `zstd` (RFC 8878, RFC 9659): frames one behind another, of which some say that they
//! are to be skipped. Only this file names `ruzstd`.
//!
//! That library reads whole headers and whole blocks, so they are gathered here until they are
//! whole, and checked for what it leaves out. What comes out of it comes late: it keeps back the
//! last window, at most 8 MiB, until the frame is over.

use std::io::Read as _;

use ruzstd::decoding::errors::FrameDecoderError;
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use super::stage::{Coding, bad};
use crate::error::Error;

/// The state between two bytes of a zstd body.
pub(super) struct Zstd {
    state: State,
    decoder: FrameDecoder,
    /// What there is of a header, or of a block with its own header.
    held: Vec<u8>,
    /// Whether there was a whole frame.
    complete: bool,
}

enum State {
    /// Between two frames, or in the header of one.
    Header,
    /// So many bytes are passed over.
    Skip(u32),
    Frame(Frame),
}

/// What the header of a frame says, and what has come out of it.
struct Frame {
    /// How many bytes it is to become.
    content: Option<u64>,
    made: u64,
    has_checksum: bool,
}

impl Zstd {
    pub(super) fn new() -> Self {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(MOST_WINDOW);
        Self { state: State::Header, decoder, held: Vec::new(), complete: false }
    }

    /// Takes from the input what the next header or block still lacks: whether it is whole.
    fn gather(&mut self, input: &mut &[u8]) -> Result<bool, Error> {
        loop {
            let whole = match &self.state {
                State::Frame(frame) => block_bytes(&self.held, frame),
                _ => header_bytes(&self.held).ok_or_else(|| match self.complete {
                    true => bad("bytes behind the end of the zstd body"),
                    false => bad("the body does not begin like zstd"),
                })?,
            };
            let missing = whole.saturating_sub(self.held.len()).min(input.len());
            if missing == 0 {
                return Ok(whole <= self.held.len());
            }
            let (now, rest) = input.split_at_checked(missing).unwrap_or_default();
            self.held.extend_from_slice(now);
            *input = rest;
        }
    }

    /// Begins the frame whose header is whole.
    fn begin(&mut self) -> Result<State, Error> {
        if let [0x50..=0x5f, _, _, _, a, b, c, d] = *self.held {
            return Ok(State::Skip(u32::from_le_bytes([a, b, c, d])));
        }
        let flags = Flags(self.held.get(MAGIC.len()).copied().unwrap_or_default());
        if flags.reserved() {
            return Err(bad(MALFORMED));
        }
        self.decoder.reset(self.held.as_slice()).map_err(|error| match error {
            FrameDecoderError::WindowSizeTooBig { .. } | FrameDecoderError::FrameHeaderError(_) => {
                bad("the zstd body asks for a window of more than 8 MiB")
            }
            FrameDecoderError::DictNotProvided { .. } => bad("the zstd body asks for a dictionary"),
            _ => bad(MALFORMED),
        })?;
        let content = (flags.content_bytes() > 0).then(|| self.decoder.content_size());
        Ok(State::Frame(Frame { content, made: 0, has_checksum: flags.checksum() }))
    }

    /// Compares the frame's length and checksum with what came out.
    fn end(&mut self) -> Result<(), Error> {
        let State::Frame(frame) = std::mem::replace(&mut self.state, State::Header) else {
            return Ok(());
        };
        if frame.content.is_some_and(|content| content != frame.made) {
            return Err(bad("the length of the zstd body is wrong"));
        }
        let sums = (self.decoder.get_checksum_from_data(), self.decoder.get_calculated_checksum());
        if frame.has_checksum && sums.0 != sums.1 {
            return Err(bad("the checksum of the zstd body is wrong"));
        }
        self.complete = true;
        Ok(())
    }
}

impl Coding for Zstd {
    fn name(&self) -> &'static str {
        "zstd"
    }

    fn step(&mut self, input: &mut &[u8], room: &mut [u8]) -> Result<(usize, bool), Error> {
        match &mut self.state {
            State::Frame(frame) => {
                // What is left in the decoder would be in the way of the next block.
                if self.decoder.can_collect() > 0 {
                    let made = self.decoder.read(room).map_err(|_| bad(MALFORMED))?;
                    frame.made = frame.made.saturating_add(u64::try_from(made).unwrap_or(u64::MAX));
                    return Ok((made, true));
                }
                if self.decoder.is_finished() {
                    self.end()?;
                }
            }
            State::Skip(left) => {
                let now = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
                *input = input.get(now..).unwrap_or_default();
                *left = left.saturating_sub(u32::try_from(now).unwrap_or(u32::MAX));
                if *left > 0 {
                    return Ok((0, false));
                }
                self.state = State::Header;
                self.complete = true;
            }
            State::Header => {}
        }
        if !self.gather(input)? {
            return Ok((0, false));
        }
        if let State::Frame(_) = self.state {
            let mut block = self.held.as_slice();
            self.decoder
                .decode_blocks(&mut block, BlockDecodingStrategy::UptoBlocks(1))
                .map_err(|_| bad(MALFORMED))?;
        } else {
            self.state = self.begin()?;
        }
        self.held.clear();
        Ok((0, true))
    }

    fn is_complete(&self) -> bool {
        self.complete && self.held.is_empty() && matches!(self.state, State::Header)
    }

    /// A block of four bytes may become 128 KiB, and with the last one comes a whole window.
    fn most_of_a_byte(&self) -> Option<u64> {
        None
    }
}

/// How many bytes the header has that begins so, as far as these tell; `None` if none does.
fn header_bytes(held: &[u8]) -> Option<usize> {
    match held {
        [] => Some(MAGIC.len()),
        [0x50..=0x5f, rest @ ..] => SKIPPED.starts_with(rest.get(..3).unwrap_or(rest)).then_some(8),
        [0x28, ..] => {
            let begins = MAGIC.starts_with(held.get(..MAGIC.len()).unwrap_or(held));
            let flags = held.get(MAGIC.len()).copied().map_or(0, |flags| Flags(flags).more_bytes());
            begins.then_some(MAGIC.len().saturating_add(1).saturating_add(flags))
        }
        _ => None,
    }
}

/// How many bytes the block has that begins so, as far as these tell, and the checksum behind the
/// last one (RFC 8878 §3.1.1.2).
fn block_bytes(held: &[u8], frame: &Frame) -> usize {
    let [first, second, third, ..] = *held else { return BLOCK_HEADER };
    let bits = u32::from_le_bytes([first, second, third, 0]);
    let is_last = bits & 1 == 1;
    let size = usize::try_from(bits >> 3).unwrap_or(usize::MAX);
    let content = match bits >> 1 & 3 {
        // One byte, over and over.
        1 => 1,
        // The library refuses the last kind, which has no meaning, and what is too large.
        0 | 2 if size <= MOST_BLOCK => size,
        _ => 0,
    };
    let checksum = if is_last && frame.has_checksum { 4 } else { 0 };
    BLOCK_HEADER.saturating_add(content).saturating_add(checksum)
}

/// The byte behind the magic number (RFC 8878 §3.1.1.1.1).
#[derive(Clone, Copy)]
struct Flags(u8);

impl Flags {
    /// How many bytes follow in the header.
    fn more_bytes(self) -> usize {
        let window = usize::from(!self.single_segment());
        let dictionary = [0, 1, 2, 4].get(usize::from(self.0 & 3)).copied().unwrap_or(0);
        self.content_bytes().saturating_add(window).saturating_add(dictionary)
    }

    /// How long the field is that says how many bytes the frame becomes.
    const fn content_bytes(self) -> usize {
        match self.0 >> 6 {
            0 => self.single_segment() as usize,
            1 => 2,
            2 => 4,
            _ => 8,
        }
    }

    /// All of it is the window.
    const fn single_segment(self) -> bool {
        self.0 & 0x20 != 0
    }

    const fn reserved(self) -> bool {
        self.0 & 8 != 0
    }

    const fn checksum(self) -> bool {
        self.0 & 4 != 0
    }
}

const MALFORMED: &str = "the zstd data is malformed";
const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// The magic number of a frame that is to be skipped, but for its first byte.
const SKIPPED: [u8; 3] = [0x2a, 0x4d, 0x18];
const BLOCK_HEADER: usize = 3;
/// RFC 8878 §3.1.1.2.4.
const MOST_BLOCK: usize = 128 << 10;
/// RFC 9659 §3: what no sender may exceed, and every receiver has to have.
const MOST_WINDOW: u64 = 8 << 20;
