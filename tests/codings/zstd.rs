//! `zstd` (RFC 8878, RFC 9659).

use super::*;
use crate::support::coded::{Frame, skipped};

const TEXT: &[u8] = include_bytes!("text.zst");
const SMALL_WINDOW: &[u8] = include_bytes!("text_small_window.zst");

/// A block may have so many.
const BLOCK: usize = 128 << 10;

#[test]
fn what_another_program_compressed_comes_out_as_it_was() {
    for body in [TEXT, SMALL_WINDOW] {
        assert!(decode("zstd", body) == Ok(text()));
        assert!(fetch("Zstd", body, |_| {}).unwrap().bytes() == text());
    }
}

#[test]
fn every_kind_of_block_comes_out() {
    let body = Frame::new().plain(b"one ").run(b'-', BLOCK).run(b'x', 0).plain(b" two").end();
    let expected = [&b"one "[..], &[b'-'; BLOCK], b" two"].concat();
    assert!(decode("zstd", &body) == Ok(expected));
    assert_eq!(decode("zstd", &Frame::new().end()), Ok(Vec::new()));
}

#[test]
fn an_empty_body_is_empty() {
    assert_eq!(decode("zstd", b""), Ok(Vec::new()));
    assert_eq!(fetch("zstd", b"", |_| {}).unwrap().bytes(), b"");
}

#[test]
fn frames_follow_one_another_and_those_to_be_skipped_are() {
    let one = Frame::small().plain(b"one ").end();
    let two = Frame::new().plain(b"two").end();
    let all = [skipped(3), one, skipped(0), Frame::new().end(), two, skipped(500)].concat();
    assert_eq!(decode("zstd", &all), Ok(b"one two".to_vec()));
    assert_eq!(decode("zstd", &skipped(10)), Ok(Vec::new()));
    assert!(decode("zstd", &[TEXT, SMALL_WINDOW].concat()) == Ok(text().repeat(2)));
    for kind in 0x50..=0x5f {
        let mut frame = skipped(2);
        frame[0] = kind;
        assert_eq!(decode("zstd", &frame), Ok(Vec::new()), "{kind:x}");
    }
}

#[test]
fn what_is_cut_off_anywhere_is_an_error() {
    let frame = Frame::new().plain(b"some").run(b'x', 30_000).end();
    let both = [&frame[..], &skipped(5)].concat();
    for body in [&both[..], &TEXT[..200]] {
        for end in 1..body.len() {
            let is_whole = end == frame.len() && body == both;
            assert_eq!(decode("zstd", &body[..end]).is_ok(), is_whole, "{end}");
        }
    }
    // The last four are a checksum.
    for end in TEXT.len() - 8..TEXT.len() {
        assert_eq!(decode("zstd", &TEXT[..end]), Err(ErrorKind::Decode), "{end}");
    }
    let error = words("zstd", &TEXT[..TEXT.len() - 1], ErrorKind::Decode);
    assert_eq!(error, "the zstd body ends before its end");
}

#[test]
fn bytes_behind_the_last_frame_are_an_error() {
    for rest in [&b"\0"[..], b"\r\n", b"(", b"(\xb5/", b"P*", b"garbage", b"(\xb5/\xfc\0\0"] {
        let body = [&Frame::new().plain(b"text").end()[..], rest].concat();
        assert_eq!(decode("zstd", &body), Err(ErrorKind::Decode), "{rest:?}");
    }
    let error = words("zstd", &[TEXT, b"garbage"].concat(), ErrorKind::Decode);
    assert_eq!(error, "bytes behind the end of the zstd body");
}

#[test]
fn a_wrong_checksum_or_length_is_an_error() {
    for at in 1..=4 {
        let mut bad = TEXT.to_vec();
        let at = bad.len() - at;
        bad[at] ^= 1;
        let error = words("zstd", &bad, ErrorKind::Decode);
        assert_eq!(error, "the checksum of the zstd body is wrong");
    }
    // A length of one byte, of two (which are 256 more), of four and of eight.
    let headers: [(&[u8], usize); 4] = [
        (&[0x20, 200], 200),
        (&[0x60, 44, 0], 300),
        (&[0x80, 0, 44, 1, 0, 0], 300),
        (&[0xc0, 0, 44, 1, 0, 0, 0, 0, 0, 0], 300),
    ];
    for (header, length) in headers {
        let body = |length| Frame::with_header(header).plain(&vec![b'x'; length]).end();
        assert_eq!(decode("zstd", &body(length)), Ok(vec![b'x'; length]), "{header:?}");
        assert_eq!(decode("zstd", &body(length - 1)), Err(ErrorKind::Decode), "{header:?}");
        if header[0] & 0x20 == 0 {
            let error = words("zstd", &body(length + 1), ErrorKind::Decode);
            assert_eq!(error, "the length of the zstd body is wrong");
        }
    }
}

#[test]
fn what_is_not_zstd_is_an_error() {
    for body in [&b"plain text"[..], b"\x1f\x8b\x08\0", b"(\xb5/\xfe\0\0", b"\x28", b"P*M\x19"] {
        if body.len() > 1 {
            let error = words("zstd", body, ErrorKind::Decode);
            assert_eq!(error, "the body does not begin like zstd", "{body:?}");
        }
        assert_eq!(decode("zstd", body), Err(ErrorKind::Decode));
    }
    for (what, body) in [
        ("a reserved flag", Frame::with_header(&[8, 0x68]).end()),
        ("a reserved kind of block", Frame::new().block(3, 1, b"x").end()),
        ("a block that is too large", Frame::new().block(1, BLOCK + 1, b"x").end()),
        ("one that is too large for its window", Frame::small().run(b'x', 1025).end()),
        ("rubbish in a block", Frame::new().block(2, 5, b"\xff\xff\xff\xff\xff").end()),
        ("a match in front of the beginning", Frame::new().block(2, 4, b"\0\x01\x54\x01").end()),
    ] {
        assert_eq!(words("zstd", &body, ErrorKind::Decode), "the zstd data is malformed", "{what}");
        assert_eq!(decode("zstd", &body), Err(ErrorKind::Decode), "{what}");
    }
}

#[test]
fn a_window_of_more_than_8_mib_and_a_dictionary_are_refused() {
    let with = |header: &[u8]| Frame::with_header(header).plain(b"text").end();
    assert_eq!(decode("zstd", &with(&[0, 0x68])), Ok(b"text".to_vec()), "8 MiB");
    let eight = (8_u32 << 20).to_le_bytes();
    let single = [&[0xa0][..], &eight].concat();
    // It is not refused for its window.
    let error = words("zstd", &with(&single), ErrorKind::Decode);
    assert_eq!(error, "the length of the zstd body is wrong");
    let nine = [&[0xa0][..], &((8_u32 << 20) + 1).to_le_bytes()].concat();
    for header in [&[0, 0x69][..], &[0, 0xff], &nine] {
        let error = words("zstd", &with(header), ErrorKind::Decode);
        assert_eq!(error, "the zstd body asks for a window of more than 8 MiB", "{header:?}");
    }
    for header in [&[1, 0x68, 7][..], &[2, 0x68, 0, 7], &[3, 0x68, 7, 0, 0, 0]] {
        let error = words("zstd", &with(header), ErrorKind::Decode);
        assert_eq!(error, "the zstd body asks for a dictionary", "{header:?}");
    }
    // The number 0 is none.
    assert_eq!(decode("zstd", &with(&[1, 0x68, 0])), Ok(b"text".to_vec()));
}

#[test]
fn the_limit_on_the_body_passes_at_its_value_and_fails_one_above() {
    let exact = text().len() as u64;
    for body in [TEXT, SMALL_WINDOW] {
        assert!(decode_at("zstd", body, exact, 1000).is_ok());
        assert_eq!(decode_at("zstd", body, exact - 1, 1000), Err(ErrorKind::TooLarge));
    }
    let error = fetch("zstd", TEXT, |config| config.limits.body_bytes = exact - 1).unwrap_err();
    assert!(error.message().contains("the limit body_bytes of 197707 bytes"), "{error}");
}

/// A frame that becomes so many zeros.
fn zeros(length: usize) -> Frame {
    let blocks = Frame::new().run(0, length % BLOCK);
    (0..length / BLOCK).fold(blocks, |frame, _| frame.run(0, BLOCK))
}

#[test]
fn the_ratio_passes_at_its_value_and_fails_one_above_at_any_cut() {
    const RATIO: usize = 100;
    for length in [3 * MIB / RATIO * RATIO, 12 * MIB / RATIO * RATIO] {
        let frame = zeros(length).end();
        let missing = length / RATIO - frame.len() - 8;
        // So much of nothing in front that all is at the ratio, to the byte.
        let exact = [skipped(missing), frame.clone()].concat();
        assert_eq!(exact.len() * RATIO, length);
        let decoded = decode_at("zstd", &exact, 1 << 30, 100);
        assert!(decoded.is_ok_and(|body| body.len() == length));
        let above = [skipped(missing - 1), frame].concat();
        assert_eq!(decode_at("zstd", &above, 1 << 30, 100), Err(ErrorKind::TooLarge));
    }
}

#[test]
fn what_comes_later_does_not_make_up_for_a_ratio_that_was_exceeded() {
    let rest = skipped(3 * MIB / 100);
    let late = [zeros(3 * MIB).end(), rest.clone()].concat();
    assert!(late.len() * 100 > 3 * MIB);
    assert_eq!(decode_at("zstd", &late, 1 << 30, 100), Err(ErrorKind::TooLarge));
    let early = [rest, zeros(3 * MIB).end()].concat();
    assert!(decode_at("zstd", &early, 1 << 30, 100).is_ok());
}

#[test]
fn a_mebibyte_comes_out_at_any_ratio_and_not_one_byte_more() {
    assert!(decode_at("zstd", &zeros(MIB).end(), 1 << 30, 1).is_ok());
    assert_eq!(decode_at("zstd", &zeros(MIB + 1).end(), 1 << 30, 1), Err(ErrorKind::TooLarge));
}

#[test]
fn bombs_are_too_large_and_the_limit_is_named() {
    let bomb = zeros(4 * MIB).end();
    assert!(bomb.len() < 200, "{}", bomb.len());
    let error = fetch("zstd", &bomb, |_| {}).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert!(error.message().contains("decompression_ratio of 1000 to 1"), "{error}");
    let small = fetch("zstd", &bomb, |config| config.limits.body_bytes = 1000).unwrap_err();
    assert!(small.message().contains("body_bytes of 1000 bytes"), "{small}");
    // One that goes on for ever, and one that has many frames.
    for endless in [zeros(20 * MIB).cut(), zeros(MIB / 4).end().repeat(40)] {
        assert_eq!(decode("zstd", &endless), Err(ErrorKind::TooLarge));
    }
}

#[test]
fn what_never_becomes_anything_has_an_end_a_mebibyte_past_the_limit() {
    let empty = Frame::small().run(0, 0);
    let blocks = (0..MIB / 4 + 300).fold(empty, |frame, _| frame.run(0, 0)).end();
    for body in [blocks, Frame::small().end().repeat(MIB / 9 + 200), skipped(MIB + 1000)] {
        assert!(body.len() > MIB + 1000);
        let at = |most| decode_in("zstd", &[&body], most, 1000);
        assert_eq!(at(1000), Err(ErrorKind::TooLarge));
        assert_eq!(at(10_000), Ok(Vec::new()));
    }
}
