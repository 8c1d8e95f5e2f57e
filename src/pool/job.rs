//! A request on its way through the pool.

use std::sync::Arc;
use std::time::Instant;

use super::fetch::Fetched;
use super::job_queue::Delivery;
use super::lanes::Ticket;
use crate::connection::Deadline;
use crate::error::{Attempt, Error};
use crate::message::{Request, Target, Watch};

/// A request that was taken off the queue, with its place in the input.
#[derive(Debug)]
pub(super) struct Job {
    /// Counted from 0 in the order in which the queue gave the jobs.
    pub(super) index: u64,
    /// Shared with the worker that sends it, so that another thread can settle the job while that
    /// one cannot be woken.
    pub(super) request: Arc<Request>,
    /// When the queue gave it.
    pub(super) taken: Instant,
    /// When a worker first began it: what its timeout is counted from, retries and all.
    pub(super) began: Option<Instant>,
    /// When it must be over: known once a worker has begun it.
    pub(super) deadline: Deadline,
    /// How often it has been tried again.
    pub(super) retries: u32,
    /// What its earlier tries came to.
    pub(super) attempts: Vec<Attempt>,
    /// What is wrong with it already: it is answered with this and not sent.
    pub(super) fault: Option<Error>,
    /// Its URL, as it was parsed to find its lane; for the first try, which need not parse it again.
    pub(super) target: Option<Target>,
    /// Its place in its lane, while a worker has it.
    pub(super) ticket: Option<Ticket>,
    /// Of an engine: what it is to be told.
    pub(super) delivery: Option<Delivery>,
}

/// A job that a worker is to run, and whether one more worker should be started beside that one.
pub(super) struct Taken {
    pub(super) job: Box<Job>,
    /// When it was taken out for the worker.
    pub(super) at: Instant,
    pub(super) start_another: bool,
    /// To be dropped where no lock is held.
    pub(super) watch: Option<Watch>,
}

impl Job {
    /// What a source gave, at this place in the input.
    pub(super) fn fetched(index: u64, fetched: Fetched, taken: Instant) -> Self {
        let Fetched { request, fault, target, delivery } = fetched;
        Self { fault, target, delivery, ..Self::shared(index, request, taken) }
    }

    /// What it was made of.
    pub(super) fn into_fetched(self) -> Fetched {
        let Self { request, fault, target, delivery, .. } = self;
        Fetched { request, fault, target, delivery }
    }

    pub(super) fn new(index: u64, request: Request, taken: Instant) -> Self {
        Self::shared(index, Arc::new(request), taken)
    }

    fn shared(index: u64, request: Arc<Request>, taken: Instant) -> Self {
        let deadline = Deadline::never();
        let attempts = Vec::new();
        Self {
            index,
            request,
            taken,
            began: None,
            deadline,
            retries: 0,
            attempts,
            fault: None,
            target: None,
            ticket: None,
            delivery: None,
        }
    }
}
