//! From a target to a stream that leads there through a proxy.

use std::time::{Duration, Instant};

use super::addresses::addresses;
use super::answer::{Answer, Outgoing};
use super::deadline::Deadline;
use super::dial::dial;
use super::dialing::Dialing;
use super::feed::Payload;
use super::flow::Flow;
use super::patience::Patience;
use super::policy::AddressPolicy;
use super::proxy::{Destined, Proxy, Refused, Scheme, negotiate, refusal};
use super::reached::Reached;
use super::sink::Sink;
use super::times::Times;
#[cfg(feature = "tls-no-provider")]
use super::tls::TlsContext;
use super::{Connection, READ_BYTES_FIRST, Route};
use crate::error::{Error, ErrorKind, Phase};
use crate::log::debug;
use crate::message::{Clock, Host, Received, Response, ResponseParts, Timings};
use crate::observer::Watched;
use crate::wire::{self, BodyLength, Buffer, Limits, RequestHead, RequestKind};

/// What is needed on the way, whatever the proxy.
struct Way<'a> {
    route: &'a Route<'a>,
    proxy: &'a Proxy,
    dialing: &'a Dialing,
    #[cfg(feature = "tls-no-provider")]
    tls: &'a TlsContext,
    patience: &'a Patience<'a>,
    watched: Watched<'a>,
}

impl Connection {
    /// A stream through the proxy, up to where the first byte for the target goes, or for the proxy
    /// in the target's place; and the proxy's address. Not a part of what opens connections without
    /// one, to whose stack it would add.
    #[inline(never)]
    pub(super) fn through(
        proxy: &Proxy,
        route: &Route<'_>,
        dialing: &Dialing,
        #[cfg(feature = "tls-no-provider")] tls: &TlsContext,
        patience: &Patience<'_>,
        watched: Watched<'_>,
        times: &mut Times<'_>,
    ) -> Result<Reached, Error> {
        let way = Way {
            route,
            proxy,
            dialing,
            #[cfg(feature = "tls-no-provider")]
            tls,
            patience,
            watched,
        };
        let (scheme, _) = proxy.place()?;
        match scheme {
            Scheme::Http | Scheme::Https => {
                let reached = way.greet(scheme, way.reach(times)?, times)?;
                if proxy.forwards(route.target) {
                    return Ok(reached);
                }
                let tried = reached.tried();
                let asked = Self::ask_for_tunnel(reached, &way);
                let took = times.lap(|timings| &mut timings.proxy);
                debug!("asked {proxy} for {:?} in {took:?}", route.target);
                asked.map_err(|error| error.tried(tried))
            }
            Scheme::Socks5 | Scheme::Socks5h => way.by_socks(scheme, times),
        }
    }

    /// Asks for a tunnel to the target (RFC 9110 §9.3.6).
    fn ask_for_tunnel(reached: Reached, way: &Way<'_>) -> Result<Reached, Error> {
        let (proxy, target) = (way.proxy, way.route.target);
        let authority = target.host_and_port();
        let head = RequestHead {
            method: "CONNECT",
            target: &authority,
            host: &authority,
            body: BodyLength::None,
            expects_continue: false,
            close: false,
            ahead: wire::Written::NONE,
        };
        let authorization = proxy.authorization();
        let field = authorization.as_deref().map(|value| ("Proxy-Authorization", value));
        let mut bytes = Vec::new();
        wire::encode(&mut bytes, &head, field)
            .map_err(|error| Error::from(error).during(Phase::Setup))?;
        // The clocks of the exchange are for the request; this is a part of connecting.
        let flow = Flow::new(None, None, None);
        let patience = Patience { flow: &flow, ..*way.patience };
        let mut timings = Timings::default();
        let Reached { stream, peer, passed_over } = reached;
        let mut connection = Self {
            stream,
            buffer: Buffer::new(),
            peer,
            passed_over: Vec::new(),
            proxy: None,
            piece: READ_BYTES_FIRST,
            is_used: false,
        };
        let body = Payload::Bytes(&[]);
        let started = Instant::now();
        let kind = RequestKind::Connect;
        let request = Outgoing { kind, head: &bytes, wait: None, body, since: started };
        let mut answer = Answer::awaited(way.route.limits, started);
        connection
            .send(request, way.route.limits, &patience, &mut timings, &mut answer)
            .map_err(|failure| failure.error.at_proxy(proxy))?;
        if (200..300).contains(&answer.head.status) {
            // They are not the target's, to which nothing has been said yet.
            if connection.buffer.is_empty() {
                return Ok(Reached { stream: connection.stream, peer, passed_over });
            }
            let detail = "bytes came behind the answer to CONNECT, before anything was sent";
            return Err(Error::new(ErrorKind::Protocol, detail).at_proxy(proxy));
        }
        let body = connection.excerpt(&mut answer, way.route.limits, &patience, &mut timings);
        if patience.interrupt.is_raised() {
            return Err(Error::new(ErrorKind::Cancelled, "").during(Phase::Proxy));
        }
        let head = answer.head;
        let response = Response(Box::new(ResponseParts {
            status: head.status,
            version: head.version,
            reason: head.reason,
            headers: head.headers,
            url: format!("{proxy}/"),
            history: Vec::new(),
            elapsed: started.elapsed(),
            timings,
            peer,
            tls: None,
            received: Received::in_memory(&body),
            body: body.into(),
            attempts: Vec::new(),
        }));
        Err(refusal(proxy, &format!("a tunnel to {authority}"), response))
    }

    /// Reads the body of a refusal: as much of it as comes soon.
    fn excerpt(
        &mut self,
        answer: &mut Answer,
        limits: &Limits,
        patience: &Patience<'_>,
        timings: &mut Timings,
    ) -> Vec<u8> {
        let most = usize::try_from(limits.body_bytes).unwrap_or(usize::MAX).min(EXCERPT_BYTES);
        let mut excerpt = Excerpt { bytes: Vec::new(), most };
        let limit = Deadline::after(Instant::now(), Some(EXCERPT_TIME), Clock::Connect);
        // That it is cut off is no other error than that it was sent.
        let _ = self.receive(answer, &mut excerpt, &patience.but(limit), timings);
        excerpt.bytes
    }
}

impl Way<'_> {
    /// Connects to the proxy. Its address is the caller's choice, which no policy is asked about.
    fn reach(&self, times: &mut Times<'_>) -> Result<Reached, Error> {
        let (_, place) = self.proxy.place()?;
        let dialing = Dialing { policy: AddressPolicy::Any, ..self.dialing.clone() };
        let (host, port) = (place.host(), place.port());
        dial(&host, port, &dialing, self.patience, self.watched, times)
            .map(|dialed| Reached::by(dialed, self.patience))
            .map_err(|error| error.at_proxy(self.proxy))
    }

    /// Shakes hands with an `https` proxy.
    #[cfg(feature = "tls-no-provider")]
    fn greet(
        &self,
        scheme: Scheme,
        mut reached: Reached,
        times: &mut Times<'_>,
    ) -> Result<Reached, Error> {
        if scheme == Scheme::Https {
            let tried = reached.tried();
            let (_, place) = self.proxy.place()?;
            let tls = self.proxy.own_tls().unwrap_or_else(|| self.tls.for_proxies());
            let secured = reached.stream.secure(tls, place, self.patience);
            let took = times.lap(|timings| &mut timings.tls);
            reached.stream = secured.map_err(|error| error.at_proxy(self.proxy).tried(tried))?;
            self.watched.tell(|observer, job| observer.tls(job, place.host_str(), took));
        }
        Ok(reached)
    }

    #[cfg(not(feature = "tls-no-provider"))]
    fn greet(
        &self,
        scheme: Scheme,
        reached: Reached,
        times: &mut Times<'_>,
    ) -> Result<Reached, Error> {
        let _ = times;
        match scheme {
            Scheme::Https => Err(super::without_tls().at_proxy(self.proxy)),
            _ => Ok(reached),
        }
    }

    /// Asks a SOCKS proxy for a connection: by the target's name, or for one of its addresses after
    /// the other.
    fn by_socks(&self, scheme: Scheme, times: &mut Times<'_>) -> Result<Reached, Error> {
        let target = self.route.target;
        let (host, port) = (target.host(), target.port());
        let addresses = match (scheme, &host) {
            (Scheme::Socks5h, Host::Name(name)) => {
                let to = Destined::Name(name, port);
                return self.ask_socks(to, times).map_err(|refused| refused.error);
            }
            _ => addresses(&host, port, self.dialing, self.patience, self.watched, times)?,
        };
        let mut last = None;
        for address in addresses.into_iter().take(SOCKS_TRIES) {
            match self.ask_socks(Destined::Address(address), times) {
                Ok(found) => return Ok(found),
                Err(Refused { error, is_the_address: true }) => last = Some(error),
                Err(Refused { error, .. }) => return Err(error),
            }
        }
        Err(last.unwrap_or_else(|| Error::new(ErrorKind::Dns, "").during(Phase::Dns)))
    }

    fn ask_socks(&self, to: Destined<'_>, times: &mut Times<'_>) -> Result<Reached, Refused> {
        let mut reached = self.reach(times)?;
        let asked = negotiate(&mut reached.stream, self.proxy, to, self.patience);
        let took = times.lap(|timings| &mut timings.proxy);
        debug!("asked {} for {:?} in {took:?}", self.proxy, self.route.target);
        match asked {
            Ok(()) => Ok(reached),
            Err(Refused { error, is_the_address }) => {
                let error = error.at_proxy(&Asked { proxy: self.proxy, to });
                Err(Refused { error: error.tried(reached.tried()), is_the_address })
            }
        }
    }
}

/// A proxy, and what it was asked for.
struct Asked<'a> {
    proxy: &'a Proxy,
    to: Destined<'a>,
}

impl std::fmt::Display for Asked<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.to {
            Destined::Address(address) => write!(f, "{}, asked for {address}", self.proxy),
            Destined::Name(name, port) => write!(f, "{}, asked for {name}:{port}", self.proxy),
        }
    }
}

/// The first bytes of a body.
struct Excerpt {
    bytes: Vec<u8>,
    most: usize,
}

impl Sink for Excerpt {
    fn data(&mut self, bytes: &mut &[u8]) -> Result<bool, Error> {
        let room = self.most.saturating_sub(self.bytes.len());
        let taken = bytes.get(..room).unwrap_or(bytes);
        self.bytes.extend_from_slice(taken);
        if taken.len() < bytes.len() {
            return Err(Error::new(ErrorKind::TooLarge, "the rest of a refusal is not read"));
        }
        *bytes = &[];
        Ok(false)
    }
}

/// How much of a refusal is kept, and how long it is waited for.
const EXCERPT_BYTES: usize = 64 << 10;
const EXCERPT_TIME: Duration = Duration::from_secs(1);
/// How many addresses of a host a SOCKS proxy is asked for, each by a connection of its own.
const SOCKS_TRIES: usize = 4;
