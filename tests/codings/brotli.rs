//! `br` (RFC 7932).

use super::*;
use crate::support::coded::Brotli;

const TEXT: &[u8] = include_bytes!("text.br");
const SMALL_WINDOW: &[u8] = include_bytes!("text_small_window.br");

#[test]
fn what_another_program_compressed_comes_out_as_it_was() {
    for body in [TEXT, SMALL_WINDOW] {
        assert!(decode("br", body) == Ok(text()));
        assert!(fetch("br", body, |_| {}).unwrap().bytes() == text());
    }
    assert_eq!(decode("BR", &[0x06]), Ok(Vec::new()), "the empty stream");
}

#[test]
fn every_kind_of_block_comes_out() {
    let body = Brotli::new().plain(b"one ").nothing(300).run(b'-', 30_000).plain(b" two");
    let expected = [&b"one "[..], &[b'-'; 30_000], b" two"].concat();
    assert!(decode("br", &body.end()) == Ok(expected));
    // More than fits into the window.
    let body = Brotli::small().run(b'a', 100_000).plain(b"b").run(b'c', 70_000).end();
    let expected = [&[b'a'; 100_000][..], b"b", &[b'c'; 70_000]].concat();
    assert!(decode("br", &body) == Ok(expected));
}

#[test]
fn an_empty_body_is_empty() {
    assert_eq!(decode("br", b""), Ok(Vec::new()));
    assert_eq!(fetch("br", b"", |_| {}).unwrap().bytes(), b"");
}

#[test]
fn what_is_cut_off_anywhere_is_an_error() {
    let whole = Brotli::small().plain(b"some text").run(b'x', 22_594).nothing(257).end();
    for body in [&whole[..], &TEXT[..200], &[0x06]] {
        let is_whole = body.len() == whole.len();
        assert_eq!(decode("br", body).is_ok(), is_whole || body.len() == 1);
        for end in (1..body.len()).filter(|end| *end < 60 || end % 40 == 0) {
            assert_eq!(decode("br", &body[..end]), Err(ErrorKind::Decode), "{end}");
        }
    }
    assert_eq!(decode("br", &TEXT[..TEXT.len() - 1]), Err(ErrorKind::Decode));
    let error = words("br", &TEXT[..TEXT.len() - 1], ErrorKind::Decode);
    assert_eq!(error, "the br body ends before its end");
}

#[test]
fn bytes_behind_the_end_are_an_error() {
    for rest in [&b"\0"[..], b"\r\n", b"\x06", b"garbage"] {
        for body in [TEXT, &[0x06], &Brotli::new().plain(b"text").end()] {
            let body = [body, rest].concat();
            assert_eq!(decode("br", &body), Err(ErrorKind::Decode), "{rest:?}");
        }
    }
    let error = words("br", &[TEXT, TEXT].concat(), ErrorKind::Decode);
    assert_eq!(error, "bytes behind the end of the br body");
}

#[test]
fn what_is_not_brotli_is_an_error() {
    let padded = Brotli::new().put(0b11, 2).put(1, 1).cut();
    for body in [&padded[..], &[0xff; 40], b"<!DOCTYPE html>\n<title>Not found</title>"] {
        assert_eq!(words("br", body, ErrorKind::Decode), "the br data is malformed", "{body:?}");
        assert_eq!(decode("br", body), Err(ErrorKind::Decode));
    }
    for body in [&b"plain text"[..], b"\x1f\x8b\x08\0\0\0\0\0\0\x03", b"x"] {
        assert_eq!(decode("br", body), Err(ErrorKind::Decode), "{body:?}");
    }
}

#[test]
fn a_large_window_is_refused() {
    // It begins with the one value that RFC 7932 §9.1 has no window for.
    for bits in [10, 24, 30] {
        let body = [0x11, bits, 0x03];
        assert_eq!(words("br", &body, ErrorKind::Decode), "the br data is malformed", "{bits}");
    }
}

#[test]
fn the_limit_on_the_body_passes_at_its_value_and_fails_one_above() {
    let exact = text().len() as u64;
    for body in [TEXT, SMALL_WINDOW] {
        assert!(decode_at("br", body, exact, 1000).is_ok());
        assert_eq!(decode_at("br", body, exact - 1, 1000), Err(ErrorKind::TooLarge));
    }
    let error = fetch("br", TEXT, |config| config.limits.body_bytes = exact - 1).unwrap_err();
    assert!(error.message().contains("the limit body_bytes of 197707 bytes"), "{error}");
}

#[test]
fn the_ratio_passes_at_its_value_and_fails_one_above_at_any_cut() {
    const RATIO: usize = 100;
    let length = 3 * MIB / RATIO * RATIO;
    // So much of nothing in front that all is at the ratio, to the byte.
    let body = |nothing| Brotli::new().nothing(nothing).run(0, length).end();
    let missing = length / RATIO - body(1000).len() + 1000;
    let exact = body(missing);
    assert_eq!(exact.len() * RATIO, length);
    assert!(decode_at("br", &exact, 1 << 30, 100).is_ok_and(|body| body.len() == length));
    let above = body(missing - 1);
    assert_eq!(above.len(), exact.len() - 1);
    assert_eq!(decode_at("br", &above, 1 << 30, 100), Err(ErrorKind::TooLarge));
}

#[test]
fn what_comes_later_does_not_make_up_for_a_ratio_that_was_exceeded() {
    let bomb = Brotli::new().run(0, 3 * MIB);
    let rest = 3 * MIB / 100;
    let late = bomb.clone().nothing(rest).end();
    assert!(late.len() * 100 > 3 * MIB);
    assert_eq!(decode_at("br", &late, 1 << 30, 100), Err(ErrorKind::TooLarge));
    let early = Brotli::new().nothing(rest).run(0, 3 * MIB).end();
    assert!(decode_at("br", &early, 1 << 30, 100).is_ok());
}

/// Too much for the first 1024 bytes, and not for those that come together with the last of them.
#[test]
fn the_ratio_is_looked_at_in_the_same_places_however_the_body_is_cut() {
    let start = |nothing| Brotli::new().nothing(nothing).run(0, 3 * MIB / 2);
    let start = start(1010 - start(500).cut().len() + 500);
    let body = start.nothing(5000).end();
    assert_eq!(decode_at("br", &body, 1 << 30, 1000), Err(ErrorKind::TooLarge));
    assert!(decode_at("br", &body, 1 << 30, 1600).is_ok());
}

#[test]
fn a_mebibyte_comes_out_at_any_ratio_and_not_one_byte_more() {
    assert!(decode_at("br", &Brotli::new().run(0, MIB).end(), 1 << 30, 1).is_ok());
    let above = Brotli::new().run(0, MIB + 1).end();
    assert_eq!(decode_at("br", &above, 1 << 30, 1), Err(ErrorKind::TooLarge));
}

#[test]
fn bombs_are_too_large_and_the_limit_is_named() {
    let bomb = Brotli::new().run(0, 4 * MIB).end();
    assert!(bomb.len() < 20, "{}", bomb.len());
    let error = fetch("br", &bomb, |_| {}).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert!(error.message().contains("decompression_ratio of 1000 to 1"), "{error}");
    let small = fetch("br", &bomb, |config| config.limits.body_bytes = 1000).unwrap_err();
    assert!(small.message().contains("body_bytes of 1000 bytes"), "{small}");
}

#[test]
fn what_never_becomes_anything_has_an_end_a_mebibyte_past_the_limit() {
    let block = |length| Brotli::new().nothing(length);
    let blocks = (0..17).fold(block(65_532), |body, _| body.nothing(65_532)).end();
    assert!(blocks.len() > MIB + 1000);
    assert_eq!(decode_at("br", &blocks, 1000, 1000), Err(ErrorKind::TooLarge));
    assert_eq!(decode_at("br", &blocks, 1 << 20, 1000), Ok(Vec::new()));
}
