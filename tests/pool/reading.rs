//! Outcomes can be read in any order, from any thread, or not at all (P1, P4).

use std::collections::HashSet;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use fetchpool::{Outcome, Pool, Request};

use crate::farm::{Farm, within};

/// What reading a batch may take: far more than it needs, far less than for ever.
const LIMIT: Duration = Duration::from_secs(10);

/// Jobs in a batch, half of them exceptions: far more than a pool keeps for a reader.
const JOBS: usize = 400;

/// A pool with a batch under way, whose outcomes fill the queue for them at once.
fn batch(farm: &Farm) -> Pool {
    let url = farm.url("/ok");
    let jobs = (0..JOBS).map(move |n| match n % 2 {
        0 => Request::get(format!("{url}/{n}")),
        _ => Request::get(format!("no URL {n}")),
    });
    Pool::builder().num_threads(4).outcome_capacity(2).job_queue(jobs).build().unwrap()
}

#[test]
fn responses_then_exceptions() {
    let farm = Farm::new();
    let pool = batch(&farm);
    let counts = within(LIMIT, move || (pool.responses().count(), pool.exceptions().count()));
    assert_eq!(counts, (JOBS / 2, JOBS / 2));
}

#[test]
fn exceptions_then_responses() {
    let farm = Farm::new();
    let pool = batch(&farm);
    let counts = within(LIMIT, move || (pool.exceptions().count(), pool.responses().count()));
    assert_eq!(counts, (JOBS / 2, JOBS / 2));
}

#[test]
fn both_from_two_threads() {
    let farm = Farm::new();
    let pool = batch(&farm);
    let counts = within(LIMIT, move || {
        thread::scope(|scope| {
            let responses = scope.spawn(|| pool.responses().count());
            let exceptions = scope.spawn(|| pool.exceptions().count());
            (responses.join().unwrap(), exceptions.join().unwrap())
        })
    });
    assert_eq!(counts, (JOBS / 2, JOBS / 2));
}

#[test]
fn both_from_two_threads_that_share_the_pool_in_an_arc() {
    let farm = Farm::new();
    let pool = Arc::new(batch(&farm));
    let counts = within(LIMIT, move || {
        let other = Arc::clone(&pool);
        let exceptions = thread::spawn(move || other.exceptions().count());
        (pool.responses().count(), exceptions.join().unwrap())
    });
    assert_eq!(counts, (JOBS / 2, JOBS / 2));
}

#[test]
fn neither_and_join_all() {
    let farm = Farm::new();
    let pool = batch(&farm);
    within(LIMIT, move || {
        pool.join_all();
        pool.join_all();
    });
}

#[test]
fn join_all_keeps_what_was_not_read() {
    let farm = Farm::new();
    let pool = batch(&farm);
    let counts = within(LIMIT, move || {
        assert!(pool.get_response().is_some());
        pool.join_all();
        (pool.responses().count(), pool.exceptions().count(), pool.outcomes().count())
    });
    assert_eq!(counts, (JOBS / 2 - 1, JOBS / 2, 0));
}

#[test]
fn join_all_while_another_thread_reads() {
    let farm = Farm::new();
    let pool = batch(&farm);
    let read = within(LIMIT, move || {
        thread::scope(|scope| {
            let joins = [scope.spawn(|| pool.join_all()), scope.spawn(|| pool.join_all())];
            let read = pool.outcomes().count();
            joins.into_iter().for_each(|join| join.join().unwrap());
            read + pool.outcomes().count()
        })
    });
    assert_eq!(read, JOBS);
}

#[test]
fn get_response_and_get_exception_in_turn() {
    let farm = Farm::new();
    let pool = batch(&farm);
    within(LIMIT, move || {
        for _ in 0..JOBS / 2 {
            assert!(pool.get_response().unwrap().ok());
            assert!(pool.get_exception().unwrap().request().url().starts_with("no URL"));
        }
        assert!(pool.get_response().is_none());
        assert!(pool.get_exception().is_none());
        assert!(pool.get_response().is_none(), "done is done");
    });
}

#[test]
fn outcomes_are_both() {
    let farm = Farm::new();
    let pool = batch(&farm);
    let outcomes: Vec<Outcome> = within(LIMIT, move || pool.outcomes().collect());
    assert_eq!(outcomes.len(), JOBS);
    let indexes: HashSet<u64> = outcomes.iter().map(Outcome::index).collect();
    assert_eq!(indexes, (0..JOBS as u64).collect());
    assert!(outcomes.iter().all(|outcome| outcome.is_response() == (outcome.index() % 2 == 0)));
}

#[test]
fn an_outcome_is_seen_in_one_view_only() {
    let farm = Farm::new();
    let pool = batch(&farm);
    let indexes: Vec<u64> = within(LIMIT, move || {
        let mut indexes = Vec::new();
        // Views are made and left half way; nothing that they passed over is lost.
        for _ in 0..20 {
            indexes.extend(pool.responses().take(3).map(|response| response.index()));
            indexes.extend(pool.outcomes().take(2).map(|outcome| outcome.index()));
            indexes.extend(pool.exceptions().take(1).map(|exception| exception.index()));
        }
        indexes.extend(pool.outcomes().map(|outcome| outcome.index()));
        indexes
    });
    assert_eq!(indexes.len(), JOBS);
    assert_eq!(indexes.into_iter().collect::<HashSet<_>>().len(), JOBS);
}

#[test]
fn many_readers_share_one_view() {
    let farm = Farm::new();
    let pool = batch(&farm);
    let read: usize = within(LIMIT, move || {
        thread::scope(|scope| {
            let readers: Vec<_> = (0..6)
                .map(|reader| match reader % 3 {
                    0 => scope.spawn(|| pool.responses().count()),
                    1 => scope.spawn(|| pool.exceptions().count()),
                    _ => scope.spawn(|| pool.outcomes().count()),
                })
                .collect();
            readers.into_iter().map(|reader| reader.join().unwrap()).sum()
        })
    });
    assert_eq!(read, JOBS);
}

#[test]
fn one_outcome_at_a_time_is_enough() {
    let farm = Farm::new();
    let url = farm.url("/ok");
    let jobs = (0..100).map(move |n| format!("{url}/{n}"));
    let pool = Pool::builder().num_threads(8).outcome_capacity(1).job_queue(jobs).build().unwrap();
    assert_eq!(within(LIMIT, move || pool.exceptions().count() + pool.responses().count()), 100);
}

#[test]
fn while_nobody_reads_jobs_go_on_until_128_outcomes_or_two_for_each_thread_wait() {
    for (threads, waiting) in [(1, 128), (2, 128), (80, 160)] {
        let jobs = (0..JOBS).map(|n| format!("no URL {n}"));
        let pool = Pool::builder().num_threads(threads).job_queue(jobs).build().unwrap();
        // Each worker may have one more in its hands.
        let room = waiting + threads as u64;
        let began = Instant::now();
        while pool.stats().buffered < room {
            assert!(began.elapsed() < LIMIT, "{threads} threads: {:?}", pool.stats());
            thread::yield_now();
        }
        let stats = pool.stats();
        assert_eq!((stats.buffered, stats.in_flight), (room, 0), "{threads} threads");
        assert_eq!(within(LIMIT, move || pool.exceptions().count()), JOBS);
    }
}

#[test]
fn no_room_for_outcomes_is_refused_or_works_but_never_hangs() {
    let jobs = (0..20).map(|n| format!("no URL {n}"));
    // A queue of no places hands over from thread to thread; a pool may also not want that.
    if let Ok(pool) = Pool::builder().num_threads(4).outcome_capacity(0).job_queue(jobs).build() {
        assert_eq!(within(LIMIT, move || pool.exceptions().count()), 20);
    }
}

#[test]
fn a_reader_that_waits_is_served_when_a_job_comes() {
    let farm = Farm::new();
    let (jobs, queue) = mpsc::channel();
    let pool = Arc::new(Pool::builder().num_threads(2).job_queue(queue).build().unwrap());
    let readers: Vec<_> = (0..3)
        .map(|_| {
            let pool = Arc::clone(&pool);
            thread::spawn(move || pool.responses().count())
        })
        .collect();
    let failed = Arc::clone(&pool);
    let failures = thread::spawn(move || failed.exceptions().count());
    for n in 0..50 {
        jobs.send(Request::get(farm.url(&format!("/ok/{n}")))).unwrap();
        jobs.send(Request::get(format!("no URL {n}"))).unwrap();
    }
    drop(jobs);
    let counts = within(LIMIT, move || {
        let read: usize = readers.into_iter().map(|reader| reader.join().unwrap()).sum();
        (read, failures.join().unwrap())
    });
    assert_eq!(counts, (50, 50));
}

#[test]
fn a_reader_on_whom_the_next_jobs_depend_is_not_late_for_each() {
    const JOBS: u32 = 400;
    let job = || Request::invalid("on purpose");
    // So many are there at a time, and no more come together.
    let with = |in_hand: usize| {
        let (jobs, queue) = mpsc::channel();
        let pool = Pool::builder().num_threads(2).job_queue(queue).build().unwrap();
        (0..in_hand).for_each(|_| jobs.send(job()).unwrap());
        move || {
            let start = Instant::now();
            for _ in 0..JOBS {
                assert!(pool.get_exception().is_some());
                jobs.send(job()).unwrap();
            }
            start.elapsed() / JOBS
        }
    };
    // One alone is never let gather. The machine may be busy, but hardly in each round, and then for
    // both. Two that are let gather take 500 us.
    let (alone, both) = (with(1), with(2));
    let (alone, both) = within(LIMIT, move || {
        let rounds: Vec<_> = (0..20).map(|_| (alone(), both())).collect();
        (rounds.iter().map(|round| round.0).min(), rounds.iter().map(|round| round.1).min())
    });
    let (alone, both) = (alone.unwrap(), both.unwrap());
    assert!(both < alone + Duration::from_micros(20), "{both:?} for a job, and {alone:?} alone");
}
