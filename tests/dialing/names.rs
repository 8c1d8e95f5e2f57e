//! What is remembered of look-ups, and who shares it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use fetchpool::{
    AddressPolicy, DnsCache, ErrorKind, Observed, Observer, Pool, Session, SessionConfig,
};

use crate::support::farm::refused;
use crate::support::script::Gate;
use crate::{Calls, config, session, site};

#[test]
fn workers_that_ask_at_the_same_moment_make_one_look_up_and_those_after_them_none() {
    const WORKERS: usize = 16;
    /// Opens a gate when all workers have begun.
    struct Begun(AtomicUsize, Gate);
    impl Observer for Begun {
        fn attempt(&self, _: &Observed<'_>, _: &str, _: u32) {
            if self.0.fetch_add(1, Ordering::SeqCst) + 1 == WORKERS {
                self.1.open();
            }
        }
    }
    let (site, calls, begun) = (site(), Calls::default(), Gate::new());
    let (address, gate) = (site.address(), begun.clone());
    let config = config(|config| {
        config.observer = Some(Arc::new(Begun(AtomicUsize::new(0), begun)));
        config.resolver = calls.resolver(move |_| {
            assert!(gate.wait(), "not all workers began while this was looked up");
            Ok(vec![address])
        });
    });
    let urls = vec!["http://shared.test/"; WORKERS * 2];
    let (responses, exceptions) = Pool::builder().num_threads(WORKERS).session(config).map(urls);
    assert_eq!((responses.len(), exceptions.len()), (WORKERS * 2, 0));
    assert_eq!(calls.count(), 1);
    assert_eq!(site.connections(), WORKERS * 2, "each by a connection of its own");
}

#[test]
fn an_answer_that_is_there_is_never_asked_for_again_however_the_askers_race() {
    const ASKERS: usize = 8;
    const ROUNDS: usize = 60;
    let (calls, barrier) = (Calls::default(), Barrier::new(ASKERS));
    let mut config = config(|config| config.resolver = calls.giving([refused()]));
    // What is of no use would be forgotten: a policy ends each request behind its look-up.
    config.address_policy = AddressPolicy::custom(|_| false);
    thread::scope(|scope| {
        for _ in 0..ASKERS {
            let mut session = Session::new(config.clone()).unwrap();
            let barrier = &barrier;
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    barrier.wait();
                    let error = session.request(format!("http://round{round}.test/")).unwrap_err();
                    assert_eq!(error.kind(), ErrorKind::Forbidden);
                }
            });
        }
    });
    assert_eq!(calls.count(), ROUNDS);
}

#[test]
fn an_answer_that_is_remembered_costs_no_time_and_is_not_told_as_a_look_up() {
    struct LookUps(AtomicUsize);
    impl Observer for LookUps {
        fn dns(&self, _: &Observed<'_>, _: &str, _: &[SocketAddr], _: Duration) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let (site, calls, told) = (site(), Calls::default(), Arc::new(LookUps(AtomicUsize::new(0))));
    let mut session = session(|config| {
        config.resolver = calls.giving([site.address()]);
        config.observer = Some(Arc::clone(&told) as Arc<dyn Observer>);
    });
    let first = session.request("http://once.test/").unwrap();
    assert!(first.timings().dns > Duration::ZERO);
    let second = session.request("http://once.test/").unwrap();
    assert_eq!(second.timings().dns, Duration::ZERO);
    assert_eq!((calls.count(), told.0.load(Ordering::SeqCst)), (1, 1));
}

#[test]
fn without_a_cache_and_without_time_to_live_every_connection_asks() {
    for cache in
        [None, Some(DnsCache::new().ttl(Duration::ZERO)), Some(DnsCache::new().capacity(0))]
    {
        let (site, calls) = (site(), Calls::default());
        let mut session = session(|config| {
            config.resolver = calls.giving([site.address()]);
            config.dns_cache = cache;
        });
        for count in 1..=3 {
            session.request("http://anew.test/").unwrap();
            assert_eq!(calls.count(), count);
        }
    }
}

#[test]
fn a_name_that_is_none_is_remembered_and_a_look_up_that_failed_otherwise_is_not() {
    type Answer = fn() -> io::Result<Vec<SocketAddr>>;
    let answers: [(Answer, usize); 5] = [
        (|| Err(io::Error::new(io::ErrorKind::NotFound, "no such name")), 1),
        (|| Ok(Vec::new()), 1),
        (|| Err(io::Error::other("a name server that is ill")), 3),
        (|| Err(io::ErrorKind::TimedOut.into()), 3),
        (|| panic!("on purpose"), 3),
    ];
    for (answer, expected) in answers {
        let calls = Calls::default();
        let mut session = session(|config| {
            config.resolver = calls.resolver(move |_| answer());
            config.dns_cache = Some(DnsCache::new().negative_ttl(Duration::from_secs(60)));
        });
        let mut messages = Vec::new();
        for _ in 0..3 {
            let error = session.request("http://nowhere.test/").unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Dns | ErrorKind::Panic), "{error}");
            messages.push(error.message());
        }
        assert_eq!(calls.count(), expected, "{messages:?}");
        messages.dedup();
        assert_eq!(messages.len(), 1, "it is told the same way each time");
    }
}

#[test]
fn what_was_given_up_is_remembered_when_it_comes_and_not_before() {
    let (site, calls, gate) = (site(), Calls::default(), Gate::new());
    let (address, held) = (site.address(), gate.clone());
    let mut config = config(|config| {
        config.resolver = calls.resolver(move |call| {
            assert!(call > 0 || held.wait());
            Ok(vec![address])
        });
        config.dns_timeout = Some(Duration::from_millis(50));
    });
    let mut session = Session::new(config.clone()).unwrap();
    assert!(session.request("http://late.test/").unwrap_err().is_timeout());
    config.dns_timeout = None;
    let mut session = Session::new(config).unwrap();
    session.request("http://late.test/").unwrap();
    assert_eq!(calls.count(), 2, "no time-out is an answer");
    gate.open();
    session.request("http://late.test/").unwrap();
    assert_eq!(calls.count(), 2);
}

#[test]
fn addresses_of_which_none_could_be_connected_to_are_forgotten() {
    let (site, calls) = (site(), Calls::default());
    let (dead, alive) = (refused(), site.address());
    let mut session = session(|config| {
        config.resolver =
            calls.resolver(move |call| Ok(vec![if call == 0 { dead } else { alive }]));
    });
    let error = session.request("http://moved.test/").unwrap_err();
    assert!(error.is_connect(), "{error}");
    assert_eq!(session.request("http://moved.test/").unwrap().text(), "alive");
    session.request("http://moved.test/").unwrap();
    assert_eq!(calls.count(), 2);
}

#[test]
fn the_policy_is_asked_each_time_about_each_address_that_is_remembered() {
    let (site, calls) = (site(), Calls::default());
    let mut config = config(|config| config.resolver = calls.giving([site.address()]));
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    config.address_policy =
        AddressPolicy::custom(move |_| count.fetch_add(1, Ordering::SeqCst) < 2);
    let mut session = Session::new(config).unwrap();
    session.request("http://asked.test/").unwrap();
    session.request("http://asked.test/").unwrap();
    let error = session.request("http://asked.test/").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Forbidden);
    assert_eq!((asked.load(Ordering::SeqCst), calls.count()), (3, 1));
}

#[test]
fn what_a_resolver_said_is_heard_by_whoever_shares_both_it_and_the_cache() {
    let (site, calls, other_calls) = (site(), Calls::default(), Calls::default());
    let first = config(|config| config.resolver = calls.giving([site.address()]));
    let mut stranger = first.clone();
    stranger.resolver = other_calls.giving([site.address()]);
    let mut apart = first.clone();
    apart.dns_cache = Some(DnsCache::new());
    let request = |config: &SessionConfig| {
        let pool = Pool::builder().num_threads(2).session(config.clone());
        assert_eq!(pool.map(["http://heard.test/"]).0.len(), 1);
    };
    request(&first);
    request(&first.clone());
    assert_eq!((calls.count(), other_calls.count()), (1, 0), "the next pool of the same settings");
    request(&stranger);
    assert_eq!((calls.count(), other_calls.count()), (1, 1), "another resolver");
    request(&apart);
    assert_eq!((calls.count(), other_calls.count()), (2, 1), "another cache");
}

#[test]
fn a_pool_with_the_default_settings_shares_a_cache() {
    // What they share is only seen with a resolver, and a hook of the pool gives it to each worker.
    let (site, calls) = (site(), Calls::default());
    let resolver = calls.giving([site.address()]);
    let pool = Pool::builder().num_threads(4).initializer(move |session: &mut SessionConfig| {
        session.resolver = resolver.clone();
        session.keep_alive = false;
    });
    let (responses, _) = pool.map(vec!["http://default.test/"; 40]);
    assert_eq!((responses.len(), calls.count()), (40, 1));
}

#[test]
fn of_very_many_addresses_only_the_first_64_count() {
    let (calls, asked) = (Calls::default(), Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&asked);
    let mut session = session(|config| {
        let many = (0..5_000).map(|n| SocketAddr::from((Ipv4Addr::LOCALHOST, n)));
        config.resolver = calls.giving(many.collect::<Vec<_>>());
        config.address_policy = AddressPolicy::custom(move |_| {
            count.fetch_add(1, Ordering::SeqCst);
            false
        });
    });
    for asked_in_all in [64, 128] {
        session.request("http://many.test/").unwrap_err();
        assert_eq!(asked.load(Ordering::SeqCst), asked_in_all);
    }
}
