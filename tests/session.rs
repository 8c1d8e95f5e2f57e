//! What one [`Session`] promises, against servers that play a script.

mod support;

#[path = "session/reuse.rs"]
mod reuse;
#[path = "session/framing.rs"]
mod framing;
#[path = "session/deadlines.rs"]
mod deadlines;
#[path = "session/redirects.rs"]
mod redirects;
#[path = "session/credentials.rs"]
mod credentials;
#[path = "session/requests.rs"]
mod requests;
#[path = "session/responses.rs"]
mod responses;
#[path = "session/coding.rs"]
mod coding;
#[path = "session/ceilings.rs"]
mod ceilings;
#[path = "session/bombs.rs"]
mod bombs;
#[path = "session/limits.rs"]
mod limits;
#[path = "session/policy.rs"]
mod policy;
#[path = "session/unasked.rs"]
mod unasked;
#[path = "session/injection.rs"]
mod injection;
#[path = "session/urls.rs"]
mod urls;
#[path = "session/locations.rs"]
mod locations;
#[path = "session/trails.rs"]
mod trails;
#[path = "session/retrying.rs"]
mod retrying;

use std::thread;
use std::time::{Duration, Instant};

use fetchpool::{Error, ErrorKind, Request, Response, Session, SessionConfig};

use support::script::{PATIENCE, Script, Server};

/// A session whose settings differ from the defaults in this, and in a shorter time-out.
fn session(change: impl FnOnce(&mut SessionConfig)) -> Session {
    let mut config = SessionConfig::new();
    config.timeout = Some(PATIENCE);
    change(&mut config);
    Session::new(config).expect("settings without a fault")
}

/// One request in a session of its own, otherwise by default.
fn fetch(request: impl Into<Request>) -> Result<Response, Error> {
    session(|_| {}).request(request)
}

/// What a GET of these bytes gives; the server then closes.
fn read(bytes: impl AsRef<[u8]>) -> Result<Response, Error> {
    let server = Script::new().reply(bytes).close().serve();
    fetch(server.url("/"))
}

/// The kind of the error that a GET of these bytes gives; the server then closes.
fn kind(bytes: impl AsRef<[u8]>) -> Result<u16, ErrorKind> {
    read(bytes).map(|response| response.status()).map_err(|error| error.kind())
}

/// Whether a session that read these bytes, and no end of file behind them, would use the
/// connection again. The bytes must give a response.
fn is_kept(bytes: impl AsRef<[u8]>) -> bool {
    is_kept_after(Request::get, bytes)
}

fn is_kept_after(request: impl Fn(String) -> Request, bytes: impl AsRef<[u8]>) -> bool {
    let server = Script::new().reply(bytes).reply(OK).accept().reply(OK).serve();
    let mut session = session(|_| {});
    session.request(request(server.url("/1"))).expect("a response");
    let second = session.request(server.url("/2")).expect("a second response");
    assert_eq!(second.bytes(), b"ok");
    assert_eq!(second.timings().reused, server.connections() == 1);
    server.connections() == 1
}

/// A response like any other.
const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A time that no test should need.
fn soon(started: Instant) -> bool {
    started.elapsed() < Duration::from_secs(3)
}

/// A server for the tests that never get so far as to need one.
fn unused() -> Server {
    Script::new().serve()
}
