//! What is sent, and what comes of it.

use std::time::{Duration, Instant};

use super::feed::Payload;
use crate::error::Error;
use crate::wire::{Exchange, Limits, RequestKind, ResponseHead};

/// A request as bytes.
pub(crate) struct Outgoing<'a> {
    pub(crate) kind: RequestKind,
    pub(crate) head: &'a [u8],
    /// How long the peer may take to say that it wants the body, where the head asks for that.
    pub(crate) wait: Option<Duration>,
    pub(crate) body: Payload<'a>,
    /// Since when it has been on its way out.
    pub(crate) since: Instant,
}

/// A response whose head has been read and whose body has not.
pub(crate) struct Answer {
    pub(crate) head: ResponseHead,
    pub(crate) exchange: Exchange,
    /// Whether the peer waited for the whole request. If it did not, what is left of the request
    /// stands in the way of the next one.
    pub(crate) sent_whole: bool,
    /// When what there is of it had come: its head, or the end of its body. Of one that is awaited, since
    /// when.
    pub(crate) at: Instant,
}

impl Answer {
    /// The place for an answer that is still to come. It is large, and made where it stays.
    pub(crate) const fn awaited(limits: &Limits, now: Instant) -> Self {
        Self {
            head: ResponseHead::NONE,
            exchange: Exchange::new(RequestKind::Other, limits),
            sent_whole: false,
            at: now,
        }
    }
}

/// Why there is no answer.
pub(crate) struct Failure {
    pub(crate) error: Error,
    /// The connection had served before, and was closed before a byte of an answer came: the
    /// peer most likely closed it while it was idle, and never saw the request.
    pub(crate) went_stale: bool,
}
