//! Who talks to the engine beside the worker that claims: keeps leases alive, and settles.
//!
//! A worker settles its own jobs, and a caller those that were given to him. What must not wait for an
//! engine (a cancel, a drop, a view) leaves it to the clerk's thread, which extends the leases as
//! well: at each third of a lease, and more often after an error. Everything that thread will do stands
//! in one agenda, in the order of time.
//!
//! The thread ends when the pool is gone and every delivery is settled: outcomes may outlive their
//! pool.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Builder;
use std::time::{Duration, Instant};

use super::claim::{Claim, Claimed};
use super::contract::JobQueue;
use super::fault::QueueError;
use super::lease::{again_after_error, end_of, next_extension};
use super::options::QueueOptions;
use super::types::{Lease, Settled, Ticket};
use super::verdict::Verdict;
use crate::catch::catch;
use crate::log::debug;
use crate::message::CancelToken;
use crate::observer::Observer;

/// An engine, and what a pool has going on with it.
pub(in crate::pool) struct Clerk {
    engine: Box<dyn JobQueue>,
    pub(super) options: QueueOptions,
    observer: Option<Arc<dyn Observer>>,
    /// The pool takes no more jobs.
    over: AtomicBool,
    errors: AtomicU64,
    stale: AtomicU64,
    book: Mutex<Book>,
    changed: Condvar,
}

struct Book {
    /// Counts deliveries and tasks.
    next: u64,
    /// Deliveries that are not settled.
    open: BTreeMap<u64, Open>,
    agenda: BTreeMap<(Instant, u64), Task>,
    /// Settlements in the agenda, and the one that is under way.
    errands: usize,
    /// Jobs that were claimed and have no outcome yet, and when the last one changed.
    running: usize,
    active: Instant,
    /// The pool is gone.
    leaving: bool,
}

/// A delivery that is not settled.
struct Open {
    ticket: Ticket,
    lease: Option<Duration>,
    /// When the lease runs out, as far as is known here.
    ends: Instant,
    /// Where the agenda says to extend it.
    due: Option<(Instant, u64)>,
    /// The engine is being told what became of it: that it is not ours any more may be from that.
    asking: bool,
    loss: Arc<Loss>,
}

/// How whoever has the job learns that its lease was lost.
#[derive(Default)]
pub(super) struct Loss {
    lost: AtomicBool,
    /// Ends the request.
    pub(super) token: CancelToken,
}

impl Loss {
    pub(super) fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Acquire)
    }
}

enum Task {
    Extend(u64),
    Settle(u64, Verdict, u32),
}

impl Clerk {
    pub(in crate::pool) fn new(
        engine: Box<dyn JobQueue>,
        options: QueueOptions,
        observer: Option<Arc<dyn Observer>>,
    ) -> Self {
        let book = Book {
            next: 0,
            open: BTreeMap::new(),
            agenda: BTreeMap::new(),
            errands: 0,
            running: 0,
            active: Instant::now(),
            leaving: false,
        };
        Self {
            engine,
            options,
            observer,
            over: AtomicBool::new(false),
            errors: AtomicU64::new(0),
            stale: AtomicU64::new(0),
            book: Mutex::new(book),
            changed: Condvar::new(),
        }
    }

    /// Starts the thread.
    pub(in crate::pool) fn start(self: &Arc<Self>) -> io::Result<()> {
        let clerk = Arc::clone(self);
        Builder::new().name("fetchpool-leases".into()).spawn(move || clerk.work()).map(drop)
    }

    /// Errors of the engine, and settlements that came too late.
    pub(in crate::pool) fn counts(&self) -> (u64, u64) {
        (self.errors.load(Ordering::Relaxed), self.stale.load(Ordering::Relaxed))
    }

    /// Something about the engine went wrong, and nobody else will say so.
    fn tell(&self, trouble: &str) {
        debug!("job queue: {trouble}");
        if let Some(observer) = &self.observer {
            let _ = catch(|| observer.queue_trouble(trouble));
        }
    }

    pub(in crate::pool) fn count_error(&self, doing: &str, error: &QueueError) {
        self.errors.fetch_add(1, Ordering::Relaxed);
        self.tell(&format!("{doing} failed: {error}"));
    }

    fn count_stale(&self, ticket: &Ticket) {
        self.stale.fetch_add(1, Ordering::Relaxed);
        self.tell(&format!("the lease of {} was lost", ticket.as_str().escape_debug()));
    }

    /// The pool takes no more jobs.
    pub(in crate::pool) fn set_over(&self) {
        // Under the lock: who waits in `pause` has either seen it or is woken.
        let _book = self.lock();
        self.over.store(true, Ordering::Release);
        self.changed.notify_all();
    }

    pub(in crate::pool) fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    /// Waits, unless the pool is over.
    pub(in crate::pool) fn pause(&self, wait: Duration) {
        let start = Instant::now();
        let mut book = self.lock();
        while !self.is_over() {
            let left = wait.saturating_sub(start.elapsed());
            if left.is_zero() {
                return;
            }
            let waited = self.changed.wait_timeout(book, left);
            book = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// A job was claimed. Its lease is extended from here on until it is settled.
    pub(super) fn open(&self, ticket: Ticket, lease: Option<Duration>, loss: Arc<Loss>) -> u64 {
        let now = Instant::now();
        let mut book = self.lock();
        let id = book.number();
        let ends = end_of(now, lease.unwrap_or(Duration::MAX));
        book.open.insert(id, Open { ticket, lease, ends, due: None, asking: false, loss });
        book.running = book.running.saturating_add(1);
        book.active = now;
        if let Some(lease) = lease {
            book.plan(id, next_extension(now, lease));
            self.changed.notify_all();
        }
        id
    }

    /// A job that was claimed has its outcome.
    pub(super) fn ran(&self) {
        let mut book = self.lock();
        book.running = book.running.saturating_sub(1);
        book.active = Instant::now();
    }

    /// Whether no job was claimed, nor has run, for as long as ends the pool.
    pub(in crate::pool) fn was_idle_for_long(&self, now: Instant) -> bool {
        let Some(limit) = self.options.idle else { return false };
        let book = self.lock();
        book.running == 0 && now.saturating_duration_since(book.active) >= limit
    }

    /// Asks the engine for a job. What panics here is the caller's to catch.
    pub(in crate::pool) fn claim(&self, wait: Duration) -> Result<Claimed, QueueError> {
        self.engine.claim(&Claim::new(wait).over(&self.over))
    }

    /// A delivery is settled, or left to its lease.
    pub(super) fn close(&self, id: u64) {
        let mut book = self.lock();
        if let Some(Open { due: Some(due), .. }) = book.open.remove(&id) {
            book.agenda.remove(&due);
        }
        if book.leaving {
            self.changed.notify_all();
        }
    }

    /// Settles a delivery, on this thread. What fails for the moment is tried again by the clerk.
    /// `None` where it is not known what came of it.
    pub(super) fn settle(&self, id: u64, ticket: &Ticket, verdict: &Verdict) -> Option<Settled> {
        match self.ask(id, ticket, verdict) {
            Ok(settled) => {
                self.close(id);
                Some(settled)
            }
            Err(error) => {
                self.failed(id, verdict.clone(), 1, &error);
                None
            }
        }
    }

    /// Leaves it to the clerk to settle a delivery.
    pub(super) fn settle_later(&self, id: u64, verdict: Verdict) {
        self.appoint(id, Instant::now(), verdict, 0);
    }

    /// Asks the engine, once.
    pub(super) fn ask(
        &self,
        id: u64,
        ticket: &Ticket,
        verdict: &Verdict,
    ) -> Result<Settled, QueueError> {
        let is_open = self.set_asking(id, true);
        let (doing, answer) = match verdict {
            Verdict::Ack => ("ack", catch(|| self.engine.ack(ticket))),
            Verdict::Nack(nack) => ("nack", catch(|| self.engine.nack(ticket, nack.clone()))),
        };
        let answer = answer.unwrap_or_else(|panicked| {
            Err(QueueError::permanent(panicked.message("the queue panicked")))
        });
        match &answer {
            // One whose lease was found to be lost is counted already.
            Ok(Settled::Stale) if is_open => self.count_stale(ticket),
            Ok(_) => {}
            Err(error) => {
                self.set_asking(id, false);
                self.count_error(doing, error);
            }
        }
        answer
    }

    /// Whether the delivery is neither settled nor lost.
    fn set_asking(&self, id: u64, asking: bool) -> bool {
        let mut book = self.lock();
        let open = book.open.get_mut(&id);
        open.map(|open| open.asking = asking).is_some()
    }

    fn failed(&self, id: u64, verdict: Verdict, tries: u32, error: &QueueError) {
        let wait = FIRST_WAIT.saturating_mul(2_u32.saturating_pow(tries.saturating_sub(1)));
        match Instant::now().checked_add(wait) {
            Some(at) if error.is_temporary() && tries < MAX_TRIES => {
                self.appoint(id, at, verdict, tries);
            }
            // The lease will run out, and the job come again.
            _ => self.close(id),
        }
    }

    fn appoint(&self, id: u64, at: Instant, verdict: Verdict, tries: u32) {
        let mut book = self.lock();
        // Of one that was lost or settled there is nothing to say, and maybe no thread to say it.
        if book.open.contains_key(&id) {
            let number = book.number();
            book.agenda.insert((at, number), Task::Settle(id, verdict, tries));
            book.errands = book.errands.saturating_add(1);
            self.changed.notify_all();
        }
    }

    /// Waits until there is nothing to be settled, but no longer than this.
    pub(in crate::pool) fn wait_settled(&self, limit: Option<Duration>) {
        let start = Instant::now();
        let mut book = self.lock();
        while book.errands > 0 {
            book = match limit.map(|limit| limit.saturating_sub(start.elapsed())) {
                None => self.changed.wait(book).unwrap_or_else(PoisonError::into_inner),
                Some(left) if left.is_zero() => return,
                Some(left) => {
                    let waited = self.changed.wait_timeout(book, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    /// The pool is gone: the thread ends when everything is settled.
    pub(in crate::pool) fn leave(&self) {
        self.lock().leaving = true;
        self.changed.notify_all();
    }

    fn work(&self) {
        let mut book = self.lock();
        loop {
            let now = Instant::now();
            match book.agenda.first_key_value().map(|((at, _), _)| *at) {
                None if book.leaving && book.open.is_empty() => return,
                None => book = self.changed.wait(book).unwrap_or_else(PoisonError::into_inner),
                Some(at) if at > now => {
                    let waited = self.changed.wait_timeout(book, at.saturating_duration_since(now));
                    book = waited.unwrap_or_else(PoisonError::into_inner).0;
                }
                Some(_) => {
                    let task = book.agenda.pop_first();
                    drop(book);
                    match task {
                        Some((_, Task::Extend(id))) => self.extend(id),
                        Some((_, Task::Settle(id, verdict, tries))) => {
                            self.run_errand(id, verdict, tries);
                        }
                        None => {}
                    }
                    book = self.lock();
                }
            }
        }
    }

    fn run_errand(&self, id: u64, verdict: Verdict, tries: u32) {
        let ticket = self.lock().open.get(&id).map(|open| open.ticket.clone());
        if let Some(ticket) = ticket {
            match self.ask(id, &ticket, &verdict) {
                Ok(_) => self.close(id),
                Err(error) => self.failed(id, verdict, tries.saturating_add(1), &error),
            }
        }
        let mut book = self.lock();
        book.errands = book.errands.saturating_sub(1);
        self.changed.notify_all();
    }

    fn extend(&self, id: u64) {
        let mut book = self.lock();
        let Some(open) = book.open.get_mut(&id) else { return };
        open.due = None;
        let (ticket, lease) = (open.ticket.clone(), open.lease.unwrap_or_default());
        drop(book);
        let asked = Instant::now();
        let answer = catch(|| self.engine.extend(&ticket, lease)).unwrap_or_else(|panicked| {
            Err(QueueError::temporary(panicked.message("the queue panicked")))
        });
        let held = match answer {
            Ok(Lease::Held(time)) => Some(time),
            Ok(Lease::Lost) => None,
            Err(error) => {
                self.count_error("extend", &error);
                Some(Duration::ZERO)
            }
        };
        let now = Instant::now();
        let mut book = self.lock();
        // It may have been settled meanwhile.
        let Some(open) = book.open.get_mut(&id) else { return };
        let next = match held {
            // Whoever is settling it hears whether it was lost.
            None if open.asking => now.checked_add(FIRST_WAIT),
            None => None,
            Some(Duration::ZERO) => again_after_error(now, open.ends, lease),
            Some(time) => {
                open.ends = end_of(asked, time);
                Some(next_extension(asked, time))
            }
        };
        if let Some(at) = next {
            return book.plan(id, at);
        }
        let lost = book.open.remove(&id);
        drop(book);
        if let Some(Open { loss, ticket, .. }) = lost {
            // Whoever reads the count finds it lost.
            loss.lost.store(true, Ordering::Release);
            self.count_stale(&ticket);
            loss.token.cancel();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Book> {
        // Poison is ignored: nothing that can panic runs under this lock.
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    const fn number(&mut self) -> u64 {
        self.next = self.next.saturating_add(1);
        self.next
    }

    fn plan(&mut self, id: u64, at: Instant) {
        let due = (at, self.number());
        if let Some(open) = self.open.get_mut(&id) {
            open.due = Some(due);
            self.agenda.insert(due, Task::Extend(id));
        }
    }
}

/// After a settlement that failed; it doubles with each.
const FIRST_WAIT: Duration = Duration::from_millis(100);
/// How often a settlement is tried: for three seconds or so.
const MAX_TRIES: u32 = 6;
