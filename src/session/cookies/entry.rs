//! One cookie as a jar keeps it: the crate's, and what the crate does not keep.

use cookie_store::{CookieDomain, CookiePath, RawCookie};

use super::refusal::Refusal;
use super::suffixes::Suffixes;
use crate::message::{Host, Target};

/// Milliseconds since 1970.
pub(crate) type Millis = i64;

/// A cookie with its place in time. What domain and path it has, and which URLs they match, is
/// decided by `cookie_store`.
#[derive(Clone)]
pub(super) struct Entry {
    cookie: cookie_store::Cookie<'static>,
    /// When it ends, if it ends before its jar.
    expires: Option<Millis>,
    /// Counted by the jar, not timed: two cookies of one response have an order, too.
    pub(super) created: u64,
    pub(super) used: u64,
}

/// What a cookie is made of, as it was written; nothing of it is checked.
#[derive(Default)]
pub(super) struct Parts<'a> {
    pub(super) name: &'a str,
    pub(super) value: &'a str,
    pub(super) domain: Option<&'a str>,
    pub(super) path: Option<&'a str>,
    pub(super) secure: bool,
    pub(super) http_only: bool,
    pub(super) expires: Option<Millis>,
}

impl Parts<'_> {
    /// The cookie that these make when they come from this URL (RFC 6265 §5.3, with the checks of
    /// RFC 6265bis).
    pub(super) fn check(self, from: &Target, suffixes: &Suffixes) -> Result<Entry, Refusal> {
        if self.name.is_empty() {
            return Err(Refusal::Nameless);
        }
        if self.name.len().saturating_add(self.value.len()) > PAIR_BYTES {
            return Err(Refusal::TooLong);
        }
        let texts = [self.name, self.value, self.domain.unwrap_or(""), self.path.unwrap_or("")];
        if texts.iter().any(|text| text.bytes().any(|byte| byte.is_ascii_control())) {
            return Err(Refusal::ControlByte);
        }
        if self.secure && !from.is_https() {
            return Err(Refusal::SecureOverHttp);
        }
        let mut raw = RawCookie::new(self.name.to_owned(), self.value.to_owned());
        raw.set_secure(self.secure);
        raw.set_http_only(self.http_only);
        if let Some(domain) = self.domain {
            raw.set_domain(domain.to_owned());
        }
        let url = from.url().ok_or(Refusal::OtherDomain)?;
        let mut cookie = cookie_store::Cookie::try_from_raw_cookie(&raw, url)
            .map_err(|_| Refusal::OtherDomain)?;
        cookie.path = CookiePath::new(self.path.unwrap_or(""), url);
        if !has_domain(&cookie.domain, from, suffixes)? {
            // Not as the crate writes it: some IPv6 addresses have two spellings.
            cookie.domain = CookieDomain::HostOnly(from.host_str().to_owned());
        }
        let entry = Entry { cookie, expires: self.expires, created: 0, used: 0 };
        if entry.keeps_its_prefix() { Ok(entry) } else { Err(Refusal::Prefix) }
    }
}

/// Whether the cookie goes to all hosts of its domain, and not only to the one that it is from.
fn has_domain(domain: &CookieDomain, from: &Target, suffixes: &Suffixes) -> Result<bool, Refusal> {
    // `Domain=` and `Domain=.` are no domain at all, and not every domain.
    let CookieDomain::Suffix(domain) = domain else { return Ok(false) };
    let is_address = matches!(from.host(), Host::Ip(_));
    let is_public = suffixes.contain(domain);
    let is_odd = domain.split('.').any(str::is_empty);
    match domain == from.host_str() {
        true => Ok(!is_address && !is_public && !is_odd),
        false if is_public => Err(Refusal::PublicSuffix),
        false if is_address || is_odd => Err(Refusal::OtherDomain),
        false => Ok(true),
    }
}

impl Entry {
    pub(super) fn name(&self) -> &str {
        self.cookie.name()
    }

    pub(super) fn value(&self) -> &str {
        self.cookie.value()
    }

    pub(super) fn domain(&self) -> &str {
        match &self.cookie.domain {
            CookieDomain::HostOnly(domain) | CookieDomain::Suffix(domain) => domain,
            CookieDomain::NotPresent | CookieDomain::Empty => "",
        }
    }

    pub(super) const fn is_host_only(&self) -> bool {
        !matches!(self.cookie.domain, CookieDomain::Suffix(_))
    }

    pub(super) fn path(&self) -> &str {
        &self.cookie.path
    }

    pub(super) fn is_secure(&self) -> bool {
        self.cookie.secure() == Some(true)
    }

    pub(super) fn is_http_only(&self) -> bool {
        self.cookie.http_only() == Some(true)
    }

    pub(super) const fn expires(&self) -> Option<Millis> {
        self.expires
    }

    pub(super) fn is_expired(&self, now: Millis) -> bool {
        self.expires.is_some_and(|end| end <= now)
    }

    /// Whether it is sent to this URL. The crate takes loopback over http for secure; here only
    /// https is.
    pub(super) fn goes_to(&self, target: &Target) -> bool {
        (!self.is_secure() || target.is_https())
            && target.url().is_some_and(|url| self.cookie.matches(url))
    }

    /// Whether the two cannot both be kept: the newer one replaces the other.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.name() == other.name()
            && self.domain() == other.domain()
            && self.path() == other.path()
            && self.is_host_only() == other.is_host_only()
    }

    /// Whether a server could take this one for the other, which it must not replace, since it came
    /// over https and this one did not (RFC 6265bis, "leave secure cookies alone").
    pub(super) fn would_shadow(&self, other: &Self) -> bool {
        other.is_secure()
            && self.name() == other.name()
            && (is_within(self.domain(), other.domain())
                || is_within(other.domain(), self.domain()))
            && is_below(self.path(), other.path())
    }

    /// About how much memory it takes.
    pub(super) fn size(&self) -> usize {
        let domain = self.domain().len().saturating_mul(2);
        [self.value().len(), domain, self.path().len(), OVERHEAD]
            .into_iter()
            .fold(self.name().len(), usize::saturating_add)
    }

    /// What a name promises by its prefix, in any letter case. White space that some servers drop
    /// is not believed to make another name.
    fn keeps_its_prefix(&self) -> bool {
        let name = self.name().trim();
        let begins = |prefix: &str| {
            name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
        };
        let is_of_host =
            self.is_host_only() && self.path() == "/" && self.cookie.path.is_from_path_attr();
        (!begins("__Secure-") || self.is_secure())
            && (!begins("__Host-") || (self.is_secure() && is_of_host))
    }
}

/// Whether the host is the domain, or one of its (RFC 6265 §5.1.3). For names: addresses have no
/// cookies in common.
fn is_within(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// Whether a path is another, or one below it (RFC 6265 §5.1.4).
fn is_below(path: &str, top: &str) -> bool {
    path.strip_prefix(top)
        .is_some_and(|rest| rest.is_empty() || top.ends_with('/') || rest.starts_with('/'))
}

/// The most that name and value may have in all (RFC 6265bis §5.6).
const PAIR_BYTES: usize = 4096;
/// What an entry takes beside its texts.
const OVERHEAD: usize = size_of::<Entry>();
