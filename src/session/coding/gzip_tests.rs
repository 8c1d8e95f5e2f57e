//! Good bodies, bad bodies and bombs, however they are cut.

use std::io::Write;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

use super::*;
use crate::message::{Headers, Version};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn raw(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn head(coding: &str) -> ResponseHead {
    let mut headers = Headers::new();
    headers.append("Content-Encoding", coding).unwrap();
    ResponseHead { status: 200, version: Version::Http11, reason: String::new(), headers }
}

fn decode_in(coding: &str, body: &[u8], piece: usize, limits: &Limits) -> Result<Vec<u8>, Error> {
    let mut decoder = Decoder::for_head(&head(coding), limits)?.expect("a coding that is known");
    let mut out = Vec::new();
    for piece in body.chunks(piece) {
        decoder.push(piece, &mut out, limits.body_bytes)?;
    }
    decoder.finish()?;
    Ok(out)
}

/// Decodes the body whole and in pieces; it must come to the same.
fn decode(coding: &str, body: &[u8]) -> Result<Vec<u8>, ErrorKind> {
    let limits = Limits::default();
    let whole = decode_in(coding, body, body.len().max(1), &limits).map_err(|e| e.kind());
    for piece in [1, 2, 3, 7, 1000] {
        let cut = decode_in(coding, body, piece, &limits).map_err(|e| e.kind());
        assert_eq!(cut, whole, "{coding} in pieces of {piece}");
    }
    whole
}

fn text() -> Vec<u8> {
    (0..20_000_u32).flat_map(|n| format!("line {}\n", n * n % 9973).into_bytes()).collect()
}

#[test]
fn every_form_of_gzip_and_deflate_comes_out_as_it_went_in() {
    let text = text();
    for (coding, body) in [
        ("gzip", gzip(&text)),
        ("GZip", gzip(&text)),
        ("x-gzip", gzip(&text)),
        ("deflate", zlib(&text)),
        ("Deflate", raw(&text)),
        ("identity, gzip", gzip(&text)),
        ("deflate, gzip", gzip(&zlib(&text))),
        ("gzip, deflate", raw(&gzip(&text))),
    ] {
        assert!(decode(coding, &body) == Ok(text.clone()), "{coding}");
    }
    assert_eq!(decode("gzip", &gzip(b"")), Ok(Vec::new()));
    assert_eq!(decode("deflate", &zlib(b"")), Ok(Vec::new()));
    assert_eq!(decode("deflate", &raw(b"")), Ok(Vec::new()));
}

#[test]
fn members_follow_one_another() {
    let members = [gzip(b"one "), gzip(b""), gzip(b"two")].concat();
    assert_eq!(decode("gzip", &members), Ok(b"one two".to_vec()));
}

#[test]
fn optional_parts_of_a_gzip_header_are_passed_over() {
    let plain = gzip(b"text");
    let mut full = vec![0x1f, 0x8b, 8, 2 | 4 | 8 | 16, 0, 0, 0, 0, 0, 3];
    full.extend([3, 0, b'e', b'x', b't']);
    full.extend(b"name\0comment\0");
    full.extend([0, 0]);
    full.extend(&plain[10..]);
    assert_eq!(decode("gzip", &full), Ok(b"text".to_vec()));
}

#[test]
fn an_empty_body_is_empty_in_any_coding() {
    for coding in ["gzip", "deflate", "gzip, deflate"] {
        assert_eq!(decode(coding, b""), Ok(Vec::new()));
    }
}

#[test]
fn a_body_that_is_cut_off_anywhere_is_an_error() {
    for (coding, body) in [
        ("gzip", gzip(b"some text, some text")),
        ("deflate", zlib(b"some text, some text")),
        ("deflate", raw(b"some text, some text")),
        ("gzip", [gzip(b"one"), gzip(b"two")].concat()),
        ("deflate, gzip", gzip(&zlib(b"some text"))),
    ] {
        let boundary = if coding == "gzip" { gzip(b"one").len() } else { 0 };
        for cut in 1..body.len() {
            let whole_member = cut == boundary && body.starts_with(&gzip(b"one"));
            let result = decode(coding, &body[..cut]);
            assert_eq!(result == Err(ErrorKind::Decode), !whole_member, "{coding} cut at {cut}");
        }
    }
    let inner = gzip(&zlib(b"some text")[..4]);
    assert_eq!(decode("deflate, gzip", &inner), Err(ErrorKind::Decode));
}

#[test]
fn a_wrong_byte_behind_the_data_or_a_wrong_label_is_an_error() {
    let good = gzip(b"some text");
    for at in good.len() - 8..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1;
        assert_eq!(decode("gzip", &bad), Err(ErrorKind::Decode), "byte {at} of the trailer");
    }
    let mut bad = zlib(b"some text");
    *bad.last_mut().unwrap() ^= 1;
    assert_eq!(decode("deflate", &bad), Err(ErrorKind::Decode));
    for (coding, body) in [
        ("gzip", [good.clone(), b"garbage".to_vec()].concat()),
        ("gzip", [good, vec![0; 8]].concat()),
        ("deflate", [zlib(b"x"), b"garbage".to_vec()].concat()),
        ("gzip", zlib(b"x")),
        ("gzip", b"plain text".to_vec()),
        ("deflate", b"plain text".to_vec()),
    ] {
        assert_eq!(decode(coding, &body), Err(ErrorKind::Decode), "{coding}");
    }
}

#[test]
fn the_limit_on_the_body_passes_at_its_value_and_fails_one_above() {
    let body = gzip(&text());
    let exact = text().len() as u64;
    let limits = Limits { body_bytes: exact, ..Limits::default() };
    assert!(decode_in("gzip", &body, 100, &limits).is_ok());
    let limits = Limits { body_bytes: exact - 1, ..Limits::default() };
    let error = decode_in("gzip", &body, 100, &limits).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert!(error.message().contains("body_bytes"), "{error}");
}

#[test]
fn bombs_are_cut_off_by_ratio_and_by_size_before_they_fill_the_memory() {
    let zeros = vec![0; 16 << 20];
    let bomb = gzip(&zeros);
    let tight = Limits { decompression_ratio: 100, ..Limits::default() };
    let error = decode_in("gzip", &bomb, 16 << 10, &tight).unwrap_err();
    assert!(error.message().contains("decompression_ratio"), "{error}");

    let stacked = gzip(&bomb);
    let mut decoder = Decoder::for_head(&head("gzip, gzip"), &Limits::default()).unwrap().unwrap();
    let mut out = Vec::new();
    let error = decoder.push(&stacked, &mut out, 64 << 20).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert!(out.capacity() < 8 << 20, "{}", out.capacity());

    let small = Limits { body_bytes: 1 << 20, ..Limits::default() };
    let mut decoder = Decoder::for_head(&head("gzip"), &small).unwrap().unwrap();
    let mut out = Vec::new();
    assert!(decoder.push(&bomb, &mut out, small.body_bytes).is_err());
    assert!(out.capacity() < 4 << 20, "{}", out.capacity());
}

#[test]
fn the_limit_on_codings_passes_at_its_value_and_fails_one_above() {
    let limits = Limits::default();
    assert!(Decoder::for_head(&head("gzip, gzip"), &limits).is_ok());
    let error = Decoder::for_head(&head("gzip, gzip, gzip"), &limits).err().unwrap();
    assert!(error.kind() == ErrorKind::TooLarge && error.message().contains("codings"), "{error}");
}

#[test]
fn a_coding_that_is_not_known_is_handed_over_as_it_came() {
    let limits = Limits::default();
    for coding in ["br", "gzip, br", "identity", "", "zstd"] {
        assert!(Decoder::for_head(&head(coding), &limits).unwrap().is_none(), "{coding}");
    }
    let part = ResponseHead { status: 206, ..head("gzip") };
    assert!(Decoder::for_head(&part, &limits).unwrap().is_none());
}
