//! Nothing is unbounded: what reaches a ceiling passes, one more does not.

use super::*;
use crate::support::script::reply;
use fetchpool::Fault;

/// The kind of the error that these bytes give under these limits.
fn kind_with(
    bytes: impl AsRef<[u8]>,
    change: impl FnOnce(&mut SessionConfig),
) -> Result<usize, ErrorKind> {
    let server = Script::new().reply(bytes).close().serve();
    match session(change).request(server.url("/")) {
        Ok(response) => Ok(response.bytes().len()),
        Err(error) => {
            assert!(error.kind() != ErrorKind::TooLarge || error.fault() == Fault::Limit);
            Err(error.kind())
        }
    }
}

#[test]
fn a_head_may_be_as_long_as_the_limit_and_not_one_byte_longer() {
    let head =
        "HTTP/1.1 200 OK\r\nX-Filler: abcdefghijklmnopqrstuvwxyz\r\nContent-Length: 2\r\n\r\n";
    let bytes = format!("{head}ok");
    assert_eq!(kind_with(&bytes, |config| config.limits.head_bytes = head.len()), Ok(2));
    let over = kind_with(&bytes, |config| config.limits.head_bytes = head.len() - 1);
    assert_eq!(over, Err(ErrorKind::TooLarge));
}

#[test]
fn the_limit_of_a_head_is_64_kib_by_default() {
    let start = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: ";
    let head = format!("{start}{}\r\n\r\n", "x".repeat((64 << 10) - start.len() - 4));
    assert_eq!(kind_with(format!("{head}ok"), |_| {}), Ok(2));
    let over = head.replacen("X: ", "X: y", 1);
    assert_eq!(kind_with(format!("{over}ok"), |_| {}), Err(ErrorKind::TooLarge));
}

#[test]
fn a_head_without_an_end_is_too_large_before_it_fills_the_memory() {
    for endless in ["X: y\r\n", "x", "X: y\r\n z\r\n"] {
        let start = if endless == "x" { "HTTP/1.1 200 OK\r\nX: " } else { "HTTP/1.1 200 OK\r\n" };
        let server = Script::new().reply(start).send(endless.repeat(100_000)).serve();
        let started = Instant::now();
        let error = fetch(server.url("/")).unwrap_err();
        assert_eq!((error.kind(), error.fault()), (ErrorKind::TooLarge, Fault::Limit), "{endless}");
        assert!(soon(started));
    }
}

#[test]
fn a_head_may_have_as_many_fields_as_the_limit_and_not_one_more() {
    let with = |count: usize| {
        let fields: String = (1..count).map(|n| format!("X-{n}: y\r\n")).collect();
        reply("200 OK", &fields, "ok")
    };
    for limit in [1, 3, 100] {
        let at = kind_with(with(limit), |config| config.limits.head_fields = limit);
        assert_eq!(at, Ok(2), "{limit}");
        let over = kind_with(with(limit + 1), |config| config.limits.head_fields = limit);
        assert_eq!(over, Err(ErrorKind::TooLarge), "{limit}");
    }
    assert_eq!(kind_with(with(256), |_| {}), Ok(2));
    assert_eq!(kind_with(with(257), |_| {}), Err(ErrorKind::TooLarge));
    assert_eq!(kind_with(with(1000), |config| config.limits.head_fields = 1000), Ok(2));
}

#[test]
fn a_status_line_has_a_limit() {
    let line = format!("HTTP/1.1 200 {}", "x".repeat(500));
    let bytes = format!("{line}\r\nContent-Length: 2\r\n\r\nok");
    // Whether the line's end counts is left open here.
    let at = kind_with(&bytes, |config| config.limits.status_line_bytes = line.len() + 2);
    assert_eq!(at, Ok(2));
    let over = kind_with(&bytes, |config| config.limits.status_line_bytes = line.len() - 1);
    assert_eq!(over, Err(ErrorKind::TooLarge));
    let endless = format!("HTTP/1.1 200 {}", "x".repeat(20_000));
    let server = Script::new().reply(endless).serve();
    let started = Instant::now();
    assert_eq!(fetch(server.url("/")).unwrap_err().kind(), ErrorKind::TooLarge);
    assert!(soon(started));
}

#[test]
fn as_many_interim_responses_as_the_limit_are_passed_over_and_not_one_more() {
    let with = |count| [b"HTTP/1.1 102 Processing\r\n\r\n".repeat(count), OK.to_vec()].concat();
    for limit in [0, 1, 5] {
        let at = kind_with(with(limit), |config| config.limits.interim_responses = limit);
        assert_eq!(at, Ok(2), "{limit}");
        let over = kind_with(with(limit + 1), |config| config.limits.interim_responses = limit);
        assert_eq!(over, Err(ErrorKind::TooLarge), "{limit}");
    }
    assert_eq!(kind_with(with(16), |_| {}), Ok(2));
    assert_eq!(kind_with(with(17), |_| {}), Err(ErrorKind::TooLarge));
}

#[test]
fn an_endless_row_of_interim_responses_is_too_large() {
    let interim = "HTTP/1.1 100 Continue\r\n\r\n";
    let server = Script::new().request().drip_on(interim.repeat(10), Duration::ZERO).serve();
    let started = Instant::now();
    assert_eq!(fetch(server.url("/")).unwrap_err().kind(), ErrorKind::TooLarge);
    assert!(soon(started));
}

#[test]
fn a_body_may_be_as_long_as_the_limit_and_not_one_byte_longer() {
    let body = "x".repeat(1000);
    let chunked = format!(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1f4\r\n{}\r\n1f4\r\n{}\r\n0\r\n\r\n",
        &body[..500],
        &body[500..]
    );
    for bytes in [
        reply("200 OK", "", &body),
        chunked.into_bytes(),
        format!("HTTP/1.1 200 OK\r\n\r\n{body}").into_bytes(),
        format!("HTTP/1.0 200 OK\r\n\r\n{body}").into_bytes(),
    ] {
        let at = kind_with(&bytes, |config| config.limits.body_bytes = 1000);
        assert_eq!(at, Ok(1000));
        let over = kind_with(&bytes, |config| config.limits.body_bytes = 999);
        assert_eq!(over, Err(ErrorKind::TooLarge));
    }
    let none = |bytes: &[u8]| kind_with(bytes, |config| config.limits.body_bytes = 0);
    assert_eq!(none(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), Ok(0));
    assert_eq!(none(OK), Err(ErrorKind::TooLarge));
}

#[test]
fn a_length_or_chunk_beyond_the_limit_fails_before_the_body_comes() {
    for head in [
        "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 67108865\r\n\r\n",
    ] {
        let server = Script::new().reply(head).serve();
        let started = Instant::now();
        assert_eq!(fetch(server.url("/")).unwrap_err().kind(), ErrorKind::TooLarge, "{head}");
        assert!(soon(started), "{head}");
    }
}

#[test]
fn a_huge_chunk_takes_no_memory_before_it_comes() {
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nxx";
    let server = Script::new().reply(head).close().serve();
    let error = fetch(server.url("/")).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::TooLarge | ErrorKind::Closed), "{error}");
}

#[test]
fn a_length_that_a_head_request_gets_is_under_no_limit() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n";
    let server = Script::new().reply(head).serve();
    let response = fetch(Request::head(server.url("/"))).unwrap();
    assert_eq!(response.header("content-length"), Some("99999999999"));
}

#[test]
fn chunk_extensions_have_a_limit_for_the_whole_body() {
    let chunk = format!("1;{}\r\nx\r\n", "e".repeat(99));
    let bytes = format!(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{}0\r\n\r\n",
        chunk.repeat(10)
    );
    // Whether the semicolons count is left open here.
    let at = kind_with(&bytes, |config| config.limits.chunk_extension_bytes = 1000);
    assert_eq!(at, Ok(10));
    let over = kind_with(&bytes, |config| config.limits.chunk_extension_bytes = 989);
    assert_eq!(over, Err(ErrorKind::TooLarge));
    let endless =
        format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;{}", "e".repeat(20_000));
    let server = Script::new().reply(endless).serve();
    let started = Instant::now();
    assert_eq!(fetch(server.url("/")).unwrap_err().kind(), ErrorKind::TooLarge);
    assert!(soon(started));
}

#[test]
fn trailers_have_a_limit() {
    let trailers = "X: y\r\n".repeat(10);
    let bytes = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n{trailers}\r\n");
    // Whether line ends count is left open here.
    let at = kind_with(&bytes, |config| config.limits.trailer_bytes = trailers.len() + 2);
    assert_eq!(at, Ok(0));
    let over = kind_with(&bytes, |config| config.limits.trailer_bytes = 39);
    assert_eq!(over, Err(ErrorKind::TooLarge));
    let endless = format!(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n{}",
        "X: y\r\n".repeat(5_000)
    );
    let server = Script::new().reply(endless).serve();
    let started = Instant::now();
    assert_eq!(fetch(server.url("/")).unwrap_err().kind(), ErrorKind::TooLarge);
    assert!(soon(started));
}

#[test]
fn leading_zeros_of_a_chunk_size_are_not_endless() {
    let zeros = "0".repeat(100_000);
    let bytes =
        format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{zeros}1\r\nx\r\n0\r\n\r\n");
    let kind = kind_with(bytes, |_| {}).unwrap_err();
    assert!(matches!(kind, ErrorKind::TooLarge | ErrorKind::Protocol), "{kind}");
}

#[test]
fn a_limit_that_was_exceeded_is_named_and_costs_the_connection_only() {
    let server = Script::new().reply(OK).accept().reply(OK).serve();
    let mut session = session(|config| config.limits.body_bytes = 1);
    let error = session.request(server.url("/")).unwrap_err();
    assert_eq!((error.kind(), error.url()), (ErrorKind::TooLarge, Some(&*server.url("/"))));
    assert!(error.message().contains('1'), "{}", error.message());
    server.wait_for_end_of(0);
    assert_eq!(session.request(server.url("/")).unwrap_err().kind(), ErrorKind::TooLarge);
    assert_eq!(server.connections(), 2);
}

/// The name of a field was searched for its end at each line folded behind it.
#[test]
fn a_head_is_read_in_linear_time_whatever_is_in_it() {
    const HALF: usize = 1 << 20;
    let long = "n".repeat(HALF);
    for lines in [
        format!("{long}: v\r\n{}", " x\r\n".repeat(HALF / 4)),
        format!("{}{long}: v\r\n", " x\r\n".repeat(HALF / 4)),
        format!("{long}\r\n{}", "n: x\r\n".repeat(HALF / 6)),
        "n:\r\n".repeat(HALF / 2),
    ] {
        let head = format!("HTTP/1.1 200 OK\r\n{lines}Content-Length: 0\r\n\r\n");
        let server = Script::new().reply(head).serve();
        let mut session = session(|config| {
            config.limits.head_bytes = 4 * HALF;
            config.limits.head_fields = HALF;
            config.timeout = None;
        });
        let started = Instant::now();
        // Some of it is malformed: how long it takes to see that is what counts.
        drop(session.request(server.url("/")));
        let took = started.elapsed();
        assert!(took < Duration::from_secs(20), "{took:?} for {:?}", &lines[..20]);
    }
}
