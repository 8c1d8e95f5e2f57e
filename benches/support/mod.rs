//! What the benches share: how they are started, a server on loopback, and lines with units.

#![allow(dead_code, reason = "each bench uses its own part of this")]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Whether this run is only to show that the bench works: with `--quick`, or not started by
/// `cargo bench` at all.
pub(crate) fn is_quick() -> bool {
    let has = |wanted: &str| std::env::args().any(|arg| arg == wanted);
    has("--quick") || !has("--bench")
}

/// `main` of a bench that divan runs.
pub(crate) fn run_divan() {
    print_machine();
    let divan = divan::Divan::default();
    // Its own parser does not know `--quick`.
    let divan = match is_quick() {
        true => divan.sample_count(5).max_time(Duration::from_millis(200)),
        false => divan.config_with_args(),
    };
    divan.bytes_format(divan::counter::BytesFormat::Binary).run_benches();
}

/// Says what the numbers below are numbers of.
pub(crate) fn print_machine() {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let cpus = thread::available_parallelism().map_or(0, usize::from);
    let rustc = Command::new("rustc").arg("--version").output().map(|output| output.stdout);
    let rustc = String::from_utf8(rustc.unwrap_or_default()).unwrap_or_default();
    println!(
        "machine: {cpus} CPUs, {}; {}; commit {}; fetchpool {}{}",
        cpu.map_or("of unknown kind", |(_, name)| name),
        rustc.trim(),
        commit().unwrap_or_else(|| "unknown".into()),
        env!("CARGO_PKG_VERSION"),
        if is_quick() { "; a quick run: its numbers mean little" } else { "" },
    );
}

fn commit() -> Option<String> {
    let git = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(".git");
    let head = std::fs::read_to_string(git.join("HEAD")).ok()?;
    let hash = match head.trim().strip_prefix("ref: ") {
        Some(name) => std::fs::read_to_string(git.join(name)).ok()?,
        None => head,
    };
    Some(hash.get(..12)?.to_owned())
}

/// Runs the work some times and prints what its runs come to; `work` does `count` things.
/// `per` turns the time for all of them into a number of `unit`.
pub(crate) fn measure(
    name: &str,
    unit: &str,
    (runs, count): (usize, u64),
    per: fn(Duration, u64) -> f64,
    mut work: impl FnMut(u64),
) -> f64 {
    // Connections are opened and memory is taken before the clock starts.
    work(count.div_ceil(10));
    let mut numbers: Vec<f64> = (0..runs)
        .map(|_| {
            let start = Instant::now();
            work(count);
            per(start.elapsed(), count)
        })
        .collect();
    numbers.sort_by(f64::total_cmp);
    let median = numbers[numbers.len() / 2];
    let (least, most) = (numbers[0], numbers[numbers.len() - 1]);
    println!(
        "{name:<36} {median:>9.0} {unit} median ({least:.0} to {most:.0} {unit}, {runs} runs of {count})"
    );
    median
}

/// Things a second.
pub(crate) fn rate(time: Duration, count: u64) -> f64 {
    count as f64 / time.as_secs_f64()
}

/// Nanoseconds for each thing.
pub(crate) fn nanoseconds(time: Duration, count: u64) -> f64 {
    time.as_nanos() as f64 / count as f64
}

/// A server on loopback: each connection has its thread, each request the same small answer.
pub(crate) struct Server {
    address: SocketAddr,
    connections: Arc<AtomicU64>,
}

impl Server {
    /// Starts it. It answers so long after it has read a request.
    pub(crate) fn start(latency: Duration) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port on loopback");
        let address = listener.local_addr().expect("an address");
        let connections = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&connections);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                counter.fetch_add(1, Ordering::Relaxed);
                thread::spawn(move || serve(stream, latency));
            }
        });
        Self { address, connections }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// How many connections were opened to it.
    pub(crate) fn connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }
}

fn serve(mut stream: TcpStream, latency: Duration) {
    let _ = stream.set_nodelay(true);
    let mut request = [0; 4096];
    // A request here is small, is sent at once and so is read at once.
    while let Ok(count @ 1..) = stream.read(&mut request) {
        if !latency.is_zero() {
            thread::sleep(latency);
        }
        let close = request[..count].windows(17).any(|bytes| bytes == b"Connection: close");
        if stream.write_all(ANSWER).is_err() || close {
            return;
        }
    }
}

/// An answer as small as they come, with the fields that servers send.
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\n\
    Server: bench\r\n\
    Date: Sun, 22 Nov 2026 12:00:00 GMT\r\n\
    Content-Type: text/plain\r\n\
    Content-Length: 13\r\n\
    \r\n\
    Hello, world!";
