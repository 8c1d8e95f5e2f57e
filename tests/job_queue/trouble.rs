//! Engines that fail, panic and lie: no worker dies of it, and no job is without an outcome.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use fetchpool::{ErrorKind, JobQueue, Observer, Outcome, Settled};

use crate::farm::Farm;
use crate::unruly::Vice;
use crate::{LIMIT, LONG, pool_on, queue_of, read};

/// Keeps what it is told of the engine.
#[derive(Default)]
struct Troubles(Mutex<Vec<String>>);

impl Observer for Troubles {
    fn queue_trouble(&self, what: &str) {
        self.0.lock().unwrap().push(what.to_owned());
    }
}

#[test]
fn a_claim_that_fails_for_the_moment_is_tried_again() {
    let farm = Farm::new();
    let queue = queue_of(LONG, Vice::ClaimsFail(2), [farm.url("/ok/1")]);
    let troubles = Arc::new(Troubles::default());
    let pool = pool_on(&queue).observer(Arc::clone(&troubles)).build().unwrap();
    assert!(pool.outcome_timeout(LIMIT).unwrap().is_response());
    assert_eq!(pool.stats().queue_errors, 2);
    assert_eq!(*troubles.0.lock().unwrap(), ["claim failed: not yet", "claim failed: not yet"]);
}

#[test]
fn a_claim_that_fails_for_good_ends_the_pool_with_one_exception() {
    let farm = Farm::new();
    let queue = queue_of(LONG, Vice::ClaimBreaks(1), [farm.url("/ok/1"), farm.url("/ok/2")]);
    let outcomes = read(pool_on(&queue).num_threads(1).build().unwrap());
    let [first, last] = &outcomes[..] else { panic!("{outcomes:?}") };
    assert!(first.is_response());
    let Outcome::Exception(exception) = last else { panic!("{last:?}") };
    assert_eq!(exception.kind(), ErrorKind::Io);
    assert!(exception.message().contains("the table is gone"), "{}", exception.message());
    assert!(exception.delivery().is_none());
}

#[test]
fn a_claim_that_panics_ends_the_pool_with_one_exception() {
    let farm = Farm::new();
    let queue = queue_of(LONG, Vice::ClaimPanics(1), [farm.url("/ok/1"), farm.url("/ok/2")]);
    let troubles = Arc::new(Troubles::default());
    let pool = pool_on(&queue).num_threads(1).observer(Arc::clone(&troubles)).build().unwrap();
    assert!(pool.outcome_timeout(LIMIT).unwrap().is_response());
    let last = pool.outcome_timeout(LIMIT).unwrap();
    assert_eq!(last.result().unwrap_err().kind(), ErrorKind::Panic);
    assert_eq!(pool.stats().queue_errors, 1);
    let told = "claim failed: the queue panicked: on purpose";
    assert_eq!(*troubles.0.lock().unwrap(), [told]);
    assert_eq!(read(pool).len(), 0);
}

#[test]
fn an_engine_that_panics_when_it_is_told_something_costs_no_outcome() {
    let farm = Farm::new();
    let queue = queue_of(LONG, Vice::PanicsSettling, (0..5).map(|n| farm.url(&format!("/ok/{n}"))));
    let pool = pool_on(&queue).build().unwrap();
    for _ in 0..5 {
        let outcome = pool.outcome_timeout(LIMIT).unwrap();
        assert!(outcome.is_response());
        assert_eq!(outcome.delivery().unwrap().settled(), None);
    }
    assert_eq!(pool.stats().queue_errors, 5);
}

#[test]
fn a_settlement_that_fails_for_the_moment_is_tried_again_without_holding_up_the_worker() {
    let farm = Farm::new();
    let queue = queue_of(LONG, Vice::SettlesLate(2), [farm.url("/ok/1")]);
    queue.close();
    let outcomes = read(pool_on(&queue).build().unwrap());
    assert_eq!(outcomes.len(), 1);
    assert_eq!(outcomes[0].delivery().unwrap().settled(), None);
    assert_eq!(queue.count("ack"), 3);
    assert_eq!(queue.depth().unwrap().total(), 0);
}

#[test]
fn a_stale_settlement_is_counted_and_the_outcome_says_so() {
    let farm = Farm::new();
    let queue = queue_of(LONG, Vice::AlwaysStale, (0..5).map(|n| farm.url(&format!("/ok/{n}"))));
    let troubles = Arc::new(Troubles::default());
    let pool = pool_on(&queue).observer(Arc::clone(&troubles)).build().unwrap();
    for _ in 0..5 {
        let outcome = pool.outcome_timeout(LIMIT).unwrap();
        assert!(outcome.is_response());
        assert_eq!(outcome.delivery().unwrap().settled(), Some(Settled::Stale));
    }
    let stats = pool.stats();
    assert_eq!((stats.stale, stats.queue_errors, stats.responses), (5, 0, 5));
    assert_eq!(troubles.0.lock().unwrap().len(), 5);
}

#[test]
fn a_job_that_comes_again_though_it_was_acknowledged_is_a_delivery_of_its_own() {
    let farm = Farm::new();
    let queue = queue_of(LONG, Vice::Redelivers, [farm.url("/ok/1")]);
    let pool = pool_on(&queue).num_threads(1).build().unwrap();
    for number in 1..=3 {
        let outcome = pool.outcome_timeout(LIMIT).unwrap();
        let delivery = outcome.delivery().unwrap();
        assert_eq!((delivery.number(), outcome.is_response()), (number, true));
        assert_eq!(delivery.key(), Some(farm.url("/ok/1").as_str()));
    }
}

#[test]
fn an_engine_that_does_not_wait_is_not_asked_all_the_time() {
    let queue = queue_of(LONG, Vice::NeverWaits, []);
    let pool = pool_on(&queue).build().unwrap();
    let empty = pool.outcome_timeout(Duration::from_millis(600));
    assert!(empty.is_err());
    let asked = queue.claims();
    assert!((1..20).contains(&asked), "{asked} claims");
}
