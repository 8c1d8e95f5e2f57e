//! How a pool treats the jobs of a queue engine.

use std::time::Duration;

/// When the engine is told what became of a job.
///
/// A response, with whatever status, is [acknowledged](crate::JobQueue::ack); what becomes of an
/// exception says [`QueueOptions`].
///
/// A queue that was closed has come to its end when every job of it is settled, and not before that
/// the pool has. So unless it is `Completed`, outcomes must be read, and settled, as they come, by
/// [`outcomes`](crate::Pool::outcomes): whoever reads all responses before the exceptions, keeps
/// every delivery until the end, or begins with [`join_all`](crate::Pool::join_all), may wait for
/// himself, and for ever. [`close`](crate::Pool::close) or
/// [`stop_when_idle`](QueueOptions::stop_when_idle) end the pool all the same.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AckOn {
    /// When the request is over, before the outcome can be read. What the program has not read when
    /// it dies is lost. The default: nothing else needs the outcomes to be read.
    #[default]
    Completed,
    /// When a view of the pool gives the outcome to the caller, on the caller's thread. What was
    /// not read when the pool is dropped is given back.
    Delivered,
    /// When the caller says so, by the outcome's [`Delivery`](crate::Delivery): after it was stored,
    /// say. The lease is extended until then; a delivery that is dropped unsettled is left to its
    /// lease, and comes again. What was not read when the pool is dropped is given back.
    Consumer,
}

/// How a pool treats the jobs of a queue engine: [`PoolBuilder::queue`](crate::PoolBuilder::queue).
///
/// What becomes of a job whose outcome is an exception, after the pool's own retries:
///
/// - One that can never be sent (kinds `invalid_url` and `invalid_request`), or whose own token was
///   cancelled, is a dead letter at once.
/// - One that was never begun, since the pool has ended, is released: it does not count as
///   delivered. One that a circuit breaker held back before its first try is released, too, to come
///   again after [`retry_after`](Self::retry_after).
/// - Any other is given back, to come again after `retry_after`, or at once if the pool has ended; but
///   is a dead letter if it was delivered [`max_deliveries`](Self::max_deliveries) times.
/// - One that cannot be repeated, and may have reached a server, is a dead letter instead of
///   going back: see [`allow_unsafe_redelivery`](Self::allow_unsafe_redelivery).
/// - One whose lease was lost is somebody else's: nothing is said of it.
///
/// # Examples
///
/// ```
/// use fetchpool::{AckOn, MemoryQueue, Pool, QueueOptions};
/// use std::time::Duration;
///
/// let options = QueueOptions::new()
///     .ack_on(AckOn::Delivered)
///     .max_deliveries(3)
///     .stop_when_idle(Duration::from_millis(50));
/// let pool = Pool::builder().queue(MemoryQueue::new(), options).build()?;
/// assert_eq!(pool.outcomes().count(), 0); // there was nothing in it
/// # Ok::<(), fetchpool::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct QueueOptions {
    pub(super) ack_on: AckOn,
    pub(super) max_deliveries: u32,
    pub(super) retry_after: Duration,
    pub(super) sends_key: bool,
    pub(super) unsafe_redelivery: bool,
    pub(super) idle: Option<Duration>,
}

impl QueueOptions {
    /// The defaults.
    pub const fn new() -> Self {
        Self {
            ack_on: AckOn::Completed,
            max_deliveries: MAX_DELIVERIES,
            retry_after: RETRY_AFTER,
            sends_key: false,
            unsafe_redelivery: false,
            idle: None,
        }
    }

    /// When the engine is told. Default: [`AckOn::Completed`].
    pub const fn ack_on(mut self, when: AckOn) -> Self {
        self.ack_on = when;
        self
    }

    /// How often a job is delivered before it is a dead letter. Default: 5. One that comes more
    /// often, since whoever had it died, is not sent any more, and its outcome says so. 0 is an
    /// error when the pool is built.
    pub const fn max_deliveries(mut self, deliveries: u32) -> Self {
        self.max_deliveries = deliveries;
        self
    }

    /// How long a job rests that is given back. Default: 10 seconds. A server that asks for longer, by
    /// `Retry-After` on a status that is an exception, gets up to an hour.
    pub const fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = wait;
        self
    }

    /// Whether a job's key is sent along as `Idempotency-Key`, as it is, where the request has no
    /// such field: so the server can tell that it has had the job before
    /// (draft-ietf-httpapi-idempotency-key-header; who wants its quotes puts them into the key).
    /// Default: no.
    pub const fn send_idempotency_key(mut self, send: bool) -> Self {
        self.sends_key = send;
        self
    }

    /// Whether a job is given back although a server may have had it, and it does more when it is sent
    /// twice than once (RFC 9110 §9.2.2: POST and PATCH, say), and no `Idempotency-Key` went with
    /// it. Default: no, it is a dead letter then. That an engine delivers it anew when its lease
    /// has run out cannot be kept from here.
    pub const fn allow_unsafe_redelivery(mut self, allow: bool) -> Self {
        self.unsafe_redelivery = allow;
        self
    }

    /// Ends the pool when the queue has been empty for so long, and the pool has no job of it that
    /// runs. Default: it goes on until the queue is closed, and one that others fill never is.
    pub const fn stop_when_idle(mut self, time: Duration) -> Self {
        self.idle = Some(time);
        self
    }

    /// Whether no job could ever be sent.
    pub(in crate::pool) const fn is_impossible(&self) -> bool {
        self.max_deliveries == 0
    }
}

impl Default for QueueOptions {
    fn default() -> Self {
        Self::new()
    }
}

/// As many as are usual for the redrive of a queue.
const MAX_DELIVERIES: u32 = 5;
const RETRY_AFTER: Duration = Duration::from_secs(10);
