//! One try at an exchange that came to nothing.

use std::net::SocketAddr;

use super::kind::{ErrorKind, Phase};

/// One time that a request was sent, or was about to be, and did not bring what was wanted: by its
/// kind, and where it had come to. [`Error::attempts`](crate::Error::attempts) has them all.
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
    pub(super) url: String,
    pub(super) kind: ErrorKind,
    pub(super) phase: Option<Phase>,
    pub(super) message: String,
    pub(super) addresses: Vec<SocketAddr>,
    pub(super) reused: bool,
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
