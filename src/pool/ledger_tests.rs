//! What a worker is told that finds nothing to do, by a clock of the tests' own.

use super::*;
use crate::error::ErrorKind;
use crate::message::{Clock, Request, Target};
use crate::pool::fetch::ask;
use crate::pool::intake::source;
use crate::pool::job::Job;
use crate::pool::polite::Hosts;

fn rules(room: usize) -> Rules {
    Rules {
        room,
        room_ahead: room,
        look_ahead: 64,
        waiting_capacity: 4096,
        ordered: false,
        deadline: Deadline::after(Instant::now(), None, Clock::Deadline),
        max_failed: u64::MAX,
    }
}

fn ledger(room: usize) -> Ledger {
    let lanes = Lanes::new(64, Hosts::default(), Some(1));
    let closed = ask_nothing();
    Ledger::new(rules(room), closed, lanes, None, Budget::new(1 << 20))
}

fn ask_nothing() -> SourceState {
    let SourceState::Here(lendable) = SourceState::new(source(Vec::<Request>::new())) else {
        panic!("it was not asked yet")
    };
    ask(lendable, Duration::ZERO, 1, drop).0
}

#[test]
fn a_job_whose_time_has_come_and_for_which_there_is_no_room_is_not_looked_for_over_and_over() {
    let now = Instant::now();
    let mut ledger = ledger(1);
    ledger.outbox.put(Outcome::new(
        9,
        Request::get("http://h/"),
        Err(Error::new(ErrorKind::Io, "")),
    ));
    let due = now + Duration::from_secs(1);
    let job = Job::new(0, Request::get("http://h/"), now);
    let lane = ledger.lanes.lane_for(None);
    let parked = Parked { job: Box::new(job), place: Place::Delayed, watch: None };
    ledger.lanes.put(lane, 0, Times { due: Some(due), expiry: None }, parked, now);
    let mut held = Held::default();
    assert!(ledger.start(&mut held, now).is_none());
    assert_eq!(ledger.next_time(now), Some(due));
    let later = now + Duration::from_secs(2);
    assert!(ledger.start(&mut held, later).is_none());
    assert_eq!(ledger.next_time(later), None, "the clock changes nothing any more");
    // But whoever makes room wakes somebody, also where another one has an alarm.
    (ledger.waiting, ledger.alarm) = (1, Some(now + Duration::from_secs(3600)));
    assert!(!ledger.calls_another());
    assert!(ledger.read(|_| true).is_some());
    assert!(ledger.calls_another());
    assert!(ledger.start(&mut held, later).is_some());
}

#[test]
fn who_waits_is_woken_for_a_time_before_the_first_alarm() {
    let now = Instant::now();
    let at = |s| now + Duration::from_secs(s);
    let mut ledger = ledger(1);
    let job = Job::new(0, Request::get("http://h/"), now);
    let lane = ledger.lanes.lane_for(None);
    let parked = Parked { job: Box::new(job), place: Place::Delayed, watch: None };
    ledger.lanes.put(lane, 0, Times { due: Some(at(2)), expiry: None }, parked, now);
    for (waiting, alarm, expected) in [
        (1, None, true),
        (1, Some(at(3)), true),
        (1, Some(at(2)), false),
        (1, Some(at(1)), false),
        (0, None, false),
    ] {
        (ledger.waiting, ledger.called, ledger.alarm) = (waiting, 0, alarm);
        assert_eq!(ledger.calls_another(), expected, "{waiting}, {alarm:?}");
    }
}

#[test]
fn a_reader_is_awaited_by_whoever_has_nothing_to_do() {
    let awaited = |change: fn(&mut Ledger)| {
        let mut ledger = ledger(8);
        change(&mut ledger);
        ledger.is_reader_awaited()
    };
    assert!(!awaited(|_| ()));
    assert!(awaited(|ledger| ledger.waiting = 1));
    assert!(!awaited(|ledger| (ledger.waiting, ledger.called) = (1, 1)), "it has something to do");
    assert!(awaited(|ledger| ledger.source = SourceState::Lent));
    assert!(!awaited(|ledger| {
        ledger.source = SourceState::Lent;
        ledger.stats.shift(Place::Queued, Place::InFlight);
    }));
    assert!(awaited(|ledger| {
        ledger.budget.keep(1 << 20);
        assert!(!ledger.budget.take(0, 1, true));
    }));
}

#[test]
fn who_asks_a_source_that_may_wait_calls_another_for_what_is_here_and_not_for_the_source() {
    let now = Instant::now();
    let later = Some(now + Duration::from_secs(1));
    let may_wait = || SourceState::new(source(std::iter::from_fn(|| None::<Request>)));
    let list = || SourceState::new(source(vec![Request::get("http://h/")]));
    for (name, source, due, called, expected) in [
        ("nothing", may_wait(), None, 0, false),
        ("a job", may_wait(), Some(None), 0, true),
        ("a job, and one is called", may_wait(), Some(None), 1, false),
        ("a job that is due later", may_wait(), Some(later), 0, true),
        ("a list", list(), Some(None), 0, false),
    ] {
        let mut ledger = ledger(8);
        (ledger.source, ledger.waiting, ledger.called) = (source, 2, called);
        if let Some(due) = due {
            let job = Job::new(0, Request::get("http://h/"), now);
            let lane = ledger.lanes.lane_for(None);
            let parked = Parked { job: Box::new(job), place: Place::Queued, watch: None };
            ledger.lanes.put(lane, 0, Times { due, expiry: None }, parked, now);
        }
        assert_eq!(ledger.calls_another_before_asking(), expected, "{name}");
        assert_eq!(ledger.called, called + usize::from(expected), "{name}");
        // Whoever goes to do something else calls one that can ask.
        ledger.called = 0;
        assert!(ledger.calls_another(), "{name}");
    }
}

#[test]
fn jobs_are_not_asked_for_one_by_one_where_there_is_little_room_for_them() {
    const JOBS: usize = 400;
    for (room, least) in [(16, 1), (40, 4), (100, 10), (150, 16), (1000, 32)] {
        let mut ledger = ledger(room);
        let jobs: Vec<Request> = (0..JOBS).map(|_| Request::get("http://h/")).collect();
        (ledger.source, ledger.max_threads) = (SourceState::new(source(jobs)), 4);
        ledger.rules.look_ahead = 128;
        let now = Instant::now();
        let lane = ledger.lanes.lane_for(None);
        let (mut asked, mut came) = (0, 0);
        for index in 0..JOBS as u64 {
            let wanted = ledger.wants_ahead(None);
            asked += usize::from(wanted > 0);
            for index in (came..).take(wanted) {
                let job = Box::new(Job::new(index, Request::get("http://h/"), now));
                let parked = Parked { job, place: Place::Queued, watch: None };
                ledger.lanes.put(lane, index, Times::default(), parked, now);
                came += 1;
            }
            assert!(ledger.lanes.remove(index, now).is_some(), "room {room}: none is here");
        }
        assert!(came as usize / asked >= least, "room {room}: asked {asked} times for {came}");
    }
}

/// Two workers, of whom one has a connection to a and one to b, and so many jobs for a.
fn rivals(jobs: u64) -> (Ledger, Held) {
    let (mut ledger, now) = (ledger(1000), Instant::now());
    let [a, b] = ["http://a/", "http://b/"].map(|url| Target::parse(url).unwrap());
    let lane = ledger.lanes.lane_for(Some(&a));
    ledger.lanes.lane_for(Some(&b));
    for index in 0..jobs {
        let job = Box::new(Job::new(index, Request::get("http://a/"), now));
        let parked = Parked { job, place: Place::Queued, watch: None };
        ledger.lanes.put(lane, index, Times::default(), parked, now);
    }
    let [mut mine, mut others] = [Held::default(), Held::default()];
    ledger.lanes.hold(&mut mine, [&b.origin()], now);
    ledger.lanes.hold(&mut others, [&a.origin()], now);
    (ledger, mine)
}

#[test]
fn who_would_open_one_more_connection_gives_way_where_all_are_busy() {
    let gives_way = |change: fn(&mut Ledger, &mut Held)| {
        let (mut ledger, mut held) = rivals(1);
        change(&mut ledger, &mut held);
        ledger.gives_way(&held, ledger.lanes.rivals(&held))
    };
    assert!(gives_way(|_, _| ()));
    assert!(!gives_way(|ledger, _| ledger.waiting = 1), "somebody is free");
    assert!(!gives_way(|ledger, _| ledger.rules.room = 0), "nothing can be begun");
    assert!(
        !gives_way(|ledger, held| ledger.lanes.hold(held, [], Instant::now())),
        "it has no connection at all"
    );
    assert!(
        !gives_way(|ledger, held| {
            let origin = Target::parse("http://a/").unwrap().origin();
            ledger.lanes.hold(held, [&origin], Instant::now());
        }),
        "it has one to use"
    );
}

#[test]
fn more_jobs_to_choose_from_are_taken_where_there_is_room_for_all_of_them() {
    for (jobs, unread, wanted) in [(79, 0, 17), (80, 0, 32), (80, 16, 32), (80, 17, 0)] {
        let (mut ledger, held) = rivals(jobs);
        let list: Vec<Request> = (0..1000).map(|_| Request::get("http://a/")).collect();
        (ledger.source, ledger.max_threads) = (SourceState::new(source(list)), 2);
        ledger.rules.room_ahead = 128;
        for index in 0..unread {
            let error = Error::new(ErrorKind::Io, "");
            let outcome = Outcome::new(1000 + index, Request::get("http://a/"), Err(error));
            ledger.outbox.put(outcome);
        }
        let taken = ledger.wants_ahead(ledger.lanes.rivals(&held));
        assert_eq!(taken, wanted, "{jobs} jobs, and {unread} that nobody has read");
    }
}
