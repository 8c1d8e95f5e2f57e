//! FLOOR 5: threads and queues. Speaks of sessions and outcomes, never of sockets.
//!
//! ```text
//! JobQueue ──▶ schedule ──▶ worker 1..n ──▶ claim.finish ──▶ outcome queue ──▶ views ──▶ caller
//!                 ▲              │
//!                 └── parked ◀───┘ (a retry that waits)
//! ```

mod builder;
mod claim;
mod job;
mod outcome;
mod queue;
mod retry;
mod schedule;
mod setup;
mod thread;
mod views;
mod worker;

use std::any::Any;
use std::fmt;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use self::builder::Plan;
pub use self::builder::{Exceptions, PoolBuilder, Responses};
use self::claim::{Claim, Desk};
use self::job::Job;
pub use self::outcome::{Outcome, ThreadException, ThreadResponse};
use self::queue::Source;
pub use self::retry::RetryPolicy;
use self::schedule::Schedule;
pub use self::setup::HookResult;
use self::setup::Setup;
pub use self::thread::SessionThread;
use self::views::{Views, Want};
use self::worker::Worker;
use crate::connection::Interrupt;
use crate::error::{Error, ErrorKind};
use crate::message::Request;

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
///   caller's code all end in one [`Outcome`], which owns the [`Request`] it belongs to.
/// - **Nothing stops early.** [`responses`](Self::responses) and the other views end when the
///   queue is closed and every job has its outcome, not when there is nothing just now.
/// - **Bounded memory.** A job is taken when a worker is free for it. At most
///   [`outcome_capacity`](PoolBuilder::outcome_capacity) outcomes wait to be read; then the
///   workers wait. What one view passes over is kept for the other.
/// - **Any order of reading.** Responses before exceptions, exceptions before responses, both from
///   two threads, [`join_all`](Self::join_all) first, or nothing at all: it always ends.
///
/// Sessions are never shared: no lock is held while a request runs, and a server sees at most as
/// many connections as there are threads.
///
/// # Order
///
/// Outcomes come as they finish; [`Outcome::index`] counts the jobs as the queue gave them.
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
/// # Dropping
///
/// Drop takes no more jobs, ends the running requests by closing their sockets, and waits for the
/// workers: some milliseconds. A worker that is just opening a connection, or waits in the
/// caller's own iterator, cannot be woken; it is waited for no longer than 100 ms, and then left to
/// end by itself, at the latest when its connect timeout runs out.
///
/// # Coming from `requests_toolbelt`
///
/// `num_processes` is [`num_threads`](PoolBuilder::num_threads), `initargs` go with
/// [`initializer_with`](PoolBuilder::initializer_with). The initializer changes the settings in
/// place; its return value does not become the session. Nothing needs `join_all` before it is read.
pub struct Pool {
    shared: Arc<Shared>,
    views: Views,
}

/// What the workers and the pool have in common. It holds no sender of outcomes: those belong to
/// the workers, so that the last one to end closes the queue.
struct Shared {
    schedule: Schedule,
    setup: Setup,
    retry: Option<RetryPolicy>,
    stack_size: Option<usize>,
    crew: Mutex<Crew>,
    gone: Condvar,
}

/// The workers.
#[derive(Default)]
struct Crew {
    started: usize,
    alive: usize,
    cancelled: bool,
    interrupts: Vec<Interrupt>,
    handles: Vec<JoinHandle<()>>,
}

impl Pool {
    /// The settings of a pool to be built.
    pub fn builder() -> PoolBuilder {
        PoolBuilder::new()
    }

    /// A pool with the default settings that gets these URLs.
    ///
    /// # Errors
    ///
    /// As [`PoolBuilder::build`].
    pub fn from_urls<I>(urls: I) -> Result<Self, Error>
    where
        I: IntoIterator + 'static,
        I::Item: Into<Request>,
        I::IntoIter: Send + 'static,
    {
        Self::builder().job_queue(urls).build()
    }

    /// A pool with the default settings that tries again what failed. With other settings:
    /// `Pool::builder()….job_queue(exceptions)`.
    ///
    /// # Errors
    ///
    /// As [`PoolBuilder::build`].
    ///
    /// # Examples
    ///
    /// ```
    /// let (_, exceptions) = fetchpool::map(["no URL at all"]);
    /// let pool = fetchpool::Pool::from_exceptions(exceptions)?;
    /// assert_eq!(pool.exceptions().count(), 1);
    /// # Ok::<(), fetchpool::Error>(())
    /// ```
    pub fn from_exceptions<I>(exceptions: I) -> Result<Self, Error>
    where
        I: IntoIterator<Item = ThreadException>,
    {
        let requests: Vec<Request> = exceptions.into_iter().map(Into::into).collect();
        Self::builder().job_queue(requests).build()
    }

    /// Starts the workers that there are jobs for. If not one can be started, the jobs come back.
    fn start(jobs: Box<dyn Source>, plan: Plan) -> Result<Self, (Error, Box<dyn Source>)> {
        let may_park = plan.retry.is_some();
        let (schedule, initial) = Schedule::new(jobs, plan.threads, plan.rate, may_park);
        let shared = Arc::new(Shared {
            schedule,
            setup: plan.setup,
            retry: plan.retry,
            stack_size: plan.stack_size,
            crew: Mutex::default(),
            gone: Condvar::new(),
        });
        let (sender, receiver) = sync_channel(plan.capacity);
        for started in 0..initial {
            if let Err(error) = shared.start_worker(&sender) {
                if started == 0 {
                    let fault = Error::new(ErrorKind::Io, "no thread can be started");
                    return Err((fault.because(error), shared.schedule.take_source()));
                }
                // Those that have started do all the work.
                shared.schedule.could_not_start(initial - started);
                break;
            }
        }
        Ok(Self { shared, views: Views::new(receiver) })
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

    /// Waits until every job has its outcome and every thread has ended. What has not been read
    /// by then is kept, in memory, and can be read after it.
    pub fn join_all(&self) {
        self.views.drain();
        let handles = std::mem::take(&mut self.shared.crew().handles);
        for handle in handles {
            // Workers catch every panic of a job, so there is none to pass on.
            let _ = handle.join();
        }
    }

    /// Takes no more jobs and ends those that run: each that was taken and has no outcome yet
    /// comes out with an error of kind [`Cancelled`](ErrorKind::Cancelled). Does not wait. A
    /// worker that is just opening a connection ends that first, by its connect timeout.
    pub fn cancel(&self) {
        self.shared.cancel();
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.cancel();
        self.views.close();
        let end = Instant::now() + PATIENCE;
        let mut crew = self.shared.crew();
        while crew.alive > 0 {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let waited = self.shared.gone.wait_timeout(crew, left);
            crew = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let crew = self.shared.crew();
        f.debug_struct("Pool")
            .field("threads_started", &crew.started)
            .field("threads_alive", &crew.alive)
            .finish_non_exhaustive()
    }
}

impl Shared {
    /// Starts one more worker.
    fn start_worker(self: &Arc<Self>, outcomes: &SyncSender<Outcome>) -> std::io::Result<()> {
        let mut crew = self.crew();
        let interrupt = Interrupt::default();
        if crew.cancelled {
            interrupt.raise();
        }
        let mut builder = Builder::new().name(format!("fetchpool-{}", crew.started));
        if let Some(bytes) = self.stack_size {
            builder = builder.stack_size(bytes);
        }
        let (shared, outcomes, own) = (Arc::clone(self), outcomes.clone(), interrupt.clone());
        crew.handles.push(builder.spawn(move || shared.work(outcomes, own))?);
        crew.interrupts.push(interrupt);
        crew.started += 1;
        crew.alive += 1;
        Ok(())
    }

    /// The life of a worker.
    fn work(self: Arc<Self>, outcomes: SyncSender<Outcome>, interrupt: Interrupt) {
        // Last to go: whoever waits for the worker then finds its sender gone as well.
        let _leaving = Leaving(&self);
        let counter = Counter { shared: &self, outcomes };
        let mut worker = Worker::new(&self.setup, self.retry.as_ref(), interrupt);
        while let Some(taken) = self.schedule.next() {
            let claim = Claim::new(taken.job, &counter);
            if taken.start_another && self.start_worker(&counter.outcomes).is_err() {
                self.schedule.could_not_start(1);
            }
            worker.serve(claim);
        }
    }

    fn cancel(&self) {
        self.schedule.stop();
        let mut crew = self.crew();
        crew.cancelled = true;
        for interrupt in &crew.interrupts {
            interrupt.raise();
        }
    }

    fn crew(&self) -> MutexGuard<'_, Crew> {
        // Poison is ignored: nothing that can panic runs under this lock.
        self.crew.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where a worker of a pool hands its jobs over.
struct Counter<'a> {
    shared: &'a Shared,
    outcomes: SyncSender<Outcome>,
}

impl Desk for Counter<'_> {
    fn deliver(&self, outcome: Outcome) {
        // Fails only when the pool is dropped: then nobody is left to tell.
        let _ = self.outcomes.send(outcome);
    }

    fn park(&self, job: Job, due: Instant) {
        self.shared.schedule.park(job, due);
    }

    fn released(&self) {
        self.shared.schedule.released();
    }
}

/// Counts a worker off when it ends, however it ends.
struct Leaving<'a>(&'a Shared);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.0.crew().alive -= 1;
        self.0.gone.notify_all();
    }
}

/// The error of a panic in the caller's code.
fn panic_error(what: &str, payload: &(dyn Any + Send)) -> Error {
    let text = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    Error::new(
        ErrorKind::Panic,
        match text {
            Some(text) => format!("{what}: {text}"),
            None => what.to_owned(),
        },
    )
}

/// How long a dropped pool waits for workers that cannot be woken.
const PATIENCE: Duration = Duration::from_millis(100);
