//! Where a request goes. The only module that names `url`.
//!
//! A URL is parsed once, by the WHATWG rules, and that one parse feeds the `Host` field, the TLS
//! server name, the look-up, the connection's identity and the rules for credentials. Two
//! parsers that disagree about a host are how requests end up at somebody else's server.

use std::fmt;
use std::net::IpAddr;
#[cfg(feature = "cookies")]
use std::sync::OnceLock;

use url::{Position, Url};

use super::Request;

/// A parsed `http` or `https` URL, as it is printed, and where its parts stand in that. The user
/// information is kept beside it, so that printing a target can never show it.
#[derive(Clone)]
pub(crate) struct Target {
    text: String,
    parts: Parts,
    userinfo: Option<(Vec<u8>, Vec<u8>)>,
    #[cfg(feature = "cookies")]
    url: OnceLock<Option<Url>>,
}

/// Where the parts of a URL stand. Copied to whatever lies within the same origin.
#[derive(Clone, Copy)]
struct Parts {
    https: bool,
    /// The host begins behind the scheme, and ends here.
    host_end: usize,
    /// Its address, if it is one.
    ip: Option<IpAddr>,
    /// The port, if it is written.
    port: Option<u16>,
    path: usize,
    /// Path and query end here, where the fragment begins.
    end: usize,
}

/// What a connection is opened to and credentials are bound to: scheme, host and port.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Origin {
    pub(crate) https: bool,
    /// Lower case; an IPv6 address stands in brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// A host as it is looked up or connected to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Host<'a> {
    Ip(IpAddr),
    Name(&'a str),
}

impl Target {
    /// Parses an absolute URL.
    ///
    /// Control characters are refused, not dropped as the WHATWG parser does: a URL with a line
    /// break inside is an attempt, or an accident, and never what was meant.
    pub(crate) fn parse(text: &str) -> Result<Self, InvalidUrl> {
        if let Some(found) = text.chars().find(|c| c.is_control()) {
            return Err(InvalidUrl(format!("holds the control character {found:?}")));
        }
        Self::from_url(Url::parse(text).map_err(|error| InvalidUrl::because(error, text))?)
    }

    /// Where a `Location` (RFC 9110 §10.2.2) leads from here: resolved against this URL, with
    /// this URL's fragment if it has none of its own. User information in it is dropped: it is
    /// the server's choice, not the caller's. This URL's own stays within its origin.
    pub(crate) fn join(&self, location: &str) -> Result<Self, InvalidUrl> {
        if let Some(found) = location.chars().find(|c| c.is_control()) {
            return Err(InvalidUrl(format!("holds the control character {found:?}")));
        }
        let because = |error| InvalidUrl::because(error, location);
        let own = Url::parse(&self.text).map_err(because)?;
        let mut url = own.join(location).map_err(because)?;
        if url.fragment().is_none() {
            url.set_fragment(own.fragment());
        }
        let mut joined = Self::from_url(url)?;
        joined.userinfo = self.userinfo.clone().filter(|_| joined.same_origin(self));
        Ok(joined)
    }

    fn from_url(mut url: Url) -> Result<Self, InvalidUrl> {
        if !matches!(url.scheme(), "http" | "https") {
            let scheme = url.scheme();
            return Err(InvalidUrl(format!(
                "scheme \"{scheme}\" is not supported, only http and https are"
            )));
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err(InvalidUrl("has no host".into()));
        }
        let userinfo = (!url.username().is_empty() || url.password().is_some()).then(|| {
            (percent_decode(url.username()), percent_decode(url.password().unwrap_or_default()))
        });
        // These fail only for URLs that cannot have a host, and this one has one.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        let parts = Parts {
            https: url.scheme() == "https",
            host_end: url[..Position::AfterHost].len(),
            ip: match url.host() {
                Some(url::Host::Ipv4(ip)) => Some(IpAddr::V4(ip)),
                Some(url::Host::Ipv6(ip)) => Some(IpAddr::V6(ip)),
                Some(url::Host::Domain(_)) | None => None,
            },
            port: url.port(),
            path: url[..Position::BeforePath].len(),
            end: url[..Position::AfterQuery].len(),
        };
        Ok(Self::new(url.into(), parts, userinfo))
    }

    const fn new(text: String, parts: Parts, userinfo: Option<(Vec<u8>, Vec<u8>)>) -> Self {
        Self {
            text,
            parts,
            userinfo,
            #[cfg(feature = "cookies")]
            url: OnceLock::new(),
        }
    }

    /// The root of this URL's origin.
    pub(super) fn root(&self) -> Self {
        let text = format!("{}/", self.part(0, self.parts.path));
        let parts = Parts { end: text.len(), ..self.parts };
        Self::new(text, parts, None)
    }

    /// An absolute URL, if it begins with this one's scheme, host and port as they are printed, and
    /// what follows is a path and a query that are printed as they stand: there is nothing in them
    /// that the parser would drop, encode or resolve, or that could begin a host.
    pub(super) fn plainly_within(&self, text: &str) -> Option<Self> {
        let rest = text.strip_prefix(self.part(0, self.parts.path))?;
        let mut before = b' ';
        let mut is_plain = rest.starts_with('/');
        for byte in rest.bytes() {
            let is_dot_segment = byte == b'.' && before == b'/';
            is_plain &= is_unchanged(byte) && !is_dot_segment;
            before = byte;
        }
        let parts = Parts { end: text.len(), ..self.parts };
        is_plain.then(|| Self::new(text.to_owned(), parts, None))
    }

    /// Adds the pairs behind the URL's own query, as a form would (`application/x-www-form-urlencoded`).
    pub(crate) fn add_params<'a>(&mut self, params: impl IntoIterator<Item = (&'a str, &'a str)>) {
        let mut params = params.into_iter().peekable();
        if params.peek().is_none() {
            return;
        }
        // It was printed by that parser.
        if let Ok(mut url) = Url::parse(&self.text) {
            url.query_pairs_mut().extend_pairs(params);
            let parts = Parts { end: url[..Position::AfterQuery].len(), ..self.parts };
            *self = Self::new(url.into(), parts, self.userinfo.take());
        }
    }

    /// The parsed URL itself, for `cookie_store`, which speaks of URLs in these terms.
    #[cfg(feature = "cookies")]
    pub(crate) fn url(&self) -> Option<&Url> {
        self.url.get_or_init(|| Url::parse(&self.text).ok()).as_ref()
    }

    fn part(&self, from: usize, to: usize) -> &str {
        // They were measured in this very text; the default is never reached.
        self.text.get(from..to).unwrap_or_default()
    }

    const fn scheme_len(&self) -> usize {
        if self.parts.https { "https://".len() } else { "http://".len() }
    }

    pub(crate) const fn is_https(&self) -> bool {
        self.parts.https
    }

    /// The user and password that stood in the URL, percent-decoded: bytes, in whatever charset the
    /// caller has encoded them.
    pub(crate) fn userinfo(&self) -> Option<(&[u8], &[u8])> {
        self.userinfo.as_ref().map(|(user, password)| (user.as_slice(), password.as_slice()))
    }

    pub(crate) fn port(&self) -> u16 {
        self.parts.port.unwrap_or(if self.parts.https { 443 } else { 80 })
    }

    /// The port that stands in the URL, unless it is the scheme's own.
    pub(crate) const fn explicit_port(&self) -> Option<u16> {
        self.parts.port
    }

    /// The host as it stands in the URL: lower case, ASCII, an IPv6 address in brackets.
    pub(crate) fn host_str(&self) -> &str {
        self.part(self.scheme_len(), self.parts.host_end)
    }

    pub(crate) fn host(&self) -> Host<'_> {
        self.parts.ip.map_or_else(|| Host::Name(self.host_str()), Host::Ip)
    }

    /// The value of the `Host` field (RFC 9112 §3.2): without the port if it is the scheme's own.
    pub(crate) fn authority(&self) -> &str {
        self.part(self.scheme_len(), self.parts.path)
    }

    /// Host and port, also where that is the scheme's own: the request target of a CONNECT
    /// (RFC 9110 §9.3.6).
    pub(crate) fn host_and_port(&self) -> String {
        format!("{}:{}", self.host_str(), self.port())
    }

    /// The request target in absolute form (RFC 9112 §3.2.2), for a proxy: no fragment, and no user
    /// information.
    pub(crate) fn absolute(&self) -> &str {
        self.part(0, self.parts.end)
    }

    /// The request target in origin form (RFC 9112 §3.2.1): path and query, no fragment.
    pub(crate) fn path_and_query(&self) -> &str {
        self.part(self.parts.path, self.parts.end)
    }

    pub(crate) fn origin(&self) -> Origin {
        Origin { https: self.is_https(), host: self.host_str().to_owned(), port: self.port() }
    }

    /// Whether both stand for the same scheme, host and port.
    pub(crate) fn same_origin(&self, other: &Self) -> bool {
        self.is_https() == other.is_https()
            && self.host_str() == other.host_str()
            && self.port() == other.port()
    }

    /// The URL's text, without user information.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// The same, taken out.
    pub(crate) fn into_text(self) -> String {
        self.text
    }
}

/// Whether the parser leaves the byte as it is, in a path and in a query, where it means nothing but
/// itself: none that is percent-encoded in one of them, and neither `%`, which may stand for a dot,
/// nor `#`.
fn is_unchanged(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&()*+,;=:@/?".contains(&byte)
}

impl PartialEq for Target {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text && self.userinfo == other.userinfo
    }
}

impl Eq for Target {}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Origin {
    /// The origin of a URL given as text; what comes after host and port does not count.
    pub(crate) fn parse(text: &str) -> Result<Self, InvalidUrl> {
        Target::parse(text).map(|target| target.origin())
    }

    /// Makes it the target's origin, in the memory that it has.
    pub(crate) fn set(&mut self, target: &Target) {
        (self.https, self.port) = (target.is_https(), target.port());
        self.host.clear();
        self.host.push_str(target.host_str());
    }

    /// Whether the target lies within this origin. Unlike `==` it makes no copy of the host.
    pub(crate) fn contains(&self, target: &Target) -> bool {
        self.https == target.is_https()
            && self.port == target.port()
            && self.host == target.host_str()
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.https { "https" } else { "http" };
        write!(f, "{scheme}://{}:{}", self.host, self.port)
    }
}

impl From<Url> for Request {
    /// A GET of the URL.
    fn from(url: Url) -> Self {
        Self::get(String::from(url))
    }
}

/// Why a URL was refused. Never holds the URL itself, which may hold a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InvalidUrl(String);

impl InvalidUrl {
    fn because(error: url::ParseError, text: &str) -> Self {
        Self(match error {
            url::ParseError::RelativeUrlWithoutBase if text.trim().is_empty() => "is empty".into(),
            url::ParseError::RelativeUrlWithoutBase => {
                "has no scheme: it must begin with http:// or https://".into()
            }
            other => format!("does not parse: {other}"),
        })
    }
}

impl fmt::Display for InvalidUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the URL {}", self.0)
    }
}

impl std::error::Error for InvalidUrl {}

/// A URL as given, fit to be shown: no user information, nothing that a terminal obeys.
///
/// Text that does not parse may still hold a password, at a place that nobody can say for sure;
/// then everything up to its last `@` goes.
pub(crate) fn redact(text: &str) -> String {
    if let Ok(target) = Target::parse(text) {
        return target.as_str().to_owned();
    }
    let shown = match text.rsplit_once('@') {
        Some((secret, rest)) => {
            let scheme = secret.split_once("://").map_or("", |(scheme, _)| scheme);
            let separator = if scheme.is_empty() { "" } else { "://" };
            format!("{scheme}{separator}{}@{rest}", super::show::REDACTED)
        }
        None => text.to_owned(),
    };
    shown.escape_debug().collect()
}

/// The pairs as `application/x-www-form-urlencoded` text.
pub(super) fn encode_form<K: AsRef<str>, V: AsRef<str>>(
    fields: impl IntoIterator<Item = (K, V)>,
) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

/// Undoes percent-encoding (RFC 3986 §2.1).
fn percent_decode(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let decoded = match (first, tail) {
            (b'%', [high, low, after @ ..]) => {
                hex(*high).zip(hex(*low)).map(|(high, low)| (high << 4 | low, after))
            }
            _ => None,
        };
        let (byte, after) = decoded.unwrap_or((first, tail));
        bytes.push(byte);
        rest = after;
    }
    bytes
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
#[path = "target_tests.rs"]
mod tests;
