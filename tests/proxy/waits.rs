//! Everything that is done with a proxy ends by the clocks, and by a cancel.

use std::thread;
use std::time::{Duration, Instant};

use fetchpool::{CancelToken, Clock, ErrorKind, Phase, Request, SessionConfig};

use super::support::script::{Gate, PATIENCE, Script, Server};
use super::support::standstill::promptly;
use super::{config, session};

const SOON: Duration = Duration::from_millis(150);

/// A proxy that keeps a request waiting, the phase that the request is in then, and the URL.
struct Place {
    name: &'static str,
    proxy: Server,
    scheme: &'static str,
    url: &'static str,
    phase: Phase,
    /// Opens when the request has come there.
    there: Gate,
}

/// `script` waits for the request to come there.
fn place(
    name: &'static str,
    scheme: &'static str,
    phase: Phase,
    script: impl Fn(Script) -> Script,
) -> Place {
    let there = Gate::new();
    let proxy = script(Script::new()).open(&there).deaf().repeat().serve();
    let url = if phase == Phase::Waiting { "http://origin.test/" } else { "https://origin.test/" };
    Place { name, proxy, scheme, url, phase, there }
}

/// One for each thing that can be waited for.
fn places() -> Vec<Place> {
    const REQUEST: usize = 4 + 1 + 11 + 2;
    vec![
        place("an answer to CONNECT", "http", Phase::Proxy, Script::request),
        place("half an answer", "http", Phase::Proxy, |s| s.reply("HTTP/1.1 200 O")),
        place("an answer in absolute form", "http", Phase::Waiting, Script::request),
        place("a handshake with the proxy", "https", Phase::Tls, |s| s.skip(1)),
        place("a handshake in a tunnel", "http", Phase::Tls, |s| {
            s.reply("HTTP/1.1 200 OK\r\n\r\n").skip(1)
        }),
        place("a method", "socks5h", Phase::Proxy, |s| s.skip(3)),
        place("half a method", "socks5h", Phase::Proxy, |s| s.skip(3).send([5])),
        place("a reply", "socks5h", Phase::Proxy, |s| s.skip(3).send([5, 0]).skip(REQUEST)),
        place("half a reply", "socks5h", Phase::Proxy, |s| {
            s.skip(3).send([5, 0]).skip(REQUEST).send([5, 0, 0, 3, 200, 1])
        }),
        place("a handshake through SOCKS", "socks5h", Phase::Tls, |s| {
            s.skip(3).send([5, 0]).skip(REQUEST).send([5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).skip(1)
        }),
    ]
}

impl Place {
    fn config(&self) -> SessionConfig {
        config(self.proxy.origin().replace("http", self.scheme))
    }
}

#[test]
fn a_silent_proxy_ends_the_request_by_its_timeout() {
    for place in places() {
        let mut config = place.config();
        config.timeout = Some(SOON);
        let started = Instant::now();
        let error = session(config).request(place.url).unwrap_err();
        let name = place.name;
        assert_eq!(
            (error.kind(), error.clock()),
            (ErrorKind::Timeout, Some(Clock::Request)),
            "{name}"
        );
        assert_eq!(error.phase(), Some(place.phase), "{name}");
        assert!(started.elapsed() < PATIENCE / 2, "{name}");
    }
}

#[test]
fn a_proxys_part_of_connecting_counts_for_the_connect_timeout() {
    for place in places().into_iter().filter(|place| place.phase != Phase::Waiting) {
        let mut config = place.config();
        config.connect_timeout = Some(SOON);
        let error = session(config).request(place.url).unwrap_err();
        assert_eq!(error.clock(), Some(Clock::Connect), "{}", place.name);
        let named = error.message().contains(&place.proxy.address().to_string());
        assert_eq!(named, place.phase == Phase::Proxy || place.scheme == "https", "{error}");
    }
}

#[test]
fn a_cancel_ends_whatever_is_waited_for() {
    for place in places() {
        promptly(place.name, || {
            let token = CancelToken::new();
            let mut session = session(place.config());
            let request = Request::get(place.url).cancel_token(&token);
            thread::scope(|scope| {
                let job = scope.spawn(|| session.request(request).unwrap_err());
                assert!(place.there.wait(), "{}", place.name);
                let started = Instant::now();
                token.cancel();
                let error = job.join().unwrap();
                assert_eq!(error.kind(), ErrorKind::Cancelled, "{}: {error}", place.name);
                started.elapsed()
            })
        });
    }
}

#[test]
fn a_proxy_that_drips_is_held_to_the_clock() {
    let pause = Duration::from_millis(20);
    let slow = |bytes: &'static [u8], script: Script, scheme: &str| {
        let proxy = script.drip_on(bytes, pause).serve();
        let mut config = config(proxy.origin().replace("http", scheme));
        config.timeout = Some(SOON);
        let started = Instant::now();
        let error = session(config).request("https://origin.test/").unwrap_err();
        assert_eq!(
            (error.kind(), error.phase()),
            (ErrorKind::Timeout, Some(Phase::Proxy)),
            "{error}"
        );
        assert!(started.elapsed() < PATIENCE / 2);
    };
    slow(b"X-Field: value\r\n", Script::new().request().send("HTTP/1.1 200 OK\r\n"), "http");
    slow(b"HTTP/1.1 100 Go on\r\n\r\n", Script::new().request(), "http");
    let script = Script::new().skip(3).send([5, 0]).skip(18).send([5, 0, 0, 3, 255]);
    slow(b"x", script, "socks5h");
}

#[test]
fn an_endless_head_of_a_proxy_ends_at_the_limit() {
    let proxy = Script::new().request().send("HTTP/1.1 200 OK\r\n").send("X: y\r\n".repeat(20_000));
    let proxy = proxy.serve();
    let error = session(config(proxy.origin())).request("https://origin.test/").unwrap_err();
    assert_eq!((error.kind(), error.phase()), (ErrorKind::TooLarge, Some(Phase::Proxy)));
}
