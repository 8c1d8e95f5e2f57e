//! An answer that comes before the end of an upload.

use std::thread;
use std::time::Duration;

use super::*;
use crate::support::script::{Gate, redirect};

/// More than the system takes in while the peer reads nothing.
const LARGE: usize = 16 << 20;

const EARLY: &str = "HTTP/1.1 413 Too Large\r\nContent-Length: 5\r\n\r\nearly";

#[test]
fn an_early_answer_ends_an_upload_of_any_kind_whether_the_server_reads_on_or_not() {
    let content = bytes(LARGE);
    let file = Temporary::new(&content);
    for reads_on in [true, false] {
        for (kind, body, _) in kinds(&content, &file) {
            let script = Script::new().request_head().send(EARLY);
            let script = if reads_on { script } else { script.deaf() };
            let server = script.accept().reply(ok("next")).serve();
            let mut session = session(|_| {});
            let response = session.request(Request::post(server.url("/")).body(body)).unwrap();
            assert_eq!((response.status(), response.text().as_ref()), (413, "early"), "{kind}");
            if reads_on {
                server.wait_for_end_of(0);
                let came: usize = server.requests().iter().map(|r| r.raw.len()).sum();
                assert!(came < LARGE, "{kind}: all of it was sent");
            }
            let next = session.request(Request::get(server.url("/"))).unwrap();
            assert!(!next.timings().reused, "{kind}");
        }
    }
}

#[cfg(feature = "tls")]
#[test]
fn an_early_answer_over_tls_ends_an_upload_of_any_kind() {
    use crate::support::tls::{Ca, Then, TlsServer};

    let ca = Ca::new();
    let content = bytes(LARGE);
    let file = Temporary::new(&content);
    for then in [Then::Silence, Then::Cut] {
        for (kind, body, _) in kinds(&content, &file) {
            let server = TlsServer::answering_early(ca.good(), move |request| {
                if request.method() == "GET" {
                    return Then::Keep.after(ok("next"));
                }
                then.after(EARLY)
            });
            let mut session = session(|config| {
                config.tls.add_root_pem(ca.pem());
            });
            let response = session.request(Request::post(server.url("/")).body(body)).unwrap();
            assert_eq!((response.status(), response.text().as_ref()), (413, "early"), "{kind}");
            session.request(Request::get(server.url("/"))).unwrap();
            assert_eq!(server.connections(), 2, "{kind} {then:?}");
        }
    }
}

/// What was sent whole before it was a request of its own.
#[test]
fn a_connection_with_half_a_request_on_it_is_not_kept_whatever_the_hop_before_has_sent() {
    let script = Script::new().request().send(redirect(307, "/there"));
    let server = script.request_head().send(EARLY).deaf().accept().reply(ok("next")).serve();
    let mut session = session(|_| {});
    let request = Request::post(server.url("/")).body(bytes(LARGE));
    let response = session.request(request).unwrap();
    assert_eq!((response.status(), response.history().len()), (413, 1));
    assert!(response.timings().reused, "the first was sent whole");
    let next = session.request(Request::get(server.url("/"))).unwrap();
    assert!(next.attempts().is_empty() && !next.timings().reused, "{:?}", next.attempts());
}

#[test]
fn an_interim_response_does_not_end_the_upload_of_a_stream() {
    let interim = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n";
    let server = Script::new().request_head().send(interim).skip(LARGE).send(ok("whole")).serve();
    let body = Body::sized_reader(Counted::new(LARGE), LARGE as u64);
    assert_eq!(fetch(Request::post(server.url("/")).body(body)).unwrap().text(), "whole");
}

/// Whoever only writes finds an answer late if there is little to write.
#[test]
fn an_early_answer_is_found_while_a_reader_is_slow() {
    let answered = Gate::new();
    let server = Script::new().request_head().send(EARLY).open(&answered).serve();
    let mut reads = 0;
    let reader = By(move |into: &mut [u8]| {
        reads += 1;
        if reads > 1 {
            assert!(answered.wait());
            // The pace of a slow reader.
            thread::sleep(Duration::from_millis(60));
        }
        assert!(reads < 5, "it is read on for nothing");
        into[0] = b'x';
        Ok(1)
    });
    let response = fetch(Request::post(server.url("/")).body(Body::reader(reader))).unwrap();
    assert_eq!((response.status(), response.text().as_ref()), (413, "early"));
}

#[test]
fn an_early_redirect_takes_along_what_can_be_sent_again() {
    let content = bytes(LARGE);
    let file = Temporary::new(&content);
    for (kind, body, again) in kinds(&content, &file) {
        let script = Script::new().request_head().send(redirect(307, "/there"));
        let server = script.accept().request().send(ok("there")).serve();
        let sent = fetch(Request::post(server.url("/")).body(body));
        if again {
            assert_eq!(sent.unwrap().text(), "there", "{kind}");
            let there = server.requests().into_iter().find(|r| r.connection == 1).unwrap();
            assert!(there.body().len() >= LARGE, "{kind}");
        } else {
            let error = sent.unwrap_err();
            assert!(error.message().contains("can be read only once"), "{kind}: {error}");
        }
    }
}

#[test]
fn a_peer_that_closes_in_the_middle_of_a_stream_has_closed() {
    let server = Script::new().request_head().skip(100_000).close().serve();
    let request = Request::put(server.url("/")).body(Body::reader(Counted::new(usize::MAX)));
    assert_eq!(fetch(request).unwrap_err().kind(), fetchpool::ErrorKind::Closed);
}
