//! nginx over TLS, with a CA of our own.

use std::fs;
use std::sync::Arc;

use fetchpool::{ErrorKind, Fault, Outcome, Pool, Request, SessionConfig, TlsVersion};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::support::{
    Hit, ca_pem, config, mark, nginx_log, open, per_connection, response, setting,
};

fn url(path: &str) -> String {
    setting("NGINX_TLS") + path
}

/// A hundred new connections on each of eight threads.
fn reconnect(server: &str, test: &str) -> Vec<Hit> {
    let mark = mark(test);
    let small = format!("{}/small.txt?{mark}", setting(server));
    let pool = Pool::builder()
        .num_threads(8)
        // Each worker hands in the settings anew, and they are the same: one TLS configuration.
        .initializer_with(mark.clone(), |session, mark| {
            session.tls.add_root_pem(ca_pem(mark));
            session.keep_alive = false;
        })
        .job_queue((0..800).map(move |_| Request::get(&small)))
        .build()
        .expect("a pool");
    assert_eq!(
        pool.outcomes().map(response).filter(|response| response.status() == 200).count(),
        800
    );
    let hits = nginx_log(&mark, 800);
    assert_eq!(per_connection(&hits).len(), 800);
    hits
}

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn two_thousand_gets_over_tls_on_eight_threads_open_exactly_eight_connections() {
    let mark = mark("two-thousand");
    let small = url(&format!("/small.txt?{mark}"));
    let jobs = (0..2_000).map(move |_| Request::get(&small));
    let pool = Pool::builder()
        .num_threads(8)
        .session(config(&mark))
        .job_queue(jobs)
        .build()
        .expect("a pool");
    assert_eq!(
        pool.outcomes().map(response).filter(|response| response.status() == 200).count(),
        2_000
    );
    let connections = per_connection(&nginx_log(&mark, 2_000));
    assert_eq!(connections.len(), 8, "requests on each connection: {connections:?}");
}

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn tls_13_sessions_are_resumed_across_threads() {
    let hits = reconnect("NGINX_TLS", "resumed-13");
    assert!(hits.iter().all(|hit| hit.tls == "TLSv1.3"));
    let resumed = hits.iter().filter(|hit| hit.resumed).count();
    assert!(resumed >= 700, "{resumed} of 800 were resumed");
}

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn tls_12_sessions_are_resumed_across_threads() {
    let hits = reconnect("NGINX_TLS12", "resumed-12");
    assert!(hits.iter().all(|hit| hit.tls == "TLSv1.2"));
    let resumed = hits.iter().filter(|hit| hit.resumed).count();
    assert!(resumed >= 700, "{resumed} of 800 were resumed");
}

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn a_ca_of_ones_own_is_trusted_for_a_name_and_for_an_address() {
    let by_name = url("/small.txt");
    let by_address = by_name.replace("localhost", "127.0.0.1");
    for url in [by_name, by_address] {
        let response = open(config("trusted")).request(&url).expect("a response");
        assert_eq!((response.status(), response.bytes()), (200, &b"small\n"[..]));
    }
    let mut from_file = SessionConfig::new();
    from_file.tls.root_pem_file(setting("CA"));
    assert_eq!(open(from_file).request(url("/small.txt")).expect("a response").status(), 200);
}

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn without_the_ca_there_is_no_request_only_a_tls_error() {
    let mark = mark("no-ca");
    let jobs = [url(&format!("/small.txt?{mark}")), url(&format!("/small.txt?{mark}"))];
    let pool = Pool::builder().num_threads(2).job_queue(jobs).build().expect("a pool");
    let outcomes: Vec<Outcome> = pool.outcomes().collect();
    assert_eq!(outcomes.len(), 2);
    for outcome in outcomes {
        let error = outcome.result().expect_err("nobody vouches for this certificate");
        assert_eq!(
            (error.kind(), error.fault()),
            (ErrorKind::Tls, Fault::Peer),
            "{}",
            error.message()
        );
        assert!(error.is_tls());
    }
    assert!(nginx_log(&mark, 0).is_empty());
}

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn a_certificate_for_another_address_is_refused() {
    let other = url("/small.txt").replace("localhost", "127.0.0.2");
    let error = open(config("wrong-name")).request(&other).expect_err("not its certificate");
    assert_eq!(error.kind(), ErrorKind::Tls, "{}", error.message());

    // And switching that off is a setting with a name that warns.
    let mut reckless = SessionConfig::new();
    reckless.tls.danger_accept_invalid_certs(true);
    assert_eq!(open(reckless).request(&other).expect("a response").status(), 200);
}

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn a_client_certificate_is_shown_from_its_files() {
    let server = setting("NGINX_MTLS") + "/small.txt";
    let mut known = config("known");
    known.tls.client_cert_files(setting("CLIENT_CERT"), setting("CLIENT_KEY"));
    let mut session = open(known);
    for _ in 0..2 {
        let response = session.request(&server).expect("a response");
        assert_eq!((response.status(), response.header("x-client")), (200, Some("CN=somebody")));
    }
    // One of the wrong key is no session.
    let mut wrong = config("wrong");
    wrong.tls.client_cert_files(setting("CA"), setting("CLIENT_KEY"));
    let error = fetchpool::Session::new(wrong).expect_err("not its key");
    assert!(error.message().contains("does not belong"), "{}", error.message());
}

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn what_nginx_settles_is_told_and_its_key_can_be_pinned() {
    for (server, version) in [("NGINX_TLS", TlsVersion::Tls13), ("NGINX_TLS12", TlsVersion::Tls12)]
    {
        let url = setting(server) + "/small.txt";
        let response = open(config("told")).request(&url).expect("a response");
        let tls = response.tls().expect("https");
        assert_eq!((tls.version(), tls.peer_certificates().len()), (version, 1));

        let other = "sha256//YLh1dUR9y6Kja30RrAn7JKnbQG/uEtLMkBgFF2Fuihg=";
        let mut pinned = config("pinned");
        pinned.tls.pin_sha256("localhost", other);
        let error = open(pinned).request(&url).expect_err("another key");
        let message = error.message();
        let pin = message.split_once("localhost is ").and_then(|(_, rest)| rest.split_once(','));
        let (pin, _) = pin.unwrap_or_else(|| panic!("{message}"));
        let mut pinned = config("pinned");
        pinned.tls.pin_sha256("localhost", other).pin_sha256("localhost", pin);
        assert_eq!(open(pinned).request(&url).expect("a response").status(), 200);
    }
}

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn one_version_of_tls_is_spoken_where_only_that_is_allowed() {
    for (server, version, other) in [
        ("NGINX_TLS", TlsVersion::Tls13, None),
        ("NGINX_TLS12", TlsVersion::Tls12, Some(TlsVersion::Tls13)),
    ] {
        let url = setting(server) + "/small.txt";
        let only = |version| {
            let mut config = config("only");
            config.tls.min_version(version).max_version(version);
            open(config).request(&url)
        };
        assert_eq!(only(version).expect("a response").tls().expect("https").version(), version);
        if let Some(other) = other {
            let error = only(other).expect_err("not its version");
            assert!(error.message().contains("localhost does not speak TLS 1.3"), "{error:?}");
        }
    }
}

#[test]
#[ignore = "needs real servers: .ci/run starts them"]
fn a_callers_own_client_config_can_show_a_client_certificate() {
    let server = setting("NGINX_MTLS") + "/small.txt";
    let anonymous = open(config("anonymous")).request(&server).expect("nginx answers in words");
    assert_eq!(anonymous.status(), 400);

    let certificates = |path: String| {
        let pem = fs::read(path).expect("a PEM file");
        CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>().expect("certificates")
    };
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(certificates(setting("CA")));
    let key = PrivateKeyDer::from_pem_file(setting("CLIENT_KEY")).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let client = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_client_auth_cert(certificates(setting("CLIENT_CERT")), key)
        .expect("a client certificate");
    let mut known = SessionConfig::new();
    known.tls.client_config(Arc::new(client));
    let response = open(known).request(&server).expect("a response");
    assert_eq!((response.status(), response.header("x-client")), (200, Some("CN=somebody")));
}
