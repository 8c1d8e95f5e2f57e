//! Credentials that a session sends, and where to.

mod basic;
#[cfg(any(feature = "digest", fuzzing, fetchpool_internals))]
pub(super) mod challenge;
#[cfg(feature = "digest")]
mod digest;
#[cfg(feature = "digest")]
mod hash;
mod login;
mod netrc;
mod reach;
mod sign;
#[cfg(feature = "digest")]
mod spaces;
#[cfg(feature = "digest")]
mod terms;

use std::borrow::Cow;
use std::fmt;

#[cfg(feature = "digest")]
pub(super) use self::login::Asked;
#[cfg(feature = "digest")]
use self::login::Login;
pub use self::netrc::Netrc;
use self::reach::Reach;
pub use self::sign::{SignableRequest, Signer};
#[cfg(feature = "digest")]
pub(super) use self::spaces::Spaces;
use crate::error::{Error, ErrorKind, Phase};
use crate::message::{REDACTED, Target};

/// Credentials that a session sends with its requests, as the `Authorization` field.
///
/// Without [`for_origin`](Self::for_origin) they go to the URL of every job, wherever that is; so
/// bind them where the list of URLs is not wholly your own. They never follow a redirect to
/// another origin.
///
/// # Whose come first
///
/// Each request is sent with the first of these that there is:
///
/// 1. its own: a field `Authorization`, [`Request::basic_auth`](crate::Request::basic_auth),
///    [`bearer_auth`](crate::Request::bearer_auth); or none at all, where
///    [`without_header`](crate::Request::without_header) says so;
/// 2. user and password in its URL, by the Basic scheme; where there is a user alone, the
///    password that [`netrc`](crate::SessionConfig::netrc) has for this user there;
/// 3. [`SessionConfig::auth`](crate::SessionConfig::auth), where it is for that origin;
/// 4. [`SessionConfig::netrc`](crate::SessionConfig::netrc), where it has the host;
/// 5. an `Authorization` among [`SessionConfig::headers`](crate::SessionConfig::headers).
///
/// [`SessionConfig::signer`](crate::SessionConfig::signer) comes last, sees what was chosen, and
/// may replace it.
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
    scheme: Scheme,
    reach: Reach,
    /// What is sent where this does not go.
    other: Option<Box<Self>>,
}

/// How one says who one is.
#[derive(Clone, PartialEq, Eq)]
enum Scheme {
    /// By the same field each time.
    Field(String),
    #[cfg(feature = "digest")]
    Digest(Login),
}

impl Auth {
    /// A user and a password, by the Basic scheme (RFC 7617). A user with a colon makes every
    /// request fail that would carry them: the server would read another user and another password.
    #[must_use]
    pub fn basic(user: impl AsRef<str>, password: impl AsRef<str>) -> Self {
        match basic::field(user.as_ref().as_bytes(), password.as_ref().as_bytes()) {
            Some(value) => Self::of(Scheme::Field(value)),
            None => {
                let detail = format!("the user of Auth::basic {}", basic::COLON);
                let reach = Reach::nowhere(ErrorKind::InvalidRequest, detail);
                Self { reach, ..Self::of(Scheme::Field(String::new())) }
            }
        }
    }

    /// A token, by the Bearer scheme (RFC 6750).
    #[must_use]
    pub fn bearer(token: impl AsRef<str>) -> Self {
        Self::of(Scheme::Field(format!("Bearer {}", token.as_ref())))
    }

    /// A user and a password, by the Digest scheme (RFC 7616; feature `digest`): the password
    /// itself is never sent.
    ///
    /// The first request to an origin goes out without credentials, and again with them when its
    /// server answers 401 with a challenge. Later ones of the same session carry them at once, as
    /// long as the server takes them. A 401 is answered once for each hop, and once more if the
    /// server calls the nonce stale; the next one is the response. Only a Digest challenge is
    /// answered, so that no server can ask for the password itself, and only within the origin of
    /// the job's URL.
    ///
    /// Of what a server offers the strongest is taken: SHA-256, SHA-512-256, MD5, each also as
    /// `-sess`; quality of protection `auth`, `auth-int`, or none, as RFC 2069 had it.
    ///
    /// Danger: MD5 is weak, and over `http` whoever listens can guess the password at leisure.
    ///
    /// # Examples
    ///
    /// ```
    /// use fetchpool::{Auth, SessionConfig};
    ///
    /// let mut session = SessionConfig::new();
    /// session.auth = Some(Auth::digest("user", "s3cret").for_origin("https://nas.example"));
    /// assert!(!format!("{session:?}").contains("s3cret"));
    /// ```
    #[cfg(feature = "digest")]
    #[must_use]
    pub fn digest(user: impl Into<String>, password: impl Into<String>) -> Self {
        Self::of(Scheme::Digest(Login { user: user.into(), password: password.into() }))
    }

    const fn of(scheme: Scheme) -> Self {
        Self { scheme, reach: Reach::everywhere(), other: None }
    }

    /// Binds the credentials to the origin (scheme, host and port) of this URL; may be repeated
    /// for more than one. A URL that cannot be read makes every request fail that would carry
    /// them: they must not go anywhere by mistake.
    #[must_use]
    pub fn for_origin(mut self, url: impl AsRef<str>) -> Self {
        self.reach.add(url.as_ref());
        self
    }

    /// Other credentials, for where these do not go: the first that go somewhere are sent there.
    /// [`for_origin`](Self::for_origin) then still binds the first ones only.
    ///
    /// # Examples
    ///
    /// ```
    /// use fetchpool::Auth;
    ///
    /// let api = Auth::bearer("s3cret").for_origin("https://api.example.com");
    /// let both = api.or(Auth::basic("ann", "pw").for_origin("https://files.example.com"));
    /// # drop(both);
    /// ```
    #[must_use]
    pub fn or(mut self, other: Self) -> Self {
        let mut last = &mut self.other;
        while let Some(auth) = last {
            last = &mut auth.other;
        }
        *last = Some(Box::new(other));
        self
    }

    /// The scheme for a request to this target, if credentials go there.
    fn for_target(&self, target: &Target) -> Result<Option<&Scheme>, Error> {
        let mut next = Some(self);
        while let Some(auth) = next {
            if auth.reach.has(target)? {
                return Ok(Some(&auth.scheme));
            }
            next = auth.other.as_deref();
        }
        Ok(None)
    }
}

/// What a hop says of who asks.
pub(super) enum Proof<'a> {
    /// This, each time.
    Field(Cow<'a, str>),
    /// What the server's challenge makes of it.
    #[cfg(feature = "digest")]
    Digest(&'a Login),
}

/// What goes to this target, of that which is not the request's own: the URL's user and password,
/// the session's credentials, those of a netrc.
pub(super) fn choose<'a>(
    target: &Target,
    auth: Option<&'a Auth>,
    netrc: Option<&Netrc>,
) -> Result<Option<Proof<'a>>, Error> {
    let by_basic = |value: String| Some(Proof::Field(Cow::Owned(value)));
    if let Some((user, password)) = target.userinfo() {
        let known = netrc.filter(|_| password.is_empty()).and_then(|n| n.login(target, Some(user)));
        let password = known.map_or(password, |login| login.password.as_bytes());
        let value = basic::field(user, password).ok_or_else(|| {
            let detail = format!("the user in the URL {}", basic::COLON);
            Error::new(ErrorKind::InvalidUrl, detail).during(Phase::Setup)
        });
        return value.map(by_basic);
    }
    if let Some(scheme) = auth.map(|auth| auth.for_target(target)).transpose()?.flatten() {
        return Ok(Some(match scheme {
            Scheme::Field(value) => Proof::Field(Cow::Borrowed(value)),
            #[cfg(feature = "digest")]
            Scheme::Digest(login) => Proof::Digest(login),
        }));
    }
    let login = netrc.and_then(|netrc| netrc.login(target, None));
    // A login with a colon was refused when the netrc was read.
    Ok(login
        .and_then(|l| basic::field(l.user.as_bytes(), l.password.as_bytes()))
        .and_then(by_basic))
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Auth");
        shown.field("value", &REDACTED).field("origins", &self.reach);
        if let Some(other) = &self.other {
            shown.field("or", other);
        }
        shown.finish()
    }
}
