//! A request's clock: it covers everything, and is never started again.

use super::*;
use crate::support::script::{Gate, ok};
use fetchpool::{Fault, Phase};

/// A time-out short enough for a test and long enough for a slow machine to get to the point.
const SHORT: Duration = Duration::from_millis(250);

/// What a request with a short time-out fails with; it must, neither much before nor after.
fn timed_out(request: impl Into<Request>) -> Option<Phase> {
    let request = request.into();
    let started = Instant::now();
    let error = session(|config| config.timeout = Some(SHORT)).request(request).unwrap_err();
    let took = started.elapsed();
    assert_eq!((error.kind(), error.fault()), (ErrorKind::Timeout, Fault::Limit), "{error}");
    assert!(error.is_timeout());
    assert!(took >= SHORT && took < SHORT * 8, "{took:?}");
    error.phase()
}

#[test]
fn a_silent_server_is_a_timeout() {
    let server = Script::new().request().serve();
    assert_eq!(timed_out(server.url("/")), Some(Phase::Waiting));
}

#[test]
fn a_server_that_falls_silent_within_a_body_is_a_timeout() {
    for bytes in [
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhalf",
        "HTTP/1.1 200 OK\r\n\r\nhalf",
    ] {
        let server = Script::new().reply(bytes).serve();
        assert_eq!(timed_out(server.url("/")), Some(Phase::Receiving), "{bytes}");
    }
}

#[test]
fn the_timeout_holds_against_a_dripping_server() {
    let pause = Duration::from_millis(5);
    for (start, drop, phase) in [
        ("HTTP/1.1 200 OK\r\n", "X: y\r\n", Phase::Waiting),
        ("HTTP/1.1 200 ", "O", Phase::Waiting),
        ("HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n", "x", Phase::Receiving),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n", Phase::Receiving),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", "x", Phase::Receiving),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
            "T: t\r\n",
            Phase::Receiving,
        ),
        ("HTTP/1.1 200 OK\r\n\r\n", "x", Phase::Receiving),
    ] {
        let server = Script::new().reply(start).drip_on(drop, pause).serve();
        assert_eq!(timed_out(server.url("/")), Some(phase), "{start:?}");
    }
}

#[test]
fn the_timeout_holds_against_a_server_that_never_reads() {
    let server = Script::new().deaf().serve();
    let body = vec![b'x'; 32 << 20];
    assert_eq!(timed_out(Request::post(server.url("/")).body(body)), Some(Phase::Sending));
}

#[test]
fn the_timeout_holds_over_a_chain_of_redirects() {
    let server = Script::site(|_| {
        thread::sleep(Duration::from_millis(60));
        b"HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n".to_vec()
    });
    timed_out(server.url("/"));
}

#[test]
fn the_timeout_holds_while_a_redirects_body_drips() {
    let head = "HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 50000\r\n\r\n";
    let server =
        Script::new().reply(head).drip_on("x", Duration::from_millis(5)).accept().request().serve();
    timed_out(server.url("/"));
}

#[test]
fn a_request_has_its_own_timeout() {
    let server = Script::new().request().serve();
    let started = Instant::now();
    let request = Request::get(server.url("/")).timeout(SHORT);
    assert_eq!(fetch(request).unwrap_err().kind(), ErrorKind::Timeout);
    assert!(soon(started));
}

#[test]
fn a_request_may_take_longer_than_its_session_says() {
    let gate = Gate::new();
    let server = Script::new().request().wait(&gate).send(OK).serve();
    let opener = thread::spawn(move || {
        thread::sleep(SHORT);
        gate.open();
    });
    let mut session = session(|config| config.timeout = Some(SHORT / 10));
    let request = Request::get(server.url("/")).timeout(PATIENCE);
    assert_eq!(session.request(request).unwrap().text(), "ok");
    opener.join().unwrap();
}

#[test]
fn the_clock_starts_anew_for_each_request() {
    let server = Script::site(|_| {
        thread::sleep(Duration::from_millis(100));
        ok("x")
    });
    let mut session = session(|config| config.timeout = Some(Duration::from_millis(1500)));
    for _ in 0..4 {
        assert_eq!(session.request(server.url("/")).unwrap().status(), 200);
    }
    let request = Request::get(server.url("/")).timeout(Duration::from_millis(10));
    assert_eq!(session.request(request).unwrap_err().kind(), ErrorKind::Timeout);
    assert_eq!(session.request(server.url("/")).unwrap().status(), 200);
}

#[test]
fn no_timeout_and_one_beyond_the_clock_are_no_limit() {
    let server = Script::site(|_| ok("x"));
    let mut endless = session(|config| {
        config.timeout = None;
        config.connect_timeout = None;
    });
    assert_eq!(endless.request(server.url("/")).unwrap().status(), 200);
    let mut longest = session(|config| {
        config.timeout = Some(Duration::MAX);
        config.connect_timeout = Some(Duration::MAX);
        config.idle_timeout = Duration::MAX;
    });
    for _ in 0..2 {
        let request = Request::get(server.url("/")).timeout(Duration::MAX);
        assert_eq!(longest.request(request).unwrap().status(), 200);
    }
    assert_eq!(server.connections(), 2);
}

#[test]
fn no_time_at_all_is_a_timeout_and_no_panic() {
    let server = Script::site(|_| ok("x"));
    for time in [Duration::ZERO, Duration::from_nanos(1)] {
        let request = Request::get(server.url("/")).timeout(time);
        assert_eq!(fetch(request).unwrap_err().kind(), ErrorKind::Timeout);
        let error = session(|config| config.timeout = Some(time)).request(server.url("/"));
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Timeout);
        let error = session(|config| config.connect_timeout = Some(time)).request(server.url("/"));
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Timeout);
    }
}

#[test]
fn the_connect_timeout_does_not_cover_the_answer() {
    let gate = Gate::new();
    let server = Script::new().request().wait(&gate).send(OK).serve();
    let opener = thread::spawn(move || {
        thread::sleep(Duration::from_millis(700));
        gate.open();
    });
    let mut session = session(|config| config.connect_timeout = Some(Duration::from_millis(500)));
    assert_eq!(session.request(server.url("/")).unwrap().text(), "ok");
    opener.join().unwrap();
}

/// That a large upload gets this answer at once, and that its connection is not used again.
fn answers_early(script: Script) {
    let server = script.accept().reply(OK).serve();
    let mut session = session(|config| config.timeout = Some(Duration::from_secs(3)));
    let started = Instant::now();
    let request = Request::post(server.url("/")).body(vec![b'x'; 32 << 20]);
    let response = session.request(request).unwrap();
    assert_eq!((response.status(), response.text().as_ref()), (413, "sorry"));
    assert!(soon(started));
    assert_eq!(session.request(server.url("/")).unwrap().text(), "ok");
    assert_eq!(server.connections(), 2, "half a request is no use to anybody");
}

const EARLY: &str = "HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 5\r\n\r\nsorry";

#[test]
fn an_early_error_before_a_reset_is_delivered() {
    answers_early(Script::new().request_head().send(EARLY).close());
}

#[test]
fn an_early_error_before_half_a_close_is_delivered() {
    answers_early(Script::new().request_head().send(EARLY).shutdown().deaf());
}

#[test]
fn an_early_error_of_a_server_that_reads_no_more_is_delivered() {
    answers_early(Script::new().request_head().send(EARLY).deaf());
}

#[test]
fn an_early_error_of_a_server_that_reads_on_is_delivered() {
    answers_early(Script::new().request_head().send(EARLY).shutdown());
}

#[test]
fn an_early_answer_that_promises_to_keep_the_connection_does_not_get_it_kept() {
    let early = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nearly";
    let server = Script::new().request_head().send(early).deaf().accept().reply(OK).serve();
    let mut session = session(|config| config.timeout = Some(Duration::from_secs(3)));
    let request = Request::post(server.url("/")).body(vec![b'x'; 32 << 20]);
    assert_eq!(session.request(request).unwrap().text(), "early");
    assert_eq!(session.request(server.url("/")).unwrap().text(), "ok");
    assert_eq!(server.connections(), 2);
}

#[test]
fn a_large_body_arrives_whole() {
    let server = Script::site(|request| ok(request.body()));
    let body: Vec<u8> = (0..5_000_000_u32).map(|n| (n % 251) as u8).collect();
    let mut session = session(|_| {});
    for _ in 0..2 {
        let response = session.request(Request::post(server.url("/")).body(body.clone())).unwrap();
        assert!(response.bytes() == body);
    }
    assert_eq!(server.connections(), 1);
}
