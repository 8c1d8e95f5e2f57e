//! From host names to addresses, by the system's resolver.
//!
//! A look-up by the system cannot be given a time limit and cannot be interrupted, so it runs on
//! one of some threads that the whole process shares, and the asking thread waits for the answer
//! only as long as it has time. A look-up that nobody waits for any more ends by itself. Whoever
//! asks for a name that is being looked up waits for that same answer.
//!
//! Addresses written as such never come here.

use std::collections::VecDeque;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::atomic::{AtomicBool, Ordering};
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
    let asker = Arc::new(Asker { query: LOOKUPS.submit(host)?, gave_up: AtomicBool::new(false) });
    patience.interrupt.watch_wait(Arc::clone(&asker));
    let answer = asker.wait(patience);
    patience.interrupt.watch_nothing();
    let mut addresses = answer?;
    if addresses.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
    }
    for address in &mut addresses {
        address.set_port(port);
    }
    Ok(addresses)
}

/// One question, shared by those who ask it and the thread that finds out.
struct Query {
    host: String,
    answer: Mutex<Option<Answer>>,
    changed: Condvar,
}

/// What the system said. Told to more than one, which an `io::Error` cannot be.
#[derive(Clone)]
enum Answer {
    Addresses(Vec<SocketAddr>),
    Failure(io::ErrorKind, String),
}

impl Query {
    fn new(host: &str) -> Self {
        Self { host: host.to_owned(), answer: Mutex::new(None), changed: Condvar::new() }
    }

    /// Asks the system. Blocks for as long as the system takes.
    fn find_out(&self) {
        let answer = match (self.host.as_str(), 0).to_socket_addrs() {
            Ok(addresses) => Answer::Addresses(addresses.collect()),
            Err(error) => Answer::Failure(error.kind(), error.to_string()),
        };
        *lock(&self.answer) = Some(answer);
        self.changed.notify_all();
    }
}

/// One thread that waits for the answer to a question.
struct Asker {
    query: Arc<Query>,
    gave_up: AtomicBool,
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
    fn wait(&self, patience: &Patience<'_>) -> io::Result<Vec<SocketAddr>> {
        let mut answer = lock(&self.query.answer);
        loop {
            match &*answer {
                Some(Answer::Addresses(addresses)) => return Ok(addresses.clone()),
                Some(Answer::Failure(kind, text)) => {
                    return Err(io::Error::new(*kind, text.clone()));
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
struct Lookups {
    desk: Mutex<Desk>,
    work: Condvar,
}

struct Desk {
    waiting: VecDeque<Arc<Query>>,
    running: Vec<Arc<Query>>,
    threads: usize,
    idle: usize,
}

static LOOKUPS: Lookups = Lookups {
    desk: Mutex::new(Desk { waiting: VecDeque::new(), running: Vec::new(), threads: 0, idle: 0 }),
    work: Condvar::new(),
};

impl Lookups {
    /// The question about this host: the one that is being answered, or a new one.
    fn submit(&'static self, host: &str) -> io::Result<Arc<Query>> {
        let mut desk = lock(&self.desk);
        let asked = desk.waiting.iter().chain(&desk.running).find(|query| query.host == host);
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
        let query = Arc::new(Query::new(host));
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

    use super::super::deadline::{Clock, Deadline};
    use super::super::interrupt::Interrupt;
    use super::*;

    /// Asks a question that nobody answers.
    fn unanswered() -> Arc<Asker> {
        let query = Arc::new(Query::new("never.invalid"));
        Arc::new(Asker { query, gave_up: AtomicBool::new(false) })
    }

    fn deadline(limit: Option<Duration>) -> Deadline {
        Deadline::after(Instant::now(), limit, Clock::Request)
    }

    #[test]
    fn an_answer_that_never_comes_is_waited_for_no_longer_than_the_deadline() {
        let (deadline, interrupt) =
            (deadline(Some(Duration::from_millis(20))), Interrupt::default());
        let waited = unanswered().wait(&Patience { deadline, interrupt: &interrupt });
        assert_eq!(waited.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[test]
    fn a_raised_interrupt_ends_the_wait_of_one_and_not_of_the_others() {
        let first = unanswered();
        let second = Asker { query: Arc::clone(&first.query), gave_up: AtomicBool::new(false) };
        let interrupt = Interrupt::default();
        interrupt.watch_wait(Arc::clone(&first));
        let raiser = interrupt.clone();
        let thread = thread::spawn(move || raiser.raise());
        let patience = Patience { deadline: deadline(None), interrupt: &interrupt };
        assert!(first.wait(&patience).is_err());
        thread.join().unwrap();

        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        *lock(&second.query.answer) = Some(Answer::Addresses(vec![address]));
        let patience = Patience { deadline: deadline(None), interrupt: &Interrupt::default() };
        assert_eq!(second.wait(&patience).unwrap(), [address]);
    }

    #[test]
    fn localhost_has_an_address_with_the_port_that_was_asked_for() {
        let interrupt = Interrupt::default();
        let deadline = deadline(Some(Duration::from_secs(20)));
        let found = lookup("localhost", 81, &Patience { deadline, interrupt: &interrupt });
        let found = found.unwrap();
        assert!(found.iter().all(|address| address.ip().is_loopback() && address.port() == 81));
    }
}
