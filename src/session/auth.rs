//! Credentials that a session sends, and where to.

use std::fmt;

use crate::error::{Error, ErrorKind, Phase};
use crate::message::{Origin, REDACTED, Target, base64};

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
    /// The first thing that was wrong with them: no request that would carry them is sent.
    fault: Option<(ErrorKind, String)>,
}

impl Auth {
    /// A user and a password, by the Basic scheme (RFC 7617). A user with a colon makes every
    /// request fail that would carry them: the server would read another user and another password.
    #[must_use]
    pub fn basic(user: impl AsRef<str>, password: impl AsRef<str>) -> Self {
        let (user, password) = (user.as_ref().as_bytes(), password.as_ref().as_bytes());
        match basic(user, password) {
            Some(value) => Self::value(value),
            None => Self {
                fault: Some((
                    ErrorKind::InvalidRequest,
                    format!("the user of Auth::basic {COLON}"),
                )),
                ..Self::value(String::new())
            },
        }
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
    /// for more than one. A URL that cannot be read makes every request fail that would carry
    /// them: they must not go anywhere by mistake.
    #[must_use]
    pub fn for_origin(mut self, url: impl AsRef<str>) -> Self {
        match Origin::parse(url.as_ref()) {
            Ok(origin) => self.origins.push(origin),
            Err(error) => {
                self.fault.get_or_insert_with(|| (ErrorKind::InvalidUrl, error.to_string()));
            }
        }
        self
    }

    /// The field's value for a request to this target, if the credentials go there.
    pub(super) fn for_target(&self, target: &Target) -> Result<Option<&str>, Error> {
        if let Some((kind, detail)) = &self.fault {
            return Err(Error::new(*kind, detail.clone()).during(Phase::Setup));
        }
        let bound = !self.origins.is_empty();
        let goes = !bound || self.origins.iter().any(|origin| origin.contains(target));
        Ok(goes.then_some(self.value.as_str()))
    }
}

/// The field's value for the user information of a URL.
pub(super) fn from_userinfo((user, password): (&[u8], &[u8])) -> Result<String, Error> {
    let fault = || Error::new(ErrorKind::InvalidUrl, format!("the user in the URL {COLON}"));
    basic(user, password).ok_or_else(|| fault().during(Phase::Setup))
}

/// `None` for a user with a colon.
fn basic(user: &[u8], password: &[u8]) -> Option<String> {
    let pair = || [user, b":", password].concat();
    (!user.contains(&b':')).then(|| format!("Basic {}", base64(&pair())))
}

const COLON: &str = "holds a colon (RFC 7617 section 2)";

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Auth").field("value", &REDACTED).field("origins", &self.origins).finish()
    }
}
