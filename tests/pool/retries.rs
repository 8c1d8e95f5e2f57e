//! Trying again, and waiting for it without holding anything up (P9).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fetchpool::{
    Error, ErrorKind, Exceptions, Observed, Observer, Outcome, Pool, PoolBuilder, Request,
    Response, Responses, RetryPolicy, SessionConfig,
};

use crate::farm::{Farm, timed, within};

/// The usual patience: three waits of the policy and more.
const LIMIT: Duration = Duration::from_secs(10);

/// Runs one job with so many retries.
fn once(retries: u32, job: Request) -> (Responses, Exceptions) {
    within(LIMIT, move || {
        Pool::builder().num_threads(2).retry(RetryPolicy::new(retries)).map([job])
    })
}

#[test]
fn a_get_is_tried_again_until_it_succeeds() {
    let farm = Farm::new();
    let (mut responses, _) = once(3, Request::get(farm.url("/series/get/503,503,200")).tag(9));
    let response = responses.next().unwrap();
    assert_eq!((response.status(), response.index()), (200, 0));
    assert_eq!(response.tag::<i32>(), Some(&9));
    assert_eq!(farm.requests(), 3);
}

#[test]
fn a_post_is_not_tried_again() {
    let farm = Farm::new();
    let (mut responses, _) = once(3, Request::post(farm.url("/series/post/503,200")).data("x"));
    assert_eq!(responses.next().unwrap().status(), 503);
    let (_, mut exceptions) = once(3, Request::post(farm.url("/series/cut/0,200")).data("x"));
    assert_eq!(exceptions.next().unwrap().kind(), ErrorKind::Closed);
    assert_eq!(farm.requests(), 2);
}

#[test]
fn nothing_is_tried_again_unless_asked_for() {
    let farm = Farm::new();
    let (mut responses, _) = fetchpool::map([farm.url("/series/plain/503,200")]);
    assert_eq!(responses.next().unwrap().status(), 503);
    let (mut responses, _) = once(0, Request::get(farm.url("/series/zero/503,200")));
    assert_eq!(responses.next().unwrap().status(), 503);
    assert_eq!(farm.requests(), 2);
}

#[test]
fn after_the_last_retry_the_last_answer_stands() {
    let farm = Farm::new();
    let (mut responses, _) = once(2, Request::get(farm.url("/series/never/503,500,502,200")));
    assert_eq!(responses.next().unwrap().status(), 502, "a response is never an error");
    assert_eq!(farm.requests(), 3);
}

#[test]
fn a_404_is_an_answer_and_not_tried_again() {
    let farm = Farm::new();
    let (mut responses, _) = once(3, Request::get(farm.url("/series/gone/404,200")));
    assert_eq!(responses.next().unwrap().status(), 404);
    assert_eq!(farm.requests(), 1);
}

#[test]
fn a_connection_that_broke_is_tried_again() {
    let farm = Farm::new();
    let (mut responses, _) = once(3, Request::get(farm.url("/series/cut/0,0,200")));
    assert_eq!(responses.next().unwrap().status(), 200);
}

#[test]
fn a_bad_request_is_not_tried_again() {
    let ((_, mut exceptions), took) = timed(|| once(20, Request::get("no URL")));
    assert_eq!(exceptions.next().unwrap().kind(), ErrorKind::InvalidUrl);
    assert!(took < Duration::from_secs(2), "{took:?}");
}

#[test]
fn with_http_status_as_error_the_retries_are_the_same() {
    let farm = Farm::new();
    let jobs = [farm.url("/series/mends/503,200"), farm.url("/series/stays/503")];
    let (mut responses, mut exceptions) = within(LIMIT, || {
        Pool::builder()
            .retry(RetryPolicy::new(1))
            .initializer(|session: &mut SessionConfig| session.http_status_as_error = true)
            .map(jobs)
    });
    assert_eq!(responses.next().unwrap().index(), 0);
    let exception = exceptions.next().unwrap();
    assert_eq!((exception.index(), exception.kind()), (1, ErrorKind::Status));
    assert_eq!(exception.error().response().unwrap().status(), 503);
    assert_eq!(farm.requests(), 4);
}

#[test]
fn retry_after_is_obeyed() {
    let farm = Farm::new();
    let job = Request::get(farm.url("/series/later/503,200?retry-after=1"));
    let ((mut responses, _), took) = timed(|| once(3, job));
    assert_eq!(responses.next().unwrap().status(), 200);
    assert!(took >= Duration::from_secs(1), "{took:?}");
    assert_eq!(farm.requests(), 2);
}

#[test]
fn a_parked_retry_holds_up_no_other_job() {
    let farm = Farm::new();
    let mut jobs = vec![farm.url("/series/parked/503,200?retry-after=1")];
    jobs.extend((1..20).map(|n| farm.url(&format!("/ok/{n}"))));
    let pool =
        Pool::builder().num_threads(1).retry(RetryPolicy::new(3)).job_queue(jobs).build().unwrap();
    let order: Vec<u64> = within(LIMIT, move || pool.outcomes().map(|o| o.index()).collect());
    assert_eq!(order, (1..20).chain([0]).collect::<Vec<u64>>());
}

#[test]
fn parked_retries_wait_side_by_side() {
    let farm = Farm::new();
    let jobs: Vec<String> =
        (0..8).map(|n| farm.url(&format!("/series/{n}/503,200?retry-after=1"))).collect();
    let ((responses, _), took) = timed(|| {
        within(LIMIT, || Pool::builder().num_threads(1).retry(RetryPolicy::new(3)).map(jobs))
    });
    assert!(responses.into_iter().all(|response| response.status() == 200));
    // One after the other they would take eight seconds.
    assert!(took < Duration::from_secs(3), "{took:?}");
}

#[test]
fn the_wait_for_a_retry_counts_inside_the_timeout() {
    let farm = Farm::new();
    let job = Request::get(farm.url("/series/late/503,200?retry-after=30"));
    let job = job.timeout(Duration::from_secs(1));
    let ((mut responses, _), took) = timed(|| once(3, job));
    assert_eq!(responses.next().unwrap().status(), 503, "the last result stands");
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert_eq!(farm.requests(), 1);
}

#[test]
fn a_retry_has_only_the_time_that_is_left() {
    let farm = Farm::new();
    // The first try ends at once, the second never: the clock was started by the first.
    let job = Request::get(farm.url("/series/slow/503,200?retry-after=1"));
    let job = job.timeout(Duration::from_millis(1500));
    let ((mut responses, _), took) = timed(|| once(1, job));
    assert_eq!(responses.next().unwrap().status(), 200);
    assert!(took >= Duration::from_secs(1), "{took:?}");
}

#[test]
fn the_pool_is_not_done_while_a_retry_is_parked() {
    let farm = Farm::new();
    let url = |n: u32| farm.url(&format!("/series/{n}/503,503,200"));
    let pool = Pool::builder()
        .num_threads(8)
        .retry(RetryPolicy::new(5))
        .job_queue((0..30).map(url).collect::<Vec<_>>())
        .build()
        .unwrap();
    let outcomes: Vec<Outcome> = within(LIMIT, move || {
        pool.join_all();
        pool.outcomes().collect()
    });
    assert_eq!(outcomes.len(), 30);
    for outcome in outcomes {
        assert_eq!(outcome.result().unwrap().status(), 200);
    }
    assert_eq!(farm.requests(), 90);
}

#[test]
fn a_response_tells_the_tries_before_it() {
    let farm = Farm::new();
    let job = Request::get(farm.url("/series/told/503,0,200?retry-after=0"));
    let (mut responses, _) = once(3, job);
    let response = responses.next().unwrap();
    let [first, second] = response.attempts() else { panic!("{:?}", response.attempts()) };
    assert_eq!((first.kind(), first.status()), (ErrorKind::Status, Some(503)));
    assert_eq!(first.waited(), Some(Duration::ZERO));
    // It went over the connection of the first, and had to be sent anew on another one at once.
    assert_eq!((second.kind(), second.waited()), (ErrorKind::Closed, None));
}

#[test]
fn a_status_below_400_that_is_to_be_tried_again_is_an_attempt_too() {
    let farm = Farm::new();
    let job = Request::get(farm.url("/status/202/0"))
        .retry(RetryPolicy::new(2).statuses([202]).backoff(Duration::ZERO, Duration::ZERO));
    let (mut responses, _) = within(LIMIT, move || fetchpool::map([job]));
    let statuses: Vec<_> =
        responses.next().unwrap().attempts().iter().map(|attempt| attempt.status()).collect();
    assert_eq!(statuses, [Some(202), Some(202)]);
    assert_eq!(farm.requests(), 3);
}

#[test]
fn the_word_of_a_job_comes_before_the_hooks_and_theirs_before_the_pools() {
    let hooked = |retry: Option<RetryPolicy>| {
        move |session: &mut SessionConfig| session.retry.clone_from(&retry)
    };
    let own = || Some(RetryPolicy::new(1));
    for (pool, hook, change, requests) in [
        (None, None, None, 1),
        (Some(2), None, None, 3),
        (Some(2), Some(None), None, 1),
        (None, Some(own()), None, 2),
        (Some(2), Some(own()), None, 2),
        (None, None, Some(own()), 2),
        (Some(2), None, Some(own()), 2),
        (Some(2), Some(own()), Some(None), 1),
    ] {
        let farm = Farm::new();
        let mut builder = Pool::builder().num_threads(2);
        if let Some(retries) = pool {
            builder = builder.retry(RetryPolicy::new(retries));
        }
        if let Some(retry) = hook {
            builder = builder.initializer(hooked(retry));
        }
        let job = Request::get(farm.url("/series/busy/503?retry-after=0"));
        let job = match change {
            None => job,
            Some(None) => job.without_retry(),
            Some(Some(policy)) => job.retry(policy),
        };
        let (mut responses, _) = within(LIMIT, move || builder.map([job]));
        assert_eq!(responses.next().unwrap().status(), 503);
        assert_eq!(farm.requests(), requests, "{pool:?}");
    }
}

#[test]
fn the_policy_of_a_pool_holds_whichever_of_it_and_the_session_is_set_first() {
    let config = SessionConfig::new;
    for (builder, requests) in [
        (Pool::builder().retry(RetryPolicy::new(1)).session(config()), 2),
        (Pool::builder().session(config()).retry(RetryPolicy::new(1)), 2),
        (Pool::builder().session(config()), 1),
    ] {
        let farm = Farm::new();
        let job = farm.url("/series/busy/503?retry-after=0");
        assert_eq!(within(LIMIT, move || builder.map([job])).0.len(), 1);
        assert_eq!(farm.requests(), requests);
    }
}

#[test]
fn a_job_of_its_own_policy_is_waited_for_when_all_others_are_done() {
    let farm = Farm::new();
    let mut jobs = vec![
        Request::get(farm.url("/series/own/503,200?retry-after=1")).retry(RetryPolicy::new(1)),
    ];
    jobs.extend((0..5).map(|n| Request::get(farm.url(&format!("/ok/{n}")))));
    let pool = Pool::builder().num_threads(3).job_queue(jobs).build().unwrap();
    let outcomes: Vec<Outcome> = within(LIMIT, move || pool.outcomes().collect());
    assert_eq!(outcomes.len(), 6);
    for outcome in outcomes {
        assert_eq!(outcome.result().unwrap().status(), 200);
    }
    assert_eq!(farm.requests(), 7);
}

#[test]
fn a_policy_that_cannot_be_is_an_error_when_the_pool_is_built_or_that_of_the_one_job() {
    let wrong = || RetryPolicy::new(1).budget(f64::NAN, 0);
    let config = |retry| {
        let mut config = SessionConfig::new();
        config.retry = retry;
        config
    };
    for builder in [Pool::builder().retry(wrong()), Pool::builder().session(config(Some(wrong())))]
    {
        let error = builder.job_queue(["http://a.test/"]).build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert!(error.message().contains("NaN"), "{error}");
    }
    let farm = Farm::new();
    let jobs = [Request::get(farm.url("/ok/1")).retry(wrong()), Request::get(farm.url("/ok/2"))];
    let (responses, mut exceptions) = within(LIMIT, move || fetchpool::map(jobs));
    assert_eq!(exceptions.next().unwrap().kind(), ErrorKind::InvalidRequest);
    assert_eq!((responses.len(), farm.requests()), (1, 1));
}

/// Remembers the wait before each retry, by job and number.
#[derive(Clone, Default)]
struct Waits(Arc<Mutex<BTreeMap<(u64, u32), Duration>>>);

impl Observer for Waits {
    fn retry(&self, job: &Observed<'_>, number: u32, wait: Duration, _: Result<&Response, &Error>) {
        self.0.lock().unwrap().insert((job.index().unwrap(), number), wait);
    }
}

#[test]
fn with_a_seed_each_job_waits_as_long_whichever_thread_has_it() {
    let farm = Farm::new();
    let waits = |threads, seed: fn(PoolBuilder) -> PoolBuilder| {
        let waits = Waits::default();
        let policy = RetryPolicy::new(3).backoff(Duration::from_micros(300), LIMIT);
        let builder = Pool::builder().num_threads(threads).retry(policy).observer(waits.clone());
        let jobs: Vec<String> = (0..20).map(|n| farm.url(&format!("/status/503/{n}"))).collect();
        let (responses, _) = within(LIMIT, move || seed(builder).map(jobs));
        assert_eq!(responses.len(), 20);
        let waits = waits.0.lock().unwrap().clone();
        assert_eq!(waits.len(), 60);
        waits
    };
    let first = waits(1, |builder| builder.seed(7));
    assert_eq!(waits(8, |builder| builder.seed(7)), first);
    let by_session = |builder: PoolBuilder| {
        builder.initializer(|session: &mut SessionConfig| session.seed = Some(7))
    };
    assert_eq!(waits(2, by_session), first);
    assert_ne!(waits(8, |builder| builder.seed(8)), first);
    assert_ne!(waits(8, |builder| builder), first);
    let distinct: std::collections::BTreeSet<_> = first.values().collect();
    assert!(distinct.len() > 50, "{distinct:?}");
}

#[test]
fn a_rate_spaces_the_starts() {
    let farm = Farm::new();
    let jobs: Vec<String> = (0..21).map(|n| farm.url(&format!("/ok/{n}"))).collect();
    let ((responses, _), took) =
        timed(|| within(LIMIT, || Pool::builder().num_threads(8).rate(100.0).map(jobs)));
    assert_eq!(responses.len(), 21);
    assert!(took >= Duration::from_millis(200), "{took:?}");
    assert!(took < Duration::from_secs(2), "{took:?}");
}

#[test]
fn waiting_for_the_rate_is_not_part_of_the_timeout() {
    let farm = Farm::new();
    let jobs = (0..5).map(|n| Request::get(farm.url(&format!("/ok/{n}"))));
    let jobs = jobs.map(|job| job.timeout(Duration::from_millis(400)));
    let ((responses, _), took) = timed(|| Pool::builder().num_threads(5).rate(5.0).map(jobs));
    assert_eq!(responses.len(), 5);
    assert!(took >= Duration::from_millis(800), "{took:?}");
}

#[test]
fn a_rate_that_is_not_above_zero_is_an_error() {
    for rate in [0.0, -1.0, f64::NAN] {
        let error = Pool::builder().rate(rate).job_queue(["http://a.test/"]).build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "for {rate}");
    }
}
