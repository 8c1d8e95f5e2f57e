//! A body under one or more of gzip and deflate, and what may come out of it.

use super::stage::Stage;
use crate::error::{Error, ErrorKind, Phase};
use crate::session::body::{most_coded, too_large};
use crate::wire::{Limits, ResponseHead};

/// Undoes the content codings of one body.
pub(crate) struct Decoder {
    /// Outermost first: what was applied last is undone first.
    stages: Vec<Stage>,
    caps: Caps,
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
        if head.status == 206 {
            return Ok(None);
        }
        let limit = limits.codings.min(MOST_STAGES);
        let mut stages = Vec::new();
        let fields = head.headers.get_all("content-encoding");
        for name in fields.flat_map(|value| value.split(',')).map(str::trim) {
            let is = |known: &str| name.eq_ignore_ascii_case(known);
            if is("gzip") || is("x-gzip") {
                stages.push(Stage::gzip());
            } else if is("deflate") {
                stages.push(Stage::deflate());
            } else if !is("identity") && !name.is_empty() {
                return Ok(None);
            }
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
        Ok((!stages.is_empty()).then_some(Self { stages, caps, taken: 0, drained: true }))
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
        self.caps.check(&self.stages, self.taken)?;
        Ok((made, more || !input.is_empty()))
    }

    /// How many bytes may go in at once: as many as can break no cap on the way, whatever they
    /// hold, or else one, behind which the caps are looked at. So it does not matter for the ratio
    /// how many of them come together.
    fn share(&self, available: usize) -> usize {
        let most = u32::try_from(self.stages.len()).ok();
        let most = most.and_then(|stages| MOST_OF_A_BYTE.checked_pow(stages)).unwrap_or(u64::MAX);
        let made = self.stages.iter().map(Stage::made).max().unwrap_or_default();
        let safe = self.caps.by_ratio(self.taken).saturating_sub(made) / most;
        usize::try_from(safe).unwrap_or(usize::MAX).max(1).min(available)
    }

    /// The body is over. An error if a coded body is not: a part is never handed over as a whole.
    /// A body of no bytes at all is empty in any coding.
    pub(crate) fn finish(&self) -> Result<(), Error> {
        match self.stages.iter().find(|stage| stage.is_broken_off()) {
            Some(stage) => {
                let detail = format!("the {} body ends before its end", stage.name());
                Err(Error::new(ErrorKind::Decode, detail).during(Phase::Decoding))
            }
            None => Ok(()),
        }
    }
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
    fn check(&self, stages: &[Stage], taken: u64) -> Result<(), Error> {
        let Some((_, outer)) = stages.split_last() else { return Ok(()) };
        let coded = outer.iter().map(Stage::made).chain([taken]);
        if coded.max() > Some(most_coded(self.body)) {
            return Err(too_large(self.body));
        }
        if stages.iter().any(|stage| stage.made() > self.by_ratio(taken)) {
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
/// The most that a byte of deflate can become: four matches of 258 bytes, for each has a code word
/// of a bit or more for its length and another for its distance, and what of the first came before
/// is less than all of it.
const MOST_OF_A_BYTE: u64 = 4 * 258;

#[cfg(test)]
#[path = "gzip_tests.rs"]
mod tests;
