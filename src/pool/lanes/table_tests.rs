//! What only the lanes decide: who goes next, by tables of what happens and of what is taken.

use std::time::Duration;

use self::Step::{End, Fail, Gone, Hold, Late, Nothing, Put, Refused, Take, Unsent};
use super::*;
use crate::message::Target;
use crate::pool::polite::{CircuitBreaker, Politeness};

/// What happens at some millisecond; jobs are named by their indices, origins by their letters and
/// workers by their numbers.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step<'a> {
    /// A job comes, for the origin of this letter or, with `-`, for none; it is due so many milliseconds
    /// later.
    Put(u64, char, u64),
    /// A worker takes this job.
    Take(usize, u64),
    /// It finds none.
    Nothing(usize),
    /// It takes this one while nothing may be sent, and it is answered.
    Unsent(usize, Option<u64>),
    /// It takes this one, and that is answered and not sent.
    Refused(usize, u64),
    /// The worker's try ends well.
    End(usize),
    Fail(usize),
    /// The worker holds connections to these origins.
    Hold(usize, &'a str),
    /// The job is cancelled, and was there or not.
    Gone(u64, bool),
    /// The time of this job is over, or of none.
    Late(Option<u64>),
}

pub(super) struct Play {
    pub(super) lanes: Lanes<u64>,
    pub(super) workers: Vec<(Held, Option<Ticket>)>,
}

pub(super) fn target(letter: char) -> Option<Target> {
    (letter != '-').then(|| Target::parse(&format!("http://{letter}.test/")).unwrap())
}

impl Play {
    pub(super) fn new(window: usize, every: Politeness) -> Self {
        let mut hosts = Hosts::default();
        hosts.set_every(every);
        let workers = (0..10).map(|_| (Held::default(), None)).collect();
        Self { lanes: Lanes::new(window, hosts, Some(1)), workers }
    }

    /// The job that the worker takes, and whether it is sent.
    fn take(&mut self, worker: usize, now: Instant, may_send: bool) -> Option<(u64, bool)> {
        let window = self.lanes.window;
        let (held, running) = &mut self.workers[worker];
        assert!(running.is_none(), "worker {worker} has a job");
        let next = self.lanes.take(held, now, may_send, window)?;
        if let Go::Start(ticket) = next.go {
            *running = Some(ticket);
        }
        Some((next.item, running.is_some()))
    }

    fn put(&mut self, index: u64, letter: char, times: Times, now: Instant) {
        let lane = self.lanes.lane_for(target(letter).as_ref());
        self.lanes.put(lane, index, times, index, now);
    }

    fn end(&mut self, worker: usize, sign: Sign, now: Instant) {
        let ticket = self.workers[worker].1.take().expect("a job that runs");
        self.lanes.end(ticket, sign, now);
    }

    pub(super) fn step(&mut self, step: Step<'_>, now: Instant, expiry: Option<Instant>) {
        match step {
            Put(index, letter, later) => {
                let due = Some(now + Duration::from_millis(later));
                self.put(index, letter, Times { due, expiry }, now);
            }
            Take(worker, index) => {
                assert_eq!(self.take(worker, now, true), Some((index, true)));
            }
            Refused(worker, index) => {
                assert_eq!(self.take(worker, now, true), Some((index, false)));
            }
            Nothing(worker) => assert_eq!(self.take(worker, now, true), None),
            Unsent(worker, index) => {
                assert_eq!(self.take(worker, now, false), index.map(|index| (index, false)));
            }
            End(worker) => self.end(worker, Sign::Good, now),
            Fail(worker) => self.end(worker, Sign::Failed, now),
            Hold(worker, letters) => {
                let targets = letters.chars().filter_map(target);
                let origins: Vec<Origin> = targets.map(|target| target.origin()).collect();
                self.lanes.hold(&mut self.workers[worker].0, &origins, now);
            }
            Gone(index, was_there) => {
                assert_eq!(self.lanes.remove(index, now), was_there.then_some(index));
            }
            Late(index) => assert_eq!(self.lanes.take_expired(now), index),
        }
    }
}

/// Plays a table: each step at its millisecond.
pub(super) fn play(
    name: &str,
    window: usize,
    every: Politeness,
    steps: &[(u64, Step<'_>)],
) -> Play {
    let (mut play, start) = (Play::new(window, every), Instant::now());
    for (n, (at, step)) in steps.iter().enumerate() {
        let now = start + Duration::from_millis(*at);
        let ran = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            // Every job of a table must be over a second after it came.
            play.step(*step, now, Some(now + Duration::from_secs(1)));
        }));
        assert!(ran.is_ok(), "{name}: step {n}, at {at} ms: {step:?}");
    }
    play
}

/// Plays a table in which no time passes.
pub(super) fn play_at_once(name: &str, window: usize, steps: &[Step<'_>]) -> Play {
    let steps: Vec<(u64, Step<'_>)> = steps.iter().map(|step| (0, *step)).collect();
    play(name, window, Politeness::new(), &steps)
}

pub(super) fn puts(
    indices: std::ops::Range<u64>,
    letter: char,
) -> impl Iterator<Item = Step<'static>> {
    indices.map(move |index| Put(index, letter, 0))
}

#[test]
fn a_circuit_that_is_open_answers_its_jobs_first_and_also_where_nothing_may_be_sent() {
    let breaker = CircuitBreaker::new(1).open_for(Duration::from_secs(10));
    let steps = [
        (0, Put(0, 'a', 0)),
        (0, Put(1, 'b', 0)),
        (0, Put(2, 'a', 0)),
        (0, Put(3, 'a', 0)),
        (0, Unsent(0, None)),
        (0, Take(0, 0)),
        (5, Fail(0)),
        (5, Unsent(1, Some(2))),
        (5, Refused(1, 3)),
        (5, Unsent(1, None)),
        (5, Take(1, 1)),
        (10_004, Put(4, 'a', 0)),
        (10_004, Put(5, 'a', 0)),
        (10_004, Refused(0, 4)),
        (10_005, Unsent(0, None)),
        (10_005, Put(6, 'a', 0)),
        // The first one is a trial, which the others wait for.
        (10_005, Take(0, 5)),
        (10_006, Nothing(2)),
        (10_007, End(0)),
        (10_007, Take(2, 6)),
    ];
    play("a circuit", 64, Politeness::new().circuit_breaker(breaker), &steps);
}

#[test]
fn a_job_that_is_due_later_goes_then_and_before_the_younger_ones_of_its_lane() {
    let steps = [
        (0, Put(0, 'a', 100)),
        (0, Put(1, 'a', 0)),
        (0, Put(2, 'a', 0)),
        (0, Put(3, 'b', 100)),
        (0, Take(0, 1)),
        (99, Take(1, 2)),
        (99, Nothing(2)),
        (99, Put(4, 'a', 0)),
        (100, Take(2, 3)),
        (100, Take(3, 0)),
        (100, Take(4, 4)),
    ];
    let played = play("due", 64, Politeness::new(), &steps);
    assert_eq!((played.lanes.next_time(), played.lanes.len()), (None, 0));
}

#[test]
fn a_job_whose_time_is_over_is_taken_out_wherever_it_waits() {
    // Each must be over a second after it came.
    let steps = [
        (0, Put(0, 'a', 0)),
        (1, Put(1, 'a', 0)),
        (2, Put(2, 'b', 5000)),
        (3, Take(0, 0)),
        (3, Put(3, 'a', 0)),
        (1000, Late(None)),
        (1001, Late(Some(1))),
        (1001, Late(None)),
        (1002, Late(Some(2))),
        (1002, Take(1, 3)),
        (4000, Late(None)),
        (4000, Nothing(2)),
    ];
    let played = play("expiry", 64, Politeness::new().rate(1000.0), &steps);
    assert_eq!((played.lanes.next_time(), played.lanes.next_expiry()), (None, None));
}

#[test]
fn a_job_that_is_cancelled_leaves_its_place_to_the_next() {
    let steps = [
        (0, Put(0, 'a', 0)),
        (0, Put(1, 'b', 0)),
        (0, Put(2, 'a', 0)),
        (0, Put(3, 'c', 10)),
        (0, Gone(0, true)),
        (0, Gone(0, false)),
        (0, Gone(9, false)),
        (0, Take(0, 1)),
        (0, Gone(1, false)),
        (0, Take(1, 2)),
        (0, Gone(3, true)),
        // Nothing of it is left to wait for.
        (9, Nothing(2)),
    ];
    let played = play("cancelled", 64, Politeness::new(), &steps);
    assert_eq!((played.lanes.len(), played.lanes.ready(), played.lanes.next_time()), (0, 0, None));
}

#[test]
fn a_job_without_an_origin_goes_when_it_is_its_turn() {
    let put = [Put(0, 'a', 0), Put(1, '-', 0), Put(2, 'b', 0), Put(3, '-', 0)];
    let tables = [
        ("before younger ones of its own", vec![Hold(0, "b"), Take(0, 1)]),
        ("before younger ones of nobody", vec![Hold(1, "a"), Take(0, 1), Take(2, 2), Take(3, 0)]),
        ("and not before older ones", vec![Hold(0, "a"), Take(0, 0), Take(1, 1), Take(2, 2)]),
    ];
    for (name, steps) in tables {
        play_at_once(name, 64, &[&put[..], &steps].concat());
    }
}

#[test]
fn a_connection_that_is_lost_makes_its_origin_nobodys_again() {
    let put = [Put(0, 'a', 0), Put(1, 'a', 0), Put(2, 'b', 0), Take(0, 0)];
    let tables = [
        ("kept", vec![End(0), Hold(0, "a"), Take(1, 2)]),
        ("lost", vec![End(0), Hold(0, ""), Take(1, 1)]),
        ("kept twice and lost once", vec![Hold(2, "a"), End(0), Hold(0, ""), Take(1, 2)]),
        ("lost twice", vec![Hold(2, "a"), End(0), Hold(0, ""), Hold(2, ""), Take(1, 1)]),
        // Until the worker knows better, the try may have left a connection.
        ("in doubt while it runs", vec![Take(1, 2)]),
        ("in doubt after it", vec![End(0), Take(1, 2), Take(0, 1)]),
    ];
    for (name, steps) in tables {
        play_at_once(name, 64, &[&put[..], &steps].concat());
    }
}

#[test]
fn a_worker_is_in_doubt_until_it_says_what_it_holds() {
    let put = [Put(0, 'a', 0), Take(0, 0), End(0)];
    let played = play_at_once("not said", 64, &put);
    assert!(played.workers[0].0.is_in_doubt() && !played.workers[1].0.is_in_doubt());
    // An origin that only a redirect led to has no lane, and gets none.
    let played = play_at_once("said", 64, &[&put[..], &[Hold(0, "az")]].concat());
    assert!(!played.workers[0].0.is_in_doubt());
    assert_eq!(played.lanes.count(), 1);
    let next = [Hold(0, "a"), Put(1, 'a', 0), Take(0, 1), End(0)];
    let played = play_at_once("its own again", 64, &[&put[..], &next].concat());
    assert!(
        !played.workers[0].0.is_in_doubt(),
        "it has a connection there, and none was to be made"
    );
    let played = play_at_once("nothing left", 64, &[&put[..], &[Hold(0, "")]].concat());
    assert_eq!(played.lanes.count(), 0, "nobody holds a connection there, and nothing waits");
}
