//! Who asks, and who is told: digest, signatures, netrc, against servers that play a script.

mod support;

#[cfg(feature = "digest")]
#[path = "auth/digest.rs"]
mod digest;
#[cfg(feature = "digest")]
#[path = "auth/guard.rs"]
mod guard;
#[cfg(feature = "digest")]
#[path = "auth/home.rs"]
mod home;
#[path = "auth/netrc.rs"]
mod netrc;
#[path = "auth/netrc_file.rs"]
mod netrc_file;
#[path = "auth/signing.rs"]
mod signing;

use std::sync::{Arc, Mutex};

use fetchpool::{Session, SessionConfig};

use support::script::{PATIENCE, Recorded, Script, Server, ok, redirect};

/// A session whose settings differ from the defaults in this, and in a shorter time-out.
fn session(change: impl FnOnce(&mut SessionConfig)) -> Session {
    let mut config = SessionConfig::new();
    config.timeout = Some(PATIENCE);
    change(&mut config);
    Session::new(config).expect("settings without a fault")
}

/// The values of `Authorization` that came, one for each request; empty for none.
fn shown(server: &Server) -> Vec<String> {
    let value = |request: &Recorded| request.headers("authorization").join(" AND ");
    server.requests().iter().map(value).collect()
}

/// Two servers of different ports, of which the second answers by a function: `/go` on the first
/// leads to `/there` on the second, `/tour` over `/back` on the second to `/there` on the first,
/// `/near` to `/there` on the first.
fn two(answer: impl Fn(&Recorded) -> Vec<u8> + Send + Sync + 'static) -> (Server, Server) {
    let other = Arc::new(Mutex::new(String::new()));
    let first = Script::site({
        let other = Arc::clone(&other);
        move |request| match request.target().as_str() {
            "/go" => redirect(307, &format!("{}/there", other.lock().unwrap())),
            "/tour" => redirect(307, &format!("{}/back", other.lock().unwrap())),
            "/near" => redirect(307, "/there"),
            _ => ok("first"),
        }
    });
    let home = first.origin();
    let second = Script::site(move |request| match request.target().as_str() {
        "/back" => redirect(307, &format!("{home}/there")),
        _ => answer(request),
    });
    *other.lock().unwrap() = second.origin();
    (first, second)
}
