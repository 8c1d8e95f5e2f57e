//! Two views of one stream of outcomes.
//!
//! `responses()` and `exceptions()` read the same queue. What one view meets that is the other's
//! it sets aside, so that they can be read in any order, or both at once from two threads, and
//! neither waits for the other. What is set aside is bounded only by what there is: a caller who
//! never reads the exceptions keeps them.

use std::collections::VecDeque;
use std::sync::mpsc::Receiver;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::outcome::Outcome;

/// The reading end of the outcome queue.
pub(super) struct Views {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    /// `None` while somebody reads, and after the end.
    receiver: Option<Receiver<Outcome>>,
    /// Somebody is waiting in the receiver, without the lock.
    reading: bool,
    /// What was met by a view that did not want it, numbered as it came.
    responses: VecDeque<(u64, Outcome)>,
    exceptions: VecDeque<(u64, Outcome)>,
    met: u64,
    waiting: usize,
}

/// What a view shows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Want {
    Responses,
    Exceptions,
    All,
}

impl Want {
    const fn takes(self, outcome: &Outcome) -> bool {
        match self {
            Self::Responses => outcome.is_response(),
            Self::Exceptions => !outcome.is_response(),
            Self::All => true,
        }
    }
}

/// What came of looking into the queue.
#[expect(clippy::large_enum_variant, reason = "lives for a moment, on the stack")]
enum Received {
    Outcome(Outcome),
    /// Somebody else looked: there may be something aside now.
    Elsewhere,
    End,
}

impl Views {
    pub(super) const fn new(receiver: Receiver<Outcome>) -> Self {
        let state = State {
            receiver: Some(receiver),
            reading: false,
            responses: VecDeque::new(),
            exceptions: VecDeque::new(),
            met: 0,
            waiting: 0,
        };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Waits for the next outcome of a view. `None` only when the pool is done: every sender is
    /// gone, and everything has been read.
    pub(super) fn next(&self, want: Want) -> Option<Outcome> {
        let mut state = self.lock();
        loop {
            if let Some(outcome) = state.take(want) {
                return Some(outcome);
            }
            let received;
            (state, received) = self.receive(state);
            match received {
                Received::Outcome(outcome) if want.takes(&outcome) => return Some(outcome),
                Received::Outcome(outcome) => state.set_aside(outcome),
                Received::Elsewhere => {}
                Received::End => return None,
            }
        }
    }

    /// Waits for the end of the pool; everything is set aside.
    pub(super) fn drain(&self) {
        let mut state = self.lock();
        loop {
            let received;
            (state, received) = self.receive(state);
            match received {
                Received::Outcome(outcome) => state.set_aside(outcome),
                Received::Elsewhere => {}
                Received::End => return,
            }
        }
    }

    /// Reads one outcome from the queue, or waits while somebody else does.
    fn receive<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
    ) -> (MutexGuard<'a, State>, Received) {
        if state.reading {
            state.waiting = state.waiting.saturating_add(1);
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.waiting = state.waiting.saturating_sub(1);
            return (state, Received::Elsewhere);
        }
        let Some(receiver) = state.receiver.take() else { return (state, Received::End) };
        state.reading = true;
        drop(state);
        let received = receiver.recv();
        state = self.lock();
        state.reading = false;
        if state.waiting > 0 {
            self.changed.notify_all();
        }
        match received {
            Ok(outcome) => {
                state.receiver = Some(receiver);
                (state, Received::Outcome(outcome))
            }
            // The receiver goes, and stays away.
            Err(_) => (state, Received::End),
        }
    }

    /// Reads no more: whoever waits to hand an outcome over is let go.
    pub(super) fn close(&self) {
        self.lock().receiver = None;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Poison is ignored: nothing that can panic runs under this lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take(&mut self, want: Want) -> Option<Outcome> {
        let from = match want {
            Want::Responses => &mut self.responses,
            Want::Exceptions => &mut self.exceptions,
            Want::All => {
                let first = |queue: &VecDeque<(u64, Outcome)>| {
                    queue.front().map_or(u64::MAX, |(number, _)| *number)
                };
                if first(&self.responses) <= first(&self.exceptions) {
                    &mut self.responses
                } else {
                    &mut self.exceptions
                }
            }
        };
        from.pop_front().map(|(_, outcome)| outcome)
    }

    fn set_aside(&mut self, outcome: Outcome) {
        let aside = if outcome.is_response() { &mut self.responses } else { &mut self.exceptions };
        aside.push_back((self.met, outcome));
        self.met = self.met.saturating_add(1);
    }
}
