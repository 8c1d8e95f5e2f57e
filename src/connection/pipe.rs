//! The two kinds of socket that HTTP comes over.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// A connected socket. As with the standard library's own, a shared reference is enough to read,
/// to write, and to end what another thread waits for.
#[derive(Debug)]
pub(crate) enum Pipe {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
}

/// The same method of either.
macro_rules! either {
    ($pipe:expr, $socket:ident => $call:expr) => {
        match $pipe {
            Pipe::Tcp($socket) => $call,
            #[cfg(unix)]
            Pipe::Unix($socket) => $call,
        }
    };
}

impl Pipe {
    /// The address of the peer, which was connected to by this one; a socket in the file system has
    /// none. The system is asked only where it may know a better name for the same: the unspecified
    /// address is this machine, and IPv6 has zones.
    pub(super) fn peer_addr(&self, by: SocketAddr) -> Option<SocketAddr> {
        let is_exact = match by {
            SocketAddr::V4(_) => true,
            SocketAddr::V6(v6) => v6.scope_id() == 0 && v6.flowinfo() == 0,
        };
        match self {
            Self::Tcp(_) if is_exact && !by.ip().to_canonical().is_unspecified() => Some(by),
            Self::Tcp(socket) => socket.peer_addr().ok(),
            #[cfg(unix)]
            Self::Unix(_) => None,
        }
    }

    pub(super) fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        either!(self, socket => socket.set_read_timeout(timeout))
    }

    pub(super) fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        either!(self, socket => socket.set_write_timeout(timeout))
    }

    pub(super) fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        either!(self, socket => socket.set_nonblocking(nonblocking))
    }

    /// From here on what is written leaves at once, also while the peer has not acknowledged all that
    /// went before. A socket in the file system does not wait for that.
    pub(super) fn set_nodelay(&self) -> io::Result<()> {
        match self {
            Self::Tcp(socket) => socket.set_nodelay(true),
            #[cfg(unix)]
            Self::Unix(_) => Ok(()),
        }
    }

    pub(super) fn shutdown(&self) -> io::Result<()> {
        either!(self, socket => socket.shutdown(Shutdown::Both))
    }

    /// What comes next, without taking it where that is possible.
    pub(super) fn glance(&self) -> io::Result<Glance> {
        let mut byte = [0];
        match self {
            Self::Tcp(socket) => socket.peek(&mut byte).map(|count| match count {
                0 => Glance::End,
                _ => Glance::Bytes,
            }),
            // The standard library cannot peek into these yet (its issue 76923).
            #[cfg(unix)]
            Self::Unix(socket) => (&mut &*socket).read(&mut byte).map(|count| match count {
                0 => Glance::End,
                _ => Glance::Taken(u8::from_ne_bytes(byte)),
            }),
        }
    }
}

/// What comes next over a socket.
pub(super) enum Glance {
    End,
    Bytes,
    /// This byte, which is no longer there to be read.
    #[cfg(unix)]
    Taken(u8),
}

impl Read for &Pipe {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        either!(self, socket => (&mut &*socket).read(into))
    }
}

impl Write for &Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        either!(self, socket => (&mut &*socket).write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
