//! The circuit breaker of one origin: closed, open, half-open.

use std::time::{Duration, Instant};

use super::pace::later;
use super::settings::CircuitBreaker;

/// Leaves an origin alone that fails again and again.
pub(super) struct Breaker {
    limit: u32,
    open_for: Duration,
    /// In a row.
    failures: u32,
    /// When the last try succeeded: what was begun before may still fail and mean nothing.
    success: Option<Instant>,
    circuit: Circuit,
}

#[derive(Clone, Copy)]
enum Circuit {
    Closed,
    /// Half-open from `until` on.
    Open {
        until: Instant,
        /// The one try of the half-open circuit runs.
        is_probed: bool,
    },
}

/// Whether a try may start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Free,
    /// When the one try that runs has ended.
    Probed,
    Refused {
        until: Instant,
        failures: u32,
    },
}

/// What a try that ended says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Success,
    Failure,
    Neither,
}

impl Breaker {
    pub(super) const fn new(settings: &CircuitBreaker) -> Self {
        Self {
            limit: settings.failures,
            open_for: settings.open_for,
            failures: 0,
            success: None,
            circuit: Circuit::Closed,
        }
    }

    pub(super) fn way(&self, now: Instant) -> Way {
        match self.circuit {
            Circuit::Closed => Way::Free,
            Circuit::Open { until, .. } if now < until => {
                Way::Refused { until, failures: self.failures }
            }
            Circuit::Open { is_probed: true, .. } => Way::Probed,
            Circuit::Open { is_probed: false, .. } => Way::Free,
        }
    }

    /// A try starts: whether it is the one of a half-open circuit.
    pub(super) fn start(&mut self, now: Instant) -> bool {
        match &mut self.circuit {
            Circuit::Open { until, is_probed } if now >= *until => {
                !std::mem::replace(is_probed, true)
            }
            Circuit::Open { .. } | Circuit::Closed => false,
        }
    }

    pub(super) fn end(&mut self, now: Instant, began: Instant, is_probe: bool, verdict: Verdict) {
        match (&mut self.circuit, verdict) {
            (Circuit::Open { is_probed, .. }, Verdict::Neither) if is_probe => *is_probed = false,
            (Circuit::Open { .. }, Verdict::Failure) if is_probe => self.fail(now),
            (Circuit::Open { .. }, Verdict::Success) if is_probe => {
                self.circuit = Circuit::Closed;
                self.succeed(now);
            }
            // Begun before it opened: the probe will say more, and later.
            (Circuit::Open { .. }, _) | (Circuit::Closed, Verdict::Neither) => {}
            (Circuit::Closed, Verdict::Success) => self.succeed(now),
            (Circuit::Closed, Verdict::Failure) => {
                if self.success.is_none_or(|success| began >= success) {
                    self.fail(now);
                }
            }
        }
    }

    fn succeed(&mut self, now: Instant) {
        self.failures = 0;
        self.success = Some(now);
    }

    fn fail(&mut self, now: Instant) {
        self.failures = self.failures.saturating_add(1);
        if self.failures >= self.limit {
            self.circuit = Circuit::Open { until: later(now, self.open_for), is_probed: false };
        }
    }

    /// Whether there is anything that a new one would not know, where no try runs.
    pub(super) const fn knows_something(&self) -> bool {
        self.failures > 0 || matches!(self.circuit, Circuit::Open { .. })
    }

    /// Until when it is open, if it is or was.
    pub(super) const fn until(&self) -> Option<Instant> {
        match self.circuit {
            Circuit::Open { until, .. } => Some(until),
            Circuit::Closed => None,
        }
    }

    pub(super) fn forget(&mut self) {
        self.failures = 0;
        self.success = None;
        self.circuit = Circuit::Closed;
    }
}
