//! What a kept connection is worth: requests a second of one session on loopback, on a kept
//! connection and on a fresh one each time. The server runs in the same process.

use std::time::Duration;

use fetchpool::{Session, SessionConfig};
use support::{Server, is_quick, measure, rate};

mod support;

fn main() {
    support::print_machine();
    let size = if is_quick() { (3, 200) } else { (11, 2_000) };
    for (name, keep_alive) in [("session_reuse kept", true), ("session_reuse fresh", false)] {
        let server = Server::start(Duration::ZERO);
        let mut config = SessionConfig::new();
        config.keep_alive = keep_alive;
        let mut session = Session::new(config).unwrap();
        let url = server.url();
        let mut sent = 0;
        measure(name, "requests/s", size, rate, |count| {
            for _ in 0..count {
                assert!(session.request(url.as_str()).unwrap().ok());
            }
            sent += count;
        });
        assert_eq!(server.connections(), if keep_alive { 1 } else { sent });
    }
}
