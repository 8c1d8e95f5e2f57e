//! How long each phase of a request took.

use std::time::Duration;

/// How long each phase of a request took, summed over every hop of a redirect chain.
///
/// A phase that did not happen is zero: a request on a kept connection has neither `dns` nor
/// `connect` nor `tls`.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timings {
    /// From the moment the job was taken off the queue to the moment a worker began it: waiting
    /// for a rate, or for a retry to become due.
    pub queued: Duration,
    /// Looking the host name up.
    pub dns: Duration,
    /// Opening the TCP connection.
    pub connect: Duration,
    /// The TLS handshake.
    pub tls: Duration,
    /// Writing the request.
    pub sending: Duration,
    /// From the last byte written to the end of the response head.
    pub waiting: Duration,
    /// From the end of the head to the end of the body.
    pub receiving: Duration,
    /// Whether the last hop went over a connection that was already open.
    pub reused: bool,
}

impl Timings {
    /// All phases together, without `queued`: what the request's `timeout` is held against.
    #[must_use]
    pub fn total(&self) -> Duration {
        [self.dns, self.connect, self.tls, self.sending, self.waiting, self.receiving]
            .into_iter()
            .fold(Duration::ZERO, Duration::saturating_add)
    }
}
