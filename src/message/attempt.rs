//! One try at an exchange that came to nothing.

use std::net::SocketAddr;
use std::time::Duration;

use super::kind::{ErrorKind, Phase};

/// One time that a request was sent, or was about to be, and did not bring what was wanted: by its
/// kind, and where it had come to. [`Error::attempts`](crate::Error::attempts) has them all, and
/// [`Response::attempts`](crate::Response::attempts) those before a good end.
///
/// # Examples
///
/// ```
/// use fetchpool::{ErrorKind, Session};
///
/// let error = Session::default().request("http://127.0.0.1:1/").unwrap_err();
/// let [attempt] = error.attempts() else { panic!("one try: {error}") };
/// assert_eq!(attempt.kind(), ErrorKind::Connect);
/// assert_eq!(attempt.url(), "http://127.0.0.1:1/");
/// assert_eq!(attempt.addresses(), ["127.0.0.1:1".parse().unwrap()]);
/// assert!(!attempt.is_reused());
/// ```
#[derive(Clone, Debug)]
pub struct Attempt {
    pub(crate) url: String,
    pub(crate) kind: ErrorKind,
    pub(crate) phase: Option<Phase>,
    pub(crate) status: Option<u16>,
    pub(crate) message: String,
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) reused: bool,
    pub(crate) waited: Option<Duration>,
}

impl Attempt {
    /// The URL that was asked, without user information: that of the hop.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What went wrong; [`Status`](ErrorKind::Status) where a response was the reason to try again.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What the try was at.
    #[must_use]
    pub const fn phase(&self) -> Option<Phase> {
        self.phase
    }

    /// The status that was answered, where that was the reason to try again, or to end with an error;
    /// `None` where there was no answer, or it broke off.
    #[must_use]
    pub const fn status(&self) -> Option<u16> {
        self.status
    }

    /// How long it was waited before the next try, by a [`RetryPolicy`](crate::RetryPolicy); `None`
    /// for the last try, and where the next came at once on another connection.
    #[must_use]
    pub const fn waited(&self) -> Option<Duration> {
        self.waited
    }

    /// The whole story on one line, as [`Error::message`](crate::Error::message) tells it.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The addresses that were tried, in this order; the last one is that of the connection, if
    /// there was one. None where it did not come so far, or it was a proxy that looked them up.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Whether it went over a connection that had served before.
    #[must_use]
    pub const fn is_reused(&self) -> bool {
        self.reused
    }
}

/// Adds tries to those that are remembered. Of a great many the first and the last tell the most.
pub(crate) fn remember(all: &mut Vec<Attempt>, mut more: Vec<Attempt>) {
    all.append(&mut more);
    let excess = all.len().saturating_sub(MOST_ATTEMPTS);
    if excess > 0 {
        all.drain(FIRST_ATTEMPTS..FIRST_ATTEMPTS.saturating_add(excess));
    }
}

/// How many tries of a request are remembered, and how many of those are its first.
const MOST_ATTEMPTS: usize = 64;
const FIRST_ATTEMPTS: usize = 16;
