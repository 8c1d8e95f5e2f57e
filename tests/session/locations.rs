//! Where a `Location` leads (S2), however it is written, and what is made of one that leads nowhere.

use super::*;
use crate::support::script::{Recorded, ok, redirect, reply};
use fetchpool::{AddressPolicy, Fault, Phase, Pool};
use std::sync::Arc;

/// A session in which every name is this server's.
fn session_to(server: &Server, change: impl FnOnce(&mut SessionConfig)) -> Session {
    let address = server.address();
    session(|config| {
        config.resolver = Some(Arc::new(move |_: &str, _: u16| Ok(vec![address])));
        config.address_policy = AddressPolicy::custom(move |asked| *asked == address);
        change(config);
    })
}

/// The URL, without its fragment, that a request was sent to.
fn url_of(request: &Recorded) -> String {
    format!("http://{}{}", request.header("host").unwrap_or_default(), request.target())
}

/// A server that leads on once, by this head.
fn leads(head: impl AsRef<[u8]>) -> Server {
    let (head, ok) = (head.as_ref().to_vec(), ok("there"));
    Script::new().reply(head).reply(&ok).accept().reply(&ok).serve()
}

/// That a redirect by this head fails, and that nothing is asked for after it.
fn leads_nowhere(head: impl AsRef<[u8]>, kinds: &[ErrorKind]) -> Error {
    let server = leads(head.as_ref());
    let shown = String::from_utf8_lossy(head.as_ref()).into_owned();
    let error = session_to(&server, |_| {}).request("http://h.test/").expect_err(&shown);
    assert!(kinds.contains(&error.kind()), "{shown:?}: {error}");
    assert_eq!(error.fault(), Fault::Peer, "{shown:?}");
    assert_eq!((server.connections(), server.requests().len()), (1, 1), "{shown:?}");
    error
}

#[test]
fn a_location_is_resolved_as_browsers_resolve_it() {
    let from = "http://h.test/a/b;p/c?own=1#own";
    for (location, asked, shown) in [
        ("./x", "http://h.test/a/b;p/x", "http://h.test/a/b;p/x#own"),
        ("../x", "http://h.test/a/x", "http://h.test/a/x#own"),
        (".", "http://h.test/a/b;p/", "http://h.test/a/b;p/#own"),
        ("..", "http://h.test/a/", "http://h.test/a/#own"),
        ("../../../x", "http://h.test/x", "http://h.test/x#own"),
        ("%2e%2E/x", "http://h.test/a/x", "http://h.test/a/x#own"),
        ("..\\x", "http://h.test/a/x", "http://h.test/a/x#own"),
        ("?q", "http://h.test/a/b;p/c?q", "http://h.test/a/b;p/c?q#own"),
        ("?", "http://h.test/a/b;p/c?", "http://h.test/a/b;p/c?#own"),
        ("?q#new", "http://h.test/a/b;p/c?q", "http://h.test/a/b;p/c?q#new"),
        ("#new", "http://h.test/a/b;p/c?own=1", "http://h.test/a/b;p/c?own=1#new"),
        ("#", "http://h.test/a/b;p/c?own=1", "http://h.test/a/b;p/c?own=1#"),
        ("/x#", "http://h.test/x", "http://h.test/x#"),
        ("//o.test/x", "http://o.test/x", "http://o.test/x#own"),
        ("//o.test", "http://o.test/", "http://o.test/#own"),
        ("\\\\o.test\\x", "http://o.test/x", "http://o.test/x#own"),
        ("/\\o.test/x", "http://o.test/x", "http://o.test/x#own"),
        ("http://o.test", "http://o.test/", "http://o.test/#own"),
        ("HTTP://O.TEST/x", "http://o.test/x", "http://o.test/x#own"),
        ("http:///o.test/x", "http://o.test/x", "http://o.test/x#own"),
        ("http:x", "http://h.test/a/b;p/x", "http://h.test/a/b;p/x#own"),
        ("http:/x", "http://h.test/x", "http://h.test/x#own"),
        ("http://o.test:80/x", "http://o.test/x", "http://o.test/x#own"),
        ("http://o.test:81/x", "http://o.test:81/x", "http://o.test:81/x#own"),
        ("  /x \t", "http://h.test/x", "http://h.test/x#own"),
        ("/x y", "http://h.test/x%20y", "http://h.test/x%20y#own"),
        ("/a:b", "http://h.test/a:b", "http://h.test/a:b#own"),
        ("./a:b", "http://h.test/a/b;p/a:b", "http://h.test/a/b;p/a:b#own"),
        ("/%0d%0aX:%20y", "http://h.test/%0d%0aX:%20y", "http://h.test/%0d%0aX:%20y#own"),
        ("/x, /y", "http://h.test/x,%20/y", "http://h.test/x,%20/y#own"),
        ("/http://o.test/", "http://h.test/http://o.test/", "http://h.test/http://o.test/#own"),
        ("http://h.test@o.test/", "http://o.test/", "http://o.test/#own"),
        ("http://o.test#@h.test/", "http://o.test/", "http://o.test/#@h.test/"),
        ("http://o.test\\@h.test/", "http://o.test/@h.test/", "http://o.test/@h.test/#own"),
    ] {
        let server = leads(redirect(302, location));
        let response = session_to(&server, |_| {}).request(from).unwrap();
        assert_eq!(url_of(&server.requests()[1]), asked, "{location:?}");
        assert_eq!((response.text().as_ref(), response.url()), ("there", shown), "{location:?}");
    }
}

/// Bytes that are no UTF-8 are read as ISO-8859-1, as everywhere in a head, and go on as UTF-8.
#[test]
fn a_location_that_is_not_ascii_is_escaped() {
    for (location, asked) in [
        ("/\u{fc}?\u{fc}".as_bytes(), "http://h.test/%C3%BC?%C3%BC"),
        (b"/\xfc?\xfc", "http://h.test/%C3%BC?%C3%BC"),
        ("/\u{1f600}".as_bytes(), "http://h.test/%F0%9F%98%80"),
        ("http://b\u{fc}cher.test/".as_bytes(), "http://xn--bcher-kva.test/"),
        (b"http://b\xfccher.test/", "http://xn--bcher-kva.test/"),
        ("http://o\u{3002}test/".as_bytes(), "http://o.test/"),
        ("/\u{10d}\u{10a}X: y".as_bytes(), "http://h.test/%C4%8D%C4%8AX:%20y"),
    ] {
        let head = [b"HTTP/1.1 302 X\r\nLocation: ", location, b"\r\nContent-Length: 0\r\n\r\n"];
        let server = leads(head.concat());
        session_to(&server, |_| {}).request("http://h.test/").unwrap();
        assert_eq!(url_of(&server.requests()[1]), asked, "{location:?}");
    }
}

#[test]
fn a_location_with_a_control_byte_leads_nowhere() {
    for byte in (0..0x20_u8).chain([0x7f, 0x85, 0x9f]) {
        let location = [&b"HTTP/1.1 302 X\r\nLocation: /a"[..], &[byte], b"b\r\n"].concat();
        let head = [&location[..], b"Content-Length: 0\r\n\r\n"].concat();
        leads_nowhere(head, &[ErrorKind::Protocol, ErrorKind::Redirect]);
    }
    leads_nowhere(redirect(302, "/a\tb"), &[ErrorKind::Redirect]);
    leads_nowhere(redirect(302, "/a\u{85}b"), &[ErrorKind::Redirect]);
}

#[test]
fn a_location_to_what_is_no_host_leads_nowhere() {
    for location in [
        "http://",
        "//",
        "///o.test/x",
        "http://?q",
        "http://user@/",
        "http://xn--h-.test/",
        "http://o%2Ftest/",
        "http://o%00.test/",
        "http://o test/",
        "http://o.test:65536/",
        "http://o.test:x/",
        "//[::1%25lo]/",
        "//[::1",
        "http://256.0.0.1/",
        "ftp://o.test/",
        "wss://o.test/",
        "file:///etc/passwd",
        "data:,x",
        "about:blank",
        "view-source:http://o.test/",
        "javascript:alert(1)",
        "mailto:a@b",
    ] {
        let error = leads_nowhere(redirect(302, location), &[ErrorKind::Redirect]);
        assert_eq!(error.phase(), Some(Phase::Redirecting), "{location}");
        assert_eq!(error.url(), Some("http://h.test/"), "{location}");
    }
}

/// One and the same twice is a proxy's doing, and clear; of two that differ one is somebody else's.
#[test]
fn locations_that_differ_lead_nowhere_and_those_that_do_not_are_one() {
    let head = |fields: &str| reply("302 X", fields, "");
    for fields in ["Location: /x\r\nLocation: /x\r\n", "Location: /x\r\nX: y\r\nLOCATION:/x \r\n"] {
        let server = leads(head(fields));
        session_to(&server, |_| {}).request("http://h.test/").unwrap();
        assert_eq!(url_of(&server.requests()[1]), "http://h.test/x", "{fields:?}");
    }
    for fields in [
        "Location: /x\r\nLocation: /y\r\n",
        "Location: /x\r\nlocation: /X\r\n",
        "Location: /x\r\nLocation: /x\r\nLocation: /y\r\n",
        "Location: /x\r\nLocation:\r\n",
        "Location:\r\nLocation: /x\r\n",
    ] {
        leads_nowhere(head(fields), &[ErrorKind::Redirect]);
    }
    let server = leads(head("Location:\r\nLocation:\r\n"));
    let response = session_to(&server, |_| {}).request("http://h.test/").unwrap();
    assert_eq!((response.status(), server.requests().len()), (302, 1));
}

#[test]
fn a_long_location_is_followed_whole_and_one_beyond_the_head_limit_is_too_large() {
    let target = format!("/{}", "x".repeat(60_000));
    let server = leads(redirect(302, &target));
    let response = session_to(&server, |_| {}).request("http://h.test/").unwrap();
    assert!(server.requests()[1].target() == target && response.url().ends_with(&target));
    let server = leads(redirect(302, &format!("/{}", "x".repeat(64 << 10))));
    let error = session_to(&server, |_| {}).request("http://h.test/").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_password_in_a_location_is_not_told_however_long_it_is() {
    for length in [1, 150, 190, 250, 5_000] {
        let password = "hunter2".repeat(length);
        for start in ["ftp://user:", "http://user:", "//user:", "user:"] {
            let location = format!("{start}{password}@o.test:bad/");
            let error = leads_nowhere(redirect(302, &location), &[ErrorKind::Redirect]);
            let told = format!("{error} {error:?} {}", error.message());
            assert!(!told.contains("hunter2"), "{told}");
        }
    }
    let error = leads_nowhere(redirect(302, "ftp://o.test/\u{9b}31m"), &[ErrorKind::Redirect]);
    assert!(error.message().chars().all(|c| !c.is_control()), "{}", error.message());
}

#[test]
fn a_location_to_an_address_that_may_not_be_is_not_connected_to() {
    let inner = Script::new().serve();
    let port = inner.address().port();
    for host in ["127.0.0.1", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "0", "inner.test"] {
        let location = format!("http://{host}:{port}/");
        let outer = Script::new().reply(redirect(307, &location)).serve();
        let allowed = outer.address();
        let mut session = session(|config| {
            config.resolver = Some(Arc::new(|_: &str, port: u16| {
                Ok(vec![std::net::SocketAddr::from(([127, 0, 0, 1], port))])
            }));
            config.address_policy = AddressPolicy::custom(move |asked| *asked == allowed);
        });
        let error = session.request(Request::post(outer.url("/")).body("x")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Forbidden, "{host}: {error}");
        assert_eq!(error.phase(), Some(Phase::Connect), "{host}");
    }
    assert_eq!(inner.connections(), 0);
}

#[test]
fn a_redirect_adds_no_referer() {
    let server = leads(redirect(302, "http://o.test/?x"));
    session_to(&server, |_| {}).request("http://user:s3cret@h.test/?k=s3cret").unwrap();
    let there = server.requests().remove(1);
    assert_eq!(there.header("referer"), None);
    assert!(!there.head().contains("s3cret"), "{}", there.head());
}

#[test]
fn ten_redirects_are_followed_and_an_eleventh_is_not() {
    let chain = |request: &Recorded| match request.target()[1..].parse::<u32>() {
        Ok(0) | Err(_) => ok("there"),
        Ok(left) => redirect(301, &format!("/{}", left - 1)),
    };
    let server = Script::site(chain);
    assert_eq!(fetch(server.url("/10")).unwrap().history().len(), 10);
    let error = fetch(server.url("/11")).unwrap_err();
    assert_eq!((error.kind(), error.fault()), (ErrorKind::TooManyRedirects, Fault::Limit));
    assert!(error.message().contains("10"), "{}", error.message());
    assert_eq!(server.requests().len(), 11 + 11);
}

#[test]
fn a_loop_over_two_origins_is_too_many_redirects() {
    let server = Script::site(|request| match request.header("host").as_deref() {
        Some("h.test") => redirect(302, "http://o.test/"),
        _ => redirect(302, "http://h.test/"),
    });
    let error = session_to(&server, |_| {}).request("http://h.test/").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooManyRedirects);
    assert_eq!((server.requests().len(), server.connections()), (11, 2));
    let server = Script::site(|_| redirect(308, "#again"));
    let error = session_to(&server, |_| {}).request("http://h.test/").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooManyRedirects);
}

#[test]
fn redirects_that_are_off_are_off_in_a_pool_too() {
    let server = Script::site(|_| redirect(302, "/x"));
    let mut never = SessionConfig::new();
    never.allow_redirects = false;
    let request = Request::get(server.url("/"));
    let (responses, _) = Pool::builder().num_threads(1).session(never).map([request.clone()]);
    assert_eq!(responses.map(|response| response.status()).collect::<Vec<_>>(), [302]);
    let request = request.allow_redirects(false);
    let (responses, _) = Pool::builder().num_threads(1).map([request]);
    assert_eq!(responses.map(|response| response.status()).collect::<Vec<_>>(), [302]);
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn what_describes_a_dropped_body_is_dropped_wherever_it_was_set() {
    let server = Script::site(|request| match request.target().as_str() {
        "/" => redirect(303, "/there"),
        _ => ok("there"),
    });
    let mut session = session(|config| {
        config.header("Content-Language", "en").header("content-MD5", "x").header("X-Any", "y");
    });
    session.request(Request::post(server.url("/")).form([("a", "b")])).unwrap();
    let there = server.requests().remove(1);
    assert_eq!((there.method().as_str(), there.body()), ("GET", &b""[..]));
    assert!(!there.head().to_ascii_lowercase().contains("\r\ncontent-"), "{}", there.head());
    assert_eq!(there.headers("x-any"), ["y"]);
}
