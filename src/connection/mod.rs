//! FLOOR 3: sockets and clocks. Knows bytes and deadlines, nothing of redirects or cookies.
//!
//! ```text
//! Target ── dial ──▶ Pipe ── (proxy) ── tls ──▶ Stream ─┐
//!                                                        ├─ Connection pumps bytes between the two
//! request ── encode ──▶ bytes              Exchange ─────┘
//! ```

mod addresses;
mod answer;
mod cache;
mod connect;
mod connectors;
mod deadline;
mod dial;
mod dialing;
mod expect;
mod eyeballs;
mod feed;
mod flow;
mod interrupt;
#[cfg(unix)]
mod local;
mod lookups;
mod overrides;
mod patience;
mod pipe;
mod policy;
mod proxy;
mod race;
mod reached;
mod resolve;
mod routes;
mod send;
mod sink;
mod socket;
mod stream;
mod through;
mod times;
#[cfg(feature = "tls-no-provider")]
mod tls;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

pub(crate) use self::answer::{Answer, Failure, Outgoing};
pub use self::cache::DnsCache;
pub(crate) use self::deadline::Deadline;
pub(crate) use self::dialing::Dialing;
pub(crate) use self::feed::{Feed, Payload};
pub(crate) use self::flow::Flow;
pub use self::flow::LowSpeed;
pub(crate) use self::interrupt::{Abandon, GiveUp, Interrupt};
pub(crate) use self::overrides::Overrides;
pub(crate) use self::patience::Patience;
pub use self::policy::AddressPolicy;
pub(crate) use self::proxy::refusal;
pub use self::proxy::{Destination, Proxies, Proxy};
use self::reached::Reached;
pub use self::resolve::Resolver;
pub(crate) use self::sink::Sink;
use self::stream::Stream;
use self::times::Times;
#[cfg(feature = "tls-no-provider")]
pub use self::tls::TlsConfig;
#[cfg(feature = "tls-no-provider")]
pub(crate) use self::tls::TlsContext;
use crate::error::{Error, ErrorKind, Phase};
use crate::log::debug;
use crate::message::{Target, Timings, TlsInfo};
use crate::observer::Watched;
use crate::wire::{Buffer, Event, Exchange, Limits, Verdict};

/// An open connection to one origin.
pub(crate) struct Connection {
    stream: Stream,
    buffer: Buffer,
    /// How much is read at a time until there is a head.
    piece: usize,
    peer: Option<SocketAddr>,
    /// Addresses of the host that did not connect, before the peer's did.
    passed_over: Vec<SocketAddr>,
    /// What it leads through: a part of its identity.
    proxy: Option<Proxy>,
    /// An exchange over it has ended.
    is_used: bool,
}

impl Connection {
    /// Opens a connection: look-up, TCP, a proxy's part and, for `https`, TLS, all under the one
    /// deadline. In a box: it is moved from hand to hand.
    pub(crate) fn open(
        route: &Route<'_>,
        dialing: &Dialing,
        #[cfg(feature = "tls-no-provider")] tls: &TlsContext,
        patience: &Patience<'_>,
        watched: Watched<'_>,
        timings: &mut Timings,
    ) -> Result<Box<Self>, Error> {
        let target = route.target;
        #[cfg(not(feature = "tls-no-provider"))]
        if target.is_https() {
            return Err(without_tls());
        }
        patience.flow.rest();
        let mut times = Times::new(timings);
        let reached = match route.proxy {
            None => {
                let (host, port) = (target.host(), target.port());
                let dialed = dial::dial(&host, port, dialing, patience, watched, &mut times)?;
                Reached::by(dialed, patience)
            }
            Some(proxy) => Self::through(
                proxy,
                route,
                dialing,
                #[cfg(feature = "tls-no-provider")]
                tls,
                patience,
                watched,
                &mut times,
            )?,
        };
        let Reached { stream, peer, passed_over } = reached;
        #[cfg(feature = "tls-no-provider")]
        let stream = if target.is_https() {
            let secured = stream.secure(tls, target, patience);
            let took = times.lap(|timings| &mut timings.tls);
            let secured = secured.map_err(|error| {
                let error = error.tried(passed_over.iter().copied().chain(peer));
                match route.proxy {
                    Some(proxy) => error.through_proxy(proxy),
                    None => error,
                }
            })?;
            watched.tell(|observer, job| observer.tls(job, target.host_str(), took));
            secured
        } else {
            stream
        };
        debug!("connected to {:?} for {}", peer, target.origin());
        let proxy = route.proxy.cloned();
        Ok(Box::new(Self {
            stream,
            buffer: Buffer::new(),
            piece: READ_BYTES_FIRST,
            peer,
            passed_over,
            proxy,
            is_used: false,
        }))
    }

    /// What the connection leads through.
    pub(crate) const fn proxy(&self) -> Option<&Proxy> {
        self.proxy.as_ref()
    }

    pub(crate) const fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }

    /// The addresses that were tried before the peer's, in vain.
    pub(crate) fn passed_over(&self) -> &[SocketAddr] {
        &self.passed_over
    }

    /// What TLS settled, if it is spoken.
    pub(crate) fn tls(&self) -> Option<Arc<TlsInfo>> {
        self.stream.tls().cloned()
    }

    /// Whether the peer knows as much of us as one would that this way led to: the session's own
    /// certificate or not. What a proxy in the target's place was shown is the proxy's affair.
    #[cfg(feature = "tls-no-provider")]
    pub(crate) fn is_as(&self, tls: &TlsContext, target: &Target) -> bool {
        !target.is_https() || self.stream.is_identified() == tls.is_identified_to(target)
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

    /// Receives the body of an answer into a sink, to its end.
    pub(crate) fn receive(
        &mut self,
        answer: &mut Answer,
        sink: &mut dyn Sink,
        patience: &Patience<'_>,
        timings: &mut Timings,
    ) -> Result<(), Error> {
        let mut times = Times::since(answer.at, timings);
        let received = self.pump(&mut answer.exchange, sink, patience);
        times.lap(|timings| &mut timings.receiving);
        answer.at = times.last();
        received.map_err(|error| error.during(Phase::Receiving))
    }

    fn pump(
        &mut self,
        exchange: &mut Exchange,
        sink: &mut dyn Sink,
        patience: &Patience<'_>,
    ) -> Result<(), Error> {
        let mut patience = *patience;
        // The last read filled its room: there may be more by now.
        let mut is_ahead = false;
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
                    let is_direct = wanted > 0 && self.buffer.is_empty();
                    if is_direct
                        && std::mem::take(&mut is_ahead)
                        && let Some(read) = self.pump_at_once(wanted, sink, &patience)?
                    {
                        exchange.receive_direct(read.count)?;
                        is_ahead = read.is_full;
                        continue;
                    }
                    if is_direct && let Some(space) = sink.space(wanted) {
                        let room = space.len();
                        let count = self.stream.read(space, &patience).map_err(|error| {
                            patience.error(error, Phase::Receiving, ErrorKind::Io, "")
                        })?;
                        is_ahead = count == room;
                        if count > 0 {
                            patience.flow.work(|| sink.filled(count))?;
                        }
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

    /// Reads what is there by now, as much of it as there is memory for; `None` where that is nothing.
    #[inline(never)]
    fn pump_at_once(
        &mut self,
        wanted: usize,
        sink: &mut dyn Sink,
        patience: &Patience<'_>,
    ) -> Result<Option<AtOnce>, Error> {
        let Some(socket) = self.stream.as_plain() else { return Ok(None) };
        let Some(space) = sink.space_at_once(wanted) else { return Ok(None) };
        let room = space.len();
        let read = socket.read_at_once(space, patience);
        // First of all: memory was set aside for it.
        let count = *read.as_ref().unwrap_or(&None);
        patience.flow.work(|| sink.filled(count.unwrap_or(0)))?;
        match read {
            // The end is found where it is waited for.
            Ok(None | Some(0)) => Ok(None),
            Ok(Some(bytes)) => {
                let count = u64::try_from(bytes).unwrap_or(u64::MAX);
                Ok(Some(AtOnce { count, is_full: bytes == room }))
            }
            Err(error) => Err(patience.error(error, Phase::Receiving, ErrorKind::Io, "")),
        }
    }

    /// Ends the exchange. Whether the connection may be kept, by all that has been seen of it.
    pub(crate) fn finish(&mut self, answer: &Answer) -> Verdict {
        self.is_used = true;
        self.buffer.shrink_if_large();
        answer.exchange.verdict(&self.buffer)
    }

    /// Reads a piece of what there may be before a body.
    fn fill_for_head(&mut self, phase: Phase, patience: &Patience<'_>) -> Result<usize, Error> {
        let count = self.fill(self.piece, phase, patience)?;
        if count >= self.piece {
            self.piece = READ_BYTES_HEAD;
        }
        Ok(count)
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

/// What a read brought that did not wait.
struct AtOnce {
    count: u64,
    /// There was no room for more.
    is_full: bool,
}

/// How a target is to be reached.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Route<'a> {
    pub(crate) target: &'a Target,
    pub(crate) proxy: Option<&'a Proxy>,
    /// What holds for the answer of a proxy, too.
    pub(crate) limits: &'a Limits,
}

/// The error of a program that cannot do TLS.
#[cfg(not(feature = "tls-no-provider"))]
fn without_tls() -> Error {
    let detail = "this program was built without TLS (feature `tls` of fetchpool)";
    Error::new(ErrorKind::Tls, detail).during(Phase::Setup)
}

/// Lets the sink wait for memory.
fn pause(sink: &mut dyn Sink, stream: &Stream, patience: &mut Patience<'_>) -> Result<(), Error> {
    let paused = sink.pause(patience)?;
    if !paused.is_zero() {
        // What was waited for meanwhile was something else.
        patience.interrupt.watch_socket(stream.pipe());
        *patience = patience.after_pause(paused);
    }
    Ok(())
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("peer", &self.peer).finish_non_exhaustive()
    }
}

/// How much room a read is given. A head mostly comes whole, with a small body behind it; a large
/// body that must pass through the buffer is read in larger pieces.
const READ_BYTES_HEAD: usize = 4 * 1024;
/// But a new connection's is smaller until one was too small: many may wait, each with its own.
const READ_BYTES_FIRST: usize = 2 * 1024;
const READ_BYTES_BODY: usize = 16 * 1024;
