//! Many origins in a process of their own: each has an address of loopback, a port and, over TLS, a
//! certificate. They count what came of it.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{HandshakeKind, ServerConfig, ServerConnection, StreamOwned};

/// What the origins counted since they were last asked.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) connections: u64,
    /// Handshakes with certificate and signature.
    pub(crate) full: u64,
    /// Handshakes that went on from an earlier session.
    pub(crate) resumed: u64,
}

/// The origins, for the process that measures.
pub(crate) struct Origins {
    process: Child,
    asks: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    pub(crate) urls: Vec<String>,
}

impl Origins {
    /// Starts this program once more, as so many origins. Over TLS the file `ca` is then the root
    /// above all certificates; it is empty otherwise.
    pub(crate) fn start(count: usize, is_tls: bool, ca: &Path) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["serve", if is_tls { "tls" } else { "plain" }, &count.to_string()])
            .arg(ca)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a server");
        let asks = process.stdin.take();
        let mut answers = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        answers.read_line(&mut line).unwrap();
        let urls: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        assert_eq!(urls.len(), count, "the server did not start");
        Self { process, asks, answers, urls }
    }

    /// What they counted since the last time.
    pub(crate) fn counts(&mut self) -> Counts {
        writeln!(self.asks.as_mut().unwrap()).unwrap();
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        let numbers: Vec<u64> = line.split(' ').map(|text| text.trim().parse().unwrap()).collect();
        Counts { connections: numbers[0], full: numbers[1], resumed: numbers[2] }
    }
}

impl Drop for Origins {
    fn drop(&mut self) {
        // They end when nobody can ask any more.
        self.asks = None;
        let _ = self.process.wait();
    }
}

/// The process of the origins: `serve tls|plain COUNT CA`.
pub(crate) fn serve(kind: &str, count: usize, ca: &str) {
    let is_tls = kind == "tls";
    let authority = is_tls.then(Authority::new);
    fs::write(ca, authority.as_ref().map_or("", |authority| &authority.pem)).unwrap();
    let counters: Arc<[AtomicU64; 3]> = Arc::default();
    let urls: Vec<String> = (0..count)
        .map(|origin| {
            let address = IpAddr::V4(Ipv4Addr::new(127, 0, 1, u8::try_from(origin + 1).unwrap()));
            let listener = TcpListener::bind((address, 0)).expect("a port on loopback");
            let at = listener.local_addr().unwrap();
            let config = authority.as_ref().map(|authority| authority.server(at));
            let counters = Arc::clone(&counters);
            thread::spawn(move || accept(&listener, config.as_ref(), &counters));
            format!("{}://{at}", if is_tls { "https" } else { "http" })
        })
        .collect();
    println!("{}", urls.join(" "));
    for _ in std::io::stdin().lines() {
        let taken = [0, 1, 2].map(|which: usize| counters[which].swap(0, Ordering::SeqCst));
        println!("{} {} {}", taken[0], taken[1], taken[2]);
    }
}

fn accept(
    listener: &TcpListener,
    config: Option<&Arc<ServerConfig>>,
    counters: &Arc<[AtomicU64; 3]>,
) {
    for stream in listener.incoming().flatten() {
        counters[0].fetch_add(1, Ordering::SeqCst);
        let (config, counters) = (config.cloned(), Arc::clone(counters));
        let conversation = move || {
            let _ = stream.set_nodelay(true);
            match config {
                None => converse(stream),
                Some(config) => {
                    let connection = ServerConnection::new(config).unwrap();
                    let mut stream = StreamOwned::new(connection, stream);
                    // A client that went away is none that shook hands.
                    if stream.conn.complete_io(&mut stream.sock).is_ok() {
                        let is_resumed =
                            stream.conn.handshake_kind() == Some(HandshakeKind::Resumed);
                        counters[1 + usize::from(is_resumed)].fetch_add(1, Ordering::SeqCst);
                        converse(stream);
                    }
                }
            }
        };
        // As many threads as there are connections: each takes no more than it needs.
        let thread = thread::Builder::new().stack_size(128 << 10);
        thread.spawn(conversation).expect("a thread");
    }
}

/// Answers `GET /BYTES/MILLISECONDS`: so many bytes, after so long.
fn converse(mut stream: impl Read + Write) {
    let mut request = [0; 4096];
    let mut answer = Vec::new();
    // A request here is small, is sent at once and so is read at once.
    while let Ok(length @ 1..) = stream.read(&mut request) {
        let line = std::str::from_utf8(&request[..length]).unwrap();
        let path = line.split(' ').nth(1).unwrap();
        let mut numbers = path.split('/').skip(1).map(|number| number.parse::<usize>().unwrap());
        let (bytes, delay) = (numbers.next().unwrap(), numbers.next().unwrap());
        if delay > 0 {
            thread::sleep(Duration::from_millis(delay as u64));
        }
        answer.clear();
        write!(answer, "HTTP/1.1 200 OK\r\nContent-Length: {bytes}\r\n\r\n").unwrap();
        answer.resize(answer.len() + bytes, b'x');
        if stream.write_all(&answer).and_then(|()| stream.flush()).is_err() {
            return;
        }
    }
}

/// Who vouches for the origins.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    fn server(&self, at: SocketAddr) -> Arc<ServerConfig> {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([at.ip().to_string()]).unwrap();
        let leaf = params.signed_by(&key, &self.issuer).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![leaf.der().clone()],
                PrivateKeyDer::Pkcs8(key.serialize_der().into()),
            );
        Arc::new(config.unwrap())
    }
}
