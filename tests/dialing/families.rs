//! Hosts with several addresses, some of them dead: RFC 8305.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use fetchpool::{
    AddressPolicy, CancelToken, Clock, ErrorKind, Observed, Observer, Phase, Pool, Request,
    Response, Session,
};

use crate::child::alone;
use crate::support::dead::Dead;
use crate::support::farm::{refused, timed, within};
use crate::support::script::{Gate, PATIENCE, ok};
use crate::{Calls, config, session, site};

/// The time that an attempt has for itself.
const DELAY: Duration = Duration::from_millis(250);

/// Much less than the time for connecting, which is 10 s, and enough for a busy machine.
const SOON: Duration = Duration::from_millis(1500);

/// A GET of a host with these addresses, in a session of its own.
fn get(addresses: &[SocketAddr]) -> (Response, Duration) {
    let addresses = addresses.to_vec();
    let mut session = session(|config| config.resolver = Calls::default().giving(addresses));
    let (response, took) = timed(|| session.request("http://many.test/"));
    (response.unwrap_or_else(|error| panic!("{}", error.message())), took)
}

/// Three addresses that never answer.
fn dead() -> [SocketAddr; 3] {
    static DEAD: OnceLock<[Dead; 3]> = OnceLock::new();
    let dead = DEAD.get_or_init(|| {
        thread::scope(|scope| {
            [(); 3].map(|()| scope.spawn(Dead::new)).map(|dead| dead.join().expect("a full queue"))
        })
    });
    [0, 1, 2].map(|n| dead[n].address())
}

/// The least time of a few runs: a machine may be busy with something else once, or twice.
fn at_best(mut run: impl FnMut() -> Duration) -> Duration {
    (0..3).map(|_| run()).min().unwrap()
}

/// A server at `::1`, if this machine has that address. It says so if not.
pub(crate) fn on_ipv6() -> Option<SocketAddr> {
    let listener = match TcpListener::bind((Ipv6Addr::LOCALHOST, 0)) {
        Ok(listener) => listener,
        Err(error) => {
            println!("not shown for IPv6, since ::1 cannot be listened at: {error}");
            return None;
        }
    };
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = [0; 1 << 12];
            let _ = stream.read(&mut head);
            let _ = stream.write_all(&ok("alive"));
        }
    });
    Some(address)
}

#[test]
fn a_dead_address_costs_a_quarter_of_a_second_and_not_the_time_for_connecting() {
    let (dead, site) = (dead()[0], site());
    let (response, took) = get(&[dead, site.address()]);
    assert_eq!(response.peer_addr(), Some(site.address()));
    assert!(took >= DELAY && took < SOON, "{took:?}");
    let connect = response.timings().connect;
    assert!(connect >= DELAY && connect <= took, "{connect:?}");
}

#[test]
fn a_dead_family_costs_a_quarter_of_a_second_whichever_of_the_two_it_is() {
    let Some(alive) = on_ipv6() else { return };
    let [dead, other_dead, _] = dead();
    let (response, took) = get(&[dead, other_dead, alive]);
    assert_eq!(response.peer_addr(), Some(alive));
    assert!(took >= DELAY && took < DELAY * 2, "the families take turns: {took:?}");

    let dead = Dead::of(TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).unwrap());
    let site = site();
    let (response, took) = get(&[dead.address(), dead.address(), site.address()]);
    assert_eq!(response.peer_addr(), Some(site.address()));
    assert!(took >= DELAY && took < DELAY * 2, "{took:?}");
}

#[test]
fn a_host_of_both_families_is_reached_where_only_one_of_them_listens() {
    let site = site();
    let v4 = site.address();
    let v6 = SocketAddr::from((Ipv6Addr::LOCALHOST, v4.port()));
    // Nobody listens there, or there is no such family here: both are told at once.
    for addresses in [[v6, v4], [v4, v6]] {
        let took = at_best(|| {
            let (response, took) = get(&addresses);
            assert_eq!(response.peer_addr(), Some(v4));
            took
        });
        assert!(took < DELAY, "{addresses:?}: {took:?}");
    }
}

#[test]
fn the_next_attempt_does_not_wait_when_one_has_failed() {
    let (dead, site) = (dead()[0], site());
    let took = at_best(|| get(&[refused(), refused(), site.address()]).1);
    assert!(took < DELAY, "{took:?}");
    // The second begins after a quarter of a second, and the third when that has failed.
    let took = at_best(|| get(&[dead, refused(), site.address()]).1);
    assert!(took >= DELAY && took < DELAY * 2, "{took:?}");
}

#[test]
fn who_comes_second_is_closed_and_never_hears_of_the_request() {
    let (dead, site) = (Dead::new(), site());
    let (response, _) = get(&[dead.address(), site.address()]);
    assert_eq!(response.text(), "alive");
    // The first attempt sends its SYN again after a second, and is now answered.
    let mut late = within(PATIENCE, move || dead.revive());
    late.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut heard = Vec::new();
    late.read_to_end(&mut heard).expect("an end of the stream");
    assert_eq!(heard, b"");
}

#[test]
fn the_first_that_connects_is_the_only_one_that_is_told_and_used() {
    #[derive(Default)]
    struct Told(Mutex<Vec<SocketAddr>>);
    impl Observer for Told {
        fn connected(&self, _: &Observed<'_>, peer: SocketAddr, _: Duration) {
            self.0.lock().unwrap().push(peer);
        }
    }
    let (first, second, told) = (site(), site(), Arc::new(Told::default()));
    let addresses = [first.address(), second.address()];
    let mut session = session(|config| {
        config.resolver = Calls::default().giving(addresses);
        config.observer = Some(Arc::clone(&told) as Arc<dyn Observer>);
    });
    session.request("http://many.test/").unwrap();
    assert_eq!(*told.0.lock().unwrap(), [first.address()]);
    assert_eq!((first.requests().len(), second.connections()), (1, 0));
}

#[test]
fn the_error_says_of_each_address_in_the_order_of_the_attempts_what_became_of_it() {
    let v6 = |port| SocketAddr::from((Ipv6Addr::LOCALHOST, port));
    let v4 = refused();
    // Ports that are nobody's, on a family that may not be there: both fail at once.
    let addresses = [v6(1), v6(2), v6(3), v4];
    let mut session = session(|config| config.resolver = Calls::default().giving(addresses));
    let error = session.request("http://many.test/").unwrap_err();
    let message = error.message();
    assert_eq!((error.kind(), error.phase()), (ErrorKind::Connect, Some(Phase::Connect)));
    let places: Vec<usize> = [v6(1), v4, v6(2), v6(3)]
        .map(|address| message.find(&format!("{address}: ")).unwrap_or_else(|| panic!("{message}")))
        .to_vec();
    assert!(places.is_sorted(), "{message}");
    assert!(message.matches("refused").count() >= 1, "{message}");
}

#[test]
fn the_error_of_very_many_addresses_is_not_longer_than_one_reads() {
    let many: Vec<_> = (1..=64).map(|n| SocketAddr::from(([127, 0, 0, n], 1))).collect();
    let mut session = session(|config| config.resolver = Calls::default().giving(many));
    let message = session.request("http://many.test/").unwrap_err().message();
    assert!(message.contains("127.0.0.64:1: ") && message.contains("56 others"), "{message}");
    assert!(message.len() < 700, "{message}");
}

#[test]
fn what_the_policy_forbids_is_not_in_the_race() {
    let (forbidden, site) = (dead()[0], site());
    let addresses = [forbidden, site.address()];
    let took = at_best(|| {
        let mut session = session(|config| {
            config.resolver = Calls::default().giving(addresses);
            config.address_policy = AddressPolicy::custom(move |address| *address != forbidden);
        });
        timed(|| session.request("http://many.test/").unwrap()).1
    });
    assert!(took < DELAY, "{took:?}");
}

#[test]
fn the_address_that_was_good_is_gone_to_at_once_the_next_time() {
    let site = site();
    for cached in [true, false] {
        let addresses = [dead()[0], site.address()];
        let config = config(|config| {
            config.resolver = Calls::default().giving(addresses);
            config.dns_cache = config.dns_cache.take().filter(|_| cached);
        });
        let mut session = Session::new(config.clone()).unwrap();
        let (_, took) = timed(|| session.request("http://many.test/").unwrap());
        assert!(took >= DELAY, "{took:?}");
        let took = at_best(|| timed(|| session.request("http://many.test/").unwrap()).1);
        assert!(took < DELAY / 2, "{took:?}");
        // Another worker knows it by the cache that they share.
        let mut other = Session::new(config).unwrap();
        let (response, took) = timed(|| other.request("http://many.test/").unwrap());
        assert_eq!(response.peer_addr(), Some(site.address()));
        assert_eq!(took < DELAY, cached, "{took:?}");
        let (_, took) = timed(|| other.request("http://many.test:81/").unwrap());
        assert!(took >= DELAY, "another port may be somewhere else: {took:?}");
    }
}

#[test]
fn a_good_address_that_is_dead_by_now_costs_a_quarter_of_a_second_once() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let (first, second) = (listener.local_addr().unwrap(), site());
    let mut session =
        session(|config| config.resolver = Calls::default().giving([first, second.address()]));
    let serving = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = [0; 1 << 12];
        assert!(stream.read(&mut head).unwrap() > 0);
        stream.write_all(&ok("first")).unwrap();
        listener
    });
    let response = session.request("http://many.test/").unwrap();
    assert_eq!(response.peer_addr(), Some(first));
    let _dead = Dead::of(serving.join().unwrap());
    let (response, took) = timed(|| session.request("http://many.test/").unwrap());
    assert_eq!(response.peer_addr(), Some(second.address()));
    assert!(took >= DELAY && took < DELAY * 2, "{took:?}");
    let (_, took) = timed(|| session.request("http://many.test/").unwrap());
    assert!(took < DELAY, "{took:?}");
}

#[test]
fn a_good_address_that_refuses_by_now_costs_nothing() {
    let (first, second) = (site(), site());
    let addresses = [first.address(), second.address()];
    let mut session = session(|config| config.resolver = Calls::default().giving(addresses));
    session.request("http://many.test/").unwrap();
    drop(first);
    let (response, took) = timed(|| session.request("http://many.test/").unwrap());
    assert_eq!(response.peer_addr(), Some(second.address()));
    assert!(took < DELAY, "{took:?}");
}

#[test]
fn the_time_for_connecting_is_for_all_addresses_together() {
    let budget = Duration::from_millis(600);
    let mut session = session(|config| {
        config.resolver = Calls::default().giving(dead());
        config.connect_timeout = Some(budget);
    });
    let (error, took) = timed(|| session.request("http://dead.test/").unwrap_err());
    assert_eq!((error.kind(), error.clock()), (ErrorKind::Timeout, Some(Clock::Connect)));
    assert!(took >= budget && took < budget + SOON, "{took:?}");
}

/// Opens its gate when a host has been looked up: the race begins.
struct LookedUp(Gate);

impl Observer for LookedUp {
    fn dns(&self, _: &Observed<'_>, _: &str, _: &[SocketAddr], _: Duration) {
        self.0.open();
    }
}

#[test]
fn a_cancel_ends_a_race_at_once() {
    let late = at_best(|| {
        let (token, racing) = (CancelToken::new(), Gate::new());
        let mut session = session(|config| {
            config.resolver = Calls::default().giving(dead());
            config.observer = Some(Arc::new(LookedUp(racing.clone())));
        });
        let request = Request::get("http://dead.test/").cancel_token(&token);
        let waiting = thread::spawn(move || {
            let error = session.request(request).unwrap_err();
            (error, Instant::now())
        });
        assert!(racing.wait());
        // In the midst of the race, before and after the second has begun.
        thread::sleep(DELAY * 3 / 2);
        let cancelled = Instant::now();
        token.cancel();
        let (error, ended) = waiting.join().unwrap();
        assert_eq!(error.kind(), ErrorKind::Cancelled);
        ended.duration_since(cancelled)
    });
    assert!(late < Duration::from_millis(100), "{late:?}");
}

// The threads that connect are the process's: these two take all of them, or most.

#[test]
fn a_hundred_dead_hosts_at_once_end_in_time_and_leave_room_for_others() {
    let name = "families::a_hundred_dead_hosts_at_once_end_in_time_and_leave_room_for_others";
    alone(name, || {
        let ([dead, other_dead, _], site) = (dead(), site());
        let budget = Duration::from_secs(1);
        let addresses = [dead, other_dead];
        let mut config = config(|config| {
            config.resolver = Calls::default().giving(addresses);
            config.connect_timeout = Some(budget);
        });
        let urls: Vec<_> = (0..100).map(|n| format!("http://dead{n}.test/")).collect();
        let pool = Pool::builder().num_threads(100).session(config.clone());
        let ((_, exceptions), took) = timed(|| within(PATIENCE, move || pool.map(urls)));
        let clocks: Vec<_> = exceptions.map(|exception| exception.clock()).collect();
        assert_eq!(clocks, vec![Some(Clock::Connect); 100]);
        assert!(took >= budget && took < budget + SOON, "{took:?}");
        config.resolver = Calls::default().giving([refused(), site.address()]);
        let mut session = Session::new(config).unwrap();
        let (_, took) = timed(|| session.request("http://live.test/").unwrap());
        assert!(took < SOON, "{took:?}");
    });
}

#[test]
fn more_races_than_there_are_threads_for_are_run_all_the_same() {
    const HOSTS: usize = 150;
    let name = "families::more_races_than_there_are_threads_for_are_run_all_the_same";
    alone(name, || {
        let ([dead, other_dead, _], sites) = (dead(), [site(), site()]);
        // Three attempts each, of which two hold a thread for 10 s. Fewer to each site than wait in its
        // system's queue, so that it need not have its turn before all have come.
        let addresses = sites.each_ref().map(|site| site.address());
        let config = config(|config| {
            config.resolver =
                Calls::default().resolver(move |n| Ok(vec![dead, other_dead, addresses[n % 2]]));
        });
        let urls: Vec<_> = (0..HOSTS).map(|n| format!("http://half{n}.test/")).collect();
        let pool = Pool::builder().num_threads(HOSTS).session(config);
        let ((responses, exceptions), took) =
            timed(|| within(PATIENCE * 2, move || pool.map(urls)));
        assert_eq!((responses.len(), exceptions.len()), (HOSTS, 0));
        assert!(took >= DELAY && took < DELAY * 2 + SOON, "{took:?}");
        assert_eq!(sites.map(|site| site.requests().len()), [HOSTS / 2; 2]);
    });
}

#[test]
fn an_attempt_that_is_answered_late_is_not_given_up_when_the_next_ones_begin() {
    let slow = Dead::new();
    let addresses = [slow.address(), dead()[0], dead()[1]];
    let mut session = session(|config| config.resolver = Calls::default().giving(addresses));
    let waiting = thread::spawn(move || session.request("http://slow.test/"));
    // The pace of a slow host: its SYN is answered after a second, long after the others have begun.
    thread::sleep(DELAY * 5 / 2);
    let mut late = within(PATIENCE, move || slow.revive());
    let mut head = [0; 1 << 12];
    assert!(late.read(&mut head).unwrap() > 0);
    late.write_all(&ok("late")).unwrap();
    assert_eq!(waiting.join().unwrap().unwrap().text(), "late");
}

#[test]
fn an_address_alone_is_not_given_up_after_a_quarter_of_a_second() {
    let dead = Dead::new();
    let address = dead.address();
    let mut session = session(|config| config.resolver = Calls::default().giving([address]));
    let waiting = thread::spawn(move || session.request("http://slow.test/"));
    // The pace of a slow host: its SYN comes again after a second, and is then answered.
    thread::sleep(DELAY * 5 / 2);
    let mut late = within(PATIENCE, move || dead.revive());
    let mut head = [0; 1 << 12];
    assert!(late.read(&mut head).unwrap() > 0);
    late.write_all(&ok("late")).unwrap();
    assert_eq!(waiting.join().unwrap().unwrap().text(), "late");
}
