//! How fast jobs may start.

use std::time::{Duration, Instant};

/// Starts at an even pace: so many a second, and no burst after a pause.
pub(super) struct Pace {
    interval: Duration,
    /// When the next job may start; `None` before the first one.
    next: Option<Due>,
}

#[derive(Clone, Copy)]
enum Due {
    At(Instant),
    /// Beyond what the clock can count to.
    Never,
}

impl Pace {
    /// `rate` is positive and finite, as the builder has checked.
    pub(super) fn new(rate: f64) -> Self {
        let interval = Duration::try_from_secs_f64(rate.recip()).unwrap_or(Duration::MAX);
        Self { interval, next: None }
    }

    /// How long until the next job may start; `None` if it may now.
    pub(super) fn wait(&self, now: Instant) -> Option<Duration> {
        let wait = match self.next? {
            Due::At(next) => next.saturating_duration_since(now),
            Due::Never => LONG,
        };
        (!wait.is_zero()).then_some(wait)
    }

    /// A job starts now.
    pub(super) fn start(&mut self, now: Instant) {
        // Counted from when it was due, so that the rate is kept on average although threads wake
        // a little late; but from now if it came later than a whole interval.
        let due = match self.next {
            Some(Due::At(next)) if now.saturating_duration_since(next) < self.interval => next,
            _ => now,
        };
        self.next = Some(due.checked_add(self.interval).map_or(Due::Never, Due::At));
    }
}

/// What is waited for at a time, where there is no end to it.
const LONG: Duration = Duration::from_secs(86_400);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_spaces_starts_evenly_and_saves_nothing_up() {
        let now = Instant::now();
        let ms = Duration::from_millis;
        let mut pace = Pace::new(100.0);
        assert_eq!(pace.wait(now), None);
        pace.start(now);
        assert_eq!(pace.wait(now), Some(ms(10)));
        assert_eq!(pace.wait(now + ms(10)), None);
        pace.start(now + ms(12));
        assert_eq!(pace.wait(now + ms(12)), Some(ms(8)), "a late start does not delay the next");
        pace.start(now + ms(1000));
        assert_eq!(pace.wait(now + ms(1000)), Some(ms(10)), "a pause is not made up for");
    }

    #[test]
    fn a_rate_too_low_for_the_clock_lets_one_job_start_and_no_other() {
        let now = Instant::now();
        let mut pace = Pace::new(1e-300);
        assert_eq!(pace.wait(now), None);
        pace.start(now);
        assert!(pace.wait(now + Duration::from_secs(1_000_000)).is_some());
    }
}
