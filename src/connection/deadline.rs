//! When a request must be over: one moment, copied down the call chain and never restarted.

use std::fmt;
use std::time::{Duration, Instant};

use crate::message::Clock;

/// The moment something must be over, and the setting that says so.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    /// `None` is never: no limit was set, or one beyond what the clock can count to.
    at: Option<Instant>,
    limit: Duration,
    clock: Clock,
}

impl Deadline {
    /// The moment at which a limit that starts now runs out.
    pub(crate) fn after(now: Instant, limit: Option<Duration>, clock: Clock) -> Self {
        Self {
            at: limit.and_then(|limit| now.checked_add(limit)),
            limit: limit.unwrap_or(Duration::MAX),
            clock,
        }
    }

    /// No limit.
    pub(crate) const fn never() -> Self {
        Self { at: None, limit: Duration::MAX, clock: Clock::Request }
    }

    /// The one that comes first.
    pub(crate) fn or_earlier(self, other: Self) -> Self {
        match (self.at, other.at) {
            (Some(mine), Some(theirs)) if theirs < mine => other,
            (None, Some(_)) => other,
            _ => self,
        }
    }

    /// The same, so much later: for a time in which the request was kept from going on by us.
    pub(crate) fn later_by(self, pause: Duration) -> Self {
        Self { at: self.at.and_then(|at| at.checked_add(pause)), ..self }
    }

    /// The time that is left, never zero; `None` if there is no limit.
    ///
    /// `now` is an argument so that tests own the clock.
    pub(crate) fn left(self, now: Instant) -> Result<Option<Duration>, Expired> {
        let Some(at) = self.at else { return Ok(None) };
        match at.checked_duration_since(now) {
            Some(left) if !left.is_zero() => Ok(Some(left)),
            _ => Err(self.expired()),
        }
    }

    /// The moment itself, if there is one.
    pub(crate) const fn at(self) -> Option<Instant> {
        self.at
    }

    /// What is told when it has passed.
    pub(crate) const fn expired(self) -> Expired {
        Expired { clock: self.clock, limit: self.limit, rate: None }
    }
}

/// A time limit ran out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Expired {
    pub(crate) clock: Clock,
    /// How long it was.
    pub(crate) limit: Duration,
    /// The bytes a second that were asked for, where that is what it was about.
    pub(crate) rate: Option<u64>,
}

impl fmt::Display for Expired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limit = self.limit;
        match self.clock {
            Clock::Request => write!(f, "the request's timeout of {limit:?} ran out"),
            Clock::Dns => write!(f, "the look-up's dns_timeout of {limit:?} ran out"),
            Clock::Connect => write!(f, "the connect_timeout of {limit:?} ran out"),
            Clock::FirstByte => {
                write!(f, "no byte of a response within the first_byte_timeout of {limit:?}")
            }
            Clock::Stall => write!(f, "no byte moved for the stall_timeout of {limit:?}"),
            Clock::LowSpeed => {
                let rate = self.rate.unwrap_or_default();
                write!(f, "slower than the low_speed of {rate} bytes a second for {limit:?}")
            }
            Clock::Deadline => write!(f, "the pool's deadline of {limit:?} passed"),
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
        let soon = Deadline::after(now, Some(Duration::from_secs(1)), Clock::Request);
        assert_eq!(soon.later_by(Duration::MAX).left(now), Ok(None));
    }

    #[test]
    fn the_earlier_of_two_is_the_one_that_is_told() {
        let now = Instant::now();
        let request = Deadline::after(now, Some(Duration::from_secs(30)), Clock::Request);
        let connect = Deadline::after(now, Some(Duration::from_secs(10)), Clock::Connect);
        let both = request.or_earlier(connect);
        let told = both.left(now + Duration::from_secs(10)).unwrap_err();
        assert_eq!((told.clock, told.limit), (Clock::Connect, Duration::from_secs(10)));
        let never = Deadline::never();
        assert_eq!(never.or_earlier(request).left(now), Ok(Some(Duration::from_secs(30))));
        assert_eq!(request.or_earlier(never).left(now), Ok(Some(Duration::from_secs(30))));
    }
}
