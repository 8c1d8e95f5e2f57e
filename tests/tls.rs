//! `https`: whom a session trusts, how a connection ends, and which sessions are resumed.
#![cfg(feature = "tls")]

mod support;

use std::error::Error as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use fetchpool::{
    Error, ErrorKind, Fault, Phase, Pool, Request, Response, Session, SessionConfig, TlsConfig,
};
use rustls::crypto::ring;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore};

use support::script::{PATIENCE, Script, ok, redirect, reply};
use support::tls::{Ca, Identity, Then, TlsServer};

/// Settings with this trust, and a shorter time-out.
fn config(trust: impl FnOnce(&mut TlsConfig)) -> SessionConfig {
    let mut config = SessionConfig::new();
    config.timeout = Some(PATIENCE);
    trust(&mut config.tls);
    config
}

/// A session that trusts this authority, beside the usual ones.
fn trusting(ca: &Ca) -> Session {
    Session::new(trusting_config(ca)).expect("settings without a fault")
}

fn trusting_config(ca: &Ca) -> SessionConfig {
    config(|tls| {
        tls.add_root_pem(ca.pem());
    })
}

/// A session that takes any certificate. The authority, which it does not need, keeps its
/// settings unlike those of other tests.
fn careless(ca: &Ca) -> Session {
    let config = config(|tls| {
        tls.add_root_pem(ca.pem()).danger_accept_invalid_certs(true);
    });
    Session::new(config).expect("settings without a fault")
}

/// That the handshake failed, and whose fault it was.
fn is_refused(result: Result<Response, Error>) {
    let error = result.expect_err("a failed handshake");
    assert_eq!((error.kind(), error.fault()), (ErrorKind::Tls, Fault::Peer), "{error}");
    assert_eq!(error.phase(), Some(Phase::Tls), "{error}");
    assert!(error.is_tls() && error.source().is_some(), "{error:?}");
    assert!(error.url().is_some_and(|url| url.starts_with("https://")), "{error:?}");
}

/// A file that is gone when the test is over.
struct TemporaryFile(PathBuf);

impl TemporaryFile {
    fn new(name: &str, content: impl AsRef<[u8]>) -> Self {
        let name = format!("fetchpool-tls-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::write(&path, content).expect("a file");
        Self(path)
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        // It is a temporary file anyway.
        let _ = fs::remove_file(&self.0);
    }
}

// ---- trust

#[test]
fn an_authority_can_be_trusted_by_its_text() {
    let ca = Ca::new();
    let server = TlsServer::start(ca.good());
    let response = trusting(&ca).request(server.named_url("/x")).unwrap();
    assert_eq!((response.status(), response.text().as_ref()), (200, "/x"));
    assert_eq!(response.peer_addr(), Some(server.address()));
    assert!(response.timings().tls > Duration::ZERO);
}

#[test]
fn an_authority_can_be_trusted_by_its_file() {
    let ca = Ca::new();
    let server = TlsServer::start(ca.good());
    let file = TemporaryFile::new("ca.pem", ca.pem());
    for with_webpki_roots in [true, false] {
        let config = config(|tls| {
            tls.root_pem_file(&file.0).webpki_roots(with_webpki_roots);
        });
        let mut session = Session::new(config).unwrap();
        assert_eq!(session.request(server.url("/")).unwrap().status(), 200);
    }
}

#[test]
fn one_text_may_hold_several_authorities_and_they_add_up() {
    let authorities = [Ca::new(), Ca::new(), Ca::new()];
    let config = config(|tls| {
        tls.add_root_pem(format!("A comment\n{}\n{}", authorities[0].pem(), authorities[1].pem()));
        tls.add_root_pem(authorities[2].pem());
    });
    let mut session = Session::new(config).unwrap();
    for ca in &authorities {
        let server = TlsServer::start(ca.good());
        assert_eq!(session.request(server.url("/")).unwrap().status(), 200);
    }
}

#[test]
fn an_authority_that_is_not_trusted_is_refused() {
    let server = TlsServer::start(Ca::new().good());
    is_refused(Session::new(config(|_| {})).unwrap().request(server.named_url("/")));
    is_refused(trusting(&Ca::new()).request(server.named_url("/")));
    assert_eq!((server.full(), server.requests().len()), (0, 0), "not a byte was sent");
}

#[test]
fn nobody_is_trusted_when_there_are_no_roots() {
    let server = TlsServer::start(Ca::new().good());
    let config = config(|tls| {
        tls.webpki_roots(false);
    });
    let error = Session::new(config).and_then(|mut session| session.request(server.url("/")));
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Tls);
}

#[test]
fn a_certificate_for_another_name_is_refused() {
    let ca = Ca::new();
    let server = TlsServer::start(ca.wrong_name());
    is_refused(trusting(&ca).request(server.named_url("/")));
    is_refused(trusting(&ca).request(server.url("/")));
    assert!(server.requests().is_empty());
}

#[test]
fn a_certificate_that_is_expired_or_not_yet_valid_is_refused() {
    let ca = Ca::new();
    for identity in [ca.expired(), ca.not_yet_valid()] {
        let server = TlsServer::start(identity);
        is_refused(trusting(&ca).request(server.named_url("/")));
        assert!(server.requests().is_empty());
    }
}

#[test]
fn a_certificate_that_only_vouches_for_itself_is_refused() {
    let server = TlsServer::start(Identity::self_signed());
    is_refused(trusting(&Ca::new()).request(server.named_url("/")));
    assert!(server.requests().is_empty());
}

#[test]
fn an_address_is_verified_against_the_addresses_of_the_certificate() {
    let ca = Ca::new();
    let both = TlsServer::start(ca.good());
    assert_eq!(trusting(&ca).request(both.url("/")).unwrap().status(), 200);
    let name_only = TlsServer::start(ca.without_address());
    assert_eq!(trusting(&ca).request(name_only.named_url("/")).unwrap().status(), 200);
    is_refused(trusting(&ca).request(name_only.url("/")));
    let address_only = TlsServer::start(ca.without_name());
    assert_eq!(trusting(&ca).request(address_only.url("/")).unwrap().status(), 200);
    is_refused(trusting(&ca).request(address_only.named_url("/")));
}

#[test]
fn a_name_is_asked_for_and_an_address_never() {
    let ca = Ca::new();
    let server = TlsServer::start(ca.good());
    trusting(&ca).request(server.named_url("/")).unwrap();
    trusting(&ca).request(server.url("/")).unwrap();
    assert_eq!(server.names(), [Some("localhost".to_owned()), None]);
}

#[test]
fn any_certificate_is_taken_when_that_is_asked_for() {
    let ca = Ca::new();
    for identity in [Identity::self_signed(), ca.expired(), ca.wrong_name(), Ca::new().good()] {
        let server = TlsServer::start(identity);
        let mut session = careless(&ca);
        assert_eq!(session.request(server.url("/")).unwrap().status(), 200);
        assert_eq!(session.request(server.named_url("/")).unwrap().status(), 200);
    }
}

#[test]
fn a_careless_session_does_not_make_another_one_careless() {
    let ca = Ca::new();
    let server = TlsServer::start(Identity::self_signed());
    let mut session = careless(&ca);
    session.request(server.named_url("/")).unwrap();
    is_refused(trusting(&ca).request(server.named_url("/")));
    assert_eq!(session.request(server.named_url("/")).unwrap().status(), 200);
}

#[test]
fn old_and_new_versions_of_tls_are_spoken() {
    let ca = Ca::new();
    for version in [&TLS12, &TLS13] {
        let server = TlsServer::of_versions(ca.good(), &[version], |_| Then::Keep.after(ok("x")));
        assert_eq!(trusting(&ca).request(server.url("/")).unwrap().text(), "x");
    }
}

// ---- settings that cannot be used

#[test]
fn an_authority_that_cannot_be_read_is_an_error_and_no_panic() {
    let missing = Path::new("/nonexistent/fetchpool/ca.pem");
    let directory = std::env::temp_dir();
    let empty = TemporaryFile::new("empty.pem", "");
    let text = TemporaryFile::new("text.pem", "this is no certificate\n");
    let binary = TemporaryFile::new("binary.pem", [0xff, 0, 0x1b, b'[', b'3', b'1', b'm']);
    for path in [missing, &directory, &empty.0, &text.0, &binary.0] {
        let config = config(|tls| {
            tls.root_pem_file(path);
        });
        let error = Session::new(config).expect_err("no session");
        assert_eq!((error.kind(), error.fault()), (ErrorKind::Tls, Fault::Caller), "{path:?}");
        assert_eq!((error.phase(), error.url()), (Some(Phase::Setup), None), "{path:?}");
        assert!(error.message().contains(&*path.to_string_lossy()), "{}", error.message());
    }
    let config = config(|tls| {
        tls.root_pem_file(missing);
    });
    let error = Session::new(config).unwrap_err();
    let cause = error.source().and_then(|source| source.downcast_ref::<std::io::Error>());
    assert_eq!(cause.map(std::io::Error::kind), Some(std::io::ErrorKind::NotFound));
}

#[test]
fn a_text_without_a_certificate_is_an_error() {
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let open = "-----BEGIN CERTIFICATE-----\nAAAA\n";
    let no_base64 = "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n";
    for text in ["", "nonsense", broken, open, no_base64] {
        let config = config(|tls| {
            tls.add_root_pem(text);
        });
        let error = Session::new(config).expect_err(text);
        assert_eq!((error.kind(), error.fault()), (ErrorKind::Tls, Fault::Caller), "{text:?}");
    }
}

#[test]
fn one_bad_authority_beside_a_good_one_is_an_error() {
    let config = config(|tls| {
        tls.add_root_pem(Ca::new().pem()).add_root_pem("nonsense");
    });
    assert_eq!(Session::new(config).unwrap_err().kind(), ErrorKind::Tls);
}

#[test]
fn a_pool_whose_sessions_cannot_be_made_answers_every_job() {
    let unreadable = config(|tls| {
        tls.root_pem_file("/nonexistent/fetchpool/ca.pem");
    });
    let urls = ["https://127.0.0.1:1/a", "https://127.0.0.1:1/b", "http://127.0.0.1:1/c"];
    match Pool::builder().num_threads(2).session(unreadable).job_queue(urls).build() {
        // Told at once is as good.
        Err(error) => assert_eq!(error.kind(), ErrorKind::Tls),
        Ok(pool) => {
            let kinds: Vec<_> = pool
                .outcomes()
                .map(|outcome| outcome.result().map(|_| ()).map_err(|error| error.kind()))
                .collect();
            assert_eq!(kinds, [Err(ErrorKind::Tls); 3]);
        }
    }
}

// ---- a configuration of one's own

fn own(ca: &Ca) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(ca.der()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    Arc::new(builder.with_root_certificates(roots).with_no_client_auth())
}

fn with_own(client: &Arc<ClientConfig>) -> Session {
    let config = config(|tls| {
        tls.client_config(Arc::clone(client));
    });
    Session::new(config).expect("settings without a fault")
}

#[test]
fn a_configuration_of_ones_own_is_used_as_it_is() {
    let ca = Ca::new();
    let server = TlsServer::start(ca.good());
    let mut session = with_own(&own(&ca));
    for _ in 0..2 {
        assert_eq!(session.request(server.named_url("/")).unwrap().status(), 200);
    }
    assert_eq!(server.full(), 1);
    is_refused(session.request(TlsServer::start(Ca::new().good()).url("/")));
}

#[test]
fn the_other_settings_have_no_effect_on_a_configuration_of_ones_own() {
    let (trusted, other) = (Ca::new(), Ca::new());
    let server = TlsServer::start(other.good());
    let config = config(|tls| {
        tls.add_root_pem(other.pem()).danger_accept_invalid_certs(true);
        tls.client_config(own(&trusted));
    });
    is_refused(Session::new(config).unwrap().request(server.url("/")));
}

#[test]
fn one_configuration_resumes_and_two_of_them_do_not() {
    let ca = Ca::new();
    let server = TlsServer::start(ca.good());
    let shared = own(&ca);
    for _ in 0..2 {
        with_own(&shared).request(server.url("/")).unwrap();
    }
    assert_eq!((server.full(), server.resumed()), (1, 1));
    with_own(&own(&ca)).request(server.url("/")).unwrap();
    assert_eq!((server.full(), server.resumed()), (2, 1));
}

// ---- no TLS, or half of it

#[test]
fn plain_http_on_the_port_of_a_tls_server_is_an_error_at_once() {
    let server = TlsServer::start(Ca::new().good());
    let started = Instant::now();
    let error = trusting(&Ca::new()).request(server.url("/").replace("https", "http")).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Protocol | ErrorKind::Closed), "{error}");
    assert!(started.elapsed() < PATIENCE / 2);
}

#[test]
fn tls_on_the_port_of_a_plain_server_is_an_error_at_once() {
    for answer in [&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], b"SSH-2.0-x\r\n", b"\0\0\0\0\0\0\0\0"]
    {
        // Not a request: what comes first is a ClientHello, and no end of file follows.
        let server = Script::new().send(answer).serve();
        let started = Instant::now();
        let url = server.url("/").replace("http", "https");
        is_refused(trusting(&Ca::new()).request(url));
        assert!(started.elapsed() < PATIENCE / 2);
    }
}

#[test]
fn a_handshake_that_is_cut_off_is_an_error() {
    for script in [Script::new().close(), Script::new().reset(), Script::new().send("\x16").close()]
    {
        let server = script.serve();
        let error = trusting(&Ca::new()).request(server.url("/").replace("http", "https"));
        let error = error.unwrap_err();
        assert_eq!(error.phase(), Some(Phase::Tls), "{error}");
        assert!(matches!(error.kind(), ErrorKind::Tls | ErrorKind::Closed), "{error}");
    }
}

#[test]
fn a_handshake_that_stalls_is_a_timeout_of_connecting() {
    let pause = Duration::from_millis(5);
    // Silence, and the start of a record that is dripped on.
    for script in
        [Script::new(), Script::new().send(b"\x16\x03\x03\x40\x00").drip_on([2, 0, 0, 1], pause)]
    {
        let server = script.serve();
        let mut config = trusting_config(&Ca::new());
        config.connect_timeout = Some(Duration::from_millis(200));
        let started = Instant::now();
        let error = Session::new(config).unwrap().request(server.url("/").replace("http", "https"));
        let error = error.unwrap_err();
        assert_eq!((error.kind(), error.fault()), (ErrorKind::Timeout, Fault::Limit), "{error}");
        assert_eq!(error.phase(), Some(Phase::Tls), "{error}");
        let took = started.elapsed();
        assert!(took >= Duration::from_millis(200) && took < PATIENCE / 2, "{took:?}");
    }
}

#[test]
fn the_requests_clock_covers_the_handshake_too() {
    let server = Script::new().serve();
    let request = Request::get(server.url("/").replace("http", "https"));
    let started = Instant::now();
    let request = request.timeout(Duration::from_millis(200));
    let error = trusting(&Ca::new()).request(request).unwrap_err();
    assert_eq!((error.kind(), error.phase()), (ErrorKind::Timeout, Some(Phase::Tls)));
    assert!(started.elapsed() < PATIENCE / 2);
}

#[test]
fn silence_within_tls_is_a_timeout() {
    let ca = Ca::new();
    for (bytes, phase) in [
        ("", Phase::Waiting),
        ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", Phase::Receiving),
        ("HTTP/1.1 200 OK\r\n\r\nhalf", Phase::Receiving),
    ] {
        let server = TlsServer::answering(ca.good(), move |_| Then::Silence.after(bytes));
        let request = Request::get(server.url("/")).timeout(Duration::from_millis(300));
        let error = trusting(&ca).request(request).unwrap_err();
        assert_eq!((error.kind(), error.phase()), (ErrorKind::Timeout, Some(phase)), "{bytes}");
    }
}

// ---- the end of a connection

#[test]
fn a_body_until_the_close_must_be_closed_with_a_word() {
    let ca = Ca::new();
    let bytes = "HTTP/1.1 200 OK\r\n\r\nall of it";
    let polite = TlsServer::answering(ca.good(), move |_| Then::Notify.after(bytes));
    assert_eq!(trusting(&ca).request(polite.url("/")).unwrap().text(), "all of it");
    let cut = TlsServer::answering(ca.good(), move |_| Then::Cut.after(bytes));
    let error = trusting(&ca).request(cut.url("/")).unwrap_err();
    assert_eq!(
        (error.kind(), error.phase()),
        (ErrorKind::Closed, Some(Phase::Receiving)),
        "{error}"
    );
    assert_eq!(error.fault(), Fault::Network);
}

#[test]
fn a_body_whose_end_is_known_needs_no_word() {
    let ca = Ca::new();
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
    for bytes in [ok("ok"), chunked.as_bytes().to_vec()] {
        for then in [Then::Cut, Then::Notify] {
            let bytes = bytes.clone();
            let server = TlsServer::answering(ca.good(), move |_| then.after(&bytes));
            let mut session = trusting(&ca);
            for _ in 0..2 {
                assert_eq!(session.request(server.url("/")).unwrap().text(), "ok", "{then:?}");
            }
            assert_eq!(server.connections(), 2, "{then:?}");
        }
    }
}

#[test]
fn a_truncated_body_is_closed_whether_with_a_word_or_without() {
    let ca = Ca::new();
    for bytes in [
        "",
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n",
    ] {
        for then in [Then::Cut, Then::Notify] {
            let server = TlsServer::answering(ca.good(), move |_| then.after(bytes));
            let error = trusting(&ca).request(server.url("/")).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Closed, "{then:?} {bytes:?}");
        }
    }
}

#[test]
fn a_connection_the_server_closed_while_idle_is_replaced() {
    let ca = Ca::new();
    for then in [Then::Cut, Then::Notify] {
        // It promises to keep the connection, and closes it.
        let server =
            TlsServer::answering(ca.good(), move |request| then.after(ok(request.target())));
        let mut session = trusting(&ca);
        session.request(server.url("/1")).unwrap();
        assert!(server.is_idle());
        let post = Request::post(server.url("/2")).body("once");
        // Older than what counts as back to back, so that the close is seen beforehand.
        std::thread::sleep(Duration::from_millis(10));
        assert_eq!(session.request(post).unwrap().text(), "/2", "{then:?}");
        assert_eq!(session.request(server.url("/3")).unwrap().text(), "/3", "{then:?}");
        assert_eq!(server.requests().len(), 3);
    }
}

#[test]
fn a_post_that_met_a_close_is_never_sent_again() {
    let ca = Ca::new();
    let server = TlsServer::answering(ca.good(), |request| match request.method().as_str() {
        "GET" => Then::Keep.after(ok("x")),
        _ => Then::Cut.after(""),
    });
    let mut session = trusting(&ca);
    session.request(server.url("/")).unwrap();
    let error = session.request(Request::post(server.url("/")).body("once")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
    assert_eq!((server.connections(), server.requests().len()), (1, 2));
    let error = session.request(Request::delete(server.url("/"))).unwrap_err();
    assert_eq!((error.kind(), server.connections()), (ErrorKind::Closed, 2), "not tried twice");
}

// ---- kept connections and resumed sessions

#[test]
fn requests_to_one_origin_go_over_one_connection() {
    let ca = Ca::new();
    let server = TlsServer::start(ca.good());
    let mut session = trusting(&ca);
    for count in 0..20 {
        let response = session.request(server.url(&format!("/{count}"))).unwrap();
        assert_eq!(response.text(), format!("/{count}"));
        assert_eq!(response.timings().reused, count > 0);
        assert_eq!(response.timings().tls.is_zero(), count > 0);
        if count % 5 == 0 {
            // Old enough to be looked at before it is used: tickets may have come, and are no
            // reason to give it up.
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    assert_eq!((server.connections(), server.full(), server.requests().len()), (1, 1, 20));
}

#[test]
fn http_and_https_of_one_port_are_two_origins() {
    let ca = Ca::new();
    let server = TlsServer::start(ca.good());
    let mut session = trusting(&ca);
    session.request(server.url("/")).unwrap();
    assert!(session.request(server.url("/").replace("https", "http")).is_err());
    assert!(session.request(server.url("/")).unwrap().timings().reused);
}

#[test]
fn bytes_behind_a_response_end_the_connection() {
    let ca = Ca::new();
    let server = TlsServer::answering(ca.good(), |request| {
        Then::Keep.after([ok(request.target()), ok("evil")].concat())
    });
    let mut session = trusting(&ca);
    for path in ["/1", "/2"] {
        assert_eq!(session.request(server.url(path)).unwrap().text(), path);
    }
    assert_eq!(server.connections(), 2);
}

#[test]
fn sessions_with_equal_settings_resume_what_one_of_them_opened() {
    let ca = Ca::new();
    for version in [&TLS12, &TLS13] {
        let server = TlsServer::of_versions(ca.good(), &[version], |_| Then::Keep.after(ok("x")));
        let mut sessions = [trusting(&ca), trusting(&ca), trusting(&ca)];
        for session in &mut sessions {
            session.request(server.url("/")).unwrap();
        }
        assert_eq!((server.full(), server.resumed()), (1, 2), "{version:?}");
    }
}

#[test]
fn a_session_resumes_what_it_opened_itself() {
    let ca = Ca::new();
    let server = TlsServer::start(ca.good());
    let mut config = trusting_config(&ca);
    config.keep_alive = false;
    let mut session = Session::new(config).unwrap();
    for _ in 0..5 {
        session.request(server.url("/")).unwrap();
    }
    assert_eq!((server.full(), server.resumed()), (1, 4));
}

#[test]
fn the_workers_of_a_pool_resume_what_a_session_with_equal_settings_opened() {
    let ca = Ca::new();
    let server = TlsServer::start(ca.good());
    let mut session = trusting(&ca);
    session.request(server.url("/")).unwrap();
    let mut config = trusting_config(&ca);
    config.keep_alive = false;
    // Not more workers than tickets: each handshake takes one and brings two.
    let pool = Pool::builder()
        .num_threads(2)
        .session(config)
        .job_queue(vec![server.url("/"); 10])
        .build()
        .unwrap();
    assert_eq!(pool.outcomes().filter(|outcome| outcome.is_response()).count(), 10);
    assert_eq!((server.full(), server.resumed()), (1, 10));
}

#[test]
fn the_workers_of_one_pool_share_their_sessions() {
    let ca = Ca::new();
    // This version's session may be resumed by any number at once.
    let server = TlsServer::of_versions(ca.good(), &[&TLS12], |_| Then::Keep.after(ok("x")));
    let pem = ca.pem();
    let pool = Pool::builder()
        .num_threads(4)
        .initializer(move |session: &mut SessionConfig| {
            session.tls.add_root_pem(pem.clone());
            session.keep_alive = false;
        })
        .job_queue(vec![server.url("/"); 20])
        .build()
        .unwrap();
    assert_eq!(pool.outcomes().filter(|outcome| outcome.is_response()).count(), 20);
    // Only those that began before the first one was done had nothing to resume.
    assert!((1..=4).contains(&server.full()), "{}", server.full());
    assert_eq!(server.full() + server.resumed(), 20);
}

#[test]
fn sessions_with_different_settings_resume_nothing_of_each_other() {
    let ca = Ca::new();
    let server = TlsServer::start(ca.good());
    let other = Ca::new();
    let mut sessions: Vec<Session> = [
        config(|tls| {
            tls.add_root_pem(ca.pem());
        }),
        config(|tls| {
            tls.add_root_pem(ca.pem()).webpki_roots(false);
        }),
        config(|tls| {
            tls.add_root_pem(ca.pem()).add_root_pem(other.pem());
        }),
        config(|tls| {
            tls.add_root_pem(ca.pem()).danger_accept_invalid_certs(true);
        }),
        config(|tls| {
            tls.client_config(own(&ca));
        }),
    ]
    .into_iter()
    .map(|config| Session::new(config).unwrap())
    .collect();
    for session in &mut sessions {
        session.request(server.url("/")).unwrap();
    }
    assert_eq!((server.full(), server.resumed()), (5, 0));
}

#[test]
fn a_verified_session_does_not_resume_what_a_careless_one_opened() {
    let ca = Ca::new();
    let server = TlsServer::start(ca.wrong_name());
    let mut session = careless(&ca);
    session.request(server.named_url("/")).unwrap();
    session.request(server.named_url("/")).unwrap();
    is_refused(trusting(&ca).request(server.named_url("/")));
    assert_eq!((server.full(), server.resumed()), (1, 0));
}

#[test]
fn a_file_that_changed_is_another_setting() {
    let (first, second) = (Ca::new(), Ca::new());
    let file = TemporaryFile::new("changing.pem", first.pem());
    let trusting_the_file = || {
        let config = config(|tls| {
            tls.root_pem_file(&file.0);
        });
        Session::new(config).unwrap()
    };
    let server = TlsServer::start(first.good());
    let mut before = trusting_the_file();
    before.request(server.url("/")).unwrap();
    fs::write(&file.0, second.pem()).unwrap();
    is_refused(trusting_the_file().request(server.url("/")));
    assert_eq!(before.request(server.url("/")).unwrap().status(), 200);
}

// ---- HTTP over it

#[test]
fn large_bodies_are_whole_in_both_directions() {
    let ca = Ca::new();
    let server = TlsServer::answering(ca.good(), |request| Then::Keep.after(ok(request.body())));
    let body: Vec<u8> = (0..2_000_000_u32).map(|n| (n % 251) as u8).collect();
    let mut session = trusting(&ca);
    for _ in 0..2 {
        let response = session.request(Request::post(server.url("/")).body(body.clone())).unwrap();
        assert!(response.bytes() == body);
    }
    assert_eq!(server.connections(), 1);
}

/// That a large upload is answered at once by a server that does not read it.
fn answers_early(then: Then) {
    let early = "HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 5\r\n\r\nsorry";
    let ca = Ca::new();
    let server = TlsServer::answering_early(ca.good(), move |_| then.after(early));
    let started = Instant::now();
    let request = Request::post(server.url("/")).body(vec![b'x'; 16 << 20]);
    let request = request.timeout(Duration::from_secs(3));
    let response = trusting(&ca).request(request).expect("the early answer");
    assert_eq!((response.status(), response.text().as_ref()), (413, "sorry"));
    assert!(started.elapsed() < PATIENCE / 2);
}

#[test]
fn an_early_error_before_a_reset_is_delivered() {
    answers_early(Then::Cut);
}

#[test]
fn an_early_error_of_a_server_that_reads_no_more_is_delivered() {
    answers_early(Then::Silence);
}

#[test]
fn the_timeout_holds_against_a_server_that_never_reads() {
    let ca = Ca::new();
    let server = TlsServer::answering_early(ca.good(), |_| Then::Silence.after(""));
    let request = Request::post(server.url("/")).body(vec![b'x'; 16 << 20]);
    let started = Instant::now();
    let request = request.timeout(Duration::from_millis(300));
    let error = trusting(&ca).request(request).unwrap_err();
    assert_eq!((error.kind(), error.phase()), (ErrorKind::Timeout, Some(Phase::Sending)));
    assert!(started.elapsed() < PATIENCE / 2);
}

#[test]
fn a_step_down_to_plain_http_drops_the_credentials() {
    let ca = Ca::new();
    let plain = Script::site(|_| ok("plain"));
    let location = plain.url("/");
    let server =
        TlsServer::answering(ca.good(), move |_| Then::Keep.after(redirect(302, &location)));
    let request = Request::get(server.url("/")).bearer_auth("s3cret").header("COOKIE", "a=s3cret");
    let response = trusting(&ca).request(request).unwrap();
    assert_eq!((response.text().as_ref(), response.history().len()), ("plain", 1));
    assert!(server.requests()[0].header("authorization").is_some());
    let there = plain.request();
    assert_eq!((there.header("authorization"), there.header("cookie")), (None, None));
}

#[test]
fn a_step_up_to_tls_drops_them_too_and_verifies() {
    let ca = Ca::new();
    let server = TlsServer::start(ca.good());
    let plain = Script::new().reply(redirect(301, &server.url("/x"))).repeat().serve();
    let request = Request::get(plain.url("/")).basic_auth("u", "p");
    assert_eq!(trusting(&ca).request(request).unwrap().text(), "/x");
    assert_eq!(server.requests()[0].header("authorization"), None);
    is_refused(trusting(&Ca::new()).request(plain.url("/")));
}

#[test]
fn auth_that_is_bound_to_https_does_not_go_over_http() {
    let ca = Ca::new();
    let plain = Script::new().reply(reply("200 OK", "", "")).serve();
    let mut config = trusting_config(&ca);
    let origin = plain.origin().replace("http", "https");
    config.auth(fetchpool::Auth::bearer("s3cret").for_origin(origin));
    Session::new(config).unwrap().request(plain.url("/")).unwrap();
    assert_eq!(plain.request().header("authorization"), None);
}
