//! What goes wrong within a queue engine.

use std::error::Error as StdError;
use std::fmt;

/// An engine could not do what it was asked. That a lease is lost, or a queue empty, is no error but
/// an answer.
///
/// # Examples
///
/// ```
/// use fetchpool::QueueError;
/// use std::io;
///
/// let cause = io::Error::from(io::ErrorKind::ConnectionReset);
/// let error = QueueError::temporary("the database has gone away").because(cause);
/// assert!(error.is_temporary());
/// assert_eq!(error.to_string(), "the database has gone away");
/// ```
#[derive(Debug)]
pub struct QueueError {
    kind: Kind,
    detail: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Temporary,
    Permanent,
    Unsupported,
}

impl QueueError {
    /// Asked again later, it may work: the pool does so, after 100 ms at first, and up to 5 s.
    #[must_use]
    pub fn temporary(detail: impl Into<String>) -> Self {
        Self { kind: Kind::Temporary, detail: detail.into(), source: None }
    }

    /// It will not work again: a pool to which a claim says so takes no more jobs, and gives one
    /// exception that says why.
    #[must_use]
    pub fn permanent(detail: impl Into<String>) -> Self {
        Self { kind: Kind::Permanent, detail: detail.into(), source: None }
    }

    /// The engine has no such thing.
    #[must_use]
    pub fn unsupported() -> Self {
        Self { kind: Kind::Unsupported, detail: "the queue cannot do this".into(), source: None }
    }

    /// Adds the cause: it becomes the `source()`.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Whether it may work later.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        self.kind == Kind::Temporary
    }

    /// Whether the engine has no such thing.
    #[must_use]
    pub fn is_unsupported(&self) -> bool {
        self.kind == Kind::Unsupported
    }
}

impl fmt::Display for QueueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl StdError for QueueError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}
