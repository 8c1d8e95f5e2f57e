//! FLOOR 5: threads and queues. Speaks of sessions and outcomes, never of sockets.
//!
//! ```text
//! queue ─────▶ schedule ──▶ worker 1..n ──▶ claim.finish ──▶ outcome queue ──▶ views ──▶ caller
//!              (lanes) ▲         │
//!                      └─ parked ┘ (a retry that waits)
//! ```

mod batch;
mod budget;
mod builder;
mod claim;
mod crew;
mod engine;
mod fetch;
mod intake;
#[cfg(any(fuzzing, fetchpool_internals))]
pub(crate) mod internals;
mod job;
mod job_queue;
mod lanes;
mod ledger;
mod lists;
mod outbox;
mod outcome;
mod parked;
mod polite;
mod queue;
mod roll;
mod schedule;
mod settled;
mod setup;
mod share;
mod stats;
mod stop;
mod thread;
mod trust;
mod unpulled;
mod views;
mod worker;

use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

pub use self::builder::PoolBuilder;
use self::crew::{Crew, Whole};
#[cfg(feature = "conformance")]
pub use self::job_queue::conformance;
pub use self::job_queue::{
    AckOn, Claim, Claimed, ClaimedJob, DeadLetter, Delivery, Depth, JobQueue, Lease, MemoryQueue,
    Nack, QueueError, QueueOptions, Settled, Submitted, Ticket,
};
pub use self::lists::{Exceptions, Responses};
pub use self::outcome::{Outcome, ThreadException, ThreadResponse};
pub use self::polite::{Adaptive, CircuitBreaker, Politeness};
pub use self::setup::HookResult;
pub use self::stats::Stats;
pub use self::stop::OnError;
use self::stop::Stop;
pub use self::thread::SessionThread;
pub use self::unpulled::Unpulled;
use self::views::{TimedOut, Views, Want};
use crate::message::{CancelToken, OnCancel, Watch};

/// Worker threads that each own a keep-alive [`Session`](crate::Session), and take jobs from one
/// queue.
///
/// ```text
///            taken when a worker is free                 request
/// job queue ────────────────────────────▶ worker 1..n ───────────▶ session
///                                              │                      │
/// caller ◀──── outcomes (bounded queue) ◀──────┴─ response or error ◀─┘
/// ```
///
/// # Guarantees
///
/// - **One outcome for each job.** A response, an error, a time-out, a cancel and a panic of the
///   caller's code all end in one [`Outcome`], which owns the [`Request`](crate::Request) it belongs to.
/// - **Nothing stops early.** [`responses`](Self::responses) and the other views end when the
///   queue is closed and every job has its outcome, not when there is nothing just now.
/// - **Bounded memory.** A job is begun when a worker is free for it and there is room for its
///   outcome: [`outcome_capacity`](PoolBuilder::outcome_capacity) counts them,
///   [`body_budget`](PoolBuilder::body_budget) their bodies,
///   [`look_ahead`](PoolBuilder::look_ahead) and
///   [`waiting_capacity`](PoolBuilder::waiting_capacity) what waits before that. What one view passes
///   over is kept for the other.
/// - **Politeness takes no worker.** What a rate, a limit or a wait before another try holds back
///   waits in the pool, and other origins go on.
/// - **Any order of reading.** Responses before exceptions, exceptions before responses, both from
///   two threads, [`join_all`](Self::join_all) first, or nothing at all: it always ends. A queue
///   engine may want its jobs settled before that: see [`AckOn`].
///
/// Sessions are never shared: no lock is held while a request runs, and a server sees at most as
/// many connections as there are threads. A worker takes first what goes where it has a connection:
/// so there are far fewer of them with many origins.
///
/// # Order
///
/// Outcomes come as they finish, unless [`ordered`](PoolBuilder::ordered) is asked for;
/// [`Outcome::index`] is a job's place in the queue, counted from 0. Where a pool ends early there are
/// gaps: what it had only looked at is handed back.
///
/// # Time
///
/// A request's `timeout` begins when a worker takes the job, and covers everything from then on, the
/// waits before other tries among it; what a rate or a limit made it wait before that is not in it.
/// The pool's [`deadline`](PoolBuilder::deadline) begins when it is built, and covers waiting, too.
///
/// # Examples
///
/// ```no_run
/// use fetchpool::{Pool, Request};
/// use std::sync::mpsc;
///
/// let (jobs, queue) = mpsc::channel();
/// for page in 1..=3 {
///     jobs.send(Request::get("https://example.com/").param("page", page))?;
/// }
/// drop(jobs); // no more will come: otherwise the pool would wait for them
///
/// let pool = Pool::builder().num_threads(2).job_queue(queue).build()?;
/// for response in pool.responses() {
///     println!("{}: {}", response.url(), response.status());
/// }
/// for exception in pool.exceptions() {
///     println!("{:?}: {}", exception.request(), exception.error());
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Ending
///
/// By itself, when the queue is closed and every job has its outcome. Earlier, in steps:
/// [`close`](Self::close) takes no more jobs, [`drain`](Self::drain) waits for those that were
/// taken, [`cancel`](Self::cancel) ends them. What was not taken from the queue is handed back: by the
/// first of them that is called, or, after a deadline or a stop, by `close`.
///
/// Dropping the pool cancels it, and waits for its threads: some milliseconds. A thread that is just
/// opening a TCP connection cannot be woken: the standard library has no way to. It is not waited
/// for, its job is answered without it, and it ends by itself, at the latest when its connect
/// timeout runs out. A thread within the caller's own code (an iterator, a hook) is waited for no
/// longer than 100 ms.
///
/// # Queues of others
///
/// The jobs can come from an engine that several machines share: [`PoolBuilder::queue`] and
/// [`JobQueue`]. Then each outcome has a [`delivery`](Outcome::delivery).
///
/// # Coming from `requests_toolbelt`
///
/// `num_processes` is [`num_threads`](PoolBuilder::num_threads), `initargs` go with
/// [`initializer_with`](PoolBuilder::initializer_with). The initializer changes the settings in
/// place; its return value does not become the session. Nothing needs `join_all` before it is read.
pub struct Pool {
    crew: Arc<Crew>,
    views: Views,
    /// As long as this lives, the builder's token cancels the pool.
    _watch: Option<Watch>,
}

impl Pool {
    fn new(crew: Arc<Crew>, views: Views, token: Option<&CancelToken>) -> Self {
        let watcher = || Arc::new(Whole(Arc::downgrade(&crew))) as Arc<dyn OnCancel>;
        let watch = token.map(|token| token.watch(watcher()));
        Self { crew, views, _watch: watch }
    }

    /// The responses, as they come. Waits for each; ends when the pool is done.
    pub fn responses(&self) -> impl Iterator<Item = ThreadResponse> + '_ {
        std::iter::from_fn(|| self.get_response())
    }

    /// The exceptions, as they come. Waits for each; ends when the pool is done.
    pub fn exceptions(&self) -> impl Iterator<Item = ThreadException> + '_ {
        std::iter::from_fn(|| self.get_exception())
    }

    /// Responses and exceptions, as they come. Waits for each; ends when the pool is done.
    pub fn outcomes(&self) -> impl Iterator<Item = Outcome> + '_ {
        std::iter::from_fn(|| self.views.next(Want::All))
    }

    /// Waits for the next response; `None` when the pool is done. (In Python `None` may mean
    /// "not yet", and jobs are missed by it.)
    #[must_use]
    pub fn get_response(&self) -> Option<ThreadResponse> {
        match self.views.next(Want::Responses)? {
            Outcome::Response(response) => Some(response),
            Outcome::Exception(_) => None,
        }
    }

    /// Waits for the next exception; `None` when the pool is done.
    #[must_use]
    pub fn get_exception(&self) -> Option<ThreadException> {
        match self.views.next(Want::Exceptions)? {
            Outcome::Exception(exception) => Some(exception),
            Outcome::Response(_) => None,
        }
    }

    /// Waits for the next outcome, but no longer than `limit`; with no time at all it takes what is
    /// there.
    ///
    /// # Errors
    ///
    /// As an `mpsc::Receiver`: `Timeout` if there was none in time, `Disconnected` if the pool is
    /// done.
    ///
    /// # Examples
    ///
    /// ```
    /// use fetchpool::{Pool, Request};
    /// use std::sync::mpsc::{self, RecvTimeoutError};
    /// use std::time::Duration;
    ///
    /// let (jobs, queue) = mpsc::channel::<Request>();
    /// let pool = Pool::builder().job_queue(queue).build()?;
    /// assert_eq!(pool.outcome_timeout(Duration::ZERO).unwrap_err(), RecvTimeoutError::Timeout);
    /// drop(jobs);
    /// let end = pool.outcome_timeout(Duration::from_secs(5)).unwrap_err();
    /// assert_eq!(end, RecvTimeoutError::Disconnected);
    /// # Ok::<(), fetchpool::Error>(())
    /// ```
    pub fn outcome_timeout(&self, limit: Duration) -> Result<Outcome, RecvTimeoutError> {
        match self.views.next_within(Want::All, limit) {
            Ok(Some(outcome)) => Ok(outcome),
            Ok(None) => Err(RecvTimeoutError::Disconnected),
            Err(TimedOut) => Err(RecvTimeoutError::Timeout),
        }
    }

    /// Waits until every job has its outcome and every thread has ended, but for those that a cancel
    /// found within `connect`. What has not been read by then is kept, in memory, and can be read
    /// after it.
    pub fn join_all(&self) {
        // Nothing is wanted, so that everything is set aside.
        let _ = self.views.next(Want::Nothing);
        self.crew.roll.join();
        if let Some(office) = &self.crew.office {
            office.wait_settled(None);
        }
    }

    /// Takes no more jobs. Those that were taken go on to their outcome, and the views end after
    /// the last one.
    ///
    /// Hands back what was not taken; let go, that drops the queue, and whoever sends into it
    /// learns that nobody listens. A second call hands back nothing.
    pub fn close(&self) -> Unpulled {
        self.crew.stop(Stop::Closed);
        self.crew.schedule.unpulled()
    }

    /// [`close`](Self::close)s the pool, and waits until every job that was taken has its outcome,
    /// but no longer than `limit`. `true` if they all have it: it can be read now, or later.
    ///
    /// A pool that has only just been built may not have taken a job yet, and then it is done at once.
    ///
    /// What was not taken stays with the pool, for `close` to hand back. `false` leaves everything
    /// running: go on waiting, or [`cancel`](Self::cancel). Since nothing is read meanwhile, the
    /// [`body_budget`](PoolBuilder::body_budget) and the
    /// [`outcome_capacity`](PoolBuilder::outcome_capacity) hold no longer: at most one body for each
    /// thread is added to what is there, and one for each job that waits to be tried again.
    ///
    /// # Examples
    ///
    /// ```
    /// use fetchpool::Pool;
    /// use std::time::Duration;
    ///
    /// let pool = Pool::from_urls(["no URL"])?;
    /// if !pool.drain(Duration::from_secs(5)) {
    ///     drop(pool.cancel());
    /// }
    /// let done = pool.outcomes().count();
    /// assert_eq!(done + pool.close().count(), 1);
    /// # Ok::<(), fetchpool::Error>(())
    /// ```
    #[must_use]
    pub fn drain(&self, limit: Duration) -> bool {
        self.crew.drain(limit)
    }

    /// Takes no more jobs and ends those that run: each that was taken and has no outcome yet
    /// comes out with an error of kind [`Cancelled`](crate::ErrorKind::Cancelled), at once,
    /// whatever it waits for. Does not wait for it.
    ///
    /// Hands back what was not taken, as [`close`](Self::close) does; let go, that drops the queue, and
    /// whoever sends into it learns that nobody listens. To cancel from a thread that has no use for
    /// it, such as that of a signal, there is [`PoolBuilder::cancel_token`]: it leaves the queue with
    /// the pool, for `close`.
    pub fn cancel(&self) -> Unpulled {
        self.crew.cancel(Stop::Cancelled);
        self.crew.schedule.unpulled()
    }

    /// Whether every job that was and will be taken has its outcome. They can still be read.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.crew.schedule.is_done()
    }

    /// How far the pool has come: counts of one moment, which add up.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let mut stats = self.crew.schedule.stats();
        if let Some(office) = &self.crew.office {
            (stats.queue_errors, stats.stale) = office.counts();
        }
        stats
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        drop(self.cancel());
        self.views.close();
        let start = Instant::now();
        self.crew.roll.join_within(PATIENCE);
        if let Some(office) = &self.crew.office {
            office.wait_settled(Some(PATIENCE.saturating_sub(start.elapsed())));
        }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (started, alive) = self.crew.roll.count();
        f.debug_struct("Pool")
            .field("threads_started", &started)
            .field("threads_alive", &alive)
            .finish_non_exhaustive()
    }
}

/// How long a dropped pool waits for workers that cannot be woken.
const PATIENCE: Duration = Duration::from_millis(100);
