//! Asking a queue engine for a job, and what it gives.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::types::Ticket;
use crate::message::Request;

/// What a pool says when it asks for a job. There is a worker free for it: the pool claims no job that
/// would only wait.
///
/// # Examples
///
/// ```
/// use fetchpool::Claim;
/// use std::sync::atomic::{AtomicBool, Ordering};
/// use std::time::Duration;
///
/// let over = AtomicBool::new(false);
/// let want = Claim::new(Duration::from_millis(250)).over(&over);
/// assert!(!want.is_over());
/// over.store(true, Ordering::Release);
/// assert!(want.is_over());
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    wait: Duration,
    over: Option<&'a AtomicBool>,
}

impl<'a> Claim<'a> {
    /// Waits for a job, but no longer than this.
    #[must_use]
    pub const fn new(wait: Duration) -> Self {
        Self { wait, over: None }
    }

    /// Stops waiting when this becomes true, from another thread.
    #[must_use]
    pub const fn over(mut self, over: &'a AtomicBool) -> Self {
        self.over = Some(over);
        self
    }

    /// How long to wait for a job at most. A pool asks for 250 ms, or less where another job becomes
    /// due; with none at all the engine gives what is there.
    #[must_use]
    pub const fn wait(&self) -> Duration {
        self.wait
    }

    /// Whether nobody waits any more: the pool takes no more jobs. An engine that waits in steps
    /// looks here between them, and answers [`Claimed::Empty`].
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.over.is_some_and(|over| over.load(Ordering::Acquire))
    }
}

/// What an engine gives.
#[non_exhaustive]
#[derive(Debug)]
pub enum Claimed {
    /// A job.
    Job(Box<ClaimedJob>),
    /// There was none in time. There may be one later: empty is not closed.
    Empty,
    /// There is none and will be none: the queue was closed, and everything in it is settled.
    Closed,
}

impl From<ClaimedJob> for Claimed {
    fn from(job: ClaimedJob) -> Self {
        Self::Job(Box::new(job))
    }
}

/// One delivery of a job.
///
/// # Examples
///
/// ```
/// use fetchpool::{ClaimedJob, Request, Ticket};
/// use std::time::Duration;
///
/// let job = ClaimedJob::new(Request::get("http://example.com/"), Ticket::new("row 7, version 2"))
///     .key("example.com/2026-11")
///     .delivery(2)
///     .lease(Duration::from_secs(30));
/// assert_eq!(job.number(), 2);
/// ```
#[derive(Debug)]
pub struct ClaimedJob {
    pub(super) request: Request,
    pub(super) ticket: Ticket,
    pub(super) key: Option<String>,
    pub(super) number: u32,
    pub(super) lease: Option<Duration>,
}

impl ClaimedJob {
    /// The first delivery of a job without a key, whose lease has no end.
    pub const fn new(request: Request, ticket: Ticket) -> Self {
        Self { request, ticket, key: None, number: 1, lease: None }
    }

    /// What names the job over all of its deliveries, so that whoever receives it twice can tell.
    #[must_use]
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Which delivery of the job this is, from 1; those that were given back as not tried do not
    /// count.
    #[must_use]
    pub const fn delivery(mut self, number: u32) -> Self {
        self.number = number;
        self
    }

    /// How long the job is ours, from now. Until it is settled it is extended by as much again, each
    /// time that a third has gone by.
    #[must_use]
    pub const fn lease(mut self, lease: Duration) -> Self {
        self.lease = Some(lease);
        self
    }

    /// The request.
    pub const fn request(&self) -> &Request {
        &self.request
    }

    /// What settles this delivery.
    #[must_use]
    pub const fn ticket(&self) -> &Ticket {
        &self.ticket
    }

    /// What names the job over all of its deliveries.
    #[must_use]
    pub fn own_key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// Which delivery of the job this is, from 1.
    #[must_use]
    pub const fn number(&self) -> u32 {
        self.number
    }

    /// How long the job is ours; `None` if that has no end.
    #[must_use]
    pub const fn own_lease(&self) -> Option<Duration> {
        self.lease
    }
}
