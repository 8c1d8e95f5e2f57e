//! How long each phase of a request took, and which clock ended it.

use std::time::Duration;

/// How long each phase of a request took, summed over every hop of a redirect chain.
///
/// A phase that did not happen is zero: a request on a kept connection has neither `dns` nor
/// `connect` nor `tls`.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timings {
    /// From the moment the job was taken off the queue to the moment a worker began its last try:
    /// waiting for a retry to become due, or for a rate if another job was faster.
    pub queued: Duration,
    /// Looking the host name up.
    pub dns: Duration,
    /// Opening the TCP connection.
    pub connect: Duration,
    /// The TLS handshake; with an `https` proxy, both.
    pub tls: Duration,
    /// Asking a proxy for the way: CONNECT, or SOCKS.
    pub proxy: Duration,
    /// Writing the request.
    pub sending: Duration,
    /// From the last byte written to the end of the response head.
    pub waiting: Duration,
    /// From the end of the head to the end of the body.
    pub receiving: Duration,
    /// Whether the last hop went over a connection that was already open.
    pub reused: bool,
    /// The clock that ended the request, if one did. The phase it was in is the error's.
    pub expired: Option<Clock>,
}

impl Timings {
    /// All phases together, without `queued`: what the request's `timeout` is held against, but for
    /// time in which a pool's `body_budget` held the body up, which is in `receiving`.
    #[must_use]
    pub fn total(&self) -> Duration {
        [self.dns, self.connect, self.tls, self.proxy, self.sending, self.waiting, self.receiving]
            .into_iter()
            .fold(Duration::ZERO, Duration::saturating_add)
    }
}

/// The time limits that can end a request, by the settings they come from.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Clock {
    /// `timeout`: the whole request.
    Request,
    /// `dns_timeout`: looking the host up.
    Dns,
    /// `connect_timeout`: look-up, every address, a proxy's part and TLS.
    Connect,
    /// `first_byte_timeout`: from the last byte of the request to the first of the response.
    FirstByte,
    /// `stall_timeout`: from one byte to the next.
    Stall,
    /// `low_speed`: too few bytes over its window.
    LowSpeed,
    /// The pool's `deadline`, which covers waiting in the queue, too.
    Deadline,
}

impl Clock {
    /// The name of the setting.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Request => "timeout",
            Self::Dns => "dns_timeout",
            Self::Connect => "connect_timeout",
            Self::FirstByte => "first_byte_timeout",
            Self::Stall => "stall_timeout",
            Self::LowSpeed => "low_speed",
            Self::Deadline => "deadline",
        }
    }
}
