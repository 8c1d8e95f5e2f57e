//! A jar: where cookies are kept, and a handle on it.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use super::cookie::Cookie;
use super::entry::{Entry, Millis};
use super::netscape;
use super::refusal::Refusal;
use super::set_cookie;
use super::store::{self, Store};
use super::suffixes::Suffixes;
use crate::error::{Error, ErrorKind, Phase};
use crate::log::debug;
use crate::message::{Headers, Host, Target};

/// Cookies, and the rules by which they come and go (RFC 6265, and of RFC 6265bis what keeps
/// servers from each other's cookies).
///
/// A clone is the same jar. Give one to sessions by [`SessionConfig::cookies`]: each can have a copy
/// of it ([`Cookies::Own`]), or they share it ([`Cookies::Shared`]). No lock is held while a request
/// is under way.
///
/// # What is kept
///
/// - A cookie belongs to the host that set it, or to a domain of its that it names by `Domain`; to
///   the path it names, or that of the URL. Ports and `SameSite` do not count.
/// - `Secure` ones are taken from https only and sent over https only, on loopback, too; one that
///   came over http does not take their place.
/// - `Max-Age` comes before `Expires`, which is read in any form that RFC 6265 knows.
/// - A name with `__Secure-` or `__Host-` in front is held to it.
/// - A domain that is a public suffix, like `co.uk`, has no cookies: with the feature
///   `public-suffix` by Mozilla's list as it was when the crate `psl` was built, or by a
///   [function](Self::with_public_suffixes) of yours. Danger: without either, only single labels and
///   what looks like `co.uk` or `com.au` is refused; then `a.github.io` can set cookies for
///   `b.github.io`.
///
/// # How much is kept
///
/// [`MAX_COOKIES`](Self::MAX_COOKIES) in all, [`MAX_SITE_COOKIES`](Self::MAX_SITE_COOKIES) of a site
/// (a domain below a public suffix, with all its hosts), [`MAX_BYTES`](Self::MAX_BYTES) of memory in
/// all and a sixteenth of it for a site; first go those that have expired, then those that were not
/// used for longest, those with `Secure` last. Name and value have at most 4096 bytes, an attribute
/// 1024. Of one response [`MAX_SET_COOKIES`](Self::MAX_SET_COOKIES) are read, and so many sent with
/// one request that the field stays within [`MAX_FIELD_BYTES`](Self::MAX_FIELD_BYTES).
///
/// # Examples
///
/// ```
/// use fetchpool::{CookieJar, Cookies, SessionConfig};
///
/// let jar = CookieJar::new();
/// jar.add("session=s3cret; Path=/; Secure; Max-Age=3600", "https://example.com/")?;
///
/// let mut session = SessionConfig::new();
/// session.cookies = Cookies::Shared(jar.clone());
/// // … requests …
/// for cookie in jar.cookies() {
///     println!("{} of {}{}", cookie.name(), cookie.domain(), cookie.path());
/// }
/// assert!(!format!("{session:?}{:?}", jar.cookies()).contains("s3cret"));
/// # Ok::<(), fetchpool::Error>(())
/// ```
///
/// [`SessionConfig::cookies`]: crate::SessionConfig::cookies
/// [`Cookies::Own`]: crate::Cookies::Own
/// [`Cookies::Shared`]: crate::Cookies::Shared
#[derive(Clone, Default)]
pub struct CookieJar {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    store: Mutex<Store>,
    suffixes: Suffixes,
}

impl CookieJar {
    /// How many cookies a jar keeps.
    pub const MAX_COOKIES: usize = store::COOKIES;
    /// How many cookies of one site a jar keeps.
    pub const MAX_SITE_COOKIES: usize = store::SITE_COOKIES;
    /// How much memory the cookies of a jar take, roughly.
    pub const MAX_BYTES: usize = store::BYTES;
    /// How many `Set-Cookie` fields of a response are read.
    pub const MAX_SET_COOKIES: usize = 50;
    /// How many cookies of a jar are sent with a request.
    pub const MAX_FIELD_COOKIES: usize = store::FIELD_COOKIES;
    /// How long a `Cookie` field may become by the cookies of a jar.
    pub const MAX_FIELD_BYTES: usize = store::FIELD_BYTES;

    /// An empty jar.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty jar that asks a function which domains are public suffixes, instead of a list. It
    /// gets them in lower case, in ASCII (punycode) and without a dot in front or at the end, and is
    /// called while no lock is held. Single labels are refused without asking.
    ///
    /// # Examples
    ///
    /// ```
    /// use fetchpool::CookieJar;
    ///
    /// let jar = CookieJar::with_public_suffixes(|domain| domain == "tenants.example");
    /// assert!(jar.add("a=b; Domain=tenants.example", "http://one.tenants.example/").is_err());
    /// assert!(jar.add("a=b", "http://one.tenants.example/").is_ok());
    /// ```
    #[must_use]
    pub fn with_public_suffixes(
        is_public_suffix: impl Fn(&str) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self::of(Store::default(), Suffixes::by(is_public_suffix))
    }

    fn of(store: Store, suffixes: Suffixes) -> Self {
        Self { inner: Arc::new(Inner { store: Mutex::new(store), suffixes }) }
    }

    /// Puts a cookie in, as if the URL had answered with this `Set-Cookie` field. With `Max-Age=0`
    /// it takes the cookie of that name, domain and path out.
    ///
    /// # Errors
    ///
    /// Kind [`InvalidUrl`](ErrorKind::InvalidUrl) for the URL,
    /// [`InvalidRequest`](ErrorKind::InvalidRequest) for a cookie that would be ignored, with the
    /// reason.
    #[doc(alias("set", "add_cookie_str"))]
    pub fn add(&self, set_cookie: impl AsRef<str>, url: impl AsRef<str>) -> Result<(), Error> {
        let from = Target::parse(url.as_ref())?;
        self.put(set_cookie.as_ref(), &from, now()).map_err(|refusal| {
            let detail = format!("the cookie is refused: {refusal}");
            Error::new(ErrorKind::InvalidRequest, detail).during(Phase::Setup)
        })
    }

    /// The cookies, in the order in which they came, without those that have expired.
    #[must_use]
    pub fn cookies(&self) -> Vec<Cookie> {
        self.lock().entries(now()).into_iter().map(Cookie::from).collect()
    }

    /// The value of the `Cookie` field that a request for this URL gets; `None` if it gets none.
    ///
    /// # Errors
    ///
    /// Kind [`InvalidUrl`](ErrorKind::InvalidUrl) for the URL.
    pub fn field_for(&self, url: impl AsRef<str>) -> Result<Option<String>, Error> {
        Ok(self.field(&Target::parse(url.as_ref())?, "", now()))
    }

    /// Takes out the cookie of this name, domain and path, and says whether it was there.
    pub fn remove(&self, cookie: &Cookie) -> bool {
        let mut found = false;
        self.lock().retain(|entry| {
            let is_it = entry.name() == cookie.name()
                && entry.domain() == cookie.domain()
                && entry.path() == cookie.path()
                && entry.is_host_only() == cookie.host_only();
            found |= is_it;
            !is_it
        });
        found
    }

    /// Takes all cookies out.
    pub fn clear(&self) {
        self.lock().retain(|_| false);
    }

    /// How many cookies there are, without those that have expired.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().entries(now()).len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Another jar with the same cookies, which from then on has its own.
    #[must_use]
    pub fn copy(&self) -> Self {
        let store = self.lock().clone();
        Self::of(store, self.inner.suffixes.clone())
    }

    /// The cookies as text for a file, in the form that curl and wget read and write (Netscape's
    /// `cookies.txt`), also those that would end with the session. Danger: the text is full of
    /// credentials.
    #[must_use]
    pub fn to_netscape(&self) -> String {
        self.text(now())
    }

    /// Puts the cookies of such a text in, and says how many. Those that have expired and those that
    /// the rules refuse are left out.
    ///
    /// # Errors
    ///
    /// Kind [`InvalidRequest`](ErrorKind::InvalidRequest) for a line that is of another form, by its
    /// number; nothing is put in then.
    ///
    /// # Examples
    ///
    /// ```
    /// use fetchpool::CookieJar;
    ///
    /// let text = ".example.com\tTRUE\t/\tTRUE\t0\tlang\ten\n";
    /// let jar = CookieJar::new();
    /// assert_eq!(jar.add_netscape(text)?, 1);
    /// assert_eq!(jar.field_for("https://www.example.com/")?.as_deref(), Some("lang=en"));
    /// assert!(jar.to_netscape().ends_with(text));
    /// # Ok::<(), fetchpool::Error>(())
    /// ```
    pub fn add_netscape(&self, text: impl AsRef<str>) -> Result<usize, Error> {
        self.add_text(text.as_ref(), now())
    }

    pub(crate) fn add_text(&self, text: &str, now: Millis) -> Result<usize, Error> {
        let mut read = Vec::new();
        for (line, number) in text.lines().zip(1_u64..) {
            let wrong = |why: &str| {
                let detail = format!("line {number} of the cookies {why}");
                Error::new(ErrorKind::InvalidRequest, detail).during(Phase::Setup)
            };
            let Some((host, parts)) = netscape::read(line).map_err(wrong)? else { continue };
            // Only the host counts: the path is among the parts.
            let from = Target::parse(&format!("https://{host}/"))
                .map_err(|_| wrong("has no host in its first column"))?;
            if let Ok(entry) = parts.check(&from, &self.inner.suffixes) {
                read.push((self.site(&from).to_owned(), entry));
            }
        }
        let mut store = self.lock();
        let kept = read.into_iter().filter(|(_, entry)| !entry.is_expired(now));
        Ok(kept.filter_map(|(site, entry)| store.put(&site, entry, true, now).ok()).count())
    }

    pub(crate) fn text(&self, now: Millis) -> String {
        let mut text = netscape::FIRST_LINE.to_owned();
        for entry in self.lock().entries(now) {
            netscape::write(entry, &mut text);
        }
        text
    }

    /// Keeps what a response's fields set.
    pub(crate) fn keep(&self, headers: &Headers, from: &Target) {
        let now = now();
        for line in headers.get_all("set-cookie").take(Self::MAX_SET_COOKIES) {
            if let Err(refusal) = self.put(line, from, now) {
                debug!("a cookie from {from:?} is refused: {refusal}");
            }
        }
    }

    pub(crate) fn put(&self, line: &str, from: &Target, now: Millis) -> Result<(), Refusal> {
        let entry: Entry = set_cookie::parse(line, now)?.check(from, &self.inner.suffixes)?;
        let site = self.site(from);
        self.lock().put(site, entry, from.is_https(), now)
    }

    /// The one `Cookie` field for a request: the caller's own cookies, then the jar's.
    pub(crate) fn field(&self, target: &Target, theirs: &str, now: Millis) -> Option<String> {
        let site = self.site(target);
        self.lock().field(target, site, theirs, now)
    }

    /// Whose ceiling the cookies of a host count against: an address has its own.
    fn site<'t>(&self, target: &'t Target) -> &'t str {
        match target.host() {
            Host::Ip(_) => target.host_str(),
            Host::Name(name) => self.inner.suffixes.site(name),
        }
    }

    /// Poison is ignored: cookies are taken out and put back whole, so that a panic in between can
    /// have lost some, but not left half of one behind.
    fn lock(&self) -> MutexGuard<'_, Store> {
        self.inner.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for CookieJar {
    /// How many cookies there are; neither names nor values.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CookieJar")
            .field("cookies", &self.len())
            .field("public_suffixes", &self.inner.suffixes)
            .finish()
    }
}

pub(crate) fn now() -> Millis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis::try_from(since.as_millis()).unwrap_or(Millis::MAX)
}
