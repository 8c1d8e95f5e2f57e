//! Connections that wait for the next request, by what they were opened to.
//!
//! Everything else that makes a connection what it is (the TLS settings, above all) is fixed when
//! the session is made, and the connections never leave the session: so scheme, host and port, and
//! the proxy with its credentials and settings, say the whole identity. A connection to a proxy that
//! forwards requests is one for every `http` origin.

use std::time::{Duration, Instant};

use crate::connection::{Connection, Proxy};
use crate::message::{Origin, Target};

/// The idle connections of one session; at most one to an origin, since the session has one
/// request at a time.
#[derive(Debug)]
pub(super) struct Idle {
    /// Least recently used first.
    kept: Vec<Kept>,
    /// The connection that is in use: where it leads to.
    lent: Option<Option<Origin>>,
    /// Whether it leads elsewhere, or not at all, than when that was asked last.
    changed: bool,
    max_count: usize,
    max_age: Duration,
}

#[derive(Debug)]
struct Kept {
    /// Where it leads to; to any, through a proxy that forwards requests.
    origin: Option<Origin>,
    used: Instant,
    connection: Box<Connection>,
}

impl Idle {
    pub(super) const fn new(max_count: usize, max_age: Duration) -> Self {
        Self { kept: Vec::new(), lent: None, changed: false, max_count, max_age }
    }

    /// Takes out the connection that leads to the target's origin, through this proxy or none, if it
    /// is still good.
    pub(super) fn take(
        &mut self,
        target: &Target,
        proxy: Option<&Proxy>,
        now: Instant,
    ) -> Option<Box<Connection>> {
        let forwards = proxy.is_some_and(|proxy| proxy.forwards(target));
        let place = self.kept.iter().position(|kept| {
            let leads_there = match &kept.origin {
                Some(origin) => !forwards && origin.contains(target),
                None => forwards,
            };
            leads_there && kept.connection.proxy() == proxy
        })?;
        let Kept { origin, used, mut connection } = self.kept.remove(place);
        self.changed |= self.lent.replace(origin).is_some();
        (!self.is_old(used, now) && connection.is_fit()).then_some(connection)
    }

    /// Keeps a connection to the target's origin, which was in use until now. Those that are too old go,
    /// and if there are still too many the oldest does.
    pub(super) fn put(&mut self, target: &Target, connection: Box<Connection>, now: Instant) {
        // They lie in the order of their last use.
        let old = self.kept.iter().take_while(|kept| self.is_old(kept.used, now)).count();
        self.changed |= self.kept.drain(..old).len() > 0;
        if self.max_count == 0 {
            return;
        }
        if self.kept.len() >= self.max_count {
            self.kept.remove(0);
            self.changed = true;
        }
        let forwards = connection.proxy().is_some_and(|proxy| proxy.forwards(target));
        let leads_there = |origin: &Option<Origin>| match origin {
            Some(origin) => !forwards && origin.contains(target),
            None => forwards,
        };
        let origin = match self.lent.take() {
            Some(origin) if leads_there(&origin) => origin,
            _ => {
                self.changed = true;
                (!forwards).then(|| target.origin())
            }
        };
        self.kept.push(Kept { origin, used: now, connection });
    }

    fn is_old(&self, used: Instant, now: Instant) -> bool {
        now.saturating_duration_since(used) > self.max_age
    }

    /// Lets go of all of them.
    pub(super) fn clear(&mut self) {
        self.kept.clear();
        (self.lent, self.changed) = (None, true);
    }

    /// The origins that connections are kept to, if they are not those of the last time, or must be
    /// known. A proxy that forwards requests is none.
    pub(super) fn news(&mut self, must: bool) -> Option<Vec<Origin>> {
        // One that was not put back is gone.
        let changed = self.lent.take().is_some() | std::mem::take(&mut self.changed);
        (changed || must).then(|| self.kept.iter().filter_map(|kept| kept.origin.clone()).collect())
    }
}
