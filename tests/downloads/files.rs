//! A file is there when it is whole, and not before; and whatever goes wrong, nothing else is left.

use std::time::{Duration, Instant};

use super::*;
use fetchpool::{CancelToken, ErrorKind, Fault, Phase};
#[cfg(feature = "gzip")]
use support::script::reply;
use support::script::{Gate, ok};

fn to_file(server: &Server, path: impl AsRef<Path>) -> Request {
    Request::get(server.url("/")).receive(Receive::file(path))
}

/// Waits until this holds.
fn wait_until(holds: impl Fn() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < PATIENCE, "it never came");
        std::thread::yield_now();
    }
}

#[test]
fn the_old_file_is_there_until_the_new_one_is_whole() {
    let (folder, gate) = (Folder::new(), Gate::new());
    folder.write("file", "old");
    let body = pattern(200_000);
    let bytes = ok(&body);
    let server = Script::new().reply(&bytes[..150_000]).wait(&gate).send(&bytes[150_000..]).serve();
    std::thread::scope(|scope| {
        let sent = scope.spawn(|| fetch(to_file(&server, folder.path("file"))).unwrap());
        // Its name begins with a dot.
        wait_until(|| {
            folder.names().len() == 2
                && folder.0.join(&folder.names()[0]).metadata().is_ok_and(|m| m.len() > 100_000)
        });
        let names = folder.names();
        assert!(names[0].starts_with(".fetchpool-") && names[0].ends_with(".part"), "{names:?}");
        assert_eq!(folder.read("file"), b"old");
        gate.open();
        assert_eq!(sent.join().unwrap().body_len(), 200_000);
    });
    assert_eq!(folder.names(), ["file"]);
    assert!(folder.read("file") == body);
}

/// `body`, in one block that is stored.
#[cfg(feature = "gzip")]
const GZIP: [u8; 27] =
    *b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x01\x04\0\xfb\xffbody\xb2\x0b\xa8\xdb\x04\0\0\0";

/// What goes wrong, and the kind of its error.
fn failures() -> Vec<(&'static str, Vec<u8>, ErrorKind)> {
    let length = "HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n";
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let some = pattern(150_000);
    let with = |head: &str, body: &[u8]| [head.as_bytes(), body].concat();
    let chunk = [b"249f0\r\n", some.as_slice(), b"\r\n"].concat();
    vec![
        ("cut at once", with(length, b""), ErrorKind::Closed),
        ("cut off", with(length, &some), ErrorKind::Closed),
        ("cut off within a chunk", with(chunked, &chunk[..70_000]), ErrorKind::Closed),
        ("without a last chunk", with(chunked, &chunk), ErrorKind::Closed),
        (
            "a bad chunk",
            with(chunked, &[&chunk, b"x\r\n".as_slice()].concat()),
            ErrorKind::Protocol,
        ),
        (
            "too long",
            with("HTTP/1.1 200 OK\r\nContent-Length: 300001\r\n\r\n", b""),
            ErrorKind::TooLarge,
        ),
        ("too large", with("HTTP/1.1 200 OK\r\n\r\n", &pattern(300_001)), ErrorKind::TooLarge),
        #[cfg(feature = "gzip")]
        (
            "not what it says",
            reply("200 OK", "Content-Encoding: gzip\r\n", "no gzip at all"),
            ErrorKind::Decode,
        ),
        #[cfg(feature = "gzip")]
        (
            "whole, but not what is coded in it",
            reply("200 OK", "Content-Encoding: gzip\r\n", &GZIP[..GZIP.len() - 1]),
            ErrorKind::Decode,
        ),
    ]
}

#[test]
fn whatever_goes_wrong_the_old_file_stays_and_nothing_is_left_beside_it() {
    for (what, bytes, kind) in failures() {
        for old in [None, Some("old")] {
            let folder = Folder::new();
            if let Some(old) = old {
                folder.write("file", old);
            }
            let server = once(&bytes);
            let mut session = session(|config| config.limits.sink_bytes = 300_000);
            let error = session.request(to_file(&server, folder.path("file"))).unwrap_err();
            assert_eq!(error.kind(), kind, "{what}: {}", error.message());
            let response = error.response().expect("what there was of it");
            assert!(response.is_partial() && response.saved_to().is_none(), "{what}");
            match old {
                Some(old) => {
                    assert_eq!(folder.read("file"), old.as_bytes(), "{what}");
                    assert_eq!(folder.names(), ["file"], "{what}");
                }
                None => assert_eq!(folder.names(), Vec::<String>::new(), "{what}"),
            }
        }
    }
}

#[test]
fn a_timeout_and_a_cancel_leave_nothing() {
    for cancel in [false, true] {
        let (folder, server) =
            (Folder::new(), Script::new().reply(&ok(pattern(200_000))[..150_000]).deaf().serve());
        let token = CancelToken::new();
        let mut request = to_file(&server, folder.path("file")).cancel_token(&token);
        if !cancel {
            request = request.timeout(Duration::from_millis(300));
        }
        std::thread::scope(|scope| {
            let sent = scope.spawn(|| fetch(request).unwrap_err());
            if cancel {
                wait_until(|| folder.names().len() == 1);
                token.cancel();
            }
            let error = sent.join().unwrap();
            assert_eq!((error.is_timeout(), error.is_cancelled()), (!cancel, cancel));
            assert_eq!(error.clock().is_some(), !cancel, "which time ran out is told");
        });
        assert_eq!(folder.names(), Vec::<String>::new());
    }
}

#[test]
fn what_the_disk_says_is_an_error_that_names_the_file_and_blames_the_caller() {
    let folder = Folder::new();
    folder.write("plain", "");
    fs::create_dir(folder.path("folder")).unwrap();
    for path in ["missing/file", "plain/file", "folder"] {
        let server = once(ok("body"));
        let path = folder.path(path);
        let error = fetch(to_file(&server, &path)).unwrap_err();
        assert_eq!((error.kind(), error.fault()), (ErrorKind::Io, Fault::Caller), "{path:?}");
        assert_eq!(error.phase(), Some(Phase::Receiving));
        assert!(error.message().contains(path.to_str().unwrap()), "{}", error.message());
        let source = std::error::Error::source(&error).unwrap();
        assert!(source.is::<io::Error>(), "{source:?}");
        assert_eq!(error.response().map(|response| response.status()), Some(200));
    }
    assert_eq!(folder.names(), ["folder", "plain"]);
}

#[test]
fn a_path_that_is_none_of_a_file_is_refused_before_anything_is_sent() {
    for path in ["/", "a/..", ""] {
        for receive in [Receive::file(path), Receive::resumable_file(path)] {
            let server = once(ok("body"));
            let error = fetch(Request::get(server.url("/")).receive(receive)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{path:?}");
            assert_eq!(server.connections(), 0);
        }
    }
}

#[test]
fn the_longest_name_that_a_folder_can_have_is_no_trouble() {
    let folder = Folder::new();
    let name = "n".repeat(255);
    fetch(to_file(&once(ok("body")), folder.path(&name))).unwrap();
    assert_eq!(folder.names(), [name]);
}

#[cfg(unix)]
#[test]
fn a_link_of_that_name_is_replaced_and_what_it_leads_to_is_left_alone() {
    let folder = Folder::new();
    folder.write("precious", "precious");
    std::os::unix::fs::symlink(folder.path("precious"), folder.path("file")).unwrap();
    fetch(to_file(&once(ok("body")), folder.path("file"))).unwrap();
    assert_eq!(
        (folder.read("precious"), folder.read("file")),
        (b"precious".into(), b"body".into())
    );
    assert!(!folder.path("file").is_symlink());
}

#[cfg(unix)]
#[test]
fn a_file_has_the_mode_that_new_files_have() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = Folder::new();
    folder.write("usual", "");
    let mode = |name: &str| folder.path(name).metadata().unwrap().permissions().mode();
    fetch(to_file(&once(ok("body")), folder.path("file"))).unwrap();
    assert_eq!(mode("file"), mode("usual"));
}
