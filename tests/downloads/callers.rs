//! Writers and functions that fail: whose error it is, and that nothing else takes harm.

use super::*;
use fetchpool::{ErrorKind, Fault, Outcome, Phase, Pool};
use support::script::ok;

/// Fails in one way at one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fails {
    First,
    Later,
    Zero,
    Flush,
    PanicFirst,
    PanicLater,
    PanicFlush,
    PanicDrop,
}

struct Bad(Fails, usize);

impl io::Write for Bad {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.1 += 1;
        match self.0 {
            Fails::First => Err(io::Error::other("full")),
            Fails::Later if self.1 > 1 => Err(io::Error::other("full")),
            Fails::Zero => Ok(0),
            Fails::PanicFirst => panic!("on purpose"),
            Fails::PanicLater if self.1 > 1 => panic!("on purpose"),
            _ => Ok(bytes.len()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.0 {
            Fails::Flush => Err(io::Error::other("full")),
            Fails::PanicFlush => panic!("on purpose"),
            _ => Ok(()),
        }
    }
}

impl Drop for Bad {
    fn drop(&mut self) {
        assert!(self.0 != Fails::PanicDrop, "on purpose");
    }
}

#[test]
fn an_error_of_a_writer_is_told_as_one_and_blames_the_caller() {
    for fails in [Fails::First, Fails::Later, Fails::Zero, Fails::Flush] {
        let server = Script::site(|_| ok(pattern(300_000)));
        let mut session = session(|_| {});
        let request = Request::get(server.url("/")).receive(Receive::writer(Bad(fails, 0)));
        let error = session.request(request).unwrap_err();
        assert_eq!((error.kind(), error.fault()), (ErrorKind::Io, Fault::Caller), "{fails:?}");
        assert_eq!(error.phase(), Some(Phase::Receiving));
        assert!(error.message().contains("writer"), "{}", error.message());
        assert!(!error.message().contains("network"), "{}", error.message());
        let source =
            std::error::Error::source(&error).unwrap().downcast_ref::<io::Error>().unwrap();
        match fails {
            Fails::Zero => assert_eq!(source.kind(), io::ErrorKind::WriteZero),
            _ => assert_eq!(source.to_string(), "full"),
        }
        let response = error.response().unwrap();
        assert!(response.is_partial() && response.bytes().is_empty());
        assert!(!session.request(server.url("/")).unwrap().timings().reused, "it was closed");
    }
}

#[test]
fn a_panic_of_a_writer_is_an_error_of_a_session_and_the_session_goes_on() {
    for fails in [Fails::PanicFirst, Fails::PanicLater, Fails::PanicFlush, Fails::PanicDrop] {
        let server = Script::site(|_| ok(pattern(300_000)));
        let mut session = session(|_| {});
        let request = Request::get(server.url("/")).receive(Receive::writer(Bad(fails, 0)));
        let error = session.request(request).unwrap_err();
        assert_eq!((error.kind(), error.fault()), (ErrorKind::Panic, Fault::Caller), "{fails:?}");
        assert!(error.message().contains("writer"), "{}", error.message());
        assert!(error.message().contains("on purpose"), "{}", error.message());
        assert!(!session.request(server.url("/")).unwrap().timings().reused, "it was closed");
    }
}

#[test]
fn an_error_or_a_panic_of_a_function_ends_its_request_and_no_other() {
    let server = Script::site(|_| ok(pattern(300_000)));
    type Way = (fn() -> io::Result<()>, ErrorKind);
    let ways: [Way; 2] = [
        (|| Err(io::Error::other("enough")), ErrorKind::Io),
        (|| panic!("on purpose"), ErrorKind::Panic),
    ];
    for (way, kind) in ways {
        let chunks = Request::get(server.url("/")).receive(Receive::chunks(move |_| way()));
        let choice = Request::get(server.url("/")).receive_by(move |_| {
            let _ = way();
            panic!("on purpose")
        });
        let jobs = [chunks, Request::get(server.url("/")), choice, Request::get(server.url("/"))];
        let pool = Pool::builder().num_threads(1).job_queue(jobs).build().unwrap();
        let kinds: Vec<Option<ErrorKind>> = pool
            .outcomes()
            .map(|outcome| match outcome {
                Outcome::Response(_) => None,
                Outcome::Exception(exception) => {
                    assert!(exception.message().contains("function"), "{}", exception.message());
                    Some(exception.kind())
                }
            })
            .collect();
        assert_eq!(kinds, [Some(kind), None, Some(ErrorKind::Panic), None]);
    }
}

#[test]
fn a_function_can_be_used_again_also_after_it_failed() {
    let server = Script::site(|_| ok("body"));
    let calls = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&calls);
    let request = Request::get(server.url("/")).receive(Receive::chunks(move |_| {
        match count.fetch_add(1, Ordering::Relaxed) {
            0 => panic!("on purpose"),
            1 => Err(io::Error::other("not yet")),
            _ => Ok(()),
        }
    }));
    let mut session = session(|_| {});
    let kinds: Vec<Option<ErrorKind>> =
        (0..4).map(|_| session.request(&request).err().map(|error| error.kind())).collect();
    assert_eq!(kinds, [Some(ErrorKind::Panic), Some(ErrorKind::Io), None, None]);
    assert_eq!(calls.load(Ordering::Relaxed), 4);
}

#[test]
fn a_slow_writer_is_no_stall_and_no_low_speed() {
    let gate = support::script::Gate::new();
    let bytes = ok(pattern(400_000));
    let server = Script::new().reply(&bytes[..200_000]).open(&gate).send(&bytes[200_000..]).serve();
    let slow = move |_: &[u8]| {
        // The pace of a slow disk, not a way to wait for something.
        std::thread::sleep(std::time::Duration::from_millis(30));
        Ok(())
    };
    let mut session = session(|config| {
        config.stall_timeout = Some(std::time::Duration::from_millis(20));
    });
    let request = Request::get(server.url("/")).receive(Receive::chunks(slow));
    assert_eq!(session.request(request).unwrap().body_len(), 400_000);
    assert!(gate.wait());
}

#[test]
fn the_timeout_goes_on_while_a_writer_writes() {
    let server = once(&ok(pattern(400_000))[..300_000]);
    let slow = move |_: &[u8]| {
        std::thread::sleep(std::time::Duration::from_millis(60));
        Ok(())
    };
    let request = Request::get(server.url("/"))
        .receive(Receive::chunks(slow))
        .timeout(std::time::Duration::from_millis(50));
    assert!(fetch(request).unwrap_err().is_timeout());
}
