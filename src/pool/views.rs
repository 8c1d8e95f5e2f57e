//! Two views of one stream of outcomes.
//!
//! `responses()` and `exceptions()` read the same queue. What one view meets that is the other's
//! it sets aside, so that they can be read in any order, or both at once from two threads, and
//! neither waits for the other. What is set aside is bounded only by what there is: a caller who
//! never reads the exceptions keeps them.
//!
//! Where the order of the input is kept, it is made here: what comes too early waits for those
//! before it. There are never more of them than the window, for the schedule takes no job as long
//! as so many are taken and not read.

use std::collections::{BTreeMap, VecDeque};
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::crew::Crew;
use super::outcome::{Message, Outcome};

/// The reading end of the outcome queue.
pub(super) struct Views {
    crew: Arc<Crew>,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    /// `None` while somebody reads, and after the end.
    queue: Option<Queue>,
    /// Somebody is waiting in the queue, without the lock.
    reading: bool,
    /// What was met by a view that did not want it, numbered as it came.
    responses: VecDeque<(u64, Outcome)>,
    exceptions: VecDeque<(u64, Outcome)>,
    met: u64,
    waiting: usize,
}

/// Where the workers send outcomes.
struct Queue {
    receiver: Receiver<Message>,
    received: u64,
    /// How many came since it was last waited for one.
    at_once: usize,
    /// How often it is not to be let gather, since somebody may be waiting for the caller.
    awake: u32,
    /// Outcomes that came before their turn; `None` where they are given as they come.
    early: Option<BTreeMap<u64, Outcome>>,
    next: u64,
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
    pub(super) fn new(crew: Arc<Crew>, receiver: Receiver<Message>) -> Self {
        let early = if crew.schedule.rules.ordered { Some(BTreeMap::new()) } else { None };
        let state = State {
            queue: Some(Queue { receiver, received: 0, at_once: 0, awake: 0, early, next: 0 }),
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
            (state, received) = self.receive(state, until);
            match received {
                Received::Outcome(outcome) => {
                    let wanted = want.takes(&outcome);
                    self.crew.schedule.take_out(&outcome, wanted);
                    if wanted {
                        return Ok(Some(outcome));
                    }
                    state.set_aside(outcome);
                }
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
        let Some(mut queue) = state.queue.take() else { return (state, Received::End) };
        state.reading = true;
        drop(state);
        let received = queue.receive(&self.crew, until);
        state = self.lock();
        state.reading = false;
        if state.waiting > 0 {
            self.changed.notify_all();
        }
        // After the end the queue goes, and stays away.
        if !matches!(received, Received::End) {
            state.queue = Some(queue);
        }
        (state, received)
    }

    /// Reads no more; lets go of all that was not read.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        let queue = state.queue.take();
        let aside = (std::mem::take(&mut state.responses), std::mem::take(&mut state.exceptions));
        drop(state);
        // Without the lock: what the caller attached to a request goes with it.
        drop((queue, aside));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Poison is ignored: nothing that can panic runs under this lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives an outcome to the caller. Without the lock: a queue engine may be told of it.
fn hand_out(mut outcome: Outcome) -> Outcome {
    outcome.hand_out();
    outcome
}

impl Queue {
    /// Waits for the outcome whose turn it is.
    fn receive(&mut self, crew: &Crew, until: Option<Instant>) -> Received {
        loop {
            let early = self.early.as_mut().and_then(|early| early.remove(&self.next));
            let outcome = match early.map_or_else(|| self.take(crew, until), Received::Outcome) {
                Received::Outcome(outcome) => outcome,
                // A pool that was told to take no more jobs has handed back some before these.
                Received::End => match self.early.as_mut().and_then(BTreeMap::pop_first) {
                    Some((index, outcome)) => {
                        self.next = index.saturating_add(1);
                        return Received::Outcome(outcome);
                    }
                    None => return Received::End,
                },
                other => return other,
            };
            match &mut self.early {
                Some(early) if outcome.index() != self.next => {
                    early.insert(outcome.index(), outcome);
                }
                _ => {
                    self.next = self.next.saturating_add(1);
                    return Received::Outcome(outcome);
                }
            }
        }
    }

    /// Waits for an outcome.
    fn take(&mut self, crew: &Crew, until: Option<Instant>) -> Received {
        loop {
            if crew.schedule.total() == Some(self.received) {
                return Received::End;
            }
            let own = until.map(|until| until.saturating_duration_since(Instant::now()));
            // Also where nothing is waited for: what must be over now may be seen by nobody else.
            let wait = own.into_iter().chain(crew.left()).min();
            let message = match self.receiver.try_recv() {
                Ok(message) => Ok(message),
                Err(TryRecvError::Disconnected) => Err(RecvTimeoutError::Disconnected),
                Err(TryRecvError::Empty) => {
                    if self.naps(crew, wait) {
                        continue;
                    }
                    match wait {
                        Some(wait) => self.receiver.recv_timeout(wait),
                        None => self.receiver.recv().map_err(|_| RecvTimeoutError::Disconnected),
                    }
                }
            };
            // The schedule, which sends, lives as long as this: it says when it is the end. What
            // else it says is to look again.
            match message {
                Ok(Some(outcome)) => {
                    self.received = self.received.saturating_add(1);
                    self.at_once = self.at_once.saturating_add(1);
                    return Received::Outcome(outcome);
                }
                Ok(None) => {}
                Err(RecvTimeoutError::Timeout) if own.is_some_and(|own| own.is_zero()) => {
                    return Received::TimedOut;
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Received::End,
            }
        }
    }
}

impl Queue {
    /// Lets outcomes gather for a moment, where they come so fast that some will: whether it did.
    ///
    /// A worker that finds a reader asleep in the channel has to wake it, which takes a quarter of
    /// what a small request takes, and the others wait for the channel meanwhile. A reader that wakes
    /// by itself costs them nothing. Where outcomes come one by one it is woken for each.
    fn naps(&mut self, crew: &Crew, wait: Option<Duration>) -> bool {
        let came = std::mem::take(&mut self.at_once);
        // Nobody may have to wait for room meanwhile.
        let is_roomy = came <= crew.schedule.rules.room / 2;
        if came < 2 || !is_roomy || wait.is_some_and(|wait| wait <= NAP) {
            return false;
        }
        if self.awake > 0 {
            self.awake = self.awake.saturating_sub(1);
            return false;
        }
        thread::sleep(NAP);
        // It may be for what the caller does with an outcome: gives room, or the next job.
        if crew.schedule.has_somebody_free() {
            self.awake = AWAKE;
        }
        true
    }
}

/// How long a reader lets outcomes gather.
const NAP: Duration = Duration::from_micros(200);
/// How often it does not, before it looks again whether somebody waits for it.
const AWAKE: u32 = 64;

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
