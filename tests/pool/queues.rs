//! Where jobs come from: lists, iterators, channels; one at a time, as workers come free.

use std::iter;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use fetchpool::{ErrorKind, Pool, Request};

use crate::farm::{Farm, within};

/// The usual patience for a batch that must end.
const LIMIT: Duration = Duration::from_secs(10);

/// How long a test listens for what must not happen.
const WHILE: Duration = Duration::from_millis(150);

#[test]
fn a_vec_is_a_queue() {
    let farm = Farm::new();
    let jobs: Vec<String> = (0..30).map(|n| farm.url(&format!("/ok/{n}"))).collect();
    let pool = Pool::builder().num_threads(3).job_queue(jobs).build().unwrap();
    assert_eq!(within(LIMIT, move || pool.responses().count()), 30);
}

#[test]
fn an_iterator_is_a_queue() {
    let farm = Farm::new();
    let base = farm.url("/ok");
    let jobs = (0..30).filter(|n| n % 2 == 1).map(move |n| Request::get(format!("{base}/{n}")));
    let pool = Pool::builder().num_threads(3).job_queue(jobs).build().unwrap();
    let mut bodies: Vec<u32> = within(LIMIT, move || {
        pool.responses().map(|response| response.text().parse().unwrap()).collect()
    });
    bodies.sort_unstable();
    assert_eq!(bodies, (1..30).step_by(2).collect::<Vec<_>>());
}

#[test]
fn a_receiver_is_a_queue() {
    let farm = Farm::new();
    let (jobs, queue) = mpsc::channel();
    for n in 0..30 {
        jobs.send(Request::get(farm.url(&format!("/ok/{n}")))).unwrap();
    }
    drop(jobs);
    let pool = Pool::builder().num_threads(3).job_queue(queue).build().unwrap();
    assert_eq!(within(LIMIT, move || pool.responses().count()), 30);
}

#[test]
fn a_queue_may_have_no_end() {
    let farm = Farm::new();
    let base = farm.url("/ok");
    let jobs = (0_u64..).map(move |n| format!("{base}/{n}"));
    let pool = Pool::builder().num_threads(4).job_queue(jobs).build().unwrap();
    let indexes: Vec<u64> = within(LIMIT, move || {
        let first = pool.responses().take(50).map(|response| response.index()).collect();
        drop(pool);
        first
    });
    assert_eq!(indexes.len(), 50);
}

#[test]
fn a_queue_that_is_empty_from_the_start_ends_at_once() {
    let none: Vec<Request> = Vec::new();
    let (jobs, closed) = mpsc::channel::<Request>();
    drop(jobs);
    let pools = [
        Pool::builder().num_threads(4).build().unwrap(),
        Pool::builder().num_threads(4).job_queue(none).build().unwrap(),
        Pool::builder().num_threads(4).job_queue(closed).build().unwrap(),
    ];
    within(LIMIT, move || {
        for pool in pools {
            assert_eq!(pool.responses().count(), 0);
            assert_eq!(pool.exceptions().count(), 0);
            assert!(pool.get_response().is_none());
            assert!(pool.get_exception().is_none());
            pool.join_all();
        }
    });
}

#[test]
fn responses_come_while_the_producer_is_still_sending() {
    let farm = Farm::new();
    let (jobs, queue) = mpsc::channel();
    let pool = Pool::builder().num_threads(2).job_queue(queue).build().unwrap();
    let (report, reports) = mpsc::channel();
    let reader = thread::spawn(move || {
        for response in pool.responses() {
            report.send(response.text().into_owned()).unwrap();
        }
        report.send("the end".into()).unwrap();
    });
    // Each job is sent only after the answer to the one before it was read.
    for n in 0..5 {
        jobs.send(Request::get(farm.url(&format!("/ok/{n}")))).unwrap();
        assert_eq!(reports.recv_timeout(LIMIT).unwrap(), n.to_string());
    }
    // The queue is empty and still open: no end yet.
    assert_eq!(reports.recv_timeout(WHILE), Err(RecvTimeoutError::Timeout));
    drop(jobs);
    assert_eq!(reports.recv_timeout(LIMIT).unwrap(), "the end");
    reader.join().unwrap();
}

#[test]
fn a_queue_is_open_until_its_last_sender_is_dropped() {
    let farm = Farm::new();
    let (jobs, queue) = mpsc::channel();
    let pool = Pool::builder().num_threads(3).job_queue(queue).build().unwrap();
    let producers: Vec<_> = (0..4)
        .map(|producer| {
            let (jobs, url) = (jobs.clone(), farm.url("/ok"));
            thread::spawn(move || {
                for n in 0..25 {
                    jobs.send(Request::get(format!("{url}/{producer}-{n}"))).unwrap();
                }
            })
        })
        .collect();
    drop(jobs);
    assert_eq!(within(LIMIT, move || pool.responses().count()), 100);
    for producer in producers {
        producer.join().unwrap();
    }
}

#[test]
fn a_bounded_channel_is_emptied_as_workers_come_free() {
    let farm = Farm::new();
    let (jobs, queue) = mpsc::sync_channel(1);
    let pool = Pool::builder().num_threads(2).job_queue(queue).build().unwrap();
    let base = farm.url("/ok");
    let producer = thread::spawn(move || {
        for n in 0..200 {
            jobs.send(Request::get(format!("{base}/{n}"))).unwrap();
        }
    });
    assert_eq!(within(LIMIT, move || pool.outcomes().count()), 200);
    producer.join().unwrap();
}

#[test]
fn jobs_are_pulled_as_workers_come_free() {
    let farm = Farm::new();
    let (pulled, pulls) = counting();
    let base = farm.url("/gate");
    let jobs = (0..20).map(move |n| {
        pulled.send(n).unwrap();
        format!("{base}/{n}")
    });
    let pool = Pool::builder().num_threads(2).look_ahead(1).job_queue(jobs).build().unwrap();
    farm.wait_at_gate(2);
    let mut count = heard(&pulls, 20);
    assert!((2..=3).contains(&count), "{count} pulled by two threads that wait");
    farm.let_through(3);
    farm.wait_at_gate(5);
    count += heard(&pulls, 20);
    assert!((5..=6).contains(&count), "{count} pulled after three answers");
    farm.open_gate();
    assert_eq!(within(LIMIT, move || pool.responses().count()), 20);
}

#[test]
fn no_more_is_looked_at_than_the_window_and_what_was_not_begun_is_handed_back() {
    let farm = Farm::new();
    let (pulled, pulls) = counting();
    let base = farm.url("/gate");
    let jobs = (0..500).map(move |n| {
        let _ = pulled.send(n);
        format!("{base}/{n}")
    });
    let pool = Pool::builder().num_threads(2).look_ahead(8).job_queue(jobs).build().unwrap();
    farm.wait_at_gate(2);
    // Under load the iterator may seem slow; then less is looked at.
    let ahead = heard(&pulls, 500);
    assert!((2..=2 + 12 + 1).contains(&ahead), "{ahead} pulled by two threads that look at 8");
    let stats = pool.stats();
    assert_eq!((stats.pulled, stats.in_flight), (2, 2), "{stats:?}");
    assert!(stats.queued <= 12, "{stats:?}");
    let left = pool.close();
    farm.open_gate();
    let (left, done) = within(LIMIT, move || (left.count(), pool.responses().count()));
    assert_eq!((left, done), (498, 2));
}

#[test]
fn workers_stop_pulling_when_nobody_reads() {
    const THREADS: usize = 2;
    const CAPACITY: usize = 4;
    // In the queue, in the hands of the workers, and one that is pulled ahead.
    const AT_MOST: usize = CAPACITY + THREADS + 1;
    let farm = Farm::new();
    let (pulled, pulls) = counting();
    let base = farm.url("/ok");
    let jobs = (0..).map(move |n| {
        // The test may be over, the pool not yet.
        let _ = pulled.send(n);
        format!("{base}/{n}")
    });
    let pool = Pool::builder()
        .num_threads(THREADS)
        .outcome_capacity(CAPACITY)
        .job_queue(jobs)
        .build()
        .unwrap();
    let mut count = heard(&pulls, 1000);
    assert!((CAPACITY..=AT_MOST).contains(&count), "{count} pulled, none read");
    let read = pool.outcomes().take(10).count();
    count += heard(&pulls, 1000);
    assert!((read + CAPACITY..=read + AT_MOST).contains(&count), "{count} pulled, {read} read");
    within(LIMIT, move || drop(pool));
}

#[test]
fn an_iterator_that_panics_is_an_outcome_and_loses_nothing() {
    let farm = Farm::new();
    let base = farm.url("/ok");
    let jobs = (0..10).map(move |n| {
        assert_ne!(n, 5, "the queue fell over");
        format!("{base}/{n}")
    });
    let pool = Pool::builder().num_threads(3).job_queue(jobs).build().unwrap();
    let (responses, exceptions) = within(LIMIT, move || {
        let exceptions: Vec<_> = pool.exceptions().collect();
        (pool.responses().collect::<Vec<_>>(), exceptions)
    });
    assert_eq!(exceptions.len(), 1);
    assert_eq!(exceptions[0].kind(), ErrorKind::Panic);
    assert!(exceptions[0].message().contains("the queue fell over"), "{}", exceptions[0].message());
    let mut bodies: Vec<u32> =
        responses.iter().map(|response| response.text().parse().unwrap()).collect();
    bodies.sort_unstable();
    assert_eq!(bodies[..5], [0, 1, 2, 3, 4], "what was pulled before it is answered");
}

#[test]
fn an_iterator_that_always_panics_does_not_hang_the_pool() {
    let jobs = iter::from_fn(|| -> Option<Request> { panic!("never any") });
    let pool = Pool::builder().num_threads(3).job_queue(jobs).build().unwrap();
    let kind = within(LIMIT, move || {
        let first = pool.get_exception().unwrap();
        drop(pool);
        first.kind()
    });
    assert_eq!(kind, ErrorKind::Panic);
}

#[test]
fn a_job_that_panics_on_its_way_to_a_request_is_an_outcome() {
    struct Page(u32, String);
    impl From<Page> for Request {
        fn from(Page(number, base): Page) -> Self {
            assert_ne!(number, 3, "page three has no address");
            Self::get(format!("{base}/{number}"))
        }
    }
    let farm = Farm::new();
    let jobs: Vec<Page> = (0..10).map(|n| Page(n, farm.url("/ok"))).collect();
    let pool = Pool::builder().num_threads(2).job_queue(jobs).build().unwrap();
    let (responses, exceptions) = within(LIMIT, move || {
        let responses: Vec<_> = pool.responses().collect();
        (responses, pool.exceptions().collect::<Vec<_>>())
    });
    assert_eq!(exceptions.len(), 1);
    assert_eq!(exceptions[0].kind(), ErrorKind::Panic);
    assert_eq!(responses.len(), 9, "the others are not its fault");
}

#[test]
fn an_iterator_may_be_wrong_about_its_length() {
    /// Says what it likes about its length.
    struct Liar(std::vec::IntoIter<String>, (usize, Option<usize>));
    impl Iterator for Liar {
        type Item = String;
        fn next(&mut self) -> Option<String> {
            self.0.next()
        }
        fn size_hint(&self) -> (usize, Option<usize>) {
            self.1
        }
    }
    let farm = Farm::new();
    for hint in [(0, Some(0)), (0, Some(1)), (0, None), (usize::MAX, None), (100, Some(50))] {
        let urls: Vec<String> = (0..10).map(|n| farm.url(&format!("/ok/{n}"))).collect();
        let liar = Liar(urls.into_iter(), hint);
        let pool = Pool::builder().num_threads(2).job_queue(liar).build().unwrap();
        let count = within(LIMIT, move || pool.responses().count());
        assert_eq!(count, 10, "for the hint {hint:?}");
    }
}

#[test]
fn an_iterator_is_not_asked_again_after_its_end() {
    let farm = Farm::new();
    let url = farm.url("/ok/1");
    let ends = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&ends);
    let mut left = 10;
    let jobs = iter::from_fn(move || {
        if left == 0 {
            seen.fetch_add(1, Ordering::SeqCst);
            return None;
        }
        left -= 1;
        Some(url.clone())
    });
    let pool = Pool::builder().num_threads(8).job_queue(jobs).build().unwrap();
    assert_eq!(within(LIMIT, move || pool.responses().count()), 10);
    assert_eq!(ends.load(Ordering::SeqCst), 1);
}

#[test]
fn an_iterator_that_waits_holds_up_no_running_job() {
    let farm = Farm::new();
    let (jobs, queue) = mpsc::channel::<String>();
    // An iterator that blocks, such as lines of a pipe.
    let queue = Mutex::new(queue);
    let lines = iter::from_fn(move || queue.lock().unwrap().recv().ok());
    let pool = Pool::builder().num_threads(3).job_queue(lines).build().unwrap();
    for n in 0..6 {
        jobs.send(farm.url(&format!("/ok/{n}"))).unwrap();
    }
    let pool = within(LIMIT, move || {
        for _ in 0..6 {
            assert!(pool.get_response().is_some());
        }
        pool
    });
    drop(jobs);
    assert!(within(LIMIT, move || pool.get_response()).is_none());
}

#[test]
fn what_an_iterator_takes_for_a_job_is_no_part_of_the_time_that_the_job_was_queued() {
    let farm = Farm::new();
    let (url, given) = (farm.url("/ok/1"), Arc::new(Mutex::new(None)));
    let at = Arc::clone(&given);
    let slow = iter::once_with(move || {
        thread::sleep(WHILE);
        *at.lock().unwrap() = Some(Instant::now());
        url
    });
    let pool = Pool::builder().num_threads(1).job_queue(slow).build().unwrap();
    let response = within(LIMIT, move || pool.get_response()).unwrap();
    let since = given.lock().unwrap().unwrap().elapsed();
    assert!(response.timings().queued <= since, "{:?}", response.timings());
}

/// For an iterator to tell of each job that is pulled from it.
fn counting() -> (mpsc::Sender<u32>, mpsc::Receiver<u32>) {
    mpsc::channel()
}

/// How many pulls are heard until none comes for a while; at most `limit`.
fn heard(pulls: &mpsc::Receiver<u32>, limit: usize) -> usize {
    iter::from_fn(|| pulls.recv_timeout(WHILE).ok()).take(limit).count()
}

#[test]
fn what_an_iterator_takes_to_tell_its_length_is_no_jobs_time() {
    const LONG: Duration = Duration::from_millis(400);
    struct Slow(std::vec::IntoIter<Request>);
    impl Iterator for Slow {
        type Item = Request;

        fn next(&mut self) -> Option<Request> {
            self.0.next()
        }

        fn size_hint(&self) -> (usize, Option<usize>) {
            thread::sleep(LONG);
            self.0.size_hint()
        }
    }
    let farm = Farm::new();
    let jobs: Vec<_> =
        (0..3).map(|n| Request::get(farm.url(&format!("/ok/{n}"))).timeout(LONG / 2)).collect();
    let pool = Pool::builder().num_threads(1).job_queue(Slow(jobs.into_iter())).build().unwrap();
    let kinds = within(LIMIT, move || pool.exceptions().map(|e| e.kind()).collect::<Vec<_>>());
    assert!(kinds.is_empty(), "{kinds:?}");
}
