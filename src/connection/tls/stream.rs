//! A TLS connection over a socket.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConnection;

use super::client_auth::{Asked, Client};
use super::explain;
use super::fault::{invalid, is_tls_error};
use super::info::info;
use crate::connection::patience::{Patience, is_close};
use crate::connection::socket::{Look, Progress, Socket};
use crate::message::TlsInfo;

/// A TLS connection over a socket.
pub(in crate::connection) struct TlsStream {
    connection: ClientConnection,
    socket: Socket,
    /// The peer takes no more of what is written: it is full, or has closed.
    deaf: bool,
    /// The first bytes that came.
    opening: Opening,
    /// What the peer got of us.
    client: Client,
    /// What the handshake settled.
    info: Option<Arc<TlsInfo>>,
}

impl TlsStream {
    pub(super) fn new(connection: ClientConnection, socket: Socket, client: Client) -> Self {
        let opening = Opening::default();
        Self { connection, socket, deaf: false, opening, client, info: None }
    }

    pub(in crate::connection) const fn info(&self) -> Option<&Arc<TlsInfo>> {
        self.info.as_ref()
    }

    /// What the peer got of us.
    pub(super) const fn client(&self) -> Client {
        self.client
    }

    /// Whether the certificate of the session would be shown here, or was.
    pub(in crate::connection) const fn is_identified(&self) -> bool {
        self.client.identified
    }

    pub(in crate::connection) const fn socket(&self) -> &Socket {
        &self.socket
    }

    /// The first bytes that came, so that it can be told if they were not TLS.
    pub(super) fn opening(&self) -> &[u8] {
        self.opening.bytes.get(..self.opening.len).unwrap_or_default()
    }

    pub(super) fn handshake(&mut self, patience: &Patience<'_>) -> io::Result<()> {
        // What another handshake on this thread was asked.
        Asked::take();
        let shaken = self.shake(patience).map_err(|error| self.reason(error, patience));
        self.client.asked = Asked::take();
        self.info = info(&self.connection);
        shaken
    }

    fn shake(&mut self, patience: &Patience<'_>) -> io::Result<()> {
        while self.connection.is_handshaking() {
            self.flush(patience)?;
            if self.connection.is_handshaking() {
                self.receive(patience)?;
            }
        }
        self.flush(patience)
    }

    /// Why the peer has closed, if that is why the handshake failed and it said so before: a
    /// server that does not like our certificate is gone before the rest of our part is written.
    fn reason(&mut self, error: io::Error, patience: &Patience<'_>) -> io::Error {
        let mut reads = if is_close(&error) { MOST_READS } else { 0 };
        while reads > 0 {
            reads -= 1;
            match self.receive(patience) {
                Ok(()) => {}
                Err(reason) if is_tls_error(&reason) => return reason,
                Err(_) => break,
            }
        }
        error
    }

    pub(in crate::connection) fn read(
        &mut self,
        into: &mut [u8],
        patience: &Patience<'_>,
    ) -> io::Result<usize> {
        loop {
            match self.connection.reader().read(into) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // Also `UnexpectedEof`, where the peer closed without saying so by TLS: the end
                // of a body that ends with the connection could then be somebody else's doing.
                other => return other,
            }
            // To a peer that reads no more nothing can be flushed, and its answer may be there.
            if !self.deaf {
                self.flush(patience)?;
            }
            self.receive(patience)?;
        }
    }

    /// Writes some bytes, and gives up when the socket takes none for so long.
    pub(in crate::connection) fn write_for(
        &mut self,
        stall: Duration,
        bytes: &[u8],
        patience: &Patience<'_>,
    ) -> io::Result<Progress> {
        let taken = self.connection.writer().write(bytes)?;
        self.deaf = false;
        while self.connection.wants_write() && !self.deaf {
            let mut socket = Stalling { socket: &mut self.socket, stall, patience };
            match self.connection.write_tls(&mut socket) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.deaf = true,
                Err(error) => {
                    self.deaf = true;
                    return Err(error);
                }
            }
        }
        Ok(Progress { taken, stalled: self.deaf, pending: self.connection.wants_write() })
    }

    /// Reads what came unasked, without waiting. Session tickets may come at any time: a connection
    /// that has nothing else is quiet. But no clock runs here, so there is an end to them, too.
    pub(in crate::connection) fn look(&mut self) -> io::Result<Look> {
        let mut reads = 0;
        loop {
            // First what came with the last read already.
            let state = self.connection.process_new_packets().map_err(|error| {
                let what = explain::in_exchange(&error, self.client);
                invalid(error, what)
            })?;
            if state.plaintext_bytes_to_read() > 0 {
                return Ok(Look::Bytes);
            }
            if state.peer_has_closed() {
                return Ok(Look::Closed);
            }
            // Not before what was read is taken in: there is no room for more behind it.
            if reads == MOST_READS {
                return Ok(Look::Noise);
            }
            reads += 1;
            match self.connection.read_tls(&mut WithoutWaiting(&self.socket)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Look::Quiet),
                Err(error) => return Err(error),
                Ok(0) => return Ok(Look::Closed),
                Ok(_) => {}
            }
        }
    }

    /// Waits for records and takes them in. An end of file is told by the reader afterwards.
    fn receive(&mut self, patience: &Patience<'_>) -> io::Result<()> {
        let mut socket = Timed { socket: &mut self.socket, patience };
        let read = if self.opening.len < self.opening.bytes.len() {
            let mut listening = Listening { socket, opening: &mut self.opening };
            self.connection.read_tls(&mut listening)?
        } else {
            self.connection.read_tls(&mut socket)?
        };
        match self.connection.process_new_packets() {
            Ok(_) if read == 0 && self.connection.is_handshaking() => {
                Err(io::ErrorKind::UnexpectedEof.into())
            }
            Ok(_) => Ok(()),
            Err(error) => {
                // The alert that tells the peer why; it may have gone already.
                let _ = self.flush(patience);
                // Of a handshake more is told, by whoever began it.
                let what = match self.connection.is_handshaking() {
                    true => None,
                    false => explain::in_exchange(&error, self.client),
                };
                Err(invalid(error, what))
            }
        }
    }

    fn flush(&mut self, patience: &Patience<'_>) -> io::Result<()> {
        while self.connection.wants_write() {
            self.connection.write_tls(&mut Timed { socket: &mut self.socket, patience })?;
        }
        Ok(())
    }
}

/// Lends the socket to `rustls` for one call, with the deadline of the request.
struct Timed<'a> {
    socket: &'a mut Socket,
    patience: &'a Patience<'a>,
}

impl Read for Timed<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.socket.read(into, self.patience)
    }
}

/// The first bytes that came.
#[derive(Default)]
struct Opening {
    bytes: [u8; 16],
    len: usize,
}

/// Lends the socket for one read, and keeps the first bytes that come.
struct Listening<'a> {
    socket: Timed<'a>,
    opening: &'a mut Opening,
}

impl Read for Listening<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.socket.read(into)?;
        let room = self.opening.bytes.iter_mut().skip(self.opening.len);
        let came = into.iter().take(count);
        self.opening.len += room.zip(came).map(|(room, byte)| *room = *byte).count();
        Ok(count)
    }
}

impl Write for Timed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.write(bytes, self.patience)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Lends the socket for one write that gives up when it takes nothing for a while.
struct Stalling<'a> {
    socket: &'a mut Socket,
    stall: Duration,
    patience: &'a Patience<'a>,
}

impl Write for Stalling<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.socket.write_for(self.stall, bytes, self.patience)? {
            0 if !bytes.is_empty() => Err(io::ErrorKind::WouldBlock.into()),
            written => Ok(written),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct WithoutWaiting<'a>(&'a Socket);

impl Read for WithoutWaiting<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(into)
    }
}

/// How often it is read while only records come that are no data: a read takes 4 KiB, and the few
/// tickets that servers send fit into one.
const MOST_READS: usize = 16;
