//! The settings of a pool that say which job may start when.

use super::PoolBuilder;
use crate::pool::polite::Politeness;

impl PoolBuilder {
    /// How many requests a second the pool starts at most, evenly spaced. Waiting for it does not
    /// count as part of a request's timeout. Default: no limit. What is not above 0 is an error
    /// when the pool is built.
    ///
    /// Requests that a redirect leads to are not counted: they follow at once.
    pub const fn rate(mut self, requests_per_second: f64) -> Self {
        self.rate = Some(requests_per_second);
        self
    }

    /// By how much the time between two starts varies with a [`rate`](Self::rate): up to this share of
    /// it is added at random, so that the rate is never exceeded. Default: 0. What is not from 0 to 1
    /// is an error when the pool is built.
    pub const fn rate_jitter(mut self, share: f64) -> Self {
        self.rate_jitter = share;
        self
    }

    /// How every origin is spared: its own rate, how many requests at a time, and so on; each origin
    /// (scheme, host and port of a job's URL) for itself. Default: not at all.
    ///
    /// What is held back waits in the pool, and takes no worker: other origins go on. How much may
    /// wait is [`waiting_capacity`](Self::waiting_capacity). Waiting does not count as part of a
    /// request's timeout. A job that is tried again keeps to it, too. Requests that a redirect leads
    /// to follow at once, and are counted nowhere.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use fetchpool::{Adaptive, CircuitBreaker, Politeness, Pool, RetryPolicy};
    ///
    /// let pages = (1..=500).map(|page| format!("https://example.com/{page}"));
    /// let pool = Pool::builder()
    ///     .num_threads(16)
    ///     .politeness(Politeness::new().max_concurrent(4).adaptive(Adaptive::new()))
    ///     .politeness_for(
    ///         "*.example.com",
    ///         Politeness::new().rate(2.0).jitter(0.5).circuit_breaker(CircuitBreaker::new(10)),
    ///     )
    ///     .retry(RetryPolicy::new(3))
    ///     .job_queue(pages)
    ///     .build()?;
    /// # drop(pool);
    /// # Ok::<(), fetchpool::Error>(())
    /// ```
    pub fn politeness(mut self, politeness: Politeness) -> Self {
        self.hosts.set_every(politeness);
        self
    }

    /// How the origins of a named host are spared, in place of [`politeness`](Self::politeness): by
    /// `example.com`, by `example.com:8443` for one port, or by `*.example.com` for all names below
    /// it. The most exact name counts, and of the same name the last one. What is no name of a host is
    /// an error when the pool is built.
    pub fn politeness_for(mut self, host: impl AsRef<str>, politeness: Politeness) -> Self {
        if let Err(fault) = self.hosts.set(host.as_ref(), politeness) {
            self.hosts_fault.get_or_insert(fault);
        }
        self
    }

    /// How many jobs that could start the pool looks at to find one for a worker, and at half as many
    /// more that it has in hand; but at no more origins than half as many, or 64 if that is more. Default:
    /// 64. With 1 jobs are taken in their order, and one by one.
    ///
    /// A worker takes first a job for an origin to which it holds an idle connection, for which it looks four
    /// times as far, then one for an origin to which no worker does, then, of the origins with fewer than four
    /// connections, one for that with most jobs for each of them, then the oldest; but none is overtaken by
    /// more than four times as many younger ones. So with many origins connections are used again, although
    /// they are never shared. Where the worker holds a connection to none of the origins of what is in hand
    /// and others hold some to each, the pool takes more in hand, as long as there are no more origins than
    /// are looked at: up to three times as many, or five times where there are four connections and more to
    /// each.
    ///
    /// What is looked at is taken from a list or a channel as it is there; it is not begun, and
    /// [`Pool::close`] hands it back. An iterator may wait, and is asked ahead where it has given jobs
    /// within 50 µs for a while, 16 of them in a row and later on 16 for each that took longer (one that
    /// took 100 ms begins anew), or another worker is free for what is in hand. Should it wait after that,
    /// it keeps one worker, and what is in hand is for the others.
    ///
    /// [`Pool::close`]: crate::Pool::close
    pub const fn look_ahead(mut self, jobs: usize) -> Self {
        self.look_ahead = Some(jobs);
        self
    }

    /// How many jobs wait in the pool at most, to be tried again or because a rate or the politeness to
    /// their origins holds them back, before no further job is taken. Default: 4,096. Each is a request
    /// in memory. With less than there are jobs for a slow origin in a row, those behind them come
    /// later than they could. 0 is an error when the pool is built.
    pub const fn waiting_capacity(mut self, jobs: usize) -> Self {
        self.waiting_capacity = Some(jobs);
        self
    }

    /// What is wrong with these settings.
    pub(super) fn check_scheduling(&self) -> Result<(), String> {
        if let Some(rate) = self.rate
            && (!rate.is_finite() || rate <= 0.0)
        {
            return Err(format!("rate must be above 0 requests a second, not {rate}"));
        }
        if !(0.0..=1.0).contains(&self.rate_jitter) {
            return Err(format!("rate_jitter must be from 0 to 1, not {}", self.rate_jitter));
        }
        if self.look_ahead == Some(0) || self.waiting_capacity == Some(0) {
            return Err("look_ahead and waiting_capacity must be at least 1, not 0".into());
        }
        self.hosts_fault.clone().map_or(Ok(()), Err)?;
        self.hosts.check()
    }
}
