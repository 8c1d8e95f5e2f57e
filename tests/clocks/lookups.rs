//! A look-up whose answer never comes.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread;
use std::time::{Duration, Instant};

use fetchpool::{Clock, Outcome, Phase, Pool, Request, Resolver, SessionConfig};

use crate::farm::within;
use crate::peer::Carrier;
use crate::support::script::{Gate, Script, ok};
use crate::trial::{LONG, SHORT, Trial, ran_out, says_how_long, side_by_side};

/// The process has only so many look-ups at a time: the test that takes all of them runs when no
/// other has one.
static LOOK_UPS: RwLock<()> = RwLock::new(());

/// For a test with few look-ups, as long as it lasts.
pub(crate) fn few() -> RwLockReadGuard<'static, ()> {
    LOOK_UPS.read().unwrap_or_else(PoisonError::into_inner)
}

fn all() -> RwLockWriteGuard<'static, ()> {
    LOOK_UPS.write().unwrap_or_else(PoisonError::into_inner)
}

/// A resolver that does not answer before this is dropped.
pub(crate) struct Mute {
    gate: Gate,
    asked: Arc<AtomicUsize>,
}

impl Mute {
    pub(crate) fn new() -> Self {
        Self { gate: Gate::new(), asked: Arc::default() }
    }

    /// It itself. When it answers at last, it is with this address.
    pub(crate) fn resolver(&self, address: SocketAddr) -> Arc<dyn Resolver> {
        let (gate, asked) = (self.gate.clone(), Arc::clone(&self.asked));
        Arc::new(move |_: &str, _: u16| {
            asked.fetch_add(1, Ordering::SeqCst);
            gate.wait();
            Ok(vec![address])
        })
    }

    /// How often it was asked.
    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// Lets it answer.
    fn speak(&self) {
        self.gate.open();
    }
}

impl Drop for Mute {
    fn drop(&mut self) {
        self.speak();
    }
}

/// A resolver that answers with this, after a while.
fn slow(length: Duration, address: SocketAddr) -> Arc<dyn Resolver> {
    Arc::new(move |_: &str, _: u16| -> io::Result<Vec<SocketAddr>> {
        thread::sleep(length);
        Ok(vec![address])
    })
}

/// The settings with this resolver.
fn config(resolver: Arc<dyn Resolver>) -> SessionConfig {
    let mut config = SessionConfig::new();
    config.resolver = Some(resolver);
    config
}

/// Where nobody is asked for anything.
const NOWHERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9);

#[test]
fn a_look_up_that_never_ends_is_ended_by_each_of_the_clocks_over_it() {
    let _few = few();
    let mute = Mute::new();
    let clocks = [Clock::Dns, Clock::Connect, Clock::Request, Clock::Deadline];
    side_by_side(clocks.map(|clock| {
        let url = format!("http://{}.never.test/", clock.as_str().replace('_', "-"));
        Trial::new(clock, Phase::Dns, url)
            .set(|config| config.resolver = Some(mute.resolver(NOWHERE)))
    }));
}

#[test]
fn a_request_with_a_timeout_of_its_own_does_not_wait_for_a_look_up_any_longer() {
    let _few = few();
    let mute = Mute::new();
    let job = Request::get("http://own.never.test/").timeout(SHORT);
    let (_, mut exceptions) = within(LONG, {
        let pool = Pool::builder().session(config(mute.resolver(NOWHERE)));
        move || pool.map([job])
    });
    let exception = exceptions.next().unwrap();
    ran_out(&exception, Clock::Request, "its own");
    says_how_long(&exception, Clock::Request, SHORT, "its own");
    assert_eq!(exception.phase(), Some(Phase::Dns));
}

#[test]
fn the_first_clock_to_run_out_is_the_one_that_is_named() {
    let _few = few();
    let mute = Mute::new();
    let clocks = [Clock::Dns, Clock::Connect, Clock::Request, Clock::Deadline];
    // Each in turn is the shortest of all four; the others are set, and not much longer.
    side_by_side(clocks.map(|clock| {
        let longer = Some(SHORT * 3);
        let url = format!("http://{}.race.test/", clock.as_str().replace('_', "-"));
        Trial::new(clock, Phase::Dns, url).set(|config| {
            config.resolver = Some(mute.resolver(NOWHERE));
            config.timeout = longer;
            config.connect_timeout = longer;
            config.dns_timeout = longer;
        })
    }));
}

#[test]
fn jobs_that_wait_for_the_same_look_up_each_have_their_own_time() {
    let _few = few();
    let mute = Mute::new();
    let site = Script::site(|_| ok("next"));
    let times = [330, 120, 440, 220].map(Duration::from_millis);
    let jobs = times.map(|time| Request::get("http://same.never.test/").timeout(time).tag(time));
    let jobs = jobs.into_iter().chain((0..4).map(|_| Request::get(site.url("/"))));
    let jobs: Vec<Request> = jobs.collect();
    let config = config(mute.resolver(NOWHERE));
    // Two more threads than jobs that wait, so that the others go on meanwhile.
    let builder = Pool::builder().num_threads(6).session(config).job_queue(jobs);
    let outcomes: Vec<(Outcome, Duration)> = within(LONG, move || {
        let started = Instant::now();
        let pool = builder.build().unwrap();
        pool.outcomes().map(|outcome| (outcome, started.elapsed())).collect()
    });
    let mut order = Vec::new();
    for (outcome, took) in outcomes {
        let (index, time) = (outcome.index(), outcome.tag::<Duration>().copied());
        order.push(index);
        match (outcome.result(), time) {
            (Err(error), Some(time)) => {
                ran_out(&error, Clock::Request, "its own");
                assert_eq!(error.phase(), Some(Phase::Dns));
                assert!(took >= time && took < time + Duration::from_secs(2), "{time:?}: {took:?}");
            }
            (Ok(response), None) => assert_eq!(response.text(), "next"),
            (result, time) => panic!("{index}: {time:?}, {result:?}"),
        }
    }
    let waited: Vec<u64> = order.iter().copied().filter(|&index| index < 4).collect();
    assert_eq!(waited, [1, 3, 0, 2], "in the order of their times: {order:?}");
    assert_eq!(mute.asked(), 1, "whoever asks for the same waits for the same answer");
}

#[test]
fn the_deadline_ends_all_jobs_that_wait_for_the_same_look_up_at_once() {
    let _few = few();
    let mute = Mute::new();
    let config = config(mute.resolver(NOWHERE));
    let jobs = vec!["http://all.never.test/"; 8];
    let builder = Pool::builder().num_threads(6).session(config).deadline(SHORT).job_queue(jobs);
    let started = Instant::now();
    let (outcomes, left) = within(LONG, move || {
        let pool = builder.build().unwrap();
        (pool.outcomes().collect::<Vec<_>>(), pool.close().count())
    });
    let took = started.elapsed();
    assert!(took >= SHORT && took < SHORT + Duration::from_secs(2), "{took:?}");
    assert_eq!((outcomes.len(), left), (6, 2));
    for outcome in outcomes {
        let error = outcome.result().unwrap_err();
        ran_out(&error, Clock::Deadline, "all");
        assert_eq!(error.phase(), Some(Phase::Dns));
    }
}

#[test]
fn a_look_up_that_was_given_up_answers_who_asks_next() {
    let _few = few();
    let mute = Mute::new();
    let site = Script::site(|_| ok("late"));
    let mut config = config(mute.resolver(site.address()));
    config.dns_timeout = Some(SHORT);
    let mut session = fetchpool::Session::new(config).unwrap();
    let url = "http://late.never.test/";
    let (mut session, error) = within(LONG, move || {
        let error = session.request(url).unwrap_err();
        (session, error)
    });
    ran_out(&error, Clock::Dns, "the first");
    mute.speak();
    let response = within(LONG, move || session.request(url));
    assert_eq!(response.unwrap().text(), "late");
}

#[test]
fn more_look_ups_than_run_at_a_time_all_end_in_time_and_leave_no_harm() {
    let _all = all();
    let mute = Mute::new();
    let site = Script::site(|_| ok("next"));
    let mut settings = config(mute.resolver(site.address()));
    // Long enough for so many threads to start.
    let limit = Duration::from_millis(350);
    settings.dns_timeout = Some(limit);
    let jobs: Vec<String> = (0..80).map(|n| format!("http://n{n}.many.test/")).collect();
    let builder = Pool::builder().num_threads(80).session(settings.clone());
    let started = Instant::now();
    let (responses, exceptions) = within(LONG, move || builder.map(jobs));
    let took = started.elapsed();
    assert_eq!((responses.len(), exceptions.len()), (0, 80));
    for exception in exceptions {
        ran_out(&exception, Clock::Dns, "one of many");
        assert_eq!(exception.phase(), Some(Phase::Dns));
    }
    assert!(took >= limit && took < limit + Duration::from_secs(2), "{took:?}");

    // An address needs no look-up.
    let url = site.url("/");
    let pool = Pool::builder().session(settings.clone());
    let (mut responses, _) = within(LONG, move || pool.map([url]));
    assert_eq!(responses.next().unwrap().text(), "next");

    // Nor do those that were given up stand in the way of others.
    mute.speak();
    settings.dns_timeout = Some(LONG);
    let pool = Pool::builder().session(settings);
    let (mut responses, _) = within(LONG, move || pool.map(["http://again.many.test/"]));
    assert_eq!(responses.next().unwrap().text(), "next");
}

#[test]
fn the_dns_timeout_covers_neither_the_connection_nor_the_answer() {
    let _few = few();
    let peer = Carrier::Plain.serve(|line| {
        line.head()?;
        line.pause(SHORT * 3 / 2)?;
        line.send(ok("late"))
    });
    let mut config = config(slow(Duration::from_millis(20), peer.address()));
    config.dns_timeout = Some(SHORT);
    let pool = Pool::builder().session(config);
    let (mut responses, _) = within(LONG, move || pool.map(["http://quick.test/"]));
    let timings = *responses.next().unwrap().timings();
    assert!(timings.dns >= Duration::from_millis(20) && timings.dns < SHORT, "{timings:?}");
    assert!(timings.waiting > SHORT, "{timings:?}");
    assert_eq!(timings.expired, None);
}
