//! Content codings: undone, under caps, and never trusted.
#![cfg(feature = "gzip")]

use super::*;
use crate::support::script::{redirect, reply};
use fetchpool::{Fault, Phase};
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use std::io::Write as _;

pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(super) fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(super) fn raw_deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A response with a coded body and a length.
fn coded(coding: &str, body: &[u8]) -> Vec<u8> {
    reply("200 OK", &format!("Content-Encoding: {coding}\r\n"), body)
}

/// The same in chunks, or until the close.
fn framings(coding: &str, body: &[u8]) -> [Vec<u8>; 3] {
    let mut chunked = format!(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Encoding: {coding}\r\n\r\n"
    )
    .into_bytes();
    for chunk in body.chunks(7_000) {
        chunked.extend(format!("{:x}\r\n", chunk.len()).bytes());
        chunked.extend_from_slice(chunk);
        chunked.extend(b"\r\n");
    }
    chunked.extend(b"0\r\n\r\n");
    let head = format!("HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\n\r\n").into_bytes();
    [coded(coding, body), chunked, [head, body.to_vec()].concat()]
}

/// Some text that does not shrink to nothing.
pub(super) fn text(length: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let next = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        b'a' + (state >> 28) as u8
    };
    (0..length).map(next).collect()
}

/// What a GET gives with these limits.
fn read_with(
    bytes: impl AsRef<[u8]>,
    change: impl FnOnce(&mut SessionConfig),
) -> Result<Vec<u8>, ErrorKind> {
    let server = Script::new().reply(bytes).close().serve();
    let result = session(change).request(server.url("/"));
    result.map(Response::into_bytes).map_err(|error| error.kind())
}

#[test]
fn what_can_be_undone_is_asked_for() {
    let server = Script::new().reply(OK).reply(OK).serve();
    let mut session = session(|_| {});
    session.request(server.url("/")).unwrap();
    let accepted = server.request().header("accept-encoding").expect("the field");
    for coding in ["gzip", "deflate"] {
        assert!(accepted.contains(coding), "{accepted}");
    }
    for (coding, is_known) in [("br", cfg!(feature = "brotli")), ("zstd", cfg!(feature = "zstd"))] {
        assert_eq!(accepted.contains(coding), is_known, "{accepted}");
    }
    assert!(!accepted.contains('*'), "{accepted}");
    let own = Request::get(server.url("/")).header("Accept-Encoding", "identity");
    session.request(own).unwrap();
    assert_eq!(server.requests()[1].headers("accept-encoding"), ["identity"]);
}

#[test]
fn every_coding_is_undone_in_every_framing() {
    let body = text(50_000);
    for (coding, bytes) in [
        ("gzip", gzip(&body)),
        ("x-gzip", gzip(&body)),
        ("GZip", gzip(&body)),
        ("deflate", zlib(&body)),
        ("Deflate", raw_deflate(&body)),
        ("GZIP", gzip(&body)),
        ("X-GZip", gzip(&body)),
        ("DEFLATE", zlib(&body)),
        ("identity", body.clone()),
        ("Identity, identity", body.clone()),
        (", gzip ,,", gzip(&body)),
        (",", body.clone()),
        ("\tgzip\t", gzip(&body)),
        ("gzip, identity", gzip(&body)),
        ("deflate, gzip", gzip(&zlib(&body))),
        ("gzip , deflate", raw_deflate(&gzip(&body))),
        ("gzip\r\nContent-Encoding: deflate", zlib(&gzip(&body))),
        ("gzip\r\nContent-Encoding: identity\r\nContent-Encoding: gzip", gzip(&gzip(&body))),
    ] {
        for bytes in framings(coding, &bytes) {
            let response = read(bytes).unwrap();
            assert!(response.bytes() == body, "{coding}");
        }
    }
}

#[test]
fn a_coded_body_that_comes_byte_by_byte_reads_the_same() {
    for (coding, bytes) in [
        ("gzip", gzip(b"hello")),
        ("deflate", zlib(b"hello")),
        ("deflate", raw_deflate(b"hello")),
        ("gzip", [gzip(b"hel"), gzip(b"lo")].concat()),
    ] {
        let server = Script::new().drip(coded(coding, &bytes)).serve();
        assert_eq!(fetch(server.url("/")).unwrap().text(), "hello");
    }
}

#[test]
fn the_members_of_a_gzip_body_are_joined() {
    let members = [gzip(b"one "), gzip(b""), gzip(b"two "), gzip(b"three")].concat();
    assert_eq!(read(coded("gzip", &members)).unwrap().text(), "one two three");
    let many = gzip(b"x").repeat(10_000);
    assert_eq!(read(coded("gzip", &many)).unwrap().bytes().len(), 10_000);
}

#[test]
fn a_gzip_header_with_every_optional_part_is_read() {
    let plain = gzip(b"hello");
    let mut bytes = vec![0x1f, 0x8b, 8, 0b0001_1100, 0, 0, 0, 0, 0, 3];
    bytes.extend(b"\x03\0abc");
    bytes.extend(b"name\0comment\0");
    bytes.extend(&plain[10..]);
    assert_eq!(read(coded("gzip", &bytes)).unwrap().text(), "hello");
}

#[test]
fn a_coded_body_leaves_the_connection_for_the_next() {
    assert!(is_kept(coded("gzip", &gzip(b"hello"))));
    assert!(is_kept(coded("deflate", &zlib(b"hello"))));
}

#[test]
fn a_truncated_coded_body_is_never_a_success() {
    let mut long_header = vec![0x1f, 0x8b, 8, 0b0001_1110, 0, 0, 0, 0, 0, 3];
    long_header.extend(b"\x03\0abcname\0comment\0\x12\x34");
    long_header.extend(&gzip(b"hi")[10..]);
    for (coding, bytes) in [
        ("gzip", gzip(b"hello hello")),
        ("gzip", long_header),
        ("deflate", zlib(b"hello hello")),
        ("deflate", raw_deflate(b"hello hello")),
        ("gzip, gzip", gzip(&gzip(b"hello"))),
    ] {
        assert!(read(coded(coding, &bytes)).is_ok());
        for end in 1..bytes.len() {
            for (framing, bytes) in framings(coding, &bytes[..end]).iter().enumerate() {
                let error = read(bytes).unwrap_err();
                let told = (error.kind(), error.fault(), error.phase());
                let expected = (ErrorKind::Decode, Fault::Peer, Some(Phase::Decoding));
                assert_eq!(told, expected, "{coding} {end} {framing}");
            }
        }
    }
    // What comes out of the first coding is whole, and what comes out of the second is not.
    let cut_inside = gzip(&gzip(b"hello")[..20]);
    assert_eq!(kind(coded("gzip, gzip", &cut_inside)), Err(ErrorKind::Decode));
}

#[test]
fn a_second_member_that_is_cut_off_is_never_a_success() {
    let (one, two) = (gzip(b"one"), gzip(b"two"));
    let both = [one.clone(), two].concat();
    for end in 1..both.len() {
        let result = read(coded("gzip", &both[..end]));
        if end == one.len() {
            assert_eq!(result.unwrap().text(), "one");
        } else {
            assert_eq!(result.unwrap_err().kind(), ErrorKind::Decode, "{end}");
        }
    }
}

#[test]
fn bytes_behind_a_coded_body_are_an_error() {
    // Padding with zeros is what some unpackers of tapes pass over. A server has no reason for it.
    for rest in [&b"garbage"[..], b"\0", &[0; 512], b"\x1f", b"\x1f\x8b", b"\r\n"] {
        for (coding, bytes) in [
            ("gzip", gzip(b"hello")),
            ("deflate", zlib(b"hello")),
            ("deflate", raw_deflate(b"hello")),
        ] {
            for bytes in framings(coding, &[&bytes, rest].concat()) {
                let error = read(bytes).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Decode, "{coding} {rest:?}");
            }
        }
        let inner = [&gzip(b"hello")[..], rest].concat();
        assert_eq!(kind(coded("gzip, deflate", &zlib(&inner))), Err(ErrorKind::Decode), "{rest:?}");
    }
}

#[test]
fn a_coded_body_whose_connection_breaks_is_closed() {
    let bytes = gzip(&text(5_000));
    let cut = coded("gzip", &bytes);
    assert_eq!(kind(&cut[..cut.len() - 9]), Err(ErrorKind::Closed));
}

#[test]
fn a_body_that_is_not_what_it_says_is_an_error() {
    for at in 1..=8 {
        // The sum and the length; and of zlib the sum.
        for (coding, mut bytes) in [("gzip", gzip(b"hello")), ("deflate", zlib(b"hello"))] {
            if coding == "deflate" && at > 4 {
                continue;
            }
            let at = bytes.len() - at;
            bytes[at] ^= 1;
            let error = read(coded(coding, &bytes)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Decode, "{coding} {at}");
        }
    }
    for (coding, bytes) in [
        ("gzip", b"plain text".to_vec()),
        ("gzip", zlib(b"hello")),
        ("gzip", raw_deflate(b"hello")),
        ("deflate", gzip(b"hello")),
        ("deflate", b"plain text".to_vec()),
        ("gzip", [b"\n", &gzip(b"hello")[..]].concat()),
        ("deflate, gzip", zlib(&gzip(b"hello"))),
        ("deflate", b"\xff\xff\xff\xff plain text".to_vec()),
        ("gzip, gzip", gzip(b"hello")),
    ] {
        let error = read(coded(coding, &bytes)).unwrap_err();
        assert_eq!(
            (error.kind(), error.phase()),
            (ErrorKind::Decode, Some(Phase::Decoding)),
            "{coding}"
        );
    }
}

#[test]
fn a_failure_to_decode_fails_that_request_only() {
    let server =
        Script::new().reply(coded("gzip", b"plain text")).reply(OK).accept().reply(OK).serve();
    let mut session = session(|_| {});
    assert_eq!(session.request(server.url("/")).unwrap_err().kind(), ErrorKind::Decode);
    assert_eq!(session.request(server.url("/")).unwrap().text(), "ok");
}

#[test]
fn no_body_needs_no_decoding() {
    assert_eq!(read(coded("gzip", b"")).unwrap().bytes(), b"");
    let chunked =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n\r\n0\r\n\r\n";
    assert_eq!(read(chunked).unwrap().bytes(), b"");
    for status in ["204 No Content", "304 Not Modified"] {
        let bytes = format!("HTTP/1.1 {status}\r\nContent-Encoding: gzip\r\n\r\n");
        assert_eq!(read(bytes).unwrap().bytes(), b"", "{status}");
    }
    let head = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 99\r\n\r\n";
    let server = Script::new().reply(head).serve();
    assert_eq!(fetch(Request::head(server.url("/"))).unwrap().bytes(), b"");
}

#[test]
fn a_session_may_leave_bodies_as_they_are() {
    let bytes = gzip(b"hello");
    let server = Script::new().reply(coded("gzip", &bytes)).serve();
    let mut session = session(|config| config.decompress = false);
    let response = session.request(server.url("/")).unwrap();
    assert_eq!((response.bytes(), response.header("content-encoding")), (&bytes[..], Some("gzip")));
    assert_eq!(server.request().header("accept-encoding"), None);
}

#[test]
fn a_coding_that_nobody_asked_for_is_left_as_it_is_with_all_codings_around_it() {
    let bytes = gzip(b"hello");
    for coding in [
        "dcb",
        "br2",
        "gzip, dcb",
        "dcb, gzip",
        "dcz, gzip",
        "gzip\r\nContent-Encoding: dcb",
        "dcb\r\nContent-Encoding: gzip",
        "gzip gzip",
        "gzip;q=1",
        "\"gzip\"",
        "gzip2",
        "compress",
        "aes128gcm",
    ] {
        for framing in framings(coding, &bytes) {
            let response = read(framing).unwrap();
            assert_eq!(response.bytes(), bytes, "{coding}");
            // The caller can see that, and how, it is coded.
            let told: Vec<_> = response.headers().get_all("content-encoding").collect();
            let sent: Vec<_> = coding.split("\r\nContent-Encoding: ").collect();
            assert_eq!(told, sent, "{coding}");
        }
    }
}

#[test]
fn the_limit_counts_decoded_bytes_and_is_exact() {
    let body = text(100_000);
    for (coding, bytes) in [
        ("gzip", gzip(&body)),
        ("deflate", zlib(&body)),
        ("deflate", raw_deflate(&body)),
        ("gzip", [gzip(&body[..50_000]), gzip(&body[50_000..])].concat()),
        ("gzip, deflate", zlib(&gzip(&body))),
    ] {
        for bytes in framings(coding, &bytes) {
            let exact = read_with(&bytes, |config| config.limits.body_bytes = 100_000);
            assert!(exact == Ok(body.clone()), "{coding}");
            let over = read_with(&bytes, |config| config.limits.body_bytes = 99_999);
            assert_eq!(over.map(|body| body.len()), Err(ErrorKind::TooLarge), "{coding}");
        }
    }
}

#[test]
fn a_body_larger_coded_than_decoded_may_reach_the_limit() {
    let bytes = coded("gzip", &gzip(b"x"));
    assert_eq!(read_with(bytes, |config| config.limits.body_bytes = 1), Ok(b"x".to_vec()));
}

#[test]
fn a_bomb_is_too_large() {
    let zeros = vec![0; 8 << 20];
    let bomb = gzip(&zeros);
    assert!(bomb.len() < 10_000);
    let limited = read_with(coded("gzip", &bomb), |config| config.limits.body_bytes = 1 << 20);
    assert_eq!(limited, Err(ErrorKind::TooLarge));
    let default = read_with(coded("gzip", &gzip(&vec![0; 80 << 20])), |_| {});
    assert_eq!(default, Err(ErrorKind::TooLarge));
    let nested = gzip(&gzip(&zeros.repeat(4)));
    let nested = read_with(coded("gzip, gzip", &nested), |_| {});
    assert_eq!(nested, Err(ErrorKind::TooLarge));
}

#[test]
fn a_ratio_is_a_limit_past_the_first_mebibyte() {
    let (small, large) = (gzip(&vec![0; 1 << 20]), gzip(&vec![0; 4 << 20]));
    let at = |bytes: &[u8], ratio| {
        read_with(coded("gzip", bytes), |config| config.limits.decompression_ratio = ratio)
            .map(|body| body.len())
    };
    assert_eq!(at(&small, 1), Ok(1 << 20), "the first mebibyte does not count");
    assert_eq!(at(&large, 100), Err(ErrorKind::TooLarge));
    assert_eq!(at(&large, 2000), Ok(4 << 20));
}

#[test]
fn as_many_codings_as_the_limit_are_undone_and_not_one_more() {
    let bytes = gzip(&gzip(&gzip(b"hello")));
    let three = coded("gzip, gzip, gzip", &bytes);
    assert_eq!(read_with(&three, |_| {}), Err(ErrorKind::TooLarge));
    let raised = read_with(&three, |config| config.limits.codings = 3);
    assert_eq!(raised, Ok(b"hello".to_vec()));
    let endless = coded(&["gzip"; 500].join(","), &bytes);
    assert_eq!(read_with(endless, |_| {}), Err(ErrorKind::TooLarge));
    let none = read_with(coded("gzip", &gzip(b"x")), |config| config.limits.codings = 0);
    assert_eq!(none, Err(ErrorKind::TooLarge));
}

#[test]
fn the_bodies_of_errors_are_under_the_same_caps() {
    let bomb = reply("500 Oh", "Content-Encoding: gzip\r\n", gzip(&vec![0; 8 << 20]));
    for as_error in [false, true] {
        let result = read_with(&bomb, |config| {
            config.limits.body_bytes = 1 << 20;
            config.http_status_as_error = as_error;
        });
        assert_eq!(result, Err(ErrorKind::TooLarge));
    }
}

#[test]
fn a_bomb_on_a_redirect_is_not_undone() {
    let bomb = gzip(&vec![0; 8 << 20]);
    let mut bytes = redirect(302, "/x");
    let head = String::from_utf8(bytes.clone()).unwrap();
    let head = head.replace(
        "Content-Length: 0",
        &format!("Content-Encoding: gzip\r\nContent-Length: {}", bomb.len()),
    );
    bytes = [head.into_bytes(), bomb].concat();
    let server = Script::new().reply(bytes).reply(OK).accept().reply(OK).serve();
    let mut session = session(|config| config.limits.body_bytes = 1000);
    assert_eq!(session.request(server.url("/")).unwrap().text(), "ok");
}
