//! FLOOR 2: one error type for every way in which a job can fail.

mod circuit;
mod convert;
mod local;
mod proxy;
mod tries;

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

pub(crate) use self::tries::{after_attempts, attempts_of};
use crate::catch::Panicked;
pub use crate::message::{Attempt, ErrorKind, Fault, Phase};
use crate::message::{Clock, Hop, Response, Timings, one_line, redact};

/// Why a job has no response: what failed, in which phase, for which URL, and whose fault it was.
///
/// [`Display`](fmt::Display) tells one level, [`source`](StdError::source) the next;
/// [`message`](Self::message) has them all on one line. URLs are shown without user information,
/// and bytes that came from a server are escaped. The source of a handshake that failed is the
/// `rustls::Error`.
///
/// # Examples
///
/// ```
/// use fetchpool::{ErrorKind, Fault, Session};
///
/// let error = Session::default().request("htp://example.com").unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::InvalidUrl);
/// assert_eq!(error.fault(), Fault::Caller);
/// assert_eq!(error.kind().as_str(), "invalid_url");
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    phase: Option<Phase>,
    /// Redacted.
    url: Option<String>,
    detail: Cow<'static, str>,
    source: Option<Box<dyn StdError + Send + Sync>>,
    /// The detail says for people what the source says.
    explained: bool,
    response: Option<Response>,
    timings: Timings,
    /// An earlier hop of the request was answered.
    was_sent: bool,
    attempts: Vec<Attempt>,
    history: Vec<Hop>,
    /// Addresses that a connection was tried to, until there is an attempt to keep them.
    tried: Vec<SocketAddr>,
    /// What failed was the caller's own, and not the network: the phrase that says so.
    local: Option<&'static str>,
    /// Whose fault it was, where the kind alone does not say: of a failure at a proxy, whose it would
    /// have been at a target.
    fault: Option<Fault>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, detail: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner {
            kind,
            phase: None,
            url: None,
            detail: detail.into(),
            source: None,
            explained: false,
            response: None,
            timings: Timings::default(),
            was_sent: false,
            attempts: Vec::new(),
            history: Vec::new(),
            tried: Vec::new(),
            local: None,
            fault: None,
        }))
    }

    /// The error of a time limit that ran out.
    pub(crate) fn expired(clock: Clock, detail: impl Into<Cow<'static, str>>) -> Self {
        let mut error = Self::new(ErrorKind::Timeout, detail);
        error.0.timings.expired = Some(clock);
        error
    }

    /// Says how long everything took until then.
    #[must_use]
    pub(crate) fn after(mut self, timings: Timings) -> Self {
        self.0.timings = Timings { expired: self.0.timings.expired, ..timings };
        self
    }

    /// Keeps the response that there was all the same.
    #[must_use]
    pub(crate) fn with_response(mut self, response: Response) -> Self {
        self.0.timings = Timings { expired: self.0.timings.expired, ..*response.timings() };
        self.0.response = Some(response);
        self
    }

    /// Notes how long the job waited for a worker.
    pub(crate) fn set_queued(&mut self, queued: Duration) {
        self.0.timings.queued = queued;
    }

    /// Says that the request had been sent before this: the error is that of a later hop.
    #[must_use]
    pub(crate) fn after_sending(mut self) -> Self {
        self.0.was_sent = true;
        self
    }

    /// Whether the request had been sent before this, whatever the kind says of its last hop.
    pub(crate) fn was_sent(&self) -> bool {
        self.0.was_sent
    }

    /// The error of a panic in the caller's code, by what the panic said.
    pub(crate) fn panicked(what: &str, panicked: &Panicked) -> Self {
        Self::new(ErrorKind::Panic, panicked.message(what))
    }

    /// Says in which phase it happened, unless that is known already.
    #[must_use]
    pub(crate) fn during(mut self, phase: Phase) -> Self {
        self.0.phase.get_or_insert(phase);
        self
    }

    /// Says more of it than it could itself.
    #[must_use]
    pub(crate) fn with_detail(mut self, detail: &'static str) -> Self {
        self.0.detail = Cow::Borrowed(detail);
        self
    }

    /// Says for which URL it happened, unless that is known already.
    #[must_use]
    pub(crate) fn at(mut self, url: &str) -> Self {
        if self.0.url.is_none() {
            self.0.url = Some(redact(url));
        }
        self
    }

    #[must_use]
    pub(crate) fn because(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// The same, for a source of which the detail says everything already.
    #[cfg(feature = "tls-no-provider")]
    #[must_use]
    pub(crate) fn explaining(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.explained = true;
        self.because(source)
    }

    /// What went wrong, to be matched on.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What the request was at when it failed; `None` if it was not being sent.
    #[must_use]
    pub fn phase(&self) -> Option<Phase> {
        self.0.phase
    }

    /// Whose fault it was, which is what a caller can act on.
    #[must_use]
    pub fn fault(&self) -> Fault {
        if let Some(fault) = self.0.fault {
            return fault;
        }
        match (self.0.kind, self.0.phase) {
            // Before there was a peer: a root certificate, a provider.
            (ErrorKind::Tls, Some(Phase::Setup)) => Fault::Caller,
            (ErrorKind::Io, _) if self.0.local.is_some() => Fault::Caller,
            (kind, _) => kind.fault(),
        }
    }

    /// The URL it happened for, without user information: that of the redirect hop that failed.
    #[must_use]
    pub fn url(&self) -> Option<&str> {
        self.0.url.as_deref()
    }

    /// The time limit that ran out, if one did: kind [`Timeout`](ErrorKind::Timeout).
    #[must_use]
    pub fn clock(&self) -> Option<Clock> {
        self.0.timings.expired
    }

    /// How long each phase took until it failed.
    #[must_use]
    pub fn timings(&self) -> &Timings {
        &self.0.timings
    }

    /// Each try of the request that failed, in order, up to the one that ended with this error: on
    /// a kept connection that had gone stale, before each retry, and the last. Of very many the
    /// first 16 and the last are kept, some 64 in all. None for what failed before anything was
    /// tried.
    #[must_use]
    pub fn attempts(&self) -> &[Attempt] {
        &self.0.attempts
    }

    /// The redirects that had been followed until then, first to last.
    #[must_use]
    pub fn history(&self) -> &[Hop] {
        match &self.0.response {
            Some(response) if self.0.history.is_empty() => response.history(),
            _ => &self.0.history,
        }
    }

    /// The response that was made an error of, of kind [`Status`](ErrorKind::Status); what a proxy
    /// answered instead of doing what it was asked for, of kind [`Proxy`](ErrorKind::Proxy); or what
    /// there is of a response whose body broke off or was refused: then it is
    /// [partial](Response::is_partial), and has the bytes that arrived until then, decoded.
    #[must_use]
    pub fn response(&self) -> Option<&Response> {
        self.0.response.as_ref()
    }

    /// The same, taken out.
    #[must_use]
    pub fn into_response(self) -> Option<Response> {
        self.0.response
    }

    /// The whole story on one line: this error and every source below it that adds something.
    #[must_use]
    pub fn message(&self) -> String {
        let mut message = self.to_string();
        let mut source = if self.0.explained { None } else { self.source() };
        while let Some(error) = source {
            let text = error.to_string();
            // Some libraries repeat their source's text in their own.
            if !message.ends_with(&text) {
                message.push_str(": ");
                message.push_str(&text);
            }
            source = error.source();
        }
        // A line is a line: what came from a server or a library is not trusted to keep to it.
        one_line(&message).into_owned()
    }

    /// Whether a time limit ran out.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        self.kind() == ErrorKind::Timeout
    }

    /// Whether no connection could be opened.
    #[must_use]
    pub fn is_connect(&self) -> bool {
        self.kind() == ErrorKind::Connect
    }

    /// Whether the host name could not be looked up.
    #[must_use]
    pub fn is_dns(&self) -> bool {
        self.kind() == ErrorKind::Dns
    }

    /// Whether TLS failed: a certificate, the handshake, or a record.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.kind() == ErrorKind::Tls
    }

    /// Whether it is a response's status that was asked to be an error.
    #[must_use]
    pub fn is_status(&self) -> bool {
        self.kind() == ErrorKind::Status
    }

    /// Whether the job was cancelled.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.kind() == ErrorKind::Cancelled
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.local.unwrap_or_else(|| self.0.kind.phrase()))?;
        if let Some(phase) = self.0.phase {
            write!(f, " while {}", phase.phrase())?;
        }
        if let Some(url) = self.0.url.as_deref().filter(|url| !url.is_empty()) {
            write!(f, " for {url}")?;
        }
        if !self.0.detail.is_empty() {
            write!(f, ": {}", one_line(&self.0.detail))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("phase", &self.0.phase)
            .field("url", &self.0.url)
            .field("detail", &self.0.detail)
            .field("source", &self.0.source)
            .finish_non_exhaustive()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

impl Response {
    /// The response itself if its status is below 400, else an error that carries it.
    ///
    /// # Errors
    ///
    /// Kind [`Status`](ErrorKind::Status); [`Error::into_response`] gives the response back.
    #[doc(alias = "raise_for_status")]
    pub fn error_for_status(self) -> Result<Self, Error> {
        if self.ok() { Ok(self) } else { Err(self.into_status_error()) }
    }

    /// The error of its status, whatever that is.
    fn into_status_error(self) -> Error {
        let reason: String = self.reason().escape_debug().take(80).collect();
        let error = Error::new(ErrorKind::Status, format!("{} {reason}", self.status()));
        error.at(self.url()).with_response(self)
    }

    /// The body, read as JSON (feature `json`).
    ///
    /// # Errors
    ///
    /// Kind [`Decode`](ErrorKind::Decode) if the body is not JSON, or not of that shape.
    #[cfg(feature = "json")]
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T, Error> {
        crate::message::json::parse(self.bytes()).map_err(|error| {
            Error::new(ErrorKind::Decode, "the body is not the JSON that was expected")
                .during(Phase::Decoding)
                .at(self.url())
                .because(error)
        })
    }
}
