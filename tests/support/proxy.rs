//! A proxy for tests: it forwards, tunnels and speaks SOCKS5, plain or over TLS, and records what it
//! was asked. Every name that it is asked for is at 127.0.0.1.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::script::{PATIENCE, Recorded, end_of_head, end_of_request};

/// A proxy that is still being described.
#[derive(Clone, Default)]
pub(crate) struct ProxyServer {
    socks: bool,
    credentials: Option<(String, String)>,
    established: Option<Vec<u8>>,
    #[cfg(feature = "tls")]
    tls: Option<Arc<rustls::ServerConfig>>,
}

impl ProxyServer {
    /// Absolute form and CONNECT.
    pub(crate) fn http() -> Self {
        Self::default()
    }

    /// SOCKS5.
    pub(crate) fn socks() -> Self {
        Self { socks: true, ..Self::default() }
    }

    /// The first, over TLS.
    #[cfg(feature = "tls")]
    pub(crate) fn https(identity: super::tls::Identity) -> Self {
        Self { tls: Some(identity.server_config()), ..Self::default() }
    }

    /// Only for this user with this password.
    pub(crate) fn only_for(mut self, user: &str, password: &str) -> Self {
        self.credentials = Some((user.to_owned(), password.to_owned()));
        self
    }

    /// Answers to CONNECT with these bytes, and then tunnels.
    pub(crate) fn establishing(mut self, answer: impl AsRef<[u8]>) -> Self {
        self.established = Some(answer.as_ref().to_vec());
        self
    }

    /// Starts listening.
    pub(crate) fn start(self) -> RunningProxy {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port on loopback");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared::default());
        let acceptor = thread::spawn({
            let (server, shared) = (Arc::new(self), Arc::clone(&shared));
            move || accept_all(&listener, &server, &shared)
        });
        RunningProxy { address, shared, acceptor: Some(acceptor) }
    }
}

/// A running proxy. Dropping it ends and joins everything.
pub(crate) struct RunningProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

impl RunningProxy {
    /// Its URL by this scheme.
    pub(crate) fn url(&self, scheme: &str) -> String {
        format!("{scheme}://{}", self.address)
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it was asked, in order: request lines, or `SOCKS` and host and port.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.requests().iter().map(Recorded::line).collect()
    }

    /// The heads of the requests to it, or what it was told by SOCKS, as text.
    pub(crate) fn requests(&self) -> Vec<Recorded> {
        self.shared.lock().requests.clone()
    }

    /// How many connections it accepted.
    pub(crate) fn connections(&self) -> usize {
        self.shared.lock().connections
    }

    /// Closes every connection to it and waits until that is done.
    pub(crate) fn hang_up(&self) {
        for stream in self.shared.lock().streams.iter().flatten() {
            let _ = stream.shutdown(Shutdown::Both);
        }
        let busy = |state: &mut State| state.streams.iter().any(Option::is_some);
        let waited = self.shared.changed.wait_timeout_while(self.shared.lock(), PATIENCE, busy);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        assert!(state.streams.iter().all(Option::is_none), "a connection did not end");
    }
}

impl Drop for RunningProxy {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.stopped = true;
        for stream in state.streams.iter().flatten() {
            // The client may have gone first.
            let _ = stream.shutdown(Shutdown::Both);
        }
        drop(state);
        // Wakes the acceptor; when this fails it is awake already.
        let _ = TcpStream::connect(self.address);
        if let Some(acceptor) = self.acceptor.take() {
            // A panic of a connection's thread has been printed, and the test sees its effect.
            let _ = acceptor.join();
        }
    }
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    requests: Vec<Recorded>,
    connections: usize,
    /// A second handle on each connection, until it is over.
    streams: Vec<Option<TcpStream>>,
    stopped: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn record(&self, connection: usize, raw: impl Into<Vec<u8>>) {
        self.lock().requests.push(Recorded { connection, raw: raw.into() });
    }
}

fn accept_all(listener: &TcpListener, server: &Arc<ProxyServer>, shared: &Arc<Shared>) {
    let mut threads = Vec::new();
    for stream in listener.incoming() {
        let Ok(stream) = stream else { break };
        let mut state = shared.lock();
        if state.stopped {
            break;
        }
        let number = state.streams.len();
        state.connections += 1;
        state.streams.push(stream.try_clone().ok());
        drop(state);
        threads.push(thread::spawn({
            let (server, shared) = (Arc::clone(server), Arc::clone(shared));
            move || {
                // An error is a client that went, or an end of patience: the test sees its effect.
                let _ = server.serve(stream, number, &shared);
                shared.lock().streams[number] = None;
                shared.changed.notify_all();
            }
        }));
    }
    for thread in threads {
        let _ = thread.join();
    }
}

/// Plain or TLS.
trait Line: Read + Write {}

impl<T: Read + Write> Line for T {}

impl ProxyServer {
    fn serve(&self, stream: TcpStream, number: usize, shared: &Shared) -> io::Result<()> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        let socket = stream.try_clone()?;
        #[cfg(feature = "tls")]
        if let Some(config) = &self.tls {
            let connection =
                rustls::ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
            let mut line = rustls::StreamOwned::new(connection, stream);
            let served = self.talk(&mut line, &socket, number, shared);
            line.conn.send_close_notify();
            let _ = line.flush();
            return served;
        }
        let mut line = stream;
        let served = self.talk(&mut line, &socket, number, shared);
        let _ = socket.shutdown(Shutdown::Both);
        served
    }

    fn talk(
        &self,
        line: &mut dyn Line,
        socket: &TcpStream,
        number: usize,
        shared: &Shared,
    ) -> io::Result<()> {
        if self.socks {
            let upstream = self.socks_talk(line, number, shared)?;
            return pump(line, socket, upstream);
        }
        let mut ahead = Vec::new();
        loop {
            let raw = request(line, &mut ahead)?;
            let recorded = Recorded { connection: number, raw };
            shared.record(number, recorded.raw.clone());
            if !self.admits(recorded.header("proxy-authorization").as_deref()) {
                line.write_all(
                    b"HTTP/1.1 407 Proxy Authentication Required\r\n\
                      Proxy-Authenticate: Basic realm=\"test\"\r\nContent-Length: 4\r\n\r\nwho?",
                )?;
                continue;
            }
            if recorded.method() == "CONNECT" {
                let upstream = connect(&recorded.target())?;
                let established = b"HTTP/1.1 200 Connection established\r\n\r\n".as_slice();
                line.write_all(self.established.as_deref().unwrap_or(established))?;
                line.flush()?;
                return pump(line, socket, upstream);
            }
            line.write_all(&forward(&recorded)?)?;
            line.flush()?;
        }
    }

    fn admits(&self, value: Option<&str>) -> bool {
        let Some((user, password)) = &self.credentials else { return true };
        value == Some(&basic(user, password))
    }

    /// SOCKS5 up to the end of the negotiation.
    fn socks_talk(
        &self,
        line: &mut dyn Line,
        number: usize,
        shared: &Shared,
    ) -> io::Result<TcpStream> {
        let [version, methods] = take::<2>(line)?;
        assert_eq!(version, 5);
        let mut offered = vec![0; usize::from(methods)];
        line.read_exact(&mut offered)?;
        let wanted = if self.credentials.is_some() { 2 } else { 0 };
        if !offered.contains(&wanted) {
            line.write_all(&[5, 0xff])?;
            return Err(ErrorKind::PermissionDenied.into());
        }
        line.write_all(&[5, wanted])?;
        let mut told = String::new();
        if let Some((user, password)) = &self.credentials {
            assert_eq!(take::<1>(line)?, [1]);
            let pair = (text(line)?, text(line)?);
            told = format!("{}:{}", pair.0, pair.1);
            let admitted = pair == (user.clone(), password.clone());
            line.write_all(&[1, u8::from(!admitted)])?;
            if !admitted {
                return Err(ErrorKind::PermissionDenied.into());
            }
        }
        let [version, command, reserved, kind] = take::<4>(line)?;
        assert_eq!([version, command, reserved], [5, 1, 0]);
        let host = match kind {
            1 => Ipv4Addr::from(take::<4>(line)?).to_string(),
            4 => format!("[{}]", std::net::Ipv6Addr::from(take::<16>(line)?)),
            3 => text(line)?,
            other => panic!("address type {other}"),
        };
        let port = u16::from_be_bytes(take::<2>(line)?);
        shared.record(number, format!("SOCKS{kind} {host}:{port}\r\nCredentials: {told}\r\n\r\n"));
        match connect(&format!("{host}:{port}")) {
            Ok(upstream) => {
                line.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0])?;
                Ok(upstream)
            }
            Err(error) => {
                line.write_all(&[5, 5, 0, 1, 0, 0, 0, 0, 0, 0])?;
                Err(error)
            }
        }
    }
}

/// What a client sends for these credentials.
pub(crate) fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", base64(format!("{user}:{password}").as_bytes()))
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let bits = group.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
        let bits = bits << (8 * (3 - group.len()));
        for place in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * place)) as usize & 63];
            text.push(if place <= group.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

fn take<const COUNT: usize>(line: &mut dyn Line) -> io::Result<[u8; COUNT]> {
    let mut bytes = [0; COUNT];
    line.read_exact(&mut bytes).map(|()| bytes)
}

/// A text with its length in front.
fn text(line: &mut dyn Line) -> io::Result<String> {
    let [length] = take::<1>(line)?;
    let mut bytes = vec![0; usize::from(length)];
    line.read_exact(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Names are at 127.0.0.1, and so are addresses that nobody has.
fn connect(authority: &str) -> io::Result<TcpStream> {
    let (host, port) = authority.rsplit_once(':').expect("a port");
    let port: u16 = port.parse().expect("a port");
    match host.trim_matches(['[', ']']).parse::<std::net::IpAddr>() {
        Ok(ip) if ip.is_loopback() => TcpStream::connect((ip, port)),
        _ => TcpStream::connect((Ipv4Addr::LOCALHOST, port)),
    }
}

fn request(line: &mut dyn Line, ahead: &mut Vec<u8>) -> io::Result<Vec<u8>> {
    let mut piece = vec![0; 1 << 16];
    loop {
        if let Some(end) = end_of_request(ahead) {
            let rest = ahead.split_off(end);
            return Ok(std::mem::replace(ahead, rest));
        }
        match line.read(&mut piece)? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            count => ahead.extend_from_slice(&piece[..count]),
        }
    }
}

/// Sends a request in absolute form on, in origin form and without what was meant for the proxy, and
/// gives the answer.
fn forward(request: &Recorded) -> io::Result<Vec<u8>> {
    let target = request.target();
    let rest = target.strip_prefix("http://").expect("a target in absolute form");
    let (authority, _) = rest.split_once('/').expect("a path");
    let host =
        if authority.contains(':') { authority.to_owned() } else { format!("{authority}:80") };
    let path = &rest[authority.len()..];
    let head = request.head();
    let fields = head.split("\r\n").skip(1);
    let kept = fields.filter(|line| !line.to_ascii_lowercase().starts_with("proxy-"));
    let mut bytes = format!("{} {path} HTTP/1.1\r\n", request.method()).into_bytes();
    for field in kept {
        bytes.extend_from_slice(format!("{field}\r\n").as_bytes());
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(request.body());
    let mut upstream = connect(&host)?;
    upstream.set_read_timeout(Some(PATIENCE))?;
    upstream.write_all(&bytes)?;
    let (mut answer, mut piece) = (Vec::new(), vec![0; 1 << 16]);
    let to_head = request.method() == "HEAD";
    while !(to_head && end_of_head(&answer).is_some()) && end_of_request(&answer).is_none() {
        match upstream.read(&mut piece)? {
            0 => break,
            count => answer.extend_from_slice(&piece[..count]),
        }
    }
    Ok(answer)
}

/// Carries bytes both ways until one side ends.
fn pump(line: &mut dyn Line, socket: &TcpStream, mut upstream: TcpStream) -> io::Result<()> {
    let turn = Some(Duration::from_millis(1));
    socket.set_read_timeout(turn)?;
    upstream.set_read_timeout(turn)?;
    upstream.set_nodelay(true)?;
    let mut piece = vec![0; 1 << 16];
    loop {
        match line.read(&mut piece) {
            Ok(0) => return Ok(()),
            Ok(count) => upstream.write_all(&piece[..count])?,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        match upstream.read(&mut piece) {
            Ok(0) => return Ok(()),
            Ok(count) => {
                line.write_all(&piece[..count])?;
                line.flush()?;
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}
