//! Errors of the caller's own files and code, and not of the network.

use std::borrow::Cow;
use std::io;

use super::{Error, ErrorKind, Phase};

impl Error {
    /// The error of the reader, or the file, that a request's body comes from.
    pub(crate) fn unread(error: io::Error) -> Self {
        let mut unread = Self::new(ErrorKind::Io, "").because(error);
        unread.0.local = Some("the request's body cannot be read");
        unread
    }

    /// The error of a file, a writer or a function of the caller's that receives a body.
    pub(crate) fn local(detail: impl Into<Cow<'static, str>>, source: io::Error) -> Self {
        let mut error = Self::new(ErrorKind::Io, detail).during(Phase::Receiving).because(source);
        error.0.local = Some("output failed");
        error
    }
}
