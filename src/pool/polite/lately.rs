//! At which rate tries were started lately.

use std::time::{Duration, Instant};

/// Counts starts over the last second or two; over longer where there were few.
#[derive(Default)]
pub(super) struct Lately {
    earlier: Option<Span>,
    current: Option<Span>,
}

#[derive(Clone, Copy)]
struct Span {
    from: Instant,
    starts: u32,
}

impl Lately {
    pub(super) fn start(&mut self, now: Instant) {
        match &mut self.current {
            Some(span) if now.saturating_duration_since(span.from) < SPAN => {
                span.starts = span.starts.saturating_add(1);
            }
            current => {
                // A pause is not part of a rate.
                self.earlier =
                    current.filter(|span| now.saturating_duration_since(span.from) < PAUSE);
                *current = Some(Span { from: now, starts: 1 });
            }
        }
    }

    /// Starts a second. Those of less than a second count as if they were all of one: the first
    /// jobs of a pool start all at once, and that is no rate that it would go on with.
    pub(super) fn rate(&self, now: Instant) -> f64 {
        let spans = || self.earlier.iter().chain(&self.current);
        let starts: f64 = spans().map(|span| f64::from(span.starts)).sum();
        let time = spans().next().map_or(SPAN, |span| now.saturating_duration_since(span.from));
        starts / time.max(SPAN).as_secs_f64()
    }

    /// Whether that is of a whole second at least, and so not too low.
    pub(super) fn is_whole(&self, now: Instant) -> bool {
        let current = self.current.is_some_and(|s| now.saturating_duration_since(s.from) >= SPAN);
        current || self.earlier.is_some()
    }
}

const SPAN: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_that_of_the_last_seconds() {
        // Starts in ms, as (first, how many, apart); when asked; the rate.
        let steady = (0, 400, 10);
        for (starts, asked, rate) in [
            (&[][..], 0, 0.0),
            (&[(0, 16, 0)], 20, 16.0),
            (&[(0, 16, 0)], 4000, 4.0),
            (&[steady], 3990, 100.0),
            (&[(0, 30, 100)], 2900, 10.0),
            (&[(0, 10, 2000)], 18_000, 1.0),
            (&[steady, (20_000, 3, 10)], 20_050, 3.0),
        ] {
            let now = Instant::now();
            let at = |ms| now + Duration::from_millis(ms);
            let mut lately = Lately::default();
            for (first, count, apart) in starts {
                (0..*count).for_each(|n| lately.start(at(first + n * apart)));
            }
            let found = lately.rate(at(asked));
            assert!((found - rate).abs() <= rate * 0.06, "{starts:?}: {found}, not {rate}");
        }
    }

    #[test]
    fn a_rate_is_whole_after_a_second_and_not_after_a_pause() {
        let now = Instant::now();
        let at = |ms| now + Duration::from_millis(ms);
        let mut lately = Lately::default();
        assert!(!lately.is_whole(now));
        lately.start(now);
        assert!(!lately.is_whole(at(999)) && lately.is_whole(at(1000)));
        lately.start(at(9000));
        assert!(lately.is_whole(at(9000)));
        lately.start(at(19_000));
        assert!(!lately.is_whole(at(19_000)));
    }
}
