//! Whoever asks whether a body is wanted (RFC 9110 §10.1.1).

use std::thread;
use std::time::{Duration, Instant};

use super::*;
use crate::support::script::{Gate, redirect, reply};
use fetchpool::{CancelToken, Clock, ErrorKind, Phase};

const CONTINUE: &str = "HTTP/1.1 100 Continue\r\n\r\n";
const MS: fn(u64) -> Duration = Duration::from_millis;

/// A wait that is never over within a test.
const LONG: Duration = Duration::from_secs(60);

/// A request with a body of ten bytes, and how many of them were read.
fn asking(url: String, wait: Duration) -> (Request, Counted) {
    let counted = Counted::new(10);
    let body = Body::sized_reader(counted.clone(), 10);
    (Request::put(url).body(body).expect_continue(wait), counted)
}

#[test]
fn the_body_is_sent_when_the_server_says_so_and_the_connection_is_kept() {
    let server = Script::new()
        .request_head()
        .send("HTTP/1.1 103 Early Hints\r\n\r\n")
        .send(CONTINUE)
        .take(10)
        .send(ok("stored"))
        .reply(ok("next"))
        .serve();
    let mut session = session(|_| {});
    let (request, _) = asking(server.url("/"), LONG);
    assert_eq!(session.request(request).unwrap().text(), "stored");
    let requests = server.requests();
    assert_eq!(requests[0].headers("expect"), ["100-continue"]);
    assert_eq!(requests[0].headers("content-length"), ["10"]);
    assert_eq!(requests[1].raw, [b'x'; 10]);
    assert!(session.request(Request::get(server.url("/"))).unwrap().timings().reused);
}

#[test]
fn every_kind_of_body_waits_and_is_sent_whole() {
    for length in [1, 100_000] {
        let content = bytes(length);
        let file = Temporary::new(&content);
        for (kind, body, _) in kinds(&content, &file) {
            let framed = match body.length() {
                None if kind != "a file" => {
                    // Chunks of 64 KiB.
                    let sizes = [length.min(65_536), length.saturating_sub(65_536)];
                    let chunk = |size: &usize| format!("{size:x}\r\n").len() + size + 2;
                    sizes.iter().filter(|size| **size > 0).map(chunk).sum::<usize>() + 5
                }
                _ => length,
            };
            let script = Script::new().request_head().send(CONTINUE).take(framed);
            let server = script.send(ok("stored")).serve();
            let request = Request::put(server.url("/")).body(body).expect_continue(LONG);
            assert_eq!(fetch(request).unwrap().text(), "stored", "{length} of {kind}");
            let [head, rest] = &server.requests()[..] else { panic!("{kind}") };
            let mut whole = head.clone();
            whole.raw.extend(&rest.raw);
            assert!(whole.content() == content, "{length} of {kind}");
        }
    }
}

#[test]
fn a_server_that_says_nothing_gets_the_body_after_the_wait() {
    let began = Instant::now();
    let server = friendly();
    let (request, _) = asking(server.url("/"), MS(150));
    let response = fetch(request).unwrap();
    assert_eq!(response.text(), "ok");
    assert_eq!(server.request().content(), [b'x'; 10]);
    assert!(began.elapsed() >= MS(150), "{:?}", began.elapsed());
    assert!(response.timings().waiting >= MS(150), "{:?}", response.timings());
}

#[test]
fn a_word_that_comes_late_does_no_harm() {
    let script = Script::new().request_head().take(10).send(CONTINUE).send(ok("stored"));
    let server = script.reply(ok("next")).serve();
    let mut session = session(|_| {});
    let (request, _) = asking(server.url("/"), MS(30));
    assert_eq!(session.request(request).unwrap().text(), "stored");
    assert!(session.request(Request::get(server.url("/"))).unwrap().timings().reused);
}

#[test]
fn a_final_answer_ends_it_and_not_a_byte_of_the_body_is_sent_or_read() {
    for status in ["200 OK", "401 Who", "403 No", "413 Too Large", "500 Oh", "503 Busy"] {
        let server = Script::new()
            .request_head()
            .send(reply(status, "", "said"))
            .accept()
            .reply(ok("next"))
            .serve();
        let mut session = session(|_| {});
        let (request, counted) = asking(server.url("/"), LONG);
        let response = session.request(request.clone()).unwrap();
        assert_eq!(response.text(), "said", "{status}");
        server.wait_for_end_of(0);
        assert_eq!((counted.given(), server.requests().len()), (0, 1), "{status}");
        // What was announced has not been sent: whatever came next would be taken for it.
        let next = session.request(request.expect_continue(None)).unwrap();
        assert_eq!((next.text().as_ref(), next.timings().reused), ("next", false), "{status}");
        assert_eq!(server.requests()[1].content(), [b'x'; 10], "the reader was still there");
    }
}

#[test]
fn no_other_interim_response_is_a_word_about_the_body_and_bytes_wait_like_streams() {
    let interim = "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n";
    for body in [Body::from("text"), Body::from(bytes(100_000)), Body::reader(&b"text"[..])] {
        let script = Script::new().request_head().send(interim).send(reply("413 No", "", ""));
        let server = script.serve();
        let request = Request::put(server.url("/")).body(body).expect_continue(LONG);
        let shown = format!("{request:?}");
        assert_eq!(fetch(request).unwrap().status(), 413);
        server.wait_for_end_of(0);
        assert_eq!(server.requests().len(), 1, "{shown}: there came more than the head");
    }
}

#[test]
fn a_redirect_that_comes_instead_takes_the_body_along_unread() {
    for status in [307, 308] {
        let server = Script::new()
            .request_head()
            .send(redirect(status, "/there"))
            .accept()
            .request_head()
            .send(CONTINUE)
            .take(10)
            .send(ok("there"))
            .serve();
        let (request, _) = asking(server.url("/"), LONG);
        assert_eq!(fetch(request).unwrap().text(), "there");
        let requests = server.requests();
        assert_eq!(requests[1].line(), "PUT /there HTTP/1.1");
        assert_eq!(requests[1].headers("expect"), ["100-continue"]);
        assert_eq!(requests[2].raw, [b'x'; 10]);
    }
}

#[test]
fn a_417_is_answered_by_one_more_request_that_does_not_ask() {
    for method in ["PUT", "POST"] {
        let no = reply("417 Expectation Failed", "", "no");
        let server = Script::new()
            .request_head()
            .send(&no)
            .accept()
            .reply(ok("stored"))
            .accept()
            .reply(ok("never"))
            .serve();
        let (request, _) = asking(server.url("/"), LONG);
        let request = Request::new(method, request.url()).body(Body::reader(Counted::new(10)));
        let response = fetch(request.expect_continue(LONG)).unwrap();
        assert_eq!(response.text(), "stored", "{method}");
        let requests = server.requests();
        assert_eq!(requests[1].header("expect"), None);
        assert_eq!(requests[1].content(), [b'x'; 10]);

        let server = Script::new().request_head().send(&no).accept().reply(&no).serve();
        let (request, _) = asking(server.url("/"), LONG);
        assert_eq!(fetch(request).unwrap().status(), 417, "a second one is the answer");
        assert_eq!(server.connections(), 2);
    }
}

#[test]
fn a_417_behind_a_body_that_is_gone_is_the_answer() {
    let no = reply("417 Expectation Failed", "", "no");
    let server = Script::new().reply(&no).accept().reply(ok("stored")).serve();
    let (request, _) = asking(server.url("/"), MS(20));
    assert_eq!(fetch(request).unwrap().status(), 417);
    let request = Request::put(server.url("/")).body("text").expect_continue(MS(20));
    assert_eq!(fetch(request).unwrap().text(), "stored", "this one can be sent again");
}

#[test]
fn a_417_that_nobody_asked_for_is_an_answer_like_others() {
    let server = Script::site(|_| reply("417 Expectation Failed", "", "no"));
    assert_eq!(fetch(Request::put(server.url("/")).body("text")).unwrap().status(), 417);
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_request_without_a_byte_of_a_body_asks_for_nothing() {
    let server = friendly();
    let mut session = session(|config| config.expect_continue = Some(LONG));
    let url = || server.url("/");
    let file = Temporary::new("");
    for request in [
        Request::get(url()),
        Request::post(url()),
        Request::post(url()).body(""),
        Request::post(url()).body(Body::sized_reader(io::empty(), 0)),
        Request::post(url()).body(Body::file(file.path())),
        Request::post(url()).body("text").expect_continue(None),
    ] {
        let shown = format!("{request:?}");
        session.request(request).unwrap();
        assert_eq!(server.requests().pop().unwrap().header("expect"), None, "{shown}");
    }
}

#[test]
fn a_session_can_ask_for_all_its_requests_and_a_request_for_itself() {
    let server = friendly();
    let mut session = session(|config| config.expect_continue = Some(MS(20)));
    session.request(Request::post(server.url("/")).body("text")).unwrap();
    let own = Request::post(server.url("/")).body("text").expect_continue(MS(10));
    fetch(own).unwrap();
    for request in server.requests() {
        assert_eq!(request.headers("expect"), ["100-continue"]);
        assert_eq!(request.body(), b"text");
    }
}

#[test]
fn the_wait_is_within_the_requests_time() {
    let server = Script::new().request_head().repeat().serve();
    let (request, counted) = asking(server.url("/"), LONG);
    let error = fetch(request.timeout(MS(150))).unwrap_err();
    assert_eq!((error.kind(), error.clock()), (ErrorKind::Timeout, Some(Clock::Request)));
    assert_eq!(error.phase(), Some(Phase::Waiting), "{error}");
    assert!(error.message().contains("150ms"), "{}", error.message());
    assert_eq!(counted.given(), 0);
}

#[test]
fn the_wait_is_neither_a_stall_nor_a_late_first_byte() {
    let server = friendly();
    let mut session = session(|config| {
        config.stall_timeout = Some(MS(200));
        config.first_byte_timeout = Some(MS(200));
        config.low_speed = Some(fetchpool::LowSpeed::new(1 << 20, MS(200)));
    });
    let (request, _) = asking(server.url("/"), MS(400));
    let response = session.request(request).unwrap();
    assert_eq!(response.text(), "ok");
    assert!(response.timings().waiting >= MS(400), "it was cut short: {:?}", response.timings());
}

#[test]
fn a_cancel_ends_the_wait() {
    let server = Script::new().request_head().serve();
    let token = CancelToken::new();
    let (request, counted) = asking(server.url("/"), LONG);
    let request = request.cancel_token(&token);
    let sending = thread::spawn(move || fetch(request));
    server.wait_for_requests(1);
    token.cancel();
    assert_eq!(sending.join().unwrap().unwrap_err().kind(), ErrorKind::Cancelled);
    assert_eq!(counted.given(), 0);
}

#[test]
fn a_server_that_closes_instead_has_closed_and_a_kept_connection_was_stale() {
    let server = Script::new().request_head().close().serve();
    let (request, counted) = asking(server.url("/"), LONG);
    let error = fetch(request).unwrap_err();
    assert_eq!((error.kind(), error.phase()), (ErrorKind::Closed, Some(Phase::Waiting)), "{error}");
    assert_eq!(counted.given(), 0);

    let server = Script::new()
        .reply(ok("1"))
        .request_head()
        .close()
        .accept()
        .request_head()
        .send(CONTINUE)
        .take(10)
        .send(ok("stored"))
        .serve();
    let mut session = session(|_| {});
    session.request(Request::get(server.url("/"))).unwrap();
    let (request, _) = asking(server.url("/"), LONG);
    assert_eq!(session.request(request).unwrap().text(), "stored", "nothing of it was read yet");
}

#[test]
fn what_is_no_http_is_told_at_once() {
    let server = Script::new().request_head().send("SSH-2.0-OpenSSH\r\n").serve();
    let (request, _) = asking(server.url("/"), LONG);
    assert_eq!(fetch(request).unwrap_err().kind(), ErrorKind::Protocol);
}

#[test]
fn an_answer_behind_a_word_in_one_packet_is_read_when_the_body_was_sent() {
    let gate = Gate::new();
    let both = [CONTINUE.as_bytes(), &ok("stored")].concat();
    let script = Script::new().request_head().send(both).open(&gate).take(10);
    let server = script.accept().reply(ok("next")).serve();
    let (request, _) = asking(server.url("/"), LONG);
    assert_eq!(fetch(request).unwrap().text(), "stored");
    assert!(gate.wait());
}

#[cfg(feature = "tls")]
#[test]
fn over_tls_the_same_holds() {
    use crate::support::tls::{Ca, Then, TlsServer};

    let ca = Ca::new();
    let trusting = || {
        session(|config| {
            config.tls.add_root_pem(ca.pem());
        })
    };
    // Nothing is said.
    let server = TlsServer::start(ca.good());
    let (request, _) = asking(server.url("/quiet"), MS(100));
    assert_eq!(trusting().request(request).unwrap().text(), "/quiet");
    assert_eq!(server.requests()[0].content(), [b'x'; 10]);
    // It is wanted: this server takes each piece that ends like a head for a request.
    let server = TlsServer::answering_early(ca.good(), |request| {
        Then::Keep.after(match request.header("expect") {
            Some(_) => CONTINUE.into(),
            None => ok("stored"),
        })
    });
    let mut session = trusting();
    let request = || Request::put(server.url("/")).body("body\r\n\r\n").expect_continue(LONG);
    for reused in [false, true] {
        let response = session.request(request()).unwrap();
        assert_eq!((response.text().as_ref(), response.timings().reused), ("stored", reused));
    }
    assert_eq!(server.requests()[1].raw, b"body\r\n\r\n");
    // It is not.
    let server =
        TlsServer::answering_early(ca.good(), |_| Then::Keep.after(reply("413 No", "", "no")));
    let mut session = trusting();
    for connections in 1..=2 {
        let (request, counted) = asking(server.url("/"), LONG);
        assert_eq!(session.request(request).unwrap().status(), 413);
        assert_eq!((counted.given(), server.connections()), (0, connections));
    }
}
