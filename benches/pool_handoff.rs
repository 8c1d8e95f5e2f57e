//! What it costs that an outcome goes from the worker that has it to whoever reads them.
//!
//! In a flood every job ends at once, since its URL is none: what a pool takes for one beyond what a
//! session takes alone, in time and, by `strace -c -f`, in calls of futex, which each put a thread to
//! sleep or wake one. In a trickle the reader sleeps between two outcomes: how long after the end of
//! a job it has its outcome.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use fetchpool::{Error, Observed, Observer, Pool, Response, Session};
use support::{Server, is_quick, measure, nanoseconds};

mod support;

const WORKERS: [usize; 3] = [1, 4, 16];

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [way, workers, jobs] = &args[..]
        && way == "flood"
    {
        return flood(workers.parse().unwrap(), jobs.parse().unwrap());
    }
    support::print_machine();
    let size = if is_quick() { (3, 2_000) } else { (7, 30_000) };
    let mut session = Session::default();
    let alone = measure("pool_handoff session alone", "ns/job", size, nanoseconds, |count| {
        for _ in 0..count {
            assert!(session.request(NOWHERE).is_err());
        }
    });
    for workers in WORKERS {
        let name = format!("pool_handoff flood, {workers} workers");
        let median = measure(&name, "ns/job", size, nanoseconds, |count| flood(workers, count));
        println!("{name:<36} {:>9.0} ns an outcome beyond the session", median - alone);
    }
    print_futex_calls(if is_quick() { 1_000 } else { 50_000 });
    for workers in WORKERS {
        print_delays(workers, if is_quick() { 20 } else { 2_000 });
    }
}

const NOWHERE: &str = "nowhere";

fn flood(workers: usize, count: u64) {
    let jobs = (0..count).map(|_| NOWHERE);
    let pool = Pool::builder().num_threads(workers).job_queue(jobs).build().unwrap();
    assert_eq!(pool.outcomes().count() as u64, count);
}

/// Each call stops its thread for strace, so that fewer outcomes are gathered than otherwise.
fn print_futex_calls(jobs: u64) {
    if Command::new("strace").arg("-V").stdout(Stdio::null()).status().is_err() {
        println!("pool_handoff: 0 calls of futex counted, since strace is not installed");
        return;
    }
    let table = std::env::temp_dir().join(format!("pool_handoff.{}", std::process::id()));
    for workers in WORKERS {
        let client = Command::new("strace")
            .args(["-c", "-f", "-qq", "-U", "calls,name", "-e", "trace=futex", "-o"])
            .arg(&table)
            .arg(std::env::current_exe().unwrap())
            .args(["flood", &workers.to_string(), &jobs.to_string()])
            .status()
            .expect("strace");
        assert!(client.success(), "{client}");
        let text = std::fs::read_to_string(&table).unwrap();
        let row = text.lines().find_map(|line| line.trim().strip_suffix("futex"));
        let calls: f64 = row.map_or(0.0, |calls| calls.trim().parse().unwrap());
        let name = format!("pool_handoff flood, {workers} workers");
        println!("{name:<36} {:>9.2} calls of futex an outcome", calls / jobs as f64);
    }
    let _ = std::fs::remove_file(table);
}

/// When the jobs ended, in nanoseconds since the first one was given.
struct Ends {
    start: Instant,
    at: Vec<AtomicU64>,
}

impl Ends {
    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap()
    }
}

impl Observer for Ends {
    fn outcome(&self, job: &Observed<'_>, _: Result<&Response, &Error>) {
        let index = usize::try_from(job.index().unwrap()).unwrap();
        self.at[index].store(self.now(), Ordering::Release);
    }
}

/// A server that takes a millisecond for each request leaves the reader time to fall asleep.
fn print_delays(workers: usize, each: usize) {
    let server = Server::start(Duration::from_millis(1));
    let count = workers * each;
    let at = (0..count).map(|_| AtomicU64::new(0)).collect();
    let ends = Arc::new(Ends { start: Instant::now(), at });
    let url = server.url();
    let jobs = (0..count).map(move |_| url.clone());
    let pool = Pool::builder().num_threads(workers).observer(Arc::clone(&ends)).job_queue(jobs);
    let pool = pool.build().unwrap();
    let delay = |outcome: fetchpool::Outcome| {
        let now = ends.now();
        let index = usize::try_from(outcome.index()).unwrap();
        assert!(outcome.result().unwrap().ok());
        now.saturating_sub(ends.at[index].load(Ordering::Acquire))
    };
    let mut delays: Vec<u64> = pool.outcomes().map(delay).collect();
    delays.sort_unstable();
    let name = format!("pool_handoff trickle, {workers} workers");
    println!(
        "{name:<36} {:>9} ns median from a job's end to its reader ({} at 99 %, {count} jobs)",
        delays[count / 2],
        delays[count * 99 / 100],
    );
}
