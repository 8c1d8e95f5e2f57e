//! What may cross threads, and what a batch may cost in memory (P3).

use fetchpool::{
    Error, Exceptions, Headers, Outcome, Pool, PoolBuilder, Request, Response, Responses,
    RetryPolicy, Session, SessionConfig, SessionThread, ThreadException, ThreadResponse,
};

use crate::farm::Farm;

#[test]
fn values_cross_threads() {
    const fn send<T: Send + 'static>() {}
    const fn share<T: Send + Sync + 'static>() {}
    const {
        share::<Pool>();
        share::<Request>();
        share::<Response>();
        share::<Error>();
        share::<Headers>();
        share::<Outcome>();
        share::<ThreadResponse>();
        share::<ThreadException>();
        share::<SessionConfig>();
        share::<RetryPolicy>();
        share::<SessionThread>();
        send::<Session>();
        send::<PoolBuilder>();
        send::<Responses>();
        send::<Exceptions>();
    }
}

#[test]
fn an_error_is_at_home_with_other_errors() {
    let error = Pool::builder().num_threads(0).build().unwrap_err();
    let boxed: Box<dyn std::error::Error + Send + Sync> = Box::new(error);
    assert!(!boxed.to_string().is_empty());
}

#[cfg(target_os = "linux")]
#[test]
fn ten_times_the_jobs_take_no_more_memory() {
    // Memory is the process's: this needs one of its own.
    crate::child::alone("values::ten_times_the_jobs_take_no_more_memory", || {
        let farm = Farm::new();
        // The first round pays for what is there once: threads, tables, the allocator's stock.
        let _ = peak_of(&farm, 2_000);
        let few = peak_of(&farm, 10_000);
        let many = peak_of(&farm, 100_000);
        println!("{few} KiB for 10,000 jobs, {many} KiB for 100,000");
        assert!(many * 10 <= few * 12, "{few} KiB for 10,000 jobs, {many} KiB for 100,000");
    });
}

/// The most memory, in KiB, that so many jobs took: read as they came, one in thirty a real one.
#[cfg(target_os = "linux")]
fn peak_of(farm: &Farm, jobs: u32) -> u64 {
    // 5 resets the peak: proc_pid_clear_refs(5).
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let url = farm.url("/ok");
    let queue = (0..jobs).map(move |n| match n % 30 {
        0 => Request::get(format!("{url}/{n}")).tag([n; 16]),
        _ => Request::get(format!("no URL {n}")).tag([n; 16]),
    });
    let pool = Pool::builder().num_threads(8).job_queue(queue).build().unwrap();
    assert_eq!(pool.outcomes().count(), jobs as usize);
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().trim_end_matches(" kB").parse().unwrap()
}
