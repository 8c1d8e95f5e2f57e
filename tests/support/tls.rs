//! A test CA, and a small HTTP server over TLS that counts its handshakes.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{NoClientAuth, WebPkiClientVerifier};
use rustls::{
    HandshakeKind, RootCertStore, ServerConfig, ServerConnection, StreamOwned,
    SupportedProtocolVersion,
};

use super::script::{Gate, PATIENCE, Recorded, end_of_head, end_of_request};

/// Gives the client a provider where no feature brings one.
pub(crate) fn install_provider() {
    #[cfg(not(any(feature = "tls", feature = "aws-lc-rs")))]
    {
        // Another test of this process may have been first.
        let _ = ring::default_provider().install_default();
    }
}

/// A certificate authority of one test: no other test's settings are equal to those that trust it.
pub(crate) struct Ca(CertifiedIssuer<'static, KeyPair>);

impl Ca {
    /// A new one.
    pub(crate) fn new() -> Self {
        Self::called("fetchpool test CA")
    }

    /// The same, by another name.
    pub(crate) fn called(name: &str) -> Self {
        install_provider();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(params, key).expect("a certificate"))
    }

    /// Its certificate.
    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// Its certificate.
    pub(crate) fn der(&self) -> CertificateDer<'static> {
        self.0.der().clone()
    }

    /// Good for `localhost` and for 127.0.0.1.
    pub(crate) fn good(&self) -> Identity {
        self.identity(params(&["localhost", "127.0.0.1"]))
    }

    /// Good for `localhost` only.
    pub(crate) fn without_address(&self) -> Identity {
        self.identity(params(&["localhost"]))
    }

    /// Good for 127.0.0.1 only.
    pub(crate) fn without_name(&self) -> Identity {
        self.identity(params(&["127.0.0.1"]))
    }

    /// Good for a host that nobody asks for.
    pub(crate) fn wrong_name(&self) -> Identity {
        self.identity(params(&["elsewhere.test"]))
    }

    /// Good for the right names, in the past.
    pub(crate) fn expired(&self) -> Identity {
        let mut params = params(&["localhost", "127.0.0.1"]);
        params.not_before = rcgen::date_time_ymd(2001, 1, 1);
        params.not_after = rcgen::date_time_ymd(2002, 1, 1);
        self.identity(params)
    }

    /// Good for the right names, in the future.
    pub(crate) fn not_yet_valid(&self) -> Identity {
        let mut params = params(&["localhost", "127.0.0.1"]);
        params.not_before = rcgen::date_time_ymd(3001, 1, 1);
        params.not_after = rcgen::date_time_ymd(3002, 1, 1);
        self.identity(params)
    }

    /// Good for these names and addresses, but for what is changed.
    pub(crate) fn issue(
        &self,
        names: &[&str],
        change: impl FnOnce(&mut CertificateParams),
    ) -> Identity {
        let mut params = params(names);
        change(&mut params);
        self.identity(params)
    }

    /// Another authority, which this one vouches for.
    pub(crate) fn vouched_for(&self, change: impl FnOnce(&mut CertificateParams)) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "fetchpool test CA in between");
        change(&mut params);
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::signed_by(params, key, &self.0).expect("a certificate"))
    }

    /// Good for the right names, with this key.
    pub(crate) fn good_for(&self, key: &KeyPair) -> Identity {
        self.certify(params(&["localhost", "127.0.0.1"]), key)
    }

    fn identity(&self, params: CertificateParams) -> Identity {
        self.certify(params, &KeyPair::generate().expect("a key"))
    }

    fn certify(&self, params: CertificateParams, key: &KeyPair) -> Identity {
        let certificate = params.signed_by(key, &self.0).expect("a certificate");
        Identity::new(certificate.der().clone(), key)
    }
}

/// What a server shows, and its key.
pub(crate) struct Identity {
    /// Its own, and those above it.
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Identity {
    /// Good for the right names, and vouched for by itself alone.
    pub(crate) fn self_signed() -> Self {
        Self::self_signed_but(|_| {})
    }

    /// The same, but for what is changed.
    pub(crate) fn self_signed_but(change: impl FnOnce(&mut CertificateParams)) -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = params(&["localhost", "127.0.0.1"]);
        change(&mut params);
        let certificate = params.self_signed(&key).expect("a certificate");
        Self::new(certificate.der().clone(), &key)
    }

    /// Its certificates as PEM text, its own first.
    pub(crate) fn chain_pem(&self) -> String {
        self.chain.iter().map(|der| pem("CERTIFICATE", der)).collect()
    }

    /// Its key as PEM text: PKCS#8.
    pub(crate) fn key_pem(&self) -> String {
        pem("PRIVATE KEY", self.key.secret_der())
    }

    /// Its key: PKCS#8.
    pub(crate) fn key_der(&self) -> &[u8] {
        self.key.secret_der()
    }

    /// Its own certificate.
    pub(crate) fn der(&self) -> &CertificateDer<'static> {
        &self.chain[0]
    }

    /// A server's settings that show it.
    pub(crate) fn server_config(self) -> Arc<ServerConfig> {
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(rustls::ALL_VERSIONS)
            .expect("versions that ring has")
            .with_no_client_auth()
            .with_single_cert(self.chain, self.key)
            .expect("a key for its certificate");
        Arc::new(config)
    }

    /// Shows this authority's certificate too.
    pub(crate) fn with(mut self, ca: &Ca) -> Self {
        self.chain.push(ca.der());
        self
    }

    fn new(certificate: CertificateDer<'static>, key: &KeyPair) -> Self {
        Self { chain: vec![certificate], key: PrivatePkcs8KeyDer::from(key.serialize_der()).into() }
    }
}

/// PEM text (RFC 7468).
pub(crate) fn pem(label: &str, der: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = format!("-----BEGIN {label}-----\n");
    for line in der.chunks(48) {
        for three in line.chunks(3) {
            let byte = |n: usize| u32::from(three.get(n).copied().unwrap_or(0));
            let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
            let digit = |n: usize| char::from(DIGITS[(bits >> (18 - 6 * n) & 63) as usize]);
            text.extend((0..4).map(|n| if n <= three.len() { digit(n) } else { '=' }));
        }
        text.push('\n');
    }
    text + &format!("-----END {label}-----\n")
}

fn params(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    CertificateParams::new(names).expect("names")
}

/// What a server does with a request.
pub(crate) struct Answer {
    /// What it sends.
    pub(crate) bytes: Vec<u8>,
    /// What it does then.
    pub(crate) then: Then,
}

/// What a server does when it has answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// Waits for the next request.
    Keep,
    /// Says that it closes, and closes.
    Notify,
    /// Closes without a word, as somebody who cuts the connection would.
    Cut,
    /// Keeps silent until the client goes.
    Silence,
    /// Sends these bytes past TLS, and is silent then.
    Break(&'static [u8]),
    /// Changes its keys, and tells so, until the client goes.
    Rekey,
}

impl Then {
    /// Sends these bytes, and then does this.
    pub(crate) fn after(self, bytes: impl AsRef<[u8]>) -> Answer {
        Answer { bytes: bytes.as_ref().to_vec(), then: self }
    }
}

/// A running server. Every wait ends after [`PATIENCE`]; dropping it ends and joins everything.
pub(crate) struct TlsServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

impl TlsServer {
    /// Answers every request with `200 OK` and the request target, and keeps the connection.
    pub(crate) fn start(identity: Identity) -> Self {
        Self::answering(identity, |request| Then::Keep.after(super::script::ok(request.target())))
    }

    /// The same, listening at this address.
    pub(crate) fn start_at(ip: IpAddr, identity: Identity) -> Self {
        let listener = TcpListener::bind((ip, 0)).expect("a port on loopback");
        Self::on(listener, identity, rustls::ALL_VERSIONS, Manner::default(), |request| {
            Then::Keep.after(super::script::ok(request.target()))
        })
    }

    /// Answers every request by a function.
    pub(crate) fn answering(
        identity: Identity,
        answer: impl Fn(&Recorded) -> Answer + Send + Sync + 'static,
    ) -> Self {
        Self::with(identity, rustls::ALL_VERSIONS, Manner::default(), answer)
    }

    /// The same, with these versions of TLS.
    pub(crate) fn of_versions(
        identity: Identity,
        versions: &[&'static SupportedProtocolVersion],
        answer: impl Fn(&Recorded) -> Answer + Send + Sync + 'static,
    ) -> Self {
        Self::with(identity, versions, Manner::default(), answer)
    }

    /// Answers like [`start`](Self::start), but goes when it has sent this many bytes, of the
    /// handshake or of what follows, or is silent from then on.
    pub(crate) fn cut_after(
        identity: Identity,
        version: &'static SupportedProtocolVersion,
        bytes: usize,
        then: Then,
    ) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port on loopback");
        let ok = |_: &Recorded| Then::Keep.after(super::script::ok("ok"));
        let manner = Manner { cut: Some((bytes, then)), ..Manner::default() };
        Self::on(listener, identity, &[version], manner, ok)
    }

    /// Answers as soon as the head of a request is there, and never reads the rest.
    pub(crate) fn answering_early(
        identity: Identity,
        answer: impl Fn(&Recorded) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let manner = Manner { body: Body::Ignore, ..Manner::default() };
        Self::with(identity, rustls::ALL_VERSIONS, manner, answer)
    }

    /// Sends so many session tickets and these bytes as soon as a handshake is complete, and then
    /// opens the gate.
    pub(crate) fn speaking_first(
        identity: Identity,
        tickets: usize,
        bytes: &'static str,
        sent: &Gate,
    ) -> Self {
        let greeting = Some(Greeting { tickets, bytes, sent: sent.clone() });
        let manner = Manner { greeting, ..Manner::default() };
        Self::with(identity, rustls::ALL_VERSIONS, manner, |_| Then::Cut.after(""))
    }

    /// Answers like [`start`](Self::start), of these versions, and asks for a certificate of this
    /// authority.
    pub(crate) fn asking(
        identity: Identity,
        versions: &[&'static SupportedProtocolVersion],
        clients: &Ca,
        demand: Demand,
        answer: impl Fn(&Recorded) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let manner = Manner { clients: Some((clients.der(), demand)), ..Manner::default() };
        Self::with(identity, versions, manner, answer)
    }

    fn with(
        identity: Identity,
        versions: &[&'static SupportedProtocolVersion],
        manner: Manner,
        answer: impl Fn(&Recorded) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port on loopback");
        Self::on(listener, identity, versions, manner, answer)
    }

    fn on(
        listener: TcpListener,
        identity: Identity,
        versions: &[&'static SupportedProtocolVersion],
        manner: Manner,
        answer: impl Fn(&Recorded) -> Answer + Send + Sync + 'static,
    ) -> Self {
        // Named, since the tree may hold a second provider.
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)
            .expect("versions that ring has")
            .with_client_cert_verifier(match &manner.clients {
                None => Arc::new(NoClientAuth),
                Some((ca, demand)) => demand.verifier(ca.clone()),
            })
            .with_single_cert(identity.chain, identity.key)
            .expect("a key for its certificate");
        if let Some(greeting) = &manner.greeting {
            config.send_tls13_tickets = greeting.tickets;
        }
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared::default());
        let acceptor = thread::spawn({
            let shared = Arc::clone(&shared);
            let peer = Peer { config: Arc::new(config), manner, answer: Box::new(answer) };
            move || accept_all(&listener, &Arc::new(peer), &shared)
        });
        Self { address, shared, acceptor: Some(acceptor) }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of a path, with the address as its host.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.address)
    }

    /// The URL of a path, with `localhost` as its host.
    pub(crate) fn named_url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.address.port())
    }

    /// How many TCP connections were accepted.
    pub(crate) fn connections(&self) -> usize {
        self.shared.lock().streams.len()
    }

    /// How many handshakes began from nothing.
    pub(crate) fn full(&self) -> usize {
        self.shared.lock().full
    }

    /// How many handshakes resumed a session.
    pub(crate) fn resumed(&self) -> usize {
        self.shared.lock().resumed
    }

    /// Every request so far.
    pub(crate) fn requests(&self) -> Vec<Recorded> {
        self.shared.lock().requests.clone()
    }

    /// How many bytes were sent over each connection that is over.
    pub(crate) fn sent(&self) -> Vec<usize> {
        self.shared.lock().sent.clone()
    }

    /// The name that each finished handshake asked for.
    pub(crate) fn names(&self) -> Vec<Option<String>> {
        self.shared.lock().names.clone()
    }

    /// The certificate that the client of each finished handshake showed.
    pub(crate) fn clients(&self) -> Vec<Option<CertificateDer<'static>>> {
        self.shared.lock().clients.clone()
    }

    /// Whether every connection is over on this side, waiting a while for it.
    pub(crate) fn is_idle(&self) -> bool {
        let idle = |state: &mut State| state.streams.iter().any(Option::is_some);
        let waited = self.shared.changed.wait_timeout_while(self.shared.lock(), PATIENCE, idle);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.streams.iter().all(Option::is_none)
    }
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.stopped = true;
        for stream in state.streams.iter().flatten() {
            // The client may have gone first.
            let _ = stream.shutdown(Shutdown::Both);
        }
        drop(state);
        self.shared.changed.notify_all();
        // Wakes the acceptor; when this fails it is awake already.
        let _ = TcpStream::connect(self.address);
        if let Some(acceptor) = self.acceptor.take() {
            // A panic of a connection's thread has been printed, and the test sees its effect.
            let _ = acceptor.join();
        }
    }
}

/// How a server is out of the ordinary.
#[derive(Default)]
struct Manner {
    body: Body,
    /// After how many bytes it stops, and how.
    cut: Option<(usize, Then)>,
    greeting: Option<Greeting>,
    /// Whose clients may come in.
    clients: Option<(CertificateDer<'static>, Demand)>,
}

/// Whether a client without a certificate may come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Demand {
    Never,
    Always,
}

impl Demand {
    fn verifier(
        self,
        ca: CertificateDer<'static>,
    ) -> Arc<dyn rustls::server::danger::ClientCertVerifier> {
        let mut roots = RootCertStore::empty();
        roots.add(ca).expect("a root");
        let provider = Arc::new(ring::default_provider());
        let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        let builder = match self {
            Self::Never => builder.allow_unauthenticated(),
            Self::Always => builder,
        };
        builder.build().expect("a verifier")
    }
}

/// What is sent before anything is asked.
struct Greeting {
    tickets: usize,
    bytes: &'static str,
    sent: Gate,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Body {
    #[default]
    Read,
    Ignore,
}

struct Peer {
    config: Arc<ServerConfig>,
    manner: Manner,
    answer: Box<dyn Fn(&Recorded) -> Answer + Send + Sync>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    full: usize,
    resumed: usize,
    names: Vec<Option<String>>,
    clients: Vec<Option<CertificateDer<'static>>>,
    requests: Vec<Recorded>,
    sent: Vec<usize>,
    /// A second handle on each connection, until it is over.
    streams: Vec<Option<TcpStream>>,
    stopped: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn accept_all(listener: &TcpListener, peer: &Arc<Peer>, shared: &Arc<Shared>) {
    let mut threads = Vec::new();
    for stream in listener.incoming() {
        let Ok(stream) = stream else { break };
        let mut state = shared.lock();
        if state.stopped {
            break;
        }
        let number = state.streams.len();
        state.streams.push(stream.try_clone().ok());
        drop(state);
        threads.push(thread::spawn({
            let (peer, shared) = (Arc::clone(peer), Arc::clone(shared));
            move || {
                // An error is a client that went or would not have us: the test sees its effect.
                let _ = peer.serve(stream, number, &shared);
                shared.lock().streams[number] = None;
                shared.changed.notify_all();
            }
        }));
    }
    for thread in threads {
        // As in `TlsServer::drop`.
        let _ = thread.join();
    }
}

/// A socket that takes no more than this to be sent.
struct Wire {
    socket: TcpStream,
    left: usize,
    sent: usize,
}

impl io::Read for Wire {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.socket.read(into)
    }
}

impl io::Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = &bytes[..bytes.len().min(self.left)];
        if taken.is_empty() {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let written = self.socket.write(taken)?;
        self.left -= written;
        self.sent += written;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Peer {
    fn serve(&self, socket: TcpStream, number: usize, shared: &Shared) -> io::Result<()> {
        let left = self.manner.cut.map_or(usize::MAX, |(bytes, _)| bytes);
        let mut wire = Wire { socket, left, sent: 0 };
        let served = self.talk(&mut wire, number, shared);
        shared.lock().sent.push(wire.sent);
        if wire.left == 0 && self.manner.cut.is_some_and(|(_, then)| then == Then::Silence) {
            return io::copy(&mut wire.socket, &mut io::sink()).map(drop);
        }
        served
    }

    fn talk(&self, wire: &mut Wire, number: usize, shared: &Shared) -> io::Result<()> {
        let socket = &wire.socket;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.set_write_timeout(Some(PATIENCE))?;
        socket.set_nodelay(true)?;
        let connection =
            ServerConnection::new(Arc::clone(&self.config)).map_err(io::Error::other)?;
        let mut stream = StreamOwned::new(connection, wire);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        {
            let mut state = shared.lock();
            match stream.conn.handshake_kind() {
                Some(HandshakeKind::Resumed) => state.resumed += 1,
                Some(_) => state.full += 1,
                None => {}
            }
            let shown = stream.conn.peer_certificates().unwrap_or_default();
            state.clients.push(shown.first().cloned());
            state.names.push(stream.conn.server_name().map(str::to_owned));
        }
        if let Some(Greeting { bytes, sent, .. }) = &self.manner.greeting {
            stream.write_all(bytes.as_bytes())?;
            stream.flush()?;
            sent.open();
        }
        let mut stream = BufReader::new(stream);
        loop {
            let request = Recorded { connection: number, raw: self.request(&mut stream)? };
            shared.lock().requests.push(request.clone());
            let Answer { bytes, then } = (self.answer)(&request);
            let tls = stream.get_mut();
            tls.write_all(&bytes)?;
            tls.flush()?;
            match then {
                Then::Keep => {}
                Then::Cut => return Ok(()),
                Then::Notify => {
                    tls.conn.send_close_notify();
                    return tls.flush();
                }
                Then::Break(bytes) => {
                    tls.sock.write_all(bytes)?;
                    return io::copy(&mut stream, &mut io::sink()).map(drop);
                }
                Then::Rekey => loop {
                    tls.conn.refresh_traffic_keys().map_err(io::Error::other)?;
                    tls.flush()?;
                },
                Then::Silence if self.manner.body == Body::Ignore => {
                    let stopped = |state: &mut State| !state.stopped;
                    // Neither the lock nor the outcome matters: the wait is the point.
                    let _ = shared.changed.wait_timeout_while(shared.lock(), PATIENCE, stopped);
                    return Ok(());
                }
                Then::Silence => return io::copy(&mut stream, &mut io::sink()).map(drop),
            }
        }
    }

    fn request(&self, stream: &mut BufReader<impl io::Read>) -> io::Result<Vec<u8>> {
        let mut raw = Vec::new();
        while end_of_head(&raw).is_none() {
            if stream.read_until(b'\n', &mut raw)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        let mut piece = vec![0; 1 << 16];
        while self.manner.body == Body::Read && end_of_request(&raw).is_none() {
            let length = stream.read(&mut piece)?;
            if length == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            raw.extend_from_slice(&piece[..length]);
        }
        Ok(raw)
    }
}
