//! One version of TLS only.

use fetchpool::{ErrorKind, Session, TlsVersion};
use rustls::version::{TLS12, TLS13};

use super::support::script::ok;
use super::support::tls::{Ca, Then, TlsServer};
use super::{config, is_refused, own};

/// A session that trusts this authority, and speaks these versions.
fn speaking(ca: &Ca, min: TlsVersion, max: TlsVersion) -> Session {
    let config = config(|tls| {
        tls.add_root_pem(ca.pem()).min_version(min).max_version(max);
    });
    Session::new(config).expect("settings without a fault")
}

#[test]
fn a_session_speaks_the_versions_between_its_least_and_its_greatest() {
    use TlsVersion::{Tls12, Tls13};
    let ca = Ca::new();
    let [old, new] = [&TLS12, &TLS13].map(|version| {
        TlsServer::of_versions(ca.good(), &[version], |_| Then::Keep.after(ok("x")))
    });
    let both = TlsServer::start(ca.good());
    for (min, max) in [(Tls12, Tls12), (Tls12, Tls13), (Tls13, Tls13)] {
        let mut session = speaking(&ca, min, max);
        for (server, speaks) in [(&old, Tls12), (&new, Tls13), (&both, max)] {
            let result = session.request(server.url("/"));
            if (min..=max).contains(&speaks) {
                assert_eq!(result.unwrap().tls().unwrap().version(), speaks);
                continue;
            }
            let text = result.as_ref().unwrap_err().message();
            let told =
                format!("127.0.0.1 does not speak {min}, and the settings allow nothing else");
            assert!(text.contains(&told), "{text}");
            is_refused(result);
        }
    }
}

#[test]
fn no_version_at_all_is_an_error_when_the_session_is_made() {
    let config = config(|tls| {
        tls.min_version(TlsVersion::Tls13).max_version(TlsVersion::Tls12);
    });
    let error = Session::new(config).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Tls);
    let told = "no version is left from min_version TLS 1.3 to max_version TLS 1.2";
    assert!(error.message().contains(told), "{}", error.message());
}

#[test]
fn sessions_of_other_versions_resume_nothing_of_each_other() {
    let ca = Ca::new();
    let server = TlsServer::start(ca.good());
    for (min, max) in [
        (TlsVersion::Tls12, TlsVersion::Tls13),
        (TlsVersion::Tls13, TlsVersion::Tls13),
        (TlsVersion::Tls12, TlsVersion::Tls12),
    ] {
        speaking(&ca, min, max).request(server.url("/")).unwrap();
    }
    assert_eq!((server.full(), server.resumed()), (3, 0));
}

#[test]
fn the_versions_have_no_effect_on_a_configuration_of_ones_own() {
    let ca = Ca::new();
    let server = TlsServer::start(ca.good());
    let config = config(|tls| {
        tls.client_config(own(&ca)).max_version(TlsVersion::Tls12);
    });
    let response = Session::new(config).unwrap().request(server.url("/")).unwrap();
    assert_eq!(response.tls().unwrap().version(), TlsVersion::Tls13);
}
