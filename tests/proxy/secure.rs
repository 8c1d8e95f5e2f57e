//! `https://` proxies: verified for their own name, and TLS within TLS.

use std::time::{Duration, Instant};

use fetchpool::{ErrorKind, Phase, Proxy, Request, TlsConfig};

use super::support::proxy::ProxyServer;
use super::support::script::{PATIENCE, Script, ok};
use super::support::tls::{Ca, Identity, Then, TlsServer};
use super::{config, session, trusting};

#[test]
fn http_and_https_urls_go_through_a_proxy_over_tls() {
    let ca = Ca::new();
    let (plain, secure) = (Script::site(|_| ok("plain")), TlsServer::start(ca.good()));
    let proxy = ProxyServer::https(ca.good()).only_for("ada", "pw").start();
    let with = Proxy::new(proxy.url("https")).basic_auth("ada", "pw");
    let mut session = trusting(&ca, with);
    for reused in [false, true] {
        let response = session.request(plain.url("/")).unwrap();
        assert_eq!((response.text().as_ref(), response.timings().reused), ("plain", reused));
        let response = session.request(secure.url("/in")).unwrap();
        assert_eq!((response.text().as_ref(), response.timings().reused), ("/in", reused));
    }
    assert_eq!(proxy.connections(), 2);
    assert!(secure.requests()[0].header("proxy-authorization").is_none());
}

#[test]
fn large_bodies_are_whole_in_both_directions_within_two_layers() {
    let ca = Ca::new();
    let server = TlsServer::answering(ca.good(), |request| Then::Keep.after(ok(request.body())));
    let proxy = ProxyServer::https(ca.good()).start();
    let body: Vec<u8> = (0..2_000_000_u32).map(|n| (n % 251) as u8).collect();
    let mut session = trusting(&ca, proxy.url("https"));
    for _ in 0..2 {
        let response = session.request(Request::post(server.url("/")).body(body.clone())).unwrap();
        assert!(response.bytes() == body);
    }
    assert_eq!(proxy.connections(), 1);
}

#[test]
fn the_proxy_is_verified_for_its_own_name_by_the_sessions_roots() {
    let ca = Ca::new();
    for shows in [ca.wrong_name(), ca.expired(), Ca::new().good(), Identity::self_signed()] {
        let proxy = ProxyServer::https(shows).start();
        for url in ["http://origin.test/", "https://origin.test/"] {
            let error = trusting(&ca, proxy.url("https")).request(url).unwrap_err();
            assert_eq!(
                (error.kind(), error.phase()),
                (ErrorKind::Proxy, Some(Phase::Tls)),
                "{error}"
            );
            assert!(error.message().contains(&proxy.url("https")), "{}", error.message());
            assert!(error.message().contains("certificate"), "{}", error.message());
        }
        assert!(proxy.requests().is_empty(), "it was told nothing");
    }
}

#[test]
fn accepting_any_certificate_of_targets_does_not_accept_any_of_a_proxy() {
    let ca = Ca::new();
    let proxy = ProxyServer::https(Identity::self_signed()).start();
    let mut config = config(proxy.url("https"));
    config.tls.add_root_pem(ca.pem()).danger_accept_invalid_certs(true);
    let error = session(config.clone()).request("http://origin.test/").unwrap_err();
    assert_eq!((error.kind(), error.phase()), (ErrorKind::Proxy, Some(Phase::Tls)));
    // And the other way round: where a proxy may be anybody, its targets may not.
    let mut tls = TlsConfig::new();
    tls.add_root_pem(ca.pem()).danger_accept_invalid_certs(true);
    config.proxy(Proxy::new(proxy.url("https")).tls(&tls));
    config.tls.danger_accept_invalid_certs(false);
    let server = TlsServer::start(Identity::self_signed());
    let error = session(config).request(server.url("/")).unwrap_err();
    assert_eq!((error.kind(), error.phase()), (ErrorKind::Tls, Some(Phase::Tls)), "{error}");
}

#[test]
fn a_proxy_may_have_an_authority_of_its_own_which_does_not_vouch_for_targets() {
    let (inside, outside) = (Ca::new(), Ca::new());
    let proxy = ProxyServer::https(inside.good()).start();
    let mut tls = TlsConfig::new();
    tls.add_root_pem(inside.pem()).webpki_roots(false);
    let with = Proxy::new(proxy.url("https")).tls(&tls);
    let good = TlsServer::start(outside.good());
    trusting(&outside, with.clone()).request(good.url("/")).unwrap();
    let bad = TlsServer::start(inside.good());
    let error = trusting(&outside, with).request(bad.url("/")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Tls);
}

#[test]
fn settings_that_cannot_be_read_fail_the_requests_through_the_proxy() {
    let mut tls = TlsConfig::new();
    tls.root_pem_file("/no/such/file.pem");
    let with = Proxy::new("https://proxy.test").tls(&tls);
    let error = super::through(with).request("http://origin.test/").unwrap_err();
    assert_eq!((error.kind(), error.phase()), (ErrorKind::InvalidRequest, Some(Phase::Setup)));
    assert!(error.message().contains("/no/such/file.pem"), "{}", error.message());
}

#[test]
fn a_configuration_of_the_sessions_own_is_for_targets_and_not_for_the_proxy() {
    let ca = Ca::new();
    let server = TlsServer::start(ca.good());
    let proxy = ProxyServer::https(ca.good()).start();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(ca.der()).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let own = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let mut config = config(proxy.url("https"));
    config.tls.client_config(std::sync::Arc::new(own));
    let error = session(config.clone()).request(server.url("/")).unwrap_err();
    assert_eq!((error.kind(), error.phase()), (ErrorKind::Proxy, Some(Phase::Tls)), "{error}");
    let mut for_proxy = TlsConfig::new();
    for_proxy.add_root_pem(ca.pem());
    config.proxy(Proxy::new(proxy.url("https")).tls(&for_proxy));
    session(config).request(server.url("/")).unwrap();
}

#[test]
fn a_proxy_that_does_not_speak_tls_is_told_as_such_and_gets_nothing_in_the_clear() {
    let proxy = Script::new().skip(1).send("HTTP/1.1 400 Bad Request\r\n\r\n").deaf().serve();
    let url = proxy.origin().replace("http", "https");
    let with = Proxy::new(url).basic_auth("ada", "hunter2");
    let error = super::through(with).request("http://origin.test/").unwrap_err();
    assert_eq!((error.kind(), error.phase()), (ErrorKind::Proxy, Some(Phase::Tls)));
    assert!(error.message().contains("that is plain http"), "{}", error.message());
}

#[test]
fn a_proxy_that_breaks_its_tls_behind_a_yes_is_not_taken_for_the_target() {
    let ca = Ca::new();
    let proxy = TlsServer::answering(ca.good(), |_| {
        Then::Break(b"\x17\x03\x03\x00\x02ab").after("HTTP/1.1 200 OK\r\n\r\n")
    });
    let url = format!("https://{}", proxy.address());
    let error = trusting(&ca, url.as_str()).request("https://origin.test/").unwrap_err();
    let message = error.message();
    assert!(message.contains(&url), "{message}");
    match error.kind() {
        // It came with the yes.
        ErrorKind::Proxy => assert_eq!(error.phase(), Some(Phase::Proxy), "{message}"),
        // It came within the handshake with the target.
        ErrorKind::Tls => assert!(message.contains("TLS to the proxy broke"), "{message}"),
        other => panic!("{other}: {message}"),
    }
}

/// What comes of a large upload through two layers to a server that answers at once.
fn answers_early(then: Then) {
    let early = "HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 5\r\n\r\nsorry";
    let ca = Ca::new();
    let server = TlsServer::answering_early(ca.good(), move |_| then.after(early));
    let proxy = ProxyServer::https(ca.good()).start();
    let started = Instant::now();
    let request = Request::post(server.url("/")).body(vec![b'x'; 8 << 20]);
    let response = trusting(&ca, proxy.url("https")).request(request).expect("the early answer");
    assert_eq!((response.status(), response.text().as_ref()), (413, "sorry"));
    assert!(started.elapsed() < PATIENCE / 2);
}

#[test]
fn an_early_answer_comes_through_two_layers() {
    answers_early(Then::Keep);
}

#[test]
fn the_timeout_holds_against_a_proxy_over_tls_that_never_reads() {
    // In the place of the target, too: what is sent never leaves the proxy's socket.
    let ca = Ca::new();
    let proxy = TlsServer::answering_early(ca.good(), |_| Then::Silence.after(""));
    let mut session = trusting(&ca, format!("https://{}", proxy.address()));
    let request = Request::post("http://origin.test/").body(vec![b'x'; 16 << 20]);
    let started = Instant::now();
    let error = session.request(request.timeout(Duration::from_millis(300))).unwrap_err();
    assert_eq!((error.kind(), error.phase()), (ErrorKind::Timeout, Some(Phase::Sending)));
    assert!(started.elapsed() < PATIENCE / 2);
}

#[test]
fn a_connection_to_a_proxy_that_was_shown_its_certificate_is_used_again() {
    let ca = Ca::new();
    let server = Script::site(|_| ok("x"));
    let proxy = ProxyServer::https(ca.good()).start();
    let me = ca.good();
    let mut tls = TlsConfig::new();
    tls.add_root_pem(ca.pem()).client_cert_pem(me.chain_pem(), me.key_pem());
    let mut session = super::through(Proxy::new(proxy.url("https")).tls(&tls));
    for reused in [false, true, true] {
        let response = session.request(server.url("/")).unwrap();
        assert_eq!(response.timings().reused, reused);
    }
    assert_eq!(proxy.connections(), 1);
}
