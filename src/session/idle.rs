//! Connections that wait for the next request, by what they were opened to.
//!
//! Everything else that makes a connection what it is (the TLS settings, above all) is fixed when
//! the session is made, and the connections never leave the session: so scheme, host and port say
//! the whole identity.

use std::time::{Duration, Instant};

use crate::connection::Connection;
use crate::message::{Origin, Target};

/// The idle connections of one session; at most one to an origin, since the session has one
/// request at a time.
#[derive(Debug)]
pub(super) struct Idle {
    /// Least recently used first.
    kept: Vec<(Origin, Connection)>,
    max_count: usize,
    max_age: Duration,
}

impl Idle {
    pub(super) const fn new(max_count: usize, max_age: Duration) -> Self {
        Self { kept: Vec::new(), max_count, max_age }
    }

    /// Takes out the connection to the target's origin, if it is still good.
    pub(super) fn take(&mut self, target: &Target, now: Instant) -> Option<Connection> {
        let place = self.kept.iter().position(|(origin, _)| origin.contains(target))?;
        let (_, mut connection) = self.kept.remove(place);
        (connection.idle(now) <= self.max_age && connection.is_fit()).then_some(connection)
    }

    /// Keeps a connection to the target's origin. Those that are too old go, and if there are
    /// still too many the oldest does.
    pub(super) fn put(&mut self, target: &Target, connection: Connection, now: Instant) {
        self.kept.retain(|(_, kept)| kept.idle(now) <= self.max_age);
        if self.max_count == 0 {
            return;
        }
        if self.kept.len() >= self.max_count {
            self.kept.remove(0);
        }
        self.kept.push((target.origin(), connection));
    }
}
