//! Dropping and cancelling, at every bad moment (P4, P7).

use std::iter;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use fetchpool::{ErrorKind, Outcome, Pool, Request, RetryPolicy};

use crate::farm::{Farm, timed, within};

/// What an end may take at the very most.
const LIMIT: Duration = Duration::from_secs(2);

/// What dropping a pool may take: 100 ms are promised, the rest is for a busy machine.
const DROP: Duration = Duration::from_millis(300);

#[test]
fn dropping_a_pool_that_nobody_read() {
    let farm = Farm::new();
    let url = farm.url("/ok/1");
    let pool = Pool::builder().num_threads(4).job_queue(iter::repeat_n(url, 500)).build().unwrap();
    within(LIMIT, move || drop(pool));
}

#[test]
fn dropping_half_way_while_the_producer_lives() {
    let farm = Farm::new();
    let (jobs, queue) = mpsc::channel();
    for n in 0..200 {
        jobs.send(Request::get(farm.url(&format!("/ok/{n}")))).unwrap();
    }
    let pool = Pool::builder().num_threads(4).job_queue(queue).build().unwrap();
    within(LIMIT, move || {
        assert_eq!(pool.responses().take(100).count(), 100);
        drop(pool);
    });
    drop(jobs);
}

#[test]
fn dropping_while_all_workers_wait_for_a_job() {
    let farm = Farm::new();
    let (jobs, queue) = mpsc::channel();
    let pool = Pool::builder().num_threads(4).job_queue(queue).build().unwrap();
    jobs.send(Request::get(farm.url("/ok/1"))).unwrap();
    within(LIMIT, move || {
        assert!(pool.get_response().is_some());
        drop(pool);
    });
    drop(jobs);
}

#[test]
fn dropping_with_a_full_outcome_queue() {
    let farm = Farm::new();
    let url = farm.url("/ok/1");
    let pool = Pool::builder()
        .num_threads(4)
        .outcome_capacity(1)
        .job_queue(iter::repeat(url))
        .build()
        .unwrap();
    within(LIMIT, move || {
        assert!(pool.get_response().is_some());
        drop(pool);
    });
}

#[test]
fn dropping_while_the_pool_waits_in_the_callers_iterator() {
    let farm = Farm::new();
    let (jobs, queue) = mpsc::channel::<String>();
    let (lines, pipe) = mpsc::channel::<String>();
    let pools = [
        // Not requests, so that to the pool this is an iterator like any other.
        Pool::builder().num_threads(3).job_queue(queue).build().unwrap(),
        Pool::builder()
            .num_threads(3)
            .job_queue(iter::from_fn(move || pipe.recv().ok()))
            .build()
            .unwrap(),
    ];
    for (pool, producer) in pools.into_iter().zip([&jobs, &lines]) {
        producer.send(farm.url("/ok/1")).unwrap();
        within(LIMIT, move || {
            assert!(pool.get_response().is_some());
            drop(pool);
        });
    }
}

#[test]
fn dropping_while_the_rate_holds_jobs_back() {
    let farm = Farm::new();
    let url = farm.url("/ok/1");
    let pool = Pool::builder()
        .num_threads(3)
        .rate(0.01)
        .job_queue(iter::repeat_n(url, 10))
        .build()
        .unwrap();
    within(LIMIT, move || {
        assert!(pool.get_response().is_some());
        drop(pool);
    });
}

#[test]
fn dropping_while_a_retry_is_parked() {
    let farm = Farm::new();
    let parked = farm.url("/series/parked/503?retry-after=20");
    let pool = Pool::builder()
        .num_threads(1)
        .retry(RetryPolicy::new(3))
        .job_queue([parked, farm.url("/ok/1")])
        .build()
        .unwrap();
    within(LIMIT, move || {
        assert_eq!(pool.get_response().unwrap().text(), "1");
        drop(pool);
    });
}

#[test]
fn dropping_while_requests_wait_for_a_silent_server() {
    let farm = Farm::new();
    let waits = |turn: usize| {
        let jobs: Vec<String> = (0..16).map(|n| farm.url(&format!("/gate/{n}"))).collect();
        let pool = Pool::builder().num_threads(8).job_queue(jobs).build().unwrap();
        farm.wait_at_gate(8 * turn);
        let ((), took) = timed(|| within(LIMIT, move || drop(pool)));
        took
    };
    // The best of three: the machine may be busy with something else just then.
    let took = (1..=3).map(waits).min().unwrap();
    assert!(took < DROP, "{took:?}");
}

#[test]
fn dropping_while_a_body_drips() {
    let farm = Farm::new();
    let url = farm.url("/drip/100000/20");
    let pool = Pool::builder().num_threads(2).job_queue([url.clone(), url]).build().unwrap();
    while farm.requests() < 2 {
        thread::yield_now();
    }
    within(LIMIT, move || drop(pool));
}

#[test]
fn dropping_the_last_share_of_a_pool_while_nothing_is_read() {
    let farm = Farm::new();
    let url = farm.url("/ok/1");
    let pool = Arc::new(Pool::builder().job_queue(iter::repeat(url)).build().unwrap());
    let shares: Vec<_> = (0..4)
        .map(|_| {
            let pool = Arc::clone(&pool);
            thread::spawn(move || assert!(pool.get_response().is_some()))
        })
        .collect();
    within(LIMIT, move || {
        drop(pool);
        shares.into_iter().for_each(|share| share.join().unwrap());
    });
}

#[test]
fn dropping_what_was_built_and_never_used() {
    within(LIMIT, || {
        for _ in 0..50 {
            let (jobs, queue) = mpsc::channel::<Request>();
            drop(Pool::builder().num_threads(3).job_queue(queue).build().unwrap());
            drop(jobs);
        }
    });
}

#[test]
fn cancel_gives_every_job_that_was_taken_an_outcome() {
    let farm = Farm::new();
    let (pulled, pulls) = mpsc::channel();
    let base = farm.url("/gate");
    let jobs = (0..100_u64).map(move |n| {
        pulled.send(n).unwrap();
        format!("{base}/{n}")
    });
    let pool = Pool::builder().num_threads(4).look_ahead(1).job_queue(jobs).build().unwrap();
    farm.wait_at_gate(4);
    let (outcomes, after) = within(LIMIT, move || {
        pool.cancel();
        let outcomes: Vec<Outcome> = pool.outcomes().collect();
        (outcomes, pool.responses().count() + pool.exceptions().count())
    });
    assert_eq!(after, 0);
    let mut taken: Vec<u64> = pulls.try_iter().collect();
    let mut answered: Vec<u64> = outcomes.iter().map(Outcome::index).collect();
    taken.sort_unstable();
    answered.sort_unstable();
    assert_eq!(taken, answered);
    assert!((4..=5).contains(&taken.len()), "{} taken by four workers", taken.len());
    for outcome in outcomes {
        let error = outcome.result().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Cancelled);
        assert!(error.is_cancelled());
    }
}

#[test]
fn cancel_keeps_the_answers_that_were_there_before() {
    let farm = Farm::new();
    let jobs: Vec<Request> = (0..6)
        .map(|n| match n {
            0..3 => Request::get(farm.url(&format!("/ok/{n}"))),
            _ => Request::get(farm.url(&format!("/gate/{n}"))),
        })
        .collect();
    // One thread: the first three are done when the fourth comes to the gate.
    let pool = Pool::builder().num_threads(1).job_queue(jobs).build().unwrap();
    farm.wait_at_gate(1);
    let (responses, exceptions) = within(LIMIT, move || {
        pool.cancel();
        pool.cancel();
        (pool.responses().count(), pool.exceptions().collect::<Vec<_>>())
    });
    assert_eq!(responses, 3);
    assert!(!exceptions.is_empty());
    assert!(exceptions.iter().all(|exception| exception.is_cancelled()));
}

#[test]
fn cancel_ends_a_reader_that_waits_although_the_producer_lives() {
    let (jobs, queue) = mpsc::channel::<Request>();
    let pool = Arc::new(Pool::builder().num_threads(2).job_queue(queue).build().unwrap());
    let reading = Arc::clone(&pool);
    let (started, start) = mpsc::channel();
    let reader = thread::spawn(move || {
        started.send(()).unwrap();
        reading.responses().count()
    });
    start.recv().unwrap();
    assert_eq!(
        within(LIMIT, move || {
            pool.cancel();
            reader.join().unwrap()
        }),
        0
    );
    drop(jobs);
}

#[test]
fn cancel_ends_a_retry_that_is_parked() {
    let farm = Farm::new();
    let pool = Pool::builder()
        .num_threads(1)
        .retry(RetryPolicy::new(3))
        .job_queue([farm.url("/series/parked/503?retry-after=20"), farm.url("/ok/1")])
        .build()
        .unwrap();
    let exceptions = within(LIMIT, move || {
        assert_eq!(pool.get_response().unwrap().text(), "1");
        pool.cancel();
        assert_eq!(pool.responses().count(), 0);
        pool.exceptions().collect::<Vec<_>>()
    });
    assert_eq!(exceptions.len(), 1);
    assert_eq!(exceptions[0].index(), 0);
    assert!(exceptions[0].is_cancelled());
}

#[test]
fn cancel_after_the_end_changes_nothing() {
    let farm = Farm::new();
    let pool = Pool::from_urls([farm.url("/ok/1"), "no URL".into()]).unwrap();
    let counts = within(LIMIT, move || {
        pool.join_all();
        pool.cancel();
        (pool.responses().count(), pool.exceptions().map(|e| e.kind()).collect::<Vec<_>>())
    });
    assert_eq!(counts, (1, vec![ErrorKind::InvalidUrl]));
}

#[test]
fn cancel_with_a_full_outcome_queue_ends_and_loses_nothing() {
    let farm = Farm::new();
    let (pulled, pulls) = mpsc::channel();
    let base = farm.url("/ok");
    let jobs = (0..).map(move |n: u32| {
        // The test may be over, the pool not yet.
        let _ = pulled.send(n);
        format!("{base}/{n}")
    });
    let pool = Pool::builder().num_threads(3).outcome_capacity(2).job_queue(jobs).build().unwrap();
    // Two outcomes wait, and a third job was taken: the queue is full or about to be.
    for _ in 0..4 {
        pulls.recv_timeout(LIMIT).unwrap();
    }
    let read = within(LIMIT, move || {
        let mut left = pool.cancel();
        pool.join_all();
        // What a worker brought from the iterator too late is the first that comes back.
        let next = left.next().unwrap();
        (pool.outcomes().count(), next.url().to_owned())
    });
    let (read, next) = read;
    assert!(next.ends_with(&format!("/ok/{read}")), "{read} outcomes, and then {next}");
}
