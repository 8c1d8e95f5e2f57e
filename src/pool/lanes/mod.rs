//! The order of the jobs that wait: one lane for each origin, each with a gate, and who may go next.
//! Pure: no lock, no clock, no socket.
//!
//! ```text
//!              ┌ lane a.example  ▢▢▢   open: may start now
//!  put(job) ──▶├ lane b.example  ▢▢    later: not before an instant (a rate, a pause)      ──▶ take()
//!              ├ lane c.example  ▢     full: when one of its jobs in flight has ended
//!              └ delayed         ▢▢    retries: back to their lanes when they are due
//! ```
//!
//! A worker takes first what goes to an origin to which it holds a connection, if that is among the jobs of
//! four windows; then, of those of a [`WINDOW`] and half as many more, what goes to an origin that nobody
//! holds; then what goes to one that few hold, that with most jobs for each of them; then the oldest. So
//! connections are used again without being shared, and no worker is kept waiting for another one's: where
//! one origin is slow, any worker takes its jobs. A job that too many younger ones have overtaken goes
//! first.
//!
//! Each step costs O(log n) of the jobs and lanes there are, and a look at no more lanes than a window and at
//! those that the worker holds. A lane that has nothing to do is forgotten as soon as it has nothing to remember.

mod by_index;
mod choice;
#[cfg(test)]
mod choice_tests;
#[cfg(test)]
mod cost_tests;
mod dice;
mod holding;
mod lane;
mod listing;
mod memory;
mod place;
#[cfg(test)]
mod oracle_tests;
#[cfg(test)]
mod random_tests;
mod recent;
#[cfg(test)]
mod table_tests;
#[cfg(test)]
mod tests;
mod ticket;

use std::collections::{BTreeSet, HashMap};
use std::time::Instant;

use self::by_index::ByIndex;
pub(super) use self::choice::{FAR, WINDOW};
use self::dice::Dice;
use self::lane::{Came, Lane};
use self::listing::Listing;
pub(super) use self::place::LaneId;
use self::place::Place;
use self::recent::Recent;
pub(super) use self::ticket::{Go, Held, Next, Ticket, Times};
use super::polite::{GateState, Hosts, Sign};
use crate::message::{Origin, Ration};

/// The jobs that wait, by origin.
pub(super) struct Lanes<T> {
    lanes: Vec<Option<Lane>>,
    /// Places in `lanes` that are free.
    free: Vec<LaneId>,
    by_origin: HashMap<Option<Origin>, LaneId>,
    /// The origin that was looked up there last: it is made anew for each, in the same memory.
    asked: Option<Origin>,
    recent: Recent,
    jobs: ByIndex<Waiting<T>>,
    /// Jobs that are not due yet.
    delayed: BTreeSet<(Instant, u64)>,
    /// When jobs that wait must be over.
    expiries: BTreeSet<(Instant, u64)>,
    listing: Listing,
    /// Lanes that have nothing to do, and until when they have something to remember.
    resting: BTreeSet<(Instant, LaneId)>,
    /// How many jobs have been started.
    starts: u64,
    /// The youngest that has come, by its index.
    youngest: Option<u64>,
    window: usize,
    hosts: Hosts,
    dice: Dice,
}

/// A job that waits.
struct Waiting<T> {
    item: T,
    lane: LaneId,
    due: Option<Instant>,
    expiry: Option<Instant>,
}

impl<T> Lanes<T> {
    pub(super) fn new(window: usize, hosts: Hosts, seed: Option<u64>) -> Self {
        Self {
            lanes: Vec::new(),
            free: Vec::new(),
            by_origin: HashMap::new(),
            asked: None,
            recent: Recent::default(),
            jobs: ByIndex::default(),
            delayed: BTreeSet::new(),
            expiries: BTreeSet::new(),
            listing: Listing::default(),
            resting: BTreeSet::new(),
            starts: 0,
            youngest: None,
            window: window.max(1),
            hosts,
            dice: Dice::new(seed),
        }
    }

    /// A number from 0 to 1.
    pub(super) fn roll(&mut self) -> f64 {
        self.dice.roll()
    }

    /// How many jobs wait, for whatever.
    pub(super) fn len(&self) -> usize {
        self.jobs.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }

    /// How many jobs could start now, if there were workers for them.
    pub(super) const fn ready(&self) -> usize {
        self.listing.ready()
    }

    /// When something here changes by itself: a job becomes due, or a lane opens.
    pub(super) fn next_time(&self) -> Option<Instant> {
        let due = self.delayed.first().map(|(due, _)| *due);
        due.into_iter().chain(self.listing.first_time()).min()
    }

    /// Puts a job into a lane. Its index is its place in the input, and older jobs go first.
    pub(super) fn put(&mut self, lane: LaneId, index: u64, times: Times, item: T, now: Instant) {
        let Times { due, expiry } = times;
        let due = due.filter(|due| *due > now);
        if let Some(expiry) = expiry {
            self.expiries.insert((expiry, index));
        }
        self.jobs.insert(index, Waiting { item, lane, due, expiry });
        self.wake(lane);
        if let Some(lane) = at(&mut self.lanes, lane) {
            lane.pending = lane.pending.saturating_add(1);
        }
        match due {
            Some(due) => {
                self.delayed.insert((due, index));
            }
            None => self.enter(lane, index, now),
        }
    }

    /// Whether the job of this index could start now, and is the first of its lane.
    pub(super) fn is_next(&self, index: u64) -> bool {
        let lane = self.jobs.get(&index).and_then(|job| self.lanes.get(job.lane.0)?.as_ref());
        lane.is_some_and(
            |lane| matches!(lane.place, Place::Open(n) | Place::Refused(n) if n == index),
        )
    }

    /// The job that a worker should take now, out of a window; `None` if there is none for it. Where
    /// nothing may be sent, only such as is answered without.
    pub(super) fn take(
        &mut self,
        held: &mut Held,
        now: Instant,
        may_send: bool,
        window: usize,
    ) -> Option<Next<T>> {
        self.advance(now);
        while let Some(id) = self.listing.first_refused() {
            let state = at(&mut self.lanes, id).map(|lane| lane.state(now));
            if let Some(GateState::Refused { until, failures }) = state {
                let origin = at(&mut self.lanes, id).and_then(|lane| lane.origin.as_ref());
                let origin = origin.map(Origin::to_string).unwrap_or_default();
                let item = self.pop(id, now)?;
                return Some(Next { item, go: Go::Refuse { origin, failures, until } });
            }
            // The circuit has closed meanwhile.
            self.list(id, now);
        }
        if !may_send {
            return None;
        }
        let id = self.choose(held, window.max(1))?;
        let random = self.dice.roll();
        let lane = at(&mut self.lanes, id)?;
        let pass = lane.start(now, random);
        self.starts = self.starts.saturating_add(1);
        let item = self.pop(id, now)?;
        self.try_to_hold(held, id);
        Some(Next { item, go: Go::Start(Ticket { lane: id, pass }) })
    }

    /// A try has ended.
    pub(super) fn end(&mut self, ticket: Ticket, sign: Sign, now: Instant) {
        let Some(lane) = at(&mut self.lanes, ticket.lane) else { return };
        lane.end(ticket.pass, sign, now);
        self.list(ticket.lane, now);
    }

    /// It is the first try of its job: retries are counted against it.
    pub(super) fn requested(&mut self, ticket: Ticket) {
        if let Some(lane) = at(&mut self.lanes, ticket.lane) {
            lane.budget.requested();
        }
    }

    /// Whether the origin's budget has a retry left; it is taken.
    pub(super) fn may_retry(&mut self, ticket: Ticket, ration: Ration) -> bool {
        at(&mut self.lanes, ticket.lane).is_some_and(|lane| lane.budget.withdraw(ration))
    }

    /// Takes out the job of this index, if it waits here.
    pub(super) fn remove(&mut self, index: u64, now: Instant) -> Option<T> {
        let waiting = self.jobs.remove(&index)?;
        let id = waiting.lane;
        if let Some(due) = waiting.due {
            self.delayed.remove(&(due, index));
        }
        if let Some(expiry) = waiting.expiry {
            self.expiries.remove(&(expiry, index));
        }
        if let Some(lane) = at(&mut self.lanes, id) {
            lane.jobs.remove(&index);
            lane.pending = lane.pending.saturating_sub(1);
        }
        self.list(id, now);
        Some(waiting.item)
    }

    /// Takes out those that are of this kind, the oldest first.
    pub(super) fn drain_where(&mut self, is: impl Fn(&T) -> bool, now: Instant) -> Vec<(u64, T)> {
        let found = self.jobs.iter().filter(|(_, waiting)| is(&waiting.item));
        let mut indices: Vec<u64> = found.map(|(index, _)| *index).collect();
        indices.sort_unstable();
        indices.into_iter().filter_map(|n| Some((n, self.remove(n, now)?))).collect()
    }

    /// When the next of those that wait must be over.
    pub(super) fn next_expiry(&self) -> Option<Instant> {
        self.expiries.first().map(|(expiry, _)| *expiry)
    }

    /// Takes out one that must be over by now.
    pub(super) fn take_expired(&mut self, now: Instant) -> Option<T> {
        let &(_, index) = self.expiries.first().filter(|(expiry, _)| *expiry <= now)?;
        self.remove(index, now)
    }

    /// Takes the oldest job out of a lane.
    fn pop(&mut self, id: LaneId, now: Instant) -> Option<T> {
        let index = self.lanes.get(id.0)?.as_ref()?.first()?;
        self.remove(index, now)
    }

    /// What the clock alone has changed.
    pub(super) fn advance(&mut self, now: Instant) {
        while let Some(&(due, index)) = self.delayed.first().filter(|(due, _)| *due <= now) {
            self.delayed.remove(&(due, index));
            let Some(waiting) = self.jobs.get_mut(&index) else { continue };
            waiting.due = None;
            let lane = waiting.lane;
            self.enter(lane, index, now);
        }
        while let Some(id) = self.listing.first_due(now) {
            self.list(id, now);
        }
        while let Some(&(until, id)) = self.resting.first().filter(|(until, _)| *until <= now) {
            self.resting.remove(&(until, id));
            self.rest(id, now);
        }
    }

    /// A job that is due enters its lane.
    fn enter(&mut self, id: LaneId, index: u64, now: Instant) {
        // Where it is the youngest, all that could start are before it.
        let is_youngest = self.youngest.is_none_or(|youngest| index > youngest);
        let before = if is_youngest { self.listing.ready() } else { 0 };
        if is_youngest {
            self.youngest = Some(index);
        }
        let turn = u64::try_from(before).unwrap_or(u64::MAX).saturating_add(self.listing.gone());
        let came = Came { starts: self.starts, turn };
        if let Some(lane) = at(&mut self.lanes, id) {
            // A retry goes before younger jobs of its lane: what they have waited counts for it too,
            // or each retry would make them wait as long again.
            let behind = index.checked_add(1).and_then(|next| lane.jobs.range(next..).next());
            let came = behind.map_or(came, |(_, behind)| came.or_earlier(*behind));
            lane.jobs.insert(index, came);
        }
        self.list(id, now);
    }

    /// Notes where a lane stands now.
    fn list(&mut self, id: LaneId, now: Instant) {
        let Some(lane) = at(&mut self.lanes, id) else { return };
        let place = match lane.first() {
            None => Place::Nowhere,
            Some(first) => match lane.state(now) {
                GateState::Open => Place::Open(first),
                GateState::Until(at) => Place::Later(at),
                GateState::Full => Place::Nowhere,
                GateState::Refused { .. } => Place::Refused(first),
            },
        };
        if !matches!(place, Place::Open(_)) {
            lane.seen = None;
        }
        let ready = lane.jobs.len();
        self.listing.put(id, lane, place, ready);
        self.rest(id, now);
    }
}

fn at(lanes: &mut [Option<Lane>], id: LaneId) -> Option<&mut Lane> {
    lanes.get_mut(id.0)?.as_mut()
}
