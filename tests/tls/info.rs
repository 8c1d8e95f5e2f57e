//! What a response tells of the TLS that it came by.

use fetchpool::{Session, TlsVersion};
use rustls::version::{TLS12, TLS13};

use super::support::script::{Script, ok, redirect};
use super::support::tls::{Ca, Then, TlsServer};
use super::{careless, config, own, trusting};

#[test]
fn version_suite_and_certificates_are_told() {
    let ca = Ca::new();
    let between = ca.vouched_for(|_| {});
    for (version, known, suites) in
        [(&TLS12, TlsVersion::Tls12, "TLS_ECDHE_ECDSA_WITH_"), (&TLS13, TlsVersion::Tls13, "TLS_A")]
    {
        let shows = between.good().with(&between);
        let leaf = shows.der().clone();
        let server = TlsServer::of_versions(shows, &[version], |_| Then::Keep.after(ok("x")));
        let mut session = trusting(&ca);
        let response = session.request(server.url("/")).unwrap();
        let tls = response.tls().expect("https");
        assert_eq!(tls.version(), known);
        assert!(tls.cipher_suite().starts_with(suites), "{}", tls.cipher_suite());
        assert!(!tls.is_resumed());
        assert_eq!(tls.peer_certificate(), Some(leaf.as_ref()));
        let certificates: Vec<_> = tls.peer_certificates().collect();
        assert_eq!(certificates, [leaf.as_ref(), between.der().as_ref()]);
        let shown = format!("{tls:?}");
        assert!(shown.contains("peer_certificates: 2") && shown.len() < 200, "{shown}");

        // The next one on the same connection.
        let again = session.request(server.url("/")).unwrap();
        assert!(again.timings().reused);
        assert_eq!(again.tls(), Some(tls));
    }
}

#[test]
fn that_a_session_was_resumed_is_told_and_by_whom() {
    let ca = Ca::new();
    for version in [&TLS12, &TLS13] {
        let shows = ca.good();
        let leaf = shows.der().clone();
        let server = TlsServer::of_versions(shows, &[version], |_| Then::Notify.after(ok("x")));
        let mut session = trusting(&ca);
        for resumed in [false, true] {
            let response = session.request(server.url("/")).unwrap();
            let tls = response.tls().unwrap();
            assert_eq!(tls.is_resumed(), resumed, "{version:?}");
            assert_eq!(tls.peer_certificate(), Some(leaf.as_ref()));
        }
    }
}

#[test]
fn plain_http_has_nothing_to_tell() {
    let server = Script::site(|_| ok("x"));
    assert!(Session::default().request(server.url("/")).unwrap().tls().is_none());
}

#[test]
fn it_is_that_of_the_last_hop() {
    let ca = Ca::new();
    let shows = ca.good();
    let leaf = shows.der().clone();
    let last = TlsServer::start(shows);
    let url = last.url("/");
    let first = TlsServer::of_versions(ca.good(), &[&TLS12], move |_| {
        Then::Keep.after(redirect(302, &url))
    });
    let response = trusting(&ca).request(first.url("/")).unwrap();
    let tls = response.tls().unwrap();
    assert_eq!((tls.version(), tls.peer_certificate()), (TlsVersion::Tls13, Some(leaf.as_ref())));

    let plain = Script::site(|_| ok("x"));
    let url = plain.url("/");
    let down = TlsServer::answering(ca.good(), move |_| Then::Keep.after(redirect(302, &url)));
    assert!(trusting(&ca).request(down.url("/")).unwrap().tls().is_none());
}

#[test]
fn a_careless_session_and_a_configuration_of_ones_own_tell_it_too() {
    let ca = Ca::new();
    let server = TlsServer::start(ca.good());
    let custom = config(|tls| {
        tls.client_config(own(&ca));
    });
    for mut session in [careless(&ca), Session::new(custom).unwrap()] {
        let response = session.request(server.url("/")).unwrap();
        assert_eq!(response.tls().unwrap().peer_certificates().len(), 1);
    }
}

#[test]
fn an_error_that_carries_its_response_tells_it() {
    let ca = Ca::new();
    let server = TlsServer::answering(ca.good(), |_| {
        Then::Keep.after("HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n")
    });
    let mut config = super::trusting_config(&ca);
    config.http_status_as_error = true;
    let error = Session::new(config).unwrap().request(server.url("/")).unwrap_err();
    assert!(error.response().unwrap().tls().is_some());
}
