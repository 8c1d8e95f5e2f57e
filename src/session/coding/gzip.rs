//! gzip (RFC 1952) and deflate (RFC 1950, RFC 1951) bodies.

use flate2::{Decompress, FlushDecompress, Status};

use super::member::{Member, Part};
use crate::error::{Error, ErrorKind, Phase};
use crate::session::body::too_large;
use crate::wire::{Limits, ResponseHead};

/// Undoes the content codings of one body.
pub(crate) struct Decoder {
    /// Outermost first: what was applied last is undone first.
    stages: Vec<Stage>,
    /// Bytes that came over the wire.
    taken: u64,
    ratio: u64,
}

impl Decoder {
    /// The decoder for a response: `None` if its body is to be handed over as it came, because it
    /// is not coded, or in a way that was not asked for and we do not know.
    ///
    /// A part of a coded body (206) is not a coded body: it is handed over as it came, too.
    pub(crate) fn for_head(head: &ResponseHead, limits: &Limits) -> Result<Option<Self>, Error> {
        if head.status == 206 {
            return Ok(None);
        }
        let mut stages = Vec::new();
        let fields = head.headers.get_all("content-encoding");
        for name in fields.flat_map(|value| value.split(',')).map(str::trim) {
            let is = |known: &str| name.eq_ignore_ascii_case(known);
            if is("gzip") || is("x-gzip") {
                stages.push(Stage::new(Form::Gzip(Member::new())));
            } else if is("deflate") {
                stages.push(Stage::new(Form::Unknown(Vec::new())));
            } else if !is("identity") && !name.is_empty() {
                return Ok(None);
            }
            if stages.len() > limits.codings {
                let limit = limits.codings;
                return Err(Error::new(
                    ErrorKind::TooLarge,
                    format!("the body has more content codings than the limit codings of {limit}"),
                )
                .during(Phase::Decoding));
            }
        }
        stages.reverse();
        let ratio = u64::from(limits.decompression_ratio);
        Ok((!stages.is_empty()).then_some(Self { stages, taken: 0, ratio }))
    }

    /// Decodes some bytes of the body onto the end of `out`, which never gets longer than `limit`.
    pub(crate) fn push(
        &mut self,
        input: &[u8],
        out: &mut Vec<u8>,
        limit: u64,
    ) -> Result<(), Error> {
        self.taken = self.taken.saturating_add(len(input));
        let caps = Caps { limit, ratio: self.ratio, taken: self.taken };
        run(&mut self.stages, input, out, caps)
    }

    /// The body is over. An error if a coded body is not: a part is never handed over as a whole.
    /// A body of no bytes at all is empty in any coding.
    pub(crate) fn finish(&self) -> Result<(), Error> {
        match self.stages.iter().find(|stage| stage.started && !stage.is_complete()) {
            Some(stage) if self.taken > 0 => {
                Err(bad(format!("the {} body ends before its end", stage.name())))
            }
            _ => Ok(()),
        }
    }
}

/// What may come out, at every stage.
#[derive(Clone, Copy)]
struct Caps {
    limit: u64,
    ratio: u64,
    taken: u64,
}

impl Caps {
    fn check(&self, made: u64) -> Result<(), Error> {
        if made > self.limit {
            return Err(too_large(self.limit));
        }
        if made > FREE_BYTES && made / self.ratio.max(1) > self.taken {
            return Err(Error::new(
                ErrorKind::TooLarge,
                format!(
                    "{} bytes decode to more than the limit decompression_ratio of {} to 1",
                    self.taken, self.ratio
                ),
            )
            .during(Phase::Decoding));
        }
        Ok(())
    }
}

/// Runs the input through the stages, a small piece at a time between one and the next.
fn run(stages: &mut [Stage], mut input: &[u8], out: &mut Vec<u8>, caps: Caps) -> Result<(), Error> {
    let Some((stage, inner)) = stages.split_first_mut() else {
        out.extend_from_slice(input);
        return Ok(());
    };
    if inner.is_empty() {
        while stage.step(&mut input, out, caps)? {}
        return Ok(());
    }
    let mut piece = Vec::new();
    loop {
        piece.clear();
        let more = stage.step(&mut input, &mut piece, caps)?;
        if !piece.is_empty() {
            run(inner, &piece, out, caps)?;
        }
        if !more {
            return Ok(());
        }
    }
}

/// One coding of a body.
struct Stage {
    form: Form,
    started: bool,
    made: u64,
}

enum Form {
    Gzip(Member),
    /// `deflate` means zlib (RFC 9110 §8.4.1.2), but servers send it raw as well: the first two
    /// bytes tell. Until they are there they are kept.
    Unknown(Vec<u8>),
    Deflate {
        inflate: Decompress,
        ended: bool,
    },
}

impl Stage {
    const fn new(form: Form) -> Self {
        Self { form, started: false, made: 0 }
    }

    const fn name(&self) -> &'static str {
        match self.form {
            Form::Gzip(_) => "gzip",
            Form::Unknown(_) | Form::Deflate { .. } => "deflate",
        }
    }

    const fn is_complete(&self) -> bool {
        match &self.form {
            Form::Gzip(member) => member.is_complete(),
            Form::Unknown(_) => false,
            Form::Deflate { ended, .. } => *ended,
        }
    }

    /// Decodes a piece. `false` when the input is used up and nothing more would come out.
    fn step(&mut self, input: &mut &[u8], out: &mut Vec<u8>, caps: Caps) -> Result<bool, Error> {
        self.started |= !input.is_empty();
        let before = out.len();
        let more = match &mut self.form {
            Form::Unknown(start) => {
                let Some((&first, rest)) = input.split_first() else { return Ok(false) };
                start.push(first);
                *input = rest;
                if let [first, second, ..] = start[..] {
                    let zlib = first & 0x0f == 8
                        && (u16::from(first) << 8 | u16::from(second)).is_multiple_of(31);
                    let mut inflate = Decompress::new(zlib);
                    let mut head = start.as_slice();
                    let ended = inflate_some(&mut inflate, &mut head, out)? == Progress::Ended;
                    self.form = Form::Deflate { inflate, ended };
                }
                true
            }
            Form::Deflate { ended: true, .. } if !input.is_empty() => {
                return Err(bad("bytes behind the end of the deflate body".into()));
            }
            Form::Deflate { ended: true, .. } => false,
            Form::Deflate { inflate, ended } => match inflate_some(inflate, input, out)? {
                Progress::Ended => {
                    *ended = true;
                    true
                }
                Progress::Full => true,
                Progress::NeedInput => false,
            },
            Form::Gzip(member) => gzip_some(member, input, out)?,
        };
        self.made = self.made.saturating_add(len(out.get(before..).unwrap_or_default()));
        caps.check(self.made)?;
        Ok(more)
    }
}

fn gzip_some(member: &mut Member, input: &mut &[u8], out: &mut Vec<u8>) -> Result<bool, Error> {
    match member.part(input).map_err(|fault| bad(fault.into()))? {
        Part::NeedInput => Ok(false),
        Part::Deflate(inflate) => {
            let before = out.len();
            let progress = inflate_some(inflate, input, out)?;
            member.count(out.get(before..).unwrap_or_default());
            match progress {
                Progress::Ended => {
                    member.end_deflate();
                    Ok(true)
                }
                Progress::Full => Ok(true),
                Progress::NeedInput => Ok(false),
            }
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

/// Inflates into room for one piece at the end of `out`.
fn inflate_some(
    inflate: &mut Decompress,
    input: &mut &[u8],
    out: &mut Vec<u8>,
) -> Result<Progress, Error> {
    if out.capacity().saturating_sub(out.len()) < PIECE_BYTES {
        // At least doubles, so that a long body is not moved once for every piece.
        out.reserve(PIECE_BYTES);
    }
    let (taken, made) = (inflate.total_in(), out.len());
    let status = inflate
        .decompress_vec(input, out, FlushDecompress::None)
        .map_err(|error| bad("the deflate data is malformed".into()).because(error))?;
    let used = usize::try_from(inflate.total_in().saturating_sub(taken)).unwrap_or(usize::MAX);
    *input = input.get(used..).unwrap_or_default();
    match status {
        Status::StreamEnd => Ok(Progress::Ended),
        _ if out.len() == out.capacity() => Ok(Progress::Full),
        _ if input.is_empty() => Ok(Progress::NeedInput),
        _ if used == 0 && out.len() == made => Err(bad("the deflate data is malformed".into())),
        _ => Ok(Progress::Full),
    }
}

fn len(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

fn bad(detail: String) -> Error {
    Error::new(ErrorKind::Decode, detail).during(Phase::Decoding)
}

/// Room that is made for each piece: what can come out before the caps are looked at, beyond what
/// the vector happens to have room for.
const PIECE_BYTES: usize = 32 << 10;
/// What may come out at any ratio.
const FREE_BYTES: u64 = 1 << 20;

#[cfg(test)]
#[path = "gzip_tests.rs"]
mod tests;
