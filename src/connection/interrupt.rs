//! How one thread ends what another one waits for.

use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::pipe::Pipe;
use crate::message::{Afterwards, CancelToken, OnCancel, Timings, Watch};

/// A flag that one thread raises and the waiting thread obeys.
///
/// Raising it also wakes the waiting thread: the socket that it watches is shut down, so that a
/// blocked read or write returns, and any other wait is given up. The woken thread sees an end of
/// file or an error, and must ask [`is_raised`](Self::is_raised) before it believes that the peer
/// did that.
///
/// What cannot be woken is a `connect` in progress: the standard library has no way to do so. Then
/// whoever has put up an [`Abandon`] is told, and can go on without that thread.
#[derive(Clone, Default)]
pub(crate) struct Interrupt(Arc<Inner>);

/// A wait, other than that for a socket, that another thread can end.
pub(crate) trait GiveUp: Send + Sync {
    /// Wakes the waiting thread without what it waits for.
    fn give_up(&self);
}

/// Somebody who can go on without a thread that cannot be woken.
pub(crate) trait Abandon: Send + Sync {
    /// Takes away what the thread was at, while it certainly still is. What may take long, or is
    /// the caller's code, is given back to be done when no lock is held.
    /// `timings` is how far it had come.
    fn abandon(&self, timings: Timings) -> Option<Afterwards>;
}

#[derive(Default)]
struct Inner {
    /// [`REQUEST`] for the request of the moment, [`ALL`] for good.
    raised: AtomicU8,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    waiting_for: WaitingFor,
    abandon: Option<Arc<dyn Abandon>>,
}

#[derive(Default)]
enum WaitingFor {
    #[default]
    Nothing,
    Socket(Arc<Pipe>),
    /// How far the request had come when it began to, and when that was.
    Connect(Timings, Instant),
    Other(Arc<dyn GiveUp>),
}

impl Interrupt {
    /// Ends what is waited for, now and from now on. What it returns is the rest of it.
    #[must_use]
    pub(crate) fn raise(&self) -> Option<Afterwards> {
        self.0.raise(ALL)
    }

    pub(crate) fn is_raised(&self) -> bool {
        self.0.is_raised()
    }

    /// Whether it was raised for more than the request of the moment.
    pub(crate) fn is_raised_for_good(&self) -> bool {
        self.0.raised.load(Ordering::SeqCst) & ALL != 0
    }

    /// A new request begins; as long as the watch lives, its token ends it.
    pub(crate) fn begin(&self, token: Option<&CancelToken>) -> Option<Watch> {
        // No token of an earlier request can come in between: its watch is gone.
        if self.0.raised.load(Ordering::SeqCst) & REQUEST != 0 {
            self.0.raised.fetch_and(!REQUEST, Ordering::SeqCst);
        }
        token.map(|token| token.watch(Arc::clone(&self.0) as Arc<dyn OnCancel>))
    }

    /// Who is told when this thread must be done without.
    pub(crate) fn on_abandon(&self, abandon: Arc<dyn Abandon>) {
        self.0.lock().abandon = Some(abandon);
    }

    /// From here on the thread may block on this socket.
    pub(crate) fn watch_socket(&self, socket: &Arc<Pipe>) {
        self.set(WaitingFor::Socket(Arc::clone(socket)));
    }

    /// From here on the thread may block on this wait.
    pub(crate) fn watch_wait(&self, wait: Arc<impl GiveUp + 'static>) {
        self.set(WaitingFor::Other(wait));
    }

    /// From here on the thread blocks where it cannot be woken. `false` if it must not begin to.
    pub(super) fn watch_connect(&self, timings: Timings, since: Instant) -> bool {
        let mut state = self.0.lock();
        state.waiting_for = WaitingFor::Connect(timings, since);
        let may = !self.is_raised();
        if !may {
            state.waiting_for = WaitingFor::Nothing;
        }
        may
    }

    /// The thread no longer waits; a kept connection is out of reach again.
    pub(crate) fn watch_nothing(&self) {
        self.0.lock().waiting_for = WaitingFor::Nothing;
    }

    fn set(&self, waiting_for: WaitingFor) {
        let mut state = self.0.lock();
        state.waiting_for = waiting_for;
        if self.is_raised() {
            // Never a connect: nothing is left to be done afterwards.
            drop(state.end());
        }
    }
}

impl Inner {
    fn raise(&self, what: u8) -> Option<Afterwards> {
        // The flag goes up before the lock is taken, and `set` looks at it after: whichever of
        // the two comes second ends the wait.
        self.raised.fetch_or(what, Ordering::SeqCst);
        self.lock().end()
    }

    fn is_raised(&self) -> bool {
        self.raised.load(Ordering::SeqCst) != 0
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Poison is ignored: each change of the value is one assignment.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OnCancel for Inner {
    fn cancelled(&self) -> Option<Afterwards> {
        self.raise(REQUEST)
    }
}

impl State {
    fn end(&self) -> Option<Afterwards> {
        match &self.waiting_for {
            WaitingFor::Nothing => None,
            WaitingFor::Socket(socket) => {
                // Fails only if the socket is no longer connected, and then nobody blocks on it.
                let _ = socket.shutdown();
                None
            }
            WaitingFor::Other(wait) => {
                wait.give_up();
                None
            }
            &WaitingFor::Connect(mut timings, since) => {
                timings.connect = timings.connect.saturating_add(since.elapsed());
                self.abandon.as_ref()?.abandon(timings)
            }
        }
    }
}

impl fmt::Debug for Interrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Interrupt").field(&self.is_raised()).finish()
    }
}

const REQUEST: u8 = 1;
const ALL: u8 = 2;
