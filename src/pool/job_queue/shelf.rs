//! What is in a memory queue beside the jobs that are ready: leased, resting, dead. Pure: the time is
//! an argument.

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};
use std::time::{Duration, Instant};

use super::claim::ClaimedJob;
use super::types::{Depth, Lease, Nack, Settled, Submitted, Ticket};
use crate::message::Request;

/// A job that is not to be delivered any more: [`MemoryQueue::take_dead_letters`].
///
/// [`MemoryQueue::take_dead_letters`]: crate::MemoryQueue::take_dead_letters
#[derive(Debug)]
pub struct DeadLetter {
    request: Request,
    key: Option<String>,
    deliveries: u32,
    reason: String,
}

impl DeadLetter {
    /// The request.
    pub const fn request(&self) -> &Request {
        &self.request
    }

    /// What names the job over all of its deliveries.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// How often it was delivered.
    #[must_use]
    pub const fn deliveries(&self) -> u32 {
        self.deliveries
    }

    /// Why it is here.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// The request, to be put into a queue again.
    pub fn into_request(self) -> Request {
        self.request
    }
}

/// A job that nobody has.
#[derive(Debug)]
pub(super) struct Entry {
    request: Request,
    key: Option<String>,
    /// Deliveries that count, up to now.
    deliveries: u32,
}

/// Everything but the jobs that are ready, which are only counted here.
pub(super) struct Shelf {
    lease: Duration,
    /// Counts what was lent: a number names one delivery, and is its ticket.
    lent: u64,
    leased: BTreeMap<u64, (Entry, Instant)>,
    /// The same by the end of their leases.
    ends: BTreeSet<(Instant, u64)>,
    /// What rests, by the time that it may go; a number of its own tells those of one time apart.
    resting: BTreeMap<(Instant, u64), Entry>,
    /// The last deliveries that were settled, the latest at the end.
    settled: VecDeque<u64>,
    keys: HashSet<String>,
    dead: Vec<DeadLetter>,
    ready: u64,
    closed: bool,
}

impl Shelf {
    pub(super) fn new(lease: Duration) -> Self {
        Self {
            lease,
            lent: 0,
            leased: BTreeMap::new(),
            ends: BTreeSet::new(),
            resting: BTreeMap::new(),
            settled: VecDeque::new(),
            keys: HashSet::new(),
            dead: Vec::new(),
            ready: 0,
            closed: false,
        }
    }

    /// A job comes in; `Err` if the queue is closed.
    pub(super) fn take_in(
        &mut self,
        request: Request,
        key: Option<&str>,
    ) -> Result<(Submitted, Option<Entry>), Closed> {
        if self.closed {
            return Err(Closed);
        }
        if let Some(key) = key
            && !self.keys.insert(key.to_owned())
        {
            return Ok((Submitted::Duplicate, None));
        }
        let entry = Entry { request, key: key.map(str::to_owned), deliveries: 0 };
        Ok((Submitted::New, Some(self.now_ready(entry))))
    }

    /// A job that was ready is lent.
    pub(super) fn lend(&mut self, mut entry: Entry, now: Instant) -> ClaimedJob {
        self.ready = self.ready.saturating_sub(1);
        self.lent = self.lent.saturating_add(1);
        entry.deliveries = entry.deliveries.saturating_add(1);
        let mut job = ClaimedJob::new(entry.request.clone(), Ticket::new(self.lent.to_string()))
            .delivery(entry.deliveries)
            .lease(self.lease);
        if let Some(key) = &entry.key {
            job = job.key(key);
        }
        let end = after(now, self.lease);
        self.ends.insert((end, self.lent));
        self.leased.insert(self.lent, (entry, end));
        job
    }

    /// A delivery is over; gives the job back if it is ready at once.
    pub(super) fn settle(
        &mut self,
        ticket: &Ticket,
        nack: Option<Nack>,
        now: Instant,
    ) -> (Settled, Option<Entry>) {
        let Some((number, mut entry)) = self.take_leased(ticket, now) else {
            let number = number_of(ticket);
            let known = number.is_some_and(|number| self.settled.contains(&number));
            return (if known { Settled::AlreadySettled } else { Settled::Stale }, None);
        };
        if self.settled.len() >= REMEMBERED {
            self.settled.pop_front();
        }
        self.settled.push_back(number);
        let after = match nack {
            None => {
                self.forget_key(&entry);
                return (Settled::Done, None);
            }
            Some(Nack::Dead { reason }) => {
                self.forget_key(&entry);
                let Entry { request, key, deliveries } = entry;
                self.dead.push(DeadLetter { request, key, deliveries, reason });
                return (Settled::Done, None);
            }
            Some(Nack::Retry { after }) => after,
            Some(Nack::Release { after }) => {
                entry.deliveries = entry.deliveries.saturating_sub(1);
                after
            }
        };
        if after.is_zero() {
            return (Settled::Done, Some(self.now_ready(entry)));
        }
        self.resting.insert((self::after(now, after), number), entry);
        (Settled::Done, None)
    }

    pub(super) fn extend(&mut self, ticket: &Ticket, by: Duration, now: Instant) -> Lease {
        let Some((number, entry)) = self.take_leased(ticket, now) else { return Lease::Lost };
        let end = after(now, by);
        self.ends.insert((end, number));
        self.leased.insert(number, (entry, end));
        Lease::Held(by)
    }

    /// What is ready from now on: those whose lease has run out, and those that have rested.
    pub(super) fn take_due(&mut self, now: Instant) -> Vec<Entry> {
        let mut due = Vec::new();
        while let Some(&(end, number)) = self.ends.first()
            && end <= now
        {
            self.ends.pop_first();
            if let Some((entry, _)) = self.leased.remove(&number) {
                due.push(self.now_ready(entry));
            }
        }
        while let Some(first) = self.resting.first_entry()
            && first.key().0 <= now
        {
            let entry = first.remove();
            due.push(self.now_ready(entry));
        }
        due
    }

    /// When there will be something due.
    pub(super) fn next_due(&self) -> Option<Instant> {
        let end = self.ends.first().map(|(end, _)| *end);
        let rested = self.resting.keys().next().map(|(at, _)| *at);
        end.into_iter().chain(rested).min()
    }

    pub(super) const fn close(&mut self) {
        self.closed = true;
    }

    /// Whether there is nothing, and will be nothing.
    pub(super) fn is_drained(&self) -> bool {
        self.closed && self.depth().total() == 0
    }

    pub(super) const fn has_ready(&self) -> bool {
        self.ready > 0
    }

    pub(super) fn depth(&self) -> Depth {
        let count = |jobs: usize| u64::try_from(jobs).unwrap_or(u64::MAX);
        Depth::new(self.ready, count(self.resting.len()), count(self.leased.len()))
    }

    pub(super) fn take_dead(&mut self) -> Vec<DeadLetter> {
        std::mem::take(&mut self.dead)
    }

    /// The job that this delivery is of, if it is still leased.
    fn take_leased(&mut self, ticket: &Ticket, now: Instant) -> Option<(u64, Entry)> {
        let number = number_of(ticket)?;
        if self.leased.get(&number)?.1 <= now {
            return None;
        }
        let (entry, end) = self.leased.remove(&number)?;
        self.ends.remove(&(end, number));
        Some((number, entry))
    }

    const fn now_ready(&mut self, entry: Entry) -> Entry {
        self.ready = self.ready.saturating_add(1);
        entry
    }

    fn forget_key(&mut self, entry: &Entry) {
        if let Some(key) = &entry.key {
            self.keys.remove(key);
        }
    }
}

/// The queue takes no more jobs in.
#[derive(Debug)]
pub(super) struct Closed;

fn number_of(ticket: &Ticket) -> Option<u64> {
    ticket.as_str().parse().ok()
}

/// A time too far for the clock is a century away.
fn after(now: Instant, wait: Duration) -> Instant {
    now.checked_add(wait).or_else(|| now.checked_add(CENTURY)).unwrap_or(now)
}

const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);
/// How many settled deliveries are told from lost ones.
const REMEMBERED: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(30);

    const fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// A shelf with one job on loan, since `now`.
    fn lent(now: Instant) -> (Shelf, ClaimedJob) {
        let mut shelf = Shelf::new(LEASE);
        let (_, entry) = shelf.take_in(Request::get("http://h/"), Some("k")).unwrap();
        let job = shelf.lend(entry.unwrap(), now);
        (shelf, job)
    }

    #[test]
    fn a_lease_that_runs_out_makes_the_job_ready_and_the_ticket_stale() {
        let now = Instant::now();
        let (mut shelf, first) = lent(now);
        assert!(shelf.take_due(now + secs(29)).is_empty());
        assert_eq!(shelf.next_due(), Some(now + LEASE));
        let entry = shelf.take_due(now + LEASE).pop().unwrap();
        let second = shelf.lend(entry, now + LEASE);
        assert_eq!((second.number(), second.own_key()), (2, Some("k")));
        assert_eq!(shelf.settle(first.ticket(), None, now + LEASE).0, Settled::Stale);
        assert_eq!(shelf.extend(first.ticket(), LEASE, now + LEASE), Lease::Lost);
        assert_eq!(shelf.settle(second.ticket(), None, now + LEASE).0, Settled::Done);
        assert_eq!(shelf.settle(second.ticket(), None, now + LEASE).0, Settled::AlreadySettled);
    }

    #[test]
    fn a_ticket_is_stale_at_the_moment_its_lease_ends_and_not_only_when_somebody_looks() {
        let now = Instant::now();
        let (mut shelf, job) = lent(now);
        assert_eq!(shelf.settle(job.ticket(), None, now + LEASE).0, Settled::Stale);
        assert_eq!(shelf.take_due(now + LEASE).len(), 1);
    }

    #[test]
    fn an_extended_lease_ends_later() {
        let now = Instant::now();
        let (mut shelf, job) = lent(now);
        assert_eq!(shelf.extend(job.ticket(), LEASE, now + secs(20)), Lease::Held(LEASE));
        assert!(shelf.take_due(now + secs(49)).is_empty());
        assert_eq!(shelf.take_due(now + secs(50)).len(), 1);
    }

    #[test]
    fn what_goes_back_rests_and_is_counted_unless_it_was_not_tried() {
        for (nack, number) in
            [(Nack::Retry { after: secs(5) }, 2), (Nack::Release { after: secs(5) }, 1)]
        {
            let now = Instant::now();
            let (mut shelf, job) = lent(now);
            assert!(shelf.settle(job.ticket(), Some(nack), now).1.is_none());
            assert_eq!(shelf.depth(), Depth::new(0, 1, 0));
            assert!(shelf.take_due(now + secs(4)).is_empty());
            let entry = shelf.take_due(now + secs(5)).pop().unwrap();
            assert_eq!(shelf.lend(entry, now).number(), number);
        }
    }

    #[test]
    fn a_key_is_free_again_when_its_job_is_settled_for_good() {
        let again = |shelf: &mut Shelf| shelf.take_in(Request::get("http://h/"), Some("k"));
        for (nack, expected) in [
            (None, Submitted::New),
            (Some(Nack::Dead { reason: "r".into() }), Submitted::New),
            (Some(Nack::Retry { after: secs(1) }), Submitted::Duplicate),
        ] {
            let now = Instant::now();
            let (mut shelf, job) = lent(now);
            assert_eq!(again(&mut shelf).unwrap().0, Submitted::Duplicate);
            shelf.settle(job.ticket(), nack, now);
            assert_eq!(again(&mut shelf).unwrap().0, expected);
        }
    }

    #[test]
    fn a_closed_shelf_is_drained_when_the_last_job_is_settled() {
        let now = Instant::now();
        let (mut shelf, job) = lent(now);
        shelf.close();
        assert!(shelf.take_in(Request::get("http://h/"), None).is_err() && !shelf.is_drained());
        shelf.settle(job.ticket(), Some(Nack::Dead { reason: "no use".into() }), now);
        assert!(shelf.is_drained());
        let dead = shelf.take_dead();
        assert_eq!(
            (dead[0].key(), dead[0].deliveries(), dead[0].reason()),
            (Some("k"), 1, "no use")
        );
    }

    #[test]
    fn a_lease_of_any_length_is_kept() {
        let now = Instant::now();
        let (mut shelf, job) = lent(now);
        assert_eq!(shelf.extend(job.ticket(), Duration::MAX, now), Lease::Held(Duration::MAX));
        assert_eq!(shelf.settle(job.ticket(), None, now + secs(1000)).0, Settled::Done);
    }
}
