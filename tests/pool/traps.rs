//! Moments that are easily missed, and code of the caller's that does its worst (P1, P7, P8).

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener};
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use fetchpool::{
    CancelToken, Clock, Error, ErrorKind, Observed, Observer, Pool, Request, Resolver, Response,
    RetryPolicy, Session, SessionConfig, SessionThread,
};

use crate::dead::Dead;
use crate::farm::{Farm, timed, within};
use crate::script::Gate;
use crate::standstill::Sleepers;

/// What something that happens at once may take on a busy machine.
const SOON: Duration = Duration::from_secs(2);

/// What a whole test may take.
const LIMIT: Duration = Duration::from_secs(20);

#[test]
fn a_body_that_has_waited_for_memory_can_be_cancelled_afterwards() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let (begin, begins) = mpsc::channel();
    let (tell, told) = mpsc::channel();
    let server = thread::spawn(move || {
        let (mut peer, _) = listener.accept().unwrap();
        assert!(peer.read(&mut [0; 1024]).unwrap() > 0);
        begins.recv().unwrap();
        peer.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 60000000\r\n\r\n").unwrap();
        // Until the client reads no more: then it waits for memory.
        peer.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
        let piece = [b'x'; 64 << 10];
        while peer.write(&piece).is_ok() {}
        tell.send("waits").unwrap();
        peer.set_write_timeout(Some(LIMIT)).unwrap();
        for _ in 0..16 {
            peer.write_all(&piece).unwrap();
        }
        tell.send("goes on").unwrap();
        // Silent until it goes.
        let _ = peer.read(&mut [0]);
    });
    let farm = Farm::new();
    let token = CancelToken::new();
    let sleepers = Arc::new(Sleepers::default());
    let pool = Pool::builder()
        .num_threads(2)
        .body_budget(1)
        .observer(Arc::clone(&sleepers))
        .job_queue([Request::get(url).cancel_token(&token), farm.url("/gate/1").into()])
        .build()
        .unwrap();
    within(LIMIT, move || {
        // Both are under way before there is something that could be read.
        farm.wait_at_gate(1);
        assert_eq!(pool.stats().in_flight, 2);
        farm.open_gate();
        while pool.stats().buffered == 0 {
            thread::yield_now();
        }
        begin.send(()).unwrap();
        assert_eq!(told.recv().unwrap(), "waits");
        assert_eq!(pool.get_response().unwrap().text(), "1");
        assert_eq!(told.recv().unwrap(), "goes on");
        // It has read all that came, and waits for more.
        sleepers.wait_for(&[0]);
        let (exception, took) = timed(|| {
            token.cancel();
            pool.get_exception().unwrap()
        });
        assert!(exception.is_cancelled() && took < SOON, "{took:?}: {exception}");
    });
    server.join().unwrap();
}

/// Panics when it is dropped, unless that would be too much.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        if !thread::panicking() {
            panic!("dropped, on purpose");
        }
    }
}

struct OnOutcome<F>(F);

impl<F: Fn(u64) + Send + Sync> Observer for OnOutcome<F> {
    fn outcome(&self, job: &Observed<'_>, _: Result<&Response, &Error>) {
        (self.0)(job.index().unwrap());
    }
}

#[test]
fn a_panic_whose_payload_panics_when_it_is_dropped_loses_no_job() {
    let observer = || {
        OnOutcome(|index| {
            if index == 1 {
                panic_any(Bomb)
            }
        })
    };
    let pool = Pool::builder().num_threads(1).observer(observer()).job_queue(["no URL"; 3]);
    let pool = pool.build().unwrap();
    assert_eq!(within(LIMIT, move || pool.outcomes().count()), 3);

    let hooks = Arc::new(AtomicUsize::new(0));
    let runs = Arc::clone(&hooks);
    let pool = Pool::builder().num_threads(1).job_queue(["no URL"; 3]).initializer(
        move |_: &mut SessionConfig| {
            if runs.fetch_add(1, Ordering::SeqCst) < 10 {
                panic_any(Bomb);
            }
        },
    );
    let pool = pool.build().unwrap();
    let kinds = within(LIMIT, move || pool.exceptions().map(|e| e.kind()).collect::<Vec<_>>());
    assert_eq!((kinds, hooks.load(Ordering::SeqCst)), (vec![ErrorKind::Panic; 3], 1));

    let jobs = (0..).map(|n| if n == 2 { panic_any(Bomb) } else { "no URL" });
    let pool = Pool::builder().num_threads(2).job_queue(jobs).build().unwrap();
    assert_eq!(within(LIMIT, move || pool.outcomes().count()), 3);
}

#[test]
fn a_panic_while_a_pool_is_dropped_keeps_no_other_outcome_alive() {
    let farm = Farm::new();
    let kept = Arc::new(());
    let (end, ended) = mpsc::channel::<()>();
    let jobs = [
        Request::invalid("on purpose").tag(Bomb),
        Request::get(farm.url("/ok")),
        Request::invalid("on purpose").tag(Arc::clone(&kept)),
    ];
    // The worker stays within the caller's code, and the pool's inside with it.
    let jobs = jobs.into_iter().chain(std::iter::from_fn(move || ended.recv().err().and(None)));
    let pool = Pool::builder().num_threads(1).job_queue(jobs).build().unwrap();
    within(LIMIT, move || {
        // The first is set aside, the last not looked at.
        assert!(pool.get_response().is_some());
        while pool.stats().buffered < 2 {
            thread::yield_now();
        }
        assert!(catch_unwind(AssertUnwindSafe(|| drop(pool))).is_err());
        assert_eq!(Arc::strong_count(&kept), 1);
    });
    drop(end);
}

#[test]
fn one_panic_while_a_token_is_cancelled_loses_none_of_its_other_jobs() {
    let dead = Dead::new();
    let token = CancelToken::new();
    let jobs = vec![Request::get(format!("http://{}/", dead.address())).cancel_token(&token); 4];
    let observer = OnOutcome(|index| {
        if index == 0 {
            panic_any(Bomb)
        }
    });
    let pool = Pool::builder().num_threads(4).observer(observer).job_queue(jobs).build().unwrap();
    within(LIMIT, move || {
        while pool.stats().in_flight < 4 {
            thread::yield_now();
        }
        token.cancel();
        assert_eq!(pool.exceptions().count(), 4);
    });
}

#[test]
fn jobs_that_were_waiting_are_told_to_the_observer_too_when_the_pool_ends() {
    let farm = Farm::new();
    for deadline in [None, Some(Duration::from_millis(1300))] {
        let (tell, told) = mpsc::channel();
        let tell = Mutex::new(tell);
        let mut pool = Pool::builder()
            .num_threads(1)
            .retry(RetryPolicy::new(1_000))
            .observer(OnOutcome(move |index| tell.lock().unwrap().send(index).unwrap()))
            .job_queue([farm.url("/series/told/503?retry-after=1")]);
        if let Some(deadline) = deadline {
            pool = pool.deadline(deadline);
        }
        let pool = pool.build().unwrap();
        within(LIMIT, move || {
            while pool.stats().delayed == 0 {
                thread::yield_now();
            }
            if deadline.is_none() {
                pool.cancel();
            }
            assert_eq!(pool.outcomes().count(), 1);
        });
        assert_eq!(told.iter().collect::<Vec<_>>(), [0]);
    }
}

#[test]
fn a_retry_is_made_when_it_is_due_also_while_a_slow_source_holds_up_a_worker() {
    let farm = Farm::new();
    let (jobs, source) = mpsc::channel::<String>();
    // An iterator of one's own, whose wait cannot be ended.
    let source = std::iter::from_fn(move || source.recv().ok());
    let pool = Pool::builder().num_threads(3).retry(RetryPolicy::new(3)).job_queue(source);
    let pool = pool.build().unwrap();
    jobs.send(farm.url("/series/due/503,200?retry-after=1")).unwrap();
    within(LIMIT, move || {
        while pool.stats().delayed == 0 {
            thread::yield_now();
        }
        // One worker is busy with this, one waits in the source.
        jobs.send(farm.url("/gate/1")).unwrap();
        farm.wait_at_gate(1);
        let retried = pool.get_response().unwrap();
        assert_eq!((retried.index(), retried.status()), (0, 200));
        farm.open_gate();
        drop(jobs);
        assert_eq!(pool.responses().count(), 1);
    });
}

#[test]
fn jobs_that_are_cancelled_while_they_wait_make_room_for_others_at_once() {
    let farm = Farm::new();
    let token = CancelToken::new();
    // As many as may wait for each thread.
    let mut jobs: Vec<Request> = (0..16)
        .map(|n| Request::get(farm.url(&format!("/series/room{n}/503?retry-after=15"))))
        .map(|request| request.cancel_token(&token))
        .collect();
    jobs.push(Request::get(farm.url("/ok/17")));
    let pool = Pool::builder().num_threads(1).retry(RetryPolicy::new(3)).job_queue(jobs);
    let pool = pool.build().unwrap();
    let (response, took) = within(LIMIT, move || {
        while pool.stats().delayed < 16 {
            thread::yield_now();
        }
        timed(|| {
            token.cancel();
            pool.get_response().unwrap()
        })
    });
    assert_eq!(response.text(), "17");
    assert!(took < SOON, "after {took:?}");
}

#[test]
fn a_token_that_comes_late_spoils_no_connection_for_the_next_request() {
    let farm = Farm::new();
    let url = farm.url("/ok/1");
    let mut session = Session::default();
    let (hand_over, tokens) = mpsc::channel::<(CancelToken, Instant, Duration)>();
    let canceller = thread::spawn(move || {
        for (token, start, wait) in tokens {
            while start.elapsed() < wait {
                std::hint::spin_loop();
            }
            token.cancel();
        }
    });
    // The wait is steered to where the request is just over.
    let (mut wait, start) = (Duration::from_micros(60), Instant::now());
    let (mut whole, mut cancelled) = (0, 0);
    while start.elapsed() < Duration::from_secs(2) {
        let token = CancelToken::new();
        hand_over.send((token.clone(), Instant::now(), wait)).unwrap();
        match session.request(Request::get(&url).cancel_token(&token)) {
            Ok(_) => {
                whole += 1;
                wait = wait.saturating_sub(Duration::from_micros(1));
            }
            Err(error) => {
                assert!(error.is_cancelled(), "{error}");
                cancelled += 1;
                wait += Duration::from_micros(1);
            }
        }
        // Not sent a second time, should its connection fail.
        let next = session.request(Request::post(farm.url("/echo")).body("x"));
        assert!(next.is_ok(), "after {whole} and {cancelled}: {}", next.unwrap_err().message());
    }
    drop(hand_over);
    canceller.join().unwrap();
    assert!(whole > 10 && cancelled > 10, "{whole} whole, {cancelled} cancelled");
}

#[test]
fn workers_that_were_given_up_are_not_replaced_without_end() {
    let (dead, farm) = (Dead::new(), Farm::new());
    let url = format!("http://{}/", dead.address());
    let hooks = Arc::new(AtomicUsize::new(0));
    let runs = Arc::clone(&hooks);
    let sleepers = Arc::new(Sleepers::default());
    let mut config = SessionConfig::new();
    config.connect_timeout = Some(Duration::from_secs(5));
    let (jobs, queue) = mpsc::channel();
    let pool = Pool::builder()
        .num_threads(2)
        .session(config)
        .initializer(move |_: &mut SessionConfig| {
            runs.fetch_add(1, Ordering::SeqCst);
        })
        .observer(Arc::clone(&sleepers))
        .job_queue(queue)
        .build()
        .unwrap();
    within(LIMIT, move || {
        let start = Instant::now();
        for index in 0..4 {
            let token = CancelToken::new();
            jobs.send(Request::get(&url).cancel_token(&token)).unwrap();
            // It is within its connect.
            sleepers.wait_for(&[index]);
            token.cancel();
            assert!(pool.get_exception().unwrap().is_cancelled());
        }
        // Two threads, and as many again that end by themselves: there is nobody for this one.
        jobs.send(Request::get(farm.url("/ok/5"))).unwrap();
        let soon = pool.outcome_timeout(Duration::from_millis(300));
        assert!(soon.is_err() || start.elapsed() > Duration::from_secs(5), "{soon:?}");
        assert!(hooks.load(Ordering::SeqCst) <= 4 || start.elapsed() > Duration::from_secs(5));
        // Until one of them has ended.
        if soon.is_err() {
            assert_eq!(pool.get_response().unwrap().text(), "5");
        }
    });
}

#[test]
fn a_cancel_starts_no_threads() {
    let dead = Dead::new();
    let hooks = Arc::new(AtomicUsize::new(0));
    let runs = Arc::clone(&hooks);
    let pool = Pool::builder()
        .num_threads(8)
        .retry(RetryPolicy::new(1))
        .initializer(move |_: &mut SessionConfig| {
            runs.fetch_add(1, Ordering::SeqCst);
        })
        .job_queue(vec![format!("http://{}/", dead.address()); 8])
        .build()
        .unwrap();
    within(LIMIT, move || {
        while pool.stats().in_flight < 8 {
            thread::yield_now();
        }
        pool.cancel();
        assert_eq!(pool.exceptions().count(), 8);
        pool.join_all();
    });
    assert_eq!(hooks.load(Ordering::SeqCst), 8);
}

#[test]
fn an_observer_that_panics_leaves_no_connection_open() {
    struct OnHead;
    impl Observer for OnHead {
        fn head(&self, _: &Observed<'_>, _: u16, _: &fetchpool::Headers) {
            panic!("on purpose");
        }
    }
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        let (mut peer, _) = listener.accept().unwrap();
        peer.set_read_timeout(Some(LIMIT)).unwrap();
        assert!(peer.read(&mut [0; 1024]).unwrap() > 0);
        peer.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n").unwrap();
        // The end comes although the worker has nothing else to do.
        assert_eq!(peer.read(&mut [0]).unwrap(), 0);
    });
    let (jobs, queue) = mpsc::channel();
    let pool = Pool::builder().num_threads(1).observer(OnHead).job_queue(queue).build().unwrap();
    jobs.send(Request::get(url)).unwrap();
    let exception = within(LIMIT, move || pool.get_exception().map(|e| (e.kind(), pool)));
    assert_eq!(exception.unwrap().0, ErrorKind::Panic);
    server.join().unwrap();
    drop(jobs);
}

#[test]
fn hosts_that_nobody_waits_for_any_more_stand_in_nobodys_way() {
    let farm = Farm::new();
    let port = farm.url("").rsplit(':').next().unwrap().to_owned();
    let ended = Arc::new((Mutex::new(false), std::sync::Condvar::new()));
    let gate = Arc::clone(&ended);
    let asked = AtomicUsize::new(0);
    let resolver = move |host: &str, port: u16| {
        if host.starts_with("live") || asked.fetch_add(1, Ordering::SeqCst) >= 80 {
            return Ok(vec![SocketAddr::from((Ipv4Addr::LOCALHOST, port))]);
        }
        let open = gate.1.wait_while(gate.0.lock().unwrap(), |open| !*open);
        drop(open.unwrap());
        Ok(vec![])
    };
    let mut config = SessionConfig::new();
    config.resolver = Some(Arc::new(resolver));
    config.timeout = Some(Duration::from_millis(300));
    // More than there are threads for them.
    let pool = Pool::builder()
        .num_threads(80)
        .session(config.clone())
        .job_queue((0..80).map(|n| format!("http://dead{n}/")))
        .build()
        .unwrap();
    let kinds = within(LIMIT, move || pool.exceptions().map(|e| e.kind()).collect::<Vec<_>>());
    assert_eq!(kinds, vec![ErrorKind::Timeout; 80]);
    config.timeout = Some(LIMIT);
    let mut session = Session::new(config).unwrap();
    for host in ["live", "dead1"] {
        // The second one is asked about anew: the look-up that hangs is given up for good.
        let found = session.request(format!("http://{host}:{port}/ok/1"));
        assert!(found.is_ok() || host == "dead1", "{found:?}", found = found.map(|r| r.status()));
    }
    *ended.0.lock().unwrap() = true;
    ended.1.notify_all();
}

#[test]
fn a_resolver_that_fails_in_a_way_that_cannot_be_printed_is_a_panic_and_no_more() {
    #[derive(Debug)]
    struct Unprintable;
    impl std::fmt::Display for Unprintable {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            panic!("on purpose");
        }
    }
    impl std::error::Error for Unprintable {}
    let mut config = SessionConfig::new();
    config.resolver = Some(Arc::new(|_: &str, _: u16| Err(std::io::Error::other(Unprintable))));
    let error = Session::new(config).unwrap().request("http://some.test/").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Panic);
}

#[test]
fn a_resolver_may_look_names_up_when_it_is_dropped() {
    struct Last(Arc<AtomicBool>);
    impl Resolver for Last {
        fn resolve(&self, _: &str, _: u16) -> std::io::Result<Vec<SocketAddr>> {
            Ok(vec![])
        }
    }
    impl Drop for Last {
        fn drop(&mut self) {
            let refused = Session::default().request("http://localhost:1/").unwrap_err();
            self.0.store(!refused.is_timeout(), Ordering::SeqCst);
        }
    }
    let looked_up = Arc::new(AtomicBool::new(false));
    let last = Last(Arc::clone(&looked_up));
    within(LIMIT, move || {
        let mut config = SessionConfig::new();
        config.resolver = Some(Arc::new(last));
        let mut session = Session::new(config).unwrap();
        assert!(session.request("http://some.test/").unwrap_err().is_dns());
        drop(session);
        while !looked_up.load(Ordering::SeqCst) {
            thread::yield_now();
        }
    });
}

#[test]
fn a_resolver_that_was_done_without_may_look_names_up_when_it_is_dropped() {
    // Look-up threads are the process's, and here all of them are taken.
    let name = "traps::a_resolver_that_was_done_without_may_look_names_up_when_it_is_dropped";
    crate::child::alone(name, || {
        struct Slow(Gate, Gate);
        impl Resolver for Slow {
            fn resolve(&self, _: &str, _: u16) -> std::io::Result<Vec<SocketAddr>> {
                self.0.wait();
                Ok(vec![])
            }
        }
        impl Drop for Slow {
            fn drop(&mut self) {
                let mut config = SessionConfig::new();
                config.timeout = Some(Duration::from_millis(200));
                let _ = Session::new(config).unwrap().request("http://localhost:1/");
                self.1.open();
            }
        }
        let (answer, dropped) = (Gate::new(), Gate::new());
        let mut config = SessionConfig::new();
        config.resolver = Some(Arc::new(Slow(answer.clone(), dropped.clone())));
        config.timeout = Some(Duration::from_millis(100));
        let given_up = Session::new(config).unwrap().request("http://slow.test/").unwrap_err();
        assert!(given_up.is_timeout());

        let (gate, asked) = (Gate::new(), Arc::new(AtomicUsize::new(0)));
        let (held, count) = (gate.clone(), Arc::clone(&asked));
        let mut config = SessionConfig::new();
        config.resolver = Some(Arc::new(move |_: &str, _: u16| {
            count.fetch_add(1, Ordering::SeqCst);
            held.wait();
            Ok(vec![])
        }));
        let hosts = (0..64).map(|n| format!("http://h{n}.test/"));
        let pool = Pool::builder().num_threads(64).session(config).job_queue(hosts);
        let pool = pool.build().unwrap();
        while asked.load(Ordering::SeqCst) < 64 {
            thread::yield_now();
        }
        answer.open();
        assert!(dropped.wait(), "the resolver is dropped where it can look names up");
        gate.open();
        assert_eq!(within(LIMIT, move || pool.exceptions().count()), 64);
    });
}

#[test]
fn a_drain_sees_the_deadline_of_the_pool() {
    let farm = Farm::new();
    let (jobs, source) = mpsc::channel::<String>();
    jobs.send(farm.url("/series/drain/503?retry-after=1")).unwrap();
    let (ask, asked) = mpsc::channel();
    let source = std::iter::from_fn(move || {
        ask.send(()).unwrap();
        source.recv().ok()
    });
    let pool = Pool::builder()
        .num_threads(1)
        .deadline(Duration::from_millis(1500))
        .retry(RetryPolicy::new(3))
        .job_queue(source)
        .build()
        .unwrap();
    within(LIMIT, move || {
        // The second time, the only worker comes back with nothing, while the first job waits.
        (0..2).for_each(|_| asked.recv().unwrap());
        assert_eq!(pool.stats().delayed, 1);
        assert!(pool.drain(LIMIT / 2), "{:?}", pool.stats());
        assert_eq!(pool.get_exception().unwrap().clock(), Some(Clock::Deadline));
        drop(jobs);
    });
}

#[test]
fn a_drain_is_not_held_up_by_the_body_budget() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        // All three are taken before there is a byte of a body.
        let peers: Vec<_> = (0..3).map(|_| listener.accept().unwrap().0).collect();
        for mut peer in peers {
            thread::spawn(move || {
                assert!(peer.read(&mut [0; 1024]).unwrap() > 0);
                let head = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 300000\r\n\r\n";
                peer.write_all(head.as_bytes()).unwrap();
                peer.write_all(&[b'x'; 300_000]).unwrap();
                let _ = peer.shutdown(Shutdown::Write);
                let _ = peer.read(&mut [0]);
            });
        }
    });
    let pool = Pool::builder().num_threads(3).body_budget(100_000).job_queue(vec![url; 3]);
    let pool = pool.build().unwrap();
    within(LIMIT, move || {
        while pool.stats().pulled < 3 {
            thread::yield_now();
        }
        assert!(pool.drain(LIMIT / 2), "{:?}", pool.stats());
        assert!(pool.responses().all(|response| response.bytes().len() == 300_000));
    });
    server.join().unwrap();
}

#[test]
fn a_session_thread_survives_what_is_attached_to_a_job_that_nobody_wants() {
    let farm = Farm::new();
    let (jobs, queue) = mpsc::channel();
    let (responses, _) = mpsc::channel();
    let (exceptions, failed) = mpsc::channel();
    let thread = SessionThread::spawn(
        Arc::new(Mutex::new(queue)),
        responses,
        exceptions,
        |_: &mut SessionConfig| {},
    )
    .unwrap();
    jobs.send(Request::get(farm.url("/ok/1")).tag(Bomb)).unwrap();
    jobs.send(Request::get("no URL")).unwrap();
    drop(jobs);
    let next = failed.recv_timeout(LIMIT).unwrap();
    assert_eq!((next.index(), next.kind()), (1, ErrorKind::InvalidUrl));
    within(LIMIT, move || thread.join());
}
