//! The codings that are made of deflate (RFC 1951): gzip (RFC 1952) and `deflate` (RFC 1950).

use flate2::{Decompress, FlushDecompress, Status};

use super::member::{Member, Part};
use super::stage::{Coding, bad};
use crate::error::Error;

/// gzip: members one behind another.
pub(super) struct Gzip(Member);

impl Gzip {
    pub(super) fn new() -> Self {
        Self(Member::new())
    }
}

impl Coding for Gzip {
    fn name(&self) -> &'static str {
        "gzip"
    }

    fn step(&mut self, input: &mut &[u8], room: &mut [u8]) -> Result<(usize, bool), Error> {
        match self.0.part(input).map_err(bad)? {
            Part::NeedInput => Ok((0, false)),
            Part::Deflate(inflate) => {
                let (made, progress) = inflate_into(inflate, input, room)?;
                self.0.count(room.get(..made).unwrap_or_default());
                if progress == Progress::Ended {
                    self.0.end_deflate();
                }
                Ok((made, progress != Progress::NeedInput))
            }
        }
    }

    fn is_complete(&self) -> bool {
        self.0.is_complete()
    }

    fn most_of_a_byte(&self) -> Option<u64> {
        Some(MOST_OF_A_BYTE)
    }
}

/// `deflate`: it means zlib (RFC 9110 §8.4.1.2), but servers send it raw as well.
pub(super) enum Deflate {
    /// The first two bytes tell. Until the second is there the first is kept.
    Unknown(Option<u8>),
    Known {
        inflate: Decompress,
        ended: bool,
    },
}

impl Deflate {
    pub(super) const fn new() -> Self {
        Self::Unknown(None)
    }
}

impl Coding for Deflate {
    fn name(&self) -> &'static str {
        "deflate"
    }

    fn step(&mut self, input: &mut &[u8], room: &mut [u8]) -> Result<(usize, bool), Error> {
        match self {
            Self::Unknown(start) => match (*start, input.split_first()) {
                (_, None) => Ok((0, false)),
                (None, Some((&first, rest))) => {
                    *start = Some(first);
                    *input = rest;
                    Ok((0, true))
                }
                (Some(first), Some((&second, _))) => {
                    let zlib = first & 0x0f == 8
                        && (u16::from(first) << 8 | u16::from(second)).is_multiple_of(31);
                    let mut inflate = Decompress::new(zlib);
                    // Of one byte nothing comes out: no code word fits behind a block's header.
                    let (made, _) = inflate_into(&mut inflate, &mut [first].as_slice(), room)?;
                    *self = Self::Known { inflate, ended: false };
                    Ok((made, true))
                }
            },
            Self::Known { ended: true, .. } if !input.is_empty() => {
                Err(bad("bytes behind the end of the deflate body"))
            }
            Self::Known { ended: true, .. } => Ok((0, false)),
            Self::Known { inflate, ended } => {
                let (made, progress) = inflate_into(inflate, input, room)?;
                *ended = progress == Progress::Ended;
                Ok((made, progress != Progress::NeedInput))
            }
        }
    }

    fn is_complete(&self) -> bool {
        matches!(self, Self::Known { ended: true, .. })
    }

    fn most_of_a_byte(&self) -> Option<u64> {
        Some(MOST_OF_A_BYTE)
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

const MALFORMED: &str = "the deflate data is malformed";
/// The most that a byte of deflate can become: four matches of 258 bytes, for each has a code word
/// of a bit or more for its length and another for its distance, and what of the first came before
/// is less than all of it.
const MOST_OF_A_BYTE: u64 = 4 * 258;
