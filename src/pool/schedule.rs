//! Which job may start now.
//!
//! Workers come here when they are free. The first one goes to the source and waits there, the
//! others wait here; a worker that comes back with a job sends the next one to the source. So no
//! job is taken before there is somebody to run it, a slow source holds up one worker and not
//! the jobs that are parked here, and nobody waits with the lock held.

use std::collections::BinaryHeap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::job::Job;
use super::pace::Pace;
use super::queue::{Next, Source};
use crate::error::Error;
use crate::message::Request;

/// The jobs that wait, and the rules by which they stop waiting.
pub(super) struct Schedule {
    state: Mutex<State>,
    changed: Condvar,
    /// Whether a running job may come back to be parked.
    may_park: bool,
}

struct State {
    source: SourceState,
    parked: BinaryHeap<Parked>,
    next_index: u64,
    /// Claims that have not ended.
    claimed: usize,
    pace: Option<Pace>,
    stopped: bool,
    /// Workers that wait here.
    waiting: usize,
    threads: usize,
    max_threads: usize,
}

enum SourceState {
    /// The source, and how many jobs it says it has left at most.
    Here(Box<dyn Source>, Option<usize>),
    /// A worker is asking it.
    Lent,
    Closed,
}

/// A job, and whether one more worker should be started beside the one that runs it.
pub(super) struct Taken {
    pub(super) job: Job,
    pub(super) start_another: bool,
}

impl Schedule {
    /// A schedule, and how many workers to start with: never more than there are jobs.
    pub(super) fn new(
        source: Box<dyn Source>,
        max_threads: usize,
        rate: Option<f64>,
        may_park: bool,
    ) -> (Self, usize) {
        let left = most_left(&*source);
        let mut threads = left.map_or(1, |jobs| jobs.min(max_threads));
        let (mut first, mut source) = (None, SourceState::Here(source, left));
        if threads == 0
            && let SourceState::Here(claims_to_be_empty, _) = source
        {
            // Asked all the same: an iterator may be wrong about its length, and then its jobs
            // would have nobody to run them.
            (first, source) = ask(claims_to_be_empty, Duration::ZERO);
            threads = usize::from(first.is_some());
        }
        let mut state = State {
            source,
            parked: BinaryHeap::new(),
            next_index: 0,
            claimed: 0,
            pace: rate.map(Pace::new),
            stopped: false,
            waiting: 0,
            threads,
            max_threads,
        };
        if let Some((request, fault)) = first {
            let now = Instant::now();
            let job = state.number(request, fault, now);
            state.parked.push(Parked { due: now, job });
        }
        (Self { state: Mutex::new(state), changed: Condvar::new(), may_park }, threads)
    }

    /// The source, where no worker has been started yet.
    pub(super) fn take_source(&self) -> Box<dyn Source> {
        match std::mem::replace(&mut self.lock().source, SourceState::Closed) {
            SourceState::Here(source, _) => source,
            SourceState::Lent | SourceState::Closed => super::queue::source(Vec::<Request>::new()),
        }
    }

    /// Waits for a job. `None` when there will be no more: the source is closed, nothing is
    /// parked and nothing can be parked any more.
    pub(super) fn next(&self) -> Option<Taken> {
        let mut state = self.lock();
        loop {
            let now = Instant::now();
            if state.stopped {
                // What is parked is handed out at once, to be answered and not to be run.
                return state.parked.pop().map(|parked| state.claim(parked.job));
            }
            if let Some(wait) = state.pace.as_ref().and_then(|pace| pace.wait(now)) {
                if state.is_done(self.may_park) {
                    return None;
                }
                state = self.wait(state, Some(wait));
                continue;
            }
            if let Some(parked) = state.pop_due(now) {
                state.keep_pace(now);
                // This worker may have been woken to go to the source: another one must.
                if state.waiting > 0 && matches!(state.source, SourceState::Here(..)) {
                    self.changed.notify_one();
                }
                return Some(state.claim(parked.job));
            }
            let until_due = state.parked.peek().map(|p| p.due.saturating_duration_since(now));
            if state.parked.len() >= state.max_threads.saturating_mul(PARKED_PER_THREAD) {
                state = self.wait(state, until_due);
                continue;
            }
            match std::mem::replace(&mut state.source, SourceState::Lent) {
                SourceState::Here(source, _) => {
                    drop(state);
                    let wait = until_due.unwrap_or(SLICE).min(SLICE);
                    let (next, source) = ask(source, wait);
                    state = self.lock();
                    state.source = source;
                    if matches!(state.source, SourceState::Closed) {
                        self.changed.notify_all();
                    } else if state.stopped {
                        state = self.drop_source(state);
                    } else if state.waiting > 0 {
                        self.changed.notify_one();
                    }
                    let Some((request, fault)) = next else { continue };
                    let now = Instant::now();
                    let job = state.number(request, fault, now);
                    if let Some(wait) = state.pace.as_ref().and_then(|pace| pace.wait(now)) {
                        // Another job started while this one was being fetched.
                        let due = now.checked_add(wait).unwrap_or(now);
                        state.parked.push(Parked { due, job });
                        continue;
                    }
                    state.keep_pace(now);
                    return Some(state.claim(job));
                }
                SourceState::Lent => state = self.wait(state, until_due),
                SourceState::Closed => {
                    state.source = SourceState::Closed;
                    if state.is_done(self.may_park) {
                        return None;
                    }
                    state = self.wait(state, until_due);
                }
            }
        }
    }

    /// Keeps a job until it is due.
    pub(super) fn park(&self, job: Job, due: Instant) {
        let mut state = self.lock();
        state.parked.push(Parked { due, job });
        if state.waiting > 0 {
            self.changed.notify_one();
        }
    }

    /// A claim has ended. The last one to end may be what the waiting workers wait for.
    pub(super) fn released(&self) {
        let mut state = self.lock();
        state.claimed = state.claimed.saturating_sub(1);
        if state.waiting > 0 && state.is_done(self.may_park) {
            self.changed.notify_all();
        }
    }

    /// No more jobs are taken from the source; what is parked is handed out at once.
    pub(super) fn stop(&self) {
        let mut state = self.lock();
        state.stopped = true;
        drop(self.drop_source(state));
        self.changed.notify_all();
    }

    /// Lets the source go, so that whoever feeds it learns that nobody listens.
    fn drop_source<'a>(&'a self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        if let SourceState::Here(..) = state.source {
            let source = std::mem::replace(&mut state.source, SourceState::Closed);
            drop(state);
            // Its destructor is the caller's code.
            let _ = catch_unwind(AssertUnwindSafe(|| drop(source)));
            state = self.lock();
        }
        state
    }

    /// So many workers could not be started: those that run have to do.
    pub(super) fn could_not_start(&self, workers: usize) {
        let mut state = self.lock();
        state.threads = state.threads.saturating_sub(workers);
        state.max_threads = state.threads.max(1);
    }

    fn wait<'a>(
        &self,
        mut state: MutexGuard<'a, State>,
        limit: Option<Duration>,
    ) -> MutexGuard<'a, State> {
        state.waiting = state.waiting.saturating_add(1);
        let mut state = match limit {
            Some(limit) => {
                let waited = self.changed.wait_timeout(state, limit);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
            None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
        };
        state.waiting = state.waiting.saturating_sub(1);
        state
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Poison is ignored: no code that can panic runs under this lock; the source, which may,
        // is asked without it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Makes the next job of a request.
    fn number(&mut self, request: Request, fault: Option<Error>, now: Instant) -> Job {
        let mut job = Job::new(self.next_index, request, now);
        job.fault = fault;
        self.next_index = self.next_index.saturating_add(1);
        job
    }

    fn pop_due(&mut self, now: Instant) -> Option<Parked> {
        let due = self.parked.peek().is_some_and(|parked| parked.due <= now);
        if due { self.parked.pop() } else { None }
    }

    fn claim(&mut self, job: Job) -> Taken {
        self.claimed = self.claimed.saturating_add(1);
        let more = match &self.source {
            SourceState::Here(_, left) => *left != Some(0),
            SourceState::Lent => true,
            SourceState::Closed => false,
        };
        // Workers without a job wait here, ask the source, or have only just been started.
        let all_busy = self.claimed >= self.threads;
        let start_another = more && all_busy && self.threads < self.max_threads && !self.stopped;
        if start_another {
            self.threads = self.threads.saturating_add(1);
        }
        Taken { job, start_another }
    }

    fn is_done(&self, may_park: bool) -> bool {
        matches!(self.source, SourceState::Closed)
            && self.parked.is_empty()
            && (self.claimed == 0 || !may_park)
    }

    fn keep_pace(&mut self, now: Instant) {
        if let Some(pace) = &mut self.pace {
            pace.start(now);
        }
    }
}

/// Asks the source without the lock: it is the caller's code, and may wait, or panic. A panic
/// ends the source, and becomes the outcome of a job of its own.
fn ask(
    mut source: Box<dyn Source>,
    wait: Duration,
) -> (Option<(Request, Option<Error>)>, SourceState) {
    match catch_unwind(AssertUnwindSafe(|| source.next(wait))) {
        Ok(Next::Job(request)) => (Some((request, None)), here(source)),
        Ok(Next::Panicked(payload)) => {
            let error = Error::panicked("a job panicked on its way to a request", &*payload);
            (Some((Request::get(""), Some(error))), here(source))
        }
        Ok(Next::Empty) => (None, here(source)),
        Ok(Next::Closed) => {
            // Also its destructor is the caller's.
            let _ = catch_unwind(AssertUnwindSafe(|| drop(source)));
            (None, SourceState::Closed)
        }
        Err(payload) => {
            let _ = catch_unwind(AssertUnwindSafe(|| drop(source)));
            let error = Error::panicked("the job queue panicked and gives no more jobs", &*payload);
            (Some((Request::get(""), Some(error))), SourceState::Closed)
        }
    }
}

fn here(source: Box<dyn Source>) -> SourceState {
    let left = most_left(&*source);
    SourceState::Here(source, left)
}

/// What an iterator says of its length is the caller's code, too. One that panics says nothing.
fn most_left(source: &dyn Source) -> Option<usize> {
    catch_unwind(AssertUnwindSafe(|| source.most_left())).unwrap_or_default()
}

/// A job that waits for its time. The heap has the latest on top by nature, so the order is
/// turned round.
struct Parked {
    due: Instant,
    job: Job,
}

impl Ord for Parked {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        other.due.cmp(&self.due).then_with(|| other.job.index.cmp(&self.job.index))
    }
}

impl PartialOrd for Parked {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Parked {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Parked {}

/// How long a worker waits in a live queue before it looks whether it is still wanted. Only one
/// worker of a pool waits there at a time.
const SLICE: Duration = Duration::from_millis(25);
/// Retries that wait, for each thread, before no further job is taken. Each is a job in memory.
const PARKED_PER_THREAD: usize = 16;
