//! Moments at which a job could be forgotten, or wait for somebody who never comes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use fetchpool::{
    CancelToken, CircuitBreaker, Error, ErrorKind, Observed, Observer, Politeness, Pool, Request,
    Response, RetryPolicy,
};

use crate::dead::Dead;
use crate::farm::{Farm, within};
use crate::script::{Gate, Script, Server, ok, reply};

/// Much longer than anything here takes that works.
const LIMIT: Duration = Duration::from_secs(10);

/// An iterator of which a pool knows nothing: it may wait, and does.
fn iterator<T: Send + 'static>(
    receiver: std::sync::mpsc::Receiver<T>,
) -> impl Iterator<Item = T> + Send + 'static {
    std::iter::from_fn(move || receiver.recv().ok())
}

#[test]
fn jobs_of_an_iterator_that_was_quick_and_then_waits_run_all_the_same_and_side_by_side() {
    within(LIMIT, || {
        let farm = Farm::new();
        let (jobs, queue) = channel();
        (0..20).for_each(|n| jobs.send(farm.url(&format!("/gate/{n}"))).unwrap());
        let pool = Pool::builder().num_threads(21).job_queue(iterator(queue)).build().unwrap();
        farm.wait_at_gate(20);
        farm.open_gate();
        (0..20).for_each(|_| assert!(pool.outcome_timeout(LIMIT).unwrap().is_response()));
        drop(jobs);
        assert_eq!(pool.outcomes().count(), 0);
    });
}

#[test]
fn a_job_whose_time_comes_while_an_iterator_waits_is_begun_by_a_worker_that_has_nothing_to_do() {
    within(LIMIT, || {
        let farm = Farm::new();
        let server = Script::site(|_| ok("slowly"));
        let (jobs, queue) = channel();
        let pool = Pool::builder()
            .num_threads(3)
            .politeness_for(server.address().to_string(), Politeness::new().rate(2.0))
            .job_queue(iterator(queue))
            .build()
            .unwrap();
        let next = || pool.outcome_timeout(LIMIT / 2).expect("an outcome").index();
        (0..2).for_each(|_| jobs.send(farm.url("/gate/1")).unwrap());
        farm.wait_at_gate(2);
        jobs.send(server.url("/2")).unwrap();
        assert_eq!(next(), 2);
        farm.let_through(1);
        next();
        // One worker is at the gate, one in the iterator, one has nothing to do.
        jobs.send(server.url("/3")).unwrap();
        assert_eq!(next(), 3);
        farm.open_gate();
    });
}

#[test]
fn a_job_whose_time_comes_while_an_iterator_waits_and_all_others_are_busy_has_a_worker_of_its_own()
{
    within(LIMIT, || {
        let farm = Farm::new();
        let (jobs, queue) = channel();
        let pool = Pool::builder()
            .num_threads(3)
            .politeness(Politeness::new().rate(2.0))
            .job_queue(iterator(queue))
            .build()
            .unwrap();
        (0..2).for_each(|n| jobs.send(farm.url(&format!("/gate/{n}"))).unwrap());
        farm.wait_at_gate(2);
        farm.open_gate();
        drop(jobs);
        assert_eq!(pool.responses().count(), 2);
    });
}

/// Stops where the outcome of a job is told.
struct Stops {
    job: u64,
    told: Gate,
    go_on: Gate,
}

impl Observer for Stops {
    fn outcome(&self, job: &Observed<'_>, _: Result<&Response, &Error>) {
        if job.index() == Some(self.job) {
            self.told.open();
            self.go_on.wait();
        }
    }
}

#[test]
fn a_job_that_was_cancelled_before_it_began_has_its_outcome_also_if_it_is_told_last() {
    within(LIMIT, || {
        let (told, go_on, answer) = (Gate::new(), Gate::new(), Gate::new());
        let server = Script::new().request().wait(&answer).send(ok("0")).serve();
        let token = CancelToken::new();
        let jobs = vec![
            Request::get(server.url("/0")),
            Request::get(server.url("/1")).cancel_token(&token),
        ];
        let pool = Pool::builder()
            .num_threads(2)
            .politeness(Politeness::new().max_concurrent(1))
            .observer(Stops { job: 1, told: told.clone(), go_on: go_on.clone() })
            .job_queue(jobs)
            .build()
            .unwrap();
        while pool.stats().queued < 1 || pool.stats().in_flight < 1 {
            thread::yield_now();
        }
        thread::scope(|scope| {
            scope.spawn(|| token.cancel());
            assert!(told.wait());
            let stats = pool.stats();
            assert_eq!((stats.queued, stats.pulled, stats.unfinished()), (0, 2, 2), "{stats:?}");
            answer.open();
            assert!(pool.get_response().is_some());
            assert!(!pool.is_done(), "one is still to come");
            go_on.open();
            assert_eq!(pool.get_exception().expect("it was cancelled").index(), 1);
        });
        assert!(pool.is_done());
        assert_eq!(pool.stats().buffered, 0);
    });
}

/// Answers the first request with 503 and asks for a second of peace; the others are well.
fn busy_at_first() -> Server {
    let count = Arc::new(AtomicUsize::new(0));
    Script::site(move |_| match count.fetch_add(1, Ordering::Relaxed) {
        0 => reply("503 Busy", "Retry-After: 1\r\n", ""),
        _ => ok("well"),
    })
}

#[test]
fn drain_waits_for_no_reader_where_a_retry_finds_no_room_for_its_outcome() {
    within(LIMIT, || {
        let server = busy_at_first();
        let url = server.url("/");
        let pool = Pool::builder()
            .num_threads(1)
            .outcome_capacity(1)
            .retry(RetryPolicy::new(1))
            .job_queue(std::iter::repeat(url));
        let pool = pool.build().unwrap();
        while pool.stats().buffered < 2 {
            thread::yield_now();
        }
        assert_eq!(pool.stats().delayed, 1);
        assert!(pool.drain(LIMIT / 2));
        assert_eq!(pool.outcomes().count() as u64, pool.stats().pulled);
    });
}

#[test]
fn drain_waits_for_no_reader_where_a_retry_finds_no_memory() {
    within(LIMIT, || {
        let farm = Farm::new();
        let answer = Gate::new();
        let busy = reply("503 Busy", "", "");
        let server = Script::new().request().wait(&answer).send(busy).reply(ok("0")).serve();
        let pool = Pool::builder()
            .num_threads(2)
            .body_budget(1)
            .retry(RetryPolicy::new(1).backoff(Duration::ZERO, Duration::ZERO))
            .job_queue(std::iter::once(server.url("/")).chain(std::iter::repeat(farm.url("/ok/1"))))
            .build()
            .unwrap();
        server.wait_for_requests(1);
        while pool.stats().buffered < 1 {
            thread::yield_now();
        }
        answer.open();
        while pool.stats().delayed < 1 {
            thread::yield_now();
        }
        // It could start, if there were memory for its body. Time for the workers to find that out.
        let rest = pool.close();
        (0..10_000).for_each(|_| thread::yield_now());
        assert!(pool.drain(LIMIT / 2));
        assert_eq!(pool.outcomes().count() as u64, pool.stats().pulled);
        drop(rest);
    });
}

#[test]
fn drain_sees_the_time_of_a_job_run_out_that_has_come_to_wait_meanwhile() {
    within(LIMIT, || {
        let (answer, server) = (Gate::new(), Script::new().request());
        let server = server.wait(&answer).send(reply("503 Busy", "", "")).serve();
        let policy = RetryPolicy::new(1).backoff(Duration::ZERO, Duration::ZERO);
        let job = Request::get(server.url("/")).retry(policy).timeout(Duration::from_secs(1));
        let pool = Pool::builder()
            .num_threads(1)
            .politeness(Politeness::new().rate(0.001))
            .job_queue([job]);
        let pool = pool.build().unwrap();
        server.wait_for_requests(1);
        thread::scope(|scope| {
            let drained = scope.spawn(|| pool.drain(LIMIT / 2));
            (0..1000).for_each(|_| thread::yield_now());
            answer.open();
            assert!(drained.join().unwrap());
        });
        assert!(pool.get_exception().expect("no second try").is_timeout());
    });
}

#[test]
fn in_order_no_more_than_one_body_goes_beyond_the_budget_while_the_next_to_be_read_is_held_back() {
    within(LIMIT, || {
        let (slow, fast) = (Script::site(|_| ok("")), Script::site(|_| ok(vec![b'x'; 100_000])));
        let mut jobs = vec![slow.url("/0"), slow.url("/1")];
        jobs.extend((2..12).map(|n| fast.url(&format!("/{n}"))));
        let pool = Pool::builder()
            .num_threads(2)
            .ordered_window(12)
            .body_budget(150_000)
            .politeness_for(slow.address().to_string(), Politeness::new().rate(1.0))
            .job_queue(jobs)
            .build()
            .unwrap();
        let first: Vec<u64> = pool.responses().take(2).map(|response| response.index()).collect();
        assert_eq!(first, [0, 1]);
        // Each of two workers may be at one when the first is whole.
        assert!(fast.requests().len() <= 4, "{}", fast.requests().len());
        assert_eq!(pool.responses().count(), 10);
    });
}

#[test]
fn a_window_without_an_end_is_no_more_than_there_are_jobs() {
    within(LIMIT, || {
        let farm = Farm::new();
        let pool = Pool::builder()
            .num_threads(2)
            .look_ahead(usize::MAX)
            .waiting_capacity(usize::MAX)
            .outcome_capacity(usize::MAX)
            .job_queue(vec![farm.url("/ok/1"); 10])
            .build()
            .unwrap();
        assert_eq!(pool.responses().count(), 10);
    });
}

#[test]
fn who_tries_again_because_a_circuit_is_open_does_not_pass_by_it() {
    within(LIMIT, || {
        let server = Script::site(|_| reply("500 Down", "", ""));
        let policy = RetryPolicy::new(3)
            .backoff(Duration::ZERO, Duration::ZERO)
            .retry_kind(ErrorKind::CircuitOpen, true)
            .without_budget();
        let (_, mut exceptions) = Pool::builder()
            .num_threads(1)
            .politeness(Politeness::new().circuit_breaker(CircuitBreaker::new(1)))
            .map([Request::get(server.url("/")).retry(policy)]);
        let exception = exceptions.next().expect("no answer in the end");
        assert_eq!(exception.kind(), ErrorKind::CircuitOpen);
        assert_eq!(exception.attempts().len(), 3, "one try, and two of the three that were none");
        assert_eq!(server.requests().len(), 1, "the circuit was open from then on");
    });
}

#[test]
fn when_a_worker_is_given_up_in_connect_one_that_waits_begins_the_next_job_though_nobody_reads() {
    within(LIMIT, || {
        let (farm, dead) = (Farm::new(), Dead::new());
        let url = format!("http://{}/", dead.address());
        let token = CancelToken::new();
        let jobs = vec![
            Request::get(&url).cancel_token(&token).timeout(LIMIT * 2),
            Request::get(&url).timeout(Duration::from_millis(100)),
            Request::get(farm.url("/ok/1")),
            Request::get(farm.url("/ok/2")),
        ];
        let connecting = Gate::new();
        let pool = Pool::builder()
            .num_threads(3)
            .politeness(Politeness::new().max_concurrent(1))
            .observer(Dialled { host: dead.address().to_string(), reached: connecting.clone() })
            .job_queue(jobs)
            .build()
            .unwrap();
        assert!(connecting.wait());
        while pool.stats().responses < 2 {
            thread::yield_now();
        }
        token.cancel();
        while !pool.is_done() {
            thread::yield_now();
        }
        assert_eq!(pool.stats().failed, 2);
    });
}

/// Tells when a request for a host goes out.
struct Dialled {
    host: String,
    reached: Gate,
}

impl Observer for Dialled {
    fn attempt(&self, _: &Observed<'_>, url: &str, _: u32) {
        if url.contains(&self.host) {
            self.reached.open();
        }
    }
}
