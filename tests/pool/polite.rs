//! Politeness (P9): rates and limits of each origin, pauses, broken circuits, and that none of them
//! holds up anybody else.
//!
//! What must not start is held back for as long as the clock can count: so it is counted and not
//! timed. The rules themselves are tables beside the code, in `src/pool/polite/`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fetchpool::{
    Adaptive, CircuitBreaker, Clock, ErrorKind, Outcome, Politeness, Pool, PoolBuilder, Request,
};

use crate::farm::{Farm, refused, timed, within};
use crate::script::{Script, ok, reply};

/// The usual patience for a batch that must end.
const LIMIT: Duration = Duration::from_secs(20);
/// A rate at which the first request starts, and no other one while this test is there.
const ONE_EVER: f64 = 1e-9;

/// The name by which a farm is meant and no other one.
fn host(farm: &Farm) -> String {
    farm.url("").trim_start_matches("http://").to_owned()
}

fn one_ever() -> Politeness {
    Politeness::new().rate(ONE_EVER)
}

fn indexes(outcomes: &[Outcome]) -> Vec<u64> {
    let mut indexes: Vec<u64> = outcomes.iter().map(Outcome::index).collect();
    indexes.sort_unstable();
    indexes
}

// ---- nobody sleeps on an origin's account

#[test]
fn an_origin_that_may_not_be_asked_costs_nine_others_nothing() {
    const LAPS: u64 = 100;
    let (slow, fast) = (Farm::new(), (0..9).map(|_| Farm::new()).collect::<Vec<_>>());
    let farms: Vec<&Farm> = [&slow].into_iter().chain(&fast).collect();
    // Every tenth job is for the slow one.
    let jobs: Vec<String> = (0..LAPS)
        .flat_map(|lap| farms.iter().map(move |farm| farm.url(&format!("/ok/{lap}"))))
        .collect();
    let pool = Pool::builder().num_threads(16).politeness_for(host(&slow), one_ever());
    let pool = pool.job_queue(jobs).build().unwrap();
    let (done, left) = within(LIMIT, move || {
        // All of the nine, and the one that the tenth may have.
        let done: Vec<Outcome> = pool.outcomes().take(901).collect();
        let stats = pool.stats();
        assert_eq!((stats.pulled, stats.delivered, stats.queued), (901, 901, 99), "{stats:?}");
        let left = pool.cancel().count();
        (done, left + pool.outcomes().count())
    });
    let expected: Vec<u64> = (0..10 * LAPS).filter(|n| *n == 0 || n % 10 != 0).collect();
    assert_eq!(indexes(&done), expected);
    assert_eq!((slow.requests(), left), (1, 99));
    assert!(fast.iter().all(|farm| farm.requests() == 100));
}

#[test]
fn one_worker_alone_goes_on_with_others_while_an_origin_waits() {
    let (slow, fast) = (Farm::new(), Farm::new());
    let jobs = [slow.url("/ok/0"), slow.url("/ok/1"), slow.url("/ok/2"), fast.url("/ok/3")];
    let pool = Pool::builder().num_threads(1).politeness_for(host(&slow), one_ever());
    let pool = pool.job_queue(jobs).build().unwrap();
    let order: Vec<u64> =
        within(LIMIT, move || pool.outcomes().take(2).map(|outcome| outcome.index()).collect());
    assert_eq!(order, [0, 3]);
}

#[test]
fn no_more_jobs_wait_for_their_origins_than_may_and_each_is_answered_or_handed_back() {
    let (slow, fast) = (Farm::new(), Farm::new());
    let jobs: Vec<String> =
        (0..1_000).map(|n| slow.url(&format!("/ok/{n}"))).chain([fast.url("/ok/1")]).collect();
    let pool = Pool::builder().num_threads(2).waiting_capacity(8).look_ahead(1);
    let pool = pool.politeness_for(host(&slow), one_ever()).job_queue(jobs).build().unwrap();
    let (done, left) = within(LIMIT, move || {
        let done = pool.outcomes().take(1).count();
        let unpulled = pool.cancel().count();
        let stats = pool.stats();
        assert!(stats.pulled <= 1 + 8 + 2, "{stats:?}");
        (done + pool.outcomes().count(), unpulled)
    });
    assert_eq!((done + left, fast.requests()), (1_001, 0));
}

#[test]
fn the_order_of_the_input_is_kept_through_rates_and_limits() {
    let farms: Vec<Farm> = (0..3).map(|_| Farm::new()).collect();
    let jobs: Vec<String> = (0..60).map(|n| farms[n % 3].url(&format!("/ok/{n}"))).collect();
    let polite = Politeness::new().rate(200.0).max_concurrent(1);
    let pool = Pool::builder().num_threads(4).ordered().politeness(polite);
    let pool = pool.job_queue(jobs).build().unwrap();
    let order: Vec<u64> = within(LIMIT, move || pool.outcomes().map(|o| o.index()).collect());
    assert_eq!(order, (0..60).collect::<Vec<u64>>());
}

// ---- the rate

#[test]
fn starts_at_one_origin_are_spaced_and_two_origins_are_served_side_by_side() {
    let farms = [Farm::new(), Farm::new()];
    let jobs: Vec<String> = (0..12).map(|n| farms[n % 2].url(&format!("/ok/{n}"))).collect();
    let polite = Politeness::new().rate(4.0);
    let ((responses, _), took) =
        timed(|| within(LIMIT, || Pool::builder().num_threads(8).politeness(polite).map(jobs)));
    assert_eq!(responses.len(), 12);
    assert!(took >= Duration::from_millis(1250), "{took:?}");
    // As one origin they would take 2.75 s.
    assert!(took < Duration::from_millis(2700), "{took:?}");
}

#[test]
fn the_wait_for_an_origin_is_no_part_of_the_timeout_but_of_the_deadline() {
    let farm = Farm::new();
    let jobs = || (0..3).map(|n| Request::get(farm.url(&format!("/ok/{n}")))).collect::<Vec<_>>();
    let polite = Politeness::new().rate(2.0);
    let short = jobs().into_iter().map(|job| job.timeout(Duration::from_millis(400)));
    let short: Vec<Request> = short.collect();
    let (responses, _) = Pool::builder().num_threads(2).politeness(polite).map(short);
    assert_eq!(responses.len(), 3);

    let pool = Pool::builder().num_threads(2).politeness(one_ever());
    let pool = pool.deadline(Duration::from_millis(500));
    let jobs = jobs();
    let (responses, exceptions) = within(LIMIT, || pool.map(jobs));
    let clocks: Vec<_> = exceptions.map(|exception| exception.clock()).collect();
    assert_eq!((responses.len(), clocks), (1, vec![Some(Clock::Deadline); 2]));
}

#[test]
fn what_is_said_of_a_host_counts_for_it_and_what_is_said_of_all_for_the_others() {
    let farms: Vec<Farm> = (0..3).map(|_| Farm::new()).collect();
    let jobs: Vec<String> = (0..9).map(|n| farms[n % 3].url(&format!("/ok/{n}"))).collect();
    // The last two may be asked once; the first one is named, and has no limit.
    let pool = Pool::builder().num_threads(3).politeness(one_ever());
    let pool = pool.politeness_for(host(&farms[0]), Politeness::new());
    let pool = pool.job_queue(jobs).build().unwrap();
    let done: Vec<Outcome> = within(LIMIT, move || pool.outcomes().take(5).collect());
    assert_eq!(indexes(&done), [0, 1, 2, 3, 6]);
}

// ---- how many at a time

#[test]
fn no_more_run_at_an_origin_than_may_and_other_origins_have_their_own_count() {
    let (farm, other) = (Farm::new(), Farm::new());
    let gate = |n: u64| farm.url(&format!("/gate/{n}"));
    let jobs: Vec<String> = (0..10).map(gate).chain([other.url("/ok/10")]).collect();
    let polite = Politeness::new().max_concurrent(3);
    let pool = Pool::builder().num_threads(8).politeness(polite).job_queue(jobs).build().unwrap();
    within(LIMIT, move || {
        assert_eq!(pool.outcomes().next().unwrap().index(), 10);
        farm.wait_at_gate(3);
        for done in 0..7 {
            // Nothing that could start has not: five workers are free.
            let stats = pool.stats();
            assert_eq!((stats.in_flight, stats.queued), (3, 7 - done), "{stats:?}");
            assert_eq!(farm.arrivals() as u64, 3 + done);
            farm.let_through(1);
            assert!(pool.outcomes().next().is_some());
            farm.wait_at_gate(usize::try_from(4 + done).unwrap());
        }
        farm.open_gate();
        assert_eq!(pool.outcomes().count(), 3);
    });
}

#[test]
fn a_place_at_an_origin_is_free_again_however_its_job_ended() {
    let farm = Farm::new();
    let routes = ["/ok/1", "/reset", "/garbage", "/truncated", "/delay/500/1", "/redirect/2/1"];
    let job = |n: usize| {
        let job = Request::get(farm.url(routes[n % routes.len()]));
        // The slow one runs into it.
        job.timeout(Duration::from_millis(if n % routes.len() == 4 { 50 } else { 5_000 }))
    };
    let jobs: Vec<Request> = (0..48).map(job).collect();
    let pool = Pool::builder().num_threads(4).politeness(Politeness::new().max_concurrent(1));
    let count = within(LIMIT, move || pool.job_queue(jobs).build().unwrap().outcomes().count());
    assert_eq!(count, 48);
}

// ---- pauses

#[test]
fn an_origin_that_asks_for_a_pause_has_it_from_jobs_that_never_saw_the_answer() {
    let busy = Script::site(|_| reply("503 Busy", "Retry-After: 3000\r\n", ""));
    let farm = Farm::new();
    let jobs: Vec<String> = (0..20)
        .map(|n| if n % 2 == 0 { busy.url("/") } else { farm.url(&format!("/ok/{n}")) })
        .collect();
    let polite = Politeness::new().adaptive(Adaptive::new());
    let pool = Pool::builder().num_threads(1).politeness(polite).job_queue(jobs).build().unwrap();
    let done: Vec<Outcome> = within(LIMIT, move || pool.outcomes().take(11).collect());
    assert_eq!(indexes(&done), (0..20).filter(|n| *n == 0 || n % 2 == 1).collect::<Vec<_>>());
    assert_eq!(busy.requests().len(), 1);
}

// ---- broken circuits

#[test]
fn jobs_for_an_origin_that_keeps_failing_are_answered_at_once_without_asking_it() {
    let (farm, gone) = (Farm::new(), refused());
    let breaker = CircuitBreaker::new(3).open_for(Duration::from_secs(3_600));
    let polite = Politeness::new().circuit_breaker(breaker);
    let jobs = (0..30).map(|n| match n % 3 {
        0 => farm.url(&format!("/ok/{n}")),
        1 => farm.url("/missing"),
        _ => format!("http://{gone}/"),
    });
    let jobs: Vec<String> = jobs.collect();
    let (responses, exceptions) =
        within(LIMIT, || Pool::builder().num_threads(1).politeness(polite).map(jobs));
    let kinds: Vec<ErrorKind> = exceptions.map(|exception| exception.kind()).collect();
    let mut expected = vec![ErrorKind::Connect; 3];
    expected.resize(10, ErrorKind::CircuitOpen);
    assert_eq!((responses.len(), kinds), (20, expected));
}

#[test]
fn one_job_tries_whether_the_origin_is_well_again_and_the_others_follow() {
    let tries = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&tries);
    let site = Script::site(move |_| match seen.fetch_add(1, Ordering::SeqCst) {
        0 | 1 => reply("500 Broken", "", ""),
        _ => ok(""),
    });
    let breaker = CircuitBreaker::new(2).open_for(Duration::from_secs(1));
    let polite = Politeness::new().circuit_breaker(breaker);
    let (sender, queue) = std::sync::mpsc::channel::<String>();
    let pool = Pool::builder().num_threads(4).politeness(polite).job_queue(queue).build().unwrap();
    within(LIMIT, move || {
        let mut outcomes = pool.outcomes();
        let mut next = || {
            sender.send(site.url("/")).unwrap();
            outcomes.next().unwrap().result().map(|response| response.status())
        };
        assert_eq!((next().unwrap(), next().unwrap()), (500, 500));
        // Refused for a second, and then not: the first answer is the try.
        let mut refusals = 0;
        let answer = loop {
            match next() {
                Err(error) => assert_eq!(error.kind(), ErrorKind::CircuitOpen),
                Ok(status) => break status,
            }
            refusals += 1;
        };
        assert!(refusals > 0 && answer == 200, "{refusals} refusals, then {answer}");
        assert_eq!(tries.load(Ordering::SeqCst), 3, "a job that was refused was sent");
        assert!((0..10).all(|_| next().unwrap() == 200));
    });
}

// ---- settings

#[test]
fn politeness_that_cannot_be_is_an_error_when_the_pool_is_built() {
    let build = |pool: PoolBuilder| pool.job_queue(["http://a.test/"]).build();
    let polite = Politeness::new;
    for bad in [
        polite().rate(0.0),
        polite().rate(-1.0),
        polite().rate(f64::NAN),
        polite().rate(1.0).jitter(-0.1),
        polite().max_concurrent(0),
        polite().adaptive(Adaptive::new().min_rate(0.0)),
        polite().circuit_breaker(CircuitBreaker::new(0)),
    ] {
        for pool in [
            Pool::builder().politeness(bad.clone()),
            Pool::builder().politeness_for("a.test", bad.clone()),
        ] {
            let error = build(pool).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{bad:?}");
        }
    }
    for name in ["", "a b", "http://a.test/", "a.test:x", "a.test:70000"] {
        let error = build(Pool::builder().politeness_for(name, polite())).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{name:?}");
    }
}
