//! How many workers there are, and who of them is gone.

use std::time::Instant;

use super::Schedule;
use crate::pool::lanes::Held;

impl Schedule {
    /// So many workers could not be started: those that run have to do. Whether there are any.
    #[must_use]
    pub(in crate::pool) fn could_not_start(&self, workers: usize) -> bool {
        let mut state = self.lock();
        state.threads = state.threads.saturating_sub(workers);
        state.max_threads = state.threads.max(1);
        state.threads > 0
    }

    /// A worker will come no more: it holds nothing from here on.
    pub(in crate::pool) fn leave(&self, held: &mut Held) {
        self.lock().lanes.hold(held, [], Instant::now());
    }

    /// A worker is gone before its time; or given up, and still to end.
    pub(in crate::pool) fn is_gone(&self, given_up: bool) {
        let mut state = self.lock();
        state.threads = state.threads.saturating_sub(1);
        state.given_up = state.given_up.saturating_add(usize::from(given_up));
    }

    /// A worker that was given up has ended.
    pub(in crate::pool) fn has_ended(&self) {
        let mut state = self.lock();
        state.given_up = state.given_up.saturating_sub(1);
    }

    /// Whether one more worker is to be started, in the place of one that is gone; it is counted
    /// from here on. If not, one that waits is told of what may start since the other's job has ended.
    pub(in crate::pool) fn wants_another(&self) -> bool {
        let mut state = self.lock();
        let counted = !state.has_no_work() && state.count_another();
        if !counted && state.calls_another() {
            self.work.notify_one();
        }
        counted
    }
}
