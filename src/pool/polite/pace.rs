//! How fast jobs may start: those of a pool, and those of one origin.

use std::time::{Duration, Instant};

/// Starts at an even pace: so many a second, and no burst after a pause.
pub(in crate::pool) struct Pace {
    /// Zero where nothing limits it.
    interval: Duration,
    jitter: f64,
    /// When the last start was due; `None` before the first one.
    from: Option<Instant>,
    /// By how much the interval after it is longer, as a share.
    stretch: f64,
}

impl Pace {
    /// `rate` is positive, as the settings have checked, and infinite for no limit; `jitter` is the
    /// share of the interval that is added to it at most.
    pub(in crate::pool) fn new(rate: f64, jitter: f64) -> Self {
        Self { interval: interval(rate), jitter, from: None, stretch: 0.0 }
    }

    /// When the next job may start; `None` before the first one, and without a limit.
    pub(super) fn due(&self) -> Option<Instant> {
        let longer = Duration::try_from_secs_f64(self.interval.as_secs_f64() * self.stretch);
        let wait = self.interval.saturating_add(longer.unwrap_or(Duration::MAX));
        self.from.filter(|_| !wait.is_zero()).map(|from| later(from, wait))
    }

    /// How long until the next job may start; `None` if it may now.
    pub(in crate::pool) fn wait(&self, now: Instant) -> Option<Duration> {
        let wait = self.due()?.saturating_duration_since(now);
        (!wait.is_zero()).then_some(wait)
    }

    /// A job starts now. `random` is between 0 and 1.
    pub(in crate::pool) fn start(&mut self, now: Instant, random: f64) {
        self.from = Some(match self.due() {
            // Counted from when it was due, so that the rate is kept on average although threads
            // wake a little late.
            Some(due) if now.saturating_duration_since(due) < self.lateness() => due,
            _ => now,
        });
        self.stretch = self.jitter * random.clamp(0.0, 1.0);
    }

    /// The rate is another one from now on, also for the next start.
    pub(super) fn set_rate(&mut self, rate: f64) {
        self.interval = interval(rate);
    }

    /// The rate is a lower one, and the next start is a whole interval away from now.
    pub(super) fn slow_down(&mut self, now: Instant, rate: f64) {
        self.set_rate(rate);
        self.from = Some(self.from.map_or(now, |from| from.max(now)));
    }

    /// From when on it makes no difference what has been; `None` if nothing has.
    pub(super) fn over(&self) -> Option<Instant> {
        self.due().map(|due| later(due, self.lateness()))
    }

    pub(super) fn forget(&mut self) {
        self.from = None;
    }

    fn lateness(&self) -> Duration {
        self.interval.min(LATENESS)
    }
}

/// `at` and so much more, but for what no clock counts to.
pub(super) fn later(at: Instant, wait: Duration) -> Instant {
    // Where even a century more is too much for the clock it is wrong already.
    at.checked_add(wait.min(CENTURY)).unwrap_or(at)
}

fn interval(rate: f64) -> Duration {
    Duration::try_from_secs_f64(rate.recip()).unwrap_or(Duration::MAX)
}

/// By how much a start may be late, and the next one not be later for it. More would let two
/// starts at a low rate come closer to each other than a server that counts allows.
const LATENESS: Duration = Duration::from_millis(5);
const CENTURY: Duration = Duration::from_secs(100 * 365 * 86_400);

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_pace_spaces_starts_evenly_and_saves_nothing_up() {
        let now = Instant::now();
        let mut pace = Pace::new(100.0, 0.0);
        assert_eq!(pace.wait(now), None);
        pace.start(now, 0.5);
        assert_eq!(pace.wait(now), Some(ms(10)));
        assert_eq!(pace.wait(now + ms(10)), None);
        pace.start(now + ms(12), 0.5);
        assert_eq!(pace.wait(now + ms(12)), Some(ms(8)), "a late start does not delay the next");
        pace.start(now + ms(29), 0.5);
        assert_eq!(pace.wait(now + ms(29)), Some(ms(10)), "but it does where it came very late");
        pace.start(now + ms(1000), 0.5);
        assert_eq!(pace.wait(now + ms(1000)), Some(ms(10)), "a pause is not made up for");
    }

    #[test]
    fn jitter_makes_an_interval_longer_by_up_to_that_share_and_never_shorter() {
        let now = Instant::now();
        let mut pace = Pace::new(10.0, 0.5);
        for (random, wait) in [(0.0, 100), (0.5, 125), (1.0, 150), (-7.0, 100), (9.0, 150)] {
            let at = now + Duration::from_secs(1);
            pace.start(at, random);
            assert_eq!(pace.wait(at), Some(ms(wait)), "{random}");
            pace.from = None;
        }
    }

    #[test]
    fn a_rate_that_changes_holds_for_the_next_start_already() {
        let now = Instant::now();
        let mut pace = Pace::new(f64::INFINITY, 1.0);
        pace.start(now, 1.0);
        assert_eq!((pace.wait(now), pace.due(), pace.over()), (None, None, None), "no limit");
        pace.slow_down(now + ms(30), 10.0);
        assert_eq!(pace.due(), Some(now + ms(230)), "counted from then on");
        pace.set_rate(20.0);
        assert_eq!(pace.due(), Some(now + ms(130)), "a higher one is of use at once");
        pace.set_rate(f64::INFINITY);
        assert_eq!(pace.due(), None);
    }

    #[test]
    fn what_has_been_is_over_when_a_late_start_is_not_made_up_for_any_more() {
        let now = Instant::now();
        for (rate, over) in [(100.0, ms(15)), (1000.0, ms(2))] {
            let mut pace = Pace::new(rate, 0.0);
            assert_eq!(pace.over(), None);
            pace.start(now, 0.0);
            assert_eq!(pace.over(), Some(now + over));
            pace.start(now + over, 0.0);
            assert_eq!(pace.from, Some(now + over), "as if it were the first one");
        }
    }

    #[test]
    fn a_rate_too_low_for_the_clock_lets_one_job_start_and_no_other() {
        let now = Instant::now();
        for jitter in [0.0, 1.0, f64::MAX] {
            let mut pace = Pace::new(1e-300, jitter);
            assert_eq!(pace.wait(now), None);
            pace.start(now, 1.0);
            assert!(pace.wait(now + Duration::from_secs(1_000_000_000)).is_some());
        }
        let mut pace = Pace::new(f64::MAX, f64::MAX);
        pace.start(now, 1.0);
        assert!(pace.wait(now).is_none_or(|wait| !wait.is_zero()));
    }
}
