//! What is promised of one origin, kept by the tests' own count of what has happened.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::Sign;
use crate::pool::polite::{Adaptive, CircuitBreaker, Politeness};

/// What was said of an origin.
#[derive(Clone, Debug, Default)]
pub(super) struct Settings {
    pub(super) rate: Option<f64>,
    pub(super) jitter: f64,
    pub(super) max: Option<usize>,
    /// The lowest rate of one that adapts.
    pub(super) floor: Option<f64>,
    pub(super) breaker: Option<(u32, Duration)>,
}

impl Settings {
    pub(super) fn politeness(&self) -> Politeness {
        let mut all = Politeness::new().jitter(self.jitter);
        if let Some(rate) = self.rate {
            all = all.rate(rate);
        }
        if let Some(max) = self.max {
            all = all.max_concurrent(max);
        }
        if let Some(floor) = self.floor {
            all = all.adaptive(Adaptive::new().min_rate(floor));
        }
        if let Some((failures, open_for)) = self.breaker {
            all = all.circuit_breaker(CircuitBreaker::new(failures).open_for(open_for));
        }
        all
    }
}

/// A try that runs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Try {
    began: Instant,
    is_probe: bool,
}

/// A job that waits: from when on it may start.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waits {
    pub(super) due: Instant,
    pub(super) is_retry: bool,
}

/// One origin, as it must be treated.
pub(super) struct Origin {
    settings: Settings,
    pub(super) waiting: BTreeMap<u64, Waits>,
    pub(super) running: usize,
    starts: Vec<Instant>,
    /// When a try started or ended last.
    last: Option<Instant>,
    hold: Option<Instant>,
    circuit: Circuit,
    /// The youngest job that was started for the first time.
    first_try: Option<u64>,
    requests: f64,
    /// Retries granted since it was idle for long.
    retries: f64,
}

#[derive(Default)]
struct Circuit {
    failures: u32,
    success: Option<Instant>,
    open_until: Option<Instant>,
    probe: Option<Instant>,
    /// It was idle for so long that what it was may be forgotten: nothing is said of it before it is
    /// known again.
    is_unknown: bool,
}

/// How long an origin is remembered at least.
const MINUTE: Duration = Duration::from_secs(60);
/// How late a start may be and the next one not be later for it.
const LATE: Duration = Duration::from_millis(5);
const ROUNDING: Duration = Duration::from_micros(1);

/// Tries of these times, in the order in which they were started, keep the rate.
pub(super) fn check_rate(starts: &[Instant], rate: f64) {
    let late = LATE.min(Duration::from_secs_f64(rate.recip()));
    let Some((now, before)) = starts.split_last() else { return };
    for (n, earlier) in (1..).zip(before.iter().rev().take(50)) {
        let took = now.duration_since(*earlier) + late + ROUNDING * 50;
        assert!(took.as_secs_f64() >= f64::from(n) / rate, "{n} starts in {took:?} at {rate}/s");
    }
}

/// From when on a rate certainly allows another start, which `jitter` may delay.
pub(super) fn allowed_at(last: Instant, rate: f64, jitter: f64) -> Instant {
    last + Duration::from_secs_f64((1.0 + jitter) / rate) + ROUNDING
}

impl Origin {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            settings,
            waiting: BTreeMap::new(),
            running: 0,
            starts: Vec::new(),
            last: None,
            hold: None,
            circuit: Circuit::default(),
            first_try: None,
            requests: 0.0,
            retries: 0.0,
        }
    }

    fn touch(&mut self, now: Instant) {
        let idle = self.last.filter(|_| self.running == 0).map(|last| now.duration_since(last));
        if idle.is_some_and(|idle| idle >= MINUTE) {
            // What was saved up may be remembered longer.
            self.retries = 0.0;
            self.circuit.is_unknown |=
                self.circuit.failures > 0 || self.circuit.open_until.is_some();
        }
        self.last = Some(now);
    }

    /// A try of that job starts: nothing that was promised is broken by it.
    pub(super) fn start(&mut self, index: u64, now: Instant) -> Try {
        let waits = self.waiting.remove(&index).expect("a job that waits");
        assert!(now >= waits.due, "before it is due");
        assert!(self.settings.max.is_none_or(|max| self.running < max), "too many at a time");
        assert!(self.hold.is_none_or(|hold| now >= hold), "before the pause asked for is over");
        self.touch(now);
        if !waits.is_retry {
            self.requests += 1.0;
            assert!(self.first_try < Some(index), "not in the order of the input");
            self.first_try = Some(index);
        }
        let mut is_probe = false;
        let circuit = &mut self.circuit;
        if let Some(until) = circuit.open_until.filter(|_| !circuit.is_unknown) {
            assert!(now >= until, "the circuit is open");
            assert_eq!(circuit.probe, None, "a second try of a half-open circuit");
            circuit.probe = Some(now);
            is_probe = true;
        }
        self.running += 1;
        self.starts.push(now);
        if let Some(rate) = self.settings.rate {
            check_rate(&self.starts, rate);
        }
        Try { began: now, is_probe }
    }

    /// A job is answered without being sent.
    pub(super) fn refuse(&mut self, index: u64, now: Instant, failures: u32, until: Instant) {
        let waits = self.waiting.remove(&index).expect("a job that waits");
        assert!(now >= waits.due && now < until, "refused too early or too late");
        assert!(self.settings.breaker.is_some(), "refused without a breaker");
        if !self.circuit.is_unknown {
            let known = (self.circuit.failures, self.circuit.open_until);
            assert_eq!((failures, Some(until)), known, "refused for what is not so");
        }
    }

    /// A retry is granted: no more than were earned and are in reserve.
    pub(super) fn grant(&mut self, share: f64, reserve: u32) {
        self.retries += 1.0;
        assert!(
            self.retries <= self.requests.mul_add(share, f64::from(reserve)),
            "above the budget"
        );
    }

    pub(super) fn end(&mut self, of: Try, sign: Sign, now: Instant) {
        self.touch(now);
        self.running -= 1;
        if let (Some(_), Sign::Slow(Some(wait))) = (self.settings.floor, sign) {
            self.hold = self.hold.max(Some(now + wait));
        }
        let Some((limit, open_for)) = self.settings.breaker else { return };
        let circuit = &mut self.circuit;
        if of.is_probe {
            circuit.probe = None;
        } else if circuit.open_until.is_some() && !circuit.is_unknown {
            return;
        }
        match sign {
            Sign::Good => {
                circuit.failures = 0;
                (circuit.success, circuit.open_until) = (Some(now), None);
            }
            Sign::Failed | Sign::Overloaded
                if of.is_probe || circuit.success.is_none_or(|success| of.began >= success) =>
            {
                circuit.failures += 1;
                if circuit.failures >= limit {
                    circuit.open_until = Some(now + open_for);
                }
            }
            _ => {}
        }
    }

    /// It was left alone for so long that nothing is remembered for certain.
    pub(super) fn forget(&mut self) {
        self.circuit = Circuit::default();
    }

    /// From when on one of its jobs could certainly run or be answered, if no try ended until then.
    pub(super) fn could_run_at(&self, now: Instant, pool: Instant) -> Option<Instant> {
        let due = self.waiting.values().map(|waits| waits.due).min()?;
        let circuit = &self.circuit;
        if circuit.is_unknown {
            return None;
        }
        // An answer without a request waits for nothing.
        if circuit.open_until.is_some_and(|until| due.max(now) < until) {
            return Some(due);
        }
        if circuit.probe.is_some() || self.settings.max.is_some_and(|max| self.running >= max) {
            return None;
        }
        let mut at = due.max(pool).max(self.hold.unwrap_or(due));
        let slowest = [self.settings.rate, self.settings.floor].into_iter().flatten();
        let slowest = slowest.reduce(f64::min);
        // One that adapts counts from the end that slowed it down.
        let from = match self.settings.floor {
            Some(_) => self.last,
            None => self.starts.last().copied(),
        };
        if let (Some(rate), Some(from)) = (slowest, from) {
            at = at.max(allowed_at(from, rate, self.settings.jitter));
        }
        Some(at)
    }
}
