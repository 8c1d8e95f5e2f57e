//! A server whose connections each run a function, over plain TCP or over TLS.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use fetchpool::SessionConfig;

#[cfg(feature = "tls")]
use crate::secure;
use crate::support::script::end_of_head;

/// What the bytes of a connection travel in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carrier {
    Plain,
    #[cfg(feature = "tls")]
    Tls,
}

/// All of them that there are.
pub(crate) const CARRIERS: &[Carrier] = &[
    Carrier::Plain,
    #[cfg(feature = "tls")]
    Carrier::Tls,
];

/// A running server. No wait of it outlives it: dropping it ends and joins everything.
pub(crate) struct Peer {
    carrier: Carrier,
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

impl Carrier {
    /// A server that runs this for each connection, and closes it when that returns.
    pub(crate) fn serve(
        self,
        script: impl Fn(&mut Line) -> io::Result<()> + Send + Sync + 'static,
    ) -> Peer {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let acceptor = thread::spawn({
            let shared = Arc::clone(&shared);
            move || accept_all(&listener, self, &Arc::new(script), &shared)
        });
        Peer { carrier: self, address, shared, acceptor: Some(acceptor) }
    }

    /// The settings that trust a server of this kind.
    pub(crate) fn trust(self, config: &mut SessionConfig) {
        match self {
            Self::Plain => {}
            #[cfg(feature = "tls")]
            Self::Tls => {
                config.tls.add_root_pem(secure::identity().1.as_str());
            }
        }
        // Without TLS there is nothing to change.
        let _ = config;
    }
}

impl Peer {
    /// The URL of a path.
    pub(crate) fn url(&self, path: &str) -> String {
        self.url_at(&self.address.ip().to_string(), path)
    }

    /// The URL of a path, under another name for the host.
    pub(crate) fn url_at(&self, host: &str, path: &str) -> String {
        let scheme = match self.carrier {
            Carrier::Plain => "http",
            #[cfg(feature = "tls")]
            Carrier::Tls => "https",
        };
        format!("{scheme}://{host}:{}{path}", self.address.port())
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections were accepted.
    pub(crate) fn connections(&self) -> usize {
        self.shared.lock().sockets.len()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.stopped = true;
        for socket in &state.sockets {
            // The client may have gone first.
            let _ = socket.shutdown(Shutdown::Both);
        }
        drop(state);
        self.shared.changed.notify_all();
        // Wakes the acceptor; when this fails it is awake already.
        let _ = TcpStream::connect(self.address);
        if let Some(acceptor) = self.acceptor.take() {
            // A panic of a connection's thread has been printed, and the test sees its effect.
            let _ = acceptor.join();
        }
    }
}

pub(crate) trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

/// One connection.
pub(crate) struct Line {
    pub(crate) stream: Box<dyn Stream>,
    shared: Arc<Shared>,
    /// Its number, from 0.
    pub(crate) number: usize,
    /// Bytes that were read behind the last head.
    ahead: Vec<u8>,
}

impl Line {
    /// Reads the head of a request, and gives its target.
    pub(crate) fn head(&mut self) -> io::Result<String> {
        let mut piece = [0; 4096];
        loop {
            if let Some(end) = end_of_head(&self.ahead) {
                let head: Vec<u8> = self.ahead.drain(..end).collect();
                let head = String::from_utf8_lossy(&head).into_owned();
                return Ok(head.split(' ').nth(1).unwrap_or_default().to_owned());
            }
            let length = self.read(&mut piece)?;
            if length == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            self.ahead.extend_from_slice(&piece[..length]);
        }
    }

    /// Reads so many bytes.
    pub(crate) fn skip(&mut self, mut length: usize) -> io::Result<()> {
        let ahead = self.ahead.len().min(length);
        self.ahead.drain(..ahead);
        length -= ahead;
        let mut piece = vec![0; 1 << 16];
        while length > 0 {
            let most = piece.len().min(length);
            let read = self.read(&mut piece[..most])?;
            if read == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            length -= read;
        }
        Ok(())
    }

    fn read(&mut self, piece: &mut [u8]) -> io::Result<usize> {
        self.stream.read(piece)
    }

    /// Sends these bytes.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.write_all(bytes.as_ref())?;
        self.stream.flush()
    }

    /// Sends these bytes one by one, with a pause behind each.
    pub(crate) fn drip(&mut self, bytes: impl AsRef<[u8]>, pause: Duration) -> io::Result<()> {
        for byte in bytes.as_ref() {
            self.send([*byte])?;
            self.pause(pause)?;
        }
        Ok(())
    }

    /// Does so over and over, until the client goes.
    pub(crate) fn drip_on(&mut self, bytes: impl AsRef<[u8]>, pause: Duration) -> io::Result<()> {
        loop {
            self.drip(bytes.as_ref(), pause)?;
        }
    }

    /// Does nothing for a while: the pace of a slow server. An error when the server is dropped.
    pub(crate) fn pause(&self, length: Duration) -> io::Result<()> {
        let stopped = |state: &mut State| !state.stopped;
        let wait = self.shared.changed.wait_timeout_while(self.shared.lock(), length, stopped);
        let (state, _) = wait.unwrap_or_else(PoisonError::into_inner);
        if state.stopped { Err(ErrorKind::ConnectionAborted.into()) } else { Ok(()) }
    }

    /// Neither reads nor writes, until the server is dropped.
    pub(crate) fn silence(&self) -> io::Result<()> {
        self.pause(Duration::MAX)
    }
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// A second handle on each connection.
    sockets: Vec<TcpStream>,
    stopped: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn accept_all<F>(listener: &TcpListener, carrier: Carrier, script: &Arc<F>, shared: &Arc<Shared>)
where
    F: Fn(&mut Line) -> io::Result<()> + Send + Sync + 'static,
{
    let mut threads = Vec::new();
    for socket in listener.incoming() {
        // A connection may be gone before it is accepted.
        let Ok(socket) = socket else { continue };
        let Ok(handle) = socket.try_clone() else { continue };
        let mut state = shared.lock();
        if state.stopped {
            break;
        }
        let number = state.sockets.len();
        state.sockets.push(handle);
        drop(state);
        let (script, shared) = (Arc::clone(script), Arc::clone(shared));
        threads.push(thread::spawn(move || {
            let closes = socket.try_clone();
            let _ = socket.set_nodelay(true);
            let stream: Box<dyn Stream> = match carrier {
                Carrier::Plain => Box::new(socket),
                #[cfg(feature = "tls")]
                Carrier::Tls => Box::new(secure::stream(socket)),
            };
            let mut line = Line { stream, shared, number, ahead: Vec::new() };
            // An error is a client that went, or the end of the server: the test sees its effect.
            let _ = script(&mut line);
            // The server keeps a handle, so that letting go of this one closes nothing.
            let _ = closes.and_then(|socket| socket.shutdown(Shutdown::Both));
        }));
    }
    for thread in threads {
        // As in `Peer::drop`.
        let _ = thread.join();
    }
}
