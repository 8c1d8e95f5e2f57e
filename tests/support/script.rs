//! A scripted server: what each connection does is written down before it is accepted.
//!
//! ```text
//! Script::new()
//!     .reply(ok("one")).close()          // first connection
//!     .accept().reply(ok("two"))         // second connection
//!     .serve()
//! ```
//!
//! A connection whose script is over reads on, records what still comes, and ends when the client
//! goes. A connection that no script was written for is counted and closed. Every wait ends after
//! [`PATIENCE`]; dropping the server ends and joins everything.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How long any single wait of a server may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// A response with a length: `HTTP/1.1 200 OK`.
pub(crate) fn ok(body: impl AsRef<[u8]>) -> Vec<u8> {
    reply("200 OK", "", body)
}

/// A response with this status, these fields (each with its CRLF) and a length.
pub(crate) fn reply(status: &str, fields: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let mut bytes =
        format!("HTTP/1.1 {status}\r\n{fields}Content-Length: {}\r\n\r\n", body.len()).into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// A redirect without a body.
pub(crate) fn redirect(status: u16, location: &str) -> Vec<u8> {
    reply(&format!("{status} Elsewhere"), &format!("Location: {location}\r\n"), "")
}

/// A server that is still being written.
pub(crate) struct Script {
    connections: Vec<Vec<Step>>,
    /// Whether the last connection's script is played for all later ones too.
    repeated: bool,
}

impl Script {
    /// A server whose first connection does nothing yet.
    pub(crate) fn new() -> Self {
        Self { connections: vec![Vec::new()], repeated: false }
    }

    /// A server that answers every request of every connection by a function. A reply with
    /// `Connection: close`, or of HTTP/1.0, is followed by a close.
    pub(crate) fn site(answer: impl Fn(&Recorded) -> Vec<u8> + Send + Sync + 'static) -> Server {
        Self::new().site_from_here(answer)
    }

    /// The same from this connection on.
    pub(crate) fn site_from_here(
        self,
        answer: impl Fn(&Recorded) -> Vec<u8> + Send + Sync + 'static,
    ) -> Server {
        self.step(Step::Site(Arc::new(answer))).repeat().serve()
    }

    /// Goes on with the script of the next connection.
    pub(crate) fn accept(mut self) -> Self {
        self.connections.push(Vec::new());
        self
    }

    /// Waits for a whole request and sends these bytes.
    pub(crate) fn reply(self, bytes: impl AsRef<[u8]>) -> Self {
        self.request().send(bytes)
    }

    /// Waits for a whole request and sends these bytes one by one.
    pub(crate) fn drip(self, bytes: impl AsRef<[u8]>) -> Self {
        self.request().step(Step::Drip(bytes.as_ref().to_vec(), Duration::ZERO))
    }

    /// Sends these bytes one by one, with a pause behind each, over and over until the client
    /// goes.
    pub(crate) fn drip_on(self, bytes: impl AsRef<[u8]>, pause: Duration) -> Self {
        self.step(Step::DripOn(bytes.as_ref().to_vec(), pause))
    }

    /// Waits for a whole request.
    pub(crate) fn request(self) -> Self {
        self.step(Step::Request)
    }

    /// Waits for a request, and leaves its last byte unread: the next `close` then resets the
    /// connection, since `SO_LINGER` is not in std.
    pub(crate) fn request_but_one_byte(self) -> Self {
        self.step(Step::RequestButOneByte)
    }

    /// Waits for the head of a request, and leaves its body unread.
    pub(crate) fn request_head(self) -> Self {
        self.step(Step::RequestHead)
    }

    /// Reads so many bytes, and records them as if they were a request.
    pub(crate) fn take(self, count: usize) -> Self {
        self.step(Step::Take(count))
    }

    /// Reads so many bytes, and records nothing.
    pub(crate) fn skip(self, count: usize) -> Self {
        self.step(Step::Skip(count))
    }

    /// Sends these bytes.
    pub(crate) fn send(self, bytes: impl AsRef<[u8]>) -> Self {
        self.step(Step::Send(bytes.as_ref().to_vec()))
    }

    /// Closes the connection; with bytes of the client's unread, this resets it.
    pub(crate) fn close(self) -> Self {
        self.step(Step::Close)
    }

    /// Waits until the client sends something more, and resets the connection.
    pub(crate) fn reset(self) -> Self {
        self.step(Step::Reset)
    }

    /// Sends no more, but keeps the connection.
    pub(crate) fn shutdown(self) -> Self {
        self.step(Step::Shutdown)
    }

    /// Waits for the gate.
    pub(crate) fn wait(self, gate: &Gate) -> Self {
        self.step(Step::Wait(gate.clone()))
    }

    /// Opens a gate for the test: everything before it in this connection's script is done.
    pub(crate) fn open(self, gate: &Gate) -> Self {
        self.step(Step::Open(gate.clone()))
    }

    /// Neither reads nor writes, until the server is dropped.
    pub(crate) fn deaf(self) -> Self {
        self.step(Step::Deaf)
    }

    /// Plays the last connection's script for all later ones too.
    pub(crate) fn repeat(mut self) -> Self {
        self.repeated = true;
        self
    }

    /// Starts listening.
    pub(crate) fn serve(self) -> Server {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port on loopback");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared::default());
        let acceptor = thread::spawn({
            let shared = Arc::clone(&shared);
            move || accept_all(&listener, self, &shared)
        });
        Server { address, shared, acceptor: Some(acceptor) }
    }

    fn step(mut self, step: Step) -> Self {
        self.connections.last_mut().expect("INVARIANT: never empty").push(step);
        self
    }
}

/// A running script.
pub(crate) struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

impl Server {
    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:port`, without a slash at the end.
    pub(crate) fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The URL of a path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// How many connections were accepted.
    pub(crate) fn connections(&self) -> usize {
        self.shared.lock().ended.len()
    }

    /// Every request so far, in the order of their last bytes.
    pub(crate) fn requests(&self) -> Vec<Recorded> {
        self.shared.lock().requests.clone()
    }

    /// The first lines of every request so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.requests().iter().map(Recorded::line).collect()
    }

    /// The only request so far.
    pub(crate) fn request(&self) -> Recorded {
        let mut requests = self.requests();
        assert_eq!(requests.len(), 1, "{requests:?}");
        requests.remove(0)
    }

    /// Waits until the connection of this number, counted from 0, is over on this side.
    pub(crate) fn wait_for_end_of(&self, connection: usize) {
        let ended = self.shared.wait(|state| state.ended.get(connection).copied().unwrap_or(false));
        assert!(ended, "connection {connection} was not over in time");
    }

    /// Waits until this many requests came.
    pub(crate) fn wait_for_requests(&self, count: usize) {
        assert!(self.shared.wait(|state| state.requests.len() >= count), "too few requests");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.stopped = true;
        for stream in state.streams.iter().flatten() {
            // The client may have gone first.
            let _ = stream.shutdown(Shutdown::Both);
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

/// Something the test opens and a script waits for.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    /// A closed gate.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Opens it, for good.
    pub(crate) fn open(&self) {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.0.1.notify_all();
    }

    /// Waits until it is open; `false` if it was not in time.
    pub(crate) fn wait(&self) -> bool {
        let open = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.0.1.wait_timeout_while(open, PATIENCE, |open| !*open);
        let (open, _) = waited.unwrap_or_else(PoisonError::into_inner);
        *open
    }
}

/// One request, as its bytes came.
#[derive(Clone, Debug)]
pub(crate) struct Recorded {
    /// The number of the connection, from 0.
    pub(crate) connection: usize,
    /// Every byte of it.
    pub(crate) raw: Vec<u8>,
}

impl Recorded {
    /// The head, without the blank line.
    pub(crate) fn head(&self) -> String {
        let end = end_of_head(&self.raw).map_or(self.raw.len(), |end| end - 4);
        String::from_utf8_lossy(&self.raw[..end]).into_owned()
    }

    /// The request line.
    pub(crate) fn line(&self) -> String {
        self.head().split("\r\n").next().unwrap_or_default().to_owned()
    }

    /// The method.
    pub(crate) fn method(&self) -> String {
        self.line().split(' ').next().unwrap_or_default().to_owned()
    }

    /// The request target.
    pub(crate) fn target(&self) -> String {
        self.line().split(' ').nth(1).unwrap_or_default().to_owned()
    }

    /// The first value of a field.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        self.headers(name).into_iter().next()
    }

    /// Every value of a field, in order.
    pub(crate) fn headers(&self, name: &str) -> Vec<String> {
        let is_it = |line: &str| {
            let (field, value) = line.split_once(':')?;
            field.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        };
        self.head().split("\r\n").skip(1).filter_map(is_it).collect()
    }

    /// What stands behind the head.
    pub(crate) fn body(&self) -> &[u8] {
        &self.raw[end_of_head(&self.raw).unwrap_or(self.raw.len())..]
    }

    /// The body without the framing of its chunks, if it has any.
    pub(crate) fn content(&self) -> Vec<u8> {
        match self.header("transfer-encoding") {
            Some(_) => chunks(self.body()).expect("a whole body").0.concat(),
            None => self.body().to_vec(),
        }
    }
}

/// The length of a head with its blank line.
pub(crate) fn end_of_head(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4)
}

/// The length of the whole request at the start of these bytes, if it is all there.
pub(crate) fn end_of_request(bytes: &[u8]) -> Option<usize> {
    let head = end_of_head(bytes)?;
    let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
    if text.contains("\r\ntransfer-encoding: chunked\r\n") {
        return chunks(&bytes[head..]).map(|(_, length)| head + length);
    }
    let length = text
        .split("\r\n")
        .find_map(|line| line.strip_prefix("content-length:"))
        .map_or(0, |value| value.trim().parse::<usize>().expect("a content length"));
    (bytes.len() >= head + length).then_some(head + length)
}

/// The chunks of a body, without the last one, and its length with all framing, if it is all there.
pub(crate) fn chunks(bytes: &[u8]) -> Option<(Vec<&[u8]>, usize)> {
    let (mut data, mut at) = (Vec::new(), 0);
    loop {
        let line = bytes[at..].windows(2).position(|two| two == b"\r\n")?;
        let size = std::str::from_utf8(&bytes[at..at + line]).expect("a chunk's size");
        let size = usize::from_str_radix(size, 16).expect("a chunk's size");
        let (from, to) = (at + line + 2, at + line + 2 + size);
        if bytes.len() < to + 2 {
            return None;
        }
        assert_eq!(&bytes[to..to + 2], b"\r\n", "behind the data of a chunk");
        at = to + 2;
        if size == 0 {
            return Some((data, at));
        }
        data.push(&bytes[from..to]);
    }
}

/// What a site says to a request.
type Answer = dyn Fn(&Recorded) -> Vec<u8> + Send + Sync;

#[derive(Clone)]
enum Step {
    Request,
    RequestButOneByte,
    RequestHead,
    Take(usize),
    Skip(usize),
    Send(Vec<u8>),
    Drip(Vec<u8>, Duration),
    DripOn(Vec<u8>, Duration),
    Site(Arc<Answer>),
    Wait(Gate),
    Open(Gate),
    Shutdown,
    Deaf,
    Reset,
    Close,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    requests: Vec<Recorded>,
    /// One for each connection: whether it is over.
    ended: Vec<bool>,
    /// A second handle on each connection, until it is over.
    streams: Vec<Option<TcpStream>>,
    stopped: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until this holds, and says whether it does.
    fn wait(&self, holds: impl Fn(&State) -> bool) -> bool {
        let waited = self.changed.wait_timeout_while(self.lock(), PATIENCE, |state| !holds(state));
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        holds(&state)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }
}

fn accept_all(listener: &TcpListener, script: Script, shared: &Arc<Shared>) {
    let last = script.repeated.then(|| script.connections.last().cloned()).flatten();
    let mut scripts = VecDeque::from(script.connections);
    let mut players = Vec::new();
    for stream in listener.incoming() {
        let Ok(stream) = stream else { break };
        let mut state = shared.lock();
        if state.stopped {
            break;
        }
        let number = state.ended.len();
        state.ended.push(false);
        state.streams.push(stream.try_clone().ok());
        drop(state);
        shared.changed.notify_all();
        let steps =
            scripts.pop_front().or_else(|| last.clone()).unwrap_or_else(|| vec![Step::Close]);
        let mut player = Player { stream, number, shared: Arc::clone(shared), ahead: Vec::new() };
        players.push(thread::spawn(move || {
            // An error is a client that went, or an end of patience: the test sees its effect.
            let _ = player.play(&steps);
            player.end();
        }));
    }
    for player in players {
        // As in `Server::drop`.
        let _ = player.join();
    }
}

/// Plays the script of one connection.
struct Player {
    stream: TcpStream,
    number: usize,
    shared: Arc<Shared>,
    /// Bytes that were read and belong to no request yet.
    ahead: Vec<u8>,
}

impl Player {
    fn play(&mut self, steps: &[Step]) -> io::Result<()> {
        self.stream.set_read_timeout(Some(PATIENCE))?;
        self.stream.set_write_timeout(Some(PATIENCE))?;
        self.stream.set_nodelay(true)?;
        for step in steps {
            match step {
                Step::Request => drop(self.request()?),
                Step::RequestButOneByte => self.request_but_one_byte()?,
                Step::RequestHead => self.request_head()?,
                Step::Take(count) => {
                    let mut raw = vec![0; *count];
                    self.stream.read_exact(&mut raw)?;
                    self.record(raw);
                }
                Step::Skip(count) => {
                    let mut left = (&self.stream).take(*count as u64);
                    if io::copy(&mut left, &mut io::sink())? < *count as u64 {
                        return Err(ErrorKind::UnexpectedEof.into());
                    }
                }
                Step::Send(bytes) => self.stream.write_all(bytes)?,
                Step::Drip(bytes, pause) => self.drip(bytes, *pause)?,
                Step::DripOn(bytes, pause) => {
                    let started = Instant::now();
                    while started.elapsed() < PATIENCE {
                        self.drip(bytes, *pause)?;
                    }
                }
                Step::Site(answer) => return self.site(answer.as_ref()),
                Step::Wait(gate) => {
                    if !gate.wait() {
                        return Err(ErrorKind::TimedOut.into());
                    }
                }
                Step::Open(gate) => gate.open(),
                Step::Shutdown => self.stream.shutdown(Shutdown::Write)?,
                Step::Deaf => {
                    self.shared.wait(|state| state.stopped);
                    return Ok(());
                }
                Step::Reset => {
                    self.stream.peek(&mut [0])?;
                    return Ok(());
                }
                Step::Close => return Ok(()),
            }
        }
        self.read_on()
    }

    fn site(&mut self, answer: &Answer) -> io::Result<()> {
        loop {
            let request = self.request()?;
            let bytes = answer(&request);
            self.stream.write_all(&bytes)?;
            let head = end_of_head(&bytes).unwrap_or(bytes.len());
            let head = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
            if head.contains("\r\nconnection: close\r\n") || head.starts_with("http/1.0") {
                return Ok(());
            }
        }
    }

    fn request(&mut self) -> io::Result<Recorded> {
        let mut piece = vec![0; 1 << 16];
        loop {
            if let Some(end) = end_of_request(&self.ahead) {
                let rest = self.ahead.split_off(end);
                let raw = std::mem::replace(&mut self.ahead, rest);
                return Ok(self.record(raw));
            }
            let length = self.stream.read(&mut piece)?;
            if length == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            self.ahead.extend_from_slice(&piece[..length]);
        }
    }

    fn request_but_one_byte(&mut self) -> io::Result<()> {
        let started = Instant::now();
        let mut piece = vec![0; 1 << 16];
        while started.elapsed() < PATIENCE {
            let length = self.stream.peek(&mut piece)?;
            if let Some(end) = end_of_request(&piece[..length]) {
                self.stream.read_exact(&mut vec![0; end - 1])?;
                self.record(piece[..end].to_vec());
                return Ok(());
            }
            thread::yield_now();
        }
        Err(ErrorKind::TimedOut.into())
    }

    fn request_head(&mut self) -> io::Result<()> {
        let mut raw = Vec::new();
        while end_of_head(&raw).is_none() {
            let mut byte = [0];
            self.stream.read_exact(&mut byte)?;
            raw.extend_from_slice(&byte);
        }
        self.record(raw);
        Ok(())
    }

    fn drip(&mut self, bytes: &[u8], pause: Duration) -> io::Result<()> {
        for byte in bytes {
            self.stream.write_all(std::slice::from_ref(byte))?;
            if pause.is_zero() {
                thread::yield_now();
            } else {
                // The pace of a slow server, not a way to wait for something.
                thread::sleep(pause);
            }
        }
        Ok(())
    }

    /// Records what still comes, until the client goes.
    fn read_on(&mut self) -> io::Result<()> {
        let mut rest = std::mem::take(&mut self.ahead);
        let read = self.stream.read_to_end(&mut rest);
        if !rest.is_empty() {
            self.record(rest);
        }
        read.map(drop)
    }

    fn record(&self, raw: Vec<u8>) -> Recorded {
        let recorded = Recorded { connection: self.number, raw };
        let kept = recorded.clone();
        self.shared.change(|state| state.requests.push(kept));
        recorded
    }

    /// Closes the socket, and only then says that the connection is over.
    fn end(self) {
        let Self { stream, number, shared, .. } = self;
        drop(stream);
        shared.change(|state| {
            // The last handle: only now is it closed.
            state.streams[number] = None;
            state.ended[number] = true;
        });
    }
}
