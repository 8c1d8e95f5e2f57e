//! Where the servers are, sessions to talk to them, and what nginx says of the connections.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use fetchpool::{Error, Outcome, Request, Response, Session, SessionConfig};

/// What `.ci/servers` exported. A server that is not there is a failure, never a skipped test.
#[track_caller]
pub(crate) fn setting(name: &str) -> String {
    let name = format!("FETCHPOOL_REAL_{name}");
    env::var(&name)
        .unwrap_or_else(|_| panic!("{name} is not set: start the servers by .ci/servers"))
}

/// Plain settings; `https` trusts the test CA.
///
/// `who` goes into the PEM text as a comment: TLS sessions are shared by all who have the same
/// settings, and one test would resume those of another.
pub(crate) fn config(who: &str) -> SessionConfig {
    let mut config = SessionConfig::new();
    config.tls.add_root_pem(ca_pem(who));
    config
}

pub(crate) fn ca_pem(who: &str) -> String {
    let pem = fs::read_to_string(setting("CA")).expect("the CA that .ci/servers made");
    format!("# {who}\n{pem}")
}

pub(crate) fn session() -> Session {
    open(config("shared"))
}

pub(crate) fn open(config: SessionConfig) -> Session {
    Session::new(config).expect("a session")
}

/// One request in a session of its own.
#[track_caller]
pub(crate) fn fetch(request: impl Into<Request>) -> Response {
    session().request(request).unwrap_or_else(|error| panic!("{}", error.message()))
}

/// One request in a session of its own, which must fail.
#[track_caller]
pub(crate) fn fail(request: impl Into<Request>) -> Error {
    session().request(request).expect_err("this should fail")
}

/// The response of an outcome, or a panic that says what was wrong.
#[track_caller]
pub(crate) fn response(outcome: Outcome) -> Response {
    let index = outcome.index();
    outcome.result().unwrap_or_else(|error| panic!("job {index}: {}", error.message()))
}

/// The query by which a test knows its requests in nginx's log, also when it runs again.
pub(crate) fn mark(test: &str) -> String {
    format!("{test}-{}", std::process::id())
}

/// One line of nginx's log.
pub(crate) struct Hit {
    pub(crate) connection: u64,
    pub(crate) resumed: bool,
    pub(crate) tls: String,
    pub(crate) status: u16,
}

/// What nginx logged of the requests whose URL ends in `?mark`, once there are `expected` of them.
///
/// nginx writes the line after the answer went out, so the last ones may be a moment late.
#[track_caller]
pub(crate) fn nginx_log(mark: &str, expected: usize) -> Vec<Hit> {
    let path = setting("NGINX_LOG");
    let end = format!("?{mark}");
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let log = fs::read_to_string(&path).expect("nginx's log");
        let hits: Vec<Hit> = log.lines().filter(|line| line.ends_with(&end)).map(hit).collect();
        if hits.len() >= expected {
            assert_eq!(hits.len(), expected, "nginx saw more requests than were made");
            return hits;
        }
        assert!(Instant::now() < deadline, "nginx logged {} of {expected}", hits.len());
        thread::sleep(Duration::from_millis(20));
    }
}

/// How many requests came on each connection.
pub(crate) fn per_connection(hits: &[Hit]) -> BTreeMap<u64, usize> {
    let mut counts = BTreeMap::new();
    for hit in hits {
        *counts.entry(hit.connection).or_insert(0) += 1;
    }
    counts
}

/// `$connection $connection_requests $ssl_session_reused $ssl_protocol $status $request_uri`
fn hit(line: &str) -> Hit {
    let fields: Vec<&str> = line.split(' ').collect();
    let [connection, _, resumed, tls, status, _] = fields[..] else { panic!("{line}") };
    Hit {
        connection: connection.parse().expect("a connection's number"),
        resumed: resumed == "r",
        tls: tls.to_owned(),
        status: status.parse().expect("a status"),
    }
}
