//! Jobs that wait, and must be over at some time: seen by whoever waits for outcomes, since all workers
//! may be busy when that time comes.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::Schedule;
use crate::pool::parked::Parked;

impl Schedule {
    /// Whether anything here has an end by the clock; somebody is about to wait, or has looked just now.
    pub(in crate::pool) fn has_times(&self) -> bool {
        // The other way round in `park`: it counts the job, and then looks whom to tell.
        self.nudge.store(true, Ordering::SeqCst);
        self.rules.deadline.at().is_some() || self.expiring.load(Ordering::SeqCst) > 0
    }

    /// How long it is until some job that waits here must be over.
    pub(in crate::pool) fn left_for_parked(&self, now: Instant) -> Option<Duration> {
        if self.expiring.load(Ordering::SeqCst) == 0 {
            return None;
        }
        self.lock().lanes.next_expiry().map(|at| at.saturating_duration_since(now))
    }

    /// Takes out the jobs whose time is over.
    pub(in crate::pool) fn take_expired(&self, now: Instant) -> Vec<Parked> {
        let mut state = self.lock();
        let mut over = Vec::new();
        while let Some(parked) = state.lanes.take_expired(now) {
            self.count_expiring(true, false);
            over.push(parked);
        }
        if state.calls_another() {
            self.work.notify_one();
        }
        over
    }

    /// Counts a job that comes or goes, if it must be over at some time.
    pub(super) fn count_expiring(&self, expires: bool, comes: bool) {
        match (expires, comes) {
            (true, true) => self.expiring.fetch_add(1, Ordering::SeqCst),
            (true, false) => self.expiring.fetch_sub(1, Ordering::SeqCst),
            (false, _) => 0,
        };
    }
}
