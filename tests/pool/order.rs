//! Outcomes in the order of the input, through a window (P5).

use std::iter;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use fetchpool::{
    CancelToken, Clock, ErrorKind, Observed, Observer, OnError, Outcome, Pool, Request,
    RetryPolicy, SessionConfig,
};

use crate::farm::{Farm, timed, within};
use crate::standstill::Standstill;

/// The usual patience for a batch that must end.
const LIMIT: Duration = Duration::from_secs(10);

/// How long a test listens for what must not happen.
const WHILE: Duration = Duration::from_millis(150);

#[test]
fn responses_come_in_the_order_of_the_input() {
    let farm = Farm::new();
    let pool = Pool::builder().num_threads(8).ordered().job_queue(late_first(&farm, 30));
    let pool = pool.build().unwrap();
    let indexes = within(LIMIT, move || pool.responses().map(|r| r.index()).collect::<Vec<_>>());
    assert_eq!(indexes, (0..30).filter(|n| n % 3 != 2).collect::<Vec<_>>());
}

#[test]
fn exceptions_come_in_the_order_of_the_input() {
    let farm = Farm::new();
    let pool = Pool::builder().num_threads(8).ordered().job_queue(late_first(&farm, 30));
    let pool = pool.build().unwrap();
    let indexes = within(LIMIT, move || pool.exceptions().map(|e| e.index()).collect::<Vec<_>>());
    assert_eq!(indexes, (0..30).filter(|n| n % 3 == 2).collect::<Vec<_>>());
}

#[test]
fn outcomes_come_in_the_order_of_the_input_whatever_the_window() {
    let farm = Farm::new();
    for (threads, window) in [(1, 1), (1, 5), (8, 1), (8, 2), (8, 8), (8, 11), (3, 100)] {
        let pool = Pool::builder().num_threads(threads).ordered_window(window);
        let pool = pool.job_queue(late_first(&farm, 24)).build().unwrap();
        let outcomes: Vec<Outcome> = within(LIMIT, move || pool.outcomes().collect());
        assert_eq!(indexes(&outcomes), (0..24).collect::<Vec<_>>(), "{threads}, {window}");
        for outcome in outcomes {
            assert_eq!(outcome.tag::<u64>(), Some(&outcome.index()));
            assert_eq!(outcome.is_response(), outcome.index() % 3 != 2);
            if let Outcome::Response(response) = outcome {
                assert_eq!(response.text(), response.index().to_string());
            }
        }
    }
}

#[test]
fn views_that_are_mixed_each_keep_the_order() {
    let farm = Farm::new();
    for window in [1, 3, 32] {
        let pool = Pool::builder().num_threads(4).ordered_window(window);
        let pool = pool.job_queue(late_first(&farm, 60)).build().unwrap();
        let (good, bad, rest) = within(LIMIT, move || {
            let (mut good, mut bad) = (Vec::new(), Vec::new());
            for _ in 0..4 {
                good.extend(pool.responses().take(2).map(|response| response.index()));
                bad.extend(pool.exceptions().take(2).map(|exception| exception.index()));
                good.push(pool.get_response().unwrap().index());
                bad.push(pool.get_exception().unwrap().index());
            }
            (good, bad, indexes(&pool.outcomes().collect::<Vec<_>>()))
        });
        assert_eq!(good, (0..60).filter(|n| n % 3 != 2).take(12).collect::<Vec<_>>());
        assert_eq!(bad, (0..60).filter(|n| n % 3 == 2).take(12).collect::<Vec<_>>());
        let read = |n: &u64| good.contains(n) || bad.contains(n);
        assert_eq!(rest, (0..60).filter(|n| !read(n)).collect::<Vec<_>>());
    }
}

#[test]
fn one_view_after_the_other_ends_whatever_the_window() {
    let farm = Farm::new();
    for (window, good_first) in [(1, true), (1, false), (4, true), (4, false)] {
        let url = farm.url("/ok");
        let jobs = (0..200).map(move |n| match n % 2 {
            0 => format!("{url}/{n}"),
            _ => format!("no URL {n}"),
        });
        let pool = Pool::builder().num_threads(4).ordered_window(window).job_queue(jobs);
        let pool = pool.build().unwrap();
        let (good, bad) = within(LIMIT, move || {
            let good = || pool.responses().map(|response| response.index()).collect::<Vec<_>>();
            let bad = || pool.exceptions().map(|exception| exception.index()).collect::<Vec<_>>();
            if good_first {
                let good = good();
                (good, bad())
            } else {
                let bad = bad();
                (good(), bad)
            }
        });
        assert_eq!(good, (0..200).step_by(2).collect::<Vec<u64>>());
        assert_eq!(bad, (1..200).step_by(2).collect::<Vec<u64>>());
    }
}

#[test]
fn two_threads_that_read_two_views_each_see_the_order() {
    let farm = Farm::new();
    let pool = Pool::builder().num_threads(4).ordered_window(5).job_queue(late_first(&farm, 90));
    let pool = pool.build().unwrap();
    let (good, bad) = within(LIMIT, move || {
        thread::scope(|scope| {
            let good = scope.spawn(|| pool.responses().map(|r| r.index()).collect::<Vec<_>>());
            let bad = scope.spawn(|| pool.exceptions().map(|e| e.index()).collect::<Vec<_>>());
            (good.join().unwrap(), bad.join().unwrap())
        })
    });
    assert_eq!(good, (0..90).filter(|n| n % 3 != 2).collect::<Vec<_>>());
    assert_eq!(bad, (0..90).filter(|n| n % 3 == 2).collect::<Vec<_>>());
}

#[test]
fn two_threads_that_share_a_view_each_see_the_order() {
    let farm = Farm::new();
    let pool = Pool::builder().num_threads(4).ordered().job_queue(late_first(&farm, 90));
    let pool = pool.build().unwrap();
    let (one, two) = within(LIMIT, move || {
        thread::scope(|scope| {
            let one = scope.spawn(|| indexes(&pool.outcomes().collect::<Vec<_>>()));
            let two = scope.spawn(|| indexes(&pool.outcomes().collect::<Vec<_>>()));
            (one.join().unwrap(), two.join().unwrap())
        })
    });
    assert!(one.is_sorted() && two.is_sorted(), "{one:?} {two:?}");
    let mut all = [one, two].concat();
    all.sort_unstable();
    assert_eq!(all, (0..90).collect::<Vec<_>>());
}

#[test]
fn behind_a_slow_first_job_no_more_than_four_jobs_for_each_thread_are_taken() {
    slow_first(3, None, 12);
}

#[test]
fn behind_a_slow_first_job_no_more_than_the_window_is_taken() {
    slow_first(2, Some(7), 7);
    slow_first(2, Some(2), 2);
}

#[test]
fn a_window_smaller_than_the_number_of_threads_leaves_threads_idle() {
    slow_first(8, Some(3), 3);
}

#[test]
fn a_window_of_one_takes_one_job_at_a_time() {
    slow_first(4, Some(1), 1);
}

#[test]
fn where_the_order_is_kept_the_window_counts_and_not_the_outcome_capacity() {
    let farm = Farm::new();
    for (window, capacity) in [(9, 1), (2, 50)] {
        let (jobs, pulls) = counted(endless(&farm));
        let pool = Pool::builder().num_threads(2).outcome_capacity(capacity);
        let pool = pool.ordered_window(window).job_queue(jobs).build().unwrap();
        pulls.are(window);
        within(LIMIT, move || drop(pool));
    }
}

#[test]
fn what_is_taken_and_not_read_never_exceeds_the_window() {
    let farm = Farm::new();
    let (jobs, pulls) = counted(endless(&farm).enumerate().map(|(n, good)| match n % 5 {
        4 => Request::get("no URL"),
        _ => good,
    }));
    let pool = Pool::builder().num_threads(4).ordered_window(6).job_queue(jobs).build().unwrap();
    within(LIMIT, move || {
        let mut pulled = 0;
        for (read, outcome) in (1..=300).zip(pool.outcomes()) {
            assert_eq!(outcome.index(), read - 1);
            pulled += pulls.0.try_iter().count() as u64;
            assert!(pulled <= read + 6, "{pulled} taken, {read} read");
        }
    });
}

/// With the first job slow, exactly `expected` jobs are taken, and no thread does more.
#[track_caller]
fn slow_first(threads: usize, window: Option<usize>, expected: usize) {
    let farm = Farm::new();
    let first = Request::get(farm.url("/gate/0"));
    let (jobs, pulls) = counted(iter::once(first).chain(endless(&farm).skip(1)).take(60));
    let pool = Pool::builder().num_threads(threads);
    let pool = match window {
        None => pool.ordered(),
        Some(window) => pool.ordered_window(window),
    };
    let pool = pool.job_queue(jobs).build().unwrap();
    farm.wait_at_gate(1);
    pulls.are(expected);
    let (stats, pool) = within(LIMIT, move || {
        while pool.stats().in_flight > 1 {
            thread::yield_now();
        }
        (pool.stats(), pool)
    });
    assert_eq!((stats.pulled, stats.buffered), (expected as u64, expected as u64 - 1));
    farm.open_gate();
    let outcomes: Vec<Outcome> = within(LIMIT, move || pool.outcomes().collect());
    assert_eq!(indexes(&outcomes), (0..60).collect::<Vec<_>>());
    assert!(outcomes.iter().all(Outcome::is_response));
}

#[test]
fn a_retry_that_is_parked_keeps_its_place() {
    let farm = Farm::new();
    let first = Request::get(farm.url("/series/first/503,200?retry-after=1"));
    let (jobs, pulls) = counted(iter::once(first).chain(endless(&farm).skip(1)).take(20));
    let pool = Pool::builder().num_threads(2).ordered_window(5).retry(RetryPolicy::new(1));
    let pool = pool.job_queue(jobs).build().unwrap();
    let (outcomes, took) = timed(|| {
        pulls.are(5);
        assert_eq!(pool.stats().delayed, 1);
        within(LIMIT, move || pool.outcomes().collect::<Vec<_>>())
    });
    assert!(took >= Duration::from_secs(1), "{took:?}");
    assert_eq!(indexes(&outcomes), (0..20).collect::<Vec<_>>());
    assert_eq!(farm.requests(), 21);
}

#[test]
fn a_job_that_is_cancelled_keeps_its_place_and_lets_the_others_come() {
    let farm = Farm::new();
    let token = CancelToken::new();
    let first = Request::get(farm.url("/gate/0")).cancel_token(&token);
    let (jobs, pulls) = counted(iter::once(first).chain(endless(&farm).skip(1)).take(20));
    let pool = Pool::builder().num_threads(2).ordered_window(4).job_queue(jobs).build().unwrap();
    farm.wait_at_gate(1);
    pulls.are(4);
    token.cancel();
    let outcomes: Vec<Outcome> = within(LIMIT, move || pool.outcomes().collect());
    assert_eq!(indexes(&outcomes), (0..20).collect::<Vec<_>>());
    let cancelled = |outcome: Outcome| outcome.result().is_err_and(|error| error.is_cancelled());
    let cancelled: Vec<bool> = outcomes.into_iter().map(cancelled).collect();
    assert_eq!(cancelled.iter().position(|&is| is), Some(0));
    assert!(!cancelled[1..].contains(&true));
}

#[test]
fn a_job_that_was_given_up_while_connecting_keeps_its_place() {
    let place = Standstill::connect();
    let farm = Farm::new();
    let token = CancelToken::new();
    let first = place.request().cancel_token(&token);
    let (jobs, pulls) = counted(iter::once(first).chain(endless(&farm).skip(1)).take(20));
    let pool = place.pool().num_threads(2).ordered_window(5).job_queue(jobs).build().unwrap();
    pulls.are(5);
    place.wait_for(0, &[0]);
    token.cancel();
    let outcomes: Vec<Outcome> = within(LIMIT, move || pool.outcomes().collect());
    assert_eq!(indexes(&outcomes), (0..20).collect::<Vec<_>>());
    assert_eq!(kinds(outcomes), [(0, ErrorKind::Cancelled)]);
}

#[test]
fn a_panic_keeps_its_place() {
    struct Page(u64, String);
    impl From<Page> for Request {
        fn from(Page(number, url): Page) -> Self {
            assert_ne!(number, 4, "page four has no address");
            Self::get(url).tag(number)
        }
    }
    struct Afraid;
    impl Observer for Afraid {
        fn attempt(&self, job: &Observed<'_>, _: &str, _: u32) {
            assert_ne!(job.index(), Some(9), "nine is too much");
        }
    }
    let farm = Farm::new();
    let base = farm.url("/delay");
    let jobs = (0..20).map(move |n| {
        assert_ne!(n, 13, "the queue fell over");
        Page(n, format!("{base}/{}/{n}", 20 - n))
    });
    let pool = Pool::builder().num_threads(4).ordered().observer(Afraid).job_queue(jobs);
    let pool = pool.build().unwrap();
    let outcomes: Vec<Outcome> = within(LIMIT, move || pool.outcomes().collect());
    let seen = indexes(&outcomes);
    assert_eq!(seen, (0..seen.len() as u64).collect::<Vec<_>>(), "no gap and no double");
    let panics: Vec<u64> = outcomes
        .into_iter()
        .filter_map(|outcome| {
            let index = outcome.index();
            let error = outcome.result().err()?;
            assert_eq!(error.kind(), ErrorKind::Panic, "{index}: {error}");
            Some(index)
        })
        .collect();
    assert_eq!(panics, [4, 9, 13]);
}

#[test]
fn an_initializer_that_fails_keeps_the_order() {
    let pool = Pool::builder()
        .num_threads(3)
        .ordered_window(2)
        .initializer(|_: &mut SessionConfig| Err("not today"))
        .job_queue((0..30_u64).map(|n| Request::get("http://a.test/").tag(n)))
        .build()
        .unwrap();
    let outcomes: Vec<Outcome> = within(LIMIT, move || pool.outcomes().collect());
    assert_eq!(indexes(&outcomes), (0..30).collect::<Vec<_>>());
    assert!(outcomes.iter().all(|outcome| outcome.tag::<u64>() == Some(&outcome.index())));
}

#[test]
fn a_cancel_gives_what_was_taken_in_order() {
    let (farm, pool) = first_at_gate(|builder| builder.ordered_window(6));
    let outcomes: Vec<Outcome> = within(LIMIT, move || {
        pool.cancel();
        pool.outcomes().collect()
    });
    assert_eq!(indexes(&outcomes), (0..6).collect::<Vec<_>>());
    assert_eq!(kinds(outcomes), [(0, ErrorKind::Cancelled)]);
    drop(farm);
}

#[test]
fn a_close_gives_what_was_taken_in_order() {
    let (farm, pool) = first_at_gate(|builder| builder.ordered_window(6));
    let (left, outcomes) = within(LIMIT, move || {
        let left = pool.close().count();
        farm.open_gate();
        (left, pool.outcomes().collect::<Vec<_>>())
    });
    assert_eq!(left, 14);
    assert_eq!(indexes(&outcomes), (0..6).collect::<Vec<_>>());
    assert_eq!(kinds(outcomes), []);
}

#[test]
fn a_deadline_gives_what_was_taken_in_order() {
    let deadline = Duration::from_secs(1);
    let (farm, pool) = first_at_gate(|builder| builder.ordered_window(6).deadline(deadline));
    let outcomes: Vec<Outcome> = within(LIMIT, move || pool.outcomes().collect());
    assert_eq!(indexes(&outcomes), (0..6).collect::<Vec<_>>());
    let Some(Outcome::Exception(first)) = outcomes.first() else { panic!("{outcomes:?}") };
    assert_eq!(first.clock(), Some(Clock::Deadline));
    assert_eq!(kinds(outcomes), [(0, ErrorKind::Timeout)]);
    drop(farm);
}

#[test]
fn a_stop_gives_what_was_taken_in_order() {
    let farm = Farm::new();
    let jobs = [farm.url("/gate/0"), farm.url("/ok/1"), "no URL".into(), farm.url("/ok/3")];
    let pool = Pool::builder().num_threads(2).ordered().on_error(OnError::Stop);
    // One of the threads is held by the first job, so the other does the rest one by one.
    let pool = pool.job_queue(jobs).build().unwrap();
    let outcomes: Vec<Outcome> = within(LIMIT, move || pool.outcomes().collect());
    assert_eq!(indexes(&outcomes), [0, 1, 2]);
    assert_eq!(kinds(outcomes), [(0, ErrorKind::Cancelled), (2, ErrorKind::InvalidUrl)]);
}

#[test]
fn a_window_of_nothing_is_an_error_when_the_pool_is_built() {
    let error = Pool::builder().ordered_window(0).job_queue(["http://a.test/"]).build();
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert!(error.message().contains("window"), "{}", error.message());
    // And one exception for each job, where there is nobody to give an error to.
    let (_, exceptions) = Pool::builder().ordered_window(0).map(["http://a.test/", "no URL"]);
    assert!(
        exceptions
            .map(|e| (e.index(), e.kind()))
            .eq([(0, ErrorKind::InvalidRequest), (1, ErrorKind::InvalidRequest)])
    );
}

#[test]
fn a_window_beyond_all_bounds_is_no_window() {
    let farm = Farm::new();
    let pool = Pool::builder().num_threads(2).ordered_window(usize::MAX);
    let pool = pool.job_queue(late_first(&farm, 12)).build().unwrap();
    let outcomes: Vec<Outcome> = within(LIMIT, move || pool.outcomes().collect());
    assert_eq!(indexes(&outcomes), (0..12).collect::<Vec<_>>());
}

#[test]
fn without_being_asked_outcomes_come_as_they_finish() {
    let farm = Farm::new();
    let jobs: Vec<Request> = (0..8_u64)
        .map(|n| match n {
            0 => Request::get(farm.url("/gate/0")),
            3 => Request::get("no URL"),
            _ => Request::get(farm.url(&format!("/ok/{n}"))),
        })
        .zip(0_u64..)
        .map(|(request, n)| request.tag(n))
        .collect();
    let pool = Pool::builder().num_threads(2).job_queue(jobs).build().unwrap();
    let outcomes: Vec<Outcome> = within(LIMIT, move || {
        let mut outcomes: Vec<Outcome> = pool.outcomes().take(7).collect();
        farm.open_gate();
        outcomes.extend(pool.outcomes());
        outcomes
    });
    assert_eq!(indexes(&outcomes), [1, 2, 3, 4, 5, 6, 7, 0]);
    assert!(outcomes.iter().all(|outcome| outcome.tag::<u64>() == Some(&outcome.index())));
}

#[test]
fn map_is_in_order_whatever_else_is_set() {
    let farm = Farm::new();
    for window in [1, 5] {
        let jobs: Vec<Request> = late_first(&farm, 24).collect();
        let (responses, exceptions) =
            within(LIMIT, move || Pool::builder().num_threads(8).ordered_window(window).map(jobs));
        let good: Vec<u64> = responses.map(|response| response.index()).collect();
        let bad: Vec<u64> = exceptions.map(|exception| exception.index()).collect();
        assert_eq!(good, (0..24).filter(|n| n % 3 != 2).collect::<Vec<_>>());
        assert_eq!(bad, (0..24).filter(|n| n % 3 == 2).collect::<Vec<_>>());
    }
}

#[test]
fn dropping_while_the_first_job_is_slow() {
    let (farm, pool) = first_at_gate(|builder| builder.ordered_window(6));
    within(LIMIT, move || drop(pool));
    drop(farm);
}

/// So many jobs, of which each third is a bad one, and the earlier of three takes the longer.
fn late_first(farm: &Farm, jobs: u64) -> impl Iterator<Item = Request> + Send + use<> {
    let url = farm.url("/delay");
    let job = move |n| match n % 3 {
        2 => Request::get(format!("no URL {n}")),
        _ => Request::get(format!("{url}/{}/{n}", 10 - 5 * (n % 3))),
    };
    (0..jobs).map(move |n| job(n).tag(n))
}

/// Quick jobs without end.
fn endless(farm: &Farm) -> impl Iterator<Item = Request> + Send + use<> {
    let url = farm.url("/ok");
    (0_u64..).map(move |n| Request::get(format!("{url}/{n}")).tag(n))
}

/// A pool of two threads with twenty jobs, of which the first stands before the gate and five more
/// are done.
fn first_at_gate(
    settings: impl FnOnce(fetchpool::PoolBuilder) -> fetchpool::PoolBuilder,
) -> (Farm, Pool) {
    let farm = Farm::new();
    let first = Request::get(farm.url("/gate/0"));
    let jobs: Vec<Request> = iter::once(first).chain(endless(&farm).skip(1)).take(20).collect();
    let pool = settings(Pool::builder().num_threads(2)).job_queue(jobs).build().unwrap();
    farm.wait_at_gate(1);
    let pool = within(LIMIT, move || {
        while pool.stats().buffered < 5 {
            thread::yield_now();
        }
        pool
    });
    (farm, pool)
}

fn indexes(outcomes: &[Outcome]) -> Vec<u64> {
    outcomes.iter().map(Outcome::index).collect()
}

/// What went wrong, and where.
fn kinds(outcomes: Vec<Outcome>) -> Vec<(u64, ErrorKind)> {
    let kind = |outcome: Outcome| {
        let index = outcome.index();
        Some((index, outcome.result().err()?.kind()))
    };
    outcomes.into_iter().filter_map(kind).collect()
}

/// Hears of each job that is taken.
struct Pulls(Receiver<()>);

impl Pulls {
    /// Waits until so many more are taken, and listens a while that it stays with them.
    #[track_caller]
    fn are(&self, expected: usize) {
        for count in 0..expected {
            assert_eq!(self.0.recv_timeout(LIMIT), Ok(()), "only {count} of {expected} are taken");
        }
        let more = self.0.recv_timeout(WHILE);
        assert_eq!(more, Err(RecvTimeoutError::Timeout), "more than {expected} are taken");
    }
}

/// The same jobs, and who hears of each that is taken.
fn counted(
    jobs: impl Iterator<Item = Request> + Send + 'static,
) -> (impl Iterator<Item = Request> + Send + 'static, Pulls) {
    let (pulled, pulls) = mpsc::channel();
    let jobs = jobs.inspect(move |_| {
        // The test may be over, the pool not yet.
        let _ = pulled.send(());
    });
    (jobs, Pulls(pulls))
}
