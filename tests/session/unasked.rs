//! What nobody asked for is never an answer (S7): bytes behind a response, and on a connection that is
//! about to serve again.

use super::*;
use crate::support::script::{Gate, ok, redirect, reply};
use fetchpool::{Headers, Observed, Observer};
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
