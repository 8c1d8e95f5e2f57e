//! Which job may start now, and what became of those that did.
//!
//! Workers come here when they are free, and each takes the job that suits it best of those that may
//! start ([`Lanes`]). Where there is none, one of them goes to the source and waits there, the others
//! wait here. A source that answers at once is asked a little ahead, so that there is something to
//! choose from; one that may keep its caller waiting is so only when it has been quick for long, or
//! somebody is free for what is here. So a slow source holds up one worker and not the jobs that are
//! here, and nobody waits with the lock held.
//!
//! A job is begun only while there is room for its outcome ([`Ledger::has_room`]). So handing an
//! outcome over never waits: not for a caller who does not read, not in a cancel, not in a drop.
//! That is why the order of reading can lead to no deadlock.
//!
//! Of the workers that wait one has a time-out, the *alarm*: the first moment at which something
//! changes by itself. Whoever takes a job wakes the next one as long as there is something to do, or
//! nobody has the alarm.
//!
//! Locks, in the order in which they may be taken: a token, an interrupt, this one. What takes
//! one of the first two, and code of the caller's, is run without this one.

mod ending;
mod expiry;
mod memory;
mod reading;
mod staff;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

pub(super) use self::reading::Read;
use super::budget::Budget;
use super::fetch::{SourceState, ask};
use super::job::{Job, Taken};
use super::lanes::{Held, Lanes, Ticket, Times};
use super::ledger::{Ledger, Rules};
use super::outcome::Outcome;
use super::parked::Parked;
use super::polite::{Pace, Sign};
use super::queue::{Source, drop_quietly};
use super::settled::Settled;
use super::stats::{Place, Stats};
use super::stop::Stop;
use crate::catch::catch;
use crate::message::{Origin, Ration, Request, Target, Watch};
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
    /// Somebody waits for an outcome: never more than one.
    read: Condvar,
    /// How many of the jobs that wait must be over at some time.
    expiring: AtomicU64,
    /// A view waits, and was not told yet that there is such a job.
    nudge: AtomicBool,
    pub(super) rules: Rules,
}

/// What a worker that comes here is to do.
pub(super) enum Next {
    /// Run this job.
    Job(Taken),
    /// Say that the pool's time is up.
    TimeIsUp,
    /// Start one more worker, which is counted already, and come again.
    StartAnother,
    /// Leave: there will be no more for this worker, which is not counted any more.
    End,
}

/// How a try ended, for its origin.
pub(super) type Ended = Option<(Ticket, Sign)>;

/// Sees to it that somebody hears when a job that waits is cancelled, by its place in the input.
pub(super) type Watcher<'a> = &'a dyn Fn(u64, &Request) -> Option<Watch>;

impl Schedule {
    /// A schedule, and how many workers to start with: never more than there are jobs.
    pub(super) fn new(
        source: Box<dyn Source>,
        max_threads: usize,
        lanes: Lanes<Parked>,
        pace: Option<Pace>,
        budget: Budget,
        rules: Rules,
    ) -> (Self, usize) {
        let mut source = SourceState::new(source);
        let mut threads = match &source {
            SourceState::Here(lendable) => lendable.left.map_or(1, |jobs| max_threads.min(jobs)),
            SourceState::Lent | SourceState::Closed => 1,
        };
        let mut first = Vec::new();
        if threads == 0
            && let SourceState::Here(claims_to_be_empty) = source
        {
            // Asked all the same: an iterator may be wrong about its length, and then its jobs
            // would have nobody to run them.
            let take = |fetched| first.push(fetched);
            source = ask(claims_to_be_empty, Duration::ZERO, 1, take).0;
            threads = first.len();
        }
        let mut state = Ledger::new(rules.clone(), source, lanes, pace, budget);
        (state.threads, state.max_threads) = (threads, max_threads);
        let now = Instant::now();
        for (index, fetched) in (0..).zip(first) {
            let job = Box::new(Job::fetched(index, fetched, now));
            state.take_in(Parked::queued(job, None), now);
        }
        state.end_if_done();
        let schedule = Self {
            state: Mutex::new(state),
            work: Condvar::new(),
            memory: Condvar::new(),
            end: Condvar::new(),
            read: Condvar::new(),
            expiring: AtomicU64::new(0),
            nudge: AtomicBool::new(false),
            rules,
        };
        (schedule, threads)
    }

    /// The source, where no worker has been started yet.
    pub(super) fn take_source(&self) -> Box<dyn Source> {
        match std::mem::replace(&mut self.lock().source, SourceState::Closed) {
            SourceState::Here(lendable) => lendable.source,
            SourceState::Lent | SourceState::Closed => super::intake::source(Vec::<Request>::new()),
        }
    }

    /// Waits for something to do. `news` is what the worker holds by now, where that has changed.
    pub(super) fn next(
        &self,
        held: &mut Held,
        news: Option<Vec<Origin>>,
        watcher: Watcher<'_>,
    ) -> Next {
        let mut state = self.lock();
        if let Some(origins) = news {
            state.lanes.hold(held, &origins, Instant::now());
        }
        // All that the source has just now.
        let (mut has_seen_all, mut gave_way) = (false, false);
        let mut now = Instant::now();
        loop {
            if state.stop < Some(Stop::Deadline) && self.rules.deadline.left(now).is_err() {
                return Next::TimeIsUp;
            }
            if state.has_no_work() {
                // It is not one of those who could do what others bring back.
                state.threads = state.threads.saturating_sub(1);
                return Next::End;
            }
            state.lanes.advance(now);
            let rivals = state.lanes.rivals(held);
            let ahead = if has_seen_all { 0 } else { state.wants_ahead(rivals) };
            if ahead == 0 && !gave_way && state.gives_way(held, rivals) {
                gave_way = true;
                drop(state);
                thread::yield_now();
                (state, now) = (self.lock(), Instant::now());
                continue;
            }
            if ahead == 0
                && let Some(taken) = state.start(held, now)
            {
                self.count_expiring(taken.job.deadline.at().is_some(), false);
                let calls = state.calls_another();
                drop(state);
                if calls {
                    self.work.notify_one();
                }
                return Next::Job(taken);
            }
            // Nothing can be begun for want of room or of a pace: then nothing more is needed.
            let is_held_up = state.lanes.ready() > 0;
            let most = match ahead {
                0 if is_held_up => 0,
                0 => state.room_ahead().min(1),
                _ => ahead,
            };
            if most > 0 && state.may_strand() && state.count_another_for_what_is_here() {
                return Next::StartAnother;
            }
            if most == 0 || !matches!(state.source, SourceState::Here(_)) {
                let until = state.next_time(now);
                state = self.wait(state, until);
                (has_seen_all, gave_way, now) = (false, false, Instant::now());
                continue;
            }
            // The source may keep this worker for ever. Who is woken may get this one's core, and should
            // find the source here then.
            if state.calls_another_before_asking() {
                drop(state);
                self.work.notify_one();
                (state, now) = (self.lock(), Instant::now());
                continue;
            }
            let wait = match state.next_time(now) {
                _ if is_held_up => Duration::ZERO,
                Some(at) => at.saturating_duration_since(now),
                // The source knows how long.
                None => Duration::MAX,
            };
            let came;
            (state, came, now) = self.ask(state, wait, most, now, watcher);
            has_seen_all = came == 0;
        }
    }

    /// Asks the source, without the lock; tells how many jobs came, and when.
    fn ask<'a>(
        &'a self,
        mut state: MutexGuard<'a, Ledger>,
        wait: Duration,
        most: usize,
        now: Instant,
        watcher: Watcher<'_>,
    ) -> (MutexGuard<'a, Ledger>, usize, Instant) {
        let lendable = match std::mem::replace(&mut state.source, SourceState::Lent) {
            SourceState::Here(lendable) => lendable,
            other => {
                state.source = other;
                return (state, 0, now);
            }
        };
        let calls_reader = state.calls_reader();
        // Nobody else takes anything in as long as the source is away.
        let mut index = state.next_index;
        drop(state);
        if calls_reader {
            self.read.notify_one();
        }
        // Mostly it is one.
        let (mut first, mut others) = (None, Vec::new());
        let (source, now) = ask(lendable, wait, most, |fetched| {
            let watch = watcher(index, &fetched.request);
            let parked = Parked::queued(Box::new(Job::fetched(index, fetched, now)), watch);
            index = index.saturating_add(1);
            match &first {
                None => first = Some(parked),
                Some(_) => others.push(parked),
            }
        });
        let queued = first.into_iter().chain(others).map(|mut parked| {
            parked.job.taken = now;
            parked
        });
        let mut state = self.lock();
        state.source = source;
        if state.stop.is_some() {
            return (self.bring_back(state, queued), 0, now);
        }
        let mut came: usize = 0;
        for parked in queued {
            came = came.saturating_add(1);
            state.take_in(parked, now);
        }
        if matches!(state.source, SourceState::Closed) {
            // There may be nothing left to wait for.
            self.work.notify_all();
            self.end_if_done(&mut state);
        }
        (state, came, now)
    }

    /// Keeps a job that was in flight until it is due to be tried again. Gives it back if nobody would
    /// take it out again.
    #[must_use]
    pub(super) fn park(
        &self,
        mut parked: Parked,
        due: Instant,
        ended: Ended,
    ) -> Option<(Parked, Stop)> {
        let now = Instant::now();
        // One that was not sent has the way to its lane still before it.
        let target =
            ended.is_none().then(|| Target::parse(parked.job.request.url()).ok()).flatten();
        let mut state = self.lock();
        let lane = match ended {
            Some((ticket, _)) => ticket.lane,
            None => state.lanes.lane_for(target.as_ref()),
        };
        let end = |state: &mut Ledger| {
            if let Some((ticket, sign)) = ended {
                state.lanes.end(ticket, sign, now);
            }
        };
        if let Some(stop) = state.stop.filter(|stop| *stop > Stop::Closed) {
            end(&mut state);
            return Some((parked, stop));
        }
        state.stats.shift(parked.place, Place::Delayed);
        parked.place = Place::Delayed;
        let expiry = parked.job.deadline.at();
        let times = Times { due: Some(due), expiry };
        state.lanes.put(lane, parked.job.index, times, parked, now);
        // In this order: a lane without a job and without a try is forgotten.
        end(&mut state);
        self.count_expiring(expiry.is_some(), true);
        // The worker that brings it looks for another job next. Who waits must look how long it may:
        // all workers may be busy when the job's time is over.
        drop(state);
        if expiry.is_some() && self.nudge.swap(false, Ordering::SeqCst) {
            self.wake_waits();
        }
        None
    }

    /// Whether the budget of its origin has another try for a job; it is taken.
    pub(super) fn may_retry(&self, ticket: Ticket, ration: Ration) -> bool {
        self.lock().lanes.may_retry(ticket, ration)
    }

    /// Counts what a session did with connections for a job that has no outcome yet.
    pub(super) fn count(&self, traffic: Traffic) {
        self.lock().count(traffic);
    }

    /// Takes out the job of this index, if it waits here.
    pub(super) fn unpark(&self, index: u64) -> Option<Parked> {
        let mut state = self.lock();
        let mut found = state.lanes.remove(index, Instant::now())?;
        // It must count until it has its outcome: the pool could end without it.
        state.stats.shift(found.place, Place::InFlight);
        found.place = Place::InFlight;
        self.count_expiring(found.job.deadline.at().is_some(), false);
        // It may have been one too many for a further job to be taken.
        if state.calls_another() {
            self.work.notify_one();
        }
        Some(found)
    }

    /// Hands over the outcome of a job. Never waits. Whether that was one exception too many.
    pub(super) fn settle(
        &self,
        from: Place,
        outcome: Outcome,
        traffic: Traffic,
        ended: Ended,
    ) -> bool {
        let settled = Settled::of(&outcome);
        let mut state = self.lock();
        state.count(traffic);
        if let Some((ticket, sign)) = ended {
            state.lanes.end(ticket, sign, Instant::now());
        }
        let (refused, too_many) = state.settle(from, &settled, outcome);
        self.end_if_done(&mut state);
        if state.budget.has_waiting() {
            self.memory.notify_all();
        }
        // A worker that brings its own outcome looks for a job next.
        let calls_another = from != Place::InFlight && state.calls_another();
        let calls_reader = state.calls_reader();
        drop(state);
        if calls_another {
            self.work.notify_one();
        }
        if calls_reader {
            self.read.notify_one();
        }
        if refused.is_some() {
            // The pool is gone, and nobody is left to tell how dropping what the caller attached went.
            let _ = catch(|| drop(refused));
        }
        too_many
    }

    /// Whether every job has its outcome, and there will be no further one.
    pub(super) fn is_done(&self) -> bool {
        self.lock().ended
    }

    pub(super) fn stats(&self) -> Stats {
        self.lock().stats()
    }

    /// Waits until something has changed, or it is time.
    fn wait<'a>(
        &self,
        mut state: MutexGuard<'a, Ledger>,
        until: Option<Instant>,
    ) -> MutexGuard<'a, Ledger> {
        let deadline = match state.stop {
            Some(stop) if stop > Stop::Closed => None,
            _ => self.rules.deadline.at(),
        };
        let until = until.into_iter().chain(deadline).min();
        // Somebody else wakes no later.
        let until = until.filter(|until| state.alarm.is_none_or(|alarm| *until < alarm));
        state.waiting = state.waiting.saturating_add(1);
        if state.calls_reader() {
            self.read.notify_one();
        }
        match until {
            Some(until) => {
                state.alarm = Some(until);
                let limit = until.saturating_duration_since(Instant::now());
                let waited = self.work.wait_timeout(state, limit);
                state = waited.unwrap_or_else(PoisonError::into_inner).0;
                if state.alarm == Some(until) {
                    state.alarm = None;
                }
            }
            None => state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner),
        }
        state.waiting = state.waiting.saturating_sub(1);
        state.called = state.called.saturating_sub(1);
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
        if let SourceState::Here(lendable) =
            std::mem::replace(&mut state.source, SourceState::Closed)
        {
            drop_quietly(Some(lendable.source));
        }
    }
}

#[cfg(test)]
#[path = "schedule_tests.rs"]
mod tests;
