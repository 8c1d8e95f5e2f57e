//! Every place gets the body, whole and decoded, however it is framed.

use super::*;

/// What one place says of a body that it got.
struct Got {
    response: Response,
    bytes: Vec<u8>,
}

type Place = (&'static str, fn(&Folder, &mut dyn FnMut(Request) -> Response, String) -> Got);

/// Each place, asked for by one request.
fn places() -> Vec<Place> {
    vec![
        ("memory", |_, send, url| {
            let response = send(Request::get(url).receive(Receive::memory()));
            Got { bytes: response.bytes().to_vec(), response }
        }),
        ("file", |folder, send, url| {
            let path = folder.path("file");
            let response = send(Request::get(url).receive(Receive::file(&path)));
            assert_eq!(response.saved_to(), Some(path.as_path()));
            Got { bytes: folder.read("file"), response }
        }),
        ("resumable file", |folder, send, url| {
            let path = folder.path("resumable");
            let response = send(Request::get(url).receive(Receive::resumable_file(&path)));
            assert_eq!(response.saved_to(), Some(path.as_path()));
            assert_eq!(response.resumed_from(), None);
            Got { bytes: folder.read("resumable"), response }
        }),
        ("writer", |_, send, url| {
            let shared = Shared::default();
            let response = send(Request::get(url).receive(shared.receive()));
            let written = shared.0.lock().unwrap();
            assert_eq!((written.flushed, written.dropped), (1, true));
            Got { bytes: written.bytes.clone(), response }
        }),
        ("chunks", |_, send, url| {
            let shared = Arc::new(Mutex::new(Vec::new()));
            let chunks = Arc::clone(&shared);
            let response = send(Request::get(url).receive(Receive::chunks(move |chunk| {
                assert!(!chunk.is_empty() && chunk.len() <= 128 << 10, "{}", chunk.len());
                chunks.lock().unwrap().extend(chunk);
                Ok(())
            })));
            let bytes = shared.lock().unwrap().clone();
            Got { bytes, response }
        }),
    ]
}

/// Sends a request to a server that answers with these bytes, to each place.
fn everywhere(bytes: &[u8], check: impl Fn(&str, &Got)) {
    for (name, place) in places() {
        let (folder, server) = (Folder::new(), once(bytes));
        let got = place(&folder, &mut |request| fetch(request).unwrap(), server.url("/"));
        check(name, &got);
        let in_memory = name == "memory";
        assert_eq!(got.response.bytes().is_empty(), !in_memory || got.bytes.is_empty(), "{name}");
        assert!(!got.response.is_partial());
        let files = folder.names().len();
        assert_eq!(files, usize::from(name.contains("file")), "{name}: {:?}", folder.names());
    }
}

#[test]
fn every_place_gets_the_body_in_every_framing() {
    for size in [0, 1, 5_000, 300_000] {
        let body = pattern(size);
        for bytes in framings("200 OK", "", &body) {
            everywhere(&bytes, |name, got| {
                assert!(got.bytes == body, "{name}: {} of {size} bytes", got.bytes.len());
                assert_eq!(got.response.body_len(), size as u64, "{name}");
            });
        }
    }
}

#[cfg(feature = "gzip")]
#[test]
fn every_place_gets_the_body_decoded_in_every_framing() {
    use std::io::Write as _;
    let body = pattern(2_000_000);
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(&body).unwrap();
    let coded = encoder.finish().unwrap();
    for bytes in framings("200 OK", "Content-Encoding: gzip\r\n", &coded) {
        everywhere(&bytes, |name, got| {
            assert!(got.bytes == body, "{name}: {} bytes", got.bytes.len());
            assert_eq!(got.response.body_len(), body.len() as u64, "{name}");
        });
        let server = once(&bytes);
        let response = fetch(Request::get(server.url("/")).receive(Receive::discard())).unwrap();
        assert_eq!(response.body_len(), coded.len() as u64, "what is discarded is not decoded");
    }
}

#[cfg(feature = "tls")]
#[test]
fn every_place_gets_the_body_over_tls() {
    use support::tls::{Ca, Then, TlsServer};
    let ca = Ca::new();
    let body = pattern(300_000);
    for bytes in framings("200 OK", "", &body) {
        for (name, place) in places() {
            let bytes = bytes.clone();
            let server = TlsServer::answering(ca.good(), move |_| Then::Notify.after(&bytes));
            let mut session = session(|config| {
                config.tls.add_root_pem(ca.pem());
            });
            let folder = Folder::new();
            let got =
                place(&folder, &mut |request| session.request(request).unwrap(), server.url("/"));
            assert!(got.bytes == body, "{name}: {} bytes", got.bytes.len());
        }
    }
}

#[test]
fn what_is_discarded_is_counted_and_nothing_is_kept_of_it() {
    for size in [0, 1, 300_000] {
        for bytes in framings("200 OK", "", &pattern(size)) {
            let server = once(bytes);
            let request = Request::get(server.url("/")).receive(Receive::discard());
            let response = fetch(request).unwrap();
            assert_eq!(response.body_len(), size as u64);
            assert_eq!((response.bytes(), response.saved_to()), (&b""[..], None));
        }
    }
}

#[test]
fn a_body_that_went_anywhere_leaves_its_connection_for_the_next() {
    let body = pattern(100_000);
    let [length, chunked, _] = framings("200 OK", "", &body);
    for bytes in [length, chunked] {
        let server = Script::site(move |_| bytes.clone());
        let mut session = session(|_| {});
        let folder = Folder::new();
        for (count, (name, place)) in places().into_iter().chain(places()).enumerate() {
            let send = &mut |request| session.request(request).unwrap();
            let got = place(&folder, send, server.url("/"));
            assert!(got.bytes == body, "{name}");
            assert_eq!(got.response.timings().reused, count > 0, "{name}");
        }
        assert_eq!(server.connections(), 1);
    }
}

#[test]
fn pieces_come_as_they_arrive_and_not_when_there_are_more() {
    let (first, second) = (support::script::Gate::new(), support::script::Gate::new());
    let server = Script::new()
        .reply("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
        .wait(&first)
        .send("3\r\ntwo\r\n")
        .wait(&second)
        .send("0\r\n\r\n")
        .serve();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let chunks = Arc::clone(&seen);
    let request = Request::get(server.url("/")).receive(Receive::chunks(move |chunk| {
        chunks.lock().unwrap().push(chunk.to_vec());
        // Each lets the server go on: it would wait for ever for one that was held back.
        if chunk == b"one" {
            first.open()
        } else {
            second.open()
        }
        Ok(())
    }));
    assert_eq!(fetch(request).unwrap().body_len(), 6);
    assert_eq!(*seen.lock().unwrap(), [b"one", b"two"]);
}
