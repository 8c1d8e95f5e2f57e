//! Queue engines as the source of a pool's jobs.
//!
//! - `engines`: the queue in memory keeps the contract, and the contract's tests find who does not
//! - `settling`: what the engine is told of each job, and when
//! - `leases`: kept while a job runs; what becomes of a job whose lease is lost
//! - `ending`: what goes back when a pool ends, and how it ends by itself
//! - `trouble`: engines that fail, panic and lie
//! - `unruly`: an engine that misbehaves on purpose

mod support;

#[path = "job_queue/ending.rs"]
mod ending;
#[cfg(feature = "conformance")]
#[path = "job_queue/engines.rs"]
mod engines;
#[path = "job_queue/leases.rs"]
mod leases;
#[path = "job_queue/settling.rs"]
mod settling;
#[path = "job_queue/trouble.rs"]
mod trouble;
#[path = "job_queue/unruly.rs"]
mod unruly;

use std::sync::Arc;
use std::time::Duration;

use fetchpool::{JobQueue, Outcome, Pool, PoolBuilder, QueueOptions, Request};

use support::{farm, script};
use unruly::{Unruly, Vice};

/// The usual patience for a batch that must end.
const LIMIT: Duration = Duration::from_secs(20);
/// A lease that does not run out in a test.
const LONG: Duration = Duration::from_secs(60);

/// A queue with these jobs, whose keys are their URLs.
fn queue_of(
    lease: Duration,
    vice: impl Into<Option<Vice>>,
    jobs: impl IntoIterator<Item = String>,
) -> Arc<Unruly> {
    let queue = Unruly::new(lease, vice);
    for url in jobs {
        queue.submit(Request::get(&url), Some(&url)).unwrap();
    }
    Arc::new(queue)
}

/// A pool of two threads that takes its jobs from there, with no rest before one comes again.
fn pool_on(queue: &Arc<Unruly>) -> PoolBuilder {
    pool_with(queue, QueueOptions::new())
}

fn pool_with(queue: &Arc<Unruly>, options: QueueOptions) -> PoolBuilder {
    let options = options.retry_after(Duration::ZERO);
    Pool::builder().num_threads(2).queue(Arc::clone(queue), options)
}

/// Reads everything.
fn read(pool: Pool) -> Vec<Outcome> {
    farm::within(LIMIT, move || {
        let outcomes: Vec<Outcome> = pool.outcomes().collect();
        let stats = pool.stats();
        assert_eq!(stats.pulled, stats.delivered, "{stats:?}");
        pool.join_all();
        outcomes
    })
}

/// The keys and numbers of the deliveries, sorted.
fn deliveries(outcomes: &[Outcome]) -> Vec<(String, u32)> {
    let name = |outcome: &Outcome| {
        let delivery = outcome.delivery().unwrap();
        (delivery.key().unwrap().to_owned(), delivery.number())
    };
    let mut names: Vec<_> = outcomes.iter().map(name).collect();
    names.sort();
    names
}
