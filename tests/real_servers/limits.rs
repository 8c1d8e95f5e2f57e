//! nginx that takes 200 requests a second and answers the others by 503 and `Retry-After: 1`.
//!
//! It is asked by 16 threads, which could send it ten times as many. What it counted is in its log,
//! what the pool counted in the outcomes.

use std::time::{Duration, Instant};

use fetchpool::{Adaptive, Politeness, Pool, PoolBuilder, Request, RetryPolicy};

use super::support::{mark, nginx_log, response, setting};

const JOBS: usize = 500;
/// Half of what `.ci/servers.d/nginx.conf` says: where the machine is busy, requests that were begun
/// one by one may come to it in a heap, of which 20 are let through.
const RATE: f64 = 100.0;

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn a_batch_with_retries_loses_no_job_and_makes_no_more_tries_than_the_budget_allows() {
    let policy = RetryPolicy::new(5);
    let told = Told::by("retries", Pool::builder().retry(policy));
    // By default one retry for five requests, and 100 that need not be earned.
    let most = JOBS / 5 + 100;
    assert!(told.retries <= most, "{} retries, {most} were allowed", told.retries);
    // Else the limit was not reached, and nothing is shown.
    assert!(told.busy > 0 && told.retries > most / 2, "{told:?}");
    // Each answer of 503 was tried again, or stood.
    assert_eq!(told.busy, told.retries + (JOBS - told.good), "{told:?}");
}

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn a_smaller_budget_makes_fewer_tries() {
    let policy = RetryPolicy::new(5).budget(0.05, 10);
    let told = Told::by("budget", Pool::builder().retry(policy));
    assert!(told.retries <= JOBS / 20 + 10 && told.retries > 0, "{told:?}");
}

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn a_rate_below_the_limit_of_the_server_meets_no_refusal() {
    let polite = Politeness::new().rate(RATE);
    let began = Instant::now();
    let told = Told::by("rate", Pool::builder().politeness(polite));
    let took = began.elapsed();
    assert_eq!((told.good, told.retries), (JOBS, 0), "{told:?}");
    let least = (JOBS - 1) as f64 / RATE;
    assert!(took >= Duration::from_secs_f64(least), "{took:?} for {least:.2} s of work");
}

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn the_adaptive_mode_finds_a_rate_and_meets_far_fewer_refusals() {
    let without = Told::by("not-adaptive", Pool::builder().retry(RetryPolicy::new(5)));
    let polite = Politeness::new().adaptive(Adaptive::new());
    let with = Told::by("adaptive", Pool::builder().retry(RetryPolicy::new(5)).politeness(polite));
    assert!(with.busy < without.busy / 2, "with it {with:?}, without it {without:?}");
    assert_eq!(with.good, JOBS, "{with:?}");
}

/// What came of a batch.
#[derive(Debug)]
struct Told {
    /// Jobs whose answer was a 200.
    good: usize,
    /// Tries after the first ones.
    retries: usize,
    /// Answers of 503 that nginx gave.
    busy: usize,
}

impl Told {
    /// Runs the batch; each job has one outcome, and nginx saw as many requests as those tell of.
    fn by(test: &str, pool: PoolBuilder) -> Self {
        let mark = mark(test);
        let url = format!("{}/limited/small.txt?{mark}", setting("NGINX"));
        let jobs = vec![Request::get(url); JOBS];
        let pool = pool.num_threads(16).job_queue(jobs).build().expect("a pool");
        let mut seen = vec![false; JOBS];
        let mut told = Self { good: 0, retries: 0, busy: 0 };
        for outcome in pool.outcomes() {
            let index = usize::try_from(outcome.index()).expect("an index");
            assert!(!std::mem::replace(&mut seen[index], true), "job {index} came twice");
            let response = response(outcome);
            assert!([200, 503].contains(&response.status()), "{}", response.status());
            told.good += usize::from(response.status() == 200);
            told.retries += response.attempts().len();
        }
        assert!(seen.into_iter().all(|seen| seen), "a job was lost");
        let stats = pool.stats();
        assert_eq!((stats.pulled, stats.delivered), (JOBS as u64, JOBS as u64), "{stats:?}");
        assert_eq!(stats.retried, told.retries as u64, "{stats:?}");

        let log = nginx_log(&mark, JOBS + told.retries);
        told.busy = log.iter().filter(|hit| hit.status == 503).count();
        assert_eq!(log.iter().filter(|hit| hit.status == 200).count(), told.good);
        told
    }
}
