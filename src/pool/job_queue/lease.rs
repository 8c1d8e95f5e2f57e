//! When a lease ends, and when it is extended. Pure: the time is an argument.

use std::time::{Duration, Instant};

/// When a lease runs out. One that is too long for the clock does so in a century.
pub(super) fn end_of(from: Instant, lease: Duration) -> Instant {
    from.checked_add(lease).or_else(|| from.checked_add(CENTURY)).unwrap_or(from)
}

/// A third of the lease: two tries may fail.
pub(super) fn next_extension(now: Instant, lease: Duration) -> Instant {
    let third = (lease / 3).clamp(SHORTEST, LONGEST);
    now.checked_add(third).unwrap_or(now)
}

/// After an error it is asked again, sooner; `None` when the lease must have run out.
pub(super) fn again_after_error(now: Instant, ends: Instant, lease: Duration) -> Option<Instant> {
    let next = now.checked_add((lease / 10).clamp(SHORTEST, AFTER_ERROR))?;
    (now < ends).then(|| next.min(ends))
}

/// A lease that is shorter than the way to the engine is not kept by asking more often.
const SHORTEST: Duration = Duration::from_millis(1);
const AFTER_ERROR: Duration = Duration::from_millis(100);
/// Far enough for every lease, and near enough for every clock.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_extended_at_its_third_and_sooner_after_an_error() {
        let now = Instant::now();
        let secs = Duration::from_secs;
        assert_eq!(next_extension(now, secs(30)), now + secs(10));
        assert_eq!(next_extension(now, Duration::ZERO), now + SHORTEST);
        assert_eq!(next_extension(now, Duration::MAX), now + LONGEST);
        let ends = now + secs(20);
        assert_eq!(again_after_error(now, ends, secs(30)), Some(now + AFTER_ERROR));
        let last = ends - Duration::from_millis(30);
        assert_eq!(again_after_error(last, ends, secs(30)), Some(ends));
        assert_eq!(again_after_error(ends, ends, secs(30)), None);
    }

    #[test]
    fn a_lease_without_an_end_is_not_lost_by_an_error() {
        let now = Instant::now();
        assert_eq!(end_of(now, LONGEST), now + LONGEST);
        let ends = end_of(now, Duration::MAX);
        let later = now + LONGEST;
        assert_eq!(again_after_error(later, ends, Duration::MAX), Some(later + AFTER_ERROR));
    }
}
