//! The threads that look names up, shared by the whole process, and those who wait for them.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::interrupt::GiveUp;
use super::patience::{Patience, cancelled};
use super::resolve::Resolver;
use crate::catch::{Panicked, catch};

/// One question, shared by those who ask it and the thread that finds out.
pub(super) struct Query {
    /// Who is asked; the system if nobody.
    resolver: Option<Arc<dyn Resolver>>,
    host: String,
    port: u16,
    answer: Mutex<Option<Answer>>,
    changed: Condvar,
}

/// What the system said. Told to more than one, which an `io::Error` cannot be.
#[derive(Clone)]
enum Answer {
    Addresses(Vec<SocketAddr>),
    Failure(io::ErrorKind, String),
    Panicked(Panicked),
}

impl Query {
    fn new(resolver: Option<&Arc<dyn Resolver>>, host: &str, port: u16) -> Self {
        Self {
            resolver: resolver.cloned(),
            host: host.to_owned(),
            port,
            answer: Mutex::new(None),
            changed: Condvar::new(),
        }
    }

    fn is_for(&self, resolver: Option<&Arc<dyn Resolver>>, host: &str, port: u16) -> bool {
        let same = match (&self.resolver, resolver) {
            (None, None) => true,
            (Some(mine), Some(theirs)) => Arc::ptr_eq(mine, theirs),
            _ => false,
        };
        same && self.host == host && self.port == port
    }

    /// Finds out. Blocks for as long as it takes.
    fn find_out(&self) {
        let ask = || match &self.resolver {
            Some(resolver) => resolver.resolve(&self.host, self.port),
            None => (self.host.as_str(), self.port).to_socket_addrs().map(Iterator::collect),
        };
        let answer = match catch(ask) {
            Ok(Ok(addresses)) => Answer::Addresses(addresses),
            Ok(Err(error)) => Answer::Failure(error.kind(), error.to_string()),
            Err(panicked) => Answer::Panicked(panicked),
        };
        *lock(&self.answer) = Some(answer);
        self.changed.notify_all();
    }
}

/// A resolver of the caller's panicked.
#[derive(Debug)]
pub(super) struct ResolverPanicked(Panicked);

impl fmt::Display for ResolverPanicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message("the resolver panicked"))
    }
}

impl std::error::Error for ResolverPanicked {}

/// One thread that waits for the answer to a question.
pub(super) struct Asker {
    pub(super) query: Arc<Query>,
    pub(super) gave_up: AtomicBool,
}

impl GiveUp for Asker {
    fn give_up(&self) {
        // Under the lock, or the asker could look at the flag just before and sleep just after.
        let _answer = lock(&self.query.answer);
        self.gave_up.store(true, Ordering::SeqCst);
        self.query.changed.notify_all();
    }
}

impl Asker {
    pub(super) fn wait(&self, patience: &Patience<'_>) -> io::Result<Vec<SocketAddr>> {
        let mut answer = lock(&self.query.answer);
        loop {
            match &*answer {
                Some(Answer::Addresses(addresses)) => return Ok(addresses.clone()),
                Some(Answer::Failure(kind, text)) => {
                    return Err(io::Error::new(*kind, text.clone()));
                }
                Some(Answer::Panicked(panicked)) => {
                    return Err(io::Error::other(ResolverPanicked(panicked.clone())));
                }
                None if self.gave_up.load(Ordering::SeqCst) => return Err(cancelled()),
                None => {}
            }
            let changed = &self.query.changed;
            answer = match patience.left()? {
                Some(left) => {
                    changed.wait_timeout(answer, left).unwrap_or_else(PoisonError::into_inner).0
                }
                None => changed.wait(answer).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }
}

/// The threads of the process that look names up. They start when there is work and end when
/// there has been none for a while.
pub(super) struct Lookups {
    desk: Mutex<Desk>,
    work: Condvar,
}

struct Desk {
    waiting: VecDeque<Arc<Query>>,
    running: Vec<Arc<Query>>,
    threads: usize,
    idle: usize,
}

pub(super) static LOOKUPS: Lookups = Lookups {
    desk: Mutex::new(Desk { waiting: VecDeque::new(), running: Vec::new(), threads: 0, idle: 0 }),
    work: Condvar::new(),
};

impl Lookups {
    /// The question about this host: the one that is being answered, or a new one.
    pub(super) fn submit(
        &'static self,
        resolver: Option<&Arc<dyn Resolver>>,
        host: &str,
        port: u16,
    ) -> io::Result<Arc<Query>> {
        let mut desk = lock(&self.desk);
        let asked = desk
            .waiting
            .iter()
            .chain(&desk.running)
            .find(|query| query.is_for(resolver, host, port));
        if let Some(query) = asked {
            return Ok(Arc::clone(query));
        }
        if desk.idle <= desk.waiting.len() && desk.threads < MAX_THREADS {
            let name = "fetchpool-dns".to_owned();
            match thread::Builder::new().name(name).spawn(|| self.run()) {
                Ok(_) => desk.threads = desk.threads.saturating_add(1),
                // Those that run already will get to it.
                Err(_) if desk.threads > 0 => {}
                Err(error) => return Err(error),
            }
        }
        let query = Arc::new(Query::new(resolver, host, port));
        desk.waiting.push_back(Arc::clone(&query));
        self.work.notify_one();
        Ok(query)
    }

    fn run(&self) {
        let mut desk = lock(&self.desk);
        loop {
            if let Some(query) = desk.waiting.pop_front() {
                // Nobody holds it but this thread: all who asked have given up.
                if Arc::strong_count(&query) == 1 {
                    continue;
                }
                desk.running.push(Arc::clone(&query));
                drop(desk);
                query.find_out();
                desk = lock(&self.desk);
                desk.running.retain(|running| !Arc::ptr_eq(running, &query));
                continue;
            }
            desk.idle = desk.idle.saturating_add(1);
            let (woken, timeout) =
                self.work.wait_timeout(desk, IDLE).unwrap_or_else(PoisonError::into_inner);
            desk = woken;
            desk.idle = desk.idle.saturating_sub(1);
            if timeout.timed_out() && desk.waiting.is_empty() {
                desk.threads = desk.threads.saturating_sub(1);
                return;
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Poison is ignored: no code of ours that can panic runs under these locks.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Names that are looked up at the same time, in the whole process. A name server that does not
/// answer holds a thread for some 5 to 40 s, so that there must be more of them than a list of
/// URLs is likely to name dead hosts.
const MAX_THREADS: usize = 64;
const IDLE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::super::deadline::Deadline;
    use super::super::flow::Flow;
    use super::super::interrupt::Interrupt;
    use super::super::resolve::lookup;
    use super::*;
    use crate::message::Clock;

    /// Asks a question that nobody answers.
    fn unanswered() -> Arc<Asker> {
        let query = Arc::new(Query::new(None, "never.invalid", 0));
        Arc::new(Asker { query, gave_up: AtomicBool::new(false) })
    }

    fn with_patience<T>(
        interrupt: &Interrupt,
        ms: Option<u64>,
        wait: impl FnOnce(&Patience<'_>) -> T,
    ) -> T {
        let limit = ms.map(Duration::from_millis);
        let deadline = Deadline::after(Instant::now(), limit, Clock::Request);
        let flow = Flow::new(None, None, None);
        wait(&Patience { deadline, batch: Deadline::never(), flow: &flow, interrupt })
    }

    #[test]
    fn an_answer_that_never_comes_is_waited_for_no_longer_than_the_deadline() {
        let interrupt = Interrupt::default();
        let waited = with_patience(&interrupt, Some(20), |patience| unanswered().wait(patience));
        assert_eq!(waited.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[test]
    fn a_raised_interrupt_ends_the_wait_of_one_and_not_of_the_others() {
        let first = unanswered();
        let second = Asker { query: Arc::clone(&first.query), gave_up: AtomicBool::new(false) };
        let interrupt = Interrupt::default();
        interrupt.watch_wait(Arc::clone(&first));
        let raiser = interrupt.clone();
        let thread = thread::spawn(move || raiser.raise().is_none());
        assert!(with_patience(&interrupt, None, |patience| first.wait(patience)).is_err());
        assert!(thread.join().unwrap(), "nothing is left to be done afterwards");

        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        *lock(&second.query.answer) = Some(Answer::Addresses(vec![address]));
        let found = with_patience(&Interrupt::default(), None, |patience| second.wait(patience));
        assert_eq!(found.unwrap(), [address]);
    }

    #[test]
    fn localhost_has_an_address_with_the_port_that_was_asked_for() {
        let found = with_patience(&Interrupt::default(), Some(20_000), |patience| {
            lookup(None, "localhost", 81, patience)
        });
        let found = found.unwrap();
        assert!(found.iter().all(|address| address.ip().is_loopback() && address.port() == 81));
    }
}
