//! Leases: kept while a job runs, and what becomes of a job whose lease is lost.

use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fetchpool::{
    AckOn, Claim, Claimed, ClaimedJob, ErrorKind, JobQueue, Lease, Nack, Outcome, Pool, QueueError,
    QueueOptions, Request, RetryPolicy, Settled, Ticket,
};

use crate::farm::Farm;
use crate::unruly::Vice;
use crate::{LIMIT, pool_on, pool_with, queue_of, read};

/// Its third is long enough for a busy machine, and the whole short enough to lose it.
const LEASE: Duration = Duration::from_millis(900);

#[test]
fn a_lease_is_kept_for_as_long_as_the_job_runs() {
    let farm = Farm::new();
    let queue = queue_of(LEASE, None, [farm.url("/gate/1")]);
    queue.close();
    let pool = pool_on(&queue).build().unwrap();
    farm.wait_at_gate(1);
    // More thirds than a lease has.
    queue.wait_for("extend", 5);
    farm.open_gate();
    let outcomes = read(pool);
    assert!(outcomes.len() == 1 && outcomes[0].is_response());
    assert_eq!(outcomes[0].delivery().unwrap().settled(), Some(Settled::Done));
    assert_eq!((queue.count("claim"), queue.count("ack")), (1, 1));
}

#[test]
fn an_extension_that_fails_is_tried_again_before_the_lease_runs_out() {
    let farm = Farm::new();
    let queue = queue_of(LEASE, Vice::ExtendsLate(2), [farm.url("/gate/1")]);
    queue.close();
    let pool = pool_on(&queue).build().unwrap();
    farm.wait_at_gate(1);
    queue.wait_for("extend", 6);
    assert_eq!((pool.stats().queue_errors, pool.stats().stale), (2, 0));
    farm.open_gate();
    let outcomes = read(pool);
    assert!(outcomes.len() == 1 && outcomes[0].is_response());
    assert_eq!(outcomes[0].delivery().unwrap().settled(), Some(Settled::Done));
}

#[test]
fn a_lost_lease_ends_the_request_and_the_outcome_says_so() {
    for vice in [Vice::LosesLeases, Vice::CannotExtend] {
        let farm = Farm::new();
        let queue = queue_of(LEASE, vice, [farm.url("/gate/1")]);
        let pool = pool_on(&queue).build().unwrap();
        farm.wait_at_gate(1);
        let outcome = pool.outcome_timeout(LIMIT).unwrap();
        let stats = pool.stats();
        assert_eq!(stats.stale, 1, "{vice:?}");
        assert_eq!(stats.queue_errors > 0, vice == Vice::CannotExtend, "{vice:?}: {stats:?}");
        let delivery = outcome.delivery().unwrap();
        assert_eq!(delivery.settled(), Some(Settled::Stale), "{vice:?}");
        let error = outcome.result().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Cancelled, "{vice:?}");
        assert!(error.message().contains("lease"), "{vice:?}: {error}");
        // Nothing is said of what is not ours.
        assert_eq!(queue.count("ack") + queue.count("retry") + queue.count("dead"), 0, "{vice:?}");
    }
}

#[test]
fn a_lost_lease_ends_a_job_that_waits_to_be_tried_again() {
    let farm = Farm::new();
    let url = farm.url("/status/503/1?retry-after=50");
    let queue = queue_of(LEASE, Vice::LosesLeases, [url]);
    let session = {
        let mut session = fetchpool::SessionConfig::new();
        session.timeout = Some(Duration::from_secs(100));
        session
    };
    let pool = pool_on(&queue).session(session).retry(RetryPolicy::new(3)).build().unwrap();
    let outcome = pool.outcome_timeout(LIMIT).unwrap();
    let Outcome::Exception(exception) = &outcome else { panic!("{outcome:?}") };
    assert!(exception.is_cancelled() && exception.message().contains("lease"), "{exception}");
}

#[test]
fn a_worker_whose_job_was_lost_goes_on() {
    let farm = Farm::new();
    let queue = queue_of(LEASE, Vice::LosesLeases, [farm.url("/gate/1"), farm.url("/ok/2")]);
    let pool = pool_on(&queue).num_threads(1).build().unwrap();
    let first = pool.outcome_timeout(LIMIT).unwrap();
    assert!(first.result().unwrap_err().is_cancelled());
    let second = pool.outcome_timeout(LIMIT).unwrap();
    assert_eq!(second.result().unwrap().text(), "2");
}

#[test]
fn a_lease_that_is_lost_before_its_outcome_is_read_counts_once_and_the_engine_is_told_nothing() {
    let farm = Farm::new();
    let queue = queue_of(LEASE, Vice::LosesLeases, [farm.url("/ok/1")]);
    let options = QueueOptions::new().ack_on(AckOn::Delivered);
    let pool = pool_with(&queue, options).build().unwrap();
    while pool.stats().stale < 1 {
        std::thread::yield_now();
    }
    let outcome = pool.outcome_timeout(LIMIT).unwrap();
    assert_eq!(outcome.delivery().unwrap().settled(), Some(Settled::Stale));
    assert_eq!((pool.stats().stale, queue.count("ack")), (1, 0));
}

/// An engine that takes its time to answer that a job is done: meanwhile the lease, which has ended
/// by that, is asked for twice.
struct Slow {
    job: Mutex<Option<Request>>,
    acked: Mutex<bool>,
    asks: Sender<()>,
    asked: Mutex<Receiver<()>>,
}

impl JobQueue for Slow {
    fn claim(&self, _: &Claim<'_>) -> Result<Claimed, QueueError> {
        let Some(request) = self.job.lock().unwrap().take() else { return Ok(Claimed::Empty) };
        Ok(ClaimedJob::new(request, Ticket::new("1")).lease(Duration::from_millis(30)).into())
    }

    fn ack(&self, _: &Ticket) -> Result<Settled, QueueError> {
        *self.acked.lock().unwrap() = true;
        let asked = self.asked.lock().unwrap();
        for _ in 0..2 {
            // What came of the first is known when there is a second; where there is none, the test
            // says why.
            let _ = asked.recv_timeout(LIMIT / 4);
        }
        Ok(Settled::Done)
    }

    fn nack(&self, _: &Ticket, _: Nack) -> Result<Settled, QueueError> {
        Ok(Settled::Done)
    }

    fn extend(&self, _: &Ticket, by: Duration) -> Result<Lease, QueueError> {
        if !*self.acked.lock().unwrap() {
            return Ok(Lease::Held(by));
        }
        let _ = self.asks.send(());
        Ok(Lease::Lost)
    }

    fn close(&self) {}
}

#[test]
fn a_lease_that_ends_since_its_job_is_being_settled_is_not_lost() {
    let farm = Farm::new();
    let (asks, asked) = mpsc::channel();
    let queue = Arc::new(Slow {
        job: Mutex::new(Some(Request::get(farm.url("/ok/1")))),
        acked: Mutex::new(false),
        asks,
        asked: Mutex::new(asked),
    });
    let pool = Pool::builder().num_threads(1).queue(queue, QueueOptions::new()).build().unwrap();
    let outcome = pool.outcome_timeout(LIMIT).unwrap();
    assert_eq!(outcome.delivery().unwrap().settled(), Some(Settled::Done));
    assert_eq!((pool.stats().stale, pool.stats().responses), (0, 1));
}
