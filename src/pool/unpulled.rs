//! What was not taken from a job queue, handed back.

use std::fmt;
use std::panic::resume_unwind;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::fetch::Fetched;
use super::queue::{Next, Source, drop_quietly};
use crate::message::Request;

/// The jobs that a pool did not take from its queue, in their order: what
/// [`Pool::close`](crate::Pool::close) and [`Pool::cancel`](crate::Pool::cancel) hand back.
///
/// Read as an iterator, of a channel it gives what is in it now, and does not wait for more. Given
/// to another pool as its [`job_queue`](crate::PoolBuilder::job_queue), it goes on as the queue
/// that it was: a channel stays open until its senders are gone.
///
/// Should a worker be waiting in the caller's own iterator just now, the first `next` waits until
/// that returns; a job that it brings is not lost but the first here.
///
/// A job, or an iterator, that panics on its way does so here, in `next`; the one after it can be
/// asked for all the same.
///
/// When it has come to its end, and when it is dropped, the queue is dropped: whoever sends into a
/// channel then learns that nobody listens.
pub struct Unpulled(Arc<Slot>);

/// Where the source comes to lie, also when a worker still has it.
#[derive(Default)]
pub(super) struct Slot {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
#[expect(clippy::large_enum_variant, reason = "there is one to a pool")]
enum State {
    /// A worker still has it.
    #[default]
    Away,
    Here(Option<Fetched>, Option<Box<dyn Source>>),
    /// Nobody wants it any more.
    Unwanted,
}

impl Unpulled {
    /// The source, and a job that it had given already.
    pub(super) fn here(late: Option<Fetched>, source: Option<Box<dyn Source>>) -> Self {
        Self(Arc::new(Slot {
            state: Mutex::new(State::Here(late, source)),
            changed: Condvar::new(),
        }))
    }

    /// One that somebody will put into the slot.
    pub(super) fn away() -> (Self, Arc<Slot>) {
        let slot = Arc::new(Slot::default());
        (Self(Arc::clone(&slot)), slot)
    }
}

impl Slot {
    /// Brings the source, if it is still wanted.
    pub(super) fn bring(&self, late: Option<Fetched>, source: Option<Box<dyn Source>>) {
        let mut state = self.lock();
        if matches!(*state, State::Unwanted) {
            drop(state);
            drop_quietly(source);
        } else {
            *state = State::Here(late, source);
            self.changed.notify_all();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Poison is ignored: each change of the value is one assignment.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Source for Unpulled {
    fn next(&mut self, wait: Duration) -> Next {
        let mut state = self.0.lock();
        if matches!(*state, State::Away) {
            let waited = self.0.changed.wait_timeout(state, wait);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        match &mut *state {
            State::Away => Next::Empty,
            State::Unwanted => Next::Closed,
            State::Here(late, source) => match late.take() {
                Some((request, None)) => Next::Job(request),
                Some((_, Some(fault))) => Next::Panicked(Box::new(fault.message())),
                // Nobody else asks for the lock: the source has been brought.
                None => source.as_mut().map_or(Next::Closed, |source| source.next(wait)),
            },
        }
    }

    fn most_left(&self) -> Option<usize> {
        match &*self.0.lock() {
            State::Away => None,
            State::Unwanted => Some(0),
            State::Here(late, source) => {
                let left = source.as_ref().map_or(Some(0), |source| source.most_left())?;
                Some(left.saturating_add(usize::from(late.is_some())))
            }
        }
    }
}

impl Iterator for Unpulled {
    type Item = Request;

    fn next(&mut self) -> Option<Request> {
        let mut state = self.0.lock();
        while matches!(*state, State::Away) {
            state = self.0.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        drop(state);
        match Source::next(self, Duration::ZERO) {
            Next::Job(request) => Some(request),
            // It is the caller's panic, and the caller's thread.
            Next::Panicked(payload) => resume_unwind(payload),
            Next::Empty | Next::Closed => {
                self.let_go();
                None
            }
        }
    }
}

impl Unpulled {
    fn let_go(&self) {
        let state = std::mem::replace(&mut *self.0.lock(), State::Unwanted);
        if let State::Here(_, source) = state {
            drop_quietly(source);
        }
    }
}

impl Drop for Unpulled {
    fn drop(&mut self) {
        self.let_go();
    }
}

impl fmt::Debug for Unpulled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unpulled").finish_non_exhaustive()
    }
}
