//! From a host to a connected socket.

use std::net::SocketAddr;

use super::addresses::{addresses, forget};
use super::connect::Tried;
use super::dialing::Dialing;
use super::eyeballs;
#[cfg(unix)]
use super::local;
use super::patience::Patience;
use super::pipe::Pipe;
use super::times::Times;
use crate::error::{Error, ErrorKind, Phase};
use crate::message::Host;
use crate::observer::Watched;

/// A connection, and what it took.
pub(super) struct Dialed {
    pub(super) pipe: Pipe,
    /// The address at its other end, if it has one.
    pub(super) peer: Option<SocketAddr>,
    /// Addresses that were tried before, in vain.
    pub(super) passed_over: Vec<SocketAddr>,
}

/// Connects to a port of a host: finds out its addresses, and tries them under the one deadline. If
/// the session goes to a socket in the file system, it goes there whatever the host is.
pub(super) fn dial(
    host: &Host<'_>,
    port: u16,
    dialing: &Dialing,
    patience: &Patience<'_>,
    watched: Watched<'_>,
    times: &mut Times<'_>,
) -> Result<Dialed, Error> {
    #[cfg(unix)]
    if let Some(path) = &dialing.unix_socket {
        let pipe = local::dial(path, patience, times)?;
        return Ok(Dialed { pipe, peer: None, passed_over: Vec::new() });
    }
    let addresses = addresses(host, port, dialing, patience, watched, times)?;
    let name = match host {
        Host::Name(name) => name,
        // It has one address, and nothing to choose from.
        Host::Ip(_) => "",
    };
    let way = eyeballs::Host { name, port, addresses: &addresses, routes: dialing.routes() };
    let mut tried = Tried::default();
    let connected = way.connect(patience, times.so_far(), &mut tried);
    let took = times.lap(|timings| &mut timings.connect);
    // Who was cancelled meanwhile may have been answered for already.
    let cancelled = patience.interrupt.is_raised();
    match connected {
        Ok((address, pipe)) => {
            let peer = pipe.peer_addr(address);
            if let (false, Some(peer)) = (cancelled, peer) {
                watched.tell(|observer, job| observer.connected(job, peer, took));
            }
            Ok(Dialed { pipe, peer, passed_over: tried.but(peer) })
        }
        Err(error) => {
            if !cancelled {
                forget(host, port, dialing);
            }
            let error = patience.error(error, Phase::Connect, ErrorKind::Connect, tried.told());
            Err(error.tried(tried.but(None)))
        }
    }
}
