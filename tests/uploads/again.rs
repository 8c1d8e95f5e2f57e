//! What is sent a second time, and what cannot be.

use std::net::SocketAddr;

use super::*;
use crate::support::script::{redirect, reply};
use fetchpool::{ErrorKind, Fault, Multipart, Part, Phase, Pool, RetryPolicy};

/// Gives a request a body.
type Give = Box<dyn FnOnce(Request) -> Request>;

/// More than goes out before the first look for an answer.
const LENGTH: usize = 3 << 20;

/// Bodies of each kind, forms among them, by name; whether they can be sent again.
fn all_kinds() -> Vec<(&'static str, Give, bool)> {
    let content = bytes(LENGTH);
    let file = Temporary::new(&content);
    let mut all: Vec<(&'static str, Give, bool)> = Vec::new();
    for (kind, body, again) in kinds(&content, &file) {
        all.push((kind, Box::new(move |request| request.body(body)), again));
    }
    let form = |part| Multipart::new().text("a", "b").part("c", part);
    let (again, once) = (form(Part::file(file.path())), Part::new(Body::reader(Counted::new(9))));
    let once = form(once);
    // The file must outlive the request.
    let again = move |request: Request| request.multipart(again).tag(file);
    all.push(("a form", Box::new(again), true));
    all.push(("a form with a reader", Box::new(|request| request.multipart(once)), false));
    all
}

/// That an error is about a body that is gone.
#[track_caller]
fn assert_gone(error: &Error, what: &str) {
    assert_eq!((error.kind(), error.fault()), (ErrorKind::InvalidRequest, Fault::Caller), "{what}");
    assert!(error.message().contains("can be read only once"), "{what}: {error}");
}

#[test]
fn a_redirect_that_keeps_the_body_sends_it_again_or_is_an_error() {
    for status in [307, 308] {
        for (kind, give, again) in all_kinds() {
            let server = Script::site(move |request| match request.target().as_str() {
                "/here" => redirect(status, "/there"),
                _ => ok("there"),
            });
            let sent = fetch(give(Request::put(server.url("/here"))));
            let requests = server.requests();
            if again {
                assert_eq!(sent.unwrap().text(), "there", "{kind}");
                assert_eq!(requests.len(), 2, "{kind}");
                assert!(requests[0].content() == requests[1].content(), "{status} {kind}");
                assert!(requests[1].content().len() >= LENGTH, "{status} {kind}");
                let typed = requests.iter().map(|request| request.header("content-type"));
                assert_eq!(typed.collect::<std::collections::HashSet<_>>().len(), 1, "{kind}");
            } else {
                let error = sent.unwrap_err();
                assert_gone(&error, kind);
                assert_eq!(error.phase(), Some(Phase::Redirecting), "{kind}");
                assert!(error.message().contains(&status.to_string()), "{error}");
                assert_eq!(error.url(), Some(server.url("/here").as_str()));
                assert_eq!(requests.len(), 1, "{status} {kind}: no request without its body");
            }
        }
    }
}

#[test]
fn a_redirect_that_drops_the_body_needs_it_no_more() {
    for (kind, give, _) in all_kinds() {
        let server = Script::site(|request| match request.target().as_str() {
            "/here" => redirect(303, "/there"),
            _ => ok("there"),
        });
        let response = fetch(give(Request::post(server.url("/here")))).unwrap();
        assert_eq!(response.text(), "there", "{kind}");
        let last = server.requests().pop().unwrap();
        assert_eq!((last.line().as_str(), last.body().len()), ("GET /there HTTP/1.1", 0), "{kind}");
        for name in ["content-length", "transfer-encoding", "content-type"] {
            assert_eq!(last.header(name), None, "{kind}");
        }
    }
}

#[test]
fn a_redirect_that_is_not_followed_is_a_response_whatever_the_body() {
    let server = Script::site(|_| redirect(307, "/there"));
    let request = Request::put(server.url("/")).body(Body::reader(Counted::new(10)));
    assert_eq!(fetch(request.allow_redirects(false)).unwrap().status(), 307);
}

#[test]
fn a_kept_connection_that_was_closed_meanwhile_costs_no_body() {
    for method in ["PUT", "POST"] {
        let server = Script::new().reply(ok("1")).close().accept().reply(ok("2")).serve();
        let mut session = session(|_| {});
        session.request(Request::get(server.url("/1"))).unwrap();
        server.wait_for_end_of(0);
        let body = Body::reader(io::Cursor::new(bytes(10)));
        let request = Request::new(method, server.url("/2")).body(body);
        assert_eq!(session.request(request).unwrap().text(), "2", "{method}");
        assert_eq!(server.requests()[1].content(), bytes(10));
    }
}

#[test]
fn an_upload_into_a_kept_connection_that_closes_is_sent_again_if_it_can_be() {
    for (kind, give, again) in all_kinds() {
        let script = Script::new().reply(ok("1")).request_head().close();
        let server = script.accept().reply(ok("whole")).serve();
        let mut session = session(|_| {});
        session.request(Request::get(server.url("/1"))).unwrap();
        let sent = session.request(give(Request::put(server.url("/2"))));
        if again {
            assert_eq!(sent.unwrap().text(), "whole", "{kind}");
            let last = server.requests().into_iter().rfind(|r| r.connection == 1).unwrap();
            assert!(last.content().len() >= LENGTH, "{kind}");
        } else {
            assert_eq!(sent.unwrap_err().kind(), ErrorKind::Closed, "{kind}");
            assert_eq!(server.connections(), 1, "{kind}: no request without its body");
        }
    }
}

#[test]
fn a_file_with_another_length_is_not_sent_again_under_the_same_head() {
    let file = Temporary::new(bytes(16 << 20));
    let script = Script::new().reply(ok("1")).request_head().close();
    let server = script.accept().reply(ok("whole")).serve();
    let path = file.path().to_owned();
    let mut session = session(|config| {
        config.observer = Some(Arc::new(Meddler(move || {
            // The server goes before the end of it is read, and before it shows.
            fs::write(&path, bytes((16 << 20) + 1)).unwrap();
        })));
    });
    session.request(Request::get(server.url("/1"))).unwrap();
    let request = Request::put(server.url("/put")).body(Body::file(file.path()));
    assert_eq!(session.request(request.clone()).unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(server.connections(), 1);
    assert_eq!(session.request(request).unwrap().text(), "whole", "by a head of its own it is");
}

#[test]
fn a_408_for_an_idle_time_is_answered_by_sending_again_what_can_be() {
    let late = "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 4\r\n\r\nlate";
    for (kind, give, again) in all_kinds() {
        let script = Script::new().reply(ok("1")).request().send(late).close();
        let server = script.accept().reply(ok("whole")).serve();
        let mut session = session(|_| {});
        session.request(Request::get(server.url("/1"))).unwrap();
        let response = session.request(give(Request::put(server.url("/2")))).unwrap();
        let expected = if again { (200, "whole") } else { (408, "late") };
        assert_eq!((response.status(), response.text().as_ref()), expected, "{kind}");
    }
}

/// What a pool with retries makes of a job.
fn in_a_pool(
    job: Request,
    change: impl FnOnce(&mut SessionConfig),
) -> Result<u16, (ErrorKind, Fault)> {
    let mut config = SessionConfig::new();
    change(&mut config);
    let pool = Pool::builder().num_threads(1).session(config).retry(RetryPolicy::new(2));
    let (mut responses, mut exceptions) = pool.map([job]);
    match responses.next() {
        Some(response) => Ok(response.status()),
        None => {
            let exception = exceptions.next().unwrap();
            Err((exception.kind(), exception.error().fault()))
        }
    }
}

#[test]
fn a_pool_tries_again_what_it_can_send_again() {
    for (kind, give, again) in all_kinds() {
        let count = AtomicUsize::new(0);
        let server = Script::site(move |_| match count.fetch_add(1, Ordering::SeqCst) {
            0 => reply("503 Busy", "Retry-After: 0\r\n", ""),
            _ => ok("whole"),
        });
        let status = in_a_pool(give(Request::put(server.url("/"))), |_| {}).unwrap();
        let requests = server.requests();
        assert_eq!((status, requests.len()), if again { (200, 2) } else { (503, 1) }, "{kind}");
        if again {
            assert!(requests[0].content() == requests[1].content(), "{kind}");
        }
    }
}

#[test]
fn a_reader_that_nobody_has_read_yet_is_sent_by_a_later_try() {
    let server = friendly();
    let (address, asked): (SocketAddr, _) = (server.address(), AtomicUsize::new(0));
    let job = Request::post(format!("http://some.test:{}/", address.port()))
        .body(Body::reader(io::Cursor::new(bytes(100_000))));
    let status = in_a_pool(job, |config| {
        config.resolver =
            Some(Arc::new(move |_: &str, _: u16| match asked.fetch_add(1, Ordering::SeqCst) {
                0 => Err(io::Error::other("not just now")),
                _ => Ok(vec![address]),
            }));
    });
    assert_eq!(status.unwrap(), 200);
    assert!(server.request().content() == bytes(100_000));
}

#[test]
fn a_reader_that_fails_is_not_tried_again() {
    let tries = Arc::new(AtomicUsize::new(0));
    let server = Script::new().request_head().repeat().serve();
    let body = Body::reader_fn({
        let tries = Arc::clone(&tries);
        move || {
            tries.fetch_add(1, Ordering::SeqCst);
            Ok(By(|_: &mut [u8]| Err(io::ErrorKind::TimedOut.into())))
        }
    });
    let failed = in_a_pool(Request::put(server.url("/")).body(body), |_| {});
    assert_eq!(failed, Err((ErrorKind::Io, Fault::Caller)));
    assert_eq!(tries.load(Ordering::SeqCst), 1);
}
