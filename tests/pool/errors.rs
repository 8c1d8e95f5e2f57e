//! What becomes of a bad job, and that it takes no other with it (P1, P10).

use std::time::Duration;

use fetchpool::{ErrorKind, Fault, Outcome, Phase, Pool, Request, SessionConfig};

use crate::farm::{Echo, Farm, refused, timed, within};

/// The usual patience for a batch that must end.
const LIMIT: Duration = Duration::from_secs(10);

#[test]
fn a_404_and_a_500_are_responses() {
    let farm = Farm::new();
    let (responses, exceptions) =
        fetchpool::map([farm.url("/status/404/a"), farm.url("/status/500/b")]);
    assert_eq!(exceptions.len(), 0);
    let seen: Vec<_> = responses.map(|r| (r.status(), r.ok(), r.text().into_owned())).collect();
    assert_eq!(seen, [(404, false, "a".into()), (500, false, "b".into())]);
}

#[test]
fn http_status_as_error_makes_them_exceptions_that_carry_the_response() {
    let farm = Farm::new();
    let jobs = [farm.url("/ok/fine"), farm.url("/status/404/a"), farm.url("/status/500/b")];
    let (responses, exceptions) = Pool::builder()
        .initializer(|session: &mut SessionConfig| session.http_status_as_error = true)
        .map(jobs);
    assert_eq!(responses.map(|response| response.index()).collect::<Vec<_>>(), [0]);
    let mut seen = Vec::new();
    for exception in exceptions {
        assert_eq!(exception.kind(), ErrorKind::Status);
        assert!(exception.is_status());
        let response = exception.error().response().unwrap();
        seen.push((exception.index(), response.status(), response.text().into_owned()));
        let (_, error) = exception.into_parts();
        assert!(error.into_response().is_some());
    }
    assert_eq!(seen, [(1, 404, "a".into()), (2, 500, "b".into())]);
}

#[test]
fn each_bad_job_says_what_is_wrong_and_no_other_is_lost() {
    use ErrorKind::{Closed, Connect, Dns, InvalidRequest, InvalidUrl, Protocol, Timeout};
    let farm = Farm::new();
    let gone = refused();
    let get = |route: &str| Request::get(farm.url(route));
    let no_such_host = format!("http://{}.test/", "a".repeat(64));
    let bad: Vec<(Request, &[ErrorKind], Option<Fault>)> = vec![
        (Request::get("no URL"), &[InvalidUrl], Some(Fault::Caller)),
        (Request::get(""), &[InvalidUrl], Some(Fault::Caller)),
        (Request::get("/relative"), &[InvalidUrl], Some(Fault::Caller)),
        (Request::get("http://"), &[InvalidUrl], Some(Fault::Caller)),
        (Request::get("http://[::1/"), &[InvalidUrl], Some(Fault::Caller)),
        (Request::get("http://a.test:99999/"), &[InvalidUrl], Some(Fault::Caller)),
        (Request::get("ftp://a.test/"), &[InvalidUrl], Some(Fault::Caller)),
        (Request::get("file:///etc/passwd"), &[InvalidUrl], Some(Fault::Caller)),
        (get("/ok/1").header("X-A", "a\r\nX-B: b"), &[InvalidRequest], Some(Fault::Caller)),
        (get("/ok/1").header("X-A", "a\nb"), &[InvalidRequest], Some(Fault::Caller)),
        (get("/ok/1").header("X-A", "a\0b"), &[InvalidRequest], Some(Fault::Caller)),
        (get("/ok/1").header("X A", "a"), &[InvalidRequest], Some(Fault::Caller)),
        (get("/ok/1").header("", "a"), &[InvalidRequest], Some(Fault::Caller)),
        (Request::new("GE T", farm.url("/ok/1")), &[InvalidRequest], Some(Fault::Caller)),
        (Request::new("", farm.url("/ok/1")), &[InvalidRequest], Some(Fault::Caller)),
        (Request::get(no_such_host), &[Dns], None),
        (Request::get(format!("http://{gone}/")), &[Connect], Some(Fault::Network)),
        (get("/garbage"), &[Protocol], Some(Fault::Peer)),
        (get("/truncated"), &[Closed], None),
        (get("/close-now"), &[], None),
        // RST, or the end of the stream where the system was quicker with that.
        (get("/reset"), &[ErrorKind::Io, Closed], Some(Fault::Network)),
        (get("/gate/1").timeout(Duration::from_millis(100)), &[Timeout], Some(Fault::Limit)),
        (get("/redirect-to?url=ftp://a.test/"), &[ErrorKind::Redirect], None),
        (get("/redirect-to?url=/redirect/99/1"), &[ErrorKind::TooManyRedirects], None),
    ];
    let mut jobs = Vec::new();
    for (n, (request, _, _)) in bad.iter().enumerate() {
        jobs.push(request.clone().tag(n));
        jobs.push(get(&format!("/ok/{n}")));
    }
    let count = jobs.len();
    let pool = Pool::builder().num_threads(4).job_queue(jobs).build().unwrap();
    let mut outcomes: Vec<Outcome> = within(LIMIT, move || pool.outcomes().collect());
    outcomes.sort_by_key(Outcome::index);
    assert_eq!(outcomes.len(), count);
    for (n, outcome) in outcomes.into_iter().enumerate() {
        assert_eq!(outcome.index(), n as u64);
        let (_, kinds, fault) = &bad[n / 2];
        let tag = outcome.tag::<usize>().copied();
        let job = outcome.request().clone();
        match (n % 2, outcome.result()) {
            (1, good) => assert_eq!(good.unwrap().text(), (n / 2).to_string()),
            // No such route: a response all the same.
            (_, Ok(response)) => assert!(kinds.is_empty(), "{job:?} gave {response:?}"),
            (_, Err(error)) => {
                assert_eq!(tag, Some(n / 2));
                assert!(kinds.contains(&error.kind()), "{job:?} gave {error:?}");
                assert!(fault.is_none_or(|fault| fault == error.fault()), "{error:?}");
                assert!(!error.message().is_empty());
            }
        }
    }
}

#[test]
fn a_refused_connection_says_where_it_was_refused() {
    let gone = refused();
    let (_, mut exceptions) = fetchpool::map([format!("http://user:secret@{gone}/path")]);
    let exception = exceptions.next().unwrap();
    assert_eq!(exception.kind(), ErrorKind::Connect);
    assert_eq!(exception.phase(), Some(Phase::Connect));
    assert!(exception.is_connect());
    assert!(exception.error().url().unwrap().contains(&gone.port().to_string()));
    assert!(std::error::Error::source(exception.error()).is_some());
    for text in [exception.message(), format!("{exception}"), format!("{exception:?}")] {
        assert!(!text.contains("secret"), "{text}");
    }
}

#[test]
fn a_timeout_covers_a_body_that_drips() {
    let farm = Farm::new();
    let job = Request::get(farm.url("/drip/1000/20")).timeout(Duration::from_millis(300));
    let ((_, mut exceptions), took) = timed(|| within(LIMIT, || fetchpool::map([job])));
    assert_eq!(exceptions.next().unwrap().kind(), ErrorKind::Timeout);
    assert!(took >= Duration::from_millis(300), "{took:?}");
    assert!(took < Duration::from_secs(2), "{took:?}");
}

#[test]
fn a_timeout_does_not_count_the_wait_for_a_worker() {
    let farm = Farm::new();
    // One after the other they take a second, each for itself less than its time.
    let jobs = (0..10).map(|n| Request::get(farm.url(&format!("/delay/100/{n}"))));
    let jobs = jobs.map(|job| job.timeout(Duration::from_millis(600)));
    let (responses, exceptions) = Pool::builder().num_threads(1).map(jobs);
    assert_eq!((responses.len(), exceptions.len()), (10, 0));
}

#[test]
fn tags_and_indexes_belong_to_the_request_they_were_given_with() {
    let farm = Farm::new();
    let jobs: Vec<Request> = (0..60_u64)
        .map(|n| match n % 3 {
            0 => Request::get(farm.url(&format!("/ok/{n}"))),
            1 => Request::get(farm.url(&format!("/delay/{}/{n}", n % 7))),
            _ => Request::get(format!("no URL {n}")),
        })
        .zip(0..)
        .map(|(request, n): (Request, u64)| request.tag(format!("job {n}")))
        .collect();
    let pool = Pool::builder().num_threads(6).job_queue(jobs).build().unwrap();
    let outcomes: Vec<Outcome> = within(LIMIT, move || pool.outcomes().collect());
    assert_eq!(outcomes.len(), 60);
    for outcome in outcomes {
        let index = outcome.index();
        assert_eq!(outcome.tag::<String>(), Some(&format!("job {index}")));
        assert_eq!(outcome.tag::<u64>(), None, "a tag has one type");
        assert!(outcome.request().url().ends_with(&index.to_string()));
        match outcome {
            Outcome::Response(response) => {
                assert_eq!(response.index(), index);
                assert_eq!(response.text(), index.to_string());
                assert_eq!(response.tag::<String>(), Some(&format!("job {index}")));
                let (request, response) = response.into_parts();
                assert_eq!(request.tag_ref::<String>(), Some(&format!("job {index}")));
                assert_eq!(response.status(), 200);
            }
            Outcome::Exception(exception) => {
                assert_eq!(exception.index(), index);
                assert_eq!(exception.tag::<String>(), Some(&format!("job {index}")));
            }
        }
    }
}

#[test]
fn from_exceptions_tries_again_what_failed() {
    let farm = Farm::new();
    let jobs: Vec<Request> = (0..10)
        .map(|n| match n % 2 {
            0 => Request::get(farm.url(&format!("/ok/{n}"))),
            _ => Request::post(farm.url(&format!("/series/{n}/0,200"))).data("twice"),
        })
        .zip(0_u32..)
        .map(|(request, n)| request.tag(n))
        .collect();
    let (responses, exceptions) = fetchpool::map(jobs);
    assert_eq!((responses.len(), exceptions.len()), (5, 5));
    let pool = Pool::from_exceptions(exceptions).unwrap();
    let responses: Vec<_> = within(LIMIT, move || pool.responses().collect());
    assert_eq!(responses.len(), 5);
    for response in responses {
        assert_eq!(response.request().method().as_str(), "POST");
        assert_eq!(response.text(), response.tag::<u32>().unwrap().to_string());
    }
}

#[test]
fn exceptions_are_a_queue_for_a_pool_with_other_settings() {
    let farm = Farm::new();
    let job = Request::get(farm.url("/delay/150/patient"));
    let (_, exceptions) = Pool::builder()
        .initializer(|session: &mut SessionConfig| {
            session.timeout(Duration::from_millis(30));
        })
        .map([job]);
    assert_eq!(exceptions.len(), 1);
    let pool = Pool::builder()
        .initializer(|session: &mut SessionConfig| {
            session.timeout(LIMIT);
        })
        .job_queue(exceptions)
        .build()
        .unwrap();
    assert_eq!(pool.get_response().unwrap().text(), "patient");
}

#[test]
fn an_exception_is_its_request_again() {
    let farm = Farm::new();
    let job = Request::post(farm.url("/series/again/0,200"))
        .header("X-Kept", "yes")
        .data("body")
        .tag("tagged");
    let (_, mut exceptions) = fetchpool::map([job]);
    let exception = exceptions.next().unwrap();
    assert_eq!(exception.kind(), ErrorKind::Closed);
    let request = Request::from(&exception);
    assert_eq!(request.headers().get("x-kept"), Some("yes"));
    assert_eq!(request.tag_ref::<&str>(), Some(&"tagged"));
    let request: Request = exception.into();
    let (mut responses, _) = fetchpool::map([request]);
    assert_eq!(responses.next().unwrap().status(), 200);
}

#[test]
fn one_request_may_be_sent_many_times() {
    let farm = Farm::new();
    let job = Request::post(farm.url("/echo")).data("the same body");
    let (responses, _) = Pool::builder().num_threads(4).map(std::iter::repeat_n(job, 20));
    assert_eq!(responses.len(), 20);
    for response in responses {
        assert_eq!(Echo::of(response.bytes()).body(), "the same body");
    }
}
