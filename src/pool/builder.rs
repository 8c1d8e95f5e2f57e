//! How a pool is made: its settings, checked once, when it is built.

mod hire;
mod scheduling;

use std::fmt;
use std::num::NonZero;
use std::sync::Arc;
use std::time::{Duration, Instant};

use self::hire::Hired;
use super::Pool;
use super::budget::Budget;
use super::crew::{Crew, Plan};
use super::engine::Engine;
use super::intake::source;
use super::lanes::{FAR, WINDOW};
use super::ledger::Rules;
use super::outcome::ThreadException;
use super::polite::{Hosts, Pace};
use super::queue::Source;
use super::setup::{HookResult, Setup};
use super::stop::OnError;
use super::views::Views;
use crate::connection::Deadline;
use crate::error::{Error, ErrorKind, Phase};
use crate::message::{Buffers, CancelToken, Clock, Request, RetryPolicy};
use crate::observer::Observer;
use crate::session::SessionConfig;

/// The settings of a [`Pool`]. Every method has a default; only the jobs must be given.
///
/// # Examples
///
/// ```no_run
/// use fetchpool::{Pool, SessionConfig, user_agent};
///
/// let (responses, exceptions) = Pool::builder()
///     .num_threads(5)
///     .initializer(|session: &mut SessionConfig| {
///         session.user_agent(user_agent("my-scraper", "1.0"));
///     })
///     .map(["https://example.com/1", "https://example.com/2"]);
/// # let _ = (responses, exceptions);
/// ```
#[must_use]
pub struct PoolBuilder {
    threads: Option<usize>,
    capacity: Option<usize>,
    /// Whether the order of the input is kept, and within what window.
    ordered: Option<Option<usize>>,
    body_budget: u64,
    deadline: Option<Duration>,
    on_error: OnError,
    observer: Option<Arc<dyn Observer>>,
    token: Option<CancelToken>,
    stack_size: Option<usize>,
    rate: Option<f64>,
    rate_jitter: f64,
    hosts: Hosts,
    /// What is wrong with the name of a host.
    hosts_fault: Option<String>,
    retry: Option<RetryPolicy>,
    look_ahead: Option<usize>,
    waiting_capacity: Option<usize>,
    seed: Option<u64>,
    setup: Setup,
    source: Option<Box<dyn Source>>,
    engine: Option<Hired>,
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
}

impl PoolBuilder {
    fn new() -> Self {
        Self {
            threads: None,
            capacity: None,
            ordered: None,
            body_budget: BODY_BUDGET,
            deadline: None,
            on_error: OnError::Continue,
            observer: None,
            token: None,
            stack_size: None,
            rate: None,
            rate_jitter: 0.0,
            hosts: Hosts::default(),
            hosts_fault: None,
            retry: None,
            look_ahead: None,
            waiting_capacity: None,
            seed: None,
            setup: Setup::default(),
            source: None,
            engine: None,
        }
    }

    /// How many worker threads there are at most, and so requests at a time and connections to
    /// one origin. Default: the number of CPUs. No more are started than there are jobs; for a
    /// source that does not know how many it has, one more may wait for the next. Those that a cancel
    /// finds within `connect` do not count, and end by themselves: at most as many again. 0 is an error
    /// when the pool is built.
    #[doc(alias = "num_processes")]
    pub const fn num_threads(mut self, threads: usize) -> Self {
        self.threads = Some(threads);
        self
    }

    /// A hook that changes the session's settings, once in each worker before its first job. It
    /// may return nothing or a `Result`; if it fails or panics, each job that the worker takes
    /// says so.
    pub fn initializer<R: HookResult>(
        mut self,
        hook: impl Fn(&mut SessionConfig) -> R + Send + Sync + 'static,
    ) -> Self {
        self.setup.set_initializer(hook);
        self
    }

    /// An initializer with arguments of its own: `initargs` of the Python original.
    #[doc(alias = "initargs")]
    pub fn initializer_with<A: Send + Sync + 'static, R: HookResult>(
        self,
        args: A,
        hook: impl Fn(&mut SessionConfig, &A) -> R + Send + Sync + 'static,
    ) -> Self {
        self.initializer(move |session| hook(session, &args))
    }

    /// A second hook, after the initializer, for credentials.
    pub fn auth_generator<R: HookResult>(
        mut self,
        hook: impl Fn(&mut SessionConfig) -> R + Send + Sync + 'static,
    ) -> Self {
        self.setup.set_auth_generator(hook);
        self
    }

    /// The settings that every worker starts from, before the hooks. Default:
    /// [`SessionConfig::new`].
    pub fn session(mut self, config: SessionConfig) -> Self {
        self.setup.config = config;
        self
    }

    /// Where the jobs come from: a list, any iterator, the receiving end of a channel, or what
    /// another pool has handed back ([`Unpulled`](crate::Unpulled)). A job is begun when a worker is
    /// free for it, and the pool looks no farther ahead of that than
    /// [`look_ahead`](Self::look_ahead) says, so that an iterator may be endless and a channel may stay open;
    /// the pool is done when the iterator ends, or every sender is dropped, and every job has its
    /// outcome.
    ///
    /// A channel of [`Request`]s, of URLs as `String` or `&'static str`, or of [`ThreadException`]s is
    /// waited for so that the wait can be ended. An iterator of the caller's own that waits, a
    /// channel of other things among them, ends when it ends.
    ///
    /// Whoever sends into a bounded channel from the loop that reads the outcomes may wait for
    /// itself: the channel is full until outcomes are read. Use an unbounded one there.
    pub fn job_queue<I>(mut self, queue: I) -> Self
    where
        I: IntoIterator + 'static,
        I::Item: Into<Request>,
        I::IntoIter: Send + 'static,
    {
        self.source = Some(source(queue));
        self.engine = None;
        self
    }

    /// How many outcomes wait to be read before no further job is begun: then at most so many and
    /// one for each thread are begun and not read, and where it is set the pool looks ahead no farther
    /// than that. What waits to be tried again, and what a rate or a limit holds back, is not counted:
    /// [`waiting_capacity`](Self::waiting_capacity) is for that. Default: two for each thread, but at
    /// least 128 and at most 1,024. Where the order is kept, the window is what counts.
    pub const fn outcome_capacity(mut self, outcomes: usize) -> Self {
        self.capacity = Some(outcomes);
        self
    }

    /// Gives the outcomes in the order of the input, through a window of four jobs for each thread:
    /// see [`ordered_window`](Self::ordered_window). Default: they come as they finish.
    pub const fn ordered(mut self) -> Self {
        if self.ordered.is_none() {
            self.ordered = Some(None);
        }
        self
    }

    /// Gives the outcomes in the order of the input. At most so many jobs are taken and not read:
    /// while the first one is slow, no more than the rest of the window runs ahead and waits for
    /// it. A window smaller than the number of threads leaves threads idle. 0 is an error when the
    /// pool is built.
    pub const fn ordered_window(mut self, jobs: usize) -> Self {
        self.ordered = Some(Some(jobs));
        self
    }

    /// How many bytes the bodies of responses may take together, those that are being received and
    /// those that wait to be read. Default: 256 MiB.
    ///
    /// When they are used up, no further job is started, and bodies that are being received are
    /// read on when the caller has read an outcome; the clocks of their requests stand still
    /// meanwhile, but not the pool's [`deadline`](Self::deadline). Where there is nothing that the
    /// caller could read, one body may exceed it: so it can be smaller than one body and the pool
    /// still goes on. Each thread may be off by 64 KiB. Bodies are counted by their lengths; in memory
    /// that was used before one may hold twice as much. What is kept of bodies that were read, for the
    /// next ones ([`SessionConfig::buffers`]), comes on top: half as much at most, for as long as the
    /// pool is there.
    pub const fn body_budget(mut self, bytes: u64) -> Self {
        self.body_budget = bytes;
        self
    }

    /// How long all jobs together may take, from the moment the pool is built; waiting for a worker
    /// or a rate counts, too. Default: no limit.
    ///
    /// When it is over no more jobs are taken, and each that was taken and has no outcome yet comes
    /// out with an error of kind [`Timeout`](ErrorKind::Timeout) and
    /// [`Clock::Deadline`]. What was not taken stays with the pool: [`Pool::close`] hands it back.
    pub const fn deadline(mut self, limit: Duration) -> Self {
        self.deadline = Some(limit);
        self
    }

    /// What is done about jobs that end as exceptions. Default: the pool goes on. After a stop,
    /// what was not taken stays with the pool: [`Pool::close`] hands it back.
    pub const fn on_error(mut self, on_error: OnError) -> Self {
        self.on_error = on_error;
        self
    }

    /// What may cancel the whole pool: when [`CancelToken::cancel`] is called, from any thread, that
    /// is as [`Pool::cancel`], but what was not taken stays with the pool: [`Pool::close`] hands it
    /// back. For a signal handler, a hook, or a group of pools. Default: nothing.
    pub fn cancel_token(mut self, token: &CancelToken) -> Self {
        self.token = Some(token.clone());
        self
    }

    /// Who is told what the jobs are at, as it happens. Default: nobody, at no cost.
    pub fn observer(mut self, observer: impl Observer + 'static) -> Self {
        self.observer = Some(Arc::new(observer));
        self
    }

    /// The stack of each worker, in bytes of address space. Default: that of the standard
    /// library, 2 MiB. The crate itself needs less than 128 KiB in a release build.
    pub const fn stack_size(mut self, bytes: usize) -> Self {
        self.stack_size = Some(bytes);
        self
    }

    /// What is tried again, and when. Default: nothing. It becomes the
    /// [`retry`](SessionConfig::retry) of each worker's session, which the hooks may change;
    /// [`Request::retry`] and [`Request::without_retry`] come first. A policy that cannot be is an
    /// error when the pool is built.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = Some(policy);
        self
    }

    /// What the random part of waits comes from: with the same seed the same job waits as long in
    /// each run, whichever thread has it. Default: none, it is another one each time. It becomes
    /// the [`seed`](SessionConfig::seed) of each worker's session.
    ///
    /// # Examples
    ///
    /// ```
    /// use fetchpool::{Pool, RetryPolicy};
    ///
    /// let pool = Pool::builder().retry(RetryPolicy::new(3)).seed(7);
    /// # drop(pool);
    /// ```
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Starts the pool. Does not wait for any request.
    ///
    /// # Errors
    ///
    /// Kind [`InvalidRequest`](ErrorKind::InvalidRequest) for a setting that cannot be, such as
    /// no threads; [`Io`](ErrorKind::Io) if the system has no thread to give.
    pub fn build(self) -> Result<Pool, Error> {
        self.start().map_err(|(error, _)| error)
    }

    /// Starts the pool, or hands its jobs back.
    pub(super) fn start(mut self) -> Result<Pool, (Error, Box<dyn Source>)> {
        let token = self.token.take();
        let jobs = self.source.take().unwrap_or_else(|| source(std::iter::empty::<Request>()));
        match self.plan() {
            Ok(plan) => {
                let jobs = plan.office.as_ref().map_or(jobs, Engine::at);
                Crew::start(jobs, plan)
                    .map(|crew| Pool::new(Arc::clone(&crew), Views::new(crew), token.as_ref()))
            }
            Err(error) => Err((error, jobs)),
        }
    }

    /// Checks the settings.
    fn plan(self) -> Result<Plan, Error> {
        let fault = |detail: String| {
            Err(Error::new(ErrorKind::InvalidRequest, detail).during(Phase::Setup))
        };
        let threads = match self.threads {
            Some(0) => return fault("num_threads must be at least 1, not 0".into()),
            Some(threads) => threads,
            None => std::thread::available_parallelism().map_or(4, NonZero::get),
        };
        if let Err(detail) = self.check_scheduling() {
            return fault(detail);
        }
        if self.ordered == Some(Some(0)) {
            return fault("ordered_window must be at least 1, not 0".into());
        }
        if self.on_error.limit() == 0 {
            return fault("OnError::StopAfter must be at least 1, not 0".into());
        }
        let look_ahead = self.look_ahead.unwrap_or(WINDOW);
        let (room, room_ahead) = match (self.ordered, self.capacity) {
            (Some(window), _) => {
                let window = window.unwrap_or_else(|| threads.saturating_mul(4));
                (window, window)
            }
            (None, Some(capacity)) => {
                let room = capacity.saturating_add(threads);
                (room, room)
            }
            (None, None) => {
                let usual = threads.saturating_mul(2).clamp(MIN_CAPACITY, MAX_CAPACITY);
                let room = usual.saturating_add(threads);
                (room, room.saturating_add(look_ahead.saturating_mul(FAR)))
            }
        };
        let mut setup = self.setup;
        setup.config.observer = self.observer.or(setup.config.observer);
        setup.config.retry = self.retry.or(setup.config.retry);
        let kept = usize::try_from(self.body_budget / 2).unwrap_or(usize::MAX);
        setup.config.buffers.get_or_insert_with(|| Buffers::with_limits(Buffers::COUNT, kept));
        setup.config.seed = self.seed.or(setup.config.seed);
        if let Some(wrong) = setup.config.retry.as_ref().and_then(RetryPolicy::fault) {
            return fault(wrong.to_owned());
        }
        // Of an engine no more is leased than the workers could begin.
        let waiting = if self.engine.is_some() { threads } else { WAITING };
        let observer = &setup.config.observer;
        let office = self.engine.map(|engine| engine.open(observer.clone())).transpose()?;
        Ok(Plan {
            threads,
            stack_size: self.stack_size,
            hosts: self.hosts,
            seed: setup.config.seed,
            pace: self.rate.map(|rate| Pace::new(rate, self.rate_jitter)),
            budget: Budget::new(self.body_budget),
            rules: Rules {
                room,
                room_ahead,
                look_ahead,
                waiting_capacity: self.waiting_capacity.unwrap_or(waiting),
                ordered: self.ordered.is_some(),
                deadline: Deadline::after(Instant::now(), self.deadline, Clock::Deadline),
                max_failed: self.on_error.limit(),
            },
            setup,
            office,
        })
    }
}

impl fmt::Debug for PoolBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolBuilder")
            .field("num_threads", &self.threads)
            .field("ordered", &self.ordered)
            .field("outcome_capacity", &self.capacity)
            .field("body_budget", &self.body_budget)
            .field("deadline", &self.deadline)
            .field("on_error", &self.on_error)
            .field("session", &self.setup.config)
            .field("rate", &self.rate)
            .field("politeness", &self.hosts)
            .field("retry", &self.retry)
            .finish_non_exhaustive()
    }
}

/// Enough that a reader who is woken late does not stop the workers: where there are more threads than
/// cores it may have to wait until each of them has had its turn, and they end many jobs meanwhile.
/// Whoever then finds no room sleeps, and has to be woken, which takes as long as a small request.
const MIN_CAPACITY: usize = 128;
const MAX_CAPACITY: usize = 1024;
/// Four times the largest body that a session takes by default.
const BODY_BUDGET: u64 = 256 << 20;
/// Jobs that wait, each a request in memory.
const WAITING: usize = 4096;
