//! A socket whose every read and write ends by the deadline.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::time::Duration;

use super::patience::{Patience, cancelled};
use super::pipe::{Glance, Pipe};

/// A socket that knows which time-outs the system holds for it.
///
/// Setting one costs a system call, so it is done only when what is set would wake us later than
/// what is due by more than a tolerance. One that wakes us too early is harmless: the deadline is
/// looked at after every return, and the wait goes on.
///
/// So does telling the system whether to wait at all: a look that must not wait leaves the socket as
/// it needs it, and so does the write behind it, since there mostly is room for a request. Whoever has
/// to wait sees to that first.
pub(super) struct Socket {
    pipe: Arc<Pipe>,
    /// Whether the system waits where it has nothing for us.
    waits: bool,
    read_wait: Option<Duration>,
    write_wait: Option<Duration>,
    /// A byte that was read only to see whether there is one.
    ahead: Option<u8>,
    /// Nothing has been written yet.
    is_fresh: bool,
    /// Whether the system sends small pieces at once, too.
    is_prompt: bool,
}

impl Socket {
    pub(super) fn new(pipe: Pipe) -> Self {
        let pipe = Arc::new(pipe);
        let (read_wait, write_wait, ahead) = (None, None, None);
        let (is_fresh, is_prompt) = (true, false);
        Self { pipe, waits: true, read_wait, write_wait, ahead, is_fresh, is_prompt }
    }

    pub(super) const fn pipe(&self) -> &Arc<Pipe> {
        &self.pipe
    }

    pub(super) fn read(&mut self, into: &mut [u8], patience: &Patience<'_>) -> io::Result<usize> {
        if let Some(count) = self.take_ahead(into) {
            return Ok(count);
        }
        loop {
            let left = patience.left()?;
            self.may_wait(true)?;
            if is_late(self.read_wait, left) {
                self.pipe.set_read_timeout(left)?;
                self.read_wait = left;
            }
            let result = (&*self.pipe).read(into);
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
                    self.pipe.set_read_timeout(self.read_wait)?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }

    /// Reads what is there; `None` where that is nothing.
    pub(super) fn read_at_once(
        &mut self,
        into: &mut [u8],
        patience: &Patience<'_>,
    ) -> io::Result<Option<usize>> {
        patience.left()?;
        let result = match self.take_ahead(into) {
            Some(count) => return Ok(Some(count)),
            None => self.without_waiting(|mut pipe| pipe.read(into)),
        };
        match result {
            Ok(count @ 1..) => patience.flow.moved(count),
            // An end of file or an error may be our own doing.
            _ if patience.interrupt.is_raised() => return Err(cancelled()),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                ) =>
            {
                return Ok(None);
            }
            _ => {}
        }
        result.map(Some)
    }

    /// Writes some bytes, as long as that may take.
    #[cfg(feature = "tls-no-provider")]
    pub(super) fn write(&mut self, bytes: &[u8], patience: &Patience<'_>) -> io::Result<usize> {
        self.be_prompt(bytes.len());
        loop {
            let left = patience.left()?;
            if self.waits && is_late(self.write_wait, left) {
                self.pipe.set_write_timeout(left)?;
                self.write_wait = left;
            }
            let result = (&*self.pipe).write(bytes);
            if result.is_err() && patience.interrupt.is_raised() {
                return Err(cancelled());
            }
            match result {
                Err(error) if self.has_no_room(&error) => self.may_wait(true)?,
                Err(error) if is_timeout(&error) => {
                    self.write_wait = patience.left()?;
                    self.pipe.set_write_timeout(self.write_wait)?;
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
        self.be_prompt(bytes.len());
        loop {
            if self.waits && is_late(self.write_wait, Some(wait)) {
                self.pipe.set_write_timeout(Some(wait))?;
                self.write_wait = Some(wait);
            }
            return match (&*self.pipe).write(bytes) {
                Err(error) if self.has_no_room(&error) => {
                    self.may_wait(true)?;
                    continue;
                }
                Err(error) if is_timeout(&error) || error.kind() == io::ErrorKind::Interrupted => {
                    patience.left().map(|_| 0)
                }
                Err(_) if patience.interrupt.is_raised() => Err(cancelled()),
                Ok(count) => {
                    patience.flow.moved(count);
                    Ok(count)
                }
                other => other,
            };
        }
    }

    /// What has come. Takes nothing of it, and does not wait.
    pub(super) fn look(&mut self) -> io::Result<Look> {
        if self.ahead.is_some() {
            return Ok(Look::Bytes);
        }
        match self.without_waiting(Pipe::glance) {
            Ok(Glance::End) => Ok(Look::Closed),
            Ok(Glance::Bytes) => Ok(Look::Bytes),
            #[cfg(unix)]
            Ok(Glance::Taken(byte)) => {
                self.ahead = Some(byte);
                Ok(Look::Bytes)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Look::Quiet),
            Err(error) => Err(error),
        }
    }

    /// Reads what is there, without waiting.
    #[cfg(feature = "tls-no-provider")]
    pub(super) fn try_read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self.take_ahead(into) {
            Some(count) => Ok(count),
            None => self.without_waiting(|mut pipe| pipe.read(into)),
        }
    }

    fn take_ahead(&mut self, into: &mut [u8]) -> Option<usize> {
        let room = into.first_mut()?;
        *room = self.ahead.take()?;
        Some(1)
    }

    fn without_waiting<T>(&mut self, look: impl FnOnce(&Pipe) -> io::Result<T>) -> io::Result<T> {
        self.may_wait(false)?;
        look(&self.pipe)
    }

    fn may_wait(&mut self, waits: bool) -> io::Result<()> {
        if self.waits != waits {
            self.pipe.set_nonblocking(!waits)?;
            self.waits = waits;
        }
        Ok(())
    }

    /// Sees to it that so many bytes leave at once. Requests are written whole: waiting for more to send
    /// would only add delay. But the first piece is waited with by no system, as long as it is one
    /// segment: nothing is on the way that is to be acknowledged first.
    fn be_prompt(&mut self, count: usize) {
        let leaves_at_once = self.is_prompt || (self.is_fresh && count <= ONE_SEGMENT);
        if !leaves_at_once {
            // What is wrong with the socket is told by the write; all else is a matter of time.
            let _ = self.pipe.set_nodelay();
            self.is_prompt = true;
        }
        self.is_fresh = false;
    }

    /// Whether a write failed only because it was not to wait.
    fn has_no_room(&self, error: &io::Error) -> bool {
        !self.waits && error.kind() == io::ErrorKind::WouldBlock
    }
}

/// What fits into one segment on every path, as IPv4 has it (RFC 9293 §3.7.1).
const ONE_SEGMENT: usize = 536;

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
    use std::net::{TcpListener, TcpStream};
    use std::time::Instant;

    use super::super::deadline::Deadline;
    use super::super::flow::Flow;
    use super::super::interrupt::Interrupt;
    use super::*;
    use crate::message::Clock;

    /// A connected socket, and the end of its peer, which reads nothing.
    fn pair() -> (Socket, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let socket = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (Socket::new(Pipe::Tcp(socket)), listener.accept().unwrap().0)
    }

    fn with_patience<T>(limit: Duration, wait: impl FnOnce(&Patience<'_>) -> T) -> T {
        let deadline = Deadline::after(Instant::now(), Some(limit), Clock::Request);
        let (flow, interrupt) = (Flow::new(None, None, None), Interrupt::default());
        let interrupt = &interrupt;
        wait(&Patience { deadline, batch: Deadline::never(), flow: &flow, interrupt })
    }

    const LONG: Duration = Duration::from_secs(20);
    const SHORT: Duration = Duration::from_millis(20);

    #[test]
    fn a_look_does_not_wait_nor_does_a_write_behind_it_and_a_read_does() {
        let (mut socket, mut peer) = pair();
        with_patience(LONG, |patience| {
            assert_eq!(socket.look().unwrap(), Look::Quiet);
            assert_eq!(socket.write_for(SHORT, b"request", patience).unwrap(), 7);
            assert!(!socket.waits && socket.write_wait.is_none(), "there was room");
            peer.write_all(b"answer").unwrap();
            let mut answer = [0; 6];
            assert_eq!(socket.read(&mut answer, patience).unwrap(), 6);
            assert!(socket.waits, "it would have waited");
        });
    }

    #[test]
    fn a_read_that_does_not_wait_obeys_the_clocks_and_feeds_them() {
        let (mut socket, mut peer) = pair();
        let (flow, interrupt) = (Flow::new(None, Some(LONG), None), Interrupt::default());
        let until = |limit| Patience {
            deadline: Deadline::after(Instant::now(), limit, Clock::Request),
            batch: Deadline::never(),
            flow: &flow,
            interrupt: &interrupt,
        };
        flow.begin();
        let began = Instant::now();
        let mut bytes = [0; 4];
        assert_eq!(socket.read_at_once(&mut bytes, &until(Some(LONG))).unwrap(), None);
        assert!(flow.left(began + LONG).is_err(), "nothing has come");
        peer.write_all(b"1234567").unwrap();
        while socket.look().unwrap() == Look::Quiet {
            std::thread::yield_now();
        }
        let error = socket.read_at_once(&mut bytes, &until(Some(Duration::ZERO))).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut, "though there are bytes");
        assert_eq!(socket.read_at_once(&mut bytes, &until(None)).unwrap(), Some(4));
        assert!(flow.left(began + LONG).is_ok(), "something has come");
        assert_eq!(socket.read(&mut bytes, &until(Some(LONG))).unwrap(), 3);
        drop(interrupt.raise());
        assert!(socket.read_at_once(&mut bytes, &until(None)).is_err(), "it is cancelled");
    }

    #[test]
    fn a_write_behind_a_look_waits_where_there_is_no_room() {
        let piece = vec![b'x'; 64 << 10];
        let (mut socket, _peer) = pair();
        with_patience(LONG, |patience| {
            assert_eq!(socket.look().unwrap(), Look::Quiet);
            let took = loop {
                let began = Instant::now();
                if socket.write_for(SHORT, &piece, patience).unwrap() == 0 {
                    break began.elapsed();
                }
            };
            assert!(socket.waits && took >= SHORT / 2, "{took:?}");
        });
        #[cfg(feature = "tls-no-provider")]
        with_patience(SHORT, |patience| {
            assert_eq!(socket.look().unwrap(), Look::Quiet);
            let error = socket.write(&piece, patience).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
            assert!(socket.waits, "until then");
        });
    }

    #[test]
    fn the_first_small_piece_leaves_at_once_anyway_and_the_others_are_told_to() {
        let is_prompt = |socket: &Socket| match &*socket.pipe {
            Pipe::Tcp(socket) => socket.nodelay().unwrap(),
            #[cfg(unix)]
            Pipe::Unix(_) => unreachable!("it is none"),
        };
        with_patience(LONG, |patience| {
            let (mut socket, _peer) = pair();
            for expected in [false, true, true] {
                assert_eq!(socket.write_for(LONG, b"piece", patience).unwrap(), 5);
                assert_eq!(is_prompt(&socket), expected);
            }
            let (mut socket, _peer) = pair();
            assert_eq!(socket.write_for(LONG, &[0; 537], patience).unwrap(), 537);
            assert!(is_prompt(&socket), "it may be two segments");
            #[cfg(feature = "tls-no-provider")]
            {
                let (mut socket, _peer) = pair();
                for expected in [false, true] {
                    assert_eq!(socket.write(b"piece", patience).unwrap(), 5);
                    assert_eq!(is_prompt(&socket), expected, "by TLS");
                }
            }
        });
    }

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
