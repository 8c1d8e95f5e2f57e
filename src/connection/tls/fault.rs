//! What it means that TLS failed.

use std::borrow::Cow;
use std::fmt;
use std::io;

use crate::error::{Error, ErrorKind, Phase};

/// Whether an error of a socket is one of TLS: a bad certificate, a bad record, an alert.
pub(in crate::connection) fn is_tls_error(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|source| source.is::<rustls::Error>() || source.is::<Told>())
}

/// A setting of TLS that cannot be, as somebody else tells it.
pub(super) fn fault(
    detail: impl Into<Cow<'static, str>>,
    source: impl std::error::Error + Send + Sync + 'static,
) -> Error {
    bad(detail).because(source)
}

/// A setting of TLS that cannot be.
pub(super) fn bad(detail: impl Into<Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::Tls, detail).during(Phase::Setup)
}

/// What the peer sent is no TLS, or none that we take; with what that means, where it can be told.
pub(super) fn invalid(error: rustls::Error, what: Option<String>) -> io::Error {
    let kind = io::ErrorKind::InvalidData;
    match what {
        Some(what) => io::Error::new(kind, Told { what, error }),
        None => io::Error::new(kind, error),
    }
}

/// An error of an exchange, with what it means.
#[derive(Debug)]
struct Told {
    what: String,
    error: rustls::Error,
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Told {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}
