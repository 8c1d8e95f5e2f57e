//! From host names to addresses.
//!
//! A look-up by the system cannot be given a time limit and cannot be interrupted, so it runs on
//! one of some threads that the whole process shares, and the asking thread waits for the answer
//! only as long as it has time. Whoever asks for a name that is being looked up waits for that same
//! answer. Addresses written as such never come here.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::interrupt::GiveUp;
use super::patience::{Patience, cancelled};
use super::resolve::Resolver;
use crate::catch::{Panicked, catch};

/// The addresses of a host; at least one.
pub(super) fn lookup(
    resolver: Option<&Arc<dyn Resolver>>,
    host: &str,
    port: u16,
    patience: &Patience<'_>,
) -> io::Result<Vec<SocketAddr>> {
    // Also an answer that is there at once is too late when there is no time at all.
    patience.left()?;
    let asker = Arc::new(Asker::ask(resolver, host, port)?);
    patience.interrupt.watch_wait(Arc::clone(&asker));
    let answer = asker.wait(patience);
    patience.interrupt.watch_nothing();
    let addresses = answer?;
    if addresses.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
    }
    Ok(addresses)
}

/// One question, shared by those who ask it and the thread that finds out.
struct Query {
    /// Who is asked; the system if nobody.
    resolver: Option<Arc<dyn Resolver>>,
    host: String,
    port: u16,
    answer: Mutex<Option<Answer>>,
    changed: Condvar,
    /// Those who wait for the answer. Changed under the desk's lock only.
    askers: AtomicUsize,
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
            askers: AtomicUsize::new(0),
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
        let ask = || {
            let found = match &self.resolver {
                Some(resolver) => resolver.resolve(&self.host, self.port),
                None => (self.host.as_str(), self.port).to_socket_addrs().map(Iterator::collect),
            };
            // Also how the error prints may be the caller's code.
            found.map_or_else(
                |error| Answer::Failure(error.kind(), error.to_string()),
                Answer::Addresses,
            )
        };
        let answer = catch(ask).unwrap_or_else(Answer::Panicked);
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

/// One thread that waits for the answer to a question. As long as it lives, the question is wanted.
pub(super) struct Asker {
    query: Arc<Query>,
    gave_up: AtomicBool,
}

impl Drop for Asker {
    fn drop(&mut self) {
        LOOKUPS.let_go(&self.query);
    }
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
    /// Asks the question about this host: the one that is being answered, or a new one.
    pub(super) fn ask(
        resolver: Option<&Arc<dyn Resolver>>,
        host: &str,
        port: u16,
    ) -> io::Result<Self> {
        let query = LOOKUPS.submit(resolver, host, port)?;
        Ok(Self { query, gave_up: AtomicBool::new(false) })
    }

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
///
/// A look-up cannot be ended from outside. One that nobody waits for any more is *abandoned*: its
/// thread does not count as one that works, so that dead names do not stand in the way of others,
/// and whoever asks for its host again is given a look-up of their own.
struct Lookups {
    desk: Mutex<Desk>,
    work: Condvar,
}

struct Desk {
    waiting: VecDeque<Arc<Query>>,
    running: Vec<Arc<Query>>,
    /// Threads that work or are idle.
    threads: usize,
    idle: usize,
    /// Threads whose look-up nobody waits for.
    abandoned: usize,
}

static LOOKUPS: Lookups = Lookups {
    desk: Mutex::new(Desk {
        waiting: VecDeque::new(),
        running: Vec::new(),
        threads: 0,
        idle: 0,
        abandoned: 0,
    }),
    work: Condvar::new(),
};

impl Lookups {
    /// The question about this host, with one asker more.
    fn submit(
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
            query.askers.fetch_add(1, Ordering::Relaxed);
            return Ok(Arc::clone(query));
        }
        if desk.idle <= desk.waiting.len() && desk.may_start() {
            match self.start(&mut desk) {
                Ok(()) => {}
                // Those that run already will get to it.
                Err(_) if desk.threads > 0 || desk.abandoned > 0 => {}
                Err(error) => return Err(error),
            }
        }
        let query = Arc::new(Query::new(resolver, host, port));
        query.askers.fetch_add(1, Ordering::Relaxed);
        desk.waiting.push_back(Arc::clone(&query));
        self.work.notify_one();
        Ok(query)
    }

    /// One asker less. A question that nobody asks any more is not begun, or abandoned.
    fn let_go(&'static self, query: &Arc<Query>) {
        let mut desk = lock(&self.desk);
        if query.askers.fetch_sub(1, Ordering::Relaxed) > 1 {
            return;
        }
        desk.waiting.retain(|waiting| !Arc::ptr_eq(waiting, query));
        if desk.take_running(query) {
            desk.threads = desk.threads.saturating_sub(1);
            desk.abandoned = desk.abandoned.saturating_add(1);
            if !desk.waiting.is_empty() && desk.idle == 0 && desk.may_start() {
                // What waited for this one's thread need not wait any longer.
                let _ = self.start(&mut desk);
            }
        }
    }

    fn start(&'static self, desk: &mut Desk) -> io::Result<()> {
        thread::Builder::new().name("fetchpool-dns".to_owned()).spawn(|| self.run())?;
        desk.threads = desk.threads.saturating_add(1);
        Ok(())
    }

    fn run(&self) {
        let mut desk = lock(&self.desk);
        loop {
            if let Some(query) = desk.waiting.pop_front() {
                desk.running.push(Arc::clone(&query));
                drop(desk);
                query.find_out();
                desk = lock(&self.desk);
                let mut one_too_many = false;
                if !desk.take_running(&query) {
                    desk.abandoned = desk.abandoned.saturating_sub(1);
                    one_too_many = desk.threads >= MAX_THREADS;
                    desk.threads = desk.threads.saturating_add(usize::from(!one_too_many));
                }
                drop(desk);
                // The last of it may be the end of the caller's resolver, which is not to come under
                // the lock.
                let _ = catch(|| drop(query));
                if one_too_many {
                    return;
                }
                desk = lock(&self.desk);
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

impl Desk {
    const fn may_start(&self) -> bool {
        self.threads < MAX_THREADS && self.threads.saturating_add(self.abandoned) < MOST_THREADS
    }

    /// Takes a question out of those that are being answered, if it is there. Whoever calls this
    /// holds it as well, so that it does not end under the lock.
    fn take_running(&mut self, query: &Arc<Query>) -> bool {
        let place = self.running.iter().position(|running| Arc::ptr_eq(running, query));
        place.map(|place| self.running.swap_remove(place)).is_some()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Poison is ignored: no code of ours that can panic runs under these locks.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Names that are looked up at the same time, in the whole process, for somebody who waits. A name
/// server that does not answer holds a thread for some 5 to 40 s, so that there must be more of
/// them than a list of URLs is likely to name dead hosts.
const MAX_THREADS: usize = 64;
/// The same, with those that nobody waits for any more.
const MOST_THREADS: usize = 256;
const IDLE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::super::deadline::Deadline;
    use super::super::flow::Flow;
    use super::super::interrupt::Interrupt;
    use super::*;
    use crate::message::Clock;

    /// Asks a question that nobody answers.
    fn unanswered() -> Arc<Asker> {
        asker_of(&Arc::new(Query::new(None, "never.invalid", 0)))
    }

    fn asker_of(query: &Arc<Query>) -> Arc<Asker> {
        query.askers.fetch_add(1, Ordering::Relaxed);
        Arc::new(Asker { query: Arc::clone(query), gave_up: AtomicBool::new(false) })
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
        let second = asker_of(&first.query);
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
