//! Bodies that become too much, or take too long: nothing gets past the caps, whatever the
//! response they come with.
#![cfg(feature = "gzip")]

use super::coding::{gzip, raw_deflate, text, zlib};
use super::*;
use crate::support::script::{Gate, reply};
use fetchpool::{CancelToken, Fault, LowSpeed, Phase, Pool, RetryPolicy};
use flate2::write::DeflateEncoder;
use flate2::{Compression, FlushCompress};
use std::io::Write as _;

/// A name, a `Content-Encoding` and a body that exceeds a mebibyte, the limit of [`careful`].
fn bombs() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let zeros = vec![0; 4 << 20];
    let header = |flags: u8, endless: &[u8]| {
        [&[0x1f, 0x8b, 8, flags, 0, 0, 0, 0, 0, 3], &endless.repeat(2 << 20)[..]].concat()
    };
    // Four mebibytes of fields, each but the last of the greatest length.
    let fields = [&[0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 3, 0xff, 0xff], &[b'x'; 0xffff][..]].concat();
    let member = [fields, gzip(b"")[10..].to_vec()].concat();
    vec![
        ("size", "gzip", gzip(&text(3000).repeat(400))),
        ("size, zlib", "deflate", zlib(&text(3000).repeat(400))),
        ("size, raw", "deflate", raw_deflate(&text(3000).repeat(400))),
        ("ratio", "gzip", gzip(&zeros)),
        ("ratio, zlib", "deflate", zlib(&zeros)),
        ("ratio, raw", "deflate", raw_deflate(&zeros)),
        ("gzip of gzip", "gzip, gzip", gzip(&gzip(&zeros))),
        ("deflate of gzip", "gzip, deflate", zlib(&gzip(&zeros))),
        ("gzip of raw", "deflate, x-gzip", gzip(&raw_deflate(&zeros))),
        ("a bomb in text", "gzip, gzip", gzip(&[gzip(&text(20_000)), gzip(&zeros)].concat())),
        ("members", "gzip", gzip(&[0; 100_000]).repeat(20)),
        ("empty members", "gzip", gzip(b"").repeat(110_000)),
        ("empty members in gzip", "gzip, gzip", gzip(&gzip(b"").repeat(220_000))),
        ("empty blocks", "deflate", b"\0\0\0\xff\xff".repeat(500_000)),
        ("name", "gzip", header(8, b"n")),
        ("comment", "gzip", header(16, b"c")),
        ("extra fields", "gzip", member.repeat(40)),
        ("name in gzip", "gzip, gzip", gzip(&header(8, b"n"))),
    ]
}

/// A session that takes a mebibyte.
fn careful(change: impl FnOnce(&mut SessionConfig)) -> Session {
    session(|config| {
        config.limits.body_bytes = 1 << 20;
        change(config);
    })
}

/// A response with this coding and body in each framing.
fn framed(status: &str, fields: &str, coding: &str, body: &[u8]) -> [(&'static str, Vec<u8>); 3] {
    let fields = format!("Content-Encoding: {coding}\r\n{fields}");
    let head = |more: &str| format!("HTTP/1.1 {status}\r\n{fields}{more}\r\n").into_bytes();
    let mut chunked = head("Transfer-Encoding: chunked\r\n");
    for chunk in body.chunks(60_000) {
        chunked.extend(format!("{:x}\r\n", chunk.len()).bytes());
        chunked.extend_from_slice(chunk);
        chunked.extend(b"\r\n");
    }
    chunked.extend(b"0\r\n\r\n");
    let until_close = [head("Connection: close\r\n"), body.to_vec()].concat();
    [("length", reply(status, &fields, body)), ("chunked", chunked), ("close", until_close)]
}

/// That an error is that of a cap on what comes out, and says which.
#[track_caller]
fn assert_capped(error: &Error, what: &str) {
    assert_eq!((error.kind(), error.fault()), (ErrorKind::TooLarge, Fault::Limit), "{what}");
    let named = ["limit body_bytes of 1048576 bytes", "limit decompression_ratio of 1000 to 1"];
    assert!(named.iter().any(|named| error.message().contains(named)), "{what}: {error}");
}

#[test]
fn every_bomb_is_too_large_in_every_framing() {
    for (name, coding, body) in bombs() {
        for (framing, bytes) in framed("200 OK", "", coding, &body) {
            let server = Script::new().reply(bytes).close().serve();
            let error = careful(|_| {}).request(server.url("/")).unwrap_err();
            assert_capped(&error, &format!("{name}, {framing}"));
        }
    }
}

#[test]
fn a_bomb_is_too_large_with_every_status() {
    let bomb = gzip(&vec![0; 4 << 20]);
    for (status, fields) in [
        ("201 Created", "Location: /other\r\n"),
        ("300 Choices", "Location: /other\r\n"),
        ("302 Found", ""),
        ("401 Who", "WWW-Authenticate: Basic\r\n"),
        ("404 Not Found", ""),
        ("416 Range", ""),
        ("500 Oh", ""),
        ("503 Busy", "Retry-After: 0\r\n"),
        ("999 What", ""),
    ] {
        for (framing, bytes) in framed(status, fields, "gzip", &bomb) {
            for as_error in [false, true] {
                let server = Script::new().reply(&bytes).close().serve();
                let mut session = careful(|config| config.http_status_as_error = as_error);
                let error = session.request(server.url("/")).unwrap_err();
                assert_capped(&error, &format!("{status}, {framing}, {as_error}"));
            }
        }
    }
}

#[test]
fn a_bomb_on_a_redirect_is_never_undone_where_it_is_followed_and_too_large_where_it_is_not() {
    for (name, coding, body) in bombs() {
        if !["size", "ratio", "gzip of gzip", "members", "name"].contains(&name) {
            continue;
        }
        for (framing, bytes) in framed("302 Found", "Location: /there\r\n", coding, &body) {
            let server = Script::new().reply(&bytes).reply(OK).accept().reply(OK).serve();
            let response = careful(|_| {}).request(server.url("/")).unwrap();
            assert_eq!((response.text().as_ref(), response.history().len()), ("ok", 1), "{name}");
            let server = Script::new().reply(&bytes).close().serve();
            let mut session = careful(|config| config.allow_redirects = false);
            let error = session.request(server.url("/")).unwrap_err();
            assert_capped(&error, &format!("{name}, {framing}"));
        }
    }
}

#[test]
fn what_is_not_decoded_is_no_bomb() {
    let bomb = gzip(&vec![0; 4 << 20]);
    for (framing, bytes) in framed("206 Partial", "Content-Range: bytes 0-9/10\r\n", "gzip", &bomb)
    {
        let server = Script::new().reply(bytes).close().serve();
        let response = careful(|_| {}).request(server.url("/")).unwrap();
        assert!(response.bytes() == bomb, "{framing}");
    }
    for (framing, bytes) in framed("200 OK", "", "gzip", &bomb) {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
        let server = Script::new().reply(&bytes[..end]).close().serve();
        let response = careful(|_| {}).request(Request::head(server.url("/"))).unwrap();
        assert_eq!(response.bytes(), b"", "{framing}");
    }
}

#[test]
fn a_bomb_costs_a_pool_that_job_only_and_is_not_asked_for_again() {
    let bombs = bombs();
    let count = bombs.len();
    let server = Script::site(move |request| {
        let number: usize = request.target()[1..].parse().unwrap();
        let Some((_, coding, body)) = bombs.get(number / 2).filter(|_| number % 2 == 1) else {
            return OK.to_vec();
        };
        let fields = format!("Content-Encoding: {coding}\r\nRetry-After: 0\r\n");
        reply(if number % 4 == 1 { "200 OK" } else { "503 Busy" }, &fields, body)
    });
    let jobs = (0..2 * count).map(|number| server.url(&format!("/{number}")));
    let (responses, exceptions) = Pool::builder()
        .num_threads(3)
        .retry(RetryPolicy::new(3))
        .initializer(|config: &mut SessionConfig| config.limits.body_bytes = 1 << 20)
        .map(jobs.collect::<Vec<_>>());
    assert_eq!((responses.len(), exceptions.len()), (count, count));
    assert!(responses.map(|response| response.index() % 2).all(|odd| odd == 0));
    for exception in exceptions {
        assert_capped(exception.error(), &format!("job {}", exception.index()));
    }
    assert_eq!(server.requests().len(), 2 * count, "none was asked for twice");
}

#[test]
fn a_bomb_behind_a_retry_is_too_large_as_well() {
    let bomb = reply("200 OK", "Content-Encoding: gzip\r\n", gzip(&vec![0; 4 << 20]));
    let busy = reply("503 Busy", "Retry-After: 0\r\n", "");
    let server = Script::new().reply(busy).reply(bomb).close().serve();
    let (_, mut exceptions) = Pool::builder()
        .retry(RetryPolicy::new(1))
        .initializer(|config: &mut SessionConfig| config.limits.body_bytes = 1 << 20)
        .map([server.url("/")]);
    assert_capped(exceptions.next().unwrap().error(), "behind a retry");
    assert_eq!(server.requests().len(), 2);
}

/// A body of a few kilobytes that decodes for longer than anyone waits, and to nothing: three
/// codings, and between them a gibibyte of a name.
fn tarpit() -> Vec<u8> {
    let mut deflate = flate2::Compress::new(Compression::best(), false);
    let mut block = Vec::with_capacity(64 << 10);
    deflate.compress_vec(&[b'n'; 1 << 20], &mut block, FlushCompress::Full).unwrap();
    let mut start = DeflateEncoder::new(Vec::new(), Compression::best());
    start.write_all(&[0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 3]).unwrap();
    start.flush().unwrap();
    let name = [start.get_ref().clone(), block.repeat(1 << 10)].concat();
    let bytes = gzip(&name);
    assert!(bytes.len() < 64 << 10, "all in one piece: {}", bytes.len());
    reply("200 OK", "Content-Encoding: gzip, deflate, gzip\r\n", bytes)
}

/// The same, but for so many mebibytes of a name only, with a text behind it that comes whole later.
fn slough(mebibytes: usize, text: &[u8]) -> Vec<u8> {
    let mut deflate = flate2::Compress::new(Compression::best(), false);
    let mut block = Vec::with_capacity(64 << 10);
    deflate.compress_vec(&[b'n'; 1 << 20], &mut block, FlushCompress::Full).unwrap();
    let mut start = DeflateEncoder::new(Vec::new(), Compression::best());
    start.write_all(&[0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 3]).unwrap();
    start.flush().unwrap();
    let rest = raw_deflate(&[b"\0", &gzip(text)[10..]].concat());
    let name = [start.get_ref().clone(), block.repeat(mebibytes), rest].concat();
    reply("200 OK", "Content-Encoding: gzip, deflate, gzip\r\n", gzip(&name))
}

/// Without any cap that would end the decoding.
fn without_caps(config: &mut SessionConfig) {
    config.limits.codings = 3;
    config.limits.body_bytes = 1 << 40;
    config.limits.decompression_ratio = u32::MAX;
}

#[test]
fn the_deadline_holds_while_a_body_is_being_decoded() {
    let server = Script::new().reply(tarpit()).serve();
    let mut session = session(without_caps);
    let started = Instant::now();
    let request = Request::get(server.url("/")).timeout(Duration::from_millis(200));
    let error = session.request(request).unwrap_err();
    assert!(soon(started), "{:?}", started.elapsed());
    assert_eq!((error.kind(), error.phase()), (ErrorKind::Timeout, Some(Phase::Decoding)));
}

#[test]
fn the_deadline_of_a_pool_holds_while_a_body_is_being_decoded() {
    let server = Script::new().reply(tarpit()).serve();
    let started = Instant::now();
    let (_, mut exceptions) = Pool::builder()
        .initializer(without_caps)
        .deadline(Duration::from_millis(200))
        .map([server.url("/")]);
    assert!(soon(started), "{:?}", started.elapsed());
    assert_eq!(exceptions.next().unwrap().kind(), ErrorKind::Timeout);
}

#[test]
fn a_cancel_ends_the_decoding_of_a_body() {
    let (sent, token) = (Gate::new(), CancelToken::new());
    let server = Script::new().reply(tarpit()).open(&sent).serve();
    let mut session = session(without_caps);
    let started = Instant::now();
    let error = thread::scope(|scope| {
        scope.spawn(|| {
            assert!(sent.wait());
            token.cancel();
        });
        session.request(Request::get(server.url("/")).cancel_token(&token)).unwrap_err()
    });
    assert!(soon(started), "{:?}", started.elapsed());
    assert_eq!(error.kind(), ErrorKind::Cancelled);
}

/// While bytes are decoded none are read, and that is no fault of the peer's.
#[test]
fn a_body_that_takes_longer_to_decode_than_a_stall_may_last_is_no_stall() {
    let (limit, text) = (Duration::from_millis(250), text(80_000));
    // How many mebibytes take so long differs from machine to machine.
    for mebibytes in (3..12).map(|power| 1 << power) {
        let server = Script::new().reply(slough(mebibytes, &text)).serve();
        let mut session = session(|config| {
            without_caps(config);
            // Which does count the work.
            config.timeout = None;
            config.stall_timeout = Some(limit);
            config.low_speed = Some(LowSpeed::new(1_000, limit));
        });
        let response = session.request(server.url("/")).unwrap();
        assert!(response.bytes() == text, "{} bytes", response.bytes().len());
        if response.timings().receiving > limit * 2 {
            return;
        }
    }
    panic!("nothing takes long enough");
}
