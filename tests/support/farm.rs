//! A server with many routes, for batches of unlike requests.
//!
//! A thread for each connection, keep-alive, a port that the system picks. Every wait in here ends
//! at the latest when the [`Farm`] is dropped.
//!
//! | route | what comes |
//! | --- | --- |
//! | `/ok/<n>` | 200, `n` |
//! | `/status/<code>/<n>` | that status, `n` |
//! | `/delay/<ms>/<n>` | 200, `n`, after so many milliseconds |
//! | `/gate/<n>` | 200, `n`, once the test opens the gate |
//! | `/chunked/<n>` | 200, `n` in chunks of one byte |
//! | `/gzip/<n>` | 200, `n`, compressed |
//! | `/redirect/<hops>/<n>` | so many times 302, then 200, `n` |
//! | `/redirect-to?url=<url>` | 302 to there |
//! | `/echo` | 200, the request as JSON: `method`, `target`, `headers`, `body` |
//! | `/close/<n>` | 200, `n`, and the connection closes |
//! | `/reset` | the connection is reset, unanswered |
//! | `/truncated` | half of the promised body, and the connection closes |
//! | `/garbage` | no HTTP |
//! | `/drip/<bytes>/<ms>` | 200, a byte every so many milliseconds |
//! | `/series/<name>/<code>,<code>,…` | one after the other, the last for ever; 0 closes unanswered |
//!
//! `?retry-after=<seconds>` adds that field to an answer that is not a 200.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Does the work in a thread of its own, and fails the test if it takes longer than `limit`.
#[track_caller]
pub(crate) fn within<T: Send + 'static>(
    limit: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> T {
    let (done, wait) = mpsc::channel();
    let worker = thread::spawn(move || {
        let result = work();
        // Nobody waits any more: the test has failed already.
        let _ = done.send(());
        result
    });
    match wait.recv_timeout(limit) {
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("not done within {limit:?}"),
        Ok(()) | Err(mpsc::RecvTimeoutError::Disconnected) => {
            worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        }
    }
}

/// An address of this host at which nothing listens.
pub(crate) fn refused() -> SocketAddr {
    // The far end of a connection that outlives its listener: the port stays taken, and takes
    // nobody in. A port that was bound is not picked for a connection's near end either, so that
    // none can connect to itself there, as TCP allows.
    static HELD: OnceLock<(TcpStream, TcpStream)> = OnceLock::new();
    let (_, far) = HELD.get_or_init(|| {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (far, _) = listener.accept().unwrap();
        (near, far)
    });
    far.local_addr().unwrap()
}

/// The server. Ends when it is dropped.
pub(crate) struct Farm {
    state: Arc<State>,
    plain: SocketAddr,
    #[cfg(feature = "tls")]
    secure: Option<(SocketAddr, String)>,
    accepting: Vec<JoinHandle<()>>,
}

impl Farm {
    /// A server over plain HTTP.
    pub(crate) fn new() -> Self {
        let state = Arc::new(State::default());
        let (plain, accepting) = listen(&state, Carrier::Plain);
        Self {
            state,
            plain,
            #[cfg(feature = "tls")]
            secure: None,
            accepting: vec![accepting],
        }
    }

    /// The same, and on a second port over TLS.
    #[cfg(feature = "tls")]
    pub(crate) fn with_tls() -> Self {
        let mut farm = Self::new();
        let (config, root) = secure::identity();
        let (address, accepting) = listen(&farm.state, Carrier::Tls(config));
        farm.secure = Some((address, root));
        farm.accepting.push(accepting);
        farm
    }

    /// The URL of a route, over plain HTTP.
    pub(crate) fn url(&self, route: &str) -> String {
        format!("http://{}{route}", self.plain)
    }

    /// The URL of a route, over TLS.
    #[cfg(feature = "tls")]
    pub(crate) fn tls_url(&self, route: &str) -> String {
        let (address, _) = self.secure.as_ref().unwrap();
        format!("https://localhost:{}{route}", address.port())
    }

    /// The certificate that vouches for the TLS port, as PEM.
    #[cfg(feature = "tls")]
    pub(crate) fn root_pem(&self) -> &str {
        let (_, root) = self.secure.as_ref().unwrap();
        root
    }

    /// How many connections were accepted so far, on both ports.
    pub(crate) fn connections(&self) -> usize {
        self.state.now().connections
    }

    /// How many requests were read so far. One that is reset is not read.
    pub(crate) fn requests(&self) -> usize {
        self.state.now().requests
    }

    /// Waits until so many requests stand, or stood, before the gate.
    #[track_caller]
    pub(crate) fn wait_at_gate(&self, arrivals: usize) {
        let (now, wait) = self
            .state
            .changed
            .wait_timeout_while(self.state.now(), PATIENCE, |now| now.arrivals < arrivals)
            .unwrap_or_else(PoisonError::into_inner);
        let arrived = now.arrivals;
        drop(now);
        assert!(!wait.timed_out(), "{arrived} of {arrivals} requests came to the gate");
    }

    /// How many requests came to the gate so far.
    pub(crate) fn arrivals(&self) -> usize {
        self.state.now().arrivals
    }

    /// Lets all through that stand before the gate, and all that come later.
    pub(crate) fn open_gate(&self) {
        self.state.change(|now| now.passes = usize::MAX);
    }

    /// Lets so many through.
    pub(crate) fn let_through(&self, requests: usize) {
        self.state.change(|now| now.passes = now.passes.saturating_add(requests));
    }
}

impl Drop for Farm {
    fn drop(&mut self) {
        self.state.change(|now| {
            now.stopping = true;
            for socket in now.sockets.values() {
                // Wakes the thread that reads from it or writes to it.
                let _ = socket.shutdown(Shutdown::Both);
            }
        });
        // Wakes the threads that accept.
        drop(TcpStream::connect(self.plain));
        #[cfg(feature = "tls")]
        if let Some((address, _)) = &self.secure {
            drop(TcpStream::connect(address));
        }
        for thread in self.accepting.drain(..) {
            let _ = thread.join();
        }
    }
}

/// How long a test waits for what must come, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the threads of a farm have in common.
#[derive(Default)]
struct State {
    now: Mutex<Now>,
    changed: Condvar,
}

#[derive(Default)]
struct Now {
    stopping: bool,
    connections: usize,
    requests: usize,
    /// Requests that came to the gate.
    arrivals: usize,
    /// Requests that may still pass the gate.
    passes: usize,
    /// How often each series was asked.
    series: HashMap<String, usize>,
    sockets: HashMap<usize, TcpStream>,
}

impl State {
    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<T>(&self, change: impl FnOnce(&mut Now) -> T) -> T {
        let result = change(&mut self.now());
        self.changed.notify_all();
        result
    }

    /// Waits so long, or until the farm ends.
    fn pause(&self, length: Duration) {
        let until = self.changed.wait_timeout_while(self.now(), length, |now| !now.stopping);
        drop(until);
    }

    /// Waits at the gate, or until the farm ends.
    fn pass_gate(&self) {
        self.change(|now| now.arrivals += 1);
        let mut now = self
            .changed
            .wait_while(self.now(), |now| now.passes == 0 && !now.stopping)
            .unwrap_or_else(PoisonError::into_inner);
        if now.passes != usize::MAX {
            now.passes = now.passes.saturating_sub(1);
        }
    }
}

/// What the bytes of a connection travel in.
#[derive(Clone)]
enum Carrier {
    Plain,
    #[cfg(feature = "tls")]
    Tls(Arc<rustls::ServerConfig>),
}

fn listen(state: &Arc<State>, carrier: Carrier) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let state = Arc::clone(state);
    let thread = thread::spawn(move || accept(&listener, &state, &carrier));
    (address, thread)
}

/// Accepts until the farm ends, and joins the threads of the connections.
fn accept(listener: &TcpListener, state: &Arc<State>, carrier: &Carrier) {
    let mut threads: Vec<JoinHandle<()>> = Vec::new();
    for socket in listener.incoming() {
        // A connection may be gone before it is accepted.
        let Ok(socket) = socket else { continue };
        let Ok(handle) = socket.try_clone() else { continue };
        let entered = state.change(|now| {
            if now.stopping {
                return None;
            }
            now.connections += 1;
            now.sockets.insert(now.connections, handle);
            Some(now.connections)
        });
        let Some(number) = entered else { break };
        let (state, carrier) = (Arc::clone(state), carrier.clone());
        threads.push(thread::spawn(move || {
            // An error here is the peer's business: it closed, or the farm ends.
            let (socket, _) = serve(&state, socket, carrier);
            state.change(|now| now.sockets.remove(&number));
            // Last, so that this is the close that the peer sees.
            drop(socket);
        }));
        if threads.len() > 256 {
            threads.retain(|thread| !thread.is_finished());
        }
    }
    for thread in threads {
        let _ = thread.join();
    }
}

/// Answers one connection until it ends. Gives the socket back, to be closed.
fn serve(state: &State, socket: TcpStream, carrier: Carrier) -> (TcpStream, io::Result<()>) {
    let _ = socket.set_nodelay(true);
    match carrier {
        Carrier::Plain => {
            let mut reader = BufReader::new(&socket);
            let result = converse(state, &mut reader, |reader| {
                reader.buffer().is_empty() && wants_reset(reader.get_ref())
            });
            drop(reader);
            (socket, result)
        }
        #[cfg(feature = "tls")]
        Carrier::Tls(config) => {
            let result = secure::stream(config, &socket)
                .and_then(|stream| converse(state, &mut BufReader::new(stream), |_| false));
            (socket, result)
        }
    }
}

/// Whether the next request asks for a reset. It is left unread: closing a socket with bytes that
/// nobody read is what makes the system send RST.
fn wants_reset(socket: &TcpStream) -> bool {
    let mut start = [0; 10];
    socket.peek(&mut start).is_ok_and(|length| start[..length] == *b"GET /reset")
}

/// Request after request, until one side closes.
fn converse<S: Read + Write>(
    state: &State,
    stream: &mut BufReader<S>,
    wants_reset: impl Fn(&mut BufReader<S>) -> bool,
) -> io::Result<()> {
    loop {
        if wants_reset(stream) {
            return Ok(());
        }
        let Some(request) = Asked::read(stream)? else { return Ok(()) };
        state.change(|now| now.requests += 1);
        let close = request.field("connection").is_some_and(|value| value == "close");
        let after = answer(state, &request, stream.get_mut())?;
        stream.get_mut().flush()?;
        if after == After::Close || close {
            return Ok(());
        }
    }
}

/// A request as it came.
struct Asked {
    method: String,
    target: String,
    fields: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Asked {
    /// The next request; `None` if the peer closed before it.
    fn read(stream: &mut impl BufRead) -> io::Result<Option<Self>> {
        let Some(first) = line(stream)? else { return Ok(None) };
        let mut words = first.split(' ').map(str::to_owned);
        let (Some(method), Some(target)) = (words.next(), words.next()) else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        let mut fields = Vec::new();
        while let Some(line) = line(stream)?.filter(|line| !line.is_empty()) {
            let (name, value) = line.split_once(':').ok_or(io::ErrorKind::InvalidData)?;
            fields.push((name.to_owned(), value.trim().to_owned()));
        }
        let mut request = Self { method, target, fields, body: Vec::new() };
        if let Some(length) = request.field("content-length") {
            let length = length.parse().map_err(|_| io::ErrorKind::InvalidData)?;
            request.body = vec![0; length];
            stream.read_exact(&mut request.body)?;
        }
        Ok(Some(request))
    }

    /// The value of a field, its name in lower case.
    fn field(&self, name: &str) -> Option<&str> {
        let found = self.fields.iter().find(|(given, _)| given.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The value of a name in the query.
    fn query(&self, name: &str) -> Option<String> {
        let (_, query) = self.target.split_once('?')?;
        let mut pairs = url::form_urlencoded::parse(query.as_bytes());
        pairs.find(|(given, _)| given == name).map(|(_, value)| value.into_owned())
    }

    fn json(&self) -> Vec<u8> {
        let json = serde_json::json!({
            "method": self.method,
            "target": self.target,
            "headers": self.fields,
            "body": String::from_utf8_lossy(&self.body),
        });
        json.to_string().into_bytes()
    }
}

/// A line without its end; `None` at the end of the stream.
fn line(stream: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = String::new();
    let length = stream.read_line(&mut line)?;
    Ok((length > 0).then(|| line.trim_end_matches(['\r', '\n']).to_owned()))
}

/// What becomes of a connection after an answer.
#[derive(PartialEq, Eq)]
enum After {
    Keep,
    Close,
}

/// Writes the answer of the request's route.
fn answer(state: &State, request: &Asked, out: &mut impl Write) -> io::Result<After> {
    let path = request.target.split('?').next().unwrap_or_default();
    let steps: Vec<&str> = path.split('/').skip(1).collect();
    let mut reply = |status: u16, fields: &[(&str, &str)], body: &[u8]| {
        out.write_all(&whole(request, status, fields, body))?;
        Ok(After::Keep)
    };
    let id = steps.last().copied().unwrap_or_default();
    match *steps.as_slice() {
        ["ok", _] => reply(200, &[], id.as_bytes()),
        ["status", code, ..] => reply(number(code)?, &[], id.as_bytes()),
        ["delay", ms, ..] => {
            state.pause(Duration::from_millis(number(ms)?));
            reply(200, &[], id.as_bytes())
        }
        ["gate", ..] => {
            state.pass_gate();
            reply(200, &[], id.as_bytes())
        }
        ["chunked", ..] => {
            let mut body = Vec::new();
            for byte in id.bytes() {
                body.extend_from_slice(b"1\r\n");
                body.extend_from_slice(&[byte]);
                body.extend_from_slice(b"\r\n");
            }
            body.extend_from_slice(b"0\r\n\r\n");
            out.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
            out.write_all(&body)?;
            Ok(After::Keep)
        }
        ["gzip", ..] => {
            let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            gzip.write_all(id.as_bytes())?;
            reply(200, &[("Content-Encoding", "gzip")], &gzip.finish()?)
        }
        ["redirect", hops, _] => match number::<u32>(hops)?.checked_sub(1) {
            Some(left) => reply(302, &[("Location", &format!("/redirect/{left}/{id}"))], b"moved"),
            None => reply(200, &[], id.as_bytes()),
        },
        ["redirect-to"] => {
            let url = request.query("url").unwrap_or_default();
            reply(302, &[("Location", &url)], b"moved")
        }
        ["echo", ..] => reply(200, &[("Content-Type", "application/json")], &request.json()),
        ["close", ..] => {
            reply(200, &[("Connection", "close")], id.as_bytes())?;
            Ok(After::Close)
        }
        ["truncated", ..] => {
            out.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf.")?;
            Ok(After::Close)
        }
        ["garbage", ..] => {
            out.write_all(b"\x16\x03 220 this is no web server\r\n\r\n")?;
            Ok(After::Close)
        }
        ["drip", bytes, ms] => {
            let (bytes, ms) = (number(bytes)?, number(ms)?);
            write!(out, "HTTP/1.1 200 OK\r\nContent-Length: {bytes}\r\n\r\n")?;
            for _ in 0..bytes {
                state.pause(Duration::from_millis(ms));
                out.write_all(b".")?;
                out.flush()?;
            }
            Ok(After::Keep)
        }
        ["series", name, codes] => {
            let turn = state.change(|now| {
                let turn = now.series.entry(name.to_owned()).or_default();
                *turn += 1;
                *turn
            });
            let code = codes.split(',').take(turn).last().unwrap_or_default();
            match number(code)? {
                0 => Ok(After::Close),
                status => reply(status, &[], name.as_bytes()),
            }
        }
        // A TLS connection has no RST of its own: it just ends.
        ["reset", ..] => Ok(After::Close),
        _ => reply(404, &[], b"no such route"),
    }
}

/// A response with a length, as one piece.
fn whole(request: &Asked, status: u16, fields: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let reason = match status {
        200 => "OK",
        302 => "Found",
        404 => "Not Found",
        503 => "Service Unavailable",
        _ => "Status",
    };
    let mut bytes = format!("HTTP/1.1 {status} {reason}\r\n");
    for (name, value) in fields {
        bytes += &format!("{name}: {value}\r\n");
    }
    if let Some(seconds) = request.query("retry-after").filter(|_| status != 200) {
        bytes += &format!("Retry-After: {seconds}\r\n");
    }
    let bodiless = matches!(status, 204 | 304);
    if !bodiless {
        bytes += &format!("Content-Length: {}\r\n", body.len());
    }
    bytes += "\r\n";
    let mut bytes = bytes.into_bytes();
    if !bodiless && request.method != "HEAD" {
        bytes.extend_from_slice(body);
    }
    bytes
}

fn number<T: std::str::FromStr>(text: &str) -> io::Result<T> {
    text.parse().map_err(|_| io::Error::new(io::ErrorKind::InvalidData, text.to_owned()))
}

/// A port that a TLS client can trust.
#[cfg(feature = "tls")]
mod secure {
    use std::io;
    use std::net::TcpStream;
    use std::sync::Arc;

    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
    use rustls::pki_types::PrivateKeyDer;
    use rustls::{ServerConfig, ServerConnection, StreamOwned};

    /// A server's settings, with a certificate for `localhost`, and the root above it as PEM.
    pub(super) fn identity() -> (Arc<ServerConfig>, String) {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let root = params.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(params, key);

        let key = KeyPair::generate().unwrap();
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let leaf = CertificateParams::new(names).unwrap().signed_by(&key, &issuer).unwrap();
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());

        // Named here, because with more features than one there is no default.
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], key)
            .unwrap();
        (Arc::new(config), root)
    }

    pub(super) fn stream(
        config: Arc<ServerConfig>,
        socket: &TcpStream,
    ) -> io::Result<StreamOwned<ServerConnection, &TcpStream>> {
        let connection = ServerConnection::new(config).map_err(io::Error::other)?;
        Ok(StreamOwned::new(connection, socket))
    }
}

/// The JSON of `/echo`, with what a test asks of it.
pub(crate) struct Echo(serde_json::Value);

impl Echo {
    /// Reads the body of a response of `/echo`.
    #[track_caller]
    pub(crate) fn of(body: &[u8]) -> Self {
        Self(serde_json::from_slice(body).unwrap())
    }

    /// The method that the server saw.
    pub(crate) fn method(&self) -> &str {
        self.0["method"].as_str().unwrap()
    }

    /// The target that the server saw: path and query.
    pub(crate) fn target(&self) -> &str {
        self.0["target"].as_str().unwrap()
    }

    /// The values of a field that the server saw.
    pub(crate) fn header(&self, name: &str) -> Vec<&str> {
        let fields = self.0["headers"].as_array().unwrap().iter();
        let named = fields.filter(|field| field[0].as_str().unwrap().eq_ignore_ascii_case(name));
        named.map(|field| field[1].as_str().unwrap()).collect()
    }

    /// The body that the server saw.
    pub(crate) fn body(&self) -> &str {
        self.0["body"].as_str().unwrap()
    }
}

/// How long the work took.
pub(crate) fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let result = work();
    (result, start.elapsed())
}
