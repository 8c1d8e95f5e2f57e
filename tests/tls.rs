//! `https`: whom a session trusts, who it is itself, how a connection ends, and which sessions are
//! resumed.
#![cfg(feature = "tls-no-provider")]

mod support;

#[path = "tls/trust.rs"]
mod trust;
#[path = "tls/names.rs"]
mod names;
#[path = "tls/chains.rs"]
mod chains;
#[path = "tls/told.rs"]
mod told;
#[path = "tls/settings.rs"]
mod settings;
#[path = "tls/own.rs"]
mod own;
#[path = "tls/client_certs.rs"]
mod client_certs;
#[path = "tls/client_cert_home.rs"]
mod client_cert_home;
#[path = "tls/client_cert_faults.rs"]
mod client_cert_faults;
#[path = "tls/keys.rs"]
mod keys;
#[path = "tls/pins.rs"]
mod pins;
#[path = "tls/versions.rs"]
mod versions;
#[path = "tls/key_log.rs"]
mod key_log;
#[path = "tls/info.rs"]
mod info;
#[path = "tls/half.rs"]
mod half;
#[path = "tls/closing.rs"]
mod closing;
#[path = "tls/resuming.rs"]
mod resuming;
#[path = "tls/http.rs"]
mod http;

use std::error::Error as _;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use fetchpool::{Error, ErrorKind, Fault, Phase, Response, Session, SessionConfig, TlsConfig};
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};

use support::script::PATIENCE;
use support::tls::{Ca, Identity, TlsServer};

/// Settings with this trust, and a shorter time-out.
fn config(trust: impl FnOnce(&mut TlsConfig)) -> SessionConfig {
    support::tls::install_provider();
    let mut config = SessionConfig::new();
    config.timeout = Some(PATIENCE);
    trust(&mut config.tls);
    config
}

/// A session that trusts this authority, beside the usual ones.
fn trusting(ca: &Ca) -> Session {
    Session::new(trusting_config(ca)).expect("settings without a fault")
}

fn trusting_config(ca: &Ca) -> SessionConfig {
    config(|tls| {
        tls.add_root_pem(ca.pem());
    })
}

/// A session that takes any certificate. The authority, which it does not need, keeps its
/// settings unlike those of other tests.
fn careless(ca: &Ca) -> Session {
    let config = config(|tls| {
        tls.add_root_pem(ca.pem()).danger_accept_invalid_certs(true);
    });
    Session::new(config).expect("settings without a fault")
}

/// What a session that trusts this authority gets from a server that shows this, under this name.
fn get(ca: &Ca, shows: Identity, host: &str) -> Result<Response, Error> {
    let server = TlsServer::start(shows);
    let result = ask(ca, &server, host);
    assert_eq!(server.requests().len(), usize::from(result.is_ok()), "{host}");
    result
}

/// The same, of this server. Every name is that of its address.
fn ask(ca: &Ca, server: &TlsServer, host: &str) -> Result<Response, Error> {
    let mut config = trusting_config(ca);
    let address = server.address();
    config.resolver = Some(Arc::new(move |_: &str, _: u16| Ok(vec![address])));
    let url = format!("https://{host}:{}/", address.port());
    Session::new(config).expect("settings without a fault").request(url)
}

/// A `rustls` configuration that trusts this authority alone.
fn own(ca: &Ca) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(ca.der()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    Arc::new(builder.with_root_certificates(roots).with_no_client_auth())
}

/// That the handshake failed, and whose fault it was.
fn is_refused(result: Result<Response, Error>) {
    let error = result.expect_err("a failed handshake");
    assert_eq!((error.kind(), error.fault()), (ErrorKind::Tls, Fault::Peer), "{error}");
    assert_eq!(error.phase(), Some(Phase::Tls), "{error}");
    assert!(error.is_tls() && error.source().is_some(), "{error:?}");
    assert!(error.url().is_some_and(|url| url.starts_with("https://")), "{error:?}");
}

/// A file that is gone when the test is over.
struct TemporaryFile(PathBuf);

impl TemporaryFile {
    fn new(name: &str, content: impl AsRef<[u8]>) -> Self {
        let name = format!("fetchpool-tls-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::write(&path, content).expect("a file");
        Self(path)
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        // It is a temporary file anyway.
        let _ = fs::remove_file(&self.0);
    }
}
