//! A client certificate is a credential: it goes where credentials go, and nowhere else.

use fetchpool::{ErrorKind, Session, SessionConfig};
use rustls::version::{TLS12, TLS13};

use super::support::script::{ok, redirect};
use super::support::tls::{Ca, Demand, Identity, Then, TlsServer};
use super::{config, trusting};

/// Settings with a certificate that trust this authority.
fn settings(ca: &Ca, me: &Identity) -> SessionConfig {
    config(|tls| {
        tls.add_root_pem(ca.pem()).client_cert_pem(me.chain_pem(), me.key_pem());
    })
}

fn session(ca: &Ca, me: &Identity) -> Session {
    Session::new(settings(ca, me)).expect("settings without a fault")
}

/// A server that asks, and leads from `/to` to this URL.
fn leading(ca: &Ca, demand: Demand, to: String) -> TlsServer {
    TlsServer::asking(ca.good(), rustls::ALL_VERSIONS, ca, demand, move |request| {
        Then::Keep.after(match request.target().as_str() {
            "/to" => redirect(302, &to),
            "/own" => redirect(302, "/"),
            other => ok(other),
        })
    })
}

#[test]
fn it_stays_behind_on_a_redirect_to_another_origin_and_does_not_come_back() {
    let ca = Ca::new();
    let me = ca.good();
    let shown = Some(me.der().clone());
    let last = leading(&ca, Demand::Never, String::new());
    let other = leading(&ca, Demand::Never, last.url("/"));
    let first = leading(&ca, Demand::Never, other.url("/to"));
    let mut session = session(&ca, &me);
    let response = session.request(first.url("/to")).unwrap();
    assert_eq!(response.history().len(), 2);
    assert_eq!(first.clients(), std::slice::from_ref(&shown));
    assert_eq!((other.clients(), last.clients()), (vec![None], vec![None]));

    // And back.
    let back = leading(&ca, Demand::Never, first.url("/"));
    let there = leading(&ca, Demand::Never, back.url("/to"));
    session.request(there.url("/to")).unwrap();
    assert_eq!((there.clients(), back.clients()), (vec![shown.clone()], vec![None]));
    assert_eq!(first.clients(), [shown, None]);
}

#[test]
fn it_goes_along_within_its_origin() {
    let ca = Ca::new();
    let me = ca.good();
    let server = leading(&ca, Demand::Always, String::new());
    assert_eq!(session(&ca, &me).request(server.url("/own")).unwrap().text(), "/");
    assert_eq!(server.clients(), [Some(me.der().clone())]);
}

#[test]
fn a_connection_that_was_opened_without_it_is_not_used_with_it_nor_the_other_way_round() {
    let ca = Ca::new();
    let me = ca.good();
    let shown = Some(me.der().clone());
    let server = leading(&ca, Demand::Never, String::new());
    let other = leading(&ca, Demand::Never, server.url("/"));
    let mut session = session(&ca, &me);
    session.request(other.url("/to")).unwrap();
    assert_eq!(server.clients(), [None]);
    for _ in 0..2 {
        session.request(server.url("/")).unwrap();
        assert_eq!(server.clients(), [None, shown.clone()]);
    }
    for count in 3..5 {
        session.request(other.url("/to")).unwrap();
        assert_eq!(server.clients().len(), 3, "{count}");
        assert_eq!(server.clients()[2], None);
    }
}

#[test]
fn a_tls_session_that_it_opened_is_not_resumed_without_it() {
    let ca = Ca::new();
    let me = ca.good();
    for version in [&TLS12, &TLS13] {
        let to = TlsServer::asking(ca.good(), &[version], &ca, Demand::Never, |_| {
            Then::Notify.after(ok("x"))
        });
        let from = leading(&ca, Demand::Never, to.url("/"));
        let mut session = session(&ca, &me);
        for (url, client) in [
            (to.url("/"), Some(me.der().clone())),
            (to.url("/"), Some(me.der().clone())),
            (from.url("/to"), None),
            (from.url("/to"), None),
        ] {
            session.request(url).unwrap();
            assert_eq!(to.clients().pop(), Some(client));
        }
        assert_eq!((to.full(), to.resumed()), (2, 2), "{version:?}");
    }
}

#[test]
fn sessions_share_what_they_opened_only_if_certificate_and_key_are_the_same() {
    let ca = Ca::new();
    let (me, you) = (ca.good(), ca.good());
    let server = leading(&ca, Demand::Never, String::new());
    for (mut session, full, resumed) in [
        (session(&ca, &me), 1, 0),
        (session(&ca, &me), 1, 1),
        (session(&ca, &you), 2, 1),
        (trusting(&ca), 3, 1),
        (session(&ca, &you), 3, 2),
    ] {
        session.request(server.url("/")).unwrap();
        assert_eq!((server.full(), server.resumed()), (full, resumed));
    }
}

#[test]
fn it_can_be_bound_to_origins_and_then_goes_nowhere_else() {
    let ca = Ca::new();
    let me = ca.good();
    let server = |_: usize| leading(&ca, Demand::Never, String::new());
    let [first, second, third] = [0, 1, 2].map(server);
    let mut config = settings(&ca, &me);
    config
        .tls
        .client_cert_for_origin(first.url("/any/path"))
        .client_cert_for_origin(second.url(""));
    let mut session = Session::new(config).unwrap();
    for _ in 0..2 {
        for server in [&first, &second, &third] {
            session.request(server.url("/")).unwrap();
        }
        // The same server by another name is another origin.
        session.request(first.named_url("/")).unwrap();
    }
    let shown = Some(me.der().clone());
    assert_eq!(first.clients(), [shown.clone(), None]);
    assert_eq!((second.clients(), third.clients()), (vec![shown], vec![None]));
}

#[test]
fn that_it_was_kept_back_is_told_where_it_is_demanded() {
    let ca = Ca::new();
    let me = ca.good();
    for version in [&TLS12, &TLS13] {
        let to = TlsServer::asking(ca.good(), &[version], &ca, Demand::Always, |_| {
            Then::Keep.after(ok("x"))
        });
        let from = leading(&ca, Demand::Always, to.url("/"));
        let error = session(&ca, &me).request(from.url("/to")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Tls);
        let told = "demands a client certificate, and that of the session is not for this origin";
        assert!(error.message().contains(told), "{}", error.message());
        assert!(error.url().is_some_and(|url| url == to.url("/")), "{error:?}");
    }
}

#[test]
fn an_origin_that_cannot_be_read_is_an_error_when_the_session_is_made() {
    let ca = Ca::new();
    for url in ["", "a.test", "ftp://a.test", "https://a b/"] {
        let mut config = settings(&ca, &ca.good());
        config.tls.client_cert_for_origin(url);
        let error = Session::new(config).expect_err(url);
        assert_eq!(error.kind(), ErrorKind::Tls);
        assert!(error.message().contains("the origin of the client certificate"), "{error}");
    }
}
