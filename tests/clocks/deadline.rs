//! The pool's deadline: from the start, for everything, waiting too.

use std::iter;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use fetchpool::{Clock, Outcome, Phase, Pool, Request, RetryPolicy, SessionConfig, Stats};

use crate::farm::{Farm, timed, within};
use crate::support::script::{Gate, Script, ok};
use crate::trial::{LONG, SHORT, ran_out, says_how_long};

/// Neither earlier than the deadline nor much later.
#[track_caller]
fn in_time(took: Duration, limit: Duration) {
    assert!(took >= limit && took < limit + Duration::from_secs(2), "{took:?}");
}

/// That every one of these is ended by the deadline; gives their indices, sorted.
#[track_caller]
fn all_ended(outcomes: impl IntoIterator<Item = Outcome>, limit: Duration) -> Vec<u64> {
    let mut indices = Vec::new();
    for outcome in outcomes {
        indices.push(outcome.index());
        assert_eq!(outcome.timings().expired, Some(Clock::Deadline));
        let error = outcome.result().unwrap_err();
        ran_out(&error, Clock::Deadline, "taken");
        says_how_long(&error, Clock::Deadline, limit, "taken");
    }
    indices.sort_unstable();
    indices
}

#[test]
fn jobs_in_flight_and_parked_come_out_and_the_rest_is_handed_back() {
    let farm = Farm::new();
    let mut jobs = vec![farm.url("/series/parked/503")];
    jobs.extend((1..8).map(|n| farm.url(&format!("/gate/{n}"))));
    let urls = jobs.clone();
    // Long enough for the retry to be due before it, after 200 ms at most: but then no thread is
    // free for it.
    let limit = SHORT * 3;
    let builder = Pool::builder().num_threads(2).retry(RetryPolicy::new(3)).deadline(limit);
    let builder = builder.job_queue(jobs);
    let started = Instant::now();
    let (pool, outcomes) = within(LONG, move || {
        let pool = builder.build().unwrap();
        let under_way = |stats: &Stats| (stats.delayed, stats.in_flight) == (1, 2);
        while !under_way(&pool.stats()) {
            assert!(started.elapsed() < limit, "not under way in time: {:?}", pool.stats());
            thread::yield_now();
        }
        let outcomes: Vec<_> = pool.outcomes().collect();
        (pool, outcomes)
    });
    in_time(started.elapsed(), limit);
    assert_eq!(all_ended(outcomes, limit), [0, 1, 2]);
    let left: Vec<String> = pool.close().map(|request| request.url().to_owned()).collect();
    assert_eq!(left, urls[3..]);
    let stats = pool.stats();
    assert_eq!((stats.pulled, stats.delivered, stats.unfinished()), (3, 3, 0), "{stats:?}");
}

#[test]
fn jobs_that_wait_for_the_rate_come_out_or_are_handed_back() {
    let farm = Farm::new();
    let jobs: Vec<String> = (0..8).map(|n| farm.url(&format!("/ok/{n}"))).collect();
    let builder = || Pool::builder().num_threads(3).rate(0.1).deadline(SHORT);
    let (read, mapped) = (builder().job_queue(jobs.clone()), builder());
    let started = Instant::now();
    let (mapped, outcomes, left) = within(LONG, move || {
        let mapped = thread::spawn(move || mapped.map(jobs));
        let pool = read.build().unwrap();
        let outcomes: Vec<_> = pool.outcomes().collect();
        (mapped.join().unwrap(), outcomes, pool.close().count())
    });
    in_time(started.elapsed(), SHORT);
    let (done, ended): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Outcome::is_response);
    assert_eq!(done.iter().map(Outcome::index).collect::<Vec<_>>(), [0]);
    // Whether a job that waits for the rate counts as taken is not promised.
    assert_eq!(1 + all_ended(ended, SHORT).len() + left, 8);
    // To `map` it makes no difference.
    assert_eq!((mapped.0.len(), mapped.1.len()), (1, 7));
    mapped.1.for_each(|exception| ran_out(&exception, Clock::Deadline, "waits for the rate"));
    assert_eq!(farm.requests(), 2);
}

#[test]
fn map_has_an_outcome_for_every_job_also_for_those_that_were_not_taken() {
    let farm = Farm::new();
    let jobs: Vec<String> = (0..20).map(|n| farm.url(&format!("/gate/{n}"))).collect();
    let urls = jobs.clone();
    let builder = Pool::builder().num_threads(2).deadline(SHORT);
    let ((responses, exceptions), took) = timed(|| within(LONG, move || builder.map(jobs)));
    in_time(took, SHORT);
    assert_eq!((responses.len(), exceptions.len()), (0, 20));
    for (n, exception) in exceptions.enumerate() {
        assert_eq!(exception.index(), n as u64);
        assert_eq!(exception.request().url(), urls[n]);
        ran_out(&exception, Clock::Deadline, &urls[n]);
        says_how_long(&exception, Clock::Deadline, SHORT, &urls[n]);
        let phase = exception.phase();
        assert_eq!(phase == Some(Phase::Waiting), n < 2, "{n}: {phase:?}");
    }
    assert_eq!(farm.requests(), 2);
}

#[test]
fn a_deadline_is_nothing_to_jobs_that_are_done_in_time() {
    let farm = Farm::new();
    let jobs: Vec<String> = (0..20).map(|n| farm.url(&format!("/ok/{n}"))).collect();
    let builder = Pool::builder().num_threads(2).deadline(SHORT * 2).job_queue(jobs);
    let started = Instant::now();
    let pool = builder.build().unwrap();
    let pool = within(LONG, move || {
        pool.join_all();
        pool
    });
    assert!(started.elapsed() < SHORT * 2, "waits for its deadline, or is slow");
    // They are read when it is over.
    thread::sleep(SHORT * 2);
    let outcomes: Vec<_> = within(LONG, move || pool.outcomes().collect());
    assert_eq!(outcomes.len(), 20);
    assert!(outcomes.iter().all(|outcome| outcome.timings().expired.is_none()));
    assert!(outcomes.iter().all(Outcome::is_response));
}

#[test]
fn the_deadline_counts_the_wait_for_a_worker_and_the_timeout_does_not() {
    let farm = Farm::new();
    let jobs = |farm: &Farm| -> Vec<String> {
        (0..5).map(|n| farm.url(&format!("/delay/80/{n}"))).collect()
    };
    let limit = Duration::from_millis(280);
    let mut config = SessionConfig::new();
    config.timeout = Some(limit);
    let patient = Pool::builder().num_threads(1).session(config);
    let strict = Pool::builder().num_threads(1).deadline(limit);
    let runs = [patient, strict].map(|builder| {
        let jobs = jobs(&farm);
        thread::spawn(move || within(LONG, move || builder.map(jobs)))
    });
    let [patient, strict] = runs.map(|run| run.join().unwrap());
    // The last of them began after 320 ms.
    assert_eq!((patient.0.len(), patient.1.len()), (5, 0));
    assert_eq!(strict.0.len() + strict.1.len(), 5);
    assert!((1..=3).contains(&strict.0.len()), "{} in {limit:?}", strict.0.len());
    strict.1.for_each(|exception| ran_out(&exception, Clock::Deadline, "waited"));
}

#[test]
fn the_deadline_starts_with_the_pool_and_not_with_the_job() {
    let farm = Farm::new();
    let (jobs, queue) = mpsc::channel();
    let limit = Duration::from_millis(600);
    let pool = Pool::builder().num_threads(1).deadline(limit).job_queue(queue);
    let started = Instant::now();
    let pool = pool.build().unwrap();
    // The pool's time goes on while it has nothing to do.
    thread::sleep(Duration::from_millis(400));
    jobs.send(Request::get(farm.url("/gate/1"))).unwrap();
    let outcome = within(LONG, move || pool.outcomes().next().unwrap());
    let took = started.elapsed();
    assert!(took >= limit && took < limit + Duration::from_secs(2), "{took:?}");
    let error = outcome.result().unwrap_err();
    ran_out(&error, Clock::Deadline, "the only one");
    assert!(error.timings().total() < Duration::from_millis(500), "{:?}", error.timings());
}

#[test]
fn the_deadline_ends_a_pool_whose_queue_stays_open() {
    let site = Script::site(|_| ok("in time"));
    let (jobs, queue) = mpsc::channel();
    jobs.send(Request::get(site.url("/"))).unwrap();
    let builder = Pool::builder().num_threads(2).deadline(SHORT).job_queue(queue);
    let started = Instant::now();
    let (pool, outcomes) = within(LONG, move || {
        let pool = builder.build().unwrap();
        let outcomes: Vec<_> = pool.outcomes().collect();
        (pool, outcomes)
    });
    in_time(started.elapsed(), SHORT);
    assert_eq!(outcomes.len(), 1);
    assert!(outcomes[0].is_response());
    // The channel is still the pool's: what comes late is handed back.
    jobs.send(Request::get("http://late.test/")).unwrap();
    assert_eq!(
        pool.close().map(|job| job.url().to_owned()).collect::<Vec<_>>(),
        ["http://late.test/"]
    );
    assert!(jobs.send(Request::get("http://later.test/")).is_err());
}

#[test]
fn the_deadline_ends_a_pool_that_is_within_the_callers_iterator() {
    let site = Script::site(|_| ok("in time"));
    let gate = Gate::new();
    let (url, blocks) = (site.url("/"), gate.clone());
    let jobs = iter::once(url.clone()).chain(iter::once_with(move || {
        blocks.wait();
        url
    }));
    let builder = Pool::builder().num_threads(2).deadline(SHORT).job_queue(jobs);
    let started = Instant::now();
    let (pool, outcomes) = within(LONG, move || {
        let pool = builder.build().unwrap();
        let outcomes: Vec<_> = pool.outcomes().collect();
        (pool, outcomes)
    });
    in_time(started.elapsed(), SHORT);
    assert_eq!(outcomes.len(), 1);
    assert!(outcomes[0].is_response());
    gate.open();
    assert_eq!(within(LONG, move || pool.close().count()), 1, "what it brings late is not lost");
}

#[test]
fn the_deadline_does_not_wait_for_a_hook_of_the_callers() {
    let site = Script::site(|_| ok("never"));
    let gate = Gate::new();
    let hook = gate.clone();
    let builder = Pool::builder()
        .num_threads(2)
        .deadline(SHORT)
        .initializer(move |_: &mut SessionConfig| {
            hook.wait();
        })
        .job_queue(vec![site.url("/"); 6]);
    let started = Instant::now();
    let (pool, outcomes) = within(LONG, move || {
        let pool = builder.build().unwrap();
        let outcomes: Vec<_> = pool.outcomes().collect();
        (pool, outcomes)
    });
    in_time(started.elapsed(), SHORT);
    let ended = all_ended(outcomes, SHORT).len();
    assert_eq!(ended + pool.close().count(), 6);
    gate.open();
}

#[test]
fn outcomes_that_the_deadline_makes_are_in_order_where_order_is_kept() {
    let farm = Farm::new();
    let jobs: Vec<String> = (0..6)
        .map(|n| if n % 2 == 0 { format!("/gate/{n}") } else { format!("/ok/{n}") })
        .map(|route| farm.url(&route))
        .collect();
    let builder = Pool::builder().num_threads(4).ordered().deadline(SHORT).job_queue(jobs);
    let started = Instant::now();
    let outcomes: Vec<_> = within(LONG, move || builder.build().unwrap().outcomes().collect());
    in_time(started.elapsed(), SHORT);
    let seen: Vec<_> = outcomes.iter().map(|o| (o.index(), o.is_response())).collect();
    let even_ones_stand = (0..6).map(|n| (n, n % 2 == 1));
    assert_eq!(seen, even_ones_stand.collect::<Vec<_>>());
    all_ended(outcomes.into_iter().filter(|outcome| !outcome.is_response()), SHORT);
}

#[test]
fn every_way_of_waiting_for_the_pool_ends_with_the_deadline() {
    let farm = Farm::new();
    let waits: [fn(&Pool); 6] = [
        |pool| pool.join_all(),
        |pool| assert!(pool.drain(LONG)),
        |pool| assert!(pool.get_response().is_none()),
        |pool| assert!(pool.get_exception().is_some()),
        |pool| assert_eq!(pool.responses().count(), 0),
        |pool| assert!(pool.exceptions().count() >= 2),
    ];
    let runs = waits.map(|wait| {
        let jobs: Vec<String> = (0..2).map(|n| farm.url(&format!("/gate/{n}"))).collect();
        let builder = Pool::builder().num_threads(2).deadline(SHORT).job_queue(jobs);
        thread::spawn(move || {
            let started = Instant::now();
            within(LONG, move || {
                let pool = builder.build().unwrap();
                while pool.stats().pulled < 2 {
                    assert!(started.elapsed() < SHORT, "{:?}", pool.stats());
                    thread::yield_now();
                }
                wait(&pool);
            });
            in_time(started.elapsed(), SHORT);
        })
    });
    runs.into_iter().for_each(|run| run.join().unwrap());
}
