//! Where jobs come from.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use crate::catch::catch;
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
}

/// What a source answers. Empty is not closed.
#[expect(clippy::large_enum_variant, reason = "lives for a moment, on the stack")]
pub(super) enum Next {
    Job(Request),
    /// A job that panicked on its way to becoming a request, and what it said.
    Panicked(Box<dyn Any + Send>),
    Empty,
    Closed,
}

impl Next {
    /// The caller's own conversion may panic. Its source is not touched by that, and can go on.
    fn of(item: impl Into<Request>) -> Self {
        match catch_unwind(AssertUnwindSafe(|| item.into())) {
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
