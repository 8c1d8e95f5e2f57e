//! Cancelling: what it wakes and how soon, whom it leaves alone, where it may come from (P7).

use std::io::Read as _;
use std::iter;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use fetchpool::{
    CancelToken, Error, ErrorKind, Fault, Observed, Observer, OnError, Outcome, Phase, Pool,
    Request, Response, RetryPolicy, SessionConfig,
};

use crate::dead::Dead;
use crate::farm::{Farm, within};
use crate::script::{Gate, Script, ok};
use crate::standstill::{Sleepers, Standstill, out_of_budget, promptly};

/// The usual patience for what must come.
const LIMIT: Duration = Duration::from_secs(10);

// ---- what it wakes, and how soon

#[test]
fn a_worker_that_waits_for_a_look_up_is_woken() {
    wakes("look-up", Standstill::lookup);
}

#[test]
fn a_job_that_is_connecting_is_answered_without_its_worker() {
    wakes("connect", Standstill::connect);
}

#[cfg(feature = "tls")]
#[test]
fn a_worker_within_a_handshake_is_woken() {
    wakes("handshake", Standstill::handshake);
}

#[test]
fn a_worker_that_writes_to_a_peer_that_does_not_read_is_woken() {
    wakes("upload", Standstill::upload);
}

#[cfg(feature = "tls")]
#[test]
fn a_worker_that_writes_over_tls_to_a_peer_that_does_not_read_is_woken() {
    wakes("upload over TLS", Standstill::tls_upload);
}

#[test]
fn a_worker_that_waits_for_a_head_is_woken() {
    wakes("head", Standstill::head);
}

#[test]
fn a_worker_that_waits_for_the_rest_of_a_body_is_woken() {
    wakes("body", Standstill::body);
}

/// That a job which stands still in this place has its outcome at once: by its token, whoever else
/// stands there; by a cancel of the pool; and that the pool's threads then end.
#[track_caller]
fn wakes(what: &str, place: impl Fn() -> Standstill) {
    promptly(&format!("{what}, by a token"), || {
        let (place, token) = (place(), CancelToken::new());
        let jobs = [place.request(), place.request().cancel_token(&token).tag("mine")];
        let pool = place.pool().num_threads(2).job_queue(jobs).build().unwrap();
        place.wait_for(2, &[0, 1]);
        let start = Instant::now();
        token.cancel();
        let (pool, outcome) = within(LIMIT, move || {
            let outcome = pool.get_exception().unwrap();
            (pool, outcome)
        });
        let took = start.elapsed();
        assert_eq!((outcome.index(), outcome.tag()), (1, Some(&"mine")));
        assert_cancelled(outcome.error(), Some(place.phase));
        assert_eq!(pool.stats().in_flight, 1, "the other one goes on");
        took
    });
    promptly(&format!("{what}, by a cancel of the pool"), || {
        let place = place();
        let jobs = [place.request().tag(0_u64), place.request().tag(1_u64)];
        let pool = place.pool().num_threads(2).job_queue(jobs).build().unwrap();
        place.wait_for(2, &[0, 1]);
        let (outcomes, took) = cancelled(pool);
        assert_eq!(outcomes.len(), 2);
        for outcome in outcomes {
            assert_eq!(outcome.tag(), Some(&outcome.index()));
            assert_cancelled(&outcome.result().unwrap_err(), Some(place.phase));
        }
        took
    });
    promptly(&format!("{what}, until the threads have ended"), || {
        let place = place();
        let pool = place.pool().num_threads(2).job_queue([place.request(), place.request()]);
        let pool = pool.build().unwrap();
        place.wait_for(2, &[0, 1]);
        within(LIMIT, move || {
            let start = Instant::now();
            pool.cancel();
            pool.join_all();
            start.elapsed()
        })
    });
}

#[test]
fn readers_and_workers_that_wait_for_a_live_queue_are_woken() {
    promptly("live queue", || {
        let farm = Farm::new();
        let (jobs, queue) = mpsc::channel();
        let pool = Pool::builder().num_threads(4).job_queue(queue).build().unwrap();
        jobs.send(Request::get(farm.url("/ok/1"))).unwrap();
        let (pool, first) = within(LIMIT, move || {
            let first = pool.get_response();
            (pool, first)
        });
        assert!(first.is_some());
        let (outcomes, took) = cancelled(pool);
        assert_eq!(outcomes.len(), 0);
        drop(jobs);
        took
    });
}

#[test]
fn readers_and_workers_that_wait_for_the_rate_are_woken() {
    promptly("rate", || {
        let farm = Farm::new();
        let jobs: Vec<String> = (0..5).map(|n| farm.url(&format!("/ok/{n}"))).collect();
        let pool = Pool::builder().num_threads(2).rate(0.01).job_queue(jobs).build().unwrap();
        let (took, outcomes, left) = within(LIMIT, move || {
            assert!(pool.get_response().is_some());
            let start = Instant::now();
            let left = pool.cancel();
            let outcomes: Vec<Outcome> = pool.outcomes().collect();
            pool.join_all();
            (start.elapsed(), outcomes, left.count())
        });
        for outcome in &outcomes {
            assert!(!outcome.is_response(), "{outcome:?}");
        }
        assert_eq!((outcomes.len() + left, farm.requests()), (4, 1));
        took
    });
}

#[test]
fn a_job_that_waits_for_the_rate_is_ended_by_its_token() {
    promptly("rate", || {
        let farm = Farm::new();
        let (jobs, lines) = mpsc::channel::<Request>();
        // The pool cannot know what comes from an iterator, so a worker waits in it while there
        // is time for a job. Meanwhile the retry of the first one takes that time.
        let lines = Mutex::new(lines);
        let lines = iter::from_fn(move || lines.lock().unwrap().recv().ok());
        let pool = Pool::builder().num_threads(2).rate(0.7).retry(RetryPolicy::new(1));
        let pool = pool.job_queue(lines).build().unwrap();
        let token = CancelToken::new();
        jobs.send(Request::get(farm.url("/series/0/503,200?retry-after=2"))).unwrap();
        within(LIMIT, move || {
            assert!(pool.get_response().unwrap().ok());
            jobs.send(Request::get(farm.url("/ok/1")).cancel_token(&token)).unwrap();
            while pool.stats().queued < 1 {
                thread::yield_now();
            }
            let start = Instant::now();
            token.cancel();
            let exception = pool.get_exception().unwrap();
            let took = start.elapsed();
            assert_eq!(exception.index(), 1);
            assert_cancelled(exception.error(), None);
            assert_eq!(farm.requests(), 2);
            took
        })
    });
}

#[test]
fn a_retry_that_is_parked_is_ended() {
    let place = || {
        let farm = Farm::new();
        let token = CancelToken::new();
        let parked = Request::get(farm.url("/series/parked/503?retry-after=20"));
        let jobs = [Request::get(farm.url("/ok/0")), parked.cancel_token(&token)];
        let pool = Pool::builder().num_threads(2).retry(RetryPolicy::new(3)).job_queue(jobs);
        let pool = pool.build().unwrap();
        let pool = within(LIMIT, move || {
            assert!(pool.get_response().is_some());
            while pool.stats().delayed < 1 {
                thread::yield_now();
            }
            pool
        });
        (farm, token, pool)
    };
    for by_token in [true, false] {
        promptly(&format!("parked retry, token: {by_token}"), || {
            let (farm, token, pool) = place();
            let (outcomes, took) =
                if by_token { cancelled_by(&token, pool) } else { cancelled(pool) };
            assert_only_the_second_was_cancelled(outcomes);
            assert_eq!(farm.requests(), 2);
            took
        });
    }
}

#[test]
fn a_retry_that_is_parked_is_ended_while_every_worker_waits_in_the_callers_iterator() {
    type End = fn(&CancelToken, &Pool);
    let ends: [(&str, End); 2] = [
        ("parked retry behind an iterator, by a token", |token, _| token.cancel()),
        ("parked retry behind an iterator, by the pool", |_, pool| drop(pool.cancel())),
    ];
    for (what, end) in ends {
        promptly(what, || {
            let farm = Farm::new();
            let (lines, pipe) = mpsc::channel::<Request>();
            let (asking, asked) = mpsc::channel();
            let jobs = iter::from_fn(move || {
                // The test may be over, the pool not yet.
                let _ = asking.send(());
                pipe.recv().ok()
            });
            let pool = Pool::builder().num_threads(1).retry(RetryPolicy::new(1)).job_queue(jobs);
            let pool = pool.build().unwrap();
            let token = CancelToken::new();
            let job = Request::get(farm.url("/series/0/503?retry-after=20"));
            lines.send(job.cancel_token(&token)).unwrap();
            asked.recv_timeout(LIMIT).unwrap();
            asked.recv_timeout(LIMIT).unwrap();
            assert_eq!(pool.stats().delayed, 1);
            within(LIMIT, move || {
                let start = Instant::now();
                end(&token, &pool);
                assert_cancelled(pool.get_exception().unwrap().error(), None);
                let took = start.elapsed();
                drop(lines);
                took
            })
        });
    }
}

#[test]
fn a_body_that_waits_for_its_budget_is_ended() {
    for by_token in [true, false] {
        promptly(&format!("body budget, token: {by_token}"), || {
            let token = CancelToken::new();
            let (_server, pool) = out_of_budget(|builder| builder, |job| job.cancel_token(&token));
            let stats = pool.stats();
            assert_eq!((stats.buffered, stats.in_flight), (1, 1), "{stats:?}");
            let (outcomes, took) = within(LIMIT, move || {
                let start = Instant::now();
                if by_token {
                    token.cancel()
                } else {
                    drop(pool.cancel())
                }
                // What was there before is not read meanwhile: that would make room.
                while pool.stats().buffered < 2 {
                    thread::yield_now();
                }
                (Vec::from_iter(pool.outcomes()), start.elapsed())
            });
            let [first, second]: [Outcome; 2] = outcomes.try_into().unwrap();
            assert_eq!((first.index(), first.is_response(), second.index()), (0, true, 1));
            assert_cancelled(&second.result().unwrap_err(), Some(Phase::Receiving));
            took
        });
    }
}

// ---- whom it leaves alone

#[test]
fn a_token_ends_its_own_job_and_no_other() {
    let farm = Farm::new();
    let token = CancelToken::new();
    let jobs: Vec<Request> = (0..4_u64)
        .map(|n| Request::get(farm.url(&format!("/gate/{n}"))).tag(n))
        .map(|job| if job.tag_ref() == Some(&2_u64) { job.cancel_token(&token) } else { job })
        .collect();
    let pool = Pool::builder().num_threads(4).job_queue(jobs).build().unwrap();
    farm.wait_at_gate(4);
    token.clone().cancel();
    assert!(token.is_cancelled());
    within(LIMIT, move || {
        let exception = pool.get_exception().unwrap();
        assert_eq!((exception.index(), exception.tag()), (2, Some(&2_u64)));
        assert_cancelled(exception.error(), Some(Phase::Waiting));
        farm.open_gate();
        let mut others: Vec<(u64, String)> =
            pool.responses().map(|r| (r.index(), r.text().into_owned())).collect();
        others.sort_unstable();
        assert_eq!(others, [(0, "0".into()), (1, "1".into()), (3, "3".into())]);
        assert_eq!(pool.exceptions().count(), 0);
    });
}

#[test]
fn one_token_ends_many_jobs_and_those_that_are_still_to_come() {
    let farm = Farm::new();
    let token = CancelToken::new();
    let (mine, gate, good) = (token.clone(), farm.url("/gate"), farm.url("/ok"));
    let jobs = (0..60_u64).map(move |n| match n % 3 {
        0 if n > 0 => Request::get(format!("{good}/{n}")).tag(n),
        _ => Request::get(format!("{gate}/{n}")).tag(n).cancel_token(&mine),
    });
    let pool = Pool::builder().num_threads(3).job_queue(jobs).build().unwrap();
    farm.wait_at_gate(3);
    token.cancel();
    let outcomes: Vec<Outcome> = within(LIMIT, move || pool.outcomes().collect());
    assert_eq!(outcomes.len(), 60);
    for outcome in outcomes {
        let index = outcome.index();
        assert_eq!(outcome.tag(), Some(&index));
        if index % 3 == 0 && index > 0 {
            assert_eq!(outcome.result().unwrap().text(), index.to_string());
        } else {
            assert_cancelled(&outcome.result().unwrap_err(), None);
        }
    }
    assert_eq!(farm.arrivals(), 3, "what came after the cancel was not sent");
}

#[test]
fn a_job_whose_token_was_cancelled_before_is_not_sent() {
    let farm = Farm::new();
    let token = CancelToken::new();
    token.cancel();
    let asked = Arc::new(AtomicUsize::new(0));
    let asks = Arc::clone(&asked);
    let mut config = SessionConfig::new();
    config.resolver = Some(Arc::new(move |_: &str, _: u16| {
        asks.fetch_add(1, Ordering::SeqCst);
        Ok(Vec::new())
    }));
    let (responses, exceptions) = Pool::builder().num_threads(2).session(config).map([
        Request::get(farm.url("/ok/0")).cancel_token(&token),
        Request::get("http://host.test/").cancel_token(&token),
        Request::get(farm.url("/ok/2")),
    ]);
    assert_eq!(responses.map(|response| response.index()).collect::<Vec<_>>(), [2]);
    let exceptions: Vec<_> = exceptions.collect();
    assert_eq!(exceptions.iter().map(|exception| exception.index()).collect::<Vec<_>>(), [0, 1]);
    for exception in exceptions {
        assert_cancelled(exception.error(), None);
        assert!(exception.timings().total() < Duration::from_millis(300), "{exception:?}");
    }
    assert_eq!((farm.requests(), farm.connections(), asked.load(Ordering::SeqCst)), (1, 1, 0));
}

#[test]
fn a_token_that_is_cancelled_after_the_end_changes_nothing() {
    let farm = Farm::new();
    let tokens: Vec<CancelToken> = (0..3).map(|_| CancelToken::new()).collect();
    let jobs: Vec<Request> = (0..3)
        .map(|n| Request::get(farm.url(&format!("/ok/{n}"))).cancel_token(&tokens[n]))
        .chain([Request::get(farm.url("/gate/3"))])
        .collect();
    let pool = Pool::builder().num_threads(1).job_queue(jobs).build().unwrap();
    // One thread: the first three are done, and one of them was read.
    farm.wait_at_gate(1);
    within(LIMIT, move || {
        assert_eq!(pool.get_response().unwrap().text(), "0");
        tokens.iter().for_each(CancelToken::cancel);
        farm.open_gate();
        assert_eq!(pool.responses().map(|r| r.index()).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(pool.exceptions().count(), 0);
        assert_eq!(farm.connections(), 1, "the connection was not touched");
    });
}

#[test]
fn the_connection_of_a_cancelled_request_is_not_used_again() {
    // Silent, within its head, within its body, and within a body that has no end of its own.
    for bytes in [
        "",
        "HTTP/1.1 200 OK\r\nContent-Le",
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf.",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhalf.\r\n",
    ] {
        let gate = Gate::new();
        // Should the second request come over the first connection, it is answered wrongly.
        let server = Script::new().reply(bytes).open(&gate).reply(ok("wrong"));
        let server = server.accept().reply(ok("right")).reply(ok("again")).serve();
        let token = CancelToken::new();
        let jobs = [
            Request::get(server.url("/0")).cancel_token(&token),
            Request::get(server.url("/1")),
            Request::get(server.url("/2")),
        ];
        let pool = Pool::builder().num_threads(1).job_queue(jobs).build().unwrap();
        assert!(gate.wait());
        token.cancel();
        within(LIMIT, move || {
            assert_cancelled(pool.get_exception().unwrap().error(), None);
            assert_eq!(pool.get_response().unwrap().text(), "right");
            assert_eq!(pool.get_response().unwrap().text(), "again");
        });
        server.wait_for_end_of(0);
        assert_eq!(server.connections(), 2, "{bytes:?}");
    }
}

#[test]
fn a_cancelled_job_is_not_tried_again() {
    let farm = Farm::new();
    let token = CancelToken::new();
    let job = Request::get(farm.url("/gate/0")).cancel_token(&token);
    let pool = Pool::builder().num_threads(2).retry(RetryPolicy::new(5)).job_queue([job]);
    let pool = pool.build().unwrap();
    farm.wait_at_gate(1);
    token.cancel();
    within(LIMIT, move || {
        assert_cancelled(pool.get_exception().unwrap().error(), Some(Phase::Waiting));
        pool.join_all();
        assert_eq!(pool.stats().retried, 0);
    });
    assert_eq!(farm.arrivals(), 1);
}

#[test]
fn a_job_that_its_token_ended_does_not_count_as_an_error_that_stops_the_pool() {
    let farm = Farm::new();
    let token = CancelToken::new();
    let before = CancelToken::new();
    before.cancel();
    let mut jobs = vec![
        Request::get(farm.url("/gate/0")).cancel_token(&token),
        Request::get(farm.url("/ok/1")).cancel_token(&before),
    ];
    jobs.extend((2..20).map(|n| Request::get(farm.url(&format!("/gate/{n}")))));
    let pool = Pool::builder().num_threads(2).on_error(OnError::Stop).job_queue(jobs);
    let pool = pool.build().unwrap();
    farm.wait_at_gate(2);
    token.cancel();
    farm.open_gate();
    within(LIMIT, move || {
        assert_eq!(pool.responses().count(), 18);
        assert!(pool.exceptions().all(|exception| exception.is_cancelled()));
        assert_eq!(pool.close().count(), 0);
        assert_eq!(pool.stats().failed, 2);
    });
}

#[test]
fn a_token_ends_jobs_of_several_pools() {
    let farm = Farm::new();
    let token = CancelToken::new();
    let pool = |n: u32| {
        let mine = Request::get(farm.url(&format!("/gate/{n}"))).cancel_token(&token);
        let other = Request::get(farm.url(&format!("/gate/{n}")));
        Pool::builder().num_threads(2).job_queue([mine, other]).build().unwrap()
    };
    let pools = [pool(1), pool(2), pool(3)];
    farm.wait_at_gate(6);
    token.cancel();
    within(LIMIT, move || {
        for pool in &pools {
            assert_cancelled(pool.get_exception().unwrap().error(), Some(Phase::Waiting));
            assert_eq!(pool.stats().in_flight, 1);
        }
        farm.open_gate();
        for pool in pools {
            assert_eq!(pool.responses().map(|response| response.index()).collect::<Vec<_>>(), [1]);
        }
    });
}

#[test]
fn a_token_is_not_spent_by_a_pool() {
    let farm = Farm::new();
    let token = CancelToken::new();
    let job = || Request::get(farm.url("/ok/1")).cancel_token(&token);
    let (responses, _) = fetchpool::map([job(), job()]);
    assert_eq!(responses.len(), 2);
    // An exception is its request again, and that is still cancelled.
    token.cancel();
    let (_, exceptions) = fetchpool::map([job(), job()]);
    assert_eq!(exceptions.len(), 2);
    let pool = Pool::from_exceptions(exceptions).unwrap();
    within(LIMIT, move || {
        assert!(pool.exceptions().all(|exception| exception.is_cancelled()));
        assert_eq!(pool.stats().failed, 2);
    });
}

// ---- a worker that cannot be woken

#[test]
fn a_worker_that_is_given_up_while_connecting_is_replaced() {
    let place = Standstill::connect();
    let farm = Farm::new();
    let tokens: Vec<CancelToken> = (0..3).map(|_| CancelToken::new()).collect();
    let initialized = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&initialized);
    // One thread that is lost three times, and has its work done all the same.
    let mut jobs: Vec<Request> =
        tokens.iter().map(|token| place.request().cancel_token(token)).collect();
    jobs.extend((3..10).map(|n| Request::get(farm.url(&format!("/ok/{n}")))));
    let pool = place.pool().num_threads(1).initializer(move |session: &mut SessionConfig| {
        count.fetch_add(1, Ordering::SeqCst);
        session.header("X-Set", "yes");
    });
    let pool = pool.job_queue(jobs).build().unwrap();
    let mut pool = Some(pool);
    for (n, token) in tokens.iter().enumerate() {
        place.wait_for(0, &[n as u64]);
        let own = pool.take().unwrap();
        token.cancel();
        let (own, exception) = within(Duration::from_secs(2), move || {
            let exception = own.get_exception().unwrap();
            (own, exception)
        });
        assert_eq!(exception.index(), n as u64);
        assert_cancelled(exception.error(), Some(Phase::Connect));
        pool = Some(own);
    }
    let start = Instant::now();
    let pool = pool.unwrap();
    let rest: Vec<u64> = within(LIMIT, move || {
        let rest = pool.responses().map(|response| response.index()).collect();
        assert_eq!(pool.exceptions().count(), 0);
        let stats = pool.stats();
        assert_eq!((stats.pulled, stats.delivered, stats.failed), (10, 10, 3));
        rest
    });
    assert_eq!(rest, (3..10).collect::<Vec<_>>());
    assert!(start.elapsed() < Standstill::CONNECT, "{:?}: it waited", start.elapsed());
    assert_eq!(initialized.load(Ordering::SeqCst), 4, "each worker sets up its session");
    assert_eq!(farm.connections(), 1);
}

#[test]
fn a_worker_that_was_given_up_does_nothing_more_when_it_comes_back() {
    let place = Standstill::connect();
    let farm = Farm::new();
    let token = CancelToken::new();
    let jobs = [
        place.request().timeout(Duration::from_millis(400)).cancel_token(&token),
        Request::get(farm.url("/gate/1")),
    ];
    let pool = place.pool().num_threads(1).job_queue(jobs);
    let pool = pool.retry(RetryPolicy::new(2)).build().unwrap();
    place.wait_for(0, &[0]);
    token.cancel();
    farm.wait_at_gate(1);
    let outcomes = within(LIMIT, move || {
        let first = pool.get_exception().unwrap();
        assert_cancelled(first.error(), Some(Phase::Connect));
        // Until the thread that was left behind has come back for sure.
        let stats = pool.stats();
        assert!(!pool.drain(Duration::from_millis(600)));
        assert_eq!(pool.stats(), stats);
        farm.open_gate();
        pool.outcomes().collect::<Vec<_>>()
    });
    assert_eq!(outcomes.len(), 1);
    assert!(outcomes[0].is_response());
}

#[test]
fn a_worker_that_was_given_up_sends_nothing_when_it_is_connected_after_all() {
    let dead = Dead::new();
    let job = Request::post(format!("http://{}/pay", dead.address())).body("1 coin");
    let told = Arc::new(Sleepers::default());
    let pool = Pool::builder().num_threads(1).observer(Arc::clone(&told)).job_queue([job]);
    let pool = pool.build().unwrap();
    told.wait_for(&[0]);
    within(LIMIT, move || {
        pool.cancel();
        assert_cancelled(pool.get_exception().unwrap().error(), Some(Phase::Connect));
        // The system has completed the handshake by itself, whether anybody is there or not.
        let mut late = dead.revive();
        late.set_read_timeout(Some(LIMIT)).unwrap();
        let mut sent = String::new();
        late.read_to_string(&mut sent).unwrap();
        assert_eq!(sent, "", "the job was cancelled long ago");
        let stats = pool.stats();
        assert_eq!((stats.failed, stats.delivered, stats.in_flight), (1, 1, 0));
    });
}

// ---- where it may come from

#[test]
fn a_cancel_from_many_threads_at_once_gives_one_outcome_each() {
    let farm = Farm::new();
    let token = CancelToken::new();
    let base = farm.url("/gate");
    let mine = token.clone();
    let jobs = (0..40_u64).map(move |n| Request::get(format!("{base}/{n}")).cancel_token(&mine));
    let pool = Pool::builder().num_threads(4).job_queue(jobs).build().unwrap();
    farm.wait_at_gate(4);
    let outcomes = within(LIMIT, move || {
        thread::scope(|scope| {
            for n in 0..8 {
                let (token, pool) = (&token, &pool);
                scope.spawn(move || match n % 2 {
                    0 => token.cancel(),
                    _ => drop(pool.cancel()),
                });
            }
        });
        let outcomes: Vec<Outcome> = pool.outcomes().collect();
        let stats = pool.stats();
        assert_eq!(stats.pulled, outcomes.len() as u64);
        outcomes
    });
    assert!(outcomes.len() >= 4);
    let mut indexes: Vec<u64> = outcomes.iter().map(Outcome::index).collect();
    indexes.sort_unstable();
    // Some that the token had ended came before others that the pool handed back.
    let count = indexes.len();
    indexes.dedup();
    assert!(indexes.len() == count && indexes.iter().all(|index| *index < 40), "{indexes:?}");
    for outcome in outcomes {
        assert_cancelled(&outcome.result().unwrap_err(), None);
    }
}

#[test]
fn a_token_may_be_cancelled_within_an_observer() {
    for step in ["taken", "attempt", "connected", "head", "outcome"] {
        let farm = Farm::new();
        let token = CancelToken::new();
        let told = Told::acting(step, {
            let token = token.clone();
            move || token.cancel()
        });
        let jobs = [
            Request::get(farm.url("/ok/0")).cancel_token(&token),
            Request::get(farm.url("/ok/1")),
            Request::get(farm.url("/ok/2")).cancel_token(&token),
        ];
        let pool = Pool::builder().num_threads(1).observer(told).job_queue(jobs).build().unwrap();
        let outcomes: Vec<Outcome> = within(LIMIT, move || pool.outcomes().collect());
        let [first, second, third]: [Outcome; 3] = outcomes.try_into().unwrap();
        match first.result() {
            // It was over, or its whole body was there already.
            Ok(response) => assert!(matches!(step, "head" | "outcome"), "{step}: {response:?}"),
            Err(error) => {
                assert_ne!(step, "outcome");
                assert_cancelled(&error, None);
            }
        }
        assert_eq!(second.result().unwrap().text(), "1", "after a cancel in {step}");
        assert_cancelled(&third.result().unwrap_err(), None);
    }
}

#[test]
fn a_token_that_is_cancelled_while_a_retry_is_told_of_ends_its_wait() {
    for (step, route) in [
        ("retry", "/series/0/503?retry-after=20"),
        ("redirect", "/redirect-to?url=/gate/0"),
        ("head", "/redirect-to?url=/gate/0"),
    ] {
        let farm = Farm::new();
        let token = CancelToken::new();
        let told = Told::acting(step, {
            let token = token.clone();
            move || token.cancel()
        });
        let job = Request::get(farm.url(route)).cancel_token(&token);
        let pool = Pool::builder().num_threads(1).retry(RetryPolicy::new(2)).observer(told);
        let pool = pool.job_queue([job]).build().unwrap();
        let exception = within(LIMIT, move || pool.get_exception().unwrap());
        assert_cancelled(exception.error(), None);
        assert_eq!((farm.requests(), farm.arrivals()), (1, 0), "cancelled in {step}");
    }
}

#[test]
fn a_pool_may_be_cancelled_within_an_observer() {
    for step in ["taken", "attempt", "connected", "head", "outcome"] {
        let farm = Farm::new();
        let pool = Shared::default();
        let told = Told::acting(step, {
            let pool = pool.clone();
            move || drop(pool.wait().cancel())
        });
        let jobs: Vec<String> = (0..20).map(|n| farm.url(&format!("/ok/{n}"))).collect();
        let built = Pool::builder().num_threads(2).observer(told).job_queue(jobs).build().unwrap();
        let built = pool.set(built);
        let (outcomes, left) = within(LIMIT, move || {
            let outcomes: Vec<Outcome> = built.outcomes().collect();
            built.join_all();
            (outcomes, built.close().count())
        });
        assert!((1..20).contains(&outcomes.len()), "{}, cancelled in {step}", outcomes.len());
        // The observer let go of the rest.
        assert_eq!(left, 0);
        for outcome in outcomes {
            assert!(outcome.result().map_or_else(|error| error.is_cancelled(), |_| true));
        }
    }
}

#[test]
fn a_pool_may_be_cancelled_within_an_initializer() {
    let farm = Farm::new();
    let pool = Shared::default();
    let cancels = pool.clone();
    let jobs: Vec<String> = (0..20).map(|n| farm.url(&format!("/ok/{n}"))).collect();
    let built = Pool::builder()
        .num_threads(2)
        .initializer(move |_: &mut SessionConfig| drop(cancels.wait().cancel()))
        .job_queue(jobs)
        .build()
        .unwrap();
    let built = pool.set(built);
    let outcomes = within(LIMIT, move || {
        let outcomes: Vec<Outcome> = built.outcomes().collect();
        built.join_all();
        assert_eq!(built.stats().pulled, outcomes.len() as u64);
        outcomes
    });
    assert!(outcomes.len() <= 2);
    for outcome in outcomes {
        assert_cancelled(&outcome.result().unwrap_err(), None);
    }
    assert_eq!(farm.requests(), 0);
}

#[test]
fn a_token_may_be_cancelled_within_an_initializer() {
    let farm = Farm::new();
    let token = CancelToken::new();
    let cancels = token.clone();
    let (responses, exceptions) = within(LIMIT, move || {
        Pool::builder()
            .num_threads(1)
            .initializer(move |_: &mut SessionConfig| cancels.cancel())
            .map([
                Request::get(farm.url("/ok/0")).cancel_token(&token),
                Request::get(farm.url("/ok/1")),
            ])
    });
    assert_eq!(responses.map(|response| response.index()).collect::<Vec<_>>(), [1]);
    assert!(exceptions.map(|e| (e.index(), e.is_cancelled())).eq([(0, true)]));
}

#[test]
fn a_token_and_a_pool_may_be_cancelled_within_the_callers_iterator() {
    let farm = Farm::new();
    let (pool, token) = (Shared::default(), CancelToken::new());
    let (cancels, mine, gate) = (pool.clone(), token.clone(), farm.url("/gate"));
    let jobs = (0..20_u64).map(move |n| {
        match n {
            // Both of the first two are taken by then.
            2 => mine.cancel(),
            5 => drop(cancels.wait().cancel()),
            _ => {}
        }
        Request::get(format!("{gate}/{n}")).cancel_token(&mine).tag(n)
    });
    let built = Pool::builder().num_threads(3).look_ahead(1).job_queue(jobs).build().unwrap();
    let built = pool.set(built);
    let outcomes = within(LIMIT, move || {
        let outcomes: Vec<Outcome> = built.outcomes().collect();
        built.join_all();
        assert_eq!(built.stats().pulled, outcomes.len() as u64);
        outcomes
    });
    // The one that was on its way when the pool was cancelled is an outcome, or dropped with the
    // rest, which the iterator let go of.
    assert!((5..=6).contains(&outcomes.len()), "{}", outcomes.len());
    for outcome in outcomes {
        assert_eq!(outcome.tag(), Some(&outcome.index()));
        assert_cancelled(&outcome.result().unwrap_err(), None);
    }
}

#[test]
fn a_pool_may_be_dropped_within_its_own_observer() {
    let farm = Farm::new();
    let pool = Arc::new(Mutex::new(None::<Pool>));
    let (gone, wait) = mpsc::channel();
    let told = Told::acting("outcome", {
        let pool = Arc::clone(&pool);
        move || {
            // Its own thread is among those that the drop waits for.
            let Some(pool) = pool.lock().unwrap().take() else { return };
            let start = Instant::now();
            drop(pool);
            gone.send(start.elapsed()).unwrap();
        }
    });
    let url = farm.url("/gate/1");
    let built = Pool::builder().num_threads(2).observer(told).job_queue(iter::repeat(url));
    *pool.lock().unwrap() = Some(built.build().unwrap());
    farm.wait_at_gate(2);
    farm.open_gate();
    let took = wait.recv_timeout(LIMIT).unwrap();
    println!("dropped within an observer: {took:?}");
    assert!(took < Duration::from_secs(1), "{took:?}");
}

#[test]
fn an_observer_may_use_the_pool_and_the_token_when_it_is_told_of_a_job_that_was_given_up() {
    for by_token in [true, false] {
        let place = Standstill::connect();
        let (pool, token) = (Shared::default(), CancelToken::new());
        let told = Told::acting("outcome", {
            let (pool, token) = (pool.clone(), token.clone());
            move || {
                assert!(token.is_cancelled() == by_token && pool.wait().stats().pulled == 2);
                token.cancel();
                drop(pool.wait().close());
                drop(pool.wait().cancel());
            }
        });
        let told = Beside(told, place.sleepers());
        let jobs = [place.request().cancel_token(&token), place.request(), place.request()];
        let built = place.pool().num_threads(2).observer(told).job_queue(jobs).build().unwrap();
        let built = pool.set(built);
        place.wait_for(0, &[0, 1]);
        let outcomes = within(LIMIT, move || {
            if by_token {
                token.cancel()
            } else {
                drop(built.cancel())
            }
            built.outcomes().collect::<Vec<_>>()
        });
        // By the token, the worker that takes the other's place may have taken the third job.
        assert!((2..=3).contains(&outcomes.len()), "{}", outcomes.len());
        for outcome in outcomes {
            assert_cancelled(&outcome.result().unwrap_err(), None);
        }
    }
}

#[test]
fn stats_may_be_asked_for_within_an_observer_and_an_iterator() {
    let farm = Farm::new();
    let pool = Shared::default();
    let (asks, asked) = (pool.clone(), pool.clone());
    let told = Told::acting("outcome", move || assert!(asks.wait().stats().pulled > 0));
    let url = farm.url("/ok");
    let jobs = (0..10_u64).map(move |n| {
        assert!(asked.wait().stats().pulled <= n);
        format!("{url}/{n}")
    });
    let built = Pool::builder().num_threads(2).observer(told).job_queue(jobs).build().unwrap();
    let built = pool.set(built);
    assert_eq!(within(LIMIT, move || built.responses().count()), 10);
}

/// Cancels the pool, and gives what it comes to, and how long that took.
fn cancelled(pool: Pool) -> (Vec<Outcome>, Duration) {
    within(LIMIT, move || {
        let start = Instant::now();
        pool.cancel();
        let outcomes = pool.outcomes().collect();
        (outcomes, start.elapsed())
    })
}

/// Cancels the token, and gives what the pool comes to, and how long that took.
fn cancelled_by(token: &CancelToken, pool: Pool) -> (Vec<Outcome>, Duration) {
    let token = token.clone();
    within(LIMIT, move || {
        let start = Instant::now();
        token.cancel();
        let outcomes = pool.outcomes().collect();
        (outcomes, start.elapsed())
    })
}

#[track_caller]
fn assert_cancelled(error: &Error, phase: Option<Phase>) {
    assert_eq!(error.kind(), ErrorKind::Cancelled, "{error:?}");
    assert_eq!(error.fault(), Fault::Caller, "{error:?}");
    assert!(error.is_cancelled() && !error.is_timeout(), "{error:?}");
    assert_eq!(error.clock(), None, "{error:?}");
    if phase.is_some() {
        assert_eq!(error.phase(), phase, "{error:?}");
    }
}

#[track_caller]
fn assert_only_the_second_was_cancelled(outcomes: Vec<Outcome>) {
    assert_eq!(outcomes.iter().map(Outcome::index).collect::<Vec<_>>(), [1]);
    for outcome in outcomes {
        assert_cancelled(&outcome.result().unwrap_err(), None);
    }
}

/// A pool that its own hooks know: those that run before it is there wait for it.
#[derive(Clone, Default)]
struct Shared(Arc<OnceLock<Weak<Pool>>>);

impl Shared {
    fn set(&self, pool: Pool) -> Arc<Pool> {
        let pool = Arc::new(pool);
        self.0.set(Arc::downgrade(&pool)).unwrap();
        pool
    }

    fn wait(&self) -> Arc<Pool> {
        self.0.wait().upgrade().unwrap()
    }
}

/// Does something once, when it is told of a step.
struct Told {
    step: &'static str,
    act: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl Told {
    fn acting(step: &'static str, act: impl FnOnce() + Send + 'static) -> Self {
        Self { step, act: Mutex::new(Some(Box::new(act))) }
    }

    fn tell(&self, step: &str) {
        if step == self.step {
            let act = self.act.lock().unwrap().take();
            if let Some(act) = act {
                act();
            }
        }
    }
}

impl Observer for Told {
    fn taken(&self, _: &Observed<'_>) {
        self.tell("taken");
    }
    fn attempt(&self, _: &Observed<'_>, _: &str, _: u32) {
        self.tell("attempt");
    }
    fn connected(&self, _: &Observed<'_>, _: std::net::SocketAddr, _: Duration) {
        self.tell("connected");
    }
    fn head(&self, _: &Observed<'_>, _: u16, _: &fetchpool::Headers) {
        self.tell("head");
    }
    fn redirect(&self, _: &Observed<'_>, _: u16, _: &str) {
        self.tell("redirect");
    }
    fn retry(&self, _: &Observed<'_>, _: u32, _: Duration, _: Result<&Response, &Error>) {
        self.tell("retry");
    }
    fn outcome(&self, _: &Observed<'_>, _: Result<&Response, &Error>) {
        self.tell("outcome");
    }
}

/// Two observers, of which the second knows where a job stands still.
struct Beside(Told, Arc<Sleepers>);

impl Observer for Beside {
    fn attempt(&self, job: &Observed<'_>, url: &str, number: u32) {
        self.1.attempt(job, url, number);
    }
    fn outcome(&self, job: &Observed<'_>, result: Result<&Response, &Error>) {
        self.0.outcome(job, result);
    }
}
