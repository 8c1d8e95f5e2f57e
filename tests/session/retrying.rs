//! A session that tries again by itself, in its place.

use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use fetchpool::{
    CancelToken, Error, ErrorKind, Observed, Observer, Request, Response, RetryPolicy, Session,
    SessionConfig,
};

use crate::session;
use crate::support::script::{Gate, PATIENCE, Script, Server, ok, reply};

/// So many retries, and next to no wait.
fn quick(retries: u32) -> RetryPolicy {
    RetryPolicy::new(retries).backoff(Duration::from_millis(1), Duration::from_millis(1))
}

fn busy() -> Vec<u8> {
    reply("503 Busy", "Connection: close\r\n", "busy")
}

/// A server that is always busy.
fn overloaded() -> Server {
    Script::site(|_| busy())
}

fn retrying(policy: RetryPolicy) -> Session {
    session(|config| config.retry = Some(policy))
}

#[test]
fn it_tries_again_until_it_succeeds_and_tells_each_attempt() {
    let server = Script::new()
        .reply(busy())
        .close()
        .accept()
        .request()
        .close()
        .accept()
        .reply(ok("well"))
        .serve();
    let response = retrying(quick(5)).request(server.url("/")).unwrap();
    assert_eq!(response.text(), "well");
    let [first, second] = response.attempts() else { panic!("{:?}", response.attempts()) };
    assert_eq!((first.kind(), first.status()), (ErrorKind::Status, Some(503)));
    assert_eq!((second.kind(), second.status()), (ErrorKind::Closed, None));
    for attempt in [first, second] {
        assert!(attempt.waited().unwrap() <= Duration::from_millis(1), "{attempt:?}");
        assert_eq!(attempt.addresses(), [server.address()]);
        assert_eq!(attempt.url(), server.url("/"));
    }
    assert!(first.message().contains("503 Busy"), "{first:?}");
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn a_first_try_that_is_good_has_no_attempts_before_it() {
    let server = Script::site(|_| ok("well"));
    assert!(retrying(quick(5)).request(server.url("/")).unwrap().attempts().is_empty());
}

#[test]
fn a_connection_that_had_gone_stale_is_an_attempt_of_a_good_response_without_a_wait() {
    let server = Script::new().reply(ok("1")).reset().accept().reply(ok("2")).serve();
    let mut session = session(|_| {});
    session.request(server.url("/1")).unwrap();
    let response = session.request(server.url("/2")).unwrap();
    let [stale] = response.attempts() else { panic!("{:?}", response.attempts()) };
    assert_eq!((stale.kind(), stale.waited()), (ErrorKind::Closed, None));
    assert!(stale.is_reused());
}

#[test]
fn the_word_of_the_request_comes_before_that_of_the_session() {
    let get = Request::get as fn(String) -> Request;
    type Change = fn(Request) -> Request;
    let as_it_is: Change = |request| request;
    let own: Change = |request| request.retry(quick(3));
    let without: Change = |request| request.without_retry();
    for (of_session, of_request, requests) in [
        (None, as_it_is, 1),
        (None, own, 4),
        (None, without, 1),
        (Some(1), as_it_is, 2),
        (Some(1), own, 4),
        (Some(1), without, 1),
        (Some(1), (|request| request.without_retry().retry(quick(2))) as Change, 3),
        (Some(1), |request| request.retry(Arc::new(quick(2))), 3),
    ] {
        let server = overloaded();
        let mut session = session(|config| config.retry = of_session.map(quick));
        let response = session.request(of_request(get(server.url("/")))).unwrap();
        assert_eq!(response.status(), 503, "the last answer stands");
        assert_eq!(server.requests().len(), requests);
        assert_eq!(response.attempts().len(), requests - 1);
    }
}

#[test]
fn a_post_is_tried_again_where_that_was_asked_for_and_with_its_whole_body() {
    let server = overloaded();
    let post = || Request::post(server.url("/")).data("once more");
    retrying(quick(2)).request(post()).unwrap();
    assert_eq!(server.requests().len(), 1);
    retrying(quick(2).retry_unsafe(true)).request(post()).unwrap();
    assert_eq!(server.requests().len(), 4);
    assert!(server.requests().iter().all(|request| request.body() == b"once more"));
}

#[test]
fn what_is_no_status_or_kind_to_retry_is_the_end() {
    for (policy, requests) in [
        (quick(2), 3),
        (quick(2).statuses([500]), 1),
        (quick(2).statuses([503]), 3),
        (quick(2).retry_kind(ErrorKind::Status, false), 1),
    ] {
        let server = overloaded();
        retrying(policy).request(server.url("/")).unwrap();
        assert_eq!(server.requests().len(), requests);
    }
    for (policy, requests) in [(quick(2), 3), (quick(2).retry_kind(ErrorKind::Closed, false), 1)] {
        let server = Script::new().request().close().repeat().serve();
        assert_eq!(
            retrying(policy).request(server.url("/")).unwrap_err().kind(),
            ErrorKind::Closed
        );
        assert_eq!(server.requests().len(), requests);
    }
}

#[test]
fn a_status_that_is_an_error_tells_all_tries_and_keeps_the_last_answer() {
    let server = overloaded();
    let mut session = session(|config| {
        config.retry = Some(quick(2));
        config.http_status_as_error = true;
    });
    let error = session.request(server.url("/")).unwrap_err();
    assert_eq!((error.kind(), error.response().unwrap().status()), (ErrorKind::Status, 503));
    let told: Vec<_> = error
        .attempts()
        .iter()
        .map(|attempt| (attempt.status(), attempt.waited().is_some()))
        .collect();
    assert_eq!(told, [(Some(503), true), (Some(503), true), (Some(503), false)]);
}

#[test]
fn retry_after_is_waited_for_and_told() {
    let later = reply("503 Busy", "Retry-After: 1\r\n", "");
    let server = Script::new().reply(later).reply(ok("well")).serve();
    let started = Instant::now();
    let response = retrying(quick(1)).request(server.url("/")).unwrap();
    assert_eq!(response.text(), "well");
    assert!(started.elapsed() >= Duration::from_secs(1));
    assert_eq!(response.attempts()[0].waited(), Some(Duration::from_secs(1)));
}

#[test]
fn a_wait_that_the_timeout_does_not_leave_is_not_begun() {
    let later = reply("503 Busy", "Retry-After: 30\r\n", "busy");
    let server = Script::site(move |_| later.clone());
    let started = Instant::now();
    let mut session = retrying(quick(9));
    for request in [
        Request::get(server.url("/")),
        Request::get(server.url("/")).timeout(Duration::from_secs(30)),
    ] {
        assert_eq!(session.request(request).unwrap().status(), 503, "the last result stands");
    }
    assert!(started.elapsed() < PATIENCE / 2, "{:?}", started.elapsed());
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn the_tries_together_have_the_time_of_one_request() {
    // Each is cut off after 200 ms, and the tenth would be over after two seconds.
    let server = Script::new().request().repeat().serve();
    let mut session = session(|config| {
        config.first_byte_timeout = Some(Duration::from_millis(200));
        config.timeout = Some(Duration::from_millis(700));
        config.retry = Some(quick(9));
    });
    let started = Instant::now();
    let error = session.request(server.url("/")).unwrap_err();
    let took = started.elapsed();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(took >= Duration::from_millis(600) && took < Duration::from_millis(1_500), "{took:?}");
    assert!(matches!(error.attempts().len(), 3..=4), "{:?}", error.attempts());
}

/// Opens a gate when a retry is to come, and remembers the waits.
#[derive(Clone, Default)]
struct Told(Gate, Arc<Mutex<Vec<(u32, Duration)>>>);

impl Observer for Told {
    fn retry(
        &self,
        job: &Observed<'_>,
        number: u32,
        wait: Duration,
        because: Result<&Response, &Error>,
    ) {
        assert_eq!((job.index(), because.unwrap().status()), (None, 503));
        self.1.lock().unwrap().push((number, wait));
        self.0.open();
    }
}

#[test]
fn a_cancel_ends_the_wait() {
    let later = reply("503 Busy", "Retry-After: 4\r\n", "busy");
    let server = Script::new().reply(later).reply(ok("well")).serve();
    let (told, token) = (Told::default(), CancelToken::new());
    let mut session = session(|config| {
        config.retry = Some(RetryPolicy::new(1));
        config.observer = Some(Arc::new(told.clone()));
    });
    let canceller = thread::spawn({
        let token = token.clone();
        move || {
            assert!(told.0.wait());
            token.cancel();
        }
    });
    let started = Instant::now();
    let error = session.request(Request::get(server.url("/")).cancel_token(&token)).unwrap_err();
    canceller.join().unwrap();
    assert!(error.is_cancelled(), "{error}");
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    assert_eq!(error.attempts()[0].status(), Some(503), "{:?}", error.attempts());
    assert_eq!(error.url(), Some(&*server.url("/")));
    // And the session goes on.
    assert_eq!(session.request(server.url("/")).unwrap().text(), "well");
}

/// The waits before five retries each of three requests.
fn waits(seed: Option<u64>) -> Vec<(u32, Duration)> {
    let server = overloaded();
    let told = Told::default();
    let mut session = session(|config| {
        config.seed = seed;
        config.observer = Some(Arc::new(told.clone()));
        let (first, cap) = (Duration::from_micros(500), Duration::from_millis(5));
        config.retry = Some(RetryPolicy::new(5).backoff(first, cap));
    });
    for _ in 0..3 {
        session.request(server.url("/")).unwrap();
    }
    told.1.lock().unwrap().clone()
}

#[test]
fn an_observer_is_told_of_each_retry_and_the_waits_are_those_of_the_seed() {
    let first = waits(Some(7));
    let numbers: Vec<u32> = first.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5].repeat(3));
    for (number, wait) in &first {
        let longest = Duration::from_micros(500) * 2_u32.pow(number - 1);
        assert!(*wait <= longest.min(Duration::from_millis(5)), "{number}: {wait:?}");
    }
    assert_ne!(first[..5], first[5..10], "each request has its own");
    assert_ne!(first[0].1 * 2, first[1].1, "and so has each retry");
    assert_eq!(waits(Some(7)), first);
    assert_ne!(waits(Some(8)), first);
    assert_ne!(waits(None), waits(None));
}

#[test]
fn the_budget_of_a_session_holds_for_all_its_requests() {
    for (policy, requests) in [
        // Ten requests, each of which may be tried again once.
        (quick(1).budget(0.0, 3), 13),
        (quick(1).budget(0.5, 0), 15),
        (quick(1).budget(0.2, 1), 13),
        (quick(1).budget(0.0, 0), 10),
        (quick(1), 20),
        (quick(1).budget(0.0, 0).without_budget(), 20),
    ] {
        let (server, told) = (overloaded(), format!("{policy:?}"));
        let mut session = retrying(policy);
        for _ in 0..10 {
            session.request(server.url("/")).unwrap();
        }
        assert_eq!(server.requests().len(), requests, "{told}");
    }
}

#[test]
fn a_policy_that_cannot_be_is_refused() {
    for (policy, fault) in [
        (quick(1).budget(f64::NAN, 1), "NaN"),
        (quick(1).budget(-1.0, 1), "-1"),
        (quick(1).statuses([42]), "42"),
    ] {
        let mut config = SessionConfig::new();
        config.retry = Some(policy.clone());
        let error = Session::new(config).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert!(error.message().contains(fault), "{error}");

        let server = overloaded();
        let request = Request::get(server.url("/")).retry(policy);
        let error = session(|_| {}).request(request).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert!(error.message().contains(fault), "{error}");
        assert!(server.requests().is_empty());
    }
}
