//! Bodies that a pool receives elsewhere than in memory: budgets, retries and counts.

use super::*;
use fetchpool::{ErrorKind, Outcome, Pool, RetryPolicy};
use support::script::{ok, reply};

#[test]
fn a_body_that_does_not_go_to_memory_takes_nothing_of_the_budget() {
    let folder = Folder::new();
    let body = pattern(1 << 20);
    let server = Script::site({
        let body = body.clone();
        move |_| ok(&body)
    });
    let jobs: Vec<Request> = (0..8)
        .map(|job| {
            let request = Request::get(server.url("/"));
            request.receive(Receive::file(folder.path(&format!("{job}"))))
        })
        .collect();
    // With a budget of one byte, a second outcome that counted would never be begun.
    let pool = Pool::builder().num_threads(4).body_budget(1).job_queue(jobs).build().unwrap();
    let started = std::time::Instant::now();
    while pool.stats().buffered < 8 {
        assert!(started.elapsed() < PATIENCE, "{:?}", pool.stats());
        std::thread::yield_now();
    }
    assert_eq!(pool.stats().bytes, 8 << 20);
    assert_eq!(pool.responses().filter(|response| response.bytes().is_empty()).count(), 8);
    assert!((0..8).all(|job| folder.read(&format!("{job}")) == body));
}

/// A server that cuts the first answers off, and what a pool that tries again makes of them.
fn retried(cuts: usize, keep: usize, receive: Receive) -> (Server, Outcome) {
    let bytes = ok(pattern(100_000));
    let mut script = Script::new();
    for _ in 0..cuts {
        script = script.reply(&bytes[..keep]).close().accept();
    }
    let server = script.reply(&bytes).serve();
    let job = Request::get(server.url("/")).receive(receive);
    let pool = Pool::builder().num_threads(1).retry(RetryPolicy::new(2)).job_queue([job]);
    let outcome = pool.build().unwrap().outcomes().next().unwrap();
    (server, outcome)
}

#[test]
fn a_body_that_a_caller_has_seen_a_part_of_is_not_sent_for_again() {
    let shared = Shared::default();
    let seen = shared.clone();
    let chunks = Receive::chunks(move |chunk| {
        seen.0.lock().unwrap().bytes.extend(chunk);
        Ok(())
    });
    for receive in [shared.receive(), chunks] {
        shared.0.lock().unwrap().bytes.clear();
        let (server, outcome) = retried(1, 60_000, receive);
        assert_eq!(outcome.result().unwrap_err().kind(), ErrorKind::Closed);
        assert_eq!(server.requests().len(), 1);
        let got = shared.bytes();
        assert!(got.len() > 50_000 && got == pattern(got.len()), "once, and in order");
    }
}

#[test]
fn a_body_that_broke_off_before_a_byte_of_it_came_is_sent_for_again() {
    let shared = Shared::default();
    let head = ok(pattern(100_000)).len() - 100_000;
    for keep in [0, head - 1, head] {
        shared.0.lock().unwrap().bytes.clear();
        let (server, outcome) = retried(2, keep, shared.receive());
        assert_eq!(outcome.result().unwrap().body_len(), 100_000);
        assert_eq!(server.requests().len(), 3);
        assert!(shared.bytes() == pattern(100_000));
    }
}

#[test]
fn a_writer_that_has_a_part_of_a_body_is_not_there_for_the_next_try() {
    let bytes = ok(pattern(100_000));
    let server = Script::new().reply(&bytes[..60_000]).close().accept().reply(&bytes).serve();
    let shared = Shared::default();
    let request = Request::get(server.url("/")).receive(shared.receive());
    let mut session = session(|_| {});
    assert_eq!(session.request(&request).unwrap_err().kind(), ErrorKind::Closed);
    assert!(shared.0.lock().unwrap().dropped);
    let error = session.request(&request).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{}", error.message());
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_file_is_begun_anew_at_each_try() {
    let folder = Folder::new();
    let (server, outcome) = retried(2, 60_000, Receive::file(folder.path("file")));
    assert_eq!(outcome.result().unwrap().body_len(), 100_000);
    assert_eq!(server.requests().len(), 3);
    assert_eq!(folder.names(), ["file"]);
    assert!(folder.read("file") == pattern(100_000));
}

#[test]
fn a_busy_server_is_asked_again_unless_its_page_went_to_a_caller() {
    for hand_over in [false, true] {
        let answers = AtomicU32::new(0);
        let server = Script::site(move |_| match answers.fetch_add(1, Ordering::Relaxed) {
            0 => reply("503 Busy", "Retry-After: 0\r\n", "busy"),
            _ => ok("body"),
        });
        let shared = Shared::default();
        let each = shared.clone();
        let request = Request::get(server.url("/"));
        let job = match hand_over {
            true => request.receive_by(move |_| each.receive()),
            false => request.receive(shared.receive()),
        };
        let pool = Pool::builder().retry(RetryPolicy::new(1)).job_queue([job]).build().unwrap();
        let response = pool.responses().next().unwrap();
        let (status, got): (u16, &[u8]) = if hand_over { (503, b"busy") } else { (200, b"body") };
        assert_eq!((response.status(), shared.bytes()), (status, got.to_vec()));
    }
}

#[test]
fn what_the_disk_refuses_is_not_tried_again() {
    let folder = Folder::new();
    let (server, outcome) = retried(0, 0, Receive::file(folder.path("missing/file")));
    assert_eq!(outcome.result().unwrap_err().kind(), ErrorKind::Io);
    assert_eq!(server.requests().len(), 1);
}
