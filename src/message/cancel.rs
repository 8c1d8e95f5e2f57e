//! A token that ends the jobs it was given to.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Ends the requests it was given to, from any thread: those that run, those that wait, and those
/// that are still to come.
///
/// Give it along with [`Request::cancel_token`](super::Request::cancel_token), to one request or to
/// many. A cancelled request fails with kind [`Cancelled`](crate::ErrorKind::Cancelled); a thread
/// that waits on a socket, a look-up or a queue for it is woken at once. A job that its pool has not
/// taken yet comes out when it is. Clones are the same token.
///
/// What it cannot wake is a thread that is just opening a TCP connection: the standard library
/// has no way to. A [`Pool`](crate::Pool) does not wait for it: the job has its outcome at once, and
/// another thread takes that one's place. A [`Session`](crate::Session) on its own returns when the
/// connection is open or has failed, at the latest when its `connect_timeout` runs out.
///
/// # Examples
///
/// ```
/// use fetchpool::{CancelToken, Request, Session};
///
/// let token = CancelToken::new();
/// token.cancel();
/// let request = Request::get("http://example.com/").cancel_token(&token);
/// assert!(Session::default().request(request).unwrap_err().is_cancelled());
/// ```
#[derive(Clone, Default)]
pub struct CancelToken(Arc<Inner>);

#[derive(Default)]
struct Inner {
    cancelled: AtomicBool,
    watchers: Mutex<Watchers>,
}

#[derive(Default)]
struct Watchers {
    next: u64,
    list: Vec<(u64, Arc<dyn OnCancel>)>,
}

/// Somebody who does what a token stands for, and must know when it is cancelled.
pub(crate) trait OnCancel: Send + Sync {
    /// The token was cancelled. Called under the token's lock: what may take long, or is the
    /// caller's code, is left for later and given back.
    fn cancelled(&self) -> Option<Afterwards>;
}

/// The rest of a cancel, done when no lock is held.
pub(crate) type Afterwards = Box<dyn FnOnce() + Send>;

/// As long as this lives, its watcher is told when the token is cancelled.
pub(crate) struct Watch {
    token: CancelToken,
    id: u64,
}

impl CancelToken {
    /// A token that is not cancelled.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Cancels every request that has this token, now and from now on. Does not wait for them.
    pub fn cancel(&self) {
        // The flag goes up before the lock is taken, and `watch` looks at it after: whichever of
        // the two comes second tells the watcher.
        self.0.cancelled.store(true, Ordering::SeqCst);
        let rest: Vec<Afterwards> = {
            let watchers = self.lock();
            watchers.list.iter().filter_map(|(_, watcher)| watcher.cancelled()).collect()
        };
        rest.into_iter().for_each(|rest| rest());
    }

    /// Whether [`cancel`](Self::cancel) was called.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.cancelled.load(Ordering::SeqCst)
    }

    /// Tells this watcher when the token is cancelled, at once if it is already. When the watch is
    /// dropped, the watcher is not being told and will not be.
    pub(crate) fn watch(&self, watcher: Arc<dyn OnCancel>) -> Watch {
        let (id, rest) = {
            let mut watchers = self.lock();
            let id = watchers.next;
            watchers.next = id.wrapping_add(1);
            let rest = if self.is_cancelled() { watcher.cancelled() } else { None };
            watchers.list.push((id, watcher));
            (id, rest)
        };
        if let Some(rest) = rest {
            rest();
        }
        Watch { token: self.clone(), id }
    }

    fn lock(&self) -> MutexGuard<'_, Watchers> {
        // Poison is ignored: nothing that can panic runs under this lock.
        self.0.watchers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut watchers = self.token.lock();
        if let Some(place) = watchers.list.iter().position(|(id, _)| *id == self.id) {
            watchers.list.swap_remove(place);
        }
    }
}

impl fmt::Debug for CancelToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CancelToken").field(&self.is_cancelled()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicU32);

    impl OnCancel for Count {
        fn cancelled(&self) -> Option<Afterwards> {
            self.0.fetch_add(1, Ordering::SeqCst);
            None
        }
    }

    #[test]
    fn those_who_watch_are_told_and_those_who_have_left_are_not() {
        let token = CancelToken::new();
        let (stays, leaves, late) = <(Arc<Count>, Arc<Count>, Arc<Count>)>::default();
        let _stays = token.watch(Arc::clone(&stays) as Arc<dyn OnCancel>);
        drop(token.watch(Arc::clone(&leaves) as Arc<dyn OnCancel>));
        token.clone().cancel();
        let _late = token.watch(Arc::clone(&late) as Arc<dyn OnCancel>);
        let told = [stays, leaves, late].map(|count| count.0.load(Ordering::SeqCst));
        assert_eq!(told, [1, 0, 1]);
    }
}
