//! What the rules are tested with: an engine, and steps that say what they missed.

use std::time::{Duration, Instant};

use crate::message::Request;
use crate::pool::job_queue::claim::{Claim, Claimed, ClaimedJob};
use crate::pool::job_queue::contract::JobQueue;
use crate::pool::job_queue::fault::QueueError;
use crate::pool::job_queue::types::{Lease, Nack, Settled, Submitted, Ticket};

/// An engine on the bench.
pub(super) struct Bench<'a> {
    pub(super) queue: &'a dyn JobQueue,
    submit: Option<&'a super::Submit<'a>>,
    pub(super) lease: Duration,
}

/// Whether a rule is kept, and otherwise what was found.
pub(super) type Kept<T = ()> = Result<T, String>;

impl<'a> Bench<'a> {
    pub(super) const fn new(
        queue: &'a dyn JobQueue,
        submit: Option<&'a super::Submit<'a>>,
        lease: Duration,
    ) -> Self {
        Self { queue, submit, lease }
    }

    pub(super) fn try_submit(&self, name: &str) -> Result<Submitted, QueueError> {
        let request = Request::get(format!("http://conformance.invalid/{name}"));
        match self.submit {
            Some(submit) => submit(self.queue, request, Some(name)),
            None => self.queue.submit(request, Some(name)),
        }
    }

    /// Puts a job in, whose key is this name.
    pub(super) fn put(&self, name: &str) -> Kept {
        match self.try_submit(name) {
            Ok(Submitted::New) => Ok(()),
            Ok(other) => Err(format!("a new job was taken for {other:?}")),
            Err(error) => Err(format!("a job could not be submitted: {error}")),
        }
    }

    pub(super) fn claim(&self, wait: Duration) -> Kept<Claimed> {
        self.queue.claim(&Claim::new(wait)).map_err(|error| format!("claim failed: {error}"))
    }

    /// Claims a job that must be there, or come within a lease and the patience.
    pub(super) fn job(&self) -> Kept<Box<ClaimedJob>> {
        let start = Instant::now();
        let limit = self.lease.saturating_add(PATIENCE);
        loop {
            match self.claim(limit.saturating_sub(start.elapsed()))? {
                Claimed::Job(job) => return Ok(job),
                Claimed::Closed => return Err("Closed, where there was a job to claim".into()),
                Claimed::Empty if start.elapsed() >= limit => {
                    return Err(format!("no job in {limit:?}, where there was one to claim"));
                }
                Claimed::Empty => {}
            }
        }
    }

    /// Puts a job in, and claims it.
    pub(super) fn claimed(&self, name: &str) -> Kept<Box<ClaimedJob>> {
        self.put(name)?;
        self.job()
    }

    /// Claims for so long, and must get nothing.
    pub(super) fn nothing_for(&self, time: Duration) -> Kept {
        let start = Instant::now();
        loop {
            let left = time.saturating_sub(start.elapsed());
            match self.claim(left)? {
                Claimed::Job(job) => {
                    return Err(format!(
                        "a job (delivery {}) after {:?}",
                        job.number(),
                        start.elapsed()
                    ));
                }
                // It stays so.
                Claimed::Closed => return Ok(()),
                Claimed::Empty if left.is_zero() => return Ok(()),
                Claimed::Empty => {}
            }
        }
    }

    pub(super) fn ack(&self, ticket: &Ticket) -> Kept<Settled> {
        self.queue.ack(ticket).map_err(|error| format!("ack failed: {error}"))
    }

    pub(super) fn nack(&self, ticket: &Ticket, nack: Nack) -> Kept<Settled> {
        self.queue.nack(ticket, nack).map_err(|error| format!("nack failed: {error}"))
    }

    pub(super) fn extend(&self, ticket: &Ticket) -> Kept<Lease> {
        self.queue.extend(ticket, self.lease).map_err(|error| format!("extend failed: {error}"))
    }
}

/// Says what was found where something else was due.
pub(super) fn expect(kept: bool, found: impl FnOnce() -> String) -> Kept {
    if kept { Ok(()) } else { Err(found()) }
}

/// How long an engine may take for what it should do at once.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
