//! Credentials that a session sends, and where to.

use std::fmt;

use crate::error::Error;
use crate::message::{InvalidUrl, Origin, REDACTED, Target, base64};

/// Credentials that a session sends with its requests, as the `Authorization` field.
///
/// Without [`for_origin`](Self::for_origin) they go to the URL of every job, wherever that is; so
/// bind them where the list of URLs is not wholly your own. They never follow a redirect to
/// another origin. A request's own credentials, or those in its URL, come first.
///
/// # Examples
///
/// ```
/// use fetchpool::{Auth, SessionConfig};
///
/// let mut session = SessionConfig::new();
/// session.auth = Some(Auth::bearer("s3cret").for_origin("https://api.example.com"));
/// assert!(!format!("{session:?}").contains("s3cret"));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Auth {
    value: String,
    /// Where the credentials may go; everywhere if none is named.
    origins: Vec<Origin>,
    fault: Option<InvalidUrl>,
}

impl Auth {
    /// A user and a password, by the Basic scheme (RFC 7617).
    #[must_use]
    pub fn basic(user: impl AsRef<str>, password: impl AsRef<str>) -> Self {
        let pair = format!("{}:{}", user.as_ref(), password.as_ref());
        Self::value(format!("Basic {}", base64(pair.as_bytes())))
    }

    /// A token, by the Bearer scheme (RFC 6750).
    #[must_use]
    pub fn bearer(token: impl AsRef<str>) -> Self {
        Self::value(format!("Bearer {}", token.as_ref()))
    }

    const fn value(value: String) -> Self {
        Self { value, origins: Vec::new(), fault: None }
    }

    /// Binds the credentials to the origin (scheme, host and port) of this URL; may be repeated
    /// for more than one. A URL that cannot be read makes every request of the session fail: the
    /// credentials must not go anywhere by mistake.
    #[must_use]
    pub fn for_origin(mut self, url: impl AsRef<str>) -> Self {
        match Origin::parse(url.as_ref()) {
            Ok(origin) => self.origins.push(origin),
            Err(error) => self.fault = Some(error),
        }
        self
    }

    /// The field's value for a request to this target, if the credentials go there.
    pub(super) fn for_target(&self, target: &Target) -> Result<Option<&str>, Error> {
        if let Some(fault) = &self.fault {
            return Err(Error::from(fault.clone()));
        }
        let bound = !self.origins.is_empty();
        let goes = !bound || self.origins.iter().any(|origin| origin.contains(target));
        Ok(goes.then_some(self.value.as_str()))
    }
}

/// The field's value for the user information of a URL.
pub(super) fn from_userinfo((user, password): (&[u8], &[u8])) -> String {
    format!("Basic {}", base64(&[user, b":", password].concat()))
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Auth").field("value", &REDACTED).field("origins", &self.origins).finish()
    }
}
