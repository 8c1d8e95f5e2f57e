//! How a pool comes to its end, by itself or earlier, and what then goes back to the caller.

use std::sync::atomic::Ordering;
use std::sync::{MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::Schedule;
use crate::log::debug;
use crate::pool::fetch::SourceState;
use crate::pool::ledger::Ledger;
use crate::pool::parked::Parked;
use crate::pool::stop::Stop;
use crate::pool::unpulled::{Rest, Unpulled};

impl Schedule {
    /// Takes no more jobs from the source; those that no worker has begun are kept to be handed back.
    /// Unless the pool is merely closed, what waits to be tried again is given back, to be answered
    /// at once.
    #[must_use]
    pub(in crate::pool) fn stop(&self, stop: Stop) -> Vec<Parked> {
        let now = Instant::now();
        let mut state = self.lock();
        if state.stop >= Some(stop) {
            return Vec::new();
        }
        state.stop = Some(stop);
        let let_go = state.put_back(now);
        let delayed = match stop {
            Stop::Closed => Vec::new(),
            Stop::Deadline | Stop::Failures | Stop::NoThread | Stop::Cancelled => {
                state.lanes.drain_where(|_| true, now)
            }
        };
        let delayed: Vec<Parked> = delayed.into_iter().map(|(_, parked)| parked).collect();
        for parked in &delayed {
            self.count_expiring(parked.job.deadline.at().is_some(), false);
        }
        // First: what an engine gets back is to be on its way when somebody hears of the end.
        drop(state);
        drop(let_go);
        self.end_if_done(&mut self.lock());
        self.work.notify_all();
        debug!("no more jobs are taken: {stop:?}");
        delayed
    }

    /// Why no more jobs are taken, if that is so.
    pub(in crate::pool) fn stopped(&self) -> Option<Stop> {
        self.lock().stop
    }

    /// What has not been taken from the source. Only for a pool that takes no more.
    pub(in crate::pool) fn unpulled(&self) -> Unpulled {
        let mut state = self.lock();
        match std::mem::replace(&mut state.source, SourceState::Closed) {
            SourceState::Here(lendable) => Unpulled::here(state.rest(Some(lendable.source))),
            SourceState::Closed => Unpulled::here(state.rest(None)),
            SourceState::Lent if state.claimant.is_none() => {
                state.source = SourceState::Lent;
                let (unpulled, slot) = Unpulled::away();
                state.claimant = Some(slot);
                unpulled
            }
            SourceState::Lent => {
                state.source = SourceState::Lent;
                Unpulled::here(Rest::default())
            }
        }
    }

    /// Waits until every job that was taken has its outcome. Whether that is so; if not, it may also
    /// be that it is to be waited less long.
    pub(in crate::pool) fn wait_for_end(&self, limit: Duration) -> bool {
        let mut state = self.lock();
        // Nobody reads meanwhile, and so nobody would give memory back, or make room for what is to be
        // tried again.
        state.budget.lift();
        if !std::mem::replace(&mut state.is_draining, true) {
            self.work.notify_all();
        }
        self.memory.notify_all();
        // What is waited for may have changed since that was asked.
        let is_up_to_date = self.nudge.load(Ordering::SeqCst);
        if !state.ended && !limit.is_zero() && is_up_to_date {
            let waited = self.end.wait_timeout(state, limit);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.ended
    }

    /// Wakes those that wait for the end or an outcome, to see how long they may.
    pub(super) fn wake_waits(&self) {
        let mut state = self.lock();
        if state.outbox.nudge() {
            self.read.notify_one();
        }
        self.end.notify_all();
    }

    /// The source comes back to a pool that takes no more jobs. What it brings is not lost: it
    /// goes back to the caller.
    pub(super) fn bring_back<'a>(
        &'a self,
        mut state: MutexGuard<'a, Ledger>,
        queued: impl Iterator<Item = Parked>,
    ) -> MutexGuard<'a, Ledger> {
        let mut let_go = Vec::new();
        for Parked { job, watch, .. } in queued {
            let index = job.index;
            state.next_index = index.saturating_add(1);
            let_go.push(state.came_late(index, job.into_fetched(), watch));
        }
        let Some(claimant) = state.claimant.take() else {
            drop(state);
            drop(let_go);
            return self.lock();
        };
        let source = match std::mem::replace(&mut state.source, SourceState::Closed) {
            SourceState::Here(lendable) => Some(lendable.source),
            SourceState::Lent | SourceState::Closed => None,
        };
        let rest = state.rest(source);
        drop(state);
        drop(let_go);
        claimant.bring(rest);
        self.lock()
    }

    /// Notes the end, and tells everybody who waits for it.
    pub(super) fn end_if_done(&self, state: &mut Ledger) {
        if state.end_if_done() {
            self.tell_end();
        }
    }

    pub(super) fn tell_end(&self) {
        self.work.notify_all();
        self.end.notify_all();
        self.read.notify_all();
    }
}
