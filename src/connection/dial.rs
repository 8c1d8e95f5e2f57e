//! From a host to a connected socket.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use super::deadline::Deadline;
use super::patience::{Patience, cancelled};
use super::resolve::lookup;
use super::times::Times;
use crate::error::{Error, ErrorKind, Phase};
use crate::message::{Host, Target};

/// Connects to the target's host: looks it up unless it is an address, and tries every address
/// in turn under the one deadline.
pub(super) fn dial(
    target: &Target,
    patience: &Patience<'_>,
    times: &mut Times<'_>,
) -> Result<TcpStream, Error> {
    let addresses = match target.host() {
        Host::Ip(ip) => vec![SocketAddr::new(ip, target.port())],
        Host::Name(name) => {
            let found = lookup(name, target.port(), patience);
            times.lap(|timings| &mut timings.dns);
            found.map_err(|error| patience.error(error, Phase::Dns, ErrorKind::Dns, ""))?
        }
    };
    let connected = connect_any(&addresses, patience);
    times.lap(|timings| &mut timings.connect);
    connected
}

/// Tries the addresses one after the other. Each may take its share of the time that is left, so
/// that a dead first one leaves time for the second; what one does not use falls to the next.
fn connect_any(addresses: &[SocketAddr], patience: &Patience<'_>) -> Result<TcpStream, Error> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "there is no address");
    for (tried, address) in addresses.iter().enumerate() {
        if patience.interrupt.is_raised() {
            last = cancelled();
            break;
        }
        match connect(address, patience.deadline, addresses.len().saturating_sub(tried)) {
            Ok(socket) => return Ok(socket),
            Err(error) => last = error,
        }
    }
    let shown = addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    Err(patience.error(
        last,
        Phase::Connect,
        ErrorKind::Connect,
        format!("no connection to {shown}"),
    ))
}

fn connect(address: &SocketAddr, deadline: Deadline, parts: usize) -> io::Result<TcpStream> {
    let expired = |expired| io::Error::new(io::ErrorKind::TimedOut, expired);
    let socket = match deadline.share(Instant::now(), parts).map_err(expired)? {
        None => TcpStream::connect(address)?,
        Some(share) => match TcpStream::connect_timeout(address, share) {
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                // The share ran out. If that was all the time there was, our clock says so, and
                // else the system's error tells what this address did.
                deadline.left(Instant::now()).map_err(expired)?;
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
