//! `body_budget`: what bodies may take together, and that the pool always goes on (P3, P4).

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use fetchpool::{
    CancelToken, Clock, ErrorKind, OnError, Outcome, Pool, Request, RetryPolicy, SessionConfig,
    Stats,
};

use crate::farm::within;
use crate::script::{Gate, Script, end_of_head, ok, reply};
use crate::standstill::{Sleepers, out_of_budget};

/// The usual patience for what must come.
const LIMIT: Duration = Duration::from_secs(10);

/// How long nothing must move until it counts as standing still.
const STILL: Duration = Duration::from_millis(150);

/// What each thread may be off by.
const OFF: u64 = 64 << 10;

// ---- the bound

#[test]
fn with_an_outcome_unread_no_more_is_received_than_the_budget() {
    const BUDGET: u64 = 1 << 20;
    const BODY: usize = 4 << 20;
    const THREADS: usize = 4;
    let fountain = Fountain::new();
    let mut jobs = vec![fountain.url(10)];
    jobs.extend((1..9).map(|_| fountain.late_url(BODY)));
    let pool = Pool::builder().num_threads(THREADS).body_budget(BUDGET).job_queue(jobs);
    let pool = pool.build().unwrap();
    wait_until(&pool, |stats| stats.buffered == 1);
    fountain.gate.open();
    let received = fountain.received_at_rest();
    println!("{received} bytes received of a budget of {BUDGET}");
    assert!(received <= BUDGET + THREADS as u64 * OFF, "{received} bytes");
    assert!(received >= BUDGET / 2, "{received} bytes: what there is may be used");
    let stats = pool.stats();
    assert_eq!((stats.buffered, stats.in_flight), (1, THREADS as u64));
    within(LIMIT, move || {
        let lengths: Vec<usize> = pool.responses().map(|r| r.bytes().len()).collect();
        assert_eq!(lengths[0], 10);
        assert_eq!(lengths[1..], [BODY; 8]);
    });
}

#[test]
fn of_a_large_budget_all_is_used_and_no_more_than_that() {
    const BUDGET: u64 = 24 << 20;
    const BODY: usize = 32 << 20;
    const THREADS: usize = 4;
    let fountain = Fountain::new();
    let mut jobs = vec![fountain.url(10)];
    jobs.extend((0..THREADS).map(|_| fountain.late_url(BODY)));
    let pool = Pool::builder().num_threads(THREADS).body_budget(BUDGET).job_queue(jobs);
    let pool = pool.build().unwrap();
    wait_until(&pool, |stats| stats.buffered == 1);
    fountain.gate.open();
    fountain.wait_for_bytes(BUDGET);
    let received = fountain.received_at_rest();
    println!("{received} bytes received of a budget of {BUDGET}");
    assert!(received <= BUDGET + THREADS as u64 * OFF, "{received} bytes");
    assert!(received >= BUDGET - OFF, "{received} bytes: what there is may be used");
    within(LIMIT, move || {
        let lengths: Vec<usize> = pool.responses().map(|r| r.bytes().len()).collect();
        assert_eq!(lengths, [10, BODY, BODY, BODY, BODY]);
    });
}

/// Of a body that does not come on nothing is held but what has come of it.
#[test]
fn a_server_that_stops_amid_a_body_keeps_no_memory_from_the_others() {
    const BUDGET: u64 = 8 << 20;
    const BODY: usize = 16 << 20;
    // The first is as much as is received before memory is asked for.
    for sent in [64 << 10, 2 << 20] {
        stops_amid_a_body(BUDGET, BODY, sent);
    }
}

fn stops_amid_a_body(budget: u64, body: usize, sent: usize) {
    let fountain = Fountain::new();
    let halting = fountain.halting_url(sent, body);
    let jobs = [fountain.url(10), halting.clone(), halting];
    let (queue, source) = mpsc::channel();
    jobs.into_iter().for_each(|job| queue.send(job).unwrap());
    let pool = Pool::builder().num_threads(3).body_budget(budget).job_queue(source);
    let pool = pool.build().unwrap();
    wait_until(&pool, |stats| stats.buffered == 1 && stats.in_flight == 2);
    fountain.wait_for_bytes(2 * sent as u64);
    let stopped = fountain.received_at_rest();
    assert!(stopped >= 2 * sent as u64 && stopped < budget, "{stopped} bytes");
    queue.send(fountain.url(body)).unwrap();
    drop(queue);
    fountain.wait_for_bytes(budget);
    let received = fountain.received_at_rest();
    println!("{received} bytes received of a budget of {budget}");
    assert!(received <= budget + 3 * OFF, "{received} bytes");
    assert!(received >= budget - OFF, "{received} bytes: what there is may be used");
    fountain.gate.open();
    within(LIMIT, move || {
        let mut lengths: Vec<usize> = pool.responses().map(|r| r.bytes().len()).collect();
        lengths.sort_unstable();
        assert_eq!(lengths, [10, body, body, body]);
    });
}

#[test]
fn with_nothing_to_read_one_body_may_exceed_the_budget_and_only_one() {
    const BUDGET: u64 = 256 << 10;
    const BODY: usize = 4 << 20;
    const THREADS: usize = 4;
    let fountain = Fountain::new();
    let jobs: Vec<String> = (0..6).map(|_| fountain.late_url(BODY)).collect();
    let pool = Pool::builder().num_threads(THREADS).body_budget(BUDGET).job_queue(jobs);
    let pool = pool.build().unwrap();
    fountain.wait_for_requests(THREADS);
    fountain.gate.open();
    wait_until(&pool, |stats| stats.buffered == 1);
    let received = fountain.received_at_rest();
    let at_most = BODY as u64 + BUDGET + THREADS as u64 * OFF;
    println!("{received} bytes received, with one body of {BODY} and a budget of {BUDGET}");
    assert!(received <= at_most, "{received} bytes instead of {at_most}");
    let stats = pool.stats();
    assert_eq!((stats.buffered, stats.pulled), (1, THREADS as u64), "no further job is started");
    assert_eq!(fountain.requests(), THREADS);
    within(LIMIT, move || {
        assert!(pool.responses().map(|r| r.bytes().len()).eq([BODY; 6]));
    });
}

#[test]
fn bodies_that_wait_to_be_read_stop_further_jobs() {
    // Room for three bodies and a half.
    let fountain = Fountain::new();
    let url = fountain.url(100_000);
    let pool = Pool::builder().num_threads(1).body_budget(350_000);
    let pool = pool.job_queue(std::iter::repeat_n(url, 20)).build().unwrap();
    let received = fountain.received_at_rest();
    assert!((300_000..=350_000 + OFF + 1000).contains(&received), "{received} bytes");
    let stats = pool.stats();
    assert_eq!(stats.buffered, 3);
    assert!(stats.pulled <= 4, "{stats:?}");
    let pool = within(LIMIT, move || {
        for _ in 0..2 {
            assert_eq!(pool.get_response().unwrap().bytes().len(), 100_000);
        }
        pool
    });
    // And what was read made room for as much.
    let received = fountain.received_at_rest();
    assert!((500_000..=550_000 + OFF + 2000).contains(&received), "{received} bytes");
    assert_eq!(pool.stats().buffered, 3);
    assert_eq!(within(LIMIT, move || pool.responses().count()), 18);
}

#[test]
fn a_budget_that_is_not_used_up_holds_nothing_back() {
    let fountain = Fountain::new();
    let url = fountain.url(10_000);
    for budget in [1 << 20, u64::MAX] {
        let pool = Pool::builder().num_threads(3).outcome_capacity(40).body_budget(budget);
        let pool = pool.job_queue(std::iter::repeat_n(url.clone(), 40)).build().unwrap();
        wait_until(&pool, |stats| stats.buffered == 40);
        assert_eq!(within(LIMIT, move || pool.responses().count()), 40);
    }
}

// ---- going on

#[test]
fn whatever_the_budget_every_body_comes_whole() {
    let server = bodies();
    for threads in [1, 4] {
        for budget in [1, 1000, 30_000, 100_000] {
            let jobs: Vec<String> = (0..24_usize)
                .map(|n| {
                    let size = [0, 1, 1000, 70_000][n % 4];
                    let kind = ["length", "chunked", "close"][n % 3];
                    server.url(&format!("/{kind}/{size}"))
                })
                .collect();
            let pool = Pool::builder().num_threads(threads).body_budget(budget).job_queue(jobs);
            let pool = pool.build().unwrap();
            let mut sizes: Vec<(u64, usize)> = within(LIMIT, move || {
                pool.responses().map(|r| (r.index(), r.bytes().len())).collect()
            });
            sizes.sort_unstable();
            let expected = (0..24).map(|n| (n, [0, 1, 1000, 70_000][n as usize % 4]));
            assert_eq!(sizes, expected.collect::<Vec<_>>(), "{threads} threads, {budget} bytes");
        }
    }
}

#[test]
fn with_no_budget_at_all_the_pool_goes_on_one_body_at_a_time() {
    let server = bodies();
    for (threads, size) in [(1, 0), (1, 1), (4, 70_000)] {
        let url = server.url(&format!("/length/{size}"));
        let pool = Pool::builder().num_threads(threads).body_budget(0);
        let pool = pool.job_queue(std::iter::repeat_n(url, 8)).build().unwrap();
        let bodies = within(Duration::from_secs(2), move || {
            pool.responses().map(|response| response.bytes().len()).collect::<Vec<_>>()
        });
        assert_eq!(bodies, [size; 8]);
    }
}

#[cfg(feature = "gzip")]
#[test]
fn a_body_that_is_decoded_counts_as_what_it_becomes() {
    // A hundred kilobytes in a few hundred bytes.
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(&[b'x'; 100_000]).unwrap();
    let body = gzip.finish().unwrap();
    assert!(body.len() < 1000);
    let server = Script::site(move |_| reply("200 OK", "Content-Encoding: gzip\r\n", &body));
    let pool = Pool::builder().num_threads(1).body_budget(250_000);
    let pool = pool.job_queue(std::iter::repeat_n(server.url("/"), 20)).build().unwrap();
    wait_until(&pool, |stats| stats.buffered >= 2);
    let pulled = at_rest(|| pool.stats().pulled);
    assert!((2..=4).contains(&pulled), "{pulled} taken, with room for two and a half");
    within(LIMIT, move || {
        assert!(pool.responses().map(|r| r.bytes().len()).eq([100_000; 20]));
    });
}

#[test]
fn with_a_budget_the_order_does_not_deadlock() {
    for (threads, window, budget) in [(1, 1, 1), (2, 2, 1), (4, 8, 1), (4, 8, 250_000)] {
        let fountain = Fountain::new();
        // The first body comes when the others have used up what there is.
        let mut jobs = vec![fountain.late_url(100_000)];
        jobs.extend((1..20).map(|_| fountain.url(100_000)));
        let pool = Pool::builder().num_threads(threads).ordered_window(window);
        let pool = pool.body_budget(budget).job_queue(jobs).build().unwrap();
        let waiting = at_rest(|| pool.stats().buffered);
        fountain.gate.open();
        let indexes = within(LIMIT, move || {
            pool.responses()
                .map(|response| (response.index(), response.bytes().len()))
                .collect::<Vec<_>>()
        });
        let expected = (0..20).map(|n| (n, 100_000));
        assert_eq!(indexes, expected.collect::<Vec<_>>(), "with {waiting} that waited for it");
    }
}

#[test]
fn a_retry_that_all_others_wait_for_is_made_although_they_have_used_up_the_budget() {
    let turn = AtomicUsize::new(0);
    let server = Script::site(move |request| {
        if request.target() == "/first" && turn.fetch_add(1, Ordering::SeqCst) == 0 {
            return reply("503 Busy", "Retry-After: 1\r\n", "");
        }
        ok([b'x'; 100_000])
    });
    let mut jobs = vec![server.url("/first")];
    jobs.extend((1..10).map(|n| server.url(&format!("/{n}"))));
    let pool = Pool::builder().num_threads(2).ordered_window(4).body_budget(150_000);
    let pool = pool.retry(RetryPolicy::new(1)).job_queue(jobs).build().unwrap();
    let indexes = within(LIMIT, move || {
        pool.responses().map(|r| (r.index(), r.bytes().len())).collect::<Vec<_>>()
    });
    assert_eq!(indexes, (0..10).map(|n| (n, 100_000)).collect::<Vec<_>>());
}

#[test]
fn exceptions_with_bodies_do_not_deadlock_whatever_is_read_first() {
    let server = Script::site(|request| match request.target().as_str() {
        "/good" => ok([b'x'; 60_000]),
        _ => reply("500 Broken", "", [b'x'; 60_000]),
    });
    let pool = |budget: u64, all_bad: bool, ordered: bool| {
        let (good, bad) = (server.url(if all_bad { "/bad" } else { "/good" }), server.url("/bad"));
        let jobs = (0..40).map(move |n| if n % 2 == 0 { good.clone() } else { bad.clone() });
        let builder = Pool::builder()
            .num_threads(4)
            .outcome_capacity(3)
            .body_budget(budget)
            .initializer(|session: &mut SessionConfig| session.http_status_as_error = true)
            .job_queue(jobs);
        let builder = if ordered { builder.ordered_window(3) } else { builder };
        builder.build().unwrap()
    };
    for budget in [1, 100_000] {
        for (all_bad, good) in [(false, 20), (true, 0)] {
            for ordered in [false, true] {
                let own = pool(budget, all_bad, ordered);
                let counts =
                    within(LIMIT, move || (own.responses().count(), own.exceptions().count()));
                assert_eq!(counts, (good, 40 - good));
                let own = pool(budget, all_bad, ordered);
                let counts =
                    within(LIMIT, move || (own.exceptions().count(), own.responses().count()));
                assert_eq!(counts, (40 - good, good));
                let own = pool(budget, all_bad, ordered);
                let count = within(LIMIT, move || {
                    own.join_all();
                    own.outcomes().count()
                });
                assert_eq!(count, 40);
            }
        }
    }
}

#[test]
fn map_keeps_everything_whatever_the_budget() {
    let server = bodies();
    let jobs: Vec<String> = (0..30).map(|_| server.url("/length/50000")).collect();
    let (responses, exceptions) =
        within(LIMIT, move || Pool::builder().num_threads(4).body_budget(1).map(jobs));
    assert_eq!((responses.len(), exceptions.len()), (30, 0));
    assert!(responses.map(|response| response.bytes().len()).all(|length| length == 50_000));
}

#[test]
fn a_reader_that_comes_late_is_served() {
    let fountain = Fountain::new();
    let url = fountain.url(300_000);
    let pool = Pool::builder().num_threads(3).body_budget(100_000);
    let pool = pool.job_queue(std::iter::repeat_n(url, 12)).build().unwrap();
    fountain.received_at_rest();
    let read = within(LIMIT, move || {
        thread::scope(|scope| {
            let readers: Vec<_> = (0..3)
                .map(|n| {
                    let pool = &pool;
                    scope.spawn(move || match n {
                        0 => pool.responses().count(),
                        1 => pool.outcomes().count(),
                        _ => pool.exceptions().count(),
                    })
                })
                .collect();
            readers.into_iter().map(|reader| reader.join().unwrap()).sum::<usize>()
        })
    });
    assert_eq!(read, 12);
}

// ---- giving back

#[test]
fn a_body_that_was_cut_off_gives_its_room_back() {
    let server = Script::new().reply(half()).close().repeat().serve();
    gives_its_room_back(Some(ErrorKind::Closed), |_, _| Request::get(server.url("/")));
}

/// What has come of a large body is read without waiting, and the reset is met by such a read.
#[test]
fn a_large_body_that_was_cut_off_is_no_success_and_gives_its_room_back() {
    for field in ["Content-Length: 900000", "Connection: close"] {
        let head = format!("HTTP/1.1 200 OK\r\n{field}\r\n\r\n");
        let part = head + &"x".repeat(128 << 10);
        let server = Script::new().request_but_one_byte().send(part).close().repeat().serve();
        give_their_room_back(1 << 20, Some(ErrorKind::Closed), |_, _| {
            Request::get(server.url("/"))
        });
    }
}

#[test]
fn a_large_body_that_was_read_gives_its_room_back() {
    let server = bodies();
    for kind in ["length", "close"] {
        let url = server.url(&format!("/{kind}/900000"));
        give_their_room_back(1 << 20, None, |_, _| Request::get(&url));
    }
}

#[test]
fn a_body_that_took_too_long_gives_its_room_back() {
    let server = Script::new().reply(half()).repeat().serve();
    gives_its_room_back(Some(ErrorKind::Timeout), |_, _| {
        Request::get(server.url("/")).timeout(Duration::from_millis(60))
    });
}

#[test]
fn a_body_that_was_cancelled_gives_its_room_back() {
    let server = Script::new().reply(half()).repeat().serve();
    gives_its_room_back(Some(ErrorKind::Cancelled), |pool, sleepers| {
        let token = CancelToken::new();
        let turn = pool.stats().pulled;
        let (sleepers, cancel) = (Arc::clone(sleepers), token.clone());
        thread::spawn(move || {
            sleepers.wait_for_head(turn);
            sleepers.wait_for(&[turn]);
            cancel.cancel();
        });
        Request::get(server.url("/")).cancel_token(&token)
    });
}

#[test]
fn a_body_of_a_redirect_gives_its_room_back() {
    let server = Script::site(|request| match request.target().as_str() {
        "/" => reply("302 Found", "Location: /there\r\n", [b'x'; 45_000]),
        _ => ok(""),
    });
    gives_its_room_back(None, |_, _| Request::get(server.url("/")));
}

#[test]
fn a_body_of_an_answer_that_is_tried_again_gives_its_room_back() {
    let turn = AtomicUsize::new(0);
    let server = Script::site(move |_| match turn.fetch_add(1, Ordering::SeqCst) % 2 {
        0 => reply("503 Busy", "Retry-After: 0\r\n", [b'x'; 45_000]),
        _ => ok(""),
    });
    gives_its_room_back(None, |_, _| Request::get(server.url("/")));
}

/// Half a body of 90,000 bytes.
fn half() -> String {
    "HTTP/1.1 200 OK\r\nContent-Length: 90000\r\n\r\n".to_owned() + &"x".repeat(45_000)
}

/// That these jobs, which end so and each take half of the budget for a while, leave all of it.
#[track_caller]
fn gives_its_room_back(kind: Option<ErrorKind>, job: impl Fn(&Pool, &Arc<Sleepers>) -> Request) {
    give_their_room_back(100_000, kind, job);
}

/// The same, of another budget.
#[track_caller]
fn give_their_room_back(
    budget: u64,
    kind: Option<ErrorKind>,
    job: impl Fn(&Pool, &Arc<Sleepers>) -> Request,
) {
    let server = bodies();
    let sleepers = Arc::new(Sleepers::default());
    let (jobs, queue) = mpsc::channel();
    let pool = Pool::builder().num_threads(1).body_budget(budget).retry(RetryPolicy::new(1));
    let mut pool = pool.observer(Arc::clone(&sleepers)).job_queue(queue).build().unwrap();
    for _ in 0..5 {
        jobs.send(job(&pool, &sleepers)).unwrap();
        let (own, outcome) = within(LIMIT, move || {
            let outcome = pool.outcomes().next().unwrap();
            (pool, outcome)
        });
        assert_eq!(outcome.result().err().map(|error| error.kind()), kind);
        pool = own;
    }
    for _ in 0..2 {
        let url = server.url(&format!("/length/{}", budget * 9 / 20));
        jobs.send(Request::get(url)).unwrap();
    }
    drop(jobs);
    // Unread, these two take nearly all of it.
    wait_until(&pool, |stats| stats.buffered == 2);
    assert_eq!(within(LIMIT, move || pool.responses().count()), 2);
}

// ---- clocks

#[test]
fn the_clocks_of_a_request_stand_still_while_its_body_waits() {
    type Limit = fn(&mut SessionConfig, Duration);
    let limits: [Limit; 2] = [
        |config, limit| config.timeout = Some(limit),
        |config, limit| config.stall_timeout = Some(limit),
    ];
    for set in limits {
        let limit = Duration::from_millis(250);
        let mut config = SessionConfig::new();
        set(&mut config, limit);
        let (_server, pool) = out_of_budget(|builder| builder.session(config), |job| job);
        // A reader that is slow: it waits longer than the request may take.
        thread::sleep(limit * 2);
        assert_eq!(pool.stats().in_flight, 1);
        within(LIMIT, move || {
            assert_eq!(pool.get_response().unwrap().index(), 0);
            let second = pool.outcomes().next().unwrap();
            assert_eq!(second.index(), 1);
            assert_eq!(second.result().unwrap().bytes().len(), 100_000);
        });
    }
}

#[test]
fn the_deadline_of_the_pool_does_not_stand_still() {
    let deadline = Duration::from_millis(700);
    let start = Instant::now();
    let (_server, pool) = out_of_budget(|builder| builder.deadline(deadline), |job| job);
    let outcomes: Vec<Outcome> = within(LIMIT, move || {
        // Without reading anything.
        while pool.stats().buffered < 2 {
            thread::yield_now();
        }
        pool.outcomes().collect()
    });
    assert!(start.elapsed() >= deadline, "{:?}", start.elapsed());
    let [first, second]: [Outcome; 2] = outcomes.try_into().unwrap();
    assert!(first.is_response());
    let error = second.result().unwrap_err();
    assert_eq!((error.kind(), error.clock()), (ErrorKind::Timeout, Some(Clock::Deadline)));
}

// ---- ending

#[test]
fn a_close_while_a_body_waits_lets_it_come_when_there_is_room() {
    let (_server, pool) = out_of_budget(|builder| builder, |job| job);
    within(LIMIT, move || {
        assert_eq!(pool.close().count(), 0);
        assert!(pool.responses().map(|response| response.bytes().len()).eq([100_000; 2]));
    });
}

#[test]
fn a_stop_ends_a_body_that_waits() {
    let server = bodies();
    let gate = Gate::new();
    let late = Script::site({
        let gate = gate.clone();
        move |_| {
            assert!(gate.wait());
            ok([b'x'; 100_000])
        }
    });
    let sleepers = Arc::new(Sleepers::default());
    let (jobs, queue) = mpsc::channel();
    let pool = Pool::builder().num_threads(3).body_budget(50_000).on_error(OnError::Stop);
    let pool = pool.observer(Arc::clone(&sleepers)).job_queue(queue).build().unwrap();
    let bad = Script::new().request().wait(&gate).send("no HTTP at all\r\n\r\n").serve();
    jobs.send(Request::get(bad.url("/"))).unwrap();
    jobs.send(Request::get(late.url("/"))).unwrap();
    bad.wait_for_requests(1);
    late.wait_for_requests(1);
    jobs.send(Request::get(server.url("/length/60000"))).unwrap();
    wait_until(&pool, |stats| stats.buffered == 1);
    gate.open();
    let outcomes: Vec<Outcome> = within(LIMIT, move || {
        pool.join_all();
        pool.outcomes().collect()
    });
    assert_eq!(outcomes.len(), 3);
    for outcome in outcomes {
        match (outcome.index(), outcome.result()) {
            (0, result) => assert_eq!(result.unwrap_err().kind(), ErrorKind::Protocol),
            // It may have been received whole when nothing stopped it any more.
            (1, Err(error)) => assert!(error.is_cancelled(), "{error:?}"),
            (_, result) => assert!(result.is_ok()),
        }
    }
    drop(jobs);
}

/// A server of bodies of a size, in three framings.
fn bodies() -> crate::script::Server {
    Script::site(|request| {
        let target = request.target();
        let (kind, size) = target[1..].split_once('/').unwrap();
        let body = vec![b'x'; size.parse().unwrap()];
        let mut bytes = match kind {
            "chunked" => {
                let mut bytes = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
                for chunk in body.chunks(5000) {
                    bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                    bytes.extend_from_slice(chunk);
                    bytes.extend_from_slice(b"\r\n");
                }
                bytes.extend_from_slice(b"0\r\n\r\n");
                return bytes;
            }
            "close" => b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".to_vec(),
            _ => return ok(body),
        };
        bytes.extend_from_slice(&body);
        bytes
    })
}

/// Waits until the counts of the pool are so.
#[track_caller]
fn wait_until(pool: &Pool, holds: impl Fn(&Stats) -> bool) {
    let patience = Instant::now() + LIMIT;
    while !holds(&pool.stats()) {
        assert!(Instant::now() < patience, "{:?}", pool.stats());
        thread::yield_now();
    }
}

/// The value, when it has not changed for a while.
#[track_caller]
fn at_rest<T: PartialEq>(look: impl Fn() -> T) -> T {
    let patience = Instant::now() + LIMIT;
    let (mut value, mut since) = (look(), Instant::now());
    while since.elapsed() < STILL {
        assert!(Instant::now() < patience, "it does not come to rest");
        thread::yield_now();
        let now = look();
        if now != value {
            (value, since) = (now, Instant::now());
        }
    }
    value
}

/// A server that sends bodies of a size, and knows how much of them was received.
struct Fountain {
    address: SocketAddr,
    /// What those wait for who ask for a [`late_url`](Self::late_url).
    gate: Gate,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    /// Bytes that the system took to be sent.
    sent: AtomicU64,
    requests: AtomicUsize,
    stopped: AtomicBool,
    sockets: Mutex<Vec<TcpStream>>,
}

impl Fountain {
    fn new() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let (shared, gate) = (Arc::new(Shared::default()), Gate::new());
        let acceptor = thread::spawn({
            let (shared, gate) = (Arc::clone(&shared), gate.clone());
            move || {
                for socket in listener.incoming() {
                    let socket = socket.unwrap();
                    if shared.stopped.load(Ordering::SeqCst) {
                        break;
                    }
                    shared.sockets.lock().unwrap().push(socket.try_clone().unwrap());
                    let (shared, gate) = (Arc::clone(&shared), gate.clone());
                    // An error is a client that went, or the end.
                    thread::spawn(move || drop(serve(socket, &shared, &gate)));
                }
            }
        });
        Self { address, gate, shared, acceptor: Some(acceptor) }
    }

    fn url(&self, bytes: usize) -> String {
        format!("http://{}/{bytes}", self.address)
    }

    fn late_url(&self, bytes: usize) -> String {
        format!("http://{}/late/{bytes}", self.address)
    }

    /// So many bytes of the body come at once, the rest when the gate is open.
    fn halting_url(&self, first: usize, bytes: usize) -> String {
        format!("http://{}/halt/{first}/{bytes}", self.address)
    }

    fn requests(&self) -> usize {
        self.shared.requests.load(Ordering::SeqCst)
    }

    /// Waits until so much has been sent, whether it was received or not.
    #[track_caller]
    fn wait_for_bytes(&self, count: u64) {
        let patience = Instant::now() + LIMIT;
        while self.shared.sent.load(Ordering::SeqCst) < count {
            assert!(Instant::now() < patience, "less than {count} bytes");
            thread::yield_now();
        }
    }

    #[track_caller]
    fn wait_for_requests(&self, count: usize) {
        let patience = Instant::now() + LIMIT;
        while self.requests() < count {
            assert!(Instant::now() < patience, "{} of {count} requests", self.requests());
            thread::yield_now();
        }
    }

    /// How many bytes clients have taken, heads included, when no more are taken for a while.
    /// Where the system does not tell what it holds, all that were sent count as taken.
    #[track_caller]
    fn received_at_rest(&self) -> u64 {
        at_rest(|| {
            let sent = self.shared.sent.load(Ordering::SeqCst);
            sent.saturating_sub(held_by_the_system(self.address.port()))
        })
    }
}

impl Drop for Fountain {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        self.gate.open();
        for socket in self.shared.sockets.lock().unwrap().iter() {
            // The client may have gone first.
            let _ = socket.shutdown(Shutdown::Both);
        }
        // Wakes the acceptor; when this fails it is awake already.
        let _ = TcpStream::connect(self.address);
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

fn serve(mut socket: TcpStream, shared: &Shared, gate: &Gate) -> io::Result<()> {
    let mut asked = Vec::new();
    loop {
        while end_of_head(&asked).is_none() {
            let mut piece = [0; 4096];
            let length = socket.read(&mut piece)?;
            if length == 0 {
                return Ok(());
            }
            asked.extend_from_slice(&piece[..length]);
        }
        let head = String::from_utf8_lossy(&asked).into_owned();
        asked.clear();
        shared.requests.fetch_add(1, Ordering::SeqCst);
        let target = head.split(' ').nth(1).unwrap_or_default();
        if target.starts_with("/late/") {
            gate.wait();
        }
        let size: usize = target.rsplit('/').next().and_then(|size| size.parse().ok()).unwrap();
        let mut bytes = format!("HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n").into_bytes();
        bytes.resize(bytes.len() + size, b'x');
        let halt = target.strip_prefix("/halt/").and_then(|rest| rest.split('/').next());
        let head = bytes.len() - size;
        let halt = halt.map_or(0, |first| head + first.parse::<usize>().unwrap());
        for (is_rest, part) in [(false, &bytes[..halt]), (true, &bytes[halt..])] {
            if is_rest && halt > 0 {
                gate.wait();
            }
            let mut rest = part;
            while !rest.is_empty() {
                let length = socket.write(&rest[..rest.len().min(16 << 10)])?;
                shared.sent.fetch_add(length as u64, Ordering::SeqCst);
                rest = &rest[length..];
            }
        }
    }
}

/// How many bytes from this port of a server are still on their way: sent and not acknowledged, or
/// arrived and not read.
fn held_by_the_system(port: u16) -> u64 {
    let Ok(table) = std::fs::read_to_string("/proc/net/tcp") else { return 0 };
    let of_line = |line: &str| {
        // sl local remote state tx:rx …: proc_net_tcp(5), all in hexadecimal.
        let fields: Vec<&str> = line.split_whitespace().collect();
        let port_of = |field: &str| u16::from_str_radix(field.rsplit(':').next()?, 16).ok();
        let (unsent, unread) = fields.get(4)?.split_once(':')?;
        let established = *fields.get(3)? == "01";
        if established && port_of(fields.get(1)?)? == port {
            u64::from_str_radix(unsent, 16).ok()
        } else if established && port_of(fields.get(2)?)? == port {
            u64::from_str_radix(unread, 16).ok()
        } else {
            None
        }
    };
    table.lines().skip(1).filter_map(of_line).sum()
}
