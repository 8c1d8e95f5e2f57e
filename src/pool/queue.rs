//! Where jobs come from.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use super::job_queue::Delivery;
use crate::catch::catch;
use crate::error::Error;
use crate::message::Request;

/// A source of requests. One worker at a time asks it.
pub(super) trait Source: Send {
    /// The next request. A source that can be empty without being closed waits for one, but no
    /// longer than `wait`.
    fn next(&mut self, wait: Duration) -> Next;

    /// How many more there are at most, if the source knows.
    fn most_left(&self) -> Option<usize>;

    /// Whether it answers at once where it is not to wait. The schedule then looks ahead in it.
    fn never_waits(&self) -> bool;

    /// Whether jobs may be taken from it before there is a worker for them.
    fn gives_ahead(&self) -> bool {
        true
    }

    /// How long a worker may wait here before it looks whether it is still wanted. Only one worker
    /// of a pool waits here at a time.
    fn longest_wait(&self) -> Duration {
        SLICE
    }
}

/// What a source answers. Empty is not closed.
pub(super) enum Next {
    /// Where it will stay: it is large, and handed on a lot.
    Job(Arc<Request>),
    /// A job that an engine has leased, and what is wrong with it already.
    Leased(Arc<Request>, Option<Error>, Delivery),
    /// A job that panicked on its way to becoming a request, and what it said.
    Panicked(Box<dyn Any + Send>),
    /// The source gives no more, and why.
    Failed(Error),
    Empty,
    Closed,
}

impl Next {
    /// The caller's own conversion may panic. Its source is not touched by that, and can go on.
    fn of(item: impl Into<Request>) -> Self {
        match catch_unwind(AssertUnwindSafe(|| Arc::new(item.into()))) {
            Ok(request) => Self::Job(request),
            Err(payload) => Self::Panicked(payload),
        }
    }
}

/// The receiving end of a channel.
pub(super) struct Live<T>(pub(super) Receiver<T>);

impl<T: Into<Request> + Send> Source for Live<T> {
    fn next(&mut self, wait: Duration) -> Next {
        match self.0.recv_timeout(wait) {
            Ok(item) => Next::of(item),
            Err(RecvTimeoutError::Timeout) => Next::Empty,
            Err(RecvTimeoutError::Disconnected) => Next::Closed,
        }
    }

    fn most_left(&self) -> Option<usize> {
        None
    }

    fn never_waits(&self) -> bool {
        true
    }
}

/// An iterator.
pub(super) struct Listed<I> {
    pub(super) jobs: I,
    /// Whether it is known to hold what it gives already.
    pub(super) is_list: bool,
}

impl<I> Source for Listed<I>
where
    I: Iterator + Send,
    I::Item: Into<Request>,
{
    fn next(&mut self, _: Duration) -> Next {
        self.jobs.next().map_or(Next::Closed, Next::of)
    }

    fn most_left(&self) -> Option<usize> {
        self.jobs.size_hint().1
    }

    fn never_waits(&self) -> bool {
        self.is_list
    }
}

/// Drops a source, whose destructor is the caller's code.
pub(super) fn drop_quietly(source: Option<Box<dyn Source>>) {
    let _ = catch(|| drop(source));
}

/// A source that is the caller's own is left alone for so long.
const SLICE: Duration = Duration::from_millis(25);
