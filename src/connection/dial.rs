//! From a host to a connected socket.

use std::io;
use std::net::{SocketAddr, TcpStream};

use super::addresses::addresses;
use super::dialing::Dialing;
use super::patience::{Patience, cancelled};
use super::times::Times;
use crate::error::{Error, ErrorKind, Phase};
use crate::message::Host;
use crate::observer::Watched;

/// A connection, and what it took.
pub(super) struct Dialed {
    pub(super) socket: TcpStream,
    /// Addresses that were tried before, in vain.
    pub(super) passed_over: Vec<SocketAddr>,
}

/// Connects to a port of a host: finds out its addresses, and tries every one in turn under the one
/// deadline.
pub(super) fn dial(
    host: &Host<'_>,
    port: u16,
    dialing: &Dialing,
    patience: &Patience<'_>,
    watched: Watched<'_>,
    times: &mut Times<'_>,
) -> Result<Dialed, Error> {
    let addresses = addresses(host, port, dialing, patience, watched, times)?;
    let connected = connect_any(&addresses, patience, times);
    let took = times.lap(|timings| &mut timings.connect);
    // Who was cancelled meanwhile may have been answered for already.
    if !patience.interrupt.is_raised()
        && let Some(peer) =
            connected.as_ref().ok().and_then(|dialed| dialed.socket.peer_addr().ok())
    {
        watched.tell(|observer, job| observer.connected(job, peer, took));
    }
    connected
}

/// Tries the addresses one after the other. Each may take its share of the time that is left, so
/// that a dead first one leaves time for the second; what one does not use falls to the next.
fn connect_any(
    addresses: &[SocketAddr],
    patience: &Patience<'_>,
    times: &Times<'_>,
) -> Result<Dialed, Error> {
    let (so_far, since) = times.so_far();
    let mut last = io::Error::new(io::ErrorKind::NotFound, "there is no address");
    for (tried, address) in addresses.iter().enumerate() {
        if !patience.interrupt.watch_connect(so_far, since) {
            last = cancelled();
            break;
        }
        let connected = connect(address, patience, addresses.len().saturating_sub(tried));
        patience.interrupt.watch_nothing();
        match connected {
            Ok(socket) => {
                let passed_over = addresses.get(..tried).unwrap_or_default().to_vec();
                return Ok(Dialed { socket, passed_over });
            }
            Err(error) => last = error,
        }
    }
    let shown = addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    Err(patience
        .error(last, Phase::Connect, ErrorKind::Connect, format!("no connection to {shown}"))
        .tried(addresses.iter().copied()))
}

fn connect(address: &SocketAddr, patience: &Patience<'_>, parts: usize) -> io::Result<TcpStream> {
    let socket = match patience.share(parts)? {
        None => TcpStream::connect(address)?,
        Some(share) => match TcpStream::connect_timeout(address, share) {
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                // The share ran out. If that was all the time there was, our clock says so, and
                // else the system's error tells what this address did.
                patience.left()?;
                return Err(error);
            }
            other => other?,
        },
    };
    // Where nobody listens on a port of this machine, the system may choose that very port for our
    // end, and connect the socket to itself.
    if socket.local_addr().is_ok_and(|own| own == *address) {
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    // Requests are written whole: waiting for more to send would only add delay.
    socket.set_nodelay(true)?;
    Ok(socket)
}
