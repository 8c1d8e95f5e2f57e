//! A reader that takes its time: the requests' clocks stand still, the pool's does not.

use std::thread;
use std::time::{Duration, Instant};

use fetchpool::{Clock, LowSpeed, Outcome, Phase, Pool, PoolBuilder, Request, SessionConfig};

use crate::farm::{Farm, within};
use crate::peer::{CARRIERS, Carrier, Peer};
use crate::support::script::{Gate, ok};
use crate::trial::{LONG, SHORT, for_each_at_once, ran_out, says_how_long};

/// The length of the second body.
const LENGTH: usize = 1 << 20;

/// Two bodies and room for less than one of them: the first is there and not read, and the second
/// waits for that.
struct Crowded {
    carrier: Carrier,
    builder: PoolBuilder,
    /// Lets the server send the second body.
    second: Gate,
    _peer: Peer,
}

impl Crowded {
    /// The server ends the second body when so much of it is sent.
    fn new(carrier: Carrier, sent: usize, set: impl FnOnce(&mut SessionConfig)) -> Self {
        let (asked, second) = (Gate::new(), Gate::new());
        let peer = carrier.serve({
            let second = second.clone();
            move |line| {
                if line.head()? == "/0" {
                    // No job is begun any more when the first body is there.
                    asked.wait();
                    line.send(ok(vec![b'x'; LENGTH / 4]))?;
                } else {
                    asked.open();
                    second.wait();
                    let bytes = ok(vec![b'x'; LENGTH]);
                    line.send(&bytes[..sent.min(bytes.len())])?;
                }
                line.silence()
            }
        });
        let mut config = SessionConfig::new();
        carrier.trust(&mut config);
        set(&mut config);
        let jobs = [peer.url("/0"), peer.url("/1")];
        let builder = Pool::builder().num_threads(2).body_budget(100_000).session(config);
        Self { carrier, builder: builder.job_queue(jobs), second, _peer: peer }
    }

    /// Starts the pool, reads nothing for so long, then all; and how long that took.
    fn read_after(self, length: Duration) -> (Outcome, Outcome, Duration) {
        let Self { builder, second, carrier, .. } = self;
        within(LONG, move || {
            let pool = builder.build().unwrap();
            let started = Instant::now();
            while pool.stats().buffered == 0 {
                assert!(started.elapsed() < LONG, "{:?}", pool.stats());
                thread::yield_now();
            }
            second.open();
            // A reader that is busy with something else.
            thread::sleep(length);
            let stats = pool.stats();
            let started = Instant::now();
            let outcomes: Vec<Outcome> = pool.outcomes().collect();
            let took = started.elapsed();
            let what = format!("{carrier:?}: {stats:?}, {outcomes:?}");
            let [first, second] = <[Outcome; 2]>::try_from(outcomes).expect(&what);
            assert!(first.is_response() && first.index() == 0, "{what}");
            (first, second, took)
        })
    }
}

#[test]
fn the_clocks_of_a_request_stand_still_while_its_body_waits_for_the_reader() {
    let limit = Duration::from_millis(300);
    for_each_at_once(CARRIERS, |&carrier| {
        let (_, second, _) = Crowded::new(carrier, usize::MAX, |config| {
            config.timeout = Some(limit);
            config.stall_timeout = Some(limit);
            config.low_speed = Some(LowSpeed::new(1000, limit));
        })
        .read_after(limit * 2);
        let timings = *second.timings();
        assert_eq!(timings.expired, None, "{carrier:?}: {second:?}");
        assert_eq!(second.result().unwrap().bytes().len(), LENGTH);
    });
}

#[test]
fn the_deadline_does_not_stand_still_while_a_body_waits_for_the_reader() {
    for_each_at_once(CARRIERS, |&carrier| {
        let mut crowded = Crowded::new(carrier, usize::MAX, |_| {});
        crowded.builder = crowded.builder.deadline(SHORT);
        let (_, second, _) = crowded.read_after(SHORT * 2);
        let error = second.result().unwrap_err();
        ran_out(&error, Clock::Deadline, "the second body");
        says_how_long(&error, Clock::Deadline, SHORT, "the second body");
        assert_eq!(error.phase(), Some(Phase::Receiving), "{carrier:?}");
    });
}

#[test]
fn the_deadline_ends_a_body_that_waits_for_the_reader_without_his_reading() {
    let mut crowded = Crowded::new(Carrier::Plain, usize::MAX, |_| {});
    crowded.builder = crowded.builder.deadline(SHORT);
    let Crowded { builder, second, _peer, .. } = crowded;
    let (took, stats) = within(LONG, move || {
        let started = Instant::now();
        let pool = builder.build().unwrap();
        second.open();
        while pool.stats().buffered < 2 {
            assert!(started.elapsed() < LONG, "{:?}", pool.stats());
            thread::sleep(Duration::from_millis(1));
        }
        (started.elapsed(), pool.stats())
    });
    assert_eq!((stats.responses, stats.failed, stats.delivered), (1, 1, 0), "{stats:?}");
    assert!(took >= SHORT && took < SHORT + Duration::from_secs(2), "{took:?}");
}

#[test]
fn the_clocks_of_a_request_go_on_when_its_body_does() {
    for_each_at_once([Clock::Request, Clock::Stall], |clock| {
        let limit = Duration::from_millis(250);
        let (_, second, took) = Crowded::new(Carrier::Plain, LENGTH / 2, |config| match clock {
            Clock::Request => config.timeout = Some(limit),
            _ => config.stall_timeout = Some(limit),
        })
        .read_after(limit * 2);
        let error = second.result().unwrap_err();
        ran_out(&error, clock, "the second body");
        assert_eq!(error.phase(), Some(Phase::Receiving));
        assert!(took < limit + Duration::from_secs(2), "{took:?}");
    });
}

#[test]
fn a_slow_reader_takes_nothing_from_the_timeouts_of_the_jobs_behind() {
    let farm = Farm::new();
    let jobs = (0..6).map(|n| Request::get(farm.url(&format!("/ok/{n}"))).timeout(SHORT));
    let jobs: Vec<Request> = jobs.collect();
    let builder = Pool::builder().num_threads(1).outcome_capacity(1).job_queue(jobs);
    let read = within(LONG, move || {
        let pool = builder.build().unwrap();
        let slowly = |_: &Outcome| thread::sleep(SHORT / 3);
        pool.outcomes().inspect(slowly).filter(Outcome::is_response).count()
    });
    assert_eq!(read, 6);
}

#[test]
fn a_slow_reader_takes_from_the_deadline_and_loses_nothing() {
    let farm = Farm::new();
    let jobs: Vec<String> = (0..50).map(|n| farm.url(&format!("/ok/{n}"))).collect();
    let builder =
        Pool::builder().num_threads(1).outcome_capacity(1).deadline(SHORT).job_queue(jobs);
    let (outcomes, left) = within(LONG, move || {
        let pool = builder.build().unwrap();
        let slowly = |_: &Outcome| thread::sleep(Duration::from_millis(60));
        let outcomes: Vec<Outcome> = pool.outcomes().inspect(slowly).collect();
        (outcomes, pool.close().count())
    });
    assert!(left > 0 && !outcomes.is_empty());
    assert_eq!(outcomes.len() + left, 50);
    for outcome in outcomes {
        if let Err(error) = outcome.result() {
            ran_out(&error, Clock::Deadline, "read slowly");
        }
    }
}
