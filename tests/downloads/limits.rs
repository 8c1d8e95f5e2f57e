//! Bodies that are too large for where they go.

use super::resume::{Archive, broken_off, cut_off, resumable};
use super::*;
use fetchpool::{ErrorKind, Fault};
use support::script::Recorded;
#[cfg(feature = "gzip")]
use support::script::reply;

/// What is tried with each place: whether a body passes with these limits, and the limit that is
/// named where it does not.
fn refused(receive: Receive, bytes: &[u8], memory: u64, sink: u64) -> Option<String> {
    let mut session = session(|config| {
        config.limits.body_bytes = memory;
        config.limits.sink_bytes = sink;
        config.limits.decompression_ratio = 2000;
    });
    let server = once(bytes);
    let error = session.request(Request::get(server.url("/")).receive(receive)).err()?;
    assert_eq!((error.kind(), error.fault()), (ErrorKind::TooLarge, Fault::Limit));
    Some(error.message())
}

type Make = (&'static str, fn(&Folder) -> Receive);

const PLACES: [Make; 5] = [
    ("file", |folder| Receive::file(folder.path("file"))),
    ("resumable", |folder| Receive::resumable_file(folder.path("other"))),
    ("writer", |_| Receive::writer(io::sink())),
    ("chunks", |_| Receive::chunks(|_| Ok(()))),
    ("discard", |_| Receive::discard()),
];

#[test]
fn each_place_has_its_own_limit_and_names_it() {
    let folder = Folder::new();
    for bytes in framings("200 OK", "", &pattern(100_000)) {
        for (name, receive) in PLACES {
            assert_eq!(refused(receive(&folder), &bytes, 1, 100_000), None, "{name}");
            let message = refused(receive(&folder), &bytes, u64::MAX, 99_999).expect(name);
            assert!(message.contains("limit sink_bytes of 99999 bytes"), "{name}: {message}");
        }
        let memory = || Receive::memory();
        assert_eq!(refused(memory(), &bytes, 100_000, 1), None);
        let message = refused(memory(), &bytes, 99_999, u64::MAX).unwrap();
        assert!(message.contains("limit body_bytes of 99999 bytes"), "{message}");
    }
}

#[test]
fn no_more_than_the_limit_is_handed_on() {
    for bytes in framings("200 OK", "", &pattern(100_000)) {
        for limit in [1, 50_000, 99_999] {
            let shared = Shared::default();
            assert!(refused(shared.receive(), &bytes, 1, limit).is_some());
            let got = shared.bytes();
            assert!(got.len() as u64 <= limit, "{} of {limit}", got.len());
            assert_eq!(got, pattern(got.len()));
        }
    }
}

#[test]
fn what_is_there_of_a_file_counts_for_its_limit() {
    let archive = Archive::tagged(100_000, "\"v1\"");
    let head = "HTTP/1.1 206 Partial Content\r\nETag: \"v1\"\r\nTransfer-Encoding: chunked\r\n\
                Content-Range: bytes 39999-99999/100000\r\n\r\n";
    let rest = &archive.body[39_999..];
    let chunked = [head.as_bytes(), b"ea61\r\n", rest, b"\r\n0\r\n\r\n"].concat();
    for (bytes, is_announced) in [(archive.part(39_999), true), (chunked, false)] {
        for limit in [99_999, 100_000] {
            let folder = Folder::new();
            let whole = archive.answer(&Recorded { connection: 0, raw: Vec::new() });
            let server =
                Script::new().reply(cut_off(&whole, 40_000)).close().accept().reply(&bytes).serve();
            broken_off(&server, &folder);
            let mut session = session(|config| config.limits.sink_bytes = limit);
            let result = session.request(resumable(&server, &folder));
            if limit == 100_000 {
                assert_eq!(result.unwrap().resumed_from(), Some(39_999));
                continue;
            }
            let error = result.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::TooLarge, "{}", error.message());
            let came = error.response().unwrap().body_len();
            assert_eq!(came == 0, is_announced, "{came} bytes");
            assert!(!folder.path("file").exists());
        }
    }
}

#[cfg(feature = "gzip")]
#[test]
fn what_comes_out_of_a_coding_is_bound_in_each_place_too() {
    use std::io::Write as _;
    let gzip = |bytes: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let folder = Folder::new();
    let bomb = reply("200 OK", "Content-Encoding: gzip\r\n", gzip(&vec![0; 4 << 20]));
    let three = reply("200 OK", "Content-Encoding: gzip, gzip, gzip\r\n", "x");
    let mut endless = vec![0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 3];
    endless.resize(3 << 20, b'n');
    let endless = reply("200 OK", "Content-Encoding: gzip\r\n", endless);
    let unannounced = gzip(b"").repeat((3 << 20) / 20);
    let unannounced =
        [b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n", unannounced.as_slice()].concat();
    for (name, receive) in PLACES {
        if name == "discard" {
            continue;
        }
        assert_eq!(refused(receive(&folder), &bomb, 1, 4 << 20), None, "{name}");
        for (bytes, limit) in [(&bomb, (4 << 20) - 1), (&endless, 1000), (&unannounced, 1000)] {
            let message = refused(receive(&folder), bytes, 1, limit).expect(name);
            assert!(message.contains(&format!("limit sink_bytes of {limit}")), "{name}: {message}");
        }
        let message = refused(receive(&folder), &three, 1, 1000).expect(name);
        assert!(message.contains("limit codings of 2"), "{name}: {message}");
        let mut session = session(|config| config.limits.decompression_ratio = 100);
        let server = once(&bomb);
        let error = session.request(Request::get(server.url("/")).receive(receive(&folder)));
        let message = error.unwrap_err().message();
        assert!(message.contains("limit decompression_ratio of 100"), "{name}: {message}");
    }
    assert_eq!(folder.names(), ["file", "other"], "of those that passed");
}
