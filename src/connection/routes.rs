//! Which address of a host could be connected to, so that the next connection goes there first.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// For hosts with more than one address, the one that the last connection was opened to. Clones
/// share it. Most sessions put nothing in: so no map that asks the system for random numbers when it is
/// made, once for each thread.
#[derive(Clone, Default)]
pub(crate) struct Routes(Arc<Mutex<BTreeMap<(String, u16), Route>>>);

/// The way to a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) address: SocketAddr,
    /// How long the connect itself took.
    pub(super) took: Duration,
    /// When that was.
    pub(super) found: Instant,
}

impl Routes {
    pub(super) fn get(&self, host: &str, port: u16, now: Instant) -> Option<Route> {
        let route = self.lock().get(&(host.to_owned(), port)).copied()?;
        (now.saturating_duration_since(route.found) < LIFE).then_some(route)
    }

    pub(super) fn put(&self, host: &str, port: u16, route: Route) {
        let mut routes = self.lock();
        let key = (host.to_owned(), port);
        if routes.len() >= MOST && !routes.contains_key(&key) {
            // The older half, since finding them means to look at all.
            let mut ages: Vec<Instant> = routes.values().map(|route| route.found).collect();
            ages.sort_unstable();
            if let Some(middle) = ages.get(ages.len() / 2) {
                routes.retain(|_, route| route.found > *middle);
            }
        }
        routes.insert(key, route);
    }

    pub(super) fn forget(&self, host: &str, port: u16) {
        self.lock().remove(&(host.to_owned(), port));
    }

    pub(super) fn clear(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(String, u16), Route>> {
        // Poison is ignored: no code of the caller's runs under it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Routes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Routes").field(&self.lock().len()).finish()
    }
}

/// How many hosts have a way that is remembered.
const MOST: usize = 1024;
/// A network changes: what was a good way is looked for anew now and then, so that a family that
/// works again is found (RFC 6555 §4.2 says ten minutes).
const LIFE: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests {
    use super::*;

    fn route(port: u16, found: Instant) -> Route {
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        Route { address, took: Duration::ZERO, found }
    }

    #[test]
    fn a_way_is_remembered_for_its_host_and_port_and_not_for_ever() {
        let (routes, now) = (Routes::default(), Instant::now());
        routes.put("a.test", 80, route(1, now));
        assert_eq!(routes.clone().get("a.test", 80, now + LIFE / 2), Some(route(1, now)));
        assert_eq!(routes.get("a.test", 81, now), None);
        assert_eq!(routes.get("a.test", 80, now + LIFE), None);
        routes.forget("a.test", 80);
        assert_eq!(routes.get("a.test", 80, now), None);
    }

    #[test]
    fn there_is_an_end_to_what_is_remembered_and_the_newest_stay() {
        let (routes, now) = (Routes::default(), Instant::now());
        for n in 0..5_000_u16 {
            let found = now + Duration::from_millis(n.into());
            routes.put(&n.to_string(), 80, route(n, found));
            assert!(routes.lock().len() <= MOST);
        }
        assert!(routes.get("4999", 80, now).is_some() && routes.get("4600", 80, now).is_some());
    }
}
