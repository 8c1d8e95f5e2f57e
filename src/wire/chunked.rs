//! The chunked transfer coding (RFC 9112 §7.1), read strictly.
//!
//! Data does not pass through here: the decoder says how many of the next bytes are body, and
//! the caller moves them. Framing is taken byte by byte, so that any cut gives the same result
//! and costs linear time.

use super::error::{Found, Missing, WireError};
use super::limits::Limits;

/// The state between two bytes of a chunked body.
#[derive(Debug)]
pub(super) struct Chunked {
    state: State,
    extension_bytes_left: usize,
    trailer_bytes_left: usize,
    limits: Limits,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before the first digit of a size.
    SizeStart,
    /// Behind a digit.
    Size(u64),
    /// Behind a semicolon: what an extension says is nothing to us.
    Extension(u64),
    /// Behind the CR of a size line.
    SizeLf(u64),
    Data(u64),
    /// Behind the data of a chunk.
    DataCr,
    DataLf,
    /// Behind the last chunk, at the start of a line.
    LineStart,
    /// Within the name of a trailer field; whether it has a byte yet.
    Name(bool),
    Value,
    ValueLf,
    /// Behind the CR of the empty line.
    EndLf,
    Done,
}

/// What stands behind the framing that one call has read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// So many bytes of body, at least one. They count as moved past: the caller must do it.
    Data(usize),
    /// Nothing: more input is needed.
    NeedInput,
    /// Bytes, if any, that no longer belong to the body.
    End,
}

impl Chunked {
    pub(super) const fn new(limits: &Limits) -> Self {
        Self {
            state: State::SizeStart,
            extension_bytes_left: limits.chunk_extension_bytes,
            trailer_bytes_left: limits.trailer_bytes,
            limits: *limits,
        }
    }

    /// Reads framing up to the next data, or to the end: how many bytes that took, and what
    /// stands behind them.
    pub(super) fn step(&mut self, input: &[u8]) -> Result<(usize, Step), WireError> {
        let mut used: usize = 0;
        for &byte in input {
            if let State::Data(size) = self.state {
                return Ok(self.data(size, used, input.len()));
            }
            if self.state == State::Done {
                break;
            }
            self.state = self.after(byte, input.get(used..).unwrap_or_default())?;
            used = used.saturating_add(1);
        }
        Ok((used, if self.state == State::Done { Step::End } else { Step::NeedInput }))
    }

    fn data(&mut self, size: u64, used: usize, len: usize) -> (usize, Step) {
        let here = len.saturating_sub(used);
        let body = usize::try_from(size).map_or(here, |size| size.min(here));
        // Fails only where a `usize` is wider than 64 bits.
        let moved = u64::try_from(body).unwrap_or(size);
        self.moved(moved);
        (used, Step::Data(body))
    }

    /// `count` bytes of the current chunk's data have been moved past.
    pub(super) fn moved(&mut self, count: u64) {
        if let State::Data(size) = self.state {
            self.state = match size.saturating_sub(count) {
                0 => State::DataCr,
                left => State::Data(left),
            };
        }
    }

    /// Data left in the current chunk.
    pub(super) const fn left(&self) -> u64 {
        match self.state {
            State::Data(size) => size,
            _ => 0,
        }
    }

    /// What a close here leaves out.
    pub(super) const fn missing(&self) -> Missing {
        match self.state {
            State::Data(size) => Missing::Body(size),
            _ => Missing::LastChunk,
        }
    }

    /// The state behind one more byte of framing; `rest` begins with it, for the error's sake.
    fn after(&mut self, byte: u8, rest: &[u8]) -> Result<State, WireError> {
        let bad_size = || Err(WireError::BadChunkSize(Found::new(rest)));
        let bad_end = || Err(WireError::BadChunkEnd(Found::new(rest)));
        // Of a trailer no more than the byte: what stands behind it may be half of a secret.
        let bad_trailer = || Err(WireError::BadTrailer(Found::new(&[byte])));
        Ok(match (self.state, byte) {
            (State::SizeStart, _) => match digit(0, byte) {
                Some(size) => State::Size(size),
                None => return bad_size(),
            },
            // Zeros in front say nothing, and would otherwise have no end.
            (State::Size(0), b'0') => {
                self.count_extension()?;
                State::Size(0)
            }
            (State::Size(size), b'\r') => State::SizeLf(size),
            (State::Size(size), b';') => State::Extension(size),
            // White space behind a size is refused. §7.1.1 has it only before an extension, as
            // bad white space that nobody should write; Apache once padded sizes with it.
            (State::Size(size), _) => match digit(size, byte) {
                Some(size) => State::Size(size),
                None => return bad_size(),
            },
            (State::Extension(size), b'\r') => State::SizeLf(size),
            (State::Extension(size), b'\t' | b' '..=0x7e | 0x80..) => {
                self.count_extension()?;
                State::Extension(size)
            }
            // A line feed alone within an extension is where CVE-2025-22871 and its kin began.
            (State::Extension(_), _) => return bad_end(),
            (State::SizeLf(0), b'\n') => State::LineStart,
            (State::SizeLf(size), b'\n') => State::Data(size),
            (State::DataCr, b'\r') => State::DataLf,
            (State::DataLf, b'\n') => State::SizeStart,
            (State::SizeLf(_) | State::DataCr | State::DataLf, _) => return bad_end(),
            (State::LineStart, b'\r') => State::EndLf,
            (State::EndLf, b'\n') => State::Done,
            (State::LineStart | State::Name(_), _) => {
                self.count_trailer()?;
                match (self.state, byte) {
                    (State::Name(true), b':') => State::Value,
                    _ if crate::message::is_token(&[byte]) => State::Name(true),
                    _ => return bad_trailer(),
                }
            }
            (State::Value, b'\r') => {
                self.count_trailer()?;
                State::ValueLf
            }
            (State::Value, b'\t' | b' '..=0x7e | 0x80..) => {
                self.count_trailer()?;
                State::Value
            }
            (State::ValueLf, b'\n') => {
                self.count_trailer()?;
                State::LineStart
            }
            (State::Value | State::ValueLf | State::EndLf, _) => return bad_trailer(),
            (State::Data(_) | State::Done, _) => return Err(WireError::OutOfStep),
        })
    }

    fn count_extension(&mut self) -> Result<(), WireError> {
        let limit = self.limits.chunk_extension_bytes;
        self.extension_bytes_left = self
            .extension_bytes_left
            .checked_sub(1)
            .ok_or(WireError::ChunkExtensionsTooLong { limit })?;
        Ok(())
    }

    fn count_trailer(&mut self) -> Result<(), WireError> {
        let limit = self.limits.trailer_bytes;
        self.trailer_bytes_left =
            self.trailer_bytes_left.checked_sub(1).ok_or(WireError::TrailersTooLong { limit })?;
        Ok(())
    }
}

/// The size with one more hex digit; `None` if it is no digit or does not fit.
///
/// Not `u64::from_str_radix`: it also takes a leading `+`, which RFC 9112 §7.1 does not. A peer
/// and a proxy that disagree on one size disagree on where every later message starts.
fn digit(size: u64, byte: u8) -> Option<u64> {
    size.checked_mul(16)?.checked_add(u64::from(char::from(byte).to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    /// Decodes with the input cut into pieces of at most `piece` bytes; the body and the rest.
    fn decode_in(
        input: &[u8],
        piece: usize,
        limits: &Limits,
    ) -> Result<Option<(Vec<u8>, usize)>, WireError> {
        let mut chunked = Chunked::new(limits);
        let mut body = Vec::new();
        let mut at = 0;
        while at < input.len() {
            let end = (at + piece).min(input.len());
            let (used, step) = chunked.step(&input[at..end])?;
            at += used;
            match step {
                Step::Data(count) => {
                    body.extend_from_slice(&input[at..at + count]);
                    at += count;
                }
                Step::NeedInput => assert_eq!(at, end),
                Step::End => return Ok(Some((body, at))),
            }
        }
        Ok(None)
    }

    fn decode(input: &str) -> Result<Option<(Vec<u8>, usize)>, WireError> {
        let whole = decode_in(input.as_bytes(), usize::MAX / 2, &Limits::default());
        for piece in 1..input.len().min(9) {
            let cut = decode_in(input.as_bytes(), piece, &Limits::default());
            match (&whole, &cut) {
                (Ok(a), Ok(b)) => assert_eq!(a, b, "{input:?} in pieces of {piece}"),
                (Err(a), Err(b)) => assert_eq!(
                    core::mem::discriminant(a),
                    core::mem::discriminant(b),
                    "{input:?} in pieces of {piece}"
                ),
                _ => panic!("{input:?} in pieces of {piece}: {whole:?} but {cut:?}"),
            }
        }
        whole
    }

    #[test]
    fn well_formed_bodies_are_read_however_they_are_cut() {
        for (input, body, rest) in [
            ("0\r\n\r\n", "", ""),
            ("5\r\nhello\r\n0\r\n\r\n", "hello", ""),
            (
                "5\r\nhello\r\nA;x=\"y z\"\r\n, chunked!\r\n000\r\n\r\nnext",
                "hello, chunked!",
                "next",
            ),
            ("00000000000000000001\r\nx\r\n0;last\r\nA: b\r\nC:\r\n\r\nHTTP", "x", "HTTP"),
            ("2\r\n\r\n\r\n0\r\n\r\n", "\r\n", ""),
        ] {
            let (decoded, used) = decode(input).unwrap().unwrap();
            assert_eq!((decoded.as_slice(), &input[used..]), (body.as_bytes(), rest), "{input:?}");
        }
    }

    #[test]
    fn a_size_is_hex_digits_and_nothing_else() {
        for input in [
            "+5\r\nhello",
            "-5\r\nhello",
            "0x5\r\nhello",
            " 5\r\nhello",
            "5 \r\nhello",
            "5\t;x\r\nhello",
            "1_0\r\n",
            "\r\nhello",
            ";x\r\n",
            "g\r\n",
            "5\n",
            "10000000000000000\r\n",
            "fffffffffffffffff\r\n",
            "٥\r\n",
        ] {
            assert!(matches!(decode(input), Err(WireError::BadChunkSize(_))), "{input:?}");
        }
    }

    #[test]
    fn line_ends_in_chunk_framing_are_crlf_and_nothing_else() {
        for input in [
            "5\r\rhello",
            "5\rhello",
            "5;x\nhello",
            "5;x\0\r\nhello",
            "5;x\x1b\r\nhello",
            "5;x\x7f\r\nhello",
            "5\r\nhello\n0\r\n\r\n",
            "5\r\nhelloX",
            "5\r\nhello\r0",
            "5\r\nhello\rX",
        ] {
            assert!(matches!(decode(input), Err(WireError::BadChunkEnd(_))), "{input:?}");
        }
        for input in [
            "0\r\n\n",
            "0\r\nA: b\n\r\n",
            "0\r\nno colon\r\n\r\n",
            "0\r\n: b\r\n\r\n",
            "0\r\nA: b\0\r\n\r\n",
            "0\r\n\rX",
            "0\r\nA: b\r\n c\r\n\r\n",
        ] {
            assert!(matches!(decode(input), Err(WireError::BadTrailer(_))), "{input:?}");
        }
    }

    #[test]
    fn a_body_without_its_end_is_not_over() {
        let input = "5;x\r\nhello\r\n0\r\nA: b\r\n\r\n";
        for cut in 0..input.len() {
            assert_eq!(decode(&input[..cut]), Ok(None), "cut at {cut}");
        }
    }

    #[test]
    fn extensions_and_trailers_pass_at_their_limit_and_fail_one_above() {
        let limits = Limits { chunk_extension_bytes: 4, trailer_bytes: 6, ..Limits::default() };
        let read = |input: &str| decode_in(input.as_bytes(), 3, &limits);
        assert!(read("1;ab\r\nx\r\n0;cd\r\nA: b\r\n\r\n").unwrap().is_some());
        let extensions = read("1;ab\r\nx\r\n0;cde\r\n\r\n");
        assert_eq!(extensions, Err(WireError::ChunkExtensionsTooLong { limit: 4 }));
        assert!(read("000001\r\nx\r\n0\r\n\r\n").unwrap().is_some());
        let zeros = read("0000001\r\nx\r\n0\r\n\r\n");
        assert_eq!(zeros, Err(WireError::ChunkExtensionsTooLong { limit: 4 }));
        for input in ["0\r\nA: bc\r\n\r\n", "0\r\nA:\r\nB:c\r\n\r\n"] {
            assert_eq!(read(input), Err(WireError::TrailersTooLong { limit: 6 }), "{input:?}");
        }
    }
}
