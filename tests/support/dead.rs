//! An address at which a connect neither succeeds nor fails.

#![allow(dead_code, reason = "each test binary, and a bench, uses its own part of this")]

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

/// A listener that neither takes a connection nor refuses it: whoever connects there waits.
///
/// Nobody accepts from it, and the queue before it is full: the system then drops the SYNs of all
/// who come later. Checked, since not every system does.
pub(crate) struct Dead {
    listener: TcpListener,
    queue: Vec<TcpStream>,
}

impl Dead {
    pub(crate) fn new() -> Self {
        Self::of(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port on loopback"))
    }

    /// Of a listener that may have been alive until now.
    pub(crate) fn of(listener: TcpListener) -> Self {
        let address = listener.local_addr().expect("an address");
        let mut queue = Vec::new();
        while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(250)) {
            queue.push(stream);
            assert!(queue.len() < 1 << 14, "a queue without an end: nothing is unanswered here");
        }
        // Once more and for longer: the one above may have been slow instead of dropped.
        let dropped = TcpStream::connect_timeout(&address, Duration::from_millis(400));
        let error = dropped.expect_err("a SYN that is dropped");
        assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}, behind {} in line", queue.len());
        Self { listener, queue }
    }

    /// Where nobody answers.
    pub(crate) fn address(&self) -> SocketAddr {
        self.listener.local_addr().expect("an address")
    }

    /// Takes all who come, from now on, and gives the first that did not come from here: those who
    /// wait send another SYN after a second, or after three.
    pub(crate) fn revive(self) -> TcpStream {
        let Self { listener, queue } = self;
        let own: Vec<_> = queue.iter().filter_map(|stream| stream.local_addr().ok()).collect();
        loop {
            let (stream, peer) = listener.accept().expect("a connection");
            if !own.contains(&peer) {
                return stream;
            }
        }
    }
}
