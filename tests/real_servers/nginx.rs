//! nginx over plain HTTP. Connections are counted from its own log.

use fetchpool::{ErrorKind, Pool, Request, Version};

use super::support::{
    fail, fetch, mark, nginx_log, open, per_connection, response, session, setting,
};

fn url(path: &str) -> String {
    setting("NGINX") + path
}

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn ten_thousand_small_gets_on_eight_threads_open_exactly_eight_connections() {
    let mark = mark("ten-thousand");
    let small = url(&format!("/small.txt?{mark}"));
    let jobs = (0..10_000).map(move |_| Request::get(&small));
    let pool = Pool::builder().num_threads(8).job_queue(jobs).build().expect("a pool");

    let mut seen = vec![false; 10_000];
    for outcome in pool.outcomes() {
        let index = usize::try_from(outcome.index()).expect("an index");
        assert!(!seen[index], "job {index} came twice");
        seen[index] = true;
        let response = response(outcome);
        assert_eq!((response.status(), response.bytes()), (200, &b"small\n"[..]));
    }
    assert!(seen.into_iter().all(|seen| seen));

    let connections = per_connection(&nginx_log(&mark, 10_000));
    assert_eq!(connections.len(), 8, "requests on each connection: {connections:?}");
}

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn a_connection_that_nginx_ends_after_seven_requests_is_replaced() {
    let mark = mark("seven");
    let small = format!("{}/small.txt?{mark}", setting("NGINX_SEVEN"));
    let jobs = (0..700).map(move |_| Request::get(&small));
    let pool = Pool::builder().num_threads(4).job_queue(jobs).build().expect("a pool");
    assert_eq!(
        pool.outcomes().map(response).filter(|response| response.status() == 200).count(),
        700
    );

    let connections = per_connection(&nginx_log(&mark, 700));
    assert!(connections.values().all(|requests| *requests <= 7), "{connections:?}");
    // Each worker's last connection may be cut short by the end of the work.
    assert!(connections.len() <= 700 / 7 + 4, "{} connections", connections.len());
}

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn a_session_without_keep_alive_opens_a_connection_for_each_request() {
    let mark = mark("no-keep-alive");
    let mut config = fetchpool::SessionConfig::new();
    config.keep_alive = false;
    let mut session = open(config);
    for _ in 0..5 {
        let response = session.request(url(&format!("/small.txt?{mark}"))).expect("a response");
        assert!(!response.timings().reused);
    }
    assert_eq!(per_connection(&nginx_log(&mark, 5)).len(), 5);
}

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn responses_without_a_body_leave_the_connection_fit_for_the_next() {
    let mark = mark("bodiless");
    let mut session = session();
    let small = url(&format!("/small.txt?{mark}"));

    let head = session.request(Request::head(&small)).expect("HEAD");
    assert_eq!(
        (head.status(), head.bytes(), head.header("content-length")),
        (200, &b""[..], Some("6"))
    );
    let empty = session.request(Request::get(url(&format!("/empty?{mark}")))).expect("204");
    assert_eq!((empty.status(), empty.bytes()), (204, &b""[..]));
    let tag = head.header("etag").expect("nginx tags files");
    let unchanged =
        session.request(Request::get(&small).header("If-None-Match", tag)).expect("304");
    assert_eq!((unchanged.status(), unchanged.bytes()), (304, &b""[..]));
    let nothing = session.request(url(&format!("/empty.txt?{mark}"))).expect("an empty file");
    assert_eq!((nothing.status(), nothing.bytes()), (200, &b""[..]));
    let last = session.request(&small).expect("GET");
    assert_eq!((last.status(), last.bytes()), (200, &b"small\n"[..]));
    assert!(last.timings().reused);

    let hits = nginx_log(&mark, 5);
    assert_eq!(per_connection(&hits).len(), 1);
    assert_eq!(hits.iter().map(|hit| hit.status).collect::<Vec<_>>(), [200, 204, 304, 200, 200]);
}

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn what_nginx_compressed_is_the_file_again() {
    let plain = fetch(url("/lines.txt"));
    assert_eq!(plain.header("content-encoding"), None);
    assert_eq!(plain.bytes().len(), 1 << 20);
    // Compressed on the way, so its length is not known beforehand: gzip inside chunked.
    let packed = fetch(url("/gzip/lines.txt"));
    assert!(packed.bytes() == plain.bytes());

    let mut config = fetchpool::SessionConfig::new();
    config.decompress = false;
    let request = Request::get(url("/gzip/lines.txt")).header("Accept-Encoding", "gzip");
    let raw = open(config).request(request).expect("a response");
    assert_eq!(raw.header("content-encoding"), Some("gzip"));
    assert_eq!(raw.bytes().get(..2), Some(&[0x1f, 0x8b][..]));
    assert!(raw.bytes().len() < plain.bytes().len() / 4);
}

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn a_part_of_a_file_is_a_206() {
    let part = fetch(Request::get(url("/lines.txt")).header("Range", "bytes=16-31"));
    assert_eq!((part.status(), part.text().as_ref()), (206, "line 0000000001\n"));
    assert_eq!(part.header("content-range"), Some("bytes 16-31/1048576"));
}

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn the_absolute_redirect_that_nginx_writes_is_followed_on_the_same_connection() {
    let response = fetch(url("/moved"));
    assert_eq!((response.status(), response.bytes()), (200, &b"small\n"[..]));
    assert_eq!(response.url(), url("/small.txt"));
    let [hop] = response.history() else { panic!("{:?}", response.history()) };
    assert_eq!((hop.status(), hop.url()), (301, url("/moved").as_str()));
    assert!(response.timings().reused);
    assert_eq!(response.version(), Version::Http11);
}

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn a_missing_file_is_a_response_and_a_missing_answer_is_an_exception() {
    assert_eq!(fetch(url("/missing")).status(), 404);
    let error = fail(url("/gone"));
    assert_eq!(error.kind(), ErrorKind::Closed, "{}", error.message());

    let (responses, exceptions) =
        fetchpool::map([url("/missing"), url("/gone"), url("/small.txt")]);
    assert_eq!((responses.len(), exceptions.len()), (2, 1));
    assert_eq!(exceptions.map(|exception| exception.index()).collect::<Vec<_>>(), [1]);
}
