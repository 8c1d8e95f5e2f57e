//! Who we are: a certificate of our own and its key, for servers that ask.

use std::path::Path;

use rustls::crypto::CryptoProvider;
use rustls::sign::CertifiedKey;
use rustls::{Error as TlsError, InconsistentKeys};

use super::fault::{bad, fault};
use super::pem::Pem;
use crate::error::Error;

/// A certificate, those above it, and its key. No `Debug`: there is a key in it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Identity {
    certificate: Pem,
    key: Pem,
}

impl Identity {
    pub(super) fn pem(certificate: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Self {
        Self {
            certificate: Pem::text("the PEM text of the client certificate", certificate),
            key: Pem::text("the PEM text of the client key", key),
        }
    }

    pub(super) fn files(certificate: &Path, key: &Path) -> Self {
        Self { certificate: Pem::File(certificate.to_owned()), key: Pem::File(key.to_owned()) }
    }

    /// The same with its files read; one that holds both is read once.
    pub(super) fn read(&self) -> Result<Self, Error> {
        let certificate = self.certificate.read()?;
        let is_one = matches!(self.key, Pem::File(_)) && self.certificate == self.key;
        let key = if is_one { certificate.clone() } else { self.key.read()? };
        Ok(Self { certificate, key })
    }

    /// The same for `rustls`, if the key belongs to the certificate.
    pub(super) fn certified_key(&self, provider: &CryptoProvider) -> Result<CertifiedKey, Error> {
        let (chain, key) = (self.certificate.certificates()?, self.key.key()?);
        let (certificate, name) = (self.certificate.name(), self.key.name());
        CertifiedKey::from_der(chain, key, provider).map_err(|error| match error {
            TlsError::InconsistentKeys(InconsistentKeys::KeyMismatch) => bad(format!(
                "the key in {name} does not belong to the certificate in {certificate} (the first \
                 one, if it holds several)"
            )),
            error @ TlsError::InvalidCertificate(_) => {
                fault(format!("{certificate} holds a bad certificate"), error)
            }
            error => fault(format!("the key in {name} is none that can be used"), error),
        })
    }
}
