//! Where a request stands still: one place for each way in which a thread can be blocked.
//!
//! | place | where its thread is |
//! | --- | --- |
//! | [`Standstill::lookup`] | waits for a resolver that does not answer |
//! | [`Standstill::connect`] | in `connect`, whose SYNs are dropped |
//! | [`Standstill::handshake`] | reads from a peer that never says hello |
//! | [`Standstill::upload`] | writes to a peer that does not read |
//! | [`Standstill::tls_upload`] | the same over TLS |
//! | [`Standstill::head`] | reads from a peer that has not answered yet |
//! | [`Standstill::body`] | reads from a peer that has answered by half |

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use fetchpool::{Headers, Observed, Observer, Phase, Pool, PoolBuilder, Request, SessionConfig};

use super::dead::Dead;
use super::script::{Gate, Script, Server, ok};

/// An address of this host that does not answer.
pub(crate) fn unanswered() -> SocketAddr {
    static DEAD: OnceLock<Dead> = OnceLock::new();
    DEAD.get_or_init(Dead::new).address()
}

/// That this takes no longer than promised: 100 ms, and what a busy machine adds.
///
/// `measure` does it once and says how long it took. What is too long is measured again, twice:
/// the machine may have been busy with something else just then.
#[track_caller]
pub(crate) fn promptly(what: &str, mut measure: impl FnMut() -> Duration) {
    const PROMISED: Duration = Duration::from_millis(300);
    let mut took = Vec::new();
    while took.len() < 3 {
        took.push(measure());
        if took.last().is_some_and(|took| *took <= PROMISED) {
            println!("{what}: {took:?}");
            return;
        }
    }
    panic!("{what} took {took:?}");
}

/// A pool with two jobs of which the first was received and takes more than there is of the body
/// budget, and the second has its head and waits for room. Both bodies have 100,000 bytes.
#[track_caller]
pub(crate) fn out_of_budget(
    settings: impl FnOnce(PoolBuilder) -> PoolBuilder,
    second: impl FnOnce(Request) -> Request,
) -> (Server, Pool) {
    let (first_gate, second_gate) = (Gate::new(), Gate::new());
    let server = Script::site({
        let (first, second) = (first_gate.clone(), second_gate.clone());
        move |request| {
            assert!(if request.target() == "/0" { first.wait() } else { second.wait() });
            ok([b'x'; 100_000])
        }
    });
    let sleepers = Arc::new(Sleepers::default());
    let jobs = [Request::get(server.url("/0")), second(Request::get(server.url("/1")))];
    let pool = settings(Pool::builder().num_threads(2).body_budget(1));
    let pool = pool.observer(Arc::clone(&sleepers)).job_queue(jobs).build().expect("a pool");
    server.wait_for_requests(2);
    first_gate.open();
    let patience = Instant::now() + PATIENCE;
    while pool.stats().buffered < 1 {
        assert!(Instant::now() < patience, "{:?}", pool.stats());
        std::thread::yield_now();
    }
    second_gate.open();
    sleepers.wait_for_head(1);
    sleepers.wait_for(&[1]);
    (server, pool)
}

/// A place where every request stands still, until the place is dropped.
pub(crate) struct Standstill {
    /// What a request says it was at when it is ended here.
    pub(crate) phase: Phase,
    config: SessionConfig,
    request: Box<dyn Fn() -> Request + Send + Sync>,
    /// How many requests have come as far as can be seen from here; what holds them lives in it.
    seen: Box<dyn Fn() -> usize + Send + Sync>,
    sleepers: Arc<Sleepers>,
    /// Lets go of those who wait in a look-up.
    end: Gate,
}

impl Standstill {
    /// A resolver that does not answer.
    pub(crate) fn lookup() -> Self {
        let end = Gate::new();
        let asked = Arc::new(AtomicUsize::new(0));
        let mut config = SessionConfig::new();
        config.resolver = Some(Arc::new({
            let (end, asked) = (end.clone(), Arc::clone(&asked));
            move |_: &str, _: u16| {
                asked.fetch_add(1, Ordering::SeqCst);
                end.wait();
                Ok(Vec::new())
            }
        }));
        let seen = move || asked.load(Ordering::SeqCst);
        // Each its own host, since those who ask for the same one share a look-up.
        let count = AtomicUsize::new(0);
        let request = move || {
            Request::get(format!("http://host-{}.test/", count.fetch_add(1, Ordering::SeqCst)))
        };
        let mut place = Self::new(Phase::Dns, config, request, seen);
        place.end = end;
        place
    }

    /// A host at an address that does not answer. The threads that are left behind end after
    /// [`CONNECT`](Self::CONNECT).
    pub(crate) fn connect() -> Self {
        let dead = unanswered();
        let mut config = SessionConfig::new();
        config.connect_timeout = Some(Self::CONNECT);
        config.resolver = Some(Arc::new(move |_: &str, _: u16| Ok(vec![dead])));
        Self::new(Phase::Connect, config, || Request::get("http://dead.test/"), || usize::MAX)
    }

    /// When a thread gives a connect up by itself.
    pub(crate) const CONNECT: Duration = Duration::from_millis(1200);

    /// A peer that takes the connection and says nothing.
    #[cfg(feature = "tls")]
    pub(crate) fn handshake() -> Self {
        let server = Script::new().deaf().repeat().serve();
        let url = format!("https://{}/", server.address());
        let request = move || Request::get(url.as_str());
        Self::new(Phase::Tls, SessionConfig::new(), request, move || server.connections())
    }

    /// A peer that reads the head of an upload and no more.
    pub(crate) fn upload() -> Self {
        let server = Script::new().request_head().deaf().repeat().serve();
        let upload = Request::post(server.url("/")).body(vec![b'x'; UPLOAD]);
        let request = move || upload.clone();
        Self::new(Phase::Sending, SessionConfig::new(), request, move || server.requests().len())
    }

    /// The same over TLS.
    #[cfg(feature = "tls")]
    pub(crate) fn tls_upload() -> Self {
        use super::tls::{Ca, Then, TlsServer};
        let ca = Ca::new();
        let server = TlsServer::answering_early(ca.good(), |_| Then::Silence.after(""));
        let mut config = SessionConfig::new();
        config.tls.add_root_pem(ca.pem());
        let upload = Request::post(server.url("/")).body(vec![b'x'; UPLOAD]);
        let request = move || upload.clone();
        Self::new(Phase::Sending, config, request, move || server.requests().len())
    }

    /// A peer that does not answer.
    pub(crate) fn head() -> Self {
        Self::answering("HTTP/1.1 200 OK\r\nContent-Le", Phase::Waiting)
    }

    /// A peer that sends half of what it promised.
    pub(crate) fn body() -> Self {
        Self::answering("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf.", Phase::Receiving)
    }

    fn answering(bytes: &'static str, phase: Phase) -> Self {
        let server = Script::new().reply(bytes).deaf().repeat().serve();
        let url = server.url("/");
        let request = move || Request::get(url.as_str());
        Self::new(phase, SessionConfig::new(), request, move || server.requests().len())
    }

    fn new(
        phase: Phase,
        config: SessionConfig,
        request: impl Fn() -> Request + Send + Sync + 'static,
        seen: impl Fn() -> usize + Send + Sync + 'static,
    ) -> Self {
        Self {
            phase,
            config,
            request: Box::new(request),
            seen: Box::new(seen),
            sleepers: Arc::default(),
            end: Gate::new(),
        }
    }

    /// A request that comes to stand still here.
    pub(crate) fn request(&self) -> Request {
        (self.request)()
    }

    /// The settings of a pool whose requests stand still here.
    pub(crate) fn pool(&self) -> PoolBuilder {
        Pool::builder().session(self.config.clone()).observer(Arc::clone(&self.sleepers))
    }

    /// Who watches the jobs of [`pool`](Self::pool), for an observer that takes its place.
    pub(crate) fn sleepers(&self) -> Arc<Sleepers> {
        Arc::clone(&self.sleepers)
    }

    /// Waits until so many requests have come here, ever, and those whose numbers are given stand
    /// still: their threads sleep.
    #[track_caller]
    pub(crate) fn wait_for(&self, arrivals: usize, jobs: &[u64]) {
        let patience = Instant::now() + PATIENCE;
        while (self.seen)() < arrivals {
            assert!(Instant::now() < patience, "{} of {arrivals} requests came", (self.seen)());
            std::thread::yield_now();
        }
        self.sleepers.wait_for(jobs);
    }
}

impl Drop for Standstill {
    fn drop(&mut self) {
        self.end.open();
    }
}

/// Knows the thread of each job, whether it sleeps, and who has got a head.
#[derive(Default)]
pub(crate) struct Sleepers {
    threads: Mutex<BTreeMap<u64, PathBuf>>,
    changed: Condvar,
    heads: Mutex<BTreeSet<u64>>,
}

impl Sleepers {
    /// Waits until the threads of these jobs have slept for a while. Where the system does not
    /// tell, until they have begun.
    #[track_caller]
    pub(crate) fn wait_for(&self, jobs: &[u64]) {
        let patience = Instant::now() + PATIENCE;
        let mut threads = self.threads();
        let mut in_a_row = 0;
        while in_a_row < LOOKS {
            assert!(Instant::now() < patience, "{jobs:?} do not stand still, only {threads:?}");
            let asleep = |job| threads.get(job).is_some_and(|thread| sleeps(thread));
            in_a_row = if jobs.iter().all(asleep) { in_a_row + 1 } else { 0 };
            let waited = self.changed.wait_timeout(threads, BETWEEN_LOOKS);
            (threads, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits until the head of this job's response has come.
    #[track_caller]
    pub(crate) fn wait_for_head(&self, job: u64) {
        let patience = Instant::now() + PATIENCE;
        while !self.heads().contains(&job) {
            assert!(Instant::now() < patience, "no head came for {job}");
            std::thread::yield_now();
        }
    }

    fn heads(&self) -> MutexGuard<'_, BTreeSet<u64>> {
        self.heads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn threads(&self) -> MutexGuard<'_, BTreeMap<u64, PathBuf>> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Sleepers {
    fn attempt(&self, job: &Observed<'_>, _: &str, _: u32) {
        // `<process>/task/<thread>`: proc_thread_self(5).
        let thread = std::fs::read_link("/proc/thread-self").unwrap_or_default();
        self.threads().insert(job.index().unwrap_or_default(), thread);
        self.changed.notify_all();
    }

    fn head(&self, job: &Observed<'_>, _: u16, _: &Headers) {
        self.heads().insert(job.index().unwrap_or_default());
    }
}

/// Whether the thread sleeps; `true` where the system does not tell.
fn sleeps(thread: &std::path::Path) -> bool {
    let stat = std::path::Path::new("/proc").join(thread).join("stat");
    // "17 (a name) S …": proc_pid_stat(5).
    let state = std::fs::read_to_string(stat).ok();
    let state = state.and_then(|stat| stat.rsplit(')').next()?.trim().chars().next());
    state.is_none_or(|state| state == 'S')
}

/// More than the buffers of a connection take.
const UPLOAD: usize = 32 << 20;

/// How long anything here waits for what must come.
const PATIENCE: Duration = Duration::from_secs(10);

/// So often in a row a thread must be seen asleep.
const LOOKS: u32 = 5;

/// And so far apart.
const BETWEEN_LOOKS: Duration = Duration::from_millis(2);
