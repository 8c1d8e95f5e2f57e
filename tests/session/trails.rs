//! What an error knows of the way that led to it: tries, hops, addresses, times.

use std::net::SocketAddr;
use std::sync::Arc;

use fetchpool::{ErrorKind, Phase, Pool, Request, RetryPolicy};

use crate::session;
use crate::support::script::{Script, ok, redirect, reply};

/// An address of this machine where nobody listens.
fn nobody() -> SocketAddr {
    Script::new().serve().address()
}

#[test]
fn a_failed_try_tells_each_address_that_it_tried() {
    let (first, second) = (nobody(), nobody());
    let mut session = session(|config| {
        config.resolver = Some(Arc::new(move |_: &str, _| Ok(vec![first, second])));
    });
    let error = session.request("http://two.test/").unwrap_err();
    let [attempt] = error.attempts() else { panic!("{:?}", error.attempts()) };
    assert_eq!(attempt.kind(), ErrorKind::Connect);
    assert_eq!(attempt.phase(), Some(Phase::Connect));
    assert_eq!(attempt.addresses(), [first, second]);
    assert_eq!(attempt.message(), error.message());
    assert!(!attempt.is_reused());
    assert!(error.timings().connect > std::time::Duration::ZERO);
}

#[test]
fn addresses_that_did_not_connect_are_told_also_when_a_later_one_did() {
    let dead = nobody();
    let server = Script::new().request().close().serve();
    let alive = server.address();
    let mut session = session(|config| {
        config.resolver = Some(Arc::new(move |_: &str, _| Ok(vec![dead, alive])));
    });
    let error = session.request("http://two.test/").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
    assert_eq!(error.attempts()[0].addresses(), [dead, alive]);
}

#[test]
fn the_stale_connection_and_the_new_one_are_two_tries() {
    let server = Script::new().reply(ok("1")).reset().accept().request().close().serve();
    let mut session = session(|_| {});
    session.request(server.url("/1")).unwrap();
    let error = session.request(server.url("/2")).unwrap_err();
    let reused: Vec<bool> = error.attempts().iter().map(|attempt| attempt.is_reused()).collect();
    assert_eq!(reused, [true, false]);
    assert!(error.attempts().iter().all(|attempt| attempt.kind() == ErrorKind::Closed));
    assert!(error.attempts().iter().all(|attempt| attempt.addresses() == [server.address()]));
}

#[test]
fn a_408_on_a_kept_connection_counts_as_a_try() {
    let server = Script::new()
        .reply(ok("1"))
        .reply(reply("408 Request Timeout", "Connection: close\r\n", ""))
        .close()
        .accept()
        .request()
        .close()
        .serve();
    let mut session = session(|_| {});
    session.request(server.url("/1")).unwrap();
    let error = session.request(server.url("/2")).unwrap_err();
    assert_eq!(error.attempts().len(), 2);
    assert!(error.attempts()[0].message().contains("408"), "{:?}", error.attempts()[0]);
}

#[test]
fn an_error_behind_redirects_knows_the_way() {
    let last =
        Script::new().reply(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab").close().serve();
    let middle = Script::new().reply(redirect(307, &last.url("/end"))).serve();
    let first = Script::new().reply(redirect(302, &middle.url("/2"))).serve();
    let url = first.url("/1").replace("http://", "http://user:hunter2@");
    let error = session(|_| {}).request(url).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
    let hops: Vec<_> = error.history().iter().map(|hop| (hop.status(), hop.url())).collect();
    assert_eq!(hops, [(302, &*first.url("/1")), (307, &*middle.url("/2"))]);
    let [attempt] = error.attempts() else { panic!("the hops before were answered") };
    assert_eq!(attempt.url(), last.url("/end"));
    assert_eq!(attempt.addresses(), [last.address()]);
    assert!(!format!("{error:?}{:?}{:?}", error.attempts(), error.history()).contains("hunter2"));
}

#[test]
fn a_refused_redirect_is_the_end_of_a_try_that_was_answered() {
    let server = Script::new().reply(redirect(302, "ftp://elsewhere/")).serve();
    let error = session(|_| {}).request(server.url("/")).unwrap_err();
    assert_eq!(error.attempts()[0].kind(), ErrorKind::Redirect);
    assert_eq!(error.attempts()[0].addresses(), [server.address()]);
}

#[test]
fn what_never_came_to_a_try_has_none() {
    for request in [Request::get("ftp://a/"), Request::get("http://a/").header("Host", "b")] {
        let error = session(|_| {}).request(request).unwrap_err();
        assert!(error.attempts().is_empty(), "{:?}", error.attempts());
        assert!(error.history().is_empty());
    }
}

#[test]
fn a_status_that_is_an_error_carries_the_whole_response_and_its_way() {
    let last =
        Script::new().reply(reply("404 Not Found", "X-Why: gone\r\n", "nothing here")).serve();
    let first = Script::new().reply(redirect(302, &last.url("/"))).serve();
    let mut session = session(|config| config.http_status_as_error = true);
    let error = session.request(first.url("/")).unwrap_err();
    assert_eq!((error.kind(), error.history().len()), (ErrorKind::Status, 1));
    assert_eq!(error.attempts()[0].kind(), ErrorKind::Status);
    let response = error.into_response().unwrap();
    assert_eq!((response.status(), response.header("x-why")), (404, Some("gone")));
    assert_eq!(response.text(), "nothing here");
    assert_eq!(response.history().len(), 1);
}

#[test]
fn the_retries_of_a_pool_are_tries_in_their_order() {
    let server = Script::new()
        .reply(reply("503 Busy", "", ""))
        .request()
        .close()
        .accept()
        .reply(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab")
        .close()
        .serve();
    let pool = Pool::builder().num_threads(1).retry(RetryPolicy::new(1));
    let (_, mut exceptions) = pool.map([server.url("/")]);
    let exception = exceptions.next().unwrap();
    let kinds: Vec<_> = exception.attempts().iter().map(|attempt| attempt.kind()).collect();
    // The second went over the kept connection first.
    let expected = [ErrorKind::Status, ErrorKind::Closed, ErrorKind::Closed];
    assert_eq!(kinds, expected, "{:?}", exception.attempts());
    assert!(exception.attempts()[0].message().contains("503"), "{:?}", exception.attempts()[0]);
}

#[test]
fn of_very_many_tries_the_first_and_the_last_are_kept() {
    let server = Script::site(|_| reply("503 Busy", "Retry-After: 0\r\nConnection: close\r\n", ""));
    let pool = Pool::builder().num_threads(1).retry(RetryPolicy::new(99));
    let pool = pool.initializer(|session: &mut fetchpool::SessionConfig| {
        session.http_status_as_error = true;
    });
    let (_, mut exceptions) = pool.map([server.url("/")]);
    let exception = exceptions.next().unwrap();
    assert_eq!(server.requests().len(), 100);
    // 64 of the tries before, and the last.
    assert_eq!(exception.attempts().len(), 65);
}
