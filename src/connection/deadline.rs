//! When a request must be over: one moment, copied down the call chain and never restarted.

use std::fmt;
use std::time::{Duration, Instant};

/// The moment something must be over, and the setting that says so.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    /// `None` is never: no limit was set, or one beyond what the clock can count to.
    at: Option<Instant>,
    clock: Clock,
}

/// The setting a deadline comes from, for the error that tells of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Clock {
    /// The whole request's `timeout`.
    Request(Duration),
    /// The session's `connect_timeout`.
    Connect(Duration),
}

impl Deadline {
    /// The moment at which a limit that starts now runs out.
    pub(crate) fn after(
        now: Instant,
        limit: Option<Duration>,
        clock: fn(Duration) -> Clock,
    ) -> Self {
        Self {
            at: limit.and_then(|limit| now.checked_add(limit)),
            clock: clock(limit.unwrap_or(Duration::MAX)),
        }
    }

    /// The one that comes first.
    pub(crate) fn or_earlier(self, other: Self) -> Self {
        match (self.at, other.at) {
            (Some(mine), Some(theirs)) if theirs < mine => other,
            (None, Some(_)) => other,
            _ => self,
        }
    }

    /// The time that is left, never zero; `None` if there is no limit.
    ///
    /// `now` is an argument so that tests own the clock.
    pub(crate) fn left(self, now: Instant) -> Result<Option<Duration>, Expired> {
        let Some(at) = self.at else { return Ok(None) };
        match at.checked_duration_since(now) {
            Some(left) if !left.is_zero() => Ok(Some(left)),
            _ => Err(Expired(self.clock)),
        }
    }

    /// The share of the time left for one of `parts` equal parts, this one among them.
    pub(crate) fn share(self, now: Instant, parts: usize) -> Result<Option<Duration>, Expired> {
        let parts = u32::try_from(parts.max(1)).unwrap_or(u32::MAX);
        Ok(self.left(now)?.map(|left| (left / parts).max(Duration::from_nanos(1))))
    }
}

/// A deadline has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Expired(pub(crate) Clock);

impl fmt::Display for Expired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Clock::Request(limit) => write!(f, "the request's timeout of {limit:?} ran out"),
            Clock::Connect(limit) => write!(f, "the connect timeout of {limit:?} ran out"),
        }
    }
}

impl std::error::Error for Expired {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_beyond_the_clock_is_no_limit_and_not_a_panic() {
        let now = Instant::now();
        let deadline = Deadline::after(now, Some(Duration::MAX), Clock::Request);
        assert_eq!(deadline.left(now), Ok(None));
    }

    #[test]
    fn the_earlier_of_two_is_the_one_that_is_told() {
        let now = Instant::now();
        let request = Deadline::after(now, Some(Duration::from_secs(30)), Clock::Request);
        let connect = Deadline::after(now, Some(Duration::from_secs(10)), Clock::Connect);
        let both = request.or_earlier(connect);
        let told = both.left(now + Duration::from_secs(10)).unwrap_err();
        assert_eq!(told.0, Clock::Connect(Duration::from_secs(10)));
        let never = Deadline::after(now, None, Clock::Connect);
        assert_eq!(never.or_earlier(request).left(now), Ok(Some(Duration::from_secs(30))));
        assert_eq!(request.or_earlier(never).left(now), Ok(Some(Duration::from_secs(30))));
    }

    #[test]
    fn addresses_share_what_is_left() {
        let now = Instant::now();
        let deadline = Deadline::after(now, Some(Duration::from_secs(8)), Clock::Connect);
        assert_eq!(deadline.share(now, 4), Ok(Some(Duration::from_secs(2))));
        assert!(deadline.share(now + Duration::from_secs(8), 4).is_err());
    }
}
