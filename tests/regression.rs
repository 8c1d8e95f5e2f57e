//! Every fault that a review or a user found, as a test of its own.

mod support;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use fetchpool::{ErrorKind, Pool, Request, RetryPolicy, Session, SessionConfig};

use support::farm::within;
use support::script::{Script, ok, redirect};

const LIMIT: Duration = Duration::from_secs(10);

/// The body was read straight into its place, with room for not a byte more: what came with it
/// stayed in the socket, and was taken for the answer to the next request.
#[test]
fn a_response_that_came_with_the_end_of_a_large_body_is_no_answer() {
    for size in [3000, 4096, 8192, 100_000] {
        let body = "a".repeat(size);
        let poison = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison";
        let first = format!("HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n{body}{poison}");
        let server = Script::new().reply(first).accept().reply(ok("right")).serve();
        let mut session = Session::default();
        assert_eq!(session.request(server.url("/1")).unwrap().bytes().len(), size);
        assert_eq!(session.request(server.url("/2")).unwrap().text(), "right", "behind {size}");
    }
}

/// "No connection" was taken to mean that nothing had been sent, also behind a redirect.
#[test]
fn a_post_is_not_sent_again_because_the_hop_behind_it_failed() {
    let dead = support::farm::refused();
    let posts = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&posts);
    let location = format!("http://{dead}/");
    let server = Script::site(move |_| {
        seen.fetch_add(1, Ordering::SeqCst);
        redirect(303, &location)
    });
    let (_, exceptions) = Pool::builder()
        .num_threads(1)
        .retry(RetryPolicy::new(3))
        .map([Request::post(server.url("/pay")).body("1 coin")]);
    assert_eq!(exceptions.map(|e| e.kind()).collect::<Vec<_>>(), [ErrorKind::Connect]);
    assert_eq!(posts.load(Ordering::SeqCst), 1);
}

/// A redirect without an end of its body was read until the request's own time was up.
#[test]
fn a_redirect_whose_body_does_not_end_is_followed_all_the_same() {
    for head in ["", "Content-Length: 10\r\n"] {
        let first = format!("HTTP/1.1 302 Found\r\nLocation: /there\r\n{head}\r\n");
        let server = Script::new().reply(first).accept().reply(ok("there")).serve();
        let started = Instant::now();
        let response = Session::default().request(server.url("/")).unwrap();
        assert_eq!(response.text(), "there");
        assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    }
}

/// How an iterator's length and a hook's error print is the caller's code, too.
#[test]
fn a_panic_in_a_length_or_in_the_text_of_an_error_loses_no_job() {
    struct Jobs(u32);
    impl Iterator for Jobs {
        type Item = Request;
        fn next(&mut self) -> Option<Request> {
            self.0 = self.0.checked_sub(1)?;
            Some(Request::get("not a URL"))
        }
        fn size_hint(&self) -> (usize, Option<usize>) {
            panic!("no idea how many")
        }
    }
    let pool = Pool::builder().num_threads(2).job_queue(Jobs(4)).build().unwrap();
    assert_eq!(within(LIMIT, move || pool.outcomes().count()), 4);

    #[derive(Debug)]
    struct Unprintable;
    impl std::fmt::Display for Unprintable {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            panic!("no words")
        }
    }
    impl std::error::Error for Unprintable {}
    let (_, exceptions) = Pool::builder()
        .num_threads(2)
        .initializer(|_: &mut SessionConfig| Err::<(), _>(Unprintable))
        .map(["http://a.invalid/", "http://b.invalid/", "http://c.invalid/"]);
    assert_eq!(exceptions.map(|e| e.kind()).collect::<Vec<_>>(), [ErrorKind::Panic; 3]);
}

/// Jobs that waited to be tried again had no bound: a server that only says "later" had the whole
/// queue in memory.
#[test]
fn waiting_retries_stop_the_queue_from_being_read() {
    let server = Script::site(|_| support::script::reply("503 Later", "Retry-After: 20\r\n", ""));
    let taken = Arc::new(AtomicUsize::new(0));
    let (seen, url) = (Arc::clone(&taken), server.url("/"));
    let jobs = std::iter::from_fn(move || {
        seen.fetch_add(1, Ordering::SeqCst);
        Some(Request::get(url.as_str()))
    });
    let pool = Pool::builder().num_threads(2).retry(RetryPolicy::new(1)).waiting_capacity(40);
    let pool = pool.job_queue(jobs).build().unwrap();
    let started = Instant::now();
    let mut before = 0;
    // Ends when the queue has not been read for a while.
    loop {
        let until = Instant::now() + Duration::from_millis(200);
        while Instant::now() < until {
            std::thread::yield_now();
        }
        let now = taken.load(Ordering::SeqCst);
        if now > 0 && now == before {
            break;
        }
        before = now;
        assert!(started.elapsed() < LIMIT, "still reading, {now} by now");
    }
    assert!((40..=42).contains(&before), "{before} jobs taken");
    within(LIMIT, move || drop(pool));
}

/// A cancelled pool kept the receiving end of its queue, and a producer waited for ever.
#[test]
fn a_producer_learns_that_the_pool_was_cancelled() {
    let (sender, queue) = mpsc::sync_channel(1);
    let pool = Pool::builder().num_threads(2).job_queue(queue).build().unwrap();
    let producer = std::thread::spawn(move || {
        let mut sent = 0;
        while sender.send(Request::get("not a URL")).is_ok() {
            sent += 1;
        }
        sent
    });
    assert!(pool.get_exception().is_some());
    pool.cancel();
    let count = within(LIMIT, move || {
        let rest = pool.outcomes().count();
        let sent = producer.join().unwrap();
        (rest, sent)
    });
    assert!(count.0 <= count.1);
}

/// The queue of outcomes is allocated at once.
#[test]
fn no_number_of_threads_or_outcomes_is_too_large() {
    let (_, exceptions) = Pool::builder()
        .num_threads(usize::MAX)
        .outcome_capacity(usize::MAX)
        .map(["not a URL", "nor this"]);
    assert_eq!(exceptions.len(), 2);
    let (_, exceptions) = Pool::builder().num_threads(usize::MAX).map(["not a URL"]);
    assert_eq!(exceptions.len(), 1);
}

/// A tunnel was taken for a response, and its connection used again.
#[test]
fn connect_is_refused() {
    let error = Session::default().request(Request::new("connect", "http://127.0.0.1:9/"));
    assert_eq!(error.unwrap_err().kind(), ErrorKind::InvalidRequest);
}

/// An interim response stopped the upload for good.
#[test]
fn an_interim_response_during_an_upload_does_not_end_it() {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    const SIZE: usize = 16 << 20;
    let server = std::thread::spawn(move || {
        let (mut peer, _) = listener.accept().unwrap();
        peer.set_read_timeout(Some(LIMIT)).unwrap();
        // Before it was asked it would be no answer at all.
        let mut received = peer.read(&mut [0]).unwrap();
        peer.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").unwrap();
        // Reads no more until the client must have come to a stop.
        let until = Instant::now() + Duration::from_millis(300);
        while Instant::now() < until {
            std::thread::yield_now();
        }
        let mut buffer = vec![0; 1 << 16];
        while received < SIZE {
            received += peer.read(&mut buffer).unwrap();
        }
        peer.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nmine").unwrap();
    });
    let response = Session::default().request(Request::post(url).body(vec![b'x'; SIZE])).unwrap();
    assert_eq!(response.text(), "mine");
    server.join().unwrap();
}

/// On a port of this machine that nobody listens on, one connection in some thousands was
/// connected to itself, and read its own request for an answer.
#[test]
fn a_socket_is_not_connected_to_itself() {
    let given = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    // Linux gives odd ports to those who bind and even ones to those who connect, or the other
    // way round: the neighbour is of the kind that a client may be given.
    let mut session = Session::default();
    let url = format!("http://127.0.0.1:{}/", given.port() ^ 1);
    for attempt in 0..20_000 {
        let error = session.request(url.as_str()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connect, "attempt {attempt}: {}", error.message());
    }
}
