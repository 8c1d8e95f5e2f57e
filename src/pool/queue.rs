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

/// Any source of things that turn into requests: a list, an iterator, or the receiving end of a
/// channel.
///
/// A `Receiver<Request>` is an iterator like any other, but one whose wait can be cut into
/// slices: so it is looked for by its type, and a worker that waits for the next job sees within
/// a slice that the pool is being dropped. A worker that waits in somebody else's iterator sees it
/// when that returns.
pub(super) fn source<I>(queue: I) -> Box<dyn Source>
where
    I: IntoIterator + 'static,
    I::Item: Into<Request>,
    I::IntoIter: Send + 'static,
{
    let mut queue = Some(queue);
    let any: &mut dyn Any = &mut queue;
    if let Some(receiver) = any.downcast_mut::<Option<Receiver<Request>>>().and_then(Option::take) {
        return Box::new(Live(receiver));
    }
    match queue {
        Some(queue) => Box::new(Listed(queue.into_iter())),
        // Taken only above, where it is returned.
        None => Box::new(Listed(std::iter::empty::<Request>())),
    }
}

struct Live(Receiver<Request>);

impl Source for Live {
    fn next(&mut self, wait: Duration) -> Next {
        match self.0.recv_timeout(wait) {
            Ok(request) => Next::Job(request),
            Err(RecvTimeoutError::Timeout) => Next::Empty,
            Err(RecvTimeoutError::Disconnected) => Next::Closed,
        }
    }

    fn most_left(&self) -> Option<usize> {
        None
    }
}

struct Listed<I>(I);

impl<I> Source for Listed<I>
where
    I: Iterator + Send,
    I::Item: Into<Request>,
{
    fn next(&mut self, _: Duration) -> Next {
        let Some(item) = self.0.next() else { return Next::Closed };
        // The iterator is not touched by this, and can go on.
        match catch_unwind(AssertUnwindSafe(|| item.into())) {
            Ok(request) => Next::Job(request),
            Err(payload) => Next::Panicked(payload),
        }
    }

    fn most_left(&self) -> Option<usize> {
        self.0.size_hint().1
    }
}

/// Drops a source, whose destructor is the caller's code.
pub(super) fn drop_quietly(source: Option<Box<dyn Source>>) {
    let _ = catch(|| drop(source));
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn a_live_queue_tells_empty_from_closed() {
        let (sender, receiver) = mpsc::channel();
        let mut source = source(receiver);
        assert!(matches!(source.next(Duration::ZERO), Next::Empty));
        sender.send(Request::get("http://h/")).unwrap();
        assert!(matches!(source.next(Duration::ZERO), Next::Job(_)));
        drop(sender);
        assert!(matches!(source.next(Duration::ZERO), Next::Closed));
    }

    #[test]
    fn a_list_knows_how_many_are_left() {
        let mut source = source(vec!["http://a/", "http://b/"]);
        assert_eq!(source.most_left(), Some(2));
        assert!(matches!(source.next(Duration::ZERO), Next::Job(_)));
        assert_eq!(source.most_left(), Some(1));
    }
}
