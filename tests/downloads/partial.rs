//! A body that breaks off: the error has the response, marked as partial, with what arrived.

use std::time::Duration;

use super::*;
use fetchpool::{CancelToken, ErrorKind};
#[cfg(feature = "gzip")]
use support::script::reply;
use support::script::{Gate, ok};

#[test]
fn a_body_that_is_cut_off_carries_what_arrived() {
    let body = pattern(100_000);
    for bytes in &framings("200 OK", "X-Kept: yes\r\n", &body)[..2] {
        let head = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
        for cut in [head, head + 10, head + 60_000] {
            let server = once(&bytes[..cut]);
            let error = fetch(Request::get(server.url("/"))).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Closed);
            let response = error.response().expect("a response");
            assert!(response.is_partial());
            assert_eq!((response.status(), response.header("x-kept")), (200, Some("yes")));
            assert_eq!(response.url(), server.url("/"));
            let got = response.bytes();
            assert_eq!(got, &body[..got.len()]);
            assert_eq!(response.body_len(), got.len() as u64);
            // In chunks, some of what came is framing.
            let came = cut - head;
            assert!(got.len() <= came && got.len() + 80 >= came, "{} of {came}", got.len());
            let len = got.len();
            assert_eq!(error.into_response().unwrap().into_bytes(), &body[..len]);
        }
    }
}

#[test]
fn a_timeout_and_a_cancel_carry_what_arrived() {
    for cancel in [false, true] {
        let sent = Gate::new();
        let server = Script::new().reply(&ok("one two three")[..46]).open(&sent).deaf().serve();
        let token = CancelToken::new();
        let mut request = Request::get(server.url("/")).cancel_token(&token);
        if !cancel {
            request = request.timeout(Duration::from_millis(300));
        }
        let seen = Gate::new();
        let error = std::thread::scope(|scope| {
            let sending = scope.spawn(|| {
                let mut session = session(|config| {
                    config.observer = Some(Arc::new(Head(seen.clone())));
                });
                session.request(request).unwrap_err()
            });
            if cancel {
                assert!(sent.wait() && seen.wait());
                token.cancel();
            }
            sending.join().unwrap()
        });
        assert_eq!((error.is_timeout(), error.is_cancelled()), (!cancel, cancel));
        let response = error.response().expect("a response");
        assert!(response.is_partial());
        assert_eq!(response.bytes(), b"one two");
    }
}

/// Opens a gate when the head of a response is there.
struct Head(Gate);

impl fetchpool::Observer for Head {
    fn head(&self, _: &fetchpool::Observed<'_>, _: u16, _: &fetchpool::Headers) {
        self.0.open();
    }
}

#[cfg(feature = "gzip")]
#[test]
fn a_coded_body_that_breaks_carries_what_was_decoded() {
    use std::io::Write as _;
    let body = pattern(300_000);
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    encoder.write_all(&body).unwrap();
    let coded = encoder.finish().unwrap();
    let mut wrong = coded.clone();
    *wrong.last_mut().unwrap() ^= 1;
    let fields = "Content-Encoding: gzip\r\n";
    let cut = &coded[..coded.len() - 10_000];
    let broken_off = reply("200 OK", fields, &coded)[..200_000].to_vec();
    for (bytes, kind, least) in [
        (broken_off, ErrorKind::Closed, 150_000),
        (reply("200 OK", fields, cut), ErrorKind::Decode, 250_000),
        (reply("200 OK", fields, &wrong), ErrorKind::Decode, 250_000),
    ] {
        let server = once(bytes);
        let error = fetch(Request::get(server.url("/"))).unwrap_err();
        assert_eq!(error.kind(), kind, "{}", error.message());
        let response = error.response().expect("a response");
        assert!(response.is_partial());
        let got = response.bytes();
        assert!(got.len() >= least && got == &body[..got.len()], "{} bytes", got.len());
    }
}

#[test]
fn a_body_that_is_refused_carries_its_head_and_no_more_than_the_limit() {
    let mut session = session(|config| config.limits.body_bytes = 1000);
    let announced = once(ok(pattern(1001)));
    let unannounced = once([b"HTTP/1.1 200 OK\r\n\r\n", pattern(5000).as_slice()].concat());
    for (server, most) in [(announced, 0), (unannounced, 1000)] {
        let error = session.request(server.url("/")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge);
        let response = error.response().expect("a response");
        assert!(response.is_partial() && response.status() == 200);
        assert!(response.bytes().len() <= most, "{}", response.bytes().len());
        assert_eq!(response.bytes(), &pattern(5000)[..response.bytes().len()]);
    }
}

#[test]
fn a_whole_body_is_not_partial_and_an_error_before_the_head_has_no_response() {
    assert!(!fetch(Request::get(once(ok("body")).url("/"))).unwrap().is_partial());
    for bytes in ["", "HTTP/1.1 200 OK\r\n", "SSH-2.0-x\r\n\r\n"] {
        let error = fetch(Request::get(once(bytes).url("/"))).unwrap_err();
        assert!(error.response().is_none(), "{bytes:?}");
    }
}

#[test]
fn bytes_that_an_error_keeps_count_in_the_budget_of_a_pool() {
    let body = pattern(1 << 20);
    let bytes = ok([&body[..], b"more"].concat());
    let cut = bytes[..bytes.len() - 4].to_vec();
    let server = Script::new().reply(cut).close().repeat().serve();
    let pool = fetchpool::Pool::builder()
        .num_threads(1)
        .body_budget(1 << 20)
        .job_queue(vec![server.url("/"); 3])
        .build()
        .unwrap();
    let mut exceptions = pool.exceptions();
    // The first one fills the budget: until it is read, no second is begun.
    let started = std::time::Instant::now();
    while pool.stats().buffered == 0 {
        assert!(started.elapsed() < PATIENCE);
        std::thread::yield_now();
    }
    assert_eq!(pool.stats().pulled, 1);
    assert_eq!(pool.stats().bytes, 1 << 20);
    for exception in exceptions.by_ref().take(3) {
        assert_eq!(exception.response().unwrap().bytes(), body);
    }
    assert_eq!(pool.stats().pulled, 3);
}
