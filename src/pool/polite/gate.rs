//! Whether a try for one origin may start now, and what is learned from those that did.

use std::time::{Duration, Instant};

use super::breaker::{Breaker, Verdict, Way};
use super::pace::{Pace, later};
use super::settings::Politeness;
use super::sign::Sign;
use super::speed::{Change, Notice, Speed};

/// Holds the tries for one origin back. Pure: the clock is an argument.
///
/// Whoever starts a try asks [`state`](Self::state) first, and tells of each [`start`](Self::start)
/// the [`end`](Self::end). There may be very many gates: what few origins need is in a box.
pub(in crate::pool) struct Gate {
    pace: Pace,
    in_flight: u32,
    max_in_flight: u32,
    speed: Option<Box<Speed>>,
    breaker: Option<Box<Breaker>>,
    /// When a try started or ended last.
    last: Option<Instant>,
}

/// Whether a try may start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::pool) enum GateState {
    Open,
    /// Not before then, which is later than now.
    Until(Instant),
    /// Not before one that runs has ended.
    Full,
    /// No, and it is not to wait either: the circuit is open.
    Refused {
        until: Instant,
        /// In a row.
        failures: u32,
    },
}

/// What a gate is to be told again when the try ends.
#[derive(Clone, Copy, Debug)]
pub(in crate::pool) struct Pass {
    began: Instant,
    epoch: u32,
    is_probe: bool,
}

impl Gate {
    pub(in crate::pool) fn new(politeness: &Politeness) -> Self {
        let Politeness { rate, jitter, max_concurrent, adaptive, breaker } = politeness;
        let max = max_concurrent.map_or(u32::MAX, |max| u32::try_from(max).unwrap_or(u32::MAX));
        Self {
            pace: Pace::new(rate.unwrap_or(f64::INFINITY), *jitter),
            in_flight: 0,
            max_in_flight: max,
            speed: adaptive.as_ref().map(|adaptive| Box::new(Speed::new(adaptive, *rate))),
            breaker: breaker.as_ref().map(|breaker| Box::new(Breaker::new(breaker))),
            last: None,
        }
    }

    /// Whether a try may start now; one always may where the gate could be forgotten. What can be waited for by the clock comes last, since what
    /// else there is may end later.
    pub(in crate::pool) fn state(&self, now: Instant) -> GateState {
        match self.breaker.as_ref().map_or(Way::Free, |breaker| breaker.way(now)) {
            Way::Refused { until, failures } => return GateState::Refused { until, failures },
            Way::Probed => return GateState::Full,
            Way::Free => {}
        }
        if self.in_flight >= self.max_in_flight {
            return GateState::Full;
        }
        let due = self.pace.due().max(self.hold());
        due.filter(|due| *due > now).map_or(GateState::Open, GateState::Until)
    }

    /// A try starts. `random` is between 0 and 1.
    pub(in crate::pool) fn start(&mut self, now: Instant, random: f64) -> Pass {
        self.forget_if_over(now);
        self.in_flight = self.in_flight.saturating_add(1);
        self.last = Some(now);
        self.pace.start(now, random);
        let is_probe = self.breaker.as_mut().is_some_and(|breaker| breaker.start(now));
        let mut epoch = 0;
        if let Some(speed) = &mut self.speed {
            speed.start(now);
            epoch = speed.epoch();
        }
        Pass { began: now, epoch, is_probe }
    }

    /// A try ended.
    pub(in crate::pool) fn end(&mut self, now: Instant, pass: Pass, sign: Sign) {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.last = Some(now);
        if let Some(breaker) = &mut self.breaker {
            let verdict = match sign {
                Sign::Good => Verdict::Success,
                Sign::Failed | Sign::Overloaded => Verdict::Failure,
                Sign::Slow(_) | Sign::Nothing => Verdict::Neither,
            };
            breaker.end(now, pass.began, pass.is_probe, verdict);
        }
        let notice = match sign {
            Sign::Good => Notice::Good,
            Sign::Slow(wait) => Notice::Slow(wait),
            Sign::Overloaded => Notice::Slow(None),
            Sign::Failed | Sign::Nothing => return,
        };
        if let Some(speed) = &mut self.speed {
            let latency = now.saturating_duration_since(pass.began);
            match speed.end(now, latency, pass.epoch, notice) {
                Change::Slower => self.pace.slow_down(now, speed.rate()),
                Change::Faster => self.pace.set_rate(speed.rate()),
                Change::None => {}
            }
        }
    }

    /// When this gate may be dropped, since a new one would do the same from then on; `None` while a
    /// try runs.
    pub(in crate::pool) fn forget_at(&self, now: Instant) -> Option<Instant> {
        if self.in_flight > 0 {
            return None;
        }
        let Some(last) = self.last else { return Some(now) };
        let due = self.pace.over().max(Some(last));
        let breaker = self.breaker.as_ref().filter(|breaker| breaker.knows_something());
        if self.speed.is_none() && breaker.is_none() {
            return due;
        }
        // What held tries back is over first: who was held back until then has not been idle.
        let until = breaker.and_then(|breaker| breaker.until());
        due.max(self.hold()).max(until).map(|at| later(at, MEMORY))
    }

    /// So that it makes no difference whether it is really dropped.
    fn forget_if_over(&mut self, now: Instant) {
        if self.last.is_none() || self.forget_at(now).is_none_or(|at| at > now) {
            return;
        }
        self.last = None;
        self.pace.forget();
        if let Some(breaker) = &mut self.breaker {
            breaker.forget();
        }
        if let Some(speed) = &mut self.speed {
            speed.forget();
            self.pace.set_rate(speed.rate());
        }
    }

    fn hold(&self) -> Option<Instant> {
        self.speed.as_ref().and_then(|speed| speed.hold())
    }
}

/// For how long an origin that nothing holds back any more is remembered.
const MEMORY: Duration = Duration::from_secs(60);

#[cfg(test)]
#[path = "gate_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "gate_random_tests.rs"]
mod random_tests;
