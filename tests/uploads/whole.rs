//! What comes is what was given, in the framing that its length allows.

use super::*;
use crate::support::script::{Recorded, chunks};

/// That a request carries exactly this, and says so in one way.
fn assert_carries(request: &Recorded, content: &[u8], has_length: bool, what: &str) {
    assert!(request.content() == content, "{what}: {} bytes", request.content().len());
    let length = request.headers("content-length");
    let coding = request.headers("transfer-encoding");
    match has_length {
        true => {
            assert_eq!((length, coding.len()), (vec![content.len().to_string()], 0), "{what}");
        }
        false => assert_eq!((length.len(), coding), (0, vec!["chunked".to_owned()]), "{what}"),
    }
    assert_eq!(request.header("expect"), None, "{what}");
}

const LENGTHS: [usize; 8] =
    [0, 1, 100, (16 << 10) + 1, (64 << 10) - 1, 64 << 10, (64 << 10) + 1, 1_000_000];

#[test]
fn every_kind_of_body_comes_whole_and_the_connection_is_kept() {
    let server = friendly();
    let mut session = session(|_| {});
    for (number, length) in LENGTHS.into_iter().enumerate() {
        let content = bytes(length);
        let file = Temporary::new(&content);
        for (index, (kind, body, _)) in kinds(&content, &file).into_iter().enumerate() {
            let request = Request::post(server.url("/")).body(body);
            let response = session.request(request).unwrap_or_else(|error| panic!("{error:?}"));
            assert_eq!(response.text(), "ok");
            let sent = server.requests().remove(number * 6 + index);
            let has_length = !matches!(kind, "a reader" | "readers");
            assert_carries(&sent, &content, has_length, &format!("{length} bytes from {kind}"));
        }
    }
    assert_eq!(server.connections(), 1);
}

#[cfg(feature = "tls")]
#[test]
fn every_kind_of_body_comes_whole_over_tls_and_the_connection_is_kept() {
    use crate::support::tls::{Ca, TlsServer};

    let ca = Ca::new();
    let server = TlsServer::start(ca.good());
    let mut session = session(|config| {
        config.tls.add_root_pem(ca.pem());
    });
    let content = bytes(1_000_000);
    let file = Temporary::new(&content);
    for (index, (kind, body, _)) in kinds(&content, &file).into_iter().enumerate() {
        session.request(Request::put(server.url("/")).body(body)).unwrap();
        let has_length = !matches!(kind, "a reader" | "readers");
        assert_carries(&server.requests()[index], &content, has_length, kind);
    }
    assert_eq!(server.connections(), 1);
}

#[test]
fn each_read_becomes_one_chunk_and_a_read_of_nothing_is_the_end() {
    let server = friendly();
    for (reads, raw) in [
        (&["abc", "d", "0123456789abcdef", "", "never"][..], {
            "3\r\nabc\r\n1\r\nd\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n"
        }),
        (&["\r\n", "0\r\n\r\n"], "2\r\n\r\n\r\n5\r\n0\r\n\r\n\r\n0\r\n\r\n"),
        (&[], "0\r\n\r\n"),
    ] {
        fetch(Request::post(server.url("/")).body(Body::reader(pieces(reads)))).unwrap();
        let request = server.requests().pop().unwrap();
        assert_eq!(String::from_utf8_lossy(request.body()), raw);
    }
}

#[test]
fn no_chunk_is_larger_than_64_kib_and_none_is_empty() {
    let server = friendly();
    let body = Body::reader(io::Cursor::new(bytes(200_000)));
    fetch(Request::post(server.url("/")).body(body)).unwrap();
    let request = server.request();
    let (chunks, length) = chunks(request.body()).unwrap();
    let sizes: Vec<usize> = chunks.iter().map(|chunk| chunk.len()).collect();
    assert_eq!(sizes, [65_536, 65_536, 65_536, 3392]);
    assert_eq!(length, request.body().len());
}

#[test]
fn a_length_says_how_much_is_read_and_what_is_behind_it_is_left_alone() {
    let server = friendly();
    let mut left = b"abcdef".as_slice();
    let reader = By(move |into: &mut [u8]| {
        assert!(into.len() <= left.len() - 2, "a socket would be waited for here");
        left.read(into)
    });
    fetch(Request::post(server.url("/")).body(Body::sized_reader(reader, 4))).unwrap();
    assert_eq!(server.request().body(), b"abcd");
}

#[test]
fn a_body_goes_with_any_method() {
    let server = friendly();
    let mut session = session(|_| {});
    for method in ["GET", "DELETE", "OPTIONS", "PATCH", "PURGE"] {
        for body in [Body::reader(&b"abc"[..]), Body::sized_reader(&b"abc"[..], 3)] {
            session.request(Request::new(method, server.url("/")).body(body)).unwrap();
            let request = server.requests().pop().unwrap();
            assert_eq!((request.method().as_str(), request.content()), (method, b"abc".to_vec()));
        }
    }
    assert_eq!(server.connections(), 1);
    let server = Script::site(|_| b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n".to_vec());
    for _ in 0..2 {
        let request = Request::head(server.url("/")).body(Body::reader(&b"abc"[..]));
        assert_eq!(session.request(request).unwrap().bytes(), b"");
    }
    assert_eq!((server.connections(), server.requests().len()), (1, 2));
}

#[test]
fn a_file_is_opened_when_it_is_sent_and_each_time_anew() {
    let server = friendly();
    let file = Temporary::new("");
    let request = Request::put(server.url("/")).body(Body::file(file.path()));
    for content in ["first", "and the second"] {
        fs::write(file.path(), content).unwrap();
        fetch(request.clone()).unwrap();
        assert_eq!(server.requests().pop().unwrap().body(), content.as_bytes());
    }
}

#[test]
fn bytes_are_shared_and_never_copied() {
    let shared: Arc<[u8]> = Arc::from(&b"shared"[..]);
    let body = Body::from(Arc::clone(&shared));
    let request = Request::post("http://h/").body(body.clone());
    let clones = [request.clone(), request];
    assert_eq!(Arc::strong_count(&shared), 4, "here, in two bodies and two requests");
    drop(clones);
    assert_eq!(body.as_bytes().map(<[u8]>::as_ptr), Some(shared.as_ptr()));
}

#[test]
fn a_type_of_its_own_goes_with_a_stream() {
    let server = friendly();
    let request = Request::post(server.url("/")).header("Content-Type", "text/x");
    fetch(request.body(Body::reader(&b"abc"[..]))).unwrap();
    assert_eq!(server.request().headers("content-type"), ["text/x"]);
    fetch(Request::post(server.url("/")).body(Body::reader(&b"abc"[..]))).unwrap();
    assert_eq!(server.requests()[1].header("content-type"), None, "none is guessed");
}
