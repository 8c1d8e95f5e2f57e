//! Who is at work: the threads of a pool, and how to end what each of them waits for.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::connection::Interrupt;

#[derive(Default)]
pub(super) struct Roll {
    state: Mutex<State>,
    left: Condvar,
}

#[derive(Default)]
struct State {
    started: usize,
    /// Of those at work, how to end what they wait for.
    at_work: BTreeMap<usize, Interrupt>,
    /// Of those at work and those that have left in good order.
    handles: BTreeMap<usize, JoinHandle<()>>,
    cancelled: bool,
}

impl Roll {
    /// Starts a worker: `spawn` gets its number, and how others will end what it waits for.
    pub(super) fn start(
        &self,
        spawn: impl FnOnce(usize, Interrupt) -> io::Result<JoinHandle<()>>,
    ) -> io::Result<()> {
        let mut state = self.lock();
        let id = state.started;
        let interrupt = Interrupt::default();
        if state.cancelled {
            // It waits for nothing yet, so that nothing is left to be done.
            drop(interrupt.raise());
        }
        let handle = spawn(id, interrupt.clone())?;
        state.handles.insert(id, handle);
        state.at_work.insert(id, interrupt);
        state.started = state.started.saturating_add(1);
        Ok(())
    }

    /// Everybody at work, to be interrupted without the lock. Who starts from now on begins
    /// interrupted.
    pub(super) fn cancel(&self) -> Vec<Interrupt> {
        let mut state = self.lock();
        state.cancelled = true;
        state.at_work.values().cloned().collect()
    }

    /// A worker is nobody's any more: not waited for, and not to be ended.
    pub(super) fn give_up(&self, id: usize) {
        self.take_off(id, false);
    }

    /// A worker ends. The handle of one that panicked is not kept: there may be many.
    pub(super) fn leave(&self, id: usize, panicked: bool) {
        self.take_off(id, !panicked);
    }

    fn take_off(&self, id: usize, keep_handle: bool) {
        let mut state = self.lock();
        state.at_work.remove(&id);
        let handle = if keep_handle { None } else { state.handles.remove(&id) };
        let is_last = state.at_work.is_empty();
        drop(state);
        drop(handle);
        // Whoever waits does so for the last one, and is woken once: not for each of thousands, by each.
        if is_last {
            self.left.notify_all();
        }
    }

    /// Waits until every thread has ended, but for those that were given up.
    pub(super) fn join(&self) {
        let mut state = self.lock();
        while !state.at_work.is_empty() {
            state = self.left.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let handles = std::mem::take(&mut state.handles);
        drop(state);
        for handle in handles.into_values() {
            // A panic of a worker is the outcome of its job already.
            let _ = handle.join();
        }
    }

    /// The same, but waits no longer than this, and for no more than their last word.
    pub(super) fn join_within(&self, limit: Duration) {
        let start = Instant::now();
        let mut state = self.lock();
        while !state.at_work.is_empty() {
            let left = limit.saturating_sub(start.elapsed());
            if left.is_zero() {
                return;
            }
            let waited = self.left.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// How many threads were started, and how many are at work.
    pub(super) fn count(&self) -> (usize, usize) {
        let state = self.lock();
        (state.started, state.at_work.len())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Poison is ignored: nothing that can panic runs under this lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    fn start(roll: &Roll) {
        roll.start(|_, _| Ok(thread::spawn(|| {}))).unwrap();
    }

    #[test]
    fn those_given_up_are_not_waited_for() {
        let roll = Roll::default();
        (0..3).for_each(|_| start(&roll));
        roll.give_up(0);
        roll.leave(1, true);
        assert_eq!(roll.count(), (3, 1));
        roll.leave(2, false);
        roll.join();
    }

    #[test]
    fn who_starts_after_a_cancel_begins_interrupted() {
        let roll = Roll::default();
        assert_eq!(roll.cancel().len(), 0);
        roll.start(|_, interrupt| {
            assert!(interrupt.is_raised_for_good());
            Ok(thread::spawn(|| {}))
        })
        .unwrap();
    }
}
