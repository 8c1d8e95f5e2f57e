//! Which addresses may be connected to (S10): asked at every hop and every try, and nothing is sent.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use fetchpool::{
    AddressPolicy, ErrorKind, Fault, Phase, Pool, RetryPolicy, Session, SessionConfig,
};

use crate::support::script::{Script, ok, redirect};

fn session(policy: AddressPolicy) -> Session {
    let mut config = SessionConfig::new();
    config.address_policy = policy;
    Session::new(config).unwrap()
}

#[test]
fn what_is_not_public_is_not_connected_to_by_any_of_its_names() {
    let server = Script::new().serve();
    let port = server.address().port();
    let mut session = session(AddressPolicy::PublicOnly);
    for host in [
        "127.0.0.1",
        "localhost",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "0.0.0.0",
        "2130706433",
        "0x7f.1",
        "127.1",
        "017700000001",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
    ] {
        let error = session.request(format!("http://{host}:{port}/")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Forbidden, "{host}: {}", error.message());
        assert_eq!((error.phase(), error.fault()), (Some(Phase::Connect), Fault::Caller));
        assert!(error.message().contains("address policy"), "{}", error.message());
    }
    assert_eq!(server.connections(), 0);
}

#[test]
fn the_policy_is_asked_on_every_hop_about_the_address_itself() {
    let inner = Script::new().serve();
    let outer = Script::new().reply(redirect(302, &inner.url("/secret"))).serve();
    let (allowed, asked) = (outer.address(), Arc::new(Mutex::new(Vec::new())));
    let seen = Arc::clone(&asked);
    let mut session = session(AddressPolicy::custom(move |address| {
        seen.lock().unwrap().push(*address);
        *address == allowed
    }));
    let error = session.request(outer.url("/")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Forbidden);
    assert!(error.url().unwrap().ends_with("/secret"), "{error}");
    assert_eq!(inner.connections(), 0);
    assert_eq!(*asked.lock().unwrap(), [outer.address(), inner.address()]);
}

#[test]
fn a_name_that_means_something_else_the_next_time_is_asked_about_again() {
    let server = Script::site(|_| ok("inside"));
    let (inside, calls) = (server.address(), AtomicUsize::new(0));
    let mut config = SessionConfig::new();
    config.keep_alive = false;
    config.dns_cache = None;
    // First an address that may be, and then another one: as a name server does that rebinds.
    config.resolver = Some(Arc::new(move |_: &str, _: u16| {
        let first = calls.fetch_add(1, Ordering::SeqCst) == 0;
        Ok(vec![if first { inside } else { SocketAddr::from(([127, 0, 0, 2], inside.port())) }])
    }));
    config.address_policy = AddressPolicy::custom(move |address| *address == inside);
    let mut session = Session::new(config).unwrap();
    assert_eq!(session.request("http://rebinds.test/").unwrap().text(), "inside");
    let error = session.request("http://rebinds.test/").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Forbidden);
}

#[test]
fn addresses_that_may_not_be_are_passed_over_for_those_that_may() {
    let server = Script::site(|_| ok("allowed"));
    let allowed = server.address();
    let mut config = SessionConfig::new();
    config.resolver = Some(Arc::new(move |_: &str, port: u16| {
        Ok(vec![SocketAddr::from(([127, 0, 0, 9], port)), allowed])
    }));
    config.address_policy = AddressPolicy::custom(move |address| *address == allowed);
    let response = Session::new(config).unwrap().request("http://both.test/").unwrap();
    assert_eq!(
        (response.text().into_owned(), response.peer_addr()),
        ("allowed".into(), Some(allowed))
    );
}

#[test]
fn what_is_forbidden_is_not_tried_again() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let mut config = SessionConfig::new();
    config.address_policy = AddressPolicy::custom(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        false
    });
    let pool = Pool::builder().num_threads(1).session(config).retry(RetryPolicy::new(3));
    let (_, mut exceptions) = pool.map(["http://127.0.0.1:1/"]);
    assert_eq!(exceptions.next().unwrap().kind(), ErrorKind::Forbidden);
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[test]
fn a_policy_that_panics_is_the_outcome_of_its_job() {
    let mut config = SessionConfig::new();
    config.address_policy = AddressPolicy::custom(|_| panic!("on purpose"));
    let pool = Pool::builder().num_threads(1).session(config);
    let (_, exceptions) = pool.map(["http://127.0.0.1:1/", "http://127.0.0.1:1/"]);
    let kinds: Vec<ErrorKind> = exceptions.map(|exception| exception.kind()).collect();
    assert_eq!(kinds, [ErrorKind::Panic; 2]);
}
