//! The contract's tests: who keeps it passes, who breaks a rule is told which.

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use fetchpool::conformance::{Broken, Suite};
use fetchpool::{JobQueue, MemoryQueue, QueueError};

use crate::unruly::{Unruly, Vice};

/// Where a rule is to be broken, it is no matter if a lease runs out too early.
const LEASE: Duration = Duration::from_millis(150);
/// Where they are to be kept, it must be long enough for a busy machine.
const LONGER: Duration = Duration::from_millis(500);

#[test]
fn the_queue_in_memory_keeps_the_contract() {
    Suite::new(MemoryQueue::with_lease).lease(LONGER).run();
}

#[test]
fn an_engine_without_submit_is_filled_by_the_test() {
    let suite = Suite::new(|lease| Unruly::new(lease, None)).lease(LONGER);
    suite.submit(|queue, request, key| queue.submit(request, key)).run();
}

/// Each rule, and a vice that breaks it.
const BREAKERS: [(&str, Vice); 23] = [
    ("whole", Vice::ClaimBreaks(0)),
    ("once", Vice::CannotSettle),
    ("once", Vice::GivesTwice),
    ("shared", Vice::GivesTwice),
    ("empty", Vice::ClaimPanics(0)),
    ("empty", Vice::EmptyIsClosed),
    ("closed", Vice::EmptyIsClosed),
    ("refuses", Vice::TakesMore),
    ("wakes", Vice::SleepsOn),
    ("over", Vice::SleepsOn),
    ("acked", Vice::Redelivers),
    ("acked", Vice::AlwaysStale),
    ("lapsed", Vice::KeepsForEver),
    ("stale", Vice::AlwaysDone),
    ("settled_once", Vice::AlwaysDone),
    ("unknown", Vice::AlwaysDone),
    ("extended", Vice::LosesLeases),
    ("extended", Vice::CannotExtend),
    ("not_extended", Vice::ExtendsAll),
    ("retried", Vice::Hurries),
    ("released", Vice::CountsReleases),
    ("dead", Vice::Revives),
    ("duplicate", Vice::TakesDuplicates),
];

#[test]
fn each_rule_is_broken_by_who_does_not_keep_it() {
    let rules: BTreeSet<&str> = Suite::rules().map(|(name, _)| name).collect();
    let tested: BTreeSet<&str> = BREAKERS.iter().map(|(rule, _)| *rule).collect();
    assert_eq!(rules, tested);
    thread::scope(|scope| {
        for (rule, vice) in BREAKERS {
            scope.spawn(move || {
                let mut suite = Suite::new(move |lease| Unruly::new(lease, vice)).lease(LEASE);
                for (other, _) in Suite::rules().filter(|(name, _)| *name != rule) {
                    suite = suite.without(other);
                }
                let broken: Vec<&str> = suite.broken().iter().map(Broken::rule).collect();
                assert_eq!(broken, [rule], "{vice:?}");
            });
        }
    });
}

#[test]
fn the_report_names_the_rule_and_what_was_found() {
    let deaf = |_| {
        let queue = MemoryQueue::new();
        queue.close();
        queue
    };
    let broken = Suite::new(deaf).broken();
    let first = broken.first().unwrap();
    assert_eq!(first.rule(), "whole");
    assert!(first.found().contains("the queue is closed"), "{}", first.found());
    assert!(first.to_string().starts_with("whole (a job comes out as it was put in"), "{first}");
}

#[test]
fn a_submission_that_is_not_supported_says_so() {
    let error = QueueError::unsupported();
    assert!(error.is_unsupported() && !error.is_temporary());
}
