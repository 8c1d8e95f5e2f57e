//! PEM text, and what is wrong with it, told without a word of it: it may hold a key.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::fault::{bad, fault};
use crate::error::Error;

/// PEM text (RFC 7468), or the file that it is in. No `Debug`: it may hold a key.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Pem {
    Text {
        /// What it is called in an error.
        name: String,
        text: Arc<Vec<u8>>,
    },
    /// To be read.
    File(PathBuf),
}

impl Pem {
    pub(super) fn text(name: &str, text: impl Into<Vec<u8>>) -> Self {
        Self::Text { name: name.to_owned(), text: Arc::new(text.into()) }
    }

    /// The same, read if it is a file.
    pub(super) fn read(&self) -> Result<Self, Error> {
        let Self::File(path) = self else { return Ok(self.clone()) };
        let name = format!("the file {}", path.display());
        match std::fs::read(path) {
            Ok(text) => Ok(Self::Text { name, text: Arc::new(text) }),
            Err(error) => Err(fault(format!("{name} cannot be read"), error)),
        }
    }

    /// What it is called.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Text { name, .. } => name,
            Self::File(_) => "a file",
        }
    }

    /// Every certificate in it. There is one at least.
    pub(super) fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, Error> {
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(self.bytes()).collect();
        match found {
            Ok(found) if found.is_empty() => {
                Err(bad(format!("{} holds no certificate", self.name())))
            }
            Ok(found) => Ok(found),
            Err(error) => Err(self.is_no_pem(&error)),
        }
    }

    /// The first private key in it: PKCS#8, PKCS#1 or SEC1.
    pub(super) fn key(&self) -> Result<PrivateKeyDer<'static>, Error> {
        let name = self.name();
        PrivateKeyDer::from_pem_slice(self.bytes()).map_err(|error| match error {
            _ if self.holds("-----BEGIN ENCRYPTED PRIVATE KEY-----")
                || self.holds("Proc-Type: 4,ENCRYPTED") =>
            {
                bad(format!("the key in {name} is encrypted: decrypt it first, by `openssl pkey`"))
            }
            pem::Error::NoItemsFound => bad(format!("{name} holds no private key")),
            error => self.is_no_pem(&error),
        })
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Self::Text { text, .. } => text,
            Self::File(_) => &[],
        }
    }

    fn holds(&self, text: &str) -> bool {
        self.bytes().windows(text.len()).any(|window| window == text.as_bytes())
    }

    /// Not with the error as its source: that quotes lines, and one line may hold a whole key.
    fn is_no_pem(&self, error: &pem::Error) -> Error {
        let reason = match error {
            pem::Error::MissingSectionEnd { .. } if !self.bytes().contains(&b'\n') => {
                "it has no line breaks"
            }
            pem::Error::MissingSectionEnd { .. } => "a section has no end",
            pem::Error::IllegalSectionStart { .. } => "a line begins a section, and breaks off",
            pem::Error::Base64Decode(_) => "a section is not base64",
            _ => "it cannot be read",
        };
        bad(format!("{} is not PEM: {reason}", self.name()))
    }
}
