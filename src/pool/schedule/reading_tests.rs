//! Who has nothing to do wakes the reader that lets outcomes gather.

use std::time::Instant;

use super::*;
use crate::connection::{Deadline, Flow, Interrupt, Patience};
use crate::error::{Error, ErrorKind};
use crate::message::{Clock, Request};
use crate::pool::budget::Budget;
use crate::pool::intake::source;
use crate::pool::lanes::{Held, Lanes};
use crate::pool::ledger::Rules;
use crate::pool::polite::Hosts;
use crate::pool::schedule::Next;

fn outcome(index: u64) -> Outcome {
    Outcome::new(index, Request::get("http://h/"), Err(Error::new(ErrorKind::Io, "")))
}

/// A schedule whose source must be asked and has nothing, an outcome, and a reader that lets some gather.
fn gathering(room: usize, deadline: Deadline) -> Schedule {
    let rules = Rules {
        room,
        room_ahead: room,
        look_ahead: 64,
        waiting_capacity: 4096,
        ordered: false,
        deadline,
        max_failed: u64::MAX,
    };
    let nothing = source(std::iter::from_fn(|| None::<Request>));
    let lanes = Lanes::new(64, Hosts::default(), Some(1));
    let (schedule, _) = Schedule::new(nothing, 1, lanes, None, Budget::new(1), rules);
    let mut state = schedule.lock();
    (0..2).for_each(|index| assert!(state.outbox.put(outcome(index)).is_none()));
    while state.read(|_| true).is_some() {}
    assert_eq!(state.outbox.wait(true, false), Some(true));
    assert!(state.outbox.put(outcome(2)).is_none());
    drop(state);
    schedule
}

fn is_woken(schedule: &Schedule) -> bool {
    let mut state = schedule.lock();
    !state.outbox.calls_reader(true, 1)
}

#[test]
fn a_worker_that_goes_to_the_source_wakes_it() {
    let schedule = gathering(8, Deadline::never());
    assert!(!is_woken(&gathering(8, Deadline::never())));
    assert!(matches!(schedule.next(&mut Held::default(), None, &|_, _| None), Next::End));
    assert!(is_woken(&schedule));
}

#[test]
fn a_worker_that_waits_for_room_wakes_it() {
    let soon = Deadline::after(Instant::now(), Some(Duration::from_millis(20)), Clock::Deadline);
    let schedule = gathering(1, soon);
    assert!(matches!(schedule.next(&mut Held::default(), None, &|_, _| None), Next::TimeIsUp));
    assert!(is_woken(&schedule));
}

#[test]
fn a_body_that_waits_for_memory_wakes_it() {
    let schedule = gathering(8, Deadline::never());
    let (flow, interrupt) = (Flow::new(None, None, None), Interrupt::default());
    let over = Deadline::after(Instant::now(), Some(Duration::ZERO), Clock::Deadline);
    let patience =
        Patience { deadline: Deadline::never(), batch: over, flow: &flow, interrupt: &interrupt };
    assert!(schedule.take_memory(0, 2, &patience).is_err());
    assert!(is_woken(&schedule));
}

#[test]
fn outcomes_gather_for_a_moment_and_not_as_long_as_it_can_be_waited() {
    let schedule = gathering(8, Deadline::never());
    assert!(schedule.lock().outbox.put(outcome(3)).is_none());
    let long = Duration::from_secs(10);
    let start = Instant::now();
    for _ in 0..2 {
        assert!(matches!(schedule.read(|_| true, Some(long)), Read::Outcome(_)));
    }
    assert!(matches!(schedule.read(|_| true, Some(long)), Read::Nothing));
    assert!(start.elapsed() < long);
}
