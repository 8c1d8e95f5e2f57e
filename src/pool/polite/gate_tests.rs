//! Each rule of a gate as a table of events and the times that follow from them.

use std::time::{Duration, Instant};

use super::super::{Adaptive, CircuitBreaker, Gate, GateState, Pass, Politeness, Sign};
use Do::{End, Late, Look, Start};
use State::{Full, Open, Refused, Until};

#[path = "gate_adaptive_tests.rs"]
mod adaptive;

/// What happens. Tries are numbered as they start.
#[derive(Clone, Copy, Debug)]
enum Do {
    Look,
    /// A try starts, and no random number makes the next one later.
    Start,
    /// A try starts, and the next one is as late as it may be.
    Late,
    End(usize, Sign),
}

/// How the gate is after it, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Open,
    Until(u64),
    Full,
    Refused(u64, u32),
}

struct Clocked {
    gate: Gate,
    zero: Instant,
    tries: Vec<Pass>,
}

impl Clocked {
    fn new(politeness: &Politeness) -> Self {
        Self { gate: Gate::new(politeness), zero: Instant::now(), tries: Vec::new() }
    }

    fn at(&self, ms: u64) -> Instant {
        self.zero + Duration::from_millis(ms)
    }

    fn ms(&self, at: Instant) -> u64 {
        // A rate is no whole number of nanoseconds.
        let nanos = u64::try_from(at.duration_since(self.zero).as_nanos()).unwrap();
        (nanos + 500_000) / 1_000_000
    }

    fn state(&self, ms: u64) -> State {
        match self.gate.state(self.at(ms)) {
            GateState::Open => Open,
            GateState::Until(at) => Until(self.ms(at)),
            GateState::Full => Full,
            GateState::Refused { until, failures } => Refused(self.ms(until), failures),
        }
    }

    fn step(&mut self, ms: u64, what: Do) {
        let now = self.at(ms);
        match what {
            Look => {}
            Start | Late => {
                let random = if matches!(what, Late) { 1.0 } else { 0.0 };
                assert_eq!(self.state(ms), Open, "before a start at {ms}");
                let pass = self.gate.start(now, random);
                self.tries.push(pass);
            }
            End(n, sign) => self.gate.end(now, self.tries[n], sign),
        }
    }

    fn forget_at(&self, ms: u64) -> Option<u64> {
        self.gate.forget_at(self.at(ms)).map(|at| self.ms(at))
    }
}

fn check(politeness: &Politeness, table: &[(u64, Do, State)]) -> Clocked {
    let mut clocked = Clocked::new(politeness);
    for (n, (ms, what, expected)) in table.iter().enumerate() {
        clocked.step(*ms, *what);
        assert_eq!(clocked.state(*ms), *expected, "line {n}: {what:?} at {ms}");
    }
    clocked
}

const BUSY: Sign = Sign::Slow(None);

const fn busy_for(seconds: u64) -> Sign {
    Sign::Slow(Some(Duration::from_secs(seconds)))
}

#[test]
fn tries_are_spaced_evenly_and_a_pause_is_not_made_up_for() {
    check(
        &Politeness::new().rate(2.0).jitter(0.5),
        &[
            (0, Look, Open),
            (0, Start, Until(500)),
            (100, End(0, Sign::Good), Until(500)),
            (499, Look, Until(500)),
            (500, Look, Open),
            (503, Start, Until(1000)),
            (1000, Late, Until(1750)),
            (1800, Start, Until(2300)),
            (9000, Start, Until(9500)),
            (9500, Start, Until(10_000)),
        ],
    );
}

#[test]
fn no_more_tries_run_than_may() {
    check(
        &Politeness::new().max_concurrent(2),
        &[
            (0, Start, Open),
            (0, Start, Full),
            (10, End(1, Sign::Nothing), Open),
            (10, Start, Full),
            (20, End(0, Sign::Failed), Open),
            (30, End(2, Sign::Good), Open),
            (30, Start, Open),
            (30, Start, Full),
        ],
    );
}

#[test]
fn where_both_hold_it_back_the_end_of_a_try_comes_first() {
    check(
        &Politeness::new().max_concurrent(1).rate(1.0),
        &[
            (0, Start, Full),
            (10, End(0, Sign::Good), Until(1000)),
            (1000, Start, Full),
            (2500, Look, Full),
            (2500, End(1, Sign::Good), Open),
        ],
    );
}

#[test]
fn failures_in_a_row_open_the_circuit_and_one_try_closes_it() {
    let settings = CircuitBreaker::new(3).open_for(Duration::from_secs(10));
    let table = [
        (0, Start, Open),
        (0, Start, Open),
        (0, Start, Open),
        (0, Start, Open),
        (0, Start, Open),
        (10, End(0, Sign::Failed), Open),
        (20, End(1, Sign::Overloaded), Open),
        (30, End(2, Sign::Failed), Refused(10_030, 3)),
        // Whatever was begun before: the circuit is open, and no longer than it was.
        (50, End(3, Sign::Failed), Refused(10_030, 3)),
        (60, End(4, Sign::Good), Refused(10_030, 3)),
        (10_029, Look, Refused(10_030, 3)),
        (10_030, Look, Open),
        (10_040, Start, Full),
        (10_050, End(5, Sign::Failed), Refused(20_050, 4)),
        (20_050, Start, Full),
        (20_060, End(6, Sign::Nothing), Open),
        (20_070, Start, Full),
        (20_080, End(7, busy_for(5)), Open),
        (20_090, Start, Full),
        (20_100, End(8, Sign::Good), Open),
        (20_110, Start, Open),
        (20_110, Start, Open),
        (20_120, End(9, Sign::Failed), Open),
        (20_130, End(10, Sign::Failed), Open),
    ];
    check(&Politeness::new().circuit_breaker(settings), &table);
}

#[test]
fn a_success_ends_the_row_also_of_those_that_were_running() {
    let settings = CircuitBreaker::new(2);
    check(
        &Politeness::new().circuit_breaker(settings),
        &[
            (0, Start, Open),
            (0, Start, Open),
            (0, Start, Open),
            (0, Start, Open),
            (10, End(0, Sign::Failed), Open),
            (20, End(1, Sign::Good), Open),
            (30, End(2, Sign::Failed), Open),
            (30, End(3, Sign::Failed), Open),
            (30, Start, Open),
            (30, Start, Open),
            (30, Start, Open),
            (40, End(4, Sign::Failed), Open),
            (50, End(5, busy_for(1)), Open),
            (50, End(6, Sign::Failed), Refused(30_050, 2)),
        ],
    );
}

#[test]
fn a_gate_is_forgotten_when_it_holds_nothing_back_and_knows_nothing() {
    let minute = 60_000;
    let rate = Politeness::new().rate(2.0);
    let adaptive = Politeness::new().adaptive(Adaptive::new());
    let breaker = Politeness::new().circuit_breaker(CircuitBreaker::new(2));
    let good = End(0, Sign::Good);
    let failed = |n| End(n, Sign::Failed);
    for (politeness, events, forgotten) in [
        (&rate, &[(0, Look)][..], Some(0)),
        (&rate, &[(0, Start)], None),
        (&rate, &[(0, Start), (9, good)], Some(505)),
        (&rate, &[(0, Start), (900, good)], Some(900)),
        (&Politeness::new().max_concurrent(1), &[(0, Start), (9, good)], Some(9)),
        (&adaptive, &[(0, Start), (9, good)], Some(minute + 9)),
        (&adaptive, &[(0, Start), (9, End(0, busy_for(30)))], Some(minute + 30_009)),
        // Half a second's rate is asked for every two seconds.
        (&adaptive, &[(0, Start), (9, End(0, BUSY))], Some(minute + 2014)),
        (&breaker, &[(0, Start), (9, good)], Some(9)),
        (&breaker, &[(0, Start), (9, failed(0))], Some(minute + 9)),
        (
            &breaker,
            &[(0, Start), (0, Start), (1, failed(0)), (9, failed(1))],
            Some(minute + 30_009),
        ),
    ] {
        let mut clocked = Clocked::new(politeness);
        events.iter().for_each(|(ms, what)| clocked.step(*ms, *what));
        let last = events.iter().map(|(ms, _)| *ms).max().unwrap();
        assert_eq!(clocked.forget_at(last), forgotten, "{politeness:?}: {events:?}");
        let Some(forgotten) = forgotten.filter(|at| *at > last) else { continue };
        assert_eq!(clocked.forget_at(forgotten), Some(forgotten), "{politeness:?}: {events:?}");
        assert_eq!(clocked.state(forgotten), Open, "{politeness:?}: {events:?}");
    }
}

#[test]
fn a_circuit_opens_no_more_for_failures_of_long_ago() {
    let breaker = Politeness::new().circuit_breaker(CircuitBreaker::new(2));
    let failed = |n| End(n, Sign::Failed);
    let table = [(0, Start, Open), (0, failed(0), Open)];
    let just = [(59_999, Start, Open), (59_999, failed(1), Refused(89_999, 2))];
    check(&breaker, &[table, just].concat());
    let late = [(60_000, Start, Open), (60_000, failed(1), Open)];
    check(&breaker, &[table, late].concat());
    // Half-open for a minute, then closed.
    let open = [(0, Start, Open), (0, failed(1), Refused(30_000, 2))];
    let open = [table, open].concat();
    check(&breaker, &[&open[..], &[(89_999, Start, Full)]].concat());
    check(&breaker, &[&open[..], &[(90_000, Start, Open)]].concat());
}

#[test]
fn a_gate_is_small() {
    assert!(size_of::<Gate>() <= 96, "{}", size_of::<Gate>());
    assert!(size_of::<Pass>() <= 24, "{}", size_of::<Pass>());
}
