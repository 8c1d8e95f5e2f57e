//! What a connection was opened to, before anything is sent to the target.

use std::net::SocketAddr;

use super::dial::Dialed;
use super::patience::Patience;
use super::socket::Socket;
use super::stream::Stream;

/// A stream that leads to the target, or to a proxy in its place.
pub(super) struct Reached {
    pub(super) stream: Stream,
    /// Whose address this end is connected to: the proxy's, where there is one.
    pub(super) peer: Option<SocketAddr>,
    /// Addresses that did not connect, before the peer's did.
    pub(super) passed_over: Vec<SocketAddr>,
}

impl Reached {
    /// From here on the thread may block on the socket.
    pub(super) fn by(dialed: Dialed, patience: &Patience<'_>) -> Self {
        let Dialed { pipe, peer, passed_over } = dialed;
        let socket = Socket::new(pipe);
        patience.interrupt.watch_socket(socket.pipe());
        Self { stream: Stream::Plain(socket), peer, passed_over }
    }

    /// Every address that was tried.
    pub(super) fn tried(&self) -> Vec<SocketAddr> {
        self.passed_over.iter().copied().chain(self.peer).collect()
    }
}
