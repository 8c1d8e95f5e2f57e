//! How one thread ends what another one waits for.

use std::fmt;
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A flag that one thread raises and the waiting thread obeys.
///
/// Raising it also wakes the waiting thread: the socket that it watches is shut down, so that a
/// blocked read or write returns, and a look-up it waits for is given up. The woken thread sees
/// an end of file or an error, and must ask [`is_raised`](Self::is_raised) before it believes
/// that the peer did that.
///
/// What cannot be woken is a `connect` in progress: the standard library has no way to do so. It
/// ends by its own time limit.
#[derive(Clone, Default)]
pub(crate) struct Interrupt(Arc<Inner>);

/// A wait, other than that for a socket, that another thread can end.
pub(super) trait GiveUp: Send + Sync {
    /// Wakes the waiting thread without what it waits for.
    fn give_up(&self);
}

#[derive(Default)]
struct Inner {
    raised: AtomicBool,
    waiting_for: Mutex<WaitingFor>,
}

#[derive(Default)]
enum WaitingFor {
    #[default]
    Nothing,
    Socket(Arc<TcpStream>),
    Other(Arc<dyn GiveUp>),
}

impl Interrupt {
    /// Ends what is waited for, now and from now on.
    pub(crate) fn raise(&self) {
        // The flag goes up before the lock is taken, and `set` looks at it after: whichever of
        // the two comes second ends the wait.
        self.0.raised.store(true, Ordering::SeqCst);
        self.lock().end();
    }

    pub(crate) fn is_raised(&self) -> bool {
        self.0.raised.load(Ordering::SeqCst)
    }

    /// From here on the thread may block on this socket.
    pub(crate) fn watch_socket(&self, socket: &Arc<TcpStream>) {
        self.set(WaitingFor::Socket(Arc::clone(socket)));
    }

    /// From here on the thread may block on this wait.
    pub(super) fn watch_wait(&self, wait: Arc<impl GiveUp + 'static>) {
        self.set(WaitingFor::Other(wait));
    }

    /// The thread no longer waits; a kept connection is out of reach again.
    pub(crate) fn watch_nothing(&self) {
        *self.lock() = WaitingFor::Nothing;
    }

    fn set(&self, waiting_for: WaitingFor) {
        let mut lock = self.lock();
        *lock = waiting_for;
        if self.is_raised() {
            lock.end();
        }
    }

    fn lock(&self) -> MutexGuard<'_, WaitingFor> {
        // Poison is ignored: each change of the value is one assignment.
        self.0.waiting_for.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl WaitingFor {
    fn end(&self) {
        match self {
            Self::Nothing => {}
            Self::Socket(socket) => {
                // Fails only if the socket is no longer connected, and then nobody blocks on it.
                let _ = socket.shutdown(Shutdown::Both);
            }
            Self::Other(wait) => wait.give_up(),
        }
    }
}

impl fmt::Debug for Interrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Interrupt").field(&self.is_raised()).finish()
    }
}
