//! What a handshake settled, as plain values.

use std::sync::Arc;

use rustls::{ClientConnection, HandshakeKind, ProtocolVersion};

use crate::message::{TlsInfo, TlsVersion};

/// What the handshake of this connection settled, once it is complete.
pub(super) fn info(connection: &ClientConnection) -> Option<Arc<TlsInfo>> {
    let version = match connection.protocol_version()? {
        ProtocolVersion::TLSv1_2 => TlsVersion::Tls12,
        ProtocolVersion::TLSv1_3 => TlsVersion::Tls13,
        _ => return None,
    };
    let suite = connection.negotiated_cipher_suite()?.suite();
    let suite = suite.as_str().map_or_else(|| format!("{suite:?}"), str::to_owned);
    let certificates = connection.peer_certificates().unwrap_or_default();
    Some(Arc::new(TlsInfo {
        version,
        // `rustls` writes the version into the names of those that are of 1.3 only.
        cipher_suite: suite.replacen("TLS13_", "TLS_", 1),
        resumed: connection.handshake_kind() == Some(HandshakeKind::Resumed),
        certificates: certificates.iter().map(|der| der.as_ref().to_vec()).collect(),
    }))
}
