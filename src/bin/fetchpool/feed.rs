//! What was read and waits for a worker: bounded, and it can be stopped from outside.
//!
//! Not `mpsc::sync_channel`: after a stop, what was read must still be answered for, and a worker
//! that waits for a line of a silent stdin must be woken. Both need to get at the queue from a
//! third place.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use fetchpool::Request;

/// The queue between the thread that reads and the pool that pulls.
#[derive(Debug)]
pub(crate) struct Feed {
    state: Mutex<State>,
    /// A request was added, or no more will be.
    work: Condvar,
    /// Half of the places are free again, or no more will be filled.
    room: Condvar,
    /// A line that was being understood has become a request.
    understood: Condvar,
}

#[derive(Debug)]
struct State {
    waiting: VecDeque<Request>,
    /// A line has been read, and is not a request yet.
    understanding: bool,
    /// All that there was has been pushed.
    closed: bool,
    /// No more will be pulled.
    stopped: bool,
    /// Why reading ended early.
    fault: Option<io::Error>,
}

impl Feed {
    /// A feed that begins with these requests, however many they are: they are in memory anyway.
    pub(crate) fn new(first: impl IntoIterator<Item = Request>) -> Self {
        let state = State {
            waiting: first.into_iter().collect(),
            understanding: false,
            closed: false,
            stopped: false,
            fault: None,
        };
        Self {
            state: Mutex::new(state),
            work: Condvar::new(),
            room: Condvar::new(),
            understood: Condvar::new(),
        }
    }

    /// Says that a line has been read, and that its request will follow. `false` after a stop: then
    /// it counts as not read.
    pub(crate) fn begin(&self) -> bool {
        let mut state = self.lock();
        state.understanding = !state.stopped;
        !state.stopped
    }

    /// Adds a request; if the feed is full, waits until half of it is free, so that reader and
    /// workers do not take turns line by line. `false` after a stop: read no further. The request
    /// is then kept for [`leftovers`](Self::leftovers).
    pub(crate) fn push(&self, request: Request) -> bool {
        let mut state = self.lock();
        if state.waiting.len() >= CAPACITY {
            while state.waiting.len() > CAPACITY / 2 && !state.stopped {
                state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
        state.waiting.push_back(request);
        state.understanding = false;
        self.understood.notify_all();
        self.work.notify_one();
        !state.stopped
    }

    /// Says that nothing more comes, and why if reading failed.
    pub(crate) fn close(&self, fault: Option<io::Error>) {
        let mut state = self.lock();
        state.closed = true;
        state.fault = fault;
        self.work.notify_all();
    }

    /// Gives nothing out from now on, and wakes whoever waits.
    pub(crate) fn stop(&self) {
        self.lock().stopped = true;
        self.work.notify_all();
        self.room.notify_all();
    }

    /// After a stop: what was read and never given out. Waits for a line that is being understood.
    pub(crate) fn leftovers(&self) -> VecDeque<Request> {
        let mut state = self.lock();
        while state.understanding {
            state = self.understood.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        std::mem::take(&mut state.waiting)
    }

    /// Whether the reader came to the end.
    pub(crate) fn is_read_whole(&self) -> bool {
        self.lock().closed
    }

    /// Why reading ended early.
    pub(crate) fn fault(&self) -> Option<io::Error> {
        self.lock().fault.take()
    }

    /// The requests in order. `None` means closed and drained, or stopped; never merely empty.
    pub(crate) fn jobs(self: Arc<Self>) -> impl Iterator<Item = Request> + Send + 'static {
        std::iter::from_fn(move || self.pull())
    }

    fn pull(&self) -> Option<Request> {
        let mut state = self.lock();
        loop {
            if state.stopped {
                return None;
            }
            if let Some(request) = state.waiting.pop_front() {
                if state.waiting.len() == CAPACITY / 2 {
                    self.room.notify_one();
                }
                return Some(request);
            }
            if state.closed {
                return None;
            }
            state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Poison is ignored on purpose: no line under the lock can panic half way through a change.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Requests that wait at most. Enough that the workers never wait for a file to be read, few
/// enough that a pipe is read no faster than it is served.
const CAPACITY: usize = 64;

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    fn urls(requests: impl IntoIterator<Item = Request>) -> Vec<String> {
        requests.into_iter().map(|request| request.url().to_owned()).collect()
    }

    #[test]
    fn requests_come_out_in_order_and_end_when_closed_and_drained() {
        let feed = Arc::new(Feed::new([Request::get("a")]));
        assert!(feed.push(Request::get("b")));
        feed.close(None);
        assert_eq!(urls(Arc::clone(&feed).jobs()), ["a", "b"]);
        assert!(feed.leftovers().is_empty());
    }

    #[test]
    fn a_full_feed_makes_the_reader_wait() {
        let feed = Arc::new(Feed::new([]));
        let reader = thread::spawn({
            let feed = Arc::clone(&feed);
            move || {
                (0..1_000).for_each(|n| assert!(feed.push(Request::get(n.to_string()))));
                feed.close(None);
            }
        });
        let mut pulled = 0;
        for request in Arc::clone(&feed).jobs() {
            assert_eq!(request.url(), pulled.to_string());
            assert!(feed.lock().waiting.len() <= CAPACITY);
            pulled += 1;
        }
        reader.join().unwrap();
        assert_eq!(pulled, 1_000);
    }

    #[test]
    fn a_stop_wakes_both_sides_and_keeps_what_was_read() {
        let feed = Arc::new(Feed::new((0..CAPACITY).map(|n| Request::get(n.to_string()))));
        let reader = thread::spawn({
            let feed = Arc::clone(&feed);
            move || feed.push(Request::get("last"))
        });
        feed.stop();
        assert!(!reader.join().unwrap());
        assert!(!feed.begin(), "the next line is none of ours");
        assert!(Arc::clone(&feed).jobs().next().is_none());
        let left = urls(feed.leftovers());
        assert_eq!((left.len(), left.last().map(String::as_str)), (CAPACITY + 1, Some("last")));
    }

    #[test]
    fn a_line_that_is_being_understood_when_the_stop_comes_is_left_over_too() {
        let feed = Arc::new(Feed::new([]));
        assert!(feed.begin());
        feed.stop();
        let left = thread::spawn({
            let feed = Arc::clone(&feed);
            move || feed.leftovers()
        });
        assert!(!feed.push(Request::get("late")));
        assert_eq!(urls(left.join().unwrap()), ["late"]);
        assert!(!feed.is_read_whole());
    }

    #[test]
    fn a_stop_ends_the_wait_for_a_line_that_never_comes() {
        let feed = Arc::new(Feed::new([]));
        let worker = thread::spawn({
            let jobs = Arc::clone(&feed).jobs();
            move || jobs.count()
        });
        feed.stop();
        assert_eq!(worker.join().unwrap(), 0);
    }
}
