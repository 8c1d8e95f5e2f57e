//! A body under one or more codings, and what may come out of it.

#[cfg(feature = "brotli")]
use super::brotli::Brotli;
#[cfg(feature = "gzip")]
use super::inflate::{Deflate, Gzip};
use super::stage::{Coding, Stage};
#[cfg(feature = "zstd")]
use super::zstd::Zstd;
use crate::error::{Error, ErrorKind, Phase};
use crate::session::body::{most_coded, too_large};
use crate::wire::{Limits, ResponseHead};

/// Undoes the content codings of one body.
pub(crate) struct Decoder {
    /// Outermost first: what was applied last is undone first.
    stages: Vec<Stage>,
    caps: Caps,
    /// After how many bytes that went in the ratio is looked at.
    stride: u64,
    /// Bytes of the body that went in.
    taken: u64,
    /// All that they are has come out.
    drained: bool,
}

impl Decoder {
    /// The decoder for a response: `None` if its body is to be handed over as it came, because it
    /// is not coded, or in a way that was not asked for and we do not know.
    ///
    /// A part of a coded body (206) is not a coded body: it is handed over as it came, too.
    pub(crate) fn for_head(head: &ResponseHead, limits: &Limits) -> Result<Option<Self>, Error> {
        // Most bodies are not coded, and that is soon seen.
        if head.status == 206 || !head.headers.contains("content-encoding") {
            return Ok(None);
        }
        let limit = limits.codings.min(MOST_STAGES);
        let mut stages = Vec::new();
        let fields = head.headers.get_all("content-encoding");
        for name in fields.flat_map(|value| value.split(',')).map(str::trim) {
            if name.is_empty() || name.eq_ignore_ascii_case("identity") {
                continue;
            }
            let Some(coding) = coding(name) else { return Ok(None) };
            stages.push(Stage::new(coding));
            if stages.len() > limit {
                return Err(Error::new(
                    ErrorKind::TooLarge,
                    format!("the body has more content codings than the limit codings of {limit}"),
                )
                .during(Phase::Decoding));
            }
        }
        stages.reverse();
        let caps = Caps { body: limits.body_bytes, ratio: u64::from(limits.decompression_ratio) };
        let stride = if most_of_a_byte(&stages).is_some() { 1 } else { STRIDE };
        Ok((!stages.is_empty()).then_some(Self { stages, caps, stride, taken: 0, drained: true }))
    }

    /// Decodes some bytes in front of the input into the room: how many came out, and whether
    /// there is more to come of this input. It is a little work at a time, so that the caller can
    /// look at the clock in between.
    pub(crate) fn push(
        &mut self,
        input: &mut &[u8],
        room: &mut [u8],
    ) -> Result<(usize, bool), Error> {
        // Nothing more goes in before all has come out: what a byte becomes is then the same
        // wherever the input was cut, and so is the ratio.
        let share = if self.drained { self.share(input.len()) } else { 0 };
        let (mut now, _) = input.split_at_checked(share).unwrap_or_default();
        let (made, more) = run(&mut self.stages, &mut now, room)?;
        let used = share.saturating_sub(now.len());
        *input = input.get(used..).unwrap_or_default();
        self.taken = self.taken.saturating_add(u64::try_from(used).unwrap_or(u64::MAX));
        self.drained = !more;
        self.caps.check(&self.stages, self.taken, self.taken.next_multiple_of(self.stride))?;
        Ok((made, more || !input.is_empty()))
    }

    /// How many bytes may go in at once: as many as can break no cap on the way, whatever they
    /// hold, or else one, behind which the caps are looked at; or as many as there are up to the
    /// next place where they are looked at. So it does not matter for the ratio how many of them
    /// come together.
    fn share(&self, available: usize) -> usize {
        let share = match most_of_a_byte(&self.stages) {
            Some(most) => {
                let made = self.stages.iter().map(Stage::made).max().unwrap_or_default();
                let safe = self.caps.by_ratio(self.taken).saturating_sub(made);
                safe.checked_div(most).unwrap_or_default().max(1)
            }
            None => self.stride.saturating_sub(self.taken % self.stride),
        };
        usize::try_from(share).unwrap_or(usize::MAX).min(available)
    }

    /// The body is over. An error if a coded body is not: a part is never handed over as a whole.
    /// A body of no bytes at all is empty in any coding.
    pub(crate) fn finish(&self) -> Result<(), Error> {
        self.caps.check(&self.stages, self.taken, self.taken)?;
        match self.stages.iter().find(|stage| stage.is_broken_off()) {
            Some(stage) => {
                let detail = format!("the {} body ends before its end", stage.name());
                Err(Error::new(ErrorKind::Decode, detail).during(Phase::Decoding))
            }
            None => Ok(()),
        }
    }
}

/// The coding of this name, if it is one that can be undone.
fn coding(name: &str) -> Option<Box<dyn Coding>> {
    let is = |known: &str| name.eq_ignore_ascii_case(known);
    #[cfg(feature = "gzip")]
    if is("gzip") || is("x-gzip") {
        return Some(Box::new(Gzip::new()));
    } else if is("deflate") {
        return Some(Box::new(Deflate::new()));
    }
    #[cfg(feature = "brotli")]
    if is("br") {
        return Some(Box::new(Brotli::new()));
    }
    #[cfg(feature = "zstd")]
    if is("zstd") {
        return Some(Box::new(Zstd::new()));
    }
    None
}

/// How many bytes one byte of the body can become at most, if that can be said.
fn most_of_a_byte(stages: &[Stage]) -> Option<u64> {
    stages.iter().try_fold(1_u64, |most, stage| Some(most.saturating_mul(stage.most_of_a_byte()?)))
}

/// Lets one stage do a piece of its work: how many bytes came out of the last one, and whether
/// there is more to come of this input.
fn run(stages: &mut [Stage], input: &mut &[u8], room: &mut [u8]) -> Result<(usize, bool), Error> {
    match stages.split_first_mut() {
        None => Ok((0, false)),
        Some((last, [])) => last.step(input, room),
        Some((stage, inner)) => {
            // What has come out goes on before more comes out.
            let mut piece = stage.piece();
            let (made, more) = run(inner, &mut piece, room)?;
            let left = piece.len();
            stage.keep(left);
            if more || made > 0 {
                return Ok((made, true));
            }
            let more = stage.refill(input)?;
            Ok((0, more || !stage.piece().is_empty()))
        }
    }
}

/// What may come out.
struct Caps {
    /// Of the last stage. Who gives the room sees to that; here only to what is coded still.
    body: u64,
    /// For each byte that went in, of any stage.
    ratio: u64,
}

impl Caps {
    /// `taken` bytes went in, and `counted` of them are counted for the ratio.
    fn check(&self, stages: &[Stage], taken: u64, counted: u64) -> Result<(), Error> {
        let Some((_, outer)) = stages.split_last() else { return Ok(()) };
        let coded = outer.iter().map(Stage::made).chain([taken]);
        if coded.max() > Some(most_coded(self.body)) {
            return Err(too_large(self.body));
        }
        if stages.iter().any(|stage| stage.made() > self.by_ratio(counted)) {
            return Err(Error::new(
                ErrorKind::TooLarge,
                format!(
                    "{taken} bytes decode to more than the limit decompression_ratio of {} to 1",
                    self.ratio
                ),
            )
            .during(Phase::Decoding));
        }
        Ok(())
    }

    fn by_ratio(&self, taken: u64) -> u64 {
        taken.saturating_mul(self.ratio).max(FREE_BYTES)
    }
}

/// How many codings a body may have at most, whatever the limit says: each has a window in memory,
/// and a frame on the stack while a piece is decoded.
const MOST_STAGES: usize = 16;
/// What may come out at any ratio.
const FREE_BYTES: u64 = 1 << 20;
/// A byte of brotli or of zstd may become megabytes, so that hardly any could go in together. With
/// them the ratio is looked at behind so many bytes, always the same ones, and at the end. In
/// between it may be exceeded by what is free at the default ratio. Fewer would cost time: their
/// decoders are slow with little input.
const STRIDE: u64 = 1 << 10;

#[cfg(all(test, feature = "gzip"))]
#[path = "gzip_tests.rs"]
mod tests;
