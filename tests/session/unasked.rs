//! What nobody asked for is never an answer (S7): bytes before a request, behind a response, and
//! on a connection that is about to serve again; and the answers that come before a request is whole.

use super::*;
use crate::support::script::{Gate, ok, redirect, reply};
use fetchpool::{Fault, Headers, Observed, Observer, Phase};
use std::net::SocketAddr;
use std::sync::Arc;

const EVIL: &str = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";

/// Holds a request up at one place until the server has done what it is to have done by then.
struct HoldsUp {
    place: &'static str,
    until: Gate,
}

impl HoldsUp {
    fn at(&self, place: &str) {
        if place == self.place {
            assert!(self.until.wait(), "the server did not come so far");
        }
    }
}

impl Observer for HoldsUp {
    fn attempt(&self, _: &Observed<'_>, _: &str, _: u32) {
        self.at("attempt");
    }

    fn connected(&self, _: &Observed<'_>, _: SocketAddr, _: Duration) {
        self.at("connected");
    }

    fn tls(&self, _: &Observed<'_>, _: &str, _: Duration) {
        self.at("tls");
    }

    fn head(&self, _: &Observed<'_>, _: u16, _: &Headers) {
        self.at("head");
    }

    fn redirect(&self, _: &Observed<'_>, _: u16, _: &str) {
        self.at("redirect");
    }
}

fn held_up(place: &'static str, until: &Gate) -> Session {
    session(|config| config.observer = Some(Arc::new(HoldsUp { place, until: until.clone() })))
}

#[test]
fn a_server_that_speaks_first_has_answered_nothing() {
    let late = "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    let secret = "Set-Cookie: id=secret\r\n";
    let long = "x".repeat(5_000);
    for (unasked, found) in [
        (EVIL, r"HTTP/1.1 200 OK\r"),
        (late, r"HTTP/1.1 408 Request Timeout\r"),
        ("HTTP/1.1 103 Early Hints\r\n\r\n", r"HTTP/1.1 103 Early Hints\r"),
        ("\r\n", r"\r"),
        ("\0\x1b[2J", r"\x00\x1b[2J"),
        (secret, "Set-Cookie: [redacted]"),
        (&long, &long[..40]),
    ] {
        let sent = Gate::new();
        let server = Script::new().send(unasked).open(&sent).accept().reply(OK).serve();
        let mut session = held_up("connected", &sent);
        let error = session.request(server.url("/")).unwrap_err();
        assert_eq!((error.kind(), error.fault()), (ErrorKind::Protocol, Fault::Peer), "{error}");
        assert_eq!(error.phase(), Some(Phase::Sending), "{unasked:?}");
        let told = format!("bytes came before the request was sent: found \"{found}\"");
        assert!(error.message().ends_with(&told), "{error}");
        server.wait_for_end_of(0);
        assert!(server.requests().is_empty(), "{unasked:?}: it was told something");
        assert_eq!(session.request(server.url("/")).unwrap().text(), "ok", "the session goes on");
        assert_eq!(server.connections(), 2);
    }
}

#[cfg(feature = "tls")]
#[test]
fn a_server_that_speaks_first_over_tls_has_answered_nothing() {
    use crate::support::tls::{Ca, TlsServer};

    let (ca, sent) = (Ca::new(), Gate::new());
    let server = TlsServer::speaking_first(ca.good(), 2, EVIL, &sent);
    let mut session = session(|config| {
        config.tls.add_root_pem(ca.pem());
        config.observer = Some(Arc::new(HoldsUp { place: "tls", until: sent.clone() }));
    });
    let error = session.request(server.url("/")).unwrap_err();
    assert_eq!((error.kind(), error.fault()), (ErrorKind::Protocol, Fault::Peer), "{error}");
    assert!(error.message().ends_with(r#"sent: found "HTTP/1.1 200 OK\r""#), "{error}");
    assert!(server.is_idle());
    assert!(server.requests().is_empty());
}

/// Tickets may come at any time and are no answer; but looking for one must come to an end.
#[cfg(feature = "tls")]
#[test]
fn a_few_session_tickets_are_read_over_and_a_flood_of_them_is_not() {
    use crate::support::tls::{Ca, TlsServer};

    let ca = Ca::new();
    for (tickets, fault) in [(0, Fault::Network), (40, Fault::Network), (2_000, Fault::Peer)] {
        let sent = Gate::new();
        let server = TlsServer::speaking_first(ca.good(), tickets, "", &sent);
        let mut session = session(|config| {
            config.tls.add_root_pem(ca.pem());
            config.observer = Some(Arc::new(HoldsUp { place: "tls", until: sent.clone() }));
        });
        // This server closes when it is asked: whoever hears of that has asked.
        let error = session.request(server.url("/")).unwrap_err();
        assert_eq!(error.fault(), fault, "{tickets} tickets: {error}");
        let told = error.message().contains("a flood of TLS records came before the request");
        assert_eq!(told, fault == Fault::Peer, "{tickets} tickets: {error}");
    }
}

#[test]
fn a_server_that_hangs_up_before_it_is_asked_has_closed_and_said_nothing() {
    let closed = Gate::new();
    let server = Script::new().shutdown().open(&closed).serve();
    let error = held_up("connected", &closed).request(server.url("/")).unwrap_err();
    assert_eq!((error.kind(), error.fault()), (ErrorKind::Closed, Fault::Network), "{error}");
}

#[test]
fn a_second_response_with_the_first_one_is_no_answer_to_where_that_leads() {
    let first = String::from_utf8(redirect(302, "/there")).unwrap();
    let server =
        Script::new().reply(first + EVIL).reply(ok("wrong")).accept().reply(ok("right")).serve();
    assert_eq!(fetch(server.url("/")).unwrap().text(), "right");
    assert_eq!(server.requests()[1].connection, 1);
}

/// No time passes between the end of the first exchange and the begin of the second: the server
/// sends while the first one is being dealt with.
#[test]
fn a_second_response_behind_the_first_one_is_no_answer_to_where_that_leads() {
    for (place, status) in [("head", 302), ("redirect", 302), ("redirect", 307), ("redirect", 308)]
    {
        let sent = Gate::new();
        let server = Script::new()
            .reply(redirect(status, "/there"))
            .send(EVIL)
            .open(&sent)
            .reply(ok("wrong"))
            .accept()
            .reply(ok("right"))
            .serve();
        let response = held_up(place, &sent).request(server.url("/")).unwrap();
        assert_eq!(response.text(), "right", "{place}");
        assert_eq!(server.requests()[1].connection, 1, "{place}");
    }
}

#[test]
fn a_second_response_behind_the_first_one_is_no_answer_to_the_next_request() {
    for method in ["GET", "HEAD", "POST"] {
        let sent = Gate::new();
        let server = Script::new()
            .reply(OK)
            .send(EVIL)
            .open(&sent)
            .reply(ok("wrong"))
            .accept()
            .reply(if method == "HEAD" { reply("200 OK", "", "") } else { ok("right") })
            .serve();
        let mut session = held_up("head", &sent);
        assert_eq!(session.request(server.url("/1")).unwrap().text(), "ok");
        let second = session.request(Request::new(method, server.url("/2"))).unwrap();
        assert_ne!(second.text(), "evil", "{method}");
        assert!(!second.timings().reused, "{method}");
        assert_eq!((server.connections(), server.requests().len()), (2, 2), "{method}");
    }
}

#[test]
fn a_post_is_not_sent_into_a_close_that_came_with_the_last_response() {
    for fields in ["Connection: keep-alive\r\n", ""] {
        let closed = Gate::new();
        let server = Script::new()
            .reply(reply("200 OK", fields, "first"))
            .shutdown()
            .open(&closed)
            .accept()
            .reply(ok("stored"))
            .serve();
        let mut session = held_up("head", &closed);
        session.request(server.url("/1")).unwrap();
        let request = Request::post(server.url("/2")).body("once");
        assert_eq!(session.request(request).unwrap().text(), "stored");
        assert_eq!((server.connections(), server.requests().len()), (2, 2));
    }
}

/// More than the system takes in while the peer reads nothing.
const LARGE: usize = 16 << 20;

#[test]
fn an_early_answer_ends_the_upload_though_the_server_reads_on() {
    for status in ["200 OK", "304 Not Modified", "400 Bad", "401 Who", "413 Too Large", "500 Oh"] {
        let body = if status.starts_with("304") { "" } else { "early" };
        let early = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        let server = Script::new().request_head().send(early).accept().reply(OK).serve();
        let mut session = session(|_| {});
        let request = Request::post(server.url("/")).body(vec![b'x'; LARGE]);
        let response = session.request(request).unwrap();
        assert_eq!(response.text(), body, "{status}");
        server.wait_for_end_of(0);
        let read: usize = server.requests().iter().map(|request| request.raw.len()).sum();
        assert!(read < LARGE, "{status}: all of it was sent");
        assert!(!session.request(server.url("/")).unwrap().timings().reused, "{status}");
    }
}

#[test]
fn an_interim_response_does_not_end_an_upload() {
    let server = Script::new()
        .request_head()
        .send(
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 ",
        )
        .skip(LARGE)
        .send("200 OK\r\nContent-Length: 5\r\n\r\nwhole")
        .serve();
    let request = Request::post(server.url("/")).body(vec![b'x'; LARGE]);
    assert_eq!(fetch(request).unwrap().text(), "whole");
}

#[test]
fn an_early_redirect_ends_the_upload_and_the_request_goes_to_where_it_leads() {
    for (status, line, length) in
        [(303, "GET /there HTTP/1.1", 0), (307, "POST /there HTTP/1.1", LARGE)]
    {
        let server = Script::new()
            .request_head()
            .send(redirect(status, "/there"))
            .accept()
            .reply(ok("there"))
            .serve();
        let request = Request::post(server.url("/")).body(vec![b'x'; LARGE]);
        let response = fetch(request.timeout(Duration::from_secs(4))).unwrap();
        assert_eq!((response.text().as_ref(), response.timings().reused), ("there", false));
        server.wait_for_end_of(0);
        let there = server.requests().into_iter().find(|r| r.connection == 1).unwrap();
        assert_eq!((there.line().as_str(), there.body().len()), (line, length));
    }
}

#[cfg(feature = "tls")]
#[test]
fn an_early_answer_over_tls_ends_the_upload_and_the_connection() {
    use crate::support::tls::{Ca, Then, TlsServer};

    let ca = Ca::new();
    for status in ["200 OK", "303 Elsewhere", "400 Bad", "413 Too Large"] {
        for then in [Then::Silence, Then::Cut] {
            let server = TlsServer::answering_early(ca.good(), move |request| {
                if request.method() == "GET" {
                    return Then::Keep.after(ok("next"));
                }
                then.after(reply(status, "Location: /there\r\n", "early"))
            });
            let mut session = session(|config| {
                config.tls.add_root_pem(ca.pem());
            });
            let request = Request::post(server.url("/")).body(vec![b'x'; LARGE]);
            let response = session.request(request).unwrap();
            let expected = if status.starts_with("303") { "next" } else { "early" };
            assert_eq!(response.text(), expected, "{status} {then:?}");
            assert_eq!(session.request(server.url("/")).unwrap().text(), "next");
            assert_eq!(server.connections(), 2, "{status} {then:?}");
        }
    }
}

#[test]
fn an_upload_into_a_kept_connection_that_closes_is_sent_again_if_it_may_be() {
    for then_resets in [true, false] {
        for method in ["PUT", "POST"] {
            let script = Script::new().reply(OK).request_head();
            let script = if then_resets { script.close() } else { script.shutdown() };
            let server = script.accept().reply(ok("whole")).serve();
            let mut session = session(|_| {});
            session.request(server.url("/1")).unwrap();
            let request = Request::new(method, server.url("/2")).body(vec![b'x'; LARGE]);
            let sent = session.request(request);
            if method == "PUT" {
                assert_eq!(sent.unwrap().text(), "whole", "resets: {then_resets}");
                let last = server.requests().into_iter().find(|r| r.connection == 1).unwrap();
                assert_eq!(last.body().len(), LARGE);
            } else {
                assert_eq!(sent.unwrap_err().kind(), ErrorKind::Closed, "resets: {then_resets}");
                assert_eq!(server.connections(), 1);
            }
        }
    }
}

#[test]
fn a_head_longer_than_a_server_reads_gets_its_answer() {
    let early = "HTTP/1.1 431 Fields Too Large\r\nContent-Length: 4\r\n\r\nlong";
    let server = Script::new().skip(1 << 10).send(early).deaf().serve();
    let request = Request::get(server.url("/")).header("X-Long", "x".repeat(LARGE / 2));
    let response = fetch(request).unwrap();
    assert_eq!((response.status(), response.text().as_ref()), (431, "long"));
}
