//! What a caller may give as a job queue, and what becomes of it.

use std::any::Any;
use std::sync::mpsc::Receiver;

use super::outcome::ThreadException;
use super::queue::{Listed, Live, Source};
use super::unpulled::Unpulled;
use crate::message::Request;

/// Any source of things that turn into requests: a list, an iterator, the receiving end of a
/// channel, or what another pool has handed back.
///
/// A receiver is an iterator like any other, but one whose wait can be cut into slices: so it is
/// looked for by its type, and a worker that waits for the next job sees within a slice that the
/// pool is to end. A worker that waits in somebody else's iterator sees it when that returns.
pub(super) fn source<I>(queue: I) -> Box<dyn Source>
where
    I: IntoIterator + 'static,
    I::Item: Into<Request>,
    I::IntoIter: Send + 'static,
{
    let mut queue = Some(queue);
    let any: &mut dyn Any = &mut queue;
    if let Some(unpulled) = any.downcast_mut::<Option<Unpulled>>().and_then(Option::take) {
        return Box::new(unpulled);
    }
    let found = live::<Request>(any)
        .or_else(|| live::<String>(any))
        .or_else(|| live::<&'static str>(any))
        .or_else(|| live::<ThreadException>(any));
    if let Some(live) = found {
        return live;
    }
    let is_list = list::<Request>(any)
        || list::<String>(any)
        || list::<&'static str>(any)
        || list::<ThreadException>(any);
    match queue {
        Some(queue) => Box::new(Listed { jobs: queue.into_iter(), is_list }),
        // Taken only above, where it is returned.
        None => Box::new(Listed { jobs: std::iter::empty::<Request>(), is_list: true }),
    }
}

/// Whether the queue is a list of such things, so that asking it for the next one takes no time.
fn list<T: 'static>(queue: &dyn Any) -> bool {
    queue.is::<Option<Vec<T>>>() || queue.is::<Option<std::vec::IntoIter<T>>>()
}

fn live<T: Into<Request> + Send + 'static>(queue: &mut dyn Any) -> Option<Box<dyn Source>> {
    let receiver = queue.downcast_mut::<Option<Receiver<T>>>()?.take()?;
    Some(Box::new(Live(receiver)))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::super::queue::Next;
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
    fn a_channel_of_whatever_turns_into_a_request_is_live() {
        let (_texts, texts) = mpsc::channel::<String>();
        let (_literals, literals) = mpsc::channel::<&'static str>();
        let (_failed, failed) = mpsc::channel::<ThreadException>();
        for mut source in [source(texts), source(literals), source(failed)] {
            assert!(matches!(source.next(Duration::ZERO), Next::Empty));
        }
    }

    #[test]
    fn a_list_knows_how_many_are_left() {
        let mut source = source(vec!["http://a/", "http://b/"]);
        assert_eq!(source.most_left(), Some(2));
        assert!(matches!(source.next(Duration::ZERO), Next::Job(_)));
        assert_eq!(source.most_left(), Some(1));
    }
}
