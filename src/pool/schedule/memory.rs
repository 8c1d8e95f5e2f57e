//! Memory for bodies: taken under the schedule's lock, and waited for without it.

use std::sync::PoisonError;

use super::Schedule;
use crate::connection::Patience;
use crate::error::Error;

impl Schedule {
    /// Takes memory for the body of a job, if there is some.
    pub(in crate::pool) fn try_take_memory(&self, job: u64, bytes: u64) -> bool {
        let mut state = self.lock();
        let something_to_read = state.outbox.has_next();
        state.budget.take(job, bytes, something_to_read)
    }

    /// Sets memory aside for one read that does not wait, if there is plenty.
    pub(in crate::pool) fn set_memory_aside(&self, bytes: u64) -> bool {
        self.lock().budget.set_aside(bytes)
    }

    /// So much came by that read.
    pub(in crate::pool) fn settle_memory(&self, aside: u64, bytes: u64) {
        let mut state = self.lock();
        state.budget.settle(aside, bytes);
        if state.budget.has_waiting() {
            self.memory.notify_all();
        }
    }

    /// Takes memory for the body of a job, and waits until there is some.
    pub(in crate::pool) fn take_memory(
        &self,
        job: u64,
        bytes: u64,
        patience: &Patience<'_>,
    ) -> Result<(), Error> {
        let mut state = self.lock();
        loop {
            let something_to_read = state.outbox.has_next();
            if state.budget.take(job, bytes, something_to_read) {
                return Ok(());
            }
            if state.calls_reader() {
                self.read.notify_one();
            }
            let left = patience.left_for_pause().inspect_err(|_| state.budget.give_up(job))?;
            state = match left {
                Some(left) => {
                    let waited = self.memory.wait_timeout(state, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.memory.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    /// Gives memory back that was taken for a body.
    pub(in crate::pool) fn give_memory_back(&self, job: u64, bytes: u64) {
        let mut state = self.lock();
        state.budget.give_back(job, bytes);
        if state.calls_another() {
            self.work.notify_one();
        }
        if state.budget.has_waiting() {
            self.memory.notify_all();
        }
    }

    /// Wakes the bodies that wait for memory, to see whether they are still wanted.
    pub(in crate::pool) fn wake_bodies(&self) {
        let _state = self.lock();
        self.memory.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::thread;
    use std::time::{Duration, Instant};

    use super::*;
    use crate::connection::{Deadline, Flow, Interrupt};
    use crate::message::{Clock, Request};
    use crate::pool::budget::Budget;
    use crate::pool::intake::source;
    use crate::pool::lanes::Lanes;
    use crate::pool::ledger::Rules;
    use crate::pool::polite::Hosts;

    #[test]
    fn who_waits_for_what_was_set_aside_is_woken_when_it_is_settled() {
        let never = Deadline::after(Instant::now(), None, Clock::Deadline);
        let rules = Rules {
            room: 8,
            room_ahead: 8,
            look_ahead: 8,
            waiting_capacity: 8,
            ordered: false,
            deadline: never,
            max_failed: u64::MAX,
        };
        let lanes = Lanes::new(8, Hosts::default(), Some(1));
        let jobs = source(Vec::<Request>::new());
        let (schedule, _) = Schedule::new(jobs, 1, lanes, None, Budget::new(100), rules);
        assert!(schedule.set_memory_aside(90));
        let (done, is_done) = channel();
        thread::scope(|scope| {
            scope.spawn(|| {
                let (flow, interrupt) = (Flow::new(None, None, None), Interrupt::default());
                let patience =
                    Patience { deadline: never, batch: never, flow: &flow, interrupt: &interrupt };
                schedule.take_memory(1, 20, &patience).unwrap();
                done.send(()).unwrap();
            });
            while !schedule.lock().budget.has_waiting() {
                thread::yield_now();
            }
            schedule.settle_memory(90, 10);
            is_done.recv_timeout(Duration::from_secs(10)).unwrap();
        });
    }
}
