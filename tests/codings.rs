//! The content codings `br` and `zstd`, alone and among others: undone, under caps, at any cut.
//!
//! What all codings have in common is in `session/coding` and `session/bombs`; what the library's
//! own tests know of gzip, in `src/session/coding/gzip_tests.rs`.

#![cfg(any(feature = "brotli", feature = "zstd"))]
// In a package from the registry there are no internals.
#![cfg(fetchpool_internals)]

mod support;

#[cfg(feature = "brotli")]
#[path = "codings/brotli.rs"]
mod brotli;
#[path = "codings/stacks.rs"]
mod stacks;
#[cfg(feature = "zstd")]
#[path = "codings/zstd.rs"]
mod zstd;

use fetchpool::internals::decode as decode_in;
use fetchpool::{Error, ErrorKind, Response, Session, SessionConfig};

use support::script::{PATIENCE, Script, reply};

/// What the committed bodies are of.
fn text() -> Vec<u8> {
    (0..20_000_u32).flat_map(|n| format!("line {}\n", n * n % 9973).into_bytes()).collect()
}

/// Decodes a body under the default limits, whole and in pieces; it must come to the same.
fn decode(coding: &str, body: &[u8]) -> Result<Vec<u8>, ErrorKind> {
    let limits = fetchpool::Limits::default();
    decode_at(coding, body, limits.body_bytes, limits.decompression_ratio)
}

/// The same with other limits on its size and its ratio.
fn decode_at(coding: &str, body: &[u8], most: u64, ratio: u32) -> Result<Vec<u8>, ErrorKind> {
    let whole = decode_in(coding, &[body], most, ratio);
    // Byte by byte takes its time.
    let small: &[usize] = if body.len() < 5_000 { &[1, 2, 3, 7] } else { &[13] };
    for piece in small.iter().copied().chain([1_000, 1_024, 16 << 10]) {
        let pieces: Vec<&[u8]> = body.chunks(piece).collect();
        let cut = decode_in(coding, &pieces, most, ratio);
        assert!(cut == whole, "{coding} in pieces of {piece}: {:?}", cut.map(|body| body.len()));
    }
    whole
}

/// What a GET of a body with this coding gives.
fn fetch(
    coding: &str,
    body: &[u8],
    change: impl FnOnce(&mut SessionConfig),
) -> Result<Response, Error> {
    let bytes = reply("200 OK", &format!("Content-Encoding: {coding}\r\n"), body);
    let server = Script::new().reply(bytes).close().serve();
    let mut config = SessionConfig::new();
    config.timeout = Some(PATIENCE);
    change(&mut config);
    Session::new(config).expect("settings without a fault").request(server.url("/"))
}

/// The words of the error that it gives, which is of this kind.
#[track_caller]
fn words(coding: &str, body: &[u8], kind: ErrorKind) -> String {
    let error = fetch(coding, body, |_| {}).expect_err("an error");
    assert_eq!(error.kind(), kind, "{error}");
    // Behind the address of the server.
    error.message().rsplit_once("/: ").expect("a URL, and what is wrong").1.to_owned()
}

const MIB: usize = 1 << 20;
