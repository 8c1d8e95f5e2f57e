//! A `ClientConfig` of one's own.

use std::sync::Arc;

use fetchpool::Session;
use rustls::ClientConfig;

use super::support::tls::{Ca, TlsServer};
use super::{config, is_refused, own};

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
fn what_has_no_effect_is_not_looked_at() {
    let ca = Ca::new();
    let server = TlsServer::start(ca.good());
    let config = config(|tls| {
        tls.client_config(own(&ca)).root_pem_file("/nonexistent/fetchpool/ca.pem");
        tls.client_cert_pem("", "").client_cert_for_origin("").pin_sha256("127.0.0.1", "");
    });
    assert_eq!(Session::new(config).unwrap().request(server.url("/")).unwrap().status(), 200);
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
