//! A TLS connection over a socket, or over another one.

use std::borrow::Cow;
use std::io::{self, IoSlice, Read, Write};
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConnection;

use super::client_auth::{Asked, Client};
use super::explain;
use super::fault::{invalid, is_tls_error};
use super::info::info;
use super::transport::{Transport, below};
use crate::connection::patience::{Patience, is_close};
use crate::connection::socket::{Look, Progress, Socket};
use crate::message::TlsInfo;

/// A TLS connection over a socket, or over the TLS connection to a proxy.
pub(in crate::connection) struct TlsStream<T> {
    connection: ClientConnection,
    under: T,
    /// The peer takes no more of what is written: it is full, or has closed.
    deaf: bool,
    /// What is under it holds bytes that have not left.
    held: bool,
    /// The first bytes that came.
    opening: Opening,
    /// What the peer got of us.
    client: Client,
    /// What the handshake settled.
    info: Option<Arc<TlsInfo>>,
}

impl<T: Transport> TlsStream<T> {
    pub(super) fn new(connection: ClientConnection, under: T, client: Client) -> Self {
        let opening = Opening::default();
        Self { connection, under, deaf: false, held: false, opening, client, info: None }
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
        while (self.held || self.connection.wants_write()) && !self.deaf {
            let mut under = Stalling::new(&mut self.under, stall, patience);
            // What is held goes first, and may be all that is left.
            let written = match self.connection.wants_write() {
                true => self.connection.write_tls(&mut under).map(drop),
                false => under.write(&[]).map(drop),
            };
            (self.held, self.deaf) = (under.held, under.stalled);
            match written {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => {
                    self.deaf = true;
                    return Err(error);
                }
            }
        }
        let pending = self.held || self.connection.wants_write();
        Ok(Progress { taken, stalled: self.deaf, pending })
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
            match self.connection.read_tls(&mut WithoutWaiting(&mut self.under)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Look::Quiet),
                Err(error) => return Err(error),
                Ok(0) => return Ok(Look::Closed),
                Ok(_) => {}
            }
        }
    }

    /// Waits for records and takes them in. An end of file is told by the reader afterwards.
    fn receive(&mut self, patience: &Patience<'_>) -> io::Result<()> {
        let mut under = Timed { under: &mut self.under, patience };
        let read = if self.opening.len < self.opening.bytes.len() {
            let mut listening = Listening { under, opening: &mut self.opening };
            self.connection.read_tls(&mut listening)?
        } else {
            self.connection.read_tls(&mut under)?
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
            self.connection.write_tls(&mut Timed { under: &mut self.under, patience })?;
        }
        if self.held {
            self.under.write(&[], patience)?;
            self.held = false;
        }
        Ok(())
    }
}

/// As what another TLS connection goes over.
impl<T: Transport> Transport for TlsStream<T> {
    fn read(&mut self, into: &mut [u8], patience: &Patience<'_>) -> io::Result<usize> {
        Self::read(self, into, patience).map_err(below)
    }

    fn write(&mut self, bytes: &[u8], patience: &Patience<'_>) -> io::Result<usize> {
        // Twice: there may be no room for more before.
        self.flush(patience).map_err(below)?;
        let taken = self.connection.writer().write(bytes)?;
        self.flush(patience).map_err(below)?;
        Ok(taken)
    }

    fn write_for(
        &mut self,
        stall: Duration,
        bytes: &[u8],
        patience: &Patience<'_>,
    ) -> io::Result<Progress> {
        Self::write_for(self, stall, bytes, patience).map_err(below)
    }

    fn try_read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self.look().map_err(below)? {
            Look::Bytes => self.connection.reader().read(into),
            Look::Quiet => Err(io::ErrorKind::WouldBlock.into()),
            // Nothing is taken for whole because of it: it is only looked whether something came.
            Look::Closed => Ok(0),
            Look::Noise => Err(io::Error::other("a flood of TLS records of the proxy's")),
        }
    }

    fn socket(&self) -> &Socket {
        self.under.socket()
    }
}

/// Lends what is under it to `rustls` for one call, with the deadline of the request.
struct Timed<'a, T> {
    under: &'a mut T,
    patience: &'a Patience<'a>,
}

impl<T: Transport> Read for Timed<'_, T> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.under.read(into, self.patience)
    }
}

/// What is written at once of some records: all of them if they are small, and else the first, uncopied.
fn gathered<'a>(records: &'a [IoSlice<'_>]) -> Cow<'a, [u8]> {
    let together = records.iter().map(|record| record.len()).fold(0, usize::saturating_add);
    if let ([] | [_], _) | (_, MOST_GATHERED..) = (records, together) {
        return Cow::Borrowed(records.first().map_or(&[], |first| first));
    }
    let mut bytes = Vec::with_capacity(together);
    records.iter().for_each(|record| bytes.extend_from_slice(record));
    Cow::Owned(bytes)
}

/// The first bytes that came.
#[derive(Default)]
struct Opening {
    bytes: [u8; 16],
    len: usize,
}

/// Lends it for one read, and keeps the first bytes that come.
struct Listening<'a, T> {
    under: Timed<'a, T>,
    opening: &'a mut Opening,
}

impl<T: Transport> Read for Listening<'_, T> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.under.read(into)?;
        let room = self.opening.bytes.iter_mut().skip(self.opening.len);
        let came = into.iter().take(count);
        self.opening.len += room.zip(came).map(|(room, byte)| *room = *byte).count();
        Ok(count)
    }
}

impl<T: Transport> Write for Timed<'_, T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.under.write(bytes, self.patience)
    }

    /// The last part of a handshake is two records or more, each of some bytes: they leave together, and
    /// are no packets of their own. (The system could gather them itself, but the standard library
    /// asks it to by a call that ends a process which wants to hear of broken pipes.)
    fn write_vectored(&mut self, records: &[IoSlice<'_>]) -> io::Result<usize> {
        self.write(&gathered(records))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Lends it for one write that gives up when it takes nothing for a while.
struct Stalling<'a, T> {
    under: &'a mut T,
    stall: Duration,
    patience: &'a Patience<'a>,
    /// It took nothing for so long.
    stalled: bool,
    /// Bytes that were taken have not left.
    held: bool,
}

impl<'a, T> Stalling<'a, T> {
    const fn new(under: &'a mut T, stall: Duration, patience: &'a Patience<'a>) -> Self {
        Self { under, stall, patience, stalled: false, held: false }
    }
}

impl<T: Transport> Write for Stalling<'_, T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            let progress = self.under.write_for(self.stall, bytes, self.patience)?;
            (self.held, self.stalled) = (progress.pending, progress.stalled);
            match progress.taken {
                0 if self.stalled => return Err(io::ErrorKind::WouldBlock.into()),
                // There was no room, but what stood in the way has left.
                0 if !bytes.is_empty() => {}
                taken => return Ok(taken),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct WithoutWaiting<'a, T>(&'a mut T);

impl<T: Transport> Read for WithoutWaiting<'_, T> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(into)
    }
}

/// How much is copied so that it leaves together.
const MOST_GATHERED: usize = 4 << 10;

/// How often it is read while only records come that are no data: a read takes 4 KiB, and the few
/// tickets that servers send fit into one.
const MOST_READS: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_records_leave_together_and_a_large_one_is_not_copied() {
        let large = "x".repeat(MOST_GATHERED);
        for (records, leaves) in [
            (&[][..], ""),
            (&["hello"], "hello"),
            (&["cipher", "finished"], "cipherfinished"),
            (&["own", "", "proof", "finished"], "ownprooffinished"),
            (&[&large, "end"], &large),
            (&["begin", &large], "begin"),
        ] {
            let records: Vec<_> =
                records.iter().map(|text| IoSlice::new(text.as_bytes())).collect();
            assert_eq!(gathered(&records), leaves.as_bytes(), "{} records", records.len());
        }
        let alone = [IoSlice::new(large.as_bytes())];
        assert!(matches!(gathered(&alone), Cow::Borrowed(_)));
    }
}
