//! What one job has of the pool's memory for bodies.

use std::cell::Cell;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use super::schedule::Schedule;
use crate::connection::{GiveUp, Patience};
use crate::error::Error;
use crate::session::Allowance;

/// What one job has of the pool's memory for bodies. Given back when it is dropped: then the body
/// is part of an outcome, which is counted for itself, or is gone.
pub(super) struct Share<'a> {
    schedule: &'a Schedule,
    job: u64,
    taken: Cell<u64>,
    waker: &'a Arc<Waker>,
}

impl<'a> Share<'a> {
    pub(super) const fn new(schedule: &'a Schedule, job: u64, waker: &'a Arc<Waker>) -> Self {
        Self { schedule, job, taken: Cell::new(0), waker }
    }
}

impl Allowance for Share<'_> {
    fn take(&self, bytes: u64, patience: &Patience<'_>) -> Result<Duration, Error> {
        let mut waited = Duration::ZERO;
        if !self.schedule.try_take_memory(self.job, bytes) {
            let start = Instant::now();
            patience.interrupt.watch_wait(Arc::clone(self.waker));
            self.schedule.take_memory(self.job, bytes, patience)?;
            // Never zero: the socket is out of the interrupt's sight, and must be watched again.
            waited = start.elapsed().max(Duration::from_nanos(1));
        }
        self.taken.set(self.taken.get().saturating_add(bytes));
        Ok(waited)
    }

    fn set_aside(&self, bytes: u64) -> bool {
        self.schedule.set_memory_aside(bytes)
    }

    fn settle(&self, aside: u64, bytes: u64) {
        self.schedule.settle_memory(aside, bytes);
        self.taken.set(self.taken.get().saturating_add(bytes));
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        let taken = self.taken.get();
        if taken > 0 {
            self.schedule.give_memory_back(self.job, taken);
        }
    }
}

/// Wakes the bodies that wait for memory, to see whether they are still wanted.
pub(super) struct Waker(Weak<Schedule>);

impl Waker {
    pub(super) fn of(schedule: &Arc<Schedule>) -> Self {
        Self(Arc::downgrade(schedule))
    }
}

impl GiveUp for Waker {
    fn give_up(&self) {
        if let Some(schedule) = self.0.upgrade() {
            schedule.wake_bodies();
        }
    }
}
