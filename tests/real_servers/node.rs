//! Node's HTTP server: chunked by default, early hints, and idle connections that go away.

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use fetchpool::{ErrorKind, Pool, Request, Response};

use super::support::{fail, fetch, response, session, setting};

fn url(path: &str) -> String {
    setting("NODE") + path
}

/// Node's number for the connection, and the request's place on it.
fn place(response: &Response) -> (u64, u64) {
    let number = |name| response.header(name).expect("a count").parse().expect("a number");
    (number("x-connection"), number("x-request"))
}

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn chunked_responses_follow_each_other_on_one_connection() {
    let mut session = session();
    let mut connections = BTreeSet::new();
    for chunks in 1..=60 {
        let response =
            session.request(url(&format!("/chunked?chunks={chunks}"))).expect("a response");
        assert_eq!(response.header("transfer-encoding"), Some("chunked"));
        assert_eq!(response.bytes().len(), chunks * (chunks + 1) / 2);
        connections.insert(place(&response).0);
    }
    assert_eq!(connections.len(), 1);
}

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn chunked_responses_are_whole_under_load() {
    let jobs = (0..1_000).map(|_| Request::get(url("/chunked?chunks=100")));
    let pool = Pool::builder().num_threads(8).job_queue(jobs).build().expect("a pool");
    let mut connections = BTreeSet::new();
    let mut count = 0;
    for response in pool.outcomes().map(response) {
        assert_eq!(response.bytes().len(), 5_050);
        connections.insert(place(&response).0);
        count += 1;
    }
    assert_eq!((count, connections.len()), (1_000, 8));
}

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn trailers_are_read_past() {
    let mut session = session();
    for request in 1..=3 {
        let response = session.request(url("/trailers")).expect("a response");
        assert_eq!((response.status(), response.bytes()), (200, &b"body"[..]));
        assert_eq!(place(&response).1, request);
    }
}

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn early_hints_are_not_the_response() {
    let mut session = session();
    for request in 1..=3 {
        let response = session.request(url("/early-hints")).expect("a response");
        assert_eq!((response.status(), response.bytes()), (200, &b"after the hints\n"[..]));
        assert_eq!(response.header("link"), None);
        assert_eq!(place(&response).1, request);
    }
}

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn a_large_upload_comes_back_as_it_was() {
    let body: Vec<u8> =
        (0..3_000_000_u32).map(|n| n.to_le_bytes()[usize::from(n % 3 == 0)]).collect();
    let response = fetch(Request::post(url("/echo")).body(body.clone()));
    assert_eq!(response.status(), 200);
    assert!(response.bytes() == body);
}

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn a_response_that_is_cut_short_is_an_exception() {
    let error = fail(url("/cut"));
    assert_eq!(error.kind(), ErrorKind::Closed, "{}", error.message());
}

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn requests_that_race_the_closing_of_their_connection_succeed() {
    // Node drops an idle connection after 5 ms. These come 4.0 to 6.0 ms after the last answer.
    let mut session = session();
    let small = setting("NODE_HASTY") + "/small";
    let mut connections = BTreeSet::new();
    for n in 0..300 {
        let response = session
            .request(&small)
            .unwrap_or_else(|error| panic!("request {n}: {}", error.message()));
        assert_eq!((response.status(), response.bytes()), (200, &b"small\n"[..]));
        connections.insert(place(&response).0);
        thread::sleep(Duration::from_micros(4_000 + n % 21 * 100));
    }
    assert!(connections.len() > 10, "only {} connections: nothing was raced", connections.len());
}

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn a_pool_keeps_going_while_its_idle_connections_are_closed() {
    let small = setting("NODE_HASTY") + "/small";
    let jobs = (0..400_u64).map(move |n| {
        // Up to 11 ms between two jobs: some connections live through it, some do not.
        thread::sleep(Duration::from_millis(n % 12));
        Request::get(&small)
    });
    let pool = Pool::builder().num_threads(2).job_queue(jobs).build().expect("a pool");
    let mut connections = BTreeSet::new();
    let mut count = 0;
    for response in pool.outcomes().map(response) {
        assert_eq!((response.status(), response.bytes()), (200, &b"small\n"[..]));
        connections.insert(place(&response).0);
        count += 1;
    }
    assert_eq!(count, 400);
    assert!(connections.len() > 10, "only {} connections: none was closed", connections.len());
    assert!(connections.len() < 400, "no connection was used twice");
}
