//! FLOOR 3: sockets and clocks. Knows bytes and deadlines, nothing of redirects or cookies.
//!
//! ```text
//! Target ── dial ──▶ TcpStream ── tls ──▶ Stream ─┐
//!                                                 ├─ Connection pumps bytes between the two
//! request ── encode ──▶ bytes       Exchange ─────┘
//! ```

mod deadline;
mod dial;
mod flow;
mod interrupt;
mod lookups;
mod patience;
mod policy;
mod resolve;
mod socket;
mod stream;
mod times;
#[cfg(feature = "tls-no-provider")]
mod tls;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

pub(crate) use self::deadline::Deadline;
pub(crate) use self::dial::Dialing;
pub(crate) use self::flow::Flow;
pub use self::flow::LowSpeed;
pub(crate) use self::interrupt::{Abandon, GiveUp, Interrupt};
pub(crate) use self::patience::Patience;
use self::patience::is_close;
pub use self::policy::AddressPolicy;
pub use self::resolve::Resolver;
use self::socket::{Look, Socket};
use self::stream::Stream;
use self::times::Times;
#[cfg(feature = "tls-no-provider")]
pub use self::tls::TlsConfig;
#[cfg(feature = "tls-no-provider")]
pub(crate) use self::tls::TlsContext;
use crate::error::{Error, ErrorKind, Phase};
use crate::log::debug;
use crate::message::{Target, Timings};
use crate::observer::Watched;
use crate::wire::{Buffer, Event, Exchange, Limits, RequestKind, ResponseHead, Verdict, WireError};

/// An open connection to one origin.
pub(crate) struct Connection {
    stream: Stream,
    buffer: Buffer,
    peer: Option<SocketAddr>,
    /// When the last exchange ended; `None` before the first.
    used: Option<Instant>,
}

impl Connection {
    /// Opens a connection: look-up, TCP and, for `https`, TLS, all under the one deadline.
    pub(crate) fn open(
        target: &Target,
        dialing: &Dialing,
        #[cfg(feature = "tls-no-provider")] tls: &mut TlsContext,
        patience: &Patience<'_>,
        watched: Watched<'_>,
        timings: &mut Timings,
    ) -> Result<Self, Error> {
        #[cfg(not(feature = "tls-no-provider"))]
        if target.is_https() {
            let detail = "this program was built without TLS (feature `tls` of fetchpool)";
            return Err(Error::new(ErrorKind::Tls, detail).during(Phase::Setup));
        }
        patience.flow.rest();
        let mut times = Times::new(timings);
        let tcp = dial::dial(target, dialing, patience, watched, &mut times)?;
        let peer = tcp.peer_addr().ok();
        let socket = Socket::new(tcp);
        patience.interrupt.watch_socket(socket.tcp());
        #[cfg(feature = "tls-no-provider")]
        let stream = if target.is_https() {
            let secured = tls.connect(socket, target, patience);
            let took = times.lap(|timings| &mut timings.tls);
            let secured = secured?;
            watched.tell(|observer, job| observer.tls(job, target.host_str(), took));
            Stream::Tls(Box::new(secured))
        } else {
            Stream::Plain(socket)
        };
        #[cfg(not(feature = "tls-no-provider"))]
        let stream = Stream::Plain(socket);
        debug!("connected to {:?} for {}", peer, target.origin());
        Ok(Self { stream, buffer: Buffer::new(), peer, used: None })
    }

    pub(crate) const fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }

    /// How long the connection has been idle.
    pub(crate) fn idle(&self, now: Instant) -> Duration {
        self.used.map_or(Duration::ZERO, |used| now.saturating_duration_since(used))
    }

    /// Whether the connection may serve another request: nothing came while it was idle, and the
    /// peer has not closed it. Bytes that arrive before a request was sent can only be a late
    /// word about an earlier one, or an attack; they are never an answer.
    ///
    /// Looked for each time, however short the connection was idle: a second response follows the
    /// first within microseconds, and so does the close of a server that did not announce it.
    pub(crate) fn is_fit(&mut self) -> bool {
        self.buffer.is_empty() && self.stream.is_quiet()
    }

    /// Sends a request and reads the head of its response.
    ///
    /// A peer may answer before it has read the whole request, and close. So when writing fails,
    /// an answer that is already there is read before the failure is believed.
    pub(crate) fn send(
        &mut self,
        request: Outgoing<'_>,
        limits: &Limits,
        patience: &Patience<'_>,
        timings: &mut Timings,
    ) -> Result<Answer, Failure> {
        let reused = self.used.is_some();
        timings.reused = reused;
        patience.interrupt.watch_socket(self.stream.tcp());
        let mut times = Times::new(timings);
        patience.flow.begin();
        let mut exchange = Exchange::new(request.kind, limits);
        if !reused {
            self.hear_out(patience).map_err(|error| Failure { error, went_stale: false })?;
        }
        let written = self.write(request, &mut exchange, patience);
        times.lap(|timings| &mut timings.sending);
        let (failed, sent_whole) = match written {
            Ok(Written::Whole) => (None, true),
            Ok(Written::Answered(head)) => {
                return Ok(Answer { head, exchange, sent_whole: false });
            }
            Err(Unwritten::Refused(error)) => return Err(Failure { error, went_stale: false }),
            Err(Unwritten::Closed(error)) => (Some(error), false),
        };
        patience.flow.sent();
        let head = self.read_head(&mut exchange, patience);
        times.lap(|timings| &mut timings.waiting);
        let error = match (head, failed) {
            (Ok(head), _) => return Ok(Answer { head, exchange, sent_whole }),
            (Err(error), None) => error.during(Phase::Waiting),
            (Err(_), Some(error)) => error,
        };
        let untouched = !exchange.has_received();
        let went_stale = reused && untouched && error.kind() == ErrorKind::Closed;
        Err(Failure { error, went_stale })
    }

    /// Refuses a peer that speaks before it was asked: what it says answers somebody else's
    /// request, or none. (A kept connection was looked at before it was chosen.)
    fn hear_out(&mut self, patience: &Patience<'_>) -> Result<(), Error> {
        match self.stream.look() {
            // That the peer has closed is found, and told, where the answer is waited for.
            Ok(Look::Quiet | Look::Closed) => Ok(()),
            Ok(Look::Bytes) => {
                self.fill(READ_BYTES_HEAD, Phase::Sending, patience)?;
                let unasked = WireError::unasked(self.buffer.filled());
                Err(Error::from(unasked).during(Phase::Sending))
            }
            Ok(Look::Noise) => {
                let detail = "a flood of TLS records came before the request was sent";
                Err(Error::new(ErrorKind::Protocol, detail).during(Phase::Sending))
            }
            Err(error) => Err(patience.error(error, Phase::Sending, ErrorKind::Io, "")),
        }
    }

    /// Writes the request, unless the peer answers before the end of it.
    ///
    /// A peer that will not have a large body may answer at once. It may then read no more and keep
    /// the connection open: whoever only writes waits for ever. Or it may read on, and be sent all
    /// of it for nothing. So it is looked whether there is something to read when writing comes to
    /// a stop, and now and then. An interim response is not an answer.
    fn write(
        &mut self,
        request: Outgoing<'_>,
        exchange: &mut Exchange,
        patience: &Patience<'_>,
    ) -> Result<Written, Unwritten> {
        let failed = |error: io::Error| {
            let closed = is_close(&error);
            let detail = "the request was not sent";
            let error = patience.error(error, Phase::Sending, ErrorKind::Io, detail);
            if closed { Unwritten::Closed(error) } else { Unwritten::Refused(error) }
        };
        let mut unwatched = 0_usize;
        // A head can be long, too: its URL may have any length.
        for mut rest in [request.head, request.body] {
            let mut pending = false;
            while pending || !rest.is_empty() {
                if unwatched >= LOOK_BYTES {
                    unwatched = 0;
                    if let Some(head) = self.read_early(exchange, patience)? {
                        return Ok(Written::Answered(head));
                    }
                }
                let piece = rest.get(..PIECE_BYTES).unwrap_or(rest);
                let progress = self.stream.write_for(STALL, piece, patience).map_err(failed)?;
                unwatched = match progress.stalled {
                    true => LOOK_BYTES,
                    false => unwatched.saturating_add(progress.taken),
                };
                rest = rest.get(progress.taken..).unwrap_or_default();
                pending = progress.pending;
            }
        }
        Ok(Written::Whole)
    }

    /// Reads what has come while the request was still being written, if anything has.
    fn read_early(
        &mut self,
        exchange: &mut Exchange,
        patience: &Patience<'_>,
    ) -> Result<Option<Box<ResponseHead>>, Unwritten> {
        let refused = |error: Error| Unwritten::Refused(error.during(Phase::Sending));
        let filled = match self.stream.look() {
            // Who waited for data behind the noise could wait for the answer, and send no more.
            Ok(Look::Quiet | Look::Noise) => return Ok(None),
            Ok(Look::Bytes | Look::Closed) => self.fill(READ_BYTES_HEAD, Phase::Sending, patience),
            Err(error) => Err(patience.error(error, Phase::Sending, ErrorKind::Io, "")),
        };
        match filled {
            // No answer can come any more, whatever else is sent.
            Ok(0) => exchange
                .receive_close()
                .map_err(|error| Unwritten::Closed(Error::from(error).during(Phase::Sending)))?,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Closed => {
                return Err(Unwritten::Closed(error));
            }
            Err(error) => return Err(refused(error)),
        }
        self.next_head(exchange).map_err(refused)
    }

    fn read_head(
        &mut self,
        exchange: &mut Exchange,
        patience: &Patience<'_>,
    ) -> Result<Box<ResponseHead>, Error> {
        loop {
            if let Some(head) = self.next_head(exchange)? {
                return Ok(head);
            }
            if self.fill(READ_BYTES_HEAD, Phase::Waiting, patience)? == 0 {
                exchange.receive_close()?;
            }
        }
    }

    /// The head, if it has come; interim responses are passed over.
    fn next_head(&mut self, exchange: &mut Exchange) -> Result<Option<Box<ResponseHead>>, Error> {
        loop {
            match exchange.next_event(&mut self.buffer)? {
                Event::Head(head) => return Ok(Some(head)),
                Event::Interim(status) => debug!("interim response {status} from {:?}", self.peer),
                Event::NeedInput => return Ok(None),
                // The table of the exchange has no body before its head.
                Event::Data(_) | Event::End => {
                    return Err(Error::new(ErrorKind::Protocol, "a body came before its head"));
                }
            }
        }
    }

    /// Receives the body of an answer into a sink, to its end.
    pub(crate) fn receive(
        &mut self,
        exchange: &mut Exchange,
        sink: &mut dyn Sink,
        patience: &Patience<'_>,
        timings: &mut Timings,
    ) -> Result<(), Error> {
        let mut times = Times::new(timings);
        let received = self.pump(exchange, sink, patience);
        times.lap(|timings| &mut timings.receiving);
        received.map_err(|error| error.during(Phase::Receiving))
    }

    fn pump(
        &mut self,
        exchange: &mut Exchange,
        sink: &mut dyn Sink,
        patience: &Patience<'_>,
    ) -> Result<(), Error> {
        let mut patience = *patience;
        loop {
            match exchange.next_event(&mut self.buffer)? {
                Event::End => return Ok(()),
                Event::Data(count) => {
                    let mut bytes = self.buffer.take(count);
                    while patience.flow.work(|| sink.data(&mut bytes))? {
                        pause(sink, &self.stream, &mut patience)?;
                        // A few bytes may be much work.
                        patience.check(Phase::Decoding)?;
                    }
                }
                Event::NeedInput => {
                    let wanted = usize::try_from(exchange.direct()).unwrap_or(usize::MAX);
                    if wanted > 0
                        && self.buffer.is_empty()
                        && let Some(space) = sink.space(wanted)
                    {
                        let count = self.stream.read(space, &patience).map_err(|error| {
                            patience.error(error, Phase::Receiving, ErrorKind::Io, "")
                        })?;
                        sink.filled(count);
                        match u64::try_from(count) {
                            Ok(count) if count > 0 => exchange.receive_direct(count)?,
                            _ => exchange.receive_close()?,
                        }
                    } else if self.fill(READ_BYTES_BODY, Phase::Receiving, &patience)? == 0 {
                        exchange.receive_close()?;
                    }
                }
                // The table of the exchange has no head after its head.
                Event::Head(_) | Event::Interim(_) => {
                    return Err(Error::new(ErrorKind::Protocol, "a second head in the response"));
                }
            }
            pause(sink, &self.stream, &mut patience)?;
        }
    }

    /// Ends the exchange. Whether the connection may be kept, by all that has been seen of it.
    pub(crate) fn finish(&mut self, answer: &Answer) -> Verdict {
        self.used = Some(Instant::now());
        self.buffer.shrink_if_large();
        answer.exchange.verdict(&self.buffer)
    }

    fn fill(&mut self, want: usize, phase: Phase, patience: &Patience<'_>) -> Result<usize, Error> {
        let space = self.buffer.space(want);
        let count = self
            .stream
            .read(space, patience)
            .map_err(|error| patience.error(error, phase, ErrorKind::Io, ""))?;
        if count > 0 {
            patience.flow.answered();
        }
        self.buffer.advance(count);
        Ok(count)
    }
}

/// Lets the sink wait for memory.
fn pause(sink: &mut dyn Sink, stream: &Stream, patience: &mut Patience<'_>) -> Result<(), Error> {
    let paused = sink.pause(patience)?;
    if !paused.is_zero() {
        // What was waited for meanwhile was something else.
        patience.interrupt.watch_socket(stream.tcp());
        *patience = patience.after_pause(paused);
    }
    Ok(())
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("peer", &self.peer).finish_non_exhaustive()
    }
}

/// How the writing of a request ended.
enum Written {
    Whole,
    /// The answer came before the end of it.
    Answered(Box<ResponseHead>),
}

/// Why a request was not written.
enum Unwritten {
    /// The peer has closed; it may have said why.
    Closed(Error),
    /// There is no more to come.
    Refused(Error),
}

/// A request as bytes.
#[derive(Clone, Copy)]
pub(crate) struct Outgoing<'a> {
    pub(crate) kind: RequestKind,
    pub(crate) head: &'a [u8],
    pub(crate) body: &'a [u8],
}

/// A response whose head has been read and whose body has not.
pub(crate) struct Answer {
    pub(crate) head: Box<ResponseHead>,
    pub(crate) exchange: Exchange,
    /// Whether the peer waited for the whole request. If it did not, what is left of the request
    /// stands in the way of the next one.
    pub(crate) sent_whole: bool,
}

/// Why there is no answer.
pub(crate) struct Failure {
    pub(crate) error: Error,
    /// The connection had served before, and was closed before a byte of an answer came: the
    /// peer most likely closed it while it was idle, and never saw the request.
    pub(crate) went_stale: bool,
}

/// Where a body goes.
pub(crate) trait Sink {
    /// Takes some bytes in front of these, which are body. Whether it is to be called again, with
    /// the rest, before the next ones: it does a little work at a time.
    fn data(&mut self, bytes: &mut &[u8]) -> Result<bool, Error>;

    /// Room of at most `wanted` bytes to read the body's next bytes into, past every buffer;
    /// `None` if the bytes must pass through [`data`](Self::data).
    fn space(&mut self, wanted: usize) -> Option<&mut [u8]> {
        let _ = wanted;
        None
    }

    /// Waits until there is memory for more, and says how long that took. Such a wait is ours and
    /// not the peer's: the request's clocks stand still for it.
    fn pause(&mut self, patience: &Patience<'_>) -> Result<Duration, Error> {
        let _ = patience;
        Ok(Duration::ZERO)
    }

    /// The first `count` bytes of the room that [`space`](Self::space) gave are body now.
    fn filled(&mut self, count: usize) {
        let _ = count;
    }
}

/// How much of a request is written at a time, and after how much, or how long a stop, it is looked
/// whether the peer has answered.
const PIECE_BYTES: usize = 64 << 10;
const LOOK_BYTES: usize = 1 << 20;
const STALL: Duration = Duration::from_millis(50);
/// How much room a read is given. A head mostly comes whole, with a small body behind it; a large
/// body that must pass through the buffer is read in larger pieces.
const READ_BYTES_HEAD: usize = 4 * 1024;
const READ_BYTES_BODY: usize = 16 * 1024;
