//! A reader or a file that fails is an error, and never half a body for a whole one.

use std::error::Error as _;

use super::*;
use crate::support::script::{Gate, Recorded, chunks};
use fetchpool::{ErrorKind, Fault, Phase, Pool};

/// What an upload came to: its error, and what the server got, which then sees the end.
fn broken(body: Body, change: impl FnOnce(&mut SessionConfig)) -> (Error, Vec<Recorded>) {
    let server = Script::new().request_head().accept().reply(ok("next")).serve();
    let mut session = session(change);
    let error = session.request(Request::put(server.url("/")).body(body)).unwrap_err();
    server.wait_for_end_of(0);
    let came = server.requests();
    let next = session.request(server.url("/")).expect("the session goes on");
    assert!(!next.timings().reused, "on a connection of its own");
    (error, came)
}

/// That what came is the beginning of a body, and not a whole one.
fn assert_half(came: &[Recorded], begin: &str) {
    let head = &came[0];
    let rest = came.get(1).map(|rest| rest.raw.as_slice()).unwrap_or_default();
    assert_eq!(String::from_utf8_lossy(rest), begin);
    match head.header("content-length") {
        Some(length) => assert!(rest.len() < length.parse().unwrap(), "a whole body: {rest:?}"),
        None => assert_eq!(chunks(rest), None, "a whole body: {rest:?}"),
    }
}

/// A reader that gives this and then fails.
fn failing(begin: &'static str) -> impl Read + Send + 'static {
    begin.as_bytes().chain(By(|_: &mut [u8]| {
        Err(io::Error::new(io::ErrorKind::PermissionDenied, "the disk is on fire"))
    }))
}

#[test]
fn an_error_of_the_reader_is_the_requests_and_the_server_gets_no_whole_body() {
    for (body, came) in [
        (Body::reader(failing("abc")), "3\r\nabc\r\n"),
        (Body::reader(failing("")), ""),
        (Body::sized_reader(failing("abc"), 10), "abc"),
        (Body::reader_fn(|| Ok(failing("abc"))), "3\r\nabc\r\n"),
    ] {
        let (error, requests) = broken(body, |_| {});
        assert_eq!((error.kind(), error.fault()), (ErrorKind::Io, Fault::Caller), "{error}");
        assert_eq!(error.phase(), Some(Phase::Sending));
        assert!(error.message().contains("the request's body cannot be read"), "{error}");
        assert!(error.message().ends_with(": the disk is on fire"), "{}", error.message());
        let source = error.source().unwrap().downcast_ref::<io::Error>().unwrap();
        assert_eq!(source.kind(), io::ErrorKind::PermissionDenied);
        assert_half(&requests, came);
    }
}

#[test]
fn a_reader_that_ends_before_its_length_is_an_error() {
    for body in [
        Body::sized_reader(&b"abc"[..], 4),
        Body::sized_reader_fn(|| Ok(&b"abc"[..]), u64::MAX),
        Body::sized_reader(&b""[..], 1),
    ] {
        let shown = format!("{body:?}");
        let (error, requests) = broken(body, |_| {});
        assert_eq!((error.kind(), error.fault()), (ErrorKind::Io, Fault::Caller), "{shown}");
        assert!(error.message().contains("before its length of"), "{shown}: {}", error.message());
        assert_half(&requests, if shown.contains(", 1 b") { "" } else { "abc" });
    }
}

#[test]
fn a_reader_that_claims_more_than_there_was_room_for_is_an_error() {
    for length in [None, Some(5)] {
        let reader = By(|into: &mut [u8]| Ok(into.len() + 1));
        let body = match length {
            Some(length) => Body::sized_reader(reader, length),
            None => Body::reader(reader),
        };
        let (error, requests) = broken(body, |_| {});
        assert_eq!((error.kind(), error.fault()), (ErrorKind::Io, Fault::Caller), "{error}");
        assert_half(&requests, "");
    }
}

#[test]
fn a_file_that_grows_or_shrinks_while_it_is_sent_is_an_error() {
    for (length, later, says, came) in [
        (10, 12, "has grown beyond its length of 10", ""),
        (70_000, 70_001, "has grown beyond its length of 70000", "its first piece"),
        (10, 4, "ended 6 bytes before its length of 10", "what is left"),
        (10, 0, "ended 10 bytes before its length of 10", ""),
    ] {
        let file = Temporary::new(bytes(length));
        let server = Script::new().request_head().serve();
        let path = file.path().to_owned();
        let mut session = session(|config| {
            config.observer = Some(Arc::new(Meddler(move || {
                fs::write(&path, bytes(later)).unwrap();
            })));
        });
        let request = Request::put(server.url("/put")).body(Body::file(file.path()));
        let error = session.request(request).unwrap_err();
        assert_eq!((error.kind(), error.fault()), (ErrorKind::Io, Fault::Caller), "{error}");
        assert!(error.message().contains(says), "{}", error.message());
        assert!(error.message().contains(&file.name()), "{}", error.message());
        server.wait_for_end_of(0);
        let requests = server.requests();
        let rest = requests.get(1).map(|rest| rest.raw.as_slice()).unwrap_or_default();
        match came {
            "" => assert_eq!(rest, b""),
            "what is left" => assert_eq!(rest, bytes(later)),
            _ => assert_eq!(rest, bytes(65_536)),
        }
    }
}

#[test]
fn what_is_no_file_is_an_error_before_anything_is_sent() {
    let server = Script::new().serve();
    let missing = std::env::temp_dir().join("fetchpool-is-not-there");
    let folder = std::env::temp_dir();
    let mut paths = vec![(missing, ""), (folder, "not a regular file")];
    if cfg!(target_os = "linux") {
        paths.push(("/dev/zero".into(), "not a regular file"));
        // Its length is told as none, and it has one.
        paths.push(("/proc/self/status".into(), "has grown beyond its length of 0"));
    }
    for (path, says) in paths {
        let error = fetch(Request::put(server.url("/")).body(Body::file(&path))).unwrap_err();
        assert_eq!((error.kind(), error.fault()), (ErrorKind::Io, Fault::Caller), "{error}");
        assert_eq!(error.phase(), Some(Phase::Setup), "{path:?}");
        let message = error.message();
        assert!(message.contains(&format!("{path:?}")) && message.contains(says), "{message}");
    }
    assert_eq!(server.connections(), 0);
}

#[test]
fn an_error_of_what_makes_the_readers_is_told_before_anything_is_sent() {
    let server = Script::new().serve();
    let body = Body::reader_fn(|| Err::<io::Empty, _>(io::Error::other("no more of them")));
    let error = fetch(Request::put(server.url("/")).body(body)).unwrap_err();
    assert_eq!((error.kind(), error.fault()), (ErrorKind::Io, Fault::Caller), "{error}");
    assert!(error.message().ends_with("no more of them"), "{}", error.message());
    assert_eq!((error.phase(), server.connections()), (Some(Phase::Setup), 0));
}

#[test]
fn a_panic_of_the_reader_is_an_error_and_the_session_goes_on() {
    let panics = || b"abc".chain(By(|_: &mut [u8]| panic!("on purpose")));
    for body in [Body::reader(panics()), Body::sized_reader_fn(move || Ok(panics()), 10)] {
        let (error, requests) = broken(body, |_| {});
        assert_eq!((error.kind(), error.fault()), (ErrorKind::Panic, Fault::Caller), "{error}");
        assert_eq!(error.phase(), Some(Phase::Sending));
        let told = "the reader of the request's body panicked: on purpose";
        assert!(error.message().contains(told), "{}", error.message());
        let chunked = requests[0].header("content-length").is_none();
        assert_half(&requests, if chunked { "3\r\nabc\r\n" } else { "abc" });
    }
    let server = friendly();
    let body = Body::reader_fn(|| -> io::Result<io::Empty> { panic!("on purpose") });
    let error = fetch(Request::put(server.url("/")).body(body)).unwrap_err();
    assert_eq!((error.kind(), error.phase()), (ErrorKind::Panic, Some(Phase::Setup)), "{error}");
}

#[test]
fn a_panic_of_a_reader_in_a_pool_is_one_outcome_and_the_worker_goes_on() {
    let server = friendly();
    let bad = || By(|_: &mut [u8]| panic!("on purpose"));
    let jobs = (0..6).map(|number| {
        let request = Request::put(server.url("/")).tag(number);
        match number % 2 {
            0 => request.body(Body::reader(bad())),
            _ => request.body(Body::reader(&b"abc"[..])),
        }
    });
    let (responses, exceptions) = Pool::builder().num_threads(1).map(jobs);
    let mut failed: Vec<i32> = Vec::new();
    for exception in exceptions {
        assert_eq!(exception.kind(), ErrorKind::Panic);
        failed.push(*exception.tag().unwrap());
    }
    failed.sort_unstable();
    assert_eq!((failed, responses.count()), (vec![0, 2, 4], 3));
}

#[test]
fn a_reader_is_read_once_and_a_second_request_with_it_says_so() {
    let server = friendly();
    let request = Request::put(server.url("/")).body(Body::reader(&b"abc"[..]));
    assert!(fetch(request.clone()).is_ok());
    for _ in 0..2 {
        let error = fetch(request.clone()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error}");
        assert_eq!((error.fault(), error.phase()), (Fault::Caller, Some(Phase::Setup)));
        assert!(error.message().contains("can be read once, and has been"), "{error}");
    }
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn two_requests_at_once_do_not_share_a_reader() {
    let (begun, go_on) = (Gate::new(), Gate::new());
    let server = friendly();
    let reader = By({
        let (begun, go_on) = (begun.clone(), go_on.clone());
        move |_: &mut [u8]| {
            begun.open();
            assert!(go_on.wait());
            Ok(0)
        }
    });
    let request = Request::put(server.url("/")).body(Body::reader(reader));
    let first = std::thread::spawn({
        let request = request.clone();
        move || fetch(request)
    });
    assert!(begun.wait());
    assert_eq!(fetch(request).unwrap_err().kind(), ErrorKind::InvalidRequest);
    go_on.open();
    assert_eq!(first.join().unwrap().unwrap().status(), 200);
}

#[test]
fn a_read_that_was_interrupted_is_repeated() {
    let server = friendly();
    let mut reads = 0;
    let reader = By(move |into: &mut [u8]| {
        reads += 1;
        match reads {
            1 | 2 | 4 => Err(io::ErrorKind::Interrupted.into()),
            3 => {
                into[0] = b'a';
                Ok(1)
            }
            _ => Ok(0),
        }
    });
    fetch(Request::put(server.url("/")).body(Body::reader(reader))).unwrap();
    assert_eq!(server.request().body(), b"1\r\na\r\n0\r\n\r\n");
}
