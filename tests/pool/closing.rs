//! The steps of an end: what is handed back, who goes on, what a drop leaves behind (P7).

use std::iter;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use fetchpool::{
    CancelToken, ErrorKind, OnError, Outcome, Politeness, Pool, PoolBuilder, Request, RetryPolicy,
    SessionConfig, Unpulled,
};

use crate::farm::{Farm, timed, within};
use crate::script::{Gate, Script, ok};
use crate::standstill::{Standstill, out_of_budget, promptly};

/// The usual patience for what must come.
const LIMIT: Duration = Duration::from_secs(10);

/// How long a test listens for what must not happen.
const WHILE: Duration = Duration::from_millis(150);

// ---- close

#[test]
fn close_hands_back_the_rest_of_a_list_in_order() {
    let farm = Farm::new();
    let jobs: Vec<Request> = gated(&farm).take(20).collect();
    hands_back_the_rest(&farm, |builder| builder.job_queue(jobs), Pool::close);
}

#[test]
fn close_hands_back_the_rest_of_an_iterator_in_order() {
    let farm = Farm::new();
    let jobs = gated(&farm);
    hands_back_the_rest(&farm, |builder| builder.job_queue(jobs), Pool::close);
}

#[test]
fn close_hands_back_what_is_in_a_channel_in_order() {
    let farm = Farm::new();
    let (jobs, queue) = mpsc::channel();
    gated(&farm).take(20).for_each(|job| jobs.send(job).unwrap());
    hands_back_the_rest(&farm, |builder| builder.job_queue(queue), Pool::close);
    drop(jobs);
}

#[test]
fn cancel_hands_back_the_rest_too() {
    let farm = Farm::new();
    let jobs: Vec<Request> = gated(&farm).take(20).collect();
    hands_back_the_rest(&farm, |builder| builder.job_queue(jobs), Pool::cancel);
    let farm = Farm::new();
    let jobs = gated(&farm);
    hands_back_the_rest(&farm, |builder| builder.job_queue(jobs), Pool::cancel);
    let farm = Farm::new();
    let (jobs, queue) = mpsc::channel();
    gated(&farm).take(20).for_each(|job| jobs.send(job).unwrap());
    hands_back_the_rest(&farm, |builder| builder.job_queue(queue), Pool::cancel);
    drop(jobs);
}

/// That of these jobs, which all go to the gate, two threads take the first two, and the rest comes
/// back, from this call once and never again.
#[track_caller]
fn hands_back_the_rest(
    farm: &Farm,
    queue: impl FnOnce(PoolBuilder) -> PoolBuilder,
    end: fn(&Pool) -> Unpulled,
) {
    let pool = queue(Pool::builder().num_threads(2)).build().unwrap();
    farm.wait_at_gate(2);
    let (left, pool) = within(LIMIT, move || {
        let left: Vec<Request> = end(&pool).take(18).collect();
        assert_eq!(pool.close().count(), 0, "handed back twice");
        assert_eq!(pool.cancel().count(), 0, "handed back twice");
        (left, pool)
    });
    let tags: Vec<Option<u64>> = left.iter().map(|job| job.tag_ref().copied()).collect();
    assert_eq!(tags, (2..20).map(Some).collect::<Vec<_>>());
    let mut taken: Vec<u64> =
        within(LIMIT, move || pool.outcomes().map(|outcome| outcome.index()).collect());
    taken.sort_unstable();
    assert_eq!(taken, [0, 1]);
}

#[test]
fn after_a_close_what_was_taken_goes_on_and_no_more_is_taken() {
    let farm = Farm::new();
    let pool = Pool::builder().num_threads(3).job_queue(gated(&farm)).build().unwrap();
    farm.wait_at_gate(3);
    let left = pool.close();
    assert_eq!(pool.stats().in_flight, 3, "close waits for nothing and ends nothing");
    farm.open_gate();
    let mut outcomes: Vec<Outcome> = within(LIMIT, move || {
        let outcomes = pool.outcomes().collect();
        pool.join_all();
        let stats = pool.stats();
        assert_eq!((stats.pulled, stats.responses), (3, 3));
        outcomes
    });
    outcomes.sort_by_key(Outcome::index);
    for (n, outcome) in outcomes.into_iter().enumerate() {
        assert_eq!(outcome.result().unwrap().text(), n.to_string());
    }
    assert_eq!(farm.arrivals(), 3);
    drop(left);
}

#[test]
fn what_was_handed_back_is_a_queue_for_another_pool() {
    let farm = Farm::new();
    let jobs: Vec<Request> = gated(&farm).take(12).collect();
    let pool = Pool::builder().num_threads(2).job_queue(jobs).build().unwrap();
    farm.wait_at_gate(2);
    let left = pool.close();
    farm.open_gate();
    let (first, second) = within(LIMIT, move || {
        let first = pool.responses().count();
        // It does not need the pool that it comes from.
        drop(pool);
        let pool = Pool::builder().num_threads(2).job_queue(left).build().unwrap();
        (
            first,
            pool.responses().map(|response| *response.tag::<u64>().unwrap()).collect::<Vec<_>>(),
        )
    });
    assert_eq!(first, 2);
    let mut second = second;
    second.sort_unstable();
    assert_eq!(second, (2..12).collect::<Vec<_>>());
}

#[test]
fn a_close_of_a_live_queue_ends_the_readers_and_waits_for_no_producer() {
    let farm = Farm::new();
    let (jobs, queue) = mpsc::channel();
    let pool = Arc::new(Pool::builder().num_threads(3).job_queue(queue).build().unwrap());
    let readers: Vec<_> = (0..3)
        .map(|n| {
            let pool = Arc::clone(&pool);
            thread::spawn(move || match n {
                0 => pool.responses().count(),
                1 => pool.exceptions().count(),
                _ => pool.outcomes().count(),
            })
        })
        .collect();
    for n in 0..10 {
        jobs.send(Request::get(farm.url(&format!("/ok/{n}")))).unwrap();
    }
    let (read, left) = within(LIMIT, move || {
        while pool.stats().delivered < 10 {
            thread::yield_now();
        }
        let left = pool.close();
        let read: usize = readers.into_iter().map(|reader| reader.join().unwrap()).sum();
        pool.join_all();
        (read, left)
    });
    assert_eq!(read, 10);
    // What comes after the close waits in the channel, and is handed back as well.
    for n in 10..13_u64 {
        jobs.send(Request::get("http://a.test/").tag(n)).unwrap();
    }
    let tags = left.map(|job| *job.tag_ref::<u64>().unwrap());
    assert_eq!(within(LIMIT, move || tags.collect::<Vec<_>>()), [10, 11, 12]);
}

#[test]
fn what_is_handed_back_of_a_live_queue_does_not_wait_for_more() {
    let (jobs, queue) = mpsc::channel::<Request>();
    let pool = Pool::builder().num_threads(2).job_queue(queue).build().unwrap();
    let mut left = within(LIMIT, move || {
        let mut left = pool.close();
        assert!(left.next().is_none(), "the sender lives, but there is nothing");
        left
    });
    // Whoever sends on is told that nobody listens, or heard.
    let sent = jobs.send(Request::get("http://a.test/").tag("later")).is_ok();
    let later = within(LIMIT, move || left.next());
    assert_eq!(later.and_then(|job| job.tag_ref().copied()), sent.then_some("later"));
}

#[test]
fn letting_go_of_what_was_handed_back_tells_the_sender() {
    for end in [Pool::close, Pool::cancel] {
        let farm = Farm::new();
        let (jobs, queue) = mpsc::channel();
        let pool = Pool::builder().num_threads(2).job_queue(queue).build().unwrap();
        jobs.send(Request::get(farm.url("/ok/1"))).unwrap();
        let (pool, left) = within(LIMIT, move || {
            assert!(pool.get_response().is_some());
            let left = end(&pool);
            pool.join_all();
            (pool, left)
        });
        jobs.send(Request::get("http://a.test/")).expect("somebody may still want it");
        drop(left);
        assert!(jobs.send(Request::get("http://a.test/")).is_err(), "nobody listens any more");
        drop(pool);
    }
}

#[test]
fn a_dropped_pool_tells_the_sender() {
    let (jobs, queue) = mpsc::channel::<Request>();
    let pool = Pool::builder().num_threads(2).job_queue(queue).build().unwrap();
    jobs.send(Request::get("no URL")).unwrap();
    within(LIMIT, move || {
        assert!(pool.get_exception().is_some());
        drop(pool);
    });
    let patience = Instant::now() + LIMIT;
    while jobs.send(Request::get("no URL")).is_ok() {
        assert!(Instant::now() < patience, "somebody still listens");
        thread::yield_now();
    }
}

#[test]
fn a_pool_that_is_done_lets_go_of_its_iterator() {
    struct Guard(Arc<AtomicBool>);
    impl Drop for Guard {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
    let gone = Arc::new(AtomicBool::new(false));
    let guard = Guard(Arc::clone(&gone));
    let jobs = iter::repeat_with(move || {
        let _held = &guard;
        Request::get("no URL")
    });
    let pool = Pool::builder().num_threads(2).job_queue(jobs).build().unwrap();
    let pool = within(LIMIT, move || {
        assert!(pool.get_exception().is_some());
        let left = pool.close();
        pool.join_all();
        drop(left);
        pool
    });
    assert!(gone.load(Ordering::SeqCst));
    drop(pool);
}

#[test]
fn a_queue_whose_destructor_panics_takes_no_outcome_with_it() {
    struct Vase(u64);
    impl Iterator for Vase {
        type Item = Request;
        fn next(&mut self) -> Option<Request> {
            self.0 = self.0.checked_sub(1)?;
            Some(Request::get("no URL"))
        }
    }
    impl Drop for Vase {
        fn drop(&mut self) {
            panic!("the vase is broken");
        }
    }
    for closed in [false, true] {
        let pool = Pool::builder().num_threads(2).job_queue(Vase(20)).build().unwrap();
        within(LIMIT, move || {
            let left = if closed { pool.close().count() } else { 0 };
            let outcomes = pool.exceptions().count();
            assert_eq!(left + outcomes, 20);
            pool.join_all();
            drop(pool);
        });
    }
    // Dropped in the middle, by the pool.
    let pool = Pool::builder().num_threads(2).job_queue(Vase(u64::MAX)).build().unwrap();
    within(LIMIT, move || {
        assert!(pool.get_exception().is_some());
        drop(pool);
    });
}

#[test]
fn a_job_that_a_worker_was_waiting_for_is_the_first_handed_back() {
    for end in [Pool::close, Pool::cancel] {
        let farm = Farm::new();
        let (lines, pipe) = mpsc::channel::<u64>();
        let (asking, asked) = mpsc::channel();
        let url = farm.url("/ok");
        let mut rest = 10..13;
        let jobs = iter::from_fn(move || {
            // The test may be over, the pool not yet.
            let _ = asking.send(());
            let number = pipe.recv().ok().or_else(|| rest.next())?;
            Some(Request::get(format!("{url}/{number}")).tag(number))
        });
        let pool = Pool::builder().num_threads(2).job_queue(jobs).build().unwrap();
        lines.send(0).unwrap();
        let pool = within(LIMIT, move || {
            assert_eq!(pool.get_response().unwrap().text(), "0");
            pool
        });
        // The second job: a worker waits for it within the iterator.
        asked.recv_timeout(LIMIT).unwrap();
        asked.recv_timeout(LIMIT).unwrap();
        let left = within(LIMIT, move || {
            let left = end(&pool);
            assert_eq!(pool.outcomes().count(), 0, "the pool itself does not wait for it");
            left
        });
        let (first, rest) = mpsc::channel();
        let taker = thread::spawn(move || {
            for job in left {
                first.send(*job.tag_ref::<u64>().unwrap()).unwrap();
            }
        });
        assert!(rest.recv_timeout(WHILE).is_err(), "the iterator has not returned");
        lines.send(1).unwrap();
        assert_eq!(rest.recv_timeout(LIMIT), Ok(1), "the job that was on its way comes first");
        lines.send(2).unwrap();
        drop(lines);
        assert_eq!(rest.iter().collect::<Vec<_>>(), [2, 10, 11, 12]);
        taker.join().unwrap();
    }
}

#[test]
fn what_nobody_wants_of_a_worker_that_still_waits_is_dropped_when_it_returns() {
    let (lines, pipe) = mpsc::channel::<Request>();
    let jobs = iter::from_fn(move || pipe.recv().ok());
    let pool = Pool::builder().num_threads(1).job_queue(jobs).build().unwrap();
    lines.send(Request::get("no URL")).unwrap();
    within(LIMIT, move || {
        assert!(pool.get_exception().is_some());
        drop(pool.close());
        assert_eq!(pool.exceptions().count(), 0);
        drop(pool);
    });
    // The iterator returns with the next of these; then nobody is at the other end of the pipe.
    let patience = Instant::now() + LIMIT;
    while lines.send(Request::get("no URL")).is_ok() {
        assert!(Instant::now() < patience, "the iterator is still there");
        thread::yield_now();
    }
}

#[test]
fn many_who_close_at_once_get_the_rest_once() {
    let farm = Farm::new();
    let jobs: Vec<Request> = gated(&farm).take(200).collect();
    let pool = Pool::builder().num_threads(2).job_queue(jobs).build().unwrap();
    farm.wait_at_gate(2);
    farm.open_gate();
    let (mut all, left) = within(LIMIT, move || {
        thread::scope(|scope| {
            let closers: Vec<_> = (0..6)
                .map(|n| {
                    let pool = &pool;
                    scope.spawn(move || {
                        let left = if n % 3 == 0 { pool.cancel() } else { pool.close() };
                        left.map(|job| *job.tag_ref::<u64>().unwrap()).collect::<Vec<_>>()
                    })
                })
                .collect();
            let read = pool.outcomes().map(|outcome| outcome.index()).collect::<Vec<_>>();
            let left: Vec<Vec<u64>> =
                closers.into_iter().map(|closer| closer.join().unwrap()).collect();
            (read, left)
        })
    });
    assert!(left.iter().filter(|left| !left.is_empty()).count() <= 1, "{left:?}");
    assert!(left.iter().all(|left| left.is_sorted()));
    all.extend(left.into_iter().flatten());
    all.sort_unstable();
    assert_eq!(all, (0..200).collect::<Vec<_>>());
}

#[test]
fn closing_from_one_thread_while_others_read_loses_nothing() {
    for turn in 0..20 {
        let farm = Farm::new();
        let url = farm.url("/ok");
        let jobs = (0..400_u64).map(move |n| match n % 2 {
            0 => Request::get(format!("{url}/{n}")).tag(n),
            _ => Request::get("no URL").tag(n),
        });
        let pool = Pool::builder().num_threads(3).outcome_capacity(2).job_queue(jobs);
        let pool = pool.build().unwrap();
        let mut all = within(LIMIT, move || {
            thread::scope(|scope| {
                let good = scope.spawn(|| pool.responses().map(|r| r.index()).collect::<Vec<_>>());
                let bad = scope.spawn(|| pool.exceptions().map(|e| e.index()).collect::<Vec<_>>());
                while pool.stats().delivered < 10 * turn {
                    thread::yield_now();
                }
                let left = if turn % 2 == 0 { pool.close() } else { pool.cancel() };
                let left: Vec<u64> = left.map(|job| *job.tag_ref::<u64>().unwrap()).collect();
                assert!(left.is_sorted());
                [left, good.join().unwrap(), bad.join().unwrap()].concat()
            })
        });
        all.sort_unstable();
        assert_eq!(all, (0..400).collect::<Vec<_>>());
    }
}

#[test]
fn a_retry_that_is_parked_goes_on_after_a_close() {
    let farm = Farm::new();
    let jobs = [farm.url("/series/0/503,200?retry-after=1"), farm.url("/ok/1"), farm.url("/ok/2")];
    let jobs: Vec<String> = jobs.into_iter().chain([farm.url("/gate/3")]).collect();
    let pool = Pool::builder().num_threads(1).retry(RetryPolicy::new(1)).job_queue(jobs);
    let pool = pool.build().unwrap();
    farm.wait_at_gate(1);
    assert_eq!(pool.stats().delayed, 1);
    within(LIMIT, move || {
        drop(pool.close());
        farm.open_gate();
        let mut statuses: Vec<_> = pool.responses().map(|r| (r.index(), r.status())).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [(0, 200), (1, 200), (2, 200), (3, 200)]);
    });
}

#[test]
fn a_retry_that_is_parked_is_made_by_another_worker_while_one_waits_in_the_callers_iterator() {
    let farm = Farm::new();
    let (lines, pipe) = mpsc::channel::<String>();
    let jobs = iter::from_fn(move || pipe.recv().ok());
    let pool = Pool::builder().num_threads(2).retry(RetryPolicy::new(1)).job_queue(jobs);
    let pool = pool.build().unwrap();
    lines.send(farm.url("/series/0/503,200?retry-after=1")).unwrap();
    let response = within(LIMIT, move || pool.get_response());
    assert_eq!(response.unwrap().status(), 200);
    drop(lines);
}

#[test]
fn the_deadline_ends_a_parked_retry_while_the_only_worker_waits_in_the_callers_iterator() {
    ends_behind_an_iterator(|builder| builder.deadline(PARKED), |job| job);
}

#[test]
fn its_timeout_ends_a_parked_retry_while_the_only_worker_waits_in_the_callers_iterator() {
    ends_behind_an_iterator(|builder| builder, |job| job.timeout(PARKED));
}

#[test]
fn its_timeout_ends_a_parked_retry_while_every_worker_is_busy() {
    let farm = Farm::new();
    let job = Request::get(farm.url("/series/0/503?retry-after=1")).timeout(PARKED);
    let jobs = [job, Request::get(farm.url("/gate/1"))];
    let pool = Pool::builder().num_threads(1).retry(RetryPolicy::new(1)).job_queue(jobs);
    let pool = pool.build().unwrap();
    farm.wait_at_gate(1);
    let outcome = within(2 * PARKED, move || pool.outcomes().next().unwrap());
    assert_eq!(outcome.index(), 0);
    match outcome.result() {
        Ok(response) => assert_eq!(response.status(), 503),
        Err(error) => assert!(error.is_timeout(), "{error:?}"),
    }
}

#[test]
fn its_timeout_ends_a_parked_retry_while_the_reader_always_finds_something() {
    const THREADS: usize = 2;
    let farm = Farm::new();
    let host = farm.url("").trim_start_matches("http://").to_owned();
    let job = Request::get(farm.url("/series/0/503?retry-after=1")).timeout(PARKED);
    // Its origin is not asked again, and the others are answered without being sent.
    let jobs = iter::once(job).chain(iter::repeat_with(|| Request::invalid("on purpose")));
    let pool = Pool::builder().num_threads(THREADS).retry(RetryPolicy::new(1)).job_queue(jobs);
    let pool = pool.politeness_for(host, Politeness::new().rate(1e-9)).build().unwrap();
    within(2 * PARKED, move || {
        let behind = || {
            // One more than there are workers: some may be counted that are still on their way.
            while pool.stats().buffered <= THREADS as u64 {
                thread::yield_now();
            }
            pool.outcomes().next().unwrap()
        };
        let outcome = iter::repeat_with(behind).find(|outcome| outcome.index() == 0).unwrap();
        match outcome.result() {
            Ok(response) => assert_eq!(response.status(), 503),
            Err(error) => assert!(error.is_timeout(), "{error:?}"),
        }
    });
}

/// Longer than the wait for a retry, so that it is not given up at once.
const PARKED: Duration = Duration::from_millis(1300);

/// That with such a clock a retry which nobody can make has its outcome in time: an error, or the
/// last result.
#[track_caller]
fn ends_behind_an_iterator(
    settings: fn(PoolBuilder) -> PoolBuilder,
    clock: fn(Request) -> Request,
) {
    let farm = Farm::new();
    let (lines, pipe) = mpsc::channel::<Request>();
    let jobs = iter::from_fn(move || pipe.recv().ok());
    let pool = settings(Pool::builder().num_threads(1)).retry(RetryPolicy::new(1));
    let pool = pool.job_queue(jobs).build().unwrap();
    lines.send(clock(Request::get(farm.url("/series/0/503?retry-after=1")))).unwrap();
    let outcome = within(2 * PARKED, move || pool.outcomes().next().unwrap());
    match outcome.result() {
        Ok(response) => assert_eq!(response.status(), 503),
        Err(error) => assert!(error.is_timeout(), "{error:?}"),
    }
    drop(lines);
}

#[test]
fn reading_after_an_end_ends() {
    for end in [Pool::close, Pool::cancel] {
        let farm = Farm::new();
        let url = farm.url("/ok/1");
        let pool = Pool::builder().num_threads(3).job_queue(iter::repeat(url)).build().unwrap();
        within(LIMIT, move || {
            assert!(pool.get_response().is_some());
            drop(end(&pool));
            pool.join_all();
            let read = pool.responses().count() + pool.exceptions().count();
            assert_eq!(pool.stats().delivered, 1 + read as u64);
            for _ in 0..2 {
                assert!(pool.get_response().is_none());
                assert!(pool.get_exception().is_none());
                assert_eq!(pool.outcomes().count(), 0);
                pool.join_all();
                assert!(pool.drain(Duration::ZERO));
            }
        });
    }
}

// ---- drain

#[test]
fn drain_waits_until_what_was_taken_is_done() {
    let farm = Farm::new();
    let pool = Pool::builder().num_threads(3).job_queue(gated(&farm)).build().unwrap();
    farm.wait_at_gate(3);
    within(LIMIT, move || {
        // It closes first: what comes through the gate then makes room for no other.
        assert!(!pool.drain(Duration::ZERO));
        thread::scope(|scope| {
            let drained = scope.spawn(|| pool.drain(LIMIT));
            farm.open_gate();
            assert!(drained.join().unwrap());
        });
        let stats = pool.stats();
        assert_eq!((stats.pulled, stats.buffered, stats.unfinished()), (3, 3, 0));
        // Read now, or later; and what was not taken is still there.
        assert_eq!(pool.responses().count(), 3);
        let left: Vec<u64> = pool.close().take(3).map(|job| *job.tag_ref().unwrap()).collect();
        assert_eq!(left, [3, 4, 5]);
    });
}

#[test]
fn drain_gives_up_after_its_limit_and_can_be_asked_again() {
    let farm = Farm::new();
    let jobs: Vec<Request> = gated(&farm).take(10).collect();
    let pool = Pool::builder().num_threads(2).job_queue(jobs).build().unwrap();
    farm.wait_at_gate(2);
    within(LIMIT, move || {
        let limit = Duration::from_millis(200);
        let (drained, took) = timed(|| pool.drain(limit));
        assert!(!drained && took >= limit && took < limit * 5, "{drained} after {took:?}");
        assert!(!pool.drain(Duration::ZERO));
        assert_eq!(pool.stats().in_flight, 2, "it left them running");
        farm.open_gate();
        assert!(pool.drain(LIMIT));
        assert!(pool.drain(Duration::MAX), "what is done is done, however long one may wait");
        assert_eq!((pool.responses().count(), pool.close().count()), (2, 8));
    });
}

#[test]
fn drain_with_no_end_of_its_limit_ends_with_the_last_job() {
    let farm = Farm::new();
    let pool = Pool::builder().num_threads(2).job_queue(gated(&farm)).build().unwrap();
    farm.wait_at_gate(2);
    within(LIMIT, move || {
        thread::scope(|scope| {
            let drained = scope.spawn(|| pool.drain(Duration::MAX));
            farm.open_gate();
            assert!(drained.join().unwrap());
        });
        assert!(pool.responses().count() >= 2);
    });
}

#[test]
fn drain_may_be_followed_by_a_cancel() {
    let farm = Farm::new();
    let jobs: Vec<Request> = gated(&farm).take(10).collect();
    let pool = Pool::builder().num_threads(2).job_queue(jobs).build().unwrap();
    farm.wait_at_gate(2);
    within(LIMIT, move || {
        assert!(!pool.drain(Duration::from_millis(50)));
        let left: Vec<u64> = pool.cancel().map(|job| *job.tag_ref().unwrap()).collect();
        assert_eq!(left, (2..10).collect::<Vec<_>>());
        assert!(pool.drain(LIMIT));
        assert!(pool.exceptions().all(|exception| exception.is_cancelled()));
        assert_eq!(pool.stats().failed, 2);
    });
}

#[test]
fn drain_needs_nobody_to_read() {
    let farm = Farm::new();
    let url = farm.url("/ok/1");
    let pool = Pool::builder().num_threads(4).outcome_capacity(1).job_queue(iter::repeat(url));
    let pool = pool.build().unwrap();
    within(LIMIT, move || {
        while pool.stats().buffered < 1 {
            thread::yield_now();
        }
        assert!(pool.drain(LIMIT));
        let stats = pool.stats();
        assert_eq!((stats.buffered, stats.unfinished()), (stats.pulled, 0));
        assert_eq!(pool.responses().count() as u64, stats.pulled);
    });
}

#[test]
fn drain_of_a_body_that_waits_for_its_budget_does_not_hang() {
    let server = Script::site(|_| ok(vec![b'x'; 200_000]));
    let url = server.url("/");
    let jobs = iter::repeat(url);
    let pool = Pool::builder().num_threads(3).body_budget(1).job_queue(jobs).build().unwrap();
    within(LIMIT, move || {
        while pool.stats().buffered < 1 {
            thread::yield_now();
        }
        // Those that wait need somebody to read, which is not this call's business.
        let _ = pool.drain(Duration::from_millis(100));
        drop(pool.close());
        let pulled = pool.stats().pulled;
        assert_eq!(pool.responses().count() as u64, pulled);
        assert!(pool.drain(Duration::ZERO));
    });
}

// ---- dropping

#[test]
fn a_pool_is_dropped_at_once_within_a_look_up() {
    is_gone("look-up", Standstill::lookup);
}

#[test]
fn a_pool_is_dropped_at_once_while_connecting() {
    is_gone("connect", Standstill::connect);
}

#[cfg(feature = "tls")]
#[test]
fn a_pool_is_dropped_at_once_within_a_handshake() {
    is_gone("handshake", Standstill::handshake);
}

#[test]
fn a_pool_is_dropped_at_once_within_an_upload() {
    is_gone("upload", Standstill::upload);
}

#[cfg(feature = "tls")]
#[test]
fn a_pool_is_dropped_at_once_within_an_upload_over_tls() {
    is_gone("upload over TLS", Standstill::tls_upload);
}

#[test]
fn a_pool_is_dropped_at_once_while_it_waits_for_a_head() {
    is_gone("head", Standstill::head);
}

#[test]
fn a_pool_is_dropped_at_once_while_it_waits_for_the_rest_of_a_body() {
    is_gone("body", Standstill::body);
}

/// That a pool whose jobs stand still in this place is gone at once.
#[track_caller]
fn is_gone(what: &str, place: impl Fn() -> Standstill) {
    promptly(&format!("dropped, {what}"), || {
        let place = place();
        let jobs: Vec<Request> = (0..4).map(|_| place.request()).collect();
        let pool = place.pool().num_threads(3).job_queue(jobs).build().unwrap();
        place.wait_for(3, &[0, 1, 2]);
        within(LIMIT, move || timed(|| drop(pool)).1)
    });
}

#[test]
fn a_pool_is_dropped_at_once_while_a_body_waits_for_its_budget() {
    promptly("dropped, body budget", || {
        let (server, pool) = out_of_budget(|builder| builder, |job| job);
        let took = within(LIMIT, move || timed(|| drop(pool)).1);
        drop(server);
        took
    });
}

#[test]
fn a_pool_is_dropped_at_once_while_everything_waits_for_a_reader() {
    promptly("dropped, nobody reads", || {
        let farm = Farm::new();
        let url = farm.url("/ok/1");
        let pool = Pool::builder().num_threads(4).outcome_capacity(1).job_queue(iter::repeat(url));
        let pool = pool.build().unwrap();
        within(LIMIT, move || {
            while pool.stats().buffered < 1 {
                thread::yield_now();
            }
            timed(|| drop(pool)).1
        })
    });
}

#[test]
fn a_pool_is_dropped_at_once_while_it_waits_for_a_job_a_rate_or_a_retry() {
    promptly("dropped, live queue", || {
        let (jobs, queue) = mpsc::channel::<Request>();
        let pool = Pool::builder().num_threads(4).job_queue(queue).build().unwrap();
        jobs.send(Request::get("no URL")).unwrap();
        within(LIMIT, move || {
            assert!(pool.get_exception().is_some());
            timed(|| drop(pool)).1
        })
    });
    promptly("dropped, rate", || {
        let jobs = iter::repeat_n("no URL", 9);
        let pool = Pool::builder().num_threads(4).rate(0.01).job_queue(jobs).build().unwrap();
        within(LIMIT, move || {
            assert!(pool.get_exception().is_some());
            timed(|| drop(pool)).1
        })
    });
    promptly("dropped, retry", || {
        let farm = Farm::new();
        let jobs = [farm.url("/series/0/503?retry-after=20")];
        let pool = Pool::builder().num_threads(4).retry(RetryPolicy::new(1)).job_queue(jobs);
        let pool = pool.build().unwrap();
        within(LIMIT, move || {
            while pool.stats().delayed < 1 {
                thread::yield_now();
            }
            timed(|| drop(pool)).1
        })
    });
}

#[test]
fn a_dropped_pool_does_not_wait_long_for_the_callers_own_code() {
    promptly("dropped, iterator", || {
        let (lines, pipe) = mpsc::channel::<String>();
        let (asking, asked) = mpsc::channel();
        let jobs = iter::from_fn(move || {
            let _ = asking.send(());
            pipe.recv().ok()
        });
        let pool = Pool::builder().num_threads(2).job_queue(jobs).build().unwrap();
        asked.recv_timeout(LIMIT).unwrap();
        let took = within(LIMIT, move || timed(|| drop(pool)).1);
        drop(lines);
        took
    });
    promptly("dropped, initializer", || {
        let (entering, entered) = mpsc::channel();
        let gate = Gate::new();
        let opened = gate.clone();
        let pool = Pool::builder()
            .num_threads(1)
            .initializer(move |_: &mut SessionConfig| {
                let _ = entering.send(());
                gate.wait();
            })
            .job_queue(["no URL"])
            .build()
            .unwrap();
        entered.recv_timeout(LIMIT).unwrap();
        let took = within(LIMIT, move || timed(|| drop(pool)).1);
        opened.open();
        took
    });
}

#[cfg(target_os = "linux")]
#[test]
fn a_dropped_pool_leaves_no_thread_that_could_be_woken() {
    use crate::threads::{await_no_workers, workers};
    // The other tests have pools too: these counts need a process of their own.
    crate::child::alone("closing::a_dropped_pool_leaves_no_thread_that_could_be_woken", || {
        let drop_at = |place: Standstill| {
            let pool = place.pool().num_threads(2).job_queue([place.request(), place.request()]);
            let pool = pool.build().unwrap();
            place.wait_for(2, &[0, 1]);
            assert_eq!(workers().len(), 2, "{:?}", workers());
            within(LIMIT, move || drop(pool));
            place
        };
        for place in [Standstill::lookup, Standstill::upload, Standstill::head, Standstill::body] {
            let place = drop_at(place());
            // Before the place lets go of them.
            await_no_workers();
            drop(place);
        }
        #[cfg(feature = "tls")]
        for place in [Standstill::handshake, Standstill::tls_upload] {
            let place = drop_at(place());
            await_no_workers();
            drop(place);
        }
        let (server, pool) = out_of_budget(|builder| builder, |job| job);
        within(LIMIT, move || drop(pool));
        await_no_workers();
        drop(server);
        // Those that are connecting end by themselves, with their connect time-out.
        let place = drop_at(Standstill::connect());
        let left = Instant::now();
        while !workers().is_empty() {
            assert!(left.elapsed() < 2 * Standstill::CONNECT, "{:?} are left", workers());
            thread::yield_now();
        }
        drop(place);
    });
}

// ---- ending because of errors

#[test]
fn by_default_errors_end_nothing() {
    for builder in [Pool::builder(), Pool::builder().on_error(OnError::Continue)] {
        let pool = builder.num_threads(2).job_queue(iter::repeat_n("no URL", 50)).build().unwrap();
        assert_eq!(within(LIMIT, move || pool.exceptions().count()), 50);
    }
    assert_eq!(OnError::default(), OnError::Continue);
}

#[test]
fn stop_ends_the_pool_with_the_first_error() {
    for on_error in [OnError::Stop, OnError::StopAfter(1)] {
        stops(on_error, 1);
    }
}

#[test]
fn stop_after_some_ends_the_pool_with_the_last_of_them() {
    for errors in [2, 3, 7] {
        stops(OnError::StopAfter(errors), errors);
    }
    // As many as there are, and more.
    let pool = Pool::builder().num_threads(3).on_error(OnError::StopAfter(u64::MAX));
    let pool = pool.job_queue(iter::repeat_n("no URL", 30)).build().unwrap();
    assert_eq!(within(LIMIT, move || pool.exceptions().count()), 30);
}

/// That one thread, which gets one bad job in three, ends after so many and takes nothing more.
#[track_caller]
fn stops(on_error: OnError, errors: u64) {
    let farm = Farm::new();
    let jobs: Vec<Request> = one_bad_in_three(&farm).take(60).collect();
    let pool = Pool::builder().num_threads(1).on_error(on_error).job_queue(jobs);
    let pool = pool.build().unwrap();
    within(LIMIT, move || {
        let outcomes: Vec<Outcome> = pool.outcomes().collect();
        let indexes: Vec<u64> = outcomes.iter().map(Outcome::index).collect();
        assert_eq!(indexes, (0..3 * errors).collect::<Vec<_>>());
        for outcome in outcomes {
            let (bad, index) = (outcome.index() % 3 == 2, outcome.index());
            match outcome.result() {
                Ok(response) => {
                    assert_eq!((bad, response.text()), (false, index.to_string().into()))
                }
                Err(error) => assert_eq!((bad, error.kind()), (true, ErrorKind::InvalidUrl)),
            }
        }
        let left: Vec<u64> = pool.close().map(|job| *job.tag_ref().unwrap()).collect();
        assert_eq!(left, (3 * errors..60).collect::<Vec<_>>());
        let stats = pool.stats();
        assert_eq!((stats.pulled, stats.failed), (3 * errors, errors));
    });
}

#[test]
fn a_stop_cancels_what_runs_and_keeps_what_was_there() {
    let farm = Farm::new();
    let jobs = [
        Request::get(farm.url("/gate/0")),
        Request::get(farm.url("/ok/1")),
        Request::get(farm.url("/ok/2")),
        Request::get(farm.url("/series/3/503?retry-after=20")),
        Request::get("no URL"),
        Request::get(farm.url("/ok/5")).tag("left"),
    ];
    let pool = Pool::builder().num_threads(2).on_error(OnError::Stop).retry(RetryPolicy::new(1));
    let pool = pool.job_queue(jobs).build().unwrap();
    within(LIMIT, move || {
        let mut outcomes: Vec<Outcome> = pool.outcomes().collect();
        outcomes.sort_by_key(Outcome::index);
        let seen: Vec<_> = outcomes
            .into_iter()
            .map(|outcome| (outcome.index(), outcome.result().map_err(|error| error.kind())))
            .map(|(index, result)| (index, result.map(|response| response.status())))
            .collect();
        assert_eq!(
            seen,
            [
                (0, Err(ErrorKind::Cancelled)),
                (1, Ok(200)),
                (2, Ok(200)),
                (3, Err(ErrorKind::Cancelled)),
                (4, Err(ErrorKind::InvalidUrl)),
            ]
        );
        let left: Vec<Request> = pool.close().collect();
        assert_eq!(left.len(), 1);
        assert_eq!(left[0].tag_ref(), Some(&"left"));
        assert!(pool.get_response().is_none());
    });
}

#[test]
fn a_stop_tells_the_sender_of_a_live_queue() {
    let (jobs, queue) = mpsc::channel();
    let pool = Pool::builder().num_threads(3).on_error(OnError::Stop).job_queue(queue);
    let pool = pool.build().unwrap();
    jobs.send(Request::get("no URL")).unwrap();
    within(LIMIT, move || {
        assert_eq!(pool.exceptions().count(), 1, "ends although the producer lives");
        jobs.send(Request::get("no URL").tag("late")).expect("it stays with the pool");
        assert_eq!(
            pool.close().map(|job| *job.tag_ref::<&str>().unwrap()).collect::<Vec<_>>(),
            ["late"]
        );
        assert!(jobs.send(Request::get("no URL")).is_err());
    });
}

#[test]
fn stop_after_none_is_an_error_when_the_pool_is_built() {
    let builder = Pool::builder().on_error(OnError::StopAfter(0));
    let error = builder.job_queue(["http://a.test/"]).build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
}

#[test]
fn a_status_stops_the_pool_only_where_it_is_an_error() {
    let farm = Farm::new();
    let jobs = || (0..6).map(|n| farm.url(&format!("/status/404/{n}"))).collect::<Vec<_>>();
    for (is_error, expected) in [(false, 6), (true, 1)] {
        let pool = Pool::builder()
            .num_threads(1)
            .on_error(OnError::Stop)
            .initializer(move |session: &mut SessionConfig| session.http_status_as_error = is_error)
            .job_queue(jobs())
            .build()
            .unwrap();
        assert_eq!(within(LIMIT, move || pool.outcomes().count()), expected);
    }
}

#[test]
fn what_a_retry_mends_does_not_stop_the_pool() {
    let farm = Farm::new();
    let jobs = [farm.url("/series/0/0,200"), farm.url("/ok/1"), farm.url("/series/2/0,0,200")];
    let pool = Pool::builder().num_threads(2).on_error(OnError::Stop).retry(RetryPolicy::new(2));
    let pool = pool.job_queue(jobs).build().unwrap();
    assert_eq!(within(LIMIT, move || pool.responses().count()), 3);
}

#[test]
fn panics_and_hooks_that_fail_stop_the_pool_like_other_errors() {
    let pool = Pool::builder()
        .num_threads(1)
        .on_error(OnError::StopAfter(2))
        .initializer(|_: &mut SessionConfig| Err("not today"))
        .job_queue(iter::repeat("http://a.test/"))
        .build()
        .unwrap();
    assert_eq!(within(LIMIT, move || pool.exceptions().count()), 2);
    let jobs = iter::from_fn(|| -> Option<Request> { panic!("the queue fell over") });
    let pool = Pool::builder().num_threads(3).on_error(OnError::Stop).job_queue(jobs);
    let pool = pool.build().unwrap();
    let kinds = within(LIMIT, move || pool.exceptions().map(|e| e.kind()).collect::<Vec<_>>());
    assert_eq!(kinds, [ErrorKind::Panic]);
}

#[test]
fn with_stop_map_answers_every_request() {
    let farm = Farm::new();
    for threads in [1, 4] {
        let jobs: Vec<Request> = one_bad_in_three(&farm).take(60).collect();
        let (responses, exceptions) = within(LIMIT, move || {
            Pool::builder().num_threads(threads).on_error(OnError::StopAfter(2)).map(jobs)
        });
        let (responses, exceptions): (Vec<_>, Vec<_>) = (responses.collect(), exceptions.collect());
        let good: Vec<u64> = responses.iter().map(|response| response.index()).collect();
        let bad: Vec<u64> = exceptions.iter().map(|exception| exception.index()).collect();
        assert!(good.is_sorted() && bad.is_sorted());
        let mut all = [good, bad].concat();
        all.sort_unstable();
        assert_eq!(all, (0..60).collect::<Vec<_>>());
        for exception in &exceptions {
            assert_eq!(exception.tag::<u64>(), Some(&exception.index()));
            assert!(!exception.message().is_empty());
        }
        let own = exceptions.iter().filter(|e| e.kind() == ErrorKind::InvalidUrl).count();
        assert!(own >= 2 && own <= 1 + threads, "{own} were sent and failed");
        let rest = exceptions.iter().filter(|e| e.kind() == ErrorKind::Cancelled).count();
        assert_eq!(own + rest, exceptions.len(), "the others say that they were cancelled");
    }
}

#[test]
fn a_job_of_a_token_is_no_error_that_map_stops_for() {
    let farm = Farm::new();
    let token = CancelToken::new();
    token.cancel();
    let jobs: Vec<Request> = (0..9)
        .map(|n| Request::get(farm.url(&format!("/ok/{n}"))))
        .zip(0..)
        .map(|(job, n)| if n % 3 == 0 { job.cancel_token(&token) } else { job })
        .collect();
    let (responses, exceptions) =
        within(LIMIT, move || Pool::builder().num_threads(2).on_error(OnError::Stop).map(jobs));
    assert_eq!((responses.len(), exceptions.len()), (6, 3));
}

/// Jobs without end that all go to the gate, each with its number as its tag.
fn gated(farm: &Farm) -> impl Iterator<Item = Request> + Send + use<> {
    let url = farm.url("/gate");
    (0_u64..).map(move |n| Request::get(format!("{url}/{n}")).tag(n))
}

/// Jobs without end, each with its number as its tag; the last of three is a bad one.
fn one_bad_in_three(farm: &Farm) -> impl Iterator<Item = Request> + Send + use<> {
    let url = farm.url("/ok");
    (0_u64..).map(move |n| match n % 3 {
        2 => Request::get("no URL").tag(n),
        _ => Request::get(format!("{url}/{n}")).tag(n),
    })
}
