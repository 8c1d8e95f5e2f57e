//! What is in a jar: cookies by site, under ceilings.
//!
//! `cookie_store`'s own store looks through every domain for each request, keeps what has expired,
//! has no ceilings, and forgets in which order cookies came. This one finds the cookies of a
//! site at once, however full the jar is.

use std::collections::HashMap;

use super::entry::{Entry, Millis};
use super::refusal::Refusal;
use crate::message::Target;

#[derive(Clone, Default)]
pub(super) struct Store {
    /// By site. None is empty.
    sites: HashMap<String, Vec<Entry>>,
    count: usize,
    bytes: usize,
    tick: u64,
}

impl Store {
    /// Takes a cookie in, in the place of one that it replaces. One that has expired takes that
    /// one out, and is not kept itself.
    pub(super) fn put(
        &mut self,
        site: &str,
        entry: Entry,
        is_https: bool,
        now: Millis,
    ) -> Result<(), Refusal> {
        let mut entries = self.take(site);
        entries.retain(|old| !old.is_expired(now));
        let result = self.place(&mut entries, entry, is_https, now);
        self.give(site.to_owned(), entries);
        if self.count > COOKIES || self.bytes > BYTES {
            self.make_room(now);
        }
        result
    }

    fn place(
        &mut self,
        entries: &mut Vec<Entry>,
        mut entry: Entry,
        is_https: bool,
        now: Millis,
    ) -> Result<(), Refusal> {
        if !is_https && entries.iter().any(|old| entry.would_shadow(old)) {
            return Err(Refusal::SecureExists);
        }
        let old = entries.iter().position(|old| old.is_same(&entry));
        let old = old.map(|at| entries.swap_remove(at));
        if entry.is_expired(now) {
            return Ok(());
        }
        entry.used = self.next_tick();
        entry.created = old.map_or(entry.used, |old| old.created);
        entries.push(entry);
        let mut bytes: usize = entries.iter().map(Entry::size).sum();
        while entries.len() > SITE_COOKIES || bytes > SITE_BYTES {
            let least = entries.iter().enumerate().min_by_key(|(_, entry)| rank(entry));
            let Some((at, _)) = least else { break };
            bytes = bytes.saturating_sub(entries.swap_remove(at).size());
        }
        Ok(())
    }

    /// The `Cookie` field for a URL: what the caller has set itself, and behind it the cookies that
    /// go there and whose names the caller has not set. Longer paths come first, and of paths as
    /// long those that were there first (RFC 6265 §5.4).
    pub(super) fn field(
        &mut self,
        target: &Target,
        site: &str,
        theirs: &str,
        now: Millis,
    ) -> Option<String> {
        let tick = self.next_tick();
        let name_of = |pair| str::split_once(pair, '=').map_or(pair, |(name, _)| name).trim();
        let taken: Vec<&str> = theirs.split(';').map(name_of).collect();
        let mut field = theirs.to_owned();
        let mut room = FIELD_COOKIES;
        let entries = self.sites.get_mut(site).map(Vec::as_mut_slice).unwrap_or_default();
        let mut fitting: Vec<&mut Entry> = entries
            .iter_mut()
            .filter(|entry| !entry.is_expired(now) && entry.goes_to(target))
            .collect();
        fitting.sort_by_key(|entry| (usize::MAX - entry.path().len(), entry.created));
        for entry in fitting {
            let (name, value) = (entry.name(), entry.value());
            let length = name.len().saturating_add(value.len()).saturating_add("; =".len());
            let fits = field.len().saturating_add(length) <= FIELD_BYTES && room > 0;
            if !fits || taken.contains(&name) {
                continue;
            }
            room -= 1;
            if !field.is_empty() {
                field.push_str("; ");
            }
            field.extend([name, "=", value]);
            entry.used = tick;
        }
        (!field.is_empty()).then_some(field)
    }

    /// Every cookie that has not expired, in the order in which they came.
    pub(super) fn entries(&self, now: Millis) -> Vec<&Entry> {
        let all = self.sites.values().flatten().filter(|entry| !entry.is_expired(now));
        let mut all: Vec<&Entry> = all.collect();
        all.sort_by_key(|entry| entry.created);
        all
    }

    /// Keeps those of which this holds.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(&Entry) -> bool) {
        for (site, mut entries) in std::mem::take(&mut self.sites) {
            entries.retain(&mut keep);
            if !entries.is_empty() {
                self.sites.insert(site, entries);
            }
        }
        self.count = self.sites.values().map(Vec::len).sum();
        self.bytes = self.sites.values().flatten().map(Entry::size).sum();
    }

    /// Lets those go that have expired, and then those that were not used for longest, Secure ones
    /// last; and not only as many as must, so that not each new cookie has to look for the next.
    fn make_room(&mut self, now: Millis) {
        self.retain(|entry| !entry.is_expired(now));
        let mut all: Vec<_> =
            self.sites.values().flatten().map(|entry| (rank(entry), entry.size())).collect();
        all.sort_unstable();
        let (mut count, mut bytes, mut last) = (self.count, self.bytes, None);
        for (rank, size) in all {
            if count <= COOKIES - COOKIES / 10 && bytes <= BYTES - BYTES / 10 {
                break;
            }
            count = count.saturating_sub(1);
            bytes = bytes.saturating_sub(size);
            last = Some(rank);
        }
        self.retain(|entry| last.is_none_or(|last| rank(entry) > last));
    }

    fn take(&mut self, site: &str) -> Vec<Entry> {
        let entries = self.sites.remove(site).unwrap_or_default();
        self.count = self.count.saturating_sub(entries.len());
        self.bytes = self.bytes.saturating_sub(entries.iter().map(Entry::size).sum());
        entries
    }

    fn give(&mut self, site: String, entries: Vec<Entry>) {
        self.count = self.count.saturating_add(entries.len());
        self.bytes = self.bytes.saturating_add(entries.iter().map(Entry::size).sum());
        if !entries.is_empty() {
            self.sites.insert(site, entries);
        }
    }

    const fn next_tick(&mut self) -> u64 {
        self.tick = self.tick.saturating_add(1);
        self.tick
    }
}

/// What is let go first ranks least.
fn rank(entry: &Entry) -> (bool, u64, u64) {
    (entry.is_secure(), entry.used, entry.created)
}

/// How many cookies of all sites a jar keeps (RFC 6265 §6.1: at least 3000).
pub(super) const COOKIES: usize = 3000;
/// How many cookies of one site it keeps, as browsers do (RFC 6265 §6.1: at least 50 a domain).
pub(super) const SITE_COOKIES: usize = 180;
/// How much memory they may take in all, roughly.
pub(super) const BYTES: usize = 1 << 20;
/// How much those of one site may: as little of all as they are of the number, so that one site
/// cannot drive out the others.
pub(super) const SITE_BYTES: usize = BYTES / 16;
/// How long a `Cookie` field may become by what a jar adds to it, as with curl: many servers refuse
/// a head that is longer than 8 KiB, and a cookie must not lock the client out.
pub(super) const FIELD_BYTES: usize = 8190;
/// How many cookies a jar sends at once, as with curl.
pub(super) const FIELD_COOKIES: usize = 150;
