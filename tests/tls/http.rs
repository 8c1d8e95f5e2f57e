//! HTTP over TLS.

use std::time::{Duration, Instant};

use fetchpool::{ErrorKind, Phase, Request, Session};

use super::support::script::{PATIENCE, Script, ok, redirect, reply};
use super::support::tls::{Ca, Then, TlsServer};
use super::{is_refused, trusting, trusting_config};

#[test]
fn large_bodies_are_whole_in_both_directions() {
    let ca = Ca::new();
    let server = TlsServer::answering(ca.good(), |request| Then::Keep.after(ok(request.body())));
    let body: Vec<u8> = (0..2_000_000_u32).map(|n| (n % 251) as u8).collect();
    let mut session = trusting(&ca);
    for _ in 0..2 {
        let response = session.request(Request::post(server.url("/")).body(body.clone())).unwrap();
        assert!(response.bytes() == body);
    }
    assert_eq!(server.connections(), 1);
}

/// That a large upload is answered at once by a server that does not read it.
fn answers_early(then: Then) {
    let early = "HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 5\r\n\r\nsorry";
    let ca = Ca::new();
    let server = TlsServer::answering_early(ca.good(), move |_| then.after(early));
    let started = Instant::now();
    let request = Request::post(server.url("/")).body(vec![b'x'; 16 << 20]);
    let request = request.timeout(Duration::from_secs(3));
    let response = trusting(&ca).request(request).expect("the early answer");
    assert_eq!((response.status(), response.text().as_ref()), (413, "sorry"));
    assert!(started.elapsed() < PATIENCE / 2);
}

#[test]
fn an_early_error_before_a_reset_is_delivered() {
    answers_early(Then::Cut);
}

#[test]
fn an_early_error_of_a_server_that_reads_no_more_is_delivered() {
    answers_early(Then::Silence);
}

#[test]
fn the_timeout_holds_against_a_server_that_never_reads() {
    let ca = Ca::new();
    let server = TlsServer::answering_early(ca.good(), |_| Then::Silence.after(""));
    let request = Request::post(server.url("/")).body(vec![b'x'; 16 << 20]);
    let started = Instant::now();
    let request = request.timeout(Duration::from_millis(300));
    let error = trusting(&ca).request(request).unwrap_err();
    assert_eq!((error.kind(), error.phase()), (ErrorKind::Timeout, Some(Phase::Sending)));
    assert!(started.elapsed() < PATIENCE / 2);
}

#[test]
fn a_step_down_to_plain_http_drops_the_credentials() {
    let ca = Ca::new();
    let plain = Script::site(|_| ok("plain"));
    let location = plain.url("/");
    let server =
        TlsServer::answering(ca.good(), move |_| Then::Keep.after(redirect(302, &location)));
    let request = Request::get(server.url("/")).bearer_auth("s3cret").header("COOKIE", "a=s3cret");
    let response = trusting(&ca).request(request).unwrap();
    assert_eq!((response.text().as_ref(), response.history().len()), ("plain", 1));
    assert!(server.requests()[0].header("authorization").is_some());
    let there = plain.request();
    assert_eq!((there.header("authorization"), there.header("cookie")), (None, None));
}

#[test]
fn a_step_up_to_tls_drops_them_too_and_verifies() {
    let ca = Ca::new();
    let server = TlsServer::start(ca.good());
    let plain = Script::new().reply(redirect(301, &server.url("/x"))).repeat().serve();
    let request = Request::get(plain.url("/")).basic_auth("u", "p");
    assert_eq!(trusting(&ca).request(request).unwrap().text(), "/x");
    assert_eq!(server.requests()[0].header("authorization"), None);
    is_refused(trusting(&Ca::new()).request(plain.url("/")));
}

#[test]
fn auth_that_is_bound_to_https_does_not_go_over_http() {
    let ca = Ca::new();
    let plain = Script::new().reply(reply("200 OK", "", "")).serve();
    let mut config = trusting_config(&ca);
    let origin = plain.origin().replace("http", "https");
    config.auth(fetchpool::Auth::bearer("s3cret").for_origin(origin));
    Session::new(config).unwrap().request(plain.url("/")).unwrap();
    assert_eq!(plain.request().header("authorization"), None);
}
