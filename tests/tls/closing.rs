//! How a connection ends, and what that says of the body.

use fetchpool::{ErrorKind, Fault, Phase, Request};

use super::support::script::ok;
use super::support::tls::{Ca, Then, TlsServer};
use super::trusting;

#[test]
fn a_body_until_the_close_must_be_closed_with_a_word() {
    let ca = Ca::new();
    let bytes = "HTTP/1.1 200 OK\r\n\r\nall of it";
    let polite = TlsServer::answering(ca.good(), move |_| Then::Notify.after(bytes));
    assert_eq!(trusting(&ca).request(polite.url("/")).unwrap().text(), "all of it");
    let cut = TlsServer::answering(ca.good(), move |_| Then::Cut.after(bytes));
    let error = trusting(&ca).request(cut.url("/")).unwrap_err();
    assert_eq!(
        (error.kind(), error.phase()),
        (ErrorKind::Closed, Some(Phase::Receiving)),
        "{error}"
    );
    assert_eq!(error.fault(), Fault::Network);
}

#[test]
fn a_body_whose_end_is_known_needs_no_word() {
    let ca = Ca::new();
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
    for bytes in [ok("ok"), chunked.as_bytes().to_vec()] {
        for then in [Then::Cut, Then::Notify] {
            let bytes = bytes.clone();
            let server = TlsServer::answering(ca.good(), move |_| then.after(&bytes));
            let mut session = trusting(&ca);
            for _ in 0..2 {
                assert_eq!(session.request(server.url("/")).unwrap().text(), "ok", "{then:?}");
            }
            assert_eq!(server.connections(), 2, "{then:?}");
        }
    }
}

#[test]
fn a_truncated_body_is_closed_whether_with_a_word_or_without() {
    let ca = Ca::new();
    for bytes in [
        "",
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n",
    ] {
        for then in [Then::Cut, Then::Notify] {
            let server = TlsServer::answering(ca.good(), move |_| then.after(bytes));
            let error = trusting(&ca).request(server.url("/")).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Closed, "{then:?} {bytes:?}");
        }
    }
}

#[test]
fn a_connection_the_server_closed_while_idle_is_replaced() {
    let ca = Ca::new();
    for then in [Then::Cut, Then::Notify] {
        // It promises to keep the connection, and closes it.
        let server =
            TlsServer::answering(ca.good(), move |request| then.after(ok(request.target())));
        let mut session = trusting(&ca);
        session.request(server.url("/1")).unwrap();
        assert!(server.is_idle());
        let post = Request::post(server.url("/2")).body("once");
        assert_eq!(session.request(post).unwrap().text(), "/2", "{then:?}");
        assert_eq!(session.request(server.url("/3")).unwrap().text(), "/3", "{then:?}");
        assert_eq!(server.requests().len(), 3);
    }
}

#[test]
fn a_post_that_met_a_close_is_never_sent_again() {
    let ca = Ca::new();
    let server = TlsServer::answering(ca.good(), |request| match request.method().as_str() {
        "GET" => Then::Keep.after(ok("x")),
        _ => Then::Cut.after(""),
    });
    let mut session = trusting(&ca);
    session.request(server.url("/")).unwrap();
    let error = session.request(Request::post(server.url("/")).body("once")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
    assert_eq!((server.connections(), server.requests().len()), (1, 2));
    let error = session.request(Request::delete(server.url("/"))).unwrap_err();
    assert_eq!((error.kind(), server.connections()), (ErrorKind::Closed, 2), "not tried twice");
}
