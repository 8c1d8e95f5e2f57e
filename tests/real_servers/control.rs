//! Order, clocks, counts and cancels of a pool, against servers that others wrote.

use std::time::{Duration, Instant};

use fetchpool::{CancelToken, Clock, ErrorKind, LowSpeed, OnError, Outcome, Pool, Request};

use super::support::{config, mark, nginx_log, per_connection, setting};

/// What a promised 100 ms may take on a busy machine.
const PROMPT: Duration = Duration::from_millis(500);

fn nginx(path: &str) -> String {
    setting("NGINX") + path
}

fn httpbin(path: &str) -> String {
    setting("HTTPBIN") + path
}

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn outcomes_come_in_order_although_httpbin_answers_out_of_order() {
    let delays = ["/delay/0.4", "/delay/0", "/delay/0.2", "/status/503", "/delay/0", "/delay/0.1"];
    let pool = Pool::builder().num_threads(4).ordered().job_queue(delays.map(httpbin));
    let pool = pool.build().expect("a pool");
    let order: Vec<u64> = pool.outcomes().map(|outcome| outcome.index()).collect();
    assert_eq!(order, [0, 1, 2, 3, 4, 5]);
}

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn the_counts_are_those_of_nginx() {
    let mark = mark("counts");
    let small = nginx(&format!("/small.txt?{mark}"));
    let pool = Pool::builder().num_threads(4).job_queue((0..400).map(move |_| small.clone()));
    let pool = pool.build().expect("a pool");
    assert_eq!(pool.responses().count(), 400);
    let (stats, hits) = (pool.stats(), nginx_log(&mark, 400));
    let connections = per_connection(&hits).len() as u64;
    assert_eq!((stats.delivered, stats.responses, stats.bytes), (400, 400, 400 * 6));
    assert_eq!(stats.connections_opened, connections);
    assert_eq!(stats.connections_reused, 400 - connections);
}

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn a_body_that_nginx_holds_back_is_too_slow_and_a_cancel_ends_it_at_once() {
    // 1 MiB at 20 kB a second.
    for root in [setting("NGINX"), setting("NGINX_TLS")] {
        let slow = format!("{root}/slow/lines.txt");
        let mut session = config("control");
        session.low_speed = Some(LowSpeed::new(200_000, Duration::from_secs(1)));
        let pool = Pool::builder().session(session.clone());
        let (_, mut exceptions) = pool.map([&slow]);
        let too_slow = exceptions.next().expect("no response");
        assert_eq!(too_slow.clock(), Some(Clock::LowSpeed), "{}", too_slow.message());

        session.low_speed = None;
        let token = CancelToken::new();
        let jobs = vec![Request::get(&slow).cancel_token(&token); 4];
        let pool = Pool::builder().num_threads(4).session(session).job_queue(jobs);
        let pool = pool.build().expect("a pool");
        while pool.stats().in_flight < 4 {
            std::thread::yield_now();
        }
        // It may be within the handshake, the head, or the body.
        let start = Instant::now();
        token.cancel();
        let kinds: Vec<ErrorKind> = pool.exceptions().map(|e| e.kind()).collect();
        assert_eq!(kinds, [ErrorKind::Cancelled; 4]);
        assert!(start.elapsed() < PROMPT, "{:?}", start.elapsed());
    }
}

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn a_deadline_ends_what_httpbin_is_still_at_and_hands_the_rest_back() {
    let urls =
        [httpbin("/get"), httpbin("/delay/8"), httpbin("/drip?duration=8&numbytes=8"), nginx("/")];
    let limit = Duration::from_millis(1500);
    let pool = Pool::builder().num_threads(1).deadline(limit).job_queue(urls);
    let pool = pool.build().expect("a pool");
    let start = Instant::now();
    let outcomes: Vec<Outcome> = pool.outcomes().collect();
    assert!(start.elapsed() < limit + PROMPT, "{:?}", start.elapsed());
    let [Outcome::Response(first), Outcome::Exception(second)] = &outcomes[..] else {
        panic!("{outcomes:?}")
    };
    assert_eq!((first.status(), second.clock()), (200, Some(Clock::Deadline)));
    assert_eq!(pool.close().count(), 2);
}

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn the_first_failure_ends_the_batch_and_the_rest_goes_on_in_another_pool() {
    let mark = mark("resumed");
    let small = nginx(&format!("/small.txt?{mark}"));
    let jobs = (0..200).map(move |n| if n == 20 { "no URL".to_owned() } else { small.clone() });
    let pool = Pool::builder().num_threads(2).on_error(OnError::Stop).job_queue(jobs);
    let pool = pool.build().expect("a pool");
    let (responses, failed): (Vec<Outcome>, _) = pool.outcomes().partition(Outcome::is_response);
    let kinds: Vec<ErrorKind> = failed
        .iter()
        .filter_map(|outcome| match outcome {
            Outcome::Response(_) => None,
            Outcome::Exception(exception) => Some(exception.kind()),
        })
        .collect();
    assert!(kinds.contains(&ErrorKind::InvalidUrl) && kinds.len() <= 2, "{kinds:?}");
    let rest = Pool::builder().num_threads(2).job_queue(pool.close()).build().expect("a pool");
    let more = rest.responses().count();
    assert_eq!(responses.len() + failed.len() + more, 200);
}
