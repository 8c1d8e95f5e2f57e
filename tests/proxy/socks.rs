//! SOCKS5 (RFC 1928) with user and password (RFC 1929).

use std::sync::Arc;

use fetchpool::{ErrorKind, Fault, Phase, Proxy};

use super::support::proxy::ProxyServer;
use super::support::script::{Script, ok};
use super::{config, session, through};

#[test]
fn socks5h_leaves_names_to_the_proxy_and_socks5_looks_them_up_here() {
    let origin = Script::site(|request| ok(request.target()));
    let port = origin.address().port();
    let proxy = ProxyServer::socks().start();
    for (scheme, asked) in [
        ("socks5h", format!("SOCKS3 origin.test:{port}")),
        ("socks5", format!("SOCKS1 192.0.2.7:{port}")),
    ] {
        let mut config = config(proxy.url(scheme));
        config.resolver = Some(Arc::new(move |host: &str, port: u16| {
            assert_eq!((scheme, host), ("socks5", "origin.test"));
            Ok(vec![([192, 0, 2, 7], port).into()])
        }));
        let url = format!("http://origin.test:{port}/x");
        let response = session(config).request(url).unwrap();
        assert_eq!(response.text(), "/x");
        assert_eq!(response.peer_addr(), Some(proxy.address()));
        assert_eq!(proxy.lines().pop().unwrap(), asked);
    }
    // In origin form: the proxy is none for HTTP.
    assert!(origin.lines().iter().all(|line| line == "GET /x HTTP/1.1"));
    assert_eq!(origin.requests()[0].header("host").unwrap(), format!("origin.test:{port}"));
}

#[test]
fn addresses_are_told_as_addresses_by_both() {
    // Not on loopback, so that the proxy takes them for its own.
    let origin = Script::site(|_| ok("x"));
    let port = origin.address().port();
    let proxy = ProxyServer::socks().start();
    for scheme in ["socks5", "socks5h"] {
        let mut session = through(proxy.url(scheme));
        for (host, asked) in
            [("192.0.2.1", "SOCKS1 192.0.2.1"), ("[2001:DB8::1]", "SOCKS4 [2001:db8::1]")]
        {
            session.request(format!("http://{host}:{port}/")).unwrap();
            assert_eq!(proxy.lines().pop().unwrap(), format!("{asked}:{port}"));
        }
    }
}

#[test]
fn user_and_password_are_told_where_they_are_asked_for() {
    let origin = Script::site(|_| ok("x"));
    let url = origin.url("/");
    let proxy = ProxyServer::socks().only_for("ada", "p:w").start();
    let with = Proxy::new(proxy.url("socks5")).basic_auth("ada", "p:w");
    through(with).request(&*url).unwrap();
    assert_eq!(proxy.requests()[0].header("credentials").unwrap(), "ada:p:w");
    assert!(origin.request().header("proxy-authorization").is_none());
    for (with, words) in [
        (Proxy::new(proxy.url("socks5h")), "there are no credentials"),
        (Proxy::new(proxy.url("socks5h")).basic_auth("ada", "hunter2"), "does not take"),
    ] {
        let error = through(with).request(&*url).unwrap_err();
        assert_eq!((error.kind(), error.phase()), (ErrorKind::Proxy, Some(Phase::Proxy)));
        assert_eq!(error.fault(), Fault::Peer);
        let shown = format!("{} {error:?}", error.message());
        assert!(shown.contains(words) && shown.contains(&proxy.url("socks5h")), "{shown}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }
    let open = ProxyServer::socks().start();
    let with = Proxy::new(open.url("socks5")).basic_auth("ada", "pw");
    through(with).request(&*url).unwrap();
    assert_eq!(open.requests()[0].header("credentials").unwrap(), "", "they were not wanted");
}

#[test]
fn a_name_of_more_than_255_bytes_cannot_be_told() {
    let proxy = ProxyServer::socks().start();
    let host =
        "x".repeat(63) + "." + &"y".repeat(63) + "." + &"z".repeat(63) + "." + &"w".repeat(70);
    let error = through(proxy.url("socks5h")).request(format!("http://{host}/")).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::InvalidRequest | ErrorKind::InvalidUrl), "{error}");
    assert!(proxy.lines().is_empty());
}

/// What comes of a request through a proxy that says this, after so many bytes.
fn ask(script: Script) -> (ErrorKind, Fault, String) {
    let proxy = script.serve();
    let url = proxy.origin().replace("http", "socks5h");
    let error = through(url.as_str()).request("http://origin.test/").unwrap_err();
    assert_eq!(error.phase(), Some(Phase::Proxy), "{error}");
    assert!(error.message().contains(&url), "{}", error.message());
    (error.kind(), error.fault(), error.message())
}

/// The lengths of the greeting and of the request for `origin.test`.
const GREETING: usize = 3;
const REQUEST: usize = 4 + 1 + 11 + 2;

#[test]
fn every_refusal_is_told_for_people_and_with_what_was_asked_for() {
    for (code, words) in [
        (1, "general failure"),
        (2, "rules do not allow"),
        (3, "network cannot be reached"),
        (4, "host cannot be reached"),
        (5, "connection was refused"),
        (6, "time to live"),
        (7, "cannot do this command"),
        (8, "cannot do this type of address"),
        (9, "no name"),
        (255, "SOCKS reply 255"),
    ] {
        let script = Script::new().skip(GREETING).send([5, 0]).skip(REQUEST).send([5, code, 0, 1]);
        let (kind, _, message) = ask(script.close());
        assert_eq!(kind, ErrorKind::Proxy);
        assert!(message.contains(words) && message.contains("origin.test:80"), "{message}");
    }
}

#[test]
fn what_is_no_socks_is_told_at_its_first_wrong_byte() {
    for (bytes, words) in [
        (&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], "is it an HTTP proxy?"),
        (b"\x04\x5a", "byte 0x04"),
        (b"\x05\x01", "not offered: 1"),
        (b"\x05\x02", "not offered: 2"),
        (b"\x05\xff", "no credentials"),
    ] {
        let (kind, fault, message) = ask(Script::new().skip(GREETING).send(bytes).deaf());
        assert_eq!((kind, fault), (ErrorKind::Proxy, Fault::Peer));
        assert!(message.contains(words), "{message}");
    }
    for (reply, words) in [
        (&b"\x04\x00\x00\x01"[..], "byte 0x04"),
        (b"\x05\x00\x01\x01\x00", "0x01 where RFC 1928 has 0x00"),
        (b"\x05\x00\x00\x02\x00", "unknown type of address: 2"),
    ] {
        let script = Script::new().skip(GREETING).send([5, 0]).skip(REQUEST).send(reply);
        let (_, fault, message) = ask(script.deaf());
        assert_eq!(fault, Fault::Peer);
        assert!(message.contains(words), "{message}");
    }
}

#[test]
fn a_proxy_that_closes_in_between_is_told_as_such() {
    for script in [
        Script::new().skip(GREETING).close(),
        Script::new().skip(GREETING).send([5]).close(),
        Script::new().skip(GREETING).send([5, 0]).skip(REQUEST).close(),
        Script::new().skip(GREETING).send([5, 0]).skip(REQUEST).send([5, 0, 0, 3, 9, 0]).close(),
    ] {
        let (kind, _, message) = ask(script);
        assert_eq!(kind, ErrorKind::Proxy);
        assert!(message.contains("closed"), "{message}");
    }
}

#[test]
fn a_reply_that_comes_byte_by_byte_is_read_to_its_end_and_no_further() {
    for bound in [
        &[1, 127, 0, 0, 1, 0, 80][..],
        &[4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 80],
        &[3, 2, b'a', b'b', 0, 80],
        &[3, 0, 0, 80],
    ] {
        let mut script = Script::new().skip(GREETING).send([5]).send([0]).skip(REQUEST);
        for byte in [&[5, 0, 0][..], bound].concat() {
            script = script.send([byte]);
        }
        let proxy = script.reply(ok("in")).serve();
        let url = proxy.origin().replace("http", "socks5h");
        let response = through(url).request("http://origin.test/").unwrap();
        assert_eq!(response.text(), "in");
        assert_eq!(proxy.request().line(), "GET / HTTP/1.1");
    }
}

#[test]
fn bytes_behind_the_reply_are_no_answer() {
    let behind = [&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0][..], &ok("evil")].concat();
    let script = Script::new().skip(GREETING).send([5, 0]).skip(REQUEST).send(behind).deaf();
    let proxy = script.serve();
    let url = proxy.origin().replace("http", "socks5h");
    let error = through(url).request("http://origin.test/").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol);
    assert!(error.message().contains("before the request was sent"), "{}", error.message());
}

#[test]
fn where_one_address_cannot_be_reached_the_next_is_asked_for() {
    let no = |code| Script::new().skip(GREETING).send([5, 0]).skip(10).send([5, code]).close();
    // Each at its own proxy, since scripts take one connection after the other.
    let script = no(3).accept().skip(GREETING).send([5, 0]).skip(10);
    let proxy = script.send([5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).reply(ok("second")).serve();
    let mut first = config(proxy.origin().replace("http", "socks5"));
    first.resolver = Some(Arc::new(|_: &str, port: u16| {
        Ok((1..=9).map(|n| ([192, 0, 2, n], port).into()).collect())
    }));
    assert_eq!(session(first.clone()).request("http://origin.test/").unwrap().text(), "second");
    // What is not the address's fault is not asked for again, and there is an end to it.
    for (code, connections) in [(2, 1), (1, 1), (4, 4)] {
        let proxy = no(code).repeat().serve();
        let mut config = first.clone();
        config.proxy(proxy.origin().replace("http", "socks5"));
        let error = session(config).request("http://origin.test/").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Proxy);
        assert!(error.message().contains(&format!("192.0.2.{connections}:80")), "{error}");
        assert_eq!(proxy.connections(), connections);
    }
}

#[cfg(feature = "tls")]
#[test]
fn https_goes_through_socks_with_the_targets_name_verified() {
    use crate::support::tls::{Ca, TlsServer};
    let ca = Ca::new();
    let server = TlsServer::start(ca.issue(&["origin.test"], |_| {}));
    let port = server.address().port();
    let proxy = ProxyServer::socks().start();
    let mut session = super::trusting(&ca, proxy.url("socks5h"));
    for reused in [false, true] {
        let response = session.request(format!("https://origin.test:{port}/x")).unwrap();
        assert_eq!((response.text().as_ref(), response.timings().reused), ("/x", reused));
    }
    let error = session.request(format!("https://other.test:{port}/")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Tls);
    assert!(error.message().contains("through the proxy"), "{}", error.message());
}
