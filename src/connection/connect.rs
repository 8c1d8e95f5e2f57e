//! One connect to one address, and several of them in turn.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::patience::{Patience, cancelled};
use crate::message::Timings;

/// How long an attempt has for itself before the next one begins: the Connection Attempt Delay of
/// RFC 8305 §5.
pub(super) const DELAY: Duration = Duration::from_millis(250);

/// The addresses that were tried.
#[derive(Default)]
pub(super) struct Tried {
    /// In the order in which their attempts began.
    begun: Vec<SocketAddr>,
    /// In the order in which they failed. Those that are not among them have not answered.
    pub(super) failed: Vec<(SocketAddr, io::Error)>,
}

impl Tried {
    /// An attempt begins; it may not be the first for this address.
    pub(super) fn begin(&mut self, address: SocketAddr) {
        if !self.begun.contains(&address) {
            self.begun.push(address);
        }
    }

    /// All of them, but for the one that was connected to.
    pub(super) fn but(&self, peer: Option<SocketAddr>) -> Vec<SocketAddr> {
        self.begun.iter().copied().filter(|address| Some(*address) != peer).collect()
    }

    /// The error that stands for those of all addresses.
    pub(super) fn last(&self) -> io::Error {
        match self.failed.last() {
            None => io::Error::new(io::ErrorKind::NotFound, "there is no address"),
            Some((_, error)) => match error.raw_os_error() {
                Some(code) => io::Error::from_raw_os_error(code),
                None => io::Error::new(error.kind(), error.to_string()),
            },
        }
    }

    /// What became of each. That of a single one is what the error is about anyway.
    pub(super) fn told(&self) -> String {
        if let [only] = self.begun.as_slice() {
            return format!("no connection to {only}");
        }
        let answered = |address: &SocketAddr| self.failed.iter().any(|(of, _)| of == address);
        let silent = self.begun.iter().filter(|address| !answered(address));
        let silent = silent.map(|address| format!("{address}: no answer"));
        // The last one to fail is the error's source.
        let failed = self.failed.iter().map(|(address, error)| format!("{address}: {error}"));
        let all: Vec<String> = silent.chain(failed).collect();
        let surplus = all.len().saturating_sub(MOST_TOLD);
        let shown = all.get(surplus..).unwrap_or_default().join("; ");
        match surplus {
            0 => format!("no connection to {shown}"),
            _ => format!("no connection to {surplus} others; {shown}"),
        }
    }
}

/// How far a request had come when it began to connect, and when that was.
pub(super) type SoFar = (Timings, Instant);

/// Connects in this thread, which cannot be woken meanwhile.
pub(super) fn connect(address: &SocketAddr, limit: Option<Duration>) -> io::Result<TcpStream> {
    let socket = match limit {
        None => TcpStream::connect(address)?,
        Some(limit) => TcpStream::connect_timeout(address, limit)?,
    };
    // Where nobody listens on a port of this machine, the system may choose that very port for our
    // end, and connect the socket to itself.
    if socket.local_addr().is_ok_and(|own| own == *address) {
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    Ok(socket)
}

/// Connects in this thread, within its share of the time, and told to whoever may have to go on
/// without it.
pub(super) fn connect_here(
    address: &SocketAddr,
    limit: Option<Duration>,
    patience: &Patience<'_>,
    (so_far, since): SoFar,
) -> io::Result<TcpStream> {
    if !patience.interrupt.watch_connect(so_far, since) {
        return Err(cancelled());
    }
    let connected = connect(address, limit);
    patience.interrupt.watch_nothing();
    if connected.as_ref().is_err_and(is_timeout) {
        // The share ran out. If that was all the time there was, our clock says so, and else the
        // system's error tells what this address did.
        patience.left()?;
    }
    connected
}

/// Tries the addresses one after the other. Each may take its share of the time that is left, so
/// that a dead first one leaves time for the second; what one does not use falls to the next.
///
/// Where there are several, each has no more than [`DELAY`] at first, and those that did not answer
/// by then are tried once more behind all others. `meanwhile` may have come to a connection in some
/// other way.
pub(super) fn in_turn(
    addresses: &[SocketAddr],
    patience: &Patience<'_>,
    so_far: SoFar,
    tried: &mut Tried,
    meanwhile: impl Fn() -> bool,
) -> io::Result<Option<(SocketAddr, TcpStream)>> {
    let mut unanswered = Vec::new();
    if let [_, _, ..] = addresses {
        for (done, address) in addresses.iter().enumerate() {
            tried.begin(*address);
            let share = patience.share(addresses.len().saturating_sub(done))?;
            let limit = share.map_or(DELAY, |share| share.min(DELAY));
            match connect_here(address, Some(limit), patience, so_far) {
                Ok(socket) => return Ok(Some((*address, socket))),
                Err(error) => {
                    patience.left()?;
                    match is_timeout(&error) {
                        true => unanswered.push(*address),
                        false => tried.failed.push((*address, error)),
                    }
                }
            }
            if meanwhile() {
                return Ok(None);
            }
        }
    } else {
        unanswered.extend(addresses);
    }
    for (done, address) in unanswered.iter().enumerate() {
        tried.begin(*address);
        let share = patience.share(unanswered.len().saturating_sub(done))?;
        match connect_here(address, share, patience, so_far) {
            Ok(socket) => return Ok(Some((*address, socket))),
            Err(error) => {
                patience.left()?;
                tried.failed.push((*address, error));
            }
        }
        if meanwhile() {
            return Ok(None);
        }
    }
    Ok(None)
}

/// Whether a connect ended because its time was over.
pub(super) fn is_timeout(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::TimedOut
}

/// How many addresses a message names.
const MOST_TOLD: usize = 8;
