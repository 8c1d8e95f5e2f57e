//! How a pool is made: its settings, checked once, when it is built.

use std::fmt;
use std::num::NonZero;
use std::time::Duration;

use super::Pool;
use super::crew::{Crew, Plan};
use super::outcome::{Outcome, ThreadException, ThreadResponse};
use super::queue::{Next, Source, source};
use super::retry::RetryPolicy;
use super::setup::{HookResult, Setup};
use super::views::Views;
use crate::error::{Error, ErrorKind, Phase};
use crate::message::Request;
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
    stack_size: Option<usize>,
    rate: Option<f64>,
    retry: Option<RetryPolicy>,
    setup: Setup,
    source: Option<Box<dyn Source>>,
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
            stack_size: None,
            rate: None,
            retry: None,
            setup: Setup::default(),
            source: None,
        }
    }

    /// How many worker threads there are at most, and so requests at a time and connections to
    /// one origin. Default: the number of CPUs. No more are started than there are jobs; for a
    /// source that does not know how many it has, one more may wait for the next. 0 is an error
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

    /// Where the jobs come from: a list, any iterator, or the receiving end of a channel. A job
    /// is taken when a worker is free for it, never earlier, so that an iterator may be endless
    /// and a channel may stay open; the pool is done when the iterator ends, or every sender is
    /// dropped, and every job has its outcome.
    pub fn job_queue<I>(mut self, queue: I) -> Self
    where
        I: IntoIterator + 'static,
        I::Item: Into<Request>,
        I::IntoIter: Send + 'static,
    {
        self.source = Some(source(queue));
        self
    }

    /// How many outcomes wait to be read before the workers wait. Default: four for each thread,
    /// but at least 64 and at most 1,024. The queue is allocated when the pool is built, so more
    /// than 65,536 is taken for that.
    pub const fn outcome_capacity(mut self, outcomes: usize) -> Self {
        self.capacity = Some(outcomes);
        self
    }

    /// The stack of each worker, in bytes of address space. Default: that of the standard
    /// library, 2 MiB. The crate itself needs less than 128 KiB in a release build.
    pub const fn stack_size(mut self, bytes: usize) -> Self {
        self.stack_size = Some(bytes);
        self
    }

    /// How many requests a second the pool starts at most, evenly spaced. Waiting for it does not
    /// count as part of a request's timeout. Default: no limit. What is not above 0 is an error
    /// when the pool is built.
    pub const fn rate(mut self, requests_per_second: f64) -> Self {
        self.rate = Some(requests_per_second);
        self
    }

    /// What is tried again, and when. Default: nothing.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = Some(policy);
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
    fn start(mut self) -> Result<Pool, (Error, Box<dyn Source>)> {
        let jobs = self.source.take().unwrap_or_else(|| source(std::iter::empty::<Request>()));
        match self.plan() {
            Ok(plan) => Crew::start(jobs, plan)
                .map(|(crew, outcomes)| Pool::new(crew, Views::new(outcomes))),
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
        if let Some(rate) = self.rate
            && (!rate.is_finite() || rate <= 0.0)
        {
            return fault(format!("rate must be above 0 requests a second, not {rate}"));
        }
        Ok(Plan {
            threads,
            capacity: match self.capacity {
                Some(outcomes) => outcomes.min(MAX_CAPACITY),
                None => threads.saturating_mul(4).clamp(64, 1024),
            },
            stack_size: self.stack_size,
            rate: self.rate,
            retry: self.retry,
            setup: self.setup,
        })
    }

    /// Runs a list of requests and waits until every one has its outcome: gives the responses and
    /// the exceptions, each in the order of the list.
    ///
    /// Everything is kept in memory until it is returned, as the name promises; for long lists
    /// read [`Pool::outcomes`] as they come. If the pool cannot be started, every request comes
    /// back as an exception that says why.
    pub fn map<I>(mut self, requests: I) -> (Responses, Exceptions)
    where
        I: IntoIterator,
        I::Item: Into<Request>,
    {
        let requests: Vec<Request> = requests.into_iter().map(Into::into).collect();
        self.source = Some(source(requests));
        let outcomes: Vec<Outcome> = match self.start() {
            Ok(pool) => pool.outcomes().collect(),
            Err((error, mut jobs)) => {
                let requests = std::iter::from_fn(|| match jobs.next(Duration::ZERO) {
                    Next::Job(request) => Some(request),
                    Next::Empty | Next::Closed | Next::Panicked(_) => None,
                });
                let same = || Error::new(error.kind(), error.message());
                (0..).zip(requests).map(|(n, job)| Outcome::new(n, job, Err(same()))).collect()
            }
        };
        let (mut responses, mut exceptions) = (Vec::new(), Vec::new());
        for outcome in outcomes {
            match outcome {
                Outcome::Response(response) => responses.push(response),
                Outcome::Exception(exception) => exceptions.push(exception),
            }
        }
        responses.sort_by_key(ThreadResponse::index);
        exceptions.sort_by_key(ThreadException::index);
        (Responses(responses.into_iter()), Exceptions(exceptions.into_iter()))
    }
}

impl fmt::Debug for PoolBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolBuilder")
            .field("num_threads", &self.threads)
            .field("session", &self.setup.config)
            .field("rate", &self.rate)
            .field("retry", &self.retry)
            .finish_non_exhaustive()
    }
}

macro_rules! list {
    ($(#[$doc:meta])* $name:ident, $item:ident) => {
        $(#[$doc])*
        #[derive(Debug)]
        #[must_use]
        pub struct $name(std::vec::IntoIter<$item>);

        impl Iterator for $name {
            type Item = $item;

            fn next(&mut self) -> Option<$item> {
                self.0.next()
            }

            fn size_hint(&self) -> (usize, Option<usize>) {
                self.0.size_hint()
            }
        }

        impl ExactSizeIterator for $name {}
        impl std::iter::FusedIterator for $name {}

        impl DoubleEndedIterator for $name {
            fn next_back(&mut self) -> Option<$item> {
                self.0.next_back()
            }
        }
    };
}

list! {
    /// The responses of a `map`, in the order of the requests.
    Responses, ThreadResponse
}
list! {
    /// The exceptions of a `map`, in the order of the requests.
    Exceptions, ThreadException
}

const MAX_CAPACITY: usize = 65_536;
