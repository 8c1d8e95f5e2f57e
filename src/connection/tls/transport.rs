//! What TLS is spoken over: a socket, or the TLS connection to a proxy.

use std::fmt;
use std::io;
use std::time::Duration;

use super::fault::is_tls_error;
use crate::connection::patience::Patience;
use crate::connection::socket::{Progress, Socket};

/// Moves bytes for a TLS connection.
pub(in crate::connection) trait Transport {
    /// Reads some bytes; 0 is the end.
    fn read(&mut self, into: &mut [u8], patience: &Patience<'_>) -> io::Result<usize>;

    /// Writes some bytes, and sends what it holds of earlier ones, as long as that may take.
    fn write(&mut self, bytes: &[u8], patience: &Patience<'_>) -> io::Result<usize>;

    /// The same, but gives up when the socket takes none for so long.
    fn write_for(
        &mut self,
        stall: Duration,
        bytes: &[u8],
        patience: &Patience<'_>,
    ) -> io::Result<Progress>;

    /// Reads what is there, without waiting.
    fn try_read(&mut self, into: &mut [u8]) -> io::Result<usize>;

    /// The socket at the bottom.
    fn socket(&self) -> &Socket;
}

impl Transport for Socket {
    fn read(&mut self, into: &mut [u8], patience: &Patience<'_>) -> io::Result<usize> {
        Self::read(self, into, patience)
    }

    fn write(&mut self, bytes: &[u8], patience: &Patience<'_>) -> io::Result<usize> {
        Self::write(self, bytes, patience)
    }

    fn write_for(
        &mut self,
        stall: Duration,
        bytes: &[u8],
        patience: &Patience<'_>,
    ) -> io::Result<Progress> {
        let taken = Self::write_for(self, stall, bytes, patience)?;
        Ok(Progress { taken, stalled: taken == 0 && !bytes.is_empty(), pending: false })
    }

    fn try_read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        Self::try_read(self, into)
    }

    fn socket(&self) -> &Socket {
        self
    }
}

/// The TLS connection below failed. Whoever speaks TLS above must not take that for its own peer's
/// doing.
#[derive(Debug)]
struct Below(io::Error);

/// Marks an error of TLS as that of the connection below.
pub(super) fn below(error: io::Error) -> io::Error {
    if is_tls_error(&error) { io::Error::new(error.kind(), Below(error)) } else { error }
}

impl fmt::Display for Below {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TLS to the proxy broke: {}", self.0)
    }
}

impl std::error::Error for Below {}
