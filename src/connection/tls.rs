//! TLS by `rustls`. The only module that names `rustls` and `webpki-roots`.

use std::fmt;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore, SignatureScheme,
};

use super::Patience;
use super::stream::Socket;
use crate::error::{Error, ErrorKind, Phase};
use crate::message::{Host, Target};

/// Whom to trust over `https`.
///
/// By default the roots of Mozilla, compiled in through `webpki-roots`. Certificates are always
/// verified, names against DNS names and addresses against IP addresses, unless
/// [`danger_accept_invalid_certs`](Self::danger_accept_invalid_certs) says otherwise.
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
    webpki_roots: bool,
    roots: Vec<Roots>,
    accept_invalid: bool,
    custom: Option<SameConfig>,
}

#[derive(Clone, PartialEq, Eq)]
enum Roots {
    Pem(Arc<Vec<u8>>),
    File(PathBuf),
}

/// Equal if it is the same object: what a `ClientConfig` does cannot be compared.
#[derive(Clone)]
struct SameConfig(Arc<ClientConfig>);

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
        self.roots.push(Roots::Pem(Arc::new(pem.into())));
        self
    }

    /// Trusts the certificates in this PEM file as well. The file is read when a session is made;
    /// one that cannot be read, or holds no certificate, is an error of kind
    /// [`Tls`](ErrorKind::Tls) then.
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

/// A session's way into TLS. The configuration is built at the first use of `https`, since most
/// of its cost would be wasted on a session that never does.
#[derive(Debug)]
pub(crate) struct TlsContext {
    settings: TlsConfig,
    built: Option<Arc<ClientConfig>>,
}

impl TlsContext {
    /// The way of a session with the default settings, among which nothing can be wrong.
    pub(crate) const fn untouched() -> Self {
        Self { settings: TlsConfig::new(), built: None }
    }

    /// Checks the settings that can be wrong; files are read here.
    pub(crate) fn new(settings: &TlsConfig) -> Result<Self, Error> {
        let mut context = Self { settings: settings.clone(), built: None };
        if !settings.roots.is_empty() {
            context.built = Some(shared(settings)?);
        }
        Ok(context)
    }

    /// Shakes hands. The name that is verified is the host of the target, and nothing else.
    pub(super) fn connect(
        &mut self,
        socket: Socket,
        target: &Target,
        patience: &Patience<'_>,
    ) -> Result<TlsStream, Error> {
        let config = match &self.built {
            Some(config) => Arc::clone(config),
            None => Arc::clone(self.built.insert(shared(&self.settings)?)),
        };
        let name = server_name(target)?;
        let connection =
            ClientConnection::new(config, name).map_err(|error| fault("no TLS client", error))?;
        let mut stream = TlsStream { connection, socket };
        match stream.handshake(patience) {
            Ok(()) => Ok(stream),
            Err(error) => {
                let detail = format!("no handshake with {}", target.host_str());
                Err(patience.error(error, Phase::Tls, ErrorKind::Tls, detail))
            }
        }
    }
}

fn server_name(target: &Target) -> Result<ServerName<'static>, Error> {
    match target.host() {
        Host::Ip(ip) => Ok(ServerName::IpAddress(ip.into())),
        // The name in the certificate and in SNI has no final dot (RFC 6066 §3).
        Host::Name(name) => {
            let name = name.strip_suffix('.').unwrap_or(name).to_owned();
            ServerName::try_from(name).map_err(|error| fault("the host is no DNS name", error))
        }
    }
}

/// A TLS connection over a socket.
pub(super) struct TlsStream {
    connection: ClientConnection,
    socket: Socket,
}

impl TlsStream {
    pub(super) const fn socket(&self) -> &Socket {
        &self.socket
    }

    fn handshake(&mut self, patience: &Patience<'_>) -> io::Result<()> {
        while self.connection.is_handshaking() {
            self.flush(patience)?;
            if self.connection.is_handshaking() {
                self.receive(patience)?;
            }
        }
        self.flush(patience)
    }

    pub(super) fn read(&mut self, into: &mut [u8], patience: &Patience<'_>) -> io::Result<usize> {
        loop {
            match self.connection.reader().read(into) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // Also `UnexpectedEof`, where the peer closed without saying so by TLS: the end
                // of a body that ends with the connection could then be somebody else's doing.
                other => return other,
            }
            self.flush(patience)?;
            self.receive(patience)?;
        }
    }

    pub(super) fn write_all(&mut self, bytes: &[u8], patience: &Patience<'_>) -> io::Result<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            // Takes as much as its buffer has room for.
            let taken = self.connection.writer().write(rest)?;
            rest = rest.get(taken..).unwrap_or_default();
            self.flush(patience)?;
        }
        Ok(())
    }

    /// Reads what came while the connection was idle, without waiting. Session tickets may; data,
    /// an alert or a close may not.
    pub(super) fn is_quiet(&mut self) -> bool {
        loop {
            match self.connection.read_tls(&mut WithoutWaiting(&self.socket)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return true,
                Ok(0) | Err(_) => return false,
                Ok(_) => match self.connection.process_new_packets() {
                    Ok(state)
                        if state.plaintext_bytes_to_read() == 0 && !state.peer_has_closed() => {}
                    _ => return false,
                },
            }
        }
    }

    /// Waits for records and takes them in. An end of file is told by the reader afterwards.
    fn receive(&mut self, patience: &Patience<'_>) -> io::Result<()> {
        let read = self.connection.read_tls(&mut Timed { socket: &mut self.socket, patience })?;
        match self.connection.process_new_packets() {
            Ok(_) if read == 0 && self.connection.is_handshaking() => {
                Err(io::ErrorKind::UnexpectedEof.into())
            }
            Ok(_) => Ok(()),
            Err(error) => {
                // The alert that tells the peer why; it may have gone already.
                let _ = self.flush(patience);
                Err(io::Error::new(io::ErrorKind::InvalidData, error))
            }
        }
    }

    fn flush(&mut self, patience: &Patience<'_>) -> io::Result<()> {
        while self.connection.wants_write() {
            self.connection.write_tls(&mut Timed { socket: &mut self.socket, patience })?;
        }
        Ok(())
    }
}

/// Lends the socket to `rustls` for one call, with the deadline of the request.
struct Timed<'a> {
    socket: &'a mut Socket,
    patience: &'a Patience<'a>,
}

impl Read for Timed<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.socket.read(into, self.patience)
    }
}

impl Write for Timed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.write(bytes, self.patience)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct WithoutWaiting<'a>(&'a Socket);

impl Read for WithoutWaiting<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(into)
    }
}

/// Whether an error of a socket is one of TLS: a bad certificate, a bad record, an alert.
pub(super) fn is_tls_error(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|source| source.is::<rustls::Error>())
}

/// The configuration for these settings: the one that is in use already, if there is one.
fn shared(settings: &TlsConfig) -> Result<Arc<ClientConfig>, Error> {
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
            .with_custom_certificate_verifier(Arc::new(AcceptAny(provider)))
            .with_no_client_auth()
    } else {
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::new(root_store(settings)?), provider)
                .build()
                .map_err(|error| fault("there is no root certificate to trust", error))?;
        builder.with_webpki_verifier(verifier).with_no_client_auth()
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
        let (pem, name) = match roots {
            Roots::Pem(pem) => (Arc::clone(pem), "the given PEM text".into()),
            Roots::File(path) => {
                let name = format!("the file {}", path.display());
                match std::fs::read(path) {
                    Ok(pem) => (Arc::new(pem), name),
                    Err(error) => return Err(fault(format!("{name} cannot be read"), error)),
                }
            }
        };
        let before = store.len();
        for certificate in CertificateDer::pem_slice_iter(&pem) {
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

fn fault(
    detail: impl Into<std::borrow::Cow<'static, str>>,
    source: impl std::error::Error + Send + Sync + 'static,
) -> Error {
    Error::new(ErrorKind::Tls, detail).during(Phase::Setup).because(source)
}

/// Takes any certificate. Signatures are still checked, so that the peer at least holds the key
/// of the certificate that it shows.
#[derive(Debug)]
struct AcceptAny(Arc<CryptoProvider>);

impl ServerCertVerifier for AcceptAny {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// TLS sessions remembered for resumption. `rustls` counts eight to a server, so this is 256
/// servers; its own default is 32, which a list of 50 origins keeps overflowing.
const TICKETS: usize = 2048;
