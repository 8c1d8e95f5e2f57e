//! FLOOR 4: one worker's client. No threads, no channels.

mod attempt;
mod auth;
mod body;
mod call;
mod coding;
mod config;
mod idle;
#[cfg(any(fuzzing, fetchpool_internals))]
pub(crate) mod internals;
mod redirect;

use std::fmt;
use std::time::{Duration, Instant};

pub use self::auth::Auth;
pub(crate) use self::body::Allowance;
use self::body::{Collect, Discard};
use self::call::Course;
pub(crate) use self::call::{Call, Traffic};
use self::coding::{ACCEPT_ENCODING, Decoder};
pub use self::config::SessionConfig;
use self::idle::Idle;
use self::redirect::{Step, next_step};
#[cfg(feature = "tls-no-provider")]
use crate::connection::TlsContext;
use crate::connection::{Answer, Connection, Deadline, Dialing, Flow, Interrupt, Patience};
use crate::error::{Error, ErrorKind, Phase};
use crate::log::debug;
use crate::message::{Clock, Hop, Request, Response, Target, Timings, redact};
use crate::observer::{Observed, Watched};
use crate::wire::{Verdict, is_own_field};

/// A client for one thread: its settings and its kept connections.
///
/// It is what each worker of a [`Pool`](crate::Pool) owns, and can be used without one. A call
/// blocks until the response is whole or the time is up; it never panics, also not within an
/// async runtime, whose thread it would block.
///
/// # Examples
///
/// ```no_run
/// use fetchpool::{Request, Session, SessionConfig};
///
/// let mut config = SessionConfig::new();
/// config.header("Accept", "application/json");
/// let mut session = Session::new(config)?;
/// let first = session.request("https://example.com/a")?;
/// let second = session.request(Request::post("https://example.com/b").body("text"))?;
/// assert!(second.timings().reused, "on the connection of the first");
/// # Ok::<(), fetchpool::Error>(())
/// ```
pub struct Session {
    config: SessionConfig,
    idle: Idle,
    #[cfg(feature = "tls-no-provider")]
    tls: TlsContext,
    dialing: Dialing,
    accept_encoding: Option<&'static str>,
    interrupt: Interrupt,
    traffic: Traffic,
    /// Where heads are encoded; kept for its memory.
    head: Vec<u8>,
}

impl Session {
    /// A session with these settings. No connection is opened yet.
    ///
    /// # Errors
    ///
    /// Kind [`InvalidRequest`](ErrorKind::InvalidRequest) for a header field that is malformed or
    /// that the crate alone writes, [`Tls`](ErrorKind::Tls) for root certificates that cannot be
    /// read.
    pub fn new(config: SessionConfig) -> Result<Self, Error> {
        Self::with_interrupt(config, Interrupt::default())
    }

    /// A session whose requests another thread can end.
    pub(crate) fn with_interrupt(
        config: SessionConfig,
        interrupt: Interrupt,
    ) -> Result<Self, Error> {
        if let Some(fault) = &config.fault {
            return Err(fault.clone().into());
        }
        if let Some((name, _)) = config.headers.iter().find(|(name, _)| is_own_field(name)) {
            let detail = format!("the header field \"{name}\" is written by the client alone");
            return Err(Error::new(ErrorKind::InvalidRequest, detail).during(Phase::Setup));
        }
        Ok(Self {
            idle: Idle::new(config.max_idle_connections, config.idle_timeout),
            #[cfg(feature = "tls-no-provider")]
            tls: TlsContext::new(&config.tls)?,
            dialing: Dialing {
                resolver: config.resolver.clone(),
                dns_timeout: config.dns_timeout,
                policy: config.address_policy.clone(),
            },
            accept_encoding: ACCEPT_ENCODING.filter(|_| config.decompress),
            interrupt,
            traffic: Traffic::default(),
            head: Vec::new(),
            config,
        })
    }

    /// Sends a request, follows its redirects and reads the whole response. Blocks, at most for
    /// the request's timeout or else the session's.
    ///
    /// # Errors
    ///
    /// [`Error`] tells kind, phase and URL. A status of 400 or above is a response, unless
    /// [`SessionConfig::http_status_as_error`] is set.
    pub fn request(&mut self, request: impl Into<Request>) -> Result<Response, Error> {
        self.run(&request.into(), &Call::alone())
    }

    /// Sends a request that somebody else keeps.
    pub(crate) fn run(&mut self, request: &Request, call: &Call<'_>) -> Result<Response, Error> {
        let watch = self.interrupt.begin(request.own_cancel_token());
        let quiet = Quiet(self.interrupt.clone());
        let mut timings = Timings::default();
        let followed = self.follow(request, call, &mut timings);
        drop((watch, quiet));
        let response = followed.map_err(|error| error.at(request.url()).after(timings))?;
        if self.config.http_status_as_error { response.error_for_status() } else { Ok(response) }
    }

    /// Lets go of all that earlier requests have left behind.
    pub(crate) fn start_over(&mut self) {
        self.idle = Idle::new(self.config.max_idle_connections, self.config.idle_timeout);
        self.head = Vec::new();
    }

    /// How long a request may take in all.
    pub(crate) fn timeout_of(&self, request: &Request) -> Option<Duration> {
        request.own_timeout().or(self.config.timeout)
    }

    /// The connections opened and used again since this was asked last.
    pub(crate) fn take_traffic(&mut self) -> Traffic {
        std::mem::take(&mut self.traffic)
    }

    fn follow(
        &mut self,
        request: &Request,
        call: &Call<'_>,
        timings: &mut Timings,
    ) -> Result<Response, Error> {
        if self.interrupt.is_raised() {
            return Err(Error::new(ErrorKind::Cancelled, "").during(Phase::Setup));
        }
        if let Some(fault) = request.fault() {
            // It may be text from a list of URLs.
            let fault: String = fault.chars().filter(|c| !c.is_control()).collect();
            return Err(Error::new(ErrorKind::InvalidRequest, fault).during(Phase::Setup));
        }
        if request.method().as_str() == "CONNECT" {
            let detail = "CONNECT asks for a tunnel, and is no request for a resource";
            return Err(Error::new(ErrorKind::InvalidRequest, detail).during(Phase::Setup));
        }
        let mut target = Target::parse(request.url())?;
        let session_params = self.config.params.iter().map(|(k, v)| (k.as_str(), v.as_str()));
        target.add_params(session_params.chain(request.added_params()));

        let interrupt = self.interrupt.clone();
        let observer = self.config.observer.clone();
        let observed = Observed::new(call.index, request);
        let config = &self.config;
        let flow = Flow::new(config.first_byte_timeout, config.stall_timeout, config.low_speed);
        let deadline = Deadline::after(call.began, self.timeout_of(request), Clock::Request);
        let patience = Patience { deadline, batch: call.batch, flow: &flow, interrupt: &interrupt };
        let course = Course {
            request,
            number: call.number,
            patience,
            watched: Watched::new(observer.as_deref(), observed),
        };
        let allowed = request.own_allow_redirects().unwrap_or(self.config.allow_redirects);
        let mut step = Step::first(request.method().clone(), target);
        let mut history = Vec::new();
        loop {
            let started = Instant::now();
            let (mut connection, mut answer) = self
                .attempt(&course, &step, timings)
                .map_err(|error| if history.is_empty() { error } else { error.after_sending() })
                .map_err(|error| error.at(step.target.as_str()))?;
            course.watched.tell(|observer, job| {
                observer.head(job, answer.head.status, &answer.head.headers);
            });
            let elapsed = started.elapsed();
            let next = if allowed { next_step(&step, &answer.head) } else { Ok(None) };
            let next = match next {
                Ok(Some(next)) if history.len() < self.config.limits.redirects => next,
                Ok(None) => {
                    let peer = connection.peer();
                    let body = self
                        .receive(&mut connection, &mut answer, call.allowance, &patience, timings)
                        .map_err(|error| error.at(step.target.as_str()))?;
                    self.settle(connection, &answer, &step.target);
                    let head = *answer.head;
                    return Ok(Response {
                        status: head.status,
                        version: head.version,
                        reason: head.reason,
                        headers: head.headers,
                        url: step.target.as_str().to_owned(),
                        history,
                        elapsed,
                        timings: *timings,
                        peer,
                        body,
                    });
                }
                refused => {
                    let error = refused.err().unwrap_or_else(|| self.too_many_redirects());
                    return Err(error.at(step.target.as_str()));
                }
            };
            debug!("{} leads from {:?} to {:?}", answer.head.status, step.target, next.target);
            course.watched.tell(|observer, job| {
                observer.redirect(job, answer.head.status, &redact(next.target.as_str()));
            });
            self.discard(connection, &mut answer, &step.target, &patience, timings);
            let (head, url) = (*answer.head, step.target.as_str().to_owned());
            history.push(Hop { status: head.status, url, headers: head.headers });
            step = next;
        }
    }

    fn receive(
        &self,
        connection: &mut Connection,
        answer: &mut Answer,
        allowance: Option<&dyn Allowance>,
        patience: &Patience<'_>,
        timings: &mut Timings,
    ) -> Result<Vec<u8>, Error> {
        let limits = &self.config.limits;
        let decoder = match self.config.decompress && !answer.exchange.is_done() {
            true => Decoder::for_head(&answer.head, limits)?,
            false => None,
        };
        let length = answer.exchange.body_length();
        let mut sink = Collect::new(decoder, length, limits, allowance)?;
        connection.receive(&mut answer.exchange, &mut sink, patience, timings)?;
        sink.finish()
    }

    /// Reads a redirect's body away, never decoded, if that is cheaper than a new connection.
    fn discard(
        &mut self,
        mut connection: Connection,
        answer: &mut Answer,
        target: &Target,
        patience: &Patience<'_>,
        timings: &mut Timings,
    ) {
        let limit = Deadline::after(Instant::now(), Some(DISCARD_TIME), Clock::Request);
        let patience = patience.but(limit);
        let read = answer.exchange.is_persistent()
            && answer.sent_whole
            && Discard::is_worth_it(answer.exchange.body_length())
            && connection
                .receive(&mut answer.exchange, &mut Discard::new(), &patience, timings)
                .is_ok();
        if read {
            self.settle(connection, answer, target);
        }
    }

    /// Ends an exchange: the connection is kept if nothing speaks against it.
    fn settle(&mut self, mut connection: Connection, answer: &Answer, target: &Target) {
        let verdict = connection.finish(answer);
        debug!("{} from {target:?}, connection: {verdict:?}", answer.head.status);
        // From here on a cancel cannot reach the socket; one that came before has shut it.
        self.interrupt.watch_nothing();
        let keep = self.config.keep_alive && !self.interrupt.is_raised();
        if verdict == Verdict::Reuse && answer.sent_whole && keep {
            self.idle.put(target, connection, Instant::now());
        }
    }

    fn too_many_redirects(&self) -> Error {
        let limit = self.config.limits.redirects;
        Error::new(
            ErrorKind::TooManyRedirects,
            format!("one more redirect than the limit redirects of {limit}"),
        )
        .during(Phase::Redirecting)
    }
}

impl Default for Session {
    /// A session with the default settings.
    fn default() -> Self {
        let config = SessionConfig::new();
        Self {
            idle: Idle::new(config.max_idle_connections, config.idle_timeout),
            #[cfg(feature = "tls-no-provider")]
            tls: TlsContext::untouched(),
            dialing: Dialing::default(),
            accept_encoding: ACCEPT_ENCODING,
            interrupt: Interrupt::default(),
            traffic: Traffic::default(),
            head: Vec::new(),
            config,
        }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("config", &self.config)
            .field("idle", &self.idle)
            .finish_non_exhaustive()
    }
}

/// The interrupt holds the last socket: let go, also by a panic, it closes if nobody else keeps it.
struct Quiet(Interrupt);

impl Drop for Quiet {
    fn drop(&mut self) {
        self.0.watch_nothing();
    }
}

/// How long the rest of a redirect's body is waited for: about what a new connection would take.
const DISCARD_TIME: Duration = Duration::from_millis(250);
