//! One coding of a body: gzip (RFC 1952), or deflate (RFC 1950, RFC 1951).

use flate2::{Decompress, FlushDecompress, Status};

use super::member::{Member, Part};
use crate::error::{Error, ErrorKind, Phase};

/// Undoes one coding, a piece at a time.
pub(super) struct Stage {
    form: Form,
    started: bool,
    /// Bytes that came out in all.
    made: u64,
    piece: Piece,
}

enum Form {
    Gzip(Member),
    /// `deflate` means zlib (RFC 9110 §8.4.1.2), but servers send it raw as well: the first two
    /// bytes tell. Until the second is there the first is kept.
    Unknown(Option<u8>),
    Deflate {
        inflate: Decompress,
        ended: bool,
    },
}

/// What came out of a stage and did not go into the next one yet.
#[derive(Default)]
struct Piece {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl Stage {
    pub(super) fn gzip() -> Self {
        Self::new(Form::Gzip(Member::new()))
    }

    pub(super) fn deflate() -> Self {
        Self::new(Form::Unknown(None))
    }

    fn new(form: Form) -> Self {
        Self { form, started: false, made: 0, piece: Piece::default() }
    }

    pub(super) const fn name(&self) -> &'static str {
        match self.form {
            Form::Gzip(_) => "gzip",
            Form::Unknown(_) | Form::Deflate { .. } => "deflate",
        }
    }

    pub(super) const fn made(&self) -> u64 {
        self.made
    }

    /// Whether an end here leaves something out. What never began is empty.
    pub(super) const fn is_broken_off(&self) -> bool {
        let is_complete = match &self.form {
            Form::Gzip(member) => member.is_complete(),
            Form::Unknown(_) => false,
            Form::Deflate { ended, .. } => *ended,
        };
        self.started && !is_complete
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

    /// Decodes into the room: how many bytes, and `false` when the input is used up and nothing
    /// more would come out.
    pub(super) fn step(
        &mut self,
        input: &mut &[u8],
        room: &mut [u8],
    ) -> Result<(usize, bool), Error> {
        self.started |= !input.is_empty();
        let (made, more) = match &mut self.form {
            Form::Gzip(member) => gzip(member, input, room)?,
            Form::Unknown(start) => match (*start, input.split_first()) {
                (_, None) => (0, false),
                (None, Some((&first, rest))) => {
                    *start = Some(first);
                    *input = rest;
                    (0, true)
                }
                (Some(first), Some((&second, _))) => {
                    let zlib = first & 0x0f == 8
                        && (u16::from(first) << 8 | u16::from(second)).is_multiple_of(31);
                    let mut inflate = Decompress::new(zlib);
                    // Of one byte nothing comes out: no code word fits behind a block's header.
                    let (made, _) = inflate_into(&mut inflate, &mut [first].as_slice(), room)?;
                    self.form = Form::Deflate { inflate, ended: false };
                    (made, true)
                }
            },
            Form::Deflate { ended: true, .. } if !input.is_empty() => {
                return Err(bad("bytes behind the end of the deflate body"));
            }
            Form::Deflate { ended: true, .. } => (0, false),
            Form::Deflate { inflate, ended } => {
                let (made, progress) = inflate_into(inflate, input, room)?;
                *ended = progress == Progress::Ended;
                (made, progress != Progress::NeedInput)
            }
        };
        self.made = self.made.saturating_add(u64::try_from(made).unwrap_or(u64::MAX));
        Ok((made, more))
    }
}

fn gzip(member: &mut Member, input: &mut &[u8], room: &mut [u8]) -> Result<(usize, bool), Error> {
    match member.part(input).map_err(bad)? {
        Part::NeedInput => Ok((0, false)),
        Part::Deflate(inflate) => {
            let (made, progress) = inflate_into(inflate, input, room)?;
            member.count(room.get(..made).unwrap_or_default());
            if progress == Progress::Ended {
                member.end_deflate();
            }
            Ok((made, progress != Progress::NeedInput))
        }
    }
}

/// Where an inflater stands after one piece.
#[derive(PartialEq, Eq)]
enum Progress {
    /// The room was used up: there may be more.
    Full,
    NeedInput,
    Ended,
}

fn inflate_into(
    inflate: &mut Decompress,
    input: &mut &[u8],
    room: &mut [u8],
) -> Result<(usize, Progress), Error> {
    let (taken, made) = (inflate.total_in(), inflate.total_out());
    let status = inflate
        .decompress(input, room, FlushDecompress::None)
        .map_err(|error| bad(MALFORMED).because(error))?;
    let since =
        |total: u64, before| usize::try_from(total.saturating_sub(before)).unwrap_or(usize::MAX);
    let (used, made) = (since(inflate.total_in(), taken), since(inflate.total_out(), made));
    *input = input.get(used..).unwrap_or_default();
    match status {
        Status::StreamEnd => Ok((made, Progress::Ended)),
        _ if made == room.len() => Ok((made, Progress::Full)),
        _ if input.is_empty() => Ok((made, Progress::NeedInput)),
        _ if used == 0 && made == 0 => Err(bad(MALFORMED)),
        _ => Ok((made, Progress::Full)),
    }
}

fn bad(detail: &'static str) -> Error {
    Error::new(ErrorKind::Decode, detail).during(Phase::Decoding)
}

const MALFORMED: &str = "the deflate data is malformed";
/// How much comes out of a stage before the next one reads it.
const PIECE_BYTES: usize = 32 << 10;
