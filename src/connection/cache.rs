//! What is remembered of look-ups, shared by the workers of a pool.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use super::resolve::{Known, Question, Resolver};
use super::routes::Routes;

/// A memory for the addresses of hosts. Clones share what is in it.
///
/// A [`SessionConfig`](crate::SessionConfig) has one by default, and since each worker of a pool is
/// given a clone of the settings, a host is looked up once for the whole pool: also where all workers
/// ask at the same moment, since those who come while it is being looked up wait for that answer. To
/// share one between pools, put clones of it into the settings of each.
///
/// Addresses are kept for [`ttl`](Self::ttl). The system does not tell for how long the name server
/// meant them to be, so this is a time of the caller's choice. That there is no such name is kept for
/// [`negative_ttl`](Self::negative_ttl); a look-up that failed otherwise, or was given up, is not
/// remembered. Where no address of a host could be connected to, they are forgotten. What one
/// [`Resolver`] said is never told to a session that has another one.
///
/// It also remembers which address of a host was connected to, for ten minutes, so that the next
/// connection goes there first: a host whose other address family is dead costs time once.
///
/// # Examples
///
/// ```
/// use fetchpool::{DnsCache, SessionConfig};
/// use std::time::Duration;
///
/// let names = DnsCache::new().ttl(Duration::from_secs(300)).capacity(10_000);
/// let mut config = SessionConfig::new();
/// config.dns_cache = Some(names.clone());
/// // From now on every host is looked up anew, by all who share it.
/// names.clear();
/// ```
#[derive(Clone)]
pub struct DnsCache {
    ttl: Duration,
    negative_ttl: Duration,
    capacity: usize,
    store: Arc<Mutex<Store>>,
    routes: Routes,
}

impl DnsCache {
    /// An empty one: addresses for 60 s, names that are none for 2 s, 1024 hosts.
    #[must_use]
    pub fn new() -> Self {
        Self {
            ttl: Duration::from_secs(60),
            negative_ttl: Duration::from_secs(2),
            capacity: 1024,
            store: Arc::default(),
            routes: Routes::default(),
        }
    }

    /// How old addresses may be to be used, through this handle and the clones made of it. Default:
    /// 60 s. Zero: none is used twice, but look-ups at the same time are still shared. Danger: a host
    /// that moves is not found for so long.
    #[must_use]
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = ttl;
        self
    }

    /// The same for the answer that there is no such name. Default: 2 s.
    #[must_use]
    pub fn negative_ttl(mut self, negative_ttl: Duration) -> Self {
        self.negative_ttl = negative_ttl;
        self
    }

    /// How many hosts are remembered; when there are more, the oldest go. Default: 1024, each with at
    /// most 64 addresses.
    #[must_use]
    pub fn capacity(mut self, capacity: usize) -> Self {
        self.capacity = capacity;
        self
    }

    /// Forgets everything, for all who share it: where the network has changed, say.
    pub fn clear(&self) {
        *self.lock() = Store::default();
        self.routes.clear();
    }

    /// Which addresses could be connected to.
    pub(super) const fn routes(&self) -> &Routes {
        &self.routes
    }

    pub(super) fn is_shared_with(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.store, &other.store)
    }

    /// The answer to the question, if there is one that is not too old.
    pub(super) fn get(&self, question: Question<'_>, now: Instant) -> Option<Known> {
        let store = self.lock();
        let entry = store.hosts.get(question.host)?.iter().find(|entry| entry.is_for(question))?;
        self.is_fresh(entry, now).then(|| entry.known.clone())
    }

    /// Remembers an answer that has just come.
    pub(super) fn put(&self, question: Question<'_>, known: Known, now: Instant) {
        let entry = Entry {
            resolver: question.resolver.map(Arc::downgrade),
            port: question.port,
            learned: now,
            known,
        };
        if self.capacity == 0 || !self.is_fresh(&entry, now) {
            return;
        }
        let mut store = self.lock();
        store.forget(question);
        if store.count >= self.capacity {
            store.retain(|kept| self.is_fresh(kept, now));
            store.make_room(self.capacity);
        }
        store.count = store.count.saturating_add(1);
        store.hosts.entry(question.host.into()).or_default().push(entry);
    }

    /// Forgets the answer: it was of no use.
    pub(super) fn forget(&self, question: Question<'_>) {
        self.lock().forget(question);
    }

    fn is_fresh(&self, entry: &Entry, now: Instant) -> bool {
        let ttl = match entry.known {
            Known::Addresses(_) => self.ttl,
            Known::Nothing(..) => self.negative_ttl,
        };
        now.saturating_duration_since(entry.learned) < ttl
    }

    fn lock(&self) -> MutexGuard<'_, Store> {
        // Poison is ignored: no code of the caller's runs under it.
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for DnsCache {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for DnsCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DnsCache")
            .field("ttl", &self.ttl)
            .field("negative_ttl", &self.negative_ttl)
            .field("capacity", &self.capacity)
            .field("hosts", &self.lock().count)
            .finish_non_exhaustive()
    }
}

/// Answers, by host: one for each resolver and port that were asked.
#[derive(Default)]
struct Store {
    hosts: HashMap<Box<str>, Vec<Entry>>,
    /// How many answers there are.
    count: usize,
}

impl Store {
    fn forget(&mut self, question: Question<'_>) {
        let Some(entries) = self.hosts.get_mut(question.host) else { return };
        let before = entries.len();
        entries.retain(|entry| !entry.is_for(question));
        self.count = self.count.saturating_sub(before.saturating_sub(entries.len()));
        if entries.is_empty() {
            self.hosts.remove(question.host);
        }
    }

    fn retain(&mut self, keep: impl Fn(&Entry) -> bool) {
        self.hosts.retain(|_, entries| {
            entries.retain(&keep);
            !entries.is_empty()
        });
        self.count = self.hosts.values().map(Vec::len).sum();
    }

    /// Lets the oldest go, if there is no room for one more. It is an eighth of them, since finding
    /// them means to look at all.
    fn make_room(&mut self, capacity: usize) {
        let Some(surplus) = self.count.saturating_add(1).checked_sub(capacity) else { return };
        if surplus == 0 {
            return;
        }
        let mut ages: Vec<Instant> = self.hosts.values().flatten().map(|e| e.learned).collect();
        ages.sort_unstable();
        let going = surplus.saturating_add(capacity / 8);
        if let Some(youngest_that_goes) = ages.get(going.saturating_sub(1)).or_else(|| ages.last())
        {
            self.retain(|entry| entry.learned > *youngest_that_goes);
        }
    }
}

struct Entry {
    /// Who said so. What is kept of it is its identity: the resolver itself ends with its sessions,
    /// and as long as this is there no other one can come to the same address in memory.
    resolver: Option<Weak<dyn Resolver>>,
    port: u16,
    learned: Instant,
    known: Known,
}

impl Entry {
    fn is_for(&self, question: Question<'_>) -> bool {
        let same = match (&self.resolver, question.resolver) {
            (None, None) => true,
            (Some(mine), Some(theirs)) => std::ptr::addr_eq(mine.as_ptr(), Arc::as_ptr(theirs)),
            _ => false,
        };
        same && self.port == question.port
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::net::SocketAddr;

    use super::*;

    fn at(port: u16) -> Known {
        Known::Addresses(Arc::new([SocketAddr::from(([127, 0, 0, 1], port))]))
    }

    fn port_of(known: Option<Known>) -> Option<u16> {
        known.and_then(|known| known.addresses().ok()?.first().map(SocketAddr::port))
    }

    fn system(host: &str) -> Question<'_> {
        Question::new(None, host, 80)
    }

    fn resolver() -> Arc<dyn Resolver> {
        Arc::new(|_: &str, _: u16| Ok(Vec::new()))
    }

    const S: Duration = Duration::from_secs(1);

    #[test]
    fn an_answer_is_used_until_it_is_as_old_as_the_handle_allows() {
        let (cache, now) = (DnsCache::new(), Instant::now());
        cache.put(system("a.test"), at(1), now);
        assert_eq!(port_of(cache.get(system("a.test"), now + 59 * S)), Some(1));
        assert!(cache.get(system("a.test"), now + 60 * S).is_none());
        let patient = cache.clone().ttl(120 * S);
        assert_eq!(port_of(patient.get(system("a.test"), now + 60 * S)), Some(1));
        assert!(cache.get(system("b.test"), now).is_none());
        patient.clear();
        assert!(cache.get(system("a.test"), now).is_none());
    }

    #[test]
    fn that_there_is_no_such_name_is_kept_for_a_shorter_while() {
        let (cache, now) = (DnsCache::new(), Instant::now());
        let nothing = Known::Nothing(io::ErrorKind::NotFound, "no such name".into());
        cache.put(system("a.test"), nothing, now);
        let error = cache.get(system("a.test"), now + S).unwrap().addresses().unwrap_err();
        assert_eq!(error.to_string(), "no such name");
        assert!(cache.get(system("a.test"), now + 2 * S).is_none());
    }

    #[test]
    fn what_one_resolver_said_another_ones_session_does_not_hear() {
        let (cache, now) = (DnsCache::new(), Instant::now());
        let (mine, theirs) = (resolver(), resolver());
        cache.put(Question::new(Some(&mine), "a.test", 80), at(1), now);
        cache.put(system("a.test"), at(2), now);
        let ask = |resolver: Option<&Arc<dyn Resolver>>, port| {
            port_of(cache.get(Question::new(resolver, "a.test", port), now))
        };
        assert_eq!(ask(Some(&mine), 80), Some(1));
        assert_eq!(ask(Some(&mine), 81), None, "a resolver may tell ports apart");
        assert_eq!(ask(Some(&theirs), 80), None);
        assert_eq!((ask(None, 80), ask(None, 81)), (Some(2), Some(2)), "the system does not");
        // A new one is another one, also if it comes to lie where an old one was.
        drop(mine);
        for _ in 0..64 {
            assert_eq!(ask(Some(&resolver()), 80), None);
        }
        cache.forget(system("a.test"));
        assert_eq!(ask(None, 80), None);
    }

    #[test]
    fn there_are_never_more_than_the_capacity_and_the_oldest_go_first() {
        let (cache, now) = (DnsCache::new().capacity(16), Instant::now());
        for n in 0..100 {
            let host = format!("{n}.test");
            cache.put(system(&host), at(n), now + u32::from(n) * S / 100);
            let count = cache.lock().count;
            assert!(count <= 16, "{count}");
            assert_eq!(count, cache.lock().hosts.len());
            assert_eq!(port_of(cache.get(system(&host), now + S)), Some(n));
        }
        assert!(cache.get(system("0.test"), now).is_none());
        assert_eq!(port_of(cache.get(system("90.test"), now + S)), Some(90));
        let smaller = cache.clone().capacity(1);
        smaller.put(system("last.test"), at(1), now + S);
        assert_eq!(cache.lock().count, 1);
        cache.clone().capacity(0).put(system("none.test"), at(1), now + S);
        assert!(cache.get(system("none.test"), now + S).is_none());
    }

    #[test]
    fn what_is_too_old_goes_before_anything_else() {
        let (cache, now) = (DnsCache::new().capacity(8), Instant::now());
        let nothing = || Known::Nothing(io::ErrorKind::NotFound, "none".into());
        cache.put(system("old.test"), at(1), now);
        for n in 0..7 {
            cache.put(system(&format!("{n}.test")), nothing(), now + S);
        }
        cache.put(system("new.test"), at(2), now + 10 * S);
        assert_eq!(cache.lock().count, 2);
        assert_eq!(port_of(cache.get(system("old.test"), now + 10 * S)), Some(1));
    }
}
