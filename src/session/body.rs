//! Takes a response's body in: to memory, or through a fixed buffer to where the caller wants it,
//! decoded, under the limits.
//!
//! ```text
//! connection ── Collect ──────────────────────▶ memory
//! connection ── Through ── Outlet ─┬─ Output ─▶ file
//!                                  ├──────────▶ writer or function of the caller's
//!                                  └──────────▶ nowhere
//! ```

mod collect;
mod discard;
mod outlet;
mod output;
mod part;
mod through;

use std::time::Duration;

pub(super) use self::collect::Collect;
pub(super) use self::discard::Discard;
pub(super) use self::outlet::Outlet;
pub(super) use self::output::Output;
pub(super) use self::part::{find, read_note, seconds_now};
pub(super) use self::through::Through;
use crate::connection::Patience;
use crate::error::{Error, ErrorKind, Phase};
use crate::wire::Limits;

/// Who gives the memory that bodies are collected in.
pub(crate) trait Allowance {
    /// Takes so much more for the body, and waits until there is so much. How long that took.
    fn take(&self, bytes: u64, patience: &Patience<'_>) -> Result<Duration, Error>;

    /// Sets so much aside for one read that does not wait, if there is plenty.
    fn set_aside(&self, bytes: u64) -> bool;

    /// That read is done: of what was set aside so much is taken for the body, and no more.
    fn settle(&self, aside: u64, bytes: u64);
}

/// How large a body may be where it goes, and the limit that says so.
#[derive(Clone, Copy)]
pub(super) struct Most {
    pub(super) bytes: u64,
    name: &'static str,
}

impl Most {
    pub(super) const fn in_memory(limits: &Limits) -> Self {
        Self { bytes: limits.body_bytes, name: "body_bytes" }
    }

    pub(super) const fn elsewhere(limits: &Limits) -> Self {
        Self { bytes: limits.sink_bytes, name: "sink_bytes" }
    }

    pub(super) fn too_large(self) -> Error {
        let Self { bytes, name } = self;
        let detail = format!("the body is larger than the limit {name} of {bytes} bytes");
        Error::new(ErrorKind::TooLarge, detail).during(Phase::Receiving)
    }

    /// Refuses a body whose announced length says that it is too large.
    pub(super) fn check(self, length: Option<u64>, is_coded: bool) -> Result<(), Error> {
        let most = if is_coded { most_coded(self.bytes) } else { self.bytes };
        match length.filter(|length| *length > most) {
            Some(length) => Err(self.too_large().because(format!("Content-Length is {length}"))),
            None => Ok(()),
        }
    }
}

/// How large a body may be that is still to be decoded: larger than what it becomes, but not by
/// much. What never becomes anything, a header without end or one empty member behind another, has
/// an end by that.
pub(super) const fn most_coded(limit: u64) -> u64 {
    limit.saturating_add(1 << 20)
}

/// The error of a body that is larger than it may be in memory.
pub(super) fn too_large(limit: u64) -> Error {
    Most { bytes: limit, name: "body_bytes" }.too_large()
}
