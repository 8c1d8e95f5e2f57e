//! Keys that are pinned for a host.

use fetchpool::{ErrorKind, Session, TlsConfig};
use rustls::version::{TLS12, TLS13};

use super::keys::{RSA, RSA_PIN};
use super::support::script::{ok, redirect};
use super::support::tls::{Ca, Identity, Then, TlsServer};
use super::{config, is_refused};

const OTHER_PIN: &str = "sha256//YLh1dUR9y6Kja30RrAn7JKnbQG/uEtLMkBgFF2Fuihg=";

/// A session that trusts this authority, and has these pins.
fn pinning(ca: &Ca, set: impl FnOnce(&mut TlsConfig)) -> Session {
    let config = config(|tls| {
        tls.add_root_pem(ca.pem());
        set(tls);
    });
    Session::new(config).expect("settings without a fault")
}

/// One with the key whose pin is known.
fn known(ca: &Ca) -> Identity {
    ca.good_for(&rcgen::KeyPair::from_pem(RSA).unwrap())
}

#[test]
fn the_server_of_a_host_must_have_a_key_that_is_pinned_for_it() {
    let ca = Ca::new();
    for version in [&TLS12, &TLS13] {
        let good = TlsServer::of_versions(known(&ca), &[version], |_| Then::Keep.after(ok("x")));
        let bad = TlsServer::of_versions(ca.good(), &[version], |_| Then::Keep.after(ok("x")));
        for pins in [
            &[RSA_PIN.to_owned()][..],
            &[format!("sha256//{RSA_PIN}")],
            &[OTHER_PIN.to_owned(), RSA_PIN.to_owned()],
        ] {
            let mut session = pinning(&ca, |tls| {
                for pin in pins {
                    tls.pin_sha256("localhost", pin);
                }
            });
            assert_eq!(session.request(good.named_url("/")).unwrap().text(), "x");
            is_refused(session.request(bad.named_url("/")));
        }
        assert!(bad.requests().is_empty(), "not a byte was sent");
    }
}

#[test]
fn the_pin_of_the_key_that_was_shown_is_told() {
    let ca = Ca::new();
    let server = TlsServer::start(known(&ca));
    let mut session = pinning(&ca, |tls| {
        tls.pin_sha256("localhost", OTHER_PIN);
    });
    let error = session.request(server.named_url("/")).unwrap_err();
    let told = format!("the public key of localhost is sha256//{RSA_PIN}, and that is not pinned");
    assert!(error.message().contains(&told), "{}", error.message());
    assert_eq!(error.kind(), ErrorKind::Tls);
}

#[test]
fn hosts_without_a_pin_are_not_affected() {
    let ca = Ca::new();
    let server = TlsServer::start(ca.good());
    let mut session = pinning(&ca, |tls| {
        tls.pin_sha256("localhost", OTHER_PIN).pin_sha256("elsewhere.test", OTHER_PIN);
    });
    assert_eq!(session.request(server.url("/")).unwrap().status(), 200);
    is_refused(session.request(server.named_url("/")));
}

#[test]
fn an_address_can_be_pinned_and_a_name_in_any_case() {
    let ca = Ca::new();
    let server = TlsServer::start(ca.good());
    let mut session = pinning(&ca, |tls| {
        tls.pin_sha256("127.0.0.1", OTHER_PIN).pin_sha256("LocalHost.", OTHER_PIN);
    });
    is_refused(session.request(server.url("/")));
    is_refused(session.request(server.named_url("/")));
}

#[test]
fn a_redirect_does_not_lead_around_a_pin() {
    let ca = Ca::new();
    let to = TlsServer::start(ca.good());
    let url = to.named_url("/");
    let from = TlsServer::answering(ca.good(), move |_| Then::Keep.after(redirect(302, &url)));
    let mut session = pinning(&ca, |tls| {
        tls.pin_sha256("localhost", OTHER_PIN);
    });
    is_refused(session.request(from.url("/")));
    assert_eq!((from.requests().len(), to.requests().len()), (1, 0));
}

#[test]
fn what_is_verified_besides_is_verified_all_the_same() {
    let ca = Ca::new();
    let key = rcgen::KeyPair::from_pem(RSA).unwrap();
    let mut session = pinning(&Ca::new(), |tls| {
        tls.pin_sha256("localhost", RSA_PIN);
    });
    is_refused(session.request(TlsServer::start(ca.good_for(&key)).named_url("/")));
}

#[test]
fn a_pin_holds_where_any_certificate_is_accepted() {
    let (ca, stranger) = (Ca::new(), Ca::new());
    let mut session = pinning(&ca, |tls| {
        tls.danger_accept_invalid_certs(true).pin_sha256("localhost", RSA_PIN);
    });
    let server = TlsServer::start(known(&stranger));
    assert_eq!(session.request(server.named_url("/")).unwrap().status(), 200);
    is_refused(session.request(TlsServer::start(Identity::self_signed()).named_url("/")));
}

#[test]
fn a_session_with_a_pin_resumes_nothing_of_one_without() {
    let ca = Ca::new();
    let server = TlsServer::start(ca.good());
    pinning(&ca, |_| {}).request(server.named_url("/")).unwrap();
    let mut pinned = pinning(&ca, |tls| {
        tls.pin_sha256("localhost", OTHER_PIN);
    });
    is_refused(pinned.request(server.named_url("/")));
    assert_eq!((server.full(), server.resumed()), (1, 0));
    // With the same pins it resumes.
    let good = TlsServer::start(known(&ca));
    let same = |_: usize| {
        pinning(&ca, |tls| {
            tls.pin_sha256("localhost", RSA_PIN);
        })
    };
    for mut session in [0, 1].map(same) {
        session.request(good.named_url("/")).unwrap();
    }
    assert_eq!((good.full(), good.resumed()), (1, 1));
}

#[test]
fn a_pin_that_cannot_be_is_an_error_when_the_session_is_made() {
    for (host, pin, told) in [
        ("localhost", "sha256//AAAA", "\"sha256//AAAA\" is no pin"),
        ("localhost", "", "\"\" is no pin"),
        ("https://localhost", OTHER_PIN, "pins are for a host alone"),
        ("localhost:443", OTHER_PIN, "pins are for a host alone"),
        ("", OTHER_PIN, "pins are for a host alone"),
    ] {
        let config = config(|tls| {
            tls.pin_sha256(host, pin);
        });
        let error = Session::new(config).expect_err(told);
        assert_eq!(error.kind(), ErrorKind::Tls);
        assert!(error.message().contains(told), "{}", error.message());
    }
}
