//! Whatever goes wrong, each job that was taken has one outcome (P1, P2, P4, P5, P7, P8).
//!
//! Two hundred batches, each planned by its seed: some dozens of jobs on some threads, of which
//! some are reset at any byte, cut, slow, silent, rubbish, misspelt, or cancelled; hooks, resolvers,
//! iterators and jobs that panic, also with payloads that panic when they are dropped; readers that
//! are slow, read one view first, or none; pools that are closed, cancelled, drained, dropped half
//! way, ended by their deadline or their failures.
//!
//! - `plan`: what a seed stands for
//! - `server`: the server that breaks off where its URL says
//! - `watch`: the observer that counts outcomes, and panics
//!
//! A failure names its seed. `FETCHPOOL_SEED=17 cargo test --test faults` plays that one alone, and
//! prints its plan; `FETCHPOOL_SEEDS=5000` plays so many.

mod support;

#[path = "faults/plan.rs"]
mod plan;
#[path = "faults/server.rs"]
mod server;
#[path = "faults/watch.rs"]
mod watch;

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use fetchpool::{CancelToken, Outcome, Request, Stats};

use plan::{Ending, Plan, Tag};
use server::Server;
use support::farm::within;
use watch::Ledger;

/// How many seeds are played.
const SEEDS: u64 = 200;

/// Batches that are played side by side, since most of what they do is to wait.
const AT_ONCE: u64 = 4;

/// What one batch may take: some hundred times what it does.
const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn every_job_that_was_taken_has_one_outcome_whatever_goes_wrong() {
    silence_panics_on_purpose();
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    if let Some(seed) = number("FETCHPOOL_SEED") {
        println!("{:#?}", Plan::of(seed));
        println!("{:?}", within(LIMIT, move || play(seed)));
        return;
    }
    let seeds = number("FETCHPOOL_SEEDS").unwrap_or(SEEDS);
    let next = AtomicU64::new(0);
    let total = thread::scope(|scope| {
        let players: Vec<_> = (0..AT_ONCE)
            .map(|_| {
                scope.spawn(|| {
                    let mut sum = Tally::default();
                    loop {
                        let seed = next.fetch_add(1, Ordering::Relaxed);
                        if seed >= seeds {
                            return sum;
                        }
                        let played = catch_unwind(|| within(LIMIT, move || play(seed)));
                        sum.add(played.unwrap_or_else(|_| panic!("seed {seed} failed")));
                    }
                })
            })
            .collect();
        players.into_iter().fold(Tally::default(), |mut sum, player| {
            sum.add(player.join().unwrap());
            sum
        })
    });
    println!("{seeds} seeds: {total:?}");
    // The faults did happen, and the jobs between them went through.
    assert!(total.taken > seeds * 20, "{total:?}");
    assert!(total.responses > total.taken / 4, "{total:?}");
    for (kind, count) in [
        ("panics", total.panics),
        ("cancelled", total.cancelled),
        ("broken", total.broken),
        ("timeouts", total.timeouts),
        ("handed back", total.handed_back),
        ("never read", total.unread),
    ] {
        assert!(count > seeds / 4, "{kind}: {total:?}");
    }
}

/// What became of the jobs of some batches.
#[derive(Debug, Default)]
struct Tally {
    taken: u64,
    responses: u64,
    panics: u64,
    cancelled: u64,
    broken: u64,
    timeouts: u64,
    /// Jobs that were not taken and came back.
    handed_back: u64,
    /// Outcomes that went with their pool.
    unread: u64,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.taken += other.taken;
        self.responses += other.responses;
        self.panics += other.panics;
        self.cancelled += other.cancelled;
        self.broken += other.broken;
        self.timeouts += other.timeouts;
        self.handed_back += other.handed_back;
        self.unread += other.unread;
    }
}

/// How far a pool looks ahead, and one job on its way.
const AHEAD: u64 = 97;

/// Plays one batch, and checks all that can be said of it.
fn play(seed: u64) -> Tally {
    let plan = Plan::of(seed);
    let server = Server::start();
    let ledger = Ledger::default();
    let (gone, pool_is_gone) = mpsc::channel();
    let tokens: Vec<CancelToken> = (0..4).map(|_| CancelToken::new()).collect();
    let pulls = plan::Pulls::default();
    let pool = plan.pool(&server, &tokens, &pulls, &ledger, gone);

    let ended = AtomicBool::new(false);
    let mut read = Vec::new();
    let (mut handed_back, mut last) = (None, Stats::default());
    thread::scope(|scope| {
        scope.spawn(|| {
            while !ended.load(Ordering::Relaxed) {
                assert_adds_up(&pool.stats());
                thread::yield_now();
            }
        });
        let watching = AssertUnwindSafe(|| {
            if let Some((token, after)) = plan.token_after {
                let token = &tokens[token];
                scope.spawn(move || {
                    thread::sleep(after);
                    token.cancel();
                });
            }
            (read, handed_back) = plan.read(&pool);
            last = pool.stats();
        });
        let result = catch_unwind(watching);
        ended.store(true, Ordering::Relaxed);
        result.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
    assert_adds_up(&last);
    drop(pool);
    // Also the threads that were given up have ended when this comes.
    pool_is_gone.recv_timeout(LIMIT).expect("the pool's threads end");

    // The observer heard of each job that was taken, once.
    let told = ledger.outcomes();
    let pulled = pulls.count();
    let twice: Vec<_> = told.iter().filter(|(_, times)| **times != 1).collect();
    assert!(twice.is_empty(), "told more than once: {twice:?}");
    // What was looked ahead at and not begun leaves gaps where the pool ended early.
    let taken = told.len() as u64;
    assert!(told.keys().all(|index| *index < plan.jobs), "told of {:?}", told.keys());
    let returned = handed_back.as_ref().map_or(0, |jobs: &Vec<Request>| jobs.len() as u64);
    match (&plan.ending, plan.is_counted()) {
        // What the worker brought too late went with the pool.
        (Ending::Drop, true) => {
            assert!((taken..=taken + AHEAD).contains(&pulled), "{pulled}, {taken}")
        }
        (Ending::Drop, false) => {}
        _ => {
            assert_eq!(last.pulled, taken, "jobs taken, outcomes told");
            assert_eq!(last.unfinished(), 0, "{last:?}");
            assert_eq!(read.len() as u64, taken, "outcomes read");
            assert_eq!(last.delivered, taken, "{last:?}");
            if plan.all_come_back() {
                assert_eq!(taken + returned, plan.jobs, "jobs taken or handed back");
            }
        }
    }

    // Each outcome is that of its own job.
    let mut seen = BTreeSet::new();
    let mut tally = Tally { taken, handed_back: returned, ..Tally::default() };
    tally.unread = taken - read.len() as u64;
    if plan.reads_in_order() {
        assert!(read.is_sorted_by_key(Outcome::index), "in the order of input");
    }
    for outcome in read {
        let index = outcome.index();
        assert!(seen.insert(index), "{index} was read twice");
        plan.check(&outcome);
        match outcome {
            Outcome::Response(_) => tally.responses += 1,
            Outcome::Exception(exception) => match exception.kind().as_str() {
                "panic" => tally.panics += 1,
                "cancelled" => tally.cancelled += 1,
                "timeout" => tally.timeouts += 1,
                _ => tally.broken += 1,
            },
        }
    }
    // What came back is in order, and behind what was taken.
    if let Some(jobs) = handed_back {
        let numbers: Vec<u64> = jobs.iter().filter_map(Tag::of).map(|tag| tag.number).collect();
        assert!(numbers.is_sorted(), "handed back as {numbers:?}");
    }
    tally
}

#[track_caller]
fn assert_adds_up(stats: &Stats) {
    let Stats { pulled, delayed, in_flight, buffered, delivered, responses, failed, .. } = *stats;
    assert_eq!(pulled, delayed + in_flight + buffered + delivered, "{stats:?}");
    assert_eq!(responses + failed, buffered + delivered, "{stats:?}");
}

/// Keeps what a test does on purpose from filling the screen.
fn silence_panics_on_purpose() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let payload = panic.payload();
        let text = payload.downcast_ref::<&str>();
        if !payload.is::<watch::Bomb>() && text != Some(&"on purpose") {
            before(panic);
        }
    }));
}
