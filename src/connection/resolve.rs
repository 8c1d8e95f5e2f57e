//! From host names to addresses, by the system's resolver.
//!
//! A look-up by the system cannot be given a time limit and cannot be interrupted, so it runs on
//! one of a few threads that the whole process shares, and the asking thread waits for the answer
//! only as long as it has time. A look-up that nobody waits for any more ends by itself.
//!
//! Addresses written as such never come here.

use std::collections::VecDeque;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::interrupt::GiveUp;
use super::patience::{Patience, cancelled};

/// The addresses of a host, in the order in which the system prefers them; at least one.
pub(super) fn lookup(
    host: &str,
    port: u16,
    patience: &Patience<'_>,
) -> io::Result<Vec<SocketAddr>> {
    let query = Arc::new(Query {
        host: host.to_owned(),
        port,
        state: Mutex::new(State::Waiting),
        changed: Condvar::new(),
    });
    patience.interrupt.watch_wait(Arc::clone(&query));
    let answer = LOOKUPS.submit(&query).and_then(|()| query.wait(patience));
    patience.interrupt.watch_nothing();
    match answer {
        Ok(addresses) if addresses.is_empty() => {
            Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address"))
        }
        other => other,
    }
}

/// One question, shared by the thread that asks and the one that finds out.
struct Query {
    host: String,
    port: u16,
    state: Mutex<State>,
    changed: Condvar,
}

enum State {
    Waiting,
    Answered(io::Result<Vec<SocketAddr>>),
    GivenUp,
}

impl GiveUp for Query {
    fn give_up(&self) {
        *lock(&self.state) = State::GivenUp;
        self.changed.notify_all();
    }
}

impl Query {
    fn wait(&self, patience: &Patience<'_>) -> io::Result<Vec<SocketAddr>> {
        let mut state = lock(&self.state);
        loop {
            match std::mem::replace(&mut *state, State::GivenUp) {
                State::Answered(answer) => return answer,
                State::GivenUp => return Err(cancelled()),
                State::Waiting => *state = State::Waiting,
            }
            state = match patience.left() {
                Ok(Some(left)) => {
                    let waited = self.changed.wait_timeout(state, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                Ok(None) => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Err(error) => {
                    *state = State::GivenUp;
                    return Err(error);
                }
            };
        }
    }

    fn answer(&self) {
        if matches!(*lock(&self.state), State::GivenUp) {
            return;
        }
        let answer = (self.host.as_str(), self.port).to_socket_addrs().map(Iterator::collect);
        let mut state = lock(&self.state);
        if matches!(*state, State::Waiting) {
            *state = State::Answered(answer);
            self.changed.notify_all();
        }
    }
}

/// The threads of the process that look names up. They start when there is work and end when
/// there has been none for a while.
struct Lookups {
    desk: Mutex<Desk>,
    work: Condvar,
}

struct Desk {
    queries: VecDeque<Arc<Query>>,
    threads: usize,
    idle: usize,
}

static LOOKUPS: Lookups = Lookups {
    desk: Mutex::new(Desk { queries: VecDeque::new(), threads: 0, idle: 0 }),
    work: Condvar::new(),
};

impl Lookups {
    fn submit(&'static self, query: &Arc<Query>) -> io::Result<()> {
        let mut desk = lock(&self.desk);
        if desk.idle <= desk.queries.len() && desk.threads < MAX_THREADS {
            let started = thread::Builder::new().name("fetchpool-dns".into()).spawn(|| self.run());
            match started {
                Ok(_) => desk.threads += 1,
                // Those that run already will get to it.
                Err(_) if desk.threads > 0 => {}
                Err(error) => return Err(error),
            }
        }
        desk.queries.push_back(Arc::clone(query));
        self.work.notify_one();
        Ok(())
    }

    fn run(&self) {
        let mut desk = lock(&self.desk);
        loop {
            if let Some(query) = desk.queries.pop_front() {
                drop(desk);
                query.answer();
                desk = lock(&self.desk);
                continue;
            }
            desk.idle += 1;
            let (woken, timeout) =
                self.work.wait_timeout(desk, IDLE).unwrap_or_else(PoisonError::into_inner);
            desk = woken;
            desk.idle -= 1;
            if timeout.timed_out() && desk.queries.is_empty() {
                desk.threads -= 1;
                return;
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Poison is ignored: no code of ours that can panic runs under these locks.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Look-ups at the same time, in the whole process. A resolver that does not answer holds a
/// thread for some 5 to 30 s; glibc itself asks few questions in parallel.
const MAX_THREADS: usize = 8;
const IDLE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::super::deadline::{Clock, Deadline};
    use super::super::interrupt::Interrupt;
    use super::*;

    #[test]
    fn an_answer_that_never_comes_is_waited_for_no_longer_than_the_deadline() {
        let query = Query {
            host: "never.invalid".into(),
            port: 80,
            state: Mutex::new(State::Waiting),
            changed: Condvar::new(),
        };
        let limit = Duration::from_millis(20);
        let deadline = Deadline::after(Instant::now(), Some(limit), Clock::Request);
        let interrupt = Interrupt::default();
        let error = query.wait(&Patience { deadline, interrupt: &interrupt }).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[test]
    fn a_raised_interrupt_ends_the_wait_for_an_answer() {
        let query = Arc::new(Query {
            host: "never.invalid".into(),
            port: 80,
            state: Mutex::new(State::Waiting),
            changed: Condvar::new(),
        });
        let interrupt = Interrupt::default();
        interrupt.watch_wait(Arc::clone(&query));
        let raiser = interrupt.clone();
        let thread = thread::spawn(move || raiser.raise());
        let deadline = Deadline::after(Instant::now(), None, Clock::Request);
        assert!(query.wait(&Patience { deadline, interrupt: &interrupt }).is_err());
        thread.join().unwrap();
    }

    #[test]
    fn localhost_has_an_address() {
        let deadline =
            Deadline::after(Instant::now(), Some(Duration::from_secs(20)), Clock::Request);
        let interrupt = Interrupt::default();
        let found = lookup("localhost", 80, &Patience { deadline, interrupt: &interrupt });
        assert!(found.unwrap().iter().all(|address| address.ip().is_loopback()));
    }
}
