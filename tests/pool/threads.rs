//! How many threads there are, what they are called, and what they may cost.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use fetchpool::{ErrorKind, Observer, Pool, Request, RetryPolicy, SessionConfig};

use crate::farm::{Farm, within};
use crate::script::{Gate, Script, ok, reply};

#[test]
fn no_threads_is_an_error_when_the_pool_is_built() {
    let error = Pool::builder().num_threads(0).job_queue(["http://a.test/"]).build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert!(error.message().contains("thread"), "{}", error.message());
}

#[test]
fn so_many_jobs_run_at_once_as_there_are_threads_and_no_more() {
    let farm = Farm::new();
    let jobs: Vec<String> = (0..50).map(|n| farm.url(&format!("/gate/{n}"))).collect();
    let pool = Pool::builder().num_threads(4).job_queue(jobs).build().unwrap();
    farm.wait_at_gate(4);
    // The fifth may come only when one of the four is through.
    farm.let_through(1);
    farm.wait_at_gate(5);
    assert_eq!(farm.connections(), 4);
    farm.open_gate();
    assert_eq!(within(Duration::from_secs(10), move || pool.responses().count()), 50);
    assert_eq!(farm.connections(), 4, "each thread keeps its connection");
}

#[test]
fn threads_have_names_and_each_its_own() {
    let farm = Farm::new();
    let names = Arc::new(Mutex::new(HashSet::new()));
    let seen = Arc::clone(&names);
    let jobs: Vec<String> = (0..3).map(|n| farm.url(&format!("/gate/{n}"))).collect();
    let pool = Pool::builder()
        .num_threads(3)
        .initializer(move |_: &mut SessionConfig| {
            let name = thread::current().name().unwrap_or("none").to_owned();
            seen.lock().unwrap().insert(name);
        })
        .job_queue(jobs)
        .build()
        .unwrap();
    farm.wait_at_gate(3);
    farm.open_gate();
    pool.join_all();
    let names = names.lock().unwrap();
    assert_eq!(names.len(), 3, "{names:?}");
    assert!(names.iter().all(|name| name.starts_with("fetchpool-")), "{names:?}");
}

#[test]
fn a_request_fits_on_a_small_stack() {
    let farm = Farm::new();
    let jobs = [farm.url("/ok/1"), farm.url("/gzip/2"), farm.url("/redirect/3/3")];
    let (responses, _) = Pool::builder().num_threads(2).stack_size(256 * 1024).map(jobs);
    assert_eq!(responses.len(), 3);
}

#[test]
fn the_stack_size_is_a_setting() {
    // A stack that is too small would end the process: not a mere failed test.
    crate::child::alone("threads::the_stack_size_is_a_setting", || {
        let farm = Farm::new();
        let (responses, _) = Pool::builder()
            .num_threads(1)
            .stack_size(32 << 20)
            .initializer(|session: &mut SessionConfig| {
                // More than the 2 MiB that a thread of std has by itself.
                let deep = std::hint::black_box([1_u8; 8 << 20]);
                session.param("sum", deep.iter().map(|&byte| u32::from(byte)).sum::<u32>());
            })
            .map([farm.url("/echo")]);
        assert_eq!(responses.len(), 1);
    });
}

#[cfg(target_os = "linux")]
#[test]
fn no_more_threads_start_than_there_are_jobs() {
    // The other tests of this file have pools too: these counts need a process of their own.
    crate::child::alone("threads::no_more_threads_start_than_there_are_jobs", || {
        // Many times: whether one too many starts may depend on who is first.
        for _ in 0..100 {
            let farm = Farm::new();
            let jobs: Vec<String> = (0..3).map(|n| farm.url(&format!("/gate/{n}"))).collect();
            let pool = Pool::builder().num_threads(64).job_queue(jobs).build().unwrap();
            farm.wait_at_gate(3);
            let names = workers();
            assert_eq!(names.len(), 3, "{names:?} for a list of three");
            farm.open_gate();
            pool.join_all();
            await_no_workers();
        }

        let farm = Farm::new();
        let (jobs, queue) = mpsc::channel();
        let pool = Pool::builder().num_threads(64).job_queue(queue).build().unwrap();
        for n in 0..2 {
            jobs.send(Request::get(farm.url(&format!("/gate/{n}")))).unwrap();
        }
        farm.wait_at_gate(2);
        let names = workers();
        assert!((2..=3).contains(&names.len()), "{names:?} for two jobs of a live queue");
        farm.open_gate();
        drop(jobs);
        pool.join_all();
        await_no_workers();
    });
}

#[cfg(target_os = "linux")]
#[test]
fn a_dropped_pool_leaves_no_thread_behind() {
    crate::child::alone("threads::a_dropped_pool_leaves_no_thread_behind", || {
        let farm = Farm::new();
        let jobs: Vec<String> = (0..100).map(|n| farm.url(&format!("/gate/{n}"))).collect();
        let pool = Pool::builder().num_threads(8).job_queue(jobs).build().unwrap();
        farm.wait_at_gate(8);
        assert_eq!(workers().len(), 8);
        drop(pool);
        await_no_workers();
    });
}

#[cfg(target_os = "linux")]
#[test]
fn a_worker_for_which_nothing_is_left_ends_while_others_are_at_work() {
    crate::child::alone(
        "threads::a_worker_for_which_nothing_is_left_ends_while_others_are_at_work",
        || {
            let farm = Farm::new();
            let jobs: Vec<String> = (0..8).map(|n| farm.url(&format!("/gate/{n}"))).collect();
            let pool = Pool::builder().num_threads(8).job_queue(jobs).build().unwrap();
            farm.wait_at_gate(8);
            farm.let_through(7);
            assert_eq!(pool.outcomes().take(7).count(), 7);
            await_workers(1);
            farm.open_gate();
            assert_eq!(pool.outcomes().count(), 1);
        },
    );
}

#[cfg(target_os = "linux")]
#[test]
fn jobs_that_come_back_when_all_others_have_ended_are_tried_again_side_by_side() {
    let name =
        "threads::jobs_that_come_back_when_all_others_have_ended_are_tried_again_side_by_side";
    crate::child::alone(name, || {
        let farm = Farm::new();
        let gates = Arc::new([Gate::new(), Gate::new()]);
        let seen = AtomicUsize::new(0);
        let at = Arc::clone(&gates);
        // Each is let go when its gate opens, and refused the first time.
        let server = Script::site(move |request| {
            let number = usize::from(request.target() == "/1");
            if seen.fetch_add(1, Ordering::SeqCst) < 2 {
                at[number].wait();
                return reply("503 Busy", "Retry-After: 0\r\n", "");
            }
            ok(request.target())
        });
        let mut jobs = vec![server.url("/0"), server.url("/1")];
        jobs.extend((0..6).map(|n| farm.url(&format!("/ok/{n}"))));
        let pool = Pool::builder()
            .num_threads(8)
            .retry(RetryPolicy::new(3).backoff(Duration::ZERO, Duration::ZERO))
            .job_queue(jobs)
            .build()
            .unwrap();
        assert_eq!(pool.outcomes().take(6).count(), 6);
        await_workers(2);
        gates.iter().for_each(Gate::open);
        let done: Vec<_> = pool.outcomes().map(|outcome| outcome.is_response()).collect();
        assert_eq!(done, [true, true]);
        assert_eq!(server.requests().len(), 4);
    });
}

/// How many workers a pool of eight starts for five jobs that are done, and three that come back when
/// the workers of those have ended.
fn workers_started(initialize: impl Fn(&mut SessionConfig) + Send + Sync + 'static) -> usize {
    let (farm, gate) = (Farm::new(), Gate::new());
    let (seen, at) = (AtomicUsize::new(0), gate.clone());
    let server = Script::site(move |_| {
        if seen.fetch_add(1, Ordering::SeqCst) < 3 {
            at.wait();
        }
        reply("503 Busy", "", "")
    });
    let mut jobs: Vec<String> = (0..3).map(|n| server.url(&format!("/{n}"))).collect();
    jobs.extend((3..8).map(|n| farm.url(&format!("/ok/{n}"))));
    // So that some are in flight while others are due later.
    let backoff = (Duration::from_millis(2), Duration::from_millis(8));
    let pool = Pool::builder()
        .num_threads(8)
        .retry(RetryPolicy::new(30).backoff(backoff.0, backoff.1).without_budget())
        .initializer(initialize)
        .job_queue(jobs)
        .build()
        .unwrap();
    assert_eq!(pool.outcomes().take(5).count(), 5);
    while !format!("{pool:?}").contains("threads_alive: 3,") {
        thread::yield_now();
    }
    gate.open();
    assert_eq!(pool.outcomes().count(), 3);
    let shown = format!("{pool:?}");
    let started = shown.split_once("threads_started: ").unwrap().1;
    started.split(',').next().unwrap().parse().unwrap()
}

#[test]
fn for_jobs_that_come_back_to_as_many_workers_no_further_one_is_started() {
    within(Duration::from_secs(30), || {
        assert_eq!(workers_started(|_| {}), 8);
    });
}

/// The caller's own, in a worker's session.
struct DropsBadly;

impl Observer for DropsBadly {}

impl Drop for DropsBadly {
    fn drop(&mut self) {
        panic!("on purpose");
    }
}

#[test]
fn a_worker_that_panics_when_it_has_left_is_taken_off_the_count_once() {
    within(Duration::from_secs(30), || {
        let observe = |session: &mut SessionConfig| session.observer = Some(Arc::new(DropsBadly));
        assert_eq!(workers_started(observe), 8);
    });
}

/// The names of the threads of this process that are workers of a pool.
#[cfg(target_os = "linux")]
pub(crate) fn workers() -> Vec<String> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    // A task may end between the listing and the look.
    let names =
        tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
    let names = names.map(|name| name.trim_end().to_owned());
    // The threads for look-ups are the process's, and belong to no pool.
    let is_worker = |name: &String| name.starts_with("fetchpool-") && name != "fetchpool-dns";
    names.filter(is_worker).collect()
}

/// Waits until the last worker is out of the system's list: a thread that was joined may stay in
/// it for a moment.
#[cfg(target_os = "linux")]
#[track_caller]
pub(crate) fn await_no_workers() {
    await_workers(0);
}

/// Waits until there are so many and no more.
#[cfg(target_os = "linux")]
#[track_caller]
fn await_workers(count: usize) {
    let patience = Instant::now() + Duration::from_secs(2);
    while workers().len() > count {
        assert!(Instant::now() < patience, "{:?} are left", workers());
        thread::yield_now();
    }
    assert_eq!(workers().len(), count);
}
