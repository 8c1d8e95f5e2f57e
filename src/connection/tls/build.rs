//! From settings to the configuration that does what they say, shared by all who have the same.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use rustls::client::danger::ServerCertVerifier;
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, KeyLogFile, RootCertStore, SupportedProtocolVersion};

use super::accept_any::AcceptAny;
use super::client_auth::Resolver;
use super::config::{Roots, SameConfig, TlsConfig};
use super::fault::{bad, fault};
use super::pins::Pinned;
use super::verifier::Verifier;
use crate::error::Error;
use crate::message::TlsVersion;

/// The configuration for these settings: the one that is in use already, if there is one.
pub(super) fn shared(settings: &TlsConfig) -> Result<Arc<ClientConfig>, Error> {
    if let Some(SameConfig(config)) = &settings.custom {
        return Ok(Arc::clone(config));
    }
    // Poison is ignored: what may panic below does so before the list is changed.
    let mut known = IN_USE.lock().unwrap_or_else(PoisonError::into_inner);
    known.retain(|(_, config)| config.strong_count() > 0);
    let found = known.iter().find(|(theirs, _)| theirs == settings);
    if let Some(config) = found.and_then(|(_, config)| config.upgrade()) {
        return Ok(config);
    }
    let config = Arc::new(build(settings)?);
    known.push((settings.clone(), Arc::downgrade(&config)));
    Ok(config)
}

/// Every configuration that some session holds. Weak, so that the last session takes it along.
static IN_USE: Mutex<Vec<(TlsConfig, Weak<ClientConfig>)>> = Mutex::new(Vec::new());

fn build(settings: &TlsConfig) -> Result<ClientConfig, Error> {
    let provider = provider()?;
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&versions(settings)?)
        .map_err(|error| fault("the TLS provider has no usable protocol version", error))?;
    let own = settings.identity.as_ref().map(|own| own.certified_key(&provider)).transpose()?;
    let mut config = builder
        // No danger but the one that was asked for.
        .dangerous()
        .with_custom_certificate_verifier(verifier(settings, &provider)?)
        .with_client_cert_resolver(Arc::new(Resolver::new(own.map(Arc::new))));
    if settings.key_log {
        config.key_log = Arc::new(KeyLogFile::new());
    }
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.resumption = Resumption::in_memory_sessions(TICKETS);
    Ok(config)
}

/// Who decides about a server's certificate.
fn verifier(
    settings: &TlsConfig,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, Error> {
    let verifier: Arc<dyn ServerCertVerifier> = if settings.accept_invalid {
        Arc::new(AcceptAny::new(Arc::clone(provider)))
    } else {
        let roots = Arc::new(root_store(settings)?);
        let webpki = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(provider))
            .build()
            .map_err(|error| fault("there is no root certificate to trust", error))?;
        Arc::new(Verifier::new(webpki, provider.signature_verification_algorithms))
    };
    match settings.pins.is_empty() {
        true => Ok(verifier),
        false => Ok(Arc::new(Pinned::new(verifier, &settings.pins, provider)?)),
    }
}

fn versions(settings: &TlsConfig) -> Result<Vec<&'static SupportedProtocolVersion>, Error> {
    let (min, max) = (settings.min_version, settings.max_version);
    let known = [(TlsVersion::Tls13, &TLS13), (TlsVersion::Tls12, &TLS12)];
    let left = known.into_iter().filter(|(version, _)| (min..=max).contains(version));
    let left: Vec<_> = left.map(|(_, version)| version).collect();
    if left.is_empty() {
        return Err(bad(format!("no version is left from min_version {min} to max_version {max}")));
    }
    Ok(left)
}

fn provider() -> Result<Arc<CryptoProvider>, Error> {
    #[cfg(feature = "tls")]
    {
        Ok(Arc::new(rustls::crypto::ring::default_provider()))
    }
    #[cfg(all(feature = "aws-lc-rs", not(feature = "tls")))]
    {
        Ok(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
    }
    #[cfg(not(any(feature = "tls", feature = "aws-lc-rs")))]
    {
        CryptoProvider::get_default().cloned().ok_or_else(|| {
            bad("no TLS provider: the program must install one (CryptoProvider::install_default), \
                 give a ClientConfig, or use the feature `tls`")
        })
    }
}

fn root_store(settings: &TlsConfig) -> Result<RootCertStore, Error> {
    let mut store = RootCertStore::empty();
    if settings.webpki_roots {
        store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    for roots in &settings.roots {
        let (name, certificates) = match roots {
            Roots::Pem(pem) => (pem.name(), pem.certificates()?),
            Roots::Der(der) => ("the given DER", vec![CertificateDer::from(der.to_vec())]),
        };
        for certificate in certificates {
            store
                .add(certificate)
                .map_err(|error| fault(format!("{name} holds a bad root certificate"), error))?;
        }
    }
    Ok(store)
}

/// TLS sessions remembered for resumption. `rustls` counts eight to a server, so this is 256
/// servers; its own default is 32, which a list of 50 origins keeps overflowing.
const TICKETS: usize = 2048;
