//! The server of the workloads that nginx is not made for: many origins, and answers that are late.
//!
//! `server FOLDER` writes `ca.pem`, `nginx.pem` and `nginx.key` into FOLDER, and prints the origins,
//! 50 that are plain in one line and 50 over TLS in the next. `GET /BYTES/MILLISECONDS` gets so many
//! bytes, after so long. For each line that it is sent it prints how many connections, full handshakes and
//! resumed ones there were since the last; when there are no more lines it ends.

use std::fs;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{HandshakeKind, ServerConfig};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpSocket};
use tokio_rustls::TlsAcceptor;

/// Connections, full handshakes, resumed ones.
static COUNTS: [AtomicU64; 3] = [const { AtomicU64::new(0) }; 3];

const ORIGINS: u8 = 50;

/// What every body is a part of.
static BODY: [u8; 2 << 20] = [b'x'; 2 << 20];

fn main() {
    let folder = std::env::args().nth(1).expect("a folder");
    let authority = Authority::new();
    authority.write(Path::new(&folder));
    // One thread: the client should have the other core.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(serve(&authority));
}

async fn serve(authority: &Authority) {
    for is_tls in [false, true] {
        let scheme = if is_tls { "https" } else { "http" };
        let mut urls = Vec::new();
        for origin in 1..=ORIGINS {
            let (listener, at) = listen(origin);
            let acceptor = is_tls.then(|| TlsAcceptor::from(authority.server(at)));
            tokio::spawn(accept(listener, acceptor));
            urls.push(format!("{scheme}://{at}"));
        }
        println!("{}", urls.join(" "));
    }
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Ok(Some(_)) = lines.next_line().await {
        let [connections, full, resumed] =
            [0, 1, 2].map(|which: usize| COUNTS[which].swap(0, Ordering::Relaxed));
        println!("{connections} {full} {resumed}");
    }
}

/// A port of this origin's own address.
fn listen(origin: u8) -> (TcpListener, SocketAddr) {
    let socket = TcpSocket::new_v4().expect("a socket");
    let address = (Ipv4Addr::new(127, 0, 1, origin), 0);
    socket.bind(address.into()).expect("a port on loopback");
    // Ten thousand clients come at once.
    let listener = socket.listen(1 << 14).expect("a listener");
    let at = listener.local_addr().expect("an address");
    (listener, at)
}

async fn accept(listener: TcpListener, acceptor: Option<TlsAcceptor>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        COUNTS[0].fetch_add(1, Ordering::Relaxed);
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            let _ = stream.set_nodelay(true);
            let Some(acceptor) = acceptor else { return converse(stream).await };
            // A client that went away is none that shook hands.
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let is_resumed = stream.get_ref().1.handshake_kind() == Some(HandshakeKind::Resumed);
            COUNTS[1 + usize::from(is_resumed)].fetch_add(1, Ordering::Relaxed);
            converse(stream).await;
        });
    }
}

async fn converse(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let mut request = Vec::with_capacity(1024);
    let mut answer = Vec::new();
    loop {
        request.clear();
        while !request.ends_with(b"\r\n\r\n") {
            if !matches!(stream.read_buf(&mut request).await, Ok(1..)) {
                return;
            }
        }
        let Some((bytes, delay)) = asked(&request) else { return };
        let close =
            request.windows(17).any(|bytes| bytes.eq_ignore_ascii_case(b"connection: close"));
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        answer.clear();
        let last = if close { "Connection: close\r\n" } else { "" };
        let head = write!(answer, "HTTP/1.1 200 OK\r\nContent-Length: {bytes}\r\n{last}\r\n");
        head.expect("room");
        // Small ones in one piece.
        let within = bytes.min(16 << 10);
        answer.extend_from_slice(&BODY[..within]);
        let sent = async {
            stream.write_all(&answer).await?;
            stream.write_all(&BODY[within..bytes]).await?;
            stream.flush().await
        };
        if sent.await.is_err() || close {
            let _ = stream.shutdown().await;
            return;
        }
    }
}

/// How many bytes, and after how long.
fn asked(request: &[u8]) -> Option<(usize, Duration)> {
    let line = std::str::from_utf8(request).ok()?;
    let mut numbers = line.split(' ').nth(1)?.split('/').skip(1);
    let bytes: usize = numbers.next()?.parse().ok()?;
    let delay = numbers.next()?.parse().ok()?;
    (bytes <= BODY.len()).then_some((bytes, Duration::from_millis(delay)))
}

/// Who vouches for every server.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        // OpenSSL takes two of the same name for one that has signed itself.
        params.distinguished_name.push(DnType::CommonName, "authority of a bench");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    fn write(&self, folder: &Path) {
        let key = KeyPair::generate().unwrap();
        let leaf = Self::leaf("127.0.0.1").signed_by(&key, &self.issuer).unwrap();
        let files = [
            ("ca.pem", &self.pem),
            ("nginx.pem", &leaf.pem()),
            ("nginx.key", &key.serialize_pem()),
        ];
        for (name, text) in files {
            fs::write(folder.join(name), text).expect("a file");
        }
    }

    fn leaf(address: &str) -> CertificateParams {
        CertificateParams::new([address.to_owned()]).unwrap()
    }

    fn server(&self, at: SocketAddr) -> Arc<ServerConfig> {
        let key = KeyPair::generate().unwrap();
        let leaf = Self::leaf(&at.ip().to_string()).signed_by(&key, &self.issuer).unwrap();
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
