//! The rate that an origin bears: cut at once, grown slowly.

use std::time::{Duration, Instant};

use super::lately::Lately;
use super::latency::Latency;
use super::pace::later;
use super::settings::Adaptive;

/// Additive increase, multiplicative decrease, on the rate of starts.
pub(super) struct Speed {
    floor: f64,
    /// Infinite if there is none.
    ceiling: f64,
    cut: Option<Cut>,
    /// Counts the cuts: what was begun before the last one is no reason for another.
    epoch: u32,
    /// Nothing starts before.
    hold: Option<Instant>,
    lately: Lately,
    latency: Latency,
}

struct Cut {
    rate: f64,
    /// What it was before.
    before: f64,
    /// The highest that it was before any of the cuts since there was no limit.
    worst: f64,
    /// Up to when it has been grown.
    grown: Instant,
}

/// What a try that ended says, apart from nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Notice {
    /// It went well.
    Good,
    /// The origin asks to be asked less, and perhaps not at all for so long.
    Slow(Option<Duration>),
}

/// What becomes of the rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    None,
    Faster,
    Slower,
}

impl Speed {
    /// `ceiling` is the rate that is never exceeded.
    pub(super) fn new(settings: &Adaptive, ceiling: Option<f64>) -> Self {
        let ceiling = ceiling.unwrap_or(f64::INFINITY);
        Self {
            floor: settings.min_rate.min(ceiling),
            ceiling,
            cut: None,
            epoch: 0,
            hold: None,
            lately: Lately::default(),
            latency: Latency::new(),
        }
    }

    /// How many a second may start; infinite for no limit.
    pub(super) fn rate(&self) -> f64 {
        self.cut.as_ref().map_or(self.ceiling, |cut| cut.rate)
    }

    pub(super) const fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Before when nothing starts, whatever the rate.
    pub(super) const fn hold(&self) -> Option<Instant> {
        self.hold
    }

    pub(super) fn start(&mut self, now: Instant) {
        self.lately.start(now);
    }

    /// A try of that epoch ended.
    pub(super) fn end(
        &mut self,
        now: Instant,
        latency: Duration,
        epoch: u32,
        notice: Notice,
    ) -> Change {
        let is_recent = epoch == self.epoch;
        match notice {
            Notice::Slow(wait) => {
                let until = wait.map(|wait| later(now, wait));
                self.hold = self.hold.max(until);
                if is_recent {
                    self.cut(now, HALF);
                    return Change::Slower;
                }
                Change::None
            }
            // Before the cut it may have been faster than now, or slower for the crowd.
            Notice::Good if !is_recent => Change::None,
            Notice::Good if self.latency.add(now, latency) => {
                self.cut(now, THREE_QUARTERS);
                Change::Slower
            }
            Notice::Good => self.grow(now),
        }
    }

    fn cut(&mut self, now: Instant, share: f64) {
        let mut before = self.rate();
        if before.is_infinite() || self.lately.is_whole(now) {
            // What was started, if that was less: halving what nobody made use of changes nothing.
            before = before.min(self.lately.rate(now)).max(self.floor);
        }
        let worst = self.cut.as_ref().map_or(before, |cut| cut.worst.max(before));
        let rate = (before * share).max(self.floor);
        self.cut = Some(Cut { rate, before, worst, grown: now });
        self.epoch = self.epoch.wrapping_add(1);
        self.latency.begin_round();
    }

    fn grow(&mut self, now: Instant) -> Change {
        let Some(cut) = &mut self.cut else { return Change::None };
        // A time in which nothing was asked has proved nothing.
        let longest = (2.0 / cut.rate).max(1.0);
        let time = now.saturating_duration_since(cut.grown).as_secs_f64().min(longest);
        // From what was too much once by a share of itself: else it would not get out of a deep
        // cut within any useful time.
        cut.rate += cut.before.max(cut.rate) * GROWTH * time;
        cut.grown = now;
        if cut.rate > cut.worst * 2.0 || cut.rate >= self.ceiling {
            self.cut = None;
        }
        Change::Faster
    }

    pub(super) fn forget(&mut self) {
        self.cut = None;
        self.epoch = 0;
        self.hold = None;
        self.lately = Lately::default();
        self.latency = Latency::new();
    }
}

const HALF: f64 = 0.5;
const THREE_QUARTERS: f64 = 0.75;
/// Of the rate before the cut, each second.
const GROWTH: f64 = 0.05;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_begins_a_new_round_of_latencies() {
        let now = Instant::now();
        let mut speed = Speed::new(&Adaptive::new(), None);
        let mut end = |count: usize, ms: u64, notice: Notice| {
            let (latency, epoch) = (Duration::from_millis(ms), speed.epoch());
            speed.start(now);
            let ends = (0..count).map(|_| speed.end(now, latency, epoch, notice));
            ends.filter(|change| *change == Change::Slower).count()
        };
        assert_eq!(end(8, 100, Notice::Good), 0);
        assert_eq!(end(7, 100, Notice::Good), 0);
        assert_eq!(end(1, 100, Notice::Slow(None)), 1);
        assert_eq!(end(8, 300, Notice::Good), 1, "the seven short ones were of the time before");
    }
}
