//! Cancelling from where the pool is not seen, reading for a while, and going on with what was left.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use fetchpool::{CancelToken, OnError, Pool, Request};

use crate::farm::{Farm, timed, within};

const LIMIT: Duration = Duration::from_secs(10);

#[test]
fn a_token_cancels_the_pool_and_leaves_the_rest_for_close() {
    let farm = Farm::new();
    let token = CancelToken::new();
    let jobs: Vec<String> = (0..20).map(|n| farm.url(&format!("/gate/{n}"))).collect();
    let pool = Pool::builder().num_threads(3).cancel_token(&token).job_queue(jobs);
    let pool = pool.build().unwrap();
    farm.wait_at_gate(3);
    // It sees the token, and not the pool.
    thread::spawn(move || token.cancel()).join().unwrap();
    within(LIMIT, move || {
        assert!(pool.outcomes().all(|outcome| outcome.result().unwrap_err().is_cancelled()));
        let (taken, left) = (pool.stats().pulled, pool.close());
        assert_eq!(taken + left.count() as u64, 20);
        assert_eq!(pool.stats().cancelled, taken);
    });
}

#[test]
fn a_token_that_was_cancelled_before_lets_a_pool_take_next_to_nothing() {
    let token = CancelToken::new();
    token.cancel();
    let jobs = vec!["no URL"; 1000];
    let pool = Pool::builder().num_threads(2).cancel_token(&token).job_queue(jobs);
    let pool = pool.build().unwrap();
    within(LIMIT, move || {
        let read = pool.outcomes().count();
        assert_eq!(read + pool.close().count(), 1000);
        assert!(pool.is_done());
    });
}

#[test]
fn what_was_handed_back_is_a_queue_that_goes_on() {
    let farm = Farm::new();
    let jobs: Vec<Request> = (0..60)
        .map(|n| match n {
            5 => Request::get("no URL").tag(n),
            _ => Request::get(farm.url(&format!("/ok/{n}"))).tag(n),
        })
        .collect();
    let first = Pool::builder().num_threads(2).on_error(OnError::Stop).job_queue(jobs);
    let first = first.build().unwrap();
    within(LIMIT, move || {
        let mut seen: Vec<i32> = first.outcomes().map(|o| *o.tag::<i32>().unwrap()).collect();
        let second = Pool::builder().num_threads(2).job_queue(first.close()).build().unwrap();
        seen.extend(second.outcomes().map(|o| *o.tag::<i32>().unwrap()));
        seen.sort_unstable();
        assert_eq!(seen, (0..60).collect::<Vec<_>>());
    });
}

#[test]
fn a_live_queue_that_was_handed_back_stays_open() {
    let farm = Farm::new();
    let (jobs, queue) = mpsc::channel::<Request>();
    jobs.send(farm.url("/ok/1").into()).unwrap();
    let first = Pool::builder().num_threads(1).job_queue(queue).build().unwrap();
    within(LIMIT, move || {
        assert_eq!(first.get_response().unwrap().text(), "1");
        let second = Pool::builder().num_threads(1).job_queue(first.close()).build().unwrap();
        assert_eq!(first.outcomes().count(), 0);
        assert_eq!(second.outcome_timeout(Duration::ZERO).unwrap_err(), RecvTimeoutError::Timeout);
        // Nothing is in it, and its sender lives.
        jobs.send(farm.url("/ok/2").into()).unwrap();
        assert_eq!(second.get_response().unwrap().text(), "2");
        drop(jobs);
        assert_eq!(second.outcomes().count(), 0);
    });
}

#[test]
fn a_channel_of_urls_is_waited_for_so_that_the_wait_can_be_ended() {
    let farm = Farm::new();
    let (urls, queue) = mpsc::channel::<String>();
    let pool = Pool::builder().num_threads(2).job_queue(queue).build().unwrap();
    urls.send(farm.url("/ok/1")).unwrap();
    let (rest, took) = within(LIMIT, move || {
        assert_eq!(pool.get_response().unwrap().text(), "1");
        timed(|| {
            let rest = pool.close().count();
            pool.join_all();
            rest
        })
    });
    assert_eq!(rest, 0);
    assert!(took < Duration::from_secs(1), "{took:?}");
    assert!(urls.send(String::new()).is_err(), "nobody listens any more");
}

#[test]
fn an_outcome_is_waited_for_no_longer_than_asked() {
    let farm = Farm::new();
    let pool = Pool::builder().num_threads(1).job_queue([farm.url("/gate/1")]).build().unwrap();
    farm.wait_at_gate(1);
    let limit = Duration::from_millis(50);
    within(LIMIT, move || {
        let (none, took) = timed(|| pool.outcome_timeout(limit));
        assert_eq!(none.unwrap_err(), RecvTimeoutError::Timeout);
        assert!(took >= limit, "{took:?}");
        // One who waits does not keep another one beyond its own time.
        thread::scope(|scope| {
            let reader = scope.spawn(|| pool.get_response());
            let start = Instant::now();
            while !reader.is_finished() {
                let waited = pool.outcome_timeout(Duration::from_millis(1));
                assert_eq!(waited.unwrap_err(), RecvTimeoutError::Timeout);
                if start.elapsed() > limit {
                    break;
                }
            }
            farm.open_gate();
            assert_eq!(reader.join().unwrap().unwrap().text(), "1");
        });
        let end = pool.outcome_timeout(Duration::MAX);
        assert_eq!(end.unwrap_err(), RecvTimeoutError::Disconnected);
        assert!(pool.is_done());
    });
}

#[test]
fn a_cancelled_request_can_be_sent_again_without_its_token() {
    let farm = Farm::new();
    let token = CancelToken::new();
    token.cancel();
    let request = Request::get(farm.url("/ok/1")).cancel_token(&token);
    let (_, mut exceptions) = Pool::builder().num_threads(1).map([request]);
    let cancelled = exceptions.next().unwrap();
    assert!(cancelled.is_cancelled());
    let (request, _) = cancelled.into_parts();
    let (mut responses, _) = Pool::builder().num_threads(1).map([request.without_cancel_token()]);
    assert_eq!(responses.next().unwrap().clone().text(), "1");
}
