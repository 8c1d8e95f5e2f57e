//! Observers: what they are told, in which order, how often, and what becomes of their panics.

use std::collections::{BTreeMap, HashMap};
use std::io::Read as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::{self, ThreadId};
use std::time::Duration;

use fetchpool::{
    CancelToken, Error, ErrorKind, Headers, Observed, Observer, OnError, Outcome, Pool,
    PoolBuilder, Request, Response, RetryPolicy, Session, SessionConfig,
};

use crate::dead::Dead;
use crate::farm::{Farm, refused, within};
use crate::script::{Script, ok, redirect, reply};
use crate::standstill::{Sleepers, Standstill};

/// The usual patience for a batch that must end.
const LIMIT: Duration = Duration::from_secs(10);

// ---- the steps of one job

#[test]
fn a_plain_get_is_taken_tried_connected_answered_and_over() {
    let server = Script::site(|_| ok("fine"));
    let told = tell(Pool::builder(), [Request::get(server.url("/a"))]);
    assert_eq!(
        told.of(0),
        [
            "taken",
            &format!("attempt 1 {}", server.url("/a")),
            &format!("connected {}", server.address()),
            "head 200",
            "outcome 200",
        ]
    );
}

#[test]
fn a_host_with_a_name_is_looked_up_before_it_is_connected() {
    let server = Script::site(|_| ok("fine"));
    let address = server.address();
    let builder = Pool::builder().session(resolving(vec![address]));
    let told = tell(builder, [Request::get("http://named.test/a")]);
    assert_eq!(
        told.of(0),
        [
            "taken",
            "attempt 1 http://named.test/a",
            &format!("dns named.test [{address}]"),
            &format!("connected {address}"),
            "head 200",
            "outcome 200",
        ]
    );
}

#[cfg(feature = "tls")]
#[test]
fn a_handshake_is_told_of_after_its_connection() {
    let farm = Farm::with_tls();
    let mut config = SessionConfig::new();
    config.tls.add_root_pem(farm.root_pem());
    let told = tell(Pool::builder().session(config), [Request::get(farm.tls_url("/ok/1"))]);
    let words: Vec<String> =
        told.of(0).iter().map(|line| line.split(' ').next().unwrap().to_owned()).collect();
    assert_eq!(words, ["taken", "attempt", "dns", "connected", "tls", "head", "outcome"]);
    assert_eq!(told.of(0)[4], "tls localhost");
}

#[test]
fn a_kept_connection_is_neither_looked_up_nor_connected() {
    let server = Script::site(|_| ok("fine"));
    let builder = Pool::builder().num_threads(1).session(resolving(vec![server.address()]));
    let jobs: Vec<Request> = (0..3).map(|n| Request::get(format!("http://one.test/{n}"))).collect();
    let told = tell(builder, jobs);
    assert_eq!(told.of(0).len(), 6);
    for n in 1..3 {
        let attempt = format!("attempt 1 http://one.test/{n}");
        assert_eq!(told.of(n), ["taken", &attempt, "head 200", "outcome 200"]);
    }
}

#[test]
fn each_hop_of_a_redirect_is_an_attempt_of_the_same_try() {
    let server = Script::site(|request| match request.target().as_str() {
        "/a" => redirect(302, "/b"),
        "/b" => redirect(307, "/c?q=1"),
        _ => ok("fine"),
    });
    let told = tell(Pool::builder(), [Request::get(server.url("/a"))]);
    assert_eq!(
        told.of(0),
        [
            "taken",
            &format!("attempt 1 {}", server.url("/a")),
            &format!("connected {}", server.address()),
            "head 302",
            &format!("redirect 302 {}", server.url("/b")),
            &format!("attempt 1 {}", server.url("/b")),
            "head 307",
            &format!("redirect 307 {}", server.url("/c?q=1")),
            &format!("attempt 1 {}", server.url("/c?q=1")),
            "head 200",
            "outcome 200",
        ]
    );
}

#[test]
fn a_redirect_that_is_not_followed_is_not_told_of_as_one() {
    let server = Script::site(|_| redirect(302, "/b"));
    let told = tell(Pool::builder(), [Request::get(server.url("/a")).allow_redirects(false)]);
    assert_eq!(told.words(0), ["taken", "attempt", "connected", "head", "outcome"]);
    let told = tell(Pool::builder(), [Request::get(server.url("/a"))]);
    assert_eq!(told.count("redirect"), 10, "as many as are followed");
    assert_eq!(told.last(0), "outcome too_many_redirects");
}

#[test]
fn a_retry_is_told_of_and_its_attempt_has_the_next_number() {
    let server = Script::new()
        .reply(reply("503 Busy", "Retry-After: 0\r\n", "busy"))
        .reply(reply("503 Busy", "Retry-After: 0\r\n", "busy"))
        .reply(ok("fine"))
        .serve();
    let url = server.url("/a");
    let builder = Pool::builder().num_threads(1).retry(RetryPolicy::new(5));
    let told = tell(builder, [Request::get(&*url)]);
    let attempt = |number: u32| format!("attempt {number} {url}");
    assert_eq!(
        told.of(0),
        [
            "taken",
            &attempt(1),
            &format!("connected {}", server.address()),
            "head 503",
            "retry 1",
            &attempt(2),
            "head 503",
            "retry 2",
            &attempt(3),
            "head 200",
            "outcome 200",
        ]
    );
}

#[test]
fn a_retry_that_is_not_made_is_not_told_of() {
    let farm = Farm::new();
    let builder = || Pool::builder().num_threads(1).retry(RetryPolicy::new(1));
    // A second failure, what no retry can mend, and no time for another try.
    let told = tell(builder(), [Request::get(farm.url("/series/0/503?retry-after=0"))]);
    assert_eq!((told.count("retry"), told.count("attempt")), (1, 2));
    assert_eq!(told.last(0), "outcome 503");
    let told = tell(builder(), [Request::get(farm.url("/status/404/1"))]);
    assert_eq!(told.count("retry"), 0);
    let late = Request::get(farm.url("/series/1/503?retry-after=20"));
    let told = tell(builder(), [late.timeout(Duration::from_secs(2))]);
    assert_eq!(told.count("retry"), 0);
    assert_eq!(told.last(0), "outcome 503");
}

#[test]
fn a_kept_connection_that_broke_is_replaced_within_the_same_try() {
    let server = Script::new().reply(ok("one")).close().accept().reply(ok("two")).serve();
    let jobs = {
        let (first, second) = (server.url("/1"), server.url("/2"));
        let mut turn = 0;
        let server = Arc::new(server);
        std::iter::from_fn(move || {
            turn += 1;
            match turn {
                1 => Some(Request::get(&*first)),
                2 => {
                    // The first connection is closed by then, and kept all the same.
                    server.wait_for_end_of(0);
                    Some(Request::get(&*second))
                }
                _ => None,
            }
        })
    };
    let told = tell(Pool::builder().num_threads(1), jobs);
    let steps = told.words(1);
    assert_eq!(steps.last().map(String::as_str), Some("outcome"));
    assert_eq!(told.last(1), "outcome 200");
    assert!(steps.contains(&"connected".to_owned()), "{steps:?}");
    for line in told.of(1).iter().filter(|line| line.starts_with("attempt")) {
        assert!(line.starts_with("attempt 1 "), "no retry of the policy: {line}");
    }
    assert_eq!(told.count("retry"), 0);
}

// ---- where it fails

#[test]
fn a_look_up_that_fails_has_no_addresses_and_ends_there() {
    let mut config = SessionConfig::new();
    config.resolver = Some(Arc::new(|_: &str, _: u16| Err(std::io::Error::other("no such host"))));
    let told = tell(Pool::builder().session(config), [Request::get("http://nowhere.test/a")]);
    assert_eq!(
        told.of(0),
        ["taken", "attempt 1 http://nowhere.test/a", "dns nowhere.test []", "outcome dns"]
    );
}

#[test]
fn a_connection_that_is_refused_is_not_told_of_as_one() {
    let gone = refused();
    let told = tell(Pool::builder(), [Request::get(format!("http://{gone}/a"))]);
    assert_eq!(told.of(0), ["taken", &format!("attempt 1 http://{gone}/a"), "outcome connect"]);
}

#[cfg(feature = "tls")]
#[test]
fn a_certificate_that_is_bad_is_not_told_of_as_a_handshake() {
    let farm = Farm::with_tls();
    let told = tell(Pool::builder(), [Request::get(farm.tls_url("/ok/1"))]);
    assert_eq!(told.words(0), ["taken", "attempt", "dns", "connected", "outcome"]);
    assert_eq!(told.last(0), "outcome tls");
}

#[test]
fn a_head_that_is_none_is_not_told_of() {
    let farm = Farm::new();
    let told = tell(Pool::builder(), [Request::get(farm.url("/garbage"))]);
    assert_eq!(told.words(0), ["taken", "attempt", "connected", "outcome"]);
    assert_eq!(told.last(0), "outcome protocol");
    let server = Script::new().request().close().serve();
    let told = tell(Pool::builder(), [Request::get(server.url("/a"))]);
    assert_eq!(told.words(0), ["taken", "attempt", "connected", "outcome"]);
}

#[test]
fn a_body_that_is_cut_off_fails_after_its_head() {
    let farm = Farm::new();
    let told = tell(Pool::builder(), [Request::get(farm.url("/truncated"))]);
    assert_eq!(told.words(0), ["taken", "attempt", "connected", "head", "outcome"]);
    assert_eq!(told.last(0), "outcome closed");
}

#[test]
fn a_time_out_ends_wherever_it_was() {
    let farm = Farm::new();
    let job = Request::get(farm.url("/gate/1")).timeout(Duration::from_millis(100));
    let told = tell(Pool::builder(), [job]);
    assert_eq!(told.words(0), ["taken", "attempt", "connected", "outcome"]);
    assert_eq!(told.last(0), "outcome timeout");
}

#[test]
fn a_job_that_cannot_be_sent_is_taken_and_over() {
    let jobs = [Request::get("no URL"), Request::invalid("a row that cannot be read")];
    let told = tell(Pool::builder().num_threads(1), jobs);
    assert_eq!(told.of(0), ["taken", "outcome invalid_url"]);
    assert_eq!(told.of(1), ["taken", "outcome invalid_request"]);
}

// ---- once for each job

#[test]
fn outcome_is_called_once_for_each_job_whatever_comes_of_it() {
    let farm = Farm::new();
    let gone = refused();
    let before = CancelToken::new();
    before.cancel();
    let base = farm.url("");
    let told = Told::default();
    let jobs = (0..260_u64).map(move |n| {
        assert_ne!(n, 100, "the queue fell over");
        match n % 13 {
            0 => Request::get("no URL"),
            1 => Request::get(format!("{base}/reset")),
            2 => Request::get(format!("{base}/truncated")),
            3 => Request::get(format!("{base}/garbage")),
            4 => Request::get(format!("http://{gone}/")),
            5 => Request::get(format!("{base}/ok/{n}")).cancel_token(&before),
            6 => Request::get(format!("{base}/delay/100/{n}")).timeout(Duration::from_millis(2)),
            7 => Request::get(format!("{base}/series/{n}/503,200?retry-after=0")),
            8 => Request::get(format!("{base}/series/{n}/0,0,0")),
            9 => Request::get(format!("{base}/redirect/2/{n}")),
            10 => Request::invalid("no request"),
            11 => Request::get(format!("{base}/redirect-to?url=ftp://a.test/")),
            _ => Request::get(format!("{base}/ok/{n}")),
        }
    });
    let pool = Pool::builder().num_threads(4).retry(RetryPolicy::new(1)).observer(told.clone());
    let pool = pool.job_queue(jobs).build().unwrap();
    let seen = told.clone();
    let read = within(LIMIT, move || {
        let mut read = Vec::new();
        for outcome in pool.outcomes() {
            assert_eq!(seen.outcomes(outcome.index()), 1, "before the caller can read it");
            read.push((outcome.index(), outcome.result().is_ok()));
        }
        read
    });
    assert!(read.len() > 100);
    for (index, ok) in &read {
        assert_eq!(told.outcomes(*index), 1, "{:?}", told.of(*index));
        let status = told.last(*index).trim_start_matches("outcome ").parse::<u16>();
        assert_eq!(status.is_ok(), *ok);
    }
    assert_eq!(told.count("outcome"), read.len());
}

#[test]
fn outcome_is_called_once_for_jobs_that_are_cancelled_where_they_stand() {
    type Place = fn() -> Standstill;
    let places: Vec<(&str, Place)> = vec![
        ("look-up", Standstill::lookup),
        ("connect", Standstill::connect),
        ("upload", Standstill::upload),
        ("head", Standstill::head),
        ("body", Standstill::body),
        #[cfg(feature = "tls")]
        ("handshake", Standstill::handshake),
    ];
    for (name, place) in places {
        let place = place();
        let told = Told::default();
        let both = Both(told.clone(), place.sleepers());
        let token = CancelToken::new();
        let jobs = [place.request().cancel_token(&token), place.request(), place.request()];
        let pool = place.pool().observer(both).num_threads(2).job_queue(jobs).build().unwrap();
        place.wait_for(2, &[0, 1]);
        within(LIMIT, move || {
            token.cancel();
            assert_eq!(pool.get_exception().unwrap().index(), 0);
            pool.cancel();
            pool.join_all();
            let pulled = pool.stats().pulled;
            drop(pool);
            for n in 0..pulled {
                assert_eq!(told.outcomes(n), 1, "{name}: {:?}", told.of(n));
                assert!(told.of(n).contains(&"outcome cancelled".to_owned()), "{name}, {n}");
            }
            assert_eq!(told.count("outcome") as u64, pulled);
        });
    }
}

#[test]
fn outcome_is_called_once_for_jobs_that_run_when_a_pool_is_dropped() {
    let farm = Farm::new();
    let told = Told::default();
    let url = farm.url("");
    let jobs = (0..40_u64).map(move |n| match n {
        0 | 1 => format!("{url}/ok/{n}"),
        _ => format!("{url}/gate/{n}"),
    });
    let pool = Pool::builder().num_threads(3).observer(told.clone()).job_queue(jobs);
    let pool = pool.build().unwrap();
    farm.wait_at_gate(3);
    assert_eq!(pool.stats().pulled, 5);
    within(LIMIT, move || drop(pool));
    for n in 0..5 {
        let last = if n < 2 { "outcome 200" } else { "outcome cancelled" };
        assert_eq!((told.outcomes(n), &*told.last(n)), (1, last), "{:?}", told.of(n));
    }
    assert_eq!(told.count("outcome"), 5);
}

#[test]
fn outcome_is_called_once_for_a_retry_that_is_parked_when_its_pool_is_cancelled() {
    ends_a_parked_retry(|pool, _| {
        pool.cancel();
        assert!(pool.get_exception().unwrap().is_cancelled());
    });
}

#[test]
fn outcome_is_called_once_for_a_retry_that_is_parked_when_its_token_is_cancelled() {
    ends_a_parked_retry(|pool, token| {
        token.cancel();
        assert!(pool.get_exception().unwrap().is_cancelled());
    });
}

#[test]
fn outcome_is_called_once_for_a_retry_that_is_parked_when_its_pool_is_dropped() {
    ends_a_parked_retry(|_, _| {});
}

/// That the end of a job which waits to be tried again is told of, when this ends it, or the drop
/// that follows.
#[track_caller]
fn ends_a_parked_retry(end: fn(&Pool, &CancelToken)) {
    let farm = Farm::new();
    let (told, token) = (Told::default(), CancelToken::new());
    let job = Request::get(farm.url("/series/2/503?retry-after=20")).cancel_token(&token);
    let pool = Pool::builder().num_threads(3).retry(RetryPolicy::new(1));
    let pool = pool.observer(told.clone()).job_queue([job]).build().unwrap();
    within(LIMIT, move || {
        while pool.stats().delayed < 1 {
            thread::yield_now();
        }
        end(&pool, &token);
        drop(pool);
    });
    assert_eq!((told.outcomes(0), &*told.last(0)), (1, "outcome cancelled"), "{:?}", told.of(0));
}

#[test]
fn of_a_job_that_waits_for_the_rate_when_its_pool_is_cancelled_nothing_is_told() {
    let farm = Farm::new();
    let told = Told::default();
    let (jobs, lines) = mpsc::channel::<Request>();
    // The pool cannot know what comes from an iterator, so a worker waits in it while there is
    // time for a job. Meanwhile the retry of the first one takes that time.
    let lines = Mutex::new(lines);
    let lines = std::iter::from_fn(move || lines.lock().unwrap().recv().ok());
    let pool = Pool::builder().num_threads(2).rate(0.7).retry(RetryPolicy::new(1));
    let pool = pool.observer(told.clone()).job_queue(lines).build().unwrap();
    jobs.send(Request::get(farm.url("/series/0/503,200?retry-after=2"))).unwrap();
    within(LIMIT, move || {
        assert!(pool.get_response().unwrap().ok());
        jobs.send(Request::get(farm.url("/ok/1"))).unwrap();
        while pool.stats().queued < 1 {
            thread::yield_now();
        }
        let left = pool.cancel();
        drop(jobs);
        assert_eq!(left.count(), 1);
        assert!(pool.get_exception().is_none());
    });
    assert_eq!((told.outcomes(0), told.outcomes(1)), (1, 0), "{:?}", told.of(1));
}

#[test]
fn nothing_is_told_of_a_job_after_its_outcome() {
    let dead = Dead::new();
    let (told, sleepers) = (Told::default(), Arc::new(Sleepers::default()));
    let job = Request::get(format!("http://{}/", dead.address()));
    let both = Both(told.clone(), Arc::clone(&sleepers));
    let pool = Pool::builder().num_threads(1).observer(both).job_queue([job]).build().unwrap();
    sleepers.wait_for(&[0]);
    within(LIMIT, move || {
        pool.cancel();
        assert!(pool.get_exception().unwrap().is_cancelled());
        // Now the worker that was given up is connected after all, and has closed that connection.
        let mut late = dead.revive();
        late.set_read_timeout(Some(LIMIT)).unwrap();
        assert_eq!(late.read(&mut [0]).unwrap(), 0);
    });
    assert_eq!(told.words(0), ["taken", "attempt", "outcome"]);
}

#[test]
fn outcome_is_called_once_for_jobs_that_a_deadline_or_a_stop_ends() {
    let farm = Farm::new();
    let told = Told::default();
    let jobs: Vec<String> = (0..9).map(|n| farm.url(&format!("/gate/{n}"))).collect();
    let pool = Pool::builder().num_threads(2).deadline(Duration::from_millis(300));
    let pool = pool.observer(told.clone()).job_queue(jobs).build().unwrap();
    let pulled = within(LIMIT, move || {
        pool.join_all();
        pool.stats().pulled
    });
    assert_eq!(told.count("outcome") as u64, pulled);
    for n in 0..pulled {
        assert_eq!(told.last(n), "outcome timeout");
    }

    let told = Told::default();
    let jobs = [farm.url("/gate/0"), "no URL".into(), farm.url("/ok/2")];
    let pool = Pool::builder().num_threads(2).on_error(OnError::Stop).observer(told.clone());
    let pool = pool.job_queue(jobs).build().unwrap();
    within(LIMIT, move || pool.join_all());
    assert_eq!((told.outcomes(0), told.outcomes(1), told.count("outcome")), (1, 1, 2));
    assert!(told.of(0).contains(&"outcome cancelled".to_owned()), "{:?}", told.of(0));
    assert_eq!(told.last(1), "outcome invalid_url");
}

#[test]
fn outcome_is_called_once_for_jobs_of_a_worker_that_could_not_start() {
    for panics in [false, true] {
        let told = Told::default();
        let (_, exceptions) = within(LIMIT, {
            let told = told.clone();
            move || {
                Pool::builder()
                    .num_threads(2)
                    .observer(told)
                    .initializer(
                        move |_: &mut SessionConfig| {
                            if panics { panic!("not today") } else { Err("not today") }
                        },
                    )
                    .map((0..20).map(|_| "http://a.test/"))
            }
        });
        assert_eq!(exceptions.len(), 20);
        for n in 0..20 {
            assert_eq!(told.outcomes(n), 1, "{:?}", told.of(n));
            assert_eq!(told.count_of(n, "attempt"), 0);
        }
    }
}

// ---- panics

#[test]
fn a_panic_of_an_observer_is_the_outcome_of_its_job_and_the_worker_goes_on() {
    /// Panics when it is told of a step of the second job.
    struct Afraid(&'static str, Told);
    impl Afraid {
        #[track_caller]
        fn tell(&self, job: &Observed<'_>, step: &str) {
            self.1.note(job, step.to_owned());
            assert!(job.index() != Some(1) || step != self.0, "afraid of {step}");
        }
    }
    impl Observer for Afraid {
        fn taken(&self, job: &Observed<'_>) {
            self.tell(job, "taken");
        }
        fn attempt(&self, job: &Observed<'_>, _: &str, _: u32) {
            self.tell(job, "attempt");
        }
        fn dns(&self, job: &Observed<'_>, _: &str, _: &[SocketAddr], _: Duration) {
            self.tell(job, "dns");
        }
        fn connected(&self, job: &Observed<'_>, _: SocketAddr, _: Duration) {
            self.tell(job, "connected");
        }
        fn tls(&self, job: &Observed<'_>, _: &str, _: Duration) {
            self.tell(job, "tls");
        }
        fn head(&self, job: &Observed<'_>, _: u16, _: &Headers) {
            self.tell(job, "head");
        }
        fn redirect(&self, job: &Observed<'_>, _: u16, _: &str) {
            self.tell(job, "redirect");
        }
        fn retry(&self, job: &Observed<'_>, _: u32, _: Duration, _: Result<&Response, &Error>) {
            self.tell(job, "retry");
        }
        fn outcome(&self, job: &Observed<'_>, _: Result<&Response, &Error>) {
            self.tell(job, "outcome");
        }
    }
    #[cfg(feature = "tls")]
    let steps =
        ["taken", "attempt", "dns", "connected", "tls", "head", "redirect", "retry", "outcome"];
    #[cfg(not(feature = "tls"))]
    let steps = ["taken", "attempt", "dns", "connected", "head", "redirect", "retry", "outcome"];
    for step in steps {
        let server = Script::site(|request| match request.target().as_str() {
            "/redirect" => redirect(302, "/end"),
            "/retry" => reply("503 Busy", "Retry-After: 0\r\n", "busy"),
            target => ok(target),
        });
        let (address, told) = (server.address(), Told::default());
        let mut config = resolving(vec![address]);
        let mut second = Request::get(format!("http://two.test/{step}"));
        #[cfg(feature = "tls")]
        let tls = {
            let ca = crate::support::tls::Ca::new();
            let tls = crate::support::tls::TlsServer::start(ca.good());
            config.tls.add_root_pem(ca.pem());
            tls
        };
        #[cfg(feature = "tls")]
        if step == "tls" {
            second = Request::get(tls.url("/tls"));
        }
        config.keep_alive = true;
        second = second.tag("kept");
        let jobs = [Request::get("http://one.test/0"), second, Request::get("http://one.test/2")];
        let pool = Pool::builder()
            .num_threads(1)
            .session(config)
            .retry(RetryPolicy::new(1))
            .observer(Afraid(step, told.clone()))
            .job_queue(jobs)
            .build()
            .unwrap();
        let outcomes: Vec<Outcome> = within(LIMIT, move || pool.outcomes().collect());
        let [first, second, third]: [Outcome; 3] = outcomes.try_into().unwrap();
        assert_eq!(first.result().unwrap().text(), "/0", "{step}");
        assert_eq!((second.index(), second.tag()), (1, Some(&"kept")), "{step}");
        let error = second.result().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Panic, "{step}: {error}");
        assert!(error.message().contains(&format!("afraid of {step}")), "{}", error.message());
        if step == "outcome" {
            assert_eq!(error.into_response().unwrap().text(), "/outcome", "it was there");
        }
        assert_eq!(third.result().unwrap().text(), "/2", "after a panic in {step}");
        for n in 0..3 {
            assert_eq!(told.outcomes(n), 1, "{step}: {:?}", told.of(n));
        }
    }
}

#[test]
fn a_panic_about_the_outcome_of_a_job_that_was_given_up_is_its_outcome_too() {
    struct Afraid(Arc<Sleepers>);
    impl Observer for Afraid {
        fn attempt(&self, job: &Observed<'_>, url: &str, number: u32) {
            self.0.attempt(job, url, number);
        }
        fn outcome(&self, job: &Observed<'_>, _: Result<&Response, &Error>) {
            assert_eq!(job.index(), Some(2), "afraid of the first two");
        }
    }
    let farm = Farm::new();
    let place = Standstill::connect();
    let token = CancelToken::new();
    let jobs =
        [place.request().cancel_token(&token), place.request(), Request::get(farm.url("/ok/2"))];
    let pool = place.pool().num_threads(2).observer(Afraid(place.sleepers())).job_queue(jobs);
    let pool = pool.build().unwrap();
    place.wait_for(0, &[0, 1]);
    within(LIMIT, move || {
        // Whoever cancels is not the one to be hurt.
        token.cancel();
        assert_eq!(pool.get_response().unwrap().text(), "2");
        pool.cancel();
        let mut kinds: Vec<_> = pool.exceptions().map(|e| (e.index(), e.kind())).collect();
        kinds.sort_unstable_by_key(|(index, _)| *index);
        assert_eq!(kinds, [(0, ErrorKind::Panic), (1, ErrorKind::Panic)]);
    });
}

#[test]
fn the_initializer_runs_once_in_each_worker_also_when_an_observer_panics() {
    struct Afraid;
    impl Observer for Afraid {
        fn attempt(&self, job: &Observed<'_>, _: &str, _: u32) {
            assert_ne!(job.index(), Some(1), "afraid of the second");
        }
    }
    let farm = Farm::new();
    let runs = Arc::new(Mutex::new(HashMap::<ThreadId, usize>::new()));
    let counts = Arc::clone(&runs);
    let jobs: Vec<String> = (0..4).map(|n| farm.url(&format!("/ok/{n}"))).collect();
    let (responses, exceptions) = within(LIMIT, move || {
        Pool::builder()
            .num_threads(1)
            .observer(Afraid)
            .initializer(move |_: &mut SessionConfig| {
                *counts.lock().unwrap().entry(thread::current().id()).or_default() += 1;
            })
            .map(jobs)
    });
    assert_eq!((responses.len(), exceptions.len()), (3, 1));
    let runs = runs.lock().unwrap();
    assert!(runs.values().all(|&times| times == 1), "{runs:?}");
}

#[test]
fn an_observer_that_always_panics_loses_no_job() {
    struct Afraid;
    impl Observer for Afraid {
        fn outcome(&self, _: &Observed<'_>, _: Result<&Response, &Error>) {
            panic!("afraid of everything");
        }
    }
    let farm = Farm::new();
    let url = farm.url("/ok");
    let jobs = (0..60).map(move |n| match n % 2 {
        0 => format!("{url}/{n}"),
        _ => "no URL".into(),
    });
    let pool = Pool::builder().num_threads(3).observer(Afraid).job_queue(jobs).build().unwrap();
    let exceptions: Vec<_> = within(LIMIT, move || pool.exceptions().collect());
    assert_eq!(exceptions.len(), 60);
    for exception in exceptions {
        assert_eq!(exception.kind(), ErrorKind::Panic);
        assert_eq!(exception.response().is_some(), exception.index() % 2 == 0);
    }
}

// ---- whom, where, and with what

#[test]
fn urls_are_given_without_user_information() {
    let server = Script::site(|request| match request.target().as_str() {
        "/a" => redirect(302, &format!("http://ben:hunter2@{}/b", request.header("host").unwrap())),
        "/b" => redirect(302, "//cat:hunter2@127.0.0.1:1/c"),
        _ => ok("fine"),
    });
    let secret = |path: &str| server.url(path).replace("http://", "http://ann:hunter2@");
    let told = tell(
        Pool::builder().num_threads(1),
        [
            Request::get(secret("/a")),
            Request::get(secret("/d")),
            Request::get("http://ann:hunter2@/"),
        ],
    );
    let all = told.all();
    assert!(!all.contains("hunter2") && !all.contains('@'), "{all}");
    assert_eq!(told.count("redirect"), 2);
    assert_eq!(told.of(1)[1], format!("attempt 1 {}", server.url("/d")));
}

#[test]
fn the_observer_is_told_which_job_it_is_and_on_the_workers_thread() {
    type Seen = (Option<u64>, Option<u64>, String);
    #[derive(Clone, Default)]
    struct Where(Arc<Mutex<Vec<Seen>>>);
    impl Observer for Where {
        fn attempt(&self, job: &Observed<'_>, _: &str, _: u32) {
            let tag = job.request().tag_ref::<u64>().copied();
            let thread = thread::current().name().unwrap_or_default().to_owned();
            self.0.lock().unwrap().push((job.index(), tag, thread));
        }
    }
    let farm = Farm::new();
    let seen = Where::default();
    let jobs: Vec<Request> =
        (0..12_u64).map(|n| Request::get(farm.url(&format!("/ok/{n}"))).tag(n)).collect();
    let (responses, _) = Pool::builder().num_threads(3).observer(seen.clone()).map(jobs);
    assert_eq!(responses.len(), 12);
    let mut seen = seen.0.lock().unwrap().clone();
    seen.sort();
    for ((index, tag, thread), n) in seen.into_iter().zip(0..) {
        assert_eq!((index, tag), (Some(n), Some(n)));
        assert!(thread.starts_with("fetchpool-"), "{thread}");
    }
}

#[test]
fn a_session_without_a_pool_tells_its_observer_too() {
    let farm = Farm::new();
    let told = Told::default();
    let mut config = SessionConfig::new();
    config.observer = Some(Arc::new(told.clone()));
    let mut session = Session::new(config).unwrap();
    assert_eq!(session.request(farm.url("/ok/1")).unwrap().text(), "1");
    let told = told.0.lock().unwrap().clone();
    let steps: Vec<String> = told[&None].clone();
    let steps: Vec<&str> = steps.iter().map(|step| step.split(' ').next().unwrap()).collect();
    // Taken, tried again and over are words of a pool.
    assert_eq!(steps, ["attempt", "connected", "head"]);
}

#[test]
fn the_settings_of_the_session_may_name_the_observer_of_a_pool() {
    let farm = Farm::new();
    let told = Told::default();
    let mut config = SessionConfig::new();
    config.observer = Some(Arc::new(told.clone()));
    let (responses, _) = Pool::builder().session(config).map([farm.url("/ok/1")]);
    assert_eq!(responses.len(), 1);
    assert_eq!(told.words(0), ["taken", "attempt", "connected", "head", "outcome"]);
}

#[test]
fn an_observer_of_one_method_is_told_only_that() {
    struct Heads(Arc<Mutex<Vec<(u16, String)>>>);
    impl Observer for Heads {
        fn head(&self, _: &Observed<'_>, status: u16, headers: &Headers) {
            let kind = headers.get("content-type").unwrap_or_default().to_owned();
            self.0.lock().unwrap().push((status, kind));
        }
    }
    let farm = Farm::new();
    let heads = Arc::new(Mutex::new(Vec::new()));
    let (responses, _) = Pool::builder()
        .num_threads(1)
        .observer(Heads(Arc::clone(&heads)))
        .map([farm.url("/echo"), farm.url("/status/404/1")]);
    assert_eq!(responses.len(), 2);
    assert_eq!(*heads.lock().unwrap(), [(200, "application/json".into()), (404, String::new())]);
}

/// Writes down what it is told, job by job.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<BTreeMap<Option<u64>, Vec<String>>>>);

impl Told {
    fn note(&self, job: &Observed<'_>, line: String) {
        let mut jobs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.entry(job.index()).or_default().push(line);
    }

    /// What was told of this job.
    fn of(&self, job: u64) -> Vec<String> {
        let jobs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.get(&Some(job)).cloned().unwrap_or_default()
    }

    /// The steps of this job by their names.
    fn words(&self, job: u64) -> Vec<String> {
        self.of(job).iter().map(|line| line.split(' ').next().unwrap().to_owned()).collect()
    }

    fn last(&self, job: u64) -> String {
        self.of(job).pop().unwrap_or_default()
    }

    fn all(&self) -> String {
        let jobs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.values().flatten().map(|line| format!("{line}\n")).collect()
    }

    /// How often this step was told of.
    fn count(&self, step: &str) -> usize {
        self.all().lines().filter(|line| line.split(' ').next() == Some(step)).count()
    }

    fn count_of(&self, job: u64, step: &str) -> usize {
        self.words(job).iter().filter(|word| *word == step).count()
    }

    fn outcomes(&self, job: u64) -> usize {
        self.count_of(job, "outcome")
    }
}

impl Observer for Told {
    fn taken(&self, job: &Observed<'_>) {
        self.note(job, "taken".into());
    }
    fn attempt(&self, job: &Observed<'_>, url: &str, number: u32) {
        self.note(job, format!("attempt {number} {url}"));
    }
    fn dns(&self, job: &Observed<'_>, host: &str, addresses: &[SocketAddr], _: Duration) {
        self.note(job, format!("dns {host} {addresses:?}"));
    }
    fn connected(&self, job: &Observed<'_>, peer: SocketAddr, _: Duration) {
        self.note(job, format!("connected {peer}"));
    }
    fn tls(&self, job: &Observed<'_>, host: &str, _: Duration) {
        self.note(job, format!("tls {host}"));
    }
    fn head(&self, job: &Observed<'_>, status: u16, _: &Headers) {
        self.note(job, format!("head {status}"));
    }
    fn redirect(&self, job: &Observed<'_>, status: u16, to: &str) {
        self.note(job, format!("redirect {status} {to}"));
    }
    fn retry(&self, job: &Observed<'_>, number: u32, _: Duration, _: Result<&Response, &Error>) {
        self.note(job, format!("retry {number}"));
    }
    fn outcome(&self, job: &Observed<'_>, result: Result<&Response, &Error>) {
        let result = match result {
            Ok(response) => response.status().to_string(),
            Err(error) => error.kind().as_str().to_owned(),
        };
        self.note(job, format!("outcome {result}"));
    }
}

/// Two observers, of which the second knows where a job stands still.
struct Both(Told, Arc<Sleepers>);

impl Observer for Both {
    fn taken(&self, job: &Observed<'_>) {
        self.0.taken(job);
    }
    fn attempt(&self, job: &Observed<'_>, url: &str, number: u32) {
        self.0.attempt(job, url, number);
        self.1.attempt(job, url, number);
    }
    fn dns(&self, job: &Observed<'_>, host: &str, addresses: &[SocketAddr], took: Duration) {
        self.0.dns(job, host, addresses, took);
    }
    fn connected(&self, job: &Observed<'_>, peer: SocketAddr, took: Duration) {
        self.0.connected(job, peer, took);
    }
    fn tls(&self, job: &Observed<'_>, host: &str, took: Duration) {
        self.0.tls(job, host, took);
    }
    fn head(&self, job: &Observed<'_>, status: u16, headers: &Headers) {
        self.0.head(job, status, headers);
    }
    fn outcome(&self, job: &Observed<'_>, result: Result<&Response, &Error>) {
        self.0.outcome(job, result);
    }
}

/// Runs these jobs, and gives what was told.
#[track_caller]
fn tell<I>(builder: PoolBuilder, jobs: I) -> Told
where
    I: IntoIterator<Item = Request> + 'static,
    I::IntoIter: Send + 'static,
{
    let told = Told::default();
    let pool = builder.observer(told.clone()).job_queue(jobs).build().unwrap();
    within(LIMIT, move || pool.join_all());
    told
}

/// Settings by which every host has these addresses.
fn resolving(addresses: Vec<SocketAddr>) -> SessionConfig {
    let mut config = SessionConfig::new();
    config.resolver = Some(Arc::new(move |_: &str, _: u16| Ok(addresses.clone())));
    config
}
