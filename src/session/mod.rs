//! FLOOR 4: one worker's client. No threads, no channels.

mod again;
mod attempt;
mod auth;
mod body;
mod call;
mod coding;
mod config;
#[cfg(feature = "cookies")]
mod cookies;
mod download;
mod fields;
mod follow;
mod hop;
mod idle;
#[cfg(any(fuzzing, fetchpool_internals))]
pub(crate) mod internals;
mod nap;
mod receive;
mod redirect;
mod retry;
mod retry_budget;
mod route;
mod trail;
mod upload;

use std::fmt;
use std::sync::Arc;

pub(crate) use self::again::Again;
#[cfg(feature = "digest")]
use self::auth::Spaces;
pub use self::auth::{Auth, Netrc, SignableRequest, Signer};
pub(crate) use self::body::Allowance;
pub(crate) use self::call::{Call, Traffic};
use self::coding::ACCEPT_ENCODING;
pub use self::config::SessionConfig;
#[cfg(feature = "cookies")]
pub use self::cookies::{Cookie, CookieJar, Cookies};
use self::idle::Idle;
pub(crate) use self::retry_budget::RetryBudget;
use self::trail::Trail;
#[cfg(feature = "tls-no-provider")]
use crate::connection::TlsContext;
use crate::connection::{Dialing, Interrupt};
use crate::error::{Error, ErrorKind, Phase};
use crate::message::{Origin, Request, Response, RetryPolicy, Targets};
use crate::wire::{Written, is_own_field};

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
    /// Shared with other workers, where all begin with the same.
    config: Arc<SessionConfig>,
    idle: Idle,
    #[cfg(feature = "tls-no-provider")]
    tls: TlsContext,
    #[cfg(feature = "cookies")]
    jar: Option<CookieJar>,
    #[cfg(feature = "digest")]
    spaces: Spaces,
    dialing: Dialing,
    accept_encoding: Option<&'static str>,
    interrupt: Interrupt,
    traffic: Traffic,
    /// Where nobody else has an eye on how often is tried again.
    budget: RetryBudget,
    /// How many requests have come to their end here.
    requests: u64,
    targets: Targets,
    /// The fields that go out with most requests; none were needed yet.
    usual: Option<Written>,
    /// Where heads are encoded; kept for its memory.
    head: Vec<u8>,
    /// What bodies pass through that do not go to memory; kept as well.
    piece: Vec<u8>,
}

impl Session {
    /// A session with these settings. No connection is opened yet.
    ///
    /// # Errors
    ///
    /// Kind [`InvalidRequest`](ErrorKind::InvalidRequest) for a header field that is malformed or
    /// that the crate alone writes, or a [`retry`](SessionConfig::retry) that cannot be, [`Tls`](ErrorKind::Tls) for certificates and keys that
    /// cannot be read, and other settings of TLS that cannot be used.
    pub fn new(config: SessionConfig) -> Result<Self, Error> {
        Self::with_interrupt(Arc::new(config), Interrupt::default()).map(|session| *session)
    }

    /// A session whose requests another thread can end. In a box, which costs a thread's stack less
    /// than to hand it on.
    pub(crate) fn with_interrupt(
        config: Arc<SessionConfig>,
        interrupt: Interrupt,
    ) -> Result<Box<Self>, Error> {
        if let Some(fault) = &config.fault {
            return Err(fault.clone().into());
        }
        if let Some((name, _)) = config.headers.iter().find(|(name, _)| is_own_field(name)) {
            let detail = format!("the header field \"{name}\" is written by the client alone");
            return Err(Error::new(ErrorKind::InvalidRequest, detail).during(Phase::Setup));
        }
        if let Some(fault) = config.retry.as_ref().and_then(RetryPolicy::fault) {
            let fault = fault.to_owned();
            return Err(Error::new(ErrorKind::InvalidRequest, fault).during(Phase::Setup));
        }
        config.overrides.check()?;
        Ok(Box::new(Self {
            idle: Idle::new(config.max_idle_connections, config.idle_timeout),
            #[cfg(feature = "tls-no-provider")]
            tls: TlsContext::new(&config.tls)?,
            #[cfg(feature = "cookies")]
            jar: config.cookies.jar(),
            #[cfg(feature = "digest")]
            spaces: Spaces::default(),
            dialing: config.dialing(),
            accept_encoding: ACCEPT_ENCODING.filter(|_| config.decompress),
            interrupt,
            traffic: Traffic::default(),
            budget: RetryBudget::default(),
            requests: 0,
            targets: Targets::default(),
            usual: None,
            head: Vec::new(),
            piece: Vec::new(),
            config,
        }))
    }

    /// Sends a request, follows its redirects and reads the whole response; and tries again, where
    /// [`SessionConfig::retry`] or the request itself says so. Blocks, at most for the request's
    /// timeout or else the session's.
    ///
    /// # Errors
    ///
    /// [`Error`] tells kind, phase and URL. A status of 400 or above is a response, unless
    /// [`SessionConfig::http_status_as_error`] is set.
    pub fn request(&mut self, request: impl Into<Request>) -> Result<Response, Error> {
        self.run_to_the_end(&request.into(), Call::alone())
    }

    /// Sends a request that somebody else keeps: tries once.
    pub(crate) fn run(&mut self, request: &Request, call: &Call<'_>) -> Result<Response, Error> {
        let watch = self.interrupt.begin(request.own_cancel_token());
        let quiet = Quiet(self.interrupt.clone());
        let mut trail = Trail::default();
        let followed = self.fetch(request, call, &mut trail);
        drop((watch, quiet));
        self.told(followed, trail, request)
    }

    /// What came of it, told all that was learned on the way. Not inlined: the stack under the wait
    /// for an answer is not to have room for it.
    #[inline(never)]
    fn told(
        &self,
        followed: Result<Response, Error>,
        trail: Trail,
        request: &Request,
    ) -> Result<Response, Error> {
        let status_is_error = self.config.http_status_as_error;
        let result = followed.and_then(|response| match status_is_error {
            true => response.error_for_status(),
            false => Ok(response),
        });
        match result {
            Ok(mut response) => {
                response.0.attempts = trail.into_attempts();
                Ok(response)
            }
            Err(error) => Err(trail.close(error.at(request.url()))),
        }
    }

    /// Lets go of all that earlier requests have left behind.
    pub(crate) fn start_over(&mut self) {
        self.idle.clear();
        #[cfg(feature = "digest")]
        {
            self.spaces = Spaces::default();
        }
        self.head = Vec::new();
        self.piece = Vec::new();
        #[cfg(feature = "cookies")]
        {
            self.jar = self.config.cookies.jar();
        }
    }

    /// The session's cookies, if it keeps any: its own, or those that it shares.
    #[cfg(feature = "cookies")]
    #[must_use]
    pub const fn cookie_jar(&self) -> Option<&CookieJar> {
        self.jar.as_ref()
    }

    /// The origins to which connections are kept, if that has changed since this was asked last, or must
    /// be known.
    pub(crate) fn idle_origins(&mut self, must: bool) -> Option<Vec<Origin>> {
        self.idle.news(must)
    }

    /// The connections opened and used again since this was asked last.
    pub(crate) fn take_traffic(&mut self) -> Traffic {
        std::mem::take(&mut self.traffic)
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
            #[cfg(feature = "cookies")]
            jar: None,
            #[cfg(feature = "digest")]
            spaces: Spaces::default(),
            dialing: config.dialing(),
            accept_encoding: ACCEPT_ENCODING,
            interrupt: Interrupt::default(),
            traffic: Traffic::default(),
            budget: RetryBudget::default(),
            requests: 0,
            targets: Targets::default(),
            usual: None,
            head: Vec::new(),
            piece: Vec::new(),
            config: Arc::new(config),
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
