//! Whom a session trusts.

use std::time::Duration;

use fetchpool::{ErrorKind, Session};
use rustls::version::{TLS12, TLS13};

use super::support::script::ok;
use super::support::tls::{Ca, Identity, Then, TlsServer};
use super::{TemporaryFile, careless, config, is_refused, trusting};

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
fn an_authority_can_be_trusted_by_its_der() {
    let ca = Ca::new();
    let server = TlsServer::start(ca.good());
    let config = config(|tls| {
        tls.add_root_der(ca.der().as_ref()).webpki_roots(false);
    });
    assert_eq!(Session::new(config).unwrap().request(server.url("/")).unwrap().status(), 200);
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
