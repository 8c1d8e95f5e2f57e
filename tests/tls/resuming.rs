//! Kept connections and resumed sessions.

use std::fs;
use std::time::Duration;

use fetchpool::{Pool, Session, SessionConfig};
use rustls::version::{TLS12, TLS13};

use super::support::script::ok;
use super::support::tls::{Ca, Then, TlsServer};
use super::{TemporaryFile, careless, config, is_refused, own, trusting, trusting_config};

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
