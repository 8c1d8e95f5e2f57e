//! A stopwatch over the phases of a request.

use std::time::{Duration, Instant};

use crate::message::Timings;

/// Adds the time since the last look to one of the phases.
pub(super) struct Times<'a> {
    timings: &'a mut Timings,
    last: Instant,
}

impl<'a> Times<'a> {
    pub(super) fn new(timings: &'a mut Timings) -> Self {
        Self::since(Instant::now(), timings)
    }

    /// One that has been running since then.
    pub(super) const fn since(last: Instant, timings: &'a mut Timings) -> Self {
        Self { timings, last }
    }

    /// When it was looked at last.
    pub(super) const fn last(&self) -> Instant {
        self.last
    }

    /// What has been counted, and since when the time is that has not.
    pub(super) const fn so_far(&self) -> (Timings, Instant) {
        (*self.timings, self.last)
    }

    /// How long it was.
    pub(super) fn lap(&mut self, phase: fn(&mut Timings) -> &mut Duration) -> Duration {
        let now = Instant::now();
        let took = now.saturating_duration_since(self.last);
        let spent = phase(self.timings);
        *spent = spent.saturating_add(took);
        self.last = now;
        took
    }
}
