//! A queue within this process: what is ready is in a channel, the rest on a shelf.

use std::fmt;
use std::sync::mpsc::{self, Receiver, Sender, TryRecvError};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::claim::{Claim, Claimed};
use super::contract::JobQueue;
use super::fault::QueueError;
use super::shelf::{DeadLetter, Entry, Shelf};
use super::types::{Depth, Lease, Nack, Settled, Submitted, Ticket};
use crate::message::Request;

/// A [`JobQueue`] in memory, on a channel of `std::sync::mpsc`: with leases, redelivery, delays and
/// dead letters, as a server has them, but gone with the process.
///
/// For programs that settle their jobs themselves, and for tests of those that will have an engine
/// of another kind. Where nothing of this is needed, the receiving end of a channel is a
/// [`job_queue`](crate::PoolBuilder::job_queue), too, and cheaper.
///
/// Claims come in the order of what was put in; what goes back goes to the end. A job whose key is in
/// the queue already, or leased, is a [`Duplicate`](Submitted::Duplicate). Of settled deliveries
/// the last 1,024 are told from lost ones.
///
/// # Examples
///
/// ```
/// use fetchpool::{Claim, Claimed, JobQueue, MemoryQueue, Nack, Request, Settled};
/// use std::time::Duration;
///
/// let queue = MemoryQueue::new();
/// queue.submit(Request::get("http://example.com/"), Some("first"))?;
/// queue.close();
///
/// let now = Claim::new(Duration::ZERO);
/// let Claimed::Job(job) = queue.claim(&now)? else { panic!("there is a job") };
/// assert_eq!(queue.nack(job.ticket(), Nack::Dead { reason: "only an example".into() })?, Settled::Done);
/// assert_eq!(queue.ack(job.ticket())?, Settled::AlreadySettled);
/// assert!(matches!(queue.claim(&now)?, Claimed::Closed));
/// assert_eq!(queue.take_dead_letters()[0].key(), Some("first"));
/// # Ok::<(), fetchpool::QueueError>(())
/// ```
pub struct MemoryQueue {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    shelf: Shelf,
    sender: Sender<Message>,
    /// `None` while somebody waits in it, without the lock.
    receiver: Option<Receiver<Message>>,
    waiting: usize,
}

/// A job that is ready, or `None`, which says to look at the shelf again.
type Message = Option<Entry>;

impl MemoryQueue {
    /// An empty queue whose leases last 30 seconds.
    #[must_use]
    pub fn new() -> Self {
        Self::with_lease(LEASE)
    }

    /// An empty queue whose leases last so long.
    #[must_use]
    pub fn with_lease(lease: Duration) -> Self {
        let (sender, receiver) = mpsc::channel();
        let shelf = Shelf::new(lease);
        let state = State { shelf, sender, receiver: Some(receiver), waiting: 0 };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Takes out the jobs that are not to be delivered any more, the oldest first. Until then they
    /// are kept, however many there are.
    #[must_use]
    pub fn take_dead_letters(&self) -> Vec<DeadLetter> {
        self.lock().shelf.take_dead()
    }

    fn settle(&self, ticket: &Ticket, nack: Option<Nack>) -> Settled {
        let mut state = self.lock();
        let (settled, ready) = state.shelf.settle(ticket, nack, Instant::now());
        // Also who waits for the last one to be settled, or for one that rests from now on, is to
        // look again.
        state.send(ready);
        settled
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Poison is ignored: nothing that can panic runs under this lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl JobQueue for MemoryQueue {
    fn claim(&self, want: &Claim<'_>) -> Result<Claimed, QueueError> {
        let start = Instant::now();
        let mut state = self.lock();
        loop {
            let now = Instant::now();
            for entry in state.shelf.take_due(now) {
                state.send(Some(entry));
            }
            if want.is_over() {
                return Ok(Claimed::Empty);
            }
            if let Some(entry) = state.try_receive() {
                return Ok(state.shelf.lend(entry, now).into());
            }
            if state.shelf.is_drained() {
                return Ok(Claimed::Closed);
            }
            // Where there is one, whoever waits in the channel is about to come back with it, and
            // there may be more.
            let left = want.wait().saturating_sub(now.saturating_duration_since(start));
            if left.is_zero() && !state.shelf.has_ready() {
                return Ok(Claimed::Empty);
            }
            let due = state.shelf.next_due().map(|due| due.saturating_duration_since(now));
            let left = if left.is_zero() { SLICE } else { left };
            let wait = due.into_iter().fold(left.min(SLICE), Duration::min);
            let Some(receiver) = state.receiver.take() else {
                state.waiting = state.waiting.saturating_add(1);
                let waited = self.changed.wait_timeout(state, wait);
                state = waited.unwrap_or_else(PoisonError::into_inner).0;
                state.waiting = state.waiting.saturating_sub(1);
                continue;
            };
            drop(state);
            let received = receiver.recv_timeout(wait);
            state = self.lock();
            state.receiver = Some(receiver);
            if state.waiting > 0 {
                self.changed.notify_all();
            }
            if let Ok(Some(entry)) = received {
                return Ok(state.shelf.lend(entry, Instant::now()).into());
            }
        }
    }

    fn ack(&self, ticket: &Ticket) -> Result<Settled, QueueError> {
        Ok(self.settle(ticket, None))
    }

    fn nack(&self, ticket: &Ticket, nack: Nack) -> Result<Settled, QueueError> {
        Ok(self.settle(ticket, Some(nack)))
    }

    fn extend(&self, ticket: &Ticket, by: Duration) -> Result<Lease, QueueError> {
        Ok(self.lock().shelf.extend(ticket, by, Instant::now()))
    }

    fn submit(&self, request: Request, key: Option<&str>) -> Result<Submitted, QueueError> {
        let mut state = self.lock();
        match state.shelf.take_in(request, key) {
            Ok((submitted, entry)) => {
                state.send(entry);
                Ok(submitted)
            }
            Err(_) => Err(QueueError::permanent("the queue is closed")),
        }
    }

    fn close(&self) {
        let mut state = self.lock();
        state.shelf.close();
        state.send(None);
    }

    fn depth(&self) -> Option<Depth> {
        Some(self.lock().shelf.depth())
    }
}

impl State {
    /// Both ends live in the queue: this cannot fail.
    fn send(&self, message: Message) {
        // Who is not here sees it from the shelf when it comes.
        if message.is_some() || self.receiver.is_none() {
            let _ = self.sender.send(message);
        }
    }

    fn try_receive(&self) -> Option<Entry> {
        let receiver = self.receiver.as_ref()?;
        loop {
            match receiver.try_recv() {
                Ok(Some(entry)) => return Some(entry),
                Ok(None) => {}
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => return None,
            }
        }
    }
}

impl Default for MemoryQueue {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryQueue").field("depth", &self.depth()).finish_non_exhaustive()
    }
}

const LEASE: Duration = Duration::from_secs(30);
/// How long a claim waits before it looks whether it is still wanted.
const SLICE: Duration = Duration::from_millis(25);
