//! How politely an origin is treated, as the caller says it.

use std::time::Duration;

/// How politely an origin is treated: a scheme, host and port. Without any of these nothing
/// limits it.
///
/// Each origin has a count of its own. A job that may not start yet waits without a worker, and
/// those for other origins pass it.
///
/// # Examples
///
/// At most two requests at a time and one a second, and up to half a second more between them:
///
/// ```
/// use fetchpool::{Adaptive, CircuitBreaker, Politeness};
///
/// let polite = Politeness::new().rate(1.0).jitter(0.5).max_concurrent(2);
/// # let _ = polite;
/// // As fast as the origin bears, and not at all while it is down:
/// let careful =
///     Politeness::new().adaptive(Adaptive::new()).circuit_breaker(CircuitBreaker::new(5));
/// # let _ = careful;
/// ```
#[must_use]
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Politeness {
    pub(super) rate: Option<f64>,
    pub(super) jitter: f64,
    pub(super) max_concurrent: Option<usize>,
    pub(super) adaptive: Option<Adaptive>,
    pub(super) breaker: Option<CircuitBreaker>,
}

impl Politeness {
    /// No limit at all, to begin with.
    pub const fn new() -> Self {
        Self { rate: None, jitter: 0.0, max_concurrent: None, adaptive: None, breaker: None }
    }

    /// How many tries a second are started at most, evenly spaced, and with no burst after a
    /// pause; retries count, a redirect does not. Default: no limit. What is not above 0 is an
    /// error when the pool is built.
    pub const fn rate(mut self, requests_per_second: f64) -> Self {
        self.rate = Some(requests_per_second);
        self
    }

    /// By how much the time between two starts is longer than the rate asks for: a random part of
    /// this share of it. So 0.5 at a rate of 1 makes it 1 to 1.5 seconds; it is never shorter.
    /// Default: 0. Below 0 is an error when the pool is built.
    pub const fn jitter(mut self, share: f64) -> Self {
        self.jitter = share;
        self
    }

    /// How many tries run at a time at most. Default: no limit but the number of threads. 0 is an
    /// error when the pool is built.
    pub const fn max_concurrent(mut self, tries: usize) -> Self {
        self.max_concurrent = Some(tries);
        self
    }

    /// Slows down when the origin asks for it or gets slow itself, and speeds up again. Default:
    /// the rate stays what it is.
    pub const fn adaptive(mut self, adaptive: Adaptive) -> Self {
        self.adaptive = Some(adaptive);
        self
    }

    /// Leaves the origin alone for a while when it fails again and again. Default: every job tries.
    pub const fn circuit_breaker(mut self, breaker: CircuitBreaker) -> Self {
        self.breaker = Some(breaker);
        self
    }

    /// What is wrong with the settings, if something is.
    pub(in crate::pool) fn check(&self) -> Result<(), String> {
        let is_rate = |rate: f64| rate.is_finite() && rate > 0.0;
        if let Some(rate) = self.rate.filter(|rate| !is_rate(*rate)) {
            return Err(format!("rate must be above 0 requests a second, not {rate}"));
        }
        if !self.jitter.is_finite() || self.jitter < 0.0 {
            return Err(format!("jitter must be a share of 0 or above, not {}", self.jitter));
        }
        if self.max_concurrent == Some(0) {
            return Err("max_concurrent must be at least 1, not 0".into());
        }
        if let Some(min) = self.adaptive.as_ref().map(|a| a.min_rate).filter(|min| !is_rate(*min)) {
            return Err(format!("min_rate must be above 0 requests a second, not {min}"));
        }
        if self.breaker.as_ref().is_some_and(|breaker| breaker.failures == 0) {
            return Err("a circuit breaker needs at least 1 failure, not 0".into());
        }
        Ok(())
    }

    /// Whether there is nothing to hold a job back by.
    pub(super) const fn is_none(&self) -> bool {
        let Self { rate, jitter: _, max_concurrent, adaptive, breaker } = self;
        rate.is_none() && max_concurrent.is_none() && adaptive.is_none() && breaker.is_none()
    }
}

/// A rate that follows what the origin bears.
///
/// It begins at [`Politeness::rate`], which is never exceeded, or without a limit. An answer of
/// 429 or 503 halves the rate at which tries were started lately, once for all that were running,
/// and nothing is started before a `Retry-After` is over. Answers that all take more than twice the
/// time of the best, and 20 ms more, take a quarter off it; four times in a row that is, and then
/// they are believed to take that long anyway. As long as answers come it grows by a twentieth of
/// what it was before, each second; at twice the rate that was too much there is no limit again.
/// All of it is forgotten when the origin has not been asked for a minute.
///
/// # Examples
///
/// ```
/// use fetchpool::{Adaptive, Politeness};
///
/// // At least one try every two seconds, whatever the origin answers.
/// let polite = Politeness::new().adaptive(Adaptive::new().min_rate(0.5));
/// # let _ = polite;
/// ```
#[must_use]
#[derive(Clone, Debug, PartialEq)]
pub struct Adaptive {
    pub(super) min_rate: f64,
}

impl Adaptive {
    /// With the defaults.
    pub const fn new() -> Self {
        Self { min_rate: MIN_RATE }
    }

    /// How many tries a second there are at least, however often the origin has asked for less; a
    /// `Retry-After` is waited for all the same. Default: 0.1, one in ten seconds. What is not
    /// above 0 is an error when the pool is built.
    pub const fn min_rate(mut self, requests_per_second: f64) -> Self {
        self.min_rate = requests_per_second;
        self
    }
}

impl Default for Adaptive {
    fn default() -> Self {
        Self::new()
    }
}

/// When an origin is left alone because it fails.
///
/// ```text
///            failures in a row               open_for is over
///   closed ────────────────────▶ open ─────────────────────────▶ half-open
///     ▲                            ▲                                 │
///     │                            └──────── the one try fails ──────┤
///     └───────────────────────────────────── it succeeds ────────────┘
/// ```
///
/// While it is open, jobs for the origin end at once with kind
/// [`CircuitOpen`](crate::ErrorKind::CircuitOpen); while it is half-open one runs and the others
/// wait. A failure is one of the network, of TLS or of HTTP, a time-out, an answer of 500, 502 or
/// 504, and one of 503 without a `Retry-After`. A 429, or a 503 that says how long to wait, counts
/// for nothing here; every other answer below 500 is a success. Failures of a proxy, of the caller's
/// own code, and what was cancelled do not count.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use fetchpool::{CircuitBreaker, Politeness};
///
/// let breaker = CircuitBreaker::new(5).open_for(Duration::from_secs(60));
/// let polite = Politeness::new().circuit_breaker(breaker);
/// # let _ = polite;
/// ```
#[must_use]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CircuitBreaker {
    pub(super) failures: u32,
    pub(super) open_for: Duration,
}

impl CircuitBreaker {
    /// Opens after so many failures with no success among them, of tries that were begun after
    /// the last success. 0 is an error when the pool is built.
    pub const fn new(failures: u32) -> Self {
        Self { failures, open_for: OPEN_FOR }
    }

    /// How long it stays open before one job tries. Default: 30 s.
    pub const fn open_for(mut self, time: Duration) -> Self {
        self.open_for = time;
        self
    }
}

/// What the slowest of those who ask to be polite ask for: a `Crawl-delay` of 10.
const MIN_RATE: f64 = 0.1;
const OPEN_FOR: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_mean_nothing_are_refused_and_named() {
        let polite = Politeness::new;
        let bad = [0.0, -1.0, f64::NAN, f64::INFINITY];
        let rates = bad.map(|rate| (polite().rate(rate), "rate"));
        let floors =
            bad.map(|rate| (polite().adaptive(Adaptive::new().min_rate(rate)), "min_rate"));
        let jitters = [-0.1, f64::NAN, f64::INFINITY].map(|j| (polite().jitter(j), "jitter"));
        let others = [
            (polite().max_concurrent(0), "max_concurrent"),
            (polite().circuit_breaker(CircuitBreaker::new(0)), "circuit breaker"),
        ];
        for (settings, name) in rates.into_iter().chain(floors).chain(jitters).chain(others) {
            let fault = settings.check().unwrap_err();
            assert!(fault.starts_with(name) || fault.contains(name), "{settings:?}: {fault}");
        }
    }

    #[test]
    fn the_least_of_each_setting_is_taken() {
        let all = Politeness::new()
            .rate(1e-300)
            .jitter(0.0)
            .max_concurrent(1)
            .adaptive(Adaptive::default().min_rate(f64::MIN_POSITIVE))
            .circuit_breaker(CircuitBreaker::new(1).open_for(Duration::ZERO));
        assert_eq!((all.check(), all.is_none()), (Ok(()), false));
    }

    #[test]
    fn jitter_alone_limits_nothing() {
        assert!(Politeness::new().is_none() && Politeness::new().jitter(1.0).is_none());
        for one in [
            Politeness::new().rate(1.0),
            Politeness::new().max_concurrent(1),
            Politeness::new().adaptive(Adaptive::new()),
            Politeness::new().circuit_breaker(CircuitBreaker::new(1)),
        ] {
            assert!(!one.is_none(), "{one:?}");
        }
    }
}
