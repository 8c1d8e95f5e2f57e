//! From host names to addresses.
//!
//! A look-up by the system cannot be given a time limit and cannot be interrupted, so it runs on
//! one of some threads that the whole process shares, and the asking thread waits for the answer
//! only as long as it has time. Whoever asks for a name that is being looked up waits for that same
//! answer. Addresses written as such never come here.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::net::ToSocketAddrs;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::cache::DnsCache;
use super::interrupt::GiveUp;
use super::patience::{Patience, cancelled};
use super::resolve::{Known, MOST_ADDRESSES, Question, Resolver, is_no_such_name};
use crate::catch::{Panicked, catch};

/// The addresses of a host; at least one. The cache gets to know the answer.
pub(super) fn lookup(
    question: Question<'_>,
    cache: Option<&DnsCache>,
    patience: &Patience<'_>,
) -> io::Result<Known> {
    // Also an answer that is there at once is too late when there is no time at all.
    patience.left()?;
    let asker = match LOOKUPS.submit(question, cache)? {
        Submitted::Known(known) => return Ok(known),
        Submitted::Query(query) => Arc::new(Asker { query, gave_up: AtomicBool::new(false) }),
    };
    patience.interrupt.watch_wait(Arc::clone(&asker));
    let answer = asker.wait(patience);
    patience.interrupt.watch_nothing();
    answer
}

/// One question, shared by those who ask it and the thread that finds out.
struct Query {
    /// Who is asked; the system if nobody.
    resolver: Option<Arc<dyn Resolver>>,
    host: String,
    port: u16,
    answer: Mutex<Option<Answer>>,
    changed: Condvar,
    /// Those that are to know the answer. Changed under the desk's lock only.
    caches: Mutex<Vec<DnsCache>>,
    /// Those who wait for the answer. Changed under the desk's lock only.
    askers: AtomicUsize,
}

/// What the system said. Told to more than one, which an `io::Error` cannot be.
#[derive(Clone)]
enum Answer {
    /// For this host, and for a while.
    Known(Known),
    /// This time.
    Failure(io::ErrorKind, String),
    Panicked(Panicked),
}

impl Query {
    fn new(question: Question<'_>) -> Self {
        Self {
            resolver: question.resolver.cloned(),
            host: question.host.to_owned(),
            port: question.port,
            answer: Mutex::new(None),
            changed: Condvar::new(),
            caches: Mutex::default(),
            askers: AtomicUsize::new(0),
        }
    }

    const fn question(&self) -> Question<'_> {
        Question { resolver: self.resolver.as_ref(), host: self.host.as_str(), port: self.port }
    }

    fn is_for(&self, question: Question<'_>) -> bool {
        let same = match (&self.resolver, question.resolver) {
            (None, None) => true,
            (Some(mine), Some(theirs)) => Arc::ptr_eq(mine, theirs),
            _ => false,
        };
        same && self.host == question.host && self.port == question.port
    }

    /// One asker more, and its cache.
    fn join(&self, cache: Option<&DnsCache>) {
        self.askers.fetch_add(1, Ordering::Relaxed);
        let Some(cache) = cache else { return };
        let mut caches = lock(&self.caches);
        if !caches.iter().any(|known| known.is_shared_with(cache)) {
            caches.push(cache.clone());
        }
    }

    /// Finds out. Blocks for as long as it takes.
    fn find_out(&self) -> Answer {
        let ask = || {
            let found = match &self.resolver {
                Some(resolver) => resolver.resolve(&self.host, self.port),
                None => (self.host.as_str(), self.port).to_socket_addrs().map(Iterator::collect),
            };
            match found {
                Ok(addresses) if addresses.is_empty() => {
                    Known::Nothing(io::ErrorKind::NotFound, "the name has no address".into()).into()
                }
                Ok(mut addresses) => {
                    addresses.truncate(MOST_ADDRESSES);
                    Known::Addresses(addresses.into()).into()
                }
                Err(error) => {
                    // Also how the error prints may be the caller's code.
                    let (kind, text) = (error.kind(), error.to_string());
                    let from_system = self.resolver.is_none();
                    if kind == io::ErrorKind::NotFound
                        || (from_system && is_no_such_name(&error, &text))
                    {
                        // Many of them may be kept.
                        let text: String = text.chars().take(MOST_TEXT).collect();
                        Known::Nothing(kind, text.into()).into()
                    } else {
                        Answer::Failure(kind, text)
                    }
                }
            }
        };
        catch(ask).unwrap_or_else(Answer::Panicked)
    }

    /// Tells the answer to the caches and to those who wait, under the desk's lock: whoever comes
    /// before finds the question there, and whoever comes after finds the answer in the cache.
    fn settle(&self, answer: Answer) {
        let caches = std::mem::take(&mut *lock(&self.caches));
        if let Answer::Known(known) = &answer {
            let now = Instant::now();
            for cache in caches {
                cache.put(self.question(), known.clone(), now);
            }
        }
        *lock(&self.answer) = Some(answer);
        self.changed.notify_all();
    }
}

impl From<Known> for Answer {
    fn from(known: Known) -> Self {
        Self::Known(known)
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
    fn wait(&self, patience: &Patience<'_>) -> io::Result<Known> {
        let mut answer = lock(&self.query.answer);
        loop {
            match &*answer {
                Some(Answer::Known(known)) => return Ok(known.clone()),
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
    /// The question, with one asker more, unless its answer has just become known.
    fn submit(
        &'static self,
        question: Question<'_>,
        cache: Option<&DnsCache>,
    ) -> io::Result<Submitted> {
        let mut desk = lock(&self.desk);
        let asked = desk.waiting.iter().chain(&desk.running).find(|query| query.is_for(question));
        if let Some(query) = asked {
            query.join(cache);
            return Ok(Submitted::Query(Arc::clone(query)));
        }
        if let Some(known) = cache.and_then(|cache| cache.get(question, Instant::now())) {
            return Ok(Submitted::Known(known));
        }
        if desk.idle <= desk.waiting.len() && desk.may_start() {
            match self.start(&mut desk) {
                Ok(()) => {}
                // Those that run already will get to it.
                Err(_) if desk.threads > 0 || desk.abandoned > 0 => {}
                Err(error) => return Err(error),
            }
        }
        let query = Arc::new(Query::new(question));
        query.join(cache);
        desk.waiting.push_back(Arc::clone(&query));
        self.work.notify_one();
        Ok(Submitted::Query(query))
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
                let answer = query.find_out();
                desk = lock(&self.desk);
                query.settle(answer);
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

/// What became of a question.
enum Submitted {
    Query(Arc<Query>),
    Known(Known),
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
/// How much is kept of what a resolver says where there is no such name.
const MOST_TEXT: usize = 256;

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::super::deadline::Deadline;
    use super::super::flow::Flow;
    use super::super::interrupt::Interrupt;
    use super::*;
    use crate::message::Clock;

    /// Asks a question that nobody answers.
    fn unanswered() -> Arc<Asker> {
        asker_of(&Arc::new(Query::new(Question::new(None, "never.invalid", 0))))
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
        assert_eq!(waited.err().unwrap().kind(), io::ErrorKind::TimedOut);
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
        *lock(&second.query.answer) = Some(Known::Addresses(Arc::new([address])).into());
        let found = with_patience(&Interrupt::default(), None, |patience| second.wait(patience));
        assert_eq!(found.unwrap().addresses().unwrap(), [address]);
    }

    #[test]
    fn localhost_has_an_address_and_it_is_the_same_for_every_port() {
        let ask = |cache: &DnsCache, port| {
            let question = Question::new(None, "localhost", port);
            let found = with_patience(&Interrupt::default(), Some(20_000), |patience| {
                lookup(question, Some(cache), patience)
            });
            question.with_port(found.unwrap().addresses().unwrap(), port)
        };
        let cache = DnsCache::new();
        for port in [81, 82] {
            let found = ask(&cache, port);
            assert!(found.iter().all(|at| at.ip().is_loopback() && at.port() == port), "{found:?}");
            assert!(cache.get(Question::new(None, "localhost", 83), Instant::now()).is_some());
        }
    }
}
