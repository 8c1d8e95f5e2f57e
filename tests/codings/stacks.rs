//! More than one coding, and what is asked for.

use std::thread;
use std::time::{Duration, Instant};

use fetchpool::{CancelToken, Phase, Request};

use super::*;
#[cfg(feature = "brotli")]
use crate::support::coded::Brotli;
#[cfg(feature = "zstd")]
use crate::support::coded::{Frame, skipped};
use crate::support::script::Gate;

/// What is compiled in, in the order of `Accept-Encoding`.
fn known() -> Vec<&'static str> {
    [
        (cfg!(feature = "gzip"), "gzip"),
        (cfg!(feature = "gzip"), "deflate"),
        (cfg!(feature = "brotli"), "br"),
        (cfg!(feature = "zstd"), "zstd"),
    ]
    .into_iter()
    .filter_map(|(is_there, name)| is_there.then_some(name))
    .collect()
}

#[test]
fn exactly_what_can_be_undone_is_asked_for() {
    let server = Script::site(|_| reply("200 OK", "", "ok"));
    Session::new(SessionConfig::new()).unwrap().request(server.url("/")).unwrap();
    assert_eq!(server.request().header("accept-encoding"), Some(known().join(", ")));
}

#[test]
fn what_is_not_compiled_in_is_handed_over_as_it_came() {
    for coding in ["br", "zstd", "gzip", "compress", "dcb", "dcz"] {
        if known().contains(&coding) {
            continue;
        }
        let both = format!("{}, {coding}", known()[0]);
        for coding in [coding, &both] {
            assert_eq!(fetch(coding, b"as it came", |_| {}).unwrap().bytes(), b"as it came");
        }
    }
}

/// A body in this coding that becomes these bytes.
fn in_coding(coding: &str, bytes: &[u8]) -> Vec<u8> {
    match coding {
        #[cfg(feature = "brotli")]
        "br" => bytes.chunks(65_536).fold(Brotli::new(), Brotli::plain).end(),
        #[cfg(feature = "zstd")]
        "zstd" => bytes.chunks(128 << 10).fold(Frame::new(), Frame::plain).end(),
        #[cfg(feature = "gzip")]
        "gzip" | "deflate" => {
            use std::io::Write as _;
            let level = flate2::Compression::best();
            if coding == "gzip" {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
                encoder.write_all(bytes).unwrap();
                return encoder.finish().unwrap();
            }
            let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), level);
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        }
        _ => panic!("{coding}"),
    }
}

#[test]
fn any_two_codings_are_undone_in_their_order() {
    let text = &text()[..7_000];
    for inner in known() {
        for outer in known() {
            let body = in_coding(outer, &in_coding(inner, text));
            let coding = format!("{inner}, {outer}");
            assert!(decode(&coding, &body) == Ok(text.to_vec()), "{coding}");
            // The other way round is wrong, and that is seen.
            if inner != outer {
                let swapped = decode(&format!("{outer}, {inner}"), &body);
                assert_eq!(swapped, Err(ErrorKind::Decode), "{coding}");
            }
            for cut in [1, body.len() / 2, body.len() - 1] {
                assert_eq!(decode(&coding, &body[..cut]), Err(ErrorKind::Decode), "{coding}");
            }
            let inner_cut = in_coding(inner, text);
            let body = in_coding(outer, &inner_cut[..inner_cut.len() - 1]);
            assert_eq!(decode(&coding, &body), Err(ErrorKind::Decode), "{coding}");
        }
    }
}

#[test]
fn a_third_coding_is_one_too_many() {
    for coding in known() {
        let body = (0..3).fold(b"text".to_vec(), |body, _| in_coding(coding, &body));
        let codings = [coding; 3].join(", ");
        let error = words(&codings, &body, ErrorKind::TooLarge);
        assert!(error.ends_with("the limit codings of 2"), "{error}");
        let three = fetch(&codings, &body, |config| config.limits.codings = 3);
        assert_eq!(three.unwrap().bytes(), b"text");
    }
}

/// A body in this coding that becomes so many zeros, and is small.
fn bomb(coding: &str, length: usize) -> Vec<u8> {
    match coding {
        #[cfg(feature = "brotli")]
        "br" => Brotli::small().run(0, length).end(),
        #[cfg(feature = "zstd")]
        "zstd" => {
            let block = 128 << 10;
            (0..length / block).fold(Frame::new(), |frame, _| frame.run(0, block)).end()
        }
        _ => in_coding(coding, &vec![0; length]),
    }
}

#[test]
fn a_bomb_in_a_bomb_is_too_large_whatever_they_are_made_of() {
    for inner in known() {
        for outer in known() {
            let body = in_coding(outer, &bomb(inner, 3 * MIB / 2));
            let coding = format!("{inner}, {outer}");
            assert_eq!(decode(&coding, &body), Err(ErrorKind::TooLarge), "{coding}");
        }
    }
}

/// Something of three mebibytes in this coding, of which nothing comes out.
#[cfg(any(feature = "brotli", feature = "zstd"))]
fn nothing(coding: &str) -> Option<Vec<u8>> {
    match coding {
        #[cfg(feature = "brotli")]
        "br" => {
            Some((0..48).fold(Brotli::new(), |body, _| body.nothing(65_536)).plain(b"text").end())
        }
        #[cfg(feature = "zstd")]
        "zstd" => Some([skipped(3 * MIB), Frame::new().plain(b"text").end()].concat()),
        _ => None,
    }
}

#[test]
fn what_comes_out_between_two_codings_counts_as_well() {
    let outer = if cfg!(feature = "gzip") { "gzip" } else { known()[0] };
    for inner in known() {
        let Some(between) = nothing(inner) else { continue };
        let body = in_coding(outer, &between);
        let coding = format!("{inner}, {outer}");
        let decoded = decode_in(&coding, &[&body], 4 << 20, 2000);
        assert_eq!(decoded, Ok(b"text".to_vec()), "{coding}");
        assert_eq!(decode_in(&coding, &[&body], 1000, 2000), Err(ErrorKind::TooLarge), "{coding}");
        if outer == "gzip" {
            let tight = decode_at(&coding, &body, 4 << 20, 100);
            assert_eq!(tight, Err(ErrorKind::TooLarge), "{coding}");
        }
    }
}

/// The ratio is looked at behind every kibibyte of such a body, and so it must not matter where
/// these fall in what came at once.
#[test]
fn the_ratio_of_a_stack_is_the_same_at_any_cut() {
    let outer = if cfg!(feature = "gzip") { "gzip" } else { known()[0] };
    for inner in known() {
        let body = in_coding(outer, &bomb(inner, 3 * MIB / 2));
        let exact = (3 * MIB / 2).div_ceil(body.len());
        let exact = u32::try_from(exact).unwrap();
        let coding = format!("{inner}, {outer}");
        if nothing(inner).is_some() {
            assert!(decode_at(&coding, &body, 1 << 30, exact).is_ok(), "{coding}");
        }
        assert_eq!(decode_at(&coding, &body, 1 << 30, exact - 1), Err(ErrorKind::TooLarge));
    }
}

/// A small body that decodes for longer than anyone waits, and to nothing: what becomes a gibibyte
/// and more in this coding is passed over in the same one.
fn tarpit(coding: &str) -> Option<Vec<u8>> {
    match coding {
        #[cfg(feature = "brotli")]
        "br" => {
            // A block of which nothing comes out and 16 MiB long; in front of the first one stands
            // how large the window is.
            let block = 3 << 1 | 3 << 4 | 0xff_ffff_u32 << 6;
            let add = |body: Brotli, header: u32| body.plain(&header.to_le_bytes()).run(0, 1 << 24);
            let first = add(Brotli::small(), block << 1);
            let body = (1..64).fold(first, |body, _| add(body, block));
            Some(body.end())
        }
        #[cfg(feature = "zstd")]
        "zstd" => {
            // Frames that are passed over, each of 4 GiB less a byte: a fast machine decodes 9 GiB in a second.
            let header = [0x50, 0x2a, 0x4d, 0x18, 0xff, 0xff, 0xff, 0xff];
            let passed_over = |body: Frame, _| {
                let most = (1..1 << 15).fold(body.plain(&header), |body, _| body.run(0, 128 << 10));
                most.run(0, (128 << 10) - 1)
            };
            Some((0..4).fold(Frame::new(), passed_over).end())
        }
        _ => None,
    }
}

/// Without any cap that would end the decoding.
fn without_caps(config: &mut SessionConfig) {
    config.limits.body_bytes = 1 << 40;
    config.limits.decompression_ratio = u32::MAX;
}

#[test]
fn the_deadline_and_a_cancel_hold_while_a_body_is_being_decoded() {
    for coding in known() {
        let Some(body) = tarpit(coding) else { continue };
        let coding = format!("{coding}, {coding}");
        let started = Instant::now();
        let error = fetch(&coding, &body, |config| {
            without_caps(config);
            config.timeout = Some(Duration::from_millis(200));
        });
        let error = error.map(|response| response.bytes().len()).unwrap_err();
        assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
        let told = (error.kind(), error.phase());
        assert_eq!(told, (ErrorKind::Timeout, Some(Phase::Decoding)), "{coding}");

        let bytes = reply("200 OK", &format!("Content-Encoding: {coding}\r\n"), &body);
        let (sent, token) = (Gate::new(), CancelToken::new());
        // While it is decoded nothing is read, and the rest of it may have to wait.
        let (first, rest) = bytes.split_at(bytes.len().min(16 << 10));
        let server = Script::new().reply(first).open(&sent).send(rest).serve();
        let mut config = SessionConfig::new();
        without_caps(&mut config);
        let mut session = Session::new(config).unwrap();
        let started = Instant::now();
        let error = thread::scope(|scope| {
            scope.spawn(|| {
                assert!(sent.wait());
                token.cancel();
            });
            session.request(Request::get(server.url("/")).cancel_token(&token)).unwrap_err()
        });
        assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
        assert_eq!(error.kind(), ErrorKind::Cancelled, "{coding}");
    }
}
