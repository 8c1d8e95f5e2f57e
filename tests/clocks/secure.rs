//! What a [`Peer`](crate::peer::Peer) needs for TLS.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::peer::Line;
use crate::support::script::end_of_head;

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

    /// On a plain connection, a handshake and the head of a request, then so many session tickets
    /// at once, and the answer when so much of a body has come.
    pub(crate) fn flood(&mut self, tickets: usize, length: usize, answer: &[u8]) -> io::Result<()> {
        let mut config = ServerConfig::clone(&identity().0);
        config.send_tls13_tickets = tickets;
        // In small records: of messages that do not end with a record `rustls` keeps 64 KiB only.
        config.max_fragment_size = Some(100);
        let mut connection = ServerConnection::new(Arc::new(config)).map_err(io::Error::other)?;
        // By hand, since the tickets would go out with the end of the handshake otherwise.
        while connection.is_handshaking() {
            if connection.wants_write() {
                connection.write_tls(&mut self.stream)?;
            } else {
                take_in(&mut connection, &mut self.stream)?;
            }
        }
        let (mut head, mut came) = (Vec::new(), vec![0; 1 << 16]);
        while end_of_head(&head).is_none() {
            let count = take(&mut connection, &mut self.stream, &mut came)?;
            head.extend_from_slice(&came[..count]);
        }
        self.send(flush(&mut connection)?)?;
        let mut read = head.len() - end_of_head(&head).unwrap_or_default();
        while read < length {
            read += take(&mut connection, &mut self.stream, &mut came)?;
        }
        connection.writer().write_all(answer)?;
        self.send(flush(&mut connection)?)?;
        self.silence()
    }
}

fn take_in(connection: &mut ServerConnection, stream: &mut impl io::Read) -> io::Result<()> {
    if connection.read_tls(stream)? == 0 {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    connection.process_new_packets().map(drop).map_err(io::Error::other)
}

/// Waits for data.
fn take(
    connection: &mut ServerConnection,
    stream: &mut impl io::Read,
    into: &mut [u8],
) -> io::Result<usize> {
    loop {
        match connection.reader().read(into) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => take_in(connection, stream)?,
            other => return other,
        }
    }
}

fn flush(connection: &mut ServerConnection) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    while connection.wants_write() {
        connection.write_tls(&mut bytes)?;
    }
    Ok(bytes)
}
