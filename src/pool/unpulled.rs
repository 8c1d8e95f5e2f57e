//! What was not taken from a job queue, handed back.

use std::collections::VecDeque;
use std::fmt;
use std::panic::resume_unwind;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::fetch::Fetched;
use super::queue::{Next, Source};
use crate::catch::catch;
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
enum State {
    /// A worker still has it.
    #[default]
    Away,
    Here(Rest),
    /// Nobody wants it any more.
    Unwanted,
}

/// What a pool leaves.
#[derive(Default)]
pub(super) struct Rest {
    /// Jobs that the source had given already and no worker had begun, each with its place in the
    /// input.
    pub(super) late: VecDeque<(u64, Fetched)>,
    pub(super) source: Option<Box<dyn Source>>,
    /// The place in the input of the next one that the source gives.
    pub(super) next: u64,
    /// That of the one given last.
    pub(super) last: u64,
}

impl Unpulled {
    /// What is left, all of it.
    pub(super) fn here(rest: Rest) -> Self {
        Self(Arc::new(Slot { state: Mutex::new(State::Here(rest)), changed: Condvar::new() }))
    }

    /// The jobs with their places in the input.
    pub(super) fn numbered(mut self) -> impl Iterator<Item = (u64, Request)> {
        std::iter::from_fn(move || {
            let request = Iterator::next(&mut self)?;
            Some((self.last_index(), request))
        })
    }

    fn last_index(&self) -> u64 {
        match &*self.0.lock() {
            State::Here(rest) => rest.last,
            State::Away | State::Unwanted => u64::MAX,
        }
    }

    /// One that somebody will put into the slot.
    pub(super) fn away() -> (Self, Arc<Slot>) {
        let slot = Arc::new(Slot::default());
        (Self(Arc::clone(&slot)), slot)
    }
}

impl Slot {
    /// Brings the source, if it is still wanted.
    pub(super) fn bring(&self, rest: Rest) {
        let mut state = self.lock();
        if matches!(*state, State::Unwanted) {
            drop(state);
            let _ = catch(|| drop(rest));
        } else {
            *state = State::Here(rest);
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
            State::Here(rest) => match rest.late.pop_front() {
                Some((index, Fetched { request, fault, .. })) => {
                    rest.last = index;
                    fault.map_or(Next::Job(request), |f| Next::Panicked(Box::new(f.message())))
                }
                // Nobody else asks for the lock: the source has been brought.
                None => {
                    let source = rest.source.as_mut();
                    let next = source.map_or(Next::Closed, |source| source.next(wait));
                    if matches!(next, Next::Job(_) | Next::Panicked(_)) {
                        rest.last = rest.next;
                        rest.next = rest.next.saturating_add(1);
                    }
                    next
                }
            },
        }
    }

    fn most_left(&self) -> Option<usize> {
        match &*self.0.lock() {
            State::Away => None,
            State::Unwanted => Some(0),
            State::Here(rest) => {
                let left = rest.source.as_ref().map_or(Some(0), |source| source.most_left())?;
                Some(left.saturating_add(rest.late.len()))
            }
        }
    }

    fn never_waits(&self) -> bool {
        match &*self.0.lock() {
            State::Away => false,
            State::Unwanted => true,
            State::Here(rest) => rest.source.as_ref().is_none_or(|source| source.never_waits()),
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
            Next::Job(request) => Some(Arc::unwrap_or_clone(request)),
            // It is the caller's panic, and the caller's thread.
            Next::Panicked(payload) => resume_unwind(payload),
            // An engine of a pool that has ended gives nothing.
            Next::Leased(..) | Next::Failed(_) | Next::Empty | Next::Closed => {
                self.let_go();
                None
            }
        }
    }
}

impl Unpulled {
    fn let_go(&self) {
        let state = std::mem::replace(&mut *self.0.lock(), State::Unwanted);
        if let State::Here(rest) = state {
            let _ = catch(|| drop(rest));
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
