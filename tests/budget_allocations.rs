//! What a request on a kept connection costs in memory that is asked for: allocations and bytes, by
//! an allocator that counts. The budgets are in `benches/budgets.txt`; `--nocapture` prints what was
//! measured.

use std::alloc::System;

use fetchpool::{Pool, Session};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

use budgets::Verdict;

#[path = "../benches/support/budgets.rs"]
mod budgets;
#[path = "../benches/support/nginx.rs"]
mod nginx;

// It counts for the whole process, so this binary has one test, and its server takes nothing for a
// request.
#[global_allocator]
static COUNTING: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Two runs differ by so many requests; what they differ by otherwise is what those cost.
const FEW: usize = 200;
const MANY: usize = 1_200;

#[test]
fn a_request_on_a_kept_connection_allocates_within_its_budget() {
    // Not copied for each job: what is counted is the crate's.
    let url: &'static str = nginx::start(1024).leak();
    let mut verdicts = measure("session", |count| session(url, count));
    verdicts.extend(measure("pool of 1", |count| pool(url, 1, count)));
    verdicts.extend(measure("pool of 4", |count| pool(url, 4, count)));
    assert!(budgets::are_kept(&verdicts));
}

fn session(url: &str, count: usize) {
    let mut session = Session::default();
    for _ in 0..count {
        let response = session.request(url).unwrap();
        assert_eq!(response.bytes().len(), 1024);
    }
}

fn pool(url: &'static str, threads: usize, count: usize) {
    let jobs = (0..count).map(move |_| url);
    let pool = Pool::builder().num_threads(threads).job_queue(jobs).build().unwrap();
    assert_eq!(pool.responses().filter(|response| response.bytes().len() == 1024).count(), count);
}

fn measure(way: &str, run: impl Fn(usize)) -> Vec<Verdict> {
    let each = |few: usize, many: usize| (many as f64 - few as f64) / (MANY - FEW) as f64;
    // How the threads of a pool take turns can only add to it.
    let (mut allocations, mut bytes) = (f64::MAX, f64::MAX);
    for _ in 0..3 {
        let [few, many] = [FEW, MANY].map(|count| {
            let region = Region::new(COUNTING);
            run(count);
            let change = region.change();
            (change.allocations + change.reallocations, change.bytes_allocated)
        });
        allocations = allocations.min(each(few.0, many.0));
        bytes = bytes.min(each(few.1, many.1));
    }
    vec![
        // The queues take memory for some jobs at a time.
        Verdict::new(&format!("allocations {way}"), allocations, 0.5),
        Verdict::relative(&format!("bytes {way}"), bytes, 0.05),
    ]
}
