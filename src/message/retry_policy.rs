//! What is tried again, how often, and how long it is waited before: a value, which decides nothing.

use std::borrow::Cow;
use std::time::Duration;

use super::ErrorKind;

/// Whether a request that failed is tried again, and after how long.
///
/// Given to a [`Request`](crate::Request::retry), to all of a session
/// ([`SessionConfig::retry`](crate::SessionConfig::retry)) or of a pool
/// ([`PoolBuilder::retry`](crate::PoolBuilder::retry)), in that order of precedence. Without one
/// nothing is tried again.
///
/// # What is tried again
///
/// What a second try may mend: a connection that could not be opened or broke, also within a TLS
/// handshake, a time-out of one phase, and the statuses 408, 425, 429, 500, 502, 503 and 504. A
/// certificate that is refused, or an alert, is final. [`statuses`](Self::statuses) and
/// [`retry_kind`](Self::retry_kind) change that.
///
/// And only where sending the request twice does no more than sending it once (GET, HEAD, PUT,
/// DELETE, OPTIONS, TRACE: RFC 9110 §9.2.2), or nothing of it was sent yet, or
/// [`retry_unsafe`](Self::retry_unsafe) says so; and where its body can be sent again
/// ([`Body`](crate::Body) says which can). A body of which a writer or function of the caller's has
/// seen a part is not sent for again.
///
/// # When
///
/// The wait grows exponentially, with full jitter: a random time up to 200 ms before the first
/// retry, 400 ms before the second and so on, up to 60 s ([`backoff`](Self::backoff)). A
/// `Retry-After`, in seconds or as a date (RFC 9110 §10.2.3), is obeyed up to 60 s
/// ([`retry_after_max`](Self::retry_after_max)). The wait counts inside the request's timeout. A
/// retry that could not begin before that ends, or before the pool's deadline, is not made, nor one
/// that would then have less time than the TCP handshake of the try before took, which is one round
/// trip, and no answer comes in less: the last result stands.
///
/// In a pool a request that waits takes no worker;
/// [`waiting_capacity`](crate::PoolBuilder::waiting_capacity) says how many may. While the only worker
/// waits in an iterator of the caller's own, nothing is tried again. A [`Session`](crate::Session) alone, and a
/// [`SessionThread`](crate::SessionThread), wait in their place; a cancel wakes them.
///
/// # How often
///
/// At most as often as [`new`](Self::new) says, and as the [`budget`](Self::budget) allows.
/// [`Response::attempts`](crate::Response::attempts) and
/// [`Error::attempts`](crate::Error::attempts) tell of each try.
///
/// # Examples
///
/// ```
/// use fetchpool::{ErrorKind, Request, RetryPolicy, SessionConfig};
/// use std::time::Duration;
///
/// let mut session = SessionConfig::new();
/// session.retry = Some(
///     RetryPolicy::new(3)
///         .backoff(Duration::from_millis(50), Duration::from_secs(5))
///         .retry_after_max(Duration::from_secs(20))
///         .statuses([429, 503])
///         .retry_kind(ErrorKind::Timeout, false),
/// );
/// // This one does nothing that must not be done twice, and may be sent again.
/// let search = Request::post("http://example.com/search")
///     .data("what")
///     .retry(RetryPolicy::new(1).retry_unsafe(true));
/// // And this one has no time for that.
/// let ping = Request::get("http://example.com/ping").without_retry();
/// # let _ = (session, search, ping);
/// ```
#[must_use = "a policy does nothing until it is given to a request, a session or a pool"]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    max_retries: u32,
    first_wait: Duration,
    wait_cap: Duration,
    retry_after_max: Duration,
    unsafe_methods: bool,
    statuses: Cow<'static, [u16]>,
    /// Where the caller wants it otherwise than it is by default; the last one counts.
    kinds: Vec<(ErrorKind, bool)>,
    ration: Option<Ration>,
    /// The first setting that cannot be.
    fault: Option<String>,
}

/// How many retries there may be for so many requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ration {
    /// What each request earns, in millionths of a retry: fractions of two do not add up to one.
    pub(crate) share: u32,
    /// Retries that need not be earned.
    pub(crate) reserve: u32,
}

impl RetryPolicy {
    /// At most so many tries after the first, and everything else as it is told above.
    pub const fn new(max_retries: u32) -> Self {
        Self {
            max_retries,
            first_wait: Duration::from_millis(200),
            wait_cap: Duration::from_secs(60),
            retry_after_max: Duration::from_secs(60),
            unsafe_methods: false,
            statuses: Cow::Borrowed(&RETRIED_STATUSES),
            kinds: Vec::new(),
            ration: Some(Ration { share: MILLION / 5, reserve: 100 }),
            fault: None,
        }
    }

    /// How long it is waited before the first retry, at most, and before any. Each further retry
    /// may wait twice as long as the one before; how long it does is random, between nothing and
    /// that, so that those who failed together do not come back together. Default: 200 ms and
    /// 60 s. Zero is: at once.
    pub const fn backoff(mut self, first: Duration, cap: Duration) -> Self {
        self.first_wait = first;
        self.wait_cap = cap;
        self
    }

    /// How long a server's `Retry-After` is obeyed, at most: if it asks for more, the next try comes
    /// after this time all the same. Default: 60 s.
    pub const fn retry_after_max(mut self, longest: Duration) -> Self {
        self.retry_after_max = longest;
        self
    }

    /// Whether requests of every method are tried again, also POST and PATCH. Default: no.
    ///
    /// Danger: what broke after it was sent may have been done. Then it is done twice.
    pub const fn retry_unsafe(mut self, retry: bool) -> Self {
        self.unsafe_methods = retry;
        self
    }

    /// Which statuses are tried again, in the place of 408, 425, 429, 500, 502, 503 and 504. None
    /// at all is a list, too. One that no response can have (outside 200 to 999) is an error when the
    /// policy comes to be used.
    pub fn statuses(mut self, statuses: impl IntoIterator<Item = u16>) -> Self {
        let statuses: Vec<u16> = statuses.into_iter().collect();
        let wrong = statuses.iter().find(|status| !(200..=999).contains(*status)).copied();
        self.statuses = Cow::Owned(statuses);
        match wrong {
            Some(wrong) => self.note(format!("no response has the status {wrong} to retry")),
            None => self,
        }
    }

    /// Whether failures of this kind are tried again. Default: those of `Dns`, `Connect`, `Io`,
    /// `Closed`, `Timeout`, and, where it was the network that broke, `Tls` and `Proxy`.
    ///
    /// `Status` is about responses, and `false` is the same as no [`statuses`](Self::statuses) at
    /// all. What is the [caller's own](crate::Fault::Caller) is never tried again, whatever this says:
    /// a bad URL, a cancel, a panic.
    pub fn retry_kind(mut self, kind: ErrorKind, retry: bool) -> Self {
        self.kinds.push((kind, retry));
        self
    }

    /// How many retries there may be for so many requests: each request earns this share of a
    /// retry, and `reserve` of them need not be earned. Default: 0.2 and 100. Not more is saved up
    /// than a thousand requests earn. What is not from 0 to 1000 is an error when the policy
    /// comes to be used.
    ///
    /// While a server is down every request to it fails, and with three retries each would send it
    /// four times as many as when it was well, just when it can bear the least. With a budget they are
    /// a fifth more, after the first hundred. Where it is spent, the result that there is stands.
    ///
    /// A pool has one for each origin that requests go to; a [`Session`](crate::Session) alone, and a
    /// [`SessionThread`](crate::SessionThread), has one for everything.
    pub fn budget(mut self, share: f64, reserve: u32) -> Self {
        if !(0.0..=1000.0).contains(&share) {
            return self
                .note(format!("the budget for retries must be from 0 to 1000, not {share}"));
        }
        // At most 10^9, which fits.
        let share = (share * f64::from(MILLION)).round() as u32;
        self.ration = Some(Ration { share, reserve });
        self
    }

    /// Takes the [`budget`](Self::budget) away: each request is tried again as often as
    /// [`new`](Self::new) says, whatever becomes of the others.
    pub const fn without_budget(mut self) -> Self {
        self.ration = None;
        self
    }

    pub(crate) const fn max_retries(&self) -> u32 {
        self.max_retries
    }

    /// The longest wait after so many retries.
    pub(crate) fn longest_wait(&self, retries: u32) -> Duration {
        let factor = 2_u32.saturating_pow(retries);
        self.first_wait.saturating_mul(factor).min(self.wait_cap)
    }

    /// The wait of a `Retry-After`, as far as it is obeyed.
    pub(crate) fn obeyed(&self, retry_after: Duration) -> Duration {
        retry_after.min(self.retry_after_max)
    }

    pub(crate) const fn is_for_unsafe(&self) -> bool {
        self.unsafe_methods
    }

    pub(crate) fn is_for_status(&self, status: u16) -> bool {
        self.is_for_kind(ErrorKind::Status).unwrap_or(true) && self.statuses.contains(&status)
    }

    /// Whether the caller wants failures of this kind tried again; `None` if nothing was said.
    pub(crate) fn is_for_kind(&self, kind: ErrorKind) -> Option<bool> {
        self.kinds.iter().rev().find(|(of, _)| *of == kind).map(|(_, retry)| *retry)
    }

    pub(crate) const fn ration(&self) -> Option<Ration> {
        self.ration
    }

    /// What is wrong with the settings.
    pub(crate) fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }

    /// Remembers what is wrong; the first fault is the one that is told.
    fn note(mut self, fault: String) -> Self {
        self.fault.get_or_insert(fault);
        self
    }
}

/// How many millionths there are in one.
pub(crate) const MILLION: u32 = 1_000_000;
const RETRIED_STATUSES: [u16; 7] = [408, 425, 429, 500, 502, 503, 504];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_that_cannot_be_is_remembered_and_the_first_one_is_told() {
        let policy = || RetryPolicy::new(1);
        for (policy, fault) in [
            (policy().budget(f64::NAN, 1), Some("must be from 0 to 1000, not NaN")),
            (policy().budget(-0.1, 1), Some("not -0.1")),
            (policy().budget(f64::INFINITY, 1), Some("not inf")),
            (policy().budget(1000.1, 1), Some("not 1000.1")),
            (policy().statuses([503, 199]), Some("the status 199")),
            (policy().statuses([1000]), Some("the status 1000")),
            (policy().statuses([0]).budget(-1.0, 1), Some("the status 0")),
            (policy().budget(0.0, 0), None),
            (policy().budget(1000.0, u32::MAX), None),
            (policy().statuses([200, 999]), None),
            (policy().statuses([]), None),
        ] {
            match fault {
                Some(fault) => assert!(policy.fault().unwrap().contains(fault), "{policy:?}"),
                None => assert_eq!(policy.fault(), None),
            }
        }
    }

    #[test]
    fn a_share_is_counted_in_millionths() {
        let share = |share| RetryPolicy::new(1).budget(share, 7).ration();
        for (given, counted) in [(0.2, 200_000), (0.1, 100_000), (1.0, 1_000_000), (1e-6, 1)] {
            assert_eq!(share(given), Some(Ration { share: counted, reserve: 7 }));
        }
        assert_eq!(share(1000.0), Some(Ration { share: 1_000_000_000, reserve: 7 }));
        let usual = Ration { share: 200_000, reserve: 100 };
        assert_eq!(RetryPolicy::new(1).ration(), Some(usual));
        assert_eq!(RetryPolicy::new(1).without_budget().ration(), None);
    }
}
