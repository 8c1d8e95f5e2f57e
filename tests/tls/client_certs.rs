//! Servers that ask for a certificate of the client's, and what they are shown.

use std::fs;
use std::sync::Arc;

use fetchpool::{ErrorKind, Fault, Pool, Session, TlsConfig};
use rustls::SupportedProtocolVersion;
use rustls::version::{TLS12, TLS13};

use super::keys::RSA;
use super::support::script::ok;
use super::support::tls::{Ca, Demand, Identity, Then, TlsServer, pem};
use super::{TemporaryFile, config, own};

/// A server of one version that asks for a certificate of this authority.
fn asking(ca: &Ca, version: &'static SupportedProtocolVersion, demand: Demand) -> TlsServer {
    TlsServer::asking(ca.good(), &[version], ca, demand, |request| {
        Then::Keep.after(ok(request.target()))
    })
}

/// A session with these settings that trusts this authority.
fn session(ca: &Ca, set: impl FnOnce(&mut TlsConfig)) -> Session {
    let config = config(|tls| {
        tls.add_root_pem(ca.pem());
        set(tls);
    });
    Session::new(config).expect("settings without a fault")
}

#[test]
fn a_server_that_asks_is_shown_the_certificate() {
    let ca = Ca::new();
    let me = ca.good();
    for version in [&TLS12, &TLS13] {
        for demand in [Demand::Never, Demand::Always] {
            let server = asking(&ca, version, demand);
            let mut session = session(&ca, |tls| {
                tls.client_cert_pem(me.chain_pem(), me.key_pem());
            });
            for _ in 0..2 {
                assert_eq!(session.request(server.url("/x")).unwrap().text(), "/x");
            }
            assert_eq!(server.clients(), [Some(me.der().clone())], "{version:?} {demand:?}");
        }
    }
}

#[test]
fn a_server_that_does_not_ask_is_shown_nothing() {
    let ca = Ca::new();
    let me = ca.good();
    for version in [&TLS12, &TLS13] {
        let server = TlsServer::of_versions(ca.good(), &[version], |_| Then::Keep.after(ok("x")));
        let mut session = session(&ca, |tls| {
            tls.client_cert_pem(me.chain_pem(), me.key_pem());
        });
        assert_eq!(session.request(server.url("/")).unwrap().text(), "x");
        assert_eq!(server.clients(), [None]);
    }
}

#[test]
fn a_key_may_be_written_in_any_of_the_three_forms() {
    let ca = Ca::new();
    let rsa = rcgen::KeyPair::from_pem(RSA).unwrap();
    let (rsa, ec) = (ca.good_for(&rsa), ca.good());
    // What is wrapped by PKCS#8 stands at its end.
    let pkcs1 = pem("RSA PRIVATE KEY", &rsa.key_der()[26..]);
    let length = usize::from(ec.key_der()[2]) + 3;
    assert_eq!(length, ec.key_der().len(), "a key of the usual shape");
    let sec1 = pem("EC PRIVATE KEY", &ec.key_der()[29..]);
    for version in [&TLS12, &TLS13] {
        let server = asking(&ca, version, Demand::Always);
        for (me, key) in [
            (&rsa, RSA.to_owned()),
            (&rsa, pkcs1.clone()),
            (&ec, ec.key_pem()),
            (&ec, sec1.clone()),
            (&ec, format!("Bag Attributes\n  x: y\n{}", ec.key_pem().replace('\n', "\r\n"))),
        ] {
            let mut session = session(&ca, |tls| {
                tls.client_cert_pem(me.chain_pem(), key);
            });
            assert_eq!(session.request(server.url("/")).unwrap().status(), 200);
        }
        assert_eq!(server.clients().len(), 5);
    }
}

#[test]
fn certificates_in_between_are_sent_along() {
    let ca = Ca::new();
    let between = ca.vouched_for(|_| {});
    let server = asking(&ca, &TLS13, Demand::Always);
    let me = between.good().with(&between);
    let mut session = session(&ca, |tls| {
        tls.client_cert_pem(me.chain_pem(), me.key_pem());
    });
    assert_eq!(session.request(server.url("/")).unwrap().status(), 200);
    assert_eq!(server.clients(), [Some(me.der().clone())]);
}

#[test]
fn files_are_read_when_a_session_is_made_and_one_may_hold_both() {
    let ca = Ca::new();
    let (first, second) = (ca.good(), ca.good());
    let server = asking(&ca, &TLS13, Demand::Always);
    let both = |me: &Identity| me.chain_pem() + &me.key_pem();
    let one = TemporaryFile::new("both.pem", both(&first));
    let certificate = TemporaryFile::new("me.pem", first.chain_pem());
    let key = TemporaryFile::new("me.key", first.key_pem());
    let from_one = || {
        session(&ca, |tls| {
            tls.client_cert_files(&one.0, &one.0);
        })
    };
    let mut from_two = session(&ca, |tls| {
        tls.client_cert_files(&certificate.0, &key.0);
    });
    let mut before = from_one();
    fs::write(&one.0, both(&second)).unwrap();
    let mut after = from_one();
    for (session, me) in [(&mut from_two, &first), (&mut before, &first), (&mut after, &second)] {
        assert_eq!(session.request(server.url("/")).unwrap().status(), 200);
        assert_eq!(server.clients().pop(), Some(Some(me.der().clone())));
    }
}

#[test]
fn the_workers_of_a_pool_show_it_and_resume_what_one_of_them_opened() {
    let ca = Ca::new();
    let server = asking(&ca, &TLS12, Demand::Always);
    let me = Arc::new(ca.good());
    let (root, shown) = (ca.pem(), Arc::clone(&me));
    let pool = Pool::builder()
        .num_threads(2)
        .initializer(move |session| {
            session.tls.add_root_pem(root.clone());
            session.tls.client_cert_pem(shown.chain_pem(), shown.key_pem());
            session.keep_alive = false;
        })
        .job_queue(vec![server.url("/"); 10])
        .build()
        .unwrap();
    assert_eq!(pool.outcomes().filter(|outcome| outcome.is_response()).count(), 10);
    assert_eq!(server.clients(), vec![Some(me.der().clone()); 10]);
    assert!(server.full() <= 2 && server.full() + server.resumed() == 10);
}

/// What is told of a request to a server that will not have us.
#[track_caller]
fn refusal(session: &mut Session, server: &TlsServer) -> String {
    let error = session.request(server.url("/")).expect_err("a refusal");
    assert_eq!((error.kind(), error.fault()), (ErrorKind::Tls, Fault::Peer), "{error:?}");
    assert!(server.requests().is_empty());
    error.message()
}

#[test]
fn a_server_that_demands_a_certificate_and_gets_none_is_told_by_what_it_demands() {
    let ca = Ca::new();
    for version in [&TLS12, &TLS13] {
        // Over and over: by TLS 1.3 the refusal comes while the request is being sent.
        for _ in 0..10 {
            let server = asking(&ca, version, Demand::Always);
            let text = refusal(&mut session(&ca, |_| {}), &server);
            let told = "demands a client certificate, and the session has none";
            assert!(text.contains(told), "{version:?}: {text}");
        }
        let server = asking(&ca, version, Demand::Always);
        let text = refusal(
            &mut session(&ca, |tls| {
                tls.client_config(own(&ca));
            }),
            &server,
        );
        assert!(text.contains("demands a client certificate"), "{version:?}: {text}");
        assert!(!text.contains("the session has none"), "who knows: {text}");
    }
}

#[test]
fn a_large_request_to_a_server_that_demands_a_certificate_is_told_by_that_too() {
    let ca = Ca::new();
    for _ in 0..5 {
        let server = asking(&ca, &TLS13, Demand::Always);
        let request = fetchpool::Request::post(server.url("/")).body(vec![b'x'; 8 << 20]);
        let error = session(&ca, |_| {}).request(request).expect_err("a refusal");
        assert!(error.message().contains("demands a client certificate"), "{}", error.message());
        assert_eq!(error.kind(), ErrorKind::Tls);
    }
}

#[test]
fn a_server_that_refuses_the_certificate_is_told_by_its_reason() {
    let ca = Ca::new();
    let stranger = Ca::called("a stranger");
    for (me, reason) in [(stranger.good(), "unknown ca"), (ca.expired(), "certificate expired")] {
        for version in [&TLS12, &TLS13] {
            let server = asking(&ca, version, Demand::Always);
            let mut session = session(&ca, |tls| {
                tls.client_cert_pem(me.chain_pem(), me.key_pem());
            });
            let text = refusal(&mut session, &server);
            let told = format!("refused the client certificate: {reason}");
            assert!(text.contains(&told), "{version:?}: {text}");
        }
    }
}
