//! Cookies (RFC 6265): kept from the responses of each hop, and sent along where they belong.
//!
//! What domain and path a cookie has and which URLs they match is `cookie_store`'s to say; only this
//! module's parts name it, and `psl`, the list of public suffixes. How a `Set-Cookie` line is read,
//! how much is kept, for how long and in which order it is sent is decided here.

#[cfg(test)]
mod clock_tests;
mod cookie;
mod date;
mod entry;
mod jar;
mod netscape;
mod refusal;
mod set_cookie;
mod store;
mod suffixes;

pub use self::cookie::Cookie;
pub use self::jar::CookieJar;
pub(super) use self::jar::now;

/// Whether a session keeps cookies, and where.
///
/// # Examples
///
/// ```
/// use fetchpool::{CookieJar, Cookies, Pool};
///
/// let jar = CookieJar::new();
/// let shared = jar.clone();
/// let pool = Pool::builder().initializer(move |session| {
///     // One jar for all workers; a jar for each would be `Cookies::Own(CookieJar::new())`.
///     session.cookies = Cookies::Shared(shared.clone());
/// });
/// # drop(pool);
/// ```
#[non_exhaustive]
#[derive(Clone, Debug, Default)]
pub enum Cookies {
    /// `Set-Cookie` is not obeyed, and no cookie is sent but the caller's own.
    #[default]
    Off,
    /// Each session has a jar of its own, which begins as a copy of this one. Cookies that one
    /// worker of a pool was given are not seen by another.
    Own(CookieJar),
    /// All sessions use this jar. Danger: what one request was given, all others send; a list of
    /// jobs for several users of one site needs a jar for each.
    Shared(CookieJar),
}

impl Cookies {
    /// The jar of a session that begins.
    pub(super) fn jar(&self) -> Option<CookieJar> {
        match self {
            Self::Off => None,
            Self::Own(jar) => Some(jar.copy()),
            Self::Shared(jar) => Some(jar.clone()),
        }
    }
}
