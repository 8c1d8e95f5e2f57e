//! What it means that TLS failed.

use std::borrow::Cow;
use std::io;

use crate::error::{Error, ErrorKind, Phase};

/// Whether an error of a socket is one of TLS: a bad certificate, a bad record, an alert.
pub(in crate::connection) fn is_tls_error(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|source| source.is::<rustls::Error>())
}

/// A setting of TLS that cannot be.
pub(super) fn fault(
    detail: impl Into<Cow<'static, str>>,
    source: impl std::error::Error + Send + Sync + 'static,
) -> Error {
    Error::new(ErrorKind::Tls, detail).during(Phase::Setup).because(source)
}
