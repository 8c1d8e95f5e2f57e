//! Outcomes on their way to the caller: taken out under the schedule's lock, and waited for without it.

use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use super::Schedule;
use crate::pool::ledger::Ledger;
use crate::pool::outcome::Outcome;
use crate::pool::stats::Place;

/// What came of reading.
pub(in crate::pool) enum Read {
    Outcome(Outcome),
    /// There is nothing by now; it is to be looked how long may be waited.
    Nothing,
    End,
}

impl Schedule {
    /// Takes the outcome whose turn it is, for the caller if it is `wanted`, or to be kept aside. Waits
    /// for it once, and no longer than this.
    pub(in crate::pool) fn read(
        &self,
        wanted: impl Fn(&Outcome) -> bool,
        limit: Option<Duration>,
    ) -> Read {
        let mut state = self.lock();
        let mut outcome = state.read(&wanted);
        if outcome.is_none() && !state.ended {
            state = self.wait_to_read(state, limit);
            outcome = state.read(&wanted);
        }
        let Some(outcome) = outcome else {
            return if state.ended { Read::End } else { Read::Nothing };
        };
        let calls_another = state.calls_another();
        let has_waiting = state.budget.has_waiting();
        drop(state);
        if calls_another {
            self.work.notify_one();
        }
        if has_waiting {
            self.memory.notify_all();
        }
        Read::Outcome(outcome)
    }

    fn wait_to_read<'a>(
        &self,
        mut state: MutexGuard<'a, Ledger>,
        limit: Option<Duration>,
    ) -> MutexGuard<'a, Ledger> {
        let is_awaited = state.is_reader_awaited();
        let may_gather = limit.is_none_or(|limit| limit > GATHERING);
        let limit = match state.outbox.wait(may_gather, is_awaited) {
            None => return state,
            Some(true) => Some(GATHERING),
            Some(false) => limit,
        };
        state = match limit {
            Some(limit) => {
                let waited = self.read.wait_timeout(state, limit);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
            None => self.read.wait(state).unwrap_or_else(PoisonError::into_inner),
        };
        state.outbox.stop_waiting();
        state
    }

    /// An outcome that was kept aside is given to the caller.
    pub(in crate::pool) fn deliver(&self) {
        self.lock().stats.shift(Place::Buffered, Place::Delivered);
    }

    /// Nobody reads any more; lets go of all that was not read.
    pub(in crate::pool) fn close_outbox(&self) {
        let rest = self.lock().outbox.close();
        // Without the lock: what the caller attached to a request goes with it.
        drop(rest);
    }
}

/// How long a reader lets outcomes gather.
const GATHERING: Duration = Duration::from_millis(1);

#[cfg(test)]
#[path = "reading_tests.rs"]
mod tests;
