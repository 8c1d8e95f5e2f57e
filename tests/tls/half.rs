//! No TLS, or half of it.

use std::time::{Duration, Instant};

use fetchpool::{ErrorKind, Fault, Phase, Request, RetryPolicy, Session};
use rustls::version::{TLS12, TLS13};

use super::support::script::{PATIENCE, Script, ok};
use super::support::tls::{Ca, Then, TlsServer};
use super::{config, is_refused, trusting, trusting_config};

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
        assert_eq!(error.fault(), Fault::Network, "{error}");
    }
}

#[test]
fn a_handshake_that_is_cut_off_is_tried_again_whatever_the_method() {
    let cut = [
        Script::new().close(),
        Script::new().send("\x16").close(),
        Script::new().take(1).close(),
        Script::new().take(1).send("\x16\x03\x03\x40\x00").close(),
    ];
    for script in cut {
        let server = script.repeat().serve();
        let policy = RetryPolicy::new(1).backoff(Duration::ZERO, Duration::ZERO);
        let mut session = trusting(&Ca::new());
        for request in [Request::get as fn(String) -> Request, Request::post] {
            let request = request(server.url("/").replace("http", "https"));
            let error = session.request(request.retry(policy.clone())).unwrap_err();
            assert_eq!((error.kind(), error.fault()), (ErrorKind::Tls, Fault::Network), "{error}");
            assert_eq!(error.attempts().len(), 2, "{:?}", error.attempts());
        }
        assert_eq!(server.connections(), 4);
    }
}

#[test]
fn a_handshake_that_is_refused_is_final() {
    let untrusted = TlsServer::start(Ca::new().good());
    let alert = Script::new().take(1).send(b"\x15\x03\x03\x00\x02\x02\x28").repeat().serve();
    let plain = Script::new().take(1).send("HTTP/1.1 400 Bad\r\n\r\n").close().repeat().serve();
    for url in [untrusted.url("/"), alert.url("/"), plain.url("/")] {
        let request = Request::get(url.replace("http://", "https://")).retry(RetryPolicy::new(3));
        let error = trusting(&Ca::new()).request(request).unwrap_err();
        assert_eq!((error.kind(), error.fault()), (ErrorKind::Tls, Fault::Peer), "{error}");
        assert_eq!(error.attempts().len(), 1, "{error}");
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

#[test]
fn a_connection_that_is_cut_anywhere_gives_no_response() {
    let ca = Ca::new();
    for version in [&TLS12, &TLS13] {
        // The whole conversation, but for signatures of one length or another.
        let whole = TlsServer::of_versions(ca.good(), &[version], |_| Then::Keep.after(ok("ok")));
        assert_eq!(unresumed(&ca).request(whole.url("/")).unwrap().text(), "ok");
        assert!(whole.is_idle());
        let whole = whole.sent()[0];
        assert!(whole > 600, "{whole}");
        let ends = [0, 1, 4, 5, 6, 50, 100].into_iter().chain((150..whole - 60).step_by(60));
        for cut in ends.chain(whole - 30..whole - 15) {
            let server = TlsServer::cut_after(ca.good(), version, cut, Then::Cut);
            let error = unresumed(&ca).request(server.url("/")).unwrap_err();
            let kind = (error.kind(), error.phase());
            let possible = match error.phase() {
                Some(Phase::Tls) => error.is_tls(),
                _ => error.kind() == ErrorKind::Closed,
            };
            assert!(possible && error.fault() != Fault::Caller, "{cut} of {whole}: {kind:?}");
        }
    }
}

#[test]
fn silence_anywhere_in_the_handshake_is_a_timeout() {
    let ca = Ca::new();
    for version in [&TLS12, &TLS13] {
        for cut in [1, 5, 60, 130, 500] {
            let server = TlsServer::cut_after(ca.good(), version, cut, Then::Silence);
            let request = Request::get(server.url("/")).timeout(Duration::from_millis(100));
            let error = unresumed(&ca).request(request).unwrap_err();
            let kind = (error.kind(), error.phase());
            assert_eq!(kind, (ErrorKind::Timeout, Some(Phase::Tls)), "{cut}: {error}");
        }
    }
}

/// A session that shares no TLS configuration, and so no tickets, with those before it.
fn unresumed(ca: &Ca) -> Session {
    let config = config(|tls| {
        tls.add_root_pem(ca.pem()).add_root_pem(Ca::new().pem());
    });
    Session::new(config).expect("settings without a fault")
}

#[test]
fn a_handshake_without_an_end_is_an_error() {
    let records = |kind: u8, content: &[u8], count: usize| {
        let length = u16::try_from(content.len()).expect("a record").to_be_bytes();
        [&[kind, 3, 3][..], &length, content].concat().repeat(count)
    };
    // Each of them more than what a client may have to take.
    let hello_of_16_mib = records(22, b"\x02\xff\xff\xff", 1);
    for (what, bytes) in [
        ("one message", [hello_of_16_mib, records(22, &[0; 16_384], 64)].concat()),
        ("empty records", records(22, b"", 100_000)),
        ("changes of the cipher", records(20, b"\x01", 100_000)),
        ("warnings", records(21, b"\x01\x5a", 100_000)),
        ("requests to begin anew", records(22, b"\0\0\0\0", 100_000)),
        ("empty data", records(23, b"", 100_000)),
    ] {
        let server = Script::new().send(bytes).serve();
        let started = Instant::now();
        is_refused(trusting(&Ca::new()).request(server.url("/").replace("http", "https")));
        assert!(started.elapsed() < PATIENCE / 2, "{what}");
    }
}

#[test]
fn records_that_bring_nothing_do_not_hold_a_request_past_its_time() {
    let ca = Ca::new();
    for bytes in ["", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"] {
        // New keys, and new keys, and new keys.
        let server = TlsServer::answering(ca.good(), move |_| Then::Rekey.after(bytes));
        let request = Request::get(server.url("/")).timeout(Duration::from_millis(200));
        let started = Instant::now();
        let error = trusting(&ca).request(request).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Timeout | ErrorKind::Tls), "{error}");
        assert!(started.elapsed() < PATIENCE / 2);
    }
}

#[test]
fn what_is_put_in_between_is_an_error_and_never_data() {
    let ca = Ca::new();
    for (what, broken) in [
        ("data in the clear", &b"\x17\x03\x03\0\x05evil!"[..]),
        ("an alert in the clear", b"\x15\x03\x03\0\x02\x01\0"),
        ("no record at all", b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"),
        ("a record that is too large", b"\x17\x03\x03\xff\xff"),
    ] {
        for version in [&TLS12, &TLS13] {
            for bytes in [
                "",
                "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf",
                "HTTP/1.1 200 OK\r\n\r\nhalf",
            ] {
                let server = TlsServer::of_versions(ca.good(), &[version], move |_| {
                    Then::Break(broken).after(bytes)
                });
                let error = trusting(&ca).request(server.url("/")).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Tls, "{what}: {error}");
                // The head may come with it, and is then not believed either.
                let phases = [Some(Phase::Waiting), Some(Phase::Receiving)];
                assert!(phases.contains(&error.phase()), "{what}: {error}");
            }
        }
    }
}
