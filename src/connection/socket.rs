//! A socket whose every read and write ends by the deadline.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use super::patience::{Patience, cancelled};

/// A TCP socket that knows which time-outs the system holds for it.
///
/// Setting one costs a system call, so it is done only when what is set would wake us later than
/// what is due by more than a tolerance. One that wakes us too early is harmless: the deadline is
/// looked at after every return, and the wait goes on.
pub(super) struct Socket {
    tcp: Arc<TcpStream>,
    read_wait: Option<Duration>,
    write_wait: Option<Duration>,
}

impl Socket {
    pub(super) fn new(tcp: TcpStream) -> Self {
        Self { tcp: Arc::new(tcp), read_wait: None, write_wait: None }
    }

    pub(super) const fn tcp(&self) -> &Arc<TcpStream> {
        &self.tcp
    }

    pub(super) fn read(&mut self, into: &mut [u8], patience: &Patience<'_>) -> io::Result<usize> {
        loop {
            let left = patience.left()?;
            if is_late(self.read_wait, left) {
                self.tcp.set_read_timeout(left)?;
                self.read_wait = left;
            }
            let result = (&*self.tcp).read(into);
            if let Ok(count @ 1..) = result {
                patience.flow.moved(count);
                return result;
            }
            // An end of file or an error may be our own doing.
            if patience.interrupt.is_raised() {
                return Err(cancelled());
            }
            match result {
                // The system's time-out: ours, if the deadline has passed, else too early.
                Err(error) if is_timeout(&error) => {
                    self.read_wait = patience.left()?;
                    self.tcp.set_read_timeout(self.read_wait)?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }

    /// Writes some bytes, as long as that may take.
    #[cfg(feature = "tls-no-provider")]
    pub(super) fn write(&mut self, bytes: &[u8], patience: &Patience<'_>) -> io::Result<usize> {
        loop {
            let left = patience.left()?;
            if is_late(self.write_wait, left) {
                self.tcp.set_write_timeout(left)?;
                self.write_wait = left;
            }
            let result = (&*self.tcp).write(bytes);
            if result.is_err() && patience.interrupt.is_raised() {
                return Err(cancelled());
            }
            match result {
                Err(error) if is_timeout(&error) => {
                    self.write_wait = patience.left()?;
                    self.tcp.set_write_timeout(self.write_wait)?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(0) if !bytes.is_empty() => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    patience.flow.moved(count);
                    return Ok(count);
                }
                other => return other,
            }
        }
    }

    /// Writes some bytes; none if none could be written for so long.
    pub(super) fn write_for(
        &mut self,
        stall: Duration,
        bytes: &[u8],
        patience: &Patience<'_>,
    ) -> io::Result<usize> {
        let wait = patience.left()?.map_or(stall, |left| left.min(stall));
        if is_late(self.write_wait, Some(wait)) {
            self.tcp.set_write_timeout(Some(wait))?;
            self.write_wait = Some(wait);
        }
        match (&*self.tcp).write(bytes) {
            Err(error) if is_timeout(&error) || error.kind() == io::ErrorKind::Interrupted => {
                patience.left().map(|_| 0)
            }
            Err(_) if patience.interrupt.is_raised() => Err(cancelled()),
            Ok(count) => {
                patience.flow.moved(count);
                Ok(count)
            }
            other => other,
        }
    }

    /// What has come. Takes nothing of it, and does not wait.
    pub(super) fn look(&self) -> io::Result<Look> {
        match self.without_waiting(|tcp| tcp.peek(&mut [0])) {
            Ok(0) => Ok(Look::Closed),
            Ok(_) => Ok(Look::Bytes),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Look::Quiet),
            Err(error) => Err(error),
        }
    }

    /// Reads what is there, without waiting.
    #[cfg(feature = "tls-no-provider")]
    pub(super) fn try_read(&self, into: &mut [u8]) -> io::Result<usize> {
        self.without_waiting(|mut tcp| tcp.read(into))
    }

    fn without_waiting<T>(&self, look: impl FnOnce(&TcpStream) -> io::Result<T>) -> io::Result<T> {
        self.tcp.set_nonblocking(true)?;
        let found = look(&self.tcp);
        self.tcp.set_nonblocking(false)?;
        found
    }
}

/// What there is to read, without waiting for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    Quiet,
    Bytes,
    /// TLS records without data, more than were looked through. There may be data behind them.
    #[cfg_attr(
        not(feature = "tls-no-provider"),
        expect(dead_code, reason = "only TLS has bytes that are no data")
    )]
    Noise,
    /// The peer has closed, and nothing came before that.
    Closed,
}

/// What came of a write that may stall.
pub(super) struct Progress {
    /// How many bytes need not be written again.
    pub(super) taken: usize,
    /// The peer's side is full.
    pub(super) stalled: bool,
    /// Bytes that were taken have not all left.
    pub(super) pending: bool,
}

/// Whether a time-out that is set for a socket ends later than what is left, by more than a
/// twentieth of it, and at most 100 ms.
fn is_late(set: Option<Duration>, left: Option<Duration>) -> bool {
    match (set, left) {
        (_, None) => set.is_some(),
        (None, Some(_)) => true,
        (Some(set), Some(left)) => {
            let tolerance = (left / 20).min(Duration::from_millis(100));
            set > left.saturating_add(tolerance)
        }
    }
}

/// What a socket's own time-out looks like: `EAGAIN` on Unix, `WSAETIMEDOUT` on Windows.
fn is_timeout(error: &io::Error) -> bool {
    match error.kind() {
        io::ErrorKind::WouldBlock => true,
        io::ErrorKind::TimedOut => cfg!(windows),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_is_left_alone_while_it_is_close_to_what_is_due() {
        let s = Duration::from_secs;
        let ms = Duration::from_millis;
        assert!(is_late(None, Some(s(1))), "none is set and one is due");
        assert!(is_late(Some(s(1)), None), "one is set and none is due");
        assert!(!is_late(None, None));
        assert!(!is_late(Some(s(30)), Some(s(30))));
        assert!(!is_late(Some(s(30)), Some(ms(29_950))), "50 ms of 30 s");
        assert!(is_late(Some(s(30)), Some(ms(29_800))));
        assert!(is_late(Some(s(30)), Some(s(1))));
        assert!(!is_late(Some(s(1)), Some(s(30))), "too early is harmless");
        assert!(is_late(Some(ms(22)), Some(ms(20))));
    }
}
