//! Two views of one stream of outcomes.
//!
//! `responses()` and `exceptions()` read the same queue. What one view meets that is the other's
//! it sets aside, so that they can be read in any order, or both at once from two threads, and
//! neither waits for the other. What is set aside is bounded only by what there is: a caller who
//! never reads the exceptions keeps them.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::crew::Crew;
use super::outcome::Outcome;
use super::schedule::Read;

/// The reading end of the outcome queue.
pub(super) struct Views {
    crew: Arc<Crew>,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    /// Somebody reads the queue, without the lock.
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
    /// Everything is to be set aside.
    Nothing,
}

impl Want {
    const fn takes(self, outcome: &Outcome) -> bool {
        match self {
            Self::Responses => outcome.is_response(),
            Self::Exceptions => !outcome.is_response(),
            Self::All => true,
            Self::Nothing => false,
        }
    }
}

/// What came of looking into the queue.
enum Received {
    Outcome(Outcome),
    /// Somebody else looked: there may be something aside now.
    Elsewhere,
    End,
    /// The caller's own time is up.
    TimedOut,
}

/// There was nothing within the time that the caller gave.
pub(super) struct TimedOut;

impl Views {
    pub(super) fn new(crew: Arc<Crew>) -> Self {
        let state = State {
            reading: false,
            responses: VecDeque::new(),
            exceptions: VecDeque::new(),
            met: 0,
            waiting: 0,
        };
        Self { crew, state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Waits for the next outcome of a view. `None` only when the pool is done, and everything
    /// has been read.
    pub(super) fn next(&self, want: Want) -> Option<Outcome> {
        // Without a limit no time runs out.
        self.take(want, None).ok().flatten().map(hand_out)
    }

    /// The same, but for no longer than this.
    pub(super) fn next_within(
        &self,
        want: Want,
        limit: Duration,
    ) -> Result<Option<Outcome>, TimedOut> {
        // Beyond what the clock can add is for ever.
        let until = Instant::now().checked_add(limit);
        Ok(self.take(want, until)?.map(hand_out))
    }

    fn take(&self, want: Want, until: Option<Instant>) -> Result<Option<Outcome>, TimedOut> {
        let mut state = self.lock();
        loop {
            if let Some(outcome) = state.take(want) {
                self.crew.schedule.deliver();
                return Ok(Some(outcome));
            }
            let received;
            (state, received) = self.receive(state, want, until);
            match received {
                Received::Outcome(outcome) if want.takes(&outcome) => return Ok(Some(outcome)),
                Received::Outcome(outcome) => state.set_aside(outcome),
                Received::Elsewhere => {}
                Received::End => return Ok(None),
                Received::TimedOut => return Err(TimedOut),
            }
        }
    }

    /// Reads one outcome from the queue, or waits while somebody else does.
    fn receive<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
        want: Want,
        until: Option<Instant>,
    ) -> (MutexGuard<'a, State>, Received) {
        if state.reading {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return (state, Received::TimedOut);
            }
            state.waiting = state.waiting.saturating_add(1);
            state = match left {
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(left) => {
                    let waited = self.changed.wait_timeout(state, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
            state.waiting = state.waiting.saturating_sub(1);
            return (state, Received::Elsewhere);
        }
        state.reading = true;
        drop(state);
        let received = self.read(want, until);
        state = self.lock();
        state.reading = false;
        if state.waiting > 0 {
            self.changed.notify_all();
        }
        (state, received)
    }

    /// Waits for the next outcome of the queue.
    fn read(&self, want: Want, until: Option<Instant>) -> Received {
        loop {
            let own = until.map(|until| until.saturating_duration_since(Instant::now()));
            // Also where nothing is waited for: what must be over now may be seen by nobody else.
            let limit = own.into_iter().chain(self.crew.left()).min();
            match self.crew.schedule.read(|outcome| want.takes(outcome), limit) {
                Read::Outcome(outcome) => return Received::Outcome(outcome),
                Read::End => return Received::End,
                Read::Nothing if own.is_some_and(|own| own.is_zero()) => {
                    return Received::TimedOut;
                }
                Read::Nothing => {}
            }
        }
    }

    /// Reads no more; lets go of all that was not read.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        let aside = (std::mem::take(&mut state.responses), std::mem::take(&mut state.exceptions));
        drop(state);
        // Without the lock: what the caller attached to a request goes with it.
        drop(aside);
        self.crew.schedule.close_outbox();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Poison is ignored: nothing that can panic runs under this lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Views {
    fn drop(&mut self) {
        // Also where something of the caller's panicked before it came to that: workers may live on.
        self.close();
    }
}

/// Gives an outcome to the caller. Without the lock: a queue engine may be told of it.
fn hand_out(mut outcome: Outcome) -> Outcome {
    outcome.hand_out();
    outcome
}

impl State {
    fn take(&mut self, want: Want) -> Option<Outcome> {
        let from = match want {
            Want::Responses => &mut self.responses,
            Want::Exceptions => &mut self.exceptions,
            Want::Nothing => return None,
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
