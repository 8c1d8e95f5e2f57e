//! What goes back to the engine when a pool ends, and how a pool ends by itself.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fetchpool::{
    AckOn, CancelToken, Claim, Claimed, ClaimedJob, Depth, JobQueue, Lease, Nack, Politeness, Pool,
    QueueError, QueueOptions, Request, RetryPolicy, Settled, Ticket, Unpulled,
};

use crate::farm::{Farm, timed, within};
use crate::unruly::Vice;
use crate::{LIMIT, LONG, pool_on, pool_with, queue_of, read};

#[test]
fn a_dropped_pool_gives_back_what_it_had_begun() {
    let farm = Farm::new();
    let queue = queue_of(LONG, None, (0..5).map(|n| farm.url(&format!("/gate/{n}"))));
    let pool = pool_on(&queue).build().unwrap();
    farm.wait_at_gate(2);
    drop(pool);
    queue.wait_for("retry", 2);
    assert_eq!(queue.depth(), Some(Depth::new(5, 0, 0)));
    // The three that had waited are first, and new.
    let numbers: Vec<u32> = (0..5).map(|_| claim(&*queue).number()).collect();
    assert_eq!(numbers, [1, 1, 1, 2, 2]);
}

fn claim(queue: &dyn JobQueue) -> ClaimedJob {
    match queue.claim(&Claim::new(LIMIT)) {
        Ok(Claimed::Job(job)) => *job,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_cancelled_pool_has_an_outcome_for_each_job_that_it_had_claimed() {
    let farm = Farm::new();
    let queue = queue_of(LONG, None, (0..5).map(|n| farm.url(&format!("/gate/{n}"))));
    let token = CancelToken::new();
    let pool = pool_on(&queue).cancel_token(&token).build().unwrap();
    farm.wait_at_gate(2);
    token.cancel();
    let outcomes = read(pool);
    assert_eq!(outcomes.len(), 2);
    assert!(outcomes.into_iter().all(|outcome| outcome.result().unwrap_err().is_cancelled()));
    assert_eq!((queue.count("retry"), queue.count("ack")), (2, 0));
    assert_eq!(queue.depth(), Some(Depth::new(5, 0, 0)));
}

#[test]
fn a_deadline_gives_back_what_it_cuts_short() {
    let farm = Farm::new();
    let queue = queue_of(LONG, None, [farm.url("/gate/1")]);
    let pool = pool_on(&queue).deadline(Duration::from_millis(300)).build().unwrap();
    let outcomes = read(pool);
    assert!(outcomes.len() == 1 && !outcomes[0].is_response());
    assert_eq!(queue.depth(), Some(Depth::new(1, 0, 0)));
}

#[test]
fn a_closed_pool_claims_no_more_and_hands_nothing_back() {
    let farm = Farm::new();
    let queue = queue_of(LONG, None, (0..5).map(|n| farm.url(&format!("/gate/{n}"))));
    let pool = pool_on(&queue).build().unwrap();
    farm.wait_at_gate(2);
    let claims = queue.claims();
    assert_eq!(pool.close().count(), 0);
    assert_eq!(queue.claims(), claims);
    farm.open_gate();
    assert_eq!(read(pool).len(), 2);
    assert_eq!(queue.depth(), Some(Depth::new(3, 0, 0)));
}

#[test]
fn what_was_not_read_goes_back_when_reading_it_was_to_settle_it() {
    for ack_on in [AckOn::Delivered, AckOn::Consumer] {
        let farm = Farm::new();
        let queue = queue_of(LONG, None, (0..2).map(|n| farm.url(&format!("/ok/{n}"))));
        let pool = pool_with(&queue, QueueOptions::new().ack_on(ack_on)).build().unwrap();
        while pool.stats().buffered < 2 {
            std::thread::yield_now();
        }
        drop(pool);
        queue.wait_for("retry", 2);
        assert_eq!(queue.depth(), Some(Depth::new(2, 0, 0)), "{ack_on:?}");
    }
}

#[test]
fn a_dropped_pool_tells_the_engine_also_of_what_a_view_has_passed_over() {
    let farm = Farm::new();
    let urls = (0..200).map(|n| farm.url(&format!("/ok/{n}")));
    let queue = queue_of(LONG, None, urls);
    let options = QueueOptions::new().ack_on(AckOn::Delivered).stop_when_idle(Duration::ZERO);
    let pool = pool_with(&queue, options).outcome_capacity(300).build().unwrap();
    // All are responses.
    assert!(pool.get_exception().is_none());
    drop(pool);
    assert_eq!(queue.count("retry"), 200);
}

/// An engine that gives a job when it is told to, whoever wants it by then.
struct Late {
    go: Mutex<Receiver<()>>,
    settled: mpsc::Sender<&'static str>,
}

impl JobQueue for Late {
    fn claim(&self, _: &Claim<'_>) -> Result<Claimed, QueueError> {
        let _ = self.settled.send("asked");
        match self.go.lock().unwrap().recv() {
            Ok(()) => {
                let request = Request::get("http://late.invalid/");
                Ok(ClaimedJob::new(request, Ticket::new("1")).lease(LONG).into())
            }
            Err(_) => Ok(Claimed::Closed),
        }
    }

    fn ack(&self, _: &Ticket) -> Result<Settled, QueueError> {
        let _ = self.settled.send("ack");
        Ok(Settled::Done)
    }

    fn nack(&self, _: &Ticket, nack: Nack) -> Result<Settled, QueueError> {
        let what = if matches!(nack, Nack::Release { .. }) { "release" } else { "other" };
        let _ = self.settled.send(what);
        Ok(Settled::Done)
    }

    fn extend(&self, _: &Ticket, by: Duration) -> Result<Lease, QueueError> {
        Ok(Lease::Held(by))
    }

    fn close(&self) {}
}

#[test]
fn a_job_that_comes_when_nobody_wants_it_any_more_is_released_and_not_handed_back() {
    type End = fn(&Pool, &CancelToken) -> Option<Unpulled>;
    let ends: [End; 4] = [
        |pool, _| Some(pool.close()),
        |pool, _| Some(pool.cancel()),
        |pool, _| {
            drop(pool.close());
            None
        },
        |_, token| {
            token.cancel();
            None
        },
    ];
    for end in ends {
        let (go, wait) = mpsc::channel();
        let (settled, told) = mpsc::channel();
        let (engine, token) = (Late { go: Mutex::new(wait), settled }, CancelToken::new());
        let pool = Pool::builder().num_threads(1).queue(engine, QueueOptions::new());
        let pool = pool.cancel_token(&token).build().unwrap();
        assert_eq!(told.recv_timeout(LIMIT).unwrap(), "asked");
        let unpulled = end(&pool, &token);
        go.send(()).unwrap();
        assert_eq!(told.recv_timeout(LIMIT).unwrap(), "release");
        drop(go);
        within(LIMIT, move || {
            assert_eq!(unpulled.into_iter().flatten().count(), 0);
            assert_eq!((pool.close().count(), pool.stats().pulled), (0, 0));
        });
    }
}

#[test]
fn a_dropped_pool_does_not_wait_for_an_engine_that_hangs() {
    let (go, wait) = mpsc::channel();
    let (settled, told) = mpsc::channel();
    let engine = Late { go: Mutex::new(wait), settled };
    let pool = Pool::builder().num_threads(1).queue(engine, QueueOptions::new()).build().unwrap();
    assert_eq!(told.recv_timeout(LIMIT).unwrap(), "asked");
    let ((), took) = within(LIMIT, move || timed(|| drop(pool)));
    assert!(took < Duration::from_secs(2), "{took:?}");
    // What it brings then is released all the same.
    go.send(()).unwrap();
    assert_eq!(told.recv_timeout(LIMIT).unwrap(), "release");
}

#[test]
fn an_open_queue_does_not_end_the_pool_and_a_closed_one_does() {
    let farm = Farm::new();
    let queue = queue_of(LONG, None, [farm.url("/ok/1")]);
    let pool = pool_on(&queue).build().unwrap();
    assert!(pool.outcome_timeout(LIMIT).unwrap().is_response());
    let open = pool.outcome_timeout(Duration::from_millis(100)).unwrap_err();
    assert_eq!(open, RecvTimeoutError::Timeout);
    queue.submit(Request::get(farm.url("/ok/2")), None).unwrap();
    assert!(pool.outcome_timeout(LIMIT).unwrap().is_response());
    queue.close();
    assert_eq!(read(pool).len(), 0);
}

#[test]
fn an_idle_queue_ends_the_pool_where_that_is_asked_for_but_not_while_a_job_runs() {
    let farm = Farm::new();
    let queue = queue_of(LONG, None, [farm.url("/gate/1")]);
    let options = QueueOptions::new().stop_when_idle(Duration::from_millis(20));
    let pool = pool_with(&queue, options).build().unwrap();
    farm.wait_at_gate(1);
    let busy = pool.outcome_timeout(Duration::from_millis(400)).unwrap_err();
    assert_eq!(busy, RecvTimeoutError::Timeout);
    assert!(!pool.is_done());
    // One that comes meanwhile is still taken.
    queue.submit(Request::get(farm.url("/ok/2")), Some("2")).unwrap();
    assert!(pool.outcome_timeout(LIMIT).unwrap().is_response());
    farm.open_gate();
    assert_eq!(read(pool).len(), 1);
}

#[test]
fn several_pools_share_a_queue_and_each_job_is_done_once() {
    let farm = Farm::new();
    let queue = queue_of(LONG, None, (0..40).map(|n| farm.url(&format!("/ok/{n}"))));
    queue.close();
    let pools: Vec<Pool> = (0..3).map(|_| pool_on(&queue).build().unwrap()).collect();
    let outcomes: Vec<_> = pools.into_iter().flat_map(read).collect();
    assert_eq!((outcomes.len(), farm.requests(), queue.count("ack")), (40, 40, 40));
}

#[test]
fn no_deliveries_at_all_are_an_error_when_the_pool_is_built() {
    let queue = Arc::new(fetchpool::MemoryQueue::new());
    let options = QueueOptions::new().max_deliveries(0);
    let error = Pool::builder().queue(queue, options).build().unwrap_err();
    assert_eq!(error.kind().as_str(), "invalid_request");
}

#[test]
fn joining_waits_until_the_engine_was_told_of_every_job() {
    let farm = Farm::new();
    let jobs = (0..4).map(|n| farm.url(&format!("/gate/{n}")));
    let queue = queue_of(LONG, Vice::SettlesLate(2), jobs);
    let pool = pool_on(&queue).build().unwrap();
    farm.wait_at_gate(2);
    let told = within(LIMIT, move || {
        drop(pool.cancel());
        pool.join_all();
        queue.count("retry")
    });
    // Each worker tells it once in vain, and the clerk again.
    assert_eq!(told, 4);
}

/// An engine whose claims wait for nothing but the end of the pool.
struct Patient(mpsc::Sender<&'static str>);

impl JobQueue for Patient {
    fn claim(&self, want: &Claim<'_>) -> Result<Claimed, QueueError> {
        let _ = self.0.send("asked");
        while !want.is_over() {
            std::thread::yield_now();
        }
        let _ = self.0.send("over");
        Ok(Claimed::Empty)
    }

    fn ack(&self, _: &Ticket) -> Result<Settled, QueueError> {
        Ok(Settled::Done)
    }

    fn nack(&self, _: &Ticket, _: Nack) -> Result<Settled, QueueError> {
        Ok(Settled::Done)
    }

    fn extend(&self, _: &Ticket, by: Duration) -> Result<Lease, QueueError> {
        Ok(Lease::Held(by))
    }

    fn close(&self) {}
}

#[test]
fn a_claim_that_waits_is_told_when_the_pool_takes_no_more_jobs() {
    let ends: [fn(Pool, &CancelToken); 3] =
        [|pool, _| drop(pool.close()), |pool, _| drop(pool), |_, token| token.cancel()];
    for end in ends {
        let (say, told) = mpsc::channel();
        let token = CancelToken::new();
        let pool = Pool::builder().num_threads(1).queue(Patient(say), QueueOptions::new());
        let pool = pool.cancel_token(&token).build().unwrap();
        assert_eq!(told.recv_timeout(LIMIT).unwrap(), "asked");
        end(pool, &token);
        assert_eq!(told.recv_timeout(LIMIT).unwrap(), "over");
    }
}

/// An engine with one job that never answers when it is told something, until it is dropped.
struct Mute {
    job: Mutex<Option<Request>>,
    told: mpsc::Sender<()>,
    hangs: Mutex<Receiver<()>>,
}

impl Mute {
    fn hang(&self) -> Settled {
        let _ = self.told.send(());
        let _ = self.hangs.lock().unwrap().recv();
        Settled::Done
    }
}

impl JobQueue for Mute {
    fn claim(&self, want: &Claim<'_>) -> Result<Claimed, QueueError> {
        match self.job.lock().unwrap().take() {
            Some(request) => Ok(ClaimedJob::new(request, Ticket::new("1")).into()),
            None if want.is_over() => Ok(Claimed::Closed),
            None => Ok(Claimed::Empty),
        }
    }

    fn ack(&self, _: &Ticket) -> Result<Settled, QueueError> {
        Ok(self.hang())
    }

    fn nack(&self, _: &Ticket, _: Nack) -> Result<Settled, QueueError> {
        Ok(self.hang())
    }

    fn extend(&self, _: &Ticket, by: Duration) -> Result<Lease, QueueError> {
        Ok(Lease::Held(by))
    }

    fn close(&self) {}
}

#[test]
fn nobody_waits_for_an_engine_that_does_not_answer_but_the_worker_that_tells_it() {
    let farm = Farm::new();
    // One is told by the worker, the other, which nobody reads, when the pool is dropped.
    for (ack_on, buffered) in [(AckOn::Completed, 0), (AckOn::Delivered, 1)] {
        let (told, was_told) = mpsc::channel();
        let (let_go, hangs) = mpsc::channel::<()>();
        let job = Mutex::new(Some(Request::get(farm.url("/ok/1"))));
        let engine = Mute { job, told, hangs: Mutex::new(hangs) };
        let options = QueueOptions::new().ack_on(ack_on);
        let pool = Pool::builder().num_threads(1).queue(engine, options).build().unwrap();
        match ack_on {
            AckOn::Completed => was_told.recv_timeout(LIMIT).unwrap(),
            _ => {
                while pool.stats().buffered < 1 {
                    std::thread::yield_now();
                }
            }
        }
        assert_eq!(pool.stats().buffered, buffered);
        let ((), took) = within(LIMIT, move || timed(|| drop(pool)));
        assert!(took < Duration::from_secs(2), "{ack_on:?}: {took:?}");
        drop(let_go);
    }
}

#[test]
fn a_cancel_does_not_wait_for_the_engine_to_be_told_of_what_waits() {
    let farm = Farm::new();
    let (told, was_told) = mpsc::channel();
    let (let_go, hangs) = mpsc::channel::<()>();
    let job = Mutex::new(Some(Request::get(farm.url("/status/503/1?retry-after=20"))));
    let engine = Mute { job, told, hangs: Mutex::new(hangs) };
    let pool = Pool::builder().num_threads(1).queue(engine, QueueOptions::new());
    let pool = pool.retry(RetryPolicy::new(1)).build().unwrap();
    while pool.stats().delayed < 1 {
        std::thread::yield_now();
    }
    let (pool, took) = within(LIMIT, move || {
        let (unpulled, took) = timed(|| pool.cancel());
        drop(unpulled);
        (pool, took)
    });
    assert!(took < Duration::from_secs(2), "{took:?}");
    was_told.recv_timeout(LIMIT).unwrap();
    // The outcome need not wait for it either.
    assert!(pool.outcome_timeout(LIMIT).unwrap().result().unwrap_err().is_cancelled());
    drop(let_go);
}

#[test]
fn no_more_is_leased_than_the_workers_could_begin_and_what_was_not_begun_is_released() {
    let ends: [fn(Pool); 2] = [drop, |pool| {
        drop(pool.cancel());
        pool.join_all();
    }];
    for end in ends {
        let farm = Farm::new();
        let queue = queue_of(LONG, None, (0..20).map(|n| farm.url(&format!("/gate/{n}"))));
        let polite = Politeness::new().max_concurrent(1);
        let pool = pool_on(&queue).politeness(polite).build().unwrap();
        farm.wait_at_gate(1);
        // One runs, and as many as there are threads wait.
        queue.wait_for("claim", 3);
        let idle = pool.outcome_timeout(Duration::from_millis(300));
        assert!(idle.is_err());
        assert_eq!(queue.depth(), Some(Depth::new(17, 0, 3)));
        assert_eq!((pool.stats().queued, pool.stats().in_flight), (2, 1));
        end(pool);
        queue.wait_for("release", 2);
        queue.wait_for("retry", 1);
        assert_eq!(queue.depth(), Some(Depth::new(20, 0, 0)));
    }
}

#[test]
fn an_engine_is_let_go_when_its_pool_and_every_delivery_are() {
    let farm = Farm::new();
    let queue = queue_of(LONG, None, [farm.url("/ok/1")]);
    let options = QueueOptions::new().ack_on(AckOn::Consumer);
    let pool = pool_with(&queue, options).build().unwrap();
    let delivery = pool.outcome_timeout(LIMIT).unwrap().take_delivery().unwrap();
    drop(pool);
    assert!(Arc::strong_count(&queue) > 1);
    delivery.ack().unwrap();
    drop(delivery);
    within(LIMIT, move || {
        while Arc::strong_count(&queue) > 1 {
            std::thread::yield_now();
        }
    });
}
