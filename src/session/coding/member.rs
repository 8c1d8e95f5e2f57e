//! The frame of gzip (RFC 1952 §2.3): a header, deflate data, a checksum and a length, and then
//! perhaps another such member.
//!
//! Read here and not by the library's own gzip reader because that one takes a body that is cut
//! off in its last member, or followed by anything at all, for a good one in some of its forms.

use flate2::{Crc, Decompress};

/// The state between two bytes of a gzip body.
pub(super) struct Member {
    state: State,
    inflate: Decompress,
    crc: Crc,
    /// Members that are complete.
    complete: u64,
}

#[derive(Clone, Copy)]
enum State {
    /// So many bytes of the ten fixed ones have come, and these are the flags.
    Fixed(u8, Flags),
    /// The length of the extra field; the low byte once it has come.
    ExtraLen(Option<u8>, Flags),
    Extra(u16, Flags),
    Name(Flags),
    Comment(Flags),
    /// Two bytes of a header checksum.
    HeaderCrc(u8),
    Deflate,
    /// So many bytes of the eight behind the data have come, and this is what they say.
    Trailer(u8, u64),
}

#[derive(Clone, Copy)]
struct Flags(u8);

impl Flags {
    const HEADER_CRC: u8 = 2;
    const EXTRA: u8 = 4;
    const NAME: u8 = 8;
    const COMMENT: u8 = 16;
    const RESERVED: u8 = 0xe0;
}

/// What the next bytes are.
pub(super) enum Part<'a> {
    NeedInput,
    /// Deflate data, for this inflater.
    Deflate(&'a mut Decompress),
}

impl Member {
    pub(super) fn new() -> Self {
        Self {
            state: State::Fixed(0, Flags(0)),
            inflate: Decompress::new(false),
            crc: Crc::new(),
            complete: 0,
        }
    }

    /// Whether the body may end here: behind a member, and not within the next.
    pub(super) const fn is_complete(&self) -> bool {
        matches!(self.state, State::Fixed(0, _)) && self.complete > 0
    }

    /// Reads frame bytes up to the next deflate data.
    pub(super) fn part(&mut self, input: &mut &[u8]) -> Result<Part<'_>, &'static str> {
        while !matches!(self.state, State::Deflate) {
            let Some((&byte, rest)) = input.split_first() else { return Ok(Part::NeedInput) };
            self.state = self.after(byte)?;
            *input = rest;
        }
        Ok(Part::Deflate(&mut self.inflate))
    }

    /// These bytes came out of the deflate data.
    pub(super) fn count(&mut self, made: &[u8]) {
        self.crc.update(made);
    }

    /// The deflate data is over.
    pub(super) const fn end_deflate(&mut self) {
        self.state = State::Trailer(0, 0);
    }

    fn after(&mut self, byte: u8) -> Result<State, &'static str> {
        Ok(match self.state {
            State::Fixed(at, flags) => {
                let flags = match (at, byte) {
                    (0, 0x1f) | (1, 0x8b) | (2, 8) | (4..=8, _) => flags,
                    (3, bits) if bits & Flags::RESERVED == 0 => Flags(bits),
                    (9, _) => return Ok(next_optional(flags, 0)),
                    _ if self.complete > 0 => return Err("bytes behind the end of the gzip body"),
                    _ => return Err("the body does not begin like gzip"),
                };
                State::Fixed(at.saturating_add(1), flags)
            }
            State::ExtraLen(None, flags) => State::ExtraLen(Some(byte), flags),
            State::ExtraLen(Some(low), flags) => match u16::from_le_bytes([low, byte]) {
                0 => next_optional(flags, Flags::EXTRA),
                len => State::Extra(len, flags),
            },
            State::Extra(1, flags) => next_optional(flags, Flags::EXTRA),
            State::Extra(left, flags) => State::Extra(left.saturating_sub(1), flags),
            State::Name(flags) if byte == 0 => next_optional(flags, Flags::NAME),
            State::Comment(flags) if byte == 0 => next_optional(flags, Flags::COMMENT),
            State::Name(_) | State::Comment(_) => self.state,
            State::HeaderCrc(0) => State::HeaderCrc(1),
            State::HeaderCrc(_) => State::Deflate,
            State::Trailer(at, value) => {
                let value = value | u64::from(byte) << (8 * u32::from(at));
                if at < 7 {
                    return Ok(State::Trailer(at.saturating_add(1), value));
                }
                self.check(value)?;
                self.inflate.reset(false);
                self.crc.reset();
                self.complete = self.complete.saturating_add(1);
                State::Fixed(0, Flags(0))
            }
            State::Deflate => State::Deflate,
        })
    }

    /// Compares checksum and length, the low and the high half, with what came out.
    fn check(&self, trailer: u64) -> Result<(), &'static str> {
        if trailer & 0xffff_ffff != u64::from(self.crc.sum()) {
            return Err("the checksum of the gzip body is wrong");
        }
        if trailer >> 32 != u64::from(self.crc.amount()) {
            return Err("the length of the gzip body is wrong");
        }
        Ok(())
    }
}

/// The first optional part of the header behind the one of this flag; 0 stands for the fixed part.
fn next_optional(flags: Flags, done: u8) -> State {
    let has = |flag| flags.0 & flag != 0;
    if done < Flags::EXTRA && has(Flags::EXTRA) {
        State::ExtraLen(None, flags)
    } else if done < Flags::NAME && has(Flags::NAME) {
        State::Name(flags)
    } else if done < Flags::COMMENT && has(Flags::COMMENT) {
        State::Comment(flags)
    } else if has(Flags::HEADER_CRC) {
        State::HeaderCrc(0)
    } else {
        State::Deflate
    }
}
