//! Good bodies, bad bodies and bombs, however they are cut.

use std::io::Write;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

use super::*;
use crate::connection::Sink as _;
use crate::message::{Headers, Version};
use crate::session::body::Collect;

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
    ResponseHead { status: 200, version: Version::Http11, reason: "".into(), headers }
}

fn decode_in(coding: &str, body: &[u8], piece: usize, limits: &Limits) -> Result<Vec<u8>, Error> {
    let mut sink = collect(coding, limits)?;
    for mut piece in body.chunks(piece) {
        while sink.data(&mut piece)? {}
    }
    sink.finish()
}

fn collect(coding: &str, limits: &Limits) -> Result<Collect<'static>, Error> {
    let decoder = Decoder::for_head(&head(coding), limits)?;
    assert!(decoder.is_some(), "{coding} is known");
    Collect::new(decoder, None, limits, None, None)
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
    let bomb = gzip(&vec![0; 16 << 20]);
    let small = Limits { body_bytes: 1 << 20, decompression_ratio: 2000, ..Limits::default() };
    let tight = Limits { decompression_ratio: 100, ..Limits::default() };
    for (coding, bomb, limits, named) in [
        ("gzip", &bomb, small, "body_bytes"),
        ("gzip", &bomb, tight, "decompression_ratio"),
        ("gzip, gzip", &gzip(&bomb), Limits::default(), "decompression_ratio"),
    ] {
        let mut sink = collect(coding, &limits).unwrap();
        let mut rest = bomb.as_slice();
        let error = loop {
            match sink.data(&mut rest) {
                Ok(more) => assert!(more, "{coding} is not cut off"),
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), ErrorKind::TooLarge);
        assert!(error.message().contains(named), "{error}");
        assert!(sink.memory() < 4 << 20, "{}", sink.memory());
    }
}

/// For each byte that goes in, alone, how many have come out behind it; by the library's own
/// inflater, which is given room for all.
fn growth(deflate: &[u8]) -> Vec<u64> {
    let mut inflate = flate2::Decompress::new(false);
    let mut room = vec![0; 1 << 17];
    let mut come = |byte: &u8| {
        let mut byte = std::slice::from_ref(byte);
        loop {
            let (taken, made) = (inflate.total_in(), inflate.total_out());
            inflate.decompress(byte, &mut room, flate2::FlushDecompress::None).unwrap();
            byte = &byte[usize::try_from(inflate.total_in() - taken).unwrap()..];
            if inflate.total_out() == made && byte.is_empty() {
                return made;
            }
        }
    };
    deflate.iter().map(&mut come).collect()
}

/// What does not shrink.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let next = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..length).map(next).collect()
}

/// Text with runs in it: what its bytes become is now little and now much.
fn uneven(length: usize) -> Vec<u8> {
    let mut text = text();
    text.truncate(40_000);
    let mut body = Vec::new();
    let mut run = 7;
    while body.len() < length {
        run = run * 31 % 90_001;
        body.extend(std::iter::repeat_n(b'x', run));
        body.extend_from_slice(&text[..run % text.len()]);
    }
    body.truncate(length);
    body
}

#[test]
fn the_ratio_passes_at_its_value_and_fails_one_above_however_the_body_is_cut() {
    // The last is above its ratio for no longer than the run in front of the noise.
    let brief = [vec![0; (1 << 20) + 3000], noise(200_000)].concat();
    for body in [uneven(3 << 19), vec![0; 3 << 19], brief] {
        let deflate = raw(&body);
        // The least ratio at which each byte past the first mebibyte may come out.
        let growth = growth(&deflate);
        assert_eq!(growth.last(), Some(&(body.len() as u64)));
        let past = (1_u64..).zip(growth).filter(|(_, made)| *made > FREE_BYTES);
        let ratio = past.map(|(taken, made)| made.div_ceil(taken)).max().unwrap();
        let ratio = u32::try_from(ratio).unwrap();
        assert!(ratio > 1);
        for (ratio, fits) in [(ratio, true), (ratio - 1, false)] {
            let limits = Limits { decompression_ratio: ratio, ..Limits::default() };
            for piece in [1, 3, 1000, 16 << 10, deflate.len()] {
                let decoded = decode_in("deflate", &deflate, piece, &limits);
                match decoded {
                    Ok(decoded) => assert!(fits && decoded == body, "{ratio}, {piece}"),
                    Err(error) => {
                        assert!(!fits, "{ratio}, {piece}: {error}");
                        let named = format!("the limit decompression_ratio of {ratio} to 1");
                        assert!(error.message().contains(&named), "{error}");
                    }
                }
            }
        }
    }
}

#[test]
fn one_byte_less_that_goes_in_is_one_above_the_ratio() {
    const RATIO: u64 = 100;
    let body = vec![0; 3 << 20];
    let body = &body[..body.len() / 100 * 100];
    let deflate = raw(body);
    let last = growth(&deflate).iter().position(|made| *made == body.len() as u64).unwrap();
    // A gzip header with a name, so long that the last byte comes out at the ratio exactly.
    let name = body.len() as u64 / RATIO - (last as u64 + 1) - 10 - 1;
    let with_name = |length: u64| {
        let mut bytes = vec![0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 3];
        bytes.extend(std::iter::repeat_n(b'n', usize::try_from(length).unwrap()));
        bytes.push(0);
        bytes.extend_from_slice(&deflate);
        let mut crc = flate2::Crc::new();
        crc.update(body);
        bytes.extend(crc.sum().to_le_bytes());
        bytes.extend(crc.amount().to_le_bytes());
        bytes
    };
    let limits = Limits { decompression_ratio: 100, ..Limits::default() };
    for piece in [1, 1000, 1 << 20] {
        assert!(decode_in("gzip", &with_name(name), piece, &limits).is_ok(), "{piece}");
        let error = decode_in("gzip", &with_name(name - 1), piece, &limits)
            .map(|body| body.len())
            .unwrap_err();
        assert!(error.message().contains("decompression_ratio of 100 to 1"), "{error}");
    }
}

#[test]
fn what_comes_out_between_two_codings_counts_against_the_ratio_and_the_limit_as_well() {
    // Two mebibytes of a header between them, of which nothing comes out.
    let mut inner = vec![0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 3];
    inner.extend(std::iter::repeat_n(b'n', 2 << 20));
    inner.push(0);
    inner.extend(&gzip(b"text")[10..]);
    let body = gzip(&inner);
    let limits = Limits { decompression_ratio: 2000, ..Limits::default() };
    let decoded = |limits| decode_in("gzip, gzip", &body, 1000, limits).map(|body| body.len());
    assert_eq!(decoded(&limits).unwrap(), 4);
    let small = Limits { body_bytes: 1000, ..limits };
    assert!(decoded(&small).unwrap_err().message().contains("body_bytes of 1000 bytes"));
    let tight = Limits { decompression_ratio: 100, ..limits };
    assert!(decoded(&tight).unwrap_err().message().contains("decompression_ratio of 100 to 1"));
}

#[test]
fn what_never_becomes_anything_has_an_end_a_mebibyte_past_the_limit() {
    let with_name = |length: usize| {
        let name = vec![b'n'; length - gzip(b"text").len() - 1];
        [&[0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 3], &name[..], &[0], &gzip(b"text")[10..]].concat()
    };
    let limits = Limits { body_bytes: 1000, ..Limits::default() };
    let exact = (1 << 20) + 1000;
    assert_eq!(with_name(exact).len(), exact);
    for piece in [1000, 2 << 20] {
        let decoded = decode_in("gzip", &with_name(exact), piece, &limits);
        assert_eq!(decoded.unwrap(), b"text", "{piece}");
        let error = decode_in("gzip", &with_name(exact + 1), piece, &limits).unwrap_err();
        assert!(error.message().contains("body_bytes of 1000 bytes"), "{error}");
    }
}

#[test]
fn a_stacked_body_that_does_not_shrink_may_reach_the_limit() {
    // Larger in each coding than it is.
    let body = noise(1000);
    let inner = gzip(&body);
    assert!(inner.len() > body.len());
    let limits = Limits { body_bytes: 1000, ..Limits::default() };
    assert_eq!(decode_in("gzip, gzip", &gzip(&inner), 100, &limits).unwrap(), body);
    let limits = Limits { body_bytes: 999, ..Limits::default() };
    assert!(decode_in("gzip, gzip", &gzip(&inner), 100, &limits).is_err());
}

#[test]
fn a_body_of_the_limit_takes_no_more_memory_than_it() {
    // Doubling would end at 64 MiB.
    let limits = Limits { body_bytes: 33 << 20, ..Limits::default() };
    let body = gzip(&vec![0; 33 << 20]);
    let mut sink = collect("gzip", &Limits { decompression_ratio: 2000, ..limits }).unwrap();
    let mut rest = body.as_slice();
    while sink.data(&mut rest).unwrap() {}
    assert!(sink.memory() <= (33 << 20) + 1, "{}", sink.memory());
    assert_eq!(sink.finish().unwrap().len(), 33 << 20);
}

#[test]
fn the_limit_on_codings_passes_at_its_value_and_fails_one_above() {
    let limits = Limits::default();
    assert!(Decoder::for_head(&head("gzip, gzip"), &limits).is_ok());
    let error = Decoder::for_head(&head("gzip, gzip, gzip"), &limits).err().unwrap();
    assert!(error.kind() == ErrorKind::TooLarge && error.message().contains("codings"), "{error}");
}

/// Each of them is a stage, with memory and a frame on the stack of its own.
#[test]
fn there_are_never_more_than_16_codings_whatever_the_limit_says() {
    let codings = |count| vec!["gzip"; count].join(", ");
    let limits = Limits { codings: usize::MAX, ..Limits::default() };
    let body = (0..16).fold(b"text".to_vec(), |body, _| gzip(&body));
    assert!(decode_in(&codings(16), &body, 100, &limits).is_ok_and(|text| text == b"text"));
    for count in [17, 5_000] {
        let error = Decoder::for_head(&head(&codings(count)), &limits).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::TooLarge);
        assert!(error.message().ends_with("the limit codings of 16"), "{error}");
    }
}

#[test]
fn a_coding_that_is_not_known_is_handed_over_as_it_came() {
    let limits = Limits::default();
    for coding in ["dcb", "gzip, dcb", "identity", "", "dcz"] {
        assert!(Decoder::for_head(&head(coding), &limits).unwrap().is_none(), "{coding}");
    }
    let part = ResponseHead { status: 206, ..head("gzip") };
    assert!(Decoder::for_head(&part, &limits).unwrap().is_none());
}

#[test]
fn a_mebibyte_comes_out_at_any_ratio_and_not_one_byte_more() {
    let limits = Limits { decompression_ratio: 1, ..Limits::default() };
    for (length, fits) in [(1 << 20, true), ((1 << 20) + 1, false)] {
        for piece in [1, 1 << 20] {
            let decoded = decode_in("deflate", &raw(&vec![0; length]), piece, &limits);
            assert_eq!(decoded.is_ok(), fits, "{length} in pieces of {piece}");
        }
    }
}

#[test]
fn an_error_says_what_is_wrong_with_which_coding() {
    let good = gzip(b"some text");
    let with = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        bytes
    };
    for (coding, body, words) in [
        ("gzip", good[..12].to_vec(), "the gzip body ends before its end"),
        ("deflate", zlib(b"some text")[..4].to_vec(), "the deflate body ends before its end"),
        ("deflate", vec![0x78], "the deflate body ends before its end"),
        ("gzip", b"some text".to_vec(), "does not begin like gzip"),
        ("gzip", with(1, 0), "does not begin like gzip"),
        ("gzip", with(2, 7), "does not begin like gzip"),
        // A flag that nobody knows the meaning of.
        ("gzip", with(3, 0x20), "does not begin like gzip"),
        ("gzip", with(3, 0x80), "does not begin like gzip"),
        ("gzip", [&good[..], b"more"].concat(), "bytes behind the end of the gzip body"),
        ("gzip", [&good[..], &[0x1f, 0]].concat(), "bytes behind the end of the gzip body"),
        ("deflate", [&zlib(b"x")[..], b"x"].concat(), "bytes behind the end of the deflate body"),
    ] {
        let error = decode_in(coding, &body, 3, &Limits::default()).unwrap_err();
        assert!(error.message().contains(words), "{words}: {}", error.message());
    }
}

#[test]
fn what_the_decoder_holds_back_comes_out_without_more_input() {
    for length in [(16 << 10) + 1, 30_000, 32 << 10, 100_000] {
        let body = vec![0; length];
        for (coding, coded) in [("deflate", raw(&body)), ("deflate", zlib(&body))] {
            let decoded = decode_in(coding, &coded, coded.len(), &Limits::default());
            assert!(decoded.is_ok_and(|decoded| decoded == body), "{length}");
        }
    }
}

#[test]
fn raw_deflate_is_known_by_its_second_byte_where_the_first_could_be_of_either() {
    // A stored block, with a bit of its padding set, and an empty last one.
    let body = [0x08, 4, 0, 0xfb, 0xff, b't', b'e', b'x', b't', 3, 0];
    assert_eq!(decode("deflate", &body), Ok(b"text".to_vec()));
}
