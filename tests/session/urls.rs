//! What odd URLs ask for (S10): one parse feeds the look-up, the policy, the server's name and the
//! `Host` field. Written out here, not computed: what is to come of each can be read.

use super::injection::Raw;
use super::*;
use crate::support::script::{Recorded, ok};
use fetchpool::{AddressPolicy, Phase};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

/// The request line's target and the `Host` field of a request's bytes.
fn target_and_host(bytes: Vec<u8>) -> (String, String) {
    let request = Recorded { connection: 0, raw: bytes };
    assert_eq!(request.headers("host").len(), 1, "{}", request.head());
    (request.target(), request.header("host").unwrap_or_default())
}

/// Each of these URLs, whom the resolver is asked for, the `Host` field, and the target.
fn ask_for(urls: &[(&str, &str, u16, &str, &str)]) {
    let raw = Raw::new();
    for &(url, name, port, host, target) in urls {
        let request = Request::get(url);
        let (_, took) = raw.sent(&mut raw.session(), &request);
        assert_eq!(raw.asked(), [(name.to_owned(), port)], "{url:?}");
        assert_eq!(target_and_host(took), (target.to_owned(), host.to_owned()), "{url:?}");
    }
}

fn are_refused(urls: &[&str]) {
    let raw = Raw::new();
    let mut session = raw.session();
    for &url in urls {
        let error = session.request(url).map(|response| response.url().to_owned()).expect_err(url);
        assert_eq!(error.kind(), ErrorKind::InvalidUrl, "{url:?}: {error}");
        assert_eq!(error.phase(), Some(Phase::Setup), "{url:?}");
    }
    assert!(raw.asked().is_empty() && raw.took().is_empty());
}

#[test]
fn a_name_is_mapped_to_ascii_once_and_for_all() {
    ask_for(&[
        ("http://H.TEST/", "h.test", 80, "h.test", "/"),
        ("http://B\u{dc}CHER.test/", "xn--bcher-kva.test", 80, "xn--bcher-kva.test", "/"),
        ("http://XN--BCHER-KVA.test/", "xn--bcher-kva.test", 80, "xn--bcher-kva.test", "/"),
        ("http://fa\u{df}.test/", "xn--fa-hia.test", 80, "xn--fa-hia.test", "/"),
        ("http://h\u{3002}test/", "h.test", 80, "h.test", "/"),
        ("http://h\u{ff0e}test/", "h.test", 80, "h.test", "/"),
        ("http://h\u{ff61}test/", "h.test", 80, "h.test", "/"),
        ("http://\u{ff28}.test/", "h.test", 80, "h.test", "/"),
        ("http://h\u{ad}.test/", "h.test", 80, "h.test", "/"),
        ("http://%68.test/", "h.test", 80, "h.test", "/"),
        ("http://h%2Etest/", "h.test", 80, "h.test", "/"),
        ("http://%E2%98%83.test/", "xn--n3h.test", 80, "xn--n3h.test", "/"),
        ("http://h_t.test/", "h_t.test", 80, "h_t.test", "/"),
    ]);
}

/// The third and fourth are RUSTSEC-2024-0421: punycode for what is ASCII already.
#[test]
fn a_name_that_is_none_is_refused() {
    are_refused(&[
        "http://xn--/",
        "http://xn--\u{fc}.test/",
        "http://xn--example-.test/",
        "http://xn--h-.test/",
        "http://xn--99999999999.test/",
        "http://xn--u-ccb.test/",
        "http://\u{ad}/",
        "http://%FF.test/",
        "http://h%2Ftest/",
        "http://h%00.test/",
        "http://h%40evil.test/",
        "http://h%3A80.test/",
        "http://h%23.test/",
        "http://h%0d%0aX:y.test/",
        "http://h%25.test/",
        "http://h\u{ff0f}evil.test/",
        "http://h\u{ff20}evil.test/",
        "http://h .test/",
        "http://h^.test/",
        "http://h|.test/",
        "http://<h>.test/",
        "http://h[.test/",
        "http://h\0.test/",
        "http://h\t.test/",
        "http://h\n.test/",
        "ht\ttp://h.test/",
        "http://h.test/\r\n",
        "http://",
        "http:///",
        "http://?q",
        "http://#f",
        "http://user@/",
        "http://:80/",
        "",
        " ",
        "//h.test/",
        "h.test",
        "h.test:80",
        "/p",
        "?q",
        "#f",
        "ftp://h.test/",
        "ws://h.test/",
        "file:///etc/passwd",
        "file://h.test/p",
        "data:,x",
        "javascript:alert(1)",
        "blob:http://h.test/x",
    ]);
}

#[test]
fn a_final_dot_stays_and_makes_another_name() {
    ask_for(&[
        ("http://h.test./", "h.test.", 80, "h.test.", "/"),
        ("http://h.test.:81/", "h.test.", 81, "h.test.:81", "/"),
        ("http://H.TEST\u{3002}/", "h.test.", 80, "h.test.", "/"),
    ]);
}

#[test]
fn a_port_is_sent_unless_it_is_the_schemes_own() {
    ask_for(&[
        ("http://h.test:80/", "h.test", 80, "h.test", "/"),
        ("http://h.test:0080/", "h.test", 80, "h.test", "/"),
        ("http://h.test:/", "h.test", 80, "h.test", "/"),
        ("http://h.test:443/", "h.test", 443, "h.test:443", "/"),
        ("http://h.test:0/", "h.test", 0, "h.test:0", "/"),
        ("http://h.test:1/", "h.test", 1, "h.test:1", "/"),
        ("http://h.test:65535/", "h.test", 65535, "h.test:65535", "/"),
    ]);
    are_refused(&[
        "http://h.test:65536/",
        "http://h.test:4294967376/",
        "http://h.test:-1/",
        "http://h.test:+80/",
        "http://h.test:8 0/",
        "http://h.test:0x50/",
        "http://h.test:80a/",
        "http://h.test:\u{ff18}\u{ff10}/",
        "http://h.test:80:80/",
        "http://h.test:%38%30/",
    ]);
}

#[test]
fn slashes_and_spaces_are_taken_as_browsers_take_them() {
    ask_for(&[
        ("http:h.test", "h.test", 80, "h.test", "/"),
        ("http:/h.test/p", "h.test", 80, "h.test", "/p"),
        ("http:///h.test/p", "h.test", 80, "h.test", "/p"),
        ("http:\\\\h.test\\p", "h.test", 80, "h.test", "/p"),
        ("HTTP://h.test/", "h.test", 80, "h.test", "/"),
        ("  http://h.test/p  ", "h.test", 80, "h.test", "/p"),
    ]);
}

/// CVE-2016-8624, CVE-2022-27780 and CVE-2022-35949 among them: each of these has sent some client
/// to the other host.
#[test]
fn what_only_looks_like_a_host_is_not_asked_for() {
    ask_for(&[
        ("http://h.test\\@evil.test/", "h.test", 80, "h.test", "/@evil.test/"),
        ("http://h.test#@evil.test/", "h.test", 80, "h.test", "/"),
        ("http://h.test?@evil.test/", "h.test", 80, "h.test", "/?@evil.test/"),
        ("http://h.test/@evil.test/", "h.test", 80, "h.test", "/@evil.test/"),
        ("http://evil.test@h.test/", "h.test", 80, "h.test", "/"),
        ("http://evil.test:80@h.test/", "h.test", 80, "h.test", "/"),
        ("http://a@evil.test@h.test/", "h.test", 80, "h.test", "/"),
        ("http://evil.test%2F@h.test/", "h.test", 80, "h.test", "/"),
        ("http://h.test//evil.test/", "h.test", 80, "h.test", "//evil.test/"),
        ("http://h.test/http://evil.test/", "h.test", 80, "h.test", "/http://evil.test/"),
        ("http://h.test/\\evil.test/", "h.test", 80, "h.test", "//evil.test/"),
        ("http://h.test/?http://evil.test/", "h.test", 80, "h.test", "/?http://evil.test/"),
    ]);
}

#[test]
fn a_path_is_never_empty_and_a_fragment_never_sent() {
    ask_for(&[
        ("http://h.test", "h.test", 80, "h.test", "/"),
        ("http://h.test?q", "h.test", 80, "h.test", "/?q"),
        ("http://h.test?", "h.test", 80, "h.test", "/?"),
        ("http://h.test#f", "h.test", 80, "h.test", "/"),
        ("http://h.test/#f?q", "h.test", 80, "h.test", "/"),
        ("http://h.test/?q#f", "h.test", 80, "h.test", "/?q"),
        ("http://h.test/?q?r", "h.test", 80, "h.test", "/?q?r"),
    ]);
}

#[test]
fn dot_segments_are_gone_before_anything_is_sent() {
    ask_for(&[
        ("http://h.test/a/./b/../c", "h.test", 80, "h.test", "/a/c"),
        ("http://h.test/../../x", "h.test", 80, "h.test", "/x"),
        ("http://h.test/a/%2e/%2E%2e/x", "h.test", 80, "h.test", "/x"),
        ("http://h.test/a/.%2e/x", "h.test", 80, "h.test", "/x"),
        ("http://h.test/a\\..\\x", "h.test", 80, "h.test", "/x"),
        ("http://h.test/a/..%2fx", "h.test", 80, "h.test", "/a/..%2fx"),
        ("http://h.test/a/..;/x", "h.test", 80, "h.test", "/a/..;/x"),
        ("http://h.test/...", "h.test", 80, "h.test", "/..."),
        ("http://h.test/?a/../b", "h.test", 80, "h.test", "/?a/../b"),
        ("http://h.test//a///b//", "h.test", 80, "h.test", "//a///b//"),
    ]);
}

#[test]
fn escapes_are_left_as_they_are_and_made_only_where_they_must_be() {
    ask_for(&[
        ("http://h.test/%ff%FE%2f%2F?%fF%00", "h.test", 80, "h.test", "/%ff%FE%2f%2F?%fF%00"),
        ("http://h.test/%zz%?%", "h.test", 80, "h.test", "/%zz%?%"),
        ("http://h.test/%41%7e", "h.test", 80, "h.test", "/%41%7e"),
        ("http://h.test/a b\"<>`", "h.test", 80, "h.test", "/a%20b%22%3C%3E%60"),
        ("http://h.test/{}", "h.test", 80, "h.test", "/%7B%7D"),
        ("http://h.test/[]|'", "h.test", 80, "h.test", "/[]|'"),
        ("http://h.test/?a b\"<>'", "h.test", 80, "h.test", "/?a%20b%22%3C%3E%27"),
        ("http://h.test/?[]|^`{}\\", "h.test", 80, "h.test", "/?[]|^`{}\\"),
        ("http://h.test/\u{fc}?\u{fc}#\u{fc}", "h.test", 80, "h.test", "/%C3%BC?%C3%BC"),
        ("http://h.test/\u{1f600}", "h.test", 80, "h.test", "/%F0%9F%98%80"),
        ("http://h.test/%0d%0aX:%20y", "h.test", 80, "h.test", "/%0d%0aX:%20y"),
    ]);
}

/// Nothing is cut off, and nothing refused: how long a URL may be is the server's affair.
#[test]
fn a_long_url_is_sent_whole() {
    let raw = Raw::new();
    let mut session = raw.session();
    for (start, length) in [("/", 64 << 10), ("/?q=", 64 << 10), ("/", 1 << 20)] {
        let target = format!("{start}{}", "x".repeat(length));
        let request = Request::get(format!("http://h.test{target}"));
        let (_, took) = raw.sent(&mut session, &request);
        let expected = format!("GET {target} HTTP/1.1\r\nHost: h.test\r\n\r\n");
        assert!(took == expected.as_bytes(), "{start} {length}: {} bytes came", took.len());
    }
}

#[test]
fn an_address_in_any_spelling_is_one_address_and_is_never_looked_up() {
    let server = Script::site(|request| ok(request.target()));
    let (address, port) = (server.address(), server.address().port());
    let mut session = session(|config| {
        config.resolver = Some(Arc::new(|host: &str, _: u16| panic!("looked {host} up")));
        config.address_policy = AddressPolicy::custom(move |asked| *asked == address);
    });
    for host in [
        "127.0.0.1",
        "127.1",
        "127.0.1",
        "0x7f.1",
        "0x7F.0x0.0x0.0x1",
        "0x7f000001",
        "2130706433",
        "017700000001",
        "0177.0.0.01",
        "127.0.0.1.",
        "%31%32%37.0.0.1",
        "\u{ff11}\u{ff12}\u{ff17}.0.0.1",
        "127\u{3002}0\u{3002}0\u{3002}1",
    ] {
        let response = session.request(format!("http://{host}:{port}/p")).unwrap();
        assert_eq!(response.url(), server.url("/p"), "{host}");
    }
    assert_eq!(server.connections(), 1, "one origin");
    for request in server.requests() {
        assert_eq!(request.headers("host"), [address.to_string()]);
    }
}

#[test]
fn an_address_of_the_newer_kind_is_connected_to_as_it_is_written() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let mut session = session(|config| {
        let asked = Arc::clone(&asked);
        config.resolver = Some(Arc::new(|host: &str, _: u16| panic!("looked {host} up")));
        config.address_policy = AddressPolicy::custom(move |address| {
            asked.lock().unwrap().push(*address);
            false
        });
    });
    for (url, address, shown) in [
        ("http://[::1]/", "[::1]:80", "http://[::1]/"),
        ("http://[0:0::0001]:81/", "[::1]:81", "http://[::1]:81/"),
        ("http://[::FFFF:127.0.0.1]/", "[::ffff:127.0.0.1]:80", "http://[::ffff:7f00:1]/"),
        ("http://[2001:DB8::A]:8080/", "[2001:db8::a]:8080", "http://[2001:db8::a]:8080/"),
        ("http://user:pw@[::1]:80/", "[::1]:80", "http://[::1]/"),
    ] {
        let error = session.request(url).unwrap_err();
        assert_eq!((error.kind(), error.url()), (ErrorKind::Forbidden, Some(shown)), "{url}");
        let address: SocketAddr = address.parse().unwrap();
        assert_eq!(std::mem::take(&mut *asked.lock().unwrap()), [address], "{url}");
    }
}

#[test]
fn an_address_that_is_none_is_refused() {
    are_refused(&[
        "http://256.0.0.1/",
        "http://1.2.3.4.5/",
        "http://1.2.3.256/",
        "http://0x100000000/",
        "http://4294967296/",
        "http://09.0.0.1/",
        "http://1..1/",
        "http://h.1/",
        "http://[::1/",
        "http://::1/",
        "http://[]/",
        "http://[127.0.0.1]/",
        "http://[h.test]/",
        "http://[::g]/",
        "http://[1:2:3:4:5:6:7:8:9]/",
        "http://[::1]x/",
        "http://x[::1]/",
        // A zone means something on one machine only, and hosts with one have passed for others.
        "http://[fe80::1%25eth0]/",
        "http://[fe80::1%eth0]/",
        "http://[::1%lo]/",
        "http://[::1%25]/",
    ]);
}

#[cfg(feature = "tls")]
mod over_tls {
    use super::*;
    use crate::support::tls::{Ca, TlsServer};

    fn careless(server: &TlsServer) -> Session {
        let address = server.address();
        session(|config| {
            config.tls.danger_accept_invalid_certs(true);
            config.resolver = Some(Arc::new(move |_: &str, _: u16| Ok(vec![address])));
            config.address_policy = AddressPolicy::custom(move |asked| *asked == address);
        })
    }

    /// RFC 6066 §3: a name in lower case ASCII, without its final dot, and never an address.
    #[test]
    fn the_name_in_the_handshake_is_the_one_in_the_url() {
        let server = TlsServer::start(Ca::new().good());
        let port = server.address().port();
        for (host, name, field) in [
            ("h.test", Some("h.test"), "h.test"),
            ("H.TEST", Some("h.test"), "h.test"),
            ("h.test.", Some("h.test"), "h.test."),
            ("b\u{fc}cher.test", Some("xn--bcher-kva.test"), "xn--bcher-kva.test"),
            ("h%2Etest", Some("h.test"), "h.test"),
            ("evil.test@h.test", Some("h.test"), "h.test"),
            ("127.0.0.1", None, "127.0.0.1"),
            ("0x7f.1", None, "127.0.0.1"),
        ] {
            careless(&server).request(format!("https://{host}:{port}/")).unwrap();
            assert_eq!(server.names().last().unwrap().as_deref(), name, "{host}");
            let request = server.requests().pop().unwrap();
            assert_eq!(request.headers("host"), [format!("{field}:{port}")], "{host}");
        }
    }

    #[test]
    fn the_port_of_https_is_sent_unless_it_is_its_own() {
        let server = TlsServer::start(Ca::new().good());
        for (authority, field) in
            [("h.test", "h.test"), ("h.test:443", "h.test"), ("h.test:80", "h.test:80")]
        {
            careless(&server).request(format!("https://{authority}/")).unwrap();
            assert_eq!(server.requests().pop().unwrap().headers("host"), [field], "{authority}");
        }
    }

    /// A host that can stand in a URL and in no certificate is told so before a handshake.
    #[test]
    fn every_byte_in_a_host_shows_the_same_in_the_handshake() {
        let server = TlsServer::start(Ca::new().good());
        let (mut shown, mut told) = (0, 0);
        // A handshake takes its time, and letters are much alike.
        let pieces = injection::pieces().enumerate().filter(|(n, _)| *n < 128 || n % 8 == 0);
        for url in pieces.map(|(_, piece)| format!("https://ho{piece}st.test/")) {
            let parsed = url::Url::parse(&url).ok().filter(|_| !url.contains(char::is_control));
            let Some(host) = parsed.as_ref().and_then(|url| url.host_str()) else { continue };
            let before = server.names().len();
            match careless(&server).request(&url) {
                Ok(_) => {
                    shown += 1;
                    assert_eq!(server.names().pop().unwrap().as_deref(), Some(host), "{url:?}");
                    let request = server.requests().pop().unwrap();
                    assert_eq!(request.headers("host"), [host], "{url:?}");
                }
                Err(error) => {
                    told += 1;
                    assert_eq!(error.kind(), ErrorKind::Tls, "{url:?}: {error}");
                    assert_eq!(server.names().len(), before, "{url:?}");
                    let is_name = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
                    assert!(!host.bytes().all(is_name), "{url:?}: {error}");
                }
            }
        }
        assert!(shown > 50 && told > 5, "{shown} were shown and {told} refused");
    }
}
