//! How long a thread waits, who may end its wait, and what it means that a wait has failed.

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::time::{Duration, Instant};

use super::deadline::{Deadline, Expired};
use super::interrupt::Interrupt;
use crate::error::{Error, ErrorKind, Phase};

/// How long a thread is ready to wait, and who may end its wait.
#[derive(Clone, Copy)]
pub(crate) struct Patience<'a> {
    pub(crate) deadline: Deadline,
    pub(crate) interrupt: &'a Interrupt,
}

impl Patience<'_> {
    /// The time left, unless it is over or the request is cancelled.
    pub(super) fn left(&self) -> io::Result<Option<Duration>> {
        if self.interrupt.is_raised() {
            return Err(cancelled());
        }
        self.deadline
            .left(Instant::now())
            .map_err(|expired| io::Error::new(io::ErrorKind::TimedOut, expired))
    }

    /// What a failed operation on a socket means.
    pub(super) fn error(
        &self,
        error: io::Error,
        phase: Phase,
        otherwise: ErrorKind,
        detail: impl Into<Cow<'static, str>>,
    ) -> Error {
        let source = error.get_ref();
        let kind = if self.interrupt.is_raised() || source.is_some_and(|s| s.is::<Cancelled>()) {
            return Error::new(ErrorKind::Cancelled, "").during(phase);
        } else if let Some(expired) = source.and_then(|s| s.downcast_ref::<Expired>()) {
            return Error::new(ErrorKind::Timeout, expired.to_string()).during(phase);
        } else if is_tls(&error) {
            ErrorKind::Tls
        } else if matches!(phase, Phase::Sending | Phase::Waiting | Phase::Receiving)
            && is_close(&error)
        {
            ErrorKind::Closed
        } else {
            otherwise
        };
        Error::new(kind, detail).during(phase).because(error)
    }
}

/// Whether the error of a read or a write says that the peer has closed, by a reset or otherwise.
pub(super) fn is_close(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::UnexpectedEof
    )
}

#[cfg(feature = "tls-no-provider")]
fn is_tls(error: &io::Error) -> bool {
    super::tls::fault::is_tls_error(error)
}

#[cfg(not(feature = "tls-no-provider"))]
const fn is_tls(_: &io::Error) -> bool {
    false
}

/// The error of a wait that another thread ended.
pub(super) fn cancelled() -> io::Error {
    io::Error::other(Cancelled)
}

#[derive(Debug)]
struct Cancelled;

impl fmt::Display for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cancelled")
    }
}

impl std::error::Error for Cancelled {}
