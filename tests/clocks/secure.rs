//! What a [`Peer`](crate::peer::Peer) needs for TLS.

use std::io::{self, ErrorKind, Write as _};
use std::net::TcpStream;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::peer::Line;

/// The settings of every server here, with a certificate for 127.0.0.1, and that as PEM.
pub(crate) fn identity() -> &'static (Arc<ServerConfig>, String) {
    static IDENTITY: OnceLock<(Arc<ServerConfig>, String)> = OnceLock::new();
    IDENTITY.get_or_init(|| {
        let key = KeyPair::generate().unwrap();
        let names = ["127.0.0.1".to_owned()];
        let leaf = CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
        let secret = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        // Named here, because with more features than one there is no default.
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], secret)
            .unwrap();
        (Arc::new(config), leaf.pem())
    })
}

fn connection() -> ServerConnection {
    ServerConnection::new(Arc::clone(&identity().0)).unwrap()
}

pub(crate) fn stream(socket: TcpStream) -> StreamOwned<ServerConnection, TcpStream> {
    StreamOwned::new(connection(), socket)
}

impl Line {
    /// On a plain connection, the first flight of a server's handshake; the client's has been
    /// read.
    pub(crate) fn first_flight(&mut self) -> io::Result<Vec<u8>> {
        let mut connection = connection();
        while !connection.wants_write() {
            if connection.read_tls(&mut self.stream)? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            connection.process_new_packets().map_err(io::Error::other)?;
        }
        flush(&mut connection)
    }

    /// On a plain connection, a handshake, a request, and its answer in one TLS record, of
    /// which the bytes come one by one.
    pub(crate) fn drip_a_record(&mut self, answer: &[u8], pause: Duration) -> io::Result<()> {
        let mut connection = connection();
        while connection.is_handshaking() {
            connection.complete_io(&mut self.stream)?;
        }
        let mut read = 0;
        while read == 0 {
            if connection.read_tls(&mut self.stream)? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            let state = connection.process_new_packets().map_err(io::Error::other)?;
            read = state.plaintext_bytes_to_read();
        }
        connection.writer().write_all(answer)?;
        let record = flush(&mut connection)?;
        self.drip(record, pause)
    }
}

fn flush(connection: &mut ServerConnection) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    while connection.wants_write() {
        connection.write_tls(&mut bytes)?;
    }
    Ok(bytes)
}
