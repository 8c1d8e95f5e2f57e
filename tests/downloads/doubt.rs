//! What does not fit is never gone on with: the file is begun anew, or there is an error.

use super::resume::{Archive, broken_off, cut_off, resumable};
use super::*;
use fetchpool::ErrorKind;
use support::script::{Recorded, ok, redirect, reply};

const WHOLE: usize = 100_000;
const THERE: usize = 40_000;

/// What a first try has left, and a server that then says this to whoever asks for a range, and has
/// the whole for others.
fn answering(answer: impl Fn(&Archive) -> Vec<u8> + Send + Sync + 'static) -> (Folder, Server) {
    let folder = Folder::new();
    let archive = Archive::tagged(WHOLE, "\"v1\"");
    let first = AtomicU32::new(0);
    let server = Script::site(move |request| {
        if first.fetch_add(1, Ordering::Relaxed) == 0 {
            return cut_off(&archive.answer(request), THERE);
        }
        match request.header("range") {
            Some(_) => answer(&archive),
            None => archive.answer(request),
        }
    });
    broken_off(&server, &folder);
    (folder, server)
}

fn ranges(server: &Server) -> Vec<Option<String>> {
    server.requests().iter().map(|request| request.header("range")).collect()
}

/// A 206 with these fields, and the rest of the body.
fn rest(archive: &Archive, fields: &str) -> Vec<u8> {
    reply("206 Partial Content", fields, &archive.body[THERE - 1..])
}

type Answer = fn(&Archive) -> Vec<u8>;

#[test]
fn a_part_that_does_not_fit_is_not_taken_and_the_whole_is_asked_for() {
    let answers: Vec<(&str, Answer)> = vec![
        ("no range", |a| rest(a, "ETag: \"v1\"\r\n")),
        ("another first byte", |a| {
            let range = "Content-Range: bytes 40000-99999/100000\r\nETag: \"v1\"\r\n";
            reply("206 Partial Content", range, &a.body[THERE..])
        }),
        ("from the start", |a| a.part(0)),
        ("not to the end", |a| {
            let range = "Content-Range: bytes 39999-89999/100000\r\nETag: \"v1\"\r\n";
            reply("206 Partial Content", range, &a.body[THERE - 1..90_000])
        }),
        ("another length of the whole", |a| {
            rest(a, "Content-Range: bytes 39999-99999/100001\r\nETag: \"v1\"\r\n")
        }),
        ("a longer whole", |a| {
            rest(a, "Content-Range: bytes 39999-100000/100001\r\nETag: \"v1\"\r\n")
        }),
        ("a longer whole, and all of its rest", |a| {
            let range = "Content-Range: bytes 39999-100000/100001\r\nETag: \"v1\"\r\n";
            reply("206 Partial Content", range, [&a.body[THERE - 1..], b"x"].concat())
        }),
        ("an unknown length of the whole", |a| {
            rest(a, "Content-Range: bytes 39999-99999/*\r\nETag: \"v1\"\r\n")
        }),
        ("another unit", |a| {
            rest(a, "Content-Range: items 39999-99999/100000\r\nETag: \"v1\"\r\n")
        }),
        ("two ranges", |a| {
            let range = "Content-Range: bytes 39999-99999/100000\r\n";
            rest(a, &format!("{range}{range}ETag: \"v1\"\r\n"))
        }),
        ("another length of its own", |a| {
            let range = "Content-Range: bytes 39999-99999/100000\r\nETag: \"v1\"\r\n";
            reply("206 Partial Content", range, &a.body[THERE..])
        }),
        ("without its tag", |a| rest(a, "Content-Range: bytes 39999-99999/100000\r\n")),
        ("with another tag", |a| {
            rest(a, "Content-Range: bytes 39999-99999/100000\r\nETag: \"v2\"\r\n")
        }),
        ("with a weak tag", |a| {
            rest(a, "Content-Range: bytes 39999-99999/100000\r\nETag: W/\"v1\"\r\n")
        }),
        ("with two tags", |a| {
            let tags = "ETag: \"v1\"\r\nETag: \"v2\"\r\n";
            rest(a, &format!("Content-Range: bytes 39999-99999/100000\r\n{tags}"))
        }),
        ("coded", |a| {
            let fields = "ETag: \"v1\"\r\nContent-Encoding: gzip\r\n";
            rest(a, &format!("Content-Range: bytes 39999-99999/100000\r\n{fields}"))
        }),
        ("in several parts", |_| {
            let fields = "Content-Type: multipart/byteranges; boundary=x\r\nETag: \"v1\"\r\n";
            reply("206 Partial Content", fields, "--x--")
        }),
        ("nothing of it", |_| reply("416 No", "Content-Range: bytes */100000\r\n", "no")),
        ("nothing of it, and it would be whole", |_| {
            reply("416 No", "Content-Range: bytes */40000\r\nETag: \"v1\"\r\n", "no")
        }),
    ];
    for (what, answer) in answers {
        let (folder, server) = answering(answer);
        let response = fetch(resumable(&server, &folder)).unwrap();
        assert_eq!((response.status(), response.resumed_from()), (200, None), "{what}");
        assert!(folder.read("file") == Archive::tagged(WHOLE, "\"v1\"").body, "{what}");
        assert_eq!(folder.names(), ["file"], "{what}");
        assert_eq!(ranges(&server), [None, Some("bytes=39999-".into()), None], "{what}");
    }
}

#[test]
fn the_whole_is_asked_for_once_more_and_not_again() {
    let folder = Folder::new();
    let archive = Archive::tagged(WHOLE, "\"v1\"");
    let first = AtomicU32::new(0);
    let server = Script::site(move |request| match first.fetch_add(1, Ordering::Relaxed) {
        0 => cut_off(&archive.answer(request), THERE),
        _ => archive.part(0),
    });
    broken_off(&server, &folder);
    let error = fetch(resumable(&server, &folder)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol, "a part that nobody asked for");
    assert_eq!(server.requests().len(), 3);
    assert!(!folder.path("file").exists());
}

#[test]
fn a_file_that_has_changed_is_begun_anew() {
    let (folder, server) = answering(|_| ok(pattern(10)));
    let response = fetch(resumable(&server, &folder)).unwrap();
    assert_eq!((response.status(), response.resumed_from()), (200, None));
    assert_eq!(folder.read("file"), pattern(10));
    assert_eq!(folder.names(), ["file"]);
    assert_eq!(server.requests().len(), 2, "the answer is the whole");
}

#[test]
fn a_file_that_has_changed_and_breaks_off_again_leaves_a_part_of_the_new_one() {
    let (old, new) = (Archive::tagged(WHOLE, "\"v1\""), Archive::tagged(WHOLE, "\"v2\""));
    let expected = new.body.clone();
    let number = AtomicU32::new(0);
    let server = Script::site(move |request| match number.fetch_add(1, Ordering::Relaxed) {
        0 => cut_off(&old.answer(request), THERE),
        1 => cut_off(&new.answer(request), 20_000),
        _ => new.answer(request),
    });
    let folder = Folder::new();
    broken_off(&server, &folder);
    let before = folder.names();
    broken_off(&server, &folder);
    assert_ne!(folder.names(), before, "another part");
    assert_eq!(fetch(resumable(&server, &folder)).unwrap().resumed_from(), Some(19_999));
    assert!(folder.read("file") == expected);
    let validators: Vec<_> = server.requests().iter().map(|r| r.header("if-range")).collect();
    assert_eq!(validators, [None, Some("\"v1\"".into()), Some("\"v2\"".into())]);
}

#[test]
fn another_url_does_not_go_on_with_the_part_of_the_first() {
    let (folder, server) = answering(|archive| archive.part(THERE - 1));
    let path = folder.path("file");
    let request = Request::get(server.url("/file?v=2")).receive(Receive::resumable_file(path));
    assert_eq!(fetch(request).unwrap().resumed_from(), None);
    assert_eq!(ranges(&server), [None, None]);
    assert_eq!(folder.names(), ["file"]);
}

#[test]
fn a_rest_that_is_not_as_long_as_it_says_is_an_error_and_nothing_is_kept() {
    let head = "HTTP/1.1 206 Partial Content\r\nETag: \"v1\"\r\nTransfer-Encoding: chunked\r\n\
                Content-Range: bytes 39999-99999/100000\r\n\r\n";
    for size in [0, 60_000, 60_002] {
        let (folder, server) = answering(move |_| {
            let chunk = match size {
                0 => Vec::new(),
                _ => {
                    [format!("{size:x}\r\n").into_bytes(), pattern(size), b"\r\n".to_vec()].concat()
                }
            };
            [head.as_bytes(), &chunk, b"0\r\n\r\n"].concat()
        });
        let error = fetch(resumable(&server, &folder)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Protocol, "{size}: {}", error.message());
        assert_eq!(folder.names(), Vec::<String>::new(), "{size}");
        fetch(resumable(&server, &folder)).unwrap();
        assert!(folder.read("file") == Archive::tagged(WHOLE, "\"v1\"").body);
    }
}

#[test]
fn without_a_strong_validator_nothing_is_kept() {
    let date = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
    for fields in [
        String::new(),
        "ETag: W/\"v1\"\r\n".into(),
        "ETag: unquoted\r\n".into(),
        "ETag: \"v1\"\r\nETag: \"v2\"\r\n".into(),
        "Last-Modified: Sun, 06 Nov 1994 08:00:00 GMT\r\n".into(),
        format!("{date}Last-Modified: Sun, 06 Nov 1994 08:49:36 GMT\r\n"),
        format!("{date}Last-Modified: yesterday\r\n"),
        "ETag: \"v1\"\r\nContent-Encoding: x-unknown\r\n".into(),
    ] {
        let folder = Folder::new();
        let whole = reply("200 OK", &fields, pattern(WHOLE));
        let server = Script::new()
            .reply(&whole[..whole.len() - 1000])
            .close()
            .accept()
            .reply(&whole)
            .serve();
        assert_eq!(fetch(resumable(&server, &folder)).unwrap_err().kind(), ErrorKind::Closed);
        assert_eq!(folder.names(), Vec::<String>::new(), "{fields}");
        assert_eq!(fetch(resumable(&server, &folder)).unwrap().resumed_from(), None);
        assert_eq!(ranges(&server), [None, None]);
        assert_eq!(folder.names(), ["file"]);
    }
}

#[cfg(feature = "gzip")]
#[test]
fn a_coded_body_that_nobody_asked_for_is_decoded_and_not_kept_where_it_breaks() {
    use std::io::Write as _;
    let body = pattern(WHOLE);
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(&body).unwrap();
    let fields = "ETag: \"v1\"\r\nContent-Encoding: gzip\r\n";
    let whole = reply("200 OK", fields, encoder.finish().unwrap());
    let server =
        Script::new().reply(&whole[..whole.len() - 10]).close().accept().reply(&whole).serve();
    let folder = Folder::new();
    assert_eq!(fetch(resumable(&server, &folder)).unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(folder.names(), Vec::<String>::new());
    fetch(resumable(&server, &folder)).unwrap();
    assert!(folder.read("file") == body);
}

#[test]
fn what_came_before_something_malformed_is_not_kept() {
    let folder = Folder::new();
    let head = "HTTP/1.1 200 OK\r\nETag: \"v1\"\r\nTransfer-Encoding: chunked\r\n\r\n";
    let server = once(format!("{head}5\r\nhello\r\nx\r\n"));
    assert_eq!(fetch(resumable(&server, &folder)).unwrap_err().kind(), ErrorKind::Protocol);
    assert_eq!(folder.names(), Vec::<String>::new());
}

/// What is left of a first try, changed by somebody, and whether the next try begins anew.
fn tampered(change: impl Fn(&Folder, &str)) -> (Folder, Server) {
    let (folder, server) = answering(|archive| archive.part(THERE - 1));
    let part = folder.names()[0].clone();
    change(&folder, &part);
    let response = fetch(resumable(&server, &folder)).unwrap();
    assert_eq!(response.resumed_from(), None);
    assert_eq!(ranges(&server), [None, None]);
    assert!(folder.read("file") == Archive::tagged(WHOLE, "\"v1\"").body);
    assert!(!folder.path("file").is_symlink());
    (folder, server)
}

#[test]
fn a_note_that_is_not_one_is_not_believed() {
    let changes: [fn(&str) -> Vec<u8>; 8] = [
        |_| Vec::new(),
        |_| b"\xff\xfe\0".to_vec(),
        |note| note.replace("fetchpool-part: 1", "fetchpool-part: 2").into_bytes(),
        |note| note.replace("length: 100000", "length: 99").into_bytes(),
        |note| note.replace("length: 100000", "length: lots").into_bytes(),
        |note| note.replace("\"v1\"", "\"v1\"\r\nX-Injected: yes").into_bytes(),
        |note| format!("{note}{}", "x".repeat(1 << 20)).into_bytes(),
        |note| note.as_bytes()[..note.len() - 3].to_vec(),
    ];
    for change in changes {
        tampered(|folder, _| {
            let note = String::from_utf8(folder.read("file.resume")).unwrap();
            folder.write("file.resume", change(&note));
        });
    }
}

#[test]
fn a_part_that_is_gone_or_empty_or_too_long_is_not_gone_on_with() {
    tampered(|folder, part| fs::remove_file(folder.path(part)).unwrap());
    tampered(|folder, part| folder.write(part, ""));
    tampered(|folder, part| folder.write(part, pattern(WHOLE + 1)));
    tampered(|folder, part| {
        fs::remove_file(folder.path(part)).unwrap();
        fs::create_dir(folder.path(part)).unwrap();
    });
}

#[cfg(unix)]
#[test]
fn links_are_not_followed() {
    let link = std::os::unix::fs::symlink::<PathBuf, PathBuf>;
    let (folder, _) = tampered(|folder, part| {
        fs::rename(folder.path(part), folder.path("precious")).unwrap();
        link(folder.path("precious"), folder.path(part)).unwrap();
    });
    assert_eq!(folder.read("precious"), Archive::tagged(WHOLE, "\"v1\"").body[..THERE]);
    let (folder, _) = tampered(|folder, _| {
        fs::rename(folder.path("file.resume"), folder.path("precious")).unwrap();
        link(folder.path("precious"), folder.path("file.resume")).unwrap();
    });
    assert!(folder.path("precious").exists());
}

#[test]
fn a_request_without_a_range_never_says_if_range() {
    let server = Archive::tagged(10, "\"v1\"").serve(&[]);
    let folder = Folder::new();
    fetch(resumable(&server, &folder)).unwrap();
    let request: Recorded = server.request();
    assert_eq!((request.header("range"), request.header("if-range")), (None, None));
}

/// A tag tells the versions of one resource apart, and nothing of two resources.
#[test]
fn what_a_redirect_led_to_is_not_gone_on_with_from_another_place_by_the_same_tag() {
    let (old, mut new) = (Archive::tagged(WHOLE, "\"1\""), Archive::tagged(WHOLE, "\"1\""));
    new.body.reverse();
    let (body, asked) = (new.body.clone(), AtomicU32::new(0));
    let server = Script::site(move |request| match request.target().as_str() {
        "/old" => cut_off(&old.answer(request), THERE),
        "/new" => new.answer(request),
        _ if asked.fetch_add(1, Ordering::Relaxed) == 0 => redirect(302, "/old"),
        _ => redirect(302, "/new"),
    });
    let folder = Folder::new();
    broken_off(&server, &folder);
    let response = fetch(resumable(&server, &folder)).unwrap();
    assert!(folder.read("file") == body, "a file of two");
    assert_eq!((response.status(), response.resumed_from()), (200, None));
    assert_eq!(folder.names(), ["file"]);
}

/// Links that are signed have another query each time.
#[test]
fn what_a_redirect_led_to_is_gone_on_with_at_the_same_place_by_another_query() {
    let archive = Archive::tagged(WHOLE, "\"1\"");
    let (body, asked) = (archive.body.clone(), AtomicU32::new(0));
    let server = Script::site(move |request| match request.target().as_str() {
        "/there?signed=0" => cut_off(&archive.answer(request), THERE),
        "/there?signed=1" => archive.answer(request),
        _ => {
            let signed = asked.fetch_add(1, Ordering::Relaxed);
            redirect(302, &format!("/there?signed={signed}"))
        }
    });
    let folder = Folder::new();
    broken_off(&server, &folder);
    let response = fetch(resumable(&server, &folder)).unwrap();
    assert!(folder.read("file") == body);
    assert_eq!(response.resumed_from(), Some(THERE as u64 - 1));
}
