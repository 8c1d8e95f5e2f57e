//! Which job may start now, and what became of those that did.
//!
//! Workers come here when they are free. The first one goes to the source and waits there, the
//! others wait here; a worker that comes back with a job sends the next one to the source. So no
//! job is taken before there is somebody to run it, a slow source holds up one worker and not
//! the jobs that are parked here, and nobody waits with the lock held.
//!
//! A job is taken only while there is room for its outcome ([`Ledger::is_full`]). So handing an
//! outcome over never waits: not for a caller who does not read, not in a cancel, not in a drop.
//! That is why the order of reading can lead to no deadlock.
//!
//! Locks, in the order in which they may be taken: a token, an interrupt, this one. What takes
//! one of the first two, and code of the caller's, is run without this one.

mod ending;
mod memory;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::budget::Budget;
use super::fetch::{SourceState, ask};
use super::job::Job;
use super::ledger::{Ledger, Rules, Settled, Taken};
use super::outcome::{Message, Outcome};
use super::parked::Parked;
use super::polite::Pace;
use super::queue::{Source, drop_quietly};
use super::stats::{Place, Stats};
use super::stop::Stop;
use crate::catch::catch;
use crate::message::Request;
use crate::session::Traffic;

/// The jobs that wait, the rules by which they stop waiting, and the way to the caller.
pub(super) struct Schedule {
    state: Mutex<Ledger>,
    /// Workers wait for a job.
    work: Condvar,
    /// Bodies wait for memory.
    memory: Condvar,
    /// Somebody waits for the end.
    end: Condvar,
    /// How many outcomes there are in all; known at the end.
    total: AtomicU64,
    /// The way to the views.
    outcomes: Sender<Message>,
    pub(super) rules: Rules,
}

/// What a worker that comes here is to do.
pub(super) enum Next {
    /// Run this job.
    Job(Taken),
    /// Keep this new job until it may start.
    Early(Job, Instant),
    /// Say that the pool's time is up.
    TimeIsUp,
    /// Leave: there will be no more for this worker.
    End,
}

impl Schedule {
    /// A schedule, and how many workers to start with: never more than there are jobs.
    pub(super) fn new(
        source: Box<dyn Source>,
        max_threads: usize,
        pace: Option<Pace>,
        budget: Budget,
        rules: Rules,
        outcomes: Sender<Message>,
    ) -> (Self, usize) {
        let mut source = SourceState::here(source);
        let mut threads = match &source {
            SourceState::Here(_, Some(jobs)) => max_threads.min(*jobs),
            _ => 1,
        };
        let mut first = None;
        if threads == 0
            && let SourceState::Here(claims_to_be_empty, _) = source
        {
            // Asked all the same: an iterator may be wrong about its length, and then its jobs
            // would have nobody to run them.
            (first, source) = ask(claims_to_be_empty, Duration::ZERO);
            threads = usize::from(first.is_some());
        }
        let mut state = Ledger::new(rules, source, pace, budget);
        (state.threads, state.max_threads) = (threads, max_threads);
        if let Some(fetched) = first {
            let now = Instant::now();
            let job = state.number(fetched, now, Place::Queued);
            state.parked.push(Parked { due: now, job, place: Place::Queued, watch: None });
        }
        let ended = state.end_if_done();
        let schedule = Self {
            state: Mutex::new(state),
            work: Condvar::new(),
            memory: Condvar::new(),
            end: Condvar::new(),
            total: AtomicU64::new(u64::MAX),
            outcomes,
            rules,
        };
        if ended {
            schedule.total.store(0, Ordering::Release);
        }
        (schedule, threads)
    }

    /// The source, where no worker has been started yet.
    pub(super) fn take_source(&self) -> Box<dyn Source> {
        match std::mem::replace(&mut self.lock().source, SourceState::Closed) {
            SourceState::Here(source, _) => source,
            SourceState::Lent | SourceState::Closed => super::intake::source(Vec::<Request>::new()),
        }
    }

    /// Waits for something to do.
    pub(super) fn next(&self) -> Next {
        let mut state = self.lock();
        loop {
            let now = Instant::now();
            if state.stop < Some(Stop::Deadline) && self.rules.deadline.left(now).is_err() {
                return Next::TimeIsUp;
            }
            if state.has_no_work() {
                return Next::End;
            }
            if let Some(wait) = state.pace_wait(now) {
                state = self.wait(state, Some(wait));
                continue;
            }
            if let Some(taken) = state.pop_due(now) {
                // This worker may have been woken to go to the source: another one must.
                if state.waiting > 0 && matches!(state.source, SourceState::Here(..)) {
                    self.work.notify_one();
                }
                return Next::Job(taken);
            }
            let until_due = state.parked.peek().map(|p| p.due.saturating_duration_since(now));
            let crowded = state.parked.len() >= state.max_threads.saturating_mul(PARKED_PER_THREAD);
            if state.stop.is_some() || crowded || state.is_full() {
                state = self.wait(state, until_due);
                continue;
            }
            match std::mem::replace(&mut state.source, SourceState::Lent) {
                SourceState::Here(source, _) => {
                    drop(state);
                    let wait = until_due.unwrap_or(SLICE).min(SLICE);
                    let (fetched, source) = ask(source, wait);
                    state = self.lock();
                    state.source = source;
                    if state.stop.is_some() {
                        state = self.bring_back(state, fetched);
                        continue;
                    }
                    let closed = matches!(state.source, SourceState::Closed);
                    if closed {
                        // There may be nothing left to wait for.
                        self.work.notify_all();
                    }
                    let Some(fetched) = fetched else {
                        state = self.end_if_done(state);
                        continue;
                    };
                    let now = Instant::now();
                    if let Some(wait) = state.pace_wait(now) {
                        // Another job started while this one was being fetched.
                        let job = state.number(fetched, now, Place::Queued);
                        return Next::Early(job, now.checked_add(wait).unwrap_or(now));
                    }
                    let job = state.number(fetched, now, Place::InFlight);
                    state.keep_pace(now);
                    let taken = state.claim(job, None);
                    if !closed && state.waiting > 0 && !state.is_full() {
                        self.work.notify_one();
                    }
                    return Next::Job(taken);
                }
                SourceState::Lent => state = self.wait(state, until_due),
                SourceState::Closed => {
                    state.source = SourceState::Closed;
                    state = self.wait(state, until_due);
                }
            }
        }
    }

    /// Keeps a job until it is due: one that has not been started, or one that was in flight and is
    /// to be tried again. Gives it back if nobody would take it out again.
    #[must_use]
    pub(super) fn park(&self, mut parked: Parked) -> Option<(Parked, Stop)> {
        let mut state = self.lock();
        if let Some(stop) = state.stop.filter(|stop| *stop > Stop::Closed) {
            return Some((parked, stop));
        }
        if parked.place == Place::InFlight {
            parked.place = Place::Delayed;
            state.stats.shift(Place::InFlight, Place::Delayed);
        }
        let may_expire = parked.job.deadline.at().is_some();
        state.parked.push(parked);
        if state.waiting > 0 {
            self.work.notify_one();
        }
        if may_expire && std::mem::take(&mut state.nudge) {
            drop(state);
            // Who waits must look how long it may: all workers may be busy when the time comes.
            let _ = self.outcomes.send(None);
        }
        None
    }

    /// How long it is until some job that waits here must be over; a view is about to wait.
    pub(super) fn left_for_parked(&self, now: Instant) -> Option<Duration> {
        let mut state = self.lock();
        state.nudge = true;
        state.next_expiry().map(|at| at.saturating_duration_since(now))
    }

    /// Takes out the jobs whose time is over.
    pub(super) fn take_expired(&self, now: Instant) -> Vec<Parked> {
        let mut state = self.lock();
        let over = state.take_expired(now);
        if !over.is_empty() && state.waiting > 0 {
            self.work.notify_one();
        }
        over
    }

    /// Counts what a session did with connections for a job that has no outcome yet.
    pub(super) fn count(&self, traffic: Traffic) {
        self.lock().count(traffic);
    }

    /// Takes out the job of this index, if it waits here.
    pub(super) fn unpark(&self, index: u64) -> Option<Parked> {
        let mut state = self.lock();
        let found = state.remove_parked(index);
        if found.is_some() && state.waiting > 0 {
            // It may have been one too many for a further job to be taken.
            self.work.notify_one();
        }
        found
    }

    /// Hands over the outcome of a job. Never waits. Whether that was one exception too many.
    pub(super) fn settle(&self, from: Place, outcome: Outcome, traffic: Traffic) -> bool {
        let settled = Settled::of(&outcome);
        let mut state = self.lock();
        state.count(traffic);
        let too_many = state.settle(from, &settled);
        let ended = state.end_if_done();
        let total = state.stats.pulled;
        if state.budget.has_waiting() {
            self.memory.notify_all();
        }
        drop(state);
        // Fails only when the pool is dropped: then nobody is left to tell, and what comes back is
        // dropped here, with what the caller attached to it.
        let _ = catch(|| self.outcomes.send(Some(Box::new(outcome))).is_err());
        if ended {
            self.tell_end(total);
        }
        too_many
    }

    /// A view has taken an outcome out of the queue, for the caller or to be kept aside.
    pub(super) fn take_out(&self, outcome: &Outcome, delivered: bool) {
        let mut state = self.lock();
        let was_full = state.waiting > 0 && state.is_full();
        state.take_out(outcome.index(), outcome.body_bytes());
        if delivered {
            state.stats.shift(Place::Buffered, Place::Delivered);
        }
        if was_full {
            self.work.notify_one();
        }
        if state.budget.has_waiting() {
            self.memory.notify_all();
        }
    }

    /// An outcome that was kept aside is given to the caller.
    pub(super) fn deliver(&self) {
        self.lock().stats.shift(Place::Buffered, Place::Delivered);
    }

    /// How many outcomes there are in all, if that is known.
    pub(super) fn total(&self) -> Option<u64> {
        let total = self.total.load(Ordering::Acquire);
        (total != u64::MAX).then_some(total)
    }

    pub(super) fn stats(&self) -> Stats {
        self.lock().stats
    }

    /// So many workers could not be started: those that run have to do. Whether there are any.
    #[must_use]
    pub(super) fn could_not_start(&self, workers: usize) -> bool {
        let mut state = self.lock();
        state.threads = state.threads.saturating_sub(workers);
        state.max_threads = state.threads.max(1);
        state.threads > 0
    }

    /// A worker is gone before its time; or given up, and still to end.
    pub(super) fn is_gone(&self, given_up: bool) {
        let mut state = self.lock();
        state.threads = state.threads.saturating_sub(1);
        state.given_up = state.given_up.saturating_add(usize::from(given_up));
    }

    /// A worker that was given up has ended.
    pub(super) fn has_ended(&self) {
        let mut state = self.lock();
        state.given_up = state.given_up.saturating_sub(1);
    }

    /// Whether one more worker is to be started, in the place of one that is gone; it is counted
    /// from here on.
    pub(super) fn wants_another(&self) -> bool {
        let mut state = self.lock();
        !state.has_no_work() && state.count_another()
    }

    fn wait<'a>(
        &self,
        mut state: MutexGuard<'a, Ledger>,
        limit: Option<Duration>,
    ) -> MutexGuard<'a, Ledger> {
        let deadline = match state.stop {
            Some(stop) if stop > Stop::Closed => None,
            _ => self.rules.deadline.left(Instant::now()).unwrap_or(Some(Duration::ZERO)),
        };
        state.waiting = state.waiting.saturating_add(1);
        let mut state = match limit.into_iter().chain(deadline).min() {
            Some(limit) => {
                let waited = self.work.wait_timeout(state, limit);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
            None => self.work.wait(state).unwrap_or_else(PoisonError::into_inner),
        };
        state.waiting = state.waiting.saturating_sub(1);
        state
    }

    fn lock(&self) -> MutexGuard<'_, Ledger> {
        // Poison is ignored: no code that can panic runs under this lock; the source, which may,
        // is asked without it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Schedule {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let SourceState::Here(source, _) =
            std::mem::replace(&mut state.source, SourceState::Closed)
        {
            drop_quietly(Some(source));
        }
    }
}

/// How long a worker waits in a live queue before it looks whether it is still wanted. Only one
/// worker of a pool waits there at a time.
const SLICE: Duration = Duration::from_millis(25);
/// Retries that wait, for each thread, before no further job is taken. Each is a job in memory.
const PARKED_PER_THREAD: usize = 16;
