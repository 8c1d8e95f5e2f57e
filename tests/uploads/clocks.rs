//! The time that a reader takes, and a peer that reads no more.

use std::thread;
use std::time::{Duration, Instant};

use super::*;
use crate::support::farm::within;
use crate::support::script::Gate;
use fetchpool::{CancelToken, Clock, ErrorKind, Phase, Pool};

const MS: fn(u64) -> Duration = Duration::from_millis;

/// A reader without end that takes its time for each byte.
fn slow(pause: Duration) -> impl Read + Send + 'static {
    By(move |into: &mut [u8]| {
        // The pace of a slow reader.
        thread::sleep(pause);
        into[0] = b'x';
        Ok(1)
    })
}

#[test]
fn the_time_of_the_reader_counts_in_the_requests_timeout() {
    let server = Script::new().request_head().serve();
    for pause in [10, 250] {
        let began = Instant::now();
        let request = Request::put(server.url("/")).body(Body::reader(slow(MS(pause))));
        let error = fetch(request.timeout(MS(200))).unwrap_err();
        assert_eq!((error.kind(), error.clock()), (ErrorKind::Timeout, Some(Clock::Request)));
        assert_eq!(error.phase(), Some(Phase::Sending), "{error}");
        let took = began.elapsed();
        assert!(took >= MS(200) && took < MS(1500), "{took:?}, with {pause} ms for a read");
    }
}

#[test]
fn a_reader_that_is_interrupted_without_end_is_ended_by_the_timeout() {
    let server = Script::new().request_head().serve();
    let reader = By(|_: &mut [u8]| Err(io::ErrorKind::Interrupted.into()));
    let request = Request::put(server.url("/")).body(Body::reader(reader)).timeout(MS(200));
    let error = within(PATIENCE, move || fetch(request)).unwrap_err();
    assert_eq!((error.kind(), error.phase()), (ErrorKind::Timeout, Some(Phase::Sending)));
}

#[test]
fn the_time_of_the_reader_is_no_stall_of_the_servers() {
    let server = friendly();
    let mut session = session(|config| config.stall_timeout = Some(MS(150)));
    let body = Body::sized_reader(slow(MS(400)), 2);
    assert_eq!(session.request(Request::put(server.url("/")).body(body)).unwrap().text(), "ok");
}

/// Peers that read the head of a request and then nothing, and the settings to go there.
fn deaf() -> Vec<(String, SessionConfig, Box<dyn std::any::Any>)> {
    let server = Script::new().request_head().deaf().repeat().serve();
    #[cfg_attr(not(feature = "tls"), expect(unused_mut, reason = "there is one more with TLS"))]
    let mut peers: Vec<(String, SessionConfig, Box<dyn std::any::Any>)> =
        vec![(server.url("/"), SessionConfig::new(), Box::new(server))];
    #[cfg(feature = "tls")]
    {
        use crate::support::tls::{Ca, Then, TlsServer};
        let ca = Ca::new();
        let server = TlsServer::answering_early(ca.good(), |_| Then::Silence.after(""));
        let mut config = SessionConfig::new();
        config.tls.add_root_pem(ca.pem());
        peers.push((server.url("/"), config, Box::new(server)));
    }
    peers
}

/// Bodies without end.
fn endless() -> [Body; 2] {
    [Body::reader(io::repeat(b'x')), Body::sized_reader(io::repeat(b'x'), 1 << 40)]
}

#[test]
fn a_peer_that_reads_no_more_of_a_stream_is_ended_by_the_timeout_and_is_a_stall() {
    for (url, config, _peer) in deaf() {
        for (body, clock) in endless().into_iter().zip([Clock::Request, Clock::Stall]) {
            let mut config = config.clone();
            match clock {
                Clock::Stall => config.stall_timeout = Some(MS(600)),
                _ => config.timeout = Some(MS(600)),
            }
            let request = Request::post(url.as_str()).body(body);
            let error = within(PATIENCE, move || Session::new(config)?.request(request));
            let error = error.unwrap_err();
            assert_eq!(error.clock(), Some(clock), "{error}");
            assert_eq!(error.phase(), Some(Phase::Sending), "{error}");
        }
    }
}

#[test]
fn an_upload_that_is_stuck_is_cancelled_at_once() {
    for (url, config, _peer) in deaf() {
        for length in [None, Some(1 << 40)] {
            let token = CancelToken::new();
            let counted = Counted::new(usize::MAX);
            let body = match length {
                Some(length) => Body::sized_reader(counted.clone(), length),
                None => Body::reader(counted.clone()),
            };
            let request = Request::post(url.as_str()).body(body).cancel_token(&token);
            let mut config = config.clone();
            config.timeout = None;
            let sending = thread::spawn(move || Session::new(config)?.request(request));
            while counted.given() < 1 << 20 {
                thread::yield_now();
            }
            token.cancel();
            let error = within(PATIENCE, move || sending.join().unwrap()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Cancelled, "{error}");
        }
    }
}

#[test]
fn a_cancel_while_the_reader_is_at_work_is_obeyed_when_it_returns() {
    let server = Script::new().request_head().serve();
    let token = CancelToken::new();
    let reader = By({
        let token = token.clone();
        move |into: &mut [u8]| {
            token.cancel();
            Ok(into.len())
        }
    });
    let request = Request::put(server.url("/")).body(Body::reader(reader)).cancel_token(&token);
    assert_eq!(fetch(request).unwrap_err().kind(), ErrorKind::Cancelled);
    server.wait_for_end_of(0);
    assert_eq!(server.requests().len(), 1, "nothing of the body was sent");
}

#[test]
fn a_pool_that_is_cancelled_gets_the_outcome_of_a_reader_that_blocks_when_it_returns() {
    let (begun, go_on) = (Gate::new(), Gate::new());
    let server = Script::new().request_head().serve();
    let reader = By({
        let (begun, go_on) = (begun.clone(), go_on.clone());
        move |_: &mut [u8]| {
            begun.open();
            go_on.wait();
            Ok(0)
        }
    });
    let job = Request::put(server.url("/")).body(Body::reader(reader));
    let pool = Pool::builder().num_threads(1).job_queue([job]).build().unwrap();
    assert!(begun.wait());
    pool.cancel();
    go_on.open();
    let outcomes: Vec<_> = within(PATIENCE, move || pool.exceptions().collect());
    assert_eq!(outcomes.len(), 1);
    assert_eq!(outcomes[0].kind(), ErrorKind::Cancelled);
}
