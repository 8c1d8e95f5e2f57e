//! A download that broke off is gone on with where it was, by the next try or the next process.

use std::collections::VecDeque;
use std::time::Duration;

use super::*;
use fetchpool::{CancelToken, ErrorKind, Pool, RetryPolicy};
use support::script::{Gate, Recorded, redirect, reply};

/// One file on a server that knows ranges.
#[derive(Clone)]
pub(super) struct Archive {
    pub(super) body: Vec<u8>,
    /// The fields that say which file it is.
    pub(super) fields: String,
    /// What `If-Range` must be.
    pub(super) validator: String,
}

impl Archive {
    pub(super) fn tagged(len: usize, tag: &str) -> Self {
        // Another tag, another content.
        let salt = tag.bytes().fold(0, u8::wrapping_add);
        let body = pattern(len).iter().map(|byte| byte.wrapping_add(salt)).collect();
        Self { body, fields: format!("ETag: {tag}\r\n"), validator: tag.to_owned() }
    }

    pub(super) fn dated(len: usize) -> Self {
        let modified = "Sun, 06 Nov 1994 08:00:00 GMT";
        let fields =
            format!("Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nLast-Modified: {modified}\r\n");
        Self { body: pattern(len), fields, validator: modified.to_owned() }
    }

    /// What it says to a request.
    pub(super) fn answer(&self, request: &Recorded) -> Vec<u8> {
        let range = request.header("range").filter(|_| {
            request.header("if-range").is_none_or(|validator| validator == self.validator)
        });
        match range {
            None => reply("200 OK", &self.fields, &self.body),
            Some(range) => {
                let from = range.strip_prefix("bytes=").and_then(|range| range.strip_suffix('-'));
                let from: usize = from.expect("an open range").parse().expect("a number");
                self.part(from)
            }
        }
    }

    pub(super) fn part(&self, from: usize) -> Vec<u8> {
        let whole = self.body.len();
        let range = format!("Content-Range: bytes {from}-{}/{whole}\r\n", whole - 1);
        reply("206 Partial Content", &format!("{range}{}", self.fields), &self.body[from..])
    }

    /// A server that cuts its first answers off behind so many bytes of body.
    pub(super) fn serve(self, cuts: &[usize]) -> Server {
        let cuts = Mutex::new(VecDeque::from(cuts.to_vec()));
        Script::site(move |request| {
            let bytes = self.answer(request);
            match cuts.lock().unwrap().pop_front() {
                Some(cut) => cut_off(&bytes, cut),
                None => bytes,
            }
        })
    }
}

/// The answer without the end of its body, and a close behind it.
pub(super) fn cut_off(bytes: &[u8], cut: usize) -> Vec<u8> {
    let text = String::from_utf8_lossy(bytes);
    let head = text.find("\r\n\r\n").unwrap();
    let (line, rest) = bytes.split_at(bytes.iter().position(|b| *b == b'\n').unwrap() + 1);
    let end = (head + 4 + cut).min(bytes.len()) - line.len();
    [line, b"Connection: close\r\n", &rest[..end]].concat()
}

pub(super) fn resumable(server: &Server, folder: &Folder) -> Request {
    Request::get(server.url("/file?v=1")).receive(Receive::resumable_file(folder.path("file")))
}

/// A folder in which the first bytes of a file are left.
pub(super) fn broken_off(server: &Server, folder: &Folder) {
    let error = fetch(resumable(server, folder)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed, "{}", error.message());
    let names = folder.names();
    assert_eq!(names.len(), 2, "{names:?}");
    assert!(names[0].starts_with("file.") && names[0].ends_with(".part"), "{names:?}");
    assert_eq!(names[1], "file.resume");
}

#[test]
fn a_pool_that_tries_again_comes_through_three_cuts_to_a_file_that_is_right() {
    for archive in [Archive::tagged(1 << 20, "\"v1\""), Archive::dated(1 << 20)] {
        let folder = Folder::new();
        let (body, validator) = (archive.body.clone(), archive.validator.clone());
        let server = archive.serve(&[300_000, 1, 500_000]);
        let pool = Pool::builder()
            .num_threads(1)
            .retry(RetryPolicy::new(3))
            .job_queue([resumable(&server, &folder)])
            .build()
            .unwrap();
        let response = pool.outcomes().next().unwrap().result().unwrap();
        assert_eq!(response.status(), 206);
        assert_eq!(response.saved_to(), Some(folder.path("file").as_path()));
        assert!(folder.read("file") == body);
        assert_eq!(folder.names(), ["file"]);
        // The byte that is there last is asked for again.
        let requests = server.requests();
        let ranges: Vec<_> = requests.iter().map(|request| request.header("range")).collect();
        let range = |from: u32| Some(format!("bytes={from}-"));
        assert_eq!(ranges, [None, range(299_999), range(299_999), range(799_998)]);
        assert_eq!(response.resumed_from(), Some(799_998));
        assert_eq!(response.body_len(), (1 << 20) - 799_998);
        for (at, request) in requests.iter().enumerate() {
            assert_eq!(request.headers("accept-encoding"), ["identity"]);
            let expected = (at > 0).then(|| validator.clone());
            assert_eq!(request.header("if-range"), expected);
        }
    }
}

#[cfg(feature = "tls")]
#[test]
fn a_cut_of_a_tls_connection_is_gone_on_from_too() {
    use support::tls::{Ca, Then, TlsServer};
    let (ca, folder) = (Ca::new(), Folder::new());
    let archive = Archive::tagged(300_000, "\"v1\"");
    let body = archive.body.clone();
    let cut = AtomicU32::new(0);
    let server = TlsServer::answering(ca.good(), move |request| {
        let bytes = archive.answer(request);
        match cut.fetch_add(1, Ordering::Relaxed) {
            0 => Then::Cut.after(&bytes[..bytes.len() - 100_000]),
            _ => Then::Keep.after(bytes),
        }
    });
    let mut session = session(|config| {
        config.tls.add_root_pem(ca.pem());
    });
    let request =
        Request::get(server.url("/")).receive(Receive::resumable_file(folder.path("file")));
    assert_eq!(session.request(&request).unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(session.request(&request).unwrap().resumed_from(), Some(199_999));
    assert!(folder.read("file") == body);
}

#[test]
fn a_later_process_goes_on_with_what_is_there() {
    let folder = Folder::new();
    folder.write("file", "old");
    let archive = Archive::tagged(100_000, "\"v1\"");
    let body = archive.body.clone();
    let server = archive.serve(&[40_000]);
    let error = fetch(resumable(&server, &folder)).unwrap_err();
    let response = error.response().unwrap();
    assert!(response.is_partial() && response.saved_to().is_none());
    assert_eq!((response.body_len(), response.bytes().len()), (40_000, 0));
    assert_eq!(folder.read("file"), b"old");
    let names = folder.names();
    assert_eq!(folder.read(&names[1]), body[..40_000]);
    let note = String::from_utf8(folder.read("file.resume")).unwrap();
    for line in
        [&format!("url: {}", server.url("/file?v=1")), "validator: \"v1\"", "length: 100000"]
    {
        assert!(note.lines().any(|there| there == line), "{note}");
    }
    let response = fetch(resumable(&server, &folder)).unwrap();
    assert_eq!((response.resumed_from(), response.body_len()), (Some(39_999), 60_001));
    assert!(folder.read("file") == body);
    assert_eq!(folder.names(), ["file"]);
}

#[test]
fn where_no_byte_came_nothing_is_left() {
    let folder = Folder::new();
    let server = Archive::tagged(1000, "\"v1\"").serve(&[0]);
    assert_eq!(fetch(resumable(&server, &folder)).unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(folder.names(), Vec::<String>::new());
    assert_eq!(fetch(resumable(&server, &folder)).unwrap().resumed_from(), None);
}

#[test]
fn what_a_killed_process_leaves_behind_is_gone_on_from() {
    let (folder, later, gate) = (Folder::new(), Folder::new(), Gate::new());
    let archive = Archive::tagged(200_000, "\"v1\"");
    let bytes = archive.answer(&Recorded { connection: 0, raw: Vec::new() });
    let server = Script::new()
        .reply(&bytes[..150_000])
        .wait(&gate)
        .send(&bytes[150_000..])
        .accept()
        .reply(archive.part(0))
        .serve();
    let origin = server.origin();
    std::thread::scope(|scope| {
        let sent = scope.spawn(|| fetch(resumable(&server, &folder)).unwrap());
        let started = std::time::Instant::now();
        let part = loop {
            assert!(started.elapsed() < PATIENCE);
            let names = folder.names();
            if let [part, note] = &names[..]
                && folder.path(part).metadata().is_ok_and(|there| there.len() > 50_000)
            {
                // Read once: the part grows while it is looked at.
                let there = folder.read(part);
                later.write(note, folder.read(note));
                later.write(part, &there);
                break there;
            }
        };
        // The same moment of the same download, in a folder where nobody goes on with it.
        assert!(archive.body.starts_with(&part));
        let server = archive.clone().serve(&[]);
        let note = String::from_utf8(later.read("file.resume")).unwrap();
        later.write("file.resume", note.replace(&origin, &server.origin()));
        let response = fetch(resumable(&server, &later)).unwrap();
        assert_eq!(response.resumed_from(), Some(part.len() as u64 - 1));
        assert!(later.read("file") == archive.body);
        assert_eq!(later.names(), ["file"]);
        gate.open();
        sent.join().unwrap();
    });
    assert!(folder.read("file") == archive.body);
}

#[test]
fn what_was_whole_but_for_its_end_needs_one_byte_more() {
    let folder = Folder::new();
    let archive = Archive::tagged(50_000, "\"v1\"");
    let [_, chunked, _] = framings("200 OK", &archive.fields, &archive.body);
    let first = once(&chunked[..chunked.len() - 5]);
    let port = first.address();
    let error = fetch(resumable(&first, &folder)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
    drop(first);
    let note = String::from_utf8(folder.read("file.resume")).unwrap();
    assert!(note.contains("length: unknown"), "{note}");
    let (body, server) = (archive.body.clone(), archive.serve(&[]));
    let moved = note.replace(&port.to_string(), &server.address().to_string());
    folder.write("file.resume", moved);
    let response = fetch(resumable(&server, &folder)).unwrap();
    assert_eq!((response.resumed_from(), response.body_len()), (Some(49_999), 1));
    assert!(folder.read("file") == body);
}

#[test]
fn a_timeout_and_a_cancel_leave_something_to_go_on_from() {
    for cancel in [false, true] {
        let folder = Folder::new();
        let archive = Archive::tagged(200_000, "\"v1\"");
        let body = archive.body.clone();
        let whole = archive.answer(&Recorded { connection: 0, raw: Vec::new() });
        let (sent, head) = (Gate::new(), whole.len() - body.len());
        let server = Script::new()
            .reply(&whole[..head + 100_000])
            .open(&sent)
            .deaf()
            .accept()
            .reply(archive.part(99_999))
            .serve();
        let token = CancelToken::new();
        let mut request = resumable(&server, &folder).cancel_token(&token);
        if !cancel {
            request = request.timeout(Duration::from_millis(400));
        }
        std::thread::scope(|scope| {
            let sending = scope.spawn(|| fetch(request).unwrap_err());
            if cancel {
                let started = std::time::Instant::now();
                while !folder.names().iter().any(|name| {
                    name.ends_with(".part")
                        && folder.path(name).metadata().is_ok_and(|there| there.len() > 80_000)
                }) {
                    assert!(started.elapsed() < PATIENCE);
                    std::thread::yield_now();
                }
                token.cancel();
            }
            let error = sending.join().unwrap();
            assert_eq!((error.is_timeout(), error.is_cancelled()), (!cancel, cancel));
        });
        let there = folder.read(&folder.names()[0]);
        assert!(there.len() > 80_000 && body.starts_with(&there));
        if there.len() == 100_000 {
            assert_eq!(fetch(resumable(&server, &folder)).unwrap().resumed_from(), Some(99_999));
            assert!(folder.read("file") == body);
        }
    }
}

#[test]
fn the_range_goes_along_over_a_redirect() {
    let folder = Folder::new();
    let archive = Archive::tagged(100_000, "\"v1\"");
    let body = archive.body.clone();
    let elsewhere = archive.serve(&[30_000]);
    let url = elsewhere.url("/there");
    let server = Script::site(move |_| redirect(302, &url));
    broken_off(&server, &folder);
    let response = fetch(resumable(&server, &folder)).unwrap();
    assert_eq!((response.resumed_from(), response.history().len()), (Some(29_999), 1));
    assert!(folder.read("file") == body);
}

#[test]
fn an_error_page_leaves_the_part_as_it_is() {
    let folder = Folder::new();
    let archive = Archive::tagged(100_000, "\"v1\"");
    let body = archive.body.clone();
    let number = AtomicU32::new(0);
    let server = Script::site(move |request| match number.fetch_add(1, Ordering::Relaxed) {
        0 => cut_off(&archive.answer(request), 30_000),
        1 => reply("503 Busy", "", "busy"),
        _ => archive.answer(request),
    });
    broken_off(&server, &folder);
    let before = folder.names();
    let response = fetch(resumable(&server, &folder)).unwrap();
    assert_eq!((response.status(), response.bytes()), (503, &b"busy"[..]));
    assert_eq!((response.saved_to(), folder.names()), (None, before));
    assert_eq!(fetch(resumable(&server, &folder)).unwrap().resumed_from(), Some(29_999));
    assert!(folder.read("file") == body);
}

#[test]
fn two_that_go_on_with_the_same_part_at_once_both_end_with_the_right_file() {
    let folder = Folder::new();
    let archive = Archive::tagged(2 << 20, "\"v1\"");
    let body = archive.body.clone();
    let server = archive.serve(&[100_000]);
    broken_off(&server, &folder);
    let results: Vec<_> = std::thread::scope(|scope| {
        let both = [(); 2].map(|()| scope.spawn(|| fetch(resumable(&server, &folder))));
        both.into_iter().map(|one| one.join().unwrap()).collect()
    });
    for result in results {
        assert!(result.unwrap().saved_to().is_some());
    }
    assert!(folder.read("file") == body);
    assert_eq!(folder.names(), ["file"]);
}

#[test]
fn a_request_that_cannot_be_resumed_is_refused_before_it_is_sent() {
    let (folder, server) = (Folder::new(), Archive::tagged(10, "\"v1\"").serve(&[]));
    let get = || resumable(&server, &folder);
    let receive = || Receive::resumable_file(folder.path("file"));
    for request in [
        get().header("Range", "bytes=0-"),
        get().header("if-range", "\"v1\""),
        Request::post(server.url("/")).receive(receive()),
        Request::head(server.url("/")).receive(receive()),
    ] {
        let error = fetch(request).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{}", error.message());
    }
    let mut session = session(|config| {
        config.header("Range", "bytes=0-");
    });
    assert_eq!(session.request(get()).unwrap_err().kind(), ErrorKind::InvalidRequest);
    assert_eq!(server.connections(), 0);
    assert_eq!(session.request(get().without_header("range")).unwrap().body_len(), 10);
}

#[cfg(unix)]
#[test]
fn the_note_is_for_its_owner_alone_and_has_no_password() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = Folder::new();
    let server = Archive::tagged(100_000, "\"v1\"").serve(&[30_000]);
    let url = server.url("/file?key=1").replace("http://", "http://user:secret@");
    let request = Request::get(url).receive(Receive::resumable_file(folder.path("file")));
    fetch(request).unwrap_err();
    let mode = folder.path("file.resume").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let note = String::from_utf8(folder.read("file.resume")).unwrap();
    assert!(!note.contains("secret") && note.contains("key=1"), "{note}");
}
