//! What became of a response's body.

use std::path::{Path, PathBuf};

use super::Response;

/// What became of a body, wherever it went.
#[derive(Clone, Debug, Default)]
pub(crate) struct Received {
    /// Decoded bytes.
    pub(crate) len: u64,
    pub(crate) saved_to: Option<PathBuf>,
    pub(crate) resumed_from: Option<u64>,
    /// It broke off.
    pub(crate) partial: bool,
    /// Some of it went to code of the caller's, which would see it twice if it came again.
    pub(crate) handed_over: bool,
}

impl Received {
    /// A whole body in memory.
    pub(crate) fn in_memory(body: &[u8]) -> Self {
        Self { len: u64::try_from(body.len()).unwrap_or(u64::MAX), ..Self::default() }
    }
}

impl Response {
    /// How many bytes of body came, content codings undone, wherever they went: to memory, a file,
    /// a writer, a function, or nowhere (then as they came). Of a download that was resumed, those
    /// of the rest.
    #[must_use]
    pub const fn body_len(&self) -> u64 {
        self.0.received.len
    }

    /// The file that has the body, where it went to one: [`Receive::file`](super::Receive::file).
    #[must_use]
    pub fn saved_to(&self) -> Option<&Path> {
        self.0.received.saved_to.as_deref()
    }

    /// How many bytes of the file were there before, where an earlier download was gone on with:
    /// [`Receive::resumable_file`](super::Receive::resumable_file). The status is 206 then.
    #[must_use]
    pub const fn resumed_from(&self) -> Option<u64> {
        self.0.received.resumed_from
    }

    /// Whether the body broke off, or was refused: then this is the response of an
    /// [`Error`](crate::Error), and has what arrived until then.
    #[must_use]
    pub const fn is_partial(&self) -> bool {
        self.0.received.partial
    }

    pub(crate) const fn was_handed_over(&self) -> bool {
        self.0.received.handed_over
    }
}
