//! From settings to the configuration that does what they say, shared by all who have the same.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use super::accept_any::AcceptAny;
use super::config::{Roots, SameConfig, TlsConfig};
use super::fault::fault;
use super::verifier::Verifier;
use crate::error::{Error, ErrorKind, Phase};

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
        .with_safe_default_protocol_versions()
        .map_err(|error| fault("the TLS provider has no usable protocol version", error))?;
    let mut config = if settings.accept_invalid {
        builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AcceptAny::new(provider)))
            .with_no_client_auth()
    } else {
        let algorithms = provider.signature_verification_algorithms;
        let webpki =
            WebPkiServerVerifier::builder_with_provider(Arc::new(root_store(settings)?), provider)
                .build()
                .map_err(|error| fault("there is no root certificate to trust", error))?;
        // No danger: it only takes notes, and gives the verdict of the one inside.
        builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Verifier::new(webpki, algorithms)))
            .with_no_client_auth()
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.resumption = Resumption::in_memory_sessions(TICKETS);
    Ok(config)
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
            Error::new(
                ErrorKind::Tls,
                "no TLS provider: the program must install one (CryptoProvider::install_default), \
                 give a ClientConfig, or use the feature `tls`",
            )
            .during(Phase::Setup)
        })
    }
}

fn root_store(settings: &TlsConfig) -> Result<RootCertStore, Error> {
    let mut store = RootCertStore::empty();
    if settings.webpki_roots {
        store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    for roots in &settings.roots {
        // Files have been read by now.
        let Roots::Pem { name, text } = roots else { continue };
        let before = store.len();
        for certificate in CertificateDer::pem_slice_iter(text) {
            let certificate =
                certificate.map_err(|error| fault(format!("{name} is not PEM"), error))?;
            store
                .add(certificate)
                .map_err(|error| fault(format!("{name} holds a bad root certificate"), error))?;
        }
        if store.len() == before {
            return Err(Error::new(ErrorKind::Tls, format!("{name} holds no certificate"))
                .during(Phase::Setup));
        }
    }
    Ok(store)
}

/// TLS sessions remembered for resumption. `rustls` counts eight to a server, so this is 256
/// servers; its own default is 32, which a list of 50 origins keeps overflowing.
const TICKETS: usize = 2048;
