//! `python3 -m http.server`: HTTP/1.0, one connection for each request.

use fetchpool::{Pool, Request, Version};

use super::support::{fetch, response, setting};

fn url(path: &str) -> String {
    setting("HTTP_SERVER") + path
}

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn every_outcome_arrives_though_each_connection_is_closed() {
    let jobs = (0..200).map(|n| match n % 4 {
        0 => Request::get(url("/small.txt")),
        1 => Request::head(url("/small.txt")),
        2 => Request::get(url("/empty.txt")),
        _ => Request::get(url("/missing.txt")),
    });
    let pool = Pool::builder().num_threads(4).job_queue(jobs).build().expect("a pool");
    let mut seen = vec![false; 200];
    for outcome in pool.outcomes() {
        let index = usize::try_from(outcome.index()).expect("an index");
        assert!(!seen[index], "job {index} came twice");
        seen[index] = true;
        let response = response(outcome);
        let body = if index % 4 == 0 { &b"small\n"[..] } else { b"" };
        if index % 4 == 3 {
            assert_eq!(response.status(), 404);
        } else {
            assert_eq!((response.status(), response.bytes()), (200, body));
        }
        assert_eq!(response.version(), Version::Http10);
        assert!(!response.timings().reused);
    }
    assert!(seen.into_iter().all(|seen| seen));
}

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn a_file_and_a_listing_come_whole() {
    let lines = fetch(url("/lines.txt"));
    assert_eq!((lines.status(), lines.bytes().len()), (200, 1 << 20));
    assert!(lines.text().ends_with("line 0000065535\n"));
    let listing = fetch(url("/"));
    assert!(listing.text().contains("lines.txt"));
}
