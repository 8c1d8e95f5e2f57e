//! What TLS settled for a connection: plain values, whether TLS is built in or not.

use std::fmt;

/// What TLS settled for the connection that a response came over:
/// [`Response::tls`](crate::Response::tls).
///
/// # Examples
///
/// ```no_run
/// use fetchpool::{Session, TlsVersion};
///
/// let response = Session::default().request("https://example.com/")?;
/// let tls = response.tls().expect("https");
/// assert_eq!(tls.version(), TlsVersion::Tls13);
/// println!("{} by {}", tls.version(), tls.cipher_suite());
/// // For a parser of certificates, or to be compared with the one of last time.
/// let der: &[u8] = tls.peer_certificate().expect("servers have one");
/// # let _ = der;
/// # Ok::<(), fetchpool::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct TlsInfo {
    pub(crate) version: TlsVersion,
    pub(crate) cipher_suite: String,
    pub(crate) resumed: bool,
    pub(crate) certificates: Vec<Vec<u8>>,
}

impl TlsInfo {
    /// The version of TLS that is spoken.
    #[must_use]
    pub const fn version(&self) -> TlsVersion {
        self.version
    }

    /// The name of the cipher suite, as IANA has it: `TLS_AES_128_GCM_SHA256`.
    #[must_use]
    pub fn cipher_suite(&self) -> &str {
        &self.cipher_suite
    }

    /// Whether the handshake took up an earlier TLS session, in which the certificates were shown
    /// and verified, instead of showing them again.
    #[must_use]
    pub const fn is_resumed(&self) -> bool {
        self.resumed
    }

    /// The server's own certificate, in DER (X.509, RFC 5280). It has been verified, unless
    /// `danger_accept_invalid_certs` is on.
    #[must_use]
    pub fn peer_certificate(&self) -> Option<&[u8]> {
        self.certificates.first().map(Vec::as_slice)
    }

    /// The certificates that the server sent, in DER: its own first, and then what it sent along.
    /// Of the others not every one need have been of use; the root that is trusted is mostly not
    /// among them.
    pub fn peer_certificates(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.certificates.iter().map(Vec::as_slice)
    }
}

impl fmt::Debug for TlsInfo {
    /// The certificates by their number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsInfo")
            .field("version", &self.version)
            .field("cipher_suite", &self.cipher_suite)
            .field("resumed", &self.resumed)
            .field("peer_certificates", &self.certificates.len())
            .finish()
    }
}

/// A version of TLS. The later one is the greater one.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TlsVersion {
    /// TLS 1.2 (RFC 5246).
    Tls12,
    /// TLS 1.3 (RFC 8446).
    Tls13,
}

impl fmt::Display for TlsVersion {
    /// `TLS 1.2` or `TLS 1.3`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tls12 => "TLS 1.2",
            Self::Tls13 => "TLS 1.3",
        })
    }
}
