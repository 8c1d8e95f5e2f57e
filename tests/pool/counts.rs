//! Statistics that add up: at every moment, and in the end.

use std::iter;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use fetchpool::{
    CancelToken, Error, Observed, Observer, OnError, Outcome, Pool, Request, Response, RetryPolicy,
    SessionConfig, Stats,
};

use crate::farm::{Farm, refused, within};
use crate::script::{Script, ok, redirect};

/// The usual patience for a batch that must end.
const LIMIT: Duration = Duration::from_secs(10);

// ---- at every moment

#[test]
fn counts_add_up_at_every_moment_under_faults_retries_and_cancels() {
    let farm = Farm::new();
    let gone = refused();
    let tokens: Arc<Mutex<Vec<CancelToken>>> = Arc::default();
    let new_tokens = Arc::clone(&tokens);
    let base = farm.url("");
    let jobs = (0..900_u32).map(move |n| {
        let route = match n % 15 {
            0 => format!("/series/{n}/503,200"),
            1 => format!("/series/{n}/0,200"),
            2 => return Request::get("no URL"),
            3 => "/reset".into(),
            4 => "/truncated".into(),
            5 => format!("/redirect/2/{n}"),
            6 => format!("/gzip/{n}"),
            7 => return Request::get(format!("http://{gone}/")),
            8 => {
                let token = CancelToken::new();
                let job = Request::get(format!("{base}/gate/{n}")).cancel_token(&token);
                new_tokens.lock().unwrap().push(token);
                return job;
            }
            9 => "/close/1".into(),
            10 => "/drip/3/1".into(),
            11 => {
                return Request::get(format!("{base}/delay/100/1"))
                    .timeout(Duration::from_millis(5));
            }
            _ => format!("/ok/{n}"),
        };
        Request::get(format!("{base}{route}"))
    });
    let pool = Pool::builder().num_threads(6).outcome_capacity(8).retry(RetryPolicy::new(1));
    let pool = pool.job_queue(jobs).build().unwrap();
    let (last, read) = watched(pool, move |pool| {
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            let canceller = scope.spawn(|| {
                while !over.load(Ordering::SeqCst) {
                    for token in std::mem::take(&mut *tokens.lock().unwrap()) {
                        token.cancel();
                    }
                    thread::yield_now();
                }
            });
            let readers = [
                scope.spawn(|| (pool.responses().count(), 0)),
                scope.spawn(|| (0, pool.exceptions().count())),
            ];
            let read = readers.map(|reader| reader.join().unwrap());
            over.store(true, Ordering::SeqCst);
            canceller.join().unwrap();
            (read[0].0 as u64, read[1].1 as u64)
        })
    });
    assert_eq!((last.pulled, last.delivered, last.unfinished()), (900, 900, 0));
    assert_eq!((last.responses, last.failed), read);
    assert!(last.retried >= 120, "{last:?}");
}

#[test]
fn counts_add_up_at_every_moment_with_a_rate_and_a_cancel() {
    let farm = Farm::new();
    let url = farm.url("/ok");
    let jobs = (0..).map(move |n: u32| format!("{url}/{n}"));
    let pool = Pool::builder().num_threads(4).rate(2000.0).job_queue(jobs).build().unwrap();
    let (last, read) = watched(pool, |pool| {
        let read = pool.outcomes().take(300).count();
        drop(pool.cancel());
        read + pool.outcomes().count()
    });
    assert_eq!((last.pulled, last.delivered), (read as u64, read as u64));
}

#[test]
fn counts_add_up_at_every_moment_while_a_pool_stops_drains_and_is_not_read() {
    for on_error in [OnError::Continue, OnError::StopAfter(20)] {
        let farm = Farm::new();
        let url = farm.url("/ok");
        let jobs = (0..).map(move |n: u32| match n % 4 {
            0 => "no URL".into(),
            _ => format!("{url}/{n}"),
        });
        let pool = Pool::builder().num_threads(4).outcome_capacity(30).on_error(on_error);
        let pool = pool.job_queue(jobs).build().unwrap();
        let (last, read) = watched(pool, move |pool| {
            let read = pool.outcomes().take(60).count();
            while pool.stats().buffered < 1 && on_error == OnError::Continue {
                thread::yield_now();
            }
            assert!(pool.drain(LIMIT));
            read
        });
        assert_eq!((last.delivered, last.unfinished()), (read as u64, 0));
        assert_eq!(last.pulled, last.delivered + last.buffered);
    }
}

#[test]
fn counts_add_up_at_every_moment_where_the_order_is_kept() {
    let farm = Farm::new();
    let url = farm.url("");
    let jobs = (0..400).map(move |n| match n % 5 {
        0 => format!("{url}/delay/2/{n}"),
        1 => "no URL".into(),
        2 => format!("{url}/series/{n}/503,200?retry-after=0"),
        _ => format!("{url}/ok/{n}"),
    });
    let pool = Pool::builder().num_threads(4).ordered_window(10).retry(RetryPolicy::new(1));
    let pool = pool.job_queue(jobs).build().unwrap();
    let (last, read) = watched(pool, |pool| pool.outcomes().count());
    assert_eq!((last.delivered, read), (400, 400));
    assert_eq!((last.retried, last.failed), (80, 80));
}

/// Lets `work` use the pool, while another thread reads the counts over and over. Gives the last
/// counts, and what the work gave.
#[track_caller]
fn watched<T: Send + 'static>(
    pool: Pool,
    work: impl FnOnce(&Pool) -> T + Send + 'static,
) -> (Stats, T) {
    within(2 * LIMIT, move || {
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            let watcher = scope.spawn(|| {
                let mut before = pool.stats();
                while !over.load(Ordering::SeqCst) {
                    let now = pool.stats();
                    assert_adds_up(&now);
                    assert_grew(&before, &now);
                    before = now;
                    thread::yield_now();
                }
            });
            let result = work(&pool);
            over.store(true, Ordering::SeqCst);
            watcher.join().unwrap();
            let last = pool.stats();
            assert_adds_up(&last);
            (last, result)
        })
    })
}

#[track_caller]
fn assert_adds_up(stats: &Stats) {
    let Stats { pulled, delayed, in_flight, buffered, delivered, .. } = *stats;
    assert_eq!(pulled, delayed + in_flight + buffered + delivered, "{stats:?}");
    assert_eq!(stats.responses + stats.failed, buffered + delivered, "{stats:?}");
    assert_eq!(stats.unfinished(), delayed + in_flight, "{stats:?}");
}

/// What counts events never falls.
#[track_caller]
fn assert_grew(before: &Stats, now: &Stats) {
    let events = |stats: &Stats| {
        [
            stats.pulled,
            stats.delivered,
            stats.responses,
            stats.failed,
            stats.retried,
            stats.bytes,
            stats.connections_opened,
            stats.connections_reused,
            stats.buffered + stats.delivered,
        ]
    };
    let grew = iter::zip(events(before), events(now)).all(|(before, now)| before <= now);
    assert!(grew, "{before:?}, and then {now:?}");
}

// ---- one by one

#[test]
fn a_new_pool_counts_nothing() {
    let (jobs, queue) = mpsc::channel::<Request>();
    let pool = Pool::builder().num_threads(2).job_queue(queue).build().unwrap();
    assert_eq!(pool.stats(), Stats::default());
    drop(jobs);
}

#[test]
fn a_job_is_in_flight_then_buffered_then_delivered() {
    let farm = Farm::new();
    let jobs: Vec<String> = (0..3).map(|n| farm.url(&format!("/gate/{n}"))).collect();
    let pool = Pool::builder().num_threads(2).job_queue(jobs).build().unwrap();
    farm.wait_at_gate(2);
    let stats = pool.stats();
    assert_eq!((stats.pulled, stats.in_flight, stats.buffered, stats.delivered), (2, 2, 0, 0));
    farm.open_gate();
    within(LIMIT, move || {
        pool.join_all();
        let stats = pool.stats();
        assert_eq!((stats.pulled, stats.in_flight, stats.buffered, stats.delivered), (3, 0, 3, 0));
        for delivered in 1..=3 {
            assert!(pool.get_response().is_some());
            let stats = pool.stats();
            assert_eq!((stats.buffered, stats.delivered), (3 - delivered, delivered));
        }
    });
}

#[test]
fn what_one_view_passes_over_is_not_delivered() {
    let farm = Farm::new();
    let mut jobs: Vec<String> = (0..4).map(|n| farm.url(&format!("/ok/{n}"))).collect();
    jobs.splice(2..2, iter::repeat_n("no URL".into(), 5));
    let pool = Pool::builder().num_threads(1).job_queue(jobs).build().unwrap();
    within(LIMIT, move || {
        assert_eq!(pool.responses().count(), 4);
        let stats = pool.stats();
        assert_eq!((stats.responses, stats.failed), (4, 5));
        assert_eq!((stats.buffered, stats.delivered), (5, 4));
        assert_eq!(pool.exceptions().count(), 5);
        let stats = pool.stats();
        assert_eq!((stats.buffered, stats.delivered), (0, 9));
    });
}

#[test]
fn a_retry_that_waits_is_delayed_and_a_retry_that_is_made_counts() {
    let farm = Farm::new();
    let jobs = [farm.url("/series/0/503,503,200?retry-after=0"), farm.url("/series/1/0,200")];
    // A kept connection that is closed without an answer is no retry: it was stale.
    let fresh = |config: &mut SessionConfig| config.keep_alive = false;
    let builder = Pool::builder().num_threads(2).retry(RetryPolicy::new(3)).initializer(fresh);
    let (pool, stats) = done(builder, jobs);
    assert_eq!((stats.responses, stats.retried), (2, 3));
    assert_eq!(farm.requests() as u64, stats.pulled + stats.retried);
    drop(pool);

    let waits = [farm.url("/series/2/503?retry-after=20")];
    let pool = Pool::builder().num_threads(2).retry(RetryPolicy::new(3)).job_queue(waits);
    let pool = pool.build().unwrap();
    within(LIMIT, move || {
        while pool.stats().delayed < 1 {
            thread::yield_now();
        }
        let stats = pool.stats();
        assert_eq!((stats.pulled, stats.delayed, stats.in_flight), (1, 1, 0));
    });
}

#[test]
fn a_retry_that_was_never_made_is_not_counted() {
    let farm = Farm::new();
    let jobs = [farm.url("/series/0/503?retry-after=20")];
    let pool = Pool::builder().num_threads(1).retry(RetryPolicy::new(3)).job_queue(jobs);
    let pool = pool.build().unwrap();
    let stats = within(LIMIT, move || {
        while pool.stats().delayed < 1 {
            thread::yield_now();
        }
        pool.cancel();
        pool.join_all();
        pool.stats()
    });
    assert_eq!(farm.requests(), 1, "there was one try, the first");
    assert_eq!(stats.retried, 0, "tries after the first: {stats:?}");
}

#[test]
fn bytes_are_those_of_the_bodies_of_all_outcomes_decoded() {
    let server = Script::site(|request| match request.target().as_str() {
        "/none" => b"HTTP/1.1 204 No Content\r\n\r\n".to_vec(),
        "/moved" => redirect(302, "/10").into_iter().collect(),
        "/status" => b"HTTP/1.1 500 Broken\r\nContent-Length: 7\r\n\r\nbroken!".to_vec(),
        "/chunked" => b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
            3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n"
            .to_vec(),
        other => ok(vec![b'x'; other[1..].parse().unwrap()]),
    });
    let count = |route: &str, as_error: bool| {
        let builder =
            Pool::builder().num_threads(1).initializer(move |config: &mut SessionConfig| {
                config.http_status_as_error = as_error;
            });
        done(builder, [server.url(route)]).1.bytes
    };
    assert_eq!(count("/0", false), 0);
    assert_eq!(count("/1", false), 1);
    assert_eq!(count("/70000", false), 70_000);
    assert_eq!(count("/none", false), 0);
    assert_eq!(count("/moved", false), 10, "the last hop's");
    assert_eq!(count("/chunked", false), 7, "without their frames");
    assert_eq!(count("/status", false), 7);
    assert_eq!(count("/status", true), 7, "the error has the response");
}

#[cfg(feature = "gzip")]
#[test]
fn bytes_of_a_body_that_was_compressed_are_those_that_come_out() {
    let farm = Farm::new();
    let long = "x".repeat(2000);
    let (_, stats) = done(Pool::builder().num_threads(1), [farm.url(&format!("/gzip/{long}"))]);
    assert_eq!(stats.bytes, 2000);
}

#[test]
fn connections_opened_and_reused_are_what_the_server_saw() {
    let farm = Farm::new();
    let jobs: Vec<String> = (0..50).map(|n| farm.url(&format!("/ok/{n}"))).collect();
    let (_, stats) = done(Pool::builder().num_threads(1), jobs);
    assert_eq!((stats.connections_opened, stats.connections_reused), (1, 49));

    let farm = Farm::new();
    let jobs: Vec<String> = (0..40).map(|n| farm.url(&format!("/gate/{n}"))).collect();
    let pool = Pool::builder().num_threads(4).job_queue(jobs).build().unwrap();
    farm.wait_at_gate(4);
    farm.open_gate();
    let stats = within(LIMIT, move || {
        pool.join_all();
        pool.stats()
    });
    assert_eq!((stats.connections_opened, stats.connections_reused), (4, 36));
    assert_eq!(farm.connections(), 4);

    // Each closed by the server, or not kept by the session.
    let farm = Farm::new();
    let jobs: Vec<String> = (0..10).map(|n| farm.url(&format!("/close/{n}"))).collect();
    let (_, stats) = done(Pool::builder().num_threads(2), jobs);
    assert_eq!((stats.connections_opened, stats.connections_reused), (10, 0));
    let mut config = SessionConfig::new();
    config.keep_alive = false;
    let jobs: Vec<String> = (0..10).map(|n| farm.url(&format!("/ok/{n}"))).collect();
    let (_, stats) = done(Pool::builder().num_threads(2).session(config), jobs);
    assert_eq!((stats.connections_opened, stats.connections_reused), (10, 0));
    assert_eq!(farm.connections(), 20);
}

#[test]
fn hops_of_a_redirect_count_as_requests_over_connections() {
    let farm = Farm::new();
    let (_, stats) = done(Pool::builder().num_threads(1), [farm.url("/redirect/3/1")]);
    assert_eq!((stats.pulled, stats.responses, stats.retried), (1, 1, 0));
    assert_eq!((stats.connections_opened, stats.connections_reused), (1, 3));
}

#[test]
fn connections_of_jobs_that_fail_count_too() {
    let farm = Farm::new();
    let gone = refused();
    let jobs = [
        Request::get(farm.url("/ok/0")),
        Request::get(farm.url("/truncated")),
        Request::get(farm.url("/garbage")),
        Request::get(format!("http://{gone}/")),
        Request::get("no URL"),
        Request::get(farm.url("/gate/5")).timeout(Duration::from_millis(50)),
        Request::get(farm.url("/ok/6")),
    ];
    let (_, stats) = done(Pool::builder().num_threads(1), jobs);
    assert_eq!((stats.responses, stats.failed), (2, 5));
    assert_eq!(stats.connections_opened, farm.connections() as u64);
    // The first opens one, the second breaks it, the third opens one and breaks it, the sixth …
    assert_eq!((stats.connections_opened, stats.connections_reused), (4, 1));
}

#[test]
fn connections_of_a_cancelled_job_count_too() {
    let farm = Farm::new();
    let token = CancelToken::new();
    let job = Request::get(farm.url("/gate/0")).cancel_token(&token);
    let pool = Pool::builder().num_threads(1).job_queue([job]).build().unwrap();
    farm.wait_at_gate(1);
    token.cancel();
    let stats = within(LIMIT, move || {
        pool.join_all();
        pool.stats()
    });
    assert_eq!((stats.failed, stats.connections_opened, stats.connections_reused), (1, 1, 0));
}

#[cfg(feature = "tls")]
#[test]
fn connections_over_tls_count_once() {
    let farm = Farm::with_tls();
    let mut config = SessionConfig::new();
    config.tls.add_root_pem(farm.root_pem());
    let jobs: Vec<String> = (0..6).map(|n| farm.tls_url(&format!("/ok/{n}"))).collect();
    let (_, stats) = done(Pool::builder().num_threads(1).session(config), jobs);
    assert_eq!((stats.responses, stats.connections_opened, stats.connections_reused), (6, 1, 5));
}

#[test]
fn what_is_handed_back_was_never_taken() {
    let farm = Farm::new();
    let jobs: Vec<String> = (0..10).map(|n| farm.url(&format!("/gate/{n}"))).collect();
    let pool = Pool::builder().num_threads(2).job_queue(jobs).build().unwrap();
    farm.wait_at_gate(2);
    within(LIMIT, move || {
        assert_eq!(pool.cancel().count(), 8);
        pool.join_all();
        let stats = pool.stats();
        assert_eq!((stats.pulled, stats.failed, stats.responses), (2, 2, 0));
    });
}

#[test]
fn an_outcome_is_counted_before_it_can_be_read_and_after_its_observer_was_told() {
    struct Counts(mpsc::Sender<u64>);
    impl Observer for Counts {
        fn outcome(&self, job: &Observed<'_>, _: Result<&Response, &Error>) {
            self.0.send(job.index().unwrap()).unwrap();
        }
    }
    let farm = Farm::new();
    let (tell, told) = mpsc::channel();
    let url = farm.url("/ok");
    let jobs = (0..200).map(move |n| format!("{url}/{n}"));
    let pool = Pool::builder().num_threads(4).observer(Counts(tell)).job_queue(jobs);
    let pool = pool.build().unwrap();
    within(LIMIT, move || {
        let mut seen = Vec::new();
        for (read, outcome) in (1..).zip(pool.outcomes()) {
            let stats = pool.stats();
            assert_eq!(stats.delivered, read);
            assert!(stats.responses >= read);
            seen.extend(told.try_iter());
            assert!(seen.contains(&outcome.index()), "read before its observer was told");
        }
    });
}

/// Runs these jobs, reads everything, and gives the counts.
#[track_caller]
fn done<I>(builder: fetchpool::PoolBuilder, jobs: I) -> (Vec<Outcome>, Stats)
where
    I: IntoIterator + 'static,
    I::Item: Into<Request>,
    I::IntoIter: Send + 'static,
{
    let pool = builder.job_queue(jobs).build().unwrap();
    within(LIMIT, move || {
        let outcomes: Vec<Outcome> = pool.outcomes().collect();
        let stats = pool.stats();
        assert_adds_up(&stats);
        assert_eq!((stats.delivered, stats.buffered), (outcomes.len() as u64, 0));
        (outcomes, stats)
    })
}
