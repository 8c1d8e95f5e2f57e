//! An address at which a connect neither succeeds nor fails.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

/// A listener that takes nobody in, and whose queue is full: the system then leaves whoever
/// connects without an answer, as it is with a host that is switched off.
pub(crate) struct Dead {
    listener: TcpListener,
    _waiting: Vec<TcpStream>,
}

impl Dead {
    /// Fills the queue; fails where the system has another way with full queues.
    pub(crate) fn new() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let mut waiting = Vec::new();
        loop {
            match TcpStream::connect_timeout(&address, Duration::from_millis(250)) {
                Ok(stream) => waiting.push(stream),
                Err(error) if error.kind() == ErrorKind::TimedOut => break,
                Err(error) => panic!("a full queue refuses: {error}"),
            }
            assert!(waiting.len() < 10_000, "the queue is never full");
        }
        Self { listener, _waiting: waiting }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.listener.local_addr().unwrap()
    }
}
