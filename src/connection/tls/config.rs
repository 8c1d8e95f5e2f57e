//! Whom to trust, who we are, and which TLS is spoken: the settings.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rustls::ClientConfig;

use super::fault::bad;
use super::identity::Identity;
use super::pem::Pem;
use super::pins::Pin;
use crate::error::Error;
use crate::message::{Origin, TlsVersion};

/// Whom to trust over `https`, who the session is itself, and which versions are spoken.
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
/// Settings that cannot be used, such as a file that is not there or a key that belongs to another
/// certificate, are an error of kind [`Tls`](crate::ErrorKind::Tls) when a session is made.
///
/// # Examples
///
/// ```
/// use fetchpool::{SessionConfig, TlsVersion};
///
/// let mut config = SessionConfig::new();
/// config
///     .tls
///     // The company's own root, and nobody else's.
///     .root_pem_file("/etc/ssl/company.pem")
///     .webpki_roots(false)
///     .client_cert_files("/etc/ssl/me.pem", "/etc/ssl/me.key")
///     .client_cert_for_origin("https://intranet.example.com")
///     .min_version(TlsVersion::Tls13);
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct TlsConfig {
    pub(super) webpki_roots: bool,
    pub(super) roots: Vec<Roots>,
    pub(super) accept_invalid: bool,
    pub(super) pins: Vec<Pin>,
    pub(super) identity: Option<Identity>,
    /// Where the certificate may be shown; everywhere if none is named.
    pub(super) identity_origins: Vec<Origin>,
    pub(super) min_version: TlsVersion,
    pub(super) max_version: TlsVersion,
    pub(super) key_log: bool,
    pub(super) custom: Option<SameConfig>,
    /// The first setting that could not be taken.
    fault: Option<String>,
}

#[derive(Clone, PartialEq, Eq)]
pub(super) enum Roots {
    Pem(Pem),
    Der(Arc<[u8]>),
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
    /// The roots of Mozilla, certificates verified, TLS 1.2 and 1.3.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            webpki_roots: true,
            roots: Vec::new(),
            accept_invalid: false,
            pins: Vec::new(),
            identity: None,
            identity_origins: Vec::new(),
            min_version: TlsVersion::Tls12,
            max_version: TlsVersion::Tls13,
            key_log: false,
            custom: None,
            fault: None,
        }
    }

    /// Trusts the certificates in this PEM text as well.
    pub fn add_root_pem(&mut self, pem: impl Into<Vec<u8>>) -> &mut Self {
        self.roots.push(Roots::Pem(Pem::text("the given PEM text", pem)));
        self
    }

    /// Trusts this certificate, in DER, as well.
    pub fn add_root_der(&mut self, der: impl Into<Vec<u8>>) -> &mut Self {
        self.roots.push(Roots::Der(der.into().into()));
        self
    }

    /// Trusts the certificates in this PEM file as well. The file is read when a session is made;
    /// one that cannot be read, or holds no certificate, is an error of kind
    /// [`Tls`](crate::ErrorKind::Tls) then.
    pub fn root_pem_file(&mut self, path: impl AsRef<Path>) -> &mut Self {
        self.roots.push(Roots::Pem(Pem::File(path.as_ref().to_owned())));
        self
    }

    /// Whether the roots of Mozilla are trusted: they are, unless this says `false`.
    pub const fn webpki_roots(&mut self, trusted: bool) -> &mut Self {
        self.webpki_roots = trusted;
        self
    }

    /// Demands that the server of this host has one of the keys that are pinned for it; may be
    /// repeated, for another key of the same host or for other hosts. Hosts without a pin are not
    /// affected, and the names under a host are other hosts. Default: no pins.
    ///
    /// A pin is the SHA-256 of the public key (`SubjectPublicKeyInfo`) of the server's own
    /// certificate, in base64, with or without `sha256//` before it, as curl's `--pinnedpubkey` has
    /// it. Keys of authorities cannot be pinned. It is asked for beside everything else that is
    /// verified, and also where
    /// [`danger_accept_invalid_certs`](Self::danger_accept_invalid_certs) is on: together the two
    /// trust one key, whoever vouches for it, and nothing else. The error for another key tells
    /// the pin of that one.
    ///
    /// Danger: a host that changes its key is out of reach until the pins change. Pin the next key
    /// as well.
    ///
    /// # Examples
    ///
    /// ```
    /// use fetchpool::TlsConfig;
    ///
    /// let mut tls = TlsConfig::new();
    /// tls.pin_sha256("example.com", "sha256//YLh1dUR9y6Kja30RrAn7JKnbQG/uEtLMkBgFF2Fuihg=");
    /// ```
    #[doc(alias = "pinnedpubkey")]
    pub fn pin_sha256(&mut self, host: impl Into<String>, pin: impl Into<String>) -> &mut Self {
        self.pins.push(Pin { host: host.into(), key: pin.into() });
        self
    }

    /// Shows this certificate to servers that ask for one, and proves by its key that it is ours.
    ///
    /// Both are PEM; one text may hold both, and is then given twice. The certificate is the first
    /// one, and those behind it are sent along. The key is PKCS#8, PKCS#1 or SEC1; encrypted keys
    /// are not read. A key that belongs to another certificate is an error of kind
    /// [`Tls`](crate::ErrorKind::Tls) when a session is made. Default: none.
    ///
    /// It goes to the server of each job's URL, wherever that is, unless it is bound by
    /// [`client_cert_for_origin`](Self::client_cert_for_origin). As other credentials it does not
    /// follow a redirect to another origin, and it is not shown to a proxy.
    ///
    /// Danger: whom it is shown to learns who you are, and with TLS 1.2 everybody on the way does,
    /// since it goes in the clear.
    #[doc(alias = "identity")]
    pub fn client_cert_pem(
        &mut self,
        certificate: impl Into<Vec<u8>>,
        key: impl Into<Vec<u8>>,
    ) -> &mut Self {
        self.identity = Some(Identity::pem(certificate, key));
        self
    }

    /// The same from two files, or from one that holds both and is given twice. They are read when
    /// a session is made: one made after they have changed shows the new certificate.
    pub fn client_cert_files(
        &mut self,
        certificate: impl AsRef<Path>,
        key: impl AsRef<Path>,
    ) -> &mut Self {
        self.identity = Some(Identity::files(certificate.as_ref(), key.as_ref()));
        self
    }

    /// Binds the client certificate to the origin (scheme, host and port) of this URL; may be
    /// repeated for more than one. A URL that cannot be read is an error of kind
    /// [`Tls`](crate::ErrorKind::Tls) when a session is made.
    pub fn client_cert_for_origin(&mut self, url: impl AsRef<str>) -> &mut Self {
        match Origin::parse(url.as_ref()) {
            Ok(origin) => self.identity_origins.push(origin),
            Err(error) => {
                let fault = || format!("the origin of the client certificate {error}");
                self.fault.get_or_insert_with(fault);
            }
        }
        self
    }

    /// The least version of TLS that is spoken. Default: 1.2; there is no older one.
    pub const fn min_version(&mut self, version: TlsVersion) -> &mut Self {
        self.min_version = version;
        self
    }

    /// The greatest version of TLS that is spoken. Default: 1.3.
    pub const fn max_version(&mut self, version: TlsVersion) -> &mut Self {
        self.max_version = version;
        self
    }

    /// Whether the secrets of each connection are appended to the file that the environment
    /// variable `SSLKEYLOGFILE` names, if it is set when the session is made, for Wireshark and
    /// the like. If the file cannot be written, nothing is. Default: no, whatever the variable
    /// says.
    ///
    /// Danger: who has that file and what went over the wire can read everything.
    #[doc(alias = "SSLKEYLOGFILE")]
    pub const fn key_log_from_env(&mut self, write: bool) -> &mut Self {
        self.key_log = write;
        self
    }

    /// Uses this configuration as it is. The other settings here then have no effect: neither
    /// roots and pins nor the client certificate, where it may go, the versions and the key log.
    /// What it shows to servers is its own affair, also over redirects.
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
    /// What of them holds for a proxy that has no settings of its own: its roots. What the settings
    /// say of a target (a certificate of ours for it, say) is no business of a proxy's.
    pub(super) fn for_proxies(&self) -> Self {
        Self { webpki_roots: self.webpki_roots, roots: self.roots.clone(), ..Self::new() }
    }

    /// The same settings with every file read, so that settings are equal only if what they trust
    /// is: a root that was taken out of its file is not trusted by a session made after that.
    pub(super) fn read(&self) -> Result<Self, Error> {
        if let Some(custom) = &self.custom {
            return Ok(Self { custom: Some(custom.clone()), ..Self::new() });
        }
        if let Some(fault) = &self.fault {
            return Err(bad(fault.clone()));
        }
        let mut read = self.clone();
        for roots in &mut read.roots {
            if let Roots::Pem(pem) = roots {
                *pem = pem.read()?;
            }
        }
        if let Some(identity) = &mut read.identity {
            *identity = identity.read()?;
        }
        Ok(read)
    }

    /// Whether there is something in it that may turn out to be wrong, or different later.
    pub(super) fn must_be_tried(&self) -> bool {
        !self.roots.is_empty()
            || !self.pins.is_empty()
            || self.identity.is_some()
            || self.key_log
            || self.min_version > self.max_version
    }

    /// The versions that are spoken, if it is for these settings to say.
    pub(super) fn versions(&self) -> Option<(TlsVersion, TlsVersion)> {
        self.custom.is_none().then_some((self.min_version, self.max_version))
    }
}

impl Default for TlsConfig {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for TlsConfig {
    /// Neither certificates nor keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsConfig")
            .field("webpki_roots", &self.webpki_roots)
            .field("own_roots", &self.roots.len())
            .field("pins", &self.pins.len())
            .field("client_cert", &self.identity.is_some())
            .field("client_cert_origins", &self.identity_origins)
            .field("min_version", &self.min_version)
            .field("max_version", &self.max_version)
            .field("key_log_from_env", &self.key_log)
            .field("danger_accept_invalid_certs", &self.accept_invalid)
            .field("own_client_config", &self.custom.is_some())
            .finish()
    }
}
