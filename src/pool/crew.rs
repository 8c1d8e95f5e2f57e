//! The workers of a pool: how they start, what they have in common, and how they are ended.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use super::claim::{Claim, Desk};
use super::job::Job;
use super::outcome::Outcome;
use super::queue::Source;
use super::retry::RetryPolicy;
use super::schedule::Schedule;
use super::setup::Setup;
use super::worker::Worker;
use crate::connection::Interrupt;
use crate::error::{Error, ErrorKind};

/// Settings of a pool that have been checked.
pub(super) struct Plan {
    pub(super) threads: usize,
    pub(super) capacity: usize,
    pub(super) stack_size: Option<usize>,
    pub(super) rate: Option<f64>,
    pub(super) retry: Option<RetryPolicy>,
    pub(super) setup: Setup,
}

/// What the workers have in common. It holds no sender of outcomes: those belong to the workers,
/// so that the last one to end closes the queue.
pub(super) struct Crew {
    schedule: Schedule,
    setup: Setup,
    retry: Option<RetryPolicy>,
    stack_size: Option<usize>,
    roll: Mutex<Roll>,
    left: Condvar,
}

/// Who has been started.
#[derive(Default)]
struct Roll {
    started: usize,
    alive: usize,
    cancelled: bool,
    interrupts: Vec<Interrupt>,
    handles: Vec<JoinHandle<()>>,
}

impl Crew {
    /// Starts the workers that there are jobs for; gives the queue of their outcomes. If not one
    /// can be started, the jobs come back.
    #[expect(clippy::type_complexity, reason = "named once, taken apart at once")]
    pub(super) fn start(
        jobs: Box<dyn Source>,
        plan: Plan,
    ) -> Result<(Arc<Self>, Receiver<Outcome>), (Error, Box<dyn Source>)> {
        let may_park = plan.retry.is_some();
        let (schedule, initial) = Schedule::new(jobs, plan.threads, plan.rate, may_park);
        let crew = Arc::new(Self {
            schedule,
            setup: plan.setup,
            retry: plan.retry,
            stack_size: plan.stack_size,
            roll: Mutex::default(),
            left: Condvar::new(),
        });
        let (sender, receiver) = sync_channel(plan.capacity);
        for started in 0..initial {
            if let Err(error) = crew.start_worker(&sender) {
                if started == 0 {
                    let fault = Error::new(ErrorKind::Io, "no thread can be started");
                    return Err((fault.because(error), crew.schedule.take_source()));
                }
                // Those that have started do all the work.
                crew.schedule.could_not_start(initial.saturating_sub(started));
                break;
            }
        }
        Ok((crew, receiver))
    }

    fn start_worker(self: &Arc<Self>, outcomes: &SyncSender<Outcome>) -> io::Result<()> {
        let mut roll = self.roll();
        let interrupt = Interrupt::default();
        if roll.cancelled {
            interrupt.raise();
        }
        let mut builder = Builder::new().name(format!("fetchpool-{}", roll.started));
        if let Some(bytes) = self.stack_size {
            builder = builder.stack_size(bytes);
        }
        let (crew, outcomes, own) = (Arc::clone(self), outcomes.clone(), interrupt.clone());
        roll.handles.push(builder.spawn(move || crew.work(outcomes, own))?);
        roll.interrupts.push(interrupt);
        roll.started = roll.started.saturating_add(1);
        roll.alive = roll.alive.saturating_add(1);
        Ok(())
    }

    /// The life of a worker.
    fn work(self: Arc<Self>, outcomes: SyncSender<Outcome>, interrupt: Interrupt) {
        // Last to go: whoever waits for the worker then finds its sender gone as well.
        let _leaving = Leaving(&self);
        let counter = Counter { schedule: &self.schedule, outcomes };
        let mut worker = Worker::new(&self.setup, self.retry.as_ref(), interrupt);
        while let Some(taken) = self.schedule.next() {
            let claim = Claim::new(taken.job, &counter);
            if taken.start_another && self.start_worker(&counter.outcomes).is_err() {
                self.schedule.could_not_start(1);
            }
            worker.serve(claim);
        }
    }

    /// Takes no more jobs, and ends what each worker waits for.
    pub(super) fn cancel(&self) {
        self.schedule.stop();
        let mut roll = self.roll();
        roll.cancelled = true;
        for interrupt in &roll.interrupts {
            interrupt.raise();
        }
    }

    /// Waits until every thread has ended.
    pub(super) fn join(&self) {
        let handles = std::mem::take(&mut self.roll().handles);
        for handle in handles {
            // Workers catch every panic of a job, so there is none to pass on.
            let _ = handle.join();
        }
    }

    /// Waits until every thread has ended, but no longer than this.
    pub(super) fn join_within(&self, limit: Duration) {
        let start = Instant::now();
        let mut roll = self.roll();
        while roll.alive > 0 {
            let left = limit.saturating_sub(start.elapsed());
            if left.is_zero() {
                return;
            }
            let waited = self.left.wait_timeout(roll, left);
            roll = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// How many threads were started, and how many have not ended.
    pub(super) fn count(&self) -> (usize, usize) {
        let roll = self.roll();
        (roll.started, roll.alive)
    }

    fn roll(&self) -> MutexGuard<'_, Roll> {
        // Poison is ignored: nothing that can panic runs under this lock.
        self.roll.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where a worker of a pool hands its jobs over.
struct Counter<'a> {
    schedule: &'a Schedule,
    outcomes: SyncSender<Outcome>,
}

impl Desk for Counter<'_> {
    fn deliver(&self, outcome: Outcome) {
        // Fails only when the pool is dropped: then nobody is left to tell.
        let _ = self.outcomes.send(outcome);
    }

    fn park(&self, job: Job, due: Instant) {
        self.schedule.park(job, due);
    }

    fn released(&self) {
        self.schedule.released();
    }
}

/// Counts a worker off when it ends, however it ends.
struct Leaving<'a>(&'a Crew);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        let mut roll = self.0.roll();
        roll.alive = roll.alive.saturating_sub(1);
        self.0.left.notify_all();
    }
}
