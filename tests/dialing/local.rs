//! A socket in the file system, to which every connection goes.

use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use fetchpool::{
    AddressPolicy, CancelToken, Clock, ErrorKind, Phase, Pool, Request, Session, SessionConfig,
};

use crate::support::farm::{timed, within};
use crate::support::local::{Door, Place};
use crate::support::script::{Gate, PATIENCE, Script, ok, redirect, reply};
use crate::{Calls, site};

/// Settings whose connections go to the socket at this path.
fn config(path: &Path) -> SessionConfig {
    let mut config = SessionConfig::new();
    config.timeout = Some(PATIENCE);
    config.unix_socket = Some(path.to_owned());
    config
}

fn session(path: &Path) -> Session {
    Session::new(config(path)).unwrap()
}

#[test]
fn every_connection_goes_to_the_socket_and_the_url_says_the_rest() {
    let site = site();
    let (door, calls) = (Door::to(site.address()), Calls::default());
    let mut config = config(door.path());
    config.resolver = calls.resolver(|_| panic!("nothing is to be looked up"));
    config.address_policy = AddressPolicy::custom(|_| panic!("there is no address to ask about"));
    let mut session = Session::new(config).unwrap();
    for (url, host) in [
        ("http://docker/v1.47/info?all=1", "docker"),
        ("http://192.0.2.1:2375/v1.47/info?all=1", "192.0.2.1:2375"),
    ] {
        let response = session.request(url).unwrap();
        assert_eq!((response.text().as_ref(), response.peer_addr()), ("alive", None));
        let seen = site.requests().pop().unwrap();
        assert_eq!(seen.line(), "GET /v1.47/info?all=1 HTTP/1.1");
        assert_eq!(seen.header("host").as_deref(), Some(host));
    }
    assert_eq!(calls.count(), 0);
}

#[test]
fn a_connection_is_kept_for_the_next_request_to_the_same_origin() {
    let site = site();
    let door = Door::to(site.address());
    let mut session = session(door.path());
    for _ in 0..5 {
        session.request("http://first/").unwrap();
    }
    assert_eq!(site.connections(), 1);
    session.request("http://second/").unwrap();
    assert_eq!(site.connections(), 2, "the server may tell hosts apart");
}

#[test]
fn a_kept_connection_with_bytes_on_it_or_closed_is_not_used_again() {
    for script in [
        Script::new().reply([ok("one"), b"HTTP/1.1 200 OK\r\n".to_vec()].concat()),
        Script::new().reply(ok("one")).close(),
    ] {
        let server = script.accept().reply(ok("two")).serve();
        let door = Door::to(server.address());
        let mut session = session(door.path());
        assert_eq!(session.request("http://kept/").unwrap().text(), "one");
        assert_eq!(session.request("http://kept/").unwrap().text(), "two");
        assert_eq!(server.connections(), 2);
    }
}

#[test]
fn a_peer_that_speaks_before_it_was_asked_is_refused() {
    let place = Place::new();
    // Without a porter in between: the bytes must be there when the connection is.
    let listener = UnixListener::bind(place.path()).unwrap();
    let speaking = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        std::io::Write::write_all(&mut stream, &ok("unasked")).unwrap();
        stream
    });
    // The request is in line; it is looked at the connection before it is sent, or its answer is
    // one that came too early, and the connection is not kept.
    let result = session(place.path()).request("http://early/");
    if let Err(error) = result {
        assert_eq!(error.kind(), ErrorKind::Protocol, "{}", error.message());
        assert_eq!(error.phase(), Some(Phase::Sending));
    }
    drop(speaking.join().unwrap());
}

#[test]
fn an_answer_that_comes_during_the_upload_is_read_from_its_first_byte() {
    let refusal = reply("413 Too Large", "", "too much");
    let server = Script::new().request_head().send(refusal).deaf().serve();
    let door = Door::to(server.address());
    let request = Request::post("http://upload/").body(vec![b'x'; 16 << 20]);
    let response = session(door.path()).request(request).unwrap();
    assert_eq!((response.status(), response.text().as_ref()), (413, "too much"));
}

#[test]
fn a_redirect_to_another_host_goes_to_the_same_socket() {
    let server = Script::new()
        .reply(redirect(302, "http://elsewhere.test/next"))
        .accept()
        .reply(ok("next"))
        .serve();
    let door = Door::to(server.address());
    let response = session(door.path()).request("http://here/").unwrap();
    assert_eq!((response.text().as_ref(), response.url()), ("next", "http://elsewhere.test/next"));
    assert_eq!(server.requests()[1].header("host").as_deref(), Some("elsewhere.test"));
}

#[cfg(feature = "tls")]
#[test]
fn https_goes_over_it_and_the_certificate_is_asked_for_the_name_in_the_url() {
    use crate::support::tls::{Ca, TlsServer};
    let ca = Ca::new();
    let server = TlsServer::start(ca.issue(&["daemon.test"], |_| {}));
    let door = Door::to(server.address());
    let mut config = config(door.path());
    config.tls.add_root_pem(ca.pem());
    let mut session = Session::new(config).unwrap();
    for path in ["/one", "/two"] {
        let response = session.request(format!("https://daemon.test{path}")).unwrap();
        assert_eq!(response.text(), path);
    }
    assert_eq!(server.connections(), 1);
    assert_eq!(server.names(), [Some("daemon.test".to_owned())]);
    let error = session.request("https://other.test/").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Tls, "{error}");
}

#[test]
fn a_path_where_nobody_listens_is_an_error_that_names_it() {
    let missing = Place::new();
    let left_behind = Place::new();
    drop(UnixListener::bind(left_behind.path()).unwrap());
    let plain = Place::new();
    std::fs::write(plain.path(), "a file").unwrap();
    let odd = Path::new("/nowhere/a\x1b[31m\n.sock");
    for path in [missing.path(), left_behind.path(), plain.path(), odd, Path::new("")] {
        let error = session(path).request("http://nobody/").unwrap_err();
        assert_eq!((error.kind(), error.phase()), (ErrorKind::Connect, Some(Phase::Connect)));
        let message = error.message();
        assert!(
            message.contains(&format!("{path:?}").replace('\\', "")) || path == odd,
            "{message}"
        );
        assert!(!message.contains(char::is_control), "{message:?}");
    }
}

#[test]
fn silence_is_ended_by_the_clocks() {
    let server = Script::new().deaf().repeat().serve();
    let door = Door::to(server.address());
    let limit = Duration::from_millis(150);
    type Set = fn(&mut SessionConfig, Duration);
    let set: [(Clock, Set); 2] = [
        (Clock::FirstByte, |config, limit| config.first_byte_timeout = Some(limit)),
        (Clock::Request, |config, limit| config.timeout = Some(limit)),
    ];
    for (clock, set) in set {
        let mut config = config(door.path());
        set(&mut config, limit);
        let mut session = Session::new(config).unwrap();
        let (error, took) = timed(|| session.request("http://silent/").unwrap_err());
        assert_eq!((error.clock(), error.phase()), (Some(clock), Some(Phase::Waiting)));
        assert!(took >= limit && took < limit + Duration::from_secs(1), "{took:?}");
    }
}

#[test]
fn a_cancel_ends_the_wait_for_an_answer() {
    let asked = Gate::new();
    let server = Script::new().request().open(&asked).deaf().serve();
    let door = Door::to(server.address());
    let (token, mut session) = (CancelToken::new(), session(door.path()));
    let request = Request::get("http://silent/").cancel_token(&token);
    let waiting = thread::spawn(move || (session.request(request), Instant::now()));
    assert!(asked.wait());
    let cancelled = Instant::now();
    token.cancel();
    let (result, ended) = within(PATIENCE, move || waiting.join().unwrap());
    assert_eq!(result.unwrap_err().kind(), ErrorKind::Cancelled);
    assert!(ended.duration_since(cancelled) < Duration::from_secs(1));
}

#[test]
fn the_workers_of_a_pool_go_to_one_socket_side_by_side() {
    let site = site();
    let door = Door::to(site.address());
    let mut config = config(door.path());
    config.keep_alive = false;
    // More than there are threads that connect.
    let pool = Pool::builder().num_threads(100).session(config);
    let (responses, exceptions) = within(PATIENCE * 2, move || pool.map(vec!["http://pool/"; 500]));
    assert_eq!((responses.len(), exceptions.len()), (500, 0));
    assert_eq!(site.connections(), 500);
}

/// A socket whose queue is full: who connects waits.
struct Full {
    place: Place,
    listener: Option<UnixListener>,
    filling: Option<thread::JoinHandle<Vec<UnixStream>>>,
}

impl Full {
    fn new() -> Self {
        let place = Place::new();
        let listener = UnixListener::bind(place.path()).unwrap();
        let filled = Arc::new(AtomicUsize::new(0));
        let filling = thread::spawn({
            let (path, filled) = (place.path().to_owned(), Arc::clone(&filled));
            move || {
                let mut queue = Vec::new();
                // The last one waits until the listener goes.
                while let Ok(stream) = UnixStream::connect(&path) {
                    queue.push(stream);
                    filled.fetch_add(1, Ordering::SeqCst);
                }
                queue
            }
        });
        let mut before = 0;
        loop {
            thread::sleep(Duration::from_millis(200));
            assert!(!filling.is_finished(), "no queue, but an error: too few files may be open?");
            let now = filled.load(Ordering::SeqCst);
            if now == before && now > 0 {
                return Self { place, listener: Some(listener), filling: Some(filling) };
            }
            before = now;
        }
    }
}

impl Drop for Full {
    fn drop(&mut self) {
        drop(self.listener.take());
        let _ = self.filling.take().unwrap().join();
    }
}

/// Runs a test in a process of its own that may have so many files open.
fn with_many_files(name: &str, test: impl FnOnce()) {
    const ALONE: &str = "FETCHPOOL_TEST_ALONE";
    if std::env::var_os(ALONE).is_some() {
        return test();
    }
    let run = "ulimit -n 10000 && exec \"$0\" --exact \"$1\" --nocapture --test-threads 1";
    let program = std::env::current_exe().unwrap();
    let output =
        Command::new("sh").args(["-c", run]).arg(program).arg(name).env(ALONE, "1").output();
    let output = output.unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && said.contains("1 passed"), "{said}\n{err}");
}

#[test]
fn a_server_whose_queue_is_full_is_ended_by_the_clocks_and_by_a_cancel() {
    let name = "local::a_server_whose_queue_is_full_is_ended_by_the_clocks_and_by_a_cancel";
    with_many_files(name, || {
        let full = Full::new();
        let limit = Duration::from_millis(200);
        let mut config = config(full.place.path());
        config.connect_timeout = Some(limit);
        // More of them than there are threads that connect: they wait for those to wait.
        let pool = Pool::builder().num_threads(100).session(config.clone());
        let ((_, exceptions), took) =
            timed(|| within(PATIENCE, move || pool.map(vec!["http://full/"; 100])));
        let clocks: Vec<_> = exceptions.map(|exception| exception.clock()).collect();
        assert_eq!(clocks, vec![Some(Clock::Connect); 100]);
        assert!(took >= limit && took < limit + Duration::from_secs(2), "{took:?}");

        let token = CancelToken::new();
        config.connect_timeout = None;
        let mut session = Session::new(config).unwrap();
        let request = Request::get("http://full/").cancel_token(&token);
        let waiting = thread::spawn(move || (session.request(request), Instant::now()));
        thread::sleep(Duration::from_millis(100));
        let cancelled = Instant::now();
        token.cancel();
        let (result, ended) = within(PATIENCE, move || waiting.join().unwrap());
        assert_eq!(result.unwrap_err().kind(), ErrorKind::Cancelled);
        let late = ended.duration_since(cancelled);
        assert!(late < Duration::from_millis(500), "{late:?}");
    });
}

#[test]
fn a_server_whose_queue_is_full_stands_in_no_other_ones_way() {
    let name = "local::a_server_whose_queue_is_full_stands_in_no_other_ones_way";
    with_many_files(name, || {
        let full = Full::new();
        let mut config = config(full.place.path());
        config.connect_timeout = Some(Duration::from_millis(200));
        let pool = Pool::builder().num_threads(100).session(config.clone());
        let (_, exceptions) = within(PATIENCE, move || pool.map(vec!["http://full/"; 100]));
        assert_eq!(exceptions.len(), 100);
        let site = site();
        let door = Door::to(site.address());
        config.unix_socket = Some(door.path().to_owned());
        assert_eq!(Session::new(config).unwrap().request("http://other/").unwrap().status(), 200);
    });
}
