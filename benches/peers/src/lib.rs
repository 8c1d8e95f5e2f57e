//! What the clients share: the same arguments, the same check of every answer, one line of JSON.
//!
//! ```text
//! CLIENT --jobs FILE --requests N --threads N [--ca FILE] [--mode memory|discard|take] [--close]
//! ```
//!
//! A line of FILE is a URL, how long its body is when decoded, and how long on the wire. The lines
//! are gone through from the top, again and again, until there were N requests.

use std::fs;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::resource::{Usage, UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

pub mod bare;
#[cfg(feature = "hyper")]
pub mod hyper;

/// One URL, and what must come of it.
#[derive(Debug)]
pub struct Job {
    pub url: String,
    /// Bytes of the decoded body.
    pub body: u64,
    /// Bytes of the body as it is sent.
    pub wire: u64,
    /// Which of [`Load::origins`] it belongs to.
    pub origin: usize,
}

/// What becomes of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It is read into memory, whole.
    Memory,
    /// It is read and thrown away.
    Discard,
    /// Into memory that the caller takes, so that the client cannot use it again.
    Take,
}

/// What is to be done, and what came of it.
#[derive(Debug)]
pub struct Load {
    pub jobs: Vec<Job>,
    /// `127.0.0.1:8080`, each of them once.
    pub origins: Vec<String>,
    pub requests: usize,
    /// Threads, or tasks: how many requests are under way at a time.
    pub threads: usize,
    pub ca: Option<String>,
    pub mode: Mode,
    /// Each request has a connection of its own.
    pub close: bool,
    next: AtomicUsize,
    ok: AtomicUsize,
    failed: AtomicUsize,
    bytes: AtomicU64,
    connections: AtomicUsize,
    /// 32 steps for each power of two, from 1 us on.
    latencies: [AtomicU32; 40 * 32],
    first_error: Mutex<Option<String>>,
}

/// Measures the work and prints what it came to.
pub fn run(client: &str, work: impl FnOnce(&'static Load)) {
    let load: &'static Load = Box::leak(Box::new(Load::from_args()));
    let busy_before = machine_us();
    let before = usage();
    let began = Instant::now();
    work(load);
    let wall = began.elapsed();
    let after = usage();
    let machine = machine_us().saturating_sub(busy_before);
    let user = after.user_time().num_microseconds() - before.user_time().num_microseconds();
    let system = after.system_time().num_microseconds() - before.system_time().num_microseconds();
    let connections = load.connections.load(Ordering::Relaxed);
    let connections = if connections == 0 { "null".to_owned() } else { connections.to_string() };
    let error = load.first_error.lock().unwrap().take();
    let error = error.map_or_else(|| "null".to_owned(), |error| quoted(&error));
    println!(
        "{{\"client\": \"{client}\", \"ok\": {}, \"failed\": {}, \"bytes\": {}, \
         \"cpu_user_us\": {user}, \"cpu_sys_us\": {system}, \"machine_us\": {machine}, \"wall_s\": {:.6}, \
         \"max_rss_kib\": {}, \"connections\": {connections}, \"p50_ms\": {:.4}, \"p99_ms\": {:.4}, \
         \"first_error\": {error}}}",
        load.ok.load(Ordering::Relaxed),
        load.failed.load(Ordering::Relaxed),
        load.bytes.load(Ordering::Relaxed),
        wall.as_secs_f64(),
        peak_kib(),
        load.latency_ms(0.50),
        load.latency_ms(0.99),
    );
}

impl Load {
    fn from_args() -> Self {
        let (mut jobs, mut origins) = (Vec::new(), Vec::new());
        let (mut requests, mut threads) = (0, 1);
        let (mut ca, mut mode, mut close) = (None, Mode::Memory, false);
        let mut args = std::env::args().skip(1);
        while let Some(name) = args.next() {
            let mut value = || args.next().unwrap_or_else(|| panic!("{name} wants a value"));
            match &*name {
                "--jobs" => jobs = read_jobs(&value(), &mut origins),
                "--requests" => requests = value().parse().expect("a number"),
                "--threads" => threads = value().parse().expect("a number"),
                "--ca" => ca = Some(value()),
                "--mode" => {
                    mode = match &*value() {
                        "memory" => Mode::Memory,
                        "discard" => Mode::Discard,
                        "take" => Mode::Take,
                        other => panic!("no such mode: {other}"),
                    }
                }
                "--close" => close = true,
                other => panic!("no such argument: {other}"),
            }
        }
        assert!(!jobs.is_empty(), "--jobs FILE is missing");
        Self {
            jobs,
            origins,
            requests,
            threads,
            ca,
            mode,
            close,
            next: AtomicUsize::new(0),
            ok: AtomicUsize::new(0),
            failed: AtomicUsize::new(0),
            bytes: AtomicU64::new(0),
            connections: AtomicUsize::new(0),
            latencies: std::array::from_fn(|_| AtomicU32::new(0)),
            first_error: Mutex::new(None),
        }
    }

    /// The next job, for clients that have no queue of their own.
    pub fn take(&self) -> Option<&Job> {
        self.take_index().map(|index| self.job(index))
    }

    fn take_index(&self) -> Option<usize> {
        let index = self.next.fetch_add(1, Ordering::Relaxed);
        (index < self.requests).then_some(index)
    }

    /// The job of this number, from 0 on.
    pub fn job(&self, index: usize) -> &Job {
        &self.jobs[index % self.jobs.len()]
    }

    /// Does the work on so many threads as are asked for. It is told which one it is on.
    pub fn on_threads(&self, work: impl Fn(usize) + Sync) {
        thread::scope(|scope| {
            for worker in 0..self.threads {
                let work = &work;
                thread::Builder::new().spawn_scoped(scope, move || work(worker)).expect("a thread");
            }
        });
    }

    /// Counts an answer: its status, how many bytes its body had, and how long it took.
    pub fn answered(&self, job: &Job, status: u16, bytes: u64, took: Duration) {
        let expected = job.body;
        self.counted(status == 200 && bytes == expected, bytes, took, || {
            format!("{}: status {status}, {bytes} bytes and not {expected}", job.url)
        });
    }

    /// Counts one of which the bytes on the wire are known.
    fn counted(&self, ok: bool, bytes: u64, took: Duration, why: impl FnOnce() -> String) {
        if !ok {
            return self.failed(why());
        }
        self.ok.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.latencies[step(took)].fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a request that failed. The first error is told.
    pub fn failed(&self, error: impl std::fmt::Display) {
        self.failed.fetch_add(1, Ordering::Relaxed);
        self.first_error.lock().unwrap().get_or_insert_with(|| error.to_string());
    }

    /// Counts a connection, for clients that know.
    pub fn connected(&self) {
        self.connections.fetch_add(1, Ordering::Relaxed);
    }

    /// Whom to trust: the one authority above the servers, and nobody else.
    pub fn rustls(&self) -> rustls::ClientConfig {
        let mut roots = rustls::RootCertStore::empty();
        if let Some(root) = self.root() {
            roots.add(root).expect("a root certificate");
        }
        rustls::ClientConfig::builder_with_provider(provider().into())
            .with_safe_default_protocol_versions()
            .expect("versions that the provider knows")
            .with_root_certificates(roots)
            .with_no_client_auth()
    }

    /// The root certificate, if there is one.
    pub fn root(&self) -> Option<CertificateDer<'static>> {
        let ca = self.ca.as_ref()?;
        Some(CertificateDer::from_pem_file(ca).expect("a certificate"))
    }

    fn latency_ms(&self, part: f64) -> f64 {
        let counts: Vec<u64> =
            self.latencies.iter().map(|count| count.load(Ordering::Relaxed).into()).collect();
        let wanted = (counts.iter().sum::<u64>() as f64 * part) as u64;
        let mut seen = 0;
        for (step, count) in counts.iter().enumerate() {
            seen += count;
            if seen > wanted {
                let power = f64::from(1 << (step / 32));
                return (1.0 + (step % 32) as f64 / 32.0) * power * 1.024e-3;
            }
        }
        0.0
    }
}

/// Which of the steps so long a time belongs to.
fn step(took: Duration) -> usize {
    let nanoseconds = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX).max(1024);
    let power = 63 - nanoseconds.leading_zeros() as usize;
    let within = (nanoseconds >> (power - 5)) as usize & 31;
    ((power - 10) * 32 + within).min(40 * 32 - 1)
}

#[cfg(not(feature = "hyper-aws-lc"))]
fn provider() -> rustls::crypto::CryptoProvider {
    rustls::crypto::ring::default_provider()
}

#[cfg(feature = "hyper-aws-lc")]
fn provider() -> rustls::crypto::CryptoProvider {
    rustls::crypto::aws_lc_rs::default_provider()
}

fn read_jobs(file: &str, origins: &mut Vec<String>) -> Vec<Job> {
    let text = fs::read_to_string(file).expect("a file of jobs");
    text.lines()
        .map(|line| {
            let mut words = line.split(' ');
            let url = words.next().expect("a URL").to_owned();
            let mut number = || words.next().expect("a length").parse().expect("a number");
            let authority = url.split('/').nth(2).expect("an absolute URL");
            let known = origins.iter().position(|origin| origin == authority);
            let origin = known.unwrap_or_else(|| {
                origins.push(authority.to_owned());
                origins.len() - 1
            });
            Job { body: number(), wire: number(), url, origin }
        })
        .collect()
}

fn usage() -> Usage {
    getrusage(UsageWho::RUSAGE_SELF).expect("the usage of this process")
}

/// The CPU time that the whole machine has used, the idle one not counted. Its unit is 10 ms.
fn machine_us() -> u64 {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let fields = stat.lines().next().unwrap_or_default().split_whitespace().skip(1);
    let ticks: Vec<u64> = fields.map(|ticks| ticks.parse().unwrap_or(0)).collect();
    // user nice system idle iowait irq softirq
    [0, 1, 2, 5, 6].iter().filter_map(|&which: &usize| ticks.get(which)).sum::<u64>() * 10_000
}

/// The most memory that this process has held.
fn peak_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for char in text.chars() {
        match char {
            '"' | '\\' => quoted.extend(['\\', char]),
            ' '.. => quoted.push(char),
            _ => quoted.push(' '),
        }
    }
    quoted.push('"');
    quoted
}
