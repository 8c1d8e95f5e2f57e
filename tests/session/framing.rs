//! Where a response ends, and what is no response at all: what the table of `tests/framing.rs` does
//! not tell, such as phases, faults and silence.

use super::*;
use crate::support::script::reply;
use fetchpool::{Fault, Phase, Version};

#[test]
fn a_body_without_a_length_goes_until_the_close() {
    for head in ["HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.0 200 OK\r\nX: y\r\n\r\n"] {
        assert_eq!(read(format!("{head}all of it")).unwrap().bytes(), b"all of it");
        assert_eq!(read(head).unwrap().bytes(), b"");
    }
}

#[test]
fn chunks_are_joined() {
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (chunks, body) in [
        ("0\r\n\r\n", ""),
        ("2\r\nok\r\n0\r\n\r\n", "ok"),
        ("1\r\no\r\n1\r\nk\r\n0\r\n\r\n", "ok"),
        ("A\r\n0123456789\r\na\r\nabcdefghij\r\n0\r\n\r\n", "0123456789abcdefghij"),
        ("00000002\r\nok\r\n000\r\n\r\n", "ok"),
        ("2;name=value\r\nok\r\n0;last\r\n\r\n", "ok"),
        ("2;q=\"a;b\"\r\nok\r\n0\r\n\r\n", "ok"),
        ("2\r\n\r\n\r\n0\r\n\r\n", "\r\n"),
        ("2\r\nok\r\n0\r\nX-Trailer: t\r\nY: u\r\n\r\n", "ok"),
    ] {
        assert_eq!(read(format!("{head}{chunks}")).unwrap().text(), body, "{chunks:?}");
    }
}

#[test]
fn a_response_that_comes_byte_by_byte_reads_the_same() {
    for bytes in [
        "HTTP/1.1 200 Fine\r\nX-A: 1\r\nContent-Length: 4\r\n\r\nbody",
        "HTTP/1.1 200 Fine\r\nX-A: 1\r\nTransfer-Encoding: chunked\r\n\r\n1;x\r\nb\r\n3\r\nody\r\n0\r\nT: t\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 Fine\r\nX-A: 1\r\nX-F: a\r\n b\r\nContent-Length: 4\r\n\r\nbody",
        "HTTP/1.0 200 Fine\r\nX-A: 1\r\n\r\nbody",
    ] {
        let server = Script::new().drip(bytes).close().serve();
        let response = fetch(server.url("/")).unwrap();
        assert_eq!((response.reason(), response.text().as_ref()), ("Fine", "body"), "{bytes:?}");
        assert_eq!(response.header("x-a"), Some("1"), "{bytes:?}");
    }
}

#[test]
fn a_response_to_head_has_no_body() {
    for head in [
        "HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\nContent-Encoding: gzip\r\n\r\n",
    ] {
        let server = Script::new().reply(head).serve();
        let started = Instant::now();
        let response = fetch(Request::head(server.url("/"))).unwrap();
        assert_eq!(response.bytes(), b"", "{head}");
        assert!(soon(started), "{head}");
    }
}

#[test]
fn some_statuses_have_no_body_whatever_their_fields_say() {
    for status in ["204 No Content", "304 Not Modified"] {
        for field in ["Content-Length: 9\r\n", "Transfer-Encoding: chunked\r\n", ""] {
            let server = Script::new().reply(format!("HTTP/1.1 {status}\r\n{field}\r\n")).serve();
            let started = Instant::now();
            let response = fetch(server.url("/")).unwrap();
            assert_eq!(response.bytes(), b"", "{status} {field}");
            assert!(soon(started), "{status} {field}");
        }
    }
}

#[test]
fn interim_responses_are_passed_over() {
    let bytes = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\n\
                 X-Interim: yes\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\nX-Final: yes\r\n\
                 Content-Length: 2\r\n\r\nok";
    let response = read(bytes).unwrap();
    assert_eq!((response.status(), response.text().as_ref()), (200, "ok"));
    assert_eq!((response.header("x-interim"), response.header("x-final")), (None, Some("yes")));
    assert_eq!(response.header("link"), None);
}

#[test]
fn an_interim_response_alone_is_no_answer() {
    assert_eq!(kind("HTTP/1.1 100 Continue\r\n\r\n"), Err(ErrorKind::Closed));
    assert_eq!(kind("HTTP/1.1 103 Hints\r\nX: y\r\n\r\nHTTP/1.1 2"), Err(ErrorKind::Closed));
}

#[test]
fn the_version_of_the_server_is_told() {
    assert_eq!(read(OK).unwrap().version(), Version::Http11);
    let old = read("HTTP/1.0 200 OK\r\n\r\n").unwrap().version();
    assert_eq!((old, old.to_string().as_str()), (Version::Http10, "1.0"));
}

#[test]
fn a_folded_line_becomes_a_space() {
    for folded in
        ["X-Fold: a\r\n b", "X-Fold: a\r\n\tb", "X-Fold: a \r\n  b", "X-Fold:\r\n a\r\n b"]
    {
        let bytes = format!("HTTP/1.1 200 OK\r\n{folded}\r\nY: z\r\nContent-Length: 0\r\n\r\n");
        let response = read(bytes).unwrap();
        let value = response.header("x-fold").expect("the field");
        assert_eq!(
            value.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>(),
            ["a", "b"]
        );
        assert_eq!(response.header("y"), Some("z"));
    }
}

#[test]
fn a_truncated_response_is_closed_and_never_a_success() {
    for (bytes, phase) in [
        ("", Phase::Waiting),
        ("H", Phase::Waiting),
        ("HTTP/1.1 200 OK\r\n", Phase::Waiting),
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n", Phase::Waiting),
        ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", Phase::Receiving),
        ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok", Phase::Receiving),
        ("HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nok", Phase::Receiving),
    ] {
        let error = read(bytes).unwrap_err();
        assert_eq!((error.kind(), error.phase()), (ErrorKind::Closed, Some(phase)), "{bytes:?}");
        assert_eq!(error.fault(), Fault::Network, "{bytes:?}");
    }
}

#[test]
fn a_chunked_body_is_truncated_at_every_byte_but_the_last() {
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let chunks = "2;ext=1\r\nok\r\n0\r\nT: t\r\n\r\n";
    for end in 0..chunks.len() {
        let error = read(format!("{head}{}", &chunks[..end])).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Closed, "{:?}", &chunks[..end]);
        assert_eq!(error.phase(), Some(Phase::Receiving), "{:?}", &chunks[..end]);
    }
    assert_eq!(read(format!("{head}{chunks}")).unwrap().text(), "ok");
}

#[test]
fn a_reset_is_not_the_end_of_a_body() {
    for head in [
        "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.0 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    ] {
        let server =
            Script::new().request_but_one_byte().send(format!("{head}5\r\nhello")).close().serve();
        let error = fetch(server.url("/")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Closed, "{head}: {}", error.message());
    }
}

#[test]
fn what_is_not_http_fails_at_once_though_silence_follows() {
    for bytes in [
        &b"SSH-2.0-OpenSSH_9.6\r\n"[..],
        b"220 mail.example ESMTP\r\n",
        b"<html>",
        b"ICY 200 OK\r\n",
        b"http/1.1 200 OK\r\n",
        b"HTTP/2.0 200 OK\r\n",
        b"HTTP/3",
        b"HTTP 200",
        b"HTTP/1.1  200",
        b"HTTP/1.1 2x",
        b"HTTP/1.1 -20",
        b"\0",
        b"\x15\x03\x01\x00\x02\x02\x0a",
        b"\x00\x00\x12\x04\x00\x00\x00\x00\x00",
        b" HTTP/1.1 200 OK\r\n",
        b"y",
    ] {
        let server = Script::new().reply(bytes).serve();
        let started = Instant::now();
        let error = fetch(server.url("/")).unwrap_err();
        let shown = String::from_utf8_lossy(bytes).into_owned();
        assert_eq!((error.kind(), error.fault()), (ErrorKind::Protocol, Fault::Peer), "{shown:?}");
        assert_eq!(error.phase(), Some(Phase::Waiting), "{shown:?}");
        assert!(soon(started), "{shown:?}");
    }
}

#[test]
fn a_malformed_chunk_fails_at_once_though_silence_follows() {
    let bytes = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz";
    let server = Script::new().reply(bytes).serve();
    let started = Instant::now();
    let error = fetch(server.url("/")).unwrap_err();
    assert_eq!((error.kind(), error.phase()), (ErrorKind::Protocol, Some(Phase::Receiving)));
    assert!(soon(started));
}

#[test]
fn trailers_are_not_header_fields() {
    let bytes = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX: head\r\n\r\n\
                 0\r\nX: trailer\r\nContent-Length: 9\r\nSet-Cookie: evil=1\r\n\r\n";
    let response = read(bytes).unwrap();
    assert_eq!(response.headers().get_all("x").collect::<Vec<_>>(), ["head"]);
    assert!(!response.headers().contains("set-cookie"));
    assert!(is_kept(bytes));
}

#[test]
fn a_large_body_is_whole_in_every_framing() {
    let body: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    let mut chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for (count, chunk) in body.chunks(70_001).enumerate() {
        // Some in small pieces, some in large ones.
        for piece in chunk.chunks(if count % 2 == 0 { 1_000 } else { 70_001 }) {
            chunked.extend(format!("{:x}\r\n", piece.len()).bytes());
            chunked.extend_from_slice(piece);
            chunked.extend(b"\r\n");
        }
    }
    chunked.extend(b"0\r\n\r\n");
    let until_close = [&b"HTTP/1.1 200 OK\r\n\r\n"[..], &body].concat();
    for bytes in [reply("200 OK", "", &body), chunked, until_close] {
        assert!(read(bytes).unwrap().into_bytes() == body);
    }
}
