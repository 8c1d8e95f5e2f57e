//! How often, and for how much memory, a request on a kept connection asks, by an allocator that
//! counts: allocations and bytes. The server takes nothing for an answer. `tests/budget_allocations.rs`
//! holds the plainest of these against their budget.

use std::alloc::System;

use fetchpool::{Pool, Request, Session};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use support::is_quick;

#[path = "support/nginx.rs"]
mod nginx;
mod support;

#[global_allocator]
static COUNTING: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() {
    support::print_machine();
    let url: &'static str = nginx::start(1024).leak();
    let large: &'static str = nginx::start(100 << 10).leak();
    measure("session", |count| session(count, || url.into()));
    let request = Request::get(url);
    measure("session, a request cloned", |count| session(count, || request.clone()));
    measure("session, three fields more", |count| {
        session(count, || {
            Request::get(url)
                .header("Authorization", "Bearer 2YotnFZFEjr1zCsicMWpAA")
                .header("Accept-Language", "en-GB")
                .header("X-Request-Id", "6f1c7d84-7d06-4f0a-9d19-6c9d7a0b7f11")
        });
    });
    measure("session, a body of 100 KiB", |count| session(count, || large.into()));
    for threads in [1, 4, 16] {
        measure(&format!("pool of {threads}"), |count| {
            let jobs = (0..count).map(move |_| url);
            let pool = Pool::builder().num_threads(threads).job_queue(jobs).build().unwrap();
            assert_eq!(pool.responses().count(), count);
        });
    }
}

fn session(count: usize, request: impl Fn() -> Request) {
    let mut session = Session::default();
    for _ in 0..count {
        assert!(session.request(request()).unwrap().ok());
    }
}

/// What two runs differ by is what the requests cost.
fn measure(name: &str, run: impl Fn(usize)) {
    let (few, many) = if is_quick() { (50, 150) } else { (1_000, 11_000) };
    let [few_cost, many_cost] = [few, many].map(|count| {
        let region = Region::new(COUNTING);
        run(count);
        let change = region.change();
        [change.allocations, change.reallocations, change.bytes_allocated]
    });
    let each =
        |which: usize| (many_cost[which] as f64 - few_cost[which] as f64) / (many - few) as f64;
    println!(
        "allocations {name:<28} {:>6.2} a request, {:.2} of them by growing; {:>8.0} bytes",
        each(0) + each(1),
        each(1),
        each(2),
    );
}
