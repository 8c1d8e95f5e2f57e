//! Whom to trust: the settings.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ClientConfig;

use super::fault::fault;
use crate::error::Error;

/// Whom to trust over `https`.
///
/// By default the roots of Mozilla, compiled in through `webpki-roots`. Certificates are always
/// verified, names against DNS names and addresses against IP addresses, unless
/// [`danger_accept_invalid_certs`](Self::danger_accept_invalid_certs) says otherwise. Whether one
/// was revoked is not asked: neither by OCSP nor by lists, whatever the certificate demands. A
/// [`client_config`](Self::client_config) with lists of its own can.
///
/// Sessions with equal settings share one TLS configuration, whatever thread or pool they are in,
/// so that a TLS session that one thread opened is resumed by the others. Sessions with different
/// settings share nothing.
///
/// # Examples
///
/// ```
/// use fetchpool::SessionConfig;
///
/// let mut config = SessionConfig::new();
/// // The company's own root, and nobody else's.
/// config.tls.root_pem_file("/etc/ssl/company.pem").webpki_roots(false);
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct TlsConfig {
    pub(super) webpki_roots: bool,
    pub(super) roots: Vec<Roots>,
    pub(super) accept_invalid: bool,
    pub(super) custom: Option<SameConfig>,
}

#[derive(Clone, PartialEq, Eq)]
pub(super) enum Roots {
    Pem {
        /// What they are called in an error.
        name: String,
        text: Arc<Vec<u8>>,
    },
    /// To be read.
    File(PathBuf),
}

/// Equal if it is the same object: what a `ClientConfig` does cannot be compared.
#[derive(Clone)]
pub(super) struct SameConfig(pub(super) Arc<ClientConfig>);

impl PartialEq for SameConfig {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for SameConfig {}

impl TlsConfig {
    /// The roots of Mozilla, certificates verified.
    #[must_use]
    pub const fn new() -> Self {
        Self { webpki_roots: true, roots: Vec::new(), accept_invalid: false, custom: None }
    }

    /// Trusts the certificates in this PEM text as well.
    pub fn add_root_pem(&mut self, pem: impl Into<Vec<u8>>) -> &mut Self {
        let (name, text) = ("the given PEM text".to_owned(), Arc::new(pem.into()));
        self.roots.push(Roots::Pem { name, text });
        self
    }

    /// Trusts the certificates in this PEM file as well. The file is read when a session is made;
    /// one that cannot be read, or holds no certificate, is an error of kind
    /// [`Tls`](crate::ErrorKind::Tls) then.
    pub fn root_pem_file(&mut self, path: impl AsRef<Path>) -> &mut Self {
        self.roots.push(Roots::File(path.as_ref().to_owned()));
        self
    }

    /// Whether the roots of Mozilla are trusted: they are, unless this says `false`.
    pub const fn webpki_roots(&mut self, trusted: bool) -> &mut Self {
        self.webpki_roots = trusted;
        self
    }

    /// Uses this configuration as it is; the other settings here then have no effect.
    pub fn client_config(&mut self, config: Arc<ClientConfig>) -> &mut Self {
        self.custom = Some(SameConfig(config));
        self
    }

    /// Accepts any certificate of any server: expired, for another name, or made up by whoever
    /// sits in between. Danger: what is sent and what comes back may be read and changed by
    /// anybody on the way. Off by default; for tests.
    pub const fn danger_accept_invalid_certs(&mut self, accept: bool) -> &mut Self {
        self.accept_invalid = accept;
        self
    }
}

impl TlsConfig {
    /// The same settings with every file read, so that settings are equal only if what they trust
    /// is: a root that was taken out of its file is not trusted by a session made after that.
    pub(super) fn read(&self) -> Result<Self, Error> {
        let mut read = self.clone();
        for roots in &mut read.roots {
            if let Roots::File(path) = roots {
                let name = format!("the file {}", path.display());
                match std::fs::read(path) {
                    Ok(text) => *roots = Roots::Pem { name, text: Arc::new(text) },
                    Err(error) => return Err(fault(format!("{name} cannot be read"), error)),
                }
            }
        }
        Ok(read)
    }
}

impl Default for TlsConfig {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for TlsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsConfig")
            .field("webpki_roots", &self.webpki_roots)
            .field("own_roots", &self.roots.len())
            .field("danger_accept_invalid_certs", &self.accept_invalid)
            .field("own_client_config", &self.custom.is_some())
            .finish()
    }
}
