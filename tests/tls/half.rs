//! No TLS, or half of it.

use std::time::{Duration, Instant};

use fetchpool::{ErrorKind, Fault, Phase, Request, Session};

use super::support::script::{PATIENCE, Script};
use super::support::tls::{Ca, Then, TlsServer};
use super::{is_refused, trusting, trusting_config};

#[test]
fn plain_http_on_the_port_of_a_tls_server_is_an_error_at_once() {
    let server = TlsServer::start(Ca::new().good());
    let started = Instant::now();
    let error = trusting(&Ca::new()).request(server.url("/").replace("https", "http")).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Protocol | ErrorKind::Closed), "{error}");
    assert!(started.elapsed() < PATIENCE / 2);
}

#[test]
fn tls_on_the_port_of_a_plain_server_is_an_error_at_once() {
    for answer in [&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], b"SSH-2.0-x\r\n", b"\0\0\0\0\0\0\0\0"]
    {
        // Not a request: what comes first is a ClientHello, and no end of file follows.
        let server = Script::new().send(answer).serve();
        let started = Instant::now();
        let url = server.url("/").replace("http", "https");
        is_refused(trusting(&Ca::new()).request(url));
        assert!(started.elapsed() < PATIENCE / 2);
    }
}

#[test]
fn a_handshake_that_is_cut_off_is_an_error() {
    for script in [Script::new().close(), Script::new().reset(), Script::new().send("\x16").close()]
    {
        let server = script.serve();
        let error = trusting(&Ca::new()).request(server.url("/").replace("http", "https"));
        let error = error.unwrap_err();
        assert_eq!(error.phase(), Some(Phase::Tls), "{error}");
        assert!(matches!(error.kind(), ErrorKind::Tls | ErrorKind::Closed), "{error}");
    }
}

#[test]
fn a_handshake_that_stalls_is_a_timeout_of_connecting() {
    let pause = Duration::from_millis(5);
    // Silence, and the start of a record that is dripped on.
    for script in
        [Script::new(), Script::new().send(b"\x16\x03\x03\x40\x00").drip_on([2, 0, 0, 1], pause)]
    {
        let server = script.serve();
        let mut config = trusting_config(&Ca::new());
        config.connect_timeout = Some(Duration::from_millis(200));
        let started = Instant::now();
        let error = Session::new(config).unwrap().request(server.url("/").replace("http", "https"));
        let error = error.unwrap_err();
        assert_eq!((error.kind(), error.fault()), (ErrorKind::Timeout, Fault::Limit), "{error}");
        assert_eq!(error.phase(), Some(Phase::Tls), "{error}");
        let took = started.elapsed();
        assert!(took >= Duration::from_millis(200) && took < PATIENCE / 2, "{took:?}");
    }
}

#[test]
fn the_requests_clock_covers_the_handshake_too() {
    let server = Script::new().serve();
    let request = Request::get(server.url("/").replace("http", "https"));
    let started = Instant::now();
    let request = request.timeout(Duration::from_millis(200));
    let error = trusting(&Ca::new()).request(request).unwrap_err();
    assert_eq!((error.kind(), error.phase()), (ErrorKind::Timeout, Some(Phase::Tls)));
    assert!(started.elapsed() < PATIENCE / 2);
}

#[test]
fn silence_within_tls_is_a_timeout() {
    let ca = Ca::new();
    for (bytes, phase) in [
        ("", Phase::Waiting),
        ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", Phase::Receiving),
        ("HTTP/1.1 200 OK\r\n\r\nhalf", Phase::Receiving),
    ] {
        let server = TlsServer::answering(ca.good(), move |_| Then::Silence.after(bytes));
        let request = Request::get(server.url("/")).timeout(Duration::from_millis(300));
        let error = trusting(&ca).request(request).unwrap_err();
        assert_eq!((error.kind(), error.phase()), (ErrorKind::Timeout, Some(phase)), "{bytes}");
    }
}
