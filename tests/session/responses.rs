//! What a response tells.

use super::*;
use crate::support::script::{Gate, redirect, reply};
#[cfg(feature = "json")]
use fetchpool::Phase;
use fetchpool::{Fault, Headers, Observed, Observer};
use std::sync::Arc;

#[test]
fn the_status_and_the_reason_are_the_servers() {
    for (line, status, reason) in [
        ("HTTP/1.1 200 OK", 200, "OK"),
        ("HTTP/1.1 404 Not Quite Found", 404, "Not Quite Found"),
        ("HTTP/1.1 299 ", 299, ""),
        ("HTTP/1.1 599", 599, ""),
        ("HTTP/1.1 999 Unknown", 999, "Unknown"),
    ] {
        let response = read(format!("{line}\r\nContent-Length: 0\r\n\r\n")).unwrap();
        assert_eq!((response.status(), response.reason()), (status, reason), "{line}");
    }
}

#[test]
fn fields_keep_their_order_and_their_duplicates() {
    let bytes = "HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nX-One:  spaced \t\r\nset-cookie: b=2\r\n\
                 X-Empty:\r\nContent-Length: 0\r\nSET-COOKIE: a=3\r\n\r\n";
    let response = read(bytes).unwrap();
    let fields: Vec<_> = response.headers().iter().collect();
    assert_eq!(
        fields,
        [
            ("Set-Cookie", "a=1"),
            ("X-One", "spaced"),
            ("set-cookie", "b=2"),
            ("X-Empty", ""),
            ("Content-Length", "0"),
            ("SET-COOKIE", "a=3"),
        ]
    );
    let cookies: Vec<_> = response.headers().get_all("Set-COOKIE").collect();
    assert_eq!(cookies, ["a=1", "b=2", "a=3"]);
    assert_eq!((response.header("x-ONE"), response.header("x-two")), (Some("spaced"), None));
    assert_eq!((response.headers().len(), response.headers().is_empty()), (6, false));
}

#[test]
fn a_field_value_that_is_not_ascii_is_no_error() {
    let bytes = b"HTTP/1.1 200 OK\r\nX-Utf: \xc3\xa9\r\nX-Latin: \xe9\r\nContent-Length: 0\r\n\r\n";
    let response = read(bytes).unwrap();
    assert_eq!(response.header("x-utf"), Some("\u{e9}"));
    assert!(response.header("x-latin").is_some());
}

#[test]
fn any_status_is_a_response() {
    for status in [200, 204, 304, 400, 404, 429, 500, 503] {
        let response = read(reply(&format!("{status} X"), "", "")).unwrap();
        assert_eq!((response.status(), response.ok()), (status, status < 400));
    }
}

#[test]
fn a_status_is_an_error_when_the_session_asks_for_it() {
    let server = Script::new()
        .reply(redirect(302, "/x"))
        .reply(reply("404 Not Found", "X-A: y\r\n", "the page"))
        .reply(reply("399 Almost", "", "fine"))
        .reply(reply("400 Bad", "", ""))
        .serve();
    let mut session = session(|config| config.http_status_as_error = true);
    let error = session.request(server.url("/")).unwrap_err();
    assert_eq!((error.kind(), error.fault()), (ErrorKind::Status, Fault::Peer));
    assert!(error.is_status());
    assert_eq!(error.url(), Some(&*server.url("/x")));
    let response = error.response().expect("the response");
    assert_eq!((response.status(), response.header("x-a")), (404, Some("y")));
    assert_eq!(response.history().len(), 1);
    assert_eq!(error.into_response().expect("the response").into_bytes(), b"the page");
    assert_eq!(session.request(server.url("/")).unwrap().text(), "fine");
    assert_eq!(session.request(server.url("/")).unwrap_err().kind(), ErrorKind::Status);
    assert_eq!(server.connections(), 1, "a status is no reason to close");
}

#[test]
fn a_status_can_be_made_an_error_later() {
    let error = read(reply("503 Busy", "", "page")).unwrap().error_for_status().unwrap_err();
    assert_eq!((error.kind(), error.fault()), (ErrorKind::Status, Fault::Peer));
    assert!(error.to_string().contains("503"), "{error}");
    assert_eq!(error.into_response().unwrap().text(), "page");
    assert_eq!(read(OK).unwrap().error_for_status().unwrap().text(), "ok");
    assert!(read(reply("304 X", "", "")).unwrap().error_for_status().is_ok());
}

#[test]
fn text_is_utf8_unless_that_cannot_be() {
    for (body, text) in [
        (&b"h\xc3\xa9"[..], "h\u{e9}"),
        (b"\xef\xbb\xbfbom", "bom"),
        (b"a\xffb", "a\u{fffd}b"),
        (b"", ""),
    ] {
        let response = read(reply("200 OK", "Content-Type: text/plain\r\n", body)).unwrap();
        assert_eq!((response.text().as_ref(), response.bytes()), (text, body));
    }
}

#[cfg(feature = "charset")]
#[test]
fn text_obeys_the_charset_that_is_named() {
    for (media, body, text) in [
        ("text/html; charset=iso-8859-1", &b"\xe9"[..], "\u{e9}"),
        ("text/html; charset=\"Windows-1252\"", b"\x80", "\u{20ac}"),
        ("text/html;CHARSET=utf-8", b"\xc3\xa9", "\u{e9}"),
        ("text/plain; x=y; charset=shift_jis", b"\x82\xa0", "\u{3042}"),
        ("text/plain; charset=no-such-thing", b"\xc3\xa9", "\u{e9}"),
        ("text/plain", b"\xc3\xa9", "\u{e9}"),
    ] {
        let fields = format!("Content-Type: {media}\r\n");
        assert_eq!(read(reply("200 OK", &fields, body)).unwrap().text(), text, "{media}");
    }
}

#[cfg(not(feature = "charset"))]
#[test]
fn text_is_utf8_whatever_charset_is_named() {
    let fields = "Content-Type: text/html; charset=iso-8859-1\r\n";
    assert_eq!(read(reply("200 OK", fields, b"\xe9")).unwrap().text(), "\u{fffd}");
}

#[cfg(feature = "json")]
#[test]
fn a_body_can_be_read_as_json() {
    let value: serde_json::Value =
        read(reply("200 OK", "", r#"{"a": [1]}"#)).unwrap().json().unwrap();
    assert_eq!(value, serde_json::json!({"a": [1]}));
    let response = read(reply("200 OK", "", "<html>")).unwrap();
    let error = response.json::<serde_json::Value>().unwrap_err();
    assert_eq!((error.kind(), error.phase()), (ErrorKind::Decode, Some(Phase::Decoding)));
    assert_eq!(error.url(), Some(response.url()));
    assert!(std::error::Error::source(&error).is_some());
    assert!(read(reply("200 OK", "", "[1]")).unwrap().json::<String>().is_err());
    assert!(read(reply("200 OK", "", "")).unwrap().json::<String>().is_err());
}

#[test]
fn links_are_resolved() {
    let fields = "Link: </p/2?x=y>; rel=\"next\", <http://other.test/z>; rel=prev; title=\"a, b; c\"\r\n\
                  link: <last>;REL=\"last end\"\r\nLink: nonsense\r\nLink: <http://[bad>; rel=bad\r\n";
    let server = Script::new().reply(reply("200 OK", fields, "")).serve();
    let response = fetch(server.url("/p/1")).unwrap();
    let next = response.link("next").expect("the next page");
    assert_eq!((next.url(), next.rel()), (&*server.url("/p/2?x=y"), Some("next")));
    let previous = response.link("prev").expect("the previous page");
    assert_eq!((previous.url(), previous.param("title")), ("http://other.test/z", Some("a, b; c")));
    assert_eq!(previous.param("none"), None);
    assert_eq!(
        response.link("last").map(|link| link.url().to_owned()),
        Some(server.url("/p/last"))
    );
    assert!(response.link("end").is_some(), "a relation among several");
    assert!(response.link("bad").is_none() && response.link("first").is_none());
    assert_eq!(response.links().len(), 3);
    assert!(read(OK).unwrap().links().is_empty());
}

#[test]
fn the_answering_address_is_told() {
    let server = Script::new().reply(OK).reply(OK).serve();
    let mut session = session(|_| {});
    for _ in 0..2 {
        let response = session.request(server.url("/")).unwrap();
        assert_eq!(response.peer_addr(), Some(server.address()));
    }
}

#[test]
fn the_url_is_the_one_that_was_asked_in_the_end() {
    let server = Script::site(|_| OK.to_vec());
    let response = fetch(Request::get(server.url("/a b?c=d#e")).param("f", "g h")).unwrap();
    assert_eq!(response.url(), server.url("/a%20b?c=d&f=g+h#e"));
}

#[test]
fn the_time_until_the_head_and_of_each_phase_is_told() {
    let gate = Gate::new();
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n";
    let server = Script::new().reply(head).wait(&gate).send("ok").reply(OK).serve();
    let opener = thread::spawn(move || {
        thread::sleep(Duration::from_millis(150));
        gate.open();
    });
    let mut session = session(|_| {});
    let started = Instant::now();
    let first = session.request(server.url("/")).unwrap();
    let wall = started.elapsed();
    opener.join().unwrap();
    let timings = first.timings();
    assert!(timings.connect > Duration::ZERO && timings.waiting > Duration::ZERO);
    assert!(timings.receiving > Duration::from_millis(50), "{timings:?}");
    assert!(first.elapsed() > Duration::ZERO);
    assert!(first.elapsed() + timings.receiving <= wall, "the body does not count");
    assert!(timings.total() <= wall && timings.total() >= first.elapsed(), "{timings:?}");
    assert_eq!(
        (timings.tls, timings.queued, timings.reused),
        (Duration::ZERO, Duration::ZERO, false)
    );
    let second = session.request(server.url("/")).unwrap();
    let timings = second.timings();
    assert_eq!((timings.dns, timings.connect, timings.tls), Default::default());
    assert!(timings.reused);
}

#[test]
fn what_an_observer_takes_behind_the_head_counts_as_receiving_and_not_as_elapsed() {
    struct Thinks;
    const LONG: Duration = Duration::from_millis(30);
    impl Observer for Thinks {
        fn head(&self, _: &Observed<'_>, _: u16, _: &Headers) {
            thread::sleep(LONG);
        }
    }
    let server = Script::new().reply(OK).reply(OK).serve();
    let mut session = session(|config| config.observer = Some(Arc::new(Thinks)));
    for reused in [false, true] {
        let started = Instant::now();
        let response = session.request(server.url("/")).unwrap();
        let wall = started.elapsed();
        let timings = response.timings();
        assert_eq!(timings.reused, reused);
        assert!(timings.receiving >= LONG && timings.total() <= wall, "{timings:?} of {wall:?}");
        assert!(response.elapsed() + LONG <= wall, "{:?} of {wall:?}", response.elapsed());
    }
}

#[test]
fn a_body_can_be_taken_out() {
    assert_eq!(read(OK).unwrap().into_bytes(), b"ok");
}
