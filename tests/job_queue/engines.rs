//! The contract's tests: who keeps it passes, who breaks a rule is told which.

use std::time::Duration;

use fetchpool::conformance::Suite;
use fetchpool::{JobQueue, MemoryQueue, QueueError};

use crate::unruly::{Unruly, Vice};

/// Long enough for a busy machine, short enough for a test.
const LEASE: Duration = Duration::from_millis(150);

#[test]
fn the_queue_in_memory_keeps_the_contract() {
    Suite::new(MemoryQueue::with_lease).lease(LEASE).run();
}

#[test]
fn an_engine_without_submit_is_filled_by_the_test() {
    let suite = Suite::new(|lease| Unruly::new(lease, None)).lease(LEASE);
    suite.submit(|queue, request, key| queue.submit(request, key)).run();
}

#[test]
fn each_vice_breaks_the_rule_that_is_about_it() {
    for (vice, rule) in [
        (Vice::Redelivers, "acked"),
        (Vice::LosesLeases, "extended"),
        (Vice::AlwaysStale, "acked"),
        (Vice::AlwaysDone, "stale"),
        (Vice::AlwaysDone, "settled_once"),
        (Vice::AlwaysDone, "unknown"),
        (Vice::CannotSettle, "once"),
        (Vice::PanicsSettling, "released"),
        (Vice::CannotExtend, "extended"),
        (Vice::ClaimBreaks(0), "whole"),
        (Vice::ClaimPanics(0), "empty"),
        (Vice::EmptyIsClosed, "empty"),
        (Vice::WaitsOn, "over"),
        (Vice::CountsReleases, "released"),
        (Vice::Hurries, "retried"),
    ] {
        let mut suite = Suite::new(move |lease| Unruly::new(lease, vice)).lease(LEASE);
        for (other, _) in Suite::rules().filter(|(name, _)| *name != rule) {
            suite = suite.without(other);
        }
        let broken: Vec<&str> = suite.broken().iter().map(|broken| broken.rule()).collect();
        assert_eq!(broken, [rule], "{vice:?}");
    }
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
