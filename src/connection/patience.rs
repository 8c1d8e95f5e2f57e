//! How long a thread waits, who may end its wait, and what it means that a wait has failed.

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::time::{Duration, Instant};

use super::deadline::{Deadline, Expired};
use super::flow::Flow;
use super::interrupt::Interrupt;
use crate::error::{Error, ErrorKind, Phase};

/// How long a thread is ready to wait, and who may end its wait.
#[derive(Clone, Copy)]
pub(crate) struct Patience<'a> {
    /// The request's own, or that of the phase it is in.
    pub(crate) deadline: Deadline,
    /// That of all requests together. It goes on where the other one is held up.
    pub(crate) batch: Deadline,
    /// How the bytes of the exchange must move.
    pub(crate) flow: &'a Flow,
    pub(crate) interrupt: &'a Interrupt,
}

impl Patience<'_> {
    /// The same, but for one phase that must be over earlier.
    pub(crate) fn but(self, deadline: Deadline) -> Self {
        Self { deadline: self.deadline.or_earlier(deadline), ..self }
    }

    /// The same, after a time in which the request was kept from going on, by us.
    pub(super) fn after_pause(self, pause: Duration) -> Self {
        self.flow.pause(pause);
        Self { deadline: self.deadline.later_by(pause), ..self }
    }

    /// The time left, unless it is over or the request is cancelled.
    pub(super) fn left(&self) -> io::Result<Option<Duration>> {
        self.check_interrupt()?;
        let now = Instant::now();
        let left = self.deadline.left(now).map_err(expired)?;
        let batch = self.batch.left(now).map_err(expired)?;
        let flow = self.flow.left(now).map_err(expired)?;
        Ok([left, batch, flow].into_iter().flatten().min())
    }

    /// An error if the time is over or the request is cancelled, for what is work of ours and moves
    /// no bytes.
    pub(super) fn check(&self, phase: Phase) -> Result<(), Error> {
        let now = Instant::now();
        self.check_interrupt()
            .and_then(|()| self.deadline.left(now).map_err(expired))
            .and_then(|_| self.batch.left(now).map_err(expired))
            .map(drop)
            .map_err(|error| self.error(error, phase, ErrorKind::Io, ""))
    }

    /// The time left for a wait that is ours and not the peer's: only what all requests have
    /// together counts.
    pub(crate) fn left_for_pause(&self) -> Result<Option<Duration>, Error> {
        self.check_interrupt()
            .and_then(|()| self.batch.left(Instant::now()).map_err(expired))
            .map_err(|error| self.error(error, Phase::Receiving, ErrorKind::Io, ""))
    }

    /// The share of the time left for one of `parts` equal parts, this one among them.
    pub(super) fn share(&self, parts: usize) -> io::Result<Option<Duration>> {
        let parts = u32::try_from(parts.max(1)).unwrap_or(u32::MAX);
        Ok(self.left()?.map(|left| (left / parts).max(Duration::from_nanos(1))))
    }

    fn check_interrupt(&self) -> io::Result<()> {
        if self.interrupt.is_raised() { Err(cancelled()) } else { Ok(()) }
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
            return Error::expired(expired.clock, expired.to_string()).during(phase);
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
pub(in crate::connection) fn is_close(error: &io::Error) -> bool {
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

fn expired(expired: Expired) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, expired)
}

#[derive(Debug)]
struct Cancelled;

impl fmt::Display for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cancelled")
    }
}

impl std::error::Error for Cancelled {}
