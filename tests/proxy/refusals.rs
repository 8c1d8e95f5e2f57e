//! Proxies that refuse, and proxies that do not do what proxies do.

use std::time::Instant;

use fetchpool::{Error, ErrorKind, Fault, Phase, Session};

use super::support::script::{Script, reply};
use super::{config, session, through};

/// What comes of a CONNECT to a proxy with this script.
fn ask(script: Script) -> (Error, Vec<String>) {
    let proxy = script.serve();
    let error = through(proxy.origin()).request("https://origin.test/page").unwrap_err();
    assert!(error.message().contains(&proxy.origin()), "{}", error.message());
    assert_eq!(error.url(), Some("https://origin.test/page"));
    (error, proxy.lines())
}

#[test]
fn every_refusal_of_connect_has_the_proxys_status_and_body() {
    for status in [
        "300 Many",
        "302 Found",
        "307 There",
        "400 Bad",
        "403 No",
        "404 Not",
        "407 Who",
        "429 Slow",
        "500 Ouch",
        "502 Bad Gateway",
        "503 Later",
        "504 Never",
        "999 ?",
    ] {
        let fields = "Location: http://evil.test/\r\nX-Why: squid\r\n";
        let (error, lines) = ask(Script::new().reply(reply(status, fields, "because")));
        assert_eq!(
            (error.kind(), error.phase()),
            (ErrorKind::Proxy, Some(Phase::Proxy)),
            "{error}"
        );
        assert_eq!(error.fault(), Fault::Peer);
        let answer = error.response().expect("the proxy's answer");
        assert_eq!(answer.status().to_string(), status[..3]);
        assert_eq!((answer.text().as_ref(), answer.header("x-why")), ("because", Some("squid")));
        assert_eq!(lines, ["CONNECT origin.test:443 HTTP/1.1"], "a redirect is not followed");
        let message = error.message();
        assert!(
            message.contains("a tunnel to origin.test:443") && message.contains(status),
            "{message}"
        );
    }
}

#[test]
fn a_refusal_is_told_however_its_body_comes_or_breaks_off() {
    let head = "HTTP/1.1 403 Forbidden\r\n";
    for (rest, body) in [
        ("Content-Length: 3\r\n\r\nnot", "not"),
        ("Transfer-Encoding: chunked\r\n\r\n2\r\nno\r\n1\r\nt\r\n0\r\n\r\n", "not"),
        ("\r\nuntil the close", "until the close"),
        ("Content-Length: 9\r\n\r\nhalf", "half"),
        ("Transfer-Encoding: chunked\r\n\r\n2\r\nnoXX", "no"),
        ("Content-Length: 0\r\n\r\n", ""),
        ("Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\nab", "ab"),
    ] {
        let (error, _) = ask(Script::new().reply(format!("{head}{rest}")).close());
        let answer = error.response().expect("the proxy's answer");
        assert_eq!((answer.status(), answer.text().as_ref()), (403, body), "{rest:?}");
    }
}

#[test]
fn of_an_endless_refusal_64_kib_are_kept() {
    let long = "x".repeat(1 << 20);
    let (error, _) = ask(Script::new().reply(reply("403 No", "", &long)));
    assert_eq!(error.response().unwrap().bytes().len(), 64 << 10);
    let proxy = Script::new().reply(reply("403 No", "", &long)).serve();
    let mut config = config(proxy.origin());
    config.limits.body_bytes = 10;
    let error = session(config).request("https://origin.test/").unwrap_err();
    assert_eq!(error.response().unwrap().bytes().len(), 10);
}

#[test]
fn the_body_of_a_refusal_is_not_waited_for_long() {
    let script = Script::new().reply("HTTP/1.1 403 No\r\nContent-Length: 9\r\n\r\nhalf").deaf();
    let started = Instant::now();
    let (error, _) = ask(script);
    assert_eq!(error.response().unwrap().text(), "half");
    assert!(started.elapsed() < super::support::script::PATIENCE / 2);
}

#[test]
fn what_is_no_answer_to_connect_is_told_as_the_proxys_fault() {
    let long = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(70_000));
    let many = "HTTP/1.1 100 Go on\r\n\r\n".repeat(17);
    for (bytes, kind, fault, words) in [
        ("", ErrorKind::Proxy, Fault::Network, "closed without a response"),
        ("HTTP/1.1 200 O", ErrorKind::Proxy, Fault::Network, "closed within"),
        ("SSH-2.0-OpenSSH\r\n", ErrorKind::Proxy, Fault::Peer, "SSH-2.0"),
        ("\x05\x00", ErrorKind::Proxy, Fault::Peer, "expected \"HTTP/1.\""),
        ("\x15\x03\x01\x00\x02\x02\x46", ErrorKind::Proxy, Fault::Peer, "\\x15\\x03"),
        ("HTTP/1.1 200 OK\r\nA : b\r\n\r\n", ErrorKind::Proxy, Fault::Peer, "header field"),
        ("HTTP/1.1 101 Switch\r\n\r\n", ErrorKind::Proxy, Fault::Peer, "101"),
        (&long, ErrorKind::TooLarge, Fault::Limit, "head_bytes"),
        (&many, ErrorKind::TooLarge, Fault::Limit, "interim_responses"),
    ] {
        let (error, _) = ask(Script::new().reply(bytes).close());
        assert_eq!((error.kind(), error.phase()), (kind, Some(Phase::Proxy)), "{bytes:?}: {error}");
        assert_eq!(error.fault(), fault, "{bytes:?}: {error}");
        assert!(error.message().contains(words), "{bytes:?}: {}", error.message());
    }
}

#[test]
fn bytes_behind_the_answer_to_connect_are_an_error_and_no_word_of_the_targets() {
    for behind in ["x", "HTTP/1.1 200 OK\r\n\r\n", "\x16\x03\x03"] {
        let answer = format!("HTTP/1.1 200 OK\r\n\r\n{behind}");
        let (error, _) = ask(Script::new().reply(answer));
        assert_eq!((error.kind(), error.phase()), (ErrorKind::Proxy, Some(Phase::Proxy)));
        assert!(error.message().contains("behind the answer"), "{}", error.message());
    }
}

#[test]
fn a_proxy_that_speaks_before_it_is_asked_is_refused() {
    use super::support::script::Gate;
    let sent = Gate::new();
    let proxy = Script::new().send("HTTP/1.1 200 OK\r\n\r\n").open(&sent).deaf().serve();
    let mut config = config(proxy.origin());
    let observer = Waits(sent);
    config.observer = Some(std::sync::Arc::new(observer));
    let error = session(config).request("https://origin.test/").unwrap_err();
    assert_eq!((error.kind(), error.phase()), (ErrorKind::Proxy, Some(Phase::Proxy)));
    assert!(error.message().contains("before the request was sent"), "{}", error.message());
}

/// Waits, when there is a connection, until the proxy has spoken.
struct Waits(super::support::script::Gate);

impl fetchpool::Observer for Waits {
    fn connected(
        &self,
        _: &fetchpool::Observed<'_>,
        _: std::net::SocketAddr,
        _: std::time::Duration,
    ) {
        assert!(self.0.wait());
    }
}

#[test]
fn a_proxy_that_resets_the_connection_is_told_as_such() {
    let (error, _) = ask(Script::new().request_but_one_byte().close());
    assert_eq!((error.kind(), error.phase()), (ErrorKind::Proxy, Some(Phase::Proxy)));
    assert_eq!(error.fault(), Fault::Network);
}

#[test]
fn a_tunnel_that_leads_nowhere_is_told_with_the_proxy() {
    let proxy = Script::new().reply("HTTP/1.1 200 OK\r\n\r\n").close().serve();
    let error = through(proxy.origin()).request("https://origin.test/").unwrap_err();
    assert_eq!((error.kind(), error.phase()), (ErrorKind::Tls, Some(Phase::Tls)));
    let message = error.message();
    assert!(message.contains(&format!("through the proxy {}", proxy.origin())), "{message}");
    let proxy = Script::new()
        .reply("HTTP/1.1 200 OK\r\n\r\n")
        .skip(1)
        .send("HTTP/1.1 400 Bad\r\n\r\n")
        .serve();
    let error = through(proxy.origin()).request("https://origin.test/").unwrap_err();
    assert!(error.message().contains("that is plain http"), "{}", error.message());
}

#[test]
fn bytes_of_a_proxy_are_escaped_and_its_secrets_are_not_shown() {
    let proxy = Script::new().reply("Set-Cookie: id=hunter2\x1b[31m\r\n\r\n").serve();
    let mut session: Session = through(proxy.origin());
    let error = session.request("http://origin.test/").unwrap_err();
    let shown = format!("{error} {error:?} {}", error.message());
    assert!(!shown.contains("hunter2") && !shown.contains('\x1b'), "{shown}");
}
