//! The contract between a pool and a queue engine.

use std::sync::Arc;
use std::time::Duration;

use super::claim::{Claim, Claimed};
use super::fault::QueueError;
use super::types::{Depth, Lease, Nack, Settled, Submitted, Ticket};
use crate::message::Request;

/// A queue engine: jobs that several processes share, in Redis Streams, a database with `SKIP
/// LOCKED`, SQS, NATS, or, as [`MemoryQueue`](crate::MemoryQueue), in this one.
///
/// ```text
///            claim                            ack ──▶ gone
///  ready ───────────▶ leased ── settle it by  nack Retry   ──▶ delayed ──▶ ready (counted)
///    ▲                  │                     nack Release ──▶ delayed ──▶ ready (not counted)
///    └── lease runs out ┘                     nack Dead    ──▶ kept aside
/// ```
///
/// # At least once
///
/// That is what is promised: a job comes again when its lease has run out, its process died, or the
/// acknowledgement was lost on its way, *although it may have been done*. A request that changes
/// something should therefore carry a key, which stays the same over all deliveries and can be sent as
/// `Idempotency-Key` ([`QueueOptions::send_idempotency_key`](crate::QueueOptions)): so the server
/// can tell.
///
/// # Rules
///
/// - *Empty is not closed.* A claim that found nothing in time answers [`Claimed::Empty`];
///   [`Claimed::Closed`] only when [`close`](Self::close) was called and everything is settled. A
///   queue that others fill as well has no end by itself, and need not know a closed state.
/// - *A ticket is for one delivery.* With an old one, settling answers [`Settled::Stale`], extending
///   [`Lease::Lost`]: answers, not errors, and they change nothing.
/// - *No call may wait for long.* A claim waits as long as [`Claim::wait`] says, in steps of no more
///   than a second if [`Claim::is_over`] cannot wake it. The pool does not wait for an engine
///   that hangs, when it is dropped; but an outcome may be held up by it.
/// - Calls come from several threads at once. A panic is caught, and counts as an error.
/// - What comes out of a queue that others can write to is input: an engine that makes requests of
///   bytes caps their size, and takes no file paths from them.
///
/// With the feature `conformance` these are tests for an engine of one's own.
///
/// # Examples
///
/// An engine that has one job, and forgets it when it is given:
///
/// ```
/// use fetchpool::{
///     Claim, Claimed, ClaimedJob, JobQueue, Lease, Nack, QueueError, Request, Settled, Ticket,
/// };
/// use std::sync::Mutex;
/// use std::time::Duration;
///
/// struct Single(Mutex<Option<Request>>);
///
/// impl JobQueue for Single {
///     fn claim(&self, _want: &Claim<'_>) -> Result<Claimed, QueueError> {
///         let taken = self.0.lock().map_err(|_| QueueError::permanent("poisoned"))?.take();
///         Ok(taken.map_or(Claimed::Closed, |job| ClaimedJob::new(job, Ticket::new("1")).into()))
///     }
///
///     fn ack(&self, _ticket: &Ticket) -> Result<Settled, QueueError> {
///         Ok(Settled::Done)
///     }
///
///     fn nack(&self, _ticket: &Ticket, _nack: Nack) -> Result<Settled, QueueError> {
///         Ok(Settled::Done)
///     }
///
///     fn extend(&self, _ticket: &Ticket, by: Duration) -> Result<Lease, QueueError> {
///         Ok(Lease::Held(by))
///     }
///
///     fn close(&self) {}
/// }
///
/// let queue = Single(Mutex::new(Some(Request::get("http://example.com/"))));
/// assert!(matches!(queue.claim(&Claim::new(Duration::ZERO)), Ok(Claimed::Job(_))));
/// assert!(matches!(queue.claim(&Claim::new(Duration::ZERO)), Ok(Claimed::Closed)));
/// ```
pub trait JobQueue: Send + Sync {
    /// Takes the next job, and leases it to the caller; waits for one as long as `want` says.
    ///
    /// # Errors
    ///
    /// A [temporary](QueueError::temporary) one is tried again; any other ends the pool.
    fn claim(&self, want: &Claim<'_>) -> Result<Claimed, QueueError>;

    /// The job is done, and is not to come again.
    ///
    /// # Errors
    ///
    /// The engine could not be asked: after a temporary error the pool tries some times more.
    fn ack(&self, ticket: &Ticket) -> Result<Settled, QueueError>;

    /// The job is not done.
    ///
    /// # Errors
    ///
    /// As of [`ack`](Self::ack).
    fn nack(&self, ticket: &Ticket, nack: Nack) -> Result<Settled, QueueError>;

    /// Makes the lease last as long as `by`, from now.
    ///
    /// # Errors
    ///
    /// The engine could not be asked: the pool asks again, and takes the lease for lost when it
    /// must have run out.
    fn extend(&self, ticket: &Ticket, by: Duration) -> Result<Lease, QueueError>;

    /// Puts a job into the queue, under a key of the caller's if there is one. A pool does not call
    /// this.
    ///
    /// # Errors
    ///
    /// Where others fill the queue it is [unsupported](QueueError::unsupported), which is the
    /// default; a queue that is closed refuses with a permanent error.
    fn submit(&self, request: Request, key: Option<&str>) -> Result<Submitted, QueueError> {
        let _ = (request, key);
        Err(QueueError::unsupported())
    }

    /// Takes no more jobs in. Those that are there can still be claimed; after the last one is
    /// settled, claims answer [`Claimed::Closed`], those that wait just now, too. A pool does not call
    /// this: the queue may be others' as well.
    fn close(&self);

    /// How much there is in the queue, if the engine can tell. Default: it cannot.
    fn depth(&self) -> Option<Depth> {
        None
    }
}

impl<Q: JobQueue + ?Sized> JobQueue for Arc<Q> {
    fn claim(&self, want: &Claim<'_>) -> Result<Claimed, QueueError> {
        (**self).claim(want)
    }

    fn ack(&self, ticket: &Ticket) -> Result<Settled, QueueError> {
        (**self).ack(ticket)
    }

    fn nack(&self, ticket: &Ticket, nack: Nack) -> Result<Settled, QueueError> {
        (**self).nack(ticket, nack)
    }

    fn extend(&self, ticket: &Ticket, by: Duration) -> Result<Lease, QueueError> {
        (**self).extend(ticket, by)
    }

    fn submit(&self, request: Request, key: Option<&str>) -> Result<Submitted, QueueError> {
        (**self).submit(request, key)
    }

    fn close(&self) {
        (**self).close();
    }

    fn depth(&self) -> Option<Depth> {
        (**self).depth()
    }
}
